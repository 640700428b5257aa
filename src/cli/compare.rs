//! `plan compare`.

use std::path::Path;

use super::Exit;
use super::args::{CompareArgs, Format};
use super::commands::{load_files, load_request, request};
use super::screen::{self, Screen};
use crate::capacity::load_of;
use crate::compare::{drills, simulate};
use crate::input::promises::of_the_default_application;
use crate::input::{Request, manifest};
use crate::output;
use crate::output::compare::Compared;
use crate::output::promised::Shown;
use crate::promised::{How, Side, measure};
use crate::scenario::Scenario;
use crate::scenario::catalogue::{busiest, exercises, usual_name};
use crate::units::figures::{amount, count, plural};

/// Drills that are held on both sides unless others are named.
const USUAL: [&str; 5] = ["container-kill", "pod-hang", "node-failure", "load-spike", "rollout"];
/// The success ratio that recovery is measured against.
const SERVED: f64 = 0.999;

/// `plan compare`
pub(super) fn compare(args: &CompareArgs, screen: Screen) -> Exit {
    if is_the_documents(args) {
        return promised(args, screen);
    }
    let sides = side(args, &args.a, screen).and_then(|a| Ok((a, side(args, &args.b, screen)?)));
    let (a, b) = match sides {
        Ok(sides) => sides,
        Err(exit) => return exit,
    };
    let names: Vec<String> = match (args.no_drills, args.drills.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => USUAL.map(str::to_owned).to_vec(),
        (false, false) => args.drills.iter().map(|name| usual_name(name).to_owned()).collect(),
    };
    if let Some(unknown) = names.iter().find(|name| !is_known(&a, name) && !is_known(&b, name)) {
        screen.error(&format!("there is no drill `{unknown}` for either side; plan drill --list names them"));
        return Exit::Usage;
    }
    screen.short_of_peak(&a);
    let asked = [&a, &b].map(|side| side.demand.journeys.len());
    if asked[0] != asked[1] {
        let [a, b] = asked.map(|journeys| plural(journeys as u64, "journey", "journeys"));
        let text = format!(
            "the two are not asked for the same: {a} and {b}, as their Ingresses have them; --traffic says \
             what users do on both sides"
        );
        screen.warn(&format!("\x1b[1;33mwarning\x1b[0m: {text}"));
    }
    let (load, users) = load_of(&a);
    let compared = Compared {
        names: [args.a.clone(), args.b.clone()],
        seed: args.seed,
        replications: args.replications,
        load: if users { format!("{} users", count(load)) } else { format!("{} journeys/s", amount(load)) },
        figures: simulate(&a, &b, args.seed, args.replications),
        drills: drills(&a, &b, &names, SERVED, args.seed, args.replications),
        currency: a.goals.currency.clone(),
    };
    let document = || output::compare::document(&compared);
    let text = match args.output {
        Format::Table => output::compare::page(&compared, screen::width()),
        Format::Json => output::explain::json(&document()),
        Format::Yaml => output::explain::yaml(&document()),
    };
    if screen.print(&text) { Exit::Met } else { Exit::Outside }
}

/// Whether it is the default application's before and after, as its document has
/// them, and not a choice of drills on them.
fn is_the_documents(args: &CompareArgs) -> bool {
    let own = |name: &str, wanted: &str| name == wanted && is_own(name);
    own(&args.a, "compose") && own(&args.b, "kubernetes") && args.drills.is_empty()
}

/// The document's own table, with what both sides do.
fn promised(args: &CompareArgs, screen: Screen) -> Exit {
    let read = |name: &str| load_files(&asked_for(args, name), screen);
    let (mut before, mut after) = match read(&args.a).and_then(|a| Ok((a, read(&args.b)?))) {
        Ok(sides) => sides,
        Err(exit) => return exit,
    };
    screen.short_of_peak(&before.scenario);
    (before.scenario.fidelity, after.scenario.fidelity) = (args.fidelity, args.fidelity);
    let how = How { base: args.seed, replications: args.replications, drills: !args.no_drills };
    let steps = screen.steps("comparing", "");
    let table = measure(
        &of_the_default_application(),
        Side { scenario: &before.scenario, objects: &before.manifests.counts },
        Side { scenario: &after.scenario, objects: &after.manifests.counts },
        how,
        |step| steps.say(step),
    );
    steps.finish();
    let shown = Shown {
        names: [&args.a, &args.b],
        table: &table,
        after: &after.scenario,
        seed: args.seed,
        replications: args.replications,
    };
    let text = match args.output {
        Format::Table => output::promised::page(&shown, screen::width()),
        Format::Json => output::explain::json(&output::promised::document(&shown)),
        Format::Yaml => output::explain::yaml(&output::promised::document(&shown)),
    };
    if screen.print(&text) { Exit::Met } else { Exit::Outside }
}

/// Whether a side has a drill of this name.
fn is_known(side: &Scenario, name: &str) -> bool {
    busiest(side).is_some_and(|target| exercises(side, target).iter().any(|one| one.name == name))
}

/// One side: a name of the default application's, or manifests.
fn side(args: &CompareArgs, name: &str, screen: Screen) -> Result<Scenario, Exit> {
    load_request(&asked_for(args, name), screen).map(|side| Scenario { fidelity: args.fidelity, ..side })
}

fn asked_for(args: &CompareArgs, name: &str) -> Request {
    configuration(request(&args.input), name, is_own(&args.a) || is_own(&args.b))
}

/// Whether it is a name of the default application's, and no path.
fn is_own(name: &str) -> bool {
    ["kubernetes", "compose"].contains(&name) && !Path::new(name).exists()
}

/// Configurations with their names, everything else as it is shared; the input as it
/// is where none is named.
pub(super) fn configurations(shared: Request, names: &[String]) -> Vec<(String, Request)> {
    if names.is_empty() {
        return vec![("as it is".to_owned(), shared)];
    }
    let beside_own = names.iter().any(|name| is_own(name));
    let one = |name: &String| (name.clone(), configuration(shared.clone(), name, beside_own));
    names.iter().map(one).collect()
}

/// What a configuration's name asks for: one of the default application's, or
/// manifests. Beside the default application other manifests are another form of it,
/// so that its model, traffic, policy and cluster are theirs, too.
fn configuration(shared: Request, name: &str, beside_own: bool) -> Request {
    match name {
        "kubernetes" if is_own(name) => shared,
        "compose" if is_own(name) => Request { compose: true, profile: None, ..shared },
        path => {
            let manifests = vec![path.into()];
            // What can't be read is for the usual reader to complain of.
            let texts = (beside_own && path != "-").then(|| manifest::readable_texts(&manifests));
            match texts.flatten() {
                Some(texts) => Request { manifests: Vec::new(), texts: Some(texts), ..shared },
                None => Request { manifests, ..shared },
            }
        }
    }
}
