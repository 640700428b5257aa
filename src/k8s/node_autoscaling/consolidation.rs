//! Karpenter: which nodes could be emptied, or replaced by something cheaper.
//!
//! Upstream: `kubernetes-sigs/karpenter` `pkg/controllers/disruption`
//! (`emptiness.go`, `multinodeconsolidation.go`, `singlenodeconsolidation.go`,
//! `consolidation.go`, `validation.go`, `helpers.go`).

use std::collections::{BTreeMap, BTreeSet};

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
    /// Nodes that have been chosen before and still have pods: these want a place, too,
    /// and nodes that they would find one on are not touched.
    pub leaving: &'a [NodeId],
    /// Nodes of the cluster that are on their way: room for pods of those that leave, but
    /// nothing goes because of them.
    pub upcoming: &'a [NodeId],
    /// Nodes beside `owned` that count against the budget: those that leave or aren't
    /// ready.
    pub disrupting: u32,
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

/// How many more nodes the budget lets go.
fn allowance(market: &Market) -> usize {
    let all = market.owned.len() as u32 + market.disrupting;
    (all * market.budget_percent).div_ceil(100).saturating_sub(market.disrupting) as usize
}

/// Looks for the first thing that pays: empty nodes, then several nodes at once,
/// then single ones.
pub fn consolidate(cluster: &ClusterView, market: &Market) -> Consolidation {
    let allowance = allowance(market);
    if allowance == 0 {
        return Consolidation::Nothing;
    }
    let candidates = candidates(cluster, market);
    let (empty, used): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(_, pods)| pods.is_empty());
    let nodes: Vec<NodeId> = empty.into_iter().map(|(node, _)| node).take(allowance).collect();
    if !nodes.is_empty() {
        return Consolidation::DeleteEmpty(nodes);
    }
    if !market.underutilized_too {
        return Consolidation::Nothing;
    }
    let several = together(cluster, market, &used[..used.len().min(allowance).min(MOST_TOGETHER)]);
    if several != Consolidation::Nothing {
        return several;
    }
    let single = used.iter().map(|one| what_pays(cluster, market, std::slice::from_ref(one)));
    single.into_iter().find(|one| *one != Consolidation::Nothing).unwrap_or(Consolidation::Nothing)
}

/// The second look at what was decided a while ago: what is still right about it. Of empty
/// nodes those that still are may go; anything else has to come out as it did.
pub fn validate(cluster: &ClusterView, market: &Market, formed: &Consolidation) -> Consolidation {
    let allowance = allowance(market);
    let candidates = candidates(cluster, market);
    let (Consolidation::DeleteEmpty(nodes)
    | Consolidation::Delete(nodes)
    | Consolidation::Replace { nodes, .. }) = formed
    else {
        return Consolidation::Nothing;
    };
    let mut still: Vec<Candidate> = candidates.into_iter().filter(|(node, _)| nodes.contains(node)).collect();
    if let Consolidation::DeleteEmpty(_) = formed {
        still.retain(|(_, pods)| pods.is_empty());
        let empty: Vec<NodeId> = still.into_iter().map(|(node, _)| node).take(allowance).collect();
        return if empty.is_empty() { Consolidation::Nothing } else { Consolidation::DeleteEmpty(empty) };
    }
    if still.len() < nodes.len() || still.len() > allowance {
        return Consolidation::Nothing;
    }
    match (what_pays(cluster, market, &still), formed) {
        (Consolidation::Delete(_), Consolidation::Delete(_)) => formed.clone(),
        (Consolidation::Replace { offerings: now, .. }, Consolidation::Replace { offerings, .. })
            if offerings.iter().all(|one| now.contains(one)) =>
        {
            formed.clone()
        }
        _ => Consolidation::Nothing,
    }
}

/// A node with the pods that would have to go elsewhere.
type Candidate = (NodeId, Vec<PodId>);

