//! A run's whole input: resolved, valid, owned, clonable.
//!
//! Everything is filled in and checked by `input`: below this line there are no
//! files, no YAML, no "absent means default". References are indices into the
//! scenario's own lists.

pub mod catalogue;
pub mod cluster;
pub mod demand;
pub mod drill;
pub mod fidelity;
pub mod goals;
pub mod interpolation;
pub mod rule;
pub mod upstream;
pub mod usage;
pub mod workload;

pub use cluster::{Cluster, NodePool, NodeType, ProvisionedBy};
pub use demand::{Demand, Journey, Population, RateState, Replay, Shape, Visit};
pub use drill::{Drill, Failure, Release, ReleaseFault, Share};
pub use fidelity::{ErrorBound, Fidelity};
pub use goals::{Comparison, DrillRule, Goals, Indicator, Objective, Scope};
pub use interpolation::Interpolation;
pub use rule::{Rule, Undecided};
pub use upstream::{Balancing, Breaker, FailureRatio, Link, Outlier, Pool, Upstream};
pub use usage::{Usage, UsagePiece, UsagePoint};
pub use workload::{
    Autoscaler, Behaviour, Call, Concurrency, Container, Counted, CustomMetric, DisruptionBudget, External,
    Hook, IngressRetries, Kind, MemoryModel, NodeHold, Operation, PodTemplate, Quota, Retry, RetryBudget,
    Sidecar, StartUp, Step, Target, WarmUp, Workload,
};

use crate::k8s::version::Version;
use crate::units::figures::{duration, percent};
use crate::units::{SimDuration, SimTime};

/// A run's whole input.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What reports and the output folder are called.
    pub name: String,
    /// The Kubernetes release whose rules apply.
    pub version: Version,
    /// Simulated before observation starts, so that the cluster is in its stride.
    pub warm_up: SimDuration,
    /// Observed after the warm-up. Traffic shapes start with the warm-up.
    pub horizon: SimDuration,
    /// What runs. [`Target::Operation`] and [`Autoscaler::workload`] index it.
    pub workloads: Vec<Workload>,
    /// The HPAs; at most one per workload.
    pub autoscalers: Vec<Autoscaler>,
    /// The disruption budgets.
    pub budgets: Vec<DisruptionBudget>,
    /// Services outside the cluster. [`Target::External`] indexes it.
    pub externals: Vec<External>,
    /// Where it runs.
    pub cluster: Cluster,
    /// Who asks, how often, for what.
    pub demand: Demand,
    /// What goes wrong or changes on the way.
    pub drills: Vec<Drill>,
    /// What must hold.
    pub goals: Goals,
    /// Numbers nobody measured on the user's system, for the report.
    pub assumptions: Vec<Assumption>,
    /// Kinds and fields that were read but have no effect, for the report.
    pub not_simulated: Vec<String>,
    /// How much of its time has its requests simulated one by one.
    pub fidelity: Fidelity,
    /// A bound on what input can blow up: the run stops there, as an observation.
    pub limits: Limits,
}

/// A number that was not measured on the user's system.
#[derive(Clone, Debug, PartialEq)]
pub struct Assumption {
    /// What it is about: `chat-service/send: CPU per request`.
    pub what: String,
    /// The value used, with its unit: `2.5 ms`.
    pub value: String,
    /// Its range where one is known: `0.15 ms to 4.5 ms`.
    pub range: Option<String>,
    /// `prior` (published for such software) or `assumed` (a guess).
    pub basis: Basis,
    /// Where it comes from.
    pub source: String,
}

/// What a number rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Measured on the user's own system.
    Measured,
    /// Published for this kind of software.
    Prior,
    /// A guess.
    Assumed,
}

/// Where a run stops early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests (calls) in flight at once.
    pub in_flight: usize,
    /// Pod objects at once.
    pub pods: usize,
}

impl Default for Limits {
    /// 4 million calls in flight, 150,000 pods (upstream's tested maximum).
    fn default() -> Self {
        Self { in_flight: 4_000_000, pods: 150_000 }
    }
}

/// An observed time that ends before the traffic's peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortOfPeak {
    /// The share of the peak that is reached, in 0..1.
    pub share: f64,
    /// The observed time that is given.
    pub horizon: SimDuration,
    /// The observed time that would reach the peak.
    pub needed: SimDuration,
}

