//! One pod, the nodes it may go to, and the pods that are there already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::input::manifest::live::{self, Live, LivePod};
use crate::input::manifest::set::ManifestWorkload;
use crate::input::problem::Problem;
use crate::input::request::Failure;
use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::{BoundPod, ClusterView, Containers, PodKind, PodView, Profile};
use crate::k8s::replicas::PodPhase;
use crate::k8s::resources::Resources;
use crate::k8s::version::Version;
use crate::scenario::{Kind, PodTemplate};
use crate::source::Sources;
use crate::units::figures::plural;
use crate::units::{Bytes, SimTime};

/// Labels that tell the pods of one owner from each other.
const OWN_LABELS: [&str; 2] = ["statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"];
/// The label that every namespace carries.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Which files make the case.
#[derive(Clone, Debug, Default)]
pub struct SchedulingRequest {
    /// The pod, or a workload with its template.
    pub pod: Vec<PathBuf>,
    /// The nodes, and the pods on them.
    pub cluster: Vec<PathBuf>,
    /// Which pod or workload, as `NAME` or `NAMESPACE/NAME`.
    pub name: Option<String>,
    /// The release whose rules apply.
    pub version: Version,
}

/// One scheduling cycle before it is decided.
#[derive(Debug)]
pub struct SchedulingCase {
    /// The pod's name, or that of its workload.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The pod as the scheduler sees it.
    pub pod: PodView,
    /// Nodes and pods.
    pub cluster: ClusterView,
    /// What no file says, and what was taken instead.
    pub notes: Vec<String>,
    /// All texts that were read.
    pub sources: Sources,
}

/// The pod that is to be scheduled.
struct Candidate {
    name: String,
    namespace: String,
    template: PodTemplate,
    pod_level: Resources,
    owners_select: Option<Selector>,
}

/// Reads the files of a request.
pub fn scheduling(request: &SchedulingRequest) -> Result<SchedulingCase, Failure> {
    let mut sources = Sources::new();
    let (asking, mut problems) = live::read(&request.pod, &mut sources).map_err(Failure::Manifests)?;
    let (around, found) = live::read(&request.cluster, &mut sources).map_err(Failure::Manifests)?;
    problems.extend(found);
    if around.nodes.is_empty() && !problems.iter().any(Problem::is_error) {
        let help = "kubectl get nodes -o yaml > nodes.yaml, then --nodes nodes.yaml";
        problems.push(Problem::error("there are no Nodes in what was given").help(help));
    }
    let mut notes = Vec::new();
    let candidate = candidate(asking, request.name.as_deref(), &mut notes, &mut problems);
    problems.retain(Problem::is_error);
    match candidate.filter(|_| problems.is_empty()) {
        Some(candidate) => {
            let profile = Profile::of(&request.version.rules());
            Ok(case(candidate, around, profile, notes, sources))
        }
        None => Err(Failure::Wrong { problems, sources }),
    }
}

/// The pod or template of that name, or the only one.
fn candidate(
    asking: Live,
    name: Option<&str>,
    notes: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    let pods = asking.pods.into_iter().map(|pod| of_pod(pod, notes)).collect::<Vec<_>>();
    let templates = asking.templates.into_iter().filter_map(of_workload);
    let all: Vec<Candidate> = pods.into_iter().chain(templates).collect();
    let full = |one: &Candidate| format!("{}/{}", one.namespace, one.name);
    let names: Vec<String> = all.iter().map(full).collect();
    let wanted = |one: &Candidate| name.is_none_or(|name| name == one.name || name == full(one));
    let mut found: Vec<Candidate> = all.into_iter().filter(wanted).collect();
    if found.len() == 1 {
        return found.pop();
    }
    if names.is_empty() {
        if !problems.iter().any(Problem::is_error) {
            let problem =
                Problem::error("there is no Pod, and no Deployment, StatefulSet, ReplicaSet or Job");
            problems.push(problem.help("--pod takes a file with the pod that is to be scheduled"));
        }
        return None;
    }
    let problem = match (name, found.is_empty()) {
        (Some(name), true) => format!("there is no pod or workload `{name}`"),
        _ => format!("there are {} pods that could be meant", found.len()),
    };
    let shown = names[..names.len().min(12)].join(", ");
    problems.push(Problem::error(problem).help(format!("choose one by --name: {shown}")));
    None
}

fn of_pod(pod: LivePod, notes: &mut Vec<String>) -> Candidate {
    let LivePod { name, namespace, mut template, pod_level, node, owner, .. } = pod;
    if let Some(node) = node {
        notes.push(format!("{name} is on {node} already; this is where it would go now."));
        template.wishes.node_name = None;
    }
    let spread = owner.is_some_and(|(kind, _)| kind != "DaemonSet" && kind != "Job");
    let owners_select = spread.then(|| owners(&template.labels));
    Candidate { name, namespace, template, pod_level, owners_select }
}

