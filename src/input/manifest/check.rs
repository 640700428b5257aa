//! What only shows when several objects are seen together.

use super::Reading;
use super::object::{Class, Object};
use super::set::{ManifestHpa, ManifestWorkload};
use crate::input::problem::Problem;
use crate::input::rules;
use crate::k8s::hpa::{MetricSpec, ResourceName, ResourceTarget};
use crate::scenario::Container;
use crate::source::Node;

/// Kinds with a `scale` subresource that we know.
const SCALABLE: [&str; 4] = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"];

/// All checks that need the whole set.
pub(super) fn all(reading: &mut Reading<'_>, objects: &[&Object<'_>]) {
    let mut problems = Vec::new();
    for (index, hpa) in reading.set.autoscalers.iter().enumerate() {
        let earlier = &reading.set.autoscalers[..index];
        problems.extend(target(hpa, earlier, &reading.set.workloads, objects));
    }
    for route in &reading.set.routes {
        let known = reading.set.services.iter().any(|service| {
            (service.name.as_str(), &service.namespace) == (route.service.as_str(), &route.namespace)
        });
        if !known && !reading.set.services.is_empty() {
            let message = format!("there is no Service `{}` in what was given", route.service);
            let problem = Problem::warning(message).rule(&rules::ROUTE_NOWHERE);
            let help = "give the Service too, or name one that is there";
            problems.push(problem.at(route.place.clone()).labelled("leads nowhere").help(help));
        }
    }
    problems.extend(objects.iter().filter_map(|object| served_by_another(reading, object, objects)));
    reading.problems.extend(problems);
    for object in objects {
        if let Some(workload) = reading.set.workloads.iter_mut().find(|one| is_made_of(one, object)) {
            workload.injects = injected_into(workload, object, objects);
        }
    }
}

/// The proxy that a mesh's webhook adds to a workload's pods, if it isn't among their
/// containers already. What a pod's own metadata says goes before its namespace's.
/// Istio: <https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/>;
/// Linkerd: <https://linkerd.io/2/features/proxy-injection/>.
fn injected_into(
    workload: &ManifestWorkload,
    object: &Object<'_>,
    objects: &[&Object<'_>],
) -> Option<&'static str> {
    let own = if object.class == Class::Pod { "metadata" } else { "spec.template.metadata" };
    let namespace = objects.iter().find(|one| one.class == Class::Namespace && one.name == object.namespace);
    let said = |node: &Node, path: &str, key: &str| {
        let map = node.at(path)?;
        map.get(key).and_then(Node::as_str).map(str::to_owned)
    };
    let of_pod = |key: &str| {
        let within = |map: &str| said(object.node, &format!("{own}.{map}"), key);
        within("labels").or_else(|| within("annotations"))
    };
    let of_namespace = |map: &str, key: &str| said(namespace?.node, &format!("metadata.{map}"), key);
    let istio = match of_pod("sidecar.istio.io/inject").as_deref() {
        Some(wanted) => wanted == "true",
        None => {
            of_namespace("labels", "istio-injection").as_deref() == Some("enabled")
                || of_pod("istio.io/rev").or_else(|| of_namespace("labels", "istio.io/rev")).is_some()
        }
    };
    let linkerd = of_pod("linkerd.io/inject").or_else(|| of_namespace("annotations", "linkerd.io/inject"));
    let linkerd = linkerd.is_some_and(|wanted| wanted != "disabled");
    let proxy = [(istio, "istio-proxy"), (linkerd, "linkerd-proxy")].into_iter().find(|(is, _)| *is)?.1;
    let template = &workload.template;
    let mut all = template.containers.iter().chain(&template.init_containers);
    all.all(|one| one.name != proxy).then_some(proxy)
}

/// Whether a workload is what an object says.
fn is_made_of(workload: &ManifestWorkload, object: &Object<'_>) -> bool {
    (&workload.api_kind, &workload.name, &workload.namespace)
        == (&object.kind, &object.name, &object.namespace)
}

