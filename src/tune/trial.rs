//! Guards on trial. What the search takes for granted is left out once, and kept if
//! that loses requests; what goes further is added where something is lost, and kept
//! if that loses less and breaks nothing else.

use super::score::Score;
use super::search::{self, Finalist, Found, SECOND_LOOK};
use super::site::{Site, serves_alone};
use super::{Guard, Settings, Task, window};
use crate::change::ChangeSet;
use crate::judge::drill::{Cost, Summary, summary};
use crate::run::{self, Watched};
use crate::scenario::Scenario;
use crate::scenario::catalogue::{self, Exercise};
use crate::units::figures::{count, money, percent, seconds};

/// How often each drill is held.
const REPLICATIONS: u32 = 2;
/// Drills that strike a node, and how often these are held: where the node of a database
/// that there is once is struck, nothing else matters.
const ON_NODES: ([&str; 3], u32) = (["node-failure", "node-upgrade", "zone-outage"], 4);
/// Fewer requests lost make no difference.
const NOTABLE: f64 = 1.0;
/// Nor does less than this many times as many: two runs say no more.
const TIMES: f64 = 1.2;
/// Users back sooner by less than this make no difference.
const NOTABLE_SECONDS: f64 = 2.0;
/// Nor by less than this part.
const SOONER: f64 = 1.05;
/// Money saved below this part makes no difference.
const NOTABLE_COST: f64 = 0.01;

/// How reasons of guards begin that no drill shows to be of use.
pub const NO_DIFFERENCE: &str = "makes no difference to ";
/// The same where there was nothing to be gained.
pub const NO_LOSS: &str = "nothing is lost without it in ";

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

/// Tries every guard of the finalist's settings, and then those that go further.
/// The guards that are kept, and what was found.
pub fn guards<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    finalist: &Finalist,
    goal: f64,
    say: impl Fn(&str) + Sync,
) -> (Settings, Vec<Tested>) {
    let sites = &found.sites;
    let mut settings = finalist.settings.clone();
    let mut tested = Vec::new();
    // What is known of the settings so far: only the side without a guard is new.
    let mut with: Option<Bench> = None;
    for guard in finalist.settings.guards.clone() {
        if task.stopped() {
            break;
        }
        let mut without = settings.clone();
        without.guards.retain(|one| *one != guard);
        if same(task, sites, &settings, &without) {
            settings = without;
            continue;
        }
        let (Some(on), Some(off)) = (task.scenario_of(sites, &settings), task.scenario_of(sites, &without))
        else {
            continue;
        };
        let on = with.get_or_insert_with(|| {
            let mut bench = Bench::new(&on, found, goal, task.seed);
            bench.hold_all(settings.guards.iter().flat_map(|guard| guard.drills()).copied());
            bench
        });
        let mut off = Bench::new(&off, found, goal, task.seed);
        let (kept, because) = compared(on, &mut off, guard);
        if !kept {
            settings = without;
            with = Some(off);
        }
        note(&mut tested, Tested { guard, kept, because }, &say);
    }
    further(task, found, goal, (&mut settings, with), &mut tested, say);
    (settings, tested)
}

fn note(tested: &mut Vec<Tested>, one: Tested, say: &impl Fn(&str)) {
    let verdict = if one.kept { "kept" } else { "left out" };
    say(&format!("{}: {verdict}: {}", one.guard.in_words(), one.because));
    tested.push(one);
}

/// Whether two settings come to the same objects.
fn same<A>(task: &Task<'_, A>, sites: &[Site], one: &Settings, other: &Settings) -> bool {
    let changes = |settings: &Settings| settings.changes(sites, task.objects, &super::Reasons::default());
    changes(one) == changes(other)
}

/// Adds guards one after the other, where the drills of one still lose something.
fn further<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    goal: f64,
    (settings, bench): (&mut Settings, Option<Bench>),
    tested: &mut Vec<Tested>,
    say: impl Fn(&str) + Sync,
) {
    let sites = &found.sites;
    let Some(mut scenario) = task.scenario_of(sites, settings) else { return };
    let mut bench = bench.unwrap_or_else(|| Bench::new(&scenario, found, goal, task.seed));
    bench.hold_all(Guard::FURTHER.iter().flat_map(|guard| guard.drills()).copied());
    for guard in Guard::FURTHER {
        if task.stopped() {
            return;
        }
        let mut more = settings.clone();
        more.guards.push(guard);
        let out_of_place = guard == Guard::Priority && !serves_alone(&scenario, sites);
        if out_of_place || same(task, sites, settings, &more) {
            continue;
        }
        let Some(changed) = task.scenario_of(sites, &more) else { continue };
        if changed == scenario {
            // A field that this release, or this simulation, does not heed.
            continue;
        }
        let outcome = if guard == Guard::Shrink {
            saves(task.seed, &scenario, &changed).map(|because| {
                let mut with = Bench::new(&changed, found, goal, task.seed);
                (harm(&mut with, &mut bench, guard).map_or(Ok(because), Err), with)
            })
        } else if bench.suffers(guard) {
            let mut with = Bench::new(&changed, found, goal, task.seed);
            let verdict = weighed(task, found, (&changed, &mut with), (&scenario, &mut bench), guard);
            Ok((verdict, with))
        } else {
            Err(format!("{NO_LOSS}{}", guard.drills().join(" and ")))
        };
        let (kept, because) = match outcome {
            Ok((Ok(because), with)) => {
                (*settings, scenario, bench) = (more, changed, with);
                (true, because)
            }
            Ok((Err(because), _)) | Err(because) => (false, because),
        };
        note(tested, Tested { guard, kept, because }, &say);
    }
}

