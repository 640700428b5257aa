//! How long a node group that failed to grow is left alone.
//!
//! Upstream: `cluster-autoscaler/utils/backoff/exponential_backoff.go`.

use crate::units::{SimDuration, SimTime};

const FIRST: SimDuration = SimDuration::from_secs(5 * 60);
const LONGEST: SimDuration = SimDuration::from_secs(30 * 60);
/// After so long without failure the next one starts from the first again.
const FORGOTTEN_AFTER: SimDuration = SimDuration::from_secs(3 * 3_600);

/// A group's memory of its failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackOff {
    last: Option<(SimDuration, SimTime)>,
}

impl BackOff {
    /// Notes a failure: 5 min, doubling to 30 min. Failures during a back-off
    /// don't double it; upstream starts it over at 5 min.
    pub fn failed(&mut self, now: SimTime) {
        let length = match self.last {
            Some((_, until)) if until + FORGOTTEN_AFTER < now => FIRST,
            Some((length, until)) if until < now => (length * 2).min(LONGEST),
            Some(_) | None => FIRST,
        };
        self.last = Some((length, now + length));
    }

    /// Notes that the group grew.
    pub fn succeeded(&mut self) {
        self.last = None;
    }

    /// Whether the group is left alone for now.
    pub fn holds(&self, now: SimTime) -> bool {
        self.last.is_some_and(|(_, until)| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_after_a_back_off_doubles_the_next() {
        let mut group = BackOff::default();
        // Minutes at which it fails, and for how many it is then left alone.
        let rows = [(0, 5), (6, 10), (17, 20), (40, 30), (80, 30), (85, 5), (300, 5)];
        for (at, expected) in rows {
            group.failed(SimTime::from_secs(at * 60));
            assert!(group.holds(SimTime::from_secs((at + expected) * 60 - 1)), "{at}");
            assert!(!group.holds(SimTime::from_secs((at + expected) * 60)), "{at}");
        }
        group.succeeded();
        assert!(!group.holds(SimTime::ZERO));
    }
}
