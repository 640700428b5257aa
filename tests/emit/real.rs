//! Real manifests, every one that is in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use kubeplan::change::{ChangeSet, Edit, Edited, ObjectName};
use kubeplan::emit::{self, Originals};
use serde_json::{Value, json};

use crate::support::{emitted, expected, objects};

pub fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("it is there").flatten().map(|one| one.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "json") {
            found.push(path);
        }
    }
}

/// The files of the public applications and of the embedded one, one at a time.
pub fn corpus() -> Vec<Originals> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files_below(&root.join("tests/data/manifests"), &mut found);
    files_below(&root.join("models/my-saas-chat/kubernetes"), &mut found);
    let one = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a manifest is text");
        Originals { texts: vec![(path.file_name().unwrap().to_string_lossy().into_owned(), text)] }
    };
    found.into_iter().filter(|path| !path.ends_with("INDEX.json")).map(one).collect()
}

/// What a planner changes of an object.
fn planned(object: &Value) -> Vec<(String, Option<Value>)> {
    let mut edits = Vec::new();
    let spec = &object["spec"];
    if object["kind"] == "HorizontalPodAutoscaler" {
        edits.push(("spec.minReplicas".to_owned(), Some(json!(3))));
        edits.push(("spec.maxReplicas".to_owned(), Some(json!(33))));
        if object["apiVersion"] != "autoscaling/v1" {
            let window = "spec.behavior.scaleDown.stabilizationWindowSeconds";
            edits.push((window.to_owned(), Some(json!(120))));
        }
    }
    let containers = spec["template"]["spec"]["containers"].as_array();
    for index in 0..containers.map_or(0, Vec::len) {
        let at = format!("spec.template.spec.containers[{index}]");
        edits.push((format!("{at}.resources.requests.cpu"), Some(json!("1"))));
        edits.push((format!("{at}.resources.limits.memory"), Some(json!("1Gi"))));
        edits.push((format!("{at}.resources.limits.cpu"), None));
    }
    if containers.is_some() {
        edits.push(("spec.replicas".to_owned(), None));
        edits.push(("spec.template.spec.terminationGracePeriodSeconds".to_owned(), Some(json!(60))));
    }
    edits
}

pub fn plan(originals: &Originals) -> ChangeSet {
    let mut set = ChangeSet::default();
    let all = originals.texts.iter().flat_map(|(_, text)| objects(text));
    for (object, value) in all.collect::<std::collections::BTreeMap<ObjectName, Value>>() {
        let edit = |(path, to)| Edit { path, to, because: "the figures say so".to_owned() };
        let edits: Vec<Edit> = planned(&value).into_iter().map(edit).collect();
        if !edits.is_empty() {
            set.edited.push(Edited { object, edits });
        }
    }
    set
}

#[test]
fn every_real_manifest_can_be_patched() {
    let (mut files, mut edits) = (0, 0);
    for originals in corpus() {
        let set = plan(&originals);
        if set.is_empty() {
            continue;
        }
        let (path, text) = &originals.texts[0];
        let emission = emit::patch(&originals, &set).unwrap_or_else(|faults| panic!("{path}: {faults:?}"));
        let after = &emission.files[0].text;
        assert_eq!(objects(after), expected(&originals, &set), "{path}");
        // No line with a comment is lost, but for those of removed fields.
        let comments = |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).count();
        assert_eq!(comments(after), comments(text), "{path}");
        files += 1;
        edits += set.edited.iter().map(|one| one.edits.len()).sum::<usize>();
    }
    assert!(files >= 20 && edits >= 150, "only {files} files with {edits} edits");
}

#[test]
fn every_real_manifest_can_be_written_anew() {
    for originals in corpus() {
        let set = plan(&originals);
        let emission = emit::plain(&originals, &set).unwrap();
        let mut all = expected(&originals, &set);
        all.retain(|name, _| name.kind != "Secret");
        assert_eq!(emitted(&emission), all, "{}", originals.texts[0].0);
    }
}
