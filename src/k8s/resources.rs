//! Requests and limits: what a container asks for and what holds it back.
//!
//! Upstream: `pkg/kubelet/cm/helpers_linux.go` (shares, quota),
//! opencontainers/cgroups `utils.go` (weights of cgroup v2),
//! `pkg/apis/core/v1/defaults.go` (requests from limits),
//! `pkg/apis/core/v1/helper/qos/qos.go` (QoS class),
//! `staging/src/k8s.io/component-helpers/resource/helpers.go` (pod requests).

use std::collections::BTreeMap;

use crate::units::{Bytes, MilliCpu, SimDuration};

/// The period over which the kernel counts a CPU quota.
pub const QUOTA_PERIOD: SimDuration = SimDuration::from_millis(100);

/// Amounts of the resources a container may name; `None` where it names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU.
    pub cpu: Option<MilliCpu>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Local disk.
    pub ephemeral_storage: Option<Bytes>,
    /// Extended resources such as `nvidia.com/gpu`, in whole units.
    pub extended: BTreeMap<String, u64>,
}

/// A container's requests and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What the scheduler sets aside.
    pub requests: Resources,
    /// What it may use at most.
    pub limits: Resources,
}

/// An init container's requests and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitRequirements {
    /// Its requests and limits.
    pub resources: Requirements,
    /// `restartPolicy: Always`: a sidecar, which stays while the rest runs.
    pub sidecar: bool,
}

/// What all of a pod's containers ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRequirements {
    /// The main containers.
    pub containers: Vec<Requirements>,
    /// The init containers, in the order of the spec.
    pub init: Vec<InitRequirements>,
    /// `spec.resources`: where it names CPU or memory, that counts instead.
    pub pod: Option<Requirements>,
    /// `spec.overhead`, of the pod's runtime class.
    pub overhead: Resources,
}

/// A pod's quality of service, from its requests and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QosClass {
    /// No container asks for CPU or memory.
    BestEffort,
    /// Anything between.
    Burstable,
    /// Every container has CPU and memory limits, and requests just these.
    Guaranteed,
}

impl Requirements {
    /// What the API server adds: a resource with a limit but no request gets
    /// the limit as its request.
    pub fn default_requests(&mut self) {
        let (requests, limits) = (&mut self.requests, &self.limits);
        requests.cpu = requests.cpu.or(limits.cpu);
        requests.memory = requests.memory.or(limits.memory);
        requests.ephemeral_storage = requests.ephemeral_storage.or(limits.ephemeral_storage);
        for (name, limit) in &limits.extended {
            requests.extended.entry(name.clone()).or_insert(*limit);
        }
    }
}

impl PodRequirements {
    /// What the API server adds: to each container, and to pod-level resources,
    /// whose missing requests are the containers' together, or else the limit.
    pub fn default_requests(&mut self) {
        self.containers.iter_mut().for_each(Requirements::default_requests);
        self.init.iter_mut().for_each(|init| init.resources.default_requests());
        let containers = self.container_requests();
        if let Some(Requirements { requests, limits }) = &mut self.pod {
            requests.cpu = requests.cpu.or(containers.cpu).or(limits.cpu);
            requests.memory = requests.memory.or(containers.memory).or(limits.memory);
        }
    }

    /// What the scheduler sets aside for the pod: the main containers and all
    /// sidecars together, or the hungriest step of its start if that is more,
    /// and the overhead.
    pub fn requests(&self) -> Resources {
        let mut requests = self.container_requests();
        if let Some(pod) = &self.pod {
            requests.cpu = pod.requests.cpu.or(requests.cpu);
            requests.memory = pod.requests.memory.or(requests.memory);
        }
        requests.add(&self.overhead);
        requests
    }

    fn container_requests(&self) -> Resources {
        let mut steady = Resources::default();
        for container in &self.containers {
            steady.add(&container.requests);
        }
        let (mut sidecars, mut start) = (Resources::default(), Resources::default());
        for init in &self.init {
            let mut step = sidecars.clone();
            step.add(&init.resources.requests);
            start.raise_to(&step);
            if init.sidecar {
                sidecars = step;
            }
        }
        steady.add(&sidecars);
        steady.raise_to(&start);
        steady
    }

