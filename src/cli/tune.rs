//! `plan tune`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::Exit;
use super::args::{Form, Format, TuneArgs};
use super::bundle::{self, Proved};
use super::commands::{load_files, quoted, refused, request, usual_folder};
use super::drill;
use super::nodes;
use super::robust;
use super::screen::{self, Screen, Steps};
use crate::change::{ChangeSet, ObjectName, apply};
use crate::emit::{self, Base, ChartName, Emission, Fault, Layout, Originals};
use crate::input::world::World;
use crate::input::{self, Loaded, Request};
use crate::judge::Outcome;
use crate::output::tune::Tuned;
use crate::output::{self, File, folder};
use crate::scenario::{Objective, Scenario, catalogue};
use crate::tune::bounds::OutOfReach;
use crate::tune::certify::promised;
use crate::tune::harden::Hardened;
use crate::tune::{
    self, Certificate, Extent, Finalist, Found, Guard, Object, Reasons, Settings, Task, Trial, reasons, trial,
};
use crate::units::figures::plural;

/// `plan tune`
pub(super) fn tune(args: &TuneArgs, screen: Screen) -> Exit {
    let request = request(&args.input);
    let loaded = match load_files(&request, screen) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let target = (!args.no_out).then(|| args.out.clone().unwrap_or_else(|| tuned_folder(&loaded.scenario)));
    if let Some(Err(error)) = target.as_deref().map(folder::check) {
        return refused(&error, screen);
    }
    let objects: Vec<Object> =
        loaded.written().into_iter().map(|(name, value)| Object { name, value }).collect();
    if let Some(exit) = in_vain(args, &loaded.scenario, &objects, screen) {
        return exit;
    }
    let interrupted = interruptible(screen);
    let stop = || interrupted.load(Ordering::Relaxed);
    let steps = screen.steps("tuning", "Ctrl-C keeps the best so far");
    let say = |text: &str| steps.say(text);
    let task = task(args, &request, &loaded, &objects, &stop);
    let found = tune::search(&task, say);
    let Some(best) = found.finalists.first() else {
        steps.finish();
        return nothing(stop(), (&request, &objects, &found), screen);
    };
    let nodes = match chosen_nodes(&task, &found, &request, &loaded, say) {
        Ok(nodes) => nodes,
        Err(text) => return outside(&text, &steps, screen),
    };
    // From here on everything is on the chosen nodes.
    let (request, loaded) = nodes.as_ref().map_or((&request, &loaded), |one| (&one.request, &one.loaded));
    let task = self::task(args, request, loaded, &objects, &stop);
    let again = || tune::search::final_of(&task, &found.sites, best.settings.clone(), &mut 0);
    let best = nodes.as_ref().and_then(|_| again()).unwrap_or_else(|| best.clone());
    let (mut best, hardened) = tune::harden::headroom(&task, &found, &best, say);
    let (settings, tested) = trial::guards(&task, &found, &best, promised(&loaded.scenario), say);
    best.settings = settings;
    let wrote = |changes: &ChangeSet| write(args.form, request, loaded, &objects, changes);
    let mut proof = match prove(&task, &found, best, (&tested, hardened), wrote, say) {
        Ok(proof) => proof,
        Err(text) => return outside(&text, &steps, screen),
    };
    complete(&mut proof, args, (request, loaded), &objects, nodes.as_ref());
    let Proof { changes, written, certificate, hardened } = proof;
    let there = |world: &World, changes: &ChangeSet| in_world(request, &objects, world, changes);
    let worlds = || robust::of_tuned(args, loaded, &found, (&changes, &objects), there, say);
    let robust = (!stop()).then(worlds).flatten();
    steps.finish();
    let names: Vec<String> = written.emission.files.iter().map(|one| one.path.clone()).collect();
    let tuned = Tuned {
        scenario: &written.scenario,
        objects: &objects,
        found: &found,
        changes: &changes,
        nodes: nodes.as_ref().map(|one| &one.chosen),
        tested: &tested,
        hardened: &hardened,
        certificate: &certificate,
        robust: robust.as_ref().map(|found| (found, loaded.unknowns.as_slice())),
        seed: args.seed,
        read_back: written.read_back,
        left_out: written.emission.left_out.iter().map(ToString::to_string).collect(),
        folder: target.as_ref().map(|target| (target.display().to_string(), names.clone())),
    };
    if let Some(Err(error)) = target.as_deref().map(|target| keep(target, &tuned, &written.emission)) {
        return refused(&error, screen);
    }
    let next = target.as_ref().and_then(|target| next(args.form, target, &names));
    shown(args, &tuned, next, screen)
}

