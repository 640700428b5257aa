//! What scheduling looks up by number: kinds with their selectors resolved, node
//! labels as topologies, and which kinds a selector means.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::PodTerm;
use crate::k8s::placement::objects::{KindId, NodeId, PodKind};

/// A domain number that means "the node has no such label".
const NO_DOMAIN: u32 = u32::MAX;

/// How many pods of a kind a node has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub all: u32,
    /// Those that aren't being deleted.
    pub live: u32,
}

/// A kind with its selectors resolved to numbers.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub kind: Arc<PodKind>,
    pub hard: Vec<Spread>,
    pub soft: Vec<Spread>,
    /// Whether `soft` are the cluster's defaults rather than the pod's own.
    pub soft_by_default: bool,
    pub required_affinity: Vec<Term>,
    pub required_anti: Vec<Term>,
    /// Preferred terms; anti-affinity has its weight negated.
    pub preferred: Vec<(i64, Term)>,
    pub images: Vec<u32>,
    /// Where its pods run.
    pub placed: BTreeMap<NodeId, Count>,
}

/// A spread constraint with its parts resolved.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent answers of the constraint")]
pub(super) struct Spread {
    pub max_skew: i64,
    pub min_domains: i64,
    pub topology: usize,
    pub hostname: bool,
    pub matcher: usize,
    /// Whether the pod itself is among those it is spread from.
    pub counts_itself: bool,
    pub ignore_node_affinity: bool,
    pub honor_taints: bool,
}

/// A pod affinity term with its parts resolved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub topology: usize,
    pub matcher: usize,
}

/// A node label as a way to group nodes.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub key: String,
    values: BTreeMap<String, u32>,
    of_node: Vec<u32>,
}

impl Topology {
    /// No node entered yet.
    pub(super) fn of(key: &str) -> Self {
        Self { key: key.to_owned(), values: BTreeMap::new(), of_node: Vec::new() }
    }

    /// The node's domain, `None` when it lacks the label.
    pub(super) fn domain(&self, node: NodeId) -> Option<usize> {
        match self.of_node[node] {
            NO_DOMAIN => None,
            domain => Some(domain as usize),
        }
    }

    /// How many domains were ever seen; what a table by domain needs.
    pub(super) fn domains(&self) -> usize {
        self.values.len()
    }

    /// Enters a node's label.
    pub(super) fn enter(&mut self, node: NodeId, labels: &Labels) {
        let next = self.values.len() as u32;
        let domain = labels
            .get(&self.key)
            .map_or(NO_DOMAIN, |value| *self.values.entry(value.clone()).or_insert(next));
        if node < self.of_node.len() {
            self.of_node[node] = domain;
        } else {
            self.of_node.push(domain);
        }
    }
}

/// A question about pods, asked once per kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Pods of this namespace that a selector selects; the empty one none.
    Spread { namespace: String, selector: Option<Selector> },
    /// Pods that an affinity term of a pod in this namespace means.
    Term { namespace: String, term: PodTerm },
}

/// A question with the kinds that it means.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub question: Question,
    /// The kinds meant.
    pub kinds: Vec<KindId>,
    /// Whether each kind is, by its id.
    pub hits: Vec<bool>,
}

impl Matcher {
    /// No kind asked about yet.
    pub(super) fn of(question: Question) -> Self {
        Self { question, kinds: Vec::new(), hits: Vec::new() }
    }

    /// Notes whether the next kind is meant.
    pub(super) fn ask(&mut self, id: KindId, kind: &PodKind, namespaces: &BTreeMap<String, Labels>) {
        let hit = self.question.means(kind, namespaces);
        self.hits.push(hit);
        if hit {
            self.kinds.push(id);
        }
    }
}

impl Question {
    fn means(&self, kind: &PodKind, namespaces: &BTreeMap<String, Labels>) -> bool {
        match self {
            Self::Spread { namespace, selector } => {
                kind.namespace == *namespace
                    && selector.as_ref().is_some_and(|one| !one.is_empty() && one.matches(&kind.labels))
            }
            Self::Term { namespace, term } => {
                term.covers(namespace, &kind.namespace, namespaces)
                    && term.selector.as_ref().is_some_and(|one| one.matches(&kind.labels))
            }
        }
    }
}
