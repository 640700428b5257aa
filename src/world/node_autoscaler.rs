//! cluster-autoscaler's and Karpenter's loops: nodes come and go.

use std::collections::BTreeMap;

use crate::k8s::node_autoscaling::back_off::BackOff;
use crate::k8s::node_autoscaling::consolidation::{Consolidation, Market, Owned, consolidate, validate};
use crate::k8s::node_autoscaling::karpenter::{Offering, provision};
use crate::k8s::node_autoscaling::scale_down::{DownSettings, Looked, NodeFacts, PodFacts, scale_down};
use crate::k8s::node_autoscaling::scale_up::{NodeGroup, Pending, ScaleUp, UpSettings, scale_up};
use crate::k8s::node_lifecycle::Ready;
use crate::k8s::placement::{ClusterView, NodeId, NodeShape, PodView};
use crate::observe::MomentKind;
use crate::scenario::{Kind, NodeHold, NodePool, ProvisionedBy};
use crate::units::SimDuration;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::{Machine, Node, NodeLife, Replacement, State};
use crate::world::{budgets, drain, nodes, scheduler};

/// Both autoscalers look again after this at the latest.
const SCAN: SimDuration = SimDuration::from_secs(10);
/// From the taint of a node that is to go until it is deleted, if it is empty then; it
/// is looked at again as often, and refused evictions are asked for again.
const DELETE_DELAY: SimDuration = SimDuration::from_secs(5);
/// Karpenter validates what it wants to consolidate once more after this.
const VALIDATION: SimDuration = SimDuration::from_secs(15);
/// Karpenter gives a machine up that hasn't registered by then.
const REGISTRATION: SimDuration = SimDuration::from_secs(15 * 60);
/// Karpenter disrupts at most so many percent of its nodes at a time.
const KARPENTER_BUDGET: u32 = 10;

/// Starts the loop, where there is one.
pub fn start(state: &State, cx: &mut Context) {
    if state.scenario.cluster.provisioned_by != ProvisionedBy::Nobody {
        let first = SimDuration::from_nanos(cx.streams.delays.below(SCAN.as_nanos()));
        cx.agenda.after(first, Event::NodeAutoscalerRan);
    }
}

/// The autoscaler looks.
pub fn ran(state: &mut State, cx: &mut Context) {
    match state.scenario.cluster.provisioned_by {
        ProvisionedBy::Nobody => return,
        ProvisionedBy::ClusterAutoscaler => cluster_autoscaler(state, cx),
        ProvisionedBy::Karpenter => karpenter(state, cx),
    }
    cx.agenda.after(SCAN, Event::NodeAutoscalerRan);
}

/// Pods that the scheduler found no node for.
fn pending(state: &State) -> Vec<Pending> {
    let waiting = state.scheduler.waiting.values().filter_map(|&id| state.pod(id));
    waiting
        .filter(|pod| pod.unschedulable_since.is_some())
        .map(|pod| {
            let kind = state.workloads[pod.workload as usize].kind;
            let only_node = state.made_for(pod.workload, pod.ordinal);
            let view = PodView { id: pod.uid as usize, kind, only_node, nominated: None };
            Pending { pod: view, created: pod.created }
        })
        .collect()
}

/// The cluster with the nodes that are on their way, and which these are.
fn with_upcoming(state: &State) -> (ClusterView, Vec<NodeId>) {
    let mut cluster = state.scheduler.cluster.clone();
    let mut upcoming = Vec::new();
    for node in state.nodes.iter().filter(|node| node.life == NodeLife::Provisioning) {
        let pool = &state.scenario.cluster.pools[node.pool as usize];
        upcoming.push(cluster.add_node(pool.shape(&node.name, node.in_zone)));
    }
    (cluster, upcoming)
}

/// Kinds of DaemonSet pods, which a new node has to carry.
fn daemons(state: &State) -> Vec<usize> {
    let workloads = state.scenario.workloads.iter().zip(&state.workloads);
    workloads.filter(|(spec, _)| matches!(spec.kind, Kind::DaemonSet)).map(|(_, one)| one.kind).collect()
}

