//! All that changes in a run.

use std::collections::VecDeque;

use crate::k8s::daemon_set::should_run;
use crate::k8s::hpa::Memory;
use crate::k8s::image_pull::Pulls;
use crate::k8s::metrics::{ContainerSample, ContainerWindow};
use crate::k8s::node_autoscaling::consolidation::Consolidation;
use crate::k8s::node_autoscaling::karpenter::Batch;
use crate::k8s::node_autoscaling::scale_down::ScaleDownMemory;
use crate::k8s::node_lifecycle::{Heartbeat, Ready, ZoneState};
use crate::k8s::placement::{ClusterView, Queue};
use crate::k8s::probe::Worker;
use crate::k8s::replicas::{MetricProblem, PodView, Proposal, Sample};
use crate::k8s::restart::Backoff;
use crate::k8s::rollout::{Noted, Progress, Status};
use crate::k8s::token_bucket::TokenBucket;
use crate::k8s::version::{ControllerSettings, Rules};
use crate::scenario::{Behaviour, Kind, Quota, Release, Scenario, Workload};
use crate::service::Station;
use crate::sim::agenda::Clocks;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use crate::world::balancer::Balancers;
use crate::world::breaker::Breakers;
use crate::world::cores::{NodeCpu, Rival};
use crate::world::frames::Frame;
use crate::world::ids::{Arena, FrameId, PodId};
use crate::world::links::Connections;
use crate::world::pace::Pace;
use crate::world::population::Users;
use crate::world::program::Program;
use crate::world::scraped::Scraped;
use crate::world::sidecars::Beside;

/// All that changes in a run, and the scenario that doesn't.
#[derive(Clone, Debug)]
pub struct State<'a> {
    /// The run's input.
    pub scenario: &'a Scenario,
    /// Its operations and journeys as tables.
    pub program: Program,
    /// What this Kubernetes release does.
    pub rules: Rules,
    /// The controller manager's flags.
    pub settings: ControllerSettings,
    /// Calls in progress.
    pub frames: Arena<Frame>,
    /// Who asks.
    pub users: Users,
    /// Pods.
    pub pods: Arena<Pod>,
    /// What controllers know of the workloads.
    pub workloads: Vec<WorkloadState>,
    /// Nodes, gone ones included.
    pub nodes: Vec<Node>,
    /// Their cores.
    pub cpus: Vec<NodeCpu>,
    /// Room for sharing them out.
    pub rivals: Vec<Rival>,
    /// External services.
    pub externals: Vec<ExternalState>,
    /// HPAs.
    pub autoscalers: Vec<AutoscalerState>,
    /// What Prometheus has of the custom metrics of all HPAs, in their order.
    pub custom_metrics: Vec<Scraped>,
    /// The scheduler.
    pub scheduler: Scheduler,
    /// The node autoscaler.
    pub node_autoscaler: NodeAutoscaler,
    /// Pods ever created: the next UID.
    pub pods_created: u32,
    /// What watches over the nodes.
    pub node_controller: NodeController,
    /// What is broken right now.
    pub broken: Broken,
    /// What is left of each call's retry budget, in thousandths of a token.
    pub retry_tokens: Vec<u32>,
    /// Connections that are kept between pods.
    pub connections: Connections,
    /// Circuit breakers.
    pub breakers: Breakers,
    /// What balancers know of endpoints.
    pub balancers: Balancers,
    /// What is left of each workload's budget at its ingress, in the same unit.
    pub ingress_tokens: Vec<u32>,
    /// Which time is simulated in full.
    pub pace: Pace,
    /// Some workload follows a usage curve.
    pub has_usage: bool,
    /// All of them do.
    pub only_usage: bool,
    /// What would change nothing is left out: ticks of probe workers, scrapes, and
    /// looks of an HPA at pods that are as it last saw them.
    pub leaves_out: bool,
    /// When each node's kubelet sampled.
    pub sampled: Vec<Sampled>,
    /// Room for what an HPA looks at.
    pub desk: Desk,
}

/// What an HPA looks at in one pass.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// The pods.
    pub views: Vec<PodView>,
    /// For each metric, what the metrics API has of each.
    pub samples: Vec<Vec<Option<Sample>>>,
    /// For each metric, what each requests.
    pub requests: Vec<Vec<i64>>,
    /// For each metric, its sum where it is an object's or from outside.
    pub totals: Vec<Option<i64>>,
}

