//! Who asks: users with think times, or journeys that start at a rate.

use crate::observe::Cause;
use crate::scenario::{Population, Replay};
use crate::sim::random::{below, draw, unit};
use crate::units::{SimDuration, SimTime};
use crate::world::context::{Context, alarm};
use crate::world::event::Event;
use crate::world::frames::Caller;
use crate::world::population::{newcomer, time_at};
use crate::world::program::VisitCode;
use crate::world::requests;
use crate::world::state::State;

/// How often the number of users follows the shape.
const FOLLOW: SimDuration = SimDuration::from_secs(1);
/// Over how long a piece of the rate's shape is bounded at a time.
const PIECE: SimDuration = SimDuration::from_secs(10);

/// So many think times are drawn to meet one by its length.
const MET: usize = 64;

/// What a draw of a user is for.
pub mod purpose {
    /// Which journey.
    pub const JOURNEY: u64 = 1 << 40;
    /// How long to think.
    pub const THINK: u64 = 2 << 40;
    /// The key of a request.
    pub const REQUEST: u64 = 3 << 40;
    /// Where in a journey a user is met first.
    pub const PLACE: u64 = 4 << 40;
    /// Whether a recorded journey is made once more.
    pub const AGAIN: u64 = 5 << 40;
}

/// The first users and arrivals of a run.
pub fn begin(state: &mut State, cx: &mut Context) {
    if !state.scenario.has_users() {
        return;
    }
    match &state.scenario.demand.population {
        Population::Users { .. } => {
            let wanted = wanted_now(state, cx.now());
            state.users.wanted = wanted;
            for user in 0..wanted {
                state.users.all.push(newcomer(draw(state.users.key, u64::from(user))));
                meet_midway(state, cx, user);
            }
            cx.agenda.after(FOLLOW, Event::PopulationChanged);
        }
        Population::Rate { .. } => next_arrival(state, cx),
    }
}

/// How many users the shape asks for.
fn wanted_now(state: &State, now: SimTime) -> u32 {
    match &state.scenario.demand.population {
        Population::Users { .. } => load(state, now).round().max(0.0) as u32,
        Population::Rate { .. } => 0,
    }
}

/// The load at a moment: users, or journeys a second.
pub fn load(state: &State, at: SimTime) -> f64 {
    load_at(state, state.scenario.demand.level(at), at)
}

/// The same where the shape has this value.
fn load_at(state: &State, level: f64, at: SimTime) -> f64 {
    let peak = match &state.scenario.demand.population {
        Population::Users { peak, .. } => *peak,
        Population::Rate { peak_per_second, .. } => *peak_per_second,
    };
    peak * level * state.broken.surge(at)
}

/// The most users that there were at a time from one moment to the present one: those who
/// are there, or as many as the shape asked for between. A day's peak is a moment, which no
/// look at every so often finds.
pub fn most(state: &State, (from, now): (SimTime, SimTime)) -> f64 {
    let demand = &state.scenario.demand;
    let present = state.users.present();
    if !state.scenario.has_users() || now < SimTime::ZERO + demand.ramp_in {
        return present;
    }
    let (Population::Users { shape, .. } | Population::Rate { shape, .. }) = &demand.population;
    let asked = load_at(state, shape.peak(from, now), now);
    let users = match &demand.population {
        Population::Users { .. } => asked.round(),
        Population::Rate { .. } => state.users.standing_for(asked).unwrap_or(present),
    };
    present.max(users)
}

