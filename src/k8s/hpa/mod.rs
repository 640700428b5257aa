//! One pass of the HorizontalPodAutoscaler controller: metrics in, replica
//! count with its reasons out.
//!
//! Upstream: `reconcileAutoscaler`, `computeReplicasForMetrics` and
//! `normalizeDesiredReplicas*` in `pkg/controller/podautoscaler/horizontal.go`.
//! A caller makes a pass in two steps, since writing the scale may fail:
//! [`recommend`], then [`Recommendation::settle`] with what became of the write.

mod conditions;
mod spec;
pub mod turns;
pub mod words;

pub use conditions::{AbleToScale, Conditions, ScalingActive};
pub use spec::{HpaSpec, MetricSpec, ResourceName, ResourceTarget, ValueTarget};
pub use turns::{Turn, Turns, next_change, turns};

use crate::k8s::behavior::{
    Behavior, Limited, Recorded, ScaleEvents, Stabilized, clamp_without_behavior, limit_rate, stabilize,
    stabilize_without_behavior,
};
use crate::k8s::replicas::{
    Calculator, CpuReadiness, MetricProblem, PodSamples, PodView, Proposal, RequestProblem, Tolerance,
};
use crate::k8s::version::{ControllerSettings, Rules};
use crate::units::{SimDuration, SimTime};

/// Everything that one pass looks at.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// What the autoscaler asks for.
    pub spec: &'a HpaSpec,
    /// The target's scale; `None` when it couldn't be read.
    pub scale: Option<Scale>,
    /// The pods of the target.
    pub selection: Selection<'a>,
    /// What the metrics APIs returned, in the order of `spec.metrics`.
    pub readings: &'a [Reading<'a>],
    /// The moment of the pass.
    pub now: SimTime,
    /// The controller's flags.
    pub settings: &'a ControllerSettings,
    /// What holds in this release.
    pub rules: &'a Rules,
}

/// The scale of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`: those wanted.
    pub spec_replicas: u32,
    /// `status.replicas`: those that exist.
    pub status_replicas: u32,
}

/// What the scale's selector finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection<'a> {
    /// These pods.
    Pods(&'a [PodView]),
    /// Nothing: it is absent, or can't be read.
    Invalid,
    /// Pods that another autoscaler's selector matches too: both stop.
    Ambiguous,
}

/// What a metrics API returned for one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading<'a> {
    /// Values of single pods: for resource and pods metrics.
    PerPod {
        /// The values, in the order of the pods.
        samples: PodSamples<'a>,
        /// What the pods request of the resource, in the same order, or why one
        /// doesn't. Asked for by utilization targets only.
        requests: Result<&'a [i64], RequestProblem>,
    },
    /// Whole values: of an object (one) or of an external metric (its series).
    Whole(&'a [i64]),
    /// An error.
    Unavailable,
    /// Values of which nothing that counts has changed since they asked for this.
    AsBefore(Result<Proposal, MetricProblem>),
}

/// What the controller remembers of one autoscaler. A new memory is a new
/// controller process: its first pass takes the current replicas for a
/// recommendation, so that no scale-down comes before a whole window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What the metrics asked for lately; `None` before the first pass.
    pub recommendations: Option<Vec<Recorded>>,
    /// The scales written lately.
    pub events: ScaleEvents,
    /// The condition `ScaledToZero`: the autoscaler itself chose zero replicas.
    pub scaled_to_zero: bool,
}

/// What a pass decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The replicas that the scale should have.
    pub replicas: u32,
    /// The replicas that it has.
    pub current: u32,
    /// Whether the scale is to be written.
    pub write: bool,
    /// What decided.
    pub because: Because,
    /// What the status says after the pass.
    pub conditions: Conditions,
    /// What each metric asked for, in order; empty when they weren't looked at.
    pub metrics: Vec<Result<Proposal, MetricProblem>>,
}

