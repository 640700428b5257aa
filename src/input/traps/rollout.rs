//! Traps of rolling out and scaling.

use super::{One, Subject};
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::rollout::Strategy;
use crate::scenario::{Indicator, Kind};
use crate::units::figures::{plural, seconds};

pub(super) fn of(subject: &Subject<'_>, one: &One<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(outage(subject, one));
    found.extend(deadline(one));
    found.extend(ordered(one));
    found
}

/// The first objective that an outage breaks.
fn promised<'a>(subject: &Subject<'a>) -> Option<&'a str> {
    let breaks = |indicator| {
        matches!(
            indicator,
            Indicator::Availability | Indicator::AvailabilityPerYear | Indicator::FailedRequests
        )
    };
    let objectives = &subject.goals?.objectives;
    objectives.iter().find(|one| breaks(one.indicator)).map(|one| one.name.as_str())
}

fn outage(subject: &Subject<'_>, one: &One<'_>) -> Option<Problem> {
    let Kind::Deployment { strategy, .. } = one.workload.kind else { return None };
    let promised = promised(subject);
    let pods = i64::from(one.least);
    let (path, what) = match strategy {
        // Recreate says that it means it; a policy may say the opposite.
        Strategy::Recreate if promised.is_some() => ("spec.strategy.type", "Recreate".to_owned()),
        Strategy::RollingUpdate { max_unavailable, .. }
            if pods > 0 && max_unavailable.of_rounded_down(pods) >= pods =>
        {
            let of = plural(u64::from(one.least), "pod", "pods");
            ("spec.strategy.rollingUpdate.maxUnavailable", format!("maxUnavailable is all of {of}"))
        }
        Strategy::Recreate | Strategy::RollingUpdate { .. } => return None,
    };
    if one.services.is_empty() {
        return None;
    }
    let message = format!("{}: a rollout takes all its pods down at once ({what})", one.who());
    let mut problem = Problem::trap(&rules::ROLLOUT_OUTAGE, message).at(one.place(path));
    let against = promised.map_or_else(String::new, |name| format!(", against objective `{name}`"));
    if let Some((usual, _)) = one.start_up() {
        let why = format!("nobody answers for the {} of a start and more{against}", seconds(usual));
        problem = problem.why(why);
    } else if promised.is_some() {
        problem = problem.why(format!(
            "from the last old pod's end to the first new one's readiness nobody answers{against}"
        ));
    }
    if one.workload.template.single_node_volume {
        let help = "two pods must not share its volume, so it can't be otherwise with one replica: run replicas \
                    with volumes of their own, or roll it out in a window and leave it out of the promise";
        return Some(problem.help(help).as_bad_as(Severity::Note));
    }
    Some(problem.help("`strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}`"))
}

fn deadline(one: &One<'_>) -> Option<Problem> {
    let Kind::Deployment { progress_deadline, .. } = one.workload.kind else { return None };
    let (usual, _) = one.start_up()?;
    let container = one.workload.template.containers.first()?;
    let delay = container.readiness.as_ref().map_or(0.0, |probe| probe.initial_delay.as_secs_f64());
    let needs = usual.max(delay) + one.workload.min_ready.as_secs_f64();
    let given = progress_deadline.as_secs_f64();
    if needs <= given {
        return None;
    }
    let message = format!(
        "{}: a pod needs {} to be available, the deadline is {}",
        one.who(),
        seconds(needs),
        seconds(given)
    );
    let help = format!("say `progressDeadlineSeconds: {}` or more", (3.0 * needs).ceil().max(600.0));
    let place = one.place("spec.progressDeadlineSeconds");
    Some(Problem::trap(&rules::PROGRESS_DEADLINE, message).at(place).help(help))
}

fn ordered(one: &One<'_>) -> Option<Problem> {
    let Kind::StatefulSet { parallel: false, .. } = one.workload.kind else { return None };
    if one.most < 2 {
        return None;
    }
    let message = format!(
        "{} starts its {} one after the other (OrderedReady)",
        one.who(),
        plural(u64::from(one.most), "pod", "pods")
    );
    let mut problem = Problem::trap(&rules::ORDERED_START, message).at(one.place("spec.podManagementPolicy"));
    if let Some((usual, _)) = one.start_up() {
        let all = usual * f64::from(one.most);
        problem = problem
            .why(format!("from nothing it takes {} of start-up alone until all are there", seconds(all)));
    }
    Some(problem.help("`podManagementPolicy: Parallel` where the software can start in any order"))
}
