//! Drills strike, go on, and end.

use crate::observe::MomentKind;
use crate::scenario::{Drill, Failure, Kind, Share};
use crate::sim::random::{below, draw, unit};
use crate::units::{MilliCpu, SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Calls, NetworkFault, NodeLife, State, Struck, Surge};
use crate::world::{deployments, drain, kubelet, nodes, sharing, slices, usage, workloads};

/// A leak grows so often.
const LEAK_STEP: SimDuration = SimDuration::from_secs(1);

/// What a draw of a drill is for; the drill's number is added.
mod purpose {
    /// The moment.
    pub const MOMENT: u64 = 1 << 40;
    /// The victims.
    pub const VICTIM: u64 = 2 << 40;
    /// How many victims, where chance decides.
    pub const HOW_MANY: u64 = 3 << 40;
}

/// Puts every drill's moment on the agenda.
pub fn begin(state: &mut State, cx: &mut Context) {
    let key = cx.seed.key("drills");
    state.broken.drills = vec![Struck::default(); state.scenario.drills.len()];
    for (number, drill) in state.scenario.drills.iter().enumerate() {
        let width = drill.until.saturating_sub(drill.from).as_secs_f64();
        let share = unit(draw(key, purpose::MOMENT + number as u64));
        let after = drill.from + SimDuration::from_secs_f64(width * share);
        let at = SimTime::ZERO + state.scenario.warm_up + after;
        cx.agenda.at(at, Event::DrillStruck(number as u16));
        slices::around_drill(state, at, drill.lasts);
        if let Failure::Load { factor, rise } = drill.what {
            let until = drill.lasts.map_or(SimTime::NEVER, |lasts| at + lasts);
            state.broken.load.push(Surge { from: at, until, rise, factor });
        }
    }
    if !state.scenario.drills.is_empty() {
        let step = cx.seen.watch.step;
        cx.agenda.at(SimTime::ZERO + state.scenario.warm_up + step, Event::WatchStepEnded);
    }
}

/// A drill strikes.
pub fn struck(state: &mut State, cx: &mut Context, number: u16) {
    let now = cx.now();
    let scenario = state.scenario;
    let drill = &scenario.drills[number as usize];
    let whom = strike(state, cx, number, drill);
    let text = format!("{}: {whom}", drill.name);
    cx.seen.moment(now, MomentKind::DrillStruck, None, text);
    let seen = &mut cx.seen.watch.strikes[number as usize];
    (seen.time, seen.whom) = (Some(now), whom);
    if let Some(lasts) = drill.lasts {
        cx.agenda.after(lasts, Event::DrillEnded(number));
    }
}

/// Does what the drill does; whom it hits, in words.
fn strike(state: &mut State, cx: &mut Context, number: u16, drill: &Drill) -> String {
    let until = drill.lasts.map_or(SimTime::NEVER, |lasts| cx.now() + lasts);
    match drill.what {
        Failure::PodDelete { workload, pods, .. }
        | Failure::ContainerCrash { workload, pods, .. }
        | Failure::CrashLoop { workload, pods }
        | Failure::Hang { workload, pods }
        | Failure::CpuStress { workload, pods, .. }
        | Failure::MemoryStress { workload, pods, .. }
        | Failure::PodNetwork { workload, pods, .. }
        | Failure::MemoryLeak { workload, pods, .. } => strike_pods(state, cx, number, workload, pods),
        Failure::NodeLoss { .. }
        | Failure::NodeCpuStress { .. }
        | Failure::NodeNotReady { .. }
        | Failure::ZoneOutage
        | Failure::NodeDrain { .. } => strike_nodes(state, cx, number, &drill.what),
        Failure::Rollout { workload, release, .. } => {
            state.broken.drills[number as usize].revision = state.workloads[workload].revision;
            deployments::roll_out(state, cx, workload as u32, release);
            state.scenario.workloads[workload].name.clone()
        }
        Failure::Scale { workload, replicas } => {
            workloads::scale(state, cx, workload as u32, replicas);
            format!("{} to {}", state.scenario.workloads[workload].name, count(replicas as usize, "replica"))
        }
        Failure::Slow { workload, factor } => {
            slow_down(state, cx, workload, factor);
            state.scenario.workloads[workload].name.clone()
        }
        Failure::Network { from, to, delay, loss } => {
            let calls = Calls::To { from: from.map(|from| from as u32), to: to as u32 };
            state.broken.network.push(NetworkFault { drill: number, calls, delay, loss });
            format!("calls to {}", state.scenario.workloads[to].name)
        }
        Failure::External { external, error_rate, slower } => {
            state.broken.externals[external] = Some((error_rate, slower));
            state.scenario.externals[external].name.clone()
        }
        Failure::Metrics => {
            state.broken.metrics = until;
            "the metrics API".to_owned()
        }
        Failure::Registry => {
            state.broken.registry = until;
            "the image registry".to_owned()
        }
        Failure::ControlPlane => {
            state.broken.control_plane = until;
            "the control plane".to_owned()
        }
        Failure::Load { factor, .. } => format!("{factor} times the load"),
    }
}

