//! `plan validate`: one file per trap that springs this trap and no other, a clean
//! set that springs none, and what is printed of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use kubeplan::input::Problem;
use kubeplan::input::request::Request;
use kubeplan::input::rules;
use kubeplan::input::validate::{Validated, validate};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/validate")
}

fn checked(name: &str) -> Validated {
    let with = folder().join("with");
    let or_own = |kind: &str| {
        let own = with.join(format!("{name}.{kind}.yaml"));
        if own.exists() { own } else { with.join(format!("{kind}.yaml")) }
    };
    let request = Request {
        manifests: vec![folder().join(format!("{name}.yaml"))],
        model: Some(or_own("model")),
        cluster: Some(with.join("cluster.yaml")),
        policy: Some(or_own("policy")),
        ..Request::default()
    };
    validate(&request).unwrap_or_else(|failure| panic!("{name}: {}", failure.render(false)))
}

#[test]
fn each_trap_has_a_file_that_springs_it_alone() {
    let mut wrong = Vec::new();
    for rule in rules::ALL {
        let found = checked(rule.id);
        let ids: BTreeSet<&str> = found.problems.iter().filter_map(|one| Some(one.rule?.id)).collect();
        if ids != BTreeSet::from([rule.id]) {
            let all: Vec<&str> = found.problems.iter().map(|one| one.message.as_str()).collect();
            wrong.push(format!("{}: {ids:?} {all:?}", rule.id));
        }
        let usual = found.problems.iter().all(|one| one.severity <= rule.severity);
        assert!(usual || rule.id == "replicas-find-no-node", "{}: worse than its rule says", rule.id);
        assert!(found.problems.iter().all(|one| one.place.is_some()), "{}: no place", rule.id);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn quotas_count_by_their_scopes_and_daemon_sets_by_their_nodes() {
    let messages =
        |name: &str| -> Vec<String> { checked(name).problems.into_iter().map(|one| one.message).collect() };
    // Neither those for pods without requests, with a deadline or of a class, nor one that
    // asks what isn't known here.
    assert_eq!(
        messages("quota-scopes"),
        [
            "Deployment/web gets 1 of 3 pods: ResourceQuota `bounded` is full",
            "Deployment/web gets 2 of 3 pods: ResourceQuota `unclassed` is full",
        ]
    );
    // Three nodes take one each.
    assert_eq!(messages("quota-daemonset"), ["DaemonSet/web gets 2 of 3 pods: ResourceQuota `team` is full"]);
}

#[test]
fn numbers_of_ports_are_compared_with_those_that_are_declared() {
    let found = checked("target-numbers");
    let text = fs::read_to_string(folder().join("target-numbers.yaml")).unwrap();
    let said: Vec<&str> = found.problems.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "Service `web` sends to port 9090, and the containers of Deployment/web declare 8080",
            "Service `web` sends to port 82, and the containers of Deployment/web declare 8080",
        ]
    );
    assert!(found.problems.iter().all(|one| one.rule.is_some_and(|rule| rule.id == "service-target-port")));
    let at = |one: &Problem| one.place.as_ref().map(|place| &text[place.span.clone()]);
    assert_eq!(found.problems.iter().filter_map(at).collect::<Vec<_>>(), ["9090", "82"]);
}

#[test]
fn slos_are_checked_like_a_policy() {
    let home = tempfile::tempdir().expect("a folder");
    let slo = |service: &str, op: &str| {
        format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: fast}}\nspec:\n  service: {service}\n  indicator:\n    \
             metadata: {{name: latency}}\n    spec:\n      thresholdMetric: {{metricSource: {{type: x, spec: {{}}}}}}\n  \
             budgetingMethod: Occurrences\n  objectives:\n  - {{op: {op}, value: 0.3, target: 0.95}}\n"
        )
    };
    for (service, op, words) in [
        ("all", "lte", None),
        ("shop", "lte", Some("neither a journey nor a workload")),
        ("all", "gte", Some("lte")),
    ] {
        let path = home.path().join("slo.yaml");
        std::fs::write(&path, slo(service, op)).expect("the file is written");
        let request = Request { policy: Some(path), ..Request::default() };
        let found = validate(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        let said =
            found.problems.iter().filter(|one| one.severity == kubeplan::input::problem::Severity::Error);
        let said: Vec<String> = said.map(|one| format!("{} {:?}", one.message, one.help)).collect();
        match words {
            None => assert!(said.is_empty(), "{said:?}"),
            Some(words) => assert!(said.iter().any(|one| one.contains(words)), "{service} {op}: {said:?}"),
        }
    }
}

