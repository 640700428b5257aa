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
    /// The station's next job has ended.
    WorkEnded(PodId),
    /// A wait inside an operation is over.
    WaitEnded(FrameId),
    /// An answer reached the caller.
    AnswerArrived(FrameId),
    /// The back-off before another attempt is over.
    BackoffEnded(FrameId),
    /// An ingress has waited long enough for a connection that nobody answers.
    ConnectionTimedOut(FrameId),
    /// A caller's patience with an attempt is over.
    DeadlineCame(FrameId),
    /// A call has waited for a connection for as long as it may.
    PatienceEnded(FrameId),
    /// A pod has a connection free that somebody waits for; the number is the pool's
    /// among those of its workload.
    ConnectionFreed(PodId, u16),
    /// Connections of a pod's pool may have been idle for too long.
    ConnectionsIdled(PodId, u16),

    /// A contended node's cores are shared out anew.
    CpuShared(u32),

    // Pods.
    /// The scheduler has bound a pod.
    PodBound(PodId),
    /// A volume that a dead node held can be attached to a pod's node.
    VolumeFreed(PodId),
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
    /// The start-up's waiting part is over; its CPU part begins. With the last bits
    /// of the container's run.
    StartUpWaited(PodId, u16),
    /// A probe worker ticked: 0 startup, 1 readiness, 2 liveness; 3 is a readiness probe
    /// out of turn.
    ProbeTicked(PodId, u8),
    /// A probe was not answered in time.
    ProbeTimedOut(FrameId),
    /// The status change of a pod reached the API: readiness counts from here.
    StatusReported(PodId),
    /// The preStop hook is over: SIGTERM.
    Terminated(PodId),
    /// The process has ended by itself after SIGTERM. With the last bits of the
    /// container's run.
    ShutDownEnded(PodId, u16),
    /// The preStop hook of a container that failed its probe is over: SIGTERM. With the
    /// last bits of its run.
    ContainerTerminated(PodId, u16),
    /// Its grace period is over: SIGKILL.
    ContainerKilled(PodId, u16),
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
    /// A kubelet finds the memory of its node short.
    MemoryRanShort(u32),
    /// metrics-server scraped all nodes.
    MetricsScraped,
    /// Prometheus scraped what a custom metric counts; by its number among those of all HPAs.
    CustomMetricScraped(u32),
    /// An HPA was reconciled.
    HpaSynced(u32),
    /// The node autoscaler looked.
    NodeAutoscalerRan,
    /// Karpenter's batch of waiting pods may be closed.
    KarpenterBatched,
    /// Karpenter looks at what it has decided once more.
    ConsolidationValidated,
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

    // Usage curves.
    /// A workload's usage curve has another value.
    UsageMoved(u32),

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

// Hundreds of thousands are pending at a time; two fit a cache line with their keys.
const _: () = assert!(size_of::<Event>() == 12);

impl Event {
    /// Whether it is the end of what `last` is the end of: the warm-up, or the run.
    /// Cheaper than comparing events, which is done for each.
    #[inline]
    pub fn ends_as(self, last: Self) -> bool {
        matches!((self, last), (Self::WarmUpEnded, Self::WarmUpEnded) | (Self::Ended, Self::Ended))
    }

    /// Whether it is something that a control plane does which stands still.
    pub fn needs_control_plane(self) -> bool {
        matches!(
            self,
            Self::StatusReported(_)
                | Self::VolumeFreed(_)
                | Self::SliceWritten(_)
                | Self::WorkloadSynced(_)
                | Self::ReplicaSetsSynced(_)
                | Self::SchedulerRan
                | Self::HpaSynced(_)
                | Self::NodeAutoscalerRan
                | Self::KarpenterBatched
                | Self::ConsolidationValidated
                | Self::NodesMonitored
                | Self::TaintsHandedOut(_)
                | Self::TolerationEnded(_)
                | Self::MachineMissed(_)
                | Self::OrphansCollected(_)
        )
    }

    /// Whether something moves with it that requests feel: pods, endpoints, nodes,
    /// failures. Time is never skipped over it. What requests do of themselves doesn't stir,
    /// nor do loops that mostly find nothing.
    pub fn stirs(self) -> bool {
        match self {
            Self::PodBound(_)
            | Self::VolumeFreed(_)
            | Self::StartUpEnded(_)
            | Self::ProbeAnswered(_, _, false)
            | Self::MemoryExceeded(_)
            | Self::MemoryRanShort(_)
            | Self::ContainerStarted(_)
            | Self::StartUpWaited(..)
            | Self::StatusReported(_)
            | Self::Terminated(_)
            | Self::ShutDownEnded(..)
            | Self::ContainerTerminated(..)
            | Self::ContainerKilled(..)
            | Self::PodRemoved(_)
            | Self::BackoffOver(_)
            | Self::SliceWritten(_)
            | Self::ProxySynced(..)
            | Self::WorkloadSynced(_)
            | Self::ReplicaSetsSynced(_)
            | Self::ConsolidationValidated
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
            Self::UserThought(_)
            | Self::JourneyDue
            | Self::PopulationChanged
            | Self::RequestAnswered(_)
            | Self::RequestFailed(..)
            | Self::CallArrived(_)
            | Self::WorkEnded(_)
            | Self::WaitEnded(_)
            | Self::AnswerArrived(_)
            | Self::BackoffEnded(_)
            | Self::ConnectionTimedOut(_)
            | Self::DeadlineCame(_)
            | Self::PatienceEnded(_)
            | Self::ConnectionFreed(..)
            | Self::ConnectionsIdled(..)
            | Self::CpuShared(_)
            | Self::ProbeAnswered(..)
            | Self::PodDrained(_)
            | Self::ProbeTicked(..)
            | Self::ProbeTimedOut(_)
            | Self::GraceEnded(_)
            | Self::SchedulerRan
            | Self::NodeSampled(_)
            | Self::MetricsScraped
            | Self::CustomMetricScraped(_)
            | Self::HpaSynced(_)
            | Self::NodeAutoscalerRan
            | Self::KarpenterBatched
            | Self::NodesMonitored
            | Self::UsageMoved(_)
            | Self::PaceLooked(_)
            | Self::StepEnded
            | Self::WatchStepEnded
            | Self::Ended => false,
        }
    }
}
