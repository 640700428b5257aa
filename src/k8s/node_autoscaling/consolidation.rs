//! Karpenter: which nodes could be emptied, or replaced by something cheaper.
//!
//! Upstream: `kubernetes-sigs/karpenter` `pkg/controllers/disruption`
//! (`emptiness.go`, `multinodeconsolidation.go`, `singlenodeconsolidation.go`,
//! `consolidation.go`, `helpers.go`).

use std::collections::BTreeMap;

use crate::k8s::node_autoscaling::karpenter::{Offering, provision};
use crate::k8s::node_autoscaling::scale_down::PodFacts;
use crate::k8s::placement::{ClusterView, GuardedPods, KindId, NodeId, PodId, PodView};

/// So many nodes at most are replaced together.
const MOST_TOGETHER: usize = 100;
/// Spot for spot is only worth it with so many cheaper types to choose from.
const SPOT_CHOICES: usize = 15;

/// A node that Karpenter bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// What it was bought as.
    pub instance_type: String,
    /// What an hour of it costs.
    pub price: f64,
    /// Whether it is a spot machine.
    pub spot: bool,
    /// Whether it may be disrupted at all (`do-not-disrupt`, too young).
    pub disruptable: bool,
}

/// What is known beside nodes and pods, and how Karpenter is set up.
#[derive(Clone, Copy, Debug)]
pub struct Market<'a> {
    /// The nodes that may be touched.
    pub owned: &'a BTreeMap<NodeId, Owned>,
    /// What is on sale.
    pub offerings: &'a [Offering],
    /// The DaemonSet pods of a new node.
    pub daemons: &'a [KindId],
    /// What matters of each kind of pod; kinds left out are ordinary.
    /// `safe_to_evict: Some(false)` stands for `do-not-disrupt`.
    pub pods: &'a BTreeMap<KindId, PodFacts>,
    /// The budgets.
    pub budgets: &'a [GuardedPods],
    /// Nodes that may be disrupted at a time, in percent of all, rounded up.
    pub budget_percent: u32,
    /// Whether nodes that aren't empty are touched.
    pub underutilized_too: bool,
    /// Whether a spot machine may be replaced by another.
    pub spot_to_spot: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Consolidation {
    /// Nothing pays.
    Nothing,
    /// These run nothing but DaemonSet pods.
    DeleteEmpty(Vec<NodeId>),
    /// The pods of these find room on the others.
    Delete(Vec<NodeId>),
    /// One cheaper machine takes what the others can't.
    Replace {
        /// The nodes to go.
        nodes: Vec<NodeId>,
        /// What to buy instead, the cheapest first.
        offerings: Vec<usize>,
    },
}

/// Looks for the first thing that pays: empty nodes, then several nodes at once,
/// then single ones.
pub fn consolidate(cluster: &ClusterView, market: &Market) -> Consolidation {
    let nodes_total = market.owned.len() as u32;
    let allowance = (nodes_total * market.budget_percent).div_ceil(100) as usize;
    let candidates = candidates(cluster, market);
    let (empty, used): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(_, pods)| pods.is_empty());
    let nodes: Vec<NodeId> = empty.into_iter().map(|(node, _)| node).take(allowance).collect();
    if !nodes.is_empty() {
        return Consolidation::DeleteEmpty(nodes);
    }
    if !market.underutilized_too || allowance == 0 {
        return Consolidation::Nothing;
    }
    let several = together(cluster, market, &used[..used.len().min(allowance).min(MOST_TOGETHER)]);
    if several != Consolidation::Nothing {
        return several;
    }
    let single = used.iter().map(|one| what_pays(cluster, market, std::slice::from_ref(one)));
    single.into_iter().find(|one| *one != Consolidation::Nothing).unwrap_or(Consolidation::Nothing)
}

/// A node with the pods that would have to go elsewhere.
type Candidate = (NodeId, Vec<PodId>);

