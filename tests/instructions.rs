//! What a request costs in instructions, which don't depend on how busy a machine is:
//! fails where one costs 15 % more than is written down here. Says so where there is no
//! valgrind to count them.
//!
//! ```console
//! $ cargo test --test instructions
//! $ cargo test --release --test instructions    # as users run it
//! ```
//!
//! Each system is run over a short time and over a longer one, under callgrind; what
//! the difference costs is shared out among what the longer one did more. So neither
//! the program's start nor the first moment of a run counts.

use std::process::{Command, ExitCode};

use kubeplan::sim::random::Seed;
use kubeplan::world::simulate;

mod support;

/// A system that is measured.
struct System {
    name: &'static str,
    /// What its instructions are shared out among.
    each: &'static str,
    /// How long the two runs are: seconds, or hours of a usage curve.
    runs: [u64; 2],
    /// Instructions as measured last: of the build that tests run in, and of the one that
    /// users run.
    written_down: [f64; 2],
}

const SYSTEMS: [System; 3] = [
    System { name: "calm", each: "request of three hops", runs: [1, 4], written_down: [11_090.0, 7_600.0] },
    System {
        name: "overload",
        each: "request of three hops, twice as many as the pods can serve",
        runs: [1, 4],
        written_down: [9_030.0, 6_200.0],
    },
    System {
        name: "curves",
        each: "pod and hour of a usage curve",
        runs: [2, 6],
        written_down: [220_100.0, 122_800.0],
    },
];

/// More than this share above what is written down fails.
const TOLERANCE: f64 = 0.15;
/// The word that tells this program to run a system itself.
const RUN: &str = "run-system";

/// Runs a system; how much it did.
fn run(name: &str, long: u64) -> f64 {
    let scenario = match name {
        "calm" => support::hops::three_hops(1.0, long),
        "overload" => support::hops::three_hops(4.0, long),
        _ => support::curves::deployments(10, 100, long),
    };
    let seen = simulate(&scenario, Seed { base: 1, replication: 0 });
    if name == "curves" { seen.cluster.pods.mean() * long as f64 } else { seen.balance.arrived as f64 }
}

/// Runs a system under callgrind: how much it did, and in how many instructions.
fn count(name: &str, long: u64) -> Result<(f64, f64), String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args([RUN, name, &long.to_string()])
        .output()
        .map_err(|error| error.to_string())?;
    let did = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = told.lines().find_map(|line| line.split_once("Collected :"));
    let took = collected.and_then(|(_, number)| number.trim().parse().ok());
    did.zip(took).ok_or(told)
}

/// Instructions for each of what a system does.
fn measure(system: &System) -> Result<f64, String> {
    let [short, long] = system.runs;
    let ((less, from), (more, to)) = (count(system.name, short)?, count(system.name, long)?);
    Ok((to - from) / (more - less))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|word| word == RUN) {
        let long = arguments[at + 2].parse().expect("the second argument is a number");
        println!("{}", run(&arguments[at + 1], long));
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("not counted: there is no valgrind");
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for system in &SYSTEMS {
        match measure(system) {
            Ok(measured) => {
                let ratio = measured / system.written_down[usize::from(!cfg!(debug_assertions))];
                let verdict = if ratio > 1.0 + TOLERANCE {
                    "too many"
                } else if ratio < 1.0 - TOLERANCE {
                    "write the new figure down"
                } else {
                    "as before"
                };
                failed |= ratio > 1.0 + TOLERANCE;
                println!("{measured:8.0} a {}: {ratio:.2} of what is written down, {verdict}", system.each);
            }
            // Some machines don't let programs be run like that; the system itself must run.
            Err(problem) => {
                println!("{}: not counted: {problem}", system.name);
                failed |= run(system.name, system.runs[0]) <= 0.0;
            }
        }
    }
    ExitCode::from(u8::from(failed))
}
