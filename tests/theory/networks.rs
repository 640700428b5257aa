//! Several workloads behind one that only calls: tandems and Jackson networks.

use kubeplan::observe::Observations;
use kubeplan::scenario::{Call, Retry, Step, Target, Workload};
use kubeplan::sim::random::Distribution;

use crate::support::{always, exponential, scenario, workload};
use crate::{SERVICE, agree, erlang_c};

/// A call to a workload, made with this probability.
pub fn call(workload: usize, probability: f64) -> Step {
    let target = Target::Operation { workload, operation: 0 };
    Step::Call(Call { target, probability, timeout: None, retry: Retry::NONE, required: true })
}

/// A workload without work of its own and without bounds.
pub fn gateway(calls: Vec<Step>) -> Workload {
    workload("gateway", 1, calls)
}

/// First come, first served.
fn queue(name: &str, servers: u32, service: Distribution) -> Workload {
    let mut one = workload(name, 1, vec![Step::Compute(service)]);
    one.behaviour.concurrency.limit = Some(servers);
    one
}

/// Mean time in M/M/c, with the service time.
fn m_m_c(rate: f64, servers: u32, service: f64) -> f64 {
    let offered = rate * service;
    service * (1.0 + erlang_c(servers, offered) / (f64::from(servers) - offered))
}

fn time_in(workload: usize) -> impl Fn(&Observations) -> f64 {
    move |seen| seen.workloads[workload].traffic.latency.mean().unwrap_or(0.0)
}

fn time_of_all(seen: &Observations) -> f64 {
    seen.journeys[0].latency.mean().unwrap_or(0.0)
}

#[test]
fn what_leaves_m_m_c_is_poisson_again() {
    // Burke 1956: each queue of a tandem is as if it stood alone.
    let rate = 160.0;
    let queues = [(2, SERVICE), (4, 0.02), (1, 0.005)];
    let mut all = vec![gateway(vec![call(1, 1.0), call(2, 1.0), call(3, 1.0)])];
    all.extend(
        queues.iter().map(|&(servers, service)| queue(&format!("{service}"), servers, exponential(service))),
    );
    let mut scenario = scenario(all, rate, 900);
    let hop = scenario.cluster.network_latency.as_secs_f64();
    let times: Vec<f64> = queues.iter().map(|&(servers, service)| m_m_c(rate, servers, service)).collect();
    // To the gateway, to the three and back.
    let whole = times.iter().sum::<f64>() + 8.0 * hop;
    scenario.name = "tandem".to_owned();
    agree(
        "tandem",
        &scenario,
        &[
            ("first", times[0], &time_in(1)),
            ("second", times[1], &time_in(2)),
            ("third", times[2], &time_in(3)),
            ("whole", whole, &time_of_all),
        ],
    );
}

#[test]
fn jackson_networks_have_the_product_form() {
    // One, then two for 60 %, then one again for 30 %, then three, which shares
    // its processor among constant demands.
    let rate = 50.0;
    let one = queue("one", 1, exponential(SERVICE));
    let two = queue("two", 2, exponential(0.05));
    let mut three = workload("three", 1, vec![Step::Compute(always(0.012))]);
    three.behaviour.threads = Some(1);
    let calls = vec![call(1, 1.0), call(2, 0.6), call(1, 0.3), call(3, 1.0)];
    let scenario = scenario(vec![gateway(calls), one, two, three], rate, 3_000);
    let hop = scenario.cluster.network_latency.as_secs_f64();
    let times = [m_m_c(1.3 * rate, 1, SERVICE), m_m_c(0.6 * rate, 2, 0.05), m_m_c(rate, 1, 0.012)];
    let whole = 1.3 * times[0] + 0.6 * times[1] + times[2] + 2.0 * hop * (1.0 + 1.3 + 0.6 + 1.0);
    let visits = |workload: usize| {
        move |seen: &Observations| {
            seen.workloads[workload].traffic.arrived as f64 / seen.workloads[0].traffic.arrived as f64
        }
    };
    agree(
        "Jackson",
        &scenario,
        &[
            ("visits to one", 1.3, &visits(1)),
            ("visits to two", 0.6, &visits(2)),
            ("one", times[0], &time_in(1)),
            ("two", times[1], &time_in(2)),
            ("three", times[2], &time_in(3)),
            ("whole", whole, &time_of_all),
        ],
    );
}

#[test]
fn pods_of_a_workload_split_a_poisson_stream_evenly() {
    // kube-proxy chooses at random: three pods are three M/M/1 under a third each.
    let mut pod = workload("pod", 3, vec![Step::Compute(exponential(SERVICE))]);
    pod.behaviour.concurrency.limit = Some(1);
    let scenario = scenario(vec![pod], 210.0, 800);
    agree("three pods", &scenario, &[("mean response", m_m_c(70.0, 1, SERVICE), &time_in(0))]);
}
