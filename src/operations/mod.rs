//! What goes with manifests into operation, written from the plan's own figures:
//! Prometheus rules with their tests, a Grafana dashboard, a workflow that gates
//! and rolls back, a deployment guide and a runbook.
//!
//! Figures in, texts out; nothing here touches the file system. Objects are read
//! for names only: what a Secret holds is never here.

mod alert;
mod alerts;
mod dashboard;
mod figures;
mod guide;
mod objectives;
mod rules;
mod runbook;
mod saturation;
mod workflow;

use serde_json::Value;

use crate::change::ObjectName;
use crate::emit::Emitted;
use crate::judge::drill::Summary;
use crate::judge::promises::Promise;
use crate::judge::{Outcome, Verdict};
use crate::observe::Observations;
use crate::scenario::Scenario;
use crate::scenario::catalogue::Exercise;

/// A plan that was proved, and the names that go with it.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The scenario that was proved.
    pub scenario: &'a Scenario,
    /// Its objects as they are deployed; no Secrets.
    pub objects: &'a [(ObjectName, Value)],
    /// The proof's runs; at least one.
    pub runs: &'a [Observations],
    /// The verdict on them.
    pub verdict: &'a Verdict,
    /// Other loads, relative to the scenario's, and what came of them.
    pub loads: &'a [(f64, Outcome)],
    /// The drills that were held; `None` where one did not strike.
    pub drills: &'a [(Exercise, Option<Summary>)],
    /// The objectives on drills; exercises index `drills`.
    pub promises: &'a [Promise],
    /// The proof's seed.
    pub seed: u64,
    /// The Secrets that the objects need, each with the names of its keys.
    pub secrets: &'a [SecretKeys],
    /// Whether a model names the operations, so that metrics may do the same.
    pub modelled: bool,
    /// Options that read the same input again from the bundle's folder, as a
    /// shell takes them; without a seed.
    pub input: &'a str,
    /// The folder to be applied, from the bundle's folder.
    pub applied: &'a str,
}

/// A Secret by the names of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKeys {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its keys, as far as they are known.
    pub keys: Vec<String>,
}

/// All files, below `operations/`, and a `README.md` for the whole bundle.
pub fn files(plan: &Plan<'_>) -> Vec<Emitted> {
    let file = |path: &str, text: String| Emitted { path: path.to_owned(), text };
    let rules = rules::Rules::of(plan);
    vec![
        file("README.md", guide::readme(plan)),
        file("operations/deployment.md", guide::deployment(plan)),
        file("operations/runbook.md", runbook::runbook(plan, &rules)),
        file("operations/prometheus/rules.yaml", rules.plain(plan)),
        file("operations/prometheus/rules_test.yaml", rules.tests()),
        file("operations/prometheus/prometheus-rule.yaml", rules.object(plan)),
        file("operations/grafana/dashboard.json", dashboard::dashboard(plan)),
        file("operations/github/deploy.yaml", workflow::workflow(plan)),
    ]
}
