//! Charts of one replication as SVG: load, latency, replicas, CPU, the cluster.
//!
//! Each can be read by someone who wasn't there: scenario and seed in the
//! title, units at the axes, goals and bounds dashed, the warm-up shaded, and
//! the moments that matter numbered and told below.

mod bars;
mod canvas;
mod curve;
mod drill;
mod frame;
mod marks;
mod panel;
mod plane;
mod scale;
mod tornado;

use plotters::style::RGBColor;

use crate::observe::{Observations, Whose};
use crate::output::load_at_peak;
use crate::scenario::{Indicator, Scenario, Scope};
use crate::units::figures::{amount, seconds};
use canvas::colour;
pub use curve::capacity;
pub use drill::drill;
use frame::{Frame, draw};
use panel::{Line, Panel, Style};
pub use tornado::tornado;

/// Panels of single workloads in one chart; the rest is in `timeseries.csv`.
const MOST_WORKLOADS: usize = 12;

/// All charts of one of `replications` runs: name of the file, SVG.
pub fn all(scenario: &Scenario, run: &Observations, replications: usize) -> Vec<(&'static str, String)> {
    let names = scenario.workload_names();
    let about = About { scenario, run, names: &names, replications };
    vec![
        ("load", about.load()),
        ("latency", about.latency()),
        ("replicas", about.replicas()),
        ("cpu", about.cpu()),
        ("cluster", about.cluster()),
    ]
}

struct About<'a> {
    scenario: &'a Scenario,
    run: &'a Observations,
    names: &'a [String],
    replications: usize,
}

