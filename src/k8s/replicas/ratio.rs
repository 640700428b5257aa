//! Value over target, and how far from 1 that may be.
//!
//! Upstream: `pkg/controller/podautoscaler/metrics/utilization.go`, `Tolerances`
//! in `pkg/controller/podautoscaler/replica_calculator.go`.

use crate::k8s::version::ToleranceForm;

/// Utilization over its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UtilizationRatio {
    /// Utilization divided by its target.
    pub ratio: f64,
    /// Percent of the requests, truncated.
    pub percent: i32,
    /// Mean usage of a pod in thousandths, truncated.
    pub average_milli: i64,
}

/// A mean over its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsageRatio {
    /// Mean divided by its target.
    pub ratio: f64,
    /// The mean in thousandths, truncated.
    pub average_milli: i64,
}

/// Utilization over its target, from sums over `pods` pods that have both a
/// value and a request. `None` when they request nothing.
///
/// Upstream truncates to a whole percent before it divides; so 79.99 % reads
/// 79, and the ratio is one of two whole numbers. Its sums and the percentage
/// are of 64 and 32 bits and wrap around where they don't fit; so do ours.
pub fn utilization_ratio(
    usage: i128,
    request: i128,
    pods: u32,
    target_percent: i32,
) -> Option<UtilizationRatio> {
    let (usage, request) = (usage as i64, request as i64);
    if request == 0 || pods == 0 {
        return None;
    }
    let percent = usage.wrapping_mul(100).wrapping_div(request) as i32;
    let ratio = f64::from(percent) / f64::from(target_percent);
    Some(UtilizationRatio { ratio, percent, average_milli: usage / i64::from(pods) })
}

/// The mean of `values` values over its target; `None` when there are none.
pub fn usage_ratio(usage: i128, values: u32, target_milli: i64) -> Option<UsageRatio> {
    if values == 0 {
        return None;
    }
    let average_milli = usage as i64 / i64::from(values);
    Some(UsageRatio { ratio: average_milli as f64 / target_milli as f64, average_milli })
}

/// How far a ratio may be from 1 without any change, as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Below 1.
    pub down: f64,
    /// Above 1.
    pub up: f64,
    /// How the comparison is written.
    pub form: ToleranceForm,
}

impl Tolerance {
    /// Whether this ratio asks for no change.
    pub fn allows(&self, ratio: f64) -> bool {
        match self.form {
            ToleranceForm::Bounds => 1.0 - self.down <= ratio && ratio <= 1.0 + self.up,
            ToleranceForm::Distance => (1.0 - ratio).abs() <= if ratio > 1.0 { self.up } else { self.down },
        }
    }
}
