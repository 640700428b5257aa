//! Which pods a scoped ResourceQuota counts.
//!
//! Upstream: `podMatchesScopeFunc` in `pkg/quota/v1/evaluator/core/pods.go`.

use super::One;
use crate::scenario::Container;
use crate::source::{Node, Value};

/// One scope of a quota; a pod has to match all of them.
pub(super) enum Scope {
    /// `Terminating` or, if false, `NotTerminating`: `activeDeadlineSeconds` is set.
    Terminating(bool),
    /// `BestEffort` or, if false, `NotBestEffort`: no container states CPU or memory.
    BestEffort(bool),
    /// The pods of these priority classes or, if false, of others.
    PriorityClass(bool, Vec<String>),
    /// A pod that names a priority class or, if false, names none.
    HasPriorityClass(bool),
}

/// The scopes of a quota; `None` where one of them is unknown.
pub(super) fn of(quota: &Node) -> Option<Vec<Scope>> {
    let plain = quota.at("spec.scopes").map(Node::items).unwrap_or_default().iter();
    let selected = quota.at("spec.scopeSelector.matchExpressions").map(Node::items).unwrap_or_default();
    let plain = plain.map(|name| scope(name.as_str()?, "Exists", Vec::new()));
    let selected = selected.iter().map(|node| {
        let text = |key: &str| node.get(key).and_then(Node::as_str);
        let values = node.get("values").map(Node::items).unwrap_or_default().iter();
        let values = values.filter_map(Node::as_str).map(str::to_owned).collect();
        scope(text("scopeName")?, text("operator")?, values)
    });
    plain.chain(selected).collect()
}

fn scope(name: &str, operator: &str, values: Vec<String>) -> Option<Scope> {
    Some(match (name, operator) {
        ("Terminating", "Exists") => Scope::Terminating(true),
        ("NotTerminating", "Exists") => Scope::Terminating(false),
        ("BestEffort", "Exists") => Scope::BestEffort(true),
        ("NotBestEffort", "Exists") => Scope::BestEffort(false),
        ("PriorityClass", "Exists") => Scope::HasPriorityClass(true),
        ("PriorityClass", "DoesNotExist") => Scope::HasPriorityClass(false),
        ("PriorityClass", "In") => Scope::PriorityClass(true, values),
        ("PriorityClass", "NotIn") => Scope::PriorityClass(false, values),
        // Pods that look into other namespaces, and whatever comes after this release.
        _ => return None,
    })
}

impl Scope {
    /// Whether the quota counts a workload's pods, as far as this scope goes.
    pub(super) fn holds(&self, one: &One<'_>) -> bool {
        let field = |key: &str| one.tree.and_then(|tree| tree.node.at(one.pod_path())?.get(key));
        let class = field("priorityClassName").and_then(Node::as_str).filter(|name| !name.is_empty());
        match self {
            Self::Terminating(wanted) => {
                let ends =
                    field("activeDeadlineSeconds").is_some_and(|node| matches!(node.value, Value::Int(_)));
                ends == *wanted
            }
            Self::BestEffort(wanted) => {
                let template = &one.workload.template;
                let all = template.containers.iter().chain(&template.init_containers);
                all.into_iter().all(states_nothing) == *wanted
            }
            Self::PriorityClass(wanted, names) => {
                names.iter().any(|name| Some(name.as_str()) == class) == *wanted
            }
            Self::HasPriorityClass(wanted) => class.is_some() == *wanted,
        }
    }
}

fn states_nothing(container: &Container) -> bool {
    let nothing = |one: &crate::k8s::resources::Resources| one.cpu.is_none() && one.memory.is_none();
    nothing(&container.requests) && nothing(&container.limits)
}