/// Whether an addition is worth it: it loses less in one of its drills, more in
/// none, and breaks nothing on a plain day.
fn weighed<A>(
    task: &Task<'_, A>,
    found: &Found,
    (changed, with): (&Scenario, &mut Bench),
    (scenario, without): (&Scenario, &mut Bench),
    guard: Guard,
) -> Result<String, String> {
    if guard == Guard::Deadline {
        let late = |bench: &Bench| bench.late;
        return match (late(without), {
            with.hold("rollout");
            late(with)
        }) {
            (Some(after), None) => Ok(format!(
                "a good rollout is not done after {}: it would be taken for a failed one",
                seconds(after)
            )),
            _ => Err(format!("{NO_DIFFERENCE}rollout")),
        };
    }
    let (better, because) = compared(with, without, guard);
    if !better {
        return Err(because);
    }
    if let Some(harm) = harm(with, without, guard) {
        return Err(harm);
    }
    let calm = |scenario: &Scenario| {
        search::on_hardest(scenario, &found.sites, &found.needs, task.seed, 1..1 + SECOND_LOOK).violation
    };
    // What lingers holds its place on the node after every scale-down, too.
    let on_plain_days = guard.is_of_hpa() || guard == Guard::Linger;
    if on_plain_days && calm(changed) > calm(scenario) {
        return Err("on a plain day it breaks an objective".to_owned());
    }
    Ok(because)
}

/// What gets worse in a guard's drills with it.
fn harm(with: &mut Bench, without: &mut Bench, guard: Guard) -> Option<String> {
    guard.drills().iter().find_map(|name| {
        let (lost, before) = (with.hold(name)?.lost.value, without.hold(name)?.lost.value);
        let worse = lost - before > NOTABLE && lost > 1.05 * before;
        worse.then(|| format!("with it {name} loses {} requests, without it {}", count(lost), count(before)))
    })
}

/// What pods and nodes cost less over the whole time, where nothing is missed more.
fn saves(seed: u64, scenario: &Scenario, changed: &Scenario) -> Result<String, String> {
    let (before, after) =
        rayon::join(|| search::on_whole(scenario, seed), || search::on_whole(changed, seed));
    let ((missed, cost), (missed_after, cost_after)) = (before.rank(), after.rank());
    let currency = &scenario.goals.currency;
    let worth = |score: &Score| money(score.nodes + score.booked, currency);
    if missed_after > missed {
        return Err("over the whole time it misses an objective by more".to_owned());
    }
    if cost_after > cost * (1.0 - NOTABLE_COST) {
        return Err(format!("it saves less than {} over the whole time", percent(NOTABLE_COST)));
    }
    Ok(format!(
        "nodes and what pods ask for come to {} a month with it, {} without it",
        worth(&after),
        worth(&before)
    ))
}

/// Whether a guard loses fewer requests or brings users back sooner.
fn compared(on: &mut Bench, off: &mut Bench, guard: Guard) -> (bool, String) {
    let mut nothing = Vec::new();
    on.hold_all(guard.drills().iter().copied());
    off.hold_all(guard.drills().iter().copied());
    for name in guard.drills() {
        let Some((with, without)) = on.beside(off, name) else { continue };
        let (lost, before) = (with.lost.value, without.lost.value);
        if before - lost > NOTABLE && before > TIMES * lost {
            let text = format!("without it {name} loses {} requests, with it {}", count(before), count(lost));
            return (true, text);
        }
        let back = |one: &Summary| one.users_recovered.map_or(f64::INFINITY, |back| back.value);
        if back(&without) - back(&with) > NOTABLE_SECONDS && back(&without) > SOONER * back(&with) {
            let late =
                if back(&without).is_finite() { seconds(back(&without)) } else { "too late".to_owned() };
            let text =
                format!("without it users are back {late} after {name}, with it {}", seconds(back(&with)));
            return (true, text);
        }
        let restored = |one: &Summary| one.capacity_restored.map_or(f64::INFINITY, |back| back.value);
        if restored(&without) > TIMES * restored(&with) + NOTABLE_SECONDS {
            let late = restored(&without);
            let late =
                if late.is_finite() { format!("after {}", seconds(late)) } else { "not in time".to_owned() };
            let soon = seconds(restored(&with));
            return (true, format!("without it {name} has its pods back {late}, with it after {soon}"));
        }
        nothing.push(*name);
    }
    (false, format!("{NO_DIFFERENCE}{}", nothing.join(" and ")))
}