/// What is to be tuned, of what was read.
fn task<'a>(
    args: &TuneArgs,
    request: &'a Request,
    loaded: &'a Loaded,
    objects: &'a [Object],
    stop: &'a (dyn Fn() -> bool + Sync),
) -> Task<'a, impl Fn(&ChangeSet) -> Option<Scenario> + Sync + 'a> {
    Task {
        scenario: &loaded.scenario,
        objects,
        seed: args.seed,
        tries: args.tries as usize,
        assemble: move |changes: &ChangeSet| assemble(request, objects, changes),
        stop,
    }
}

/// Other nodes for the best, written, where there is a cluster file to say so in.
fn chosen_nodes<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    request: &Request,
    loaded: &Loaded,
    say: impl Fn(&str) + Sync,
) -> Result<Option<nodes::Nodes>, String> {
    let best = found.finalists.first().filter(|_| nodes::can_be_written(loaded));
    let chosen = best.and_then(|best| tune::nodes::choose(task, found, best, say));
    chosen.map(|chosen| nodes::written(chosen, request, loaded)).transpose()
}

/// What is found can't be written.
fn outside(text: &str, steps: &Steps, screen: Screen) -> Exit {
    steps.finish();
    screen.error(text);
    Exit::Outside
}

/// Why there is no candidate, by the first: what the user has with all guards.
fn nothing(
    interrupted: bool,
    (request, objects, found): (&Request, &[Object], &Found),
    screen: Screen,
) -> Exit {
    if interrupted {
        screen.tell("interrupted before a candidate was tried");
        return Exit::Interrupted;
    }
    let first = Settings { guards: Guard::USUAL.to_vec(), ..Settings::now(&found.sites) };
    let changes = first.changes(&found.sites, objects, &Reasons::default());
    let why = assembled(request, objects, &changes).err().unwrap_or_default();
    screen.error(format!("Kubernetes would refuse every candidate\n{why}").trim_end());
    Exit::Missed
}

/// Adds what does not come of the manifests: the changed cluster file, and what
/// operates a bundle, where it is proved.
fn complete(
    proof: &mut Proof,
    args: &TuneArgs,
    (request, loaded): (&Request, &Loaded),
    objects: &[Object],
    nodes: Option<&nodes::Nodes>,
) {
    let Proof { changes, written, certificate, .. } = proof;
    if args.form == Form::Bundle && certificate.extent == Extent::Whole {
        let objects = changed(objects, changes);
        let scenario = &written.scenario;
        let proved = Proved { args: &args.input, request, loaded, scenario, objects: &objects, certificate };
        let more = bundle::operations(&proved, &written.emission);
        written.emission.files.extend(more);
    } else if args.form != Form::Bundle {
        written.emission.files.extend(nodes.map(nodes::Nodes::file));
    }
}

/// Rounds of writing and proving, at most.
const ROUNDS: u32 = 3;

/// What was written at last, and how it went under a seed that nothing had seen.
struct Proof {
    changes: ChangeSet,
    written: Written,
    certificate: Certificate,
    hardened: Vec<Hardened>,
}

