//! Candidates against each other: short and hard first, whole days for the best.

use rand::SeedableRng;
use rand_pcg::Pcg64;
use rayon::prelude::*;
use tpe::TpeOptimizer;

use super::probe::{self, Need};
use super::propose::{self, Choice, Room};
use super::rival::{self, Rival};
use super::score::Score;
use super::settings::Settings;
use super::site::{Site, Sizing, sites};
use super::tradeoff::{Tradeoff, tradeoffs};
use super::{Guard, Task, window};
use crate::change::ChangeSet;
use crate::judge::{Outcome, Verdict, judge};
use crate::observe::Observations;
use crate::run::{self, Replications};
use crate::scenario::Scenario;
use crate::sim::random::Seed;
use crate::units::figures::{count, plural};

/// So many candidates are tried side by side before the search learns of them;
/// fixed, as the answer must not depend on the machine.
const BATCH: usize = 4;
/// A model of fewer candidates than this says little of where to look.
const NEAR: usize = 20;
/// Rounds of proposals for each candidate, at most: the rest are known already.
const MOST_ROUNDS: usize = 2;
/// So many go through the whole scenario, at most.
const FINALISTS: usize = 5;
/// The best are tried on this many further seeds before the finals.
pub(super) const SECOND_LOOK: u32 = 3;
/// So many of these tell whether the others are of use.
const FIRST_LOOK: u32 = 2;
/// Costs this close are the same.
const SAME_COST: f64 = 0.002;
/// So many get the second look, and no more than a quarter of those tried.
const SECOND: usize = 8;

/// What one run misses by so much, the mean of three misses, too.
const HOPELESS: f64 = 0.5;
/// Every workload is refined so often, at most: what one gives up may be of use to
/// another.
const REFINED: usize = 3;
/// Other pods on a node may bear the whole time a little better or worse than those that
/// it was learnt from: what is missed by less is worth a look.
const NEARLY: f64 = 0.03;
/// So many steps towards more pods, at most, where more or fewer fit on each node.
const EASED: usize = 10;
/// So many steps for each workload, at most.
const MOST_STEPS: usize = 12;

/// One run says nothing of chance.
const HASTY: u32 = 3;

/// Settings that were tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// What was tried.
    pub settings: Settings,
    /// What came of it.
    pub score: Score,
}

/// Settings that went through the whole scenario.
#[derive(Clone, Debug)]
pub struct Finalist {
    /// What was tried.
    pub settings: Settings,
    /// Its scenario.
    pub scenario: Scenario,
    /// What came of it.
    pub score: Score,
    /// The runs.
    pub runs: Vec<Observations>,
    /// The verdict on the objectives that need no drill.
    pub verdict: Verdict,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What can be set.
    pub sites: Vec<Site>,
    /// What every site needs at the peak.
    pub needs: Vec<Need>,
    /// The settings as they were, through the whole scenario.
    pub before: Finalist,
    /// The best first; none where nothing could be set.
    pub finalists: Vec<Finalist>,
    /// How many candidates were tried on the hardest minutes.
    pub tried: usize,
    /// How many runs that took, those for needs included, and how many whole scenarios.
    pub runs: (usize, usize),
    /// For each objective that the best misses: what it would take, if all others
    /// are to be kept.
    pub relaxed: Vec<(usize, f64)>,
    /// What was tried in the hardest minutes and beaten by nothing in every way.
    pub tradeoffs: Vec<Tradeoff>,
    /// What else would do; none where the search was stopped before.
    pub rivals: Vec<Rival>,
}

