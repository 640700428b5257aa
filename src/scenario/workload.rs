//! What runs: pods, how many, what they do with a request, what scales them.

use crate::k8s::disruption::{Budget, UnhealthyPodEviction};
use crate::k8s::hpa::HpaSpec;
use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::Wishes;
use crate::k8s::probe::Probe;
use crate::k8s::resources::Resources;
use crate::k8s::rollout::{IntOrPercent, Strategy};
use crate::scenario::upstream::{Balancing, Upstream};
use crate::scenario::usage::Usage;
use crate::sim::random::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// One Deployment, StatefulSet, DaemonSet, … and the pods it wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// Which controller looks after the pods.
    pub kind: Kind,
    /// `spec.replicas`; for a DaemonSet the nodes decide.
    pub replicas: u32,
    /// `minReadySeconds`.
    pub min_ready: SimDuration,
    /// The pods.
    pub template: PodTemplate,
    /// What the pods do with requests.
    pub behaviour: Behaviour,
    /// What they use instead, where that was recorded: then no request reaches them,
    /// and of `behaviour` only starting, ending and `memory.base` mean something.
    pub usage: Option<Usage>,
    /// Whether requests from users reach it through an Ingress (and so with the
    /// ingress' propagation and retries) rather than through its Service alone.
    pub behind_ingress: bool,
}

/// Which controller looks after a workload's pods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Rolling updates through ReplicaSets.
    Deployment {
        /// How an update replaces pods.
        strategy: Strategy,
        /// `progressDeadlineSeconds`.
        progress_deadline: SimDuration,
    },
    /// A bare ReplicaSet (or ReplicationController).
    ReplicaSet,
    /// Pods with an order and their own volumes.
    StatefulSet {
        /// `podManagementPolicy: Parallel`.
        parallel: bool,
        /// `updateStrategy.rollingUpdate.partition`.
        partition: u32,
        /// `updateStrategy.rollingUpdate.maxUnavailable`, where it is stated.
        max_unavailable: Option<IntOrPercent>,
        /// `updateStrategy: OnDelete`.
        on_delete: bool,
    },
    /// One pod on every node that fits.
    DaemonSet,
    /// A pod without a controller: nobody replaces it.
    Pod,
    /// Pods that run to completion: load on nodes only.
    Job,
}

/// The pods of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct PodTemplate {
    /// `metadata.labels` of the pods.
    pub labels: Labels,
    /// The containers, in spec order.
    pub containers: Vec<Container>,
    /// Init containers in spec order; sidecars are marked.
    pub init_containers: Vec<Container>,
    /// `overhead` of the runtime class.
    pub overhead: Resources,
    /// Where they want to run.
    pub wishes: Wishes,
    /// `terminationGracePeriodSeconds`.
    pub grace: SimDuration,
    /// Has a volume that only one node can mount, so a dead node holds it.
    pub single_node_volume: bool,
    /// What node autoscalers heed of it.
    pub hold: NodeHold,
    /// `restartPolicy: Always`.
    pub restart_always: bool,
}

/// What of a pod keeps a node autoscaler from taking its node away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeHold {
    /// Has a volume that is lost with its node, and no annotation that lets it go.
    pub local_storage: bool,
    /// cluster-autoscaler's `safe-to-evict`, where it is said.
    pub safe_to_evict: Option<bool>,
    /// Karpenter's `do-not-disrupt`.
    pub do_not_disrupt: bool,
}

/// One container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// What it asks for, after request := limit.
    pub requests: Resources,
    /// What holds it back.
    pub limits: Resources,
    /// Gate for the other two probes.
    pub startup: Option<Probe>,
    /// Gate for traffic.
    pub readiness: Option<Probe>,
    /// Restarts the container.
    pub liveness: Option<Probe>,
    /// Runs before SIGTERM.
    pub pre_stop: Option<Hook>,
    /// An init container with `restartPolicy: Always`.
    pub sidecar: bool,
    /// `imagePullPolicy: Always`: asks the registry at every start.
    pub always_pull: bool,
}

impl Container {
    /// One that asks for nothing and isn't asked anything.
    pub fn plain(name: &str, image: &str) -> Self {
        Self {
            name: name.to_owned(),
            image: image.to_owned(),
            requests: Resources::default(),
            limits: Resources::default(),
            startup: None,
            readiness: None,
            liveness: None,
            pre_stop: None,
            sidecar: false,
            always_pull: false,
        }
    }
}

/// A preStop hook, as the time it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hook {
    /// How long it takes; an `exec` that isn't a plain sleep counts as zero.
    pub takes: SimDuration,
}

