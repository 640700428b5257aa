//! Strokes, letters and axes in pixels, for charts that are not over time.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::TextStyle;

/// Memory takes every drawing: the SVG is a string.
pub(super) const DRAWN: &str = "memory takes every drawing";

/// Where an SVG is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Values to pixels.
pub(super) struct Axis {
    /// The values at both ends.
    pub(super) ends: (f64, f64),
    /// The pixels there.
    pub(super) pixels: (i32, i32),
    /// Whether it is one of factors.
    pub(super) log: bool,
}

impl Axis {
    /// Where a value lies; at the nearer end where it lies outside.
    pub(super) fn place(&self, value: f64) -> i32 {
        let on = |value: f64| if self.log { libm::log10(value.max(1e-9)) } else { value };
        let (from, to) = (on(self.ends.0), on(self.ends.1));
        let share = ((on(value) - from) / (to - from).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        self.pixels.0 + (f64::from(self.pixels.1 - self.pixels.0) * share).round() as i32
    }
}

pub(super) fn text(root: &Area<'_>, text: &str, place: (i32, i32), style: TextStyle<'_>) {
    root.draw(&Text::new(text.to_owned(), place, style)).expect(DRAWN);
}

pub(super) fn line(root: &Area<'_>, ends: [(i32, i32); 2], stroke: ShapeStyle) {
    root.draw(&PathElement::new(ends, stroke)).expect(DRAWN);
}

/// A line of dashes from the top down.
pub(super) fn dashed(root: &Area<'_>, x: i32, (top, bottom): (i32, i32), stroke: ShapeStyle) {
    for y in (top..bottom).step_by(9) {
        line(root, [(x, y), (x, (y + 5).min(bottom))], stroke);
    }
}