/// Searches; `say` hears of progress.
pub fn search<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    say: impl Fn(&str) + Sync,
) -> Found {
    let sites = sites(task.scenario, task.objects);
    let mut runs = 0;
    let needs = probe::needs(task.scenario, &sites, task.seed, &mut runs);
    for (site, need) in sites.iter().zip(&needs).filter(|(site, _)| site.asked) {
        let name = &task.scenario.workloads[site.workload].name;
        say(&format!("{name} needs {:.2} cores and up to {} MiB a pod at the peak", need.cores, need.memory));
    }
    let mut whole = 0;
    let own = Settings::now(&sites);
    let before = task.scenario_of(&sites, &own).expect("the user's own settings make a scenario");
    // Only what is to be taken must be sure.
    let before = so_often(task.seed, &before, own, Replications::Fixed(run::FIRST));
    whole += before.runs.len();
    let by_vpa =
        (!task.stopped()).then(|| rival::by_vpa(task, &sites, &needs, &before.runs, &mut runs)).flatten();
    let harder = vec![1.0; task.scenario.goals.objectives.len()];
    let (tried, front, refused) = (Vec::new(), Vec::new(), Vec::new());
    let mut race = Race { task, sites: &sites, needs: &needs, tried, front, refused, harder, runs };
    race.propose(by_vpa.as_ref(), &say);
    race.look_again();
    let finalists = finals(&mut race, &mut whole, &say);
    race.gather();
    let relaxed = finalists.first().map_or(Vec::new(), |best| relaxed(task.scenario, best, &race.tried));
    let tradeoffs = tradeoffs(task.scenario, &race.tried);
    let (tried, runs) = (race.tried.len(), (race.runs, whole));
    let rivals = if task.stopped() { Vec::new() } else { rival::rivals(task, &sites, &needs, by_vpa, &say) };
    Found { sites, needs, before, finalists, tried, runs, relaxed, tradeoffs, rivals }
}

/// The best over the whole time, until one keeps everything; the best first.
///
/// The whole time may be harder than its hardest minutes: pods start cold, or the peak
/// lasts. What one finalist shows of that, the next is chosen by.
fn finals<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    race: &mut Race<'_, '_, A>,
    whole: &mut usize,
    say: &(impl Fn(&str) + Sync),
) -> Vec<Finalist> {
    let (task, sites) = (race.task, race.sites);
    let mut finalists: Vec<Finalist> = Vec::new();
    let mut next = race.best_but(&[]).map(|best| race.refine(best)).map(|best| race.simplify(best));
    say(&format!("went on from the best in small steps: {} so far", plural(race.runs as u64, "run", "runs")));
    while let Some(tried) = next.take().filter(|_| !task.stopped()) {
        let Some(one) = final_of(task, sites, tried.settings.clone(), whole) else { break };
        let how = outcome_in_words(task.scenario, &one.verdict);
        say(&format!("{} over the whole time: {how}", described(&one.settings, sites)));
        race.learn(&tried.score, &one.score.at_worst(&task.scenario.goals.objectives, &one.verdict));
        let met = one.verdict.outcome <= Outcome::Met;
        let kept_before = finalists.iter().any(|one| one.verdict.outcome <= Outcome::Met);
        finalists.push(one);
        if kept_before || finalists.len() == FINALISTS {
            break;
        }
        if met {
            // Steps don't lead to another number of pods on a node: that is looked at once.
            next = race.repacked(&tried);
        } else {
            // What came close is mended, unless another is cheaper after all.
            race.refine(tried);
            next = race.best_but(&finalists);
        }
    }
    if finalists.is_empty() && task.stopped() {
        // Nobody wants to wait for whole days: the hardest minutes must do.
        finalists.extend(race.tried.first().and_then(|tried| race.hasty(&tried.settings)));
    }
    // What is sure comes before what is cheaper.
    let sure = |one: &Finalist| one.verdict.outcome <= Outcome::Met;
    finalists.sort_by(|a, b| sure(b).cmp(&sure(a)).then(a.score.compare(&b.score)));
    finalists
}

/// What came of a policy, and by which objectives.
pub fn outcome_in_words(scenario: &Scenario, verdict: &Verdict) -> String {
    let objectives = scenario.goals.objectives.iter().zip(&verdict.objectives);
    let so = objectives.filter(|(_, judged)| judged.outcome == verdict.outcome);
    let names: Vec<&str> = so.map(|(objective, _)| objective.name.as_str()).collect();
    match verdict.outcome {
        Outcome::Missed | Outcome::Unsure => format!("{} ({})", verdict.outcome.name(), names.join(", ")),
        Outcome::Met | Outcome::NotJudged => verdict.outcome.name().to_owned(),
    }
}

