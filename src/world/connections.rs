//! Connections that a pod keeps open to the pods of another workload: who gets one,
//! who waits, and when they end.
//!
//! A connection is opened to the endpoint that is chosen for its first call, and leads
//! there until it ends. Whoever keeps connections is therefore not rebalanced: a new
//! pod gets what comes over new connections. A connection that is opened costs its
//! first call a round trip. It is counted at the pod that takes it from the moment it
//! arrives there until both sides have let go of it: a caller that gives a call up
//! closes the connection, and the callee, which works on, notices at the end.
//!
//! Connections end with the process on either side: idle ones at once, those in use
//! with their call. A process that has been told to end closes them the same way. What
//! a dead node's pods kept stays open for their callers, who learn of it by a timeout;
//! connections that such pods had opened themselves are let go of at once.
//!
//! Free connections are handed out last in, first out, as HikariCP's, pgx' and Go's
//! pools do. Connections that carry several calls get the next call where there are
//! fewest.

use crate::scenario::{Balancing, Pool};
use crate::sim::random::{draw, unit};
use crate::units::SimTime;
use crate::world::balancer::Whose;
use crate::world::balancing;
use crate::world::breaking;
use crate::world::context::Context;
use crate::world::endpoints;
use crate::world::event::Event;
use crate::world::frames::{Caller, Frame, NO_POD, Phase};
use crate::world::ids::{FrameId, PodId};
use crate::world::links::{Connection, Connections, Kept, NONE, Owner};
use crate::world::program::{NO_POOL, PoolCode};
use crate::world::state::State;

/// What a connection's own draw is for: its age.
const AGE: u64 = 1;

/// A pool of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Whose it is.
    pod: PodId,
    /// Its number among all pools of the program.
    pool: u32,
}

/// How a call gets to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// No connection is kept: it finds an endpoint of its own.
    Anew,
    /// Over a connection that is open.
    Over(PodId),
    /// Over a connection that it opens.
    Opening(PodId),
    /// There is no endpoint to open one to.
    Nobody,
    /// It waits for a connection.
    Waits,
    /// Too many wait already.
    Full,
}

/// What becomes of a call that reaches a pod over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The pod takes it.
    Taken,
    /// The pod has all the connections that it takes.
    TooMany,
    /// The process that the connection led to is gone.
    Reset,
}

/// Finds a way for a call that is sent now, or has it wait.
pub fn way(state: &mut State, cx: &mut Context, id: FrameId) -> Way {
    let Some(frame) = state.frames.get(id.index, id.generation) else { return Way::Anew };
    let pool = state.program.pool_of[frame.call as usize];
    let Caller::Frame(parent) = frame.caller else { return Way::Anew };
    let Some(parent) = state.frames.get(parent.index, parent.generation) else { return Way::Anew };
    let place = Place { pod: parent.pod, pool };
    if pool == NO_POOL || state.pod(place.pod).is_none_or(|pod| !pod.runs()) {
        return Way::Anew;
    }
    let code = state.program.pools[pool as usize];
    // Those who wait already come first.
    if kept(state, place).live == 0 {
        let found = take(state, cx, id, place);
        if found != Way::Waits {
            note_wait(state, cx, id, place);
            return found;
        }
    }
    let kept = kept(state, place);
    if kept.live >= code.queue {
        return Way::Full;
    }
    kept.live += 1;
    kept.waiting.push_back(id);
    if let Some(frame) = state.frames.get_mut(id.index, id.generation) {
        (frame.phase, frame.pod) = (Phase::Connecting, place.pod);
    }
    if let Some(lane) = code.patience {
        cx.agenda.in_lane(lane, Event::PatienceEnded(id));
    }
    forget_those_gone(state, place);
    Way::Waits
}

