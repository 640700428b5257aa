//! A document's table of promises, before and after, measured on both sides.

use crate::capacity::{Capacity, Tried, load_of, search_from_below, with_load};
use crate::input::promises::{Figure, Promises, Row};
use crate::judge::drill::{Summary, Year, summary, year};
use crate::judge::promises::{self, Exercised, Promise};
use crate::judge::{Estimate, Outcome, Verdict, estimate, judge};
use crate::observe::{Observations, Traffic};
use crate::run::{self, Held, Replications, Watched};
use crate::scenario::catalogue::{Exercise, busiest, exercises};
use crate::scenario::{Comparison, Indicator, Objective, Scenario, Scope};
use crate::units::figures::count;

/// Replications of each load that is tried.
const TRIES: u32 = 3;
/// The success ratio where the policy promises none.
const USUAL_AVAILABILITY: f64 = 0.999;

/// One side: what it is, and how many objects of each kind its manifests hold.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Under the load that was asked for.
    pub scenario: &'a Scenario,
    /// Kinds and numbers.
    pub objects: &'a [(String, usize)],
}

/// How it is measured.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The seed.
    pub base: u64,
    /// How many replications of everything but the search for the load.
    pub replications: u32,
    /// Whether drills are held; without them recovery and the year stay open.
    pub drills: bool,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// A mean over replications.
    Estimate(Estimate),
    /// The largest load that is carried, and the smallest that is known not to be.
    Border(f64, f64),
    /// At least this; more was not tried.
    AtLeast(f64),
    /// The smallest and the largest over the observed time.
    Range(f64, f64),
    /// Counted in the manifests.
    Number(f64),
    /// `manual` or `automatic`.
    Words(&'static str),
    /// Users were not served again within the observed time.
    NotInTime,
    /// It was not measured.
    Nothing,
}

/// A promise and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The promise.
    pub row: Row,
    /// The first side.
    pub before: Seen,
    /// The second side.
    pub after: Seen,
    /// Whether the second side keeps it.
    pub outcome: Outcome,
}

/// The whole table, and what the second side's policy says.
#[derive(Clone, Debug)]
pub struct Table {
    /// The rows.
    pub rows: Vec<Measured>,
    /// Users under whom each side was observed without failures.
    pub users: (f64, f64),
    /// Users under whom drills were held, on both sides.
    pub drilled_at: f64,
    /// The second side's objectives under its load, undisturbed.
    pub verdict: Verdict,
    /// Its objectives on drills.
    pub promises: Vec<Promise>,
    /// The drills that those are about.
    pub exercises: Vec<Exercise>,
}

/// Measures both sides. `say` hears of each step as it is done, from the thread that
/// did it.
pub fn measure(
    promises: &Promises,
    before: Side<'_>,
    after: Side<'_>,
    how: How,
    say: impl Fn(&str) + Sync,
) -> Table {
    let asked = load_of(after.scenario).0;
    let drilled_at = promises.users.before.min(asked);
    let (one, other) = rayon::join(
        || Found::of(before, drilled_at, (drilled_at, asked), how, &|step| say(&format!("before: {step}"))),
        || Found::of(after, asked, (drilled_at, asked), how, &|step| say(&format!("after: {step}"))),
    );
    let rows = promises.rows.iter().map(|row| {
        let (before, after) = (one.seen(row), other.seen(row));
        Measured { row: row.clone(), before, after, outcome: outcome(row, after) }
    });
    let (exercises, judged) = other.promises();
    Table {
        rows: rows.collect(),
        users: (drilled_at, asked),
        drilled_at,
        verdict: judge(&other.scenario, &other.runs),
        promises: judged,
        exercises,
    }
}

/// Whether what was seen keeps a promise.
fn outcome(row: &Row, seen: Seen) -> Outcome {
    let bounds = [(Comparison::AtLeast, row.at_least), (Comparison::AtMost, row.at_most)];
    let bounds = bounds.into_iter().filter_map(|(comparison, goal)| Some((comparison, goal?)));
    let sure = |holds: bool| if holds { Outcome::Met } else { Outcome::Missed };
    let of = |(comparison, goal): (Comparison, f64)| match seen {
        Seen::Border(_, breaks) if comparison == Comparison::AtLeast && breaks <= goal => Outcome::Missed,
        Seen::Border(carries, _) if comparison == Comparison::AtLeast && carries >= goal => Outcome::Met,
        Seen::Estimate(one) => crate::judge::compare(comparison, &one, goal),
        Seen::AtLeast(least) if comparison == Comparison::AtLeast && least >= goal => Outcome::Met,
        Seen::AtLeast(_) | Seen::Border(..) => Outcome::Unsure,
        Seen::Range(low, high) => sure(comparison.holds(low, goal) && comparison.holds(high, goal)),
        Seen::Number(number) => sure(comparison.holds(number, goal)),
        Seen::NotInTime => Outcome::Missed,
        Seen::Words(_) | Seen::Nothing => Outcome::NotJudged,
    };
    if let Seen::Words(words) = seen {
        return sure(words == row.after);
    }
    Outcome::of_all(bounds.map(of))
}

