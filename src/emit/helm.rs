//! Values for the user's own chart, by the names that `helm create` gives
//! (`helm.sh/helm/v3/pkg/chartutil/create.go`).

use serde_json::{Map, Value};

use super::originals::{Found, Originals, Read, names_of};
use super::write::{Doc, comment};
use super::{Emission, Emitted, Fault, LeftOut, describe, is_secret, secret_left_out};
use crate::change::{Added, ChangeSet, Edit, Edited, ObjectName, apply, value_of};
use crate::source::{Step, steps_of};

const NO_NAME: &str = "`helm create` has no name for it";

/// A values file with nothing but what changes: at its top where the user has
/// one workload, else under each workload's name, as for subcharts. What those
/// names can't say is listed in the file's head and handed back.
pub fn helm_values(originals: &Originals, changes: &ChangeSet) -> Result<Emission, Vec<Fault>> {
    let read = Read::new(originals);
    let objects = read.objects();
    let workloads = objects.iter().filter(|one| is_workload(&one.name.kind)).count();
    let mut values = Values { several: workloads > 1, ..Values::default() };
    let mut faults = Vec::new();
    let autoscaled = autoscaled(&objects, &changes.added);
    for edited in &changes.edited {
        let found = read.find(&objects, &edited.object);
        match found.and_then(|found| Ok((read.after(&found, edited)?, found))) {
            Ok(_) if is_secret(&edited.object) => values.left_out.push(secret_left_out(&edited.object)),
            Ok((_, found)) if found.name.kind == "HorizontalPodAutoscaler" => {
                values.autoscaler(edited, value_of(found.node));
            }
            Ok(_) if is_workload(&edited.object.kind) => {
                values.workload(edited, autoscaled.contains(&edited.object.name));
            }
            Ok(_) => edited.edits.iter().for_each(|edit| values.leave(&edited.object, edit)),
            Err(fault) => faults.push(fault),
        }
    }
    match names_of(&changes.added) {
        Ok(named) => named.into_iter().for_each(|(name, added)| values.added(name, added)),
        Err(more) => faults.extend(more),
    }
    if faults.is_empty() { Ok(values.emission()) } else { Err(faults) }
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
}

