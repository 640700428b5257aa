//! Proof: fresh seeds, other loads, every drill, on what was read back.

use crate::judge::drill::{Summary, summary};
use crate::judge::promises::{self, Exercised, Promise};
use crate::judge::{Outcome, Verdict};
use crate::observe::Observations;
use crate::run::{self, Replications, Watched};
use crate::scenario::catalogue::{self, Exercise};
use crate::scenario::{Indicator, Objective, Population, Scenario};
use crate::sim::random::Seed;

/// The load of the other days, relative to the scenario's.
const OTHER_LOADS: [f64; 2] = [0.8, 1.2];
/// How often each drill is held.
const REPLICATIONS: u32 = 3;
/// Replications at other loads.
const OTHER_REPLICATIONS: u32 = 3;

/// How far a proof went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything below.
    Whole,
    /// The whole time under a fresh seed, without other loads and drills: someone
    /// wanted the answer.
    Time,
    /// Nothing: the figures are of the search's own runs.
    Nothing,
}

/// What was proved.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// How far the proof went.
    pub extent: Extent,
    /// The seed of these runs, which the search has not used; the search's own
    /// where nothing is proved.
    pub seed: u64,
    /// The runs of the whole scenario.
    pub runs: Vec<Observations>,
    /// The verdict on them.
    pub verdict: Verdict,
    /// What came of other loads.
    pub others: Vec<Other>,
    /// The drills, and what each cost; `None` where it did not strike.
    pub drills: Vec<(Exercise, Option<Summary>)>,
    /// The objectives on drills; exercises index `drills`.
    pub promises: Vec<Promise>,
}

/// Another load.
#[derive(Clone, Debug)]
pub struct Other {
    /// Relative to the scenario's.
    pub load: f64,
    /// The objectives that load can break.
    pub objectives: Vec<Objective>,
    /// The verdict on them.
    pub verdict: Verdict,
}

impl Certificate {
    /// None: the runs of a search that was stopped.
    pub fn of_nothing(seed: u64, runs: Vec<Observations>, verdict: Verdict) -> Self {
        let (others, drills, promises) = (Vec::new(), Vec::new(), Vec::new());
        Self { extent: Extent::Nothing, seed, runs, verdict, others, drills, promises }
    }

    /// That of all objectives, on the whole scenario and in drills.
    pub fn outcome(&self) -> Outcome {
        let drilled = self.promises.iter().map(|one| one.judged.outcome);
        Outcome::of_all(drilled.chain([self.verdict.outcome]))
    }
}

/// The success ratio that a policy promises users; 99.9 % where it promises none.
pub fn promised(scenario: &Scenario) -> f64 {
    let promised = scenario.goals.objectives.iter().find(|one| one.indicator == Indicator::Availability);
    promised.map_or(0.999, |one| one.goal)
}

/// A seed for proofs that has nothing in common with the search's, nor with that
/// of another round; short enough to be typed, and exact in JSON.
pub fn fresh(seed: u64, round: u32) -> u64 {
    Seed { base: seed, replication: u32::MAX - round }.key("certificate") >> 32
}

/// The whole scenario under a seed that nothing has seen.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The seed.
    pub seed: u64,
    /// The runs.
    pub runs: Vec<Observations>,
    /// The verdict on them.
    pub verdict: Verdict,
}

impl Trial {
    /// Simulates a scenario, read back from what was written, as the search did not.
    pub fn of(scenario: &Scenario, searched: u64, round: u32) -> Self {
        let seed = fresh(searched, round);
        let (runs, verdict) = run::until_sure(scenario, seed, Replications::UntilSure, |_| ());
        Self { seed, runs, verdict }
    }
}

/// Adds what a trial lacks of a proof: other loads and every drill, unless someone
/// wants the answer now.
pub fn certify(
    scenario: &Scenario,
    trial: Trial,
    stop: &(dyn Fn() -> bool + Sync),
    say: impl Fn(&str) + Sync,
) -> Certificate {
    let Trial { seed, runs, verdict } = trial;
    let time_only =
        |runs, verdict| Certificate { extent: Extent::Time, ..Certificate::of_nothing(seed, runs, verdict) };
    if stop() {
        return time_only(runs, verdict);
    }
    let others = OTHER_LOADS.map(|load| {
        let other = at_load(scenario, load);
        let (_, verdict) = run::until_sure(&other, seed, Replications::Fixed(OTHER_REPLICATIONS), |_| ());
        say(&format!("{load} times the load: {}", verdict.outcome.name()));
        Other { load, objectives: other.goals.objectives, verdict }
    });
    let mut drills = Vec::new();
    let mut promises = Vec::new();
    if let Some(target) = catalogue::busiest(scenario).filter(|_| !stop()) {
        let exercises = catalogue::exercises(scenario, target);
        let finished = |name: &str| say(&format!("held: {name}"));
        let (_, held) = run::drill(
            scenario,
            &exercises,
            promised(scenario),
            seed,
            (REPLICATIONS, Watched::ToTheEnd),
            finished,
        );
        let summaries;
        (summaries, promises) = kept(scenario, &held);
        drills = held.into_iter().map(|one| one.exercise).zip(summaries).collect();
    }
    if stop() {
        return time_only(runs, verdict);
    }
    Certificate { extent: Extent::Whole, seed, runs, verdict, others: others.into(), drills, promises }
}

/// What drills cost, and the objectives on them; `None` for those that did not
/// strike. The promises' exercises index `held`.
pub(super) fn kept(scenario: &Scenario, held: &[run::Held]) -> (Vec<Option<Summary>>, Vec<Promise>) {
    let confidence = scenario.goals.confidence;
    let cost = |one: &run::Held| (!one.costs.is_empty()).then(|| summary(&one.costs, confidence));
    let summaries: Vec<Option<Summary>> = held.iter().map(cost).collect();
    let struck: Vec<usize> = (0..held.len()).filter(|one| summaries[*one].is_some()).collect();
    let exercised: Vec<Exercised<'_>> = struck
        .iter()
        .filter_map(|one| {
            let (held, summary) = (&held[*one], summaries[*one].as_ref()?);
            Some(Exercised { exercise: &held.exercise, summary, run: &held.runs[0] })
        })
        .collect();
    let mut promises = promises::judge(scenario, &exercised, None);
    // Back from the place among those that struck to the place among all.
    for promise in &mut promises {
        promise.exercise = promise.exercise.map(|one| struck[one]);
    }
    (summaries, promises)
}

/// The scenario under another load, with the objectives that load can break.
pub(super) fn at_load(scenario: &Scenario, load: f64) -> Scenario {
    let mut other = scenario.clone();
    other.goals.objectives.retain(Objective::breaks_under_load);
    match &mut other.demand.population {
        Population::Users { peak, .. } => *peak *= load,
        Population::Rate { peak_per_second, users, .. } => {
            *peak_per_second *= load;
            *users = users.map(|users| users * load);
        }
    }
    other
}
