//! One decision of a live cluster, explained: as a page and as a document.

pub mod hpa;
mod hpa_page;
pub mod scheduling;

use serde::Serialize;

use super::text::wrapped;

/// A document as JSON.
pub fn json(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document of our own is valid JSON");
    text.push('\n');
    text
}

/// The same as YAML.
pub fn yaml(document: &impl Serialize) -> String {
    serde_yaml::to_string(document).expect("a document of our own is valid YAML")
}

/// Lines of a page.
struct Page {
    lines: Vec<String>,
    width: usize,
}

impl Page {
    fn new(width: usize) -> Self {
        Self { lines: Vec::new(), width }
    }

    /// A heading with an empty line before it.
    fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.lines.push(text.to_owned());
    }

    /// A text that hangs below what it begins with.
    fn item(&mut self, first: &str, text: &str) {
        self.lines.extend(wrapped(first, text, self.width));
    }

    fn finish(self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}
