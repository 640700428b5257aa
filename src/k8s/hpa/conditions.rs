//! The conditions of an HPA's status.
//!
//! Upstream: the `setCondition` calls of
//! `pkg/controller/podautoscaler/horizontal.go`.

use super::MetricSpec;
use crate::k8s::behavior::{Limit, Stabilization};

/// The conditions that a pass sets; `None` leaves what an earlier pass set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Whether the controller can read and write the scale.
    pub able_to_scale: Option<AbleToScale>,
    /// Whether metrics steer the replicas.
    pub scaling_active: Option<ScalingActive>,
    /// Whether a limit holds the replicas back.
    pub scaling_limited: Option<Limit>,
    /// Whether the autoscaler itself has put the workload to zero (from 1.37).
    pub scaled_to_zero: Option<bool>,
}

/// Reasons of `AbleToScale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbleToScale {
    /// The scale was read; nothing more was decided.
    SucceededGetScale,
    /// The window leaves the recommendation as it is.
    ReadyForNewScale,
    /// The window holds a scale-up.
    ScaleUpStabilized,
    /// The window holds a scale-down.
    ScaleDownStabilized,
    /// The scale was written.
    SucceededRescale,
    /// The scale couldn't be read.
    FailedGetScale,
    /// The scale couldn't be written.
    FailedUpdateScale,
}

/// Reasons of `ScalingActive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingActive {
    /// At least one metric gave a count that may be used.
    ValidMetricFound,
    /// The workload was set to zero replicas by someone else: parked.
    ScalingDisabled,
    /// The scale has no selector, or one that can't be read.
    InvalidSelector,
    /// The selector matches pods of another autoscaler.
    AmbiguousSelector,
    /// The first metric that failed is a resource of the pods.
    FailedGetResourceMetric,
    /// … of one container.
    FailedGetContainerResourceMetric,
    /// … a custom metric of the pods.
    FailedGetPodsMetric,
    /// … a metric of an object.
    FailedGetObjectMetric,
    /// … an external metric.
    FailedGetExternalMetric,
    /// … of no known type.
    InvalidMetricSourceType,
}

impl AbleToScale {
    /// Whether the condition is `True`.
    pub const fn status(self) -> bool {
        !matches!(self, Self::FailedGetScale | Self::FailedUpdateScale)
    }

    /// The reason as the API has it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SucceededGetScale => "SucceededGetScale",
            Self::ReadyForNewScale => "ReadyForNewScale",
            Self::ScaleUpStabilized => "ScaleUpStabilized",
            Self::ScaleDownStabilized => "ScaleDownStabilized",
            Self::SucceededRescale => "SucceededRescale",
            Self::FailedGetScale => "FailedGetScale",
            Self::FailedUpdateScale => "FailedUpdateScale",
        }
    }
}

impl From<Stabilization> for AbleToScale {
    fn from(stabilization: Stabilization) -> Self {
        match stabilization {
            Stabilization::ReadyForNewScale => Self::ReadyForNewScale,
            Stabilization::ScaleUpStabilized => Self::ScaleUpStabilized,
            Stabilization::ScaleDownStabilized => Self::ScaleDownStabilized,
        }
    }
}

impl ScalingActive {
    /// Whether the condition is `True`.
    pub const fn status(self) -> bool {
        matches!(self, Self::ValidMetricFound)
    }

    /// The reason as the API has it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ValidMetricFound => "ValidMetricFound",
            Self::ScalingDisabled => "ScalingDisabled",
            Self::InvalidSelector => "InvalidSelector",
            Self::AmbiguousSelector => "AmbiguousSelector",
            Self::FailedGetResourceMetric => "FailedGetResourceMetric",
            Self::FailedGetContainerResourceMetric => "FailedGetContainerResourceMetric",
            Self::FailedGetPodsMetric => "FailedGetPodsMetric",
            Self::FailedGetObjectMetric => "FailedGetObjectMetric",
            Self::FailedGetExternalMetric => "FailedGetExternalMetric",
            Self::InvalidMetricSourceType => "InvalidMetricSourceType",
        }
    }

    /// The reason that a failure of this metric gives.
    pub const fn failure_of(metric: &MetricSpec) -> Self {
        match metric {
            MetricSpec::Resource { container: None, .. } => Self::FailedGetResourceMetric,
            MetricSpec::Resource { container: Some(_), .. } => Self::FailedGetContainerResourceMetric,
            MetricSpec::Pods { .. } => Self::FailedGetPodsMetric,
            MetricSpec::Object { .. } => Self::FailedGetObjectMetric,
            MetricSpec::External { .. } => Self::FailedGetExternalMetric,
            MetricSpec::Unsupported { .. } => Self::InvalidMetricSourceType,
        }
    }
}
