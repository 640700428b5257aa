//! How the pods of a workload reach another one: the connections that they keep.

use crate::units::SimDuration;

/// How each pod of a workload reaches another workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Index of the workload that is called.
    pub workload: usize,
    /// The connections that each pod keeps to it; `None` where every call finds its
    /// own pod, as over a connection of its own that costs nothing.
    pub pool: Option<Pool>,
    /// How a pod is chosen for a call or, where connections are kept, for a connection.
    pub balancing: Balancing,
    /// When its calls fail at once.
    pub breaker: Option<Breaker>,
    /// When a pod that fails gets no calls for a while.
    pub outlier: Option<Outlier>,
}

impl Upstream {
    /// A workload that is called as if nothing were said of how.
    pub fn to(workload: usize) -> Self {
        Self { workload, pool: None, balancing: Balancing::Random, breaker: None, outlier: None }
    }
}

/// A circuit breaker of one pod towards a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// So many calls are under way at a time; more fail at once. `None` for no limit.
    pub max_requests: Option<u32>,
    /// It opens by the share of failures, if it does.
    pub ratio: Option<FailureRatio>,
}

/// When a breaker opens by the share of failures, and closes again: resilience4j's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRatio {
    /// It opens from this share of failures on, in millionths.
    pub threshold: u32,
    /// Of so many of the latest calls.
    pub window: u32,
    /// Not before there are so many.
    pub least: u32,
    /// It stays open for so long.
    pub wait: SimDuration,
    /// Then so many calls pass, and decide.
    pub half_open: u32,
}

/// When a pod that fails gets no calls for a while: Envoy's outlier detection by
/// consecutive errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// After so many failures in a row.
    pub errors: u32,
    /// It comes back at a multiple of this.
    pub interval: SimDuration,
    /// After this, times how often it has been out, at most [`Outlier::LONGEST`] or once
    /// this.
    pub ejection: SimDuration,
    /// At most this part of the pods is out, in millionths.
    pub most: u32,
}

impl Outlier {
    /// Envoy's `max_ejection_time`.
    pub const LONGEST: SimDuration = SimDuration::from_secs(300);
}

/// How one of several pods is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balancing {
    /// At random.
    #[default]
    Random,
    /// In turn.
    RoundRobin,
    /// The one with fewer calls of two drawn at random.
    LeastRequest,
    /// The one with less latency times calls of two drawn at random, peaks counting at
    /// once.
    PeakEwma,
    /// The one with less latency of two drawn at random.
    Ewma,
}

/// Connections that one pod keeps to the pods of another workload.
///
/// A connection leads to one pod from its first call to its end, however many pods
/// come meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// At most so many connections; `None` for as many as there are calls.
    pub size: Option<u32>,
    /// So many are opened as soon as the pod listens, and kept however idle.
    pub least: u32,
    /// Calls at the same time on one connection: 1 for HTTP/1.1 and databases, `None`
    /// for any number (HTTP/2 without a limit).
    pub streams: Option<u32>,
    /// So many calls wait for a connection; more fail at once. `None` for no limit.
    pub queue: Option<u32>,
    /// After which a call no longer waits for a connection; `None` for never.
    pub timeout: Option<SimDuration>,
    /// After which a connection that nobody uses is closed; `None` for never.
    pub idle: Option<SimDuration>,
    /// After which a connection takes no further call, give or take [`Pool::JITTER`].
    pub max_age: Option<SimDuration>,
    /// Calls after which a connection takes no further one.
    pub max_requests: Option<u32>,
}

impl Pool {
    /// The share by which ages differ, so that connections opened together don't end
    /// together (gRPC's proposal A9 has ±10 %).
    pub const JITTER: f64 = 0.1;
}

/// A pool and the two workloads that it is between.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Index of the workload whose pods have it.
    pub from: usize,
    /// Index of the workload that it leads to.
    pub to: usize,
    /// What it keeps to.
    pub pool: &'a Pool,
}
