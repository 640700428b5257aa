//! `model.yaml`: every workload with what is known of such software, and how to
//! measure each number.

use serde_json::{Map, Value, json};

use super::flow::{flow, text};
use super::{Known, role};
use crate::change::value_of;
use crate::input::manifest::set::ManifestWorkload;
use crate::input::{embedded, priors, sidecars};
use crate::scenario::{Container, Kind};
use crate::source::{self, Sources};

/// The library's own text as data.
fn library() -> Value {
    let mut sources = Sources::new();
    let path = "models/priors.yaml";
    let id = sources.add(path, embedded::text(path).unwrap_or_default());
    let (documents, _) = source::parse(&sources, id);
    documents.first().map_or(Value::Null, value_of)
}

/// The file.
pub(super) fn model(known: &Known<'_>, name: &str) -> String {
    let library = library();
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    lines.push(format!("name: {}", text(name)));
    lines.push(String::new());
    lines.push("workloads:".to_owned());
    let mut left_out = Vec::new();
    let mut described = 0;
    for index in 0..known.set.workloads.len() {
        let workload = known.workload(index);
        if workload.kind == Kind::Job {
            left_out.push(format!(
                "{} {}: runs to its end, and is load on nodes only",
                workload.api_kind, workload.name
            ));
        } else if !known.has_a_name(index) {
            left_out.push(format!(
                "{} {}: another workload has its name",
                workload.api_kind,
                known.full_name(index)
            ));
        } else {
            described += 1;
            lines.extend(one(known, index, &library));
        }
    }
    if described == 0 {
        lines.pop();
        lines.push("workloads: {}".to_owned());
    }
    lines.extend(left_out.iter().map(|one| format!("# Not described: {one}.")));
    lines.extend(EXTERNALS.lines().map(str::to_owned));
    lines.join("\n") + "\n"
}

const HEAD: &str = "\
# What each workload does with a request. Manifests don't say; these are values for software of its
# kind. `basis: prior` is published (the source is named), `basis: assumed` is a guess. Write
# `basis: measured`, or a plain number, for what you measured; begin with CPU per request, of which
# a published value may be wrong by a factor of two. All keys: models/README.md.
#
# How to measure, with PODS as it is given above each workload:
#
# threads      Requests of one pod that use CPU at the same moment: 1 for an event loop, the size of
#              a pool of workers, or unlimited. Load a single pod: its CPU stops rising at so many cores.
# concurrency  Requests in progress in one pod, and how many more wait: the server's configuration
#              (workers, max_connections, backlog).
# startUp      From container start to listening. `kubectl get pods -o yaml`: from startedAt of the
#              container to lastTransitionTime of Ready, less the probe's delay, is wait + cpu; cpu is
#              increase(container_cpu_usage_seconds_total{PODS}[1m]) after a start.
# warmUp       factor: CPU per request just after a start over that later; duration: until it is the
#              same. Just-in-time compilers and cold caches; leave it out where there is none.
# memory       base: min_over_time(container_memory_working_set_bytes{PODS}[1d]); perRequest: how much
#              more it is for each request in progress; leak: what does not come back, divided by
#              requests since the start; perUser: the same by connected users.
# sidecars     What the containers beside the first use, each by its own name in the same queries:
#              cpuPerCall: CPU less idleCpu, over requests that come and calls that go out, per second.
# idleCpu      rate(container_cpu_usage_seconds_total{PODS}[10m]) while nobody asks.
# shutDown     From SIGTERM to the end of an idle process: `time docker stop`.
# drains       Whether requests in progress are finished after SIGTERM: delete a pod under load and
#              count errors.
# operations   Endpoints, each with its steps one after the other; name and split them as yours.
#   compute    sum(rate(container_cpu_usage_seconds_total{PODS}[5m])) / requests per second, less idleCpu.
#   wait       What the spans of a trace show besides CPU and calls.
#   call       Who is called, how often and with which timeout: the traces, and the client's settings.
apiVersion: plan/v1alpha1
kind: Model";

const EXTERNALS: &str = "
# Services outside the cluster that the workloads call. Nothing in manifests tells of them reliably;
# describe each here and call it by its bare name (`- call: {to: payments, timeout: 10s}`).
# Measure: latency and share of errors as your client library logs them; the quota is in the contract.
# externals:
#   payments: {latency: {mean: 300ms, cv: 0.5}, errorRate: 0.1%, quota: 100/s}";

