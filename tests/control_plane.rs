//! The control plane at work: timelines that follow from Kubernetes' rules.

mod support;

use kubeplan::judge::judge;
use kubeplan::k8s::hpa::{HpaSpec, MetricSpec, ResourceName, ResourceTarget, ValueTarget};
use kubeplan::k8s::labels::Selector;
use kubeplan::k8s::placement::{SpreadConstraint, Taint, TaintEffect, Toleration};
use kubeplan::k8s::probe::Probe;
use kubeplan::k8s::rollout::Strategy;
use kubeplan::observe::{MomentKind, Observations};
use kubeplan::scenario::{
    Autoscaler, Call, Comparison, Counted, CustomMetric, Drill, Failure, Hook, Indicator, Interpolation,
    Kind, NodeHold, Objective, Population, ProvisionedBy, Retry, Scenario, Scope, Shape, Share, Sidecar,
    Step, Target, Upstream,
};
use kubeplan::sim::random::Seed;
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};
use kubeplan::world::simulate;
use support::curves::{following, hpa, without_users};
use support::{always, exponential, scenario, workload};

const STEP_AT: u64 = 600;

/// Two pods of one core at 40 % under an HPA with a target of 50 %; the load
/// quadruples after ten minutes.
fn load_step() -> Scenario {
    let mut pod = workload("web", 2, vec![Step::Compute(exponential(0.01))]);
    pod.behaviour.threads = Some(2);
    pod.template.containers[0].requests.cpu = Some(MilliCpu(1_000));
    pod.template.containers[0].limits.cpu = Some(MilliCpu(2_000));
    pod.template.containers[0].readiness =
        Some(Probe { period: SimDuration::from_secs(5), ..Probe::default() });
    let mut scenario = scenario(vec![pod], 1.0, 1_800);
    scenario.warm_up = SimDuration::from_secs(300);
    let points = vec![(SimTime::ZERO, 0.25), (SimTime::from_secs(STEP_AT), 1.0)];
    scenario.demand.population = Population::Rate {
        peak_per_second: 320.0,
        shape: Shape { points, interpolation: Interpolation::Step },
        users: None,
        modulation: Vec::new(),
    };
    scenario.autoscalers.push(Autoscaler {
        name: "web".to_owned(),
        workload: 0,
        spec: HpaSpec {
            min_replicas: 2,
            max_replicas: 20,
            metrics: vec![MetricSpec::Resource {
                resource: ResourceName::Cpu,
                container: None,
                target: ResourceTarget::Utilization(50),
            }],
            behavior: None,
        },
        custom: Vec::new(),
    });
    scenario
}

fn run(scenario: &Scenario) -> Observations {
    simulate(scenario, Seed { base: 11, replication: 0 })
}

#[test]
fn a_load_step_gets_capacity_within_a_minute_or_two() {
    let seen = run(&load_step());
    let step = SimTime::from_secs(STEP_AT);
    let first = seen.decisions.iter().find(|decision| decision.time > step).expect("the HPA reacts");
    // Kubelet sample, scrape, window and pass: each waits up to 15 s, the window
    // dilutes (behaviour.md K.1).
    let reaction = first.time.since(step).as_secs_f64();
    assert!((5.0..=60.0).contains(&reaction), "the first decision came after {reaction} s: {first:?}");
    // 320 requests/s × 10 ms = 3.2 cores at 50 % of one core each: 7 pods, give or
    // take the tolerance of 10 %.
    let last = seen.workloads[0].desired.value();
    assert!((6.0..=8.0).contains(&last), "{last} replicas in the end");
    assert!(
        seen.decisions.iter().all(|decision| decision.to <= 2.max(decision.from * 2).max(4)),
        "at most doubled"
    );
    assert_eq!(seen.balance.failed, 0);
    assert!(
        seen.workloads[0].start_time.quantile(0.5).expect("pods started") >= 3.0,
        "2 s set-up and 1 s start-up"
    );
}

