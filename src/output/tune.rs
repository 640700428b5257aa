//! What tuning came to, for people and as a document.

use serde::Serialize;
use serde_json::Value;

use super::Number;
use super::robust::Shown;
use super::table::figure;
use super::text::{Paint, Side, columns, painted, wrapped};
use crate::capacity::load_of;
use crate::change::ChangeSet;
use crate::input::world::Unknown;
use crate::judge::{Judged, Outcome, Verdict};
use crate::robust::Robustness;
use crate::scenario::{Comparison, Objective, Scenario};
use crate::source::{Step, steps_of};
use crate::tune::harden::Hardened;
use crate::tune::nodes::Chosen;
use crate::tune::trial::{NO_DIFFERENCE, NO_LOSS, Tested};
use crate::tune::{Certificate, Extent, Found, Object};
use crate::units::SimDuration;
use crate::units::figures::{count, money, percent, plural};

/// What there is to tell.
pub struct Tuned<'a> {
    /// The tuned scenario, as it was read back.
    pub scenario: &'a Scenario,
    /// The objects as the user has them.
    pub objects: &'a [Object],
    /// The search.
    pub found: &'a Found,
    /// What is changed.
    pub changes: &'a ChangeSet,
    /// Other nodes, where they do as well for less.
    pub nodes: Option<&'a Chosen>,
    /// The guards that were tried.
    pub tested: &'a [Tested],
    /// The headroom that was tried.
    pub hardened: &'a [Hardened],
    /// The proof.
    pub certificate: &'a Certificate,
    /// How it fares where what is not known is otherwise, if that was asked for.
    pub robust: Option<(&'a Robustness, &'a [Unknown])>,
    /// `--seed`.
    pub seed: u64,
    /// What the proof was simulated from, in words.
    pub read_back: &'static str,
    /// What the form has no place for.
    pub left_out: Vec<String>,
    /// Where the manifests are, and which files were written.
    pub folder: Option<(String, Vec<String>)>,
}

impl Tuned<'_> {
    /// Guards and headroom that were tried: name, whether it is kept, and why.
    fn extras(&self) -> impl Iterator<Item = (&'static str, bool, &str)> {
        let guards = self.tested.iter().map(|one| (one.guard.in_words(), one.kept, one.because.as_str()));
        let more = self.hardened.iter().map(|one| (one.headroom.in_words(), one.kept, one.because.as_str()));
        guards.chain(more)
    }

    /// How it fares in other worlds.
    fn worlds(&self) -> Option<Shown<'_>> {
        let (found, unknowns) = self.robust?;
        Some(Shown { scenario: self.scenario, unknowns, found, seed: self.seed, whole: false })
    }

    /// The objectives of the policy with what the proof says of each: on the
    /// whole scenario, or the worst of its drills.
    fn outcomes(&self) -> Vec<Outcome> {
        let objectives = self.scenario.goals.objectives.len();
        (0..objectives)
            .map(|number| {
                let drilled = self.certificate.promises.iter().filter(|one| one.objective == number);
                let whole = self.certificate.verdict.objectives[number].outcome;
                Outcome::of_all(drilled.map(|one| one.judged.outcome).chain([whole]))
            })
            .collect()
    }
}

/// The page.
pub fn page(tuned: &Tuned<'_>, width: usize) -> String {
    let mut lines = answer(tuned, width);
    lines.extend(changes(tuned, width));
    lines.extend(proof(tuned, width));
    lines.extend(drills(tuned, width));
    lines.extend(missed(tuned, width));
    lines.extend(rivals(tuned, width));
    lines.extend(super::tradeoff::page(tuned.scenario, tuned.found, width));
    if let Some(shown) = tuned.worlds() {
        lines.extend(super::robust::section(&shown, width));
    }
    lines.extend(last(tuned, width));
    lines.join("\n") + "\n"
}

