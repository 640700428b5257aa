//! A Grafana dashboard of the signals that the plan rests on, each beside the
//! value that the plan has for it.

use serde_json::{Value, json};

use super::Plan;
use super::alerts::RATIO;
use super::figures::Seen;
use super::objectives::{SERVER, bound, share};
use super::rules::tame;
use super::saturation::{containers, serving};
use crate::units::figures::{amount, count, seconds};

/// Width of the whole in Grafana's units.
const WIDTH: u64 = 24;
const HEIGHT: u64 = 8;

/// Panels so far, laid out from left to right and top to bottom.
#[derive(Default)]
struct Panels {
    list: Vec<Value>,
    x: u64,
    y: u64,
}

/// One panel.
struct Panel<'a> {
    title: String,
    about: String,
    unit: &'a str,
    /// Query and legend.
    queries: Vec<(String, String)>,
    /// The plan's bound, drawn as a line.
    bound: Option<f64>,
}

impl Panels {
    fn row(&mut self, title: &str) {
        self.next_line();
        let place = json!({"h": 1, "w": WIDTH, "x": 0, "y": self.y});
        let id = self.list.len() + 1;
        self.list.push(json!({"id": id, "type": "row", "title": title, "collapsed": false, "gridPos": place, "panels": []}));
        self.y += 1;
    }

    fn next_line(&mut self) {
        if self.x > 0 {
            (self.x, self.y) = (0, self.y + HEIGHT);
        }
    }

    fn add(&mut self, panel: Panel<'_>, width: u64) {
        if self.x + width > WIDTH {
            self.next_line();
        }
        let source = json!({"type": "prometheus", "uid": "${datasource}"});
        let letters = ('A'..='Z').map(String::from);
        let targets: Vec<Value> = panel
            .queries
            .iter()
            .zip(letters)
            .map(|((query, legend), id)| {
                json!({"refId": id, "datasource": source, "expr": query, "legendFormat": legend, "range": true})
            })
            .collect();
        let mut steps = vec![json!({"color": "green", "value": null})];
        steps.extend(panel.bound.map(|bound| json!({"color": "red", "value": bound})));
        let style = if panel.bound.is_some() { "line" } else { "off" };
        self.list.push(json!({
            "id": self.list.len() + 1,
            "type": "timeseries",
            "title": panel.title,
            "description": panel.about,
            "datasource": source,
            "gridPos": {"h": HEIGHT, "w": width, "x": self.x, "y": self.y},
            "fieldConfig": {
                "defaults": {
                    "unit": panel.unit,
                    "min": 0,
                    "custom": {"lineWidth": 1, "fillOpacity": 5, "thresholdsStyle": {"mode": style}},
                    "thresholds": {"mode": "absolute", "steps": steps},
                },
                "overrides": [],
            },
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
            "targets": targets,
        }));
        self.x += width;
    }
}

/// `dashboard.json`
pub(super) fn dashboard(plan: &Plan<'_>) -> String {
    let mut panels = Panels::default();
    panels.row("Objectives");
    objectives(plan, &mut panels);
    panels.row("Load and nodes");
    load(plan, &mut panels);
    for one in plan.serving() {
        panels.row(&one.workload.name);
        workload(&one, &mut panels);
    }
    let name = &plan.scenario.name;
    let whole = json!({
        "title": format!("{name}: what the plan rests on"),
        "uid": format!("plan-{}", tame(name).chars().take(34).collect::<String>()),
        "description": format!("Red lines are the plan's bounds for {}.", plan.load()),
        "tags": ["plan", "capacity"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [{
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "hide": 0,
            "refresh": 1,
        }]},
        "annotations": {"list": []},
        "links": [],
        "panels": panels.list,
    });
    serde_json::to_string_pretty(&whole).expect("a value can be written") + "\n"
}

fn objectives(plan: &Plan<'_>, panels: &mut Panels) {
    let burning = plan.burning();
    let rates = |window: &str| -> Vec<(String, String)> {
        let of = |one: &super::objectives::Burning| {
            let budget = bound(one.budget);
            (format!("{RATIO}{window}{{objective={:?}}} / {budget}", one.name), one.name.clone())
        };
        burning.iter().map(of).collect()
    };
    for (window, most) in [("1h", 14.4), ("6h", 6.0), ("3d", 1.0)] {
        panels.add(
            Panel {
                title: format!("Burn rate over {window}"),
                about: format!(
                    "How many times faster than it can last. An alert needs {most} and a second window."
                ),
                unit: "none",
                queries: rates(window),
                bound: Some(most),
            },
            8,
        );
    }
    for one in &burning {
        panels.add(
            Panel {
                title: one.name.clone(),
                about: format!("Promised: {}.", one.promise),
                unit: "percentunit",
                queries: vec![(format!("{RATIO}5m{{objective={:?}}}", one.name), "bad".to_owned())],
                bound: Some(one.budget),
            },
            8,
        );
    }
}

