//! A request's way: sent, arrived, served step by step, answered, given up.
//!
//! A *frame* is one attempt of one call. Its caller is a user, another frame or
//! a probe. A caller that gives up detaches the frame; the callee works on, as
//! servers do.
//!
//! All times here are those of the agenda's active clock: while time is skipped
//! (`world::slices`) requests stand still where they are.

use crate::k8s::endpoints::INGRESS_CONNECT_TIMEOUT;
use crate::observe::Cause;
use crate::scenario::RetryBudget;
use crate::service::Job;
use crate::sim::random::{draw, unit};
use crate::units::{SimDuration, SimTime};
use crate::world::balancing;
use crate::world::breaking;
use crate::world::connections::{self, Arrival, Way};
use crate::world::context::Context;
use crate::world::cores::NodeCpu;
use crate::world::endpoints;
use crate::world::event::Event;
use crate::world::frames::{self, Caller, Frame, NO_POD, Phase};
use crate::world::ids::{FrameId, PodId};
use crate::world::program::{Program, ServingCode, StepCode, TargetCode};
use crate::world::sharing::{watch, watch_pod};
use crate::world::state::{Pod, State};
use crate::world::tcp;

/// What a draw of a request is for; a step's number is added where it matters.
pub mod purpose {
    // 1 << 40 chooses the endpoint (`world::frames`).
    /// The demand or wait of a step.
    pub const STEP: u64 = 2 << 40;
    /// Whether a call is made.
    pub const CHANCE: u64 = 3 << 40;
    /// The key of a child call.
    pub const CHILD: u64 = 4 << 40;
    /// Jitter of a back-off.
    pub const JITTER: u64 = 5 << 40;
    /// Latency of an external service.
    pub const LATENCY: u64 = 6 << 40;
    /// Whether an external service fails.
    pub const ERROR: u64 = 7 << 40;
    /// How often a broken network loses a call's packets.
    pub const LOSS: u64 = 8 << 40;
    /// The key of a further attempt.
    pub const RETRY: u64 = 9 << 40;
}

/// The station's job that is the start-up's CPU work.
pub const START_UP: Job = Job(u32::MAX);

/// Sends a call: its first attempt or a further one.
pub fn send(state: &mut State, cx: &mut Context, caller: Caller, call: u32, attempt: u8, key: u64) {
    let code = &state.program.calls[call as usize];
    let (lane, target) = (code.lane, code.target);
    if let Some(budget) = code.retry.budget {
        budget.earn(&mut state.retry_tokens[call as usize]);
    }
    let way = straight(state, matches!(caller, Caller::User(_)), target, key);
    let (pod, step, _) = way.unwrap_or((NO_POD, 0, 0));
    let (index, generation) = state.frames.insert(Frame {
        caller,
        call,
        attempt,
        connections: u8::from(way.is_some()),
        phase: Phase::Travelling,
        failed: None,
        pod,
        step,
        outstanding: 0,
        key,
        weight: cx.seen.weight(),
        sent: cx.agenda.active(),
        arrived: SimTime::ZERO,
        begun: SimTime::ZERO,
    });
    let id = FrameId { index, generation };
    let Some((.., travel)) = way else { return dispatch(state, cx, id) };
    if let Some(lane) = lane {
        cx.agenda.in_lane(lane, Event::DeadlineCame(id));
    }
    cx.agenda.in_lane(travel, Event::CallArrived(id));
}

/// What nearly every call meets: no connections, no breaker, no balancer, a network that is
/// whole, and an endpoint. Then the call's pod, its first step there, and the lane in which
/// it travels; else nothing has happened yet.
#[inline]
fn straight(
    state: &mut State,
    from_outside: bool,
    target: TargetCode,
    key: u64,
) -> Option<(PodId, u32, u16)> {
    let TargetCode::Operation(operation) = target else { return None };
    if !state.program.is_direct || !state.broken.network.is_empty() {
        return None;
    }
    let code = state.program.operations[operation as usize];
    let pod =
        endpoints::choose(state, code.workload as usize, (from_outside, NO_POD), frames::route(key, 0))?;
    if from_outside {
        earn_at_ingress(state, code.workload as usize);
    }
    Some((pod, code.first_step, state.program.travel[usize::from(from_outside)]))
}

/// A request from outside adds to what the ingress of its workload may try again.
#[inline]
fn earn_at_ingress(state: &mut State, workload: usize) {
    let budget = state.scenario.workloads[workload].behaviour.ingress.budget;
    budget.inspect(|budget| budget.earn(&mut state.ingress_tokens[workload]));
}

