//! The HPA controller's loop: read, decide (`k8s::hpa`), record, act, come back.

use crate::k8s::behavior::{Limit, Stabilization};
use crate::k8s::hpa::{
    Because, MetricSpec, Pass, Reading, Recommendation, ResourceName, Scale, Selection, recommend,
};
use crate::k8s::metrics::{HOUSEKEEPING_MIN, pod_metrics};
use crate::k8s::replicas::{
    ContainerRequest, CurrentValue, InitContainerRequest, PodPhase, PodRequests, PodSamples, PodView,
    ReadyCondition, RequestProblem, Sample, pod_request,
};
use crate::k8s::resources::Resources;
use crate::observe::{Decision, MomentKind};
use crate::scenario::PodTemplate;
use crate::units::SimTime;
use crate::world::context::Context;
use crate::world::custom_metrics;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Desk, Known, Pod, State};
use crate::world::workloads;

/// One pass over one HPA.
pub fn synced(state: &mut State, cx: &mut Context, hpa: usize) {
    let scenario = state.scenario;
    let spec = &scenario.autoscalers[hpa];
    let workload = spec.workload;
    let mut desk = std::mem::take(&mut state.desk);
    let before = known(state, hpa).map(|known| known.proposals.clone());
    let problems = if before.is_none() { lay_out(state, cx.now(), hpa, &mut desk) } else { Vec::new() };
    let readings: Vec<Reading> = match &before {
        Some(before) => before.iter().map(|proposal| Reading::AsBefore(*proposal)).collect(),
        None => readings(&spec.spec.metrics, &desk, &problems),
    };
    let pods = state.workloads[workload].pods.len();
    let leaving = desk.views.iter().filter(|pod| pod.deleting).count();
    let pass = Pass {
        spec: &spec.spec,
        scale: Some(Scale {
            spec_replicas: state.workloads[workload].desired,
            // Nobody leaves where everything is as before.
            status_replicas: if before.is_some() { pods as u32 } else { (desk.views.len() - leaving) as u32 },
        }),
        selection: Selection::Pods(&desk.views),
        readings: &readings,
        now: cx.now(),
        settings: &state.settings,
        rules: &state.rules,
    };
    let memory = &mut state.autoscalers[hpa].memory;
    let mut answer = recommend(&pass, memory);
    answer.settle(&pass, memory, true);
    state.desk = desk;
    if before.is_none() && spec.custom.is_empty() {
        state.autoscalers[hpa].known = remember(state, cx.now(), workload, &answer);
    }
    note(state, cx, hpa, &answer);
    if answer.write && answer.replicas != answer.current {
        workloads::scale(state, cx, workload as u32, answer.replicas);
    }
    cx.agenda.after(state.settings.sync_period, Event::HpaSynced(hpa as u32));
}

/// What an HPA's metrics asked for, if they would ask for the same now.
fn known<'s>(state: &'s State, hpa: usize) -> Option<&'s Known> {
    let one = &state.workloads[state.scenario.autoscalers[hpa].workload];
    let known = state.autoscalers[hpa].known.as_ref()?;
    let same = (known.stirred, known.pods, known.current) == (one.stirred, one.pods.len(), one.desired);
    same.then_some(known)
}

/// What the metrics asked for, if they will ask for the same until something stirs.
///
/// A pod that follows a curve uses whole thousandths of a core, and its metrics are
/// rounded up to these: two windows without a change in them show the same. Such a
/// window begins after the pod became ready, so that the pod counts from now on.
fn remember(state: &State, now: SimTime, workload: usize, answer: &Recommendation) -> Option<Known> {
    let spec = &state.scenario.workloads[workload];
    let one = &state.workloads[workload];
    let settles = state.leaves_out && spec.usage.is_some() && one.unsteady.is_empty();
    if !settles || answer.metrics.is_empty() || now < one.stirred + HOUSEKEEPING_MIN {
        return None;
    }
    let resolution = state.scenario.cluster.metrics_resolution;
    let settled = |&id: &PodId| {
        state.pod(id).is_some_and(|pod| {
            let window = pod.window_now(&state.sampled, &spec.behaviour, resolution);
            let begins = window.span().1;
            pod.steady && pod.ready && !pod.deleting && begins.is_some_and(|begins| begins >= one.stirred)
        })
    };
    one.pods.iter().all(settled).then(|| Known {
        stirred: one.stirred,
        pods: one.pods.len(),
        current: answer.current,
        proposals: answer.metrics.clone(),
    })
}