/// Notes how long a call has waited that has its connection now.
fn note_wait(state: &mut State, cx: &mut Context, id: FrameId, place: Place) {
    let now = cx.agenda.active();
    let count = kept(state, place).count;
    if let Some(frame) = state.frames.get(id.index, id.generation) {
        cx.seen.connection_found(place.pool as usize, frame.sent, (now.since(frame.sent), count));
    }
}

/// A pod's pool.
fn kept<'state>(state: &'state mut State, place: Place) -> &'state mut Kept {
    let (local, count) = local(state, place.pool);
    let owners = &mut state.connections.owners;
    let at = place.pod.index as usize;
    if owners.len() <= at {
        owners.resize_with(at + 1, Owner::default);
    }
    let owner = &mut owners[at];
    if owner.pools.is_empty() || owner.generation != place.pod.generation {
        let pools = (0..count).map(|_| Kept::default()).collect();
        *owner = Owner { generation: place.pod.generation, pools };
    }
    &mut owner.pools[local]
}

/// A pool's number among those of its workload, and how many these are.
fn local(state: &State, pool: u32) -> (usize, usize) {
    let from = state.program.pools[pool as usize].from as usize;
    let (first, end) = (state.program.first_pool[from], state.program.first_pool[from + 1]);
    ((pool - first) as usize, (end - first) as usize)
}

/// The pool that an event names by its pod and its number there; `None` when that
/// pod's process has ended since.
fn named(state: &State, pod: PodId, local: u16) -> Option<Place> {
    let workload = state.pod(pod)?.workload as usize;
    let pool = state.program.first_pool[workload] + u32::from(local);
    let owner = state.connections.owners.get(pod.index as usize)?;
    let is_there = owner.generation == pod.generation && !owner.pools.is_empty();
    is_there.then_some(Place { pod, pool })
}

/// Puts a call on a connection: one that is free, else a new one; [`Way::Waits`]
/// where there can be none.
fn take(state: &mut State, cx: &mut Context, id: FrameId, place: Place) -> Way {
    let now = cx.agenda.active();
    let code = state.program.pools[place.pool as usize];
    while let Some(at) = freest(state, place, &code) {
        let one = &mut state.connections.all[at as usize];
        let Some(to) = one.to.filter(|_| one.expires > now) else {
            end_soon(state, cx, at);
            continue;
        };
        one.in_use += 1;
        one.uses += 1;
        let (full, used_up) = (one.in_use == code.streams, one.uses == code.max_requests);
        if full {
            kept(state, place).no_longer_free(at);
        }
        if used_up {
            end_soon(state, cx, at);
        }
        hold(state, id, at);
        return Way::Over(to);
    }
    if kept(state, place).count >= code.size {
        return Way::Waits;
    }
    let Some(bits) = state.frames.get(id.index, id.generation).map(Frame::route) else {
        return Way::Waits;
    };
    let Some((at, to)) = open(state, cx, place, bits) else { return Way::Nobody };
    let one = &mut state.connections.all[at as usize];
    (one.in_use, one.uses) = (1, 1);
    one.ending = code.max_requests == 1;
    hold(state, id, at);
    Way::Opening(to)
}

/// The connection that gets the next call, if any can.
fn freest(state: &State, place: Place, code: &PoolCode) -> Option<u32> {
    let (local, _) = local(state, place.pool);
    let Connections { owners, all, .. } = &state.connections;
    let free = &owners[place.pod.index as usize].pools[local].free;
    if code.streams == 1 {
        return free.last().copied();
    }
    free.iter().copied().min_by_key(|at| all[*at as usize].in_use)
}

/// A call goes over a connection from now on.
fn hold(state: &mut State, id: FrameId, at: u32) {
    let held = &mut state.connections.held;
    if held.len() <= id.index as usize {
        held.resize(id.index as usize + 1, NONE);
    }
    held[id.index as usize] = at;
}