/// What matters of each kind of pod when its node shall go. Each autoscaler heeds its own
/// annotation.
fn facts(state: &State) -> BTreeMap<usize, PodFacts> {
    let karpenter = state.scenario.cluster.provisioned_by == ProvisionedBy::Karpenter;
    let workloads = state.scenario.workloads.iter().zip(&state.workloads);
    workloads
        .map(|(spec, one)| {
            let NodeHold { local_storage, safe_to_evict, do_not_disrupt } = spec.template.hold;
            let safe_to_evict = if karpenter { do_not_disrupt.then_some(false) } else { safe_to_evict };
            let daemon = matches!(spec.kind, Kind::DaemonSet);
            let replicated = !matches!(spec.kind, Kind::Pod);
            (one.kind, PodFacts { daemon, replicated, local_storage, safe_to_evict })
        })
        .collect()
}

/// Whether there is a machine, or will be: a silent one is one until the cloud says
/// otherwise.
fn is_there(node: &Node) -> bool {
    match node.life {
        NodeLife::Provisioning | NodeLife::Ready => true,
        NodeLife::Dead => node.machine == Machine::There,
        NodeLife::Gone => false,
    }
}

/// What a new node of a pool looks like in each of its zones, and how many were ordered
/// there so far.
fn zones(state: &State, pool: usize) -> Vec<(NodeShape, u32)> {
    let spec = &state.scenario.cluster.pools[pool];
    let ordered = |zone: usize| {
        let there = |node: &&Node| node.pool as usize == pool && node.in_zone == zone;
        state.nodes.iter().filter(there).count() as u32
    };
    (0..spec.zones.len()).map(|zone| (spec.shape(&spec.name, zone), ordered(zone))).collect()
}

/// Node pools as cluster-autoscaler's node groups.
fn groups(state: &State) -> Vec<NodeGroup> {
    let daemons = daemons(state);
    let pools = state.scenario.cluster.pools.iter().enumerate();
    pools
        .map(|(number, pool)| {
            let there = state.nodes.iter().filter(|node| node.pool as usize == number && is_there(node));
            NodeGroup {
                name: pool.name.clone(),
                zones: zones(state, number),
                capacity_cpu: pool.cpu,
                capacity_memory: pool.memory,
                daemons: daemons.clone(),
                target: there.count() as u32,
                min: pool.min,
                max: pool.max,
                back_off: BackOff::default(),
            }
        })
        .collect()
}

/// One loop of cluster-autoscaler.
fn cluster_autoscaler(state: &mut State, cx: &mut Context) {
    let now = cx.now();
    let mut groups = groups(state);
    let pending = pending(state);
    if !pending.is_empty() {
        let (cluster, _) = with_upcoming(state);
        let tie = cx.streams.ties.bits();
        match scale_up(&cluster, &pending, &groups, &UpSettings::default(), now, tie) {
            ScaleUp::Grow { chosen, .. } => {
                state.node_autoscaler.down.last_add = Some(now);
                for zone in chosen.zones {
                    buy(state, cx, chosen.group as u32, zone);
                }
                return;
            }
            ScaleUp::TooYoung => return,
            ScaleUp::NotNeeded | ScaleUp::NoOption => {}
        }
    }
    // Those that are on their way out are no more to spare.
    let ends = |id: &PodId| state.pod(*id).is_some_and(|pod| pod.deleting);
    let mut leaving = (0, 0);
    for node in state.nodes.iter().filter(|node| node.leaving && is_there(node)) {
        groups[node.pool as usize].target -= 1;
        leaving = (leaving.0 + 1, leaving.1 + usize::from(node.pods.iter().any(ends)));
    }
    let owned = node_facts(state);
    let (facts, budgets) = (facts(state), budgets::guarded(state, now));
    let around = Looked { groups: &groups, nodes: &owned, pods: &facts, budgets: &budgets, leaving };
    let mut memory = std::mem::take(&mut state.node_autoscaler.down);
    let decision = scale_down(&state.scheduler.cluster, &around, &DownSettings::default(), &mut memory, now);
    state.node_autoscaler.down = memory;
    for place in decision.delete.into_iter().chain(decision.drain.into_iter().map(|(place, _)| place)) {
        if let Some(node) = state.node_at(place) {
            drain::set_leaving(state, cx, node, true);
            retire(state, cx, node);
        }
    }
}

/// cluster-autoscaler's nodes by their places, silent ones included.
fn node_facts(state: &State) -> BTreeMap<NodeId, NodeFacts> {
    let nodes = state.nodes.iter().filter(|node| !node.leaving && is_there(node));
    let facts = |node: &Node| {
        let ready = node.heartbeat.ready == Ready::True;
        Some((node.place?, NodeFacts { group: node.pool as usize, ready, held: false }))
    };
    nodes.filter_map(facts).collect()
}

