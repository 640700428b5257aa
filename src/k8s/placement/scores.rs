//! Which of the nodes that would do is best: the scores, made comparable, weighed
//! and added.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources`
//! (`resource_allocation.go`, `least_allocated.go`, `most_allocated.go`,
//! `balanced_allocation.go`), `plugins/helper/normalize_score.go`,
//! `pkg/scheduler/apis/config/v1/default_plugins.go`.

use std::fmt;

use crate::k8s::placement::amounts::{Amounts, Demand, ResourceName};
use crate::k8s::placement::cluster::{ClusterView, KindId, Load, NodeId};
pub use crate::k8s::placement::objects::{MAX_SCORE, Strategy};
use crate::k8s::placement::{image_locality, inter_pod, node_affinity, spread, taints};
use crate::k8s::version::Balance;

/// The scoring plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Fewer taints that the pod would rather not meet.
    TaintToleration,
    /// Preferred node affinity.
    NodeAffinity,
    /// Room left (or used, by strategy).
    NodeResourcesFit,
    /// Soft spread constraints.
    PodTopologySpread,
    /// Preferred pod affinity.
    InterPodAffinity,
    /// CPU and memory used in equal parts.
    NodeResourcesBalancedAllocation,
    /// Images already there.
    ImageLocality,
}

impl Score {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodeResourcesFit,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
        Self::NodeResourcesBalancedAllocation,
        Self::ImageLocality,
    ];

    /// The weight in the default profile.
    pub const fn weight(self) -> i64 {
        match self {
            Self::TaintToleration => 3,
            Self::NodeAffinity | Self::PodTopologySpread | Self::InterPodAffinity => 2,
            Self::NodeResourcesFit | Self::NodeResourcesBalancedAllocation | Self::ImageLocality => 1,
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Strategy {
    /// 0 to 100 for a node with the pod on it.
    pub fn score(&self, pod: &Demand, load: &Load, allocatable: &Amounts) -> i64 {
        let (resources, of): (_, fn(u64, u64) -> i64) = match self {
            Self::LeastAllocated(resources) => (resources, least_allocated),
            Self::MostAllocated(resources) => (resources, most_allocated),
        };
        let (mut sum, mut weights) = (0, 0);
        for (resource, weight) in resources {
            if let Some((requested, capacity)) = with_pod(resource, pod, load, allocatable) {
                sum += of(requested, capacity) * weight;
                weights += weight;
            }
        }
        if weights == 0 { 0 } else { sum / weights }
    }
}

/// What would be requested and what there is, as scoring sees it; `None` for a
/// resource that the node lacks or (beyond CPU, memory and disk) the pod doesn't
/// ask for.
fn with_pod(resource: &ResourceName, pod: &Demand, load: &Load, allocatable: &Amounts) -> Option<(u64, u64)> {
    let (used, asked) = match resource {
        ResourceName::Cpu => (load.scoring_cpu.0, pod.scoring_cpu.0),
        ResourceName::Memory => (load.scoring_memory.0, pod.scoring_memory.0),
        ResourceName::EphemeralStorage | ResourceName::Extended(_) => {
            (load.requested.of(resource), pod.requests.of(resource))
        }
    };
    known(resource, used, asked, allocatable)
}

fn known(resource: &ResourceName, used: u64, asked: u64, allocatable: &Amounts) -> Option<(u64, u64)> {
    let capacity = allocatable.of(resource);
    let beside_the_point = matches!(resource, ResourceName::Extended(_)) && asked == 0;
    (capacity > 0 && !beside_the_point).then_some((used + asked, capacity))
}

fn least_allocated(requested: u64, capacity: u64) -> i64 {
    (capacity.saturating_sub(requested) * MAX_SCORE as u64 / capacity) as i64
}

fn most_allocated(requested: u64, capacity: u64) -> i64 {
    (requested.min(capacity) * MAX_SCORE as u64 / capacity) as i64
}

/// 0 to 100 by how equal the used parts of the resources would be with the pod,
/// by true requests, or by how much more equal it would make them.
pub fn balanced(
    resources: &[ResourceName],
    pod: &Demand,
    load: &Load,
    allocatable: &Amounts,
    balance: Balance,
) -> i64 {
    let part = |with_pod: bool| {
        move |resource: &ResourceName| {
            let (used, asked) = (load.requested.of(resource), pod.requests.of(resource));
            let (requested, capacity) = known(resource, used, asked, allocatable)?;
            let requested = if with_pod { requested } else { used };
            Some((requested as f64 / capacity as f64).min(1.0))
        }
    };
    let after = evenness(|| resources.iter().filter_map(part(true)));
    match balance {
        Balance::After => after,
        Balance::Change => {
            let before = evenness(|| resources.iter().filter_map(part(false)));
            MAX_SCORE / 2 + (MAX_SCORE / 2 + after - before) / 2
        }
    }
}

/// 100 when all parts are alike, less by their standard deviation. Counted in
/// passes rather than collected: this runs for every candidate.
fn evenness<I: Iterator<Item = f64>>(parts: impl Fn() -> I) -> i64 {
    let count = parts().count();
    let deviation = match count {
        0 | 1 => 0.0,
        2 => {
            let mut both = parts();
            let difference = both.next().unwrap_or(0.0) - both.next().unwrap_or(0.0);
            (difference / 2.0).abs()
        }
        _ => {
            let mean = parts().sum::<f64>() / count as f64;
            (parts().map(|part| (part - mean) * (part - mean)).sum::<f64>() / count as f64).sqrt()
        }
    };
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}

/// The resources that the default profile balances.
const BALANCED: [ResourceName; 2] = [ResourceName::Cpu, ResourceName::Memory];

/// Raw scores stretched so that the largest becomes 100, or turned round so that
/// it becomes 0.
pub fn normalize(raw: &[i64], reverse: bool) -> Vec<i64> {
    let most = raw.iter().max().copied().unwrap_or(0);
    let turn = |score: i64| if reverse { MAX_SCORE - score } else { score };
    raw.iter().map(|score| turn(if most == 0 { 0 } else { MAX_SCORE * score / most })).collect()
}

/// One plugin's scores for all candidates, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub score: Score,
    pub raw: Vec<i64>,
    pub normalized: Vec<i64>,
}

/// One plugin's say about one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginScore {
    /// Which plugin.
    pub score: Score,
    /// In its own measure.
    pub raw: i64,
    /// As 0 to 100.
    pub normalized: i64,
    /// What it adds to the total.
    pub weighted: i64,
}

