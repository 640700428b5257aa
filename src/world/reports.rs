//! What a run reports about itself: rows of the series, and its end.

use crate::observe::{Balance, ClusterRow, Observations, Stop, WorkloadRow};
use crate::sim::fingerprint::Fingerprint;
use crate::units::{Bytes, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::state::{Reported, State};
use crate::world::{autoscaler, kubelet, nodes, scheduler, users};

/// The warm-up is over.
pub fn warm_up_ended(state: &mut State, cx: &mut Context) {
    // Quota periods until now belong to the warm-up; CPU used since the last
    // row of the series belongs to its next row.
    for workload in 0..state.workloads.len() {
        let since = collect_use(state, cx, workload);
        state.workloads[workload].gone.used += since.used;
    }
    cx.seen.begin(cx.agenda.now(), cx.agenda.active());
}

/// A step of the series is over.
pub fn step_ended(state: &mut State, cx: &mut Context) {
    let step = cx.seen.series.step;
    let rows: Vec<WorkloadRow> =
        (0..state.workloads.len()).map(|workload| workload_row(state, cx, workload)).collect();
    let last = cx.seen.series.until();
    let row = cluster_row(state, (last, cx.agenda.now()));
    cx.seen.step_ended(cx.agenda.now(), &row, &rows);
    cx.agenda.after(step, Event::StepEnded);
}

/// A step of the watch over drills is over.
pub fn watch_step_ended(state: &State, cx: &mut Context) {
    let (nodes, _) = nodes::count_and_price(state);
    let replicas = state.workloads.iter().map(|one| (one.ready, one.desired));
    cx.seen.watch_step_ended(cx.agenda.now(), replicas, nodes);
    let step = cx.seen.watch.step;
    cx.agenda.after(step, Event::WatchStepEnded);
}

/// CPU and quota periods of a workload since the last report.
fn collect_use(state: &mut State, cx: &mut Context, workload: usize) -> Reported {
    for at in 0..state.workloads[workload].pods.len() {
        let id = state.workloads[workload].pods[at];
        kubelet::report_use(state, cx, id);
    }
    std::mem::take(&mut state.workloads[workload].gone)
}

/// A workload's figures for the step that has just ended.
fn workload_row(state: &mut State, cx: &mut Context, workload: usize) -> WorkloadRow {
    let since = collect_use(state, cx, workload);
    if cx.seen.observing() {
        cx.seen.workloads[workload].periods += since.periods;
        cx.seen.workloads[workload].throttled_periods += since.throttled;
    }
    let one = &state.workloads[workload];
    let users = state.users_per_pod(workload as u32);
    let behaviour = &state.scenario.workloads[workload].behaviour;
    let mut row = WorkloadRow { desired: one.desired, ready: one.ready, ..WorkloadRow::default() };
    for pod in one.pods.iter().filter_map(|&id| state.pod(id)).filter(|pod| pod.runs()) {
        let memory = pod.memory(behaviour, users);
        row.running += 1;
        row.memory += memory.0 as f64;
        row.memory_pod_max = row.memory_pod_max.max(memory);
        row.connections_max = row.connections_max.max(pod.connections);
    }
    let running = f64::from(row.running);
    row.cpu = since.used.as_secs_f64() / cx.seen.series.step.as_secs_f64();
    row.cpu_request = one.cpu_request.as_cores() * running;
    row.cpu_limit = one.cpu_limit.unwrap_or_default().as_cores() * running;
    row.memory_request = one.memory_request.0 as f64 * running;
    row.memory_limit = one.memory_limit.unwrap_or(Bytes::ZERO).0 as f64 * running;
    row
}

/// The cluster's figures now.
fn cluster_row(state: &State, step: (SimTime, SimTime)) -> ClusterRow {
    let (nodes, price_per_hour) = nodes::count_and_price(state);
    let cluster = &state.scheduler.cluster;
    let (mut requested, mut allocatable) = (0, 0);
    for &node in cluster.node_ids() {
        let node = cluster.node(node);
        requested += node.load.requested.cpu.0;
        allocatable += node.shape.allocatable.cpu.0;
    }
    ClusterRow {
        users: state.users.present(),
        most_users: users::most(state, step),
        nodes,
        pods: state.pods.len() as u32,
        pending: state.scheduler.waiting.len() as u32,
        cpu_requested_share: requested as f64 / (allocatable as f64).max(1.0),
        price_per_hour,
    }
}

/// What a run ends with that would come at the very moment of its end: the last steps of
/// series and watch, and the price of what is left of one.
fn last_steps(state: &mut State, cx: &mut Context) {
    let (now, step) = (cx.now(), cx.seen.series.step);
    let last = cx.seen.series.until();
    if now.since(last) == step {
        step_ended(state, cx);
    }
    let watch = &cx.seen.watch;
    if watch.rows.last().is_some_and(|row| now.since(row.time) == watch.step) {
        watch_step_ended(state, cx);
    }
    let (_, price_per_hour) = nodes::count_and_price(state);
    cx.seen.pay(now, price_per_hour);
}

/// Closes the books.
pub fn conclude(
    state: &mut State,
    mut cx: Context,
    fingerprint: Fingerprint,
    events: u64,
    stopped: Option<Stop>,
) -> Observations {
    last_steps(state, &mut cx);
    scheduler::settle(state, &mut cx);
    autoscaler::settle(state, &mut cx);
    let now = cx.now();
    let seen = cx.seen;
    let observed = now.since_or_zero(seen.start()).as_secs_f64();
    let simulated = cx.agenda.active().since_or_zero(seen.counts_from()).as_secs_f64();
    let Balance { arrived, answered, failed, in_flight } = seen.balance;
    assert_eq!(arrived, answered + failed + in_flight, "every request is somewhere");
    let (mut workloads, mut cluster) = (seen.workloads, seen.cluster);
    for level in [&mut cluster.nodes, &mut cluster.pods, &mut cluster.ready_pods, &mut cluster.users] {
        level.set(now, level.value());
    }
    for one in &mut workloads {
        for level in [&mut one.ready, &mut one.desired, &mut one.demanded, &mut one.overload] {
            level.set(now, level.value());
        }
    }
    Observations {
        seed: cx.seed,
        fingerprint: fingerprint.value(),
        events,
        start: SimTime::ZERO + state.scenario.warm_up,
        end: now,
        stopped,
        simulated: if observed > 0.0 { simulated / observed } else { 1.0 },
        balance: seen.balance,
        journeys: seen.journeys,
        workloads,
        externals: seen.externals,
        cluster,
        decisions: seen.decisions,
        moments: seen.moments,
        series: seen.series,
        watch: seen.watch,
        rollouts: seen.rollouts,
        pools: seen.pools,
    }
}