/// Does what the drill does to some pods of a workload; whom, in words.
fn strike_pods(state: &mut State, cx: &mut Context, number: u16, workload: usize, pods: Share) -> String {
    let what = &state.scenario.drills[number as usize].what;
    let victims = some_pods(state, cx, number, workload, pods);
    for id in &victims {
        strike_pod(state, cx, *id, what);
    }
    if let Failure::PodNetwork { peer, delay, loss, .. } = what {
        let calls = Calls::With { pods: victims.clone(), peer: peer.map(|peer| peer as u32) };
        state.broken.network.push(NetworkFault { drill: number, calls, delay: *delay, loss: *loss });
    }
    if matches!(what, Failure::MemoryLeak { .. }) {
        cx.agenda.after(LEAK_STEP, Event::DrillWentOn(number));
    }
    let whom = format!("{} of {}", count(victims.len(), "pod"), state.scenario.workloads[workload].name);
    state.broken.drills[number as usize].pods = victims;
    whom
}

fn count(number: usize, of: &str) -> String {
    crate::units::figures::plural(number as u64, of, &format!("{of}s"))
}

/// Some running pods of a workload, drawn without returning.
fn some_pods(state: &State, cx: &Context, number: u16, workload: usize, share: Share) -> Vec<PodId> {
    let key = draw(cx.seed.key("drills"), purpose::VICTIM + u64::from(number));
    let running = |id: &PodId| state.pod(*id).is_some_and(|pod| !pod.deleting && pod.runs());
    let mut left: Vec<PodId> = state.workloads[workload].pods.iter().copied().filter(running).collect();
    let wanted = share.of(left.len() as u32, unit(draw(key, purpose::HOW_MANY)));
    (0..wanted)
        .map(|turn| left.swap_remove(below(draw(key, u64::from(turn)), left.len() as u64) as usize))
        .collect()
}

/// What a drill does to one pod.
fn strike_pod(state: &mut State, cx: &mut Context, id: PodId, what: &Failure) {
    match what {
        Failure::PodDelete { force: false, .. } => kubelet::delete(state, cx, id),
        Failure::PodDelete { force: true, .. } => kubelet::delete_now(state, cx, id),
        Failure::ContainerCrash { out_of_memory, .. } => kubelet::crash(state, cx, id, *out_of_memory),
        Failure::CrashLoop { .. } => {
            if let Some(pod) = state.pod_mut(id) {
                pod.crash_loops = true;
            }
            kubelet::crash(state, cx, id, false);
        }
        Failure::Hang { .. } => kubelet::hang(state, cx, id),
        Failure::CpuStress { cpu, .. } => usage::stress(state, cx, id, *cpu),
        Failure::MemoryStress { size, .. } => {
            state.settle_sample(id, cx.now());
            if let Some(pod) = state.pod_mut(id) {
                pod.leaked += size.0;
                kubelet::out_of_memory(state, cx, id);
            }
        }
        _ => {}
    }
}

/// What a drill does to nodes; which, in words.
fn strike_nodes(state: &mut State, cx: &mut Context, number: u16, what: &Failure) -> String {
    let key = draw(cx.seed.key("drills"), purpose::VICTIM + u64::from(number));
    let mut left: Vec<u32> = (0..state.nodes.len() as u32).filter(|node| carries(state, *node)).collect();
    let draw_one = |left: &mut Vec<u32>, turn: u64| {
        (!left.is_empty()).then(|| left.swap_remove(below(draw(key, turn), left.len() as u64) as usize))
    };
    let struck: Vec<u32> = match what {
        Failure::NodeLoss { nodes, .. }
        | Failure::NodeCpuStress { nodes, .. }
        | Failure::NodeNotReady { nodes }
        | Failure::NodeDrain { nodes } => {
            (0..u64::from(*nodes)).filter_map(|turn| draw_one(&mut left, turn)).collect()
        }
        Failure::ZoneOutage => {
            let zone = draw_one(&mut left, 0).map(|node| state.nodes[node as usize].zone);
            let all = 0..state.nodes.len() as u32;
            all.filter(|node| is_up(state, *node) && Some(state.nodes[*node as usize].zone) == zone).collect()
        }
        _ => draw_one(&mut left, 0).into_iter().collect(),
    };
    for &node in &struck {
        match what {
            Failure::NodeNotReady { .. } => nodes::report(state, cx, node, false),
            Failure::NodeDrain { .. } => drain::begin(state, cx, node),
            Failure::NodeCpuStress { cpu, .. } => sharing::stress(state, cx, node, *cpu),
            Failure::NodeLoss { gone: true, .. } => nodes::terminate(state, cx, node),
            _ => nodes::lose_power(state, cx, node),
        }
    }
    let names: Vec<&str> = struck.iter().map(|node| state.nodes[*node as usize].name.as_str()).collect();
    let whom = match (what, struck.first()) {
        (Failure::ZoneOutage, Some(first)) => {
            let zone = state.nodes[*first as usize].zone as usize;
            format!("zone {}: {}", state.node_controller.zones[zone], names.join(", "))
        }
        (_, None) => "no node that runs pods".to_owned(),
        _ => names.join(", "),
    };
    state.broken.drills[number as usize].nodes = struck;
    whom
}