/// What decided a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The scale couldn't be read: nothing happens.
    ScaleUnreadable,
    /// The workload is parked at zero replicas: nothing happens.
    Parked,
    /// There were more replicas than `maxReplicas`.
    AboveMax,
    /// There were fewer replicas than `minReplicas`.
    BelowMin,
    /// The selector found no pods of this autoscaler alone: nothing happens.
    SelectorUnusable,
    /// Too many metrics failed: nothing happens.
    MetricsFailed,
    /// The metrics, after windows and limits.
    Metrics {
        /// The place of the metric that asked for most.
        metric: usize,
        /// What it asked for.
        proposal: u32,
        /// That after the stabilization window.
        stabilized: Stabilized,
        /// That after limits.
        limited: Limited,
    },
}

/// Decides one pass, and notes the recommendation in the memory.
///
/// # Panics
/// When the readings aren't those of the spec's metrics.
pub fn recommend(pass: &Pass, memory: &mut Memory) -> Recommendation {
    let Some(scale) = pass.scale else {
        let mut nothing = unchanged(0, Because::ScaleUnreadable, None);
        nothing.conditions.able_to_scale = Some(AbleToScale::FailedGetScale);
        return nothing;
    };
    let current = scale.spec_replicas;
    let (min, max) = (pass.spec.min_replicas, pass.spec.max_replicas);
    memory.recommendations.get_or_insert_with(|| vec![Recorded { replicas: current, at: pass.now }]);
    if current == 0 && !wakes(pass, memory) {
        return unchanged(current, Because::Parked, Some(ScalingActive::ScalingDisabled));
    }
    if current > max {
        return jump(current, max, Because::AboveMax);
    }
    if current < min && current > 0 {
        return jump(current, min, Because::BelowMin);
    }
    let pods = match pass.selection {
        Selection::Pods(pods) => pods,
        Selection::Invalid => {
            return unchanged(current, Because::SelectorUnusable, Some(ScalingActive::InvalidSelector));
        }
        Selection::Ambiguous => {
            return unchanged(current, Because::SelectorUnusable, Some(ScalingActive::AmbiguousSelector));
        }
    };
    let metrics = propose_all(pass, scale, pods);
    if let Some((metric, proposal)) = best_of(&metrics, current) {
        return normalize(pass, memory, current, metric, proposal, metrics);
    }
    let failed = metrics.iter().position(Result::is_err);
    let reason = failed.map(|place| ScalingActive::failure_of(&pass.spec.metrics[place]));
    Recommendation { metrics, ..unchanged(current, Because::MetricsFailed, reason) }
}

impl Recommendation {
    /// Notes what became of the write that [`recommend`] asked for. Without
    /// such a wish this does nothing.
    pub fn settle(&mut self, pass: &Pass, memory: &mut Memory, written: bool) {
        if !self.write {
            return;
        }
        if !written {
            self.conditions.able_to_scale = Some(AbleToScale::FailedUpdateScale);
            self.replicas = self.current;
            self.write = false;
            return;
        }
        self.conditions.able_to_scale = Some(AbleToScale::SucceededRescale);
        memory.events.store(pass.spec.behavior.as_ref(), self.current, self.replicas, pass.now);
        if pass.rules.scaled_to_zero_condition {
            let asleep = self.replicas == 0
                && pass.spec.min_replicas == 0
                && pass.spec.has_object_or_external_metric();
            memory.scaled_to_zero = asleep;
            self.conditions.scaled_to_zero = Some(asleep);
        }
    }
}

/// Whether a workload at zero replicas is looked at, or parked by its owner.
/// From 1.37 only one that the autoscaler itself put to sleep is; before,
/// `minReplicas: 0` alone decided.
fn wakes(pass: &Pass, memory: &Memory) -> bool {
    let spec = pass.spec;
    if pass.rules.scaled_to_zero_condition {
        memory.scaled_to_zero && (spec.min_replicas != 0 || spec.has_object_or_external_metric())
    } else {
        spec.min_replicas == 0
    }
}

/// A pass that changes nothing and says why.
fn unchanged(current: u32, because: Because, active: Option<ScalingActive>) -> Recommendation {
    let conditions = Conditions {
        able_to_scale: Some(AbleToScale::SucceededGetScale),
        scaling_active: active,
        ..Conditions::default()
    };
    Recommendation { replicas: current, current, write: false, because, conditions, metrics: Vec::new() }
}

