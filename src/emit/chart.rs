//! A chart for Helm out of any objects: what one tunes is in `values.yaml`, and
//! the templates render to the same objects.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::originals::{Originals, Read, names_of};
use super::write::{Doc, Pair};
use super::{Emission, Emitted, Fault, is_secret, secret_left_out};
use crate::change::{ChangeSet, Edit, ObjectName};
use crate::source::{Step, steps_of};

/// What a chart is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartName {
    /// `name` of `Chart.yaml`: lower-case letters, digits and dashes.
    pub name: String,
    /// `version`, a semantic version.
    pub version: String,
}

/// `Chart.yaml`, `values.yaml` and one template per object, edits carried out
/// and new objects among them. Values are grouped by workload and have the names
/// that `helm create` gives, where it gives one. Secrets are left out.
pub fn helm_chart(
    originals: &Originals,
    changes: &ChangeSet,
    chart: &ChartName,
) -> Result<Emission, Vec<Fault>> {
    let read = Read::new(originals);
    let mut emission = Emission::default();
    let mut objects: Vec<(ObjectName, Value, &[Edit])> = Vec::new();
    for (found, value) in read.edited(changes)? {
        let edited = changes.edited.iter().find(|edited| edited.object == found.name);
        objects.push((found.name, value, edited.map_or(&[], |edited| &edited.edits)));
    }
    for (name, added) in names_of(&changes.added)? {
        objects.push((name, added.object.clone(), &[]));
    }
    for (name, _, _) in objects.iter().filter(|(name, _, _)| is_secret(name)) {
        emission.left_out.push(secret_left_out(name));
    }
    objects.retain(|(name, _, _)| !is_secret(name));
    let groups = groups(&objects);
    let (mut values, mut templates, mut taken) = (Values::default(), Vec::new(), BTreeSet::new());
    for (name, object, edits) in &objects {
        let places = values.pull_out(name, object, edits, &groups);
        let text = template(object, &mut Vec::new(), &places).text();
        templates.push(Emitted { path: template_path(name, &mut taken), text });
    }
    let about = Doc::Map(vec![
        Pair::text("apiVersion", "v2"),
        Pair::text("name", &chart.name),
        Pair::text("type", "application"),
        Pair::text("version", &chart.version),
    ]);
    emission.files.push(Emitted { path: "Chart.yaml".to_owned(), text: about.text() });
    emission.files.push(Emitted { path: "values.yaml".to_owned(), text: values.text() });
    emission.files.extend(templates);
    Ok(emission)
}

fn template_path(object: &ObjectName, taken: &mut BTreeSet<String>) -> String {
    let tame =
        |text: &str| text.replace(|one: char| !(one.is_ascii_alphanumeric() || "-.".contains(one)), "-");
    let short = format!("{}-{}", tame(&object.kind.to_lowercase()), tame(&object.name));
    let mut name = format!("templates/{short}.yaml");
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("templates/{short}-{number}.yaml");
        number += 1;
    }
    name
}

/// A workload and the key that its values are under.
struct Group<'a> {
    object: &'a ObjectName,
    labels: Option<&'a Map<String, Value>>,
    key: String,
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController")
}

/// The workloads, each with a key of its own.
fn groups<'a>(objects: &'a [(ObjectName, Value, &[Edit])]) -> Vec<Group<'a>> {
    let mut found: Vec<Group<'a>> = Vec::new();
    for (object, value, _) in objects.iter().filter(|(object, _, _)| is_workload(&object.kind)) {
        let names = [
            identifier(&object.name),
            identifier(&format!("{}-{}", object.namespace, object.name)),
            identifier(&format!("{}-{}-{}", object.namespace, object.name, object.kind)),
        ];
        let free = names.iter().find(|name| !found.iter().any(|group| group.key == **name));
        let key = free.unwrap_or(&names[2]).clone();
        let labels = value.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
        found.push(Group { object, labels, key });
    }
    found
}

/// A name that templates can write behind a dot: `my-web` as `myWeb`.
fn identifier(name: &str) -> String {
    let mut result = String::new();
    let mut upper = false;
    for one in name.chars() {
        if !one.is_ascii_alphanumeric() {
            upper = true;
        } else if upper && !result.is_empty() {
            result.push(one.to_ascii_uppercase());
            upper = false;
        } else {
            result.push(one);
            upper = false;
        }
    }
    if result.starts_with(|one: char| one.is_ascii_alphabetic()) { result } else { format!("x{result}") }
}

