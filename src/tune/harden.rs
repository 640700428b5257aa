//! Headroom: pods and memory beyond what a plain day needs, for when something
//! fails or more users come, each kept only where it keeps a promise more.

use super::certify::{at_load, kept};
use super::probe::Need;
use super::score::{Score, WORST, distance};
use super::search::{self, Finalist, Found, SECOND_LOOK};
use super::settings::Settings;
use super::site::{Site, Sizing};
use super::{Task, certify, window};
use crate::change::ChangeSet;
use crate::judge::{Estimate, Outcome};
use crate::run::{self, Watched};
use crate::scenario::catalogue;
use crate::scenario::{Comparison, Indicator, Objective, Scenario};
use crate::units::figures::{percent, plural};

/// The drills that pods and memory to spare can help with.
const DRILLS: [&str; 8] = [
    "cold-start",
    "load-spike",
    "node-drain",
    "node-failure",
    "registry-outage",
    "rollout-slow",
    "rollout-under-spike",
    "scale-down",
];
/// The load of a worse day than the scenario's.
const WORSE_DAY: f64 = 1.2;
/// Drills are held so often for each kind of headroom: these choose, the
/// certificate proves.
const REPLICATIONS: u32 = 1;
/// A promise that is missed anyway is missed by notably less from here on.
const NOTABLE: f64 = 0.1;
/// Where fresh seeds miss what the search's kept, this many times the pods.
const MORE: f64 = 1.15;

/// One kind of headroom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headroom {
    /// HPAs may go to twice the pods of the peak.
    Ceiling,
    /// Containers may use twice the memory before they are killed.
    Memory,
    /// The pods of the peak stand by all day.
    Standing,
    /// The busiest workload has a third more than that.
    Third,
    /// Two thirds more.
    TwoThirds,
    /// What fresh seeds need beyond the search's.
    Fresh,
    /// No more than the search's seeds needed, where fresh ones break a bound of the policy.
    Bounded,
}

impl Headroom {
    /// Those that are tried, in this order: what costs nothing first.
    pub const TRIED: [Self; 5] = [Self::Ceiling, Self::Memory, Self::Standing, Self::Third, Self::TwoThirds];

    /// What it is called on pages.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Ceiling => "maxReplicas for twice the peak",
            Self::Memory => "twice the memory limit",
            Self::Standing => "the peak's pods all day",
            Self::Third => "a third more pods of the busiest",
            Self::TwoThirds => "two thirds more pods of the busiest",
            Self::Fresh => "more pods for other days",
            Self::Bounded => "maxReplicas within the policy",
        }
    }

    /// Whether it is paid for as long as nothing happens.
    fn is_paid(self) -> bool {
        !matches!(self, Self::Ceiling | Self::Memory | Self::Bounded)
    }

    /// Whether it is more of what [`Headroom::Standing`] adds.
    fn is_more(self) -> bool {
        matches!(self, Self::Third | Self::TwoThirds)
    }

    /// Whether it is about memory, not pods.
    pub(super) fn is_memory(self) -> bool {
        self == Self::Memory
    }

    /// The size with it.
    fn of(self, site: &Site, size: Sizing, peak: Peak) -> Sizing {
        let floor = |factor: f64| {
            let pods = ((f64::from(peak.pods) * factor).ceil() as u32).min(peak.pods + peak.room);
            let min = size.min.max(pods);
            let max = if site.hpa.is_some() { size.max.max(min) } else { min };
            Sizing { min, max, ..size }
        };
        match self {
            Self::Memory if site.asked => {
                Sizing { memory_limit: size.memory_limit.map(|limit| 2 * limit), ..size }
            }
            _ if !site.asked || !site.scales => size,
            Self::Ceiling if site.hpa.is_some() => Sizing { max: size.max.max(2 * peak.pods), ..size },
            Self::Standing if site.hpa.is_some() => floor(1.0),
            Self::Third if peak.busiest => floor(4.0 / 3.0),
            Self::TwoThirds if peak.busiest => floor(5.0 / 3.0),
            Self::Fresh => {
                let more = |pods: u32| (f64::from(pods) * MORE).ceil() as u32;
                Sizing { min: more(size.min), max: more(size.max), ..size }
            }
            Self::Ceiling | Self::Memory | Self::Standing | Self::Third | Self::TwoThirds | Self::Bounded => {
                size
            }
        }
    }
}

