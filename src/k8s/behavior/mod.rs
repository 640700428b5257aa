//! HPA scaling policies and stabilization windows.
//!
//! Upstream: `pkg/controller/podautoscaler/horizontal.go`
//! (`normalizeDesiredReplicasWithBehaviors` and its helpers); API defaults in
//! `pkg/apis/autoscaling/v2/defaults.go`.

mod rate;
mod stabilize;

pub use rate::{Limit, Limited, ScaleEvent, ScaleEvents, change_within, clamp_without_behavior, limit_rate};
pub use rate::{scale_down_limit, scale_up_limit};
pub use stabilize::{Recorded, Stabilization, Stabilized, stabilize, stabilize_without_behavior};

use crate::units::SimDuration;

/// `spec.behavior` of an HPA, after the API's defaulting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// What holds for more replicas.
    pub scale_up: ScalingRules,
    /// What holds for fewer replicas.
    pub scale_down: ScalingRules,
}

/// The rules of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalingRules {
    /// How long past recommendations are held against a change; `None` (scale-down
    /// only) takes the controller's flag.
    pub stabilization_window: Option<SimDuration>,
    /// Which policy decides.
    pub select_policy: SelectPolicy,
    /// How much may change within a period.
    pub policies: Vec<ScalingPolicy>,
    /// Tolerance of this direction in thousandths; `None` takes the controller's flag.
    pub tolerance_milli: Option<i64>,
}

/// Which of several policies decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The policy that allows the largest change.
    Max,
    /// The policy that allows the smallest change.
    Min,
    /// No change in this direction at all.
    Disabled,
}

/// One scaling policy: at most so much within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// The unit of `value`.
    pub kind: PolicyKind,
    /// Pods, or percent of the replicas at the period's start.
    pub value: i32,
    /// The period.
    pub period: SimDuration,
}

/// The unit of a scaling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A number of pods.
    Pods,
    /// A percentage of the replicas at the period's start.
    Percent,
}

/// The rules of one direction as a manifest gives them, before defaulting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenRules {
    /// `stabilizationWindowSeconds`
    pub stabilization_window: Option<SimDuration>,
    /// `selectPolicy`
    pub select_policy: Option<SelectPolicy>,
    /// `policies`; a list that is given replaces the default list wholly.
    pub policies: Option<Vec<ScalingPolicy>>,
    /// `tolerance` in thousandths.
    pub tolerance_milli: Option<i64>,
}

impl Default for Behavior {
    /// What an object with `behavior: {}` gets.
    fn default() -> Self {
        Self {
            scale_up: ScalingRules::scale_up(GivenRules::default()),
            scale_down: ScalingRules::scale_down(GivenRules::default()),
        }
    }
}

impl ScalingRules {
    /// `scaleUp` after the API's defaulting: no window; the larger of 4 pods
    /// and 100 % within 15 s.
    pub fn scale_up(given: GivenRules) -> Self {
        let policies = || {
            let period = SimDuration::from_secs(15);
            let pods = ScalingPolicy { kind: PolicyKind::Pods, value: 4, period };
            vec![pods, ScalingPolicy { kind: PolicyKind::Percent, value: 100, period }]
        };
        Self {
            stabilization_window: Some(given.stabilization_window.unwrap_or(SimDuration::ZERO)),
            select_policy: given.select_policy.unwrap_or(SelectPolicy::Max),
            policies: given.policies.unwrap_or_else(policies),
            tolerance_milli: given.tolerance_milli,
        }
    }

    /// `scaleDown` after the API's defaulting: the controller's window; 100 %
    /// within 15 s.
    pub fn scale_down(given: GivenRules) -> Self {
        let policies = || {
            let period = SimDuration::from_secs(15);
            vec![ScalingPolicy { kind: PolicyKind::Percent, value: 100, period }]
        };
        Self {
            stabilization_window: given.stabilization_window,
            select_policy: given.select_policy.unwrap_or(SelectPolicy::Max),
            policies: given.policies.unwrap_or_else(policies),
            tolerance_milli: given.tolerance_milli,
        }
    }

    /// The longest period of any policy: events older than that are forgotten.
    pub fn longest_period(&self) -> SimDuration {
        self.policies.iter().map(|policy| policy.period).max().unwrap_or(SimDuration::ZERO)
    }
}

#[cfg(test)]
mod tests;
