//! The HPA families.

use kubeplan::k8s::behavior::{
    Behavior, GivenRules, PolicyKind, Recorded, ScaleEvent, ScaleEvents, ScalingPolicy, ScalingRules,
    SelectPolicy, change_within, clamp_without_behavior, limit_rate, scale_down_limit, scale_up_limit,
    stabilize, stabilize_without_behavior,
};
use kubeplan::k8s::hpa::{
    Conditions, HpaSpec, Memory, MetricSpec, Pass, Reading, Recommendation, ResourceName, ResourceTarget,
    Scale, Selection, ValueTarget, recommend,
};
use kubeplan::k8s::replicas::{
    Calculator, ContainerRequest, CpuReadiness, CurrentValue, Group, InitContainerRequest, MetricProblem,
    PodPhase, PodRequests, PodSamples, PodView, Proposal, ReadyCondition, RequestProblem, Sample, Tolerance,
    group_of, pod_request, usage_ratio, utilization_ratio,
};
use kubeplan::k8s::version::{ControllerSettings, Version};
use kubeplan::units::SimDuration;
use serde_json::Value;

use crate::rows::{
    NOW, as_int, field, flag, float, given, given_int, int, list, moment, same, seconds, text,
};

pub fn behavior_defaults(case: &Value) -> Result<(), String> {
    let given = given_rules(field(case, "given")?)?;
    let defaulted = match text(case, "direction")? {
        "up" => ScalingRules::scale_up(given),
        _ => ScalingRules::scale_down(given),
    };
    same("rules", defaulted, defaulted_rules(field(case, "expect")?)?)
}

pub fn behavior_rate(case: &Value) -> Result<(), String> {
    let behavior = Behavior {
        scale_up: defaulted_rules(field(case, "scale_up_rules")?)?,
        scale_down: defaulted_rules(field(case, "scale_down_rules")?)?,
    };
    let bounds = (int(case, "min_replicas")?, int(case, "max_replicas")?);
    let (current, desired) = (int(case, "current_replicas")?, int(case, "desired_replicas")?);
    let limited = limit_rate(current, desired, bounds, &behavior, &both_events(case)?, NOW);
    same("replicas", limited.replicas, int(&case["expect"], "replicas")?)?;
    same("reason", limited.limit.reason(), text(&case["expect"], "reason")?)
}

pub fn clamp_no_behavior(case: &Value) -> Result<(), String> {
    let settings = ControllerSettings {
        scale_up_limit_factor: float(case, "scale_up_limit_factor")?,
        scale_up_limit_minimum: float(case, "scale_up_limit_minimum")?,
        ..ControllerSettings::default()
    };
    let bounds = (int(case, "min_replicas")?, int(case, "max_replicas")?);
    let (current, desired) = (int(case, "current_replicas")?, int(case, "desired_replicas")?);
    let limited = clamp_without_behavior(current, desired, bounds, &settings);
    same("replicas", limited.replicas, int(&case["expect"], "replicas")?)?;
    same("reason", limited.limit.reason(), text(&case["expect"], "reason")?)
}

pub fn group_pods(case: &Value) -> Result<(), String> {
    let readiness = cpu_readiness(field(case, "config")?)?;
    let cpu = (text(case, "resource")? == "cpu").then_some(&readiness);
    let expect = field(case, "expect")?;
    let expects = |group: &str, pod: &str| list(expect, group).iter().any(|name| name == pod);
    let mut counted = 0;
    for row in list(case, "pods") {
        let name = text(row, "name")?;
        let sample = match given(&case["metrics"], name) {
            Some(metric) => Some(sample(metric, int(metric, "value")?)?),
            None => None,
        };
        let group = group_of(&pod_view(row)?, sample, cpu);
        let agrees = match group {
            Group::Counted => !["unready", "missing", "ignored"].iter().any(|group| expects(group, name)),
            Group::Unready(_) => expects("unready", name),
            Group::Missing => expects("missing", name),
            Group::Ignored(_) => expects("ignored", name),
        };
        same(&format!("{name}, found {group:?}, is where it belongs"), agrees, true)?;
        counted += i64::from(group == Group::Counted);
    }
    same("ready count", counted, int(expect, "ready_count")?)
}

