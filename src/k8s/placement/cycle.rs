//! The filters for one pod in one scheduling cycle.
//!
//! Upstream: `pkg/scheduler/framework/runtime/framework.go`
//! (`RunFilterPluginsWithNominatedPods`) and the default filter plugins.

use crate::k8s::placement::cluster::{ClusterView, Compiled, KindId, Load, NodeId, PodId, PodView};
use crate::k8s::placement::inter_pod::InterPod;
use crate::k8s::placement::reason::{Filter, Reason, Refusal};
use crate::k8s::placement::spread::HardSpread;
use crate::k8s::placement::{fit, taints};

/// What the filters need to know of the cluster for one pod, counted once.
#[derive(Clone, Debug)]
pub struct Cycle<'a> {
    pub(super) cluster: &'a ClusterView,
    pub(super) pod: PodView,
    kind: &'a Compiled,
    spread: HardSpread,
    inter_pod: InterPod,
}

impl<'a> Cycle<'a> {
    /// Counts what the filters need. Cheap for pods without required terms in a
    /// cluster without anti-affinity.
    pub fn new(pod: &PodView, cluster: &'a ClusterView) -> Self {
        let kind = cluster.compiled(pod.kind);
        let spread = HardSpread::new(cluster, kind);
        let inter_pod = InterPod::new(cluster, pod.kind, kind);
        Self { cluster, pod: *pod, kind, spread, inter_pod }
    }

    /// Why the node won't do, `None` when it will. Room that is kept for others
    /// of equal or higher priority is taken; still, the pod must fit without
    /// them, too, since they may end up elsewhere.
    pub fn check(&mut self, node: NodeId) -> Option<Refusal> {
        self.check_with(node, None)
    }

    /// The same with the node's pods as `load` has them; none means as they are.
    pub(super) fn check_with(&mut self, node: NodeId, load: Option<&Load>) -> Option<Refusal> {
        let cluster = self.cluster;
        let bare = load.unwrap_or(&cluster.node(node).load);
        let guests = self.guests(node);
        if !guests.is_empty() {
            let mut crowded = bare.clone();
            for kind in &guests {
                crowded.add_pod(cluster.kind(*kind));
                self.shift(*kind, node, 1, 1);
            }
            let refusal = self.refusal(node, &crowded);
            for kind in &guests {
                self.shift(*kind, node, -1, -1);
            }
            if refusal.is_some() {
                return refusal;
            }
        }
        self.refusal(node, bare)
    }

    /// Kinds of the pods that room is kept for here, as far as they outrank the
    /// pod or are its equals.
    fn guests(&self, node: NodeId) -> Vec<KindId> {
        let rank = self.kind.kind.wishes.priority;
        let nominees = self.cluster.node(node).nominees.iter();
        let guest = |(id, kind): &(&PodId, &KindId)| {
            **id != self.pod.id && self.cluster.kind(**kind).wishes.priority >= rank
        };
        nominees.filter(guest).map(|(_, kind)| *kind).collect()
    }

    /// Why a node with this load won't do: the first filter that says no.
    fn refusal(&self, node: NodeId, load: &Load) -> Option<Refusal> {
        let pod = &self.kind.kind;
        let shape = &self.cluster.node(node).shape;
        if self.pod.only_node.is_some_and(|only| only != node) {
            return Some(Refusal::final_word(Filter::NodeAffinity, Reason::NotItsNode));
        }
        self.static_refusal(node)
            .or_else(|| fit::filter_ports(&pod.wishes.host_ports, load))
            .or_else(|| {
                let ignored = &self.cluster.profile.ignored;
                fit::filter(&pod.demand.requests, load, &shape.allocatable, shape.pod_slots, ignored)
            })
            .or_else(|| self.spread.filter(self.cluster, node))
            .or_else(|| self.inter_pod.filter(self.cluster, node))
    }

    /// What stands against a node whatever runs there: a cordon, its name, its
    /// taints, its labels.
    pub(super) fn static_refusal(&self, node: NodeId) -> Option<Refusal> {
        let shape = &self.cluster.node(node).shape;
        let wishes = &self.kind.kind.wishes;
        let refusal = taints::filter(&[], shape.unschedulable, &wishes.tolerations);
        if refusal.is_some() {
            return refusal;
        }
        if wishes.node_name.as_ref().is_some_and(|name| *name != shape.name) {
            return Some(Refusal::final_word(Filter::NodeName, Reason::OtherNodeName));
        }
        taints::filter(&shape.taints, false, &wishes.tolerations).or_else(|| {
            let allowed = wishes.allow_node(&shape.name, &shape.labels);
            (!allowed).then(|| Refusal::final_word(Filter::NodeAffinity, Reason::NodeAffinity))
        })
    }

    /// Takes account of pods that come to or leave a node in a what-if.
    pub(super) fn shift(&mut self, kind: KindId, node: NodeId, all: i64, live: i64) {
        self.spread.shift(self.cluster, kind, node, live);
        self.inter_pod.shift(self.cluster, self.pod.kind, kind, node, all);
    }
}
