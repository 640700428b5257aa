//! The arithmetic of CPU limits, through a whole run.

use kubeplan::scenario::{Scenario, Step};

use crate::{hold, row};

use crate::support::{always, scenario, workload};
use kubeplan::sim::random::Seed;
use kubeplan::units::MilliCpu;
use kubeplan::world::simulate;

/// One pod under a limit, alone with a request now and then.
fn limited(limit: u64, threads: u32, work: f64) -> Scenario {
    let mut pod = workload("pod", 1, vec![Step::Compute(always(work))]);
    pod.behaviour.threads = Some(threads);
    pod.template.containers[0].limits.cpu = Some(MilliCpu(limit));
    // So seldom that each request finds the pod idle and its quota whole.
    scenario(vec![pod], 0.005, 2_000_000)
}

#[test]
fn a_request_that_meets_the_quota_s_edge_stands_still() {
    // A limit of 600m is 60 ms in each period of 100 ms. A request of 86 ms that
    // meets r ms of its period uses the quota up where r > 60: it stands still until
    // the period ends and runs 26 ms in the next, r + 26 in all. With r from 26 to 60
    // the next quota covers the rest: 86. With less it needs a third period: 126.
    // Mean over r: 0.4 × 106 + 0.34 × 86 + 0.26 × 126.
    let seen = simulate(&limited(600, 1, 0.086), Seed { base: 1, replication: 0 });
    let latency = &seen.workloads[0].traffic.latency;
    hold(&[
        (row("response, mean, ms", 104.4, 0.6), latency.mean().unwrap_or(0.0) * 1e3),
        (row("response of the luckiest, ms", 86.0, 1.0), latency.quantile(0.3).unwrap_or(0.0) * 1e3),
        // 60 ms, a stall of 40 ms, 26 ms: the worst case of the source.
        (row("response of the unluckiest, ms", 126.0, 1.0), latency.quantile(0.99).unwrap_or(0.0) * 1e3),
    ]);
}