pub fn pod_requests(case: &Value) -> Result<(), String> {
    let container = given(case, "container").and_then(Value::as_str);
    let mut found = serde_json::Map::new();
    for pod in list(case, "pods") {
        match request_of(pod, container, flag(case, "pod_level_resources_enabled")) {
            Ok(request) => found.insert(text(pod, "name")?.to_owned(), request?.into()),
            Err(problem) => return same("problem", code_of(problem), text(&case["expect"], "error")?),
        };
    }
    same("requests", &Value::Object(found), field(&case["expect"], "requests_milli")?)
}

pub fn policy_limit(case: &Value) -> Result<(), String> {
    let rules = defaulted_rules(field(case, "rules")?)?;
    let (current, events) = (int(case, "current_replicas")?, both_events(case)?);
    let limit = match text(case, "direction")? {
        "up" => scale_up_limit(current, &events, &rules, NOW),
        _ => scale_down_limit(current, &events, &rules, NOW),
    };
    same("limit", limit, int(&case["expect"], "limit")?)
}

pub fn scale_event_log(case: &Value) -> Result<(), String> {
    let behavior = match given(case, "rules") {
        Some(rules) => {
            let rules = defaulted_rules(rules)?;
            Some(Behavior { scale_up: rules.clone(), scale_down: rules })
        }
        None => None,
    };
    let prior = events(list(case, "prior_events"))?;
    let expect = field(case, "expect")?;
    let before = change_within(&prior, SimDuration::from_secs(60), NOW);
    same("change before", before, int(expect, "change_in_60s_before")?)?;
    let change: u32 = int(case, "replica_change")?;
    let mut up = ScaleEvents { up: prior.clone(), ..ScaleEvents::default() };
    up.store(behavior.as_ref(), 10, 10 + change, NOW);
    let mut down = ScaleEvents { down: prior, ..ScaleEvents::default() };
    down.store(behavior.as_ref(), 10, 10 - change, NOW);
    for (direction, log, other) in [("up", &up.up, &up.down), ("down", &down.down, &down.up)] {
        let after: Vec<_> = log.iter().map(|event| (event.change, event.outdated)).collect();
        let expected = list(expect, "events_after").iter();
        let expected: Result<Vec<_>, String> =
            expected.map(|event| Ok((int(event, "change")?, flag(event, "outdated")))).collect();
        same(direction, after, expected?)?;
        same("the other direction", other.len(), 0)?;
    }
    Ok(())
}

pub fn stabilize_behavior(case: &Value) -> Result<(), String> {
    let mut log = recommendations(list(case, "prior_recommendations"))?;
    let (current, desired) = (int(case, "current_replicas")?, int(case, "desired_replicas")?);
    let windows = (seconds(case, "scale_up_window_s")?, seconds(case, "scale_down_window_s")?);
    let stabilized = stabilize(&mut log, current, desired, windows, NOW);
    same("replicas", stabilized.replicas, int(&case["expect"], "stabilized")?)?;
    check_log(&log, &case["expect"])
}

pub fn stabilize_no_behavior(case: &Value) -> Result<(), String> {
    let mut log = recommendations(list(case, "prior_recommendations"))?;
    let window = seconds(case, "downscale_stabilization_s")?;
    let stabilized = stabilize_without_behavior(&mut log, int(case, "desired_replicas")?, window, NOW);
    same("replicas", stabilized.replicas, int(&case["expect"], "stabilized")?)?;
    check_log(&log, &case["expect"])
}

