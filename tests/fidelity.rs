//! Sliced runs against full ones of the same scenario: how far apart they are.
//!
//! `docs/fidelity.md` has the figures that these tests print (`--nocapture`).

use std::time::Instant;

use kubeplan::input::{Request, load};
use kubeplan::observe::{Observations, Pooled, Traffic};
use kubeplan::run::replicate;
use kubeplan::scenario::{
    Drill, ErrorBound, Failure, Fidelity, Interpolation, Population, Scenario, Shape, Sidecar, WarmUp,
};
use kubeplan::sim::random::Distribution;
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// The embedded application on a working day's traffic.
fn embedded(users: f64, hours: f64, shape: &[(f64, f64)]) -> Scenario {
    let request = Request { users: Some(users), traffic: Some("working-day".into()), ..Request::default() };
    let mut scenario = load(&request).expect("the embedded application loads").scenario;
    scenario.horizon = SimDuration::from_secs_f64(hours * 3_600.0);
    let warm = scenario.warm_up;
    let points = shape
        .iter()
        .map(|(hour, value)| (SimTime::ZERO + warm + SimDuration::from_secs_f64(hour * 3_600.0), *value))
        .collect();
    if let Population::Users { shape, .. } = &mut scenario.demand.population {
        *shape = Shape { points, interpolation: Interpolation::Linear };
    }
    scenario
}

/// How far one set of runs is from another, signed; relative but for the availability.
#[derive(Debug)]
struct Apart {
    availability: f64,
    p50: f64,
    p99: f64,
    requests: f64,
    /// Ready pods of all workloads, on average over time.
    replicas: f64,
    /// Cores used by all of them.
    cpu: f64,
    cost: f64,
}

fn apart(these: &[Observations], those: &[Observations]) -> Apart {
    let (one, other) = (Pooled::of(these), Pooled::of(those));
    let all = |pooled: &Pooled| {
        pooled.journeys.iter().fold(Traffic::default(), |mut sum, journey| {
            sum.merge(journey);
            sum
        })
    };
    let (a, b) = (all(&one), all(&other));
    let relative = |of: &dyn Fn(&Pooled) -> f64| of(&one) / of(&other) - 1.0;
    let quantile =
        |at| move |pooled: &Pooled| all(pooled).latency.quantile(at).expect("requests were answered");
    Apart {
        availability: a.availability() - b.availability(),
        p50: relative(&quantile(0.5)),
        p99: relative(&quantile(0.99)),
        requests: a.arrived as f64 / b.arrived as f64 - 1.0,
        replicas: relative(&|pooled| pooled.workloads.iter().map(|one| one.ready.mean).sum()),
        cpu: relative(&|pooled| pooled.workloads.iter().map(|one| one.cpu_cores.mean).sum()),
        cost: relative(&|pooled| pooled.cost),
    }
}

/// Runs a scenario both ways, prints how they compare, and holds the sliced runs
/// to the promise.
fn compare(name: &str, scenario: &Scenario, at_most: f64) {
    let timed = |fidelity, base| {
        let scenario = Scenario { fidelity, ..scenario.clone() };
        let start = Instant::now();
        let runs = replicate(&scenario, base, 0..2, |_| ());
        (runs, start.elapsed().as_secs_f64())
    };
    let ((full, long), (sliced, short)) = (timed(Fidelity::Full, 3), timed(Fidelity::Sliced, 3));
    let seen = apart(&sliced, &full);
    let share = sliced.iter().map(|run| run.simulated).sum::<f64>() / sliced.len() as f64;
    let fewer = full[0].events as f64 / sliced[0].events as f64;
    println!("{name}: {share:.3} simulated, {long:.1} s against {short:.1} s, {fewer:.1} times fewer events");
    println!("  sliced {seen:.5?}");
    if std::env::var_os("FLOOR").is_some() {
        println!("  other seeds {:.5?}", apart(&timed(Fidelity::Full, 4).0, &full));
    }
    let bound = ErrorBound::MEASURED;
    let availability = Pooled::of(&full).journeys.iter().fold(Traffic::default(), |mut sum, one| {
        sum.merge(one);
        sum
    });
    // Where much fails, a share of what fails is what chance alone decides.
    let failed = (1.0 - availability.availability()) * 0.01;
    assert!(full.iter().all(|run| run.simulated >= 1.0), "{name}: the full runs are full");
    assert!(share < at_most, "{name}: {share} of the time was simulated");
    assert!(seen.availability.abs() <= bound.availability.max(failed), "{name}: {seen:?}");
    assert!(seen.p99.abs() <= bound.p99, "{name}: {seen:?}");
    assert!(seen.replicas.abs() <= bound.replicas, "{name}: {seen:?}");
    assert!(seen.requests.abs() <= 0.005 && seen.cpu.abs() <= 0.01, "{name}: {seen:?}");
    assert!(seen.p50.abs() <= 0.01 && seen.cost.abs() <= 0.02, "{name}: {seen:?}");
}

