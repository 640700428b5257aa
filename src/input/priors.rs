//! What is known of software in general: a workload without a model is
//! recognised by its image, name or ports, and guessed at.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::input::embedded;
use crate::input::manifest::set::{ManifestHpa, ManifestService, ManifestSet, ManifestWorkload};
use crate::input::model::{CallFile, CallSpec, StepFile, WorkloadFile};
use crate::input::sidecars::{self, Companion, SidecarFile};
use crate::input::uncertain::Named;
use crate::scenario::{Container, Kind};

/// `models/priors.yaml`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Library {
    /// What the short names of sources stand for.
    pub sources: Named<String>,
    /// The kinds of software, the special before the general.
    pub kinds: Named<Software>,
    /// Software that stands beside others in their pods.
    pub companions: Named<Companion>,
}

/// A kind of software.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Software {
    /// What it is for.
    pub role: Role,
    /// Words of its images and names.
    pub words: Vec<String>,
    /// Ports that give it away.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// What such a workload does.
    pub workload: WorkloadFile,
}

/// What software is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves users or other services.
    Service,
    /// Keeps data.
    Database,
    /// Keeps data that may be lost.
    Cache,
    /// Passes messages on.
    Queue,
    /// Watches or tests the others; users don't come to it.
    Tool,
}

/// What a workload is taken for.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    /// The kind's name in the library.
    pub kind: String,
    /// What it is for.
    pub role: Role,
    /// By what it was recognised.
    pub recognised_by: String,
    /// What it does, without calls to others.
    pub workload: WorkloadFile,
}

/// The built-in library.
///
/// # Panics
/// When the embedded file does not read, which a test rules out.
pub fn library() -> Library {
    embedded::read("models/priors.yaml")
}

impl Library {
    /// What a workload probably is: by the image of its first container, which serves,
    /// else by its name, else by the ports of its Services, else the last kind.
    pub fn recognise(&self, workload: &ManifestWorkload, services: &[ManifestService]) -> Guess {
        let image = workload.template.containers.first().map(|container| path_of(&container.image));
        let by_image = image.and_then(|image| {
            let found = self.kinds.0.iter().find(|(_, software)| software.fits(&image));
            found.map(|(kind, software)| (kind, software, format!("image {image}")))
        });
        let by_name = || {
            let found = self.kinds.0.iter().find(|(_, software)| software.fits(&workload.name));
            found.map(|(kind, software)| (kind, software, format!("name {}", workload.name)))
        };
        let by_port = || {
            let mut ports =
                services.iter().filter(|service| service.leads_to(workload)).flat_map(|it| &it.ports);
            ports.find_map(|port| {
                let found = self.kinds.0.iter().find(|(_, software)| software.ports.contains(port));
                found.map(|(kind, software)| (kind, software, format!("port {port}")))
            })
        };
        let anything = || {
            let (kind, software) = self.kinds.0.last().expect("the library has a kind for everything");
            (kind, software, "nothing in particular".to_owned())
        };
        let found = by_image.or_else(by_name).or_else(by_port);
        let (kind, software, recognised_by) = found.unwrap_or_else(anything);
        let workload = software.workload.clone();
        Guess { kind: kind.clone(), role: software.role, recognised_by, workload }
    }

    /// What is known of the containers beside a workload's serving one: by their images,
    /// else by their names.
    pub fn companions(&self, workload: &ManifestWorkload) -> Named<SidecarFile> {
        let known = |one: &Container| Some((one.name.clone(), self.companion(one)?.1.sidecar.clone()));
        Named(sidecars::beside(&workload.template).filter_map(known).collect())
    }

    /// What a container beside a serving one probably is, with its name in the library.
    pub fn companion(&self, container: &Container) -> Option<&(String, Companion)> {
        let by = |text: &str| self.companions.0.iter().find(|(_, one)| fits(&one.words, text));
        by(&path_of(&container.image)).or_else(|| by(&container.name))
    }
}

impl Software {
    /// Whether a text has one of this kind's words.
    fn fits(&self, text: &str) -> bool {
        fits(&self.words, text)
    }
}