/// A site at the peak of a plain day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Peak {
    /// So many pods does its HPA settle at.
    pods: u32,
    /// Whether none does more work.
    busiest: bool,
    /// So many more pods the policy allows.
    room: u32,
}

/// What headroom was found to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardened {
    /// Which.
    pub headroom: Headroom,
    /// Whether it is kept.
    pub kept: bool,
    /// Why, in one sentence without its full stop.
    pub because: String,
}

/// How settings bear failures and a worse day, by one look at each.
struct Bearing {
    /// Promises missed, of so many.
    missed: usize,
    of: usize,
    /// How far, summed.
    violation: f64,
    /// The drills in which one is missed.
    in_drills: Vec<String>,
}

impl Bearing {
    /// Takes a promise down; whether it is missed.
    fn note(&mut self, objective: &Objective, value: Option<f64>) -> bool {
        let by = value.map_or(WORST, |value| distance(objective, value));
        self.of += 1;
        self.missed += usize::from(by > 0.0);
        self.violation += by;
        by > 0.0
    }

    fn in_words(&self) -> String {
        format!("{} of {}", self.of - self.missed, plural(self.of as u64, "promise", "promises"))
    }
}

/// Tries headroom on a finalist. What is kept, as a finalist, and what was found.
///
/// Guards come after it: where a failure ends in overload, no guard matters.
pub fn headroom<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    best: &Finalist,
    say: impl Fn(&str) + Sync,
) -> (Finalist, Vec<Hardened>) {
    let mut now = best.clone();
    if task.stopped() {
        return (now, Vec::new());
    }
    let Some(scenario) = task.scenario_of(&found.sites, &now.settings) else {
        return (now, Vec::new());
    };
    let peaks = peaks(&scenario, found, &best.settings);
    let mut bearing = bearing(task, found, &scenario, None);
    let mut calm = calm(task, found, &scenario);
    let mut hardened = Vec::new();
    // Where the peak's pods all day make nothing notably better, it is not pods that lack.
    let mut in_vain = false;
    for headroom in Headroom::TRIED {
        if bearing.missed == 0 || task.stopped() {
            break;
        }
        let settings = with(headroom, &found.sites, &now.settings, &peaks);
        if settings == now.settings || (headroom.is_more() && in_vain) {
            continue;
        }
        let Some(scenario) = task.scenario_of(&found.sites, &settings) else { continue };
        let after = self::bearing(task, found, &scenario, Some(&bearing));
        let fewer = after.missed < bearing.missed;
        let less = after.missed == bearing.missed && after.violation < bearing.violation - NOTABLE;
        let helps = fewer || (less && !headroom.is_paid());
        if headroom == Headroom::Standing {
            in_vain = !less && !fewer;
        }
        let calm_after = if helps { self::calm(task, found, &scenario) } else { calm.clone() };
        let kept = helps && calm_after.violation <= calm.violation;
        let without = match bearing.of - bearing.missed {
            _ if kept && !fewer => "as without it, and the others are missed by less".to_owned(),
            promises => format!("and {promises} without it"),
        };
        let because = if kept || !helps {
            let load = percent(WORSE_DAY);
            format!("at {load} of the load and in drills, {} kept with it {without}", after.in_words())
        } else {
            format!("on a plain day it breaks {}", broken(&scenario, &calm, &calm_after).join(" and "))
        };
        let verdict = if kept { "kept" } else { "left out" };
        say(&format!("{}: {verdict}: {because}", headroom.in_words()));
        if kept {
            (now.settings, bearing, calm) = (settings, after, calm_after);
        }
        hardened.push(Hardened { headroom, kept, because });
    }
    if hardened.iter().all(|one| !one.kept) {
        return (now, hardened);
    }
    whole(task, found, now, best, hardened)
}

/// The objectives that are missed by more than before.
fn broken<'s>(scenario: &'s Scenario, before: &Score, after: &Score) -> Vec<&'s str> {
    let by =
        |objective: &Objective, value: Option<f64>| value.map_or(0.0, |value| distance(objective, value));
    let objectives = scenario.goals.objectives.iter().zip(before.values.iter().zip(&after.values));
    let worse = objectives.filter(|(one, (before, after))| by(one, **after) > by(one, **before));
    worse.map(|(one, _)| one.name.as_str()).collect()
}

