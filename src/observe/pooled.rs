//! Several replications of one scenario, seen as one.

use super::{Filled, Histogram, Level, Observations, PoolSeen, Traffic};
use crate::units::{Bytes, SimDuration, SimTime};

/// Several replications of one scenario, seen as one. Counts are sums over the
/// replications; [`Pooled::per_run`] makes means of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled {
    /// How many replications there were.
    pub replications: usize,
    /// Observed time of all of them, in seconds.
    pub seconds: f64,
    /// Share of it whose requests were simulated one by one.
    pub simulated: f64,
    /// By journey.
    pub journeys: Vec<Traffic>,
    /// By workload.
    pub workloads: Vec<PooledWorkload>,
    /// By external service.
    pub externals: Vec<Traffic>,
    /// By pool of connections.
    pub pools: Vec<PoolSeen>,
    /// Ready nodes.
    pub nodes: Span,
    /// Pods that exist.
    pub pods: Span,
    /// Users at a time.
    pub users: Span,
    /// Requested ÷ allocatable CPU.
    pub cpu_requested_share: Span,
    /// Seconds pods spent unschedulable.
    pub pending_pod_seconds: f64,
    /// Money.
    pub cost: f64,
}

/// One workload over all replications.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PooledWorkload {
    /// Calls to it.
    pub traffic: Traffic,
    /// Time calls waited for a place in a pod.
    pub wait: Histogram,
    /// From creation of a pod to ready.
    pub start_time: Histogram,
    /// Ready replicas.
    pub ready: Span,
    /// CPU of all its pods, in cores.
    pub cpu_cores: Span,
    /// CPU of one pod, in cores.
    pub cpu_per_pod: Span,
    /// Memory of all its pods, in bytes.
    pub memory: Span,
    /// CPU that its usage curve asks for, in cores.
    pub demanded: Span,
    /// Share of time in which that was more than its ready pods may use: its mean.
    pub overload: Span,
    /// The largest memory of any one pod.
    pub memory_pod_max: Bytes,
    /// The most connections that callers' pools kept to any one pod.
    pub connections_max: u32,
    /// Quota periods in which a pod wanted CPU.
    pub periods: u64,
    /// Of these, periods in which its CPU limit held it back.
    pub throttled_periods: u64,
    /// Container restarts.
    pub restarts: u64,
    /// Out-of-memory kills.
    pub oom_kills: u64,
    /// What filled the memory of containers that ran out of it by themselves.
    pub filled: Filled,
    /// Changes of the replica count.
    pub scale_events: u64,
    /// Seconds its pods spent unschedulable.
    pub pending_seconds: f64,
    /// The scheduler's words about an unschedulable pod.
    pub pending_because: Option<String>,
    /// How long the HPA wanted more than its maximum.
    pub held_at_max: SimDuration,
    /// Since when at the earliest.
    pub held_at_max_since: Option<SimTime>,
}

/// The least, the mean and the largest of a value over time and replications.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// The least of all.
    pub min: f64,
    /// The mean of the replications' means over time.
    pub mean: f64,
    /// The largest of all.
    pub max: f64,
}

impl Pooled {
    /// All of `runs` as one; there is at least one.
    pub fn of(runs: &[Observations]) -> Self {
        assert!(!runs.is_empty(), "there is at least one replication");
        let workloads = 0..runs[0].workloads.len();
        Self {
            replications: runs.len(),
            seconds: runs.iter().map(|run| run.end.since_or_zero(run.start).as_secs_f64()).sum(),
            simulated: runs.iter().map(|run| run.simulated).sum::<f64>() / runs.len() as f64,
            journeys: merged(runs, |run| &run.journeys),
            workloads: workloads.map(|index| PooledWorkload::of(runs, index)).collect(),
            externals: merged(runs, |run| &run.externals),
            pools: pools(runs),
            nodes: Span::of(runs, |run| &run.cluster.nodes),
            pods: Span::of(runs, |run| &run.cluster.pods),
            users: Span::of(runs, |run| &run.cluster.users),
            cpu_requested_share: Span::of(runs, |run| &run.cluster.cpu_requested_share),
            pending_pod_seconds: runs.iter().map(|run| run.cluster.pending_pod_seconds).sum(),
            cost: runs.iter().map(|run| run.cluster.cost).sum(),
        }
    }

    /// A sum over the replications as the mean of one.
    pub fn per_run(&self, sum: f64) -> f64 {
        sum / self.replications as f64
    }
}

impl PooledWorkload {
    fn of(runs: &[Observations], index: usize) -> Self {
        let mut all = Self {
            ready: Span::of(runs, |run| &run.workloads[index].ready),
            cpu_cores: Span::of(runs, |run| &run.workloads[index].cpu_cores),
            cpu_per_pod: Span::of(runs, |run| &run.workloads[index].cpu_per_pod),
            memory: Span::of(runs, |run| &run.workloads[index].memory),
            demanded: Span::of(runs, |run| &run.workloads[index].demanded),
            overload: Span::of(runs, |run| &run.workloads[index].overload),
            ..Self::default()
        };
        for seen in runs.iter().map(|run| &run.workloads[index]) {
            all.traffic.merge(&seen.traffic);
            all.wait.merge(&seen.wait);
            all.start_time.merge(&seen.start_time);
            all.memory_pod_max = all.memory_pod_max.max(seen.memory_pod_max);
            all.connections_max = all.connections_max.max(seen.connections_max);
            all.periods += seen.periods;
            all.throttled_periods += seen.throttled_periods;
            all.restarts += seen.restarts;
            all.oom_kills += seen.oom_kills;
            all.filled.merge(&seen.filled);
            all.scale_events += seen.scale_events;
            all.pending_seconds += seen.pending_seconds;
            all.pending_because = all.pending_because.or_else(|| seen.pending_because.clone());
            all.held_at_max += seen.held_at_max;
            all.held_at_max_since =
                [all.held_at_max_since, seen.held_at_max_since].into_iter().flatten().min();
        }
        all
    }

    /// Throttled ÷ all quota periods; 0 where there were none.
    pub fn throttled_share(&self) -> f64 {
        if self.periods == 0 { 0.0 } else { self.throttled_periods as f64 / self.periods as f64 }
    }
}

impl Span {
    fn of<'run>(runs: &'run [Observations], level: impl Fn(&'run Observations) -> &'run Level) -> Self {
        let mut span = Self { min: f64::INFINITY, mean: 0.0, max: f64::NEG_INFINITY };
        for level in runs.iter().map(level) {
            span.min = span.min.min(level.min());
            span.mean += level.mean() / runs.len() as f64;
            span.max = span.max.max(level.max());
        }
        span
    }
}

/// The pools of all runs.
fn pools(runs: &[Observations]) -> Vec<PoolSeen> {
    let mut all = vec![PoolSeen::default(); runs[0].pools.len()];
    for run in runs {
        for (sum, seen) in all.iter_mut().zip(&run.pools) {
            sum.merge(seen);
        }
    }
    all
}

fn merged<'run>(
    runs: &'run [Observations],
    of: impl Fn(&'run Observations) -> &'run Vec<Traffic>,
) -> Vec<Traffic> {
    let mut all = vec![Traffic::default(); of(&runs[0]).len()];
    for run in runs {
        for (sum, traffic) in all.iter_mut().zip(of(run)) {
            sum.merge(traffic);
        }
    }
    all
}
