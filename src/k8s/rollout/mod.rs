//! Deployment arithmetic: fence posts, the rolling step, proportional scaling.
//!
//! Upstream: `pkg/controller/deployment/{rolling,recreate,sync,progress}.go` and
//! `pkg/controller/deployment/util/deployment_util.go`.

mod progress;
mod rolling;
mod scaling;

pub use progress::{Progress, ProgressReason, Status, progressed};
pub use rolling::{StatusBehind, clean_up_unhealthy, new_set_size, resize_new, scale_down_old, shrink_old};
pub use scaling::{is_scaling_event, scale};

use crate::units::{SimDuration, SimTime};

/// A whole number or a percentage, as `maxSurge: 1` and `maxSurge: 25%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrPercent {
    /// As it is.
    Int(i64),
    /// Percent of some total.
    Percent(i64),
}

/// `spec.strategy` of a Deployment, after defaulting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All old pods go before the first new one starts.
    Recreate,
    /// Old and new pods overlap.
    RollingUpdate {
        /// Pods above the wanted count; default 25 %, rounded up.
        max_surge: IntOrPercent,
        /// Pods below the wanted count; default 25 %, rounded down.
        max_unavailable: IntOrPercent,
    },
}

/// What the controller reads of a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.paused`: scaled but not rolled.
    pub paused: bool,
    /// `status.replicas`: pods of all its ReplicaSets, as last counted.
    pub status_replicas: u32,
}

