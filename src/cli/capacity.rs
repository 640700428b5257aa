//! `plan capacity`.

use super::Exit;
use super::args::{CapacityArgs, Format};
use super::commands::load;
use super::screen::{self, Screen};
use crate::capacity::{Tried, search};
use crate::output;
use crate::scenario::Scenario;
use crate::units::figures::{count, plural};

/// `plan capacity`
pub(super) fn capacity(args: &CapacityArgs, screen: Screen) -> Exit {
    let scenario = match load(&args.input, screen) {
        Ok(scenario) => Scenario { fidelity: args.fidelity, ..scenario },
        Err(exit) => return exit,
    };
    let tried = |one: &Tried| {
        let replications = plural(one.replications as u64, "replication", "replications");
        screen.log(&format!("{} at {}: {replications}", one.outcome.name(), count(one.load)));
    };
    let found = search(&scenario, args.seed, args.replications, tried);
    let document = || output::capacity::document(&scenario, &found, args.seed);
    let text = match args.output {
        Format::Table => output::capacity::page(&scenario, &found, screen::width()),
        Format::Json => output::explain::json(&document()),
        Format::Yaml => output::explain::yaml(&document()),
    };
    match (screen.print(&text), found.carries) {
        (false, _) => Exit::Outside,
        (true, Some(_)) => Exit::Met,
        (true, None) if found.breaks.is_some() => Exit::Missed,
        (true, None) => Exit::Unsure,
    }
}