/// Settings through the whole scenario.
pub fn final_of<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    sites: &[Site],
    settings: Settings,
    whole: &mut usize,
) -> Option<Finalist> {
    let scenario = task.scenario_of(sites, &settings)?;
    let one = final_in(task.seed, &scenario, settings);
    *whole += one.runs.len();
    Some(one)
}

/// A scenario of these settings over the whole time.
pub(super) fn final_in(seed: u64, scenario: &Scenario, settings: Settings) -> Finalist {
    so_often(seed, scenario, settings, Replications::UntilSure)
}

fn so_often(seed: u64, scenario: &Scenario, settings: Settings, how_often: Replications) -> Finalist {
    let scenario = window::whole(scenario);
    let (runs, verdict) = run::until_sure(&scenario, seed, how_often, |_| ());
    let score = Score::of(&scenario, &runs, &verdict);
    Finalist { settings, scenario, score, runs, verdict }
}

/// How good a scenario is in its hardest minutes, by these replications.
pub fn on_hardest(
    scenario: &Scenario,
    sites: &[Site],
    needs: &[Need],
    seed: u64,
    which: std::ops::Range<u32>,
) -> Score {
    let cut = window::hardest(scenario, sites, needs);
    let runs = run::replicate(&cut, seed, which, |_| ());
    Score::of(&cut, &runs, &judge(&cut, &runs))
}

/// How good a scenario is over the whole time, by one replication.
pub(super) fn on_whole(scenario: &Scenario, seed: u64) -> Score {
    let scenario = window::whole(scenario);
    let runs = run::replicate(&scenario, seed, 0..1, |_| ());
    Score::of(&scenario, &runs, &judge(&scenario, &runs))
}

/// `2-4 × 500m, …`: of what scales, or else of all that is asked.
pub fn described(settings: &Settings, sites: &[Site]) -> String {
    let scales = sites.iter().any(|site| site.asked && site.scales);
    let one = |(site, size): (&Site, &super::Sizing)| {
        let pods =
            if size.min == size.max { size.min.to_string() } else { format!("{}-{}", size.min, size.max) };
        (site.asked && (site.scales || !scales)).then(|| format!("{pods} × {}m", size.cpu))
    };
    let all: Vec<String> = sites.iter().zip(&settings.sizes).filter_map(one).collect();
    all.join(", ")
}

/// What each objective that the best misses would have to be, by the candidate
/// that keeps all others and comes closest.
fn relaxed(scenario: &Scenario, best: &Finalist, tried: &[Tried]) -> Vec<(usize, f64)> {
    let objectives = &scenario.goals.objectives;
    let missed = |index: &usize| best.verdict.objectives[*index].outcome == Outcome::Missed;
    let closest = |index: usize| {
        let kept = tried.iter().filter(|one| one.score.keeps_all_but(scenario, index));
        let values = kept.filter_map(|one| one.score.values[index]);
        values.min_by(|a, b| {
            let goal = objectives[index].goal;
            (a - goal).abs().total_cmp(&(b - goal).abs())
        })
    };
    (0..objectives.len()).filter(missed).filter_map(|index| Some((index, closest(index)?))).collect()
}

/// A search under way.
struct Race<'a, 'b, A> {
    task: &'a Task<'b, A>,
    sites: &'a [Site],
    needs: &'a [Need],
    tried: Vec<Tried>,
    /// Those that had a second look.
    front: Vec<Tried>,
    /// Those of which one run told enough.
    refused: Vec<Settings>,
    /// How much harder the whole time is than the hardest minutes, by objective.
    harder: Vec<f64>,
    runs: usize,
}

