//! What guards pods against updates, drains and lost nodes: settings that cost
//! next to nothing, each worth it only if a drill says so.

use serde_json::{Map, Value, json};

use super::settings::{at, set};
use super::site::{Object, Site, Sizing};
use crate::change::{Added, Edit};

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
}

/// Longer than endpoints, proxies and the ingress need to hear of an end.
const SLEEP: u64 = 10;
/// What the process has after that, as Kubernetes' own default gives in all.
const AFTER_SLEEP: u64 = 30;
/// Kubernetes waits 300 s where a pod says nothing.
const TOLERATION: u64 = 30;

impl Guard {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 7] = [
        Self::Drain,
        Self::Surge,
        Self::Budget,
        Self::Spread,
        Self::Tolerate,
        Self::Readiness,
        Self::Liveness,
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
        }
    }

    /// The drills that tell whether it is worth having.
    pub fn drills(self) -> &'static [&'static str] {
        match self {
            Self::Drain => &["rollout", "pod-kill"],
            Self::Surge => &["rollout"],
            Self::Budget => &["node-drain"],
            Self::Spread => &["zone-outage", "node-failure"],
            Self::Tolerate => &["node-failure"],
            Self::Readiness | Self::Liveness => &["pod-hang"],
        }
    }

    /// Whether it makes sense on a workload.
    pub fn is_for(self, site: &Site) -> bool {
        site.scales && site.asked
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
    let container = format!("spec.template.spec.containers[{}]", site.container);
    match guard {
        Guard::Drain => drain(&container, object, because, into),
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
            probe(&format!("{container}.readinessProbe"), &wanted, object, because, into);
        }
        Guard::Liveness => {
            let wanted = [("periodSeconds", 5)];
            probe(&format!("{container}.livenessProbe"), &wanted, object, because, into);
        }
    }
}

fn drain(container: &str, object: &Object, because: &str, into: &mut Vec<Edit>) {
    let path = format!("{container}.lifecycle.preStop");
    if at(&object.value, &path).is_some() {
        return;
    }
    set(object, &path, Some(json!({"sleep": {"seconds": SLEEP}})), because, into);
    let grace = at(&object.value, "spec.template.spec.terminationGracePeriodSeconds").and_then(Value::as_u64);
    let wanted = grace.unwrap_or(AFTER_SLEEP).max(SLEEP + AFTER_SLEEP);
    if grace != Some(wanted) {
        let path = "spec.template.spec.terminationGracePeriodSeconds";
        let because = "the sleep counts towards the grace period; what the process had stays";
        set(object, path, Some(json!(wanted)), because, into);
    }
}

fn surge(object: &Object, because: &str, into: &mut Vec<Edit>) {
    let recreate = at(&object.value, "spec.strategy.type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind == "Recreate");
    if object.name.kind != "Deployment" || recreate {
        return;
    }
    set(object, "spec.strategy.rollingUpdate.maxUnavailable", Some(json!(0)), because, into);
    if at(&object.value, "spec.strategy.rollingUpdate.maxSurge").is_some_and(|surge| surge == &json!(0)) {
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
    if guard != Guard::Budget || size.max < 2 {
        return None;
    }
    let object = &objects[site.object];
    let selector = at(&object.value, "spec.selector")?;
    let guarded = objects.iter().any(|one| {
        one.name.kind == "PodDisruptionBudget"
            && one.name.namespace == object.name.namespace
            && one.value["spec"]["selector"] == *selector
    });
    if guarded {
        return None;
    }
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(object.name.name));
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
        Site {
            workload: 0,
            object: 0,
            container: 0,
            hpa: None,
            scales: true,
            asked: true,
            threads: None,
            now: SIZE,
        }
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
        for guard in Guard::ALL {
            let (value, paths) = guarded(guard, &web());
            let nothing = matches!(guard, Guard::Budget | Guard::Liveness);
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
    fn a_budget_is_added_where_none_guards_the_pods() {
        let added_to = |objects: &[Object]| added(Guard::Budget, &site(), &SIZE, objects, "why".to_owned());
        let budget = added_to(&[web()]).expect("nothing guards them");
        assert_eq!(budget.object["spec"]["maxUnavailable"], 1);
        assert_eq!(budget.object["spec"]["selector"], json!({"matchLabels": {"app": "web"}}));
        let there = object(budget.object);
        assert_eq!(added_to(&[web(), there]), None);
    }
}
