//! Calls pass their caller's circuit breaker before anything else, and tell it how they
//! went.

use crate::observe::Cause;
use crate::scenario::Breaker;
use crate::units::SimTime;
use crate::world::breaker::{Answer, Circuit, Owned, Passed};
use crate::world::frames::Caller;
use crate::world::ids::{FrameId, PodId};
use crate::world::program::NO_BREAKER;
use crate::world::state::State;

/// Why a call that is sent now fails at once, if it does.
pub fn refuses(state: &mut State, now: SimTime, id: FrameId) -> Option<Cause> {
    let frame = state.frames.get(id.index, id.generation)?;
    let number = state.program.breaker_of[frame.call as usize];
    let Caller::Frame(parent) = frame.caller else { return None };
    if number == NO_BREAKER {
        return None;
    }
    let pod = state.frames.get(parent.index, parent.generation)?.pod;
    let run = state.pod(pod)?.run;
    let passed = Passed { pod, run, number };
    make(state, pod, run);
    let rule = rule(state, passed)?;
    let answer = circuit(state, passed)?.asks(&rule, now);
    let cause = match answer {
        Answer::Pass => {
            let all = &mut state.breakers.passed;
            if all.len() <= id.index as usize {
                all.resize(id.index as usize + 1, None);
            }
            all[id.index as usize] = Some(passed);
            return None;
        }
        Answer::Open => Cause::BreakerOpen,
        Answer::Full => Cause::BreakerFull,
    };
    Some(cause)
}

/// A call is over for whoever sent it.
pub fn ended(state: &mut State, now: SimTime, frame: u32, failed: bool) {
    let Some(passed) = take(state, frame) else { return };
    let Some(rule) = rule(state, passed) else { return };
    if let Some(circuit) = circuit(state, passed) {
        circuit.ended(&rule, failed, now);
    }
}

/// Nobody wants to know any more what becomes of a call that hasn't been sent.
pub fn dropped(state: &mut State, frame: u32) {
    let Some(passed) = take(state, frame) else { return };
    if let Some(circuit) = circuit(state, passed) {
        circuit.dropped();
    }
}

fn take(state: &mut State, frame: u32) -> Option<Passed> {
    state.breakers.passed.get_mut(frame as usize).and_then(Option::take)
}

/// Makes the breakers of a pod's process, unless it has them.
fn make(state: &mut State, pod: PodId, run: u32) {
    let at = pod.index as usize;
    let owners = &mut state.breakers.owners;
    if owners.len() <= at {
        owners.resize_with(at + 1, Owned::default);
    }
    let owned = &owners[at];
    if !owned.all.is_empty() && (owned.generation, owned.run) == (pod.generation, run) {
        return;
    }
    let Some(workload) = state.pods.get(pod.index, pod.generation).map(|pod| pod.workload as usize) else {
        return;
    };
    let upstreams = state.scenario.workloads[workload].behaviour.upstreams.iter();
    let all = upstreams.filter_map(|one| one.breaker.as_ref().map(Circuit::new)).collect();
    state.breakers.owners[at] = Owned { generation: pod.generation, run, all };
}

fn rule(state: &State, passed: Passed) -> Option<Breaker> {
    let workload = state.pods.get(passed.pod.index, passed.pod.generation)?.workload as usize;
    state.program.breakers[workload].get(passed.number as usize).copied()
}

/// A breaker, if the process that it belongs to still runs.
fn circuit<'state>(state: &'state mut State, passed: Passed) -> Option<&'state mut Circuit> {
    let owned = state.breakers.owners.get_mut(passed.pod.index as usize)?;
    let same = (owned.generation, owned.run) == (passed.pod.generation, passed.run);
    if same { owned.all.get_mut(passed.number as usize) } else { None }
}