pub fn utilization(case: &Value) -> Result<(), String> {
    let metrics = field(case, "metrics_milli")?.as_object().ok_or("`metrics_milli` is not a table")?;
    let expect = field(case, "expect")?;
    let (mut usage, mut request, mut pods) = (0_i128, 0_i128, 0);
    for (pod, value) in metrics {
        let requested: Option<i64> = given_int(&case["requests_milli"], pod)?;
        if requested.is_none() && case["kind"] == "utilization" {
            continue;
        }
        usage += i128::from(as_int::<i64>(value)?);
        request += i128::from(requested.unwrap_or(0));
        pods += 1;
    }
    if text(case, "kind")? == "usage" {
        let found = usage_ratio(usage, pods, int(case, "target_milli")?).ok_or("no values")?;
        same("usage", found.average_milli, int(expect, "usage_milli")?)?;
        return same("ratio", found.ratio, float(expect, "ratio")?);
    }
    let Some(found) = utilization_ratio(usage, request, pods, int(case, "target_pct")?) else {
        return same("problem", code_of(MetricProblem::NothingMatched), text(expect, "error")?);
    };
    same("utilization", found.percent, int(expect, "utilization_pct")?)?;
    same("raw", found.average_milli, int(expect, "raw_milli")?)?;
    same("ratio", found.ratio, float(expect, "ratio")?)
}

pub fn replica_calculator(case: &Value) -> Result<(), String> {
    let (config, metric) = (field(case, "config")?, field(case, "metric")?);
    let pods = PodRows::read(list(case, "pods"))?;
    let calculator = Calculator {
        tolerance: Tolerance {
            down: float(config, "tolerance_down")?,
            up: float(config, "tolerance_up")?,
            form: Version::NEWEST.rules().tolerance_form,
        },
        current: int(case, "current_replicas")?,
        pods: &pods.views,
    };
    let readiness = cpu_readiness(config)?;
    let samples = list(case, "samples");
    let target_average = || int(metric, "target_average_milli");
    let total = || {
        list(case, "values_milli")
            .iter()
            .try_fold(0_i64, |sum, value| as_int(value).map(|v| sum.saturating_add(v)))
    };
    let found = match text(case, "kind")? {
        "resource_utilization" => {
            let cpu = (text(metric, "resource")? == "cpu").then_some(&readiness);
            let container = given(metric, "container").and_then(Value::as_str);
            let values = PodValues::of_containers(&pods, samples, container)?;
            let requests = requests_of(list(case, "pods"), container, false)?;
            let requests = requests.as_deref().map_err(|&problem| problem);
            calculator.utilization(values.samples(), requests, cpu, int(metric, "target_utilization_pct")?)
        }
        "pods_average_value" => {
            let values = PodValues::of_pods(&pods, samples)?;
            calculator.average(values.samples(), None, target_average()?)
        }
        "object_value" | "external_value" => calculator.whole_value(total()?, int(metric, "target_milli")?),
        _ => Ok(calculator.value_per_replica(total()?, calculator.current, target_average()?)),
    };
    check_proposal(found, field(case, "expect")?)
}

pub fn reconcile(case: &Value) -> Result<(), String> {
    let (hpa, scale, expect) = (field(case, "hpa")?, field(case, "scale")?, field(case, "expect")?);
    let spec = HpaSpec {
        min_replicas: int(hpa, "min_replicas")?,
        max_replicas: int(hpa, "max_replicas")?,
        metrics: list(hpa, "metrics").iter().map(metric_spec).collect::<Result<_, _>>()?,
        behavior: given(hpa, "behavior").map(behavior).transpose()?,
    };
    let pods = PodRows::read(list(case, "pods"))?;
    let inputs = list(hpa, "metrics").iter().map(|metric| Input::read(case, &pods, metric));
    let inputs: Vec<Input> = inputs.collect::<Result<_, _>>()?;
    let readings: Vec<Reading> = inputs.iter().map(Input::reading).collect();
    let fails = |api: &str| list(case, "failing_apis").iter().any(|failing| failing == api);
    let spec_replicas = int(scale, "spec_replicas")?;
    let pass = Pass {
        spec: &spec,
        scale: (!fails("get_scale"))
            .then_some(Scale { spec_replicas, status_replicas: int(scale, "status_replicas")? }),
        selection: if fails("selector_missing") || fails("selector_unparsable") {
            Selection::Invalid
        } else if fails("ambiguous_selector") {
            Selection::Ambiguous
        } else {
            Selection::Pods(&pods.views)
        },
        readings: &readings,
        now: NOW,
        settings: &settings(field(case, "config")?)?,
        rules: &Version::NEWEST.rules(),
    };
    let mut memory = Memory {
        recommendations: given(case, "prior_recommendations")
            .map(|_| recommendations(list(case, "prior_recommendations")))
            .transpose()?,
        events: both_events(case)?,
        // Rows with a minimum of 0 are about workloads that their autoscaler has
        // brought to zero; the others that stand at zero are parked.
        scaled_to_zero: case["scaled_to_zero"].as_bool().unwrap_or(spec.min_replicas == 0),
    };
    let mut found = recommend(&pass, &mut memory);
    found.settle(&pass, &mut memory, !fails("update_scale"));
    check_pass(&found, spec_replicas, expect)?;
    // Rows that the real controller answered say what it remembers, too.
    if given(expect, "log_after").is_some() { check_whole(&found, &memory, expect) } else { Ok(()) }
}

