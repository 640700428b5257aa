//! Why a node was refused, in the scheduler's own words.
//!
//! Upstream: the `ErrReason` constants of `pkg/scheduler/framework/plugins/*`.

use std::fmt;

use crate::k8s::placement::amounts::ResourceName;

/// The filters, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// The node is cordoned.
    NodeUnschedulable,
    /// `nodeName` names another node.
    NodeName,
    /// A taint is not tolerated.
    TaintToleration,
    /// Node selector or required node affinity.
    NodeAffinity,
    /// A host port is taken.
    NodePorts,
    /// Resources or pod slots.
    NodeResourcesFit,
    /// A hard topology spread constraint.
    PodTopologySpread,
    /// Required pod affinity or anti-affinity, own or of others.
    InterPodAffinity,
}

/// One reason against one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The node is cordoned.
    Cordoned,
    /// `nodeName` names another node.
    OtherNodeName,
    /// The pod is made for one other node (a DaemonSet's pod).
    NotItsNode,
    /// The first taint that it doesn't tolerate: key and value.
    Taint(String, String),
    /// Node selector or node affinity.
    NodeAffinity,
    /// Host ports.
    HostPorts,
    /// No pod slot is left.
    TooManyPods,
    /// Too little of one resource.
    Insufficient {
        /// Of which.
        resource: ResourceName,
        /// What the pod asks for.
        requested: u64,
        /// What the node's pods have taken.
        used: u64,
        /// What the node has for pods.
        capacity: u64,
    },
    /// The node lacks the label of a spread constraint.
    SpreadLabelMissing,
    /// The skew would grow too large.
    Skew,
    /// No pod that it must be near.
    PodAffinity,
    /// A pod that it must be far from.
    PodAntiAffinity,
    /// A pod that wants to be far from it.
    ExistingAntiAffinity,
}

/// A node's refusal: which filter, why, and whether evicting pods could help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first filter that said no.
    pub filter: Filter,
    /// Its reasons; several only for resources.
    pub reasons: Vec<Reason>,
    /// Whether removing pods from the node could change the answer
    /// (`Unschedulable` rather than `UnschedulableAndUnresolvable`).
    pub resolvable: bool,
}

impl Filter {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 8] = [
        Self::NodeUnschedulable,
        Self::NodeName,
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodePorts,
        Self::NodeResourcesFit,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
    ];
}

impl Refusal {
    /// A refusal that removing pods may turn.
    pub fn resolvable(filter: Filter, reason: Reason) -> Self {
        Self { filter, reasons: vec![reason], resolvable: true }
    }

    /// A refusal that stands whatever runs on the node.
    pub fn final_word(filter: Filter, reason: Reason) -> Self {
        Self { filter, reasons: vec![reason], resolvable: false }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cordoned => f.write_str("node(s) were unschedulable"),
            Self::OtherNodeName => f.write_str("node(s) didn't match the requested node name"),
            Self::NotItsNode => f.write_str("node(s) didn't satisfy plugin(s) [NodeAffinity]"),
            Self::Taint(key, value) => write!(f, "node(s) had untolerated taint {{{key}: {value}}}"),
            Self::NodeAffinity => f.write_str("node(s) didn't match Pod's node affinity/selector"),
            Self::HostPorts => f.write_str("node(s) didn't have free ports for the requested pod ports"),
            Self::TooManyPods => f.write_str("Too many pods"),
            Self::Insufficient { resource, .. } => write!(f, "Insufficient {resource}"),
            Self::SpreadLabelMissing => {
                f.write_str("node(s) didn't match pod topology spread constraints (missing required label)")
            }
            Self::Skew => f.write_str("node(s) didn't match pod topology spread constraints"),
            Self::PodAffinity => f.write_str("node(s) didn't match pod affinity rules"),
            Self::PodAntiAffinity => f.write_str("node(s) didn't match pod anti-affinity rules"),
            Self::ExistingAntiAffinity => {
                f.write_str("node(s) didn't satisfy existing pods anti-affinity rules")
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
