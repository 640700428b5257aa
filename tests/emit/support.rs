//! Objects of texts, and edits in few words.

use std::collections::BTreeMap;

use kubeplan::change::{ChangeSet, Edit, Edited, ObjectName, apply, value_of};
use kubeplan::emit::{Emission, Originals};
use kubeplan::source::{Node, Sources, parse};
use serde_json::Value;

pub fn originals(texts: &[(&str, &str)]) -> Originals {
    Originals { texts: texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
}

/// The documents of a text.
pub fn documents(text: &str) -> Vec<Node> {
    let mut sources = Sources::new();
    let id = sources.add("read", text);
    let (documents, faults) = parse(&sources, id);
    let faults: Vec<_> = faults.into_iter().filter(|fault| !fault.harmless).collect();
    assert!(faults.is_empty(), "{faults:?}\n{text}");
    documents
}

/// All objects of a text by name.
pub fn objects(text: &str) -> BTreeMap<ObjectName, Value> {
    let mut found = BTreeMap::new();
    for document in documents(text) {
        let items = document.get("items").filter(|_| ObjectName::of(&document).is_none());
        for node in items.map_or(std::slice::from_ref(&document), Node::items) {
            if let Some(name) = ObjectName::of(node) {
                found.insert(name, value_of(node));
            }
        }
    }
    found
}

/// All objects of these texts with the changes carried out.
pub fn expected(originals: &Originals, changes: &ChangeSet) -> BTreeMap<ObjectName, Value> {
    let mut all: BTreeMap<_, _> = originals.texts.iter().flat_map(|(_, text)| objects(text)).collect();
    for edited in &changes.edited {
        apply(all.get_mut(&edited.object).expect("the object is there"), &edited.edits);
    }
    for added in &changes.added {
        all.extend(objects(&added.object.to_string()));
    }
    all
}

/// All objects of an emission that holds whole objects.
pub fn emitted(emission: &Emission) -> BTreeMap<ObjectName, Value> {
    emission.files.iter().flat_map(|file| objects(&file.text)).collect()
}

pub fn name(api_version: &str, kind: &str, name: &str) -> ObjectName {
    let text = str::to_owned;
    ObjectName {
        api_version: text(api_version),
        kind: text(kind),
        namespace: text("default"),
        name: text(name),
    }
}

pub fn edit(path: &str, to: Option<Value>) -> Edit {
    Edit { path: path.to_owned(), to, because: format!("{} is better so", path.replace('.', " ")) }
}

pub fn edits(object: ObjectName, edits: &[(&str, Option<Value>)]) -> Edited {
    Edited { object, edits: edits.iter().map(|(path, to)| edit(path, to.clone())).collect() }
}

pub fn changes(edited: Vec<Edited>) -> ChangeSet {
    ChangeSet { edited, added: Vec::new() }
}

/// The text without one mapping that has nothing in it, nor nulls: kustomize
/// drops both.
pub fn without_nothing(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.iter().map(|(key, value)| (key.clone(), without_nothing(value)));
            kept.filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nothing).collect(),
        scalar => scalar.clone(),
    }
}