/// Lays out what an HPA looks at; for each metric, why what its pods request isn't
/// known, if it isn't.
fn lay_out(state: &State, now: SimTime, hpa: usize, desk: &mut Desk) -> Vec<Option<RequestProblem>> {
    let spec = &state.scenario.autoscalers[hpa];
    let pods = &state.workloads[spec.workload].pods;
    desk.views.clear();
    desk.views.extend(pods.iter().filter_map(|&id| Some(view(state.pod(id)?))));
    let metrics = &spec.spec.metrics;
    desk.totals.clear();
    desk.totals.extend((0..metrics.len()).map(|number| custom_metrics::total(state, (hpa, number), now)));
    desk.samples.resize_with(metrics.len().max(desk.samples.len()), Vec::new);
    desk.requests.resize_with(metrics.len().max(desk.requests.len()), Vec::new);
    let both = desk.samples.iter_mut().zip(&mut desk.requests);
    let each = metrics.iter().enumerate().zip(both).map(|((number, metric), (samples, requests))| {
        samples.clear();
        match metric {
            MetricSpec::Pods { .. } => custom_metrics::of_pods(state, (hpa, number), now, pods, samples),
            _ => samples_of(state, pods, metric, samples),
        }
        requests.clear();
        match requests_of(state, spec.workload, metric) {
            Ok(request) => {
                requests.resize(desk.views.len(), request);
                None
            }
            Err(problem) => Some(problem),
        }
    });
    each.collect()
}

/// The metrics' readings from what is laid out.
fn readings<'d>(
    metrics: &[MetricSpec],
    desk: &'d Desk,
    problems: &[Option<RequestProblem>],
) -> Vec<Reading<'d>> {
    let laid_out = desk.samples.iter().zip(&desk.requests).zip(&desk.totals).zip(problems);
    let each =
        metrics.iter().zip(laid_out).map(|(metric, (((samples, requests), total), problem))| match metric {
            MetricSpec::Resource { .. } => Reading::PerPod {
                samples: PodSamples { samples, strays: &[] },
                requests: problem.map_or(Ok(requests.as_slice()), Err),
            },
            // An adapter that has nothing of any pod says that it doesn't know the metric.
            MetricSpec::Pods { .. } if samples.iter().any(Option::is_some) => {
                Reading::PerPod { samples: PodSamples { samples, strays: &[] }, requests: Ok(&[]) }
            }
            MetricSpec::Object { .. } | MetricSpec::External { .. } => total
                .as_ref()
                .map_or(Reading::Unavailable, |total| Reading::Whole(std::slice::from_ref(total))),
            MetricSpec::Pods { .. } | MetricSpec::Unsupported { .. } => Reading::Unavailable,
        });
    each.collect()
}

/// A pod as the HPA sees it.
fn view(pod: &Pod) -> PodView {
    let phase = if pod.run > 0 { PodPhase::Running } else { PodPhase::Pending };
    let start_time = pod.node.map(|_| pod.bound);
    let since = pod.ready_since.unwrap_or(pod.bound);
    let ready = pod.node.map(|_| ReadyCondition { is_true: pod.ready, since });
    PodView { deleting: pod.deleting, phase, start_time, ready }
}

/// Which containers of a pod a resource metric is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    /// All whose use is known.
    All,
    /// The serving one.
    Serving,
    /// The one with this number among the workload's sidecars.
    Sidecar(usize),
    /// One whose use nobody knows, which is taken as nothing.
    Unknown,
}