/// A candidate with its total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeScore {
    /// The node.
    pub node: NodeId,
    /// Weighted sum over all plugins.
    pub total: i64,
}

/// All plugins' scores for the nodes that passed the filters. Plugins that have
/// nothing to say about the pod are left out and add nothing.
pub(super) fn table(cluster: &ClusterView, id: KindId, feasible: &[NodeId]) -> Vec<Column> {
    Score::ALL.iter().filter_map(|score| column(cluster, id, feasible, *score)).collect()
}

/// One plugin's scores from 0 to 100, before its weight; `None` when it has
/// nothing to say about the pod.
pub fn of_plugin(cluster: &ClusterView, id: KindId, feasible: &[NodeId], score: Score) -> Option<Vec<i64>> {
    column(cluster, id, feasible, score).map(|column| column.normalized)
}

fn column(cluster: &ClusterView, id: KindId, feasible: &[NodeId], score: Score) -> Option<Column> {
    let kind = cluster.kind(id);
    let wishes = &kind.wishes;
    let each = |of: &dyn Fn(NodeId) -> i64| feasible.iter().map(|node| of(*node)).collect::<Vec<_>>();
    let (raw, normalized) = match score {
        Score::TaintToleration => {
            let raw = each(&|node| taints::score(&cluster.node(node).shape.taints, &wishes.tolerations));
            let normalized = normalize(&raw, true);
            (raw, normalized)
        }
        Score::NodeAffinity => {
            if wishes.preferred_nodes.is_empty() {
                return None;
            }
            let raw = each(&|node| {
                let shape = &cluster.node(node).shape;
                node_affinity::score(&wishes.preferred_nodes, &shape.name, &shape.labels)
            });
            let normalized = normalize(&raw, false);
            (raw, normalized)
        }
        Score::NodeResourcesFit => as_it_is(each(&|node| {
            let node = cluster.node(node);
            cluster.profile.strategy.score(&kind.demand, &node.load, &node.shape.allocatable)
        })),
        Score::PodTopologySpread => {
            let raw = spread::score(cluster, cluster.compiled(id), feasible)?;
            let normalized = spread::normalize(&raw);
            (raw.into_iter().map(Option::unwrap_or_default).collect(), normalized)
        }
        Score::InterPodAffinity => {
            let raw = inter_pod::score(cluster, id, feasible)?;
            let normalized = inter_pod::normalize(&raw);
            (raw, normalized)
        }
        Score::NodeResourcesBalancedAllocation => {
            // A pod without requests would make no node less balanced, and all
            // such pods would pile up on one; so it has no say.
            let silent = cluster.profile.balance_skips_requestless;
            if silent && BALANCED.iter().all(|resource| kind.demand.requests.of(resource) == 0) {
                return None;
            }
            as_it_is(each(&|node| {
                let node = cluster.node(node);
                balanced(
                    &BALANCED,
                    &kind.demand,
                    &node.load,
                    &node.shape.allocatable,
                    cluster.profile.balance,
                )
            }))
        }
        Score::ImageLocality => as_it_is(each(&|node| image_locality::score(cluster, id, node))),
    };
    Some(Column { score, raw, normalized })
}

/// Scores that are 0 to 100 already.
fn as_it_is(raw: Vec<i64>) -> (Vec<i64>, Vec<i64>) {
    (raw.clone(), raw)
}

/// Weighted totals of a table, by candidate.
pub(super) fn totals(columns: &[Column], feasible: &[NodeId]) -> Vec<NodeScore> {
    let mut totals: Vec<NodeScore> =
        feasible.iter().map(|node| NodeScore { node: *node, total: 0 }).collect();
    for column in columns {
        for (one, score) in totals.iter_mut().zip(&column.normalized) {
            one.total += score * column.score.weight();
        }
    }
    totals
}
