//! `plan tune`.

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::Exit;
use super::args::{Format, TuneArgs};
use super::commands::{load_files, request};
use super::screen::{self, Screen};
use crate::change::{ChangeSet, apply};
use crate::input::{self, Request};
use crate::judge::Outcome;
use crate::output;
use crate::output::tune::Tuned;
use crate::scenario::Scenario;
use crate::tune::certify::promised;
use crate::tune::{self, Object, Task, reasons, trial};

/// `plan tune`
pub(super) fn tune(args: &TuneArgs, screen: Screen) -> Exit {
    let request = request(&args.input);
    let loaded = match load_files(&request, screen) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let objects: Vec<Object> =
        loaded.written().into_iter().map(|(name, value)| Object { name, value }).collect();
    let task = Task {
        scenario: &loaded.scenario,
        objects: &objects,
        seed: args.seed,
        tries: args.tries as usize,
        assemble: |changes: &ChangeSet| assemble(&request, &objects, changes),
    };
    if !tune::site::sites(&loaded.scenario, &objects).iter().any(|site| site.asked) {
        screen.error("no request reaches a Deployment or StatefulSet: there is nothing to tune");
        return Exit::Usage;
    }
    let say = |text: &str| progress(screen, text);
    let found = tune::search(&task, say);
    let Some(best) = found.finalists.first() else {
        screen.error("no candidate was accepted by Kubernetes' own rules (quotas, limit ranges)");
        return Exit::Missed;
    };
    let (settings, tested) = trial::guards(&task, &found.sites, best, promised(&loaded.scenario), say);
    let reasons = reasons::reasons(&found, best, &tested);
    let changes = settings.changes(&found.sites, &objects, &reasons);
    let Some(scenario) = assemble(&request, &objects, &changes) else {
        screen.error("the tuned objects do not read");
        return Exit::Bug;
    };
    let certificate = tune::certify(&scenario, args.seed, say);
    let tuned = Tuned {
        scenario: &scenario,
        objects: &objects,
        found: &found,
        changes: &changes,
        tested: &tested,
        certificate: &certificate,
        seed: args.seed,
        folder: None,
    };
    let text = match args.output {
        Format::Table => output::tune::page(&tuned, screen::width()),
        Format::Json => output::explain::json(&output::tune::document(&tuned)),
        Format::Yaml => output::explain::yaml(&output::tune::document(&tuned)),
    };
    if !screen.print(&text) {
        return Exit::Outside;
    }
    match certificate.outcome() {
        _ if args.exit_zero => Exit::Met,
        Outcome::Met | Outcome::NotJudged => Exit::Met,
        Outcome::Missed => Exit::Missed,
        Outcome::Unsure => Exit::Unsure,
    }
}

/// Progress is for whoever watches, or asks for it.
fn progress(screen: Screen, text: &str) {
    if std::io::stderr().is_terminal() {
        screen.warn(text);
    } else {
        screen.log(text);
    }
}

/// The scenario of changed objects; `None` where they are refused.
fn assemble(request: &Request, objects: &[Object], changes: &ChangeSet) -> Option<Scenario> {
    let edited = objects.iter().map(|object| {
        let mut value = object.value.clone();
        if let Some(edited) = changes.edited.iter().find(|one| one.object == object.name) {
            apply(&mut value, &edited.edits);
        }
        value
    });
    let added = changes.added.iter().map(|one| one.object.clone());
    let all: Vec<Value> = edited.chain(added).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    let texts = vec![("candidate".to_owned(), list.to_string())];
    let request = Request { texts: Some(texts), ..request.clone() };
    input::load(&request).ok().map(|loaded| loaded.scenario)
}