/// Opens a connection to an endpoint that `bits` choose; nobody has taken it yet.
fn open(state: &mut State, cx: &mut Context, place: Place, bits: u64) -> Option<(u32, PodId)> {
    let now = cx.agenda.active();
    let code = state.program.pools[place.pool as usize];
    let to = match code.balancing {
        (Balancing::Random, _) => endpoints::choose(state, code.to as usize, (false, NO_POD), bits)?,
        (by, number) => {
            balancing::next(state, cx, (Whose::Pod(place.pod, number), by, NO_POD), code.to as usize, bits)?.2
        }
    };
    let expires = code.max_age.map_or(SimTime::NEVER, |age| {
        now + age.scale(1.0 + Pool::JITTER * (2.0 * unit(draw(bits, AGE)) - 1.0))
    });
    let one = Connection {
        owner: Some(place.pod),
        pool: place.pool,
        to: Some(to),
        run: None,
        in_use: 0,
        uses: 0,
        expires,
        idle_since: now,
        ending: false,
        counted: true,
    };
    kept(state, place).count += 1;
    let Connections { all, closed, .. } = &mut state.connections;
    let at = closed.pop().unwrap_or_else(|| {
        all.push(one);
        all.len() as u32 - 1
    });
    all[at as usize] = one;
    Some((at, to))
}

/// A call has reached a pod.
pub fn arrive(state: &mut State, cx: &mut Context, id: FrameId, pod_id: PodId) -> Arrival {
    let held = state.connections.held.get(id.index as usize).copied();
    let Some(at) = held.filter(|at| *at != NONE) else { return Arrival::Taken };
    let one = state.connections.all[at as usize];
    let Some(pod) = state.pods.get(pod_id.index, pod_id.generation) else { return Arrival::Reset };
    if let Some(run) = one.run {
        return if run == pod.run { Arrival::Taken } else { Arrival::Reset };
    }
    if !be_taken(state, cx, at, pod_id) {
        return Arrival::TooMany;
    }
    let code = state.program.pools[one.pool as usize];
    if let Some(owner) = one.owner.filter(|_| code.streams != 1 && !one.ending) {
        let place = Place { pod: owner, pool: one.pool };
        kept(state, place).free.push(at);
        freed(state, cx, place);
    }
    Arrival::Taken
}

/// A pod takes a connection, or refuses it.
fn be_taken(state: &mut State, cx: &mut Context, at: u32, pod_id: PodId) -> bool {
    let one = &mut state.connections.all[at as usize];
    let code = state.program.pools[one.pool as usize];
    let Some(pod) = state.pods.get_mut(pod_id.index, pod_id.generation) else { return false };
    if pod.connections >= code.taken {
        cx.seen.connection_refused(one.pool as usize);
        return false;
    }
    pod.connections += 1;
    one.run = Some(pod.run);
    cx.seen.connection_opened(one.pool as usize, code.to as usize, pod.connections);
    true
}

/// A call is over for both sides: its connection is free again, or ends.
pub fn let_go(state: &mut State, cx: &mut Context, frame: u32) {
    let Some(held) = state.connections.held.get_mut(frame as usize) else { return };
    let at = std::mem::replace(held, NONE);
    if at == NONE {
        return;
    }
    let now = cx.agenda.active();
    let one = &mut state.connections.all[at as usize];
    one.in_use -= 1;
    one.idle_since = now;
    let one = *one;
    let serves =
        one.to.and_then(|to| state.pod(to)).is_some_and(|pod| pod.accepts() && Some(pod.run) == one.run);
    let owner = one.owner.filter(|_| serves && !one.ending && one.expires > now);
    let Some(owner) = owner else {
        end_soon(state, cx, at);
        return;
    };
    let place = Place { pod: owner, pool: one.pool };
    let code = state.program.pools[one.pool as usize];
    let kept = kept(state, place);
    if one.in_use + 1 == code.streams {
        kept.free.push(at);
    }
    let look = code.idle.filter(|_| one.in_use == 0 && !kept.look_due);
    if let Some(idle) = look {
        kept.look_due = true;
        let (local, _) = local(state, one.pool);
        cx.agenda.after_active(idle, Event::ConnectionsIdled(owner, local as u16));
    }
    freed(state, cx, place);
}

