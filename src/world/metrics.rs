//! The metrics pipeline: kubelets sample, metrics-server scrapes.

use crate::k8s::metrics::{ContainerSample, HOUSEKEEPING_MAX, HOUSEKEEPING_MIN};
use crate::units::SimDuration;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{ContainerState, NodeLife, Sampled, State};
use crate::world::{pressure, probing};

/// A kubelet samples the containers of its node.
pub fn node_sampled(state: &mut State, cx: &mut Context, node: u32) {
    let (now, clocks) = (cx.now(), cx.agenda.clocks());
    if matches!(state.nodes[node as usize].life, NodeLife::Gone | NodeLife::Dead) {
        return;
    }
    let before = std::mem::replace(&mut state.sampled[node as usize].last, now);
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
        pod.beside.sample(behaviour, pod.requests, (started, clocks));
    }
    pressure::looked(state, cx, node, before);
    let spread = HOUSEKEEPING_MAX.as_secs_f64() - HOUSEKEEPING_MIN.as_secs_f64();
    let period = HOUSEKEEPING_MIN + SimDuration::from_secs_f64(spread * cx.streams.kubelets.unit());
    cx.agenda.after(period, Event::NodeSampled(node));
}

/// metrics-server scrapes all nodes. A node that doesn't answer loses its pods.
pub fn scraped(state: &mut State, cx: &mut Context) {
    let resolution = state.scenario.cluster.metrics_resolution;
    let blind = state.broken.metrics > cx.now();
    if state.has_usage {
        find_samples(state, cx, blind);
    }
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
            pod.beside.scrape(sample.is_some(), resolution);
        }
    }
    cx.agenda.after(resolution, Event::MetricsScraped);
}

/// Takes down which samples a scrape finds at the nodes. One that finds nothing is
/// made up for by nobody: every pod has to be looked at.
fn find_samples(state: &mut State, cx: &Context, blind: bool) {
    if blind {
        let all: Vec<PodId> = state.workloads.iter().flat_map(|one| one.pods.iter().copied()).collect();
        for id in all {
            state.settle_sample(id, cx.now());
        }
    }
    for node in &mut state.sampled {
        if blind {
            node.scraped = Sampled::NEVER.scraped;
        } else if node.scraped[0] < node.last {
            node.scraped = [node.last, node.scraped[0]];
        }
    }
}

/// Scrapes the pods of a workload that follows a usage curve, each as its node's
/// kubelet last saw it: that is computed here. A pod that will use its CPU evenly
/// from now on need not be looked at again until it changes.
fn scrape_curve(state: &mut State, workload: usize, blind: bool) {
    let mut unsteady = std::mem::take(&mut state.workloads[workload].unsteady);
    unsteady.retain(|&id| {
        let steady = scrape_pod(state, id, blind);
        if let Some(pod) = state.pod_mut(id) {
            pod.steady = steady;
        }
        !steady && state.pod(id).is_some()
    });
    state.workloads[workload].unsteady = unsteady;
}

/// Scrapes a pod that follows a usage curve; whether it will use its CPU evenly.
fn scrape_pod(state: &mut State, id: PodId, blind: bool) -> bool {
    let resolution = state.scenario.cluster.metrics_resolution;
    let Some(pod) = state.pods.get_mut(id.index, id.generation) else { return false };
    let Some(node) = pod.node else {
        pod.window.scrape(None, resolution);
        return false;
    };
    pod.take_sample(
        state.sampled[node as usize].last,
        &state.scenario.workloads[pod.workload as usize].behaviour,
    );
    let silent = blind || matches!(state.nodes[node as usize].life, NodeLife::Dead | NodeLife::Gone);
    let (ContainerState::Running(started), false) = (pod.container, silent) else {
        pod.window.scrape(None, resolution);
        return false;
    };
    pod.window.scrape(pod.sample, resolution);
    let is_own = pod.sample.is_some_and(|sample| sample.started == started);
    let even = is_own && pod.station.is_even();
    state.leaves_out && even && state.pod(id).is_some_and(|pod| probing::is_at_ease(state, pod))
}
