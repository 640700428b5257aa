//! Traps of autoscalers.

use super::{One, Subject};
use crate::input::manifest::set::ManifestHpa;
use crate::input::manifest::trees::Tree;
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::hpa::{MetricSpec, ResourceName, ResourceTarget};
use crate::scenario::MemoryModel;
use crate::source::Place;
use crate::units::Bytes;
use crate::units::figures::{bytes, count};

pub(super) fn of(subject: &Subject<'_>, one: &One<'_>) -> Vec<Problem> {
    let Some(hpa) = one.hpa else { return Vec::new() };
    let place = |path: &str| {
        let tree = subject.trees.find("HorizontalPodAutoscaler", &hpa.namespace, &hpa.name);
        tree.map_or_else(|| hpa.place.clone(), |tree| tree.place(path))
    };
    let mut found = Vec::new();
    found.extend(replicas_beside(one, hpa));
    found.extend(fixed(hpa, &place));
    found.extend(memory(one, hpa, &place));
    found
}

/// `spec.replicas` beside an HPA. In an object that the API server wrote it only
/// says how many there are.
fn replicas_beside(one: &One<'_>, hpa: &ManifestHpa) -> Option<Problem> {
    let replicas = one.workload.replicas;
    if !one.workload.replicas_stated || one.tree.is_some_and(Tree::is_live) {
        return None;
    }
    let (min, max) = (hpa.spec.min_replicas, hpa.spec.max_replicas);
    let message = format!("{} says `replicas: {replicas}`, and HPA `{}` scales it", one.who(), hpa.name);
    let why = if replicas >= max {
        format!("every apply makes it {replicas}, which the HPA takes up to 5 min to bring down again")
    } else {
        format!(
            "an apply while the HPA has it at {max} takes {} of {max} pods away at once; the HPA notices \
             within 15 s, and new pods need their start-up",
            max - replicas.min(max)
        )
    };
    let help = format!(
        "leave `spec.replicas` out; where it was applied before, first run `kubectl apply \
         edit-last-applied` and remove it there, or the next apply makes it 1{}",
        if replicas < min { format!(" (the HPA would keep at least {min})") } else { String::new() }
    );
    Some(
        Problem::trap(&rules::REPLICAS_BESIDE_HPA, message)
            .at(one.place("spec.replicas"))
            .why(why)
            .help(help),
    )
}

fn fixed(hpa: &ManifestHpa, place: &dyn Fn(&str) -> Place) -> Option<Problem> {
    let (min, max) = (hpa.spec.min_replicas, hpa.spec.max_replicas);
    if min != max {
        return None;
    }
    let message = format!("HPA `{}` has minReplicas and maxReplicas {max}", hpa.name);
    let help = "raise maxReplicas to what the peak needs, or drop the HPA and say `spec.replicas`";
    Some(Problem::trap(&rules::HPA_FIXED, message).at(place("spec.maxReplicas")).help(help))
}

fn memory(one: &One<'_>, hpa: &ManifestHpa, place: &dyn Fn(&str) -> Place) -> Option<Problem> {
    let wanted = |metric: &MetricSpec| match metric {
        MetricSpec::Resource { resource: ResourceName::Memory, container: None, target } => Some(*target),
        _ => None,
    };
    let (index, target) =
        hpa.spec.metrics.iter().enumerate().find_map(|(index, metric)| Some((index, wanted(metric)?)))?;
    let requested: Option<Vec<Bytes>> =
        one.workload.template.containers.iter().map(|container| container.requests.memory).collect();
    let requested = requested.map(|all| all.into_iter().sum::<Bytes>().0 as f64);
    let at = match target {
        ResourceTarget::Utilization(percent) => requested.map(|sum| sum * f64::from(percent) / 100.0),
        ResourceTarget::AverageValue(milli) => Some(milli as f64 / 1e3),
    };
    let message = format!("HPA `{}` scales {} by memory", hpa.name, one.who());
    let problem = Problem::trap(&rules::HPA_MEMORY, message).at(place(&format!("spec.metrics[{index}]")));
    let help = "scale by CPU or by requests, and size memory by requests and limits";
    let problem = problem.help(help);
    match (one.behaviour.map(|behaviour| behaviour.memory), at) {
        (Some(memory), Some(at)) => Some(by_model(problem, memory, at)),
        _ => Some(problem),
    }
}

/// What the model says of memory against the bytes a pod is to be kept at.
fn by_model(problem: Problem, memory: MemoryModel, at: f64) -> Problem {
    let (base, each) = (memory.base.0 as f64, memory.per_request.0 as f64);
    let (rest, target) = (bytes(base), bytes(at));
    if base >= at {
        let why = format!("a pod at rest has {rest}, above the target of {target}: it stays at maxReplicas");
        return problem.why(why).as_bad_as(Severity::Error);
    }
    if memory.leak > Bytes::ZERO {
        let served = count((at - base) / memory.leak.0 as f64);
        let why = format!(
            "each request leaks {}: after {served} requests a pod is at the target of {target}, and more \
             pods don't bring it down",
            memory.leak
        );
        return problem.why(why).as_bad_as(Severity::Warning);
    }
    let why = if each > 0.0 {
        let held = count((at - base) / each);
        format!("a pod has {rest} at rest; the target of {target} takes {held} requests in progress in each")
    } else {
        format!("a pod has {rest} whatever its requests, so the target of {target} is never reached")
    };
    problem.why(format!("{why}, so that this metric says little of the load"))
}
