//! Helm: values by the default names, and charts that render to the same objects.

use std::collections::BTreeMap;

use kubeplan::change::{Added, ChangeSet, ObjectName, value_of};
use kubeplan::emit::{self, ChartName, Emission};
use serde_json::{Value, json};

use crate::support::{documents, edits, expected, name, objects, originals};

const AUTOSCALER: &str = "\
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
  - type: Pods
    pods: {metric: {name: queue}, target: {type: AverageValue, averageValue: 1k}}
";

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 3\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n      annotations: {{note: \"{{{{ not ours }}}}: yes\"}}\n    spec:\n      containers:\n      - name: main\n        image: nginx:1.27\n        args: [\"1e3\", \"on\"]\n        resources:\n          requests: {{cpu: 1, memory: 10000000}}\n          limits: {{}}\n"
    )
}

fn planned() -> ChangeSet {
    ChangeSet {
        edited: vec![
            edits(
                name("apps/v1", "Deployment", "web"),
                &[
                    ("spec.replicas", None),
                    ("spec.template.spec.containers[0].resources.requests.cpu", Some(json!("500m"))),
                    ("spec.template.spec.containers[0].resources.limits.memory", Some(json!("1Gi"))),
                    ("spec.template.spec.terminationGracePeriodSeconds", Some(json!(45))),
                ],
            ),
            edits(
                name("autoscaling/v2", "HorizontalPodAutoscaler", "web"),
                &[
                    ("spec.minReplicas", Some(json!(4))),
                    ("spec.metrics[0].resource.target.averageUtilization", Some(json!(60))),
                    ("spec.metrics[1].pods.target.averageValue", Some(json!("2k"))),
                    ("spec.behavior.scaleDown.stabilizationWindowSeconds", Some(json!(120))),
                ],
            ),
        ],
        added: vec![Added {
            object: json!({
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "api"},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
                    "minReplicas": 1, "maxReplicas": 9,
                    "metrics": [{"type": "Resource", "resource":
                        {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 75}}}],
                },
            }),
            because: "the peak needs nine pods".to_owned(),
        }],
    }
}

fn show(emission: &Emission) -> String {
    let shown = emission.files.iter().map(|file| format!("== {}\n{}", file.path, file.text));
    let left = emission.left_out.iter().map(|one| format!("left out: {one}"));
    shown.chain(left).collect::<Vec<_>>().join("\n")
}

#[test]
fn values_hold_what_changes_by_its_default_name() {
    let (web, api) = (deployment("web"), deployment("api"));
    let files = originals(&[("web.yaml", &web), ("api.yaml", &api), ("hpa.yaml", AUTOSCALER)]);
    let several = emit::helm_values(&files, &planned()).unwrap();
    insta::assert_snapshot!("values", show(&several));
    let mut alone = planned();
    alone.added.clear();
    let files = originals(&[("web.yaml", &web), ("hpa.yaml", AUTOSCALER)]);
    let one = emit::helm_values(&files, &alone).unwrap();
    let values = value_of(&documents(&one.files[0].text)[0]);
    let expected = json!({
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}},
        "autoscaling": {"enabled": true, "minReplicas": 4, "targetCPUUtilizationPercentage": 60},
    });
    assert_eq!(values, expected);
    assert_eq!(one.left_out.len(), 3);
}

#[test]
fn a_chart_renders_to_the_same_objects() {
    let (web, api) = (deployment("web"), deployment("api"));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\ndata: {key: aHVudGVyMg==}\n";
    let files =
        originals(&[("web.yaml", &web), ("api.yaml", &api), ("hpa.yaml", AUTOSCALER), ("s.yaml", secret)]);
    let chart = emit::helm_chart(&files, &planned(), &chart_name()).unwrap();
    insta::assert_snapshot!("chart", show(&chart));
    assert!(!format!("{chart:?}").contains("aHVudGVyMg"));
    let mut wanted = expected(&files, &planned());
    wanted.retain(|name, _| name.kind != "Secret");
    assert_eq!(rendered(&chart), wanted);
}

#[test]
fn charts_of_real_manifests_render_to_the_same_objects() {
    let mut count = 0;
    for files in crate::real::corpus() {
        let set = crate::real::plan(&files);
        let chart = emit::helm_chart(&files, &set, &chart_name()).unwrap();
        let mut wanted = expected(&files, &set);
        wanted.retain(|name, _| name.kind != "Secret");
        count += wanted.len();
        assert_eq!(rendered(&chart), wanted, "{}", files.texts[0].0);
    }
    assert!(count > 50, "only {count} objects");
}

fn chart_name() -> ChartName {
    ChartName { name: "shop".to_owned(), version: "0.1.0".to_owned() }
}

/// What Helm would make of a chart: the three expressions that charts have here.
pub fn rendered(chart: &Emission) -> BTreeMap<ObjectName, Value> {
    let values = &chart.files[1];
    assert_eq!(values.path, "values.yaml");
    let values = documents(&values.text).first().map_or(json!({}), value_of);
    let templates = chart.files.iter().filter(|file| file.path.starts_with("templates/"));
    templates.flat_map(|file| objects(&render(&file.text, &values))).collect()
}

fn render(template: &str, values: &Value) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (expression, behind) = after.split_once("}}").expect("closed");
        out.push_str(before);
        match expression.trim() {
            "`{{`" => out.push_str("{{"),
            other => {
                let (path, function) =
                    other.trim_start_matches("- toYaml ").split_once(" | ").expect("a function");
                let keys = path.strip_prefix(".Values.").expect("a value").split('.');
                let value = keys.fold(values, |value, key| &value[key]);
                assert!(!value.is_null(), "{path} is in no values");
                out.push(' ');
                // JSON on one line is YAML, however far in `nindent` would put it.
                assert!(function == "toJson" || function.starts_with("nindent "), "{function}");
                out.push_str(&value.to_string());
            }
        }
        rest = behind;
    }
    out + rest
}
