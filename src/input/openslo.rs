//! OpenSLO v1 documents as a policy (<https://github.com/OpenSLO/OpenSLO>, the
//! specification of `openslo/v1`).
//!
//! A ratio of good requests with a target is an availability; a threshold on a
//! latency with a target is a quantile of it. What an SLO is about is the journey
//! or workload that its `service` names, or that its annotations
//! `plan/journey` and `plan/workload` name.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::input::directory::Directory;
use crate::input::document::Document;
use crate::input::findings::{At, Findings};
use crate::input::problem::{self, Problem};
use crate::input::scalar::{self, Fault, Scalar};
use crate::scenario::{Comparison, Goals, Indicator, Objective, Scope};
use crate::source::{Node, SourceId, Sources};

/// How `apiVersion` begins.
const GROUP: &str = "openslo/";
/// The version that is read.
const VERSION: &str = "openslo/v1";
/// Kinds that an SLO rests on or that watch over it, and that say no goal.
const OTHERS: [&str; 6] =
    ["Service", "DataSource", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"];
const ON_ALL: &str = "all";

/// The SLOs of a file, with what they refer to.
pub struct Slos {
    all: Vec<(Node, Document<SloSpec>)>,
    indicators: BTreeMap<String, Document<IndicatorSpec>>,
    source: SourceId,
}

/// `spec` of an SLO.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SloSpec {
    #[serde(rename = "description")]
    _description: Option<String>,
    service: String,
    indicator: Option<InlineIndicator>,
    indicator_ref: Option<String>,
    time_window: Option<Vec<TimeWindow>>,
    budgeting_method: Option<BudgetingMethod>,
    objectives: Vec<ObjectiveSpec>,
    #[serde(rename = "alertPolicies")]
    _alerts: Option<Ignored>,
}

/// A tree that says nothing to us.
#[derive(Clone, Debug, PartialEq)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| Self)
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct InlineIndicator {
    #[serde(rename = "metadata")]
    _metadata: Option<Ignored>,
    spec: IndicatorSpec,
}

