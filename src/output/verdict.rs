//! The verdict as data: the contract that `-o json` keeps (`plan/v1alpha1`).
//!
//! Times are seconds, shares 0..1, CPU cores, memory bytes. Counts are per
//! replication (means, so they may have a fraction); quantiles are of all
//! replications' requests together; `decisions` and `moments` are those of the
//! shown replication, and `decisions.csv` has them all.

use serde::{Serialize, Serializer};

use super::Number;
use crate::judge::{self, Judged, Verdict};
use crate::observe::{
    Cause, Histogram, MomentKind, Observations, PoolSeen, Pooled, PooledWorkload, Span, Traffic,
};
use crate::scenario::{Basis, ErrorBound, Indicator, Objective, Scenario, Scope};
use crate::sim::fingerprint::Fingerprint;

/// The version of the contract.
pub const API_VERSION: &str = "plan/v1alpha1";

/// The whole verdict. Keys are only ever added under one `apiVersion`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `Verdict`.
    pub kind: &'static str,
    /// What was simulated.
    pub name: String,
    /// Under which release's rules.
    pub kubernetes_version: String,
    /// `--seed`.
    pub seed: u64,
    /// How many replications were judged.
    pub replications: usize,
    /// Simulated before observation started.
    pub warm_up_seconds: Number,
    /// Observed after that.
    pub horizon_seconds: Number,
    /// How much was simulated request by request.
    pub fidelity: FidelityData,
    /// Hash of all replications' trajectories.
    pub fingerprint: String,
    /// `met`, `missed` or `unsure`.
    pub verdict: &'static str,
    /// The confidence of every interval.
    pub confidence: Number,
    /// In the policy's order.
    pub objectives: Vec<ObjectiveData>,
    /// By name, in the scenario's order.
    pub workloads: Named<String, WorkloadData>,
    /// By name.
    pub journeys: Named<String, JourneyData>,
    /// By name.
    pub external_services: Named<String, ExternalData>,
    /// Nodes, pods, money.
    pub cluster: ClusterData,
    /// Users at a time.
    pub users: SpanData,
    /// The replication that `decisions` and `moments` are of, from 0.
    pub shown_replication: usize,
    /// Every HPA decision that changed a replica count.
    pub decisions: Vec<DecisionData>,
    /// Moments that matter.
    pub moments: Vec<MomentData>,
    /// `plan simulate` injects nothing: always empty here.
    pub drills: Vec<DrillData>,
    /// What a reviewer should know whatever the objectives say.
    pub remarks: Vec<String>,
    /// Numbers nobody measured.
    pub assumptions: Vec<AssumptionData>,
    /// What was read but has no effect.
    pub not_simulated: Vec<String>,
}

/// How much was simulated request by request.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FidelityData {
    /// `full`, or `sliced`: then counts are scaled to the whole time.
    pub used: &'static str,
    /// Share of the observed time whose requests were simulated one by one.
    pub simulated_share: Number,
    /// How far sliced runs were from full ones at most; `null` for a full run.
    pub error_bound: Option<ErrorData>,
}

/// How far sliced runs were from full ones at most.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// Of the availability, as a share of requests.
    pub availability: Number,
    /// Of the 99th percentile of latency, relative.
    pub latency_p99: Number,
    /// Of the mean number of ready pods, relative.
    pub replicas: Number,
}

/// A map that keeps its order.
#[derive(Clone, Debug)]
pub struct Named<K, V>(pub Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Named<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<K, V> FromIterator<(K, V)> for Named<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// One objective.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectiveData {
    /// What the policy calls it.
    pub name: String,
    /// What is measured, as policies call it.
    pub indicator: &'static str,
    /// Of which quantile, for a latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<Number>,
    /// `all`, `workload/NAME`, `journey/NAME` or `drill/NAME`.
    pub scope: String,
    /// The expression, for rules only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// `>=` or `<=`.
    pub comparison: String,
    /// With what.
    pub goal: Number,
    /// The mean over replications and its interval.
    pub measured: MeasuredData,
    /// `met`, `missed`, `unsure` or `notJudged`.
    pub verdict: &'static str,
    /// Why.
    pub because: Vec<String>,
}

