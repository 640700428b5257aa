//! From the user's files and what is to be changed of them to the files to be
//! written: the same files patched, an overlay for kustomize, values or a chart
//! for Helm, all objects as clean YAML, or a whole folder for kustomize.
//!
//! Texts in, texts out; nothing here touches the file system. No form but
//! [`patch()`], which hands back the user's own files, ever holds what a Secret
//! holds.

mod chart;
mod document;
mod flow;
mod helm;
mod kustomize;
mod layout;
mod merge;
mod originals;
mod patch;
mod plain;
mod scalar;
mod splice;
mod tree;
mod write;

use std::fmt;

use crate::change::{Edit, ObjectName};
use crate::source::Step;

pub use chart::{ChartName, helm_chart};
pub use document::document;
pub use helm::helm_values;
pub use kustomize::{Base, Layout, kustomize};
pub use originals::Originals;
pub use patch::patch;
pub use plain::plain;
pub use tree::{tree, yaml};

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// Where, relative to the folder of the whole; with `/`.
    pub path: String,
    /// The whole of its text.
    pub text: String,
}

/// Something that a form has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Of which object.
    pub object: ObjectName,
    /// The edit's path; `None` for the whole object.
    pub path: Option<String>,
    /// Why, in one sentence without its full stop.
    pub why: String,
}

/// What one form comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emission {
    /// The files, in the order in which a reader wants them.
    pub files: Vec<Emitted>,
    /// What they don't say; never empty without a reason that is given here.
    pub left_out: Vec<LeftOut>,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Where, as `file:line:column`, where that is known.
    pub at: Option<String>,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, help: None }
    }

    fn at(self, at: impl Into<String>) -> Self {
        Self { at: Some(at.into()), ..self }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", describe(&self.object))?;
        self.path.iter().try_for_each(|path| write!(f, " {path}"))?;
        write!(f, ": {}", self.why)
    }
}

/// `Deployment shop/web`
fn describe(object: &ObjectName) -> String {
    format!("{} {}/{}", object.kind, object.namespace, object.name)
}

/// Whether an object's content must not leave the user's files.
fn is_secret(object: &ObjectName) -> bool {
    object.kind == "Secret"
}

/// A Secret that a form leaves out.
fn secret_left_out(object: &ObjectName) -> LeftOut {
    LeftOut { object: object.clone(), path: None, why: "a Secret is not copied anywhere".to_owned() }
}

/// Why an edit was made, for the place that it is about.
fn because_of<'a>(edits: &'a [(Vec<Step>, &'a Edit)], path: &[Step]) -> Option<&'a str> {
    let found = edits.iter().find(|(steps, _)| steps == path);
    found.map(|(_, edit)| edit.because.as_str()).filter(|because| !because.is_empty())
}