impl<A: Fn(&ChangeSet) -> Option<Scenario> + Sync> Race<'_, '_, A> {
    /// Tries what the user has, what VPA would make of it and what arithmetic
    /// proposes, then what the search makes of it; the best first in the end.
    fn propose(&mut self, by_vpa: Option<&Settings>, say: &(impl Fn(&str) + Sync)) {
        let room = Room::of(self.task.scenario, self.sites);
        let guards = Settings { sizes: Vec::new(), guards: Guard::USUAL.to_vec() };
        let of = |choices: &[Choice]| propose::settings(self.sites, self.needs, choices, room, 1.0, &guards);
        let alike = |choice: Choice| vec![choice; self.sites.len()];
        let first: Vec<Vec<Choice>> = propose::usual().into_iter().map(alike).collect();
        let mut model = Model::new(self.sites.len(), self.task.seed);
        // What the user has may be good already.
        let own = Settings::now(self.sites);
        let given: Vec<Settings> = std::iter::once(&own)
            .chain(by_vpa)
            .map(|one| Settings { guards: guards.guards.clone(), ..one.clone() })
            .filter(|one| self.asks_for_enough(one))
            .collect();
        let scores = self.scores(&given, 0..1);
        self.tried.extend(
            given
                .into_iter()
                .zip(scores)
                .filter_map(|(settings, score)| Some(Tried { settings, score: score? })),
        );
        let mut next = first;
        next.truncate((self.task.tries / 2).max(BATCH));
        let mut best: Option<(Vec<Choice>, Score)> = None;
        // Proposals may be known already: what is small has few settings.
        for _ in 0..MOST_ROUNDS * self.task.tries {
            let left = self.task.tries.saturating_sub(self.tried.len());
            if left == 0 || self.task.stopped() {
                break;
            }
            let new = self.unknown(&mut next, &of, left);
            let scores = self.scores(&new, 0..1);
            for ((choices, settings), score) in next.drain(..).zip(new).zip(scores) {
                let Some(score) = score else { continue };
                model.tell(&choices, &score);
                self.tried.push(Tried { settings, score: score.clone() });
                if best.as_ref().is_none_or(|(_, known)| score.compare(known).is_lt()) {
                    best = Some((choices, score));
                }
            }
            if let Some(best) = self.tried.iter().min_by(|a, b| a.score.compare(&b.score)) {
                let (violation, cost) = best.score.rank();
                let tried = plural(self.tried.len() as u64, "candidate", "candidates");
                say(&format!("{tried} tried: best misses by {violation:.2} at {}", count(cost)));
            }
            // First all go on from the best; later half of them, and half look elsewhere.
            if let Some((choices, score)) = &best {
                let near = if self.tried.len() < NEAR { BATCH } else { BATCH / 2 };
                next.push(propose::packed(self.sites, self.needs, choices, room));
                next.extend(propose::moves(choices, score.violation <= 0.0));
                self.unknown(&mut next, &of, near);
            }
            next.extend((next.len()..BATCH).map(|_| model.ask()));
        }
        self.sort();
    }

    /// Leaves those choices whose settings have not been tried, at most so many, and
    /// makes their settings.
    fn unknown(
        &self,
        choices: &mut Vec<Vec<Choice>>,
        of: &impl Fn(&[Choice]) -> Settings,
        most: usize,
    ) -> Vec<Settings> {
        let mut new: Vec<Settings> = Vec::new();
        choices.retain(|one| {
            let settings = of(one);
            let known = new.contains(&settings) || self.tried.iter().any(|tried| tried.settings == settings);
            let wanted = !known && new.len() < most;
            if wanted {
                new.push(settings);
            }
            wanted
        });
        new
    }

    /// Gives the best a second look, as one run says little of chance.
    fn look_again(&mut self) {
        let most = SECOND.min(self.task.tries.div_ceil(4));
        let best: Vec<Settings> = self.tried.iter().take(most).map(|one| one.settings.clone()).collect();
        let scores = self.scores(&best, 1..1 + SECOND_LOOK);
        if self.task.stopped() {
            // Some have had their second look and some not: they are not compared.
            return;
        }
        let looked = best.into_iter().zip(scores);
        self.front.extend(looked.filter_map(|(settings, score)| Some(Tried { settings, score: score? })));
    }

