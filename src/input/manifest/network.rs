//! Services and Ingresses: who can be reached, and from where.

use k8s_openapi::api::core::v1::ServiceSpec;
use k8s_openapi::api::networking::v1::{IngressBackend, IngressSpec};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Reading;
use super::object::{Manifest, Object};
use super::set::{IngressRoute, ManifestService};
use crate::input::problem::Problem;
use crate::k8s::labels::Selector;
use crate::scenario::Balancing;
use crate::source::{Node, Value};

pub(super) fn service(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<ServiceSpec>>(&mut reading.problems) else { return };
    let spec = manifest.spec.unwrap_or_default();
    let kind = spec.type_.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("ClusterIP");
    let choices = [("ClusterIP", false), ("NodePort", true), ("LoadBalancer", true), ("ExternalName", false)];
    let outside = reading.choice(object, "spec.type", kind, &choices);
    not_balanced_so(reading, object, &spec);
    let ports = spec.ports.iter().flatten();
    reading.set.services.push(ManifestService {
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        selector: spec.selector.filter(|labels| !labels.is_empty()).map(Selector::of),
        ports: ports.filter_map(|port| u16::try_from(port.port).ok()).collect(),
        external_name: spec.external_name.filter(|_| kind == "ExternalName"),
        reachable_from_outside: outside.unwrap_or(false),
        place: object.place("metadata.name"),
    });
}

/// What a Service says of whom its calls go to beyond "any ready pod".
fn not_balanced_so(reading: &mut Reading<'_>, object: &Object<'_>, spec: &ServiceSpec) {
    let said = |value: &Option<String>, usual: &str| value.as_deref().is_some_and(|value| value != usual);
    let fields = [
        ("sessionAffinity", said(&spec.session_affinity, "None")),
        ("internalTrafficPolicy", said(&spec.internal_traffic_policy, "Cluster")),
        ("externalTrafficPolicy", said(&spec.external_traffic_policy, "Cluster")),
        ("trafficDistribution", spec.traffic_distribution.is_some()),
    ];
    for (field, _) in fields.into_iter().filter(|(_, said)| *said) {
        let note = Problem::note("is not simulated: calls go to all ready pods alike");
        let help = "load may be less even among pods than the answer says";
        reading.field(object, &format!("spec.{field}"), note.help(help));
    }
}

pub(super) fn ingress(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<IngressSpec>>(&mut reading.problems) else { return };
    let spec = manifest.spec.unwrap_or_default();
    let first = reading.set.routes.len();
    let name = |backend: &IngressBackend| backend.service.as_ref().map(|service| service.name.clone());
    if let Some(service) = spec.default_backend.as_ref().and_then(name) {
        route(reading, object, "", "", service, "spec.defaultBackend.service.name");
    }
    for (rule_index, rule) in spec.rules.iter().flatten().enumerate() {
        let host = rule.host.as_deref().unwrap_or_default();
        let paths = rule.http.iter().flat_map(|http| &http.paths).enumerate();
        for (index, path) in paths {
            let place = format!("spec.rules[{rule_index}].http.paths[{index}].backend.service.name");
            if let Some(service) = name(&path.backend) {
                route(reading, object, host, path.path.as_deref().unwrap_or("/"), service, &place);
            }
        }
    }
    balance(reading, object, first);
}

