//! Workload controllers: make and delete pods until there are as many as wanted.

use crate::k8s::ranking::{BURST, Candidate, Gates, Manage, Phase, manage, order, sort};
use crate::k8s::statefulset::{self, Action, Health, StatefulSetView, Update};
use crate::scenario::Kind;
use crate::service::Station;
use crate::sim::random::draw;
use crate::units::{MilliCpu, SimTime};
use crate::world::context::{Context, alarm};
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::sidecars::Beside;
use crate::world::state::{ContainerState, Curve, NodeLife, Pod, Reported, Skipped, State};
use crate::world::{deployments, kubelet, scheduler, workloads};

/// A controller looks at its pods.
pub fn synced(state: &mut State, cx: &mut Context, workload: u32) {
    state.workloads[workload as usize].sync_due = false;
    match state.spec(workload).kind {
        Kind::Deployment { .. } => deployments::synced(state, cx, workload),
        Kind::ReplicaSet => sync_replica_set(state, cx, workload, 0),
        Kind::StatefulSet { .. } => sync_stateful_set(state, cx, workload),
        Kind::DaemonSet => sync_daemon_set(state, cx, workload),
        // Nobody looks after a bare pod; a job's pods run to their end.
        Kind::Pod | Kind::Job => {}
    }
}

/// A Deployment's ReplicaSets look at their pods.
pub fn replica_sets_synced(state: &mut State, cx: &mut Context, workload: u32) {
    state.workloads[workload as usize].sets_due = false;
    for set in 0..state.workloads[workload as usize].sets.len() as u32 {
        sync_replica_set(state, cx, workload, set);
    }
    if state.workloads[workload as usize].rollout.is_some() {
        workloads::soon(state, cx, workload);
    }
}

/// A ReplicaSet makes what is missing and deletes what is too much.
fn sync_replica_set(state: &mut State, cx: &mut Context, workload: u32, set: u32) {
    let active = active_pods(state, workload, set);
    match manage(active.len() as u32, state.workloads[workload as usize].sets[set as usize].spec) {
        Manage::Nothing => {}
        Manage::Create(count) => {
            for _ in 0..count {
                create(state, cx, workload, 0, set);
            }
            // What is missing beyond a burst is made as soon as the watch has shown these.
            if count == BURST {
                match state.spec(workload).kind {
                    Kind::ReplicaSet => workloads::soon(state, cx, workload),
                    _ => workloads::sets_soon(state, cx, workload),
                }
            }
        }
        Manage::Delete(count) => {
            let now = cx.now();
            let gates = Gates { deletion_cost: true, logarithmic: state.rules.victim_ranking_log2 };
            let mut candidates: Vec<_> =
                active.iter().filter_map(|&id| Some((candidate(state, cx, id)?, id))).collect();
            sort(&mut candidates, |(a, _), (b, _)| order(a, b, gates, now).0.is_lt());
            for (_, id) in candidates.into_iter().take(count as usize) {
                kubelet::delete(state, cx, id);
            }
        }
    }
}

/// Pods of a ReplicaSet that aren't being deleted, oldest first.
fn active_pods(state: &State, workload: u32, set: u32) -> Vec<PodId> {
    let pods = state.workloads[workload as usize].pods.iter().copied();
    pods.filter(|&id| state.pod(id).is_some_and(|pod| pod.set == set && !pod.deleting)).collect()
}

/// What the ranking of victims looks at.
fn candidate(state: &State, cx: &Context, id: PodId) -> Option<Candidate<u64>> {
    let pod = state.pod(id)?;
    let siblings = state.workloads[pod.workload as usize].pods.iter();
    let beside = |other: &&PodId| {
        state
            .pod(**other)
            .is_some_and(|other| other.node.is_some() && other.node == pod.node && !other.deleting)
    };
    Some(Candidate {
        bound: pod.node.is_some(),
        phase: if pod.run > 0 { Phase::Running } else { Phase::Pending },
        ready: pod.ready,
        deletion_cost: 0,
        colocated: siblings.filter(beside).count() as u32,
        ready_since: pod.ready_since,
        restarts: pod.restarts,
        sidecar_restarts: 0,
        created: Some(pod.created),
        uid: draw(cx.seed.key("uids"), u64::from(pod.uid)),
    })
}

