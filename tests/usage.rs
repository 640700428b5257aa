//! Workloads that follow recorded usage: what can be computed by hand comes out, and
//! what is left out because it changes nothing changes nothing.

use kubeplan::k8s::hpa::{MetricSpec, ResourceName, ResourceTarget};
use kubeplan::k8s::probe::Probe;
use kubeplan::observe::Observations;
use kubeplan::scenario::{Drill, Failure, Interpolation, Release, ReleaseFault, Scenario, Share};
use kubeplan::sim::random::Seed;
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};
use kubeplan::world::{simulate, simulate_sleepless};

mod support;

use support::curves::{deployments, following, hpa, without_users};

const SEED: Seed = Seed { base: 1, replication: 0 };

fn near(measured: f64, expected: f64, within: f64) -> bool {
    (measured - expected).abs() <= within
}

#[test]
fn pods_use_together_what_the_curve_says() {
    // Seven thousandths don't divide by three.
    let points = [(0, 1_000, 300), (600, 2_500, 900), (1_200, 7, 30)];
    let mut made = without_users(vec![following("web", 3, &points)], 1_800);
    made.warm_up = SimDuration::ZERO;
    let seen = simulate(&made, SEED);
    let web = &seen.workloads[0];
    assert!(near(web.demanded.mean(), (1.0 + 2.5 + 0.007) / 3.0, 1e-9), "{:?}", web.demanded);
    assert_eq!((web.demanded.max(), web.overload.max()), (2.5, 0.0));
    // A step's CPU once counted for the step after it, and the first one's twice.
    assert!(near(web.cpu_cores.mean(), (1.0 + 2.5 + 0.007) / 3.0, 1e-9), "{:?}", web.cpu_cores);
    // What the series says is what the curve says, step by step.
    let rows = seen.series.workloads[0].cpu.iter().zip(&seen.series.times);
    for (cpu, time) in rows {
        let second = time.as_nanos().div_ceil(1_000_000_000);
        let expected = if second <= 600 {
            1.0
        } else if second <= 1_200 {
            2.5
        } else {
            0.007
        };
        assert!(near(*cpu, expected, 1e-9), "{cpu} at {time}");
    }
    let memory = &seen.series.workloads[0].memory;
    assert!(near(memory[10], 300.0 * 1_048_576.0, 3.0), "{}", memory[10]);
    // Each holds at least what it holds at rest: 32 MiB.
    assert!(near(memory.last().copied().unwrap_or_default(), 96.0 * 1_048_576.0, 3.0));
}

#[test]
fn limits_throttle_and_a_full_node_is_shared_by_requests() {
    let mut made = without_users(vec![following("web", 2, &[(0, 1_800, 10)])], 600);
    made.workloads[0].template.containers[0].limits.cpu = Some(MilliCpu(500));
    let web = &simulate(&made, SEED).workloads[0];
    assert!(near(web.cpu_cores.mean(), 1.0, 1e-3), "{:?}", web.cpu_cores);
    assert!(
        web.periods > 11_000 && web.throttled_periods == web.periods,
        "{} {}",
        web.periods,
        web.throttled_periods
    );
    assert!(near(web.overload.mean(), 1.0, 1e-12));

    // Two cores for three workloads: one wants little and has it, two share the rest
    // one to three; then one leaves some and the other has it.
    let points = [(0, 2_000, 10), (300, 200, 10)];
    let workloads = vec![
        following("idle", 1, &[(0, 400, 10)]),
        following("a", 1, &[(0, 2_000, 10)]),
        following("b", 1, &points),
    ];
    let mut made = without_users(workloads, 600);
    made.warm_up = SimDuration::ZERO;
    made.cluster.pools[0].cpu = MilliCpu(2_000);
    for (workload, milli) in made.workloads.iter_mut().zip([500, 100, 300]) {
        workload.template.containers[0].requests.cpu = Some(MilliCpu(milli));
    }
    let seen = simulate(&made, SEED);
    let cpu = |workload: usize| seen.series.workloads[workload].cpu.clone();
    let last = seen.series.times.len() - 1;
    for (workload, first, then) in [(0, 0.4, 0.4), (1, 0.4, 1.4), (2, 1.2, 0.2)] {
        assert!(near(cpu(workload)[20], first, 0.01), "{workload}: {}", cpu(workload)[20]);
        assert!(near(cpu(workload)[last], then, 0.01), "{workload}: {}", cpu(workload)[last]);
    }
    let overload: Vec<f64> = seen.workloads.iter().map(|one| one.overload.mean()).collect();
    assert!(
        near(overload[0], 0.0, 1e-9) && near(overload[1], 1.0, 1e-3) && near(overload[2], 0.5, 1e-3),
        "{overload:?}"
    );
}

