//! Bounded room: Erlang's loss system and M/M/c/K.

use kubeplan::observe::Cause;
use kubeplan::scenario::{Call, External, Quota, Retry, Scenario, Step, Target};
use kubeplan::sim::random::{Distribution, Seed};
use kubeplan::units::SimDuration;
use kubeplan::world::simulate;

use crate::support::{always, exponential, scenario, workload};
use crate::{SERVICE, agree, erlang_b, lost, response, servers, wait};

/// `servers` with room for `queue` more.
fn bounded(count: u32, queue: u32, load: f64, service: Distribution) -> Scenario {
    let mut scenario = servers(count, load, service, 120_000.0);
    scenario.workloads[0].behaviour.concurrency.queue = Some(queue);
    scenario
}

#[test]
fn erlang_s_loss_formula_holds_for_any_service_time() {
    for (count, offered, service) in [
        (1, 0.5, exponential(SERVICE)),
        (3, 2.0, exponential(SERVICE)),
        (3, 2.0, always(SERVICE)),
        (10, 8.0, exponential(SERVICE)),
        (10, 8.0, Distribution::HyperExponential { mean: SERVICE, cv: 2.0 }),
        (10, 14.0, Distribution::LogNormal { mean: SERVICE, cv: 1.4 }),
        (40, 36.0, exponential(SERVICE)),
    ] {
        let what = format!("{count} servers under {offered} with {service:?}");
        let scenario = bounded(count, 0, offered / f64::from(count), service);
        agree(
            &what,
            &scenario,
            &[("blocked", erlang_b(count, offered), &lost), ("mean response", SERVICE, &response)],
        );
    }
}

#[test]
fn m_m_c_k_turns_away_and_delays_as_its_birth_and_death_process_says() {
    // Servers, places to wait, load.
    for (count, queue, load) in [(1, 4, 0.8), (1, 9, 1.0), (2, 3, 0.9), (4, 8, 1.3), (8, 16, 1.0)] {
        let (blocked, waiting) = m_m_c_k(count, queue, load);
        let scenario = bounded(count, queue, load, exponential(SERVICE));
        let rate = load * f64::from(count) / SERVICE;
        agree(
            &format!("M/M/{count}/{} at {load}", count + queue),
            &scenario,
            &[
                ("blocked", blocked, &lost),
                ("refused by the queue", blocked, &|seen| {
                    let traffic = &seen.journeys[0];
                    traffic.failures[Cause::QueueFull as usize] as f64 / traffic.arrived as f64
                }),
                // Little's law over those that get in.
                ("mean wait", waiting / (rate * (1.0 - blocked)), &wait),
            ],
        );
    }
}

/// P(full) and the mean number waiting.
fn m_m_c_k(count: u32, queue: u32, load: f64) -> (f64, f64) {
    let offered = load * f64::from(count);
    let mut weights = vec![1.0];
    for number in 1..=count + queue {
        weights.push(weights[number as usize - 1] * offered / f64::from(number.min(count)));
    }
    let all: f64 = weights.iter().sum();
    let waiting: f64 = weights
        .iter()
        .zip(0..)
        .map(|(weight, number): (_, u32)| weight * f64::from(number.saturating_sub(count)))
        .sum();
    (weights[weights.len() - 1] / all, waiting / all)
}

#[test]
fn a_quota_refuses_what_is_beyond_it_and_next_to_nothing_below() {
    // Calls a second, the seconds that they are counted over, calls asked for a second; the
    // share refused. Below the quota a bucket is nearly never empty, however rare calls are.
    for (per_second, over, asked, refused) in [
        (20.0 / 60.0, 60, 2.0 / 60.0, 0.0),
        (1.5, 60, 0.75, 0.0),
        (500.0, 1, 400.0, 0.0),
        (10.0, 1, 20.0, 0.5),
    ] {
        let call = Call {
            target: Target::External(0),
            probability: 1.0,
            timeout: None,
            retry: Retry::NONE,
            required: true,
        };
        let seconds = (10_000.0 / asked) as u64;
        let mut scenario = scenario(vec![workload("pod", 1, vec![Step::Call(call)])], asked, seconds);
        scenario.externals = vec![External {
            name: "outside".to_owned(),
            latency: always(0.01),
            error_rate: 0.0,
            quota: Some(Quota { per_second, over: SimDuration::from_secs(over) }),
        }];
        let seen = simulate(&scenario, Seed { base: 7, replication: 0 });
        let outside = &seen.externals[0];
        let share = outside.failures[Cause::ExternalQuota as usize] as f64 / outside.arrived as f64;
        assert!((share - refused).abs() < 0.01, "{per_second} a second, {asked} asked: {share} refused");
    }
}
