//! The first moment of a run: a cluster that has been up for a while.

use crate::k8s::endpoints::ingress_limit;
use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::{ClusterView, Containers, PodKind, Profile, Queue};
use crate::k8s::resources::cpu_shares;
use crate::k8s::rollout::{DeploymentView, Noted};
use crate::k8s::version::ControllerSettings;
use crate::observe::{PoolSeen, Recorder, Watch, Whose};
use crate::scenario::{Indicator, Kind, Release, RetryBudget, Scenario, Scope, Workload};
use crate::sim::agenda::{Agenda, Engine};
use crate::sim::random::{Sampler, Seed};
use crate::units::{SimDuration, SimTime};
use crate::world::balancer::{Balancer, Balancers};
use crate::world::breaker::Breakers;
use crate::world::connections;
use crate::world::context::{Context, Times, alarm};
use crate::world::event::Event;
use crate::world::ids::{Arena, PodId};
use crate::world::links::Connections;
use crate::world::pace::Pace;
use crate::world::population::Users;
use crate::world::program::Program;
use crate::world::state::{
    AutoscalerState, Broken, Demanded, Desk, ExternalState, NodeAutoscaler, NodeController, NodeLife, Proxy,
    ReplicaSet, Reported, RevisionSpec, Scheduler, State, WorkloadState,
};
use crate::world::{
    controllers, custom_metrics, drills, endpoints, kubelet, node_autoscaler, nodes, scheduler, slices,
    usage, users, workloads,
};

/// Rows of a series: enough for a chart, whatever the run's length.
const SERIES_ROWS: u64 = 720;
/// A row of a sliced run is at least this long: a dozen slices and what they stand for, so
/// that one more or less within a row hardly shows.
const SLICED_STEP: SimDuration = SimDuration::from_secs(60);
/// Rows are whole multiples of this.
const SERIES_UNIT: SimDuration = SimDuration::from_secs(5);

/// State and context at time zero, with the first events put in, and how many of these
/// are for drills.
pub fn begin(scenario: &Scenario, seed: Seed, engine: Engine) -> (State<'_>, Context, u64) {
    let mut state = state_of(scenario, seed);
    let agenda = Agenda::new(engine, &state.program.lanes);
    let mut cx = context_of(scenario, seed, agenda);
    cx.agenda.name_alarm(alarm::ARRIVAL, Event::JourneyDue);
    for (pool, spec) in scenario.cluster.pools.iter().enumerate() {
        for number in 0..spec.count as usize {
            let node = nodes::order(&mut state, pool as u32, number % spec.zones.len());
            nodes::join(&mut state, &mut cx, node);
        }
    }
    for workload in 0..scenario.workloads.len() as u32 {
        first_pods(&mut state, &mut cx, workload);
    }
    for workload in 0..scenario.workloads.len() as u32 {
        endpoints::settle(&mut state, workload);
        workloads::note_replicas(&state, &mut cx, workload);
    }
    first_connections(&mut state, &mut cx);
    first_events(&mut state, &mut cx);
    let before = cx.agenda.put_in();
    drills::begin(&mut state, &mut cx);
    let for_drills = cx.agenda.put_in() - before;
    usage::begin(&mut state, &mut cx);
    users::begin(&mut state, &mut cx);
    slices::begin(&mut state, &mut cx);
    (state, cx, for_drills)
}

/// The series' step for a run of this length.
fn series_step(scenario: &Scenario) -> SimDuration {
    let whole = (scenario.warm_up + scenario.horizon).as_nanos();
    let units = (whole / SERIES_ROWS).div_ceil(SERIES_UNIT.as_nanos()).max(1);
    let step = SERIES_UNIT * units;
    // A row holds several slices, or it would show their beat.
    if scenario.is_sliced() { step.max(SLICED_STEP) } else { step }
}

