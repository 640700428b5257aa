//! Changes inside `{…}` and `[…]`, JSON among them.

use serde_json::Value;

use super::layout::{begins_line, colon, column, line_start, own_entries};
use super::scalar::{self, Around};
use super::splice::{Awkward, Splicer};
use crate::change::value_of;
use crate::source::Node;

/// How one collection is written.
#[derive(Clone, Copy)]
struct Manner {
    around: Around,
    /// Whether blanks follow colons and commas.
    airy: bool,
    /// Where its entries stand on lines of their own, how far in they are, and
    /// how far in the next level would be.
    lines: Option<(usize, usize)>,
}

/// One entry or item: where it is, and what it is to say.
struct Part<'a> {
    start: usize,
    end: usize,
    node: &'a Node,
    /// Just behind the colon.
    head: usize,
    after: Option<&'a Value>,
}

impl Splicer<'_> {
    /// Makes a collection in brackets say something else.
    pub(super) fn flow(&mut self, node: &Node, after: &Value) -> Result<(), Awkward> {
        if value_of(node) == *after {
            return Ok(());
        }
        let text = self.text;
        let slice = text.get(node.span()).unwrap_or_default();
        let (parts, added) = parts(text, node, after);
        let manner = self.manner(node);
        let broken = slice.contains("<<");
        if parts.iter().all(|part| part.after.is_none()) || broken {
            let outwards = |(outer, inner): (usize, usize)| (outer.saturating_sub(inner - outer), outer);
            let whole = Manner { lines: manner.lines.map(outwards), ..manner };
            self.splices.push((node.span(), written(after, None, whole, self.line_break())));
            return Ok(());
        }
        let mut last = 0;
        for (index, part) in parts.iter().enumerate() {
            match part.after {
                Some(value) => {
                    last = index;
                    self.part(part, value, manner)?;
                }
                // Those behind the last one that stays go all at once.
                None if parts[index..].iter().any(|part| part.after.is_some()) => {
                    self.splices.push((part.start..parts[index + 1].start, String::new()));
                }
                None => {}
            }
        }
        let end = parts[last].end;
        let gone = end..parts.last().map_or(end, |part| part.end);
        let comma = match manner.lines {
            Some((indent, _)) => format!(",{}{}", self.line_break(), " ".repeat(indent)),
            None if manner.airy => ", ".to_owned(),
            None => ",".to_owned(),
        };
        let colon = if manner.airy { ": " } else { ":" };
        let mut new = String::new();
        for (key, value) in added {
            new.push_str(&comma);
            if let Some(key) = key {
                new.push_str(&scalar::string(key, manner.around));
                new.push_str(colon);
            }
            new.push_str(&written(value, None, manner, self.line_break()));
        }
        if !new.is_empty() || !gone.is_empty() {
            self.splices.push((gone, new));
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>, value: &Value, manner: Manner) -> Result<(), Awkward> {
        let (node, span) = (part.node, part.node.span());
        if value_of(node) == *value {
            return Ok(());
        }
        let old = self.text.get(span.clone()).unwrap_or_default();
        let is_collection = matches!(value, Value::Object(_) | Value::Array(_));
        if is_collection && old.starts_with(['{', '[']) {
            let same_kind = value.is_array() == old.starts_with('[');
            if same_kind {
                return self.flow(node, value);
            }
        }
        // A key alone stands for nothing; it has no colon yet.
        let colon = self.text.get(..part.head).is_some_and(|before| before.ends_with(':'));
        let lead = if colon { " " } else { ": " };
        let (range, lead) = if old.is_empty() { (part.head..part.head, lead) } else { (span, "") };
        let new = written(value, Some(old), manner, self.line_break());
        self.splices.push((range, format!("{lead}{new}")));
        Ok(())
    }

    /// The manner of a collection, by its first entry.
    fn manner(&self, node: &Node) -> Manner {
        let text = self.text;
        let slice = text.get(node.span()).unwrap_or_default();
        let whole_is_json = text.trim_start().starts_with(['{', '[']);
        let first = own_entries(text, node).first().copied();
        let quoted_key = first.is_some_and(|entry| text[entry.key_place().span.start..].starts_with('"'));
        let around = if quoted_key || whole_is_json { Around::Json } else { Around::Flow };
        let behind = first.and_then(|entry| colon(text, entry)).and_then(|at| text.as_bytes().get(at));
        let tight = if first.is_some() {
            behind.is_some_and(|byte| !byte.is_ascii_whitespace())
        } else {
            slice.contains(',') && !slice.contains(", ") && !slice.contains(",\n") && !slice.contains(",\r")
        };
        let place = first.map(|entry| entry.key_place().span.start);
        let place = place.or_else(|| node.items().first().map(|item| item.span().start));
        let outer = line_start(text, node.span().start);
        let margin = text[outer..].bytes().take_while(|byte| *byte == b' ').count();
        if place.is_none() && whole_is_json && text[outer + margin..].starts_with('"') {
            return Manner { around, airy: true, lines: Some((margin + 2, margin + 4)) };
        }
        let lines = place.filter(|at| *at > 0 && begins_line(text, *at)).map(|at| {
            let indent = column(text, at);
            (indent, indent + indent.saturating_sub(margin).max(1))
        });
        Manner { around, airy: !tight, lines }
    }
}