fn is_up(state: &State, node: u32) -> bool {
    state.nodes[node as usize].life == NodeLife::Ready
}

/// Whether a node is up and runs pods that aren't a DaemonSet's.
fn carries(state: &State, node: u32) -> bool {
    let counts = |id: &PodId| {
        state.pod(*id).is_some_and(|pod| !matches!(state.spec(pod.workload).kind, Kind::DaemonSet))
    };
    is_up(state, node) && state.nodes[node as usize].pods.iter().any(counts)
}

/// All pods of a workload take this many times the CPU for their requests.
fn slow_down(state: &mut State, cx: &mut Context, workload: usize, factor: f64) {
    state.workloads[workload].slower = factor;
    for id in state.workloads[workload].pods.clone() {
        let Some(release) = state.pod(id).map(|pod| state.release(pod).release) else { continue };
        if let Some(pod) = state.pod_mut(id) {
            pod.slower = factor * release.work;
        }
    }
    usage::share(state, cx, workload as u32);
}

/// What a drill does again and again.
pub fn went_on(state: &mut State, cx: &mut Context, number: u16) {
    let Failure::MemoryLeak { per_second, .. } = state.scenario.drills[number as usize].what else { return };
    let pods = state.broken.drills[number as usize].pods.clone();
    if pods.is_empty() {
        return;
    }
    for id in pods {
        state.settle_sample(id, cx.now());
        if let Some(pod) = state.pod_mut(id)
            && pod.runs()
        {
            pod.leaked += per_second.0;
            kubelet::out_of_memory(state, cx, id);
        }
    }
    cx.agenda.after(LEAK_STEP, Event::DrillWentOn(number));
}

/// Pods neither crash at every start nor hang any longer.
fn make_whole(state: &mut State, cx: &mut Context, pods: &[PodId]) {
    for id in pods {
        if let Some(pod) = state.pod_mut(*id) {
            (pod.crash_loops, pod.hangs) = (false, false);
            let workload = pod.workload;
            usage::share(state, cx, workload);
        }
    }
}

/// What a drill broke is whole again.
pub fn ended(state: &mut State, cx: &mut Context, number: u16) {
    let now = cx.now();
    let scenario = state.scenario;
    let drill = &scenario.drills[number as usize];
    cx.seen.watch.strikes[number as usize].ended = Some(now);
    let struck = std::mem::take(&mut state.broken.drills[number as usize]);
    match drill.what {
        Failure::CrashLoop { .. } | Failure::Hang { .. } => make_whole(state, cx, &struck.pods),
        Failure::CpuStress { .. } => {
            for id in struck.pods {
                usage::stress(state, cx, id, MilliCpu(0));
            }
        }
        Failure::MemoryStress { size, .. } => {
            for id in struck.pods {
                state.settle_sample(id, now);
                if let Some(pod) = state.pod_mut(id) {
                    // A container that has restarted since holds nothing of it.
                    pod.leaked = pod.leaked.saturating_sub(size.0);
                }
            }
        }
        Failure::NodeCpuStress { .. } => {
            for node in struck.nodes {
                sharing::stress(state, cx, node, MilliCpu(0));
            }
        }
        Failure::NodeLoss { gone: false, .. } | Failure::ZoneOutage => {
            for node in struck.nodes {
                nodes::power_back(state, cx, node);
            }
        }
        Failure::NodeNotReady { .. } => {
            for node in struck.nodes {
                nodes::report(state, cx, node, true);
            }
        }
        Failure::NodeDrain { .. } => {
            for node in struck.nodes {
                drain::end(state, cx, node);
            }
        }
        Failure::External { external, .. } => state.broken.externals[external] = None,
        Failure::Slow { workload, .. } => slow_down(state, cx, workload, 1.0),
        Failure::Network { .. } | Failure::PodNetwork { .. } => {
            state.broken.network.retain(|fault| fault.drill != number);
        }
        Failure::Rollout { workload, undone: true, .. } => {
            deployments::roll_back(state, cx, workload as u32, struck.revision);
        }
        Failure::Scale { workload, .. } => {
            workloads::scale(state, cx, workload as u32, scenario.workloads[workload].replicas);
        }
        Failure::PodDelete { .. }
        | Failure::ContainerCrash { .. }
        | Failure::NodeLoss { .. }
        | Failure::MemoryLeak { .. }
        | Failure::Metrics
        | Failure::Registry
        | Failure::ControlPlane
        | Failure::Load { .. }
        | Failure::Rollout { .. } => {}
    }
    cx.seen.moment(now, MomentKind::DrillEnded, None, format!("{}: over", drill.name));
}
