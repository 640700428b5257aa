//! The strategic merge patch from one state of an object to another.
//!
//! Kubernetes' own types say which lists are merged by a key
//! (`k8s.io/api`, `patchStrategy` and `patchMergeKey`); all others, and all those
//! of custom resources, are atomic: a patch that names one replaces the whole.

use serde_json::Value;

use super::because_of;
use super::write::{Doc, Pair};
use crate::change::Edit;
use crate::source::Step;

/// The edits with their paths taken apart.
pub(super) type Reasons<'a> = [(Vec<Step>, &'a Edit)];

/// The patch that makes `after` of `before`, without `apiVersion`, `kind` and
/// name; reasons stand above what they are about.
pub(super) fn patch_of(before: &Value, after: &Value, reasons: &Reasons<'_>, built_in: bool) -> Vec<Pair> {
    let merger = Merger { reasons, built_in };
    merger.pairs(before, after, &mut Vec::new())
}

struct Merger<'a> {
    reasons: &'a Reasons<'a>,
    /// Whether the object is of one of Kubernetes' own types.
    built_in: bool,
}

impl Merger<'_> {
    fn pairs(&self, before: &Value, after: &Value, path: &mut Vec<Step>) -> Vec<Pair> {
        let nothing = serde_json::Map::new();
        let before = before.as_object().unwrap_or(&nothing);
        let after = after.as_object().unwrap_or(&nothing);
        let mut pairs = Vec::new();
        for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
            path.push(Step::Key(key.clone()));
            if let Some(value) = self.value(key, before.get(key), after.get(key), path) {
                // A mapping that goes as a whole goes for the reason of what was in it.
                let below = |(steps, _): &&(Vec<Step>, &'_ Edit)| steps.starts_with(path);
                let inner = self.reasons.iter().find(below).filter(|_| value == Doc::Scalar(Value::Null));
                let reason = because_of(self.reasons, path).or(inner.map(|(_, edit)| edit.because.as_str()));
                pairs.push(Pair::because(key, value, reason));
            }
            path.pop();
        }
        pairs
    }

    /// What the patch says of one key; nothing where it stays as it is.
    fn value(
        &self,
        key: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        path: &mut Vec<Step>,
    ) -> Option<Doc> {
        match (before, after) {
            (before, after) if before == after => None,
            (_, None) => Some(Doc::Scalar(Value::Null)),
            (Some(before @ Value::Object(_)), Some(after @ Value::Object(entries))) => {
                // A mapping that loses all its keys goes as a whole: kustomize drops empty ones.
                let pairs = if entries.is_empty() { Vec::new() } else { self.pairs(before, after, path) };
                Some(if pairs.is_empty() { Doc::Scalar(Value::Null) } else { Doc::Map(pairs) })
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                let merged = self.built_in.then(|| self.merged(key, before, after, path)).flatten();
                Some(merged.unwrap_or_else(|| self.whole_list(key, after, path)))
            }
            (_, Some(after)) => Some(self.whole(after, path)),
        }
    }

    /// A list merged by key, where the items stay in order and none is new.
    fn merged(&self, key: &str, before: &[Value], after: &[Value], path: &mut Vec<Step>) -> Option<Doc> {
        let merge_key = merge_key(key).filter(|_| !is_replaced(key))?;
        let name = |item: &Value| item.get(merge_key).filter(|name| !name.is_null()).cloned();
        let old: Vec<Value> = before.iter().map(name).collect::<Option<_>>()?;
        let new: Vec<Value> = after.iter().map(name).collect::<Option<_>>()?;
        let places: Vec<usize> =
            new.iter().map(|name| old.iter().position(|one| one == name)).collect::<Option<_>>()?;
        let unique = (1..old.len()).all(|index| !old[..index].contains(&old[index]));
        if !unique || !places.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let mut items = Vec::new();
        for (index, name) in old.iter().enumerate() {
            let named = Pair::new(merge_key, Doc::Scalar(name.clone()));
            path.push(Step::Index(index));
            match places.iter().position(|place| *place == index) {
                None => {
                    let reason = because_of(self.reasons, path);
                    let delete = Doc::Scalar(Value::from("delete"));
                    items.push(Doc::Map(vec![Pair::because("$patch", delete, reason), named]));
                }
                Some(at) if after[at] != before[index] => {
                    let pairs = self.pairs(&before[index], &after[at], path);
                    items.push(Doc::Map([vec![named], pairs].concat()));
                }
                Some(_) => {}
            }
            path.pop();
        }
        Some(Doc::List(items))
    }

    /// A list in full. One that would be merged by key says that it replaces.
    fn whole_list(&self, key: &str, after: &[Value], path: &mut Vec<Step>) -> Doc {
        let list = self.whole(&Value::from(after), path);
        match list {
            Doc::List(items) if self.built_in && merge_key(key).is_some() => {
                let replace = Doc::Map(vec![Pair::text("$patch", "replace")]);
                Doc::List([vec![replace], items].concat())
            }
            // An empty list is dropped or kept by the version; none is what both mean.
            list => list,
        }
    }

    /// A value in full, with the reasons of what is in it.
    fn whole(&self, value: &Value, path: &mut Vec<Step>) -> Doc {
        Doc::explained(value, path, &|path| because_of(self.reasons, path))
    }
}

/// What a list of Kubernetes' own types is merged by; `None` for atomic ones.
fn merge_key(list: &str) -> Option<&'static str> {
    Some(match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "resourceClaims"
        | "secrets" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "hostAliases" => "ip",
        "ports" => "containerPort",
        "topologySpreadConstraints" => "topologyKey",
        "conditions" => "type",
        "ownerReferences" => "uid",
        _ => return None,
    })
}

/// Lists that are merged by two keys at once, or by one that differs between
/// types: they are written in full and replaced.
fn is_replaced(list: &str) -> bool {
    matches!(list, "ports" | "topologySpreadConstraints")
}

/// Whether a type's lists have merge keys: those of the groups that hold pods.
pub(super) fn is_built_in(api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    matches!(group, "" | "apps" | "batch" | "extensions")
}
