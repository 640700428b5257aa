//! `kind: Policy`: what must hold.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::input::directory::Directory;
use crate::input::findings::{At, Findings, nearest, suggest};
use crate::input::scalar::{self, Fault, Scalar};
use crate::input::uncertain::BasisName;
use crate::observe::facts::Facts;
use crate::scenario::catalogue;
use crate::scenario::{Basis, Comparison, DrillRule, Goals, Indicator, Objective, Rule, Scope};
use crate::sim::random::draw;
use crate::units::SimDuration;
use crate::units::figures::amount;

/// A policy file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyFile {
    /// `plan/v1alpha1`
    pub api_version: Option<String>,
    /// `Policy`
    pub kind: Option<String>,
    /// For reports.
    pub name: Option<String>,
    /// Of every verdict; 95 % where absent.
    pub confidence: Option<Scalar>,
    /// Of costs; `USD` where absent.
    pub currency: Option<String>,
    /// What must hold.
    pub objectives: Vec<ObjectiveFile>,
    /// What must be true of every run, in CEL.
    #[serde(default)]
    pub rules: Vec<RuleFile>,
    /// How often which failure comes, and which of them count.
    #[serde(default)]
    pub drills: BTreeMap<String, DrillFile>,
}

/// What a policy says of one drill.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DrillFile {
    per_year: Option<Scalar>,
    basis: Option<BasisName>,
    source: Option<String>,
    counts: Option<bool>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleFile {
    name: Option<String>,
    holds: String,
}

/// One objective.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectiveFile {
    name: Option<String>,
    indicator: IndicatorName,
    quantile: Option<Scalar>,
    scope: Option<ScopeFile>,
    at_least: Option<Scalar>,
    at_most: Option<Scalar>,
}

/// On what an objective is measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScopeFile {
    /// Everything users asked.
    All,
    /// A workload by `name` or `namespace/name`.
    Workload(String),
    /// A journey of the traffic.
    Journey(String),
    /// A drill, or `*` for every drill.
    Drill(String),
}

/// What is measured, as files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum IndicatorName {
    Availability,
    FailedRequests,
    Latency,
    Throughput,
    CarriedUsers,
    ReplicasMax,
    ReplicasMin,
    PodsMax,
    PodsMin,
    NodesMax,
    NodesMin,
    PendingPodSeconds,
    CostPerMonth,
    ScaleEventsPerHour,
    Restarts,
    Overload,
    UsersRecovered,
    CapacityRestored,
    AvailabilityPerYear,
}

/// The unit of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Share,
    Duration,
    Rate,
    Number,
}

impl PolicyFile {
    /// The same without objectives on journeys that aren't there.
    pub fn for_journeys(&self, journeys: &[String]) -> Self {
        let there = |one: &&ObjectiveFile| match &one.scope {
            Some(ScopeFile::Journey(name)) => journeys.contains(name),
            Some(ScopeFile::All | ScopeFile::Workload(_) | ScopeFile::Drill(_)) | None => true,
        };
        Self { objectives: self.objectives.iter().filter(there).cloned().collect(), ..self.clone() }
    }

    /// The goals. `journeys` are the traffic's, in the scenario's order.
    pub fn resolve(&self, directory: &Directory, journeys: &[String], into: &mut Findings) -> Goals {
        let at = At::root().key("objectives");
        let mut objectives: Vec<Objective> = Vec::new();
        for (index, file) in self.objectives.iter().enumerate() {
            let at = at.index(index);
            let Some(objective) = file.resolve(directory, journeys, &at, into) else { continue };
            if objectives.iter().any(|known| known.name == objective.name) {
                let help = "give each its own `name`";
                into.wrong(&at, format!("two objectives are called `{}`", objective.name), help);
            }
            objectives.push(objective);
        }
        let rules = self.rules(directory, journeys, &mut objectives, into);
        let at_confidence = At::root().key("confidence");
        let confidence = into.or(&at_confidence, self.confidence.as_ref(), scalar::share, 0.95);
        if !(0.5..1.0).contains(&confidence) {
            into.wrong(&at_confidence, "a verdict needs a confidence from 50% to below 100%", "95% is usual");
        }
        Goals {
            notes: Vec::new(),
            rules,
            drills: self.drills(into),
            name: self.name.clone().unwrap_or_else(|| "policy".to_owned()),
            objectives,
            confidence,
            currency: self.currency.clone().unwrap_or_else(|| "USD".to_owned()),
        }
    }
}

