//! One pod, Poisson arrivals, no end of room: M/M/c, M/G/1, processor sharing.

use kubeplan::scenario::Step;
use kubeplan::sim::random::Distribution;
use kubeplan::units::SimDuration;

use crate::support::{always, exponential, scenario, workload};
use crate::{SERVICE, agree, erlang_c, response, servers, wait};

#[test]
fn m_m_c_waits_as_erlang_says() {
    // M26: servers, load, P(wait), mean wait, response p50, p95, p99, in service times.
    for (count, load, waits, mean, p50, p95, p99) in [
        (1, 0.5, 0.5, 1.0, 1.3863, 5.9915, 9.2103),
        (1, 0.8, 0.8, 4.0, 3.4657, 14.9787, 23.0259),
        (1, 0.95, 0.95, 19.0, 13.8629, 59.9146, 92.1034),
        (2, 0.8, 0.71111, 1.77778, 2.04, 7.9107, 11.9374),
        (4, 0.5, 0.17391, 0.08696, 0.7834, 3.1497, 4.7642),
        (4, 0.8, 0.59643, 0.74554, 1.3462, 4.738, 6.8932),
        (4, 0.95, 0.89142, 4.45709, 3.9856, 15.5197, 23.5669),
        (10, 0.8, 0.40918, 0.20459, 0.9121, 3.3283, 4.9461),
        (10, 0.95, 0.82559, 1.65117, 2.0908, 6.9701, 10.2085),
        (25, 0.95, 0.72836, 0.58269, 1.2796, 4.0443, 5.7764),
        (100, 0.9, 0.21694, 0.02169, 0.7169, 3.0196, 4.629),
    ] {
        let c = erlang_c(count, load * f64::from(count));
        assert!((c - waits).abs() < 1e-5, "Erlang C of {count} at {load} is {waits}, not {c}");
        let requests = if load > 0.85 { 350_000.0 } else { 100_000.0 };
        let scenario = servers(count, load, exponential(SERVICE), requests);
        agree(
            &format!("M/M/{count} at {load}"),
            &scenario,
            &[
                ("mean wait", mean * SERVICE, &wait),
                ("mean response", (mean + 1.0) * SERVICE, &response),
                ("p50", p50 * SERVICE, &|seen| {
                    seen.workloads[0].traffic.latency.quantile(0.5).unwrap_or(0.0)
                }),
                ("p95", p95 * SERVICE, &|seen| {
                    seen.workloads[0].traffic.latency.quantile(0.95).unwrap_or(0.0)
                }),
                ("p99", p99 * SERVICE, &|seen| {
                    seen.workloads[0].traffic.latency.quantile(0.99).unwrap_or(0.0)
                }),
                ("P(wait)", waits, &|seen| 1.0 - seen.workloads[0].wait.share_within(SimDuration::ZERO)),
            ],
        );
    }
}

#[test]
fn waiting_times_in_m_m_c_have_an_exponential_tail() {
    for (count, load) in [(1, 0.8), (2, 0.7), (4, 0.8), (10, 0.85)] {
        let offered = load * f64::from(count);
        let c = erlang_c(count, offered);
        // P(W > t) = C e^(-(c - a) t), t in service times.
        let at = |quantile: f64| (c / (1.0 - quantile)).ln() / (f64::from(count) - offered) * SERVICE;
        agree(
            &format!("waits of M/M/{count} at {load}"),
            &servers(count, load, exponential(SERVICE), 150_000.0),
            &[
                ("p90", at(0.9), &|seen| seen.workloads[0].wait.quantile(0.9).unwrap_or(0.0)),
                ("p95", at(0.95), &|seen| seen.workloads[0].wait.quantile(0.95).unwrap_or(0.0)),
                ("p99", at(0.99), &|seen| seen.workloads[0].wait.quantile(0.99).unwrap_or(0.0)),
            ],
        );
    }
}

