//! What is found while one of our own files is read: problems at their paths,
//! and the numbers that nobody measured.

use crate::input::scalar::{Fault, Scalar};
use crate::input::world::{Unknown, World};
use crate::scenario::{Assumption, Basis};

/// What was found in one document.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What is wrong, in the order of reading.
    pub problems: Vec<Finding>,
    /// Numbers that nobody measured on the user's system.
    pub assumptions: Vec<Assumption>,
    /// What has a range, whoever measured it.
    pub unknowns: Vec<Unknown>,
    /// Where in their ranges these are.
    pub world: World,
}

/// Something wrong at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path of the field.
    pub path: String,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What helps.
    pub help: Option<String>,
}

impl Findings {
    /// Nothing found yet, in the same world.
    pub fn beside(&self) -> Self {
        Self { world: self.world.clone(), ..Self::default() }
    }

    /// Takes over what another assumes and does not know; what it found wrong stays.
    pub fn take_over(&mut self, other: &mut Self) {
        self.assumptions.append(&mut other.assumptions);
        other.unknowns.drain(..).for_each(|unknown| unknown.add_to(&mut self.unknowns));
    }

    /// Notes that something is wrong.
    pub fn wrong(&mut self, at: &At, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        self.problems.push(Finding { path: at.path.clone(), message: message.into(), help });
    }

    /// The value, or a note of what is wrong with it.
    pub fn take<T>(&mut self, at: &At, read: Result<T, Fault>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(fault) => {
                self.wrong(at, fault.message, fault.help);
                None
            }
        }
    }

    /// A field that may be absent, read by `parse`; `default` where it is absent
    /// or wrong.
    pub fn or<T>(
        &mut self,
        at: &At,
        field: Option<&Scalar>,
        parse: fn(&Scalar) -> Result<T, Fault>,
        default: T,
    ) -> T {
        field.and_then(|text| self.take(at, parse(text))).unwrap_or(default)
    }

    /// Notes a number that nobody measured.
    pub fn assume(&mut self, what: &str, value: String, range: Option<String>, basis: Basis, source: &str) {
        let (what, source) = (what.to_owned(), source.to_owned());
        self.assumptions.push(Assumption { what, value, range, basis, source });
    }
}

/// Where reading stands in a document: a path as Kubernetes writes it, and what
/// people call the thing there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// `workloads.web.operations.get[0].compute`.
    pub path: String,
    /// `web/get: CPU`.
    pub about: String,
}

impl At {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The field `key` below here.
    pub fn key(&self, key: &str) -> Self {
        let plain = !key.is_empty() && !key.contains(['.', '[', ']', '"']);
        let path = match (self.path.is_empty(), plain) {
            (true, true) => key.to_owned(),
            (false, true) => format!("{}.{key}", self.path),
            (_, false) => format!("{}[\"{key}\"]", self.path),
        };
        Self { path, about: self.about.clone() }
    }

    /// The element `index` of the list here.
    pub fn index(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), about: self.about.clone() }
    }

    /// The same place under another name.
    pub fn about(&self, about: impl Into<String>) -> Self {
        Self { path: self.path.clone(), about: about.into() }
    }
}

/// The candidate that `word` is probably meant to be: at most a third of its
/// letters differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3);
    let scored = candidates.into_iter().map(|candidate| (edits(word, candidate), candidate));
    scored.filter(|(edits, _)| *edits <= limit).min().map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or the list of what there is.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(candidate) = nearest(word, candidates.clone()) {
        return format!("did you mean `{candidate}`?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    match all.len() {
        0 => "there are none".to_owned(),
        1..=12 => format!("there is: {}", all.join(", ")),
        more => format!("there is: {} and {} more", all[..12].join(", "), more - 12),
    }
}

/// Letters to change, add or drop to get from one word to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let names = ["postgres", "redis", "auth-service"];
        for (word, expected) in [
            ("postgers", "did you mean `postgres`?"),
            ("auth-servce", "did you mean `auth-service`?"),
            ("kafka", "there is: postgres, redis, auth-service"),
        ] {
            assert_eq!(suggest(word, names), expected);
        }
        assert_eq!(suggest("x", []), "there are none");
    }

    #[test]
    fn paths_quote_what_would_not_read_back() {
        let at = At::root().key("workloads").key("a.b").key("operations").index(2);
        assert_eq!(at.path, "workloads[\"a.b\"].operations[2]");
    }
}
