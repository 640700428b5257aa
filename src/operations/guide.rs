//! README of the bundle, and the deployment guide.

use super::Plan;
use super::figures::Seen;
use super::objectives::{SERVER, Signal, bound};
use super::workflow::patience;
use crate::judge::{Judged, Outcome};
use crate::observe::Pooled;
use crate::scenario::{Comparison, Indicator, Objective};
use crate::units::figures::{amount, bytes, count, money, percent, plural, seconds};

/// A value of an indicator with its unit.
pub(super) fn figure(objective: &Objective, value: f64, currency: &str) -> String {
    match objective.indicator {
        Indicator::Availability
        | Indicator::AvailabilityPerYear
        | Indicator::Overload
        | Indicator::Rule(_) => percent(value),
        Indicator::Latency { .. }
        | Indicator::UsersRecovered
        | Indicator::CapacityRestored
        | Indicator::PendingPodSeconds => seconds(value),
        Indicator::Throughput => format!("{}/s", count(value)),
        Indicator::CostPerMonth => money(value, currency),
        Indicator::FailedRequests
        | Indicator::CarriedUsers
        | Indicator::ReplicasMax
        | Indicator::ReplicasMin
        | Indicator::PodsMax
        | Indicator::PodsMin
        | Indicator::NodesMax
        | Indicator::NodesMin
        | Indicator::ScaleEventsPerHour
        | Indicator::Restarts => count(value),
    }
}

/// Rows of objectives with what was proved.
fn proved(plan: &Plan<'_>) -> String {
    let goals = &plan.scenario.goals;
    let mut text = String::from("| objective | goal | proved | |\n|---|--:|--:|---|\n");
    for (number, (objective, judged)) in goals.objectives.iter().zip(&plan.verdict.objectives).enumerate() {
        let sign = match objective.comparison {
            Comparison::AtLeast => "≥",
            Comparison::AtMost => "≤",
        };
        let goal = figure(objective, objective.goal, &goals.currency);
        let value = value(objective, judged, &goals.currency);
        let outcome = match judged.outcome {
            Outcome::NotJudged => drilled(plan, number),
            other => other.name().to_owned(),
        };
        text += &format!("| {} | {sign} {goal} | {value} | {outcome} |\n", objective.name);
    }
    text
}

/// In how many drills an objective is kept.
fn drilled(plan: &Plan<'_>, objective: usize) -> String {
    let all: Vec<_> = plan.promises.iter().filter(|one| one.objective == objective).collect();
    let met = all.iter().filter(|one| one.judged.outcome == Outcome::Met).count();
    match all.len() {
        0 => "not judged".to_owned(),
        held => format!("met in {met} of {}", plural(held as u64, "drill", "drills")),
    }
}

fn value(objective: &Objective, judged: &Judged, currency: &str) -> String {
    let Some(measured) = judged.measured else { return "-".to_owned() };
    let shown = |value: f64| figure(objective, value, currency);
    match measured.interval {
        Some((low, high)) if low.total_cmp(&high).is_ne() => {
            format!("{} [{}, {}]", shown(measured.value), shown(low), shown(high))
        }
        _ => shown(measured.value),
    }
}

/// The workloads' settings and what they needed.
pub(super) fn workloads(plan: &Plan<'_>) -> String {
    let mut text = String::from(
        "| workload | replicas allowed | used, min/mean/max | CPU used, mean/max | largest pod | p95 | throttled |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
    );
    for one in plan.seen() {
        let pooled = &one.pooled;
        let allowed = match one.autoscaler {
            Some(_) => format!("{} to {}", one.least(), one.most()),
            None => one.least().to_string(),
        };
        let p95 = pooled.traffic.latency.quantile(0.95).map_or("-".to_owned(), seconds);
        text += &format!(
            "| {} | {allowed} | {}/{}/{} | {}/{} | {} | {p95} | {} |\n",
            one.workload.name,
            count(pooled.ready.min),
            amount(pooled.ready.mean),
            count(pooled.ready.max),
            amount(pooled.cpu_cores.mean),
            amount(pooled.cpu_cores.max),
            bytes(pooled.memory_pod_max.0 as f64),
            percent(pooled.throttled_share()),
        );
    }
    text
}

