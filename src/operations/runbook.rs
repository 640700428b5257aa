//! The runbook: what to do at work, and at each alert, in the plan's figures.

use super::Plan;
use super::alert::{Alert, Kind};
use super::figures::Seen;
use super::guide::workloads;
use super::rules::Rules;
use crate::judge::{Estimate, Outcome};
use crate::scenario::Kind as WorkloadKind;
use crate::units::figures::{amount, count, percent, plural, seconds};

/// `runbook.md`
pub(super) fn runbook(plan: &Plan<'_>, rules: &Rules) -> String {
    let parts = [
        capacity(plan),
        daily(plan),
        scaling(plan),
        monitoring(plan),
        recovery(plan),
        alerts(plan, rules),
        troubleshooting(plan),
    ];
    format!(
        "# Running {}\n\nWritten from the plan for {}. Figures are means of {} with seed {}.\n\n{}",
        plan.scenario.name,
        plan.load(),
        plural(plan.runs.len() as u64, "replication", "replications"),
        plan.seed,
        parts.join("\n")
    )
}

fn capacity(plan: &Plan<'_>) -> String {
    let loads = plan.loads_in_words();
    let loads = if loads.is_empty() { String::new() } else { format!(" Other loads: {loads}.") };
    format!(
        "## Capacity\n\n\
         Planned for {}: {} requests a second at the peak on {}.{loads} Proved up to {} requests a second; \
         `LoadBeyondProof` fires above.\n\n{}",
        plan.load(),
        count(plan.peak_rate()),
        plan.nodes_in_words(),
        count(plan.proved_rate()),
        workloads(plan)
    )
}

/// Deploy, update, roll back.
fn daily(plan: &Plan<'_>) -> String {
    let seen = plan.serving();
    let first = seen.iter().find_map(Seen::rollout).unwrap_or_else(|| "deployment/NAME".to_owned());
    let container = seen
        .iter()
        .find(|one| one.rollout().as_ref() == Some(&first))
        .and_then(|one| one.workload.template.containers.first())
        .map_or("CONTAINER", |one| one.name.as_str());
    let space = plan.namespace();
    let rollout = plan.drills.iter().find(|(one, _)| one.name == "rollout");
    let cost = rollout.and_then(|(_, summary)| summary.as_ref()).map_or(String::new(), |summary| {
        let lost = plural(summary.lost.value.round() as u64, "request", "requests");
        format!(
            " A rollout in the plan lost {lost}; users served again: {}.",
            back(summary.users_recovered, "not felt")
        )
    });
    let how: String = seen.iter().filter_map(strategy).collect();
    format!(
        "## Deploy, update, roll back\n\n\
         ```console\n\
         # deploy, or update settings\n\
         $ kubectl apply -k {applied}\n\
         # a new image, by hand\n\
         $ kubectl -n {space} set image {first} {container}=IMAGE:TAG\n\
         $ kubectl -n {space} rollout status {first}\n\
         # back to the one before, or to any\n\
         $ kubectl -n {space} rollout history {first}\n\
         $ kubectl -n {space} rollout undo {first}\n\
         $ kubectl -n {space} rollout undo {first} --to-revision=N\n\
         ```\n\n\
         An image set by hand is lost with the next `apply`: change it in the manifests, too. Undo restores pod \
         templates only; autoscalers, budgets and Services come back with `git checkout COMMIT -- kubernetes` and \
         `kubectl apply -k`; with the chart, `helm rollback` restores all of it.{cost}\n\n{how}",
        applied = plan.applied,
    )
}

/// How a workload is updated.
fn strategy(of: &Seen<'_>) -> Option<String> {
    let grace = of.workload.template.grace.as_secs_f64();
    let words = match of.workload.kind {
        WorkloadKind::Deployment { .. } => "is replaced pod by pod",
        WorkloadKind::StatefulSet { .. } => "is replaced in order, the highest number first",
        _ => return None,
    };
    let start = of
        .pooled
        .start_time
        .mean()
        .map_or(String::new(), |mean| format!(", a pod is ready {} after it was made", seconds(mean)));
    let budget = of.budget.map_or(String::new(), |one| format!(" Drains respect its budget `{}`.", one.name));
    Some(format!("* `{}` {words}{start}; a pod has {} to end.{budget}\n", of.workload.name, seconds(grace)))
}

