//! Our rules against the answers of Kubernetes' own code.
//!
//! `cargo test` holds them to the committed sample of answers. With the oracle
//! built (README.md) it asks for fresh ones, as many as wanted:
//!
//! ```text
//! PLAN_ORACLE=target/oracle cargo test --test oracle -- run FAMILY COUNT SEED
//! PLAN_ORACLE=target/oracle cargo test --test oracle -- sample FAMILY COUNT SEED
//! ```

mod ask;
#[path = "../upstream/hpa.rs"]
#[allow(dead_code, reason = "the oracle answers some of the families")]
mod hpa;
mod make;
#[path = "../upstream/rows.rs"]
#[allow(dead_code, reason = "the oracle answers some of the families")]
mod rows;
#[path = "../upstream/scheduler.rs"]
#[allow(dead_code, reason = "the oracle answers some of the families")]
mod scheduler;
mod shrink;
#[path = "../upstream/workloads.rs"]
#[allow(dead_code, reason = "the oracle answers some of the families")]
mod workloads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::ask::Oracle;
use crate::make::Dice;

/// A family of rows: how one is made, and how our answer is compared with its
/// `expect`.
pub struct Family {
    /// The name, as in `tests/upstream`.
    pub name: &'static str,
    /// Makes a row without `expect`.
    pub make: fn(&mut Dice) -> Value,
    /// Compares; what differs otherwise.
    pub run: fn(&Value) -> Result<(), String>,
}

const FAMILIES: &[Family] = &[
    Family { name: "deployment_math", make: make::workload::deployment, run: workloads::deployment_math },
    Family { name: "hpa_reconcile", make: make::autoscaler::pass, run: hpa::reconcile },
    Family { name: "pdb_math", make: make::workload::budget, run: workloads::pdb_math },
    Family { name: "replicaset_pod_ranking", make: make::workload::ranking, run: workloads::pod_ranking },
    Family { name: "scheduler_fit", make: make::scheduling::fit, run: scheduler::fit },
    Family { name: "scheduler_other_scores", make: make::scheduling::others, run: scheduler::other_scores },
    Family {
        name: "scheduler_resource_scores",
        make: make::scheduling::resources,
        run: scheduler::resource_scores,
    },
    Family {
        name: "scheduler_spread_filter",
        make: make::scheduling::spread_filter,
        run: scheduler::spread_filter,
    },
    Family {
        name: "scheduler_spread_score",
        make: make::scheduling::spread_score,
        run: scheduler::spread_score,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let found = match words.first().map(String::as_str) {
        Some("run") => with_oracle(&words, run),
        Some("sample") => with_oracle(&words, sample),
        // Anything else is meant for the usual harness.
        _ => check_samples(),
    };
    match found {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Which rows are asked for.
#[derive(Clone, Copy)]
struct Order<'a> {
    family: &'a Family,
    count: u64,
    seed: u64,
    oracle: &'a Path,
}

fn with_oracle(words: &[String], act: fn(&Order) -> Result<String, String>) -> Result<String, String> {
    let [_, family, count, seed] = words else { return Err("say FAMILY COUNT SEED".to_owned()) };
    let family = FAMILIES.iter().find(|known| known.name == family).ok_or("no such family")?;
    let number = |word: &String| word.parse::<u64>().map_err(|problem| format!("{word}: {problem}"));
    let oracle = std::env::var_os("PLAN_ORACLE").ok_or("PLAN_ORACLE names no oracle")?;
    act(&Order { family, count: number(count)?, seed: number(seed)?, oracle: Path::new(&oracle) })
}

/// Compares fresh rows; the first difference is made small and shown.
fn run(order: &Order) -> Result<String, String> {
    let mut met = ask::Met::default();
    let different = ask::each(order, |mut row, answer| {
        row["expect"] = answer;
        met.note(&row);
        (order.family.run)(&row).err().map(|problem| (row, problem))
    })?;
    let Some((row, problem)) = different else {
        return Ok(format!("{}: {} rows, no difference\n{met}", order.family.name, order.count));
    };
    println!("{}: {problem}\nmaking it smaller …", row["name"]);
    let (row, problem) = shrink::shrink(order.family, &mut Oracle::start(order.oracle)?, row)?;
    Err(format!("{}: {problem}\n{row:#}", order.family.name))
}

/// A row of the sample is at most so long: the sample is read by people, too.
const SAMPLE_ROW: usize = 2_200;

/// Writes rows with their answers into the committed sample: the first `COUNT`
/// that aren't too long.
fn sample(order: &Order) -> Result<String, String> {
    let (mut lines, mut rows) = (String::new(), 0);
    ask::each(&Order { count: order.count * 100, ..*order }, |mut row, answer| {
        row["expect"] = answer;
        let line = row.to_string();
        if line.len() <= SAMPLE_ROW {
            lines.push_str(&line);
            lines.push('\n');
            rows += 1;
        }
        (rows == order.count).then_some(())
    })?;
    let file = sample_folder().join(format!("{}.jsonl", order.family.name));
    std::fs::write(&file, lines).map_err(|problem| problem.to_string())?;
    Ok(format!("{rows} rows in {}", file.display()))
}

fn sample_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/sample")
}

/// Holds our rules to the committed answers: every family has some.
fn check_samples() -> Result<String, String> {
    let mut said = String::new();
    for family in FAMILIES {
        let file = sample_folder().join(format!("{}.jsonl", family.name));
        let text =
            std::fs::read_to_string(&file).map_err(|problem| format!("{}: {problem}", file.display()))?;
        let mut rows = 0;
        for line in text.lines() {
            let row = serde_json::from_str(line).map_err(|problem| problem.to_string())?;
            (family.run)(&row).map_err(|problem| format!("{}: {problem}\n{row:#}", family.name))?;
            rows += 1;
        }
        if rows == 0 {
            return Err(format!("{} has no rows", family.name));
        }
        said.push_str(&format!("{}: {rows} answers of the oracle met\n", family.name));
    }
    Ok(said)
}
