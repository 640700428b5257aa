//! cluster-autoscaler: which nodes nobody would miss.
//!
//! Upstream: `cluster-autoscaler/core/scaledown` (`planner`, `eligibility`,
//! `unneeded`, `unremovable`), `simulator/drainability/rules`,
//! `simulator/utilization`.

use std::collections::BTreeMap;

use crate::k8s::node_autoscaling::scale_up::NodeGroup;
use crate::k8s::node_autoscaling::what_if;
use crate::k8s::placement::{ClusterView, GuardedPods, KindId, NodeId, PodId, PodView};
use crate::units::{SimDuration, SimTime};

/// The knobs of scaling down; the defaults are upstream's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DownSettings {
    /// A node is a candidate up to this share of requested CPU and memory.
    pub utilization_threshold: f64,
    /// So long it must have been one, without a break.
    pub unneeded_time: SimDuration,
    /// The same for nodes that aren't ready.
    pub unready_time: SimDuration,
    /// No scale-down so long after a scale-up,
    pub delay_after_add: SimDuration,
    /// after a deletion,
    pub delay_after_delete: SimDuration,
    /// and after a failed deletion.
    pub delay_after_failure: SimDuration,
    /// A node whose pods found no other place isn't tried again so soon.
    pub recheck: SimDuration,
    /// At most so many nodes at a time,
    pub max_parallel: usize,
    /// of which so many have pods to evict.
    pub max_drains: usize,
    /// Whether DaemonSet pods count as use.
    pub count_daemons: bool,
    /// Whether pods with local storage hold their node.
    pub local_storage_holds: bool,
    /// Whether `kube-system` pods without a budget hold their node.
    pub system_pods_hold: bool,
}

impl Default for DownSettings {
    fn default() -> Self {
        let minutes = |count: u64| SimDuration::from_secs(count * 60);
        Self {
            utilization_threshold: 0.5,
            unneeded_time: minutes(10),
            unready_time: minutes(20),
            delay_after_add: minutes(10),
            delay_after_delete: SimDuration::from_secs(10),
            delay_after_failure: minutes(3),
            recheck: minutes(5),
            max_parallel: 10,
            max_drains: 1,
            count_daemons: true,
            local_storage_holds: true,
            system_pods_hold: true,
        }
    }
}

/// What matters of a pod's kind for evicting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// A DaemonSet's: goes with its node.
    pub daemon: bool,
    /// Has a controller that replaces it.
    pub replicated: bool,
    /// Keeps data on the node.
    pub local_storage: bool,
    /// The `safe-to-evict` annotation, where there is one.
    pub safe_to_evict: Option<bool>,
}

impl Default for PodFacts {
    fn default() -> Self {
        Self { daemon: false, replicated: true, local_storage: false, safe_to_evict: None }
    }
}

/// What matters of a node beside its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its group, by its place in the list.
    pub group: usize,
    /// Whether it is ready.
    pub ready: bool,
    /// The `scale-down-disabled` annotation.
    pub held: bool,
}

/// What is remembered from loop to loop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScaleDownMemory {
    /// Since when each candidate is one.
    pub unneeded_since: BTreeMap<NodeId, SimTime>,
    /// Until when a node isn't tried again.
    pub unremovable_until: BTreeMap<NodeId, SimTime>,
    /// The last scale-up.
    pub last_add: Option<SimTime>,
    /// The last deletion.
    pub last_delete: Option<SimTime>,
    /// The last deletion that failed.
    pub last_failure: Option<SimTime>,
}

/// What a loop finds of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Held by its annotation.
    Held,
    /// Used too much; in hundredths of a percent.
    InUse(u32),
    /// A pod can't be moved.
    Blocked(PodId, Blocker),
    /// A pod would find no other place.
    NoPlaceFor(PodId),
    /// It was so a short while ago.
    RecentlyUnremovable,
    /// Nobody would miss it, since that moment.
    Unneeded(SimTime),
}

/// Why a pod can't be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// It says it isn't safe.
    NotSafeToEvict,
    /// Nobody would replace it.
    NotReplicated,
    /// Its data would be lost.
    LocalStorage,
    /// A system pod without a budget.
    SystemPod,
    /// Its budget allows no disruption.
    Budget,
}

