//! How settings fare in other worlds, for people and as a document.

use serde::Serialize;

use super::Number;
use super::table::figure;
use super::text::{Paint, Side, columns, cut, painted, wrapped};
use crate::capacity::load_of;
use crate::input::world::Unknown;
use crate::judge::Outcome;
use crate::robust::{Fare, Fared, Robustness, Swing};
use crate::scenario::{Basis, Comparison, Objective, Scenario};
use crate::units::figures::{count, money, percent, plural};

/// What there is to tell.
pub struct Shown<'a> {
    /// The first side's scenario with every unknown in the middle.
    pub scenario: &'a Scenario,
    /// What is not known for sure.
    pub unknowns: &'a [Unknown],
    /// What came of it.
    pub found: &'a Robustness,
    /// `--seed`.
    pub seed: u64,
    /// Whether the whole time was simulated.
    pub whole: bool,
}

/// Unknowns that the page names; the document has all.
const NAMED: usize = 10;
/// Characters of a name on the page.
const NAME: usize = 38;
/// Characters of a configuration's name.
const SIDE: usize = 30;

impl Shown<'_> {
    /// The objective behind a number of the answer.
    pub(super) fn objective(&self, number: usize) -> &Objective {
        &self.scenario.goals.objectives[self.found.objectives[number]]
    }

    pub(super) fn value(&self, fare: &Fare, number: usize) -> String {
        let objective = self.objective(number);
        let currency = &self.scenario.goals.currency;
        fare.values[number].map_or("-".to_owned(), |value| figure(objective.indicator, value, currency))
    }

    pub(super) fn goal(&self, number: usize) -> String {
        let objective = self.objective(number);
        let sign = match objective.comparison {
            Comparison::AtLeast => "≥",
            Comparison::AtMost => "≤",
        };
        format!("{sign} {}", figure(objective.indicator, objective.goal, &self.scenario.goals.currency))
    }

    /// How many objectives had something to measure.
    fn judged(&self) -> usize {
        (0..self.found.objectives.len()).filter(|number| self.found.is_judged(*number)).count()
    }

    /// Kept in every world, in none, or it depends.
    pub fn outcome(&self) -> Outcome {
        match self.found.keeps_all(0) {
            _ if self.judged() == 0 => Outcome::NotJudged,
            (kept, of) if kept == of => Outcome::Met,
            (0, _) => Outcome::Missed,
            _ => Outcome::Unsure,
        }
    }

    /// `45 % of worlds [26 %, 66 %]`
    fn share(&self, kept: (u64, u64)) -> String {
        let (share, (low, high)) = Robustness::share(kept, self.scenario.goals.confidence);
        let whole = |share: f64| format!("{:.0} %", share * 100.0);
        format!("{} [{}, {}]", whole(share), whole(low), whole(high))
    }
}

/// The page.
pub fn page(shown: &Shown<'_>, width: usize) -> String {
    let (load, users) = load_of(shown.scenario);
    let load = if users { format!("{} users", count(load)) } else { "its load".to_owned() };
    let minutes = if shown.whole { "over the whole time" } else { "in the hardest minutes" };
    let worlds = shown.found.sides[0].worlds.len() as u64;
    let text = format!(
        "{} at {load}, {minutes}: {} with {} each at other places of their ranges, seed {}.",
        shown.scenario.name,
        plural(worlds, "world", "worlds"),
        plural(shown.unknowns.len() as u64, "unknown", "unknowns"),
        shown.seed,
    );
    let mut lines = wrapped("", &text, width);
    lines.push(String::new());
    lines.extend(answer(shown, width));
    lines.extend(objectives(shown, width));
    lines.extend(tornado(shown, width));
    lines.extend(regret(shown, width));
    lines.join("\n") + "\n"
}

/// The section of a tuning's page.
pub(super) fn section(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let mut lines = vec![String::new(), painted(Paint::Heading, "WHERE WHAT IS NOT KNOWN IS OTHERWISE")];
    lines.extend(answer(shown, width));
    lines.extend(tornado(shown, width));
    lines.extend(regret(shown, width));
    lines
}

