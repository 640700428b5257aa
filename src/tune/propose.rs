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
    /// The most that it bears.
    pub most_pods: u32,
    /// Pods of workloads that nothing is asked of this search.
    pub others: u32,
}

impl Room {
    /// Of a scenario: its largest node, and what its policy says of pods.
    pub fn of(scenario: &Scenario, sites: &[Site]) -> Self {
        let largest = scenario.cluster.pools.iter().map(|pool| pool.allocatable_cpu().as_cores());
        let bounds = |comparison: Comparison| {
            let on_pods = move |one: &&Objective| {
                matches!(one.indicator, Indicator::PodsMax | Indicator::PodsMin)
                    && one.comparison == comparison
            };
            scenario
                .goals
                .objectives
                .iter()
                .filter(on_pods)
                .map(|one| one.goal.clamp(0.0, f64::from(u32::MAX)))
        };
        // Pods that stand by keep both: that there are so many once, and always.
        let least = bounds(Comparison::AtLeast).fold(0.0, f64::max);
        let most = bounds(Comparison::AtMost).fold(f64::from(u32::MAX), f64::min);
        let searched = |workload: &usize| {
            sites.iter().any(|site| site.workload == *workload && site.asked && site.scales)
        };
        let others = (0..scenario.workloads.len()).filter(|one| !searched(one));
        Self {
            cores: largest.fold(0.1, f64::max),
            least_pods: least.ceil() as u32,
            most_pods: most as u32,
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
/// Pods are loaded no more than this to have fewer of them.
const MOST_LOAD: f64 = 0.9;
/// Fewer pods come in such steps of width or load.
const STEP: f64 = 1.15;
/// So many steps, at most.
const STEPS: usize = 200;
/// A step of an HPA's target, in percent.
const TARGET_STEP: u32 = 4;
/// The highest target: above it a pod has no room to grow before another comes.
const MOST_TARGET: u32 = 95;
/// The lowest target that is tried.
const LEAST_TARGET: u32 = 20;
/// A step of a CPU request.
const LESS: f64 = 0.9;
/// Memory requested beyond the largest pod seen.
const MEMORY_SPARE: f64 = 1.5;
/// The same where an HPA would scale on memory: below the usual target of 80 %.
const MEMORY_SPARE_HPA: f64 = 1.7;

/// Load, target and floor of the choices to begin with: few pods before the peak or
/// all of them, a few busy pods or many calm ones.
const USUAL: [[f64; 3]; 8] = [
    [0.35, 0.7, 0.6],
    [0.5, 0.7, 1.0],
    [0.2, 0.5, 1.0],
    [0.65, 0.7, 0.6],
    [0.4, 0.5, 1.0],
    [0.35, 0.7, 1.0],
    [0.5, 0.7, 0.6],
    [0.65, 0.7, 1.0],
];

/// The choices to begin with, for every workload alike.
pub fn usual() -> Vec<Choice> {
    let of =
        |width: f64| USUAL.map(|[load, target, floor]| Choice { load, target, floor, width, free: true });
    let mut all = Vec::from(of(1.0));
    all.extend(&of(2.0)[..4]);
    all.extend([0.25, 0.4].map(|load| Choice { load, target: 0.7, floor: 0.6, width: 1.0, free: false }));
    all
}

/// Steps from a choice to its neighbours, on load, target and floor: towards less
/// cost where the policy is kept, towards safety where it is missed.
const CHEAPER: [[f64; 3]; 4] = [[1.0, 1.12, 1.0], [1.0, 1.0, 0.8], [1.15, 1.0, 1.0], [1.15, 1.12, 0.9]];
const SAFER: [[f64; 3]; 4] = [[0.5, 1.0, 1.0], [1.0, 0.85, 1.0], [0.8, 1.0, 1.35], [1.0, 1.0, 1.35]];
/// Smaller steps, for when the large ones lead nowhere.
const FINER: f64 = 0.5;

/// Choices whose requests leave no scrap of a node: so much less that one pod more
/// fits on each. Targets rise with it, as the pods use the same.
pub fn packed(sites: &[Site], needs: &[Need], choices: &[Choice], room: Room) -> Vec<Choice> {
    let one = |((site, need), choice): ((&Site, &Need), &Choice)| {
        let size = scaled(site, *need, *choice, room);
        let request = part(room, fit(size, room) + 1.0) as f64;
        let each = need.cores / f64::from(pods(site, *need, *choice, room)) * 1e3;
        let target = if request > 0.0 { (each / request).clamp(0.3, 0.95) } else { choice.target };
        if site.asked && site.scales { Choice { target, ..*choice } } else { *choice }
    };
    sites.iter().zip(needs).zip(choices).map(one).collect()
}

/// The sites whose pods are searched: they are asked, and there may be several.
pub fn searched(sites: &[Site]) -> impl Iterator<Item = usize> + '_ {
    (0..sites.len()).filter(|one| sites[*one].asked && sites[*one].scales)
}

/// How many pods of a size fit on a node, by CPU.
fn fit(size: Sizing, room: Room) -> f64 {
    (room.cores * 1e3 / size.cpu.max(1) as f64).floor()
}

/// The largest request, in steps of 10m, of which so many fit on a node.
fn part(room: Room, pods: f64) -> u64 {
    (room.cores * 1e3 / pods / 10.0).floor() as u64 * 10
}

/// The neighbours of a choice: all sites alike, then each on its own, then both in
/// smaller steps.
pub fn moves(choices: &[Choice], kept: bool) -> Vec<Vec<Choice>> {
    let steps = if kept { CHEAPER } else { SAFER };
    let moved = |choice: &Choice, step: [f64; 3], size: f64| {
        let by = step.map(|factor| 1.0 + (factor - 1.0) * size);
        Choice {
            load: (choice.load * by[0]).clamp(0.2, MOST_LOAD),
            target: (choice.target * by[1]).clamp(0.3, 0.95),
            floor: (choice.floor * by[2]).clamp(0.2, 1.0),
            ..*choice
        }
    };
    let mut all = Vec::new();
    for size in [1.0, FINER] {
        for step in steps {
            all.push(choices.iter().map(|one| moved(one, step, size)).collect());
        }
        for site in (0..choices.len()).filter(|_| choices.len() > 1) {
            for step in steps {
                let mut one = choices.to_vec();
                one[site] = moved(&one[site], step, size);
                all.push(one);
            }
        }
    }
    all
}

/// Sizes a small step cheaper: in whole pods, and in what fits on a node, which shares
/// of the peak step across. A pod goes on using the same before its HPA adds another,
/// except where the target itself is the step.
pub fn trimmed(site: &Site, size: Sizing, room: Room) -> Vec<Sizing> {
    let mut all = Vec::new();
    if size.min > LEAST_PODS.min(site.now.min) {
        let min = size.min - 1;
        all.push(Sizing { min, max: if site.hpa.is_some() { size.max } else { min }, ..size });
    }
    if site.hpa.is_some() && size.target > 0 {
        let target = size.target + TARGET_STEP;
        all.push(Sizing { target, ..size });
    }
    let less = (size.cpu as f64 * LESS / 10.0).floor() as u64 * 10;
    for cpu in [less, part(room, fit(size, room) + 1.0)] {
        let target = (f64::from(size.target) * size.cpu as f64 / cpu.max(1) as f64).floor() as u32;
        if cpu > 0 {
            all.push(Sizing { cpu, target, ..size });
        }
    }
    all.retain(|one| one.target <= MOST_TARGET && *one != size);
    all
}

/// A pod more on each node, and a pod less. An HPA goes on adding pods at the same use of
/// each.
pub fn repacked(size: Sizing, room: Room) -> Vec<Sizing> {
    let fit = fit(size, room);
    let of = |fit: f64| {
        let cpu = part(room, fit);
        let target = (f64::from(size.target) * size.cpu as f64 / cpu.max(1) as f64) as u32;
        let target = if size.target > 0 { target.clamp(LEAST_TARGET, MOST_TARGET) } else { 0 };
        Sizing { cpu, target, ..size }
    };
    let fits = [fit + 1.0, fit - 1.0].into_iter().filter(|fit| *fit >= 1.0);
    let limit_holds = |one: &Sizing| one.cpu > 0 && one.cpu_limit.is_none_or(|limit| limit >= one.cpu);
    fits.map(of).filter(limit_holds).collect()
}

/// An eighth more pods standing by.
pub fn wider(size: Sizing) -> Sizing {
    let min = size.min + size.min.div_ceil(8);
    Sizing { min, max: if size.max == size.min { min } else { size.max.max(min) }, ..size }
}

/// An HPA that acts sooner, where there is one.
pub fn sooner(size: Sizing) -> Sizing {
    Sizing { target: size.target.min(size.target.saturating_sub(TARGET_STEP).max(LEAST_TARGET)), ..size }
}

/// Sizes a small step safer: a pod more standing by, an HPA that acts sooner, what is left
/// over on the nodes, and a pod less on each, where there are more pods than the policy
/// bears.
pub fn eased(site: &Site, size: Sizing, room: Room) -> Vec<Sizing> {
    let min = size.min + 1;
    let mut all = vec![Sizing { min, max: size.max.max(min), ..size }];
    if size.target > LEAST_TARGET + TARGET_STEP {
        all.push(Sizing { target: size.target - TARGET_STEP, ..size });
    }
    let fit = fit(size, room).max(1.0);
    let larger = [part(room, fit), part(room, (fit - 1.0).max(1.0))].map(|cpu| Sizing { cpu, ..size });
    let holds = |one: &Sizing| one.cpu > size.cpu && one.cpu_limit.is_none_or(|limit| limit >= one.cpu);
    all.extend(larger.into_iter().filter(|one| site.hpa.is_some() && holds(one)));
    all.dedup();
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
    let needs: Vec<Need> = needs.iter().map(|need| Need { cores: need.cores * demand, ..*need }).collect();
    let choices = squeezed(sites, &needs, choices, room);
    let sizes = sites.iter().zip(&needs).zip(&choices).map(|((site, need), choice)| {
        let need = *need;
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

/// Choices with fewer and larger pods, or with more work for each, where there would
/// be more pods than the policy bears. Pods grow first: a wide station waits less
/// than a busy one. What can't grow any more (a process of one thread) is loaded more.
fn squeezed(sites: &[Site], needs: &[Need], choices: &[Choice], room: Room) -> Vec<Choice> {
    let mut choices = choices.to_vec();
    let fixed: u32 = room.others;
    let searched: Vec<usize> = searched(sites).collect();
    for _ in 0..STEPS {
        let count = |one: usize| pods(&sites[one], needs[one], choices[one], room);
        let all: u32 = searched.iter().map(|one| count(*one)).sum::<u32>().saturating_add(fixed);
        if all <= room.most_pods {
            break;
        }
        let wider = |one: usize| {
            let width = usable(&sites[one], choices[one], room);
            width * STEP <= widest(&sites[one], room)
        };
        let can =
            |one: &usize| count(*one) > LEAST_PODS && (wider(*one) || choices[*one].load * STEP <= MOST_LOAD);
        // Those that grow before those that only get more work; the most pods first.
        let best = searched.iter().copied().filter(can);
        let Some(one) = best.max_by_key(|one| (wider(*one), count(*one), usize::MAX - one)) else { break };
        if wider(one) {
            choices[one].width = usable(&sites[one], choices[one], room) * STEP;
        } else {
            choices[one].load *= STEP;
        }
    }
    choices
}

/// The most cores that a pod can be meant to use.
fn widest(site: &Site, room: Room) -> f64 {
    site.threads.map_or(f64::INFINITY, f64::from).min(0.9 * room.cores)
}

/// The cores that a pod is meant to use.
fn usable(site: &Site, choice: Choice, room: Room) -> f64 {
    choice.width.min(widest(site, room))
}

/// The pods at the peak.
fn pods(site: &Site, need: Need, choice: Choice, room: Room) -> u32 {
    ((need.cores / (choice.load * usable(site, choice, room))).ceil() as u32).max(LEAST_PODS)
}

/// Adds pods in turn until there are as many as the policy wants.
fn fill(sites: &[Site], sizes: &mut [Sizing], room: Room) {
    let searched: Vec<usize> = searched(sites).collect();
    let there: u32 = searched.iter().map(|one| sizes[*one].min).sum::<u32>() + room.others;
    for turn in 0..room.least_pods.saturating_sub(there) as usize {
        let Some(site) = searched.get(turn % searched.len().max(1)) else { return };
        sizes[*site].min += 1;
        sizes[*site].max = sizes[*site].max.max(sizes[*site].min);
    }
}

/// A workload of many pods.
fn scaled(site: &Site, need: Need, choice: Choice, room: Room) -> Sizing {
    let usable = usable(site, choice, room);
    let pods = pods(site, need, choice, room);
    let cpu = request(need.cores / f64::from(pods) / choice.target, room);
    let (min, max) = if site.hpa.is_some() {
        let min = ((f64::from(pods) * choice.floor).ceil() as u32).clamp(LEAST_PODS, pods);
        (min, ((f64::from(pods) * SPARE).ceil() as u32).max(site.now.max))
    } else {
        (pods, pods)
    };
    let target = if site.cpu_target().is_some() { (choice.target * 100.0).round() as u32 } else { 0 };
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

/// A workload that has to do with the pods that it has.
fn single(site: &Site, need: Need, room: Room) -> Sizing {
    let now = site.now;
    let wanted = need.cores / f64::from(now.min.max(1)) / SINGLE_LOAD;
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
        let target = Some("spec.metrics[0].resource.target.averageUtilization".to_owned());
        let hpa = scales.then_some(HpaSite { object: 1, autoscaler: 0, target, memory: false });
        Site { hpa, scales, threads, ..Site::plain(NOW) }
    }

    const CHOICE: Choice = Choice { load: 0.5, target: 0.5, floor: 0.5, width: 2.0, free: true };
    const ROOM: Room = Room { cores: 3.92, least_pods: 0, most_pods: u32::MAX, others: 0 };

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
        let of = |pods: u32| Site { now: Sizing { min: pods, max: pods, ..NOW }, ..site(false, None) };
        assert_eq!(single(&of(1), Need { cores: 0.1, memory: 60 }, ROOM), of(1).now);
        // Several pods share the work.
        for (pods, cores) in [(1, 0.7), (3, 2.08)] {
            let busy = single(&of(pods), Need { cores, memory: 300 }, ROOM);
            assert_eq!((busy.cpu, busy.cpu_limit), (1000, None), "{cores} cores on {pods} pods");
            assert_eq!((busy.memory, busy.memory_limit), (480, Some(960)));
        }
    }

    #[test]
    fn requests_never_outgrow_a_node_and_are_round() {
        for (cores, milli) in [(0.001, 10), (0.123, 130), (0.601, 650), (3.91, 3900), (50.0, 3900)] {
            assert_eq!(request(cores, ROOM), milli, "{cores}");
        }
    }

    #[test]
    fn neighbours_lead_towards_less_cost_or_towards_safety() {
        for (kept, sites, number) in [(true, 1, 8), (false, 1, 8), (true, 3, 2 * (4 + 12))] {
            let all = moves(&vec![CHOICE; sites], kept);
            assert_eq!(all.len(), number);
            for one in all.iter().flatten() {
                let grows =
                    one.load >= CHOICE.load && one.target >= CHOICE.target && one.floor <= CHOICE.floor;
                let eases =
                    one.load <= CHOICE.load && one.target <= CHOICE.target && one.floor >= CHOICE.floor;
                assert!(if kept { grows } else { eases }, "{one:?}");
            }
        }
    }

    #[test]
    fn a_trimmed_size_is_a_pod_a_target_or_a_request_less() {
        let trimmed = |hpa: bool, size: Sizing| {
            let all = trimmed(&Site { hpa: site(hpa, None).hpa, ..site(true, None) }, size, ROOM);
            all.iter().map(|one| (one.cpu, one.min, one.max, one.target)).collect::<Vec<_>>()
        };
        // Of 3,920m seven pods of 500m are one node, eight of 490m.
        let size = Sizing { cpu: 500, min: 4, ..NOW };
        assert_eq!(
            trimmed(true, size),
            [(500, 3, 10, 70), (500, 4, 10, 74), (450, 4, 10, 77), (490, 4, 10, 71)]
        );
        // Two are the least, and 95 % the highest target.
        let size = Sizing { cpu: 500, target: 93, ..NOW };
        assert_eq!(trimmed(true, size), [(490, 2, 10, 94)]);
        // Without an HPA there is one number of replicas.
        let size = Sizing { cpu: 500, min: 4, max: 4, target: 0, ..NOW };
        assert_eq!(trimmed(false, size), [(500, 3, 3, 0), (450, 4, 4, 0), (490, 4, 4, 0)]);
    }

    #[test]
    fn other_numbers_of_pods_fill_a_node() {
        let repacked =
            |size: Sizing| repacked(size, ROOM).iter().map(|one| (one.cpu, one.target)).collect::<Vec<_>>();
        // Seven pods of 500m fit on 3,920m; eight of 490m, six of 650m.
        let size = Sizing { cpu: 500, cpu_limit: None, ..NOW };
        assert_eq!(repacked(size), [(490, 71), (650, 53)]);
        assert_eq!(repacked(Sizing { cpu_limit: Some(500), ..size }), [(490, 71)]);
        // One fits, and two would.
        assert_eq!(repacked(Sizing { cpu: 3000, target: 0, ..size }), [(1960, 0)]);
        let of = |size: Sizing| (size.min, size.max, size.target);
        assert_eq!(of(wider(Sizing { min: 9, ..size })), (11, 11, 70));
        assert_eq!(of(wider(Sizing { min: 9, max: 9, target: 0, ..size })), (11, 11, 0));
        assert_eq!(of(sooner(Sizing { min: 9, ..size })), (9, 10, 66));
        assert_eq!(of(sooner(Sizing { min: 9, target: 0, ..size })), (9, 10, 0));
    }

    #[test]
    fn an_eased_size_is_a_pod_more_or_acts_sooner() {
        let eased = |hpa: bool, size: Sizing| {
            let all = eased(&Site { hpa: site(hpa, None).hpa, ..site(true, None) }, size, ROOM);
            all.iter().map(|one| (one.cpu, one.min, one.max, one.target)).collect::<Vec<_>>()
        };
        // Seven pods fit on 3,920m, of up to 560m each, and six of up to 650m.
        let size = Sizing { cpu: 500, cpu_limit: None, min: 10, ..NOW };
        let larger = [(560, 10, 10, 70), (650, 10, 10, 70)];
        assert_eq!(eased(true, size), [[(500, 11, 11, 70), (500, 10, 10, 66)], larger].concat());
        assert_eq!(eased(true, Sizing { cpu_limit: Some(500), ..size }).len(), 2);
        let size = Sizing { min: 4, max: 4, target: 0, ..size };
        assert_eq!(eased(false, size), [(500, 5, 5, 0)]);
    }

    #[test]
    fn pods_grow_before_they_get_busy_where_the_policy_limits_them() {
        let sites = [site(true, None), site(true, Some(1))];
        let needs = [Need { cores: 6.0, memory: 60 }, Need { cores: 2.0, memory: 60 }];
        let choice = Choice { load: 0.5, width: 1.0, ..CHOICE };
        let of = |most_pods: u32| {
            let room = Room { most_pods, others: 2, ..ROOM };
            let squeezed = squeezed(&sites, &needs, &[choice; 2], room);
            let pods: Vec<u32> =
                (0..2).map(|one| pods(&sites[one], needs[one], squeezed[one], room)).collect();
            (pods, squeezed)
        };
        assert_eq!(of(18), (vec![12, 4], vec![choice; 2]));
        let (pods, squeezed) = of(12);
        assert_eq!(pods, [6, 4]);
        assert!(squeezed[0].width > 1.9 && (squeezed[0].load - 0.5).abs() < 1e-9, "{squeezed:?}");
        assert_eq!(squeezed[1], choice);
        // Beyond that only load helps, and at last nothing does.
        let (pods, squeezed) = of(7);
        assert!(pods.iter().sum::<u32>() <= 5 && squeezed[0].load > 0.5, "{pods:?} {squeezed:?}");
        let (pods, squeezed) = of(3);
        assert!(pods.iter().sum::<u32>() > 1 && squeezed.iter().all(|one| one.load <= 0.9), "{squeezed:?}");
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
