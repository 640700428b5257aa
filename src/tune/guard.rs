//! What guards pods against updates, drains, lost nodes and sudden load: settings
//! that cost next to nothing, each worth it only if a simulation says so.

use serde_json::{Map, Value, json};

use super::settings::{at, set};
use super::site::{Object, SERVING, Site, Sizing};
use crate::change::{Added, Edit};
use crate::units::SimDuration;

/// One such setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// A preStop sleep: requests still come until every proxy has heard.
    Drain,
    /// No pod goes before its successor is ready (`maxUnavailable: 0`).
    Surge,
    /// A disruption budget of one pod at a time.
    Budget,
    /// Pods spread over zones and nodes.
    Spread,
    /// Pods of a dead node are replaced after 30 s instead of 300 s.
    Tolerate,
    /// A readiness probe that asks often and starts early.
    Readiness,
    /// A liveness probe that finds a hang sooner.
    Liveness,
    /// A longer grace period: answers under way may take their time.
    Grace,
    /// A preStop sleep until the last answer is out: for processes that drop at SIGTERM
    /// what they work on.
    Linger,
    /// A start-up probe, so that liveness does not kill what starts slowly.
    StartUp,
    /// A liveness probe that does not take an overload for a hang.
    Patience,
    /// All new pods of a rollout at once (`maxSurge: 100%`).
    MaxSurge,
    /// A new pod counts only after it has stayed ready (`minReadySeconds`).
    MinReady,
    /// A progress deadline that a good rollout keeps.
    Deadline,
    /// An HPA that may add more pods at a time.
    ScaleUp,
    /// An HPA that acts on smaller differences (`tolerance`, honoured from 1.35).
    Tolerance,
    /// An HPA that does not take pods away after a lull of seconds.
    Steady,
    /// An HPA that takes pods away soon: fewer pod hours.
    Shrink,
    /// What serves users goes before what does not, where nodes are short.
    Priority,
}

/// Longer than endpoints, proxies and the ingress need to hear of an end.
const SLEEP: u64 = 10;
/// What the process has after that, as Kubernetes' own default gives in all.
const AFTER_SLEEP: u64 = 30;
/// Nobody should wait longer than this for a pod to end.
const LONGEST: SimDuration = SimDuration::from_secs(120);
/// Kubernetes waits 300 s where a pod says nothing.
const TOLERATION: u64 = 30;
/// Answers that a language model writes take tens of seconds.
const GRACE: u64 = 90;
/// A start may take this long (`periodSeconds` times `failureThreshold`).
const START: (u64, u64) = (2, 90);
/// Longer than a new version takes to fail under its first requests.
const MIN_READY: u64 = 10;
/// Three times Kubernetes' own.
const DEADLINE: u64 = 1_800;
/// Kubernetes' own window before fewer pods, and a short one.
const WINDOW: (u64, u64) = (300, 60);
/// Half of what the controller's flag says by default.
const TOLERANCE: &str = "0.05";
/// The class of what serves users; any value above 0 goes before what says nothing.
const PRIORITY: (&str, i32) = ("plan-serving", 1_000);

impl Guard {
    /// Those that the search takes for granted, in the order in which they are left
    /// out for a trial.
    pub const USUAL: [Self; 7] = [
        Self::Drain,
        Self::Surge,
        Self::Budget,
        Self::Spread,
        Self::Tolerate,
        Self::Readiness,
        Self::Liveness,
    ];

    /// Those that are added for a trial, where something is lost without them.
    pub const FURTHER: [Self; 12] = [
        Self::Deadline,
        Self::Grace,
        Self::Linger,
        Self::MinReady,
        Self::StartUp,
        Self::Patience,
        Self::MaxSurge,
        Self::ScaleUp,
        Self::Tolerance,
        Self::Steady,
        Self::Priority,
        Self::Shrink,
    ];

