//! The system that speed is measured with: three hops, with all that a request
//! can meet on its way.

use kubeplan::k8s::resources::Resources;
use kubeplan::scenario::{Balancing, Call, Pool, Retry, Scenario, Step, Target, Upstream, Workload};
use kubeplan::sim::random::Distribution;
use kubeplan::units::{MilliCpu, SimDuration};

use super::{journey, scenario, workload};

/// A call to a workload's only operation, with a timeout of a second and one
/// more attempt.
fn call(workload: usize) -> Step {
    Step::Call(Call {
        target: Target::Operation { workload, operation: 0 },
        probability: 1.0,
        timeout: Some(SimDuration::from_secs(1)),
        retry: Retry {
            attempts: 1,
            backoff: SimDuration::from_millis(50),
            max_backoff: SimDuration::from_secs(1),
            jitter: 0.5,
            budget: None,
        },
        required: true,
    })
}

fn compute(mean: f64) -> Step {
    Step::Compute(Distribution::LogNormal { mean, cv: 1.4 })
}

/// Pods with a CPU limit, places, and a bounded queue.
fn bounded(name: &str, replicas: u32, limit: u64, threads: u32, steps: Vec<Step>) -> Workload {
    let mut one = workload(name, replicas, steps);
    one.template.containers[0].limits = Resources { cpu: Some(MilliCpu(limit)), ..Resources::default() };
    one.behaviour.threads = Some(threads);
    one.behaviour.concurrency.limit = Some(32);
    one.behaviour.concurrency.queue = Some(64);
    one
}

/// Three hops at `load` times 10,000 requests a second: CPU shared under quotas,
/// places held while calls are out, timeouts and retries at every hop. At a load
/// of 1 the pods use 0.40 to 0.52 of their limits.
pub fn three_hops(load: f64, seconds: u64) -> Scenario {
    let front = vec![compute(0.000_8), call(1), compute(0.000_2)];
    let middle = vec![compute(0.000_9), call(2), compute(0.000_3)];
    let workloads = vec![
        bounded("front", 12, 2_000, 4, front),
        bounded("middle", 25, 1_000, 2, middle),
        bounded("leaf", 30, 500, 1, vec![compute(0.000_6)]),
    ];
    let mut whole = scenario(workloads, 10_000.0 * load, seconds);
    let mut one = journey();
    one.visits[0].timeout = SimDuration::from_secs(5);
    one.visits[0].retry = Retry {
        attempts: 1,
        backoff: SimDuration::from_millis(100),
        max_backoff: SimDuration::from_secs(1),
        jitter: 0.5,
        budget: None,
    };
    whole.demand.journeys = vec![one];
    whole.demand.client_latency = SimDuration::from_millis(10);
    whole
}

/// The same behind a balancing ingress, over connections that are kept: few enough that calls wait for one under
/// much load.
pub fn pool(three_hops: &mut Scenario) {
    three_hops.workloads[0].behind_ingress = true;
    three_hops.workloads[0].behaviour.ingress_balancing = Balancing::Ewma;
    for (from, balancing) in [Balancing::RoundRobin, Balancing::Random].into_iter().enumerate() {
        let pool = Pool {
            size: Some(40),
            least: 4,
            streams: Some(1),
            queue: Some(200),
            timeout: Some(SimDuration::from_millis(500)),
            idle: Some(SimDuration::from_secs(2)),
            max_age: Some(SimDuration::from_secs(5)),
            max_requests: None,
        };
        three_hops.workloads[from].behaviour.upstreams =
            vec![Upstream { pool: Some(pool), balancing, ..Upstream::to(from + 1) }];
    }
}