impl PolicyFile {
    /// The rules, each tried on made-up runs, and an objective for each.
    fn rules(
        &self,
        directory: &Directory,
        journeys: &[String],
        objectives: &mut Vec<Objective>,
        into: &mut Findings,
    ) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (index, file) in self.rules.iter().enumerate() {
            let at = At::root().key("rules").index(index);
            let rule = Rule { text: file.holds.clone() };
            if let Err(wrong) = tried(&rule, directory, journeys) {
                into.wrong(&at.key("holds"), format!("this can't be asked of a run: {wrong}"), FACTS);
                continue;
            }
            let name = file.name.clone().unwrap_or_else(|| file.holds.clone());
            if objectives.iter().any(|known| known.name == name) {
                into.wrong(&at, format!("two objectives are called `{name}`"), "give each its own `name`");
            }
            let indicator = Indicator::Rule(rules.len());
            let (scope, comparison, goal) = (Scope::All, Comparison::AtLeast, 1.0);
            objectives.push(Objective { name, indicator, scope, comparison, goal });
            rules.push(rule);
        }
        rules
    }

    /// What it says of drills. A rate that nobody measured is an assumption.
    fn drills(&self, into: &mut Findings) -> Vec<DrillRule> {
        let mut rules: Vec<DrillRule> = Vec::new();
        for (written, file) in &self.drills {
            let at = At::root().key("drills").key(written);
            let name = catalogue::usual_name(written);
            if !catalogue::is_a_name(name) {
                let help = suggest(written, catalogue::NAMES);
                into.wrong(&at, format!("there is no drill `{written}`"), help);
                continue;
            }
            if rules.iter().any(|rule| rule.name == name) {
                into.wrong(&at, format!("`{name}` is here twice, under two names"), "keep one of them");
            }
            let rate = file.per_year.as_ref();
            let per_year = rate.and_then(|text| into.take(&at.key("perYear"), scalar::number(text)));
            if let Some(per_year) = per_year {
                let basis = file.basis.map_or(Basis::Assumed, Into::into);
                let source = file.source.as_deref().unwrap_or("the policy gives no source");
                into.assume(&format!("{name}, times a year"), amount(per_year), None, basis, source);
            }
            rules.push(DrillRule { name: name.to_owned(), per_year, counts: file.counts.unwrap_or(true) });
        }
        rules
    }
}

impl ObjectiveFile {
    fn resolve(
        &self,
        directory: &Directory,
        journeys: &[String],
        at: &At,
        into: &mut Findings,
    ) -> Option<Objective> {
        let indicator = self.indicator(at, into);
        let goal = self.goal(at, into);
        let scope = self.scope(directory, journeys, at, into);
        let (indicator, (comparison, goal), scope) = (indicator?, goal?, scope?);
        let on_drill = matches!(scope, Scope::Drill(_));
        let per_drill = matches!(indicator, Indicator::UsersRecovered | Indicator::CapacityRestored);
        if per_drill && !on_drill {
            let help = "add `scope: {drill: \"*\"}` for every drill";
            into.wrong(at, "recovery is measured after a drill", help);
        }
        if on_drill && !indicator.has_a_drill() {
            let help =
                "on a drill there are usersRecovered, capacityRestored, failedRequests and pendingPodSeconds";
            let message = format!("{} is not measured on a drill", indicator.name());
            into.wrong(&at.key("scope"), message, help);
        }
        let on_replicas = matches!(indicator, Indicator::ReplicasMax | Indicator::ReplicasMin);
        if on_replicas && !matches!(scope, Scope::Workload(_)) {
            into.wrong(at, "replicas are a workload's", "add `scope: {workload: NAME}`");
        }
        let name = self.name.clone().unwrap_or_else(|| self.describe());
        Some(Objective { name, indicator, scope, comparison, goal })
    }