/// A pass that brings the replicas within their bounds at once: no metric, no
/// window and no policy is asked.
fn jump(current: u32, replicas: u32, because: Because) -> Recommendation {
    Recommendation { replicas, write: true, ..unchanged(current, because, None) }
}

/// Asks each metric.
fn propose_all(pass: &Pass, scale: Scale, pods: &[PodView]) -> Vec<Result<Proposal, MetricProblem>> {
    let metrics = &pass.spec.metrics;
    assert_eq!(pass.readings.len(), metrics.len(), "there is one reading for each metric");
    let both = metrics.iter().zip(pass.readings);
    both.map(|(metric, reading)| propose_one(pass, scale, pods, metric, reading)).collect()
}

/// Asks one metric of a pass with a reading of its kind.
fn propose_one(
    pass: &Pass,
    scale: Scale,
    pods: &[PodView],
    metric: &MetricSpec,
    reading: &Reading,
) -> Result<Proposal, MetricProblem> {
    let calculator = Calculator { tolerance: pass.tolerance(), current: scale.spec_replicas, pods };
    propose(metric, reading, &calculator, &pass.cpu_readiness(), scale)
}

/// Asks one metric.
fn propose(
    metric: &MetricSpec,
    reading: &Reading,
    calculator: &Calculator,
    cpu: &CpuReadiness,
    scale: Scale,
) -> Result<Proposal, MetricProblem> {
    match (metric, *reading) {
        (MetricSpec::Unsupported { .. }, _) => Err(MetricProblem::UnknownType),
        (_, Reading::Unavailable) => Err(MetricProblem::Unavailable),
        (_, Reading::AsBefore(proposal)) => proposal,
        (MetricSpec::Resource { resource, target, .. }, Reading::PerPod { samples, requests }) => {
            let cpu = (*resource == ResourceName::Cpu).then_some(cpu);
            match *target {
                ResourceTarget::Utilization(percent) => {
                    calculator.utilization(samples, requests, cpu, percent)
                }
                ResourceTarget::AverageValue(milli) => calculator.average(samples, cpu, milli),
            }
        }
        (MetricSpec::Pods { target_average_milli, .. }, Reading::PerPod { samples, .. }) => {
            calculator.average(samples, None, *target_average_milli)
        }
        (MetricSpec::Object { .. } | MetricSpec::External { .. }, Reading::Whole([])) => {
            Err(MetricProblem::NothingReturned)
        }
        (MetricSpec::Object { target, .. }, Reading::Whole(values)) => {
            propose_whole(calculator, scale, *target, values[0])
        }
        (MetricSpec::External { target, .. }, Reading::Whole(values)) => {
            propose_whole(calculator, scale, *target, total_of_series(values, *target))
        }
        (_, Reading::PerPod { .. } | Reading::Whole(_)) => {
            panic!("the reading is of the metric's kind: {metric:?}, {reading:?}")
        }
    }
}

/// Asks a metric that has one value for all pods.
fn propose_whole(
    calculator: &Calculator,
    scale: Scale,
    target: ValueTarget,
    value: i64,
) -> Result<Proposal, MetricProblem> {
    match target {
        ValueTarget::Value(milli) => calculator.whole_value(value, milli),
        ValueTarget::AverageValue(milli) => {
            Ok(calculator.value_per_replica(value, scale.status_replicas, milli))
        }
    }
}

/// The sum of an external metric's series. One that doesn't fit is the largest
/// number; with an average as target every sum below zero is taken for one that
/// didn't fit, so that a negative metric asks for all replicas there may be.
fn total_of_series(values: &[i64], target: ValueTarget) -> i64 {
    let mut total = 0_i64;
    for &value in values {
        let too_large = match target {
            ValueTarget::Value(_) => value > 0 && total > i64::MAX - value,
            ValueTarget::AverageValue(_) => total.wrapping_add(value) < 0,
        };
        if too_large {
            return i64::MAX;
        }
        total = total.wrapping_add(value);
    }
    total
}