/// Whether a Service sends to a container that isn't its pod's first.
fn served_by_another(reading: &Reading<'_>, object: &Object<'_>, objects: &[&Object<'_>]) -> Option<Problem> {
    let path = if object.class == Class::Pod { "spec.containers" } else { "spec.template.spec.containers" };
    let containers = object.node.at(path).map(Node::items).filter(|containers| containers.len() > 1)?;
    let workload = reading.set.workloads.iter().find(|one| is_made_of(one, object))?;
    let services = reading.set.services.iter().filter(|service| service.leads_to(workload));
    let written = services.filter_map(|service| {
        objects.iter().find(|one| {
            one.class == Class::Service && (&one.name, &one.namespace) == (&service.name, &service.namespace)
        })
    });
    let index =
        written.filter_map(|service| answering(service, containers)).filter(|index| *index > 0).min()?;
    let place = object.place(&format!("{path}[{index}].name"));
    Some(not_the_first(&object.who(), containers, index).at(place))
}

/// The first of the containers that declares a port which the Service sends to.
fn answering(service: &Object<'_>, containers: &[Node]) -> Option<usize> {
    let listens = |container: &Node, target: &Node| {
        let declared = container.get("ports").map(Node::items).unwrap_or_default().iter();
        let mut said = declared.flat_map(|port| [port.get("name"), port.get("containerPort")]).flatten();
        said.any(|one| one.value == target.value)
    };
    let ports = service.node.at("spec.ports").map(Node::items).unwrap_or_default();
    let answers = |port: &Node| {
        let target = port.get("targetPort").or(port.get("port"))?;
        containers.iter().position(|container| listens(container, target))
    };
    ports.iter().filter_map(answers).min()
}

/// The first container is simulated as the one that answers, and here it isn't.
fn not_the_first(who: &str, containers: &[Node], index: usize) -> Problem {
    let name = |index: usize| containers[index].get("name").and_then(Node::as_str).unwrap_or_default();
    let (first, answers) = (name(0), name(index));
    Problem::warning(format!(
        "{who}: `{answers}` answers its Service, and `{first}` is simulated as if it did"
    ))
    .help("put the container first that does the work: its limits and probes are those simulated")
}

/// What is wrong between an HPA and the workload it scales.
fn target(
    hpa: &ManifestHpa,
    earlier: &[ManifestHpa],
    workloads: &[ManifestWorkload],
    objects: &[&Object<'_>],
) -> Vec<Problem> {
    let same = |kind: &str, name: &str, namespace: &str| {
        (kind, name, namespace) == (&*hpa.target_kind, &*hpa.target_name, &*hpa.namespace)
    };
    let who = format!("{}/{}", hpa.target_kind, hpa.target_name);
    let at_target = |problem: Problem| problem.at(hpa.place.clone());
    if earlier.iter().any(|other| same(&other.target_kind, &other.target_name, &other.namespace)) {
        let problem = at_target(Problem::warning(format!("another HPA scales {who} already")));
        let help = "both stop, with condition AmbiguousSelector; keep one with both metrics";
        return vec![problem.help(help).rule(&rules::HPA_TWICE)];
    }
    let found = workloads.iter().find(|one| same(&one.api_kind, &one.name, &one.namespace));
    let Some(workload) = found else {
        let there = objects.iter().find(|object| same(&object.kind, &object.name, &object.namespace));
        let problem = match there {
            // One that is there but doesn't read has its own error.
            Some(object) if object.class != Class::Other => return Vec::new(),
            Some(_) => Problem::warning(format!("HPA `{}` scales nothing: {who} is not simulated", hpa.name))
                .help("let it scale a Deployment or StatefulSet"),
            None => no_target(hpa, &who, workloads),
        };
        return vec![at_target(problem).rule(&rules::HPA_TARGET_MISSING)];
    };
    if !SCALABLE.contains(&workload.api_kind.as_str()) {
        let message = format!("a {} cannot be scaled", workload.api_kind);
        return vec![at_target(Problem::error(message)).rule(&rules::HPA_TARGET_FIXED_KIND)];
    }
    let hpa_class = |object: &&&Object<'_>| matches!(object.class, Class::Hpa(_));
    let object = objects
        .iter()
        .filter(hpa_class)
        .find(|object| object.name == hpa.name && object.namespace == hpa.namespace);
    let place = |index: usize| {
        object.map_or(hpa.place.clone(), |object| object.place(&format!("spec.metrics[{index}]")))
    };
    let metrics = hpa.spec.metrics.iter().enumerate();
    metrics.filter_map(|(index, metric)| Some(metric_problem(metric, workload)?.at(place(index)))).collect()
}

/// The warning for a target that isn't there, with where it is perhaps.
fn no_target(hpa: &ManifestHpa, who: &str, workloads: &[ManifestWorkload]) -> Problem {
    let problem =
        Problem::warning(format!("HPA `{}` scales nothing: {who} is not in what was given", hpa.name));
    let elsewhere =
        workloads.iter().find(|one| one.name == hpa.target_name && one.api_kind == hpa.target_kind);
    if let Some(one) = elsewhere {
        let (there, here) = (&one.namespace, &hpa.namespace);
        return problem.help(format!("there is one in namespace `{there}`, but the HPA is in `{here}`"));
    }
    if let Some(one) =
        workloads.iter().find(|one| one.name == hpa.target_name && one.namespace == hpa.namespace)
    {
        return problem.help(format!("there is a {} of that name", one.api_kind));
    }
    let near =
        workloads.iter().filter(|one| one.namespace == hpa.namespace && one.api_kind == hpa.target_kind);
    match crate::source::closest(&hpa.target_name, near.map(|one| one.name.as_str())) {
        Some(name) => problem.help(format!("did you mean `{name}`?")),
        None => problem.help("give its manifest, too"),
    }
}

/// Whether the HPA controller can compute a metric for a workload at all: it
/// divides usage by the sum of the requests, and gives up if one is missing.
fn metric_problem(metric: &MetricSpec, workload: &ManifestWorkload) -> Option<Problem> {
    // What the others are made of, the model says (`input::custom_metrics`).
    let MetricSpec::Resource { resource, container, target } = metric else { return None };
    let template = &workload.template;
    let sidecars = template.init_containers.iter().filter(|container| container.sidecar);
    let all: Vec<&Container> = template.containers.iter().chain(sidecars).collect();
    let who = format!("{}/{}", workload.api_kind, workload.name);
    if let Some(wanted) = container
        && !all.iter().any(|one| one.name == *wanted)
    {
        let problem = Problem::warning(format!("{who} has no container `{wanted}`"));
        return Some(problem.rule(&rules::HPA_NO_CONTAINER));
    }
    if !matches!(target, ResourceTarget::Utilization(_)) {
        return None;
    }
    let requested = |one: &Container| match resource {
        ResourceName::Cpu => one.requests.cpu.is_some(),
        ResourceName::Memory => one.requests.memory.is_some(),
        ResourceName::Other(_) => true,
    };
    let counted = all.iter().filter(|one| container.as_ref().is_none_or(|name| one.name == *name));
    let without: Vec<String> =
        counted.filter(|one| !requested(one)).map(|one| format!("`{}`", one.name)).collect();
    if without.is_empty() {
        return None;
    }
    let name = if *resource == ResourceName::Cpu { "CPU" } else { "memory" };
    let containers = without.join(", ");
    let message =
        format!("this HPA can't compute {name} utilization: {who} has no {name} request for {containers}");
    let help = "give every container a request; without it the HPA does nothing";
    Some(Problem::warning(message).help(help).rule(&rules::HPA_NO_REQUEST))
}
