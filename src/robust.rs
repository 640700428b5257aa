//! How settings fare where what nobody knows for sure is otherwise.
//!
//! 1. **Worlds.** Every unknown gets a value of its range, by a Latin hypercube: each
//!    of `n` equally likely parts of every range occurs in one of `n` worlds, in an
//!    order of its own (McKay, Beckman, Conover 1979).
//! 2. **Regret.** All settings meet the same requests in the same worlds. In each it
//!    shows what the best of them would have kept, and at which cost.
//! 3. **Swings.** One unknown at a time at both ends of its range, the others in the
//!    middle, under the same requests: what differs is that unknown's doing.

use rayon::prelude::*;

use crate::input::world::{Unknown, World};
use crate::judge::{Outcome, estimate, judge};
use crate::run;
use crate::scenario::{Comparison, Indicator, Kind, Objective, Scenario};
use crate::sim::random::Seed;
use crate::tune::probe::{self, Need};
use crate::tune::score::{Score, margin};
use crate::tune::site::Site;
use crate::tune::window;

/// Settings that are looked at.
pub struct Side {
    /// What they are called.
    pub name: String,
    /// The scenario with every unknown in the middle.
    pub scenario: Scenario,
    /// What its autoscalers and pods are, to start them in their stride.
    pub sites: Vec<Site>,
    /// What each site needs at the peak.
    pub needs: Vec<Need>,
}

/// What is asked.
pub struct Question<'a, F> {
    /// The settings, the one in question first; at least one.
    pub sides: &'a [Side],
    /// What is not known for sure.
    pub unknowns: &'a [Unknown],
    /// The scenario of a side in a world; `None` where it doesn't read there.
    pub in_world: F,
    /// Where all chance comes from.
    pub seed: u64,
    /// How many worlds.
    pub worlds: u32,
    /// Whether the whole time is simulated, and not only its hardest minutes.
    pub whole: bool,
}

/// What came of settings in one world.
#[derive(Clone, Debug, PartialEq)]
pub struct Fare {
    /// For each of the objectives that are looked at its value.
    pub values: Vec<Option<f64>>,
    /// For each whether it is kept; `None` where there was nothing to measure.
    pub kept: Vec<Option<bool>>,
    /// How far objectives are missed, summed.
    pub violation: f64,
    /// Money per month at the mean of what was simulated; `None` where nothing was.
    pub cost: Option<f64>,
}

impl Fare {
    /// Whether nothing is missed.
    pub fn keeps_all(&self) -> bool {
        self.kept.iter().all(|kept| *kept != Some(false))
    }

    /// How far an objective is kept (above 0) or missed.
    fn margin(&self, number: usize, objective: &Objective) -> f64 {
        match (self.values[number], self.kept[number]) {
            (Some(value), _) => margin(objective, value),
            (None, Some(false)) => -8.0,
            (None, _) => 0.0,
        }
    }
}

/// How one side fares.
#[derive(Clone, Debug, PartialEq)]
pub struct Fared {
    /// What it is called.
    pub name: String,
    /// With every unknown in the middle.
    pub middle: Fare,
    /// In every world.
    pub worlds: Vec<Fare>,
    /// What another of the sides would have spared.
    pub regret: Regret,
}

impl Fared {
    /// Money per month in the mean of the worlds whose files can be read; `None` where there
    /// is none.
    pub fn mean_cost(&self) -> Option<f64> {
        let read: Vec<f64> = self.worlds.iter().filter_map(|fare| fare.cost).collect();
        (!read.is_empty()).then(|| read.iter().sum::<f64>() / read.len() as f64)
    }
}

/// What is regretted of a choice once the world is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regret {
    /// Worlds in which it misses an objective, and another side misses none.
    pub missed: usize,
    /// Worlds in which it misses an objective, and so does every other side.
    pub hopeless: usize,
    /// Money per month beyond the cheapest side that keeps all, as the mean over
    /// the worlds in which it keeps all; 0 where there is none.
    pub extra: f64,
}