/// Sets a frame on its way: arms its timeout and routes it.
fn dispatch(state: &mut State, cx: &mut Context, id: FrameId) {
    let now = cx.agenda.active();
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    (frame.phase, frame.sent, frame.weight) = (Phase::Travelling, now, cx.seen.weight());
    let (caller, code) = (frame.caller, state.program.calls[frame.call as usize]);
    if state.program.counts_calls {
        count_call(state, caller);
    }
    if let Some(lane) = code.lane {
        cx.agenda.in_lane(lane, Event::DeadlineCame(id));
    }
    match code.target {
        TargetCode::Operation(operation) if state.program.is_plain => connect(state, cx, id, operation),
        TargetCode::Operation(operation) => go_through(state, cx, id, operation),
        TargetCode::External(external) => call_outside(state, cx, id, external as usize),
    }
}

/// A call is made. If a pod makes it, it goes through what stands beside it there.
fn count_call(state: &mut State, caller: Caller) {
    let Caller::Frame(id) = caller else { return };
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    if let Some(pod) = state.pods.get_mut(frame.pod.index, frame.pod.generation) {
        pod.beside.made += 1;
    }
}

/// Sends a call through what its caller has between itself and the workload: a circuit
/// breaker, connections.
fn go_through(state: &mut State, cx: &mut Context, id: FrameId, operation: u32) {
    if !state.program.breaker_of.is_empty()
        && let Some(cause) = breaking::refuses(state, cx.agenda.active(), id)
    {
        fail_here(state, cx, id, cause);
    } else if state.program.pools.is_empty() {
        connect(state, cx, id, operation);
    } else {
        let way = connections::way(state, cx, id);
        go(state, cx, id, way);
    }
}

/// Chooses an endpoint and sends the call there.
fn connect(state: &mut State, cx: &mut Context, id: FrameId, operation: u32) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    let code = state.program.operations[operation as usize];
    let from_outside = matches!(frame.caller, Caller::User(_));
    let (bits, is_first, refused) = (frame.route(), frame.connections == 0, frame.refused_by());
    if from_outside && is_first {
        earn_at_ingress(state, code.workload as usize);
    }
    let chosen = if state.program.balancing_of.is_empty() {
        endpoints::choose(state, code.workload as usize, (from_outside, refused), bits)
    } else {
        balancing::choose(state, cx, id, code.workload as usize)
    };
    set_out(state, cx, id, chosen, state.program.travel[usize::from(from_outside)]);
}

/// Sends a call the way that its caller's connections leave it.
fn go(state: &mut State, cx: &mut Context, id: FrameId, way: Way) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    let travel = state.program.travel[0];
    match way {
        Way::Anew => connect(state, cx, id, state.program.operation_of(frame.call)),
        Way::Over(pod) => set_out(state, cx, id, Some(pod), travel),
        Way::Opening(pod) => {
            let pool = state.program.pool_of[frame.call as usize];
            set_out(state, cx, id, Some(pod), state.program.pools[pool as usize].opening);
        }
        Way::Nobody => set_out(state, cx, id, None, travel),
        Way::Waits => {}
        Way::Full => fail_here(state, cx, id, Cause::PoolFull),
    }
}

/// A call fails before it has left its caller.
fn fail_here(state: &mut State, cx: &mut Context, id: FrameId, cause: Cause) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    let operation = state.program.operation_of(frame.call);
    let workload = state.program.operations[operation as usize].workload as usize;
    if matches!(cause, Cause::PoolTimeout | Cause::PoolFull) {
        let pool = state.program.pool_of[frame.call as usize];
        cx.seen.connection_missed(pool as usize, frame.sent, cause);
    }
    cx.seen.call_failed(workload, (frame.sent, frame.weight), cause);
    answer(frame, Some(cause));
    cx.raise(Event::AnswerArrived(id));
}

/// A caller's connections may have room for calls that wait.
pub fn connection_freed(state: &mut State, cx: &mut Context, pod: PodId, pool: u16) {
    while let Some((id, way)) = connections::next(state, cx, pod, pool) {
        go(state, cx, id, way);
    }
}

/// A call has waited for a connection for as long as its pool lets it.
pub fn patience_ended(state: &mut State, cx: &mut Context, id: FrameId) {
    connections::leave(state, id, Phase::Travelling);
    fail_here(state, cx, id, Cause::PoolTimeout);
}

