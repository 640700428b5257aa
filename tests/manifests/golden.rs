//! Manifests that no one here wrote, against a summary of them made with
//! another parser.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kubeplan::input::manifest::set::{ManifestHpa, ManifestWorkload};
use kubeplan::k8s::hpa::{MetricSpec, ResourceName, ResourceTarget, ValueTarget};
use kubeplan::k8s::quantity::Quantity;
use kubeplan::source::Sources;
use serde_json::Value;

use super::read;

#[test]
fn every_file_reads_as_its_golden_summary_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let covered = compare(&root.join("tests/data/manifests"));
    assert!(covered >= 10, "only {covered} files are here");
    // The whole collection, where it is at hand.
    let whole = root.join("../shared/data/manifests");
    if whole.join("INDEX.json").is_file() {
        let covered = compare(&whole);
        println!("compared {covered} files of the whole collection");
        assert!(covered > 300, "only {covered} files");
    }
}

/// Compares every file under `root` with the index there; how many there were.
fn compare(root: &Path) -> usize {
    let index: Value = serde_json::from_str(&fs::read_to_string(root.join("INDEX.json")).unwrap()).unwrap();
    let mut covered = 0;
    let mut wrong = Vec::new();
    for (app, entry) in index.as_object().unwrap() {
        for (file, expected) in entry["files"].as_object().unwrap() {
            let path = root.join(app).join(file);
            let text = fs::read_to_string(&path).unwrap();
            let found = differences(&text, expected);
            wrong.extend(found.into_iter().map(|what| format!("{app}/{file}: {what}")));
            covered += 1;
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    covered
}

/// Where a file's set differs from the summary.
fn differences(text: &str, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut sources = Sources::new();
    let id = sources.add("file", text);
    let (documents, _) = kubeplan::source::parse(&sources, id);
    let (set, problems, _) = read(text);
    if expected["docs"] != documents.len() {
        wrong.push(format!("{} documents, not {}", documents.len(), expected["docs"]));
    }
    let no_objects = problems.iter().filter(|one| one.message.starts_with("not a Kubernetes object")).count();
    let mut kinds: BTreeMap<String, usize> = set.counts.iter().chain(&set.not_simulated).cloned().collect();
    if no_objects > 0 {
        kinds.insert("(not a k8s object)".to_owned(), no_objects);
    }
    let expected_kinds: BTreeMap<String, usize> = serde_json::from_value(expected["kinds"].clone()).unwrap();
    if kinds != expected_kinds {
        wrong.push(format!("kinds {kinds:?}, not {expected_kinds:?}"));
    }
    let list = |key: &str| expected[key].as_array().cloned().unwrap_or_default();
    // What has no containers is a patch, no workload.
    for one in list("workloads").into_iter().filter(|one| one["containers"] != 0) {
        let found =
            set.workloads.iter().find(|found| one["name"] == *found.name && one["kind"] == *found.api_kind);
        match found {
            Some(found) => wrong.extend(workload_differences(found, &one)),
            None => wrong.push(format!("no {}/{}", one["kind"], one["name"])),
        }
    }
    for one in list("hpas") {
        match set.autoscalers.iter().find(|found| one["name"] == *found.name) {
            Some(found) => wrong.extend(hpa_differences(found, &one)),
            None => wrong.push(format!("no HPA {}", one["name"])),
        }
    }
    if list("pdbs").len() != set.budgets.len() {
        wrong.push(format!("{} budgets, not {}", set.budgets.len(), list("pdbs").len()));
    }
    wrong
}

fn workload_differences(found: &ManifestWorkload, expected: &Value) -> Vec<String> {
    let template = &found.template;
    let cpu: u64 = template.containers.iter().filter_map(|one| one.requests.cpu).map(|cpu| cpu.0).sum();
    let memory: u64 =
        template.containers.iter().filter_map(|one| one.requests.memory).map(|bytes| bytes.0).sum();
    let without = template.containers.iter().filter(|one| one.requests.cpu.is_none()).count();
    let mut wrong = Vec::new();
    let mut same = |what: &str, found: f64, expected: &Value| {
        if expected.as_f64().is_some_and(|expected| (found - expected).abs() > 0.5) {
            wrong.push(format!("{what} {found}, not {expected}"));
        }
    };
    same("containers", template.containers.len() as f64, &expected["containers"]);
    same("init containers", template.init_containers.len() as f64, &expected["initContainers"]);
    same("containers without a CPU request", without as f64, &expected["containers_without_cpu_request"]);
    same("CPU", cpu as f64, &expected["pod_cpu_request_m"]);
    same("memory", memory as f64, &expected["pod_mem_request_bytes"]);
    same("replicas", f64::from(found.replicas), &expected["replicas"]);
    wrong.into_iter().map(|what| format!("{}: {what}", found.name)).collect()
}

fn hpa_differences(found: &ManifestHpa, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let metrics: Vec<String> = found.spec.metrics.iter().map(metric_text).collect();
    let listed = expected["metrics"].as_array().unwrap();
    let listed: Vec<String> = listed.iter().map(|text| listed_metric(text.as_str().unwrap())).collect();
    let defaulted = listed.is_empty() && metrics == ["Resource:cpu:80"];
    // The summary doesn't look into the annotations that v1 keeps metrics in.
    let annotated = expected["apiVersion"] == "autoscaling/v1" && metrics.ends_with(&listed);
    if metrics != listed && !defaulted && !annotated {
        wrong.push(format!("metrics {metrics:?}, not {listed:?}"));
    }
    let target = format!("{}/{}", found.target_kind, found.target_name);
    let rows = [
        (Value::from(found.spec.max_replicas), &expected["max"]),
        (Value::from(found.spec.min_replicas), &expected["min"]),
        (Value::from(target), &expected["target"]),
        (Value::from(found.spec.behavior.is_some()), &expected["behavior"]),
    ];
    for (found, expected) in rows {
        if found != *expected && !expected.is_null() {
            wrong.push(format!("{found}, not {expected}"));
        }
    }
    wrong.into_iter().map(|what| format!("HPA {}: {what}", found.name)).collect()
}

/// A metric of the summary with its target as a plain number of units.
fn listed_metric(text: &str) -> String {
    let text = text.replace("cpu:util:", "Resource:cpu:");
    let (name, target) = text.rsplit_once(':').unwrap();
    let milli = target.parse::<Quantity>().unwrap().milli_value();
    format!("{name}:{}", whole(milli))
}

/// Thousandths as units where they are whole.
fn whole(milli: i64) -> String {
    if milli % 1_000 == 0 { format!("{}", milli / 1_000) } else { format!("{milli}m") }
}

/// A metric as the summary writes it.
pub fn metric_text(metric: &MetricSpec) -> String {
    let value = |target: &ValueTarget| match target {
        ValueTarget::Value(milli) | ValueTarget::AverageValue(milli) => whole(*milli),
    };
    match metric {
        MetricSpec::Resource { resource, target, .. } => {
            let resource = match resource {
                ResourceName::Cpu => "cpu",
                ResourceName::Memory => "memory",
                ResourceName::Other(name) => name,
            };
            let target = match target {
                ResourceTarget::Utilization(percent) => percent.to_string(),
                ResourceTarget::AverageValue(milli) => whole(*milli),
            };
            format!("Resource:{resource}:{target}")
        }
        MetricSpec::Pods { name, target_average_milli } => {
            format!("Pods:{name}:{}", whole(*target_average_milli))
        }
        MetricSpec::Object { name, target, .. } => format!("Object:{name}:{}", value(target)),
        MetricSpec::External { name, target } => format!("External:{name}:{}", value(target)),
        MetricSpec::Unsupported { kind } => format!("{kind}:?:?"),
    }
}
