//! The course of those latencies that goals are about.
//!
//! Nothing is counted twice for it: what came since the last value is the difference of two
//! states of the histogram that there is anyway.

use crate::observe::Histogram;

/// A value rests on at least so many that are slower. With fewer it would tell of chance.
const SLOWER: f64 = 10.0;

/// Whose latency it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of a journey's requests, by its number.
    Journey(usize),
    /// That of the calls to a workload, by its number.
    Workload(usize),
}

/// A quantile over time, with an entry per row of the series.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Of whose latency.
    pub whose: Whose,
    /// Which quantile.
    pub quantile: f64,
    /// In seconds. As many rows as it takes to have enough requests share a value; `None` in
    /// the warm-up, and at the end where they are too few.
    pub values: Vec<Option<f64>>,
}

/// What a course goes on from.
#[derive(Clone, Debug, Default)]
pub(super) struct Since {
    before: Histogram,
    /// Rows that have no value yet.
    open: usize,
}

impl Course {
    /// A row ends: `seen` is all that was counted so far, of which each counted as up to
    /// `weight`; `None` as long as nothing counts.
    pub(super) fn step(&mut self, since: &mut Since, seen: Option<&Histogram>, weight: u32) {
        self.values.push(None);
        let Some(seen) = seen else { return };
        since.open += 1;
        let new = (seen.count() - since.before.count()) as f64 / f64::from(weight);
        if new * (1.0 - self.quantile) < SLOWER {
            return;
        }
        let from = self.values.len() - since.open;
        self.values[from..].fill(seen.quantile_since(&since.before, self.quantile));
        since.before.clone_from(seen);
        since.open = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimDuration;

    #[test]
    fn rows_share_a_value_until_there_are_enough() {
        let mut course = Course { whose: Whose::Journey(0), quantile: 0.9, values: Vec::new() };
        let (mut since, mut seen) = (Since::default(), Histogram::default());
        course.step(&mut since, None, 1);
        // (requests, milliseconds, how many each stands for)
        for (count, millis, weight) in [(60, 10, 1), (60, 20, 1), (150, 30, 1), (150, 40, 10), (3, 50, 1)] {
            for _ in 0..count {
                seen.record_times(SimDuration::from_millis(millis), weight);
            }
            course.step(&mut since, Some(&seen), weight);
        }
        let near = |value: Option<f64>| value.map(|value| (value * 1e3).round());
        let shown: Vec<Option<f64>> = course.values.iter().copied().map(near).collect();
        assert_eq!(shown, [None, Some(20.0), Some(20.0), Some(30.0), Some(40.0), None]);
    }
}
