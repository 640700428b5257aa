//! `plan tune --form bundle`: everything for operation, and what is deployed is
//! what was proved.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as System;

use assert_cmd::Command;
use kubeplan::change::{Added, ChangeSet, Edit, Edited, ObjectName};
use kubeplan::emit::{self, Originals};
use kubeplan::input::{self, Request};
use kubeplan::output::verdict::fingerprint;
use kubeplan::sim::random::Seed;
use kubeplan::units::SimDuration;
use kubeplan::world::simulate;
use serde_json::Value;

/// Alerts that every plan of the embedded application has.
const ALERTS: [&str; 12] = [
    "ObjectiveBurnsFast",
    "ObjectiveBurnsSlowly",
    "LoadBeyondProof",
    "AutoscalerAtMaximum",
    "AutoscalerBlind",
    "TooFewReplicas",
    "CpuThrottled",
    "MemoryNearLimit",
    "ContainersRestart",
    "PodsPending",
    "NodesAtMaximum",
    "TooFewNodes",
];

fn plan(home: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_plan")).current_dir(home).args(arguments).output().unwrap()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: PathBuf) -> Value {
    let text = read(path.clone());
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    value.pointer(path).and_then(Value::as_array).map(|all| all.iter().collect()).unwrap_or_default()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// All files below a folder, with `/`.
fn files(folder: &Path) -> Vec<String> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(one) = open.pop() {
        for entry in fs::read_dir(one).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The manifests that a kustomization lists, in its order.
fn listed(folder: &Path) -> Vec<(String, String)> {
    let kustomization = yaml(folder.join("kustomization.yaml"));
    let names = list(&kustomization, "/resources").into_iter().map(|name| name.as_str().unwrap().to_owned());
    names.map(|name| (name.clone(), read(folder.join(&name)))).collect()
}

/// What a bundle's own quick check comes to now.
fn checked(bundle: &Path, proof: &Value) -> String {
    let own = |name: &str| Some(bundle.join("plan").join(name)).filter(|path| path.exists());
    let request = Request {
        texts: Some(listed(&bundle.join("kubernetes"))),
        // Not the embedded application's: what is not in the bundle is guessed.
        manifests: vec![bundle.join("kubernetes")],
        model: own("model.yaml"),
        traffic: own("traffic.yaml"),
        policy: own("policy.yaml"),
        cluster: own("cluster.yaml"),
        users: proof.pointer("/check/users").and_then(Value::as_f64),
        duration: proof
            .pointer("/check/durationSeconds")
            .and_then(Value::as_f64)
            .map(|length| SimDuration::from_secs(length as u64)),
        ..Request::default()
    };
    let loaded = input::load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
    let seed = proof["seed"].as_u64().expect("a seed");
    let run = simulate(&loaded.scenario, Seed { base: seed, replication: 0 });
    assert_eq!(Some(run.balance.arrived), proof.pointer("/check/requests").and_then(Value::as_u64));
    assert_eq!(Some(run.balance.failed), proof.pointer("/check/failed").and_then(Value::as_u64));
    fingerprint(std::slice::from_ref(&run))
}

/// What holds of every bundle of the embedded application.
fn check_bundle(bundle: &Path) {
    let proof: Value = serde_json::from_str(&read(bundle.join("plan/proof.json"))).unwrap();
    assert_eq!(checked(bundle, &proof), text(&proof, "/check/fingerprint"));
    check_tree(bundle);
    check_rules(bundle);
    check_dashboard(bundle);
    check_words(bundle);
    for file in files(bundle) {
        let content = read(bundle.join(&file));
        let secret = ["kind: Secret\n", "cmVwbGFjZS13", "replace-with", "replace-me"];
        assert!(secret.iter().all(|part| !content.contains(part)), "{file} holds a Secret");
        assert!(!content.contains("@NAME@") && !content.contains("  \n"), "{file}");
    }
}

fn check_tree(bundle: &Path) {
    let tree = bundle.join("kubernetes");
    let there = files(&tree);
    let names: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    for namespace in ["production", "staging", "development"] {
        let overlay = tree.join("overlays").join(namespace);
        let kustomization = yaml(overlay.join("kustomization.yaml"));
        assert_eq!(text(&kustomization, "/namespace"), namespace);
        for resource in list(&kustomization, "/resources") {
            let resource = resource.as_str().unwrap();
            let path = overlay.join(resource);
            assert!(path.is_file() || path.join("kustomization.yaml").is_file(), "{namespace}: {resource}");
        }
        assert_eq!(list(&kustomization, "/patches").is_empty(), namespace == "production");
        assert_eq!(text(&yaml(overlay.join("namespace.yaml")), "/metadata/name"), namespace);
    }
    for expected in [
        "base/chat-service/deployment.yaml",
        "base/chat-service/hpa.yaml",
        "config/configmap.yaml",
        "ingress/ingress.yaml",
    ] {
        assert!(names.contains(expected), "{expected} is not among {names:?}");
    }
    assert!(!names.contains("config/secrets.yaml"));
    // Every manifest is listed once.
    let mut once: Vec<String> = listed(&tree).into_iter().map(|(name, _)| name).collect();
    once.sort();
    let own = |name: &&String| !name.ends_with("kustomization.yaml") && !name.starts_with("overlays/");
    assert_eq!(once, there.iter().filter(own).cloned().collect::<Vec<_>>());
    let chart = files(&bundle.join("helm/my-saas-chat"));
    assert!(chart.contains(&"Chart.yaml".to_owned()) && chart.contains(&"values.yaml".to_owned()));
}

/// Whether any container of a bundle has a CPU limit.
fn limits_cpu(bundle: &Path) -> bool {
    listed(&bundle.join("kubernetes")).into_iter().any(|(name, text)| {
        let objects: Vec<Value> =
            serde_yaml::from_str_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut containers = objects.iter().flat_map(|one| list(one, "/spec/template/spec/containers"));
        containers.any(|one| one.pointer("/resources/limits/cpu").is_some())
    })
}

fn check_rules(bundle: &Path) {
    let folder = bundle.join("operations/prometheus");
    let rules = yaml(folder.join("rules.yaml"));
    let object = yaml(folder.join("prometheus-rule.yaml"));
    assert_eq!(object["kind"], "PrometheusRule");
    assert_eq!(object["spec"]["groups"], rules["groups"]);
    let tests = yaml(folder.join("rules_test.yaml"));
    let tests = list(&tests, "/tests");
    let runbook = read(bundle.join("operations/runbook.md"));
    let all = list(&rules, "/groups").into_iter().flat_map(|group| list(group, "/rules"));
    let (mut recorded, mut alerts) = (BTreeSet::new(), BTreeSet::new());
    for rule in all {
        let expr = text(rule, "/expr");
        for pair in ["()", "{}", "[]"] {
            let count = |letter: &str| expr.matches(letter).count();
            assert_eq!(count(&pair[..1]), count(&pair[1..]), "{expr}");
        }
        if let Some(name) = rule["record"].as_str() {
            recorded.insert((name.to_owned(), text(rule, "/labels/objective").to_owned()));
            continue;
        }
        let name = text(rule, "/alert");
        alerts.insert(name.to_owned());
        assert!(["page", "ticket"].contains(&text(rule, "/labels/severity")), "{name}");
        assert!(
            runbook.contains(&format!("### {name}\n"))
                && runbook.contains(text(rule, "/annotations/summary"))
        );
        let labels = &rule["labels"];
        let about = ["objective", "workload"].into_iter().find_map(|label| labels[label].as_str());
        let title = about.map_or(name.to_owned(), |about| format!("{name} {about}"));
        let expected = |what: &str| {
            let wanted = format!("{title} {what}");
            let test = tests.iter().find(|test| text(test, "/name") == wanted);
            let test = test.unwrap_or_else(|| panic!("no test `{wanted}`"));
            let labels_of = |one: &Value| one["exp_labels"].clone();
            list(test, "/alert_rule_test/0/exp_alerts").into_iter().map(labels_of).collect::<Vec<_>>()
        };
        assert!(expected("fires").contains(labels) && !expected("rests").contains(labels), "{title}");
    }
    // What has no limit is never throttled.
    let wanted = ALERTS.iter().filter(|one| **one != "CpuThrottled" || limits_cpu(bundle));
    assert_eq!(alerts, wanted.map(|one| (*one).to_owned()).collect());
    assert!(recorded.contains(&("plan:objective_bad:ratio_rate1h".to_owned(), "availability".to_owned())));
    let words = rules.to_string();
    assert!(
        words.contains("> 0.0144 and") && words.contains("status=~\\\"5..|499\\\""),
        "burn rates of 99.9 %"
    );
}

fn check_dashboard(bundle: &Path) {
    let dashboard: Value =
        serde_json::from_str(&read(bundle.join("operations/grafana/dashboard.json"))).unwrap();
    let panels = list(&dashboard, "/panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert!(panels.len() > 20 && ids.len() == panels.len(), "{} panels, {} ids", panels.len(), ids.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let place = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{panel}");
        for cell in 0..place("w") * place("h") {
            let (x, y) = (place("x") + cell % place("w"), place("y") + cell / place("w"));
            assert!(taken.insert((x, y)), "{} lies on another panel", panel["title"]);
        }
        let queries = list(panel, "/targets");
        assert_eq!(queries.is_empty(), panel["type"] == "row", "{panel}");
        assert!(queries.iter().all(|query| !text(query, "/expr").is_empty()));
    }
}

/// The workflow and the guides name what is there.
fn check_words(bundle: &Path) {
    let workflow = yaml(bundle.join("operations/github/deploy.yaml"));
    assert_eq!(workflow["jobs"]["deploy"]["needs"], "gate");
    let steps = |job: &str| workflow["jobs"][job]["steps"].to_string();
    assert!(steps("gate").contains("plan simulate -m kubernetes --model plan/model.yaml"));
    let deploy = steps("deploy");
    for part in ["kubectl apply -k kubernetes/overlays/production", "rollout status", "rollout undo"] {
        assert!(deploy.contains(part), "{part}");
    }
    assert!(text(&workflow, "/env/ROLLOUTS").contains("production deployment/chat-service\n"));
    let guide = read(bundle.join("operations/deployment.md"));
    for part in
        ["--from-literal=AUTH_SECRET=VALUE", "--from-literal=POSTGRES_PASSWORD=VALUE", "0.3, 1, 15 seconds"]
    {
        assert!(guide.contains(part), "{part}");
    }
    assert!(guide.contains("`GF_SECURITY_ADMIN_PASSWORD` of grafana"));
    let runbook = read(bundle.join("operations/runbook.md"));
    for part in ["| node-failure: ", "| rollout: ", "rollout undo deployment/", "chat-service-hpa"] {
        assert!(runbook.contains(part), "{part}");
    }
}

/// The changes that `tuning.json` tells of.
fn told(tuning: &Value) -> ChangeSet {
    let mut set = ChangeSet::default();
    for change in list(tuning, "/changes") {
        let because = text(change, "/because").to_owned();
        let field = |path: &str| text(change, path).to_owned();
        let Some(path) = change["path"].as_str() else {
            set.added.push(Added { object: change["to"].clone(), because });
            continue;
        };
        let object = ObjectName {
            api_version: field("/apiVersion"),
            kind: field("/kind"),
            namespace: field("/namespace"),
            name: field("/name"),
        };
        let to = Some(change["to"].clone()).filter(|to| !to.is_null());
        let edit = Edit { path: path.to_owned(), to, because };
        match set.edited.iter_mut().find(|edited| edited.object == object) {
            Some(edited) => edited.edits.push(edit),
            None => set.edited.push(Edited { object, edits: vec![edit] }),
        }
    }
    set
}

#[test]
fn without_model_policy_and_ingress_a_bundle_rests_on_what_is_there() {
    let home = tempfile::tempdir().unwrap();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/manifests/podinfo/rendered/helm-hpa-pdb-redis.yaml");
    let words = "--users 100 --duration 2m --tries 2 --form bundle --out bundle -o json";
    let mut all = vec!["tune", "-m", manifests.to_str().unwrap()];
    all.extend(words.split(' '));
    let output = plan(home.path(), &all);
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
    let bundle = home.path().join("bundle");
    let names = files(&bundle);
    assert!(names.iter().any(|name| name.starts_with("kubernetes/base/")), "{names:?}");
    assert!(names.iter().all(|name| !name.contains("overlays/") && name != "plan/model.yaml"), "{names:?}");
    let proof: Value = serde_json::from_str(&read(bundle.join("plan/proof.json"))).unwrap();
    assert_eq!(checked(&bundle, &proof), text(&proof, "/check/fingerprint"));
    assert_eq!(text(&proof, "/options"), "-m kubernetes --users 100 --duration 2m");
    let rules = read(bundle.join("operations/prometheus/rules.yaml"));
    let ratio =
        "/ sum(rate(http_request_duration_seconds_count{namespace=\"default\",service=\"podinfo\"}[5m]))";
    assert!(
        rules.contains(ratio) && rules.contains("code=~\"5..\"") && !rules.contains("nginx_ingress"),
        "{rules}"
    );
    assert!(read(bundle.join("operations/github/deploy.yaml")).contains("kubectl apply -k kubernetes\n"));
}

const AGAIN: &str = "outputs/example is not current; outputs/README.md says how to write it anew";

#[test]
fn the_committed_example_is_current() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("outputs/example");
    let json = |path: &str| -> Value { serde_json::from_str(&read(example.join(path))).unwrap() };
    let (proof, tuning) = (json("plan/proof.json"), json("tuning.json"));
    let options: Vec<&str> = text(&proof, "/options").split(' ').collect();
    let users = options.iter().position(|word| *word == "--users").map(|at| options[at + 1].parse().unwrap());
    let loaded = input::load(&Request { users, ..Request::default() });
    let loaded = loaded.unwrap_or_else(|failure| panic!("{}", failure.render(false)));
    assert_eq!(text(&proof, "/inputs"), loaded.digest(), "{AGAIN}: its input has changed");
    assert_eq!(proof["fingerprint"], tuning["certificate"]["fingerprint"]);
    for (name, text) in loaded.input_files() {
        // Comments may change without a new search.
        let now: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(yaml(example.join("plan").join(&name)), now, "{AGAIN}: plan/{name}");
    }
    let folder = "models/my-saas-chat/kubernetes/";
    let texts = loaded.texts().into_iter().map(|(name, text)| (name.replace(folder, ""), text)).collect();
    let tree = emit::tree(&Originals { texts }, &told(&tuning)).unwrap();
    for file in tree.files {
        let path = format!("kubernetes/{}", file.path);
        assert_eq!(read(example.join(&path)), file.text, "{AGAIN}: {path} would be written otherwise");
    }
    let run = checked(&example, &proof);
    assert_eq!(run, text(&proof, "/check/fingerprint"), "{AGAIN}: it simulates otherwise");
    check_bundle(&example);
}

