//! The hardest minutes of a scenario: what candidates are tried on first.

use super::probe::Need;
use super::site::Site;
use crate::scenario::{NodePool, Population, Scenario, Shape, catalogue};
use crate::units::{SimDuration, SimTime};

/// Before the peak: long enough for an autoscaler to fall behind.
const LEAD: SimDuration = SimDuration::from_secs(300);
/// After it.
const TAIL: SimDuration = SimDuration::from_secs(60);
/// Until users have spread over their thinking times and pods are up.
const WARM_UP: SimDuration = SimDuration::from_secs(120);
/// Users come slowly, so that few come before the pods are ready: what fails then and
/// is tried again is a peak that no day has, and an HPA remembers it for minutes.
const RAMP_IN: SimDuration = SimDuration::from_secs(90);

/// The scenario cut down to the minutes before its peak. Autoscalers and nodes
/// start where they would be by then.
pub fn hardest(scenario: &Scenario, sites: &[Site], needs: &[Need]) -> Scenario {
    let mut cut = scenario.clone();
    let begin = SimTime::ZERO + scenario.warm_up;
    let end = begin + scenario.horizon;
    // Candidates meet a record's rate; the proof meets the record itself.
    cut.demand.replay = None;
    let shape = match &mut cut.demand.population {
        Population::Users { shape, .. } | Population::Rate { shape, .. } => shape,
    };
    let peak = shape.peak(begin, end);
    let top = time_of(shape, peak, begin, end);
    let from = top.minus_or_zero(LEAD + WARM_UP);
    let share = shape.at(from) / peak.max(f64::MIN_POSITIVE);
    *shape = shifted(shape, from);
    cut.warm_up = WARM_UP;
    cut.demand.ramp_in = RAMP_IN;
    // Usage curves are held where they are highest: a candidate has to bear that, too.
    if let Some(moment) = catalogue::usage_peak(scenario) {
        cut.workloads.iter_mut().filter_map(|one| one.usage.as_mut()).for_each(|usage| {
            *usage = usage.held_at(moment);
        });
    }
    let until = (top + TAIL).min(end);
    cut.horizon = until.since_or_zero(from + WARM_UP).max(TAIL);
    in_stride(&mut cut, sites, needs, share);
    cut.sliced_where_many_ask()
}

/// The whole time of a scenario, as candidates go through it. What is proved in the end is
/// simulated in full.
pub fn whole(scenario: &Scenario) -> Scenario {
    scenario.clone().sliced_where_many_ask()
}

/// The scenario at its peak all the time, as drills are held there. Autoscalers and
/// nodes start where they would have settled, so that a short warm-up is enough.
pub fn peak(scenario: &Scenario, sites: &[Site], needs: &[Need]) -> Scenario {
    let mut peak = catalogue::at_peak(scenario);
    peak.warm_up = WARM_UP;
    peak.demand.ramp_in = RAMP_IN;
    in_stride(&mut peak, sites, needs, 1.0);
    peak
}

/// The first moment at which the shape is at its peak.
fn time_of(shape: &Shape, peak: f64, begin: SimTime, end: SimTime) -> SimTime {
    let inside = shape.points.iter().map(|(time, _)| *time).filter(|time| (begin..=end).contains(time));
    let times = std::iter::once(begin).chain(inside).chain([end]);
    times.into_iter().find(|time| shape.at(*time) >= peak * (1.0 - 1e-9)).unwrap_or(begin)
}

/// The shape as it is from a moment on.
fn shifted(shape: &Shape, from: SimTime) -> Shape {
    let first = (SimTime::ZERO, shape.at(from));
    let later = shape.points.iter().filter(|(time, _)| *time > from);
    let later = later.map(|(time, value)| (SimTime::ZERO + time.since(from), *value));
    Shape { points: std::iter::once(first).chain(later).collect(), interpolation: shape.interpolation }
}

/// Starts with the pods and nodes that this share of the peak has brought about.
fn in_stride(scenario: &mut Scenario, sites: &[Site], needs: &[Need], share: f64) {
    for (site, need) in sites.iter().zip(needs) {
        let Some(hpa) = &site.hpa else { continue };
        let spec = &scenario.autoscalers[hpa.autoscaler].spec;
        let (min, max) = (spec.min_replicas, spec.max_replicas);
        let target = spec.metrics.iter().find_map(|metric| match metric {
            crate::k8s::hpa::MetricSpec::Resource {
                target: crate::k8s::hpa::ResourceTarget::Utilization(target),
                resource: crate::k8s::hpa::ResourceName::Cpu,
                ..
            } => Some(f64::from(*target) / 100.0),
            _ => None,
        });
        let workload = &mut scenario.workloads[site.workload];
        let asked: u64 =
            workload.template.containers.iter().filter_map(|one| one.requests.cpu).map(|one| one.0).sum();
        // One that goes by requests has brought about what these take, roughly; one that does
        // not go by either need not have brought a single pod more.
        let by_requests = !scenario.autoscalers[hpa.autoscaler].custom.is_empty();
        let each = target.unwrap_or(f64::from(u8::from(by_requests))) * asked as f64 / 1e3;
        let wanted = if each > 0.0 { (need.cores * share / each).ceil() as u32 } else { min };
        workload.replicas = wanted.clamp(min, max);
    }
    if let [pool] = scenario.cluster.pools.as_slice() {
        let enough = (pool.count..pool.max).find(|nodes| hold(scenario, pool, *nodes));
        let nodes = enough.unwrap_or(pool.max).max(pool.count);
        scenario.cluster.pools[0].count = nodes;
    }
}

/// Whether so many nodes hold all pods, each put where most CPU is free, as the
/// scheduler does by default. Sums would not say: what is left over on every node
/// may be too little for any pod.
pub(super) fn hold(scenario: &Scenario, pool: &NodePool, nodes: u32) -> bool {
    let mut free =
        vec![(pool.allocatable_cpu().0, pool.allocatable_memory().0, pool.max_pods); nodes as usize];
    scenario.workloads.iter().all(|workload| {
        let containers = &workload.template.containers;
        let cpu: u64 = containers.iter().filter_map(|one| one.requests.cpu).map(|one| one.0).sum();
        let memory: u64 = containers.iter().filter_map(|one| one.requests.memory).map(|one| one.0).sum();
        (0..workload.replicas).all(|_| {
            let room = free.iter_mut().filter(|node| node.0 >= cpu && node.1 >= memory && node.2 > 0);
            let Some(node) = room.max_by_key(|node| node.0) else { return false };
            *node = (node.0 - cpu, node.1 - memory, node.2 - 1);
            true
        })
    })
}