/// `spec` of an SLI: which of the two it has is all that counts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IndicatorSpec {
    #[serde(rename = "description")]
    _description: Option<String>,
    threshold_metric: Option<Ignored>,
    ratio_metric: Option<Ignored>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimeWindow {
    duration: Scalar,
    #[serde(rename = "isRolling")]
    _rolling: Option<bool>,
    #[serde(rename = "calendar")]
    _calendar: Option<Ignored>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum BudgetingMethod {
    Occurrences,
    Timeslices,
    RatioTimeslices,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ObjectiveSpec {
    display_name: Option<String>,
    op: Option<Operator>,
    value: Option<Scalar>,
    target: Option<Scalar>,
    target_percent: Option<Scalar>,
    time_slice_target: Option<Scalar>,
    time_slice_window: Option<Scalar>,
    indicator: Option<InlineIndicator>,
    indicator_ref: Option<String>,
    composite_weight: Option<Scalar>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operator {
    Lte,
    Lt,
    Gte,
    Gt,
}

/// Whether a text holds OpenSLO documents.
pub fn is_openslo(sources: &Sources, id: SourceId) -> bool {
    let documents = problem::parse(sources, id, &mut Vec::new());
    let group =
        |node: &Node| node.get("apiVersion").and_then(Node::as_str).is_some_and(|one| one.starts_with(GROUP));
    documents.first().is_some_and(group)
}

/// The SLOs of a text.
pub fn read(sources: &Sources, id: SourceId, problems: &mut Vec<Problem>) -> Option<Slos> {
    let before = problems.len();
    let (mut slos, mut indicators) = (Vec::new(), BTreeMap::new());
    for node in problem::parse(sources, id, problems) {
        let text = |path: &str| node.at(path).and_then(Node::as_str).unwrap_or_default().to_owned();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if version != VERSION {
            let problem =
                Problem::error(format!("expected `apiVersion: {VERSION}`")).at(node.nearest("apiVersion"));
            problems.push(problem.help("all documents of this file are read as OpenSLO"));
        } else if kind == "SLO" {
            let spec = node.get("spec").and_then(|spec| Document::<SloSpec>::of(spec, problems));
            slos.extend(spec.map(|spec| (node.clone(), spec)));
        } else if kind == "SLI" {
            let spec = node.get("spec").and_then(|spec| Document::<IndicatorSpec>::of(spec, problems));
            indicators.extend(spec.map(|spec| (text("metadata.name"), spec)));
        } else if !OTHERS.contains(&kind.as_str()) {
            let problem = Problem::error(format!("`{kind}` is no kind of OpenSLO")).at(node.nearest("kind"));
            problems.push(problem.help("kinds are SLO, SLI, Service, DataSource and those of alerts"));
        }
    }
    if slos.is_empty() && problems.len() == before {
        problems.push(
            Problem::error(format!("there is no SLO in {}", sources.name(id))).help("add one: `kind: SLO`"),
        );
    }
    (problems.len() == before).then_some(Slos { all: slos, indicators, source: id })
}

impl Slos {
    /// The text that they stand in.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// What they ask for. `base` are the goals without any.
    pub fn goals(
        &self,
        directory: &Directory,
        journeys: &[String],
        base: Goals,
        problems: &mut Vec<Problem>,
    ) -> Goals {
        let mut goals = Goals { name: "slo".to_owned(), objectives: Vec::new(), ..base };
        for (node, document) in &self.all {
            let mut found = Findings::default();
            let name = node.at("metadata.name").and_then(Node::as_str).unwrap_or("slo");
            let scope = document.file.scope(node, directory, journeys, problems);
            let latency = self.is_latency(&document.file, &At::root(), &mut found);
            let read = Reading { slo: name, several: document.file.objectives.len() > 1, latency, node };
            for (index, file) in document.file.objectives.iter().enumerate() {
                let at = At::root().key("objectives").index(index);
                let objective = read.objective(file, &at, &mut found);
                if let (Some(objective), Some(scope)) = (objective, &scope) {
                    goals.objectives.push(Objective { scope: scope.clone(), ..objective });
                }
            }
            document.file.check(&mut found);
            document.report(found, problems);
            for window in document.file.time_window.iter().flatten() {
                goals.notes.push(format!(
                    "SLO `{name}` is over {}; here the observed time is judged",
                    window.duration
                ));
            }
        }
        goals
    }

    /// Whether an SLO is on a threshold: a latency, as far as we can tell.
    fn is_latency(&self, slo: &SloSpec, at: &At, into: &mut Findings) -> bool {
        let spec = match (&slo.indicator, &slo.indicator_ref) {
            (Some(inline), _) => Some(&inline.spec),
            (None, Some(name)) => {
                let found = self.indicators.get(name).map(|one| &one.file);
                if found.is_none() {
                    let help = "an SLI of this name must stand in the same file";
                    into.wrong(&at.key("indicatorRef"), format!("there is no SLI `{name}`"), help);
                }
                found
            }
            (None, None) => None,
        };
        let ratio = spec.is_some_and(|spec| spec.ratio_metric.is_some());
        spec.is_some_and(|spec| spec.threshold_metric.is_some()) && !ratio
    }
}

impl SloSpec {
    /// What can't be judged here.
    fn check(&self, into: &mut Findings) {
        let at = At::root();
        if self.budgeting_method.is_some_and(|method| method != BudgetingMethod::Occurrences) {
            let message = "time slices are not judged, only requests are";
            into.wrong(&at.key("budgetingMethod"), message, "`Occurrences` counts requests");
        }
    }

    /// What it is about.
    fn scope(
        &self,
        node: &Node,
        directory: &Directory,
        journeys: &[String],
        problems: &mut Vec<Problem>,
    ) -> Option<Scope> {
        let annotations = node.get("metadata").and_then(|one| one.get("annotations"));
        let annotation = |key: &str| annotations.and_then(|one| one.get(key));
        let journey = |name: &str| journeys.iter().position(|known| known == name).map(Scope::Journey);
        let workload = |name: &str| directory.workload(name).ok().map(Scope::Workload);
        for (key, find) in
            [("plan/journey", &journey as &dyn Fn(&str) -> Option<Scope>), ("plan/workload", &workload)]
        {
            let Some(value) = annotation(key) else { continue };
            let name = value.as_str().unwrap_or_default();
            let found = find(name);
            if found.is_none() {
                let problem =
                    Problem::error(format!("there is no such {}: `{name}`", &key[5..])).at(value.place());
                problems.push(problem.help(there_is(directory, journeys)));
            }
            return found;
        }
        let found = if self.service == ON_ALL {
            Some(Scope::All)
        } else {
            journey(&self.service).or_else(|| workload(&self.service))
        };
        if found.is_none() {
            let message = format!("service `{}` is neither a journey nor a workload", self.service);
            let help = there_is(directory, journeys)
                + "; say which by the SLO's annotation `plan/journey` or `plan/workload`, or name the service `all`";
            problems.push(Problem::error(message).at(node.nearest("spec.service")).help(help));
        }
        found
    }
}

fn there_is(directory: &Directory, journeys: &[String]) -> String {
    format!("journeys are {}; workloads are {}", journeys.join(", "), directory.names().join(", "))
}

/// What is read.
struct Reading<'a> {
    slo: &'a str,
    several: bool,
    latency: bool,
    node: &'a Node,
}

impl Reading<'_> {
    /// One objective, on everything.
    fn objective(&self, file: &ObjectiveSpec, at: &At, into: &mut Findings) -> Option<Objective> {
        let refused = [
            ("indicator", file.indicator.is_some()),
            ("indicatorRef", file.indicator_ref.is_some()),
            ("compositeWeight", file.composite_weight.is_some()),
            ("timeSliceTarget", file.time_slice_target.is_some()),
            ("timeSliceWindow", file.time_slice_window.is_some()),
        ];
        for (key, _) in refused.iter().filter(|(_, there)| *there) {
            into.wrong(
                &at.key(key),
                "composite SLOs and time slices are not judged",
                "make SLOs of their own of them",
            );
        }
        let target = target(file, at, into)?;
        let name = match &file.display_name {
            Some(name) if self.several => format!("{}: {name}", self.slo),
            _ => self.slo.to_owned(),
        };
        if !self.latency {
            let (indicator, comparison) = (Indicator::Availability, Comparison::AtLeast);
            return Some(Objective { name, indicator, scope: Scope::All, comparison, goal: target });
        }
        let at_op = at.key("op");
        if !matches!(file.op, Some(Operator::Lte | Operator::Lt)) {
            into.wrong(&at_op, "a latency is kept below something", "write `op: lte`");
        }
        let Some(value) = &file.value else {
            into.wrong(at, "a threshold needs its value", "add `value: 0.3`, in seconds");
            return None;
        };
        let value = into.take(&at.key("value"), scalar::number(value))? * self.unit(at, into);
        let (indicator, comparison) = (Indicator::Latency { quantile: target }, Comparison::AtMost);
        Some(Objective { name, indicator, scope: Scope::All, comparison, goal: value })
    }

    /// Seconds of the threshold's unit: seconds, unless the annotation
    /// `plan/unit` says `ms`.
    fn unit(&self, at: &At, into: &mut Findings) -> f64 {
        let annotations = self.node.get("metadata").and_then(|one| one.get("annotations"));
        match annotations.and_then(|one| one.get("plan/unit")).and_then(Node::as_str) {
            None | Some("s") => 1.0,
            Some("ms") => 1e-3,
            Some(other) => {
                into.wrong(
                    &at.key("value"),
                    format!("unknown unit `{other}`"),
                    "annotation `plan/unit` is s or ms",
                );
                1.0
            }
        }
    }
}

/// The target as a share.
fn target(file: &ObjectiveSpec, at: &At, into: &mut Findings) -> Option<f64> {
    let read = match (&file.target, &file.target_percent) {
        (Some(share), None) => into.take(&at.key("target"), scalar::share(share)),
        (None, Some(percent)) => {
            let share = scalar::share(&Scalar::from(format!("{percent}%").as_str()));
            into.take(&at.key("targetPercent"), share)
        }
        (None, None) | (Some(_), Some(_)) => {
            into.wrong(at, "an objective needs its target, once", "add `target: 0.999`");
            None
        }
    };
    let inside = |share: &f64| (0.0..1.0).contains(share);
    match read {
        Some(share) if !inside(&share) => {
            let fault = Fault::new("a target lies below 1", "0.999 is usual");
            into.take(at, Err(fault))
        }
        other => other,
    }
}
