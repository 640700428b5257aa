//! HorizontalPodAutoscalers of every API version, defaulted.
//!
//! Upstream: `pkg/apis/autoscaling/v2/defaults.go`,
//! `pkg/apis/autoscaling/validation/validation.go`.

use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscalerSpec as SpecV1;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec as SpecV2, MetricSpec as MetricV2, MetricTarget,
};

use super::object::{HpaVersion, Manifest, Object};
use super::set::ManifestHpa;
use super::{Reading, resources};
use crate::input::problem::Problem;
use crate::input::rules;
use crate::k8s::behavior::{Behavior, PolicyKind, ScalingPolicy, ScalingRules, SelectPolicy};
use crate::k8s::hpa::{HpaSpec, MetricSpec, ResourceName, ResourceTarget, ValueTarget};
use crate::units::SimDuration;

mod v2beta1;

/// Reads an HPA of any version.
pub(super) fn read(reading: &mut Reading<'_>, object: &Object<'_>, version: HpaVersion) {
    match version {
        HpaVersion::V1 => read_v1(reading, object),
        HpaVersion::V2 => read_v2(reading, object),
        HpaVersion::V2Beta1 => v2beta1::read(reading, object),
    }
}

fn read_v1(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<SpecV1>>(&mut reading.problems) else { return };
    let spec = manifest.spec.unwrap_or_default();
    let annotations = manifest.metadata.annotations.unwrap_or_default();
    let mut metrics = Vec::new();
    let mut behavior = None;
    for name in ["metrics", "behavior"] {
        let key = format!("autoscaling.alpha.kubernetes.io/{name}");
        let Some(text) = annotations.get(&key) else { continue };
        let path = format!("metadata.annotations[\"{key}\"]");
        let found = if name == "metrics" {
            v2beta1::from_annotation(reading, object, &path, text).map(|found| metrics.extend(found))
        } else {
            let written = v2beta1::annotation::<HorizontalPodAutoscalerBehavior>(text);
            written.map(|written| behavior = Some(self::behavior(reading, object, &written)))
        };
        if found.is_none() {
            let problem = Problem::error(format!("the annotation doesn't hold the JSON of {name}"));
            reading.field(object, &path, problem.help("write the HPA as `autoscaling/v2`"));
        }
    }
    if let Some(percent) = spec.target_cpu_utilization_percentage {
        let path = "spec.targetCPUUtilizationPercentage";
        metrics.extend(utilization(reading, object, path, percent).map(|target| MetricSpec::Resource {
            resource: ResourceName::Cpu,
            container: None,
            target,
        }));
    }
    let target = &spec.scale_target_ref;
    let bounds = (spec.min_replicas, spec.max_replicas);
    push(reading, object, (&target.kind, &target.name), bounds, metrics, behavior);
}

fn read_v2(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<SpecV2>>(&mut reading.problems) else { return };
    let spec = manifest.spec.unwrap_or_default();
    let mut metrics = Vec::new();
    for (index, one) in spec.metrics.iter().flatten().enumerate() {
        metrics.extend(metric(reading, object, &format!("spec.metrics[{index}]"), one));
    }
    let behavior = spec.behavior.as_ref().map(|written| behavior(reading, object, written));
    let target = &spec.scale_target_ref;
    let bounds = (spec.min_replicas, spec.max_replicas);
    push(reading, object, (&target.kind, &target.name), bounds, metrics, behavior);
}

/// Checks the bounds, fills in the default metric, and adds the HPA.
fn push(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    (target_kind, target_name): (&str, &str),
    (min, max): (Option<i32>, i32),
    mut metrics: Vec<MetricSpec>,
    behavior: Option<Behavior>,
) {
    let min = min.unwrap_or(1);
    if object.node.at("spec.maxReplicas").is_none() {
        reading.field(object, "spec.maxReplicas", Problem::error("is missing"));
    } else if max < 1 {
        reading.field(object, "spec.maxReplicas", Problem::error("must be above 0"));
    } else if min > max {
        let problem = Problem::error(format!("minReplicas of {min} is above maxReplicas of {max}"));
        reading.field(
            object,
            "spec.minReplicas",
            problem.help("swap the two, or raise maxReplicas").rule(&rules::HPA_BOUNDS),
        );
    }
    let outside =
        |metric: &MetricSpec| matches!(metric, MetricSpec::Object { .. } | MetricSpec::External { .. });
    if min < 0 {
        reading.field(object, "spec.minReplicas", Problem::error("must not be negative"));
    } else if min == 0 && !metrics.iter().any(outside) {
        let help =
            "with no pods there is nothing to measure; take an Object or External metric, or minReplicas 1";
        reading.field(object, "spec.minReplicas", Problem::error("0 needs a metric from outside").help(help));
    }
    if target_name.is_empty() || target_kind.is_empty() {
        reading.field(object, "spec.scaleTargetRef", Problem::error("needs `kind` and `name`"));
        return;
    }
    if metrics.is_empty() {
        let target = ResourceTarget::Utilization(80);
        metrics.push(MetricSpec::Resource { resource: ResourceName::Cpu, container: None, target });
    }
    reading.set.autoscalers.push(ManifestHpa {
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        target_kind: target_kind.to_owned(),
        target_name: target_name.to_owned(),
        spec: HpaSpec {
            min_replicas: u32::try_from(min).unwrap_or(0),
            max_replicas: u32::try_from(max).unwrap_or(0),
            metrics,
            behavior,
        },
        place: object.place("spec.scaleTargetRef"),
    });
}

