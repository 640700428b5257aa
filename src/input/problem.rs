//! What is wrong with the user's files, shown at its place.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;

use crate::input::rules::Rule;
pub use crate::input::rules::Severity;
use crate::source::{self, Fault, Node, Place, Sources, Unknown};

/// Something the user should know about their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where.
    pub place: Option<Place>,
    /// What the place is, shown under it.
    pub label: Option<String>,
    /// Which trap this is, for `plan validate`; most problems are none.
    pub rule: Option<&'static Rule>,
    /// Why it hurts here, in figures, where there is more to say than the rule does.
    pub why: Option<String>,
}

/// What fields that a type doesn't know are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// Warnings: Kubernetes' types grow.
    Warn,
    /// Errors: our own formats.
    Refuse,
}

impl Problem {
    /// Something that is refused.
    pub fn error(message: impl Into<String>) -> Self {
        Self::of(Severity::Error, message.into())
    }

    /// Something that is read, but hardly meant so.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::of(Severity::Warning, message.into())
    }

    /// Something good to know.
    pub fn note(message: impl Into<String>) -> Self {
        Self::of(Severity::Note, message.into())
    }

    /// A trap that somebody is in, as bad as its rule says.
    pub fn trap(rule: &'static Rule, message: impl Into<String>) -> Self {
        Self::of(rule.severity, message.into()).rule(rule)
    }

    /// The same as a case of a rule; its severity stays.
    pub fn rule(mut self, rule: &'static Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// The same with what it costs here.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The same, but as bad as this.
    pub fn as_bad_as(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    fn of(severity: Severity, message: String) -> Self {
        Self { severity, message, help: None, place: None, label: None, rule: None, why: None }
    }

    /// Whether it is refused.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The same at a place.
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same with what the place is, shown under it.
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The problem as rustc would show it, without a line break at the end.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        if let Some(place) = &self.place {
            let (number, line) = sources.line(place);
            let text = &sources.text(place.source)[line.clone()];
            let annotation = AnnotationKind::Primary.span(shown_span(text, &line, &place.span));
            let snippet = Snippet::source(text).line_start(number).path(sources.name(place.source));
            group = group.element(snippet.annotation(annotation.label(self.label.as_deref())));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group]).trim_end().to_owned()
    }
}

/// The part of `span` that lies in the line, counted from the line's start and
/// cut at characters.
fn shown_span(text: &str, line: &Range<usize>, span: &Range<usize>) -> Range<usize> {
    let clamp = |byte: usize| {
        let mut at = byte.clamp(line.start, line.end) - line.start;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = clamp(span.start);
    start..clamp(span.end).max(start)
}

/// All problems, one after the other with an empty line between them.
pub fn render(problems: &[Problem], sources: &Sources, color: bool) -> String {
    let shown: Vec<_> = problems.iter().map(|problem| problem.render(sources, color)).collect();
    shown.join("\n\n")
}

/// The worst severity among the problems.
pub fn worst(problems: &[Problem]) -> Option<Severity> {
    problems.iter().map(|problem| problem.severity).max()
}

/// Reads a typed value from a tree and reports everything that doesn't fit.
/// `None` when anything is wrong enough; then `problems` has an error more.
pub fn decode<T: DeserializeOwned>(
    node: &Node,
    unknown: UnknownFields,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let decoded = source::decode(node, unknown == UnknownFields::Warn);
    let refused = unknown == UnknownFields::Refuse && !decoded.unknown.is_empty();
    // A type that refuses unknown fields itself has told of them as errors, too.
    let told = |place: &Option<Place>| decoded.unknown.iter().any(|one| Some(&one.place) == place.as_ref());
    for error in decoded.errors.into_iter().filter(|error| !refused || !told(&error.place)) {
        let mut problem = Problem::error(error.to_string());
        problem.place = error.place;
        problem.help = error.help;
        problems.push(problem);
    }
    problems.extend(decoded.unknown.iter().map(|one| unknown_field(one, unknown)));
    if refused { None } else { decoded.value }
}

/// The documents of one source, and what is wrong with the text.
pub fn parse(sources: &Sources, source: source::SourceId, problems: &mut Vec<Problem>) -> Vec<Node> {
    let (documents, faults) = source::parse(sources, source);
    problems.extend(faults.into_iter().map(Problem::from));
    documents
}

fn unknown_field(field: &Unknown, unknown: UnknownFields) -> Problem {
    let message = format!("unknown field `{}`", field.path);
    let suggestion = source::closest(&field.name, field.known.iter().copied());
    let problem = match unknown {
        UnknownFields::Warn => Problem::warning(message).labelled("ignored"),
        UnknownFields::Refuse => Problem::error(message),
    };
    let problem = problem.at(field.place.clone());
    match (suggestion, unknown) {
        (Some(name), _) => problem.help(format!("did you mean `{name}`?")),
        (None, UnknownFields::Refuse) if field.known.len() <= 20 => {
            problem.help(format!("known here: `{}`", field.known.join("`, `")))
        }
        _ => problem,
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let severity = if fault.harmless { Severity::Warning } else { Severity::Error };
        Self { help: fault.help, ..Self::of(severity, fault.message).at(fault.place) }
    }
}
