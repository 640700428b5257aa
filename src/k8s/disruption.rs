//! PodDisruptionBudgets and the eviction API.
//!
//! Upstream: `pkg/controller/disruption/disruption.go`,
//! `pkg/registry/core/pod/storage/eviction.go`.

use crate::k8s::rollout::IntOrPercent;

/// What a budget guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// At least so many matched pods stay healthy.
    MinAvailable(IntOrPercent),
    /// At most so many matched pods are unhealthy.
    MaxUnavailable(IntOrPercent),
}

/// Which unready pods may be evicted all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnhealthyPodEviction {
    /// Only while the budget is healthy (the default).
    #[default]
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}
