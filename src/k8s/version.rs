//! Kubernetes versions, and the one table of what changed between them.
//!
//! A rule never compares version numbers itself: it is handed [`Rules`], and
//! this file alone knows which release brought what. Gates that are alpha (off)
//! in a release count as absent from it.

use std::fmt;
use std::str::FromStr;

use crate::units::SimDuration;

/// A minor release of Kubernetes, 1.30 to 1.37.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    minor: u32,
}

/// Why a text names no version that we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionProblem {
    /// It isn't of the form `1.31` or `v1.31`.
    #[error("`{0}` is not a Kubernetes version; write it like `1.31`")]
    NotAVersion(String),
    /// It is a version, but one whose rules aren't in the table.
    #[error("Kubernetes 1.{0} is not covered; choose one from 1.30 to 1.37")]
    NotCovered(u32),
}

impl Version {
    /// The oldest release whose rules are known.
    pub const OLDEST: Self = Self { minor: 30 };
    /// The newest release whose rules are known, and the default.
    pub const NEWEST: Self = Self { minor: 37 };

    /// The release 1.`minor`.
    pub fn new(minor: u32) -> Result<Self, VersionProblem> {
        let version = Self { minor };
        if (Self::OLDEST..=Self::NEWEST).contains(&version) {
            Ok(version)
        } else {
            Err(VersionProblem::NotCovered(minor))
        }
    }

    /// The number after `1.`.
    pub const fn minor(self) -> u32 {
        self.minor
    }

    /// What holds in this release: the table of changes.
    pub const fn rules(self) -> Rules {
        let minor = self.minor;
        Rules {
            tolerance_form: if minor >= 33 { ToleranceForm::Bounds } else { ToleranceForm::Distance },
            tolerance_per_hpa: minor >= 35,
            scaled_to_zero_condition: minor >= 37,
            pod_level_resources: minor >= 34,
            node_monitor_grace_period: SimDuration::from_secs(if minor >= 32 { 50 } else { 40 }),
            victim_ranking_log2: true,
            stateful_set_max_unavailable: minor >= 35,
            balanced_allocation_skips_requestless: minor >= 33,
            balance: if minor >= 36 { Balance::Change } else { Balance::After },
            queueing_hints: minor >= 32,
            crash_loop_cap: SimDuration::from_secs(300),
            crash_loop_cap_per_node: minor >= 35,
            startup_success_hold: minor >= 32,
            in_place_resize: minor >= 33,
        }
    }
}

/// What one release does; every difference that the rules ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one line of upstream's list of changes")]
pub struct Rules {
    /// How the HPA compares a ratio with the tolerance (new form from 1.33).
    pub tolerance_form: ToleranceForm,
    /// `behavior.*.tolerance` is honoured (KEP-4951: beta 1.35).
    pub tolerance_per_hpa: bool,
    /// An HPA with `minReplicas: 0` wakes only a workload that it put to sleep
    /// itself, and keeps a condition to know (KEP-2021: beta 1.37).
    pub scaled_to_zero_condition: bool,
    /// A pod's own `resources` stand before the sum of its containers'
    /// (KEP-2837: beta 1.34).
    pub pod_level_resources: bool,
    /// How long a node may be silent before it counts as unhealthy (50 s from 1.32).
    pub node_monitor_grace_period: SimDuration,
    /// A ReplicaSet compares the ages of its pods in powers of two when it
    /// chooses a victim (on by default in all these releases, stable in 1.31).
    pub victim_ranking_log2: bool,
    /// A StatefulSet's rolling update honours `maxUnavailable` (beta 1.35).
    pub stateful_set_max_unavailable: bool,
    /// The scheduler's BalancedAllocation gives no score to pods without requests (1.33).
    pub balanced_allocation_skips_requestless: bool,
    /// What the scheduler's BalancedAllocation scores (the change from 1.36).
    pub balance: Balance,
    /// Events wake only those unschedulable pods that they may help (beta 1.32).
    pub queueing_hints: bool,
    /// The longest wait before a crashed container starts again.
    pub crash_loop_cap: SimDuration,
    /// A node may lower that cap (KEP-4603: beta 1.35).
    pub crash_loop_cap_per_node: bool,
    /// The probe worker stops after a startup probe's success until the kubelet
    /// has seen it (after 1.31).
    pub startup_success_hold: bool,
    /// Requests and limits of a running pod may be changed (beta 1.33).
    pub in_place_resize: bool,
}

/// How a usage ratio is compared with the tolerance. In doubles the two forms
/// differ on exact edges: a ratio of 1.1 is within 0.1 in the newer form only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToleranceForm {
    /// `|1 - ratio| <= tolerance`, up to 1.32.
    Distance,
    /// `1 - down <= ratio <= 1 + up`, from 1.33.
    Bounds,
}

