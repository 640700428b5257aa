//! The short list of candidates that nothing beats in every way, on a tuning's page and
//! in its document.

use serde::Serialize;

use super::Number;
use super::table::figure;
use super::text::{Paint, Side, columns, cut, painted, wrapped};
use crate::scenario::Scenario;
use crate::tune::search::described;
use crate::tune::tradeoff::Tradeoff;
use crate::tune::{Found, Score};
use crate::units::figures::money;

/// Characters of what a candidate is.
const PODS: usize = 44;

/// The section of the page; nothing where there is no choice.
pub(super) fn page(scenario: &Scenario, found: &Found, width: usize) -> Vec<String> {
    let list = &found.tradeoffs;
    if list.len() < 2 {
        return Vec::new();
    }
    let currency = &scenario.goals.currency;
    let head = ["NODES", "REQUESTED", "MISSES", "CLOSEST TO ITS GOAL", ""];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    let mut pods = Vec::new();
    for one in list {
        let Score { nodes, booked, .. } = one.tried.score;
        let value = one.tightest.and_then(|number| one.tried.score.values[number]);
        let (name, value) = match (one.tightest, value) {
            (Some(number), Some(value)) => {
                let objective = &scenario.goals.objectives[number];
                (objective.name.clone(), figure(objective.indicator, value, currency))
            }
            _ => ("-".to_owned(), String::new()),
        };
        rows.push(vec![
            money(nodes, currency),
            money(booked, currency),
            one.misses.len().to_string(),
            cut(&name, 24),
            value,
        ]);
        pods.push(described(&one.tried.settings, &found.sites));
    }
    let sides = [Side::Right, Side::Right, Side::Right, Side::Left, Side::Right];
    let table = columns(&sides, &rows);
    let mut lines = vec![String::new(), painted(Paint::Heading, "WHAT MORE OR LESS MONEY BUYS")];
    lines.push(painted(Paint::Heading, &table[0]));
    for (line, pods) in table[1..].iter().zip(&pods) {
        lines.push(line.clone());
        lines.push(painted(Paint::Quiet, &format!("  {}", cut(pods, width.saturating_sub(2).max(PODS)))));
    }
    let text = "A month at the peak, in the hardest minutes. None of these is beaten in every way by another \
                that was tried: a cheaper one misses more or has less to spare.";
    lines.extend(wrapped("", text, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TradeoffData {
    /// What is set, in words.
    pods: String,
    /// Money per month at the peak.
    nodes: Number,
    requested: Number,
    /// Objectives that it misses in the hardest minutes.
    misses: Vec<String>,
    /// Of availability and latencies the objective that is closest to its goal.
    closest: Option<String>,
    /// Its value.
    value: Option<Number>,
}

pub(super) fn data(scenario: &Scenario, found: &Found) -> Vec<TradeoffData> {
    let name = |number: &usize| scenario.goals.objectives[*number].name.clone();
    let one = |one: &Tradeoff| TradeoffData {
        pods: described(&one.tried.settings, &found.sites),
        nodes: Number(one.tried.score.nodes),
        requested: Number(one.tried.score.booked),
        misses: one.misses.iter().map(name).collect(),
        closest: one.tightest.as_ref().map(name),
        value: one.tightest.and_then(|number| one.tried.score.values[number]).map(Number),
    };
    found.tradeoffs.iter().map(one).collect()
}