/// Sends a call to the pod that was `chosen`, if any was; it is on its way for as long
/// as the lane says.
fn set_out(state: &mut State, cx: &mut Context, id: FrameId, chosen: Option<PodId>, travel: u16) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    let code = state.program.operations[state.program.operation_of(frame.call) as usize];
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    frame.connections += 1;
    frame.step = code.first_step;
    if let Some(pod) = chosen {
        frame.pod = pod;
        if state.broken.network.is_empty() {
            cx.agenda.in_lane(travel, Event::CallArrived(id));
            return;
        }
        let (copy, travel) = (*frame, state.program.lanes[travel as usize]);
        match hindered(state, &copy, code.workload, cx.agenda.active() + travel) {
            Some(late) => cx.agenda.after_active(travel + late, Event::CallArrived(id)),
            None => lose(state, cx, id),
        }
    } else {
        state.workloads[code.workload as usize].without_endpoint += 1;
        cx.seen.call_failed(code.workload as usize, (frame.sent, frame.weight), Cause::NoEndpoint);
        answer(frame, Some(Cause::NoEndpoint));
        cx.agenda.in_lane(travel, Event::AnswerArrived(id));
    }
}

/// Asks an external service.
fn call_outside(state: &mut State, cx: &mut Context, id: FrameId, external: usize) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    let spec = &state.scenario.externals[external];
    cx.seen.external_called(external, frame.sent);
    if !state.externals[external].admits(spec.quota, cx.agenda.active()) {
        cx.seen.external_failed(external, frame.sent, Cause::ExternalQuota);
        let there_and_back = state.scenario.cluster.network_latency * 2;
        answer(frame, Some(Cause::ExternalQuota));
        cx.agenda.after_active(there_and_back, Event::AnswerArrived(id));
        return;
    }
    let sampler = &state.program.samplers[state.program.external_latency[external] as usize];
    let (error_rate, slower) = state.broken.externals[external].unwrap_or((spec.error_rate, 1.0));
    let latency = sampler.at(draw(frame.key, purpose::LATENCY)).scale(slower);
    let failed = unit(draw(frame.key, purpose::ERROR)) < error_rate;
    if failed {
        cx.seen.external_failed(external, frame.sent, Cause::ExternalError);
    } else {
        cx.seen.external_answered(external, frame.sent, latency);
    }
    answer(frame, failed.then_some(Cause::ExternalError));
    cx.agenda.after_active(latency, Event::AnswerArrived(id));
}

/// The answer sets out.
fn answer(frame: &mut Frame, failed: Option<Cause>) {
    frame.phase = Phase::Answering;
    frame.failed = failed;
}

/// A call reached the pod it was sent to.
pub fn arrived(state: &mut State, cx: &mut Context, id: FrameId) {
    if !state.program.pools.is_empty() && !gets_through(state, cx, id) {
        return;
    }
    let now = cx.agenda.active();
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    frame.arrived = now;
    let pod_id = frame.pod;
    // The pods of a node without power don't listen.
    match state.pods.get_mut(pod_id.index, pod_id.generation) {
        Some(pod) if pod.accepts() && !pod.hangs => {
            pod.requests += 1;
            let rules = &state.program.serving[pod.workload as usize];
            let has_place = pod.in_progress < rules.places && pod.queue.is_empty();
            // What nearly every call meets: `admit` in one go, with frame and pod at hand.
            if has_place && let Some(work) = work_of(frame, &state.program) {
                (frame.begun, frame.phase) = (now, Phase::Computing);
                pod.in_progress += 1;
                let known = &state.workloads[pod.workload as usize];
                if known.is_exceeded_by(pod, state.scenario, &state.users) {
                    cx.raise(Event::MemoryExceeded(pod_id));
                } else {
                    compute(pod, rules, now, id, work);
                }
                return watch_pod(pod, &mut state.cpus, cx, pod_id);
            }
            admit(state, cx, id, pod_id);
        }
        Some(pod) => {
            let (hangs, node) = (pod.hangs, pod.node);
            if state.node_is_dead(node) {
                unanswered(state, cx, id);
            } else if hangs {
                lose(state, cx, id);
            } else {
                not_connected(state, cx, id, Cause::ConnectionRefused);
            }
        }
        None => not_connected(state, cx, id, Cause::ConnectionRefused),
    }
}

/// Whether a call comes as far as its pod: over its connection, or to where nobody
/// listens. What becomes of it else has been seen to.
fn gets_through(state: &mut State, cx: &mut Context, id: FrameId) -> bool {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return false };
    let pod_id = frame.pod;
    if !state.pod(pod_id).is_some_and(|pod| pod.accepts() && !pod.hangs) {
        return true;
    }
    match connections::arrive(state, cx, id, pod_id) {
        Arrival::Taken => return true,
        Arrival::TooMany => fail(state, cx, id, Cause::TooManyConnections),
        Arrival::Reset => not_connected(state, cx, id, Cause::ConnectionRefused),
    }
    false
}

/// Nothing will ever come back.
fn lose(state: &mut State, cx: &mut Context, id: FrameId) {
    if let Some(frame) = state.frames.get_mut(id.index, id.generation) {
        frame.phase = Phase::Lost;
    }
    forget_if_orphan(state, cx, id);
}

