//! Two configurations side by side, for people and as a document.

use serde::Serialize;

use super::Number;
use super::text::{Paint, Side, columns, head_of, painted, wrapped};
use crate::compare::{Drilled, Figure, Unit};
use crate::judge::Estimate;
use crate::judge::drill::Summary;
use crate::units::figures::{amount, count, money, percent, plural, seconds};

/// What was compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What the two sides are called.
    pub names: [String; 2],
    /// The seed.
    pub seed: u64,
    /// How many pairs.
    pub replications: u32,
    /// The load of both, in words.
    pub load: String,
    /// Figure by figure.
    pub figures: Vec<Figure>,
    /// Drill by drill.
    pub drills: Vec<Drilled>,
    /// The currency of costs.
    pub currency: String,
}

fn shown(unit: Unit, value: f64, currency: &str) -> String {
    match unit {
        Unit::Share => percent(value),
        Unit::Count => count(value),
        Unit::Seconds => seconds(value),
        Unit::Money => money(value, currency),
        Unit::Cores => amount(value),
    }
}

/// A difference with its sign; shares in points of a percent.
fn change(unit: Unit, estimate: &Estimate, currency: &str) -> String {
    let one = |value: f64| {
        let text = match unit {
            Unit::Share => amount(value * 100.0),
            other => shown(other, value, currency),
        };
        let is_more = value > 0.0 && text.contains(|c: char| ('1'..='9').contains(&c));
        if is_more { format!("+{text}") } else { text }
    };
    let points = if unit == Unit::Share { " points" } else { "" };
    let value = one(estimate.value);
    match estimate.interval.map(|(low, high)| (one(low), one(high))) {
        Some((low, high)) if low != high => format!("{value}{points} [{low}, {high}]"),
        _ => format!("{value}{points}"),
    }
}

/// The page.
pub fn page(compared: &Compared, width: usize) -> String {
    let [a, b] = &compared.names;
    let text = format!(
        "{a} and {b} under the same requests ({}), {} with seed {}.",
        compared.load,
        plural(u64::from(compared.replications), "pair of runs", "pairs of runs"),
        compared.seed,
    );
    let mut lines = wrapped("", &text, width);
    lines.push(String::new());
    let mut rows = vec![vec![String::new(), head_of(a), head_of(b), "DIFFERENCE".to_owned()]];
    for figure in &compared.figures {
        let of = |one: &Option<Estimate>| {
            one.map_or("-".to_owned(), |one| shown(figure.unit, one.value, &compared.currency))
        };
        let difference = figure
            .difference
            .as_ref()
            .map_or("-".to_owned(), |one| change(figure.unit, one, &compared.currency));
        rows.push(vec![figure.name.clone(), of(&figure.a), of(&figure.b), difference]);
    }
    let mut table = columns(&[Side::Left, Side::Right, Side::Right, Side::Left], &rows);
    table[0] = painted(Paint::Heading, &table[0]);
    lines.extend(table);
    lines.extend(drills(compared, width));
    lines.join("\n") + "\n"
}

fn drills(compared: &Compared, width: usize) -> Vec<String> {
    if compared.drills.is_empty() {
        return Vec::new();
    }
    let [a, b] = &compared.names;
    let mut rows = vec![vec![
        "DRILL".to_owned(),
        format!("{} BACK", head_of(a)),
        "LOST".to_owned(),
        format!("{} BACK", head_of(b)),
        "LOST".to_owned(),
    ]];
    let back = |side: &Option<Summary>| match side {
        None => "-".to_owned(),
        Some(one) => match &one.users_recovered {
            None => "not in time".to_owned(),
            Some(time) if time.value > 0.0 => seconds(time.value),
            Some(_) => "not felt".to_owned(),
        },
    };
    let lost =
        |side: &Option<Summary>| side.as_ref().map_or("-".to_owned(), |one| seconds(one.lost_seconds.value));
    for one in &compared.drills {
        rows.push(vec![one.name.clone(), back(&one.a), lost(&one.a), back(&one.b), lost(&one.b)]);
    }
    let mut lines = vec![String::new()];
    let mut table = columns(&[Side::Left, Side::Right, Side::Right, Side::Right, Side::Right], &rows);
    table[0] = painted(Paint::Heading, &table[0]);
    lines.extend(table);
    let legend =
        "BACK: until users are served again. LOST: as seconds of the whole traffic. At the peak load.";
    lines.extend(wrapped("", legend, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines
}

/// The document under `plan/v1alpha1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    names: [String; 2],
    seed: u64,
    replications: u32,
    load: String,
    currency: String,
    figures: Vec<FigureData>,
    drills: Vec<DrillData>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FigureData {
    name: String,
    unit: &'static str,
    a: Option<Number>,
    b: Option<Number>,
    difference: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DrillData {
    name: String,
    a: Option<CostData>,
    b: Option<CostData>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CostData {
    users_recovered_seconds: Option<Number>,
    capacity_restored_seconds: Option<Number>,
    requests_lost: Number,
    traffic_lost_seconds: Number,
}

/// The document of what was compared.
pub fn document(compared: &Compared) -> Document {
    let unit = |unit: Unit| match unit {
        Unit::Share => "share",
        Unit::Count => "count",
        Unit::Seconds => "seconds",
        Unit::Money => "money",
        Unit::Cores => "cores",
    };
    let figure = |one: &Figure| {
        let ends = one.difference.and_then(|one| one.interval);
        FigureData {
            name: one.name.clone(),
            unit: unit(one.unit),
            a: one.a.map(|one| Number(one.value)),
            b: one.b.map(|one| Number(one.value)),
            difference: one.difference.map(|one| Number(one.value)),
            low: ends.map(|(low, _)| Number(low)),
            high: ends.map(|(_, high)| Number(high)),
        }
    };
    let cost = |one: &Summary| CostData {
        users_recovered_seconds: one.users_recovered.map(|one| Number(one.value)),
        capacity_restored_seconds: one.capacity_restored.map(|one| Number(one.value)),
        requests_lost: Number(one.lost.value),
        traffic_lost_seconds: Number(one.lost_seconds.value),
    };
    let drill = |one: &Drilled| DrillData {
        name: one.name.clone(),
        a: one.a.as_ref().map(cost),
        b: one.b.as_ref().map(cost),
    };
    Document {
        api_version: "plan/v1alpha1",
        kind: "Comparison",
        names: compared.names.clone(),
        seed: compared.seed,
        replications: compared.replications,
        load: compared.load.clone(),
        currency: compared.currency.clone(),
        figures: compared.figures.iter().map(figure).collect(),
        drills: compared.drills.iter().map(drill).collect(),
    }
}
