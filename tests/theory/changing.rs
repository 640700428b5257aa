//! Rates that change: by the clock, against Kolmogorov's forward equations, at random
//! (Markov-modulated), against closed forms, and as they were recorded.

use kubeplan::observe::Observations;
use kubeplan::run::replicate;
use kubeplan::scenario::{
    Comparison, Indicator, Interpolation, Objective, Population, RateState, Replay, Scenario, Scope, Shape,
    Step,
};
use kubeplan::sim::random::Seed;
use kubeplan::units::{SimDuration, SimTime};
use kubeplan::world::simulate;

use crate::forward::Queue;
use crate::support::{always, exponential, scenario, workload};
use crate::{REPLICATIONS, SERVICE, agree, compare, lost, response, servers};

/// From low to high and back.
const PERIOD: u64 = 60;
/// The series' step in runs of an hour.
const STEP: u64 = 5;
const HOUR: u64 = 3_600;

/// A pod with this many servers and places under a rate that rises and falls.
fn waves(servers: u32, queue: u32, low: f64, high: f64, interpolation: Interpolation) -> Scenario {
    let mut pod = workload("pod", 1, vec![Step::Compute(exponential(1.0))]);
    (pod.behaviour.concurrency.limit, pod.behaviour.concurrency.queue) = (Some(servers), Some(queue));
    let mut scenario = scenario(vec![pod], 1.0, HOUR);
    let points = (0..=HOUR / PERIOD * 2)
        .map(|half| (SimTime::from_secs(half * PERIOD / 2), if half % 2 == 0 { low / high } else { 1.0 }));
    let shape = Shape { points: points.collect(), interpolation };
    scenario.demand.population =
        Population::Rate { peak_per_second: high, shape, users: None, modulation: Vec::new() };
    scenario.cluster.network_latency = SimDuration::ZERO;
    (scenario.warm_up, scenario.horizon) =
        (SimDuration::from_secs(PERIOD), SimDuration::from_secs(HOUR - PERIOD));
    scenario
}

#[test]
fn a_rate_that_changes_is_followed_as_the_forward_equations_say() {
    // Service takes a second: the queue is never in balance.
    for (servers, queue, low, high, interpolation) in [
        (1, 4, 0.4, 1.6, Interpolation::Linear),
        (10, 10, 4.0, 16.0, Interpolation::Linear),
        (10, 0, 4.0, 16.0, Interpolation::Step),
        (4, 16, 2.0, 7.0, Interpolation::Step),
    ] {
        let what = format!("M(t)/M/{servers}/{} from {low} to {high}", servers + queue);
        let scenario = waves(servers, queue, low, high, interpolation);
        let rate = |time: f64| {
            let phase = time % PERIOD as f64 / (PERIOD as f64 / 2.0);
            match interpolation {
                Interpolation::Linear => low + (high - low) * if phase < 1.0 { phase } else { 2.0 - phase },
                Interpolation::Step => {
                    if phase < 1.0 {
                        low
                    } else {
                        high
                    }
                }
            }
        };
        let room = (servers + queue) as usize;
        let model = Queue { servers, room, service: 1.0, rate: &rate, states: &[(1.0, 1.0)] };
        let expected = wave_of(&model);
        // So many runs make one value that slow rows, too, have enough arrivals.
        let seen = seen_waves(&scenario, (60.0 / high).ceil() as u32);
        for (phase, (expected, seen)) in expected.iter().zip(&seen).enumerate() {
            // A phase in which hardly anybody is turned away says nothing.
            if *expected > 0.05 {
                let wrong = compare(seen, *expected);
                assert!(wrong.is_none(), "{what}, from {} s: {wrong:?}", phase as u64 * STEP);
            }
        }
    }
}