/// Settings at their peak, and the drills that were held there so far.
struct Bench {
    peak: Scenario,
    exercises: Vec<Exercise>,
    goal: f64,
    seed: u64,
    held: Vec<(&'static str, Vec<Cost>)>,
    /// A good rollout was not done after so long, in seconds, and counted as failed.
    late: Option<f64>,
}

impl Bench {
    fn new(scenario: &Scenario, found: &Found, goal: f64, seed: u64) -> Self {
        let exercises = catalogue::busiest(scenario).map(|target| catalogue::exercises(scenario, target));
        Self {
            peak: window::peak(scenario, &found.sites, &found.needs),
            exercises: exercises.unwrap_or_default(),
            goal,
            seed,
            held: Vec::new(),
            late: None,
        }
    }

    /// Whether users lose anything in the drills of a guard, or a good rollout runs
    /// out of time: where they don't, nothing can be better.
    fn suffers(&mut self, guard: Guard) -> bool {
        let hurts = |one: &Summary| {
            one.lost.value > NOTABLE || one.users_recovered.is_none_or(|back| back.value > NOTABLE_SECONDS)
        };
        self.hold_all(guard.drills().iter().copied());
        let mut seen = guard.drills().iter().filter_map(|name| self.known(name));
        if guard == Guard::Deadline { self.late.is_some() } else { seen.any(|one| hurts(&one)) }
    }

    /// What a drill cost; `None` where it was not held, there is none of that name, or
    /// it did not strike.
    fn known(&self, name: &str) -> Option<Summary> {
        let (_, costs) = self.held.iter().find(|(known, _)| *known == name)?;
        self.sum(costs)
    }

    fn sum(&self, costs: &[Cost]) -> Option<Summary> {
        (!costs.is_empty()).then(|| summary(costs, self.peak.goals.confidence))
    }

    /// What a drill that both have held cost each, by the replications that tell: not
    /// those in which neither recovers.
    fn beside(&self, other: &Self, name: &str) -> Option<(Summary, Summary)> {
        let costs = |of: &Self| Some(of.held.iter().find(|(known, _)| *known == name)?.1.clone());
        let (ours, theirs) = (costs(self)?, costs(other)?);
        let recovers = |one: &Cost| one.users_recovered.is_some() || one.capacity_restored.is_some();
        let pairs: Vec<(Cost, Cost)> = ours.into_iter().zip(theirs).collect();
        let telling = pairs.iter().filter(|(one, other)| recovers(one) || recovers(other)).count();
        let kept = pairs.into_iter().filter(|(one, other)| telling == 0 || recovers(one) || recovers(other));
        let (ours, theirs): (Vec<Cost>, Vec<Cost>) = kept.unzip();
        Some((self.sum(&ours)?, self.sum(&theirs)?))
    }

    /// What a drill costs, held once.
    fn hold(&mut self, name: &'static str) -> Option<Summary> {
        self.hold_all([name]);
        self.known(name)
    }

    /// Holds those that weren't yet, all from one warm-up.
    fn hold_all(&mut self, names: impl IntoIterator<Item = &'static str>) {
        let mut new: Vec<&'static str> = Vec::new();
        for name in names {
            if !new.contains(&name) && self.held.iter().all(|(known, _)| *known != name) {
                new.push(name);
            }
        }
        let (on_nodes, others): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|name| ON_NODES.0.contains(name));
        self.hold_new(&others, REPLICATIONS);
        self.hold_new(&on_nodes, ON_NODES.1);
    }

    fn hold_new(&mut self, names: &[&'static str], replications: u32) {
        let there = |name: &&'static str| self.exercises.iter().find(|one| one.name == **name).cloned();
        let exercises: Vec<Exercise> = names.iter().filter_map(there).collect();
        let how = (replications, Watched::UntilRecovered);
        let mut held = Vec::new();
        if !exercises.is_empty() {
            held = run::drill(&self.peak, &exercises, self.goal, self.seed, how, |_| ()).1;
        }
        let rollouts = held.iter().filter(|one| one.exercise.name == "rollout");
        let rollouts = rollouts.flat_map(|one| &one.runs).flat_map(|run| &run.rollouts);
        let late = rollouts.filter_map(|one| Some(one.timed_out?.since(one.started).as_secs_f64()));
        self.late = late.fold(self.late, |most, one| Some(most.map_or(one, |most| most.max(one))));
        for name in names {
            let one = held.iter_mut().find(|one| one.exercise.name == *name);
            self.held.push((name, one.map_or(Vec::new(), |one| std::mem::take(&mut one.costs))));
        }
    }
}
