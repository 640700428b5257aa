//! The kubelet: starts, probes, restarts and ends pods.
//!
//! A pod's work is done by its first container; the others count with their
//! requests and limits.

use crate::k8s::image_pull::Image;
use crate::k8s::placement::queue::Change;
use crate::k8s::probe::{self, ContainerView, Kind, Probe, Skip, Tick, View, Worker};
use crate::k8s::restart::{Policy, Restart};
use crate::k8s::termination::{End, Ending, endings};
use crate::observe::{Cause, MomentKind};
use crate::scenario::{Container, ReleaseFault, Workload};
use crate::service::Station;
use crate::sim::random::draw;
use crate::units::{SimDuration, SimTime};
use crate::world::connections;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::frames::{Caller, Frame, Phase};
use crate::world::ids::{FrameId, PodId};
use crate::world::requests::{self, START_UP};
use crate::world::state::{ContainerState, NodeLife, Pod, Sampled, State};
use crate::world::{endpoints, probing, scheduler, sharing, standing, usage, volumes, workloads};

/// The kubelet notices a container's end at its next relist (PLEG, 1 s).
const RELIST: SimDuration = SimDuration::from_secs(1);
/// From a change at the kubelet to the pod's status in the API.
const STATUS_LAG: SimDuration = SimDuration::from_millis(50);
/// Each ordinary init container costs another container start and its own run;
/// no published figure was found, so this is a guess.
const INIT_CONTAINER: SimDuration = SimDuration::from_secs(1);

/// The first wait after a failed image pull; doubled each time.
const PULL_BACK_OFF: SimDuration = SimDuration::from_secs(10);
/// The longest.
const PULL_BACK_OFF_MAX: SimDuration = SimDuration::from_secs(300);

/// So many kills for memory of a workload are looked into: each costs a look at every call in
/// progress, and the first tell what the others are about.
const LOOKED_INTO: u64 = 100;

const KINDS: [Kind; 3] = [Kind::Startup, Kind::Readiness, Kind::Liveness];
const STARTUP: usize = 0;
const READINESS: usize = 1;
/// The readiness worker, out of turn.
const OUT_OF_TURN: u8 = 3;

/// The container that does a pod's work.
fn serving<'a>(state: &State<'a>, workload: u32) -> &'a Container {
    state.spec(workload).template.containers.first().expect("input refuses pods without containers")
}

/// The probe of a kind.
fn probe_of(container: &Container, kind: usize) -> Option<&Probe> {
    [&container.startup, &container.readiness, &container.liveness][kind].as_ref()
}

/// A pod was bound to this kubelet's node: set-up begins, and its probe workers, unless a
/// dead node holds its volume.
pub fn bound(state: &mut State, cx: &mut Context, id: PodId) {
    let held = volumes::held_until(state, id, cx.now());
    let Some(pod) = state.pod_mut(id) else { return };
    let (workload, node) = (pod.workload, pod.node);
    let Some(node) = node else { return };
    pod.waits_for_volume = held.is_some();
    if let Some(until) = held {
        volumes::note_wait(state, cx, workload, until);
        cx.agenda.at(until, Event::VolumeFreed(id));
        return;
    }
    let mut set_up = cx.times.pod_start.at(cx.streams.starts.bits());
    let inits = state.spec(workload).template.init_containers.iter().filter(|init| !init.sidecar).count();
    set_up += INIT_CONTAINER * inits as u64;
    start_workers(state, cx, id);
    pull(state, cx, id, node, set_up);
}

/// The volume that a pod waits for may be attached to its node.
pub fn volume_freed(state: &mut State, cx: &mut Context, id: PodId) {
    let waits = |pod: &Pod| pod.waits_for_volume && !pod.deleting && !state.node_is_dead(pod.node);
    if state.pod(id).is_some_and(waits) {
        bound(state, cx, id);
    }
}

