//! Volumes that only one node mounts at a time, and that a dead node keeps.

use crate::k8s::volumes::attachable_at;
use crate::observe::MomentKind;
use crate::scenario::Kind;
use crate::units::figures::duration;
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{HeldVolume, State};

/// A node that is back unmounts what it finds without a pod; no figure was found for how
/// soon, so this is the kubelet's relist.
const UNMOUNT: SimDuration = SimDuration::from_secs(1);

/// A pod is deleted from a dead node, or lost with it: its volume stays there for a while.
pub fn hold(state: &mut State, id: PodId, now: SimTime) {
    let Some(pod) = state.pod(id) else { return };
    let (workload, ordinal) = (pod.workload, pod.ordinal);
    let mounts = state.spec(workload).template.single_node_volume;
    let Some(node) = pod.node.filter(|_| mounts && !pod.waits_for_volume) else { return };
    let held = &mut state.nodes[node as usize].held;
    held.retain(|one| (one.workload, one.ordinal) != (workload, ordinal));
    held.push(HeldVolume { workload, ordinal, until: attachable_at(now) });
}

/// Until when a pod's volume can't be attached to its node, as another one has it. Pods of
/// a StatefulSet have volumes of their own, those of other workloads share one.
pub fn held_until(state: &State, id: PodId, now: SimTime) -> Option<SimTime> {
    let pod = state.pod(id)?;
    if !state.spec(pod.workload).template.single_node_volume {
        return None;
    }
    let own = matches!(state.spec(pod.workload).kind, Kind::StatefulSet { .. });
    let others = state.nodes.iter().enumerate().filter(|(node, _)| pod.node != Some(*node as u32));
    let held = others.flat_map(|(_, node)| &node.held);
    held.filter(|one| one.workload == pod.workload && (!own || one.ordinal == pod.ordinal))
        .map(|one| one.until)
        .filter(|until| *until > now)
        .max()
}

/// Takes down that a workload's pod can't start before its volume is free.
pub fn note_wait(state: &State, cx: &mut Context, workload: u32, until: SimTime) {
    let (now, name) = (cx.now(), &state.spec(workload).name);
    let waits = duration(until.since(now));
    let text = format!("{name}: a dead node keeps its volume; its pod waits {waits} for it");
    cx.seen.moment(now, MomentKind::VolumeHeld, Some(workload as usize), text);
}

/// A node is back and lets go of what it held: pods that wait for that go on.
pub fn let_go(state: &mut State, cx: &mut Context, node: u32) {
    for one in std::mem::take(&mut state.nodes[node as usize].held) {
        for &id in &state.workloads[one.workload as usize].pods {
            if state.pod(id).is_some_and(|pod| pod.node.is_some() && pod.waits_for_volume) {
                cx.agenda.after(UNMOUNT, Event::VolumeFreed(id));
            }
        }
    }
}
