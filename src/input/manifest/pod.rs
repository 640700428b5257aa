//! Pod templates: containers, probes, hooks, volumes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container as ApiContainer, EmptyDirVolumeSource, Lifecycle, PodSpec, Probe as ApiProbe, Volume,
};

use super::cluster::Surroundings;
use super::object::Object;
use super::{Reading, placement, resources};
use crate::input::problem::Problem;
use crate::k8s::probe::{Handler, Probe};
use crate::scenario::{Container, Hook, NodeHold, PodTemplate};
use crate::units::SimDuration;

/// Labels and annotations of a pod.
pub(super) type Meta = (Option<BTreeMap<String, String>>, Option<BTreeMap<String, String>>);

/// A pod spec that stands at `path` of an object.
pub(super) fn template(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    (labels, annotations): Meta,
    spec: &PodSpec,
    around: &Surroundings,
) -> PodTemplate {
    if spec.containers.is_empty() {
        let help = "a pod needs a container; a patch for kustomize is no object of its own";
        reading.field(object, &format!("{path}.containers"), Problem::error("no containers").help(help));
    }
    if spec.resources.is_some() {
        let path = format!("{path}.resources");
        let note = "resources of the pod as a whole are not simulated; those of its containers are";
        reading.field(object, &path, Problem::warning(note));
    }
    let restart = spec.restart_policy.as_deref().unwrap_or("Always");
    let choices = [("Always", true), ("OnFailure", false), ("Never", false)];
    let restart_always = reading.choice(object, &format!("{path}.restartPolicy"), restart, &choices);
    let overhead = spec.overhead.clone().unwrap_or_default();
    let overhead = resources::amounts(reading, object, &format!("{path}.overhead"), &overhead);
    let mut all = |field: &str, containers: &[ApiContainer]| -> Vec<Container> {
        let each = containers.iter().enumerate();
        each.map(|(index, one)| container(reading, object, &format!("{path}.{field}[{index}]"), one, around))
            .collect()
    };
    let containers = all("containers", &spec.containers);
    let init_containers = all("initContainers", spec.init_containers.as_deref().unwrap_or_default());
    if init_containers.iter().any(|init| !init.sidecar) {
        let note = "init containers are taken to need a second each: what they do is not simulated";
        reading.field(object, &format!("{path}.initContainers"), Problem::note(note));
    }
    PodTemplate {
        labels: labels.unwrap_or_default(),
        containers,
        init_containers,
        overhead: resources::split(&overhead),
        wishes: placement::wishes(reading, object, path, spec, around),
        grace: seconds(spec.termination_grace_period_seconds.unwrap_or(30)),
        single_node_volume: spec.volumes.iter().flatten().any(|volume| holds_node(volume, object, around)),
        hold: node_hold(spec, &annotations.unwrap_or_default()),
        restart_always: restart_always.unwrap_or(true),
    }
}

/// Whether a volume is lost with its node. Upstream: `isLocalVolume` in
/// `cluster-autoscaler/utils/drain/drain.go`.
fn is_local(volume: &Volume) -> bool {
    let in_memory = |one: &EmptyDirVolumeSource| one.medium.as_deref() == Some("Memory");
    volume.host_path.is_some() || volume.empty_dir.as_ref().is_some_and(|one| !in_memory(one))
}

/// What holds a pod's node, by its volumes and its annotations.
fn node_hold(spec: &PodSpec, annotations: &BTreeMap<String, String>) -> NodeHold {
    let said = |key: &str| annotations.get(key).map(String::as_str);
    let bool_of = |key: &str| said(key).and_then(|text| text.parse::<bool>().ok());
    let let_go = said("cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes").unwrap_or_default();
    let is_let_go = |volume: &&Volume| let_go.split(',').any(|name| name.trim() == volume.name);
    let mut volumes = spec.volumes.iter().flatten().filter(|volume| !is_let_go(volume));
    NodeHold {
        local_storage: volumes.any(is_local),
        safe_to_evict: bool_of("cluster-autoscaler.kubernetes.io/safe-to-evict"),
        do_not_disrupt: bool_of("karpenter.sh/do-not-disrupt") == Some(true),
    }
}

