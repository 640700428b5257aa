//! Disruption budgets over the pods that are there.

use crate::k8s::disruption::{
    self, Evictee, Eviction, Grant, Matched, Standing, Unknown, Unmanaged, standing,
};
use crate::k8s::placement::GuardedPods;
use crate::scenario::{DisruptionBudget, Kind, Workload};
use crate::units::SimTime;
use crate::world::ids::PodId;
use crate::world::state::{ContainerState, State};

/// Every budget with the evictions it allows now.
pub fn guarded(state: &State, now: SimTime) -> Vec<GuardedPods> {
    state.scenario.budgets.iter().map(|budget| guard(state, budget, now)).collect()
}

/// The eviction API's answer about a pod.
pub fn evict(state: &State, id: PodId, now: SimTime) -> Eviction {
    let Some(pod) = state.pod(id) else { return Eviction::Granted(Grant::PodUnguarded) };
    // A pod whose container waits for its next start is Running all the same.
    let over = pod.deleting || pod.run == 0 || pod.container == ContainerState::Ended;
    let evictee = match (over, pod.ready) {
        (true, _) => Evictee::Unguarded,
        (false, true) => Evictee::Ready,
        (false, false) => Evictee::Unready,
    };
    let spec = state.spec(pod.workload);
    let budgets = state.scenario.budgets.iter().filter(|budget| guards(budget, spec));
    let standings: Vec<_> = budgets
        .map(|budget| (standing_of(state, budget, now).unwrap_or_default(), budget.unhealthy))
        .collect();
    disruption::evict(evictee, &standings)
}

/// Whether a budget is over a workload's pods.
fn guards(budget: &DisruptionBudget, workload: &Workload) -> bool {
    budget.guards(&workload.namespace, &workload.template.labels)
}

/// One budget with the evictions it allows now; one that can't be computed
/// allows none.
fn guard(state: &State, budget: &DisruptionBudget, now: SimTime) -> GuardedPods {
    let standing = standing_of(state, budget, now);
    GuardedPods {
        namespace: budget.namespace.clone(),
        selector: Some(budget.selector.clone()),
        allowed: standing.map_or(0, |standing| i64::from(standing.disruptions_allowed)),
        disrupted: Vec::new(),
    }
}

/// Where a budget stands now.
fn standing_of(state: &State, budget: &DisruptionBudget, now: SimTime) -> Result<Standing, Unknown> {
    let matches = |workload: &Workload| guards(budget, workload);
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
    standing(budget.budget, &matched, scale, Unmanaged::default(), now)
}
