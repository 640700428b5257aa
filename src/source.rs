//! The user's files: their text, where a field stands in it, and what it says.
//!
//! A file is read into a tree of [`Node`]s that know their bytes. Everything
//! above this room works with plain types, and looks a place up by its path
//! (`spec.metrics[0].type`) only when something is wrong.

mod decode;
mod mismatch;
mod similar;
mod tree;
mod yaml;

use std::ops::Range;

pub use decode::{Decoded, Unknown, decode};
pub use mismatch::DecodeError;
pub use similar::closest;
pub use tree::{Entry, Node, Step, Value, steps_of};
pub use yaml::{Fault, parse};

/// All texts that were read, each with the name that messages show.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

/// One text in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(u32);

/// A stretch of one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which text.
    pub source: SourceId,
    /// Which of its bytes.
    pub span: Range<usize>,
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Sources {
    /// No texts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a text under the name that messages show (usually its path).
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let text = text.into();
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        self.files.push(SourceFile { name: name.into(), text, lines });
        SourceId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// All texts, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> + use<> {
        (0..self.files.len()).map(|index| SourceId(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// The name a text was added under.
    pub fn name(&self, source: SourceId) -> &str {
        self.files.get(source.0 as usize).map_or("<unknown>", |file| &file.name)
    }

    /// A text as it was added.
    pub fn text(&self, source: SourceId) -> &str {
        self.files.get(source.0 as usize).map_or("", |file| &file.text)
    }

    /// The bytes at a place; empty where the place is in no text.
    pub fn slice(&self, place: &Place) -> &str {
        self.text(place.source).get(place.span.clone()).unwrap_or("")
    }

    /// Line and column of a place's first character, both counted from 1.
    pub fn position(&self, place: &Place) -> (usize, usize) {
        let Some(file) = self.files.get(place.source.0 as usize) else { return (1, 1) };
        let line = file.line_of(place.span.start);
        let before = file.text.get(file.lines[line]..place.span.start.min(file.text.len()));
        (line + 1, before.map_or(0, |text| text.chars().count()) + 1)
    }

    /// Where, as `file:line:column`.
    pub fn describe(&self, place: &Place) -> String {
        let (line, column) = self.position(place);
        format!("{}:{line}:{column}", self.name(place.source))
    }

    /// The line that holds the first byte of a place: its number from 1, the
    /// bytes it takes in the text, without its line break.
    pub fn line(&self, place: &Place) -> (usize, Range<usize>) {
        let Some(file) = self.files.get(place.source.0 as usize) else { return (1, 0..0) };
        let line = file.line_of(place.span.start);
        let start = file.lines[line];
        let end = file.lines.get(line + 1).copied().unwrap_or(file.text.len());
        let length = file.text[start..end].trim_end_matches(['\n', '\r']).len();
        (line + 1, start..start + length)
    }
}

impl SourceFile {
    /// The index of the line that holds this byte.
    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let mut sources = Sources::new();
        sources.add("first", "x");
        let id = sources.add("second.yaml", "größe: 1\r\nb: 2");
        let place = |span| Place { source: id, span };
        assert_eq!(sources.position(&place(0..1)), (1, 1));
        assert_eq!(sources.position(&place(9..10)), (1, 8));
        assert_eq!(sources.describe(&place(12..13)), "second.yaml:2:1");
        assert_eq!(sources.line(&place(9..10)), (1, 0..10));
        assert_eq!(sources.slice(&place(12..13)), "b");
        assert_eq!(sources.position(&place(999..1000)), (2, 5));
    }
}
