//! A folder that is a whole application for kustomize: every object in its place
//! with the reasons above what was changed, a kustomization for all of it, and an
//! overlay for each of the user's namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::originals::{Originals, Read, names_of};
use super::patch::added_text;
use super::write::{Doc, Pair};
use super::{Emission, Emitted, Fault, because_of, is_secret, secret_left_out};
use crate::change::{ChangeSet, Edit, ObjectName};
use crate::source::{Step, steps_of};

/// Where files without a folder of their own go, and new objects.
const BASE: &str = "base";
/// Where Namespace objects go; overlays bring their own.
const NAMESPACES: &str = "namespaces";
/// What a kustomization is called.
const KUSTOMIZATION: &str = "kustomization.yaml";

/// An object of the tree.
struct Placed {
    path: String,
    name: ObjectName,
    value: Value,
    text: String,
}

/// All objects with their edits in the folders that the user's files have, a
/// `kustomization.yaml` that lists them in the order in which they were read, one
/// in each folder, and `overlays/NAMESPACE` for each Namespace object. Secrets
/// are left out; so are overlays where objects are of several namespaces.
pub fn tree(originals: &Originals, changes: &ChangeSet) -> Result<Emission, Vec<Fault>> {
    let read = Read::new(originals);
    let mut emission = Emission::default();
    let mut placed: Vec<Placed> = Vec::new();
    for (found, value) in read.edited(changes)? {
        if is_secret(&found.name) {
            emission.left_out.push(secret_left_out(&found.name));
            continue;
        }
        let edits = changes.edited.iter().find(|edited| edited.object == found.name);
        let edits: Vec<(Vec<Step>, &Edit)> = edits
            .map(|edited| edited.edits.iter().map(|edit| (steps_of(&edit.path), edit)).collect())
            .unwrap_or_default();
        let text = Doc::explained(&value, &mut Vec::new(), &|path| because_of(&edits, path)).text();
        let path = place(&originals.texts[found.file].0, &found.name);
        placed.push(Placed { path, name: found.name, value, text });
    }
    for (name, one) in names_of(&changes.added)? {
        if is_secret(&name) {
            emission.left_out.push(secret_left_out(&name));
            continue;
        }
        let path = place_of_new(&name, &placed);
        placed.push(Placed { path, name, value: one.object.clone(), text: added_text(one) });
    }
    // Files are read in the order of their paths, and so is a kustomization of them.
    placed.sort_by(|a, b| a.path.cmp(&b.path));
    let mut files: Vec<Emitted> = Vec::new();
    for one in &placed {
        match files.last_mut().filter(|file| file.path == one.path) {
            Some(file) => file.text = format!("{}---\n{}", file.text, one.text),
            None => files.push(Emitted { path: one.path.clone(), text: one.text.clone() }),
        }
    }
    let all: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut kustomizations = vec![Emitted { path: KUSTOMIZATION.to_owned(), text: listed(&all) }];
    let folders = folders(&all);
    kustomizations.extend(
        folders.iter().map(|(folder, inside)| Emitted {
            path: format!("{folder}/{KUSTOMIZATION}"),
            text: listed(inside),
        }),
    );
    if let Some(own) = only_namespace(&placed) {
        let names: Vec<&str> = folders.keys().copied().collect();
        for namespace in placed.iter().filter(|one| one.name.kind == "Namespace") {
            kustomizations.extend(overlay(namespace, own, &names, &placed));
        }
    }
    emission.files = kustomizations.into_iter().chain(files).collect();
    Ok(emission)
}

/// A value as YAML, with lines of comment above it.
pub fn yaml(head: &str, value: &Value) -> String {
    let head: String = head.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
    head + &Doc::of(value).text()
}

fn place(path: &str, name: &ObjectName) -> String {
    if name.kind == "Namespace" {
        return format!("{NAMESPACES}/{}.yaml", name.name);
    }
    let path = path.strip_suffix(".json").map_or_else(|| path.to_owned(), |stem| format!("{stem}.yaml"));
    // What was read from beside the folder is put into it.
    let inside: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let path = inside.join("/");
    // Namespaces and overlays are ours.
    let taken = path.starts_with("overlays/") || path.starts_with("namespaces/");
    if path.contains('/') && !taken { path } else { format!("{BASE}/{path}") }
}

/// Beside the files of the workload of the same name, where those have a folder.
fn place_of_new(name: &ObjectName, placed: &[Placed]) -> String {
    let kind = if name.kind == "PodDisruptionBudget" { "pdb".to_owned() } else { name.kind.to_lowercase() };
    let about = |one: &&Placed| {
        let folder = one.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let last = folder.rsplit('/').next().unwrap_or_default();
        one.name.namespace == name.namespace && !last.is_empty() && name.name.starts_with(last)
    };
    match placed.iter().find(about).and_then(|one| one.path.rsplit_once('/')) {
        Some((folder, _)) => format!("{folder}/{kind}.yaml"),
        None => format!("{BASE}/{kind}-{}.yaml", name.name.replace([':', '/'], "-")),
    }
}