/// Compares all that a pass leaves behind with a row that names all of it.
fn check_whole(found: &Recommendation, memory: &Memory, expect: &Value) -> Result<(), String> {
    for kind in ["AbleToScale", "ScalingActive", "ScalingLimited"] {
        let expected = list(expect, "conditions").iter().any(|row| row[0] == kind);
        same(&format!("{kind} is set"), condition(&found.conditions, kind)?.is_some(), expected)?;
    }
    for (place, row) in list(expect, "metric_statuses").iter().enumerate() {
        // A mean over no replicas: what Go makes of it depends on the processor.
        if row["average_milli"] == i64::MIN {
            continue;
        }
        let shown = found.metrics.get(place).and_then(|metric| metric.as_ref().ok());
        same(&format!("status of metric {place}"), shown.map(|proposal| proposal.value), status_of(row)?)?;
    }
    let log = memory.recommendations.clone().unwrap_or_default();
    same("log", log, recommendations(list(expect, "log_after"))?)?;
    same("scale-up events", &memory.events.up, &events(list(expect, "scale_up_events_after"))?)?;
    same("scale-down events", &memory.events.down, &events(list(expect, "scale_down_events_after"))?)?;
    same("scaled to zero", memory.scaled_to_zero, flag(expect, "scaled_to_zero_after"))
}

/// A metric's value as a status shows it; `null` is a metric that failed.
fn status_of(row: &Value) -> Result<Option<CurrentValue>, String> {
    if row.is_null() {
        return Ok(None);
    }
    Ok(Some(match (given_int(row, "utilization_pct")?, given_int(row, "average_milli")?) {
        (Some(percent), Some(average_milli)) => CurrentValue::Utilization { percent, average_milli },
        (None, Some(average)) => CurrentValue::Average(average),
        (_, None) => CurrentValue::Whole(int(row, "value_milli")?),
    }))
}

/// Compares a pass with what its row expects.
fn check_pass(found: &Recommendation, before: u32, expect: &Value) -> Result<(), String> {
    let after = if found.write { found.replicas } else { before };
    same("desired replicas", after, int(expect, "desired_replicas")?)?;
    same("scale updated", found.write, flag(expect, "scale_updated"))?;
    for row in list(expect, "conditions") {
        let [kind, status, reason] = [0, 1, 2].map(|place| row[place].as_str().unwrap_or_default());
        same(kind, condition(&found.conditions, kind)?, Some((status == "True", reason)))?;
    }
    let Some(expected) = given_int(expect, "cpu_utilization_pct")? else { return Ok(()) };
    let shown = found.metrics.iter().flatten().find_map(|proposal| match proposal.value {
        CurrentValue::Utilization { percent, .. } => Some(percent),
        CurrentValue::Average(_) | CurrentValue::Whole(_) => None,
    });
    same("utilization shown", shown, Some(expected))
}

