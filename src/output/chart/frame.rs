//! The whole picture: title, panels in rows, marks and notes told below.

use plotters::prelude::*;

use super::canvas::{Canvas, colour, font};
use super::marks::Mark;
use super::panel::Panel;
use crate::units::SimTime;

const WIDTH: u32 = 1_000;
const HEADER: u32 = 64;
const LINE: u32 = 18;
/// So many characters of a note fit the width.
const NOTE: usize = 150;

/// A chart to draw.
pub(super) struct Frame<'a> {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) panels: Vec<Panel>,
    pub(super) columns: usize,
    pub(super) times: &'a [SimTime],
    pub(super) start: SimTime,
    pub(super) end: SimTime,
    pub(super) marks: Vec<Mark>,
    pub(super) notes: Vec<String>,
}

/// The chart as SVG.
pub(super) fn draw(frame: &Frame<'_>) -> String {
    let rows: Vec<&[Panel]> = frame.panels.chunks(frame.columns).collect();
    let heights: Vec<u32> =
        rows.iter().map(|row| row.iter().map(|panel| panel.height).max().unwrap_or(0)).collect();
    let below = notes(frame);
    let foot = below.len() as u32 * LINE + 24;
    let body: u32 = heights.iter().map(|height| height + 14).sum::<u32>() + 16;
    let height = HEADER + body + foot;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).expect(DRAWN);
        root.draw(&Text::new(frame.title.clone(), (16, 12), font(18, colour::INK))).expect(DRAWN);
        root.draw(&Text::new(frame.subtitle.clone(), (16, 37), font(12, colour::FADED))).expect(DRAWN);
        let on = Canvas { times: frame.times, start: frame.start, end: frame.end, marks: &frame.marks };
        let width = WIDTH as i32 / frame.columns as i32;
        let mut top = HEADER as i32;
        for (number, (row, height)) in rows.iter().zip(&heights).enumerate() {
            for (column, panel) in row.iter().enumerate() {
                let left = column as i32 * width;
                let below = rows.get(number + 1).is_some_and(|next| column < next.len());
                let bottom = top + *height as i32 + if below { 0 } else { 16 };
                let area = root.clone().shrink((left, top), (width as u32, (bottom - top) as u32));
                panel.draw(&area, &on, !below);
            }
            top += *height as i32 + 14;
        }
        let mut y = (HEADER + body) as i32;
        for (number, text) in below {
            if let Some(number) = number {
                let style = font(11, WHITE).pos(center());
                root.draw(&Circle::new((26, y + 6), 8, colour::INK.filled())).expect(DRAWN);
                root.draw(&Text::new(number.to_string(), (26, y + 6), style)).expect(DRAWN);
            }
            root.draw(&Text::new(text, (42, y), font(12, colour::INK))).expect(DRAWN);
            y += LINE as i32;
        }
        root.present().expect(DRAWN);
    }
    svg
}

/// Memory takes every drawing: the SVG is a string.
const DRAWN: &str = "memory takes every drawing";

/// What is told below the panels: the marks by number, then the notes.
fn notes(frame: &Frame<'_>) -> Vec<(Option<usize>, String)> {
    let cut = |text: &str| match text.char_indices().nth(NOTE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    let marks = frame.marks.iter().enumerate().map(|(index, mark)| (Some(index + 1), cut(&mark.text)));
    marks.chain(frame.notes.iter().map(|note| (None, cut(note)))).collect()
}

fn center() -> plotters::style::text_anchor::Pos {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    Pos::new(HPos::Center, VPos::Center)
}
