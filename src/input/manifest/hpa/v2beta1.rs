//! `autoscaling/v2beta1`, whose metrics name their targets differently.

use k8s_openapi::api::autoscaling::v2::CrossVersionObjectReference;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::object::{Manifest, Object};
use super::{MetricSpec, Problem, Reading, ResourceTarget, ValueTarget};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    scale_target_ref: CrossVersionObjectReference,
    min_replicas: Option<i32>,
    max_replicas: i32,
    metrics: Option<Vec<Metric>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metric {
    #[serde(rename = "type")]
    kind: String,
    resource: Option<Source>,
    container_resource: Option<Source>,
    pods: Option<Source>,
    object: Option<Source>,
    external: Option<Source>,
}

/// The fields of all sources; which of them count is the type's matter.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct Source {
    name: String,
    container: Option<String>,
    metric_name: String,
    target: CrossVersionObjectReference,
    target_average_utilization: Option<i32>,
    target_average_value: Option<Quantity>,
    average_value: Option<Quantity>,
    target_value: Option<Quantity>,
    selector: Option<IgnoredAny>,
    metric_selector: Option<IgnoredAny>,
}

pub(super) fn read(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<Spec>>(&mut reading.problems) else { return };
    let spec = manifest.spec.unwrap_or_default();
    let mut metrics = Vec::new();
    for (index, written) in spec.metrics.iter().flatten().enumerate() {
        metrics.extend(metric(reading, object, &format!("spec.metrics[{index}]"), written));
    }
    let target = &spec.scale_target_ref;
    let bounds = (spec.min_replicas, spec.max_replicas);
    super::push(reading, object, (&target.kind, &target.name), bounds, metrics, None);
}

fn metric(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &Metric,
) -> Option<MetricSpec> {
    let sources = [
        ("Resource", "resource", &written.resource),
        ("ContainerResource", "containerResource", &written.container_resource),
        ("Pods", "pods", &written.pods),
        ("Object", "object", &written.object),
        ("External", "external", &written.external),
    ];
    let choices = sources.map(|(kind, field, source)| (kind, (kind, field, source.as_ref())));
    let (kind, field, source) = reading.choice(object, &format!("{path}.type"), &written.kind, &choices)?;
    let Some(source) = source else {
        reading.field(object, path, Problem::error(format!("type is `{kind}`, but there is no `{field}`")));
        return None;
    };
    let path = format!("{path}.{field}");
    let name = source.metric_name.clone();
    match kind {
        "Resource" | "ContainerResource" => {
            let target = resource_target(reading, object, &path, source)?;
            let resource = super::resource_name(&source.name);
            Some(MetricSpec::Resource { resource, container: source.container.clone(), target })
        }
        "Pods" => match value_target(reading, object, &path, source)? {
            ValueTarget::AverageValue(target_average_milli) => {
                Some(MetricSpec::Pods { name, target_average_milli })
            }
            ValueTarget::Value(_) => {
                reading.field(object, &path, Problem::error("needs a `targetAverageValue`"));
                None
            }
        },
        "Object" => {
            let target = value_target(reading, object, &path, source)?;
            Some(MetricSpec::Object { name, described: super::described(&source.target), target })
        }
        _ => {
            let target = value_target(reading, object, &path, source)?;
            Some(MetricSpec::External { name, target })
        }
    }
}

fn resource_target(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    source: &Source,
) -> Option<ResourceTarget> {
    match (source.target_average_utilization, &source.target_average_value) {
        (Some(percent), _) => {
            super::utilization(reading, object, &format!("{path}.targetAverageUtilization"), percent)
        }
        (None, Some(value)) => {
            let path = format!("{path}.targetAverageValue");
            super::milli(reading, object, &path, &value.0).map(ResourceTarget::AverageValue)
        }
        (None, None) => {
            let problem = Problem::error("needs `targetAverageUtilization` or `targetAverageValue`");
            reading.field(object, path, problem);
            None
        }
    }
}

fn value_target(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    source: &Source,
) -> Option<ValueTarget> {
    let average = source.target_average_value.as_ref().map(|value| ("targetAverageValue", value));
    let average = average.or(source.average_value.as_ref().map(|value| ("averageValue", value)));
    match (average, &source.target_value) {
        (Some((field, value)), _) => {
            super::milli(reading, object, &format!("{path}.{field}"), &value.0).map(ValueTarget::AverageValue)
        }
        (None, Some(value)) => {
            super::milli(reading, object, &format!("{path}.targetValue"), &value.0).map(ValueTarget::Value)
        }
        (None, None) => {
            reading.field(object, path, Problem::error("needs `targetValue` or `targetAverageValue`"));
            None
        }
    }
}