/// All that was simulated of one side.
struct Found<'a> {
    objects: &'a [(String, usize)],
    /// Under its load.
    scenario: Scenario,
    runs: Vec<Observations>,
    carried: Capacity,
    plain: Vec<Observations>,
    held: Vec<Held>,
}

impl<'a> Found<'a> {
    /// Simulates a side under its load, between the two loads for what it carries, and
    /// under the first of them for its drills.
    fn of(
        side: Side<'a>,
        load: f64,
        (drilled_at, most): (f64, f64),
        how: How,
        say: &(dyn Fn(&str) + Sync),
    ) -> Self {
        let scenario = with_load(side.scenario, load);
        let runs = run::replicate(&scenario, how.base, 0..how.replications, |_| ());
        say(&format!("observed under a load of {}", count(load)));
        let carried = carried(side.scenario, (drilled_at, most), how.base, (load, &runs), |one: &Tried| {
            say(&format!("availability {} under a load of {}", one.outcome.name(), count(one.load)));
        });
        let at = with_load(side.scenario, drilled_at);
        let all = match busiest(&at) {
            Some(target) if how.drills => exercises(&at, target),
            _ => Vec::new(),
        };
        let (plain, held) = if all.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            run::drill(&at, &all, goal(&at), how.base, (how.replications, Watched::ToTheEnd), say)
        };
        Self { objects: side.objects, scenario, runs, carried, plain, held }
    }

    fn confidence(&self) -> f64 {
        self.scenario.goals.confidence
    }

    /// What a row is about, on this side.
    fn seen(&self, row: &Row) -> Seen {
        let over = |of: &dyn Fn(&Observations) -> f64| {
            let values: Vec<f64> = self.runs.iter().map(of).collect();
            Seen::Estimate(estimate::over_replications(&values, self.confidence()))
        };
        match row.figure {
            Figure::UsersCarried => self.users(),
            Figure::InstancesPerService => self.instances(),
            Figure::Availability => over(&answered),
            Figure::AvailabilityPerYear => {
                self.year().map_or(Seen::Nothing, |year| Seen::Estimate(year.availability))
            }
            Figure::DeployDowntime | Figure::Recovery => self.recovery(row.drill.as_deref()),
            Figure::Scaling => {
                Seen::Words(if self.scenario.autoscalers.is_empty() { "manual" } else { "automatic" })
            }
            Figure::Nodes => self.range(|run| (run.cluster.nodes.min(), run.cluster.nodes.max())),
            Figure::Pods => self.range(|run| (run.cluster.ready_pods.min(), run.cluster.ready_pods.max())),
            Figure::Services => self.objects("Service"),
            Figure::Ingresses => self.objects("Ingress"),
            Figure::Autoscalers => self.objects("HorizontalPodAutoscaler"),
            Figure::Volumes => self.objects("PersistentVolumeClaim"),
        }
    }

    fn users(&self) -> Seen {
        match (self.carried.carries, self.carried.breaks) {
            (low, Some(high)) => Seen::Border(low.unwrap_or(0.0), high),
            (Some(low), None) => Seen::AtLeast(low),
            // So few requests that nothing is sure.
            (None, None) => Seen::Nothing,
        }
    }

    /// The replicas of the services that users ask.
    fn instances(&self) -> Seen {
        let visits = self.scenario.demand.journeys.iter().flat_map(|journey| &journey.visits);
        let asked: Vec<usize> = visits.map(|visit| visit.workload).collect();
        let ready = |run: &Observations| {
            let levels = asked.iter().map(|one| &run.workloads[*one].ready);
            levels.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), level| {
                (low.min(level.min()), high.max(level.max()))
            })
        };
        if asked.is_empty() { Seen::Nothing } else { self.range(ready) }
    }

    fn range(&self, of: impl Fn(&Observations) -> (f64, f64)) -> Seen {
        let ends = self.runs.iter().map(of);
        let (low, high) =
            ends.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), one| (low.min(one.0), high.max(one.1)));
        Seen::Range(low, high)
    }

    fn objects(&self, kind: &str) -> Seen {
        let found = self.objects.iter().find(|(known, _)| known == kind);
        Seen::Number(found.map_or(0.0, |(_, number)| *number as f64))
    }

    fn recovery(&self, drill: Option<&str>) -> Seen {
        let Some(held) = self.held.iter().find(|one| Some(one.exercise.name.as_str()) == drill) else {
            return Seen::Nothing;
        };
        match self.summary(held) {
            None => Seen::Nothing,
            Some(summary) => summary.users_recovered.map_or(Seen::NotInTime, Seen::Estimate),
        }
    }

    fn summary(&self, held: &Held) -> Option<Summary> {
        (!held.costs.is_empty()).then(|| summary(&held.costs, self.confidence()))
    }

    fn year(&self) -> Option<Year> {
        if self.held.is_empty() {
            return None;
        }
        let shares: Vec<f64> = self.plain.iter().map(answered).collect();
        let steady = estimate::over_replications(&shares, self.confidence());
        let cost = |one: &Held| Some((one.exercise.per_year, self.summary(one)?.lost_seconds));
        let modes: Vec<(f64, Estimate)> = self.held.iter().filter_map(cost).collect();
        Some(year(steady, &modes))
    }

    /// The objectives on drills, and the drills that they count in.
    fn promises(&self) -> (Vec<Exercise>, Vec<Promise>) {
        let struck: Vec<(&Held, Summary)> =
            self.held.iter().filter_map(|one| Some((one, self.summary(one)?))).collect();
        let exercised: Vec<Exercised<'_>> = struck
            .iter()
            .map(|(one, summary)| Exercised { exercise: &one.exercise, summary, run: &one.runs[0] })
            .collect();
        let judged = promises::judge(&self.scenario, &exercised, self.year().as_ref());
        (struck.iter().map(|(one, _)| one.exercise.clone()).collect(), judged)
    }
}

