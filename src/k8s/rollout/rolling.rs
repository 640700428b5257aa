//! One step of a rolling update.
//!
//! Upstream: `pkg/controller/deployment/rolling.go`, `NewRSNewReplicas` in
//! `pkg/controller/deployment/util/deployment_util.go`.

use super::{Because, Decision, DeploymentView, ReplicaSetView, Resize, Set, Strategy, clamp};

/// An old set counts more available pods than it has replicas: its status has
/// not caught up with its spec, and upstream ends the sync with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusBehind;

/// One step of a rolling update: the new set moves if it can, else the old ones
/// may shrink. Terminating pods count nowhere, so nodes see more than the surge.
pub(super) fn step(
    deployment: &DeploymentView,
    new: Option<ReplicaSetView>,
    old: &[ReplicaSetView],
) -> Decision {
    let total_old: u32 = old.iter().map(|set| set.spec).sum();
    let create = new.is_none().then(|| new_set_size(deployment, total_old, 0));
    let new = new.unwrap_or(ReplicaSetView { spec: create.unwrap_or(0), ..ReplicaSetView::default() });
    if let Some(resize) = resize_new(deployment, &new, old) {
        let because = if resize.to > resize.from { Because::NewScaledUp } else { Because::NewScaledDown };
        return Decision { create, resizes: vec![resize], because };
    }
    let mut decision = Decision { create, ..Decision::nothing(Because::NoOldPods) };
    if total_old > 0 {
        let shrunk = shrink_old(deployment, &new, old, &mut decision.resizes);
        decision.because = match shrunk {
            Err(StatusBehind) => Because::StatusBehind,
            Ok(0) => Because::WaitsForAvailability,
            Ok(_) => Because::OldScaledDown,
        };
    } else if create.is_some_and(|size| size > 0) {
        decision.because = Because::NewScaledUp;
    }
    decision
}

/// How large the new set may be now: Recreate gives it everything, a rolling
/// update what the surge leaves beside `total` pods (of all sets, this one's
/// `so_far` included).
pub fn new_set_size(deployment: &DeploymentView, total: u32, so_far: u32) -> u32 {
    match deployment.strategy {
        Strategy::Recreate => deployment.replicas,
        Strategy::RollingUpdate { max_surge, .. } => {
            let (replicas, so_far) = (i64::from(deployment.replicas), i64::from(so_far));
            // Surge alone, without the fence posts' "never both zero".
            let room = replicas + max_surge.of_rounded_up(replicas) - i64::from(total);
            if room <= 0 { clamp(so_far) } else { clamp(so_far + room.min(replicas - so_far)) }
        }
    }
}

/// The new set's next size, if it changes.
pub fn resize_new(
    deployment: &DeploymentView,
    new: &ReplicaSetView,
    old: &[ReplicaSetView],
) -> Option<Resize> {
    let total = new.spec + old.iter().map(|set| set.spec).sum::<u32>();
    let is_short = new.spec < deployment.replicas;
    let to = if is_short { new_set_size(deployment, total, new.spec) } else { deployment.replicas };
    (to != new.spec).then_some(Resize { set: Set::New, from: new.spec, to })
}

/// Takes pods from the old sets: first those that are unavailable anyway, then
/// as many as availability can spare. Returns how many, and notes them in `resizes`.
pub fn shrink_old(
    deployment: &DeploymentView,
    new: &ReplicaSetView,
    old: &[ReplicaSetView],
    resizes: &mut Vec<Resize>,
) -> Result<u32, StatusBehind> {
    let total: i64 = i64::from(new.spec) + old.iter().map(|set| i64::from(set.spec)).sum::<i64>();
    let min_available = i64::from(deployment.replicas) - i64::from(deployment.max_unavailable());
    // New pods that aren't available yet may fail; room is kept for them.
    let starting = i64::from(new.spec) - i64::from(new.available);
    let budget = total - min_available - starting;
    if budget <= 0 {
        return Ok(0);
    }
    let mut sizes: Vec<u32> = old.iter().map(|set| set.spec).collect();
    let cleaned = clean_up_unhealthy(old, &mut sizes, clamp(budget));
    let scaled = cleaned.map(|cleaned| cleaned + scale_down_old(deployment, new.available, old, &mut sizes));
    let changed = old.iter().zip(sizes).enumerate().filter(|(_, (set, to))| set.spec != *to);
    resizes.extend(changed.map(|(i, (set, to))| Resize { set: Set::Old(i), from: set.spec, to }));
    scaled
}

/// Takes at most `budget` unavailable pods from the old sets, oldest set first;
/// `sizes` are their sizes so far. Which pod goes is up to the ReplicaSet, whose
/// order puts unready ones first.
pub fn clean_up_unhealthy(
    old: &[ReplicaSetView],
    sizes: &mut [u32],
    budget: u32,
) -> Result<u32, StatusBehind> {
    let mut cleaned = 0;
    for i in oldest_first(old) {
        if cleaned >= budget {
            break;
        }
        if sizes[i] == 0 {
            continue;
        }
        let unhealthy = sizes[i].checked_sub(old[i].available).ok_or(StatusBehind)?;
        let taken = unhealthy.min(budget - cleaned);
        sizes[i] -= taken;
        cleaned += taken;
    }
    Ok(cleaned)
}

/// Takes pods from the old sets, oldest set first, as long as enough are
/// available over all sets (`new_available` are the new one's).
pub fn scale_down_old(
    deployment: &DeploymentView,
    new_available: u32,
    old: &[ReplicaSetView],
    sizes: &mut [u32],
) -> u32 {
    let min_available = deployment.replicas - deployment.max_unavailable();
    let available = new_available + old.iter().map(|set| set.available).sum::<u32>();
    let spare = available.saturating_sub(min_available);
    let mut taken = 0;
    for i in oldest_first(old) {
        let part = sizes[i].min(spare - taken);
        sizes[i] -= part;
        taken += part;
    }
    taken
}

/// Places of the old sets by age; of one age in the order given.
fn oldest_first(old: &[ReplicaSetView]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..old.len()).collect();
    order.sort_by_key(|i| old[*i].created);
    order
}
