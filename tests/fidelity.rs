//! Sliced runs against full ones of the same scenario: how far apart they are.
//!
//! `docs/fidelity.md` has the figures that these tests print (`--nocapture`).

use std::time::Instant;

use kubeplan::input::{Request, load};
use kubeplan::observe::{Observations, Pooled};
use kubeplan::run::replicate;
use kubeplan::scenario::{
    Drill, ErrorBound, Failure, Fidelity, Interpolation, Population, Scenario, Shape,
};
use kubeplan::units::{SimDuration, SimTime};

/// The embedded application on a working day's traffic.
fn embedded(users: f64, hours: f64, shape: &[(f64, f64)]) -> Scenario {
    let request =
        Request { users: Some(users), traffic: Some("working-day".into()), ..Request::default() };
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

/// How far a sliced run is from a full one.
#[derive(Debug)]
struct Apart {
    availability: f64,
    p50: f64,
    p99: f64,
    replicas: f64,
    cpu: f64,
    requests: f64,
    cost: f64,
}

fn relative(one: f64, other: f64) -> f64 {
    if one == other { 0.0 } else { one / other - 1.0 }
}

fn apart(sliced: &[Observations], full: &[Observations]) -> Apart {
    let (one, other) = (Pooled::of(sliced), Pooled::of(full));
    let mut seen = Apart { availability: 0.0, p50: 0.0, p99: 0.0, replicas: 0.0, cpu: 0.0, requests: 0.0, cost: 0.0 };
    let all = |pooled: &Pooled| {
        pooled.journeys.iter().fold(kubeplan::observe::Traffic::default(), |mut sum, journey| {
            sum.merge(journey);
            sum
        })
    };
    let (a, b) = (all(&one), all(&other));
    seen.availability = (a.availability() - b.availability()).abs();
    println!("  availability {} {} failures {:?} {:?}", a.availability(), b.availability(), a.failures, b.failures);
    let quantile = |of: &kubeplan::observe::Traffic, at| of.latency.quantile(at).expect("requests were answered");
    seen.p50 = relative(quantile(&a, 0.5), quantile(&b, 0.5));
    seen.p99 = relative(quantile(&a, 0.99), quantile(&b, 0.99));
    seen.requests = relative(a.arrived as f64, b.arrived as f64);
    seen.cost = relative(one.cost, other.cost);
    for (a, b) in one.workloads.iter().zip(&other.workloads) {
        println!("  {:?} {:?} {:?}", (a.ready.mean, b.ready.mean), (a.cpu_cores.mean, b.cpu_cores.mean),(a.scale_events,b.scale_events));
        seen.replicas = seen.replicas.max(relative(a.ready.mean, b.ready.mean));
        if b.cpu_cores.mean > 0.1 {
            seen.cpu = seen.cpu.max(relative(a.cpu_cores.mean, b.cpu_cores.mean));
        }
    }
    seen
}

/// Runs a scenario both ways, prints how they compare, and holds the sliced run
/// to the promise.
fn compare(name: &str, scenario: &Scenario, at_most: f64) {
    let timed = |fidelity| {
        let scenario = Scenario { fidelity, ..scenario.clone() };
        let start = Instant::now();
        let runs = replicate(&scenario, 3, 0..2, |_| ());
        (runs, start.elapsed().as_secs_f64())
    };
    let ((full, long), (sliced, short)) = (timed(Fidelity::Full), timed(Fidelity::Sliced));
    let seen = apart(&sliced, &full);
    let share = sliced.iter().map(|run| run.simulated).sum::<f64>() / sliced.len() as f64;
    println!("{name}: simulated {share:.3}, {long:.1} s against {short:.1} s, events {} against {}, {seen:.5?}", full[0].events, sliced[0].events);
    let bound = ErrorBound::MEASURED;
    assert!(full.iter().all(|run| run.simulated == 1.0), "{name}: the full runs are full");
    assert!(share < at_most, "{name}: {share} of the time was simulated");
    assert!(seen.availability <= bound.availability, "{name}: {seen:?}");
    assert!(seen.p99 <= bound.p99, "{name}: {seen:?}");
    assert!(seen.replicas <= bound.replicas, "{name}: {seen:?}");
    assert!(seen.requests <= 0.01 && seen.cost <= bound.replicas && seen.cpu <= 0.02, "{name}: {seen:?}");
}

#[test]
fn a_slope_of_the_day_is_the_same_in_slices() {
    compare("morning", &embedded(20_000.0, 3.0, &[(0.0, 0.2), (0.5, 0.2), (2.5, 1.0), (3.0, 0.9)]), 0.6);
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
        what: Failure::NodeLoss { nodes: 1 },
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
