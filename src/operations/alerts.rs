//! The alerts: what breaks an objective, and what breaks an assumption that the
//! plan rests on. Each comes with series that make it fire and series that don't.
//!
//! Burn rates, windows and their order are those of Google's SRE workbook
//! (chapter 5, "Alerting on SLOs", multiple windows and burn rates, 30 days).

use super::Plan;
use super::figures::Seen;
use super::objectives::{Burning, share};
use crate::scenario::Kind as WorkloadKind;
use crate::units::figures::{amount, bytes, count, percent, plural, seconds};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    BurnsFast,
    BurnsSlowly,
    LoadBeyondProof,
    AutoscalerAtMaximum,
    AutoscalerBlind,
    TooFewReplicas,
    CpuThrottled,
    MemoryNearLimit,
    ContainersRestart,
    PodsPending,
    NodesAtMaximum,
    TooFewNodes,
}

impl Kind {
    /// The `alert` of its rules.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BurnsFast => "ObjectiveBurnsFast",
            Self::BurnsSlowly => "ObjectiveBurnsSlowly",
            Self::LoadBeyondProof => "LoadBeyondProof",
            Self::AutoscalerAtMaximum => "AutoscalerAtMaximum",
            Self::AutoscalerBlind => "AutoscalerBlind",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::CpuThrottled => "CpuThrottled",
            Self::MemoryNearLimit => "MemoryNearLimit",
            Self::ContainersRestart => "ContainersRestart",
            Self::PodsPending => "PodsPending",
            Self::NodesAtMaximum => "NodesAtMaximum",
            Self::TooFewNodes => "TooFewNodes",
        }
    }

    /// Whether somebody is called, or it can wait for working hours.
    pub(super) fn severity(self) -> &'static str {
        match self {
            Self::BurnsFast | Self::AutoscalerBlind | Self::TooFewReplicas | Self::TooFewNodes => "page",
            Self::BurnsSlowly
            | Self::LoadBeyondProof
            | Self::AutoscalerAtMaximum
            | Self::CpuThrottled
            | Self::MemoryNearLimit
            | Self::ContainersRestart
            | Self::PodsPending
            | Self::NodesAtMaximum => "ticket",
        }
    }
}

