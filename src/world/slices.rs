//! Sliced time: requests of calm times are simulated for a slice of every few
//! seconds, and stand still in between.
//!
//! Nothing about the control plane is skipped. Kubelets, metrics-server, HPAs,
//! the scheduler and the controllers go on through every second; while requests
//! stand still their pods use the CPU that the load costs by experience. The
//! requests go on where they stood, so that a slice needs no time to settle, and
//! each counts as many times as its slice's time stands for.
//!
//! That is right as long as nothing moves. Whatever does (`Event::stirs`, a drill
//! ahead, a load that changes, a queue, a pod or node that is nearly full, refused
//! calls) ends it at once, and everything is simulated until it has been calm for
//! a while.

use crate::scenario::Population;
use crate::units::{MilliCpu, SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::kubelet;
use crate::world::pace::{Cost, Costs, Done, PERIOD, Stage, slice_for, while_skipped};
use crate::world::state::{Pod, State};
use crate::world::users::{self, load};

/// Nothing may have moved for so long before time is skipped.
const CALM: SimDuration = SimDuration::from_secs(10);
/// Everything is simulated from so long before a drill on: what is under way when
/// it strikes must be requests that stand for themselves.
const BEFORE_DRILL: SimDuration = SimDuration::from_secs(15);
/// How often a run in full is looked at.
const LOOK: SimDuration = SimDuration::from_secs(1);
/// The load may change by so much within a period.
const SLOPE: f64 = 0.02;
/// Pods and nodes may be so busy. What waits there forgets an earlier load within about
/// (1 - √0.85)⁻² = 164 service times (the relaxation time of a single server): for pods
/// that work some milliseconds on a request these are ten slices, so that what slices see
/// is what their own load makes of the pods.
const BUSY: f64 = 0.85;
/// So many requests may wait for a place in a pod.
const QUEUE: usize = 8;
/// So many standard deviations above their mean the jobs of a workload's pods may be.
const BEHIND: f64 = 4.0;
/// One in so many calls may be given up.
const TIMEOUTS: u64 = 50;

/// The first look of a run.
pub fn begin(state: &mut State, cx: &mut Context) {
    if state.pace.may_skip {
        look_in(state, cx, LOOK);
    }
}

/// A drill is coming: everything is simulated around it.
pub fn around_drill(state: &mut State, at: SimTime, lasts: Option<SimDuration>) {
    let from = SimTime::ZERO + at.since(SimTime::ZERO).saturating_sub(BEFORE_DRILL);
    state.pace.drills.push((from, at + lasts.unwrap_or_default() + CALM));
}

fn look_in(state: &mut State, cx: &mut Context, delay: SimDuration) {
    state.pace.stamp = state.pace.stamp.wrapping_add(1);
    cx.agenda.after(delay, Event::PaceLooked(state.pace.stamp));
}

/// Something moves: from now on everything is simulated.
pub fn stirred(state: &mut State, cx: &mut Context, event: Event) {
    let now = cx.now();
    state.pace.stirred = now;
    if matches!(event, Event::DrillStruck(_) | Event::DrillEnded(_)) {
        // What requests cost may be another from now on.
        state.pace.costs = Costs::default();
    }
    match state.pace.stage {
        Stage::Full => {}
        Stage::Skipping => {
            end_skip(state, cx);
            state.pace.debt += now.since(state.pace.skip_began);
            go_full(state, cx);
        }
        Stage::Slice => {
            // What is left of the slice will stand for itself alone.
            let left = state.pace.slice.saturating_sub(cx.agenda.active().since(state.pace.since));
            state.pace.debt += left * u64::from(cx.seen.weight() - 1);
            weigh(state, cx, 1);
            go_full(state, cx);
        }
    }
}

fn go_full(state: &mut State, cx: &mut Context) {
    state.pace.stage = Stage::Full;
    mark(state, cx);
    look_in(state, cx, LOOK);
}

/// A look at how things stand.
pub fn looked(state: &mut State, cx: &mut Context, stamp: u32) {
    if stamp != state.pace.stamp {
        return;
    }
    if state.pace.stage == Stage::Skipping {
        begin_slice(state, cx);
        return;
    }
    let costs = learn(state, cx);
    weigh(state, cx, 1);
    if is_calm(state, cx)
        && let Some((slice, times)) = state.pace.costs.slice(load(state, cx.now()))
    {
        let skip = slice * u64::from(times - 1);
        skip_time(state, cx, costs.as_deref(), skip);
        state.pace.slice = slice;
        look_in(state, cx, skip);
    } else {
        go_full(state, cx);
    }
}

/// Requests stand still for `skip` from now on.
fn skip_time(state: &mut State, cx: &mut Context, costs: Option<&[Cost]>, skip: SimDuration) {
    let now = cx.now();
    let ran = cx.agenda.active().since(state.pace.since).as_secs_f64();
    let share = ran / (ran + skip.as_secs_f64());
    let ahead = load(state, now + skip / 2);
    for workload in 0..state.workloads.len() {
        let measured = costs.map(|costs| costs[workload]);
        let known = state.pace.costs.a_second(workload, ahead);
        let Some(expected) = known.or(measured) else { continue };
        // What was not measured differed from nothing.
        let measured = measured.unwrap_or(expected);
        let all = while_skipped(expected.cpu, measured.cpu, share);
        let calls = while_skipped(expected.calls, measured.calls, share);
        let leaked =
            lost(state, workload).saturating_sub(state.pace.before[workload].lost) as f64 / ran.max(1e-9);
        let takes = |pod: &Pod| pod.ready && !pod.deleting;
        let ids = &state.workloads[workload].pods;
        let count =
            ids.iter().filter(|id| state.pods.get(id.index, id.generation).is_some_and(takes)).count();
        for id in ids {
            let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
            let part = if takes(pod) { 1.0 / count as f64 } else { 0.0 };
            (pod.skipped.cores, pod.skipped.leak) = (all * part, leaked * part);
            pod.beside.pause(calls * part);
        }
    }
    if state.pace.stage == Stage::Full {
        users::leave_at_once(state);
    }
    state.pace.stage = Stage::Skipping;
    state.pace.skip_began = now;
    cx.agenda.pause();
}

/// Requests go on.
fn end_skip(state: &mut State, cx: &mut Context) {
    let took = cx.agenda.clocks().paused;
    for workload in &state.workloads {
        for id in &workload.pods {
            let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
            pod.beside.resume(took);
            pod.skipped.used += took.scale(pod.skipped.cores);
            pod.leaked += (pod.skipped.leak * took.as_secs_f64()) as u64;
            (pod.skipped.cores, pod.skipped.leak) = (0.0, 0.0);
        }
    }
    cx.agenda.resume();
}

/// A slice begins that stands for the time just skipped, and for a part of what
/// earlier skips left over when they were cut short.
fn begin_slice(state: &mut State, cx: &mut Context) {
    end_skip(state, cx);
    let passed = cx.now().since(state.pace.skip_began);
    let old = state.pace.debt.min(passed);
    state.pace.debt = state.pace.debt.saturating_sub(old);
    let (times, slice) = slice_for(passed + old, state.pace.slice);
    state.pace.stage = Stage::Slice;
    state.pace.slice = slice;
    weigh(state, cx, times);
    mark(state, cx);
    look_in(state, cx, slice);
}

/// The present moment stands for so many from now on.
fn weigh(state: &mut State, cx: &mut Context, times: u32) {
    if cx.seen.weight() == times {
        return;
    }
    // Quota periods until now count as many times as their own moment does.
    for workload in 0..state.workloads.len() {
        for at in 0..state.workloads[workload].pods.len() {
            let id = state.workloads[workload].pods[at];
            kubelet::report_use(state, cx, id);
        }
    }
    cx.seen.weigh(times);
}

/// CPU time of a workload's pods so far, without what was skipped.
fn used(state: &mut State, workload: usize, active: SimTime) -> SimDuration {
    let mut sum = SimDuration::ZERO;
    for id in &state.workloads[workload].pods {
        if let Some(pod) = state.pods.get_mut(id.index, id.generation) {
            sum += pod.station.used(active);
        }
    }
    sum
}

/// Calls that a workload's pods have got and made so far, without skipped time.
fn calls(state: &State, workload: usize) -> u64 {
    let pods = state.workloads[workload].pods.iter().filter_map(|&id| state.pod(id));
    pods.map(|pod| pod.beside.passed(pod.requests)).sum()
}

/// Memory that a workload's pods have lost so far.
fn lost(state: &State, workload: usize) -> u64 {
    state.workloads[workload].pods.iter().filter_map(|&id| state.pod(id)).map(|pod| pod.leaked).sum()
}

/// A stretch begins that will be measured.
fn mark(state: &mut State, cx: &mut Context) {
    let active = cx.agenda.active();
    state.pace.since = active;
    state.pace.was_steady = are_steady(state, active);
    let count = state.workloads.len();
    let done =
        |one| Done { used: used(state, one, active), calls: calls(state, one), lost: lost(state, one) };
    state.pace.before = (0..count).map(done).collect();
}

/// Measures the stretch that ends now: what each workload did a second; `None` where that
/// says nothing.
fn learn(state: &mut State, cx: &mut Context) -> Option<Vec<Cost>> {
    let active = cx.agenda.active();
    let seconds = active.since(state.pace.since).as_secs_f64();
    let trouble = cx.seen.take_trouble();
    let frames = state.frames.len();
    let grown = frames > state.pace.in_flight + state.pace.in_flight / 4 + 200;
    state.pace.in_flight = frames;
    if trouble.refused > 0 || trouble.timeouts * TIMEOUTS > trouble.asked || grown {
        state.pace.stirred = cx.now();
    }
    let count = state.workloads.len();
    let known = state.pace.before.len() == count && seconds > 0.0;
    // Pods that came or went make sums over pods mean nothing, and start-ups and cold pods
    // are no part of what the load costs.
    let steady = state.pace.was_steady && are_steady(state, active);
    if !known || !steady || cx.now().since(state.pace.stirred) < LOOK * 2 {
        return None;
    }
    let cost = |one: usize| {
        let (cpu, all) = (used(state, one, active), calls(state, one));
        let before = &state.pace.before[one];
        let cpu = cpu.saturating_sub(before.used).as_secs_f64();
        Cost { cpu, calls: all.saturating_sub(before.calls) as f64 }
    };
    let costs: Vec<Cost> = (0..count).map(cost).collect();
    let load = load(state, cx.now());
    let times = f64::from(cx.seen.weight());
    state.pace.costs.learn(load, (seconds, times), trouble.asked, &costs);
    Some(costs.iter().map(|one| Cost { cpu: one.cpu / seconds, calls: one.calls / seconds }).collect())
}

/// Whether nothing moves, and nothing will within a period.
fn is_calm(state: &State, cx: &Context) -> bool {
    let now = cx.now();
    let end = SimTime::ZERO + state.scenario.warm_up + state.scenario.horizon;
    now.since(state.pace.stirred) >= CALM
        && !state.pace.drill_near(now, PERIOD)
        && now + PERIOD * 2 < end
        && is_level(state, now)
        && are_steady(state, cx.agenda.active())
        && has_room(state, now)
}

/// Whether the load stays what it is for a period.
fn is_level(state: &State, now: SimTime) -> bool {
    let (here, there) = (load(state, now), load(state, now + PERIOD));
    let (Population::Users { shape, .. } | Population::Rate { shape, .. }) =
        &state.scenario.demand.population;
    let (peak, present) = (shape.peak(now, now + PERIOD), shape.at(now).max(shape.at(now + PERIOD)));
    here > 0.0 && (there / here - 1.0).abs() <= SLOPE && peak <= present * (1.0 + SLOPE)
}

/// Whether all pods are.
fn are_steady(state: &State, active: SimTime) -> bool {
    state.workloads.iter().all(|workload| workload.pods.iter().all(|&id| is_steady(state.pod(id), active)))
}

/// Whether a pod is ready and warm and its queue short, or takes no part in anything: it
/// has no node to be ready on, or is to go and has nothing left to do.
fn is_steady(pod: Option<&Pod>, active: SimTime) -> bool {
    pod.is_none_or(|pod| {
        if pod.deleting {
            return pod.in_progress == 0 && pod.queue.is_empty();
        }
        let settled = pod.node.is_none() || pod.ready;
        settled && !pod.hangs && pod.warm_at <= active && pod.queue.len() <= QUEUE
    })
}

/// As many jobs as `servers` may have without being behind while `cores` of `room` work. A
/// server that shares itself evenly has a geometric number of them whatever the
/// distribution of their work: ρ ÷ (1 - ρ) in the mean, with the variance ρ ÷ (1 - ρ)²
/// (Kleinrock, Queueing Systems II, 4.4).
fn usual_jobs(servers: f64, cores: f64, room: f64) -> f64 {
    let utilisation = if room > 0.0 { (cores / room).min(BUSY) } else { 0.0 };
    let working = servers * utilisation;
    (working + BEHIND * working.sqrt()) / (1.0 - utilisation)
}

/// Whether pods and nodes can carry the load of the next period with some to
/// spare, and aren't behind with it.
fn has_room(state: &State, now: SimTime) -> bool {
    let ahead = load(state, now).max(load(state, now + PERIOD));
    let mut nodes = vec![0.0; state.nodes.len()];
    for (number, workload) in state.workloads.iter().enumerate() {
        let Some(Cost { cpu: cores, .. }) = state.pace.costs.a_second(number, ahead) else { return false };
        let threads = state.scenario.workloads[number].behaviour.threads.map_or(f64::MAX, f64::from);
        let limit = workload.cpu_limit.map_or(f64::MAX, MilliCpu::as_cores);
        let (mut room, mut pods, mut wanting) = (0.0, 0, 0);
        for pod in workload.pods.iter().filter_map(|&id| state.pod(id)).filter(|pod| !pod.deleting) {
            let Some(node) = pod.node else { continue };
            room += threads.min(limit).min(state.cpu_of(node).as_cores());
            pods += 1;
            wanting += pod.station.len();
            nodes[node as usize] += cores / f64::from(workload.ready.max(1));
        }
        let busy = cores > room * BUSY;
        if busy || wanting as f64 > usual_jobs(f64::from(pods).max(room), cores, room).max(QUEUE as f64) {
            return false;
        }
    }
    let fits = |(node, used): (usize, &f64)| *used <= state.cpu_of(node as u32).as_cores() * BUSY;
    nodes.iter().enumerate().all(fits)
}
