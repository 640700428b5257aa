//! Known traps, found without simulating: each a pure check of what the files say.
//!
//! A check knows the manifests, and of model, cluster and policy what was given:
//! it guesses at nothing. The rules of Kubernetes it asks are those of `k8s`.

mod admission;
mod budgets;
mod connections;
mod hpa;
mod network;
mod nodes;
mod pods;
mod probes;
mod promises;
mod rollout;
mod scopes;

use crate::input::document::Document;
use crate::input::manifest::set::{ManifestHpa, ManifestService, ManifestSet, ManifestWorkload};
use crate::input::manifest::trees::{Tree, Trees};
use crate::input::model::ModelFile;
use crate::input::policy::PolicyFile;
use crate::input::problem::{Problem, Severity};
use crate::k8s::version::Version;
use crate::scenario::{Behaviour, Cluster, Container, Goals, Kind};
use crate::source::Place;

/// Everything that is known.
pub struct Subject<'a> {
    /// What the manifests say.
    pub set: &'a ManifestSet,
    /// How they say it.
    pub trees: &'a Trees,
    /// For each workload of the set what the model says of it.
    pub behaviours: &'a [Option<Behaviour>],
    /// Where it says so.
    pub model: Option<&'a Document<ModelFile>>,
    /// The nodes.
    pub cluster: Option<&'a Cluster>,
    /// What must hold.
    pub goals: Option<&'a Goals>,
    /// Where it says so.
    pub policy: Option<&'a Document<PolicyFile>>,
    /// The Kubernetes release.
    pub version: Version,
}

/// All traps in which somebody is, in the order of the checks.
pub fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    for one in subject.workloads() {
        found.extend(hpa::of(subject, &one));
        found.extend(probes::of(&one));
        found.extend(pods::of(&one));
        found.extend(rollout::of(subject, &one));
    }
    found.extend(budgets::all(subject));
    found.extend(network::all(subject));
    found.extend(nodes::all(subject));
    found.extend(admission::all(subject));
    found.extend(promises::all(subject));
    found.extend(connections::all(subject));
    found
}

/// Pods that admission refuses. A simulation makes them all the same, and says so.
pub fn refused(subject: &Subject<'_>) -> Vec<Problem> {
    let simulated = |mut problem: Problem| {
        problem.message += "; simulated without that";
        problem.as_bad_as(Severity::Warning)
    };
    admission::all(subject).into_iter().map(simulated).collect()
}

/// One workload with what the others make of it.
struct One<'a> {
    /// Its place in the set.
    index: usize,
    workload: &'a ManifestWorkload,
    /// What the model says of it.
    behaviour: Option<&'a Behaviour>,
    tree: Option<&'a Tree>,
    /// The HPA that scales it.
    hpa: Option<&'a ManifestHpa>,
    /// Fewest and most replicas that it is meant to have.
    least: u32,
    most: u32,
    /// The Services that lead to its pods.
    services: Vec<&'a ManifestService>,
    /// Whether one of them is reached from outside.
    outside: bool,
}

impl<'a> Subject<'a> {
    /// The workloads, Jobs left out: nobody waits for their answers.
    fn workloads(&self) -> impl Iterator<Item = One<'a>> {
        let all = self.set.workloads.iter().enumerate();
        all.filter(|(_, workload)| workload.kind != Kind::Job).map(|(index, one)| self.one(index, one))
    }

    fn one(&self, index: usize, workload: &'a ManifestWorkload) -> One<'a> {
        let set = self.set;
        let hpa = set.autoscalers.iter().find(|hpa| {
            (&hpa.namespace, &hpa.target_kind, &hpa.target_name)
                == (&workload.namespace, &workload.api_kind, &workload.name)
        });
        let services: Vec<&ManifestService> =
            set.services.iter().filter(|service| service.leads_to(workload)).collect();
        let routed = |service: &&ManifestService| {
            let leads = set.routes.iter();
            service.reachable_from_outside
                || leads.clone().any(|one| one.service == service.name && one.namespace == service.namespace)
        };
        One {
            index,
            workload,
            behaviour: self.behaviours.get(index).and_then(Option::as_ref),
            tree: self.trees.find(&workload.api_kind, &workload.namespace, &workload.name),
            hpa,
            least: hpa.map_or(workload.replicas, |hpa| hpa.spec.min_replicas),
            most: hpa.map_or(workload.replicas, |hpa| hpa.spec.max_replicas.max(hpa.spec.min_replicas)),
            outside: services.iter().any(routed),
            services,
        }
    }
}

impl One<'_> {
    /// `Deployment/web`, for messages.
    fn who(&self) -> String {
        format!("{}/{}", self.workload.api_kind, self.workload.name)
    }

    /// Where a field of the object stands.
    fn place(&self, path: &str) -> Place {
        self.tree.map_or_else(|| self.workload.place.clone(), |tree| tree.place(path))
    }

    /// The path of its pod spec.
    fn pod_path(&self) -> &'static str {
        match self.workload.api_kind.as_str() {
            "Pod" => "spec",
            "CronJob" => "spec.jobTemplate.spec.template.spec",
            _ => "spec.template.spec",
        }
    }

    /// Where a field of the pod spec stands.
    fn pod_place(&self, path: &str) -> Place {
        self.place(&format!("{}.{path}", self.pod_path()))
    }

    /// The main containers, each with its path in the pod spec.
    fn containers(&self) -> impl Iterator<Item = (String, &Container)> {
        let all = self.workload.template.containers.iter().enumerate();
        all.map(|(index, one)| (format!("containers[{index}]"), one))
    }

    /// From container start to listening, in seconds: what it usually takes, and
    /// what one start in a hundred takes. CPU work takes longer under a limit
    /// below a core.
    fn start_up(&self) -> Option<(f64, f64)> {
        let start = &self.behaviour?.start_up;
        let limit = self.workload.template.containers.first().and_then(|one| one.limits.cpu);
        let speed = limit.map_or(1.0, |limit| limit.as_cores().clamp(0.001, 1.0));
        let usual = start.wait.mean() + start.cpu.mean() / speed;
        let slow = start.wait.exceeded_with(0.01) + start.cpu.exceeded_with(0.01) / speed;
        Some((usual, slow.max(usual)))
    }
}
