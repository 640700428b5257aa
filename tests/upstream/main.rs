//! Kubernetes' own test tables, row by row.
//!
//! The rows are data (`cases/*.json`, restated from upstream's unit tests; see
//! `cases/README.md`). `PLAN_CASES` names another folder of such files to run
//! instead. Every file and every kind of row must be known here: nothing is
//! skipped in silence.

mod hpa;
mod nodes;
mod pods;
mod rows;
mod scheduler;
mod workloads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

/// Runs one row of a family; what went wrong otherwise.
type Run = fn(&Value) -> Result<(), String>;

/// The runner of each family, by file name.
const FAMILIES: &[(&str, Run)] = &[
    ("container_backoff", pods::container_backoff),
    ("deployment_math", workloads::deployment_math),
    ("deployment_status", workloads::deployment_status),
    ("hpa_behavior_defaults", hpa::behavior_defaults),
    ("hpa_behavior_rate", hpa::behavior_rate),
    ("hpa_clamp_no_behavior", hpa::clamp_no_behavior),
    ("hpa_group_pods", hpa::group_pods),
    ("hpa_pod_requests", hpa::pod_requests),
    ("hpa_policy_limit", hpa::policy_limit),
    ("hpa_reconcile", hpa::reconcile),
    ("hpa_replica_calculator", hpa::replica_calculator),
    ("hpa_scale_event_log", hpa::scale_event_log),
    ("hpa_stabilize_behavior", hpa::stabilize_behavior),
    ("hpa_stabilize_no_behavior", hpa::stabilize_no_behavior),
    ("hpa_utilization", hpa::utilization),
    ("kubelet_probe_worker", pods::probe_worker),
    ("node_lifecycle", nodes::node_lifecycle),
    ("pdb_math", workloads::pdb_math),
    ("replicaset_pod_ranking", workloads::pod_ranking),
    ("scheduler_fit", scheduler::fit),
    ("scheduler_num_feasible", scheduler::num_feasible),
    ("scheduler_other_scores", scheduler::other_scores),
    ("scheduler_preemption", scheduler::preemption),
    ("scheduler_resource_scores", scheduler::resource_scores),
    ("scheduler_spread_filter", scheduler::spread_filter),
    ("scheduler_spread_score", scheduler::spread_score),
];

fn main() -> ExitCode {
    let folders = match std::env::var_os("PLAN_CASES") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => ["tests/upstream/cases", "tests/upstream/ours"]
            .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .to_vec(),
    };
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| json_files(folder)).collect();
    files.sort();
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        let (good, bad) = run_file(file);
        println!("{}: {good} passed, {bad} failed", file.file_name().unwrap_or_default().display());
        passed += good;
        failed += bad;
    }
    if files.is_empty() {
        println!("no *.json in {folders:?}");
        failed += 1;
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The `*.json` files of a folder; a folder that can't be read has none and is
/// noticed by the count.
fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect()
}

/// Runs every row of one file; a file that isn't known counts as one failure.
fn run_file(file: &Path) -> (u32, u32) {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let family = stem.split('.').next().unwrap_or_default();
    let Some((_, run)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        println!("  {stem}: no runner knows this family");
        return (0, 1);
    };
    let cases = match read_cases(file) {
        Ok(cases) => cases,
        Err(problem) => {
            println!("  {stem}: {problem}");
            return (0, 1);
        }
    };
    let mut failed = 0;
    for case in &cases {
        if let Err(problem) = run(case) {
            failed += 1;
            println!("  {}: {problem}", case["name"].as_str().unwrap_or("(no name)"));
        }
    }
    (cases.len() as u32 - failed, failed)
}

/// The rows of one file.
fn read_cases(file: &Path) -> Result<Vec<Value>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let whole: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    match &whole["cases"] {
        Value::Array(cases) if !cases.is_empty() => Ok(cases.clone()),
        _ => Err("no `cases` in it".to_owned()),
    }
}
