//! One scheduling cycle: which node a pod gets, or why it gets none.
//!
//! Upstream: `pkg/scheduler/schedule_one.go`.

use std::collections::BTreeMap;
use std::fmt;

use crate::k8s::placement::cluster::{ClusterView, NodeId, PodView};
use crate::k8s::placement::cycle::Cycle;
use crate::k8s::placement::reason::{Filter, Refusal};
use crate::k8s::placement::scores::{self, Column, NodeScore, PluginScore};

/// Clusters smaller than this are looked at as a whole.
const FEWEST_TO_FIND: usize = 100;

/// What a cycle came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The node, or why there is none.
    pub outcome: Outcome,
    /// Where the next cycle starts to look, as a place in
    /// [`ClusterView::node_ids`].
    pub next_start: usize,
}

/// Whether the pod got a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes to `node`.
    Bound {
        /// The node.
        node: NodeId,
        /// The nodes it was chosen from, with their totals. A single one isn't
        /// scored and has 0.
        candidates: Vec<NodeScore>,
    },
    /// It has to wait.
    Unschedulable(Unschedulable),
}

/// Why no node would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unschedulable {
    /// How many nodes there are.
    pub nodes_total: usize,
    /// What each node that was asked said.
    pub refusals: Vec<(NodeId, Refusal)>,
    /// How many nodes were out of the question without being asked (all but its
    /// own for a DaemonSet's pod).
    pub not_asked: usize,
}

/// A node's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeExplanation {
    /// The node.
    pub node: NodeId,
    /// Why it wouldn't do.
    pub refusal: Option<Refusal>,
    /// Its scores by plugin; empty when it was refused or is the only one left.
    pub scores: Vec<PluginScore>,
    /// Their weighted sum.
    pub total: i64,
}

/// A decision with every plugin's part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision itself.
    pub decision: Decision,
    /// The nodes that were looked at, in that order.
    pub nodes: Vec<NodeExplanation>,
}

/// How many nodes that pass the filters are enough in a cluster of so many; a
/// percentage of 0 lets the size decide.
pub fn nodes_to_find(nodes_total: usize, percentage: u32) -> usize {
    if nodes_total < FEWEST_TO_FIND {
        return nodes_total;
    }
    let by_size = || 50_usize.saturating_sub(nodes_total / 125).max(5);
    let percent = if percentage == 0 { by_size() } else { percentage.min(100) as usize };
    (nodes_total * percent / 100).max(FEWEST_TO_FIND)
}

/// Finds the node for a pod. The search starts at `scan_start` (the last
/// decision's `next_start`); `tie` is a random number that decides between nodes
/// with the same best score.
pub fn schedule(pod: &PodView, cluster: &ClusterView, scan_start: usize, tie: u64) -> Decision {
    let scan = scan(pod, cluster, scan_start);
    let columns = columns(pod, cluster, &scan.feasible);
    scan.decide(cluster, &columns, tie)
}

/// The same decision, with every plugin's scores and every node's refusal.
pub fn explain(pod: &PodView, cluster: &ClusterView, scan_start: usize, tie: u64) -> Explanation {
    let scan = scan(pod, cluster, scan_start);
    let columns = columns(pod, cluster, &scan.feasible);
    let refused = scan.refusals.iter().map(|(node, refusal)| NodeExplanation {
        node: *node,
        refusal: Some(refusal.clone()),
        scores: Vec::new(),
        total: 0,
    });
    let scored = scan.feasible.iter().enumerate().map(|(at, node)| {
        let scores: Vec<PluginScore> = columns.iter().map(|column| column.at(at)).collect();
        let total = scores.iter().map(|one| one.weighted).sum();
        NodeExplanation { node: *node, refusal: None, scores, total }
    });
    let nodes = scored.chain(refused).collect();
    Explanation { decision: scan.decide(cluster, &columns, tie), nodes }
}

impl Column {
    fn at(&self, candidate: usize) -> PluginScore {
        let normalized = self.normalized[candidate];
        PluginScore {
            score: self.score,
            raw: self.raw[candidate],
            normalized,
            weighted: normalized * self.score.weight(),
        }
    }
}

/// What the filters left.
struct Scan {
    feasible: Vec<NodeId>,
    refusals: Vec<(NodeId, Refusal)>,
    not_asked: usize,
    next_start: usize,
}