/// The metric that asks for most, and what it asks for. `None` when no metric
/// gave a count, or when one failed and the others ask for fewer replicas than
/// there are: partial knowledge may add pods but never remove any.
fn best_of(metrics: &[Result<Proposal, MetricProblem>], current: u32) -> Option<(usize, u32)> {
    let mut best: Option<(usize, u32)> = None;
    for (place, proposal) in metrics.iter().enumerate() {
        if let Ok(proposal) = proposal
            && best.is_none_or(|(_, most)| most == 0 || proposal.replicas > most)
        {
            best = Some((place, proposal.replicas));
        }
    }
    let partial = metrics.iter().any(Result::is_err);
    best.filter(|&(_, most)| !partial || most >= current)
}

/// Takes a proposal through window and limits.
fn normalize(
    pass: &Pass,
    memory: &mut Memory,
    current: u32,
    metric: usize,
    proposal: u32,
    metrics: Vec<Result<Proposal, MetricProblem>>,
) -> Recommendation {
    let spec = pass.spec;
    let bounds = (spec.min_replicas, spec.max_replicas);
    let log = memory.recommendations.get_or_insert_default();
    let (stabilized, limited) = match &spec.behavior {
        None => {
            let window = pass.settings.downscale_stabilization;
            let stabilized = stabilize_without_behavior(log, proposal, window, pass.now);
            (stabilized, clamp_without_behavior(current, stabilized.replicas, bounds, pass.settings))
        }
        Some(behavior) => {
            let windows = pass.windows(behavior);
            let stabilized = stabilize(log, current, proposal, windows, pass.now);
            let wanted = stabilized.replicas;
            (stabilized, limit_rate(current, wanted, bounds, behavior, &memory.events, pass.now))
        }
    };
    // Only a sleeping workload gets here below its minimum: when that was raised
    // while it slept.
    let replicas = if current == 0 { limited.replicas.max(spec.min_replicas) } else { limited.replicas };
    Recommendation {
        replicas,
        current,
        write: replicas != current,
        because: Because::Metrics { metric, proposal, stabilized, limited },
        conditions: Conditions {
            able_to_scale: Some(stabilized.stabilization.into()),
            scaling_active: Some(ScalingActive::ValidMetricFound),
            scaling_limited: Some(limited.limit),
            scaled_to_zero: None,
        },
        metrics,
    }
}

impl Pass<'_> {
    /// The windows of both directions, up first, of an autoscaler with
    /// `behavior`. The flag stands in where scale-down has none, in whole seconds
    /// as the API field has them.
    pub fn windows(&self, behavior: &Behavior) -> (SimDuration, SimDuration) {
        let flag = || SimDuration::from_secs(self.settings.downscale_stabilization.whole_secs());
        let up = behavior.scale_up.stabilization_window.unwrap_or(SimDuration::ZERO);
        (up, behavior.scale_down.stabilization_window.unwrap_or_else(flag))
    }

    /// The tolerance of both directions: the flag's, or the object's own where
    /// the release honours it.
    pub fn tolerance(&self) -> Tolerance {
        let flag = self.settings.tolerance;
        let behavior = self.spec.behavior.as_ref().filter(|_| self.rules.tolerance_per_hpa);
        // Upstream multiplies the quantity's digits by a power of ten; dividing
        // by 1000 can differ in the last bit.
        let own = |milli: Option<i64>| milli.map_or(flag, |milli| milli as f64 * 1e-3);
        Tolerance {
            down: behavior.map_or(flag, |behavior| own(behavior.scale_down.tolerance_milli)),
            up: behavior.map_or(flag, |behavior| own(behavior.scale_up.tolerance_milli)),
            form: self.rules.tolerance_form,
        }
    }

    /// What decides whether a pod's CPU is believed yet.
    pub fn cpu_readiness(&self) -> CpuReadiness {
        CpuReadiness {
            initialization_period: self.settings.cpu_initialization_period,
            initial_readiness_delay: self.settings.initial_readiness_delay,
            now: self.now,
        }
    }
}

#[cfg(test)]
mod tests;