/// What the resource metrics API has for a workload's pods.
fn samples_of(state: &State, pods: &[PodId], metric: &MetricSpec, into: &mut Vec<Option<Sample>>) {
    // All pods are the target's: what their template says is the same for all.
    let first = pods.iter().find_map(|&id| state.pod(id));
    let workload = first.map(|pod| state.spec(pod.workload));
    let serving = workload.and_then(|workload| Some((workload, workload.template.containers.first()?)));
    let (MetricSpec::Resource { resource, container, .. }, Some((workload, serving))) = (metric, serving)
    else {
        into.resize(pods.len(), None);
        return;
    };
    let counted = match container {
        None => Counted::All,
        Some(name) if *name == serving.name => Counted::Serving,
        Some(name) => {
            let template = &workload.template;
            let restarts = template.init_containers.iter().filter(|one| one.sidecar);
            if !template.containers.iter().chain(restarts).any(|one| one.name == *name) {
                // No pod has such a container, and no value of it.
                into.resize(pods.len(), None);
                return;
            }
            let sidecars = &workload.behaviour.sidecars;
            sidecars.iter().position(|one| one.name == *name).map_or(Counted::Unknown, Counted::Sidecar)
        }
    };
    let resolution = state.scenario.cluster.metrics_resolution;
    let one = |id: &PodId| {
        let pod = state.pod(*id)?;
        let own = if pod.steady {
            pod.window_now(&state.sampled, &workload.behaviour, resolution)
        } else {
            pod.window
        };
        let metrics = match counted {
            Counted::All => pod_metrics([&own].into_iter().chain(pod.beside.windows()))?,
            Counted::Serving | Counted::Unknown => pod_metrics([&own])?,
            Counted::Sidecar(number) => pod_metrics(pod.beside.window(number))?,
        };
        let mut sample = match resource {
            ResourceName::Cpu => metrics.cpu(),
            ResourceName::Memory => metrics.memory(),
            ResourceName::Other(_) => return None,
        };
        if counted == Counted::Unknown {
            sample.value = 0;
        }
        Some(sample)
    };
    into.extend(pods.iter().map(one));
}

/// What each pod of a workload requests of a metric's resource.
fn requests_of(state: &State, workload: usize, metric: &MetricSpec) -> Result<i64, RequestProblem> {
    let MetricSpec::Resource { resource, container, .. } = metric else { return Ok(0) };
    request_of(&state.scenario.workloads[workload].template, resource, container.as_deref(), state)
}

/// What a pod requests of a resource, in thousandths.
fn request_of(
    template: &PodTemplate,
    resource: &ResourceName,
    container: Option<&str>,
    state: &State,
) -> Result<i64, RequestProblem> {
    let amount = |resources: &Resources| match resource {
        ResourceName::Cpu => resources.cpu.map(|cpu| cpu.0 as i64),
        ResourceName::Memory => resources.memory.map(|memory| (memory.0 as i64).saturating_mul(1_000)),
        ResourceName::Other(name) => {
            resources.extended.get(name).map(|amount| (*amount as i64).saturating_mul(1_000))
        }
    };
    let of = |one: &crate::scenario::Container| amount(&one.requests);
    let containers: Vec<_> = template
        .containers
        .iter()
        .map(|one| ContainerRequest { name: &one.name, request: of(one) })
        .collect();
    let init_containers: Vec<_> = template
        .init_containers
        .iter()
        .map(|one| InitContainerRequest {
            container: ContainerRequest { name: &one.name, request: of(one) },
            restart_always: one.sidecar,
        })
        .collect();
    let pod = PodRequests { containers: &containers, init_containers: &init_containers, pod_level: None };
    pod_request(&pod, container, state.rules.pod_level_resources)
}

