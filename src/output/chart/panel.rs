//! One set of axes with its lines.

use std::borrow::Cow;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::text::shortened;
use super::canvas::{Canvas, colour, font};
use super::marks::Mark;
use super::scale::{linear_ticks, log_ticks, number_label, thinned, time_label, time_ticks};
use crate::units::SimTime;

/// So many bins of the time axis keep a least and a largest value.
const POINTS: usize = 500;

/// Up to so many times itself a goal with a label takes.
const ROOM: f64 = 1.25;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Solid,
    Area,
    Step,
    StepArea,
}

/// One line over time: a value per row of the series, `None` for a gap.
pub(super) struct Line {
    pub(super) label: Cow<'static, str>,
    pub(super) colour: RGBColor,
    pub(super) style: Style,
    values: Vec<Option<f64>>,
}

/// One set of axes.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) lines: Vec<Line>,
    /// Dashed horizontal lines: goals and bounds.
    pub(super) goals: Vec<(String, f64)>,
    /// What the dashed lines are called in the legend; else each has its label.
    pub(super) bounds: Option<String>,
    /// Whether its values come in ones.
    pub(super) whole: bool,
    pub(super) log: bool,
    pub(super) label: fn(f64) -> String,
    pub(super) height: u32,
    /// The workload it is about: only its own moments are marked.
    pub(super) workload: Option<usize>,
}

impl Line {
    pub(super) fn new(label: &'static str, colour: RGBColor, style: Style, values: &[f64]) -> Self {
        Self { label: label.into(), colour, style, values: values.iter().map(|value| Some(*value)).collect() }
    }

    pub(super) fn perhaps(
        label: impl Into<Cow<'static, str>>,
        colour: RGBColor,
        style: Style,
        values: &[Option<f64>],
    ) -> Self {
        Self { label: label.into(), colour, style, values: values.to_vec() }
    }