/// Pulls a pod's image after its `set_up` where the node doesn't have it, behind what
/// other pods on the node have asked for; its container starts after that.
fn pull(state: &mut State, cx: &mut Context, id: PodId, node: u32, set_up: SimDuration) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    let (workload, revision) = (pod.workload, state.release(pod));
    let takes = cx.times.image_pull.at(cx.streams.starts.bits());
    let (image, set_up) = ((workload, revision.image), now + set_up);
    let asks =
        !state.nodes[node as usize].images.holds(image, set_up) || serving(state, workload).always_pull;
    let missing = revision.release.fault == ReleaseFault::ImageMissing;
    if asks && (missing || state.broken.registry > now) {
        pull_failed(state, cx, id);
        return;
    }
    let images = &mut state.nodes[node as usize].images;
    let pulled = if asks { images.pull(image, set_up, takes) } else { set_up };
    cx.agenda.at(pulled, Event::ContainerStarted(id));
}

/// A bound pod's node and image.
fn image_of(state: &State, id: PodId) -> Option<(u32, Image)> {
    let pod = state.pod(id)?;
    Some((pod.node?, (pod.workload, state.release(pod).image)))
}

/// An image could not be pulled: ImagePullBackOff.
fn pull_failed(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod_mut(id) else { return };
    pod.failed_pulls += 1;
    let (first, workload) = (pod.failed_pulls == 1, pod.workload as usize);
    let wait = PULL_BACK_OFF * (1 << u64::from(pod.failed_pulls.min(10) - 1));
    cx.agenda.after(wait.min(PULL_BACK_OFF_MAX), Event::PullRetried(id));
    if first {
        let text = format!("{}: a pod's image can't be pulled", state.scenario.workloads[workload].name);
        cx.seen.moment(cx.agenda.now(), MomentKind::PullFailed, Some(workload), text);
    }
}

/// A failed pull is tried again.
pub fn pull_retried(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod(id) else { return };
    let Some(node) = pod.node else { return };
    if !pod.deleting && !state.node_is_dead(Some(node)) {
        pull(state, cx, id, node, SimDuration::ZERO);
    }
}

/// Makes a pod's probe workers; each ticks with its probe's period from now on.
pub fn start_workers(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod(id) else { return };
    let container = serving(state, pod.workload);
    let holds = state.rules.startup_success_hold;
    for (kind, name) in KINDS.into_iter().enumerate() {
        let Some(probe) = probe_of(container, kind) else { continue };
        if let Some(pod) = state.pod_mut(id) {
            pod.probes[kind] = Some(Worker::new(name, probe, holds));
        }
        cx.agenda.after(probe.period, Event::ProbeTicked(id, kind as u8));
    }
}

/// The container starts: its process begins to start up.
pub fn container_started(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    if pod.deleting || state.node_is_dead(pod.node) {
        return;
    }
    let workload = pod.workload;
    run_container(state, cx, id);
    let wait = cx.times.start_wait[workload as usize].at(cx.streams.starts.bits());
    let run = state.pod(id).map_or(0, |pod| pod.run);
    cx.agenda.at(now + wait, Event::StartUpWaited(id, run as u16));
    if state.pod(id).is_some_and(|pod| pod.started) {
        if serving(state, workload).readiness.is_none() {
            // Without a readiness probe a running container counts as ready.
            cx.agenda.after(STATUS_LAG, Event::StatusReported(id));
        } else {
            cx.agenda.after(RELIST / 2 + STATUS_LAG, Event::ProbeTicked(id, OUT_OF_TURN));
        }
    }
}

/// A fresh run of the container.
pub fn run_container(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    let (workload, uid, node) = (pod.workload, pod.uid, pod.node);
    let container = serving(state, workload);
    let behaviour = &state.spec(workload).behaviour;
    let limit = state.workloads[workload as usize].cpu_limit;
    let size = node.map(|node| state.cpu_of(node)).unwrap_or_default();
    let phase = draw(cx.seed.key("quota periods"), u64::from(uid));
    let station = Station::new(cx.agenda.active(), behaviour.threads, limit, size, phase);
    let Some(pod) = state.pod_mut(id) else { return };
    pod.station = station;
    pod.run += 1;
    pod.container = ContainerState::Running(now);
    pod.started = container.startup.is_none();
    pod.listens = false;
    pod.hangs = false;
    (pod.terminated, pod.ending) = (false, false);
    pod.leaked = 0;
    pod.connections = 0;
    pod.stressed = 0;
    pod.reported = super::state::Reported::default();
    pod.skipped = super::state::Skipped::default();
    pod.beside.begin(pod.requests);
    usage::share(state, cx, workload);
}

