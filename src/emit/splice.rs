//! From a tree and what it is to say to the bytes that have to change. The two
//! are compared from the top down, so that nothing is touched that stays the
//! same, whatever an edit replaces as a whole.

use std::ops::Range;

use serde_json::{Map, Value};

use super::layout::{
    Form, Slot, above, begins_line, colon, column, content_end, dash, entry_end, form, line_end, line_start,
    next_line, own_entries,
};
use super::scalar::{self, Around};
use super::write::{Doc, Indents, Pair};
use crate::change::value_of;
use crate::source::{Entry, Node};

/// Bytes with what comes in their place.
pub(super) type Splice = (Range<usize>, String);

/// Why a value can't be changed where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Awkward {
    pub why: &'static str,
    pub at: usize,
}

/// The splices of one text.
pub(super) struct Splicer<'a> {
    pub text: &'a str,
    pub splices: Vec<Splice>,
    newline: &'static str,
    style: Indents,
}

impl<'a> Splicer<'a> {
    pub(super) fn new(text: &'a str, documents: &[Node]) -> Self {
        let newline =
            if text.split('\n').next().is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" };
        Self { text, splices: Vec::new(), newline, style: indents(text, documents) }
    }

    /// How this text ends its lines.
    pub(super) fn line_break(&self) -> &'static str {
        self.newline
    }

    /// The text with all splices carried out.
    pub(super) fn result(mut self) -> String {
        // What is put in comes before what is taken away at the same place.
        self.splices.sort_by_key(|(range, _)| (range.start, range.end));
        let mut result = String::with_capacity(self.text.len());
        let mut at = 0;
        for (range, new) in &self.splices {
            result.push_str(self.text.get(at..range.start).unwrap_or_default());
            result.push_str(new);
            at = at.max(range.end);
        }
        result.push_str(self.text.get(at..).unwrap_or_default());
        result
    }

    /// Makes a value say something else.
    pub(super) fn change(&mut self, slot: Option<Slot>, node: &Node, after: &Value) -> Result<(), Awkward> {
        if value_of(node) == *after {
            return Ok(());
        }
        let (before, shape) = (self.splices.len(), form(self.text, node));
        let inside = match (shape, after) {
            (Form::Block, Value::Object(after)) if !after.is_empty() && !node.entries().is_empty() => {
                self.map(node, after)
            }
            (Form::Block, Value::Array(after)) if !after.is_empty() && !node.items().is_empty() => {
                self.list(slot, node, after)
            }
            (Form::Flow, _) if slot.is_some() && node.entries().is_empty() && node.items().is_empty() => {
                Err(Awkward { why: "", at: node.span().start })
            }
            (Form::Flow, Value::Object(_) | Value::Array(_)) => self.flow(node, after),
            _ => Err(Awkward { why: "", at: node.span().start }),
        };
        let Err(awkward) = inside else { return Ok(()) };
        self.splices.truncate(before);
        match slot {
            Some(slot) => {
                self.replace(slot, node, after);
                Ok(())
            }
            None => Err(awkward),
        }
    }

    /// A mapping of lines.
    fn map(&mut self, node: &Node, after: &Map<String, Value>) -> Result<(), Awkward> {
        let own = own_entries(self.text, node);
        let last_of = |key: &str| own.iter().rev().find(|entry| entry.key == key);
        let inherited = node.entries().iter().find(|entry| {
            !after.contains_key(&entry.key) && !own.iter().any(|one| std::ptr::eq(*one, *entry))
        });
        let staying: Vec<bool> = own.iter().map(|entry| after.contains_key(&entry.key)).collect();
        if inherited.is_some() {
            return Err(Awkward { why: "the field comes from a merge key (`<<`)", at: node.span().start });
        }
        let Some(last) = staying.iter().rposition(|stays| *stays) else {
            return Err(Awkward { why: "nothing of the mapping would stay", at: node.span().start });
        };
        self.remove_entries(&own, &staying)?;
        let indent = column(self.text, own[0].key_place().span.start);
        let mut lines = Vec::new();
        for (key, value) in after {
            match (last_of(key), node.get(key)) {
                (Some(entry), _) => self.entry(entry, indent, value)?,
                (None, Some(inherited)) if value_of(inherited) == *value => {}
                (None, _) => Pair::new(key, Doc::of(value)).lines(indent, self.style, &mut lines),
            }
        }
        self.insert_after(entry_end(self.text, own[last]), &lines);
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, indent: usize, value: &Value) -> Result<(), Awkward> {
        let head = colon(self.text, entry).ok_or_else(|| complex(entry.key_place().span.start))?;
        let slot = Slot { head, indent, is_item: false };
        self.change(Some(slot), &entry.value, value)
    }

    /// Takes the lines of those away that don't stay.
    fn remove_entries(&mut self, own: &[&Entry], staying: &[bool]) -> Result<(), Awkward> {
        let text = self.text;
        let mut next = 0;
        // The first one may share its line with a dash.
        let start = own[0].key_place().span.start;
        if !begins_line(text, start) {
            next = staying.iter().position(|stays| *stays).unwrap_or(0);
            if next > 0 {
                let below = next_line(text, entry_end(text, own[next - 1]));
                let rest = text.get(below..).unwrap_or_default();
                let kept = below + rest.len() - rest.trim_start().len();
                self.splices.push((start..kept, String::new()));
            }
        }
        for (entry, _) in own.iter().zip(staying).skip(next).filter(|(_, stays)| !**stays) {
            let start = entry.key_place().span.start;
            if !begins_line(text, start) {
                return Err(complex(start));
            }
            self.remove_lines(start, entry_end(text, entry));
        }
        Ok(())
    }

    /// Takes whole lines away, with the line break before them, so that what is
    /// put in at their end still has one.
    fn remove_lines(&mut self, start: usize, end: usize) {
        let range = match above(self.text, start) {
            Some(above) => above..line_end(self.text, end),
            None => line_start(self.text, start)..next_line(self.text, end),
        };
        self.splices.push((range, String::new()));
    }

    /// Puts lines below the line that holds this byte.
    fn insert_after(&mut self, end: usize, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let at = line_end(self.text, end);
        self.splices.push((at..at, self.below(lines)));
    }

    /// Lines that come below another.
    fn below(&self, lines: &[String]) -> String {
        lines.iter().flat_map(|line| [self.newline, line]).collect()
    }

    /// A list of lines.
    fn list(&mut self, slot: Option<Slot>, node: &Node, after: &[Value]) -> Result<(), Awkward> {
        let text = self.text;
        let items = node.items();
        let mut heads = Vec::new();
        let mut from = slot.map_or(node.span().start, |slot| slot.head);
        for item in items {
            let start = item.span().start;
            heads.push(dash(text, from, start).ok_or_else(|| complex(start))?);
            from = content_end(text, item).max(heads.last().copied().unwrap_or(from));
        }
        let end_of = |index: usize| content_end(text, &items[index]).max(heads[index]);
        let indent = column(text, heads[0] - 1);
        let partners = partners(&items.iter().map(value_of).collect::<Vec<_>>(), after);
        if !partners.iter().any(Option::is_some) {
            return Err(Awkward { why: "nothing of the list would stay", at: node.span().start });
        }
        for (index, item) in items.iter().enumerate() {
            let dash = heads[index] - 1;
            match partners.iter().position(|partner| *partner == Some(index)) {
                Some(new) => {
                    let slot = Slot { head: heads[index], indent, is_item: true };
                    self.change(Some(slot), item, &after[new])?;
                }
                None if begins_line(text, dash) => self.remove_lines(dash, end_of(index)),
                None => return Err(complex(dash)),
            }
        }
        // New items go below the partner of the one before them.
        let mut last = None;
        let mut new = Vec::new();
        for (value, partner) in after.iter().zip(&partners) {
            match partner {
                Some(index) => {
                    self.insert_items(last, end_of(last.unwrap_or(0)), heads[0] - 1, &mut new)?;
                    last = Some(*index);
                }
                None => Doc::of(value).lines("-", indent, self.style, &mut new),
            }
        }
        self.insert_items(last, end_of(last.unwrap_or(0)), heads[0] - 1, &mut new)
    }

    /// Puts items below another, or at the list's beginning.
    fn insert_items(
        &mut self,
        below: Option<usize>,
        end: usize,
        first: usize,
        new: &mut Vec<String>,
    ) -> Result<(), Awkward> {
        let lines = std::mem::take(new);
        if below.is_some() || lines.is_empty() {
            self.insert_after(end, &lines);
            return Ok(());
        }
        if !begins_line(self.text, first) {
            return Err(complex(first));
        }
        let at = above(self.text, first).ok_or_else(|| complex(first))?;
        self.splices.push((at..at, self.below(&lines)));
        Ok(())
    }

    /// Writes a value anew, whatever stood there.
    fn replace(&mut self, slot: Slot, node: &Node, after: &Value) {
        let text = self.text;
        let (shape, span) = (form(text, node), node.span());
        let is_scalar = !matches!(after, Value::Object(map) if !map.is_empty())
            && !matches!(after, Value::Array(list) if !list.is_empty())
            && !matches!(after, Value::String(text) if scalar::is_literal(text));
        let old = text.get(span.clone()).unwrap_or_default();
        if shape == Form::Inline && is_scalar && !old.is_empty() && node.items().is_empty() {
            self.splices.push((span, scalar::in_place_of(old, after, Around::Block)));
            return;
        }
        let mut lines = Vec::new();
        let head = if slot.is_item { "-" } else { "k:" };
        Doc::of(after).lines(head, slot.indent, self.style, &mut lines);
        let first = lines.first().and_then(|line| line.get(slot.indent + head.len()..)).unwrap_or_default();
        let rest = self.below(lines.get(1..).unwrap_or_default());
        let end = content_end(text, node).max(slot.head);
        if matches!(shape, Form::Block | Form::Literal) {
            // A comment behind the key stays where it is.
            let key_end = line_end(text, slot.head);
            let comment = text.get(slot.head..key_end).filter(|rest| rest.trim_start().starts_with('#'));
            let from = if comment.is_some() { key_end } else { slot.head };
            self.splices.push((slot.head..slot.head, first.to_owned()));
            self.splices.push((from..line_end(text, end), rest));
        } else {
            self.splices.push((slot.head..end, first.to_owned()));
            let at = line_end(text, end);
            self.splices.push((at..at, rest));
        }
    }
}

