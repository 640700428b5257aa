//! SARIF 2.1.0, as GitHub code scanning reads it.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use serde_json::{Value, json};

use super::{Told, level, told};
use crate::input::rules::{self, Rule};
use crate::input::validate::Validated;

/// The whole log: one run with all rules and all findings.
pub fn log(validated: &Validated) -> String {
    let results: Vec<Value> = told(validated).iter().map(result).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "plan",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules::ALL.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
                }
            },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).expect("a document of our own is valid JSON");
    text.push('\n');
    text
}

fn described(rule: &Rule) -> Value {
    let help = format!("{}. Rests on {}.", sentence(rule.why), rule.source);
    json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": sentence(rule.what)},
        "fullDescription": {"text": sentence(rule.why)},
        "help": {"text": help, "markdown": help},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {"tags": ["kubernetes"]},
    })
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn result(one: &Told<'_>) -> Value {
    let mut text = format!("{}. Why: {}.", one.problem.message, one.why());
    if let Some(help) = &one.problem.help {
        text = format!("{text} Instead: {help}.");
    }
    let index = rules::ALL.iter().position(|rule| rule.id == one.rule.id);
    let mut result = json!({
        "ruleId": one.rule.id,
        "ruleIndex": index,
        "level": one.level(),
        "message": {"text": text},
    });
    // Code scanning takes no result without a place, so one about the input as a
    // whole stands at the beginning of it.
    let uri = if one.file.is_empty() { "." } else { one.file };
    result["locations"] = json!([{
        "physicalLocation": {
            "artifactLocation": {"uri": uri_of(uri)},
            "region": {
                "startLine": one.line,
                "startColumn": one.column,
                "endLine": one.end_line,
                "endColumn": one.end_column,
            },
        }
    }]);
    result
}

/// A path as a relative or absolute URI: what has a meaning in URIs is escaped.
fn uri_of(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        for (path, uri) in [
            ("k8s/web.yaml", "k8s/web.yaml"),
            ("./a b.yaml", "a%20b.yaml"),
            ("/tmp/x#1.yaml", "file:///tmp/x%231.yaml"),
            ("größe.yaml", "gr%C3%B6%C3%9Fe.yaml"),
        ] {
            assert_eq!(uri_of(path), uri);
        }
    }
}