/// The hardened settings through the whole scenario; the former where they break
/// what was kept.
fn whole<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    now: Finalist,
    best: &Finalist,
    mut hardened: Vec<Hardened>,
) -> (Finalist, Vec<Hardened>) {
    let mut runs = 0;
    let after = search::final_of(task, &found.sites, now.settings.clone(), &mut runs);
    let worse = |one: &Finalist| {
        one.verdict.outcome == Outcome::Missed && best.verdict.outcome != Outcome::Missed
            || one.score.violation > best.score.violation + NOTABLE
    };
    if let Some(after) = after.filter(|after| !worse(after)) {
        return (after, hardened);
    }
    for one in &mut hardened {
        if one.kept {
            one.kept = false;
            "over the whole time it breaks an objective that is kept without it".clone_into(&mut one.because);
        }
    }
    (best.clone(), hardened)
}

/// What mends settings that miss under a fresh seed what the search's kept: more pods of
/// everything, as far as the policy lets there be pods; or, where nothing but such a bound is
/// missed, HPAs that go no further than they had to go under the search's seeds. `None` where
/// that changes nothing.
pub fn mended(found: &Found, best: &Finalist, missed: &[&Objective]) -> Option<(Headroom, Settings)> {
    let (sites, before) = (&found.sites, &best.settings);
    let is_bound = missed.iter().all(|one| one.bounds_pods());
    let headroom = if is_bound { Headroom::Bounded } else { Headroom::Fresh };
    let mut settings = with(headroom, sites, before, &vec![Peak::default(); sites.len()]);
    if is_bound {
        for (site, size) in sites.iter().zip(&mut settings.sizes).filter(|(site, _)| site.hpa.is_some()) {
            let wanted = best.runs.iter().map(|run| run.workloads[site.workload].desired.max());
            size.max = (wanted.fold(0.0, f64::max) as u32).clamp(size.min, size.max);
        }
    }
    if let Some(most) = most_pods(&best.scenario) {
        // What stands by is there on all days; how far HPAs go beyond it, seldom.
        let pods = settings.sizes.iter_mut().zip(&before.sizes);
        let pods = pods.map(|(size, had)| (if is_bound { &mut size.max } else { &mut size.min }, had.min));
        keep_within(most.saturating_sub(others(sites, &best.scenario)), &mut pods.collect::<Vec<_>>());
    }
    for (_, size) in sites.iter().zip(&mut settings.sizes).filter(|(site, _)| site.hpa.is_none()) {
        size.max = size.min;
    }
    (settings != *before).then_some((headroom, settings))
}

/// Takes from what is most above its least until all together are at most `most`, or none is
/// above it. Each has its least beside it.
fn keep_within(most: u32, pods: &mut [(&mut u32, u32)]) {
    while pods.iter().map(|(pods, _)| **pods).sum::<u32>() > most {
        let above = pods.iter_mut().filter(|(pods, least)| **pods > *least);
        let Some((pods, _)) = above.max_by_key(|(pods, least)| **pods - *least) else { return };
        **pods -= 1;
    }
}

/// The most pods that the policy lets there be.
fn most_pods(scenario: &Scenario) -> Option<u32> {
    let limits = scenario.goals.objectives.iter().filter_map(|one| {
        let limits = one.indicator == Indicator::PodsMax && one.comparison == Comparison::AtMost;
        limits.then_some(one.goal.max(0.0) as u32)
    });
    limits.min()
}

/// Pods of workloads that are no sites.
fn others(sites: &[Site], scenario: &Scenario) -> u32 {
    let is_site = |workload: usize| sites.iter().any(|site| site.workload == workload);
    let others = scenario.workloads.iter().enumerate().filter(|(workload, _)| !is_site(*workload));
    others.map(|(_, one)| one.replicas).sum()
}

fn with(headroom: Headroom, sites: &[Site], settings: &Settings, peaks: &[Peak]) -> Settings {
    let sizes = sites.iter().zip(&settings.sizes).zip(peaks);
    let sizes = sizes.map(|((site, size), peak)| headroom.of(site, *size, *peak)).collect();
    Settings { sizes, guards: settings.guards.clone() }
}