/// The number of users follows its shape: newcomers start, surplus users leave
/// at the end of their thinking.
pub fn population_changed(state: &mut State, cx: &mut Context) {
    let wanted = wanted_now(state, cx.now());
    let before = std::mem::replace(&mut state.users.wanted, wanted);
    // The first look after the ramp's end still finds some who came on it.
    let in_ramp = cx.now() < SimTime::ZERO + state.scenario.demand.ramp_in + FOLLOW;
    for user in before..wanted {
        if user as usize == state.users.all.len() {
            state.users.all.push(newcomer(draw(state.users.key, u64::from(user))));
        }
        let one = &mut state.users.all[user as usize];
        if one.present {
            continue;
        }
        if one.thinking {
            // Left while time was skipped, and is back before the next request.
            one.present = true;
            state.users.count += 1;
        } else if state.pace.is_sliced() || in_ramp {
            meet_midway(state, cx, user);
        } else {
            start_journey(state, cx, user, true);
        }
    }
    if state.pace.is_sliced() {
        for user in wanted..before {
            leave_if_thinking(state, user);
        }
    }
    cx.agenda.after(FOLLOW, Event::PopulationChanged);
}

/// Thinking goes by the clock of requests: where that stands still most of the
/// time, users who are to go would stay for hours. They leave in mid-thought, as
/// they would have after it, and newcomers are met midway.
pub fn leave_at_once(state: &mut State) {
    if matches!(state.scenario.demand.population, Population::Users { .. }) {
        for user in state.users.wanted..state.users.all.len() as u32 {
            leave_if_thinking(state, user);
        }
    }
}

fn leave_if_thinking(state: &mut State, user: u32) {
    let one = &state.users.all[user as usize];
    if one.present && one.thinking {
        leave(state, user);
    }
}

/// A user starts a journey: thinks before its first visit, or asks at once.
fn start_journey(state: &mut State, cx: &mut Context, user: u32, thinks: bool) {
    let one = &mut state.users.all[user as usize];
    if !one.present {
        one.present = true;
        state.users.count += 1;
    }
    let one = &mut state.users.all[user as usize];
    one.count += 1;
    let bits = draw(one.key, purpose::JOURNEY + u64::from(one.count));
    let journey = state.users.choose(bits);
    let one = &mut state.users.all[user as usize];
    one.visit = state.program.first_visit[journey as usize];
    one.left = state.program.visits[one.visit as usize].times;
    if thinks {
        think(state, cx, user);
    } else {
        ask(state, cx, user);
    }
}

/// A user of the first moment or of the ramp after it, or one who comes while time is
/// skipped, is met somewhere in the middle of a journey, thinking.
fn meet_midway(state: &mut State, cx: &mut Context, user: u32) {
    place_midway(state, user);
    think_on(state, cx, user);
}

/// Sets a user down somewhere in the middle of a journey. At a moment of chance more users
/// are met in long journeys than in short ones, and at visits that take long: journey and
/// visit are drawn by the time spent there. With the journeys' own weights a run in slices,
/// whose newcomers seldom finish a journey, would see too many of the short ones.
fn place_midway(state: &mut State, user: u32) {
    let one = &state.users.all[user as usize];
    let (key, turn) = (one.key, u64::from(one.count));
    let journey = state.users.met_in(draw(key, purpose::JOURNEY + turn));
    let visits = &state.scenario.demand.journeys[journey as usize].visits;
    let all: f64 = visits.iter().map(time_at).sum();
    let mut point = unit(draw(key, purpose::PLACE + turn * 3)) * all;
    let mut at = 0;
    while at + 1 < visits.len() && point >= time_at(&visits[at]) {
        point -= time_at(&visits[at]);
        at += 1;
    }
    let done = below(draw(key, purpose::PLACE + turn * 3 + 1), u64::from(visits[at].times)) as u16;
    let one = &mut state.users.all[user as usize];
    one.present = true;
    one.visit = state.program.first_visit[journey as usize] + at as u32;
    one.left = visits[at].times - done;
    state.users.count += 1;
}

