//! What a ReplicaSet creates and deletes in one sync, and which pods go first.
//!
//! Upstream: `pkg/controller/controller_utils.go` (`ActivePodsWithRanks`),
//! `pkg/controller/replicaset/replica_set.go`.

use std::cmp::Ordering;
use std::f64::consts::LN_2;

use crate::units::{SimDuration, SimTime};

/// A ReplicaSet creates or deletes at most so many pods in one sync.
pub const BURST: u32 = 500;

/// The phase of a pod that has not ended, in the order in which they are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not all containers have started.
    Pending,
    /// The node does not answer.
    Unknown,
    /// All containers have started once.
    Running,
}

/// A pod that a scale-down may delete; `U` is its UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<U> {
    /// Whether it has a node.
    pub bound: bool,
    /// Its phase.
    pub phase: Phase,
    /// Its Ready condition.
    pub ready: bool,
    /// The annotation `controller.kubernetes.io/pod-deletion-cost`; 0 when absent.
    pub deletion_cost: i32,
    /// Active pods of any ReplicaSet of the same owner on its node, itself included.
    pub colocated: u32,
    /// Since when it is ready; `None` when that was never noted.
    pub ready_since: Option<SimTime>,
    /// The most restarts of any of its containers.
    pub restarts: u32,
    /// The same of its sidecars.
    pub sidecar_restarts: u32,
    /// When it was created; `None` when that was never noted.
    pub created: Option<SimTime>,
    /// Decides between pods of like age; random in life.
    pub uid: U,
}

/// Which of the order's rules are in force; both are in every current release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates {
    /// `PodDeletionCost` (on since 1.22).
    pub deletion_cost: bool,
    /// `LogarithmicScaleDown` (on since 1.22): ages are compared by powers of two.
    pub logarithmic: bool,
}

/// The rule that puts one pod before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It has no node yet.
    Unbound,
    /// Its phase.
    Phase,
    /// It is not ready.
    Unready,
    /// Its deletion cost is lower.
    DeletionCost,
    /// More of its siblings are on its node.
    Colocated,
    /// It has been ready for a shorter time.
    ReadyShorter,
    /// Its containers restarted more often.
    Restarts,
    /// It is younger.
    Younger,
    /// Of like age: the smaller UID.
    Uid,
    /// No rule tells them apart.
    None,
}

/// What a ReplicaSet does in one sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manage {
    /// Makes so many pods, in [`slow_start`] batches.
    Create(u32),
    /// Deletes the first so many in [`order`].
    Delete(u32),
    /// As many are active as shall be.
    Nothing,
}

/// What a ReplicaSet with `active` pods (neither ended nor being deleted) does
/// when it shall have `wanted`.
pub fn manage(active: u32, wanted: u32) -> Manage {
    match active.cmp(&wanted) {
        Ordering::Less => Manage::Create((wanted - active).min(BURST)),
        Ordering::Equal => Manage::Nothing,
        Ordering::Greater => Manage::Delete((active - wanted).min(BURST)),
    }
}

/// The batches in which `count` pods are created: 1, 2, 4, … Each waits for the
/// one before; the first failure drops the rest until the next sync.
pub fn slow_start(count: u32) -> impl Iterator<Item = u32> {
    let (mut left, mut batch) = (count, 1);
    std::iter::from_fn(move || {
        let size = batch.min(left);
        left -= size;
        batch = size.saturating_mul(2);
        (size > 0).then_some(size)
    })
}

