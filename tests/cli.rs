//! The binary: what it prints where, and its exit codes.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

fn plan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plan")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn wrong_usage_says_what_is_wrong_and_exits_with_2() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("odd.yaml"), "kind: [").unwrap();
    fs::write(
        home.path().join("good.yaml"),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: nginx}]}\n",
    )
    .unwrap();
    fs::create_dir(home.path().join("precious")).unwrap();
    fs::write(home.path().join("precious/thesis.tex"), "mine").unwrap();
    for (arguments, words) in [
        (&[][..], "Usage: plan"),
        (&["simulat"], "simulate"),
        (&["simulate", "--users", "0"], "at least 1 user"),
        (&["simulate", "--users", "many"], "write it as 100000, 100k or 1e5"),
        (&["simulate", "--duration", "90"], "write it as 90s, 15m or 1h30m"),
        (&["simulate", "--replications", "0"], "write auto, or a number from 1"),
        (&["simulate", "--kubernetes-version", "2.0"], "--kubernetes-version"),
        (&["simulate", "-o", "xml"], "[possible values: table, json, yaml]"),
        (&["simulate", "-m", "missing.yaml"], "missing.yaml"),
        (&["simulate", "--policy", "odd.yaml"], "odd.yaml"),
        (&["simulate", "--out", "precious"], "holds thesis.tex, which plan did not write"),
        (&["simulate", "--out", "x", "--no-out"], "cannot be used with"),
        (&["-q", "-v", "simulate"], "cannot be used with"),
        (&["compare", "a", "b", "-m", "c"], "cannot be used with"),
        (&["capacity", "a", "-m", "c"], "cannot be used with"),
        (&["robust", "a", "-m", "c"], "cannot be used with"),
        (&["simulate", "--traffic", "stedy"], "the traffic that comes along is called `steady`"),
        (&["simulate", "-m", "good.yaml", "--profile", "x"], "no profile `x`: no cluster file is given"),
        (&["completions", "tcsh"], "possible values"),
    ] {
        let output = plan(home.path(), arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {out}{err}");
        assert!(err.contains(words), "{arguments:?} does not say \"{words}\": {err}");
        assert_eq!(out, "", "{arguments:?} prints errors as results");
    }
    assert!(home.path().join("precious/thesis.tex").exists());
    assert!(!home.path().join("outputs").exists(), "wrong usage leaves results");
}

#[test]
fn help_and_completions_are_no_errors() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["--help"][..], "Exit codes: 0 every objective met"),
        (&["simulate", "--help"], "plan simulate --users 100000"),
        (&["--version"], "plan 0."),
        (&["completions", "bash"], "complete -F _plan"),
        (&["completions", "fish"], "complete -c plan"),
    ] {
        let output = plan(home.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output.stdout).contains(words), "{arguments:?}: {}", text(&output.stdout));
    }
}

const SMALL: [&str; 8] =
    ["simulate", "--users", "300", "--duration", "1m", "--replications", "3", "--exit-zero"];

/// All files of a folder by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn results_are_the_same_bytes_on_any_number_of_threads() {
    let home = tempfile::tempdir().unwrap();
    let run = |threads: &str, out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plan"));
        command.current_dir(home.path()).env("RAYON_NUM_THREADS", threads).args(SMALL);
        let output = command.args(["-o", "json", "--out", out]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        output.stdout
    };
    let (one, four) = (run("1", "one"), run("4", "deep/four"));
    assert_eq!(text(&one), text(&four));
    let (one_files, four_files) = (files(&home.path().join("one")), files(&home.path().join("deep/four")));
    assert_eq!(one_files.len(), 14);
    for ((name, one), (_, four)) in one_files.iter().zip(&four_files) {
        assert!(one == four, "{name} differs");
    }
    let kept = one_files.iter().find(|(name, _)| name == "verdict.json").unwrap();
    assert_eq!(text(&one), text(&kept.1), "the file and the output say the same");
    // Again into the same folder: replaced, and nothing left beside it.
    run("2", "one");
    assert_eq!(files(&home.path().join("one")), one_files);
    let beside: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
}

#[test]
fn the_exit_code_is_the_verdict() {
    let home = tempfile::tempdir().unwrap();
    let policy = |goal: &str| {
        let text = format!(
            "apiVersion: plan/v1alpha1\nkind: Policy\nname: nodes\nobjectives:\n\
             - {{name: nodes, indicator: nodesMax, atMost: {goal}}}\n"
        );
        fs::write(home.path().join("policy.yaml"), text).unwrap();
    };
    let run = |replications: &str, more: &[&str]| {
        let arguments =
            ["simulate", "--users", "100", "--duration", "30s", "--policy", "policy.yaml", "--no-out"];
        let all = [&arguments[..], &["--replications", replications], more].concat();
        let output = plan(home.path(), &all);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for (goal, replications, more, wanted, word) in [
        ("99", "2", &[][..], 0, "MET"),
        ("1", "2", &[][..], 1, "MISSED"),
        ("1", "2", &["--exit-zero"][..], 0, "MISSED"),
        ("99", "1", &[][..], 3, "UNSURE"),
    ] {
        policy(goal);
        let (code, out, err) = run(replications, more);
        assert_eq!(code, Some(wanted), "at most {goal}: {out}{err}");
        assert!(out.contains(word), "{out}");
        assert!(!out.contains('\x1b'), "colour in a pipe: {out:?}");
    }
    assert!(!home.path().join("outputs").exists(), "--no-out writes results");
}

#[test]
fn a_gate_does_not_open_where_nothing_was_judged() {
    let home = tempfile::tempdir().unwrap();
    let drill = "- {name: back, indicator: usersRecovered, scope: {drill: rollout}, atMost: 30s}";
    let policies = [format!("objectives:\n{drill}\n"), "objectives: []\n".to_owned()];
    for policy in policies {
        fs::write(home.path().join("policy.yaml"), format!("kind: Policy\nname: p\n{policy}")).unwrap();
        for (more, wanted, words) in [
            (&[][..], 3, "- NOTHING JUDGED: "),
            (&["--exit-zero"][..], 0, "- NOTHING JUDGED: "),
            (&["-o", "json"][..], 3, "\"verdict\": \"notJudged\""),
        ] {
            let arguments = ["simulate", "--users", "100", "--duration", "30s", "--policy", "policy.yaml"];
            let all = [&arguments[..], &["--no-out", "--replications", "2"], more].concat();
            let output = plan(home.path(), &all);
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(wanted), "{policy}{more:?}: {out}{err}");
            assert!(out.contains(words), "{policy}{more:?}: {out}");
        }
    }
}

#[test]
fn a_disk_that_refuses_is_an_outside_failure() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "mine").unwrap();
    let output = plan(home.path(), &["simulate", "--users", "10", "--out", "file/results"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_plan"))
        .current_dir(home.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_never_with_half_a_folder() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_plan"))
        .current_dir(home.path())
        .args(["simulate", "--users", "20000", "--duration", "2h", "--replications", "100", "--out", "kept"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("interrupted"), "{err}");
    let kept = home.path().join("kept");
    assert!(!kept.exists() || files(&kept).len() == 14, "half a folder is left");
}
