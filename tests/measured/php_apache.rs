//! php-apache under bursts every five minutes, its HPA without a scale-down window.

use kubeplan::observe::Observations;
use kubeplan::units::SimTime;

use crate::{hold, mean, row, runs, scenario};

/// Requests that arrived in the 20 s from a half minute on.
fn sent(run: &Observations, half_minute: u64) -> f64 {
    let (from, to) = (half_minute * 30, half_minute * 30 + 20);
    let inside = |time: &SimTime| {
        let end = time.since_or_zero(run.start).as_secs_f64();
        end > from as f64 && end <= to as f64 + 4.999
    };
    let rows = run.series.times.iter().zip(&run.series.arrived).filter(|(time, _)| inside(time));
    rows.map(|(_, arrived)| *arrived as f64).sum()
}

/// Wanted replicas at a time, in seconds.
fn replicas(run: &Observations, second: u64) -> f64 {
    let at =
        run.series.times.iter().position(|time| time.since_or_zero(run.start).as_secs_f64() >= second as f64);
    at.map_or(f64::NAN, |at| f64::from(run.series.workloads[0].desired[at]))
}

/// Of 100 clients so many wait for an answer when the burst ends (the others think);
/// Locust counts answers.
const UNANSWERED: f64 = 92.0;

fn is_burst(half_minute: u64) -> bool {
    half_minute % 10 == 5
}

#[test]
fn bursts_every_five_minutes() {
    let runs = runs(&scenario("php-apache", &["app.yaml"], "bursts.yaml", None));
    let over = |wanted: &dyn Fn(u64) -> bool, of: &dyn Fn(&Observations, u64) -> f64| {
        let halves: Vec<u64> = (0..60).filter(|&half| wanted(half)).collect();
        mean(&runs, |run| halves.iter().map(|&half| of(run, half)).sum::<f64>() / halves.len() as f64)
    };
    let quiet = |half: u64| half > 0 && !(5..8).contains(&(half % 10));
    hold(&[
        (row("requests of 5 clients in 20 s", 104.9, 10.5), over(&|half| half > 0 && !is_burst(half), &sent)),
        (
            row("requests of 100 clients in 20 s", 210.5, 84.2),
            over(&is_burst, &|run, half| sent(run, half) - UNANSWERED),
        ),
        (row("replicas in quiet time", 4.12, 1.5), over(&quiet, &|run, half| replicas(run, half * 30))),
        (
            row("most replicas within 60 s of a burst", 11.33, 2.0),
            over(&is_burst, &|run, half| {
                (half * 30..=half * 30 + 80)
                    .step_by(5)
                    .map(|second| replicas(run, second))
                    .fold(0.0, f64::max)
            }),
        ),
    ]);
}