#[test]
fn cpu_steers_to_the_target() {
    let seen = run(&load_step());
    let late = seen.series.times.iter().position(|time| *time > SimTime::from_secs(1_500)).expect("rows");
    let web = &seen.series.workloads[0];
    let rows = web.cpu.len() - late;
    let used: f64 = web.cpu[late..].iter().sum::<f64>() / rows as f64;
    assert!((used - 3.2).abs() < 0.1, "{used} cores of 3.2");
}

#[test]
fn pods_without_room_get_a_node() {
    let mut scenario = load_step();
    let pool = &mut scenario.cluster.pools[0];
    (pool.cpu, pool.memory) = (MilliCpu(4_000), Bytes::from_mib(16_384));
    (pool.max, pool.provision) = (3, always(45.0));
    scenario.cluster.provisioned_by = ProvisionedBy::ClusterAutoscaler;
    let seen = run(&scenario);
    let added: Vec<_> = seen.moments.iter().filter(|moment| moment.kind == MomentKind::NodeAdded).collect();
    assert!(!added.is_empty(), "no node was added: {:?}", seen.moments);
    assert!(seen.workloads[0].pending_because.as_deref().is_some_and(|why| why.contains("Insufficient cpu")));
    assert!(seen.cluster.pending_pod_seconds > 45.0, "pods waited for the node");
    let waited = added[0].time.since(seen.decisions[0].time).as_secs_f64();
    assert!(waited >= 45.0, "the node came {waited} s after the decision");
}

/// So many pods that ask for `cpu` of a core on nodes of two cores, of which there are as
/// many as in `nodes` and may be ten, in half an hour without much to do.
fn on_small_nodes(pods: u32, cpu: u64, nodes: u32, who: ProvisionedBy) -> Scenario {
    let mut web = workload("web", pods, vec![Step::Compute(always(0.001))]);
    web.template.containers[0].requests.cpu = Some(MilliCpu(cpu));
    let mut scenario = scenario(vec![web], 2.0, 1_800);
    let pool = &mut scenario.cluster.pools[0];
    (pool.cpu, pool.count, pool.min, pool.max) = (MilliCpu(2_000), nodes, 1, 10);
    scenario.cluster.provisioned_by = who;
    scenario
}

const AUTOSCALERS: [ProvisionedBy; 2] = [ProvisionedBy::ClusterAutoscaler, ProvisionedBy::Karpenter];

fn times(seen: &Observations, kind: MomentKind) -> Vec<f64> {
    seen.moments.iter().filter(|one| one.kind == kind).map(|one| one.time.as_secs_f64()).collect()
}

/// Ready and wanted replicas of a workload at the end.
fn replicas(seen: &Observations, workload: usize) -> (u32, u32) {
    let of = &seen.workloads[workload];
    (of.ready.value() as u32, of.desired.value() as u32)
}

#[test]
fn nodes_come_in_the_zones_where_pods_need_them() {
    for who in AUTOSCALERS {
        // One pod in zone a, and room for one on each node; then none may be in zone a.
        for (only, pods) in [(None, 7), (Some("c"), 3)] {
            let mut scenario = on_small_nodes(pods, 1_500, 1, who);
            scenario.cluster.pools[0].zones = ["a", "b", "c"].map(str::to_owned).to_vec();
            let template = &mut scenario.workloads[0].template;
            let zone = "topology.kubernetes.io/zone".to_owned();
            match only {
                Some(only) => drop(template.wishes.node_selector.insert(zone, only.to_owned())),
                None => template.wishes.spread.push(SpreadConstraint {
                    max_skew: 1,
                    topology_key: zone,
                    required: true,
                    selector: Some(Selector::of(template.labels.clone())),
                    min_domains: None,
                    ignore_node_affinity: false,
                    honor_taints: false,
                }),
            }
            let seen = run(&scenario);
            assert_eq!(replicas(&seen, 0), (pods, pods), "{who:?}, {only:?}: {:?}", seen.moments);
        }
    }
}

