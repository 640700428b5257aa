//! Whether a node has room: resources, pod slots, host ports.
//!
//! Upstream: `pkg/scheduler/framework/plugins/noderesources/fit.go`,
//! `pkg/scheduler/framework/plugins/nodeports`.

use crate::k8s::placement::amounts::{Amounts, ResourceName};
pub use crate::k8s::placement::objects::Ignored;
use crate::k8s::placement::objects::Load;
use crate::k8s::placement::reason::{Filter, Reason, Refusal};

/// Everything that a node has too little of, in upstream's order: slots, CPU,
/// memory, local disk, then the others by name. Zero requests never fail.
pub fn shortages(
    requests: &Amounts,
    load: &Load,
    allocatable: &Amounts,
    slots: u32,
    ignored: &Ignored,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if load.pods + 1 > slots {
        reasons.push(Reason::TooManyPods);
    }
    let used = &load.requested;
    for (resource, requested, used, capacity) in [
        (ResourceName::Cpu, requests.cpu.0, used.cpu.0, allocatable.cpu.0),
        (ResourceName::Memory, requests.memory.0, used.memory.0, allocatable.memory.0),
        (
            ResourceName::EphemeralStorage,
            requests.ephemeral_storage.0,
            used.ephemeral_storage.0,
            allocatable.ephemeral_storage.0,
        ),
    ] {
        if requested > capacity.saturating_sub(used) {
            reasons.push(Reason::Insufficient { resource, requested, used, capacity });
        }
    }
    for (name, requested) in requests.extended.iter().filter(|(name, _)| !ignored.covers(name)) {
        let used_already = used.extended.get(name).copied().unwrap_or(0);
        let capacity = allocatable.extended.get(name).copied().unwrap_or(0);
        if *requested > capacity.saturating_sub(used_already) {
            let resource = ResourceName::Extended(name.clone());
            reasons.push(Reason::Insufficient {
                resource,
                requested: *requested,
                used: used_already,
                capacity,
            });
        }
    }
    reasons
}

/// What resources and pod slots say. What the bare node could not hold either
/// is not helped by removing pods.
pub fn filter(
    requests: &Amounts,
    load: &Load,
    allocatable: &Amounts,
    slots: u32,
    ignored: &Ignored,
) -> Option<Refusal> {
    let reasons = shortages(requests, load, allocatable, slots, ignored);
    if reasons.is_empty() {
        return None;
    }
    let hopeless = |reason: &Reason| matches!(reason, Reason::Insufficient { requested, capacity, .. } if requested > capacity);
    let resolvable = !reasons.iter().any(hopeless);
    Some(Refusal { filter: Filter::NodeResourcesFit, reasons, resolvable })
}

/// What host ports say.
pub fn filter_ports(ports: &[u16], load: &Load) -> Option<Refusal> {
    let taken = ports.iter().any(|port| load.ports.contains(port));
    taken.then(|| Refusal::resolvable(Filter::NodePorts, Reason::HostPorts))
}

impl Ignored {
    /// Whether a resource is left to others. Only extended resources are: names
    /// with a domain that is not Kubernetes' own.
    pub fn covers(&self, name: &str) -> bool {
        let Some((group, _)) = name.split_once('/') else { return false };
        let native = name.contains("kubernetes.io/") || name.starts_with("requests.");
        !native
            && (self.resources.iter().any(|one| one == name) || self.groups.iter().any(|one| one == group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bytes, MilliCpu};

    #[test]
    fn zero_requests_fit_an_overfull_node() {
        let load = Load {
            requested: Amounts { cpu: MilliCpu(9), memory: Bytes(9), ..Amounts::default() },
            ..Load::default()
        };
        let node = Amounts { cpu: MilliCpu(5), memory: Bytes(5), ..Amounts::default() };
        assert_eq!(filter(&Amounts::default(), &load, &node, 10, &Ignored::default()), None);
    }

    #[test]
    fn what_the_bare_node_cannot_hold_no_eviction_helps() {
        let node = Amounts { cpu: MilliCpu(5), ..Amounts::default() };
        let load = Load { requested: node.clone(), ..Load::default() };
        for (cpu, resolvable) in [(5, true), (6, false)] {
            let asked = Amounts { cpu: MilliCpu(cpu), ..Amounts::default() };
            let refusal = filter(&asked, &load, &node, 10, &Ignored::default());
            assert!(refusal.is_some_and(|no| no.resolvable == resolvable), "{cpu}");
        }
    }

    #[test]
    fn only_extended_resources_can_be_ignored() {
        let ignored = Ignored {
            resources: vec!["a.com/x".into(), "kubernetes.io/y".into()],
            groups: vec!["b.com".into()],
        };
        for (name, expected) in [
            ("a.com/x", true),
            ("a.com/z", false),
            ("b.com/z", true),
            ("kubernetes.io/y", false),
            ("cpu", false),
        ] {
            assert_eq!(ignored.covers(name), expected, "{name}");
        }
    }
}