    /// A name for an objective that has none.
    fn describe(&self) -> String {
        let quantile = self.quantile.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
        let on = match &self.scope {
            None | Some(ScopeFile::All) => String::new(),
            Some(ScopeFile::Workload(name) | ScopeFile::Journey(name) | ScopeFile::Drill(name)) => {
                format!(" of {name}")
            }
        };
        format!("{:?}{quantile}{on}", self.indicator)
    }

    fn indicator(&self, at: &At, into: &mut Findings) -> Option<Indicator> {
        let at_quantile = at.key("quantile");
        match (self.indicator, &self.quantile) {
            (IndicatorName::Latency, Some(text)) => {
                let quantile = into.take(&at_quantile, scalar::quantile(text))?;
                return Some(Indicator::Latency { quantile });
            }
            (IndicatorName::Latency, None) => {
                into.wrong(at, "a latency needs its quantile", "add `quantile: p95`");
                return None;
            }
            (_, Some(_)) => {
                into.wrong(&at_quantile, "only a latency has a quantile", "leave `quantile` out");
            }
            (_, None) => {}
        }
        Some(match self.indicator {
            // Answered above; the median stands for what cannot be.
            IndicatorName::Latency => Indicator::Latency { quantile: 0.5 },
            IndicatorName::Availability => Indicator::Availability,
            IndicatorName::FailedRequests => Indicator::FailedRequests,
            IndicatorName::Throughput => Indicator::Throughput,
            IndicatorName::CarriedUsers => Indicator::CarriedUsers,
            IndicatorName::ReplicasMax => Indicator::ReplicasMax,
            IndicatorName::ReplicasMin => Indicator::ReplicasMin,
            IndicatorName::PodsMax => Indicator::PodsMax,
            IndicatorName::PodsMin => Indicator::PodsMin,
            IndicatorName::NodesMax => Indicator::NodesMax,
            IndicatorName::NodesMin => Indicator::NodesMin,
            IndicatorName::PendingPodSeconds => Indicator::PendingPodSeconds,
            IndicatorName::CostPerMonth => Indicator::CostPerMonth,
            IndicatorName::ScaleEventsPerHour => Indicator::ScaleEventsPerHour,
            IndicatorName::Restarts => Indicator::Restarts,
            IndicatorName::Overload => Indicator::Overload,
            IndicatorName::UsersRecovered => Indicator::UsersRecovered,
            IndicatorName::CapacityRestored => Indicator::CapacityRestored,
            IndicatorName::AvailabilityPerYear => Indicator::AvailabilityPerYear,
        })
    }

    fn goal(&self, at: &At, into: &mut Findings) -> Option<(Comparison, f64)> {
        let (comparison, key, text) = match (&self.at_least, &self.at_most) {
            (Some(text), None) => (Comparison::AtLeast, "atLeast", text),
            (None, Some(text)) => (Comparison::AtMost, "atMost", text),
            (None, None) => {
                into.wrong(at, "nothing says what must be kept", "add `atLeast:` or `atMost:`");
                return None;
            }
            (Some(_), Some(_)) => {
                into.wrong(at, "an objective has one comparison", "make two objectives of it");
                return None;
            }
        };
        let parse: fn(&Scalar) -> Result<f64, Fault> = match self.indicator.unit() {
            Unit::Share => scalar::share,
            Unit::Duration => |text| scalar::duration(text).map(SimDuration::as_secs_f64),
            Unit::Rate => scalar::rate,
            Unit::Number => scalar::number,
        };
        into.take(&at.key(key), parse(text)).map(|goal| (comparison, goal))
    }

