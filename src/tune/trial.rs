//! Guards on trial: each is left out once, and kept if that loses requests.

use super::search::Finalist;
use super::site::Site;
use super::{Guard, Settings, Task};
use crate::change::ChangeSet;
use crate::judge::drill::{Summary, summary};
use crate::run;
use crate::scenario::Scenario;
use crate::scenario::catalogue;
use crate::units::figures::{count, seconds};

/// How often each drill is held.
const REPLICATIONS: u32 = 3;
/// Fewer requests lost make no difference.
const NOTABLE: f64 = 1.0;
/// Users back sooner by less than this make no difference.
const NOTABLE_SECONDS: f64 = 2.0;

/// What a guard was found to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// Which.
    pub guard: Guard,
    /// Whether it is kept.
    pub kept: bool,
    /// Why, in one sentence without its full stop.
    pub because: String,
}

/// Tries every guard of the finalist's settings. The guards that are kept, and
/// what was found.
pub fn guards<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    sites: &[Site],
    finalist: &Finalist,
    goal: f64,
    say: impl Fn(&str) + Sync,
) -> (Settings, Vec<Tested>) {
    let mut settings = finalist.settings.clone();
    let mut tested = Vec::new();
    for guard in finalist.settings.guards.clone() {
        let mut without = settings.clone();
        without.guards.retain(|one| *one != guard);
        let same = settings.changes(sites, task.objects, &super::Reasons::default())
            == without.changes(sites, task.objects, &super::Reasons::default());
        if same {
            settings = without;
            continue;
        }
        let (Some(on), Some(off)) = (task.scenario_of(sites, &settings), task.scenario_of(sites, &without))
        else {
            continue;
        };
        let (kept, because) = compared(&on, &off, guard, goal, task.seed);
        if !kept {
            settings = without;
        }
        let verdict = if kept { "kept" } else { "left out" };
        say(&format!("{}: {verdict}: {because}", guard.in_words()));
        tested.push(Tested { guard, kept, because });
    }
    (settings, tested)
}

/// Whether a guard loses fewer requests or brings users back sooner.
fn compared(on: &Scenario, off: &Scenario, guard: Guard, goal: f64, seed: u64) -> (bool, String) {
    let (with, without) = (hold(on, guard, goal, seed), hold(off, guard, goal, seed));
    let mut nothing = Vec::new();
    for ((name, with), (_, without)) in with.iter().zip(&without) {
        let (Some(with), Some(without)) = (with, without) else { continue };
        let (lost, before) = (with.lost.value, without.lost.value);
        if before - lost > NOTABLE && before > 1.05 * lost {
            let text = format!("without it {name} loses {} requests, with it {}", count(before), count(lost));
            return (true, text);
        }
        let back = |one: &Summary| one.users_recovered.map_or(f64::INFINITY, |back| back.value);
        if back(without) - back(with) > NOTABLE_SECONDS {
            let late = if back(without).is_finite() { seconds(back(without)) } else { "too late".to_owned() };
            let text =
                format!("without it users are back {late} after {name}, with it {}", seconds(back(with)));
            return (true, text);
        }
        let restored = |one: &Summary| one.capacity_restored.map_or(f64::INFINITY, |back| back.value);
        if restored(without) > 1.2 * restored(with) + NOTABLE_SECONDS {
            let late = restored(without);
            let late =
                if late.is_finite() { format!("after {}", seconds(late)) } else { "not in time".to_owned() };
            let soon = seconds(restored(with));
            return (true, format!("without it {name} has its pods back {late}, with it after {soon}"));
        }
        nothing.push(*name);
    }
    (false, format!("makes no difference to {}", nothing.join(" and ")))
}

type Held = Vec<(&'static str, Option<Summary>)>;

fn hold(scenario: &Scenario, guard: Guard, goal: f64, seed: u64) -> Held {
    let Some(target) = catalogue::busiest(scenario) else { return Vec::new() };
    let mut exercises = catalogue::exercises(scenario, target);
    exercises.retain(|one| guard.drills().contains(&one.name.as_str()));
    let (_, held) = run::drill(scenario, &exercises, goal, seed, REPLICATIONS, |_| ());
    let confidence = scenario.goals.confidence;
    let named = |name: &&'static str| {
        let held = held.iter().find(|one| one.exercise.name == *name);
        let costs = held.map(|one| one.costs.as_slice()).filter(|costs| !costs.is_empty());
        (*name, costs.map(|costs| summary(costs, confidence)))
    };
    guard.drills().iter().map(named).collect()
}
