//! Who is sent traffic: slices, kube-proxy, the ingress, and the choice.
//!
//! kube-proxy runs on every node and the ingress in several workers; one of each
//! stands for all of them.

use crate::k8s::endpoints::{
    INGRESS_POLL, PROXY_MIN_SYNC, PodView, conditions, ingress_nginx, kube_proxy, polled_at, proxy_syncs_at,
    slice_written_at,
};
use crate::sim::random::below;
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::frames::NO_POD;
use crate::world::ids::PodId;
use crate::world::state::State;

/// kube-proxy's place in a workload's proxies.
pub const KUBE_PROXY: usize = 0;
/// The ingress' place.
pub const INGRESS: usize = 1;
/// From a pod's status in the API to the written slice: two watches and a write.
const CONTROLLER_LAG: SimDuration = SimDuration::from_millis(100);

/// Chooses an endpoint of a workload; `None` when there is none.
///
/// kube-proxy chooses at random; so does this for the ingress, whose round robin
/// is interleaved by its workers, unless the scenario says how it balances
/// (`world::balancing`). What one endpoint has just `refused` goes to the next in turn,
/// which is another.
#[inline]
pub fn choose(
    state: &State,
    workload: usize,
    (from_outside, refused): (bool, PodId),
    bits: u64,
) -> Option<PodId> {
    let through_ingress = from_outside && state.scenario.workloads[workload].behind_ingress;
    let proxy = &state.workloads[workload].proxies[if through_ingress { INGRESS } else { KUBE_PROXY }];
    let endpoints = &proxy.endpoints;
    if endpoints.is_empty() {
        return None;
    }
    if refused != NO_POD {
        return Some(another(endpoints, refused, bits));
    }
    Some(endpoints[below(bits, endpoints.len() as u64) as usize])
}

/// One of the endpoints at random, but the one that refused only if it is alone.
#[cold]
fn another(endpoints: &[PodId], refused: PodId, bits: u64) -> PodId {
    let others = || endpoints.iter().filter(|&&pod| pod != refused);
    let count = others().count() as u64;
    others().nth(below(bits, count.max(1)) as usize).copied().unwrap_or(refused)
}

/// Something about a workload's pods has changed: its slice will be written.
pub fn changed(state: &mut State, cx: &mut Context, workload: u32) {
    let one = &mut state.workloads[workload as usize];
    if !one.slice_due {
        one.slice_due = true;
        let written = slice_written_at(cx.now(), SimDuration::ZERO) + CONTROLLER_LAG;
        cx.agenda.at(written, Event::SliceWritten(workload));
    }
}

/// A slice is written: both proxies will take it over.
pub fn slice_written(state: &mut State, cx: &mut Context, workload: u32) {
    let now = cx.now();
    state.workloads[workload as usize].slice_due = false;
    let phase = SimTime::from_nanos(cx.seed.key("ingress workers") % INGRESS_POLL.as_nanos());
    for which in [KUBE_PROXY, INGRESS] {
        let proxy = &mut state.workloads[workload as usize].proxies[which];
        if proxy.due {
            continue;
        }
        proxy.due = true;
        let at = if which == KUBE_PROXY {
            proxy_syncs_at(now, proxy.last_sync, PROXY_MIN_SYNC)
        } else {
            polled_at(proxy.limit.wait_and_take(now), phase, INGRESS_POLL)
        };
        cx.agenda.at(at, Event::ProxySynced(workload, which as u8));
    }
}

/// A proxy takes over what the slice says now.
pub fn proxy_synced(state: &mut State, cx: &mut Context, workload: u32, which: usize) {
    let endpoints = eligible(state, workload, which);
    let proxy = &mut state.workloads[workload as usize].proxies[which];
    proxy.endpoints = endpoints;
    proxy.version += 1;
    proxy.due = false;
    proxy.last_sync = Some(cx.now());
}

/// The pods that a proxy sends traffic to.
fn eligible(state: &State, workload: u32, which: usize) -> Vec<PodId> {
    let pods = state.workloads[workload as usize].pods.iter();
    let listed: Vec<_> = pods
        .filter_map(|&id| {
            let pod = state.pod(id)?;
            let reachable = pod.node.is_some() && pod.run > 0;
            let view = PodView { ready: pod.ready, deleting: pod.deleting, reachable };
            Some((id, conditions(&view, false)?))
        })
        .collect();
    let all = listed.iter().map(|(_, endpoint)| *endpoint);
    let chosen = if which == KUBE_PROXY { kube_proxy(all) } else { ingress_nginx(all) };
    listed.into_iter().filter(|(_, endpoint)| chosen.includes(*endpoint)).map(|(id, _)| id).collect()
}

/// At the very start everything is known everywhere.
pub fn settle(state: &mut State, workload: u32) {
    for which in [KUBE_PROXY, INGRESS] {
        let endpoints = eligible(state, workload, which);
        let proxy = &mut state.workloads[workload as usize].proxies[which];
        proxy.endpoints = endpoints;
        proxy.version += 1;
    }
}
