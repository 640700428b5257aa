//! What everybody may ask of a workload's controller: to look, to scale, to count.

use crate::scenario::Kind;
use crate::units::SimDuration;
use crate::world::context::Context;
use crate::world::endpoints;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::State;

/// From a change to the controller's answer: watch, queue and API calls. Drawn
/// from half to one and a half times this.
const CONTROLLER_LAG: SimDuration = SimDuration::from_millis(100);

/// Sees to it that a workload's controller looks at its pods soon.
pub fn soon(state: &mut State, cx: &mut Context, workload: u32) {
    let one = &mut state.workloads[workload as usize];
    if !one.sync_due {
        one.sync_due = true;
        let lag = CONTROLLER_LAG.scale(0.5 + cx.streams.delays.unit());
        cx.agenda.after(lag, Event::WorkloadSynced(workload));
    }
}

/// Sees to it that the controller of a Deployment's ReplicaSets looks soon.
pub fn sets_soon(state: &mut State, cx: &mut Context, workload: u32) {
    let one = &mut state.workloads[workload as usize];
    if !one.sets_due {
        one.sets_due = true;
        let lag = CONTROLLER_LAG.scale(0.5 + cx.streams.delays.unit());
        cx.agenda.after(lag, Event::ReplicaSetsSynced(workload));
    }
}

/// Something about a workload's pods has changed that its controllers look at.
pub fn pods_changed(state: &mut State, cx: &mut Context, workload: u32) {
    match state.spec(workload).kind {
        Kind::Deployment { .. } => {
            sets_soon(state, cx, workload);
            if state.workloads[workload as usize].rollout.is_some() {
                soon(state, cx, workload);
            }
        }
        Kind::ReplicaSet | Kind::StatefulSet { .. } | Kind::DaemonSet => soon(state, cx, workload),
        Kind::Pod | Kind::Job => {}
    }
}

/// A workload shall have another number of replicas.
pub fn scale(state: &mut State, cx: &mut Context, workload: u32, replicas: u32) {
    let bare = matches!(state.spec(workload).kind, Kind::ReplicaSet);
    let one = &mut state.workloads[workload as usize];
    one.desired = replicas;
    if bare {
        one.sets[0].spec = replicas;
    }
    note_replicas(state, cx, workload);
    soon(state, cx, workload);
}

/// Takes a workload's replica counts down.
pub fn note_replicas(state: &State, cx: &mut Context, workload: u32) {
    let one = &state.workloads[workload as usize];
    cx.seen.replicas(cx.agenda.now(), workload as usize, one.ready, one.desired);
}

/// A pod object is gone: its controller and the scheduler take note.
pub fn removed(state: &mut State, cx: &mut Context, workload: u32, id: PodId) {
    state.workloads[workload as usize].pods.retain(|other| *other != id);
    endpoints::changed(state, cx, workload);
    pods_changed(state, cx, workload);
}
