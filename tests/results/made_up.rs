//! A made-up scenario and made-up observations: nothing is simulated here, the
//! numbers follow a few formulas and a little seeded noise.

use std::collections::BTreeMap;

use kubeplan::k8s::hpa::{HpaSpec, MetricSpec, ResourceName, ResourceTarget};
use kubeplan::k8s::placement::Wishes;
use kubeplan::k8s::resources::Resources;
use kubeplan::k8s::version::Version;
use kubeplan::observe::{
    Balance, Cause, ClusterSeen, Course, Decision, Histogram, Level, Moment, MomentKind, Observations,
    Series, Traffic, Whose, WorkloadSeen, WorkloadSeries,
};
use kubeplan::scenario::{
    Assumption, Autoscaler, Balancing, Basis, Behaviour, Call, Cluster, Comparison, Concurrency, Container,
    Demand, External, Goals, Indicator, IngressRetries, Interpolation, Journey, Kind, Limits, MemoryModel,
    NodeHold, NodePool, Objective, Operation, PodTemplate, Population, ProvisionedBy, Quota, Retry, Scenario,
    Scope, Shape, StartUp, Step, Target, Visit, Workload,
};
use kubeplan::sim::random::{Distribution, Seed, Stream};
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// Name, pods at the start, CPU limit in milli-cores, HPA bounds, whom it calls.
type Row = (&'static str, u32, u64, Option<(u32, u32)>, &'static [usize]);

const WORKLOADS: [Row; 6] = [
    ("api-gateway", 3, 1_000, Some((3, 12)), &[1, 2]),
    ("auth-service", 2, 500, Some((2, 8)), &[4]),
    ("chat-service", 3, 500, Some((3, 10)), &[3, 4]),
    ("presence-service", 2, 1_000, None, &[5]),
    ("postgres", 1, 2_000, None, &[]),
    ("redis", 1, 500, None, &[]),
];

/// Index of the chat service.
pub const CHAT: usize = 2;

/// A scenario whose objectives a test brings along.
pub fn scenario(objectives: Vec<Objective>) -> Scenario {
    let workloads: Vec<Workload> = WORKLOADS.iter().map(|row| workload(row.0, row.1, row.2, row.4)).collect();
    let hpas = WORKLOADS.iter().enumerate().filter_map(|(index, row)| {
        let (min_replicas, max_replicas) = row.3?;
        let target = ResourceTarget::Utilization(70);
        let metrics = vec![MetricSpec::Resource { resource: ResourceName::Cpu, container: None, target }];
        let spec = HpaSpec { min_replicas, max_replicas, metrics, behavior: None };
        Some(Autoscaler { name: format!("{}-hpa", row.0), workload: index, spec, custom: Vec::new() })
    });
    Scenario {
        name: "my-saas-chat".to_owned(),
        version: "1.34".parse::<Version>().unwrap(),
        warm_up: SimDuration::from_secs(300),
        horizon: SimDuration::from_secs(3_600),
        autoscalers: hpas.collect(),
        workloads,
        budgets: Vec::new(),
        externals: vec![External {
            name: "push-gateway".to_owned(),
            latency: Distribution::Constant(0.08),
            error_rate: 0.001,
            quota: Some(Quota { per_second: 500.0, over: SimDuration::from_secs(1) }),
        }],
        cluster: cluster(),
        drills: Vec::new(),
        demand: demand(),
        goals: Goals {
            notes: Vec::new(),
            rules: Vec::new(),
            drills: Vec::new(),
            name: "chat-slo".to_owned(),
            objectives,
            confidence: 0.95,
            currency: "USD".to_owned(),
        },
        assumptions: assumptions(),
        not_simulated: vec!["ConfigMap chat-config".to_owned(), "Secret chat-secrets".to_owned()],
        fidelity: kubeplan::scenario::Fidelity::Full,
        limits: Limits::default(),
    }
}

/// One objective.
pub fn objective(
    name: &str,
    indicator: Indicator,
    scope: Scope,
    comparison: Comparison,
    goal: f64,
) -> Objective {
    Objective { name: name.to_owned(), indicator, scope, comparison, goal }
}