/// Every site at the peak, as its HPA would settle there.
fn peaks(scenario: &Scenario, found: &Found, settings: &Settings) -> Vec<Peak> {
    let sites = || found.sites.iter().zip(&found.needs).zip(&settings.sizes);
    let pods: Vec<u32> = sites().map(|((site, need), size)| settled(site, *need, *size)).collect();
    let scales = |index: &usize| found.sites[*index].asked && found.sites[*index].scales;
    let busiest = (0..found.sites.len())
        .filter(scales)
        .max_by(|a, b| found.needs[*a].cores.total_cmp(&found.needs[*b].cores).then(b.cmp(a)));
    // Any other HPA may be a pod above where it settles.
    let above = found.sites.iter().filter(|site| site.hpa.is_some()).count().saturating_sub(1) as u32;
    let all = pods.iter().sum::<u32>() + others(&found.sites, scenario) + above;
    let room = most_pods(scenario).map_or(u32::MAX / 2, |most| most.saturating_sub(all));
    let of = |(index, pods): (usize, u32)| Peak { pods, busiest: Some(index) == busiest, room };
    pods.into_iter().enumerate().map(of).collect()
}

/// How many pods there are at the peak once the HPA has settled.
fn settled(site: &Site, need: Need, size: Sizing) -> u32 {
    let each = size.cpu as f64 / 1e3 * f64::from(size.target) / 100.0;
    if site.hpa.is_none() || each <= 0.0 {
        return size.min;
    }
    ((need.cores / each).ceil() as u32).clamp(size.min, size.max.max(size.min))
}

/// How good settings are in the hardest minutes of a plain day.
fn calm<A>(task: &Task<'_, A>, found: &Found, scenario: &Scenario) -> Score {
    search::on_hardest(scenario, &found.sites, &found.needs, task.seed, 1..1 + SECOND_LOOK)
}

/// How many promises a scenario keeps on a worse day and in drills, of how many.
pub(super) fn bears<A>(task: &Task<'_, A>, found: &Found, scenario: &Scenario) -> (usize, usize) {
    let bearing = bearing(task, found, scenario, None);
    (bearing.of - bearing.missed, bearing.of)
}

