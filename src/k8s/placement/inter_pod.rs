//! Pod affinity and anti-affinity: near whom a pod must or likes to be, and who
//! minds it.
//!
//! Upstream: `pkg/scheduler/framework/plugins/interpodaffinity`
//! (`filtering.go`, `scoring.go`).

use std::collections::BTreeMap;

use crate::k8s::labels::Labels;
use crate::k8s::placement::PodTerm;
use crate::k8s::placement::cluster::{ClusterView, KindId, NodeId};
use crate::k8s::placement::interned::{Compiled, Term};
use crate::k8s::placement::objects::MAX_SCORE;
use crate::k8s::placement::reason::{Filter, Reason, Refusal};

impl PodTerm {
    /// Whether a term of a pod in namespace `own` means pods of namespace
    /// `other`, given the labels of namespaces.
    pub fn covers(&self, own: &str, other: &str, namespaces: &BTreeMap<String, Labels>) -> bool {
        match &self.namespace_selector {
            None if self.namespaces.is_empty() => own == other,
            selector => {
                self.namespaces.iter().any(|one| one == other)
                    || selector.as_ref().is_some_and(|selector| {
                        selector.is_empty()
                            || namespaces.get(other).is_some_and(|labels| selector.matches(labels))
                    })
            }
        }
    }
}

/// A number for each domain of one topology.
#[derive(Clone, Debug)]
struct Tally {
    topology: usize,
    by_domain: Vec<i64>,
}

impl Tally {
    fn new(cluster: &ClusterView, topology: usize) -> Self {
        Self { topology, by_domain: vec![0; cluster.topology(topology).domains()] }
    }

    fn add(&mut self, cluster: &ClusterView, node: NodeId, change: i64) {
        if let Some(domain) = cluster.topology(self.topology).domain(node) {
            self.by_domain[domain] += change;
        }
    }

    fn at(&self, cluster: &ClusterView, node: NodeId) -> Option<i64> {
        cluster.topology(self.topology).domain(node).map(|domain| self.by_domain[domain])
    }
}

/// What the required terms need to know, for one scheduling cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct InterPod {
    /// Pods that satisfy all the pod's affinity terms, term by term.
    wanted: Vec<Tally>,
    /// Whether the pod satisfies its own affinity terms, so that the first of a
    /// group may start anywhere.
    likes_itself: bool,
    /// Pods that the pod keeps away from, term by term.
    unwanted: Vec<Tally>,
    /// Pods that keep away from the pod, a tally per topology.
    minding: Vec<Tally>,
}

impl InterPod {
    /// Counts what the required terms of the pod and of others need.
    pub(super) fn new(cluster: &ClusterView, id: KindId, kind: &Compiled) -> Self {
        let tally = |term: &Term| Tally::new(cluster, term.topology);
        let mut wanted: Vec<Tally> = kind.required_affinity.iter().map(tally).collect();
        for (node, count) in cluster.meant_by_all(&kind.required_affinity) {
            for tally in &mut wanted {
                tally.add(cluster, node, i64::from(count.all));
            }
        }
        let mut unwanted: Vec<Tally> = kind.required_anti.iter().map(tally).collect();
        for (term, tally) in kind.required_anti.iter().zip(&mut unwanted) {
            for (node, count) in cluster.meant(term.matcher) {
                tally.add(cluster, node, i64::from(count.all));
            }
        }
        let likes_itself = kind.required_affinity.iter().all(|term| cluster.means(term.matcher, id));
        let mut whole = Self { wanted, likes_itself, unwanted, minding: Vec::new() };
        for other in cluster.repelling() {
            for term in other.required_anti.iter().filter(|term| cluster.means(term.matcher, id)) {
                let tally = tally_of(&mut whole.minding, cluster, term.topology);
                for (node, count) in &other.placed {
                    tally.add(cluster, *node, i64::from(count.all));
                }
            }
        }
        whole
    }

