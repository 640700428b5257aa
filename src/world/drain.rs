//! `kubectl drain`: a node is cordoned, its pods evicted under their budgets.

use crate::k8s::disruption::Eviction;
use crate::k8s::placement::queue::Change;
use crate::observe::MomentKind;
use crate::scenario::Kind;
use crate::units::SimDuration;
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::state::State;
use crate::world::{budgets, kubelet, scheduler};

/// kubectl asks again so long after a refused eviction.
const RETRY: SimDuration = SimDuration::from_secs(5);

/// The drain begins.
pub fn begin(state: &mut State, cx: &mut Context, node: u32) {
    set_cordoned(state, node, true);
    went_on(state, cx, node);
}

/// Evicts whom the budgets let go; asks again later for the others.
pub fn went_on(state: &mut State, cx: &mut Context, node: u32) {
    let now = cx.now();
    if !state.nodes[node as usize].cordoned {
        return;
    }
    let mut refused = None;
    for id in state.nodes[node as usize].pods.clone() {
        if !is_evicted(state, id) {
            continue;
        }
        match budgets::evict(state, id, now) {
            Eviction::Granted(_) => kubelet::delete(state, cx, id),
            Eviction::TooManyRequests | Eviction::SeveralBudgets => refused = refused.or(Some(id)),
        }
    }
    let Some(id) = refused else { return };
    cx.agenda.after(RETRY, Event::DrainWentOn(node));
    let Some(workload) = state.pod(id).map(|pod| pod.workload as usize) else { return };
    let name = &state.scenario.workloads[workload].name;
    let known = cx
        .seen
        .moments
        .iter()
        .any(|one| one.kind == MomentKind::DrainBlocked && one.workload == Some(workload));
    if !known {
        let text = format!(
            "the drain of node {} waits: the disruption budget of {name} allows no eviction",
            state.nodes[node as usize].name
        );
        cx.seen.moment(now, MomentKind::DrainBlocked, Some(workload), text);
    }
}

/// Whether a drain wants a pod gone: DaemonSets' pods stay.
fn is_evicted(state: &State, id: PodId) -> bool {
    state
        .pod(id)
        .is_some_and(|pod| !pod.deleting && !matches!(state.spec(pod.workload).kind, Kind::DaemonSet))
}

/// The node is uncordoned.
pub fn end(state: &mut State, cx: &mut Context, node: u32) {
    set_cordoned(state, node, false);
    scheduler::notice(state, cx, Change::NodeBetter);
}

fn set_cordoned(state: &mut State, node: u32, cordoned: bool) {
    state.nodes[node as usize].cordoned = cordoned;
    if let Some(place) = state.nodes[node as usize].place {
        state.scheduler.cluster.change_node(place, |shape| shape.unschedulable = cordoned);
    }
}