fn load(plan: &Plan<'_>, panels: &mut Panels) {
    panels.add(
        Panel {
            title: "Requests a second".to_owned(),
            about: format!("{} at the plan's peak; proved up to the line.", count(plan.peak_rate())),
            unit: "reqps",
            queries: vec![(plan.requests()("5m"), "requests".to_owned())],
            bound: Some(plan.proved_rate()),
        },
        8,
    );
    let (_, max) = plan.nodes();
    panels.add(
        Panel {
            title: "Ready nodes".to_owned(),
            about: format!("The plan is for {}.", plan.nodes_in_words()),
            unit: "none",
            queries: vec![(
                "sum(kube_node_status_condition{condition=\"Ready\",status=\"true\"})".to_owned(),
                "ready".to_owned(),
            )],
            bound: Some(f64::from(max)),
        },
        8,
    );
    panels.add(
        Panel {
            title: "Pods without a node".to_owned(),
            about: plan.provision().map_or("Nobody adds nodes.".to_owned(), |length| {
                format!("A new node takes {} in the plan.", seconds(length))
            }),
            unit: "none",
            queries: vec![(
                format!("sum(kube_pod_status_phase{{{},phase=\"Pending\"}})", plan.namespace_selector()),
                "pending".to_owned(),
            )],
            bound: None,
        },
        8,
    );
}

fn workload(of: &Seen<'_>, panels: &mut Panels) {
    let name = &of.workload.name;
    let space = &of.workload.namespace;
    let pods = containers(of);
    let mut replicas = vec![(
        format!("sum(kube_pod_status_ready{{namespace=\"{space}\",pod=~\"{name}-.+\",condition=\"true\"}})"),
        "ready".to_owned(),
    )];
    if let Some(hpa) = of.autoscaler {
        let one = format!("{{namespace=\"{space}\",horizontalpodautoscaler=\"{}\"}}", hpa.name);
        replicas.push((
            format!("max(kube_horizontalpodautoscaler_status_desired_replicas{one})"),
            "wanted".to_owned(),
        ));
    }
    panels.add(
        Panel {
            title: format!("{name}: replicas"),
            about: format!(
                "{} to {} allowed; {} on average in the plan.",
                of.least(),
                of.most(),
                amount(of.pooled.ready.mean)
            ),
            unit: "none",
            queries: replicas,
            bound: Some(f64::from(of.most())),
        },
        6,
    );
    let cpu = format!("sum(rate(container_cpu_usage_seconds_total{{{pods}}}[5m]))");
    let asked = format!("sum(kube_pod_container_resource_requests{{{pods},resource=\"cpu\"}})");
    panels.add(
        Panel {
            title: format!("{name}: CPU"),
            about: format!(
                "{} cores on average in the plan, {} at most.",
                amount(of.pooled.cpu_cores.mean),
                amount(of.pooled.cpu_cores.max)
            ),
            unit: "none",
            queries: vec![(cpu, "used".to_owned()), (asked, "requested".to_owned())],
            bound: None,
        },
        6,
    );
    limits(of, panels);
    latency(of, panels);
}

/// How near the pods are to their limits.
fn limits(of: &Seen<'_>, panels: &mut Panels) {
    let name = &of.workload.name;
    let pods = serving(of);
    panels.add(
        Panel {
            title: format!("{name}: held back by the CPU limit"),
            about: format!("{} of periods in the plan.", share((of.throttled() * 1e4).round() / 1e4)),
            unit: "percentunit",
            queries: vec![(
                format!(
                    "sum(rate(container_cpu_cfs_throttled_periods_total{{{pods}}}[5m])) / \
                     sum(rate(container_cpu_cfs_periods_total{{{pods}}}[5m]))"
                ),
                "throttled".to_owned(),
            )],
            bound: None,
        },
        6,
    );
    panels.add(
        Panel {
            title: format!("{name}: memory of the largest pod"),
            about: format!(
                "{} in the plan.",
                crate::units::figures::bytes(of.pooled.memory_pod_max.0 as f64)
            ),
            unit: "bytes",
            queries: vec![(
                format!("max(sum by (pod) (container_memory_working_set_bytes{{{pods}}}))"),
                "largest".to_owned(),
            )],
            bound: of.memory_limit(),
        },
        6,
    );
}

fn latency(of: &Seen<'_>, panels: &mut Panels) {
    let (name, space) = (&of.workload.name, &of.workload.namespace);
    let latency = |quantile: f64| {
        format!(
            "histogram_quantile({quantile}, sum by (le) (rate({SERVER}_bucket{{namespace=\"{space}\",service=\"{name}\"}}[5m])))"
        )
    };
    let seen = |quantile| of.pooled.traffic.latency.quantile(quantile).map_or("-".to_owned(), seconds);
    panels.add(
        Panel {
            title: format!("{name}: latency"),
            about: format!("p95 {} and p99 {} in the plan, at the pod.", seen(0.95), seen(0.99)),
            unit: "s",
            queries: vec![(latency(0.95), "p95".to_owned()), (latency(0.99), "p99".to_owned())],
            bound: None,
        },
        12,
    );
    panels.add(
        Panel {
            title: format!("{name}: restarts in 15 minutes"),
            about: "Of all its containers.".to_owned(),
            unit: "none",
            queries: vec![(
                format!("sum(increase(kube_pod_container_status_restarts_total{{{}}}[15m]))", containers(of)),
                "restarts".to_owned(),
            )],
            bound: None,
        },
        12,
    );
}