    /// By what those of the second look are ordered, as far as it is known how much
    /// harder the whole time is.
    fn rank(&self, score: &Score) -> (f64, f64) {
        score.expected(&self.task.scenario.goals.objectives, &self.harder)
    }

    fn is_better(&self, one: &Score, other: &Score) -> bool {
        let ((a, b), (c, d)) = (self.rank(one), self.rank(other));
        a.total_cmp(&c).then(b.total_cmp(&d)).is_lt()
    }

    /// The best of the second look but these.
    fn best_but(&self, those: &[Finalist]) -> Option<Tried> {
        let new = |one: &&Tried| those.iter().all(|known| known.settings != one.settings);
        let mut best: Option<&Tried> = None;
        for one in self.front.iter().filter(new) {
            if best.is_none_or(|best| self.is_better(&one.score, &best.score)) {
                best = Some(one);
            }
        }
        best.cloned()
    }

    /// Notes how much harder the whole time is than the hardest minutes.
    fn learn(&mut self, here: &Score, whole: &Score) {
        let seen = here.harder(&self.task.scenario.goals.objectives, whole);
        for (known, seen) in self.harder.iter_mut().zip(seen) {
            // Away from 1, whichever way is worse.
            *known = if seen < 1.0 { known.min(seen) } else { known.max(seen) };
        }
    }

    /// Goes on from settings in small steps: towards the policy where they miss it, and
    /// towards less cost where they keep it.
    fn refine(&mut self, start: Tried) -> Tried {
        let room = Room::of(self.task.scenario, self.sites);
        let searched: Vec<usize> = propose::searched(self.sites).collect();
        let mut best = start;
        let most = self.runs + MOST_STEPS * SECOND_LOOK as usize * searched.len();
        for _ in 0..REFINED {
            let before = self.rank(&best.score);
            for site in &searched {
                let mut steps = self.steps(*site, &best, room);
                while !steps.is_empty() && self.runs < most && !self.task.stopped() {
                    let mut settings = best.settings.clone();
                    settings.sizes[*site] = steps.remove(0);
                    let one = self.looked(settings, self.rank(&best.score));
                    if let Some(one) = one.filter(|one| self.is_better(&one.score, &best.score)) {
                        // From the new best on the steps are others.
                        best = one;
                        steps = self.steps(*site, &best, room);
                    }
                }
            }
            let (violation, cost) = self.rank(&best.score);
            if violation >= before.0 && cost >= before.1 * (1.0 - SAME_COST) {
                break;
            }
        }
        best
    }

    /// The workload that needs most CPU with a pod more or less on each node, and as many
    /// pods, as soon, as that takes; the best of them, where it is cheaper.
    fn repacked(&mut self, than: &Tried) -> Option<Tried> {
        let room = Room::of(self.task.scenario, self.sites);
        let busiest = propose::searched(self.sites)
            .max_by(|a, b| self.needs[*a].cores.total_cmp(&self.needs[*b].cores))?;
        let mut best = than.clone();
        for first in propose::repacked(than.settings.sizes[busiest], room) {
            // Pods are added until they cost too much, from then on the HPA acts sooner.
            let (mut size, mut fewer, mut pods) = (first, first, true);
            for step in 0..EASED {
                let mut settings = than.settings.clone();
                settings.sizes[busiest] = size;
                let bar = (NEARLY, self.rank(&best.score).1);
                let looked = self.looked(settings, bar).filter(|_| !self.task.stopped());
                let (violation, cost) = looked.as_ref().map_or((f64::MAX, 0.0), |one| self.rank(&one.score));
                let dear = cost >= self.rank(&best.score).1;
                if let Some(one) = looked.filter(|_| violation <= NEARLY && !dear) {
                    best = one;
                    break;
                } else if dear && !pods {
                    break;
                } else if dear {
                    (size, pods) = (fewer, false);
                }
                fewer = size;
                size = if pods && step % 2 == 0 { propose::wider(size) } else { propose::sooner(size) };
            }
        }
        (best.settings != than.settings).then_some(best)
    }

