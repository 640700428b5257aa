//! What follows from Kubernetes' rules when something breaks or changes: the
//! time lines of a lost node, a crash loop, a rollout, each simulated.

mod support;

use kubeplan::k8s::disruption::{Budget, UnhealthyPodEviction};
use kubeplan::k8s::hpa::{HpaSpec, MetricSpec, ResourceName, ResourceTarget};
use kubeplan::k8s::labels::Selector;
use kubeplan::k8s::placement::{TaintEffect, Toleration};
use kubeplan::k8s::probe::{Handler, Probe};
use kubeplan::k8s::rollout::{IntOrPercent, Strategy};
use kubeplan::k8s::version::Version;
use kubeplan::observe::{Cause, MomentKind, Observations};
use kubeplan::scenario::{
    Autoscaler, DisruptionBudget, Drill, Failure, Hook, Kind, NodePool, ProvisionedBy, Release, ReleaseFault,
    Scenario, Share, Step, WarmUp,
};
use kubeplan::sim::random::Seed;
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};
use kubeplan::world::simulate;
use support::curves::{following, without_users};
use support::{always, exponential, scenario, workload};

const fn seconds(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

/// A Deployment of `replicas` pods with a readiness probe every 5 s on nodes of
/// four pods each, asked 40 times a second; users give up after 2 s.
fn web(replicas: u32, nodes: u32, horizon: u64) -> Scenario {
    let mut pod = workload("web", replicas, vec![Step::Compute(exponential(0.005))]);
    pod.kind = Kind::Deployment { strategy: Strategy::default(), progress_deadline: seconds(600) };
    pod.template.containers[0].readiness = Some(Probe { period: seconds(5), ..Probe::default() });
    pod.template.containers[0].limits.cpu = Some(MilliCpu(2_000));
    let mut scenario = scenario(vec![pod], 40.0, horizon);
    scenario.warm_up = seconds(120);
    scenario.demand.journeys[0].visits[0].timeout = seconds(2);
    let pool = &mut scenario.cluster.pools[0];
    (pool.cpu, pool.count, pool.min, pool.max) = (MilliCpu(8_000), nodes, nodes, nodes);
    scenario
}

fn with(mut scenario: Scenario, at: u64, lasts: Option<u64>, what: Failure) -> Scenario {
    scenario.drills.push(Drill {
        name: "drill".to_owned(),
        from: seconds(at),
        until: seconds(at),
        lasts: lasts.map(seconds),
        what,
    });
    scenario
}

fn run(scenario: &Scenario, replication: u32) -> Observations {
    simulate(scenario, Seed { base: 23, replication })
}

/// Seconds from the strike to the first moment of a kind.
fn after_strike(seen: &Observations, kind: MomentKind) -> f64 {
    let strike = seen.watch.strikes[0].time.expect("the drill strikes");
    let moment = seen.moments.iter().find(|one| one.kind == kind && one.time >= strike);
    moment.unwrap_or_else(|| panic!("no {kind:?} in {:?}", seen.moments)).time.since(strike).as_secs_f64()
}

/// Rows of the watch from so many seconds after the strike to so many.
fn between(seen: &Observations, from: u64, until: u64) -> Vec<&kubeplan::observe::WatchRow> {
    let strike = seen.watch.strikes[0].time.expect("the drill strikes");
    let rows = seen.watch.rows.iter();
    rows.filter(|row| row.time > strike + seconds(from) && row.time <= strike + seconds(until)).collect()
}

#[test]
fn a_lost_node_is_noticed_tainted_and_its_pods_replaced() {
    // Release, earliest and latest silence (behaviour.md K.2).
    for (minor, earliest, latest) in [(37, 40.0, 60.0), (31, 30.0, 50.0)] {
        for replication in 0..4 {
            let mut scenario = with(web(6, 3, 900), 60, None, Failure::NodeLoss { nodes: 1, gone: false });
            scenario.version = Version::new(minor).expect("a release that is known");
            let seen = run(&scenario, replication);
            let silent = after_strike(&seen, MomentKind::NodeSilent);
            assert!((earliest..=latest).contains(&silent), "1.{minor}: silent after {silent} s");
            let tainted = after_strike(&seen, MomentKind::NodeTainted);
            assert!((tainted - silent - 5.1).abs() < 0.2, "tainted {} s after that", tainted - silent);
            // Until the endpoints leave, the lost pods' share of the requests times out;
            // afterwards none does.
            let failed = |from: f64, until: f64| -> u64 {
                between(&seen, from as u64, until as u64).iter().map(|row| row.failed).sum()
            };
            let asked: u64 = between(&seen, 3, silent as u64).iter().map(|row| row.arrived).sum();
            let lost = failed(3.0, silent) as f64 / asked as f64;
            assert!((0.05..0.6).contains(&lost), "{lost} of the requests are lost while it is unnoticed");
            assert_eq!(failed(silent + 6.0, 880.0), 0, "nothing fails once the endpoints have left");
            // Pods are deleted 300 s after the taint, and replaced by those that are ready 3 to
            // 9 s later: set-up, start-up and one round of the readiness probe.
            let ready = |row: &kubeplan::observe::WatchRow| row.ready[0];
            assert!(between(&seen, silent as u64 + 2, tainted as u64 + 299).iter().all(|row| ready(row) < 6));
            let back = (tainted + 300.0 + 12.0) as u64;
            assert!(between(&seen, back, 800).iter().all(|row| ready(row) == 6), "replaced by {back} s");
        }
    }
}

#[test]
fn a_restarted_process_is_slower_until_it_is_warm() {
    let mut pod = workload("web", 1, vec![Step::Compute(always(0.01))]);
    pod.behaviour.warm_up = Some(WarmUp { factor: 5.0, lasts: seconds(100) });
    let all = Share::Part(1.0);
    let crash = Failure::ContainerCrash { workload: 0, pods: all, out_of_memory: false };
    let seen = run(&with(scenario(vec![pod], 5.0, 400), 60, None, crash), 0);
    let usual =
        between(&seen, 200, 300).iter().map(|row| row.slowest.as_secs_f64() * 1_000.0).fold(0.0, f64::max);
    let answered: Vec<_> = between(&seen, 0, 200);
    let answered = answered.iter().skip_while(|row| row.answered > 0).skip_while(|row| row.answered == 0);
    for (second, row) in answered.enumerate().filter(|(_, row)| row.answered > 0) {
        // 40 ms more at first, and 0.4 ms less with each second; one second either way
        // for where in it the process began to listen and the request came.
        let expected = (40.0 - 0.4 * second as f64).max(0.0);
        let more = row.slowest.as_secs_f64() * 1_000.0 - usual;
        assert!((more - expected).abs() < 0.9, "{more} ms more in second {second}, expected {expected}");
    }
}

#[test]
fn a_dead_node_keeps_its_volumes_for_six_minutes() {
    // Seconds after the loss: when its pods are deleted, and when they are all back.
    let back = |scenario: &Scenario, kind: MomentKind| {
        let seen = run(scenario, 0);
        let gone = after_strike(&seen, kind);
        let rows = between(&seen, gone as u64 + 1, 1_100);
        let whole = rows.iter().position(|row| row.ready[0] == 2);
        (gone, whole.map(|row| row as f64 + 1.0))
    };
    for (mounts, soonest) in [(false, 0.0), (true, 360.0)] {
        // One of two pods is on the node that is lost, and the other node has room.
        let mut scenario = web(2, 2, 1_300);
        scenario.workloads[0].template.single_node_volume = mounts;
        let lost = Failure::NodeLoss { nodes: 1, gone: false };
        let (_, whole) = back(&with(scenario.clone(), 60, None, lost.clone()), MomentKind::Evicted);
        let whole = whole.expect("a replacement is ready in the end");
        assert!((soonest..=soonest + 14.0).contains(&whole), "mounts {mounts}: {whole} s");
        // Power is back 100 to 150 s after the pod was deleted, and the volume with it.
        let (gone, whole) = back(&with(scenario.clone(), 60, Some(480), lost), MomentKind::Evicted);
        let whole = whole.expect("a replacement is ready in the end");
        let soonest = if mounts { 480.0 - gone } else { 0.0 };
        assert!((soonest..=soonest + 15.0).contains(&whole), "mounts {mounts}: {whole} s");
        // A StatefulSet's replacement comes once the object is gone with its node.
        scenario.workloads[0].kind =
            Kind::StatefulSet { parallel: false, partition: 0, max_unavailable: None, on_delete: false };
        let lost = Failure::NodeLoss { nodes: 1, gone: true };
        let (_, whole) = back(&with(scenario, 60, None, lost), MomentKind::NodeRemoved);
        let whole = whole.expect("a replacement is ready in the end");
        // Orphans are collected 40 to 60 s after the node.
        let soonest = if mounts { 400.0 } else { 40.0 };
        assert!((soonest..=soonest + 36.0).contains(&whole), "mounts {mounts}: {whole} s");
    }
}

#[test]
fn pods_that_tolerate_nothing_are_replaced_at_the_taint() {
    let mut scenario = with(web(6, 3, 400), 60, None, Failure::NodeLoss { nodes: 1, gone: false });
    scenario.workloads[0].template.wishes.tolerations.push(Toleration {
        key: "node.kubernetes.io/unreachable".to_owned(),
        exists: true,
        value: String::new(),
        effect: Some(TaintEffect::NoExecute),
        seconds: Some(0),
    });
    let seen = run(&scenario, 0);
    let tainted = after_strike(&seen, MomentKind::NodeTainted) as u64;
    assert!(between(&seen, tainted + 12, 300).iter().all(|row| row.ready[0] == 6));
}

#[test]
fn a_node_that_comes_back_loses_its_taint_and_keeps_its_pods() {
    let seen = run(&with(web(6, 3, 600), 60, Some(120), Failure::NodeLoss { nodes: 1, gone: false }), 0);
    let back = after_strike(&seen, MomentKind::NodeBack);
    assert!((120.0..=126.0).contains(&back), "untainted after {back} s");
    assert!(between(&seen, 140, 500).iter().all(|row| row.ready[0] == 6));
    assert_eq!(seen.workloads[0].pods_started, 0, "nobody was replaced");
}

#[test]
fn a_node_that_says_it_is_not_ready_keeps_its_endpoints() {
    let seen = run(&with(web(6, 3, 600), 60, Some(200), Failure::NodeNotReady { nodes: 1 }), 0);
    assert_eq!(seen.balance.failed, 0, "the pods go on, and their endpoints stay");
    let tainted = after_strike(&seen, MomentKind::NodeTainted);
    assert!((0.0..=6.0).contains(&tainted), "tainted after {tainted} s: nobody waits for a grace period");
}

#[test]
fn the_hpa_does_not_make_up_for_a_lost_node() {
    // Four pods at 60 % of their requests with a target of 60, one of them on a
    // node that dies: the survivors rise to 80, the missing one counts 0 as the
    // ratio is above 1, and the mean is back at 60 (behaviour.md K.3).
    let mut scenario = web(4, 4, 900);
    scenario.workloads[0].template.wishes.spread = Vec::new();
    scenario.workloads[0].template.containers[0].requests.cpu = Some(MilliCpu(1_000));
    scenario.workloads[0].behaviour.operations[0].steps = vec![Step::Compute(exponential(0.06))];
    let pool = &mut scenario.cluster.pools[0];
    pool.cpu = MilliCpu(2_000);
    pool.reserved_cpu = MilliCpu(600);
    scenario.autoscalers.push(Autoscaler {
        name: "web".to_owned(),
        workload: 0,
        spec: HpaSpec {
            min_replicas: 2,
            max_replicas: 20,
            metrics: vec![MetricSpec::Resource {
                resource: ResourceName::Cpu,
                container: None,
                target: ResourceTarget::Utilization(60),
            }],
            behavior: None,
        },
        custom: Vec::new(),
    });
    let seen = run(&with(scenario, 200, None, Failure::NodeLoss { nodes: 1, gone: false }), 0);
    let tainted = after_strike(&seen, MomentKind::NodeTainted) as u64;
    let rows = between(&seen, 90, tainted + 299);
    assert!(
        rows.iter().all(|row| row.desired[0] == 4),
        "no scale-up while the pod is missing: {:?}",
        seen.decisions
    );
    assert!(rows.iter().all(|row| row.ready[0] == 3));
}

#[test]
fn a_crash_loop_waits_ten_seconds_then_doubles() {
    // Each run: half a second until the end is noticed, one of set-up, one of
    // start-up, then it ends. Waits of 0, 10, 20, 40, 80, 160 and 300 s count from
    // the end of the run before.
    let mut starts = vec![0.5];
    for wait in [10.0, 20.0, 40.0, 80.0, 160.0, 300.0] {
        let before: f64 = starts[starts.len() - 1];
        starts.push(before + 2.0 + wait);
    }
    for (number, start) in starts.iter().enumerate() {
        for (horizon, restarts) in [(start - 0.4, number as u64), (start + 0.4, number as u64 + 1)] {
            let mut scenario = web(1, 1, 60);
            scenario.horizon = SimDuration::from_secs_f64(60.0 + horizon);
            let what = Failure::CrashLoop { workload: 0, pods: Share::Count(1) };
            let seen = run(&with(scenario, 60, None, what), 0);
            assert_eq!(seen.workloads[0].restarts, restarts, "{horizon} s after the first crash");
        }
    }
}

#[test]
fn a_rollout_moves_in_waves_between_its_fence_posts() {
    // Replicas, surge, unavailable, waves: ceil(N / (surge + unavailable)) at best.
    let quarter = IntOrPercent::Percent(25);
    for (replicas, surge, unavailable, most, least, waves) in [
        (8, quarter, quarter, 10, 6, 2),
        (3, quarter, quarter, 4, 3, 3),
        (4, IntOrPercent::Int(4), IntOrPercent::Int(0), 8, 4, 1),
        (4, IntOrPercent::Int(0), IntOrPercent::Int(1), 4, 3, 4),
    ] {
        let mut scenario = web(replicas, 4, 400);
        scenario.workloads[0].kind = Kind::Deployment {
            strategy: Strategy::RollingUpdate { max_surge: surge, max_unavailable: unavailable },
            progress_deadline: seconds(600),
        };
        let release = Release { new_image: true, ..Release::default() };
        let what = Failure::Rollout { workload: 0, release, undone: false };
        let seen = run(&with(scenario, 60, None, what), 0);
        let rollout = &seen.rollouts[0];
        let took = rollout.completed.expect("the rollout completes").since(rollout.started).as_secs_f64();
        // A wave: 2 s set-up, 1 s start-up and up to 5 s of probing, and the
        // controllers' lags.
        let bounds = f64::from(waves) * 3.0..=f64::from(waves) * 9.5 + 1.0;
        assert!(bounds.contains(&took), "{replicas} pods: {took} s for {waves} waves");
        let (mut sizes, mut largest) = ([replicas, 0], 0);
        for (_, set, to) in &rollout.resizes {
            sizes[*set as usize] = *to;
            largest = largest.max(sizes[0] + sizes[1]);
        }
        assert_eq!((sizes, largest), ([0, replicas], most), "{:?}", rollout.resizes);
        let fewest = between(&seen, 0, 200).iter().map(|row| row.ready[0]).min();
        assert_eq!(fewest, Some(least), "ready pods at the worst moment");
    }
}

#[test]
fn a_node_pulls_one_image_at_a_time() {
    // Two Deployments get a new image each at once, on one node, with two pods each.
    let mut scenario = web(2, 1, 300);
    scenario.cluster.image_pull = always(20.0);
    let kind = Kind::Deployment { strategy: Strategy::Recreate, progress_deadline: seconds(600) };
    scenario.workloads[0].kind = kind;
    let mut other = scenario.workloads[0].clone();
    other.name = "other".to_owned();
    other.template.labels.insert("app".to_owned(), "other".to_owned());
    scenario.workloads.push(other);
    let release = Release { new_image: true, ..Release::default() };
    for workload in [0, 1] {
        scenario = with(scenario, 60, None, Failure::Rollout { workload, release, undone: false });
    }
    let seen = run(&scenario, 0);
    let mut took: Vec<_> = [0, 1]
        .map(|workload| {
            let starts = &seen.workloads[workload].start_time;
            assert_eq!(seen.workloads[workload].pods_started, 2);
            (starts.quantile(0.0).unwrap_or(0.0), starts.quantile(1.0).unwrap_or(0.0))
        })
        .into();
    took.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Both pods of a workload wait for its one pull, and that for the other's; then set-up,
    // start-up and a readiness probe follow.
    for ((first, last), pulled) in took.into_iter().zip([20.0, 40.0]) {
        assert!(
            first >= pulled && last <= pulled + 12.0,
            "pulled after {pulled} s: ready {first} to {last} s"
        );
    }
}

#[test]
fn recreate_has_nobody_in_between() {
    let mut scenario = web(4, 2, 300);
    scenario.workloads[0].kind =
        Kind::Deployment { strategy: Strategy::Recreate, progress_deadline: seconds(600) };
    let what = Failure::Rollout { workload: 0, release: Release::default(), undone: false };
    let seen = run(&with(scenario, 60, None, what), 0);
    assert_eq!(between(&seen, 0, 60).iter().map(|row| row.ready[0]).min(), Some(0));
    assert!(seen.balance.failed > 20, "{} requests found nobody", seen.balance.failed);
    assert!(seen.rollouts[0].completed.is_some());
}

#[test]
fn a_broken_revision_stops_at_the_fence_and_is_undone() {
    for fault in [ReleaseFault::ImageMissing, ReleaseFault::CrashesOnStart, ReleaseFault::NeverReady] {
        let mut scenario = web(8, 4, 600);
        scenario.workloads[0].kind =
            Kind::Deployment { strategy: Strategy::default(), progress_deadline: seconds(120) };
        let release = Release { new_image: true, fault, work: 1.0 };
        let what = Failure::Rollout { workload: 0, release, undone: true };
        let seen = run(&with(scenario, 60, Some(300), what), 0);
        let late = after_strike(&seen, MomentKind::RolloutTimedOut);
        assert!((119.0..=125.0).contains(&late), "{fault:?}: out of time after {late} s");
        assert!(
            between(&seen, 0, 300).iter().all(|row| row.ready[0] >= 6),
            "{fault:?}: six of the old ones stay"
        );
        assert_eq!(seen.rollouts[1].completed.map(|_| ()), Some(()), "{fault:?}: undone");
        assert!(between(&seen, 330, 500).iter().all(|row| row.ready[0] == 8), "{fault:?}");
    }
}

#[test]
fn a_pre_stop_hook_longer_than_propagation_loses_nothing() {
    // Without one a process that ends at SIGTERM is still sent requests.
    for (hook, behind_ingress, loses) in
        [(None, false, true), (Some(10), false, false), (Some(10), true, false)]
    {
        let mut failed = 0;
        for replication in 0..5 {
            let mut scenario = web(4, 2, 200);
            scenario.workloads[0].template.containers[0].pre_stop =
                hook.map(|takes| Hook { takes: seconds(takes) });
            scenario.workloads[0].behind_ingress = behind_ingress;
            scenario.demand.population = kubeplan::scenario::Population::Rate {
                peak_per_second: 400.0,
                shape: kubeplan::scenario::Shape::steady(1.0),
                users: None,
                modulation: Vec::new(),
            };
            let what = Failure::Rollout { workload: 0, release: Release::default(), undone: false };
            failed += run(&with(scenario, 60, None, what), replication).balance.failed;
        }
        assert_eq!(failed > 0, loses, "preStop {hook:?}: {failed} requests failed in five rollouts");
    }
}

#[test]
fn a_budget_says_how_many_pods_a_drain_takes_at_once() {
    let one = Some(Budget::MaxUnavailable(IntOrPercent::Int(1)));
    let all = Some(Budget::MinAvailable(IntOrPercent::Percent(100)));
    // Two pods are on each of three nodes: nodes drained at once, and the least ready.
    for (budget, nodes, least) in [(None, 1, 4), (one, 1, 5), (all, 1, 6), (None, 2, 2), (one, 2, 5)] {
        let mut scenario = web(6, 3, 300);
        scenario.budgets.extend(budget.map(|budget| DisruptionBudget {
            name: "web".to_owned(),
            namespace: "default".to_owned(),
            selector: Selector::of(scenario.workloads[0].template.labels.clone()),
            budget,
            unhealthy: UnhealthyPodEviction::default(),
        }));
        let seen = run(&with(scenario, 60, Some(200), Failure::NodeDrain { nodes }), 0);
        let case = format!("{budget:?}, {nodes} at once");
        let blocked = seen.moments.iter().any(|one| one.kind == MomentKind::DrainBlocked);
        assert_eq!(blocked, budget.is_some(), "{case}");
        let seen_least = seen.watch.rows.iter().map(|row| row.ready[0]).min();
        assert_eq!(seen_least, Some(least), "{case}");
        let drained = if budget == all { 0 } else { 2 * nodes };
        assert_eq!(seen.workloads[0].pods_started, u64::from(drained), "{case}");
    }
}

#[test]
fn a_pod_that_crashes_over_and_over_holds_up_a_drain_unless_its_budget_says_otherwise() {
    for (unhealthy, held) in
        [(UnhealthyPodEviction::IfHealthyBudget, true), (UnhealthyPodEviction::AlwaysAllow, false)]
    {
        let mut scenario = web(2, 2, 600);
        one_at_a_time(&mut scenario);
        scenario.budgets[0].unhealthy = unhealthy;
        let all = Failure::CrashLoop { workload: 0, pods: Share::Part(1.0) };
        let mut scenario = with(scenario, 60, None, Failure::NodeDrain { nodes: 1 });
        let (from, name) = (seconds(10), "crash-loop".to_owned());
        scenario.drills.push(Drill { name, from, until: from, lasts: None, what: all });
        let seen = run(&scenario, 0);
        let blocked = seen.moments.iter().any(|one| one.kind == MomentKind::DrainBlocked);
        assert_eq!(blocked, held, "{unhealthy:?}: {:?}", seen.moments);
    }
}

#[test]
fn a_silent_node_counts_in_its_pool_until_it_is_taken_out() {
    // Both nodes are full, so the lost pods need a third.
    for (max, gone) in [(2, false), (3, false), (2, true)] {
        for replication in 0..3 {
            let mut scenario = with(web(6, 2, 2_400), 60, None, Failure::NodeLoss { nodes: 1, gone });
            let pool = &mut scenario.cluster.pools[0];
            (pool.cpu, pool.min, pool.max) = (MilliCpu(3_000), 1, max);
            scenario.cluster.provisioned_by = ProvisionedBy::ClusterAutoscaler;
            let seen = run(&scenario, replication);
            let [silent, removed, added] =
                [MomentKind::NodeSilent, MomentKind::NodeRemoved, MomentKind::NodeAdded]
                    .map(|kind| after_strike(&seen, kind));
            let case = format!("{max} at most, {gone}: silent {silent}, removed {removed}, added {added}");
            // The lost pods are deleted 345 to 370 s after the loss, and bought for within a
            // scan; where the cloud takes the node they are gone a minute after it.
            let soon = if gone { silent..silent + 150.0 } else { 405.0..455.0 };
            if gone {
                assert!((silent..silent + 5.1).contains(&removed), "{case}");
            } else {
                // Unready for 20 minutes, counted from when its pods hold it no more, which
                // is looked at every five minutes.
                assert!((silent + 1_200.0..silent + 1_850.0).contains(&removed), "{case}");
            }
            let room = if max == 2 && !gone { removed + 60.0..removed + 75.0 } else { soon };
            assert!(room.contains(&added), "{case}");
            let mut rows = seen.watch.rows.iter().map(|row| row.ready[0]);
            assert_eq!(rows.next_back(), Some(6), "{case}");
        }
    }
}

/// At most one pod of the first workload may be missing.
fn one_at_a_time(scenario: &mut Scenario) {
    scenario.budgets.push(DisruptionBudget {
        name: "web".to_owned(),
        namespace: "default".to_owned(),
        selector: Selector::of(scenario.workloads[0].template.labels.clone()),
        budget: Budget::MaxUnavailable(IntOrPercent::Int(1)),
        unhealthy: UnhealthyPodEviction::default(),
    });
}

#[test]
fn a_cheaper_node_takes_over_before_the_dear_one_is_drained() {
    // A machine that takes more than 15 minutes is given up, and what it was for with it.
    for (provision, replaced) in [(60.0, true), (1_000.0, false)] {
        let mut scenario = web(3, 1, 1_200);
        scenario.warm_up = seconds(1);
        scenario.workloads[0].template.containers[0].pre_stop = Some(Hook { takes: seconds(10) });
        one_at_a_time(&mut scenario);
        let pool = &mut scenario.cluster.pools[0];
        (pool.min, pool.price_per_hour) = (0, 4.0);
        let small = NodePool {
            name: "small".to_owned(),
            cpu: MilliCpu(4_000),
            count: 0,
            price_per_hour: 1.0,
            provision: always(provision),
            ..pool.clone()
        };
        scenario.cluster.pools.push(small);
        scenario.cluster.provisioned_by = ProvisionedBy::Karpenter;
        // A drill that changes nothing, for the watch's sake.
        let seen = run(&with(scenario, 1, None, Failure::Load { factor: 1.0, rise: seconds(0) }), 0);
        let of = |kind: MomentKind| {
            let all: Vec<f64> = seen
                .moments
                .iter()
                .filter(|one| one.kind == kind)
                .map(|one| one.time.as_secs_f64())
                .collect();
            assert!(all.len() < 2, "{kind:?} at {all:?}: {:?}", seen.moments);
            all.first().copied()
        };
        let added = of(MomentKind::NodeAdded).expect("the small one is bought");
        // Up to 10 s until the first look, and 15 s until the second.
        assert!((provision + 15.0..=provision + 25.1).contains(&added), "the new node joined at {added} s");
        let removed = of(MomentKind::NodeRemoved).expect("one of the two is too many");
        if replaced {
            // Three pods one after the other, each 10 s in its hook and started again
            // in less.
            assert!((added + 30.0..added + 90.0).contains(&removed), "{added} s, {removed} s");
            assert!(of(MomentKind::DrainBlocked).is_some(), "the budget lets one go at a time");
        }
        let least = seen.watch.rows.iter().map(|row| row.ready[0]).min();
        assert_eq!(least, Some(if replaced { 2 } else { 3 }));
        assert_eq!(seen.balance.failed, 0, "of {}", seen.balance.arrived);
    }
}

#[test]
fn a_node_short_of_memory_evicts_one_pod_at_a_look() {
    // Two pods of 3.5 GiB are on each of two nodes of 4 GiB, where their requests let them be.
    let mut scenario = web(4, 2, 600);
    scenario.warm_up = seconds(1);
    scenario.workloads[0].behaviour.memory.base = Bytes::from_mib(3_584);
    scenario.cluster.pools[0].memory = Bytes::from_mib(4_096);
    let scenario = with(scenario, 1, None, Failure::Load { factor: 1.0, rise: seconds(0) });
    for replication in 0..3 {
        let seen = run(&scenario, replication);
        let evicted = seen.moments.iter().filter(|one| one.kind == MomentKind::MemoryShort);
        let evicted: Vec<f64> = evicted.map(|one| one.time.as_secs_f64()).collect();
        // The first samples are 10 s old at most, and what the first node loses comes to the
        // other, as long as that isn't tainted.
        let early = evicted.iter().filter(|time| **time < 300.0).count();
        assert!((2..=3).contains(&early) && evicted[1] <= 12.0, "{evicted:?}");
        // The taint stays for five minutes after the last look that found memory short; then
        // pods come back, and it starts over.
        let (first, calm) = (evicted[0], evicted[early - 1]);
        assert!(evicted[early] > first + 300.0 && evicted[early] < first + 345.0, "{evicted:?}");
        let between = |from: f64, until: f64| {
            let rows = seen.watch.rows.iter().map(|row| (row.time.as_secs_f64(), row.ready[0]));
            rows.filter(move |(time, _)| *time > from && *time < until).map(|(_, ready)| ready)
        };
        assert!(between(calm + 2.0, first + 300.0).all(|ready| ready == 2), "{evicted:?}");
    }
}

#[test]
fn memory_that_a_curve_asks_for_runs_short_too() {
    // 3,800 MiB of two pods fit a node of 4 GiB, 4,500 don't; nor do they fit as one pod's,
    // to which all comes when the other has gone.
    let curve = [(0, 100, 1_024), (60, 100, 3_800), (120, 100, 4_500)];
    let mut scenario = without_users(vec![following("web", 2, &curve)], 240);
    scenario.warm_up = seconds(1);
    scenario.cluster.pools[0].memory = Bytes::from_mib(4_096);
    let seen = run(&scenario, 0);
    let evicted = seen.moments.iter().filter(|one| one.kind == MomentKind::MemoryShort);
    let evicted: Vec<f64> = evicted.map(|one| one.time.as_secs_f64()).collect();
    let [first, second] = evicted[..] else { panic!("{evicted:?}") };
    assert!((120.0..135.1).contains(&first), "{evicted:?}");
    assert!((10.0..15.1).contains(&(second - first)), "{evicted:?}");
}

#[test]
fn who_keeps_to_its_request_is_not_evicted() {
    let mut scenario = web(2, 1, 240);
    scenario.warm_up = seconds(1);
    let mut fair = scenario.workloads[0].clone();
    (fair.name, fair.replicas) = ("fair".to_owned(), 1);
    fair.template.labels = [("app".to_owned(), "fair".to_owned())].into();
    fair.template.containers[0].requests.memory = Some(Bytes::from_mib(2_048));
    scenario.workloads.push(fair);
    for workload in &mut scenario.workloads {
        workload.behaviour.memory.base = Bytes::from_mib(1_536);
    }
    scenario.cluster.pools[0].memory = Bytes::from_mib(4_096);
    // 4,608 MiB are too much, 3,072 aren't.
    for (priority, whose) in [(0, 0), (-1, 0), (2_000_000_000, 1)] {
        scenario.workloads[0].template.wishes.priority = priority;
        let seen = run(&scenario, 0);
        let evicted = seen.moments.iter().filter(|one| one.kind == MomentKind::MemoryShort);
        let evicted: Vec<_> = evicted.map(|one| one.workload).collect();
        assert_eq!(evicted, [Some(whose)], "priority {priority}");
        let (left, all) = (seen.workloads[whose].ready.value(), if whose == 0 { 1.0 } else { 0.0 });
        assert!((left - all).abs() < f64::EPSILON, "{left} are ready");
    }
}

#[test]
fn a_hang_is_found_by_the_liveness_probe() {
    let mut scenario = web(2, 1, 300);
    let probe = Probe { period: seconds(10), timeout: seconds(1), failure_threshold: 3, ..Probe::default() };
    scenario.workloads[0].template.containers[0].liveness = Some(probe);
    let seen = run(&with(scenario, 60, None, Failure::Hang { workload: 0, pods: Share::Count(1) }), 0);
    let killed = after_strike(&seen, MomentKind::ProbeKilled);
    assert!((21.0..=31.0).contains(&killed), "three rounds of ten seconds and a timeout: {killed} s");
    // It ignores SIGTERM: the grace period passes before it is killed and starts anew.
    assert!(between(&seen, 45, 240).iter().all(|row| row.failed == 0));
    assert!(between(&seen, 80, 240).iter().all(|row| row.ready[0] == 2));
}

#[test]
fn a_hang_ends_at_the_end_of_its_grace_period() {
    // Seconds: the pod's grace period, the liveness probe's own, preStop; the end that follows.
    for (pods, own, hook, ends) in
        [(30, None, None, 30), (60, None, Some(10), 60), (60, Some(4), None, 4), (60, Some(5), Some(10), 7)]
    {
        let mut scenario = web(2, 1, 300);
        let template = &mut scenario.workloads[0].template;
        template.grace = seconds(pods);
        template.containers[0].liveness =
            Some(Probe { grace: own.map(seconds), failure_threshold: 2, ..Probe::default() });
        template.containers[0].pre_stop = hook.map(|takes| Hook { takes: seconds(takes) });
        let seen = run(&with(scenario, 60, None, Failure::Hang { workload: 0, pods: Share::Count(1) }), 0);
        let killed = after_strike(&seen, MomentKind::ProbeKilled);
        let rows = between(&seen, killed as u64, 240);
        let back = rows.iter().find(|row| row.ready[0] == 2).expect("it comes back");
        let took = back.time.since(seen.watch.strikes[0].time.expect("it strikes")).as_secs_f64() - killed;
        // Noticed half a second later; then a second of start-up and a readiness probe every five.
        let soonest = f64::from(ends) + 1.5;
        assert!((soonest..=soonest + 9.0).contains(&took), "{pods} {own:?} {hook:?}: {took} s");
        assert_eq!(seen.workloads[0].restarts, 1);
    }
}

#[test]
fn readiness_is_asked_as_soon_as_the_startup_probe_has_succeeded() {
    let mut scenario = web(1, 1, 240);
    let container = &mut scenario.workloads[0].template.containers[0];
    container.startup = Some(Probe { period: seconds(3), ..Probe::default() });
    container.readiness = Some(Probe { period: seconds(60), ..Probe::default() });
    let crash = Failure::ContainerCrash { workload: 0, pods: Share::Count(1), out_of_memory: false };
    // Readiness ticks with the strike, and would tick a minute later.
    let seen = run(&with(scenario, 60, None, crash), 0);
    let rows = between(&seen, 2, 200);
    let back = rows.iter().position(|row| row.ready[0] == 1).expect("it comes back");
    assert!(back < 12, "set-up, a second of start-up and one round of the startup probe: {back} s");
}

#[test]
fn a_tcp_probe_finds_neither_a_hang_nor_an_overload() {
    let tcp = || {
        Some(Probe { handler: Handler::Tcp, period: seconds(5), failure_threshold: 1, ..Probe::default() })
    };
    let mut hung = web(2, 1, 240);
    let container = &mut hung.workloads[0].template.containers[0];
    (container.readiness, container.liveness) = (tcp(), tcp());
    let mut slow = hung.clone();
    let seen = run(&with(hung, 60, None, Failure::Hang { workload: 0, pods: Share::Count(1) }), 0);
    assert_eq!(seen.workloads[0].restarts, 0);
    let rows = between(&seen, 0, 170);
    assert!(rows.iter().all(|row| row.ready[0] == 2), "the kernel answers for it");
    let failed: u64 = rows[10..].iter().map(|row| row.failed).sum();
    assert!(failed > 160 * 10, "half of 40 requests a second are never answered: {failed} failed");
    slow.workloads[0].behaviour.operations[0].steps = vec![Step::Compute(exponential(0.2))];
    let seen = run(&slow, 0);
    assert!(
        !seen.moments.iter().any(|one| matches!(one.kind, MomentKind::ProbeKilled | MomentKind::Unready))
    );
    // A process that doesn't listen is found: it starts for longer than its start-up probe bears.
    let mut late = web(1, 1, 120);
    late.workloads[0].behaviour.start_up.wait = always(20.0);
    late.workloads[0].template.containers[0].startup = tcp();
    let what = Failure::ContainerCrash { workload: 0, pods: Share::Count(1), out_of_memory: false };
    let seen = run(&with(late, 10, None, what), 0);
    assert!(after_strike(&seen, MomentKind::ProbeKilled) < 10.0);
}

#[test]
fn a_pod_that_is_deleted_while_a_probe_kills_it_goes_by_its_deletion() {
    let mut scenario = web(1, 1, 300);
    scenario.workloads[0].template.containers[0].liveness =
        Some(Probe { grace: Some(seconds(20)), failure_threshold: 2, ..Probe::default() });
    let mut scenario = with(scenario, 60, None, Failure::Hang { workload: 0, pods: Share::Count(1) });
    // Found within 21 s, so it is deleted within the probe's grace and gone 30 s after that.
    scenario =
        with(scenario, 85, None, Failure::PodDelete { workload: 0, pods: Share::Count(1), force: false });
    let seen = run(&scenario, 0);
    assert_eq!(seen.workloads[0].restarts, 0, "nothing restarts in a pod that is to go");
    assert_eq!(seen.workloads[0].pods_started, 1, "it is replaced once");
}

#[test]
fn a_container_that_ends_by_itself_ends_the_termination_of_its_pod() {
    // A request takes longer than the run; what leaks kills the container 10 s into a grace
    // period of five minutes, once after SIGTERM and once while the preStop hook sleeps.
    for (sleep, gone) in [(0, 15), (20, 25)] {
        let mut scenario = web(1, 2, 200);
        scenario.workloads[0].behaviour.operations[0].steps = vec![Step::Wait(always(1_000.0))];
        let template = &mut scenario.workloads[0].template;
        template.grace = seconds(300);
        template.containers[0].limits.memory = Some(Bytes::from_mib(200));
        template.containers[0].pre_stop = (sleep > 0).then_some(Hook { takes: seconds(sleep) });
        let leak =
            Failure::MemoryLeak { workload: 0, pods: Share::Count(1), per_second: Bytes::from_mib(16) };
        let scenario = with(scenario, 60, Some(20), leak);
        let delete = Failure::PodDelete { workload: 0, pods: Share::Count(1), force: false };
        let seen = run(&with(scenario, 60, None, delete), 0);
        let start = seen.start;
        let pods = |after: u64| {
            let at = start + seconds(60 + after);
            let row = seen.series.times.iter().position(|&time| time >= at).expect("a row");
            seen.series.pods[row]
        };
        assert_eq!((pods(5), pods(gone + 10)), (2, 1), "{sleep} s of preStop: {:?}", seen.series.pods);
    }
}

#[test]
fn an_outage_shorter_than_a_row_is_an_outage() {
    let mut scenario = without_users(vec![following("web", 2, &[(0, 100, 10)])], 86_400);
    scenario.warm_up = seconds(600);
    let delete = Failure::PodDelete { workload: 0, pods: Share::Part(1.0), force: true };
    let seen = run(&with(scenario, 40_000, None, delete), 0);
    assert!(seen.series.step > seconds(30), "{}", seen.series.step);
    assert_eq!((seen.cluster.ready_pods.min(), seen.cluster.ready_pods.max()), (0.0, 2.0));
}

#[test]
fn an_overloaded_container_finishes_what_it_has_when_a_probe_kills_it() {
    // One pod of two cores gets work for eight; probes wait for one of ten places as others do.
    let ends = |drains, grace| {
        let mut scenario = web(1, 1, 120);
        let one = &mut scenario.workloads[0];
        one.behaviour.operations[0].steps = vec![Step::Compute(exponential(0.2))];
        one.behaviour.concurrency.limit = Some(10);
        one.behaviour.drains = drains;
        one.template.grace = seconds(grace);
        let probe = Probe { period: seconds(5), failure_threshold: 2, ..Probe::default() };
        one.template.containers[0].liveness = Some(probe);
        scenario.demand.journeys[0].visits[0].timeout = seconds(600);
        scenario.warm_up = seconds(1);
        let seen = run(&scenario, 0);
        assert!(seen.workloads[0].restarts > 0, "it is killed");
        seen.workloads[0].traffic.failures[Cause::PodEnded as usize]
    };
    assert_eq!(ends(true, 600), 0);
    assert!(ends(true, 2) > 0, "SIGKILL");
    assert!(ends(false, 600) > 0, "it drops its work at SIGTERM");
}

#[test]
fn what_stands_still_does_nothing_and_then_goes_on() {
    // A pod that is deleted while the control plane is out is replaced when it is back.
    let mut scenario = with(web(4, 2, 300), 60, Some(100), Failure::ControlPlane);
    scenario.drills.push(Drill {
        name: "kill".to_owned(),
        from: seconds(70),
        until: seconds(70),
        lasts: None,
        what: Failure::ContainerCrash { workload: 0, pods: Share::Count(1), out_of_memory: false },
    });
    let seen = run(&scenario, 0);
    assert_eq!(seen.workloads[0].restarts, 1, "the kubelet restarts a container by itself");
    // The registry and the metrics API: pods wait, the HPA is blind.
    let registry = Drill { what: Failure::Registry, ..scenario.drills[0].clone() };
    let mut rollout = scenario.drills[1].clone();
    let release = Release { new_image: true, ..Release::default() };
    rollout.what = Failure::Rollout { workload: 0, release, undone: false };
    scenario.drills = vec![registry, rollout];
    let seen = run(&scenario, 0);
    let completed = seen.rollouts[0].completed.expect("it completes in the end");
    let back = SimTime::ZERO + scenario.warm_up + seconds(160);
    // The pull's back-off has grown to 80 s by then.
    assert!(
        completed > back && completed < back + seconds(95),
        "completed {completed}, registry back {back}"
    );
}