    fn scope(
        &self,
        directory: &Directory,
        journeys: &[String],
        at: &At,
        into: &mut Findings,
    ) -> Option<Scope> {
        let at = at.key("scope");
        match self.scope.as_ref().unwrap_or(&ScopeFile::All) {
            ScopeFile::All => Some(Scope::All),
            ScopeFile::Drill(name) => {
                into.take(&at.key("drill"), drill(name)).map(|name| Scope::Drill(name.to_owned()))
            }
            ScopeFile::Workload(name) => {
                into.take(&at.key("workload"), directory.workload(name)).map(Scope::Workload)
            }
            ScopeFile::Journey(name) => {
                let found = journeys.iter().position(|known| known == name).ok_or_else(|| {
                    let help = suggest(name, journeys.iter().map(String::as_str));
                    Fault::new(format!("there is no journey `{name}`"), help)
                });
                into.take(&at.key("journey"), found).map(Scope::Journey)
            }
        }
    }
}

/// A drill's usual name. Drills of one's own are in a file that isn't known here and
/// may be called anything, so only what looks like a slip of the pen is wrong.
fn drill(name: &str) -> Result<&str, Fault> {
    let usual = catalogue::usual_name(name);
    let is_known = usual == "*" || catalogue::is_a_name(usual);
    match nearest(usual, catalogue::NAMES).filter(|_| !is_known) {
        Some(near) => Err(Fault::new(
            format!("there is no drill `{name}`"),
            format!("did you mean `{near}`? A drill of your own needs a name less like it"),
        )),
        None => Ok(usual),
    }
}

impl IndicatorName {
    fn unit(self) -> Unit {
        match self {
            Self::Availability | Self::AvailabilityPerYear | Self::Overload => Unit::Share,
            Self::Latency | Self::UsersRecovered | Self::CapacityRestored | Self::PendingPodSeconds => {
                Unit::Duration
            }
            Self::Throughput => Unit::Rate,
            Self::FailedRequests
            | Self::CarriedUsers
            | Self::ReplicasMax
            | Self::ReplicasMin
            | Self::PodsMax
            | Self::PodsMin
            | Self::NodesMax
            | Self::NodesMin
            | Self::CostPerMonth
            | Self::ScaleEventsPerHour
            | Self::Restarts => Unit::Number,
        }
    }
}

const FACTS: &str = "there is `all`, `journeys`, `workloads`, `cluster` and `users` (models/README.md); numbers are \
                     floating-point: `2.0 * cluster.nodes.max`";

/// Whether a rule is true or false of any run, whichever way its branches go.
fn tried(rule: &Rule, directory: &Directory, journeys: &[String]) -> Result<(), String> {
    /// So many made-up runs: enough to get into every branch of a rule that a
    /// person writes.
    const RUNS: u64 = 32;
    for run in 0..RUNS {
        let mut number = 0;
        let next = || {
            number += 1;
            match run {
                // Zeros would make of a division what it is in no run with requests.
                0 => 1.0,
                _ => 10_f64.powi((draw(run, number) % 12) as i32 - 3),
            }
        };
        let facts = Facts::made_up(journeys, &directory.names(), next);
        rule.holds(&facts.as_object()).map_err(|why| why.to_string())?;
    }
    Ok(())
}

/// What must hold when there is neither a policy nor anybody who asks: pods that
/// follow recorded usage may use what it asks for 99.9 % of the time.
pub fn default_goals_of_usage() -> Goals {
    let objective = Objective {
        name: "overload".to_owned(),
        indicator: Indicator::Overload,
        scope: Scope::All,
        comparison: Comparison::AtMost,
        goal: 0.001,
    };
    Goals { objectives: vec![objective], ..default_goals() }
}

/// What must hold when there is no policy: 99.9 % of requests answered, by
/// convention.
pub fn default_goals() -> Goals {
    let objective = Objective {
        name: "availability".to_owned(),
        indicator: Indicator::Availability,
        scope: Scope::All,
        comparison: Comparison::AtLeast,
        goal: 0.999,
    };
    Goals {
        notes: Vec::new(),
        rules: Vec::new(),
        drills: Vec::new(),
        name: "default".to_owned(),
        objectives: vec![objective],
        confidence: 0.95,
        currency: "USD".to_owned(),
    }
}