/// One alert.
pub(super) struct Alert {
    pub kind: Kind,
    /// A label of its own: `objective` or `workload`.
    pub about: Option<(&'static str, String)>,
    pub expr: String,
    /// It must hold so many minutes.
    pub minutes: u64,
    pub summary: String,
    pub description: String,
    /// Series, name and values, under which it fires …
    pub fires: Vec<(String, String)>,
    /// … and under which it does not, after so many minutes.
    pub rests: Vec<(String, String)>,
    pub after: u64,
    /// For a burning objective.
    pub burn: Option<Burn>,
}

/// When a burning objective's alert fires.
#[derive(Clone, Copy)]
pub(super) struct Burn {
    /// Which of the plan's burning objectives.
    pub objective: usize,
    /// The lowest share of bad requests at which it fires.
    pub lowest: f64,
    /// The share in the series that make it fire, and in those that don't.
    pub tried: (f64, f64),
}

/// The windows that ratios are recorded over.
pub(super) const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
/// Burn rate, long window, short window.
type Window = (f64, &'static str, &'static str);
const FAST: [Window; 2] = [(14.4, "1h", "5m"), (6.0, "6h", "30m")];
const SLOW: [Window; 2] = [(3.0, "1d", "2h"), (1.0, "3d", "6h")];
/// What is recorded.
pub(super) const RATIO: &str = "plan:objective_bad:ratio_rate";

/// All alerts, objectives first.
pub(super) fn alerts(plan: &Plan<'_>) -> Vec<Alert> {
    let mut all = Vec::new();
    for (number, one) in plan.burning().iter().enumerate() {
        all.extend(burning(number, one, Kind::BurnsFast, &FAST));
        all.extend(burning(number, one, Kind::BurnsSlowly, &SLOW));
    }
    all.extend(load(plan));
    for one in plan.serving() {
        all.extend(autoscaler(&one));
        all.extend(replicas(&one));
        all.extend(throttled(&one));
        all.extend(memory(&one));
        all.push(restarts(&one, plan));
    }
    all.extend(cluster(plan));
    all
}

/// A constant series over an hour and a half.
fn flat(name: String, value: impl std::fmt::Display) -> (String, String) {
    (name, format!("{value}x90"))
}

fn burning(number: usize, one: &Burning, kind: Kind, burns: &[Window]) -> Option<Alert> {
    let at = |window: &str| format!("{RATIO}{window}{{objective={:?}}}", one.name);
    // With a large budget a high burn rate would be more than everything.
    let possible: Vec<&Window> = burns.iter().filter(|(rate, ..)| rate * one.budget < 1.0).collect();
    let parts: Vec<String> = possible
        .iter()
        .map(|(rate, long, short)| {
            let most = threshold(rate * one.budget);
            format!("({} > {most} and {} > {most})", at(long), at(short))
        })
        .collect();
    let (rate, long, _) = possible.last()?;
    let in_budget = share(one.budget);
    let description = format!("Promised: {}; {in_budget} may fail it, over 30 days.", one.promise);
    let days = plural((30.0 / rate).ceil() as u64, "day", "days");
    // Enough for the lowest rate of these, and for the highest of the slow ones too little.
    let tried = ((rate * one.budget * 1.5).min(1.0), one.budget * 0.5);
    let of_all = |share: f64| (share * 100_000.0).round() as u64;
    let after = if *long == "3d" { 420 } else { 90 };
    Some(Alert {
        kind,
        about: Some(("objective", one.name.clone())),
        expr: parts.join(" or "),
        minutes: if kind == Kind::BurnsFast { 2 } else { 15 },
        summary: format!(
            "{}: the failures that 30 days may have are being spent in {days} or less",
            one.name
        ),
        description,
        fires: one.signal.series(of_all(tried.0), 100_000, after),
        rests: one.signal.series(of_all(tried.1), 100_000, after),
        after,
        burn: Some(Burn { objective: number, lowest: rate * one.budget, tried }),
    })
}

/// A threshold without the noise of binary fractions.
fn threshold(value: f64) -> String {
    super::objectives::bound(value)
}

fn load(plan: &Plan<'_>) -> Option<Alert> {
    let most = plan.proved_rate();
    let metric = plan.requests();
    if most <= 0.0 {
        return None;
    }
    let series = |per_second: f64| {
        vec![(plan.requests_series(), format!("0+{}x90", (per_second * 60.0).round() as u64))]
    };
    Some(Alert {
        kind: Kind::LoadBeyondProof,
        about: None,
        expr: format!("{} > {most}", metric("5m")),
        minutes: 10,
        summary: format!("more than {} requests a second come in, the most that was proved", count(most)),
        description: format!(
            "The plan was made for {}, {} requests a second at the peak, and its objectives were kept up to {} of \
             that. Beyond it nothing was proved.",
            plan.load(),
            count(plan.peak_rate()),
            percent(plan.proved_load())
        ),
        fires: series(most * 1.2 + 1.0),
        rests: series(most * 0.8),
        after: 60,
        burn: None,
    })
}

/// `namespace="shop",horizontalpodautoscaler="web"`
fn selector(of: &Seen<'_>, label: &str, name: &str) -> String {
    format!("namespace=\"{}\",{label}=\"{name}\"", of.workload.namespace)
}

fn about(of: &Seen<'_>) -> Option<(&'static str, String)> {
    Some(("workload", of.workload.name.clone()))
}

fn autoscaler(of: &Seen<'_>) -> Vec<Alert> {
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
        about: about(of),
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
        about: about(of),
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
    vec![at_max, blind]
}

fn replicas(of: &Seen<'_>) -> Option<Alert> {
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
        about: about(of),
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
    format!(
        "namespace=\"{}\",pod=~\"{}-.+\",container=~\"{}\"",
        of.workload.namespace,
        of.workload.name,
        names.join("|")
    )
}

/// The labels of one such container.
fn container(of: &Seen<'_>) -> String {
    let first = of.workload.template.containers.first().map_or("", |one| one.name.as_str());
    format!("namespace=\"{}\",pod=\"{}-x\",container=\"{first}\"", of.workload.namespace, of.workload.name)
}

fn throttled(of: &Seen<'_>) -> Option<Alert> {
    let limit = of.cpu_limit()?;
    let name = &of.workload.name;
    let seen = of.throttled();
    // As much again as was seen is another state than the one that was proved.
    let most = (seen * 2.0).clamp(0.25, 0.95);
    let most = (most * 100.0).round() / 100.0;
    let rate =
        |what: &str| format!("sum(rate(container_cpu_cfs_{what}periods_total{{{}}}[5m]))", containers(of));
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
        about: about(of),
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

fn memory(of: &Seen<'_>) -> Option<Alert> {
    let limit = of.memory_limit()?;
    let name = &of.workload.name;
    let seen = of.pooled.memory_pod_max.0 as f64;
    let share_seen = seen / limit;
    let most = share_seen.clamp(0.9, 0.97);
    let border = (limit * most).round();
    let metric = format!("container_memory_working_set_bytes{{{}}}", containers(of));
    let series = |bytes: f64| {
        vec![flat(format!("container_memory_working_set_bytes{{{}}}", container(of)), bytes.round())]
    };
    Some(Alert {
        kind: Kind::MemoryNearLimit,
        about: about(of),
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

fn restarts(of: &Seen<'_>, plan: &Plan<'_>) -> Alert {
    let name = &of.workload.name;
    let metric = format!("kube_pod_container_status_restarts_total{{{}}}", containers(of));
    let one = format!("kube_pod_container_status_restarts_total{{{}}}", container(of));
    let seen = of.pooled.restarts as f64 / plan.runs.len() as f64;
    Alert {
        kind: Kind::ContainersRestart,
        about: about(of),
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

fn cluster(plan: &Plan<'_>) -> Vec<Alert> {
    let (min, max) = plan.nodes();
    let within = plan.namespace_selector();
    let pending = format!("kube_pod_status_phase{{{within},phase=\"Pending\"}}");
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
    let ready = "kube_node_status_condition{condition=\"Ready\",status=\"true\"}".to_owned();
    let nodes = |count: u32| -> Vec<(String, String)> {
        let node = |number| {
            flat(
                format!(
                    "kube_node_status_condition{{node=\"n{number}\",condition=\"Ready\",status=\"true\"}}"
                ),
                1,
            )
        };
        (0..count).map(node).collect()
    };
    let mut all = vec![Alert {
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
    }];
    if max > min && max <= 100 {
        all.push(Alert {
            kind: Kind::NodesAtMaximum,
            about: None,
            expr: format!("sum({ready}) >= {max}"),
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
            expr: format!("sum({ready}) < {min}"),
            minutes: 5,
            summary: format!("fewer than {} are ready", plural(min.into(), "node", "nodes")),
            description: format!("The plan rests on at least {}.", plural(min.into(), "node", "nodes")),
            fires: vec![flat(
                "kube_node_status_condition{node=\"n0\",condition=\"Ready\",status=\"true\"}".to_owned(),
                0,
            )],
            rests: nodes(min),
            after: 30,
            burn: None,
        });
    }
    all
}

impl Plan<'_> {
    /// Users' requests per second, by the window.
    pub(super) fn requests(&self) -> impl Fn(&str) -> String {
        let selectors = self.entry_selectors();
        move |window: &str| {
            let (metric, selectors) = &selectors;
            let rates: Vec<String> =
                selectors.iter().map(|one| format!("rate({metric}{{{one}}}[{window}])")).collect();
            format!("sum({})", rates.join(" or "))
        }
    }

    /// One such series.
    fn requests_series(&self) -> String {
        let (metric, selectors) = self.entry_selectors();
        format!("{metric}{{{}}}", super::objectives::alone(&selectors[0]))
    }

    fn entry_selectors(&self) -> (String, Vec<String>) {
        if self.behind_ingress() {
            return (super::objectives::INGRESS.to_owned(), vec![self.namespace_selector()]);
        }
        let selectors = self.operations(&crate::scenario::Scope::All);
        (format!("{}_count", super::objectives::SERVER), selectors)
    }
}
