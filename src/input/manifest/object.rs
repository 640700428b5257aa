//! Documents into objects: lists taken apart, kinds and API versions told
//! from each other.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;

use crate::input::problem::{Problem, UnknownFields, decode};
use crate::k8s::labels::Labels;
use crate::source::{Node, Place, Value};

/// Lists within lists.
const LIST_DEPTH: usize = 8;

/// One Kubernetes object of the input.
pub(super) struct Object<'a> {
    /// The whole of it.
    pub node: &'a Node,
    /// `kind` as written.
    pub kind: String,
    /// What it is to us.
    pub class: Class,
    /// `metadata.name`, empty where there is none (`generateName`).
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
}

/// What an object is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names)] // They are the kinds' own names.
pub(super) enum Class {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Pod,
    Job,
    CronJob,
    Hpa(HpaVersion),
    Budget,
    Service,
    Ingress,
    OldIngress,
    Namespace,
    LimitRange,
    Quota,
    PriorityClass,
    Claim,
    Node,
    /// Has no effect on a simulation.
    Other,
}

/// The API versions of an HPA that differ in shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HpaVersion {
    V1,
    V2Beta1,
    /// `v2beta2` has the same shape.
    V2,
}

/// The parts every object has. The types of `k8s-openapi` insist on one API
/// version; this reads their `spec` under any.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
pub(super) struct Manifest<Spec, Status = IgnoredAny> {
    api_version: IgnoredAny,
    kind: IgnoredAny,
    #[serde(default)]
    pub metadata: Metadata,
    pub spec: Option<Spec>,
    pub status: Option<Status>,
}

/// What we use of `metadata`, and the names of the rest.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
pub(super) struct Metadata {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub labels: Option<Labels>,
    pub annotations: Option<BTreeMap<String, String>>,
    generate_name: Option<IgnoredAny>,
    creation_timestamp: Option<IgnoredAny>,
    deletion_grace_period_seconds: Option<IgnoredAny>,
    deletion_timestamp: Option<IgnoredAny>,
    finalizers: Option<IgnoredAny>,
    generation: Option<IgnoredAny>,
    managed_fields: Option<IgnoredAny>,
    owner_references: Option<IgnoredAny>,
    resource_version: Option<IgnoredAny>,
    self_link: Option<IgnoredAny>,
    uid: Option<IgnoredAny>,
}

impl Object<'_> {
    /// `Deployment/web`, for messages.
    pub fn who(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Kind and name of each object that controls it.
    pub fn owners(&self) -> impl Iterator<Item = (&str, &str)> {
        let owners = self.node.at("metadata.ownerReferences").map(Node::items).unwrap_or_default();
        owners.iter().filter_map(|owner| Some((owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?)))
    }

    /// Whether it is what a controller keeps to go back to, and has no pods.
    pub fn is_old_revision(&self) -> bool {
        matches!(self.class, Class::ReplicaSet | Class::ReplicationController)
            && self.node.at("spec.replicas").is_some_and(|node| node.value == Value::Int(0))
            && self.owners().next().is_some()
    }

    /// The place of a field, or of what would hold it.
    pub fn place(&self, path: &str) -> Place {
        self.node.nearest(path)
    }

    /// The object as a typed value; `None` where it doesn't fit, which is
    /// reported.
    pub fn decode<T: DeserializeOwned>(&self, problems: &mut Vec<Problem>) -> Option<T> {
        decode(self.node, UnknownFields::Warn, problems)
    }
}

/// The objects of all documents, in order.
pub(super) fn objects<'a>(documents: &'a [Node], problems: &mut Vec<Problem>) -> Vec<Object<'a>> {
    let mut found = Vec::new();
    for document in documents {
        gather(document, LIST_DEPTH, &mut found, problems);
    }
    found
}

