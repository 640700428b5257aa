//! Traps of probes.

use super::One;
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::probe::{Handler, Probe};
use crate::scenario::{Container, Kind};
use crate::source::{Node, Value, closest};
use crate::units::figures::seconds;
use crate::units::{MilliCpu, SimDuration};

pub(super) fn of(one: &One<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, (path, container)) in one.containers().enumerate() {
        found.extend(alike(one, &path, container));
        found.extend(short_timeout(one, &path, container));
        found.extend(unnamed_ports(one, &path, container));
        // The model is about the first container.
        if index == 0 {
            found.extend(killed(one, &path, container));
        }
    }
    found.extend(no_readiness(one));
    found
}

/// From the first failure on, until a probe gives up at the latest.
fn patience(probe: &Probe) -> SimDuration {
    probe.period * u64::from(probe.failure_threshold)
}

/// Liveness that asks what readiness asks, and isn't more patient by much. What
/// a `tcpSocket` asks the kernel answers, however busy the process is.
fn alike(one: &One<'_>, path: &str, container: &Container) -> Option<Problem> {
    /// A pod that is slow for so long may be killed.
    const SHORT: SimDuration = SimDuration::from_secs(30);
    let (liveness, readiness) = (container.liveness.as_ref()?, container.readiness.as_ref()?);
    let handler = |probe: &str| {
        let path = format!("{}.{path}.{probe}", one.pod_path());
        let node = one.tree?.node.at(&path)?;
        let key = ["httpGet", "grpc", "exec"].into_iter().find(|key| node.get(key).is_some())?;
        Some((key, says(node.get(key)?)))
    };
    let same = handler("livenessProbe").is_some() && handler("livenessProbe") == handler("readinessProbe");
    if !same || patience(liveness) > SHORT.max(patience(readiness)) {
        return None;
    }
    let message = format!("{}: liveness of `{}` asks the same as readiness", one.who(), container.name);
    let why = format!(
        "when answers take longer than {} for {}, the pod is out of its Service after {}, and killed after {}",
        liveness.timeout,
        patience(liveness),
        patience(readiness),
        patience(liveness),
    );
    let help = "let liveness ask something that only a hung process fails, or give it a failureThreshold that \
                outlasts an overload (such as 12)";
    let place = one.pod_place(&format!("{path}.livenessProbe"));
    Some(Problem::trap(&rules::LIVENESS_LIKE_READINESS, message).at(place).why(why).help(help))
}

/// What a node says, wherever it stands.
fn says(node: &Node) -> String {
    match &node.value {
        Value::Map(entries) => {
            let mut all: Vec<String> =
                entries.iter().map(|entry| format!("{:?}:{}", entry.key, says(&entry.value))).collect();
            all.sort();
            format!("{{{}}}", all.join(","))
        }
        Value::List(items) => format!("[{}]", items.iter().map(says).collect::<Vec<_>>().join(",")),
        other => format!("{other:?}"),
    }
}

fn short_timeout(one: &One<'_>, path: &str, container: &Container) -> Option<Problem> {
    let limit = container.limits.cpu.filter(|limit| *limit < MilliCpu(1_000) && *limit > MilliCpu::ZERO)?;
    let short = |probe: &&Probe| probe.timeout <= SimDuration::from_secs(1) && probe.handler != Handler::Tcp;
    let probes = [
        ("livenessProbe", container.liveness.as_ref(), Severity::Warning, "restarts it"),
        ("readinessProbe", container.readiness.as_ref(), Severity::Note, "takes it out of its Service"),
    ];
    let (field, probe, severity, does) = probes
        .into_iter()
        .find_map(|(field, probe, severity, does)| Some((field, probe.filter(short)?, severity, does)))?;
    let message = format!("{}: {field} of `{}` times out after {}", one.who(), container.name, probe.timeout);
    let why = format!(
        "at a limit of {limit} the container has {} of CPU in these {}: a backlog of so much, or a garbage \
         collection, makes the probe late; {} in a row, and that {does}",
        seconds(limit.as_cores() * probe.timeout.as_secs_f64()),
        seconds(probe.timeout.as_secs_f64()),
        probe.failure_threshold,
    );
    let problem = Problem::trap(&rules::PROBE_TIMEOUT, message).why(why).as_bad_as(severity);
    let place = one.pod_place(&format!("{path}.{field}"));
    Some(problem.at(place).help("say `timeoutSeconds: 5`, or leave the CPU limit out"))
}