/// What the proof missed: on the whole, and in which drills.
fn missed(plan: &Plan<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for (number, objective) in plan.scenario.goals.objectives.iter().enumerate() {
        if plan.verdict.objectives[number].outcome == Outcome::Missed {
            all.push(objective.name.clone());
        }
        let of = plan.promises.iter().filter(|one| one.objective == number);
        let of = of.filter(|one| one.judged.outcome == Outcome::Missed);
        let names: Vec<&str> =
            of.map(|one| one.exercise.map_or("the year", |at| plan.drills[at].0.name.as_str())).collect();
        if !names.is_empty() {
            all.push(format!("{} in {}", objective.name, names.join(", ")));
        }
    }
    all
}

/// `README.md`
pub(super) fn readme(plan: &Plan<'_>) -> String {
    let name = &plan.scenario.name;
    let pooled = Pooled::of(plan.runs);
    let cost = crate::judge::cost_per_month(pooled.cost, pooled.seconds);
    let missed = missed(plan);
    let warning = if missed.is_empty() {
        match plan.verdict.outcome {
            Outcome::Unsure => "\n**Not everything is sure:** see the table.\n".to_owned(),
            Outcome::Met | Outcome::Missed | Outcome::NotJudged => String::new(),
        }
    } else {
        format!(
            "\n**Not everything is kept:** {}. `tuning.txt` says why, and what binds.\n",
            missed.join("; ")
        )
    };
    let loads = plan.loads_in_words();
    let loads = if loads.is_empty() { String::new() } else { format!(" Other loads: {loads}.") };
    format!(
        "# {name}, planned for {load}\n\n\
         Everything here was written by `plan tune`; the manifests were read back and simulated in {runs} with seed \
         {seed}, which the search had not used.{loads}\n{warning}\n\
         {proved}\n\
         Nodes cost {cost} a month in the proof ({nodes} on average).\n\n\
         | folder | what it is |\n|---|---|\n\
         | `kubernetes/` | the application for `kubectl apply -k`; reasons stand above changed values |\n\
         {overlays}\
         | `helm/` | the same objects as a chart, what was tuned as its values |\n\
         | `operations/` | alerts with tests, a dashboard, a workflow, the deployment guide, the runbook |\n\
         | `plan/` | what was given of model, traffic, policy and cluster, and `proof.json` |\n\
         | `tuning.txt`, `tuning.json` | what was changed and why, and the whole proof |\n\n\
         Prove it again, bit for bit:\n\n\
         ```console\n$ plan simulate {input} --seed {seed} --replications {number}\n```\n\n\
         Start with [operations/deployment.md](operations/deployment.md); at work use \
         [operations/runbook.md](operations/runbook.md).\n",
        load = plan.load(),
        runs = plural(plan.runs.len() as u64, "replication", "replications"),
        number = plan.runs.len(),
        seed = plan.seed,
        proved = proved(plan),
        cost = money(cost, &plan.scenario.goals.currency),
        nodes = amount(pooled.nodes.mean),
        input = plan.input,
        overlays = if plan.applied.contains("/overlays/") {
            "| `kubernetes/overlays/` | one per namespace; only the planned one was simulated |\n"
        } else {
            ""
        },
    )
}