/// The start-up's waiting part is over: its CPU work begins, under the limit.
pub fn start_up_waited(state: &mut State, cx: &mut Context, id: PodId, run: u16) {
    let Some(pod) = state.pod_mut(id) else { return };
    if pod.run as u16 != run || !pod.runs() {
        return;
    }
    let work = cx.times.start_work[pod.workload as usize].at(cx.streams.starts.bits());
    if work == SimDuration::ZERO {
        listening(state, cx, id);
        return;
    }
    state.settle_sample(id, cx.now());
    let Some(pod) = state.pod_mut(id) else { return };
    pod.station.add(cx.agenda.active(), START_UP, work);
    sharing::watch(state, cx, id);
}

/// The process has started up: it accepts connections, unless it is broken.
pub fn listening(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod(id) else { return };
    let fault = state.release(pod).release.fault;
    let unprobed = serving(state, pod.workload).readiness.is_none();
    let crashes = pod.crash_loops || fault == ReleaseFault::CrashesOnStart;
    let warm_up = state.program.serving[pod.workload as usize].warm_up;
    if let Some(pod) = state.pod_mut(id) {
        pod.warm_at = warm_up.map_or(SimTime::ZERO, |warm_up| cx.agenda.active() + warm_up.lasts);
        let deaf = crashes || (unprobed && fault == ReleaseFault::NeverReady);
        pod.listens = !deaf;
    }
    if !state.program.pools.is_empty() && !crashes {
        connections::open_first(state, cx, id);
    }
    if crashes {
        container_ended(state, cx, id, Cause::PodEnded);
    }
}

/// The kubelet has looked at a pod's status anew: a container that has started and isn't
/// known to be ready is probed at once. Upstream: `UpdatePodStatus` in
/// `pkg/kubelet/prober/prober_manager.go`, in all releases that are covered.
fn probe_out_of_turn(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    let Some(probe) = &serving(state, pod.workload).readiness else { return };
    if state.node_is_dead(pod.node) {
        return;
    }
    let timeout = probe.timeout;
    let Some(pod) = state.pod_mut(id) else { return };
    let view = view_of(pod);
    let Some(worker) = &mut pod.probes[READINESS] else { return };
    if worker.step(&view, now) == Tick::Probe && worker.stored() != Some(probe::Outcome::Success) {
        ask(state, cx, id, READINESS, timeout);
    }
}

/// A probe worker ticks.
pub fn probe_ticked(state: &mut State, cx: &mut Context, id: PodId, kind: usize) {
    if kind == OUT_OF_TURN as usize {
        probe_out_of_turn(state, cx, id);
        return;
    }
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    let Some(probe) = probe_of(serving(state, pod.workload), kind) else { return };
    if state.node_is_dead(pod.node) {
        return;
    }
    let (period, timeout) = (probe.period, probe.timeout);
    let Some(pod) = state.pod_mut(id) else { return };
    let view = view_of(pod);
    let Some(worker) = &mut pod.probes[kind] else { return };
    let nothing_new = match worker.step(&view, now) {
        Tick::Exit => return,
        Tick::Skip(why) => matches!(why, Skip::OnHold | Skip::Started),
        Tick::Probe => {
            ask(state, cx, id, kind, timeout);
            true
        }
    };
    if state.has_usage && nothing_new && sleep(state, id, kind, now + period) {
        return;
    }
    cx.agenda.after(period, Event::ProbeTicked(id, kind as u8));
}

/// Lets a probe worker sleep from its last tick, whose result is known, where no
/// later one can change anything; whether it does. `next` is when it would tick.
fn sleep(state: &mut State, id: PodId, kind: usize, next: SimTime) -> bool {
    let Some(pod) = state.pod(id) else { return false };
    let well = pod.probes[kind].as_ref().is_some_and(Worker::is_well);
    let sleeps = well && probing::may_sleep(state, pod);
    if let Some(pod) = state.pod_mut(id).filter(|_| sleeps) {
        pod.asleep[kind] = next;
    }
    sleeps
}

/// What a probe worker looks at.
fn view_of(pod: &Pod) -> View {
    let state = match pod.container {
        ContainerState::Waiting => probe::ContainerState::Waiting,
        ContainerState::Running(since) => probe::ContainerState::Running { since },
        ContainerState::Ended => probe::ContainerState::Terminated { restarts: false },
    };
    let container =
        (pod.run > 0).then_some(ContainerView { id: u64::from(pod.run), state, started: pod.started });
    View { pod_ended: false, pod_deleting: pod.deleting, container }
}

