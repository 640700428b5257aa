//! A policy's objectives on drills, judged.

use crate::judge::drill::{Summary, Year, is_about};
use crate::judge::{Estimate, Judged, Outcome, binding, compare};
use crate::k8s::endpoints::INGRESS_CONNECT_TIMEOUT;
use crate::k8s::node_lifecycle::{DEFAULT_TOLERATION_SECONDS, UNREACHABLE, orphans};
use crate::k8s::placement::TaintEffect;
use crate::k8s::volumes::FORCE_DETACH_AFTER;
use crate::observe::{Cause, MomentKind, Observations};
use crate::scenario::catalogue::Exercise;
use crate::scenario::{Failure, Indicator, Objective, Scenario};
use crate::units::SimTime;
use crate::units::figures::{percent, plural, seconds};

/// At most so many moments are told of one drill.
const MOMENTS: usize = 7;
/// The controller sees a heartbeat up to this long before the node died.
const LEASE: f64 = 10.0;
/// From Unknown to the NoExecute taint.
const TAINT_LAG: f64 = 5.0;

/// One objective on one drill.
#[derive(Clone, Debug, PartialEq)]
pub struct Promise {
    /// Index into the policy's objectives.
    pub objective: usize,
    /// Index into the exercises; `None` for the year.
    pub exercise: Option<usize>,
    /// What came of it.
    pub judged: Judged,
}

/// What was held and what came of it, for judging.
pub struct Exercised<'a> {
    /// What was exercised.
    pub exercise: &'a Exercise,
    /// What it cost.
    pub summary: &'a Summary,
    /// One of its runs, to tell from.
    pub run: &'a Observations,
}

