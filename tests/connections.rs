//! Connections that pods keep: who gets them, who is refused, where they lead, and
//! what becomes of them when pods end.

use kubeplan::judge::judge;
use kubeplan::k8s::hpa::{HpaSpec, MetricSpec};
use kubeplan::k8s::probe::Probe;
use kubeplan::k8s::rollout::Strategy;
use kubeplan::observe::{Cause, Observations};
use kubeplan::scenario::{
    Autoscaler, Balancing, Breaker, Call, Comparison, Drill, Failure, FailureRatio, Indicator, Kind,
    Objective, Outlier, Pool, Release, Retry, Scenario, Scope, Share, Step, Target, Upstream,
};
use kubeplan::sim::random::Seed;
use kubeplan::units::{MilliCpu, SimDuration};
use kubeplan::world::simulate;
use support::{always, exponential, pool, scenario, workload};

mod support;

/// So many pods that call so many others over pools; each of these takes `work`.
fn called(pool: Pool, (from, to): (u32, u32), work: Step, per_second: f64, seconds: u64) -> Scenario {
    let call = Call {
        target: Target::Operation { workload: 1, operation: 0 },
        probability: 1.0,
        timeout: None,
        retry: Retry::NONE,
        required: true,
    };
    let mut front = workload("front", from, vec![Step::Call(call)]);
    front.behaviour.upstreams = vec![Upstream { pool: Some(pool), ..Upstream::to(1) }];
    let mut scenario = scenario(vec![front, workload("back", to, vec![work])], per_second, seconds);
    scenario.warm_up = SimDuration::from_secs(30);
    scenario
}

fn call(scenario: &mut Scenario) -> &mut Call {
    match &mut scenario.workloads[0].behaviour.operations[0].steps[0] {
        Step::Call(call) => call,
        _ => unreachable!("the front's only step is its call"),
    }
}

fn run(scenario: &Scenario) -> Observations {
    simulate(scenario, Seed { base: 5, replication: 0 })
}

fn failures(seen: &Observations, cause: Cause) -> u64 {
    seen.workloads[1].traffic.failures[cause as usize]
}

fn drill(scenario: &mut Scenario, what: Failure, at: u64, lasts: Option<u64>) {
    let at = SimDuration::from_secs(at);
    let lasts = lasts.map(SimDuration::from_secs);
    scenario.drills.push(Drill { name: "drill".to_owned(), from: at, until: at, lasts, what });
}

#[test]
fn what_a_pool_refuses_has_a_cause_and_is_named() {
    let tight = Pool { timeout: Some(SimDuration::from_millis(200)), queue: Some(8), ..pool(2) };
    let mut scenario = called(tight, (1, 1), Step::Wait(exponential(0.1)), 40.0, 600);
    scenario.goals.objectives.push(Objective {
        name: "availability".to_owned(),
        indicator: Indicator::Availability,
        scope: Scope::All,
        comparison: Comparison::AtLeast,
        goal: 0.999,
    });
    let seen = run(&scenario);
    let pool = &seen.pools[0];
    assert!(pool.timed_out > 1_000 && pool.turned_away > 1_000, "{pool:?}");
    assert_eq!(failures(&seen, Cause::PoolTimeout), pool.timed_out);
    assert_eq!(failures(&seen, Cause::PoolFull), pool.turned_away);
    assert_eq!(seen.workloads[1].traffic.failed(), pool.timed_out + pool.turned_away);
    // Two connections of 100 ms each carry 20 calls a second, and nobody waits longer.
    assert_eq!((pool.most, pool.opened), (2, 0), "both were open before, and stay");
    assert!(pool.wait.max().is_some_and(|longest| longest <= 0.2));
    assert!((seen.workloads[1].traffic.answered as f64 / 600.0 - 20.0).abs() < 1.0);
    let verdict = judge(&scenario, &[seen]);
    let because = verdict.objectives[0].because.join("\n");
    for words in [
        "front: calls to back waited 1",
        "(p95) for one of 2 connections of a pod, and all were open",
        "of them got none within 200ms",
        "what binds: upstreams.back.pool.size: 2 of front (in the model)",
    ] {
        assert!(because.contains(words), "{words}:\n{because}");
    }
}

