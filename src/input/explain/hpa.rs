//! One HPA with its pods and metrics, ready for the rules.

use std::fs;
use std::path::PathBuf;

use super::history;
use crate::input::manifest::live::{self, Live, LiveHpa, LiveMetrics, LivePod};
use crate::input::manifest::set::ManifestHpa;
use crate::input::problem::Problem;
use crate::input::request::Failure;
use crate::k8s::hpa::{
    HpaSpec, Memory, MetricSpec, Pass, Reading, ResourceName, ResourceTarget, Scale, Selection, ValueTarget,
    words,
};
use crate::k8s::replicas::{
    ContainerRequest, InitContainerRequest, PodRequests, PodSamples, PodView, RequestProblem, Sample,
    pod_request,
};
use crate::k8s::resources::Resources;
use crate::k8s::version::{ControllerSettings, Rules, Version};
use crate::scenario::Container;
use crate::source::{Place, Sources};
use crate::units::{SimDuration, SimTime};

/// Custom metrics come without a window; upstream takes a minute.
const CUSTOM_WINDOW: SimDuration = SimDuration::from_secs(60);

/// Which files make the case, and what they don't say.
#[derive(Clone, Debug, Default)]
pub struct HpaRequest {
    /// Files with the HPA, its pods and their metrics, in any order.
    pub files: Vec<PathBuf>,
    /// What the controller remembers.
    pub history: Option<PathBuf>,
    /// Which HPA, as `NAME` or `NAMESPACE/NAME`.
    pub name: Option<String>,
    /// The moment of the pass; the newest PodMetrics where absent.
    pub now: Option<SimTime>,
    /// The replicas; those of the HPA's status where absent.
    pub current: Option<u32>,
    /// The Kubernetes release.
    pub version: Version,
}

/// One pass of the HPA controller, before it is decided.
#[derive(Debug)]
pub struct HpaCase {
    /// The HPA.
    pub hpa: ManifestHpa,
    /// The target's pods.
    pub pods: Vec<LivePod>,
    /// What the rules see of them.
    pub views: Vec<PodView>,
    /// What the metrics APIs returned, in the order of the spec.
    pub metrics: Vec<MetricInput>,
    /// The target's scale.
    pub scale: Scale,
    /// The moment of the pass, counted from 1970.
    pub now: SimTime,
    /// The controller's flags: all at their defaults.
    pub settings: ControllerSettings,
    /// The release.
    pub version: Version,
    /// What holds in it.
    pub rules: Rules,
    /// What the controller remembers.
    pub memory: Memory,
    /// What no file says, and what was taken instead.
    pub notes: Vec<String>,
    /// Where the HPA stands.
    pub whole: Place,
    /// What was read of it, but hardly meant so.
    pub warnings: Vec<Problem>,
    /// All texts that were read.
    pub sources: Sources,
}

/// What a metrics API returned for one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricInput {
    /// Values and requests in the order of the pods.
    PerPod {
        /// Values.
        samples: Vec<Option<Sample>>,
        /// Requests, or why one is absent.
        requests: Result<Vec<i64>, RequestProblem>,
    },
    /// Whole values.
    Whole(Vec<i64>),
    /// Nothing that was given says.
    Unavailable,
}

impl HpaCase {
    /// The metrics as the rules take them.
    pub fn readings(&self) -> Vec<Reading<'_>> {
        let each = self.metrics.iter().map(|metric| match metric {
            MetricInput::PerPod { samples, requests } => Reading::PerPod {
                samples: PodSamples { samples, strays: &[] },
                requests: requests.as_deref().map_err(|problem| *problem),
            },
            MetricInput::Whole(values) => Reading::Whole(values),
            MetricInput::Unavailable => Reading::Unavailable,
        });
        each.collect()
    }

    /// The pass with these readings.
    pub fn pass<'a>(&'a self, readings: &'a [Reading<'a>]) -> Pass<'a> {
        Pass {
            spec: &self.hpa.spec,
            scale: Some(self.scale),
            selection: Selection::Pods(&self.views),
            readings,
            now: self.now,
            settings: &self.settings,
            rules: &self.rules,
        }
    }
}

