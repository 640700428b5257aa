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
pub mod rule;
pub mod workload;

pub use cluster::{Cluster, NodePool, ProvisionedBy};
pub use demand::{Demand, Interpolation, Journey, Population, RateState, Shape, Visit};
pub use drill::{Drill, Failure, Release, ReleaseFault, Share};
pub use fidelity::{ErrorBound, Fidelity};
pub use goals::{Comparison, DrillRule, Goals, Indicator, Objective, Scope};
pub use rule::Rule;
pub use workload::{
    Autoscaler, Behaviour, Call, Concurrency, Container, DisruptionBudget, External, Hook, Kind, MemoryModel,
    Operation, PodTemplate, Retry, RetryBudget, StartUp, Step, Target, Workload,
};

use crate::k8s::version::Version;
use crate::units::SimDuration;

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

impl Scenario {
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
