//! Prometheus rules, as a file for Prometheus, as an object for its operator, and
//! the tests that `promtool test rules` runs.

use serde_json::{Map, Value, json};

use super::Plan;
use super::alert::Alert;
use super::alerts::{RATIO, WINDOWS, alerts};
use super::objectives::Burning;
use crate::emit::yaml;

/// The rules of a plan.
pub(super) struct Rules {
    pub burning: Vec<Burning>,
    pub alerts: Vec<Alert>,
}

impl Rules {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        Self { burning: plan.burning(), alerts: alerts(plan) }
    }

    /// `rules.yaml`
    pub(super) fn plain(&self, plan: &Plan<'_>) -> String {
        let head = format!(
            "Alerts of {} for {}; the runbook says what to do.\n\
             promtool check rules rules.yaml && promtool test rules rules_test.yaml",
            plan.scenario.name,
            plan.load()
        );
        yaml(&head, &json!({"groups": self.groups(plan)}))
    }

    /// The same as a PrometheusRule.
    pub(super) fn object(&self, plan: &Plan<'_>) -> String {
        let object = json!({
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {
                "name": format!("{}-plan", tame(&plan.scenario.name)),
                "namespace": plan.namespace(),
                "labels": {"app.kubernetes.io/part-of": tame(&plan.scenario.name)},
            },
            "spec": {"groups": self.groups(plan)},
        });
        yaml("For the Prometheus operator; rules.yaml has the same for Prometheus alone.", &object)
    }

    fn groups(&self, plan: &Plan<'_>) -> Vec<Value> {
        let name = tame(&plan.scenario.name);
        let mut recorded = Vec::new();
        for one in &self.burning {
            for window in WINDOWS {
                recorded.push(json!({
                    "record": format!("{RATIO}{window}"),
                    "expr": one.signal.ratio(window),
                    "labels": {"objective": one.name},
                }));
            }
        }
        let alerts: Vec<Value> = self.alerts.iter().map(rule).collect();
        let mut groups = Vec::new();
        if !recorded.is_empty() {
            groups.push(json!({"name": format!("{name}-objectives"), "interval": "1m", "rules": recorded}));
        }
        groups.push(json!({"name": format!("{name}-alerts"), "interval": "1m", "rules": alerts}));
        groups
    }

    /// `rules_test.yaml`: every alert fires under what it is for, and rests below it.
    pub(super) fn tests(&self) -> String {
        let mut tests = Vec::new();
        for alert in &self.alerts {
            for (fires, input) in [(true, &alert.fires), (false, &alert.rests)] {
                let series: Vec<Value> = input
                    .iter()
                    .map(|(series, values)| json!({"series": series, "values": values}))
                    .collect();
                let expected: Vec<Value> = self
                    .firing(alert, fires)
                    .into_iter()
                    .map(|one| json!({"exp_labels": labels(one), "exp_annotations": annotations(one)}))
                    .collect();
                let name = if fires { "fires" } else { "rests" };
                tests.push(json!({
                    "name": format!("{}{} {name}", alert.kind.name(), about(alert)),
                    "interval": "1m",
                    "input_series": series,
                    "alert_rule_test": [{
                        "eval_time": format!("{}m", alert.after),
                        "alertname": alert.kind.name(),
                        "exp_alerts": expected,
                    }],
                }));
            }
        }
        let file = json!({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests});
        yaml("promtool test rules rules_test.yaml", &file)
    }
}

impl Rules {
    /// The alerts of the same name that fire under an alert's series. Objectives on
    /// the same requests share their series.
    fn firing<'a>(&'a self, alert: &'a Alert, fires: bool) -> Vec<&'a Alert> {
        let Some(burn) = alert.burn else { return if fires { vec![alert] } else { Vec::new() } };
        let tried = if fires { burn.tried.0 } else { burn.tried.1 };
        let signal = &self.burning[burn.objective].signal;
        let same = self.alerts.iter().filter(|one| one.kind == alert.kind);
        same.filter(|one| {
            one.burn.is_some_and(|other| {
                tried > other.lowest && self.burning[other.objective].signal.counts(signal)
            })
        })
        .collect()
    }
}

fn about(alert: &Alert) -> String {
    alert.about.as_ref().map_or(String::new(), |(_, value)| format!(" {value}"))
}

fn labels(alert: &Alert) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert("severity".to_owned(), alert.kind.severity().into());
    if let Some((label, value)) = &alert.about {
        labels.insert((*label).to_owned(), value.as_str().into());
    }
    labels
}

fn annotations(alert: &Alert) -> Value {
    json!({
        "summary": alert.summary,
        "description": alert.description,
        "runbook": format!("operations/runbook.md#{}", alert.kind.name().to_lowercase()),
    })
}

fn rule(alert: &Alert) -> Value {
    let mut rule = json!({"alert": alert.kind.name(), "expr": alert.expr});
    if alert.minutes > 0 {
        rule["for"] = format!("{}m", alert.minutes).into();
    }
    rule["labels"] = Value::Object(labels(alert));
    rule["annotations"] = annotations(alert);
    rule
}

/// A name as objects may have it.
pub(super) fn tame(name: &str) -> String {
    let tame = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(tame).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "plan".to_owned() } else { name.to_owned() }
}