#[test]
fn a_callee_takes_no_more_connections_than_it_may() {
    let mut scenario = called(pool(4), (3, 1), Step::Wait(exponential(0.1)), 120.0, 300);
    scenario.workloads[1].behaviour.max_connections = Some(7);
    let seen = run(&scenario);
    assert_eq!(seen.workloads[1].connections_max, 7);
    let refused = seen.pools[0].refused;
    assert!(refused > 100, "{refused} refused");
    assert!(
        failures(&seen, Cause::TooManyConnections).abs_diff(refused) <= 12,
        "each fails the call that asked"
    );
    let verdict = judge(&scenario, &[seen]);
    let named =
        verdict.remarks.iter().find(|one| one.starts_with("back: a pod takes 7 connections and refused"));
    assert!(
        named.is_some_and(|text| text.ends_with("asked for by front (4 connections a pod)")),
        "{:?}",
        verdict.remarks
    );
    // As many as all pools want are enough.
    scenario.workloads[1].behaviour.max_connections = Some(12);
    let seen = run(&scenario);
    assert_eq!((seen.pools[0].refused, seen.workloads[1].connections_max), (0, 12));
    assert_eq!(seen.workloads[1].traffic.failed(), 0);
}

/// A pod with one thread that is asked for 1.6 cores, and an HPA that makes more of it.
fn scaled_up(max_age: Option<u64>) -> Scenario {
    let pool = Pool { max_age: max_age.map(SimDuration::from_secs), ..pool(40) };
    let mut scenario = called(pool, (1, 1), Step::Compute(exponential(0.02)), 80.0, 900);
    let back = &mut scenario.workloads[1];
    back.behaviour.threads = Some(1);
    back.template.containers[0].requests.cpu = Some(MilliCpu(1_000));
    back.template.containers[0].readiness =
        Some(Probe { period: SimDuration::from_secs(5), ..Probe::default() });
    let spec = HpaSpec {
        min_replicas: 1,
        max_replicas: 4,
        metrics: vec![MetricSpec::default_cpu()],
        behavior: None,
    };
    scenario.autoscalers.push(Autoscaler { name: "back".to_owned(), workload: 1, spec, custom: Vec::new() });
    scenario.limits.in_flight = 10_000_000;
    scenario
}

#[test]
fn connections_that_are_kept_are_not_rebalanced() {
    let kept = run(&scaled_up(None));
    assert!(kept.workloads[1].ready.max() >= 2.0, "the HPA made more pods");
    assert_eq!(kept.pools[0].opened, 0, "nobody opened a connection to them");
    let used = kept.workloads[1].cpu_cores.max();
    assert!(used < 1.05, "the new pods got nothing to do, and the old one can't do more: {used} cores");
    // With a largest age all of them lead anywhere within that.
    let aged = run(&scaled_up(Some(30)));
    assert!(aged.pools[0].opened > 40, "{:?}", aged.pools[0].opened);
    let first = aged.decisions.first().expect("the HPA scales").time;
    let series = &aged.series;
    let ready_at = (0..series.times.len())
        .find(|row| series.times[*row] > first && series.workloads[1].ready[*row] >= 2)
        .expect("its pods get ready");
    // 30 s, a tenth more, and two steps of the series.
    let within = series.times[ready_at] + SimDuration::from_secs(33) + series.step * 2;
    let row = series.times.iter().position(|time| *time >= within).expect("the run is longer");
    let cpu = series.workloads[1].cpu[row];
    assert!(cpu > 1.3, "{cpu} cores at {within:?}");
}

