//! A pass in words: what was measured, what was asked for, what held it.

use super::{Because, MetricSpec, Recommendation, ResourceName, ResourceTarget, ValueTarget};
use crate::k8s::behavior::{Limit, Stabilization};
use crate::k8s::replicas::{CurrentValue, Fill, Group, Ignored, Rule, Unready};

/// The decision in one sentence without its full stop.
pub fn because(answer: &Recommendation, metrics: &[MetricSpec]) -> String {
    let (metric, proposal, stabilized, limited) = match answer.because {
        Because::Metrics { metric, proposal, stabilized, limited } => (metric, proposal, stabilized, limited),
        Because::AboveMax => return "above maxReplicas".to_owned(),
        Because::BelowMin => return "below minReplicas".to_owned(),
        Because::ScaleUnreadable => return "the scale can't be read".to_owned(),
        Because::Parked => return "the workload is parked at zero replicas".to_owned(),
        Because::SelectorUnusable => return "the selector finds no pods of this autoscaler alone".to_owned(),
        Because::MetricsFailed => return failed(answer, metrics),
    };
    let mut words = match answer.metrics.get(metric) {
        Some(Ok(found)) => {
            let pods = found.counts.map_or(String::new(), |counts| match counts.counted {
                1 => " over 1 pod".to_owned(),
                counted => format!(" over {counted} pods"),
            });
            let value = value(&metrics[metric], found.value);
            format!("{} at {value}{pods} (target {})", name(&metrics[metric]), target(&metrics[metric]))
        }
        _ => name(&metrics[metric]).to_owned(),
    };
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

/// Why nothing happens when too many metrics failed.
fn failed(answer: &Recommendation, metrics: &[MetricSpec]) -> String {
    let problems = metrics.iter().zip(&answer.metrics);
    let problems = problems.filter_map(|(metric, found)| Some((metric, found.as_ref().err()?)));
    let words: Vec<String> =
        problems.map(|(metric, problem)| format!("{} can't be computed: {problem}", name(metric))).collect();
    let partial = answer.metrics.iter().any(Result::is_ok);
    let rule = if partial { "; with a metric missing there is no scale-down" } else { "" };
    format!("{}{rule}", words.join("; "))
}

/// The metric's name.
pub fn name(metric: &MetricSpec) -> &str {
    match metric {
        MetricSpec::Resource { resource: ResourceName::Cpu, .. } => "cpu",
        MetricSpec::Resource { resource: ResourceName::Memory, .. } => "memory",
        MetricSpec::Resource { resource: ResourceName::Other(name), .. }
        | MetricSpec::Pods { name, .. }
        | MetricSpec::Object { name, .. }
        | MetricSpec::External { name, .. }
        | MetricSpec::Unsupported { kind: name } => name,
    }
}

/// What the metric is to be kept at.
pub fn target(metric: &MetricSpec) -> String {
    match metric {
        MetricSpec::Resource { target: ResourceTarget::Utilization(percent), .. } => format!("{percent}%"),
        MetricSpec::Resource { target: ResourceTarget::AverageValue(milli), .. }
        | MetricSpec::Pods { target_average_milli: milli, .. } => format!("{} a pod", amount(metric, *milli)),
        MetricSpec::Object { target, .. } | MetricSpec::External { target, .. } => match target {
            ValueTarget::Value(milli) => amount(metric, *milli),
            ValueTarget::AverageValue(milli) => format!("{} a replica", amount(metric, *milli)),
        },
        MetricSpec::Unsupported { .. } => "nothing known".to_owned(),
    }
}

/// A value of the metric, as the status has it.
pub fn value(metric: &MetricSpec, value: CurrentValue) -> String {
    match value {
        CurrentValue::Utilization { percent, .. } => format!("{percent}% of requests"),
        CurrentValue::Average(milli) => format!("a mean of {}", amount(metric, milli)),
        CurrentValue::Whole(milli) => amount(metric, milli),
    }
}

/// An amount in the metric's unit, from thousandths: `193m`, `312Mi`, `20`.
pub fn amount(metric: &MetricSpec, milli: i64) -> String {
    match metric {
        MetricSpec::Resource { resource: ResourceName::Cpu, .. } => format!("{milli}m"),
        MetricSpec::Resource { resource: ResourceName::Memory, .. } => bytes(milli as f64 / 1e3),
        _ => format!("{}", milli as f64 / 1e3),
    }
}

/// Bytes as kubectl users write them.
fn bytes(number: f64) -> String {
    const UNITS: [(f64, &str); 3] = [((1_u64 << 30) as f64, "Gi"), ((1 << 20) as f64, "Mi"), (1024.0, "Ki")];
    match UNITS.iter().find(|(size, _)| number.abs() >= *size) {
        None => format!("{number:.0}"),
        Some((size, unit)) => {
            let text = format!("{:.2}", number / size);
            format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

/// What an HPA does with a pod: `counted`, `unready`, `missing` or `ignored`.
pub const fn group(group: Group) -> &'static str {
    match group {
        Group::Counted => "counted",
        Group::Unready(_) => "unready",
        Group::Missing => "missing",
        Group::Ignored(_) => "ignored",
    }
}

/// Why a pod isn't counted; nothing for one that is.
pub const fn group_reason(group: Group) -> &'static str {
    match group {
        Group::Counted => "",
        Group::Missing => "the metrics API has nothing for it",
        Group::Ignored(Ignored::Deleting) => "it is being deleted",
        Group::Ignored(Ignored::Failed) => "its phase is Failed",
        Group::Unready(Unready::Pending) => "its phase is Pending",
        Group::Unready(Unready::NotStarted) => "it has no start time or no Ready condition yet",
        Group::Unready(Unready::YoungNotReady) => "it is young and not ready",
        Group::Unready(Unready::YoungSample) => "it is young, and its sample covers time before it was ready",
        Group::Unready(Unready::NeverReady) => "it has never been ready",
    }
}

/// What a pod without a value is taken to use.
pub fn fill(metric: &MetricSpec, fill: Fill) -> Option<String> {
    match fill {
        Fill::Nothing => None,
        Fill::Idle => Some("taken as idle (0), so that a scale-up isn't too large".to_owned()),
        Fill::PercentOfRequest(percent) => {
            Some(format!("taken at {percent}% of the request, so that a scale-down isn't too large"))
        }
        Fill::Target(milli) => {
            let target = amount(metric, milli);
            Some(format!("taken at the target of {target}, so that a scale-down isn't too large"))
        }
    }
}

/// The rule that a metric's count comes from.
pub fn rule(rule: Rule, current: u32) -> String {
    match rule {
        Rule::WithinTolerance => format!("the ratio is within tolerance: no change from {current}"),
        Rule::RatioTimesPods(pods) => format!("ratio × {pods} ready, rounded up"),
        Rule::SecondWithinTolerance => {
            format!("the second ratio is within tolerance: no change from {current}")
        }
        Rule::SecondTurnsBack => {
            format!("the second ratio points the other way: no change from {current}")
        }
        Rule::SecondTimesValues(values) => format!("second ratio × {values} pods, rounded up"),
        Rule::CountTurnsBack { rejected } => {
            format!("second ratio × pods gives {rejected}, against the ratio's direction: no change")
        }
        Rule::FromZero => "there is no replica: the ratio rounded up, whatever the tolerance".to_owned(),
        Rule::TotalOverTarget => "the total divided by the target for each replica, rounded up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_kubectl_prints_them() {
        let memory = MetricSpec::Resource {
            resource: ResourceName::Memory,
            container: None,
            target: ResourceTarget::AverageValue(1_000),
        };
        let custom = MetricSpec::Pods { name: "queue".to_owned(), target_average_milli: 20_000 };
        let rows = [
            (&MetricSpec::default_cpu(), 193, "193m"),
            (&memory, 32_681_984_000, "31.17Mi"),
            (&memory, 1_073_741_824_000, "1Gi"),
            (&custom, 20_500, "20.5"),
        ];
        for (metric, milli, text) in rows {
            assert_eq!(amount(metric, milli), text);
        }
    }
}