    /// What it is called on pages.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Drain => "preStop sleep",
            Self::Surge => "maxUnavailable 0",
            Self::Budget => "disruption budget",
            Self::Spread => "topology spread",
            Self::Tolerate => "short tolerations",
            Self::Readiness => "quick readiness",
            Self::Liveness => "quick liveness",
            Self::Grace => "longer grace period",
            Self::Linger => "preStop sleep until the last answer",
            Self::StartUp => "start-up probe",
            Self::Patience => "patient liveness",
            Self::MaxSurge => "maxSurge 100 %",
            Self::MinReady => "minReadySeconds",
            Self::Deadline => "longer progress deadline",
            Self::ScaleUp => "faster scale-up",
            Self::Tolerance => "smaller HPA tolerance",
            Self::Steady => "scale-down window of 300 s",
            Self::Shrink => "scale-down window of 60 s",
            Self::Priority => "priority over other pods",
        }
    }

    /// The drills that tell whether it is worth having.
    pub fn drills(self) -> &'static [&'static str] {
        match self {
            Self::Drain => &["rollout", "pod-kill"],
            Self::Surge | Self::Deadline => &["rollout"],
            Self::Budget => &["node-upgrade", "node-drain"],
            Self::Spread => &["zone-outage", "node-failure"],
            Self::Tolerate => &["node-failure"],
            Self::Readiness | Self::Liveness => &["pod-hang"],
            Self::Grace | Self::Linger => &["rollout", "pod-kill", "node-drain"],
            Self::StartUp => &["rollout", "cold-start", "load-spike"],
            Self::Patience => &["load-spike", "cold-start", "pod-hang"],
            Self::MaxSurge => &["rollout", "rollout-under-spike"],
            Self::MinReady => &["rollout-crashing", "rollout-slow", "rollout"],
            Self::ScaleUp => &["load-spike", "cold-start", "rollout-under-spike"],
            Self::Tolerance | Self::Steady | Self::Shrink => &["load-spike", "cold-start"],
            Self::Priority => &["node-failure", "zone-outage", "load-spike"],
        }
    }

    /// Whether it makes sense on a workload.
    pub fn is_for(self, site: &Site) -> bool {
        match self {
            Self::Priority => site.asked,
            // These do no harm to what keeps data either, as hooks, probes and short
            // tolerations may.
            Self::Budget | Self::Spread | Self::Grace => site.several && site.asked,
            _ => (site.scales || site.moves) && site.asked,
        }
    }

    /// Whether it is a matter of the HPA, not of the pods.
    pub fn is_of_hpa(self) -> bool {
        matches!(self, Self::ScaleUp | Self::Tolerance | Self::Steady | Self::Shrink)
    }

    /// The object that it changes; `None` where there is none of that kind.
    pub(super) fn object(self, site: &Site) -> Option<usize> {
        if self.is_of_hpa() { site.hpa.as_ref().map(|hpa| hpa.object) } else { Some(site.object) }
    }
}

/// The edits of a guard on a workload's object.
pub(super) fn edits(
    guard: Guard,
    site: &Site,
    size: &Sizing,
    object: &Object,
    because: &str,
    into: &mut Vec<Edit>,
) {
    match guard {
        Guard::Drain => drain(object, because, into),
        Guard::Linger => linger(site, object, because, into),
        Guard::Surge => surge(object, because, into),
        Guard::Budget => {}
        Guard::Spread => {
            if at(&object.value, "spec.template.spec.topologySpreadConstraints").is_none() && size.max > 1 {
                let path = "spec.template.spec.topologySpreadConstraints";
                set(object, path, spread(object), because, into);
            }
        }
        Guard::Tolerate => tolerate(object, because, into),
        Guard::Readiness => {
            let wanted = [("periodSeconds", 2), ("initialDelaySeconds", 2), ("timeoutSeconds", 2)];
            probe(&format!("{SERVING}.readinessProbe"), &wanted, object, because, into);
        }
        Guard::Liveness => {
            let wanted = [("periodSeconds", 5)];
            probe(&format!("{SERVING}.livenessProbe"), &wanted, object, because, into);
        }
        Guard::StartUp => start_up(object, because, into),
        Guard::Patience => patience(object, because, into),
        Guard::ScaleUp | Guard::Tolerance | Guard::Steady | Guard::Shrink => {
            behavior(guard, object, because, into);
        }
        Guard::Grace | Guard::MaxSurge | Guard::MinReady | Guard::Deadline | Guard::Priority => {
            pods(guard, object, because, into);
        }
    }
}