/// Nobody is there to answer at the pod's address: its node has no power. An ingress gives
/// up after a while; whoever else calls waits for as long as the call's own timeout.
fn unanswered(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    let operation = state.program.operation_of(frame.call);
    let workload = state.program.operations[operation as usize].workload as usize;
    if matches!(frame.caller, Caller::User(_)) && state.scenario.workloads[workload].behind_ingress {
        cx.agenda.after_active(INGRESS_CONNECT_TIMEOUT, Event::ConnectionTimedOut(id));
    }
    lose(state, cx, id);
}

/// An ingress gives a connection up that nobody answered. Whoever has given the request up
/// before has taken the frame along.
pub fn connection_timed_out(state: &mut State, cx: &mut Context, id: FrameId) {
    if let Some(frame) = state.frames.get_mut(id.index, id.generation) {
        // Others have had their turns meanwhile, so that it may well be the same pod's again.
        (frame.phase, frame.pod) = (Phase::Travelling, NO_POD);
    }
    not_connected(state, cx, id, Cause::Timeout);
}

/// What drills on the network do to a call between two workloads that would be there
/// at `arrives`: `None` when it is lost, else by how much it is late.
fn hindered(state: &State, frame: &Frame, to: u32, arrives: SimTime) -> Option<SimDuration> {
    let caller = match frame.caller {
        Caller::Frame(parent) => {
            let parent = state.frames.get(parent.index, parent.generation);
            parent.and_then(|parent| Some((parent.pod, state.pod(parent.pod)?.workload)))
        }
        Caller::User(_) | Caller::Nobody | Caller::Probe(_) => None,
    };
    // A first attempt goes over a connection that is kept open. Whoever tries again
    // has thrown that one away, and sets up another.
    let sets_up = frame.attempt > 0 || frame.connections > 1;
    let (mut late, mut resent) = (SimDuration::ZERO, SimDuration::ZERO);
    for (turn, fault) in state.broken.network.iter().enumerate() {
        if !fault.calls.hold((caller, (frame.pod, to))) {
            continue;
        }
        let bits = draw(frame.key, purpose::LOSS + (turn as u64) * 256 + u64::from(frame.connections));
        resent += tcp::resent(fault.loss, sets_up, fault.delay, bits)?;
        late += fault.delay;
    }
    // A caller that has given up by then has closed its connection: what was still to
    // be sent again never is.
    let timeout =
        state.program.calls[frame.call as usize].lane.map(|lane| state.program.lanes[lane as usize]);
    let gives_up = timeout.map_or(SimTime::NEVER, |timeout| frame.sent + timeout);
    (resent == SimDuration::ZERO || arrives + late + resent < gives_up).then_some(late + resent)
}

/// There is no connection to the pod: an ingress tries another one, as long as it may.
fn not_connected(state: &mut State, cx: &mut Context, id: FrameId, cause: Cause) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    let operation = state.program.operation_of(frame.call);
    let workload = state.program.operations[operation as usize].workload as usize;
    let from_outside = matches!(frame.caller, Caller::User(_));
    let rules = &state.scenario.workloads[workload];
    let ingress = rules.behaviour.ingress;
    let may_try = from_outside && rules.behind_ingress && frame.connections < ingress.tries;
    if may_try && (ingress.budget.is_none() || RetryBudget::spend(&mut state.ingress_tokens[workload])) {
        connect(state, cx, id, operation);
        return;
    }
    // Whoever has given the call up meanwhile has counted it as such.
    if frame.caller != Caller::Nobody {
        cx.seen.call_failed(workload, (frame.sent, frame.weight), cause);
    }
    let travel = state.program.travel[usize::from(from_outside)];
    if let Some(frame) = state.frames.get_mut(id.index, id.generation) {
        answer(frame, Some(cause));
        cx.agenda.in_lane(travel, Event::AnswerArrived(id));
    }
}

/// A place, the queue, or a refusal.
pub fn admit(state: &mut State, cx: &mut Context, id: FrameId, pod_id: PodId) {
    let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation) else { return };
    let rules = state.program.serving[pod.workload as usize];
    if pod.in_progress < rules.places {
        begin(state, cx, id, pod_id);
        fill(state, cx, pod_id);
    } else if (pod.queue.len() as u32) < rules.queue {
        pod.queue.push_back(id);
        if let Some(frame) = state.frames.get_mut(id.index, id.generation) {
            frame.phase = Phase::Queued;
        }
    } else {
        fail(state, cx, id, Cause::QueueFull);
    }
}

