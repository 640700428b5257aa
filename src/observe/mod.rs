//! What a run leaves behind: facts, in memory that doesn't grow with requests.
//!
//! [`Observations`] are plain data. They say what happened and judge nothing.

pub mod course;
pub mod facts;
pub mod histogram;
pub mod level;
pub mod pooled;
pub mod recorder;
pub mod series;
pub mod watch;

pub use course::{Course, Whose};
pub use histogram::Histogram;
pub use level::Level;
pub use pooled::{Pooled, PooledWorkload, Span};
pub use recorder::{ClusterRow, Recorder, Trouble, WorkloadRow};
pub use series::{Series, WorkloadSeries};
pub use watch::{RolloutSeen, Strike, Watch, WatchRow};

use std::collections::BTreeMap;

use crate::sim::random::Seed;
use crate::units::{Bytes, SimDuration, SimTime};

/// What one run left behind. Counts and distributions are of the observed time,
/// after the warm-up; the series covers the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Observations {
    /// The seed and replication of this run.
    pub seed: Seed,
    /// Hash of the trajectory.
    pub fingerprint: u64,
    /// Events handled.
    pub events: u64,
    /// End of the warm-up.
    pub start: SimTime,
    /// End of the run: the horizon, or the moment of `stopped`.
    pub end: SimTime,
    /// Why the run ended before its horizon, if it did.
    pub stopped: Option<Stop>,
    /// Share of the observed time whose requests were simulated one by one; they
    /// stand for those of the rest. 1.0 for a run in full.
    pub simulated: f64,
    /// All user requests of the whole run, warm-up included: nothing is lost.
    pub balance: Balance,
    /// What users asked, by journey (in the scenario's order).
    pub journeys: Vec<Traffic>,
    /// By workload (in the scenario's order).
    pub workloads: Vec<WorkloadSeen>,
    /// By external service (in the scenario's order).
    pub externals: Vec<Traffic>,
    /// The nodes and what they cost.
    pub cluster: ClusterSeen,
    /// Every HPA decision that changed a replica count.
    pub decisions: Vec<Decision>,
    /// Moments that matter, in order of time; bounded in number.
    pub moments: Vec<Moment>,
    /// Values over time.
    pub series: Series,
    /// Second by second, where the scenario has drills.
    pub watch: Watch,
    /// Rollouts, in the order in which they began.
    pub rollouts: Vec<RolloutSeen>,
    /// By pool of connections (in the order of [`Scenario::pools`]).
    ///
    /// [`Scenario::pools`]: crate::scenario::Scenario::pools
    pub pools: Vec<PoolSeen>,
}

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// More calls in flight than the scenario's limit.
    InFlight(usize),
    /// More pods than the scenario's limit.
    Pods(usize),
}

/// User requests of a whole run; `arrived = answered + failed + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Asked.
    pub arrived: u64,
    /// Answered well.
    pub answered: u64,
    /// Answered badly or not at all.
    pub failed: u64,
    /// Still under way at the end.
    pub in_flight: u64,
}

/// Requests and how they fared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Asked within the observed time.
    pub arrived: u64,
    /// Answered well.
    pub answered: u64,
    /// Failed, by [`Cause`] (indexed by `Cause as usize`).
    pub failures: [u64; Cause::COUNT],
    /// From asked to answered, of those answered well.
    pub latency: Histogram,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Cause {
    /// No answer within the caller's timeout.
    Timeout,
    /// The pod's queue was full (503).
    QueueFull,
    /// The Service had no ready endpoint (503).
    NoEndpoint,
    /// The connection was refused: the pod had gone but was still listed.
    ConnectionRefused,
    /// The pod ended while it worked on the request.
    PodEnded,
    /// The container ran out of memory while it worked on the request.
    OutOfMemory,
    /// A call that the request depends on failed.
    Dependency,
    /// An external service failed.
    ExternalError,
    /// An external service refused: over its quota (429).
    ExternalQuota,
    /// No connection of the caller's pool came free within the pool's timeout.
    PoolTimeout,
    /// As many calls waited for a connection as the pool lets.
    PoolFull,
    /// The callee had all the connections that it takes.
    TooManyConnections,
    /// The caller's circuit breaker was open.
    BreakerOpen,
    /// As many of the caller's calls were under way as its circuit breaker lets.
    BreakerFull,
}

impl Cause {
    /// How many causes there are.
    pub const COUNT: usize = 14;

