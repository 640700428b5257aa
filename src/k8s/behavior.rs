//! HPA scaling policies and stabilization windows.
//!
//! Upstream: `pkg/controller/podautoscaler/horizontal.go`
//! (`normalizeDesiredReplicasWithBehaviors` and its helpers); API defaults in
//! `pkg/apis/autoscaling/v2/defaults.go`.

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