/// A frame gets its place and starts on its first step.
fn begin(state: &mut State, cx: &mut Context, id: FrameId, pod_id: PodId) {
    let now = cx.agenda.active();
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    frame.begun = now;
    frame.phase = Phase::Computing;
    let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation) else { return };
    pod.in_progress += 1;
    // What nearly every operation begins with needs no second look at frame and pod.
    if state.workloads[pod.workload as usize].is_exceeded_by(pod, state.scenario, &state.users) {
        cx.raise(Event::MemoryExceeded(pod_id));
    } else if let Some(work) = work_of(frame, &state.program) {
        let rules = &state.program.serving[pod.workload as usize];
        compute(pod, rules, now, id, work);
    } else {
        next_step(state, cx, id);
    }
}

/// The CPU work of a frame's present step, if that is what the step is.
#[expect(clippy::inline_always, reason = "three times for a request of three hops")]
#[inline(always)]
fn work_of(frame: &Frame, program: &Program) -> Option<SimDuration> {
    let line = program.steps[frame.step as usize];
    match line.code {
        StepCode::Compute(sampler) => {
            Some(program.drawn(sampler, draw(frame.key, purpose::STEP + u64::from(line.number))))
        }
        StepCode::Wait(_) | StepCode::Calls(..) | StepCode::Answer(_) => None,
    }
}

/// A pod's CPU gets a frame's work.
#[expect(clippy::inline_always, reason = "five times for a request of three hops")]
#[inline(always)]
fn compute(pod: &mut Pod, rules: &ServingCode, now: SimTime, id: FrameId, work: SimDuration) {
    let as_usual = pod.slower.to_bits() == AS_USUAL && pod.warm_at <= now;
    let work = if as_usual { work } else { work.scale(slower(pod, rules, now)).min(SimDuration::OUTLASTING) };
    pod.station.add(now, Job(id.index), work);
}

/// The bits of 1: compared as an integer it costs less.
const AS_USUAL: u64 = 1.0_f64.to_bits();

/// How many times the model's CPU work a request costs a pod.
#[cold]
fn slower(pod: &Pod, rules: &ServingCode, now: SimTime) -> f64 {
    let left = pod.warm_at.since_or_zero(now);
    pod.slower * rules.warm_up.map_or(1.0, |warm_up| warm_up.factor_with(left))
}

/// Goes on with a frame's next step until one takes time.
fn next_step(state: &mut State, cx: &mut Context, id: FrameId) {
    loop {
        let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
        let line = state.program.steps[frame.step as usize];
        let number = u64::from(line.number);
        match line.code {
            StepCode::Answer(workload) => {
                let pod = state.pods.get_mut(frame.pod.index, frame.pod.generation);
                if !finish(frame, pod, &state.program, cx, (id, workload)) {
                    give_answer(state, cx, id, None);
                }
                return;
            }
            StepCode::Compute(sampler) => {
                let work = state.program.drawn(sampler, draw(frame.key, purpose::STEP + number));
                frame.phase = Phase::Computing;
                if let Some(pod) = state.pods.get_mut(frame.pod.index, frame.pod.generation) {
                    let rules = &state.program.serving[pod.workload as usize];
                    compute(pod, rules, cx.agenda.active(), id, work);
                }
                return;
            }
            StepCode::Wait(sampler) => {
                let wait = state.program.drawn(sampler, draw(frame.key, purpose::STEP + number));
                frame.phase = Phase::Waiting;
                cx.agenda.after_active(wait, Event::WaitEnded(id));
                return;
            }
            StepCode::Calls(first, end) => {
                if call_all(state, cx, id, (first, end), line.number) {
                    return;
                }
            }
        }
    }
}

/// Which draw belongs to a call: the number of its step, and its place there.
fn position(number: u32, place: u32) -> u64 {
    (u64::from(number) << 16) + u64::from(place)
}

/// Whether a request makes a call. A certain call needs no draw.
#[inline]
fn is_made(program: &Program, key: u64, call: u32, position: u64) -> bool {
    let chance = program.calls[call as usize].chance;
    chance == u64::MAX || draw(key, purpose::CHANCE + position) <= chance
}

/// Sends the calls of a step; without one the frame goes on to the next step.
fn call_all(state: &mut State, cx: &mut Context, id: FrameId, (first, end): (u32, u32), number: u32) -> bool {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return true };
    let key = frame.key;
    if end == first + 1 && state.program.calls[first as usize].chance == u64::MAX {
        // One call that is always made, the usual step, needs nobody to count.
        (frame.outstanding, frame.phase) = (1, Phase::Calling);
        let key = draw(key, purpose::CHILD + position(number, 0));
        send(state, cx, Caller::Frame(id), first, 0, key);
        return true;
    }
    let made = |&call: &u32| is_made(&state.program, key, call, position(number, call - first));
    frame.outstanding = (first..end).filter(made).count() as u32;
    if frame.outstanding == 0 {
        frame.step += 1;
        return false;
    }
    frame.phase = Phase::Calling;
    for call in first..end {
        let position = position(number, call - first);
        if is_made(&state.program, key, call, position) {
            send(state, cx, Caller::Frame(id), call, 0, draw(key, purpose::CHILD + position));
        }
    }
    true
}