    /// All causes, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Timeout,
        Self::QueueFull,
        Self::NoEndpoint,
        Self::ConnectionRefused,
        Self::PodEnded,
        Self::OutOfMemory,
        Self::Dependency,
        Self::ExternalError,
        Self::ExternalQuota,
        Self::PoolTimeout,
        Self::PoolFull,
        Self::TooManyConnections,
        Self::BreakerOpen,
        Self::BreakerFull,
    ];

    /// Its name in results (`failuresByCause`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::QueueFull => "queueFull",
            Self::NoEndpoint => "noEndpoint",
            Self::ConnectionRefused => "connectionRefused",
            Self::PodEnded => "podEnded",
            Self::OutOfMemory => "outOfMemory",
            Self::Dependency => "dependency",
            Self::ExternalError => "externalError",
            Self::ExternalQuota => "externalQuota",
            Self::PoolTimeout => "poolTimeout",
            Self::PoolFull => "poolFull",
            Self::TooManyConnections => "tooManyConnections",
            Self::BreakerOpen => "breakerOpen",
            Self::BreakerFull => "breakerFull",
        }
    }

    /// What it means, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Timeout => "no answer within the timeout",
            Self::QueueFull => "refused: the pod's queue was full",
            Self::NoEndpoint => "no ready pod behind the Service",
            Self::ConnectionRefused => "sent to a pod that had gone",
            Self::PodEnded => "the pod ended in the middle of the request",
            Self::OutOfMemory => "the container ran out of memory in the middle of the request",
            Self::Dependency => "a call it depends on failed",
            Self::ExternalError => "an external service failed",
            Self::ExternalQuota => "an external service was over its quota",
            Self::PoolTimeout => "no connection of the pool came free in time",
            Self::PoolFull => "too many already waited for a connection of the pool",
            Self::TooManyConnections => "refused: too many connections",
            Self::BreakerOpen => "the caller's circuit breaker was open",
            Self::BreakerFull => "as many calls were under way as the circuit breaker lets",
        }
    }
}

/// What happened to one workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadSeen {
    /// Calls to it; latency from arrival at the pod until the answer leaves.
    pub traffic: Traffic,
    /// Time calls waited for a place in the pod.
    pub wait: Histogram,
    /// Ready replicas.
    pub ready: Level,
    /// Wanted replicas.
    pub desired: Level,
    /// CPU used by all its pods, in cores, sampled every series step.
    pub cpu_cores: Level,
    /// The same per running pod.
    pub cpu_per_pod: Level,
    /// Memory used by all its pods, in bytes.
    pub memory: Level,
    /// CPU that its usage curve asks for, in cores; nothing where it has none.
    pub demanded: Level,
    /// 1 while that is more than its ready pods may use, else 0.
    pub overload: Level,
    /// The largest memory of any one pod.
    pub memory_pod_max: Bytes,
    /// The most connections that callers' pools kept to any one pod.
    pub connections_max: u32,
    /// Quota periods (100 ms) in which a pod wanted CPU.
    pub periods: u64,
    /// Of these, periods in which it was held back by its CPU limit.
    pub throttled_periods: u64,
    /// Container restarts.
    pub restarts: u64,
    /// Out-of-memory kills.
    pub oom_kills: u64,
    /// What filled the memory of the first containers that ran out of it by themselves.
    pub filled: Filled,
    /// Pods that started and became ready.
    pub pods_started: u64,
    /// From creation to ready, of those.
    pub start_time: Histogram,
    /// Seconds its pods spent unschedulable, summed.
    pub pending_seconds: f64,
    /// The scheduler's words about the latest unschedulable pod.
    pub pending_because: Option<String>,
    /// How long the HPA wanted more than its maximum.
    pub held_at_max: SimDuration,
    /// Since when first.
    pub held_at_max_since: Option<SimTime>,
    /// Changes of the replica count.
    pub scale_events: u64,
}

/// Containers at the moment that they ran out of memory: what held it, and where the
/// requests in progress stood. Sums over those that were looked into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled {
    /// Bytes in use.
    pub held: u64,
    /// Of these, what is in use at rest.
    pub at_rest: u64,
    /// Of these, what requests in progress use.
    pub by_requests: u64,
    /// Those requests, or the calls that they waited for, by the workload in whose pods
    /// they waited for CPU, for a place or for a connection.
    pub standing: BTreeMap<usize, u64>,
    /// The same of what was anywhere else: in a wait, on its way, outside the cluster.
    pub elsewhere: u64,
}

impl Filled {
    /// Requests in progress and calls that they waited for, wherever they stood.
    pub fn requests(&self) -> u64 {
        self.standing.values().sum::<u64>() + self.elsewhere
    }

    /// Adds what others held.
    pub fn merge(&mut self, other: &Self) {
        self.held += other.held;
        self.at_rest += other.at_rest;
        self.by_requests += other.by_requests;
        for (workload, requests) in &other.standing {
            *self.standing.entry(*workload).or_default() += requests;
        }
        self.elsewhere += other.elsewhere;
    }
}

