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
//! Newer runtimes bend the weights (`k8s::resources::WeightFormula`); this takes
//! the requests as they are. Pods without a request weigh 2 of 1,024 each.

use crate::units::{MilliCpu, SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Pod, State};

/// How often a contended node's cores are shared out anew.
const TICK: SimDuration = SimDuration::from_millis(4);

/// A node's cores.
#[derive(Clone, Copy, Debug)]
pub struct NodeCpu {
    /// What it has, in thousandths of a core.
    cores: u64,
    /// What its pods could use at this moment if it had enough.
    wanted: u64,
    /// When the cores were last shared out.
    shared: SimTime,
    /// The next time is on the agenda.
    due: bool,
}

impl NodeCpu {
    /// A node without pods.
    pub fn new(cores: MilliCpu) -> Self {
        Self { cores: cores.0, wanted: 0, shared: SimTime::ZERO, due: false }
    }
}

/// One pod that competes: what it could use, its weight, and which it is.
pub type Rival = (u64, u64, PodId);

/// Sees to a pod after its station has changed: its node knows what it wants,
/// and an event for the station's next end, or one before it, is on the agenda.
pub fn watch(state: &mut State, cx: &mut Context, id: PodId) {
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return };
    watch_pod(pod, &mut state.cpus, cx, id);
}

/// [`watch`] for a caller that has the pod at hand.
#[inline]
pub fn watch_pod(pod: &mut Pod, cpus: &mut [NodeCpu], cx: &mut Context, id: PodId) {
    note(pod, cpus, cx);
    if let Some(end) = pod.station.next_end()
        && end < pod.work_due
    {
        pod.work_due = end;
        pod.work_stamp = pod.work_stamp.wrapping_add(1);
        cx.agenda.at(end, Event::WorkEnded(id, pod.work_stamp));
    }
}

/// Tells a pod's node what the pod wants now.
#[inline]
pub fn note(pod: &mut Pod, cpus: &mut [NodeCpu], cx: &mut Context) {
    let Some(node) = pod.node else { return };
    let cpu = &mut cpus[node as usize];
    let wants = pod.station.wanted().min(cpu.cores);
    if wants == pod.cpu_wanted {
        return;
    }
    cpu.wanted = cpu.wanted + wants - pod.cpu_wanted;
    pod.cpu_wanted = wants;
    if cpu.wanted > cpu.cores && !cpu.due {
        cpu.due = true;
        let at = cx.now().max(cpu.shared + TICK);
        cx.agenda.at(at, Event::CpuShared(node));
    }
}

/// A node's cores are shared out among its pods.
pub fn cpu_shared(state: &mut State, cx: &mut Context, node: u32) {
    let now = cx.now();
    let cores = state.cpus[node as usize].cores;
    let mut rivals = std::mem::take(&mut state.rivals);
    rivals.clear();
    for at in 0..state.nodes[node as usize].pods.len() {
        let id = state.nodes[node as usize].pods[at];
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
        let weight = state.workloads[pod.workload as usize].cpu_weight;
        // A pod that has used its quota up wants nothing until the next period.
        pod.station.used(now);
        let wants = if pod.station.is_throttled(now) { 0 } else { pod.cpu_wanted };
        rivals.push((wants, weight, id));
    }
    let level = level(cores, &mut rivals);
    for &(_, weight, id) in &rivals {
        let share = level.map_or(cores, |(rest, weights)| (rest * weight / weights).clamp(1, cores));
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
        if pod.station.share() != MilliCpu(share) {
            pod.station.set_share(now, MilliCpu(share));
            watch_pod(pod, &mut state.cpus, cx, id);
        }
    }
    state.rivals = rivals;
    let cpu = &mut state.cpus[node as usize];
    cpu.shared = now;
    cpu.due = cpu.wanted > cpu.cores;
    if cpu.due {
        cx.agenda.after(TICK, Event::CpuShared(node));
    }
}

/// What the pods that can't have all they want get for each unit of weight, as
/// a fraction; `None` when everybody can. Pods that want little come first, and
/// what they leave goes to the others by weight.
fn level(cores: u64, rivals: &mut [Rival]) -> Option<(u64, u64)> {
    if rivals.iter().map(|(wants, _, _)| wants).sum::<u64>() <= cores {
        return None;
    }
    rivals.sort_unstable_by_key(|&(wants, weight, id)| (wants * 1_000_000 / weight, id.index));
    let busy = rivals.iter().filter(|(wants, _, _)| *wants > 0);
    let (mut rest, mut weights) = (cores, busy.map(|(_, weight, _)| weight).sum::<u64>());
    for &(wants, weight, _) in rivals.iter().filter(|(wants, _, _)| *wants > 0) {
        if wants * weights > rest * weight {
            break;
        }
        rest -= wants;
        weights -= weight;
    }
    Some((rest, weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_leave_goes_to_the_others_by_weight() {
        // cores, (wants, weight) -> per weight of those who want more
        let rows: [(u64, &[(u64, u64)], Option<(u64, u64)>); 6] = [
            (4_000, &[(1_000, 512), (3_000, 512)], None),
            (4_000, &[(4_000, 1_024), (4_000, 3_072)], Some((4_000, 4_096))),
            (4_000, &[(0, 1_024), (4_000, 3_072)], None),
            // The first wants less than its part.
            (4_000, &[(500, 1_024), (4_000, 1_024), (4_000, 2_048)], Some((3_500, 3_072))),
            // The first two do, the second only because of the first.
            (3_000, &[(100, 1), (1_400, 1), (3_000, 1)], Some((1_500, 1))),
            // Whoever has no request gets next to nothing.
            (1_000, &[(1_000, 2), (1_000, 1_024)], Some((1_000, 1_026))),
        ];
        for (cores, pods, expected) in rows {
            let id = PodId { index: 0, generation: 0 };
            let mut rivals: Vec<Rival> = pods.iter().map(|&(wants, weight)| (wants, weight, id)).collect();
            assert_eq!(level(cores, &mut rivals), expected, "{cores}, {pods:?}");
        }
    }
}