/// `deployment.md`
pub(super) fn deployment(plan: &Plan<'_>) -> String {
    let pool = plan.scenario.cluster.pools.iter().map(|pool| {
        format!(
            "* {} of {} CPU and {}, in {} (`{}`)\n",
            if pool.min == pool.max {
                plural(pool.max.into(), "node", "nodes")
            } else {
                format!("{} to {} nodes", pool.min, pool.max)
            },
            amount(pool.cpu.as_cores()),
            bytes(pool.memory.0 as f64),
            plural(pool.zones.len() as u64, "zone", "zones"),
            pool.name
        )
    });
    let pools: String = pool.collect();
    let most: u32 = plan.seen().iter().map(Seen::most).sum();
    format!(
        "# Deploying {name}\n\n\
         ## What the cluster needs\n\n\
         {pools}* Kubernetes {version}; {added}\n\
         * room for {most} pods of the application at the autoscalers' maximum on {nodes}\n\
         * metrics-server (the autoscalers do nothing without it), kube-state-metrics and cAdvisor's metrics in \
         Prometheus (the alerts)\n{ingress}\n\
         ## Secrets\n\n{secrets}\n\
         ## Deploy\n\n\
         {handed_over}\
         ```console\n\
         $ kubectl diff -k {applied}\n\
         $ kubectl apply -k {applied}\n\
         {status}```\n\n\
         {first}\
         With Helm instead: `helm upgrade --install {release} helm/{release} -n default`; the objects name their \
         namespaces themselves. Use one of the two, not both.\n\n\
         ## Metrics that the application has to give\n\n{metrics}\n\
         ## Alerts and dashboard\n\n\
         ```console\n\
         $ promtool check rules operations/prometheus/rules.yaml\n\
         $ (cd operations/prometheus && promtool test rules rules_test.yaml)\n\
         $ kubectl apply -f operations/prometheus/prometheus-rule.yaml   # with the Prometheus operator\n\
         ```\n\n\
         Without the operator put `rules.yaml` among `rule_files:` of Prometheus. Import \
         `operations/grafana/dashboard.json` in Grafana and choose the data source.\n\n\
         ## Continuous deployment\n\n\
         Copy `operations/github/deploy.yaml` to `.github/workflows/`. It runs `plan` first: exit code 1 (an objective \
         is missed), 2 (wrong input) or 3 (unsure) stops the deployment. It waits {patience} for each rollout and \
         undoes those that it began when one fails.\n",
        name = plan.scenario.name,
        version = plan.scenario.version,
        added = match plan.provision() {
            Some(length) => format!("nodes are added by an autoscaler, in about {}", seconds(length)),
            None => "nobody adds nodes".to_owned(),
        },
        nodes = plan.nodes_in_words(),
        ingress = if plan.behind_ingress() {
            "* ingress-nginx with its metrics in Prometheus: failures that no pod answers are seen only there\n"
        } else {
            ""
        },
        secrets = secrets(plan),
        applied = plan.applied,
        handed_over = handed_over(plan),
        status = statuses(plan),
        first = in_order(plan),
        release = super::rules::tame(&plan.scenario.name),
        metrics = metrics(plan),
        patience = seconds(plan.seen().iter().map(patience).max().unwrap_or(600) as f64),
    )
}

/// A line of `rollout status` for each workload.
fn statuses(plan: &Plan<'_>) -> String {
    let seen = plan.seen();
    let lines = seen.iter().filter_map(|one| {
        let (namespace, object) = (&one.workload.namespace, one.rollout()?);
        Some(format!("$ kubectl -n {namespace} rollout status {object} --timeout={}s\n", patience(one)))
    });
    lines.collect()
}

/// How a count that was applied is handed over to the autoscaler: an apply that only
/// leaves it out makes it 1.
fn handed_over(plan: &Plan<'_>) -> String {
    let states = |one: &Seen<'_>| {
        plan.objects.iter().any(|(name, object)| {
            (&name.namespace, &name.name) == (&one.workload.namespace, &one.workload.name)
                && object.pointer("/spec/replicas").is_some()
        })
    };
    let seen = plan.seen();
    let lines = seen.iter().filter(|one| one.autoscaler.is_some() && !states(one)).filter_map(|one| {
        let (namespace, object) = (&one.workload.namespace, one.rollout()?);
        Some(format!("$ kubectl -n {namespace} apply edit-last-applied {object}\n"))
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        return lines;
    }
    format!(
        "Autoscalers set the replicas of these. Where they run already, from manifests that state `replicas`, \
         first take it out of what was applied: an apply that takes it out makes it 1.\n\n\
         ```console\n{lines}```\n\n"
    )
}

