//! What drills cost, for people and as a document.

use serde::Serialize;

use super::text::{Paint, Side, columns, painted, wrapped};
use super::{File, Number, chart, raster, table, verdict};
use crate::judge::drill::{Summary, Year};
use crate::judge::promises::Promise;
use crate::judge::{Estimate, Judged, Outcome};
use crate::observe::Observations;
use crate::scenario::catalogue::Exercise;
use crate::scenario::{Objective, Scenario};
use crate::units::figures::{amount, count, percent, plural, seconds};

/// All that `plan drill` found out.
#[derive(Clone, Debug)]
pub struct Drilled<'a> {
    /// On what.
    pub scenario: &'a Scenario,
    /// Which workload most drills struck.
    pub target: &'a str,
    /// The seed.
    pub seed: u64,
    /// How many replications each.
    pub replications: u32,
    /// What was exercised and what it cost; `None` where it did not strike.
    pub held: Vec<(&'a Exercise, Option<Summary>)>,
    /// The objectives on drills.
    pub promises: Vec<Promise>,
    /// The year, where every exercise was held.
    pub year: Option<Year>,
    /// The share of requests answered without any failure.
    pub steady: Estimate,
}

impl Drilled<'_> {
    /// That of all promises; `None` where the policy makes none that the drills are about.
    pub fn outcome(&self) -> Option<Outcome> {
        let all = || self.promises.iter().map(|one| one.judged.outcome);
        (!self.promises.is_empty()).then(|| Outcome::of_all(all()))
    }

    /// The worst outcome of the promises on one exercise.
    fn outcome_of(&self, exercise: usize) -> Option<Outcome> {
        let on =
            self.promises.iter().filter(|one| one.exercise == Some(exercise)).map(|one| one.judged.outcome);
        on.max()
    }
}

/// The page.
pub fn page(drilled: &Drilled<'_>, width: usize) -> String {
    let mut lines = heading(drilled, width);
    lines.extend(costs(drilled, width));
    lines.extend(year(drilled, width));
    lines.extend(promises(drilled, width));
    lines.join("\n") + "\n"
}

fn heading(drilled: &Drilled<'_>, width: usize) -> Vec<String> {
    let text = format!(
        "{} under its peak load all the time; each drill on its own, {} with seed {}, its moment and \
         victim drawn anew each time. {} is struck where a drill strikes one workload.",
        drilled.scenario.name,
        plural(u64::from(drilled.replications), "replication", "replications"),
        drilled.seed,
        drilled.target,
    );
    wrapped("", &text, width)
}

/// All files of a drill's results folder: the document, the page without colours, and
/// a chart of the first replication of each drill that struck.
pub fn files(drilled: &Drilled<'_>, runs: &[(&Exercise, &Observations)]) -> Vec<File> {
    /// The page in a file is this wide.
    const WIDTH: usize = 100;
    let page = anstream::adapter::strip_str(&page(drilled, WIDTH)).to_string();
    let mut files = vec![
        ("verdict.json".to_owned(), super::explain::json(&document(drilled)).into_bytes()),
        ("drills.txt".to_owned(), page.into_bytes()),
    ];
    for (exercise, run) in runs {
        let Some(svg) = chart::drill(drilled.scenario, exercise, run, drilled.replications as usize) else {
            continue;
        };
        files.push((format!("{}.png", exercise.name), raster::png(&svg)));
        files.push((format!("{}.svg", exercise.name), svg.into_bytes()));
    }
    files
}

/// A mean with its interval, where the mean alone would promise too much.
fn figure(estimate: Option<&Estimate>, of: impl Fn(f64) -> String) -> String {
    match estimate {
        None => "not in time".to_owned(),
        Some(one) => of(one.value),
    }
}

