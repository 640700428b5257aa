//! YAML and JSON texts into trees, with kubectl's reading of plain scalars and
//! bounds on everything that input can blow up.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

use super::tree::{Entry, Node, Value};
use super::{Place, SourceId, Sources};

/// Nodes that aliases may add to one text; a few hundred bytes can ask for more
/// than any memory holds.
const ALIAS_BUDGET: usize = 1_000_000;
/// Levels of nesting. The deepest built-in type has fewer than thirty.
const DEPTH_LIMIT: usize = 128;
/// Texts beyond this are refused; spans are 32 bits wide.
const SIZE_LIMIT: usize = 1 << 30;

/// Something in a text that no YAML reader can make sense of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// Whether the rest could still be read as it stands.
    pub harmless: bool,
}

/// The documents of a text, and what is wrong with the rest. A document that
/// can't be read doesn't stop those after it; empty ones are left out.
pub fn parse(sources: &Sources, source: SourceId) -> (Vec<Node>, Vec<Fault>) {
    let text = sources.text(source);
    let (documents, faults) = (Vec::new(), Vec::new());
    let template = text.contains("{{");
    let mut reader = Reader { source, text, template, offset: 0, documents, faults, copied: 0 };
    if text.len() > SIZE_LIMIT {
        reader.fault(0..0, "file is larger than 1 GiB", None);
    } else if let Some(objects) = json_objects(text) {
        for (start, end) in objects {
            reader.offset = start;
            reader.read(&text[start..end]);
        }
    } else {
        reader.read(&without_trailing_tabs(text));
    }
    (reader.documents, reader.faults)
}

struct Reader<'a> {
    source: SourceId,
    text: &'a str,
    /// Whether it looks like a template for Helm or the like.
    template: bool,
    /// Where the part that is being read begins in the text.
    offset: usize,
    documents: Vec<Node>,
    faults: Vec<Fault>,
    /// Nodes copied for aliases so far.
    copied: usize,
}

/// An anchored node, with what a copy of it costs.
struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

/// A collection that isn't finished yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next, in a mapping.
    key: Option<(String, std::ops::Range<usize>)>,
    /// The values of merge keys, which give way to the mapping's own.
    merges: Vec<Node>,
    size: usize,
    height: usize,
}