fn gather<'a>(node: &'a Node, depth: usize, found: &mut Vec<Object<'a>>, problems: &mut Vec<Problem>) {
    let lists_items = node.get("items").is_some_and(|items| !items.items().is_empty() || items.is_null());
    let text = |key: &str| node.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    if !node.items().is_empty() && depth > 0 {
        return node.items().iter().for_each(|item| gather(item, depth - 1, found, problems));
    }
    let (Some(kind), Some(api_version)) = (kind, api_version) else {
        problems.push(no_object(node, kind.is_some(), api_version.is_some()));
        return;
    };
    let is_list = kind == "List" || (kind.ends_with("List") && (lists_items || node.get("items").is_some()));
    if is_list && depth > 0 {
        let items = node.get("items").map(Node::items).unwrap_or_default();
        return items.iter().for_each(|item| list_item(item, kind, api_version, depth, found, problems));
    }
    push(node, kind, api_version, found, problems);
}

/// An item of a list; those of typed lists may leave their kind out.
fn list_item<'a>(
    item: &'a Node,
    list: &str,
    api_version: &str,
    depth: usize,
    found: &mut Vec<Object<'a>>,
    problems: &mut Vec<Problem>,
) {
    let item_kind = list.strip_suffix("List").unwrap_or_default();
    if item_kind.is_empty() || item.get("kind").is_some() {
        gather(item, depth - 1, found, problems);
    } else {
        push(item, item_kind, api_version, found, problems);
    }
}

fn push<'a>(
    node: &'a Node,
    kind: &str,
    api_version: &str,
    found: &mut Vec<Object<'a>>,
    problems: &mut Vec<Problem>,
) {
    let class = classify(node, kind, api_version, problems);
    let text = |path: &str| node.at(path).and_then(Node::as_str).map(str::to_owned);
    let namespace = text("metadata.namespace").filter(|name| !name.is_empty());
    let name = text("metadata.name").unwrap_or_default();
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    if name.is_empty() && class != Class::Other && node.at("metadata.generateName").is_none() {
        let problem = Problem::error(format!("this {kind} has no name"));
        problems.push(problem.at(node.nearest("metadata")).help("give it a `metadata.name`"));
    }
    if class != Class::Other && !name.is_empty() && !is_a_name(&name) {
        let problem = Problem::error(format!("`{name}` is no name for a {kind}"));
        let help = "lower-case letters, digits, `-` and `.`, with a letter or digit at both ends";
        problems.push(problem.at(node.nearest("metadata.name")).help(help));
    }
    found.push(Object { node, kind: kind.to_owned(), class, name, namespace });
}

/// A document that is no object, with the key that was meant perhaps.
fn no_object(node: &Node, has_kind: bool, has_version: bool) -> Problem {
    if node.entries().is_empty() {
        let message = format!("this document is {}, and not a Kubernetes object", node.value.describe());
        return Problem::error(message).at(node.head());
    }
    let missing = match (has_kind, has_version) {
        (false, false) => "`apiVersion` and `kind`",
        (true, false) => "`apiVersion`",
        (_, true) => "`kind`",
    };
    let wanted = if has_kind { "apiVersion" } else { "kind" };
    let keys = node.entries().iter().filter(|entry| entry.key != "apiVersion" && entry.key != "kind");
    let like = keys
        .filter(|entry| entry.value.as_str().is_some())
        .find(|entry| crate::source::closest(&entry.key, std::iter::once(wanted)).is_some());
    let problem = Problem::error(format!("not a Kubernetes object: it has no {missing}"));
    match like {
        Some(entry) => problem.at(entry.key_place()).help(format!("did you mean `{wanted}`?")),
        None => problem.at(node.head()),
    }
}

/// What a kind of an API version is to us; old versions get a warning.
fn classify(node: &Node, kind: &str, api_version: &str, problems: &mut Vec<Problem>) -> Class {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let Some((class, home, current)) = known(kind, group, version) else {
        problems.extend(misspelt(node, kind, group, version));
        return Class::Other;
    };
    let place = node.nearest("apiVersion");
    if !home.contains(&group) {
        // Groups of custom resources have a dot; anything else is a slip.
        if !group.contains('.') {
            let problem = Problem::error(format!("there is no {kind} in `{api_version}`")).at(place);
            problems.push(problem.help(format!("write `apiVersion: {current}`")));
        }
        return Class::Other;
    }
    if api_version != current && (group, version) != ("autoscaling", "v1") {
        let problem =
            Problem::warning(format!("`{api_version}` is not served any more; read as `{current}`"));
        problems.push(problem.at(place).help(format!("write `apiVersion: {current}`")));
    }
    class
}

