//! The HPA controller's loop: read, decide (`k8s::hpa`), record, act, come back.

use crate::k8s::behavior::{Limit, Stabilization};
use crate::k8s::hpa::{
    Because, MetricSpec, Pass, Reading, Recommendation, ResourceName, Scale, Selection, recommend,
};
use crate::k8s::metrics::pod_metrics;
use crate::k8s::replicas::{
    ContainerRequest, CurrentValue, InitContainerRequest, PodPhase, PodRequests, PodSamples, PodView,
    ReadyCondition, RequestProblem, Sample, pod_request,
};
use crate::k8s::resources::Resources;
use crate::observe::{Decision, MomentKind};
use crate::scenario::PodTemplate;
use crate::units::SimTime;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Pod, State};
use crate::world::workloads;

/// One pass over one HPA.
pub fn synced(state: &mut State, cx: &mut Context, hpa: usize) {
    let spec = &state.scenario.autoscalers[hpa];
    let workload = spec.workload;
    let pods = &state.workloads[workload].pods;
    let views: Vec<PodView> = pods.iter().filter_map(|&id| Some(view(state.pod(id)?))).collect();
    let samples: Vec<Vec<Option<Sample>>> =
        spec.spec.metrics.iter().map(|metric| samples_of(state, pods, metric)).collect();
    let requests: Vec<Result<Vec<i64>, RequestProblem>> =
        spec.spec.metrics.iter().map(|metric| requests_of(state, workload, metric, views.len())).collect();
    let readings: Vec<Reading> = spec
        .spec
        .metrics
        .iter()
        .zip(samples.iter().zip(&requests))
        .map(|(metric, (samples, requests))| reading(metric, samples, requests))
        .collect();
    let pass = Pass {
        spec: &spec.spec,
        scale: Some(Scale {
            spec_replicas: state.workloads[workload].desired,
            status_replicas: views.iter().filter(|pod| !pod.deleting).count() as u32,
        }),
        selection: Selection::Pods(&views),
        readings: &readings,
        now: cx.now(),
        settings: &state.settings,
        rules: &state.rules,
    };
    let memory = &mut state.autoscalers[hpa].memory;
    let mut answer = recommend(&pass, memory);
    answer.settle(&pass, memory, true);
    note(state, cx, hpa, &answer);
    if answer.write && answer.replicas != answer.current {
        workloads::scale(state, cx, workload as u32, answer.replicas);
    }
    cx.agenda.after(state.settings.sync_period, Event::HpaSynced(hpa as u32));
}

/// A pod as the HPA sees it.
fn view(pod: &Pod) -> PodView {
    let phase = if pod.run > 0 { PodPhase::Running } else { PodPhase::Pending };
    let start_time = pod.node.map(|_| pod.bound);
    let since = pod.ready_since.unwrap_or(pod.bound);
    let ready = pod.node.map(|_| ReadyCondition { is_true: pod.ready, since });
    PodView { deleting: pod.deleting, phase, start_time, ready }
}

/// What the metrics API has for a workload's pods. Custom and external metrics
/// are not simulated and have nothing.
fn samples_of(state: &State, pods: &[PodId], metric: &MetricSpec) -> Vec<Option<Sample>> {
    let MetricSpec::Resource { resource, container, .. } = metric else { return vec![None; pods.len()] };
    // All pods are the target's: what their template says is the same for all.
    let first = pods.iter().find_map(|&id| state.pod(id));
    let first = first.and_then(|pod| state.spec(pod.workload).template.containers.first());
    let Some(first) = first else { return vec![None; pods.len()] };
    let other = container.as_ref().is_some_and(|name| *name != first.name);
    let one = |id: &PodId| {
        let pod = state.pod(*id)?;
        let metrics = pod_metrics([&pod.window])?;
        let mut sample = match resource {
            ResourceName::Cpu => metrics.cpu(),
            ResourceName::Memory => metrics.memory(),
            ResourceName::Other(_) => return None,
        };
        if other {
            sample.value = 0;
        }
        Some(sample)
    };
    pods.iter().map(one).collect()
}

/// What each of so many pods of a workload requests of a metric's resource.
fn requests_of(
    state: &State,
    workload: usize,
    metric: &MetricSpec,
    pods: usize,
) -> Result<Vec<i64>, RequestProblem> {
    let MetricSpec::Resource { resource, container, .. } = metric else { return Ok(Vec::new()) };
    let request =
        request_of(&state.scenario.workloads[workload].template, resource, container.as_deref(), state)?;
    Ok(vec![request; pods])
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

/// One metric's reading for the rule.
fn reading<'a>(
    metric: &MetricSpec,
    samples: &'a [Option<Sample>],
    requests: &'a Result<Vec<i64>, RequestProblem>,
) -> Reading<'a> {
    match metric {
        MetricSpec::Resource { .. } => Reading::PerPod {
            samples: PodSamples { samples, strays: &[] },
            requests: match requests {
                Ok(requests) => Ok(requests),
                Err(problem) => Err(*problem),
            },
        },
        MetricSpec::Pods { .. }
        | MetricSpec::Object { .. }
        | MetricSpec::External { .. }
        | MetricSpec::Unsupported { .. } => Reading::Unavailable,
    }
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
