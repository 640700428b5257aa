//! What becomes of latency, failures, pods, nodes and cost as the load grows.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{colour, font};
use super::plane::{Area, Axis, DRAWN, dashed, line, text};
use super::scale::{linear_ticks, log_ticks, number_label};
use crate::capacity::Tried;
use crate::output::capacity::Carried;
use crate::output::text::end;
use crate::units::figures::{percent, seconds};

const WIDTH: u32 = 1_000;
const HEADER: i32 = 88;
/// A panel with its title and its axis.
const PANEL: i32 = 176;
const TITLE: i32 = 20;
const FOOT: i32 = 40;
const LEFT: i32 = 78;
const RIGHT: i32 = 970;

/// One colour for each configuration.
const COLOURS: [RGBColor; 4] = [colour::BLUE, colour::VERMILLION, colour::GREEN, colour::SKY];

/// One set of axes.
struct Panel {
    title: &'static str,
    log: bool,
    whole: bool,
    /// The most that there can be.
    most: f64,
    label: fn(f64) -> String,
    value: fn(&Tried) -> Option<f64>,
}

const PANELS: [Panel; 5] = [
    Panel {
        title: "Latency of all answers, p95 (log scale)",
        log: true,
        whole: false,
        most: f64::MAX,
        label: short_seconds,
        value: |one| one.p95,
    },
    Panel {
        title: "Requests not answered",
        log: false,
        whole: false,
        most: 1.0,
        label: percent,
        value: |one| Some(1.0 - one.availability),
    },
    Panel {
        title: "Most ready pods",
        log: false,
        whole: true,
        most: f64::MAX,
        label: number_label,
        value: |one| Some(one.pods.1),
    },
    Panel {
        title: "Most nodes",
        log: false,
        whole: true,
        most: f64::MAX,
        label: number_label,
        value: |one| Some(one.nodes.1),
    },
    Panel {
        title: "Cost a month",
        log: false,
        whole: false,
        most: f64::MAX,
        label: number_label,
        value: |one| Some(one.cost_per_month),
    },
];

fn short_seconds(value: f64) -> String {
    seconds(value).replace(".00", "").replace(".0 ", " ")
}

/// The chart of one or several configurations as SVG.
pub fn capacity(all: &[Carried], seed: u64) -> String {
    let loads = || all.iter().flat_map(|one| one.capacity.tried.iter().map(|tried| tried.load));
    let ticks = log_ticks(loads().fold(f64::MAX, f64::min), loads().fold(0.0, f64::max));
    let across = Axis { ends: (ticks[0], ticks[ticks.len() - 1]), pixels: (LEFT, RIGHT), log: true };
    let mut svg = String::new();
    {
        let height = HEADER + PANEL * PANELS.len() as i32 + FOOT;
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height as u32)).into_drawing_area();
        root.fill(&WHITE).expect(DRAWN);
        let title = match all {
            [one] => format!("{}: capacity", one.scenario.name),
            _ => "Capacity of several configurations".to_owned(),
        };
        let users = all.first().is_some_and(|one| one.capacity.users);
        let unit = if users { "users" } else { "journeys/s" };
        text(&root, &title, (16, 12), font(18, colour::INK));
        let about = format!(
            "over {unit} at the peak (log scale), a point for each load that was tried; dashed: the most that keeps \
             every objective; ring: the knee; seed {seed}"
        );
        text(&root, &about, (16, 37), font(12, colour::FADED));
        legend(&root, all);
        for (number, panel) in PANELS.iter().enumerate() {
            let top = HEADER + number as i32 * PANEL;
            panel.draw(&root, all, &across, &ticks, top);
        }
        let style = font(11, colour::FADED).pos(Pos::new(HPos::Center, VPos::Top));
        text(&root, unit, (i32::midpoint(LEFT, RIGHT), height - 22), style);
        root.present().expect(DRAWN);
    }
    svg
}

fn legend(root: &Area<'_>, all: &[Carried]) {
    let mut x = 16;
    for (one, colour) in all.iter().zip(COLOURS) {
        line(root, [(x, 68), (x + 18, 68)], colour.stroke_width(3));
        let name = end(&one.name);
        text(root, &name, (x + 24, 62), font(11, colour::INK));
        x += 46 + (name.chars().count() as f64 * 6.6) as i32;
    }
}

impl Panel {
    fn draw(&self, root: &Area<'_>, all: &[Carried], across: &Axis, loads: &[f64], top: i32) {
        text(root, self.title, (16, top), font(13, colour::INK));
        let (top, bottom) = (top + TITLE, top + PANEL - 30);
        let ticks = self.ticks(all);
        let up = Axis { ends: (ticks[0], ticks[ticks.len() - 1]), pixels: (bottom, top), log: self.log };
        for tick in &ticks {
            let y = up.place(*tick);
            line(root, [(LEFT, y), (RIGHT, y)], colour::GRID.stroke_width(1));
            let style = font(11, colour::INK).pos(Pos::new(HPos::Right, VPos::Center));
            text(root, &(self.label)(*tick), (LEFT - 8, y), style);
        }
        for load in loads {
            let x = across.place(*load);
            line(root, [(x, bottom), (x, bottom + 4)], colour::FADED.stroke_width(1));
            let style = font(11, colour::INK).pos(Pos::new(HPos::Center, VPos::Top));
            text(root, &number_label(*load), (x, bottom + 7), style);
        }
        for (one, colour) in all.iter().zip(COLOURS) {
            self.curve(root, one, colour, across, &up);
            if let Some(carries) = one.capacity.carries {
                dashed(root, across.place(carries), (top, bottom), colour.stroke_width(1));
            }
        }
    }

    fn ticks(&self, all: &[Carried]) -> Vec<f64> {
        let values = || all.iter().flat_map(|one| one.capacity.tried.iter().filter_map(self.value));
        // Where next to nothing fails there is nothing to be seen of it.
        let most = values().fold(0.001, f64::max);
        if !self.log {
            return linear_ticks((most * 1.02).min(self.most), 4, self.whole);
        }
        let least = values().filter(|value| *value > 0.0).fold(f64::MAX, f64::min);
        if least < most { log_ticks(least, most) } else { vec![0.001, 1.0] }
    }

    fn curve(&self, root: &Area<'_>, one: &Carried, colour: RGBColor, across: &Axis, up: &Axis) {
        let place = |tried: &Tried| Some((across.place(tried.load), up.place((self.value)(tried)?)));
        let points: Vec<(i32, i32)> = one.capacity.tried.iter().filter_map(place).collect();
        root.draw(&PathElement::new(points.clone(), colour.stroke_width(2))).expect(DRAWN);
        for point in points {
            root.draw(&Circle::new(point, 3, colour.filled())).expect(DRAWN);
        }
        let knee = one.capacity.knee().and_then(|index| place(&one.capacity.tried[index]));
        if let Some(knee) = knee {
            root.draw(&Circle::new(knee, 7, colour.stroke_width(2))).expect(DRAWN);
        }
    }
}
