//! Runs against closed forms of queueing theory.
//!
//! Erlang B and C, Pollaczek and Khinchine, processor sharing, machine repair,
//! Jackson, mean value analysis, Kolmogorov's forward equations: see any textbook
//! (Kleinrock, Queueing Systems I). Each row runs a few replications and asks that
//! the formula's value lies in their confidence interval and, where that is narrow
//! enough to tell, within 1 % of their mean.

#[path = "../support/mod.rs"]
mod support;

mod balancing;
mod changing;
mod closed;
mod coverage;
mod forward;
mod laws;
mod losses;
mod networks;
mod pools;
mod single;

use kubeplan::observe::Observations;
use kubeplan::run::replicate;
use kubeplan::scenario::{Scenario, Step};
use kubeplan::sim::random::Distribution;
use kubeplan::units::SimDuration;
use support::{scenario, workload};

/// Student's t with 9 degrees of freedom for 95 % and for 99.9 %, both sides.
/// There are about a hundred rows: at 95 % five would fail by chance.
const T_95: f64 = 2.262;
const T_999: f64 = 4.781;
const REPLICATIONS: u32 = 10;
/// What tables of quantiles and histograms may add: a mean demand is right to
/// 0.05 %, which a busy server multiplies by 1 ÷ (1 - load).
const TABLES: f64 = 0.002_5;
/// An interval that is wider says too little.
const WIDEST: f64 = 0.08;

/// Mean service time of most rows, in seconds.
const SERVICE: f64 = 0.01;

/// What is asked of a run: a name, the formula's value, and where it is measured.
type Check<'a> = (&'a str, f64, &'a dyn Fn(&Observations) -> f64);

/// Asks that runs of a scenario agree with formulas.
fn agree(what: &str, scenario: &Scenario, checks: &[Check]) {
    let runs = replicate(scenario, 7, 0..REPLICATIONS, |_| ());
    let mut wrong = Vec::new();
    for (name, expected, measure) in checks {
        let values: Vec<f64> = runs.iter().map(measure).collect();
        wrong.extend(compare(&values, *expected).map(|why| format!("{what}: {name}: {why}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong with the values of [`REPLICATIONS`] runs, if anything.
fn compare(values: &[f64], expected: f64) -> Option<String> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    let (distance, scale) = ((mean - expected).abs(), expected.abs());
    let said = || format!("{mean} ± {}, expected {expected}", T_95 * error);
    if T_95 * error > WIDEST * scale {
        return Some(format!("{}: the interval is too wide to say anything", said()));
    }
    let outside = distance > T_999 * error + TABLES * scale;
    let long = T_95 * error <= 0.005 * scale;
    let off = distance > if long { 0.01 } else { WIDEST } * scale;
    (outside || off).then(said)
}

/// Mean time in the first workload's pod, in seconds.
fn response(seen: &Observations) -> f64 {
    seen.workloads[0].traffic.latency.mean().unwrap_or_default()
}

/// Mean time waiting for a place there.
fn wait(seen: &Observations) -> f64 {
    seen.workloads[0].wait.mean().unwrap_or_default()
}

/// Share of user requests that failed.
fn lost(seen: &Observations) -> f64 {
    1.0 - seen.journeys[0].availability()
}

/// First come, first served by `servers` in one pod, for so many requests.
fn servers(servers: u32, load: f64, service: Distribution, requests: f64) -> Scenario {
    let mut pod = workload("pod", 1, vec![Step::Compute(service)]);
    pod.behaviour.concurrency.limit = Some(servers);
    let per_second = load * f64::from(servers) / SERVICE;
    let mut scenario = scenario(vec![pod], per_second, (requests / per_second) as u64);
    scenario.cluster.network_latency = SimDuration::ZERO;
    scenario
}

/// Erlang's B: the share of requests that `servers` without a queue turn away
/// under `offered` load.
fn erlang_b(servers: u32, offered: f64) -> f64 {
    1.0 / (1..=servers).fold(1.0, |inverse, server| 1.0 + inverse * f64::from(server) / offered)
}

/// Erlang's C: the probability to wait in M/M/c.
fn erlang_c(servers: u32, offered: f64) -> f64 {
    let b = erlang_b(servers, offered);
    b / (1.0 - offered / f64::from(servers) * (1.0 - b))
}
