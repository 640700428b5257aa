//! Users who wait for answers: machine repair and mean value analysis.

use kubeplan::scenario::{Journey, Population, Shape, Step};
use kubeplan::units::SimDuration;

use crate::agree;
use crate::networks::{call, gateway};
use crate::support::{always, exponential, scenario, workload};

#[test]
fn a_closed_population_slows_down_as_machine_repair_says() {
    // M26: users, think time, service time, servers, throughput, mean response, utilisation.
    for (users, think, service, count, throughput, response, busy) in [
        (20, 2.0, 0.05, 1, 9.5739, 0.089_02, 0.4787),
        (60, 2.0, 0.05, 1, 19.9864, 1.002_04, 0.9993),
        (150, 2.0, 0.05, 4, 71.0525, 0.111_12, 0.8882),
        (150, 2.0, 0.0421, 4, 72.7134, 0.062_89, 0.7653),
        (50, 0.5, 0.1, 8, 75.8263, 0.1594, 0.9478),
    ] {
        let mut pod = workload("pod", 1, vec![Step::Compute(exponential(service))]);
        pod.behaviour.concurrency.limit = Some(count);
        let mut scenario = scenario(vec![pod], 1.0, 4_000);
        scenario.demand.population = Population::Users { peak: f64::from(users), shape: Shape::steady(1.0) };
        scenario.demand.journeys[0].visits[0].think = exponential(think);
        scenario.cluster.network_latency = SimDuration::ZERO;
        agree(
            &format!("{users} users on {count} servers"),
            &scenario,
            &[
                ("throughput", throughput, &|seen| seen.journeys[0].answered as f64 / 4_000.0),
                ("mean response", response, &crate::response),
                ("utilisation", busy, &|seen| seen.workloads[0].cpu_cores.mean() / f64::from(count)),
                // Little's law over the whole circle.
                ("users", f64::from(users), &|seen| {
                    let rate = seen.journeys[0].answered as f64 / 4_000.0;
                    rate * (think + seen.journeys[0].latency.mean().unwrap_or(0.0))
                }),
            ],
        );
    }
}

#[test]
fn closed_networks_share_their_users_as_mean_value_analysis_says() {
    // Two single servers, visited once and every other time, and one that shares
    // its processor among constant demands; users think in between.
    let (first, second, shared) = (0.02, 0.03, 0.01);
    let mut one = workload("one", 1, vec![Step::Compute(exponential(first))]);
    let mut two = workload("two", 1, vec![Step::Compute(exponential(second))]);
    let mut three = workload("three", 1, vec![Step::Compute(always(shared))]);
    one.behaviour.concurrency.limit = Some(1);
    two.behaviour.concurrency.limit = Some(1);
    three.behaviour.threads = Some(1);
    let calls = vec![call(1, 1.0), call(2, 0.5), call(3, 1.0)];
    for (users, think) in [(10, 0.5), (40, 0.5), (40, 2.0)] {
        let mut scenario =
            scenario(vec![gateway(calls.clone()), one.clone(), two.clone(), three.clone()], 1.0, 4_000);
        scenario.demand.population = Population::Users { peak: f64::from(users), shape: Shape::steady(1.0) };
        scenario.demand.journeys[0].visits[0].think = exponential(think);
        scenario.cluster.network_latency = SimDuration::ZERO;
        let (rate, response) = mean_value_analysis(users, think, &[first, 0.5 * second, shared]);
        agree(
            &format!("{users} users who think {think} s"),
            &scenario,
            &[
                ("throughput", rate, &|seen| seen.journeys[0].answered as f64 / 4_000.0),
                ("mean response", response, &|seen| seen.journeys[0].latency.mean().unwrap_or(0.0)),
            ],
        );
    }
}

#[test]
fn users_are_met_as_if_they_had_always_been_there() {
    // A journey of one request that nine of ten begin, and one of twenty that two thirds of
    // the users are in at any moment. There is no time to settle.
    let mut scenario = scenario(vec![workload("pod", 4, vec![Step::Compute(always(0.000_1))])], 1.0, 30);
    scenario.demand.population = Population::Users { peak: 2_000.0, shape: Shape::steady(1.0) };
    let short = scenario.demand.journeys[0].clone();
    scenario.demand.journeys = [(9.0, 1, exponential(10.0)), (1.0, 20, exponential(9.0))]
        .map(|(weight, times, think)| {
            let mut journey = Journey { weight, ..short.clone() };
            (journey.visits[0].times, journey.visits[0].think) = (times, think);
            journey
        })
        .to_vec();
    let cycle = 0.9 * 10.0 + 0.1 * 20.0 * 9.0;
    // All at once, and within a ramp.
    for (ramp, warm_up) in [(0, 1), (20_000, 21_000)] {
        scenario.demand.ramp_in = SimDuration::from_millis(ramp);
        scenario.warm_up = SimDuration::from_millis(warm_up);
        agree(
            &format!("users of two journeys, who come within {ramp} ms"),
            &scenario,
            &[
                ("short ones", 2_000.0 * 0.9 / cycle, &|seen| seen.journeys[0].arrived as f64 / 30.0),
                ("long ones", 2_000.0 * 2.0 / cycle, &|seen| seen.journeys[1].arrived as f64 / 30.0),
            ],
        );
    }
}

#[test]
fn users_of_a_rate_are_those_who_think_too() {
    // 3,000 users who ask every 30 s, at a level of two thirds.
    let mut scenario = scenario(vec![workload("pod", 4, vec![Step::Compute(always(0.000_1))])], 1.0, 600);
    scenario.demand.population = Population::Rate {
        peak_per_second: 100.0,
        shape: Shape::steady(2.0 / 3.0),
        users: Some(3_000.0),
        modulation: Vec::new(),
    };
    scenario.demand.journeys[0].visits[0].think = exponential(30.0);
    agree(
        "users of a rate",
        &scenario,
        &[
            ("users", 2_000.0, &|seen| seen.cluster.users.mean()),
            ("asked a second", 200.0 / 3.0, &|seen| seen.journeys[0].arrived as f64 / 600.0),
        ],
    );
}

/// Throughput and mean response of a closed network of single servers with these
/// demands per request (Reiser and Lavenberg 1980).
fn mean_value_analysis(users: u32, think: f64, demands: &[f64]) -> (f64, f64) {
    let mut lengths = vec![0.0; demands.len()];
    let (mut rate, mut response) = (0.0, 0.0);
    for user in 1..=users {
        let times: Vec<f64> =
            demands.iter().zip(&lengths).map(|(demand, length)| demand * (1.0 + length)).collect();
        response = times.iter().sum();
        rate = f64::from(user) / (think + response);
        lengths = times.iter().map(|time| rate * time).collect();
    }
    (rate, response)
}