/// The share turned away in each step of the third period.
fn wave_of(model: &Queue) -> Vec<f64> {
    let by = 1.0 / 256.0;
    let mut chances = model.empty();
    let mut sums = vec![(0.0, 0.0); (3 * PERIOD / STEP) as usize];
    for tick in 0..3 * PERIOD * 256 {
        let time = tick as f64 * by;
        model.step(time, &mut chances, by);
        // Just inside the step, so that a jump of the rate counts for the right side.
        let (all, lost) = model.flow(time + by * 0.999, &chances);
        let sum = &mut sums[(tick / 256 / STEP) as usize];
        *sum = (sum.0 + all, sum.1 + lost);
    }
    sums[(2 * PERIOD / STEP) as usize..].iter().map(|(all, lost)| lost / all).collect()
}

/// The same in runs: one value for each few runs.
fn seen_waves(scenario: &Scenario, each: u32) -> Vec<Vec<f64>> {
    let runs = replicate(scenario, 7, 0..REPLICATIONS * each, |_| ());
    let phases = (PERIOD / STEP) as usize;
    let share = |phase: usize, runs: &[kubeplan::observe::Observations]| {
        let rows = runs.iter().flat_map(|run| {
            assert_eq!(run.series.step, SimDuration::from_secs(STEP));
            let pairs = run.series.arrived.iter().zip(&run.series.failed);
            pairs.skip(phases + phase).step_by(phases)
        });
        let (arrived, failed) = rows.fold((0, 0), |(all, lost), row| (all + row.0, lost + row.1));
        failed as f64 / arrived as f64
    };
    (0..phases).map(|phase| runs.chunks(each as usize).map(|runs| share(phase, runs)).collect()).collect()
}

#[test]
fn the_latencies_that_goals_are_about_are_followed() {
    // An hour at 30 % and one at 60 %: the time in M/M/1 is exponential.
    let mut scenario = servers(1, 0.6, exponential(SERVICE), 2.0 * HOUR as f64 * 0.6 / SERVICE);
    let points = [(0, 0.5), (HOUR, 1.0)].map(|(second, value)| (SimTime::from_secs(second), value));
    let shape = Shape { points: points.into(), interpolation: Interpolation::Step };
    scenario.demand.population =
        Population::Rate { peak_per_second: 0.6 / SERVICE, shape, users: None, modulation: Vec::new() };
    scenario.warm_up = SimDuration::from_secs(60);
    for (name, scope) in [("calls", Scope::Workload(0)), ("requests", Scope::Journey(0))] {
        scenario.goals.objectives.push(Objective {
            name: name.to_owned(),
            indicator: Indicator::Latency { quantile: 0.9 },
            scope,
            comparison: Comparison::AtMost,
            goal: 0.1,
        });
    }
    let seen = simulate(&scenario, Seed { base: 1, replication: 0 });
    assert_eq!(seen.series.courses.len(), 2);
    for course in &seen.series.courses {
        let rows = || seen.series.times.iter().zip(&course.values);
        for (from, load) in [(0, 0.3), (HOUR, 0.6)] {
            let (from, to) = (SimTime::from_secs(from + 120), SimTime::from_secs(from + HOUR));
            let values: Vec<f64> = rows()
                .filter(|(time, _)| (from..to).contains(*time))
                .filter_map(|(_, value)| *value)
                .collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let expected = libm::log(10.0) * SERVICE / (1.0 - load);
            assert!((mean / expected - 1.0).abs() < 0.02, "{:?}: {mean}, not {expected}", course.whose);
        }
    }
}

fn states(of: &[(f64, f64)]) -> Vec<RateState> {
    let state = |&(times, mean): &(f64, f64)| RateState { times, mean: SimDuration::from_secs_f64(mean) };
    of.iter().map(state).collect()
}

