//! Random edits on random texts.

use kubeplan::change::{ChangeSet, Edit, ObjectName, value_of};
use kubeplan::emit;
use kubeplan::source::{Step, steps_of};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{changes, documents, expected, name, objects, originals};

/// How a text is written.
#[derive(Clone, Copy, Debug)]
struct Look {
    step: usize,
    list: usize,
    /// Collections of at most this depth below are written in brackets.
    brackets: bool,
    comments: bool,
    quotes: u8,
    windows: bool,
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5_i64..2_000).prop_map(Value::from),
        Just(json!(0.5)),
        "[a-z]{1,6}".prop_map(Value::from),
        "[0-9]{1,3}(m|Mi|Gi|)".prop_map(Value::from),
        prop_oneof![
            Just("yes"),
            Just("1e3"),
            Just("a: b"),
            Just("it's #1"),
            Just(""),
            Just("x\ny\n"),
            Just("a\nb")
        ]
        .prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("c"), Just("name"), Just("on"), Just("x.y/z")]
        .prop_map(str::to_owned)
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|pairs| pairs.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn look() -> impl Strategy<Value = Look> {
    (1_usize..5, 0_usize..3, any::<bool>(), any::<bool>(), 0_u8..3, any::<bool>()).prop_map(
        |(step, list, brackets, comments, quotes, windows)| Look {
            step: step.max(2),
            list,
            brackets,
            comments,
            quotes,
            windows,
        },
    )
}