/// A place in an object that is filled in from the values.
type Place = (Vec<Step>, Doc);

/// `values.yaml` so far.
#[derive(Default)]
struct Values {
    tree: Map<String, Value>,
    reasons: Vec<(Vec<Step>, String)>,
}

impl Values {
    /// Moves what one tunes of an object into the values.
    fn pull_out(
        &mut self,
        name: &ObjectName,
        object: &Value,
        edits: &[Edit],
        groups: &[Group<'_>],
    ) -> Vec<Place> {
        let mut places = Vec::new();
        for (path, keys) in tunables(name, object, groups) {
            let steps = steps_of(&path);
            let Some(value) = walk(object, &steps).filter(|value| is_sayable(value)) else { continue };
            if !self.put(&keys, value) {
                continue;
            }
            for edit in edits {
                let changed = steps_of(&edit.path);
                let below = changed.strip_prefix(steps.as_slice()).unwrap_or_default();
                if changed.starts_with(&steps) || steps.starts_with(&changed) {
                    let above = keys.iter().map(|key| Step::Key(key.clone()));
                    self.reasons.push((above.chain(below.iter().cloned()).collect(), edit.because.clone()));
                }
            }
            let expression = format!(".Values.{}", keys.join("."));
            let doc = if value.is_object() || value.is_array() {
                Doc::Expanded(expression)
            } else {
                Doc::Raw(format!("{{{{ {expression} | toJson }}}}"))
            };
            places.push((steps, doc));
        }
        places
    }

    /// Puts a value under its keys, unless another object has taken them.
    fn put(&mut self, keys: &[String], value: &Value) -> bool {
        let Some((last, way)) = keys.split_last() else { return false };
        let mut at = &mut self.tree;
        for key in way {
            let next = at.entry(key.as_str()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(map) = next else { return false };
            at = map;
        }
        if at.contains_key(last) {
            return false;
        }
        at.insert(last.clone(), value.clone());
        true
    }

    fn text(&self) -> String {
        let reason = |path: &[Step]| {
            let found = self.reasons.iter().find(|(steps, _)| steps == path);
            found.map(|(_, because)| because.as_str()).filter(|because| !because.is_empty())
        };
        let value = Value::Object(self.tree.clone());
        Doc::explained(&value, &mut Vec::new(), &reason).text()
    }
}

fn walk<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(*index),
    })
}

/// Whether Helm hands a value on unchanged: it drops nulls, and an empty
/// mapping says nothing.
fn is_sayable(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(entries) => !entries.is_empty() && entries.values().all(is_whole),
        Value::Array(items) => !items.is_empty() && items.iter().all(is_whole),
        _ => true,
    }
}

fn is_whole(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(entries) => entries.values().all(is_whole),
        Value::Array(items) => items.iter().all(is_whole),
        _ => true,
    }
}