/// When a node's kubelet sampled its containers; [`SimTime::ZERO`] for never.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    /// The last time.
    pub last: SimTime,
    /// What the last scrape found, and what the last one before it that found
    /// something else.
    pub scraped: [SimTime; 2],
}

impl Sampled {
    /// A kubelet that has yet to begin.
    pub const NEVER: Self = Self { last: SimTime::ZERO, scraped: [SimTime::ZERO; 2] };
}

/// What drills have broken, as far as it isn't in the thing itself.
#[derive(Clone, Debug, Default)]
pub struct Broken {
    /// The control plane stands still until then.
    pub control_plane: SimTime,
    /// The metrics API has nothing until then.
    pub metrics: SimTime,
    /// No image can be pulled until then.
    pub registry: SimTime,
    /// Drills on the network in force.
    pub network: Vec<NetworkFault>,
    /// External services that fail: share of calls, and latency's factor.
    pub externals: Vec<Option<(f64, f64)>>,
    /// Drills on the load: when they began and ended, and how much more it is.
    pub load: Vec<Surge>,
    /// When each of the scenario's drills struck, and whom.
    pub drills: Vec<Struck>,
}

/// Calls that are delayed or lost.
#[derive(Clone, Debug)]
pub struct NetworkFault {
    /// The drill that did it.
    pub drill: u16,
    /// Which calls.
    pub calls: Calls,
    /// Added to the way there.
    pub delay: SimDuration,
    /// Share of packets that are lost.
    pub loss: f64,
}

/// Which calls a broken network hinders.
#[derive(Clone, Debug)]
pub enum Calls {
    /// Those to a workload.
    To {
        /// Whose calls; `None` for everybody's.
        from: Option<u32>,
        /// To whom.
        to: u32,
    },
    /// Those to these pods, and by them.
    With {
        /// Which pods.
        pods: Vec<PodId>,
        /// The workload on the other side; `None` for everybody.
        peer: Option<u32>,
    },
}

/// The two ends of a call: the caller's pod and its workload, unless a user
/// calls, and the callee's.
pub type Ends = (Option<(PodId, u32)>, (PodId, u32));

impl Calls {
    /// Whether a call is one of them.
    pub fn hold(&self, (caller, (to_pod, to)): Ends) -> bool {
        match self {
            Self::To { from, to: wanted } => {
                *wanted == to && from.is_none_or(|from| caller.is_some_and(|(_, caller)| caller == from))
            }
            Self::With { pods, peer } => {
                let to_them = pods.contains(&to_pod)
                    && peer.is_none_or(|peer| caller.is_some_and(|(_, caller)| caller == peer));
                let by_them =
                    caller.is_some_and(|(pod, _)| pods.contains(&pod)) && peer.is_none_or(|peer| peer == to);
                to_them || by_them
            }
        }
    }
}

/// More load than the shape says.
#[derive(Clone, Copy, Debug)]
pub struct Surge {
    /// It begins.
    pub from: SimTime,
    /// It ends.
    pub until: SimTime,
    /// It grows over this.
    pub rise: SimDuration,
    /// To so many times the shape's value.
    pub factor: f64,
}

impl Broken {
    /// What the load's shape is multiplied with.
    pub fn surge(&self, now: SimTime) -> f64 {
        let mut factor = 1.0;
        for one in self.load.iter().filter(|one| one.from <= now && now < one.until) {
            let share = now.since(one.from).as_secs_f64() / one.rise.as_secs_f64().max(1e-9);
            factor *= 1.0 + (one.factor - 1.0) * share.min(1.0);
        }
        factor
    }

    /// The most that [`Broken::surge`] can be.
    pub fn most_surge(&self) -> f64 {
        self.load.iter().map(|one| one.factor.max(1.0)).product()
    }
}

/// Whom a drill struck.
#[derive(Clone, Debug, Default)]
pub struct Struck {
    /// Pods by name.
    pub pods: Vec<PodId>,
    /// Nodes by number.
    pub nodes: Vec<u32>,
    /// The revision before a rollout.
    pub revision: u32,
}