/// One unknown at both ends of its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Swing {
    /// Which, as an index into the unknowns.
    pub unknown: usize,
    /// At its low end.
    pub low: Fare,
    /// At its high end.
    pub high: Fare,
    /// Objectives that are kept at one place of the range and missed at another.
    pub decides: Vec<usize>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Robustness {
    /// The objectives that were looked at, as indices into the policy's. All other
    /// numbers of objectives are indices into this list.
    pub objectives: Vec<usize>,
    /// Objectives that were not, and why.
    pub left_out: Vec<(usize, &'static str)>,
    /// Every side, in the order of the question.
    pub sides: Vec<Fared>,
    /// Of the first side: what decides most first.
    pub swings: Vec<Swing>,
    /// The objective that the unknowns decide most; `None` where there is none.
    pub torn: Option<usize>,
}

impl Robustness {
    /// In how many worlds a side keeps an objective, and of how many.
    pub fn kept(&self, side: usize, objective: usize) -> (u64, u64) {
        let all = self.sides[side].worlds.iter().filter_map(|fare| fare.kept[objective]);
        all.fold((0, 0), |(kept, of), one| (kept + u64::from(one), of + 1))
    }

    /// Whether an objective had anything to measure in any world of the first side.
    pub fn is_judged(&self, objective: usize) -> bool {
        self.kept(0, objective).1 > 0
    }

    /// In how many worlds a side keeps all objectives, and of how many.
    pub fn keeps_all(&self, side: usize) -> (u64, u64) {
        let worlds = &self.sides[side].worlds;
        (worlds.iter().filter(|fare| fare.keeps_all()).count() as u64, worlds.len() as u64)
    }

    /// The side that is regretted least; the earlier of two alike.
    pub fn least_regret(&self) -> usize {
        let of = |side: &usize| self.sides[*side].regret;
        let order = |a: &usize, b: &usize| {
            of(a).missed.cmp(&of(b).missed).then(of(a).extra.total_cmp(&of(b).extra)).then(a.cmp(b))
        };
        (0..self.sides.len()).min_by(order).unwrap_or(0)
    }

    /// The unknown that decides an objective of the first side most.
    pub fn decider(&self, scenario: &Scenario, objective: usize) -> Option<&Swing> {
        let goal = &scenario.goals.objectives[self.objectives[objective]];
        let width = |swing: &Swing| width(swing, objective, goal);
        let first = self.swings.iter().max_by(|a, b| width(a).total_cmp(&width(b)))?;
        (width(first) > NOTABLE).then_some(first)
    }

    /// The share with Wilson's interval at the policy's confidence.
    pub fn share((kept, of): (u64, u64), confidence: f64) -> (f64, (f64, f64)) {
        (kept as f64 / (of as f64).max(1.0), estimate::wilson(kept, of, confidence))
    }
}

/// Margins that differ by less than this (2 %) are the same.
const NOTABLE: f64 = 0.02;

/// By how much one unknown moves an objective from one end to the other.
fn width(swing: &Swing, number: usize, objective: &Objective) -> f64 {
    (swing.low.margin(number, objective) - swing.high.margin(number, objective)).abs()
}

/// Answers a question; `say` hears of progress.
pub fn robustness<F>(question: &Question<'_, F>, say: impl Fn(&str) + Sync) -> Robustness
where
    F: Fn(usize, &World) -> Option<Scenario> + Sync,
{
    let scenario = &question.sides[0].scenario;
    let (objectives, left_out) = judged(scenario, question.whole);
    let task = Task { question, objectives: &objectives };
    let middle: Vec<Fare> =
        (0..question.sides.len()).into_par_iter().map(|side| task.fare(side, &World::default())).collect();
    let swings = task.swings(&middle[0]);
    say(&format!("{} unknowns tried at both ends", question.unknowns.len()));
    let worlds = hypercube(question.unknowns, question.worlds, question.seed);
    let mut fares: Vec<Vec<Fare>> = Vec::new();
    for side in 0..question.sides.len() {
        fares.push(worlds.par_iter().map(|world| task.fare(side, world)).collect());
        say(&format!("{}: {} worlds", question.sides[side].name, worlds.len()));
    }
    let regrets: Vec<Regret> = (0..fares.len()).map(|side| regret(side, &fares)).collect();
    let sides = question.sides.iter().zip(middle).zip(fares.into_iter().zip(regrets));
    let sides = sides.map(|((side, middle), (worlds, regret))| Fared {
        name: side.name.clone(),
        middle,
        worlds,
        regret,
    });
    let mut found = Robustness { objectives, left_out, sides: sides.collect(), swings, torn: None };
    found.torn = torn(&found, scenario);
    sort(&mut found, scenario);
    found
}

/// A question with the objectives that are looked at.
struct Task<'a, F> {
    question: &'a Question<'a, F>,
    objectives: &'a [usize],
}

impl<F: Fn(usize, &World) -> Option<Scenario> + Sync> Task<'_, F> {
    /// How a side fares in a world: one run, under the same requests for all.
    fn fare(&self, side: usize, world: &World) -> Fare {
        let Question { sides, in_world, seed, whole, .. } = self.question;
        let of = &sides[side];
        let Some(mut scenario) = in_world(side, world) else { return self.unreadable() };
        let all = std::mem::take(&mut scenario.goals.objectives);
        scenario.goals.objectives = self.objectives.iter().map(|one| all[*one].clone()).collect();
        if !*whole {
            let needs = probe::elsewhere(&of.needs, &of.sites, &of.scenario, &scenario);
            scenario = window::hardest(&scenario, &of.sites, &needs);
        }
        let runs = run::replicate(&scenario, *seed, 0..1, |_| ());
        let verdict = judge(&scenario, &runs);
        let score = Score::of(&scenario, &runs, &verdict);
        let kept = scenario.goals.objectives.iter().zip(&verdict.objectives).map(|(objective, judged)| {
            let holds = |value: f64| objective.comparison.holds(value, objective.goal);
            match judged.measured {
                Some(measured) => Some(holds(measured.value) && runs[0].stopped.is_none()),
                None => (judged.outcome == Outcome::Missed).then_some(false),
            }
        });
        Fare {
            kept: kept.collect(),
            violation: score.violation,
            cost: Some(score.nodes),
            values: score.values,
        }
    }

    /// A world that the files refuse keeps nothing.
    fn unreadable(&self) -> Fare {
        let number = self.objectives.len();
        Fare {
            values: vec![None; number],
            kept: vec![Some(false); number],
            violation: f64::INFINITY,
            cost: None,
        }
    }

    /// Every unknown of the first side at both ends.
    fn swings(&self, middle: &Fare) -> Vec<Swing> {
        let in_the_middle = (self.question.in_world)(0, &World::default());
        let one = |(index, unknown): (usize, &Unknown)| {
            let at = |share: f64| {
                let world = World::with(&unknown.key, share);
                // What only another side has changes nothing here.
                let same = (self.question.in_world)(0, &world) == in_the_middle;
                if same { middle.clone() } else { self.fare(0, &world) }
            };
            let (low, high) = rayon::join(|| at(0.0), || at(1.0));
            let decides = (0..self.objectives.len()).filter(|number| {
                let [low, high, middle] = [&low, &high, middle].map(|fare| fare.kept[*number] == Some(false));
                low != high || low != middle
            });
            let decides = decides.collect();
            Swing { unknown: index, low, high, decides }
        };
        self.question.unknowns.par_iter().enumerate().map(one).collect()
    }
}

