//! Preemption: whom a pod that fits nowhere may push out, and where.
//!
//! Budgets are respected as far as possible, not guaranteed. Victims get their
//! grace period; the pod waits with the room kept for it.
//!
//! Upstream: `pkg/scheduler/framework/preemption/preemption.go`,
//! `plugins/defaultpreemption/default_preemption.go`,
//! `pkg/scheduler/util/utils.go` (whom it hurts more).

use std::cmp::Reverse;

use crate::k8s::labels::Selector;
use crate::k8s::placement::cluster::{BoundPod, ClusterView, NodeId, PodId, PodView};
use crate::k8s::placement::cycle::Cycle;
use crate::k8s::placement::schedule::Unschedulable;
use crate::units::SimTime;

/// Of the nodes where preemption may help, at least this share is tried.
const FEWEST_PERCENT: usize = 10;
/// And at least so many.
const FEWEST_CANDIDATES: usize = 100;

/// A PodDisruptionBudget as its status has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardedPods {
    /// Its namespace.
    pub namespace: String,
    /// Which pods it guards; none or an empty one guards nothing here.
    pub selector: Option<Selector>,
    /// How many may go.
    pub allowed: i64,
    /// Pods whose eviction it has already counted.
    pub disrupted: Vec<PodId>,
}

/// A node that would have room, and the price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victims {
    /// The node.
    pub node: NodeId,
    /// Who has to go, the most important first.
    pub pods: Vec<PodId>,
    /// How many of them a budget would have kept.
    pub budget_violations: u32,
}

/// What preemption came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// The victims are deleted and the pod is nominated to their node.
    Nominated {
        /// Whom and where.
        victims: Victims,
        /// Pods of lower priority that lose the room kept for them there.
        demoted: Vec<PodId>,
    },
    /// The pod's policy is never to preempt.
    PolicyNever,
    /// Pods that it pushed out earlier are still leaving.
    VictimsLeaving,
    /// No node's refusal has to do with the pods on it.
    NotHelpful,
    /// Nobody of lower priority whose leaving would help.
    NoVictims,
}

/// Decides whom to push out for a pod that was just refused by every node. The
/// search starts at the `offset`-th node (a random number).
pub fn preempt(
    pod: &PodView,
    cluster: &ClusterView,
    refused: &Unschedulable,
    budgets: &[GuardedPods],
    offset: usize,
) -> Preemption {
    let wishes = &cluster.kind(pod.kind).wishes;
    if !wishes.preempts {
        return Preemption::PolicyNever;
    }
    if victims_leaving(pod, cluster, refused) {
        return Preemption::VictimsLeaving;
    }
    let nodes: Vec<NodeId> = refused.resolvable().collect();
    if nodes.is_empty() {
        return Preemption::NotHelpful;
    }
    let found = candidates(pod, cluster, &nodes, budgets, offset);
    let Some(victims) = cheapest(&found, cluster).cloned() else { return Preemption::NoVictims };
    let nominees = &cluster.node(victims.node).nominees;
    let lower = nominees
        .iter()
        .filter(|(id, kind)| **id != pod.id && cluster.kind(**kind).wishes.priority < wishes.priority);
    let demoted = lower.map(|(id, _)| *id).collect();
    Preemption::Nominated { victims, demoted }
}

/// Whether the node that the pod waits for still has victims on their way out.
fn victims_leaving(pod: &PodView, cluster: &ClusterView, refused: &Unschedulable) -> bool {
    let Some(node) = pod.nominated else { return false };
    let Some((_, refusal)) = refused.refusals.iter().find(|(one, _)| *one == node) else { return false };
    let rank = cluster.kind(pod.kind).wishes.priority;
    let leaving = |id: &PodId| {
        cluster.pod(*id).is_some_and(|one| {
            one.terminating && one.preempted && cluster.kind(one.kind).wishes.priority < rank
        })
    };
    refusal.resolvable && cluster.node(node).pods.iter().any(leaving)
}

/// Tries the nodes one by one: whom would each take. Stops when enough are
/// found and one of them violates no budget; those come first.
pub fn candidates(
    pod: &PodView,
    cluster: &ClusterView,
    nodes: &[NodeId],
    budgets: &[GuardedPods],
    offset: usize,
) -> Vec<Victims> {
    let count = nodes.len();
    let enough = (count * FEWEST_PERCENT / 100).max(FEWEST_CANDIDATES).min(count);
    let mut cycle = Cycle::new(pod, cluster);
    let (mut clean, mut violating) = (Vec::new(), Vec::new());
    for at in 0..count {
        let node = nodes[(offset % count + at) % count];
        let Some(victims) = victims_on(&mut cycle, node, budgets) else { continue };
        if victims.budget_violations == 0 {
            clean.push(victims);
        } else {
            violating.push(victims);
        }
        if !clean.is_empty() && clean.len() + violating.len() >= enough {
            break;
        }
    }
    clean.append(&mut violating);
    clean
}

