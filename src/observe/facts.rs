//! What rules can ask of one run.

use std::collections::BTreeMap;

use serde::Serialize;

/// One run in figures, by the names that results use. Times are seconds, shares
/// 0..=1, CPU cores, memory bytes; every number is a floating-point one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Everything users asked.
    pub all: TrafficFacts,
    /// By the journey's name.
    pub journeys: BTreeMap<String, TrafficFacts>,
    /// By the workload's name, or `namespace/name` where two have the name.
    pub workloads: BTreeMap<String, WorkloadFacts>,
    /// The nodes and what they cost.
    pub cluster: ClusterFacts,
    /// Users at a time.
    pub users: SpanFacts,
}

/// Requests and how they fared; quantiles are absent where none was answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficFacts {
    /// Asked.
    pub requests: f64,
    /// Failed.
    pub failed: f64,
    /// Answered ÷ (answered + failed).
    pub availability: f64,
    /// The median of the latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    /// 95 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    /// 99 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
}

/// A workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadFacts {
    /// Calls to it.
    #[serde(flatten)]
    pub traffic: TrafficFacts,
    /// Ready replicas.
    pub replicas: SpanFacts,
    /// Cores that all its pods used.
    pub cpu: SpanFacts,
    /// Bytes that all its pods used.
    pub memory: SpanFacts,
    /// Share of quota periods in which its pods were held back.
    pub throttled: f64,
    /// Container restarts.
    pub restarts: f64,
    /// Of these, by the kernel for their memory.
    pub oom_kills: f64,
    /// Changes of its replica count.
    pub scale_events: f64,
    /// Seconds that its pods spent unschedulable.
    pub pending_seconds: f64,
    /// Cores that its usage curve asked for; 0 where it has none.
    pub demanded: SpanFacts,
    /// Share of time in which that was more than its ready pods may use.
    pub overload: f64,
}

/// The cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFacts {
    /// Ready nodes.
    pub nodes: SpanFacts,
    /// Ready pods.
    pub pods: SpanFacts,
    /// Requested ÷ allocatable CPU.
    pub cpu_requested: SpanFacts,
    /// Seconds that pods spent unschedulable.
    pub pending_seconds: f64,
    /// In the policy's currency.
    pub cost_per_month: f64,
}

/// Least, mean and most over the observed time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SpanFacts {
    /// Least.
    pub min: f64,
    /// Mean over time.
    pub mean: f64,
    /// Most.
    pub max: f64,
}

impl Facts {
    /// The same figures with other numbers, all of them drawn by `next`: what a
    /// rule can be tried on before there is a run.
    pub fn made_up(journeys: &[String], workloads: &[String], mut next: impl FnMut() -> f64) -> Self {
        let mut traffic = || TrafficFacts {
            requests: next(),
            failed: next(),
            availability: next(),
            p50: Some(next()),
            p95: Some(next()),
            p99: Some(next()),
        };
        let all = traffic();
        let journeys = journeys.iter().map(|name| (name.clone(), traffic())).collect();
        let called: Vec<TrafficFacts> = workloads.iter().map(|_| traffic()).collect();
        let mut span = || SpanFacts { min: next(), mean: next(), max: next() };
        let cluster = [span(), span(), span()];
        let users = span();
        let spans: Vec<[SpanFacts; 4]> = workloads.iter().map(|_| [span(), span(), span(), span()]).collect();
        let mut workload =
            |traffic: TrafficFacts, [replicas, cpu, memory, demanded]: [SpanFacts; 4]| WorkloadFacts {
                traffic,
                replicas,
                cpu,
                memory,
                throttled: next(),
                restarts: next(),
                oom_kills: next(),
                scale_events: next(),
                pending_seconds: next(),
                demanded,
                overload: next(),
            };
        let seen = workloads.iter().zip(called).zip(spans);
        let workloads =
            seen.map(|((name, traffic), spans)| (name.clone(), workload(traffic, spans))).collect();
        let [nodes, pods, cpu_requested] = cluster;
        let cluster =
            ClusterFacts { nodes, pods, cpu_requested, pending_seconds: next(), cost_per_month: next() };
        Self { all, journeys, workloads, cluster, users }
    }

    /// As an object whose fields are a rule's variables.
    pub fn as_object(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
