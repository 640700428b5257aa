//! Stabilization: past recommendations held against a change.
//!
//! Upstream: `stabilizeRecommendation` and `stabilizeRecommendationWithBehaviors`
//! in `pkg/controller/podautoscaler/horizontal.go`.

use crate::units::{SimDuration, SimTime};

/// One entry of the recommendation log: what the metrics asked for, before any
/// window or limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The replicas asked for.
    pub replicas: u32,
    /// When.
    pub at: SimTime,
}

/// A recommendation after its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stabilized {
    /// The replicas to go on with.
    pub replicas: u32,
    /// Whether the window changed the recommendation.
    pub stabilization: Stabilization,
}

/// What a stabilization window did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stabilization {
    /// Nothing: the recommendation stands.
    ReadyForNewScale,
    /// A recommendation of at least the current replicas was changed, because
    /// recent ones were lower.
    ScaleUpStabilized,
    /// A recommendation below the current replicas was changed, because recent
    /// ones were higher.
    ScaleDownStabilized,
}

/// Without `behavior`: the highest recommendation of the window stands. An entry
/// exactly as old as the window still counts.
pub fn stabilize_without_behavior(
    log: &mut Vec<Recorded>,
    proposal: u32,
    window: SimDuration,
    now: SimTime,
) -> Stabilized {
    let expired = |entry: &Recorded| entry.at + window < now;
    let recent = log.iter().filter(|&entry| !expired(entry)).map(|entry| entry.replicas);
    let replicas = recent.fold(proposal, u32::max);
    record(log, Recorded { replicas: proposal, at: now }, expired);
    let stabilization = if replicas == proposal {
        Stabilization::ReadyForNewScale
    } else {
        Stabilization::ScaleDownStabilized
    };
    Stabilized { replicas, stabilization }
}

/// With `behavior`: the current replicas move no further than into the range
/// from the lowest recommendation of the up window to the highest of the down
/// window. An entry exactly as old as a window no longer counts in it.
pub fn stabilize(
    log: &mut Vec<Recorded>,
    current: u32,
    proposal: u32,
    (up_window, down_window): (SimDuration, SimDuration),
    now: SimTime,
) -> Stabilized {
    let within = |window| move |entry: &&Recorded| entry.at + window > now;
    let up = log.iter().filter(within(up_window)).map(|entry| entry.replicas).fold(proposal, u32::min);
    let down = log.iter().filter(within(down_window)).map(|entry| entry.replicas).fold(proposal, u32::max);
    let replicas = current.max(up).min(down);
    record(log, Recorded { replicas: proposal, at: now }, |entry| {
        entry.at + up_window < now && entry.at + down_window < now
    });
    let stabilization = if replicas == proposal {
        Stabilization::ReadyForNewScale
    } else if proposal >= current {
        Stabilization::ScaleUpStabilized
    } else {
        Stabilization::ScaleDownStabilized
    };
    Stabilized { replicas, stabilization }
}

/// Puts an entry in the place of the last expired one, or at the end. The log
/// so never grows beyond the passes that fit in a window, and one more.
fn record(log: &mut Vec<Recorded>, entry: Recorded, expired: impl Fn(&Recorded) -> bool) {
    match log.iter_mut().rfind(|entry| expired(entry)) {
        Some(place) => *place = entry,
        None => log.push(entry),
    }
}
