//! Traps of placement: pods that no node takes, and more of them than nodes take.

use std::collections::BTreeMap;

use super::{One, Subject};
use crate::input::explain::{kind_of, owners};
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::labels::Labels;
use crate::k8s::placement::{
    BoundPod, ClusterView, Filter, KindId, NodeId, Outcome, PodView, Profile, Unschedulable, schedule,
};
use crate::k8s::resources::Resources;
use crate::scenario::{Cluster, Kind, ProvisionedBy};
use crate::source::Place;
use crate::units::SimTime;
use crate::units::figures::plural;

/// Larger clusters are not filled here: that is what the simulation is for.
const MOST_NODES: u32 = 1_000;
/// Nor more pods than these.
const MOST_PODS: u32 = 5_000;

pub(super) fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let Some(cluster) = subject.cluster else { return Vec::new() };
    let ones: Vec<One<'_>> = subject.workloads().filter(placed_by_scheduler).collect();
    let mut found: Vec<Problem> = Vec::new();
    let mut homeless = Vec::new();
    for one in &ones {
        if let Some(why) = no_node(subject, cluster, one) {
            found.push(fits_none(one, &why));
            homeless.push(one.index);
        }
    }
    let nodes: u32 = cluster.pools.iter().map(most_of(cluster)).sum();
    let pods: u32 = ones.iter().map(|one| one.most).sum();
    if nodes <= MOST_NODES && pods <= MOST_PODS {
        let fitting: Vec<&One<'_>> = ones.iter().filter(|one| !homeless.contains(&one.index)).collect();
        found.extend(fill(subject, cluster, &fitting));
    }
    found
}

/// A pod bound by hand doesn't ask the scheduler.
fn placed_by_scheduler(one: &One<'_>) -> bool {
    one.workload.template.wishes.node_name.is_none()
}

/// The most nodes of a pool: its largest size where somebody adds nodes.
fn most_of(cluster: &Cluster) -> impl Fn(&crate::scenario::NodePool) -> u32 {
    let grows = cluster.provisioned_by != ProvisionedBy::Nobody;
    move |pool| if grows { pool.max.max(pool.count) } else { pool.count }
}

/// A cluster of so many nodes of each pool.
fn view(
    subject: &Subject<'_>,
    cluster: &Cluster,
    of: impl Fn(&crate::scenario::NodePool) -> u32,
) -> ClusterView {
    let names = subject.set.workloads.iter().map(|one| {
        let name = ("kubernetes.io/metadata.name".to_owned(), one.namespace.clone());
        (one.namespace.clone(), Labels::from([name]))
    });
    let mut view = ClusterView::new(Profile::of(&subject.version.rules()), names.collect());
    for pool in &cluster.pools {
        for number in 0..of(pool) {
            view.add_node(pool.shape(&format!("{}-{number}", pool.name), number as usize));
        }
    }
    view
}

fn add_kind(view: &mut ClusterView, one: &One<'_>) -> KindId {
    let (workload, template) = (one.workload, &one.workload.template);
    let owned = (!matches!(workload.kind, Kind::DaemonSet)).then(|| owners(&template.labels));
    view.add_kind(kind_of(&workload.namespace, template, &Resources::default(), owned))
}

/// How many pods a DaemonSet has on the cluster as it starts: one on each node that
/// would take it. `None` where the nodes aren't known, or too many to look at.
pub(super) fn daemon_pods(subject: &Subject<'_>, one: &One<'_>) -> Option<u32> {
    let cluster = subject.cluster?;
    let all: u32 = cluster.pools.iter().map(|pool| pool.count).sum();
    if all > MOST_NODES {
        return None;
    }
    let mut view = view(subject, cluster, |pool| pool.count);
    let kind = add_kind(&mut view, one);
    let nodes = view.node_ids().to_vec();
    let takes = |node: &NodeId| {
        let pod = PodView { id: 0, kind, only_node: Some(*node), nominated: None };
        matches!(schedule(&pod, &view, 0, 0).outcome, Outcome::Bound { .. })
    };
    Some(nodes.iter().filter(|node| takes(node)).count() as u32)
}

/// Why no node would take a pod though it were empty. What other pods have to do
/// with it shows only when they are there.
fn no_node(subject: &Subject<'_>, cluster: &Cluster, one: &One<'_>) -> Option<Unschedulable> {
    let zones = |pool: &crate::scenario::NodePool| pool.zones.len() as u32;
    let mut view = view(subject, cluster, zones);
    let kind = add_kind(&mut view, one);
    let pod = PodView { id: 0, kind, only_node: None, nominated: None };
    let Outcome::Unschedulable(why) = schedule(&pod, &view, 0, 0).outcome else { return None };
    // A DaemonSet for nodes that aren't there is meant so.
    let chosen = one.workload.kind == Kind::DaemonSet && why.filters() == [Filter::NodeAffinity];
    (!chosen && !why.filters().contains(&Filter::InterPodAffinity)).then_some(why)
}

