//! Whether the warm-up was long enough, by the marginal standard error rule.
//!
//! MSER-5 (White 1997): of all points at which a series could be cut, the best is
//! the one where the mean of the rest has the smallest standard error; cutting too
//! late costs precision, cutting too early costs truth. Means of five rows are
//! taken first, so that noise does not decide.

use crate::observe::Observations;
use crate::scenario::{Population, Scenario};
use crate::units::figures::seconds;
use crate::units::{SimDuration, SimTime};

/// Rows of a batch.
const BATCH: usize = 5;
/// Fewer batches say nothing.
const LEAST_BATCHES: usize = 10;
/// A start that differs by less than this from the rest is not worth a remark.
const NOTABLE: f64 = 0.05;

/// How many values of a series belong to its start, by MSER-5; `None` where the
/// series is too short, or where the rule cuts in its second half: it has not
/// settled.
pub fn truncation(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> =
        series.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    if batches.len() < LEAST_BATCHES {
        return None;
    }
    // Sums about a value in the range lose fewer digits.
    let origin = batches[batches.len() - 1];
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (cut, value) in batches.iter().enumerate().rev() {
        sum += value - origin;
        squares += (value - origin) * (value - origin);
        let count = (batches.len() - cut) as f64;
        let error = (squares - sum * sum / count).max(0.0) / (count * count);
        // A few values at the end are alike by chance. Of equals, the earliest cut.
        if count >= BATCH as f64 && error <= best.0 {
            best = (error, cut);
        }
    }
    (best.1 <= batches.len() / 2).then_some(best.1 * BATCH)
}

/// What a reviewer should know of the warm-up: that observation began while
/// response times were still settling. Only a steady load says so; under another
/// one a changing series is what was asked for.
pub(super) fn remark(scenario: &Scenario, runs: &[Observations]) -> Option<String> {
    let warm_up = SimTime::ZERO + scenario.warm_up;
    if !is_steady(scenario, warm_up) {
        return None;
    }
    let (times, values) = medians(runs);
    let start = times.partition_point(|time| *time <= warm_up);
    let cut = truncation(&values)?;
    if cut <= start {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (early, rest) = (mean(&values[start..cut]), mean(&values[cut..]));
    if (early - rest).abs() <= NOTABLE * rest {
        return None;
    }
    let settled = times[cut - 1].since(SimTime::ZERO);
    Some(format!(
        "response times settle only {} after the start, but the warm-up is {}: their median is {} until then \
         and {} afterwards; a longer `warmUp` would keep the start out of the results",
        whole(settled),
        whole(scenario.warm_up),
        seconds(early),
        seconds(rest),
    ))
}

fn whole(duration: SimDuration) -> String {
    seconds(duration.as_secs_f64())
}

/// Whether the load is the same from the warm-up's end on, but for chance.
fn is_steady(scenario: &Scenario, from: SimTime) -> bool {
    let (Population::Users { shape, .. } | Population::Rate { shape, .. }) = &scenario.demand.population;
    let value = shape.at(from);
    let later = shape.points.iter().filter(|(time, _)| *time > from);
    later.into_iter().all(|(_, other)| (other - value).abs() <= 1e-9 * value)
}

/// Median response times of users step by step, as a mean over the runs; steps in
/// which a run answered nobody are left out.
fn medians(runs: &[Observations]) -> (Vec<SimTime>, Vec<f64>) {
    let rows = runs.iter().map(|run| run.series.times.len()).min().unwrap_or(0);
    let row = |row: usize| {
        let sum: Option<f64> = runs.iter().map(|run| run.series.p50[row]).sum();
        Some((runs[0].series.times[row], sum? / runs.len() as f64))
    };
    (0..rows).filter_map(row).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Seed;

    #[test]
    fn a_known_transient_is_cut_off() {
        // Length, height of the start over the noise, time it takes to fade, and
        // between which values the cut must lie.
        for (length, height, fades, least, most) in [
            (1_000, 0.0, 1.0, 0, 300),
            (1_000, 20.0, 20.0, 40, 160),
            (1_000, -20.0, 20.0, 40, 160),
            (2_000, 50.0, 100.0, 250, 800),
        ] {
            let mut noise = Seed { base: 3, replication: 0 }.stream("noise");
            let mut one = || (0..12).map(|_| noise.unit()).sum::<f64>() - 6.0;
            let series: Vec<f64> =
                (0..length).map(|at| 100.0 + height * libm::exp(-f64::from(at) / fades) + one()).collect();
            let cut = truncation(&series);
            let inside = cut.is_some_and(|cut| (least..=most).contains(&cut));
            assert!(inside, "{length} values from {height}, fading in {fades}: {cut:?}");
        }
    }

    #[test]
    fn steps_are_found_and_what_never_settles_is_not() {
        let step = |at: usize, length: usize| -> Vec<f64> {
            (0..length).map(|i| if i < at { 5.0 } else { 1.0 }).collect()
        };
        assert_eq!(truncation(&step(0, 100)), Some(0));
        assert_eq!(truncation(&step(30, 100)), Some(30));
        assert_eq!(truncation(&step(70, 100)), None);
        assert_eq!(truncation(&step(10, 49)), None, "too short");
        let rises: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!(truncation(&rises), None);
    }
}
