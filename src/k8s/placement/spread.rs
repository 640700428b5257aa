//! Topology spread: how evenly a pod's siblings lie over zones and hosts.
//!
//! Upstream: `pkg/scheduler/framework/plugins/podtopologyspread`
//! (`filtering.go`, `scoring.go`, `common.go`).

use crate::k8s::placement::cluster::{ClusterView, KindId, NodeId};
use crate::k8s::placement::interned::{Compiled, Spread};
use crate::k8s::placement::objects::MAX_SCORE;
use crate::k8s::placement::reason::{Filter, Reason, Refusal};
use crate::k8s::placement::taints;

/// The hard constraints of a pod with their counts, for one scheduling cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct HardSpread {
    constraints: Vec<Hard>,
}

/// One hard constraint.
#[derive(Clone, Debug)]
struct Hard {
    spread: Spread,
    /// Matching pods by domain; `None` for what isn't a domain of this pod.
    counts: Vec<Option<i64>>,
    /// Which nodes count, by id.
    included: Vec<bool>,
    /// The smallest count, 0 while there are too few domains.
    least: i64,
}

impl HardSpread {
    /// Counts what the pod's hard constraints need; nothing when it has none.
    pub(super) fn new(cluster: &ClusterView, kind: &Compiled) -> Self {
        let constraints = kind.hard.iter().map(|spread| Hard::new(cluster, kind, spread)).collect();
        Self { constraints }
    }

    /// Takes account of `change` more (or fewer) live pods of a kind on a node.
    pub(super) fn shift(&mut self, cluster: &ClusterView, kind: KindId, node: NodeId, change: i64) {
        for one in &mut self.constraints {
            if !one.included[node] || !cluster.means(one.spread.matcher, kind) {
                continue;
            }
            let domain = cluster.topology(one.spread.topology).domain(node);
            if let Some(count) = domain.and_then(|domain| one.counts[domain].as_mut()) {
                *count += change;
                one.find_least();
            }
        }
    }

    /// What the constraints say to a node.
    pub(super) fn filter(&self, cluster: &ClusterView, node: NodeId) -> Option<Refusal> {
        for one in &self.constraints {
            let Some(domain) = cluster.topology(one.spread.topology).domain(node) else {
                return Some(Refusal::final_word(Filter::PodTopologySpread, Reason::SpreadLabelMissing));
            };
            let matching = one.counts.get(domain).copied().flatten().unwrap_or(0);
            let skew = matching + i64::from(one.spread.counts_itself) - one.least;
            if skew > one.spread.max_skew {
                return Some(Refusal::resolvable(Filter::PodTopologySpread, Reason::Skew));
            }
        }
        None
    }
}

impl Hard {
    fn new(cluster: &ClusterView, kind: &Compiled, spread: &Spread) -> Self {
        let topology = cluster.topology(spread.topology);
        let mut included = vec![false; cluster.node_slots()];
        let mut counts = vec![None; topology.domains()];
        for node in cluster.node_ids() {
            let labelled = kind.hard.iter().all(|one| cluster.topology(one.topology).domain(*node).is_some());
            if labelled && counts_node(cluster, kind, spread, *node) {
                included[*node] = true;
                if let Some(domain) = topology.domain(*node) {
                    counts[domain] = Some(0);
                }
            }
        }
        for (node, count) in cluster.meant(spread.matcher).filter(|(node, _)| included[*node]) {
            if let Some(domain) = topology.domain(node) {
                *counts[domain].get_or_insert(0) += i64::from(count.live);
            }
        }
        let mut hard = Self { spread: spread.clone(), counts, included, least: 0 };
        hard.find_least();
        hard
    }

    fn find_least(&mut self) {
        let domains = self.counts.iter().flatten();
        let too_few = (domains.clone().count() as i64) < self.spread.min_domains;
        // Without any domain upstream's minimum is as good as infinite.
        let none = i64::from(i32::MAX);
        self.least = if too_few { 0 } else { domains.min().copied().unwrap_or(none) };
    }
}

