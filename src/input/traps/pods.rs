//! Traps of containers: what they ask for, what holds them, how they end.

use super::One;
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::hpa::{MetricSpec, ResourceName, ResourceTarget};
use crate::scenario::{Container, Kind};
use crate::units::SimDuration;
use crate::units::figures::{plural, seconds};

pub(super) fn of(one: &One<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(no_requests(one));
    found.extend(no_memory_limit(one));
    found.extend(throttled_start(one));
    found.extend(one.containers().filter_map(|(path, container)| latest(one, &path, container)));
    found.extend(no_pre_stop(one));
    found.extend(grace(one));
    found
}

/// The containers that lack something: where the first stands, and their names.
fn lacking(one: &One<'_>, lacks: impl Fn(&Container) -> bool) -> Option<(String, String)> {
    let all: Vec<(String, &Container)> = one.containers().filter(|(_, container)| lacks(container)).collect();
    let names: Vec<String> = all.iter().map(|(_, container)| format!("`{}`", container.name)).collect();
    Some((all.first()?.0.clone(), names.join(", ")))
}

fn no_requests(one: &One<'_>) -> Option<Problem> {
    // What an HPA divides by is an error of its own.
    let divided = |wanted: &ResourceName| {
        let metrics = one.hpa.map(|hpa| hpa.spec.metrics.as_slice()).unwrap_or_default();
        metrics.iter().any(|metric| match metric {
            MetricSpec::Resource { resource, container: None, target: ResourceTarget::Utilization(_) } => {
                resource == wanted
            }
            _ => false,
        })
    };
    let (by_cpu, by_memory) = (divided(&ResourceName::Cpu), divided(&ResourceName::Memory));
    let without = |container: &Container| {
        let requests = &container.requests;
        (requests.cpu.is_none() && !by_cpu, requests.memory.is_none() && !by_memory)
    };
    let (path, names) = lacking(one, |container| without(container) != (false, false))?;
    let all = one.containers().map(|(_, container)| without(container));
    let (cpu, memory) = all.fold((false, false), |(a, b), (cpu, memory)| (a || cpu, b || memory));
    let what = match (cpu, memory) {
        (true, true) => "CPU or memory",
        (true, false) => "CPU",
        _ => "memory",
    };
    let message = format!("{}: {names} requests no {what}", one.who());
    let place = one.pod_place(&format!("{path}.resources.requests"));
    let help = "request what it uses when it is busy: CPU at the mean, memory at the peak";
    Some(Problem::trap(&rules::NO_REQUESTS, message).at(or_name(one, &path, place)).help(help))
}

/// The container's name where it says nothing of resources: the place would else
/// be the head of the list.
fn or_name(one: &One<'_>, path: &str, place: crate::source::Place) -> crate::source::Place {
    let resources = format!("{}.{path}.resources", one.pod_path());
    let written = one.tree.is_some_and(|tree| tree.node.at(&resources).is_some());
    if written { place } else { one.pod_place(&format!("{path}.name")) }
}

fn no_memory_limit(one: &One<'_>) -> Option<Problem> {
    let (path, names) = lacking(one, |container| container.limits.memory.is_none())?;
    let message = format!("{}: {names} has no memory limit", one.who());
    let place = one.pod_place(&format!("{path}.resources"));
    let mut help = "give it a memory limit above its peak, best equal to its request".to_owned();
    if let Some(memory) = one.behaviour.map(|behaviour| behaviour.memory) {
        help = format!(
            "{help}; the model has {} at rest and {} for each request in progress",
            memory.base, memory.per_request
        );
    }
    Some(Problem::trap(&rules::NO_MEMORY_LIMIT, message).at(or_name(one, &path, place)).help(help))
}