#[test]
fn a_bundle_is_whole_and_simulates_to_what_was_proved() {
    let home = tempfile::tempdir().unwrap();
    let words = "tune --users 50 --duration 2m --tries 4 --form bundle --out bundle -o json";
    let output = plan(home.path(), &words.split(' ').collect::<Vec<_>>());
    let tuned: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bundle = home.path().join("bundle");
    check_bundle(&bundle);
    let guide = read(bundle.join("operations/deployment.md"));
    let handed_over = |one: &&Value| one["path"] == "spec.replicas" && one["to"].is_null();
    for one in list(&tuned, "/changes").into_iter().filter(handed_over) {
        let line = format!("apply edit-last-applied deployment/{}\n", text(one, "/name"));
        assert!(guide.contains(&line), "{line} is not in {guide}");
    }
    let proof: Value = serde_json::from_str(&read(bundle.join("plan/proof.json"))).unwrap();
    assert_eq!(proof["fingerprint"], tuned["certificate"]["fingerprint"]);
    let listed: Vec<&str> = list(&tuned, "/files").into_iter().filter_map(Value::as_str).collect();
    assert!(listed.contains(&"operations/runbook.md") && listed.contains(&"plan/proof.json"), "{listed:?}");
    // The very command of the README, and the overlay that is deployed.
    if System::new("kubectl").args(["kustomize", "--help"]).output().is_err() {
        return;
    }
    for folder in ["kubernetes", "kubernetes/overlays/production"] {
        let options = text(&proof, "/options").replace("-m kubernetes", &format!("-m {folder}"));
        let (seed, count) = (proof["seed"].to_string(), proof["replications"].to_string());
        let mut words = vec!["simulate"];
        words.extend(options.split(' '));
        words.extend(["--seed", &seed, "--replications", &count, "--no-out", "-o", "json"]);
        let output = plan(&bundle, &words);
        let again: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(again["fingerprint"], proof["fingerprint"], "{folder}");
    }
}