/// Asks the container. One that has nothing else to do answers well at once: the
/// answer takes far less than any timeout.
fn ask(state: &mut State, cx: &mut Context, id: PodId, kind: usize, timeout: SimDuration) {
    let Some(pod) = state.pod(id) else { return };
    let never_ready = kind == READINESS && state.release(pod).release.fault == ReleaseFault::NeverReady;
    // At SIGTERM a process closes its socket; one that hangs takes no notice.
    let deaf = !pod.listens || (pod.terminated && !pod.hangs);
    let handler = probe_of(serving(state, pod.workload), kind).map(|probe| probe.handler);
    if deaf || never_ready || handler.is_some_and(|handler| !handler.asks_the_process()) {
        // The kernel takes connections for a process that hangs or is busy.
        probe_answered(state, cx, id, kind as u8, !(deaf || never_ready));
        return;
    }
    if pod.hangs {
        cx.agenda.after(timeout, Event::ProbeAnswered(id, kind as u8, false));
        return;
    }
    // While time is skipped every pod is well: it would not be skipped otherwise.
    let idle = pod.station.is_empty()
        || (state.has_usage && state.spec(pod.workload).usage.is_some() && probing::is_at_ease(state, pod));
    let at_rest = idle && pod.queue.is_empty() && pod.in_progress == 0;
    if at_rest || cx.agenda.is_paused() {
        probe_answered(state, cx, id, kind as u8, true);
        return;
    }
    let workload = pod.workload as usize;
    state.settle_sample(id, cx.now());
    let call = state.program.probe_calls[workload];
    let operation = state.program.operation_of(call);
    let frame = Frame {
        caller: Caller::Probe(kind as u8),
        call,
        attempt: 0,
        connections: 1,
        phase: Phase::Travelling,
        failed: None,
        pod: id,
        step: state.program.operations[operation as usize].first_step,
        outstanding: 0,
        key: 0,
        weight: 1,
        sent: cx.agenda.active(),
        arrived: cx.agenda.active(),
        begun: cx.agenda.active(),
    };
    let (index, generation) = state.frames.insert(frame);
    let frame = FrameId { index, generation };
    cx.agenda.after_active(timeout, Event::ProbeTimedOut(frame));
    requests::admit(state, cx, frame, id);
    sharing::watch(state, cx, id);
}

/// A probe was not answered in time: that is a failure; the answer, should it
/// still come, is for nobody.
pub fn probe_timed_out(state: &mut State, cx: &mut Context, id: FrameId) {
    let Some(frame) = state.frames.get_mut(id.index, id.generation) else { return };
    let Caller::Probe(kind) = frame.caller else { return };
    frame.caller = Caller::Nobody;
    let pod = frame.pod;
    probe_answered(state, cx, pod, kind, false);
}

/// A probe's result is in.
pub fn probe_answered(state: &mut State, cx: &mut Context, id: PodId, kind: u8, success: bool) {
    let Some(pod) = state.pod_mut(id) else { return };
    let Some(worker) = &mut pod.probes[kind as usize] else { return };
    match worker.answer(success) {
        probe::Change::Nothing => {}
        probe::Change::Stored(probe::Outcome::Success) if kind as usize == STARTUP => {
            pod.started = true;
            let unprobed = pod.probes[READINESS].is_none();
            let next = if unprobed { Event::StatusReported(id) } else { Event::ProbeTicked(id, OUT_OF_TURN) };
            cx.agenda.after(STATUS_LAG, next);
        }
        probe::Change::Stored(_) => cx.agenda.after(STATUS_LAG, Event::StatusReported(id)),
        probe::Change::Restart => kill_container(state, cx, id, kind),
    }
}

