//! What no settings can keep, for people and as a document.

use serde::Serialize;

use super::Number;
use super::table::figure;
use super::text::{Paint, painted, wrapped};
use crate::scenario::{Comparison, Scenario};
use crate::tune::bounds::OutOfReach;
use crate::units::figures::plural;

/// The page.
pub fn page(scenario: &Scenario, found: &[OutOfReach], width: usize) -> String {
    let number = plural(found.len() as u64, "objective", "objectives");
    let text = format!("OUT OF REACH: no settings keep {number} of policy {}", scenario.goals.name);
    let mut lines: Vec<String> =
        wrapped("", &text, width).iter().map(|line| painted(Paint::Bad, line)).collect();
    let mut told: Vec<&str> = Vec::new();
    for one in found {
        let objective = &scenario.goals.objectives[one.objective];
        let shown = |value: f64| figure(objective.indicator, value, &scenario.goals.currency);
        let sign = match objective.comparison {
            Comparison::AtLeast => "≥",
            Comparison::AtMost => "≤",
        };
        lines.push(String::new());
        let text = format!(
            "{}: {} at best, and the goal is {sign} {}",
            objective.name,
            shown(one.best),
            shown(objective.goal)
        );
        lines.extend(wrapped("x ", &text, width));
        // What binds several is told once.
        if told.contains(&one.binding.as_str()) {
            continue;
        }
        told.push(&one.binding);
        lines.extend(wrapped("  what binds: ", &format!("{}.", one.binding), width));
        lines.push("  what would keep it, each alone:".to_owned());
        for relax in &one.relax {
            lines.extend(wrapped("  - ", &format!("{relax}."), width));
        }
    }
    lines.push(String::new());
    let text = "By the utilisation law, with everything at its least: requests that cost what the model says, \
                none tried twice, the cheapest answered first. So nothing was simulated, and nothing is written.";
    lines.extend(wrapped("", text, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines.join("\n") + "\n"
}

/// The document under `plan/v1alpha1`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    verdict: &'static str,
    out_of_reach: Vec<Bound>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bound {
    objective: String,
    goal: Number,
    best: Number,
    binding: String,
    relax: Vec<String>,
}

/// The document of a tuning that was not begun.
pub fn document(scenario: &Scenario, found: &[OutOfReach]) -> Document {
    let bound = |one: &OutOfReach| Bound {
        objective: scenario.goals.objectives[one.objective].name.clone(),
        goal: Number(scenario.goals.objectives[one.objective].goal),
        best: Number(one.best),
        binding: one.binding.clone(),
        relax: one.relax.clone(),
    };
    Document {
        api_version: super::verdict::API_VERSION,
        kind: "Tuning",
        name: scenario.name.clone(),
        verdict: "missed",
        out_of_reach: found.iter().map(bound).collect(),
    }
}
