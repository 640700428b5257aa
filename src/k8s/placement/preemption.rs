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
            clean.push(victims)
        } else {
            violating.push(victims)
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
