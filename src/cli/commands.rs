//! One short function per command.

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Exit;
use super::args::{Cli, Format, InputArgs, SimulateArgs};
use super::screen::{self, Screen};
use crate::input::world::World;
use crate::input::{self, Failure, Loaded, Request, Severity};
use crate::judge::{self, Outcome, Verdict};
use crate::observe::Observations;
use crate::output::{self, FolderError, folder, table, verdict};
use crate::run::{self, Replications};
use crate::scenario::Scenario;
use crate::units::figures::{clock, count, plural};

/// `plan simulate`
pub(super) fn simulate(args: &SimulateArgs, screen: Screen) -> Exit {
    let asked = Request { drills: args.drills.clone(), ..request(&args.input) };
    let scenario = match load_request(&asked, screen) {
        Ok(scenario) => Scenario { fidelity: args.fidelity, ..scenario },
        Err(exit) => return exit,
    };
    screen.short_of_peak(&scenario);
    let folder = (!args.no_out).then(|| args.out.clone().unwrap_or_else(|| usual_folder(&scenario)));
    // Better said now than after an hour of simulation.
    if let Some(Err(error)) = folder.as_deref().map(folder::check) {
        return refused(&error, screen);
    }
    let Some(done) = replicate(scenario, args, screen) else {
        screen.tell("interrupted before a replication was finished");
        return Exit::Interrupted;
    };
    let kept = folder.as_deref().map(|folder| keep(folder, &done));
    let printed = screen.print(&shown(args, &done, folder.as_deref()));
    match kept {
        Some(Err(error)) => refused(&error, screen),
        _ if !printed => Exit::Outside,
        _ if done.interrupted => {
            let finished = plural(done.runs.len() as u64, "replication", "replications");
            screen.tell(&format!("interrupted: this is the verdict on the {finished} that were finished"));
            Exit::Interrupted
        }
        _ if args.exit_zero => Exit::Met,
        _ => done.verdict.outcome.into(),
    }
}

/// `plan completions`
pub(super) fn completions(shell: Shell, screen: Screen) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "plan", &mut script);
    if screen.print(&String::from_utf8_lossy(&script)) { Exit::Met } else { Exit::Outside }
}

/// What the options ask for.
pub(super) fn request(args: &InputArgs) -> Request {
    Request {
        compose: false,
        texts: None,
        manifests: args.manifests.clone(),
        model: args.model.clone(),
        traffic: args.traffic.clone(),
        policy: args.policy.clone(),
        cluster: args.cluster.clone(),
        drills: None,
        profile: args.profile.clone(),
        users: args.users,
        duration: args.duration,
        version: args.kubernetes_version,
        world: World::default(),
    }
}

/// Reads what a request asks for, and says what is wrong with it.
pub(super) fn load_request(request: &Request, screen: Screen) -> Result<Scenario, Exit> {
    load_files(request, screen).map(|loaded| loaded.scenario)
}

/// The same with everything else that came of reading.
pub(super) fn load_files(request: &Request, screen: Screen) -> Result<Loaded, Exit> {
    match input::load(request) {
        Ok(loaded) => {
            for problem in &loaded.warnings {
                let text = problem.render(&loaded.sources, screen.colours_errors());
                match problem.severity {
                    Severity::Error | Severity::Warning => screen.warn(&text),
                    Severity::Note => screen.log(&text),
                }
            }
            Ok(loaded)
        }
        Err(failure) => {
            screen.tell(&failure.render(screen.colours_errors()));
            Err(failed(&failure))
        }
    }
}

fn failed(failure: &Failure) -> Exit {
    match failure {
        Failure::Wrong { .. } | Failure::Manifests(_) => Exit::Usage,
    }
}

/// What came of the replications.
struct Done {
    scenario: Scenario,
    runs: Vec<Observations>,
    verdict: Verdict,
    interrupted: bool,
}

