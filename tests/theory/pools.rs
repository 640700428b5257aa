//! Pools of connections in front of a server without limits: at zero latency they are
//! the servers of M/M/c, with a queue M/M/c/K, with patience M/M/1+D.

use kubeplan::observe::{Cause, Observations};
use kubeplan::scenario::{Breaker, Call, Pool, Retry, Scenario, Step, Target, Upstream};
use kubeplan::units::SimDuration;

use crate::support::{exponential, pool, scenario, workload};
use crate::{SERVICE, agree, erlang_b, erlang_c};

/// One pod that calls another over a pool.
fn pooled(pool: Pool, load: f64, requests: f64) -> Scenario {
    let call = Call {
        target: Target::Operation { workload: 1, operation: 0 },
        probability: 1.0,
        timeout: None,
        retry: Retry::NONE,
        required: true,
    };
    let mut front = workload("front", 1, vec![Step::Call(call)]);
    front.behaviour.upstreams = vec![Upstream { pool: Some(pool), ..Upstream::to(1) }];
    let back = workload("back", 1, vec![Step::Wait(exponential(SERVICE))]);
    let per_second = load * f64::from(pool.size.unwrap_or(1)) / SERVICE;
    let mut scenario = scenario(vec![front, back], per_second, (requests / per_second) as u64);
    scenario.cluster.network_latency = SimDuration::ZERO;
    scenario
}

fn wait(seen: &Observations) -> f64 {
    seen.pools[0].wait.mean().unwrap_or_default()
}

fn failed(seen: &Observations, cause: Cause) -> f64 {
    let traffic = &seen.workloads[1].traffic;
    traffic.failures[cause as usize] as f64 / (traffic.answered + traffic.failed()) as f64
}

#[test]
fn a_pool_of_c_connections_is_m_m_c() {
    for (size, load) in [(1, 0.5), (1, 0.8), (4, 0.8), (10, 0.9)] {
        let offered = load * f64::from(size);
        let waits = erlang_c(size, offered);
        let mean = waits * SERVICE / (f64::from(size) - offered);
        // P(W > t) = C e^(-(c - a) t), t in service times.
        let p95 = f64::ln(waits / 0.05) / (f64::from(size) - offered) * SERVICE;
        // How connections come and go makes no difference where that takes no time.
        let plain = pool(size);
        let short = Pool { max_requests: Some(3), ..plain };
        let idle = Pool { idle: Some(SimDuration::from_millis(5)), least: 1, ..plain };
        for (what, pool) in [("kept", plain), ("of three calls", short), ("closed when idle", idle)] {
            agree(
                &format!("a pool of {size} connections {what} at {load}"),
                &pooled(pool, load, 150_000.0),
                &[
                    ("mean wait", mean, &wait),
                    ("p95", p95, &|seen| seen.pools[0].wait.quantile(0.95).unwrap_or(0.0)),
                    ("P(wait)", waits, &|seen| 1.0 - seen.pools[0].wait.share_within(SimDuration::ZERO)),
                    ("service", SERVICE, &|seen| seen.workloads[1].traffic.latency.mean().unwrap_or(0.0)),
                    ("most connections", f64::from(size), &|seen| f64::from(seen.pools[0].most)),
                ],
            );
        }
    }
}

#[test]
fn one_connection_with_streams_is_m_m_c_as_well() {
    let (streams, load) = (4, 0.8);
    let offered = load * f64::from(streams);
    let mean = erlang_c(streams, offered) * SERVICE / (f64::from(streams) - offered);
    let pool = Pool { streams: Some(streams), ..pool(1) };
    let mut scenario = pooled(pool, offered, 150_000.0);
    scenario.name = "streams".to_owned();
    agree("one connection with four streams", &scenario, &[("mean wait", mean, &wait)]);
}

#[test]
fn a_full_queue_turns_away_as_erlang_says() {
    for (size, queue, load) in [(4, 0, 0.8), (1, 3, 0.9), (4, 4, 1.2)] {
        let offered = load * f64::from(size);
        // M/M/c/K from M/M/c/c: each place in the queue is another step of the chain.
        let mut lost = erlang_b(size, offered);
        for _ in 0..queue {
            lost = lost * load / (1.0 + lost * load);
        }
        let pool = Pool { queue: Some(queue), ..pool(size) };
        agree(
            &format!("a pool of {size} with room for {queue} at {load}"),
            &pooled(pool, load, 150_000.0),
            &[
                ("turned away", lost, &|seen| failed(seen, Cause::PoolFull)),
                ("as the pool says", lost, &|seen| {
                    seen.pools[0].turned_away as f64 / seen.pools[0].asked() as f64
                }),
                ("all causes", lost, &|seen| 1.0 - seen.workloads[1].traffic.availability()),
            ],
        );
    }
}

#[test]
fn impatient_calls_leave_as_in_m_m_1_with_patience() {
    for (load, patience) in [(0.8, 2.0), (0.95, 1.0), (1.25, 3.0)] {
        // The virtual waiting time has density λ P₀ e^(-(μ-λ)x) up to the patience d and
        // falls as e^(-μx) beyond (Barrer 1957); in service times.
        let decay = f64::exp((load - 1.0) * patience);
        let within = load * (1.0 - decay) / (1.0 - load);
        let beyond = load * decay;
        let lost = beyond / (1.0 + within + beyond);
        let timeout = SimDuration::from_secs_f64(patience * SERVICE);
        let pool = Pool { timeout: Some(timeout), ..pool(1) };
        agree(
            &format!("one connection at {load} with a patience of {patience} services"),
            &pooled(pool, load, 150_000.0),
            &[
                ("timed out", lost, &|seen| failed(seen, Cause::PoolTimeout)),
                ("as the pool says", lost, &|seen| {
                    seen.pools[0].timed_out as f64 / seen.pools[0].asked() as f64
                }),
                ("all causes", lost, &|seen| 1.0 - seen.workloads[1].traffic.availability()),
            ],
        );
    }
}

#[test]
fn a_breaker_of_c_requests_loses_as_erlang_says() {
    for (most, load) in [(1, 0.5), (5, 0.8), (20, 1.1)] {
        let mut scenario = pooled(pool(most), load, 150_000.0);
        let breaker = Some(Breaker { max_requests: Some(most), ratio: None });
        scenario.workloads[0].behaviour.upstreams = vec![Upstream { breaker, ..Upstream::to(1) }];
        let lost = erlang_b(most, load * f64::from(most));
        agree(
            &format!("{most} requests at a time at {load}"),
            &scenario,
            &[
                ("stopped", lost, &|seen| failed(seen, Cause::BreakerFull)),
                ("all causes", lost, &|seen| 1.0 - seen.workloads[1].traffic.availability()),
            ],
        );
    }
}
