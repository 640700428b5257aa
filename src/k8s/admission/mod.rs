//! LimitRange, ResourceQuota and PriorityClass, as admission applies them.
//!
//! A pod passes them in this order: API defaulting (a request copies its limit),
//! priority, LimitRange defaults and checks, quota.

pub mod limit_range;
pub mod priority;
pub mod quota;

pub use limit_range::{
    Container, LimitBreach, LimitItem, LimitProblem, LimitScope, Role, apply_limits, default_requests,
};
pub use priority::{PriorityClass, Resolved, UnknownClass, resolve};
pub use quota::{Charge, Hard, Refused, Usage, admit, charged, charges};

use crate::k8s::placement::ResourceName;
use crate::k8s::resources::Resources;
use crate::units::{Bytes, MilliCpu};

/// What `resources` says of one resource; milli-cores, bytes or whole units.
fn given(resources: &Resources, name: &ResourceName) -> Option<u64> {
    match name {
        ResourceName::Cpu => resources.cpu.map(|amount| amount.0),
        ResourceName::Memory => resources.memory.map(|amount| amount.0),
        ResourceName::EphemeralStorage => resources.ephemeral_storage.map(|amount| amount.0),
        ResourceName::Extended(name) => resources.extended.get(name).copied(),
    }
}

/// Sets one resource.
fn set(resources: &mut Resources, name: &ResourceName, amount: u64) {
    match name {
        ResourceName::Cpu => resources.cpu = Some(MilliCpu(amount)),
        ResourceName::Memory => resources.memory = Some(Bytes(amount)),
        ResourceName::EphemeralStorage => resources.ephemeral_storage = Some(Bytes(amount)),
        ResourceName::Extended(name) => {
            resources.extended.insert(name.clone(), amount);
        }
    }
}

/// The resources that are named at all, with their amounts.
fn named(resources: &Resources) -> Vec<(ResourceName, u64)> {
    let plain = [ResourceName::Cpu, ResourceName::Memory, ResourceName::EphemeralStorage];
    let extended = resources.extended.keys().map(|name| ResourceName::Extended(name.clone()));
    plain
        .into_iter()
        .chain(extended)
        .filter_map(|name| Some((name.clone(), given(resources, &name)?)))
        .collect()
}

/// Fills in what `resources` doesn't name.
fn fill(resources: &mut Resources, from: &Resources) {
    for (name, amount) in named(from) {
        if given(resources, &name).is_none() {
            set(resources, &name, amount);
        }
    }
}
