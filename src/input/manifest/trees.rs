//! The objects of the manifests as they are written, for whoever has to point at
//! a field, or reads one that no simulation needs.

use super::object;
use crate::input::problem;
use crate::source::{Node, Place, Sources};

/// All objects as written, in file order.
#[derive(Clone, Debug, Default)]
pub struct Trees {
    objects: Vec<Tree>,
}

/// One object as written.
#[derive(Clone, Debug)]
pub struct Tree {
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The whole of it.
    pub node: Node,
}

impl Trees {
    /// The objects of all texts. What doesn't read is left out: the reader of
    /// manifests has told of it.
    pub fn of(sources: &Sources) -> Self {
        let mut told = Vec::new();
        let documents: Vec<Node> =
            sources.ids().flat_map(|id| problem::parse(sources, id, &mut told)).collect();
        let objects = object::objects(&documents, &mut told).into_iter().map(|object| Tree {
            node: object.node.clone(),
            kind: object.kind,
            namespace: object.namespace,
            name: object.name,
        });
        Self { objects: objects.collect() }
    }

    /// All of them.
    pub fn all(&self) -> &[Tree] {
        &self.objects
    }

    /// The objects of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Tree> {
        self.objects.iter().filter(move |tree| tree.kind == kind)
    }

    /// One object; the first where several have the name.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Tree> {
        let wanted = (kind, namespace, name);
        self.objects.iter().find(|tree| (&*tree.kind, &*tree.namespace, &*tree.name) == wanted)
    }

    /// Whether there are custom resources, whose operators make pods of their own.
    pub fn has_custom_resources(&self) -> bool {
        self.objects.iter().any(|tree| {
            let version = tree.node.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            group.contains('.') && !group.ends_with(".k8s.io")
        })
    }
}

impl Tree {
    /// The place of a field, or of what would hold it.
    pub fn place(&self, path: &str) -> Place {
        self.node.nearest(path)
    }

    /// Whether the API server wrote it: it says then what is, not what was asked for.
    pub fn is_live(&self) -> bool {
        self.node.at("metadata.uid").is_some() || self.node.at("metadata.resourceVersion").is_some()
    }
}
