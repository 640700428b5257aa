//! Simulate once; replicate in parallel, until the verdict is sure.

use std::ops::Range;

use rayon::prelude::*;

use crate::judge::drill::{Cost, cost};
use crate::judge::{Outcome, Verdict, judge, more_needed};
use crate::observe::Observations;
use crate::scenario::catalogue::{self, Exercise};
use crate::scenario::{Fidelity, Scenario};
use crate::sim::agenda::Engine;
use crate::sim::random::Seed;
use crate::units::SimDuration;
use crate::world::{self, Run};

/// So many replications come before the first look at the verdict.
pub const FIRST: u32 = 3;
/// So many come before each further look. Fixed, not the number of cores: the
/// verdict must not depend on the machine.
const FURTHER: u32 = 2;
/// So many are the most, unless the user fixes the number.
pub const MOST: u32 = 10;
/// So many are enough once the verdict as a whole can't change: an objective is
/// missed for sure, whatever becomes of those that are unsure.
const SETTLED: u32 = 5;

/// How many replications to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replications {
    /// Exactly so many.
    Fixed(u32),
    /// [`FIRST`], and then more while an objective is unsure, up to [`MOST`].
    UntilSure,
}

/// Runs replications side by side; the answer is in their order, whatever the
/// order in which they ended. `finished` hears of each as it ends, from the
/// thread that ran it.
pub fn replicate(
    scenario: &Scenario,
    base: u64,
    which: Range<u32>,
    finished: impl Fn(&Observations) + Sync,
) -> Vec<Observations> {
    let one = |replication| {
        let run = world::simulate(scenario, Seed { base, replication });
        finished(&run);
        run
    };
    which.into_par_iter().map(one).collect()
}

/// An exercise as it went: the runs with it, and what each cost.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was exercised.
    pub exercise: Exercise,
    /// The runs, by replication.
    pub runs: Vec<Observations>,
    /// What each cost; short of those in which the drill did not strike.
    pub costs: Vec<Cost>,
}

/// For how long a drill is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// For as long as the exercise says: what comes late is seen, too.
    ToTheEnd,
    /// Until everything has recovered: enough to compare settings.
    UntilRecovered,
}

/// Holds every exercise on the scenario at its peak, each on its own, and the
/// same time without any; `goal` is the success ratio that users are promised.
/// The first answer are the runs without.
///
/// A replication warms up once, and goes on from there with each exercise.
pub fn drill(
    scenario: &Scenario,
    exercises: &[Exercise],
    goal: f64,
    base: u64,
    (replications, watched): (u32, Watched),
    finished: impl Fn(&str) + Sync,
) -> (Vec<Observations>, Vec<Held>) {
    // What a drill costs is seen second by second.
    let at_peak = Scenario { fidelity: Fidelity::Full, ..catalogue::at_peak(scenario) };
    let nothing = catalogue::nothing(&at_peak);
    let scenarios: Vec<Scenario> = exercises.iter().map(|one| catalogue::held(&at_peak, one)).collect();
    let longest = scenarios.iter().map(|one| one.horizon).fold(nothing.horizon, SimDuration::max);
    let calm = Scenario { horizon: longest, ..at_peak };
    let seed = |replication| Seed { base, replication };
    let warm: Vec<Run<'_>> = (0..replications)
        .into_par_iter()
        .map(|replication| Run::begin(&calm, seed(replication), Engine::Wheel).warm_up())
        .collect();
    let hold = |(exercise, scenario): (&Exercise, &Scenario)| -> Vec<Observations> {
        let parts = Run::may_part(scenario);
        let from = |(replication, warm): (usize, &Run<'_>)| {
            let run = if parts {
                warm.with_drills(scenario)
            } else {
                Run::begin(scenario, seed(replication as u32), Engine::Wheel)
            };
            match watched {
                Watched::UntilRecovered => run.until_recovered(),
                Watched::ToTheEnd => run.to_its_end(),
            }
        };
        let runs = warm.par_iter().enumerate().map(from).collect();
        finished(&exercise.name);
        runs
    };
    let held: Vec<Vec<Observations>> = exercises.par_iter().zip(scenarios.par_iter()).map(hold).collect();
    let nothing = match watched {
        Watched::ToTheEnd => nothing,
        // Nothing is compared beyond the last of them.
        Watched::UntilRecovered => {
            let lengths = held.iter().flatten().map(|run| run.end.since_or_zero(run.start));
            let horizon = nothing.horizon.min(lengths.max().unwrap_or_default());
            Scenario { horizon, ..nothing }
        }
    };
    let plain: Vec<Observations> =
        warm.par_iter().map(|warm| warm.with_drills(&nothing).to_its_end()).collect();
    finished("without any failure");
    let costs = |runs: Vec<Observations>, exercise: &Exercise| {
        let pairs = runs.iter().zip(&plain);
        let costs = pairs.filter_map(|(with, without)| cost(with, without, goal)).collect();
        Held { exercise: exercise.clone(), runs, costs }
    };
    let held = held.into_iter().zip(exercises).map(|(runs, exercise)| costs(runs, exercise)).collect();
    (plain, held)
}

/// Runs as many replications as were asked for, and judges them.
pub fn until_sure(
    scenario: &Scenario,
    base: u64,
    replications: Replications,
    finished: impl Fn(&Observations) + Sync,
) -> (Vec<Observations>, Verdict) {
    let (first, most) = match replications {
        Replications::Fixed(count) => (count, count),
        Replications::UntilSure => (FIRST, MOST),
    };
    let mut runs = replicate(scenario, base, 0..first, &finished);
    loop {
        let verdict = judge(scenario, &runs);
        let done = runs.len() as u32;
        // Where every run outgrew its limits, so will the next.
        let hopeless = runs.iter().all(|run| run.stopped.is_some());
        let settled = verdict.outcome == Outcome::Missed && done >= SETTLED;
        if done >= most || hopeless || settled || !more_needed(&verdict) {
            return (runs, verdict);
        }
        runs.extend(replicate(scenario, base, done..(done + FURTHER).min(most), &finished));
    }
}