/// Ready nodes: the scheduler's place and ours.
fn ready_places<'a>(state: &'a State) -> impl Iterator<Item = (usize, usize)> + 'a {
    let nodes = state.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| {
            node.life == NodeLife::Ready && node.heartbeat.ready == Ready::True && !node.leaving
        })
        .filter_map(|(number, node)| Some((node.place?, number)))
}

/// One loop of Karpenter: asks for the pods that wait still, and consolidates when nobody
/// waits. It hears of new ones by itself (`scheduler::ask_karpenter`).
fn karpenter(state: &mut State, cx: &mut Context) {
    look_after_replacements(state, cx);
    if pending(state).is_empty() {
        consolidate_nodes(state, cx);
    } else {
        scheduler::ask_karpenter(state, cx);
    }
}

/// Karpenter's batch may be closed: buys machines for the pods in it.
pub fn karpenter_batched(state: &mut State, cx: &mut Context) {
    let waits_for_more = !state.node_autoscaler.batch.closes(cx.now());
    let pods: Vec<PodView> = pending(state).into_iter().map(|one| one.pod).collect();
    if pods.is_empty() || waits_for_more {
        return;
    }
    let room = groups(state);
    let (places, offerings): (Vec<(usize, usize)>, Vec<Offering>) =
        offerings(state).into_iter().filter(|((pool, _), _)| room[*pool].target < room[*pool].max).unzip();
    let answer = provision(&with_upcoming(state).0, &pods, &offerings, &daemons(state));
    let mut left: Vec<u32> = room.iter().map(|group| group.max - group.target.min(group.max)).collect();
    for purchase in answer.purchases {
        let (pool, zone) = places[purchase.offering];
        if left[pool] > 0 {
            left[pool] -= 1;
            buy(state, cx, pool as u32, zone);
        }
    }
}

/// What is on sale, with its pool and its zone there: each pool is one machine type.
fn offerings(state: &State) -> Vec<((usize, usize), Offering)> {
    let pools = state.scenario.cluster.pools.iter().enumerate();
    let of_pool = |(pool, spec): (usize, &NodePool)| {
        let (instance_type, price) = (spec.name.clone(), spec.price_per_hour);
        let all = zones(state, pool).into_iter().enumerate();
        let one = move |(zone, (shape, bought))| {
            let instance_type = instance_type.clone();
            ((pool, zone), Offering { instance_type, shape, price, spot: false, bought })
        };
        all.map(one)
    };
    pools.flat_map(of_pool).collect()
}

/// Karpenter looks for nodes that don't pay, unless it has found some that wait for their
/// second look.
fn consolidate_nodes(state: &mut State, cx: &mut Context) {
    if state.node_autoscaler.formed.is_some() {
        return;
    }
    let found = on_market(state, cx, consolidate);
    if found != Consolidation::Nothing {
        state.node_autoscaler.formed = Some(found);
        cx.agenda.after(VALIDATION, Event::ConsolidationValidated);
    }
}

/// What has been decided is looked at again, and done if it is still right. Nodes that
/// are replaced take no new pods from now on, but keep theirs until the new one is ready.
pub fn consolidation_validated(state: &mut State, cx: &mut Context) {
    let Some(formed) = state.node_autoscaler.formed.take() else { return };
    match on_market(state, cx, |cluster, market| validate(cluster, market, &formed)) {
        Consolidation::Nothing => {}
        Consolidation::DeleteEmpty(places) | Consolidation::Delete(places) => {
            for node in leave(state, cx, &places) {
                retire(state, cx, node);
            }
        }
        Consolidation::Replace { nodes: places, offerings } => {
            let room = groups(state);
            let all = self::offerings(state);
            let mut wanted = offerings.iter().map(|at| all[*at].0);
            let Some((pool, zone)) = wanted.find(|(pool, _)| room[*pool].target < room[*pool].max) else {
                return;
            };
            let instead_of = leave(state, cx, &places);
            let (bought, until) = (buy(state, cx, pool as u32, zone), cx.now() + REGISTRATION);
            state.node_autoscaler.replacements.push(Replacement { bought, until, instead_of });
        }
    }
}

/// Nodes at these places are tainted.
fn leave(state: &mut State, cx: &mut Context, places: &[NodeId]) -> Vec<u32> {
    let nodes: Vec<u32> = places.iter().filter_map(|&place| state.node_at(place)).collect();
    for &node in &nodes {
        drain::set_leaving(state, cx, node, true);
    }
    nodes
}