#[test]
fn what_is_right_springs_no_trap() {
    let found = checked("clean");
    let all: Vec<&str> = found.problems.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(all, [""; 0]);
    assert_eq!(found.not_checked, [""; 0]);
}

#[test]
fn the_manual_lists_every_rule() {
    let manual = fs::read_to_string("docs/validate.md").unwrap();
    for rule in rules::ALL {
        let level = format!("{:?}", rule.severity).to_lowercase();
        let row = format!("| `{}` | {level} | {} | {} | {} |", rule.id, rule.what, rule.why, rule.source);
        assert!(manual.contains(&row), "docs/validate.md lacks\n{row}");
    }
}

/// Exit code, standard output and standard error of a command line.
fn session(line: &str) -> (i32, String, String) {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("plan"));
    let mut command = Command::cargo_bin("plan").expect("plan is built");
    let output = command.current_dir(folder()).args(words).output().expect("plan runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("plan prints text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn pages_are_word_for_word_and_80_columns_wide() {
    insta::with_settings!({ omit_expression => true }, {
        for (name, line) in [
            ("clean", "plan validate -m clean.yaml"),
            ("embedded", "plan validate"),
            ("sprung", "plan validate -m rollout-outage.yaml --policy with/policy.yaml --strict"),
            ("unreadable", "plan validate -m unreadable.yaml"),
            ("junit", "plan validate -m start-up-killed.yaml --model with/model.yaml -o junit"),
            ("yaml", "plan validate -m pdb-twice.yaml -o yaml"),
        ] {
            let (code, out, err) = session(line);
            let wide = out.lines().find(|text| text.chars().count() > 80);
            assert!(wide.is_none() || line.contains("-o "), "{name}: {wide:?}");
            insta::assert_snapshot!(name, format!("$ {line}\n{out}{err}exit code {code}\n"));
        }
    });
}

#[test]
fn exit_codes_follow_the_worst_finding() {
    for (line, expected) in [
        ("plan validate -m clean.yaml --strict", 0),
        ("plan validate -m no-memory-limit.yaml", 0),
        ("plan validate -m no-memory-limit.yaml --strict", 1),
        ("plan validate -m image-latest.yaml --strict", 0),
        ("plan validate -m pdb-twice.yaml", 1),
        ("plan validate -m unreadable.yaml", 2),
        ("plan validate -m nothing-here.yaml", 2),
        ("plan validate -m clean.yaml --model clean.yaml", 2),
    ] {
        let (code, out, err) = session(line);
        assert_eq!(code, expected, "{line}: {out}{err}");
    }
}

/// The fields that SARIF 2.1.0 requires, and those that code scanning asks for.
#[test]
fn sarif_is_what_code_scanning_reads() {
    for name in ["pdb-blocks-evictions", "unreadable", "clean"] {
        let (_, out, err) = session(&format!("plan validate -m {name}.yaml -o sarif"));
        let log: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{name}: {error} {err}"));
        assert_eq!(log["version"], "2.1.0");
        assert!(log["$schema"].as_str().is_some_and(|schema| schema.contains("sarif-2.1.0")));
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("there are rules");
        assert_eq!(run["tool"]["driver"]["name"], "plan");
        for rule in rules {
            for text in ["shortDescription", "fullDescription", "help"] {
                assert!(rule[text]["text"].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
            }
            let level = rule["defaultConfiguration"]["level"].as_str();
            assert!(level.is_some_and(|level| ["error", "warning", "note"].contains(&level)), "{rule}");
        }
        let results = run["results"].as_array().expect("there are results");
        assert_eq!(results.is_empty(), name == "clean", "{name}: {results:?}");
        for result in results {
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(result["message"]["text"].as_str().is_some_and(|text| text.contains("Why:")));
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], format!("{name}.yaml"));
            let region = &place["region"];
            let number = |key: &str| region[key].as_u64().filter(|number| *number >= 1).expect("from 1");
            assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
        }
    }
}

#[test]
fn json_points_at_the_field() {
    let (_, out, _) = session("plan validate -m pdb-blocks-evictions.yaml -o json");
    let document: Value = serde_json::from_str(&out).expect("it is JSON");
    assert_eq!(document["apiVersion"], "plan/v1alpha1");
    assert_eq!(document["kind"], "Validation");
    let finding = &document["findings"][0];
    assert_eq!(finding["rule"], "pdb-blocks-evictions");
    let line = finding["line"].as_u64().expect("a line") as usize;
    let text = fs::read_to_string(folder().join("pdb-blocks-evictions.yaml")).unwrap();
    assert_eq!(text.lines().nth(line - 1), Some("  minAvailable: 100%"));
}
