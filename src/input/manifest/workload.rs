//! Deployments, StatefulSets, DaemonSets, ReplicaSets, Pods and Jobs.

use k8s_openapi::api::apps::v1::{DaemonSetSpec, DeploymentSpec, ReplicaSetSpec, StatefulSetSpec};
use k8s_openapi::api::batch::v1::{CronJobSpec, JobSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodStatus, PodTemplateSpec, ReplicationControllerSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::cluster::Surroundings;
use super::object::{Manifest, Object};
use super::pod::{self, seconds};
use super::{Reading, placement};
use crate::input::problem::Problem;
use crate::k8s::daemon_set;
use crate::k8s::labels::Labels;
use crate::k8s::rollout::{IntOrPercent, Strategy};
use crate::scenario::Kind;
use crate::source::Node;
use crate::units::SimDuration;

use super::set::ManifestWorkload;

/// The parts of a workload that its kind decides.
struct Parts<'s> {
    kind: Kind,
    replicas: Option<i32>,
    min_ready: Option<i32>,
    selector: Option<&'s LabelSelector>,
    template: &'s PodTemplateSpec,
    /// Where the template stands.
    path: &'s str,
}

pub(super) fn deployment(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<DeploymentSpec>(reading, object) else { return };
    let strategy = strategy(reading, object, &spec);
    if spec.paused == Some(true) {
        let note = Problem::note("is not simulated: a rollout in a drill goes on all the same");
        reading.field(object, "spec.paused", note);
    }
    let deadline = spec.progress_deadline_seconds.unwrap_or(600);
    let parts = Parts {
        kind: Kind::Deployment { strategy, progress_deadline: seconds(deadline) },
        replicas: spec.replicas,
        min_ready: spec.min_ready_seconds,
        selector: Some(&spec.selector),
        template: &spec.template,
        path: "spec.template",
    };
    add(reading, object, &parts, around);
}

/// `spec.strategy` of a Deployment. Upstream: `pkg/apis/apps/v1/defaults.go` and
/// `pkg/apis/apps/validation/validation.go`.
fn strategy(reading: &mut Reading<'_>, object: &Object<'_>, spec: &DeploymentSpec) -> Strategy {
    let Some(written) = &spec.strategy else { return Strategy::default() };
    let kind = written.type_.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("RollingUpdate");
    let choices = [("RollingUpdate", false), ("Recreate", true)];
    let path = "spec.strategy.rollingUpdate";
    match (reading.choice(object, "spec.strategy.type", kind, &choices), &written.rolling_update) {
        (Some(true), rolling) => {
            if rolling.is_some() {
                reading.field(object, path, Problem::error("must be absent for `Recreate`"));
            }
            Strategy::Recreate
        }
        (_, None) => Strategy::default(),
        (_, Some(rolling)) => {
            let quarter = IntOrPercent::Percent(25);
            let mut read = |field: &str, value: &Option<IntOrString>| {
                let path = format!("{path}.{field}");
                value
                    .as_ref()
                    .map_or(quarter, |value| int_or_percent(reading, object, &path, value).unwrap_or(quarter))
            };
            let max_surge = read("maxSurge", &rolling.max_surge);
            let max_unavailable = read("maxUnavailable", &rolling.max_unavailable);
            let zero = |value| matches!(value, IntOrPercent::Int(0) | IntOrPercent::Percent(0));
            if zero(max_surge) && zero(max_unavailable) {
                let problem =
                    Problem::error("maxSurge and maxUnavailable are both 0, so nothing can be replaced");
                reading.field(object, path, problem.help("allow at least one pod more, or one less"));
            }
            Strategy::RollingUpdate { max_surge, max_unavailable }
        }
    }
}

/// A number or a percentage, neither of them negative.
pub(super) fn int_or_percent(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    value: &IntOrString,
) -> Option<IntOrPercent> {
    let found = match value {
        IntOrString::Int(number) => Some(IntOrPercent::Int(i64::from(*number))),
        IntOrString::String(text) => {
            text.strip_suffix('%').and_then(|number| number.parse().ok()).map(IntOrPercent::Percent)
        }
    };
    let found = found.filter(|found| match found {
        IntOrPercent::Int(number) | IntOrPercent::Percent(number) => *number >= 0,
    });
    if found.is_none() {
        let problem = Problem::error("expected a number of pods or a percentage");
        reading.field(object, path, problem.help("write it as `1` or `25%`"));
    }
    found
}

