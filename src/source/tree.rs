//! A document as a tree whose every node knows its bytes.

use std::ops::Range;

use super::{Place, SourceId};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it says.
    pub value: Value,
    pub(super) source: SourceId,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What a node says, by the rules of kubectl's YAML reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true`, and what YAML 1.1 counts as such (`yes`, `on`).
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the file's order.
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Node,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// One step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An element of a list.
    Index(usize),
}

impl Node {
    /// The value of a key; `None` where this is no mapping or hasn't the key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key with its value; the last where the file repeats it, as in kubectl.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    /// The entries of a mapping, none for anything else.
    pub fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The elements of a list, none for anything else.
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The text, where this is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// Whether this is nothing at all.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text this stands in.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// The bytes from the first to the last character.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where the value stands. For mappings and lists the whole of it, which is
    /// seldom good to look at: messages use [`Node::head`] or a key's place.
    pub fn place(&self) -> Place {
        Place { source: self.source, span: self.span() }
    }

    /// A place to point at: the value itself, or the first key of a mapping and
    /// the first element of a list.
    pub fn head(&self) -> Place {
        match &self.value {
            Value::Map(entries) => entries.first().map_or_else(|| self.place(), |first| first.key_place()),
            Value::List(items) => items.first().map_or_else(|| self.place(), Self::head),
            _ => self.place(),
        }
    }

    /// Where the value at `path` (`spec.metrics[0].type`,
    /// `metadata.labels["app.kubernetes.io/name"]`) stands: the value's own
    /// bytes, or those of the key that leads to a mapping or list.
    pub fn locate(&self, path: &str) -> Option<Place> {
        let steps = steps_of(path);
        let (place, found) = self.walk(&steps);
        (found == steps.len()).then_some(place)
    }

    /// The place of the value at `path`, or of the last ancestor that exists.
    pub fn nearest(&self, path: &str) -> Place {
        self.walk(&steps_of(path)).0
    }

    /// The node at `path`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        steps_of(path).iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.items().get(*index),
        })
    }

    /// Where the key at the end of `path` stands.
    pub fn locate_key(&self, path: &str) -> Option<Place> {
        let mut steps = steps_of(path);
        let Some(Step::Key(key)) = steps.pop() else { return None };
        let parent = steps.iter().try_fold(self, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.items().get(*index),
        })?;
        parent.entry(&key).map(|entry| entry.key_place())
    }

    /// Goes along a path as far as it exists; the place there, and how many
    /// steps were found.
    fn walk(&self, steps: &[Step]) -> (Place, usize) {
        let (mut node, mut place) = (self, self.head());
        for (done, step) in steps.iter().enumerate() {
            let next = match step {
                Step::Key(key) => node.entry(key).map(|entry| (&entry.value, entry.place())),
                Step::Index(index) => node.items().get(*index).map(|item| (item, item.head())),
            };
            let Some(found) = next else { return (place, done) };
            (node, place) = found;
        }
        (place, steps.len())
    }
}

impl Entry {
    /// Where the key stands.
    pub fn key_place(&self) -> Place {
        Place { source: self.value.source, span: self.start as usize..self.end as usize }
    }

    /// The value's place where it is a scalar, else the key's.
    pub fn place(&self) -> Place {
        match self.value.value {
            Value::Map(_) | Value::List(_) | Value::Null => self.key_place(),
            _ => self.value.place(),
        }
    }
}

/// The steps of a path as Kubernetes writes them in its own messages.
pub fn steps_of(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some((key, after)) = rest.strip_prefix("[\"").and_then(|rest| rest.split_once("\"]")) {
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            steps.push(index.parse().map_or_else(|_| Step::Key(index.to_owned()), Step::Index));
            rest = after;
        } else {
            let rest_of = rest.strip_prefix('.').unwrap_or(rest);
            // A lone bracket that is never closed belongs to the key.
            let skip = usize::from(rest_of.starts_with('['));
            let end = rest_of[skip..].find(['.', '[']).map_or(rest_of.len(), |end| end + skip);
            steps.push(Step::Key(rest_of[..end].to_owned()));
            rest = &rest_of[end..];
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_kubernetes_writes_them() {
        let rows = [
            ("", 0),
            ("spec", 1),
            ("spec.metrics[0].type", 4),
            ("metadata.labels[\"app.kubernetes.io/name\"]", 3),
            ("[2].x", 2),
            ("a[b", 2),
            ("[", 1),
            ("a..b", 3),
        ];
        for (path, count) in rows {
            assert_eq!(steps_of(path).len(), count, "{path:?}");
        }
        assert_eq!(steps_of("a[1].b")[1], Step::Index(1));
    }
}