/// The pod's status reaches the API: its Ready condition follows the containers.
pub fn status_reported(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod(id) else { return };
    if state.node_is_dead(pod.node) {
        return;
    }
    let by_probe = match &pod.probes[READINESS] {
        Some(worker) => worker.stored() == Some(probe::Outcome::Success),
        None => true,
    };
    let ready = pod.runs() && pod.started && by_probe;
    let workload = pod.workload;
    let changed = set_ready(state, cx, id, ready);
    if changed && ready {
        let first = state.pod_mut(id).is_some_and(|pod| !std::mem::replace(&mut pod.was_ready, true));
        let created = state.pod(id).map_or(now, |pod| pod.created);
        if first && cx.seen.observing() {
            let seen = &mut cx.seen.workloads[workload as usize];
            seen.pods_started += 1;
            seen.start_time.record(now.since(created));
        }
        let min_ready = state.spec(workload).min_ready;
        if min_ready > SimDuration::ZERO {
            cx.agenda.after(min_ready, Event::WorkloadSynced(workload));
        }
    }
    if changed && !ready && state.pod(id).is_some_and(|pod| pod.runs() && !pod.deleting) {
        let name = &state.scenario.workloads[workload as usize].name;
        let text = format!("{name}: a pod fails its readiness probe and leaves the Service");
        cx.seen.moment(now, MomentKind::Unready, Some(workload as usize), text);
    }
}

/// Sets a pod's Ready condition; whether it was another before.
pub fn set_ready(state: &mut State, cx: &mut Context, id: PodId, ready: bool) -> bool {
    let now = cx.now();
    let Some(pod) = state.pod_mut(id) else { return false };
    // A pod that was never ready has been unready since its start.
    if pod.ready == ready && (pod.ready_since.is_some() || !ready) {
        return false;
    }
    let counted = pod.ready && !pod.deleting;
    pod.ready = ready;
    pod.ready_since = Some(now);
    let counts = ready && !pod.deleting;
    let workload = pod.workload;
    let one = &mut state.workloads[workload as usize];
    one.ready = one.ready + u32::from(counts) - u32::from(counted);
    usage::share(state, cx, workload);
    workloads::note_replicas(state, cx, workload);
    endpoints::changed(state, cx, workload);
    let rolls = state.workloads[workload as usize].rollout.is_some();
    if rolls || matches!(state.spec(workload).kind, crate::scenario::Kind::StatefulSet { .. }) {
        workloads::soon(state, cx, workload);
    }
    true
}

/// The kernel kills the container.
pub fn out_of_memory(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    if !state.is_over_memory(id) {
        return;
    }
    let Some(pod) = state.pod(id) else { return };
    let workload = pod.workload as usize;
    if cx.seen.observing() {
        // It held all that it may: more than what was sampled of it before.
        let held = state.workloads[workload].memory_limit.unwrap_or_default();
        let seen = &mut cx.seen.workloads[workload];
        seen.oom_kills += 1;
        seen.memory_pod_max = seen.memory_pod_max.max(held);
        if seen.oom_kills <= LOOKED_INTO {
            seen.filled.merge(&standing::filled(state, id));
        }
    }
    let name = &state.scenario.workloads[workload].name;
    let text = format!("{name}: a container ran out of memory with {} requests in progress", pod.in_progress);
    cx.seen.moment(now, MomentKind::OutOfMemory, Some(workload), text);
    container_ended(state, cx, id, Cause::OutOfMemory);
}

/// A liveness or startup probe has failed too often: the container ends as that of a
/// deleted pod does, with the probe's grace period if it has one, and restarts. The
/// kubelet decides that by itself, so no lag of the API comes before it.
fn kill_container(state: &mut State, cx: &mut Context, id: PodId, kind: u8) {
    let now = cx.now();
    let Some(pod) = state.pod(id).filter(|pod| pod.runs() && !pod.deleting) else { return };
    let (workload, run) = (pod.workload as usize, pod.run as u16);
    let name = &state.scenario.workloads[workload].name;
    let which = if kind as usize == STARTUP { "startup" } else { "liveness" };
    let text = format!("{name}: the {which} probe failed; the container is restarted");
    cx.seen.moment(now, MomentKind::ProbeKilled, Some(workload), text);
    let pods = state.scenario.workloads[workload].template.grace;
    let probe = probe_of(serving(state, workload as u32), kind as usize);
    let end = ending(state, workload as u32, now, probe.map_or(pods, |probe| probe.grace_in(pods)));
    cx.agenda.at(end.sigterm, Event::ContainerTerminated(id, run));
    cx.agenda.at(end.gone, Event::ContainerKilled(id, run));
}

/// Whether a container that was to be killed in this run still is: a pod that is being
/// deleted ends by its deletion's own clock.
fn is_to_be_killed(state: &State, id: PodId, run: u16) -> bool {
    state.pod(id).is_some_and(|pod| pod.runs() && pod.run as u16 == run && !pod.deleting)
}