/// What the thread that waits hears of.
enum News {
    /// A replication ended.
    Finished(Box<Observations>),
    /// All of them ended, or one panicked.
    Done(thread::Result<Box<(Vec<Observations>, Verdict)>>),
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// Runs the replications aside, so that Ctrl-C is heard at once; `None` when it
/// came before one was finished.
fn replicate(scenario: Scenario, args: &SimulateArgs, screen: Screen) -> Option<Done> {
    let (send, news) = mpsc::channel();
    let interrupt = send.clone();
    // Without a handler Ctrl-C ends the program at once, which is right, too.
    let _ = ctrlc::set_handler(move || {
        if interrupt.send(News::Interrupted).is_err() {
            std::process::exit(Exit::Interrupted as i32);
        }
    });
    let (base, replications, aside) = (args.seed, args.replications, scenario.clone());
    thread::spawn(move || {
        let finished = |run: &Observations| drop(send.send(News::Finished(Box::new(run.clone()))));
        let all = || Box::new(run::until_sure(&aside, base, replications, finished));
        // A bug has to be told to the thread that decides on the exit code.
        drop(send.send(News::Done(panic::catch_unwind(AssertUnwindSafe(all)))));
    });
    let most = match args.replications {
        Replications::Fixed(count) => count,
        Replications::UntilSure => run::MOST,
    };
    let mut runs: Vec<Observations> = Vec::new();
    let last = screen.wait(&news, u64::from(most), |message| match message {
        News::Finished(run) => {
            log_run(&run, screen);
            runs.push(*run);
            None
        }
        News::Done(_) | News::Interrupted => Some(message),
    });
    if let Some(News::Done(all)) = last {
        let (runs, verdict) = *all.unwrap_or_else(|bug| panic::resume_unwind(bug));
        return Some(Done { scenario, runs, verdict, interrupted: false });
    }
    runs.sort_by_key(|run| run.seed.replication);
    let verdict = (!runs.is_empty()).then(|| judge::judge(&scenario, &runs))?;
    Some(Done { scenario, runs, verdict, interrupted: true })
}

fn log_run(run: &Observations, screen: Screen) {
    if screen.is_verbose() {
        screen.log(&format!(
            "replication {}: simulated until {}, {} events, {} requests, fingerprint {:016x}",
            run.seed.replication + 1,
            clock(run.end),
            count(run.events as f64),
            count(run.balance.arrived as f64),
            run.fingerprint,
        ));
    }
}

/// What is printed on standard output.
fn shown(args: &SimulateArgs, done: &Done, folder: Option<&Path>) -> String {
    let document = || verdict::document(&done.scenario, &done.runs, &done.verdict);
    match args.output {
        Format::Json => verdict::json(&document()),
        Format::Yaml => verdict::yaml(&document()),
        Format::Table => {
            let folder = folder.map(|folder| folder.display().to_string());
            let next = next(args, &done.verdict);
            let around =
                table::Around { width: screen::width(), folder: folder.as_deref(), next: next.as_deref() };
            table::page(&done.scenario, &done.runs, &done.verdict, around)
        }
    }
}

fn keep(folder: &Path, done: &Done) -> Result<(), FolderError> {
    folder::replace(folder, &output::files(&done.scenario, &done.runs, &done.verdict))
}

pub(super) fn refused(error: &FolderError, screen: Screen) -> Exit {
    screen.error(&error.to_string());
    match error {
        FolderError::Foreign { .. } | FolderError::NoName(_) => Exit::Usage,
        FolderError::System { .. } => Exit::Outside,
    }
}

/// `outputs/NAME`, with nothing in the name that a path could stumble over.
pub(super) fn usual_folder(scenario: &Scenario) -> PathBuf {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = scenario.name.chars().map(plain).collect();
    let name = name.trim_start_matches('.');
    Path::new("outputs").join(if name.is_empty() { "simulation" } else { name })
}

/// The command to run next, where there is one.
fn next(args: &SimulateArgs, verdict: &Verdict) -> Option<String> {
    let exists = |name: &str| Cli::command().find_subcommand(name).is_some();
    let drills =
        args.drills.as_ref().map(|path| format!(" --drills {}", quoted(&path.display().to_string())));
    let input = again(&args.input);
    match verdict.outcome {
        Outcome::Missed => exists("tune").then(|| format!("plan tune{input}")),
        Outcome::Unsure => {
            let replications = (3 * verdict.replications).max(10);
            let seed = if args.seed == 1 { String::new() } else { format!(" --seed {}", args.seed) };
            let drills = drills.unwrap_or_default();
            Some(format!("plan simulate{input}{drills}{seed} --replications {replications}"))
        }
        Outcome::Met => exists("capacity").then(|| format!("plan capacity{input}")),
        Outcome::NotJudged => None,
    }
}

/// The input options as they would be typed again.
fn again(input: &InputArgs) -> String {
    let path = |path: &PathBuf| path.display().to_string();
    let mut options: Vec<(&str, String)> = input.manifests.iter().map(|file| ("-m", path(file))).collect();
    let files = [
        ("--model", &input.model),
        ("--traffic", &input.traffic),
        ("--policy", &input.policy),
        ("--cluster", &input.cluster),
    ];
    options.extend(files.into_iter().filter_map(|(option, file)| Some((option, path(file.as_ref()?)))));
    options.extend(input.profile.clone().map(|name| ("--profile", name)));
    options.extend(input.users.map(|users| ("--users", users.to_string())));
    options.extend(input.duration.map(|time| ("--duration", time.to_string())));
    options.extend(input.kubernetes_version.map(|version| ("--kubernetes-version", version.to_string())));
    options.iter().fold(String::new(), |line, (option, value)| line + " " + option + " " + &quoted(value))
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
