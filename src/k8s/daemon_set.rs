//! DaemonSets: on which nodes they want a pod, and which taints their pods bear.
//!
//! Upstream: `NodeShouldRunDaemonPod` in `pkg/controller/daemon/daemon_controller.go`,
//! `AddOrUpdateDaemonPodTolerations` in `pkg/controller/daemon/util/daemonset_util.go`.

use crate::k8s::eviction::MEMORY_PRESSURE;
use crate::k8s::node_lifecycle::{NOT_READY, UNREACHABLE};
use crate::k8s::placement::taints::{CORDON, keeps_away};
use crate::k8s::placement::{NodeShape, TaintEffect, Toleration, Wishes};

/// Whether a DaemonSet wants a pod on a node. Where it doesn't it makes none, so that
/// nobody waits; room on the node is left to the scheduler.
pub fn should_run(wishes: &Wishes, node: &NodeShape) -> bool {
    wishes.node_name.as_ref().is_none_or(|name| *name == node.name)
        && wishes.allow_node(&node.name, &node.labels)
        && keeps_away(&node.taints, &wishes.tolerations).is_none()
}

/// What the controller adds to the tolerations of its pods.
pub fn tolerations() -> impl Iterator<Item = Toleration> {
    let bears = |(key, effect): (&str, TaintEffect)| Toleration {
        key: key.to_owned(),
        exists: true,
        value: String::new(),
        effect: Some(effect),
        seconds: None,
    };
    let taints = [
        (NOT_READY, TaintEffect::NoExecute),
        (UNREACHABLE, TaintEffect::NoExecute),
        ("node.kubernetes.io/disk-pressure", TaintEffect::NoSchedule),
        (MEMORY_PRESSURE, TaintEffect::NoSchedule),
        ("node.kubernetes.io/pid-pressure", TaintEffect::NoSchedule),
        (CORDON, TaintEffect::NoSchedule),
    ];
    taints.into_iter().map(bears)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::labels::{Labels, Operator, Requirement};
    use crate::k8s::placement::{NodeTerm, Taint};

    #[test]
    fn a_daemon_wants_the_nodes_that_its_pods_may_be_on() {
        let taint = |key: &str, effect| Taint { key: key.to_owned(), value: String::new(), effect };
        let disk = |operator| NodeTerm {
            labels: vec![Requirement { key: "disk".into(), operator, values: vec!["ssd".into()] }],
            fields: vec![],
        };
        let added: Vec<Toleration> = tolerations().collect();
        let plain = Wishes { tolerations: added, ..Wishes::default() };
        let far = Wishes { required_nodes: Some(vec![disk(Operator::NotIn)]), ..plain.clone() };
        let near = Wishes { required_nodes: Some(vec![disk(Operator::In)]), ..plain.clone() };
        let other = Wishes { node_name: Some("other".into()), ..plain.clone() };
        let (no_schedule, no_execute) = (TaintEffect::NoSchedule, TaintEffect::NoExecute);
        let rows = [
            (&plain, vec![], true),
            (&near, vec![], true),
            (&far, vec![], false),
            (&other, vec![], false),
            (&plain, vec![taint("gpu", no_schedule)], false),
            (&plain, vec![taint("gpu", TaintEffect::PreferNoSchedule)], true),
            (&plain, vec![taint(MEMORY_PRESSURE, no_schedule)], true),
            (&plain, vec![taint(UNREACHABLE, no_execute)], true),
            (&plain, vec![taint(UNREACHABLE, no_schedule)], false),
        ];
        for (wishes, taints, expected) in rows {
            let labels = Labels::from([("disk".to_owned(), "ssd".to_owned())]);
            let node = NodeShape { name: "one".into(), labels, taints, ..NodeShape::default() };
            assert_eq!(should_run(wishes, &node), expected, "{wishes:?} on {:?}", node.taints);
        }
    }
}