/// Whether pods on this node are counted at all.
fn counts_node(cluster: &ClusterView, kind: &Compiled, spread: &Spread, node: NodeId) -> bool {
    let shape = &cluster.node(node).shape;
    let wishes = &kind.kind.wishes;
    (spread.ignore_node_affinity || wishes.allow_node(&shape.name, &shape.labels))
        && !(spread.honor_taints && taints::keeps_away(&shape.taints, &wishes.tolerations).is_some())
}

/// Raw scores of the soft constraints for the nodes that passed the filters,
/// lower being better. `None` stands for a node that lacks one of the labels;
/// the whole is `None` when the pod has no soft constraint.
pub(super) fn score(cluster: &ClusterView, kind: &Compiled, feasible: &[NodeId]) -> Option<Vec<Option<i64>>> {
    if kind.soft.is_empty() {
        return None;
    }
    // The cluster's defaults don't insist on every label being there.
    let insists = !kind.soft_by_default;
    let labelled =
        |node: NodeId| kind.soft.iter().all(|one| cluster.topology(one.topology).domain(node).is_some());
    let ignored = |node: NodeId| insists && !labelled(node);
    let mut totals: Vec<Option<f64>> =
        feasible.iter().map(|node| if ignored(*node) { None } else { Some(0.0) }).collect();
    let scored = totals.iter().flatten().count();
    for spread in &kind.soft {
        let by_node = live_by_node(cluster, spread);
        let topology = cluster.topology(spread.topology);
        let (counts, domains) = if spread.hostname {
            (None, scored)
        } else {
            let (counts, domains) = by_domain(cluster, kind, spread, feasible, &totals, &by_node);
            (Some(counts), domains)
        };
        let weight = libm::log((domains + 2) as f64);
        for (node, total) in feasible.iter().zip(&mut totals) {
            let (Some(total), Some(domain)) = (total, topology.domain(*node)) else { continue };
            let count = counts.as_ref().map_or(by_node[*node], |counts| counts[domain].unwrap_or(0));
            *total += count as f64 * weight + (spread.max_skew - 1) as f64;
        }
    }
    Some(totals.into_iter().map(|total| total.map(|total| total.round() as i64)).collect())
}

/// Live pods that a constraint means, by node.
fn live_by_node(cluster: &ClusterView, spread: &Spread) -> Vec<i64> {
    let mut counts = vec![0; cluster.node_slots()];
    for (node, count) in cluster.meant(spread.matcher) {
        counts[node] += i64::from(count.live);
    }
    counts
}

/// Live pods by domain, for domains that a scored node is in, and how many such
/// domains there are. A node without the label makes one domain of its own kind.
fn by_domain(
    cluster: &ClusterView,
    kind: &Compiled,
    spread: &Spread,
    feasible: &[NodeId],
    totals: &[Option<f64>],
    by_node: &[i64],
) -> (Vec<Option<i64>>, usize) {
    let topology = cluster.topology(spread.topology);
    let mut counts = vec![None; topology.domains()];
    let mut unlabelled = false;
    for (node, _) in feasible.iter().zip(totals).filter(|(_, total)| total.is_some()) {
        match topology.domain(*node) {
            Some(domain) => counts[domain] = Some(0),
            None => unlabelled = true,
        }
    }
    let domains = counts.iter().flatten().count() + usize::from(unlabelled);
    for node in cluster.node_ids().iter().filter(|node| by_node[**node] > 0) {
        let Some(domain) = topology.domain(*node) else { continue };
        let labelled = kind.soft_by_default
            || kind.soft.iter().all(|one| cluster.topology(one.topology).domain(*node).is_some());
        if !labelled || !counts_node(cluster, kind, spread, *node) {
            continue;
        }
        if let Some(count) = &mut counts[domain] {
            *count += by_node[*node];
        }
    }
    (counts, domains)
}

/// Turns raw scores round: the emptiest domain gets the most, an ignored node 0.
pub(super) fn normalize(raw: &[Option<i64>]) -> Vec<i64> {
    let least = raw.iter().flatten().min().copied().unwrap_or(0);
    let most = raw.iter().flatten().max().copied().unwrap_or(0);
    let turn = |score: i64| if most == 0 { MAX_SCORE } else { MAX_SCORE * (most + least - score) / most };
    raw.iter().map(|score| score.map_or(0, turn)).collect()
}
