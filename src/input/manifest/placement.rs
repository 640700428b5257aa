//! What a pod spec says about where it wants to run.

use k8s_openapi::api::core::v1::{
    NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, PodSpec, Toleration as ApiToleration,
    TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::Reading;
use super::cluster::Surroundings;
use super::object::Object;
use crate::input::problem::Problem;
use crate::k8s::labels::{Operator, Requirement, Selector};
use crate::k8s::placement::{NodeTerm, PodTerm, SpreadConstraint, TaintEffect, Toleration, Wishes};

/// The operators of label selectors; node selectors know two more.
const OPERATORS: [(&str, Operator); 6] = [
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
    ("Gt", Operator::Gt),
    ("Lt", Operator::Lt),
];

/// The effects of taints.
pub(super) const EFFECTS: [(&str, TaintEffect); 3] = [
    ("NoSchedule", TaintEffect::NoSchedule),
    ("PreferNoSchedule", TaintEffect::PreferNoSchedule),
    ("NoExecute", TaintEffect::NoExecute),
];

/// Everything of a pod spec at `path` that the scheduler looks at.
pub(super) fn wishes(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    spec: &PodSpec,
    around: &Surroundings,
) -> Wishes {
    let (priority, preempts) = around.priority(reading, object, path, spec);
    let mut wishes = Wishes {
        node_name: spec.node_name.clone().filter(|name| !name.is_empty()),
        node_selector: spec.node_selector.clone().unwrap_or_default(),
        tolerations: tolerations(reading, object, path, spec.tolerations.as_deref().unwrap_or_default()),
        spread: spread(
            reading,
            object,
            path,
            spec.topology_spread_constraints.as_deref().unwrap_or_default(),
        ),
        priority,
        preempts,
        host_ports: host_ports(spec),
        ..Wishes::default()
    };
    let Some(affinity) = &spec.affinity else { return wishes };
    let path = format!("{path}.affinity");
    if let Some(node) = &affinity.node_affinity {
        let base = format!("{path}.nodeAffinity");
        let required = node.required_during_scheduling_ignored_during_execution.as_ref();
        wishes.required_nodes = required.map(|required| {
            let path = format!("{base}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
            let terms = required.node_selector_terms.iter().enumerate();
            terms.map(|(index, term)| node_term(reading, object, &format!("{path}[{index}]"), term)).collect()
        });
        let preferred = node.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        for (index, term) in preferred.enumerate() {
            let path = format!("{base}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference");
            let read = node_term(reading, object, &path, &term.preference);
            wishes.preferred_nodes.push((term.weight, read));
        }
    }
    if let Some(near) = &affinity.pod_affinity {
        let base = format!("{path}.podAffinity");
        let required = near.required_during_scheduling_ignored_during_execution.as_deref();
        wishes.required_affinity = required_terms(reading, object, &base, required.unwrap_or_default());
        let preferred = near.preferred_during_scheduling_ignored_during_execution.as_deref();
        wishes.preferred_affinity = preferred_terms(reading, object, &base, preferred.unwrap_or_default());
    }
    if let Some(far) = &affinity.pod_anti_affinity {
        let base = format!("{path}.podAntiAffinity");
        let required = far.required_during_scheduling_ignored_during_execution.as_deref();
        wishes.required_anti_affinity = required_terms(reading, object, &base, required.unwrap_or_default());
        let preferred = far.preferred_during_scheduling_ignored_during_execution.as_deref();
        wishes.preferred_anti_affinity =
            preferred_terms(reading, object, &base, preferred.unwrap_or_default());
    }
    wishes
}

/// Ports on the node itself, of all that run as long as the pod; with the node's
/// network that is every port.
fn host_ports(spec: &PodSpec) -> Vec<u16> {
    let host_network = spec.host_network.unwrap_or(false);
    let init = spec.init_containers.iter().flatten();
    let sidecars = init.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let taken = ports.filter_map(|port| match port.host_port {
        Some(port) if port > 0 => Some(port),
        _ => host_network.then_some(port.container_port),
    });
    taken.filter_map(|port| u16::try_from(port).ok()).collect()
}

fn node_term(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    term: &NodeSelectorTerm,
) -> NodeTerm {
    let mut read = |field: &str, all: &Option<Vec<NodeSelectorRequirement>>| {
        let each = all.iter().flatten().enumerate().filter_map(|(index, one)| {
            let path = format!("{path}.{field}[{index}].operator");
            let operator = reading.choice(object, &path, &one.operator, &OPERATORS)?;
            Some(Requirement {
                key: one.key.clone(),
                operator,
                values: one.values.clone().unwrap_or_default(),
            })
        });
        each.collect()
    };
    NodeTerm {
        labels: read("matchExpressions", &term.match_expressions),
        fields: read("matchFields", &term.match_fields),
    }
}

/// A label selector; `None` where an operator is none.
pub(super) fn selector(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &LabelSelector,
) -> Option<Selector> {
    let mut selector = Selector::of(written.match_labels.clone().unwrap_or_default());
    for (index, one) in written.match_expressions.iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{index}].operator");
        let operator = reading.choice(object, &path, &one.operator, &OPERATORS[..4])?;
        let values = one.values.clone().unwrap_or_default();
        selector.expressions.push(Requirement { key: one.key.clone(), operator, values });
    }
    Some(selector)
}

