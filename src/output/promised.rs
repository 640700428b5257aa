//! A document's table of promises, measured: for people and as a document.

use serde::Serialize;

use super::Number;
use super::drill::told;
use super::text::{Paint, Side, columns, head_of, painted, wrapped};
use crate::input::promises::{Figure, Row};
use crate::judge::{Judged, Outcome};
use crate::promised::{Measured, Seen, Table};
use crate::scenario::Scenario;
use crate::units::figures::{amount, count, percent, plural, seconds};

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What the sides are called.
    pub names: [&'a str; 2],
    /// What was measured.
    pub table: &'a Table,
    /// The second side.
    pub after: &'a Scenario,
    /// The seed.
    pub seed: u64,
    /// How many replications.
    pub replications: u32,
}

/// What a row is called.
fn name(row: &Row) -> String {
    let text = match row.figure {
        Figure::UsersCarried => "users carried",
        Figure::InstancesPerService => "instances per service",
        Figure::Availability => "availability",
        Figure::AvailabilityPerYear => "availability, a year",
        Figure::DeployDowntime => "deploy downtime",
        Figure::Recovery => {
            return format!("recovery, {}", row.drill.as_deref().unwrap_or("a failure"));
        }
        Figure::Scaling => "scaling",
        Figure::Nodes => "nodes",
        Figure::Pods => "pods",
        Figure::Services => "services",
        Figure::Ingresses => "ingresses",
        Figure::Autoscalers => "HPAs",
        Figure::Volumes => "volumes",
    };
    text.to_owned()
}

/// A value in the unit of its row.
fn value(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Availability | Figure::AvailabilityPerYear => percent(value),
        Figure::DeployDowntime | Figure::Recovery => {
            if value > 0.0 {
                seconds(value)
            } else {
                "0 s".to_owned()
            }
        }
        _ => count(value),
    }
}

/// A value with its interval, as short as a column allows.
fn with_interval(figure: Figure, mean: f64, (low, high): (f64, f64)) -> String {
    let half = (high - low) / 2.0;
    match figure {
        Figure::Availability | Figure::AvailabilityPerYear => {
            format!("{} ± {}", percent(mean), amount(half * 100.0))
        }
        _ => format!("{} ± {}", value(figure, mean), value(figure, half)),
    }
}

fn seen(figure: Figure, seen: Seen) -> String {
    let of = |number| value(figure, number);
    match seen {
        Seen::Estimate(one) => match one.interval {
            Some((low, high)) if of(low) != of(high) => with_interval(figure, one.value, (low, high)),
            _ => of(one.value),
        },
        Seen::Border(carries, breaks) => format!("{} to {}", of(carries), of(breaks)),
        Seen::AtLeast(least) => format!("{} or more", of(least)),
        Seen::Range(low, high) if of(low) == of(high) => of(low),
        Seen::Range(low, high) => format!("{} to {}", of(low), of(high)),
        Seen::Number(number) => of(number),
        Seen::Words(words) => words.to_owned(),
        Seen::NotInTime => "not in time".to_owned(),
        Seen::Nothing => "-".to_owned(),
    }
}