pub(super) fn stateful_set(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<StatefulSetSpec>(reading, object) else { return };
    let management = spec.pod_management_policy.as_deref().unwrap_or("OrderedReady");
    let choices = [("OrderedReady", false), ("Parallel", true)];
    let parallel = reading.choice(object, "spec.podManagementPolicy", management, &choices);
    let update = spec.update_strategy.as_ref();
    let kind = update.and_then(|update| update.type_.as_deref()).unwrap_or("RollingUpdate");
    let choices = [("RollingUpdate", false), ("OnDelete", true)];
    let on_delete = reading.choice(object, "spec.updateStrategy.type", kind, &choices);
    let rolling = update.and_then(|update| update.rolling_update.as_ref());
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
    let path = "spec.updateStrategy.rollingUpdate.maxUnavailable";
    let max_unavailable = rolling
        .and_then(|rolling| rolling.max_unavailable.as_ref())
        .and_then(|value| int_or_percent(reading, object, path, value));
    if matches!(max_unavailable, Some(IntOrPercent::Int(0) | IntOrPercent::Percent(0))) {
        reading.field(object, path, Problem::error("must be above 0, or nothing can be replaced"));
    }
    let parts = Parts {
        kind: Kind::StatefulSet {
            parallel: parallel.unwrap_or(false),
            partition: u32::try_from(partition).unwrap_or(0),
            max_unavailable,
            on_delete: on_delete.unwrap_or(false),
        },
        replicas: spec.replicas,
        min_ready: spec.min_ready_seconds,
        selector: Some(&spec.selector),
        template: &spec.template,
        path: "spec.template",
    };
    let claims = spec.volume_claim_templates.iter().flatten().filter_map(|claim| claim.spec.as_ref());
    let modes = claims.filter_map(|claim| claim.access_modes.as_ref());
    let holds = modes.into_iter().any(|modes| pod::one_node(modes));
    if let Some(workload) = add(reading, object, &parts, around) {
        workload.template.single_node_volume |= holds;
    }
}

pub(super) fn daemon_set(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<DaemonSetSpec>(reading, object) else { return };
    let parts = Parts {
        kind: Kind::DaemonSet,
        replicas: None,
        min_ready: spec.min_ready_seconds,
        selector: Some(&spec.selector),
        template: &spec.template,
        path: "spec.template",
    };
    if let Some(workload) = add(reading, object, &parts, around) {
        workload.template.wishes.tolerations.extend(daemon_set::tolerations());
    }
}

pub(super) fn replica_set(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<ReplicaSetSpec>(reading, object) else { return };
    let template = spec.template.clone().unwrap_or_default();
    let parts = Parts {
        kind: Kind::ReplicaSet,
        replicas: spec.replicas,
        min_ready: spec.min_ready_seconds,
        selector: Some(&spec.selector),
        template: &template,
        path: "spec.template",
    };
    add(reading, object, &parts, around);
}

pub(super) fn replication_controller(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<ReplicationControllerSpec>(reading, object) else { return };
    let template = spec.template.clone().unwrap_or_default();
    // An absent selector is the template's labels, so it can't disagree.
    let stated = spec.selector.filter(|labels| !labels.is_empty());
    let selector = stated.map(|labels| LabelSelector { match_labels: Some(labels), match_expressions: None });
    let parts = Parts {
        kind: Kind::ReplicaSet,
        replicas: spec.replicas,
        min_ready: spec.min_ready_seconds,
        selector: selector.as_ref(),
        template: &template,
        path: "spec.template",
    };
    add(reading, object, &parts, around);
}

pub(super) fn pod(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(pod) = object.decode::<Manifest<PodSpec, PodStatus>>(&mut reading.problems) else { return };
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return;
    }
    let spec = pod.spec.unwrap_or_default();
    let meta = (pod.metadata.labels, pod.metadata.annotations);
    let template = pod::template(reading, object, "spec", meta, &spec, around);
    push(
        reading,
        object,
        Kind::Pod,
        (1, false),
        SimDuration::ZERO,
        template,
        env_of(&spec, &object.namespace, around),
    );
}

pub(super) fn job(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<JobSpec>(reading, object) else { return };
    add_job(reading, object, &spec, "spec.template", around);
}

pub(super) fn cron_job(reading: &mut Reading<'_>, object: &Object<'_>, around: &Surroundings) {
    let Some(spec) = spec::<CronJobSpec>(reading, object) else { return };
    let Some(mut job) = spec.job_template.spec else {
        reading.field(object, "spec.jobTemplate.spec", Problem::error("is missing"));
        return;
    };
    job.suspend = Some(job.suspend.unwrap_or(false) || spec.suspend.unwrap_or(false));
    add_job(reading, object, &job, "spec.jobTemplate.spec.template", around);
}

fn add_job(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    spec: &JobSpec,
    path: &str,
    around: &Surroundings,
) {
    let parallel = spec.parallelism.unwrap_or(1);
    let at_once = spec.completions.map_or(parallel, |completions| parallel.min(completions));
    let at_once = if spec.suspend.unwrap_or(false) || has_ended(object) { 0 } else { at_once };
    let parts = Parts {
        kind: Kind::Job,
        replicas: Some(at_once),
        min_ready: None,
        selector: None,
        template: &spec.template,
        path,
    };
    add(reading, object, &parts, around);
}