/// A percentage that can be divided by.
fn utilization(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    percent: i32,
) -> Option<ResourceTarget> {
    if percent > 0 {
        return Some(ResourceTarget::Utilization(percent));
    }
    let problem = Problem::error("target utilization must be above 0 %");
    reading.field(object, path, problem.help("the HPA divides usage by this target"));
    None
}

/// An amount above 0 in thousandths.
fn milli(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, text: &str) -> Option<i64> {
    let amount = resources::amount(reading, object, path, text)?;
    if amount.nanos() <= 0 {
        reading.field(object, path, Problem::error("must be above 0"));
        return None;
    }
    Some(amount.milli_value())
}

fn resource_name(name: &str) -> ResourceName {
    match name {
        "cpu" => ResourceName::Cpu,
        "memory" => ResourceName::Memory,
        other => ResourceName::Other(other.to_owned()),
    }
}

/// One metric of `autoscaling/v2`.
fn metric(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &MetricV2,
) -> Option<MetricSpec> {
    let known = ["Resource", "ContainerResource", "Pods", "Object", "External"];
    let found = match written.type_.as_str() {
        "Resource" => written.resource.as_ref().map(|source| {
            let target =
                resource_target(reading, object, &format!("{path}.resource.target"), &source.target)?;
            Some(MetricSpec::Resource { resource: resource_name(&source.name), container: None, target })
        }),
        "ContainerResource" => written.container_resource.as_ref().map(|source| {
            let path = format!("{path}.containerResource.target");
            let target = resource_target(reading, object, &path, &source.target)?;
            let container = Some(source.container.clone());
            Some(MetricSpec::Resource { resource: resource_name(&source.name), container, target })
        }),
        "Pods" => written.pods.as_ref().map(|source| {
            let path = format!("{path}.pods.target");
            match value_target(reading, object, &path, &source.target)? {
                ValueTarget::AverageValue(target_average_milli) => {
                    Some(MetricSpec::Pods { name: source.metric.name.clone(), target_average_milli })
                }
                ValueTarget::Value(_) => {
                    let problem = Problem::error("metrics of pods need an `averageValue`");
                    reading.field(object, &path, problem);
                    None
                }
            }
        }),
        "Object" => written.object.as_ref().map(|source| {
            let target = value_target(reading, object, &format!("{path}.object.target"), &source.target)?;
            let described = described(&source.described_object);
            Some(MetricSpec::Object { name: source.metric.name.clone(), described, target })
        }),
        "External" => written.external.as_ref().map(|source| {
            let target = value_target(reading, object, &format!("{path}.external.target"), &source.target)?;
            Some(MetricSpec::External { name: source.metric.name.clone(), target })
        }),
        kind => {
            let choices = known.map(|name| (name, ()));
            reading.choice(object, &format!("{path}.type"), kind, &choices);
            return None;
        }
    };
    if found.is_none() {
        let field = written.type_[..1].to_lowercase() + &written.type_[1..];
        let problem = Problem::error(format!("type is `{}`, but there is no `{field}`", written.type_));
        reading.field(object, path, problem);
    }
    found.flatten()
}

fn described(object: &CrossVersionObjectReference) -> String {
    format!("{}/{}", object.kind, object.name)
}

