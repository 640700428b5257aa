//! Nodes whose memory runs short: the kubelet evicts a pod at each look
//! (`k8s::eviction`), and the node takes no new ones.

use std::cmp::Ordering;

use crate::k8s::admission::priority::SYSTEM_CRITICAL;
use crate::k8s::eviction::{
    MEMORY_PRESSURE, MemoryUse, PRESSURE_TRANSITION, is_short_of_memory, memory_order,
};
use crate::k8s::placement::queue::Change;
use crate::k8s::placement::{Taint, TaintEffect};
use crate::observe::MomentKind;
use crate::units::{Bytes, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Pod, State};
use crate::world::{kubelet, scheduler, sidecars};

/// A kubelet has sampled its node. Its look for pressure rests on that sample, so it looks
/// whenever there is a new one. Where all pods follow curves and nothing has moved since
/// `before`, when it last looked, it finds what it found then.
pub fn looked(state: &mut State, cx: &mut Context, node: u32, before: SimTime) {
    let now = cx.now();
    let unmoved = state.only_usage && state.node_controller.stirred < before;
    if unmoved && state.nodes[node as usize].short_at.is_none() {
        return;
    }
    let pods = state.nodes[node as usize].pods.iter().filter_map(|&id| state.pod(id));
    let used = Bytes(pods.map(|pod| used_by(state, pod).0).fold(0, u64::saturating_add));
    let pool = &state.scenario.cluster.pools[state.nodes[node as usize].pool as usize];
    if is_short_of_memory(pool.memory, pool.reserved_memory, used) {
        cx.raise(Event::MemoryRanShort(node));
    } else if state.nodes[node as usize].short_at.is_some_and(|at| at + PRESSURE_TRANSITION <= now) {
        state.nodes[node as usize].short_at = None;
        set_taint(state, node, false);
        scheduler::notice(state, cx, Change::NodeBetter);
    }
}

/// The memory of a node is short: it is tainted, and one pod goes.
pub fn memory_ran_short(state: &mut State, cx: &mut Context, node: u32) {
    let now = cx.now();
    if state.nodes[node as usize].short_at.replace(now).is_none() {
        set_taint(state, node, true);
    }
    let Some(id) = first_to_go(state, node) else { return };
    let Some(workload) = state.pod(id).map(|pod| pod.workload as usize) else { return };
    let (name, of) = (&state.nodes[node as usize].name, &state.scenario.workloads[workload].name);
    let text = format!("node {name} is short of memory: a pod of {of} is evicted");
    cx.seen.moment(now, MomentKind::MemoryShort, Some(workload), text);
    kubelet::delete_now(state, cx, id);
}

/// The pod that is evicted first; critical ones never are.
fn first_to_go(state: &State, node: u32) -> Option<PodId> {
    let weighed = |id: &PodId| {
        let pod = state.pod(*id).filter(|pod| pod.runs() && !pod.deleting)?;
        let priority = state.spec(pod.workload).template.wishes.priority;
        let request = state.workloads[pod.workload as usize].memory_request;
        let weight = MemoryUse { usage: used_by(state, pod), request, priority };
        (priority < SYSTEM_CRITICAL).then_some((weight, *id))
    };
    let pods = state.nodes[node as usize].pods.iter().filter_map(weighed);
    // Where no rule tells them apart, the one that came first goes.
    pods.reduce(|first, other| match memory_order(&other.0, &first.0).0 {
        Ordering::Less => other,
        Ordering::Equal | Ordering::Greater => first,
    })
    .map(|(_, id)| id)
}

fn used_by(state: &State, pod: &Pod) -> Bytes {
    let behaviour = &state.spec(pod.workload).behaviour;
    let counts_users = behaviour.memory.per_user != Bytes::ZERO;
    let users = if counts_users { state.users_per_pod(pod.workload) } else { 0.0 };
    let beside = if pod.runs() { sidecars::memory(behaviour) } else { Bytes::ZERO };
    Bytes(pod.memory(behaviour, users).0.saturating_add(beside.0))
}

/// The node controller's taint for the condition. It counts at once, as the kubelet's own
/// refusal of new pods does.
fn set_taint(state: &mut State, node: u32, short: bool) {
    let Some(place) = state.nodes[node as usize].place else { return };
    state.scheduler.cluster.change_node(place, |shape| {
        shape.taints.retain(|taint| taint.key != MEMORY_PRESSURE);
        if short {
            let (key, effect) = (MEMORY_PRESSURE.to_owned(), TaintEffect::NoSchedule);
            shape.taints.push(Taint { key, value: String::new(), effect });
        }
    });
}
