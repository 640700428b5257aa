//! Laws that hold in every system: Little's, that of utilisation, and that
//! nothing is lost.

use kubeplan::observe::Observations;
use kubeplan::scenario::{Scenario, Step};
use kubeplan::sim::random::{Distribution, Seed};
use kubeplan::units::{Bytes, MilliCpu};
use kubeplan::world::simulate;

use crate::networks::{call, gateway};
use crate::support::{always, exponential, scenario, workload};
use crate::{SERVICE, agree, servers};

/// Workloads of several kinds; what each has in hand shows in its memory.
fn mixed() -> Scenario {
    let mut queue = workload("queue", 2, vec![Step::Compute(exponential(SERVICE))]);
    queue.behaviour.concurrency.limit = Some(1);
    let mut event_loop = workload(
        "event-loop",
        2,
        vec![Step::Compute(Distribution::LogNormal { mean: 0.005, cv: 1.4 }), Step::Wait(exponential(0.03))],
    );
    event_loop.behaviour.threads = Some(1);
    let mut limited = workload("limited", 2, vec![Step::Compute(always(0.02))]);
    limited.template.containers[0].limits.cpu = Some(MilliCpu(2_000));
    let calls = vec![call(1, 1.0), call(2, 0.5), call(3, 0.8)];
    let mut all = vec![gateway(calls), queue, event_loop, limited];
    for one in &mut all {
        one.behaviour.memory.per_request = Bytes::from_mib(1);
    }
    scenario(all, 120.0, 1_800)
}

#[test]
fn little_s_law_holds_for_every_workload_and_cpu_used_is_rate_times_demand() {
    let scenario = mixed();
    let seconds = scenario.horizon.as_secs_f64();
    let in_hand = |seen: &Observations, index: usize| {
        let (one, workload) = (&seen.workloads[index], &scenario.workloads[index]);
        let base = workload.behaviour.memory.base.0 as f64 * f64::from(workload.replicas);
        let in_hand = (one.memory.mean() - base) / Bytes::from_mib(1).0 as f64;
        // Who waits for a place holds no memory.
        let time = one.traffic.latency.mean().unwrap_or(0.0) - one.wait.mean().unwrap_or(0.0);
        in_hand / (one.traffic.answered as f64 / seconds * time)
    };
    let used = |seen: &Observations, index: usize, demand: f64| {
        let one = &seen.workloads[index];
        one.cpu_cores.mean() / (one.traffic.answered as f64 / seconds * demand)
    };
    agree(
        "a mixed system",
        &scenario,
        &[
            ("Little, gateway", 1.0, &|seen| in_hand(seen, 0)),
            ("Little, queue", 1.0, &|seen| in_hand(seen, 1)),
            ("Little, event loop", 1.0, &|seen| in_hand(seen, 2)),
            ("Little, limited", 1.0, &|seen| in_hand(seen, 3)),
            ("CPU, queue", 1.0, &|seen| used(seen, 1, SERVICE)),
            ("CPU, event loop", 1.0, &|seen| used(seen, 2, 0.005)),
            ("CPU, limited", 1.0, &|seen| used(seen, 3, 0.02)),
        ],
    );
}

#[test]
fn nothing_is_lost() {
    let seen = simulate(&servers(4, 0.8, exponential(SERVICE), 100_000.0), Seed { base: 3, replication: 0 });
    let balance = seen.balance;
    assert_eq!(balance.arrived, balance.answered + balance.failed + balance.in_flight);
    assert_eq!(balance.failed, 0);
}

#[test]
fn the_same_seed_takes_the_same_way_and_another_one_doesn_t() {
    let scenario = servers(2, 0.7, exponential(SERVICE), 50_000.0);
    let run = |base| simulate(&scenario, Seed { base, replication: 0 });
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).fingerprint, run(2).fingerprint);
}