#[test]
fn karpenter_buys_when_the_batch_of_waiting_pods_is_closed() {
    for base in 0..4 {
        let seen =
            simulate(&on_small_nodes(3, 1_500, 1, ProvisionedBy::Karpenter), Seed { base, replication: 0 });
        // Two pods wait from the start on; a batch closes a second after the last, and a
        // node takes a minute.
        let added = times(&seen, MomentKind::NodeAdded);
        assert!(added.len() == 2 && added.iter().all(|time| (61.0..62.0).contains(time)), "{added:?}");
    }
}

#[test]
fn daemon_sets_count_on_the_nodes_that_they_want_and_on_no_other() {
    let mut daemon = workload("agent", 1, vec![Step::Compute(always(0.001))]);
    daemon.kind = Kind::DaemonSet;
    daemon.template.containers[0].requests.cpu = Some(MilliCpu(1_500));
    let taint = Taint { key: "gpu".to_owned(), value: String::new(), effect: TaintEffect::NoSchedule };
    let bears =
        Toleration { key: "gpu".to_owned(), exists: true, value: String::new(), effect: None, seconds: None };
    for who in AUTOSCALERS {
        // Where the daemon bears the taint it selects the nodes that have it. Otherwise it runs
        // beside the pods, on a node large enough.
        for (tolerates, cpu) in [(true, 2_000), (false, 8_000)] {
            let mut scenario = on_small_nodes(3, 1_000, 1, who);
            let mut tainted = scenario.cluster.pools[0].clone();
            scenario.cluster.pools[0].cpu = MilliCpu(cpu);
            (tainted.name, tainted.taints) = ("tainted".to_owned(), vec![taint.clone()]);
            let _ = tainted.labels.insert("gpu".to_owned(), "yes".to_owned());
            (tainted.min, tainted.max) = (1, 1);
            scenario.cluster.pools.push(tainted);
            let mut daemon = daemon.clone();
            if tolerates {
                daemon.template.wishes.tolerations.push(bears.clone());
                let _ = daemon.template.wishes.node_selector.insert("gpu".to_owned(), "yes".to_owned());
            }
            scenario.workloads.push(daemon);
            let seen = run(&scenario);
            let case = format!("{who:?}, {tolerates}: {:?}", seen.moments);
            assert_eq!(replicas(&seen, 0), (3, 3), "{case}");
            assert_eq!(seen.workloads[1].pending_because, None, "{case}");
            let (ready, desired) = replicas(&seen, 1);
            assert_eq!(ready, desired, "{case}");
        }
    }
}

#[test]
fn pods_that_say_so_hold_their_node() {
    let storage = NodeHold { local_storage: true, ..NodeHold::default() };
    let unsafe_to_evict = NodeHold { safe_to_evict: Some(false), ..NodeHold::default() };
    let all_the_same = NodeHold { safe_to_evict: Some(true), ..storage };
    let undisturbed = NodeHold { do_not_disrupt: true, ..NodeHold::default() };
    let [cluster_autoscaler, karpenter] = AUTOSCALERS;
    let rows: [(NodeHold, &[ProvisionedBy]); 5] = [
        (NodeHold::default(), &AUTOSCALERS),
        (storage, &[karpenter]),
        (unsafe_to_evict, &[karpenter]),
        (all_the_same, &AUTOSCALERS),
        (undisturbed, &[cluster_autoscaler]),
    ];
    for (hold, takes_one) in rows {
        for who in AUTOSCALERS {
            let mut scenario = on_small_nodes(2, 500, 2, who);
            scenario.workloads[0].template.hold = hold;
            let removed = times(&run(&scenario), MomentKind::NodeRemoved).len();
            assert_eq!(removed, usize::from(takes_one.contains(&who)), "{who:?}, {hold:?}");
        }
    }
}