/// A policy with one of each outcome, given the made-up runs of an overload.
pub fn mixed_objectives() -> Vec<Objective> {
    use Comparison::{AtLeast, AtMost};
    let latency = Indicator::Latency { quantile: 0.99 };
    vec![
        objective("availability", Indicator::Availability, Scope::All, AtLeast, 0.999),
        objective("send latency", latency, Scope::Journey(0), AtMost, 0.3),
        objective("latency", Indicator::Latency { quantile: 0.5 }, Scope::All, AtMost, 0.5),
        objective("auth latency", latency, Scope::Workload(1), AtMost, 0.2),
        objective("users", Indicator::CarriedUsers, Scope::All, AtLeast, 100_000.0),
        objective("nodes", Indicator::NodesMax, Scope::All, AtMost, 5.0),
        objective("cost", Indicator::CostPerMonth, Scope::All, AtMost, 900.0),
        objective("requests per second", Indicator::Throughput, Scope::All, AtLeast, 31.08),
        objective("recovery", Indicator::UsersRecovered, Scope::Drill("*".to_owned()), AtMost, 30.0),
    ]
}

/// What `count` replications of an overload left behind.
pub fn runs(count: u32) -> Vec<Observations> {
    (0..count).map(|replication| run(Seed { base: 42, replication })).collect()
}

fn workload(name: &str, replicas: u32, limit: u64, calls: &[usize]) -> Workload {
    let call = |&workload: &usize| {
        Step::Call(Call {
            target: Target::Operation { workload, operation: 0 },
            probability: 1.0,
            timeout: Some(SimDuration::from_secs(2)),
            retry: Retry::NONE,
            required: true,
        })
    };
    let amounts = |cpu| Resources {
        cpu: Some(MilliCpu(cpu)),
        memory: Some(Bytes::from_mib(512)),
        ..Resources::default()
    };
    let container = Container {
        requests: amounts(limit / 2),
        limits: amounts(limit),
        ..Container::plain(name, &format!("{name}:1"))
    };
    Workload {
        name: name.to_owned(),
        namespace: "default".to_owned(),
        kind: Kind::ReplicaSet,
        replicas,
        min_ready: SimDuration::ZERO,
        template: PodTemplate {
            labels: BTreeMap::new(),
            containers: vec![container],
            init_containers: Vec::new(),
            overhead: Resources::default(),
            wishes: Wishes::default(),
            grace: SimDuration::from_secs(30),
            single_node_volume: false,
            hold: NodeHold::default(),
            restart_always: true,
        },
        behaviour: Behaviour {
            start_up: StartUp { wait: Distribution::Constant(3.0), cpu: Distribution::Constant(1.0) },
            warm_up: None,
            threads: (name == "presence-service").then_some(1),
            concurrency: Concurrency { limit: Some(100), queue: Some(200) },
            memory: MemoryModel {
                base: Bytes::from_mib(128),
                per_request: Bytes(50_000),
                leak: Bytes::ZERO,
                per_user: Bytes::ZERO,
            },
            idle_cpu: MilliCpu(5),
            sidecars: Vec::new(),
            shut_down: SimDuration::from_secs(1),
            drains: true,
            ingress: IngressRetries::USUAL,
            ingress_balancing: Balancing::Random,
            max_connections: None,
            upstreams: Vec::new(),
            operations: vec![Operation {
                name: "handle".to_owned(),
                steps: calls.iter().map(call).collect(),
            }],
        },
        usage: None,
        behind_ingress: name == "api-gateway",
    }
}

fn cluster() -> Cluster {
    let pool = NodePool {
        name: "workers".to_owned(),
        cpu: MilliCpu(4_000),
        memory: Bytes::from_mib(16 * 1024),
        reserved_cpu: MilliCpu(80),
        reserved_memory: Bytes::from_mib(1_024),
        max_pods: 110,
        count: 3,
        min: 3,
        max: 5,
        zones: vec!["a".to_owned(), "b".to_owned()],
        labels: BTreeMap::new(),
        taints: Vec::new(),
        price_per_hour: 0.192,
        provision: Distribution::Constant(90.0),
        alternatives: Vec::new(),
    };
    Cluster {
        name: "production".to_owned(),
        pools: vec![pool],
        provisioned_by: ProvisionedBy::ClusterAutoscaler,
        network_latency: SimDuration::from_micros(250),
        metrics_resolution: SimDuration::from_secs(15),
        pod_start: Distribution::Constant(2.0),
        image_pull: Distribution::Constant(5.0),
    }
}