/// The load that is carried; `known` are the runs under one load, which need not
/// be tried again.
fn carried(
    scenario: &Scenario,
    (start, most): (f64, f64),
    base: u64,
    (load, runs): (f64, &[Observations]),
    tried: impl Fn(&Tried),
) -> Capacity {
    let asks = |one: &&Objective| one.indicator == Indicator::Availability && one.scope == Scope::All;
    let mut only = scenario.clone();
    only.goals.objectives = scenario.goals.objectives.iter().filter(asks).cloned().collect();
    let known = judge(&only, runs).outcome;
    let objectives: Vec<usize> = (0..only.goals.objectives.len()).collect();
    let mut found =
        Capacity { tried: Vec::new(), carries: None, breaks: None, objectives, users: load_of(scenario).1 };
    match known {
        Outcome::Met => found.carries = Some(load),
        Outcome::Missed => found.breaks = Some(load),
        Outcome::Unsure | Outcome::NotJudged => {}
    }
    if found.carries.is_some_and(|carries| carries >= most) {
        return found;
    }
    search_from_below(&only, found, (start, most), (base, Replications::Fixed(TRIES)), tried)
}

/// The share of a run's requests that were answered.
fn answered(run: &Observations) -> f64 {
    let good: u64 = run.journeys.iter().map(|journey| journey.answered).sum();
    let failed: u64 = run.journeys.iter().map(Traffic::failed).sum();
    good as f64 / ((good + failed) as f64).max(1.0)
}

/// The success ratio that the policy promises users.
fn goal(scenario: &Scenario) -> f64 {
    let promised = scenario.goals.objectives.iter().find(|one| one.indicator == Indicator::Availability);
    promised.map_or(USUAL_AVAILABILITY, |one| one.goal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_by_all_of_what_was_seen() {
        let row = |at_least: Option<f64>, at_most: Option<f64>| Row {
            figure: Figure::Pods,
            drill: None,
            before: None,
            after: "automatic".to_owned(),
            at_least,
            at_most,
        };
        let estimate =
            |value: f64, low: f64, high: f64| Seen::Estimate(Estimate { value, interval: Some((low, high)) });
        for (at_least, at_most, seen, expected) in [
            (Some(15.0), Some(30.0), Seen::Range(16.0, 30.0), Outcome::Met),
            (Some(15.0), Some(30.0), Seen::Range(14.0, 20.0), Outcome::Missed),
            (Some(15.0), Some(30.0), Seen::Range(16.0, 31.0), Outcome::Missed),
            (None, Some(30.0), estimate(20.0, 10.0, 29.0), Outcome::Met),
            (None, Some(30.0), estimate(20.0, 10.0, 31.0), Outcome::Unsure),
            (None, Some(30.0), Seen::NotInTime, Outcome::Missed),
            (Some(9.0), None, Seen::Border(9.0, 9.5), Outcome::Met),
            (Some(9.0), None, Seen::Border(8.0, 9.5), Outcome::Unsure),
            // What breaks at nine does not carry nine.
            (Some(9.0), None, Seen::Border(8.0, 9.0), Outcome::Missed),
            (Some(9.0), None, Seen::AtLeast(9.0), Outcome::Met),
            (Some(9.0), None, Seen::AtLeast(8.0), Outcome::Unsure),
            (Some(3.0), Some(3.0), Seen::Number(3.0), Outcome::Met),
            (Some(3.0), Some(3.0), Seen::Number(4.0), Outcome::Missed),
            (None, None, Seen::Words("automatic"), Outcome::Met),
            (None, None, Seen::Words("manual"), Outcome::Missed),
            (Some(1.0), None, Seen::Nothing, Outcome::NotJudged),
        ] {
            assert_eq!(outcome(&row(at_least, at_most), seen), expected, "{seen:?}");
        }
    }
}
