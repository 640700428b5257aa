//! Drills: failures and changes that strike at a moment, on purpose.

use crate::units::{Bytes, MilliCpu, SimDuration};

/// One failure or change.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    /// What reports call it.
    pub name: String,
    /// It strikes at a moment drawn evenly from here, counted from the end of the warm-up …
    pub from: SimDuration,
    /// … to here.
    pub until: SimDuration,
    /// What it broke is whole again after this; `None` for never.
    pub lasts: Option<SimDuration>,
    /// What happens.
    pub what: Failure,
}

/// What happens in a drill.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Pods are deleted: `kubectl delete pod`.
    PodDelete {
        /// Whose: index into the scenario's workloads.
        workload: usize,
        /// How many.
        pods: Share,
        /// `--force --grace-period=0`: no SIGTERM, the object is gone at once.
        force: bool,
    },
    /// Containers end by themselves and restart by their policy.
    ContainerCrash {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
        /// The kernel killed them for their memory.
        out_of_memory: bool,
    },
    /// Containers end at once, and again at every start while the drill lasts.
    CrashLoop {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
    },
    /// Processes accept connections and answer nothing, probes included, until
    /// their container restarts or the drill is over.
    Hang {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
    },
    /// Processes lose memory all the time while the drill lasts.
    MemoryLeak {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
        /// So much a second and pod.
        per_second: Bytes,
    },
    /// Other processes in containers use CPU while the drill lasts, or until
    /// the container restarts: `stress-ng` in the pod's cgroup.
    CpuStress {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
        /// So much in each.
        cpu: MilliCpu,
    },
    /// Processes outside the pods use a node's CPU while the drill lasts.
    NodeCpuStress {
        /// So many, of those that run pods.
        nodes: u32,
        /// So much on each; what the node has is the most.
        cpu: MilliCpu,
    },
    /// Other processes in containers hold memory while the drill lasts, or until
    /// the container restarts.
    MemoryStress {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
        /// So much in each.
        size: Bytes,
    },
    /// Nodes lose their power: nothing on them answers. They boot again when the
    /// drill is over.
    NodeLoss {
        /// So many, of those that run pods.
        nodes: u32,
        /// The machine itself is gone: it never boots again, and the cloud's
        /// controller deletes the Node object once it is seen not to be ready.
        gone: bool,
    },
    /// Kubelets report their nodes not ready, while the pods go on.
    NodeNotReady {
        /// So many, of those that run pods.
        nodes: u32,
    },
    /// All nodes of one zone lose their power.
    ZoneOutage,
    /// `kubectl drain`: nodes are cordoned and their pods evicted under their
    /// budgets; uncordoned when the drill is over.
    NodeDrain {
        /// So many at once, of those that run pods.
        nodes: u32,
    },
    /// Calls between two workloads are delayed, or their packets lost.
    Network {
        /// Whose calls; `None` for everybody's, users included.
        from: Option<usize>,
        /// Calls to whom.
        to: usize,
        /// Added to the way there.
        delay: SimDuration,
        /// Share of packets that are lost, in 0..=1; TCP sends them again.
        loss: f64,
    },
    /// Packets that some pods send are late or lost, so that a call to them or by
    /// them, and its answer, meets that once.
    PodNetwork {
        /// Whose.
        workload: usize,
        /// How many.
        pods: Share,
        /// Only between them and this workload's; `None` for everybody's, users included.
        peer: Option<usize>,
        /// Added to a call.
        delay: SimDuration,
        /// Share of packets that are lost, in 0..=1; TCP sends them again.
        loss: f64,
    },
    /// An external service fails or is slow.
    External {
        /// Which: index into the scenario's external services.
        external: usize,
        /// Share of calls that fail.
        error_rate: f64,
        /// Its latency times this.
        slower: f64,
    },
    /// A workload's requests take more CPU.
    Slow {
        /// Whose.
        workload: usize,
        /// CPU work times this.
        factor: f64,
    },
    /// The metrics API has nothing: HPAs are blind.
    Metrics,
    /// No image can be pulled.
    Registry,
    /// API server, controllers and scheduler stand still; what runs goes on.
    ControlPlane,
    /// More users, or a higher rate.
    Load {
        /// Times as many.
        factor: f64,
        /// Over which time they come.
        rise: SimDuration,
    },
    /// A new revision is rolled out.
    Rollout {
        /// Of which Deployment or StatefulSet.
        workload: usize,
        /// What is wrong with it, if anything.
        release: Release,
        /// `kubectl rollout undo` when the drill is over, instead of leaving it.
        undone: bool,
    },
    /// `kubectl scale`.
    Scale {
        /// Whom.
        workload: usize,
        /// To so many.
        replicas: u32,
    },
}

/// How many of a workload's pods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// So many, at most all.
    Count(u32),
    /// This part of them, rounded up; in 0..=1.
    Part(f64),
    /// This part of them, rounded down; in 0..=1.
    WholePart(f64),
    /// A number drawn evenly from none to this part of them, rounded down; in 0..=1.
    UpTo(f64),
}

impl Share {
    /// Of so many; `chance` is an even draw from 0..1 for what chance decides.
    pub fn of(self, all: u32, chance: f64) -> u32 {
        let whole = |part: f64| (part * f64::from(all)).clamp(0.0, f64::from(all)) as u32;
        match self {
            Self::Count(count) => count.min(all),
            Self::WholePart(part) => whole(part),
            Self::UpTo(part) => (chance * f64::from(whole(part) + 1)) as u32,
            Self::Part(part) => (part * f64::from(all)).ceil().clamp(0.0, f64::from(all)) as u32,
        }
    }
}

/// A revision of a workload's pods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Release {
    /// Nodes don't have its image yet; otherwise it is the same image as before.
    pub new_image: bool,
    /// What is wrong with it.
    pub fault: ReleaseFault,
    /// CPU work of its requests times this.
    pub work: f64,
}

/// What is wrong with a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseFault {
    /// Nothing.
    None,
    /// Its image is not in the registry.
    ImageMissing,
    /// Its process ends as soon as it has started up.
    CrashesOnStart,
    /// Its readiness probe never succeeds; without one it listens to nobody.
    NeverReady,
}

impl Default for Release {
    /// What runs at the start.
    fn default() -> Self {
        Self { new_image: false, fault: ReleaseFault::None, work: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_what_is_there() {
        for (share, all, expected) in [
            (Share::Count(3), 5, 3),
            (Share::Count(9), 5, 5),
            (Share::Part(0.5), 5, 3),
            (Share::Part(1.0), 5, 5),
            (Share::Part(0.0), 5, 0),
            (Share::Part(0.01), 5, 1),
            (Share::WholePart(0.5), 5, 2),
            (Share::WholePart(1.0), 5, 5),
            (Share::UpTo(1.0), 5, 3),
            (Share::UpTo(0.1), 5, 0),
        ] {
            assert_eq!(share.of(all, 0.5), expected, "{share:?} of {all}");
        }
    }
}