fn answer(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let (load, users) = load_of(tuned.scenario);
    let load = if users { format!("{} users", count(load)) } else { "its load".to_owned() };
    let outcomes = tuned.outcomes();
    let number = |outcome| outcomes.iter().filter(|one| **one == outcome).count() as u64;
    let (met, missed, unsure) = (number(Outcome::Met), number(Outcome::Missed), number(Outcome::Unsure));
    let all = met + missed + unsure;
    let (paint, text) = if tuned.certificate.extent != Extent::Whole {
        let text = format!(
            "NOT CERTIFIED: interrupted; the best so far keeps {met} of {all} objectives{}",
            if missed > 0 { format!(", {missed} missed") } else { String::new() }
        );
        (Paint::Doubtful, text)
    } else if missed > 0 {
        let text = format!("NOT ALL: {met} of {all} objectives are kept, {missed} missed, {unsure} unsure");
        (Paint::Bad, text)
    } else if unsure > 0 {
        (Paint::Doubtful, format!("UNSURE: {met} of {all} objectives are kept, {unsure} unsure"))
    } else if all == 0 {
        (Paint::Doubtful, "NOTHING JUDGED: no objective of the policy could be measured".to_owned())
    } else {
        (Paint::Good, format!("PROVED: all {all} objectives are kept"))
    };
    let name = &tuned.scenario.name;
    let mut lines = wrapped("", &format!("{name} tuned for {load} at the peak"), width);
    if let Some(short) = tuned.scenario.short_of_peak() {
        let text = format!("not for all of them: {short}");
        lines.extend(wrapped("", &text, width).iter().map(|line| painted(Paint::Doubtful, line)));
    }
    lines.push(String::new());
    lines.extend(wrapped("", &text, width).iter().map(|line| painted(paint, line)));
    let currency = &tuned.scenario.goals.currency;
    let (before, after) = (&tuned.found.before.score, certified_score(tuned));
    let text = format!(
        "Nodes cost {} a month, before {}; what the pods ask for is worth {}, before {}.",
        money(after.0, currency),
        money(before.nodes, currency),
        money(after.1, currency),
        money(before.booked, currency),
    );
    lines.push(String::new());
    lines.extend(wrapped("", &text, width));
    lines
}

/// Cost of nodes and of what is asked for, in the proof's runs.
fn certified_score(tuned: &Tuned<'_>) -> (f64, f64) {
    let certificate = tuned.certificate;
    let score = crate::tune::Score::of(tuned.scenario, &certificate.runs, &certificate.verdict);
    (score.nodes, score.booked)
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps_of(path).iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key.as_str()),
        Step::Index(index) => value.get(*index),
    })
}

/// A value of a field in few characters.
fn short(value: Option<&Value>) -> String {
    match value {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Array(_) | Value::Object(_))) => {
            let text = value.to_string();
            if text.len() > 40 { "{…}".to_owned() } else { text }
        }
        Some(value) => value.to_string(),
    }
}

/// A path without what every path has.
fn short_path(path: &str) -> &str {
    path.strip_prefix("spec.template.spec.").or_else(|| path.strip_prefix("spec.")).unwrap_or(path)
}

