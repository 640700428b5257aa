//! Trying things out on a copy of the cluster: would these pods find room?

use crate::k8s::daemon_set::should_run;
use crate::k8s::placement::cluster::HOSTNAME;
use crate::k8s::placement::{BoundPod, ClusterView, Cycle, KindId, NodeId, NodeShape, PodView};
use crate::units::SimTime;

/// Binds the pod to the first of the nodes where it fits.
pub(super) fn place(cluster: &mut ClusterView, pod: &PodView, nodes: &[NodeId]) -> Option<NodeId> {
    let mut cycle = Cycle::new(pod, cluster);
    let node = nodes.iter().copied().find(|node| cycle.check(*node).is_none())?;
    bind(cluster, pod, node);
    Some(node)
}

/// Binds the pod to the node.
pub(super) fn bind(cluster: &mut ClusterView, pod: &PodView, node: NodeId) {
    let bound =
        BoundPod { kind: pod.kind, node, start: SimTime::NEVER, terminating: false, preempted: false };
    cluster.add_pod(pod.id, bound);
}

/// Adds a new node of a shape, with the pods of those DaemonSets that want one there.
/// Its name is its own, and so is its hostname label.
pub(super) fn add_node(cluster: &mut ClusterView, template: &NodeShape, daemons: &[KindId]) -> NodeId {
    let mut shape = template.clone();
    shape.name = format!("{}-new-{}", template.name, cluster.node_ids().len());
    shape.labels.insert(HOSTNAME.to_owned(), shape.name.clone());
    let runs = |kind: &&KindId| should_run(&cluster.kind(**kind).wishes, &shape);
    let daemons: Vec<KindId> = daemons.iter().filter(runs).copied().collect();
    let node = cluster.add_node(shape);
    for kind in &daemons {
        let pod = stand_in(cluster, *kind);
        bind(cluster, &pod, node);
    }
    node
}

/// A pod with an id that no other pod has.
fn stand_in(cluster: &ClusterView, kind: KindId) -> PodView {
    let mut id = usize::MAX;
    while cluster.pod(id).is_some() {
        id -= 1;
    }
    PodView { id, kind, only_node: None, nominated: None }
}
