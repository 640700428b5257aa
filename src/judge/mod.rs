//! Observations against goals: met, missed or unsure, with reasons.
//!
//! A verdict compares the whole confidence interval over replications with the
//! goal, not the mean: an interval that straddles the goal is *unsure*, and
//! asks for more replications ([`more_needed`]). How intervals come about is
//! told in [`estimate`].

mod because;
mod binding;
pub mod drill;
pub mod estimate;
mod finding;
mod measure;
mod path;
pub mod promises;
mod rule;
pub mod warm_up;

pub use estimate::Estimate;
pub use finding::Finding;
pub use measure::cost_per_month;

use crate::observe::{Observations, Pooled};
use crate::scenario::{Comparison, ErrorBound, Objective, Scenario};
use crate::units::figures::percent;
use measure::Measured;

/// What came of the policy's objectives.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// That of all objectives together ([`Outcome::of_all`]).
    pub outcome: Outcome,
    /// The objectives, in the policy's order.
    pub objectives: Vec<Judged>,
    /// The confidence of every interval.
    pub confidence: f64,
    /// How many replications were judged.
    pub replications: usize,
    /// The replication that charts and reasons with times are about: index
    /// into the judged runs.
    pub shown: usize,
    /// What a reviewer should know whatever the objectives say.
    pub remarks: Vec<String>,
}

/// What came of one objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Measured over the replications; `None` where there was nothing to measure.
    pub measured: Option<Estimate>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in sentences; empty where the objective is met and nothing is to be said.
    pub because: Vec<String>,
}

/// What came of an objective, or of all of them; what weighs more comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It cannot be measured by this command; it does not count.
    NotJudged,
    /// The whole interval keeps the goal.
    Met,
    /// The interval straddles the goal, or there is no interval.
    Unsure,
    /// The whole interval misses the goal.
    Missed,
}

impl Outcome {
    /// What several come to: missed if any is, else unsure if any is, else met if any is.
    /// Where nothing was judged, nothing was found to be kept.
    pub fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or(Self::NotJudged)
    }

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unsure => "unsure",
            Self::NotJudged => "notJudged",
        }
    }
}

impl Verdict {
    /// How many objectives came out as `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.objectives.iter().filter(|judged| judged.outcome == outcome).count()
    }
}

/// Judges the runs of a scenario; there is at least one.
pub fn judge(scenario: &Scenario, runs: &[Observations]) -> Verdict {
    assert!(!runs.is_empty(), "there is at least one replication to judge");
    let pooled = Pooled::of(runs);
    let objectives = &scenario.goals.objectives;
    let values: Vec<Vec<Measured>> = objectives
        .iter()
        .map(|objective| runs.iter().map(|run| measure::measure(scenario, objective, run)).collect())
        .collect();
    let mut judged: Vec<Judged> = objectives
        .iter()
        .zip(&values)
        .map(|(objective, values)| weigh(scenario, objective, values, &pooled, runs))
        .collect();
    let shown = typical(&judged, &values);
    let findings = finding::all(scenario, &runs[shown], &pooled);
    for (objective, judged) in objectives.iter().zip(&mut judged) {
        let reasons = because::reasons(scenario, objective, judged, &pooled, &runs[shown], &findings);
        judged.because.extend(reasons);
    }
    let mut remarks = because::remarks(scenario, runs, &judged, &findings);
    remarks.extend(warm_up::remark(scenario, runs));
    remarks.extend(sliced(&pooled));
    Verdict {
        outcome: Outcome::of_all(judged.iter().map(|judged| judged.outcome)),
        remarks,
        objectives: judged,
        confidence: scenario.goals.confidence,
        replications: runs.len(),
        shown,
    }
}

/// What a reviewer should know of a run in slices.
fn sliced(pooled: &Pooled) -> Option<String> {
    let bound = ErrorBound::MEASURED;
    (pooled.simulated < 1.0).then(|| {
        format!(
            "Sliced: the requests of {} of the time were simulated one by one and stand for the rest, and \
             counts are of the whole; the control plane was simulated throughout. Against full runs this was \
             off by at most {} of requests in availability, {} in p99 and {} in pods (--fidelity full)",
            percent(pooled.simulated),
            percent(bound.availability),
            percent(bound.p99),
            percent(bound.replicas),
        )
    })
}