/// An HPA and the workload it scales.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscaler {
    /// `metadata.name`.
    pub name: String,
    /// Index of the workload.
    pub workload: usize,
    /// The spec after defaulting.
    pub spec: HpaSpec,
    /// What each metric of the spec that is no resource's is made of, as far as the model
    /// says.
    pub custom: Vec<CustomMetric>,
}

/// A custom or external metric: what it counts, and how that comes to the HPA.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomMetric {
    /// Which metric of the HPA's spec.
    pub metric: usize,
    /// What is counted.
    pub counts: Counted,
    /// In the pods of which workload.
    pub of: usize,
    /// A rate's range.
    pub range: SimDuration,
    /// From one scrape of the pods to the next.
    pub every: SimDuration,
}

/// What a custom metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Requests that come, per second: a rate over the range.
    Requests,
    /// Requests in a pod, those that wait for a place included: as the last scrape found it.
    InFlight,
    /// Those that wait for a place.
    Waiting,
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq)]
pub struct DisruptionBudget {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// Which pods; the empty selector matches all of the namespace.
    pub selector: Selector,
    /// What it guards.
    pub budget: Budget,
    /// What of unready pods.
    pub unhealthy: UnhealthyPodEviction,
}

impl DisruptionBudget {
    /// Whether it is over pods with these labels in this namespace.
    pub fn guards(&self, namespace: &str, labels: &Labels) -> bool {
        self.namespace == namespace && self.selector.matches(labels)
    }
}

/// How a workload's pods turn requests into work.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// From container start to listening.
    pub start_up: StartUp,
    /// How much slower it is at first; `None` where it isn't.
    pub warm_up: Option<WarmUp>,
    /// How many requests can use CPU at the same moment in one pod: 1 for one
    /// event loop, `None` for as many as there are.
    pub threads: Option<u32>,
    /// Requests in progress in one pod, and what happens to more.
    pub concurrency: Concurrency,
    /// Memory use.
    pub memory: MemoryModel,
    /// CPU used whether or not requests come.
    pub idle_cpu: MilliCpu,
    /// What the containers beside the serving one use, as far as that is known.
    pub sidecars: Vec<Sidecar>,
    /// From SIGTERM until the process has ended by itself (without requests in
    /// progress); longer than the grace period means SIGKILL.
    pub shut_down: SimDuration,
    /// Whether the process finishes its requests in progress after SIGTERM.
    pub drains: bool,
    /// What the ingress in front of it, if any, does when its pods refuse connections.
    pub ingress: IngressRetries,
    /// How that ingress chooses a pod for a request.
    pub ingress_balancing: Balancing,
    /// Connections that one pod takes; further ones are refused. They are counted where
    /// callers keep theirs. `None` for no limit.
    pub max_connections: Option<u32>,
    /// How its pods reach the workloads that they call, where that is known; at most
    /// one for each of them.
    pub upstreams: Vec<Upstream>,
    /// What it can be asked.
    pub operations: Vec<Operation>,
}

/// What a container beside the serving one uses: a mesh's proxy, a shipper of logs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// The container's name.
    pub name: String,
    /// CPU used whether or not calls go through it.
    pub idle_cpu: MilliCpu,
    /// CPU time for each call that goes through it: those that its pod gets, and those that
    /// it makes.
    pub cpu_per_call: SimDuration,
    /// Memory in use.
    pub memory: Bytes,
}

/// A process that is slower at first: caches are cold, code isn't compiled yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp {
    /// How many times the usual CPU work a request costs when the process begins to
    /// listen; above 1.
    pub factor: f64,
    /// After so long it costs what it always does. In between the factor falls in a
    /// straight line.
    pub lasts: SimDuration,
}

impl WarmUp {
    /// How many times the usual CPU work a request costs that begins when so much of
    /// the warm-up is `left`.
    pub fn factor_with(self, left: SimDuration) -> f64 {
        1.0 + (self.factor - 1.0) * left.as_secs_f64() / self.lasts.as_secs_f64()
    }
}

/// From container start to listening.
#[derive(Clone, Debug, PartialEq)]
pub struct StartUp {
    /// Time that passes whatever the CPU (seconds).
    pub wait: Distribution,
    /// CPU work, done under the container's limit on one thread (core-seconds).
    pub cpu: Distribution,
}

/// Requests in progress in one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// At most so many; `None` for no limit.
    pub limit: Option<u32>,
    /// So many more wait for a place; beyond that they are refused (503).
    /// `None` for no limit.
    pub queue: Option<u32>,
}

/// Memory of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryModel {
    /// At rest.
    pub base: Bytes,
    /// More for each request in progress.
    pub per_request: Bytes,
    /// Lost with every request served, until a restart.
    pub leak: Bytes,
    /// Held for each connected user, spread over the pods (WebSockets).
    pub per_user: Bytes,
}