/// Writes the settings, simulates what was written, and proves it. Where a fresh seed misses
/// what the search's kept, it goes on with more pods and another seed.
fn prove<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    mut best: Finalist,
    (tested, mut hardened): (&[trial::Tested], Vec<Hardened>),
    write: impl Fn(&ChangeSet) -> Result<Written, String>,
    say: impl Fn(&str) + Sync,
) -> Result<Proof, String> {
    let mut round = 0;
    loop {
        let reasons = reasons::reasons(found, &best, tested, &hardened);
        let changes = best.settings.changes(&found.sites, task.objects, &reasons);
        let written = write(&changes)?;
        if task.stopped() {
            let certificate = Certificate::of_nothing(task.seed, best.runs, best.verdict);
            return Ok(Proof { changes, written, certificate, hardened });
        }
        let trial = Trial::of(&written.scenario, task.seed, round);
        let judged = written.scenario.goals.objectives.iter().zip(&trial.verdict.objectives);
        let missed: Vec<&Objective> = judged
            .filter(|(_, judged)| judged.outcome == Outcome::Missed)
            .map(|(objective, _)| objective)
            .collect();
        let how = tune::search::outcome_in_words(&written.scenario, &trial.verdict);
        say(&format!("seed {}, never used before: {how}", trial.seed));
        round += 1;
        let surprised = !missed.is_empty() && best.verdict.outcome != Outcome::Missed && round < ROUNDS;
        let mended = surprised.then(|| tune::harden::mended(found, &best, &missed)).flatten();
        let Some((headroom, settings)) = mended else {
            let certificate = tune::certify(&written.scenario, trial, task.stop, say);
            return Ok(Proof { changes, written, certificate, hardened });
        };
        best.settings = settings;
        hardened.retain(|one| one.headroom != headroom);
        let names: Vec<&str> = missed.iter().map(|one| one.name.as_str()).collect();
        let because = format!(
            "{} of fresh seeds missed {} without it",
            plural(u64::from(round), "round", "rounds"),
            names.join(" and ")
        );
        hardened.push(Hardened { headroom, kept: true, because });
    }
}

/// Prints the answer; its exit code.
fn shown(args: &TuneArgs, tuned: &Tuned<'_>, next: Option<String>, screen: Screen) -> Exit {
    let next = next.map(|next| format!("Next: {next}\n")).unwrap_or_default();
    let text = match args.output {
        Format::Table => output::tune::page(tuned, screen::width()) + &next,
        Format::Json => output::explain::json(&output::tune::document(tuned)),
        Format::Yaml => output::explain::yaml(&output::tune::document(tuned)),
    };
    if !screen.print(&text) {
        return Exit::Outside;
    }
    match tuned.certificate.extent {
        Extent::Whole if args.exit_zero => Exit::Met,
        Extent::Whole => tuned.certificate.outcome().into(),
        Extent::Time | Extent::Nothing => Exit::Interrupted,
    }
}

/// Whether there is no use in a search: nothing to tune, or goals that nothing keeps.
fn in_vain(args: &TuneArgs, scenario: &Scenario, objects: &[Object], screen: Screen) -> Option<Exit> {
    let sites = tune::site::sites(scenario, objects);
    if !sites.iter().any(|site| site.asked) {
        screen.error("no request reaches a Deployment or StatefulSet: there is nothing to tune");
        return Some(Exit::Usage);
    }
    screen.short_of_peak(scenario);
    if let Some(target) = catalogue::busiest(scenario) {
        drill::unheld(scenario, &catalogue::exercises(scenario, target), screen);
    }
    let found = tune::bounds::out_of_reach(scenario, &sites);
    (!found.is_empty()).then(|| refuted(args, scenario, &found, screen))
}

/// Says what no settings can keep; its exit code.
fn refuted(args: &TuneArgs, scenario: &Scenario, found: &[OutOfReach], screen: Screen) -> Exit {
    let document = || output::reach::document(scenario, found);
    let text = match args.output {
        Format::Table => output::reach::page(scenario, found, screen::width()),
        Format::Json => output::explain::json(&document()),
        Format::Yaml => output::explain::yaml(&document()),
    };
    match screen.print(&text) {
        false => Exit::Outside,
        true if args.exit_zero => Exit::Met,
        true => Exit::Missed,
    }
}

/// Set by the first Ctrl-C: the search then ends with what it has. The second ends
/// the program.
fn interruptible(screen: Screen) -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&interrupted);
    // Without a handler Ctrl-C ends the program at once, and nothing is kept.
    let _ = ctrlc::set_handler(move || {
        if heard.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        screen.tell("interrupted: ends with the best so far; once more to end at once");
    });
    interrupted
}

/// `outputs/NAME-tuned`
fn tuned_folder(scenario: &Scenario) -> PathBuf {
    let plain = usual_folder(scenario);
    let name = plain.file_name().unwrap_or_default().to_string_lossy().into_owned();
    plain.with_file_name(format!("{name}-tuned"))
}

