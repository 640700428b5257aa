//! Container restart back-off (`CrashLoopBackOff`).
//!
//! Upstream: `staging/src/k8s.io/client-go/util/flowcontrol/backoff.go`,
//! `doBackOff` in `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.

use crate::units::{SimDuration, SimTime};

/// The numbers of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The first delay.
    pub base: SimDuration,
    /// No delay is longer.
    pub max: SimDuration,
    /// A failure that comes later than this after the last restart starts over.
    pub forget_after: SimDuration,
}

/// The memory of one container's restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    entry: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    delay: SimDuration,
    updated: SimTime,
}

/// Whether a container may start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Now; should it end again, so long after that end.
    Now {
        /// The delay that the next restart has to wait.
        next_delay: SimDuration,
    },
    /// `CrashLoopBackOff`, at least until then.
    NotBefore(SimTime),
}

impl Policy {
    /// The kubelet's for containers: 10 s, doubling up to 5 min, forgotten after
    /// twice as long.
    pub const CONTAINER: Self = Self::doubling(SimDuration::from_secs(10), SimDuration::from_secs(300));

    /// The same with `ReduceDefaultCrashLoopBackOffDecay` (alpha since 1.33): 1 s up to 1 min.
    pub const CONTAINER_REDUCED: Self = Self {
        base: SimDuration::from_secs(1),
        max: SimDuration::from_secs(60),
        forget_after: Self::CONTAINER.forget_after,
    };

    /// From `base` up to `max`, forgotten after twice `max`.
    pub const fn doubling(base: SimDuration, max: SimDuration) -> Self {
        Self { base, max, forget_after: max.saturating_add(max) }
    }

    /// The container policy with a node's own `crashLoopBackOff.maxContainerRestartPeriod`
    /// (gate `KubeletCrashLoopBackOffMax`); the time to forget stays 10 min.
    pub fn with_node_max(max: SimDuration) -> Self {
        Self { base: Self::CONTAINER.base.min(max), max, ..Self::CONTAINER }
    }
}

impl Backoff {
    /// Asks at `now` whether a container whose last run ended at `finished` may
    /// start again. If so, that start is on record.
    pub fn restart(&mut self, policy: &Policy, finished: SimTime, now: SimTime) -> Restart {
        if self.is_waiting(policy, finished, now) {
            return Restart::NotBefore(finished + self.delay());
        }
        self.record(policy, finished, now);
        Restart::Now { next_delay: self.delay() }
    }

    /// Whether an item that failed at `event` still waits at `now`.
    pub fn is_waiting(&self, policy: &Policy, event: SimTime, now: SimTime) -> bool {
        self.fresh(policy, event).is_some_and(|entry| now.since_or_zero(event) < entry.delay)
    }

    /// The same for an item whose delay runs from its last start rather than its
    /// failure, seen at `event`.
    pub fn is_waiting_since_start(&self, policy: &Policy, event: SimTime) -> bool {
        self.fresh(policy, event).is_some_and(|entry| event.since_or_zero(entry.updated) < entry.delay)
    }

    /// Puts a start at `now` after a failure at `event` on record: the delay
    /// doubles, or begins at the base where nothing is remembered.
    pub fn record(&mut self, policy: &Policy, event: SimTime, now: SimTime) {
        let delay = match self.fresh(policy, event) {
            Some(entry) => entry.delay.saturating_add(entry.delay).min(policy.max),
            None => policy.base,
        };
        self.entry = Some(Entry { delay, updated: now });
    }

    /// The current delay; zero when nothing is remembered.
    pub fn delay(&self) -> SimDuration {
        self.entry.map_or(SimDuration::ZERO, |entry| entry.delay)
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.entry = None;
    }

    /// The entry, unless `event` came so late that it is forgotten.
    fn fresh(&self, policy: &Policy, event: SimTime) -> Option<Entry> {
        self.entry.filter(|entry| event.since_or_zero(entry.updated) <= policy.forget_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> SimDuration {
        SimDuration::from_secs(seconds)
    }

    /// A container that runs for `run` and fails, restarted as early as may be:
    /// the waits between its end and its next start.
    fn waits(policy: &Policy, run: SimDuration, restarts: usize) -> Vec<u64> {
        let (mut backoff, mut start, mut waits) = (Backoff::default(), SimTime::ZERO, Vec::new());
        for _ in 0..restarts {
            let finished = start + run;
            start = match backoff.restart(policy, finished, finished) {
                Restart::Now { .. } => finished,
                Restart::NotBefore(at) => at,
            };
            if start > finished {
                assert!(matches!(backoff.restart(policy, finished, start), Restart::Now { .. }));
            }
            waits.push(start.since(finished).whole_secs());
        }
        waits
    }

    #[test]
    fn the_first_restart_is_at_once_then_delays_double() {
        assert_eq!(waits(&Policy::CONTAINER, s(1), 9), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
        // Ten minutes of health between restarts clear it.
        assert_eq!(waits(&Policy::CONTAINER, s(601), 3), [0, 0, 0]);
        assert_eq!(waits(&Policy::CONTAINER, s(600), 3), [0, 10, 20]);
        assert_eq!(waits(&Policy::with_node_max(s(5)), s(1), 4), [0, 5, 5, 5]);
    }
}
