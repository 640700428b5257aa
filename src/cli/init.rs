//! `plan init`.

use super::Exit;
use super::args::InitArgs;
use super::commands::quoted;
use super::screen::Screen;
use crate::init::{Ask, Started, init};
use crate::input::manifest::{self, ManifestSet};
use crate::input::sizing::USUAL_USERS;
use crate::input::{Failure, Severity, problem, request};
use crate::output::File;
use crate::output::fresh::{self, FreshError};
use crate::source::Sources;
use crate::units::figures::plural;

/// `plan init`
pub(super) fn run(args: &InitArgs, screen: Screen) -> Exit {
    let mut sources = Sources::new();
    let (set, problems) = match manifest::read(&args.manifests, &mut sources) {
        Ok(read) => read,
        Err(failure) => {
            screen.tell(&Failure::Manifests(failure).render(screen.colours_errors()));
            return Exit::Usage;
        }
    };
    if problems.iter().any(problem::Problem::is_error) {
        screen.tell(&Failure::Wrong { problems, sources }.render(screen.colours_errors()));
        return Exit::Usage;
    }
    for problem in problems.iter().filter(|one| one.severity != Severity::Note) {
        screen.warn(&problem.render(&sources, screen.colours_errors()));
    }
    let name = request::name_of(&args.manifests);
    let users = args.users.unwrap_or(USUAL_USERS);
    if !users.is_finite() || users <= 0.0 {
        screen.error("the number of users must be above 0");
        return Exit::Usage;
    }
    let Some(started) = init(Ask { set: &set, name: &name, users }) else {
        screen.error(
            "the manifests make no pods that could be asked anything; give Deployments or StatefulSets",
        );
        return Exit::Usage;
    };
    let files: Vec<File> =
        started.iter().map(|one| (one.name.to_owned(), one.text.clone().into_bytes())).collect();
    match fresh::write(&args.out, &files, args.force) {
        Ok(_) if screen.print(&told(args, &set, &started)) => Exit::Met,
        Ok(_) => Exit::Outside,
        Err(error) => {
            screen.error(&error.to_string());
            match error {
                FreshError::Exist(_) => Exit::Usage,
                FreshError::System { .. } => Exit::Outside,
            }
        }
    }
}

/// What was written, and what to do with it.
fn told(args: &InitArgs, set: &ManifestSet, started: &[Started]) -> String {
    let out = args.out.display().to_string();
    let mut lines = vec![
        format!("Written to {out}, for {}:", plural(set.workloads.len() as u64, "workload", "workloads")),
        String::new(),
    ];
    for one in started {
        let marks = |word: &str| one.text.matches(&format!("basis: {word}")).count();
        let (prior, assumed) = (marks("prior"), marks("assumed"));
        let marked = match (prior, assumed) {
            (0, 0) => "decisions that are yours".to_owned(),
            _ => format!(
                "{}, {}",
                plural(prior as u64, "published value", "published values"),
                plural(assumed as u64, "guess", "guesses")
            ),
        };
        lines.push(format!("  {:<13} {marked}", one.name));
    }
    let given = args.manifests.iter().map(|path| ("-m".to_owned(), path.clone()));
    let written = started.iter().map(|one| {
        let option = one.name.trim_end_matches(".yaml");
        (format!("--{option}"), args.out.join(one.name))
    });
    let options = given.chain(written).fold(String::new(), |line, (option, path)| {
        line + " " + &option + " " + &quoted(&path.display().to_string())
    });
    lines.push(String::new());
    lines.push(
        "They say what plan would guess without them. Comments tell how to measure each number.".to_owned(),
    );
    lines.push(format!("Next: plan simulate{options}"));
    lines.join("\n") + "\n"
}
