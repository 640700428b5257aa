//! The node lifecycle controller: heartbeats that stay away, taints, evictions
//! (`k8s::node_lifecycle`).
//!
//! Living nodes' heartbeats are not events: passes are simulated only while
//! some node is not well, and a living node counts as heard of at each.

use std::collections::VecDeque;

use crate::k8s::node_lifecycle::{
    Checked, DEFAULT_TOLERATION_SECONDS, NOT_READY, Ready, Settings, Stay, TaintStep, UNREACHABLE, ZoneNodes,
    add_default_tolerations, check, evicted_at, stay, zone_pass,
};
use crate::k8s::placement::queue::Change;
use crate::k8s::placement::{Taint, TaintEffect};
use crate::k8s::token_bucket::TokenBucket;
use crate::observe::MomentKind;
use crate::scenario::Kind;
use crate::sim::random::draw;
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Machine, NodeLife, State, TaintQueue};
use crate::world::{kubelet, scheduler};

/// The kubelet renews its lease so often.
const LEASE_RENEWAL: SimDuration = SimDuration::from_secs(10);

/// The cloud's controller looks at nodes that aren't ready so often
/// (`--node-monitor-period` of the cloud controller manager, behaviour.md E).
const CLOUD_PERIOD: u64 = 5_000_000_000;

fn settings(state: &State) -> Settings {
    Settings { grace_period: state.rules.node_monitor_grace_period, ..Settings::default() }
}

/// The first pass at or after `time`; passes have a phase of their own.
fn pass_after(cx: &Context, time: SimTime, period: SimDuration) -> SimTime {
    let phase = draw(cx.seed.key("node monitor"), 0) % period.as_nanos();
    let since = time.as_nanos().saturating_sub(phase);
    SimTime::from_nanos(phase + since.div_ceil(period.as_nanos()) * period.as_nanos())
}

/// Passes are needed from now on.
pub fn watch(state: &mut State, cx: &mut Context) {
    if state.node_controller.due {
        return;
    }
    state.node_controller.due = true;
    let period = Settings::default().monitor_period;
    let next = pass_after(cx, cx.now() + SimDuration::from_nanos(1), period);
    cx.agenda.at(next, Event::NodesMonitored);
}

/// A node's kubelet has fallen silent: its last heartbeat is the last lease it
/// renewed, as the controller saw it.
pub fn silenced(state: &mut State, cx: &mut Context, node: u32) {
    let now = cx.now();
    let phase = draw(cx.seed.key("node leases"), u64::from(node)) % LEASE_RENEWAL.as_nanos();
    let since = now.as_nanos().saturating_sub(phase) / LEASE_RENEWAL.as_nanos();
    let renewed = SimTime::from_nanos(phase + since * LEASE_RENEWAL.as_nanos());
    let seen = pass_after(cx, renewed.min(now), Settings::default().monitor_period);
    // A renewal that no pass has seen before the power went still is seen later.
    state.nodes[node as usize].heartbeat.seen = seen;
    watch(state, cx);
}

/// One pass over all nodes.
pub fn monitored(state: &mut State, cx: &mut Context) {
    state.node_controller.due = false;
    let settings = settings(state);
    let mut all_well = true;
    for node in 0..state.nodes.len() {
        if matches!(state.nodes[node].life, NodeLife::Ready | NodeLife::Dead) {
            all_well &= pass_over(state, cx, node, &settings);
        }
    }
    pass_over_zones(state, cx, &settings);
    if !all_well {
        watch(state, cx);
    }
}

/// The pass over one node; whether it is well.
fn pass_over(state: &mut State, cx: &mut Context, number: usize, settings: &Settings) -> bool {
    let now = cx.now();
    let node = &mut state.nodes[number];
    if node.life == NodeLife::Ready {
        node.heartbeat.seen = now;
        node.heartbeat.ready = if node.reports_ready { Ready::True } else { Ready::False };
    }
    let checked = check(&node.heartbeat, node.tainted, settings, now);
    let became_unknown = checked.ready == Ready::Unknown && node.heartbeat.ready != Ready::Unknown;
    node.heartbeat.ready = checked.ready;
    if became_unknown {
        let text = format!("node {} has not been heard of: its pods leave their Services", node.name);
        cx.seen.moment(now, MomentKind::NodeSilent, None, text);
        if node.machine == Machine::Gone {
            ask_cloud(cx, number as u32);
        }
    }
    act_on(state, cx, number, checked);
    let node = &state.nodes[number];
    node.life == NodeLife::Ready && node.reports_ready && node.tainted.is_none()
}