/// Guards that set one number of a workload.
fn pods(guard: Guard, object: &Object, because: &str, into: &mut Vec<Edit>) {
    let least = |path: &str, default: u64, wanted: u64, into: &mut Vec<Edit>| {
        let now = at(&object.value, path).map_or(Some(default), Value::as_u64);
        if now.is_some_and(|now| now < wanted) {
            replace(object, path, json!(wanted), because, into);
        }
    };
    let rolls = is_rolled(object);
    match guard {
        Guard::Grace => {
            least("spec.template.spec.terminationGracePeriodSeconds", AFTER_SLEEP, GRACE, into);
        }
        Guard::MaxSurge if rolls => {
            replace(object, "spec.strategy.rollingUpdate.maxSurge", json!("100%"), because, into);
        }
        // The API wants the deadline to be the longer one.
        Guard::MinReady if deadline(object) > MIN_READY => least("spec.minReadySeconds", 0, MIN_READY, into),
        Guard::Deadline if rolls => least("spec.progressDeadlineSeconds", 600, DEADLINE, into),
        Guard::Priority if at(&object.value, "spec.template.spec.priorityClassName").is_none() => {
            set(object, "spec.template.spec.priorityClassName", Some(json!(PRIORITY.0)), because, into);
        }
        _ => {}
    }
}

/// How long a Deployment's rollout may make no progress; no StatefulSet has such a limit.
fn deadline(object: &Object) -> u64 {
    at(&object.value, "spec.progressDeadlineSeconds").and_then(Value::as_u64).unwrap_or(600)
}

/// An edit in place of one of the same path: two guards may want the same field.
fn replace(object: &Object, path: &str, to: Value, because: &str, into: &mut Vec<Edit>) {
    into.retain(|edit| edit.path != path);
    set(object, path, Some(to), because, into);
}

/// A Deployment whose updates replace pods in turn.
fn is_rolled(object: &Object) -> bool {
    let recreate = at(&object.value, "spec.strategy.type").is_some_and(|kind| kind == "Recreate");
    object.name.kind == "Deployment" && !recreate
}

/// A start-up probe that asks what liveness asks, for as long as a start may take.
fn start_up(object: &Object, because: &str, into: &mut Vec<Edit>) {
    let path = format!("{SERVING}.startupProbe");
    let Some(liveness) = at(&object.value, &format!("{SERVING}.livenessProbe")) else { return };
    if at(&object.value, &path).is_some() {
        return;
    }
    let handler = ["httpGet", "tcpSocket", "grpc", "exec", "timeoutSeconds"];
    let mut probe: Map<String, Value> =
        handler.iter().filter_map(|key| Some(((*key).to_owned(), liveness.get(*key)?.clone()))).collect();
    probe.insert("periodSeconds".to_owned(), json!(START.0));
    probe.insert("failureThreshold".to_owned(), json!(START.1));
    set(object, &path, Some(Value::Object(probe)), because, into);
}

/// Raises what liveness bears before it kills.
fn patience(object: &Object, because: &str, into: &mut Vec<Edit>) {
    let path = format!("{SERVING}.livenessProbe");
    let Some(probe) = at(&object.value, &path) else { return };
    for (field, default, least) in [("timeoutSeconds", 1, 5), ("failureThreshold", 3, 6)] {
        if probe.get(field).map_or(Some(default), Value::as_u64).is_some_and(|now| now < least) {
            set(object, &format!("{path}.{field}"), Some(json!(least)), because, into);
        }
    }
}