/// The target of a resource metric: utilization or a mean per pod.
fn resource_target(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    target: &MetricTarget,
) -> Option<ResourceTarget> {
    target_type(reading, object, path, target);
    match (target.average_utilization, &target.average_value) {
        (Some(percent), None) => utilization(reading, object, &format!("{path}.averageUtilization"), percent),
        (None, Some(value)) => milli(reading, object, &format!("{path}.averageValue"), &value.0)
            .map(ResourceTarget::AverageValue),
        (Some(_), Some(_)) => {
            reading.field(
                object,
                path,
                Problem::error("averageUtilization and averageValue exclude each other"),
            );
            None
        }
        (None, None) => {
            reading.field(object, path, Problem::error("needs `averageUtilization` or `averageValue`"));
            None
        }
    }
}

/// The target of any other metric: a value or a mean per pod.
fn value_target(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    target: &MetricTarget,
) -> Option<ValueTarget> {
    target_type(reading, object, path, target);
    match (&target.value, &target.average_value) {
        (_, Some(value)) => {
            milli(reading, object, &format!("{path}.averageValue"), &value.0).map(ValueTarget::AverageValue)
        }
        (Some(value), None) => {
            milli(reading, object, &format!("{path}.value"), &value.0).map(ValueTarget::Value)
        }
        (None, None) => {
            reading.field(object, path, Problem::error("needs `value` or `averageValue`"));
            None
        }
    }
}

fn target_type(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, target: &MetricTarget) {
    let choices = [("Utilization", ()), ("Value", ()), ("AverageValue", ())];
    reading.choice(object, &format!("{path}.type"), &target.type_, &choices);
}

/// `spec.behavior`, each direction filled up.
fn behavior(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    written: &HorizontalPodAutoscalerBehavior,
) -> Behavior {
    let every = |kind, value| ScalingPolicy { kind, value, period: SimDuration::from_secs(15) };
    let double = every(PolicyKind::Percent, 100);
    let up = ScalingRules {
        stabilization_window: Some(SimDuration::ZERO),
        select_policy: SelectPolicy::Max,
        policies: vec![every(PolicyKind::Pods, 4), double],
        tolerance_milli: None,
    };
    let down = ScalingRules { stabilization_window: None, policies: vec![double], ..up.clone() };
    let mut fill = |path: &str, written: Option<&HPAScalingRules>, default: ScalingRules| match written {
        Some(written) => rules(reading, object, path, written, default),
        None => default,
    };
    Behavior {
        scale_up: fill("spec.behavior.scaleUp", written.scale_up.as_ref(), up),
        scale_down: fill("spec.behavior.scaleDown", written.scale_down.as_ref(), down),
    }
}

fn rules(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &HPAScalingRules,
    default: ScalingRules,
) -> ScalingRules {
    let mut rules = default;
    if let Some(window) = written.stabilization_window_seconds {
        between(reading, object, &format!("{path}.stabilizationWindowSeconds"), window, (0, 3_600));
        rules.stabilization_window = Some(super::pod::seconds(window));
    }
    if let Some(policy) = written.select_policy.as_deref() {
        let choices =
            [("Max", SelectPolicy::Max), ("Min", SelectPolicy::Min), ("Disabled", SelectPolicy::Disabled)];
        let select = reading.choice(object, &format!("{path}.selectPolicy"), policy, &choices);
        rules.select_policy = select.unwrap_or(rules.select_policy);
    }
    if let Some(tolerance) = &written.tolerance {
        let path = format!("{path}.tolerance");
        let amount = resources::amount(reading, object, &path, &tolerance.0);
        if amount.is_some_and(|amount| amount.nanos() < 0) {
            reading.field(object, &path, Problem::error("must not be negative"));
        }
        rules.tolerance_milli = amount.map(|amount| amount.milli_value().max(0));
    }
    if let Some(policies) = written.policies.as_ref().filter(|policies| !policies.is_empty()) {
        rules.policies.clear();
        for (index, policy) in policies.iter().enumerate() {
            let path = format!("{path}.policies[{index}]");
            between(reading, object, &format!("{path}.periodSeconds"), policy.period_seconds, (1, 1_800));
            between(reading, object, &format!("{path}.value"), policy.value, (1, i32::MAX));
            let choices = [("Pods", PolicyKind::Pods), ("Percent", PolicyKind::Percent)];
            let kind = reading.choice(object, &format!("{path}.type"), &policy.type_, &choices);
            let period = super::pod::seconds(policy.period_seconds.max(1));
            let policy = |kind| ScalingPolicy { kind, value: policy.value, period };
            rules.policies.extend(kind.map(policy));
        }
    }
    rules
}

fn between(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, value: i32, (low, high): (i32, i32)) {
    if value < low {
        reading.field(object, path, Problem::error(format!("must not be below {low}")));
    } else if value > high {
        reading.field(object, path, Problem::error(format!("must not be above {high}")));
    }
}