/// Status and reason of a condition by its API name.
fn condition(conditions: &Conditions, kind: &str) -> Result<Option<(bool, &'static str)>, String> {
    Ok(match kind {
        "AbleToScale" => conditions.able_to_scale.map(|able| (able.status(), able.reason())),
        "ScalingActive" => conditions.scaling_active.map(|active| (active.status(), active.reason())),
        "ScalingLimited" => {
            conditions.scaling_limited.map(|limit| (limit.reason() != "DesiredWithinRange", limit.reason()))
        }
        "ScaledToZero" => conditions
            .scaled_to_zero
            .map(|asleep| (asleep, if asleep { "ScaledToZero" } else { "NotScaledToZero" })),
        other => return Err(format!("no condition is called {other}")),
    })
}

/// Compares a proposal, or why there is none, with what its row expects.
fn check_proposal(found: Result<Proposal, MetricProblem>, expect: &Value) -> Result<(), String> {
    let found = match found {
        Ok(found) => found,
        Err(problem) => {
            return same(
                "problem",
                code_of(problem),
                given(expect, "error").and_then(Value::as_str).unwrap_or("none"),
            );
        }
    };
    same("problem", None, given(expect, "error"))?;
    same(&format!("replicas ({found:?})"), found.replicas, int(expect, "replicas")?)?;
    match found.value {
        CurrentValue::Utilization { percent, average_milli } => {
            same("utilization", percent, int(expect, "utilization_pct")?)?;
            same("raw", average_milli, int(expect, "raw_milli")?)
        }
        CurrentValue::Average(milli) | CurrentValue::Whole(milli) => {
            same("usage", milli, int(expect, "usage_milli")?)
        }
    }
}

/// The rows' own word for a problem.
fn code_of(problem: impl Into<MetricProblem>) -> &'static str {
    match problem.into() {
        MetricProblem::NothingReturned => "metrics_api_returned_nothing",
        MetricProblem::NothingMatched => "no_pod_has_both_metric_and_request",
        MetricProblem::Request(RequestProblem::ContainerWithoutRequest) => "container_without_request",
        MetricProblem::Request(RequestProblem::NoSuchContainer) => "container_not_in_pod",
        MetricProblem::Unavailable => "unavailable",
        MetricProblem::NoPods => "no_pods",
        MetricProblem::NoUsablePod => "no_usable_pod",
        MetricProblem::UnknownType => "unknown_type",
    }
}

/// The pods of a row.
struct PodRows {
    names: Vec<String>,
    views: Vec<PodView>,
}

impl PodRows {
    fn read(rows: &[Value]) -> Result<Self, String> {
        let names = rows.iter().map(|row| text(row, "name").map(str::to_owned));
        Ok(Self {
            names: names.collect::<Result<_, _>>()?,
            views: rows.iter().map(pod_view).collect::<Result<_, _>>()?,
        })
    }
}

/// A metric's values, for the pods of a row and for others.
#[derive(Default)]
struct PodValues {
    samples: Vec<Option<Sample>>,
    strays: Vec<i64>,
}

impl PodValues {
    fn samples(&self) -> PodSamples<'_> {
        PodSamples { samples: &self.samples, strays: &self.strays }
    }

    /// A resource's samples: one container's value, or the sum over all.
    fn of_containers(pods: &PodRows, rows: &[Value], container: Option<&str>) -> Result<Self, String> {
        let mut values = Self { samples: vec![None; pods.names.len()], strays: Vec::new() };
        for row in rows {
            let containers = field(row, "containers")?.as_object().ok_or("`containers` is not a table")?;
            let usage = match container {
                Some(name) => containers.get(name).map(as_int::<i64>).transpose()?,
                None if containers.is_empty() => None,
                None => Some(containers.values().map(as_int::<i64>).sum::<Result<i64, _>>()?),
            };
            if let Some(usage) = usage {
                values.put(pods, text(row, "pod")?, sample(row, usage)?);
            }
        }
        Ok(values)
    }

    /// A custom metric's samples.
    fn of_pods(pods: &PodRows, rows: &[Value]) -> Result<Self, String> {
        let mut values = Self { samples: vec![None; pods.names.len()], strays: Vec::new() };
        for row in rows {
            values.put(pods, text(row, "pod")?, sample(row, int(row, "value_milli")?)?);
        }
        Ok(values)
    }

    fn put(&mut self, pods: &PodRows, name: &str, sample: Sample) {
        match pods.names.iter().position(|known| known == name) {
            Some(place) => self.samples[place] = Some(sample),
            None => self.strays.push(sample.value),
        }
    }
}