/// What an HPA may do at a time. The first API version has no place for it.
fn behavior(guard: Guard, object: &Object, because: &str, into: &mut Vec<Edit>) {
    if !matches!(object.name.api_version.as_str(), "autoscaling/v2" | "autoscaling/v2beta2") {
        return;
    }
    let window = |path: &str| at(&object.value, path).map_or(Some(WINDOW.0), Value::as_u64);
    let down = "spec.behavior.scaleDown.stabilizationWindowSeconds";
    match guard {
        Guard::ScaleUp => {
            let up = |field: &str| format!("spec.behavior.scaleUp.{field}");
            let policies = json!([
                {"type": "Percent", "value": 300, "periodSeconds": 15},
                {"type": "Pods", "value": 10, "periodSeconds": 15},
            ]);
            set(object, &up("policies"), Some(policies), because, into);
            // Where nothing is said, this is so.
            for (field, usual) in [("selectPolicy", json!("Max")), ("stabilizationWindowSeconds", json!(0))] {
                if at(&object.value, &up(field)).is_some() {
                    set(object, &up(field), Some(usual), because, into);
                }
            }
        }
        Guard::Tolerance if at(&object.value, "spec.behavior.scaleUp.tolerance").is_none() => {
            set(object, "spec.behavior.scaleUp.tolerance", Some(json!(TOLERANCE)), because, into);
        }
        Guard::Steady if window(down).is_some_and(|now| now < WINDOW.0) => {
            set(object, down, Some(json!(WINDOW.0)), because, into);
        }
        Guard::Shrink if window(down).is_some_and(|now| now > WINDOW.1) => {
            replace(object, down, json!(WINDOW.1), because, into);
        }
        _ => {}
    }
}

fn drain(object: &Object, because: &str, into: &mut Vec<Edit>) {
    let path = format!("{SERVING}.lifecycle.preStop");
    if at(&object.value, &path).is_some() {
        return;
    }
    set(object, &path, Some(json!({"sleep": {"seconds": SLEEP}})), because, into);
    outlast(SLEEP, object, into);
}

/// Sleeps from when proxies have heard until nobody waits for an answer any more.
fn linger(site: &Site, object: &Object, because: &str, into: &mut Vec<Edit>) {
    let path = format!("{SERVING}.lifecycle.preStop");
    let Some(longest) = site.longest_wait else { return };
    let sleep = SLEEP + longest.min(LONGEST).as_secs_f64().ceil() as u64;
    let seconds = |hook: &Value| hook["sleep"]["seconds"].as_u64();
    // Another hook than a sleep is the user's, and what it is for nobody knows.
    let now = at(&object.value, &path).map_or(Some(0), seconds);
    if now.is_none_or(|now| now >= sleep) {
        return;
    }
    replace(object, &path, json!({"sleep": {"seconds": sleep}}), because, into);
    outlast(sleep, object, into);
}

/// A grace period that leaves the process after a sleep what it had.
fn outlast(sleep: u64, object: &Object, into: &mut Vec<Edit>) {
    let path = "spec.template.spec.terminationGracePeriodSeconds";
    let edited = into.iter().find(|edit| edit.path == path).and_then(|edit| edit.to.as_ref());
    let grace = edited.or_else(|| at(&object.value, path)).and_then(Value::as_u64).unwrap_or(AFTER_SLEEP);
    if grace < sleep + AFTER_SLEEP {
        let because = "the sleep counts towards the grace period; what the process had stays";
        replace(object, path, json!(sleep + AFTER_SLEEP), because, into);
    }
}

fn surge(object: &Object, because: &str, into: &mut Vec<Edit>) {
    if !is_rolled(object) {
        return;
    }
    set(object, "spec.strategy.rollingUpdate.maxUnavailable", Some(json!(0)), because, into);
    let none = [json!(0), json!("0%")];
    if at(&object.value, "spec.strategy.rollingUpdate.maxSurge").is_some_and(|surge| none.contains(surge)) {
        let because = "with both at 0 nothing could move";
        set(object, "spec.strategy.rollingUpdate.maxSurge", Some(json!("25%")), because, into);
    }
}

