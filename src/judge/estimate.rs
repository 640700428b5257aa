//! A mean over replications and how far it can be trusted.
//!
//! Replications are independent, the requests within one are not: a burst makes
//! thousands of them slow together. So the interval is Student's t over one
//! value per replication, at the policy's confidence.
//!
//! Two corrections, where t alone would promise too much:
//!
//! * no value here is negative, and a share is at most 1: the interval is cut there;
//! * a share close to 1 may show the same value in every replication (no
//!   failure in any), and t would then say "certain". The interval is widened
//!   to Wilson's score interval for all requests together. That one is the
//!   narrowest that could be right even if all requests were independent.
//!
//! One replication has no interval: nothing is known about chance.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// A mean over replications with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// From, to; `None` for a single replication.
    pub interval: Option<(f64, f64)>,
}

/// The mean of `values` (at least one, none negative) with its t interval.
pub fn over_replications(values: &[f64], confidence: f64) -> Estimate {
    let count = values.len() as f64;
    let value = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return Estimate { value, interval: None };
    }
    let variance = values.iter().map(|x| (x - value) * (x - value)).sum::<f64>() / (count - 1.0);
    let half = t_quantile(confidence, count - 1.0) * (variance / count).sqrt();
    // Rounding must not let equal values look different from their mean.
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), &x| (l.min(x), m.max(x)));
    let interval = if least.total_cmp(&most).is_eq() { (least, most) } else { (value - half, value + half) };
    Estimate { value: value.clamp(least, most), interval: Some((interval.0.max(0.0), interval.1)) }
}

impl Estimate {
    /// Widened to what `good` of `finished` requests can say at most, and cut at 1.
    pub fn widened_to_share(self, good: u64, finished: u64, confidence: f64) -> Self {
        let Some((low, high)) = self.interval else { return self };
        let (wilson_low, wilson_high) = wilson(good, finished, confidence);
        Self { interval: Some((low.min(wilson_low), high.max(wilson_high).min(1.0))), ..self }
    }
}

/// Wilson's score interval for a share.
pub fn wilson(good: u64, finished: u64, confidence: f64) -> (f64, f64) {
    if finished == 0 {
        return (0.0, 1.0);
    }
    // Not Student's t with very many degrees of freedom: its inverse loses its
    // digits there (at ten million it gives 1.83 for 1.96).
    let z2 = Normal::standard().inverse_cdf(0.5 + confidence / 2.0).powi(2);
    let count = finished as f64;
    let share = good as f64 / count;
    let centre = share + z2 / (2.0 * count);
    let half = (z2 * (share * (1.0 - share) + z2 / (4.0 * count)) / count).sqrt();
    let scale = 1.0 + z2 / count;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

/// The t value that leaves half of what `confidence` lacks on each side.
fn t_quantile(confidence: f64, freedom: f64) -> f64 {
    let students = StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are above zero");
    students.inverse_cdf(0.5 + confidence / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::{Seed, Stream};

    #[test]
    fn intervals_are_those_of_the_tables() {
        // t(0.975, 2) = 4.30265; mean 2, standard error 1/√3.
        let seen = over_replications(&[1.0, 2.0, 3.0], 0.95).interval.unwrap_or_default();
        assert!((seen.1 - (2.0 + 4.302_653 / 3.0_f64.sqrt())).abs() < 1e-4, "{seen:?}");
        assert!(seen.0.abs() < 1e-12, "cut at zero: {seen:?}");
        assert_eq!(over_replications(&[5.0], 0.95).interval, None);
        assert_eq!(over_replications(&[0.1, 0.1, 0.1], 0.95).interval, Some((0.1, 0.1)));
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
        let (low, high) = wilson(81, 263, 0.95);
        assert!((low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4, "{low} to {high}");
    }

    #[test]
    fn no_failure_among_few_requests_is_no_proof() {
        let few = over_replications(&[1.0, 1.0, 1.0], 0.95).widened_to_share(300, 300, 0.95);
        let many = over_replications(&[1.0, 1.0, 1.0], 0.95).widened_to_share(300_000, 300_000, 0.95);
        assert!(few.interval.is_some_and(|(low, high)| low < 0.999 && high >= 1.0), "{few:?}");
        assert!(many.interval.is_some_and(|(low, _)| low > 0.9999), "{many:?}");
    }

    #[test]
    fn t_values_are_those_of_the_tables() {
        // Two-sided, from any textbook: degrees of freedom, 90 %, 95 %, 99 %.
        for (freedom, ninety, ninety_five, ninety_nine) in [
            (1.0, 6.3138, 12.7062, 63.6567),
            (2.0, 2.9200, 4.3027, 9.9248),
            (3.0, 2.3534, 3.1824, 5.8409),
            (4.0, 2.1318, 2.7764, 4.6041),
            (6.0, 1.9432, 2.4469, 3.7074),
            (9.0, 1.8331, 2.2622, 3.2498),
            (29.0, 1.6991, 2.0452, 2.7564),
            (99.0, 1.6604, 1.9842, 2.6264),
            (999.0, 1.6464, 1.9623, 2.5808),
            (9_999.0, 1.6450, 1.9602, 2.5763),
        ] {
            for (confidence, wanted) in [(0.9, ninety), (0.95, ninety_five), (0.99, ninety_nine)] {
                let seen = t_quantile(confidence, freedom);
                assert!(
                    (seen - wanted).abs() < 2e-4 * wanted,
                    "t({confidence}, {freedom}) is {wanted}, not {seen}"
                );
            }
        }
    }

    /// A draw that is roughly normal: twelve uniform ones (Irwin–Hall).
    fn normal(stream: &mut Stream) -> f64 {
        (0..12).map(|_| stream.unit()).sum::<f64>() - 6.0
    }

    #[test]
    fn the_interval_covers_the_truth_as_often_as_it_says() {
        let mut stream = Seed { base: 7, replication: 0 }.stream("coverage");
        let tries = 4_000;
        let covered = (0..tries)
            .filter(|_| {
                let values: Vec<f64> = (0..5).map(|_| 100.0 + normal(&mut stream)).collect();
                let (low, high) = over_replications(&values, 0.9).interval.unwrap_or_default();
                (low..=high).contains(&100.0)
            })
            .count();
        // Three standard errors of 4,000 tries at 0.9 are 57.
        assert!(covered.abs_diff(3_600) < 57, "{covered} of {tries} intervals cover the truth");
    }

    #[test]
    fn looking_again_and_again_costs_what_the_documentation_says() {
        // The truth is one standard deviation on the good side; a wrong "missed"
        // must be rare, although the rule looks after 3, 5, 7, 9 and 10 runs.
        let mut stream = Seed { base: 8, replication: 0 }.stream("looks");
        let wrong = (0..2_000)
            .filter(|_| {
                let values: Vec<f64> = (0..10).map(|_| 100.0 + normal(&mut stream)).collect();
                let decided = [3, 5, 7, 9, 10].into_iter().find_map(|count| {
                    let (low, high) = over_replications(&values[..count], 0.95).interval.unwrap_or_default();
                    (low > 99.0 || high < 99.0).then_some(high < 99.0)
                });
                decided == Some(true)
            })
            .count();
        assert!(wrong < 20, "{wrong} of 2,000 verdicts are the wrong way round");
    }
}