/// The node lifecycle controller's memory.
#[derive(Clone, Debug, Default)]
pub struct NodeController {
    /// A pass is on the agenda.
    pub due: bool,
    /// Names of the zones.
    pub zones: Vec<String>,
    /// What the last pass found of each.
    pub states: Vec<Option<ZoneState>>,
    /// Nodes that wait for their taint, by zone.
    pub queues: Vec<TaintQueue>,
    /// When anything last changed that the memory of pods with usage curves follows.
    pub stirred: SimTime,
}

/// Nodes of a zone that wait for their NoExecute taint.
#[derive(Clone, Debug)]
pub struct TaintQueue {
    /// How fast they get it.
    pub limit: TokenBucket,
    /// Who waits.
    pub nodes: VecDeque<u32>,
    /// A look at it is on the agenda.
    pub due: bool,
}

/// A pod.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own in Kubernetes, too")]
pub struct Pod {
    /// Its number among all pods of the run.
    pub uid: u32,
    /// Its workload.
    pub workload: u32,
    /// Its ordinal (StatefulSet) or the node it is made for (DaemonSet).
    pub ordinal: u32,
    /// When it was created.
    pub created: SimTime,
    /// Its node, once bound.
    pub node: Option<u32>,
    /// When it was bound.
    pub bound: SimTime,
    /// Its set-up waits for a volume that a dead node holds.
    pub waits_for_volume: bool,
    /// What its container does.
    pub container: ContainerState,
    /// Which run of the container this is; counts from 1.
    pub run: u32,
    /// The process accepts connections.
    pub listens: bool,
    /// The startup probe has succeeded, or there is none.
    pub started: bool,
    /// The Ready condition as the API has it.
    pub ready: bool,
    /// When that last changed; `None` before the kubelet has written it.
    pub ready_since: Option<SimTime>,
    /// It has been ready before.
    pub was_ready: bool,
    /// It has a deletion time.
    pub deleting: bool,
    /// SIGTERM was sent.
    pub terminated: bool,
    /// The process' own end after SIGTERM is on the agenda.
    pub ending: bool,
    /// Its CPU.
    pub station: Station,
    /// What its node counts it with, in thousandths of a core.
    pub cpu_wanted: u64,
    /// Calls with a place.
    pub in_progress: u32,
    /// Calls waiting for a place.
    pub queue: VecDeque<FrameId>,
    /// Calls that have come so far.
    pub requests: u64,
    /// Memory lost in this run of the container.
    pub leaked: u64,
    /// Probe workers: startup, readiness, liveness.
    pub probes: [Option<Worker>; 3],
    /// Restart back-off.
    pub backoff: Backoff,
    /// When the last run of the container ended.
    pub finished: SimTime,
    /// Restarts so far.
    pub restarts: u32,
    /// What the kubelet last measured.
    pub sample: Option<ContainerSample>,
    /// What metrics-server makes of it.
    pub window: ContainerWindow,
    /// It has used CPU evenly since its sample, which was scraped; later scrapes are
    /// made up for when somebody asks.
    pub steady: bool,
    /// CPU used by earlier runs and counted periods, for reports.
    pub reported: Reported,
    /// What it did while time was skipped.
    pub skipped: Skipped,
    /// What goes on beside its serving container.
    pub beside: Beside,
    /// Since when it waits for a node in vain.
    pub unschedulable_since: Option<SimTime>,
    /// The place of the node that others were pushed off for it.
    pub nominated: Option<usize>,
    /// Its ReplicaSet, and with it its revision: an index into its workload's.
    pub set: u32,
    /// CPU work of its requests is this many times the model's.
    pub slower: f64,
    /// Until then requests cost more CPU than later, by the clock of requests.
    pub warm_at: SimTime,
    /// Connections that others keep to this run of its container.
    pub connections: u32,
    /// Its part of its workload's usage curve.
    pub curve: Curve,
    /// What processes that a drill has started in it want, in thousandths of a core.
    pub stressed: u64,
    /// The next tick of each probe worker that sleeps.
    pub asleep: [SimTime; 3],
    /// It accepts connections and answers nothing.
    pub hangs: bool,
    /// Its container ends at every start.
    pub crash_loops: bool,
    /// Image pulls that have failed.
    pub failed_pulls: u32,
    /// When its node's taint will have it deleted.
    pub evicted_at: Option<SimTime>,
}