fn complex(at: usize) -> Awkward {
    Awkward { why: "it is written in a form that can't be changed in place", at }
}

/// For each new item, the old one that it is made of: the one of the same name
/// where items have names, else the one at the same place.
fn partners(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let names = |items: &[Value]| {
        let names: Option<Vec<String>> = items.iter().map(name_of).collect();
        names.filter(|names| (1..names.len()).all(|index| !names[..index].contains(&names[index])))
    };
    if let (Some(old), Some(new)) = (names(old), names(new)) {
        let found: Vec<_> = new.iter().map(|name| old.iter().position(|one| one == name)).collect();
        let known: Vec<_> = found.iter().flatten().collect();
        if known.is_sorted() && !known.is_empty() {
            return found;
        }
    }
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let at_end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let at_end = at_end.min(old.len().min(new.len()) - same);
    let partner = |index: usize| {
        if index >= new.len() - at_end {
            Some(old.len() - (new.len() - index))
        } else {
            Some(index).filter(|index| *index < old.len() - at_end)
        }
    };
    (0..new.len()).map(partner).collect()
}

/// What tells a list's items apart: their name, or what a metric is about.
fn name_of(item: &Value) -> Option<String> {
    let name = item.get("name").and_then(Value::as_str);
    if let Some(name) = name {
        return Some(name.to_owned());
    }
    let kind = item.get("type").and_then(Value::as_str)?;
    let about = ["/resource/name", "/containerResource/name", "/pods/metric/name", "/external/metric/name"];
    let about = about.iter().find_map(|pointer| item.pointer(pointer).and_then(Value::as_str));
    Some(format!("{kind} {}", about.unwrap_or_default()))
}

