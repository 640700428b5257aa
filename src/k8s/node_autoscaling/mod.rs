//! Node autoscalers: when to add a node, when to take one away.
//!
//! Two of them: cluster-autoscaler ([`scale_up()`], [`scale_down()`]) grows node
//! groups of one shape; Karpenter ([`provision`], [`consolidate`]) buys whatever
//! single machine is cheapest. Both ask the scheduler's own filters on a copy of
//! the cluster.
//!
//! Upstream: `kubernetes/autoscaler` (`cluster-autoscaler`) and
//! `kubernetes-sigs/karpenter`.

pub mod back_off;
pub mod consolidation;
pub mod karpenter;
pub mod scale_down;
pub mod scale_up;
mod what_if;

pub use back_off::BackOff;
pub use consolidation::{Consolidation, Market, Owned, consolidate};
pub use karpenter::{Batch, Offering, Provisioning, Purchase, provision};
pub use scale_down::{
    Blocker, DownSettings, Looked, NodeFacts, PodFacts, ScaleDown, ScaleDownMemory, Verdict, scale_down,
};
pub use scale_up::{ExpansionOption, NodeGroup, Pending, ScaleUp, UpSettings, scale_up};