#[test]
fn connections_end_with_the_process_that_took_them() {
    let mut scenario = called(pool(6), (1, 3), Step::Wait(always(0.02)), 100.0, 300);
    let crash = Failure::ContainerCrash { workload: 1, pods: Share::Count(1), out_of_memory: false };
    drill(&mut scenario, crash, 100, None);
    let seen = run(&scenario);
    // At most all of its connections are opened anew, those in use with a failed call.
    assert!((1..=6 + 6).contains(&seen.pools[0].opened), "{:?}", seen.pools[0].opened);
    let ended = failures(&seen, Cause::PodEnded);
    assert!((1..=6).contains(&ended), "{ended} calls were cut off");
    assert_eq!(seen.pools[0].most, 6);
    let after = seen.workloads[1].traffic.answered;
    assert!(after + 100 > 100 * 300 - 1_000, "{after} answered: the pool goes on");
}

#[test]
fn a_process_that_hangs_costs_each_connection_a_timeout() {
    let mut scenario = called(pool(6), (1, 1), Step::Wait(always(0.02)), 100.0, 300);
    call(&mut scenario).timeout = Some(SimDuration::from_secs(1));
    let hang = Failure::Hang { workload: 1, pods: Share::Count(1) };
    drill(&mut scenario, hang, 100, Some(20));
    let seen = run(&scenario);
    let lost = failures(&seen, Cause::Timeout);
    // All calls of 20 s run into it; those who wait for one of six connections time out, too.
    assert!((1_500..=2_300).contains(&lost), "{lost} timed out");
    assert!(seen.pools[0].opened >= 6, "whoever gives up closes the connection: {:?}", seen.pools[0].opened);
    assert_eq!(seen.pools[0].most, 6);
    let answered = seen.workloads[1].traffic.answered;
    assert!(answered > 27_000, "{answered} answered: it goes on afterwards");
}

#[test]
fn pools_open_again_after_a_rolling_update() {
    for (least, streams) in [(0, Some(1)), (4, Some(1)), (0, None)] {
        let shared = if streams.is_none() { 1 } else { 4 };
        let kept = Pool { least, streams, ..pool(shared) };
        let mut scenario = called(kept, (2, 3), Step::Wait(always(0.01)), 100.0, 600);
        for one in &mut scenario.workloads {
            one.kind = Kind::Deployment {
                strategy: Strategy::default(),
                progress_deadline: SimDuration::from_secs(600),
            };
            one.template.containers[0].readiness =
                Some(Probe { period: SimDuration::from_secs(2), ..Probe::default() });
        }
        for workload in [0, 1] {
            let what = Failure::Rollout { workload, release: Release::default(), undone: false };
            drill(&mut scenario, what, 100 + 150 * workload as u64, None);
        }
        let seen = run(&scenario);
        assert_eq!(seen.rollouts.len(), 2);
        assert!(seen.rollouts.iter().all(|one| one.completed.is_some()), "{:?}", seen.rollouts);
        let traffic = &seen.journeys[0];
        assert!(seen.pools[0].opened >= u64::from(2 * shared), "{:?}", seen.pools[0].opened);
        assert!(traffic.availability() > 0.98, "{streams:?}: {}", traffic.availability());
        assert!(seen.workloads[1].connections_max <= 2 * 4 * 2, "none is left over");
        // Nothing fails any more once it is over.
        let series = &seen.series;
        let last = (0..series.times.len()).rev().take_while(|row| series.failed[*row] == 0).count();
        assert!(last as u64 * series.step.as_nanos() > 100_000_000_000, "failures go on to the end");
    }
}

/// The share of calls that a pod gets whose calls are 200 ms late, of four.
fn share_of_the_late(by: Balancing) -> f64 {
    let mut scenario = called(pool(1), (1, 4), Step::Wait(exponential(0.01)), 160.0, 600);
    let upstream = &mut scenario.workloads[0].behaviour.upstreams[0];
    (upstream.pool, upstream.balancing) = (None, by);
    let what = Failure::PodNetwork {
        workload: 1,
        pods: Share::Count(1),
        peer: Some(0),
        delay: SimDuration::from_millis(200),
        loss: 0.0,
    };
    drill(&mut scenario, what, 0, None);
    let seen = run(&scenario);
    1.0 - seen.workloads[0].traffic.latency.share_within(SimDuration::from_millis(150))
}

