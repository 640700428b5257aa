//! The metrics pipeline: kubelets sample, metrics-server scrapes.

use crate::k8s::metrics::{ContainerSample, HOUSEKEEPING_MAX, HOUSEKEEPING_MIN};
use crate::units::SimDuration;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::state::{ContainerState, NodeLife, State};

/// A kubelet samples the containers of its node.
pub fn node_sampled(state: &mut State, cx: &mut Context, node: u32) {
    let (now, clocks) = (cx.now(), cx.agenda.clocks());
    if matches!(state.nodes[node as usize].life, NodeLife::Gone | NodeLife::Dead) {
        return;
    }
    state.nodes[node as usize].sampled = now;
    // Nothing about a pod that follows a curve changes unseen: what it had used by
    // this moment can be told later, and most samples are never asked for.
    let pods = if state.only_usage { 0 } else { state.nodes[node as usize].pods.len() };
    for at in 0..pods {
        let id = state.nodes[node as usize].pods[at];
        let Some(workload) = state.pod(id).map(|pod| pod.workload) else { continue };
        if state.spec(workload).usage.is_some() {
            continue;
        }
        let users = state.users_per_pod(workload);
        let behaviour = &state.scenario.workloads[workload as usize].behaviour;
        let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
        let ContainerState::Running(started) = pod.container else { continue };
        let cpu_core_nanos = pod.cpu_used(behaviour, clocks).as_nanos();
        let working_set = pod.memory(behaviour, users);
        pod.sample = Some(ContainerSample { started, time: now, cpu_core_nanos, working_set });
    }
    let spread = HOUSEKEEPING_MAX.as_secs_f64() - HOUSEKEEPING_MIN.as_secs_f64();
    let period = HOUSEKEEPING_MIN + SimDuration::from_secs_f64(spread * cx.streams.kubelets.unit());
    cx.agenda.after(period, Event::NodeSampled(node));
}

/// metrics-server scrapes all nodes. A node that doesn't answer loses its pods.
pub fn scraped(state: &mut State, cx: &mut Context) {
    let resolution = state.scenario.cluster.metrics_resolution;
    let blind = state.broken.metrics > cx.now();
    for workload in 0..state.workloads.len() {
        if state.scenario.workloads[workload].usage.is_some() {
            scrape_curve(state, workload, blind);
            continue;
        }
        for at in 0..state.workloads[workload].pods.len() {
            let id = state.workloads[workload].pods[at];
            let silent = state.pod(id).is_some_and(|pod| state.node_is_dead(pod.node));
            let Some(pod) = state.pods.get_mut(id.index, id.generation) else { continue };
            let sample = if blind || silent || !pod.runs() { None } else { pod.sample };
            pod.window.scrape(sample, resolution);
        }
    }
    cx.agenda.after(resolution, Event::MetricsScraped);
}

/// Scrapes the pods of a workload that follows a usage curve, each as its node's
/// kubelet last saw it: that is computed here.
fn scrape_curve(state: &mut State, workload: usize, blind: bool) {
    let resolution = state.scenario.cluster.metrics_resolution;
    let behaviour = &state.scenario.workloads[workload].behaviour;
    let (pods, nodes) = (&mut state.pods, &state.nodes);
    for id in &state.workloads[workload].pods {
        let Some(pod) = pods.get_mut(id.index, id.generation) else { continue };
        let Some(node) = pod.node else {
            pod.window.scrape(None, resolution);
            continue;
        };
        let node = &nodes[node as usize];
        pod.take_sample(node.sampled, behaviour);
        let silent = blind || matches!(node.life, NodeLife::Dead | NodeLife::Gone);
        let sample = if silent || !pod.runs() { None } else { pod.sample };
        pod.window.scrape(sample, resolution);
    }
}
