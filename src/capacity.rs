//! How many users it carries: the search for the load at which the first
//! objective breaks.

use crate::judge::{Outcome, Verdict};
use crate::observe::Pooled;
use crate::run::{self, Replications};
use crate::scenario::{Fidelity, Population, Scenario};

/// The border is known when it is within this factor.
const CLOSE: f64 = 1.05;
/// Close enough where the border is one figure of many. Tries that are unsure narrow
/// it, too: where a load is borne one time and not another, no look tells more.
const NEAR: f64 = 1.25;
/// At most so many loads are tried.
const MOST: usize = 16;
/// Loads beyond this many times the scenario's, or below its inverse, are not tried.
const FAR: f64 = 4_096.0;

/// The knee is known when its neighbours are within this factor.
const KNEE: f64 = 1.3;
/// At most so many loads are tried for the knee alone.
const FOR_KNEE: usize = 6;

/// One load that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Users at the peak, or the rate's peak per second where nobody said users.
    pub load: f64,
    /// What came of the objectives that break under load; not judged where it was
    /// tried for the curve alone, in one run.
    pub outcome: Outcome,
    /// The objectives that are missed for sure, as indices into the policy's,
    /// and why.
    pub broken: Vec<(usize, Vec<String>)>,
    /// The share of requests answered.
    pub availability: f64,
    /// Requests answered per second.
    pub throughput: f64,
    /// The mean of all answers, in seconds.
    pub mean: Option<f64>,
    /// The 95 % quantile of all answers, in seconds.
    pub p95: Option<f64>,
    /// The 99 % quantile of all answers, in seconds.
    pub p99: Option<f64>,
    /// Mean and largest number of ready pods.
    pub pods: (f64, f64),
    /// Mean and largest number of nodes.
    pub nodes: (f64, f64),
    /// Money for a month at the observed mean.
    pub cost_per_month: f64,
    /// How many replications it took.
    pub replications: usize,
    /// Whether calm time was simulated in slices.
    pub sliced: bool,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// All loads that were tried, smallest first.
    pub tried: Vec<Tried>,
    /// The largest load at which every objective is met.
    pub carries: Option<f64>,
    /// The smallest load at which one is missed for sure.
    pub breaks: Option<f64>,
    /// Indices of the objectives that were looked at.
    pub objectives: Vec<usize>,
    /// Whether loads are users rather than rates.
    pub users: bool,
}

impl Tried {
    /// Kleinrock's power: what is answered per second over how long it takes. It
    /// grows with the load while there is room, and falls where more load brings
    /// more waiting than work.
    fn power(&self) -> f64 {
        self.mean.map_or(0.0, |mean| self.throughput * self.availability / mean.max(1e-9))
    }
}

impl Capacity {
    /// The load beyond which waiting grows faster than work, as an index into
    /// `tried`: the one of most power. `None` where power still grows at the largest
    /// load or falls from the smallest.
    pub fn knee(&self) -> Option<usize> {
        let best = self.most_power()?;
        (best > 0 && best + 1 < self.tried.len()).then_some(best)
    }

    fn most_power(&self) -> Option<usize> {
        let power = |index: &usize| self.tried[*index].power();
        (0..self.tried.len()).max_by(|a, b| power(a).total_cmp(&power(b)).then(b.cmp(a)))
    }

    /// The first load at which an objective is missed for sure.
    pub fn first_broken(&self) -> Option<&Tried> {
        self.tried.iter().find(|one| !one.broken.is_empty())
    }

    /// What was seen at the largest load at which every objective is met.
    pub fn at_most(&self) -> Option<&Tried> {
        self.tried.iter().rev().find(|one| Some(one.load) == self.carries && one.outcome == Outcome::Met)
    }
}

/// Looks closer around the load of most power, until its neighbours are near: the
/// curve is known best where it bends. One run each, as no verdict rests on them.
pub fn bend(scenario: &Scenario, found: Capacity, base: u64, tried: impl Fn(&Tried)) -> Capacity {
    let mut found = found;
    for _ in 0..FOR_KNEE {
        let Some(load) = found.beside_the_knee() else { break };
        let mut one = try_load(scenario, load, &found.objectives, base, Replications::Fixed(1));
        (one.outcome, one.broken) = (Outcome::NotJudged, Vec::new());
        tried(&one);
        found.tried.push(one);
        found.tried.sort_by(|a, b| a.load.total_cmp(&b.load));
    }
    found
}

