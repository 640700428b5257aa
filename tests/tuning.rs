//! `plan tune`: what it writes is what it proved.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

fn plan(home: &Path, arguments: &str) -> Output {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    Command::new(env!("CARGO_BIN_EXE_plan")).current_dir(home).args(words).output().unwrap()
}

/// A document that a command printed; any verdict will do.
fn json(home: &Path, arguments: &str) -> Value {
    let output = plan(home, arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{arguments}: {err}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}\n{err}"))
}

/// Few users and minutes: what is written does not depend on how many.
const SMALL: &str = "--users 50 --duration 2m --tries 4 --worlds 2";

#[test]
fn written_manifests_simulate_to_the_certified_figures() {
    let home = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/my-saas-chat").display().to_string();
    let tuned = json(home.path(), &format!("tune {SMALL} --form plain --out tuned -o json"));
    assert_eq!(tuned["kind"], "Tuning");
    let certificate = &tuned["certificate"];
    let (seed, replications) = (&certificate["seed"], &certificate["replications"]);
    // The second look at the very files, by another command.
    let again = json(
        home.path(),
        &format!(
            "simulate -m tuned --model {root}/model.yaml --policy {root}/policy.yaml --cluster {root}/cluster.yaml \
             --traffic busy-hour --users 50 --duration 2m --seed {seed} --replications {replications} --no-out -o json"
        ),
    );
    assert_eq!(again["fingerprint"], certificate["fingerprint"], "{again}");
    let kept = fs::read_to_string(home.path().join("tuned/tuning.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), tuned);
    // What a Secret holds is nowhere.
    for file in tuned["files"].as_array().unwrap() {
        let text = fs::read_to_string(home.path().join("tuned").join(file.as_str().unwrap())).unwrap();
        assert!(!text.contains("kind: Secret") && !text.contains("cmVwbGFjZS13"), "{file}");
    }
    assert!(tuned["leftOut"].to_string().contains("Secret production/app-secrets"), "{}", tuned["leftOut"]);
}

#[test]
fn every_change_has_a_reason_and_every_form_says_the_same() {
    let home = tempfile::tempdir().unwrap();
    let mut seen: Option<Value> = None;
    for form in ["patch", "kustomize", "helm", "chart"] {
        let tuned = json(home.path(), &format!("tune {SMALL} --form {form} --out {form} -o json"));
        let changes = tuned["changes"].as_array().unwrap();
        assert!(changes.len() > 5, "{form}: {} changes", changes.len());
        for change in changes {
            assert!(change["because"].as_str().is_some_and(|why| why.len() > 10), "{form}: {change}");
            assert_ne!(change["from"], change["to"], "{form}: {change}");
        }
        // The form is a matter of writing.
        let first = seen.get_or_insert_with(|| tuned.clone());
        assert!(first["changes"] == tuned["changes"], "{form} changes something else");
        // kustomize puts objects in an order of its own, and so draws other luck.
        if form != "kustomize" {
            assert_eq!(first["certificate"], tuned["certificate"], "{form}");
        }
        assert!(!tuned["files"].as_array().unwrap().is_empty(), "{form}");
    }
}

#[test]
fn an_infeasible_policy_gets_an_explanation() {
    let home = tempfile::tempdir().unwrap();
    let policy = "apiVersion: plan/v1alpha1\nkind: Policy\nobjectives:\n\
                  - {name: many, indicator: podsMax, atLeast: 40}\n- {name: few, indicator: podsMax, atMost: 5}\n";
    fs::write(home.path().join("policy.yaml"), policy).unwrap();
    let output = plan(home.path(), &format!("tune {SMALL} --policy policy.yaml --no-out"));
    let page = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{page}");
    assert!(page.contains("NOT ALL"), "{page}");
    assert!(page.contains("WHAT CAN'T BE KEPT") && page.contains("few is missed"), "{page}");
    assert!(page.contains("nearest: a goal of ≤"), "{page}");
}

#[test]
fn nothing_to_tune_is_said() {
    let home = tempfile::tempdir().unwrap();
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: node:20}]}\n";
    fs::write(home.path().join("pod.yaml"), pod).unwrap();
    let output = plan(home.path(), "tune -m pod.yaml --users 10");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("there is nothing to tune"), "{err}");
}

#[test]
fn replacement_after_node_loss_is_explained() {
    let home = tempfile::tempdir().unwrap();
    let policy = "apiVersion: plan/v1alpha1\nkind: Policy\nobjectives:\n- {name: replaced, indicator: capacityRestored, \
                  atMost: 30s, scope: {drill: node-failure}}\n- {indicator: availability, atLeast: 99%}\n";
    fs::write(home.path().join("policy.yaml"), policy).unwrap();
    let arguments = "tune --users 50 --duration 2m --tries 1 --worlds 0 --policy policy.yaml --no-out";
    let output = plan(home.path(), arguments);
    let page = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{page}");
    for words in
        ["replaced (node-failure) is missed", "out of reach: replacements are made", "tolerationSeconds: 0"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Short of the traffic's peak, and it says so.
    assert!(page.contains("not for all of them") && page.contains("--duration"), "{page}");
}