fn demand() -> Demand {
    let visit = Visit {
        workload: 0,
        operation: 0,
        think: Distribution::Exponential { mean: 30.0 },
        times: 1,
        timeout: SimDuration::from_secs(5),
        retry: Retry::NONE,
    };
    let journey = |name: &str, weight| Journey { name: name.to_owned(), weight, visits: vec![visit.clone()] };
    Demand {
        population: Population::Users { peak: 100_000.0, shape: users() },
        replay: None,
        journeys: vec![journey("send-message", 3.0), journey("sign-in", 1.0)],
        client_latency: SimDuration::from_millis(20),
        ramp_in: SimDuration::ZERO,
    }
}

fn users() -> Shape {
    let minute = |minutes: u64| SimTime::from_secs(minutes * 60);
    let points =
        vec![(minute(0), 0.2), (minute(5), 0.2), (minute(20), 1.0), (minute(50), 1.0), (minute(60), 0.4)];
    Shape { points, interpolation: Interpolation::Linear }
}

fn assumptions() -> Vec<Assumption> {
    let assume = |what: &str, value: &str, range: Option<&str>, basis, source: &str| Assumption {
        what: what.to_owned(),
        value: value.to_owned(),
        range: range.map(str::to_owned),
        basis,
        source: source.to_owned(),
    };
    vec![
        assume(
            "chat-service/send: CPU per request",
            "2.5 ms",
            Some("0.15 ms to 4.5 ms"),
            Basis::Assumed,
            "no measurement",
        ),
        assume(
            "postgres/query: CPU per request",
            "0.8 ms",
            Some("0.2 ms to 2 ms"),
            Basis::Prior,
            "pgbench, 2 cores",
        ),
        assume("node provisioning", "90 s", None, Basis::Assumed, "typical for clouds"),
        assume("think time between messages", "30 s", None, Basis::Assumed, "no measurement"),
        assume("chat-service: start-up", "3 s", None, Basis::Prior, "Node.js services of this size"),
        assume("image pull", "5 s", None, Basis::Prior, "200 MB at 40 MB/s"),
    ]
}

const STEP: u64 = 10;

fn run(seed: Seed) -> Observations {
    let mut stream = seed.stream("made up");
    let times: Vec<SimTime> = (1..=(3_900 / STEP)).map(|row| SimTime::from_secs(row * STEP)).collect();
    let load: Vec<f64> = times.iter().map(|time| users().at(*time)).collect();
    let workloads: Vec<WorkloadSeries> =
        (0..WORKLOADS.len()).map(|index| workload_series(index, &load, &mut stream)).collect();
    let series = whole_series(times, &load, workloads, &mut stream);
    let start = SimTime::from_secs(300);
    let journeys =
        vec![journey(&series, 0.75, start, &mut stream), journey(&series, 0.25, start, &mut stream)];
    let watched =
        (0..WORKLOADS.len()).map(|index| workload_seen(index, &series, start, &mut stream)).collect();
    let total: u64 = journeys.iter().map(|journey| journey.arrived).sum();
    let failed: u64 = journeys.iter().map(Traffic::failed).sum();
    Observations {
        seed,
        fingerprint: seed.key("fingerprint"),
        events: total * 7,
        start,
        end: SimTime::from_secs(3_900),
        stopped: None,
        simulated: 1.0,
        balance: Balance { arrived: total, answered: total - failed, failed, in_flight: 0 },
        journeys,
        workloads: watched,
        externals: vec![Traffic { arrived: 1_000, answered: 999, ..Traffic::default() }],
        cluster: cluster_seen(&series, start),
        decisions: decisions(&series),
        moments: moments(),
        watch: kubeplan::observe::Watch::default(),
        rollouts: Vec::new(),
        pools: Vec::new(),
        series,
    }
}

fn jitter(stream: &mut Stream, by: f64) -> f64 {
    1.0 + by * (2.0 * stream.unit() - 1.0)
}

