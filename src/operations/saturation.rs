//! Alerts on what the plan rests on: autoscalers, replicas, CPU, memory, nodes.

use super::Plan;
use super::alert::{Alert, Kind, flat};
use super::figures::Seen;
use super::objectives::share;
use crate::scenario::Kind as WorkloadKind;
use crate::units::figures::{amount, bytes, count, percent, plural, seconds};

/// `namespace="shop",horizontalpodautoscaler="web"`
fn selector(of: &Seen<'_>, label: &str, name: &str) -> String {
    format!("namespace=\"{}\",{label}=\"{name}\"", of.workload.namespace)
}

fn about(of: &Seen<'_>) -> (&'static str, String) {
    ("workload", of.workload.name.clone())
}

/// Its autoscaler is at its maximum, or gets no metrics.
pub(super) fn autoscaler(of: &Seen<'_>) -> Vec<Alert> {
    let Some(hpa) = of.autoscaler else { return Vec::new() };
    let name = &of.workload.name;
    let on = selector(of, "horizontalpodautoscaler", &hpa.name);
    let desired = format!("kube_horizontalpodautoscaler_status_desired_replicas{{{on}}}");
    let most = format!("kube_horizontalpodautoscaler_spec_max_replicas{{{on}}}");
    let failing = |value: &str| {
        let labels = format!("{on},condition=\"ScalingActive\",status=\"false\"");
        (format!("kube_horizontalpodautoscaler_status_condition{{{labels}}}"), format!("{value}x90"))
    };
    let max = hpa.spec.max_replicas;
    let seen = of.pooled.ready.max;
    let at_max = Alert {
        kind: Kind::AutoscalerAtMaximum,
        about: Some(about(of)),
        expr: format!("max({desired}) >= max({most})"),
        minutes: 10,
        summary: format!(
            "{name} is at its maximum of {} and cannot grow",
            plural(max.into(), "replica", "replicas")
        ),
        description: format!(
            "In the plan {name} needed up to {} of {max}. At the maximum further load makes requests wait.",
            plural(seen as u64, "replica", "replicas")
        ),
        fires: vec![flat(desired.clone(), max), flat(most.clone(), max)],
        rests: vec![flat(desired.clone(), max.saturating_sub(1)), flat(most.clone(), max)],
        after: 30,
        burn: None,
    };
    let (condition, _) = failing("1");
    let blind = Alert {
        kind: Kind::AutoscalerBlind,
        about: Some(about(of)),
        expr: format!("max({condition}) > 0"),
        minutes: 5,
        summary: format!("the autoscaler of {name} gets no metrics and does not scale"),
        description: format!(
            "Without metrics {name} stays at the replicas it has; in the plan it went from {} to {}.",
            count(of.pooled.ready.min),
            count(seen)
        ),
        fires: vec![failing("1")],
        rests: vec![failing("0")],
        after: 30,
        burn: None,
    };
    // One that is held to a single number is at its maximum as a matter of course.
    let grows = hpa.spec.min_replicas < max;
    grows.then_some(at_max).into_iter().chain([blind]).collect()
}

/// It has fewer pods than the settings ask for.
pub(super) fn replicas(of: &Seen<'_>) -> Option<Alert> {
    let name = &of.workload.name;
    let metric = match of.workload.kind {
        WorkloadKind::Deployment { .. } => {
            format!("kube_deployment_status_replicas_available{{{}}}", selector(of, "deployment", name))
        }
        WorkloadKind::StatefulSet { .. } => {
            format!("kube_statefulset_status_replicas_ready{{{}}}", selector(of, "statefulset", name))
        }
        WorkloadKind::ReplicaSet | WorkloadKind::DaemonSet | WorkloadKind::Pod | WorkloadKind::Job => {
            return None;
        }
    };
    let least = of.least();
    if least == 0 {
        return None;
    }
    Some(Alert {
        kind: Kind::TooFewReplicas,
        about: Some(about(of)),
        expr: format!("sum({metric}) < {least}"),
        minutes: 5,
        summary: format!(
            "{name} has fewer than the {} that the plan starts from",
            plural(least.into(), "replica", "replicas")
        ),
        description: format!(
            "Ready pods of {name} were {} to {} in the plan, {} on average.",
            count(of.pooled.ready.min),
            count(of.pooled.ready.max),
            amount(of.pooled.ready.mean)
        ),
        fires: vec![flat(metric.clone(), least - 1)],
        rests: vec![flat(metric, least)],
        after: 30,
        burn: None,
    })
}