/// Whether only one node at a time can mount a volume.
fn holds_node(volume: &Volume, object: &Object<'_>, around: &Surroundings) -> bool {
    let disk = volume.aws_elastic_block_store.is_some()
        || volume.gce_persistent_disk.is_some()
        || volume.azure_disk.is_some()
        || volume.cinder.is_some();
    let claim = volume.persistent_volume_claim.as_ref();
    let template = volume.ephemeral.as_ref().and_then(|one| one.volume_claim_template.as_ref());
    let modes = template.and_then(|template| template.spec.access_modes.as_ref());
    disk || claim.is_some_and(|claim| around.claim_holds_node(&object.namespace, &claim.claim_name))
        || modes.is_some_and(|modes| one_node(modes))
}

/// Whether access modes leave a volume to one node.
pub(super) fn one_node(modes: &[String]) -> bool {
    modes.iter().all(|mode| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod") && !modes.is_empty()
}

fn container(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    container: &ApiContainer,
    around: &Surroundings,
) -> Container {
    let ranges = around.limit_ranges(&object.namespace);
    let (requests, limits) = resources::of_container(reading, object, path, container, ranges);
    let image = container.image.clone().unwrap_or_default();
    let named = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && (named.ends_with(":latest") || !named.contains(':'));
    let default_pull = if latest { "Always" } else { "IfNotPresent" };
    let pull = container.image_pull_policy.as_deref().filter(|text| !text.is_empty()).unwrap_or(default_pull);
    let choices = [("Always", true), ("IfNotPresent", false), ("Never", false)];
    let always_pull = reading.choice(object, &format!("{path}.imagePullPolicy"), pull, &choices);
    let mut probe = |field: &str, one: &Option<ApiProbe>| {
        let path = format!("{path}.{field}");
        one.as_ref().and_then(|one| probe(reading, object, &path, one, field == "readinessProbe"))
    };
    let startup = probe("startupProbe", &container.startup_probe);
    let readiness = probe("readinessProbe", &container.readiness_probe);
    let liveness = probe("livenessProbe", &container.liveness_probe);
    let hook = container.lifecycle.as_ref();
    Container {
        name: container.name.clone(),
        image,
        requests,
        limits,
        startup,
        readiness,
        liveness,
        pre_stop: hook.and_then(|hook| pre_stop(reading, object, &format!("{path}.lifecycle.preStop"), hook)),
        sidecar: container.restart_policy.as_deref() == Some("Always"),
        always_pull: always_pull.unwrap_or(false),
    }
}

/// A probe after defaulting. Upstream: `pkg/apis/core/v1/defaults.go` fills in
/// what is 0.
fn probe(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    probe: &ApiProbe,
    readiness: bool,
) -> Option<Probe> {
    let handlers = [
        (probe.http_get.is_some(), Handler::Http),
        (probe.tcp_socket.is_some(), Handler::Tcp),
        (probe.grpc.is_some(), Handler::Grpc),
        (probe.exec.is_some(), Handler::Exec),
    ];
    let mut stated = handlers.iter().filter(|(stated, _)| *stated).map(|(_, handler)| *handler);
    let (first, second) = (stated.next(), stated.next());
    if second.is_some() {
        reading.field(object, path, Problem::error("more than one of httpGet, tcpSocket, grpc and exec"));
    }
    let Some(handler) = first else {
        let help = "give one of httpGet, tcpSocket, grpc and exec";
        reading.field(object, path, Problem::error("a probe without a handler").help(help));
        return None;
    };
    let mut number = |field: &str, value: Option<i32>, default: u32| {
        let value = value.unwrap_or(0);
        if value < 0 {
            reading.field(object, &format!("{path}.{field}"), Problem::error("must not be negative"));
        }
        u32::try_from(value).ok().filter(|value| *value > 0).unwrap_or(default)
    };
    let initial_delay = number("initialDelaySeconds", probe.initial_delay_seconds, 0);
    let period = number("periodSeconds", probe.period_seconds, 10);
    let timeout = number("timeoutSeconds", probe.timeout_seconds, 1);
    let success_threshold = number("successThreshold", probe.success_threshold, 1);
    let failure_threshold = number("failureThreshold", probe.failure_threshold, 3);
    if !readiness && success_threshold != 1 {
        let problem = Problem::error("must be 1 for startup and liveness probes");
        reading.field(object, &format!("{path}.successThreshold"), problem);
    }
    let grace = probe.termination_grace_period_seconds;
    let problem = match grace {
        Some(_) if readiness => Some("must not be set for readiness probes, which end nothing"),
        Some(..1) => Some("must be greater than 0"),
        _ => None,
    };
    if let Some(problem) = problem {
        reading.field(object, &format!("{path}.terminationGracePeriodSeconds"), Problem::error(problem));
    }
    Some(Probe {
        handler,
        initial_delay: seconds(initial_delay),
        period: seconds(period),
        timeout: seconds(timeout),
        success_threshold,
        failure_threshold,
        grace: grace.map(seconds),
    })
}

/// A preStop hook as the time it takes.
fn pre_stop(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, hooks: &Lifecycle) -> Option<Hook> {
    let hook = hooks.pre_stop.as_ref()?;
    if let Some(sleep) = &hook.sleep {
        return Some(Hook { takes: seconds(sleep.seconds) });
    }
    let command = hook.exec.as_ref().and_then(|exec| exec.command.clone()).unwrap_or_default();
    let takes = slept(&command);
    if takes.is_none() {
        let note = Problem::note("this hook is taken as a delay of 0 s");
        reading.field(object, path, note.help("only `sleep` is simulated, as a handler or as a command"));
    }
    Some(Hook { takes: takes.unwrap_or(SimDuration::ZERO) })
}

/// How long a command sleeps before anything else, where it is a plain `sleep N`
/// or a shell that begins with one.
fn slept(command: &[String]) -> Option<SimDuration> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let shell = |word: &str| matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"));
    match words.as_slice() {
        [first, flag, script, ..] if shell(first) && flag.starts_with('-') && flag.ends_with('c') => {
            let end = script.find(['&', ';', '|', '\n']).unwrap_or(script.len());
            let words: Vec<&str> = script[..end].split_whitespace().collect();
            sleep_of(&words)
        }
        _ => sleep_of(&words),
    }
}

