//! Simulate once; replicate in parallel, until the verdict is sure.

use std::ops::Range;

use rayon::prelude::*;

use crate::judge::drill::{Cost, cost};
use crate::judge::{Outcome, Verdict, judge, more_needed};
use crate::observe::Observations;
use crate::scenario::catalogue::{self, Exercise};
use crate::scenario::{Fidelity, Scenario};
use crate::sim::random::Seed;
use crate::world;

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

/// Holds every exercise on the scenario at its peak, each on its own, and the
/// same time without any; `goal` is the success ratio that users are promised.
/// The first answer are the runs without.
pub fn drill(
    scenario: &Scenario,
    exercises: &[Exercise],
    goal: f64,
    base: u64,
    replications: u32,
    finished: impl Fn(&str) + Sync,
) -> (Vec<Observations>, Vec<Held>) {
    let ground = Ground::of(scenario, goal, base, replications);
    finished("without any failure");
    let held = ground.hold(exercises, finished);
    (ground.plain, held)
}

/// A scenario at its peak, and how it goes there without any failure: what drills
/// are held on and compared with.
#[derive(Clone, Debug)]
pub struct Ground {
    at_peak: Scenario,
    /// The runs without any failure.
    plain: Vec<Observations>,
    /// The success ratio that users are promised.
    goal: f64,
    base: u64,
}

impl Ground {
    /// Simulates the time without any failure, so often.
    pub fn of(scenario: &Scenario, goal: f64, base: u64, replications: u32) -> Self {
        // What a drill costs is seen second by second.
        let at_peak = Scenario { fidelity: Fidelity::Full, ..catalogue::at_peak(scenario) };
        let plain = replicate(&catalogue::nothing(&at_peak), base, 0..replications, |_| ());
        Self { at_peak, plain, goal, base }
    }

    /// Holds every exercise, each on its own and as often as there are runs without.
    pub fn hold(&self, exercises: &[Exercise], finished: impl Fn(&str) + Sync) -> Vec<Held> {
        let hold = |exercise: &Exercise| {
            let held = catalogue::held(&self.at_peak, exercise);
            let runs = replicate(&held, self.base, 0..self.plain.len() as u32, |_| ());
            let pairs = runs.iter().zip(&self.plain);
            let costs = pairs.filter_map(|(with, without)| cost(with, without, self.goal)).collect();
            finished(&exercise.name);
            Held { exercise: exercise.clone(), runs, costs }
        };
        exercises.par_iter().map(hold).collect()
    }
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