fn changes(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let mut lines = vec![String::new(), painted(Paint::Heading, "CHANGES")];
    if let Some(chosen) = tuned.nodes {
        lines.push(format!("~ nodes {}", chosen.before.name));
        lines.extend(wrapped(
            "    ",
            &format!("{} -> {}", nodes_in_words(chosen, false), nodes_in_words(chosen, true)),
            width,
        ));
        let because = wrapped("      ", &chosen.because, width);
        lines.extend(because.iter().map(|line| painted(Paint::Quiet, line)));
    }
    if tuned.changes.is_empty() && tuned.nodes.is_none() {
        lines.push("  none: the settings are as good as any that were tried".to_owned());
    }
    let mut told: Vec<&str> = Vec::new();
    for edited in &tuned.changes.edited {
        let object = tuned.objects.iter().find(|one| one.name == edited.object);
        lines.push(format!("~ {} {}", edited.object.kind, edited.object.name));
        for edit in &edited.edits {
            let before = short(object.and_then(|one| at(&one.value, &edit.path)));
            let after = short(edit.to.as_ref());
            lines.push(format!("    {}: {before} -> {after}", short_path(&edit.path)));
            lines.extend(once(&edit.because, &mut told, width));
        }
    }
    for added in &tuned.changes.added {
        let name = added.object["metadata"]["name"].as_str().unwrap_or_default();
        lines.push(format!("+ {} {name}", added.object["kind"].as_str().unwrap_or_default()));
        lines.extend(once(&added.because, &mut told, width));
    }
    let quiet = |text: &str, lines: &mut Vec<String>| {
        lines.extend(wrapped("  not set: ", text, width).iter().map(|line| painted(Paint::Quiet, line)));
    };
    // Most make no difference: their names are enough here, the document has the reasons.
    let idle = |because: &str| because.starts_with(NO_DIFFERENCE) || because.starts_with(NO_LOSS);
    for (name, _, because) in tuned.extras().filter(|(_, kept, because)| !kept && !idle(because)) {
        quiet(&format!("{name}: {because}"), &mut lines);
    }
    let names: Vec<&str> =
        tuned.extras().filter(|(_, kept, because)| !kept && idle(because)).map(|(name, _, _)| name).collect();
    if !names.is_empty() {
        quiet(&format!("no drill goes better with {}", names.join(", ")), &mut lines);
    }
    lines
}

/// `3 to 5 of 4 CPU and 16Gi`
fn nodes_in_words(chosen: &Chosen, after: bool) -> String {
    let pool = if after { &chosen.after } else { &chosen.before };
    let size = format!("{} CPU and {}", pool.cpu, pool.memory);
    let kind = match &chosen.kind {
        Some(kind) if after => format!("{kind} ({size})"),
        _ => size,
    };
    if pool.min == pool.max {
        format!("{} of {kind}", pool.min)
    } else {
        format!("{} to {} of {kind}", pool.min, pool.max)
    }
}

/// A reason, unless it has been told.
fn once<'t>(because: &'t str, told: &mut Vec<&'t str>, width: usize) -> Vec<String> {
    if told.contains(&because) {
        return Vec::new();
    }
    told.push(because);
    wrapped("      ", because, width).iter().map(|line| painted(Paint::Quiet, line)).collect()
}

fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "+",
        Outcome::Missed => "x",
        Outcome::Unsure => "?",
        Outcome::NotJudged => "-",
    }
}

fn measured(objective: &Objective, judged: &Judged, currency: &str) -> String {
    let shown = |value: f64| figure(objective.indicator, value, currency);
    match judged.measured {
        None => "-".to_owned(),
        Some(one) => match one.interval {
            Some((low, high)) if low.total_cmp(&high).is_ne() => {
                format!("{} [{}, {}]", shown(one.value), shown(low), shown(high))
            }
            _ => shown(one.value),
        },
    }
}