/// Which of two pods is deleted first (`Less`: `a`), and by which rule.
pub fn order<U: Ord>(a: &Candidate<U>, b: &Candidate<U>, gates: Gates, now: SimTime) -> (Ordering, Rule) {
    let cost = |pod: &Candidate<U>| if gates.deletion_cost { pod.deletion_cost } else { 0 };
    let clear = [
        (a.bound.cmp(&b.bound), Rule::Unbound),
        (a.phase.cmp(&b.phase), Rule::Phase),
        (a.ready.cmp(&b.ready), Rule::Unready),
        (cost(a).cmp(&cost(b)), Rule::DeletionCost),
        (b.colocated.cmp(&a.colocated), Rule::Colocated),
    ];
    if let Some(found) = clear.into_iter().find(|(order, _)| order.is_ne()) {
        return found;
    }
    if a.ready && b.ready && a.ready_since != b.ready_since {
        return by_age(a.ready_since, b.ready_since, Rule::ReadyShorter, (&a.uid, &b.uid), gates, now);
    }
    let restarts = (b.restarts, b.sidecar_restarts).cmp(&(a.restarts, a.sidecar_restarts));
    if restarts.is_ne() {
        return (restarts, Rule::Restarts);
    }
    if a.created != b.created {
        return by_age(a.created, b.created, Rule::Younger, (&a.uid, &b.uid), gates, now);
    }
    (Ordering::Equal, Rule::None)
}