/// What to do with a form's files next. Objects are named one by one: `kubectl -f` would
/// take `tuning.json` out of a folder, too.
fn next(form: Form, target: &Path, files: &[String]) -> Option<String> {
    let at = |path: &str| quoted(&target.join(path).display().to_string());
    let whole = quoted(&target.display().to_string());
    let guide = "operations/deployment.md";
    match form {
        Form::Patch | Form::Plain => {
            let objects = files.iter().filter(|path| *path != nodes::FILE);
            let options: String = objects.flat_map(|path| [" -f ".to_owned(), at(path)]).collect();
            (!options.is_empty()).then(|| format!("kubectl diff{options}"))
        }
        Form::Kustomize => Some(format!("list {whole} under `components` in your kustomization.yaml")),
        Form::Helm => Some(format!("helm template CHART -f {}", at("values.yaml"))),
        Form::Chart => Some(format!("helm template {whole}")),
        Form::Bundle => files.iter().any(|path| path == guide).then(|| format!("follow {}", at(guide))),
    }
}

/// Keeps the manifests and what is to be said of them.
fn keep(target: &Path, tuned: &Tuned<'_>, emission: &Emission) -> Result<(), folder::FolderError> {
    let mut files: Vec<File> =
        emission.files.iter().map(|one| (one.path.clone(), one.text.clone().into_bytes())).collect();
    let document = output::explain::json(&output::tune::document(tuned));
    files.push(("tuning.json".to_owned(), document.into_bytes()));
    let page = anstream::adapter::strip_str(&output::tune::page(tuned, 100)).to_string();
    files.push(("tuning.txt".to_owned(), page.into_bytes()));
    folder::replace(target, &files)
}

/// The user's objects as they are after the changes.
fn changed(objects: &[Object], changes: &ChangeSet) -> Vec<(ObjectName, Value)> {
    let edited = objects.iter().map(|object| {
        let mut value = object.value.clone();
        if let Some(edited) = changes.edited.iter().find(|one| one.object == object.name) {
            apply(&mut value, &edited.edits);
        }
        (object.name.clone(), value)
    });
    edited.collect()
}

/// The list of all objects with their changes; `None` where they are refused.
fn assemble(request: &Request, objects: &[Object], changes: &ChangeSet) -> Option<Scenario> {
    assembled(request, objects, changes).ok()
}

/// The same, with what is wrong where they are refused.
fn assembled(request: &Request, objects: &[Object], changes: &ChangeSet) -> Result<Scenario, String> {
    let edited = changed(objects, changes).into_iter().map(|(_, value)| value);
    let added = changes.added.iter().map(|one| one.object.clone());
    let all: Vec<Value> = edited.chain(added).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    from_texts(request, vec![("candidate".to_owned(), list.to_string())])
}

/// The same where what is not known is otherwise.
fn in_world(request: &Request, objects: &[Object], world: &World, changes: &ChangeSet) -> Option<Scenario> {
    assemble(&Request { world: world.clone(), ..request.clone() }, objects, changes)
}

/// The scenario of manifests in memory.
fn from_texts(request: &Request, texts: Vec<(String, String)>) -> Result<Scenario, String> {
    let request = Request { texts: Some(texts), ..request.clone() };
    input::load(&request).map(|loaded| loaded.scenario).map_err(|failure| failure.render(false))
}

/// What was written, and what it says when it is read back.
struct Written {
    emission: Emission,
    scenario: Scenario,
    /// What was read back, in words.
    read_back: &'static str,
}

