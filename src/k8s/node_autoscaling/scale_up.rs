//! cluster-autoscaler: which node group grows, and by how many nodes.
//!
//! Upstream: `cluster-autoscaler/core/static_autoscaler.go`,
//! `core/scaleup/orchestrator`, `estimator/binpacking_estimator.go`,
//! `expander/waste/waste.go`.

use crate::k8s::node_autoscaling::back_off::BackOff;
use crate::k8s::node_autoscaling::what_if;
use crate::k8s::placement::{Amounts, ClusterView, KindId, NodeId, NodeShape, PodId, PodView};
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// The knobs of scaling up; the defaults are upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpSettings {
    /// Pods of lower priority than this don't cause new nodes.
    pub expendable_below: i32,
    /// While all pods are younger than this the loop waits for more of them.
    pub youngest: SimDuration,
    /// The same for pods that ask for `gpu`.
    pub youngest_gpu: SimDuration,
    /// The resource that makes a pod a GPU pod.
    pub gpu: String,
    /// At most so many nodes at a time.
    pub max_nodes_per_scale_up: u32,
}

impl Default for UpSettings {
    fn default() -> Self {
        Self {
            expendable_below: -10,
            youngest: SimDuration::from_secs(2),
            youngest_gpu: SimDuration::from_secs(30),
            gpu: "nvidia.com/gpu".to_owned(),
            max_nodes_per_scale_up: 1_000,
        }
    }
}

/// Nodes of one size that grow and shrink by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeGroup {
    /// Its name.
    pub name: String,
    /// What a new node looks like in each of its zones, at least one, and how many were
    /// ordered there so far.
    pub zones: Vec<(NodeShape, u32)>,
    /// The whole machine's CPU, of which allocatable is a part.
    pub capacity_cpu: MilliCpu,
    /// The whole machine's memory.
    pub capacity_memory: Bytes,
    /// The DaemonSet pods that a new node will run.
    pub daemons: Vec<KindId>,
    /// How many nodes it is to have, those on their way included.
    pub target: u32,
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: u32,
    /// Its failures.
    pub back_off: BackOff,
}

/// A pod that the scheduler found no node for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The pod.
    pub pod: PodView,
    /// When it was created.
    pub created: SimTime,
}

/// What growing one group would do.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpansionOption {
    /// The group, by its place in the list.
    pub group: usize,
    /// The zones of the new nodes, by their places in the group.
    pub zones: Vec<usize>,
    /// The pods that would find room.
    pub pods: Vec<PodId>,
    /// Unused fraction of the new CPU plus that of the new memory.
    pub waste: f64,
}

/// What a loop decides.
#[derive(Clone, Debug, PartialEq)]
pub enum ScaleUp {
    /// No pod needs a new node.
    NotNeeded,
    /// All pods are so young that more may follow; no scale-down either.
    TooYoung,
    /// No group can grow in a way that helps any pod.
    NoOption,
    /// One group grows.
    Grow {
        /// The best option.
        chosen: ExpansionOption,
        /// All of them.
        options: Vec<ExpansionOption>,
    },
}

/// Decides one loop. `cluster` has nodes on their way in it already, as if they
/// were ready; `tie` is a random number that decides between equal options.
pub fn scale_up(
    cluster: &ClusterView,
    pending: &[Pending],
    groups: &[NodeGroup],
    settings: &UpSettings,
    now: SimTime,
    tie: u64,
) -> ScaleUp {
    let mut snapshot = cluster.clone();
    let helped = unhelped(&mut snapshot, pending, settings);
    if helped.is_empty() {
        return ScaleUp::NotNeeded;
    }
    if all_young(&snapshot, &helped, settings, now) {
        return ScaleUp::TooYoung;
    }
    let pods: Vec<PodView> = helped.iter().map(|one| one.pod).collect();
    let grow = |(at, group): (usize, &NodeGroup)| {
        let room = group.max.saturating_sub(group.target);
        let limit = room.min(settings.max_nodes_per_scale_up);
        if limit == 0 || group.back_off.holds(now) {
            return None;
        }
        let (zones, pods) = estimate(&snapshot, &pods, group, limit);
        (!zones.is_empty()).then(|| {
            let waste = waste(&snapshot, &pods, group, zones.len());
            ExpansionOption { group: at, zones, pods: pods.iter().map(|pod| pod.id).collect(), waste }
        })
    };
    let options: Vec<ExpansionOption> = groups.iter().enumerate().filter_map(grow).collect();
    match least_waste(&options, tie).cloned() {
        Some(chosen) => ScaleUp::Grow { chosen, options },
        None => ScaleUp::NoOption,
    }
}

