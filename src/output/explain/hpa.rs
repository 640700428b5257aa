//! `plan explain hpa`: the decision with everything that led to it.

use serde::Serialize;

use crate::input::explain::HpaCase;
use crate::k8s::behavior::{Limit, Stabilization};
use crate::k8s::hpa::{
    Because, Conditions, Memory, MetricSpec, Pass, Reading, Recommendation, ResourceName, ResourceTarget,
    Turn, Turns, ValueTarget, next_change, recommend, turns, words,
};
use crate::k8s::replicas::{CurrentValue, Group, MetricProblem, Proposal, Sample, group_of};
use crate::output::Number;
use crate::units::SimTime;

pub use super::hpa_page::page;

/// A decision and all that is told of it.
#[derive(Debug)]
pub struct Explained {
    /// What the rules decided, as it stands after the scale was written.
    pub answer: Recommendation,
    /// Each metric with its pods.
    pub metrics: Vec<MetricExplained>,
    /// When the answer would be another though metrics and pods stay.
    pub next: Option<(SimTime, u32)>,
}

/// One metric's part.
#[derive(Debug)]
pub struct MetricExplained {
    /// What it asked for.
    pub found: Result<Proposal, MetricProblem>,
    /// Each pod of the target; empty where pods aren't looked at.
    pub pods: Vec<PodExplained>,
    /// Where it would ask for another count.
    pub turns: Turns,
}

/// One pod's part in one metric.
#[derive(Debug)]
pub struct PodExplained {
    /// Which of the case's pods.
    pub pod: usize,
    /// What the HPA did with it.
    pub group: Group,
    /// Its value.
    pub sample: Option<Sample>,
    /// Its request, where usage is divided by it.
    pub request: Option<i64>,
}

/// Decides a case, and gathers what is to be told.
pub fn explain(case: &HpaCase) -> Explained {
    let readings = case.readings();
    let pass = case.pass(&readings);
    let mut memory = case.memory.clone();
    let next = next_change(&pass, &memory);
    let mut answer = recommend(&pass, &mut memory);
    answer.settle(&pass, &mut memory, true);
    let each = answer.metrics.iter().enumerate();
    let metrics = each.map(|(place, found)| MetricExplained {
        found: *found,
        pods: pods(&pass, place),
        turns: turns(&pass, place),
    });
    Explained { metrics: metrics.collect(), answer, next }
}

/// The pods of a metric that looks at each.
fn pods(pass: &Pass, place: usize) -> Vec<PodExplained> {
    let (Reading::PerPod { samples, requests }, crate::k8s::hpa::Selection::Pods(views)) =
        (pass.readings[place], pass.selection)
    else {
        return Vec::new();
    };
    let readiness = pass.cpu_readiness();
    let metric = &pass.spec.metrics[place];
    let cpu = matches!(metric, MetricSpec::Resource { resource: ResourceName::Cpu, .. });
    let cpu = cpu.then_some(&readiness);
    let divided = matches!(metric, MetricSpec::Resource { target: ResourceTarget::Utilization(_), .. });
    let requests = requests.ok().filter(|_| divided);
    let each = views.iter().zip(samples.samples).enumerate();
    each.map(|(pod, (view, sample))| PodExplained {
        pod,
        group: group_of(view, *sample, cpu),
        sample: *sample,
        request: requests.and_then(|requests| requests.get(pod).copied()),
    })
    .collect()
}

/// The replicas that earlier recommendations and the log's entries hold.
pub(super) fn holding(case: &HpaCase, replicas: u32) -> Option<SimTime> {
    let Memory { recommendations, .. } = &case.memory;
    recommendations.iter().flatten().filter(|one| one.replicas == replicas).map(|one| one.at).max()
}