fn costs(drilled: &Drilled<'_>, width: usize) -> Vec<String> {
    let head = ["DRILL", "USERS BACK", "REPLICAS BACK", "LOST", "WORST 10 s", "VERDICT"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    for (number, (exercise, summary)) in drilled.held.iter().enumerate() {
        let verdict = drilled.outcome_of(number).map_or("", |outcome| match outcome {
            Outcome::NotJudged => "",
            other => other.name(),
        });
        let mut row = vec![exercise.name.clone()];
        match summary {
            None => row.extend(["did not strike".to_owned(), String::new(), String::new(), String::new()]),
            Some(one) => {
                let felt = |value: f64| if value > 0.0 { seconds(value) } else { "not felt".to_owned() };
                let back = |value: f64| if value > 0.0 { seconds(value) } else { "at once".to_owned() };
                let users = figure(one.users_recovered.as_ref(), felt);
                row.push(if one.metastable.is_some() { "metastable".to_owned() } else { users });
                row.push(figure(one.capacity_restored.as_ref(), back));
                row.push(count(one.lost.value));
                row.push(percent(one.worst));
            }
        }
        row.push(verdict.to_owned());
        rows.push(row);
    }
    let sides = [Side::Left, Side::Right, Side::Right, Side::Right, Side::Right, Side::Left];
    let mut lines = columns(&sides, &rows);
    lines[0] = painted(Paint::Heading, &lines[0]);
    lines.insert(0, String::new());
    let legend = "USERS BACK: from the strike until the success ratio is back at its objective and stays \
                  for 10 s. REPLICAS BACK: until every workload has its ready replicas again. LOST: requests \
                  that fail with the drill and not without it. Means over the replications; WORST of all.";
    lines.extend(wrapped("", legend, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines
}

fn year(drilled: &Drilled<'_>, width: usize) -> Vec<String> {
    let Some(year) = &drilled.year else { return Vec::new() };
    let interval = year
        .availability
        .interval
        .map_or(String::new(), |(low, high)| format!(" [{}, {}]", percent(low), percent(high)));
    let text = format!(
        "Expected over a year: {}{interval}. What costs most; how often is a guess unless given by --per-year.",
        percent(year.availability.value)
    );
    let mut lines = vec![String::new()];
    lines.extend(wrapped("", &text, width));
    let head = ["", "TIMES A YEAR", "LOST EACH TIME", "LOST A YEAR"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    let downtime = |share: f64| seconds(share * crate::judge::drill::YEAR);
    let mut entries = vec![(
        year.steady,
        vec!["without any failure".to_owned(), String::new(), String::new(), downtime(year.steady)],
    )];
    for ((exercise, summary), share) in drilled.held.iter().zip(&year.modes) {
        let each = summary.as_ref().map_or(0.0, |one| one.lost_seconds.value);
        let row =
            vec![exercise.name.clone(), amount(exercise.per_year), seconds(each), downtime(share.value)];
        entries.push((share.value, row));
    }
    entries.retain(|(share, _)| *share > 0.0);
    entries.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    rows.extend(entries.into_iter().map(|(_, row)| row));
    let mut table = columns(&[Side::Left, Side::Right, Side::Right, Side::Right], &rows);
    table[0] = painted(Paint::Heading, &table[0]);
    lines.extend(table);
    let legend = "Lost times are those in which the whole traffic would have had to fail.";
    lines.extend(wrapped("", legend, width).iter().map(|line| painted(Paint::Quiet, line)));
    lines
}

fn promises(drilled: &Drilled<'_>, width: usize) -> Vec<String> {
    let told = |promise: &Promise| {
        let objective = &drilled.scenario.goals.objectives[promise.objective];
        let on = promise.exercise.map_or(String::new(), |one| format!(" on {}", drilled.held[one].0.name));
        told(objective, &on, &promise.judged, &drilled.scenario.goals.currency, width)
    };
    drilled.promises.iter().flat_map(told).collect()
}

/// An objective that is missed or unsure, and why; nothing of the others.
pub(super) fn told(
    objective: &Objective,
    on: &str,
    judged: &Judged,
    currency: &str,
    width: usize,
) -> Vec<String> {
    let (word, paint) = match judged.outcome {
        Outcome::Missed => ("missed", Paint::Bad),
        Outcome::Unsure => ("unsure", Paint::Doubtful),
        Outcome::Met | Outcome::NotJudged => return Vec::new(),
    };
    let of = |value| table::figure(objective.indicator, value, currency);
    let measured = judged.measured.map_or(String::new(), |one| {
        let interval =
            one.interval.map_or(String::new(), |(low, high)| format!(" [{}, {}]", of(low), of(high)));
        format!(": {}{interval}", of(one.value))
    });
    let goal = of(objective.goal);
    let text = format!("{}{on} is {word}{measured}, asked {} {goal}", objective.name, objective.comparison);
    let mut lines = vec![String::new()];
    lines.extend(wrapped("", &text, width).iter().map(|line| painted(paint, line)));
    lines.extend(judged.because.iter().flat_map(|because| wrapped("  - ", because, width)));
    lines
}

/// The document under `plan/v1alpha1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    target: String,
    seed: u64,
    replications: u32,
    verdict: &'static str,
    drills: Vec<DrillData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<YearData>,
    objectives: Vec<PromiseData>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DrillData {
    name: String,
    about: String,
    target: Vec<String>,
    users_recovered_seconds: EstimateData,
    capacity_restored_seconds: EstimateData,
    requests_lost: EstimateData,
    traffic_lost_seconds: EstimateData,
    metastable: bool,
    worst_failed_share: Number,
    slowest_answer_seconds: Number,
    per_year: Number,
    verdict: &'static str,
}

#[derive(Debug, Default, Serialize)]
struct EstimateData {
    value: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct YearData {
    availability: EstimateData,
    steady_unavailability: Number,
    unavailability_by_drill: Vec<(String, Number)>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PromiseData {
    name: String,
    indicator: &'static str,
    drill: Option<String>,
    comparison: String,
    goal: Number,
    measured: EstimateData,
    verdict: &'static str,
    because: Vec<String>,
}

fn data(estimate: Option<&Estimate>) -> EstimateData {
    let Some(one) = estimate else { return EstimateData::default() };
    let ends = one.interval;
    EstimateData {
        value: Some(Number(one.value)),
        low: ends.map(|(low, _)| Number(low)),
        high: ends.map(|(_, high)| Number(high)),
    }
}

/// The drills that there are, each with what happens in it.
pub fn list(exercises: &[Exercise]) -> String {
    let rows: Vec<String> = exercises.iter().map(|one| format!("{:24} {}\n", one.name, one.about)).collect();
    rows.concat()
}

/// One that could be held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedData {
    name: String,
    about: String,
    per_year: Number,
}

/// The same as a document.
pub fn listed(scenario: &Scenario, exercises: &[Exercise]) -> impl Serialize {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed {
        api_version: &'static str,
        kind: &'static str,
        name: String,
        drills: Vec<ListedData>,
    }
    let of = |one: &Exercise| ListedData {
        name: one.name.clone(),
        about: one.about.clone(),
        per_year: Number(one.per_year),
    };
    Listed {
        api_version: "plan/v1alpha1",
        kind: "DrillList",
        name: scenario.name.clone(),
        drills: exercises.iter().map(of).collect(),
    }
}

/// The document of what was found out.
pub fn document(drilled: &Drilled<'_>) -> Document {
    let drills = drilled.held.iter().enumerate().map(|(number, (exercise, summary))| {
        let one = summary.as_ref();
        DrillData {
            name: exercise.name.clone(),
            about: exercise.about.clone(),
            target: one.map(|one| one.whom.clone()).unwrap_or_default(),
            users_recovered_seconds: data(one.and_then(|one| one.users_recovered.as_ref())),
            capacity_restored_seconds: data(one.and_then(|one| one.capacity_restored.as_ref())),
            requests_lost: data(one.map(|one| &one.lost)),
            traffic_lost_seconds: data(one.map(|one| &one.lost_seconds)),
            metastable: one.is_some_and(|one| one.metastable.is_some()),
            worst_failed_share: Number(one.map_or(0.0, |one| one.worst)),
            slowest_answer_seconds: Number(one.map_or(0.0, |one| one.slowest.as_secs_f64())),
            per_year: Number(exercise.per_year),
            verdict: drilled.outcome_of(number).unwrap_or(Outcome::NotJudged).name(),
        }
    });
    let modes = |year: &Year| {
        let names = drilled.held.iter().map(|(exercise, _)| exercise.name.clone());
        names.zip(year.modes.iter().map(|share| Number(share.value))).collect()
    };
    Document {
        api_version: "plan/v1alpha1",
        kind: "Drills",
        name: drilled.scenario.name.clone(),
        target: drilled.target.to_owned(),
        seed: drilled.seed,
        replications: drilled.replications,
        verdict: drilled.outcome().unwrap_or(Outcome::NotJudged).name(),
        drills: drills.collect(),
        year: drilled.year.as_ref().map(|year| YearData {
            availability: data(Some(&year.availability)),
            steady_unavailability: Number(year.steady),
            unavailability_by_drill: modes(year),
        }),
        objectives: drilled.promises.iter().map(|promise| promise_data(drilled, promise)).collect(),
    }
}

fn promise_data(drilled: &Drilled<'_>, promise: &Promise) -> PromiseData {
    let objective = &drilled.scenario.goals.objectives[promise.objective];
    PromiseData {
        name: objective.name.clone(),
        indicator: verdict::indicator(objective.indicator),
        drill: promise.exercise.map(|one| drilled.held[one].0.name.clone()),
        comparison: objective.comparison.to_string(),
        goal: Number(objective.goal),
        measured: data(promise.judged.measured.as_ref()),
        verdict: promise.judged.outcome.name(),
        because: promise.judged.because.clone(),
    }
}
