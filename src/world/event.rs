//! All that can happen: one closed enum.
//!
//! An event names a fact in the past tense. `world::dispatch` is the only
//! place where an event meets its handler.

use crate::observe::Cause;
use crate::world::ids::{FrameId, PodId};

/// Something that happened, or will have when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    // Users.
    /// A user has thought and asks.
    UserThought(u32),
    /// The next journey of an open population may start.
    JourneyDue,
    /// The number of users may have changed.
    PopulationChanged,

    /// A user's request was answered.
    RequestAnswered(u32),
    /// A user's request failed for good.
    RequestFailed(u32, Cause),

    // Requests.
    /// A call reached its pod.
    CallArrived(FrameId),
    /// The station's next job may have ended; the number recognises a stale event.
    WorkEnded(PodId, u32),
    /// A wait inside an operation is over.
    WaitEnded(FrameId),
    /// An answer reached the caller.
    AnswerArrived(FrameId),
    /// The back-off before another attempt is over.
    BackoffEnded(FrameId),
    /// A caller's patience with an attempt is over.
    DeadlineCame(FrameId),

    /// A contended node's cores are shared out anew.
    CpuShared(u32),

    // Pods.
    /// The scheduler has bound a pod.
    PodBound(PodId),
    /// The process has started up and listens.
    StartUpEnded(PodId),
    /// A probe was answered, well or badly.
    ProbeAnswered(PodId, u8, bool),
    /// A pod uses more memory than its limit.
    MemoryExceeded(PodId),
    /// A pod that was told to end has nothing left to do.
    PodDrained(PodId),
    /// The kubelet has set a pod up; its container starts.
    ContainerStarted(PodId),
    /// The start-up's waiting part is over; its CPU part begins.
    StartUpWaited(PodId, u32),
    /// A probe worker ticked: 0 startup, 1 readiness, 2 liveness.
    ProbeTicked(PodId, u8),
    /// A probe was not answered in time.
    ProbeTimedOut(FrameId),
    /// The status change of a pod reached the API: readiness counts from here.
    StatusReported(PodId),
    /// The preStop hook is over: SIGTERM.
    Terminated(PodId),
    /// The process has ended by itself after SIGTERM.
    ShutDownEnded(PodId),
    /// The grace period is over: SIGKILL.
    GraceEnded(PodId),
    /// The pod object is removed.
    PodRemoved(PodId),
    /// A crashed or killed container may start again.
    BackoffOver(PodId),

    // Endpoints.
    /// A workload's EndpointSlice was written.
    SliceWritten(u32),
    /// kube-proxy (0) or the ingress (1) has taken a workload's slice over.
    ProxySynced(u32, u8),

    // Controllers.
    /// A workload's controller looks at its pods.
    WorkloadSynced(u32),
    /// The scheduler takes the next pod.
    SchedulerRan,
    /// The kubelet of a node sampled its containers.
    NodeSampled(u32),
    /// metrics-server scraped all nodes.
    MetricsScraped,
    /// An HPA was reconciled.
    HpaSynced(u32),
    /// The node autoscaler looked.
    NodeAutoscalerRan,
    /// Karpenter's batch of waiting pods may be closed.
    KarpenterBatched,
    /// A node that is to go may be empty.
    NodeEmptied(u32),
    /// A new node is ready.
    NodeReady(u32),
    /// The ReplicaSets of a Deployment look at their pods.
    ReplicaSetsSynced(u32),
    /// The node lifecycle controller passed over all nodes.
    NodesMonitored,
    /// A zone's queue of nodes to taint may give one out.
    TaintsHandedOut(u32),
    /// A pod's time on its tainted node may be over.
    TolerationEnded(PodId),
    /// The cloud's controller finds no machine for a node that is not ready.
    MachineMissed(u32),
    /// Pods on a node that is no more are deleted by the pod garbage collector.
    OrphansCollected(u32),
    /// A drain asks for its evictions again.
    DrainWentOn(u32),
    /// A pod was pushed off its node by one of higher priority; by its UID.
    PodPreempted(u32),
    /// A failed image pull may be tried again.
    PullRetried(PodId),

    // Drills.
    /// A drill strikes.
    DrillStruck(u16),
    /// What a drill broke is whole again.
    DrillEnded(u16),
    /// Something that a drill does again and again is due.
    DrillWentOn(u16),

    // Fidelity.
    /// A look at whether time may be skipped; the number recognises a stale event.
    PaceLooked(u32),

    // Observation.
    /// The warm-up is over.
    WarmUpEnded,
    /// A step of the series is over.
    StepEnded,
    /// A step of the watch over drills is over.
    WatchStepEnded,
    /// The run is over.
    Ended,
}

impl Event {
    /// Whether it is something that a control plane does which stands still.
    pub fn needs_control_plane(self) -> bool {
        matches!(
            self,
            Self::StatusReported(_)
                | Self::SliceWritten(_)
                | Self::WorkloadSynced(_)
                | Self::ReplicaSetsSynced(_)
                | Self::SchedulerRan
                | Self::HpaSynced(_)
                | Self::NodeAutoscalerRan
                | Self::KarpenterBatched
                | Self::NodesMonitored
                | Self::TaintsHandedOut(_)
                | Self::TolerationEnded(_)
                | Self::MachineMissed(_)
                | Self::OrphansCollected(_)
        )
    }

