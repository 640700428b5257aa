//! The commands: arguments in, an exit code out. The only place that prints.

pub mod args;
mod bundle;
mod capacity;
mod commands;
mod compare;
mod drill;
mod explain;
mod init;
mod nodes;
mod robust;
mod screen;
mod tune;
mod validate;
mod values;

use std::panic;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Explain};
use screen::Screen;

use crate::judge::Outcome;

/// How a command ended. The numbers are API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every objective is met, or the command had nothing to judge.
    Met = 0,
    /// An objective is missed.
    Missed = 1,
    /// The command line or a file is wrong.
    Usage = 2,
    /// An objective is still unsure after the allowed replications, or none could be judged.
    Unsure = 3,
    /// Something outside failed: the disk, another program.
    Outside = 5,
    /// A bug of ours.
    Bug = 70,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Met => Self::Met,
            Outcome::Missed => Self::Missed,
            // A gate must not open because nothing was looked at.
            Outcome::Unsure | Outcome::NotJudged => Self::Unsure,
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    tell_bugs();
    // A panic is a bug of ours and must not look like a verdict.
    let exit = panic::catch_unwind(run).unwrap_or(Exit::Bug);
    ExitCode::from(exit as u8)
}

fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and is no error; nobody may be reading.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Met };
        }
    };
    let screen = Screen::new(cli.color, cli.quiet, cli.verbose);
    match cli.command {
        Command::Simulate(args) => commands::simulate(&args, screen),
        Command::Capacity(args) => capacity::capacity(&args, screen),
        Command::Compare(args) => compare::compare(&args, screen),
        Command::Robust(args) => robust::robust(&args, screen),
        Command::Tune(args) => tune::tune(&args, screen),
        Command::Drill(args) => drill::drill(&args, screen),
        Command::Explain(Explain::Hpa(args)) => explain::hpa(&args, screen),
        Command::Explain(Explain::Scheduling(args)) => explain::scheduling(&args, screen),
        Command::Validate(args) => validate::run(&args, screen),
        Command::Init(args) => init::run(&args, screen),
        Command::Completions(args) => commands::completions(args.shell, screen),
    }
}

/// Lets a panic say what to do about it.
fn tell_bugs() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or(String::new(), |place| format!(" ({place})"));
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no words for it");
        screen::complain(&format!(
            "error: plan has a bug: {what}{place}\n\
             Please report it with the whole command line, the files it names, and this: plan {}",
            env!("CARGO_PKG_VERSION"),
        ));
    }));
}
