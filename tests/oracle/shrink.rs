//! Makes a row small that shows a difference: parts are left out and numbers
//! made simpler for as long as the difference stays.

use serde_json::Value;

use crate::Family;
use crate::ask::Oracle;

/// The smallest row found that differs in the same way, with what differs.
pub fn shrink(family: &Family, oracle: &mut Oracle, row: Value) -> Result<(Value, String), String> {
    let first = (family.run)(&row).err().ok_or("the difference is gone")?;
    let (mut best, mut problem) = (row, first);
    let mut changed = true;
    while changed {
        changed = false;
        let mut at = 0;
        // A place that could be made simpler is tried once more.
        while let Some(place) = places(&best, String::new()).get(at) {
            match simpler_at(family, oracle, &best, &problem, place)? {
                Some(found) => (best, problem, changed) = (found.0, found.1, true),
                None => at += 1,
            }
        }
    }
    Ok((best, problem))
}

/// The row with a simpler value at one place that still differs, if there is one.
fn simpler_at(
    family: &Family,
    oracle: &mut Oracle,
    best: &Value,
    problem: &str,
    place: &str,
) -> Result<Option<(Value, String)>, String> {
    for simpler in simpler(best.pointer(place).unwrap_or(&Value::Null)) {
        let mut row = best.clone();
        put(&mut row, place, simpler);
        if let Some(found) = differs(family, oracle, &mut row, problem)? {
            return Ok(Some((row, found)));
        }
    }
    Ok(None)
}

/// Whether a row still shows a difference of the same name.
fn differs(
    family: &Family,
    oracle: &mut Oracle,
    row: &mut Value,
    problem: &str,
) -> Result<Option<String>, String> {
    let answer = oracle.ask(row)?;
    if answer.get("bad_row").is_some() || answer.get("panic").is_some() {
        return Ok(None);
    }
    row["expect"] = answer;
    // A row that our rules refuse with a panic isn't one that a manifest can make.
    let found = std::panic::catch_unwind(|| (family.run)(row).err()).unwrap_or(None);
    let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    Ok(found.filter(|found| name(found) == name(problem)))
}

/// All places in a row whose values may be changed, outer ones first.
fn places(value: &Value, at: String) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Array(entries) => {
            found.push(at.clone());
            for (place, entry) in entries.iter().enumerate() {
                found.extend(places(entry, format!("{at}/{place}")));
            }
        }
        Value::Object(fields) => {
            for (key, entry) in fields {
                if !["expect", "family", "name", "kind", "type", "config", "minor", "resources"]
                    .contains(&key.as_str())
                {
                    found.extend(places(entry, format!("{at}/{key}")));
                }
            }
        }
        Value::Number(_) | Value::Bool(true) => found.push(at),
        Value::Null | Value::Bool(false) | Value::String(_) => {}
    }
    found
}

/// Simpler values to try instead, the simplest first.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(entries) => {
            let without = |place: usize| {
                let mut fewer = entries.clone();
                fewer.remove(place);
                Value::Array(fewer)
            };
            (0..entries.len()).map(without).collect()
        }
        Value::Bool(_) => vec![false.into()],
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => {
                let mut fewer = vec![1, 2, 3, 10, 100, whole / 2, whole - whole / 4, whole - whole / 16];
                if whole.abs() < 20 {
                    fewer.push(whole - whole.signum());
                }
                let simpler = |&other: &i64| other != 0 && other.abs() < whole.abs();
                fewer.into_iter().filter(simpler).map(Value::from).collect()
            }
            (None, Some(real)) if real.fract() != 0.0 => vec![real.trunc().into()],
            (None, Some(real)) if real.abs() > 1.0 => vec![(real / 2.0).trunc().into()],
            (None, _) => Vec::new(),
        },
        Value::Null | Value::String(_) | Value::Object(_) => Vec::new(),
    }
}

fn put(row: &mut Value, place: &str, value: Value) {
    if let Some(old) = row.pointer_mut(place) {
        *old = value;
    }
}
