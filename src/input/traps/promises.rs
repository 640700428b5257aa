//! Objectives that can't be kept whatever the load.

use super::{One, Subject};
use crate::input::problem::Problem;
use crate::input::rules;
use crate::k8s::node_lifecycle::{self, DEFAULT_TOLERATION_SECONDS, Stay, UNREACHABLE};
use crate::k8s::placement::{Taint, TaintEffect};
use crate::scenario::{Comparison, Indicator, Kind, Objective, Scope};
use crate::source::{Node, Place};
use crate::units::figures::seconds;

/// From the node's being Unknown to its taint (behaviour of the default settings).
const TAINT: f64 = 5.0;
/// How far heartbeats are apart, which a node's last one may be old already.
const HEARTBEAT: f64 = 10.0;

pub(super) fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let Some(goals) = subject.goals else { return Vec::new() };
    goals.objectives.iter().enumerate().filter_map(|(index, one)| node_loss(subject, index, one)).collect()
}

/// A promise of recovery on which the loss of a node is counted.
fn node_loss(subject: &Subject<'_>, index: usize, objective: &Objective) -> Option<Problem> {
    let recovery = matches!(objective.indicator, Indicator::UsersRecovered | Indicator::CapacityRestored);
    let counted = match &objective.scope {
        Scope::Drill(name) => name == "*" || name.contains("node"),
        Scope::All => true,
        Scope::Workload(_) | Scope::Journey(_) => false,
    };
    if !recovery || !counted || objective.comparison != Comparison::AtMost {
        return None;
    }
    let grace = subject.version.rules().node_monitor_grace_period.as_secs_f64();
    let (soonest, latest) = (grace - HEARTBEAT, grace + HEARTBEAT);
    let worst = single_pods(subject).max_by(|(_, one), (_, other)| one.total_cmp(other));
    let lasting = worst.as_ref().map(|(_, stays)| soonest + TAINT + stays);
    if objective.goal >= soonest && lasting.is_none_or(|lasting| objective.goal >= lasting) {
        return None;
    }
    let goal = seconds(objective.goal);
    let message = format!("objective `{}` of {goal} can't be kept when a node dies", objective.name);
    let mut why = format!(
        "Kubernetes {} notices a dead node after {} to {}; until then requests go to its pods",
        subject.version,
        seconds(soonest),
        seconds(latest)
    );
    let mut help =
        "leave node loss out of this objective, or promise more than a minute; replicas on several \
                    nodes, and callers that try again, keep most requests alive meanwhile"
            .to_owned();
    if let Some((who, stays)) = worst {
        let (gone, instead) = if stays.is_finite() {
            let gone =
                format!("replaced {} after the loss at the earliest", seconds(soonest + TAINT + stays));
            (gone, "give it a second replica, or tolerationSeconds of 30 for not-ready and unreachable")
        } else {
            let gone = "not replaced until somebody deletes the node or the pod".to_owned();
            (gone, "give it a second replica that can take over")
        };
        why = format!("{why}. {who} has one pod; if that is on the node, it is {gone}");
        help = format!("{help}. As to {who}: {instead}");
    }
    Some(Problem::trap(&rules::NODE_LOSS, message).at(place(subject, index, objective)).why(why).help(help))
}

/// Workloads behind a Service with one pod, and for how many seconds that stays on
/// a dead node.
fn single_pods<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = (String, f64)> + use<'a> {
    let single =
        |one: &One<'_>| one.most == 1 && !one.services.is_empty() && one.workload.kind != Kind::DaemonSet;
    subject.workloads().filter(single).map(|one| (one.who(), stays(&one)))
}

fn stays(one: &One<'_>) -> f64 {
    // A StatefulSet doesn't replace a pod that nobody has seen end.
    if matches!(one.workload.kind, Kind::StatefulSet { .. } | Kind::Pod) {
        return f64::INFINITY;
    }
    let mut tolerations = one.workload.template.wishes.tolerations.clone();
    node_lifecycle::add_default_tolerations(&mut tolerations, DEFAULT_TOLERATION_SECONDS);
    let taint = Taint { key: UNREACHABLE.to_owned(), value: String::new(), effect: TaintEffect::NoExecute };
    match node_lifecycle::stay(&[taint], &tolerations) {
        Stay::Forever => f64::INFINITY,
        Stay::For(time) => time.as_secs_f64(),
    }
}

/// Where the policy says so.
fn place(subject: &Subject<'_>, index: usize, objective: &Objective) -> Place {
    let Some(policy) = subject.policy else { return Place::default() };
    let listed = policy.node().get("objectives").map(Node::items).unwrap_or_default();
    let named = |node: &Node| node.get("name").and_then(Node::as_str) == Some(&objective.name);
    let index = listed.iter().position(named).unwrap_or(index);
    policy.place(&format!("objectives[{index}]"))
}
