//! tmp
#[path = "../tests/support/mod.rs"]
mod support;
use kubeplan::scenario::*;
use kubeplan::sim::random::{Distribution, Seed};
use kubeplan::units::*;
use support::*;
fn main() {
    let ln = |mean: f64| Distribution::LogNormal { mean, cv: 1.4 };
    let call = |w: usize| {
        Step::Call(Call {
            target: Target::Operation { workload: w, operation: 0 },
            probability: 1.0,
            timeout: Some(SimDuration::from_secs(2)),
            retry: Retry {
                attempts: 1,
                backoff: SimDuration::from_millis(50),
                max_backoff: SimDuration::from_secs(1),
                jitter: 0.5,
            },
            required: true,
        })
    };
    let mut ws = vec![
        workload("a", 22, vec![Step::Compute(ln(0.001)), call(1), Step::Compute(ln(0.0002))]),
        workload("b", 22, vec![Step::Compute(ln(0.001)), call(2), Step::Compute(ln(0.0002))]),
        workload("c", 22, vec![Step::Compute(ln(0.001))]),
    ];
    for w in &mut ws {
        w.behaviour.threads = Some(1);
        w.behaviour.concurrency = Concurrency { limit: Some(64), queue: Some(256) };
        w.template.containers[0].limits.cpu = Some(MilliCpu(1_000));
    }
    let mut s = scenario(ws, 10_000.0, 600);
    s.warm_up = SimDuration::from_secs(10);
    if std::env::args().nth(1).is_some() {
        s.demand.population = Population::Users { peak: 100_000.0, shape: Shape::steady(1.0) };
        s.demand.journeys[0].visits[0].think = exponential(10.0);
    }
    s.demand.journeys[0].visits[0].timeout = SimDuration::from_secs(10);
    let t = std::time::Instant::now();
    let seen = kubeplan::world::simulate(&s, Seed { base: 1, replication: 0 });
    let d = t.elapsed().as_secs_f64();
    let n = seen.balance.arrived as f64;
    println!(
        "{n} requests, {} events ({:.1}/req), {d:.2} s, {:.0} ns/request, failed {}, p99 {:?}",
        seen.events,
        seen.events as f64 / n,
        d / n * 1e9,
        seen.balance.failed,
        seen.journeys[0].latency.quantile(0.99)
    );
}