/// What `-o json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    name: &'a str,
    namespace: &'a str,
    target: String,
    now: String,
    kubernetes_version: String,
    current_replicas: u32,
    desired_replicas: u32,
    min_replicas: u32,
    max_replicas: u32,
    because: String,
    metrics: Vec<MetricEntry<'a>>,
    limits: Vec<LimitEntry>,
    conditions: Vec<ConditionEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_change: Option<NextEntry>,
    notes: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetricEntry<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    unit: &'static str,
    current_value: Option<Number>,
    target_value: Option<Number>,
    usage_ratio: Option<Number>,
    second_usage_ratio: Option<Number>,
    proposed_replicas: Option<u32>,
    ready: u32,
    unready: u32,
    missing: u32,
    ignored: u32,
    rule: Option<String>,
    problem: Option<String>,
    more_from: Option<TurnEntry>,
    fewer_from: Option<TurnEntry>,
    pods: Vec<PodEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TurnEntry {
    value: Number,
    replicas: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodEntry<'a> {
    name: &'a str,
    group: &'static str,
    because: &'static str,
    usage: Option<Number>,
    request: Option<Number>,
}

/// A step that changed the count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LimitEntry {
    pub rule: &'static str,
    pub from: u32,
    pub to: u32,
}

/// A condition of the status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ConditionEntry {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub status: &'static str,
    pub reason: &'static str,
}

#[derive(Serialize)]
struct NextEntry {
    time: String,
    replicas: u32,
}

/// The decision as data.
pub fn document<'a>(case: &'a HpaCase, explained: &Explained) -> Document<'a> {
    let spec = &case.hpa.spec;
    let metrics = spec.metrics.iter().zip(&explained.metrics);
    Document {
        api_version: "plan/v1alpha1",
        kind: "HpaExplanation",
        name: &case.hpa.name,
        namespace: &case.hpa.namespace,
        target: format!("{}/{}", case.hpa.target_kind, case.hpa.target_name),
        now: moment(case.now),
        kubernetes_version: case.version.to_string(),
        current_replicas: explained.answer.current,
        desired_replicas: explained.answer.replicas,
        min_replicas: spec.min_replicas,
        max_replicas: spec.max_replicas,
        because: words::because(&explained.answer, &spec.metrics),
        metrics: metrics.map(|(metric, found)| metric_entry(case, metric, found)).collect(),
        limits: limits(&explained.answer),
        conditions: conditions(&explained.answer.conditions),
        next_change: explained.next.map(|(time, replicas)| NextEntry { time: moment(time), replicas }),
        notes: &case.notes,
    }
}

fn metric_entry<'a>(case: &'a HpaCase, metric: &'a MetricSpec, one: &MetricExplained) -> MetricEntry<'a> {
    let found = one.found.as_ref().ok();
    let counts = found.and_then(|found| found.counts).unwrap_or_default();
    let (unit, _) = scale(metric);
    let amount = |milli: i64| Number(milli as f64 * scale(metric).1);
    let value = |value: CurrentValue| match value {
        CurrentValue::Utilization { percent, .. } => Number(f64::from(percent) / 100.0),
        CurrentValue::Average(milli) | CurrentValue::Whole(milli) => amount(milli),
    };
    let turn =
        |turn: Option<Turn>| turn.map(|turn| TurnEntry { value: value(turn.value), replicas: turn.replicas });
    let pods = one.pods.iter().map(|pod| PodEntry {
        name: &case.pods[pod.pod].name,
        group: words::group(pod.group),
        because: words::group_reason(pod.group),
        usage: pod.sample.map(|sample| amount_of(metric, sample.value)),
        request: pod.request.map(|request| amount_of(metric, request)),
    });
    let (target_value, container) = match metric {
        MetricSpec::Resource { container, target, .. } => {
            let target = match target {
                ResourceTarget::Utilization(percent) => Number(f64::from(*percent) / 100.0),
                ResourceTarget::AverageValue(milli) => amount(*milli),
            };
            (Some(target), container.as_deref())
        }
        MetricSpec::Pods { target_average_milli, .. } => (Some(amount(*target_average_milli)), None),
        MetricSpec::Object { target, .. } | MetricSpec::External { target, .. } => {
            let (ValueTarget::Value(milli) | ValueTarget::AverageValue(milli)) = target;
            (Some(amount(*milli)), None)
        }
        MetricSpec::Unsupported { .. } => (None, None),
    };
    MetricEntry {
        name: words::name(metric),
        container,
        unit,
        current_value: found.map(|found| value(found.value)),
        target_value,
        usage_ratio: found.map(|found| Number(found.ratio)),
        second_usage_ratio: found.and_then(|found| found.second).map(|second| Number(second.ratio)),
        proposed_replicas: found.map(|found| found.replicas),
        ready: counts.counted,
        unready: counts.unready,
        missing: counts.missing,
        ignored: counts.ignored,
        rule: found.map(|found| words::rule(found.rule, case.scale.spec_replicas)),
        problem: one.found.as_ref().err().map(ToString::to_string),
        more_from: turn(one.turns.up),
        fewer_from: turn(one.turns.down),
        pods: pods.collect(),
    }
}

