//! kube-scheduler: binds waiting pods, one per cycle.

use crate::k8s::placement::preemption::{Preemption, preempt};
use crate::k8s::placement::queue::Change;
use crate::k8s::placement::{BoundPod, Outcome, PodView, Unschedulable, schedule};
use crate::observe::MomentKind;
use crate::scenario::ProvisionedBy;
use crate::units::figures::plural;
use crate::units::{SimDuration, SimTime};
use crate::world::budgets;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Pod, State};

/// One scheduling cycle: some hundred pods a second (behaviour.md G.2).
const CYCLE: SimDuration = SimDuration::from_millis(5);

/// A pod waits for a node.
pub fn enqueue(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    let (uid, workload) = (pod.uid, pod.workload);
    let priority = state.spec(workload).template.wishes.priority;
    state.scheduler.waiting.insert(uid, id);
    state.scheduler.queue.add(uid as usize, priority, now);
    wake(state, cx);
}

/// Puts the next cycle in if somebody waits and none is due as soon: one that is due when
/// a pod that fits nowhere is looked at again, minutes later, holds nobody else up.
pub fn wake(state: &mut State, cx: &mut Context) {
    let now = cx.now();
    let queue = &mut state.scheduler.queue;
    queue.wake(now);
    let next = if queue.has_active() { Some(now + CYCLE) } else { queue.next_wake() };
    if let Some(next) = next.map(|next| next.max(now)).filter(|next| *next < state.scheduler.due) {
        state.scheduler.due = next;
        cx.agenda.at(next, Event::SchedulerRan);
    }
}

/// Something may make room for a waiting pod.
pub fn notice(state: &mut State, cx: &mut Context, change: Change) {
    state.scheduler.queue.notice(change);
    wake(state, cx);
}

/// One cycle.
pub fn ran(state: &mut State, cx: &mut Context) {
    if cx.now() < state.scheduler.due {
        // An earlier one took its place.
        return;
    }
    state.scheduler.due = SimTime::NEVER;
    state.scheduler.queue.wake(cx.now());
    if let Some(uid) = state.scheduler.queue.pop()
        && let Some(&id) = state.scheduler.waiting.get(&(uid as u32))
    {
        try_to_place(state, cx, id);
    }
    wake(state, cx);
}

/// Finds a node for a pod, or puts it back.
fn try_to_place(state: &mut State, cx: &mut Context, id: PodId) {
    match decide(state, cx, id) {
        Some(Outcome::Bound { node, .. }) => {
            bind(state, cx, id, node);
            cx.raise(Event::PodBound(id));
        }
        Some(Outcome::Unschedulable(why)) => {
            push_others_off(state, cx, id, &why);
            put_back(state, cx, id, &why);
        }
        None => {}
    }
}

/// Preemption: pods of lower priority go where that makes room.
fn push_others_off(state: &mut State, cx: &mut Context, id: PodId, why: &Unschedulable) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    let workload = pod.workload;
    let priority = state.spec(workload).template.wishes.priority;
    if !state.scenario.workloads.iter().any(|other| other.template.wishes.priority < priority) {
        return;
    }
    let view = view_of(state, pod);
    let budgets = budgets::guarded(state, now);
    let offset = cx.streams.ties.below(1 << 32) as usize;
    let Preemption::Nominated { victims, demoted } =
        preempt(&view, &state.scheduler.cluster, why, &budgets, offset)
    else {
        return;
    };
    for other in demoted {
        state.scheduler.cluster.forget_nomination(other);
        if let Some(&other) = state.scheduler.waiting.get(&(other as u32))
            && let Some(other) = state.pod_mut(other)
        {
            other.nominated = None;
        }
    }
    state.scheduler.cluster.nominate(&view, victims.node);
    if let Some(pod) = state.pod_mut(id) {
        pod.nominated = Some(victims.node);
    }
    let names = &state.scenario.workloads;
    let text = format!(
        "{}: pushes {} off a node",
        names[workload as usize].name,
        plural(victims.pods.len() as u64, "pod", "pods")
    );
    cx.seen.moment(now, MomentKind::Preempted, Some(workload as usize), text);
    for victim in victims.pods {
        state.scheduler.cluster.terminate_pod(victim, true);
        cx.raise(Event::PodPreempted(victim as u32));
    }
}

/// A pod for the scheduler.
fn view_of(state: &State, pod: &Pod) -> PodView {
    let kind = state.workloads[pod.workload as usize].kind;
    let only_node = state.made_for(pod.workload, pod.ordinal);
    PodView { id: pod.uid as usize, kind, only_node, nominated: pod.nominated }
}