fn spread(object: &Object) -> Option<Value> {
    let labels = at(&object.value, "spec.selector.matchLabels")?.clone();
    let over = |key: &str| {
        json!({
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
        })
    };
    Some(json!([over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")]))
}

fn tolerate(object: &Object, because: &str, into: &mut Vec<Edit>) {
    let path = "spec.template.spec.tolerations";
    let mut all = at(&object.value, path).and_then(Value::as_array).cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"] {
        if all.iter().any(|one| one["key"] == key) {
            return;
        }
        all.push(json!({
            "key": key,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": TOLERATION,
        }));
    }
    set(object, path, Some(Value::Array(all)), because, into);
}

/// Sets fields of a probe that is there, downwards only.
fn probe(path: &str, wanted: &[(&str, u64)], object: &Object, because: &str, into: &mut Vec<Edit>) {
    let Some(probe) = at(&object.value, path) else { return };
    for (field, most) in wanted {
        let default = match *field {
            "periodSeconds" => 10,
            "timeoutSeconds" => 1,
            _ => 0,
        };
        let now = probe.get(*field).and_then(Value::as_u64).unwrap_or(default);
        if now > *most {
            set(object, &format!("{path}.{field}"), Some(json!(most)), because, into);
        }
    }
}

/// New objects of a guard.
pub(super) fn added(
    guard: Guard,
    site: &Site,
    size: &Sizing,
    objects: &[Object],
    because: String,
) -> Option<Added> {
    let object = &objects[site.object];
    if guard == Guard::Priority {
        let named = at(&object.value, "spec.template.spec.priorityClassName").is_none();
        return named.then(|| Added { object: class(), because });
    }
    if guard != Guard::Budget || size.max < 2 || site.guarded {
        return None;
    }
    let selector = at(&object.value, "spec.selector")?;
    // Another's budget may have the name, or that of a Deployment called the same will.
    let taken = objects.iter().any(|one| {
        let same = one.name.namespace == object.name.namespace && one.name.name == object.name.name;
        let before = one.name.kind == "Deployment" && object.name.kind == "StatefulSet";
        same && (one.name.kind == "PodDisruptionBudget" || before)
    });
    let suffix = if taken { format!("-{}", object.name.kind.to_lowercase()) } else { String::new() };
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(format!("{}{suffix}", object.name.name)));
    if object.value["metadata"]["namespace"].is_string() {
        metadata.insert("namespace".to_owned(), json!(object.name.namespace));
    }
    metadata.insert("labels".to_owned(), json!({"app.kubernetes.io/managed-by": "plan"}));
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": selector},
    });
    Some(Added { object: budget, because })
}

