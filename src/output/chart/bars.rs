//! A tornado: for each unknown a bar from what its low end to what its high end
//! makes of one objective, the widest on top.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{colour, font};
use super::plane::{Area, Axis, DRAWN, dashed, line, text};
use super::scale::{linear_ticks, log_ticks};

const WIDTH: u32 = 1_000;
const HEADER: i32 = 84;
const ROW: i32 = 30;
const FOOT: i32 = 44;
/// Where the bars begin and end.
const LEFT: i32 = 424;
const RIGHT: i32 = 950;
/// Between a label and the bars there is room for what an end is called.
const GUTTER: i32 = 64;
/// Characters of a label that fit left of that.
const LABEL: usize = 48;

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    /// The ends as they are written, and what they make of the objective.
    pub(super) low: (String, f64),
    pub(super) high: (String, f64),
}

/// A chart of bars.
pub(super) struct Tornado {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) bars: Vec<Bar>,
    pub(super) middle: f64,
    pub(super) goal: f64,
    /// Whether the axis is one of factors.
    pub(super) log: bool,
    /// The largest value that there can be.
    pub(super) bound: f64,
    pub(super) figure: Box<dyn Fn(f64) -> String>,
}

impl Tornado {
    fn ticks(&self) -> Vec<f64> {
        let ends = self.bars.iter().flat_map(|bar| [bar.low.1, bar.high.1]);
        let all: Vec<f64> = ends.chain([self.middle, self.goal]).collect();
        let least = all.iter().copied().filter(|value| !self.log || *value > 0.0).fold(f64::MAX, f64::min);
        let most = all.iter().copied().fold(f64::MIN, f64::max);
        if self.log && least < most {
            return log_ticks(least, most);
        }
        let mut ticks = linear_ticks((most * 1.02).min(self.bound), 6, false);
        ticks.retain(|tick| *tick <= self.bound);
        ticks
    }

    /// The chart as SVG.
    pub(super) fn draw(&self) -> String {
        let rows = self.bars.len() as i32 * ROW;
        let mut svg = String::new();
        {
            let size = (WIDTH, (HEADER + rows + FOOT) as u32);
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            root.fill(&WHITE).expect(DRAWN);
            text(&root, &self.title, (16, 12), font(18, colour::INK));
            text(&root, &self.subtitle, (16, 37), font(12, colour::FADED));
            let ticks = self.ticks();
            let ends = (ticks[0], ticks[ticks.len() - 1]);
            let axis = Axis { ends, pixels: (LEFT, RIGHT), log: self.log };
            let bottom = HEADER + rows;
            for tick in &ticks {
                let x = axis.place(*tick);
                line(&root, [(x, HEADER - 4), (x, bottom + 4)], colour::GRID.stroke_width(1));
                let style = font(11, colour::INK).pos(Pos::new(HPos::Center, VPos::Top));
                text(&root, &(self.figure)(*tick), (x, bottom + 8), style);
            }
            for (number, bar) in self.bars.iter().enumerate() {
                self.bar(&root, &axis, bar, HEADER + number as i32 * ROW);
            }
            let middle = axis.place(self.middle);
            line(&root, [(middle, HEADER - 4), (middle, bottom + 4)], colour::INK.stroke_width(1));
            self.goal(&root, axis.place(self.goal), bottom);
            legend(&root);
            root.present().expect(DRAWN);
        }
        svg
    }

    fn bar(&self, root: &Area<'_>, axis: &Axis, bar: &Bar, top: i32) {
        let label = match bar.label.char_indices().nth(LABEL) {
            Some((end, _)) => format!("{}…", &bar.label[..end]),
            None => bar.label.clone(),
        };
        let style = font(12, colour::INK).pos(Pos::new(HPos::Right, VPos::Center));
        text(root, &label, (LEFT - GUTTER, top + ROW / 2), style);
        let middle = axis.place(self.middle);
        let (low, high) = (axis.place(bar.low.1), axis.place(bar.high.1));
        let parts = [(low, colour::SKY, &bar.low.0), (high, colour::VERMILLION, &bar.high.0)];
        // Where both ends lie on one side, the nearer one is drawn over the farther.
        let far_first = if (low - middle).abs() >= (high - middle).abs() { [0, 1] } else { [1, 0] };
        for index in far_first {
            let (end, colour, _) = parts[index];
            let corners = [(middle.min(end), top + 6), (middle.max(end).max(middle + 1), top + ROW - 6)];
            root.draw(&Rectangle::new(corners, colour.filled())).expect(DRAWN);
        }
        let (left, right) = if low <= high { (&parts[0], &parts[1]) } else { (&parts[1], &parts[0]) };
        let outer =
            [(left.0.min(middle) - 5, left.2, HPos::Right), (right.0.max(middle) + 5, right.2, HPos::Left)];
        for (x, end, side) in outer {
            let style = font(10, colour::FADED).pos(Pos::new(side, VPos::Center));
            text(root, end, (x, top + ROW / 2), style);
        }
    }

    fn goal(&self, root: &Area<'_>, x: i32, bottom: i32) {
        dashed(root, x, (HEADER - 4, bottom), colour::INK.stroke_width(1));
        let style = font(11, colour::INK).pos(Pos::new(HPos::Center, VPos::Bottom));
        text(root, &format!("goal {}", (self.figure)(self.goal)), (x, HEADER - 6), style);
    }
}

fn legend(root: &Area<'_>) {
    for (x, colour, label) in
        [(16, colour::SKY, "at its low end"), (132, colour::VERMILLION, "at its high end")]
    {
        root.draw(&Rectangle::new([(x, 62), (x + 14, 72)], colour.filled())).expect(DRAWN);
        text(root, label, (x + 20, 61), font(11, colour::INK));
    }
}
