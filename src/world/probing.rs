//! Probe workers that sleep.
//!
//! A pod that follows a usage curve has nothing else to do: as long as it may use
//! what the curve asks of it and nothing in it is broken, every probe is answered
//! well at once, and a tick changes nothing. Its workers then sleep. Whatever could
//! make an answer another one wakes them first: they take the ticks that they have
//! slept through for what those would have been, and go on at the next.

use crate::units::SimTime;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Pod, State};

/// Whether every probe of a pod would be answered well from now on, unless
/// something wakes its workers.
pub fn may_sleep(state: &State, pod: &Pod) -> bool {
    state.leaves_out
        && state.spec(pod.workload).usage.is_some()
        && pod.runs()
        && pod.accepts()
        && !pod.hangs
        && !pod.deleting
        && is_at_ease(state, pod)
}

/// Whether a pod that follows a curve has all that it asks for, and nothing runs in
/// it besides.
pub fn is_at_ease(state: &State, pod: &Pod) -> bool {
    let limit = state.workloads[pod.workload as usize].cpu_limit;
    let fits = limit.is_none_or(|limit| pod.curve.cpu <= limit.0);
    fits && !pod.curve.starved
        && pod.stressed == 0
        && pod.station.next_end().is_none()
        && pod.in_progress == 0
}

/// Puts the workers of a pod back to work: something is about to change.
pub fn wake(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    if pod.asleep == [SimTime::NEVER; 3] {
        return;
    }
    let container = &state.scenario.workloads[pod.workload as usize].template.containers[0];
    let probes = [&container.startup, &container.readiness, &container.liveness];
    for (kind, probe) in probes.into_iter().enumerate() {
        let first = std::mem::replace(&mut pod.asleep[kind], SimTime::NEVER);
        let (Some(probe), Some(worker)) = (probe, &mut pod.probes[kind]) else { continue };
        if first == SimTime::NEVER {
            continue;
        }
        let slept = now.since_or_zero(first).as_nanos().div_ceil(probe.period.as_nanos());
        worker.slept_through(slept);
        cx.agenda.at(first + probe.period * slept, Event::ProbeTicked(id, kind as u8));
    }
}