/// A caller gives a call up. It no longer waits for a connection; one that carries
/// this call alone it closes, and on one that carries several the others go on.
pub fn given_up(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    if frame.phase == Phase::Connecting {
        leave(state, id, Phase::Lost);
        return;
    }
    let held = state.connections.held.get(id.index as usize).copied();
    let Some(at) = held.filter(|at| *at != NONE) else { return };
    let one = &mut state.connections.all[at as usize];
    if state.program.pools[one.pool as usize].streams != 1 {
        let_go(state, cx, id.index);
        return;
    }
    let (owner, counted) = (one.owner.take(), std::mem::replace(&mut one.counted, false));
    let Some(pod) = owner else { return };
    let place = Place { pod, pool: one.pool };
    kept(state, place).count -= u32::from(counted);
    freed(state, cx, place);
}

/// A call no longer waits for a connection.
pub fn leave(state: &mut State, id: FrameId, phase: Phase) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    frame.phase = phase;
    let place = Place { pod: frame.pod, pool: state.program.pool_of[frame.call as usize] };
    kept(state, place).live -= 1;
}

/// Drops those who have given up, once they are more than those who wait: a queue that
/// nobody serves must not grow with every call.
fn forget_those_gone(state: &mut State, place: Place) {
    /// Fewer are not worth a look.
    const FEW: usize = 32;
    let kept = kept(state, place);
    if kept.waiting.len() <= 2 * kept.live as usize + FEW {
        return;
    }
    let mut waiting = std::mem::take(&mut kept.waiting);
    waiting.retain(|id| waits(state, *id));
    self::kept(state, place).waiting = waiting;
}

/// Whether a call waits for a connection.
pub fn waits(state: &State, id: FrameId) -> bool {
    state.frames.get(id.index, id.generation).is_some_and(|frame| frame.phase == Phase::Connecting)
}

/// Says that somebody who waits may have a connection now.
fn freed(state: &mut State, cx: &mut Context, place: Place) {
    if kept(state, place).live > 0 {
        let (local, _) = local(state, place.pool);
        cx.raise(Event::ConnectionFreed(place.pod, local as u16));
    }
}

/// The next call that waited and has a way now.
pub fn next(state: &mut State, cx: &mut Context, pod: PodId, local: u16) -> Option<(FrameId, Way)> {
    let place = named(state, pod, local)?;
    loop {
        let id = *kept(state, place).waiting.front()?;
        if !waits(state, id) {
            kept(state, place).waiting.pop_front();
            continue;
        }
        if !is_needed(state, id) {
            leave(state, id, Phase::Lost);
            state.frames.remove(id.index, id.generation);
            breaking::dropped(state, id.index);
            continue;
        }
        let found = take(state, cx, id, place);
        if found == Way::Waits {
            return None;
        }
        leave(state, id, Phase::Travelling);
        kept(state, place).waiting.pop_front();
        note_wait(state, cx, id, place);
        return Some((id, found));
    }
}

/// Whether the request that a call is made for still goes on.
fn is_needed(state: &State, id: FrameId) -> bool {
    let caller = state.frames.get(id.index, id.generation).map(|frame| frame.caller);
    let Some(Caller::Frame(parent)) = caller else { return false };
    state.frames.get(parent.index, parent.generation).is_some()
}

/// A connection takes no further call, and ends now or with those that it carries.
fn end_soon(state: &mut State, cx: &mut Context, at: u32) {
    let one = &mut state.connections.all[at as usize];
    if one.in_use == 0 {
        close(state, cx, at);
        return;
    }
    one.ending = true;
    let Some(pod) = one.owner else { return };
    let place = Place { pod, pool: one.pool };
    // One that carries several calls makes room at once for the one that follows it.
    let shared = state.program.pools[one.pool as usize].streams != 1;
    let counted = shared && std::mem::replace(&mut one.counted, false);
    let kept = kept(state, place);
    kept.no_longer_free(at);
    kept.count -= u32::from(counted);
    if counted {
        freed(state, cx, place);
    }
}

