//! Objects of a live cluster with what their status says, as kubectl prints them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::object::{Class, Manifest, Object};
use super::set::{ManifestHpa, ManifestWorkload};
use super::{
    Failure, ManifestSet, Reading, cluster, files, hpa, object, placement, pod, resources, workload,
};
use crate::input::problem::{self, Problem};
use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::{Amounts, NodeShape, Taint};
use crate::k8s::quantity::Quantity;
use crate::k8s::replicas::{PodPhase, PodView, ReadyCondition};
use crate::k8s::resources::Resources;
use crate::scenario::PodTemplate;
use crate::source::{Node, Place, SourceId, Sources};
use crate::units::{SimDuration, SimTime};

/// Everything of a dump that a single decision looks at.
#[derive(Debug, Default)]
pub struct Live {
    /// The HPAs.
    pub autoscalers: Vec<LiveHpa>,
    /// All pods, those of Deployments too.
    pub pods: Vec<LivePod>,
    /// What the metrics API returned.
    pub metrics: Vec<LiveMetrics>,
    /// The objects that an HPA may scale.
    pub targets: Vec<LiveTarget>,
    /// The nodes.
    pub nodes: Vec<LiveNode>,
    /// Pod templates of workloads.
    pub templates: Vec<ManifestWorkload>,
}

/// An HPA with its status.
#[derive(Debug)]
pub struct LiveHpa {
    /// The object.
    pub object: ManifestHpa,
    /// `status.currentReplicas`.
    pub current_replicas: Option<u32>,
    /// `status.currentMetrics`.
    pub current_metrics: Vec<StatusMetric>,
    /// The condition `ScaledToZero` is true.
    pub scaled_to_zero: bool,
    /// Where its name stands.
    pub place: Place,
    /// Where all of it stands.
    pub whole: Place,
}

/// A metric of an HPA's status.
#[derive(Debug)]
pub struct StatusMetric {
    /// Its `type`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The whole value in thousandths.
    pub value: Option<i64>,
    /// The mean in thousandths.
    pub average: Option<i64>,
}

/// A pod with its status. Times are counted from 1970.
#[derive(Debug)]
pub struct LivePod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// What an HPA sees of it.
    pub view: PodView,
    /// Its spec.
    pub template: PodTemplate,
    /// Requests of the pod as a whole.
    pub pod_level: Resources,
    /// `spec.nodeName`: the node it is bound to.
    pub node: Option<String>,
    /// Kind and name of its controller.
    pub owner: Option<(String, String)>,
}

/// A PodMetrics object.
#[derive(Debug)]
pub struct LiveMetrics {
    /// The pod.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// When the window ended.
    pub time: SimTime,
    /// How long it was.
    pub window: SimDuration,
    /// Usage by container and resource.
    pub containers: Vec<(String, BTreeMap<String, Quantity>)>,
}

/// Something that an HPA may scale.
#[derive(Debug)]
pub struct LiveTarget {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `spec.replicas`.
    pub replicas: Option<u32>,
    /// Whether it is as the cluster has it, with a status: a file in a repository may say what
    /// an HPA has changed since.
    pub is_live: bool,
    /// `spec.selector`.
    pub selector: Option<Selector>,
}

/// A node as the scheduler knows it.
#[derive(Debug)]
pub struct LiveNode {
    /// The object.
    pub shape: NodeShape,
    /// Names and sizes of the images it holds.
    pub images: Vec<(String, u64)>,
}

