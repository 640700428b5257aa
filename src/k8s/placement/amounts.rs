//! What pods ask for, as the scheduler adds it up.
//!
//! Upstream: `staging/src/k8s.io/component-helpers/resource/helpers.go`,
//! `pkg/scheduler/util/pod_resources.go`.

use std::collections::BTreeMap;
use std::fmt;

use crate::k8s::resources::Resources;
use crate::units::{Bytes, MilliCpu};

/// What scoring takes a container to want when it names no CPU request.
pub const SCORING_CPU: MilliCpu = MilliCpu(100);
/// What scoring takes a container to want when it names no memory request.
pub const SCORING_MEMORY: Bytes = Bytes::from_mib(200);

/// Amounts of every resource; a resource that isn't named is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// Local disk.
    pub ephemeral_storage: Bytes,
    /// Extended resources and huge pages, by name.
    pub extended: BTreeMap<String, u64>,
}

/// A resource by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceName {
    /// `cpu`, in milli-cores.
    Cpu,
    /// `memory`, in bytes.
    Memory,
    /// `ephemeral-storage`, in bytes.
    EphemeralStorage,
    /// Anything else, in whole units.
    Extended(String),
}

/// What one pod takes from its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Its true requests: what filtering and balancing use.
    pub requests: Amounts,
    /// CPU with the stand-in for containers that name none: what scoring uses.
    pub scoring_cpu: MilliCpu,
    /// Memory likewise.
    pub scoring_memory: Bytes,
}

/// The parts of a pod that ask for resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containers {
    /// Requests of the containers proper.
    pub main: Vec<Resources>,
    /// Requests of the init containers in order; `true` marks a sidecar
    /// (`restartPolicy: Always`), which goes on running.
    pub init: Vec<(Resources, bool)>,
    /// What the pod itself costs (its RuntimeClass).
    pub overhead: Resources,
    /// Requests of the pod as a whole; those given replace the sums.
    pub pod_level: Resources,
}

impl Containers {
    /// What the pod takes: the larger of its running containers together and of
    /// its hungriest start-up step, plus overhead.
    pub fn demand(&self) -> Demand {
        let plain = self.sum(MilliCpu::ZERO, Bytes::ZERO);
        let scoring = self.sum(SCORING_CPU, SCORING_MEMORY);
        Demand { requests: plain, scoring_cpu: scoring.cpu, scoring_memory: scoring.memory }
    }

    /// The sum where a container without a request counts as `cpu` and `memory`.
    fn sum(&self, cpu: MilliCpu, memory: Bytes) -> Amounts {
        let of = |resources: &Resources| Amounts {
            cpu: resources.cpu.unwrap_or(cpu),
            memory: resources.memory.unwrap_or(memory),
            ..Amounts::from(resources)
        };
        let mut total = Amounts::default();
        for one in &self.main {
            total.add(&of(one));
        }
        let (mut sidecars, mut largest_step) = (Amounts::default(), Amounts::default());
        for (resources, sidecar) in &self.init {
            let mut step = of(resources);
            if *sidecar {
                total.add(&step);
                sidecars.add(&step);
                step = sidecars.clone();
            } else {
                step.add(&sidecars);
            }
            largest_step.raise_to(&step);
        }
        total.raise_to(&largest_step);
        total.replace_by(&self.pod_level);
        total.add(&Amounts::from(&self.overhead));
        total
    }
}