/// Ports by names that the container itself doesn't give.
fn unnamed_ports(one: &One<'_>, path: &str, container: &Container) -> Vec<Problem> {
    let Some(node) = one.tree.and_then(|tree| tree.node.at(&format!("{}.{path}", one.pod_path()))) else {
        return Vec::new();
    };
    let ports = node.get("ports").map(Node::items).unwrap_or_default();
    let names: Vec<&str> = ports.iter().filter_map(|port| port.get("name")?.as_str()).collect();
    let probes = ["startupProbe", "readinessProbe", "livenessProbe"];
    let asked = probes.into_iter().flat_map(|probe| ["httpGet", "tcpSocket"].map(|handler| (probe, handler)));
    let unnamed = asked.filter_map(|(probe, handler)| {
        let field = format!("{probe}.{handler}.port");
        let port = node.at(&field)?.as_str().filter(|port| port.parse::<u16>().is_err())?;
        if names.contains(&port) {
            return None;
        }
        let message = format!(
            "{}: {probe} of `{}` asks port `{port}`, which the container doesn't name",
            one.who(),
            container.name
        );
        let help = match closest(port, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "name the container's port so, or give its number here".to_owned(),
        };
        let why = match probe {
            "livenessProbe" => "the kubelet throws its result away, so that no hung process is restarted",
            _ => "the kubelet throws its result away, and the pod never becomes ready",
        };
        let place = one.pod_place(&format!("{path}.{field}"));
        Some(Problem::trap(&rules::PROBE_PORT, message).why(why).at(place).help(help))
    });
    unnamed.collect()
}

/// Whether start-up outlasts the first probe that can kill.
fn killed(one: &One<'_>, path: &str, container: &Container) -> Option<Problem> {
    let (usual, slow) = one.start_up()?;
    let (field, probe) = match (&container.startup, &container.liveness) {
        (Some(probe), _) => ("startupProbe", probe),
        (None, Some(probe)) => ("livenessProbe", probe),
        (None, None) => return None,
    };
    let given = probe.initial_delay + probe.period * u64::from(probe.failure_threshold.saturating_sub(1));
    let given = given.as_secs_f64();
    if slow <= given {
        return None;
    }
    let (takes, severity) = if usual > given {
        (format!("usually takes {}", seconds(usual)), Severity::Error)
    } else {
        (format!("takes {} once in a hundred times", seconds(slow)), Severity::Warning)
    };
    let name = &container.name;
    let message =
        format!("{}: `{name}` {takes} to start, its {field} gives it {}", one.who(), seconds(given));
    let tries = (slow / probe.period.as_secs_f64()).ceil() as u64 + 1;
    let help = format!(
        "give it a `startupProbe` with `periodSeconds: {}` and `failureThreshold: {}`",
        probe.period.as_secs_f64(),
        2 * tries
    );
    let problem = Problem::trap(&rules::START_UP_KILLED, message).as_bad_as(severity);
    Some(problem.at(one.pod_place(&format!("{path}.{field}"))).help(help))
}

fn no_readiness(one: &One<'_>) -> Option<Problem> {
    let service = one.services.first()?;
    let template = &one.workload.template;
    let sidecars = template.init_containers.iter().filter(|container| container.sidecar);
    let probed = template.containers.iter().chain(sidecars).any(|container| container.readiness.is_some());
    if probed || one.workload.kind == Kind::Job {
        return None;
    }
    let message = format!("{} has no readinessProbe, and Service `{}` leads to it", one.who(), service.name);
    let mut problem = Problem::trap(&rules::NO_READINESS, message).at(one.pod_place("containers[0].name"));
    if let Some((usual, _)) = one.start_up().filter(|(usual, _)| *usual >= 0.05) {
        let why = format!(
            "each new pod gets requests for the {} that it takes to start, and refuses them",
            seconds(usual)
        );
        problem = problem.why(why);
    }
    Some(problem.help("give the container a `readinessProbe` that asks what its requests need"))
}
