//! `plan validate`: findings as a page, a document, SARIF and JUnit XML.

pub mod junit;
pub mod sarif;

use serde::Serialize;

use super::text::{Paint, painted, wrapped};
use crate::input::rules::{Rule, Severity};
use crate::input::validate::Validated;
use crate::input::{Problem, rules};
use crate::units::figures::plural;

/// Nothing is laid out narrower than this.
const NARROWEST: usize = 40;

/// A problem with everything that a report says of it.
struct Told<'a> {
    problem: &'a Problem,
    rule: &'static Rule,
    /// The file, empty where there is none.
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Told<'_> {
    fn why(&self) -> &str {
        self.problem.why.as_deref().unwrap_or(self.rule.why)
    }

    fn level(&self) -> &'static str {
        level(self.problem.severity)
    }

    /// `file:line: `, for lists without a column of their own.
    fn at(&self) -> String {
        if self.file.is_empty() { String::new() } else { format!("{}:{}: ", self.file, self.line) }
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// All findings, with their places as lines and columns.
fn told(validated: &Validated) -> Vec<Told<'_>> {
    let sources = &validated.sources;
    let one = |problem| {
        let problem: &Problem = problem;
        let rule = problem.rule.unwrap_or(&rules::NOT_AS_WRITTEN);
        let Some(place) = problem.place.as_ref().filter(|place| !sources.text(place.source).is_empty())
        else {
            return Told { problem, rule, file: "", line: 1, column: 1, end_line: 1, end_column: 1 };
        };
        let (line, column) = sources.position(place);
        let end = crate::source::Place { source: place.source, span: place.span.end..place.span.end };
        let (end_line, end_column) = sources.position(&end);
        Told { problem, rule, file: sources.name(place.source), line, column, end_line, end_column }
    };
    validated.problems.iter().map(one).collect()
}

/// How many of each severity: errors, warnings, notes.
pub fn counts(validated: &Validated) -> [u64; 3] {
    let of = |severity| validated.problems.iter().filter(|one| one.severity == severity).count() as u64;
    [of(Severity::Error), of(Severity::Warning), of(Severity::Note)]
}

/// The page a person reads, with ANSI colours.
pub fn page(validated: &Validated, width: usize) -> String {
    let width = width.max(NARROWEST);
    let all = told(validated);
    let mut lines = Vec::new();
    let mut file = None;
    for one in &all {
        if file != Some(one.file) {
            file = Some(one.file);
            if !lines.is_empty() {
                lines.push(String::new());
            }
            let name = if one.file.is_empty() { "the input as a whole" } else { one.file };
            lines.push(painted(Paint::Heading, name));
        }
        lines.extend(finding(one, width));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(summary(validated, width));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn finding(one: &Told<'_>, width: usize) -> Vec<String> {
    let paint = match one.problem.severity {
        Severity::Error => Paint::Bad,
        Severity::Warning => Paint::Doubtful,
        Severity::Note => Paint::Quiet,
    };
    let first = format!("{:>5}  {:<8} ", one.line, one.level());
    let title = format!("{} [{}]", one.problem.message, one.rule.id);
    let mut lines = wrapped(&first, &title, width);
    if let Some(line) = lines.first_mut() {
        *line = line.replacen(one.level(), &painted(paint, one.level()), 1);
    }
    lines.extend(wrapped("       why: ", one.why(), width));
    if let Some(help) = &one.problem.help {
        lines.extend(wrapped("       instead: ", help, width));
    }
    lines
}

fn summary(validated: &Validated, width: usize) -> Vec<String> {
    let [errors, warnings, notes] = counts(validated);
    let all: Vec<String> =
        [(errors, "error", "errors"), (warnings, "warning", "warnings"), (notes, "note", "notes")]
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many)| plural(number, one, many))
            .collect();
    let found = if all.is_empty() { "no findings".to_owned() } else { all.join(", ") };
    let read: Vec<String> =
        validated.counts.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
    let mut lines = wrapped("", &format!("{}: {found} in {}", validated.name, read.join(", ")), width);
    if !validated.not_checked.is_empty() {
        lines.push("Not checked:".to_owned());
        lines.extend(validated.not_checked.iter().flat_map(|what| wrapped("  - ", what, width)));
    }
    lines
}

/// What `-o json` prints. Keys are only ever added under one `apiVersion`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    name: &'a str,
    errors: u64,
    warnings: u64,
    notes: u64,
    findings: Vec<FindingData>,
    not_checked: &'a [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindingData {
    rule: &'static str,
    severity: &'static str,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    why: String,
    instead: Option<String>,
}

/// The findings as data.
pub fn document(validated: &Validated) -> Document<'_> {
    let [errors, warnings, notes] = counts(validated);
    let data = |one: Told<'_>| {
        let placed = !one.file.is_empty();
        FindingData {
            rule: one.rule.id,
            severity: one.level(),
            file: placed.then(|| one.file.to_owned()),
            line: placed.then_some(one.line),
            column: placed.then_some(one.column),
            message: one.problem.message.clone(),
            why: one.why().to_owned(),
            instead: one.problem.help.clone(),
        }
    };
    Document {
        api_version: super::verdict::API_VERSION,
        kind: "Validation",
        name: &validated.name,
        errors,
        warnings,
        notes,
        findings: told(validated).into_iter().map(data).collect(),
        not_checked: &validated.not_checked,
    }
}
