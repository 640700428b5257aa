//! What `plan tune --form bundle` writes: manifests, a chart, and what operates them.

use serde_json::{Value, json};

use super::args::InputArgs;
use super::commands::quoted;
use crate::change::{ChangeSet, ObjectName};
use crate::emit::{self, ChartName, Emission, Emitted, Fault, Originals};
use crate::input::{self, Loaded, Request};
use crate::operations::{self, Plan, SecretKeys};
use crate::output;
use crate::scenario::{Population, Scenario};
use crate::sim::random::Seed;
use crate::tune::Certificate;
use crate::units::SimDuration;
use crate::world;

/// Where the tree for kustomize is.
const TREE: &str = "kubernetes";
/// The quick check of a bundle: so many users, for so long.
const CHECK_USERS: f64 = 1_000.0;
const CHECK_TIME: SimDuration = SimDuration::from_secs(60);

/// The manifests of a bundle: a tree for kustomize, a chart, and our own files.
pub(super) fn manifests(
    loaded: &Loaded,
    originals: &Originals,
    changes: &ChangeSet,
    chart: ChartName,
) -> Result<Emission, Vec<Fault>> {
    let below = |folder: &str, emission: Emission| -> Vec<Emitted> {
        let place = |file: Emitted| Emitted { path: format!("{folder}/{}", file.path), text: file.text };
        emission.files.into_iter().map(place).collect()
    };
    let tree = emit::tree(originals, changes)?;
    let left_out = tree.left_out.clone();
    let helm = emit::helm_chart(originals, changes, &chart)?;
    let mut files = below(TREE, tree);
    files.extend(below(&format!("helm/{}", chart.name), helm));
    let own = loaded.input_files();
    files.extend(own.into_iter().map(|(path, text)| Emitted { path: format!("plan/{path}"), text }));
    Ok(Emission { files, left_out })
}

/// The objects of a bundle's tree as they are read: what its kustomization lists.
pub(super) fn texts(bundle: &Emission) -> Vec<(String, String)> {
    let is_object = |path: &str| {
        path.strip_prefix("kubernetes/")
            .is_some_and(|rest| !rest.starts_with("overlays/") && !rest.ends_with("kustomization.yaml"))
    };
    let files = bundle.files.iter().filter(|file| is_object(&file.path));
    files.map(|file| (file.path.clone(), file.text.clone())).collect()
}

/// What was proved, and from what.
pub(super) struct Proved<'a> {
    pub args: &'a InputArgs,
    pub request: &'a Request,
    pub loaded: &'a Loaded,
    pub scenario: &'a Scenario,
    pub objects: &'a [(ObjectName, Value)],
    pub certificate: &'a Certificate,
}

/// The files of a bundle that tell of its proof.
pub(super) fn operations(proved: &Proved<'_>, bundle: &Emission) -> Vec<Emitted> {
    let certificate = proved.certificate;
    let input = input_options(proved.args, bundle);
    let overlay =
        proved.objects.iter().filter(|(name, _)| name.kind == "Namespace").find(|(name, _)| {
            proved.scenario.workloads.iter().any(|workload| workload.namespace == name.name)
        });
    let overlay = overlay.map(|(name, _)| format!("{TREE}/overlays/{}", name.name));
    let exists = |folder: &String| bundle.files.iter().any(|file| file.path.starts_with(folder.as_str()));
    let applied = overlay.filter(exists).unwrap_or_else(|| TREE.to_owned());
    let secrets = secrets(&proved.loaded.secret_names(), proved.objects);
    let loads: Vec<_> = certificate.others.iter().map(|one| (one.load, one.verdict.outcome)).collect();
    let plan = Plan {
        scenario: proved.scenario,
        objects: proved.objects,
        runs: &certificate.runs,
        verdict: &certificate.verdict,
        loads: &loads,
        drills: &certificate.drills,
        promises: &certificate.promises,
        seed: certificate.seed,
        secrets: &secrets,
        modelled: bundle.files.iter().any(|file| file.path == "plan/model.yaml"),
        input: &input,
        applied: &applied,
    };
    let mut files = operations::files(&plan);
    files.extend(proof(proved, bundle, &input));
    files
}