/// The pods that count and find no room as things are; those that do take it in
/// the snapshot.
fn unhelped(snapshot: &mut ClusterView, pending: &[Pending], settings: &UpSettings) -> Vec<Pending> {
    let mut pods: Vec<Pending> = pending.to_vec();
    let rank = |snapshot: &ClusterView, pod: &PodView| snapshot.kind(pod.kind).wishes.priority;
    pods.retain(|one| rank(snapshot, &one.pod) >= settings.expendable_below);
    pods.sort_by_key(|one| std::cmp::Reverse(rank(snapshot, &one.pod)));
    let nodes = snapshot.node_ids().to_vec();
    pods.retain(|one| what_if::place(snapshot, &one.pod, &nodes).is_none());
    pods
}

/// Whether even the oldest pod is young, or the oldest of those with a GPU.
fn all_young(cluster: &ClusterView, pods: &[Pending], settings: &UpSettings, now: SimTime) -> bool {
    let oldest = pods.iter().map(|one| one.created).min();
    let wants_gpu = |one: &&Pending| {
        let asked = &cluster.kind(one.pod.kind).demand.requests.extended;
        asked.get(&settings.gpu).is_some_and(|amount| *amount > 0)
    };
    let oldest_gpu = pods.iter().filter(wants_gpu).map(|one| one.created).min();
    oldest.is_some_and(|at| at + settings.youngest > now)
        || oldest_gpu.is_some_and(|at| at + settings.youngest_gpu > now)
}

/// In which zones the pods need new nodes of a group, up to `limit` of them, and which of
/// the pods find room there: largest first, each on the first new node where it fits.
/// Siblings of a kind go together. A group over several zones stands for one in each,
/// which are kept alike (`--balance-similar-node-groups`): of the zones that help a pod
/// the one with the fewest nodes grows.
pub fn estimate(
    cluster: &ClusterView,
    pods: &[PodView],
    group: &NodeGroup,
    limit: u32,
) -> (Vec<usize>, Vec<PodView>) {
    let mut what_if = cluster.clone();
    let mut added: Vec<NodeId> = Vec::new();
    let mut zones: Vec<usize> = Vec::new();
    let mut placed = Vec::new();
    for siblings in largest_first(cluster, pods, group) {
        for pod in siblings {
            if what_if::place(&mut what_if, &pod, &added).is_none() {
                // Where it doesn't fit an empty new node it fits no further one.
                let room = (added.len() as u32) < limit;
                let Some((zone, node)) =
                    room.then(|| add_node_for(&mut what_if, &pod, group, &zones)).flatten()
                else {
                    break;
                };
                zones.push(zone);
                added.push(node);
            }
            placed.push(pod);
        }
    }
    (zones, placed)
}

/// Adds a node where the pod fits it, those with nodes in the zones `so_far` being there;
/// its zone. Of zones with as few nodes it is the first.
fn add_node_for(
    what_if: &mut ClusterView,
    pod: &PodView,
    group: &NodeGroup,
    so_far: &[usize],
) -> Option<(usize, NodeId)> {
    let mut zones: Vec<usize> = (0..group.zones.len()).collect();
    zones.sort_by_key(|zone| {
        group.zones[*zone].1 as usize + so_far.iter().filter(|other| *other == zone).count()
    });
    zones.into_iter().find_map(|zone| {
        let node = what_if::add_node(what_if, &group.zones[zone].0, &group.daemons);
        if what_if::place(what_if, pod, &[node]).is_some() {
            return Some((zone, node));
        }
        what_if.remove_node(node);
        None
    })
}

/// The pods by kind, the kind that takes the largest part of a node first.
fn largest_first(cluster: &ClusterView, pods: &[PodView], group: &NodeGroup) -> Vec<Vec<PodView>> {
    let mut kinds: Vec<Vec<PodView>> = Vec::new();
    for pod in pods {
        match kinds.iter_mut().find(|one| one[0].kind == pod.kind) {
            Some(siblings) => siblings.push(*pod),
            None => kinds.push(vec![*pod]),
        }
    }
    let size = |siblings: &Vec<PodView>| {
        let asked = &cluster.kind(siblings[0].kind).demand.requests;
        let node = &group.zones[0].0.allocatable;
        part(asked.cpu.0, node.cpu.0) + part(asked.memory.0, node.memory.0)
    };
    kinds.sort_by(|one, other| size(other).total_cmp(&size(one)));
    kinds
}

fn part(asked: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { asked as f64 / whole as f64 }
}

/// Unused fractions of new CPU and new memory, added.
fn waste(cluster: &ClusterView, pods: &[PodView], group: &NodeGroup, nodes: usize) -> f64 {
    let mut asked = Amounts::default();
    for pod in pods {
        asked.add(&cluster.kind(pod.kind).demand.requests);
    }
    let unused = |asked: u64, of_one: u64| {
        let all = of_one as f64 * nodes as f64;
        (all - asked as f64) / all
    };
    unused(asked.cpu.0, group.capacity_cpu.0) + unused(asked.memory.0, group.capacity_memory.0)
}