/// How far in this file writes things: as in its first mapping and list of lines.
fn indents(text: &str, documents: &[Node]) -> Indents {
    let (mut step, mut list) = (None, None);
    for document in documents {
        look(text, document, &mut step, &mut list);
    }
    Indents { step: step.unwrap_or(Indents::KUBECTL.step), list: list.unwrap_or(Indents::KUBECTL.list) }
}

fn look(text: &str, node: &Node, step: &mut Option<usize>, list: &mut Option<usize>) {
    if step.is_some() && list.is_some() || form(text, node) != Form::Block {
        return;
    }
    for entry in own_entries(text, node) {
        let indent = column(text, entry.key_place().span.start);
        let (value, head) = (&entry.value, entry.key_place().span.end);
        let first = value.span().start;
        if form(text, value) == Form::Block && line_end(text, head) < first {
            if let Some(item) = value.items().first() {
                let dash = colon(text, entry).and_then(|head| dash(text, head, item.span().start));
                let inner = dash.map(|dash| column(text, dash - 1));
                *list = list.or(inner.and_then(|inner| inner.checked_sub(indent)));
            } else {
                let inner = column(text, first).checked_sub(indent);
                *step = step.or(inner.filter(|inner| *inner > 0));
            }
        }
        look(text, value, step, list);
    }
    node.items().iter().for_each(|item| look(text, item, step, list));
}