#[test]
fn a_slow_pod_gets_less_from_who_looks() {
    for (by, least, most) in [
        (Balancing::Random, 0.24, 0.26),
        (Balancing::RoundRobin, 0.245, 0.255),
        // Both draws are that pod once in sixteen times; else another nearly always has less.
        (Balancing::LeastRequest, 0.062, 0.095),
        // Two different ones are drawn, so that it is asked again only to learn how it is.
        (Balancing::PeakEwma, 0.000_05, 0.02),
    ] {
        let share = share_of_the_late(by);
        assert!((least..most).contains(&share), "{by:?}: {share}");
    }
}

#[test]
fn connections_in_turn_are_spread_evenly() {
    let mut scenario = called(pool(8), (1, 4), Step::Wait(exponential(0.1)), 100.0, 120);
    scenario.workloads[0].behaviour.upstreams[0].balancing = Balancing::RoundRobin;
    let seen = run(&scenario);
    assert_eq!((seen.pools[0].most, seen.workloads[1].connections_max), (8, 2));
    scenario.workloads[0].behaviour.upstreams[0].balancing = Balancing::Random;
    assert!(run(&scenario).workloads[1].connections_max > 2, "at random some pod gets more");
}

#[test]
fn an_open_breaker_spares_callers_the_wait() {
    let mut scenario = called(pool(1), (1, 1), Step::Wait(always(0.02)), 100.0, 300);
    call(&mut scenario).timeout = Some(SimDuration::from_secs(1));
    let hang = Failure::Hang { workload: 1, pods: Share::Count(1) };
    drill(&mut scenario, hang, 100, Some(60));
    scenario.workloads[0].behaviour.upstreams = Vec::new();
    let without = run(&scenario);
    assert!(failures(&without, Cause::Timeout) > 5_500, "{}", failures(&without, Cause::Timeout));
    let wait = SimDuration::from_secs(10);
    let ratio = FailureRatio { threshold: 500_000, window: 20, least: 20, wait, half_open: 5 };
    let breaker = Some(Breaker { max_requests: None, ratio: Some(ratio) });
    scenario.workloads[0].behaviour.upstreams = vec![Upstream { breaker, ..Upstream::to(1) }];
    let seen = run(&scenario);
    // What was sent within a second and until ten had failed, and five for each look: at
    // 11, 22, 33, 44 and 55 s.
    let lost = failures(&seen, Cause::Timeout);
    assert!((80..=170).contains(&lost), "{lost} timed out");
    let stopped = failures(&seen, Cause::BreakerOpen);
    assert!(stopped > 5_500, "{stopped} stopped");
    // Within the wait after the end it is closed again.
    assert!(stopped + lost < 7_300, "{stopped} stopped, {lost} timed out");
}

#[test]
fn who_fails_in_a_row_gets_nothing_for_a_while() {
    let share = |pods: u32, outlier: Option<Outlier>| {
        let mut scenario = called(pool(1), (1, pods), Step::Wait(always(0.01)), 200.0, 600);
        call(&mut scenario).timeout = Some(SimDuration::from_millis(200));
        drill(&mut scenario, Failure::Hang { workload: 1, pods: Share::Count(1) }, 0, None);
        scenario.workloads[0].behaviour.upstreams = vec![Upstream { outlier, ..Upstream::to(1) }];
        1.0 - run(&scenario).workloads[1].traffic.availability()
    };
    let rule = Outlier {
        errors: 5,
        interval: SimDuration::from_secs(10),
        ejection: SimDuration::from_secs(30),
        most: 100_000,
    };
    assert!((share(10, None) - 0.1).abs() < 0.005);
    // Out for 30, 60, 90, 120, 150 s: five times five, and what was under way then.
    let left = share(10, Some(rule));
    assert!((0.000_2..0.001).contains(&left), "{left}");
    // A tenth of nine is less than one.
    assert!((share(9, Some(rule)) - 1.0 / 9.0).abs() < 0.005);
}