/// The nodes that may be disrupted, the cheapest to disrupt (fewest pods) first.
fn candidates(cluster: &ClusterView, market: &Market) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = cluster
        .node_ids()
        .iter()
        .filter(|node| market.owned.get(node).is_some_and(|one| one.disruptable))
        .filter_map(|node| Some((*node, movable(cluster, market, *node)?)))
        .collect();
    found.sort_by_key(|(node, pods)| (pods.len(), *node));
    found
}

/// The pods to move, `None` when one of them must not be disturbed.
fn movable(cluster: &ClusterView, market: &Market, node: NodeId) -> Option<Vec<PodId>> {
    let mut pods = Vec::new();
    for id in &cluster.node(node).pods {
        let Some(pod) = cluster.pod(*id) else { continue };
        let facts = market.pods.get(&pod.kind).copied().unwrap_or_default();
        if facts.daemon || pod.terminating {
            continue;
        }
        let kind = cluster.kind(pod.kind);
        let guarded = market.budgets.iter().any(|budget| {
            budget.allowed <= 0
                && budget.namespace == kind.namespace
                && budget.selector.as_ref().is_some_and(|one| one.matches(&kind.labels))
        });
        if guarded || facts.safe_to_evict == Some(false) {
            return None;
        }
        pods.push(*id);
    }
    Some(pods)
}

/// The largest number of first candidates that pays, by halving.
fn together(cluster: &ClusterView, market: &Market, used: &[Candidate]) -> Consolidation {
    let (mut fewest, mut most) = (2, used.len());
    let mut best = Consolidation::Nothing;
    while fewest <= most {
        let middle = usize::midpoint(fewest, most);
        match what_pays(cluster, market, &used[..middle]) {
            Consolidation::Nothing => most = middle - 1,
            better => {
                best = better;
                fewest = middle + 1;
            }
        }
    }
    best
}

/// Whether these nodes can go without more than one, cheaper, machine instead.
fn what_pays(cluster: &ClusterView, market: &Market, going: &[Candidate]) -> Consolidation {
    let mut without = cluster.clone();
    let mut homeless = Vec::new();
    for (node, pods) in going {
        for id in pods {
            if let Some(pod) = cluster.pod(*id) {
                homeless.push(PodView { id: *id, kind: pod.kind, only_node: None, nominated: None });
            }
        }
        without.remove_node(*node);
    }
    let nodes: Vec<NodeId> = going.iter().map(|(node, _)| *node).collect();
    let plan = provision(&without, &homeless, market.offerings, market.daemons);
    match (&plan.hopeless[..], &plan.purchases[..]) {
        ([], []) => Consolidation::Delete(nodes),
        ([], [purchase]) => match cheaper(market, &nodes, &purchase.alternatives) {
            offerings if offerings.is_empty() => Consolidation::Nothing,
            offerings => Consolidation::Replace { nodes, offerings },
        },
        _ => Consolidation::Nothing,
    }
}