/// The unit of a metric's value in the document, and what thousandths are in
/// that of its amounts.
fn scale(metric: &MetricSpec) -> (&'static str, f64) {
    match metric {
        MetricSpec::Resource { target: ResourceTarget::Utilization(_), .. } => ("ratio", 1e-3),
        MetricSpec::Resource { resource: ResourceName::Cpu, .. } => ("cores", 1e-3),
        MetricSpec::Resource { resource: ResourceName::Memory, .. } => ("bytes", 1e-3),
        _ => ("count", 1e-3),
    }
}

/// Thousandths as cores, bytes or counts.
fn amount_of(metric: &MetricSpec, milli: i64) -> Number {
    Number(milli as f64 * scale(metric).1)
}

/// The steps after the metrics that changed the count.
pub(super) fn limits(answer: &Recommendation) -> Vec<LimitEntry> {
    let (current, replicas) = (answer.current, answer.replicas);
    let (proposal, stabilized, limited) = match answer.because {
        Because::Metrics { proposal, stabilized, limited, .. } => (proposal, stabilized, limited),
        Because::AboveMax => return vec![LimitEntry { rule: "maxReplicas", from: current, to: replicas }],
        Because::BelowMin => return vec![LimitEntry { rule: "minReplicas", from: current, to: replicas }],
        Because::ScaleUnreadable | Because::Parked | Because::SelectorUnusable | Because::MetricsFailed => {
            return Vec::new();
        }
    };
    let mut steps = Vec::new();
    let window = match stabilized.stabilization {
        Stabilization::ReadyForNewScale => None,
        Stabilization::ScaleUpStabilized => Some("ScaleUpStabilized"),
        Stabilization::ScaleDownStabilized => Some("ScaleDownStabilized"),
    };
    steps.extend(window.map(|rule| LimitEntry { rule, from: proposal, to: stabilized.replicas }));
    if limited.limit != Limit::DesiredWithinRange {
        let rule = limited.limit.reason();
        steps.push(LimitEntry { rule, from: stabilized.replicas, to: limited.replicas });
    }
    steps
}

/// The conditions that the pass sets.
pub(super) fn conditions(conditions: &Conditions) -> Vec<ConditionEntry> {
    let word = |is_true: bool| if is_true { "True" } else { "False" };
    let mut all = Vec::new();
    let mut add = |kind, is_true, reason| all.push(ConditionEntry { kind, status: word(is_true), reason });
    if let Some(one) = conditions.able_to_scale {
        add("AbleToScale", one.status(), one.reason());
    }
    if let Some(one) = conditions.scaling_active {
        add("ScalingActive", one.status(), one.reason());
    }
    if let Some(one) = conditions.scaling_limited {
        add("ScalingLimited", one != Limit::DesiredWithinRange, one.reason());
    }
    // Upstream sets it on every scale; False says nothing about this decision.
    if conditions.scaled_to_zero == Some(true) {
        add("ScaledToZero", true, "ScaledToZero");
    }
    all
}

/// A moment as the API writes it.
pub(super) fn moment(time: SimTime) -> String {
    let seconds = i64::try_from(time.as_nanos() / 1_000_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| time.to_string(), |time| time.to_string())
}