/// Sorts pods by [`order`].
///
/// Upstream's order goes round in circles now and then: pods that became ready at one
/// moment are told apart by their age, but by UID from a third that became ready a
/// little later. Go's sort makes something of that, while the standard library's may
/// stop the program. This one is stable, and makes something of it, too.
pub fn sort<T: Copy>(pods: &mut [T], before: impl Fn(&T, &T) -> bool) {
    const RUN: usize = 20;
    for run in pods.chunks_mut(RUN) {
        for end in 1..run.len() {
            let mut at = end;
            while at > 0 && before(&run[at], &run[at - 1]) {
                run.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    let mut width = RUN;
    while width < pods.len() {
        for both in pods.chunks_mut(2 * width) {
            let (left, right) = both.split_at(width.min(both.len()));
            let (left, right) = (left.to_vec(), right.to_vec());
            let (mut one, mut other) = (0, 0);
            for place in both {
                let from_right =
                    other < right.len() && (one == left.len() || before(&right[other], &left[one]));
                *place = if from_right { right[other] } else { left[one] };
                other += usize::from(from_right);
                one += usize::from(!from_right);
            }
        }
        width *= 2;
    }
}

/// The younger of two unlike moments first; one that was never noted is the
/// youngest of all. Those of one power of two are told apart by UID alone.
fn by_age<U: Ord>(
    a: Option<SimTime>,
    b: Option<SimTime>,
    rule: Rule,
    uids: (&U, &U),
    gates: Gates,
    now: SimTime,
) -> (Ordering, Rule) {
    match (a, b) {
        (Some(a), Some(b)) if gates.logarithmic => match log2_bucket(a, now).cmp(&log2_bucket(b, now)) {
            Ordering::Equal => (uids.0.cmp(uids.1), Rule::Uid),
            unlike => (unlike, rule),
        },
        (Some(a), Some(b)) => (b.cmp(&a), rule),
        (a, b) => (a.is_some().cmp(&b.is_some()), rule),
    }
}

/// The whole binary logarithm of the nanoseconds from `since` to `now`; −1 when
/// there are none. As Go's `math.Log2` has it, rounding included: mantissa and
/// exponent apart, so that powers of two are exact.
fn log2_bucket(since: SimTime, now: SimTime) -> i64 {
    let age = now.since_or_zero(since);
    if age == SimDuration::ZERO {
        return -1;
    }
    let (mantissa, exponent) = libm::frexp(age.as_nanos() as f64);
    // Mantissas are 0.5 and more; 0.5 itself is a power of two.
    if mantissa <= 0.5 {
        i64::from(exponent) - 1
    } else {
        (libm::log(mantissa) * (1.0 / LN_2) + f64::from(exponent)) as i64
    }
}

impl Default for Gates {
    fn default() -> Self {
        Self { deletion_cost: true, logarithmic: true }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorting_is_stable_and_survives_an_order_that_goes_round(
            numbers in prop::collection::vec(0_u32..50, 0..200),
        ) {
            let mut sorted: Vec<(u32, usize)> = numbers.iter().copied().zip(0..).collect();
            let mut expected = sorted.clone();
            expected.sort_by_key(|(number, _)| *number);
            sort(&mut sorted, |one, other| one.0 < other.0);
            prop_assert_eq!(&sorted, &expected);
            // Stone, paper, scissors.
            sort(&mut sorted, |one, other| (one.0 + 1) % 3 == other.0 % 3);
            sorted.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }

    const NOW: SimTime = SimTime::from_secs(10_000_000);

    fn ready_for(seconds: u64, uid: u32) -> Candidate<u32> {
        let since = Some(NOW.minus_or_zero(SimDuration::from_secs(seconds)));
        Candidate {
            bound: true,
            phase: Phase::Running,
            ready: true,
            deletion_cost: 0,
            colocated: 1,
            ready_since: since,
            restarts: 0,
            sidecar_restarts: 0,
            created: since,
            uid,
        }
    }

    #[test]
    fn each_rule_decides_before_the_next() {
        let old = ready_for(5_000, 1);
        let young = ready_for(50, 2);
        let rows = [
            (Candidate { bound: false, ..old }, Rule::Unbound),
            (Candidate { phase: Phase::Pending, ..old }, Rule::Phase),
            (Candidate { phase: Phase::Unknown, ..old }, Rule::Phase),
            (Candidate { ready: false, ..old }, Rule::Unready),
            (Candidate { deletion_cost: -1, ..old }, Rule::DeletionCost),
            (Candidate { colocated: 2, ..old }, Rule::Colocated),
        ];
        for (first, rule) in rows {
            assert_eq!(order(&first, &young, Gates::default(), NOW), (Ordering::Less, rule));
            assert_eq!(order(&young, &first, Gates::default(), NOW), (Ordering::Greater, rule));
        }
        let restarted = Candidate { restarts: 1, ..old };
        assert_eq!(order(&restarted, &old, Gates::default(), NOW), (Ordering::Less, Rule::Restarts));
    }

    #[test]
    fn ages_of_one_power_of_two_are_alike() {
        let (a, b) = (ready_for(5 * 3_600, 9), ready_for(8 * 3_600, 3));
        assert_eq!(order(&a, &b, Gates::default(), NOW), (Ordering::Greater, Rule::Uid));
        let plain = Gates { logarithmic: false, ..Gates::default() };
        assert_eq!(order(&a, &b, plain, NOW), (Ordering::Less, Rule::ReadyShorter));
        assert_eq!(
            order(&ready_for(1_000, 9), &b, Gates::default(), NOW),
            (Ordering::Less, Rule::ReadyShorter)
        );
        let unnoted = Candidate { ready_since: None, ..a };
        assert_eq!(
            order(&unnoted, &ready_for(0, 0), Gates::default(), NOW),
            (Ordering::Less, Rule::ReadyShorter)
        );
    }

    #[test]
    fn buckets_are_exact_at_powers_of_two() {
        for (age, bucket) in [(0, -1), (1, 0), (2, 1), (3, 1), (4, 2), ((1 << 40) - 1, 39), (1 << 40, 40)] {
            assert_eq!(log2_bucket(NOW.minus_or_zero(SimDuration::from_nanos(age)), NOW), bucket, "{age}");
        }
    }

    #[test]
    fn batches_double() {
        assert_eq!(slow_start(10).collect::<Vec<_>>(), [1, 2, 4, 3]);
        assert_eq!(slow_start(0).count(), 0);
        assert_eq!(manage(3, 700), Manage::Create(500));
        assert_eq!(manage(7, 4), Manage::Delete(3));
    }

    proptest! {
        #[test]
        fn batches_add_up(count in 0_u32..5_000) {
            prop_assert_eq!(slow_start(count).sum::<u32>(), count);
        }

        /// Whoever goes first does so seen from either side.
        #[test]
        fn order_is_antisymmetric(ages in (0_u64..100_000, 0_u64..100_000), ready in any::<(bool, bool)>(), restarts in (0_u32..3, 0_u32..3)) {
            let a = Candidate { ready: ready.0, restarts: restarts.0, ..ready_for(ages.0, 1) };
            let b = Candidate { ready: ready.1, restarts: restarts.1, ..ready_for(ages.1, 2) };
            let (there, back) = (order(&a, &b, Gates::default(), NOW), order(&b, &a, Gates::default(), NOW));
            prop_assert_eq!((there.0, there.1), (back.0.reverse(), back.1));
        }
    }
}
