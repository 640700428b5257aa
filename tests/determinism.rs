//! Same inputs and seed, same way: event by event, whatever the threads.

use kubeplan::input::{Request, load};
use kubeplan::observe::Observations;
use kubeplan::run::replicate;
use kubeplan::scenario::Scenario;
use kubeplan::units::SimDuration;

/// The embedded application at a load that keeps its autoscalers busy.
fn scenario() -> Scenario {
    let request = Request { users: Some(20_000.0), ..Request::default() };
    let mut scenario = load(&request).expect("the embedded application loads").scenario;
    scenario.horizon = SimDuration::from_secs(60);
    scenario
}

fn runs(threads: usize, base: u64) -> Vec<Observations> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be had");
    let scenario = scenario();
    pool.install(|| replicate(&scenario, base, 0..2, |_| ()))
}

#[test]
fn threads_change_nothing_and_seeds_change_everything() {
    let (one, two, other) = (runs(1, 5), runs(2, 5), runs(2, 6));
    assert_eq!(one, two);
    let fingerprints: std::collections::BTreeSet<u64> =
        one.iter().chain(&other).map(|run| run.fingerprint).collect();
    assert_eq!(fingerprints.len(), 4, "each seed and replication goes its own way");
    for run in &one {
        let balance = run.balance;
        assert_eq!(balance.arrived, balance.answered + balance.failed + balance.in_flight);
        assert!(balance.arrived > 10_000, "only {} requests", balance.arrived);
    }
}