fn required_terms(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    terms: &[PodAffinityTerm],
) -> Vec<PodTerm> {
    let path = format!("{path}.requiredDuringSchedulingIgnoredDuringExecution");
    let each = terms.iter().enumerate();
    each.map(|(index, term)| pod_term(reading, object, &format!("{path}[{index}]"), term)).collect()
}

fn preferred_terms(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    terms: &[WeightedPodAffinityTerm],
) -> Vec<(i32, PodTerm)> {
    let path = format!("{path}.preferredDuringSchedulingIgnoredDuringExecution");
    let each = terms.iter().enumerate();
    each.map(|(index, term)| {
        let path = format!("{path}[{index}].podAffinityTerm");
        (term.weight, pod_term(reading, object, &path, &term.pod_affinity_term))
    })
    .collect()
}

fn pod_term(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, term: &PodAffinityTerm) -> PodTerm {
    if term.topology_key.is_empty() {
        reading.field(object, &format!("{path}.topologyKey"), Problem::error("must not be empty"));
    }
    let mut read = |field: &str, written: &Option<LabelSelector>| {
        let path = format!("{path}.{field}");
        written.as_ref().and_then(|written| selector(reading, object, &path, written))
    };
    PodTerm {
        selector: read("labelSelector", &term.label_selector),
        namespaces: term.namespaces.clone().unwrap_or_default(),
        namespace_selector: read("namespaceSelector", &term.namespace_selector),
        topology_key: term.topology_key.clone(),
    }
}

fn tolerations(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &[ApiToleration],
) -> Vec<Toleration> {
    let mut all = Vec::new();
    for (index, one) in written.iter().enumerate() {
        let path = format!("{path}.tolerations[{index}]");
        let operator = one.operator.as_deref().filter(|text| !text.is_empty()).unwrap_or("Equal");
        let choices = [("Equal", false), ("Exists", true)];
        let exists = reading.choice(object, &format!("{path}.operator"), operator, &choices);
        let effect = one.effect.as_deref().filter(|text| !text.is_empty());
        let path = format!("{path}.effect");
        let effect = effect.map(|effect| reading.choice(object, &path, effect, &EFFECTS));
        let (Some(exists), Some(effect)) = (exists, effect.map_or(Some(None), |known| known.map(Some)))
        else {
            continue;
        };
        all.push(Toleration {
            key: one.key.clone().unwrap_or_default(),
            exists,
            value: one.value.clone().unwrap_or_default(),
            effect,
            seconds: one.toleration_seconds,
        });
    }
    all
}

fn spread(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &[TopologySpreadConstraint],
) -> Vec<SpreadConstraint> {
    let mut all = Vec::new();
    for (index, one) in written.iter().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{index}]");
        if one.match_label_keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
            let note = Problem::note("is not simulated: pods of all revisions count");
            reading.field(object, &format!("{path}.matchLabelKeys"), note);
        }
        if one.max_skew <= 0 {
            reading.field(object, &format!("{path}.maxSkew"), Problem::error("must be above 0"));
        }
        let choices = [("DoNotSchedule", true), ("ScheduleAnyway", false)];
        let required =
            reading.choice(object, &format!("{path}.whenUnsatisfiable"), &one.when_unsatisfiable, &choices);
        let mut policy = |field: &str, value: &Option<String>, default: &str| {
            let choices = [("Honor", true), ("Ignore", false)];
            let value = value.as_deref().unwrap_or(default);
            reading.choice(object, &format!("{path}.{field}"), value, &choices)
        };
        let affinity = policy("nodeAffinityPolicy", &one.node_affinity_policy, "Honor");
        let taints = policy("nodeTaintsPolicy", &one.node_taints_policy, "Ignore");
        let pods = one.label_selector.as_ref();
        all.push(SpreadConstraint {
            max_skew: one.max_skew.max(1),
            topology_key: one.topology_key.clone(),
            required: required.unwrap_or(true),
            selector: pods.and_then(|pods| selector(reading, object, &format!("{path}.labelSelector"), pods)),
            min_domains: one.min_domains,
            ignore_node_affinity: !affinity.unwrap_or(true),
            honor_taints: taints.unwrap_or(false),
        });
    }
    all
}