/// Of the machines that would do, those worth buying.
fn cheaper(market: &Market, nodes: &[NodeId], alternatives: &[usize]) -> Vec<usize> {
    let going: Vec<&Owned> = nodes.iter().filter_map(|node| market.owned.get(node)).collect();
    let mut ceiling: f64 = going.iter().map(|one| one.price).sum();
    if going.len() > 1 {
        // Buying again what one already has is no gain: the others could just go.
        let again = |one: &&&Owned| {
            alternatives.iter().any(|at| market.offerings[*at].instance_type == one.instance_type)
        };
        let same = going.iter().filter(again).map(|one| one.price).min_by(f64::total_cmp);
        ceiling = same.map_or(ceiling, |price| price.min(ceiling));
    }
    let mut worth: Vec<usize> =
        alternatives.iter().copied().filter(|at| market.offerings[*at].price < ceiling).collect();
    let all_spot = going.iter().all(|one| one.spot);
    if all_spot {
        // A spot machine for a spot machine needs the gate and, one for one, so
        // many cheaper types that the new one isn't taken away soon.
        let spot = worth.iter().filter(|at| market.offerings[**at].spot).count();
        let allowed = market.spot_to_spot && (going.len() > 1 || spot >= SPOT_CHOICES);
        worth.retain(|at| allowed || !market.offerings[*at].spot);
    }
    worth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::placement::testing::{bind, cluster, kind, shape};

    fn offering(name: &str, cpu: u64, price: f64) -> Offering {
        Offering { instance_type: name.to_owned(), shape: shape(name, "x", cpu), price, spot: false }
    }

    /// What pays for nodes of 1000 at price 4 with these pods.
    fn decide(sizes: &[&[u64]], market: impl FnOnce(&mut Market)) -> Consolidation {
        let mut cluster = cluster();
        let mut owned = BTreeMap::new();
        let mut next = 0;
        for (at, pods) in sizes.iter().enumerate() {
            let node = cluster.add_node(shape(&format!("n{at}"), "x", 1_000));
            let bought =
                Owned { instance_type: "large".to_owned(), price: 4.0, spot: false, disruptable: true };
            owned.insert(node, bought);
            for size in *pods {
                let one = cluster.add_kind(kind("web", *size, 0));
                bind(&mut cluster, next, one, node);
                next += 1;
            }
        }
        let offerings = [offering("large", 1_000, 4.0), offering("small", 300, 1.0)];
        let facts = BTreeMap::new();
        let mut all = Market {
            owned: &owned,
            offerings: &offerings,
            daemons: &[],
            pods: &facts,
            budgets: &[],
            budget_percent: 100,
            underutilized_too: true,
            spot_to_spot: false,
        };
        market(&mut all);
        consolidate(&cluster, &all)
    }

    #[test]
    fn the_first_thing_that_pays_is_done() {
        assert_eq!(decide(&[&[900], &[], &[]], |_| {}), Consolidation::DeleteEmpty(vec![1, 2]));
        assert_eq!(
            decide(&[&[900], &[], &[]], |all| all.budget_percent = 10),
            Consolidation::DeleteEmpty(vec![1])
        );
        assert_eq!(decide(&[&[500], &[400]], |_| {}), Consolidation::Delete(vec![0]));
        assert_eq!(decide(&[&[900], &[900]], |_| {}), Consolidation::Nothing);
        assert_eq!(
            decide(&[&[900], &[200]], |_| {}),
            Consolidation::Replace { nodes: vec![1], offerings: vec![1] }
        );
        assert_eq!(decide(&[&[900], &[200]], |all| all.underutilized_too = false), Consolidation::Nothing);
    }

    #[test]
    fn several_go_together_for_one_cheaper() {
        // One of the two would fit beside the other, but pairs are tried first.
        let found = decide(&[&[475, 475], &[100], &[150]], |_| {});
        assert_eq!(found, Consolidation::Replace { nodes: vec![1, 2], offerings: vec![1] });
    }

    #[test]
    fn a_budget_without_room_blocks() {
        let guard = [GuardedPods {
            namespace: "default".to_owned(),
            selector: Some(crate::k8s::placement::testing::app("web")),
            allowed: 0,
            disrupted: Vec::new(),
        }];
        let mut cluster = cluster();
        let node = cluster.add_node(shape("n", "x", 1_000));
        let web = cluster.add_kind(kind("web", 100, 0));
        bind(&mut cluster, 0, web, node);
        let owned = BTreeMap::from([(
            node,
            Owned { instance_type: "large".to_owned(), price: 4.0, spot: false, disruptable: true },
        )]);
        let facts = BTreeMap::new();
        let offerings = [offering("small", 300, 1.0)];
        let mut market = Market {
            owned: &owned,
            offerings: &offerings,
            daemons: &[],
            pods: &facts,
            budgets: &guard,
            budget_percent: 10,
            underutilized_too: true,
            spot_to_spot: false,
        };
        assert_eq!(consolidate(&cluster, &market), Consolidation::Nothing);
        market.budgets = &[];
        assert_ne!(consolidate(&cluster, &market), Consolidation::Nothing);
    }
}