/// What one metric of a whole pass reads.
enum Input {
    PerPod { values: PodValues, requests: Result<Vec<i64>, RequestProblem> },
    Whole(Vec<i64>),
    Unavailable,
}

impl Input {
    fn read(case: &Value, pods: &PodRows, metric: &Value) -> Result<Self, String> {
        let kind = text(metric, "type")?;
        if let Some(own) = Self::of_metric(case, pods, metric, kind)? {
            return Ok(own);
        }
        let api = match kind {
            "Resource" | "ContainerResource" => "resource",
            "Pods" | "Object" => "custom",
            _ => "external",
        };
        if list(case, "failing_apis").iter().any(|failing| failing == api) {
            return Ok(Self::Unavailable);
        }
        let levels = list(case, "reported_levels_milli").iter().map(as_int::<i64>);
        let levels: Vec<i64> = levels.collect::<Result<_, _>>()?;
        Ok(match kind {
            "Resource" | "ContainerResource" => {
                let container = given(metric, "container").and_then(Value::as_str);
                let values = PodValues::of_containers(pods, list(case, "resource_samples"), container)?;
                Self::PerPod { values, requests: requests_of(list(case, "pods"), container, false)? }
            }
            "Pods" => {
                let mut values = PodValues { samples: vec![None; pods.names.len()], strays: Vec::new() };
                for (place, value) in levels.into_iter().enumerate() {
                    let sample = Sample { value, time: NOW, window: SimDuration::from_secs(60) };
                    values.put(pods, &format!("test-pod-{place}"), sample);
                }
                Self::PerPod { values, requests: Ok(Vec::new()) }
            }
            "Object" => Self::Whole(levels.into_iter().take(1).collect()),
            _ => Self::Whole(levels),
        })
    }

    /// What a metric reads that has values of its own, as the rows have that the
    /// real controller answered.
    fn of_metric(case: &Value, pods: &PodRows, metric: &Value, kind: &str) -> Result<Option<Self>, String> {
        let samples = list(metric, "samples");
        let levels = list(metric, "values_milli").iter().map(as_int);
        if flag(metric, "unavailable") {
            return Ok(Some(Self::Unavailable));
        }
        Ok(match kind {
            "Resource" | "ContainerResource" if given(metric, "samples").is_some() => {
                let container = given(metric, "container").and_then(Value::as_str);
                let values = PodValues::of_containers(pods, samples, container)?;
                let own = flag(case, "pod_level_resources_enabled");
                Some(Self::PerPod { values, requests: requests_of(list(case, "pods"), container, own)? })
            }
            "Pods" if given(metric, "samples").is_some() => {
                Some(Self::PerPod { values: PodValues::of_pods(pods, samples)?, requests: Ok(Vec::new()) })
            }
            _ if given(metric, "values_milli").is_some() => {
                Some(Self::Whole(levels.collect::<Result<_, _>>()?))
            }
            _ => None,
        })
    }

    fn reading(&self) -> Reading<'_> {
        match self {
            Self::PerPod { values, requests } => Reading::PerPod {
                samples: values.samples(),
                requests: requests.as_deref().map_err(|&problem| problem),
            },
            Self::Whole(values) => Reading::Whole(values),
            Self::Unavailable => Reading::Unavailable,
        }
    }
}

