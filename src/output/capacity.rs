//! How many users it carries, for people and as a document.

use serde::Serialize;

use super::Number;
use super::text::{Paint, Side, columns, head_of, painted, wrapped};
use crate::capacity::{Capacity, Tried};
use crate::judge::Outcome;
use crate::scenario::{ErrorBound, Scenario};
use crate::units::figures::{amount, count, money, percent, plural, seconds};

/// A load with its unit.
fn load(capacity: &Capacity, load: f64) -> String {
    if capacity.users { format!("{} users", count(load)) } else { format!("{} journeys/s", amount(load)) }
}

/// A configuration with what it carries.
pub struct Carried {
    /// What it is called.
    pub name: String,
    /// Its scenario.
    pub scenario: Scenario,
    /// What was found.
    pub capacity: Capacity,
}

/// The page of several: side by side, then one by one.
pub fn pages(all: &[Carried], width: usize) -> String {
    if let [one] = all {
        return page(&one.scenario, &one.capacity, width);
    }
    let mut text = beside(all).join("\n") + "\n";
    for one in all {
        text += &format!("\n{}\n", painted(Paint::Heading, &one.name));
        text += &page(&one.scenario, &one.capacity, width);
    }
    text
}

/// A figure of a configuration, as it is shown.
type Shown = fn(&Carried) -> Option<String>;

/// What is shown side by side.
const BESIDE: [(&str, Shown); 10] = [
    ("carries", |one| Some(load(&one.capacity, one.capacity.carries?))),
    ("breaks at", |one| Some(load(&one.capacity, one.capacity.breaks?))),
    ("breaks first", |one| {
        let (number, _) = one.capacity.first_broken()?.broken.first()?;
        Some(one.scenario.goals.objectives[*number].name.clone())
    }),
    ("knee", |one| Some(load(&one.capacity, one.capacity.tried[one.capacity.knee()?].load))),
    ("where it carries most: p95", |one| one.capacity.at_most()?.p95.map(seconds)),
    ("  p99", |one| one.capacity.at_most()?.p99.map(seconds)),
    ("  answered", |one| Some(percent(one.capacity.at_most()?.availability))),
    ("  most pods", |one| Some(amount(one.capacity.at_most()?.pods.1))),
    ("  most nodes", |one| Some(amount(one.capacity.at_most()?.nodes.1))),
    ("  a month", |one| Some(money(one.capacity.at_most()?.cost_per_month, &one.scenario.goals.currency))),
];

fn beside(all: &[Carried]) -> Vec<String> {
    let heads = all.iter().map(|one| head_of(&one.name));
    let mut rows: Vec<Vec<String>> = vec![std::iter::once(String::new()).chain(heads).collect()];
    for (name, of) in BESIDE {
        let values = all.iter().map(|one| of(one).unwrap_or_else(|| "-".to_owned()));
        rows.push(std::iter::once(name.to_owned()).chain(values).collect());
    }
    let mut sides = vec![Side::Right; all.len() + 1];
    sides[0] = Side::Left;
    let mut lines = columns(&sides, &rows);
    lines[0] = painted(Paint::Heading, &lines[0]);
    lines
}

/// The page.
pub fn page(scenario: &Scenario, capacity: &Capacity, width: usize) -> String {
    let mut lines = wrapped("", &answer(scenario, capacity), width);
    if let Some(knee) = capacity.knee().map(|index| &capacity.tried[index]) {
        let text = format!(
            "The knee is at {}: beyond it waiting grows faster than work (p95 {} there).",
            load(capacity, knee.load),
            knee.p95.map_or("-".to_owned(), seconds),
        );
        lines.extend(wrapped("", &text, width));
    }
    if let Some(first) = capacity.first_broken() {
        lines.push(String::new());
        let names: Vec<&str> =
            first.broken.iter().map(|(number, _)| scenario.goals.objectives[*number].name.as_str()).collect();
        let verb = if names.len() == 1 { "breaks" } else { "break" };
        let text = format!("At {} {verb} first: {}", load(capacity, first.load), names.join(", "));
        lines.extend(wrapped("", &text, width).iter().map(|line| painted(Paint::Bad, line)));
        let mut told: Vec<&String> = Vec::new();
        for because in first.broken.iter().flat_map(|(_, because)| because) {
            if !told.contains(&because) {
                told.push(because);
                lines.extend(wrapped("  - ", because, width));
            }
        }
    }
    lines.push(String::new());
    lines.extend(curve(scenario, capacity));
    let legend = "PODS and NODES are mean/most, latency of all answers; a row is met, missed or unsure on the \
                  objectives that more load can break, and not judged (-) where it is there for the curve.";
    lines.extend(wrapped("", legend, width).iter().map(|line| painted(Paint::Quiet, line)));
    if let Some(first) = capacity.tried.iter().find(|one| one.sliced) {
        let sliced = format!(
            "From {} on calm time was simulated in slices, which may be off by {} of a p99; --fidelity full \
             simulates every request.",
            load(capacity, first.load),
            percent(ErrorBound::MEASURED.p99),
        );
        lines.extend(wrapped("", &sliced, width).iter().map(|line| painted(Paint::Quiet, line)));
    }
    lines.join("\n") + "\n"
}

