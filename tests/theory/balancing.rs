//! Balancers in front of servers that take one request at a time, against what is known
//! of them: round robin spaces arrivals, two choices shorten the longest queue.

use kubeplan::observe::Observations;
use kubeplan::run::replicate;
use kubeplan::scenario::{Balancing, Population, Scenario};
use kubeplan::units::SimDuration;

use crate::support::exponential;
use crate::{SERVICE, agree, response, servers, wait};

/// So many pods of one server each behind an ingress.
fn balanced(pods: u32, load: f64, by: Balancing, requests: f64) -> Scenario {
    let mut scenario = servers(1, load, exponential(SERVICE), requests / f64::from(pods));
    let web = &mut scenario.workloads[0];
    web.replicas = pods;
    web.behind_ingress = true;
    web.behaviour.ingress_balancing = by;
    if let Population::Rate { peak_per_second, .. } = &mut scenario.demand.population {
        *peak_per_second *= f64::from(pods);
    }
    scenario
}

#[test]
fn round_robin_makes_erlang_arrivals_of_poisson_ones() {
    for (pods, load) in [(2, 0.8), (4, 0.8), (8, 0.9)] {
        // GI/M/1 with the sum of k exponential gaps: sigma = (k λ / (k λ + μ (1 - sigma)))^k.
        let (k, mut sigma) = (f64::from(pods), 0.5_f64);
        for _ in 0..10_000 {
            sigma = f64::powi(k * load / (k * load + 1.0 - sigma), pods as i32);
        }
        let mean = sigma / (1.0 - sigma) * SERVICE;
        agree(
            &format!("{pods} pods in turn at {load}"),
            &balanced(pods, load, Balancing::RoundRobin, 400_000.0),
            &[
                ("mean wait", mean, &wait),
                ("P(wait)", sigma, &|seen| 1.0 - seen.workloads[0].wait.share_within(SimDuration::ZERO)),
            ],
        );
    }
}

#[test]
fn at_random_each_pod_is_m_m_1() {
    let mean = 0.8 / 0.2 * SERVICE;
    let scenario = balanced(4, 0.8, Balancing::Random, 400_000.0);
    agree("4 pods at random", &scenario, &[("mean wait", mean, &wait)]);
}

/// With many servers the share with at least i requests is load^(2^i - 1) (Vvedenskaya,
/// Dobrushin and Karpelevich 1996; Mitzenmacher 1996).
#[test]
fn the_fewer_of_two_is_doubly_exponential() {
    for load in [0.7, 0.9] {
        let expected: f64 = (1..8).map(|i| f64::powi(load, 2_i32.pow(i) - 2)).sum::<f64>() * SERVICE;
        let scenario = balanced(100, load, Balancing::LeastRequest, 400_000.0);
        let runs = replicate(&scenario, 7, 0..3, |_| ());
        let mean = runs.iter().map(response).sum::<f64>() / 3.0;
        assert!((mean / expected - 1.0).abs() < 0.04, "at {load}: {mean}, expected {expected}");
        // Nobody waits behind more than a few, where at random one in a hundred waits
        // for ln(100 load) / (1 - load) services.
        let longest = |seen: &Observations| seen.workloads[0].wait.quantile(0.999).unwrap_or(0.0);
        let most = runs.iter().map(longest).fold(0.0, f64::max);
        assert!(most < 13.0 * SERVICE, "at {load}: {most}");
    }
}
