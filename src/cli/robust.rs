//! `plan robust`.

use super::Exit;
use super::args::{Format, RobustArgs, TuneArgs};
use super::commands::{load_files, refused, request};
use super::compare::configurations;
use super::screen::{self, Screen};
use crate::change::ChangeSet;
use crate::input::{self, Loaded, Request, world::World};
use crate::output::robust::Shown;
use crate::output::{self, File, chart, folder, raster};
use crate::robust::{Question, Robustness, Side, robustness, with_pods};
use crate::scenario::{Fidelity, Scenario};
use crate::tune::search::described;
use crate::tune::site::{Site, sites};
use crate::tune::{Found, Object, Reasons, probe};

/// What one configuration alone is compared with: itself with so many times the pods.
const OTHERS: [f64; 3] = [0.75, 1.5, 2.0];

/// `plan robust`
pub(super) fn robust(args: &RobustArgs, screen: Screen) -> Exit {
    if let Some(Err(error)) = args.out.as_deref().map(folder::check) {
        return refused(&error, screen);
    }
    let mut requests = requests(args);
    let mut all: Vec<Loaded> = Vec::new();
    for (_, request, _) in &mut requests {
        // The others are the first again, and so are its warnings.
        let again = all.first().filter(|_| args.sides.len() < 2);
        if let Some(first) = again {
            request.texts = Some(first.texts());
        }
        match load_files(request, if again.is_some() { screen.hushed() } else { screen }) {
            Ok(loaded) => {
                // Every world reads what was read now: standard input comes once.
                request.texts = Some(loaded.texts());
                all.push(loaded);
            }
            Err(exit) => return exit,
        }
    }
    screen.short_of_peak(&all[0].scenario);
    // Of the first side first; what only another one has is another in its worlds, too.
    let mut unknowns = all[0].unknowns.clone();
    all[1..].iter().flat_map(|side| side.unknowns.clone()).for_each(|one| one.add_to(&mut unknowns));
    if unknowns.is_empty() {
        screen.error(
            "nothing in the input has a range: write numbers as {low: …, mid: …, high: …} in the model",
        );
        return Exit::Usage;
    }
    let sides: Vec<Side> = requests
        .iter()
        .zip(&all)
        .map(|((name, _, factor), loaded)| side(name, loaded, *factor, args))
        .collect();
    let in_world = |side: usize, world: &World| {
        let (_, request, factor) = &requests[side];
        in_world(request, *factor, world, args.whole)
    };
    let (seed, worlds, whole) = (args.seed, args.worlds, args.whole);
    let question = Question { sides: &sides, unknowns: &unknowns, in_world, seed, worlds, whole };
    let found = robustness(&question, |text| screen.step(text));
    let shown = Shown { scenario: &sides[0].scenario, unknowns: &unknowns, found: &found, seed, whole };
    let text = match args.output {
        Format::Table => output::robust::page(&shown, screen::width()),
        Format::Json => output::explain::json(&output::robust::document(&shown)),
        Format::Yaml => output::explain::yaml(&output::robust::document(&shown)),
    };
    if let Some(Err(error)) = args.out.as_deref().map(|target| folder::replace(target, &files(&shown))) {
        return refused(&error, screen);
    }
    if !screen.print(&text) {
        return Exit::Outside;
    }
    if args.exit_zero { Exit::Met } else { shown.outcome().into() }
}

/// The configurations: what they are called, what they ask for, and how many times
/// the pods.
fn requests(args: &RobustArgs) -> Vec<(String, Request, f64)> {
    let all = configurations(request(&args.input), &args.sides);
    let alone = all.len() == 1;
    let others = OTHERS.iter().filter(|_| alone).map(|factor| {
        let (_, request) = &all[0];
        (format!("{factor} times the pods"), request.clone(), *factor)
    });
    let others: Vec<(String, Request, f64)> = others.collect();
    all.into_iter().map(|(name, request)| (name, request, 1.0)).chain(others).collect()
}