    /// The next sizes to try for a site.
    fn steps(&self, site: usize, best: &Tried, room: Room) -> Vec<Sizing> {
        let (of, size) = (&self.sites[site], best.settings.sizes[site]);
        if self.rank(&best.score).0 > 0.0 {
            propose::eased(of, size, room)
        } else {
            propose::trimmed(of, size, room)
        }
    }

    /// Takes back, one after the other, what settings change without need: of two
    /// as good as each other, the one with fewer changes is better.
    fn simplify(&mut self, mut best: Tried) -> Tried {
        // A little for each of many would be a lot in all.
        let most = self.rank(&best.score).1 * (1.0 + SAME_COST);
        for site in 0..self.sites.len() {
            let now = self.sites[site].now;
            let back: [fn(&mut Sizing, Sizing); 5] = [
                |size, now| size.cpu_limit = now.cpu_limit,
                |size, now| (size.cpu, size.target) = (now.cpu, now.target),
                |size, now| size.target = now.target,
                |size, now| size.min = now.min,
                |size, now| (size.memory, size.memory_limit) = (now.memory, now.memory_limit),
            ];
            for take_back in back {
                let mut settings = best.settings.clone();
                take_back(&mut settings.sizes[site], now);
                let limits_hold =
                    settings.sizes[site].cpu_limit.is_none_or(|limit| limit >= settings.sizes[site].cpu);
                if settings == best.settings || !limits_hold || self.task.stopped() {
                    continue;
                }
                let bar = (self.rank(&best.score).0, most);
                let Some(one) = self.looked(settings, bar) else { continue };
                let ((violation, cost), (before, _)) = (self.rank(&one.score), self.rank(&best.score));
                if violation <= before && cost <= most {
                    best = one;
                }
            }
        }
        best
    }

    /// Settings with their second look, which may be known; nothing where they ask for
    /// less than is used, or are far from keeping the policy. Those that the first runs
    /// show to miss more than the bar, or to cost more, are looked at no longer.
    fn looked(&mut self, settings: Settings, bar: (f64, f64)) -> Option<Tried> {
        if let Some(known) = self.front.iter().find(|one| one.settings == settings) {
            return Some(known.clone());
        }
        if self.refused.contains(&settings) || !self.asks_for_enough(&settings) {
            return None;
        }
        let scenario = self.task.scenario_of(self.sites, &settings)?;
        let cut = window::hardest(&scenario, self.sites, self.needs);
        let of = |runs: &[Observations]| Score::of(&cut, runs, &judge(&cut, runs));
        let mut runs = run::replicate(&cut, self.task.seed, 1..1 + FIRST_LOOK, |_| ());
        let first = of(&runs);
        if first.violation > HOPELESS {
            self.runs += runs.len();
            self.refused.push(settings);
            return None;
        }
        let (violation, cost) = self.rank(&first);
        let reaches = violation <= bar.0 + NEARLY && (violation < bar.0 || cost <= bar.1);
        if reaches {
            runs.extend(run::replicate(&cut, self.task.seed, 1 + FIRST_LOOK..1 + SECOND_LOOK, |_| ()));
        }
        self.runs += runs.len();
        let one = Tried { settings, score: if reaches { of(&runs) } else { first } };
        self.front.push(one.clone());
        Some(one)
    }

    /// All that was tried, by its second look where it had one.
    fn gather(&mut self) {
        let looked = |one: &Tried| self.front.iter().any(|known| known.settings == one.settings);
        self.tried.retain(|one| !looked(one));
        self.tried.append(&mut self.front);
        self.sort();
    }

    /// Whether the pods together ask for the CPU that they use at the peak. Where
    /// they don't, nodes look free that are not: it goes well as long as nobody else
    /// needs what was lent, which the simulated cluster can't promise.
    fn asks_for_enough(&self, settings: &Settings) -> bool {
        let sites = self.sites.iter().zip(self.needs).zip(&settings.sizes);
        sites
            .filter(|((site, _), _)| site.asked)
            .all(|((_, need), size)| size.cpu as f64 / 1e3 * f64::from(size.max) >= need.cores)
    }