/// Whether further replications could turn an unsure objective into a sure one.
///
/// Each look at the runs so far gives the verdict its confidence anew; looking
/// several times, as the sequential rule does, wrongs a value that sits right
/// at the goal a little more often than one look would (within 10 replications
/// about twice as often). Such a value is neither met nor missed in any way
/// that matters; `--replications` fixes the number where that is not wanted.
pub fn more_needed(verdict: &Verdict) -> bool {
    verdict.objectives.iter().any(|judged| judged.outcome == Outcome::Unsure && judged.measured.is_some())
}

/// Compares one objective's values with its goal.
fn weigh(
    scenario: &Scenario,
    objective: &Objective,
    values: &[Measured],
    pooled: &Pooled,
    runs: &[Observations],
) -> Judged {
    let mut numbers = Vec::with_capacity(values.len());
    let mut nothing = None;
    for value in values {
        match value {
            Measured::Value(number) => numbers.push(*number),
            Measured::NoAnswer => {
                let because = "no request was answered, so there is nothing to measure".to_owned();
                return Judged { measured: None, outcome: Outcome::Missed, because: vec![because] };
            }
            Measured::Nothing(why) => nothing = Some(*why),
        }
    }
    if let Some(why) = nothing {
        let (all, some) = (values.len(), values.len() - numbers.len());
        let because =
            if some == all { why.to_owned() } else { format!("in {some} of {all} replications: {why}") };
        // What the others say is not what would have been said of these.
        let outcome = if some == all { Outcome::NotJudged } else { Outcome::Unsure };
        return Judged { measured: None, outcome, because: vec![because] };
    }
    let confidence = scenario.goals.confidence;
    let estimate = if let Some((good, finished)) = measure::finished(objective, pooled) {
        estimate::over_shares(&numbers, good, finished, confidence)
    } else if let Some((all, without)) = measure::pooled_quantile(objective, runs) {
        estimate::jackknifed(all, &without, confidence)
    } else {
        estimate::over_replications(&numbers, confidence)
    };
    let mut outcome = compare(objective.comparison, &estimate, objective.goal);
    let mut because = Vec::new();
    if outcome == Outcome::Met && runs.iter().any(|run| run.stopped.is_some()) {
        // What would have come after the stop might have missed the goal.
        outcome = Outcome::Unsure;
        because.push("kept until the run was stopped; what would have come after is unknown".to_owned());
    }
    Judged { measured: Some(estimate), outcome, because }
}

pub(crate) fn compare(comparison: Comparison, estimate: &Estimate, goal: f64) -> Outcome {
    let Some((low, high)) = estimate.interval else { return Outcome::Unsure };
    match (comparison.holds(low, goal), comparison.holds(high, goal)) {
        (true, true) => Outcome::Met,
        (false, false) => Outcome::Missed,
        _ => Outcome::Unsure,
    }
}

/// The replication that tells most: of the first objective that is missed (or
/// else unsure), the one whose value is nearest to the mean.
fn typical(judged: &[Judged], values: &[Vec<Measured>]) -> usize {
    let of =
        |outcome| judged.iter().position(|judged| judged.outcome == outcome && judged.measured.is_some());
    let Some(index) = of(Outcome::Missed).or_else(|| of(Outcome::Unsure)) else { return 0 };
    let mean = judged[index].measured.map_or(0.0, |estimate| estimate.value);
    let distance = |value: &Measured| match value {
        Measured::Value(number) => (number - mean).abs(),
        Measured::NoAnswer | Measured::Nothing(_) => f64::INFINITY,
    };
    let mut best = 0;
    for (replication, value) in values[index].iter().enumerate() {
        if distance(value) < distance(&values[index][best]) {
            best = replication;
        }
    }
    best
}
