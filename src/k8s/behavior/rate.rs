//! Limits of a change: `minReplicas`, `maxReplicas`, and how much may change
//! within a period.
//!
//! Upstream: `convertDesiredReplicasWithBehaviorRate`,
//! `convertDesiredReplicasWithRules`, `storeScaleEvent` and their helpers in
//! `pkg/controller/podautoscaler/horizontal.go`.

use super::{Behavior, PolicyKind, ScalingPolicy, ScalingRules, SelectPolicy};
use crate::k8s::version::ControllerSettings;
use crate::units::{SimDuration, SimTime};

/// A scale that the controller has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleEvent {
    /// By how many replicas, whatever the direction.
    pub change: u32,
    /// When.
    pub at: SimTime,
    /// Older than every policy's period when last looked at: the slot is free.
    pub outdated: bool,
}

/// The scales written lately, by direction; kept only while there is a `behavior`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScaleEvents {
    /// Scales to more replicas.
    pub up: Vec<ScaleEvent>,
    /// Scales to fewer replicas.
    pub down: Vec<ScaleEvent>,
}

/// A replica count after its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// The replicas to write.
    pub replicas: u32,
    /// What held the count, if anything.
    pub limit: Limit,
}

/// What limited a replica count, by upstream's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing.
    DesiredWithinRange,
    /// `minReplicas`
    TooFewReplicas,
    /// `maxReplicas`
    TooManyReplicas,
    /// The rate of a scale-up.
    ScaleUpLimit,
    /// The rate of a scale-down.
    ScaleDownLimit,
}

impl Limit {
    /// The reason of the condition `ScalingLimited`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DesiredWithinRange => "DesiredWithinRange",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
        }
    }
}

/// Without `behavior`: between `min` and the smaller of `max` and the constant
/// cap on growth in one pass, `max(2 * current, 4)`.
pub fn clamp_without_behavior(
    current: u32,
    desired: u32,
    (min, max): (u32, u32),
    settings: &ControllerSettings,
) -> Limited {
    let growth = settings.scale_up_limit_factor * f64::from(current);
    let cap = growth.max(settings.scale_up_limit_minimum) as u32;
    let (most, over) = if max > cap { (cap, Limit::ScaleUpLimit) } else { (max, Limit::TooManyReplicas) };
    if desired < min {
        Limited { replicas: min, limit: Limit::TooFewReplicas }
    } else if desired > most {
        Limited { replicas: most, limit: over }
    } else {
        Limited { replicas: desired, limit: Limit::DesiredWithinRange }
    }
}

/// With `behavior`: within `min` and `max`, and within what the policies of the
/// direction allow after the events of their periods.
pub fn limit_rate(
    current: u32,
    desired: u32,
    (min, max): (u32, u32),
    behavior: &Behavior,
    events: &ScaleEvents,
    now: SimTime,
) -> Limited {
    if desired > current {
        let allowed = scale_up_limit(current, events, &behavior.scale_up, now).max(i64::from(current));
        let rate = allowed.min(i64::from(i32::MAX)) as u32;
        let (most, limit) =
            if max > rate { (rate, Limit::ScaleUpLimit) } else { (max, Limit::TooManyReplicas) };
        if desired > most {
            return Limited { replicas: most, limit };
        }
    } else if desired < current {
        let allowed = scale_down_limit(current, events, &behavior.scale_down, now).min(i64::from(current));
        let rate = allowed.max(0) as u32;
        let (least, limit) =
            if min < rate { (rate, Limit::ScaleDownLimit) } else { (min, Limit::TooFewReplicas) };
        if desired < least {
            return Limited { replicas: least, limit };
        }
    }
    Limited { replicas: desired, limit: Limit::DesiredWithinRange }
}

/// The most replicas that the policies of `scaleUp` allow now. It may lie below
/// the current replicas when the periods' budgets are used up. Percentages
/// round up, else a small workload could never grow.
pub fn scale_up_limit(current: u32, events: &ScaleEvents, rules: &ScalingRules, now: SimTime) -> i64 {
    let allowed = rules.policies.iter().map(|policy| {
        let start = period_start(current, events, policy, now);
        match policy.kind {
            PolicyKind::Pods => start + i64::from(policy.value),
            PolicyKind::Percent => {
                let factor = 1.0 + f64::from(policy.value) / 100.0;
                (start as f64 * factor).ceil() as i64
            }
        }
    });
    match rules.select_policy {
        SelectPolicy::Disabled => i64::from(current),
        SelectPolicy::Min => allowed.min().unwrap_or(i64::from(i32::MAX)),
        SelectPolicy::Max => allowed.max().unwrap_or(i64::from(i32::MIN)),
    }
}

/// The fewest replicas that the policies of `scaleDown` allow now. `Max` means
/// the largest change, so the lowest count. Percentages truncate what remains.
pub fn scale_down_limit(current: u32, events: &ScaleEvents, rules: &ScalingRules, now: SimTime) -> i64 {
    let allowed = rules.policies.iter().map(|policy| {
        let start = period_start(current, events, policy, now);
        match policy.kind {
            PolicyKind::Pods => start - i64::from(policy.value),
            PolicyKind::Percent => (start as f64 * (1.0 - f64::from(policy.value) / 100.0)) as i64,
        }
    });
    match rules.select_policy {
        SelectPolicy::Disabled => i64::from(current),
        SelectPolicy::Min => allowed.max().unwrap_or(i64::from(i32::MIN)),
        SelectPolicy::Max => allowed.min().unwrap_or(i64::from(i32::MAX)),
    }
}

/// The replicas there were when a policy's period began: the current ones
/// without what was added and with what was removed since.
fn period_start(current: u32, events: &ScaleEvents, policy: &ScalingPolicy, now: SimTime) -> i64 {
    let added = change_within(&events.up, policy.period, now);
    let removed = change_within(&events.down, policy.period, now);
    i64::from(current) - added + removed
}

/// The replicas that these events changed within the last `period`; an event
/// exactly that old no longer counts.
pub fn change_within(events: &[ScaleEvent], period: SimDuration, now: SimTime) -> i64 {
    events.iter().filter(|event| event.at + period > now).map(|event| i64::from(event.change)).sum()
}

impl ScaleEvents {
    /// Records a scale that was written. Without `behavior` nobody will ask, so
    /// nothing is kept. The slot of an outdated event is used again, so the log
    /// never grows beyond the scales that fit in the longest period.
    pub fn store(&mut self, behavior: Option<&Behavior>, from: u32, to: u32, now: SimTime) {
        let Some(behavior) = behavior else { return };
        let (events, rules) = if to > from {
            (&mut self.up, &behavior.scale_up)
        } else {
            (&mut self.down, &behavior.scale_down)
        };
        let longest = rules.longest_period();
        for event in events.iter_mut().filter(|event| event.at + longest < now) {
            event.outdated = true;
        }
        let new = ScaleEvent { change: to.abs_diff(from), at: now, outdated: false };
        match events.iter_mut().rfind(|event| event.outdated) {
            Some(place) => *place = new,
            None => events.push(new),
        }
    }
}