    /// Every candidate on the hardest minutes, all under the same requests.
    fn scores(&mut self, settings: &[Settings], which: std::ops::Range<u32>) -> Vec<Option<Score>> {
        self.runs += settings.len() * which.len();
        let one = |settings: &Settings| {
            if self.task.stopped() {
                return None;
            }
            let scenario = self.task.scenario_of(self.sites, settings)?;
            Some(on_hardest(&scenario, self.sites, self.needs, self.task.seed, which.clone()))
        };
        settings.par_iter().map(one).collect()
    }

    /// Settings on the hardest minutes as if these were the whole time.
    fn hasty(&self, settings: &Settings) -> Option<Finalist> {
        let scenario = self.task.scenario_of(self.sites, settings)?;
        let cut = window::hardest(&scenario, self.sites, self.needs);
        let runs = run::replicate(&cut, self.task.seed, 0..HASTY, |_| ());
        let verdict = judge(&cut, &runs);
        let score = Score::of(&cut, &runs, &verdict);
        Some(Finalist { settings: settings.clone(), scenario, score, runs, verdict })
    }

    fn sort(&mut self) {
        self.tried.sort_by(|a, b| a.score.compare(&b.score));
        self.tried.dedup_by(|a, b| a.settings == b.settings);
    }
}

/// A tree-structured Parzen estimator for every parameter of every site.
struct Model {
    parameters: Vec<[TpeOptimizer; 5]>,
    chance: Pcg64,
}

/// Load, target, floor, width, and whether limits go: least and most.
const RANGES: [(f64, f64); 5] = [(0.25, 0.9), (0.4, 0.95), (0.25, 1.0), (0.5, 3.0), (0.0, 1.0)];

/// From here on, limits go.
const FREE: f64 = 0.5;

impl Model {
    fn new(sites: usize, seed: u64) -> Self {
        let one = |(low, high): (f64, f64)| {
            let range = tpe::range(low, high).expect("the least is less than the most");
            TpeOptimizer::new(tpe::parzen_estimator(), range)
        };
        let key = Seed { base: seed, replication: 0 }.key("proposals");
        Self { parameters: (0..sites).map(|_| RANGES.map(one)).collect(), chance: Pcg64::seed_from_u64(key) }
    }

    /// A choice for every site. Rounded, so that the last bits of platform
    /// functions in the estimator make no difference.
    fn ask(&mut self) -> Vec<Choice> {
        let chance = &mut self.chance;
        let mut one = |parameters: &mut [TpeOptimizer; 5]| {
            let mut values = [0.0; 5];
            for ((value, parameter), (low, high)) in values.iter_mut().zip(parameters).zip(RANGES) {
                let asked = parameter.ask(chance).unwrap_or(f64::midpoint(low, high));
                *value = (asked * 100.0).round() / 100.0;
            }
            let [load, target, floor, width, free] = values;
            Choice { load, target, floor, width, free: free >= FREE }
        };
        self.parameters.iter_mut().map(&mut one).collect()
    }

    fn tell(&mut self, choices: &[Choice], score: &Score) {
        let (violation, cost) = score.rank();
        // Whatever keeps all objectives comes before whatever doesn't.
        let value = if violation > 0.0 { 1e6 * (1.0 + violation) } else { cost };
        for (parameters, choice) in self.parameters.iter_mut().zip(choices) {
            let free = if choice.free { 0.75 } else { 0.25 };
            let values = [choice.load, choice.target, choice.floor, choice.width, free];
            for ((parameter, value_of), (low, high)) in parameters.iter_mut().zip(values).zip(RANGES) {
                let inside = value_of.clamp(low, high - 1e-9);
                parameter.tell(inside, value).expect("inside its range, and a number");
            }
        }
    }
}
