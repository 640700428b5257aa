//! Data files, charts and the page.

use std::fs;
use std::path::Path;

use kubeplan::judge::judge;
use kubeplan::output;
use kubeplan::scenario::{Interpolation, Population, Shape};
use kubeplan::units::SimTime;

use crate::made_up::{mixed_objectives, runs, scenario};

/// Charts are drawn, hold what they must, and lie in the test folder to be looked at.
#[test]
fn charts_name_what_they_show() {
    let (scenario, runs) = (scenario(mixed_objectives()), runs(3));
    let verdict = judge(&scenario, &runs);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("charts");
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in output::files(&scenario, &runs, &verdict) {
        fs::write(folder.join(&name), &bytes).unwrap();
        if bytes.starts_with(b"<svg") {
            let svg = String::from_utf8(bytes).unwrap();
            for words in ["my-saas-chat", "seed 42", "time since the start (h:mm)", "0:30"] {
                assert!(svg.contains(words), "{name} does not say {words}");
            }
            if name == "latency.svg" {
                for words in
                    ["Requests of journey send-message", "Calls to auth-service", "goal: auth latency"]
                {
                    assert!(svg.contains(words), "{name} does not say {words}");
                }
            }
        }
    }
}

fn page(width: usize) -> String {
    let (scenario, runs) = (scenario(mixed_objectives()), runs(3));
    let verdict = judge(&scenario, &runs);
    let next = Some("plan tune --users 100000");
    let around = output::table::Around { width, folder: Some("outputs/my-saas-chat"), next };
    let page = output::table::page(&scenario, &runs, &verdict, around);
    anstream::adapter::strip_str(&page).to_string()
}

#[test]
fn the_page_fits_its_width_and_says_all_without_colour() {
    for width in [60, 80, 120] {
        let page = page(width);
        let widest = page.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(widest <= width, "{widest} columns of {width}:\n{page}");
    }
    insta::assert_snapshot!("page_80", page(80));
    insta::assert_snapshot!("page_60", page(60));
}

#[test]
fn the_contract_keeps_its_keys() {
    let (scenario, runs) = (scenario(mixed_objectives()), runs(3));
    let document = output::verdict::document(&scenario, &runs, &judge(&scenario, &runs));
    let json: serde_json::Value = serde_json::from_str(&output::verdict::json(&document)).unwrap();
    let keys = |pointer: &str| -> Vec<String> {
        let value = json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        value.as_object().unwrap_or_else(|| panic!("{pointer} is no object")).keys().cloned().collect()
    };
    // As the product promises them; more may be added, none may go.
    for (pointer, wanted) in [
        (
            "",
            "apiVersion kind seed replications horizonSeconds fingerprint verdict objectives workloads journeys \
             cluster decisions drills",
        ),
        ("/objectives/0", "name scope comparison goal measured verdict because"),
        ("/objectives/8/measured", "value low high"),
        (
            "/workloads/chat-service",
            "requests failed failuresByCause latencySeconds waitSeconds replicas cpuCores memoryBytes throttledRatio \
             restarts oomKills",
        ),
        ("/workloads/chat-service/latencySeconds", "mean p50 p95 p99"),
        ("/workloads/chat-service/waitSeconds", "mean p50 p95 p99"),
        ("/workloads/chat-service/replicas", "min mean max"),
        ("/workloads/chat-service/cpuCores", "mean max"),
        ("/workloads/chat-service/memoryBytes", "mean max"),
        ("/journeys/send-message", "requests failed latencySeconds"),
        ("/cluster", "nodes pods pendingPodSeconds costPerMonth"),
        ("/cluster/nodes", "min mean max"),
        ("/decisions/0", "time workload from to because"),
    ] {
        let seen = keys(pointer);
        for key in wanted.split(' ') {
            assert!(seen.iter().any(|other| other == key), "{pointer} has no {key}: {seen:?}");
        }
    }
    assert_eq!((&json["apiVersion"], &json["kind"]), (&"plan/v1alpha1".into(), &"Verdict".into()));
    assert_eq!((&json["verdict"], &json["seed"]), (&"missed".into(), &42.into()));
    assert_eq!(json["objectives"][1]["scope"], "journey/send-message");
    assert_eq!(json["objectives"][8]["verdict"], "notJudged");
    let failures: f64 = json["workloads"]["chat-service"]["failuresByCause"]
        .as_object()
        .unwrap()
        .values()
        .map(|number| number.as_f64().unwrap())
        .sum();
    assert!((failures - json["workloads"]["chat-service"]["failed"].as_f64().unwrap()).abs() < 1e-3);
    let yaml: serde_json::Value = serde_yaml::from_str(&output::verdict::yaml(&document)).unwrap();
    assert_eq!(yaml["objectives"][0]["name"], json["objectives"][0]["name"]);
}