/// The top folders but that of namespaces, each with its files as seen from it.
fn folders<'a>(files: &[&'a str]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (folder, rest) in files.iter().filter_map(|path| path.split_once('/')) {
        if folder != NAMESPACES {
            found.entry(folder).or_default().push(rest);
        }
    }
    found
}

/// A kustomization of these files, in this order.
fn listed(files: &[&str]) -> String {
    let items = files.iter().map(|path| Doc::Scalar(Value::from(*path))).collect();
    Doc::Map(kustomization(vec![Pair::new("resources", Doc::List(items))])).text()
}

fn kustomization(rest: Vec<Pair>) -> Vec<Pair> {
    let order = Doc::Map(vec![Pair::text("order", "fifo")]);
    let mut pairs = vec![
        Pair::text("apiVersion", "kustomize.config.k8s.io/v1beta1"),
        Pair::text("kind", "Kustomization"),
        // Another order would be another simulation: who asks first is luck.
        Pair::because("sortOptions", order, Some("As simulated: objects in the order of the list.")),
    ];
    pairs.extend(rest);
    pairs
}

/// Kinds of the API server's own that stand in no namespace.
const CLUSTER_WIDE: [&str; 12] = [
    "Namespace",
    "Node",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "RuntimeClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The namespace of all objects, where it is one.
fn only_namespace(placed: &[Placed]) -> Option<&str> {
    let inside = placed.iter().filter(|one| !CLUSTER_WIDE.contains(&one.name.kind.as_str()));
    let all: BTreeSet<&str> = inside.map(|one| one.name.namespace.as_str()).collect();
    all.first().copied().filter(|_| all.len() == 1)
}

/// The overlay of a namespace: its Namespace object and everything else in it;
/// beside the one that was simulated, one replica is enough, and other hosts.
fn overlay(namespace: &Placed, own: &str, folders: &[&str], placed: &[Placed]) -> [Emitted; 2] {
    let name = namespace.name.name.as_str();
    let text = |path: String| Doc::Scalar(Value::from(path));
    let mut resources = vec![text("namespace.yaml".to_owned())];
    resources.extend(folders.iter().map(|folder| text(format!("../../{folder}"))));
    let mut pairs = vec![Pair::text("namespace", name), Pair::new("resources", Doc::List(resources))];
    let patches: Vec<Doc> = if name == own {
        Vec::new()
    } else {
        placed.iter().filter_map(|one| smaller(one, name, placed)).collect()
    };
    if !patches.is_empty() {
        let why = "Not simulated: fewer replicas at rest, and hosts of its own.";
        pairs.push(Pair::because("patches", Doc::List(patches), Some(why)));
    }
    let folder = format!("overlays/{name}");
    [
        Emitted { path: format!("{folder}/{KUSTOMIZATION}"), text: Doc::Map(kustomization(pairs)).text() },
        Emitted { path: format!("{folder}/namespace.yaml"), text: namespace.text.clone() },
    ]
}

/// What is otherwise of an object in a namespace that nobody simulated.
fn smaller(one: &Placed, namespace: &str, placed: &[Placed]) -> Option<Doc> {
    let replace = |path: String, value: Value| {
        Doc::Map(vec![
            Pair::text("op", "replace"),
            Pair::text("path", &path),
            Pair::new("value", Doc::Scalar(value)),
        ])
    };
    let operations: Vec<Doc> = match one.name.kind.as_str() {
        "Ingress" => hosts(&one.value)
            .into_iter()
            .map(|(path, host)| replace(path, Value::from(format!("{namespace}.{host}"))))
            .collect(),
        "HorizontalPodAutoscaler" if !is_guarded(one, placed) => {
            let least = one.value.pointer("/spec/minReplicas").and_then(Value::as_u64);
            least
                .filter(|least| *least > 1)
                .map(|_| replace("/spec/minReplicas".to_owned(), 1.into()))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    };
    if operations.is_empty() {
        return None;
    }
    let target = vec![Pair::text("kind", &one.name.kind), Pair::text("name", &one.name.name)];
    let patch = Doc::Scalar(Value::from(Doc::List(operations).text()));
    Some(Doc::Map(vec![Pair::new("target", Doc::Map(target)), Pair::new("patch", patch)]))
}

/// Whether a budget keeps a number of the pods that an autoscaler scales: with a
/// single replica it would block every drain.
fn is_guarded(autoscaler: &Placed, placed: &[Placed]) -> bool {
    let target = autoscaler.value.pointer("/spec/scaleTargetRef/name").and_then(Value::as_str);
    let workload = placed
        .iter()
        .find(|one| one.value.pointer("/spec/template").is_some() && Some(one.name.name.as_str()) == target);
    let labels = workload.and_then(|one| one.value.pointer("/spec/template/metadata/labels"));
    placed.iter().filter(|one| one.name.kind == "PodDisruptionBudget").any(|budget| {
        let wanted = budget.value.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        let guards = wanted.is_some_and(|wanted| {
            wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        });
        guards && budget.value.pointer("/spec/minAvailable").is_some()
    })
}

/// Every host of an Ingress with its JSON pointer.
fn hosts(ingress: &Value) -> Vec<(String, String)> {
    let list = |path: &str| ingress.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let rules = list("/spec/rules").into_iter().enumerate().filter_map(|(index, rule)| {
        Some((format!("/spec/rules/{index}/host"), rule.get("host")?.as_str()?.to_owned()))
    });
    let tls = list("/spec/tls").into_iter().enumerate().flat_map(|(index, one)| {
        let hosts = one.get("hosts").and_then(Value::as_array).cloned().unwrap_or_default();
        let hosts = hosts.into_iter().enumerate().filter_map(move |(number, host)| {
            Some((format!("/spec/tls/{index}/hosts/{number}"), host.as_str()?.to_owned()))
        });
        hosts.collect::<Vec<_>>()
    });
    rules.chain(tls).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ";

    fn emitted(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        let texts = texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let emission = tree(&Originals { texts }, &ChangeSet::default()).unwrap();
        emission.files.into_iter().map(|file| (file.path, file.text)).collect()
    }

    #[test]
    fn files_find_their_places() {
        let of = |kind: &str| ObjectName {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        };
        let rows = [
            ("web.yaml", "Service", "base/web.yaml"),
            ("web.json", "Service", "base/web.yaml"),
            ("k8s/web/web.yml", "Service", "k8s/web/web.yml"),
            ("overlays/prod/web.yaml", "Service", "base/overlays/prod/web.yaml"),
            ("namespaces/all.yaml", "Service", "base/namespaces/all.yaml"),
            ("anything.yaml", "Namespace", "namespaces/web.yaml"),
            ("../other/./web.yaml", "Service", "other/web.yaml"),
            ("/web.yaml", "Service", "base/web.yaml"),
        ];
        for (path, kind, expected) in rows {
            assert_eq!(place(path, &of(kind)), expected, "{path} {kind}");
        }
    }

    #[test]
    fn each_namespace_has_an_overlay_and_secrets_are_nowhere() {
        let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: in, namespace: live}\n\
                       spec: {rules: [{host: a.b}], tls: [{hosts: [a.b]}]}\n---\napiVersion: v1\nkind: Secret\n\
                       metadata: {name: s, namespace: live}\ndata: {k: aHVudGVyMg==}\n";
        let (live, test) = (format!("{NAMESPACE}live\n"), format!("{NAMESPACE}test\n"));
        let files = emitted(&[("all.yaml", ingress), ("n/live.yaml", &live), ("n/test.yaml", &test)]);
        let names: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        let expected = [
            "kustomization.yaml",
            "base/kustomization.yaml",
            "overlays/live/kustomization.yaml",
            "overlays/live/namespace.yaml",
            "overlays/test/kustomization.yaml",
            "overlays/test/namespace.yaml",
            "base/all.yaml",
            "namespaces/live.yaml",
            "namespaces/test.yaml",
        ];
        assert_eq!(names, expected);
        assert!(files.iter().all(|(_, text)| !text.contains("aHVudGVyMg") && !text.contains("Secret")));
        insta::assert_snapshot!(files[4].1, @r"
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        # As simulated: objects in the order of the list.
        sortOptions:
          order: fifo
        namespace: test
        resources:
        - namespace.yaml
        - ../../base
        # Not simulated: fewer replicas at rest, and hosts of its own.
        patches:
        - target:
            kind: Ingress
            name: in
          patch: |
            - op: replace
              path: /spec/rules/0/host
              value: test.a.b
            - op: replace
              path: /spec/tls/0/hosts/0
              value: test.a.b
        ");
        assert!(!files[2].1.contains("patches"), "{}", files[2].1);
    }

    #[test]
    fn objects_of_several_namespaces_have_no_overlays() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: one}\n---\n\
                       apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: two}\n";
        let namespace = format!("{NAMESPACE}one\n");
        let files = emitted(&[("all.yaml", service), ("n.yaml", &namespace)]);
        assert!(files.iter().all(|(path, _)| !path.starts_with("overlays")), "{files:?}");
    }
}
