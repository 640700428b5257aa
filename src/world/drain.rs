//! Drains: a node is cordoned, its pods evicted under their budgets.

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

/// `kubectl drain` begins.
pub fn begin(state: &mut State, cx: &mut Context, node: u32) {
    set_cordoned(state, node, true);
    went_on(state, cx, node);
}

/// kubectl evicts whom the budgets let go and asks again later for the others.
pub fn went_on(state: &mut State, cx: &mut Context, node: u32) {
    if state.nodes[node as usize].cordoned && evict(state, cx, node) {
        cx.agenda.after(RETRY, Event::DrainWentOn(node));
    }
}

/// Evicts whom the budgets let go; whether somebody has to be asked for again.
pub fn evict(state: &mut State, cx: &mut Context, node: u32) -> bool {
    let now = cx.now();
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
    let Some(workload) = refused.and_then(|id| state.pod(id)).map(|pod| pod.workload as usize) else {
        return false;
    };
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
    true
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

/// A node autoscaler wants a node gone, or no longer does: no new pods come while it
/// does.
pub fn set_leaving(state: &mut State, cx: &mut Context, node: u32, leaving: bool) {
    state.nodes[node as usize].leaving = leaving;
    tell_scheduler(state, node);
    if !leaving {
        scheduler::notice(state, cx, Change::NodeBetter);
    }
}

fn set_cordoned(state: &mut State, node: u32, cordoned: bool) {
    state.nodes[node as usize].cordoned = cordoned;
    tell_scheduler(state, node);
}

/// Both kubectl's cordon and an autoscaler's taint keep new pods away.
fn tell_scheduler(state: &mut State, node: u32) {
    let one = &state.nodes[node as usize];
    let closed = one.cordoned || one.leaving;
    if let Some(place) = one.place {
        state.scheduler.cluster.change_node(place, |shape| shape.unschedulable = closed);
    }
}