/// What is known of the cluster beside nodes and pods.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    /// The groups.
    pub groups: &'a [NodeGroup],
    /// Which nodes belong to one; others are left alone.
    pub nodes: &'a BTreeMap<NodeId, NodeFacts>,
    /// What matters of each kind of pod; kinds left out are ordinary.
    pub pods: &'a BTreeMap<KindId, PodFacts>,
    /// The budgets.
    pub budgets: &'a [GuardedPods],
    /// How many nodes are on their way out, and how many of them had pods to evict.
    pub leaving: (usize, usize),
}

/// What a loop decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScaleDown {
    /// What it found of each node.
    pub verdicts: Vec<(NodeId, Verdict)>,
    /// Nodes to delete at once: nothing runs there but DaemonSet pods.
    pub delete: Vec<NodeId>,
    /// Nodes to drain and delete, with the pods to evict.
    pub drain: Vec<(NodeId, Vec<PodId>)>,
    /// Until when nothing is deleted, whatever is unneeded.
    pub cooling_until: Option<SimTime>,
}

/// Decides one loop and keeps `memory` up to date, but for the moments of
/// deletions, which the caller enters when they happen.
pub fn scale_down(
    cluster: &ClusterView,
    around: &Looked,
    settings: &DownSettings,
    memory: &mut ScaleDownMemory,
    now: SimTime,
) -> ScaleDown {
    let mut decision = ScaleDown::default();
    let allowed = around.budgets.iter().map(|one| one.allowed).collect();
    let mut trial = Trial { before: cluster, cluster: cluster.clone(), allowed, removable: Vec::new() };
    for node in candidates(cluster, around, memory) {
        let verdict = trial.examine(around, settings, memory, node, now);
        decision.verdicts.push((node, verdict));
    }
    memory.unneeded_since = decision
        .verdicts
        .iter()
        .filter_map(|(node, verdict)| match verdict {
            Verdict::Unneeded(since) => Some((*node, *since)),
            _ => None,
        })
        .collect();
    memory.unremovable_until.retain(|_, until| *until > now);
    decision.cooling_until = cooling_until(settings, memory).filter(|until| *until > now);
    if decision.cooling_until.is_none() {
        choose(around, settings, memory, now, trial.removable, &mut decision);
    }
    decision
}

/// The nodes that belong to a group: empty ones first, then those unneeded for
/// longest.
fn candidates(cluster: &ClusterView, around: &Looked, memory: &ScaleDownMemory) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> =
        cluster.node_ids().iter().copied().filter(|node| around.nodes.contains_key(node)).collect();
    let stays = |pod: &PodId| {
        let facts = cluster.pod(*pod).and_then(|one| around.pods.get(&one.kind));
        !facts.is_some_and(|facts| facts.daemon)
    };
    nodes.sort_by_cached_key(|node| {
        let used = cluster.node(*node).pods.iter().any(stays);
        (used, memory.unneeded_since.get(node).copied().unwrap_or(SimTime::NEVER), *node)
    });
    nodes
}

/// A node that can go, with the pods to evict.
type Removable = (NodeId, Vec<PodId>);

/// What is left of the cluster and its budgets if the nodes found so far go.
struct Trial<'a> {
    /// The cluster as it is, which decides whether a node is used.
    before: &'a ClusterView,
    cluster: ClusterView,
    allowed: Vec<i64>,
    removable: Vec<Removable>,
}

impl Trial<'_> {
    /// Looks at one node. When it can go, its pods move and it is no place to
    /// move to for those after it.
    fn examine(
        &mut self,
        around: &Looked,
        settings: &DownSettings,
        memory: &mut ScaleDownMemory,
        node: NodeId,
        now: SimTime,
    ) -> Verdict {
        let facts = around.nodes[&node];
        if facts.held {
            return Verdict::Held;
        }
        if memory.unremovable_until.get(&node).is_some_and(|until| *until > now) {
            return Verdict::RecentlyUnremovable;
        }
        let used = utilization(self.before, around.pods, settings, node);
        if facts.ready && used > settings.utilization_threshold {
            return Verdict::InUse((used * 10_000.0) as u32);
        }
        let pods = match movable(&self.cluster, around, settings, node, &self.allowed) {
            Ok(pods) => pods,
            Err((pod, why)) => return Verdict::Blocked(pod, why),
        };
        if let Err(pod) = move_away(&mut self.cluster, node, &pods, &self.removable) {
            memory.unremovable_until.insert(node, now + settings.recheck);
            return Verdict::NoPlaceFor(pod);
        }
        charge(&self.cluster, around.budgets, &pods, &mut self.allowed);
        self.removable.push((node, pods));
        Verdict::Unneeded(memory.unneeded_since.get(&node).copied().unwrap_or(now))
    }
}