/// The option with the least waste; among equal ones chance decides.
fn least_waste(options: &[ExpansionOption], tie: u64) -> Option<&ExpansionOption> {
    let least = options.iter().map(|one| one.waste).min_by(f64::total_cmp)?;
    let best: Vec<&ExpansionOption> =
        options.iter().filter(|one| one.waste.total_cmp(&least).is_eq()).collect();
    best.get((tie % best.len() as u64) as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::placement::cluster::HOSTNAME;
    use crate::k8s::placement::testing::{cluster, kind, pod, shape, term};

    fn group(name: &str, cpu: u64, max: u32) -> NodeGroup {
        let template = shape(name, "x", cpu);
        NodeGroup {
            name: name.to_owned(),
            capacity_cpu: template.allocatable.cpu,
            capacity_memory: template.allocatable.memory,
            zones: vec![(template, 0)],
            daemons: Vec::new(),
            target: 0,
            min: 0,
            max,
            back_off: BackOff::default(),
        }
    }

    fn waiting(kind: usize, count: usize) -> Vec<Pending> {
        (0..count).map(|id| Pending { pod: pod(id, kind), created: SimTime::ZERO }).collect()
    }

    fn decide(cluster: &ClusterView, pending: &[Pending], groups: &[NodeGroup], at: u64) -> ScaleUp {
        scale_up(cluster, pending, groups, &UpSettings::default(), SimTime::from_secs(at), 0)
    }

    #[test]
    fn the_group_with_the_least_waste_grows() {
        let mut cluster = cluster();
        let web = cluster.add_kind(kind("web", 300, 0));
        let groups = [group("small", 400, 20), group("right", 900, 20), group("large", 4_000, 20)];
        let ScaleUp::Grow { chosen, options } = decide(&cluster, &waiting(web, 6), &groups, 60) else {
            panic!("somebody grows");
        };
        assert_eq!((chosen.group, chosen.zones.len(), chosen.pods.len()), (1, 2, 6));
        assert_eq!(options.iter().map(|one| one.zones.len()).collect::<Vec<_>>(), [6, 2, 1]);
        assert!(chosen.waste.abs() < 1e-9);
    }

    #[test]
    fn what_fits_is_too_young_or_expendable_makes_no_node() {
        let mut cluster = cluster();
        let web = cluster.add_kind(kind("web", 300, 0));
        let spare = cluster.add_kind(kind("spare", 300, -11));
        let groups = [group("g", 900, 20)];
        assert_eq!(decide(&cluster, &waiting(web, 1), &groups, 1), ScaleUp::TooYoung);
        assert_eq!(decide(&cluster, &waiting(spare, 1), &groups, 60), ScaleUp::NotNeeded);
        let node = cluster.add_node(shape("a", "x", 700));
        assert_eq!(decide(&cluster, &waiting(web, 2), &groups, 60), ScaleUp::NotNeeded);
        cluster.change_node(node, |one| one.unschedulable = true);
        let ScaleUp::Grow { chosen, .. } = decide(&cluster, &waiting(web, 2), &groups, 60) else {
            panic!("a cordoned node is no room");
        };
        assert_eq!(chosen.zones, [0]);
    }

    #[test]
    fn groups_at_their_end_or_left_alone_are_no_options() {
        let mut cluster = cluster();
        let web = cluster.add_kind(kind("web", 300, 0));
        let mut failed = group("failed", 900, 20);
        failed.back_off.failed(SimTime::from_secs(50));
        let mut full = group("full", 900, 3);
        full.target = 3;
        let too_small = group("small", 200, 20);
        let groups = [failed, full, too_small];
        assert_eq!(decide(&cluster, &waiting(web, 1), &groups, 60), ScaleUp::NoOption);
    }

    #[test]
    fn pods_that_keep_apart_need_a_node_each_and_the_group_has_an_end() {
        let mut cluster = cluster();
        let mut shy = kind("shy", 10, 0);
        shy.wishes.required_anti_affinity = vec![term("shy", HOSTNAME)];
        let shy = cluster.add_kind(shy);
        let daemon = cluster.add_kind(kind("daemon", 100, 0));
        let mut group = group("g", 900, 20);
        group.daemons = vec![daemon];
        let pods: Vec<PodView> = (0..5).map(|id| pod(id, shy)).collect();
        for (limit, nodes) in [(20, 5), (3, 3)] {
            assert_eq!(estimate(&cluster, &pods, &group, limit).0.len(), nodes);
        }
    }
}
