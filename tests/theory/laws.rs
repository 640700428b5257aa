//! Laws that hold in every system: Little's, that of utilisation, and that
//! nothing is lost.

use kubeplan::observe::{Cause, Observations};
use kubeplan::scenario::{Call, Concurrency, External, Retry, Scenario, Step, Target};
use kubeplan::sim::random::{Distribution, Seed};
use kubeplan::units::{Bytes, MilliCpu, SimDuration};
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

/// A gateway whose requests all make such calls, none of which is any good: to a server of
/// 1 ms, to one that is busy for ever, to nobody, or to an external service of 50 ms.
fn in_vain(calls: &[(Target, Option<u64>)]) -> Observations {
    let calls = calls.iter().map(|&(target, micros)| Call {
        target,
        probability: 1.0,
        timeout: micros.map(SimDuration::from_micros),
        retry: Retry::NONE,
        required: true,
    });
    let server = workload("server", 1, vec![Step::Compute(always(0.001))]);
    let mut busy = workload("busy", 1, vec![Step::Wait(always(1e6))]);
    busy.behaviour.concurrency = Concurrency { limit: Some(1), queue: Some(0) };
    let nobody = workload("nobody", 0, Vec::new());
    let all = vec![gateway(vec![Step::Parallel(calls.collect())]), server, busy, nobody];
    let mut scenario = scenario(all, 10.0, 100);
    scenario.warm_up = SimDuration::ZERO;
    scenario.externals =
        vec![External { name: "outside".to_owned(), latency: always(0.05), error_rate: 0.0, quota: None }];
    simulate(&scenario, Seed { base: 3, replication: 0 })
}

#[test]
fn a_call_ends_once_for_its_caller() {
    let to = |workload| Target::Operation { workload, operation: 0 };
    // Which calls are made side by side, and where the first is counted, as what.
    for (what, calls, whose, cause) in [
        ("both fail at one instant", vec![(to(3), None), (to(3), None)], 0, Cause::Dependency),
        ("one fails after the other", vec![(to(3), None), (to(1), Some(700))], 0, Cause::Dependency),
        ("given up on its way there", vec![(to(1), Some(100))], 1, Cause::Timeout),
        ("given up at work", vec![(to(1), Some(1_000))], 1, Cause::Timeout),
        ("given up on the answer's way", vec![(to(1), Some(1_400))], 1, Cause::Timeout),
        ("given up on a refusal's way", vec![(to(2), Some(400))], 2, Cause::QueueFull),
        ("outside, given up", vec![(Target::External(0), Some(20_000))], 4, Cause::Timeout),
    ] {
        let seen = in_vain(&calls);
        let (asked, left) = (seen.balance.arrived, seen.balance.in_flight);
        let traffic = if whose < 4 { &seen.workloads[whose].traffic } else { &seen.externals[0] };
        let others = traffic.arrived - traffic.failures[cause as usize];
        assert!((asked - left..=asked).contains(&traffic.arrived), "{what}: {asked} calls, {traffic:?}");
        // The one that keeps the busy server busy is given up; of the others none is left.
        assert!(others <= left + 1 && traffic.answered <= left, "{what}: {:?}", traffic.failures);
    }
}

#[test]
fn the_same_seed_takes_the_same_way_and_another_one_doesn_t() {
    let scenario = servers(2, 0.7, exponential(SERVICE), 50_000.0);
    let run = |base| simulate(&scenario, Seed { base, replication: 0 });
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).fingerprint, run(2).fingerprint);
}