/// The names of what an autoscaler looks after.
fn autoscaled(objects: &[Found<'_>], added: &[Added]) -> Vec<String> {
    let known = objects.iter().map(|found| value_of(found.node));
    let all = known.chain(added.iter().map(|one| one.object.clone()));
    all.filter(|object| object["kind"] == "HorizontalPodAutoscaler").filter_map(|one| target(&one)).collect()
}

/// What an autoscaler scales.
fn target(autoscaler: &Value) -> Option<String> {
    autoscaler.pointer("/spec/scaleTargetRef/name").and_then(Value::as_str).map(str::to_owned)
}

/// The values so far.
#[derive(Default)]
struct Values {
    several: bool,
    tree: Map<String, Value>,
    reasons: Vec<(Vec<Step>, String)>,
    left_out: Vec<LeftOut>,
    /// What is left out, as it would read.
    notes: Vec<String>,
}

impl Values {
    fn set(&mut self, workload: &str, path: &[&str], value: Value, because: &str) {
        let head = Some(workload).filter(|_| self.several);
        let keys: Vec<&str> = head.into_iter().chain(path.iter().copied()).collect();
        let Some((last, way)) = keys.split_last() else { return };
        let mut at = &mut self.tree;
        for key in way {
            let next = at.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Value::Object(map) = next else { return };
            at = map;
        }
        at.insert((*last).to_owned(), value);
        let steps = keys.iter().map(|key| Step::Key((*key).to_owned())).collect();
        self.reasons.push((steps, because.to_owned()));
    }

    fn leave(&mut self, object: &ObjectName, edit: &Edit) {
        let to = edit.to.as_ref().map_or_else(|| "removed".to_owned(), Value::to_string);
        self.notes.push(format!("{} {}: {to} ({})", describe(object), edit.path, edit.because));
        let path = Some(edit.path.clone());
        self.left_out.push(LeftOut { object: object.clone(), path, why: NO_NAME.to_owned() });
    }

    fn workload(&mut self, edited: &Edited, autoscaled: bool) {
        for edit in &edited.edits {
            let name = edited.object.name.as_str();
            let value = edit.to.clone().unwrap_or(Value::Null);
            let inside = edit.path.strip_prefix("spec.template.spec.containers[0].");
            let steps = steps_of(inside.unwrap_or_default());
            let keys: Option<Vec<&str>> = steps.iter().map(key_of).collect();
            match (edit.path.as_str(), keys.as_deref()) {
                ("spec.replicas", _) if edit.to.is_some() => {
                    self.set(name, &["replicaCount"], value, &edit.because);
                }
                // The default template leaves `replicas` out where this is on.
                ("spec.replicas", _) if autoscaled => {
                    self.set(name, &["autoscaling", "enabled"], Value::Bool(true), &edit.because);
                }
                (_, Some(keys @ ["resources" | "livenessProbe" | "readinessProbe", ..])) => {
                    self.set(name, keys, value, &edit.because);
                }
                _ => self.leave(&edited.object, edit),
            }
        }
    }

    fn autoscaler(&mut self, edited: &Edited, mut object: Value) {
        let Some(name) = target(&object) else {
            return edited.edits.iter().for_each(|edit| self.leave(&edited.object, edit));
        };
        for edit in &edited.edits {
            let value = edit.to.clone().unwrap_or(Value::Null);
            match edit.path.as_str() {
                "spec.minReplicas" => self.set(&name, &["autoscaling", "minReplicas"], value, &edit.because),
                "spec.maxReplicas" => self.set(&name, &["autoscaling", "maxReplicas"], value, &edit.because),
                path if path.starts_with("spec.metrics") || path == "spec.targetCPUUtilizationPercentage" => {
                    let old = targets(&object);
                    apply(&mut object, std::slice::from_ref(edit));
                    let new = targets(&object);
                    for ((key, old), (_, new)) in old.named.iter().zip(&new.named) {
                        if old != new {
                            let new = new.clone().unwrap_or(Value::Null);
                            self.set(&name, &["autoscaling", key], new, &edit.because);
                        }
                    }
                    if old.rest != new.rest {
                        self.leave(&edited.object, edit);
                    }
                }
                _ => self.leave(&edited.object, edit),
            }
        }
    }

    fn added(&mut self, object: ObjectName, added: &Added) {
        if is_secret(&object) {
            return self.left_out.push(secret_left_out(&object));
        }
        let known = object.kind == "HorizontalPodAutoscaler";
        let Some(name) = target(&added.object).filter(|_| known) else {
            self.notes.push(format!("{} ({})", describe(&object), added.because));
            return self.left_out.push(LeftOut { object, path: None, why: NO_NAME.to_owned() });
        };
        let because = added.because.as_str();
        self.set(&name, &["autoscaling", "enabled"], Value::Bool(true), because);
        let targets = targets(&added.object);
        for key in ["minReplicas", "maxReplicas"] {
            if let Some(value) = added.object.pointer(&format!("/spec/{key}")) {
                self.set(&name, &["autoscaling", key], value.clone(), "");
            }
        }
        for (key, value) in targets.named {
            // The defaults of `helm create` have a CPU target, so none is said, too.
            if value.is_some() || key.contains("CPU") {
                self.set(&name, &["autoscaling", key], value.unwrap_or(Value::Null), "");
            }
        }
        let mut rest = Vec::new();
        if !targets.rest.is_empty() {
            rest.push(("spec.metrics".to_owned(), Value::from(targets.rest)));
        }
        let said =
            ["scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "targetCPUUtilizationPercentage"];
        let spec = added.object.get("spec").and_then(Value::as_object);
        let unsaid = spec.into_iter().flatten().filter(|(key, _)| !said.contains(&key.as_str()));
        rest.extend(unsaid.map(|(key, value)| (format!("spec.{key}"), value.clone())));
        for (path, to) in rest {
            self.leave(&object, &Edit { path, to: Some(to), because: because.to_owned() });
        }
    }

    fn emission(self) -> Emission {
        let mut text = String::new();
        if !self.notes.is_empty() {
            text.push_str(
                "# Not expressible by the names that `helm create` gives; to be set in the templates:\n",
            );
            for line in self.notes.iter().flat_map(|note| comment(note)) {
                text.push_str(&format!("# - {line}\n"));
            }
        }
        let reason = |path: &[Step]| {
            let found = self.reasons.iter().rev().find(|(steps, _)| steps == path);
            found.map(|(_, because)| because.as_str()).filter(|because| !because.is_empty())
        };
        if self.tree.is_empty() {
            text.push_str("{}\n");
        } else {
            text.push_str(
                &Doc::explained(&Value::Object(self.tree.clone()), &mut Vec::new(), &reason).text(),
            );
        }
        let files = vec![Emitted { path: "values.yaml".to_owned(), text }];
        Emission { files, left_out: self.left_out }
    }
}

fn key_of(step: &Step) -> Option<&str> {
    if let Step::Key(key) = step { Some(key) } else { None }
}

/// An autoscaler's targets by their default names, and the metrics that have none.
struct Targets {
    named: [(&'static str, Option<Value>); 2],
    rest: Vec<Value>,
}

fn targets(autoscaler: &Value) -> Targets {
    let first_version = autoscaler.pointer("/spec/targetCPUUtilizationPercentage").cloned();
    let mut named =
        [("targetCPUUtilizationPercentage", first_version), ("targetMemoryUtilizationPercentage", None)];
    let metrics = autoscaler.pointer("/spec/metrics").and_then(Value::as_array);
    let mut rest = Vec::new();
    for metric in metrics.into_iter().flatten() {
        let share =
            metric.pointer("/resource/target/averageUtilization").filter(|_| metric["type"] == "Resource");
        let name = metric.pointer("/resource/name").and_then(Value::as_str);
        let place = match name {
            Some("cpu") => Some(&mut named[0].1),
            Some("memory") => Some(&mut named[1].1),
            _ => None,
        };
        match (place.filter(|place| place.is_none()), share) {
            (Some(place), Some(share)) => *place = Some(share.clone()),
            _ => rest.push(metric.clone()),
        }
    }
    Targets { named, rest }
}