impl Reader<'_> {
    /// Reads one YAML stream, beginning again after a document that is broken.
    fn read(&mut self, text: &str) {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.simple_key_max_lookahead = 64 * 1024;
        let mut parser = Parser::new_from_str_with_options(text, options);
        loop {
            let mut builder = Builder { open: Vec::new(), anchors: BTreeMap::new() };
            match self.document(&mut parser, &mut builder) {
                Ok(Some(node)) if node.is_null() => {}
                Ok(Some(node)) => self.documents.push(node),
                Ok(None) => return,
                Err(fault) => {
                    self.faults.push(fault);
                    match parser.proceed_next_document() {
                        Ok(true) => {}
                        Ok(false) | Err(_) => return,
                    }
                }
            }
        }
    }

    /// The next document; `None` at the text's end.
    fn document<'i, I>(&mut self, events: &mut I, builder: &mut Builder) -> Result<Option<Node>, Fault>
    where
        I: Iterator<Item = Result<(Event<'i>, Span), ScanError>>,
    {
        let mut root = None;
        for event in events {
            let (event, span) = event.map_err(|error| self.scan_fault(&error))?;
            let span = self.bytes(span);
            let done = match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentEnd => return Ok(Some(root.unwrap_or_else(|| self.node(Value::Null, span)))),
                Event::Scalar(text, style, anchor, tag) => {
                    let value = resolve(text, style, tag.as_deref());
                    Some((self.node(value, span), anchor, 1, 0))
                }
                Event::SequenceStart(_, anchor, _) => {
                    self.open(builder, Value::List(Vec::new()), span, anchor)?;
                    None
                }
                Event::MappingStart(_, anchor, _) => {
                    self.open(builder, Value::Map(Vec::new()), span, anchor)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => builder.close(span.end, &mut self.faults),
                Event::Alias(id) => Some(self.alias(builder, id, span)?),
                _ => None,
            };
            if let Some((node, anchor, size, height)) = done {
                if anchor > 0 {
                    builder.anchors.insert(anchor, Anchored { node: node.clone(), size, height });
                }
                match builder.open.last_mut() {
                    None => root = Some(node),
                    Some(parent) => {
                        parent.size += size;
                        parent.height = parent.height.max(height + 1);
                        parent.take(node);
                    }
                }
            }
        }
        Ok(root)
    }

    /// Begins a collection, unless it is too deep.
    fn open(
        &self,
        builder: &mut Builder,
        value: Value,
        span: std::ops::Range<usize>,
        anchor: usize,
    ) -> Result<(), Fault> {
        if builder.open.len() >= DEPTH_LIMIT {
            return Err(self.new_fault(span, "nested more than 128 levels deep"));
        }
        let node = self.node(value, span);
        builder.open.push(Open { node, anchor, key: None, merges: Vec::new(), size: 1, height: 0 });
        Ok(())
    }

    /// A copy of an anchored node, as far as the budget for copies goes.
    fn alias(
        &mut self,
        builder: &Builder,
        id: usize,
        span: std::ops::Range<usize>,
    ) -> Result<(Node, usize, usize, usize), Fault> {
        let Some(anchored) = builder.anchors.get(&id) else {
            return Err(self.new_fault(span, "alias points at a value that contains it"));
        };
        self.copied += anchored.size;
        if self.copied > ALIAS_BUDGET {
            return Err(self.new_fault(span, "aliases expand to more than 1,000,000 values"));
        }
        if builder.open.len() + anchored.height > DEPTH_LIMIT {
            return Err(self.new_fault(span, "nested more than 128 levels deep"));
        }
        let mut node = anchored.node.clone();
        (node.start, node.end) = (span.start as u32, span.end as u32);
        Ok((node, 0, anchored.size, anchored.height))
    }

    fn node(&self, value: Value, span: std::ops::Range<usize>) -> Node {
        Node { value, source: self.source, start: span.start as u32, end: span.end as u32 }
    }

    /// A span of the parser as bytes of the whole text, always within it.
    fn bytes(&self, span: Span) -> std::ops::Range<usize> {
        let whole = self.text.len();
        let start = span.start.byte_offset().unwrap_or(0) + self.offset;
        let end = span.end.byte_offset().unwrap_or(0) + self.offset;
        start.min(whole)..end.min(whole).max(start.min(whole))
    }

    fn scan_fault(&self, error: &ScanError) -> Fault {
        let start = error.marker().byte_offset().unwrap_or(0) + self.offset;
        let start = start.min(self.text.len());
        let length = self.text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let mut fault = self.new_fault(start..start + length, "");
        fault.message = format!("not valid YAML: {}", error.info());
        if self.template {
            let help = "this looks like a template; render it first, as with `helm template`";
            fault.help = Some(help.to_owned());
        } else if self.text.get(start..).is_some_and(|rest| rest.starts_with('\t')) {
            fault.help = Some("indent with spaces; YAML allows no tabs there".to_owned());
        }
        fault
    }

    fn new_fault(&self, span: std::ops::Range<usize>, message: &str) -> Fault {
        let place = Place { source: self.source, span };
        Fault { message: message.to_owned(), place, help: None, harmless: false }
    }

    fn fault(&mut self, span: std::ops::Range<usize>, message: &str, help: Option<&str>) {
        let mut fault = self.new_fault(span, message);
        fault.help = help.map(str::to_owned);
        self.faults.push(fault);
    }
}

/// A document in the making.
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
}

impl Builder {
    /// Finishes the innermost collection.
    fn close(&mut self, end: usize, faults: &mut Vec<Fault>) -> Option<(Node, usize, usize, usize)> {
        let mut done = self.open.pop()?;
        faults.extend(repeated_keys(&done.node));
        done.node.end = (end as u32).max(done.node.start);
        if !done.merges.is_empty() {
            merge(&mut done.node, &done.merges);
        }
        Some((done.node, done.anchor, done.size, done.height))
    }
}

