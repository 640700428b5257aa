//! From needs to sizes: the arithmetic of utilisation, and a model-based search
//! over what it leaves open.

use super::probe::Need;
use super::settings::Settings;
use super::site::{Site, Sizing};
use crate::scenario::{Comparison, Indicator, Objective, Scenario};

/// What the arithmetic leaves open for one workload that scales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// How much of what a pod can use it uses at the peak, in 0..1: the load of a
    /// queueing station.
    pub load: f64,
    /// What of its CPU request a pod uses at the peak: the HPA's target.
    pub target: f64,
    /// `minReplicas` as a part of the pods at the peak.
    pub floor: f64,
    /// How many cores a pod of many threads is meant to use.
    pub width: f64,
    /// Whether a CPU limit that would hold a pod back is taken away.
    pub free: bool,
}

/// What a pod can have at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// CPU of the largest node that pods may ask for, in cores.
    pub cores: f64,
    /// The fewest pods of the whole application that the policy wants at the peak.
    pub least_pods: u32,
    /// Pods of workloads that nothing is asked of this search.
    pub others: u32,
}

impl Room {
    /// Of a scenario: its largest node, and what its policy says of pods.
    pub fn of(scenario: &Scenario, sites: &[Site]) -> Self {
        let largest = scenario.cluster.pools.iter().map(|pool| pool.allocatable_cpu().as_cores());
        let wants =
            |one: &&Objective| one.indicator == Indicator::PodsMax && one.comparison == Comparison::AtLeast;
        let least = scenario.goals.objectives.iter().find(wants).map_or(0.0, |one| one.goal);
        let searched = |workload: &usize| {
            sites.iter().any(|site| site.workload == *workload && site.asked && site.scales)
        };
        let others = (0..scenario.workloads.len()).filter(|one| !searched(one));
        Self {
            cores: largest.fold(0.1, f64::max),
            least_pods: least.ceil() as u32,
            others: others.map(|one| scenario.workloads[one].replicas).sum(),
        }
    }
}

/// The least part of the pods at the peak that stands by all the time.
const LEAST_PODS: u32 = 2;
/// A single pod without company is loaded so much at the peak, at most.
const SINGLE_LOAD: f64 = 0.7;
/// More pods than the peak needs: what an HPA may add when one day is worse.
const SPARE: f64 = 1.25;
/// Memory requested beyond the largest pod seen.
const MEMORY_SPARE: f64 = 1.5;
/// The same where an HPA would scale on memory: below the usual target of 80 %.
const MEMORY_SPARE_HPA: f64 = 1.7;

/// The choices that a grid of loads and targets makes for every workload alike.
pub fn usual() -> Vec<Choice> {
    let mut all = Vec::new();
    for width in [1.0, 2.0] {
        for load in [0.35, 0.45, 0.55, 0.65, 0.75] {
            all.push(Choice { load, target: 0.7, floor: 0.6, width, free: true });
        }
    }
    all.extend([0.25, 0.4].map(|load| Choice { load, target: 0.7, floor: 0.6, width: 1.0, free: false }));
    all
}

/// The settings that a choice for every site leads to; `demand` scales the needs.
pub fn settings(
    sites: &[Site],
    needs: &[Need],
    choices: &[Choice],
    room: Room,
    demand: f64,
    guards: &Settings,
) -> Settings {
    let sizes = sites.iter().zip(needs).zip(choices).map(|((site, need), choice)| {
        let need = Need { cores: need.cores * demand, ..*need };
        match (site.asked, site.scales) {
            (false, _) => site.now,
            (true, true) => scaled(site, need, *choice, room),
            (true, false) => single(site, need, room),
        }
    });
    let mut sizes: Vec<Sizing> = sizes.collect();
    fill(sites, &mut sizes, room);
    Settings { sizes, guards: guards.guards.clone() }
}

/// Adds pods in turn until there are as many as the policy wants.
fn fill(sites: &[Site], sizes: &mut [Sizing], room: Room) {
    let searched: Vec<usize> =
        (0..sites.len()).filter(|one| sites[*one].asked && sites[*one].scales).collect();
    let there: u32 = searched.iter().map(|one| sizes[*one].min).sum::<u32>() + room.others;
    for turn in 0..room.least_pods.saturating_sub(there) as usize {
        let Some(site) = searched.get(turn % searched.len().max(1)) else { return };
        sizes[*site].min += 1;
        sizes[*site].max = sizes[*site].max.max(sizes[*site].min);
    }
}

/// A workload of many pods.
fn scaled(site: &Site, need: Need, choice: Choice, room: Room) -> Sizing {
    let usable = site.threads.map_or(choice.width, |threads| choice.width.min(f64::from(threads)));
    let usable = usable.min(0.9 * room.cores);
    let pods = ((need.cores / (choice.load * usable)).ceil() as u32).max(LEAST_PODS);
    let cpu = request(need.cores / f64::from(pods) / choice.target, room);
    let (min, max) = if site.hpa.is_some() {
        let min = ((f64::from(pods) * choice.floor).ceil() as u32).clamp(LEAST_PODS, pods);
        (min, ((f64::from(pods) * SPARE).ceil() as u32).max(site.now.max))
    } else {
        (pods, pods)
    };
    let target = if site.hpa.is_some() { (choice.target * 100.0).round() as u32 } else { 0 };
    let (memory, memory_limit) = memory(site, need);
    Sizing {
        cpu,
        cpu_limit: limit(site, if choice.free { usable } else { 0.0 }, cpu),
        memory,
        memory_limit,
        min,
        max,
        target,
    }
}