/// A user met midway thinks on. At a moment of chance one is met in a long think
/// time rather than in a short one: one of several is drawn by its length, and a
/// part of that is left. Were it any shorter, a slice that meets the newcomers of
/// a whole period would see too many requests.
fn think_on(state: &mut State, cx: &mut Context, user: u32) {
    let one = &mut state.users.all[user as usize];
    one.count += 1;
    one.thinking = true;
    let key = draw(one.key, purpose::THINK + u64::from(one.count));
    let sampler = &state.program.samplers[state.program.visits[one.visit as usize].think as usize];
    let times: [SimDuration; MET] = std::array::from_fn(|turn| sampler.at(draw(key, turn as u64)));
    let sum: f64 = times.iter().map(|time| time.as_secs_f64()).sum();
    let mut point = unit(draw(key, purpose::PLACE)) * sum;
    let met = times.iter().find(|time| {
        point -= time.as_secs_f64();
        point <= 0.0
    });
    let left = met.unwrap_or(&times[0]).scale(unit(draw(key, purpose::PLACE + 1)));
    cx.agenda.after_active(left, Event::UserThought(user));
}

/// A user thinks before the next request.
fn think(state: &mut State, cx: &mut Context, user: u32) {
    let one = &mut state.users.all[user as usize];
    one.count += 1;
    one.thinking = true;
    let sampler = &state.program.samplers[state.program.visits[one.visit as usize].think as usize];
    let time = sampler.at(draw(one.key, purpose::THINK + u64::from(one.count)));
    cx.agenda.after_active(time, Event::UserThought(user));
}

/// Fetches a user from memory who will have thought soon, or gets an answer that took long. A
/// hundred thousand of them don't fit a cache; fetched many at a time they come side by side,
/// where each would be waited for when it asks.
#[inline]
pub fn fetch(state: &State, event: &Event) {
    let user = match *event {
        Event::UserThought(user) => user,
        Event::AnswerArrived(id) => match requests::asked_by(state, id) {
            Some(user) => user,
            None => return,
        },
        _ => return,
    };
    std::hint::black_box(state.users.all[user as usize].count);
}

/// A user has thought: asks, or leaves if there are too many.
pub fn thought(state: &mut State, cx: &mut Context, user: u32) {
    let one = &mut state.users.all[user as usize];
    one.thinking = false;
    if !one.present {
        return;
    }
    if leaves(state, user) {
        leave(state, user);
    } else {
        ask(state, cx, user);
    }
}

/// Whether a user of a closed population is one too many.
fn leaves(state: &State, user: u32) -> bool {
    matches!(state.scenario.demand.population, Population::Users { .. }) && user >= state.users.wanted
}

fn leave(state: &mut State, user: u32) {
    state.users.all[user as usize].present = false;
    state.users.count -= 1;
}

/// A user sends a request.
fn ask(state: &mut State, cx: &mut Context, user: u32) {
    let one = &mut state.users.all[user as usize];
    one.count += 1;
    (one.asked, one.weight) = (cx.agenda.active(), cx.seen.weight());
    let key = draw(one.key, purpose::REQUEST + u64::from(one.count));
    let VisitCode { call, journey, .. } = state.program.visits[one.visit as usize];
    cx.seen.request_arrived(journey as usize, one.asked);
    requests::send(state, cx, Caller::User(user), call, 0, key);
}

/// A user got the answer.
pub fn answered(state: &mut State, cx: &mut Context, user: u32) {
    let one = &state.users.all[user as usize];
    let latency = cx.agenda.active().since(one.asked);
    let journey = state.program.visits[one.visit as usize].journey;
    cx.seen.request_answered(journey as usize, one.asked, one.weight, latency);
    go_on(state, cx, user);
}

/// A user's request failed for good; the journey goes on all the same, as people
/// reload and click on.
pub fn failed(state: &mut State, cx: &mut Context, user: u32, cause: Cause) {
    let one = &state.users.all[user as usize];
    let journey = state.program.visits[one.visit as usize].journey;
    cx.seen.request_failed(journey as usize, one.asked, one.weight, cause);
    go_on(state, cx, user);
}