#[test]
fn m_g_1_waits_as_pollaczek_and_khinchine_say() {
    // Service, its squared coefficient of variation, loads.
    let rows: [(&str, Distribution, f64, &[f64]); 7] = [
        // M26: M/D/1 at 0.5 to 0.9 waits 0.5, 1.16667, 2 and 4.5 service times.
        ("constant", always(SERVICE), 0.0, &[0.5, 0.7, 0.8, 0.9]),
        ("uniform", Distribution::Uniform { low: 0.0, high: 2.0 * SERVICE }, 1.0 / 3.0, &[0.8]),
        ("Erlang-2", Distribution::Gamma { mean: SERVICE, cv: 0.5_f64.sqrt() }, 0.5, &[0.5, 0.8]),
        ("log-normal", Distribution::LogNormal { mean: SERVICE, cv: 1.2 }, 1.44, &[0.5, 0.8]),
        // Γ(1 + 2/k) ÷ Γ(1 + 1/k)² - 1 with k = ½ is 24 ÷ 4 - 1.
        ("Weibull", Distribution::Weibull { mean: SERVICE, shape: 0.5 }, 5.0, &[0.5]),
        ("hyperexponential", Distribution::HyperExponential { mean: SERVICE, cv: 2.0 }, 4.0, &[0.5, 0.7]),
        // Half are short, a tenth is long: two straight lines between quantiles.
        (
            "two kinds",
            Distribution::Empirical(vec![
                (0.0, 0.5 * SERVICE),
                (0.9, 0.5 * SERVICE),
                (0.9, 5.5 * SERVICE),
                (1.0, 5.5 * SERVICE),
            ]),
            2.25,
            &[0.6],
        ),
    ];
    for (name, service, squared, loads) in rows {
        for &load in loads {
            let expected = SERVICE * load * (1.0 + squared) / (2.0 * (1.0 - load));
            let scenario = servers(1, load, service.clone(), 120_000.0);
            agree(&format!("M/G/1 with {name} at {load}"), &scenario, &[("mean wait", expected, &wait)]);
        }
    }
}

#[test]
fn processor_sharing_doesn_t_care_for_the_distribution() {
    // M26: mean response 1 ÷ (1 - load) service times, whatever the distribution.
    let heavy = || Distribution::HyperExponential { mean: SERVICE, cv: 2.0 };
    for (service, load) in [
        (exponential(SERVICE), 0.3),
        (always(SERVICE), 0.5),
        (heavy(), 0.5),
        (Distribution::LogNormal { mean: SERVICE, cv: 1.4 }, 0.7),
        (always(SERVICE), 0.8),
        (exponential(SERVICE), 0.8),
        (heavy(), 0.8),
        (Distribution::Weibull { mean: SERVICE, shape: 0.7 }, 0.8),
        (exponential(SERVICE), 0.9),
    ] {
        let mut pod = workload("pod", 1, vec![Step::Compute(service.clone())]);
        pod.behaviour.threads = Some(1);
        let requests = if load > 0.85 { 200_000.0 } else { 100_000.0 };
        let scenario = scenario(vec![pod], load / SERVICE, (requests * SERVICE / load) as u64);
        let expected = SERVICE / (1.0 - load);
        agree(
            &format!("PS with {service:?} at {load}"),
            &scenario,
            &[("mean response", expected, &response)],
        );
    }
}

/// M/M/c with processor sharing has the number in system of M/M/c in order of arrival.
#[test]
fn several_threads_share_as_erlang_says() {
    for (threads, load) in [(2, 0.7), (4, 0.8)] {
        let mut pod = workload("pod", 1, vec![Step::Compute(exponential(SERVICE))]);
        pod.behaviour.threads = Some(threads);
        let rate = load * f64::from(threads) / SERVICE;
        let scenario = scenario(vec![pod], rate, (200_000.0 / rate) as u64);
        let waits = erlang_c(threads, load * f64::from(threads)) / (f64::from(threads) * (1.0 - load));
        let expected = SERVICE * (1.0 + waits);
        agree(&format!("{threads} threads at {load}"), &scenario, &[("mean response", expected, &response)]);
    }
}
