//! StatefulSet order: which ordinal is created, updated or deleted next.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_control.go`.

use std::cmp::Reverse;

use crate::k8s::rollout::IntOrPercent;

/// What the controller reads of a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatefulSetView {
    /// The lowest ordinal, `spec.ordinals.start`; 0 when absent.
    pub start: u32,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `podManagementPolicy`: scaling waits for each pod (`OrderedReady`, the
    /// default) or for none (`Parallel`).
    pub ordered: bool,
    /// `spec.updateStrategy`.
    pub update: Update,
}

/// How pods of an old template are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Only when somebody deletes them.
    OnDelete,
    /// From the highest ordinal down.
    Rolling {
        /// The first so many keep the old template; default 0.
        partition: u32,
        /// `maxUnavailable` where its gate is on (beta since 1.35); `None` where
        /// it is not: one pod at a time, each after the one above it is healthy.
        max_unavailable: Option<IntOrPercent>,
    },
}

/// One pod of a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its number.
    pub ordinal: u32,
    /// Whether it is of the current template.
    pub updated: bool,
    /// How far it has come.
    pub health: Health,
    /// Whether it is being deleted. Its successor waits until the object is gone,
    /// which on a dead node nobody confirms.
    pub terminating: bool,
}

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Failed or Succeeded: it is deleted and made again.
    Ended,
    /// Pending, or running but not ready.
    Unready,
    /// Ready, but not for `minReadySeconds` yet.
    Ready,
    /// Ready for long enough.
    Available,
}

/// One write of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A pod is made.
    Create {
        /// Its number.
        ordinal: u32,
        /// Of the current template rather than the one before (below the partition).
        updated: bool,
    },
    /// A pod is deleted, gracefully.
    Delete {
        /// Its number.
        ordinal: u32,
        /// Why.
        because: Deleted,
    },
}

/// Why a pod is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It has ended; the next sync makes it again.
    Ended,
    /// The set is smaller now.
    ScaledDown,
    /// It is of an old template.
    Outdated,
}

/// What a sync has to wait for before it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// This ordinal's pod to be gone.
    Gone(u32),
    /// This ordinal's pod to be healthy.
    Healthy(u32),
    /// As many pods are unavailable as an update may have.
    Unavailable(u32),
}

/// What one sync does, and what keeps it from doing more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// In this order.
    pub actions: Vec<Action>,
    /// `None`: there is nothing else to do.
    pub waits_for: Option<Wait>,
}

/// One sync. `pods` are the set's pods in any order.
pub fn sync(set: &StatefulSetView, pods: &[PodView]) -> Decision {
    let mut decision = Decision::default();
    let slots: Vec<Option<PodView>> =
        (0..set.replicas).map(|i| pods.iter().copied().find(|pod| pod.ordinal == set.start + i)).collect();
    let in_range = |pod: &PodView| pod.ordinal >= set.start && pod.ordinal - set.start < set.replicas;
    let mut condemned: Vec<PodView> = pods.iter().copied().filter(|pod| !in_range(pod)).collect();
    condemned.sort_by_key(|pod| Reverse(pod.ordinal));
    if fill(set, &slots, &mut decision) || shrink(set, &slots, &condemned, &mut decision) {
        return decision;
    }
    match set.update {
        Update::OnDelete => {}
        Update::Rolling { partition, max_unavailable: None } => {
            update_one(set, &slots, partition, &mut decision);
        }
        Update::Rolling { partition, max_unavailable: Some(most) } => {
            // A small percentage rounds down to nothing, which would never move.
            let most = most.of_rounded_down(set.replicas.into()).max(1) as u32;
            update_some(set, &slots, partition, most, &mut decision);
        }
    }
    decision
}

/// Makes the pods that are missing, lowest ordinal first. Returns whether the
/// sync ends here.
fn fill(set: &StatefulSetView, slots: &[Option<PodView>], decision: &mut Decision) -> bool {
    for (ordinal, slot) in (set.start..).zip(slots) {
        let wait = match slot {
            None => {
                decision.actions.push(Action::Create { ordinal, updated: is_updated(set, ordinal) });
                Some(Wait::Healthy(ordinal))
            }
            Some(pod) if pod.health == Health::Ended => {
                if !pod.terminating {
                    decision.actions.push(Action::Delete { ordinal, because: Deleted::Ended });
                }
                Some(Wait::Gone(ordinal))
            }
            Some(pod) if pod.terminating => Some(Wait::Gone(ordinal)),
            Some(pod) if pod.health != Health::Available => Some(Wait::Healthy(ordinal)),
            Some(_) => None,
        };
        if set.ordered && wait.is_some() {
            decision.waits_for = wait;
            return true;
        }
        decision.waits_for = decision.waits_for.or(wait);
    }
    false
}

