//! Two configurations under the same requests.
//!
//! Both sides of a replication have the same seed, and everything random about
//! a request follows from its user's key: so differences are taken pair by
//! pair, and what both meet alike cancels out.

use crate::judge::drill::{Summary, summary};
use crate::judge::{Estimate, cost_per_month, estimate};
use crate::observe::{Histogram, Observations, Traffic};
use crate::run::{self, Watched};
use crate::scenario::Scenario;
use crate::scenario::catalogue::{busiest, exercises};

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share in 0..=1.
    Share,
    /// A number.
    Count,
    /// Seconds.
    Seconds,
    /// Money.
    Money,
    /// Cores.
    Cores,
}

/// One figure of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// The first side's; `None` where there is none.
    pub a: Option<Estimate>,
    /// The second side's.
    pub b: Option<Estimate>,
    /// The second minus the first, pair by pair, with its own interval.
    pub difference: Option<Estimate>,
}

/// A figure of one run, where it has one.
type Of = fn(&Observations) -> Option<f64>;

/// All answers of a run.
fn latency(run: &Observations, quantile: f64) -> Option<f64> {
    let mut all = Histogram::default();
    run.journeys.iter().for_each(|journey| all.merge(&journey.latency));
    all.quantile(quantile)
}

fn share(run: &Observations) -> Option<f64> {
    let good: u64 = run.journeys.iter().map(|journey| journey.answered).sum();
    let failed: u64 = run.journeys.iter().map(Traffic::failed).sum();
    (good + failed > 0).then(|| good as f64 / (good + failed) as f64)
}

const FIGURES: [(&str, Unit, Of); 10] = [
    ("requests asked", Unit::Count, |run| {
        Some(run.journeys.iter().map(|one| one.arrived).sum::<u64>() as f64)
    }),
    ("requests answered", Unit::Share, share),
    ("latency p50", Unit::Seconds, |run| latency(run, 0.5)),
    ("latency p95", Unit::Seconds, |run| latency(run, 0.95)),
    ("latency p99", Unit::Seconds, |run| latency(run, 0.99)),
    ("CPU used", Unit::Cores, |run| Some(run.workloads.iter().map(|one| one.cpu_cores.mean()).sum())),
    ("pods", Unit::Count, |run| Some(run.cluster.pods.mean())),
    ("nodes", Unit::Count, |run| Some(run.cluster.nodes.mean())),
    ("container restarts", Unit::Count, |run| {
        Some(run.workloads.iter().map(|one| one.restarts).sum::<u64>() as f64)
    }),
    ("cost per month", Unit::Money, |run| {
        Some(cost_per_month(run.cluster.cost, run.end.since(run.start).as_secs_f64()))
    }),
];

/// Runs both sides under the same seeds and compares them figure by figure.
pub fn simulate(a: &Scenario, b: &Scenario, base: u64, replications: u32) -> Vec<Figure> {
    let runs = |side: &Scenario| run::replicate(side, base, 0..replications, |_| ());
    let (runs_a, runs_b) = rayon::join(|| runs(a), || runs(b));
    let confidence = a.goals.confidence;
    FIGURES
        .iter()
        .map(|(name, unit, of)| {
            let values = |runs: &[Observations]| runs.iter().map(of).collect::<Option<Vec<f64>>>();
            let (a, b) = (values(&runs_a), values(&runs_b));
            let over = |values: &Option<Vec<f64>>| {
                values.as_ref().map(|values| estimate::over_replications(values, confidence))
            };
            let difference = a.as_ref().zip(b.as_ref()).map(|(a, b)| paired(a, b, confidence));
            Figure { name: (*name).to_owned(), unit: *unit, a: over(&a), b: over(&b), difference }
        })
        .collect()
}

/// The mean of the differences, pair by pair, with its interval.
fn paired(a: &[f64], b: &[f64], confidence: f64) -> Estimate {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    // The estimate is made for what is never negative; so shift, and shift back.
    let least = differences.iter().copied().fold(f64::INFINITY, f64::min);
    let spread = differences.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    let shift = 1e3 * (spread + least.abs());
    let shifted: Vec<f64> = differences.iter().map(|value| value + shift).collect();
    let Estimate { value, interval } = estimate::over_replications(&shifted, confidence);
    Estimate { value: value - shift, interval: interval.map(|(low, high)| (low - shift, high - shift)) }
}

/// A drill on both sides; `None` where a side has no such drill or it did not strike.
#[derive(Clone, Debug, PartialEq)]
pub struct Drilled {
    /// Its name.
    pub name: String,
    /// What it cost the first side.
    pub a: Option<Summary>,
    /// What it cost the second side.
    pub b: Option<Summary>,
}

/// Holds the named drills on the workload that users ask most, on both sides.
pub fn drills(
    a: &Scenario,
    b: &Scenario,
    names: &[String],
    goal: f64,
    base: u64,
    replications: u32,
) -> Vec<Drilled> {
    let hold = |side: &Scenario| {
        let mut all = busiest(side).map(|target| exercises(side, target)).unwrap_or_default();
        all.retain(|one| names.contains(&one.name));
        run::drill(side, &all, goal, base, (replications, Watched::ToTheEnd), |_| ()).1
    };
    let (held_a, held_b) = (hold(a), hold(b));
    let of = |held: &[run::Held], name: &str, confidence: f64| {
        let one = held.iter().find(|one| one.exercise.name == name)?;
        (!one.costs.is_empty()).then(|| summary(&one.costs, confidence))
    };
    names
        .iter()
        .map(|name| Drilled {
            name: name.clone(),
            a: of(&held_a, name, a.goals.confidence),
            b: of(&held_b, name, b.goals.confidence),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_taken_pair_by_pair() {
        // Each pair differs by about 1, although the values are all over the place.
        let (a, b) = ([10.0, 50.0, 90.0, 30.0], [11.1, 50.9, 91.0, 31.0]);
        let Estimate { value, interval } = paired(&a, &b, 0.95);
        let (low, high) = interval.expect("four pairs");
        assert!((value - 1.0).abs() < 1e-9 && low > 0.8 && high < 1.2, "{value} [{low}, {high}]");
        let Estimate { value, interval } = paired(&b, &a, 0.95);
        assert!(
            (value + 1.0).abs() < 1e-9
                && interval.is_some_and(|(low, high)| low < -0.8 && high > -1.2 && high < 0.0)
        );
        assert_eq!(paired(&[1.0, 1.0], &[1.0, 1.0], 0.95).interval, Some((0.0, 0.0)));
    }
}
