//! The traps that `plan validate` knows: what each is called, how bad it is, why
//! it hurts, and which of Kubernetes' rules it rests on.
//!
//! Ids are API: they stand in SARIF files and in people's filters, so none is
//! ever renamed. `docs/validate.md` lists them all.

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Read, but hardly meant so, or not simulated as written.
    Warning,
    /// Refused, or sure to fail.
    Error,
}

/// One trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id, for ever: `pdb-blocks-evictions`.
    pub id: &'static str,
    /// How bad it usually is; one finding may be worse or milder.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub what: &'static str,
    /// Why that hurts, in a sentence.
    pub why: &'static str,
    /// What it rests on: a file of Kubernetes' source, or what else decides.
    pub source: &'static str,
}

/// A rule from its fields, in their order.
const fn rule(
    id: &'static str,
    severity: Severity,
    what: &'static str,
    why: &'static str,
    source: &'static str,
) -> Rule {
    Rule { id, severity, what, why, source }
}

use Severity::{Error, Note, Warning};

/// What doesn't read, or what the API server would refuse.
pub const UNREADABLE: Rule = rule(
    "unreadable",
    Error,
    "what doesn't read, or what the API server would refuse",
    "nothing can be said of an object that can't be created",
    "pkg/apis/*/validation",
);
/// What reads, but is ignored or hardly meant so.
pub const NOT_AS_WRITTEN: Rule = rule(
    "not-as-written",
    Warning,
    "what reads, but is ignored or hardly meant so",
    "the cluster, or this program, does something other than the file seems to say",
    "the reader of each kind",
);
/// An HPA's target isn't there.
pub const HPA_TARGET_MISSING: Rule = rule(
    "hpa-target-missing",
    Warning,
    "an HPA's target isn't there",
    "the HPA scales nothing: its workload stays at the replicas it has",
    "pkg/controller/podautoscaler/horizontal.go",
);
/// An HPA's target has no scale subresource.
pub const HPA_TARGET_FIXED_KIND: Rule = rule(
    "hpa-target-not-scalable",
    Error,
    "an HPA's target has no scale subresource",
    "the HPA fails with FailedGetScale and scales nothing",
    "pkg/controller/podautoscaler/horizontal.go",
);
/// Two HPAs scale one workload.
pub const HPA_TWICE: Rule = rule(
    "hpa-twice",
    Error,
    "two HPAs scale one workload",
    "both stop, with condition AmbiguousSelector",
    "pkg/controller/podautoscaler/horizontal.go",
);
/// An HPA's minReplicas is above its maxReplicas.
pub const HPA_BOUNDS: Rule = rule(
    "hpa-bounds",
    Error,
    "an HPA's minReplicas is above its maxReplicas",
    "the API server refuses the HPA, and the workload isn't scaled",
    "pkg/apis/autoscaling/validation/validation.go",
);
/// An HPA's minReplicas equals its maxReplicas.
pub const HPA_FIXED: Rule = rule(
    "hpa-fixed",
    Warning,
    "an HPA's minReplicas equals its maxReplicas",
    "the HPA holds one count and never scales, whatever the load",
    "pkg/controller/podautoscaler/horizontal.go",
);
/// An HPA on utilization of a resource that a container doesn't request.
pub const HPA_NO_REQUEST: Rule = rule(
    "hpa-no-request",
    Error,
    "an HPA on utilization of a resource that a container doesn't request",
    "utilization is usage over the sum of requests; without one of them the HPA gives up on the metric",
    "pkg/controller/podautoscaler/replica_calculator.go",
);
/// An HPA measures a container that isn't there.
pub const HPA_NO_CONTAINER: Rule = rule(
    "hpa-no-container",
    Error,
    "an HPA measures a container that isn't there",
    "the metric never has a value, and the HPA does nothing with it",
    "pkg/controller/podautoscaler/metrics/client.go",
);
/// An HPA on memory, which most software doesn't give back.
pub const HPA_MEMORY: Rule = rule(
    "hpa-memory",
    Note,
    "an HPA on memory, which most software doesn't give back",
    "an HPA takes the largest of its metrics' proposals, so memory that stays keeps replicas that CPU would let go",
    "pkg/controller/podautoscaler/horizontal.go",
);
/// Spec.replicas beside an HPA.
pub const REPLICAS_BESIDE_HPA: Rule = rule(
    "replicas-beside-hpa",
    Warning,
    "spec.replicas beside an HPA",
    "every apply sets the count back, and the HPA needs up to 15 s and the start-up of the pods to raise it again",
    "pkg/controller/podautoscaler/horizontal.go",
);
/// A disruption budget that never allows an eviction.
pub const PDB_BLOCKS: Rule = rule(
    "pdb-blocks-evictions",
    Error,
    "a disruption budget that never allows an eviction",
    "kubectl drain, node upgrades and cluster-autoscaler wait for ever: every eviction gets 429 and is tried again after 5 s",
    "pkg/controller/disruption/disruption.go",
);
/// A disruption budget that selects no pods.
pub const PDB_NOTHING: Rule = rule(
    "pdb-selects-nothing",
    Warning,
    "a disruption budget that selects no pods",
    "the pods it was meant for can all be evicted at once",
    "pkg/controller/disruption/disruption.go",
);
/// Two disruption budgets for one pod.
pub const PDB_TWICE: Rule = rule(
    "pdb-twice",
    Error,
    "two disruption budgets for one pod",
    "the eviction API answers 500 for such a pod, so its node can't be drained",
    "pkg/registry/core/pod/storage/eviction.go",
);
/// A disruption budget for a single replica.
pub const PDB_SINGLE: Rule = rule(
    "pdb-single-replica",
    Note,
    "a disruption budget for a single replica",
    "the budget lets that one pod go, so a drain is an outage",
    "pkg/controller/disruption/disruption.go",
);
/// The liveness probe asks the same as the readiness probe, and gives up as soon.
pub const LIVENESS_LIKE_READINESS: Rule = rule(
    "liveness-like-readiness",
    Warning,
    "the liveness probe asks the same as the readiness probe, and gives up as soon",
    "a pod that is only slow is killed instead of spared, its load goes to the others, and they are slow next",
    "pkg/kubelet/prober/worker.go",
);
/// The container takes longer to start than its probes allow.
pub const START_UP_KILLED: Rule = rule(
    "start-up-killed",
    Error,
    "the container takes longer to start than its probes allow",
    "the kubelet kills it while it starts, and again, after 10, 20, 40 s and up to 5 min",
    "pkg/kubelet/prober/worker.go",
);
/// A probe times out after 1 s in a container with less than a core.
pub const PROBE_TIMEOUT: Rule = rule(
    "probe-timeout",
    Warning,
    "a probe times out after 1 s in a container with less than a core",
    "a container that has used up its CPU limit stands still for the rest of each 100 ms; a burst of requests is enough to make the probe late",
    "pkg/kubelet/prober/prober.go",
);
/// A probe asks a port that its container doesn't name.
pub const PROBE_PORT: Rule = rule(
    "probe-port",
    Error,
    "a probe asks a port that its container doesn't name",
    "the kubelet throws such a probe's result away: the pod never becomes ready, or is never restarted when it hangs",
    "pkg/kubelet/prober/worker.go",
);
/// No readiness probe behind a Service.
pub const NO_READINESS: Rule = rule(
    "no-readiness-probe",
    Warning,
    "no readiness probe behind a Service",
    "pods get requests from the moment their process starts, and go on getting them while they hang",
    "pkg/kubelet/prober/results",
);
/// No preStop hook where requests come in from outside.
pub const NO_PRE_STOP: Rule = rule(
    "no-pre-stop",
    Warning,
    "no preStop hook where requests come in from outside",
    "SIGTERM comes at once, but proxies send requests for 0.1 to 2 s more, an ingress for up to 5 s: they are refused at every rollout and scale-down",
    "pkg/kubelet/kuberuntime/kuberuntime_container.go",
);
/// TerminationGracePeriodSeconds ends before preStop and shutting down do.
pub const GRACE_TOO_SHORT: Rule = rule(
    "grace-too-short",
    Error,
    "terminationGracePeriodSeconds ends before preStop and shutting down do",
    "the process is killed with the requests it has",
    "pkg/kubelet/kuberuntime/kuberuntime_container.go",
);
/// A Service selects no pods.
pub const SERVICE_NOTHING: Rule = rule(
    "service-selects-nothing",
    Warning,
    "a Service selects no pods",
    "it has no endpoints: every call to it fails",
    "pkg/controller/endpointslice",
);
/// A Service's targetPort names no port of its pods.
pub const TARGET_PORT: Rule = rule(
    "service-target-port",
    Error,
    "a Service's targetPort names no port of its pods",
    "the Service has no endpoints for that port: every call fails, though the pods are ready",
    "pkg/api/v1/pod/util.go (FindPort)",
);
/// A route leads to a Service that isn't there.
pub const ROUTE_NOWHERE: Rule = rule(
    "route-leads-nowhere",
    Warning,
    "a route leads to a Service that isn't there",
    "the ingress answers 503",
    "pkg/apis/networking/types.go",
);
/// A rollout takes all pods down at once.
pub const ROLLOUT_OUTAGE: Rule = rule(
    "rollout-outage",
    Warning,
    "a rollout takes all pods down at once",
    "from the last old pod's end to the first new one's readiness nobody answers",
    "pkg/controller/deployment/{rolling,recreate}.go",
);
/// ProgressDeadlineSeconds is shorter than a pod's start-up.
pub const PROGRESS_DEADLINE: Rule = rule(
    "progress-deadline",
    Warning,
    "progressDeadlineSeconds is shorter than a pod's start-up",
    "every rollout is reported as failed (ProgressDeadlineExceeded), and pipelines roll it back",
    "pkg/controller/deployment/progress.go",
);
/// A StatefulSet starts its pods one after the other.
pub const ORDERED_START: Rule = rule(
    "ordered-start",
    Note,
    "a StatefulSet starts its pods one after the other",
    "scaling up and recovering take as many start-ups as there are pods, and one pod that doesn't get ready stops all after it",
    "pkg/controller/statefulset/stateful_set_control.go",
);
/// A promise of recovery that the loss of a node breaks.
pub const NODE_LOSS: Rule = rule(
    "node-loss-promise",
    Warning,
    "a promise of recovery that the loss of a node breaks",
    "a dead node is noticed after its grace period, and its pods are replaced 300 s later",
    "pkg/controller/nodelifecycle/node_lifecycle_controller.go",
);
/// A container without requests.
pub const NO_REQUESTS: Rule = rule(
    "no-requests",
    Warning,
    "a container without requests",
    "the scheduler counts it as nothing and may put any number on a node, and it is the first to be evicted and killed there",
    "pkg/scheduler/framework/plugins/noderesources/fit.go",
);
/// A container without a memory limit.
pub const NO_MEMORY_LIMIT: Rule = rule(
    "no-memory-limit",
    Warning,
    "a container without a memory limit",
    "a leak takes the node's memory, and the kernel and kubelet then choose among all its pods whom to kill",
    "pkg/kubelet/cm/helpers_linux.go",
);
/// A limit below its request.
pub const LIMIT_BELOW_REQUEST: Rule = rule(
    "limit-below-request",
    Error,
    "a limit below its request",
    "the API server refuses such pods",
    "pkg/apis/core/validation/validation.go",
);
/// The CPU limit holds start-up back.
pub const START_UP_THROTTLED: Rule = rule(
    "start-up-throttled",
    Note,
    "the CPU limit holds start-up back",
    "new pods come later by the time that the limit adds, when they are needed most",
    "pkg/kubelet/cm/helpers_linux.go",
);
/// An image without a version.
pub const LATEST: Rule = rule(
    "image-latest",
    Note,
    "an image without a version",
    "two pods of one rollout may run different software, and there is nothing to roll back to",
    "pkg/apis/core/v1/defaults.go",
);
/// A pod that no node of the cluster would take, though it were empty.
pub const FITS_NO_NODE: Rule = rule(
    "fits-no-node",
    Error,
    "a pod that no node of the cluster would take, though it were empty",
    "the pods stay Pending for ever; cluster-autoscaler doesn't add a node that wouldn't help",
    "pkg/scheduler/framework/plugins",
);
/// More replicas than the cluster's nodes can take.
pub const TOO_MANY_PODS: Rule = rule(
    "replicas-find-no-node",
    Warning,
    "more replicas than the cluster's nodes can take",
    "the rest stays Pending, while the HPA counts on them",
    "pkg/scheduler/framework/plugins",
);
/// Pods that a LimitRange refuses.
pub const LIMIT_RANGE: Rule = rule(
    "limit-range",
    Error,
    "pods that a LimitRange refuses",
    "the workload is accepted, but its pods aren't (FailedCreate)",
    "plugin/pkg/admission/limitranger/admission.go",
);
/// More than a ResourceQuota allows.
pub const QUOTA: Rule = rule(
    "quota-exceeded",
    Error,
    "more than a ResourceQuota allows",
    "pods beyond it are refused (FailedCreate, 403), while the HPA counts on them",
    "pkg/quota/v1/evaluator/core/pods.go",
);
/// A quota on what a container doesn't state.
pub const QUOTA_UNNAMED: Rule = rule(
    "quota-unnamed",
    Error,
    "a quota on what a container doesn't state",
    "every pod of the workload is refused (403) until all containers state it",
    "pkg/quota/v1/evaluator/core/pods.go",
);