#[test]
fn cluster_autoscaler_drains_one_node_at_a_time() {
    let mut scenario = on_small_nodes(4, 400, 4, ProvisionedBy::ClusterAutoscaler);
    let template = &mut scenario.workloads[0].template;
    template.containers[0].pre_stop = Some(Hook { takes: SimDuration::from_secs(100) });
    template.grace = SimDuration::from_secs(120);
    let removed = times(&run(&scenario), MomentKind::NodeRemoved);
    assert_eq!(removed.len(), 3, "{removed:?}");
    assert!(removed.windows(2).all(|pair| pair[1] - pair[0] > 100.0), "{removed:?}");
}

#[test]
fn a_pod_that_fits_nowhere_holds_nobody_up() {
    let mut giant = workload("giant", 1, vec![Step::Compute(always(0.001))]);
    giant.template.containers[0].requests.cpu = Some(MilliCpu(8_000_000));
    let web = workload("web", 1, vec![Step::Compute(always(0.001))]);
    let mut scenario = scenario(vec![web, giant], 20.0, 600);
    scenario.warm_up = SimDuration::from_secs(60);
    let (from, what) =
        (SimDuration::from_secs(60), Failure::PodDelete { workload: 0, pods: Share::Count(1), force: false });
    let name = "pod-kill".to_owned();
    scenario.drills = vec![Drill { name, from, until: from, lasts: None, what }];
    let seen = run(&scenario);
    assert!(seen.cluster.pending_pod_seconds > 500.0, "the giant waits to the end");
    // Ten seconds without a pod at 20 requests a second, and not until the giant is looked
    // at again after five minutes.
    assert!(seen.journeys[0].failed() < 200, "{} failed", seen.journeys[0].failed());
}

#[test]
fn doubled_back_offs_of_hours_end_at_their_most() {
    let retry = Retry {
        attempts: 40,
        backoff: SimDuration::from_secs(6 * 3_600),
        max_backoff: SimDuration::from_secs(1),
        ..Retry::NONE
    };
    let target = Target::Operation { workload: 1, operation: 0 };
    let call = Call { target, probability: 1.0, timeout: None, retry, required: true };
    let web = workload("web", 1, vec![Step::Call(call)]);
    let nobody = workload("nobody", 0, vec![Step::Compute(always(0.001))]);
    let seen = run(&scenario(vec![web, nobody], 1.0, 300));
    assert!(seen.journeys[0].failed() > 100, "after 41 attempts a second apart");
}

#[test]
fn a_peak_of_a_moment_is_a_peak() {
    // A day's peak lies between two rows, and between two looks at who has to come.
    let points = vec![(SimTime::ZERO, 0.5), (SimTime::from_nanos(613_400_000_000), 1.0)];
    let points = [points, vec![(SimTime::from_secs(1_800), 0.5)]].concat();
    let shape = || Shape { points: points.clone(), interpolation: Interpolation::Linear };
    let open = Population::Rate {
        peak_per_second: 20.0,
        shape: shape(),
        users: Some(3_000.0),
        modulation: Vec::new(),
    };
    for population in [Population::Users { peak: 3_000.0, shape: shape() }, open] {
        let web = workload("web", 2, vec![Step::Compute(always(0.001))]);
        let mut scenario = scenario(vec![web], 1.0, 1_800);
        scenario.demand.journeys[0].visits[0].think = always(100.0);
        scenario.demand.population = population;
        let seen = run(&scenario);
        let most = seen.series.users.iter().copied().fold(0.0, f64::max);
        assert_eq!((most, seen.cluster.users.max()), (3_000.0, 3_000.0));
        assert!(seen.cluster.users.mean() < 2_300.0, "{}", seen.cluster.users.mean());
    }
}

#[test]
fn a_run_ends_with_a_whole_row_and_nodes_are_paid_to_the_last_second() {
    let mut scenario = scenario(vec![workload("web", 2, vec![Step::Compute(always(0.001))])], 20.0, 3_600);
    for (warm_up, rows) in [(600, 420), (605, 420)] {
        scenario.warm_up = SimDuration::from_secs(warm_up);
        let seen = run(&scenario);
        assert_eq!(seen.series.step, SimDuration::from_secs(10));
        assert_eq!(seen.series.times.len(), rows, "after {warm_up} s");
        // One node at a unit of money an hour.
        assert!((seen.cluster.cost - 1.0).abs() < 1e-9, "{} for an hour", seen.cluster.cost);
    }
}

