//! Traps of LimitRanges and ResourceQuotas. Both act when pods are created: the
//! workload is accepted, and its pods never come.

use std::collections::BTreeMap;

use super::{One, Subject, nodes, scopes};
use crate::input::manifest::set::ManifestQuota;
use crate::input::manifest::trees::Tree;
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::admission::{
    Charge, Container, Hard, LimitBreach, LimitItem, LimitScope, Refused, Role, Usage, admit, apply_limits,
    charges,
};
use crate::k8s::placement::ResourceName;
use crate::k8s::quantity::Quantity;
use crate::k8s::resources::Resources;
use crate::scenario;
use crate::source::{Node, Value};
use crate::units::{Bytes, MilliCpu};

pub(super) fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    for range in subject.trees.of_kind("LimitRange") {
        let here = |one: &One<'_>| one.workload.namespace == range.namespace;
        for one in subject.workloads().filter(here) {
            found.extend(refused_by(range, &one));
        }
    }
    for quota in &subject.set.quotas {
        found.extend(quota_of(subject, quota));
    }
    found
}

/// A pod's containers as admission sees them.
fn containers(one: &One<'_>) -> Vec<Container> {
    let template = &one.workload.template;
    let of = |container: &scenario::Container, role| Container {
        name: container.name.clone(),
        requests: container.requests.clone(),
        limits: container.limits.clone(),
        role,
    };
    let init = template
        .init_containers
        .iter()
        .map(|container| of(container, if container.sidecar { Role::Sidecar } else { Role::Init }));
    init.chain(template.containers.iter().map(|container| of(container, Role::Main))).collect()
}

