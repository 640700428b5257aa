//! Runs against closed forms of queueing theory.
//!
//! Erlang C, Pollaczek and Khinchine, processor sharing, machine repair: see any
//! textbook (Kleinrock, Queueing Systems I). Each row runs a few replications and
//! asks that the formula lies within their confidence interval, widened to 1 %
//! where the run is long enough for the interval to be narrower.

mod support;

use kubeplan::observe::Observations;
use kubeplan::scenario::{Population, Scenario, Shape, Step};
use kubeplan::sim::random::{Distribution, Seed};
use kubeplan::world::simulate;
use support::{always, exponential, scenario, workload};

/// Student's t for 97.5 % with 9 degrees of freedom.
const T_9: f64 = 2.262;
const REPLICATIONS: u32 = 10;

/// Mean and half width of the 95 % confidence interval over replications.
fn estimate(scenario: &Scenario, measure: impl Fn(&Observations) -> f64) -> (f64, f64) {
    let values: Vec<f64> = (0..REPLICATIONS)
        .map(|replication| measure(&simulate(scenario, Seed { base: 7, replication })))
        .collect();
    let count = f64::from(REPLICATIONS);
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, T_9 * (variance / count).sqrt())
}

/// Asks that a run agrees with a formula.
fn agrees(what: &str, scenario: &Scenario, expected: f64, measure: impl Fn(&Observations) -> f64) {
    let (mean, half) = estimate(scenario, measure);
    // One interval in twenty misses; twice its width does so once in a thousand.
    let allowed = (2.0 * half).min(0.05 * expected).max(0.01 * expected);
    assert!((mean - expected).abs() <= allowed, "{what}: {mean} ± {half}, expected {expected}");
}

/// Mean time in the pod, in seconds.
fn response(seen: &Observations) -> f64 {
    seen.workloads[0].traffic.latency.mean().unwrap_or_default()
}

/// Mean time waiting for a place.
fn wait(seen: &Observations) -> f64 {
    seen.workloads[0].wait.mean().unwrap_or_default()
}

/// Erlang's C: the probability to wait in M/M/c.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let mut inverse_b = 1.0;
    for server in 1..=servers {
        inverse_b = 1.0 + inverse_b * f64::from(server) / load;
    }
    let b = 1.0 / inverse_b;
    b / (1.0 - load / f64::from(servers) * (1.0 - b))
}

/// First come, first served by `servers` in one pod; service 10 ms.
fn servers(servers: u32, load: f64, service: Distribution) -> Scenario {
    let mut pod = workload("pod", 1, vec![Step::Compute(service)]);
    pod.behaviour.concurrency.limit = Some(servers);
    let per_second = load * f64::from(servers) / 0.01;
    scenario(vec![pod], per_second, (400_000.0 / per_second) as u64)
}

#[test]
fn m_m_c_waits_as_erlang_says() {
    for (count, load) in [(1, 0.5), (1, 0.8), (2, 0.8), (4, 0.5), (4, 0.8), (10, 0.8), (25, 0.9)] {
        let scenario = servers(count, load, exponential(0.01));
        let expected = erlang_c(count, load * f64::from(count)) * 0.01 / (f64::from(count) * (1.0 - load));
        agrees(&format!("M/M/{count} at {load}"), &scenario, expected, wait);
    }
}

#[test]
fn m_g_1_waits_as_pollaczek_and_khinchine_say() {
    let rows = [
        ("M/D/1", always(0.01), 0.0),
        ("Erlang-2", Distribution::Gamma { mean: 0.01, cv: 0.5_f64.sqrt() }, 0.5),
        ("log-normal", Distribution::LogNormal { mean: 0.01, cv: 1.2 }, 1.44),
    ];
    for (name, service, squared) in rows {
        for load in [0.5, 0.8] {
            let expected = 0.01 * load * (1.0 + squared) / (2.0 * (1.0 - load));
            agrees(&format!("{name} at {load}"), &servers(1, load, service.clone()), expected, wait);
        }
    }
}

#[test]
fn processor_sharing_doesn_t_care_for_the_distribution() {
    for service in [always(0.01), exponential(0.01), Distribution::HyperExponential { mean: 0.01, cv: 2.0 }] {
        for load in [0.5, 0.8] {
            let mut pod = workload("pod", 1, vec![Step::Compute(service.clone())]);
            pod.behaviour.threads = Some(1);
            let scenario = scenario(vec![pod], load / 0.01, (400_000.0 * 0.01 / load) as u64);
            agrees(&format!("PS {service:?} at {load}"), &scenario, 0.01 / (1.0 - load), response);
        }
    }
}

#[test]
fn a_closed_population_slows_down_as_machine_repair_says() {
    // M26: users, think time, service time, servers, throughput.
    for (users, think, service, count, throughput) in [
        (20, 2.0, 0.05, 1, 9.5739),
        (60, 2.0, 0.05, 1, 19.9864),
        (150, 2.0, 0.05, 4, 71.0525),
        (50, 0.5, 0.1, 8, 75.8263),
    ] {
        let mut pod = workload("pod", 1, vec![Step::Compute(exponential(service))]);
        pod.behaviour.concurrency.limit = Some(count);
        let mut scenario = scenario(vec![pod], 1.0, 4_000);
        scenario.demand.population = Population::Users { peak: f64::from(users), shape: Shape::steady(1.0) };
        scenario.demand.journeys[0].visits[0].think = exponential(think);
        scenario.cluster.network_latency = kubeplan::units::SimDuration::ZERO;
        agrees(&format!("{users} users"), &scenario, throughput, |seen| {
            seen.journeys[0].answered as f64 / 4_000.0
        });
    }
}

#[test]
fn little_s_law_holds_and_nothing_is_lost() {
    let scenario = servers(4, 0.8, exponential(0.01));
    let seen = simulate(&scenario, Seed { base: 3, replication: 0 });
    let seconds = scenario.horizon.as_secs_f64();
    // Used CPU is what the requests asked for: rate × mean demand.
    let rate = seen.journeys[0].arrived as f64 / seconds;
    let used = seen.workloads[0].cpu_cores.mean();
    assert!((used / (rate * 0.01) - 1.0).abs() < 0.01, "{used} cores for {rate} requests/s of 10 ms");
    let balance = seen.balance;
    assert_eq!(balance.arrived, balance.answered + balance.failed + balance.in_flight);
    assert_eq!(balance.failed, 0);
}

#[test]
fn the_same_seed_takes_the_same_way_and_another_one_doesn_t() {
    let scenario = servers(2, 0.7, exponential(0.01));
    let run = |base| simulate(&scenario, Seed { base, replication: 0 });
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).fingerprint, run(2).fingerprint);
}
