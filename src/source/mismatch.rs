//! A value that doesn't fit its type, and where.

use std::fmt;

use serde::de;

use super::Place;
use super::decode::step_of;
use super::similar::closest;

/// A value that doesn't fit its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeError {
    /// The path of the field, as `spec.metrics[0].type`; empty for the root.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// Where; always there once `decode` hands the error out.
    pub place: Option<Place>,
    /// The field that is missing, when that is the matter.
    pub(super) missing: Option<&'static str>,
    /// The node the error is about and those around it, by their bytes.
    pub(super) trail: Vec<(u32, u32)>,
}

impl DecodeError {
    /// Whether it only says again what another one has said, or that something
    /// is missing that was left out for being wrong.
    pub(super) fn follows_from(&self, earlier: &[Self]) -> bool {
        let lacks = self.missing.map(|field| format!("{}{}", self.path, step_of(field)));
        let lacks = lacks.as_deref().map(|path| path.trim_start_matches('.'));
        earlier.iter().any(|one| {
            let same = (&one.path, &one.message) == (&self.path, &self.message);
            same || lacks.is_some_and(|path| one.path.starts_with(path))
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for DecodeError {}

/// A [`DecodeError`] on its way out of the value that is being read.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) Box<DecodeError>);

impl Wrong {
    pub(super) fn of(message: String) -> Self {
        Self(Box::new(DecodeError { message, ..DecodeError::default() }))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::of(format!("field `{field}` is missing"));
        error.0.missing = Some(field);
        error
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::of(format!("`{variant}` is not among the choices"));
        error.0.help = Some(choices(variant, expected));
        error
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::of(format!("unknown field `{field}`"));
        error.0.help = Some(choices(field, expected));
        error
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expected.to_string();
        let range = match expected.as_str() {
            "i32" => "a whole number of 32 bits",
            "u32" => "a whole number from 0 to 4294967295",
            "u16" => "a whole number from 0 to 65535",
            "u64" | "usize" => "a whole number from 0",
            other => other,
        };
        Self::of(format!("expected {range}, found {found}"))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::of(format!("expected {expected}, found {found}"))
    }
}

/// A hint at what could have been meant.
fn choices(given: &str, known: &[&str]) -> String {
    match closest(given, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "nothing is expected there".to_owned(),
        None => format!("expected one of `{}`", known.join("`, `")),
    }
}