/// Writes a form in memory, and reads it back.
fn write(
    form: Form,
    request: &Request,
    loaded: &Loaded,
    objects: &[Object],
    changes: &ChangeSet,
) -> Result<Written, String> {
    let originals = Originals { texts: relative(loaded.texts()) };
    let said = |faults: Vec<Fault>| {
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the changes can't be written in this form: {}", all.join("; "))
    };
    let patched = emit::patch(&originals, changes).map_err(said);
    let whole = |patched: &Emission| -> Vec<(String, String)> {
        let kept =
            originals.texts.iter().filter(|(path, _)| patched.files.iter().all(|one| one.path != *path));
        let new = patched.files.iter().map(|one| (one.path.clone(), one.text.clone()));
        kept.cloned().chain(new).collect()
    };
    let (emission, texts, read_back) = match form {
        Form::Patch => {
            let patched = patched?;
            let texts = whole(&patched);
            (patched, texts, "the patched files")
        }
        Form::Plain => {
            let plain = emit::plain(&originals, changes).map_err(said)?;
            let texts = plain.files.iter().map(|one| (one.path.clone(), one.text.clone())).collect();
            (plain, texts, "the written files")
        }
        Form::Bundle => {
            let name = ChartName { name: chart_name(&loaded.scenario), version: "0.1.0".to_owned() };
            let bundle = bundle::manifests(loaded, &originals, changes, name).map_err(said)?;
            let texts = bundle::texts(&bundle);
            (bundle, texts, "the files below kubernetes/")
        }
        Form::Helm => {
            let values = emit::helm_values(&originals, changes).map_err(said)?;
            (values, whole(&patched?), "your files patched alike, as values say nothing without their chart")
        }
        Form::Chart => {
            let name = ChartName { name: chart_name(&loaded.scenario), version: "0.1.0".to_owned() };
            let chart = emit::helm_chart(&originals, changes, &name).map_err(said)?;
            (chart, whole(&patched?), "your files patched alike, as no helm is at hand")
        }
        Form::Kustomize => {
            let base = Base { resources: Vec::new(), layout: Layout::Component };
            let component = emit::kustomize(&originals, changes, &base).map_err(said)?;
            match built(&originals, &component)? {
                Some(text) => {
                    (component, vec![("kustomize".to_owned(), text)], "what kustomize builds of them")
                }
                None => (component, whole(&patched?), "your files patched alike, as no kustomize is at hand"),
            }
        }
    };
    let scenario = from_texts(request, texts)?;
    agree(request, objects, changes, &scenario)?;
    Ok(Written { emission, scenario, read_back })
}

/// The scenario's name as charts may be called.
fn chart_name(scenario: &Scenario) -> String {
    let tame = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = scenario.name.chars().map(tame).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "tuned".to_owned() } else { name.to_owned() }
}

/// What was read back must be what was searched.
fn agree(request: &Request, objects: &[Object], changes: &ChangeSet, read: &Scenario) -> Result<(), String> {
    let searched = assemble(request, objects, changes).ok_or("the tuned objects do not read")?;
    let by_name = |scenario: &Scenario| {
        let mut all = scenario.workloads.clone();
        all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        // kustomize puts objects in an order of its own, and two namespaces may share a name.
        let of = |index: usize| {
            let workload = &scenario.workloads[index];
            (workload.namespace.clone(), workload.name.clone())
        };
        let scaled = scenario.autoscalers.iter();
        let mut scaled: Vec<_> =
            scaled.map(|one| (of(one.workload), one.name.clone(), one.spec.clone())).collect();
        scaled.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        let mut budgets = scenario.budgets.clone();
        budgets.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let templates: Vec<_> = all
            .into_iter()
            .map(|one| (one.namespace, one.name, one.kind, one.replicas, one.template))
            .collect();
        (templates, scaled, budgets)
    };
    if by_name(&searched) == by_name(read) {
        return Ok(());
    }
    Err("what was written reads as something else than what was searched; nothing is kept".to_owned())
}

/// What kustomize builds of the user's files with a component; `None` where
/// there is no kustomize.
fn built(originals: &Originals, component: &Emission) -> Result<Option<String>, String> {
    let failed = |error: std::io::Error| format!("a folder for kustomize can't be made: {error}");
    let home = tempfile::tempdir().map_err(failed)?;
    let put = |path: &Path, text: &str| -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)
    };
    let mut resources = Vec::new();
    for (path, text) in &originals.texts {
        put(&home.path().join("base").join(path), text).map_err(failed)?;
        resources.push(format!("base/{path}"));
    }
    for one in &component.files {
        put(&home.path().join("tuned").join(&one.path), &one.text).map_err(failed)?;
    }
    let whole = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
        "components": ["tuned"],
    });
    put(&home.path().join("kustomization.yaml"), &whole.to_string()).map_err(failed)?;
    match input::manifest::texts(&[home.path().to_owned()]) {
        Ok(texts) => Ok(texts.into_iter().next().map(|(_, text)| text)),
        Err(input::manifest::Failure::NoKustomize(_)) => Ok(None),
        Err(failure) => Err(failure.to_string()),
    }
}