    /// Whether something moves with it that requests feel: pods, endpoints, nodes,
    /// failures. Time is never skipped over it.
    pub fn stirs(self) -> bool {
        match self {
            Self::PodBound(_)
            | Self::StartUpEnded(_)
            | Self::ProbeAnswered(_, _, false)
            | Self::MemoryExceeded(_)
            | Self::ContainerStarted(_)
            | Self::StartUpWaited(..)
            | Self::StatusReported(_)
            | Self::Terminated(_)
            | Self::ShutDownEnded(_)
            | Self::PodRemoved(_)
            | Self::BackoffOver(_)
            | Self::SliceWritten(_)
            | Self::ProxySynced(..)
            | Self::WorkloadSynced(_)
            | Self::ReplicaSetsSynced(_)
            | Self::NodeEmptied(_)
            | Self::NodeReady(_)
            | Self::TaintsHandedOut(_)
            | Self::TolerationEnded(_)
            | Self::MachineMissed(_)
            | Self::OrphansCollected(_)
            | Self::DrainWentOn(_)
            | Self::PodPreempted(_)
            | Self::PullRetried(_)
            | Self::DrillStruck(_)
            | Self::DrillEnded(_)
            | Self::DrillWentOn(_)
            | Self::WarmUpEnded => true,
            // What requests do of themselves, and loops that mostly find nothing.
            Self::UserThought(_)
            | Self::JourneyDue
            | Self::PopulationChanged
            | Self::RequestAnswered(_)
            | Self::RequestFailed(..)
            | Self::CallArrived(_)
            | Self::WorkEnded(..)
            | Self::WaitEnded(_)
            | Self::AnswerArrived(_)
            | Self::BackoffEnded(_)
            | Self::DeadlineCame(_)
            | Self::CpuShared(_)
            | Self::ProbeAnswered(..)
            | Self::PodDrained(_)
            | Self::ProbeTicked(..)
            | Self::ProbeTimedOut(_)
            | Self::GraceEnded(_)
            | Self::SchedulerRan
            | Self::NodeSampled(_)
            | Self::MetricsScraped
            | Self::HpaSynced(_)
            | Self::NodeAutoscalerRan
            | Self::KarpenterBatched
            | Self::NodesMonitored
            | Self::PaceLooked(_)
            | Self::StepEnded
            | Self::WatchStepEnded
            | Self::Ended => false,
        }
    }

    /// The event as a number for the fingerprint: its kind and whom it is about.
    pub fn code(self) -> u64 {
        let (kind, about) = match self {
            Self::UserThought(user) => (1, user),
            Self::JourneyDue => (2, 0),
            Self::PopulationChanged => (3, 0),
            Self::CallArrived(frame) => (4, frame.index),
            Self::WorkEnded(pod, _) => (5, pod.index),
            Self::WaitEnded(frame) => (6, frame.index),
            Self::AnswerArrived(frame) => (7, frame.index),
            Self::BackoffEnded(frame) => (8, frame.index),
            Self::DeadlineCame(frame) => (9, frame.index),
            Self::ContainerStarted(pod) => (10, pod.index),
            Self::StartUpWaited(pod, _) => (11, pod.index),
            Self::ProbeTicked(pod, kind) => (12 + u64::from(kind), pod.index),
            Self::ProbeTimedOut(frame) => (15, frame.index),
            Self::StatusReported(pod) => (16, pod.index),
            Self::Terminated(pod) => (17, pod.index),
            Self::ShutDownEnded(pod) => (18, pod.index),
            Self::GraceEnded(pod) => (19, pod.index),
            Self::PodRemoved(pod) => (20, pod.index),
            Self::BackoffOver(pod) => (21, pod.index),
            Self::SliceWritten(workload) => (22, workload),
            Self::ProxySynced(workload, which) => (23 + u64::from(which), workload),
            Self::WorkloadSynced(workload) => (25, workload),
            Self::SchedulerRan => (26, 0),
            Self::NodeSampled(node) => (28, node),
            Self::MetricsScraped => (29, 0),
            Self::HpaSynced(hpa) => (30, hpa),
            Self::NodeAutoscalerRan => (31, 0),
            Self::KarpenterBatched => (36, 0),
            Self::NodeEmptied(node) => (37, node),
            Self::RequestAnswered(user) => (38, user),
            Self::RequestFailed(user, cause) => (40 + cause as u64, user),
            Self::PodBound(pod) => (50, pod.index),
            Self::StartUpEnded(pod) => (51, pod.index),
            Self::ProbeAnswered(pod, kind, good) => (52 + u64::from(kind) * 2 + u64::from(good), pod.index),
            Self::MemoryExceeded(pod) => (58, pod.index),
            Self::PodDrained(pod) => (59, pod.index),
            Self::NodeReady(node) => (32, node),
            Self::ReplicaSetsSynced(workload) => (60, workload),
            Self::NodesMonitored => (61, 0),
            Self::TaintsHandedOut(zone) => (62, zone),
            Self::TolerationEnded(pod) => (63, pod.index),
            Self::MachineMissed(node) => (72, node),
            Self::OrphansCollected(node) => (73, node),
            Self::PullRetried(pod) => (64, pod.index),
            Self::DrillStruck(drill) => (65, u32::from(drill)),
            Self::DrillEnded(drill) => (66, u32::from(drill)),
            Self::DrillWentOn(drill) => (67, u32::from(drill)),
            Self::WatchStepEnded => (68, 0),
            Self::PaceLooked(stamp) => (71, stamp),
            Self::PodPreempted(uid) => (70, uid),
            Self::DrainWentOn(node) => (69, node),
            Self::CpuShared(node) => (70, node),
            Self::WarmUpEnded => (33, 0),
            Self::StepEnded => (34, 0),
            Self::Ended => (35, 0),
        };
        (kind << 32) | u64::from(about)
    }
}