impl About<'_> {
    fn load(&self) -> String {
        let series = &self.run.series;
        let step = series.step.as_secs_f64();
        let panels = vec![
            Panel::new(
                "Users",
                "users",
                vec![Line::new("users connected", colour::BLUE, Style::Area, &series.users)],
            ),
            Panel::new(
                "Requests of users",
                "requests/s",
                vec![Line::new("arrived", colour::BLUE, Style::Solid, &per_second(&series.arrived, step))],
            ),
            Panel::new(
                "Failed requests of users",
                "failed/s",
                vec![Line::new("failed", colour::VERMILLION, Style::Area, &per_second(&series.failed, step))],
            ),
        ];
        self.chart("load and failures", panels, 1, Vec::new())
    }

    /// Those that goals are about first: they decide.
    fn latency(&self) -> String {
        let series = &self.run.series;
        let mut single: Vec<(Whose, Panel)> = Vec::new();
        for course in &series.courses {
            let quantile = format!("p{}", amount(course.quantile * 100.0));
            let line = Line::perhaps(quantile, of_quantile(course.quantile), Style::Step, &course.values);
            match single.iter_mut().find(|(whose, _)| *whose == course.whose) {
                Some((_, panel)) => panel.lines.push(line),
                None => single.push((course.whose, self.latency_panel(course.whose, line))),
            }
        }
        let mut panels: Vec<Panel> = single.into_iter().map(|(_, panel)| panel).collect();
        let rest = panels.len().saturating_sub(MOST_WORKLOADS);
        panels.truncate(MOST_WORKLOADS);
        let all = [
            Line::perhaps("p50", of_quantile(0.5), Style::Solid, &series.p50),
            Line::perhaps("p95", of_quantile(0.95), Style::Solid, &series.p95),
            Line::perhaps("p99", of_quantile(0.99), Style::Solid, &series.p99),
        ];
        let title = "All requests of users, by when they were answered";
        panels.push(Panel { goals: self.latency_goals(&Scope::All), ..logarithmic(title, all.into()) });
        let mut notes = Vec::new();
        if rest > 0 {
            notes.push(format!("{rest} more goals are in timeseries.csv"));
        }
        if panels.len() == 1 {
            panels[0].height = 360;
        } else {
            notes.push(
                "A value of a journey or a workload spans the time in which ten requests were slower than it"
                    .to_owned(),
            );
        }
        self.chart("latency", panels, 1, notes)
    }

    fn latency_panel(&self, whose: Whose, line: Line) -> Panel {
        let (scope, title, workload) = match whose {
            Whose::Journey(journey) => {
                let name = &self.scenario.demand.journeys[journey].name;
                (Scope::Journey(journey), format!("Requests of journey {name}"), None)
            }
            Whose::Workload(workload) => {
                (Scope::Workload(workload), format!("Calls to {}", self.names[workload]), Some(workload))
            }
        };
        Panel { goals: self.latency_goals(&scope), workload, ..logarithmic(&title, vec![line]) }
    }

    /// The goals for a latency; those of the same height in one.
    fn latency_goals(&self, scope: &Scope) -> Vec<(String, f64)> {
        let mut goals: Vec<(String, f64)> = Vec::new();
        for objective in self.scenario.goals.objectives.iter().filter(|one| one.scope == *scope) {
            let Indicator::Latency { quantile } = objective.indicator else { continue };
            let (name, quantile) = (&objective.name, format!("p{}", amount(quantile * 100.0)));
            let text = if name.contains(&quantile) { name.clone() } else { format!("{name} ({quantile})") };
            match goals.iter_mut().find(|(_, goal)| goal.total_cmp(&objective.goal).is_eq()) {
                Some((label, _)) => *label = format!("{label}, {text}"),
                None => goals.push((format!("goal: {text}"), objective.goal)),
            }
        }
        goals
    }

    fn replicas(&self) -> String {
        let (mut panels, mut still) = (Vec::new(), Vec::new());
        for (index, own) in self.run.series.workloads.iter().enumerate() {
            let hpa = self.scenario.autoscalers.iter().find(|hpa| hpa.workload == index);
            let moves =
                own.ready.iter().chain(&own.desired).any(|&ready| Some(ready) != own.ready.first().copied());
            if hpa.is_none() && !moves {
                let replicas = own.ready.first().copied().unwrap_or(0);
                still.push(format!("{} {replicas}", self.names[index]));
                continue;
            }
            let (wanted, ready) = (floats(&own.desired), floats(&own.ready));
            let mut panel = Panel::new(
                &self.names[index],
                "replicas",
                vec![
                    Line::new("ready", colour::BLUE, Style::StepArea, &ready),
                    Line::new("wanted", colour::VERMILLION, Style::Step, &wanted),
                ],
            );
            if let Some(hpa) = hpa {
                let (min, max) = (hpa.spec.min_replicas, hpa.spec.max_replicas);
                panel.goals = vec![(String::new(), f64::from(min)), (String::new(), f64::from(max))];
                panel.bounds = Some(format!("HPA bounds {min} to {max}"));
            }
            panel.whole = true;
            panel.workload = Some(index);
            panels.push(panel);
        }
        let mut notes = cut(&mut panels);
        if !still.is_empty() {
            notes.push(format!("The same all the time: {}", still.join(", ")));
        }
        self.chart("replicas", panels, 2, notes)
    }

    fn cpu(&self) -> String {
        let series = &self.run.series.workloads;
        let mut order: Vec<usize> = (0..series.len()).collect();
        let most = |index: usize| series[index].cpu.iter().copied().fold(0.0, f64::max);
        order.sort_by(|&a, &b| most(b).total_cmp(&most(a)).then(a.cmp(&b)));
        let panel = |index: usize| {
            let own = &series[index];
            let mut lines = vec![Line::new("used", colour::BLUE, Style::Area, &own.cpu)];
            if own.cpu_request.iter().any(|&request| request > 0.0) {
                lines.push(Line::new("requested", colour::GREEN, Style::Step, &own.cpu_request));
            }
            if own.cpu_limit.iter().any(|&limit| limit > 0.0) {
                lines.push(Line::new("limit", colour::VERMILLION, Style::Step, &own.cpu_limit));
            }
            let mut panel = Panel::new(&self.names[index], "CPU cores, all pods", lines);
            panel.workload = Some(index);
            panel
        };
        let mut panels: Vec<Panel> = order.into_iter().map(panel).collect();
        let notes = cut(&mut panels);
        self.chart("CPU against request and limit", panels, 2, notes)
    }

    fn cluster(&self) -> String {
        let series = &self.run.series;
        let mut nodes = Panel::new(
            "Nodes",
            "ready nodes",
            vec![Line::new("nodes", colour::BLUE, Style::StepArea, &floats(&series.nodes))],
        );
        let most: u32 = self.scenario.cluster.pools.iter().map(|pool| pool.max).sum();
        let seen = series.nodes.iter().copied().max().unwrap_or(0);
        // A bound far above what was used would press the curve flat.
        if most <= seen.saturating_mul(3) {
            nodes.goals.push((String::new(), f64::from(most)));
            nodes.bounds = Some(format!("node pools' maximum {most}"));
        }
        let mut panels = vec![
            nodes,
            Panel::new(
                "Pods",
                "pods",
                vec![Line::new("pods", colour::BLUE, Style::Step, &floats(&series.pods))],
            ),
            Panel::new(
                "Pods waiting for a node",
                "pods",
                vec![Line::new("pending", colour::VERMILLION, Style::StepArea, &floats(&series.pending))],
            ),
        ];
        for panel in &mut panels {
            panel.whole = true;
        }
        self.chart("nodes and pods", panels, 1, Vec::new())
    }

    fn chart(&self, what: &str, panels: Vec<Panel>, columns: usize, notes: Vec<String>) -> String {
        let run = self.run;
        let users = run.series.users.iter().copied().fold(0.0, f64::max);
        let subtitle = format!(
            "seed {}, replication {} of {}; {}; the first {} are warm-up (shaded)",
            run.seed.base,
            run.seed.replication + 1,
            self.replications,
            load_at_peak(self.scenario, users),
            seconds(run.start.as_secs_f64()),
        );
        // A mark that no panel is about would be a number without a line.
        let mut marks = marks::choose(&run.moments, run.end, columns, self.names);
        marks.retain(|mark| panels.iter().any(|panel| panel.is_about(mark)));
        draw(&Frame {
            title: format!("{}: {what}", self.scenario.name),
            subtitle,
            panels,
            columns,
            times: &run.series.times,
            start: run.start,
            end: run.end,
            marks,
            notes,
        })
    }
}

/// A panel of times that may be of any size.
fn logarithmic(title: &str, lines: Vec<Line>) -> Panel {
    let label = |value| seconds(value).replace(".00", "").replace(".0 ", " ");
    Panel { log: true, label, ..Panel::new(title, "latency (log scale)", lines) }
}

/// The same quantile has the same colour everywhere.
fn of_quantile(quantile: f64) -> RGBColor {
    match quantile {
        ..0.75 => colour::SKY,
        0.75..0.97 => colour::BLUE,
        _ => colour::VERMILLION,
    }
}

/// Leaves the panels that there is room for, and says so.
fn cut(panels: &mut Vec<Panel>) -> Vec<String> {
    let rest = panels.len().saturating_sub(MOST_WORKLOADS);
    panels.truncate(MOST_WORKLOADS);
    if rest > 0 { vec![format!("{rest} more workloads are in timeseries.csv")] } else { Vec::new() }
}

/// Counts of steps so many seconds long, as rates.
fn per_second(counts: &[u64], step: f64) -> Vec<f64> {
    counts.iter().map(|&number| number as f64 / step).collect()
}

fn floats(counts: &[u32]) -> Vec<f64> {
    counts.iter().map(|&number| f64::from(number)).collect()
}