/// Reads the files of a request.
pub fn hpa(request: &HpaRequest) -> Result<HpaCase, Failure> {
    let mut sources = Sources::new();
    let mut files = request.files.clone();
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    let (live, mut problems) = live::read(&files, &mut sources).map_err(Failure::Manifests)?;
    let mut memory = None;
    if let Some(path) = &request.history {
        match fs::read_to_string(path) {
            Ok(text) => {
                let id = sources.add(path.display().to_string(), text);
                memory = history::read(&sources, id, &mut problems);
            }
            Err(error) => {
                problems.push(Problem::error(format!("cannot read `{}`: {error}", path.display())));
            }
        }
    }
    let case = case(request, live, memory, &mut problems);
    match case.filter(|_| !problems.iter().any(Problem::is_error)) {
        // A dump holds many objects; only what is wrong with this one matters.
        Some(case) => {
            let inside = |place: &Place| {
                let whole = &case.whole;
                place.source == whole.source && whole.span.contains(&place.span.start)
            };
            problems.retain(|one| one.place.as_ref().is_none_or(inside));
            Ok(HpaCase { warnings: problems, sources, ..case })
        }
        None => {
            problems.retain(Problem::is_error);
            Err(Failure::Wrong { problems, sources })
        }
    }
}

fn case(
    request: &HpaRequest,
    live: Live,
    memory: Option<Memory>,
    problems: &mut Vec<Problem>,
) -> Option<HpaCase> {
    let mut notes = Vec::new();
    let Live { autoscalers, pods, metrics, targets, .. } = live;
    if pods.is_empty() {
        let help = "kubectl get pods -o yaml > pods.yaml, then --pods pods.yaml";
        problems.push(Problem::error("there are no Pods in what was given").help(help));
    }
    let hpa = chosen(autoscalers, request.name.as_deref(), problems)?;
    let namespace = hpa.object.namespace.clone();
    let metrics: Vec<LiveMetrics> = metrics.into_iter().filter(|one| one.namespace == namespace).collect();
    let now = now(request, &metrics, &mut notes, problems);
    let target = targets.iter().find(|one| {
        (&one.kind, &one.name, &one.namespace)
            == (&hpa.object.target_kind, &hpa.object.target_name, &namespace)
    });
    let selector = target.and_then(|target| target.selector.as_ref());
    let pods =
        pods_of(&hpa.object, pods, |pod| selector.map(|one| one.matches(&pod.template.labels)), &mut notes);
    let live = target.filter(|target| target.is_live).and_then(|target| target.replicas);
    if let (None, Some(replicas), Some(status)) = (request.current, live, hpa.current_replicas)
        && replicas != status
    {
        notes.push(format!(
            "The target's spec.replicas is {replicas}, and the HPA's status says {status}: that is of its last \
             look, and the controller goes by the target's."
        ));
    }
    let written = target.and_then(|target| target.replicas);
    let stated = request.current.or(live).or(hpa.current_replicas).or(written);
    let current = stated.unwrap_or_else(|| {
        let live = pods.iter().filter(|pod| !pod.view.deleting).count();
        notes.push(format!(
            "The HPA has no status: the replicas are the {live} pods that aren't being deleted."
        ));
        live as u32
    });
    let scale = Scale { spec_replicas: current, status_replicas: hpa.current_replicas.unwrap_or(current) };
    let rules = request.version.rules();
    let mut input = Vec::new();
    for (index, metric) in hpa.object.spec.metrics.iter().enumerate() {
        input.push(metric_input(metric, index, (&hpa, &pods, &metrics), (now, scale, rules), &mut notes));
    }
    let mut memory = memory.unwrap_or_else(|| {
        notes.push(without_history(&hpa.object.spec));
        Memory { recommendations: Some(Vec::new()), ..Memory::default() }
    });
    memory.scaled_to_zero = hpa.scaled_to_zero;
    Some(HpaCase {
        views: pods.iter().map(|pod| pod.view).collect(),
        whole: hpa.whole,
        hpa: hpa.object,
        pods,
        metrics: input,
        scale,
        now,
        settings: ControllerSettings::default(),
        version: request.version,
        rules,
        memory,
        notes,
        warnings: Vec::new(),
        sources: Sources::new(),
    })
}

/// What is unknown without a history.
fn without_history(spec: &HpaSpec) -> String {
    let events = if spec.behavior.is_some() { " and no scale used up a policy" } else { "" };
    format!(
        "The controller's memory is in no object. Without --history no earlier recommendation holds \
         the count{events}."
    )
}

