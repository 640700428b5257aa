//! JUnit XML, as CI servers read it: a suite per file, a case per finding.
//! Errors and warnings are failures; notes are cases that pass and say why.

use super::{Told, counts, told};
use crate::input::rules::Severity;
use crate::input::validate::Validated;

/// The whole report.
pub fn report(validated: &Validated) -> String {
    let all = told(validated);
    let [errors, warnings, _] = counts(validated);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, failures) = (all.len().max(1), errors + warnings);
    xml.push_str(&format!("<testsuites name=\"plan validate\" tests=\"{tests}\" failures=\"{failures}\">\n"));
    if all.is_empty() {
        let name = escaped(&validated.name);
        xml.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\">\n    <testcase classname=\"{name}\" \
             name=\"no findings\"/>\n  </testsuite>\n"
        ));
    }
    for suite in all.chunk_by(|one, other| one.file == other.file) {
        let name = if suite[0].file.is_empty() { &validated.name } else { suite[0].file };
        let name = escaped(name);
        let failures = suite.iter().filter(|one| one.problem.severity > Severity::Note).count();
        let tests = suite.len();
        xml.push_str(&format!("  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">\n"));
        for one in suite {
            xml.push_str(&case(one, &name));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(one: &Told<'_>, class: &str) -> String {
    let title = escaped(&format!("{} (line {})", one.rule.id, one.line));
    let message = escaped(&one.problem.message);
    let help = one.problem.help.as_ref().map_or_else(String::new, |help| format!("\nInstead: {help}"));
    let text = escaped(&format!("{}{}\nWhy: {}{help}", one.at(), one.problem.message, one.why()));
    let line = one.line;
    let head =
        format!("    <testcase classname=\"{class}\" name=\"{title}\" file=\"{class}\" line=\"{line}\">");
    let body = match one.problem.severity {
        Severity::Note => format!("<system-out>{text}</system-out>"),
        Severity::Warning | Severity::Error => {
            format!("<failure type=\"{}\" message=\"{message}\">{text}</failure>", one.level())
        }
    };
    format!("{head}\n      {body}\n    </testcase>\n")
}

/// A text between tags or quotes. Characters that XML 1.0 doesn't know at all are
/// replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_file_says_is_text() {
        assert_eq!(
            escaped("<a b=\"c\">&\u{7}\u{1b}[1m"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}[1m"
        );
    }
}