/// Jobs of a pod's station have ended.
pub fn work_ended(state: &mut State, cx: &mut Context, pod_id: PodId) {
    let now = cx.agenda.active();
    if state.has_usage {
        state.settle_sample(pod_id, cx.now());
    }
    while let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation) {
        let Some(job) = pod.station.take_ended(now) else {
            // Nearly always nobody waits for a place.
            if pod.queue.is_empty() {
                return settle(pod, &mut state.cpus, cx, pod_id);
            }
            return fill(state, cx, pod_id);
        };
        if job == START_UP {
            cx.raise(Event::StartUpEnded(pod_id));
        } else if let Some((generation, frame)) = state.frames.at_mut(job.0) {
            frame.step += 1;
            let id = FrameId { index: job.0, generation };
            let line = state.program.steps[frame.step as usize];
            match line.code {
                // What most work is followed by needs no second look at frame and pod.
                StepCode::Answer(workload) => {
                    if !finish(frame, Some(pod), &state.program, cx, (id, workload)) {
                        give_answer(state, cx, id, None);
                    }
                }
                StepCode::Calls(first, end) if call_all(state, cx, id, (first, end), line.number) => {}
                _ => next_step(state, cx, id),
            }
        }
    }
}

/// A wait step is over.
pub fn wait_ended(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    if frame.phase != Phase::Waiting {
        return;
    }
    frame.step += 1;
    let pod = frame.pod;
    next_step(state, cx, id);
    fill(state, cx, pod);
}

/// The last step is over: the frame leaves its place, and the answer sets out if a user or
/// another frame waits for it; whether one does.
#[expect(clippy::inline_always, reason = "three times for a request of three hops")]
#[inline(always)]
fn finish(
    frame: &mut Frame,
    pod: Option<&mut Pod>,
    program: &Program,
    cx: &mut Context,
    (id, workload): (FrameId, u32),
) -> bool {
    let now = cx.agenda.active();
    if !matches!(frame.caller, Caller::Probe(_)) {
        let wanted = frame.caller != Caller::Nobody;
        let (latency, wait) = (now.since(frame.arrived), frame.begun.since(frame.arrived));
        cx.seen.call_served(workload as usize, (frame.sent, frame.weight), latency, wait, wanted);
    }
    if let Some(pod) = pod {
        pod.in_progress -= 1;
        pod.leaked += program.serving[workload as usize].leak;
    }
    let waits = matches!(frame.caller, Caller::User(_) | Caller::Frame(_));
    if waits {
        send_back(frame, program, cx, id, None);
    }
    waits
}

/// The answer sets out to a caller who waits for it.
#[inline]
fn send_back(frame: &mut Frame, program: &Program, cx: &mut Context, id: FrameId, failed: Option<Cause>) {
    let from_outside = matches!(frame.caller, Caller::User(_));
    answer(frame, failed);
    cx.agenda.in_lane(program.travel[usize::from(from_outside)], Event::AnswerArrived(id));
}

/// A frame fails where it is: it leaves its place, and the failure travels back.
pub fn fail(state: &mut State, cx: &mut Context, id: FrameId, cause: Cause) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    let workload =
        state.program.operations[state.program.operation_of(frame.call) as usize].workload as usize;
    if matches!(frame.caller, Caller::User(_) | Caller::Frame(_)) {
        cx.seen.call_failed(workload, (frame.sent, frame.weight), cause);
    }
    if frame.phase.holds_place()
        && let Some(pod) = state.pods.get_mut(frame.pod.index, frame.pod.generation)
    {
        pod.in_progress -= 1;
    }
    give_answer(state, cx, id, Some(cause));
}

/// Sends the answer, good or bad, to whoever still waits for it.
fn give_answer(state: &mut State, cx: &mut Context, id: FrameId, failed: Option<Cause>) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    match frame.caller {
        Caller::Nobody => {
            state.frames.remove(id.index, id.generation);
            let_go(state, cx, id, true);
        }
        Caller::Probe(kind) => {
            let pod = frame.pod;
            state.frames.remove(id.index, id.generation);
            cx.raise(Event::ProbeAnswered(pod, kind, failed.is_none()));
        }
        Caller::User(_) | Caller::Frame(_) => send_back(frame, &state.program, cx, id, failed),
    }
}

