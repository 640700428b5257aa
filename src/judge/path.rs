//! Which workloads a request passes, and down which of them its failures lead.

use std::collections::BTreeSet;

use crate::observe::{Cause, Pooled, Traffic};
use crate::scenario::{Scenario, Scope, Step, Target};

/// The workloads that a scope's requests reach first: index and no order. What
/// follows a usage curve is reached, too, though nobody knows by what.
pub(super) fn entries(scenario: &Scenario, scope: &Scope) -> BTreeSet<usize> {
    let visits = |journey: &crate::scenario::Journey| {
        journey.visits.iter().map(|visit| visit.workload).collect::<Vec<_>>()
    };
    match scope {
        Scope::All | Scope::Drill(_) => {
            let curves = (0..scenario.workloads.len()).filter(|one| scenario.workloads[*one].usage.is_some());
            scenario.demand.journeys.iter().flat_map(visits).chain(curves).collect()
        }
        Scope::Journey(index) => visits(&scenario.demand.journeys[*index]).into_iter().collect(),
        Scope::Workload(index) => BTreeSet::from([*index]),
    }
}

/// The workloads that a scope's requests reach at all.
pub(super) fn reachable(scenario: &Scenario, scope: &Scope) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = entries(scenario, scope).into_iter().collect();
    while let Some(workload) = open.pop() {
        if seen.insert(workload) {
            open.extend(callees(scenario, workload).0);
        }
    }
    seen
}

/// Where failures lead: from a workload that users reach down the calls that
/// failed, to the one whose own causes are not a failed call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trail {
    /// From the entry down; the last one is where it started.
    pub(super) workloads: Vec<usize>,
    /// The external service at the end, if the trail leads out of the cluster.
    pub(super) external: Option<usize>,
}

/// Follows the failures of a scope's requests; `None` where nothing failed.
pub(super) fn trail(scenario: &Scenario, scope: &Scope, pooled: &Pooled) -> Option<Trail> {
    let failed = |index: &usize| pooled.workloads[*index].traffic.failed();
    let most = |all: BTreeSet<usize>| all.into_iter().filter(|index| failed(index) > 0).max_by_key(failed);
    let mut trail = Trail { workloads: vec![most(entries(scenario, scope))?], external: None };
    loop {
        let here = *trail.workloads.last()?;
        let (workloads, externals) = callees(scenario, here);
        let failures = &pooled.workloads[here].traffic;
        match top_cause(failures) {
            Some(Cause::ExternalError | Cause::ExternalQuota) => {
                trail.external = worst(externals, &pooled.externals);
                return Some(trail);
            }
            Some(Cause::Dependency) => {}
            _ => return Some(trail),
        }
        let fresh = workloads.into_iter().filter(|index| !trail.workloads.contains(index)).collect();
        let Some(next) = most(fresh) else {
            trail.external = worst(externals, &pooled.externals);
            return Some(trail);
        };
        trail.workloads.push(next);
    }
}

/// The cause of most failures.
pub(super) fn top_cause(traffic: &Traffic) -> Option<Cause> {
    let most = Cause::ALL.into_iter().rev().max_by_key(|cause| traffic.failures[*cause as usize])?;
    (traffic.failures[most as usize] > 0).then_some(most)
}

fn worst(externals: BTreeSet<usize>, traffic: &[Traffic]) -> Option<usize> {
    externals
        .into_iter()
        .filter(|index| traffic[*index].failed() > 0)
        .max_by_key(|index| traffic[*index].failed())
}

/// The workloads and external services that a workload calls.
fn callees(scenario: &Scenario, workload: usize) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let (mut workloads, mut externals) = (BTreeSet::new(), BTreeSet::new());
    let steps =
        scenario.workloads[workload].behaviour.operations.iter().flat_map(|operation| &operation.steps);
    for call in steps.flat_map(Step::calls) {
        match call.target {
            Target::Operation { workload, .. } => workloads.insert(workload),
            Target::External(index) => externals.insert(index),
        };
    }
    (workloads, externals)
}
