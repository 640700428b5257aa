//! YAML as kubectl writes it: two spaces, lists no further in than their key;
//! with comments above keys, and places that Helm fills in.

use serde_json::Value;

use super::scalar::{self, Around};
use crate::source::Step;

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Doc {
    /// A scalar, or an empty mapping or list.
    Scalar(Value),
    /// Text that stands there as it is, on one line.
    Raw(String),
    /// A mapping or list out of Helm's values, by the expression that names it.
    Expanded(String),
    /// A mapping.
    Map(Vec<Pair>),
    /// A list.
    List(Vec<Doc>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    /// Lines above the key, without `#`.
    pub comments: Vec<String>,
    pub key: String,
    pub value: Doc,
}

/// How far in things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Indents {
    /// Of a mapping in its key.
    pub step: usize,
    /// Of a list in its key.
    pub list: usize,
}

impl Indents {
    /// kubectl's.
    pub(super) const KUBECTL: Self = Self { step: 2, list: 0 };
}

impl Doc {
    /// A value as it is.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Object(entries) if !entries.is_empty() => {
                Self::Map(entries.iter().map(|(key, value)| Pair::new(key, Self::of(value))).collect())
            }
            Value::Array(items) if !items.is_empty() => Self::List(items.iter().map(Self::of).collect()),
            scalar => Self::Scalar(scalar.clone()),
        }
    }

    /// A value with the reasons of what is in it, each by its path.
    pub(super) fn explained<'a>(
        value: &Value,
        path: &mut Vec<Step>,
        reason: &impl Fn(&[Step]) -> Option<&'a str>,
    ) -> Self {
        match value {
            Value::Object(entries) if !entries.is_empty() => {
                let mut pairs = Vec::new();
                for (key, value) in entries {
                    path.push(Step::Key(key.clone()));
                    pairs.push(Pair::because(key, Self::explained(value, path, reason), reason(path)));
                    path.pop();
                }
                Self::Map(pairs)
            }
            Value::Array(items) if !items.is_empty() => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    path.push(Step::Index(index));
                    list.push(Self::explained(item, path, reason));
                    path.pop();
                }
                Self::List(list)
            }
            scalar => Self::Scalar(scalar.clone()),
        }
    }

    /// The whole as a text.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        match self {
            Self::Map(_) | Self::List(_) => self.inner(0, Indents::KUBECTL, &mut lines),
            Self::Scalar(value) => lines.push(scalar::inline(value, Around::Block)),
            Self::Raw(text) => lines.push(text.clone()),
            Self::Expanded(values) => lines.push(format!("{{{{ toYaml {values} }}}}")),
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// The lines of this value behind `head` (`key:` or `-`), which stands
    /// `indent` characters in.
    pub(super) fn lines(&self, head: &str, indent: usize, style: Indents, lines: &mut Vec<String>) {
        let margin = " ".repeat(indent);
        let in_list = head == "-";
        match self {
            Self::Scalar(Value::String(text)) if scalar::is_literal(text) => {
                literal(text, &format!("{margin}{head}"), indent + style.step, lines);
            }
            Self::Scalar(value) => {
                lines.push(format!("{margin}{head} {}", scalar::inline(value, Around::Block)));
            }
            Self::Raw(text) => lines.push(format!("{margin}{head} {text}")),
            Self::Expanded(values) => {
                let inner = indent + 2;
                lines.push(format!("{margin}{head} {{{{- toYaml {values} | nindent {inner} }}}}"));
            }
            Self::Map(_) | Self::List(_) if in_list => {
                let mut inner = Vec::new();
                self.inner(indent + 2, style, &mut inner);
                // Comments above the first key go above the dash.
                let first = inner.iter().position(|line| !line.trim_start().starts_with('#')).unwrap_or(0);
                for (index, line) in inner.into_iter().enumerate() {
                    let rest = line.get(indent + 2..).unwrap_or_default();
                    lines.push(match index.cmp(&first) {
                        std::cmp::Ordering::Less => format!("{margin}{rest}"),
                        std::cmp::Ordering::Equal => format!("{margin}- {rest}"),
                        std::cmp::Ordering::Greater => line,
                    });
                }
            }
            Self::Map(_) => {
                lines.push(format!("{margin}{head}"));
                self.inner(indent + style.step, style, lines);
            }
            Self::List(_) => {
                lines.push(format!("{margin}{head}"));
                self.inner(indent + style.list, style, lines);
            }
        }
    }

    /// The pairs or items of this.
    fn inner(&self, indent: usize, style: Indents, lines: &mut Vec<String>) {
        match self {
            Self::Map(pairs) => pairs.iter().for_each(|pair| pair.lines(indent, style, lines)),
            Self::List(items) => items.iter().for_each(|item| item.lines("-", indent, style, lines)),
            Self::Scalar(_) | Self::Raw(_) | Self::Expanded(_) => {}
        }
    }
}