fn proof(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let goals = &tuned.scenario.goals;
    let certificate = tuned.certificate;
    let head = ["", "OBJECTIVE", "BEFORE", "TUNED", "GOAL"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    for (number, objective) in goals.objectives.iter().enumerate() {
        let judged = &certificate.verdict.objectives[number];
        if judged.outcome == Outcome::NotJudged {
            continue;
        }
        let before = &tuned.found.before.verdict.objectives[number];
        let before = before
            .measured
            .map_or("-".to_owned(), |one| figure(objective.indicator, one.value, &goals.currency));
        let comparison = match objective.comparison {
            Comparison::AtLeast => "≥",
            Comparison::AtMost => "≤",
        };
        let goal = figure(objective.indicator, objective.goal, &goals.currency);
        rows.push(vec![
            mark(judged.outcome).to_owned(),
            objective.name.clone(),
            before,
            measured(objective, judged, &goals.currency),
            format!("{comparison} {goal}"),
        ]);
    }
    let mut table = columns(&[Side::Left, Side::Left, Side::Right, Side::Left, Side::Left], &rows);
    table[0] = painted(Paint::Heading, &table[0]);
    let mut lines = vec![String::new()];
    let replications = plural(certificate.runs.len() as u64, "replication", "replications");
    let text = match certificate.extent {
        Extent::Nothing => format!(
            "No proof: interrupted. The figures are the search's own, of {replications} over {} with seed {}.",
            certificate.runs.first().map_or(SimDuration::ZERO, |run| run.end.since_or_zero(run.start)),
            certificate.seed,
        ),
        Extent::Whole | Extent::Time => format!(
            "Proof: {}, read back and simulated in {replications} with seed {}, which the search did not use.",
            tuned.read_back, certificate.seed
        ),
    };
    lines.extend(wrapped("", &text, width));
    lines.push(String::new());
    lines.extend(table);
    lines.push(String::new());
    for other in &certificate.others {
        let words = in_words(&other.objectives, &other.verdict);
        let text = format!("At {} of the load: {words}", percent(other.load));
        lines.extend(wrapped("", &text, width));
    }
    lines
}

/// Which objectives are missed or unsure, in words.
fn in_words(objectives: &[Objective], verdict: &Verdict) -> String {
    let of = |outcome: Outcome| -> Vec<&str> {
        let pairs = objectives.iter().zip(&verdict.objectives);
        pairs.filter(|(_, judged)| judged.outcome == outcome).map(|(one, _)| one.name.as_str()).collect()
    };
    let (missed, unsure) = (of(Outcome::Missed), of(Outcome::Unsure));
    let mut parts = Vec::new();
    if !missed.is_empty() {
        parts.push(format!("missed: {}", missed.join(", ")));
    }
    if !unsure.is_empty() {
        parts.push(format!("unsure: {}", unsure.join(", ")));
    }
    if parts.is_empty() { "all objectives kept.".to_owned() } else { format!("{}.", parts.join("; ")) }
}

fn drills(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let certificate = tuned.certificate;
    let objectives = &tuned.scenario.goals.objectives;
    let mut lines = Vec::new();
    for (number, objective) in objectives.iter().enumerate() {
        let all: Vec<_> = certificate.promises.iter().filter(|one| one.objective == number).collect();
        if all.is_empty() {
            continue;
        }
        let names = |outcome: Outcome| -> Vec<&str> {
            let of = all.iter().filter(|one| one.judged.outcome == outcome);
            of.filter_map(|one| Some(certificate.drills[one.exercise?].0.name.as_str())).collect()
        };
        let (met, missed, unsure) = (names(Outcome::Met), names(Outcome::Missed), names(Outcome::Unsure));
        let mut text = format!("{} in {} of {} drills", objective.name, met.len(), all.len());
        if !missed.is_empty() {
            text += &format!("; missed in {}", missed.join(", "));
        }
        if !unsure.is_empty() {
            text += &format!("; unsure in {}", unsure.join(", "));
        }
        let sign = match (missed.as_slice(), unsure.as_slice()) {
            ([], []) if met.is_empty() => "- ",
            ([], []) => "+ ",
            ([], _) => "? ",
            _ => "x ",
        };
        lines.extend(wrapped(sign, &format!("{text}."), width));
    }
    if !lines.is_empty() {
        lines.insert(0, painted(Paint::Heading, "DRILLS"));
        lines.insert(0, String::new());
    }
    lines
}

/// What can't be kept, and why.
fn missed(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let certificate = tuned.certificate;
    let goals = &tuned.scenario.goals;
    let mut lines = Vec::new();
    let mut told: Vec<&String> = Vec::new();
    for (number, objective) in goals.objectives.iter().enumerate() {
        let whole = &certificate.verdict.objectives[number];
        let drilled = certificate.promises.iter().filter(|one| one.objective == number);
        let named = drilled.map(|one| {
            let drill = one.exercise.map_or("the year", |one| certificate.drills[one].0.name.as_str());
            (format!("{} ({drill})", objective.name), &one.judged)
        });
        let all = std::iter::once((objective.name.clone(), whole)).chain(named);
        for (name, judged) in all.filter(|(_, judged)| judged.outcome == Outcome::Missed) {
            let value = measured(objective, judged, &goals.currency);
            let text = format!("{name} is missed: {value}");
            lines.extend(wrapped("x ", &text, width).iter().map(|line| painted(Paint::Bad, line)));
            for because in &judged.because {
                if !told.contains(&because) {
                    told.push(because);
                    lines.extend(wrapped("  - ", because, width));
                }
            }
            lines.extend(nearest(objective, judged, &goals.currency).iter().flat_map(|near| {
                let text = format!("nearest: a goal of {near} would be kept");
                wrapped("  - ", &text, width)
            }));
        }
        if let Some((_, value)) = tuned.found.relaxed.iter().find(|(one, _)| *one == number) {
            let value = figure(objective.indicator, *value, &goals.currency);
            let text = format!("a candidate that keeps all other objectives comes to {value}");
            lines.extend(wrapped("  - ", &text, width));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, painted(Paint::Heading, "WHAT CAN'T BE KEPT"));
        lines.insert(0, String::new());
    }
    lines
}

/// The goal that would just be kept for sure, where the objective is missed.
fn nearest(objective: &Objective, judged: &Judged, currency: &str) -> Option<String> {
    let (low, high) = judged.measured?.interval?;
    let (sign, value) = match objective.comparison {
        Comparison::AtLeast => ("≥", low),
        Comparison::AtMost => ("≤", high),
    };
    Some(format!("{sign} {}", figure(objective.indicator, value, currency)))
}

/// What else would do, and at what cost.
fn rivals(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let goals = &tuned.scenario.goals;
    if tuned.found.rivals.is_empty() {
        return Vec::new();
    }
    let row = |name: &str, (nodes, booked): (f64, f64), missed: String| -> Vec<String> {
        vec![name.to_owned(), money(nodes, &goals.currency), money(booked, &goals.currency), missed]
    };
    let head = ["WHAT ELSE WOULD DO", "NODES", "REQUESTED", "MISSES"];
    let mut rows: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    let mut missed = vec![(String::new(), Vec::new())];
    let tuned_missed = missed_in(&tuned.certificate.verdict);
    rows.push(row("tuned", certified_score(tuned), tuned_missed.len().to_string()));
    for rival in &tuned.found.rivals {
        let all = missed_in(&rival.verdict);
        let name = rival.name.as_str();
        rows.push(row(name, (rival.score.nodes, rival.score.booked), all.len().to_string()));
        missed.push((rival.name.clone(), all));
    }
    let mut table = columns(&[Side::Left, Side::Right, Side::Right, Side::Right], &rows);
    table[0] = painted(Paint::Heading, &table[0]);
    let mut lines = vec![String::new()];
    lines.extend(table);
    for (name, all) in missed.iter().filter(|(_, all)| !all.is_empty()) {
        let names: Vec<&str> = all.iter().map(|one| goals.objectives[*one].name.as_str()).collect();
        lines.extend(wrapped("  - ", &format!("{name}: misses {}", names.join(", ")), width));
    }
    lines
}

/// The objectives that are missed.
fn missed_in(verdict: &Verdict) -> Vec<usize> {
    let all = 0..verdict.objectives.len();
    all.filter(|one| verdict.objectives[*one].outcome == Outcome::Missed).collect()
}

fn last(tuned: &Tuned<'_>, width: usize) -> Vec<String> {
    let (runs, whole) = tuned.found.runs;
    let text = format!(
        "{} tried in {} of the hardest minutes and {} of the whole time, seed {}.",
        plural(tuned.found.tried as u64, "candidate", "candidates"),
        plural(runs as u64, "run", "runs"),
        plural(whole as u64, "run", "runs"),
        tuned.seed,
    );
    let mut lines = vec![String::new()];
    lines.extend(wrapped("", &text, width));
    for one in &tuned.left_out {
        lines.extend(wrapped("not written: ", one, width));
    }
    if let Some((folder, _)) = &tuned.folder {
        lines.push(format!("Written: {folder}"));
    }
    lines
}

/// What tuning came to, as data.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    seed: u64,
    verdict: &'static str,
    /// Everything that is changed.
    changes: Vec<ChangeData>,
    /// Other nodes, where they do as well for less.
    nodes: Option<NodesData>,
    /// The guards and the headroom that were tried.
    guards: Vec<GuardData>,
    /// Money per month for nodes, and for what pods ask for.
    cost_per_month: CostData,
    /// The proof.
    certificate: CertificateData,
    /// For objectives that are missed: what a candidate that keeps all others
    /// comes to.
    relaxed: Vec<RelaxedData>,
    /// What more or less money buys, the cheapest first.
    tradeoffs: Vec<super::tradeoff::TradeoffData>,
    /// Where what is not known is otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    robustness: Option<super::robust::Data>,
    /// What else would do: the user's settings made larger, and VPA's.
    rivals: Vec<RivalData>,
    candidates: usize,
    files: Vec<String>,
    /// What the form has no place for.
    left_out: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeData {
    api_version: String,
    #[serde(rename = "kind")]
    object_kind: String,
    namespace: String,
    name: String,
    /// Absent where the whole object is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    from: Option<Value>,
    to: Option<Value>,
    because: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodesData {
    pool: String,
    from: String,
    to: String,
    /// Which of the pool's alternatives; absent where only the size changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    alternative: Option<String>,
    because: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GuardData {
    name: &'static str,
    kept: bool,
    because: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CostData {
    currency: String,
    nodes: Number,
    nodes_before: Number,
    requested: Number,
    requested_before: Number,
}

/// Settings that somebody would come to without a search. Money per month.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RivalData {
    name: String,
    nodes: Number,
    requested: Number,
    verdict: &'static str,
    missed: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateData {
    /// `whole`, `time` (interrupted before other loads and drills) or `nothing`.
    extent: &'static str,
    seed: u64,
    replications: usize,
    fingerprint: String,
    objectives: Vec<ProvedData>,
    other_loads: Vec<OtherData>,
    drills: Vec<DrilledData>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvedData {
    name: String,
    goal: Number,
    before: Option<Number>,
    value: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
    verdict: &'static str,
    because: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OtherData {
    load: Number,
    verdict: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DrilledData {
    objective: String,
    drill: Option<String>,
    value: Option<Number>,
    verdict: &'static str,
    because: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RelaxedData {
    objective: String,
    value: Number,
}

/// The document.
pub fn document(tuned: &Tuned<'_>) -> Document {
    let goals = &tuned.scenario.goals;
    let (nodes, requested) = certified_score(tuned);
    let before = &tuned.found.before.score;
    let guards =
        tuned.extras().map(|(name, kept, because)| GuardData { name, kept, because: because.to_owned() });
    let relaxed = tuned.found.relaxed.iter().map(|(number, value)| RelaxedData {
        objective: goals.objectives[*number].name.clone(),
        value: Number(*value),
    });
    Document {
        api_version: super::verdict::API_VERSION,
        kind: "Tuning",
        name: tuned.scenario.name.clone(),
        seed: tuned.seed,
        verdict: tuned.certificate.outcome().name(),
        changes: change_data(tuned),
        nodes: tuned.nodes.map(|chosen| NodesData {
            pool: chosen.before.name.clone(),
            from: nodes_in_words(chosen, false),
            to: nodes_in_words(chosen, true),
            alternative: chosen.kind.clone(),
            because: chosen.because.clone(),
        }),
        guards: guards.collect(),
        cost_per_month: CostData {
            currency: goals.currency.clone(),
            nodes: Number(nodes),
            nodes_before: Number(before.nodes),
            requested: Number(requested),
            requested_before: Number(before.booked),
        },
        certificate: certificate_data(tuned),
        relaxed: relaxed.collect(),
        tradeoffs: super::tradeoff::data(tuned.scenario, tuned.found),
        robustness: tuned.worlds().map(|shown| super::robust::data(&shown)),
        rivals: rival_data(tuned),
        candidates: tuned.found.tried,
        files: tuned.folder.as_ref().map_or(Vec::new(), |(_, files)| files.clone()),
        left_out: tuned.left_out.clone(),
    }
}

fn rival_data(tuned: &Tuned<'_>) -> Vec<RivalData> {
    let objectives = &tuned.scenario.goals.objectives;
    let of = |rival: &crate::tune::rival::Rival| RivalData {
        name: rival.name.clone(),
        nodes: Number(rival.score.nodes),
        requested: Number(rival.score.booked),
        verdict: rival.verdict.outcome.name(),
        missed: missed_in(&rival.verdict).into_iter().map(|one| objectives[one].name.clone()).collect(),
    };
    tuned.found.rivals.iter().map(of).collect()
}

fn change_data(tuned: &Tuned<'_>) -> Vec<ChangeData> {
    let mut all = Vec::new();
    for edited in &tuned.changes.edited {
        let object = tuned.objects.iter().find(|one| one.name == edited.object);
        for edit in &edited.edits {
            all.push(ChangeData {
                api_version: edited.object.api_version.clone(),
                object_kind: edited.object.kind.clone(),
                namespace: edited.object.namespace.clone(),
                name: edited.object.name.clone(),
                path: Some(edit.path.clone()),
                from: object.and_then(|one| at(&one.value, &edit.path)).cloned(),
                to: edit.to.clone(),
                because: edit.because.clone(),
            });
        }
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.extend(tuned.changes.added.iter().map(|one| ChangeData {
        api_version: text(&one.object["apiVersion"]),
        object_kind: text(&one.object["kind"]),
        namespace: text(&one.object["metadata"]["namespace"]),
        name: text(&one.object["metadata"]["name"]),
        path: None,
        from: None,
        to: Some(one.object.clone()),
        because: one.because.clone(),
    }));
    all
}

fn certificate_data(tuned: &Tuned<'_>) -> CertificateData {
    let goals = &tuned.scenario.goals;
    let certificate = tuned.certificate;
    let proved = goals.objectives.iter().enumerate().map(|(number, objective)| {
        let judged = &certificate.verdict.objectives[number];
        let interval = judged.measured.and_then(|one| one.interval);
        ProvedData {
            name: objective.name.clone(),
            goal: Number(objective.goal),
            before: tuned.found.before.score.values[number].map(Number),
            value: judged.measured.map(|one| Number(one.value)),
            low: interval.map(|(low, _)| Number(low)),
            high: interval.map(|(_, high)| Number(high)),
            verdict: judged.outcome.name(),
            because: judged.because.clone(),
        }
    });
    let others = certificate
        .others
        .iter()
        .map(|one| OtherData { load: Number(one.load), verdict: one.verdict.outcome.name() });
    let drills = certificate.promises.iter().map(|one| DrilledData {
        objective: goals.objectives[one.objective].name.clone(),
        drill: one.exercise.map(|exercise| certificate.drills[exercise].0.name.clone()),
        value: one.judged.measured.map(|one| Number(one.value)),
        verdict: one.judged.outcome.name(),
        because: one.judged.because.clone(),
    });
    CertificateData {
        extent: match certificate.extent {
            Extent::Whole => "whole",
            Extent::Time => "time",
            Extent::Nothing => "nothing",
        },
        seed: certificate.seed,
        replications: certificate.runs.len(),
        fingerprint: super::verdict::fingerprint(&certificate.runs),
        objectives: proved.collect(),
        other_loads: others.collect(),
        drills: drills.collect(),
    }
}