/// The preStop hook of a container that failed its probe is over: SIGTERM.
pub fn container_terminated(state: &mut State, cx: &mut Context, id: PodId, run: u16) {
    if is_to_be_killed(state, id, run) {
        probing::wake(state, cx, id);
        terminated(state, cx, id);
    }
}

/// The grace period of a container that failed its probe is over: SIGKILL.
pub fn container_killed(state: &mut State, cx: &mut Context, id: PodId, run: u16) {
    if is_to_be_killed(state, id, run) {
        container_ended(state, cx, id, Cause::PodEnded);
    }
}

/// When the serving container of a workload gets SIGTERM and, should it ignore that,
/// SIGKILL, if the kubelet begins to end it at `start`.
fn ending(state: &State, workload: u32, start: SimTime, grace: SimDuration) -> End {
    let hook = serving(state, workload).pre_stop.map_or(SimDuration::ZERO, |hook| hook.takes);
    let ending = Ending { pre_stop: hook, after_sigterm: SimDuration::MAX, sidecar: false };
    endings(start, grace, &[ending])[0]
}

/// A container has ended: its calls are cut off, and it restarts after its
/// back-off if the pod's policy says so.
fn container_ended(state: &mut State, cx: &mut Context, id: PodId, cause: Cause) {
    let now = cx.now();
    probing::wake(state, cx, id);
    report_last_use(state, cx, id);
    let Some(pod) = state.pod_mut(id) else { return };
    (pod.listens, pod.started, pod.hangs) = (false, false, false);
    pod.container = ContainerState::Waiting;
    pod.finished = now;
    let workload = pod.workload;
    usage::share(state, cx, workload);
    requests::cut_off(state, cx, id, Some(cause));
    if state.pod(id).is_some_and(|pod| pod.deleting && pod.terminated) {
        return ended(state, cx, id);
    }
    cx.agenda.after(RELIST / 2 + STATUS_LAG, Event::StatusReported(id));
    let restarts = state.pod(id).is_some_and(|pod| state.spec(pod.workload).template.restart_always);
    if restarts {
        cx.agenda.after(RELIST / 2, Event::BackoffOver(id));
    } else if let Some(pod) = state.pod_mut(id) {
        pod.container = ContainerState::Ended;
    }
}

/// A container that ended may start again, unless its back-off says later.
pub fn backoff_over(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let policy = Policy { max: state.rules.crash_loop_cap, ..Policy::CONTAINER };
    let Some(pod) = state.pod_mut(id) else { return };
    if pod.deleting || pod.container != ContainerState::Waiting {
        return;
    }
    match pod.backoff.restart(&policy, pod.finished, now) {
        Restart::NotBefore(moment) => cx.agenda.at(moment.max(now), Event::BackoffOver(id)),
        Restart::Now { .. } => {
            pod.restarts += 1;
            let workload = pod.workload as usize;
            if cx.seen.observing() {
                cx.seen.workloads[workload].restarts += 1;
            }
            let set_up = cx.times.pod_start.at(cx.streams.starts.bits()) / 2;
            cx.agenda.after(set_up, Event::ContainerStarted(id));
        }
    }
}

/// A container ends by itself, or by the kernel for its memory.
pub fn crash(state: &mut State, cx: &mut Context, id: PodId, out_of_memory: bool) {
    let Some(pod) = state.pod(id) else { return };
    if !pod.runs() {
        return;
    }
    let workload = pod.workload as usize;
    if out_of_memory && cx.seen.observing() {
        cx.seen.workloads[workload].oom_kills += 1;
    }
    let cause = if out_of_memory { Cause::OutOfMemory } else { Cause::PodEnded };
    container_ended(state, cx, id, cause);
}

/// A process answers nothing any more; what it worked on is never answered.
pub fn hang(state: &mut State, cx: &mut Context, id: PodId) {
    probing::wake(state, cx, id);
    if let Some(pod) = state.pod_mut(id) {
        pod.hangs = true;
        let workload = pod.workload;
        usage::share(state, cx, workload);
    }
    requests::cut_off(state, cx, id, None);
}

