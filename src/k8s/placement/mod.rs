//! The scheduler: which nodes a pod fits on, which it prefers, whom it may push out.
//!
//! [`ClusterView`] is what the scheduler remembers of nodes and bound pods,
//! [`schedule()`] one scheduling cycle, [`preempt`] what follows a failed one,
//! [`Queue`] who comes next.
//!
//! Upstream: `pkg/scheduler/schedule_one.go` and
//! `pkg/scheduler/framework/plugins/*`.

pub mod amounts;
pub mod cluster;
pub mod cycle;
pub mod fit;
pub mod image_locality;
pub mod inter_pod;
mod interned;
pub mod node_affinity;
pub mod objects;
pub mod preemption;
pub mod queue;
pub mod reason;
pub mod schedule;
pub mod scores;
pub mod spread;
pub mod taints;
#[cfg(test)]
pub(crate) mod testing;

pub use amounts::{Amounts, Containers, Demand, ResourceName};
pub use cluster::{
    BoundPod, ClusterView, KindId, Load, Node, NodeId, NodeShape, PodId, PodKind, PodView, Profile,
};
pub use cycle::Cycle;
pub use preemption::{GuardedPods, Preemption, Victims, preempt};
pub use queue::Queue;
pub use reason::{Filter, Reason, Refusal};
pub use schedule::{Decision, Explanation, Outcome, Unschedulable, explain, nodes_to_find, schedule};
pub use scores::{NodeScore, PluginScore, Score};

use crate::k8s::labels::{Labels, Requirement, Selector};

/// What a pod spec says about where it wants to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `nodeName`: bound by hand, without the scheduler.
    pub node_name: Option<String>,
    /// `nodeSelector`: pairs that the node must carry.
    pub node_selector: Labels,
    /// Required node affinity: one of the terms must hold. `None` when absent.
    pub required_nodes: Option<Vec<NodeTerm>>,
    /// Preferred node affinity: weight and term.
    pub preferred_nodes: Vec<(i32, NodeTerm)>,
    /// Required pod affinity.
    pub required_affinity: Vec<PodTerm>,
    /// Preferred pod affinity: weight and term.
    pub preferred_affinity: Vec<(i32, PodTerm)>,
    /// Required pod anti-affinity.
    pub required_anti_affinity: Vec<PodTerm>,
    /// Preferred pod anti-affinity: weight and term.
    pub preferred_anti_affinity: Vec<(i32, PodTerm)>,
    /// What taints the pod bears.
    pub tolerations: Vec<Toleration>,
    /// `topologySpreadConstraints`.
    pub spread: Vec<SpreadConstraint>,
    /// The priority, resolved from its class.
    pub priority: i32,
    /// Whether it may push out pods of lower priority.
    pub preempts: bool,
    /// Ports it takes on the node itself.
    pub host_ports: Vec<u16>,
}

/// A node selector term: all its requirements must hold (an empty term never does).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTerm {
    /// Conditions on the node's labels.
    pub labels: Vec<Requirement>,
    /// Conditions on the node's fields (`metadata.name`).
    pub fields: Vec<Requirement>,
}

/// A pod affinity term: which pods, near in what sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTerm {
    /// Which pods; `None` matches none.
    pub selector: Option<Selector>,
    /// In which namespaces; empty with no namespace selector means the pod's own.
    pub namespaces: Vec<String>,
    /// Namespaces by their labels; the empty selector means all.
    pub namespace_selector: Option<Selector>,
    /// The node label whose equal values make two nodes near.
    pub topology_key: String,
}

/// One entry of `tolerations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// The taint's key; empty with `Exists` bears every taint.
    pub key: String,
    /// `Exists` rather than `Equal`.
    pub exists: bool,
    /// The taint's value, for `Equal`.
    pub value: String,
    /// The effect it bears; `None` for all.
    pub effect: Option<TaintEffect>,
    /// How long a NoExecute taint is borne, in seconds; `None` for ever.
    pub seconds: Option<i64>,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, often empty.
    pub value: String,
    /// What it does to pods that don't bear it.
    pub effect: TaintEffect,
}

/// What a taint does to pods that don't bear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away where they can.
    PreferNoSchedule,
    /// Running pods have to leave, too.
    NoExecute,
}

/// One entry of `topologySpreadConstraints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadConstraint {
    /// The largest allowed difference between domains.
    pub max_skew: i32,
    /// The node label whose values are the domains.
    pub topology_key: String,
    /// `DoNotSchedule` rather than `ScheduleAnyway`.
    pub required: bool,
    /// Which pods count; `None` matches none.
    pub selector: Option<Selector>,
    /// Below so many domains the global minimum counts as 0.
    pub min_domains: Option<i32>,
    /// Whether nodes outside the pod's node affinity count (default: they don't).
    pub ignore_node_affinity: bool,
    /// Whether the pod's tolerations decide which nodes count (default: they don't).
    pub honor_taints: bool,
}
