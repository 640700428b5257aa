//! All objects with their edits, as clean YAML.

use super::originals::{Originals, Read, names_of};
use super::patch::added_text;
use super::write::Doc;
use super::{Emission, Emitted, Fault, is_secret, secret_left_out};
use crate::change::ChangeSet;

/// Every object, edited, in a file of the same name as the user's (`.yaml` for
/// `.json`), lists taken apart; new objects in `added.yaml`. Comments are lost,
/// and Secrets are left out. What is no object (a `kustomization.yaml`, say) is
/// none here either.
pub fn plain(originals: &Originals, changes: &ChangeSet) -> Result<Emission, Vec<Fault>> {
    let read = Read::new(originals);
    let mut emission = Emission::default();
    let mut texts: Vec<(String, Vec<String>)> = Vec::new();
    for (found, value) in read.edited(changes)? {
        if is_secret(&found.name) {
            emission.left_out.push(secret_left_out(&found.name));
            continue;
        }
        let path = &originals.texts[found.file].0;
        let path = path.strip_suffix(".json").map_or_else(|| path.clone(), |stem| format!("{stem}.yaml"));
        add(&mut texts, path, Doc::of(&value).text());
    }
    for (name, one) in names_of(&changes.added)? {
        if is_secret(&name) {
            emission.left_out.push(secret_left_out(&name));
        } else {
            add(&mut texts, "added.yaml".to_owned(), added_text(one));
        }
    }
    let file = |(path, texts): (String, Vec<String>)| Emitted { path, text: texts.join("---\n") };
    emission.files = texts.into_iter().map(file).collect();
    Ok(emission)
}

fn add(texts: &mut Vec<(String, Vec<String>)>, path: String, text: String) {
    match texts.iter_mut().find(|(known, _)| *known == path) {
        Some((_, texts)) => texts.push(text),
        None => texts.push((path, vec![text])),
    }
}