/// The larger of the requested shares of CPU and of memory.
pub fn utilization(
    cluster: &ClusterView,
    facts: &BTreeMap<KindId, PodFacts>,
    settings: &DownSettings,
    node: NodeId,
) -> f64 {
    let node = cluster.node(node);
    let mut used = node.load.requested.clone();
    if !settings.count_daemons {
        for pod in node.pods.iter().filter_map(|pod| cluster.pod(*pod)) {
            if facts.get(&pod.kind).is_some_and(|facts| facts.daemon) {
                used.subtract(&cluster.kind(pod.kind).demand.requests);
            }
        }
    }
    let share = |used: u64, of: u64| if of == 0 { 0.0 } else { used as f64 / of as f64 };
    let whole = &node.shape.allocatable;
    share(used.cpu.0, whole.cpu.0).max(share(used.memory.0, whole.memory.0))
}

/// The pods to evict from a node, or the first that can't be. Pods on their way
/// out count as gone.
fn movable(
    cluster: &ClusterView,
    around: &Looked,
    settings: &DownSettings,
    node: NodeId,
    allowed: &[i64],
) -> Result<Vec<PodId>, (PodId, Blocker)> {
    let mut left = allowed.to_vec();
    let mut pods = Vec::new();
    for id in &cluster.node(node).pods {
        let Some(pod) = cluster.pod(*id) else { continue };
        let facts = around.pods.get(&pod.kind).copied().unwrap_or_default();
        if facts.daemon || pod.terminating {
            continue;
        }
        if let Some(why) = blocker(cluster, around, settings, *id, facts) {
            return Err((*id, why));
        }
        charge(cluster, around.budgets, &[*id], &mut left);
        if guards_of(cluster, around.budgets, *id).any(|at| left[at] < 0) {
            return Err((*id, Blocker::Budget));
        }
        pods.push(*id);
    }
    Ok(pods)
}

/// Why a pod holds its node, budgets aside.
fn blocker(
    cluster: &ClusterView,
    around: &Looked,
    settings: &DownSettings,
    pod: PodId,
    facts: PodFacts,
) -> Option<Blocker> {
    match facts.safe_to_evict {
        Some(true) => return None,
        Some(false) => return Some(Blocker::NotSafeToEvict),
        None => {}
    }
    let system = cluster.pod(pod).is_some_and(|one| cluster.kind(one.kind).namespace == "kube-system");
    if !facts.replicated {
        Some(Blocker::NotReplicated)
    } else if settings.system_pods_hold && system && guards_of(cluster, around.budgets, pod).next().is_none()
    {
        Some(Blocker::SystemPod)
    } else if settings.local_storage_holds && facts.local_storage {
        Some(Blocker::LocalStorage)
    } else {
        None
    }
}

/// The budgets that guard a pod, by their place.
fn guards_of(cluster: &ClusterView, budgets: &[GuardedPods], pod: PodId) -> impl Iterator<Item = usize> {
    let kind = cluster.pod(pod).map(|one| cluster.kind(one.kind));
    let guards = move |budget: &GuardedPods| {
        kind.is_some_and(|kind| {
            budget.namespace == kind.namespace
                && budget.selector.as_ref().is_some_and(|one| one.matches(&kind.labels))
        })
    };
    budgets.iter().enumerate().filter(move |(_, budget)| guards(budget)).map(|(at, _)| at)
}

/// Takes what evicting the pods costs from what the budgets allow.
fn charge(cluster: &ClusterView, budgets: &[GuardedPods], pods: &[PodId], allowed: &mut [i64]) {
    for pod in pods {
        for at in guards_of(cluster, budgets, *pod) {
            allowed[at] -= 1;
        }
    }
}

/// Finds the pods other places in the snapshot; when one finds none all stays
/// as it was.
fn move_away(
    snapshot: &mut ClusterView,
    node: NodeId,
    pods: &[PodId],
    going: &[Removable],
) -> Result<(), PodId> {
    let places: Vec<NodeId> = snapshot
        .node_ids()
        .iter()
        .copied()
        .filter(|one| *one != node && going.iter().all(|(gone, _)| gone != one))
        .collect();
    let mut trial = snapshot.clone();
    for id in pods {
        let Some(bound) = trial.pod(*id).copied() else { continue };
        trial.remove_pod(*id);
        let view = PodView { id: *id, kind: bound.kind, only_node: None, nominated: None };
        what_if::place(&mut trial, &view, &places).ok_or(*id)?;
    }
    *snapshot = trial;
    Ok(())
}