/// Whom a node would take: all of lower priority leave, and come back one by
/// one as far as the pod still fits. `None` when that isn't enough or there is
/// nobody.
fn victims_on(cycle: &mut Cycle, node: NodeId, budgets: &[GuardedPods]) -> Option<Victims> {
    let cluster = cycle.cluster;
    let rank = cluster.kind(cycle.pod.kind).wishes.priority;
    let mut lower: Vec<PodId> =
        cluster.node(node).pods.iter().copied().filter(|pod| priority(cluster, *pod) < rank).collect();
    if lower.is_empty() {
        return None;
    }
    lower.sort_by_key(|pod| importance(cluster, *pod));
    let mut load = cluster.node(node).load.clone();
    for pod in &lower {
        load.remove_pod(cluster.kind(bound(cluster, *pod).kind));
        shift(cycle, *pod, -1);
    }
    let mut victims = Victims { node, pods: Vec::new(), budget_violations: 0 };
    let enough = cycle.check_with(node, Some(&load)).is_none();
    if enough {
        let (guarded, free) = split_by_budget(cluster, &lower, budgets);
        for (at, pod) in guarded.iter().chain(&free).enumerate() {
            let kind = cluster.kind(bound(cluster, *pod).kind);
            load.add_pod(kind);
            shift(cycle, *pod, 1);
            if cycle.check_with(node, Some(&load)).is_some() {
                load.remove_pod(kind);
                shift(cycle, *pod, -1);
                victims.pods.push(*pod);
                victims.budget_violations += u32::from(at < guarded.len());
            }
        }
        victims.pods.sort_by_key(|pod| importance(cluster, *pod));
    }
    // Put back whoever is still out: the next node starts from how things are.
    let still_out = if enough { &victims.pods } else { &lower };
    for pod in still_out {
        shift(cycle, *pod, 1);
    }
    (enough && !victims.pods.is_empty()).then_some(victims)
}

/// Moves a bound pod off its node (-1) or back (1), in the cycle's counts.
fn shift(cycle: &mut Cycle, pod: PodId, change: i64) {
    let bound = *bound(cycle.cluster, pod);
    let live = if bound.terminating { 0 } else { change };
    cycle.shift(bound.kind, bound.node, change, live);
}

/// Splits pods, the most important first, by whether their going would overdraw
/// a budget.
fn split_by_budget(
    cluster: &ClusterView,
    pods: &[PodId],
    budgets: &[GuardedPods],
) -> (Vec<PodId>, Vec<PodId>) {
    let mut left: Vec<i64> = budgets.iter().map(|budget| budget.allowed).collect();
    pods.iter().partition(|pod| {
        let kind = cluster.kind(bound(cluster, **pod).kind);
        let mut overdrawn = false;
        for (budget, left) in budgets.iter().zip(&mut left) {
            let guards = budget.namespace == kind.namespace
                && !kind.labels.is_empty()
                && budget.selector.as_ref().is_some_and(|one| !one.is_empty() && one.matches(&kind.labels))
                && !budget.disrupted.contains(pod);
            if guards {
                *left -= 1;
                overdrawn |= *left < 0;
            }
        }
        overdrawn
    })
}

/// The candidate that hurts least: fewest budget violations, then the lowest
/// priority at the top, the smallest sum of priorities, the fewest victims, the
/// latest start of the oldest among its most important victims, then the first.
pub fn cheapest<'a>(candidates: &'a [Victims], cluster: &ClusterView) -> Option<&'a Victims> {
    candidates.iter().min_by_key(|one| {
        let priorities = || one.pods.iter().map(|pod| i64::from(priority(cluster, *pod)));
        let top = priorities().max().unwrap_or(i64::MIN);
        // Shifted so that more victims of negative priority don't sum up to less.
        let sum: i64 = priorities().map(|priority| priority + (1 << 31)).sum();
        let topmost = one.pods.iter().filter(|pod| i64::from(priority(cluster, **pod)) == top);
        let oldest = topmost.map(|pod| bound(cluster, *pod).start).min();
        (one.budget_violations, top, sum, one.pods.len(), Reverse(oldest))
    })
}

/// Sorts the more important first: higher priority, then the earlier start.
fn importance(cluster: &ClusterView, pod: PodId) -> (Reverse<i32>, SimTime, PodId) {
    (Reverse(priority(cluster, pod)), bound(cluster, pod).start, pod)
}