fn shown(value: &Value, look: Look) -> String {
    match value {
        Value::String(text) if look.quotes == 1 && !text.contains('\n') => {
            format!("'{}'", text.replace('\'', "''"))
        }
        Value::String(text) => {
            let bare = look.quotes == 0 && text.chars().all(|one| one.is_ascii_lowercase()) && text.len() > 3;
            if bare { text.clone() } else { value.to_string() }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| shown(item, look)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("\"{key}\": {}", shown(value, look)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a value as lines, in all the ways that people do.
fn write(value: &Value, indent: usize, look: Look, depth: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    let flat = look.brackets && depth >= 2;
    match value {
        Value::Object(entries) if !entries.is_empty() && !flat => {
            out.push('\n');
            for (at, (key, value)) in entries.iter().enumerate() {
                if look.comments && at % 2 == 1 {
                    out.push_str(&format!("{margin}# about {key}\n"));
                }
                out.push_str(&format!("{margin}\"{key}\":"));
                let inner = if value.is_array() { indent + look.list } else { indent + look.step };
                write(value, inner, look, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() && !flat => {
            out.push('\n');
            for item in items {
                out.push_str(&format!("{margin}-"));
                let mut inner = String::new();
                write(item, indent + 2, look, depth + 1, &mut inner);
                // A mapping or list begins behind the dash of its item.
                let inner = inner
                    .strip_prefix(&format!("\n{margin}  "))
                    .map_or(inner.clone(), |rest| format!(" {rest}"));
                out.push_str(&inner);
            }
        }
        Value::String(text) if text.ends_with('\n') && look.quotes == 2 => {
            out.push_str(" |\n");
            text.lines().for_each(|line| out.push_str(&format!("{margin}  {line}\n")));
        }
        other => {
            let comment = if look.comments && depth % 2 == 1 { " # said so" } else { "" };
            out.push_str(&format!(" {}{comment}\n", shown(other, look)));
        }
    }
}

fn text_of(value: &Value, look: Look) -> String {
    let mut out = String::new();
    write(value, 0, look, 0, &mut out);
    let out = out.trim_start_matches('\n').to_owned();
    if look.windows { out.replace('\n', "\r\n") } else { out }
}

/// All paths of a value.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let step =
                    if key.contains(['.', '/']) { format!("{at}[\"{key}\"]") } else { format!("{at}.{key}") };
                found.push(step.clone());
                paths(value, &step, found);
            }
            found.push(format!("{at}.new"));
            found.push(format!("{at}.fresh.deep"));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                found.push(format!("{at}[{index}]"));
                paths(item, &format!("{at}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Up to three edits, none inside another, no list losing items before another edit in it.
fn pick(spec: &Value, picks: &[(prop::sample::Index, Option<Value>)]) -> Vec<Edit> {
    let mut found = Vec::new();
    paths(spec, "spec", &mut found);
    let mut edits: Vec<Edit> = Vec::new();
    for (index, to) in picks {
        let Some(path) = (!found.is_empty()).then(|| index.get(&found).clone()) else { break };
        let list = |path: &str| path.rfind('[').map_or(String::new(), |at| path[..at].to_owned());
        let related = |edit: &Edit| {
            let inside = edit.path.starts_with(&path) || path.starts_with(&edit.path);
            let fresh = edit.path.ends_with(".fresh.deep") && path.ends_with(".fresh.deep");
            let shifted = (to.is_none() && path.ends_with(']') && edit.path.starts_with(&list(&path)))
                || (edit.to.is_none() && edit.path.ends_with(']') && path.starts_with(&list(&edit.path)));
            inside || fresh && edit.path == path || shifted
        };
        if !edits.iter().any(related) {
            edits.push(Edit { path, to: to.clone(), because: String::new() });
        }
    }
    edits
}

fn set_of(object: ObjectName, edits: Vec<Edit>) -> ChangeSet {
    changes(vec![kubeplan::change::Edited { object, edits }])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patched_text_says_what_the_edits_say(
        spec in prop::collection::vec((key(), tree()), 1..5),
        look in look(),
        picks in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(tree())), 1..4),
        as_json in 0_u8..4,
    ) {
        let spec: Value = spec.into_iter().collect::<Map<_, _>>().into();
        let object = json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "spec": spec, "z": 1});
        let text = match as_json {
            0 => serde_json::to_string_pretty(&object).unwrap(),
            _ => text_of(&object, look),
        };
        prop_assert_eq!(&value_of(&documents(&text)[0]), &object, "{}", text);
        let edits = pick(&object["spec"], &picks);
        let files = originals(&[("a.yaml", &text)]);
        let set = set_of(name("v1", "A", "a"), edits.clone());
        let emission = emit::patch(&files, &set);
        let emission = emission.map_err(|faults| TestCaseError::fail(format!("{faults:?}\n{edits:?}\n{text}")))?;
        let after = emission.files.first().map_or(text.clone(), |file| file.text.clone());
        prop_assert_eq!(objects(&after), expected(&files, &set), "{}\n--\n{}", text, after);
        // The lines of `spec` alone change: those around it stay where they are.
        let (head, tail) = (text.find("spec").unwrap(), text.rfind('z').unwrap());
        prop_assert!(after.starts_with(&text[..head]) && after.ends_with(&text[tail..]), "{}\n--\n{}", text, after);
        if edits.len() == 1 && is_small(&object, &edits[0]) {
            prop_assert!(touched(&text, &after) <= 1, "{:?}\n{}\n--\n{}", edits[0], text, after);
        }
        let all = emit::plain(&files, &set).unwrap();
        prop_assert_eq!(crate::support::emitted(&all), expected(&files, &set));
    }
}

/// How many lines of the text before are not among those after, in order.
fn touched(before: &str, after: &str) -> usize {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let rest = before.len().min(after.len()) - same;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(one, other)| one == other);
    before.len() - same - tail.count()
}

/// Whether an edit puts one scalar for another, or a new one where there was none.
fn is_small(object: &Value, edit: &Edit) -> bool {
    let small = |value: &Value| match value {
        Value::String(text) => !text.contains('\n'),
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    };
    let mut before = object.clone();
    let is_new = edit.path.rsplit('.').next() == Some("new");
    let old = steps_of(&edit.path).iter().try_fold(&mut before, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(*index),
    });
    edit.to.as_ref().is_some_and(small) && old.map_or(is_new, |old| small(old))
}
