//! A histogram with exponential buckets that forgets: old samples weigh less.
//!
//! Upstream: `vertical-pod-autoscaler/pkg/recommender/util`
//! (`histogram_options.go`, `histogram.go`, `decaying_histogram.go`).

use crate::units::{SimDuration, SimTime};

/// A sample weighs half as much as one that is so much newer.
const HALF_LIFE: SimDuration = SimDuration::from_secs(24 * 3_600);
/// Each bucket is wider than the one before by this factor.
const GROWTH: f64 = 1.05;
/// A bucket with less weight than this counts as empty.
const EPSILON: f64 = 0.000_1;
/// After so many half-lives the weights are scaled back, so that they fit.
const MOST_HALF_LIVES: u64 = 100;

/// Weights by bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    first_bucket: f64,
    weights: Vec<f64>,
    total: f64,
    /// The moment whose samples weigh what they say, a multiple of the half-life.
    reference: SimTime,
}

impl Histogram {
    /// For CPU in cores: from 0.01, up to 1000.
    pub fn for_cpu() -> Self {
        Self::new(0.01, 1_000.0)
    }

    /// For memory in bytes: from 10 MB, up to 1 TB.
    pub fn for_memory() -> Self {
        Self::new(1e7, 1e12)
    }

    fn new(first_bucket: f64, largest: f64) -> Self {
        let buckets = log_growth(largest * (GROWTH - 1.0) / first_bucket + 1.0).ceil() as usize + 1;
        Self { first_bucket, weights: vec![0.0; buckets], total: 0.0, reference: SimTime::ZERO }
    }

    /// Adds a sample.
    pub fn add(&mut self, value: f64, weight: f64, at: SimTime) {
        let weight = weight * self.decay_factor(at);
        let bucket = self.bucket_of(value);
        self.weights[bucket] += weight;
        self.total += weight;
    }

    /// Takes a sample away that was added with the same time and weight.
    pub fn subtract(&mut self, value: f64, weight: f64, at: SimTime) {
        let weight = weight * self.decay_factor(at);
        let bucket = self.bucket_of(value);
        // What would leave next to nothing leaves nothing.
        let weight = if weight > self.weights[bucket] - EPSILON { self.weights[bucket] } else { weight };
        self.total -= weight;
        self.weights[bucket] -= weight;
    }

    /// The upper end of the bucket below which the part `percentile` (0 to 1) of
    /// the weight lies; 0 without samples.
    pub fn percentile(&self, percentile: f64) -> f64 {
        let filled = |weight: &f64| *weight >= EPSILON;
        let Some(first) = self.weights.iter().position(filled) else { return 0.0 };
        let last = self.weights.iter().rposition(filled).unwrap_or(first);
        let threshold = percentile * self.total;
        let mut sum = 0.0;
        let mut bucket = first;
        while bucket < last {
            sum += self.weights[bucket];
            if sum >= threshold {
                break;
            }
            bucket += 1;
        }
        self.start_of((bucket + 1).min(self.weights.len() - 1))
    }

    fn bucket_of(&self, value: f64) -> usize {
        if value < self.first_bucket {
            return 0;
        }
        let bucket = log_growth(value * (GROWTH - 1.0) / self.first_bucket + 1.0) as usize;
        bucket.min(self.weights.len() - 1)
    }

    fn start_of(&self, bucket: usize) -> f64 {
        if bucket == 0 {
            return 0.0;
        }
        self.first_bucket * (libm::pow(GROWTH, bucket as f64) - 1.0) / (GROWTH - 1.0)
    }

    fn decay_factor(&mut self, at: SimTime) -> f64 {
        if at > self.reference + HALF_LIFE * MOST_HALF_LIVES {
            self.shift_reference(at);
        }
        let half_life = HALF_LIFE.as_nanos() as f64;
        libm::exp2((at.as_nanos() as f64 - self.reference.as_nanos() as f64) / half_life)
    }

    /// Makes the half-life next to `to` the reference.
    fn shift_reference(&mut self, to: SimTime) {
        let half_life = HALF_LIFE.as_nanos();
        let periods = (to.as_nanos() + half_life / 2) / half_life;
        let moved = periods - self.reference.as_nanos() / half_life;
        let factor = libm::exp2(-(moved as f64));
        self.weights.iter_mut().for_each(|weight| *weight *= factor);
        self.total *= factor;
        self.reference = SimTime::from_nanos(periods * half_life);
    }
}

fn log_growth(value: f64) -> f64 {
    libm::log(value) / libm::log(GROWTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u64) -> SimTime {
        SimTime::from_secs(number * 86_400)
    }

    #[test]
    fn a_percentile_is_the_end_of_its_bucket() {
        let mut seen = Histogram::for_cpu();
        assert_eq!(seen.percentile(0.9).to_bits(), 0.0_f64.to_bits());
        seen.add(0.005, 1.0, day(0));
        assert!((seen.percentile(0.9) - 0.01).abs() < 1e-12);
        seen.add(0.015, 1.0, day(0));
        // The second bucket ends at 0.01 + 0.0105.
        assert!((seen.percentile(0.9) - 0.0205).abs() < 1e-12);
        assert!((seen.percentile(0.5) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn a_day_halves_a_sample() {
        let mut seen = Histogram::for_cpu();
        seen.add(4.0, 1.0, day(0));
        seen.add(0.005, 1.0, day(3));
        // 1 against 8: the large one is a ninth of the weight.
        assert!(seen.percentile(0.88) < 0.011 && seen.percentile(0.90) > 4.0);
    }

    #[test]
    fn scaling_back_changes_no_percentile() {
        let mut seen = Histogram::for_memory();
        seen.add(5e8, 1.0, day(200));
        seen.add(1e9, 1.0, day(201));
        let before = seen.percentile(0.5);
        seen.shift_reference(day(205));
        assert_eq!(seen.percentile(0.5).to_bits(), before.to_bits());
        seen.subtract(1e9, 1.0, day(201));
        seen.subtract(5e8, 1.0, day(200));
        assert_eq!(seen.percentile(0.5).to_bits(), 0.0_f64.to_bits());
    }
}