/// An answer reached its caller.
pub fn answer_arrived(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    let caller = frame.caller;
    if let Some(cause) = frame.failed {
        let copy = *frame;
        state.frames.free(id.index, id.generation);
        let_go(state, cx, id, true);
        attempt_failed(state, cx, caller, &copy, cause);
        return;
    }
    state.frames.free(id.index, id.generation);
    let_go(state, cx, id, false);
    match caller {
        Caller::User(user) => cx.raise(Event::RequestAnswered(user)),
        Caller::Frame(parent) => call_done(state, cx, parent),
        Caller::Nobody | Caller::Probe(_) => {}
    }
}

/// A frame that is gone leaves the connection that it went over, and tells balancer and
/// breaker how it went.
#[inline]
fn let_go(state: &mut State, cx: &mut Context, id: FrameId, failed: bool) {
    if !state.program.pools.is_empty() {
        connections::let_go(state, cx, id.index);
    }
    if !state.program.balancing_of.is_empty() {
        balancing::ended(state, cx.agenda.active(), id.index, failed);
    }
    if !state.program.breaker_of.is_empty() {
        breaking::ended(state, cx.agenda.active(), id.index, failed);
    }
}

/// One call of a frame's present step is settled.
fn call_done(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    if frame.phase != Phase::Calling {
        return;
    }
    frame.outstanding -= 1;
    if frame.outstanding > 0 {
        return;
    }
    frame.step += 1;
    let pod_id = frame.pod;
    // What most calls are followed by, in one go as in `arrived`.
    if let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation)
        && pod.queue.is_empty()
        && let Some(work) = work_of(frame, &state.program)
    {
        frame.phase = Phase::Computing;
        compute(pod, &state.program.serving[pod.workload as usize], cx.agenda.active(), id, work);
        return settle(pod, &mut state.cpus, cx, pod_id);
    }
    next_step(state, cx, id);
    fill(state, cx, pod_id);
}

/// An attempt failed: another one, or the caller has to live with it.
fn attempt_failed(state: &mut State, cx: &mut Context, caller: Caller, frame: &Frame, cause: Cause) {
    let code = state.program.calls[frame.call as usize];
    if !is_awaited(state, caller) {
        return;
    }
    if u32::from(frame.attempt) < code.retry.attempts && may_retry(state, frame.call) {
        // The same request again: the same key but for the attempt.
        let attempt = frame.attempt + 1;
        let key = draw(frame.key, purpose::RETRY + u64::from(attempt));
        let doubled = code.retry.backoff.saturating_mul(1 << u64::from(frame.attempt.min(20)));
        let backoff = doubled.min(code.retry.max_backoff);
        let kept = 1.0 - code.retry.jitter * unit(draw(frame.key, purpose::JITTER));
        let again =
            Frame { caller, attempt, connections: 0, failed: None, key, phase: Phase::BackingOff, ..*frame };
        let (index, generation) = state.frames.insert(again);
        cx.agenda.after_active(backoff.scale(kept), Event::BackoffEnded(FrameId { index, generation }));
        return;
    }
    match caller {
        Caller::User(user) => cx.raise(Event::RequestFailed(user, cause)),
        Caller::Frame(parent) if code.required => {
            let pod = state.frames.get(parent.index, parent.generation).map(|frame| frame.pod);
            fail(state, cx, parent, Cause::Dependency);
            if let Some(pod) = pod {
                fill(state, cx, pod);
            }
        }
        Caller::Frame(parent) => call_done(state, cx, parent),
        Caller::Nobody | Caller::Probe(_) => {}
    }
}

/// Whether a call still matters to its caller. A request that has failed meanwhile, by a
/// call beside this one or because its pod is gone, fails once and tries nothing again.
fn is_awaited(state: &State, caller: Caller) -> bool {
    match caller {
        Caller::User(_) => true,
        Caller::Frame(parent) => {
            let parent = state.frames.get(parent.index, parent.generation);
            parent.is_some_and(|parent| parent.phase == Phase::Calling)
        }
        Caller::Nobody | Caller::Probe(_) => false,
    }
}

/// Whether a call's budget has room for another attempt, which then is taken.
fn may_retry(state: &mut State, call: u32) -> bool {
    let budget = state.program.calls[call as usize].retry.budget;
    budget.is_none() || RetryBudget::spend(&mut state.retry_tokens[call as usize])
}

/// The wait before another attempt is over.
pub fn backoff_ended(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    if is_awaited(state, frame.caller) {
        dispatch(state, cx, id);
    } else {
        state.frames.remove(id.index, id.generation);
    }
}

/// The user on whose behalf a call is made, if one still waits.
#[inline]
pub fn asked_by(state: &State, call: FrameId) -> Option<u32> {
    let mut caller = Caller::Frame(call);
    while let Caller::Frame(id) = caller {
        caller = state.frames.get(id.index, id.generation)?.caller;
    }
    if let Caller::User(user) = caller { Some(user) } else { None }
}