    /// Runs of points without a gap between.
    fn pieces(&self, times: &[SimTime]) -> Vec<Vec<(f64, f64)>> {
        let mut pieces = vec![Vec::new()];
        for (time, value) in times.iter().zip(&self.values) {
            match value {
                Some(value) => pieces.last_mut().expect("never empty").push((time.as_secs_f64(), *value)),
                None => pieces.push(Vec::new()),
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// An axis that names exactly its ticks.
struct Axis {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        start + (f64::from(end - start) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
/// Memory takes every drawing: the SVG is a string.
const DRAWN: &str = "memory takes every drawing";

impl Panel {
    pub(super) fn new(title: &str, unit: &'static str, lines: Vec<Line>) -> Self {
        Self {
            title: title.to_owned(),
            unit,
            lines,
            goals: Vec::new(),
            bounds: None,
            whole: false,
            log: false,
            label: number_label,
            height: 170,
            workload: None,
        }
    }

    /// Draws the axes and all that is in them.
    pub(super) fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, on: &Canvas<'_>, is_lowest: bool) {
        let width = area.dim_in_pixel().0;
        let y_ticks: Vec<f64> = self.y_ticks().into_iter().map(|tick| self.height_of(tick)).collect();
        let (bottom, top) = (y_ticks[0], y_ticks[y_ticks.len() - 1]);
        let end = on.end.as_secs_f64().max(1.0);
        let x_ticks = time_ticks(end, (width / 90) as usize);
        let x_step = x_ticks.get(1).copied().unwrap_or(end);
        let mut axes = ChartBuilder::on(area)
            .margin_right(28)
            .margin_left(14)
            .margin_top(26)
            .x_label_area_size(if is_lowest { 38 } else { 22 })
            .y_label_area_size(if self.log { 74 } else { 58 })
            .build_cartesian_2d(
                Axis { from: 0.0, to: end, ticks: x_ticks },
                Axis { from: bottom, to: top, ticks: y_ticks },
            )
            .expect(DRAWN);
        let shade =
            Rectangle::new([(0.0, bottom), (on.start.as_secs_f64().min(end), top)], colour::SHADE.filled());
        axes.draw_series(std::iter::once(shade)).expect(DRAWN);
        axes.configure_mesh()
            .disable_x_mesh()
            .bold_line_style(colour::GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(colour::FADED)
            .x_label_style(font(11, colour::INK))
            .y_label_style(font(11, colour::INK))
            .axis_desc_style(font(11, colour::FADED))
            .x_desc(if is_lowest { "time since the start (h:mm)" } else { "" })
            .y_desc(self.unit)
            .x_label_formatter(&|time| time_label(*time, x_step))
            .y_label_formatter(&|height| (self.label)(self.value_at(*height)))
            .draw()
            .expect(DRAWN);
        self.draw_lines(&mut axes, on.times, bottom);
        self.draw_goals(&mut axes, end);
        self.draw_marks(&mut axes, on, (bottom, top));
        self.draw_heading(area);
    }

    fn draw_lines(&self, axes: &mut Axes<'_, '_>, times: &[SimTime], bottom: f64) {
        for line in &self.lines {
            for piece in line.pieces(times) {
                let points: Vec<(f64, f64)> =
                    thinned(&piece, POINTS).into_iter().map(|(x, y)| (x, self.height_of(y))).collect();
                let points = match line.style {
                    Style::Step | Style::StepArea => stairs(&points),
                    Style::Solid | Style::Area => points,
                };
                if matches!(line.style, Style::Area | Style::StepArea) {
                    let area = AreaSeries::new(points.clone(), bottom, line.colour.mix(0.18));
                    axes.draw_series(area).expect(DRAWN);
                }
                axes.draw_series(LineSeries::new(points, line.colour.stroke_width(2))).expect(DRAWN);
            }
        }
    }

    fn draw_goals(&self, axes: &mut Axes<'_, '_>, end: f64) {
        for (label, goal) in &self.goals {
            let height = self.height_of(*goal);
            let line =
                DashedLineSeries::new([(0.0, height), (end, height)], 5, 4, colour::INK.stroke_width(1));
            axes.draw_series(line).expect(DRAWN);
            if label.is_empty() {
                continue;
            }
            let style = font(11, colour::INK).pos(Pos::new(HPos::Left, VPos::Bottom));
            let place = (end * 0.006, height);
            axes.draw_series(std::iter::once(Text::new(label.clone(), place, style))).expect(DRAWN);
        }
    }

    /// A thin line and its number for each moment that is about this panel.
    fn draw_marks(&self, axes: &mut Axes<'_, '_>, on: &Canvas<'_>, (bottom, top): (f64, f64)) {
        for (number, mark) in on.marks.iter().enumerate() {
            if !self.is_about(mark) {
                continue;
            }
            let x = mark.time.as_secs_f64();
            let line = DashedLineSeries::new([(x, bottom), (x, top)], 2, 3, colour::FADED.stroke_width(1));
            axes.draw_series(line).expect(DRAWN);
            let style = font(11, WHITE).pos(Pos::new(HPos::Center, VPos::Center));
            let badge = EmptyElement::at((x, top))
                + Circle::new((0, 0), 8, colour::INK.filled())
                + Text::new((number + 1).to_string(), (0, 0), style);
            axes.draw_series(std::iter::once(badge)).expect(DRAWN);
        }
    }

    pub(super) fn is_about(&self, mark: &Mark) -> bool {
        self.workload.is_none() || mark.workloads.contains(&self.workload)
    }

    /// The title on the left, the legend on the right.
    fn draw_heading(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) {
        let width = area.dim_in_pixel().0 as i32;
        let mut right = width - 28;
        let lines = self.lines.iter().map(|line| (&*line.label, Some(line.colour)));
        let entries: Vec<_> = lines.chain(self.bounds.as_deref().map(|bounds| (bounds, None))).collect();
        for (label, colour) in entries.into_iter().rev() {
            // The font is about 0.6 of its height wide.
            right -= (label.chars().count() as f64 * 11.0 * 0.6) as i32;
            area.draw(&Text::new(label, (right, 1), font(11, colour::INK))).expect(DRAWN);
            match colour {
                Some(colour) => {
                    let stroke = colour.stroke_width(3);
                    area.draw(&PathElement::new([(right - 22, 7), (right - 5, 7)], stroke)).expect(DRAWN);
                }
                None => {
                    for dash in [right - 22, right - 13] {
                        let stroke = colour::INK.stroke_width(1);
                        area.draw(&PathElement::new([(dash, 7), (dash + 5, 7)], stroke)).expect(DRAWN);
                    }
                }
            }
            right -= 36;
        }
        // A name may be longer than what the legend leaves.
        let room = f64::from(right - 16) / (13.0 * 0.6);
        let title = shortened(&self.title, room.max(1.0) as usize);
        area.draw(&Text::new(title, (16, 0), font(13, colour::INK))).expect(DRAWN);
    }

    /// The values that the axis names.
    fn y_ticks(&self) -> Vec<f64> {
        let values = self.lines.iter().flat_map(|line| line.values.iter().flatten().copied());
        // What is written over a line needs room below the title.
        let room = |label: &str| if label.is_empty() { 1.0 } else { ROOM };
        let all = values.chain(self.goals.iter().map(|(label, goal)| goal * room(label)));
        if !self.log {
            return linear_ticks(all.fold(0.0, f64::max) * 1.02, 5, self.whole);
        }
        let above = all.filter(|value| *value > 0.0);
        let (least, most) = above.fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(v), m.max(v)));
        if least > most { vec![0.001, 1.0] } else { log_ticks(least, most) }
    }

    /// Where a value lies on the axis: itself, or its logarithm.
    fn height_of(&self, value: f64) -> f64 {
        if self.log { libm::log10(value.max(1e-9)) } else { value }
    }

    fn value_at(&self, height: f64) -> f64 {
        if self.log { libm::pow(10.0, height) } else { height }
    }
}

/// Points as a staircase: a value holds for the step that ends at its time.
fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut all = Vec::with_capacity(2 * points.len());
    for (index, &(x, y)) in points.iter().enumerate() {
        if let Some(before) = index.checked_sub(1) {
            all.push((points[before].0, y));
        }
        all.push((x, y));
    }
    all
}