/// Deletes the pods beyond the set's size, highest ordinal first. Returns
/// whether the sync ends here.
fn shrink(
    set: &StatefulSetView,
    slots: &[Option<PodView>],
    condemned: &[PodView],
    decision: &mut Decision,
) -> bool {
    let unhealthy = |pod: &&PodView| is_unavailable(**pod);
    // An unhealthy pod may go although it blocks others, if none below it is unhealthy.
    let first_unhealthy =
        slots.iter().flatten().chain(condemned.iter().rev()).find(unhealthy).map(|pod| pod.ordinal);
    for pod in condemned {
        if pod.terminating {
            decision.waits_for = decision.waits_for.or(Some(Wait::Gone(pod.ordinal)));
            if set.ordered {
                return true;
            }
            continue;
        }
        if set.ordered && is_unavailable(*pod) && first_unhealthy != Some(pod.ordinal) {
            decision.waits_for = first_unhealthy.map(Wait::Healthy);
            return true;
        }
        decision.actions.push(Action::Delete { ordinal: pod.ordinal, because: Deleted::ScaledDown });
        if set.ordered {
            decision.waits_for = Some(Wait::Gone(pod.ordinal));
            return true;
        }
    }
    false
}

/// Replaces the highest outdated pod once all above it are healthy. A pod that
/// never becomes healthy stops the rollout for good, even if the template is mended.
fn update_one(set: &StatefulSetView, slots: &[Option<PodView>], partition: u32, decision: &mut Decision) {
    for (i, slot) in slots.iter().enumerate().skip(partition as usize).rev() {
        let ordinal = set.start + i as u32;
        if let Some(pod) = slot.filter(|pod| !pod.updated && !pod.terminating) {
            // With Parallel an ended pod may have been deleted a moment ago.
            if pod.health != Health::Ended {
                decision.actions.push(Action::Delete { ordinal, because: Deleted::Outdated });
            }
            decision.waits_for = Some(Wait::Gone(ordinal));
            return;
        }
        if slot.is_none_or(is_unavailable) {
            decision.waits_for = decision.waits_for.or(Some(Wait::Healthy(ordinal)));
            return;
        }
    }
}

/// Replaces the highest outdated pods, as long as at most `most` are unavailable.
fn update_some(
    set: &StatefulSetView,
    slots: &[Option<PodView>],
    partition: u32,
    most: u32,
    decision: &mut Decision,
) {
    let unavailable = slots.iter().filter(|slot| slot.is_none_or(is_unavailable)).count() as u32;
    let outdated = slots.iter().enumerate().skip(partition as usize).rev();
    let outdated = outdated
        .filter_map(|(i, slot)| slot.filter(|pod| !pod.updated && !pod.terminating).map(|pod| (i, pod)));
    let mut outdated = outdated.peekable();
    if unavailable >= most && outdated.peek().is_some() {
        decision.waits_for = Some(Wait::Unavailable(unavailable));
        return;
    }
    for (i, pod) in outdated.take(most.saturating_sub(unavailable) as usize) {
        let ordinal = set.start + i as u32;
        if pod.health != Health::Ended {
            decision.actions.push(Action::Delete { ordinal, because: Deleted::Outdated });
        }
        decision.waits_for = decision.waits_for.or(Some(Wait::Gone(ordinal)));
    }
}

/// Whether a pod made now with this ordinal is of the current template.
fn is_updated(set: &StatefulSetView, ordinal: u32) -> bool {
    match set.update {
        Update::OnDelete => true,
        Update::Rolling { partition, .. } => ordinal - set.start >= partition,
    }
}