/// Whether an event still means something. A deadline doesn't once the answer is
/// there; that is so for nearly all of them.
#[inline]
pub fn is_wanted(state: &State, event: &Event) -> bool {
    match *event {
        Event::DeadlineCame(id) => {
            let frame = state.frames.get(id.index, id.generation);
            frame.is_some_and(|frame| frame.caller != Caller::Nobody)
        }
        Event::PatienceEnded(id) => connections::waits(state, id),
        _ => true,
    }
}

/// A caller gives an attempt up; the callee works on.
pub fn timed_out(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    let caller = std::mem::replace(&mut frame.caller, Caller::Nobody);
    let copy = *frame;
    note_given_up(state, cx, &copy);
    if !state.program.pools.is_empty() {
        connections::given_up(state, cx, id);
    }
    if !state.program.balancing_of.is_empty() {
        balancing::ended(state, cx.agenda.active(), id.index, true);
    }
    if !state.program.breaker_of.is_empty() {
        breaking::ended(state, cx.agenda.active(), id.index, true);
    }
    forget_if_orphan(state, cx, id);
    attempt_failed(state, cx, caller, &copy, Cause::Timeout);
}

/// Takes down that a call is given up, unless its failure is on its way already.
fn note_given_up(state: &State, cx: &mut Context, frame: &Frame) {
    let whose = (frame.sent, frame.weight);
    match state.program.calls[frame.call as usize].target {
        TargetCode::External(external) => {
            cx.seen.external_given_up(external as usize, whose, frame.failed);
        }
        TargetCode::Operation(operation) if frame.failed.is_none() => {
            let workload = state.program.operations[operation as usize].workload as usize;
            if frame.phase == Phase::Answering {
                cx.seen.answered_late(workload, whose);
            } else {
                cx.seen.call_failed(workload, whose, Cause::Timeout);
            }
        }
        TargetCode::Operation(_) => {}
    }
}

/// Frees a frame that nobody waits for and that nothing will come to.
fn forget_if_orphan(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return };
    if frame.caller == Caller::Nobody && frame.phase == Phase::Lost {
        state.frames.remove(id.index, id.generation);
        let_go(state, cx, id, true);
    }
}

/// Gives free places of a pod to its queue, and sees to the station's next end.
pub fn fill(state: &mut State, cx: &mut Context, id: PodId) {
    loop {
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
        let places = state.program.serving[pod.workload as usize].places;
        if pod.queue.is_empty() || pod.in_progress >= places {
            return settle(pod, &mut state.cpus, cx, id);
        }
        if let Some(next) = pod.queue.pop_front() {
            begin(state, cx, next, id);
        }
    }
}

/// Sees to a pod whose places nobody else can take now: its station's next end, and
/// whether it has nothing left to do.
#[expect(clippy::inline_always, reason = "seven times for a request of three hops")]
#[inline(always)]
fn settle(pod: &mut Pod, cpus: &mut [NodeCpu], cx: &mut Context, id: PodId) {
    watch_pod(pod, cpus, cx, id);
    if pod.has_drained() {
        cx.raise(Event::PodDrained(id));
    }
}

/// Ends every call in a pod: at once with `cause`, or never (`None`) when its
/// node has died and nobody is left to say so.
pub fn cut_off(state: &mut State, cx: &mut Context, pod_id: PodId, cause: Option<Cause>) {
    let here =
        |frame: &Frame| frame.pod == pod_id && (frame.phase.holds_place() || frame.phase == Phase::Queued);
    let hit: Vec<FrameId> = state
        .frames
        .iter()
        .filter(|(_, _, frame)| here(frame))
        .map(|(index, generation, _)| FrameId { index, generation })
        .collect();
    if state.has_usage {
        state.settle_sample(pod_id, cx.now());
    }
    if let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation) {
        pod.station.clear(cx.agenda.active());
        pod.queue.clear();
        watch(state, cx, pod_id);
    }
    for id in hit {
        if let Some(cause) = cause {
            fail(state, cx, id, cause);
        } else {
            if let Some(frame) = state.frames.get_mut(id.index, id.generation) {
                frame.phase = Phase::Lost;
            }
            forget_if_orphan(state, cx, id);
        }
    }
    if let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation) {
        pod.in_progress = 0;
    }
    if !state.program.pools.is_empty() {
        hang_up(state, cx, pod_id, cause.is_some());
    }
}

/// A pod's process is cut off: its connections end with it, and those who had opened
/// some to it learn of that if they are `told`.
fn hang_up(state: &mut State, cx: &mut Context, pod_id: PodId, told: bool) {
    if told {
        connections::close_to(state, cx, pod_id);
    }
    // A process that hangs is still there.
    if state.pod(pod_id).is_none_or(|pod| told || !pod.runs()) {
        connections::close_from(state, cx, pod_id);
    }
}