/// What BalancedAllocation scores about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// How even the node would be with the pod, 0 to 100; up to 1.35.
    After,
    /// How much more even the pod would make it, 50 to 100, with 75 for no
    /// change; from 1.36.
    Change,
}

/// The flags of the controller manager that steer horizontal autoscaling, and
/// the two constants of the path without `behavior`.
///
/// Upstream: `pkg/controller/podautoscaler/config/v1alpha1/defaults.go`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerSettings {
    /// From one pass over an autoscaler to its next.
    pub sync_period: SimDuration,
    /// How far a ratio may be from 1 without any change, as a fraction.
    pub tolerance: f64,
    /// How long a higher recommendation holds a scale-down back.
    pub downscale_stabilization: SimDuration,
    /// For how long after its start a pod's CPU is only believed when the whole
    /// window lies after it became ready.
    pub cpu_initialization_period: SimDuration,
    /// A pod whose readiness last changed sooner than this after its start, and
    /// that isn't ready, has never been ready.
    pub initial_readiness_delay: SimDuration,
    /// Without `behavior`, one pass multiplies the replicas by at most this …
    pub scale_up_limit_factor: f64,
    /// … but may always go up to this many.
    pub scale_up_limit_minimum: f64,
    /// Autoscalers worked on at the same time.
    pub concurrent_syncs: u32,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            sync_period: SimDuration::from_secs(15),
            tolerance: 0.1,
            downscale_stabilization: SimDuration::from_secs(300),
            cpu_initialization_period: SimDuration::from_secs(300),
            initial_readiness_delay: SimDuration::from_secs(30),
            scale_up_limit_factor: 2.0,
            scale_up_limit_minimum: 4.0,
            concurrent_syncs: 5,
        }
    }
}

impl Default for Version {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for Version {
    type Err = VersionProblem;

    /// Reads `1.31` or `v1.31`; a patch number (`v1.31.4`) is dropped, since
    /// rules change with minor releases only.
    fn from_str(text: &str) -> Result<Self, VersionProblem> {
        let not_a_version = || VersionProblem::NotAVersion(text.to_owned());
        let number = |part: &str| match part {
            "" => None,
            _ if part.bytes().all(|byte| byte.is_ascii_digit()) => part.parse::<u32>().ok(),
            _ => None,
        };
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let (major, minor, patch) = (parts.next(), parts.next(), parts.next());
        let minor = minor.and_then(number).ok_or_else(not_a_version)?;
        if major != Some("1") || parts.next().is_some() || patch.is_some_and(|patch| number(patch).is_none())
        {
            return Err(not_a_version());
        }
        Self::new(minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let rows = [
            ("1.30", Ok(30)),
            ("v1.31", Ok(31)),
            ("v1.34.2", Ok(34)),
            ("1.37", Ok(37)),
            ("1.29", Err(VersionProblem::NotCovered(29))),
            ("1.38", Err(VersionProblem::NotCovered(38))),
            ("2.31", Err(VersionProblem::NotAVersion("2.31".into()))),
            ("1", Err(VersionProblem::NotAVersion("1".into()))),
            ("1.x", Err(VersionProblem::NotAVersion("1.x".into()))),
            ("1.+31", Err(VersionProblem::NotAVersion("1.+31".into()))),
            ("1.31.0.1", Err(VersionProblem::NotAVersion("1.31.0.1".into()))),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Version>().map(Version::minor), expected, "{text}");
        }
        assert_eq!(Version::default().to_string(), "1.37");
    }

    #[test]
    fn the_table_changes_where_upstream_did() {
        type Holds = fn(Rules) -> bool;
        let first_with = |holds: Holds| {
            (30..=37).find(|&minor| Version::new(minor).is_ok_and(|version| holds(version.rules())))
        };
        let rows: [(Holds, u32); 8] = [
            (|rules| rules.tolerance_form == ToleranceForm::Bounds, 33),
            (|rules| rules.tolerance_per_hpa, 35),
            (|rules| rules.scaled_to_zero_condition, 37),
            (|rules| rules.node_monitor_grace_period == SimDuration::from_secs(50), 32),
            (|rules| rules.balanced_allocation_skips_requestless, 33),
            (|rules| rules.balance == Balance::Change, 36),
            (|rules| rules.startup_success_hold, 32),
            (|rules| rules.victim_ranking_log2, 30),
        ];
        for (holds, minor) in rows {
            assert_eq!(first_with(holds), Some(minor));
        }
    }
}
