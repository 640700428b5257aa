//! Labels and label selectors, as every Kubernetes object uses them.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/labels/selector.go` and
//! `pkg/apis/meta/v1/helpers.go`.

use std::collections::BTreeMap;

/// Key and value pairs on an object.
pub type Labels = BTreeMap<String, String>;

/// A label selector: every pair and every expression must hold. The empty
/// selector matches everything; what an *absent* selector matches is up to the
/// field it is absent from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Pairs that must be present exactly.
    pub match_labels: Labels,
    /// Conditions on one key each.
    pub expressions: Vec<Requirement>,
}

/// One condition of a selector on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold of its value.
    pub operator: Operator,
    /// The values that the operator compares with.
    pub values: Vec<String>,
}

/// The operators of label selectors and of node selector terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The key is present with one of the values.
    In,
    /// The key is absent, or its value is none of these.
    NotIn,
    /// The key is present.
    Exists,
    /// The key is absent.
    DoesNotExist,
    /// The value is an integer above the one given (node selectors only).
    Gt,
    /// The value is an integer below the one given (node selectors only).
    Lt,
}

impl Selector {
    /// The selector that asks for exactly these pairs.
    pub fn of(match_labels: Labels) -> Self {
        Self { match_labels, expressions: Vec::new() }
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.expressions.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.expressions.iter().all(|one| one.matches(labels))
    }
}

impl Requirement {
    /// Whether the condition holds for these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = || value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compares(value, |ours, theirs| ours > theirs),
            Operator::Lt => self.compares(value, |ours, theirs| ours < theirs),
        }
    }

    /// A comparison of integers; false where either side is none.
    fn compares(&self, value: Option<&String>, holds: fn(i64, i64) -> bool) -> bool {
        let ours = value.and_then(|text| text.parse().ok());
        let theirs = self.values.first().and_then(|text| text.parse().ok());
        matches!((ours, theirs), (Some(ours), Some(theirs)) if holds(ours, theirs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_decides() {
        let labels = Labels::from([("app".into(), "web".into()), ("rank".into(), "5".into())]);
        let rows = [
            ("app", Operator::In, vec!["web", "api"], true),
            ("app", Operator::NotIn, vec!["web"], false),
            ("tier", Operator::NotIn, vec!["web"], true),
            ("app", Operator::Exists, vec![], true),
            ("tier", Operator::DoesNotExist, vec![], true),
            ("rank", Operator::Gt, vec!["4"], true),
            ("rank", Operator::Lt, vec!["4"], false),
            ("app", Operator::Gt, vec!["4"], false),
        ];
        for (key, operator, values, expected) in rows {
            let values = values.into_iter().map(String::from).collect();
            let one = Requirement { key: key.into(), operator, values };
            assert_eq!(one.matches(&labels), expected, "{one:?}");
        }
    }
}
