//! Figures that several files show.

use super::Plan;
use crate::judge::Outcome;
use crate::observe::{Observations, Pooled, PooledWorkload};
use crate::scenario::{Autoscaler, DisruptionBudget, Kind, Population, Workload};
use crate::units::figures::{count, percent, plural};

/// What alerts on a rate look back on, in seconds.
const RATE_OVER: f64 = 300.0;

/// A workload with what the proof saw of it.
pub(super) struct Seen<'a> {
    pub workload: &'a Workload,
    pub autoscaler: Option<&'a Autoscaler>,
    pub budget: Option<&'a DisruptionBudget>,
    pub pooled: PooledWorkload,
}

impl Seen<'_> {
    /// Fewest replicas that the settings ask for.
    pub(super) fn least(&self) -> u32 {
        self.autoscaler.map_or(self.workload.replicas, |one| one.spec.min_replicas)
    }

    /// Most replicas that the settings allow.
    pub(super) fn most(&self) -> u32 {
        self.autoscaler.map_or(self.workload.replicas, |one| one.spec.max_replicas)
    }

    /// Share of the CPU quota's periods in which the pods were held back.
    pub(super) fn throttled(&self) -> f64 {
        self.pooled.throttled_share()
    }

    /// The CPU limit of the container that serves, in cores.
    pub(super) fn cpu_limit(&self) -> Option<f64> {
        Some(self.workload.template.containers.first()?.limits.cpu?.as_cores())
    }

    /// The memory limit of the container that serves, in bytes: the kernel kills each by its own.
    pub(super) fn memory_limit(&self) -> Option<f64> {
        Some(self.workload.template.containers.first()?.limits.memory?.0 as f64)
    }

    /// `deployment/web`, as kubectl takes it; `None` for what has no rollout.
    pub(super) fn rollout(&self) -> Option<String> {
        let kind = match self.workload.kind {
            Kind::Deployment { .. } => "deployment",
            Kind::StatefulSet { .. } => "statefulset",
            Kind::DaemonSet => "daemonset",
            Kind::ReplicaSet | Kind::Pod | Kind::Job => return None,
        };
        Some(format!("{kind}/{}", self.workload.name))
    }
}

impl<'a> Plan<'a> {
    /// All workloads.
    pub(super) fn seen(&self) -> Vec<Seen<'a>> {
        let pooled = Pooled::of(self.runs).workloads;
        let of = |(index, (workload, pooled)): (usize, (&'a Workload, PooledWorkload))| {
            let autoscaler = self.scenario.autoscalers.iter().find(|one| one.workload == index);
            let mut budgets = self.scenario.budgets.iter();
            let budget = budgets.find(|one| one.guards(&workload.namespace, &workload.template.labels));
            Seen { workload, autoscaler, budget, pooled }
        };
        self.scenario.workloads.iter().zip(pooled).enumerate().map(of).collect()
    }