/// Takes a pass down: decisions, time at the maximum, failures of metrics.
fn note(state: &mut State, cx: &mut Context, hpa: usize, answer: &Recommendation) {
    let now = cx.now();
    let spec = &state.scenario.autoscalers[hpa];
    let name = &state.scenario.workloads[spec.workload].name;
    if answer.write && answer.replicas != answer.current {
        cx.seen.decided(Decision {
            time: now,
            workload: spec.workload,
            from: answer.current,
            to: answer.replicas,
            because: in_words(answer, &spec.spec.metrics),
        });
    }
    let wants_more = matches!(
        answer.because,
        Because::Metrics { limited, proposal, .. } if limited.limit == Limit::TooManyReplicas && proposal > spec.spec.max_replicas
    );
    let hpa_state = &mut state.autoscalers[hpa];
    if wants_more && hpa_state.at_max_since.is_none() {
        hpa_state.at_max_since = Some(now);
        let text = format!("{name}: the HPA is at its maximum of {}", spec.spec.max_replicas);
        cx.seen.moment(now, MomentKind::AtMaximum, Some(spec.workload), text);
    } else if !wants_more && let Some(since) = hpa_state.at_max_since.take() {
        note_held(cx, spec.workload, since, now);
    }
    let failing = matches!(answer.because, Because::MetricsFailed);
    let since_long = now > SimTime::from_secs(120);
    if failing && !hpa_state.failing && since_long {
        let problem = answer.metrics.iter().find_map(|metric| metric.err());
        let why = problem.map_or_else(String::new, |problem| format!(": {problem}"));
        let text = format!("{name}: the HPA can't compute its metrics{why}");
        cx.seen.moment(now, MomentKind::MetricFailed, Some(spec.workload), text);
    }
    hpa_state.failing = failing && since_long;
}

/// Adds the time an HPA wanted more than its maximum.
fn note_held(cx: &mut Context, workload: usize, since: SimTime, now: SimTime) {
    if !cx.seen.observing() {
        return;
    }
    let since = since.max(cx.seen.start());
    let seen = &mut cx.seen.workloads[workload];
    seen.held_at_max += now.since(since);
    seen.held_at_max_since = seen.held_at_max_since.or(Some(since));
}

/// At the end of a run: who is at the maximum still has been until now.
pub fn settle(state: &State, cx: &mut Context) {
    let now = cx.now();
    for (hpa, spec) in state.autoscalers.iter().zip(&state.scenario.autoscalers) {
        if let Some(since) = hpa.at_max_since {
            note_held(cx, spec.workload, since, now);
        }
    }
}

/// A decision in words, with its figures.
fn in_words(answer: &Recommendation, metrics: &[MetricSpec]) -> String {
    let Because::Metrics { metric, proposal, stabilized, limited } = answer.because else {
        return match answer.because {
            Because::AboveMax => "above maxReplicas".to_owned(),
            Because::BelowMin => "below minReplicas".to_owned(),
            _ => "no metric was asked".to_owned(),
        };
    };
    let mut words = metric_in_words(&metrics[metric], answer, metric);
    words.push_str(&format!(" asks for {proposal}"));
    match stabilized.stabilization {
        Stabilization::ReadyForNewScale => {}
        Stabilization::ScaleUpStabilized | Stabilization::ScaleDownStabilized => {
            words.push_str(&format!("; the stabilization window makes it {}", stabilized.replicas));
        }
    }
    if limited.limit != Limit::DesiredWithinRange {
        words.push_str(&format!("; {} makes it {}", limited.limit.reason(), limited.replicas));
    }
    words
}

/// A metric's value in words.
fn metric_in_words(metric: &MetricSpec, answer: &Recommendation, place: usize) -> String {
    let name = match metric {
        MetricSpec::Resource { resource: ResourceName::Cpu, .. } => "cpu",
        MetricSpec::Resource { resource: ResourceName::Memory, .. } => "memory",
        MetricSpec::Resource { resource: ResourceName::Other(name), .. }
        | MetricSpec::Pods { name, .. }
        | MetricSpec::Object { name, .. }
        | MetricSpec::External { name, .. }
        | MetricSpec::Unsupported { kind: name } => name,
    };
    let Some(Ok(proposal)) = answer.metrics.get(place) else { return name.to_owned() };
    let pods = proposal.counts.map_or(String::new(), |counts| format!(" over {} pods", counts.counted));
    match proposal.value {
        CurrentValue::Utilization { percent, .. } => {
            let target = f64::from(percent) / proposal.ratio;
            format!("{name} at {percent}% of requests{pods} (target {target:.0}%)")
        }
        CurrentValue::Average(milli) => format!("{name} at a mean of {}{pods}", milli as f64 / 1e3),
        CurrentValue::Whole(milli) => format!("{name} at {}", milli as f64 / 1e3),
    }
}