/// A pod under a modulated rate.
fn bursts(servers: u32, queue: u32, per_second: f64, of: &[(f64, f64)]) -> Scenario {
    let mut pod = workload("pod", 1, vec![Step::Compute(exponential(SERVICE))]);
    (pod.behaviour.concurrency.limit, pod.behaviour.concurrency.queue) = (Some(servers), Some(queue));
    let mut scenario = scenario(vec![pod], per_second, HOUR - 100);
    scenario.warm_up = SimDuration::from_secs(100);
    scenario.cluster.network_latency = SimDuration::ZERO;
    if let Population::Rate { modulation, .. } = &mut scenario.demand.population {
        *modulation = states(of);
    }
    scenario
}

#[test]
fn counts_of_bursty_arrivals_vary_as_they_must() {
    let rows: [&[(f64, f64)]; 3] =
        [&[(0.5, 6.0), (2.0, 3.0)], &[(0.0, 2.0), (3.0, 1.0)], &[(0.2, 8.0), (1.0, 4.0), (5.0, 1.0)]];
    for of in rows {
        let scenario = bursts(100, 0, 10.0, of);
        let runs = replicate(&scenario, 7, 0..REPLICATIONS * 8, |_| ());
        let all: f64 = of.iter().map(|state| state.1).sum();
        let mean = 10.0 * of.iter().map(|state| state.0 * state.1).sum::<f64>() / all;
        // Windows of 5, 20 and 60 s.
        for rows in [1, 4, 12] {
            let mut means = Vec::new();
            let mut dispersions = Vec::new();
            for runs in runs.chunks(8) {
                let counts: Vec<f64> = runs
                    .iter()
                    .flat_map(|run| {
                        run.series.arrived.chunks_exact(rows).map(|part| part.iter().sum::<u64>() as f64)
                    })
                    .collect();
                let (count, sum) = (counts.len() as f64, counts.iter().sum::<f64>());
                let variance =
                    counts.iter().map(|one| (one - sum / count).powi(2)).sum::<f64>() / (count - 1.0);
                means.push(sum / count / (rows as f64 * STEP as f64));
                dispersions.push(variance / (sum / count));
            }
            let window = rows as f64 * STEP as f64;
            let wrong = [compare(&means, mean), compare(&dispersions, dispersion(of, 10.0, window))];
            assert!(wrong.iter().all(Option::is_none), "{of:?} in {window} s: {wrong:?}");
        }
    }
}

/// Variance ÷ mean of the arrivals within `window` seconds.
///
/// For two states the autocovariance of the rate is one exponential, and the
/// integral is known: 1 + 2σ²/(λr) (1 - (1 - e^(-rt))/(rt)), where r is the sum of
/// the states' exit rates (Heffes and Lucantoni 1986). Otherwise the covariance
/// is followed in time.
fn dispersion(of: &[(f64, f64)], per_second: f64, window: f64) -> f64 {
    let all: f64 = of.iter().map(|state| state.1).sum();
    let chance: Vec<f64> = of.iter().map(|state| state.1 / all).collect();
    let rates: Vec<f64> = of.iter().map(|state| state.0 * per_second).collect();
    let mean: f64 = chance.iter().zip(&rates).map(|(chance, rate)| chance * rate).sum();
    if let [one, two] = of {
        let exits = 1.0 / one.1 + 1.0 / two.1;
        let variance = chance[0] * chance[1] * (rates[0] - rates[1]).powi(2);
        let rest = (1.0 - (-exits * window).exp()) / (exits * window);
        return 1.0 + 2.0 * variance / (mean * exits) * (1.0 - rest);
    }
    let by = 1e-3;
    // The expected rate after some time, by the state now.
    let mut later = rates.clone();
    let mut sum = 0.0;
    for tick in 0..(window / by) as u32 {
        let covariance: f64 =
            (0..of.len()).map(|i| chance[i] * rates[i] * later[i]).sum::<f64>() - mean * mean;
        sum += covariance * (window - (f64::from(tick) + 0.5) * by) * by;
        let next = |i: usize| later[i] + by * (later[(i + 1) % of.len()] - later[i]) / of[i].1;
        later = (0..of.len()).map(next).collect();
    }
    1.0 + 2.0 * sum / (mean * window)
}