fn priority(cluster: &ClusterView, pod: PodId) -> i32 {
    cluster.kind(bound(cluster, pod).kind).wishes.priority
}

fn bound(cluster: &ClusterView, pod: PodId) -> &BoundPod {
    cluster.pod(pod).expect("a node's pods are bound")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::k8s::placement::cluster::HOSTNAME;
    use crate::k8s::placement::schedule::{Outcome, schedule};
    use crate::k8s::placement::testing::{bind, cluster, kind, pod, shape, term};

    fn refusal(pod: &PodView, cluster: &ClusterView) -> Unschedulable {
        match schedule(pod, cluster, 0, 0).outcome {
            Outcome::Unschedulable(why) => why,
            Outcome::Bound { node, .. } => panic!("it fits on {node}"),
        }
    }

    #[test]
    fn who_keeps_a_pod_away_may_be_pushed_out_too() {
        let mut cluster = cluster();
        let node = cluster.add_node(shape("a", "x", 1_000));
        let mut shy = kind("shy", 10, 0);
        shy.wishes.required_anti_affinity = vec![term("loud", HOSTNAME)];
        let shy = cluster.add_kind(shy);
        let loud = cluster.add_kind(kind("loud", 10, 5));
        bind(&mut cluster, 0, shy, node);
        let waiting = pod(1, loud);
        let answer = preempt(&waiting, &cluster, &refusal(&waiting, &cluster), &[], 0);
        let victims = Victims { node, pods: vec![0], budget_violations: 0 };
        assert_eq!(answer, Preemption::Nominated { victims, demoted: vec![] });
    }

    #[test]
    fn preemption_says_why_it_does_nothing() {
        let mut cluster = cluster();
        let node = cluster.add_node(shape("a", "x", 100));
        let low = cluster.add_kind(kind("low", 80, 0));
        bind(&mut cluster, 0, low, node);
        let mut modest = kind("modest", 80, 5);
        modest.wishes.preempts = false;
        let modest = cluster.add_kind(modest);
        let high = cluster.add_kind(kind("high", 80, 5));
        let huge = cluster.add_kind(kind("huge", 800, 5));
        let ask = |cluster: &ClusterView, waiting: PodView| {
            preempt(&waiting, cluster, &refusal(&waiting, cluster), &[], 0)
        };
        assert_eq!(ask(&cluster, pod(1, modest)), Preemption::PolicyNever);
        assert_eq!(ask(&cluster, pod(1, low)), Preemption::NoVictims);
        assert_eq!(ask(&cluster, pod(1, huge)), Preemption::NotHelpful);
        let mut waiting = pod(1, high);
        waiting.nominated = Some(node);
        cluster.nominate(&waiting, node);
        cluster.terminate_pod(0, true);
        assert_eq!(ask(&cluster, waiting), Preemption::VictimsLeaving);
    }

    proptest! {
        #[test]
        fn only_lower_priorities_go_and_then_the_pod_fits(
            bound in prop::collection::vec((1_u64..60, 0_i32..6, 0_usize..4), 1..30),
            ask in 20_u64..100,
            rank in 0_i32..7,
            offset in 0_usize..10,
        ) {
            let mut cluster = cluster();
            for name in ["a", "b", "c", "d"] {
                cluster.add_node(shape(name, "x", 100));
            }
            for (id, (size, priority, node)) in bound.iter().enumerate() {
                let one = cluster.add_kind(kind("low", *size, *priority));
                let waiting = PodView { only_node: Some(*node), ..pod(id, one) };
                if let Outcome::Bound { node, .. } = schedule(&waiting, &cluster, 0, 0).outcome {
                    bind(&mut cluster, id, one, node);
                }
            }
            let high = cluster.add_kind(kind("high", ask, rank));
            let waiting = pod(1_000, high);
            let Outcome::Unschedulable(why) = schedule(&waiting, &cluster, 0, 0).outcome else {
                return Ok(());
            };
            if let Preemption::Nominated { victims, .. } = preempt(&waiting, &cluster, &why, &[], offset) {
                prop_assert!(!victims.pods.is_empty());
                for victim in &victims.pods {
                    prop_assert!(priority(&cluster, *victim) < rank);
                }
                // Each of them is needed: all but one aren't enough.
                for kept in &victims.pods {
                    let mut without = cluster.clone();
                    victims.pods.iter().filter(|one| *one != kept).for_each(|one| without.remove_pod(*one));
                    prop_assert!(Cycle::new(&waiting, &without).check(victims.node).is_some());
                }
                victims.pods.iter().for_each(|one| cluster.remove_pod(*one));
                prop_assert!(Cycle::new(&waiting, &cluster).check(victims.node).is_none());
            }
        }
    }
}
