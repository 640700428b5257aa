//! Scalars as text: bare where every reader of YAML, 1.1 or 1.2, takes them for
//! what they are, quoted elsewhere.

use serde_json::Value;

/// What stands around a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// Lines.
    Block,
    /// `{a: 1}`
    Flow,
    /// JSON, where all strings have double quotes.
    Json,
}

/// A scalar, or an empty mapping or list, on one line.
pub(super) fn inline(value: &Value, around: Around) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => string(text, around),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// Text, bare where that is safe.
pub(super) fn string(text: &str, around: Around) -> String {
    if around != Around::Json && is_plain(text, around) { text.to_owned() } else { quoted(text) }
}

/// A scalar in the quotes that the one before it had, where they can be kept.
pub(super) fn in_place_of(old: &str, value: &Value, around: Around) -> String {
    match value {
        Value::String(text) if around != Around::Json && old.starts_with('"') => quoted(text),
        Value::String(text) if around != Around::Json && old.starts_with('\'') && is_tame(text) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        _ => inline(value, around),
    }
}

/// Text in double quotes; JSON and YAML read it alike.
pub(super) fn quoted(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + 2);
    result.push('"');
    for one in text.chars() {
        match one {
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\t' => result.push_str("\\t"),
            '\r' => result.push_str("\\r"),
            _ if is_printable(one) => result.push(one),
            _ => {
                let mut units = [0; 2];
                for unit in one.encode_utf16(&mut units) {
                    result.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    result.push('"');
    result
}

/// Whether a text can be written as lines under `|`.
pub(super) fn is_literal(text: &str) -> bool {
    let whole = text.chars().all(|one| one == '\n' || one == '\t' || is_printable(one));
    let first = text.chars().next();
    let blank = |line: &str| !line.is_empty() && line.trim().is_empty();
    text.trim_end_matches('\n').contains('\n')
        && whole
        && first.is_some_and(|first| !first.is_whitespace())
        && !text.lines().any(blank)
}

fn is_printable(one: char) -> bool {
    !one.is_control() && !matches!(one, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// One line without anything that only double quotes can say.
fn is_tame(text: &str) -> bool {
    text.chars().all(is_printable)
}

fn is_plain(text: &str, around: Around) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    let begins = match first {
        '-' => !text.starts_with("---") && second.is_some_and(|two| two.is_alphanumeric() || two == '-'),
        '?' | ':' | ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' | '=' | '<' | '~' => false,
        _ => !first.is_whitespace(),
    };
    let ends = !text.ends_with(':') && !text.ends_with(char::is_whitespace);
    let inside = !text.contains(": ") && !text.contains(" #");
    let in_flow = around == Around::Block || !text.contains([',', '[', ']', '{', '}', ':']);
    begins && ends && inside && in_flow && is_tame(text) && !is_misread(text)
}

/// Whether some reader takes the bare text for something other than text: a
/// boolean, nothing, a number in any of YAML's notations, or a date.
fn is_misread(text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return true;
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    let numeric = unsigned.starts_with(|one: char| one.is_ascii_digit() || one == '.');
    let special = [".nan", ".inf"].iter().any(|word| word.eq_ignore_ascii_case(unsigned));
    let of_numbers = |one: char| one.is_ascii_hexdigit() || "xXoObB_.,:eE+-tTzZ ".contains(one);
    special || numeric && unsigned.chars().all(of_numbers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::value_of;
    use crate::source::{Sources, parse};

    #[test]
    fn strings_that_some_reader_takes_for_something_else_are_quoted() {
        let misread = [
            "",
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "true",
            "FALSE",
            "null",
            "~",
            "1",
            "-1",
            "+1",
            "1_000",
            "0x1F",
            "0o17",
            "0b11",
            "0644",
            "1e3",
            "1.5",
            ".5",
            "5.",
            "1:30",
            "12:30:45",
            "2001-12-14",
            "2001-12-14T21:59:43Z",
            "2001-12-14 21:59:43",
            ".inf",
            "-.Inf",
            ".NaN",
            "=",
            "<<",
            "a: b",
            "a #b",
            "#a",
            "- a",
            "-",
            "---",
            "? a",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "a:",
            " a",
            "a ",
            "a\tb",
            "a\u{85}b",
            "\u{feff}a",
            "a\u{7}b",
            "😀\u{2028}",
        ];
        for text in misread {
            let shown = string(text, Around::Block);
            assert!(shown.starts_with('"'), "{text:?} is written as {shown}");
        }
    }

    #[test]
    fn usual_strings_are_bare() {
        for text in ["500m", "128Mi", "web", "nginx:1.27", "--port=80", "-Xmx512m", "a-b_c.d/e", "25%", "ä"]
        {
            assert_eq!(string(text, Around::Block), text);
        }
        assert_eq!(string("nginx:1.27", Around::Flow), "\"nginx:1.27\"");
        assert_eq!(string("web", Around::Json), "\"web\"");
    }

    #[test]
    fn whatever_is_written_is_read_back() {
        let texts = ["", "yes", "1_000", "a\nb", "a\u{85}b", "\u{feff}😀", "'", "\"\\", "x: y", "ünï", "\t"];
        for text in texts {
            for around in [Around::Block, Around::Flow, Around::Json] {
                for old in ["bare", "'single'", "\"double\""] {
                    let mut sources = Sources::new();
                    let shown = in_place_of(old, &json!(text), around);
                    let id = sources.add("one", format!("[{shown}]"));
                    let (documents, faults) = parse(&sources, id);
                    assert_eq!((value_of(&documents[0]), faults.len()), (json!([text]), 0), "{shown}");
                }
            }
        }
    }

    #[test]
    fn quotes_are_kept() {
        let rows = [
            ("500m", json!("1"), "\"1\""),
            ("'500m'", json!("it's"), "'it''s'"),
            ("'500m'", json!("a\nb"), "\"a\\nb\""),
            ("\"500m\"", json!("1Gi"), "\"1Gi\""),
            ("\"5\"", json!(6), "6"),
        ];
        for (old, new, expected) in rows {
            assert_eq!(in_place_of(old, &new, Around::Block), expected);
        }
    }
}