#[test]
fn a_pod_that_runs_out_of_memory_restarts_with_back_off() {
    let mut pod = workload("leaky", 1, vec![Step::Compute(always(0.001))]);
    pod.behaviour.memory.leak = Bytes(1 << 20);
    pod.template.containers[0].limits.memory = Some(Bytes::from_mib(96));
    let mut scenario = scenario(vec![pod], 2.0, 600);
    scenario.warm_up = SimDuration::from_secs(1);
    let seen = run(&scenario);
    // 64 requests leak what is left: every half minute, and the back-off
    // stretches from 0 to 10, 20, 40, … seconds.
    let killed = seen.workloads[0].oom_kills;
    assert!((5..=9).contains(&killed), "{killed} kills in ten minutes");
    assert!(seen.journeys[0].failed() > 0, "whoever asks meanwhile is refused");
}

/// A front of 128 MiB, of which each request holds a quarter of one, that calls a middle
/// that calls a back: 40 requests a second, and none of them is given up.
fn three_in_a_row() -> Scenario {
    let call = |workload| {
        let target = Target::Operation { workload, operation: 0 };
        Step::Call(Call { target, probability: 1.0, timeout: None, retry: Retry::NONE, required: true })
    };
    let work = || Step::Compute(always(0.01));
    let mut front = workload("front", 1, vec![work(), call(1)]);
    front.template.containers[0].limits.memory = Some(Bytes::from_mib(128));
    front.behaviour.memory.per_request = Bytes(256 << 10);
    let (middle, back) = (workload("middle", 1, vec![work(), call(2)]), workload("back", 1, vec![work()]));
    let mut scenario = scenario(vec![front, middle, back], 40.0, 600);
    let objective = |name: &str, indicator, comparison, goal| Objective {
        name: name.to_owned(),
        indicator,
        scope: Scope::All,
        comparison,
        goal,
    };
    scenario.goals.objectives = vec![
        objective("availability", Indicator::Availability, Comparison::AtLeast, 0.999),
        objective("restarts", Indicator::Restarts, Comparison::AtMost, 0.0),
    ];
    scenario
}

fn limit_cpu(scenario: &mut Scenario, workload: usize, cpu: u64) {
    let resources = &mut scenario.workloads[workload].template.containers[0];
    (resources.requests.cpu, resources.limits.cpu) = (Some(MilliCpu(cpu)), Some(MilliCpu(cpu)));
}

fn held_at_one(scenario: &mut Scenario, workload: usize) {
    limit_cpu(scenario, workload, 200);
    let metrics = vec![MetricSpec::default_cpu()];
    let spec = HpaSpec { min_replicas: 1, max_replicas: 1, metrics, behavior: None };
    scenario.autoscalers.push(Autoscaler { name: "one".to_owned(), workload, spec, custom: Vec::new() });
}

/// What is said of each objective.
fn reasons(scenario: &Scenario) -> Vec<(String, String)> {
    let judged = judge(scenario, &[run(scenario)]).objectives;
    let names = scenario.goals.objectives.iter().map(|objective| objective.name.clone());
    names.zip(judged.iter().map(|judged| judged.because.join("\n"))).collect()
}

/// What is changed of three in a row, and what is said to bind.
type Bound = (&'static str, fn(&mut Scenario), &'static str);

const MEMORY: &str = "resources.limits.memory: 128Mi of front";

