//! Deployment arithmetic: fence posts, the rolling step, proportional scaling.
//!
//! Upstream: `pkg/controller/deployment/{rolling,sync,progress}.go` and
//! `pkg/controller/deployment/util/deployment_util.go`.

/// A whole number or a percentage, as `maxSurge: 1` and `maxSurge: 25%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrPercent {
    /// As it is.
    Int(i64),
    /// Percent of some total.
    Percent(i64),
}

/// `spec.strategy` of a Deployment, after defaulting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All old pods go before the first new one starts.
    Recreate,
    /// Old and new pods overlap.
    RollingUpdate {
        /// Pods above the wanted count; default 25 %, rounded up.
        max_surge: IntOrPercent,
        /// Pods below the wanted count; default 25 %, rounded down.
        max_unavailable: IntOrPercent,
    },
}

impl Default for Strategy {
    fn default() -> Self {
        let quarter = IntOrPercent::Percent(25);
        Self::RollingUpdate { max_surge: quarter, max_unavailable: quarter }
    }
}