/// A mean with its interval; `null` where there is none.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MeasuredData {
    /// The mean.
    pub value: Option<Number>,
    /// From.
    pub low: Option<Number>,
    /// To.
    pub high: Option<Number>,
}

/// One workload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadData {
    /// Calls to it that finished or are on their way.
    pub requests: Number,
    /// Of these, failed.
    pub failed: Number,
    /// By cause; causes that did not occur are left out.
    pub failures_by_cause: Named<&'static str, Number>,
    /// From arrival at the pod to the answer, of those answered well.
    pub latency_seconds: QuantileData,
    /// Until a place in the pod was free.
    pub wait_seconds: QuantileData,
    /// Ready.
    pub replicas: SpanData,
    /// Of all its pods.
    pub cpu_cores: MeanMaxData,
    /// Of all its pods.
    pub memory_bytes: MeanMaxData,
    /// Share of 100 ms quota periods in which the CPU limit held a pod back.
    pub throttled_ratio: Number,
    /// Of containers, out-of-memory kills among them.
    pub restarts: Number,
    /// Out-of-memory kills.
    pub oom_kills: Number,
    /// Seconds its pods spent unschedulable, summed.
    pub pending_pod_seconds: Number,
    /// How long its HPA asked for more than its maximum.
    pub held_at_maximum_seconds: Number,
    /// Changes of its replica count.
    pub scale_events: Number,
    /// From a pod's creation to ready.
    pub start_seconds: QuantileData,
    /// For a workload that follows a recorded usage curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageData>,
    /// By callee, for a workload whose pods keep connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<Named<String, UpstreamData>>,
    /// The most connections that others kept to one of its pods, where any do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u32>,
}

/// What the connections of a workload's pods to another one did.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamData {
    /// Calls that wanted a connection.
    pub requests: Number,
    /// How long those that got one waited for it.
    pub wait_seconds: QuantileData,
    /// Calls that got none within the pool's timeout.
    pub timed_out: Number,
    /// Calls that failed at once, because too many waited.
    pub turned_away: Number,
    /// Connections opened.
    pub opened: Number,
    /// Connections that the callee refused: it had all that it takes.
    pub refused: Number,
    /// The most connections that one pod kept.
    pub connections_max: u32,
}

/// What a recorded usage curve asks for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageData {
    /// Of all ready pods.
    pub demanded_cores: MeanMaxData,
    /// Share of the observed time in which that was more than they may use.
    pub overload_ratio: Number,
}

/// One journey.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JourneyData {
    /// Requests of users on it.
    pub requests: Number,
    /// Of these, failed.
    pub failed: Number,
    /// By cause.
    pub failures_by_cause: Named<&'static str, Number>,
    /// As the user sees it.
    pub latency_seconds: QuantileData,
}

/// One external service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalData {
    /// Calls to it.
    pub requests: Number,
    /// Of these, failed.
    pub failed: Number,
}

/// Nodes, pods, money.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterData {
    /// Ready nodes.
    pub nodes: SpanData,
    /// Pods that exist.
    pub pods: SpanData,
    /// Seconds pods spent unschedulable, summed.
    pub pending_pod_seconds: Number,
    /// Money per month of 730 hours, at the observed mean.
    pub cost_per_month: Number,
    /// In what.
    pub currency: String,
}

/// Mean and quantiles in seconds; `null` where there was nothing to measure.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QuantileData {
    /// Mean.
    pub mean: Option<Number>,
    /// Median.
    pub p50: Option<Number>,
    /// 95th percentile.
    pub p95: Option<Number>,
    /// 99th percentile.
    pub p99: Option<Number>,
}

/// Least, time-weighted mean, largest.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SpanData {
    /// Least.
    pub min: Number,
    /// Mean.
    pub mean: Number,
    /// Largest.
    pub max: Number,
}

/// Time-weighted mean, largest.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MeanMaxData {
    /// Mean.
    pub mean: Number,
    /// Largest.
    pub max: Number,
}

/// One HPA decision.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionData {
    /// Seconds since the start of the warm-up.
    pub time: Number,
    /// Whose.
    pub workload: String,
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
    /// Why.
    pub because: String,
}