/// Whether a Job of a dump has run to its end: its pods hold nothing any more.
fn has_ended(job: &Object<'_>) -> bool {
    let conditions = job.node.at("status.conditions").map(Node::items).unwrap_or_default();
    conditions.iter().any(|one| {
        let says = |key: &str| one.get(key).and_then(Node::as_str);
        matches!(says("type"), Some("Complete" | "Failed")) && says("status") == Some("True")
    })
}

/// The `spec` of an object; what is missing or doesn't fit is reported.
fn spec<T: serde::de::DeserializeOwned>(reading: &mut Reading<'_>, object: &Object<'_>) -> Option<T> {
    let manifest: Manifest<T> = object.decode(&mut reading.problems)?;
    if manifest.spec.is_none() {
        let problem = Problem::error(format!("{} has no `spec`", object.who()));
        reading.problems.push(problem.at(object.place("kind")));
    }
    manifest.spec
}

/// Checks what all kinds share and adds the workload.
fn add<'r>(
    reading: &'r mut Reading<'_>,
    object: &Object<'_>,
    parts: &Parts<'_>,
    around: &Surroundings,
) -> Option<&'r mut ManifestWorkload> {
    let metadata = parts.template.metadata.clone().unwrap_or_default();
    if let Some(selector) = parts.selector {
        let labels = metadata.labels.clone().unwrap_or_default();
        check_selector(reading, object, parts.path, selector, &labels);
    }
    let Some(pod_spec) = &parts.template.spec else {
        reading.field(object, &format!("{}.spec", parts.path), Problem::error("is missing"));
        return None;
    };
    if parts.replicas.is_some_and(|replicas| replicas < 0) {
        reading.field(object, "spec.replicas", Problem::error("must not be negative"));
    }
    let path = format!("{}.spec", parts.path);
    let template =
        pod::template(reading, object, &path, (metadata.labels, metadata.annotations), pod_spec, around);
    let replicas = u32::try_from(parts.replicas.unwrap_or(1)).unwrap_or(0);
    let stated = parts.replicas.is_some() && parts.kind != Kind::Job;
    let min_ready = seconds(parts.min_ready.unwrap_or(0));
    push(
        reading,
        object,
        parts.kind,
        (replicas, stated),
        min_ready,
        template,
        env_of(pod_spec, &object.namespace, around),
    );
    reading.set.workloads.last_mut()
}

/// The selector has to match the labels of the template.
fn check_selector(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    selector: &LabelSelector,
    labels: &Labels,
) {
    let written = object.node.at("spec.selector").is_some();
    let empty = selector.match_labels.as_ref().is_none_or(Labels::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
    if empty {
        // Versions before apps/v1 took the template's labels.
        let old = object.node.get("apiVersion").and_then(crate::source::Node::as_str) != Some("apps/v1");
        if !old || written {
            let help = format!("give the labels of `{path}.metadata.labels`");
            reading.field(object, "spec.selector", Problem::error("is missing or empty").help(help));
        }
        return;
    }
    let Some(selector) = placement::selector(reading, object, "spec.selector", selector) else { return };
    if !selector.matches(labels) {
        let wrong = selector.match_labels.iter().find(|(key, value)| labels.get(*key) != Some(*value));
        let path_of = |key: &str| format!("spec.selector.matchLabels{}", super::resources::step(key));
        let field = wrong.map_or_else(|| "spec.selector".to_owned(), |(key, _)| path_of(key));
        let problem = Problem::error("the selector doesn't match the labels of the pod template");
        let help = match wrong.map(|(key, _)| (key, labels.get(key))) {
            Some((key, Some(label))) => format!("the template says `{key}: {label}`"),
            Some((key, None)) => format!("the template has no label `{key}`"),
            None => "the API server refuses it".to_owned(),
        };
        reading.field(object, &field, problem.help(help));
    }
}

/// Plain values of the environment, those from ConfigMaps among them. Secrets are
/// not looked at.
fn env_of(spec: &PodSpec, namespace: &str, around: &Surroundings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for container in &spec.containers {
        let sources = container.env_from.iter().flatten();
        for source in sources.filter_map(|source| source.config_map_ref.as_ref()) {
            let settings = around.settings(namespace, &source.name);
            found.extend(settings.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        for entry in container.env.iter().flatten() {
            let from = entry.value_from.as_ref().and_then(|from| from.config_map_key_ref.as_ref());
            let setting = || around.setting(namespace, &from?.name, &from?.key);
            let value = entry.value.clone().or_else(setting);
            found.extend(value.map(|value| (entry.name.clone(), value)));
        }
    }
    found
}

fn push(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    kind: Kind,
    (replicas, replicas_stated): (u32, bool),
    min_ready: SimDuration,
    template: crate::scenario::PodTemplate,
    env: Vec<(String, String)>,
) {
    reading.set.workloads.push(ManifestWorkload {
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        api_kind: object.kind.clone(),
        kind,
        replicas,
        replicas_stated,
        min_ready,
        template,
        env,
        injects: None,
        place: object.place("metadata.name"),
    });
}
