//! The user's own files with nothing but the changed bytes replaced. Whatever is
//! written is read again first and compared with what it should say.

use std::collections::BTreeMap;

use serde_json::Value;

use super::flow::on_one_line;
use super::layout::{Form, form, own_entries};
use super::originals::{Found, Originals, Read, names_of};
use super::splice::{Splice, Splicer};
use super::write::{Doc, comment};
use super::{Emission, Emitted, Fault, describe, is_secret, secret_left_out};
use crate::change::{Added, ChangeSet, ObjectName, value_of};
use crate::source::{Node, Place, Sources, Step, parse};

/// What new objects are called.
const ADDITIONS: &str = "plan-additions";

/// The files that change, with comments, quotes and layout kept, and a new file
/// for new objects beside the first one. Secrets are never touched. Where an
/// edit can't be made without changing something else (what a merge key repeats
/// elsewhere), nothing is written, and the fault says why and where. An alias of
/// what changes is replaced by what it stood for.
pub fn patch(originals: &Originals, changes: &ChangeSet) -> Result<Emission, Vec<Fault>> {
    let read = Read::new(originals);
    let objects = read.objects();
    let mut faults = Vec::new();
    let mut by_file: BTreeMap<usize, Vec<(Found<'_>, Value)>> = BTreeMap::new();
    for edited in &changes.edited {
        match read.find(&objects, &edited.object).and_then(|found| {
            let after = read.after(&found, edited)?;
            Ok((found, after))
        }) {
            Ok((found, _)) if is_secret(&found.name) => {
                let message = format!("{} is a Secret, and no Secret is changed", describe(&found.name));
                faults.push(Fault::new(message).at(read.sources.describe(&found.node.head())));
            }
            Ok((found, after)) => by_file.entry(found.file).or_default().push((found, after)),
            Err(fault) => faults.push(fault),
        }
    }
    let mut emission = Emission::default();
    for (file, edits) in by_file {
        match patched(&read, file, &edits) {
            Ok(None) => {}
            Ok(Some(text)) => {
                emission.files.push(Emitted { path: originals.texts[file].0.clone(), text });
            }
            Err(mut found) => faults.append(&mut found),
        }
    }
    match additions(originals, &changes.added, &mut emission) {
        Ok(()) if faults.is_empty() => Ok(emission),
        Ok(()) => Err(faults),
        Err(more) => Err(faults.into_iter().chain(more).collect()),
    }
}

/// One file's new text; `None` where nothing changes.
fn patched(read: &Read, file: usize, edits: &[(Found<'_>, Value)]) -> Result<Option<String>, Vec<Fault>> {
    let one = &read.files[file];
    if !one.faults.is_empty() {
        return Err(one.faults.clone());
    }
    let text = read.sources.text(one.id);
    let mut aliases: Vec<Splice> = Vec::new();
    loop {
        let mut splicer = Splicer::new(text, &one.documents);
        for (found, after) in edits {
            splicer.change(None, found.node, after).map_err(|awkward| {
                let place = Place { source: one.id, span: awkward.at..awkward.at };
                let message = format!("{} can't be changed here: {}", describe(&found.name), awkward.why);
                vec![Fault::new(message).at(read.sources.describe(&place))]
            })?;
        }
        if splicer.splices.is_empty() {
            return Ok(None);
        }
        splicer.splices.extend(aliases.iter().cloned());
        let result = splicer.result();
        match check(read, file, edits, &result) {
            Ok(()) => return Ok(Some(result)),
            Err((_, Some(alias))) if !aliases.contains(&alias) => aliases.push(alias),
            Err((fault, _)) => return Err(vec![fault]),
        }
    }
}

/// What is wrong with a patched text, and the alias, written out, that would mend it.
type Amiss = (Fault, Option<Splice>);

/// Reads a patched text again: it must say what it should, and nothing else.
fn check(read: &Read, file: usize, edits: &[(Found<'_>, Value)], result: &str) -> Result<(), Amiss> {
    let one = &read.files[file];
    let mut expected: Vec<Value> = one.documents.iter().map(value_of).collect();
    for (found, after) in edits {
        if let Some(place) = walk_mut(&mut expected[found.document], &found.steps) {
            *place = after.clone();
        }
    }
    let mut sources = Sources::new();
    let id = sources.add("patched", result);
    let (documents, faults) = parse(&sources, id);
    let got: Vec<Value> = documents.iter().map(value_of).collect();
    let faults = faults.iter().filter(|fault| !fault.harmless);
    if got == expected && faults.count() == 0 {
        return Ok(());
    }
    let pairs = expected.iter().zip(&got).enumerate();
    let different = pairs.into_iter().find(|(_, (expected, got))| expected != got);
    let Some((document, (expected, got))) = different else {
        return Err((unpatchable(read, one.documents.first(), &edits[0].0.name), None));
    };
    let mut steps = Vec::new();
    difference(expected, got, &mut steps);
    let node = &one.documents[document];
    Err(shared(read, file, node, &steps, &edits[0].0.name)
        .unwrap_or_else(|| (unpatchable(read, Some(node), &edits[0].0.name), None)))
}

fn walk_mut<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(*index),
    })
}

/// The way to the first thing that two values don't share.
fn difference(one: &Value, other: &Value, steps: &mut Vec<Step>) {
    let next = match (one, other) {
        (Value::Object(one), Value::Object(other)) => one.iter().find_map(|(key, value)| {
            let found = other.get(key).filter(|found| *found != value)?;
            Some((Step::Key(key.clone()), value, found))
        }),
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs
                .find(|(_, (one, other))| one != other)
                .map(|(at, (one, other))| (Step::Index(at), one, other))
        }
        _ => None,
    };
    if let Some((step, one, other)) = next {
        steps.push(step);
        difference(one, other, steps);
    }
}

/// The fault of an edit that would change something that another place repeats.
fn shared(read: &Read, file: usize, document: &Node, steps: &[Step], name: &ObjectName) -> Option<Amiss> {
    let text = read.sources.text(read.files[file].id);
    let mut node = document;
    let (mut user, mut alias) = (None, None);
    for step in steps {
        let own = own_entries(text, node);
        let (next, inherited) = match step {
            Step::Key(key) => {
                let entry = node.entry(key)?;
                (&entry.value, !own.iter().any(|one| std::ptr::eq(*one, entry)))
            }
            Step::Index(index) => (node.items().get(*index)?, false),
        };
        if form(text, next) == Form::Alias {
            user = Some(next.place());
            alias = Some((next.span(), on_one_line(&value_of(next))));
        } else if inherited {
            user = user.or_else(|| Some(node.place()));
        }
        if user.is_some() {
            break;
        }
        node = next;
    }
    let user = read.sources.describe(&user?);
    let message =
        format!("a change of {} would also change what {user} repeats of it by an alias", describe(name));
    let fault = Fault::new(message).at(user).help("write the values out there instead of the alias");
    Some((fault, alias))
}

fn unpatchable(read: &Read, document: Option<&Node>, name: &ObjectName) -> Fault {
    let fault = Fault::new(format!("{} is written in a form that can't be patched", describe(name)));
    let fault = fault.help("choose another form of output, such as a kustomize overlay");
    match document {
        Some(node) => fault.at(read.sources.describe(&node.head())),
        None => fault,
    }
}

/// New objects, in a file of their own.
fn additions(originals: &Originals, added: &[Added], emission: &mut Emission) -> Result<(), Vec<Fault>> {
    let mut texts = Vec::new();
    for (name, one) in names_of(added)? {
        if is_secret(&name) {
            emission.left_out.push(secret_left_out(&name));
        } else {
            texts.push(added_text(one));
        }
    }
    if texts.is_empty() {
        return Ok(());
    }
    let first = originals.texts.first().map_or("", |(path, _)| path.as_str());
    let folder = first.rfind('/').map_or("", |slash| &first[..=slash]);
    let taken = |path: &String| originals.texts.iter().any(|(known, _)| known == path);
    let mut path = format!("{folder}{ADDITIONS}.yaml");
    let mut number = 2;
    while taken(&path) {
        path = format!("{folder}{ADDITIONS}-{number}.yaml");
        number += 1;
    }
    emission.files.push(Emitted { path, text: texts.join("---\n") });
    Ok(())
}

/// A new object as a document, with its reason above it.
pub(super) fn added_text(added: &Added) -> String {
    let reason: Vec<String> = comment(&added.because).iter().map(|line| format!("# {line}\n")).collect();
    format!("{}{}", reason.concat(), Doc::of(&added.object).text())
}