/// A metric of a spec. Where a row leaves the target out it is the default.
fn metric_spec(row: &Value) -> Result<MetricSpec, String> {
    let name = || text(row, "name").map(str::to_owned);
    let value_target = || match given_int(row, "target_average_milli")? {
        Some(milli) => Ok(ValueTarget::AverageValue(milli)),
        None => int(row, "target_milli").map(ValueTarget::Value),
    };
    Ok(match text(row, "type")? {
        "Resource" | "ContainerResource" => MetricSpec::Resource {
            resource: match text(row, "name")? {
                "cpu" => ResourceName::Cpu,
                "memory" => ResourceName::Memory,
                other => ResourceName::Other(other.to_owned()),
            },
            container: given(row, "container").and_then(Value::as_str).map(str::to_owned),
            target: match given_int(row, "target_average_milli")? {
                Some(milli) => ResourceTarget::AverageValue(milli),
                None => ResourceTarget::Utilization(given_int(row, "target_utilization_pct")?.unwrap_or(80)),
            },
        },
        "Pods" => MetricSpec::Pods { name: name()?, target_average_milli: int(row, "target_average_milli")? },
        "Object" => MetricSpec::Object { name: name()?, described: String::new(), target: value_target()? },
        "External" => MetricSpec::External { name: name()?, target: value_target()? },
        kind => MetricSpec::Unsupported { kind: kind.to_owned() },
    })
}

/// The controller's flags of a row.
fn settings(config: &Value) -> Result<ControllerSettings, String> {
    let tolerance = float(config, "tolerance_down")?;
    same("the tolerances of the flag", tolerance, float(config, "tolerance_up")?)?;
    Ok(ControllerSettings {
        tolerance,
        downscale_stabilization: seconds(config, "downscale_stabilization_s")?,
        cpu_initialization_period: seconds(config, "cpu_initialization_period_s")?,
        initial_readiness_delay: seconds(config, "initial_readiness_delay_s")?,
        scale_up_limit_factor: float(config, "scale_up_limit_factor")?,
        scale_up_limit_minimum: float(config, "scale_up_limit_minimum")?,
        ..ControllerSettings::default()
    })
}

fn cpu_readiness(config: &Value) -> Result<CpuReadiness, String> {
    Ok(CpuReadiness {
        initialization_period: seconds(config, "cpu_initialization_period_s")?,
        initial_readiness_delay: seconds(config, "initial_readiness_delay_s")?,
        now: NOW,
    })
}

fn pod_view(row: &Value) -> Result<PodView, String> {
    let phase = match text(row, "phase")? {
        "Pending" => PodPhase::Pending,
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        other => return Err(format!("no phase is called {other}")),
    };
    let ready = match given(row, "ready") {
        Some(_) => {
            Some(ReadyCondition { is_true: flag(row, "ready"), since: moment(row, "ready_transition_s")? })
        }
        None => None,
    };
    let start_time = given(row, "start_time_s").map(|_| moment(row, "start_time_s")).transpose()?;
    Ok(PodView { deleting: flag(row, "deleting"), phase, start_time, ready })
}

/// A custom metric's row may leave time and window out: they are now and 60 s, as
/// the metrics client has them.
fn sample(row: &Value, value: i64) -> Result<Sample, String> {
    let time = given(row, "timestamp_s").map(|_| moment(row, "timestamp_s")).transpose()?;
    let window = given(row, "window_s").map(|_| seconds(row, "window_s")).transpose()?;
    Ok(Sample { value, time: time.unwrap_or(NOW), window: window.unwrap_or(SimDuration::from_secs(60)) })
}

/// What each pod requests, or why one doesn't.
fn requests_of(
    pods: &[Value],
    container: Option<&str>,
    pod_level_resources: bool,
) -> Result<Result<Vec<i64>, RequestProblem>, String> {
    let mut requests = Vec::new();
    for pod in pods {
        match request_of(pod, container, pod_level_resources) {
            Ok(request) => requests.push(request?),
            Err(problem) => return Ok(Err(problem)),
        }
    }
    Ok(Ok(requests))
}