/// The HPA of that name, or the only one.
fn chosen(all: Vec<LiveHpa>, name: Option<&str>, problems: &mut Vec<Problem>) -> Option<LiveHpa> {
    let full = |one: &LiveHpa| format!("{}/{}", one.object.namespace, one.object.name);
    let names: Vec<String> = all.iter().map(full).collect();
    if all.is_empty() {
        // An HPA that can't be read has been told of.
        if !problems.iter().any(Problem::is_error) {
            let help = "kubectl get hpa NAME -o yaml > hpa.yaml, then -f hpa.yaml";
            let message = "there is no HorizontalPodAutoscaler in what was given";
            problems.push(Problem::error(message).help(help));
        }
        return None;
    }
    let wanted = |one: &LiveHpa| name.is_none_or(|name| name == one.object.name || name == full(one));
    let mut found: Vec<LiveHpa> = all.into_iter().filter(wanted).collect();
    if found.len() == 1 {
        return found.pop();
    }
    let list = match names.as_slice() {
        [first @ .., last] if names.len() <= 12 => format!("{} or {last}", first.join(", ")),
        _ => format!("{}, … ({} in all)", names[..12.min(names.len())].join(", "), names.len()),
    };
    let problem = match (name, found.pop()) {
        (Some(name), None) => Problem::error(format!("there is no HPA `{name}`")),
        (_, last) => {
            let problem = Problem::error(format!("there are {} HPAs that could be meant", found.len() + 1));
            last.map_or(problem.clone(), |last| problem.at(last.place))
        }
    };
    let lone = names.len() == 1;
    let help =
        if lone { format!("there is only {}", names[0]) } else { format!("choose one by --name: {list}") };
    problems.push(problem.help(help));
    None
}

