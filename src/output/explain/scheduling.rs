//! `plan explain scheduling`: one scheduling cycle with every filter's word and
//! every plugin's score.

use serde::Serialize;

use super::Page;
use crate::input::explain::SchedulingCase;
use crate::k8s::placement::schedule::NodeExplanation;
use crate::k8s::placement::{self, Explanation, NodeScore, Outcome, Reason, Refusal, ResourceName};
use crate::output::Number;
use crate::output::text::{Side, columns};
use crate::units::figures::{bytes, plural};

/// Nodes whose scores are shown plugin by plugin; the others get one line.
const SHOWN: usize = 3;

/// Decides a case. Between equals the first is taken; the scheduler takes one at
/// random.
pub fn explain(case: &SchedulingCase) -> Explanation {
    placement::explain(&case.pod, &case.cluster, 0, 0)
}

/// The page of a decision.
pub fn page(case: &SchedulingCase, explained: &Explanation, width: usize) -> String {
    let mut page = Page::new(width);
    page.item("", &headline(case, explained));
    let wants = &case.cluster.kind(case.pod.kind).demand.requests;
    let mut asks: Vec<String> = [ResourceName::Cpu, ResourceName::Memory, ResourceName::EphemeralStorage]
        .into_iter()
        .chain(wants.extended.keys().map(|name| ResourceName::Extended(name.clone())))
        .filter(|name| wants.of(name) > 0)
        .map(|name| format!("{} {name}", shown(&name, wants.of(&name))))
        .collect();
    if asks.is_empty() {
        asks.push("nothing".to_owned());
    }
    page.item("", &format!("It asks for {}.", asks.join(", ")));
    let refused: Vec<(&NodeExplanation, &Refusal)> =
        explained.nodes.iter().filter_map(|node| Some((node, node.refusal.as_ref()?))).collect();
    if !refused.is_empty() {
        page.heading(&format!("{} won't do", plural(refused.len() as u64, "node", "nodes")));
        for (node, refusal) in refused {
            let name = &case.cluster.node(node.node).shape.name;
            let reasons: Vec<String> = refusal.reasons.iter().map(reason).collect();
            let help = if refusal.resolvable { "" } else { "; removing pods wouldn't help" };
            page.item("  ", &format!("{name}: {} ({}){help}.", reasons.join("; "), refusal.filter));
        }
    }
    scores(&mut page, case, explained);
    if !case.notes.is_empty() {
        page.heading("What the files don't say");
        for note in &case.notes {
            page.item("  - ", note);
        }
    }
    page.finish()
}

/// Where it goes, or why nowhere, as the pod's event says it.
fn headline(case: &SchedulingCase, explained: &Explanation) -> String {
    let pod = format!("{}/{}", case.namespace, case.name);
    match &explained.decision.outcome {
        Outcome::Unschedulable(why) => format!("Pod {pod} stays Pending: {why}"),
        Outcome::Bound { node, candidates } => {
            let name = &case.cluster.node(*node).shape.name;
            let why = match (candidates.len(), equals(candidates)) {
                (1, _) => "the only node that would do".to_owned(),
                (all, 1) => format!("the best of {all} nodes that would do"),
                (all, equals) => {
                    format!("of {all} nodes that would do, {equals} are equally good: chance decides")
                }
            };
            format!("Pod {pod} goes to {name}: {why}.")
        }
    }
}

/// How many have the best score.
fn equals(candidates: &[NodeScore]) -> usize {
    let best = candidates.iter().map(|one| one.total).max();
    candidates.iter().filter(|one| Some(one.total) == best).count()
}

/// The nodes that would do, best first.
fn scores(page: &mut Page, case: &SchedulingCase, explained: &Explanation) {
    let mut scored: Vec<&NodeExplanation> =
        explained.nodes.iter().filter(|node| !node.scores.is_empty()).collect();
    // Stable: between equals the order in which they were looked at.
    scored.sort_by_key(|node| std::cmp::Reverse(node.total));
    for node in scored.iter().take(SHOWN) {
        let name = &case.cluster.node(node.node).shape.name;
        page.heading(&format!("{name} would do: {} points", node.total));
        let mut rows = vec![["  PLUGIN", "RAW", "OF 100", "WEIGHT", "POINTS"].map(str::to_owned).to_vec()];
        for one in &node.scores {
            let numbers = [one.raw, one.normalized, one.score.weight(), one.weighted];
            let name = format!("  {}", one.score);
            rows.push(std::iter::once(name).chain(numbers.map(|number| number.to_string())).collect());
        }
        let right = Side::Right;
        page.lines.extend(columns(&[Side::Left, right, right, right, right], &rows));
    }
    if scored.len() > SHOWN {
        page.heading("The others that would do");
        for node in &scored[SHOWN..] {
            page.item("  ", &format!("{}: {} points", case.cluster.node(node.node).shape.name, node.total));
        }
    }
}