/// A side with every unknown in the middle.
fn side(name: &str, loaded: &Loaded, factor: f64, args: &RobustArgs) -> Side {
    let objects: Vec<Object> =
        loaded.written().into_iter().map(|(name, value)| Object { name, value }).collect();
    let scenario = with_pods(&loaded.scenario, factor);
    let sites: Vec<Site> = sites(&scenario, &objects);
    let needs = if args.whole { Vec::new() } else { probe::needs(&scenario, &sites, args.seed, &mut 0) };
    Side { name: name.to_owned(), scenario, sites, needs }
}

fn in_world(request: &Request, factor: f64, world: &World, whole: bool) -> Option<Scenario> {
    let request = Request { world: world.clone(), ..request.clone() };
    let scenario = input::load(&request).ok()?.scenario;
    let fidelity = if whole { Fidelity::Auto } else { Fidelity::Full };
    Some(Scenario { fidelity, ..with_pods(&scenario, factor) })
}

/// Of the other finalists so many are compared with what was tuned.
const FINALISTS: usize = 2;

/// How what was tuned fares in other worlds, beside what there was and the other
/// finalists; `None` where nobody wants to know or everything is known.
pub(super) fn of_tuned(
    args: &TuneArgs,
    loaded: &Loaded,
    found: &Found,
    (changes, objects): (&ChangeSet, &[Object]),
    in_world: impl Fn(&World, &ChangeSet) -> Option<Scenario> + Sync,
    say: impl Fn(&str) + Sync,
) -> Option<Robustness> {
    if args.worlds == 0 || loaded.unknowns.is_empty() {
        return None;
    }
    let mut all = vec![("tuned".to_owned(), changes.clone()), ("as it was".to_owned(), ChangeSet::default())];
    for finalist in &found.finalists {
        let other = finalist.settings.changes(&found.sites, objects, &Reasons::default());
        let name = described(&finalist.settings, &found.sites);
        // Headroom and guards were added to the best since: without them it is another.
        if all.len() < 2 + FINALISTS && all.iter().all(|(_, known)| !same(known, &other)) {
            all.push((name, other));
        }
    }
    let side = |(name, changes): &(String, ChangeSet)| {
        let scenario = in_world(&World::default(), changes)?;
        Some(Side { name: name.clone(), scenario, sites: found.sites.clone(), needs: found.needs.clone() })
    };
    let sides: Vec<Side> = all.iter().map(side).collect::<Option<_>>()?;
    let in_world = |side: usize, world: &World| in_world(world, &all[side].1);
    let (unknowns, seed, worlds) = (&loaded.unknowns, args.seed, args.worlds);
    Some(robustness(&Question { sides: &sides, unknowns, in_world, seed, worlds, whole: false }, say))
}

/// Whether two change the same, whatever their reasons.
fn same(a: &ChangeSet, b: &ChangeSet) -> bool {
    let edits = |of: &ChangeSet| {
        let all = of.edited.iter().flat_map(|one| {
            one.edits.iter().map(|edit| (one.object.clone(), edit.path.clone(), edit.to.clone()))
        });
        let added = of.added.iter().map(|one| one.object.clone());
        (all.collect::<Vec<_>>(), added.collect::<Vec<_>>())
    };
    edits(a) == edits(b)
}

/// What is kept of an answer.
fn files(shown: &Shown<'_>) -> Vec<File> {
    let document = output::explain::json(&output::robust::document(shown));
    let page = anstream::adapter::strip_str(&output::robust::page(shown, 100)).to_string();
    let mut files = vec![
        ("robustness.json".to_owned(), document.into_bytes()),
        ("robustness.txt".to_owned(), page.into_bytes()),
    ];
    if let Some(svg) = chart::tornado(shown.scenario, shown.unknowns, shown.found, shown.seed) {
        files.push(("tornado.png".to_owned(), raster::png(&svg)));
        files.push(("tornado.svg".to_owned(), svg.into_bytes()));
    }
    files
}
