//! Budgets, Nodes and quotas, and what other objects change about pods:
//! PriorityClasses, LimitRanges, claims, owners.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    LimitRangeItem, LimitRangeSpec, NodeSpec, NodeStatus, PersistentVolumeClaimSpec, PodSpec,
    ResourceQuotaSpec,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::object::{Class, Manifest, Metadata, Object};
use super::set::{ManifestNode, ManifestQuota};
use super::{Reading, placement, pod, resources, workload};
use crate::input::problem::Problem;
use crate::k8s::disruption::{Budget, UnhealthyPodEviction};
use crate::k8s::labels::Selector;
use crate::k8s::placement::Taint;
use crate::scenario::DisruptionBudget;
use crate::source::Node;

/// What other objects change about pods.
#[derive(Default)]
pub(super) struct Surroundings {
    /// Value and whether it preempts, by the class' name.
    classes: BTreeMap<String, (i32, bool)>,
    /// The class of pods that name none.
    default_class: Option<(i32, bool)>,
    /// Container items of the LimitRanges, by namespace.
    ranges: BTreeMap<String, Vec<LimitRangeItem>>,
    /// Claims that only one node can mount, by namespace and name.
    one_node_claims: BTreeSet<(String, String)>,
    /// `data` of the ConfigMaps, by namespace and name.
    settings: BTreeMap<(String, String), BTreeMap<String, String>>,
    /// Every object whose controller is simulated: kind, namespace, name.
    present: BTreeSet<(String, String, String)>,
}

impl Surroundings {
    /// Whether the input holds the object that controls this one: a dump lists
    /// a Deployment's pods as well, and they must not count twice. What a custom
    /// resource's operator made counts itself, as nothing is made of the resource.
    pub(super) fn owns(&self, object: &Object<'_>) -> bool {
        let here = |kind: &str, name: &str| {
            self.present.contains(&(kind.to_owned(), object.namespace.clone(), name.to_owned()))
        };
        object.owners().any(|(kind, name)| {
            here(kind, name) || maker(object, kind, name).is_some_and(|(kind, name)| here(kind, name))
        })
    }

    /// The container items of a namespace's LimitRanges.
    pub(super) fn limit_ranges(&self, namespace: &str) -> &[LimitRangeItem] {
        self.ranges.get(namespace).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a claim can be mounted by one node only.
    pub(super) fn claim_holds_node(&self, namespace: &str, name: &str) -> bool {
        self.one_node_claims.contains(&(namespace.to_owned(), name.to_owned()))
    }

    /// The `data` of a ConfigMap; empty where it isn't in the input.
    pub(super) fn settings(&self, namespace: &str, name: &str) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        self.settings.get(&(namespace.to_owned(), name.to_owned())).unwrap_or(NONE)
    }

    /// One value of a ConfigMap.
    pub(super) fn setting(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        self.settings(namespace, name).get(key).cloned()
    }

    /// A pod's priority and whether it preempts. Upstream:
    /// `plugin/pkg/admission/priority/admission.go`.
    pub(super) fn priority(
        &self,
        reading: &mut Reading<'_>,
        object: &Object<'_>,
        path: &str,
        spec: &PodSpec,
    ) -> (i32, bool) {
        let class = spec.priority_class_name.as_deref().filter(|name| !name.is_empty());
        let found = match class {
            None => self.default_class,
            Some("system-cluster-critical") => Some((2_000_000_000, true)),
            Some("system-node-critical") => Some((2_000_001_000, true)),
            Some(name) => {
                let found = self.classes.get(name).copied();
                if found.is_none() && spec.priority.is_none() {
                    let problem =
                        Problem::warning(format!("there is no PriorityClass `{name}` in what was given"));
                    let help = "taken as priority 0; give the class too";
                    reading.field(object, &format!("{path}.priorityClassName"), problem.help(help));
                }
                found
            }
        };
        let (value, preempts) = found.unwrap_or((0, true));
        let preempts = spec.preemption_policy.as_deref().map_or(preempts, |policy| policy != "Never");
        (spec.priority.unwrap_or(value), preempts)
    }
}

/// Who made an owner that isn't in the input itself, by the names that controllers
/// give: a ReplicaSet is called after its Deployment and the hash that its pods are
/// labelled with, a CronJob's Job after the minute for which it was made.
fn maker<'n>(object: &Object<'_>, kind: &str, name: &'n str) -> Option<(&'static str, &'n str)> {
    let (maker, suffix) = name.rsplit_once('-')?;
    match kind {
        "ReplicaSet" => {
            let hash = object.node.at("metadata.labels.pod-template-hash").and_then(Node::as_str);
            (hash == Some(suffix)).then_some(("Deployment", maker))
        }
        "Job" => suffix.bytes().all(|byte| byte.is_ascii_digit()).then_some(("CronJob", maker)),
        _ => None,
    }
}

