//! A value that holds until it changes: least, time-weighted mean, largest.

use crate::units::SimTime;

/// A value that holds until it changes, such as the number of ready pods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    value: f64,
    since: SimTime,
    started: SimTime,
    integral: f64,
    min: f64,
    max: f64,
}

impl Default for Level {
    fn default() -> Self {
        Self::starting(SimTime::ZERO, 0.0)
    }
}

impl Level {
    /// A level that starts with `value` at `time`.
    pub fn starting(time: SimTime, value: f64) -> Self {
        Self { value, since: time, started: time, integral: 0.0, min: value, max: value }
    }

    /// The value is `value` from `time` on.
    pub fn set(&mut self, time: SimTime, value: f64) {
        self.integral += self.value * time.since(self.since).as_secs_f64();
        self.since = time;
        self.value = value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// The value was `value` in the mean since it was last told, until `time`.
    pub fn was(&mut self, time: SimTime, value: f64) {
        self.value = value;
        self.set(time, value);
    }

    /// Forgets the past: observation starts at `time` with the present value.
    pub fn restart(&mut self, time: SimTime) {
        *self = Self::starting(time, self.value);
    }

    /// The present value.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The smallest value so far.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The largest value so far.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The time-weighted mean until the last [`Level::set`] (call it once more
    /// at the end of a run); the present value if no time has passed.
    pub fn mean(&self) -> f64 {
        let seconds = self.since.since(self.started).as_secs_f64();
        if seconds > 0.0 { self.integral / seconds } else { self.value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_weighted_by_time() {
        let mut level = Level::starting(SimTime::ZERO, 2.0);
        level.set(SimTime::from_secs(10), 4.0);
        level.set(SimTime::from_secs(40), 0.0);
        assert!((level.mean() - 3.5).abs() < 1e-12);
        assert_eq!((level.min(), level.max()), (0.0, 4.0));
        // Means of a time that is over count for that time.
        level.was(SimTime::from_secs(50), 8.0);
        assert!((level.mean() - 4.4).abs() < 1e-12 && (level.value() - 8.0).abs() < 1e-12, "{level:?}");
        level.restart(SimTime::from_secs(50));
        level.set(SimTime::from_secs(60), 0.0);
        assert_eq!((level.mean(), level.max()), (8.0, 8.0));
        level.set(SimTime::from_secs(70), 0.0);
        assert_eq!((level.mean(), level.min()), (4.0, 0.0));
    }
}