fn state_of(scenario: &Scenario, seed: Seed) -> State<'_> {
    let program = Program::new(scenario);
    let retry_tokens = vec![RetryBudget::FIRST; program.calls.len()];
    let profile = Profile::of(&scenario.version.rules());
    let mut cluster = ClusterView::new(profile, std::collections::BTreeMap::new());
    let workloads =
        scenario.workloads.iter().map(|workload| workload_state(workload, &mut cluster)).collect();
    State {
        scenario,
        program,
        rules: scenario.version.rules(),
        settings: ControllerSettings::default(),
        frames: Arena::default(),
        users: Users::new(seed.key("users"), &scenario.demand),
        pods: Arena::default(),
        workloads,
        nodes: Vec::new(),
        cpus: Vec::new(),
        rivals: Vec::new(),
        externals: vec![ExternalState::new(); scenario.externals.len()],
        autoscalers: scenario.autoscalers.iter().map(|_| AutoscalerState::default()).collect(),
        custom_metrics: Vec::new(),
        scheduler: Scheduler {
            cluster,
            queue: Queue::default(),
            scan_start: 0,
            due: SimTime::NEVER,
            waiting: std::collections::BTreeMap::new(),
        },
        node_autoscaler: NodeAutoscaler::default(),
        pods_created: 0,
        node_controller: NodeController::default(),
        pace: Pace::new(scenario.is_sliced()),
        has_usage: scenario.has_usage(),
        only_usage: scenario.workloads.iter().all(|workload| workload.usage.is_some()),
        leaves_out: true,
        sampled: Vec::new(),
        desk: Desk::default(),
        retry_tokens,
        connections: Connections::default(),
        breakers: Breakers::default(),
        balancers: Balancers {
            ingress: vec![Balancer::default(); scenario.workloads.len()],
            ..Balancers::default()
        },
        ingress_tokens: vec![RetryBudget::FIRST; scenario.workloads.len()],
        broken: Broken { externals: vec![None; scenario.externals.len()], ..Broken::default() },
    }
}

fn workload_state(workload: &Workload, cluster: &mut ClusterView) -> WorkloadState {
    let template = &workload.template;
    let containers = Containers {
        main: template.containers.iter().map(|one| one.requests.clone()).collect(),
        init: template.init_containers.iter().map(|one| (one.requests.clone(), one.sidecar)).collect(),
        overhead: template.overhead.clone(),
        ..Containers::default()
    };
    let demand = containers.demand();
    let (cpu_request, memory_request) = (demand.requests.cpu, demand.requests.memory);
    let images = template.containers.iter().map(|one| one.image.clone()).collect();
    let kind = cluster.add_kind(PodKind {
        namespace: workload.namespace.clone(),
        labels: template.labels.clone(),
        wishes: template.wishes.clone(),
        demand,
        images,
        owners_select: owner(&template.labels),
    });
    let limits = template.containers.first().map(|one| &one.limits);
    let proxy =
        || Proxy { endpoints: Vec::new(), version: 0, last_sync: None, due: false, limit: ingress_limit() };
    WorkloadState {
        desired: workload.replicas,
        pods: Vec::new(),
        ready: 0,
        unsteady: Vec::new(),
        stirred: SimTime::ZERO,
        without_endpoint: 0,
        demanded: Demanded::default(),
        sync_due: false,
        slice_due: false,
        proxies: [proxy(), proxy()],
        kind,
        cpu_limit: limits.and_then(|limits| limits.cpu),
        memory_limit: limits.and_then(|limits| limits.memory),
        cpu_weight: cpu_shares(cpu_request),
        cpu_request,
        memory_request,
        gone: Reported::default(),
        sets: vec![ReplicaSet {
            spec: workload.replicas,
            noted: first_note(workload),
            created: SimTime::ZERO,
        }],
        releases: vec![RevisionSpec { release: Release::default(), image: 0 }],
        revision: 0,
        sets_due: false,
        rollout: None,
        slower: 1.0,
    }
}

/// What the Deployment noted on its ReplicaSet when it gave it its size.
fn first_note(workload: &Workload) -> Option<Noted> {
    let Kind::Deployment { strategy, .. } = workload.kind else { return None };
    let replicas = workload.replicas;
    Some(DeploymentView { replicas, strategy, paused: false, status_replicas: replicas }.note())
}

/// Whom a pod's owner selects: its labels, as a ReplicaSet's selector does.
fn owner(labels: &Labels) -> Option<Selector> {
    (!labels.is_empty()).then(|| Selector::of(labels.clone()))
}

