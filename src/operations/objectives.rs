//! Objectives as ratios of bad requests, for burn-rate alerts.

use std::collections::BTreeMap;

use super::Plan;
use crate::scenario::{Indicator, Scope};

/// The ingress controller's counter of requests, by status.
pub(super) const INGRESS: &str = "nginx_ingress_controller_requests";
/// The application's own histogram; the guide says which labels it has to have.
pub(super) const SERVER: &str = "http_request_duration_seconds";

/// An objective that can burn: a share of requests may be bad, and no more.
pub(super) struct Burning {
    /// What the policy calls it.
    pub name: String,
    /// The share that may be bad.
    pub budget: f64,
    /// What it promises, in words.
    pub promise: String,
    /// What counts.
    pub signal: Signal,
}

/// What is counted as bad of what.
pub(super) enum Signal {
    /// Answers with these selectors whose status tells of a failure.
    Failed { metric: String, bad: String, selectors: Vec<String> },
    /// Answers with these selectors that took longer than so many seconds.
    Slow { seconds: f64, selectors: Vec<String> },
}

/// A number as Prometheus writes bucket bounds.
pub(super) fn bound(seconds: f64) -> String {
    let text = format!("{:.6}", (seconds * 1e6).round() / 1e6);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Selects a bucket, however the client writes whole numbers.
fn bucket(seconds: f64) -> String {
    let text = bound(seconds);
    if text.contains('.') { format!("le=\"{text}\"") } else { format!("le=~\"{text}(\\\\.0)?\"") }
}

impl Signal {
    /// Bad requests divided by all, over a window.
    pub(super) fn ratio(&self, window: &str) -> String {
        let sum = |metric: &str, extra: &str, selectors: &[String]| {
            let rates: Vec<String> = selectors
                .iter()
                .map(|one| {
                    let comma = if extra.is_empty() || one.is_empty() { "" } else { "," };
                    format!("rate({metric}{{{one}{comma}{extra}}}[{window}])")
                })
                .collect();
            format!("sum({})", rates.join(" or "))
        };
        match self {
            // No failure at all leaves no series: that is 0, and not unknown.
            Self::Failed { metric, bad, selectors } => {
                format!("({} or vector(0)) / {}", sum(metric, bad, selectors), sum(metric, "", selectors))
            }
            Self::Slow { seconds, selectors } => {
                let within = sum(&format!("{SERVER}_bucket"), &bucket(*seconds), selectors);
                format!("1 - {within} / {}", sum(&format!("{SERVER}_count"), "", selectors))
            }
        }
    }

    /// Whether the series that are made for a test of `other` count here, too.
    pub(super) fn counts(&self, other: &Self) -> bool {
        let (own, others) = match (self, other) {
            (
                Self::Failed { metric, selectors, .. },
                Self::Failed { metric: other, selectors: others, .. },
            ) if metric == other => (selectors, others),
            (Self::Slow { seconds, selectors }, Self::Slow { seconds: other, selectors: others })
                if bound(*seconds) == bound(*other) =>
            {
                (selectors, others)
            }
            _ => return false,
        };
        own.iter().any(|selector| matches(selector, &alone(&others[0])))
    }

    /// Series for a test: so many of `all` requests a minute are bad.
    pub(super) fn series(&self, bad: u64, all: u64, minutes: u64) -> Vec<(String, String)> {
        let rising = |by: u64| format!("0+{by}x{minutes}");
        match self {
            Self::Failed { metric, selectors, .. } => {
                let first = alone(&selectors[0]);
                let label = if metric == INGRESS { "status" } else { "code" };
                let one = |status: &str| format!("{metric}{{{first},{label}=\"{status}\"}}");
                vec![(one("200"), rising(all - bad)), (one("503"), rising(bad))]
            }
            Self::Slow { seconds, selectors } => {
                let first = alone(&selectors[0]);
                vec![
                    (format!("{SERVER}_bucket{{{first},le=\"{}\"}}", bound(*seconds)), rising(all - bad)),
                    (format!("{SERVER}_bucket{{{first},le=\"+Inf\"}}"), rising(all)),
                    (format!("{SERVER}_count{{{first}}}"), rising(all)),
                ]
            }
        }
    }
}

/// A selector that matches one value, out of one that matches several.
pub(super) fn alone(selector: &str) -> String {
    let one = |(label, values): (&str, &str)| {
        format!("{label}=\"{}\"", values.split('|').next().unwrap_or_default())
    };
    labels(selector).into_iter().map(one).collect::<Vec<_>>().join(",")
}

/// The labels of a selector with the values that they let through.
fn labels(selector: &str) -> Vec<(&str, &str)> {
    let parts = selector.split("\",").map(|part| {
        let part = part.trim_end_matches('"');
        part.split_once("=~\"").or_else(|| part.split_once("=\"")).unwrap_or((part, ""))
    });
    parts.collect()
}

/// Whether a selector lets through what has just these labels.
fn matches(selector: &str, alone: &str) -> bool {
    let has = labels(alone);
    labels(selector).iter().all(|(label, values)| {
        let value = has.iter().find(|(one, _)| one == label).map(|(_, value)| *value);
        value.is_some_and(|value| values.split('|').any(|one| one == value))
    })
}

impl Plan<'_> {
    /// The objectives that can burn, in the policy's order.
    pub(super) fn burning(&self) -> Vec<Burning> {
        let goals = &self.scenario.goals.objectives;
        let of = |objective: &crate::scenario::Objective| {
            let (budget, promise, signal) = match objective.indicator {
                Indicator::Availability => {
                    let promise = format!("{} of requests are answered", share(objective.goal));
                    (1.0 - objective.goal, promise, self.failures(&objective.scope))
                }
                Indicator::Latency { quantile } => {
                    let selectors = self.operations(&objective.scope);
                    let promise = format!(
                        "{} of requests are answered within {}",
                        share(quantile),
                        crate::units::figures::seconds(objective.goal)
                    );
                    (1.0 - quantile, promise, Signal::Slow { seconds: objective.goal, selectors })
                }
                _ => return None,
            };
            let asked = match &signal {
                Signal::Failed { selectors, .. } | Signal::Slow { selectors, .. } => !selectors.is_empty(),
            };
            let name = objective.name.clone();
            (asked && budget > 0.0 && budget < 1.0).then_some(Burning { name, budget, promise, signal })
        };
        goals.iter().filter_map(of).collect()
    }

    /// Whose failures count. What no pod answers only the ingress sees.
    fn failures(&self, scope: &Scope) -> Signal {
        if *scope == Scope::All && self.behind_ingress() {
            let selectors = vec![self.namespace_selector()];
            // 499 is a user who gave up waiting.
            return Signal::Failed {
                metric: INGRESS.to_owned(),
                bad: "status=~\"5..|499\"".to_owned(),
                selectors,
            };
        }
        Signal::Failed {
            metric: format!("{SERVER}_count"),
            bad: "code=~\"5..\"".to_owned(),
            selectors: self.operations(scope),
        }
    }

    /// `namespace="shop"`
    pub(super) fn namespace_selector(&self) -> String {
        match self.namespaces().as_slice() {
            [one] => format!("namespace=\"{one}\""),
            all => format!("namespace=~\"{}\"", all.join("|")),
        }
    }

    /// Selectors of the operations that a scope is about, one per workload.
    pub(super) fn operations(&self, scope: &Scope) -> Vec<String> {
        let mut asked: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (number, journey) in self.scenario.demand.journeys.iter().enumerate() {
            let counts = match scope {
                Scope::All | Scope::Workload(_) => true,
                Scope::Journey(one) => *one == number,
                Scope::Drill(_) => false,
            };
            for visit in journey.visits.iter().filter(|_| counts) {
                let operation =
                    &self.scenario.workloads[visit.workload].behaviour.operations[visit.operation];
                asked.entry(visit.workload).or_default().push(operation.name.as_str());
            }
        }
        if let Scope::Workload(one) = scope {
            let all = &self.scenario.workloads[*one].behaviour.operations;
            asked = BTreeMap::from([(*one, all.iter().map(|operation| operation.name.as_str()).collect())]);
        }
        let selector = |(workload, mut names): (usize, Vec<&str>)| {
            names.sort_unstable();
            names.dedup();
            let of = &self.scenario.workloads[workload];
            if !self.modelled {
                return format!("namespace=\"{}\",service=\"{}\"", of.namespace, of.name);
            }
            let names: Vec<String> = names.into_iter().map(pattern).collect();
            format!(
                "namespace=\"{}\",service=\"{}\",operation=~\"{}\"",
                of.namespace,
                of.name,
                names.join("|")
            )
        };
        asked.into_iter().map(selector).collect()
    }
}