/// The parts of a collection, each with what becomes of it, and what is new.
fn parts<'a>(
    text: &str,
    node: &'a Node,
    after: &'a Value,
) -> (Vec<Part<'a>>, Vec<(Option<&'a String>, &'a Value)>) {
    match after {
        Value::Object(after) if node.items().is_empty() => {
            let own = own_entries(text, node);
            let part = |(index, entry): (usize, &&'a crate::source::Entry)| {
                let again = own[index + 1..].iter().any(|later| later.key == entry.key);
                let start = entry.key_place().span.start;
                let head = colon(text, entry).unwrap_or(entry.key_place().span.end);
                // Of a key that is given twice the last one counts; the others stay.
                let unchanged = again && after.contains_key(&entry.key);
                let kept = if unchanged { None } else { after.get(&entry.key) };
                let part = Part {
                    start,
                    end: entry.value.span().end.max(head),
                    node: &entry.value,
                    head,
                    after: kept,
                };
                (part, unchanged)
            };
            let parts = own.iter().enumerate().map(part).filter(|(_, unchanged)| !unchanged);
            let parts = parts.map(|(part, _)| part).collect();
            let is_new = |key: &String| !own.iter().any(|entry| entry.key == *key);
            let added = after.iter().filter(|(key, _)| is_new(key)).map(|(key, value)| (Some(key), value));
            (parts, added.collect())
        }
        Value::Array(after) if node.entries().is_empty() => {
            let part = |(index, item): (usize, &'a Node)| {
                let span = item.span();
                Part {
                    start: span.start,
                    end: span.end,
                    node: item,
                    head: span.start,
                    after: after.get(index),
                }
            };
            let parts: Vec<_> = node.items().iter().enumerate().map(part).collect();
            let added = after.iter().skip(parts.len()).map(|value| (None, value));
            let added = added.collect();
            (parts, added)
        }
        _ => (Vec::new(), Vec::new()),
    }
}

/// A value on one line.
pub(super) fn on_one_line(value: &Value) -> String {
    written(value, None, Manner { around: Around::Flow, airy: true, lines: None }, "")
}

/// A value in brackets.
fn written(value: &Value, old: Option<&str>, manner: Manner, newline: &str) -> String {
    let entries: Vec<(Option<&String>, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (Some(key), value)).collect(),
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        _ => Vec::new(),
    };
    if entries.is_empty() {
        return scalar::in_place_of(old.unwrap_or_default(), value, manner.around);
    }
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    let colon = if manner.airy { ": " } else { ":" };
    let (comma, before, behind, inner) = match manner.lines {
        Some((outer, inner)) => {
            let step = inner.saturating_sub(outer);
            let line = format!("{newline}{}", " ".repeat(inner));
            let last = format!("{newline}{}", " ".repeat(outer));
            (format!(",{line}"), line, last, Some((inner, inner + step)))
        }
        None => (if manner.airy { ", " } else { "," }.to_owned(), String::new(), String::new(), None),
    };
    let inner = Manner { lines: inner, ..manner };
    let entry = |(key, value): (Option<&String>, &Value)| {
        let key = key.map(|key| format!("{}{colon}", scalar::string(key, manner.around)));
        format!("{}{}", key.unwrap_or_default(), written(value, None, inner, newline))
    };
    let entries: Vec<String> = entries.into_iter().map(entry).collect();
    format!("{open}{before}{}{behind}{close}", entries.join(&comma))
}