/// A reason in upstream's words, with its amounts.
fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Insufficient { resource, requested, used, capacity } => format!(
            "{reason}: asks for {}, {} of {} taken",
            shown(resource, *requested),
            shown(resource, *used),
            shown(resource, *capacity)
        ),
        other => other.to_string(),
    }
}

fn shown(resource: &ResourceName, amount: u64) -> String {
    match resource {
        ResourceName::Cpu => format!("{amount}m"),
        ResourceName::Memory | ResourceName::EphemeralStorage => bytes(amount as f64),
        ResourceName::Extended(_) => amount.to_string(),
    }
}

/// What `-o json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    name: &'a str,
    namespace: &'a str,
    node: Option<&'a str>,
    because: String,
    nodes: Vec<NodeEntry<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeEntry<'a> {
    name: &'a str,
    feasible: bool,
    filter: Option<String>,
    resolvable: Option<bool>,
    reasons: Vec<ReasonEntry>,
    total: i64,
    scores: Vec<ScoreEntry>,
}

#[derive(Serialize)]
struct ReasonEntry {
    reason: String,
    #[serde(flatten)]
    amounts: Option<AmountEntry>,
}

#[derive(Serialize)]
struct AmountEntry {
    resource: String,
    requested: Number,
    used: Number,
    capacity: Number,
}

#[derive(Serialize)]
struct ScoreEntry {
    plugin: String,
    raw: i64,
    normalized: i64,
    weight: i64,
    weighted: i64,
}

/// The decision as data: CPU in cores, memory in bytes.
pub fn document<'a>(case: &'a SchedulingCase, explained: &Explanation) -> Document<'a> {
    let node = match &explained.decision.outcome {
        Outcome::Bound { node, .. } => Some(case.cluster.node(*node).shape.name.as_str()),
        Outcome::Unschedulable(_) => None,
    };
    Document {
        api_version: "plan/v1alpha1",
        kind: "SchedulingExplanation",
        name: &case.name,
        namespace: &case.namespace,
        node,
        because: headline(case, explained),
        nodes: explained.nodes.iter().map(|node| node_entry(case, node)).collect(),
        notes: &case.notes,
    }
}

fn node_entry<'a>(case: &'a SchedulingCase, node: &NodeExplanation) -> NodeEntry<'a> {
    let refusal = node.refusal.as_ref();
    let scores = node.scores.iter().map(|one| ScoreEntry {
        plugin: one.score.to_string(),
        raw: one.raw,
        normalized: one.normalized,
        weight: one.score.weight(),
        weighted: one.weighted,
    });
    NodeEntry {
        name: &case.cluster.node(node.node).shape.name,
        feasible: refusal.is_none(),
        filter: refusal.map(|refusal| refusal.filter.to_string()),
        resolvable: refusal.map(|refusal| refusal.resolvable),
        reasons: refusal.map_or_else(Vec::new, |refusal| refusal.reasons.iter().map(reason_entry).collect()),
        total: node.total,
        scores: scores.collect(),
    }
}

fn reason_entry(reason: &Reason) -> ReasonEntry {
    let amounts = match reason {
        Reason::Insufficient { resource, requested, used, capacity } => {
            let unit = if *resource == ResourceName::Cpu { 1e-3 } else { 1.0 };
            let number = |amount: &u64| Number(*amount as f64 * unit);
            Some(AmountEntry {
                resource: resource.to_string(),
                requested: number(requested),
                used: number(used),
                capacity: number(capacity),
            })
        }
        _ => None,
    };
    ReasonEntry { reason: reason.to_string(), amounts }
}