/// Judges every objective that is about a drill, or about the year.
pub fn judge(scenario: &Scenario, held: &[Exercised<'_>], year: Option<&Year>) -> Vec<Promise> {
    let mut promises = Vec::new();
    for (number, objective) in scenario.goals.objectives.iter().enumerate() {
        if objective.indicator == Indicator::AvailabilityPerYear {
            let judged = match year {
                Some(year) => weigh(objective, Some(year.availability), Vec::new()),
                None => not_judged("not every failure mode was exercised"),
            };
            promises.push(Promise { objective: number, exercise: None, judged });
            continue;
        }
        let about = held.iter().enumerate().filter(|(_, one)| is_about(objective, &one.exercise.name));
        for (exercise, one) in about {
            promises.push(Promise {
                objective: number,
                exercise: Some(exercise),
                judged: on(scenario, objective, one),
            });
        }
    }
    promises
}

fn not_judged(why: &str) -> Judged {
    Judged { measured: None, outcome: Outcome::NotJudged, because: vec![why.to_owned()] }
}

/// One objective on one drill.
fn on(scenario: &Scenario, objective: &Objective, held: &Exercised<'_>) -> Judged {
    let summary = held.summary;
    let measured = match objective.indicator {
        Indicator::UsersRecovered => summary.users_recovered,
        Indicator::CapacityRestored => summary.capacity_restored,
        Indicator::FailedRequests => Some(summary.lost),
        Indicator::PendingPodSeconds => Some(summary.pending_seconds),
        _ => return not_judged("this indicator is not measured on a drill"),
    };
    let mut judged = weigh(objective, measured, Vec::new());
    if judged.outcome == Outcome::Missed || judged.outcome == Outcome::Unsure {
        if measured.is_none() {
            let watched = seconds(held.exercise.settle.as_secs_f64());
            judged.because.push(format!("not within the {watched} that were observed, in some replication"));
        }
        if let Some((share, times)) = summary.metastable {
            judged.because.push(format!(
                "metastable, in {}: {} of the requests still fail long after the trigger is gone, to the end. \
                 What is tried again and what waits keep the load above what can be served; fewer retries, \
                 shorter queues or a retry budget let it recover",
                plural(times as u64, "replication", "replications"),
                percent(share),
            ));
        }
        judged.because.extend(bound(scenario, objective, held));
        let first = held.exercise.drills.first();
        let dropped =
            |workload: usize| held.run.workloads[workload].traffic.failures[Cause::PodEnded as usize] > 0;
        judged.because.extend(first.and_then(|drill| binding::of(scenario, drill, dropped)));
        judged.because.push(chain(held.run));
    }
    judged
}

fn weigh(objective: &Objective, measured: Option<Estimate>, because: Vec<String>) -> Judged {
    let outcome = match &measured {
        Some(estimate) => compare(objective.comparison, estimate, objective.goal),
        None => Outcome::Missed,
    };
    Judged { measured, outcome, because }
}

/// What Kubernetes' rules make impossible, whatever the workload's settings.
fn bound(scenario: &Scenario, objective: &Objective, held: &Exercised<'_>) -> Option<String> {
    let drill = held.exercise.drills.first()?;
    let silent = matches!(drill.what, Failure::NodeLoss { .. } | Failure::ZoneOutage);
    let grace = scenario.version.rules().node_monitor_grace_period.as_secs_f64();
    let noticed = grace - LEASE;
    if !silent || objective.goal >= noticed {
        return None;
    }
    match objective.indicator {
        Indicator::UsersRecovered => Some(format!(
            "out of reach by the workload's settings: a node that falls silent is noticed {} to {} later \
             (node-monitor-grace-period {} of the controller manager), and until then its pods are sent \
             requests that nobody answers (an ingress tries another pod after {}){}. Closest: short timeouts \
             and retries at the callers, which make it a latency instead of a failure",
            seconds(noticed),
            seconds(grace + LEASE),
            seconds(grace),
            seconds(INGRESS_CONNECT_TIMEOUT.as_secs_f64()),
            kept_volumes(scenario),
        )),
        Indicator::CapacityRestored => {
            if matches!(drill.what, Failure::NodeLoss { gone: true, .. }) {
                return Some(without_a_node(noticed));
            }
            let stays = shortest_toleration(scenario);
            let soonest = noticed + TAINT_LAG + stays;
            Some(format!(
                "out of reach: replacements are made {} after the loss at the soonest ({} until the node counts \
                 as silent, {} until its taint, tolerationSeconds {}); with tolerationSeconds: 0 it would be {}",
                seconds(soonest),
                seconds(noticed),
                seconds(TAINT_LAG),
                seconds(stays),
                seconds(noticed + TAINT_LAG),
            ))
        }
        _ => None,
    }
}

/// Whose pods wait for a volume that the node keeps, if anybody's do.
fn kept_volumes(scenario: &Scenario) -> String {
    let mounts = scenario.workloads.iter().filter(|one| one.template.single_node_volume);
    let names: Vec<&str> = mounts.map(|one| one.name.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    let waits = seconds(FORCE_DETACH_AFTER.as_secs_f64());
    format!("; a volume that one node mounts ({}) stays with it for {waits} more", names.join(", "))
}

/// When the pods of a deleted node are replaced, at the soonest.
fn without_a_node(noticed: f64) -> String {
    let orphaned = orphans::QUARANTINE.as_secs_f64();
    format!(
        "out of reach: replacements are made {} after the loss at the soonest ({} until the node counts as \
         silent and its Node object is deleted, {} until the pod garbage collector believes it)",
        seconds(noticed + orphaned),
        seconds(noticed),
        seconds(orphaned),
    )
}

/// How long the quickest of the workloads' pods bears a silent node.
fn shortest_toleration(scenario: &Scenario) -> f64 {
    let of = |workload: &crate::scenario::Workload| {
        let mut seconds = workload.template.wishes.tolerations.iter().filter(|one| {
            (one.key == UNREACHABLE || one.key.is_empty())
                && one.effect.is_none_or(|effect| effect == TaintEffect::NoExecute)
        });
        seconds.next().map_or(DEFAULT_TOLERATION_SECONDS, |one| one.seconds.unwrap_or(i64::MAX))
    };
    scenario.workloads.iter().map(of).min().unwrap_or(DEFAULT_TOLERATION_SECONDS) as f64
}

/// What happened from the strike on, with times: of the first replication.
fn chain(run: &Observations) -> String {
    let Some(struck) = run.watch.strikes.first().and_then(|strike| strike.time) else {
        return "the drill did not strike".to_owned();
    };
    let mut told: Vec<String> = Vec::new();
    for (time, text) in told_together(run, struck).into_iter().take(MOMENTS) {
        told.push(format!("+{} {text}", seconds(time.since(struck).as_secs_f64())));
    }
    let rows = run.watch.rows.iter().filter(|row| row.time > struck);
    let failing: Vec<_> = rows.filter(|row| row.failed > 0).collect();
    if let (Some(first), Some(last)) = (failing.first(), failing.last()) {
        let failed: u64 = failing.iter().map(|row| row.failed).sum();
        told.push(format!(
            "requests fail from +{} to +{}: {failed} in all",
            seconds(first.time.since(struck).as_secs_f64()),
            seconds(last.time.since(struck).as_secs_f64()),
        ));
    }
    format!("in the first replication: {}", told.join("; "))
}

/// Moments from the strike on, in words; those of one instant that say the same
/// of several workloads in one.
fn told_together(run: &Observations, struck: SimTime) -> Vec<(SimTime, String)> {
    let mut together: Vec<(SimTime, Vec<&str>, &str)> = Vec::new();
    for moment in run.moments.iter().filter(|one| one.time >= struck) {
        if matches!(moment.kind, MomentKind::AtMaximum | MomentKind::DrillStruck) {
            continue;
        }
        let (who, what) = moment.text.split_once(": ").unwrap_or(("", &moment.text));
        match together.iter_mut().find(|(time, _, said)| *time == moment.time && *said == what) {
            Some((_, names, _)) if names.contains(&who) => {}
            Some((_, names, _)) => names.push(who),
            None => together.push((moment.time, vec![who], what)),
        }
    }
    let words = |names: &[&str], what: &str| {
        if names == [""] { what.to_owned() } else { format!("{}: {what}", names.join(", ")) }
    };
    together.into_iter().map(|(time, names, what)| (time, words(&names, what))).collect()
}