/// A moment that matters.
#[derive(Clone, Debug, Serialize)]
pub struct MomentData {
    /// Seconds since the start of the warm-up.
    pub time: Number,
    /// What it is about.
    pub kind: &'static str,
    /// Whose, where it is about one workload.
    pub workload: Option<String>,
    /// In words.
    pub text: String,
}

/// One drill and how the system came through it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillData {
    /// Its name.
    pub name: String,
    /// What was hit.
    pub target: String,
    /// Until users were served again; `null` if never within the run.
    pub users_recovered_seconds: Option<Number>,
    /// Until capacity was what it was; `null` if never within the run.
    pub capacity_restored_seconds: Option<Number>,
    /// Failed because of it.
    pub requests_lost: Number,
    /// `met`, `missed` or `unsure`.
    pub verdict: &'static str,
}

/// A number nobody measured.
#[derive(Clone, Debug, Serialize)]
pub struct AssumptionData {
    /// What it is about.
    pub what: String,
    /// The value used.
    pub value: String,
    /// Its range.
    pub range: Option<String>,
    /// `measured`, `prior` or `assumed`.
    pub basis: &'static str,
    /// Where it comes from.
    pub source: String,
}

/// The verdict on `runs` as data.
pub fn document(scenario: &Scenario, runs: &[Observations], verdict: &Verdict) -> Document {
    let pooled = Pooled::of(runs);
    let shown = &runs[verdict.shown];
    let all_names = scenario.workload_names();
    let names = |index: usize| all_names[index].clone();
    let workloads = pooled.workloads.iter().enumerate().map(|(i, seen)| {
        let follows = scenario.workloads[i].usage.is_some();
        let data = WorkloadData {
            usage: follows.then(|| usage(seen)),
            upstreams: upstreams(scenario, &pooled, i, names),
            connections_max: scenario.pools().any(|link| link.to == i).then_some(seen.connections_max),
            ..workload(&pooled, seen)
        };
        (names(i), data)
    });
    let journeys = scenario.demand.journeys.iter().zip(&pooled.journeys);
    let externals = scenario.externals.iter().zip(&pooled.externals);
    let objectives = scenario.goals.objectives.iter().zip(&verdict.objectives);
    Document {
        api_version: API_VERSION,
        kind: "Verdict",
        name: scenario.name.clone(),
        kubernetes_version: scenario.version.to_string(),
        seed: runs[0].seed.base,
        replications: runs.len(),
        warm_up_seconds: Number(scenario.warm_up.as_secs_f64()),
        horizon_seconds: Number(scenario.horizon.as_secs_f64()),
        fidelity: fidelity(&pooled),
        fingerprint: fingerprint(runs),
        verdict: verdict.outcome.name(),
        confidence: Number(verdict.confidence),
        objectives: objectives.map(|(asked, judged)| objective(scenario, asked, judged)).collect(),
        workloads: workloads.collect(),
        journeys: journeys.map(|(what, seen)| (what.name.clone(), journey(&pooled, seen))).collect(),
        external_services: externals
            .map(|(what, seen)| (what.name.clone(), external(&pooled, seen)))
            .collect(),
        cluster: ClusterData {
            nodes: span(pooled.nodes),
            pods: span(pooled.pods),
            pending_pod_seconds: Number(pooled.per_run(pooled.pending_pod_seconds)),
            cost_per_month: Number(judge::cost_per_month(pooled.cost, pooled.seconds)),
            currency: scenario.goals.currency.clone(),
        },
        users: span(pooled.users),
        shown_replication: verdict.shown,
        decisions: decisions(shown, names),
        moments: moments(shown, names),
        drills: Vec::new(),
        remarks: verdict.remarks.clone(),
        assumptions: assumptions(scenario),
        not_simulated: scenario.not_simulated.clone(),
    }
}

fn fidelity(pooled: &Pooled) -> FidelityData {
    let ErrorBound { availability, p99, replicas } = ErrorBound::MEASURED;
    let sliced = pooled.simulated < 1.0;
    FidelityData {
        used: if sliced { "sliced" } else { "full" },
        simulated_share: Number(pooled.simulated),
        error_bound: sliced.then_some(ErrorData {
            availability: Number(availability),
            latency_p99: Number(p99),
            replicas: Number(replicas),
        }),
    }
}