/// Selects the containers of a workload's pods.
pub(super) fn containers(of: &Seen<'_>) -> String {
    let names: Vec<&str> = of.workload.template.containers.iter().map(|one| one.name.as_str()).collect();
    named(of, &names.join("|"))
}

/// Selects the one that serves: limits are each container's own.
pub(super) fn serving(of: &Seen<'_>) -> String {
    named(of, of.workload.template.containers.first().map_or("", |one| one.name.as_str()))
}

fn named(of: &Seen<'_>, names: &str) -> String {
    let (namespace, name) = (&of.workload.namespace, &of.workload.name);
    format!("namespace=\"{namespace}\",pod=~\"{name}-.+\",container=~\"{names}\"")
}

/// The labels of one such container.
fn container(of: &Seen<'_>) -> String {
    let first = of.workload.template.containers.first().map_or("", |one| one.name.as_str());
    format!("namespace=\"{}\",pod=\"{}-x\",container=\"{first}\"", of.workload.namespace, of.workload.name)
}

/// Its CPU limit holds it back more than in the proof.
pub(super) fn throttled(of: &Seen<'_>) -> Option<Alert> {
    let limit = of.cpu_limit()?;
    let name = &of.workload.name;
    let seen = of.throttled();
    // As much again as was seen is another state than the one that was proved.
    let most = (seen * 2.0).clamp(0.25, 0.95);
    let most = (most * 100.0).round() / 100.0;
    let rate =
        |what: &str| format!("sum(rate(container_cpu_cfs_{what}periods_total{{{}}}[5m]))", serving(of));
    let series = |throttled: f64| {
        let of = container(of);
        vec![
            (
                format!("container_cpu_cfs_throttled_periods_total{{{of}}}"),
                format!("0+{}x90", (throttled * 600.0) as u64),
            ),
            (format!("container_cpu_cfs_periods_total{{{of}}}"), "0+600x90".to_owned()),
        ]
    };
    Some(Alert {
        kind: Kind::CpuThrottled,
        about: Some(about(of)),
        expr: format!("{} / {} > {most}", rate("throttled_"), rate("")),
        minutes: 15,
        summary: format!("{name} is held back by its CPU limit in more than {} of periods", share(most)),
        description: format!(
            "A pod of {name} may use {} cores; in the plan the limit held it back in {} of the periods in which it \
             wanted CPU. Users feel it as latency while the mean use looks harmless.",
            amount(limit),
            percent(seen)
        ),
        fires: series((most + 0.04).min(1.0)),
        rests: series(most * 0.5),
        after: 60,
        burn: None,
    })
}

/// A pod of it comes near its memory limit.
pub(super) fn memory(of: &Seen<'_>) -> Option<Alert> {
    let limit = of.memory_limit()?;
    let name = &of.workload.name;
    let seen = of.pooled.memory_pod_max.0 as f64;
    let share_seen = seen / limit;
    let most = share_seen.clamp(0.9, 0.97);
    let border = (limit * most).round();
    let metric = format!("container_memory_working_set_bytes{{{}}}", serving(of));
    let series = |bytes: f64| {
        vec![flat(format!("container_memory_working_set_bytes{{{}}}", container(of)), bytes.round())]
    };
    Some(Alert {
        kind: Kind::MemoryNearLimit,
        about: Some(about(of)),
        expr: format!("max(sum by (pod) ({metric})) > {border}"),
        minutes: 10,
        summary: format!("a pod of {name} uses more than {} of its memory limit", percent(most)),
        description: format!(
            "The limit is {}; in the plan the largest pod held {}. At the limit the kernel kills the container.",
            bytes(limit),
            bytes(seen)
        ),
        fires: series(limit),
        rests: series(border * 0.9),
        after: 30,
        burn: None,
    })
}

/// Its containers restart again and again.
pub(super) fn restarts(of: &Seen<'_>, plan: &Plan<'_>) -> Alert {
    let name = &of.workload.name;
    let metric = format!("kube_pod_container_status_restarts_total{{{}}}", containers(of));
    let one = format!("kube_pod_container_status_restarts_total{{{}}}", container(of));
    let seen = of.pooled.restarts as f64 / plan.runs.len() as f64;
    Alert {
        kind: Kind::ContainersRestart,
        about: Some(about(of)),
        expr: format!("sum(increase({metric}[15m])) > 2"),
        minutes: 0,
        summary: format!("containers of {name} restart again and again"),
        description: format!(
            "In the plan {name} had {} restarts in {} without a failure on purpose, {} of them for running out of \
             memory.",
            count(seen),
            seconds(plan.scenario.horizon.as_secs_f64()),
            count(of.pooled.oom_kills as f64 / plan.runs.len() as f64)
        ),
        fires: vec![(one.clone(), "0+1x90".to_owned())],
        rests: vec![(one, "3x90".to_owned())],
        after: 60,
        burn: None,
    }
}

