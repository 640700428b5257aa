//! Times in log-linear buckets: any quantile within 0.8 %, in constant memory.

use crate::units::SimDuration;

/// Sub-buckets of an octave, as a power of two.
const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
/// Values from 2^50 ns (13 days) on share the last bucket.
const TOP_BITS: u32 = 50;
const BUCKETS: usize = ((TOP_BITS - SUB_BITS + 1) as usize) << SUB_BITS;

/// A histogram of durations. Below 64 ns it is exact; above, each octave has 64
/// buckets, so a quantile is off by at most 1/128 of its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Empty until the first value.
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, duration: SimDuration) {
        self.record_times(duration, 1);
    }

    /// Counts one duration as so many.
    #[inline]
    pub fn record_times(&mut self, duration: SimDuration, times: u32) {
        let times = u64::from(times);
        if self.counts.is_empty() {
            self.make_room();
        }
        let nanos = duration.as_nanos();
        self.counts[bucket(nanos)] += times;
        self.count += times;
        self.sum += u128::from(nanos) * u128::from(times);
        self.max = self.max.max(nanos);
    }

    /// The first value is about to be counted.
    #[cold]
    fn make_room(&mut self) {
        self.counts = vec![0; BUCKETS];
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact mean in seconds; `None` when empty.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64 / 1e9)
    }

    /// The exact largest value in seconds; `None` when empty.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then(|| self.max as f64 / 1e9)
    }

    /// The value in seconds that a share `quantile` of all stays at or below;
    /// `None` when empty.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        self.quantile_since(&Self::default(), quantile)
    }

    /// The same of what was counted since it was `earlier`.
    pub fn quantile_since(&self, earlier: &Self, quantile: f64) -> Option<f64> {
        let all = self.count - earlier.count;
        if all == 0 {
            return None;
        }
        let rank = ((all as f64 * quantile).ceil() as u64).clamp(1, all);
        // Whoever asks mostly wants to know about the slow ones: from above.
        let mut up_to = all;
        for index in (0..=bucket(self.max)).rev() {
            let count = self.counts[index] - earlier.counts.get(index).unwrap_or(&0);
            if rank + count > up_to {
                let (low, width) = bounds(index);
                let inside = ((rank + count - up_to) as f64 - 0.5) / count as f64;
                return Some((low as f64 + width as f64 * inside).min(self.max as f64) / 1e9);
            }
            up_to -= count;
        }
        self.max()
    }

    /// The share of values at or below `duration` (to bucket precision); 1.0 when empty.
    pub fn share_within(&self, duration: SimDuration) -> f64 {
        if self.count == 0 {
            return 1.0;
        }
        let within: u64 = self.counts[..=bucket(duration.as_nanos())].iter().sum();
        within as f64 / self.count as f64
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
                *ours += theirs;
            }
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Forgets all values but keeps the memory.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.sum, self.max) = (0, 0, 0);
    }
}

/// The bucket of a value.
#[inline]
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << TOP_BITS) - 1);
    if nanos < SUB {
        return nanos as usize;
    }
    let octave = nanos.ilog2() - SUB_BITS;
    (((u64::from(octave) + 1) << SUB_BITS) + ((nanos >> octave) - SUB)) as usize
}

/// The first value of a bucket, and how many values it spans.
fn bounds(index: usize) -> (u64, u64) {
    let index = index as u64;
    if index < SUB {
        return (index, 1);
    }
    let octave = (index >> SUB_BITS) - 1;
    ((SUB + index % SUB) << octave, 1 << octave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_once() {
        for nanos in (0..5_000_u64)
            .chain((10..TOP_BITS).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]))
        {
            let (low, width) = bounds(bucket(nanos));
            assert!((low..low + width).contains(&nanos), "{nanos} is in {low}..{}", low + width);
            assert!(width == 1 || width * 64 <= low, "a bucket at {low} is {width} wide");
        }
    }

    #[test]
    fn quantiles_are_within_a_percent() {
        let mut all = Histogram::default();
        for value in 1..=100_000_u64 {
            all.record(SimDuration::from_micros(value));
        }
        for quantile in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let (seen, exact) = (all.quantile(quantile).unwrap_or_default(), quantile * 0.1);
            assert!((seen / exact - 1.0).abs() < 0.008, "p{quantile}: {seen}, not {exact}");
        }
        assert_eq!(all.max(), Some(0.1));
        assert!((all.mean().unwrap_or_default() - 0.050_000_5).abs() < 1e-12);
    }

    #[test]
    fn what_came_since_is_told_from_what_was_there() {
        let (mut all, mut late) = (Histogram::default(), Histogram::default());
        (1..=1_000_u64).for_each(|value| all.record(SimDuration::from_micros(value * 7)));
        let earlier = all.clone();
        for value in 1..=500_u64 {
            for one in [&mut all, &mut late] {
                one.record_times(SimDuration::from_micros(value * 13), 3);
            }
        }
        for quantile in [0.0, 0.25, 0.5, 0.95, 0.99] {
            assert_eq!(all.quantile_since(&earlier, quantile), late.quantile(quantile), "{quantile}");
        }
        assert_eq!(all.quantile_since(&all, 0.5), None);
    }

    #[test]
    fn merging_is_the_same_as_recording_all_in_one() {
        let (mut one, mut two, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..1_000_u64 {
            let duration = SimDuration::from_micros(value * value);
            if value % 3 == 0 {
                one.record(duration);
            } else {
                two.record(duration);
            }
            both.record(duration);
        }
        one.merge(&two);
        assert_eq!(one, both);
    }
}