#[test]
fn what_requests_wait_for_binds_before_the_memory_that_they_fill() {
    let rows: [Bound; 8] = [
        ("its own CPU", |all| limit_cpu(all, 0, 200), "resources.limits.cpu: 200m of front"),
        (
            "CPU where memory is tight at rest",
            |all| {
                limit_cpu(all, 0, 200);
                all.workloads[0].behaviour.memory.base = Bytes::from_mib(100);
            },
            "resources.limits.cpu: 200m of front",
        ),
        ("a callee's CPU", |all| limit_cpu(all, 1, 200), "resources.limits.cpu: 200m of middle"),
        ("CPU further on", |all| limit_cpu(all, 2, 200), "resources.limits.cpu: 200m of back"),
        ("an HPA's maximum", |all| held_at_one(all, 2), "spec.maxReplicas: 1 of HPA one"),
        (
            "places further on",
            |all| {
                let back = &mut all.workloads[2].behaviour;
                back.operations[0].steps = vec![Step::Wait(always(0.1))];
                back.concurrency.limit = Some(2);
            },
            "concurrency limit 2 of back (in the model)",
        ),
        (
            "connections of a callee's",
            |all| {
                all.workloads[2].behaviour.operations[0].steps = vec![Step::Wait(always(0.1))];
                let upstream = Upstream { pool: Some(support::pool(2)), ..Upstream::to(2) };
                all.workloads[1].behaviour.upstreams = vec![upstream];
            },
            "upstreams.back.pool.size: 2 of middle (in the model)",
        ),
        (
            "both callees' CPU, the tighter one first",
            |all| {
                limit_cpu(all, 1, 390);
                limit_cpu(all, 2, 200);
            },
            "resources.limits.cpu: 200m of back; resources.limits.cpu: 390m of middle",
        ),
    ];
    for (name, change, first) in rows {
        let mut scenario = three_in_a_row();
        change(&mut scenario);
        let wanted = format!("what binds: {first}; {MEMORY}");
        // Restarts follow from it, too, and whoever counts them is told.
        for (objective, because) in reasons(&scenario) {
            let said = because.contains(&wanted) && because.contains("memory grows with the requests");
            assert!(said, "{name}, {objective}: no \"{wanted}\" in:\n{because}");
        }
    }
}

#[test]
fn memory_that_no_shortage_fills_binds_first() {
    let rows: [Bound; 4] = [
        (
            "too little at rest beside a callee that is throttled",
            |all| {
                limit_cpu(all, 1, 410);
                all.workloads[0].behaviour.memory.base = Bytes::from_mib(126);
            },
            "resources.limits.cpu: 410m of middle",
        ),
        (
            "a leak beside no more than sixty requests, as many as there are places",
            |all| {
                limit_cpu(all, 1, 200);
                let front = &mut all.workloads[0].behaviour;
                (front.concurrency.limit, front.memory.leak) = (Some(60), Bytes(256 << 10));
            },
            "concurrency limit 60 of front (in the model); resources.limits.cpu: 200m of middle",
        ),
        (
            "requests that wait for nothing that is short, beside one on the way that is throttled",
            |all| {
                limit_cpu(all, 1, 410);
                all.workloads[2].behaviour.operations[0].steps = vec![Step::Wait(always(30.0))];
            },
            "resources.limits.cpu: 410m of middle",
        ),
        (
            "requests that wait where nobody is short of anything",
            |all| all.workloads[2].behaviour.operations[0].steps = vec![Step::Wait(always(30.0))],
            "",
        ),
    ];
    for (name, change, then) in rows {
        let mut scenario = three_in_a_row();
        change(&mut scenario);
        let (_, because) = &reasons(&scenario)[0];
        let wanted = if then.is_empty() { MEMORY.to_owned() } else { format!("{MEMORY}; {then}") };
        let wanted = format!("what binds: {wanted}");
        assert!(because.contains(&wanted), "{name}: no \"{wanted}\" in:\n{because}");
        assert!(!because.contains("memory grows with the requests"), "{name}:\n{because}");
    }
}

