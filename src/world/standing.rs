//! Where the requests in progress in a pod stand: who works on what they wait for.

use crate::observe::Filled;
use crate::world::frames::{Caller, Frame, Phase};
use crate::world::ids::PodId;
use crate::world::state::State;

/// What fills a pod's memory, and where its requests stand. Looks at every call in
/// progress, so it is for what happens as seldom as a kill.
pub fn filled(state: &State, id: PodId) -> Filled {
    let mut filled = Filled::default();
    let Some(pod) = state.pod(id) else { return filled };
    let behaviour = &state.spec(pod.workload).behaviour;
    filled.held = pod.memory(behaviour, state.users_per_pod(pod.workload)).0;
    filled.at_rest = behaviour.memory.base.0;
    filled.by_requests = behaviour.memory.per_request.0 * u64::from(pod.in_progress);
    for (_, _, frame) in state.frames.iter() {
        // What waits for calls stands where these do.
        if frame.phase == Phase::Calling || !is_for(state, frame, id) {
            continue;
        }
        let at = match frame.phase {
            Phase::Connecting | Phase::Queued | Phase::Computing => state.pod(frame.pod),
            _ => None,
        };
        let requests = u64::from(frame.weight);
        match at {
            Some(at) => *filled.standing.entry(at.workload as usize).or_default() += requests,
            None => filled.elsewhere += requests,
        }
    }
    filled
}

/// Whether a request that holds a place in the pod waits for this one, or is it.
fn is_for(state: &State, frame: &Frame, id: PodId) -> bool {
    let mut frame = *frame;
    loop {
        if frame.pod == id && frame.phase.holds_place() {
            return true;
        }
        let Caller::Frame(caller) = frame.caller else { return false };
        let Some(caller) = state.frames.get(caller.index, caller.generation) else { return false };
        frame = *caller;
    }
}
