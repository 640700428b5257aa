//! Custom resources that make pods or scale them. Nothing is made of them, and that
//! changes what a simulation finds: it is said where they stand.

use super::Reading;
use super::object::{Class, Object};
use crate::input::problem::Problem;
use crate::source::Node;

/// Where such a resource says what pods it makes, or whose.
const PODS: [&str; 3] =
    ["spec.template.spec.containers", "spec.jobTargetRef.template.spec.containers", "spec.workloadRef"];

/// A warning for each whose effect isn't in the input as an object of Kubernetes' own.
pub(super) fn all(reading: &mut Reading<'_>, objects: &[&Object<'_>]) {
    for object in objects.iter().filter(|object| object.class == Class::Other) {
        let made = |other: &&&Object<'_>| {
            other.namespace == object.namespace
                && other.owners().any(|owner| owner == (object.kind.as_str(), object.name.as_str()))
        };
        if objects.iter().any(|other| made(&other)) {
            continue;
        }
        let says = |path: &str| object.node.at(path);
        let recommends = says("spec.updatePolicy.updateMode").and_then(Node::as_str) == Some("Off");
        let pods = PODS.into_iter().find(|path| says(path).is_some());
        let (path, what, help) = match (object.kind.as_str(), pods) {
            (_, Some(path)) => (
                path,
                "the pods that it makes are",
                "write a Deployment in its place, or give what it has made as `kubectl get -o yaml` prints it",
            ),
            ("ScaledObject", None) => (
                "spec.scaleTargetRef",
                "what it scales is",
                "give the HPA that KEDA has made of it, which is called `keda-hpa-` and its name",
            ),
            ("VerticalPodAutoscaler", None) if !recommends => (
                "spec.targetRef",
                "what it changes about requests is",
                "they stay as they are written; write those that it recommends",
            ),
            _ => continue,
        };
        let problem = Problem::warning(format!("{}: {what} not simulated", object.who()));
        reading.problems.push(problem.at(object.place(path)).help(help));
    }
}