/// Whether a text has one of the words.
fn fits(words: &[String], text: &str) -> bool {
    let text = text.to_lowercase();
    let parts = || text.split(|c: char| !c.is_ascii_alphanumeric());
    words.iter().any(|word| parts().any(|one| one == word) || (word.len() >= 5 && text.contains(word)))
}

/// An image's path without registry, tag and digest.
fn path_of(image: &str) -> String {
    let image = image.split('@').next().unwrap_or(image);
    let (registry, path) = image.split_once('/').unwrap_or(("", image));
    let path = if registry.contains(['.', ':']) || registry == "localhost" { path } else { image };
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    let tag = path[end..].find(':').map_or(path.len(), |colon| end + colon);
    path[..tag].to_owned()
}

/// Who probably calls whom: pairs of indices into the set's workloads, without
/// circles, in the order found.
///
/// A workload calls another when an address in its plain environment names the
/// other's Service; and a workload called `web` calls databases and caches
/// called `web-…`.
pub fn guess_calls(set: &ManifestSet, guesses: &[Guess]) -> Vec<(usize, usize)> {
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for (from, workload) in set.workloads.iter().enumerate() {
        // What a job calls once is no part of what users ask for.
        if guesses[from].role != Role::Service || workload.kind == Kind::Job {
            continue;
        }
        let own = format!("{}-", workload.name);
        let env = || workload.env.iter().flat_map(|(key, value)| hosts(key, value));
        let called: Vec<&str> = env().collect();
        for (to, other) in set.workloads.iter().enumerate() {
            let keeps = matches!(guesses[to].role, Role::Database | Role::Cache);
            // Most pairs end here: a dump may hold thousands of workloads.
            if from == to || (called.is_empty() && !keeps) || guesses[to].role == Role::Tool {
                continue;
            }
            let named = keeps && other.namespace == workload.namespace && other.name.starts_with(&own);
            if (named || addresses(set, &called, workload, other)) && !reaches(&edges, to, from) {
                edges.push((from, to));
            }
        }
    }
    edges
}

/// Whether one of the hosts that a workload calls names a Service of `other`.
fn addresses(
    set: &ManifestSet,
    called: &[&str],
    workload: &ManifestWorkload,
    other: &ManifestWorkload,
) -> bool {
    let named = |service: &ManifestService| names(called, workload, service);
    !called.is_empty() && set.services.iter().any(|service| named(service) && service.leads_to(other))
}

/// Whether one of the hosts that a workload calls names a Service.
fn names(called: &[&str], workload: &ManifestWorkload, service: &ManifestService) -> bool {
    let here = service.namespace == workload.namespace;
    called.iter().any(|host| {
        let rest = host.strip_prefix(service.name.as_str());
        rest.is_some_and(|rest| match rest.strip_prefix('.') {
            None => rest.is_empty() && here,
            Some(domain) => domain.split('.').next() == Some(service.namespace.as_str()),
        })
    })
}

/// The part of `from`'s calls that `to` answers: below 1 where the Service that `from`
/// names has other workloads behind it, too.
pub fn part_of_calls(set: &ManifestSet, (from, to): (usize, usize)) -> f64 {
    let workload = &set.workloads[from];
    let called: Vec<&str> = workload.env.iter().flat_map(|(key, value)| hosts(key, value)).collect();
    part_of(set, to, |service| names(&called, workload, service)).unwrap_or(1.0)
}