/// The power of a pod's node is gone.
pub fn lose_power(state: &mut State, cx: &mut Context, id: PodId) {
    probing::wake(state, cx, id);
    report_last_use(state, cx, id);
    let Some(pod) = state.pod_mut(id) else { return };
    (pod.listens, pod.started, pod.container) = (false, false, ContainerState::Waiting);
    let workload = pod.workload;
    usage::share(state, cx, workload);
    requests::cut_off(state, cx, id, None);
}

/// A pod's node has booted: a pod that was deleted meanwhile is confirmed gone,
/// the others start over.
pub fn boot(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod(id) else { return };
    let (deleting, workload) = (pod.deleting, pod.workload as usize);
    if deleting {
        cx.agenda.after(RELIST, Event::PodRemoved(id));
        return;
    }
    if state.pod(id).is_some_and(|pod| pod.waits_for_volume) {
        volume_freed(state, cx, id);
        return;
    }
    if let Some(pod) = state.pod_mut(id) {
        pod.restarts += u32::from(pod.run > 0);
    }
    if cx.seen.observing() {
        cx.seen.workloads[workload].restarts += 1;
    }
    cx.agenda.after(STATUS_LAG, Event::StatusReported(id));
    let set_up = cx.times.pod_start.at(cx.streams.starts.bits());
    start_workers(state, cx, id);
    let Some((node, image)) = image_of(state, id) else { return };
    if state.nodes[node as usize].images.holds(image, cx.now()) {
        cx.agenda.after(set_up, Event::ContainerStarted(id));
    } else {
        pull(state, cx, id, node, set_up);
    }
}

/// `kubectl delete --force --grace-period=0`: the object goes at once, and with
/// it what the pod worked on.
pub fn delete_now(state: &mut State, cx: &mut Context, id: PodId) {
    if state.pod(id).is_some_and(|pod| pod.node.is_none()) {
        delete(state, cx, id);
        return;
    }
    requests::cut_off(state, cx, id, Some(Cause::PodEnded));
    lose(state, cx, id);
}

/// A pod was pushed off its node.
pub fn preempted(state: &mut State, cx: &mut Context, uid: u32) {
    let found = state.pods.iter().find(|(_, _, pod)| pod.uid == uid);
    if let Some((index, generation, _)) = found {
        delete(state, cx, PodId { index, generation });
    }
}

/// A pod is deleted: gracefully if it runs, at once if it has no node yet.
pub fn delete(state: &mut State, cx: &mut Context, id: PodId) {
    let now = cx.now();
    let Some(pod) = state.pod_mut(id) else { return };
    if pod.deleting {
        return;
    }
    pod.deleting = true;
    probing::wake(state, cx, id);
    let Some(pod) = state.pod(id) else { return };
    let (uid, workload, waited) = (pod.uid, pod.workload, pod.unschedulable_since);
    let (ready, bound, runs) = (pod.ready, pod.node.is_some(), pod.runs());
    if ready {
        state.workloads[workload as usize].ready -= 1;
        usage::share(state, cx, workload);
        workloads::note_replicas(state, cx, workload);
    }
    endpoints::changed(state, cx, workload);
    workloads::pods_changed(state, cx, workload);
    if !bound {
        scheduler::forget(state, cx, uid, workload, waited);
        remove(state, cx, id);
        return;
    }
    state.scheduler.cluster.terminate_pod(uid as usize, false);
    if state.pod(id).is_some_and(|pod| state.node_is_dead(pod.node)) {
        volumes::hold(state, id, now);
        return;
    }
    if !runs {
        cx.agenda.after(RELIST, Event::PodRemoved(id));
        return;
    }
    let end = ending(state, workload, now + STATUS_LAG, state.spec(workload).template.grace);
    cx.agenda.at(end.sigterm, Event::Terminated(id));
    cx.agenda.at(end.gone, Event::GraceEnded(id));
}

/// SIGTERM: no new connections; the process ends when it has drained, or soon.
pub fn terminated(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod_mut(id) else { return };
    if pod.deleting && pod.container == ContainerState::Waiting {
        // It ended by itself while the preStop hook of its deletion was under way.
        return ended(state, cx, id);
    }
    if !pod.runs() || pod.ending {
        return;
    }
    pod.terminated = true;
    if pod.hangs {
        return;
    }
    if !state.program.pools.is_empty() {
        connections::close_to(state, cx, id);
    }
    if state.pod(id).is_some_and(|pod| state.spec(pod.workload).behaviour.drains) {
        drained(state, cx, id);
    } else {
        end_process(state, cx, id);
    }
}