/// Pools that together want more connections than their callee takes.
pub const CONNECTIONS: Rule = rule(
    "connections-exceed-limit",
    Warning,
    "pools of connections that together want more than the callee takes",
    "when the HPA has made its last pods, or a rollout adds some, connections beyond the limit are refused and calls fail",
    "the model",
);

/// Every rule, in the order of the documentation.
pub const ALL: [&Rule; 40] = [
    &UNREADABLE,
    &NOT_AS_WRITTEN,
    &HPA_TARGET_MISSING,
    &HPA_TARGET_FIXED_KIND,
    &HPA_TWICE,
    &HPA_BOUNDS,
    &HPA_FIXED,
    &HPA_NO_REQUEST,
    &HPA_NO_CONTAINER,
    &HPA_MEMORY,
    &REPLICAS_BESIDE_HPA,
    &PDB_BLOCKS,
    &PDB_NOTHING,
    &PDB_TWICE,
    &PDB_SINGLE,
    &LIVENESS_LIKE_READINESS,
    &START_UP_KILLED,
    &PROBE_TIMEOUT,
    &PROBE_PORT,
    &NO_READINESS,
    &NO_PRE_STOP,
    &GRACE_TOO_SHORT,
    &SERVICE_NOTHING,
    &TARGET_PORT,
    &ROUTE_NOWHERE,
    &ROLLOUT_OUTAGE,
    &PROGRESS_DEADLINE,
    &ORDERED_START,
    &NODE_LOSS,
    &NO_REQUESTS,
    &NO_MEMORY_LIMIT,
    &LIMIT_BELOW_REQUEST,
    &START_UP_THROTTLED,
    &LATEST,
    &FITS_NO_NODE,
    &TOO_MANY_PODS,
    &LIMIT_RANGE,
    &QUOTA,
    &QUOTA_UNNAMED,
    &CONNECTIONS,
];
