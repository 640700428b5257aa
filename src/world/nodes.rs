//! Nodes: the ones there are at the start, and those that come and go.

use crate::k8s::placement::cluster::{HOSTNAME, ZONE};
use crate::k8s::placement::queue::Change;
use crate::k8s::placement::{Amounts, NodeShape};
use crate::observe::MomentKind;
use crate::scenario::{Kind, NodePool};
use crate::units::{MilliCpu, SimDuration};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::state::{Node, NodeLife, State};
use crate::world::{controllers, kubelet, scheduler};

/// Orders a node of a pool; it is not there yet.
pub fn order(state: &mut State, pool: u32) -> u32 {
    let number = state.nodes.iter().filter(|node| node.pool == pool).count();
    let name = format!("{}-{number}", state.scenario.cluster.pools[pool as usize].name);
    state.nodes.push(Node {
        pool,
        name,
        life: NodeLife::Provisioning,
        place: None,
        pods: Vec::new(),
        images: vec![false; state.scenario.workloads.len()],
        leaving: false,
        ready_since: crate::units::SimTime::NEVER,
    });
    state.nodes.len() as u32 - 1
}

/// The node as the scheduler sees it.
pub fn shape(pool: &NodePool, name: &str, number: usize) -> NodeShape {
    let mut labels = pool.labels.clone();
    labels.insert(HOSTNAME.to_owned(), name.to_owned());
    let zone = &pool.zones[number % pool.zones.len()];
    labels.insert(ZONE.to_owned(), zone.clone());
    NodeShape {
        name: name.to_owned(),
        labels,
        taints: pool.taints.clone(),
        unschedulable: false,
        allocatable: Amounts {
            cpu: pool.allocatable_cpu(),
            memory: pool.allocatable_memory(),
            ..Amounts::default()
        },
        pod_slots: pool.max_pods,
    }
}

/// A node joins.
pub fn join(state: &mut State, cx: &mut Context, node: u32) {
    let (pool, name) = (state.nodes[node as usize].pool, state.nodes[node as usize].name.clone());
    let number = number_in_pool(state, node as usize);
    let shape = shape(&state.scenario.cluster.pools[pool as usize], &name, number);
    let place = state.scheduler.cluster.add_node(shape);
    let one = &mut state.nodes[node as usize];
    (one.place, one.life, one.ready_since) = (Some(place), NodeLife::Ready, cx.now());
    let phase = cx.streams.kubelets.below(10_000_000_000);
    cx.agenda.after(SimDuration::from_nanos(phase), Event::NodeSampled(node));
    for workload in 0..state.scenario.workloads.len() as u32 {
        if matches!(state.spec(workload).kind, Kind::DaemonSet) {
            controllers::soon(state, cx, workload);
        }
    }
}

/// An ordered node is ready.
pub fn ready(state: &mut State, cx: &mut Context, node: u32) {
    join(state, cx, node);
    let text = format!("node {} joined", state.nodes[node as usize].name);
    cx.seen.moment(cx.agenda.now(), MomentKind::NodeAdded, None, text);
    scheduler::notice(state, cx, Change::NodeBetter);
}

/// The node at a scheduler's place.
pub fn at_place(state: &State, place: usize) -> Option<u32> {
    state.nodes.iter().position(|node| node.place == Some(place)).map(|node| node as u32)
}

/// CPU of a node.
pub fn cpu_of(state: &State, node: u32) -> MilliCpu {
    state.scenario.cluster.pools[state.nodes[node as usize].pool as usize].cpu
}

/// The scheduler's place of the node that a DaemonSet's pod is made for.
pub fn made_for(state: &State, workload: u32, ordinal: u32) -> Option<usize> {
    match state.spec(workload).kind {
        Kind::DaemonSet => state.nodes.get(ordinal as usize)?.place,
        _ => None,
    }
}

/// Whether a DaemonSet wants a pod on a node: its node selector and taints decide.
pub fn takes(state: &State, workload: u32, node: u32) -> bool {
    let wishes = &state.spec(workload).template.wishes;
    let Some(place) = state.nodes[node as usize].place else { return false };
    let labels = &state.scheduler.cluster.node(place).shape.labels;
    wishes.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// How many nodes are ready, and what they cost per hour.
pub fn count_and_price(state: &State) -> (u32, f64) {
    let ready = state.nodes.iter().filter(|node| node.life == NodeLife::Ready);
    ready.fold((0, 0.0), |(count, price), node| {
        (count + 1, price + state.scenario.cluster.pools[node.pool as usize].price_per_hour)
    })
}

/// A node is deleted, and what still runs there with it.
pub fn leave(state: &mut State, cx: &mut Context, node: u32) {
    state.nodes[node as usize].life = NodeLife::Gone;
    for id in std::mem::take(&mut state.nodes[node as usize].pods) {
        kubelet::lose(state, cx, id);
    }
    if let Some(place) = state.nodes[node as usize].place.take() {
        state.scheduler.cluster.remove_node(place);
    }
    scheduler::notice(state, cx, Change::PodGone);
}

/// How many nodes of the same pool were ordered before this one.
pub fn number_in_pool(state: &State, node: usize) -> usize {
    let pool = state.nodes[node].pool;
    state.nodes[..node].iter().filter(|other| other.pool == pool).count()
}