/// The options that read a bundle's input, from its folder.
fn input_options(args: &InputArgs, bundle: &Emission) -> String {
    let mut line = format!("-m {TREE}");
    for option in ["model", "traffic", "policy", "cluster"] {
        let path = format!("plan/{option}.yaml");
        if bundle.files.iter().any(|file| file.path == path) {
            line += &format!(" --{option} {path}");
        }
    }
    let others = [
        ("--profile", args.profile.clone()),
        ("--users", args.users.map(|users| users.to_string())),
        ("--duration", args.duration.map(|time| time.to_string())),
        ("--kubernetes-version", args.kubernetes_version.map(|version| version.to_string())),
    ];
    let given = others.into_iter().filter_map(|(option, value)| Some((option, value?)));
    given.fold(line, |line, (option, value)| format!("{line} {option} {}", quoted(&value)))
}

/// `plan/proof.json`: what the proof came to, and a run of seconds that shows that
/// the files are those that were proved. None where the short run can't be read.
fn proof(proved: &Proved<'_>, bundle: &Emission, input: &str) -> Option<Emitted> {
    let certificate = proved.certificate;
    let users = match proved.scenario.demand.population {
        Population::Users { peak, .. } | Population::Rate { users: Some(peak), .. } => Some(peak),
        Population::Rate { users: None, .. } => None,
    };
    let users = users.map(|users| users.min(CHECK_USERS));
    let request = Request {
        texts: Some(texts(bundle)),
        users: users.or(proved.request.users),
        duration: Some(CHECK_TIME),
        ..proved.request.clone()
    };
    let short = input::load(&request).ok()?.scenario;
    let run = world::simulate(&short, Seed { base: certificate.seed, replication: 0 });
    let document = json!({
        "apiVersion": output::verdict::API_VERSION,
        "kind": "Proof",
        "inputs": proved.loaded.digest(),
        "options": input,
        "seed": certificate.seed,
        "replications": certificate.runs.len(),
        "fingerprint": output::verdict::fingerprint(&certificate.runs),
        "verdict": certificate.outcome().name(),
        "check": {
            "users": users,
            "durationSeconds": CHECK_TIME.as_secs_f64(),
            "replications": 1,
            "fingerprint": output::verdict::fingerprint(std::slice::from_ref(&run)),
            "requests": run.balance.arrived,
            "failed": run.balance.failed,
        },
    });
    Some(Emitted { path: "plan/proof.json".to_owned(), text: output::explain::json(&document) })
}

/// The Secrets that objects refer to, with the keys that are known.
fn secrets(known: &[input::again::SecretNames], objects: &[(ObjectName, Value)]) -> Vec<SecretKeys> {
    let mut all: Vec<SecretKeys> = known
        .iter()
        .map(|(namespace, name, keys)| SecretKeys {
            namespace: namespace.clone(),
            name: name.clone(),
            keys: keys.clone(),
        })
        .collect();
    for (object, value) in objects {
        references(value, &mut |name, key| {
            let at = all.iter().position(|one| one.namespace == object.namespace && one.name == name);
            let at = at.unwrap_or_else(|| {
                let namespace = object.namespace.clone();
                all.push(SecretKeys { namespace, name: name.to_owned(), keys: Vec::new() });
                all.len() - 1
            });
            if let Some(key) = key.filter(|key| !all[at].keys.iter().any(|one| one == key)) {
                all[at].keys.push(key.to_owned());
            }
        });
    }
    all
}

/// Hands over every reference to a Secret: its name, and a key where one is named.
fn references(value: &Value, take: &mut impl FnMut(&str, Option<&str>)) {
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                let text = |field: &str| inner.get(field).and_then(Value::as_str);
                match key.as_str() {
                    "secretKeyRef" | "secretRef" => {
                        if let Some(name) = text("name") {
                            take(name, text("key"));
                        }
                    }
                    "secret" => {
                        if let Some(name) = text("secretName") {
                            take(name, None);
                        }
                    }
                    _ => references(inner, take),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, take)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_secrets_are_found_wherever_they_stand() {
        let pod = json!({"spec": {"containers": [{
            "envFrom": [{"secretRef": {"name": "a"}}],
            "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}],
        }], "volumes": [{"secret": {"secretName": "b"}}]}});
        let name = ObjectName {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: "n".to_owned(),
            name: "p".to_owned(),
        };
        let known = [("n".to_owned(), "a".to_owned(), vec!["j".to_owned()])];
        let found = secrets(&known, &[(name, pod)]);
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let rows: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.keys.clone())).collect();
        assert_eq!(rows, [("a", keys(&["j", "k"])), ("b", keys(&[]))]);
    }
}
