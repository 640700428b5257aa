//! What is seen around drills and rollouts: second by second, and whom they hit.

use crate::units::{SimDuration, SimTime};

/// Rows of a watch at most; a longer run has longer steps.
const ROWS: u64 = 14_400;

/// Values over the observed time in short steps, kept where a scenario has drills.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// Length of a step.
    pub step: SimDuration,
    /// One for each step.
    pub rows: Vec<WatchRow>,
    /// One for each drill of the scenario, in its order.
    pub strikes: Vec<Strike>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WatchRow {
    /// When it ended.
    pub time: SimTime,
    /// User requests asked in it.
    pub arrived: u64,
    /// User requests answered well in it.
    pub answered: u64,
    /// User requests that failed for good in it.
    pub failed: u64,
    /// The longest latency of those answered.
    pub slowest: SimDuration,
    /// Ready replicas at its end, by workload.
    pub ready: Vec<u32>,
    /// Wanted replicas at its end, by workload.
    pub desired: Vec<u32>,
    /// Ready nodes at its end.
    pub nodes: u32,
}

impl WatchRow {
    /// Whether every workload has as many ready replicas as before, or as it wants by now,
    /// if that is fewer; `before` has its ready replicas, by workload.
    pub fn is_whole(&self, before: &[u32]) -> bool {
        let each = self.ready.iter().zip(&self.desired).zip(before);
        each.into_iter().all(|((ready, desired), before)| ready >= before.min(desired))
    }
}

/// When a drill struck, and whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strike {
    /// When; `None` when the run ended before.
    pub time: Option<SimTime>,
    /// When what it broke was made whole.
    pub ended: Option<SimTime>,
    /// Whom, in words.
    pub whom: String,
}

/// A rollout and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutSeen {
    /// Index of the workload.
    pub workload: usize,
    /// When it began.
    pub started: SimTime,
    /// When all pods were new and available.
    pub completed: Option<SimTime>,
    /// When its progress deadline was exceeded.
    pub timed_out: Option<SimTime>,
    /// Sizes given to ReplicaSets: when, which revision, how many.
    pub resizes: Vec<(SimTime, u32, u32)>,
}

impl Watch {
    /// A watch over a run of this length; `drills` is their number.
    pub fn over(horizon: SimDuration, drills: usize) -> Self {
        let second = SimDuration::from_secs(1);
        let steps = (horizon.as_nanos() / second.as_nanos()).div_ceil(ROWS).max(1);
        Self { step: second * steps, rows: Vec::new(), strikes: vec![Strike::default(); drills] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_watch_has_longer_steps() {
        let hours = |hours: u64| SimDuration::from_secs(hours * 3_600);
        for (length, seconds) in [(hours(1), 1), (hours(4), 1), (hours(24), 6)] {
            assert_eq!(Watch::over(length, 1).step, SimDuration::from_secs(seconds), "{length}");
        }
    }
}