/// One workload.
fn one(known: &Known<'_>, index: usize, library: &Value) -> Vec<String> {
    let workload = known.workload(index);
    let guess = &known.guesses[index];
    let prior = &library["kinds"][guess.kind.as_str()]["workload"];
    let images: Vec<&str> = workload.template.containers.iter().map(|one| one.image.as_str()).collect();
    let mut lines = vec![
        format!("  # {} {}, {}", workload.api_kind, known.full_name(index), images.join(", ")),
        format!(
            "  # Taken for {}, {}, by {}. Is that wrong? Then replace all of it.",
            guess.kind,
            role(guess.role),
            guess.recognised_by
        ),
    ];
    if images.len() > 1 {
        lines.push(
            "  # The first container serves the requests; what the others use stands under `sidecars`."
                .to_owned(),
        );
    }
    lines.push(format!("  # PODS: namespace=\"{}\",pod=~\"{}-.+\"", workload.namespace, workload.name));
    lines.push(format!("  {}:", text(&known.short_name(index))));
    let Some(keys) = prior.as_object() else { return lines };
    for (key, value) in keys.iter().filter(|(key, _)| key.as_str() != "operations") {
        lines.extend(entry(key, value, &guess.kind));
    }
    lines.extend(beside(workload, library));
    lines.extend(operations(known, index, &prior["operations"]));
    lines.push(String::new());
    lines
}

/// Keys whose values are mappings of numbers of their own.
fn is_group(key: &str) -> bool {
    matches!(key, "startUp" | "memory" | "concurrency")
}

/// A key with its value; a plain one is marked as what it is.
fn entry(key: &str, value: &Value, kind: &str) -> Vec<String> {
    if let Value::Object(entries) = value
        && is_group(key)
    {
        let inner = entries.iter().map(|(key, value)| format!("      {key}: {}", flow(&marked(value, kind))));
        return std::iter::once(format!("    {key}:")).chain(inner).collect();
    }
    let value = if key == "drains" { value.clone() } else { marked(value, kind) };
    vec![format!("    {key}: {}", flow(&value))]
}

/// A plain value with what it rests on.
fn marked(value: &Value, kind: &str) -> Value {
    if value.is_object() {
        return value.clone();
    }
    json!({"mid": value, "basis": "assumed", "source": format!("usual for {kind}")})
}

/// What the containers beside the serving one use.
fn beside(workload: &ManifestWorkload, library: &Value) -> Vec<String> {
    let known = priors::library();
    let one = |container: &Container| {
        let prior = match known.companion(container) {
            Some((kind, _)) => library["companions"][kind.as_str()]["sidecar"].clone(),
            None => {
                let guess = |mid: &str| json!({"mid": mid, "basis": "assumed", "source": "a container of unknown kind"});
                json!({"cpuPerCall": guess("0ms"), "idleCpu": guess("2m"), "memory": guess("30M")})
            }
        };
        let entries = prior.as_object().into_iter().flatten();
        let entries = entries.map(|(key, value)| format!("        {key}: {}", flow(value)));
        std::iter::once(format!("      {}:", text(&container.name))).chain(entries).collect::<Vec<_>>()
    };
    let lines: Vec<String> = sidecars::beside(&workload.template).flat_map(one).collect();
    if lines.is_empty() { lines } else { [vec!["    sidecars:".to_owned()], lines].concat() }
}

fn operations(known: &Known<'_>, index: usize, prior: &Value) -> Vec<String> {
    let none = Map::new();
    let operations = prior.as_object().unwrap_or(&none);
    if operations.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["    operations:".to_owned()];
    let called: Vec<usize> =
        known.edges.iter().filter(|(from, _)| *from == index).map(|(_, to)| *to).collect();
    for (name, steps) in operations {
        lines.push(format!("      {}:", text(name)));
        for step in steps.as_array().into_iter().flatten() {
            lines.push(format!("      - {}", step_text(step)));
        }
        for to in &called {
            let Some(target) = known.first_operation(*to) else { continue };
            let part = priors::part_of_calls(known.set, (index, *to));
            let part = if part < 1.0 { format!(", probability: {part}") } else { String::new() };
            lines.push(format!(
                "      # Guessed from an address in its environment, or from its name.\n      \
                 - call: {{to: {}{part}, timeout: 10s}}",
                text(&target)
            ));
        }
    }
    lines
}

/// `compute: {…}` without braces around it.
fn step_text(step: &Value) -> String {
    let entries = step.as_object().into_iter().flatten();
    entries.map(|(key, value)| format!("{key}: {}", flow(value))).collect::<Vec<_>>().join(", ")
}
