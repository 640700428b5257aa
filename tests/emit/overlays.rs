//! Overlays, and what kustomize makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use kubeplan::change::{Added, ChangeSet, ObjectName};
use kubeplan::emit::{self, Base, Emission, Layout, Originals};
use serde_json::{Value, json};

use crate::support::{edits, expected, name, objects, originals, without_nothing};

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, old: x}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}
      - {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}
      tolerations:
      - {key: a, operator: Exists}
      containers:
      - name: web
        image: nginx:1.27
        args: [--threads, \"2\"]
        env:
        - {name: A, value: \"1\"}
        - {name: B, value: \"2\"}
        - {name: C, value: \"3\"}
        ports:
        - {containerPort: 80}
        - {containerPort: 81}
        resources:
          requests: {cpu: 250m, memory: 128Mi}
          limits: {cpu: 500m, memory: 256Mi}
      - name: proxy
        image: envoy
        resources: {limits: {cpu: 100m}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 20
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
  - type: Resource
    resource: {name: memory, target: {type: Utilization, averageUtilization: 80}}
---
apiVersion: example.com/v1
kind: Web
metadata: {name: web, namespace: other}
spec:
  env: [{name: A, value: 1}, {name: B, value: 2}]
";

fn planned() -> ChangeSet {
    let at = |rest: &str| format!("spec.template.spec.{rest}");
    let web = [
        ("metadata.labels.old".to_owned(), None),
        ("spec.replicas".to_owned(), None),
        (at("containers[0].resources.requests.cpu"), Some(json!("1"))),
        (at("containers[0].resources.limits.cpu"), None),
        (at("containers[0].args[1]"), Some(json!("4"))),
        (at("containers[0].env[0].value"), Some(json!("yes"))),
        (at("containers[0].env[1]"), None),
        (at("containers[0].ports[1].containerPort"), Some(json!(8081))),
        (at("containers[0].readinessProbe.httpGet"), Some(json!({"path": "/", "port": 80}))),
        (at("containers[1].resources.limits.cpu"), None),
        (at("topologySpreadConstraints[1].maxSkew"), Some(json!(3))),
        (at("tolerations[0].key"), Some(json!("b"))),
    ];
    let web: Vec<(&str, Option<Value>)> = web.iter().map(|(path, to)| (path.as_str(), to.clone())).collect();
    let hpa = [
        ("spec.metrics[0].resource.target.averageUtilization", Some(json!(60))),
        (
            "spec.behavior.scaleDown.policies",
            Some(json!([{"type": "Pods", "value": 1, "periodSeconds": 60}])),
        ),
    ];
    let custom = ObjectName { namespace: "other".to_owned(), ..name("example.com/v1", "Web", "web") };
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    ChangeSet {
        edited: vec![
            edits(name("apps/v1", "Deployment", "web"), &web),
            edits(name("autoscaling/v2", "HorizontalPodAutoscaler", "web"), &hpa),
            edits(custom, &[("spec.env[1].value", Some(json!(3)))]),
        ],
        added: vec![Added { object: budget, because: "a drain may take one pod at a time".to_owned() }],
    }
}

fn show(emission: &Emission) -> String {
    let shown = emission.files.iter().map(|file| format!("== {}\n{}", file.path, file.text));
    let left = emission.left_out.iter().map(|one| format!("left out: {one}\n"));
    shown.chain(left).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_overlay_says_above_every_line_why() {
    let files = originals(&[("web.yaml", WEB)]);
    let base = Base { resources: vec!["../base".to_owned()], layout: Layout::Overlay };
    let emission = emit::kustomize(&files, &planned(), &base).unwrap();
    insta::assert_snapshot!("overlay", show(&emission));
    let component = Base { layout: Layout::Component, ..base };
    let component = emit::kustomize(&files, &planned(), &component).unwrap();
    insta::assert_snapshot!("component", component.files[0].text);
    assert_eq!(component.files[1..], emission.files[1..]);
}

/// Builds the overlay over the files; nothing where there is no kubectl.
fn built(files: &Originals, set: &ChangeSet, layout: Layout) -> Option<BTreeMap<ObjectName, Value>> {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mut listed = String::from("resources:\n");
    for (path, text) in &files.texts {
        write(&format!("base/{path}"), text);
        listed.push_str(&format!("- {path}\n"));
    }
    write("base/kustomization.yaml", &listed);
    let base = Base { resources: vec!["../base".to_owned()], layout };
    for file in emit::kustomize(files, set, &base).unwrap().files {
        write(&format!("plan/{}", file.path), &file.text);
    }
    write("whole/kustomization.yaml", "resources:\n- ../base\ncomponents:\n- ../plan\n");
    let root = if layout == Layout::Overlay { "plan" } else { "whole" };
    let Ok(output) = Command::new("kubectl").arg("kustomize").arg(folder.path().join(root)).output() else {
        println!("skipped: there is no kubectl here");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(objects(&String::from_utf8_lossy(&output.stdout)))
}

#[test]
fn kustomize_makes_of_it_what_the_edits_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/my-saas-chat/kubernetes/base");
    let chat = ["deployment.yaml", "hpa.yaml", "service.yaml"];
    let read = |file: &&str| fs::read_to_string(root.join("chat-service").join(file)).unwrap();
    let texts: Vec<String> = chat.iter().map(read).collect();
    let chat: Vec<(&str, &str)> =
        chat.iter().zip(&texts).map(|(path, text)| (*path, text.as_str())).collect();
    let chat = originals(&chat);
    let chat_plan = crate::real::plan(&chat);
    for (files, set) in [(originals(&[("web.yaml", WEB)]), planned()), (chat, chat_plan)] {
        for layout in [Layout::Overlay, Layout::Component] {
            let Some(got) = built(&files, &set, layout) else { return };
            let wanted = expected(&files, &set);
            assert_eq!(got.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
            for (name, wanted) in wanted {
                assert_eq!(without_nothing(&got[&name]), without_nothing(&wanted), "{name:?}");
            }
        }
    }
}
