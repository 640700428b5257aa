//! Is a rollout complete, does it move, has it run out of time.
//!
//! Upstream: `pkg/controller/deployment/progress.go`, `DeploymentComplete`,
//! `DeploymentProgressing` and `DeploymentTimedOut` in
//! `pkg/controller/deployment/util/deployment_util.go`.

use crate::units::{SimDuration, SimTime};

/// The counts of a Deployment's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Pods of all sets.
    pub replicas: u32,
    /// Pods of the current template.
    pub updated: u32,
    /// Ready pods.
    pub ready: u32,
    /// Available pods.
    pub available: u32,
}

/// The Progressing condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its reason.
    pub reason: ProgressReason,
    /// When it was last written; the deadline runs from here.
    pub updated: SimTime,
}

/// The reason of the Progressing condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressReason {
    /// `NewReplicaSetCreated`, `FoundNewReplicaSet`, `DeploymentPaused` or `DeploymentResumed`.
    Started,
    /// `ReplicaSetUpdated`: something moved.
    Moved,
    /// `NewReplicaSetAvailable`: the rollout is complete.
    Complete,
    /// `ProgressDeadlineExceeded`; the rollout still goes on, nothing is rolled back.
    TimedOut,
}

impl Status {
    /// All of `desired` pods are new and available, and no other exists.
    pub fn is_complete(&self, desired: u32) -> bool {
        self.updated == desired && self.replicas == desired && self.available == desired
    }
}

/// Whether `after` is progress over `before`: more updated, ready or available
/// pods, or fewer old ones.
pub fn progressed(before: &Status, after: &Status) -> bool {
    let old = |status: &Status| i64::from(status.replicas) - i64::from(status.updated);
    after.updated > before.updated
        || old(after) < old(before)
        || after.ready > before.ready
        || after.available > before.available
}

impl Progress {
    /// Whether the deadline (`None`: there is none) has passed since the last progress.
    pub fn is_timed_out(&self, deadline: Option<SimDuration>, now: SimTime) -> bool {
        match (self.reason, deadline) {
            (_, None) | (ProgressReason::Complete, Some(_)) => false,
            (ProgressReason::TimedOut, Some(_)) => true,
            (ProgressReason::Started | ProgressReason::Moved, Some(deadline)) => {
                self.updated + deadline < now
            }
        }
    }

    /// The condition after a sync that found the status changed from `before` to `after`.
    pub fn after(
        self,
        before: &Status,
        after: &Status,
        desired: u32,
        deadline: Option<SimDuration>,
        now: SimTime,
    ) -> Self {
        let settled = self.reason == ProgressReason::Complete && after.replicas == after.updated;
        let reason = if deadline.is_none() || settled {
            return self;
        } else if after.is_complete(desired) {
            ProgressReason::Complete
        } else if progressed(before, after) {
            ProgressReason::Moved
        } else if self.is_timed_out(deadline, now) {
            ProgressReason::TimedOut
        } else {
            return self;
        };
        // Moving refreshes the clock; the two ends are written once.
        if reason == self.reason && reason != ProgressReason::Moved {
            self
        } else {
            Self { reason, updated: now }
        }
    }
}
