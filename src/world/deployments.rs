//! The Deployment controller: its ReplicaSets' sizes, step by step (`k8s::rollout`).

use crate::k8s::rollout::{
    Because, Decision, DeploymentView, Progress, ProgressReason, ReplicaSetView, Set, Status, sync,
};
use crate::observe::{MomentKind, RolloutSeen};
use crate::scenario::{Kind, Release};
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::state::{Pod, ReplicaSet, RevisionSpec, RolloutState, State};
use crate::world::workloads;

/// A sync of a Deployment.
pub fn synced(state: &mut State, cx: &mut Context, workload: u32) {
    let Kind::Deployment { strategy, progress_deadline } = state.spec(workload).kind else { return };
    let now = cx.now();
    let views: Vec<ReplicaSetView> = (0..state.workloads[workload as usize].sets.len())
        .map(|set| view(state, workload, set, now))
        .collect();
    let one = &state.workloads[workload as usize];
    let current = one.revision as usize;
    let status = status(state, workload, now);
    let deployment =
        DeploymentView { replicas: one.desired, strategy, paused: false, status_replicas: status.replicas };
    let old: Vec<usize> = (0..views.len()).filter(|set| *set != current).collect();
    let old_views: Vec<ReplicaSetView> = old.iter().map(|set| views[*set]).collect();
    let old_pods = one.pods.iter().filter_map(|id| state.pod(*id)).any(|pod| pod.set as usize != current);
    let decision = sync(&deployment, views.get(current).copied(), &old_views, old_pods);
    apply(state, cx, workload, &deployment, &old, &decision);
    note_progress(state, cx, workload, status, progress_deadline);
    if decision.because == Because::StatusBehind {
        workloads::soon(state, cx, workload);
    }
}

/// Follows the rollout of a workload that has no deadline for it.
pub fn follow(state: &mut State, cx: &mut Context, workload: u32) {
    let status = status(state, workload, cx.now());
    note_progress(state, cx, workload, status, SimDuration::MAX);
}

/// A pod that its controller counts: its container hasn't ended for good and
/// nobody deletes it.
fn is_active(pod: &Pod) -> bool {
    !pod.deleting
}

/// Whether a pod is ready for as long as its workload asks.
fn is_available(state: &State, pod: &Pod, now: SimTime) -> bool {
    let min_ready = state.spec(pod.workload).min_ready;
    pod.ready && pod.ready_since.is_some_and(|since| since + min_ready <= now)
}

/// What the Deployment reads of a ReplicaSet.
fn view(state: &State, workload: u32, set: usize, now: SimTime) -> ReplicaSetView {
    let one = &state.workloads[workload as usize];
    let ReplicaSet { spec, noted, created } = one.sets[set];
    let mut view = ReplicaSetView { spec, ready: 0, available: 0, created, noted };
    for pod in one.pods.iter().filter_map(|id| state.pod(*id)) {
        if pod.set as usize == set && is_active(pod) {
            view.ready += u32::from(pod.ready);
            view.available += u32::from(is_available(state, pod, now));
        }
    }
    view
}

/// The Deployment's status, counted.
fn status(state: &State, workload: u32, now: SimTime) -> Status {
    let one = &state.workloads[workload as usize];
    let mut status = Status::default();
    for pod in one.pods.iter().filter_map(|id| state.pod(*id)).filter(|pod| is_active(pod)) {
        status.replicas += 1;
        status.updated += u32::from(pod.set == one.revision);
        status.ready += u32::from(pod.ready);
        status.available += u32::from(is_available(state, pod, now));
    }
    status
}