#[test]
fn series_and_decisions_are_rows_for_other_tools() {
    let (scenario, mut runs) = (scenario(Vec::new()), runs(2));
    runs[1].decisions[0].because = "two words, \"quoted\"".to_owned();
    let series = String::from_utf8(output::csv::time_series(&scenario, &runs)).unwrap();
    let rows: Vec<&str> = series.lines().collect();
    assert_eq!(rows.len(), 1 + 2 * 390);
    let columns = rows[0].split(',').count();
    assert!(rows.iter().all(|row| row.split(',').count() == columns), "rows differ in length");
    insta::assert_snapshot!("timeseries", format!("{}\n{}\n{}\n", rows[0], rows[1], rows[390]));
    let decisions = String::from_utf8(output::csv::decisions(&scenario, &runs)).unwrap();
    let first: Vec<&str> = decisions.lines().filter(|row| !row.starts_with("0,")).take(3).collect();
    insta::assert_snapshot!("decisions", first.join("\n"));
}

#[test]
fn a_rate_is_told_as_a_rate() {
    let (mut scenario, runs) = (scenario(Vec::new()), runs(1));
    let shape = Shape { points: vec![(SimTime::ZERO, 0.5)], interpolation: Interpolation::Step };
    for (users, words) in [(None, "20 journeys a second at the peak"), (Some(7.0), " users at the peak")] {
        let (peak_per_second, shape) = (40.0, shape.clone());
        scenario.demand.population =
            Population::Rate { peak_per_second, shape, users, modulation: Vec::new() };
        let around = output::table::Around { width: 200, folder: None, next: None };
        let page = output::table::page(&scenario, &runs, &judge(&scenario, &runs), around);
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn equal_runs_give_equal_bytes() {
    let files = || {
        let (scenario, runs) = (scenario(mixed_objectives()), runs(2));
        let verdict = judge(&scenario, &runs);
        output::files(&scenario, &runs, &verdict)
    };
    for ((name, one), (_, other)) in files().into_iter().zip(files()) {
        assert!(one == other, "{name} differs");
    }
}

#[test]
fn a_scenario_with_next_to_nothing_is_shown_all_the_same() {
    let mut scenario = scenario(Vec::new());
    let mut runs = runs(2);
    scenario.workloads.truncate(1);
    scenario.workloads[0].behaviour.operations.clear();
    for journey in &mut scenario.demand.journeys {
        journey.visits.retain(|visit| visit.workload == 0);
    }
    scenario.autoscalers.clear();
    scenario.name = "<odd> & \"quoted\"".to_owned();
    for run in &mut runs {
        run.workloads.truncate(1);
        run.workloads[0] = kubeplan::observe::WorkloadSeen::default();
        run.decisions.clear();
        run.moments.clear();
        run.series = kubeplan::observe::Series::default();
    }
    let verdict = judge(&scenario, &runs);
    let files = output::files(&scenario, &runs, &verdict);
    assert_eq!(files.len(), 13);
    let around = output::table::Around { width: 0, folder: None, next: None };
    let page = output::table::page(&scenario, &runs, &verdict, around);
    assert!(page.contains("- NOTHING JUDGED: policy chat-slo has no"), "{page}");
}