/// A connection is closed on both sides.
fn close(state: &mut State, cx: &mut Context, at: u32) {
    let one = &mut state.connections.all[at as usize];
    let (owner, to) = (one.owner.take(), one.to.take());
    let one = *one;
    state.connections.closed.push(at);
    if let Some(to) = to
        && let Some(pod) = state.pods.get_mut(to.index, to.generation)
        && one.run == Some(pod.run)
    {
        pod.connections -= 1;
    }
    if let Some(pod) = owner {
        let place = Place { pod, pool: one.pool };
        let kept = kept(state, place);
        kept.no_longer_free(at);
        kept.count -= u32::from(one.counted);
        freed(state, cx, place);
    }
}

/// A pod's process closes what others have opened to it: at its end, or because it
/// has been told to end.
pub fn close_to(state: &mut State, cx: &mut Context, pod: PodId) {
    for at in 0..state.connections.all.len() {
        let one = &state.connections.all[at];
        if one.to == Some(pod) && one.run.is_some() {
            end_soon(state, cx, at as u32);
        }
    }
}

/// A pod's process has ended: what it had opened is closed, and nobody waits there.
pub fn close_from(state: &mut State, cx: &mut Context, pod: PodId) {
    let Some(owner) = state.connections.owners.get_mut(pod.index as usize) else { return };
    if owner.generation != pod.generation {
        return;
    }
    for kept in std::mem::take(&mut owner.pools) {
        for id in kept.waiting {
            if waits(state, id) {
                state.frames.remove(id.index, id.generation);
            }
        }
    }
    for at in 0..state.connections.all.len() {
        let one = &mut state.connections.all[at];
        if one.owner != Some(pod) {
            continue;
        }
        one.owner = None;
        if one.in_use == 0 {
            close(state, cx, at as u32);
        }
    }
}

/// A process listens: it opens the connections that its pools keep at least.
pub fn open_first(state: &mut State, cx: &mut Context, pod_id: PodId) {
    let Some(pod) = state.pod(pod_id) else { return };
    let workload = pod.workload as usize;
    let key = draw(cx.seed.key("connections"), (u64::from(pod.uid) << 32) + u64::from(pod.run));
    for pool in state.program.first_pool[workload]..state.program.first_pool[workload + 1] {
        let place = Place { pod: pod_id, pool };
        for number in 0..state.program.pools[pool as usize].least {
            let bits = draw(key, (u64::from(pool) << 32) + u64::from(number));
            let Some((at, to)) = open(state, cx, place, bits) else { break };
            let listens = state.pod(to).is_some_and(|pod| pod.accepts() && !pod.hangs);
            if listens && be_taken(state, cx, at, to) {
                kept(state, place).free.push(at);
            } else {
                close(state, cx, at);
            }
        }
    }
}

/// Some connections may have been idle for too long.
pub fn idled(state: &mut State, cx: &mut Context, pod: PodId, local: u16) {
    let Some(place) = named(state, pod, local) else { return };
    let code = state.program.pools[place.pool as usize];
    let Some(idle) = code.idle else { return };
    let now = cx.agenda.active();
    let (mut number, mut next) = (0, SimTime::NEVER);
    while let Some(&at) = kept(state, place).free.get(number) {
        let one = state.connections.all[at as usize];
        let spare = one.in_use == 0 && kept(state, place).count > code.least;
        if spare && one.idle_since + idle <= now {
            close(state, cx, at);
            continue;
        }
        if spare {
            next = next.min(one.idle_since + idle);
        }
        number += 1;
    }
    kept(state, place).look_due = next != SimTime::NEVER;
    if next != SimTime::NEVER {
        cx.agenda.at_active(next, Event::ConnectionsIdled(pod, local));
    }
}