/// What happened to the connections of one workload's pods to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolSeen {
    /// How long calls waited for a connection, of those that got one.
    pub wait: Histogram,
    /// Connections opened.
    pub opened: u64,
    /// Connections refused, because the callee had all that it takes.
    pub refused: u64,
    /// Calls that waited for a connection for as long as they may, in vain.
    pub timed_out: u64,
    /// Calls that found as many waiting as may.
    pub turned_away: u64,
    /// The most connections that one pod kept.
    pub most: u32,
}

impl PoolSeen {
    /// Calls that wanted a connection and either have it or know that they get none.
    pub fn asked(&self) -> u64 {
        self.wait.count() + self.timed_out + self.turned_away
    }

    /// Adds what another run saw.
    pub fn merge(&mut self, other: &Self) {
        self.wait.merge(&other.wait);
        self.opened += other.opened;
        self.refused += other.refused;
        self.timed_out += other.timed_out;
        self.turned_away += other.turned_away;
        self.most = self.most.max(other.most);
    }
}

/// What happened to the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSeen {
    /// Ready nodes.
    pub nodes: Level,
    /// Pods that exist.
    pub pods: Level,
    /// Pods that are ready.
    pub ready_pods: Level,
    /// Seconds pods spent unschedulable, summed.
    pub pending_pod_seconds: f64,
    /// Requested ÷ allocatable CPU.
    pub cpu_requested_share: Level,
    /// Money for the observed time.
    pub cost: f64,
    /// Users at a time.
    pub users: Level,
}

/// One HPA decision that changed a replica count.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When.
    pub time: SimTime,
    /// Index of the workload.
    pub workload: usize,
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
    /// In words, with figures.
    pub because: String,
}

/// A moment that matters, for charts and reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub time: SimTime,
    /// What it is about.
    pub kind: MomentKind,
    /// The workload, where it is about one.
    pub workload: Option<usize>,
    /// In words, with figures.
    pub text: String,
}

/// What a moment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MomentKind {
    /// The HPA asked for more than its maximum, for the first time in a while.
    AtMaximum,
    /// A pod could not be scheduled.
    Unschedulable,
    /// A container ran out of memory.
    OutOfMemory,
    /// A liveness or startup probe killed a container.
    ProbeKilled,
    /// A ready pod became unready under its readiness probe.
    Unready,
    /// A node was added.
    NodeAdded,
    /// A node was removed.
    NodeRemoved,
    /// The HPA could not compute a metric.
    MetricFailed,
    /// A drill struck.
    DrillStruck,
    /// What a drill broke is whole again.
    DrillEnded,
    /// A node has not been heard of for the grace period.
    NodeSilent,
    /// A node got its NoExecute taint.
    NodeTainted,
    /// A node is well again.
    NodeBack,
    /// Pods are deleted from their tainted node.
    Evicted,
    /// A drain waits for a disruption budget.
    DrainBlocked,
    /// A pod was evicted from a node whose memory is short.
    MemoryShort,
    /// A pod waits for a volume that a dead node keeps.
    VolumeHeld,
    /// A rollout began.
    RolloutStarted,
    /// All pods are new and available.
    RolloutCompleted,
    /// A rollout exceeded its progress deadline.
    RolloutTimedOut,
    /// An image could not be pulled.
    PullFailed,
    /// A pod of higher priority pushed others off a node.
    Preempted,
}

impl Observations {
    /// A run in which nothing was seen.
    pub fn nothing() -> Self {
        Self {
            seed: Seed { base: 0, replication: 0 },
            fingerprint: 0,
            events: 0,
            start: SimTime::ZERO,
            end: SimTime::ZERO,
            stopped: None,
            simulated: 1.0,
            balance: Balance::default(),
            journeys: Vec::new(),
            workloads: Vec::new(),
            externals: Vec::new(),
            cluster: ClusterSeen::default(),
            decisions: Vec::new(),
            moments: Vec::new(),
            series: Series::default(),
            watch: Watch::default(),
            rollouts: Vec::new(),
            pools: Vec::new(),
        }
    }
}

impl Traffic {
    /// All failures.
    pub fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// Answered ÷ finished; 1.0 where nothing finished.
    pub fn availability(&self) -> f64 {
        let finished = self.answered + self.failed();
        if finished == 0 { 1.0 } else { self.answered as f64 / finished as f64 }
    }

    /// Adds another run's traffic.
    pub fn merge(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.answered += other.answered;
        for (ours, theirs) in self.failures.iter_mut().zip(other.failures) {
            *ours += theirs;
        }
        self.latency.merge(&other.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_numbered_in_order() {
        for (number, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, number);
        }
    }
}