impl Pair {
    pub(super) fn new(key: impl Into<String>, value: Doc) -> Self {
        Self { comments: Vec::new(), key: key.into(), value }
    }

    /// A pair with its reason above it.
    pub(super) fn because(key: impl Into<String>, value: Doc, because: Option<&str>) -> Self {
        let comments = because.map(comment).unwrap_or_default();
        Self { comments, key: key.into(), value }
    }

    pub(super) fn text(key: &str, value: &str) -> Self {
        Self::new(key, Doc::Scalar(Value::from(value)))
    }

    pub(super) fn lines(&self, indent: usize, style: Indents, lines: &mut Vec<String>) {
        let margin = " ".repeat(indent);
        lines.extend(self.comments.iter().map(|comment| format!("{margin}# {comment}")));
        let head = format!("{}:", scalar::string(&self.key, Around::Block));
        self.value.lines(&head, indent, style, lines);
    }
}

/// A sentence as the lines of a comment.
pub(super) fn comment(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A text of several lines under `|`.
fn literal(text: &str, head: &str, indent: usize, lines: &mut Vec<String>) {
    let body = text.trim_end_matches('\n');
    let (sign, blank) = match text.len() - body.len() {
        0 => ("|-", 0),
        1 => ("|", 0),
        more => ("|+", more - 1),
    };
    lines.push(format!("{head} {sign}"));
    let margin = " ".repeat(indent);
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{margin}{line}") };
    lines.extend(body.split('\n').map(line));
    lines.extend(std::iter::repeat_n(String::new(), blank));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::value_of;
    use crate::source::{Sources, parse};

    #[test]
    fn written_as_kubectl_writes() {
        let value = json!({
            "a": [{"b": 1, "c": [[1, 2], {}]}, "x"],
            "d": {}, "e": [], "f": {"g": null, "on": "yes"},
            "h": "one\n  two\n\nthree\n", "i": "a\nb", "j": ["a\nb\n\n"], "k": "last",
        });
        let text = Doc::of(&value).text();
        insta::assert_snapshot!(text, @r#"
        a:
        - b: 1
          c:
          - - 1
            - 2
          - {}
        - x
        d: {}
        e: []
        f:
          g: null
          "on": "yes"
        h: |
          one
            two

          three
        i: |-
          a
          b
        j:
        - |+
          a
          b

        k: last
        "#);
        let mut sources = Sources::new();
        let id = sources.add("one", text);
        assert_eq!(value_of(&parse(&sources, id).0[0]), value);
    }

    #[test]
    fn comments_stand_above_their_keys() {
        let pair = Pair::because("cpu", Doc::Scalar(json!("1")), Some("p99 wants it"));
        let list = Doc::List(vec![Doc::Map(vec![pair])]);
        let doc =
            Doc::Map(vec![Pair::new("list", list), Pair::new("x", Doc::Expanded(".Values.x".to_owned()))]);
        let expected = "list:\n# p99 wants it\n- cpu: \"1\"\nx: {{- toYaml .Values.x | nindent 2 }}\n";
        assert_eq!(doc.text(), expected);
    }
}