/// Until when the last scale-up, deletion or failure forbids deletions.
fn cooling_until(settings: &DownSettings, memory: &ScaleDownMemory) -> Option<SimTime> {
    let ends = [
        memory.last_add.map(|at| at + settings.delay_after_add),
        memory.last_delete.map(|at| at + settings.delay_after_delete),
        memory.last_failure.map(|at| at + settings.delay_after_failure),
    ];
    ends.into_iter().flatten().max()
}

/// Of the nodes unneeded for long enough, as many as may go at once and as their
/// groups can spare.
fn choose(
    around: &Looked,
    settings: &DownSettings,
    memory: &ScaleDownMemory,
    now: SimTime,
    removable: Vec<Removable>,
    decision: &mut ScaleDown,
) {
    let mut spare: Vec<u32> =
        around.groups.iter().map(|group| group.target.saturating_sub(group.min)).collect();
    let (empty, full): (Vec<_>, Vec<_>) = removable.into_iter().partition(|(_, pods)| pods.is_empty());
    for (node, pods) in empty.into_iter().chain(full) {
        let facts = around.nodes[&node];
        let wait = if facts.ready { settings.unneeded_time } else { settings.unready_time };
        let since = memory.unneeded_since.get(&node).copied().unwrap_or(now);
        let (leaving, drained) = around.leaving;
        let full_up = leaving + decision.delete.len() + decision.drain.len() >= settings.max_parallel
            || (!pods.is_empty() && drained + decision.drain.len() >= settings.max_drains);
        if since + wait > now || full_up || spare[facts.group] == 0 {
            continue;
        }
        spare[facts.group] -= 1;
        if pods.is_empty() { decision.delete.push(node) } else { decision.drain.push((node, pods)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::node_autoscaling::back_off::BackOff;
    use crate::k8s::placement::testing::{app, bind, cluster, kind, shape};

    /// Nodes of one group with these pods (kind, size, node), and what is known.
    struct Scene {
        cluster: ClusterView,
        groups: Vec<NodeGroup>,
        nodes: BTreeMap<NodeId, NodeFacts>,
        pods: BTreeMap<KindId, PodFacts>,
        budgets: Vec<GuardedPods>,
        leaving: (usize, usize),
        memory: ScaleDownMemory,
    }

    impl Scene {
        fn of(sizes: &[&[u64]]) -> Self {
            let mut cluster = cluster();
            let template = shape("g", "x", 1_000);
            let mut nodes = BTreeMap::new();
            let mut next = 0;
            for (at, pods) in sizes.iter().enumerate() {
                let node = cluster.add_node(shape(&format!("n{at}"), "x", 1_000));
                nodes.insert(node, NodeFacts { group: 0, ready: true, held: false });
                for size in *pods {
                    let one = cluster.add_kind(kind(&format!("app{next}"), *size, 0));
                    bind(&mut cluster, next, one, node);
                    next += 1;
                }
            }
            let group = NodeGroup {
                name: "g".to_owned(),
                capacity_cpu: template.allocatable.cpu,
                capacity_memory: template.allocatable.memory,
                zones: vec![(template, 0)],
                daemons: Vec::new(),
                target: sizes.len() as u32,
                min: 0,
                max: 10,
                back_off: BackOff::default(),
            };
            let (pods, budgets, leaving, memory) = Default::default();
            Self { cluster, groups: vec![group], nodes, pods, budgets, leaving, memory }
        }

        fn at(&mut self, seconds: u64) -> ScaleDown {
            let around = Looked {
                groups: &self.groups,
                nodes: &self.nodes,
                pods: &self.pods,
                budgets: &self.budgets,
                leaving: self.leaving,
            };
            let now = SimTime::from_secs(seconds);
            scale_down(&self.cluster, &around, &DownSettings::default(), &mut self.memory, now)
        }

        fn verdict(&mut self, node: NodeId) -> Verdict {
            let found = self.at(0).verdicts.into_iter().find(|(one, _)| *one == node);
            found.map(|(_, verdict)| verdict).expect("it was looked at")
        }
    }

    #[test]
    fn a_node_goes_after_ten_unneeded_minutes() {
        let mut scene = Scene::of(&[&[400], &[700]]);
        assert_eq!(scene.verdict(1), Verdict::InUse(7_000));
        assert_eq!(scene.verdict(0), Verdict::RecentlyUnremovable);
        scene.memory = ScaleDownMemory::default();
        assert_eq!(scene.verdict(0), Verdict::NoPlaceFor(0));
        let mut scene = Scene::of(&[&[300], &[700], &[]]);
        assert!(scene.at(0).delete.is_empty());
        assert!(scene.at(599).delete.is_empty());
        let decision = scene.at(600);
        assert_eq!((decision.delete, decision.drain), (vec![2], vec![(0, vec![0])]));
        scene.groups[0].min = 2;
        let decision = scene.at(610);
        assert_eq!((decision.delete, decision.drain), (vec![2], vec![]));
    }

    #[test]
    fn nodes_on_their_way_out_count_against_what_may_go_at_once() {
        let rows = [((0, 0), vec![2], vec![0]), ((1, 0), vec![2], vec![0]), ((1, 1), vec![2], vec![])];
        for (leaving, delete, drain) in rows.into_iter().chain([((10, 0), vec![], vec![])]) {
            let mut scene = Scene::of(&[&[300], &[700], &[]]);
            scene.leaving = leaving;
            scene.at(0);
            let decision = scene.at(600);
            let drained: Vec<NodeId> = decision.drain.iter().map(|(node, _)| *node).collect();
            assert_eq!((decision.delete, drained), (delete, drain), "{leaving:?}");
        }
    }

    #[test]
    fn a_scale_up_holds_deletions_but_not_the_clock() {
        let mut scene = Scene::of(&[&[], &[700]]);
        scene.at(0);
        scene.memory.last_add = Some(SimTime::from_secs(300));
        let decision = scene.at(700);
        assert_eq!((decision.delete, decision.cooling_until), (vec![], Some(SimTime::from_secs(900))));
        assert_eq!(scene.at(900).delete, [0]);
    }

    #[test]
    fn pods_that_would_move_to_a_node_are_no_use_of_it_yet() {
        let mut scene = Scene::of(&[&[200], &[200], &[200], &[200]]);
        let verdicts: Vec<Verdict> = scene.at(0).verdicts.into_iter().map(|(_, verdict)| verdict).collect();
        let unneeded = Verdict::Unneeded(SimTime::ZERO);
        assert_eq!(verdicts, [unneeded, unneeded, unneeded, Verdict::NoPlaceFor(0)]);
    }

    #[test]
    fn pods_hold_their_node() {
        let plain = PodFacts::default();
        let rows = [
            (plain, None),
            (PodFacts { replicated: false, ..plain }, Some(Blocker::NotReplicated)),
            (PodFacts { local_storage: true, ..plain }, Some(Blocker::LocalStorage)),
            (PodFacts { local_storage: true, safe_to_evict: Some(true), ..plain }, None),
            (PodFacts { safe_to_evict: Some(false), ..plain }, Some(Blocker::NotSafeToEvict)),
            (PodFacts { daemon: true, replicated: false, ..plain }, None),
        ];
        for (facts, expected) in rows {
            let mut scene = Scene::of(&[&[100], &[600]]);
            scene.pods.insert(0, facts);
            let verdict = match expected {
                Some(why) => Verdict::Blocked(0, why),
                None => Verdict::Unneeded(SimTime::ZERO),
            };
            assert_eq!(scene.verdict(0), verdict, "{facts:?}");
        }
    }

    #[test]
    fn budgets_are_spent_over_all_nodes() {
        let mut scene = Scene::of(&[&[100], &[100], &[600]]);
        for (allowed, unneeded) in [(0, 1), (1, 2)] {
            scene.memory = ScaleDownMemory::default();
            let guard = |name: &str| GuardedPods {
                namespace: "default".to_owned(),
                selector: Some(app(name)),
                allowed,
                disrupted: Vec::new(),
            };
            scene.budgets = vec![guard("app1")];
            let decision = scene.at(0);
            let free = decision.verdicts.iter().filter(|(_, one)| matches!(one, Verdict::Unneeded(_)));
            assert_eq!(free.count(), unneeded, "{:?}", decision.verdicts);
        }
    }
}
