//! `plan explain`: whole sessions on objects as kubectl prints them, word for
//! word, and the page of the manual that shows them.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain")
}

/// What a command line prints, with its exit code.
fn session(line: &str) -> (i32, String, String) {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("plan"));
    let mut command = Command::cargo_bin("plan").expect("plan is built");
    let output = command.current_dir(folder()).args(words).output().expect("plan runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("plan prints text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn shown(line: &str) -> String {
    let (code, out, err) = session(line);
    format!("$ {line}\n{out}{err}exit code {code}\n")
}

fn json(line: &str) -> serde_json::Value {
    let (code, out, err) = session(&format!("{line} -o json"));
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).expect("it is JSON")
}

const PHP: &str = "plan explain hpa -f php-apache.yaml";
const FRONTEND: &str = "plan explain hpa -f hpa-v2beta2.yaml --name frontend-cpu-hpa --pods \
                        frontend-pods.yaml --metrics frontend-metrics.yaml";
const WEB: &str = "plan explain hpa -f web-hpa.yaml --pods web-pods.yaml --metrics web-metrics.yaml";
const HISTORY: &str = "plan explain hpa -f web-behavior-hpa.yaml --pods web-steady-pods.yaml \
                       --metrics web-idle-metrics.yaml --history web-history.yaml";
const BUSY: &str = "plan explain hpa -f web-behavior-hpa.yaml --pods web-steady-pods.yaml \
                    --metrics web-busy-metrics.yaml --history web-history.yaml";

#[test]
fn decisions_are_explained_word_for_word() {
    insta::with_settings!({ omit_expression => true }, {
        for (name, line) in [("php", PHP), ("frontend", FRONTEND), ("web", WEB), ("history", HISTORY), ("busy", BUSY)] {
            insta::assert_snapshot!(name, shown(line));
        }
    });
}

const PLACED: &str = "plan explain scheduling --pod web.yaml --nodes nodes.yaml --pods node-pods.yaml";
const TOO_LARGE: &str = "plan explain scheduling --pod large.yaml --nodes nodes.yaml --pods node-pods.yaml";

#[test]
fn scheduling_is_explained_word_for_word() {
    insta::with_settings!({ omit_expression => true }, {
        for (name, line) in [("placed", PLACED), ("too-large", TOO_LARGE)] {
            insta::assert_snapshot!(name, shown(line));
        }
    });
    let document = json(PLACED);
    assert_eq!(document["node"], "node-c");
    let nodes = document["nodes"].as_array().expect("a list of nodes");
    for node in nodes.iter().filter(|node| node["feasible"] == true) {
        let scores = node["scores"].as_array().expect("a list of scores");
        let sum: i64 = scores.iter().filter_map(|one| one["weighted"].as_i64()).sum();
        assert_eq!(node["total"], sum);
    }
    let large = json(TOO_LARGE);
    assert!(large["node"].is_null());
    let expected = serde_json::json!({
        "reason": "Insufficient cpu", "resource": "cpu", "requested": 3, "used": 1.5, "capacity": 1.93
    });
    assert_eq!(large["nodes"][0]["reasons"][0], expected);
}

#[test]
fn what_is_wrong_is_said_all_at_once() {
    let lines = [
        (
            "several",
            "plan explain hpa -f hpa-v2beta2.yaml --pods frontend-pods.yaml --metrics frontend-metrics.yaml",
        ),
        ("nobody", "plan explain hpa -f hpa-v2beta2.yaml --name frontend --pods frontend-pods.yaml"),
        ("wrong", "plan explain hpa -f wrong.yaml --history wrong-history.yaml"),
        ("no-nodes", "plan explain scheduling --pod web-pods.yaml --nodes web.yaml"),
        ("absent", "plan explain hpa -f nowhere.yaml"),
    ];
    insta::with_settings!({ omit_expression => true }, {
        for (name, line) in lines {
            let text = shown(line);
            assert!(text.ends_with("exit code 2\n"), "{text}");
            insta::assert_snapshot!(name, text);
        }
    });
}

#[test]
fn the_document_has_the_agreed_keys() {
    let document = json(PHP);
    let keys = ["desiredReplicas", "currentReplicas", "metrics", "limits", "conditions", "because"];
    assert!(keys.iter().all(|key| document.get(key).is_some()), "{document}");
    let metric = &document["metrics"][0];
    let keys = [
        "name",
        "currentValue",
        "targetValue",
        "usageRatio",
        "proposedReplicas",
        "ready",
        "unready",
        "missing",
        "ignored",
    ];
    assert!(keys.iter().all(|key| metric.get(key).is_some()), "{metric}");
    // 305 % of 50 % at one pod asks for 7; one pass goes to 4 at most.
    assert_eq!((&metric["currentValue"], &metric["proposedReplicas"]), (&3.05.into(), &7.into()));
    assert_eq!((&document["currentReplicas"], &document["desiredReplicas"]), (&1.into(), &4.into()));
    let limit = serde_json::json!({"rule": "ScaleUpLimit", "from": 7, "to": 4});
    assert_eq!(document["limits"], serde_json::json!([limit]));
    let web = json(WEB);
    let counts = ["ready", "unready", "missing", "ignored"].map(|key| web["metrics"][0][key].as_u64());
    assert_eq!(counts, [2, 2, 1, 1].map(Some));
}

#[test]
fn a_given_count_and_moment_stand_before_those_of_the_files() {
    let document = json(&format!("{PHP} --current 4 --now 2026-05-04T11:00:00Z"));
    assert_eq!((&document["currentReplicas"], &document["desiredReplicas"]), (&4.into(), &7.into()));
    assert_eq!(document["now"], "2026-05-04T11:00:00Z");
}

#[test]
fn thresholds_are_where_the_answer_turns() {
    let document = json(HISTORY);
    let metric = &document["metrics"][0];
    assert_eq!(metric["moreFrom"], serde_json::json!({"value": 0.78, "replicas": 7}));
    assert_eq!(metric["fewerFrom"], serde_json::json!({"value": 0.58, "replicas": 5}));
    assert_eq!(document["nextChange"]["time"], "2026-05-04T10:02:30Z");
    let later = json(&format!("{HISTORY} --now 2026-05-04T10:02:30Z"));
    assert_eq!(later["desiredReplicas"], document["nextChange"]["replicas"]);
}

#[test]
fn the_manual_shows_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("the manual is there");
    let text = read("docs/explain.md") + &read("README.md");
    let mut sessions = 0;
    let blocks = text.split("```console\n").skip(1).filter(|block| block.starts_with("$ plan explain"));
    for block in blocks {
        let block = block.split("```").next().unwrap_or_default();
        // A command may go on in the next line.
        let block = block.replace(" \\\n    ", " ");
        let (line, printed) = block.split_once('\n').expect("a command and what it prints");
        let (code, out, err) = session(line.strip_prefix("$ ").expect("a command"));
        assert_eq!((code, out.as_str()), (0, printed), "{line}\n{err}");
        sessions += 1;
    }
    assert!(sessions >= 5, "{sessions} sessions");
}