#[test]
fn bursts_turn_away_as_many_as_the_forward_equations_say() {
    // Servers, places, arrivals per second, states; service takes 10 ms.
    let rows: [(u32, u32, f64, &[(f64, f64)]); 3] = [
        (1, 10, 60.0, &[(0.5, 5.0), (2.5, 1.25)]),
        (4, 4, 300.0, &[(0.2, 0.3), (2.0, 0.2)]),
        (2, 8, 100.0, &[(0.5, 1.0), (1.0, 0.5), (3.0, 0.2)]),
    ];
    for (servers, queue, per_second, of) in rows {
        let room = (servers + queue) as usize;
        let model = Queue { servers, room, service: 1.0 / SERVICE, rate: &|_| per_second, states: of };
        let mut chances = model.empty();
        for _ in 0..60_000 {
            model.step(0.0, &mut chances, 1e-3);
        }
        let (all, blocked) = model.flow(0.0, &chances);
        let scenario = bursts(servers, queue, per_second, of);
        agree(
            &format!("{servers} servers under {of:?}"),
            &scenario,
            &[("turned away", blocked / all, &lost)],
        );
    }
}

#[test]
fn recorded_journeys_start_when_they_did() {
    // Starts in milliseconds; how often each; time in a server of 10 ms, in milliseconds.
    for (starts, times, mean) in [
        (vec![0, 0, 0, 1_000, 1_005], 1.0, (10.0 + 20.0 + 30.0 + 10.0 + 15.0) / 5.0),
        (vec![0, 1_000, 1_005], 2.0, (10.0 + 20.0 + 10.0 + 20.0 + 25.0 + 35.0) / 6.0),
        (vec![7, 50_000], 1.0, 10.0),
    ] {
        let seen = replayed(&starts, times, SimDuration::ZERO);
        let all = (starts.len() as f64 * times) as u64;
        assert_eq!(seen.balance.answered, all, "{starts:?}");
        assert!((response(&seen) * 1e3 - mean).abs() < 1e-6, "{starts:?}: {} s", response(&seen));
    }
}

#[test]
fn a_record_under_another_load_is_repeated_or_thinned() {
    let starts: Vec<u64> = (0..10_000).map(|start| start * 11).collect();
    let arrived = |times: f64| {
        let seen = replayed(&starts, times, SimDuration::from_secs(20));
        // What came in the warm-up, at chance, isn't counted.
        seen.journeys[0].arrived as f64
    };
    for (times, least, most) in
        [(0.3, 2_850.0, 3_150.0), (1.0, 10_000.0, 10_000.0), (1.7, 16_850.0, 17_150.0)]
    {
        let seen = arrived(times);
        assert!((least..=most).contains(&seen), "{times} times 10,000 are {seen}");
    }
}

/// One server of 10 ms under such starts in milliseconds, each so many times.
fn replayed(starts: &[u64], times: f64, warm_up: SimDuration) -> Observations {
    let mut scenario = servers(1, 0.5, always(SERVICE), 10_000.0);
    (scenario.warm_up, scenario.horizon) = (warm_up, SimDuration::from_secs(120));
    let starts = starts.iter().map(|start| SimDuration::from_millis(*start)).collect();
    let peak_per_second = 0.5 / SERVICE / times;
    scenario.demand.replay = Some(Replay { starts, peak_per_second });
    simulate(&scenario, Seed { base: 5, replication: 0 })
}

#[test]
fn two_configurations_meet_the_same_bursts() {
    let small = bursts(1, 2, 60.0, &[(0.5, 5.0), (2.5, 1.25)]);
    let mut large = small.clone();
    large.workloads[0].replicas = 3;
    let of = |scenario: &Scenario| replicate(scenario, 5, 0..1, |_| ()).remove(0).series;
    let (one, other) = (of(&small), of(&large));
    assert_eq!(one.arrived, other.arrived);
    assert_ne!(one.failed, other.failed);
}