/// A kind that its group doesn't have, but nearly so. Groups of custom resources have a dot.
fn misspelt(node: &Node, kind: &str, group: &str, version: &str) -> Option<Problem> {
    let there = |near: &&str| known(near, group, version).is_some_and(|(_, home, _)| home.contains(&group));
    let near = crate::source::closest(kind, KINDS.into_iter()).filter(there)?;
    let problem = Problem::error(format!("there is no kind `{kind}`")).at(node.nearest("kind"));
    Some(problem.help(format!("did you mean `{near}`?")))
}

/// The kinds of [`known`].
const KINDS: [&str; 18] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Service",
    "Ingress",
    "Namespace",
    "LimitRange",
    "ResourceQuota",
    "PriorityClass",
    "PersistentVolumeClaim",
    "Node",
];

/// Whether the API server takes it for the name of an object: a DNS subdomain (RFC 1123).
fn is_a_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A kind's class, the groups it has lived in, and where it lives now.
fn known(kind: &str, group: &str, version: &str) -> Option<(Class, &'static [&'static str], &'static str)> {
    const APPS: &[&str] = &["apps", "extensions"];
    const CORE: &[&str] = &[""];
    const INGRESS: &[&str] = &["networking.k8s.io", "extensions"];
    let hpa = match version {
        "v1" => HpaVersion::V1,
        "v2beta1" => HpaVersion::V2Beta1,
        _ => HpaVersion::V2,
    };
    let old_ingress = group == "extensions" || version == "v1beta1";
    let ingress = if old_ingress { Class::OldIngress } else { Class::Ingress };
    Some(match kind {
        "Deployment" => (Class::Deployment, APPS, "apps/v1"),
        "StatefulSet" => (Class::StatefulSet, APPS, "apps/v1"),
        "DaemonSet" => (Class::DaemonSet, APPS, "apps/v1"),
        "ReplicaSet" => (Class::ReplicaSet, APPS, "apps/v1"),
        "ReplicationController" => (Class::ReplicationController, CORE, "v1"),
        "Pod" => (Class::Pod, CORE, "v1"),
        "Job" => (Class::Job, &["batch"], "batch/v1"),
        "CronJob" => (Class::CronJob, &["batch"], "batch/v1"),
        "HorizontalPodAutoscaler" => (Class::Hpa(hpa), &["autoscaling"], "autoscaling/v2"),
        "PodDisruptionBudget" => (Class::Budget, &["policy"], "policy/v1"),
        "Service" => (Class::Service, CORE, "v1"),
        "Ingress" => (ingress, INGRESS, "networking.k8s.io/v1"),
        "Namespace" => (Class::Namespace, CORE, "v1"),
        "LimitRange" => (Class::LimitRange, CORE, "v1"),
        "ResourceQuota" => (Class::Quota, CORE, "v1"),
        "PriorityClass" => (Class::PriorityClass, &["scheduling.k8s.io"], "scheduling.k8s.io/v1"),
        "PersistentVolumeClaim" => (Class::Claim, CORE, "v1"),
        "Node" => (Class::Node, CORE, "v1"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_meant_is_known() {
        assert!(KINDS.iter().all(|kind| known(kind, "", "v1").is_some()));
    }

    #[test]
    fn names_are_dns_subdomains() {
        for (name, is) in [
            ("web", true),
            ("web-1.shop", true),
            ("0", true),
            ("Web", false),
            ("web_1", false),
            ("-web", false),
            ("web.", false),
            (&"a".repeat(254), false),
        ] {
            assert_eq!(is_a_name(name), is, "{name}");
        }
    }
}
