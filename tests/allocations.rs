//! A request costs no allocation: all that grows does so once, and is used again.

use std::alloc::System;

use kubeplan::sim::random::Seed;
use kubeplan::world::simulate;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

mod support;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and requests of a run of so many seconds; `pooled` for connections that
/// are kept.
fn allocations(load: f64, seconds: u64, pooled: bool) -> (usize, u64) {
    let mut scenario = support::hops::three_hops(load, seconds);
    if pooled {
        support::hops::pool(&mut scenario);
    }
    let region = Region::new(GLOBAL);
    let seen = simulate(&scenario, Seed { base: 2, replication: 0 });
    let change = region.change();
    (change.allocations + change.reallocations, seen.balance.arrived)
}

#[test]
fn requests_allocate_nothing() {
    // Calm, and far beyond what the pods can do: timeouts, retries, refusals.
    for (load, pooled) in [(0.3, false), (4.0, false), (0.3, true), (4.0, true)] {
        let (short, fewer) = allocations(load, 3, pooled);
        let (long, more) = allocations(load, 9, pooled);
        let (extra, requests) = (long.saturating_sub(short), more - fewer);
        assert!(requests > 15_000, "only {requests} more requests");
        // A longer run writes more rows of its series, and tables may grow once more.
        assert!(
            extra < 200,
            "{extra} allocations for {requests} more requests at a load of {load}, pooled: {pooled}"
        );
    }
}