/// What the controller reads of a ReplicaSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSetView {
    /// `spec.replicas`.
    pub spec: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`: ready for at least `minReadySeconds`.
    pub available: u32,
    /// When it was created; of two of one age the one listed first counts as older.
    pub created: SimTime,
    /// What the Deployment noted on it when it was last scaled; `None` when never.
    pub noted: Option<Noted>,
}

/// The two annotations that the controller leaves on a ReplicaSet whenever it sizes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// `deployment.kubernetes.io/desired-replicas`: the Deployment's replicas then.
    pub desired: u32,
    /// `deployment.kubernetes.io/max-replicas`: that plus the surge then.
    pub max: u32,
}

/// One of a Deployment's ReplicaSets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The one of the current template.
    New,
    /// An older one, by its place in the list of old sets.
    Old(usize),
}

/// A ReplicaSet gets a new size, and with it fresh [`Noted`] annotations. Also
/// returned with `from == to`, when only the annotations change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Which one.
    pub set: Set,
    /// Its size so far.
    pub from: u32,
    /// Its size from now on.
    pub to: u32,
}

/// What one sync of a Deployment does, and why no more than that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The new ReplicaSet does not exist yet and is made now, with this size.
    pub create: Option<u32>,
    /// ReplicaSets that change, in the order in which they are written.
    pub resizes: Vec<Resize>,
    /// Why.
    pub because: Because,
}

/// Why a sync did what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The new set grew into the room that the surge leaves.
    NewScaledUp,
    /// The new set was larger than the Deployment.
    NewScaledDown,
    /// Old pods went that were unavailable anyway, or that availability can spare.
    OldScaledDown,
    /// Old pods remain, but taking one would leave too few available.
    WaitsForAvailability,
    /// An old set counts more available pods than it should have; the sync ends
    /// with an error and is tried again.
    StatusBehind,
    /// Only pods of the new template are left.
    NoOldPods,
    /// Recreate: old sets go to zero.
    OldStopped,
    /// Recreate: old pods still exist, though on their way out.
    WaitsForOldPods,
    /// Recreate: the new set gets its full size.
    NewStarted,
    /// Scaling: one set takes it all, as no other is in use.
    OneSetScaled,
    /// Scaling: the new set is complete, so the old ones go.
    NewIsComplete,
    /// Scaling in the middle of a rollout: shared out among all sets by size.
    SharedOut,
    /// The only set in use has the right size already but was noted with another,
    /// so every sync takes it for scaling: no rollout goes on until the
    /// Deployment's size changes. A known fault of upstream, kept as it is.
    StuckOnNote,
    /// Nothing differs.
    InPlace,
}

/// Pods above and below the wanted count during a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FencePosts {
    /// At most so many above.
    pub surge: u32,
    /// At most so many below.
    pub unavailable: u32,
}

/// One sync of a Deployment: scaling if its size changed (or it is paused), one
/// step of its rollout otherwise. `old_pods` tells whether any pod of an old
/// set exists that has not ended for good (terminating ones do count).
pub fn sync(
    deployment: &DeploymentView,
    new: Option<ReplicaSetView>,
    old: &[ReplicaSetView],
    old_pods: bool,
) -> Decision {
    if deployment.paused || is_scaling_event(deployment, new.as_ref(), old) {
        return scale(deployment, new.as_ref(), old);
    }
    match deployment.strategy {
        Strategy::Recreate => recreate_step(deployment, new, old, old_pods),
        Strategy::RollingUpdate { .. } => rolling::step(deployment, new, old),
    }
}

/// One step of a Recreate rollout: stop the old pods, wait until they are gone, start the new.
fn recreate_step(
    deployment: &DeploymentView,
    new: Option<ReplicaSetView>,
    old: &[ReplicaSetView],
    old_pods: bool,
) -> Decision {
    let resizes: Vec<Resize> = old
        .iter()
        .enumerate()
        .filter(|(_, set)| set.spec > 0)
        .map(|(i, set)| Resize { set: Set::Old(i), from: set.spec, to: 0 })
        .collect();
    if !resizes.is_empty() {
        return Decision { create: None, resizes, because: Because::OldStopped };
    }
    if old_pods {
        return Decision::nothing(Because::WaitsForOldPods);
    }
    match new {
        None => Decision { create: Some(deployment.replicas), resizes, because: Because::NewStarted },
        Some(set) if set.spec == deployment.replicas => Decision::nothing(Because::InPlace),
        Some(set) => {
            let resizes = vec![Resize { set: Set::New, from: set.spec, to: deployment.replicas }];
            Decision { create: None, resizes, because: Because::NewStarted }
        }
    }
}

/// When a pod that has been ready since `ready_since` counts as available.
pub fn available_at(ready_since: SimTime, min_ready: SimDuration) -> SimTime {
    ready_since + min_ready
}

/// Surge and unavailability in pods, of `replicas`: the first rounded up, the
/// second down, and never both zero, as nothing could move then.
pub fn fence_posts(max_surge: IntOrPercent, max_unavailable: IntOrPercent, replicas: u32) -> FencePosts {
    let surge = clamp(max_surge.of_rounded_up(replicas.into()));
    let unavailable = clamp(max_unavailable.of_rounded_down(replicas.into()));
    if surge == 0 && unavailable == 0 {
        FencePosts { surge, unavailable: 1 }
    } else {
        FencePosts { surge, unavailable }
    }
}

impl Decision {
    fn nothing(because: Because) -> Self {
        Self { create: None, resizes: Vec::new(), because }
    }
}

impl DeploymentView {
    /// Pods it may have above `replicas`; none unless it rolls.
    pub fn max_surge(&self) -> u32 {
        self.fence_posts().map_or(0, |posts| posts.surge)
    }

    /// Pods it may lack, at most all of them; none unless it rolls.
    pub fn max_unavailable(&self) -> u32 {
        self.fence_posts().map_or(0, |posts| posts.unavailable.min(self.replicas))
    }

    /// What it notes on a set that it sizes now.
    pub fn note(&self) -> Noted {
        Noted { desired: self.replicas, max: self.replicas.saturating_add(self.max_surge()) }
    }

    fn fence_posts(&self) -> Option<FencePosts> {
        match self.strategy {
            Strategy::Recreate => None,
            Strategy::RollingUpdate { max_surge, max_unavailable } => {
                Some(fence_posts(max_surge, max_unavailable, self.replicas))
            }
        }
    }
}

impl IntOrPercent {
    /// `25%` read as a percentage; `None` for anything else.
    pub fn from_percent(text: &str) -> Option<Self> {
        text.strip_suffix('%')?.parse().ok().map(Self::Percent)
    }

    /// In whole numbers of `total`; what is between two is rounded up.
    pub fn of_rounded_up(self, total: i64) -> i64 {
        match self {
            Self::Int(number) => number,
            Self::Percent(percent) => percent.saturating_mul(total).saturating_add(99).div_euclid(100),
        }
    }

    /// In whole numbers of `total`; what is between two is rounded down.
    pub fn of_rounded_down(self, total: i64) -> i64 {
        match self {
            Self::Int(number) => number,
            Self::Percent(percent) => percent.saturating_mul(total).div_euclid(100),
        }
    }
}

impl Default for Strategy {
    fn default() -> Self {
        let quarter = IntOrPercent::Percent(25);
        Self::RollingUpdate { max_surge: quarter, max_unavailable: quarter }
    }
}

/// A count as the API allows it: not negative, and of 31 bits.
fn clamp(count: i64) -> u32 {
    count.clamp(0, i64::from(i32::MAX)) as u32
}

#[cfg(test)]
mod tests;