/// Asks node after node, round robin, until enough would do.
fn scan(pod: &PodView, cluster: &ClusterView, scan_start: usize) -> Scan {
    let mut cycle = Cycle::new(pod, cluster);
    let order = cluster.node_ids();
    let mut scan = Scan { feasible: Vec::new(), refusals: Vec::new(), not_asked: 0, next_start: scan_start };
    if let Some(only) = pod.only_node {
        scan.not_asked = order.len().saturating_sub(1);
        if order.contains(&only) {
            scan.ask(&mut cycle, only);
        }
        return scan;
    }
    // A pod that room was made for takes that node if it still can.
    if let Some(kept) = pod.nominated.filter(|node| order.contains(node)) {
        if cycle.check(kept).is_none() {
            scan.feasible.push(kept);
            return scan;
        }
    }
    let enough = nodes_to_find(order.len(), cluster.profile.percentage_of_nodes_to_score);
    let start = if order.is_empty() { 0 } else { scan_start % order.len() };
    let (before, from) = order.split_at(start);
    let mut asked = 0;
    for node in from.iter().chain(before) {
        if scan.feasible.len() == enough {
            break;
        }
        scan.ask(&mut cycle, *node);
        asked += 1;
    }
    scan.next_start = if order.is_empty() { 0 } else { (start + asked) % order.len() };
    scan
}

impl Scan {
    fn ask(&mut self, cycle: &mut Cycle, node: NodeId) {
        match cycle.check(node) {
            None => self.feasible.push(node),
            Some(refusal) => self.refusals.push((node, refusal)),
        }
    }

    fn decide(self, cluster: &ClusterView, columns: &[Column], tie: u64) -> Decision {
        let candidates = scores::totals(columns, &self.feasible);
        let outcome = match pick(&candidates, tie) {
            Some(node) => Outcome::Bound { node, candidates },
            None => Outcome::Unschedulable(Unschedulable {
                nodes_total: cluster.node_ids().len(),
                refusals: self.refusals,
                not_asked: self.not_asked,
            }),
        };
        Decision { outcome, next_start: self.next_start }
    }
}

/// The scores, unless there is nothing to choose.
fn columns(pod: &PodView, cluster: &ClusterView, feasible: &[NodeId]) -> Vec<Column> {
    if feasible.len() > 1 { scores::table(cluster, pod.kind, feasible) } else { Vec::new() }
}

/// One of the best, each with the same chance.
fn pick(candidates: &[NodeScore], tie: u64) -> Option<NodeId> {
    let best = candidates.iter().map(|one| one.total).max()?;
    let best_ones = || candidates.iter().filter(|one| one.total == best);
    let nth = tie % best_ones().count() as u64;
    best_ones().nth(nth as usize).map(|one| one.node)
}

impl Unschedulable {
    /// The nodes where removing pods could help.
    pub fn resolvable(&self) -> impl Iterator<Item = NodeId> {
        self.refusals.iter().filter(|(_, refusal)| refusal.resolvable).map(|(node, _)| *node)
    }

    /// The filters that said no somewhere: what the queue waits on.
    pub fn filters(&self) -> Vec<Filter> {
        let mut filters: Vec<Filter> = self.refusals.iter().map(|(_, refusal)| refusal.filter).collect();
        filters.sort_unstable();
        filters.dedup();
        filters
    }

    /// How many nodes gave each reason, in the order in which they are printed.
    pub fn by_reason(&self) -> Vec<(usize, String)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (_, refusal) in &self.refusals {
            for reason in &refusal.reasons {
                *counts.entry(reason.to_string()).or_default() += 1;
            }
        }
        if self.not_asked > 0 {
            let reason = crate::k8s::placement::reason::Reason::NotItsNode.to_string();
            *counts.entry(reason).or_default() += self.not_asked;
        }
        let mut reasons: Vec<(usize, String)> = counts.into_iter().map(|(reason, n)| (n, reason)).collect();
        // Upstream sorts the printed words, number included.
        reasons.sort_by_cached_key(|(count, reason)| format!("{count} {reason}"));
        reasons
    }
}

impl fmt::Display for Unschedulable {
    /// As the pod's event says it: `0/5 nodes are available: 3 Insufficient cpu,
    /// 2 node(s) were unschedulable.`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes_total == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        write!(f, "0/{} nodes are available:", self.nodes_total)?;
        for (at, (count, reason)) in self.by_reason().iter().enumerate() {
            write!(f, "{} {count} {reason}", if at == 0 { "" } else { "," })?;
        }
        f.write_str(".")
    }
}
