//! ResourceQuota: what a namespace's pods may ask for in all.
//!
//! Upstream: `pkg/quota/v1/evaluator/core/pods.go`,
//! `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go`.

use std::collections::BTreeMap;

use super::limit_range::{Container, pod_sum};
use super::{given, named};
use crate::k8s::placement::ResourceName;
use crate::k8s::resources::Resources;
use crate::units::{SimDuration, SimTime};

/// What a quota can limit of pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Charge {
    /// `pods` (or `count/pods`).
    Pods,
    /// `requests.cpu` (or plain `cpu`) and the like.
    Requests(ResourceName),
    /// `limits.cpu` and the like.
    Limits(ResourceName),
}

/// A quota's `hard` values: milli-cores, bytes, whole units, pods.
pub type Hard = BTreeMap<Charge, u64>;
/// What pods are charged with.
pub type Usage = BTreeMap<Charge, u64>;

/// Why a quota refuses a pod (403).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Every container has to name this, and one doesn't.
    MustSpecify {
        /// Which container.
        container: String,
        /// What it has to name.
        charge: Charge,
    },
    /// It would be too much.
    Exceeded {
        /// Of which.
        charge: Charge,
        /// What the pod asks for.
        requested: u64,
        /// What the others have.
        used: u64,
        /// What there is.
        hard: u64,
    },
}

/// What a pod is charged with, after defaulting: itself, its requests and its
/// limits, overhead included.
pub fn charges(containers: &[Container], overhead: &Resources) -> Usage {
    let mut usage = Usage::from([(Charge::Pods, 1)]);
    let mut charge = |sum: &Resources, as_charge: fn(ResourceName) -> Charge| {
        for (name, amount) in named(sum) {
            let extra = given(overhead, &name).unwrap_or(0);
            usage.insert(as_charge(name), amount + extra);
        }
    };
    charge(&pod_sum(containers, |one| &one.requests), Charge::Requests);
    charge(&pod_sum(containers, |one| &one.limits), Charge::Limits);
    usage
}

/// Whether the pod still fits the quota, of which `used` is taken. CPU and
/// memory that the quota limits have to be named by every container.
pub fn admit(containers: &[Container], usage: &Usage, used: &Usage, hard: &Hard) -> Result<(), Refused> {
    for charge in hard.keys() {
        let unnamed = |one: &&Container| match charge {
            Charge::Requests(name) if must_be_named(name) => given(&one.requests, name).is_none(),
            Charge::Limits(name) if must_be_named(name) => given(&one.limits, name).is_none(),
            Charge::Pods | Charge::Requests(_) | Charge::Limits(_) => false,
        };
        if let Some(one) = containers.iter().find(unnamed) {
            return Err(Refused::MustSpecify { container: one.name.clone(), charge: charge.clone() });
        }
    }
    for (charge, hard) in hard {
        let requested = usage.get(charge).copied().unwrap_or(0);
        let taken = used.get(charge).copied().unwrap_or(0);
        if requested > 0 && taken.saturating_add(requested) > *hard {
            let charge = charge.clone();
            return Err(Refused::Exceeded { charge, requested, used: taken, hard: *hard });
        }
    }
    Ok(())
}

fn must_be_named(name: &ResourceName) -> bool {
    matches!(name, ResourceName::Cpu | ResourceName::Memory)
}

/// Whether a pod is charged at all. One that ended is not; one that is being
/// deleted is until its grace period has passed twice: upstream adds it once more
/// to the moment by which the pod should be gone.
pub fn charged(ended: bool, deleted: Option<(SimTime, SimDuration)>, now: SimTime) -> bool {
    !ended && deleted.is_none_or(|(at, grace)| now <= at + grace + grace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bytes, MilliCpu};

    fn pod(request: Option<u64>, limit: Option<u64>) -> [Container; 1] {
        let cpu = |amount: Option<u64>| Resources { cpu: amount.map(MilliCpu), ..Resources::default() };
        [Container {
            name: "main".into(),
            requests: cpu(request),
            limits: cpu(limit),
            ..Container::default()
        }]
    }

    #[test]
    fn a_pod_fits_exactly_or_not_at_all() {
        let cpu = Charge::Requests(ResourceName::Cpu);
        let hard = Hard::from([(cpu.clone(), 1_000), (Charge::Pods, 3)]);
        for (request, taken, pods, fine) in
            [(400, 600, 2, true), (401, 600, 2, false), (1, 0, 3, false), (0, 2_000, 0, true)]
        {
            let pod = pod(Some(request), None);
            let used = Usage::from([(cpu.clone(), taken), (Charge::Pods, pods)]);
            let answer = admit(&pod, &charges(&pod, &Resources::default()), &used, &hard);
            assert_eq!(answer.is_ok(), fine, "{request} {taken} {pods}");
        }
    }

    #[test]
    fn what_is_limited_must_be_named() {
        let hard = Hard::from([(Charge::Limits(ResourceName::Cpu), 1_000)]);
        let pod = pod(Some(100), None);
        let answer = admit(&pod, &charges(&pod, &Resources::default()), &Usage::new(), &hard);
        assert!(matches!(answer, Err(Refused::MustSpecify { .. })), "{answer:?}");
    }

    #[test]
    fn overhead_is_charged_with_the_pod() {
        let overhead = Resources { cpu: Some(MilliCpu(50)), memory: Some(Bytes(7)), ..Resources::default() };
        let usage = charges(&pod(Some(100), Some(200)), &overhead);
        assert_eq!(usage.get(&Charge::Requests(ResourceName::Cpu)), Some(&150));
        assert_eq!(usage.get(&Charge::Limits(ResourceName::Cpu)), Some(&250));
    }

    #[test]
    fn a_leaving_pod_keeps_its_charge_for_two_grace_periods() {
        let deleted = Some((SimTime::from_secs(100), SimDuration::from_secs(30)));
        for (now, expected) in [(160, true), (161, false)] {
            assert_eq!(charged(false, deleted, SimTime::from_secs(now)), expected);
        }
        assert!(!charged(true, None, SimTime::ZERO));
    }
}