/// What has been reported of a pod's CPU so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    /// CPU time.
    pub used: SimDuration,
    /// Quota periods.
    pub periods: u64,
    /// Throttled ones.
    pub throttled: u64,
}

/// A pod's part of its workload's usage curve.
#[derive(Clone, Copy, Debug, Default)]
pub struct Curve {
    /// What it wants, in thousandths of a core.
    pub cpu: u64,
    /// What it holds above what it holds at rest, in bytes.
    pub memory: u64,
    /// Its node has less for it than it wants and its limit allows.
    pub starved: bool,
}

/// What a workload's usage curve asks of its pods at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demanded {
    /// CPU of all ready pods, in thousandths of a core.
    pub cpu: u64,
    /// Memory of all ready pods, in bytes.
    pub memory: u64,
    /// More than they may use by their limits, or by those that are up.
    pub short: bool,
    /// So many of them get too little of their node.
    pub starved: u32,
}

/// What a pod did while time was skipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skipped {
    /// CPU time of this run of its container, in pauses that are over.
    pub used: SimDuration,
    /// What it uses in the present pause, in cores.
    pub cores: f64,
    /// Memory that it loses a second in the present pause, in bytes.
    pub leak: f64,
}

/// What a pod's container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Waits: for a node, for its set-up, or in its restart back-off.
    Waiting,
    /// Runs since then.
    Running(SimTime),
    /// Has ended and won't come back in this pod.
    Ended,
}

impl Pod {
    /// Whether a connection finds someone who takes it.
    pub fn accepts(&self) -> bool {
        self.listens && !self.terminated
    }

    /// Whether SIGTERM has been sent and nothing is left to do.
    pub fn has_drained(&self) -> bool {
        self.terminated && !self.ending && self.in_progress == 0 && self.queue.is_empty()
    }

    /// Whether its container runs.
    pub fn runs(&self) -> bool {
        matches!(self.container, ContainerState::Running(_))
    }

    /// CPU time used in this run of the container, what it uses at rest included.
    pub fn cpu_used(&mut self, behaviour: &Behaviour, clocks: Clocks) -> SimDuration {
        let ContainerState::Running(started) = self.container else { return SimDuration::ZERO };
        let idle = behaviour.idle_cpu.over(clocks.now.since(started));
        let paused = clocks.paused;
        let skipped = if paused == SimDuration::ZERO {
            self.skipped.used
        } else {
            self.skipped.used + paused.scale(self.skipped.cores)
        };
        self.station.used(clocks.active) + skipped + idle
    }

    /// Takes the kubelet's sample of the moment `at`, if that is newer than the last.
    /// Only for a pod that nothing has happened to since then.
    pub fn take_sample(&mut self, at: SimTime, behaviour: &Behaviour) {
        let ContainerState::Running(started) = self.container else { return };
        if at < started || self.sample.is_some_and(|sample| sample.time >= at) {
            return;
        }
        let clocks = Clocks { now: at, active: at, paused: SimDuration::ZERO };
        let cpu_core_nanos = self.cpu_used(behaviour, clocks).as_nanos();
        let working_set = self.memory(behaviour, 0.0);
        self.sample = Some(ContainerSample { started, time: at, cpu_core_nanos, working_set });
    }

    /// What its kubelet saw of a steady pod at the moment `at`.
    fn steady_sample(&self, at: SimTime, behaviour: &Behaviour) -> Option<ContainerSample> {
        let ContainerState::Running(started) = self.container else { return None };
        let idle = behaviour.idle_cpu.over(at.since(started));
        let used = self.station.used_evenly(at) + self.skipped.used + idle;
        let (cpu_core_nanos, working_set) = (used.as_nanos(), self.memory(behaviour, 0.0));
        Some(ContainerSample { started, time: at, cpu_core_nanos, working_set })
    }

    /// What metrics-server makes of it, scrapes that were left out included. Only
    /// the last two that found a new sample matter.
    pub fn window_now(
        &self,
        sampled: &[Sampled],
        behaviour: &Behaviour,
        resolution: SimDuration,
    ) -> ContainerWindow {
        let (Some(node), true, (Some(end), _)) = (self.node, self.steady, self.window.span()) else {
            return self.window;
        };
        let [last, before] = sampled[node as usize].scraped;
        let sample = |at| self.steady_sample(at, behaviour);
        if end < before {
            return ContainerWindow::between(sample(before), sample(last));
        }
        let mut window = self.window;
        if end < last {
            window.scrape(sample(last), resolution);
        }
        window
    }

