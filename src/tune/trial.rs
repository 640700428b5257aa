//! Guards on trial: each is left out once, and kept if that loses requests.

use super::search::Finalist;
use super::site::Site;
use super::{Guard, Settings, Task};
use crate::change::ChangeSet;
use crate::judge::drill::{Summary, summary};
use crate::run::Ground;
use crate::scenario::Scenario;
use crate::scenario::catalogue::{self, Exercise};
use crate::units::figures::{count, seconds};

/// How often each drill is held.
const REPLICATIONS: u32 = 2;
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
    // What is known of the settings so far: only the side without a guard is new.
    let mut with: Option<Bench> = None;
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
        let on = with.get_or_insert_with(|| Bench::new(&on, goal, task.seed));
        let mut off = Bench::new(&off, goal, task.seed);
        let (kept, because) = compared(on, &mut off, guard);
        if !kept {
            settings = without;
            with = Some(off);
        }
        let verdict = if kept { "kept" } else { "left out" };
        say(&format!("{}: {verdict}: {because}", guard.in_words()));
        tested.push(Tested { guard, kept, because });
    }
    (settings, tested)
}

/// Whether a guard loses fewer requests or brings users back sooner.
fn compared(on: &mut Bench, off: &mut Bench, guard: Guard) -> (bool, String) {
    let mut nothing = Vec::new();
    for name in guard.drills() {
        let (Some(with), Some(without)) = (on.hold(name), off.hold(name)) else { continue };
        let (lost, before) = (with.lost.value, without.lost.value);
        if before - lost > NOTABLE && before > 1.05 * lost {
            let text = format!("without it {name} loses {} requests, with it {}", count(before), count(lost));
            return (true, text);
        }
        let back = |one: &Summary| one.users_recovered.map_or(f64::INFINITY, |back| back.value);
        if back(&without) - back(&with) > NOTABLE_SECONDS {
            let late =
                if back(&without).is_finite() { seconds(back(&without)) } else { "too late".to_owned() };
            let text =
                format!("without it users are back {late} after {name}, with it {}", seconds(back(&with)));
            return (true, text);
        }
        let restored = |one: &Summary| one.capacity_restored.map_or(f64::INFINITY, |back| back.value);
        if restored(&without) > 1.2 * restored(&with) + NOTABLE_SECONDS {
            let late = restored(&without);
            let late =
                if late.is_finite() { format!("after {}", seconds(late)) } else { "not in time".to_owned() };
            let soon = seconds(restored(&with));
            return (true, format!("without it {name} has its pods back {late}, with it after {soon}"));
        }
        nothing.push(*name);
    }
    (false, format!("makes no difference to {}", nothing.join(" and ")))
}

/// Settings at their peak, and the drills that were held there so far.
struct Bench {
    ground: Ground,
    exercises: Vec<Exercise>,
    confidence: f64,
    held: Vec<(&'static str, Option<Summary>)>,
}

impl Bench {
    fn new(scenario: &Scenario, goal: f64, seed: u64) -> Self {
        let exercises = catalogue::busiest(scenario).map(|target| catalogue::exercises(scenario, target));
        Self {
            ground: Ground::of(scenario, goal, seed, REPLICATIONS),
            exercises: exercises.unwrap_or_default(),
            confidence: scenario.goals.confidence,
            held: Vec::new(),
        }
    }

    /// What a drill costs, held once; `None` where there is none of that name or
    /// it did not strike.
    fn hold(&mut self, name: &'static str) -> Option<Summary> {
        if let Some((_, known)) = self.held.iter().find(|(known, _)| *known == name) {
            return known.clone();
        }
        let exercise = self.exercises.iter().find(|one| one.name == name);
        let held = exercise.and_then(|one| self.ground.hold(std::slice::from_ref(one), |_| ()).pop());
        let costs = held.map(|one| one.costs).filter(|costs| !costs.is_empty());
        let summary = costs.map(|costs| summary(&costs, self.confidence));
        self.held.push((name, summary.clone()));
        summary
    }
}
