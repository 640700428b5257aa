//! `plan robust`.

use super::Exit;
use super::args::{Format, RobustArgs};
use super::commands::{load_files, refused, request};
use super::compare::configurations;
use super::screen::{self, Screen};
use super::tune::progress;
use crate::input::{self, Loaded, Request, world::World};
use crate::judge::Outcome;
use crate::output::robust::Shown;
use crate::output::{self, File, chart, folder, raster};
use crate::robust::{Question, Side, robustness, with_pods};
use crate::scenario::{Fidelity, Scenario};
use crate::tune::site::{Site, sites};
use crate::tune::{Object, probe};

/// What one configuration alone is compared with: itself with so many times the pods.
const OTHERS: [f64; 3] = [0.75, 1.5, 2.0];

/// `plan robust`
pub(super) fn robust(args: &RobustArgs, screen: Screen) -> Exit {
    if let Some(Err(error)) = args.out.as_deref().map(folder::check) {
        return refused(&error, screen);
    }
    let requests = match requests(args, screen) {
        Ok(requests) => requests,
        Err(exit) => return exit,
    };
    let mut all: Vec<Loaded> = Vec::new();
    for (_, request, _) in &requests {
        // The others are the first again, and so are its warnings.
        let heard = if all.is_empty() || args.sides.len() > 1 { screen } else { screen.hushed() };
        match load_files(request, heard) {
            Ok(loaded) => all.push(loaded),
            Err(exit) => return exit,
        }
    }
    screen.short_of_peak(&all[0].scenario);
    let unknowns = all[0].unknowns.clone();
    if unknowns.is_empty() {
        screen.error("nothing in the input has a range: write numbers as {low: …, mid: …, high: …} in the model");
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
    let found = robustness(&question, |text| progress(screen, text));
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
    match shown.outcome() {
        _ if args.exit_zero => Exit::Met,
        Outcome::Met | Outcome::NotJudged => Exit::Met,
        Outcome::Missed => Exit::Missed,
        Outcome::Unsure => Exit::Unsure,
    }
}

/// The configurations: what they are called, what they ask for, and how many times
/// the pods.
fn requests(args: &RobustArgs, screen: Screen) -> Result<Vec<(String, Request, f64)>, Exit> {
    let all = configurations(request(&args.input), &args.sides, screen)?;
    let plain = |(name, request): (String, Request)| (name, request, 1.0);
    let [(_, alone)] = all.as_slice() else { return Ok(all.into_iter().map(plain).collect()) };
    let alone = alone.clone();
    let other = |factor: f64| (format!("{factor} times the pods"), alone.clone(), factor);
    let others: Vec<(String, Request, f64)> = OTHERS.map(other).into();
    Ok(all.into_iter().map(plain).chain(others).collect())
}

/// A side with every unknown in the middle.
fn side(name: &str, loaded: &Loaded, factor: f64, args: &RobustArgs) -> Side {
    let objects: Vec<Object> =
        loaded.written().into_iter().map(|(name, value)| Object { name, value }).collect();
    let scenario = with_pods(&loaded.scenario, factor);
    let sites: Vec<Site> = sites(&scenario, &objects);
    let needs = if args.whole { Vec::new() } else { probe::needs(&scenario, &sites, args.seed) };
    Side { name: name.to_owned(), scenario, sites, needs }
}

fn in_world(request: &Request, factor: f64, world: &World, whole: bool) -> Option<Scenario> {
    let request = Request { world: world.clone(), ..request.clone() };
    let scenario = input::load(&request).ok()?.scenario;
    let fidelity = if whole { Fidelity::Auto } else { Fidelity::Full };
    Some(Scenario { fidelity, ..with_pods(&scenario, factor) })
}

/// What is kept of an answer.
fn files(shown: &Shown<'_>) -> Vec<File> {
    let document = output::explain::json(&output::robust::document(shown));
    let page = anstream::adapter::strip_str(&output::robust::page(shown, 100)).to_string();
    let mut files =
        vec![("robustness.json".to_owned(), document.into_bytes()), ("robustness.txt".to_owned(), page.into_bytes())];
    if let Some(svg) = chart::tornado(shown.scenario, shown.unknowns, shown.found, shown.seed) {
        files.push(("tornado.png".to_owned(), raster::png(&svg)));
        files.push(("tornado.svg".to_owned(), svg.into_bytes()));
    }
    files
}