/// The document as JSON, with a newline at the end.
pub fn json(document: &Document) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document of our own is valid JSON");
    text.push('\n');
    text
}

/// The document as YAML.
pub fn yaml(document: &Document) -> String {
    serde_yaml::to_string(document).expect("a document of our own is valid YAML")
}

/// One hash for all trajectories, in the replications' order.
pub fn fingerprint(runs: &[Observations]) -> String {
    let mut all = Fingerprint::default();
    for run in runs {
        all.fold(run.fingerprint);
    }
    format!("{:016x}", all.value())
}

/// The name of a scope in results.
pub fn scope(scenario: &Scenario, scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Workload(index) => format!("workload/{}", scenario.workloads[*index].name),
        Scope::Journey(index) => format!("journey/{}", scenario.demand.journeys[*index].name),
        Scope::Drill(name) => format!("drill/{name}"),
    }
}

fn objective(scenario: &Scenario, asked: &Objective, judged: &Judged) -> ObjectiveData {
    let interval = judged.measured.and_then(|estimate| estimate.interval);
    ObjectiveData {
        name: asked.name.clone(),
        indicator: indicator(asked.indicator),
        quantile: if let Indicator::Latency { quantile } = asked.indicator {
            Some(Number(quantile))
        } else {
            None
        },
        scope: scope(scenario, &asked.scope),
        rule: if let Indicator::Rule(index) = asked.indicator {
            Some(scenario.goals.rules[index].text.clone())
        } else {
            None
        },
        comparison: asked.comparison.to_string(),
        goal: Number(asked.goal),
        measured: MeasuredData {
            value: judged.measured.map(|estimate| Number(estimate.value)),
            low: interval.map(|(low, _)| Number(low)),
            high: interval.map(|(_, high)| Number(high)),
        },
        verdict: judged.outcome.name(),
        because: judged.because.clone(),
    }
}

pub(super) fn indicator(indicator: Indicator) -> &'static str {
    indicator.name()
}

fn workload(pooled: &Pooled, seen: &PooledWorkload) -> WorkloadData {
    let per_run = |sum: u64| Number(pooled.per_run(sum as f64));
    WorkloadData {
        requests: per_run(seen.traffic.arrived),
        failed: per_run(seen.traffic.failed()),
        failures_by_cause: by_cause(pooled, &seen.traffic),
        latency_seconds: quantiles(&seen.traffic.latency),
        wait_seconds: quantiles(&seen.wait),
        replicas: span(seen.ready),
        cpu_cores: mean_max(seen.cpu_cores),
        memory_bytes: mean_max(seen.memory),
        throttled_ratio: Number(seen.throttled_share()),
        restarts: per_run(seen.restarts),
        oom_kills: per_run(seen.oom_kills),
        pending_pod_seconds: Number(pooled.per_run(seen.pending_seconds)),
        held_at_maximum_seconds: Number(pooled.per_run(seen.held_at_max.as_secs_f64())),
        scale_events: per_run(seen.scale_events),
        start_seconds: quantiles(&seen.start_time),
        usage: None,
        upstreams: None,
        connections_max: None,
    }
}

/// What the pools of a workload's pods did; `None` where they keep none.
fn upstreams(
    scenario: &Scenario,
    pooled: &Pooled,
    workload: usize,
    name: impl Fn(usize) -> String,
) -> Option<Named<String, UpstreamData>> {
    let own = scenario.pools().zip(&pooled.pools).filter(|(link, _)| link.from == workload);
    let all: Named<String, UpstreamData> =
        own.map(|(link, seen)| (name(link.to), upstream(pooled, seen))).collect();
    (!all.0.is_empty()).then_some(all)
}

fn upstream(pooled: &Pooled, seen: &PoolSeen) -> UpstreamData {
    let per_run = |sum: u64| Number(pooled.per_run(sum as f64));
    UpstreamData {
        requests: per_run(seen.asked()),
        wait_seconds: quantiles(&seen.wait),
        timed_out: per_run(seen.timed_out),
        turned_away: per_run(seen.turned_away),
        opened: per_run(seen.opened),
        refused: per_run(seen.refused),
        connections_max: seen.most,
    }
}

