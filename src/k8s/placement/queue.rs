//! Who is scheduled next, and when a pod that found no node is tried again.
//!
//! Upstream: `pkg/scheduler/backend/queue/scheduling_queue.go`,
//! `plugins/queuesort/priority_sort.go`, and each plugin's `EventsToRegister`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::k8s::placement::cluster::PodId;
use crate::k8s::placement::reason::Filter;
use crate::units::{SimDuration, SimTime};

/// The first wait after a failed attempt.
const FIRST_BACK_OFF: SimDuration = SimDuration::from_secs(1);
/// The longest.
const LONGEST_BACK_OFF: SimDuration = SimDuration::from_secs(10);
/// After so long in vain a pod is tried again without any event.
const LONGEST_WAIT: SimDuration = SimDuration::from_secs(300);

/// What can make room for a waiting pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node came or was uncordoned, grew, lost a taint or changed its labels.
    NodeBetter,
    /// A pod left its node.
    PodGone,
    /// A pod was bound.
    PodBound,
}

/// Pods that wait for a node: those whose turn it is, those that sit out a
/// back-off, and those that wait for something to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    active: BTreeSet<(Reverse<i32>, SimTime, PodId)>,
    waiting: BTreeMap<PodId, Waiting>,
    attempts: BTreeMap<PodId, u32>,
}

/// A pod that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    priority: i32,
    since: SimTime,
    back_off_until: SimTime,
    /// Which filters refused it; empty once something changed in its favour.
    refused_by: Vec<Filter>,
}

impl Queue {
    /// Puts a new pod in.
    pub fn add(&mut self, pod: PodId, priority: i32, now: SimTime) {
        self.active.insert((Reverse(priority), now, pod));
    }

    /// Takes out the pod whose turn it is: the highest priority, among equals the
    /// one queued first. A retry is queued anew, behind newcomers of its rank.
    pub fn pop(&mut self) -> Option<PodId> {
        let (_, _, pod) = self.active.pop_first()?;
        *self.attempts.entry(pod).or_default() += 1;
        Some(pod)
    }

    /// Puts back a pod that was just refused by these filters.
    pub fn put_back(&mut self, pod: PodId, priority: i32, refused_by: Vec<Filter>, now: SimTime) {
        let attempts = self.attempts.get(&pod).copied().unwrap_or(1);
        let back_off_until = now + back_off(attempts);
        self.waiting.insert(pod, Waiting { priority, since: now, back_off_until, refused_by });
    }

    /// Forgets a pod that was bound or deleted.
    pub fn remove(&mut self, pod: PodId) {
        self.attempts.remove(&pod);
        self.waiting.remove(&pod);
        self.active.retain(|(_, _, one)| *one != pod);
    }

    /// Lets pods hope again that a change may help; their back-off still counts.
    pub fn notice(&mut self, change: Change) {
        for one in self.waiting.values_mut() {
            if one.refused_by.iter().any(|filter| helps(*filter, change)) {
                one.refused_by.clear();
            }
        }
    }

    /// Moves the pods whose wait is over to those whose turn it is.
    pub fn wake(&mut self, now: SimTime) {
        let due = |one: &Waiting| {
            let hopes = one.refused_by.is_empty() || now.since_or_zero(one.since) > LONGEST_WAIT;
            hopes && one.back_off_until <= now
        };
        let Self { waiting, active, .. } = self;
        waiting.retain(|pod, one| {
            let moves = due(one);
            if moves {
                active.insert((Reverse(one.priority), one.since, *pod));
            }
            !moves
        });
    }

    /// When [`Queue::wake`] will next move a pod unless something changes first.
    pub fn next_wake(&self) -> Option<SimTime> {
        let due = |one: &Waiting| {
            if one.refused_by.is_empty() {
                one.back_off_until
            } else {
                one.back_off_until.max(one.since + LONGEST_WAIT + SimDuration::from_nanos(1))
            }
        };
        self.waiting.values().map(due).min()
    }

    /// Whether a pod's turn has come.
    pub fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// How many pods wait for a node in any way.
    pub fn len(&self) -> usize {
        self.active.len() + self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.waiting.is_empty()
    }
}

/// How long a pod sits out after its `attempts`-th failure: 1 s, doubling to 10 s.
pub fn back_off(attempts: u32) -> SimDuration {
    let doubled = FIRST_BACK_OFF * (1 << attempts.saturating_sub(1).min(10));
    doubled.min(LONGEST_BACK_OFF)
}

/// Whether a change may turn a filter's answer.
fn helps(filter: Filter, change: Change) -> bool {
    match filter {
        Filter::NodeUnschedulable | Filter::NodeName | Filter::TaintToleration | Filter::NodeAffinity => {
            change == Change::NodeBetter
        }
        Filter::NodePorts | Filter::NodeResourcesFit => {
            matches!(change, Change::NodeBetter | Change::PodGone)
        }
        Filter::PodTopologySpread | Filter::InterPodAffinity => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_to_ten_seconds() {
        let seconds: Vec<u64> = (1..=7).map(|attempt| back_off(attempt).whole_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10]);
    }

    #[test]
    fn priority_goes_first_and_a_retry_behind_newcomers() {
        let mut queue = Queue::default();
        let at = SimTime::from_secs;
        queue.add(1, 0, at(0));
        queue.add(2, 5, at(1));
        assert_eq!(queue.pop(), Some(2));
        assert_eq!(queue.pop(), Some(1));
        queue.put_back(1, 0, vec![Filter::NodeResourcesFit], at(2));
        queue.add(3, 0, at(1));
        queue.notice(Change::PodGone);
        queue.wake(at(2));
        assert_eq!(queue.next_wake(), Some(at(3)));
        queue.wake(at(3));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(3), Some(1), None]);
    }

    #[test]
    fn a_refused_pod_waits_for_a_change_that_matters() {
        let mut queue = Queue::default();
        let at = SimTime::from_secs;
        queue.add(1, 0, at(0));
        queue.pop();
        queue.put_back(1, 0, vec![Filter::TaintToleration], at(0));
        queue.notice(Change::PodGone);
        queue.wake(at(20));
        assert_eq!(queue.pop(), None);
        queue.wake(at(301));
        assert_eq!(queue.pop(), Some(1));
    }
}
