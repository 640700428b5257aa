//! Scaling a Deployment: one set alone, or all in proportion during a rollout.
//!
//! Upstream: `scale` in `pkg/controller/deployment/sync.go`,
//! `GetReplicaSetProportion` in `pkg/controller/deployment/util/deployment_util.go`.

use std::cmp::{Ordering, Reverse};

use super::{Because, Decision, DeploymentView, ReplicaSetView, Resize, Set, Strategy, clamp};

/// Whether a set in use was sized for another number of replicas than the
/// Deployment has now.
pub fn is_scaling_event(
    deployment: &DeploymentView,
    new: Option<&ReplicaSetView>,
    old: &[ReplicaSetView],
) -> bool {
    new.into_iter().chain(old).any(|set| is_outdated(deployment, set))
}

fn is_outdated(deployment: &DeploymentView, set: &ReplicaSetView) -> bool {
    set.spec > 0 && set.noted.is_some_and(|noted| noted.desired != deployment.replicas)
}

/// Brings the sets to the Deployment's size without moving the rollout on.
pub fn scale(deployment: &DeploymentView, new: Option<&ReplicaSetView>, old: &[ReplicaSetView]) -> Decision {
    let all =
        old.iter().enumerate().map(|(i, set)| (Set::Old(i), *set)).chain(new.map(|set| (Set::New, *set)));
    let all: Vec<(Set, ReplicaSetView)> = all.collect();
    let active: Vec<(Set, ReplicaSetView)> = all.iter().filter(|(_, set)| set.spec > 0).copied().collect();
    if active.len() <= 1 {
        return scale_one(deployment, active.first().copied().or_else(|| newest(new, old)));
    }
    if new.is_some_and(|set| is_complete(deployment, set)) {
        let others = active.iter().filter(|(which, _)| *which != Set::New);
        let resizes = others.map(|(which, set)| Resize { set: *which, from: set.spec, to: 0 }).collect();
        return Decision { create: None, resizes, because: Because::NewIsComplete };
    }
    match deployment.strategy {
        Strategy::Recreate => Decision::nothing(Because::InPlace),
        Strategy::RollingUpdate { .. } => share_out(deployment, active),
    }
}

fn scale_one(deployment: &DeploymentView, only: Option<(Set, ReplicaSetView)>) -> Decision {
    match only {
        Some((which, set)) if set.spec != deployment.replicas => {
            let resizes = vec![Resize { set: which, from: set.spec, to: deployment.replicas }];
            Decision { create: None, resizes, because: Because::OneSetScaled }
        }
        Some((_, set)) if is_outdated(deployment, &set) => Decision::nothing(Because::StuckOnNote),
        Some(_) | None => Decision::nothing(Because::InPlace),
    }
}

/// The set that grows when none has any pods: the new one, else the youngest.
fn newest(new: Option<&ReplicaSetView>, old: &[ReplicaSetView]) -> Option<(Set, ReplicaSetView)> {
    let youngest = old.iter().enumerate().max_by_key(|(i, set)| (set.created, *i));
    new.map(|set| (Set::New, *set)).or(youngest.map(|(i, set)| (Set::Old(i), *set)))
}

/// Whether the new set is sized for, and available at, the Deployment's replicas.
fn is_complete(deployment: &DeploymentView, new: &ReplicaSetView) -> bool {
    let replicas = deployment.replicas;
    new.spec == replicas
        && new.available == replicas
        && new.noted.is_some_and(|noted| noted.desired == replicas)
}

/// Shares the change out among the sets in proportion to their sizes; what
/// rounding leaves goes to the first in order.
fn share_out(deployment: &DeploymentView, mut active: Vec<(Set, ReplicaSetView)>) -> Decision {
    let note = deployment.note();
    let allowed = if deployment.replicas > 0 { i64::from(note.max) } else { 0 };
    let to_add = allowed - active.iter().map(|(_, set)| i64::from(set.spec)).sum::<i64>();
    // The list is by age already where ages tie, so a stable sort keeps it so.
    match to_add.cmp(&0) {
        Ordering::Greater => {
            active.reverse();
            active.sort_by_key(|(_, set)| (Reverse(set.spec), Reverse(set.created)));
        }
        Ordering::Less => active.sort_by_key(|(_, set)| (Reverse(set.spec), set.created)),
        Ordering::Equal => {}
    }
    let mut left = to_add;
    let mut sizes: Vec<i64> = Vec::with_capacity(active.len());
    for (_, set) in &active {
        let share = fraction(deployment, set);
        let share = if to_add > 0 { share.min(left) } else { share.max(left) };
        let share = if left == 0 { 0 } else { share };
        sizes.push(i64::from(set.spec) + share);
        left -= share;
    }
    sizes[0] = (sizes[0] + left).max(0);
    let outcome = active
        .iter()
        .zip(sizes)
        .map(|((which, set), to)| (set, Resize { set: *which, from: set.spec, to: clamp(to) }));
    let resizes = outcome.filter(|(set, resize)| resize.from != resize.to || set.noted != Some(note));
    Decision {
        create: None,
        resizes: resizes.map(|(_, resize)| resize).collect(),
        because: Because::SharedOut,
    }
}

/// By how much a set would change if it kept its share of the whole.
fn fraction(deployment: &DeploymentView, set: &ReplicaSetView) -> i64 {
    let size = i64::from(set.spec);
    if deployment.replicas == 0 {
        return -size;
    }
    let before = set.noted.map_or(0, |noted| noted.max);
    // Annotations may be missing; the last counted status stands in for them.
    let before = if before == 0 { deployment.status_replicas } else { before };
    if before == 0 {
        return 0;
    }
    let wanted = (size * i64::from(deployment.note().max)) as f64 / f64::from(before);
    wanted.round() as i64 - size
}
