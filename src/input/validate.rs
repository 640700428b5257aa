//! `plan validate`: all files are read and checked, and nothing is simulated.

use crate::input::assemble::{self, Parts};
use crate::input::injected;
use crate::input::manifest::trees::Trees;
use crate::input::problem::{Problem, Severity};
use crate::input::request::{Failure, Reading, Request, name_of};
use crate::input::rules;
use crate::input::traffic::Asked;
use crate::input::traps::{self, Subject};
use crate::source::{Place, Sources};

/// What was found, each with its rule.
#[derive(Debug)]
pub struct Validated {
    /// What was checked: the manifests' file or folder.
    pub name: String,
    /// The problems, by file and line, the worst first on a line.
    pub problems: Vec<Problem>,
    /// All texts that were read.
    pub sources: Sources,
    /// Objects read, by kind.
    pub counts: Vec<(String, usize)>,
    /// Which checks had nothing to go by, and what would help.
    pub not_checked: Vec<&'static str>,
}

/// Reads and checks everything that a request names.
pub fn validate(request: &Request) -> Result<Validated, Failure> {
    let mut reading = Reading::default();
    let mut set = reading.manifests(request)?;
    let trees = Trees::of(&reading.sources);
    let mut documents = reading.documents(request);
    reading.usages(documents.model.as_mut(), request.model.as_deref());
    let trace = documents.traffic.as_ref().and_then(|traffic| {
        let file = traffic.file.load.trace_file()?;
        reading.trace(file, request.traffic.as_deref(), traffic)
    });
    let Reading { sources, mut problems } = reading;
    injected::inject(&mut set, documents.model.as_ref(), &mut problems);
    let parts = Parts {
        set,
        documents,
        asked: Asked { users: request.users, duration: request.duration, trace },
        profile: request.profile.clone(),
        version: request.version.unwrap_or_default(),
        name: name_of(&request.manifests),
        world: request.world.clone(),
    };
    // Names of workloads can't be looked up where some of them didn't read.
    let read = !problems.iter().any(|problem| problem.is_error() && problem.rule.is_none());
    let mut not_checked = Vec::new();
    if read {
        let checked = assemble::check(&parts, &mut problems);
        not_checked = missing(&parts, &checked);
        let subject = Subject {
            set: &parts.set,
            trees: &trees,
            behaviours: &checked.behaviours,
            model: parts.documents.model.as_ref(),
            cluster: checked.cluster.as_ref(),
            goals: checked.goals.as_ref(),
            policy: parts.documents.policy.as_ref(),
            version: parts.version,
        };
        problems.extend(traps::all(&subject));
    }
    let mut problems: Vec<Problem> = problems.into_iter().map(with_rule).collect();
    problems.sort_by(|one, other| position(one).cmp(&position(other)));
    problems.dedup();
    Ok(Validated { name: parts.name, problems, sources, counts: parts.set.counts, not_checked })
}

/// Where it stands, and then the worst first.
fn position(
    problem: &Problem,
) -> (Option<(crate::source::SourceId, usize)>, std::cmp::Reverse<Severity>, &str) {
    let place = problem.place.as_ref().map(|place: &Place| (place.source, place.span.start));
    (place, std::cmp::Reverse(problem.severity), &problem.message)
}

/// What the reader of the files found is a case of a rule, too; a rule decides on
/// how bad that is.
fn with_rule(problem: Problem) -> Problem {
    match (problem.rule, problem.severity) {
        (Some(rule), severity) if problem.why.is_none() && severity > Severity::Note => {
            // A trap says itself where it is milder than usual; the reader doesn't.
            let reader = problem.rule.is_some_and(|rule| READER.contains(&rule));
            if reader { problem.as_bad_as(rule.severity) } else { problem }
        }
        (Some(_), _) => problem,
        (None, Severity::Error) => problem.rule(&rules::UNREADABLE),
        (None, Severity::Warning | Severity::Note) => problem.rule(&rules::NOT_AS_WRITTEN),
    }
}

/// The rules whose cases the reader of manifests finds.
const READER: [&rules::Rule; 8] = [
    &rules::HPA_TARGET_MISSING,
    &rules::HPA_TARGET_FIXED_KIND,
    &rules::HPA_TWICE,
    &rules::HPA_BOUNDS,
    &rules::HPA_NO_REQUEST,
    &rules::HPA_NO_CONTAINER,
    &rules::ROUTE_NOWHERE,
    &rules::LIMIT_BELOW_REQUEST,
];

/// What could not be checked for want of a file.
fn missing(parts: &Parts, checked: &assemble::Checked) -> Vec<&'static str> {
    let all = [
        (parts.documents.model.is_none(), "start-up, shutting down and memory: give --model"),
        (
            checked.cluster.is_none(),
            "whether pods fit the nodes: give --cluster, or Nodes with the manifests",
        ),
        (
            parts.documents.slos.is_none() && checked.goals.is_none(),
            "promises of recovery and zero downtime: give --policy",
        ),
        (
            parts.documents.slos.is_some() && checked.goals.is_none(),
            "what the SLOs are about: give --traffic, which names the journeys",
        ),
    ];
    all.into_iter().filter(|(missing, _)| *missing).map(|(_, what)| what).collect()
}