fn workload_series(index: usize, load: &[f64], stream: &mut Stream) -> WorkloadSeries {
    let (_, start, limit, bounds, _) = WORKLOADS[index];
    let limit = limit as f64 / 1e3;
    let appetite = [8.0, 2.2, 7.0, 1.1, 1.3, 0.3][index];
    let mut series = WorkloadSeries::default();
    let mut ready = start;
    for (row, load) in load.iter().enumerate() {
        let wants = appetite * load;
        let desired =
            bounds.map_or(start, |(min, max)| ((wants / limit / 0.45).ceil() as u32).clamp(min, max));
        if row % 4 == 0 && ready < desired {
            ready = (ready + 2).min(desired);
        } else if row % 30 == 0 && ready > desired {
            ready -= 1;
        }
        let allowed = f64::from(ready) * limit;
        series.desired.push(desired);
        series.ready.push(ready);
        series.cpu.push((wants * jitter(stream, 0.06)).min(allowed * 0.985));
        series.cpu_request.push(allowed / 2.0);
        series.cpu_limit.push(if index == 4 { 0.0 } else { allowed });
        series.memory.push(f64::from(ready) * (150.0 + 120.0 * load) * 1_048_576.0);
        series.memory_request.push(f64::from(ready) * 512.0 * 1_048_576.0);
        series.memory_limit.push(f64::from(ready) * 512.0 * 1_048_576.0);
        series.failed.push(if index == CHAT && *load > 0.8 {
            (60.0 * (load - 0.8) * jitter(stream, 0.3)) as u64
        } else {
            0
        });
    }
    series
}

fn whole_series(
    times: Vec<SimTime>,
    load: &[f64],
    workloads: Vec<WorkloadSeries>,
    stream: &mut Stream,
) -> Series {
    let mut series = Series { step: SimDuration::from_secs(STEP), times, workloads, ..Series::default() };
    series.courses = [Whose::Journey(0), Whose::Workload(1)]
        .map(|whose| Course { whose, quantile: 0.99, values: Vec::new() })
        .into();
    for (row, &load) in load.iter().enumerate() {
        let pods: u32 = series.workloads.iter().map(|workload| workload.ready[row]).sum();
        let over = (load - 0.8).max(0.0) * 5.0;
        let p50 = 0.024 * (1.0 + 1.5 * over) * jitter(stream, 0.05);
        series.users.push(load * 100_000.0);
        series.arrived.push((400.0 * load * jitter(stream, 0.08)) as u64);
        series.failed.push(series.workloads[CHAT].failed[row]);
        series.p50.push((row > 1).then_some(p50));
        series.p95.push((row > 1).then_some(p50 * (3.0 + 9.0 * over)));
        series.p99.push((row > 1).then_some(p50 * (6.0 + 24.0 * over) * jitter(stream, 0.15)));
        series.nodes.push(if row < 110 {
            3
        } else if row < 122 {
            4
        } else {
            5
        });
        series.courses[0].values.push((row > 90).then_some(p50 * (5.0 + 20.0 * over)));
        series.courses[1].values.push((row > 90).then_some(p50 * 2.0));
        series.pods.push(pods + u32::from((85..122).contains(&row)));
        series.pending.push(if (85..110).contains(&row) { 2 } else { u32::from((110..122).contains(&row)) });
    }
    series
}

fn lengths(count: u64, median: f64, stream: &mut Stream) -> Histogram {
    let mut all = Histogram::default();
    for _ in 0..count {
        let far = stream.unit();
        all.record(SimDuration::from_secs_f64(median * (0.5 + far) / (1.004 - far)));
    }
    all
}

fn journey(series: &Series, share: f64, start: SimTime, stream: &mut Stream) -> Traffic {
    let observed = |row: &usize| series.times[*row] > start;
    let rows = 0..series.times.len();
    let arrived =
        (rows.clone().filter(observed).map(|row| series.arrived[row]).sum::<u64>() as f64 * share) as u64;
    let failed = (rows.filter(observed).map(|row| series.failed[row]).sum::<u64>() as f64 * share) as u64;
    let mut failures = [0; Cause::COUNT];
    failures[Cause::Dependency as usize] = failed - failed / 10;
    failures[Cause::Timeout as usize] = failed / 10;
    Traffic {
        arrived,
        answered: arrived - failed,
        failures,
        latency: lengths((arrived - failed) / 8, 0.03, stream),
    }
}

