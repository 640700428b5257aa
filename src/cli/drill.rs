//! `plan drill`.

use super::Exit;
use super::args::{DrillArgs, Format};
use super::commands::{load_request, refused, request};
use super::screen::{self, Screen};
use crate::input::Request;
use crate::judge::drill::{Summary, is_about, summary, year};
use crate::judge::estimate;
use crate::judge::promises::{self, Exercised};
use crate::output::drill::Drilled;
use crate::output::{self, folder};
use crate::run::{self, Held, Watched};
use crate::scenario::catalogue::{self, Exercise};
use crate::scenario::{Indicator, Scenario, Scope};
use crate::source::closest;

/// The success ratio where the policy promises none.
const USUAL_AVAILABILITY: f64 = 0.999;

/// `plan drill`
pub(super) fn drill(args: &DrillArgs, screen: Screen) -> Exit {
    let asked = Request { drills: args.drills.clone(), ..request(&args.input) };
    let scenario = match load_request(&asked, screen) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let chosen = target(&scenario, args).and_then(|target| Ok((target, exercises(&scenario, target, args)?)));
    let (target, exercises) = match chosen {
        Ok(chosen) => chosen,
        Err(text) => {
            screen.error(&text);
            return Exit::Usage;
        }
    };
    if args.list {
        let listed = || output::drill::listed(&scenario, &exercises);
        let text = match args.output {
            Format::Table => output::drill::list(&exercises),
            Format::Json => output::explain::json(&listed()),
            Format::Yaml => output::explain::yaml(&listed()),
        };
        return if screen.print(&text) { Exit::Met } else { Exit::Outside };
    }
    // Better said now than after all drills.
    if let Some(Err(error)) = args.out.as_deref().map(folder::check) {
        return refused(&error, screen);
    }
    let goal = goal(&scenario);
    screen.short_of_peak(&scenario);
    if args.names.is_empty() && args.drills.is_none() {
        unheld(&scenario, &exercises, screen);
    }
    let template = "{spinner} drilling: {pos} of {len} held, the last {msg} [{elapsed}]";
    // The time without any failure is one more.
    let progress = screen.progress(Some(exercises.len() as u64 + 1), template);
    let finished = |name: &str| {
        progress.done(name);
        screen.log(&format!("held: {name}"));
    };
    let (plain, held) =
        run::drill(&scenario, &exercises, goal, args.seed, (args.replications, Watched::ToTheEnd), finished);
    drop(progress);
    let drilled = judged(&scenario, &scenario.workloads[target].name, args, &plain, &held);
    let text = match args.output {
        Format::Table => output::drill::page(&drilled, screen::width()),
        Format::Json => output::explain::json(&output::drill::document(&drilled)),
        Format::Yaml => output::explain::yaml(&output::drill::document(&drilled)),
    };
    if !screen.print(&text) {
        return Exit::Outside;
    }
    if let Some(folder) = &args.out {
        let runs: Vec<_> = held.iter().map(|one| (&one.exercise, &one.runs[0])).collect();
        if let Err(error) = folder::replace(folder, &output::drill::files(&drilled, &runs)) {
            return refused(&error, screen);
        }
    }
    match drilled.outcome() {
        Some(outcome) if !args.exit_zero => outcome.into(),
        _ => Exit::Met,
    }
}

/// Says which objectives are about drills that aren't held.
pub(super) fn unheld(scenario: &Scenario, exercises: &[Exercise], screen: Screen) {
    for objective in &scenario.goals.objectives {
        let Scope::Drill(name) = &objective.scope else { continue };
        if !exercises.iter().any(|one| is_about(objective, &one.name)) {
            screen.warn(&format!(
                "objective `{}` is not judged: there is no drill `{name}` here (plan drill --list)",
                objective.name
            ));
        }
    }
}

