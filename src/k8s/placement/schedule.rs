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
    let kept = pod.nominated.filter(|node| order.contains(node) && cycle.check(*node).is_none());
    if let Some(kept) = kept {
        scan.feasible.push(kept);
        return scan;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::k8s::placement::cluster::{HOSTNAME, ZONE};
    use crate::k8s::placement::testing::{app, bind, cluster, kind, pod, shape, term};
    use crate::k8s::placement::{Score, SpreadConstraint, Taint, TaintEffect};

    fn node_of(decision: &Decision) -> Option<NodeId> {
        match &decision.outcome {
            Outcome::Bound { node, .. } => Some(*node),
            Outcome::Unschedulable(_) => None,
        }
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut cluster = cluster();
        for name in ["a", "b", "c"] {
            cluster.add_node(shape(name, "z", 100));
        }
        for name in ["d", "e"] {
            let mut tainted = shape(name, "z", 9_000);
            let effect = TaintEffect::NoSchedule;
            tainted.taints.push(Taint { key: "gpu".into(), value: "yes".into(), effect });
            cluster.add_node(tainted);
        }
        let big = cluster.add_kind(kind("big", 500, 0));
        let Outcome::Unschedulable(why) = schedule(&pod(0, big), &cluster, 0, 0).outcome else {
            panic!("it fits nowhere");
        };
        assert_eq!(
            why.to_string(),
            "0/5 nodes are available: 2 node(s) had untolerated taint {gpu: yes}, 3 Insufficient cpu, \
             3 Insufficient memory."
        );
        assert_eq!(Unschedulable::default().to_string(), "no nodes available to schedule pods");
    }

    #[test]
    fn ties_are_drawn_and_the_emptier_node_wins() {
        let mut cluster = cluster();
        let nodes: Vec<NodeId> = ["a", "b", "c"].map(|name| cluster.add_node(shape(name, "z", 1_000))).into();
        let web = cluster.add_kind(kind("web", 100, 0));
        bind(&mut cluster, 0, web, nodes[0]);
        let drawn: Vec<_> = (0..4).map(|tie| node_of(&schedule(&pod(1, web), &cluster, 0, tie))).collect();
        assert_eq!(drawn, [Some(1), Some(2), Some(1), Some(2)]);
    }

    #[test]
    fn zones_take_turns_and_the_search_goes_round() {
        let mut cluster = cluster();
        for at in 0..300 {
            cluster.add_node(shape(&format!("n{at}"), if at < 200 { "x" } else { "y" }, 1_000));
        }
        assert_eq!(cluster.node_ids()[..4], [0, 200, 1, 201]);
        let web = cluster.add_kind(kind("web", 100, 0));
        // 300 nodes: 48 % are 144.
        let first = schedule(&pod(0, web), &cluster, 0, 0);
        assert_eq!(first.next_start, 144);
        assert_eq!(schedule(&pod(0, web), &cluster, 250, 0).next_start, (250 + 144) % 300);
    }

    #[test]
    fn anti_affinity_holds_both_ways() {
        let mut cluster = cluster();
        let nodes: Vec<NodeId> = ["a", "b"].map(|name| cluster.add_node(shape(name, name, 1_000))).into();
        let mut shy = kind("shy", 10, 0);
        shy.wishes.required_anti_affinity = vec![term("loud", HOSTNAME)];
        let shy = cluster.add_kind(shy);
        let loud = cluster.add_kind(kind("loud", 10, 0));
        bind(&mut cluster, 0, loud, nodes[0]);
        assert_eq!(node_of(&schedule(&pod(1, shy), &cluster, 0, 0)), Some(nodes[1]));
        bind(&mut cluster, 1, shy, nodes[1]);
        assert_eq!(node_of(&schedule(&pod(2, loud), &cluster, 0, 1)), Some(nodes[0]));
        cluster.remove_pod(0);
        assert_eq!(node_of(&schedule(&pod(2, loud), &cluster, 0, 1)), Some(nodes[0]));
    }

    #[test]
    fn the_first_of_a_group_may_start_anywhere() {
        let mut cluster = cluster();
        let nodes: Vec<NodeId> = ["a", "b"].map(|name| cluster.add_node(shape(name, name, 1_000))).into();
        let mut flock = kind("flock", 10, 0);
        flock.wishes.required_affinity = vec![term("flock", ZONE)];
        let flock = cluster.add_kind(flock);
        let mut follower = kind("follower", 10, 0);
        follower.wishes.required_affinity = vec![term("flock", ZONE)];
        let follower = cluster.add_kind(follower);
        assert_eq!(node_of(&schedule(&pod(0, follower), &cluster, 0, 0)), None);
        assert_eq!(node_of(&schedule(&pod(0, flock), &cluster, 0, 1)), Some(nodes[1]));
        bind(&mut cluster, 0, flock, nodes[1]);
        for tie in 0..3 {
            assert_eq!(node_of(&schedule(&pod(1, flock), &cluster, 0, tie)), Some(nodes[1]));
            assert_eq!(node_of(&schedule(&pod(1, follower), &cluster, 0, tie)), Some(nodes[1]));
        }
    }

    #[test]
    fn few_domains_count_as_an_empty_one() {
        let mut cluster = cluster();
        let node = cluster.add_node(shape("a", "x", 1_000));
        for (min_domains, fits) in [(None, true), (Some(1), true), (Some(2), false)] {
            let mut wide = kind("wide", 10, 0);
            wide.wishes.spread = vec![SpreadConstraint {
                max_skew: 1,
                topology_key: ZONE.to_owned(),
                required: true,
                selector: Some(app("wide")),
                min_domains,
                ignore_node_affinity: false,
                honor_taints: false,
            }];
            let wide = cluster.add_kind(wide);
            bind(&mut cluster, 7, wide, node);
            assert_eq!(node_of(&schedule(&pod(8, wide), &cluster, 0, 0)).is_some(), fits, "{min_domains:?}");
            cluster.remove_pod(7);
        }
    }

    #[test]
    fn a_pod_that_says_nothing_is_spread_by_its_owners() {
        let mut cluster = cluster();
        for (name, zone) in [("a", "x"), ("b", "x"), ("c", "y")] {
            cluster.add_node(shape(name, zone, 10_000));
        }
        let mut web = kind("web", 10, 0);
        web.owners_select = Some(app("web"));
        let web = cluster.add_kind(web);
        bind(&mut cluster, 0, web, 0);
        let explained = explain(&pod(1, web), &cluster, 0, 0);
        let spread = |node: NodeId| {
            let one = explained.nodes.iter().find(|one| one.node == node).expect("it was scored");
            let score = one.scores.iter().find(|one| one.score == Score::PodTopologySpread);
            score.map(|score| (score.raw, score.normalized))
        };
        // Raw: zone count · ln 4 + 4, host count · ln 5 + 2, rounded.
        assert_eq!(spread(0), Some((9, 66)));
        assert_eq!(spread(1), Some((7, 88)));
        assert_eq!(spread(2), Some((6, 100)));
        assert_eq!(explained.decision, schedule(&pod(1, web), &cluster, 0, 0));
    }

    #[test]
    fn room_kept_for_a_nominee_is_taken_for_its_equals_only() {
        let mut cluster = cluster();
        let node = cluster.add_node(shape("a", "x", 100));
        let kinds = [-1, 0, 1].map(|priority| cluster.add_kind(kind("web", 80, priority)));
        cluster.nominate(&pod(9, kinds[1]), node);
        let fits = |id, kind| node_of(&schedule(&pod(id, kind), &cluster, 0, 0)).is_some();
        assert_eq!(kinds.map(|kind| fits(1, kind)), [false, false, true]);
        assert!(fits(9, kinds[1]));
    }

    proptest! {
        #[test]
        fn a_bound_pod_fits_and_has_the_best_score(
            sizes in prop::collection::vec(50_u64..400, 1..20),
            asks in prop::collection::vec(1_u64..120, 1..40),
            tie in any::<u64>(),
        ) {
            let mut cluster = cluster();
            for (at, size) in sizes.iter().enumerate() {
                cluster.add_node(shape(&format!("n{at}"), ["x", "y", "z"][at % 3], *size));
            }
            let mut start = 0;
            for (id, ask) in asks.iter().enumerate() {
                let mut one = kind(["web", "api"][id % 2], *ask, 0);
                one.owners_select = (id % 2 == 0).then(|| app("web"));
                let one = cluster.add_kind(one);
                let decision = schedule(&pod(id, one), &cluster, start, tie);
                start = decision.next_start;
                match decision.outcome {
                    Outcome::Bound { node, candidates } => {
                        let best = candidates.iter().map(|one| one.total).max();
                        let chosen = candidates.iter().find(|one| one.node == node);
                        prop_assert_eq!(chosen.map(|one| one.total), best);
                        bind(&mut cluster, id, one, node);
                        let bound = cluster.node(node);
                        prop_assert!(bound.load.requested.cpu <= bound.shape.allocatable.cpu);
                        prop_assert!(bound.load.pods <= bound.shape.pod_slots);
                    }
                    Outcome::Unschedulable(why) => {
                        prop_assert_eq!(why.refusals.len(), sizes.len());
                        for node in cluster.node_ids() {
                            let node = cluster.node(*node);
                            let free = node.shape.allocatable.cpu.saturating_sub(node.load.requested.cpu);
                            prop_assert!(free.0 < *ask || node.load.pods == node.shape.pod_slots);
                        }
                    }
                }
            }
            for id in 0..asks.len() {
                cluster.remove_pod(id);
            }
            for node in cluster.node_ids() {
                prop_assert_eq!(&cluster.node(*node).load, &crate::k8s::placement::Load::default());
            }
        }
    }
}