#[test]
fn memory_over_the_limit_is_an_out_of_memory_kill() {
    let points = [(0, 100, 150), (300, 100, 250), (420, 100, 100)];
    let mut made = without_users(vec![following("web", 2, &points)], 1_200);
    made.warm_up = SimDuration::ZERO;
    made.workloads[0].template.containers[0].limits.memory = Some(Bytes::from_mib(100));
    let seen = simulate(&made, SEED);
    let web = &seen.workloads[0];
    // Both hold 125 MiB at once; what comes back alone would have to hold all of it.
    assert!(web.oom_kills >= 3, "{} kills", web.oom_kills);
    assert_eq!(web.memory_pod_max, Bytes::from_mib(100), "whoever was killed had all that it may");
    let ready = &seen.series.workloads[0].ready;
    assert_eq!((ready[10], ready.last().copied()), (2, Some(2)), "it is well before and after");
    assert!(web.ready.min() < 1.0 && web.overload.mean() > 0.05, "{:?}", web.overload);
}

/// An HPA keeps pods of one core at 60 %. Its path follows from the curve alone:
/// 1.2 cores are 2 pods, 3 cores 5, 0.6 cores 1 after the stabilization of 5 min.
#[test]
fn the_hpa_s_path_is_what_arithmetic_says() {
    let points = [(0, 1_200, 10), (900, 3_000, 10), (1_800, 600, 10)];
    let mut made = without_users(vec![following("web", 2, &points)], 3_000);
    made.warm_up = SimDuration::ZERO;
    made.autoscalers = vec![hpa(0, 60, (1, 10))];
    for replication in 0..10 {
        let seen = simulate(&made, Seed { base: 3, replication });
        let path: Vec<(f64, u32)> =
            seen.decisions.iter().map(|one| (one.time.as_secs_f64(), one.to)).collect();
        // The first window after a step may hold a part of what was before it.
        let ups = path.iter().take_while(|(_, to)| *to <= 5).collect::<Vec<_>>();
        assert!(!ups.is_empty(), "{path:?}");
        let at_five = path.iter().find(|(_, to)| *to == 5).map(|(time, _)| *time);
        assert!(at_five.is_some_and(|time| (900.0..=960.0).contains(&time)), "{path:?}");
        assert!(path.iter().all(|(_, to)| (1..=5).contains(to)), "{path:?}");
        let (down, to) = *path.last().expect("it goes down again");
        assert!(to == 1 && (2_100.0..=2_175.0).contains(&down), "{path:?}");
        assert!(path.iter().all(|(time, _)| (900.0..960.0).contains(time) || *time >= 2_100.0), "{path:?}");
        assert_eq!(seen.workloads[0].ready.max().to_bits(), 5.0_f64.to_bits());
    }
}

