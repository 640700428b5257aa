//! What the containers beside the serving one use.
//!
//! A mesh's proxy works on each call that its pod gets and on each that it makes. An HPA by
//! the CPU of whole pods adds that to what the application uses, and divides the sum by what
//! all containers request.
//!
//! Such containers start with the serving one, are always quick enough, and take no CPU
//! from anybody: what they use shows in metrics, and their memory on the node.

use crate::k8s::metrics::{ContainerSample, ContainerWindow};
use crate::scenario::{Behaviour, Sidecar};
use crate::sim::agenda::Clocks;
use crate::units::{Bytes, SimDuration, SimTime};

/// What goes on beside the serving container of a pod.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Calls that the pod has made so far, counted where something works on them.
    pub made: u64,
    /// Calls that had gone through when the present run of the container began.
    before: u64,
    /// Calls that went through in this run while time was skipped.
    skipped: f64,
    /// Calls a second that go through in the present pause.
    rate: f64,
    /// By container, what is known of its use.
    measured: Vec<Measured>,
}

/// What is known of a container's use.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// What the kubelet last saw.
    sample: Option<ContainerSample>,
    /// What metrics-server makes of it.
    window: ContainerWindow,
}

impl Beside {
    /// Calls that have gone through so far, without those of skipped time: the pod's
    /// `requests` and what it made.
    pub fn passed(&self, requests: u64) -> u64 {
        requests + self.made
    }

    /// A fresh run of the container begins.
    pub fn begin(&mut self, requests: u64) {
        (self.before, self.skipped, self.rate) = (self.passed(requests), 0.0, 0.0);
    }

    /// So many calls a second go through in the pause that begins.
    pub fn pause(&mut self, rate: f64) {
        self.rate = rate;
    }

    /// The pause is over; it took so long.
    pub fn resume(&mut self, took: SimDuration) {
        self.skipped += self.rate * took.as_secs_f64();
        self.rate = 0.0;
    }

    /// CPU time that a container has used since it `started`.
    fn used(&self, one: &Sidecar, requests: u64, (started, clocks): (SimTime, Clocks)) -> SimDuration {
        let skipped = self.skipped + self.rate * clocks.paused.as_secs_f64();
        let calls = self.passed(requests) - self.before + skipped as u64;
        one.cpu_per_call * calls + one.idle_cpu.over(clocks.now.since(started))
    }

    /// The kubelet samples the containers of a pod that has got so many `requests`.
    pub fn sample(&mut self, behaviour: &Behaviour, requests: u64, (started, clocks): (SimTime, Clocks)) {
        self.measured.resize(behaviour.sidecars.len(), Measured::default());
        for (at, one) in behaviour.sidecars.iter().enumerate() {
            let cpu_core_nanos = self.used(one, requests, (started, clocks)).as_nanos();
            let (time, working_set) = (clocks.now, one.memory);
            self.measured[at].sample = Some(ContainerSample { started, time, cpu_core_nanos, working_set });
        }
    }

    /// metrics-server scrapes the pod's node, which has something of the pod or not.
    pub fn scrape(&mut self, is_there: bool, resolution: SimDuration) {
        for one in &mut self.measured {
            one.window.scrape(one.sample.filter(|_| is_there), resolution);
        }
    }

    /// What metrics-server makes of all these containers.
    pub fn windows(&self) -> impl Iterator<Item = &ContainerWindow> {
        self.measured.iter().map(|one| &one.window)
    }

    /// The same of the one with this number among the workload's sidecars.
    pub fn window(&self, number: usize) -> Option<&ContainerWindow> {
        self.measured.get(number).map(|one| &one.window)
    }
}

/// Memory that the containers of a running pod use beside the serving one.
pub fn memory(behaviour: &Behaviour) -> Bytes {
    Bytes(behaviour.sidecars.iter().map(|one| one.memory.0).fold(0, u64::saturating_add))
}
