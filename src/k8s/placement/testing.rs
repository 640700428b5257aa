//! Small clusters for the tests of this room and of the node autoscalers.

use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::cluster::{HOSTNAME, ZONE};
use crate::k8s::placement::{
    Amounts, BoundPod, ClusterView, Demand, KindId, NodeId, NodeShape, PodId, PodKind, PodTerm, PodView,
    Profile,
};
use crate::units::{Bytes, MilliCpu, SimTime};

/// A cluster with namespaces without labels.
pub(crate) fn cluster() -> ClusterView {
    ClusterView::new(Profile::default(), [("default".to_owned(), Labels::new())].into())
}

/// A node with that much CPU (and as many MiB), ten slots, in a zone.
pub(crate) fn shape(name: &str, zone: &str, cpu: u64) -> NodeShape {
    NodeShape {
        name: name.to_owned(),
        labels: labels(&[(HOSTNAME, name), (ZONE, zone)]),
        allocatable: amounts(cpu),
        pod_slots: 10,
        ..NodeShape::default()
    }
}

/// CPU in milli-cores and as many MiB of memory.
pub(crate) fn amounts(cpu: u64) -> Amounts {
    Amounts { cpu: MilliCpu(cpu), memory: Bytes::from_mib(cpu), ..Amounts::default() }
}

/// A kind that asks for that much CPU (and as many MiB), labelled `app: name`.
pub(crate) fn kind(app: &str, cpu: u64, priority: i32) -> PodKind {
    let requests = amounts(cpu);
    let demand = Demand { scoring_cpu: requests.cpu, scoring_memory: requests.memory, requests };
    let mut kind = PodKind {
        namespace: "default".to_owned(),
        labels: labels(&[("app", app)]),
        demand,
        ..PodKind::default()
    };
    kind.wishes.priority = priority;
    kind.wishes.preempts = true;
    kind
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Whom pods labelled `app: name` select.
pub(crate) fn app(name: &str) -> Selector {
    Selector::of(labels(&[("app", name)]))
}

/// A term that means pods of an app, near by a node label.
pub(crate) fn term(name: &str, topology_key: &str) -> PodTerm {
    PodTerm {
        selector: Some(app(name)),
        namespaces: Vec::new(),
        namespace_selector: None,
        topology_key: topology_key.to_owned(),
    }
}

/// A waiting pod.
pub(crate) fn pod(id: PodId, kind: KindId) -> PodView {
    PodView { id, kind, only_node: None, nominated: None }
}

/// Binds a pod that started at second `id`.
pub(crate) fn bind(cluster: &mut ClusterView, id: PodId, kind: KindId, node: NodeId) {
    let start = SimTime::from_secs(id as u64);
    cluster.add_pod(id, BoundPod { kind, node, start, terminating: false, preempted: false });
}
