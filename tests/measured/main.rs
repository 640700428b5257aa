//! Runs against what was measured on real clusters (SOURCE.txt beside this file).
//!
//! Each row has the source's figure, a margin that was set before anything was run,
//! and what a run gives. A row that misses says by how much and why, and fails when
//! that changes.

mod breaking;
mod fastapi;
mod php_apache;
mod quota;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use kubeplan::input::{Request, load};
use kubeplan::observe::Observations;
use kubeplan::run::replicate;
use kubeplan::scenario::Scenario;

/// One figure of a source.
struct Row {
    what: &'static str,
    /// What was measured.
    observed: f64,
    /// How far a run may be from it, in the figure's unit.
    margin: f64,
    /// Where a run misses: its value ÷ the observed one, and why.
    expected_miss: Option<(f64, &'static str)>,
}

/// A row without a miss.
fn row(what: &'static str, observed: f64, margin: f64) -> Row {
    Row { what, observed, margin, expected_miss: None }
}

/// A row whose run misses: by this factor, for this reason.
fn miss(what: &'static str, observed: f64, margin: f64, ratio: f64, why: &'static str) -> Row {
    Row { what, observed, margin, expected_miss: Some((ratio, why)) }
}

/// How far the factor of an expected miss may move before it is looked at again.
const STEADY: f64 = 0.05;

/// Compares rows with the values of a run; all that is wrong at once.
fn hold(rows: &[(Row, f64)]) {
    let wrong: Vec<String> = rows.iter().filter_map(|(row, seen)| complaint(row, *seen)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn complaint(row: &Row, seen: f64) -> Option<String> {
    let Row { what, observed, margin, expected_miss } = row;
    let inside = (seen - observed).abs() <= *margin;
    let said =
        format!("{what}: {seen:.3}, measured {observed} ± {margin:.3} (factor {:.3})", seen / observed);
    match expected_miss {
        None => (!inside).then_some(said),
        Some((_, why)) if inside => Some(format!("{said}: no miss any more ({why})")),
        Some((ratio, why)) => ((seen / observed - ratio).abs() > STEADY)
            .then(|| format!("{said}: missed by {ratio} before ({why})")),
    }
}

/// The scenario of files in a folder beside this one.
fn scenario(folder: &str, manifests: &[&str], traffic: &str, users: Option<f64>) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured").join(folder);
    let request = Request {
        manifests: manifests.iter().map(|name| folder.join(name)).collect(),
        model: Some(folder.join("model.yaml")),
        cluster: Some(folder.join("cluster.yaml")),
        traffic: Some(folder.join(traffic)),
        users,
        ..Request::default()
    };
    load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false))).scenario
}

/// As many runs as the sources have repetitions.
fn runs(scenario: &Scenario) -> Vec<Observations> {
    replicate(scenario, 42, 0..6, |_| ())
}

/// The mean over runs.
fn mean(runs: &[Observations], of: impl Fn(&Observations) -> f64) -> f64 {
    runs.iter().map(of).sum::<f64>() / runs.len() as f64
}

/// A quantile of user latency over all journeys of all runs, in milliseconds.
fn latency_ms(runs: &[Observations], quantile: f64) -> f64 {
    let mut all = kubeplan::observe::Histogram::default();
    runs.iter().flat_map(|run| &run.journeys).for_each(|journey| all.merge(&journey.latency));
    all.quantile(quantile).unwrap_or(f64::NAN) * 1e3
}

/// Requests that users sent within the observed time.
fn requests(run: &Observations) -> f64 {
    run.journeys.iter().map(|journey| journey.arrived as f64).sum()
}