fn answer(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let (kept, of) = shown.found.keeps_all(0);
    let number = plural(shown.judged() as u64, "objective", "objectives");
    let (paint, word) = match shown.outcome() {
        Outcome::Met => (Paint::Good, "ROBUST"),
        Outcome::Missed => (Paint::Bad, "MISSED"),
        Outcome::Unsure => (Paint::Doubtful, "IT DEPENDS"),
        Outcome::NotJudged => {
            return wrapped("", "The policy has no objective that can be judged here.", width);
        }
    };
    let share = shown.share((kept, of));
    let text = format!("{word}: all {number} looked at are kept in {kept} of {of} worlds: {share}");
    let mut lines: Vec<String> = wrapped("", &text, width).iter().map(|line| painted(paint, line)).collect();
    lines.push(String::new());
    lines.extend(wrapped("", &advice(shown), width));
    lines
}

/// What to measure first, and why.
fn advice(shown: &Shown<'_>) -> String {
    let Some(torn) = shown.found.torn else {
        return "No unknown moves any of them by as much as 2 %: nothing has to be measured for this verdict."
            .to_owned();
    };
    let Some(first) = shown.found.swings.first() else {
        return "Nothing in the input has a range, so there is nothing to draw worlds from.".to_owned();
    };
    let number =
        if first.decides.is_empty() || first.decides.contains(&torn) { torn } else { first.decides[0] };
    let unknown = &shown.unknowns[first.unknown];
    let figures = format!(
        "{} is {} at {}, {} at {} (goal {})",
        shown.objective(number).name,
        shown.value(&first.low, number),
        unknown.low,
        shown.value(&first.high, number),
        unknown.high,
        shown.goal(number),
    );
    if first.decides.is_empty() {
        let (kept, of) = shown.found.keeps_all(0);
        let together = match kept {
            kept if kept == of => "and together they decide nothing either",
            0 => "the verdict is the same whatever they are",
            _ => "but together they do",
        };
        return format!(
            "No unknown alone decides an objective, {together}. {} moves most: {figures}.",
            unknown.name()
        );
    }
    format!("Measure {} first, as it decides: {figures}.", unknown.name())
}