/// The part of what is asked of the Services that `wanted` means which a workload
/// answers: its part of the pods behind them, as a proxy chooses among pods and not
/// among workloads. The largest where there are several; `None` where there is none.
fn part_of(set: &ManifestSet, index: usize, wanted: impl Fn(&ManifestService) -> bool) -> Option<f64> {
    let pods = |workload: &ManifestWorkload| {
        let scales = |hpa: &&ManifestHpa| {
            (&hpa.namespace, &hpa.target_kind, &hpa.target_name)
                == (&workload.namespace, &workload.api_kind, &workload.name)
        };
        let least = set.autoscalers.iter().find(scales).map_or(0, |hpa| hpa.spec.min_replicas);
        if workload.kind == Kind::Job { 0 } else { workload.replicas.max(least) }
    };
    let workload = &set.workloads[index];
    let asked = set.services.iter().filter(|service| wanted(service) && service.leads_to(workload));
    let parts = asked.map(|service| {
        let behind = set.workloads.iter().filter(|one| service.leads_to(one));
        match behind.map(pods).sum::<u32>() {
            0 => 1.0,
            all => f64::from(pods(workload)) / f64::from(all),
        }
    });
    parts.reduce(f64::max)
}

/// Parts of a variable's name that say that its value is an address.
const ADDRESS_WORDS: [&str; 9] =
    ["HOST", "ADDR", "URL", "URI", "ENDPOINT", "SERVER", "BROKER", "DSN", "SERVICE"];

/// The hosts that an environment variable names: those with a port or in a URL,
/// and bare ones where the variable's name says that it holds an address.
fn hosts<'a>(key: &str, value: &'a str) -> Vec<&'a str> {
    let key = key.to_uppercase();
    let meant = ADDRESS_WORDS.iter().any(|word| key.contains(word)) && !key.ends_with("NAME");
    let mut hosts = Vec::new();
    for part in value.split([',', ';', ' ', '(', ')']) {
        let (in_url, rest) = part.split_once("://").map_or((false, part), |(_, rest)| (true, rest));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match authority.split_once(':') {
            Some((host, port)) if in_url || port.parse::<u16>().is_ok() => hosts.push(host),
            None if in_url || meant => hosts.push(authority),
            Some(_) | None => {}
        }
    }
    hosts
}

/// Whether `to` can be reached from `from` along edges.
fn reaches(edges: &[(usize, usize)], from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        let next = edges.iter().filter(|(start, _)| *start == at).map(|(_, end)| *end);
        open.extend(next.filter(|end| seen.insert(*end)));
    }
    false
}

/// Workloads that no request reaches although they are there to serve: users don't
/// come to them, and nobody is known to call them.
pub fn unreached(
    set: &ManifestSet,
    guesses: &[Guess],
    edges: &[(usize, usize)],
    entries: &[usize],
) -> Vec<usize> {
    let reached = |index: usize| entries.iter().any(|entry| *entry == index || reaches(edges, *entry, index));
    let serves = |index: usize| {
        let workload = &set.workloads[index];
        let has_work = guesses[index].role != Role::Tool && workload.kind != Kind::Job;
        has_work && set.services.iter().any(|service| service.leads_to(workload))
    };
    (0..set.workloads.len()).filter(|index| serves(*index) && !reached(*index)).collect()
}

/// Adds the guessed calls to every operation of the callers.
pub fn add_calls(set: &ManifestSet, guesses: &mut [Guess], edges: &[(usize, usize)], full_names: &[String]) {
    for (from, to) in edges {
        let Some((operation, _)) = guesses[*to].workload.operations.0.first() else { continue };
        let target = format!("{}/{operation}", full_names[*to]);
        let call = CallFile::from(CallSpec::guessed(&target, part_of_calls(set, (*from, *to)), "10s"));
        for (_, steps) in &mut guesses[*from].workload.operations.0 {
            steps.push(StepFile::Call(Box::new(call.clone())));
        }
    }
}