/// Paths below the folder that all texts have in common.
fn relative(texts: Vec<(String, String)>) -> Vec<(String, String)> {
    // What lies beside the folder is put into it: nothing is written outside.
    let tame = |name: &str| {
        let odd = name.starts_with('<') || name.contains(' ');
        let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
        let inside: Vec<&str> = parts.map(|part| if part == ".." { "up" } else { part }).collect();
        if odd { "manifests.yaml".to_owned() } else { inside.join("/") }
    };
    let named: Vec<(String, String)> = texts.into_iter().map(|(name, text)| (tame(&name), text)).collect();
    let folder = |path: &str| path.rfind('/').map_or(0, |at| at + 1);
    let Some((first, _)) = named.first() else { return named };
    let mut common = first[..folder(first)].to_owned();
    for (path, _) in &named {
        while !path.starts_with(&common) {
            let shorter = folder(common.trim_end_matches('/'));
            common.truncate(shorter);
        }
    }
    named.into_iter().map(|(path, text)| (path[common.len()..].to_owned(), text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_objects_is_no_difference() {
        let namespaced = |namespace: &str, most: u32| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {namespace}}}\nspec:\n  \
                 selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    \
                 spec: {{containers: [{{name: web, image: nginx, resources: {{requests: {{cpu: 100m}}}}}}]}}\n---\n\
                 apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: {namespace}}}\n\
                 spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n---\n\
                 apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\n\
                 metadata: {{name: web, namespace: {namespace}}}\nspec: {{maxReplicas: {most}, scaleTargetRef: \
                 {{apiVersion: apps/v1, kind: Deployment, name: web}}}}\n---\n"
            )
        };
        let request = |texts: [String; 2]| Request {
            texts: Some(vec![("web.yaml".to_owned(), texts.concat())]),
            manifests: vec![PathBuf::from("web.yaml")],
            users: Some(10.0),
            ..Request::default()
        };
        let load = |request: &Request| {
            input::load(request).unwrap_or_else(|failure| panic!("{}", failure.render(false)))
        };
        let (a, b) = (namespaced("a", 3), namespaced("b", 4));
        let searched = request([b.clone(), a.clone()]);
        let written = load(&searched).written().into_iter();
        let objects: Vec<Object> = written.map(|(name, value)| Object { name, value }).collect();
        let compared = |read: [String; 2]| {
            agree(&searched, &objects, &ChangeSet::default(), &load(&request(read)).scenario)
        };
        assert_eq!(compared([a, b]), Ok(()));
        let changed = [namespaced("a", 4), namespaced("b", 3)];
        assert!(compared(changed).is_err(), "another maximum is a difference");
    }

    #[test]
    fn paths_lose_the_folder_that_all_have() {
        let of = |names: &[&str]| -> Vec<String> {
            let texts = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
            relative(texts).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(of(&["k8s/a/x.yaml", "k8s/b/y.yaml"]), ["a/x.yaml", "b/y.yaml"]);
        assert_eq!(of(&["/home/me/x.yaml"]), ["x.yaml"]);
        assert_eq!(of(&["./x.yaml", "b/y.yaml"]), ["x.yaml", "b/y.yaml"]);
        assert_eq!(of(&["../x.yaml", "b/y.yaml"]), ["up/x.yaml", "b/y.yaml"]);
        assert_eq!(of(&["../k/./x.yaml", "../k/b/y.yaml"]), ["x.yaml", "b/y.yaml"]);
        assert_eq!(of(&["k8s/a.yaml", "k8s-new/b.yaml"]), ["k8s/a.yaml", "k8s-new/b.yaml"]);
        assert_eq!(of(&["<stdin>"]), ["manifests.yaml"]);
        assert_eq!(of(&["kubectl kustomize shop"]), ["manifests.yaml"]);
        assert_eq!(of(&[]), [""; 0]);
    }
}
