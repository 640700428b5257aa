//! Node selectors and node affinity: what a pod demands of a node's labels, and
//! what it prefers.
//!
//! Upstream: `pkg/scheduler/framework/plugins/nodeaffinity`,
//! `staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity`.

use crate::k8s::labels::Labels;
use crate::k8s::placement::{NodeTerm, Wishes};

/// The one field that terms may name.
const NAME_FIELD: &str = "metadata.name";

impl NodeTerm {
    /// Whether a node of this name and these labels satisfies the term. A term
    /// that says nothing is satisfied by no node.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        if self.labels.is_empty() && self.fields.is_empty() {
            return false;
        }
        let fields_hold = self.fields.is_empty() || {
            let fields = Labels::from([(NAME_FIELD.to_owned(), name.to_owned())]);
            self.fields.iter().all(|one| one.matches(&fields))
        };
        fields_hold && self.labels.iter().all(|one| one.matches(labels))
    }
}

impl Wishes {
    /// Whether the node selector and the required node affinity allow a node.
    pub fn allow_node(&self, name: &str, labels: &Labels) -> bool {
        self.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self
                .required_nodes
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }
}

/// The sum of the weights of the preferred terms that the node satisfies. An
/// empty preferred term matches nothing and a weight of zero adds nothing.
pub fn score(preferred: &[(i32, NodeTerm)], name: &str, labels: &Labels) -> i64 {
    let held = preferred.iter().filter(|(_, term)| term.matches(name, labels));
    held.map(|(weight, _)| i64::from(*weight)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::labels::{Operator, Requirement};

    fn wants(key: &str, value: &str) -> Requirement {
        Requirement { key: key.into(), operator: Operator::In, values: vec![value.into()] }
    }

    #[test]
    fn terms_are_alternatives_and_their_conditions_are_not() {
        let labels = Labels::from([("disk".into(), "ssd".into()), ("zone".into(), "a".into())]);
        let both = NodeTerm { labels: vec![wants("disk", "ssd"), wants("zone", "b")], fields: vec![] };
        let named = NodeTerm { labels: vec![], fields: vec![wants(NAME_FIELD, "one")] };
        let rows = [
            (None, true),
            (Some(vec![]), false),
            (Some(vec![NodeTerm::default()]), false),
            (Some(vec![both.clone()]), false),
            (Some(vec![both, named]), true),
        ];
        for (required_nodes, expected) in rows {
            let wishes = Wishes { required_nodes, ..Wishes::default() };
            assert_eq!(wishes.allow_node("one", &labels), expected, "{wishes:?}");
        }
    }
}
