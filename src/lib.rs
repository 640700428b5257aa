//! A policy-driven capacity planner and autoscaler simulator for Kubernetes.
//!
//! Data flows one way:
//!
//! ```text
//! files -> input -> scenario -> world -> observations -> judge -> output
//! ```
//!
//! | room | what stands in it |
//! |---|---|
//! | [`units`] | time, resources: the words |
//! | [`k8s`] | Kubernetes' rules as pure functions |

pub mod k8s;
pub mod units;