fn throttled_start(one: &One<'_>) -> Option<Problem> {
    let (path, container) = one.containers().next()?;
    let (limit, work) = (container.limits.cpu?, one.behaviour?.start_up.cpu.mean());
    let cores = limit.as_cores();
    if cores <= 0.0 || cores >= 1.0 {
        return None;
    }
    let longer = work / cores - work;
    let severity = match longer {
        much if much >= 10.0 => Severity::Warning,
        some if some >= 1.0 => Severity::Note,
        _ => return None,
    };
    let message = format!(
        "{}: the CPU limit of {limit} makes the start of `{}` {} longer",
        one.who(),
        container.name,
        seconds(longer)
    );
    let why = format!(
        "start-up takes {} of CPU: {} on a whole core, {} under the limit",
        seconds(work),
        seconds(work),
        seconds(work / cores)
    );
    let problem = Problem::trap(&rules::START_UP_THROTTLED, message).why(why).as_bad_as(severity);
    let help =
        "leave the CPU limit out, or make it at least 1; the request decides on the pod's share anyway";
    Some(problem.at(one.pod_place(&format!("{path}.resources.limits.cpu"))).help(help))
}

fn latest(one: &One<'_>, path: &str, container: &Container) -> Option<Problem> {
    let image = container.image.as_str();
    let named = image.rsplit('/').next().unwrap_or_default();
    let moving =
        !image.is_empty() && !image.contains('@') && (named.ends_with(":latest") || !named.contains(':'));
    if !moving {
        return None;
    }
    let message = format!("{}: image `{image}` has no version", one.who());
    let problem = Problem::trap(&rules::LATEST, message).at(one.pod_place(&format!("{path}.image")));
    let stale = "nodes that have it keep what they have (IfNotPresent), new nodes pull what is newest";
    let problem = if container.always_pull { problem } else { problem.why(stale) };
    Some(problem.help("name a version, or a digest"))
}

fn no_pre_stop(one: &One<'_>) -> Option<Problem> {
    let hooked = one.containers().any(|(_, container)| container.pre_stop.is_some());
    let alone = matches!(one.workload.kind, Kind::Pod | Kind::Job | Kind::DaemonSet);
    if hooked || alone || !one.outside {
        return None;
    }
    let message = format!("{} is reached from outside and has no preStop hook", one.who());
    let place = one.pod_place("containers[0].name");
    let help = "`lifecycle: {preStop: {sleep: {seconds: 5}}}` (before Kubernetes 1.30 `exec: {command: [sleep, \"5\"]}`)";
    let mut problem = Problem::trap(&rules::NO_PRE_STOP, message).at(place).help(help);
    if let Some(behaviour) = one.behaviour {
        let drains = if behaviour.drains {
            "finishes the requests it has, and refuses new ones"
        } else {
            "drops the requests it has"
        };
        let each = plural(u64::from(one.least), "pod", "pods");
        let why = format!(
            "after SIGTERM each of its pods ({each} at least) {drains}, while proxies go on sending for 0.1 to 2 s and an \
             ingress for up to 5 s"
        );
        problem = problem.why(why);
    }
    Some(problem)
}

fn grace(one: &One<'_>) -> Option<Problem> {
    let grace = one.workload.template.grace;
    let hook = one.containers().filter_map(|(_, container)| container.pre_stop).map(|hook| hook.takes).max();
    let hook = hook.unwrap_or(SimDuration::ZERO);
    let shut_down = one.behaviour.map_or(SimDuration::ZERO, |behaviour| behaviour.shut_down);
    let needs = hook.saturating_add(shut_down);
    if needs < grace || (needs == grace && hook < grace) || needs == SimDuration::ZERO {
        return None;
    }
    let message = format!(
        "{} needs {needs} to end (preStop {hook}, shutting down {shut_down}), and has {grace}",
        one.who()
    );
    let help = format!("say `terminationGracePeriodSeconds: {}`", (needs.as_secs_f64() + 10.0).ceil());
    let place = one.pod_place("terminationGracePeriodSeconds");
    Some(Problem::trap(&rules::GRACE_TOO_SHORT, message).at(place).help(help))
}