/// The moment of the pass.
fn now(
    request: &HpaRequest,
    metrics: &[LiveMetrics],
    notes: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> SimTime {
    if let Some(now) = request.now {
        return now;
    }
    let newest = metrics.iter().map(|one| one.time).max();
    if newest.is_some() {
        notes.push("The moment is that of the newest PodMetrics; --now gives another.".to_owned());
    } else {
        let help = "give --now 2026-05-04T10:00:00Z, or --metrics with the PodMetrics of that moment";
        problems.push(Problem::error("nothing says when the decision is made").help(help));
    }
    newest.unwrap_or(SimTime::ZERO)
}

/// The target's pods: those its selector matches, else those its name owns,
/// else all of the namespace.
fn pods_of(
    hpa: &ManifestHpa,
    pods: Vec<LivePod>,
    selected: impl Fn(&LivePod) -> Option<bool>,
    notes: &mut Vec<String>,
) -> Vec<LivePod> {
    let all = pods.len();
    let mut near: Vec<LivePod> = pods.into_iter().filter(|pod| pod.namespace == hpa.namespace).collect();
    let owned = |pod: &LivePod| {
        pod.owner.as_ref().is_some_and(|(kind, name)| {
            let plain = *kind == hpa.target_kind && *name == hpa.target_name;
            let of_set = kind == "ReplicaSet"
                && hpa.target_kind == "Deployment"
                && name.rsplit_once('-').is_some_and(|(front, _)| front == hpa.target_name);
            plain || of_set
        })
    };
    let target = format!("{}/{}", hpa.target_kind, hpa.target_name);
    if near.iter().any(|pod| selected(pod).is_some()) {
        near.retain(|pod| selected(pod) == Some(true));
    } else if near.iter().any(owned) {
        near.retain(owned);
    } else if !near.is_empty() {
        notes.push(format!(
            "No pod names {target} as its owner, so all pods of the namespace are taken for its."
        ));
    }
    if near.len() < all && all > 0 {
        notes.push(format!("{} of {all} pods left out: not of {target}.", all - near.len()));
    }
    near
}

/// What was given of one metric.
fn metric_input(
    metric: &MetricSpec,
    index: usize,
    (hpa, pods, metrics): (&LiveHpa, &[LivePod], &[LiveMetrics]),
    (now, scale, rules): (SimTime, Scale, Rules),
    notes: &mut Vec<String>,
) -> MetricInput {
    let name = words::name(metric);
    let same_before = hpa.object.spec.metrics[..index].iter().filter(|one| words::name(one) == name).count();
    let from_status = |kind: &str| {
        let found = hpa.current_metrics.iter().filter(|one| one.kind == kind && one.name == name);
        found.clone().nth(same_before).or_else(|| found.clone().next())
    };
    let mut told = |found: bool, kind: &str| {
        notes.push(if found {
            format!("The value of {name} is taken from the HPA's status.")
        } else {
            format!(
                "{name} can't be computed: PodMetrics don't have {kind} metrics, and \
                 the HPA's status.currentMetrics has no value of it."
            )
        });
    };
    match metric {
        MetricSpec::Resource { resource, container, target } => {
            if metrics.is_empty() {
                notes.push(format!("{name} can't be computed: no PodMetrics were given (--metrics)."));
                return MetricInput::Unavailable;
            }
            let samples =
                pods.iter().map(|pod| sample(pod, resource, container.as_deref(), metrics)).collect();
            let requests = requests(pods, metric, rules.pod_level_resources);
            if let (Err((pod, problem)), ResourceTarget::Utilization(_)) = (&requests, target) {
                notes.push(format!("Pod {pod}: {problem} ({name})."));
            }
            MetricInput::PerPod { samples, requests: requests.map_err(|(_, problem)| problem) }
        }
        MetricSpec::Pods { .. } => {
            let found = from_status("Pods").and_then(|one| one.average);
            told(found.is_some(), "Pods");
            let Some(value) = found else { return MetricInput::Unavailable };
            let one = Sample { value, time: now, window: CUSTOM_WINDOW };
            MetricInput::PerPod { samples: vec![Some(one); pods.len()], requests: Ok(Vec::new()) }
        }
        MetricSpec::Object { target, .. } | MetricSpec::External { target, .. } => {
            let kind = if matches!(metric, MetricSpec::Object { .. }) { "Object" } else { "External" };
            let status = from_status(kind);
            // The status holds the total divided by the replicas.
            let total = |mean: i64| mean.saturating_mul(i64::from(scale.status_replicas));
            let found = status.and_then(|one| match target {
                ValueTarget::Value(_) => one.value,
                ValueTarget::AverageValue(_) => one.average.map(total).or(one.value),
            });
            told(found.is_some(), kind);
            found.map_or(MetricInput::Unavailable, |value| MetricInput::Whole(vec![value]))
        }
        MetricSpec::Unsupported { .. } => MetricInput::Unavailable,
    }
}

/// A pod's value: the sum over its containers, or that of one. Without the
/// resource in one of them there is none.
fn sample(
    pod: &LivePod,
    resource: &ResourceName,
    container: Option<&str>,
    metrics: &[LiveMetrics],
) -> Option<Sample> {
    let found = metrics.iter().find(|one| one.pod == pod.name && one.namespace == pod.namespace)?;
    let key = match resource {
        ResourceName::Cpu => "cpu",
        ResourceName::Memory => "memory",
        ResourceName::Other(name) => name,
    };
    let mut counted = found.containers.iter().filter(|(name, _)| container.is_none_or(|one| one == name));
    let first = counted.next()?;
    let value = std::iter::once(first)
        .chain(counted)
        .try_fold(0_i64, |sum, (_, usage)| Some(sum.saturating_add(usage.get(key)?.milli_value())))?;
    Some(Sample { value, time: found.time, window: found.window })
}

/// What all pods request, or the first that has none.
fn requests(
    pods: &[LivePod],
    metric: &MetricSpec,
    pod_level: bool,
) -> Result<Vec<i64>, (String, RequestProblem)> {
    let MetricSpec::Resource { resource, container, .. } = metric else { return Ok(Vec::new()) };
    let amount = |resources: &Resources| match resource {
        ResourceName::Cpu => resources.cpu.map(|cpu| cpu.0 as i64),
        ResourceName::Memory => resources.memory.map(|memory| (memory.0 as i64).saturating_mul(1_000)),
        ResourceName::Other(name) => {
            resources.extended.get(name).map(|amount| (*amount as i64).saturating_mul(1_000))
        }
    };
    let each = pods.iter().map(|pod| {
        let request = |one: &'_ Container| amount(&one.requests);
        let containers: Vec<ContainerRequest> = pod
            .template
            .containers
            .iter()
            .map(|one| ContainerRequest { name: &one.name, request: request(one) })
            .collect();
        let init_containers: Vec<InitContainerRequest> = pod
            .template
            .init_containers
            .iter()
            .map(|one| InitContainerRequest {
                container: ContainerRequest { name: &one.name, request: request(one) },
                restart_always: one.sidecar,
            })
            .collect();
        let asked = PodRequests {
            containers: &containers,
            init_containers: &init_containers,
            pod_level: amount(&pod.pod_level),
        };
        pod_request(&asked, container.as_deref(), pod_level).map_err(|problem| (pod.name.clone(), problem))
    });
    each.collect()
}