/// A name as a regular expression: what could mean something there is any letter.
fn pattern(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_ /:".contains(c) { c } else { '.' }).collect()
}

/// `99.9 %`, without digits that say nothing.
pub(super) fn share(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_written_as_prometheus_reads_them() {
        let failed = Signal::Failed {
            metric: INGRESS.to_owned(),
            bad: "status=~\"5..|499\"".to_owned(),
            selectors: vec!["namespace=\"a\"".to_owned()],
        };
        assert_eq!(
            failed.ratio("5m"),
            "(sum(rate(nginx_ingress_controller_requests{namespace=\"a\",status=~\"5..|499\"}[5m])) or vector(0)) \
             / sum(rate(nginx_ingress_controller_requests{namespace=\"a\"}[5m]))"
        );
        let slow = Signal::Slow { seconds: 1.0, selectors: vec!["x=\"a\"".to_owned(), "x=\"b\"".to_owned()] };
        assert_eq!(
            slow.ratio("1h"),
            "1 - sum(rate(http_request_duration_seconds_bucket{x=\"a\",le=~\"1(\\\\.0)?\"}[1h]) or \
             rate(http_request_duration_seconds_bucket{x=\"b\",le=~\"1(\\\\.0)?\"}[1h])) / \
             sum(rate(http_request_duration_seconds_count{x=\"a\"}[1h]) or \
             rate(http_request_duration_seconds_count{x=\"b\"}[1h]))"
        );
    }

    #[test]
    fn bounds_and_selectors_for_tests() {
        for (seconds, text) in [(0.3, "0.3"), (1.0, "1"), (15.0, "15"), (0.1 + 0.2, "0.3")] {
            assert_eq!(bound(seconds), text);
        }
        let one = "namespace=\"a\",service=\"b\",operation=~\"x|y\"";
        assert_eq!(alone(one), "namespace=\"a\",service=\"b\",operation=\"x\"");
    }
}