fn usage(seen: &PooledWorkload) -> UsageData {
    UsageData { demanded_cores: mean_max(seen.demanded), overload_ratio: Number(seen.overload.mean) }
}

fn journey(pooled: &Pooled, seen: &Traffic) -> JourneyData {
    JourneyData {
        requests: Number(pooled.per_run(seen.arrived as f64)),
        failed: Number(pooled.per_run(seen.failed() as f64)),
        failures_by_cause: by_cause(pooled, seen),
        latency_seconds: quantiles(&seen.latency),
    }
}

fn external(pooled: &Pooled, seen: &Traffic) -> ExternalData {
    ExternalData {
        requests: Number(pooled.per_run(seen.arrived as f64)),
        failed: Number(pooled.per_run(seen.failed() as f64)),
    }
}

fn by_cause(pooled: &Pooled, traffic: &Traffic) -> Named<&'static str, Number> {
    let failures = |cause: Cause| traffic.failures[cause as usize];
    let occurred = Cause::ALL.into_iter().filter(|cause| failures(*cause) > 0);
    occurred.map(|cause| (cause.name(), Number(pooled.per_run(failures(cause) as f64)))).collect()
}

fn decisions(shown: &Observations, name: impl Fn(usize) -> String) -> Vec<DecisionData> {
    let all = shown.decisions.iter().map(|decision| DecisionData {
        time: Number(decision.time.as_secs_f64()),
        workload: name(decision.workload),
        from: decision.from,
        to: decision.to,
        because: decision.because.clone(),
    });
    all.collect()
}

fn moments(shown: &Observations, name: impl Fn(usize) -> String) -> Vec<MomentData> {
    let all = shown.moments.iter().map(|moment| MomentData {
        time: Number(moment.time.as_secs_f64()),
        kind: match moment.kind {
            MomentKind::AtMaximum => "atMaximum",
            MomentKind::Unschedulable => "unschedulable",
            MomentKind::OutOfMemory => "outOfMemory",
            MomentKind::ProbeKilled => "probeKilled",
            MomentKind::Unready => "unready",
            MomentKind::NodeAdded => "nodeAdded",
            MomentKind::NodeRemoved => "nodeRemoved",
            MomentKind::MetricFailed => "metricFailed",
            MomentKind::DrillStruck => "drillStruck",
            MomentKind::DrillEnded => "drillEnded",
            MomentKind::NodeSilent => "nodeSilent",
            MomentKind::NodeTainted => "nodeTainted",
            MomentKind::Evicted => "evicted",
            MomentKind::NodeBack => "nodeBack",
            MomentKind::DrainBlocked => "drainBlocked",
            MomentKind::MemoryShort => "memoryShort",
            MomentKind::VolumeHeld => "volumeHeld",
            MomentKind::RolloutStarted => "rolloutStarted",
            MomentKind::RolloutCompleted => "rolloutCompleted",
            MomentKind::RolloutTimedOut => "rolloutTimedOut",
            MomentKind::PullFailed => "pullFailed",
            MomentKind::Preempted => "preempted",
        },
        workload: moment.workload.map(&name),
        text: moment.text.clone(),
    });
    all.collect()
}

fn assumptions(scenario: &Scenario) -> Vec<AssumptionData> {
    let all = scenario.assumptions.iter().map(|assumption| AssumptionData {
        what: assumption.what.clone(),
        value: assumption.value.clone(),
        range: assumption.range.clone(),
        basis: match assumption.basis {
            Basis::Measured => "measured",
            Basis::Prior => "prior",
            Basis::Assumed => "assumed",
        },
        source: assumption.source.clone(),
    });
    all.collect()
}

fn quantiles(histogram: &Histogram) -> QuantileData {
    let quantile = |quantile| histogram.quantile(quantile).map(Number);
    QuantileData {
        mean: histogram.mean().map(Number),
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
    }
}

fn span(span: Span) -> SpanData {
    SpanData { min: Number(span.min), mean: Number(span.mean), max: Number(span.max) }
}

fn mean_max(span: Span) -> MeanMaxData {
    MeanMaxData { mean: Number(span.mean), max: Number(span.max) }
}