/// The nodes that may be disrupted, the cheapest to disrupt (fewest pods) first.
fn candidates(cluster: &ClusterView, market: &Market) -> Vec<Candidate> {
    let nominated = nominated(cluster, market);
    let mut found: Vec<Candidate> = cluster
        .node_ids()
        .iter()
        .filter(|node| market.owned.get(node).is_some_and(|one| one.disruptable))
        .filter(|node| !nominated.contains(node))
        .filter_map(|node| Some((*node, movable(cluster, market, *node)?)))
        .collect();
    found.sort_by_key(|(node, pods)| (pods.len(), *node));
    found
}

/// Nodes on which pods of those that leave would find room.
fn nominated(cluster: &ClusterView, market: &Market) -> BTreeSet<NodeId> {
    let (without, homeless) = without(cluster, market, &[]);
    if homeless.is_empty() {
        return BTreeSet::new();
    }
    let plan = provision(&without, &homeless, market.offerings, market.daemons);
    plan.placed.into_iter().map(|(_, node)| node).collect()
}

/// The pods to move, `None` when one of them must not be disturbed.
fn movable(cluster: &ClusterView, market: &Market, node: NodeId) -> Option<Vec<PodId>> {
    let pods = evictees(cluster, market, node);
    for id in &pods {
        let Some(pod) = cluster.pod(*id) else { continue };
        let facts = market.pods.get(&pod.kind).copied().unwrap_or_default();
        let kind = cluster.kind(pod.kind);
        let guarded = market.budgets.iter().any(|budget| {
            budget.allowed <= 0
                && budget.namespace == kind.namespace
                && budget.selector.as_ref().is_some_and(|one| one.matches(&kind.labels))
        });
        if guarded || facts.safe_to_evict == Some(false) {
            return None;
        }
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
    let (without, homeless) = without(cluster, market, going);
    let nodes: Vec<NodeId> = going.iter().map(|(node, _)| *node).collect();
    let plan = provision(&without, &homeless, market.offerings, market.daemons);
    let moves = |pod: &PodId| going.iter().any(|(_, pods)| pods.contains(pod));
    if plan.placed.iter().any(|(pod, node)| market.upcoming.contains(node) && moves(pod)) {
        return Consolidation::Nothing;
    }
    match (&plan.hopeless[..], &plan.purchases[..]) {
        ([], []) => Consolidation::Delete(nodes),
        ([], [purchase]) => match cheaper(market, &nodes, &purchase.alternatives) {
            offerings if offerings.is_empty() => Consolidation::Nothing,
            offerings => Consolidation::Replace { nodes, offerings },
        },
        _ => Consolidation::Nothing,
    }
}

/// The cluster without these nodes and those that leave anyway, and the pods that want
/// another place then.
fn without(cluster: &ClusterView, market: &Market, going: &[Candidate]) -> (ClusterView, Vec<PodView>) {
    let mut without = cluster.clone();
    let mut homeless = Vec::new();
    let leaving = market.leaving.iter().map(|node| (*node, evictees(cluster, market, *node)));
    for (node, pods) in going.iter().cloned().chain(leaving) {
        for id in pods {
            if let Some(pod) = cluster.pod(id) {
                homeless.push(PodView { id, kind: pod.kind, only_node: None, nominated: None });
            }
        }
        without.remove_node(node);
    }
    (without, homeless)
}

/// The pods of a node that a drain evicts.
fn evictees(cluster: &ClusterView, market: &Market, node: NodeId) -> Vec<PodId> {
    let goes = |id: &PodId| {
        cluster.pod(*id).is_some_and(|pod| {
            !pod.terminating && !market.pods.get(&pod.kind).is_some_and(|facts| facts.daemon)
        })
    };
    cluster.node(node).pods.iter().copied().filter(goes).collect()
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
        Offering {
            instance_type: name.to_owned(),
            shape: shape(name, "x", cpu),
            price,
            spot: false,
            bought: 0,
        }
    }

    /// What pays for nodes of 1000 at price 4 with these pods.
    fn decide(sizes: &[&[u64]], market: impl FnOnce(&mut Market)) -> Consolidation {
        ask(sizes, market, consolidate)
    }

    fn ask(
        sizes: &[&[u64]],
        market: impl FnOnce(&mut Market),
        question: impl FnOnce(&ClusterView, &Market) -> Consolidation,
    ) -> Consolidation {
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
        let mut owned_less = owned.clone();
        let mut all = Market {
            owned: &owned,
            leaving: &[],
            upcoming: &[],
            disrupting: 0,
            offerings: &offerings,
            daemons: &[],
            pods: &facts,
            budgets: &[],
            budget_percent: 100,
            underutilized_too: true,
            spot_to_spot: false,
        };
        market(&mut all);
        for node in all.leaving.iter().chain(all.upcoming) {
            owned_less.remove(node);
        }
        all.owned = &owned_less;
        question(&cluster, &all)
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
    fn nodes_that_leave_count_and_their_pods_want_a_place() {
        let ten: [&[u64]; 10] = [&[]; 10];
        let disrupting = |count: u32| {
            decide(&ten, |all| {
                (all.budget_percent, all.disrupting, all.leaving) = (10, count, &[9][..count as usize]);
            })
        };
        assert_eq!(disrupting(0), Consolidation::DeleteEmpty(vec![0]));
        assert_eq!(disrupting(1), Consolidation::Nothing);
        // Node 0's pod could go to node 1, but node 2's will be there.
        let sizes: [&[u64]; 3] = [&[600], &[400], &[600]];
        assert_eq!(decide(&sizes, |_| {}), Consolidation::Delete(vec![0]));
        let taken = |all: &mut Market| (all.disrupting, all.leaving) = (1, &[2]);
        assert_eq!(decide(&sizes, taken), Consolidation::Nothing);
        // An empty node that they will be on isn't empty for long.
        let empty: [&[u64]; 3] = [&[900], &[], &[600]];
        assert_eq!(decide(&empty, taken), Consolidation::Nothing);
        // Nothing goes because of a node that may never come.
        let comes = |all: &mut Market| all.upcoming = &[1];
        assert_eq!(decide(&[&[600], &[400]], comes), Consolidation::Nothing);
    }

    #[test]
    fn a_command_is_looked_at_again() {
        let delete = |nodes: &[NodeId]| Consolidation::Delete(nodes.to_vec());
        let empty = |nodes: &[NodeId]| Consolidation::DeleteEmpty(nodes.to_vec());
        let replace =
            |offerings: &[usize]| Consolidation::Replace { nodes: vec![1], offerings: offerings.to_vec() };
        let rows: [(&[&[u64]], Consolidation, Consolidation); 8] = [
            (&[&[500], &[400]], delete(&[0]), delete(&[0])),
            // Its pods have no place any more, or more than there was to be.
            (&[&[500], &[900]], delete(&[0]), Consolidation::Nothing),
            (
                &[&[500], &[400]],
                Consolidation::Replace { nodes: vec![0], offerings: vec![1] },
                Consolidation::Nothing,
            ),
            (&[&[900], &[200]], replace(&[1]), replace(&[1])),
            (&[&[900], &[200]], replace(&[0, 1]), Consolidation::Nothing),
            // Of empty nodes those are left that still are.
            (&[&[900], &[], &[100]], empty(&[1, 2]), empty(&[1])),
            (&[&[900], &[50], &[100]], empty(&[1, 2]), Consolidation::Nothing),
            (&[&[900]], Consolidation::Nothing, Consolidation::Nothing),
        ];
        for (sizes, formed, expected) in rows {
            let found = ask(sizes, |_| {}, |cluster, market| validate(cluster, market, &formed));
            assert_eq!(found, expected, "{formed:?} of {sizes:?}");
        }
        let spent = |all: &mut Market| (all.budget_percent, all.disrupting) = (10, 1);
        let formed = empty(&[1]);
        let found = ask(&[&[900], &[]], spent, |cluster, market| validate(cluster, market, &formed));
        assert_eq!(found, Consolidation::Nothing, "the budget is spent by now");
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
            leaving: &[],
            upcoming: &[],
            disrupting: 0,
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