/// The scenario's load, and whether it is users.
pub fn load_of(scenario: &Scenario) -> (f64, bool) {
    match &scenario.demand.population {
        Population::Users { peak, .. } => (*peak, true),
        Population::Rate { users: Some(users), .. } => (*users, true),
        Population::Rate { peak_per_second, .. } => (*peak_per_second, false),
    }
}

/// The scenario under another load.
pub fn with_load(scenario: &Scenario, load: f64) -> Scenario {
    let factor = load / load_of(scenario).0;
    let mut other = scenario.clone();
    match &mut other.demand.population {
        Population::Users { peak, .. } => *peak *= factor,
        Population::Rate { peak_per_second, users, .. } => {
            *peak_per_second *= factor;
            *users = users.map(|users| users * factor);
        }
    }
    other
}

/// The scenario under another load, with only the objectives that break by load.
fn under(scenario: &Scenario, load: f64, kept: &[usize]) -> Scenario {
    let mut other = with_load(scenario, load);
    other.goals.objectives = kept.iter().map(|one| scenario.goals.objectives[*one].clone()).collect();
    other
}

/// Tries one load.
fn try_load(scenario: &Scenario, load: f64, kept: &[usize], base: u64, replications: Replications) -> Tried {
    let mut under = under(scenario, load, kept);
    if under.fidelity == Fidelity::Auto {
        under = under.sliced_where_many_ask();
    }
    let (runs, verdict) = run::until_sure(&under, base, replications, |_| ());
    let pooled = Pooled::of(&runs);
    let (mut good, mut failed) = (0, 0);
    let mut latency = crate::observe::Histogram::default();
    for journey in runs.iter().flat_map(|run| &run.journeys) {
        good += journey.answered;
        failed += journey.failed();
        latency.merge(&journey.latency);
    }
    Tried {
        load,
        outcome: verdict.outcome,
        broken: broken(&verdict, kept),
        availability: good as f64 / ((good + failed) as f64).max(1.0),
        throughput: good as f64 / pooled.seconds.max(f64::MIN_POSITIVE),
        mean: latency.mean(),
        p95: latency.quantile(0.95),
        p99: latency.quantile(0.99),
        pods: (pooled.pods.mean, pooled.pods.max),
        nodes: (pooled.nodes.mean, pooled.nodes.max),
        cost_per_month: crate::judge::cost_per_month(pooled.cost, pooled.seconds),
        replications: runs.len(),
        sliced: under.is_sliced(),
    }
}

fn broken(verdict: &Verdict, kept: &[usize]) -> Vec<(usize, Vec<String>)> {
    let missed = verdict.objectives.iter().zip(kept).filter(|(judged, _)| judged.outcome == Outcome::Missed);
    missed.map(|(judged, number)| (*number, judged.because.clone())).collect()
}

/// Searches for the border: doubles or halves the load until it lies between
/// two tries, then goes to their geometric mean until they are close, or until
/// a try in between is unsure, which is what a border looks like.
pub fn search(
    scenario: &Scenario,
    base: u64,
    replications: Replications,
    tried: impl Fn(&Tried),
) -> Capacity {
    let (start, users) = load_of(scenario);
    let all = &scenario.goals.objectives;
    let objectives: Vec<usize> = (0..all.len()).filter(|one| all[*one].breaks_under_load()).collect();
    let mut found = Capacity { tried: Vec::new(), carries: None, breaks: None, objectives, users };
    let mut next = Some(start);
    while let Some(load) = next.filter(|_| found.tried.len() < MOST) {
        let one = try_load(scenario, load, &found.objectives, base, replications);
        tried(&one);
        next = found.learn(one, start, CLOSE);
    }
    found.tried.sort_by(|a, b| a.load.total_cmp(&b.load));
    found
}