/// A workload that has to do with its one pod.
fn single(site: &Site, need: Need, room: Room) -> Sizing {
    let wanted = need.cores / SINGLE_LOAD;
    let now = site.now;
    let fits = (1.0..2.5).contains(&(now.cpu as f64 / 1e3 / wanted.max(1e-3)));
    let cpu = if fits { now.cpu } else { request(wanted, room) };
    let usable = site.threads.map_or(room.cores, |threads| f64::from(threads).min(room.cores));
    let (memory, memory_limit) = memory(site, need);
    // Bursts of a single pod meet nobody to share them with.
    let cpu_limit = limit(site, usable.min(3.0 * wanted), cpu);
    Sizing { cpu, cpu_limit, memory, memory_limit, ..now }
}

/// A limit that stays where it holds nothing back, and goes where it would.
fn limit(site: &Site, usable: f64, cpu: u64) -> Option<u64> {
    site.now.cpu_limit.filter(|limit| *limit as f64 >= usable * 1e3 && *limit >= cpu)
}

/// A request that people would write: steps of 10m below half a core, of 50m above.
fn request(cores: f64, room: Room) -> u64 {
    let milli = (cores * 1e3).clamp(10.0, room.cores * 1e3);
    let step = if milli < 500.0 { 10.0 } else { 50.0 };
    let up = (milli / step).ceil() * step;
    let down = (milli / step).floor() * step;
    // Rounding up must not lead beyond the node.
    (if up > room.cores * 1e3 { down } else { up }) as u64
}

/// Request and limit in MiB: as they are, where they are enough and not wasteful.
fn memory(site: &Site, need: Need) -> (u64, Option<u64>) {
    let spare = if site.hpa.as_ref().is_some_and(|hpa| hpa.memory) { MEMORY_SPARE_HPA } else { MEMORY_SPARE };
    let wanted = (need.memory as f64 * spare / 32.0).ceil() as u64 * 32;
    let now = site.now;
    let request = if (wanted..=4 * wanted).contains(&now.memory) { now.memory } else { wanted.max(32) };
    let limit = now.memory_limit.map(|limit| if limit < 2 * request { 2 * request } else { limit });
    (request, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::site::HpaSite;

    const NOW: Sizing = Sizing {
        cpu: 250,
        cpu_limit: Some(500),
        memory: 256,
        memory_limit: Some(512),
        min: 2,
        max: 10,
        target: 70,
    };

    fn site(scales: bool, threads: Option<u32>) -> Site {
        let target = "spec.metrics[0].resource.target.averageUtilization".to_owned();
        let hpa = scales.then_some(HpaSite { object: 1, autoscaler: 0, target, memory: false });
        Site { workload: 0, object: 0, container: 0, hpa, scales, asked: true, threads, now: NOW }
    }

    const CHOICE: Choice = Choice { load: 0.5, target: 0.5, floor: 0.5, width: 2.0, free: true };
    const ROOM: Room = Room { cores: 3.92, least_pods: 0, others: 0 };

    #[test]
    fn sizes_follow_from_needs() {
        // Need in cores, threads, pods at the peak, request of each.
        for (cores, threads, pods, cpu) in
            [(7.0, Some(1), 14, 1000), (7.0, Some(4), 7, 2000), (7.0, None, 7, 2000), (0.1, Some(1), 2, 100)]
        {
            let size = scaled(&site(true, threads), Need { cores, memory: 60 }, CHOICE, ROOM);
            assert_eq!((size.cpu, size.target), (cpu, 50), "{cores} cores on {threads:?} threads");
            assert_eq!(size.min, (f64::from(pods) / 2.0).ceil().max(2.0) as u32, "{cores} on {threads:?}");
            assert_eq!(size.max, ((f64::from(pods) * SPARE).ceil() as u32).max(10), "{cores} on {threads:?}");
            // 500m would hold back a pod that is meant to use a core or two.
            assert_eq!(size.cpu_limit, None);
            assert_eq!((size.memory, size.memory_limit), (256, Some(512)));
        }
    }

    #[test]
    fn a_single_pod_gets_a_request_and_keeps_what_fits() {
        let one = site(false, None);
        assert_eq!(single(&one, Need { cores: 0.1, memory: 60 }, ROOM), NOW);
        let busy = single(&one, Need { cores: 0.7, memory: 300 }, ROOM);
        assert_eq!((busy.cpu, busy.cpu_limit), (1000, None));
        assert_eq!((busy.memory, busy.memory_limit), (480, Some(960)));
    }

    #[test]
    fn requests_never_outgrow_a_node_and_are_round() {
        for (cores, milli) in [(0.001, 10), (0.123, 130), (0.601, 650), (3.91, 3900), (50.0, 3900)] {
            assert_eq!(request(cores, ROOM), milli, "{cores}");
        }
    }

    #[test]
    fn pods_are_added_until_the_policy_has_its_least() {
        let sites = [site(true, Some(1)), site(true, Some(1)), site(false, None)];
        let needs = [Need { cores: 0.1, memory: 60 }; 3];
        let guards = Settings { sizes: Vec::new(), guards: Vec::new() };
        let room = Room { least_pods: 15, others: 5, ..ROOM };
        let settings = settings(&sites, &needs, &[CHOICE; 3], room, 1.0, &guards);
        assert_eq!(settings.sizes.iter().map(|size| size.min).collect::<Vec<_>>(), [5, 5, 2]);
    }
}
