//! Where the parts of a text begin and end: what the tree doesn't say because
//! nobody but a patch needs it.

use crate::source::{Entry, Node, Value};

/// What some editors on Windows begin a file with.
const MARK: char = '\u{feff}';

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `*name`
    Alias,
    /// `{…}` or `[…]`
    Flow,
    /// Lines of `key: value` or `- item`.
    Block,
    /// Lines under `|` or `>`.
    Literal,
    /// Anything on one line, or nothing.
    Inline,
}

/// How a value is hung up: behind `key:` or behind `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Just behind the `:` or `-`.
    pub head: usize,
    /// How far in the key or the dash stands.
    pub indent: usize,
    /// Whether it is a dash.
    pub is_item: bool,
}

/// The form of a value.
pub(super) fn form(text: &str, node: &Node) -> Form {
    let first = text.get(node.span()).and_then(|slice| slice.chars().next());
    match (&node.value, first) {
        (Value::String(_), _) if literal_header(text, node).is_some() => Form::Literal,
        // A list no further in than its key begins with its first item for the
        // tree, whatever that begins with.
        (Value::List(items), _) if items.first().is_some_and(|one| one.span().start == node.span().start) => {
            Form::Block
        }
        (_, Some('*')) => Form::Alias,
        (Value::Map(_), Some('{')) | (Value::List(_), Some('[')) => Form::Flow,
        (Value::Map(_) | Value::List(_), _) => Form::Block,
        _ => Form::Inline,
    }
}

/// The `|` or `>` above a scalar's own span, with what follows it.
fn literal_header<'a>(text: &'a str, node: &Node) -> Option<&'a str> {
    let before = text.get(..node.span().start)?;
    let above = before.trim_end();
    if !before[above.len()..].contains('\n') && !above.is_empty() {
        return None;
    }
    let line = above.rsplit('\n').next()?;
    let code = line.split(" #").next()?.trim_end();
    let word = code.rsplit([' ', '\t']).next()?;
    let of_header = |one: char| one == '+' || one == '-' || one.is_ascii_digit();
    let rest = word.strip_prefix(['|', '>'])?;
    rest.chars().all(of_header).then_some(word)
}

/// Just behind the colon of a key; `None` where the file writes the pair in
/// some other way.
pub(super) fn colon(text: &str, entry: &Entry) -> Option<usize> {
    let end = entry.key_place().span.end;
    let blanks = text.get(end..)?.bytes().take_while(|byte| *byte == b' ').count();
    (text.as_bytes().get(end + blanks) == Some(&b':')).then_some(end + blanks + 1)
}

/// The keys that a mapping writes itself, in order; those of merge keys are
/// not among them.
pub(super) fn own_entries<'a>(text: &str, node: &'a Node) -> Vec<&'a Entry> {
    let span = node.span();
    let inside = node.entries().iter().filter(|entry| span.contains(&entry.key_place().span.start));
    if form(text, node) == Form::Flow {
        return inside.collect();
    }
    let indent = column(text, span.start);
    inside.filter(|entry| column(text, entry.key_place().span.start) == indent).collect()
}

/// Where a value's last character is, without the blank lines and comments that
/// the tree counts to it.
pub(super) fn content_end(text: &str, node: &Node) -> usize {
    let span = node.span();
    match form(text, node) {
        Form::Alias | Form::Flow => span.end,
        Form::Inline => span.start + text.get(span).map_or(0, |slice| slice.trim_end().len()),
        Form::Literal => literal_end(text, node),
        Form::Block => {
            let last = match &node.value {
                Value::List(items) => items.last().map(|item| content_end(text, item)),
                _ => own_entries(text, node).last().map(|entry| entry_end(text, entry)),
            };
            last.unwrap_or(span.start).max(lines_end(text, span))
        }
    }
}

/// Where a pair's last character is.
pub(super) fn entry_end(text: &str, entry: &Entry) -> usize {
    let head = colon(text, entry).unwrap_or(entry.key_place().span.end);
    content_end(text, &entry.value).max(head)
}

/// Text under `|+` keeps the blank lines after it.
fn literal_end(text: &str, node: &Node) -> usize {
    let span = node.span();
    let slice = text.get(span.clone()).unwrap_or_default();
    let header = literal_header(text, node).unwrap_or_default();
    if header.contains('+') {
        let kept = slice.trim_end_matches(' ');
        let kept = kept.strip_suffix('\n').map_or(kept, |kept| kept.strip_suffix('\r').unwrap_or(kept));
        return span.start + kept.len();
    }
    span.start + slice.trim_end().len()
}

/// The end of the last line that is neither blank nor a comment.
fn lines_end(text: &str, span: std::ops::Range<usize>) -> usize {
    let Some(slice) = text.get(span.clone()) else { return span.start };
    let (mut end, mut at) = (0, 0);
    for line in slice.split_inclusive('\n') {
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            end = at + line.trim_end().len();
        }
        at += line.len();
    }
    span.start + end
}

/// Just behind the dash before a list's item: `from` is the end of what stands
/// before it.
pub(super) fn dash(text: &str, from: usize, item: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    // An item without a value begins right behind its dash.
    while at < item.max(from + 1) && at < bytes.len() {
        match bytes[at] {
            b'-' if bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) => return Some(at + 1),
            b'#' => at = line_end(text, at),
            b'&' | b'!' => at += bytes[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count(),
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => return None,
        }
    }
    None
}

/// The first byte of the line; a byte order mark is before the first one.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let first = if text.starts_with(MARK) { MARK.len_utf8() } else { 0 };
    let newline = text.get(..at).and_then(|before| before.rfind('\n'));
    newline.map_or(first.min(at), |newline| newline + 1)
}

/// The end of the line, before its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + line.strip_suffix('\r').unwrap_or(line).len()
}

/// The first byte of the next line, or the text's end.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline + 1)
}

/// The end of the line above this one.
pub(super) fn above(text: &str, at: usize) -> Option<usize> {
    let newline = text.get(..at)?.rfind('\n')?;
    Some(if text[..newline].ends_with('\r') { newline - 1 } else { newline })
}

/// How many characters stand before this on its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    text.get(line_start(text, at)..at).map_or(0, |before| before.chars().count())
}

/// Whether nothing but spaces stands before this on its line.
pub(super) fn begins_line(text: &str, at: usize) -> bool {
    text.get(line_start(text, at)..at).is_some_and(|before| before.bytes().all(|byte| byte == b' '))
}
