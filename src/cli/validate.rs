//! `plan validate`.

use super::Exit;
use super::args::{ValidateArgs, ValidateFormat};
use super::commands::request;
use super::screen::{self, Screen};
use crate::input::rules::UNREADABLE;
use crate::input::validate::{Validated, validate};
use crate::output;
use crate::output::validate::{counts, document, junit, page, sarif};

/// `plan validate`
pub(super) fn run(args: &ValidateArgs, screen: Screen) -> Exit {
    let validated = match validate(&request(&args.input)) {
        Ok(validated) => validated,
        Err(failure) => {
            screen.tell(&failure.render(screen.colours_errors()));
            return Exit::Usage;
        }
    };
    let text = match args.output {
        ValidateFormat::Table => page(&validated, screen::width()),
        ValidateFormat::Json => output::explain::json(&document(&validated)),
        ValidateFormat::Yaml => output::explain::yaml(&document(&validated)),
        ValidateFormat::Sarif => sarif::log(&validated),
        ValidateFormat::Junit => junit::report(&validated),
    };
    if screen.print(&text) { exit(&validated, args.strict) } else { Exit::Outside }
}

fn exit(validated: &Validated, strict: bool) -> Exit {
    let [errors, warnings, _] = counts(validated);
    if validated.problems.iter().any(|one| one.is_error() && one.rule == Some(&UNREADABLE)) {
        Exit::Usage
    } else if errors > 0 || (strict && warnings > 0) {
        Exit::Missed
    } else {
        Exit::Met
    }
}