/// The workload that is struck.
fn target(scenario: &Scenario, args: &DrillArgs) -> Result<usize, String> {
    let names = scenario.workload_names();
    match &args.target {
        Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| {
            let near = closest(wanted, names.iter().map(String::as_str));
            let help = near.map_or_else(|| names.join(", "), |name| format!("did you mean {name}?"));
            format!("there is no workload `{wanted}`: {help}")
        }),
        None => catalogue::busiest(scenario)
            .ok_or_else(|| "no request reaches any workload: choose one by --target".to_owned()),
    }
}

/// What is exercised: all, or those that were named.
fn exercises(scenario: &Scenario, target: usize, args: &DrillArgs) -> Result<Vec<Exercise>, String> {
    let mut all = match &args.drills {
        Some(_) => catalogue::own(scenario),
        None => catalogue::exercises(scenario, target),
    };
    let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    let known = |name: &str| {
        let usual = catalogue::usual_name(name).to_owned();
        if names.contains(&usual) {
            return Ok(usual);
        }
        let near = closest(name, names.iter().map(String::as_str));
        let help = near.map_or_else(|| names.join(", "), |name| format!("did you mean {name}?"));
        Err(format!("there is no drill `{name}` for this application: {help}"))
    };
    for (name, per_year) in &args.per_year {
        let name = known(name)?;
        all.iter_mut().filter(|one| one.name == name).for_each(|one| one.per_year = *per_year);
    }
    if args.names.is_empty() {
        return Ok(all);
    }
    let wanted: Vec<String> = args.names.iter().map(|name| known(name)).collect::<Result<_, _>>()?;
    all.retain(|one| wanted.contains(&one.name));
    Ok(all)
}

/// The success ratio that the policy promises users.
fn goal(scenario: &Scenario) -> f64 {
    let promised = scenario.goals.objectives.iter().find(|one| one.indicator == Indicator::Availability);
    promised.map_or(USUAL_AVAILABILITY, |one| one.goal)
}

/// Puts together what was found out.
fn judged<'a>(
    scenario: &'a Scenario,
    target: &'a str,
    args: &DrillArgs,
    plain: &[crate::observe::Observations],
    held: &'a [Held],
) -> Drilled<'a> {
    let confidence = scenario.goals.confidence;
    let summaries: Vec<Option<Summary>> =
        held.iter().map(|one| (!one.costs.is_empty()).then(|| summary(&one.costs, confidence))).collect();
    let shares: Vec<f64> = plain
        .iter()
        .map(|run| {
            let (good, failed) = run
                .watch
                .rows
                .iter()
                .fold((0, 0), |(good, failed), row| (good + row.answered, failed + row.failed));
            good as f64 / ((good + failed) as f64).max(1.0)
        })
        .collect();
    let steady = estimate::over_replications(&shares, confidence);
    let all = args.names.is_empty() && args.drills.is_none();
    let modes: Option<Vec<_>> = held
        .iter()
        .zip(&summaries)
        .map(|(one, summary)| Some((one.exercise.per_year, summary.as_ref()?.lost_seconds)))
        .collect();
    let year = modes.filter(|_| all).map(|modes| year(steady, &modes));
    let exercised: Vec<Exercised> = held
        .iter()
        .zip(&summaries)
        .filter_map(|(one, summary)| {
            Some(Exercised { exercise: &one.exercise, summary: summary.as_ref()?, run: &one.runs[0] })
        })
        .collect();
    let mut promises = promises::judge(scenario, &exercised, year.as_ref());
    // Back from the place among those that struck to the place among all.
    let struck: Vec<usize> = (0..held.len()).filter(|one| summaries[*one].is_some()).collect();
    for promise in &mut promises {
        promise.exercise = promise.exercise.map(|one| struck[one]);
    }
    Drilled {
        scenario,
        target,
        seed: args.seed,
        replications: args.replications,
        held: held.iter().map(|one| &one.exercise).zip(summaries).collect(),
        promises,
        year,
        steady,
    }
}