/// The class of what serves users.
fn class() -> Value {
    json!({
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": PRIORITY.0, "labels": {"app.kubernetes.io/managed-by": "plan"}},
        "value": PRIORITY.1,
        "description": "Pods that serve users.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{ObjectName, apply};

    fn object(value: Value) -> Object {
        let text = |path: &str| at(&value, path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = ObjectName {
            api_version: text("apiVersion"),
            kind: text("kind"),
            namespace: "default".to_owned(),
            name: text("metadata.name"),
        };
        Object { name, value }
    }

    fn web() -> Object {
        object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {"containers": [
                    {"name": "web", "readinessProbe": {"periodSeconds": 1, "initialDelaySeconds": 20}},
                ]}},
            },
        }))
    }

    const SIZE: Sizing =
        Sizing { cpu: 100, cpu_limit: None, memory: 64, memory_limit: None, min: 2, max: 4, target: 70 };

    fn site() -> Site {
        Site { longest_wait: Some(SimDuration::from_secs(60)), ..Site::plain(SIZE) }
    }

    /// The object with a guard, and the paths that it changes.
    fn guarded(guard: Guard, object: &Object) -> (Value, Vec<String>) {
        let mut found = Vec::new();
        edits(guard, &site(), &SIZE, object, "why", &mut found);
        let mut value = object.value.clone();
        apply(&mut value, &found);
        (value, found.into_iter().map(|edit| edit.path).collect())
    }

    #[test]
    fn guards_set_what_is_missing_and_nothing_twice() {
        for guard in Guard::USUAL.into_iter().chain(Guard::FURTHER).filter(|one| !one.is_of_hpa()) {
            let (value, paths) = guarded(guard, &web());
            let liveness = matches!(guard, Guard::Liveness | Guard::StartUp | Guard::Patience);
            let nothing = guard == Guard::Budget || liveness;
            assert_eq!(paths.is_empty(), nothing, "{guard:?}: {paths:?}");
            let (_, again) = guarded(guard, &object(value));
            assert_eq!(again, [""; 0], "{guard:?} twice");
        }
        let (value, paths) = guarded(Guard::Readiness, &web());
        // The period is shorter already.
        assert_eq!(paths, ["spec.template.spec.containers[0].readinessProbe.initialDelaySeconds"]);
        let container = &value["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["readinessProbe"], json!({"periodSeconds": 1, "initialDelaySeconds": 2}));
    }

    #[test]
    fn probes_of_a_start_ask_what_liveness_asks() {
        let mut web = web();
        let container = &mut web.value["spec"]["template"]["spec"]["containers"][0];
        container["livenessProbe"] = json!({"httpGet": {"path": "/", "port": 80}, "failureThreshold": 1});
        let (value, _) = guarded(Guard::StartUp, &web);
        let container = &value["spec"]["template"]["spec"]["containers"][0];
        let probe = json!({"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2, "failureThreshold": 90});
        assert_eq!(container["startupProbe"], probe);
        let (value, paths) = guarded(Guard::Patience, &object(value));
        assert_eq!(paths.len(), 2, "{paths:?}");
        let liveness = &value["spec"]["template"]["spec"]["containers"][0]["livenessProbe"];
        assert_eq!((&liveness["timeoutSeconds"], &liveness["failureThreshold"]), (&json!(5), &json!(6)));
    }

    #[test]
    fn a_longer_grace_takes_the_place_of_what_the_sleep_needs() {
        let mut found = Vec::new();
        for guard in [Guard::Drain, Guard::Grace] {
            edits(guard, &site(), &SIZE, &web(), "why", &mut found);
        }
        let path = "spec.template.spec.terminationGracePeriodSeconds";
        let grace: Vec<&Edit> = found.iter().filter(|edit| edit.path == path).collect();
        assert_eq!(grace.iter().map(|edit| edit.to.clone()).collect::<Vec<_>>(), [Some(json!(GRACE))]);
    }

    #[test]
    fn a_pod_lingers_for_as_long_as_anybody_waits() {
        let of = |web: &Object, guards: &[Guard]| {
            let mut found = Vec::new();
            for guard in guards {
                edits(*guard, &site(), &SIZE, web, "why", &mut found);
            }
            let mut value = web.value.clone();
            apply(&mut value, &found);
            let pod = &value["spec"]["template"]["spec"];
            let sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
            (sleep, pod["terminationGracePeriodSeconds"].as_u64())
        };
        // Callers wait for up to 60 s, and proxies need 10 s to hear of the end.
        assert_eq!(of(&web(), &[Guard::Drain]), (Some(10), Some(40)));
        assert_eq!(of(&web(), &[Guard::Linger]), (Some(70), Some(100)));
        assert_eq!(of(&web(), &[Guard::Drain, Guard::Grace, Guard::Linger]), (Some(70), Some(100)));
        let with = |pre_stop: Value| {
            let mut web = web();
            web.value["spec"]["template"]["spec"]["containers"][0]["lifecycle"] =
                json!({"preStop": pre_stop});
            web
        };
        assert_eq!(of(&with(json!({"sleep": {"seconds": 5}})), &[Guard::Linger]), (Some(70), Some(100)));
        assert_eq!(of(&with(json!({"sleep": {"seconds": 90}})), &[Guard::Linger]), (Some(90), None));
        assert_eq!(of(&with(json!({"exec": {"command": ["flush"]}})), &[Guard::Linger]), (None, None));
        // However long callers wait, no pod sleeps for more than two minutes beyond that.
        let patient = Site { longest_wait: Some(SimDuration::from_secs(600)), ..site() };
        let mut found = Vec::new();
        edits(Guard::Linger, &patient, &SIZE, &web(), "why", &mut found);
        assert_eq!(found[0].to, Some(json!({"sleep": {"seconds": 130}})));
    }

    #[test]
    fn behaviour_keeps_what_it_is_not_about() {
        let hpa = |version: &str, behavior: Value| {
            let spec = json!({"maxReplicas": 9, "behavior": behavior});
            object(json!({
                "apiVersion": version, "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
                "spec": spec,
            }))
        };
        let own = json!({"scaleUp": {"tolerance": "0.2", "stabilizationWindowSeconds": 60}});
        let (value, paths) = guarded(Guard::ScaleUp, &hpa("autoscaling/v2", own.clone()));
        assert_eq!(paths.len(), 2, "{paths:?}");
        let up = &value["spec"]["behavior"]["scaleUp"];
        assert_eq!((&up["tolerance"], &up["stabilizationWindowSeconds"]), (&json!("0.2"), &json!(0)));
        for (guard, down, after) in [
            (Guard::Steady, json!(null), json!(null)),
            (Guard::Steady, json!(0), json!(300)),
            (Guard::Shrink, json!(null), json!(60)),
            (Guard::Shrink, json!(30), json!(30)),
            (Guard::Tolerance, json!(null), json!(null)),
        ] {
            let behavior = if down.is_null() {
                own.clone()
            } else {
                json!({"scaleDown": {"stabilizationWindowSeconds": down}})
            };
            let (value, _) = guarded(guard, &hpa("autoscaling/v2", behavior.clone()));
            let window = &value["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"];
            assert_eq!(*window, after, "{guard:?} on {behavior}");
            assert!(guarded(guard, &hpa("autoscaling/v1", behavior)).1.is_empty(), "{guard:?}");
        }
    }

    #[test]
    fn a_budget_is_added_where_none_guards_the_pods() {
        let added_to = |objects: &[Object]| added(Guard::Budget, &site(), &SIZE, objects, "why".to_owned());
        let budget = added_to(&[web()]).expect("nothing guards them");
        assert_eq!(budget.object["spec"]["maxUnavailable"], 1);
        assert_eq!(budget.object["spec"]["selector"], json!({"matchLabels": {"app": "web"}}));
        // One that matches fewer labels is over the pods as well.
        let guarded = Site { guarded: true, ..site() };
        assert_eq!(added(Guard::Budget, &guarded, &SIZE, &[web()], String::new()), None);
        // One of the same name that is over others' keeps it.
        let second = added_to(&[web(), object(budget.object)]).expect("nothing guards them");
        assert_eq!(second.object["metadata"]["name"], "web-deployment");
    }

    #[test]
    fn a_new_pod_is_watched_for_less_than_its_rollout_may_take() {
        for (deadline, is_set) in [(json!(null), true), (json!(11), true), (json!(10), false)] {
            let mut web = web();
            web.value["spec"]["progressDeadlineSeconds"] = deadline.clone();
            assert_eq!(!guarded(Guard::MinReady, &web).1.is_empty(), is_set, "deadline {deadline}");
        }
    }

    #[test]
    fn a_rollout_can_move_whatever_max_surge_was() {
        for (was, becomes) in [(json!(0), "25%"), (json!("0%"), "25%"), (json!("10%"), "10%")] {
            let mut web = web();
            web.value["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": was, "maxUnavailable": 1}});
            let (value, _) = guarded(Guard::Surge, &web);
            let rolling = json!({"maxSurge": becomes, "maxUnavailable": 0});
            assert_eq!(value["spec"]["strategy"]["rollingUpdate"], rolling, "was {was}");
        }
    }
}