fn scaling(plan: &Plan<'_>) -> String {
    let mut text = String::from("## Scale\n\n");
    for one in plan.serving() {
        let name = &one.workload.name;
        text += &match one.autoscaler {
            Some(hpa) => format!(
                "* `{name}` is scaled by `{}` between {} and {}; the plan used up to {}. For more, raise \
                 `maxReplicas` and run `plan simulate` first; `kubectl scale` is undone within 15 s.\n",
                hpa.name,
                hpa.spec.min_replicas,
                hpa.spec.max_replicas,
                count(one.pooled.ready.max)
            ),
            None => match one.workload.kind {
                WorkloadKind::StatefulSet { .. } => format!(
                    "* `{name}` has {}. More of them do not share its work by themselves: give it more CPU and memory \
                     instead (it used up to {} cores).\n",
                    plural(one.least().into(), "replica", "replicas"),
                    amount(one.pooled.cpu_cores.max)
                ),
                _ => format!(
                    "* `{name}` has {} and no autoscaler. It used up to {} cores.\n",
                    plural(one.least().into(), "replica", "replicas"),
                    amount(one.pooled.cpu_cores.max)
                ),
            },
        };
    }
    let growth = format!(
        "\nBefore a known rush (a campaign, a launch) raise `minReplicas` to what the plan used at its peak{}. Beyond \
         {} requests a second plan anew: `plan tune {} --form bundle`.\n",
        plan.provision()
            .map_or(String::new(), |length| { format!(" an hour ahead, as nodes take {}", seconds(length)) }),
        count(plan.proved_rate()),
        plan.input,
    );
    text + &growth
}

/// What to look at, and what is usual.
fn monitoring(plan: &Plan<'_>) -> String {
    let mut text = format!(
        "## Monitor\n\n\
         The dashboard (`operations/grafana/dashboard.json`) has the plan's bounds as red lines. Once a week, and after \
         each release, compare with the plan:\n\n\
         | signal | in the plan | look closer when |\n|---|--:|---|\n\
         | requests a second at the peak | {} | above {} |\n\
         | nodes | {} | at {} for long |\n",
        count(plan.peak_rate()),
        count(plan.proved_rate()),
        plan.nodes_in_words(),
        plan.nodes().1,
    );
    for one in plan.serving() {
        let name = &one.workload.name;
        let rate = plan.peak_rate().max(1.0);
        text += &format!(
            "| `{name}`: CPU for each of users' requests | {} | a fifth more: a release made it dearer |\n",
            seconds(one.pooled.cpu_cores.max / rate),
        );
        if one.autoscaler.is_some() {
            text += &format!(
                "| `{name}`: replicas at the peak | {} | near {} |\n",
                count(one.pooled.ready.max),
                one.most()
            );
        }
    }
    text
}

/// A recovery in words.
fn back(time: Option<Estimate>, at_once: &str) -> String {
    match time {
        None => "not in time".to_owned(),
        Some(one) if one.value <= 0.0 => at_once.to_owned(),
        Some(one) => seconds(one.value),
    }
}

fn recovery(plan: &Plan<'_>) -> String {
    if plan.drills.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "## What to expect when something breaks\n\n\
         Each was simulated at the peak. If it takes much longer than here, it is something else.\n\n\
         | failure | users served again | replicas back | requests lost | worst 10 s | objectives |\n\
         |---|--:|--:|--:|--:|---|\n",
    );
    for (number, (exercise, summary)) in plan.drills.iter().enumerate() {
        let outcomes: Vec<Outcome> = plan
            .promises
            .iter()
            .filter(|one| one.exercise == Some(number))
            .map(|one| one.judged.outcome)
            .collect();
        let worst = [Outcome::Missed, Outcome::Unsure, Outcome::Met].into_iter();
        let verdict = worst.into_iter().find(|one| outcomes.contains(one)).map_or("-", Outcome::name);
        text += &match summary {
            None => {
                format!("| {}: {} | nothing to strike | - | - | - | - |\n", exercise.name, exercise.about)
            }
            Some(one) => format!(
                "| {}: {} | {} | {} | {} | {} | {verdict} |\n",
                exercise.name,
                exercise.about,
                back(one.users_recovered, "not felt"),
                back(one.capacity_restored, "none lost"),
                count(one.lost.value),
                percent(one.worst)
            ),
        };
    }
    text
}

