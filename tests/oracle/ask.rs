//! Talks with the oracle: rows in, answers out, many at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;

use serde_json::Value;

use crate::Order;
use crate::make::Dice;

/// A running oracle.
pub struct Oracle {
    child: Child,
    rows: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the program.
    pub fn start(program: &Path) -> Result<Self, String> {
        let child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|problem| format!("{}: {problem}", program.display()))?;
        let rows = child.stdin.take().map(BufWriter::new);
        let answers = child.stdout.take().map(BufReader::new).ok_or("the oracle has no output")?;
        Ok(Self { child, rows, answers })
    }

    /// Asks for one row and waits.
    pub fn ask(&mut self, row: &Value) -> Result<Value, String> {
        let rows = self.rows.as_mut().ok_or("the oracle's input is closed")?;
        writeln!(rows, "{row}").and_then(|()| rows.flush()).map_err(|problem| problem.to_string())?;
        self.hear()
    }

    /// The next answer.
    fn hear(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|problem| problem.to_string())?;
        serde_json::from_str(&line).map_err(|problem| format!("the oracle said `{line}`: {problem}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may be waiting for someone who reads; all that was wanted is said.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the rows of an order, asks for each, and hands row and answer over
/// until something is found.
pub fn each<T>(order: &Order, mut take: impl FnMut(Value, Value) -> Option<T>) -> Result<Option<T>, String> {
    let mut oracle = Oracle::start(order.oracle)?;
    let mut rows = oracle.rows.take().ok_or("the oracle has no input")?;
    let (sender, receiver) = sync_channel(4_096);
    let (make, name, count, seed) = (order.family.make, order.family.name, order.count, order.seed);
    let writer = std::thread::spawn(move || {
        for place in 0..count {
            let mut row = make(&mut Dice::new(seed, place));
            row["family"] = name.into();
            row["name"] = format!("oracle/{seed}/{place}").into();
            // Who no longer listens has found something.
            if writeln!(rows, "{row}").is_err() || sender.send(row).is_err() {
                return;
            }
        }
    });
    let mut found = None;
    while let Ok(row) = receiver.recv() {
        let answer = oracle.hear()?;
        if answer.get("bad_row").is_some() || answer.get("panic").is_some() {
            return Err(format!("{answer}\n{row:#}"));
        }
        found = take(row, answer);
        if found.is_some() {
            break;
        }
    }
    drop(receiver);
    drop(oracle);
    let _ = writer.join();
    Ok(found)
}

/// How often rows had which outcome: a generator that never gets somewhere
/// proves nothing about it.
#[derive(Default)]
pub struct Met(BTreeMap<String, u64>);

impl Met {
    /// Counts the words of a row's answer.
    pub fn note(&mut self, row: &Value) {
        let expect = &row["expect"];
        for condition in expect["conditions"].as_array().into_iter().flatten() {
            *self.0.entry(condition[2].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        for word in ["scale_updated", "fits", "order", "error", "scaled", "sync_error"] {
            if !expect[word].is_null() {
                *self.0.entry(format!("{word} {}", expect[word])).or_default() += 1;
            }
        }
        for status in expect["status"].as_object().into_iter().flat_map(|nodes| nodes.values()) {
            *self.0.entry(status.as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        for score in expect["normalized_scores"].as_object().into_iter().flat_map(|nodes| nodes.values()) {
            let word =
                if [0, 100].iter().any(|end| score == end) { "score at an end" } else { "score between" };
            *self.0.entry(word.to_owned()).or_default() += 1;
        }
        if let Some(kind) = row["kind"].as_str().or(row["strategy"].as_str()).or(row["plugin"].as_str()) {
            *self.0.entry(kind.to_owned()).or_default() += 1;
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(word, times)| writeln!(f, "  {word}: {times}"))
    }
}