/// The same search from a small load upwards and no further than `most`, on top of
/// what is known already: small loads are simulated quickly.
pub fn search_from_below(
    scenario: &Scenario,
    known: Capacity,
    (start, most): (f64, f64),
    (base, replications): (u64, Replications),
    tried: impl Fn(&Tried),
) -> Capacity {
    let mut found = known;
    let mut next = Some(found.carries.map_or(start, |carries| carries * 2.0).min(most));
    while let Some(load) = next.filter(|_| found.tried.len() < MOST) {
        let one = try_load(scenario, load, &found.objectives, base, replications);
        tried(&one);
        next = found.learn(one, start, NEAR).map(|load| load.min(most));
        let known = |load: &f64| found.tried.iter().any(|one| one.load.total_cmp(load).is_eq());
        next = next.filter(|load| !known(load));
    }
    found.tried.sort_by(|a, b| a.load.total_cmp(&b.load));
    found
}

impl Capacity {
    /// Takes a try down; the next load to try, if any. Loads within a factor of `close`
    /// of each other are not told apart.
    fn learn(&mut self, one: Tried, start: f64, close: f64) -> Option<f64> {
        let (load, outcome) = (one.load, one.outcome);
        self.tried.push(one);
        match outcome {
            Outcome::Met => self.carries = Some(self.carries.map_or(load, |known| known.max(load))),
            Outcome::Missed => self.breaks = Some(self.breaks.map_or(load, |known| known.min(load))),
            Outcome::Unsure | Outcome::NotJudged => {}
        }
        let loads = || self.tried.iter().map(|one| one.load);
        let (least, most) = (loads().fold(load, f64::min), loads().fold(load, f64::max));
        let next = match (self.carries, self.breaks) {
            (Some(low), Some(high)) => self.between(low, high, close)?,
            // All met; or unsure so far, for want of requests or near the border: more
            // users tell in either case.
            (_, None) => most * 2.0,
            (None, Some(_)) => least / 2.0,
        };
        let whole = if self.users { next.round().max(1.0) } else { next };
        let known = loads().any(|one| one.total_cmp(&whole).is_eq());
        let near = (start / FAR..=start * FAR).contains(&whole);
        (!known && near).then_some(whole)
    }

    /// The load to try next for the knee: in the wider of the gaps beside it, beyond
    /// the ends where it lies there.
    fn beside_the_knee(&self) -> Option<f64> {
        let best = self.most_power()?;
        let here = self.tried[best].load;
        let below = best.checked_sub(1).map(|index| self.tried[index].load);
        let above = self.tried.get(best + 1).map(|one| one.load);
        let next = match (below, above) {
            (None, _) => here / 2.0,
            (_, None) => here * 2.0,
            (Some(below), Some(above)) => {
                let (left, right) = (here / below, above / here);
                if left.max(right) <= KNEE {
                    return None;
                }
                if left > right { libm::sqrt(below * here) } else { libm::sqrt(here * above) }
            }
        };
        let whole = if self.users { next.round().max(1.0) } else { next };
        let known = self.tried.iter().any(|one| one.load.total_cmp(&whole).is_eq());
        (!known).then_some(whole)
    }