/// The next request of the journey, the next journey, or the end.
fn go_on(state: &mut State, cx: &mut Context, user: u32) {
    if state.pace.is_sliced() && leaves(state, user) {
        leave(state, user);
        return;
    }
    let one = &mut state.users.all[user as usize];
    one.left -= 1;
    if one.left == 0 {
        if state.program.visits[one.visit as usize].is_last {
            end_journey(state, cx, user);
            return;
        }
        one.visit += 1;
        one.left = state.program.visits[one.visit as usize].times;
    }
    think(state, cx, user);
}

/// A closed population's user starts over; an open one's is gone.
fn end_journey(state: &mut State, cx: &mut Context, user: u32) {
    match state.scenario.demand.population {
        Population::Users { .. } if leaves(state, user) => leave(state, user),
        Population::Users { .. } => start_journey(state, cx, user, true),
        Population::Rate { .. } => {
            leave(state, user);
            state.users.free.push(user);
        }
    }
}

/// A journey of an open population may start: candidates come at the rate's
/// local maximum, and each is kept with the share the rate has of it (thinning,
/// Lewis and Shedler 1979).
pub fn journey_due(state: &mut State, cx: &mut Context) {
    let bound = state.users.candidate_at;
    state.users.rate = load(state, cx.now());
    if bound > 0.0 && cx.streams.arrivals.unit() * bound < state.users.rate {
        let user = state.users.take_place();
        start_journey(state, cx, user, false);
    }
    next_arrival(state, cx);
}

/// Puts the next candidate in; where none comes within a piece of the shape, before the
/// modulation's next state and before a record begins, looks again at that moment.
fn next_arrival(state: &mut State, cx: &mut Context) {
    let begins = match &state.scenario.demand.replay {
        None => SimTime::NEVER,
        Some(_) => SimTime::ZERO + state.scenario.warm_up,
    };
    if cx.now() >= begins {
        return replay(state, cx, begins);
    }
    let Population::Rate { peak_per_second, shape, modulation, .. } = &state.scenario.demand.population
    else {
        return;
    };
    let now = cx.now();
    let factor = state.users.spell.factor(modulation, now, &mut cx.streams.modulation);
    let piece = PIECE.min(state.users.spell.until.min(begins).since(now));
    // A piece may last much longer than it says where time is skipped.
    let until = if state.pace.may_skip { SimTime::NEVER } else { now + piece };
    let bound = peak_per_second * shape.peak(now, until) * state.broken.most_surge();
    let gap = -libm::log(1.0 - cx.streams.arrivals.unit()) / (bound * factor);
    let within = gap < piece.as_secs_f64();
    state.users.candidate_at = if within { bound } else { 0.0 };
    let wait = if within { SimDuration::from_secs_f64(gap) } else { piece };
    cx.agenda.set_alarm(alarm::ARRIVAL, cx.agenda.active() + wait);
}

/// Starts the recorded journeys that are due, and puts the next one in.
#[cold]
fn replay(state: &mut State, cx: &mut Context, begins: SimTime) {
    let Some(Replay { starts, peak_per_second }) = state.scenario.demand.replay.as_ref() else { return };
    let Population::Rate { peak_per_second: asked, .. } = state.scenario.demand.population else { return };
    let now = cx.now();
    let times = asked / peak_per_second * state.broken.surge(now);
    while let Some(start) = starts.get(state.users.replayed) {
        if begins + *start > now {
            let wait = (begins + *start).since(now);
            return cx.agenda.set_alarm(alarm::ARRIVAL, cx.agenda.active() + wait);
        }
        // The same number decides at every load: what a light one has, a heavier one has, too.
        let even = unit(draw(state.users.key, purpose::AGAIN + state.users.replayed as u64));
        state.users.replayed += 1;
        for _ in 0..(times + even) as u64 {
            let user = state.users.take_place();
            start_journey(state, cx, user, false);
        }
    }
}