    /// Memory in use, with `users` connected to it.
    pub fn memory(&self, behaviour: &Behaviour, users: f64) -> Bytes {
        if !self.runs() {
            return Bytes::ZERO;
        }
        let memory = &behaviour.memory;
        let requests = memory.per_request.0 * u64::from(self.in_progress) + self.curve.memory;
        Bytes(memory.base.0 + requests + self.leaked + (memory.per_user.0 as f64 * users) as u64)
    }
}

/// What controllers know of a workload.
#[derive(Clone, Debug)]
pub struct WorkloadState {
    /// Wanted replicas.
    pub desired: u32,
    /// Its pods, oldest first, terminating ones included.
    pub pods: Vec<PodId>,
    /// Ready pods that aren't being deleted.
    pub ready: u32,
    /// Calls that found no pod to go to.
    pub without_endpoint: u64,
    /// With a usage curve: its pods that each scrape has to look at.
    pub unsteady: Vec<PodId>,
    /// With a usage curve: when anything last changed that its metrics follow.
    pub stirred: SimTime,
    /// What its usage curve asks of them; nothing where it has none.
    pub demanded: Demanded,
    /// A look at the pods is on the agenda.
    pub sync_due: bool,
    /// A write of the slice is on the agenda.
    pub slice_due: bool,
    /// What kube-proxy and the ingress make of it.
    pub proxies: [Proxy; 2],
    /// Its pods for the scheduler.
    pub kind: usize,
    /// CPU limit of the serving container.
    pub cpu_limit: Option<MilliCpu>,
    /// Memory limit of the serving container.
    pub memory_limit: Option<Bytes>,
    /// What a pod weighs when its node has too little CPU for all.
    pub cpu_weight: u64,
    /// CPU request of a pod.
    pub cpu_request: MilliCpu,
    /// Memory request of a pod.
    pub memory_request: Bytes,
    /// CPU used by pods that are gone, not yet reported.
    pub gone: Reported,
    /// Its revisions' ReplicaSets, in the order in which they were made. Kinds
    /// without ReplicaSets keep their revisions here all the same.
    pub sets: Vec<ReplicaSet>,
    /// Its revisions; the set of the same index belongs to it.
    pub releases: Vec<RevisionSpec>,
    /// The revision that is wanted.
    pub revision: u32,
    /// A look of the ReplicaSets' controller is on the agenda.
    pub sets_due: bool,
    /// A rollout is on its way: its progress, and its place in the record.
    pub rollout: Option<RolloutState>,
    /// CPU work of its requests is this many times the model's.
    pub slower: f64,
}

impl WorkloadState {
    /// Whether one of its pods uses more memory than its limit.
    #[expect(clippy::inline_always, reason = "three times for a request of three hops")]
    #[inline(always)]
    pub fn is_exceeded_by(&self, pod: &Pod, scenario: &Scenario, users: &Users) -> bool {
        let Some(limit) = self.memory_limit else { return false };
        let behaviour = &scenario.workloads[pod.workload as usize].behaviour;
        pod.memory(behaviour, self.users_per_pod(users)) > limit
    }

    /// Connected users per ready pod.
    fn users_per_pod(&self, users: &Users) -> f64 {
        users.present() / f64::from(self.ready.max(1))
    }
}

/// A revision of a workload's pods.
#[derive(Clone, Copy, Debug)]
pub struct RevisionSpec {
    /// What is new about it, and wrong.
    pub release: Release,
    /// Which image it runs; revisions of the same image have the same number.
    pub image: u32,
}

/// A ReplicaSet.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaSet {
    /// `spec.replicas`.
    pub spec: u32,
    /// What the Deployment noted on it.
    pub noted: Option<Noted>,
    /// When it was made.
    pub created: SimTime,
}

/// A rollout on its way.
#[derive(Clone, Copy, Debug)]
pub struct RolloutState {
    /// The Progressing condition.
    pub progress: Progress,
    /// The status at the last sync.
    pub status: Status,
    /// Its place in the record of rollouts.
    pub record: usize,
}