/// What an alert of this kind asks for.
fn action(kind: Kind, plan: &Plan<'_>) -> String {
    let space = plan.namespace();
    let text = match kind {
        Kind::BurnsFast | Kind::BurnsSlowly => {
            "Was something deployed? `kubectl -n @ rollout history` and undo it first, look for causes later. Else \
             follow the other alerts: at the maximum, throttled, too few replicas. None of them: look at what the \
             services call (database, cache, external services)."
        }
        Kind::LoadBeyondProof => {
            "Real users: plan anew for the new load before it grows further. Not real users: limit them at the \
             ingress. Nothing has to be down yet."
        }
        Kind::AutoscalerAtMaximum => {
            "If users feel it, raise `maxReplicas` by a quarter now (are there nodes for it?), then plan anew. If they \
             don't, compare requests a second with the plan: the same load with more pods means that requests have \
             become dearer, often by a release."
        }
        Kind::AutoscalerBlind => {
            "`kubectl -n @ describe hpa` says which metric fails. `kubectl get apiservices v1beta1.metrics.k8s.io` and \
             `kubectl -n kube-system rollout status deployment/metrics-server`. Until it works set replicas by hand to \
             the plan's maximum: `kubectl -n @ scale`."
        }
        Kind::TooFewReplicas => {
            "`kubectl -n @ get pods` and `kubectl -n @ describe pod` of one that is not ready: Pending (see PodsPending), \
             CrashLoopBackOff (`kubectl -n @ logs --previous`), ImagePullBackOff (undo the rollout), or readiness that \
             fails (is what it calls there?)."
        }
        Kind::CpuThrottled => {
            "Check that the autoscaler grows. Else raise `limits.cpu` (no pod restarts are needed but those of the \
             rollout) and simulate it: `plan simulate`."
        }
        Kind::MemoryNearLimit => {
            "Rising all the time: a leak; restart pod by pod with `kubectl -n @ rollout restart`, then find it. High \
             with the load: raise `limits.memory` and `requests.memory` together."
        }
        Kind::ContainersRestart => {
            "`kubectl -n @ get pods` and `kubectl -n @ describe pod`: `OOMKilled` (see MemoryNearLimit), `Error` \
             (`kubectl -n @ logs --previous`), or a liveness probe that fails under load (then the pod is not dead but \
             busy: more replicas, or a longer timeout)."
        }
        Kind::PodsPending => {
            "`kubectl -n @ describe pod` shows the scheduler's words. `Insufficient cpu`: are nodes at their maximum? \
             A volume or a spread constraint that nothing fits: `plan explain scheduling` shows each filter."
        }
        Kind::NodesAtMaximum => {
            "Raise the pool's maximum, or find who asks for more than planned: `kubectl describe nodes` lists requests. \
             The plan's table of workloads says what each should ask for."
        }
        Kind::TooFewNodes => {
            "`kubectl get nodes` and `kubectl describe node`. A node that fell silent is given up after 40 s to 60 s, \
             its pods move after their tolerations. Don't drain others meanwhile."
        }
    };
    text.replace('@', space)
}

fn alerts(plan: &Plan<'_>, rules: &Rules) -> String {
    let mut text = String::from(
        "## Alerts\n\n`page` calls somebody at once; `ticket` waits for working hours. Objectives use burn rates over \
         two windows each: 14.4 times over 1 h and 5 min or 6 times over 6 h and 30 min call somebody; 3 times over \
         1 d and 2 h or once over 3 d and 6 h make a ticket.\n",
    );
    let mut kinds: Vec<Kind> = rules.alerts.iter().map(|one| one.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of: Vec<&Alert> = rules.alerts.iter().filter(|one| one.kind == kind).collect();
        text += &format!("\n### {}\n\n`{}`\n\n", kind.name(), kind.severity());
        for one in of {
            text += &format!("* *{}*: {}\n", one.summary, one.description);
        }
        text += &format!("\n{}\n", action(kind, plan));
    }
    text
}

fn troubleshooting(plan: &Plan<'_>) -> String {
    let space = plan.namespace();
    format!(
        "## Troubleshoot\n\n\
         ```console\n\
         $ kubectl -n {space} get deploy,sts,hpa,pdb,pods -o wide\n\
         $ kubectl -n {space} get events --sort-by=.lastTimestamp | tail -n 30\n\
         $ kubectl -n {space} top pods --containers\n\
         $ kubectl -n {space} describe hpa\n\
         $ kubectl -n {space} get endpointslices\n\
         ```\n\n\
         | what users see | what it often is | where to look |\n|---|---|---|\n\
         | 503 at once | no ready pod behind the Service | TooFewReplicas, `get endpointslices` |\n\
         | 502 during a deployment | pods end before the ingress knows | preStop and grace period, the rollout drill |\n\
         | 504, or nothing | pods drown, requests queue | CpuThrottled, AutoscalerAtMaximum |\n\
         | slow, CPU looks idle | throttling within 100 ms, or a database | CpuThrottled, the callee's latency |\n\
         | errors in waves | containers restart | ContainersRestart, MemoryNearLimit |\n\
         | drain never ends | a budget allows no eviction | `kubectl -n {space} get pdb` |\n\n\
         Why did the autoscaler do that? Feed its own objects to `plan explain hpa`: it shows each step of the decision.\n"
    )
}
