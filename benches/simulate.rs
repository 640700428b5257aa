//! Whole runs: requests per second of machine time is the number to watch.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kubeplan::input::{Request, load};
use kubeplan::scenario::{Fidelity, Scenario};
use kubeplan::sim::agenda::Engine;
use kubeplan::sim::random::Seed;
use kubeplan::units::SimDuration;
use kubeplan::world::{simulate, simulate_with};

#[path = "../tests/support/mod.rs"]
mod support;

/// The embedded application, five minutes after a short warm-up.
fn scenario(users: f64) -> Scenario {
    let request = Request { users: Some(users), traffic: Some("steady".into()), ..Request::default() };
    let mut scenario = load(&request).expect("the embedded application loads").scenario;
    scenario.warm_up = SimDuration::from_secs(60);
    scenario.horizon = SimDuration::from_secs(300);
    scenario
}

fn embedded(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate/embedded");
    group.sample_size(10);
    for users in [1_000.0, 10_000.0, 40_000.0] {
        let scenario = scenario(users);
        let seed = Seed { base: 1, replication: 0 };
        let requests = simulate(&scenario, seed).balance.arrived;
        group.throughput(Throughput::Elements(requests));
        group.bench_function(format!("{users} users"), |b| b.iter(|| simulate(&scenario, seed)));
    }
    group.finish();
}

/// Three hops with all that a request can meet, on both engines: calm, and with
/// twice what the pods can do.
fn three_hops(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate/three_hops");
    group.sample_size(10);
    for (engine, name) in [(Engine::Wheel, "wheel"), (Engine::Reference, "heap")] {
        for load in [1.0, 4.0] {
            let scenario = support::hops::three_hops(load, 10);
            let seed = Seed { base: 1, replication: 0 };
            let seen = simulate_with(&scenario, seed, engine);
            let hops = seen.workloads.iter().map(|one| one.traffic.latency.count()).sum();
            group.throughput(Throughput::Elements(hops));
            group.bench_function(BenchmarkId::new(name, load), |b| {
                b.iter(|| simulate_with(&scenario, seed, engine));
            });
        }
    }
    group.finish();
}

/// A day of 10,000 requests a second over three hops, of which calm time is simulated in
/// slices. Throughput is that of the 864 million requests that they stand for.
fn sliced_day(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate/sliced_day");
    group.sample_size(10);
    let scenario = Scenario { fidelity: Fidelity::Sliced, ..support::hops::three_hops(1.0, 86_400) };
    let seed = Seed { base: 1, replication: 0 };
    let seen = simulate(&scenario, seed);
    assert!(seen.simulated < 0.1, "{} was simulated", seen.simulated);
    group.throughput(Throughput::Elements(seen.journeys[0].arrived));
    group.bench_function("three hops", |b| b.iter(|| simulate(&scenario, seed)));
    group.finish();
}

/// A day of Deployments that follow usage curves, with HPAs and probes: W1 on 100
/// nodes, W2 on 1,000.
fn curves(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate/curves");
    group.sample_size(10);
    for (name, deployments, nodes) in [("W1", 10, 100), ("W2", 100, 1_000)] {
        let scenario = support::curves::deployments(deployments, nodes, 24);
        let seed = Seed { base: 1, replication: 0 };
        group.throughput(Throughput::Elements(24 * u64::from(deployments)));
        group.bench_function(name, |b| b.iter(|| simulate(&scenario, seed)));
    }
    group.finish();
}

criterion_group!(benches, embedded, three_hops, sliced_day, curves);
criterion_main!(benches);
