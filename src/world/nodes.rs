//! Nodes: the ones there are at the start, and those that come and go.

use crate::k8s::image_pull::Pulls;
use crate::k8s::node_lifecycle::{Heartbeat, Ready, orphans};
use crate::k8s::placement::queue::Change;
use crate::observe::MomentKind;
use crate::scenario::Kind;
use crate::sim::random::draw;
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::cores::NodeCpu;
use crate::world::event::Event;
use crate::world::state::{Machine, Node, NodeLife, Sampled, State};
use crate::world::{kubelet, node_lifecycle, scheduler, volumes, workloads};

/// Orders a node of a pool in a zone, by its place among the pool's; it is not there yet.
pub fn order(state: &mut State, pool: u32, in_zone: usize) -> u32 {
    let number = state.nodes.iter().filter(|node| node.pool == pool).count();
    let spec = &state.scenario.cluster.pools[pool as usize];
    let name = format!("{}-{number}", spec.name);
    let zone = node_lifecycle::zone_number(state, &spec.zones[in_zone]);
    state.cpus.push(NodeCpu::new(spec.cpu));
    state.sampled.push(Sampled::NEVER);
    state.nodes.push(Node {
        pool,
        name,
        life: NodeLife::Provisioning,
        place: None,
        pods: Vec::new(),
        images: Pulls::default(),
        held: Vec::new(),
        in_zone,
        zone,
        heartbeat: Heartbeat { seen: SimTime::ZERO, started: true, ready: Ready::True },
        tainted: None,
        machine: Machine::There,
        reports_ready: true,
        cordoned: false,
        leaving: false,
        ready_since: SimTime::NEVER,
        short_at: None,
    });
    state.nodes.len() as u32 - 1
}

/// A node joins.
pub fn join(state: &mut State, cx: &mut Context, node: u32) {
    let (pool, name) = (state.nodes[node as usize].pool, state.nodes[node as usize].name.clone());
    let in_zone = state.nodes[node as usize].in_zone;
    let shape = state.scenario.cluster.pools[pool as usize].shape(&name, in_zone);
    let place = state.scheduler.cluster.add_node(shape);
    let one = &mut state.nodes[node as usize];
    (one.place, one.life, one.ready_since) = (Some(place), NodeLife::Ready, cx.now());
    let phase = cx.streams.kubelets.below(10_000_000_000);
    cx.agenda.after(SimDuration::from_nanos(phase), Event::NodeSampled(node));
    note_count(state, cx);
    for workload in 0..state.scenario.workloads.len() as u32 {
        if matches!(state.spec(workload).kind, Kind::DaemonSet) {
            workloads::soon(state, cx, workload);
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

/// A node loses its power: what runs on it is gone without a word.
pub fn lose_power(state: &mut State, cx: &mut Context, node: u32) {
    if state.nodes[node as usize].life != NodeLife::Ready {
        return;
    }
    for id in state.nodes[node as usize].pods.clone() {
        kubelet::lose_power(state, cx, id);
    }
    state.nodes[node as usize].life = NodeLife::Dead;
    note_count(state, cx);
    state.nodes[node as usize].images.break_off(cx.now());
    node_lifecycle::silenced(state, cx, node);
}

/// A node's machine is gone for good; its Node object is still there.
pub fn terminate(state: &mut State, cx: &mut Context, node: u32) {
    lose_power(state, cx, node);
    state.nodes[node as usize].machine = Machine::Gone;
}

/// A silent node's machine is given back to the cloud.
pub fn give_back(state: &mut State, cx: &mut Context, node: u32) {
    state.nodes[node as usize].machine = Machine::Gone;
    node_lifecycle::ask_cloud(cx, node);
}

/// The cloud's controller looks for the machine of a node that is not ready, and
/// deletes the Node object where there is none.
pub fn machine_missed(state: &mut State, cx: &mut Context, node: u32) {
    let now = cx.now();
    let one = &mut state.nodes[node as usize];
    if one.life != NodeLife::Dead {
        return;
    }
    one.life = NodeLife::Gone;
    let text = format!("node {} is deleted: the cloud has no such machine any more", one.name);
    if let Some(place) = one.place.take() {
        state.scheduler.cluster.remove_node(place);
    }
    cx.seen.moment(now, MomentKind::NodeRemoved, None, text);
    let phase = SimDuration::from_nanos(draw(cx.seed.key("pod gc"), 0) % orphans::PERIOD.as_nanos());
    cx.agenda.at(orphans::collected_at(now, phase), Event::OrphansCollected(node));
}

/// A node has power again and has booted: its pods start over.
pub fn power_back(state: &mut State, cx: &mut Context, node: u32) {
    let one = &state.nodes[node as usize];
    if one.life != NodeLife::Dead || one.machine == Machine::Gone {
        return;
    }
    state.nodes[node as usize].life = NodeLife::Ready;
    note_count(state, cx);
    cx.agenda.after(SimDuration::from_secs(1), Event::NodeSampled(node));
    volumes::let_go(state, cx, node);
    for id in state.nodes[node as usize].pods.clone() {
        kubelet::boot(state, cx, id);
    }
    node_lifecycle::watch(state, cx);
}

/// A kubelet reports its node ready or not.
pub fn report(state: &mut State, cx: &mut Context, node: u32, ready: bool) {
    state.nodes[node as usize].reports_ready = ready;
    node_lifecycle::watch(state, cx);
}

/// Takes down how many nodes are ready, whenever that changes: a step's end would miss what is
/// shorter than a step.
fn note_count(state: &State, cx: &mut Context) {
    let (count, _) = count_and_price(state);
    cx.seen.cluster.nodes.set(cx.agenda.now(), f64::from(count));
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
    note_count(state, cx);
    for id in std::mem::take(&mut state.nodes[node as usize].pods) {
        kubelet::lose(state, cx, id);
    }
    if let Some(place) = state.nodes[node as usize].place.take() {
        state.scheduler.cluster.remove_node(place);
    }
    scheduler::notice(state, cx, Change::PodGone);
}