fn answer(scenario: &Scenario, capacity: &Capacity) -> String {
    let name = &scenario.name;
    if capacity.objectives.is_empty() {
        return format!("{name}: the policy has no objective that more load could break");
    }
    let judged = plural(capacity.objectives.len() as u64, "objective", "objectives");
    match (capacity.carries, capacity.breaks) {
        (Some(low), Some(high)) => format!(
            "{name} carries {}: all {judged} that load can break are met there, and not at {}.",
            load(capacity, low),
            load(capacity, high)
        ),
        (Some(low), None) => {
            format!("{name} carries {} and more; nothing broke in what was tried.", load(capacity, low))
        }
        (None, Some(high)) => format!(
            "{name} does not keep its {judged} even at the smallest load tried; at {} one is missed.",
            load(capacity, high)
        ),
        (None, None) => format!("{name}: every try was unsure; --replications gives more of them"),
    }
}

fn curve(scenario: &Scenario, capacity: &Capacity) -> Vec<String> {
    let load = if capacity.users { "USERS" } else { "JOURNEYS/s" };
    let head = [load, "VERDICT", "ANSWERED", "P95", "P99", "PODS", "NODES", "A MONTH"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    let pair = |(mean, most): (f64, f64)| format!("{}/{}", amount(mean), amount(most));
    for one in &capacity.tried {
        rows.push(vec![
            if capacity.users { count(one.load) } else { amount(one.load) },
            if one.outcome == Outcome::NotJudged { "-" } else { one.outcome.name() }.to_owned(),
            percent(one.availability),
            one.p95.map_or("-".to_owned(), seconds),
            one.p99.map_or("-".to_owned(), seconds),
            pair(one.pods),
            pair(one.nodes),
            money(one.cost_per_month, &scenario.goals.currency),
        ]);
    }
    let mut sides = [Side::Right; 8];
    sides[1] = Side::Left;
    let mut lines = columns(&sides, &rows);
    lines[0] = painted(Paint::Heading, &lines[0]);
    lines
}

/// The document under `plan/v1alpha1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    seed: u64,
    unit: &'static str,
    carries: Option<Number>,
    breaks: Option<Number>,
    /// The load of most power (answered per second over the mean latency).
    knee: Option<Number>,
    breaks_first: Vec<String>,
    objectives: Vec<String>,
    curve: Vec<Point>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    load: Number,
    verdict: &'static str,
    availability: Number,
    answered_per_second: Number,
    mean_seconds: Option<Number>,
    p95_seconds: Option<Number>,
    p99_seconds: Option<Number>,
    pods_mean: Number,
    pods_max: Number,
    nodes_mean: Number,
    nodes_max: Number,
    cost_per_month: Number,
    replications: usize,
    sliced: bool,
}

fn point(one: &Tried) -> Point {
    Point {
        load: Number(one.load),
        verdict: one.outcome.name(),
        availability: Number(one.availability),
        answered_per_second: Number(one.throughput),
        mean_seconds: one.mean.map(Number),
        p95_seconds: one.p95.map(Number),
        p99_seconds: one.p99.map(Number),
        pods_mean: Number(one.pods.0),
        pods_max: Number(one.pods.1),
        nodes_mean: Number(one.nodes.0),
        nodes_max: Number(one.nodes.1),
        cost_per_month: Number(one.cost_per_month),
        replications: one.replications,
        sliced: one.sliced,
    }
}

/// The document of what was found.
pub fn document(scenario: &Scenario, capacity: &Capacity, seed: u64) -> Document {
    let name = |number: &usize| scenario.goals.objectives[*number].name.clone();
    let first = capacity.tried.iter().find(|one| one.outcome == Outcome::Missed);
    Document {
        api_version: "plan/v1alpha1",
        kind: "Capacity",
        name: scenario.name.clone(),
        seed,
        unit: if capacity.users { "users" } else { "journeysPerSecond" },
        carries: capacity.carries.map(Number),
        breaks: capacity.breaks.map(Number),
        knee: capacity.knee().map(|index| Number(capacity.tried[index].load)),
        breaks_first: first
            .map(|one| one.broken.iter().map(|(number, _)| name(number)).collect())
            .unwrap_or_default(),
        objectives: capacity.objectives.iter().map(name).collect(),
        curve: capacity.tried.iter().map(point).collect(),
    }
}

/// Several configurations, as a document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Documents {
    api_version: &'static str,
    kind: &'static str,
    seed: u64,
    configurations: Vec<Configuration>,
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    configuration: String,
    capacity: Document,
}

/// The document of several.
pub fn documents(all: &[Carried], seed: u64) -> Documents {
    let one = |one: &Carried| Configuration {
        configuration: one.name.clone(),
        capacity: document(&one.scenario, &one.capacity, seed),
    };
    Documents {
        api_version: "plan/v1alpha1",
        kind: "Capacities",
        seed,
        configurations: all.iter().map(one).collect(),
    }
}
