//! What all panels share: times, marks, letters and colours.

use plotters::prelude::*;
use plotters::style::{Color, FontFamily, FontStyle, TextStyle};

use super::marks::Mark;
use crate::units::SimTime;

/// What all panels share.
pub(super) struct Canvas<'a> {
    pub(super) times: &'a [SimTime],
    pub(super) start: SimTime,
    pub(super) end: SimTime,
    pub(super) marks: &'a [Mark],
}

/// Colours that people with any colour vision tell apart (Okabe and Ito 2008).
pub(super) mod colour {
    use plotters::style::RGBColor;

    pub(in crate::output::chart) const BLUE: RGBColor = RGBColor(0, 114, 178);
    pub(in crate::output::chart) const SKY: RGBColor = RGBColor(86, 180, 233);
    pub(in crate::output::chart) const GREEN: RGBColor = RGBColor(0, 158, 115);
    pub(in crate::output::chart) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
    pub(in crate::output::chart) const INK: RGBColor = RGBColor(30, 30, 30);
    pub(in crate::output::chart) const FADED: RGBColor = RGBColor(95, 95, 95);
    pub(in crate::output::chart) const GRID: RGBColor = RGBColor(225, 225, 225);
    pub(in crate::output::chart) const SHADE: RGBColor = RGBColor(243, 243, 243);
}

/// Text so many pixels high.
pub(super) fn font<'a>(pixels: u32, colour: RGBColor) -> TextStyle<'a> {
    // The SVG backend divides by 1.24 to come from points to pixels.
    let size = f64::from(pixels) * 1.24;
    let style = TextStyle::from((FontFamily::SansSerif, size, FontStyle::Normal).into_font());
    TextStyle { color: colour.to_backend_color(), ..style }
}
