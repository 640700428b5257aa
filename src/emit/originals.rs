//! The user's files, and the objects in them.

use serde_json::Value;

use super::{Fault, describe};
use crate::change::{Added, ChangeSet, Edit, Edited, ObjectName, apply, value_of};
use crate::source::{Node, SourceId, Sources, Step, parse, steps_of};

/// The user's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originals {
    /// Path, relative to the folder that they are read from, and text.
    pub texts: Vec<(String, String)>,
}

/// The files, read.
pub(super) struct Read {
    pub sources: Sources,
    pub files: Vec<File>,
}

/// One of them.
pub(super) struct File {
    pub id: SourceId,
    pub documents: Vec<Node>,
    /// What no reader can make sense of.
    pub faults: Vec<Fault>,
}

/// An object in a file.
#[derive(Clone)]
pub(super) struct Found<'a> {
    pub file: usize,
    /// Which document of it.
    pub document: usize,
    /// The way from the document to the object; none but in lists.
    pub steps: Vec<Step>,
    pub name: ObjectName,
    pub node: &'a Node,
}

impl Read {
    pub(super) fn new(originals: &Originals) -> Self {
        let mut sources = Sources::new();
        let mut files = Vec::new();
        for (path, text) in &originals.texts {
            let id = sources.add(path.clone(), text.clone());
            let (documents, faults) = parse(&sources, id);
            let faults = faults.into_iter().filter(|fault| !fault.harmless);
            let faults = faults.map(|fault| Fault::new(fault.message).at(sources.describe(&fault.place)));
            files.push(File { id, documents, faults: faults.collect() });
        }
        Self { sources, files }
    }

    /// All objects, in the files' order.
    pub(super) fn objects(&self) -> Vec<Found<'_>> {
        let in_file = |(file, one): (usize, &'_ File)| {
            let count = one.documents.len();
            (0..count).map(move |document| (file, document)).collect::<Vec<_>>()
        };
        let documents = self.files.iter().enumerate().flat_map(in_file);
        documents.flat_map(|(file, document)| self.objects_of(file, document)).collect()
    }

    fn objects_of(&self, file: usize, document: usize) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        gather(&self.files[file].documents[document], &mut Vec::new(), &mut |steps, name, node| {
            found.push(Found { file, document, steps: steps.to_vec(), name, node });
        });
        found
    }

    /// The one object that this name means.
    pub(super) fn find<'a>(&self, objects: &[Found<'a>], name: &ObjectName) -> Result<Found<'a>, Fault> {
        let found: Vec<_> = objects.iter().filter(|one| one.name == *name).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Fault::new(format!("{} is in none of the files", describe(name)))),
            [first, second, ..] => {
                let message = format!("{} is given twice", describe(name));
                let first = self.sources.describe(&first.node.head());
                let fault = Fault::new(message).at(self.sources.describe(&second.node.head()));
                Err(fault.help(format!("the other one is at {first}; remove one of them")))
            }
        }
    }

    /// All objects with their edits carried out, in the files' order; what can't
    /// be carried out is a fault. So is what can't be read.
    pub(super) fn edited(&self, changes: &ChangeSet) -> Result<Vec<(Found<'_>, Value)>, Vec<Fault>> {
        let objects = self.objects();
        let mut faults: Vec<Fault> = self.files.iter().flat_map(|file| file.faults.clone()).collect();
        let lost = changes.edited.iter().filter_map(|edited| self.find(&objects, &edited.object).err());
        faults.extend(lost);
        let mut result = Vec::new();
        for found in objects {
            let edited = changes.edited.iter().find(|edited| edited.object == found.name);
            match edited.map_or_else(|| Ok(value_of(found.node)), |edited| self.after(&found, edited)) {
                Ok(value) => result.push((found, value)),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(result) } else { Err(faults) }
    }

    /// An object with its edits carried out.
    pub(super) fn after(&self, found: &Found<'_>, edited: &Edited) -> Result<Value, Fault> {
        let mut value = value_of(found.node);
        for edit in &edited.edits {
            if let Err(why) = leads_somewhere(&value, edit) {
                let message = format!("`{}` of {} {why}", edit.path, describe(&found.name));
                return Err(Fault::new(message).at(self.sources.describe(&found.node.nearest(&edit.path))));
            }
            apply(&mut value, std::slice::from_ref(edit));
        }
        Ok(value)
    }
}

