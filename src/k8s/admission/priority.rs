//! PriorityClass: the number a pod's class stands for, frozen at creation.
//!
//! Upstream: `plugin/pkg/admission/priority/admission.go`,
//! `pkg/apis/scheduling/types.go`.

use std::fmt;

/// A PriorityClass object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityClass {
    /// Its name.
    pub name: String,
    /// Its value; people's own classes end at 1 000 000 000.
    pub value: i32,
    /// Whether pods without a class get this one.
    pub global_default: bool,
    /// Whether its pods may push out others (`preemptionPolicy`).
    pub preempts: bool,
}

/// What a pod gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its priority.
    pub priority: i32,
    /// Whether it may push out pods of lower priority.
    pub preempts: bool,
}

/// A pod names a class that isn't there: it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownClass(pub String);

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no PriorityClass with name {} was found", self.0)
    }
}

/// Pods from this priority on are critical: a kubelet evicts none of them.
pub const SYSTEM_CRITICAL: i32 = 2_000_000_000;

/// The priority of a pod of this class. Without one the global default class
/// counts (the lowest value where there are several), without that it is 0. The
/// system's two classes are always there.
pub fn resolve(class: Option<&str>, classes: &[PriorityClass]) -> Result<Resolved, UnknownClass> {
    let built_in = |name: &str| match name {
        "system-cluster-critical" => Some(SYSTEM_CRITICAL),
        "system-node-critical" => Some(SYSTEM_CRITICAL + 1_000),
        _ => None,
    };
    let of = |class: &PriorityClass| Resolved { priority: class.value, preempts: class.preempts };
    match class.filter(|name| !name.is_empty()) {
        None => {
            let defaults = classes.iter().filter(|one| one.global_default);
            let lowest = defaults.min_by_key(|one| one.value);
            Ok(lowest.map_or(Resolved { priority: 0, preempts: true }, of))
        }
        Some(name) => match (classes.iter().find(|one| one.name == name), built_in(name)) {
            (Some(found), _) => Ok(of(found)),
            (None, Some(priority)) => Ok(Resolved { priority, preempts: true }),
            (None, None) => Err(UnknownClass(name.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_global_default_stands_in() {
        let class = |name: &str, value, global_default| PriorityClass {
            name: name.into(),
            value,
            global_default,
            preempts: value != 7,
        };
        let classes = [class("high", 1_000, true), class("low", 10, true), class("calm", 7, false)];
        let found = |name| resolve(name, &classes).map(|one| (one.priority, one.preempts));
        assert_eq!(found(None), Ok((10, true)));
        assert_eq!(found(Some("calm")), Ok((7, false)));
        assert_eq!(found(Some("system-node-critical")), Ok((2_000_001_000, true)));
        assert_eq!(found(Some("gone")), Err(UnknownClass("gone".into())));
        assert_eq!(resolve(None, &[]), Ok(Resolved { priority: 0, preempts: true }));
    }
}