/// Writes the ReplicaSets' new sizes; `old` gives the places of the old ones.
fn apply(
    state: &mut State,
    cx: &mut Context,
    workload: u32,
    deployment: &DeploymentView,
    old: &[usize],
    decision: &Decision,
) {
    let now = cx.now();
    let noted = Some(deployment.note());
    let one = &mut state.workloads[workload as usize];
    let current = one.revision as usize;
    let mut written = Vec::new();
    if let Some(spec) = decision.create {
        one.sets.push(ReplicaSet { spec, noted, created: now });
        written.push((one.sets.len() as u32 - 1, spec));
    }
    for resize in &decision.resizes {
        let place = match resize.set {
            Set::New => current,
            Set::Old(place) => old[place],
        };
        one.sets[place].spec = resize.to;
        one.sets[place].noted = noted;
        written.push((place as u32, resize.to));
    }
    if written.is_empty() {
        return;
    }
    if let Some(rollout) = &one.rollout {
        let record = &mut cx.seen.rollouts[rollout.record];
        record.resizes.extend(written.iter().map(|(set, to)| (now, *set, *to)));
    }
    workloads::sets_soon(state, cx, workload);
}

/// Follows a rollout: moved on, complete, or out of time.
fn note_progress(state: &mut State, cx: &mut Context, workload: u32, status: Status, deadline: SimDuration) {
    let now = cx.now();
    let one = &mut state.workloads[workload as usize];
    let Some(rollout) = &mut one.rollout else { return };
    // A deadline of NEVER is none.
    let deadline = (deadline < SimDuration::MAX).then_some(deadline);
    let before = rollout.progress;
    rollout.progress = before.after(&rollout.status, &status, one.desired, deadline, now);
    rollout.status = status;
    let (progress, record) = (rollout.progress, rollout.record);
    if status.is_complete(one.desired) {
        one.rollout = None;
        cx.seen.rollouts[record].completed = Some(now);
        let name = &state.scenario.workloads[workload as usize].name;
        let text = format!("{name}: the rollout is complete");
        cx.seen.moment(now, MomentKind::RolloutCompleted, Some(workload as usize), text);
        return;
    }
    if let Some(deadline) = deadline
        && (progress.updated != before.updated || progress.updated == now)
    {
        cx.agenda
            .at(progress.updated + deadline + SimDuration::from_secs(1), Event::WorkloadSynced(workload));
    }
    if progress.reason == ProgressReason::TimedOut && before.reason != ProgressReason::TimedOut {
        cx.seen.rollouts[record].timed_out = Some(now);
        let name = &state.scenario.workloads[workload as usize].name;
        let text = format!("{name}: the rollout exceeded its progress deadline; nothing is rolled back");
        cx.seen.moment(now, MomentKind::RolloutTimedOut, Some(workload as usize), text);
    }
}

/// A new template is applied: a revision more.
pub fn roll_out(state: &mut State, cx: &mut Context, workload: u32, release: Release) {
    let one = &mut state.workloads[workload as usize];
    let images = one.releases.iter().map(|one| one.image).max().unwrap_or(0);
    let image = if release.new_image { images + 1 } else { one.releases[one.revision as usize].image };
    one.releases.push(RevisionSpec { release, image });
    one.revision = one.releases.len() as u32 - 1;
    begin(state, cx, workload, "a new revision is rolled out");
}

/// `kubectl rollout undo`: an earlier revision is wanted again.
pub fn roll_back(state: &mut State, cx: &mut Context, workload: u32, revision: u32) {
    state.workloads[workload as usize].revision = revision;
    begin(state, cx, workload, "the rollout is undone");
}

/// A rollout begins.
fn begin(state: &mut State, cx: &mut Context, workload: u32, what: &str) {
    let now = cx.now();
    let status = status(state, workload, now);
    let record = cx.seen.rollouts.len();
    cx.seen.rollouts.push(RolloutSeen {
        workload: workload as usize,
        started: now,
        completed: None,
        timed_out: None,
        resizes: Vec::new(),
    });
    let progress = Progress { reason: ProgressReason::Started, updated: now };
    state.workloads[workload as usize].rollout = Some(RolloutState { progress, status, record });
    let text = format!("{}: {what}", state.scenario.workloads[workload as usize].name);
    cx.seen.moment(now, MomentKind::RolloutStarted, Some(workload as usize), text);
    workloads::soon(state, cx, workload);
}
