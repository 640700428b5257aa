//! Kubernetes' rules as pure functions: values in, a decision with its reason out.
//!
//! No clock, no chance, no input or output, nothing but `units` below. The
//! simulation and `plan explain` call the very same functions; `tests/upstream`
//! holds them to upstream's own test tables.

pub mod admission;
pub mod behavior;
pub mod daemon_set;
pub mod disruption;
pub mod endpoints;
pub mod eviction;
pub mod hpa;
pub mod image_pull;
pub mod labels;
pub mod metrics;
pub mod node_autoscaling;
pub mod node_lifecycle;
pub mod placement;
pub mod probe;
pub mod prometheus;
pub mod quantity;
pub mod ranking;
pub mod replicas;
pub mod resources;
pub mod restart;
pub mod rollout;
pub mod statefulset;
pub mod termination;
pub mod token_bucket;
pub mod version;
pub mod volumes;
pub mod vpa;
