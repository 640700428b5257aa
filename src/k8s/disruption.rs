//! PodDisruptionBudgets and the eviction API.
//!
//! Upstream: `pkg/controller/disruption/disruption.go`,
//! `pkg/registry/core/pod/storage/eviction.go`.

use std::collections::BTreeSet;

use crate::k8s::rollout::IntOrPercent;
use crate::units::{SimDuration, SimTime};

/// A pod whose eviction was granted counts as gone for this long, unless it is
/// deleted sooner.
pub const DISRUPTED_FOR: SimDuration = SimDuration::from_secs(120);
/// A drain asks again after this long when it was refused.
pub const DRAIN_RETRY: SimDuration = SimDuration::from_secs(5);

/// What a budget guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// At least so many matched pods stay healthy.
    MinAvailable(IntOrPercent),
    /// At most so many matched pods are unhealthy.
    MaxUnavailable(IntOrPercent),
}

/// Which unready pods may be evicted all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnhealthyPodEviction {
    /// Only while the budget is healthy (the default).
    #[default]
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}

/// What becomes of matched pods that no controller owns, where the budget needs
/// their controllers' scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmanaged {
    /// They add nothing to the expected count (current releases; there is a warning).
    #[default]
    LeftOut,
    /// The whole budget can't be computed and allows nothing (up to 1.21).
    FailClosed,
}

/// A pod that the budget's selector matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched<C> {
    /// Its Ready condition.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// When its eviction was granted, if it was.
    pub disrupted: Option<SimTime>,
    /// The controller that owns it.
    pub controller: Option<C>,
}

/// A budget's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Evictions that may be granted now.
    pub disruptions_allowed: u32,
    /// Matched pods that are ready and stay.
    pub current_healthy: u32,
    /// So many must be.
    pub desired_healthy: u32,
    /// Of so many.
    pub expected_pods: u32,
}

/// Why a budget can't be computed; it then allows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A matched pod has no controller.
    UnmanagedPod,
    /// A matched pod's controller is gone or has no scale.
    NoSuchController,
}

/// The pod that somebody wants to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evictee {
    /// Pending, ended or already being deleted: budgets don't matter.
    Unguarded,
    /// Running and ready.
    Ready,
    /// Running, not ready.
    Unready,
}

/// The eviction API's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// The pod is deleted, gracefully.
    Granted(Grant),
    /// 429: no disruption is allowed now; ask again later.
    TooManyRequests,
    /// 500: more than one budget matches the pod.
    SeveralBudgets,
}

/// Why an eviction was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The pod is pending, ended or already being deleted.
    PodUnguarded,
    /// No budget matches it.
    NoBudget,
    /// It is unready, and the budget lets such pods go.
    UnreadyAlways,
    /// It is unready, and the budget is healthy without it.
    BudgetHealthy,
    /// The budget allowed one disruption: it now allows one fewer, and the pod
    /// counts as disrupted.
    Spent,
}

/// The status of `budget` over the pods that it matches. `scale` gives a
/// controller's `spec.replicas`, or `None` where there is no such controller.
pub fn standing<C: Copy + Ord>(
    budget: Budget,
    pods: &[Matched<C>],
    scale: impl Fn(C) -> Option<u32>,
    unmanaged: Unmanaged,
    now: SimTime,
) -> Result<Standing, Unknown> {
    let (expected, desired) = match budget {
        Budget::MinAvailable(IntOrPercent::Int(least)) => (pods.len() as i64, least),
        Budget::MinAvailable(percent @ IntOrPercent::Percent(_)) => {
            let expected = expected_scale(pods, scale, unmanaged)?;
            (expected, percent.of_rounded_up(expected))
        }
        Budget::MaxUnavailable(most) => {
            let expected = expected_scale(pods, scale, unmanaged)?;
            (expected, (expected - most.of_rounded_up(expected)).max(0))
        }
    };
    let healthy = pods.iter().filter(|pod| is_healthy(pod, now)).count() as i64;
    // A budget that matches nothing yet allows nothing: its first pods must not
    // go before it has seen them.
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    Ok(Standing {
        disruptions_allowed: allowed as u32,
        current_healthy: healthy as u32,
        desired_healthy: desired.max(0) as u32,
        expected_pods: expected as u32,
    })
}

/// What all controllers of the matched pods are scaled to, each counted once.
fn expected_scale<C: Copy + Ord>(
    pods: &[Matched<C>],
    scale: impl Fn(C) -> Option<u32>,
    unmanaged: Unmanaged,
) -> Result<i64, Unknown> {
    if unmanaged == Unmanaged::FailClosed && pods.iter().any(|pod| pod.controller.is_none()) {
        return Err(Unknown::UnmanagedPod);
    }
    let controllers: BTreeSet<C> = pods.iter().filter_map(|pod| pod.controller).collect();
    let scales = controllers
        .into_iter()
        .map(|controller| scale(controller).map(i64::from).ok_or(Unknown::NoSuchController));
    scales.sum()
}

fn is_healthy<C>(pod: &Matched<C>, now: SimTime) -> bool {
    pod.ready && !pod.deleting && pod.disrupted.is_none_or(|granted| granted + DISRUPTED_FOR <= now)
}

