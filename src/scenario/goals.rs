//! What must hold: the policy's objectives, resolved.

use std::fmt;

use super::rule::Rule;

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Goals {
    /// The policy's name.
    pub name: String,
    /// The objectives, in the policy's order.
    pub objectives: Vec<Objective>,
    /// The confidence of every verdict, such as 0.95.
    pub confidence: f64,
    /// The currency of costs, such as `USD`.
    pub currency: String,
    /// What [`Indicator::Rule`] names by number.
    pub rules: Vec<Rule>,
    /// How often drills come, and which count, where the policy says so.
    pub drills: Vec<DrillRule>,
    /// Where these are not what the policy says, for the report: a sentence each
    /// without its full stop.
    pub notes: Vec<String>,
}

/// What the policy says of one drill.
#[derive(Clone, Debug, PartialEq)]
pub struct DrillRule {
    /// The catalogue's name.
    pub name: String,
    /// How often a year; `None` for the catalogue's guess.
    pub per_year: Option<f64>,
    /// Whether it is held and counts in the year.
    pub counts: bool,
}

/// One line of the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// What the policy calls it.
    pub name: String,
    /// What is measured.
    pub indicator: Indicator,
    /// On what.
    pub scope: Scope,
    /// How it compares.
    pub comparison: Comparison,
    /// With what, in the indicator's unit.
    pub goal: f64,
}

/// What is measured. Units are those of the JSON contract: seconds, shares in
/// 0..=1, counts, money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Indicator {
    /// Answered ÷ (answered + failed) over the observed time.
    Availability,
    /// Failed requests.
    FailedRequests,
    /// A quantile of the latency, in seconds.
    Latency {
        /// Such as 0.99.
        quantile: f64,
    },
    /// Requests answered per second, over the observed time.
    Throughput,
    /// The largest number of users whose requests were answered at the
    /// availability that the policy asks for (1.0 where it asks for none).
    CarriedUsers,
    /// The largest number of ready replicas.
    ReplicasMax,
    /// The smallest number of ready replicas.
    ReplicasMin,
    /// The largest number of ready pods of all workloads.
    PodsMax,
    /// The smallest number of ready pods of all workloads.
    PodsMin,
    /// The largest number of nodes.
    NodesMax,
    /// The smallest number of nodes.
    NodesMin,
    /// Seconds that pods spent unschedulable, summed.
    PendingPodSeconds,
    /// Money per month at the observed mean.
    CostPerMonth,
    /// Changes of a replica count per hour.
    ScaleEventsPerHour,
    /// Container restarts, out-of-memory kills among them.
    Restarts,
    /// The largest share of the observed time, over workloads with a usage curve, in
    /// which the curve asked for more CPU than ready pods may use.
    Overload,
    /// After a drill: until users are served again, in seconds.
    UsersRecovered,
    /// After a drill: until capacity is what it was, in seconds.
    CapacityRestored,
    /// Expected over a year, failures and all.
    AvailabilityPerYear,
    /// The share of runs of which a rule is true.
    Rule(usize),
}

/// On what an objective is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything users asked.
    All,
    /// One workload: index into the scenario's list.
    Workload(usize),
    /// One journey: index into the scenario's list.
    Journey(usize),
    /// One drill by name, or every drill (`*`).
    Drill(String),
}

/// How a measured value compares with the goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
}

impl Objective {
    /// Whether more load can break it; others ask for much load or many pods, or
    /// need a drill.
    pub fn breaks_under_load(&self) -> bool {
        let drill = self.indicator.needs_drill() || matches!(self.scope, Scope::Drill(_));
        let wants_more = match self.indicator {
            Indicator::CarriedUsers
            | Indicator::Throughput
            | Indicator::NodesMin
            | Indicator::PodsMin
            | Indicator::ReplicasMin => true,
            Indicator::PodsMax | Indicator::ReplicasMax | Indicator::NodesMax => {
                self.comparison == Comparison::AtLeast
            }
            _ => false,
        };
        !drill && !wants_more
    }

    /// Whether it bounds how much there is: more pods can't mend it, but break it.
    pub fn bounds_pods(&self) -> bool {
        let amount = matches!(
            self.indicator,
            Indicator::PodsMax | Indicator::ReplicasMax | Indicator::NodesMax | Indicator::CostPerMonth
        );
        amount && self.comparison == Comparison::AtMost
    }
}

impl Comparison {
    /// Whether `value` keeps the goal.
    pub fn holds(self, value: f64, goal: f64) -> bool {
        match self {
            Self::AtLeast => value >= goal,
            Self::AtMost => value <= goal,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        })
    }
}

impl Indicator {
    /// What policies and results call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::FailedRequests => "failedRequests",
            Self::Latency { .. } => "latency",
            Self::Throughput => "throughput",
            Self::CarriedUsers => "carriedUsers",
            Self::ReplicasMax => "replicasMax",
            Self::ReplicasMin => "replicasMin",
            Self::PodsMax => "podsMax",
            Self::PodsMin => "podsMin",
            Self::NodesMax => "nodesMax",
            Self::NodesMin => "nodesMin",
            Self::PendingPodSeconds => "pendingPodSeconds",
            Self::CostPerMonth => "costPerMonth",
            Self::ScaleEventsPerHour => "scaleEventsPerHour",
            Self::Restarts => "restarts",
            Self::Overload => "overload",
            Self::UsersRecovered => "usersRecovered",
            Self::CapacityRestored => "capacityRestored",
            Self::AvailabilityPerYear => "availabilityPerYear",
            Self::Rule(_) => "rule",
        }
    }

    /// Whether it can be measured on one drill.
    pub fn has_a_drill(self) -> bool {
        matches!(
            self,
            Self::UsersRecovered | Self::CapacityRestored | Self::FailedRequests | Self::PendingPodSeconds
        )
    }

    /// Whether `plan simulate` can measure it; the others need drills.
    pub fn needs_drill(self) -> bool {
        matches!(self, Self::UsersRecovered | Self::CapacityRestored | Self::AvailabilityPerYear)
    }
}