fn of_workload(workload: ManifestWorkload) -> Option<Candidate> {
    let ManifestWorkload { name, namespace, kind, api_kind, template, .. } = workload;
    // A DaemonSet's pods are made for one node each.
    if matches!(kind, Kind::DaemonSet) {
        return None;
    }
    let owners_select = (api_kind != "Job").then(|| owners(&template.labels));
    Some(Candidate { name, namespace, template, pod_level: Resources::default(), owners_select })
}

/// Whom a pod with these labels is spread from when it says nothing: the pods
/// that its owner selects, taken to be those with the same labels.
pub(crate) fn owners(labels: &Labels) -> Selector {
    let mut labels = labels.clone();
    labels.retain(|key, _| !OWN_LABELS.contains(&key.as_str()));
    Selector::of(labels)
}

/// What scheduling asks of a pod.
pub(crate) fn kind_of(
    namespace: &str,
    template: &PodTemplate,
    pod_level: &Resources,
    owners_select: Option<Selector>,
) -> PodKind {
    let containers = Containers {
        main: template.containers.iter().map(|one| one.requests.clone()).collect(),
        init: template.init_containers.iter().map(|one| (one.requests.clone(), one.sidecar)).collect(),
        overhead: template.overhead.clone(),
        pod_level: pod_level.clone(),
    };
    let all = template.init_containers.iter().chain(&template.containers);
    PodKind {
        namespace: namespace.to_owned(),
        labels: template.labels.clone(),
        wishes: template.wishes.clone(),
        demand: containers.demand(),
        images: all.map(|one| one.image.clone()).collect(),
        owners_select,
    }
}

/// Puts nodes and pods into the scheduler's memory.
fn case(
    candidate: Candidate,
    around: Live,
    profile: Profile,
    mut notes: Vec<String>,
    sources: Sources,
) -> SchedulingCase {
    let named: BTreeSet<&String> =
        around.pods.iter().map(|pod| &pod.namespace).chain([&candidate.namespace]).collect();
    let label = |name: &String| (name.clone(), Labels::from([(NAMESPACE_NAME.to_owned(), name.clone())]));
    let mut cluster = ClusterView::new(profile, named.into_iter().map(label).collect());
    let mut nodes = BTreeMap::new();
    for node in around.nodes {
        let name = node.shape.name.clone();
        let id = cluster.add_node(node.shape);
        for (image, size) in &node.images {
            cluster.add_image(id, image, Bytes(*size));
        }
        nodes.insert(name, id);
    }
    let mut kinds: Vec<(PodKind, usize)> = Vec::new();
    let (mut waiting, mut strangers) = (0_u64, BTreeSet::new());
    for (id, pod) in around.pods.iter().enumerate() {
        let itself = pod.name == candidate.name && pod.namespace == candidate.namespace;
        if itself || matches!(pod.view.phase, PodPhase::Succeeded | PodPhase::Failed) {
            continue;
        }
        let Some(name) = &pod.node else {
            waiting += 1;
            continue;
        };
        let Some(node) = nodes.get(name) else {
            strangers.insert(name.clone());
            continue;
        };
        let kind = kind_of(&pod.namespace, &pod.template, &pod.pod_level, None);
        let known = kinds.iter().find(|(known, _)| *known == kind).map(|(_, id)| *id);
        let kind = known.unwrap_or_else(|| {
            let id = cluster.add_kind(kind.clone());
            kinds.push((kind, id));
            id
        });
        let start = pod.view.start_time.unwrap_or(SimTime::NEVER);
        let bound = BoundPod { kind, node: *node, start, terminating: pod.view.deleting, preempted: false };
        cluster.add_pod(id, bound);
    }
    if waiting > 0 {
        let (one, many) = ("pod waits for a node and holds", "pods wait for a node and hold");
        let pods = plural(waiting, one, many);
        notes.push(format!("{pods} no room."));
    }
    if !strangers.is_empty() {
        let names: Vec<&str> = strangers.iter().map(String::as_str).collect();
        notes.push(format!("Pods on nodes that weren't given are left out: {}.", names.join(", ")));
    }
    if around.pods.is_empty() {
        notes.push("No pods were given (--pods): the nodes are taken as empty.".to_owned());
    }
    let Candidate { name, namespace, template, pod_level, owners_select } = candidate;
    let kind = cluster.add_kind(kind_of(&namespace, &template, &pod_level, owners_select));
    let pod = PodView { id: around.pods.len(), kind, only_node: None, nominated: None };
    SchedulingCase { name, namespace, pod, cluster, notes, sources }
}