    /// Takes account of `change` more (or fewer) pods of kind `other` on a node.
    pub(super) fn shift(
        &mut self,
        cluster: &ClusterView,
        id: KindId,
        other: KindId,
        node: NodeId,
        change: i64,
    ) {
        let (kind, moved) = (cluster.compiled(id), cluster.compiled(other));
        let wants = |term: &Term| cluster.means(term.matcher, other);
        if !kind.required_affinity.is_empty() && kind.required_affinity.iter().all(wants) {
            for tally in &mut self.wanted {
                tally.add(cluster, node, change);
            }
        }
        for (term, tally) in kind.required_anti.iter().zip(&mut self.unwanted) {
            if wants(term) {
                tally.add(cluster, node, change);
            }
        }
        for term in moved.required_anti.iter().filter(|term| cluster.means(term.matcher, id)) {
            tally_of(&mut self.minding, cluster, term.topology).add(cluster, node, change);
        }
    }

    /// What the required terms say to a node.
    pub(super) fn filter(&self, cluster: &ClusterView, node: NodeId) -> Option<Refusal> {
        if !self.is_near_enough(cluster, node) {
            return Some(Refusal::final_word(Filter::InterPodAffinity, Reason::PodAffinity));
        }
        let meets = |tallies: &[Tally]| tallies.iter().any(|one| one.at(cluster, node) > Some(0));
        if meets(&self.unwanted) {
            return Some(Refusal::resolvable(Filter::InterPodAffinity, Reason::PodAntiAffinity));
        }
        meets(&self.minding)
            .then(|| Refusal::resolvable(Filter::InterPodAffinity, Reason::ExistingAntiAffinity))
    }

    fn is_near_enough(&self, cluster: &ClusterView, node: NodeId) -> bool {
        let near: Vec<Option<i64>> = self.wanted.iter().map(|one| one.at(cluster, node)).collect();
        if near.contains(&None) {
            return false;
        }
        let nobody_anywhere = || self.wanted.iter().all(|one| one.by_domain.iter().all(|count| *count <= 0));
        near.iter().all(|count| *count > Some(0)) || (self.likes_itself && nobody_anywhere())
    }
}

/// The tally of one topology, made when it isn't there yet.
fn tally_of<'a>(tallies: &'a mut Vec<Tally>, cluster: &ClusterView, topology: usize) -> &'a mut Tally {
    let at = tallies.iter().position(|one| one.topology == topology).unwrap_or_else(|| {
        tallies.push(Tally::new(cluster, topology));
        tallies.len() - 1
    });
    &mut tallies[at]
}

/// Raw scores by preferred terms: the pod's own, and those of bound pods that
/// mean it (their required affinity counts with the profile's weight). `None`
/// when nobody has a say.
pub(super) fn score(cluster: &ClusterView, id: KindId, feasible: &[NodeId]) -> Option<Vec<i64>> {
    let mut tallies = Vec::new();
    for (weight, term) in &cluster.compiled(id).preferred {
        let tally = tally_of(&mut tallies, cluster, term.topology);
        for (node, count) in cluster.meant(term.matcher) {
            tally.add(cluster, node, weight * i64::from(count.all));
        }
    }
    let hard_weight = cluster.profile.hard_pod_affinity_weight;
    for other in cluster.drawn() {
        let required = other.required_affinity.iter().map(|term| (hard_weight, term));
        let preferred = other.preferred.iter().map(|(weight, term)| (*weight, term));
        for (weight, term) in required.chain(preferred).filter(|(_, term)| cluster.means(term.matcher, id)) {
            let tally = tally_of(&mut tallies, cluster, term.topology);
            for (node, count) in &other.placed {
                tally.add(cluster, *node, weight * i64::from(count.all));
            }
        }
    }
    let sum = |node: &NodeId| tallies.iter().filter_map(|one| one.at(cluster, *node)).sum();
    (!tallies.is_empty()).then(|| feasible.iter().map(sum).collect())
}

/// Stretches raw scores over 0 to 100; all 0 when they are equal. The division
/// comes first, in floating point, as upstream has it.
pub(super) fn normalize(raw: &[i64]) -> Vec<i64> {
    let least = raw.iter().min().copied().unwrap_or(0);
    let range = raw.iter().max().copied().unwrap_or(0) - least;
    let stretch = |score: &i64| {
        if range == 0 {
            return 0;
        }
        (MAX_SCORE as f64 * ((score - least) as f64 / range as f64)) as i64
    };
    raw.iter().map(stretch).collect()
}