/// Lists in lists are looked into as deep as this.
const NESTED: usize = 4;

/// Hands over every object that a document holds: itself, or the items of a list.
fn gather<'a>(node: &'a Node, steps: &mut Vec<Step>, take: &mut impl FnMut(&[Step], ObjectName, &'a Node)) {
    let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
    let listed = node.get("items").filter(|_| kind.ends_with("List"));
    if node.items().is_empty() && listed.is_none() {
        if let Some(name) = ObjectName::of(node) {
            take(steps, name, node);
        }
        return;
    }
    let before = steps.len();
    steps.extend(listed.map(|_| Step::Key("items".to_owned())));
    for (index, item) in listed.unwrap_or(node).items().iter().enumerate() {
        steps.push(Step::Index(index));
        match name_by_list(node, item) {
            Some(name) => take(steps, name, item),
            None if steps.len() < NESTED => gather(item, steps, take),
            None => {}
        }
        steps.pop();
    }
    steps.truncate(before);
}

/// An item of a `DeploymentList` need not say that it is a Deployment.
fn name_by_list(list: &Node, item: &Node) -> Option<ObjectName> {
    if item.get("kind").is_some() {
        return None;
    }
    let text = |node: &Node, path: &str| node.at(path).and_then(Node::as_str).map(str::to_owned);
    let kind = text(list, "kind")?.strip_suffix("List").filter(|kind| !kind.is_empty())?.to_owned();
    let namespace = text(item, "metadata.namespace").filter(|name| !name.is_empty());
    Some(ObjectName {
        api_version: text(list, "apiVersion")?,
        kind,
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        name: text(item, "metadata.name")?,
    })
}

/// Whether an edit can be carried out on this value, and if not, why.
fn leads_somewhere(value: &Value, edit: &Edit) -> Result<(), &'static str> {
    let steps = steps_of(&edit.path);
    if steps.is_empty() {
        return Err("is no path");
    }
    let mut at = Some(value);
    for (index, step) in steps.iter().enumerate() {
        at = match (step, at) {
            (Step::Key(_), None | Some(Value::Null)) => None,
            (Step::Key(key), Some(Value::Object(entries))) => entries.get(key),
            (Step::Key(_), Some(_)) => return Err("leads through something that is no mapping"),
            (Step::Index(at), Some(Value::Array(items))) => match items.get(*at) {
                Some(item) => Some(item),
                None => return Err("leads beyond the end of a list"),
            },
            (Step::Index(_), _) => return Err("leads through something that is no list"),
        };
        let is_last = index + 1 == steps.len();
        if is_last && at.is_none() && edit.to.is_none() && matches!(step, Step::Index(_)) {
            return Err("is not there to be removed");
        }
    }
    Ok(())
}

/// The name of an object that is added.
pub(super) fn name_of(added: &Added) -> Option<ObjectName> {
    let text = |pointer: &str| added.object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let namespace = text("/metadata/namespace").filter(|name| !name.is_empty());
    Some(ObjectName {
        api_version: text("/apiVersion")?,
        kind: text("/kind")?,
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        name: text("/metadata/name")?,
    })
}

/// The names of all that is added; an object without one is a fault.
pub(super) fn names_of(added: &[Added]) -> Result<Vec<(ObjectName, &Added)>, Vec<Fault>> {
    let (mut named, mut faults) = (Vec::new(), Vec::new());
    for one in added {
        match name_of(one) {
            Some(name) => named.push((name, one)),
            None => faults.push(Fault::new("an added object has no apiVersion, kind or name")),
        }
    }
    if faults.is_empty() { Ok(named) } else { Err(faults) }
}