/// Ten Deployments of which much befalls: pods and nodes die, hang and are stressed,
/// loads rise, versions are rolled out.
fn troubled() -> Scenario {
    let mut made = deployments(4, 12, 2);
    for (number, one) in made.workloads.iter_mut().enumerate() {
        let container = &mut one.template.containers[0];
        container.startup =
            (number % 2 == 0).then(|| Probe { period: SimDuration::from_secs(2), ..Probe::default() });
        container.limits.cpu = (number != 3).then_some(MilliCpu(700));
        container.limits.memory = Some(Bytes::from_mib(1_024));
        if let Some(usage) = &mut one.usage {
            usage.interpolation = if number == 1 { Interpolation::Linear } else { Interpolation::Step };
        }
    }
    made.workloads[2].behaviour.idle_cpu = MilliCpu(7);
    made.autoscalers[1].spec.metrics.push(MetricSpec::Resource {
        resource: ResourceName::Memory,
        container: None,
        target: ResourceTarget::Utilization(70),
    });
    let pods = Share::Count(3);
    let minutes = |minutes: u64| SimDuration::from_secs(minutes * 60);
    let stress = Failure::CpuStress { workload: 1, pods, cpu: MilliCpu(900) };
    let release = Release { new_image: true, fault: ReleaseFault::None, work: 1.5 };
    let all = [
        (10, Some(5), Failure::Hang { workload: 0, pods }),
        (15, None, Failure::PodDelete { workload: 1, pods, force: false }),
        (18, None, Failure::PodDelete { workload: 2, pods, force: true }),
        (20, Some(4), stress),
        (26, None, Failure::ContainerCrash { workload: 3, pods, out_of_memory: true }),
        (30, Some(3), Failure::CrashLoop { workload: 0, pods }),
        (36, Some(6), Failure::NodeLoss { nodes: 2, gone: false }),
        (48, Some(5), Failure::Load { factor: 2.5, rise: minutes(1) }),
        (58, None, Failure::Rollout { workload: 2, release, undone: false }),
        (63, Some(3), Failure::Metrics),
        (70, Some(5), Failure::Slow { workload: 3, factor: 2.0 }),
        (80, Some(3), Failure::NodeCpuStress { nodes: 3, cpu: MilliCpu(16_000) }),
        (90, None, Failure::NodeDrain { nodes: 1 }),
        (95, Some(3), Failure::MemoryLeak { workload: 1, pods, per_second: Bytes::from_mib(4) }),
        (105, Some(2), Failure::ControlPlane),
        (108, Some(4), Failure::NodeLoss { nodes: 1, gone: true }),
    ];
    made.drills = all
        .into_iter()
        .map(|(from, lasts, what)| Drill {
            name: format!("at-{from}"),
            from: minutes(from),
            until: minutes(from + 1),
            lasts: lasts.map(minutes),
            what,
        })
        .collect();
    made
}

/// What was seen, whatever it took to see it.
fn without_events(seen: Observations) -> Observations {
    Observations { events: 0, fingerprint: 0, ..seen }
}

#[test]
fn what_is_left_out_changes_nothing() {
    let (mut slept, mut all) = (0, 0);
    for (replication, made) in [(0, troubled()), (1, troubled()), (2, troubled()), (0, deployments(3, 30, 6))]
    {
        let seed = Seed { base: 11, replication };
        let (asleep, awake) = (simulate(&made, seed), simulate_sleepless(&made, seed));
        (slept, all) = (slept + asleep.events, all + awake.events);
        let told = |seen: &Observations| -> Vec<String> {
            seen.moments.iter().map(|one| format!("{} {}", one.time, one.text)).collect()
        };
        assert_eq!(told(&asleep), told(&awake));
        assert!(
            without_events(asleep) == without_events(awake),
            "replication {replication} was seen differently"
        );
    }
    assert!(slept * 3 < all, "{slept} events of {all}");
}

#[test]
fn drills_befall_pods_that_follow_curves() {
    let seen = simulate(&troubled(), SEED);
    let killed: u64 = seen.workloads.iter().map(|one| one.restarts).sum();
    assert!(killed > 10, "{killed} restarts");
    assert!(seen.workloads.iter().any(|one| one.oom_kills > 0));
    assert!(seen.workloads.iter().all(|one| one.overload.mean() > 0.0), "the surge is felt by all");
    assert!(seen.rollouts.iter().any(|one| one.completed.is_some()), "the rollout went through");
}

/// A calm day costs the events of nodes and controllers and none of pods: what pods
/// come and go costs besides is little.
#[test]
fn a_calm_day_costs_no_event_for_a_pod() {
    let (nodes, hours) = (30, 24);
    let made = deployments(3, nodes, hours);
    let seen = simulate(&made, SEED);
    let seconds = hours * 3_600;
    let samples = u64::from(nodes) * seconds / 10;
    let loops = seconds / 15 * (made.autoscalers.len() as u64 + 1);
    let moves = 3 * 288 + 720;
    let started: u64 = seen.workloads.iter().map(|one| one.pods_started).sum();
    let pod_days = seen.cluster.pods.mean() * 24.0 * 360.0 * 2.0;
    let bound = samples + loops + moves + started * 60 + 1_000;
    assert!(seen.events <= bound, "{} events, bound {bound}", seen.events);
    assert!((bound as f64) < pod_days / 4.0, "the ticks of probes alone would be {pod_days}");
    assert!(seen.workloads.iter().all(|one| one.ready.max() > 70.0 && one.overload.mean() < 0.01));
    assert_eq!(seen.end, SimTime::from_secs(seconds));
}