/// A StatefulSet takes its next steps.
fn sync_stateful_set(state: &mut State, cx: &mut Context, workload: u32) {
    let spec = state.spec(workload);
    let Kind::StatefulSet { parallel, partition, max_unavailable, on_delete } = spec.kind else { return };
    let max_unavailable = max_unavailable.filter(|_| state.rules.stateful_set_max_unavailable);
    let update = if on_delete { Update::OnDelete } else { Update::Rolling { partition, max_unavailable } };
    let replicas = state.workloads[workload as usize].desired;
    let view = StatefulSetView { start: 0, replicas, ordered: !parallel, update };
    let now = cx.now();
    let pods: Vec<_> = state.workloads[workload as usize]
        .pods
        .iter()
        .filter_map(|&id| {
            let pod = state.pod(id)?;
            let available = pod.ready_since.is_some_and(|since| since + spec.min_ready <= now);
            let health = match (pod.ready, available) {
                (false, _) => Health::Unready,
                (true, false) => Health::Ready,
                (true, true) => Health::Available,
            };
            let view = statefulset::PodView {
                ordinal: pod.ordinal,
                updated: pod.set == state.workloads[workload as usize].revision,
                health,
                terminating: pod.deleting,
            };
            Some((id, view))
        })
        .collect();
    let views: Vec<_> = pods.iter().map(|(_, view)| *view).collect();
    for action in statefulset::sync(&view, &views).actions {
        match action {
            Action::Create { ordinal, updated } => {
                let wanted = state.workloads[workload as usize].revision;
                // Below the partition the revision before it is kept.
                let set = if updated { wanted } else { wanted.saturating_sub(1) };
                create(state, cx, workload, ordinal, set);
            }
            Action::Delete { ordinal, .. } => {
                let victim = pods.iter().find(|(_, pod)| pod.ordinal == ordinal);
                if let Some((id, _)) = victim {
                    kubelet::delete(state, cx, *id);
                }
            }
        }
    }
    deployments::follow(state, cx, workload);
}

/// A DaemonSet has one pod on every node that it wants (`k8s::daemon_set`); the scheduler
/// says where it doesn't fit.
fn sync_daemon_set(state: &mut State, cx: &mut Context, workload: u32) {
    let nodes: Vec<u32> = (0..state.nodes.len() as u32)
        .filter(|&node| state.nodes[node as usize].life == NodeLife::Ready && state.takes(workload, node))
        .collect();
    let has = |state: &State, node: u32| {
        let pods = &state.workloads[workload as usize].pods;
        pods.iter().any(|&id| state.pod(id).is_some_and(|pod| pod.ordinal == node))
    };
    state.workloads[workload as usize].desired = nodes.len() as u32;
    for node in nodes {
        if !has(state, node) {
            create(state, cx, workload, node, 0);
        }
    }
    workloads::note_replicas(state, cx, workload);
}

/// Makes a pod and queues it for the scheduler.
pub fn create(state: &mut State, cx: &mut Context, workload: u32, ordinal: u32, set: u32) {
    let id = make(state, cx, workload, ordinal, set);
    scheduler::enqueue(state, cx, id);
}

/// Makes a pod object.
pub fn make(state: &mut State, cx: &mut Context, workload: u32, ordinal: u32, set: u32) -> PodId {
    let now = cx.now();
    let one = &state.workloads[workload as usize];
    let slower = one.slower * one.releases[set as usize].release.work;
    let uid = state.pods_created;
    state.pods_created += 1;
    let pod = Pod {
        uid,
        workload,
        ordinal,
        created: now,
        node: None,
        bound: SimTime::NEVER,
        waits_for_volume: false,
        container: ContainerState::Waiting,
        run: 0,
        listens: false,
        started: false,
        ready: false,
        ready_since: None,
        was_ready: false,
        deleting: false,
        terminated: false,
        ending: false,
        station: Station::new(cx.agenda.active(), None, None, MilliCpu(1), 0),
        cpu_wanted: 0,
        in_progress: 0,
        queue: std::collections::VecDeque::new(),
        requests: 0,
        leaked: 0,
        probes: [None; 3],
        backoff: crate::k8s::restart::Backoff::default(),
        finished: SimTime::ZERO,
        restarts: 0,
        sample: None,
        window: crate::k8s::metrics::ContainerWindow::default(),
        steady: false,
        reported: Reported::default(),
        skipped: Skipped::default(),
        beside: Beside::default(),
        unschedulable_since: None,
        nominated: None,
        set,
        slower,
        warm_at: SimTime::ZERO,
        connections: 0,
        curve: Curve::default(),
        stressed: 0,
        asleep: [SimTime::NEVER; 3],
        hangs: false,
        crash_loops: false,
        failed_pulls: 0,
        evicted_at: None,
    };
    let (index, generation) = state.pods.insert(pod);
    let id = PodId { index, generation };
    cx.agenda.name_alarm(alarm::of_pod(id), Event::WorkEnded(id));
    let one = &mut state.workloads[workload as usize];
    one.pods.push(id);
    if state.has_usage && state.scenario.workloads[workload as usize].usage.is_some() {
        one.unsteady.push(id);
    }
    id
}