fn sleep_of(words: &[&str]) -> Option<SimDuration> {
    let [program, rest @ ..] = words else { return None };
    if program.rsplit('/').next() != Some("sleep") || rest.is_empty() {
        return None;
    }
    let mut each = rest.iter().map(|word| {
        let number = word.trim_matches(['"', '\'']);
        let (number, unit) = match number.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(short) => (short, &number[short.len()..]),
            None => (number, "s"),
        };
        let factor = match unit {
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => 1.0,
        };
        let number: f64 = number.parse().ok()?;
        (number.is_finite() && number >= 0.0).then(|| SimDuration::from_secs_f64(number * factor))
    });
    each.try_fold(SimDuration::ZERO, |sum, one| Some(sum.saturating_add(one?)))
}

/// Whole seconds of the API; what is negative counts as none.
pub(super) fn seconds(seconds: impl Into<i64>) -> SimDuration {
    let seconds = u64::try_from(seconds.into()).unwrap_or(0);
    // A hundred years are for ever, and don't overflow.
    SimDuration::from_secs(seconds.min(3_155_760_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_recognized() {
        let rows: [(&[&str], Option<u64>); 10] = [
            (&["sleep", "5"], Some(5_000)),
            (&["/bin/sleep", "0.5"], Some(500)),
            (&["sh", "-c", "sleep 15"], Some(15_000)),
            (&["/bin/sh", "-c", "sleep 10 && nginx -s quit"], Some(10_000)),
            (&["/bin/bash", "-ec", "sleep 1m; kill 1"], Some(60_000)),
            (&["sh", "-c", "nginx -s quit; sleep 5"], None),
            (&["/wait-shutdown"], None),
            (&["sleep"], None),
            (&["sleep", "-1"], None),
            (&[], None),
        ];
        for (command, millis) in rows {
            let words: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(slept(&words), millis.map(SimDuration::from_millis), "{command:?}");
        }
    }
}