/// Gives a pod of the first moment its node; whether there is one.
pub fn place_now(state: &mut State, cx: &mut Context, id: PodId) -> bool {
    let Some(Outcome::Bound { node, .. }) = decide(state, cx, id) else { return false };
    bind(state, cx, id, node);
    true
}

/// The scheduler's decision about a pod.
fn decide(state: &mut State, cx: &mut Context, id: PodId) -> Option<Outcome> {
    let pod = state.pod(id)?;
    let view = view_of(state, pod);
    let tie = cx.streams.ties.bits();
    let decision = schedule(&view, &state.scheduler.cluster, state.scheduler.scan_start, tie);
    state.scheduler.scan_start = decision.next_start;
    Some(decision.outcome)
}

/// The pod gets its node.
fn bind(state: &mut State, cx: &mut Context, id: PodId, place: usize) {
    let now = cx.now();
    let Some(node) = state.node_at(place) else { return };
    let Some(pod) = state.pod_mut(id) else { return };
    (pod.node, pod.bound) = (Some(node), now);
    pod.nominated = None;
    let waited = pod.unschedulable_since.take();
    let (uid, workload) = (pod.uid, pod.workload);
    note_waited(cx, workload, waited, now);
    let kind = state.workloads[workload as usize].kind;
    let bound = BoundPod { kind, node: place, start: now, terminating: false, preempted: false };
    state.scheduler.waiting.remove(&uid);
    state.nodes[node as usize].pods.push(id);
    state.scheduler.queue.remove(uid as usize);
    state.scheduler.cluster.forget_nomination(uid as usize);
    state.scheduler.cluster.add_pod(uid as usize, bound);
    // Pods that want to be near this one, or wait for domains to even out, are looked at.
    state.scheduler.queue.notice(Change::PodBound);
    if now == SimTime::ZERO {
        state.nodes[node as usize].images.insert((workload, 0));
    }
}

/// Adds the time a pod waited for a node to the record.
fn note_waited(cx: &mut Context, workload: u32, since: Option<SimTime>, now: SimTime) {
    let Some(since) = since else { return };
    if cx.seen.observing() {
        let seconds = now.since(since.max(cx.seen.start())).as_secs_f64();
        cx.seen.workloads[workload as usize].pending_seconds += seconds;
        cx.seen.cluster.pending_pod_seconds += seconds;
    }
}

/// No node would do.
fn put_back(state: &mut State, cx: &mut Context, id: PodId, why: &Unschedulable) {
    let now = cx.now();
    let Some(pod) = state.pod_mut(id) else { return };
    let (uid, workload) = (pod.uid, pod.workload);
    let first = pod.unschedulable_since.is_none();
    pod.unschedulable_since = pod.unschedulable_since.or(Some(now));
    let mut filters: Vec<_> = why.refusals.iter().map(|(_, refusal)| refusal.filter).collect();
    filters.dedup();
    let priority = state.spec(workload).template.wishes.priority;
    state.scheduler.queue.put_back(uid as usize, priority, filters, now);
    if first && state.scenario.cluster.provisioned_by == ProvisionedBy::Karpenter {
        ask_karpenter(state, cx);
    }
    let seen = &mut cx.seen.workloads[workload as usize];
    let new_words = seen.pending_because.is_none();
    seen.pending_because = Some(why.to_string());
    if first && new_words {
        let name = &state.scenario.workloads[workload as usize].name;
        let text = format!("{name}: no node for a pod: {why}");
        cx.seen.moment(now, MomentKind::Unschedulable, Some(workload as usize), text);
    }
}

/// A pod that waits for a node comes to Karpenter's batch, at once and every ten seconds.
pub fn ask_karpenter(state: &mut State, cx: &mut Context) {
    let closes = state.node_autoscaler.batch.pod_came(cx.now());
    cx.agenda.at(closes, Event::KarpenterBatched);
}

/// A waiting pod is deleted.
pub fn forget(state: &mut State, cx: &mut Context, uid: u32, workload: u32, since: Option<SimTime>) {
    note_waited(cx, workload, since, cx.now());
    state.scheduler.waiting.remove(&uid);
    state.scheduler.queue.remove(uid as usize);
    state.scheduler.cluster.forget_nomination(uid as usize);
}

/// At the end of a run: pods still waiting have waited until now.
pub fn settle(state: &State, cx: &mut Context) {
    let now = cx.now();
    for id in state.scheduler.waiting.values() {
        if let Some(pod) = state.pod(*id) {
            note_waited(cx, pod.workload, pod.unschedulable_since, now);
        }
    }
}