/// Reads files, directories and standard input as [`super::read`] does, but
/// keeps status, and every pod.
pub fn read(paths: &[PathBuf], sources: &mut Sources) -> Result<(Live, Vec<Problem>), Failure> {
    let (texts, mut problems) = files::collect(paths)?;
    let ids: Vec<SourceId> = texts.into_iter().map(|(name, text)| sources.add(name, text)).collect();
    let documents: Vec<Node> =
        ids.iter().flat_map(|id| problem::parse(sources, *id, &mut problems)).collect();
    let objects = object::objects(&documents, &mut problems);
    let mut reading = Reading { set: ManifestSet::default(), problems, sources };
    let unique = reading.without_repeated(&objects);
    let around = cluster::surroundings(&mut reading, &unique);
    let mut live = Live::default();
    for object in unique {
        match object.class {
            Class::Hpa(version) => {
                hpa::read(&mut reading, object, version);
                live.autoscalers.extend(reading.set.autoscalers.pop().map(|read| status(object, read)));
            }
            Class::Pod => live.pods.extend(live_pod(&mut reading, object, &around)),
            Class::Node => live.nodes.extend(live_node(&mut reading, object)),
            Class::Deployment => workload::deployment(&mut reading, object, &around),
            Class::StatefulSet => workload::stateful_set(&mut reading, object, &around),
            Class::DaemonSet => workload::daemon_set(&mut reading, object, &around),
            Class::ReplicaSet => workload::replica_set(&mut reading, object, &around),
            Class::Job => workload::job(&mut reading, object, &around),
            Class::Other if object.kind == "PodMetrics" => {
                live.metrics.extend(metrics(&mut reading, object));
            }
            _ => {}
        }
        live.targets.extend(target(&mut reading, object));
    }
    live.templates = std::mem::take(&mut reading.set.workloads);
    Ok((live, reading.problems))
}

/// A moment as the API writes it, counted from 1970.
pub fn moment(text: &str) -> Option<SimTime> {
    let nanos = text.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
    Some(SimTime::from_nanos(u64::try_from(nanos).ok()?))
}

/// The moment at a path; an error where it isn't one.
fn time(reading: &mut Reading<'_>, object: &Object<'_>, path: &str) -> Option<SimTime> {
    let text = object.node.at(path)?.as_str().unwrap_or_default();
    let found = moment(text);
    if found.is_none() {
        let problem = Problem::error(format!("`{text}` is not a moment"));
        reading.field(object, path, problem.help("write it as 2026-05-04T10:00:00Z"));
    }
    found
}