/// After SIGTERM: has the process finished what it had begun?
pub fn drained(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pod(id) else { return };
    if pod.has_drained() {
        end_process(state, cx, id);
    }
}

/// The process takes its time to end.
fn end_process(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    pod.ending = true;
    let shut_down = state.scenario.workloads[pod.workload as usize].behaviour.shut_down;
    cx.agenda.after(shut_down, Event::ShutDownEnded(id, pod.run as u16));
}

/// The process has ended by itself after SIGTERM: for good if its pod is deleted, else it
/// was told to by a probe.
pub fn shut_down_ended(state: &mut State, cx: &mut Context, id: PodId, run: u16) {
    if state.pod(id).is_some_and(|pod| pod.deleting) {
        ended(state, cx, id);
    } else {
        container_killed(state, cx, id, run);
    }
}

/// The process has ended, by itself or by SIGKILL: the pod is done.
pub fn ended(state: &mut State, cx: &mut Context, id: PodId) {
    report_last_use(state, cx, id);
    let Some(pod) = state.pod_mut(id) else { return };
    if pod.container == ContainerState::Ended {
        return;
    }
    pod.container = ContainerState::Ended;
    (pod.listens, pod.hangs) = (false, false);
    requests::cut_off(state, cx, id, Some(Cause::PodEnded));
    cx.agenda.after(RELIST / 2 + STATUS_LAG, Event::PodRemoved(id));
}

/// A pod's node is gone, and the pod with it.
pub fn lose(state: &mut State, cx: &mut Context, id: PodId) {
    report_last_use(state, cx, id);
    let Some(pod) = state.pod_mut(id) else { return };
    let (counted, workload) = (pod.ready && !pod.deleting, pod.workload);
    pod.deleting = true;
    if counted {
        state.workloads[workload as usize].ready -= 1;
        usage::share(state, cx, workload);
        workloads::note_replicas(state, cx, workload);
    }
    requests::cut_off(state, cx, id, None);
    if state.pod(id).is_some_and(|pod| state.node_is_dead(pod.node)) {
        volumes::hold(state, id, cx.now());
    }
    remove(state, cx, id);
}

/// Adds the CPU that a pod used before it ends to its workload's.
fn report_last_use(state: &mut State, cx: &mut Context, id: PodId) {
    if state.has_usage {
        state.settle_sample(id, cx.now());
    }
    report_use(state, cx, id);
}

/// Takes the last sample of a pod that follows a usage curve: its station is about to
/// be brought beyond it.
fn take_last_sample(pod: &mut Pod, workload: &Workload, sampled: &[Sampled]) {
    if let Some(node) = pod.node.filter(|_| workload.usage.is_some()) {
        pod.take_sample(sampled[node as usize].last, &workload.behaviour);
    }
}

/// Adds a pod's CPU since the last report to its workload's.
pub fn report_use(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    let workload = pod.workload as usize;
    if state.has_usage && !pod.steady {
        take_last_sample(pod, &state.scenario.workloads[workload], &state.sampled);
    }
    let used = pod.cpu_used(&state.scenario.workloads[workload].behaviour, cx.agenda.clocks());
    let (periods, throttled) = pod.station.periods();
    let gone = &mut state.workloads[workload].gone;
    gone.used += used.saturating_sub(pod.reported.used);
    let weight = u64::from(cx.seen.weight());
    gone.periods += periods.saturating_sub(pod.reported.periods) * weight;
    gone.throttled += throttled.saturating_sub(pod.reported.throttled) * weight;
    pod.reported = super::state::Reported { used, periods, throttled };
}

/// The pod object is gone.
pub fn remove(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pods.remove(id.index, id.generation) else { return };
    if !state.program.pools.is_empty() {
        connections::close_from(state, cx, id);
    }
    if let Some(node) = pod.node {
        state.scheduler.cluster.remove_pod(pod.uid as usize);
        state.nodes[node as usize].pods.retain(|other| *other != id);
        if state.nodes[node as usize].life == NodeLife::Ready {
            scheduler::notice(state, cx, Change::PodGone);
        }
    }
    workloads::removed(state, cx, pod.workload, id);
}