/// Nodes whose replacement is ready are drained; those that never get one stay.
fn look_after_replacements(state: &mut State, cx: &mut Context) {
    let now = cx.now();
    for one in std::mem::take(&mut state.node_autoscaler.replacements) {
        match state.nodes[one.bought as usize].life {
            NodeLife::Ready => one.instead_of.into_iter().for_each(|node| retire(state, cx, node)),
            NodeLife::Provisioning if now < one.until => state.node_autoscaler.replacements.push(one),
            _ => one.instead_of.into_iter().for_each(|node| drain::set_leaving(state, cx, node, false)),
        }
    }
}

/// Puts a question to Karpenter's rules about the cluster as it is. A full pool has nothing
/// to sell at any price.
fn on_market(
    state: &State,
    cx: &Context,
    decide: impl FnOnce(&ClusterView, &Market) -> Consolidation,
) -> Consolidation {
    let room = groups(state);
    let mut owned = BTreeMap::new();
    for (place, node) in ready_places(state) {
        let pool = state.nodes[node].pool as usize;
        let disruptable = room[pool].target > room[pool].min;
        let spec = &state.scenario.cluster.pools[pool];
        let (instance_type, price) = (spec.name.clone(), spec.price_per_hour);
        owned.insert(place, Owned { instance_type, price, spot: false, disruptable });
    }
    let (there, leaving) = leaving(state);
    let full = |pool: usize| room[pool].target >= room[pool].max;
    let priced = |((pool, _), one): ((usize, usize), Offering)| Offering {
        price: if full(pool) { f64::INFINITY } else { one.price },
        ..one
    };
    let offerings: Vec<Offering> = offerings(state).into_iter().map(priced).collect();
    let (facts, budgets, daemons) = (facts(state), budgets::guarded(state, cx.now()), daemons(state));
    let (cluster, upcoming) = with_upcoming(state);
    let market = Market {
        owned: &owned,
        leaving: &leaving,
        upcoming: &upcoming,
        disrupting: there - owned.len() as u32,
        offerings: &offerings,
        daemons: &daemons,
        pods: &facts,
        budgets: &budgets,
        budget_percent: KARPENTER_BUDGET,
        underutilized_too: true,
        spot_to_spot: false,
    };
    decide(&cluster, &market)
}

/// How many nodes have joined, and the places of those that are to go.
fn leaving(state: &State) -> (u32, Vec<NodeId>) {
    let there = state.nodes.iter().filter(|node| matches!(node.life, NodeLife::Ready | NodeLife::Dead));
    let leaving = there.clone().filter(|node| node.leaving).filter_map(|node| node.place);
    (there.count() as u32, leaving.collect())
}

/// Orders a node; it joins when its provisioning is over.
fn buy(state: &mut State, cx: &mut Context, pool: u32, zone: usize) -> u32 {
    let node = nodes::order(state, pool, zone);
    let takes = cx.times.provision[pool as usize].at(cx.streams.nodes.bits());
    cx.agenda.after(takes, Event::NodeReady(node));
    node
}

/// Takes a node out of service that takes no new pods any more: its pods are evicted, and
/// it is deleted when they have gone.
fn retire(state: &mut State, cx: &mut Context, node: u32) {
    drain::evict(state, cx, node);
    cx.agenda.after(DELETE_DELAY, Event::NodeEmptied(node));
}

/// A node that is to go may be empty by now: deleted if so, else those are asked for again
/// that their budgets didn't let go.
pub fn node_emptied(state: &mut State, cx: &mut Context, node: u32) {
    let keeps = |id: &PodId| {
        state.pod(*id).is_some_and(|pod| !matches!(state.spec(pod.workload).kind, Kind::DaemonSet))
    };
    match state.nodes[node as usize].life {
        NodeLife::Gone => return,
        // Nobody there can say that the pods have ended: the machine goes, the Node object
        // follows, and they with it.
        NodeLife::Dead => {
            state.node_autoscaler.down.last_delete = Some(cx.now());
            nodes::give_back(state, cx, node);
            return;
        }
        NodeLife::Provisioning | NodeLife::Ready => {}
    }
    if state.nodes[node as usize].pods.iter().any(keeps) {
        retire(state, cx, node);
        return;
    }
    let now = cx.now();
    nodes::leave(state, cx, node);
    state.node_autoscaler.down.last_delete = Some(now);
    let text = format!("node {} left", state.nodes[node as usize].name);
    cx.seen.moment(now, MomentKind::NodeRemoved, None, text);
}