/// The same load on pods with a proxy beside the serving container, which requests 100m
/// and takes `cpu_per_call` for each call; what the pods' HPA wants at last.
fn beside_a_proxy(metric: MetricSpec, cpu_per_call: Option<SimDuration>, calls: bool) -> u32 {
    let mut scenario = load_step();
    let mut proxy = scenario.workloads[0].template.containers[0].clone();
    (proxy.name, proxy.readiness) = ("proxy".to_owned(), None);
    proxy.requests.cpu = Some(MilliCpu(100));
    if calls {
        let mut db = workload("db", 4, vec![Step::Compute(always(0.001))]);
        db.behaviour.threads = None;
        scenario.workloads.push(db);
        let target = Target::Operation { workload: 1, operation: 0 };
        let call = Call { target, probability: 1.0, timeout: None, retry: Retry::NONE, required: true };
        scenario.workloads[0].behaviour.operations[0].steps.push(Step::Call(call));
    }
    let web = &mut scenario.workloads[0];
    web.template.containers.push(proxy);
    web.behaviour.sidecars = cpu_per_call.map_or(Vec::new(), |cpu_per_call| {
        let (name, memory) = ("proxy".to_owned(), Bytes::from_mib(96));
        vec![Sidecar { name, idle_cpu: MilliCpu(10), cpu_per_call, memory }]
    });
    scenario.autoscalers[0].spec.metrics = vec![metric];
    *run(&scenario).series.workloads[0].desired.last().expect("rows")
}

#[test]
fn hpas_count_what_stands_beside_the_serving_container() {
    let of = |resource, container: Option<&str>, target| MetricSpec::Resource {
        resource,
        container: container.map(str::to_owned),
        target,
    };
    let half = |container| of(ResourceName::Cpu, container, ResourceTarget::Utilization(50));
    let mib = |mib: i64| {
        of(
            ResourceName::Memory,
            None,
            ResourceTarget::AverageValue(Bytes::from_mib(mib as u64).0 as i64 * 1_000),
        )
    };
    let ms = |millis| Some(SimDuration::from_millis(millis));
    // 320 requests a second of 10 ms each, in pods that request 1 and 0.1 cores: so many
    // are wanted at 50 %, give or take the HPA's tolerance of 10 %.
    for (words, metric, cpu_per_call, calls, wanted) in [
        ("nobody knows of it: 3.2 of 1.1 cores each", half(None), None, false, 6..=7),
        ("5 ms a call: 4.8 cores", half(None), ms(5), false, 8..=10),
        ("and as many calls out: 6.4 cores", half(None), ms(5), true, 11..=13),
        ("the serving container alone", half(Some("web")), ms(5), true, 6..=7),
        ("the proxy alone: 0.64 cores and 0.01 each, of 0.1", half(Some("proxy")), ms(2), false, 15..=18),
        ("32 and 96 MiB, of 256 each", mib(256), ms(0), false, 2..=2),
        ("32 and 96 MiB, of 100 each", mib(100), ms(0), false, 20..=20),
        ("32 MiB of 100 each", mib(100), None, false, 2..=2),
    ] {
        let desired = beside_a_proxy(metric, cpu_per_call, calls);
        assert!(wanted.contains(&desired), "{words}: {desired}");
    }
}

#[test]
fn a_container_that_no_pod_has_scales_nothing() {
    let mut scenario = load_step();
    scenario.workloads[0].replicas = 10;
    scenario.autoscalers[0].spec.metrics = vec![MetricSpec::Resource {
        resource: ResourceName::Cpu,
        container: Some("wbe".to_owned()),
        target: ResourceTarget::AverageValue(100),
    }];
    let desired = run(&scenario).series.workloads[0].desired.clone();
    assert!(desired.iter().all(|&desired| desired == 10), "no value is not zero: {desired:?}");
}

#[test]
fn a_scale_up_of_more_than_a_burst_goes_on() {
    let points = [(0, 1_000, 10)];
    for kind in [
        Kind::ReplicaSet,
        Kind::Deployment { strategy: Strategy::default(), progress_deadline: SimDuration::from_secs(600) },
    ] {
        let mut scenario = without_users(vec![following("web", 1, &points)], 600);
        scenario.workloads[0].kind = kind;
        scenario.workloads[0].template.containers[0].requests.cpu = Some(MilliCpu(10));
        scenario.autoscalers = vec![hpa(0, 60, (1_200, 1_300))];
        let pool = &mut scenario.cluster.pools[0];
        (pool.count, pool.min, pool.max) = (16, 16, 16);
        let seen = run(&scenario);
        assert!(
            seen.workloads[0].ready.max() >= 1_200.0,
            "500 are made at a time: {:?}",
            seen.workloads[0].ready
        );
    }
}