/// Reads what the pods of all other objects depend on.
pub(super) fn surroundings(reading: &mut Reading<'_>, objects: &[&Object<'_>]) -> Surroundings {
    let mut around = Surroundings::default();
    for object in objects {
        if object.class != Class::Other {
            around.present.insert((object.kind.clone(), object.namespace.clone(), object.name.clone()));
        }
        match object.class {
            Class::PriorityClass => priority_class(reading, object, &mut around),
            Class::LimitRange => limit_range(reading, object, &mut around),
            Class::Claim => claim(reading, object, &mut around),
            Class::Other if object.kind == "ConfigMap" => settings(object, &mut around),
            _ => {}
        }
    }
    around
}

/// A PriorityClass, which has no `spec`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct PriorityClass {
    api_version: IgnoredAny,
    kind: IgnoredAny,
    #[serde(default)]
    metadata: Metadata,
    value: i32,
    global_default: Option<bool>,
    preemption_policy: Option<String>,
    description: Option<IgnoredAny>,
}

fn priority_class(reading: &mut Reading<'_>, object: &Object<'_>, around: &mut Surroundings) {
    let Some(class) = object.decode::<PriorityClass>(&mut reading.problems) else { return };
    let policy = class.preemption_policy.as_deref().unwrap_or("PreemptLowerPriority");
    let choices = [("PreemptLowerPriority", true), ("Never", false)];
    let preempts = reading.choice(object, "preemptionPolicy", policy, &choices).unwrap_or(true);
    if class.value > 1_000_000_000 && !object.name.starts_with("system-") {
        reading.field(object, "value", Problem::error("must not be above 1000000000"));
    }
    around.classes.insert(object.name.clone(), (class.value, preempts));
    // Of several defaults the lowest holds.
    if class.global_default == Some(true) && around.default_class.is_none_or(|(value, _)| class.value < value)
    {
        around.default_class = Some((class.value, preempts));
    }
}

fn limit_range(reading: &mut Reading<'_>, object: &Object<'_>, around: &mut Surroundings) {
    let Some(manifest) = object.decode::<Manifest<LimitRangeSpec>>(&mut reading.problems) else { return };
    for (index, item) in manifest.spec.unwrap_or_default().limits.into_iter().enumerate() {
        let path = format!("spec.limits[{index}]");
        let fields = [
            ("default", &item.default),
            ("defaultRequest", &item.default_request),
            ("max", &item.max),
            ("min", &item.min),
        ];
        for (field, amounts) in fields {
            let amounts = amounts.clone().unwrap_or_default();
            resources::amounts(reading, object, &format!("{path}.{field}"), &amounts);
        }
        // Types of custom resources have a domain, as `openshift.io/Image`.
        if item.type_.contains('/') {
            continue;
        }
        let choices = [("Container", true), ("Pod", false), ("PersistentVolumeClaim", false)];
        if reading.choice(object, &format!("{path}.type"), &item.type_, &choices) == Some(true) {
            around.ranges.entry(object.namespace.clone()).or_default().push(item);
        }
    }
}

/// A ConfigMap: nothing in it is checked, as only addresses are looked for.
fn settings(object: &Object<'_>, around: &mut Surroundings) {
    let data = object.node.get("data").map(Node::entries).unwrap_or_default();
    let texts = data.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.as_str()?.to_owned())));
    around.settings.insert((object.namespace.clone(), object.name.clone()), texts.collect());
}

fn claim(reading: &mut Reading<'_>, object: &Object<'_>, around: &mut Surroundings) {
    let Some(claim) = object.decode::<Manifest<PersistentVolumeClaimSpec>>(&mut reading.problems) else {
        return;
    };
    let modes = claim.spec.and_then(|spec| spec.access_modes).unwrap_or_default();
    if pod::one_node(&modes) {
        around.one_node_claims.insert((object.namespace.clone(), object.name.clone()));
    }
}