/// What one tunes of an object: the path, and the keys of its value.
fn tunables(name: &ObjectName, object: &Value, groups: &[Group<'_>]) -> Vec<(String, Vec<String>)> {
    let row =
        |path: &str, keys: &[&str]| (path.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect());
    match name.kind.as_str() {
        "HorizontalPodAutoscaler" => {
            let key = scaled(name, object, groups);
            let mut rows: Vec<(String, Vec<String>)> = Vec::new();
            for field in ["minReplicas", "maxReplicas", "targetCPUUtilizationPercentage"] {
                rows.push(row(&format!("spec.{field}"), &[&key, "autoscaling", field]));
            }
            for (path, target) in targets(object) {
                rows.push(row(&path, &[&key, "autoscaling", &target]));
            }
            rows.push(row("spec.behavior", &[&key, "autoscaling", "behavior"]));
            rows
        }
        "PodDisruptionBudget" => {
            let key = guarded(name, object, groups);
            let field = |field| row(&format!("spec.{field}"), &[&key, "podDisruptionBudget", field]);
            ["minAvailable", "maxUnavailable"].into_iter().map(field).collect()
        }
        _ => {
            let Some(group) = groups.iter().find(|group| group.object == name) else { return Vec::new() };
            let mut rows = vec![row("spec.replicas", &[&group.key, "replicaCount"])];
            for field in ["strategy", "updateStrategy"] {
                rows.push(row(&format!("spec.{field}"), &[&group.key, field]));
            }
            rows.extend(containers(object, &group.key));
            for field in ["terminationGracePeriodSeconds", "topologySpreadConstraints"] {
                rows.push(row(&format!("spec.template.spec.{field}"), &[&group.key, field]));
            }
            rows
        }
    }
}

/// The key of the workload that an autoscaler scales, else one of its own.
fn scaled(name: &ObjectName, object: &Value, groups: &[Group<'_>]) -> String {
    let text = |field: &str| {
        object.pointer(&format!("/spec/scaleTargetRef/{field}")).and_then(Value::as_str).unwrap_or_default()
    };
    let (kind, target) = (text("kind"), text("name"));
    let is_target = |group: &&Group<'_>| {
        group.object.namespace == name.namespace && group.object.kind == kind && group.object.name == target
    };
    groups.iter().find(is_target).map_or_else(|| identifier(&name.name), |group| group.key.clone())
}

/// The key of the first workload whose pods a budget guards, else one of its own.
fn guarded(name: &ObjectName, object: &Value, groups: &[Group<'_>]) -> String {
    let wanted = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let guards = |group: &&Group<'_>| {
        let has = |(key, value): (&String, &Value)| {
            group.labels.is_some_and(|labels| labels.get(key) == Some(value))
        };
        group.object.namespace == name.namespace && wanted.is_some_and(|wanted| wanted.iter().all(has))
    };
    groups.iter().find(guards).map_or_else(|| identifier(&name.name), |group| group.key.clone())
}

/// What one tunes of containers: by the workload's key where there is one, else
/// by the container's name below it.
fn containers(object: &Value, key: &str) -> Vec<(String, Vec<String>)> {
    let listed = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let listed = listed.map(Vec::as_slice).unwrap_or_default();
    let mut rows = Vec::new();
    for (index, container) in listed.iter().enumerate() {
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        let above = match listed.len() {
            1 => vec![key.to_owned()],
            _ => vec![key.to_owned(), "containers".to_owned(), identifier(name)],
        };
        for field in ["image", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
            let path = format!("spec.template.spec.containers[{index}].{field}");
            rows.push((path, above.iter().cloned().chain([field.to_owned()]).collect()));
        }
    }
    rows
}

/// The targets of an autoscaler's metrics: path and name.
fn targets(object: &Value) -> Vec<(String, String)> {
    let metrics = object.pointer("/spec/metrics").and_then(Value::as_array);
    let mut found = Vec::new();
    for (index, metric) in metrics.into_iter().flatten().enumerate() {
        for source in ["resource", "containerResource", "pods", "object", "external"] {
            let Some(one) = metric.get(source) else { continue };
            let name = one.get("name").or_else(|| one.pointer("/metric/name")).and_then(Value::as_str);
            let name = name.unwrap_or_default();
            for field in ["averageUtilization", "averageValue", "value"] {
                if one.pointer(&format!("/target/{field}")).is_none() {
                    continue;
                }
                let key = match (source, name, field) {
                    ("resource", "cpu", "averageUtilization") => "targetCPUUtilizationPercentage".to_owned(),
                    ("resource", "memory", "averageUtilization") => {
                        "targetMemoryUtilizationPercentage".to_owned()
                    }
                    _ => identifier(&format!("target-{name}-{field}")),
                };
                found.push((format!("spec.metrics[{index}].{source}.target.{field}"), key));
            }
        }
    }
    found
}

/// An object as a template, with its places to be filled in.
fn template(value: &Value, path: &mut Vec<Step>, places: &[Place]) -> Doc {
    if let Some((_, doc)) = places.iter().find(|(steps, _)| steps == path) {
        return doc.clone();
    }
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            let mut pairs = Vec::new();
            for (key, value) in entries {
                path.push(Step::Key(key.clone()));
                pairs.push(Pair::new(literally(key), template(value, path, places)));
                path.pop();
            }
            Doc::Map(pairs)
        }
        Value::Array(items) if !items.is_empty() => {
            let mut list = Vec::new();
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                list.push(template(item, path, places));
                path.pop();
            }
            Doc::List(list)
        }
        Value::String(text) => Doc::Scalar(Value::from(literally(text))),
        scalar => Doc::Scalar(scalar.clone()),
    }
}

/// Text that Helm leaves alone: braces of templates inside it are not Helm's.
fn literally(text: &str) -> String {
    text.replace("{{", "{{ `{{` }}")
}