/// The same load under an HPA that goes by what requests do.
fn scaled_by(metric: MetricSpec, counts: Option<Counted>) -> Scenario {
    let mut scenario = load_step();
    let hpa = &mut scenario.autoscalers[0];
    hpa.spec.metrics = vec![metric];
    hpa.spec.max_replicas = 40;
    hpa.custom = counts.map_or(Vec::new(), |counts| {
        let (range, every) = (SimDuration::from_secs(120), SimDuration::from_secs(30));
        vec![CustomMetric { metric: 0, counts, of: 0, range, every }]
    });
    scenario
}

#[test]
fn hpas_go_by_custom_metrics_that_the_model_describes() {
    let name = || "requests".to_owned();
    let pods = |target_average_milli| MetricSpec::Pods { name: name(), target_average_milli };
    let outside = |milli| MetricSpec::External { name: name(), target: ValueTarget::AverageValue(milli) };
    let object = |milli| MetricSpec::Object {
        name: name(),
        described: "Ingress/web".to_owned(),
        target: ValueTarget::AverageValue(milli),
    };
    // 80 requests a second, then 320: so many a pod. In flight are 320 × 10 ms and what
    // waits for one of two threads, which a scrape finds as it happens to be.
    for (words, metric, counts, before, after) in [
        ("20 a second and pod", pods(20_000), Some(Counted::Requests), 4..=4, 15..=17),
        ("40 for each pod at the ingress", object(40_000), Some(Counted::Requests), 2..=2, 8..=8),
        ("64 for each pod, from outside", outside(64_000), Some(Counted::Requests), 2..=2, 5..=5),
        ("one in each pod", pods(1_000), Some(Counted::InFlight), 2..=2, 3..=9),
        ("nobody waits", pods(1_000), Some(Counted::Waiting), 2..=2, 2..=2),
        ("nobody says what it counts", pods(1_000), None, 2..=2, 2..=2),
    ] {
        let seen = run(&scaled_by(metric, counts));
        let step = SimTime::from_secs(STEP_AT);
        let at = seen.series.times.partition_point(|time| *time <= step) - 1;
        let desired = &seen.series.workloads[0].desired;
        let (first, last) = (desired[at], desired[desired.len() - 1]);
        assert!(before.contains(&first) && after.contains(&last), "{words}: {first}, then {last}");
        let failed = seen.moments.iter().any(|one| one.kind == MomentKind::MetricFailed);
        assert_eq!(failed, counts.is_none(), "{words}");
        // Two scrapes and a pass at least, and no longer than the range and these.
        if let Some(up) = seen.decisions.iter().find(|one| one.time > step && one.to > one.from) {
            let reaction = up.time.since(step).as_secs_f64();
            assert!((1.0..=165.0).contains(&reaction), "{words}: after {reaction} s");
        }
    }
}

#[test]
fn requests_that_find_no_pod_bring_one_back() {
    let target = ValueTarget::AverageValue(40_000);
    let metric = MetricSpec::External { name: "requests".to_owned(), target };
    let mut scenario = scaled_by(metric, Some(Counted::Requests));
    scenario.autoscalers[0].spec.min_replicas = 0;
    let Population::Rate { shape, .. } = &mut scenario.demand.population else { unreachable!() };
    shape.points[0].1 = 0.0;
    shape.points[1].0 = SimTime::from_secs(1_200);
    let seen = run(&scenario);
    let desired = &seen.series.workloads[0].desired;
    assert!(desired.contains(&0), "no pod is wanted while nobody asks");
    assert_eq!(desired.last(), Some(&8), "{:?}", seen.decisions);
    assert!(seen.journeys[0].failed() > 0, "until then nobody answers");
}
