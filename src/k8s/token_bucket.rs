//! A token bucket: so many at once, then so many a second.
//!
//! Upstream: `staging/src/k8s.io/client-go/util/flowcontrol/throttle.go`. Kept as
//! the one moment at which the bucket is full again, in whole nanoseconds.

use crate::units::{SimDuration, SimTime};

/// A token bucket that starts full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// Time for one token; `None` for a bucket that never gives any.
    interval: Option<SimDuration>,
    burst: u64,
    full_at: SimTime,
}

impl TokenBucket {
    /// `per_second` tokens a second, at most `burst` (at least 1) kept. A rate of
    /// zero never gives any.
    pub fn new(per_second: f64, burst: u64) -> Self {
        let interval = (per_second > 0.0).then(|| SimDuration::from_secs_f64(1.0 / per_second));
        Self { interval, burst: burst.max(1), full_at: SimTime::ZERO }
    }

    /// A token every `interval`, at most `burst` (at least 1) kept.
    pub fn every(interval: SimDuration, burst: u64) -> Self {
        Self { interval: Some(interval), burst: burst.max(1), full_at: SimTime::ZERO }
    }

    /// Takes a token if there is one.
    pub fn try_take(&mut self, now: SimTime) -> bool {
        let taken = self.next_at(now) == now;
        if taken {
            self.take(now);
        }
        taken
    }

    /// Takes the next token and says when that is; [`SimTime::NEVER`] if it never comes.
    pub fn wait_and_take(&mut self, now: SimTime) -> SimTime {
        let at = self.next_at(now);
        if at != SimTime::NEVER {
            self.take(at);
        }
        at
    }

    /// When the next token is there: `now` or later.
    pub fn next_at(&self, now: SimTime) -> SimTime {
        match self.interval {
            None => SimTime::NEVER,
            Some(interval) => now.max(self.full_at.minus_or_zero(interval * (self.burst - 1))),
        }
    }

    /// Another rate from now on. As with upstream's swapped limiters a bucket
    /// that is empty now stays empty.
    pub fn swap(&mut self, per_second: f64, now: SimTime) {
        let other = Self::new(per_second, self.burst);
        if other.interval == self.interval {
            return;
        }
        let was_empty = self.next_at(now) > now;
        *self = other;
        if was_empty {
            for _ in 0..self.burst {
                self.try_take(now);
            }
        }
    }

    fn take(&mut self, at: SimTime) {
        if let Some(interval) = self.interval {
            self.full_at = self.full_at.max(at) + interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(per_second: f64, burst: u64, count: usize) -> Vec<f64> {
        let mut bucket = TokenBucket::new(per_second, burst);
        (0..count).map(|_| bucket.wait_and_take(SimTime::from_secs(5)).as_secs_f64()).collect()
    }

    #[test]
    fn a_burst_then_the_rate() {
        assert_eq!(taken(0.1, 1, 3), [5.0, 15.0, 25.0]);
        assert_eq!(taken(20.0, 3, 5), [5.0, 5.0, 5.0, 5.05, 5.1]);
        assert_eq!(TokenBucket::new(0.0, 1).next_at(SimTime::ZERO), SimTime::NEVER);
    }

    #[test]
    fn tokens_come_back_only_up_to_the_burst() {
        let mut bucket = TokenBucket::new(1.0, 2);
        assert!(bucket.try_take(SimTime::from_secs(100)) && bucket.try_take(SimTime::from_secs(100)));
        assert!(!bucket.try_take(SimTime::from_secs(100)));
        assert!(bucket.try_take(SimTime::from_secs(101)) && !bucket.try_take(SimTime::from_secs(101)));
    }

    #[test]
    fn a_swapped_bucket_stays_empty() {
        let now = SimTime::from_secs(10);
        let mut bucket = TokenBucket::new(0.1, 1);
        bucket.swap(0.01, now);
        assert!(bucket.try_take(now));
        bucket.swap(0.1, now);
        assert_eq!(bucket.next_at(now), SimTime::from_secs(20));
    }
}