fn is_unavailable(pod: PodView) -> bool {
    pod.terminating || pod.health != Health::Available
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(replicas: u32, ordered: bool) -> StatefulSetView {
        StatefulSetView {
            start: 0,
            replicas,
            ordered,
            update: Update::Rolling { partition: 0, max_unavailable: None },
        }
    }

    /// `a` available, `u` unready, `t` terminating, `e` ended; upper case: of an old template; `.` missing.
    fn pods(text: &str) -> Vec<PodView> {
        let pod = |(ordinal, letter): (usize, char)| {
            let health = match letter.to_ascii_lowercase() {
                '.' => return None,
                'u' => Health::Unready,
                'e' => Health::Ended,
                _ => Health::Available,
            };
            let terminating = letter.eq_ignore_ascii_case(&'t');
            Some(PodView { ordinal: ordinal as u32, updated: letter.is_lowercase(), health, terminating })
        };
        text.chars().enumerate().filter_map(pod).collect()
    }

    fn create(ordinal: u32) -> Action {
        Action::Create { ordinal, updated: true }
    }

    fn delete(ordinal: u32, because: Deleted) -> Action {
        Action::Delete { ordinal, because }
    }

    #[test]
    fn ordered_sets_take_one_step() {
        let rows = [
            ("...", 3, vec![create(0)], Some(Wait::Healthy(0))),
            ("u..", 3, vec![], Some(Wait::Healthy(0))),
            ("aa.", 3, vec![create(2)], Some(Wait::Healthy(2))),
            ("aaa", 3, vec![], None),
            // A terminating pod blocks its ordinal and all above it.
            ("ata", 4, vec![], Some(Wait::Gone(1))),
            ("aea", 3, vec![delete(1, Deleted::Ended)], Some(Wait::Gone(1))),
            ("aaaa", 2, vec![delete(3, Deleted::ScaledDown)], Some(Wait::Gone(3))),
            ("aaat", 2, vec![], Some(Wait::Gone(3))),
            ("aaua", 2, vec![delete(3, Deleted::ScaledDown)], Some(Wait::Gone(3))),
            ("aaau", 2, vec![delete(3, Deleted::ScaledDown)], Some(Wait::Gone(3))),
            ("aauu", 2, vec![], Some(Wait::Healthy(2))),
            ("AAA", 3, vec![delete(2, Deleted::Outdated)], Some(Wait::Gone(2))),
            ("AAt", 3, vec![], Some(Wait::Gone(2))),
            // A broken rollout waits for ever on the unready pod.
            ("AAu", 3, vec![], Some(Wait::Healthy(2))),
            ("AAa", 3, vec![delete(1, Deleted::Outdated)], Some(Wait::Gone(1))),
        ];
        for (text, replicas, actions, waits_for) in rows {
            assert_eq!(sync(&set(replicas, true), &pods(text)), Decision { actions, waits_for }, "{text}");
        }
    }

    #[test]
    fn parallel_sets_scale_at_once_but_update_one_by_one() {
        let parallel = |text, replicas| sync(&set(replicas, false), &pods(text)).actions;
        assert_eq!(parallel("u..", 3), [create(1), create(2)]);
        assert_eq!(parallel("aaua", 1), [3, 2, 1].map(|ordinal| delete(ordinal, Deleted::ScaledDown)));
        assert_eq!(parallel("AAAA", 4), [delete(3, Deleted::Outdated)]);
        assert_eq!(parallel("AAAu", 4), []);
    }

    #[test]
    fn partition_and_max_unavailable() {
        let with = |partition, most, text| {
            let update = Update::Rolling { partition, max_unavailable: Some(most) };
            sync(&StatefulSetView { update, ..set(4, true) }, &pods(text)).actions
        };
        let outdated = |ordinal| delete(ordinal, Deleted::Outdated);
        assert_eq!(with(0, IntOrPercent::Int(2), "AAAA"), [outdated(3), outdated(2)]);
        assert_eq!(with(3, IntOrPercent::Int(2), "AAAA"), [outdated(3)]);
        assert_eq!(with(0, IntOrPercent::Percent(10), "AAAA"), [outdated(3)]);
        let update = Update::Rolling { partition: 2, max_unavailable: None };
        let made = sync(&StatefulSetView { update, ..set(4, true) }, &pods("A.AA")).actions;
        assert_eq!(made, [Action::Create { ordinal: 1, updated: false }]);
    }

    proptest! {
        /// From any state, if pods that start become available and pods that are
        /// deleted go, the set ends complete and all of the new template.
        #[test]
        fn every_set_settles(text in "[aAtTeE.]{0,7}", replicas in 0_u32..7, ordered in any::<bool>(), gate in any::<bool>()) {
            let update = Update::Rolling { partition: 0, max_unavailable: gate.then_some(IntOrPercent::Int(2)) };
            let set = StatefulSetView { update, ..set(replicas, ordered) };
            let mut pods = pods(&text);
            // Upstream waits for ever where two pods beyond the size have ended.
            pods.retain(|pod| pod.ordinal < replicas || pod.health != Health::Ended);
            for _ in 0..60 {
                let decision = sync(&set, &pods);
                pods.retain(|pod| !pod.terminating);
                for action in decision.actions {
                    match action {
                        Action::Create { ordinal, updated } => {
                            prop_assert!(pods.iter().all(|pod| pod.ordinal != ordinal));
                            pods.push(PodView { ordinal, updated, health: Health::Available, terminating: false });
                        }
                        Action::Delete { ordinal, .. } => {
                            let pod = pods.iter_mut().find(|pod| pod.ordinal == ordinal).expect("only what exists is deleted");
                            prop_assert!(!pod.terminating);
                            pod.terminating = true;
                        }
                    }
                }
            }
            prop_assert_eq!(pods.len(), replicas as usize);
            prop_assert!(pods.iter().all(|pod| pod.updated && !pod.terminating));
            prop_assert_eq!(sync(&set, &pods), Decision::default());
        }
    }
}
