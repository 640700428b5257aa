//! A node's cores among its pods, and when a pod's next piece of work ends.
//!
//! Pods may want more CPU together than their node has: limits may add up to
//! more than the node, or be absent. The kernel then gives each busy pod its part by
//! weight, and the weights are the CPU requests (`cpu.shares`, behaviour.md I.1;
//! upstream `pkg/kubelet/cm/helpers_linux.go`).
//!
//! How much a node's pods want is known at every moment at the cost of an
//! addition. As long as that fits the node, nothing else happens, and each pod
//! runs as fast as its threads and its limit let it. Once it doesn't, the
//! cores are shared out now and then every 4 ms, the kernel's tick with
//! `CONFIG_HZ=250`, until it fits again. In between a pod that has become idle
//! leaves its share unused and one that has become busy gets the share it would
//! have had anyway, so a node may be up to 4 ms late in following its pods.
//! Where all pods of a node follow usage curves nothing changes between two moments
//! that they are told of: the cores are then shared out once at each of these.
//! Newer runtimes bend the weights (`k8s::resources::WeightFormula`); this takes
//! the requests as they are. Pods without a request weigh 2 of 1,024 each.

use crate::units::{MilliCpu, SimDuration, SimTime};
use crate::world::context::{Context, alarm};
use crate::world::cores::{NodeCpu, level};
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::probing;
use crate::world::state::{Pod, State};

/// What processes outside the pods weigh together: `system.slice` with the
/// kernel's default of 1,024.
const OUTSIDE: u64 = 1_024;
/// No pod.
const NOBODY: PodId = PodId { index: u32::MAX, generation: u32::MAX };
/// How often a contended node's cores are shared out anew.
const TICK: SimDuration = SimDuration::from_millis(4);

/// Sees to a pod after its station has changed: its node knows what it wants,
/// and the pod's alarm is set for the station's next end.
pub fn watch(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    watch_pod(pod, &mut state.cpus, cx, id);
}

/// [`watch`] for a caller that has the pod at hand.
#[expect(
    clippy::inline_always,
    reason = "ten times for a request of three hops, nearly all in `requests::fill`"
)]
#[inline(always)]
pub fn watch_pod(pod: &mut Pod, cpus: &mut [NodeCpu], cx: &mut Context, id: PodId) {
    note(pod, cpus, cx);
    let end = pod.station.next_end().unwrap_or(SimTime::NEVER);
    cx.agenda.set_alarm(alarm::of_pod(id), end);
}

/// Tells a pod's node what the pod wants now.
#[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
#[inline(always)]
fn note(pod: &mut Pod, cpus: &mut [NodeCpu], cx: &mut Context) {
    let Some(node) = pod.node else { return };
    let cpu = &mut cpus[node as usize];
    let wants = pod.station.wanted().min(cpu.cores);
    if wants == pod.cpu_wanted {
        return;
    }
    cpu.wanted = cpu.wanted + wants - pod.cpu_wanted;
    pod.cpu_wanted = wants;
    share_when_due(cpu, cx, node);
}

/// Processes outside a node's pods want so much of its CPU from now on.
pub fn stress(state: &mut State, cx: &mut Context, node: u32, wants: MilliCpu) {
    let cpu = &mut state.cpus[node as usize];
    let wants = wants.0.min(cpu.cores);
    cpu.wanted = cpu.wanted + wants - cpu.stress;
    cpu.stress = wants;
    share_when_due(cpu, cx, node);
}

#[inline]
fn share_when_due(cpu: &mut NodeCpu, cx: &mut Context, node: u32) {
    if (cpu.wanted > cpu.cores || cpu.held) && !cpu.due {
        cpu.due = true;
        let at = cx.agenda.active().max(cpu.shared + TICK);
        cx.agenda.at_active(at, Event::CpuShared(node));
    }
}

/// A node's cores are shared out among its pods.
pub fn cpu_shared(state: &mut State, cx: &mut Context, node: u32) {
    let now = cx.agenda.active();
    let cores = state.cpus[node as usize].cores;
    let mut rivals = std::mem::take(&mut state.rivals);
    rivals.clear();
    let held = state.has_usage && follows_curves(state, node);
    for at in 0..state.nodes[node as usize].pods.len() {
        let id = state.nodes[node as usize].pods[at];
        if state.has_usage {
            state.settle_sample(id, cx.now());
        }
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
        let weight = state.workloads[pod.workload as usize].cpu_weight;
        // A pod that has used its quota up wants nothing until the next period; one
        // that follows a curve wants what its limit leaves it over many periods.
        let wants = if held {
            pod.cpu_wanted
                .min(state.workloads[pod.workload as usize].cpu_limit.map_or(u64::MAX, |limit| limit.0))
        } else {
            pod.station.used(now);
            if pod.station.is_throttled(now) { 0 } else { pod.cpu_wanted }
        };
        rivals.push((wants, weight, id));
    }
    if state.cpus[node as usize].stress > 0 {
        rivals.push((state.cpus[node as usize].stress, OUTSIDE, NOBODY));
    }
    let level = level(cores, &mut rivals);
    for &(wants, weight, id) in &rivals {
        let share = level.map_or(cores, |(rest, weights)| (rest * weight / weights).clamp(1, cores));
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
        if pod.station.share() != MilliCpu(share) {
            pod.station.set_share(now, MilliCpu(share));
            watch(state, cx, id);
        }
        if state.has_usage {
            set_starved(state, cx, id, share < wants);
        }
    }
    state.rivals = rivals;
    let cpu = &mut state.cpus[node as usize];
    cpu.shared = now;
    cpu.held = held && level.is_some();
    cpu.due = cpu.wanted > cpu.cores && !held;
    if cpu.due {
        cx.agenda.after_active(TICK, Event::CpuShared(node));
    }
}

/// Whether all pods of a node follow usage curves.
fn follows_curves(state: &State, node: u32) -> bool {
    let mut pods = state.nodes[node as usize].pods.iter().filter_map(|&id| state.pod(id));
    pods.all(|pod| state.spec(pod.workload).usage.is_some())
}

/// A pod that follows a curve gets less of its node than it wants, or no longer.
pub fn set_starved(state: &mut State, cx: &mut Context, id: PodId, starved: bool) {
    let Some(pod) = state.pod(id) else { return };
    let workload = pod.workload;
    let starved = starved && pod.curve.cpu > 0;
    if pod.curve.starved == starved {
        return;
    }
    if starved {
        probing::wake(state, cx, id);
    }
    if let Some(pod) = state.pod_mut(id) {
        pod.curve.starved = starved;
    }
    let count = &mut state.workloads[workload as usize].demanded.starved;
    *count = *count + u32::from(starved) - u32::from(!starved);
    note_overload(state, cx, workload);
}

/// Takes down whether a workload's curve asks for more than its ready pods may use.
pub fn note_overload(state: &State, cx: &mut Context, workload: u32) {
    let demanded = state.workloads[workload as usize].demanded;
    cx.seen.overloaded(cx.agenda.now(), workload as usize, demanded.short || demanded.starved > 0);
}
