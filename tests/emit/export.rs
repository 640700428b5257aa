//! The same results on disk, for `tests/emit/others.py` to hold against Helm and
//! the schemas of Kubernetes.

use std::fs;
use std::path::{Path, PathBuf};

use kubeplan::emit::{self, ChartName, Emission, Originals};
use serde_json::Value;

use crate::real::{corpus, files_below, plan};
use crate::support::expected;

/// The embedded application, all its files at once.
pub fn application() -> Originals {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/my-saas-chat/kubernetes");
    let mut found = Vec::new();
    files_below(&root, &mut found);
    let text = |path: PathBuf| {
        let relative = path.strip_prefix(&root).expect("it was found there").to_string_lossy().into_owned();
        (relative, fs::read_to_string(&path).expect("a manifest is text"))
    };
    Originals { texts: found.into_iter().map(text).collect() }
}

#[test]
#[ignore = "writes to the folder PLAN_EMIT_OUT, for tests/emit/others.py"]
fn export() {
    let out = PathBuf::from(std::env::var_os("PLAN_EMIT_OUT").expect("PLAN_EMIT_OUT names a folder"));
    let chart = ChartName { name: "plan".to_owned(), version: "0.1.0".to_owned() };
    for (number, files) in std::iter::once(application()).chain(corpus()).enumerate() {
        let set = plan(&files);
        let folder = out.join(format!("{number:03}"));
        let write = |name: &str, emission: &Emission| {
            for file in &emission.files {
                let path = folder.join(name).join(&file.path);
                fs::create_dir_all(path.parent().expect("below the folder")).expect("can be made");
                fs::write(path, &file.text).expect("can be written");
            }
        };
        write("plain", &emit::plain(&files, &set).expect("plain"));
        write("chart", &emit::helm_chart(&files, &set, &chart).expect("a chart"));
        let wanted = expected(&files, &set);
        let wanted: Value =
            wanted.into_iter().filter(|(name, _)| name.kind != "Secret").map(|(_, one)| one).collect();
        fs::write(folder.join("expected.json"), wanted.to_string()).expect("can be written");
    }
}