fn fits_none(one: &One<'_>, why: &Unschedulable) -> Problem {
    let filters = why.filters();
    let has = |filter: Filter| filters.contains(&filter);
    let (path, help) = if has(Filter::NodeResourcesFit) {
        ("containers[0].resources.requests", "request less, or add a pool of larger nodes")
    } else if has(Filter::NodeAffinity) {
        let help = "select labels that a pool has, or give a pool these labels";
        let selector = one.workload.template.wishes.node_selector.is_empty();
        (if selector { "affinity.nodeAffinity" } else { "nodeSelector" }, help)
    } else if has(Filter::TaintToleration) {
        ("tolerations", "tolerate a pool's taint, or add a pool without one")
    } else {
        ("topologySpreadConstraints", "name a topologyKey that the nodes carry")
    };
    let message = format!("{} fits no node of the cluster: {}", one.who(), short(why));
    Problem::trap(&rules::FITS_NO_NODE, message).at(one.pod_place(path)).help(help)
}

/// The scheduler's reasons without its count of nodes.
fn short(why: &Unschedulable) -> String {
    let reasons: Vec<String> = why.by_reason().into_iter().map(|(_, reason)| reason).collect();
    reasons.join(", ")
}

/// The pods of a cluster while it is being filled.
struct Filling {
    view: ClusterView,
    pods: usize,
    scan_start: usize,
}

impl Filling {
    /// Binds one more pod, or says why not.
    fn place(&mut self, kind: KindId, only_node: Option<NodeId>) -> Result<(), Unschedulable> {
        let pod = PodView { id: self.pods, kind, only_node, nominated: None };
        let decision = schedule(&pod, &self.view, self.scan_start, 0);
        self.scan_start = decision.next_start;
        match decision.outcome {
            Outcome::Bound { node, .. } => {
                let start = SimTime::ZERO;
                let bound = BoundPod { kind, node, start, terminating: false, preempted: false };
                self.view.add_pod(self.pods, bound);
                self.pods += 1;
                Ok(())
            }
            Outcome::Unschedulable(why) => Err(why),
        }
    }
}

/// Puts all pods on the cluster at its largest: first the fewest of all workloads,
/// then the most.
fn fill(subject: &Subject<'_>, cluster: &Cluster, ones: &[&One<'_>]) -> Vec<Problem> {
    let view = view(subject, cluster, most_of(cluster));
    let nodes = view.node_ids().to_vec();
    let mut filling = Filling { view, pods: 0, scan_start: 0 };
    let kinds: Vec<KindId> = ones.iter().map(|one| add_kind(&mut filling.view, one)).collect();
    let mut order: Vec<usize> = (0..ones.len()).collect();
    // Pods of higher priority are placed first.
    order.sort_by_key(|at| std::cmp::Reverse(ones[*at].workload.template.wishes.priority));
    for at in &order {
        if ones[*at].workload.kind == Kind::DaemonSet {
            for node in &nodes {
                // One that a node can't take is not meant for it.
                let _ = filling.place(kinds[*at], Some(*node));
            }
        }
    }
    order.retain(|at| ones[*at].workload.kind != Kind::DaemonSet);
    let mut placed: BTreeMap<usize, u32> = order.iter().map(|at| (*at, 0)).collect();
    let mut refused: BTreeMap<usize, Unschedulable> = BTreeMap::new();
    for most in [false, true] {
        // Pods that want to be near others find them in the second round.
        for _ in 0..2 {
            for at in &order {
                let wanted = if most { ones[*at].most } else { ones[*at].least };
                let count = placed.entry(*at).or_default();
                while *count < wanted {
                    match filling.place(kinds[*at], None) {
                        Ok(()) => *count += 1,
                        Err(why) => {
                            refused.insert(*at, why);
                            break;
                        }
                    }
                }
            }
        }
    }
    let short = |at: &&usize| placed[*at] < ones[**at].most;
    let problem = |at: &usize| Some(too_many(subject, ones[*at], placed[at], refused.get(at)?, nodes.len()));
    order.iter().filter(short).filter_map(problem).collect()
}

fn too_many(subject: &Subject<'_>, one: &One<'_>, placed: u32, why: &Unschedulable, nodes: usize) -> Problem {
    let hpa =
        one.hpa.and_then(|hpa| subject.trees.find("HorizontalPodAutoscaler", &hpa.namespace, &hpa.name));
    let place: Place = match hpa {
        Some(tree) if placed >= one.least => tree.place("spec.maxReplicas"),
        _ => one.place("spec.replicas"),
    };
    let message = format!(
        "{}: only {placed} of {} find a place on the cluster's {}: {}",
        one.who(),
        plural(u64::from(one.most), "pod", "pods"),
        plural(nodes as u64, "node", "nodes"),
        short(why)
    );
    let filters = why.filters();
    let apart = [Filter::InterPodAffinity, Filter::PodTopologySpread, Filter::NodePorts];
    let help = if filters.iter().any(|filter| apart.contains(filter)) {
        "prefer instead of require (`ScheduleAnyway`, `preferredDuringScheduling…`), or add nodes or zones"
    } else {
        "raise the pool's maximum, request less, or lower maxReplicas to what fits"
    };
    let severity = if placed < one.least { Severity::Error } else { Severity::Warning };
    Problem::trap(&rules::TOO_MANY_PODS, message).at(place).help(help).as_bad_as(severity)
}
