//! Our own files, decoded, each with the tree that knows where things stand.

use serde::de::DeserializeOwned;

use crate::input::cluster::ClusterFile;
use crate::input::findings::{Finding, Findings};
use crate::input::model::ModelFile;
use crate::input::policy::PolicyFile;
use crate::input::problem::{self, Problem, UnknownFields};
use crate::input::traffic::TrafficFile;
use crate::source::{Node, Place, SourceId, Sources};

/// One decoded file.
pub struct Document<T> {
    /// What it says.
    pub file: T,
    /// Where it says so.
    node: Node,
}

/// The files of one request; `None` where none was given.
#[derive(Default)]
pub struct Documents {
    /// `kind: Model`
    pub model: Option<Document<ModelFile>>,
    /// `kind: Traffic`
    pub traffic: Option<Document<TrafficFile>>,
    /// `kind: Policy`
    pub policy: Option<Document<PolicyFile>>,
    /// Whether that is the default application's own policy, asked for by nobody.
    pub policy_is_default: bool,
    /// `kind: Cluster`
    pub cluster: Option<Document<ClusterFile>>,
}

impl Documents {
    /// The texts of those that were given, by their usual names.
    pub fn texts(&self) -> Vec<(String, SourceId)> {
        let all = [
            ("model.yaml", self.model.as_ref().map(Document::node)),
            ("traffic.yaml", self.traffic.as_ref().map(Document::node)),
            ("policy.yaml", self.policy.as_ref().map(Document::node)),
            ("cluster.yaml", self.cluster.as_ref().map(Document::node)),
        ];
        all.into_iter().filter_map(|(name, node)| Some((name.to_owned(), node?.head().source))).collect()
    }
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
        let mut found = Findings::default();
        let result = resolve(&self.file, &mut found);
        assumed.assumptions.append(&mut found.assumptions);
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