/// What the eviction API answers for a pod with these budgets, each with its
/// last computed status. Only [`Grant::Spent`] changes a budget.
pub fn evict(pod: Evictee, budgets: &[(Standing, UnhealthyPodEviction)]) -> Eviction {
    if pod == Evictee::Unguarded {
        return Eviction::Granted(Grant::PodUnguarded);
    }
    let (standing, unhealthy) = match budgets {
        [] => return Eviction::Granted(Grant::NoBudget),
        [only] => only,
        _ => return Eviction::SeveralBudgets,
    };
    if pod == Evictee::Unready {
        let healthy = standing.current_healthy >= standing.desired_healthy && standing.desired_healthy > 0;
        match unhealthy {
            UnhealthyPodEviction::AlwaysAllow => return Eviction::Granted(Grant::UnreadyAlways),
            UnhealthyPodEviction::IfHealthyBudget if healthy => {
                return Eviction::Granted(Grant::BudgetHealthy);
            }
            UnhealthyPodEviction::IfHealthyBudget => {}
        }
    }
    if standing.disruptions_allowed > 0 { Eviction::Granted(Grant::Spent) } else { Eviction::TooManyRequests }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IntOrPercent::{Int, Percent};

    fn pods(ready: usize, unready: usize) -> Vec<Matched<u8>> {
        let pod = |ready| Matched { ready, deleting: false, disrupted: None, controller: Some(0) };
        (0..ready).map(|_| pod(true)).chain((0..unready).map(|_| pod(false))).collect()
    }

    fn allowed(budget: Budget, ready: usize, unready: usize) -> u32 {
        let scale = |_| Some((ready + unready) as u32);
        standing(budget, &pods(ready, unready), scale, Unmanaged::LeftOut, SimTime::ZERO)
            .expect("managed")
            .disruptions_allowed
    }

    #[test]
    fn both_percentages_round_up() {
        let rows = [
            (Budget::MaxUnavailable(Percent(10)), 3, 0, 1),
            (Budget::MinAvailable(Percent(50)), 3, 0, 1),
            (Budget::MinAvailable(Percent(100)), 3, 0, 0),
            (Budget::MaxUnavailable(Int(0)), 3, 0, 0),
            (Budget::MaxUnavailable(Int(9)), 3, 1, 3),
            (Budget::MinAvailable(Int(2)), 3, 1, 1),
        ];
        for (budget, ready, unready, expected) in rows {
            assert_eq!(allowed(budget, ready, unready), expected, "{budget:?}");
        }
    }

    #[test]
    fn granted_pods_count_as_gone_for_two_minutes() {
        let mut three = pods(3, 0);
        three[0].disrupted = Some(SimTime::from_secs(10));
        three[1].deleting = true;
        let healthy = |now| {
            standing(
                Budget::MinAvailable(Int(1)),
                &three,
                |_| Some(3),
                Unmanaged::LeftOut,
                SimTime::from_secs(now),
            )
            .map(|standing| standing.current_healthy)
        };
        assert_eq!((healthy(129), healthy(130)), (Ok(1), Ok(2)));
    }

    #[test]
    fn pods_without_controller() {
        let mut two = pods(2, 0);
        two[0].controller = None;
        let of =
            |unmanaged| standing(Budget::MaxUnavailable(Int(1)), &two, |_| Some(2), unmanaged, SimTime::ZERO);
        assert_eq!(of(Unmanaged::FailClosed), Err(Unknown::UnmanagedPod));
        assert_eq!(of(Unmanaged::LeftOut).map(|standing| standing.disruptions_allowed), Ok(1));
        let gone = standing(
            Budget::MaxUnavailable(Int(1)),
            &pods(1, 0),
            |_| None,
            Unmanaged::LeftOut,
            SimTime::ZERO,
        );
        assert_eq!(gone, Err(Unknown::NoSuchController));
    }

    type Row<'a> = (Evictee, &'a [(Standing, UnhealthyPodEviction)], Eviction);

    #[test]
    fn the_eviction_api_answers() {
        let standing = |disruptions_allowed, current_healthy, desired_healthy| Standing {
            disruptions_allowed,
            current_healthy,
            desired_healthy,
            expected_pods: 3,
        };
        let (strict, always) = (UnhealthyPodEviction::IfHealthyBudget, UnhealthyPodEviction::AlwaysAllow);
        let (short, even, spare) = (standing(0, 1, 2), standing(0, 2, 2), standing(1, 3, 2));
        let granted = Eviction::Granted;
        let rows: [Row; 9] = [
            (Evictee::Unguarded, &[(short, strict), (short, strict)], granted(Grant::PodUnguarded)),
            (Evictee::Ready, &[], granted(Grant::NoBudget)),
            (Evictee::Ready, &[(spare, strict)], granted(Grant::Spent)),
            (Evictee::Ready, &[(even, always)], Eviction::TooManyRequests),
            (Evictee::Unready, &[(even, strict)], granted(Grant::BudgetHealthy)),
            (Evictee::Unready, &[(short, strict)], Eviction::TooManyRequests),
            (Evictee::Unready, &[(short, always)], granted(Grant::UnreadyAlways)),
            (Evictee::Unready, &[(standing(1, 1, 0), strict)], granted(Grant::Spent)),
            (Evictee::Ready, &[(spare, strict), (spare, strict)], Eviction::SeveralBudgets),
        ];
        for (pod, budgets, expected) in rows {
            assert_eq!(evict(pod, budgets), expected, "{pod:?} {budgets:?}");
        }
    }
}