impl std::fmt::Display for ShortOfPeak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "within {} the traffic comes to {} of its peak, so the answer is about so many users; give \
             --duration {}m or more, or leave it out",
            duration(self.horizon),
            percent(self.share),
            self.needed.as_secs_f64().max(60.0).div_euclid(60.0) as u64
                + u64::from(self.needed.as_secs_f64() % 60.0 > 0.0),
        )
    }
}

/// What is this close to the peak is the peak.
const AT_PEAK: f64 = 0.98;

impl Scenario {
    /// Says so where the observed time ends before the traffic's peak.
    pub fn short_of_peak(&self) -> Option<ShortOfPeak> {
        let shape = match &self.demand.population {
            Population::Users { shape, .. } | Population::Rate { shape, .. } => shape,
        };
        let most = shape.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let begin = SimTime::ZERO + self.warm_up;
        let share = shape.peak(begin, begin + self.horizon) / most.max(f64::MIN_POSITIVE);
        let (first, _) = shape.points.iter().find(|(_, value)| *value >= most * AT_PEAK)?;
        // A peak before the observation began is nobody's to wait for.
        let needed = first.since_or_zero(begin);
        (share < AT_PEAK && needed > self.horizon).then_some(ShortOfPeak {
            share,
            horizon: self.horizon,
            needed,
        })
    }

    /// All pools of connections, caller by caller: the order of all that is told of
    /// them.
    pub fn pools(&self) -> impl Iterator<Item = Link<'_>> {
        let all = self.workloads.iter().enumerate();
        all.flat_map(|(from, workload)| {
            let upstreams = workload.behaviour.upstreams.iter();
            upstreams.filter_map(move |one| Some(Link { from, to: one.workload, pool: one.pool.as_ref()? }))
        })
    }

    /// What the HPAs go by beside resources, as far as it is known what that counts.
    pub fn custom_metrics(&self) -> impl Iterator<Item = &CustomMetric> {
        self.autoscalers.iter().flat_map(|hpa| &hpa.custom)
    }

    /// Whether a workload follows a recorded usage curve.
    pub fn has_usage(&self) -> bool {
        self.workloads.iter().any(|workload| workload.usage.is_some())
    }

    /// Whether anybody asks anything.
    pub fn has_users(&self) -> bool {
        !self.demand.journeys.is_empty()
    }

    /// The longest that anybody waits for an answer of a workload before giving up: users,
    /// and calls for as long as their own callers wait. `None` where nobody asks.
    pub fn longest_wait(&self, workload: usize) -> Option<SimDuration> {
        let none = |one: &Workload| vec![SimDuration::ZERO; one.behaviour.operations.len()];
        let mut known: Vec<Vec<SimDuration>> = self.workloads.iter().map(none).collect();
        let visits = self.demand.journeys.iter().flat_map(|journey| &journey.visits);
        let mut new: Vec<_> = visits.map(|one| (one.workload, one.operation, one.timeout)).collect();
        while let Some((to, operation, wait)) = new.pop() {
            if wait <= known[to][operation] {
                continue;
            }
            known[to][operation] = wait;
            let steps = &self.workloads[to].behaviour.operations[operation].steps;
            new.extend(steps.iter().flat_map(Step::calls).filter_map(|call| match call.target {
                Target::Operation { workload, operation } => {
                    Some((workload, operation, call.timeout.map_or(wait, |own| own.min(wait))))
                }
                Target::External(_) => None,
            }));
        }
        known[workload].iter().copied().max().filter(|wait| *wait > SimDuration::ZERO)
    }

    /// What the workloads are called in results, in their order.
    pub fn workload_names(&self) -> Vec<String> {
        let all: Vec<(&str, &str)> =
            self.workloads.iter().map(|one| (one.namespace.as_str(), one.name.as_str())).collect();
        short_names(&all)
    }
}

/// What workloads of these namespaces and names are called: by their name, and
/// with the namespace where a name occurs twice.
pub fn short_names(all: &[(&str, &str)]) -> Vec<String> {
    let twice = |name: &str| all.iter().filter(|(_, other)| *other == name).count() > 1;
    let short = |(namespace, name): &(&str, &str)| {
        if twice(name) { format!("{namespace}/{name}") } else { (*name).to_owned() }
    };
    all.iter().map(short).collect()
}