fn workload_seen(index: usize, series: &Series, start: SimTime, stream: &mut Stream) -> WorkloadSeen {
    let own = &series.workloads[index];
    let (mut ready, mut desired) = (Level::default(), Level::default());
    let (mut cpu, mut per_pod, mut memory) = (Level::default(), Level::default(), Level::default());
    for (row, &time) in series.times.iter().enumerate() {
        if time == start {
            for level in [&mut ready, &mut desired, &mut cpu, &mut per_pod, &mut memory] {
                level.restart(time);
            }
        }
        ready.set(time, f64::from(own.ready[row]));
        desired.set(time, f64::from(own.desired[row]));
        cpu.set(time, own.cpu[row]);
        per_pod.set(time, own.cpu[row] / f64::from(own.ready[row]));
        memory.set(time, own.memory[row]);
    }
    let arrived: u64 = series.arrived.iter().sum();
    let failed: u64 = own.failed.iter().sum();
    let mut failures = [0; Cause::COUNT];
    if index == 0 {
        failures[Cause::Dependency as usize] = series.failed.iter().sum();
    }
    failures[Cause::Timeout as usize] = failed * 4 / 5;
    failures[Cause::QueueFull as usize] = failed - failed * 4 / 5;
    let busy = index == CHAT;
    WorkloadSeen {
        traffic: Traffic {
            arrived,
            answered: arrived - failed,
            failures,
            latency: lengths(arrived / 20, 0.012, stream),
        },
        wait: lengths(arrived / 20, if busy { 0.04 } else { 0.000_1 }, stream),
        ready,
        desired,
        cpu_cores: cpu,
        cpu_per_pod: per_pod,
        memory,
        memory_pod_max: Bytes::from_mib(290),
        periods: 36_000,
        throttled_periods: if busy { 33_400 } else { 240 },
        pods_started: 7,
        start_time: lengths(40, 9.0, stream),
        pending_seconds: if busy { 310.0 } else { 0.0 },
        pending_because: busy.then(|| "0/3 nodes are available: 3 Insufficient cpu.".to_owned()),
        held_at_max: if busy { SimDuration::from_secs(2_810) } else { SimDuration::ZERO },
        held_at_max_since: busy.then(|| SimTime::from_secs(750)),
        scale_events: if busy { 6 } else { 2 },
        ..WorkloadSeen::default()
    }
}

fn cluster_seen(series: &Series, start: SimTime) -> ClusterSeen {
    let mut seen = ClusterSeen::default();
    for (row, &time) in series.times.iter().enumerate() {
        if time == start {
            seen.nodes.restart(time);
            seen.pods.restart(time);
            seen.users.restart(time);
        }
        seen.nodes.set(time, f64::from(series.nodes[row]));
        seen.pods.set(time, f64::from(series.pods[row]));
        seen.users.set(time, series.users[row]);
        seen.cpu_requested_share.set(time, 0.78);
    }
    seen.pending_pod_seconds = 310.0;
    seen.cost = seen.nodes.mean() * 0.192;
    seen
}

fn decisions(series: &Series) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for (workload, own) in series.workloads.iter().enumerate() {
        for row in 1..own.desired.len() {
            let (from, to) = (own.desired[row - 1], own.desired[row]);
            if from != to {
                let because = format!("cpu at {} % of requests, target 70 %", 70 * to / from);
                decisions.push(Decision { time: series.times[row], workload, from, to, because });
            }
        }
    }
    decisions.sort_by_key(|decision| (decision.time, decision.workload));
    decisions
}

fn moments() -> Vec<Moment> {
    let moment = |seconds: u64, kind, workload: Option<usize>, text: &str| Moment {
        time: SimTime::from_secs(seconds),
        kind,
        workload,
        text: text.to_owned(),
    };
    vec![
        moment(750, MomentKind::AtMaximum, Some(CHAT), "chat-service wants 13 replicas, its maximum is 10"),
        moment(860, MomentKind::Unschedulable, Some(CHAT), "0/3 nodes are available: 3 Insufficient cpu."),
        moment(1_100, MomentKind::NodeAdded, None, "workers-4 is ready"),
        moment(1_220, MomentKind::NodeAdded, None, "workers-5 is ready"),
        moment(2_400, MomentKind::OutOfMemory, Some(4), "postgres-0 used 512 MiB"),
        moment(2_405, MomentKind::Unready, Some(4), "postgres-0 failed its readiness probe 3 times"),
    ]
}