#[test]
fn a_slope_of_the_day_is_the_same_in_slices() {
    compare("morning", &embedded(20_000.0, 3.0, &[(0.0, 0.2), (0.5, 0.2), (2.5, 1.0), (3.0, 0.9)]), 0.6);
}

#[test]
fn processes_that_start_slowly_and_cold_are_the_same_in_slices() {
    let mut scenario = embedded(20_000.0, 3.0, &[(0.0, 0.25), (1.0, 1.0), (3.0, 1.0)]);
    for one in scenario.workloads.iter_mut().filter(|one| one.name.ends_with("-service")) {
        one.behaviour.start_up.cpu = Distribution::Constant(15.0);
        one.behaviour.warm_up = Some(WarmUp { factor: 5.0, lasts: SimDuration::from_secs(120) });
    }
    compare("slow starts", &scenario, 0.6);
}

#[test]
fn proxies_use_as_much_in_slices() {
    let mut scenario = embedded(20_000.0, 1.5, &[(0.0, 0.3), (0.2, 0.3), (1.0, 1.0), (1.5, 1.0)]);
    for one in scenario.workloads.iter_mut().filter(|one| one.name.ends_with("-service")) {
        let mut proxy = one.template.containers[0].clone();
        (proxy.name, proxy.readiness, proxy.liveness) = ("proxy".to_owned(), None, None);
        one.template.containers.push(proxy);
        let (idle_cpu, cpu_per_call) = (MilliCpu(5), SimDuration::from_millis(1));
        let name = "proxy".to_owned();
        one.behaviour.sidecars = vec![Sidecar { name, idle_cpu, cpu_per_call, memory: Bytes::ZERO }];
    }
    compare("proxies", &scenario, 0.6);
}

#[test]
fn who_asks_again_at_a_rate_is_simulated_in_full() {
    let mut scenario = Scenario { fidelity: Fidelity::Sliced, ..embedded(20_000.0, 3.0, &[(0.0, 1.0)]) };
    let shape = Shape { points: vec![(SimTime::ZERO, 1.0)], interpolation: Interpolation::Linear };
    scenario.demand.population =
        Population::Rate { peak_per_second: 500.0, shape, users: None, modulation: Vec::new() };
    assert!(!scenario.is_sliced());
    for journey in &mut scenario.demand.journeys {
        journey.visits.truncate(1);
        journey.visits[0].times = 1;
    }
    assert!(scenario.is_sliced());
}

#[test]
fn a_spike_is_the_same_in_slices() {
    let shape = [(0.0, 0.3), (0.75, 0.3), (0.76, 1.0), (1.1, 1.0), (1.12, 0.3), (2.0, 0.3)];
    compare("spike", &embedded(20_000.0, 2.0, &shape), 0.7);
}

#[test]
fn a_node_s_failure_is_the_same_in_slices() {
    let mut scenario = embedded(20_000.0, 1.0, &[(0.0, 0.6)]);
    let at = SimDuration::from_secs(1_800);
    scenario.drills = vec![Drill {
        name: "node".to_owned(),
        from: at,
        until: at,
        lasts: Some(SimDuration::from_secs(600)),
        what: Failure::NodeLoss { nodes: 1, gone: false },
    }];
    compare("node failure", &scenario, 0.8);
}

#[test]
fn slices_are_as_reproducible_as_everything_else() {
    let scenario =
        Scenario { fidelity: Fidelity::Sliced, ..embedded(20_000.0, 0.3, &[(0.0, 0.5), (0.3, 0.6)]) };
    let runs = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be had");
        pool.install(|| replicate(&scenario, 5, 0..2, |_| ()))
    };
    let (one, two) = (runs(1), runs(2));
    assert_eq!(one, two);
    for run in &one {
        let balance = run.balance;
        assert_eq!(balance.arrived, balance.answered + balance.failed + balance.in_flight);
        assert!(run.simulated < 0.9, "{} was simulated", run.simulated);
    }
}
