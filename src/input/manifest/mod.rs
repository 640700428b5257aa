//! Kubernetes manifests in, one [`ManifestSet`] out, with every problem found.
//!
//! Objects are read as kubectl reads them and defaulted as the API server and
//! its admission plugins default them. What would be refused there is an error
//! here; what is read but has no effect on a simulation is said once.

mod check;
mod cluster;
mod custom;
mod files;
mod hpa;
pub mod live;
mod mesh;
mod network;
mod object;
mod placement;
mod pod;
mod resources;
pub mod set;
pub mod trees;
mod workload;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use files::Failure;
pub use set::ManifestSet;

use crate::input::problem::{self, Problem};
use crate::source::{Node, Place, SourceId, Sources};
use cluster::Surroundings;
use object::{Class, Object};

/// Reads manifests from files, directories (recursively, `*.yaml`, `*.yml` and
/// `*.json` in order of their names) and standard input (`-`). A directory or
/// file that is a kustomization is built first.
pub fn read(paths: &[PathBuf], sources: &mut Sources) -> Result<(ManifestSet, Vec<Problem>), Failure> {
    let (texts, mut problems) = files::collect(paths)?;
    // Where no file could be read, that there are no objects is no news.
    let nothing_read = texts.is_empty() && !problems.is_empty();
    let (set, found) = read_texts(texts, sources);
    if !nothing_read {
        problems.extend(found);
    }
    Ok((set, problems))
}

/// The texts behind paths, a kustomization built, with their names.
pub fn texts(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    files::collect(paths).map(|(texts, _)| texts)
}

/// The same where all of them can be read; `None` where reading them has something to
/// say.
pub fn readable_texts(paths: &[PathBuf]) -> Option<Vec<(String, String)>> {
    let (texts, problems) = files::collect(paths).ok()?;
    (problems.is_empty() && !texts.is_empty()).then_some(texts)
}

/// Reads manifests from memory: names, as messages show them, and texts.
pub fn read_texts(texts: Vec<(String, String)>, sources: &mut Sources) -> (ManifestSet, Vec<Problem>) {
    let mut problems = Vec::new();
    let ids: Vec<SourceId> = texts.into_iter().map(|(name, text)| sources.add(name, text)).collect();
    let documents: Vec<Node> =
        ids.iter().flat_map(|id| problem::parse(sources, *id, &mut problems)).collect();
    let objects = object::objects(&documents, &mut problems);
    if objects.is_empty() && problems.is_empty() {
        problems.push(Problem::error("there are no Kubernetes objects in what was given"));
    }
    let mut reading = Reading { set: ManifestSet::default(), problems, sources };
    reading.count(&objects);
    let unique = reading.without_repeated(&objects);
    let surroundings = cluster::surroundings(&mut reading, &unique);
    for object in &unique {
        reading.object(object, &surroundings);
    }
    check::all(&mut reading, &unique);
    custom::all(&mut reading, &unique);
    (reading.set, reading.problems)
}

/// Kinds besides Ingress that lead users to Services.
const GATEWAY_ROUTES: [&str; 3] = ["HTTPRoute", "GRPCRoute", "VirtualService"];

/// The mesh's kind that says which connections callers keep.
const DESTINATION_RULE: &str = "DestinationRule";

/// What has been read so far.
struct Reading<'a> {
    set: ManifestSet,
    problems: Vec<Problem>,
    sources: &'a Sources,
}

impl Reading<'_> {
    /// Adds one object to the set.
    fn object(&mut self, object: &Object<'_>, surroundings: &Surroundings) {
        if surroundings.owns(object) || object.is_old_revision() {
            return;
        }
        match object.class {
            Class::Deployment => workload::deployment(self, object, surroundings),
            Class::StatefulSet => workload::stateful_set(self, object, surroundings),
            Class::DaemonSet => workload::daemon_set(self, object, surroundings),
            Class::ReplicaSet => workload::replica_set(self, object, surroundings),
            Class::ReplicationController => workload::replication_controller(self, object, surroundings),
            Class::Pod => workload::pod(self, object, surroundings),
            Class::Job => workload::job(self, object, surroundings),
            Class::CronJob => workload::cron_job(self, object, surroundings),
            Class::Hpa(version) => hpa::read(self, object, version),
            Class::Budget => cluster::budget(self, object),
            Class::Service => network::service(self, object),
            Class::Ingress => network::ingress(self, object),
            Class::OldIngress => network::old_ingress(self, object),
            Class::Node => cluster::node(self, object),
            Class::Other if GATEWAY_ROUTES.contains(&object.kind.as_str()) => {
                network::gateway_route(self, object);
            }
            Class::Other if object.kind == DESTINATION_RULE => mesh::destination_rule(self, object),
            Class::Quota => cluster::quota(self, object),
            // These have done their work in the surroundings, or need nothing more.
            Class::Namespace | Class::LimitRange | Class::PriorityClass | Class::Claim | Class::Other => {}
        }
    }

    /// Counts the objects by kind: simulated ones, and those without effect.
    fn count(&mut self, objects: &[Object<'_>]) {
        let (mut read, mut other) = (BTreeMap::new(), BTreeMap::new());
        for object in objects {
            let kind = object.kind.as_str();
            let is_read =
                object.class != Class::Other || GATEWAY_ROUTES.contains(&kind) || kind == DESTINATION_RULE;
            let counts = if is_read { &mut read } else { &mut other };
            *counts.entry(object.kind.clone()).or_insert(0) += 1;
        }
        self.set.counts = read.into_iter().collect();
        self.set.not_simulated = other.into_iter().collect();
    }

    /// The objects without those that are defined before; each of these is an
    /// error.
    fn without_repeated<'o>(&mut self, objects: &'o [Object<'o>]) -> Vec<&'o Object<'o>> {
        let mut seen: BTreeMap<(String, String, String), Place> = BTreeMap::new();
        let mut unique = Vec::new();
        for object in objects {
            // Every part of an application may bring the namespace along.
            if matches!(object.class, Class::Other | Class::Namespace) || object.name.is_empty() {
                unique.push(object);
                continue;
            }
            let key = (object.kind.clone(), object.namespace.clone(), object.name.clone());
            let Some(first) = seen.get(&key) else {
                seen.insert(key, object.place("metadata.name"));
                unique.push(object);
                continue;
            };
            let first = self.sources.describe(first);
            let problem = Problem::error(format!("{} is defined twice", object.who()));
            self.problems.push(
                problem
                    .at(object.place("metadata.name"))
                    .labelled("defined here again")
                    .help(format!("the first is at {first}; remove one, or give only one of the files")),
            );
        }
        unique
    }

    /// Reports what is wrong with a field of an object.
    fn field(&mut self, object: &Object<'_>, path: &str, problem: Problem) {
        let mut problem = problem;
        problem.message = format!("{path}: {}", problem.message);
        let place = object.place(path);
        self.problems.push(problem.at(place));
    }

    /// Which of `choices` a field says; an error where it is none of them.
    fn choice<T: Copy>(
        &mut self,
        object: &Object<'_>,
        path: &str,
        given: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == given) {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = match crate::source::closest(given, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("expected one of `{}`", names.join("`, `")),
        };
        self.field(object, path, Problem::error(format!("`{given}` is not among the choices")).help(help));
        None
    }
}