/// What one pod requests. The outer failure is the rule's, the inner the row's.
fn request_of(
    pod: &Value,
    container: Option<&str>,
    pod_level_resources: bool,
) -> Result<Result<i64, String>, RequestProblem> {
    let read = |row: &Value| -> Result<(String, Option<i64>), String> {
        Ok((text(row, "name")?.to_owned(), given_int(row, "request_milli")?))
    };
    let (rows, init_rows) = (list(pod, "containers"), list(pod, "init_containers"));
    let all: Result<Vec<_>, String> = rows.iter().chain(init_rows).map(read).collect();
    let (all, pod_level) = match (all, given_int(pod, "pod_request_milli")) {
        (Ok(all), Ok(pod_level)) => (all, pod_level),
        (Err(problem), _) | (_, Err(problem)) => return Ok(Err(problem)),
    };
    let requests = all.iter().map(|(name, request)| ContainerRequest { name, request: *request });
    let containers: Vec<_> = requests.clone().take(rows.len()).collect();
    let init_containers: Vec<_> = requests
        .skip(rows.len())
        .zip(init_rows)
        .map(|(container, row)| InitContainerRequest {
            container,
            restart_always: flag(row, "restart_always"),
        })
        .collect();
    let pod = PodRequests { containers: &containers, init_containers: &init_containers, pod_level };
    pod_request(&pod, container, pod_level_resources).map(Ok)
}

fn behavior(row: &Value) -> Result<Behavior, String> {
    Ok(Behavior {
        scale_up: defaulted_rules(field(row, "scale_up")?)?,
        scale_down: defaulted_rules(field(row, "scale_down")?)?,
    })
}

/// Rules that are spelled out: nothing is left to be defaulted.
fn defaulted_rules(row: &Value) -> Result<ScalingRules, String> {
    let given = given_rules(row)?;
    Ok(ScalingRules {
        stabilization_window: given.stabilization_window,
        select_policy: given.select_policy.ok_or("no field `select_policy`")?,
        policies: given.policies.ok_or("no field `policies`")?,
        tolerance_milli: given.tolerance_milli,
    })
}

fn given_rules(row: &Value) -> Result<GivenRules, String> {
    let select_policy = match given(row, "select_policy").and_then(Value::as_str) {
        None => None,
        Some("Max") => Some(SelectPolicy::Max),
        Some("Min") => Some(SelectPolicy::Min),
        Some("Disabled") => Some(SelectPolicy::Disabled),
        Some(other) => return Err(format!("no policy selection is called {other}")),
    };
    let policies = given(row, "policies").map(|_| list(row, "policies").iter().map(policy).collect());
    let window = given(row, "stabilization_window_s").map(|_| seconds(row, "stabilization_window_s"));
    Ok(GivenRules {
        stabilization_window: window.transpose()?,
        select_policy,
        policies: policies.transpose()?,
        tolerance_milli: given_int(row, "tolerance_milli")?,
    })
}

fn policy(row: &Value) -> Result<ScalingPolicy, String> {
    let kind = match text(row, "type")? {
        "Pods" => PolicyKind::Pods,
        "Percent" => PolicyKind::Percent,
        other => return Err(format!("no policy type is called {other}")),
    };
    Ok(ScalingPolicy { kind, value: int(row, "value")?, period: seconds(row, "period_s")? })
}

fn both_events(case: &Value) -> Result<ScaleEvents, String> {
    let (up, down) = (list(case, "scale_up_events"), list(case, "scale_down_events"));
    Ok(ScaleEvents { up: events(up)?, down: events(down)? })
}

fn events(rows: &[Value]) -> Result<Vec<ScaleEvent>, String> {
    let event = |row| {
        Ok(ScaleEvent {
            change: int(row, "change")?,
            at: moment(row, "t_s")?,
            outdated: flag(row, "outdated"),
        })
    };
    rows.iter().map(event).collect()
}

fn recommendations(rows: &[Value]) -> Result<Vec<Recorded>, String> {
    rows.iter().map(|row| Ok(Recorded { replicas: int(row, "replicas")?, at: moment(row, "t_s")? })).collect()
}

/// Compares a log with its row: by its length, or entry by entry.
fn check_log(log: &[Recorded], expect: &Value) -> Result<(), String> {
    if let Some(length) = given_int(expect, "log_length")? {
        same("log length", log.len(), length)?;
    }
    if given(expect, "log_replicas_after").is_some() {
        let expected: Result<Vec<u32>, _> = list(expect, "log_replicas_after").iter().map(as_int).collect();
        same("log", log.iter().map(|entry| entry.replicas).collect(), expected?)?;
    }
    Ok(())
}