/// One thing a workload can be asked: an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its name within the workload.
    pub name: String,
    /// What happens, one after the other. The last step's end is the answer.
    pub steps: Vec<Step>,
}

/// One step of an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// CPU work (core-seconds).
    Compute(Distribution),
    /// Waiting that holds a place but no CPU (seconds).
    Wait(Distribution),
    /// A call to another workload or an external service.
    Call(Call),
    /// Calls side by side; goes on when all are answered.
    Parallel(Vec<Call>),
}

impl Step {
    /// The calls that it makes, if any.
    pub fn calls(&self) -> &[Call] {
        match self {
            Self::Compute(_) | Self::Wait(_) => &[],
            Self::Call(call) => std::slice::from_ref(call),
            Self::Parallel(calls) => calls,
        }
    }
}

/// A call to another workload or to an external service.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Whom.
    pub target: Target,
    /// How likely the call is made at all, in 0..=1.
    pub probability: f64,
    /// After which the caller gives up this attempt; the callee works on.
    pub timeout: Option<SimDuration>,
    /// Further attempts after a failure.
    pub retry: Retry,
    /// Whether the caller's own request fails when this call fails in the end.
    pub required: bool,
}

/// Whom a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An operation of a workload.
    Operation {
        /// Index into [`crate::scenario::Scenario::workloads`].
        workload: usize,
        /// Index into that workload's operations.
        operation: usize,
    },
    /// An external service: index into [`crate::scenario::Scenario::externals`].
    External(usize),
}

/// Further attempts after a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// How many more; 0 for none.
    pub attempts: u32,
    /// Before the first; doubled before each further one.
    pub backoff: SimDuration,
    /// Never longer than this.
    pub max_backoff: SimDuration,
    /// Each wait is drawn from `1 - jitter ..= 1` times the back-off.
    pub jitter: f64,
    /// A further attempt is made only while the budget lasts; `None` for always.
    pub budget: Option<RetryBudget>,
}

/// A bucket of further attempts, shared by all who make the same call: each first
/// attempt adds a part of a token, each further one takes a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// Thousandths of a token that a first attempt adds.
    pub share: u32,
}

impl RetryBudget {
    /// Thousandths of a token.
    pub const TOKEN: u32 = 1_000;
    /// There are so many tokens at the start, so that rare calls may be tried again.
    pub const FIRST: u32 = 10 * Self::TOKEN;
    /// No more are kept, so that a calm hour doesn't pay for a storm.
    pub const MOST: u32 = 100 * Self::TOKEN;

    /// A first attempt adds its part.
    pub fn earn(self, tokens: &mut u32) {
        *tokens = (*tokens + self.share).min(Self::MOST);
    }

    /// Takes a token for a further attempt, if there is a whole one.
    pub fn spend(tokens: &mut u32) -> bool {
        let left = tokens.checked_sub(Self::TOKEN);
        *tokens = left.unwrap_or(*tokens);
        left.is_some()
    }
}

/// How an ingress tries other endpoints when a connection is refused, or nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngressRetries {
    /// Endpoints that one request is sent to at most, the first one included.
    pub tries: u8,
    /// A further endpoint is tried only while the budget lasts, which all requests
    /// to the workload share; `None` for always.
    pub budget: Option<RetryBudget>,
}

impl IngressRetries {
    /// ingress-nginx: `proxy-next-upstream-tries: 3`, and no budget.
    pub const USUAL: Self = Self { tries: 3, budget: None };
}

impl Retry {
    /// No further attempt.
    pub const NONE: Self = Self {
        attempts: 0,
        backoff: SimDuration::ZERO,
        max_backoff: SimDuration::ZERO,
        jitter: 0.0,
        budget: None,
    };
}

/// A service outside the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct External {
    /// Its name.
    pub name: String,
    /// From call to answer (seconds).
    pub latency: Distribution,
    /// Share of calls that fail, in 0..=1, after their latency.
    pub error_rate: f64,
    /// Calls before it refuses (429); `None` for no quota.
    pub quota: Option<Quota>,
}

/// How many calls an external service takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Calls a second in the long run.
    pub per_second: f64,
    /// The time that the quota is counted over: what is not called for in it may be
    /// called for at once.
    pub over: SimDuration,
}

impl Quota {
    /// Calls that may be made at once after a rest: those of the time that it is counted
    /// over, and at least one.
    pub fn at_once(self) -> f64 {
        (self.per_second * self.over.as_secs_f64()).max(1.0)
    }
}