/// A silent node's machine is gone, which the cloud's controller finds at its next look.
pub fn ask_cloud(cx: &mut Context, node: u32) {
    let looks = SimDuration::from_nanos(1 + draw(cx.seed.key("cloud"), u64::from(node)) % CLOUD_PERIOD);
    cx.agenda.after(looks, Event::MachineMissed(node));
}

/// Does what a pass found about a node.
fn act_on(state: &mut State, cx: &mut Context, number: usize, checked: Checked) {
    if checked.marks_pods_unready {
        for id in state.nodes[number].pods.clone() {
            kubelet::set_ready(state, cx, id, false);
        }
    }
    cordon_silent(state, cx, number, checked.ready);
    let zone = state.nodes[number].zone as usize;
    match checked.taint {
        TaintStep::QueueNotReady | TaintStep::QueueUnreachable => {
            let queue = &mut state.node_controller.queues[zone];
            if state.nodes[number].tainted.is_none() && !queue.nodes.contains(&(number as u32)) {
                queue.nodes.push_back(number as u32);
                hand_out_when_due(state, cx, zone);
            }
        }
        TaintStep::SwapToNotReady => taint(state, cx, number, Ready::False),
        TaintStep::SwapToUnreachable => taint(state, cx, number, Ready::Unknown),
        TaintStep::Remove => {
            state.node_controller.queues[zone].nodes.retain(|node| *node as usize != number);
            remove_taint(state, cx, number);
        }
    }
}

/// The scheduler's NoSchedule twin of the condition, which comes at once.
fn cordon_silent(state: &mut State, cx: &mut Context, number: usize, ready: Ready) {
    let Some(place) = state.nodes[number].place else { return };
    let has = state.scheduler.cluster.node(place).shape.taints.iter().any(is_ours);
    if (ready != Ready::True) == has {
        return;
    }
    let key = if ready == Ready::False { NOT_READY } else { UNREACHABLE };
    state.scheduler.cluster.change_node(place, |shape| {
        shape.taints.retain(|taint| !is_ours(taint));
        if ready != Ready::True {
            let taint = Taint { key: key.to_owned(), value: String::new(), effect: TaintEffect::NoSchedule };
            shape.taints.push(taint);
        }
    });
    if ready == Ready::True {
        scheduler::notice(state, cx, Change::NodeBetter);
    }
}

fn is_ours(taint: &Taint) -> bool {
    taint.effect == TaintEffect::NoSchedule && (taint.key == NOT_READY || taint.key == UNREACHABLE)
}

/// How much of each zone is down, and what that does to the queues.
fn pass_over_zones(state: &mut State, cx: &mut Context, settings: &Settings) {
    let now = cx.now();
    let mut zones = vec![ZoneNodes::default(); state.node_controller.zones.len()];
    for node in state.nodes.iter().filter(|node| matches!(node.life, NodeLife::Ready | NodeLife::Dead)) {
        let zone = &mut zones[node.zone as usize];
        let ready = node.heartbeat.ready == Ready::True;
        (zone.ready, zone.unready) = (zone.ready + u32::from(ready), zone.unready + u32::from(!ready));
    }
    let pass = zone_pass(&state.node_controller.states, &zones, settings);
    state.node_controller.states = pass.states;
    for (zone, rate) in pass.rates.iter().enumerate() {
        if let Some(rate) = rate {
            state.node_controller.queues[zone].limit.swap(*rate, now);
            hand_out_when_due(state, cx, zone);
        }
    }
    if pass.removes_taints {
        for node in 0..state.nodes.len() {
            remove_taint(state, cx, node);
        }
    }
    if pass.resets_heartbeats {
        for node in &mut state.nodes {
            node.heartbeat.seen = now;
        }
    }
}

/// Puts the moment in at which a zone's queue gives its next node out.
fn hand_out_when_due(state: &mut State, cx: &mut Context, zone: usize) {
    let now = cx.now();
    let queue = &mut state.node_controller.queues[zone];
    let next = queue.limit.next_at(now);
    if !queue.due && !queue.nodes.is_empty() && next != SimTime::NEVER {
        queue.due = true;
        let at = next.max(now + Settings::default().queue_period);
        cx.agenda.at(at, Event::TaintsHandedOut(zone as u32));
    }
}

