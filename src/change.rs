//! What is to be changed of the user's objects: fields with their new values,
//! and new objects. Every form in which a change is written comes from these.

use serde_json::{Map, Value};

use crate::source::{Node, Step, Value as Written, steps_of};

/// An object by what the API server tells objects apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `apiVersion`, such as `apps/v1`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`; `default` where the object says none.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// One field's new value.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Where, as Kubernetes writes paths: `spec.minReplicas`,
    /// `spec.template.spec.containers[0].resources.requests.cpu`. Indices count
    /// the object as it is written.
    pub path: String,
    /// The new value; `None` removes the field.
    pub to: Option<Value>,
    /// Why, in one sentence without its full stop; comments and diffs show it.
    pub because: String,
}

/// The edits of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// Which object.
    pub object: ObjectName,
    /// Its edits, each path at most once, none inside another.
    pub edits: Vec<Edit>,
}

/// An object that isn't there yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// The whole of it, `apiVersion` and `kind` first.
    pub object: Value,
    /// Why, in one sentence without its full stop.
    pub because: String,
}

/// All that is to be changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    /// Objects with changed fields, in the order in which the user's files have them.
    pub edited: Vec<Edited>,
    /// New objects.
    pub added: Vec<Added>,
}

impl ObjectName {
    /// The name of an object as written; `None` where it has no kind or name.
    pub fn of(node: &Node) -> Option<Self> {
        let text = |path: &str| node.at(path).and_then(Node::as_str).map(str::to_owned);
        let namespace = text("metadata.namespace").filter(|name| !name.is_empty());
        Some(Self {
            api_version: text("apiVersion")?,
            kind: text("kind")?,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            name: text("metadata.name")?,
        })
    }
}

impl ChangeSet {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.edited.is_empty() && self.added.is_empty()
    }
}

/// An object as a JSON value, keys in the file's order; the last of a repeated
/// key counts, as in kubectl.
pub fn value_of(node: &Node) -> Value {
    match &node.value {
        Written::Null => Value::Null,
        Written::Bool(value) => Value::Bool(*value),
        Written::Int(number) => Value::from(*number),
        Written::Float(number) => Value::from(*number),
        Written::String(text) => Value::from(text.as_str()),
        Written::List(items) => items.iter().map(value_of).collect(),
        Written::Map(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), value_of(&entry.value))).collect()
        }
    }
}

/// Carries edits out on an object. Mappings on the way to a new field are made;
/// mappings that a removal leaves empty stay, as they do in kubectl.
///
/// # Panics
/// When a path leads through a scalar or beyond a list's end: whoever made the
/// edits looked at another object.
pub fn apply(object: &mut Value, edits: &[Edit]) {
    for edit in edits {
        let mut steps = steps_of(&edit.path);
        let Some(last) = steps.pop() else { continue };
        let mut at = &mut *object;
        for step in &steps {
            at = match step {
                Step::Key(key) => mapping(at, &edit.path).entry(key.as_str()).or_insert(Value::Null),
                Step::Index(index) => item(at, *index, &edit.path),
            };
        }
        match (last, &edit.to) {
            (Step::Key(key), Some(value)) => drop(mapping(at, &edit.path).insert(key, value.clone())),
            (Step::Key(key), None) => drop(mapping(at, &edit.path).shift_remove(&key)),
            (Step::Index(index), Some(value)) => *item(at, index, &edit.path) = value.clone(),
            (Step::Index(index), None) => {
                let list = at.as_array_mut().filter(|list| index < list.len());
                list.unwrap_or_else(|| panic!("`{}` is not there to be removed", edit.path)).remove(index);
            }
        }
    }
}

/// The mapping at a place; made where there is nothing.
fn mapping<'a>(value: &'a mut Value, path: &str) -> &'a mut Map<String, Value> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().unwrap_or_else(|| panic!("`{path}` leads through something that is no mapping"))
}

fn item<'a>(value: &'a mut Value, index: usize, path: &str) -> &'a mut Value {
    let found = value.as_array_mut().and_then(|list| list.get_mut(index));
    found.unwrap_or_else(|| panic!("`{path}` leads beyond the end of a list"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edits_set_make_and_remove_fields() {
        let mut object = json!({"spec": {"replicas": 2, "list": [{"name": "a"}, {"name": "b"}]}});
        let edit = |path: &str, to: Option<Value>| Edit { path: path.to_owned(), to, because: String::new() };
        apply(
            &mut object,
            &[
                edit("spec.replicas", None),
                edit("spec.list[1].resources.requests.cpu", Some(json!("500m"))),
                edit("metadata.annotations[\"a.b/c\"]", Some(json!("x"))),
                edit("spec.list[0]", Some(json!({"name": "c"}))),
            ],
        );
        let expected = json!({
            "spec": {"list": [{"name": "c"}, {"name": "b", "resources": {"requests": {"cpu": "500m"}}}]},
            "metadata": {"annotations": {"a.b/c": "x"}},
        });
        assert_eq!(object, expected);
    }

    #[test]
    #[should_panic(expected = "leads beyond the end of a list")]
    fn an_edit_of_another_object_is_our_own_mistake() {
        let edit = Edit { path: "list[3]".to_owned(), to: Some(json!(1)), because: String::new() };
        apply(&mut json!({"list": []}), &[edit]);
    }
}