fn context_of(scenario: &Scenario, seed: Seed, agenda: Agenda<Event>) -> Context {
    let behaviours = || scenario.workloads.iter().map(|workload| &workload.behaviour.start_up);
    let times = Times {
        pod_start: Sampler::new(&scenario.cluster.pod_start),
        image_pull: Sampler::new(&scenario.cluster.image_pull),
        provision: scenario.cluster.pools.iter().map(|pool| Sampler::new(&pool.provision)).collect(),
        start_wait: behaviours().map(|start| Sampler::new(&start.wait)).collect(),
        start_work: behaviours().map(|start| Sampler::new(&start.cpu)).collect(),
    };
    let mut seen = Recorder::new(
        scenario.demand.journeys.len(),
        scenario.workloads.len(),
        scenario.externals.len(),
        series_step(scenario),
    );
    for objective in &scenario.goals.objectives {
        let whose = match objective.scope {
            Scope::Journey(journey) => Whose::Journey(journey),
            Scope::Workload(workload) => Whose::Workload(workload),
            Scope::All | Scope::Drill(_) => continue,
        };
        if let Indicator::Latency { quantile } = objective.indicator {
            seen.follow(whose, quantile);
        }
    }
    seen.pools = vec![PoolSeen::default(); scenario.pools().count()];
    seen.watch = Watch::over(scenario.horizon, scenario.drills.len());
    Context::new(seed, agenda, seen, times)
}

/// The pods that a workload has when the run begins: those that find a node have
/// been running for a while.
fn first_pods(state: &mut State, cx: &mut Context, workload: u32) {
    let count = match state.spec(workload).kind {
        Kind::DaemonSet => state.nodes.len() as u32,
        Kind::Pod | Kind::Job | Kind::Deployment { .. } | Kind::ReplicaSet | Kind::StatefulSet { .. } => {
            state.workloads[workload as usize].desired
        }
    };
    for ordinal in 0..count {
        if matches!(state.spec(workload).kind, Kind::DaemonSet) && !state.takes(workload, ordinal) {
            continue;
        }
        let id = controllers::make(state, cx, workload, ordinal, 0);
        if !scheduler::place_now(state, cx, id) {
            scheduler::enqueue(state, cx, id);
            continue;
        }
        kubelet::run_container(state, cx, id);
        kubelet::start_workers(state, cx, id);
        settle_pod(state, cx, id);
    }
    if matches!(state.spec(workload).kind, Kind::DaemonSet) {
        state.workloads[workload as usize].desired = state.workloads[workload as usize].pods.len() as u32;
    }
}

/// A pod that has been running: it listens and is ready.
fn settle_pod(state: &mut State, cx: &mut Context, id: PodId) {
    if let Some(pod) = state.pod_mut(id) {
        (pod.listens, pod.started, pod.was_ready) = (true, true, true);
        for worker in pod.probes.iter_mut().flatten() {
            *worker = worker.settled(u64::from(pod.run));
        }
    }
    kubelet::set_ready(state, cx, id, true);
}

/// The connections that running pods keep in any case.
fn first_connections(state: &mut State, cx: &mut Context) {
    if state.program.pools.is_empty() {
        return;
    }
    for workload in 0..state.workloads.len() {
        for at in 0..state.workloads[workload].pods.len() {
            let id = state.workloads[workload].pods[at];
            if state.pod(id).is_some_and(|pod| pod.listens) {
                connections::open_first(state, cx, id);
            }
        }
    }
}

/// The loops of the control plane and of observation.
fn first_events(state: &mut State, cx: &mut Context) {
    let scenario = state.scenario;
    let phase = |cx: &mut Context, period: SimDuration| {
        SimDuration::from_nanos(cx.streams.delays.below(period.as_nanos()))
    };
    for hpa in 0..scenario.autoscalers.len() as u32 {
        let first = phase(cx, state.settings.sync_period);
        cx.agenda.after(first, Event::HpaSynced(hpa));
    }
    let first = phase(cx, scenario.cluster.metrics_resolution);
    cx.agenda.after(first, Event::MetricsScraped);
    custom_metrics::begin(state, cx);
    node_autoscaler::start(state, cx);
    let step = cx.seen.series.step;
    cx.agenda.after(step, Event::StepEnded);
    cx.agenda.at(SimTime::ZERO + scenario.warm_up, Event::WarmUpEnded);
    cx.agenda.at(SimTime::ZERO + scenario.warm_up + scenario.horizon, Event::Ended);
    for node in &state.nodes {
        debug_assert!(node.life == NodeLife::Ready, "the first nodes are there");
    }
}