/// Alerts on the cluster itself.
pub(super) fn cluster(plan: &Plan<'_>) -> Vec<Alert> {
    let (min, max) = plan.nodes();
    let mut all = vec![pending(plan)];
    // Beyond a hundred nodes a test of each would be longer than the rules.
    if max > min && max <= 100 {
        all.push(Alert {
            kind: Kind::NodesAtMaximum,
            about: None,
            expr: format!("sum({READY}) >= {max}"),
            minutes: 15,
            summary: format!("the cluster has its most, {}", plural(max.into(), "node", "nodes")),
            description: format!(
                "The plan is for {min} to {max} nodes. The next pod that needs room will wait, and the loss of a node \
                 can't be made up."
            ),
            fires: nodes(max),
            rests: nodes(max - 1),
            after: 60,
            burn: None,
        });
    }
    if (1..=100).contains(&min) {
        all.push(Alert {
            kind: Kind::TooFewNodes,
            about: None,
            expr: format!("sum({READY}) < {min}"),
            minutes: 5,
            summary: format!("fewer than {} are ready", plural(min.into(), "node", "nodes")),
            description: format!("The plan rests on at least {}.", plural(min.into(), "node", "nodes")),
            fires: vec![flat(node(0), 0)],
            rests: nodes(min),
            after: 30,
            burn: None,
        });
    }
    all
}

const READY: &str = "kube_node_status_condition{condition=\"Ready\",status=\"true\"}";

fn node(number: u32) -> String {
    format!("kube_node_status_condition{{node=\"n{number}\",condition=\"Ready\",status=\"true\"}}")
}

fn nodes(count: u32) -> Vec<(String, String)> {
    (0..count).map(|number| flat(node(number), 1)).collect()
}

fn pending(plan: &Plan<'_>) -> Alert {
    let pending = format!("kube_pod_status_phase{{{},phase=\"Pending\"}}", plan.namespace_selector());
    let one =
        format!("kube_pod_status_phase{{namespace=\"{}\",pod=\"x\",phase=\"Pending\"}}", plan.namespace());
    let wait = plan.provision().map_or(5, |length| (length * 1.5 / 60.0).ceil() as u64);
    let why = match plan.provision() {
        Some(length) => format!(
            "A new node takes {} in the plan; a pod that waits longer waits for something else.",
            seconds(length)
        ),
        None => "Nobody adds nodes here: a pod that waits stays away until another goes.".to_owned(),
    };
    Alert {
        kind: Kind::PodsPending,
        about: None,
        expr: format!("sum({pending}) > 0"),
        minutes: wait,
        summary: "a pod has found no node for too long".to_owned(),
        description: why,
        fires: vec![flat(one.clone(), 1)],
        rests: vec![flat(one, 0)],
        after: wait + 30,
        burn: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{self, Request};
    use crate::observe::PooledWorkload;

    #[test]
    fn what_can_not_grow_is_not_told_that_it_is_at_its_maximum() {
        let request = Request { users: Some(10.0), ..Request::default() };
        let scenario = input::load(&request).expect("what comes along reads").scenario;
        let hpa = &scenario.autoscalers[0];
        for (min, max, expected) in [
            (2, 3, &[Kind::AutoscalerAtMaximum, Kind::AutoscalerBlind][..]),
            (3, 3, &[Kind::AutoscalerBlind]),
        ] {
            let mut hpa = hpa.clone();
            (hpa.spec.min_replicas, hpa.spec.max_replicas) = (min, max);
            let (workload, pooled) = (&scenario.workloads[hpa.workload], PooledWorkload::default());
            let seen = Seen { workload, autoscaler: Some(&hpa), budget: None, pooled };
            let kinds: Vec<Kind> = autoscaler(&seen).iter().map(|alert| alert.kind).collect();
            assert_eq!(kinds, expected, "{min} to {max}");
        }
    }
}