/// The workloads that users come to: those behind an Ingress, else behind a
/// Service of type LoadBalancer or NodePort, else behind a Service and called by
/// no other workload, else every service that no other calls; where there are only
/// databases, caches or queues, those behind a Service.
pub fn entry_points(set: &ManifestSet, guesses: &[Guess], edges: &[(usize, usize)]) -> Vec<usize> {
    let serving =
        |index: &usize| guesses[*index].role == Role::Service && set.workloads[*index].kind != Kind::Job;
    let all = || (0..set.workloads.len()).filter(serving);
    let behind = |wanted: &dyn Fn(&ManifestService) -> bool| -> Vec<usize> {
        all()
            .filter(|index| {
                set.services.iter().any(|service| wanted(service) && service.leads_to(&set.workloads[*index]))
            })
            .collect()
    };
    let routed = |service: &ManifestService| is_routed(set, service);
    let called = |index: &usize| edges.iter().any(|(_, to)| to == index);
    let keeps = |index: &usize| {
        let workload = &set.workloads[*index];
        let is_store = matches!(guesses[*index].role, Role::Database | Role::Cache | Role::Queue);
        is_store && workload.kind != Kind::Job && set.services.iter().any(|one| one.leads_to(workload))
    };
    let stores = (0..set.workloads.len()).filter(keeps).collect();
    let candidates = [
        behind(&routed),
        behind(&|service| service.reachable_from_outside),
        behind(&|_| true).into_iter().filter(|index| !called(index)).collect(),
        all().filter(|index| !called(index)).collect(),
        stores,
    ];
    candidates.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether an Ingress or the like leads to a Service.
fn is_routed(set: &ManifestSet, service: &ManifestService) -> bool {
    set.routes.iter().any(|route| route.service == service.name && route.namespace == service.namespace)
}

/// How many of the users of the Service by which they come to an entry point meet this
/// workload there.
pub fn part_of_users(set: &ManifestSet, entry: usize) -> f64 {
    part_of(set, entry, |service| is_routed(set, service))
        .or_else(|| part_of(set, entry, |service| service.reachable_from_outside))
        .or_else(|| part_of(set, entry, |_| true))
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::directory::Directory;
    use crate::input::findings::{At, Findings};

    #[test]
    fn every_prior_resolves() {
        let library = library();
        for (kind, software) in &library.kinds.0 {
            let mut found = Findings::default();
            let behaviour = software.workload.resolve(kind, &At::root(), &Directory::default(), &mut found);
            assert_eq!(found.problems, [], "{kind}");
            assert!(behaviour.memory.base.0 > 0 && !behaviour.operations.is_empty(), "{kind}");
            assert!(found.assumptions.iter().all(|one| !one.source.is_empty()), "{kind}");
        }
    }

    #[test]
    fn images_are_recognised() {
        let library = library();
        let rows = [
            ("redis:7-alpine", "redis"),
            ("docker.io/bitnami/postgresql:15", "postgres"),
            ("registry.k8s.io/ingress-nginx/controller:v1.9@sha256:abc", "proxy"),
            ("gcr.io/google_samples/gb-redisslave:v1", "redis"),
            ("mongo:6", "mongo"),
            ("node:20", "node"),
            ("quay.io/prometheus/node-exporter:v1", "observability"),
            ("localhost:5000/shop/frontend:1", "web"),
            ("registry.k8s.io/hpa-example", "php"),
            ("weaveworksdemos/catalogue-db:0.3", "database"),
            ("eclipse-temurin:21-jre", "java"),
        ];
        for (image, kind) in rows {
            let path = path_of(image);
            let fits = library.kinds.0.iter().find(|(_, software)| software.fits(&path));
            let found = fits.map_or("web", |(kind, _)| kind.as_str());
            assert_eq!(found, kind, "{image} as {path}");
        }
    }

    #[test]
    fn what_stands_beside_is_recognised_and_known() {
        let library = library();
        let known = |name: &str, image: &str| library.companion(&Container::plain(name, image));
        for (name, image, companion) in [
            ("istio-proxy", "docker.io/istio/proxyv2:1.24.0", Some("envoy")),
            ("sidecar", "envoyproxy/envoy:v1.31", Some("envoy")),
            ("linkerd-proxy", "cr.l5d.io/linkerd/proxy:stable-2.14.1", Some("linkerd")),
            ("logs", "fluent/fluent-bit:3.1", Some("collector")),
            ("otel-agent", "acme/tools:1", Some("collector")),
            ("nginx", "nginx:1.27", None),
        ] {
            assert_eq!(known(name, image).map(|(kind, _)| kind.as_str()), companion, "{name}, {image}");
        }
        let files = library.companions.0.iter().map(|(name, one)| (name.clone(), one.sidecar.clone()));
        let mut found = Findings::default();
        let all = sidecars::resolve(&Named(files.collect()), "web", &At::root(), &mut found);
        assert_eq!(found.problems, []);
        assert!(found.assumptions.iter().all(|one| !one.source.is_empty()));
        // A thousand calls a second keep a third of a core busy.
        let envoy = all.iter().find(|one| one.name == "envoy").expect("it is known");
        assert_eq!((envoy.cpu_per_call.as_nanos(), envoy.memory.0), (350_000, 50_000_000));
        assert!(all.iter().all(|one| one.memory.0 > 0 && one.idle_cpu.0 > 0));
    }

    #[test]
    fn addresses_are_found_in_the_environment() {
        let rows = [
            ("REDIS_ADDR", "redis-cart:6379", vec!["redis-cart"]),
            ("CATALOG", "http://catalog.shop.svc:80/items", vec!["catalog.shop.svc"]),
            ("DATABASE_URL", "postgres://me:pw@db/shop", vec!["db"]),
            ("BROKERS", "kafka-0.kafka:9092,kafka-1.kafka:9092", vec!["kafka-0.kafka", "kafka-1.kafka"]),
            ("DB_HOST", "db", vec!["db"]),
            ("MYSQL_DATABASE", "catalogue", vec![]),
            ("SERVICE_NAME", "catalogue", vec![]),
            ("LEVEL", "info", vec![]),
        ];
        for (key, value, expected) in rows {
            assert_eq!(hosts(key, value), expected, "{key}={value}");
        }
    }

    #[test]
    fn workloads_behind_one_service_share_its_calls_by_pods() {
        let deployment = |name: &str, labels: &str, replicas: u32, calls: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: {replicas}, \
                 selector: {{matchLabels: {{{labels}}}}}, template: {{metadata: {{labels: {{{labels}}}}}, spec: \
                 {{containers: [{{name: a, image: \"a:1\", env: [{{name: URL, value: \"{calls}\"}}]}}]}}}}}}\n---\n"
            )
        };
        let service = |name: &str, labels: &str, kind: &str| {
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{type: {kind}, selector: \
                 {{{labels}}}, ports: [{{port: 80}}]}}\n---\n"
            )
        };
        let text = deployment("web", "app: web, track: stable", 3, "http://api/")
            + &deployment("web-canary", "app: web, track: canary", 1, "http://api-new/")
            + &deployment("api", "app: api, track: old", 2, "")
            + &deployment("api-new", "app: api, track: new", 0, "")
            + &service("web", "app: web", "LoadBalancer")
            + &service("web-canary", "track: canary", "ClusterIP")
            + &service("api", "app: api", "ClusterIP")
            + &service("api-new", "track: new", "ClusterIP");
        let texts = vec![("app.yaml".to_owned(), text)];
        let (set, problems) = crate::input::manifest::read_texts(texts, &mut crate::source::Sources::new());
        assert_eq!(problems, []);
        let library = library();
        let guesses: Vec<Guess> =
            set.workloads.iter().map(|workload| library.recognise(workload, &set.services)).collect();
        let edges = guess_calls(&set, &guesses);
        let calls: Vec<_> = edges.iter().map(|edge| (*edge, part_of_calls(&set, *edge))).collect();
        assert_eq!(calls, [((0, 2), 1.0), ((0, 3), 0.0), ((1, 3), 1.0)]);
        let entries = entry_points(&set, &guesses, &edges);
        let users: Vec<_> = entries.iter().map(|entry| (*entry, part_of_users(&set, *entry))).collect();
        assert_eq!(users, [(0, 0.75), (1, 0.25)]);
    }

    #[test]
    fn circles_are_not_guessed() {
        assert!(reaches(&[(0, 1), (1, 2)], 0, 2));
        assert!(!reaches(&[(0, 1), (1, 2)], 2, 0));
    }
}
