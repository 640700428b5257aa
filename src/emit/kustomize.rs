//! An overlay, or a component, for kustomize: one strategic merge patch per
//! changed object, with the reason above every changed line.

use std::collections::BTreeSet;

use super::merge::{is_built_in, patch_of};
use super::originals::{Found, Originals, Read, names_of};
use super::patch::added_text;
use super::write::{Doc, Pair};
use super::{Emission, Emitted, Fault, is_secret, secret_left_out};
use crate::change::{ChangeSet, Edited, ObjectName, value_of};
use crate::source::steps_of;

/// What an overlay stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The user's base, relative to the overlay: one folder with a
    /// `kustomization.yaml`, or plain files. kustomize reads plain files only in
    /// or below its own folder. A component needs none.
    pub resources: Vec<String>,
    /// Overlay or component.
    pub layout: Layout,
}

/// The two kinds of `kustomization.yaml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `kind: Kustomization`, to be built itself.
    #[default]
    Overlay,
    /// `kind: Component`, to be listed under `components:` of the user's own
    /// kustomization.
    Component,
}

/// `kustomization.yaml`, the patches under `patches/`, and new objects under
/// `added/`. Secrets are left out.
pub fn kustomize(originals: &Originals, changes: &ChangeSet, base: &Base) -> Result<Emission, Vec<Fault>> {
    let read = Read::new(originals);
    let objects = read.objects();
    let (mut emission, mut faults) = (Emission::default(), Vec::new());
    let (mut patches, mut added, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
    for edited in changes.edited.iter().filter(|edited| !edited.edits.is_empty()) {
        if is_secret(&edited.object) {
            emission.left_out.push(secret_left_out(&edited.object));
            continue;
        }
        match read.find(&objects, &edited.object).and_then(|found| patch_text(&read, &found, edited)) {
            Ok(None) => {}
            Ok(Some(text)) => {
                let path = file_name("patches", &edited.object, &mut taken);
                patches.push(Emitted { path, text });
            }
            Err(fault) => faults.push(fault),
        }
    }
    match names_of(&changes.added) {
        Ok(named) => {
            for (name, one) in named {
                if is_secret(&name) {
                    emission.left_out.push(secret_left_out(&name));
                } else {
                    let path = file_name("added", &name, &mut taken);
                    added.push(Emitted { path, text: added_text(one) });
                }
            }
        }
        Err(more) => faults.extend(more),
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let text = kustomization(base, &patches, &added);
    emission.files.push(Emitted { path: "kustomization.yaml".to_owned(), text });
    emission.files.extend(patches);
    emission.files.extend(added);
    Ok(emission)
}

/// The patch of one object; `None` where the edits say what is there already.
fn patch_text(read: &Read, found: &Found<'_>, edited: &Edited) -> Result<Option<String>, Fault> {
    let (before, after) = (value_of(found.node), read.after(found, edited)?);
    let reasons: Vec<_> = edited.edits.iter().map(|edit| (steps_of(&edit.path), edit)).collect();
    let mut pairs = patch_of(&before, &after, &reasons, is_built_in(&found.name.api_version));
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut metadata = vec![Pair::text("name", &found.name.name)];
    if found.node.at("metadata.namespace").is_some_and(|namespace| !namespace.is_null()) {
        metadata.push(Pair::text("namespace", &found.name.namespace));
    }
    if let Some(at) = pairs.iter().position(|pair| pair.key == "metadata")
        && let Doc::Map(changed) = pairs.remove(at).value
    {
        metadata.extend(changed);
    }
    let mut whole = vec![
        Pair::text("apiVersion", &found.name.api_version),
        Pair::text("kind", &found.name.kind),
        Pair::new("metadata", Doc::Map(metadata)),
    ];
    whole.extend(pairs);
    Ok(Some(Doc::Map(whole).text()))
}

fn kustomization(base: &Base, patches: &[Emitted], added: &[Emitted]) -> String {
    let (version, kind) = match base.layout {
        Layout::Overlay => ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        Layout::Component => ("kustomize.config.k8s.io/v1alpha1", "Component"),
    };
    let mut pairs = vec![Pair::text("apiVersion", version), Pair::text("kind", kind)];
    let based = base.resources.iter().filter(|_| base.layout == Layout::Overlay);
    let resources: Vec<&str> =
        based.map(String::as_str).chain(added.iter().map(|one| one.path.as_str())).collect();
    if !resources.is_empty() {
        let items = resources.into_iter().map(|path| Doc::Scalar(path.into())).collect();
        pairs.push(Pair::new("resources", Doc::List(items)));
    }
    if !patches.is_empty() {
        let items = patches.iter().map(|one| Doc::Map(vec![Pair::text("path", &one.path)])).collect();
        pairs.push(Pair::new("patches", Doc::List(items)));
    }
    Doc::Map(pairs).text()
}

/// `patches/deployment-web.yaml`, with the namespace where that alone is taken.
fn file_name(folder: &str, object: &ObjectName, taken: &mut BTreeSet<String>) -> String {
    let tame =
        |text: &str| text.replace(|one: char| !(one.is_ascii_alphanumeric() || "-.".contains(one)), "-");
    let kind = object.kind.to_lowercase();
    let short = format!("{folder}/{}-{}", tame(&kind), tame(&object.name));
    let long = format!("{folder}/{}-{}-{}", tame(&kind), tame(&object.namespace), tame(&object.name));
    let numbered = (2..).map(|number| format!("{long}-{number}"));
    let mut names = [short, long.clone()].into_iter().chain(numbered).map(|name| format!("{name}.yaml"));
    let name = names.find(|name| !taken.contains(name)).unwrap_or(long);
    taken.insert(name.clone());
    name
}
