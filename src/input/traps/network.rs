//! Traps of Services.

use super::budgets::maybe_custom;
use super::{One, Subject};
use crate::input::manifest::set::ManifestService;
use crate::input::manifest::trees::Tree;
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::source::{Node, Value, closest};

pub(super) fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let every: Vec<One<'_>> =
        subject.set.workloads.iter().enumerate().map(|(index, one)| subject.one(index, one)).collect();
    let mut found = Vec::new();
    for service in &subject.set.services {
        let Some(tree) = subject.trees.find("Service", &service.namespace, &service.name) else { continue };
        let leads = |one: &&One<'_>| one.services.iter().any(|its| std::ptr::eq(*its, service));
        let behind: Vec<&One<'_>> = every.iter().filter(leads).collect();
        if behind.is_empty() {
            found.extend(nothing(subject, service, tree));
        } else {
            found.extend(ports(service, tree, &behind));
        }
    }
    found
}

fn nothing(subject: &Subject<'_>, service: &ManifestService, tree: &Tree) -> Option<Problem> {
    let selector = service.selector.as_ref().filter(|_| service.external_name.is_none())?;
    let here = || subject.set.workloads.iter().filter(|one| one.namespace == service.namespace);
    let message = format!("Service `{}` selects no pods of what was given", service.name);
    let problem = Problem::trap(&rules::SERVICE_NOTHING, message).at(tree.place("spec.selector"));
    let elsewhere = subject.set.workloads.iter().find(|one| selector.matches(&one.template.labels));
    let values = || here().flat_map(|one| one.template.labels.iter());
    let near = selector.match_labels.iter().find_map(|(key, value)| {
        let known = values().filter(|(other, _)| *other == key).map(|(_, value)| value.as_str());
        Some((key, closest(value, known)?)).filter(|(_, near)| near != value)
    });
    let help = match (elsewhere, near) {
        (Some(one), _) => format!("such pods are in namespace `{}`, those of `{}`", one.namespace, one.name),
        (None, Some((key, value))) => format!("did you mean `{key}: {value}`?"),
        (None, None) => {
            "select the labels of the pods' template, or give the manifest that makes them".to_owned()
        }
    };
    Some(maybe_custom(subject, problem.help(help)))
}

/// Ports whose `targetPort` is a name that no container of the pods gives, or a
/// number other than all that they give.
fn ports(service: &ManifestService, tree: &Tree, behind: &[&One<'_>]) -> Vec<Problem> {
    let ports = tree.node.at("spec.ports").map(Node::items).unwrap_or_default();
    let mut found = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let Some(wanted) = port.get("targetPort").and_then(Node::as_str) else {
            let path = format!("spec.ports[{index}]");
            found.extend(behind.iter().filter_map(|one| undeclared(service, tree, &path, one)));
            continue;
        };
        if wanted.parse::<u16>().is_ok() {
            continue;
        }
        for one in behind {
            let names = port_names(one);
            if names.iter().any(|name| name == wanted) {
                continue;
            }
            let message = format!(
                "Service `{}` sends to port `{wanted}`, which no container of {} names",
                service.name,
                one.who()
            );
            let help = match closest(wanted, names.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None if names.is_empty() => "name the container's port, or give its number here".to_owned(),
                None => format!("the ports are called {}; give one of them or its number", names.join(", ")),
            };
            let place = tree.place(&format!("spec.ports[{index}].targetPort"));
            found.push(Problem::trap(&rules::TARGET_PORT, message).at(place).help(help));
        }
    }
    found
}

/// A number that no container declares, where they declare others. Declaring a port
/// opens nothing, so the process may listen there all the same.
fn undeclared(service: &ManifestService, tree: &Tree, path: &str, one: &One<'_>) -> Option<Problem> {
    // Clients of a headless Service ask the pods themselves.
    if tree.node.at("spec.clusterIP").and_then(Node::as_str) == Some("None") {
        return None;
    }
    let number = |node: Option<&Node>| match node?.value {
        Value::Int(number) => Some(number),
        _ => None,
    };
    let port = tree.node.at(path)?;
    let (key, wanted) = match number(port.get("targetPort")) {
        Some(wanted) => ("targetPort", wanted),
        None => ("port", number(port.get("port"))?),
    };
    let declared: Vec<i64> =
        container_ports(one).iter().filter_map(|port| number(port.get("containerPort"))).collect();
    if declared.is_empty() || declared.contains(&wanted) {
        return None;
    }
    let all: Vec<String> = declared.iter().map(ToString::to_string).collect();
    let message = format!(
        "Service `{}` sends to port {wanted}, and the containers of {} declare {}",
        service.name,
        one.who(),
        all.join(", ")
    );
    let help = format!("add `targetPort: {}`, or declare {wanted} where the process listens there", all[0]);
    let place = tree.place(&format!("{path}.{key}"));
    Some(Problem::trap(&rules::TARGET_PORT, message).at(place).help(help).as_bad_as(Severity::Warning))
}

/// The names of a workload's container ports.
fn port_names(one: &One<'_>) -> Vec<String> {
    let ports = container_ports(one);
    ports.iter().filter_map(|port| port.get("name").and_then(Node::as_str).map(str::to_owned)).collect()
}

/// A workload's container ports as they are written, sidecars' among them.
fn container_ports(one: &One<'_>) -> Vec<Node> {
    let Some(pod) = one.tree.and_then(|tree| tree.node.at(one.pod_path())) else { return Vec::new() };
    let items = |node: &Node, key: &str| node.get(key).map(Node::items).unwrap_or_default().to_vec();
    let containers = items(pod, "containers").into_iter().chain(items(pod, "initContainers"));
    containers.flat_map(|container| items(&container, "ports")).collect()
}
