//! What a run is to the policy's rules.

use super::measure::{cost_per_month, traffic};
use crate::observe::facts::{ClusterFacts, Facts, SpanFacts, TrafficFacts, WorkloadFacts};
use crate::observe::{Level, Observations, Traffic, WorkloadSeen};
use crate::scenario::{Scenario, Scope};
use crate::units::figures::amount;

/// The facts of one run.
pub fn facts(scenario: &Scenario, run: &Observations) -> Facts {
    let names = scenario.workload_names();
    let of_workload = |(name, seen): (&String, &WorkloadSeen)| (name.clone(), of_workload(seen));
    let journeys = scenario.demand.journeys.iter().zip(&run.journeys);
    let cluster = &run.cluster;
    Facts {
        all: of_traffic(&traffic(&Scope::All, &run.journeys, |index| &run.workloads[index].traffic)),
        journeys: journeys.map(|(journey, seen)| (journey.name.clone(), of_traffic(seen))).collect(),
        workloads: names.iter().zip(&run.workloads).map(of_workload).collect(),
        cluster: ClusterFacts {
            nodes: span(&cluster.nodes),
            pods: span(&cluster.ready_pods),
            cpu_requested: span(&cluster.cpu_requested_share),
            pending_seconds: cluster.pending_pod_seconds,
            cost_per_month: cost_per_month(cluster.cost, run.end.since_or_zero(run.start).as_secs_f64()),
        },
        users: span(&cluster.users),
    }
}

fn of_traffic(traffic: &Traffic) -> TrafficFacts {
    TrafficFacts {
        requests: traffic.arrived as f64,
        failed: traffic.failed() as f64,
        availability: traffic.availability(),
        p50: traffic.latency.quantile(0.5),
        p95: traffic.latency.quantile(0.95),
        p99: traffic.latency.quantile(0.99),
    }
}

fn of_workload(seen: &WorkloadSeen) -> WorkloadFacts {
    WorkloadFacts {
        traffic: of_traffic(&seen.traffic),
        replicas: span(&seen.ready),
        cpu: span(&seen.cpu_cores),
        memory: span(&seen.memory),
        throttled: seen.throttled_periods as f64 / (seen.periods as f64).max(1.0),
        restarts: seen.restarts as f64,
        oom_kills: seen.oom_kills as f64,
        scale_events: seen.scale_events as f64,
        pending_seconds: seen.pending_seconds,
        demanded: span(&seen.demanded),
        overload: seen.overload.mean(),
    }
}

fn span(level: &Level) -> SpanFacts {
    SpanFacts { min: level.min(), mean: level.mean(), max: level.max() }
}

/// What a rule says, and the figures that it asks for in one run.
pub(super) fn because(scenario: &Scenario, index: usize, run: &Observations) -> Vec<String> {
    let text = &scenario.goals.rules[index].text;
    let facts = facts(scenario, run).as_object();
    let figure = |path: &String| {
        let value = look_up(&facts, path)?.as_f64()?;
        Some(format!("{path} is {}", amount(value)))
    };
    let figures: Vec<String> = paths(text).iter().filter_map(figure).collect();
    let seen = if figures.is_empty() { String::new() } else { format!("; here {}", figures.join(", ")) };
    vec![format!("the rule is `{text}`{seen}")]
}

/// The paths in an expression, such as `workloads['web'].p95`, each once.
fn paths(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut now = String::new();
    let mut quote = None;
    for c in text.chars().chain([' ']) {
        let goes_on = match quote {
            Some(open) => {
                if c == open {
                    quote = None;
                }
                true
            }
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                !now.is_empty()
            }
            None => c.is_alphanumeric() || ['_', '.', '[', ']'].contains(&c),
        };
        if goes_on {
            now.push(c);
        } else if !now.is_empty() {
            let path = std::mem::take(&mut now);
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn look_up<'v>(facts: &'v serde_json::Value, path: &str) -> Option<&'v serde_json::Value> {
    // `a['b'].c` as `a`, `b`, `c`: quotes are what names with dots in them need.
    let mut value = facts;
    let mut rest = path;
    while !rest.is_empty() {
        let (key, after) = match rest.strip_prefix(['[']) {
            Some(inner) => {
                let quote = inner.chars().next().filter(|c| ['\'', '"'].contains(c))?;
                inner[1..].split_once(quote).and_then(|(key, after)| Some((key, after.strip_prefix(']')?)))?
            }
            None => {
                let rest = rest.strip_prefix('.').unwrap_or(rest);
                rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()))
            }
        };
        value = value.get(key)?;
        rest = after;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_behind_a_rule_are_found() {
        let facts = serde_json::json!({"a": {"b-c": {"p95": 2.0}}, "d": {"max": 1.0}});
        let text = "a['b-c'].p95 * 2.0 < d.max || (d.max>3.0 && size(a) > 0)";
        assert_eq!(paths(text), ["a['b-c'].p95", "2.0", "d.max", "3.0", "size", "a", "0"]);
        let values: Vec<Option<f64>> = paths(text)
            .iter()
            .map(|path| look_up(&facts, path).and_then(serde_json::Value::as_f64))
            .collect();
        assert_eq!(values, [Some(2.0), None, Some(1.0), None, None, None, None]);
    }
}