/// A zone's queue gives its next node out: it gets its NoExecute taint.
pub fn taints_handed_out(state: &mut State, cx: &mut Context, zone: usize) {
    let now = cx.now();
    state.node_controller.queues[zone].due = false;
    if state.node_controller.queues[zone].limit.try_take(now)
        && let Some(node) = state.node_controller.queues[zone].nodes.pop_front()
    {
        let ready = state.nodes[node as usize].heartbeat.ready;
        if ready != Ready::True && state.nodes[node as usize].life != NodeLife::Gone {
            taint(state, cx, node as usize, ready);
        }
    }
    hand_out_when_due(state, cx, zone);
}

/// A node gets its NoExecute taint: its pods go when they bear it no longer.
fn taint(state: &mut State, cx: &mut Context, number: usize, ready: Ready) {
    let now = cx.now();
    let key = if ready == Ready::False { NOT_READY } else { UNREACHABLE };
    state.nodes[number].tainted = Some(ready);
    let taint = Taint { key: key.to_owned(), value: String::new(), effect: TaintEffect::NoExecute };
    for id in state.nodes[number].pods.clone() {
        plan_eviction(state, cx, id, &taint, now);
    }
    let text = format!("node {} is tainted {key}:NoExecute", state.nodes[number].name);
    cx.seen.moment(now, MomentKind::NodeTainted, None, text);
}

/// When a pod leaves its tainted node.
fn plan_eviction(state: &mut State, cx: &mut Context, id: PodId, taint: &Taint, now: SimTime) {
    let Some(pod) = state.pod(id) else { return };
    let spec = state.spec(pod.workload);
    let mut tolerations = spec.template.wishes.tolerations.clone();
    add_default_tolerations(&mut tolerations, DEFAULT_TOLERATION_SECONDS);
    let stays: Stay = stay(std::slice::from_ref(taint), &tolerations);
    let at = evicted_at(pod.evicted_at, stays, now);
    if let Some(pod) = state.pod_mut(id) {
        pod.evicted_at = at;
    }
    if let Some(at) = at {
        cx.agenda.at(at, Event::TolerationEnded(id));
    }
}

/// A pod's time on its tainted node is over, unless the taint has gone.
pub fn toleration_ended(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    if pod.deleting || pod.evicted_at.is_none_or(|at| at > now) {
        return;
    }
    let workload = pod.workload as usize;
    let silent = state.node_is_dead(pod.node);
    let what = match state.scenario.workloads[workload].kind {
        Kind::StatefulSet { .. } if silent => {
            "deleted from its silent node, which can't confirm it: the StatefulSet makes no other until the node \
             or its object is gone"
        }
        Kind::Pod => "deleted from its node; nobody replaces it",
        _ => "deleted from its node and replaced",
    };
    let text = format!("{}: a pod is {what}", state.scenario.workloads[workload].name);
    cx.seen.moment(now, MomentKind::Evicted, Some(workload), text);
    kubelet::delete(state, cx, id);
}

/// A node loses its NoExecute taint; planned evictions are off.
fn remove_taint(state: &mut State, cx: &mut Context, number: usize) {
    if state.nodes[number].tainted.take().is_none() {
        return;
    }
    for id in state.nodes[number].pods.clone() {
        if let Some(pod) = state.pod_mut(id) {
            pod.evicted_at = None;
        }
    }
    let text = format!("node {} is back: its taint is removed", state.nodes[number].name);
    cx.seen.moment(cx.now(), MomentKind::NodeBack, None, text);
}

/// The number of a zone by its name; a new one gets its queue.
pub fn zone_number(state: &mut State, name: &str) -> u32 {
    let controller = &mut state.node_controller;
    if let Some(known) = controller.zones.iter().position(|zone| zone == name) {
        return known as u32;
    }
    controller.zones.push(name.to_owned());
    let limit = TokenBucket::new(Settings::default().eviction_rate, 1);
    controller.queues.push(TaintQueue { limit, nodes: VecDeque::new(), due: false });
    controller.zones.len() as u32 - 1
}