/// What others wait for comes first.
fn in_order(plan: &Plan<'_>) -> String {
    let stores: Vec<String> = plan
        .seen()
        .iter()
        .filter(|one| matches!(one.workload.kind, crate::scenario::Kind::StatefulSet { .. }))
        .map(|one| one.workload.name.clone())
        .collect();
    if stores.is_empty() {
        return String::new();
    }
    format!(
        "On the first deployment {} may start after those that call it; they restart until it is there. \
         `kubectl wait --for=condition=ready pod -l app=…` in between avoids that.\n\n",
        stores.join(" and ")
    )
}

/// Names and keys, and how to make them; never a value.
fn secrets(plan: &Plan<'_>) -> String {
    if plan.secrets.is_empty() {
        return "The objects need none.\n".to_owned();
    }
    let mut text = String::from(
        "Secrets are not part of this folder. Create them first, from wherever you keep them; `VALUE` stands for what \
         only you know:\n\n```console\n",
    );
    if plan.applied.contains("/overlays/") {
        text += &format!("$ kubectl apply -f {}/namespace.yaml\n", plan.applied);
    }
    for one in plan.secrets {
        let keys = if one.keys.is_empty() { vec!["KEY".to_owned()] } else { one.keys.clone() };
        let keys: Vec<String> = keys.iter().map(|key| format!("    --from-literal={key}=VALUE")).collect();
        text += &format!(
            "$ kubectl -n {} create secret generic {} \\\n{}\n",
            one.namespace,
            one.name,
            keys.join(" \\\n")
        );
    }
    text += "```\n";
    let plain = in_plain_sight(plan);
    if !plain.is_empty() {
        text += &format!(
            "\nThese stand in plain text in the manifests; move them to a Secret: {}.\n",
            plain.join(", ")
        );
    }
    text
}

/// Environment variables that look like secrets and are written out.
fn in_plain_sight(plan: &Plan<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, object) in plan.objects {
        let containers =
            object.pointer("/spec/template/spec/containers").and_then(serde_json::Value::as_array);
        for env in containers.into_iter().flatten().filter_map(|one| one.get("env")?.as_array()).flatten() {
            let key = env.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
            let secret = ["PASSWORD", "SECRET", "TOKEN", "API_KEY"].iter().any(|word| key.contains(word));
            if secret && env.get("value").is_some() {
                found.push(format!("`{key}` of {}", name.name));
            }
        }
    }
    found
}

/// What the recorded ratios are made of.
fn metrics(plan: &Plan<'_>) -> String {
    let burning = plan.burning();
    let slow = || {
        burning.iter().filter_map(|one| match &one.signal {
            Signal::Slow { seconds, .. } => Some(*seconds),
            Signal::Failed { .. } => None,
        })
    };
    if slow().next().is_none() && plan.behind_ingress() {
        return "None: the ingress controller's are enough.\n".to_owned();
    }
    let mut bounds: Vec<f64> = slow().collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let bounds: Vec<String> = bounds.into_iter().map(bound).collect();
    format!(
        "A histogram `{SERVER}` with the labels `namespace`, `service` (the workload's name){operation} and `code`, \
         measured from request to answer in the pod. {}Under other names, \
         change the recording rules in `rules.yaml` and the dashboard's panels of latency: the alerts on objectives use \
         only what is recorded.\n\n\
         An objective of the plan counts the way to the user, too: {} there and back.\n",
        if bounds.is_empty() {
            String::new()
        } else {
            format!(
                "It needs buckets at {} seconds, as an objective's own bound is the only one that tells exactly who \
                 kept it. ",
                bounds.join(", ")
            )
        },
        seconds(plan.scenario.demand.client_latency.as_secs_f64() * 2.0),
        operation = if plan.modelled { ", `operation` (as `plan/model.yaml` calls it)" } else { "" },
    )
}