impl Amounts {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.ephemeral_storage += other.ephemeral_storage;
        for (name, amount) in &other.extended {
            *self.extended.entry(name.clone()).or_default() += amount;
        }
    }

    /// Takes `other` away again.
    ///
    /// # Panics
    /// When that was never added.
    pub fn subtract(&mut self, other: &Self) {
        self.cpu = self.cpu - other.cpu;
        self.memory = self.memory - other.memory;
        self.ephemeral_storage = self.ephemeral_storage - other.ephemeral_storage;
        for (name, amount) in &other.extended {
            let mine = self.extended.get_mut(name).expect("it was added before");
            *mine = mine.checked_sub(*amount).expect("it was added before");
        }
    }

    /// How much of one resource this is.
    pub fn of(&self, name: &ResourceName) -> u64 {
        match name {
            ResourceName::Cpu => self.cpu.0,
            ResourceName::Memory => self.memory.0,
            ResourceName::EphemeralStorage => self.ephemeral_storage.0,
            ResourceName::Extended(name) => self.extended.get(name).copied().unwrap_or(0),
        }
    }

    /// Raises each amount to that of `other` where this one is less.
    pub fn raise_to(&mut self, other: &Self) {
        self.cpu = self.cpu.max(other.cpu);
        self.memory = self.memory.max(other.memory);
        self.ephemeral_storage = self.ephemeral_storage.max(other.ephemeral_storage);
        for (name, amount) in &other.extended {
            let mine = self.extended.entry(name.clone()).or_default();
            *mine = (*mine).max(*amount);
        }
    }

    /// Takes over what pod-level resources name. Upstream allows CPU, memory and
    /// huge pages there.
    fn replace_by(&mut self, pod_level: &Resources) {
        self.cpu = pod_level.cpu.unwrap_or(self.cpu);
        self.memory = pod_level.memory.unwrap_or(self.memory);
        for (name, amount) in &pod_level.extended {
            self.extended.insert(name.clone(), *amount);
        }
    }
}

impl From<&Resources> for Amounts {
    fn from(resources: &Resources) -> Self {
        Self {
            cpu: resources.cpu.unwrap_or_default(),
            memory: resources.memory.unwrap_or_default(),
            ephemeral_storage: resources.ephemeral_storage.unwrap_or_default(),
            extended: resources.extended.clone(),
        }
    }
}

impl ResourceName {
    /// The resource of that name.
    pub fn of(name: &str) -> Self {
        match name {
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            "ephemeral-storage" => Self::EphemeralStorage,
            other => Self::Extended(other.to_owned()),
        }
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Extended(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(cpu: Option<u64>, memory: Option<u64>) -> Resources {
        Resources { cpu: cpu.map(MilliCpu), memory: memory.map(Bytes), ..Resources::default() }
    }

    #[test]
    fn the_hungriest_moment_of_a_pod_counts() {
        let rows = [
            (vec![200, 300], vec![], 500),
            (vec![200, 300], vec![(400, false)], 500),
            (vec![200, 300], vec![(900, false)], 900),
            (vec![200], vec![(100, true)], 300),
            // A plain step after a sidecar runs beside it.
            (vec![200], vec![(100, true), (400, false)], 500),
            (vec![200], vec![(400, false), (100, true)], 400),
        ];
        for (main, init, expected) in rows {
            let pod = Containers {
                main: main.iter().map(|cpu| asks(Some(*cpu), None)).collect(),
                init: init.iter().map(|(cpu, sidecar)| (asks(Some(*cpu), None), *sidecar)).collect(),
                ..Containers::default()
            };
            assert_eq!(pod.demand().requests.cpu, MilliCpu(expected), "{main:?} {init:?}");
        }
    }

    #[test]
    fn an_absent_request_scores_as_something_and_a_zero_as_nothing() {
        let pod =
            Containers { main: vec![asks(None, None), asks(Some(0), Some(0))], ..Containers::default() };
        let demand = pod.demand();
        assert_eq!(demand.requests, Amounts::default());
        assert_eq!((demand.scoring_cpu, demand.scoring_memory), (SCORING_CPU, SCORING_MEMORY));
    }

    #[test]
    fn pod_level_requests_replace_the_sum_and_overhead_comes_on_top() {
        let pod = Containers {
            main: vec![asks(Some(100), Some(10))],
            pod_level: asks(Some(700), None),
            overhead: asks(Some(50), Some(5)),
            ..Containers::default()
        };
        let requests = pod.demand().requests;
        assert_eq!((requests.cpu, requests.memory), (MilliCpu(750), Bytes(15)));
    }
}
