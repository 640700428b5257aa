//! Workloads that follow a recorded usage curve.
//!
//! What the curve says is shared evenly by the workload's ready pods. In each it is
//! a demand for CPU that its station serves like any other: as far as the limit's
//! quota and the pod's part of its node let it. The shares change when the curve
//! does, when a pod becomes ready or ceases to be, and when a drill makes the load
//! or its work more; nothing happens in between, and what a pod has used by any
//! moment is arithmetic.

use crate::units::{MilliCpu, SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Pod, State};
use crate::world::{probing, sharing};

/// How often a curve is looked at while a drill makes the load grow.
const RISE: SimDuration = SimDuration::from_secs(1);
/// The smallest limit that the kernel can enforce: a quota of 1 ms in 100.
const LEAST_LIMIT: u64 = 10;

/// The curves' first values.
pub fn begin(state: &mut State, cx: &mut Context) {
    for workload in 0..state.workloads.len() as u32 {
        moved(state, cx, workload);
    }
}

/// A curve, or the load that drills make of it, has another value.
pub fn moved(state: &mut State, cx: &mut Context, workload: u32) {
    let Some(usage) = &state.spec(workload).usage else { return };
    let now = cx.now();
    let piece = usage.at(now);
    let surge = state.broken.surge(now);
    let times = |value: u64| {
        if (surge - 1.0).abs() < f64::EPSILON { value } else { (value as f64 * surge).round() as u64 }
    };
    let demanded = &mut state.workloads[workload as usize].demanded;
    (demanded.cpu, demanded.memory) = (times(piece.cpu.0), times(piece.memory.0));
    share(state, cx, workload);
    let next = piece.until.min(surge_moves(state, now));
    if next != SimTime::NEVER {
        cx.agenda.at(next, Event::UsageMoved(workload));
    }
}

/// When drills next change the load.
fn surge_moves(state: &State, now: SimTime) -> SimTime {
    let next = |one: &crate::world::state::Surge| {
        if now < one.from {
            one.from
        } else if now < one.from + one.rise {
            (now + RISE).min(one.until)
        } else if now < one.until {
            one.until
        } else {
            SimTime::NEVER
        }
    };
    state.broken.load.iter().map(next).min().unwrap_or(SimTime::NEVER)
}

/// Shares a workload's demand out among its ready pods.
///
/// What goes to a pod that is still counted ready, but has died or hangs, is lost.
pub fn share(state: &mut State, cx: &mut Context, workload: u32) {
    if !state.has_usage || state.spec(workload).usage.is_none() {
        return;
    }
    state.workloads[workload as usize].stirred = cx.now();
    state.node_controller.stirred = cx.now();
    let one = &state.workloads[workload as usize];
    let (cpu, memory, ready) = (one.demanded.cpu, one.demanded.memory, u64::from(one.ready));
    let limit = one.cpu_limit.map_or(u64::MAX, |limit| limit.0.max(LEAST_LIMIT));
    let base = state.spec(workload).behaviour.memory.base.0;
    let (mut turn, mut short, mut wanted) = (0, ready == 0 && cpu > 0, 0);
    for at in 0..state.workloads[workload as usize].pods.len() {
        let id = state.workloads[workload as usize].pods[at];
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
        let mut part = Part { cpu: 0, memory: 0, limit };
        if pod.ready && !pod.deleting && ready > 0 {
            // What doesn't divide evenly goes to the first ones, so that nothing is lost.
            let own = cpu / ready + u64::from(turn < cpu % ready);
            let as_usual = (pod.slower - 1.0).abs() < f64::EPSILON;
            let own = if as_usual { own } else { (own as f64 * pod.slower).round() as u64 };
            turn += 1;
            wanted += own;
            if pod.runs() && !pod.hangs {
                part = Part { cpu: own, memory: (memory / ready).saturating_sub(base), limit };
                short |= own > limit;
            } else {
                short |= own > 0;
            }
        }
        give(state, cx, id, part);
    }
    state.workloads[workload as usize].demanded.short = short;
    let asked = if ready > 0 { wanted } else { cpu };
    cx.seen.demanded(cx.agenda.now(), workload as usize, asked as f64 / 1_000.0);
    sharing::note_overload(state, cx, workload);
}

/// One pod's part of its workload's demand.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// In thousandths of a core.
    cpu: u64,
    /// In bytes, above what the pod holds at rest.
    memory: u64,
    /// What the pod's limit lets it use, in thousandths of a core.
    limit: u64,
}

/// Gives a pod its part.
fn give(state: &mut State, cx: &mut Context, id: PodId, part: Part) {
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    if (pod.curve.cpu, pod.curve.memory) == (part.cpu, part.memory) {
        return;
    }
    let grows = pod.curve.memory < part.memory;
    if part.cpu > part.limit && pod.asleep != [SimTime::NEVER; 3] {
        probing::wake(state, cx, id);
    }
    state.settle_sample(id, cx.now());
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    (pod.curve.cpu, pod.curve.memory) = (part.cpu, part.memory);
    press(pod, cx, part.limit);
    if pod.curve.cpu == 0 && pod.curve.starved {
        sharing::set_starved(state, cx, id, false);
    }
    sharing::watch(state, cx, id);
    if grows && state.is_over_memory(id) {
        cx.raise(Event::MemoryExceeded(id));
    }
}

/// Tells a pod's station what curve and drills want of it. What is above the limit
/// can't be had, and a little of it is enough to use up the quota of every period;
/// more would make the pod's node look busier than it is.
fn press(pod: &mut Pod, cx: &mut Context, limit: u64) {
    let wants = pod.curve.cpu.min(limit.saturating_add(1)) + pod.stressed;
    if pod.station.stress() != MilliCpu(wants) {
        pod.station.set_stress(cx.agenda.active(), MilliCpu(wants));
    }
}

/// Processes that a drill has started in a pod want so much CPU from now on.
pub fn stress(state: &mut State, cx: &mut Context, id: PodId, cpu: MilliCpu) {
    if state.has_usage {
        probing::wake(state, cx, id);
        state.settle_sample(id, cx.now());
    }
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    let limit = state.workloads[pod.workload as usize].cpu_limit;
    pod.stressed = cpu.0;
    press(pod, cx, limit.map_or(u64::MAX, |limit| limit.0.max(LEAST_LIMIT)));
    sharing::watch(state, cx, id);
}
