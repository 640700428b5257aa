//! Calls and connections find their endpoint by the balancer of whoever sends them.
//!
//! A caller's balancer knows its own calls only, as one in a process or a sidecar does.
//! It stays with the pod when the process in it ends. One ingress stands for all its
//! workers.

use crate::scenario::Balancing;
use crate::sim::random::draw;
use crate::units::SimTime;
use crate::world::balancer::{Balancer, Owned, Turn, Whose};
use crate::world::context::Context;
use crate::world::endpoints::{self, INGRESS, KUBE_PROXY};
use crate::world::frames::Caller;
use crate::world::ids::{FrameId, PodId};
use crate::world::state::State;

/// Chooses the endpoint of a workload that a call goes to; `None` when there is none.
pub fn choose(state: &mut State, cx: &mut Context, id: FrameId, to: usize) -> Option<PodId> {
    let frame = state.frames.get(id.index, id.generation)?;
    let (bits, call, caller, refused) = (frame.route(), frame.call, frame.caller, frame.refused_by());
    let from_outside = matches!(caller, Caller::User(_));
    let found = match caller {
        Caller::User(_) if state.scenario.workloads[to].behind_ingress => {
            let by = state.scenario.workloads[to].behaviour.ingress_balancing;
            Some((Whose::Ingress(to as u32), by))
        }
        Caller::Frame(parent) => {
            let parent = state.frames.get(parent.index, parent.generation).map(|parent| parent.pod);
            let (by, number) = state.program.balancing_of[call as usize];
            parent.map(|pod| (Whose::Pod(pod, number), by))
        }
        Caller::User(_) | Caller::Nobody | Caller::Probe(_) => None,
    };
    let Some((whose, by)) = found.filter(|(whose, by)| keeps(state, *whose, *by)) else {
        return endpoints::choose(state, to, (from_outside, refused), bits);
    };
    let now = cx.agenda.active();
    // Where an endpoint has refused it, another gets its turn.
    ended(state, now, id.index, true);
    let (at, version, pod) = next(state, cx, (whose, by, refused), to, bits)?;
    let turns = &mut state.balancers.turns;
    if turns.len() <= id.index as usize {
        turns.resize(id.index as usize + 1, None);
    }
    turns[id.index as usize] = Some(Turn { whose, by, at, version, pod, since: now });
    Some(pod)
}

/// Whether a balancer has anything to remember.
fn keeps(state: &State, whose: Whose, by: Balancing) -> bool {
    let Whose::Pod(pod, number) = whose else { return by != Balancing::Random };
    let workload = state.pods.get(pod.index, pod.generation).map(|pod| pod.workload as usize);
    workload.is_some_and(|workload| (number as usize) < state.program.balancers[workload].len())
}

/// The endpoint that a balancer chooses for a request that another may have `refused`: its
/// place, as of which version, and its name.
pub fn next(
    state: &mut State,
    cx: &mut Context,
    (whose, by, refused): (Whose, Balancing, PodId),
    to: usize,
    bits: u64,
) -> Option<(u32, u32, PodId)> {
    let now = cx.agenda.active();
    let which = if matches!(whose, Whose::Ingress(_)) { INGRESS } else { KUBE_PROXY };
    make(state, whose);
    let proxy = &state.workloads[to].proxies[which];
    let (owners, ingress) = (&mut state.balancers.owners, &mut state.balancers.ingress);
    let balancer = match whose {
        Whose::Ingress(workload) => ingress.get_mut(workload as usize)?,
        Whose::Pod(pod, number) => owners[pod.index as usize].all.get_mut(number as usize)?,
    };
    if balancer.version != proxy.version {
        let first = draw(cx.seed.key("balancers"), bits);
        balancer.update(proxy.version, &proxy.endpoints, (now, first));
    }
    let (at, pod) = balancer.choose(by, bits, now, refused)?;
    Some((at, balancer.version, pod))
}

/// Makes a pod's balancers, unless it has them.
fn make(state: &mut State, whose: Whose) {
    let Whose::Pod(pod, _) = whose else { return };
    let owners = &mut state.balancers.owners;
    let at = pod.index as usize;
    if owners.len() <= at {
        owners.resize_with(at + 1, Owned::default);
    }
    let owned = &mut owners[at];
    if owned.all.is_empty() || owned.generation != pod.generation {
        let workload = state.pods.get(pod.index, pod.generation).map(|pod| pod.workload as usize);
        let count = workload.map_or(0, |workload| state.program.balancers[workload].len());
        *owned = Owned { generation: pod.generation, all: vec![Balancer::default(); count] };
    }
}

/// A call is over for whoever sent it: answered, refused, or given up.
pub fn ended(state: &mut State, now: SimTime, frame: u32, failed: bool) {
    let Some(turn) = state.balancers.turns.get_mut(frame as usize).and_then(Option::take) else { return };
    let outlier = match turn.whose {
        Whose::Ingress(_) => None,
        Whose::Pod(pod, number) => {
            let workload = state.pods.get(pod.index, pod.generation).map(|pod| pod.workload as usize);
            workload.and_then(|workload| state.program.balancers[workload][number as usize])
        }
    };
    let balancer = match turn.whose {
        Whose::Ingress(workload) => state.balancers.ingress.get_mut(workload as usize),
        Whose::Pod(pod, number) => {
            let owned = state.balancers.owners.get_mut(pod.index as usize);
            let same = owned.filter(|owned| owned.generation == pod.generation);
            same.and_then(|owned| owned.all.get_mut(number as usize))
        }
    };
    if let Some(balancer) = balancer {
        let host = (turn.at, turn.version, turn.pod);
        balancer.ended(host, now.since(turn.since), now, turn.by);
        if let Some(rule) = outlier {
            balancer.judge(host, &rule, failed, now);
        }
    }
}