/// kube-proxy's or the ingress' view of a workload's endpoints.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Whom it sends traffic to.
    pub endpoints: Vec<PodId>,
    /// How often these have changed.
    pub version: u32,
    /// When it last took a slice over.
    pub last_sync: Option<SimTime>,
    /// A sync is on the agenda.
    pub due: bool,
    /// The ingress controller's rate limit.
    pub limit: TokenBucket,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its pool.
    pub pool: u32,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub life: NodeLife,
    /// Its number at the scheduler, while it is there.
    pub place: Option<usize>,
    /// The pods bound to it.
    pub pods: Vec<PodId>,
    /// Its images, by workload and image number.
    pub images: Pulls,
    /// Volumes that it holds while it is dead.
    pub held: Vec<HeldVolume>,
    /// Its zone, by its place among those of its pool.
    pub in_zone: usize,
    /// The same zone, by its number at the node controller.
    pub zone: u32,
    /// What the node controller knows of its kubelet.
    pub heartbeat: Heartbeat,
    /// The NoExecute taint that it has, by the condition it is for.
    pub tainted: Option<Ready>,
    /// Whether it can ever boot again.
    pub machine: Machine,
    /// What its kubelet says of it.
    pub reports_ready: bool,
    /// It is cordoned.
    pub cordoned: bool,
    /// A node autoscaler wants it gone: it takes no new pods.
    pub leaving: bool,
    /// When it became ready.
    pub ready_since: SimTime,
    /// When its memory was last found short, as long as it is tainted for that.
    pub short_at: Option<SimTime>,
}

/// A volume of a pod that is deleted or lost, on a node without power.
#[derive(Clone, Copy, Debug)]
pub struct HeldVolume {
    /// The pod's workload.
    pub workload: u32,
    /// The pod's ordinal.
    pub ordinal: u32,
    /// From then on another node can have it.
    pub until: SimTime,
}

/// What a node runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Is there, with or without power.
    There,
    /// The cloud has none any more.
    Gone,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeLife {
    /// Ordered, not there yet.
    Provisioning,
    /// Works.
    Ready,
    /// Without power or network: nothing on it answers.
    Dead,
    /// Deleted.
    Gone,
}

/// An external service.
#[derive(Clone, Copy, Debug)]
pub struct ExternalState {
    /// Calls that may be made at once.
    left: f64,
    /// As of when; `None` before the first.
    since: Option<SimTime>,
}

impl ExternalState {
    /// A service that nobody has called yet.
    pub fn new() -> Self {
        Self { left: 0.0, since: None }
    }

    /// Whether the quota admits a call now: a bucket of tokens that fills evenly, as rate
    /// limiters of such services are.
    pub fn admits(&mut self, quota: Option<Quota>, now: SimTime) -> bool {
        let Some(quota) = quota else { return true };
        let most = quota.at_once();
        let since = self.since.replace(now);
        let filled = since.map_or(most, |since| quota.per_second * now.since(since).as_secs_f64());
        self.left = (self.left + filled).min(most);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

impl Default for ExternalState {
    fn default() -> Self {
        Self::new()
    }
}

/// An HPA's memory and what its target's pods request.
#[derive(Clone, Debug, Default)]
pub struct AutoscalerState {
    /// What the controller remembers.
    pub memory: Memory,
    /// Wants more than its maximum since then.
    pub at_max_since: Option<SimTime>,
    /// The metrics failed at the last pass.
    pub failing: bool,
    /// What the metrics asked for, as long as nothing they follow changes.
    pub known: Option<Known>,
}

/// What an HPA's metrics asked for, and under which circumstances.
#[derive(Clone, Debug)]
pub struct Known {
    /// When anything had last changed that they follow.
    pub stirred: SimTime,
    /// The pods there were.
    pub pods: usize,
    /// The replicas that were wanted.
    pub current: u32,
    /// What each asked for.
    pub proposals: Vec<Result<Proposal, MetricProblem>>,
}

/// What a node autoscaler remembers.
#[derive(Clone, Debug, Default)]
pub struct NodeAutoscaler {
    /// cluster-autoscaler: which nodes are unneeded since when, and its cool-downs.
    pub down: ScaleDownMemory,
    /// Karpenter: the open batch.
    pub batch: Batch,
    /// Karpenter: what waits for its second look.
    pub formed: Option<Consolidation>,
    /// Karpenter: replacements that are on their way.
    pub replacements: Vec<Replacement>,
}

/// A node that was bought so that others can go.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The new node.
    pub bought: u32,
    /// It is given up if it isn't ready by then.
    pub until: SimTime,
    /// The nodes to go.
    pub instead_of: Vec<u32>,
}

/// The scheduler.
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// What it knows of the cluster.
    pub cluster: ClusterView,
    /// Who waits.
    pub queue: Queue,
    /// Where the next scan starts.
    pub scan_start: usize,
    /// When the next cycle is on the agenda; [`SimTime::NEVER`] for none.
    pub due: SimTime,
    /// Unbound pods by UID.
    pub waiting: std::collections::BTreeMap<u32, PodId>,
}