    /// The workloads that were asked anything.
    pub(super) fn serving(&self) -> Vec<Seen<'a>> {
        self.seen().into_iter().filter(|one| one.pooled.traffic.arrived > 0).collect()
    }

    /// The namespaces of the workloads that users ask, in order, each once.
    pub(super) fn namespaces(&self) -> Vec<&'a str> {
        let visits = self.scenario.demand.journeys.iter().flat_map(|one| &one.visits);
        let mut all: Vec<&str> =
            visits.map(|visit| self.scenario.workloads[visit.workload].namespace.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The namespace that commands are written for.
    pub(super) fn namespace(&self) -> &'a str {
        self.namespaces().first().copied().unwrap_or("default")
    }

    /// `100,000 users`, or a rate.
    pub(super) fn load(&self) -> String {
        match &self.scenario.demand.population {
            Population::Users { peak, .. } | Population::Rate { users: Some(peak), .. } => {
                format!("{} users", count(*peak))
            }
            Population::Rate { peak_per_second, .. } => {
                format!("{} journeys a second", count(*peak_per_second))
            }
        }
    }

    /// The largest load at which everything was kept, relative to the plan's. Where that is
    /// none, the plan's own is the most that was looked at.
    pub(super) fn proved_load(&self) -> f64 {
        let own = (1.0, self.verdict.outcome);
        let kept = self.loads.iter().copied().chain([own]).filter(|(_, outcome)| *outcome == Outcome::Met);
        kept.map(|(load, _)| load).reduce(f64::max).unwrap_or(1.0)
    }

    /// Users' requests per second at the peak of the proof, over the five minutes that alerts
    /// look back on: what came in the busiest step is chance.
    pub(super) fn peak_rate(&self) -> f64 {
        let of = |run: &Observations| busiest(&run.series.arrived, run.series.step.as_secs_f64());
        self.runs.iter().map(of).fold(0.0, f64::max)
    }

    /// Requests per second that the proof covers.
    pub(super) fn proved_rate(&self) -> f64 {
        (self.peak_rate() * self.proved_load()).ceil()
    }

    /// Whether users come through an Ingress.
    pub(super) fn behind_ingress(&self) -> bool {
        let visits = self.scenario.demand.journeys.iter().flat_map(|one| &one.visits);
        let mut all = visits.map(|visit| self.scenario.workloads[visit.workload].behind_ingress);
        all.next().is_some_and(|first| first && all.all(|one| one))
    }

    /// Fewest and most nodes.
    pub(super) fn nodes(&self) -> (u32, u32) {
        let pools = &self.scenario.cluster.pools;
        (pools.iter().map(|pool| pool.min).sum(), pools.iter().map(|pool| pool.max).sum())
    }

    /// `3 to 5 nodes`
    pub(super) fn nodes_in_words(&self) -> String {
        let (min, max) = self.nodes();
        let most = plural(max.into(), "node", "nodes");
        if min == max { most } else { format!("{min} to {most}") }
    }

    /// How long a pod may wait for a node that has to be added first, in seconds.
    pub(super) fn provision(&self) -> Option<f64> {
        let (min, max) = self.nodes();
        let all = self.scenario.cluster.pools.iter().map(|pool| pool.provision.mean());
        (max > min).then(|| all.fold(0.0, f64::max))
    }

    /// `at 80.0 % and 120.0 % of it`, or nothing.
    pub(super) fn loads_in_words(&self) -> String {
        let kept = |outcome: Outcome| -> Vec<String> {
            let of = self.loads.iter().filter(|(_, one)| *one == outcome);
            of.map(|(load, _)| percent(*load)).collect()
        };
        let mut parts = Vec::new();
        for (outcome, words) in
            [(Outcome::Met, "kept"), (Outcome::Missed, "missed"), (Outcome::Unsure, "unsure")]
        {
            let loads = kept(outcome);
            if !loads.is_empty() {
                parts.push(format!("{words} at {} of it", loads.join(" and ")));
            }
        }
        parts.join(", ")
    }
}

/// The highest rate over [`RATE_OVER`] of what came in steps of so many seconds; of what there
/// is where that is less.
fn busiest(arrived: &[u64], step: f64) -> f64 {
    let step = step.max(f64::MIN_POSITIVE);
    let steps = ((RATE_OVER / step).ceil() as usize).clamp(1, arrived.len().max(1));
    let most = arrived.windows(steps).map(|some| some.iter().sum::<u64>()).max().unwrap_or(0);
    most as f64 / (steps as f64 * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_time_is_as_long_as_alerts_look_back() {
        let quiet = [6_000; 10];
        let burst =
            |at: usize| std::array::from_fn::<u64, 10, _>(|row| if row == at { 12_000 } else { 6_000 });
        // Of a minute each: a minute's burst is a fifth of the five.
        for (arrived, rate) in [(quiet, 100.0), (burst(0), 120.0), (burst(7), 120.0)] {
            assert!((busiest(&arrived, 60.0) - rate).abs() < 1e-9, "{arrived:?}");
        }
        assert!((busiest(&[600, 1_800], 60.0) - 20.0).abs() < 1e-9, "all that there is");
        assert!((busiest(&[36_000, 72_000], 600.0) - 120.0).abs() < 1e-9, "no less than a row");
    }
}