/// The objectives that can be judged, and why the others can't.
fn judged(scenario: &Scenario, whole: bool) -> (Vec<usize>, Vec<(usize, &'static str)>) {
    let all = &scenario.goals.objectives;
    let why = |objective: &Objective| {
        if objective.indicator.needs_drill() || matches!(objective.scope, crate::scenario::Scope::Drill(_)) {
            return Some("needs a drill");
        }
        (!whole && !at_peak(objective)).then_some("of the whole time, not of its hardest minutes (--whole)")
    };
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (number, objective) in all.iter().enumerate() {
        match why(objective) {
            Some(why) => left_out.push((number, why)),
            None => kept.push(number),
        }
    }
    (kept, left_out)
}

/// Whether the hardest minutes say what the whole time would: not of means over all
/// of it, nor of what is least or quiet.
fn at_peak(objective: &Objective) -> bool {
    match objective.indicator {
        Indicator::Availability
        | Indicator::Latency { .. }
        | Indicator::CarriedUsers
        | Indicator::ReplicasMax
        | Indicator::PodsMax
        | Indicator::NodesMax => true,
        Indicator::FailedRequests | Indicator::PendingPodSeconds | Indicator::Restarts => {
            objective.comparison == Comparison::AtMost
        }
        _ => false,
    }
}

/// The worlds: for every unknown a random order of equal parts of its range, by a
/// stream of its own, so that one unknown more leaves the others as they were.
pub fn hypercube(unknowns: &[Unknown], worlds: u32, seed: u64) -> Vec<World> {
    let mut all = vec![World::default(); worlds as usize];
    for unknown in unknowns {
        let mut stream = Seed { base: seed, replication: 0 }.stream(&format!("world: {}", unknown.key));
        let mut parts: Vec<u32> = (0..worlds).collect();
        // Fisher and Yates.
        for last in (1..parts.len()).rev() {
            parts.swap(last, stream.below(last as u64 + 1) as usize);
        }
        for (world, part) in all.iter_mut().zip(parts) {
            let share = (f64::from(part) + stream.unit()) / f64::from(worlds);
            world.0.insert(unknown.key.clone(), share);
        }
    }
    all
}

fn regret(side: usize, fares: &[Vec<Fare>]) -> Regret {
    let mut regret = Regret { missed: 0, hopeless: 0, extra: 0.0 };
    let mut keeps = 0.0;
    for (world, own) in fares[side].iter().enumerate() {
        let cheapest = fares.iter().map(|one| &one[world]).filter(|fare| fare.keeps_all());
        let cheapest = cheapest.filter_map(|fare| fare.cost).min_by(f64::total_cmp);
        match (cheapest, own.cost) {
            (Some(cheapest), Some(cost)) if own.keeps_all() => {
                regret.extra += cost - cheapest;
                keeps += 1.0;
            }
            (Some(_), _) => regret.missed += 1,
            (None, _) => regret.hopeless += 1,
        }
    }
    if keeps > 0.0 {
        regret.extra /= keeps;
    }
    regret
}

/// The objective that it depends on the world most whether the first side keeps it;
/// else the one that comes closest to its goal.
fn torn(found: &Robustness, scenario: &Scenario) -> Option<usize> {
    let undecided = |number: usize| {
        let (kept, of) = found.kept(0, number);
        kept.min(of - kept)
    };
    let widest = |number: usize| {
        let objective = &scenario.goals.objectives[found.objectives[number]];
        found.swings.iter().map(|swing| width(swing, number, objective)).fold(0.0, f64::max)
    };
    let flips = |number: usize| found.swings.iter().filter(|one| one.decides.contains(&number)).count();
    // What users feel before what the cluster holds.
    let felt = |number: usize| {
        let indicator = scenario.goals.objectives[found.objectives[number]].indicator;
        let felt = matches!(indicator, Indicator::Availability | Indicator::Latency { .. });
        felt && undecided(number) > 0
    };
    let rank = |number: usize| (felt(number), undecided(number), flips(number));
    let order = |a: &usize, b: &usize| rank(*a).cmp(&rank(*b)).then(widest(*a).total_cmp(&widest(*b)));
    // Of two alike the policy's first.
    let numbers = (0..found.objectives.len()).rev().filter(|number| widest(*number) > NOTABLE);
    numbers.max_by(order)
}

/// What decides the torn objective comes first, then what decides most others, then
/// what moves the torn one most, then what moves any.
fn sort(found: &mut Robustness, scenario: &Scenario) {
    let objective = |number: usize| &scenario.goals.objectives[found.objectives[number]];
    let key = |swing: &Swing| {
        let torn = found.torn.map_or(0.0, |number| width(swing, number, objective(number)));
        let all: f64 =
            (0..found.objectives.len()).map(|number| width(swing, number, objective(number))).sum();
        let decides = found.torn.is_some_and(|number| swing.decides.contains(&number));
        ((decides, swing.decides.len()), torn, all)
    };
    let mut keyed: Vec<(((bool, usize), f64, f64), Swing)> =
        found.swings.iter().map(|swing| (key(swing), swing.clone())).collect();
    keyed.sort_by(|(a, one), (b, other)| {
        b.0.cmp(&a.0)
            .then(b.1.total_cmp(&a.1))
            .then(b.2.total_cmp(&a.2))
            .then(one.unknown.cmp(&other.unknown))
    });
    found.swings = keyed.into_iter().map(|(_, swing)| swing).collect();
}

/// The scenario with so many times the pods of everything that scales, whether an
/// HPA or nobody scales it: what settings are compared with where there are no others.
pub fn with_pods(scenario: &Scenario, factor: f64) -> Scenario {
    let mut other = scenario.clone();
    let times = |pods: u32| ((f64::from(pods) * factor).ceil() as u32).max(1);
    for hpa in &mut other.autoscalers {
        hpa.spec.min_replicas = times(hpa.spec.min_replicas);
        hpa.spec.max_replicas = times(hpa.spec.max_replicas).max(hpa.spec.min_replicas);
    }
    for (index, workload) in other.workloads.iter_mut().enumerate() {
        let scaled = scenario.autoscalers.iter().any(|hpa| hpa.workload == index);
        let deployment = matches!(workload.kind, Kind::Deployment { .. });
        let many = workload.replicas > 1 && !workload.template.single_node_volume;
        if scaled || (deployment && many) {
            workload.replicas = times(workload.replicas);
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::scalar::Scalar;
    use crate::scenario::Basis;

    fn unknowns(number: usize) -> Vec<Unknown> {
        let (low, high) = (Scalar::from("1ms"), Scalar::from("9ms"));
        let one = |index: usize| {
            Unknown::new(&format!("web/{index}: CPU"), (&low, &index.to_string(), &high), Basis::Prior, "")
        };
        (0..number).map(one).collect()
    }

    #[test]
    fn every_part_of_every_range_occurs_once() {
        let all = unknowns(3);
        let worlds = hypercube(&all, 8, 7);
        for unknown in &all {
            let mut parts: Vec<u32> = worlds.iter().map(|one| (one.0[&unknown.key] * 8.0) as u32).collect();
            assert!(!parts.is_sorted(), "{}", unknown.key);
            parts.sort_unstable();
            assert_eq!(parts, (0..8).collect::<Vec<_>>(), "{}", unknown.key);
        }
        // One more unknown leaves the others where they were.
        let more = hypercube(&unknowns(4), 8, 7);
        for (world, other) in worlds.iter().zip(&more) {
            assert!(all.iter().all(|one| world.0[&one.key].total_cmp(&other.0[&one.key]).is_eq()));
        }
        assert_ne!(worlds, hypercube(&all, 8, 8));
    }

    fn fare(kept: bool, cost: f64) -> Fare {
        let (violation, cost) = (f64::from(u8::from(!kept)), Some(cost));
        Fare { values: vec![None], kept: vec![Some(kept)], violation, cost }
    }

    #[test]
    fn only_what_another_would_have_spared_is_regretted() {
        let small = vec![fare(true, 100.0), fare(false, 100.0), fare(false, 100.0)];
        let large = vec![fare(true, 130.0), fare(true, 150.0), fare(false, 150.0)];
        let fares = [small, large];
        assert_eq!(regret(0, &fares), Regret { missed: 1, hopeless: 1, extra: 0.0 });
        assert_eq!(regret(1, &fares), Regret { missed: 0, hopeless: 1, extra: 15.0 });
    }

    #[test]
    fn worlds_that_cannot_be_read_cost_nothing_known() {
        let unread = Fare { cost: None, ..fare(false, 0.0) };
        let side = |worlds: &[Fare]| {
            let regret = Regret { missed: 0, hopeless: 0, extra: 0.0 };
            Fared { name: String::new(), middle: unread.clone(), worlds: worlds.to_vec(), regret }
        };
        let of = |worlds: &[Fare]| side(worlds).mean_cost();
        assert_eq!(of(&[fare(true, 100.0), unread.clone(), fare(false, 130.0)]), Some(115.0));
        assert_eq!(of(std::slice::from_ref(&unread)), None);
    }
}