/// `without` is how the settings bear it without what is tried: drills in which nothing is
/// missed then are not held again.
fn bearing<A>(task: &Task<'_, A>, found: &Found, scenario: &Scenario, without: Option<&Bearing>) -> Bearing {
    let mut bearing = Bearing { missed: 0, of: 0, violation: 0.0, in_drills: Vec::new() };
    let worse = at_load(scenario, WORSE_DAY);
    let needs: Vec<Need> =
        found.needs.iter().map(|need| Need { cores: need.cores * WORSE_DAY, ..*need }).collect();
    let score = search::on_hardest(&worse, &found.sites, &needs, task.seed, 1..1 + SECOND_LOOK);
    for (objective, value) in worse.goals.objectives.iter().zip(&score.values) {
        if value.is_some() || objective.indicator == Indicator::Availability {
            bearing.note(objective, *value);
        }
    }
    let Some(target) = catalogue::busiest(scenario) else { return bearing };
    let mut exercises = catalogue::exercises(scenario, target);
    exercises.retain(|one| match without {
        None => DRILLS.contains(&one.name.as_str()),
        Some(without) => without.in_drills.contains(&one.name),
    });
    let (peak, goal) = (window::peak(scenario, &found.sites, &found.needs), certify::promised(scenario));
    let how = (REPLICATIONS, Watched::UntilRecovered);
    let (_, held) = run::drill(&peak, &exercises, goal, task.seed, how, |_| ());
    for promise in kept(scenario, &held).1 {
        if promise.judged.outcome != Outcome::NotJudged {
            let value = promise.judged.measured.map(|Estimate { value, .. }| value);
            let is_missed = bearing.note(&scenario.goals.objectives[promise.objective], value);
            let name = promise.exercise.map(|one| &exercises[one].name);
            let new = |name: &&String| is_missed && !bearing.in_drills.contains(*name);
            if let Some(name) = name.filter(new) {
                bearing.in_drills.push(name.clone());
            }
        }
    }
    // What was not held again is kept as before.
    bearing.of = without.map_or(bearing.of, |without| without.of);
    bearing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::site::HpaSite;

    const SIZE: Sizing = Sizing {
        cpu: 500,
        cpu_limit: None,
        memory: 256,
        memory_limit: Some(512),
        min: 4,
        max: 10,
        target: 70,
    };

    fn site(hpa: bool, scales: bool, asked: bool) -> Site {
        let target = Some("spec.metrics[0].resource.target.averageUtilization".to_owned());
        let hpa = hpa.then_some(HpaSite { object: 1, autoscaler: 0, target, memory: false });
        Site { hpa, scales, asked, ..Site::plain(SIZE) }
    }

    #[test]
    fn headroom_is_added_to_what_the_peak_needs() {
        let scaled = site(true, true, true);
        // Pods at the peak and room for more; least, most, memory limit.
        for (headroom, pods, room, min, max, memory) in [
            (Headroom::Ceiling, 8, 9, 4, 16, 512),
            (Headroom::Ceiling, 3, 9, 4, 10, 512),
            (Headroom::Memory, 8, 9, 4, 10, 1024),
            (Headroom::Standing, 8, 9, 8, 10, 512),
            (Headroom::Standing, 12, 9, 12, 12, 512),
            (Headroom::Third, 6, 9, 8, 10, 512),
            (Headroom::Third, 6, 1, 7, 10, 512),
            (Headroom::TwoThirds, 9, 9, 15, 15, 512),
            (Headroom::Fresh, 0, 9, 5, 12, 512),
        ] {
            let size = headroom.of(&scaled, SIZE, Peak { pods, busiest: true, room });
            let all = (size.min, size.max, size.memory_limit);
            assert_eq!(all, (min, max, Some(memory)), "{headroom:?} at {pods}");
            assert_eq!((size.cpu, size.target), (SIZE.cpu, SIZE.target));
        }
        let quiet = Peak { pods: 9, busiest: false, room: 9 };
        assert_eq!(Headroom::Third.of(&scaled, SIZE, quiet), SIZE);
    }

    #[test]
    fn what_is_added_is_taken_back_until_all_pods_are_within_the_policy() {
        // (least, pods), the most -> pods
        for (mut all, most, kept) in [
            ([(6, 10), (3, 10), (16, 23)], 43, [10, 10, 23]),
            ([(6, 10), (3, 10), (16, 23)], 30, [8, 5, 17]),
            ([(6, 10), (3, 10), (16, 23)], 20, [6, 3, 16]),
            ([(6, 7), (3, 4), (16, 19)], 28, [7, 4, 17]),
        ] {
            let mut pods: Vec<_> = all.iter_mut().map(|(least, pods)| (pods, *least)).collect();
            keep_within(most, &mut pods);
            assert_eq!(all.map(|(_, pods)| pods), kept, "{most}");
        }
    }

    #[test]
    fn an_hpa_settles_where_its_target_is_met() {
        // Cores needed, and the pods of 500m at 70 %, 4 to 10 of them.
        for (cores, pods) in [(0.5, 4), (2.0, 6), (2.11, 7), (9.0, 10)] {
            assert_eq!(settled(&site(true, true, true), Need { cores, memory: 60 }, SIZE), pods, "{cores}");
        }
        assert_eq!(settled(&site(false, true, true), Need { cores: 9.0, memory: 60 }, SIZE), SIZE.min);
    }

    #[test]
    fn only_what_is_asked_and_scales_gets_more_pods() {
        for headroom in Headroom::TRIED.into_iter().chain([Headroom::Fresh, Headroom::Bounded]) {
            let nine = Peak { pods: 9, busiest: true, room: 9 };
            assert_eq!(headroom.of(&site(true, true, false), SIZE, nine), SIZE, "{headroom:?}");
            let single = headroom.of(&site(false, false, true), SIZE, nine);
            assert_eq!((single.min, single.max), (SIZE.min, SIZE.max), "{headroom:?}");
        }
        // Without an HPA there is one number of replicas.
        let four = Peak { pods: 4, busiest: true, room: 9 };
        let fixed = Headroom::Third.of(&site(false, true, true), Sizing { max: 4, ..SIZE }, four);
        assert_eq!((fixed.min, fixed.max), (6, 6));
    }
}
