//! Pods on a node with too few cores share them by their requests.

use kubeplan::observe::Observations;
use kubeplan::scenario::{Drill, Failure, Scenario, Share, Step, Visit, Workload};
use kubeplan::sim::random::Seed;
use kubeplan::units::{MilliCpu, SimDuration};
use kubeplan::world::simulate;

mod support;

/// A pod that asks for so much CPU and is kept busy by the requests it gets.
fn pod(name: &str, request: u64) -> Workload {
    let mut one = support::workload(name, 1, vec![Step::Compute(support::exponential(0.01))]);
    one.template.containers[0].requests.cpu = Some(MilliCpu(request));
    one.behaviour.concurrency.limit = Some(8);
    one.behaviour.concurrency.queue = Some(50);
    one
}

/// A node of 4 cores on which each pod gets so many requests a second of 10 ms.
fn node(pods: &[(u64, f64)]) -> Scenario {
    let workloads = (0..).zip(pods).map(|(at, (request, _))| pod(&format!("p{at}"), *request)).collect();
    let mut made = support::scenario(workloads, pods.iter().map(|(_, rate)| rate).sum(), 100);
    made.cluster.pools[0].cpu = MilliCpu(4_000);
    made.demand.journeys = (0..)
        .zip(pods)
        .map(|(workload, (_, rate))| {
            let mut journey = support::journey();
            journey.weight = *rate;
            journey.visits = vec![Visit { workload, ..journey.visits[0].clone() }];
            journey
        })
        .collect();
    made
}

fn run(scenario: &Scenario) -> Observations {
    simulate(scenario, Seed { base: 4, replication: 0 })
}

/// Cores that each pod used.
fn cores(scenario: &Scenario) -> Vec<f64> {
    run(scenario).workloads.iter().map(|one| one.cpu_cores.mean()).collect()
}

#[test]
fn a_full_node_is_shared_by_requests() {
    // (request, requests per second of 10 ms) -> cores
    let rows: [(&[(u64, f64)], &[f64]); 5] = [
        // Both want more than there is: 1 to 3.
        (&[(500, 900.0), (1_500, 900.0)], &[1.0, 3.0]),
        // One is nearly idle: the other takes the rest of the node.
        (&[(500, 900.0), (1_500, 10.0)], &[3.9, 0.1]),
        // One wants less than its part, and gets it.
        (&[(500, 900.0), (1_500, 150.0)], &[2.5, 1.5]),
        // One asks for nothing: it lives on what the others leave.
        (&[(0, 900.0), (1_500, 200.0)], &[2.0, 2.0]),
        (&[(500, 900.0), (500, 900.0), (1_000, 900.0)], &[1.0, 1.0, 2.0]),
    ];
    for (pods, expected) in rows {
        let seen = cores(&node(pods));
        for (seen, expected) in seen.iter().zip(expected) {
            assert!((seen - expected).abs() < 0.04 * 4.0, "{pods:?}: {seen} cores instead of {expected}");
        }
        // The node is full: what one leaves idle the others use, and not more.
        let all: f64 = seen.iter().sum();
        assert!((all - 4.0).abs() < 0.04 * 4.0, "{pods:?}: {all} of 4 cores in use");
    }
}

#[test]
fn a_node_with_enough_cores_doesn_t_look_at_requests() {
    let system = |first: u64| {
        let mut made = node(&[(first, 90.0), (1_500, 90.0)]);
        // Two threads each: never more than the node's four.
        for workload in &mut made.workloads {
            workload.behaviour.threads = Some(2);
        }
        made
    };
    let (one, other) = (run(&system(100)), run(&system(2_000)));
    assert_eq!((one.fingerprint, one.events), (other.fingerprint, other.events));
    // With four threads each they do get into each other's way.
    let tight = |first: u64| {
        let mut made = system(first);
        made.workloads.iter_mut().for_each(|workload| workload.behaviour.threads = Some(4));
        run(&made).fingerprint
    };
    assert_ne!(tight(100), tight(2_000));
}

#[test]
fn work_takes_as_long_as_the_share_says() {
    // Two pods that always have something to do, one at a time, on one core,
    // requests 1 to 3: 10 ms of work take 40 ms on a quarter of a core.
    let mut made = node(&[(500, 300.0), (1_500, 300.0)]);
    made.cluster.pools[0].cpu = MilliCpu(1_000);
    for workload in &mut made.workloads {
        let requests = &mut workload.template.containers[0].requests;
        requests.cpu = requests.cpu.map(|cpu| MilliCpu(cpu.0 / 4));
        workload.behaviour.operations[0].steps = vec![Step::Compute(support::always(0.01))];
        workload.behaviour.concurrency.limit = Some(1);
        workload.behaviour.concurrency.queue = Some(5);
    }
    let seen = run(&made);
    for (workload, expected) in [(0, 0.04), (1, 0.01 / 0.75)] {
        let one = &seen.workloads[workload];
        let inside = one.traffic.latency.mean().unwrap_or_default() - one.wait.mean().unwrap_or_default();
        assert!((inside / expected - 1.0).abs() < 0.005, "{inside} s instead of {expected}");
    }
}

#[test]
fn stress_takes_its_part_of_a_node_and_of_a_pod() {
    let node_wide = |cores: u64| Failure::NodeCpuStress { nodes: 1, cpu: MilliCpu(1_000 * cores) };
    let in_the_pod =
        |cores: u64| Failure::CpuStress { workload: 0, pods: Share::Part(1.0), cpu: MilliCpu(1_000 * cores) };
    // (request, what happens) -> cores that are left for eight requests at a time, of four
    let rows: [(u64, Option<Failure>, f64); 6] = [
        (1_000, None, 4.0),
        // 1,024 to 1,024, and to three times that.
        (1_000, Some(node_wide(4)), 2.0),
        (3_000, Some(node_wide(4)), 3.0),
        // It wants less than its part.
        (1_000, Some(node_wide(1)), 3.0),
        // Eight threads against as many, and against two.
        (1_000, Some(in_the_pod(8)), 2.0),
        (1_000, Some(in_the_pod(2)), 3.2),
    ];
    for (request, what, expected) in rows {
        let mut made = node(&[(request, 900.0)]);
        let zero = SimDuration::ZERO;
        let drill = |what| Drill { name: "stress".to_owned(), from: zero, until: zero, lasts: None, what };
        made.drills.extend(what.clone().map(drill));
        let seen = run(&made);
        let answered = seen.workloads[0].traffic.answered as f64 / 100.0 * 0.01;
        assert!((answered - expected).abs() < 0.03 * 4.0, "{request}, {what:?}: {answered} cores");
    }
}