/// The page.
pub fn page(shown: &Shown<'_>, width: usize) -> String {
    let [a, b] = shown.names;
    let table = shown.table;
    let text = format!(
        "{} before ({a}) and after ({b}): what was simulated beside what its document promises. Without \
         failures: {a} under {} users and {b} under {}; drills on both under {}; {} with seed {}.",
        shown.after.name,
        count(table.users.0),
        count(table.users.1),
        count(table.drilled_at),
        plural(u64::from(shown.replications), "replication", "replications"),
        shown.seed,
    );
    let mut lines = wrapped("", &text, width);
    lines.push(String::new());
    let head = ["", &head_of(a), "SAID", &head_of(b), "PROMISED", ""].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    for one in &table.rows {
        let figure = one.row.figure;
        let outcome = if one.outcome == Outcome::NotJudged { "" } else { one.outcome.name() };
        rows.push(vec![
            name(&one.row),
            seen(figure, one.before),
            one.row.before.clone().unwrap_or_else(|| "-".to_owned()),
            seen(figure, one.after),
            one.row.after.clone(),
            outcome.to_owned(),
        ]);
    }
    let sides = [Side::Left, Side::Right, Side::Right, Side::Right, Side::Right, Side::Left];
    let mut drawn = columns(&sides, &rows);
    drawn[0] = painted(Paint::Heading, &drawn[0]);
    lines.extend(drawn);
    let legend = "Users carried: from the largest load that was answered as the policy asks to the smallest \
                  that was not. Availability: while nothing fails, and over a year with all failures. Recovery: \
                  until users are served again; downtime: until they feel nothing of the update any more.";
    lines.extend(wrapped("", legend, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines.extend(missed(shown, width));
    lines.join("\n") + "\n"
}

/// Which of the policy's objectives the second side misses, and why.
fn missed(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let (table, goals) = (shown.table, &shown.after.goals);
    let under = format!(" under {} users", count(table.users.1));
    let (mut lines, mut said) = (Vec::new(), Vec::new());
    for (objective, judged) in goals.objectives.iter().zip(&table.verdict.objectives) {
        let judged = once(judged, &mut said);
        lines.extend(told(objective, &under, &judged, &goals.currency, width));
    }
    let named = |one: &str| table.rows.iter().any(|row| row.row.drill.as_deref() == Some(one));
    let mut others: Vec<&str> = Vec::new();
    for promise in &table.promises {
        let drill = promise.exercise.map(|one| table.exercises[one].name.as_str());
        match drill {
            Some(drill) if !named(drill) => {
                if promise.judged.outcome == Outcome::Missed && !others.contains(&drill) {
                    others.push(drill);
                }
            }
            _ => {
                let on = drill.map_or(String::new(), |drill| format!(" on {drill}"));
                let objective = &goals.objectives[promise.objective];
                let judged = once(&promise.judged, &mut said);
                lines.extend(told(objective, &on, &judged, &goals.currency, width));
            }
        }
    }
    if !others.is_empty() {
        let text = format!(
            "The objectives on drills are missed on {}, too: plan drill {} says why.",
            others.join(", "),
            others[0]
        );
        lines.push(String::new());
        lines.extend(wrapped("", &text, width));
    }
    lines
}

/// The same without the reasons that were given before.
fn once(judged: &Judged, said: &mut Vec<String>) -> Judged {
    let mut judged = judged.clone();
    let all = judged.because.len();
    judged.because.retain(|because| !said.contains(because));
    said.extend(judged.because.iter().cloned());
    if judged.because.len() < all {
        judged.because.push("for reasons given above".to_owned());
    }
    judged
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
    users: [Number; 2],
    users_in_drills: Number,
    rows: Vec<RowData>,
    missed: Vec<MissedData>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RowData {
    name: String,
    before: SeenData,
    said_before: Option<String>,
    after: SeenData,
    promised: String,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenData {
    value: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MissedData {
    objective: String,
    drill: Option<String>,
    verdict: &'static str,
    because: Vec<String>,
}

fn seen_data(figure: Figure, of: Seen) -> SeenData {
    let (value, ends) = match of {
        Seen::Estimate(one) => (Some(one.value), one.interval),
        Seen::Border(carries, breaks) => (Some(carries), Some((carries, breaks))),
        Seen::AtLeast(least) => (Some(least), None),
        Seen::Range(low, high) => (None, Some((low, high))),
        Seen::Number(number) => (Some(number), None),
        Seen::Words(_) | Seen::NotInTime | Seen::Nothing => (None, None),
    };
    SeenData {
        value: value.map(Number),
        low: ends.map(|(low, _)| Number(low)),
        high: ends.map(|(_, high)| Number(high)),
        text: seen(figure, of),
    }
}

/// The document of what was measured.
pub fn document(shown: &Shown<'_>) -> Document {
    let (table, goals) = (shown.table, &shown.after.goals);
    let row = |one: &Measured| RowData {
        name: name(&one.row),
        before: seen_data(one.row.figure, one.before),
        said_before: one.row.before.clone(),
        after: seen_data(one.row.figure, one.after),
        promised: one.row.after.clone(),
        verdict: one.outcome.name(),
    };
    let open = |outcome: Outcome| matches!(outcome, Outcome::Missed | Outcome::Unsure);
    let undisturbed = goals.objectives.iter().zip(&table.verdict.objectives);
    let undisturbed = undisturbed.map(|(objective, judged)| (objective.name.clone(), None, judged));
    let on_drills = table.promises.iter().map(|one| {
        let drill = one.exercise.map(|exercise| table.exercises[exercise].name.clone());
        (goals.objectives[one.objective].name.clone(), drill, &one.judged)
    });
    let missed = undisturbed.chain(on_drills).filter(|(_, _, judged)| open(judged.outcome));
    Document {
        api_version: "plan/v1alpha1",
        kind: "Promises",
        names: shown.names.map(str::to_owned),
        seed: shown.seed,
        replications: shown.replications,
        users: [Number(table.users.0), Number(table.users.1)],
        users_in_drills: Number(table.drilled_at),
        rows: table.rows.iter().map(row).collect(),
        missed: missed
            .map(|(objective, drill, judged)| MissedData {
                objective,
                drill,
                verdict: judged.outcome.name(),
                because: judged.because.clone(),
            })
            .collect(),
    }
}