fn text(node: &Node, path: &str) -> Option<String> {
    node.at(path).and_then(Node::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(node: &Node, path: &str) -> Option<u32> {
    match node.at(path)?.value {
        crate::source::Value::Int(number) => u32::try_from(number).ok(),
        _ => None,
    }
}

/// A quantity as written: text, or a bare number.
fn quantity(node: &Node) -> Option<Quantity> {
    match &node.value {
        crate::source::Value::String(text) => text.parse().ok(),
        crate::source::Value::Int(number) => number.to_string().parse().ok(),
        crate::source::Value::Float(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// Adds an HPA's status.
fn status(object: &Object<'_>, read: ManifestHpa) -> LiveHpa {
    let list = |path: &str| object.node.at(path).map(Node::items).unwrap_or_default();
    let scaled_to_zero = list("status.conditions").iter().any(|one| {
        text(one, "type").as_deref() == Some("ScaledToZero") && text(one, "status").as_deref() == Some("True")
    });
    LiveHpa {
        object: read,
        current_replicas: number(object.node, "status.currentReplicas"),
        current_metrics: list("status.currentMetrics").iter().filter_map(status_metric).collect(),
        scaled_to_zero,
        place: object.place("metadata.name"),
        whole: object.node.place(),
    }
}

/// One entry of `status.currentMetrics`, of `v2` or `v2beta1`.
fn status_metric(node: &Node) -> Option<StatusMetric> {
    let kind = text(node, "type")?;
    let field = kind.get(..1)?.to_lowercase() + &kind[1..];
    let inner = node.get(&field)?;
    let names = ["metric.name", "metricName", "name"];
    let milli =
        |paths: [&str; 2]| paths.iter().find_map(|path| quantity(inner.at(path)?)).map(Quantity::milli_value);
    Some(StatusMetric {
        name: names.iter().find_map(|path| text(inner, path)).unwrap_or_default(),
        value: milli(["current.value", "currentValue"]),
        average: milli(["current.averageValue", "currentAverageValue"]),
        kind,
    })
}

fn live_pod(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    around: &cluster::Surroundings,
) -> Option<LivePod> {
    let manifest = object.decode::<Manifest<PodSpec>>(&mut reading.problems)?;
    let mut spec = manifest.spec.unwrap_or_default();
    let own = spec.resources.take().and_then(|own| own.requests).unwrap_or_default();
    let own = resources::amounts(reading, object, "spec.resources.requests", &own);
    let meta = (manifest.metadata.labels, manifest.metadata.annotations);
    let template = pod::template(reading, object, "spec", meta, &spec, around);
    let node = object.node;
    let phase = text(node, "status.phase").unwrap_or_else(|| "Pending".to_owned());
    let choices = [
        ("Pending", PodPhase::Pending),
        ("Running", PodPhase::Running),
        ("Succeeded", PodPhase::Succeeded),
        ("Failed", PodPhase::Failed),
        ("Unknown", PodPhase::Running),
    ];
    let phase = reading.choice(object, "status.phase", &phase, &choices)?;
    let conditions = node.at("status.conditions").map(Node::items).unwrap_or_default();
    let ready = conditions.iter().position(|one| text(one, "type").as_deref() == Some("Ready"));
    let ready = ready.and_then(|index| {
        let is_true = text(&conditions[index], "status").as_deref() == Some("True");
        let since = time(reading, object, &format!("status.conditions[{index}].lastTransitionTime"))?;
        Some(ReadyCondition { is_true, since })
    });
    let start_time = time(reading, object, "status.startTime");
    let deleting = node.at("metadata.deletionTimestamp").is_some_and(|one| !one.is_null());
    let owners = node.at("metadata.ownerReferences").map(Node::items).unwrap_or_default();
    Some(LivePod {
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        view: PodView { deleting, phase, start_time, ready },
        node: template.wishes.node_name.clone(),
        template,
        pod_level: resources::split(&own),
        owner: owners.iter().find_map(|one| Some((text(one, "kind")?, text(one, "name")?))),
    })
}

fn metrics(reading: &mut Reading<'_>, object: &Object<'_>) -> Option<LiveMetrics> {
    let node = object.node;
    for path in ["timestamp", "window", "containers"] {
        if node.at(path).is_none() {
            reading.field(object, path, Problem::error("is missing"));
        }
    }
    let time = time(reading, object, "timestamp")?;
    let window = text(node, "window")?;
    let Some(window) = go_duration(&window) else {
        let problem = Problem::error(format!("`{window}` is not a length of time"));
        reading.field(object, "window", problem.help("write it as 15s or 1m0s"));
        return None;
    };
    let mut containers = Vec::new();
    for (index, one) in node.get("containers").map(Node::items).unwrap_or_default().iter().enumerate() {
        let mut usage = BTreeMap::new();
        for entry in one.get("usage").map(Node::entries).unwrap_or_default() {
            let path = format!("containers[{index}].usage{}", resources::step(&entry.key));
            match quantity(&entry.value) {
                Some(amount) => drop(usage.insert(entry.key.clone(), amount)),
                None => reading.field(object, &path, Problem::error("not a quantity")),
            }
        }
        containers.push((text(one, "name").unwrap_or_default(), usage));
    }
    let (pod, namespace) = (object.name.clone(), object.namespace.clone());
    Some(LiveMetrics { pod, namespace, time, window, containers })
}

/// A length of time as Go prints it: `15s`, `1m0.5s`, `850ms`.
fn go_duration(text: &str) -> Option<SimDuration> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let after = rest[end..].find(|one: char| one.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        seconds += number
            * match &rest[end..after] {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                _ => return None,
            };
        rest = &rest[after..];
    }
    (!text.is_empty()).then(|| SimDuration::from_secs_f64(seconds))
}

fn target(reading: &mut Reading<'_>, object: &Object<'_>) -> Option<LiveTarget> {
    let scalable = [Class::Deployment, Class::StatefulSet, Class::ReplicaSet, Class::ReplicationController];
    if !scalable.contains(&object.class) {
        return None;
    }
    let node = object.node.at("spec.selector");
    let selector = if object.class == Class::ReplicationController {
        let pairs = node.map(Node::entries).unwrap_or_default().iter();
        let pairs = pairs.filter_map(|one| Some((one.key.clone(), one.value.as_str()?.to_owned())));
        Some(Selector::of(pairs.collect::<Labels>()))
    } else {
        // What doesn't decode was reported when the workload was read.
        let written = node.and_then(|node| crate::source::decode(node, true).value);
        written.and_then(|written| placement::selector(reading, object, "spec.selector", &written))
    };
    Some(LiveTarget {
        kind: object.kind.clone(),
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        replicas: number(object.node, "spec.replicas"),
        is_live: object.node.at("status").is_some(),
        selector,
    })
}

fn live_node(reading: &mut Reading<'_>, object: &Object<'_>) -> Option<LiveNode> {
    let node = object.node;
    let amounts = |path: &str| -> Option<BTreeMap<String, Written>> {
        let entries = node.at(path)?.entries().iter();
        let plain = |one: &Node| match &one.value {
            crate::source::Value::String(text) => text.clone(),
            crate::source::Value::Int(number) => number.to_string(),
            _ => String::new(),
        };
        Some(entries.map(|one| (one.key.clone(), Written(plain(&one.value)))).collect())
    };
    let path = "status.allocatable";
    let Some(written) = amounts(path).or_else(|| amounts("status.capacity")) else {
        let help = "kubectl get nodes -o yaml prints it; without it there is no room to look for";
        reading.field(object, path, Problem::error("is missing").help(help));
        return None;
    };
    let allocatable = resources::amounts(reading, object, path, &written);
    let mut taints = Vec::new();
    for (index, one) in node.at("spec.taints").map(Node::items).unwrap_or_default().iter().enumerate() {
        let given = text(one, "effect").unwrap_or_default();
        let effect =
            reading.choice(object, &format!("spec.taints[{index}].effect"), &given, &placement::EFFECTS);
        let key = text(one, "key").unwrap_or_default();
        taints.extend(effect.map(|effect| Taint {
            key,
            value: text(one, "value").unwrap_or_default(),
            effect,
        }));
    }
    let labels = node.at("metadata.labels").map(Node::entries).unwrap_or_default().iter();
    let images = node.at("status.images").map(Node::items).unwrap_or_default().iter();
    let images = images.flat_map(|one| {
        let size = one.get("sizeBytes").and_then(quantity).map_or(0, |size| size.to_bytes().0);
        let names = one.get("names").map(Node::items).unwrap_or_default().iter();
        names.filter_map(move |name| Some((name.as_str()?.to_owned(), size)))
    });
    let pods = allocatable.get("pods").map_or(110, |pods| pods.value());
    Some(LiveNode {
        images: images.collect(),
        shape: NodeShape {
            name: object.name.clone(),
            labels: labels
                .filter_map(|one| Some((one.key.clone(), one.value.as_str()?.to_owned())))
                .collect(),
            taints,
            unschedulable: node
                .at("spec.unschedulable")
                .is_some_and(|one| matches!(one.value, crate::source::Value::Bool(true))),
            allocatable: Amounts::from(&resources::split(&allocatable)),
            pod_slots: u32::try_from(pods).unwrap_or(u32::MAX),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_prints_them() {
        let rows = [
            ("15s", Some(15_000)),
            ("1m0.5s", Some(60_500)),
            ("850ms", Some(850)),
            ("", None),
            ("15", None),
            ("1x", None),
        ];
        for (text, millis) in rows {
            assert_eq!(go_duration(text), millis.map(SimDuration::from_millis), "{text}");
        }
    }
}