impl Open {
    /// Puts a finished node where it belongs.
    fn take(&mut self, node: Node) {
        match (&mut self.node.value, self.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(_), None) => self.key = Some((key_text(&node.value), node.span())),
            (Value::Map(_), Some((key, _))) if key == "<<" && !matches!(node.value, Value::String(_)) => {
                self.merges.push(node);
            }
            (Value::Map(entries), Some((key, span))) => {
                entries.push(Entry { key, value: node, start: span.start as u32, end: span.end as u32 });
            }
            (_, _) => {}
        }
    }
}

/// Keys that a mapping gives twice: kubectl takes the last one.
fn repeated_keys(node: &Node) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let again = node.entries().iter().filter(|entry| !seen.insert(entry.key.as_str()));
    let fault = |entry: &Entry| Fault {
        message: format!("key `{}` is given twice in one mapping", entry.key),
        place: entry.key_place(),
        // Files that were put together by cat.
        help: Some(match entry.key.as_str() {
            "apiVersion" => "only the last one counts; two objects need a line `---` between them".to_owned(),
            _ => "only the last one counts; remove one of them".to_owned(),
        }),
        harmless: true,
    };
    again.map(fault).collect()
}

/// Adds the entries of merge keys that a mapping doesn't have itself.
fn merge(node: &mut Node, merges: &[Node]) {
    let Value::Map(entries) = &mut node.value else { return };
    let mut known: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    let sources = merges.iter().flat_map(|one| match &one.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![one],
    });
    for entry in sources.flat_map(Node::entries) {
        if known.insert(entry.key.clone()) {
            entries.push(entry.clone());
        }
    }
}

/// A key as text, as it goes into JSON.
fn key_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::List(_) => "[…]".to_owned(),
        Value::Map(_) => "{…}".to_owned(),
    }
}

/// What a scalar means. Quoted ones are text; plain ones follow YAML 1.1, as
/// kubectl's reader has them.
fn resolve(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    if let Some(tag) = tag.filter(|tag| tag.is_yaml_core_schema()) {
        return match tag.suffix() {
            "int" | "float" | "bool" | "null" => plain(&text),
            _ => Value::String(text.into_owned()),
        };
    }
    if tag.is_some() || style != ScalarStyle::Plain {
        return Value::String(text.into_owned());
    }
    plain(&text)
}

/// A plain scalar by the table of YAML 1.1.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let looks_numeric =
        text.bytes().next().is_some_and(|first| first.is_ascii_digit() || b"+-.".contains(&first));
    if !looks_numeric {
        return Value::String(text.to_owned());
    }
    let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    if let Some(number) = integer(&digits) {
        return Value::Int(number);
    }
    match decimal(&digits) {
        Some(number) => Value::Float(number),
        None => Value::String(text.to_owned()),
    }
}

/// A whole number in base 10, `0x`, `0o`, `0b`, or octal with a leading zero.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let size = i128::from_str_radix(digits, base).ok()?;
    i64::try_from(if negative { -size } else { size }).ok()
}

/// A decimal number such as `.5`, `5.` or `1e3`; never `inf` or `nan`.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let shape = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if digits && shape { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// The top-level values of a text that is JSON, several perhaps, as ranges of
/// bytes; `None` where it isn't JSON all through.
fn json_objects(text: &str) -> Option<Vec<(usize, usize)>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match bytes.get(at) {
            None => return (!found.is_empty()).then_some(found),
            Some(b'{' | b'[') => {
                let end = json_end(bytes, at)?;
                found.push((at, end));
                at = end;
            }
            Some(_) => return None,
        }
    }
}

/// Just behind the bracket that closes the one at `start`.
fn json_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, start);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The text with tabs at the ends of lines turned into as many spaces: Go's
/// reader overlooks them, and all offsets stay as they are.
fn without_trailing_tabs(text: &str) -> Cow<'_, str> {
    let trailing = |line: &str| line.trim_end_matches(['\n', '\r']).ends_with(['\t']);
    if !text.contains('\t') || !text.split_inclusive('\n').any(trailing) {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let kept = line.trim_end_matches(['\n', '\r', '\t', ' ']);
        result.push_str(kept);
        result.extend(line[kept.len()..].chars().map(|one| if one == '\t' { ' ' } else { one }));
    }
    Cow::Owned(result)
}
