//! `plan capacity`.

use super::Exit;
use super::args::{CapacityArgs, Format};
use super::commands::{load_request, refused, request};
use super::compare::configurations;
use super::screen::{self, Screen};
use crate::capacity::{Tried, bend, load_of, search, with_load};
use crate::output::capacity::Carried;
use crate::output::{self, File, chart, folder, raster};
use crate::scenario::Scenario;
use crate::units::figures::{count, plural};

/// Of several configurations the first is tried at this part of the load: overload
/// takes longest to simulate, and the smallest is likely to be overloaded.
const FIRST: f64 = 1.0 / 16.0;

/// `plan capacity`
pub(super) fn capacity(args: &CapacityArgs, screen: Screen) -> Exit {
    if let Some(Err(error)) = args.out.as_deref().map(folder::check) {
        return refused(&error, screen);
    }
    let requests = configurations(request(&args.input), &args.sides);
    let mut all: Vec<Carried> = Vec::new();
    for (name, request) in requests {
        let scenario = match load_request(&request, screen) {
            Ok(scenario) => Scenario { fidelity: args.fidelity, ..scenario },
            Err(exit) => return exit,
        };
        if !scenario.has_users() {
            screen.error(
                "there are no users here whose load could grow: raise the `scale` of the usage curves",
            );
            return Exit::Usage;
        }
        screen.short_of_peak(&scenario);
        let start = match (all.last(), args.sides.len()) {
            (None, 0 | 1) => load_of(&scenario).0,
            (None, _) => (load_of(&scenario).0 * FIRST).ceil(),
            // What the one before carries, this one is likely to carry, too.
            (Some(before), _) => before.capacity.carries.unwrap_or(load_of(&scenario).0 * FIRST),
        };
        let tried = |one: &Tried| {
            let replications = plural(one.replications as u64, "replication", "replications");
            screen.step(&format!("{name}: {} at {}: {replications}", one.outcome.name(), count(one.load)));
        };
        let found = search(&with_load(&scenario, start), args.seed, args.replications, tried);
        let capacity = bend(&scenario, found, args.seed, tried);
        all.push(Carried { name, scenario, capacity });
    }
    if let Some(Err(error)) =
        args.out.as_deref().map(|target| folder::replace(target, &files(&all, args.seed)))
    {
        return refused(&error, screen);
    }
    let text = match args.output {
        Format::Table => output::capacity::pages(&all, screen::width()),
        Format::Json => json(&all, args.seed),
        Format::Yaml => match all.as_slice() {
            [one] => {
                output::explain::yaml(&output::capacity::document(&one.scenario, &one.capacity, args.seed))
            }
            many => output::explain::yaml(&output::capacity::documents(many, args.seed)),
        },
    };
    let carries = all.iter().all(|one| one.capacity.carries.is_some());
    match screen.print(&text) {
        false => Exit::Outside,
        true if carries => Exit::Met,
        true if all.iter().any(|one| one.capacity.carries.is_none() && one.capacity.breaks.is_some()) => {
            Exit::Missed
        }
        true => Exit::Unsure,
    }
}

fn json(all: &[Carried], seed: u64) -> String {
    match all {
        [one] => output::explain::json(&output::capacity::document(&one.scenario, &one.capacity, seed)),
        many => output::explain::json(&output::capacity::documents(many, seed)),
    }
}

/// What is kept of an answer.
fn files(all: &[Carried], seed: u64) -> Vec<File> {
    let page = anstream::adapter::strip_str(&output::capacity::pages(all, 100)).to_string();
    let svg = chart::capacity(all, seed);
    vec![
        ("capacity.json".to_owned(), json(all, seed).into_bytes()),
        ("capacity.txt".to_owned(), page.into_bytes()),
        ("capacity.png".to_owned(), raster::png(&svg)),
        ("capacity.svg".to_owned(), svg.into_bytes()),
    ]
}
