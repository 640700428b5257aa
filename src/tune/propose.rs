//! From needs to sizes: the arithmetic of utilisation, and a model-based search
//! over what it leaves open.

use super::probe::Need;
use super::settings::Settings;
use super::site::{Site, Sizing};
use crate::scenario::Scenario;

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
}

/// What a pod can have at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// CPU of the largest node that pods may ask for, in cores.
    pub cores: f64,
}

impl Room {
    /// Of a scenario's largest node.
    pub fn of(scenario: &Scenario) -> Self {
        let largest = scenario.cluster.pools.iter().map(|pool| pool.allocatable_cpu().as_cores());
        Self { cores: largest.fold(0.1, f64::max) }
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
            all.push(Choice { load, target: 0.7, floor: 0.6, width });
        }
    }
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
    Settings { sizes: sizes.collect(), guards: guards.guards.clone() }
}

/// A workload of many pods.
fn scaled(site: &Site, need: Need, choice: Choice, room: Room) -> Sizing {
    let usable = site.threads.map_or(choice.width, |threads| choice.width.min(f64::from(threads)));
    let usable = usable.min(0.9 * room.cores);
    let pods = ((need.cores / (choice.load * usable)).ceil() as u32).max(LEAST_PODS);
    let cpu = request(need.cores / f64::from(pods) / choice.target, room);
    let (min, max) = if site.hpa.is_some() {
        let min = ((f64::from(pods) * choice.floor).ceil() as u32).clamp(LEAST_PODS, pods);
        (min, (f64::from(pods) * SPARE).ceil() as u32)
    } else {
        (pods, pods)
    };
    let target = if site.hpa.is_some() { (choice.target * 100.0).round() as u32 } else { 0 };
    let (memory, memory_limit) = memory(site, need);
    Sizing { cpu, cpu_limit: limit(site, usable, cpu), memory, memory_limit, min, max, target }
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
