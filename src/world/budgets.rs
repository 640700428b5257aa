//! Disruption budgets over the pods that are there.

use crate::k8s::disruption::{Matched, Unmanaged, standing};
use crate::k8s::placement::GuardedPods;
use crate::scenario::{DisruptionBudget, Kind, Workload};
use crate::units::SimTime;
use crate::world::state::State;

/// Every budget with the evictions it allows now.
pub fn guarded(state: &State, now: SimTime) -> Vec<GuardedPods> {
    state.scenario.budgets.iter().map(|budget| guard(state, budget, now)).collect()
}

/// One budget with the evictions it allows now; one that can't be computed
/// allows none.
fn guard(state: &State, budget: &DisruptionBudget, now: SimTime) -> GuardedPods {
    let matches = |workload: &Workload| {
        workload.namespace == budget.namespace && budget.selector.matches(&workload.template.labels)
    };
    let mut matched = Vec::new();
    for (number, workload) in state.scenario.workloads.iter().enumerate().filter(|(_, one)| matches(one)) {
        let controller = (!matches!(workload.kind, Kind::Pod)).then_some(number);
        let pods = state.workloads[number].pods.iter().filter_map(|&id| state.pod(id));
        matched.extend(pods.map(|pod| Matched {
            ready: pod.ready,
            deleting: pod.deleting,
            disrupted: None,
            controller,
        }));
    }
    let scale = |number: usize| Some(state.workloads[number].desired);
    let standing = standing(budget.budget, &matched, scale, Unmanaged::default(), now);
    GuardedPods {
        namespace: budget.namespace.clone(),
        selector: Some(budget.selector.clone()),
        allowed: standing.map_or(0, |standing| i64::from(standing.disruptions_allowed)),
        disrupted: Vec::new(),
    }
}
