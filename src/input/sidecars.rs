//! `sidecars` of a model's workload: what the containers beside the serving one use.

use serde::Deserialize;

use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Scalar};
use crate::input::uncertain::{Named, Uncertain, read};
use crate::k8s::resources::Resources;
use crate::scenario::{Container, PodTemplate, Sidecar};
use crate::units::{Bytes, MilliCpu, SimDuration};

/// The most sidecars that a workload may have; more is a mistake.
pub const MOST: usize = 100;
/// A call doesn't keep a proxy busy for longer.
const MOST_PER_CALL: SimDuration = SimDuration::from_secs(10);

/// `sidecars.NAME`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SidecarFile {
    cpu_per_call: Option<Uncertain>,
    idle_cpu: Option<Uncertain>,
    memory: Option<Uncertain>,
    requests: Option<AmountsFile>,
    limits: Option<AmountsFile>,
}

/// `requests` or `limits` of a container that is injected.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmountsFile {
    cpu: Option<Scalar>,
    memory: Option<Scalar>,
}

/// Software that stands beside others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Words of its images and containers.
    pub words: Vec<String>,
    /// What it uses.
    pub sidecar: SidecarFile,
}

/// What the containers use that a model describes or the priors know.
pub fn resolve(files: &Named<SidecarFile>, workload: &str, at: &At, into: &mut Findings) -> Vec<Sidecar> {
    if files.0.len() > MOST {
        let message = format!("`{workload}` has {} sidecars", files.0.len());
        into.wrong(at, message, format!("describe at most {MOST}"));
        return Vec::new();
    }
    files.0.iter().map(|(name, file)| file.resolve(name, workload, &at.key(name), into)).collect()
}

impl SidecarFile {
    /// Whether it says what the container asks for, as is done for one that is injected.
    pub fn asks(&self) -> bool {
        self.requests.is_some() || self.limits.is_some()
    }

    fn resolve(&self, name: &str, workload: &str, at: &At, into: &mut Findings) -> Sidecar {
        let about = |key: &str, what: &str| at.key(key).about(format!("{workload}: {name}'s {what}"));
        let per_call = about("cpuPerCall", "CPU for a call");
        let cpu_per_call =
            read(self.cpu_per_call.as_ref(), &per_call, scalar::duration, SimDuration::ZERO, into);
        if cpu_per_call > MOST_PER_CALL {
            into.wrong(&per_call, format!("{cpu_per_call} of CPU for each call"), "at most 10s");
        }
        Sidecar {
            name: name.to_owned(),
            cpu_per_call: cpu_per_call.min(MOST_PER_CALL),
            idle_cpu: read(
                self.idle_cpu.as_ref(),
                &about("idleCpu", "idle CPU"),
                scalar::cpu,
                MilliCpu::ZERO,
                into,
            ),
            memory: read(self.memory.as_ref(), &about("memory", "memory"), scalar::memory, Bytes::ZERO, into),
        }
    }

    /// A container that manifests don't show.
    pub fn injected(&self, name: &str, at: &At, into: &mut Findings) -> Container {
        let mut amounts = |file: Option<&AmountsFile>, key: &str| {
            let (file, at) = (file.cloned().unwrap_or_default(), at.key(key));
            Resources {
                cpu: file.cpu.and_then(|cpu| into.take(&at.key("cpu"), scalar::cpu(&cpu))),
                memory: file.memory.and_then(|memory| into.take(&at.key("memory"), scalar::memory(&memory))),
                ..Resources::default()
            }
        };
        let limits = amounts(self.limits.as_ref(), "limits");
        let mut requests = amounts(self.requests.as_ref(), "requests");
        requests.cpu = requests.cpu.or(limits.cpu);
        requests.memory = requests.memory.or(limits.memory);
        Container { requests, limits, ..Container::plain(name, "") }
    }
}

/// The containers that run beside the serving one.
pub fn beside(template: &PodTemplate) -> impl Iterator<Item = &Container> + Clone {
    let native = template.init_containers.iter().filter(|container| container.sidecar);
    template.containers.iter().skip(1).chain(native)
}
