//! The cluster file with the nodes that `plan tune` chose.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::change::{Edit, value_of};
use crate::emit::{self, Emitted};
use crate::input::{self, Loaded, Request};
use crate::scenario::ProvisionedBy;
use crate::source::{Sources, parse};
use crate::tune::nodes::Chosen;

/// What its file is called. It is no manifest: not among those for kubectl.
pub(super) const FILE: &str = "plan/cluster.yaml";

/// The chosen nodes, written and read again.
pub(super) struct Nodes {
    /// What was chosen.
    pub chosen: Chosen,
    /// The same request with the changed cluster file.
    pub request: Request,
    /// What comes of it.
    pub loaded: Loaded,
    text: String,
    /// Where the file is as long as it is read.
    _home: TempDir,
}

impl Nodes {
    /// The changed cluster file.
    pub(super) fn file(&self) -> Emitted {
        Emitted { path: FILE.to_owned(), text: self.text.clone() }
    }
}

/// Whether there is a cluster file: nodes that were guessed are nobody's to change.
pub(super) fn can_be_written(loaded: &Loaded) -> bool {
    loaded.inputs.iter().any(|(name, _)| name == "cluster.yaml")
}

/// Writes the cluster file with what was chosen, and reads everything again with it.
pub(super) fn written(chosen: Chosen, request: &Request, loaded: &Loaded) -> Result<Nodes, String> {
    let own = loaded.inputs.iter().find(|(name, _)| name == "cluster.yaml");
    let (_, id) = own.ok_or("other nodes are cheaper, but there is no cluster file to say so in")?;
    let (name, text) = (loaded.sources.name(*id), loaded.sources.text(*id));
    let edits = edits(&chosen, text, request.profile.as_deref(), &loaded.scenario.cluster.provisioned_by)
        .ok_or_else(|| format!("`{name}`: the pool {} is not where it is looked for", chosen.before.name))?;
    let text = emit::document(name, text, &edits).map_err(|fault| fault.to_string())?;
    let failed = |error: std::io::Error| format!("a folder for the cluster file can't be made: {error}");
    let home = tempfile::tempdir().map_err(failed)?;
    let path = home.path().join("cluster.yaml");
    std::fs::write(&path, &text).map_err(failed)?;
    let request = Request { cluster: Some(path), ..request.clone() };
    let loaded = input::load(&request).map_err(|failure| failure.render(false))?;
    if loaded.scenario.cluster.pools != std::slice::from_ref(&chosen.after) {
        return Err("the cluster file reads as other nodes than were chosen; nothing is kept".to_owned());
    }
    Ok(Nodes { chosen, request, loaded, text, _home: home })
}

/// The edits of the cluster file; `None` where the pool isn't found in it.
fn edits(chosen: &Chosen, text: &str, profile: Option<&str>, by: &ProvisionedBy) -> Option<Vec<Edit>> {
    let mut sources = Sources::new();
    let id = sources.add("cluster.yaml", text);
    let (documents, _) = parse(&sources, id);
    let file = value_of(documents.first()?);
    let profiles = file.get("profiles")?.as_object()?;
    let profile =
        profile.or_else(|| file.get("default")?.as_str()).or_else(|| Some(profiles.keys().next()?))?;
    let pool = profiles.get(profile)?.get("pools")?.get(&chosen.before.name)?;
    let home = format!("profiles[{}].pools[{}]", json!(profile), json!(chosen.before.name));
    let mut edits = Vec::new();
    let mut set = |field: &str, to: Option<Value>| {
        if pool.get(field) != to.as_ref() {
            let because = chosen.because.clone();
            edits.push(Edit { path: format!("{home}.{field}"), to, because });
        }
    };
    if let Some(kind) = &chosen.kind {
        let kind = pool.get("alternatives")?.get(kind)?;
        for field in ["cpu", "memory", "reserved", "maxPods", "pricePerHour"] {
            set(field, kind.get(field).cloned());
        }
    }
    set("count", Some(json!(chosen.after.count)));
    if *by != ProvisionedBy::Nobody {
        set("min", Some(json!(chosen.after.min)));
        set("max", Some(json!(chosen.after.max)));
    }
    Some(edits)
}
