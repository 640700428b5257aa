//! A drill's timeline: requests, failures and ready pods, second by second.

use super::canvas::colour;
use super::frame::{Frame, draw};
use super::marks;
use super::panel::{Line, Panel, Style};
use super::{floats, per_second};
use crate::observe::{Moment, Observations, WatchRow};
use crate::scenario::Scenario;
use crate::scenario::catalogue::Exercise;
use crate::units::figures::{clock, plural};
use crate::units::{SimDuration, SimTime};

/// Shown from this long before the strike.
const BEFORE: SimDuration = SimDuration::from_secs(30);
/// Panels of single workloads at most.
const MOST_WORKLOADS: usize = 4;

/// One run of a drill as SVG; `None` where it did not strike.
pub fn drill(
    scenario: &Scenario,
    exercise: &Exercise,
    run: &Observations,
    replications: usize,
) -> Option<String> {
    let strike = run.watch.strikes.first()?;
    let struck = strike.time?;
    let begin = struck.minus_or_zero(BEFORE);
    let rows: Vec<&WatchRow> = run.watch.rows.iter().filter(|row| row.time > begin).collect();
    let times: Vec<SimTime> = rows.iter().map(|row| SimTime::ZERO + row.time.since(begin)).collect();
    let end = *times.last()?;
    let inside = run.moments.iter().filter(|moment| moment.time > begin);
    let moments: Vec<Moment> =
        inside.map(|one| Moment { time: SimTime::ZERO + one.time.since(begin), ..one.clone() }).collect();
    let names = scenario.workload_names();
    let mut panels = requests(run, &rows);
    let (moving, left_out) = workloads(&names, &rows);
    panels.extend(moving);
    let mut notes = vec![format!("It strikes {}, 30 s from the left edge.", strike.whom)];
    if left_out > 0 {
        notes.push(format!("{} more changed, too.", plural(left_out as u64, "workload", "workloads")));
    }
    let subtitle = format!(
        "{}; seed {}, replication {} of {}; 0 is 30 s before the strike at {}",
        exercise.about,
        run.seed.base,
        run.seed.replication + 1,
        replications,
        clock(struck),
    );
    Some(draw(&Frame {
        title: format!("{}: {}", scenario.name, exercise.name),
        subtitle,
        panels,
        columns: 1,
        times: &times,
        start: SimTime::ZERO,
        end,
        marks: marks::choose(&moments, end, 1, &names),
        notes,
    }))
}

fn requests(run: &Observations, rows: &[&WatchRow]) -> Vec<Panel> {
    let step = run.watch.step.as_secs_f64();
    let of = |of: fn(&WatchRow) -> u64| per_second(&rows.iter().map(|row| of(row)).collect::<Vec<_>>(), step);
    let ready: Vec<u32> = rows.iter().map(|row| row.ready.iter().sum()).collect();
    let mut pods = Panel::new(
        "Ready pods of all workloads",
        "pods",
        vec![Line::new("ready", colour::BLUE, Style::StepArea, &floats(&ready))],
    );
    pods.whole = true;
    vec![
        Panel::new(
            "Requests of users",
            "requests/s",
            vec![
                Line::new("asked", colour::SKY, Style::Solid, &of(|row| row.arrived)),
                Line::new("answered", colour::BLUE, Style::Solid, &of(|row| row.answered)),
            ],
        ),
        Panel::new(
            "Failed requests of users",
            "failed/s",
            vec![Line::new("failed", colour::VERMILLION, Style::Area, &of(|row| row.failed))],
        ),
        pods,
    ]
}

/// The workloads whose pods come or go, and how many of those found no room.
fn workloads(names: &[String], rows: &[&WatchRow]) -> (Vec<Panel>, usize) {
    let mut panels = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let of = |of: fn(&WatchRow) -> &Vec<u32>| rows.iter().map(|row| of(row)[index]).collect::<Vec<_>>();
        let (ready, wanted) = (of(|row| &row.ready), of(|row| &row.desired));
        let moves = |values: &[u32]| values.iter().any(|value| Some(value) != values.first());
        if !moves(&ready) && !moves(&wanted) {
            continue;
        }
        let mut panel = Panel::new(
            name,
            "replicas",
            vec![
                Line::new("ready", colour::BLUE, Style::StepArea, &floats(&ready)),
                Line::new("wanted", colour::VERMILLION, Style::Step, &floats(&wanted)),
            ],
        );
        panel.whole = true;
        panel.workload = Some(index);
        panels.push(panel);
    }
    let left_out = panels.len().saturating_sub(MOST_WORKLOADS);
    panels.truncate(MOST_WORKLOADS);
    (panels, left_out)
}