/// A PodDisruptionBudget. Before `policy/v1` the empty selector matched nothing.
pub(super) fn budget(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<PodDisruptionBudgetSpec>>(&mut reading.problems) else {
        return;
    };
    let spec = manifest.spec.unwrap_or_default();
    let budget =
        match (&spec.min_available, &spec.max_unavailable) {
            (Some(_), Some(_)) => {
                let problem = Problem::error("minAvailable and maxUnavailable exclude each other");
                reading.field(object, "spec", problem.help("keep one of them"));
                return;
            }
            (Some(least), None) => workload::int_or_percent(reading, object, "spec.minAvailable", least)
                .map(Budget::MinAvailable),
            (None, Some(most)) => workload::int_or_percent(reading, object, "spec.maxUnavailable", most)
                .map(Budget::MaxUnavailable),
            (None, None) => {
                let help = "without one of them the budget guards nothing";
                let problem = Problem::warning("neither minAvailable nor maxUnavailable").help(help);
                reading.field(object, "spec", problem);
                return;
            }
        };
    let policy = spec.unhealthy_pod_eviction_policy.as_deref().unwrap_or("IfHealthyBudget");
    let choices = [
        ("IfHealthyBudget", UnhealthyPodEviction::IfHealthyBudget),
        ("AlwaysAllow", UnhealthyPodEviction::AlwaysAllow),
    ];
    let unhealthy = reading.choice(object, "spec.unhealthyPodEvictionPolicy", policy, &choices);
    // An absent selector matches no pods: such a budget guards nothing.
    let Some(written) = &spec.selector else {
        reading.field(
            object,
            "spec.selector",
            Problem::warning("without a selector the budget guards nothing"),
        );
        return;
    };
    let selector = placement::selector(reading, object, "spec.selector", written);
    let (Some(budget), Some(selector)) = (budget, selector) else { return };
    let old = object.node.get("apiVersion").and_then(Node::as_str) == Some("policy/v1beta1");
    if old && selector == Selector::default() {
        let problem = Problem::warning("in `policy/v1beta1` the empty selector matches nothing");
        reading.field(object, "spec.selector", problem);
        return;
    }
    reading.set.budgets.push(DisruptionBudget {
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        selector,
        budget,
        unhealthy: unhealthy.unwrap_or_default(),
    });
}

/// A Node of a dump.
pub(super) fn node(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(node) = object.decode::<Manifest<NodeSpec, NodeStatus>>(&mut reading.problems) else { return };
    let status = node.status.unwrap_or_default();
    let capacity = status.capacity.unwrap_or_default();
    let capacity = resources::amounts(reading, object, "status.capacity", &capacity);
    let mut allocatable = capacity.clone();
    let written = status.allocatable.unwrap_or_default();
    allocatable.extend(resources::amounts(reading, object, "status.allocatable", &written));
    if !capacity.contains_key("cpu") || !capacity.contains_key("memory") {
        let problem = Problem::warning("a Node without a capacity is left out");
        reading.field(object, "status.capacity", problem);
        return;
    }
    let spec = node.spec.unwrap_or_default();
    let mut taints = Vec::new();
    for (index, taint) in spec.taints.into_iter().flatten().enumerate() {
        let path = format!("spec.taints[{index}].effect");
        if let Some(effect) = reading.choice(object, &path, &taint.effect, &placement::EFFECTS) {
            taints.push(Taint { key: taint.key, value: taint.value.unwrap_or_default(), effect });
        }
    }
    let pods = allocatable.get("pods").map_or(110, |pods| pods.value());
    let (all, free) = (resources::split(&capacity), resources::split(&allocatable));
    reading.set.nodes.push(ManifestNode {
        name: object.name.clone(),
        labels: node.metadata.labels.unwrap_or_default(),
        taints,
        cpu: all.cpu.unwrap_or_default(),
        memory: all.memory.unwrap_or_default(),
        allocatable_cpu: free.cpu.unwrap_or_default(),
        allocatable_memory: free.memory.unwrap_or_default(),
        max_pods: u32::try_from(pods).unwrap_or(u32::MAX),
    });
}

/// A ResourceQuota.
pub(super) fn quota(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<ResourceQuotaSpec>>(&mut reading.problems) else { return };
    let mut hard = BTreeMap::new();
    for (name, text) in manifest.spec.and_then(|spec| spec.hard).unwrap_or_default() {
        let path = format!("spec.hard{}", resources::step(&name));
        if let Some(amount) = resources::amount(reading, object, &path, &text.0) {
            hard.insert(name, amount);
        }
    }
    reading.set.quotas.push(ManifestQuota {
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        hard,
        place: object.place("metadata.name"),
    });
}