impl<'a> State<'a> {
    /// A pod by name.
    pub fn pod(&self, id: PodId) -> Option<&Pod> {
        self.pods.get(id.index, id.generation)
    }

    /// A pod by name.
    pub fn pod_mut(&mut self, id: PodId) -> Option<&mut Pod> {
        self.pods.get_mut(id.index, id.generation)
    }

    /// A workload's part of the scenario.
    pub fn spec(&self, workload: u32) -> &'a Workload {
        &self.scenario.workloads[workload as usize]
    }

    /// The revision of a pod.
    pub fn release(&self, pod: &Pod) -> RevisionSpec {
        self.workloads[pod.workload as usize].releases[pod.set as usize]
    }

    /// Takes the last sample of a pod that follows a usage curve, before anything
    /// about it changes; scrapes look at it again from now on. Others are sampled
    /// when their time comes.
    pub fn settle_sample(&mut self, id: PodId, now: SimTime) {
        let Some(pod) = self.pods.get_mut(id.index, id.generation) else { return };
        let workload = &self.scenario.workloads[pod.workload as usize];
        let Some(node) = pod.node.filter(|_| workload.usage.is_some()) else { return };
        let (behaviour, last) = (&workload.behaviour, self.sampled[node as usize].last);
        let known = &mut self.workloads[pod.workload as usize];
        (known.stirred, self.node_controller.stirred) = (now, now);
        if !pod.steady {
            pod.take_sample(last, behaviour);
            return;
        }
        let resolution = self.scenario.cluster.metrics_resolution;
        pod.window = pod.window_now(&self.sampled, behaviour, resolution);
        if pod.sample.is_none_or(|sample| sample.time < last) {
            pod.sample = pod.steady_sample(last, behaviour);
        }
        pod.steady = false;
        known.unsteady.push(id);
    }

    /// Whether a bound pod's node is without power or gone.
    pub fn node_is_dead(&self, node: Option<u32>) -> bool {
        node.is_some_and(|node| matches!(self.nodes[node as usize].life, NodeLife::Dead | NodeLife::Gone))
    }

    /// Whether a pod uses more memory than its container's limit.
    pub fn is_over_memory(&self, id: PodId) -> bool {
        self.pod(id).is_some_and(|pod| {
            let known = &self.workloads[pod.workload as usize];
            known.is_exceeded_by(pod, self.scenario, &self.users)
        })
    }

    /// The node at a scheduler's place.
    pub fn node_at(&self, place: usize) -> Option<u32> {
        self.nodes.iter().position(|node| node.place == Some(place)).map(|node| node as u32)
    }

    /// CPU of a node.
    pub fn cpu_of(&self, node: u32) -> MilliCpu {
        self.scenario.cluster.pools[self.nodes[node as usize].pool as usize].cpu
    }

    /// The scheduler's place of the node that a DaemonSet's pod is made for.
    pub fn made_for(&self, workload: u32, ordinal: u32) -> Option<usize> {
        match self.spec(workload).kind {
            Kind::DaemonSet => self.nodes.get(ordinal as usize)?.place,
            _ => None,
        }
    }

    /// Whether a DaemonSet wants a pod on a node.
    pub fn takes(&self, workload: u32, node: u32) -> bool {
        let wishes = &self.spec(workload).template.wishes;
        let place = self.nodes[node as usize].place;
        place.is_some_and(|place| should_run(wishes, &self.scheduler.cluster.node(place).shape))
    }

    /// Connected users per ready pod of a workload.
    pub fn users_per_pod(&self, workload: u32) -> f64 {
        self.workloads[workload as usize].users_per_pod(&self.users)
    }
}
