//! One of our own files, decoded, with the tree that knows where things stand.

use serde::de::DeserializeOwned;

use crate::input::findings::{Finding, Findings};
use crate::input::problem::{self, Problem, UnknownFields};
use crate::source::{Node, Place, SourceId, Sources};

/// One decoded file.
pub struct Document<T> {
    /// What it says.
    pub file: T,
    /// Where it says so.
    node: Node,
}

/// What our formats call themselves.
pub const API_VERSION: &str = "plan/v1alpha1";

impl<T: DeserializeOwned> Document<T> {
    /// Decodes the one document of a text, which must be of this kind.
    pub fn read(sources: &Sources, id: SourceId, kind: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let nodes: Vec<Node> = problem::parse(sources, id, problems);
        let [node] = nodes.as_slice() else {
            if problems.len() == before {
                let message = format!("{} holds {} documents", sources.name(id), nodes.len());
                let problem = Problem::error(message).help(format!("it must hold one, of kind {kind}"));
                let second = nodes.get(1).map(Node::head);
                problems.push(second.map_or(problem.clone(), |place| problem.at(place)));
            }
            return None;
        };
        for (key, wanted) in [("apiVersion", API_VERSION), ("kind", kind)] {
            if let Some(value) = node.get(key)
                && value.as_str() != Some(wanted)
            {
                let problem = Problem::error(format!("expected `{key}: {wanted}`")).at(value.place());
                problems.push(problem.help(format!("this file is read as a {kind}")));
                return None;
            }
        }
        let file = problem::decode(node, UnknownFields::Refuse, problems)?;
        Some(Self { file, node: node.clone() })
    }
}

impl<T: DeserializeOwned> Document<T> {
    /// Decodes a tree, or a part of one; paths are seen from there.
    pub fn of(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        let file = problem::decode(node, UnknownFields::Refuse, problems)?;
        Some(Self { file, node: node.clone() })
    }

    /// The same of a tree that holds more than this.
    pub fn partly(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let file = problem::decode(node, UnknownFields::Warn, problems);
        // What else it holds is somebody else's.
        let mut at = before;
        while at < problems.len() {
            if problems[at].is_error() {
                at += 1;
            } else {
                problems.remove(at);
            }
        }
        Some(Self { file: file?, node: node.clone() })
    }
}

impl<T> Document<T> {
    /// The whole of it as written.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where the field at a path stands.
    pub fn place(&self, path: &str) -> Place {
        self.node.nearest(path)
    }

    /// Runs `resolve`, puts what it assumes into `assumed` and what is wrong into
    /// `problems`.
    pub fn resolve<R>(
        &self,
        assumed: &mut Findings,
        problems: &mut Vec<Problem>,
        resolve: impl FnOnce(&T, &mut Findings) -> Option<R>,
    ) -> Option<R> {
        let mut found = assumed.beside();
        let result = resolve(&self.file, &mut found);
        assumed.take_over(&mut found);
        self.report(found, problems);
        result
    }

    /// Turns findings into problems at their places.
    pub fn report(&self, found: Findings, problems: &mut Vec<Problem>) {
        let at_place = |one: Finding| {
            let problem = Problem::error(one.message).at(self.node.nearest(&one.path));
            match one.help {
                Some(help) => problem.help(help),
                None => problem,
            }
        };
        let mut found: Vec<Problem> = found.problems.into_iter().map(at_place).collect();
        // As they stand in the file, not as they were looked for.
        found.sort_by_key(|problem| problem.place.as_ref().map(|place| place.span.start));
        problems.append(&mut found);
    }
}
