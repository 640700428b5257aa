//! The filters for one pod in one scheduling cycle.
//!
//! Upstream: `pkg/scheduler/framework/runtime/framework.go`
//! (`RunFilterPluginsWithNominatedPods`) and the default filter plugins.

use crate::k8s::placement::cluster::{ClusterView, KindId, Load, NodeId, PodId, PodView};
use crate::k8s::placement::inter_pod::InterPod;
use crate::k8s::placement::interned::Compiled;
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
        Filter::ALL.iter().find_map(|filter| self.ask_with(*filter, node, load))
    }

    /// What one filter says to a node as it is.
    pub fn ask(&self, filter: Filter, node: NodeId) -> Option<Refusal> {
        self.ask_with(filter, node, &self.cluster.node(node).load)
    }

    fn ask_with(&self, filter: Filter, node: NodeId, load: &Load) -> Option<Refusal> {
        let shape = &self.cluster.node(node).shape;
        let pod = &self.kind.kind;
        let wishes = &pod.wishes;
        match filter {
            Filter::NodeUnschedulable => taints::filter_cordon(shape.unschedulable, &wishes.tolerations),
            Filter::NodeName => {
                let other = wishes.node_name.as_ref().is_some_and(|name| *name != shape.name);
                other.then(|| Refusal::final_word(filter, Reason::OtherNodeName))
            }
            Filter::TaintToleration => taints::filter(&shape.taints, &wishes.tolerations),
            Filter::NodeAffinity if self.pod.only_node.is_some_and(|only| only != node) => {
                Some(Refusal::final_word(filter, Reason::NotItsNode))
            }
            Filter::NodeAffinity => {
                let allowed = wishes.allow_node(&shape.name, &shape.labels);
                (!allowed).then(|| Refusal::final_word(filter, Reason::NodeAffinity))
            }
            Filter::NodePorts => fit::filter_ports(&wishes.host_ports, load),
            Filter::NodeResourcesFit => {
                let ignored = &self.cluster.profile.ignored;
                fit::filter(&pod.demand.requests, load, &shape.allocatable, shape.pod_slots, ignored)
            }
            Filter::PodTopologySpread => self.spread.filter(self.cluster, node),
            Filter::InterPodAffinity => self.inter_pod.filter(self.cluster, node),
        }
    }

    /// Takes account of pods that come to or leave a node in a what-if.
    pub(super) fn shift(&mut self, kind: KindId, node: NodeId, all: i64, live: i64) {
        self.spread.shift(self.cluster, kind, node, live);
        self.inter_pod.shift(self.cluster, self.pod.kind, kind, node, all);
    }
}
