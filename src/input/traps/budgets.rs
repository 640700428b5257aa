//! Traps of disruption budgets.

use super::{One, Subject};
use crate::input::problem::{Problem, Severity};
use crate::input::rules;
use crate::k8s::disruption::{self, Budget, Matched, Unmanaged};
use crate::k8s::rollout::IntOrPercent;
use crate::scenario::{DisruptionBudget, Kind};
use crate::source::Place;
use crate::units::SimTime;
use crate::units::figures::plural;

pub(super) fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let workloads: Vec<One<'_>> = subject.workloads().collect();
    let mut found = Vec::new();
    for budget in &subject.set.budgets {
        let guarded: Vec<&One<'_>> = workloads.iter().filter(|one| guards(budget, one)).collect();
        if guarded.is_empty() {
            found.push(nothing(subject, budget));
        } else {
            found.extend(blocks(subject, budget, &guarded));
        }
    }
    found.extend(workloads.iter().filter_map(|one| twice(subject, one)));
    found
}

fn guards(budget: &DisruptionBudget, one: &One<'_>) -> bool {
    budget.guards(&one.workload.namespace, &one.workload.template.labels)
}

fn place(subject: &Subject<'_>, budget: &DisruptionBudget, path: &str) -> Place {
    let tree = subject.trees.find("PodDisruptionBudget", &budget.namespace, &budget.name);
    tree.map(|tree| tree.place(path)).unwrap_or_default()
}

fn nothing(subject: &Subject<'_>, budget: &DisruptionBudget) -> Problem {
    let message = format!("PodDisruptionBudget `{}` selects no pods of what was given", budget.name);
    let problem = Problem::trap(&rules::PDB_NOTHING, message).at(place(subject, budget, "spec.selector"));
    let names: Vec<&str> = subject
        .set
        .workloads
        .iter()
        .filter(|one| one.namespace == budget.namespace && one.name == budget.name)
        .map(|one| one.name.as_str())
        .collect();
    let labels = "give the labels of the pods' template, in the namespace of the pods";
    let help = names.first().map_or_else(|| labels.to_owned(), |name| format!("{labels}: those of `{name}`"));
    maybe_custom(subject, problem.help(help))
}

/// Milder where an operator may make the pods.
pub(super) fn maybe_custom(subject: &Subject<'_>, problem: Problem) -> Problem {
    if !subject.trees.has_custom_resources() {
        return problem;
    }
    let why =
        "none of the workloads given has such pods; it is fine if a custom resource's operator makes them";
    problem.why(why).as_bad_as(Severity::Note)
}

/// How many evictions a budget allows when the workloads have so many pods, all of
/// them ready.
fn allowed(budget: &DisruptionBudget, guarded: &[&One<'_>], pods: impl Fn(&One<'_>) -> u32) -> u32 {
    let matched = guarded.iter().flat_map(|one| {
        let controller = (one.workload.kind != Kind::Pod).then_some(one.index);
        let pod = Matched { ready: true, deleting: false, disrupted: None, controller };
        std::iter::repeat_n(pod, pods(one) as usize)
    });
    let matched: Vec<Matched<usize>> = matched.collect();
    let scale = |index: usize| guarded.iter().find(|one| one.index == index).map(|one| pods(one));
    let standing = disruption::standing(budget.budget, &matched, scale, Unmanaged::LeftOut, SimTime::ZERO);
    standing.map_or(0, |standing| standing.disruptions_allowed)
}

fn blocks(subject: &Subject<'_>, budget: &DisruptionBudget, guarded: &[&One<'_>]) -> Option<Problem> {
    // A drain leaves the pods of DaemonSets alone.
    if guarded.iter().any(|one| one.workload.kind == Kind::DaemonSet) {
        return None;
    }
    let least: u32 = guarded.iter().map(|one| one.least).sum();
    let most: u32 = guarded.iter().map(|one| one.most).sum();
    if least == 0 {
        return None;
    }
    let who: Vec<String> = guarded.iter().map(|one| one.who()).collect();
    let who = who.join(", ");
    let (field, value) = match budget.budget {
        Budget::MinAvailable(value) => ("minAvailable", value),
        Budget::MaxUnavailable(value) => ("maxUnavailable", value),
    };
    let written = match value {
        IntOrPercent::Int(number) => number.to_string(),
        IntOrPercent::Percent(number) => format!("{number}%"),
    };
    let place = place(subject, budget, &format!("spec.{field}"));
    let pods = plural(u64::from(least), "pod", "pods");
    if allowed(budget, guarded, |one| one.least) > 0 {
        let message = format!("PodDisruptionBudget `{}` guards the only pod of {who}", budget.name);
        let help = "run at least 2 replicas with `maxUnavailable: 1`";
        return (most == 1).then(|| Problem::trap(&rules::PDB_SINGLE, message).at(place).help(help));
    }
    let message = format!(
        "PodDisruptionBudget `{}` allows no eviction of {who}: {field} {written} of {pods}",
        budget.name
    );
    let at_most = allowed(budget, guarded, |one| one.most);
    let problem = Problem::trap(&rules::PDB_BLOCKS, message).at(place);
    let help = if most == 1 {
        "run at least 2 replicas and say `maxUnavailable: 1`; with one, drop the budget and bear the gap"
    } else {
        "say `maxUnavailable: 1`, which follows the number of replicas"
    };
    let problem = problem.help(help);
    if at_most == 0 {
        return Some(problem);
    }
    let why = format!(
        "at the HPA's minimum of {least} no node with such a pod can be drained; at {most} pods \
                       {at_most} may go"
    );
    Some(problem.why(why).as_bad_as(Severity::Warning))
}

fn twice(subject: &Subject<'_>, one: &One<'_>) -> Option<Problem> {
    let all: Vec<&DisruptionBudget> =
        subject.set.budgets.iter().filter(|budget| guards(budget, one)).collect();
    let [first, .., last] = all.as_slice() else { return None };
    let message =
        format!("PodDisruptionBudgets `{}` and `{}` both guard {}", first.name, last.name, one.who());
    let help = "keep one of them, or narrow a selector";
    Some(Problem::trap(&rules::PDB_TWICE, message).at(place(subject, last, "spec.selector")).help(help))
}
