//! What the unknowns make of the objective that they decide most.

use super::bars::{Bar, Tornado};
use crate::input::world::Unknown;
use crate::output::table::figure;
use crate::robust::{Robustness, Swing};
use crate::scenario::{Indicator, Scenario};
use crate::units::figures::{percent, plural};

/// Bars at most.
const MOST: usize = 14;

/// The chart as SVG; `None` where no unknown moves anything.
pub fn tornado(scenario: &Scenario, unknowns: &[Unknown], found: &Robustness, seed: u64) -> Option<String> {
    let number = found.torn?;
    let objective = &scenario.goals.objectives[found.objectives[number]];
    // Of requests that are answered the few that are not can be told apart.
    let share = objective.indicator == Indicator::Availability;
    let shown = |value: f64| if share { 1.0 - value } else { value };
    let bar = |swing: &Swing| {
        let unknown = &unknowns[swing.unknown];
        let (low, high) = (swing.low.values[number]?, swing.high.values[number]?);
        let label = unknown.name();
        Some(Bar { label, low: (unknown.low.clone(), shown(low)), high: (unknown.high.clone(), shown(high)) })
    };
    let mut bars: Vec<Bar> = found.swings.iter().filter_map(bar).collect();
    let latency = matches!(objective.indicator, Indicator::Latency { .. });
    let width = |bar: &Bar| (bar.low.1 - bar.high.1).abs();
    bars.retain(|bar| width(bar) > 0.0);
    bars.sort_by(|a, b| width(b).total_cmp(&width(a)).then(a.label.cmp(&b.label)));
    bars.truncate(MOST);
    if bars.is_empty() {
        return None;
    }
    let (kept, of) = found.kept(0, number);
    let what = if share { "requests not answered".to_owned() } else { objective.name.clone() };
    let (indicator, currency) = (objective.indicator, scenario.goals.currency.clone());
    let chart = Tornado {
        title: format!("{}: what moves {}", scenario.name, objective.name),
        subtitle: format!(
            "{what}, one unknown at a time, the others in the middle (black line); kept in {kept} of {}; seed {seed}",
            plural(of, "world", "worlds"),
        ),
        middle: shown(found.sides[0].middle.values[number]?),
        goal: shown(objective.goal),
        log: latency,
        bound: if share { 1.0 } else { f64::INFINITY },
        figure: Box::new(move |value| {
            if share { percent(value) } else { figure(indicator, value, &currency).replace(".00 ", " ") }
        }),
        bars,
    };
    Some(chart.draw())
}