    /// What to try between a load that is carried and one that is not: the
    /// middle, and where that is unsure, the middles beside what is unsure.
    fn between(&self, low: f64, high: f64, close: f64) -> Option<f64> {
        let inside = || self.tried.iter().map(|one| one.load).filter(|load| low < *load && *load < high);
        let (first, last) = (inside().fold(high, f64::min), inside().fold(low, f64::max));
        let gaps = [(low, first), (last, high)];
        gaps.iter().find(|(from, to)| to / from > close).map(|(from, to)| libm::sqrt(from * to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(load: f64, outcome: Outcome) -> Tried {
        Tried {
            load,
            outcome,
            broken: Vec::new(),
            availability: 1.0,
            throughput: load,
            mean: Some(0.1),
            p95: None,
            p99: None,
            pods: (1.0, 1.0),
            nodes: (1.0, 1.0),
            cost_per_month: 0.0,
            replications: 3,
            sliced: false,
        }
    }

    /// Searches where everything up to `border` is met, and within 1 % of it unsure.
    fn search_for(border: f64, start: f64) -> Capacity {
        let mut found =
            Capacity { tried: Vec::new(), carries: None, breaks: None, objectives: vec![0], users: true };
        let mut next = Some(start);
        while let Some(load) = next.filter(|_| found.tried.len() < MOST) {
            let outcome = match load / border {
                near if (0.99..1.01).contains(&near) => Outcome::Unsure,
                less if less < 1.0 => Outcome::Met,
                _ => Outcome::Missed,
            };
            next = found.learn(tried(load, outcome), start, CLOSE);
        }
        found
    }

    #[test]
    fn the_border_is_enclosed_from_wherever_the_search_starts() {
        for (border, start) in [(75_000.0, 100_000.0), (75_000.0, 100.0), (3.0, 500.0), (1e6, 1e6)] {
            let found = search_for(border, start);
            let (low, high) = (found.carries.expect("carries some"), found.breaks.expect("breaks"));
            assert!(low < border * 1.01 && high > border * 0.99, "{border}: {low} to {high}");
            assert!(high / low < 2.01 && found.tried.len() <= MOST, "{border}: {} tries", found.tried.len());
        }
        // Where few requests say nothing, more are tried.
        let mut few =
            Capacity { tried: Vec::new(), carries: None, breaks: None, objectives: vec![0], users: true };
        let mut next = Some(10.0);
        while let Some(load) = next.filter(|_| few.tried.len() < MOST) {
            let outcome = match load {
                few if few < 100.0 => Outcome::Unsure,
                some if some < 3_000.0 => Outcome::Met,
                _ => Outcome::Missed,
            };
            next = few.learn(tried(load, outcome), 10.0, CLOSE);
        }
        assert!(few.carries.is_some_and(|load| load > 2_000.0), "{few:?}");
        let small = search_for(0.01, 1_000.0);
        assert_eq!(small.carries, None, "one user is too many already");
    }

    #[test]
    fn a_wide_border_is_not_searched_for_long() {
        // Between 52,000 and 95,000 it goes well in some replications only.
        let mut found = Capacity {
            tried: Vec::new(),
            carries: None,
            breaks: Some(100_000.0),
            objectives: vec![0],
            users: true,
        };
        let mut next = Some(500.0);
        while let Some(load) = next.filter(|_| found.tried.len() < MOST) {
            let outcome = match load {
                less if less < 52_000.0 => Outcome::Met,
                some if some < 95_000.0 => Outcome::Unsure,
                _ => Outcome::Missed,
            };
            next = found.learn(tried(load, outcome), 500.0, NEAR);
        }
        assert!(found.carries.is_some_and(|load| load > 40_000.0), "{found:?}");
        assert!(found.tried.len() <= 8, "{} tries", found.tried.len());
    }

    /// Loads of a server that answers a hundred requests a second: latency is that
    /// of an M/M/1 below, and of a queue that fills above.
    fn server(loads: &[f64]) -> Capacity {
        let one = |load: f64| {
            let busy = load / 100.0;
            let mean = if busy < 0.99 { 0.01 / (1.0 - busy) } else { 10.0 };
            Tried { throughput: load.min(100.0), mean: Some(mean), ..tried(load, Outcome::Met) }
        };
        let tried = loads.iter().map(|load| one(*load)).collect();
        Capacity { tried, carries: None, breaks: None, objectives: vec![0], users: false }
    }

    #[test]
    fn the_knee_is_where_power_is_most() {
        // Of an M/M/1 it is at half the load (Kleinrock 1979).
        let found = server(&[10.0, 30.0, 50.0, 70.0, 90.0, 200.0]);
        assert_eq!(found.knee(), Some(2));
        assert!((found.beside_the_knee().expect("30 is far") - libm::sqrt(30.0 * 50.0)).abs() < 1e-9);
        // At an end it is not known yet.
        assert_eq!(server(&[10.0, 20.0, 30.0]).knee(), None);
        assert_eq!(server(&[10.0, 20.0, 30.0]).beside_the_knee(), Some(60.0));
        assert_eq!(server(&[40.0, 50.0, 60.0]).beside_the_knee(), None);
    }
}
