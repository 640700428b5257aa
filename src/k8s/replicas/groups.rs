//! Which pods count: the sorting of an HPA's pods before any arithmetic.
//!
//! Upstream: `groupPods` in `pkg/controller/podautoscaler/replica_calculator.go`.

use crate::units::{SimDuration, SimTime};

/// A pod as the HPA controller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodView {
    /// It has a deletion time.
    pub deleting: bool,
    /// `status.phase`.
    pub phase: PodPhase,
    /// `status.startTime`: when the kubelet took it up; `None` before.
    pub start_time: Option<SimTime>,
    /// The Ready condition; `None` before the kubelet has written one.
    pub ready: Option<ReadyCondition>,
}

/// `status.phase` of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all its containers have been started.
    Pending,
    /// At least one container runs or is about to be restarted.
    Running,
    /// All containers ended well and none will be restarted.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
}

/// The Ready condition of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyCondition {
    /// Whether it is `True`.
    pub is_true: bool,
    /// `lastTransitionTime`: when it last changed.
    pub since: SimTime,
}

/// One pod's value of a metric, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The value: milli-cores, milli-bytes, or thousandths of the metric's unit.
    pub value: i64,
    /// When its window ended.
    pub time: SimTime,
    /// How long its window was.
    pub window: SimDuration,
}

/// What decides whether a pod's CPU is believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuReadiness {
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub initialization_period: SimDuration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness_delay: SimDuration,
    /// The moment of the pass.
    pub now: SimTime,
}

/// What an HPA does with a pod, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Its value counts, and so does the pod.
    Counted,
    /// Its value is set aside; on a scale-up it counts as idle.
    Unready(Unready),
    /// It has no value; it counts as busy on a scale-down, as idle on a scale-up.
    Missing,
    /// It is as if it weren't there.
    Ignored(Ignored),
}

/// Why a pod is unready in the sense of the HPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its phase is Pending.
    Pending,
    /// It has no start time or no Ready condition yet.
    NotStarted,
    /// It is within its CPU initialization period and not ready.
    YoungNotReady,
    /// It is within that period, and its sample covers time before it became ready.
    YoungSample,
    /// It is older and has never been ready.
    NeverReady,
}

/// Why a pod is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It is being deleted.
    Deleting,
    /// Its phase is Failed.
    Failed,
}

/// Sorts one pod. `cpu` is given for CPU only: no other metric asks for readiness.
///
/// A pod that was ready once and is not now counts with its real CPU: one that
/// fails its readiness probe under load must not make the load look smaller.
pub fn group_of(pod: &PodView, sample: Option<Sample>, cpu: Option<&CpuReadiness>) -> Group {
    if pod.deleting {
        return Group::Ignored(Ignored::Deleting);
    }
    match (pod.phase, sample, cpu) {
        (PodPhase::Failed, _, _) => Group::Ignored(Ignored::Failed),
        (PodPhase::Pending, _, _) => Group::Unready(Unready::Pending),
        (_, None, _) => Group::Missing,
        (_, Some(_), None) => Group::Counted,
        (_, Some(sample), Some(cpu)) => cpu_unready(pod, sample, cpu).map_or(Group::Counted, Group::Unready),
    }
}

/// Why the pod's CPU isn't believed, if it isn't.
fn cpu_unready(pod: &PodView, sample: Sample, cpu: &CpuReadiness) -> Option<Unready> {
    let (Some(start), Some(ready)) = (pod.start_time, pod.ready) else {
        return Some(Unready::NotStarted);
    };
    let young = start + cpu.initialization_period > cpu.now;
    if young && !ready.is_true {
        Some(Unready::YoungNotReady)
    } else if young && sample.time < ready.since + sample.window {
        Some(Unready::YoungSample)
    } else if !young && !ready.is_true && start + cpu.initial_readiness_delay > ready.since {
        Some(Unready::NeverReady)
    } else {
        None
    }
}
