//! Traps of connections: pools that together want more than their callee takes.

use super::{One, Subject};
use crate::input::problem::Problem;
use crate::input::rules;
use crate::scenario::Kind;
use crate::source::{Node, Place, Value};
use crate::units::figures::plural;

pub(super) fn all(subject: &Subject<'_>) -> Vec<Problem> {
    let ones: Vec<One<'_>> = subject.workloads().collect();
    ones.iter().filter_map(|callee| too_many(subject, callee, &ones)).collect()
}

/// What one caller wants at most.
struct Wanted<'a> {
    caller: &'a One<'a>,
    pods: u32,
    size: u32,
}

/// Connections that a callee is asked for at most, and has no place for.
fn too_many(subject: &Subject<'_>, callee: &One<'_>, ones: &[One<'_>]) -> Option<Problem> {
    let taken = callee.behaviour?.max_connections?;
    let pods = pods(subject, callee)?.0;
    let wanted: Vec<Wanted<'_>> = ones.iter().filter_map(|caller| wants(subject, caller, callee)).collect();
    let all: u64 = wanted.iter().map(|one| u64::from(one.pods) * u64::from(one.size)).sum();
    let room = u64::from(taken) * u64::from(pods);
    if all <= room {
        return None;
    }
    let most = wanted.iter().max_by_key(|one| u64::from(one.pods) * u64::from(one.size))?;
    let sums = wanted.iter().map(|one| {
        let pods = plural(u64::from(one.pods), "pod", "pods");
        format!("{} has at most {pods} with {} each", one.caller.who(), connections(one.size))
    });
    let message = format!(
        "{}: its callers may want {}, and its {} {}",
        callee.who(),
        connections(u32::try_from(all).unwrap_or(u32::MAX)),
        plural(u64::from(pods), "pod takes", "pods take"),
        if pods == 1 { taken.to_string() } else { format!("{taken} each, {room} in all") },
    );
    // What the largest may keep while the others stay as they are.
    let others = all - u64::from(most.pods) * u64::from(most.size);
    let size = room.saturating_sub(others) / u64::from(most.pods).max(1);
    let per_pod = all.div_ceil(u64::from(pods).max(1));
    let help = if size == 0 {
        format!("write `maxConnections: {per_pod}` if it takes so many, or put a pooler before it")
    } else {
        format!(
            "write `pool: {{size: {size}}}` for {}, or `maxConnections: {per_pod}` if it takes so many",
            most.caller.who()
        )
    };
    let why = sums.collect::<Vec<_>>().join("; ");
    let place = place(subject, callee, most.caller);
    Some(Problem::trap(&rules::CONNECTIONS, message).at(place).why(why).help(help))
}

fn connections(number: u32) -> String {
    plural(u64::from(number), "connection", "connections")
}

/// The fewest and most pods that a workload is meant to have; a DaemonSet's follow
/// from the nodes.
fn pods(subject: &Subject<'_>, one: &One<'_>) -> Option<(u32, u32)> {
    match one.workload.kind {
        Kind::DaemonSet => super::nodes::daemon_pods(subject, one).map(|pods| (pods, pods)),
        _ => Some((one.least, one.most)),
    }
}

fn wants<'a>(subject: &Subject<'_>, caller: &'a One<'a>, callee: &One<'_>) -> Option<Wanted<'a>> {
    let upstreams = &caller.behaviour?.upstreams;
    let pool = upstreams.iter().find(|one| one.workload == callee.index)?.pool.as_ref()?;
    Some(Wanted { caller, pods: pods(subject, caller)?.1, size: pool.size? })
}

/// Where the model says what the caller keeps, or else what the callee takes.
fn place(subject: &Subject<'_>, callee: &One<'_>, caller: &One<'_>) -> Place {
    let Some(model) = subject.model else { return callee.workload.place.clone() };
    let Some(workloads) = model.node().get("workloads") else { return model.place("workloads") };
    let entry = |node: &Node, one: &One<'_>| {
        let full = format!("{}/{}", one.workload.namespace, one.workload.name);
        let Value::Map(entries) = &node.value else { return None };
        let known = entries.iter().find(|entry| entry.key == full || entry.key == one.workload.name);
        known.map(|entry| entry.value.clone())
    };
    let kept = entry(workloads, caller)
        .and_then(|node| node.get("upstreams").and_then(|all| entry(all, callee)))
        .and_then(|node| node.at("pool.size").cloned());
    let taken = || entry(workloads, callee).and_then(|node| node.get("maxConnections").cloned());
    kept.or_else(taken).map_or_else(|| model.place("workloads"), |node| node.place())
}