/// What a node of the YAML says as a quantity.
fn quantity(node: &Node) -> Option<Quantity> {
    match &node.value {
        Value::String(text) => text.parse().ok(),
        Value::Int(number) => number.to_string().parse().ok(),
        Value::Float(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// CPU and memory under a key of a LimitRange's item; other resources are not
/// simulated, and so not asked for.
fn amounts(item: &Node, key: &str) -> Resources {
    let of = |name: &str| item.get(key)?.get(name).and_then(quantity);
    Resources {
        cpu: of("cpu").map(Quantity::to_milli_cpu),
        memory: of("memory").map(Quantity::to_bytes),
        ..Resources::default()
    }
}

fn item(node: &Node) -> Option<LimitItem> {
    let scope = match node.get("type").and_then(Node::as_str)? {
        "Container" => LimitScope::Container,
        "Pod" => LimitScope::Pod,
        _ => return None,
    };
    let ratio =
        |name: &str| Some(quantity(node.get("maxLimitRequestRatio")?.get(name)?)?.nanos() as f64 / 1e9);
    let named = [(ResourceName::Cpu, "cpu"), (ResourceName::Memory, "memory")];
    let ratios: BTreeMap<ResourceName, f64> =
        named.into_iter().filter_map(|(resource, name)| Some((resource, ratio(name)?))).collect();
    let limit = LimitItem {
        min: amounts(node, "min"),
        max: amounts(node, "max"),
        default_limit: amounts(node, "default"),
        default_request: amounts(node, "defaultRequest"),
        max_ratio: ratios,
        ..LimitItem::of(scope)
    };
    Some(limit.with_defaults())
}

/// What a LimitRange says against a workload's pods.
fn refused_by(range: &Tree, one: &One<'_>) -> Vec<Problem> {
    let nodes = range.node.at("spec.limits").map(Node::items).unwrap_or_default();
    let items: Vec<LimitItem> = nodes.iter().filter_map(item).collect();
    let Err(breaches) = apply_limits(&mut containers(one), &items) else { return Vec::new() };
    // The reader of manifests has told of requests above their limits.
    let told = breaches.into_iter().filter(|breach| breach.why != LimitBreach::RequestAboveLimit);
    told.map(|breach| {
        let names = &one.workload.template.containers;
        let index = names.iter().position(|container| Some(&container.name) == breach.container.as_ref());
        let path = match index {
            Some(index) => format!("containers[{index}].resources"),
            None => "containers[0].resources".to_owned(),
        };
        let message = format!("{} breaks LimitRange `{}`: {breach}", one.who(), range.name);
        let help = match breach.why {
            LimitBreach::Ratio => "bring request and limit closer together",
            LimitBreach::NoRequest | LimitBreach::RequestBelowMin | LimitBreach::LimitBelowMin => {
                "ask for at least the minimum, or lower it in the LimitRange"
            }
            LimitBreach::NoLimit | LimitBreach::RequestAboveMax | LimitBreach::LimitAboveMax => {
                "stay within the maximum, or raise it in the LimitRange"
            }
            LimitBreach::RequestAboveLimit => "raise the limit",
        };
        Problem::trap(&rules::LIMIT_RANGE, message).at(one.pod_place(&path)).help(help)
    })
    .collect()
}

/// What a quota's name stands for, with its amount in our units.
fn charge(name: &str, amount: Quantity) -> Option<(Charge, u64)> {
    let (cpu, memory) = (amount.to_milli_cpu().0, amount.to_bytes().0);
    Some(match name {
        "pods" | "count/pods" => (Charge::Pods, memory),
        "cpu" | "requests.cpu" => (Charge::Requests(ResourceName::Cpu), cpu),
        "memory" | "requests.memory" => (Charge::Requests(ResourceName::Memory), memory),
        "limits.cpu" => (Charge::Limits(ResourceName::Cpu), cpu),
        "limits.memory" => (Charge::Limits(ResourceName::Memory), memory),
        _ => return None,
    })
}

/// Charges the pods of a quota's namespace, first the fewest of each workload and
/// then the most.
fn quota_of(subject: &Subject<'_>, quota: &ManifestQuota) -> Vec<Problem> {
    let scopes = subject
        .trees
        .find("ResourceQuota", &quota.namespace, &quota.name)
        .map_or_else(|| Some(Vec::new()), |tree| scopes::of(&tree.node));
    // One whose scope is unknown says nothing of anybody.
    let Some(scopes) = scopes else { return Vec::new() };
    let hard: Hard = quota.hard.iter().filter_map(|(name, amount)| charge(name, *amount)).collect();
    let here = |one: &One<'_>| {
        one.workload.namespace == quota.namespace && scopes.iter().all(|scope| scope.holds(one))
    };
    let ones: Vec<One<'_>> =
        subject.workloads().filter(here).filter_map(|one| counted(subject, one)).collect();
    let mut used = Usage::new();
    let mut found = Vec::new();
    let mut refused: Vec<usize> = Vec::new();
    for most in [false, true] {
        for one in &ones {
            let all = containers(one);
            let each = charges(&all, &one.workload.template.overhead);
            let more = if most { one.most - one.least.min(one.most) } else { one.least };
            for made in 0..more {
                if refused.contains(&one.index) {
                    break;
                }
                match admit(&all, &each, &used, &hard) {
                    Ok(()) => each
                        .iter()
                        .for_each(|(name, amount)| *used.entry(name.clone()).or_default() += amount),
                    Err(why) => {
                        refused.push(one.index);
                        let made = made + if most { one.least } else { 0 };
                        found.push(over(one, quota, &why, made, most));
                    }
                }
            }
        }
    }
    found
}

/// A workload with the pods that it is meant to have; nodes decide on a DaemonSet's,
/// and without them it is left out.
fn counted<'a>(subject: &Subject<'_>, mut one: One<'a>) -> Option<One<'a>> {
    if one.workload.kind == scenario::Kind::DaemonSet {
        let pods = nodes::daemon_pods(subject, &one)?;
        (one.least, one.most) = (pods, pods);
    }
    Some(one)
}

fn over(one: &One<'_>, quota: &ManifestQuota, why: &Refused, made: u32, most: bool) -> Problem {
    let (who, name) = (one.who(), &quota.name);
    match why {
        Refused::MustSpecify { container, charge } => {
            let charge = named(charge);
            let message = format!(
                "{who}: container `{container}` states no {charge}, which ResourceQuota `{name}` counts"
            );
            let problem =
                Problem::trap(&rules::QUOTA_UNNAMED, message).at(one.pod_place("containers[0].resources"));
            problem.help(format!(
                "state {charge} for every container, or give the namespace a LimitRange with a default"
            ))
        }
        Refused::Exceeded { charge, requested, used, hard } => {
            let (requested, used, hard) =
                (shown(charge, *requested), shown(charge, *used), shown(charge, *hard));
            let message = format!(
                "{who} gets {made} of {} pods: ResourceQuota `{name}` is full",
                if most { one.most } else { one.least }
            );
            let why = format!(
                "{} is limited to {hard}; {used} are taken when all workloads have {}, and a pod asks for {requested}",
                named(charge),
                if most { "their fewest pods and those before theirs" } else { "what comes before" },
            );
            let severity = if most { Severity::Warning } else { Severity::Error };
            let nobody_says = one.hpa.is_some() || one.workload.kind == scenario::Kind::DaemonSet;
            let place = one.place(if nobody_says { "metadata.name" } else { "spec.replicas" });
            let problem = Problem::trap(&rules::QUOTA, message).at(place).why(why).as_bad_as(severity);
            problem
                .help("raise the quota (a rollout's surge comes on top), request less, or lower the replicas")
        }
    }
}

fn named(charge: &Charge) -> String {
    match charge {
        Charge::Pods => "pods".to_owned(),
        Charge::Requests(name) => format!("requests.{name}"),
        Charge::Limits(name) => format!("limits.{name}"),
    }
}

fn shown(charge: &Charge, amount: u64) -> String {
    match charge {
        Charge::Requests(ResourceName::Cpu) | Charge::Limits(ResourceName::Cpu) => {
            MilliCpu(amount).to_string()
        }
        Charge::Requests(ResourceName::Memory) | Charge::Limits(ResourceName::Memory) => {
            Bytes(amount).to_string()
        }
        _ => amount.to_string(),
    }
}