fn objectives(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let found = shown.found;
    let head = ["", "OBJECTIVE", "GOAL", "MIDDLE", "KEPT IN", "MOVED MOST BY"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    for number in 0..found.objectives.len() {
        let (kept, of) = found.kept(0, number);
        let sign = match kept {
            _ if of == 0 => "-",
            kept if kept == of => "+",
            0 => "x",
            _ => "?",
        };
        let by = found
            .decider(shown.scenario, number)
            .map_or("-".to_owned(), |swing| shown.unknowns[swing.unknown].name());
        rows.push(vec![
            sign.to_owned(),
            cut(&shown.objective(number).name, 24),
            shown.goal(number),
            shown.value(&found.sides[0].middle, number),
            format!("{kept}/{of}"),
            by,
        ]);
    }
    let sides = [Side::Left, Side::Left, Side::Left, Side::Right, Side::Right, Side::Left];
    let mut table = columns(&sides, &rows);
    table[0] = painted(Paint::Heading, &table[0]);
    let mut lines = vec![String::new()];
    lines.push(table[0].clone());
    lines.extend(table[1..].iter().map(|line| cut(line, width)));
    for why in ["needs a drill", "of the whole time, not of its hardest minutes (--whole)"] {
        let names: Vec<&str> = found
            .left_out
            .iter()
            .filter(|(_, one)| *one == why)
            .map(|(number, _)| shown.scenario.goals.objectives[*number].name.as_str())
            .collect();
        if !names.is_empty() {
            let text = format!("{} ({why})", names.join(", "));
            lines
                .extend(wrapped("not judged: ", &text, width).iter().map(|line| painted(Paint::Quiet, line)));
        }
    }
    lines
}

/// Whether a swing is worth a row.
fn matters(shown: &Shown<'_>, swing: &Swing, torn: usize) -> bool {
    !swing.decides.is_empty() || shown.value(&swing.low, torn) != shown.value(&swing.high, torn)
}

fn tornado(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let found = shown.found;
    let Some(torn) = found.torn else { return Vec::new() };
    let heading = format!("WHAT MOVES {} ({})", shown.objective(torn).name, shown.goal(torn));
    let mut lines = vec![String::new()];
    lines.extend(wrapped("", &heading, width).iter().map(|line| painted(Paint::Heading, line)));
    let head = ["UNKNOWN", "LOW", "", "HIGH", "", "DECIDES"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    let all: Vec<&Swing> = found.swings.iter().filter(|swing| matters(shown, swing, torn)).collect();
    for swing in all.iter().take(NAMED) {
        let unknown = &shown.unknowns[swing.unknown];
        let decides = match swing.decides.len() as u64 {
            0 => String::new(),
            number => plural(number, "objective", "objectives"),
        };
        rows.push(vec![
            cut(&unknown.name(), NAME),
            unknown.low.clone(),
            shown.value(&swing.low, torn),
            unknown.high.clone(),
            shown.value(&swing.high, torn),
            decides,
        ]);
    }
    let sides = [Side::Left, Side::Right, Side::Left, Side::Right, Side::Left, Side::Left];
    let table = columns(&sides, &rows);
    lines.push(painted(Paint::Heading, &table[0]));
    lines.extend(table[1..].iter().cloned());
    let rest = all.len().saturating_sub(NAMED);
    let still = (found.swings.len() - all.len()) as u64;
    let text = format!(
        "One at a time, the others in the middle. {}{} make no difference.",
        if rest > 0 { format!("{rest} more move it less; ") } else { String::new() },
        plural(still, "unknown", "unknowns"),
    );
    lines.extend(wrapped("", &text, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines
}

fn regret(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let found = shown.found;
    if found.sides.len() < 2 {
        return Vec::new();
    }
    let currency = &shown.scenario.goals.currency;
    let head = ["", "CONFIGURATION", "ALL KEPT", "IN VAIN", "TOO MUCH", "A MONTH"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    let least = found.least_regret();
    for (index, side) in found.sides.iter().enumerate() {
        let (kept, of) = found.keeps_all(index);
        rows.push(vec![
            if index == least { "*" } else { "" }.to_owned(),
            cut(&side.name, SIDE),
            format!("{kept}/{of}"),
            side.regret.missed.to_string(),
            if kept > 0 { money(side.regret.extra, currency) } else { "-".to_owned() },
            side.mean_cost().map_or("-".to_owned(), |mean| money(mean, currency)),
        ]);
    }
    let mut sides = [Side::Right; 6];
    (sides[0], sides[1]) = (Side::Left, Side::Left);
    let table = columns(&sides, &rows);
    let mut lines =
        vec![String::new(), painted(Paint::Heading, "REGRET"), painted(Paint::Heading, &table[0])];
    lines.extend(table[1..].iter().cloned());
    let (kept, of) = found.keeps_all(least);
    let text = format!(
        "* least regret: {}, which keeps all in {}. In vain: an objective is missed in a world in which \
         another of these keeps all. Too much: beyond the cheapest that keeps all, as the mean of the worlds \
         in which it does.",
        found.sides[least].name,
        percent(kept as f64 / (of as f64).max(1.0)),
    );
    lines.extend(wrapped("", &text, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines
}

/// The document under `plan/v1alpha1`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    seed: u64,
    /// `hardestMinutes` or `whole`.
    simulated: &'static str,
    /// `met` in every world, `missed` in every world, else `unsure`.
    verdict: &'static str,
    #[serde(flatten)]
    data: Data,
}

/// The part that the document of a tuning has, too.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data {
    worlds: usize,
    all_kept: ShareData,
    objectives: Vec<ObjectiveData>,
    not_judged: Vec<NotJudgedData>,
    /// What decides most first.
    unknowns: Vec<UnknownData>,
    configurations: Vec<SideData>,
    least_regret: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShareData {
    worlds: u64,
    of: u64,
    share: Number,
    low: Number,
    high: Number,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectiveData {
    name: String,
    goal: Number,
    middle: Option<Number>,
    kept: ShareData,
    moved_most_by: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotJudgedData {
    name: String,
    because: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownData {
    name: String,
    owners: Vec<String>,
    low: String,
    mid: String,
    high: String,
    basis: &'static str,
    source: String,
    /// Objectives that it alone decides.
    decides: Vec<String>,
    /// Objective by objective, in the order of `objectives`.
    at_low: Vec<Option<Number>>,
    at_high: Vec<Option<Number>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SideData {
    name: String,
    all_kept: ShareData,
    missed_in_vain: usize,
    extra_cost_per_month: Number,
    /// `null` where the files can be read in none of the worlds.
    mean_cost_per_month: Option<Number>,
}

/// The document of what was found.
pub fn document(shown: &Shown<'_>) -> Document {
    Document {
        api_version: super::verdict::API_VERSION,
        kind: "Robustness",
        name: shown.scenario.name.clone(),
        seed: shown.seed,
        simulated: if shown.whole { "whole" } else { "hardestMinutes" },
        verdict: shown.outcome().name(),
        data: data(shown),
    }
}

/// The part that the document of a tuning has, too.
pub(super) fn data(shown: &Shown<'_>) -> Data {
    let found = shown.found;
    let confidence = shown.scenario.goals.confidence;
    let share = |kept: (u64, u64)| {
        let (share, (low, high)) = Robustness::share(kept, confidence);
        ShareData { worlds: kept.0, of: kept.1, share: Number(share), low: Number(low), high: Number(high) }
    };
    let name = |swing: &Swing| shown.unknowns[swing.unknown].name();
    let objectives = (0..found.objectives.len()).map(|number| ObjectiveData {
        name: shown.objective(number).name.clone(),
        goal: Number(shown.objective(number).goal),
        middle: found.sides[0].middle.values[number].map(Number),
        kept: share(found.kept(0, number)),
        moved_most_by: found.decider(shown.scenario, number).map(name),
    });
    let side = |(index, side): (usize, &Fared)| SideData {
        name: side.name.clone(),
        all_kept: share(found.keeps_all(index)),
        missed_in_vain: side.regret.missed,
        extra_cost_per_month: Number(side.regret.extra),
        mean_cost_per_month: side.mean_cost().map(Number),
    };
    let not_judged = found.left_out.iter().map(|(number, because)| NotJudgedData {
        name: shown.scenario.goals.objectives[*number].name.clone(),
        because,
    });
    Data {
        worlds: found.sides[0].worlds.len(),
        all_kept: share(found.keeps_all(0)),
        objectives: objectives.collect(),
        not_judged: not_judged.collect(),
        unknowns: found.swings.iter().map(|swing| unknown(shown, swing)).collect(),
        configurations: found.sides.iter().enumerate().map(side).collect(),
        least_regret: found.sides[found.least_regret()].name.clone(),
    }
}

fn unknown(shown: &Shown<'_>, swing: &Swing) -> UnknownData {
    let unknown = &shown.unknowns[swing.unknown];
    let values = |fare: &Fare| fare.values.iter().map(|value| value.map(Number)).collect();
    UnknownData {
        name: unknown.name(),
        owners: unknown.owners.clone(),
        low: unknown.low.clone(),
        mid: unknown.mid.clone(),
        high: unknown.high.clone(),
        basis: match unknown.basis {
            Basis::Measured => "measured",
            Basis::Prior => "prior",
            Basis::Assumed => "assumed",
        },
        source: unknown.source.clone(),
        decides: swing.decides.iter().map(|number| shown.objective(*number).name.clone()).collect(),
        at_low: values(&swing.low),
        at_high: values(&swing.high),
    }
}
