//! Taints and tolerations: who stays away from a node, and who would rather.
//!
//! Upstream: `pkg/scheduler/framework/plugins/tainttoleration`,
//! `pkg/scheduler/framework/plugins/nodeunschedulable`,
//! `staging/src/k8s.io/api/core/v1/toleration.go`.

use crate::k8s::placement::reason::{Filter, Reason, Refusal};
use crate::k8s::placement::{Taint, TaintEffect, Toleration};

/// The taint that a cordon stands for.
pub const CORDON: &str = "node.kubernetes.io/unschedulable";

impl Toleration {
    /// Whether it bears this taint.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && (self.exists || self.value == taint.value)
    }
}

/// Whether any of the tolerations bears the taint.
pub fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|one| one.tolerates(taint))
}

/// The first taint that keeps such a pod away from the node.
pub fn keeps_away<'a>(taints: &'a [Taint], tolerations: &[Toleration]) -> Option<&'a Taint> {
    taints.iter().find(|taint| match taint.effect {
        TaintEffect::NoSchedule | TaintEffect::NoExecute => !tolerated(taint, tolerations),
        TaintEffect::PreferNoSchedule => false,
    })
}

/// What a cordon says; DaemonSets bear it.
pub fn filter_cordon(cordoned: bool, tolerations: &[Toleration]) -> Option<Refusal> {
    let bears = || {
        let taint = Taint { key: CORDON.to_owned(), value: String::new(), effect: TaintEffect::NoSchedule };
        tolerated(&taint, tolerations)
    };
    (cordoned && !bears()).then(|| Refusal::final_word(Filter::NodeUnschedulable, Reason::Cordoned))
}

/// What taints say.
pub fn filter(taints: &[Taint], tolerations: &[Toleration]) -> Option<Refusal> {
    let taint = keeps_away(taints, tolerations)?;
    let reason = Reason::Taint(taint.key.clone(), taint.value.clone());
    Some(Refusal::final_word(Filter::TaintToleration, reason))
}

/// How many taints the pod would rather not meet here; fewer is better.
pub fn score(taints: &[Taint], tolerations: &[Toleration]) -> i64 {
    let soft = taints.iter().filter(|taint| taint.effect == TaintEffect::PreferNoSchedule);
    soft.filter(|taint| !tolerated(taint, tolerations)).count() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toleration_bears_what_it_names() {
        let taint = Taint { key: "gpu".into(), value: "yes".into(), effect: TaintEffect::NoExecute };
        // key, exists, value, effect -> tolerated
        let rows = [
            ("gpu", false, "yes", None, true),
            ("gpu", false, "no", None, false),
            ("gpu", true, "", Some(TaintEffect::NoExecute), true),
            ("gpu", true, "", Some(TaintEffect::NoSchedule), false),
            ("cpu", true, "", None, false),
            ("", true, "", None, true),
        ];
        for (key, exists, value, effect, expected) in rows {
            let one = Toleration { key: key.into(), exists, value: value.into(), effect, seconds: None };
            assert_eq!(one.tolerates(&taint), expected, "{one:?}");
            let refusal = filter(std::slice::from_ref(&taint), &[one]);
            assert_eq!(refusal.is_none(), expected);
        }
    }

    #[test]
    fn a_cordon_holds_all_but_those_who_bear_it() {
        let daemon = Toleration {
            key: CORDON.into(),
            exists: true,
            value: String::new(),
            effect: None,
            seconds: None,
        };
        assert!(filter_cordon(true, &[]).is_some_and(|no| !no.resolvable));
        assert_eq!(filter_cordon(true, &[daemon]), None);
    }
}