    /// The pod's quality of service; pod-level resources decide alone where
    /// they name CPU or memory.
    pub fn qos(&self) -> QosClass {
        let names = |resources: &Resources| resources.cpu.is_some() || resources.memory.is_some();
        match &self.pod {
            Some(pod) if names(&pod.requests) || names(&pod.limits) => qos(std::iter::once(pod)),
            _ => qos(self.containers.iter().chain(self.init.iter().map(|init| &init.resources))),
        }
    }
}

/// Amounts of zero count as absent, and sums decide, not single containers.
fn qos<'a>(containers: impl Iterator<Item = &'a Requirements>) -> QosClass {
    let (mut requests, mut limits) = (Resources::default(), Resources::default());
    let mut all_limited = true;
    for container in containers {
        let limit = compute(&container.limits);
        all_limited &= limit.cpu.is_some() && limit.memory.is_some();
        requests.add(&compute(&container.requests));
        limits.add(&limit);
    }
    if requests == Resources::default() && limits == Resources::default() {
        QosClass::BestEffort
    } else if all_limited && requests == limits {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

/// CPU and memory that are asked for in earnest.
fn compute(resources: &Resources) -> Resources {
    let cpu = resources.cpu.filter(|cpu| *cpu > MilliCpu::ZERO);
    let memory = resources.memory.filter(|memory| *memory > Bytes::ZERO);
    Resources { cpu, memory, ..Resources::default() }
}

impl Resources {
    /// Adds what `other` names.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, |a, b| a + b, |a, b| a + b, u64::saturating_add);
    }

    /// Raises each amount to what `other` names, where that is more.
    pub fn raise_to(&mut self, other: &Self) {
        self.merge(other, Ord::max, Ord::max, Ord::max);
    }

    fn merge(
        &mut self,
        other: &Self,
        cpu: impl Fn(MilliCpu, MilliCpu) -> MilliCpu,
        bytes: impl Fn(Bytes, Bytes) -> Bytes,
        count: impl Fn(u64, u64) -> u64,
    ) {
        self.cpu = merged(self.cpu, other.cpu, cpu);
        self.memory = merged(self.memory, other.memory, &bytes);
        self.ephemeral_storage = merged(self.ephemeral_storage, other.ephemeral_storage, &bytes);
        for (name, amount) in &other.extended {
            let ours = self.extended.get(name).copied();
            self.extended.insert(name.clone(), ours.map_or(*amount, |ours| count(ours, *amount)));
        }
    }
}

fn merged<T: Copy>(ours: Option<T>, theirs: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(both(ours, theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}

/// `cpu.shares` for a CPU request: what the container gets when others compete.
pub fn cpu_shares(request: MilliCpu) -> u64 {
    (request.0.saturating_mul(1_024) / 1_000).clamp(2, 262_144)
}

/// CPU time that a container with this limit gets in each [`QUOTA_PERIOD`];
/// `None` without a limit. At least 1 ms.
pub fn cpu_quota(limit: MilliCpu) -> Option<SimDuration> {
    let micros = limit.0.saturating_mul(QUOTA_PERIOD.as_nanos() / 1_000) / 1_000;
    (limit > MilliCpu::ZERO).then(|| SimDuration::from_micros(micros.max(1_000)))
}

/// How a runtime turns `cpu.shares` into the weight of cgroup v2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightFormula {
    /// In a straight line: a request of one core weighs 39.
    Linear,
    /// By powers of ten: one core weighs 100, the kernel's default (runc 1.3.2,
    /// crun 1.23 and later).
    #[default]
    Quadratic,
}

/// `cpu.weight` (1..=10 000) for these `cpu.shares` (2..=262 144).
pub fn cpu_weight(shares: u64, formula: WeightFormula) -> u64 {
    let shares = shares.clamp(2, 262_144);
    match formula {
        WeightFormula::Linear => 1 + (shares - 2) * 9_999 / 262_142,
        WeightFormula::Quadratic if shares == 2 => 1,
        WeightFormula::Quadratic if shares == 262_144 => 10_000,
        WeightFormula::Quadratic => {
            let log = libm::log2(shares as f64);
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            libm::ceil(libm::pow(10.0, exponent)) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cpu: Option<u64>, mib: Option<u64>) -> Resources {
        Resources { cpu: cpu.map(MilliCpu), memory: mib.map(Bytes::from_mib), ..Resources::default() }
    }

    fn asks(cpu: u64, mib: u64) -> Requirements {
        Requirements { requests: of(Some(cpu), Some(mib)), ..Requirements::default() }
    }

    fn init(cpu: u64, mib: u64, sidecar: bool) -> InitRequirements {
        InitRequirements { resources: asks(cpu, mib), sidecar }
    }

    #[test]
    fn a_pod_asks_for_its_steady_state_or_its_hungriest_step() {
        let mut pod = PodRequirements {
            containers: vec![asks(100, 100), asks(200, 100)],
            ..PodRequirements::default()
        };
        assert_eq!(pod.requests(), of(Some(300), Some(200)));
        pod.init = vec![init(50, 10, false), init(100, 50, true), init(250, 400, false)];
        // Step three runs beside the sidecar: 350m and 450Mi; the steady state is 400m and 250Mi.
        assert_eq!(pod.requests(), of(Some(400), Some(450)));
        pod.overhead = of(Some(10), None);
        pod.pod = Some(asks(1_000, 64));
        assert_eq!(pod.requests(), of(Some(1_010), Some(64)));
        // What the pod level doesn't name is summed as ever.
        pod.pod = Some(Requirements { requests: of(None, Some(64)), ..Requirements::default() });
        assert_eq!(pod.requests(), of(Some(410), Some(64)));
    }

    #[test]
    fn a_limit_alone_is_also_the_request() {
        let mut container = Requirements { requests: of(Some(100), None), limits: of(Some(500), Some(64)) };
        container.limits.extended.insert("nvidia.com/gpu".to_owned(), 1);
        container.default_requests();
        assert_eq!(
            (container.requests.cpu, container.requests.memory),
            (Some(MilliCpu(100)), Some(Bytes::from_mib(64)))
        );
        assert_eq!(container.requests.extended["nvidia.com/gpu"], 1);
    }

    #[test]
    fn pod_level_requests_come_from_containers_or_the_limit() {
        let container = Requirements { requests: of(Some(100), None), ..Requirements::default() };
        let level = Requirements { limits: of(Some(500), Some(64)), ..Requirements::default() };
        let mut pod =
            PodRequirements { containers: vec![container], pod: Some(level), ..PodRequirements::default() };
        pod.default_requests();
        assert_eq!(pod.requests(), of(Some(100), Some(64)));
        assert_eq!(pod.qos(), QosClass::Burstable);
    }

    #[test]
    fn quality_of_service() {
        let limited = |requests, limits| Requirements { requests, limits };
        let full = || of(Some(100), Some(64));
        let rows = [
            (vec![Requirements::default()], QosClass::BestEffort),
            (vec![limited(of(Some(0), None), of(Some(0), None))], QosClass::BestEffort),
            (vec![asks(100, 64)], QosClass::Burstable),
            (vec![limited(full(), full())], QosClass::Guaranteed),
            (vec![limited(full(), full()), Requirements::default()], QosClass::Burstable),
            (vec![limited(of(Some(50), Some(64)), full())], QosClass::Burstable),
            (vec![limited(of(Some(100), None), of(Some(100), None))], QosClass::Burstable),
        ];
        for (containers, class) in rows {
            let pod = PodRequirements { containers, ..PodRequirements::default() };
            assert_eq!(pod.qos(), class, "{pod:?}");
        }
        // Init containers count, and pod-level resources overrule both.
        let mut pod = PodRequirements {
            containers: vec![limited(full(), full())],
            init: vec![init(1, 1, false)],
            ..PodRequirements::default()
        };
        assert_eq!(pod.qos(), QosClass::Burstable);
        pod.pod = Some(limited(full(), full()));
        assert_eq!(pod.qos(), QosClass::Guaranteed);
    }

    #[test]
    fn shares_quota_and_weight() {
        let rows = [(0, 2), (1, 2), (100, 102), (1_000, 1_024), (999_999_999, 262_144)];
        for (milli, shares) in rows {
            assert_eq!(cpu_shares(MilliCpu(milli)), shares);
        }
        assert_eq!(cpu_quota(MilliCpu(0)), None);
        assert_eq!(cpu_quota(MilliCpu(5)), Some(SimDuration::from_millis(1)));
        assert_eq!(cpu_quota(MilliCpu(500)), Some(SimDuration::from_millis(50)));
        let weights = [(2, 1, 1), (102, 4, 17), (1_024, 39, 100), (262_144, 10_000, 10_000)];
        for (shares, linear, quadratic) in weights {
            assert_eq!(cpu_weight(shares, WeightFormula::Linear), linear);
            assert_eq!(cpu_weight(shares, WeightFormula::Quadratic), quadratic);
        }
    }
}