/// An HTTPRoute or GRPCRoute of the Gateway API, or Istio's VirtualService of a
/// gateway: read for where users come in, and for nothing else.
pub(super) fn gateway_route(reading: &mut Reading<'_>, object: &Object<'_>) {
    let items = |node: &Node, key: &str| node.get(key).map(Node::items).unwrap_or_default().to_vec();
    let Some(spec) = object.node.get("spec") else { return };
    let asked =
        |backend: &Node| !matches!(backend.get("weight").map(|node| &node.value), Some(Value::Int(0)));
    let mut backends = Vec::new();
    if object.kind == "VirtualService" {
        // Those of the mesh are for calls within it.
        if items(spec, "gateways").iter().all(|one| one.as_str().is_none_or(|name| name == "mesh")) {
            return;
        }
        for destination in items(spec, "http").iter().flat_map(|rule| items(rule, "route")).filter(asked) {
            // `web`, `web.shop`, `web.shop.svc.cluster.local`.
            let Some(host) = destination.at("destination.host").and_then(Node::as_str) else { continue };
            let mut parts = host.split('.').map(str::to_owned);
            backends.push((parts.next().unwrap_or_default(), parts.next()));
        }
    } else {
        for backend in items(spec, "rules").iter().flat_map(|rule| items(rule, "backendRefs")).filter(asked) {
            let text = |key: &str| backend.get(key).and_then(Node::as_str).map(str::to_owned);
            backends.extend(text("name").map(|name| (name, text("namespace"))));
        }
    }
    for (service, namespace) in backends {
        route(reading, object, "", "", service, "spec");
        // The Service may stand in another namespace than what leads to it.
        if let (Some(route), Some(namespace)) = (reading.set.routes.last_mut(), namespace) {
            route.namespace = namespace;
        }
    }
}

fn route(reading: &mut Reading<'_>, object: &Object<'_>, host: &str, path: &str, service: String, at: &str) {
    reading.set.routes.push(IngressRoute {
        ingress: object.name.clone(),
        namespace: object.namespace.clone(),
        host: host.to_owned(),
        path: path.to_owned(),
        service,
        balancing: None,
        place: object.place(at),
    });
}

/// What an annotation tells ingress-nginx of how to choose a pod, for the routes from
/// `first` on.
fn balance(reading: &mut Reading<'_>, object: &Object<'_>, first: usize) {
    const KEY: &str = "nginx.ingress.kubernetes.io/load-balance";
    let annotations = object.node.at("metadata.annotations");
    let Some(said) = annotations.and_then(|all| all.get(KEY)).and_then(Node::as_str) else { return };
    let balancing = match said {
        "round_robin" => Balancing::RoundRobin,
        "ewma" => Balancing::Ewma,
        other => {
            let message = format!("ingress-nginx doesn't know `{other}` and balances round robin");
            let problem = Problem::warning(message).help("write `round_robin` or `ewma`");
            reading.field(object, &format!("metadata.annotations[\"{KEY}\"]"), problem);
            Balancing::RoundRobin
        }
    };
    for route in &mut reading.set.routes[first..] {
        route.balancing = Some(balancing);
    }
}

/// An Ingress before `networking.k8s.io/v1`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct OldSpec {
    backend: Option<OldBackend>,
    ingress_class_name: Option<IgnoredAny>,
    tls: Option<IgnoredAny>,
    rules: Option<Vec<OldRule>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct OldBackend {
    service_name: Option<String>,
    service_port: Option<IgnoredAny>,
    resource: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldRule {
    host: Option<String>,
    http: Option<OldHttp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldHttp {
    paths: Option<Vec<OldPath>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(dead_code)]
struct OldPath {
    path: Option<String>,
    path_type: Option<IgnoredAny>,
    backend: OldBackend,
}

pub(super) fn old_ingress(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(manifest) = object.decode::<Manifest<OldSpec>>(&mut reading.problems) else { return };
    let spec = manifest.spec.unwrap_or_default();
    let first = reading.set.routes.len();
    if let Some(service) = spec.backend.and_then(|backend| backend.service_name) {
        route(reading, object, "", "", service, "spec.backend.serviceName");
    }
    for (rule_index, rule) in spec.rules.into_iter().flatten().enumerate() {
        let host = rule.host.unwrap_or_default();
        let paths = rule.http.and_then(|http| http.paths).into_iter().flatten().enumerate();
        for (index, path) in paths {
            let place = format!("spec.rules[{rule_index}].http.paths[{index}].backend.serviceName");
            if let Some(service) = path.backend.service_name {
                route(reading, object, &host, path.path.as_deref().unwrap_or("/"), service, &place);
            }
        }
    }
    balance(reading, object, first);
}
