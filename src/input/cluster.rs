//! `kind: Cluster`: where it runs, in one or more profiles.

use serde::Deserialize;

use crate::input::findings::{At, Findings, suggest};
use crate::input::scalar::{self, Scalar};
use crate::input::uncertain::{Chance, Named, Uncertain};
use crate::k8s::labels::Labels;
use crate::k8s::placement::{Taint, TaintEffect};
use crate::scenario::{Cluster, NodePool, NodeType, ProvisionedBy};
use crate::sim::random::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// A cluster file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterFile {
    /// `plan/v1alpha1`
    pub api_version: Option<String>,
    /// `Cluster`
    pub kind: Option<String>,
    /// For reports; the profile's name where absent.
    pub name: Option<String>,
    /// The profile that is taken when none is asked for; the first where absent.
    pub default: Option<String>,
    /// The profiles.
    pub profiles: Named<ProfileFile>,
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileFile {
    provisioned_by: Option<ProvisionerName>,
    network_latency: Option<Uncertain>,
    metrics_resolution: Option<Uncertain>,
    pod_start: Option<Chance>,
    image_pull: Option<Chance>,
    pools: Named<PoolFile>,
}

/// Who adds and removes nodes, as files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ProvisionerName {
    Nobody,
    ClusterAutoscaler,
    Karpenter,
}

/// A group of equal nodes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolFile {
    cpu: Scalar,
    memory: Scalar,
    reserved: Option<ReservedFile>,
    max_pods: Option<Scalar>,
    count: Option<Scalar>,
    min: Option<Scalar>,
    max: Option<Scalar>,
    #[serde(default)]
    zones: Vec<String>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    taints: Vec<TaintFile>,
    price_per_hour: Option<Scalar>,
    provision: Option<Chance>,
    #[serde(default)]
    alternatives: Named<TypeFile>,
}

/// Another instance type that a pool could be made of.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TypeFile {
    cpu: Scalar,
    memory: Scalar,
    reserved: Option<ReservedFile>,
    max_pods: Option<Scalar>,
    price_per_hour: Option<Scalar>,
}

/// Kept back on every node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReservedFile {
    cpu: Option<Scalar>,
    memory: Option<Scalar>,
}

/// A taint on every node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaintFile {
    key: String,
    #[serde(default)]
    value: String,
    effect: EffectName,
}

/// What a taint does, as Kubernetes writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum EffectName {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl ClusterFile {
    /// The cluster of `profile`, or of the file's default.
    pub fn resolve(&self, profile: Option<&str>, into: &mut Findings) -> Option<Cluster> {
        let names = || self.profiles.0.iter().map(|(name, _)| name.as_str());
        let at = At::root().key("profiles");
        let Some((first, _)) = self.profiles.0.first() else {
            into.wrong(&at, "there is no profile", "describe at least one");
            return None;
        };
        let (wanted, asked_at) = match (profile, &self.default) {
            (Some(profile), _) => (profile, at.clone()),
            (None, Some(default)) => (default.as_str(), At::root().key("default")),
            (None, None) => (first.as_str(), at.clone()),
        };
        let mut found = None;
        for (name, file) in &self.profiles.0 {
            // Every profile is checked, but only the one that is used makes assumptions.
            let mut aside = into.beside();
            let cluster = file.resolve(self.name.as_deref().unwrap_or(name), &at.key(name), &mut aside);
            into.problems.append(&mut aside.problems);
            if name == wanted {
                into.take_over(&mut aside);
                found = Some(cluster);
            }
        }
        if found.is_none() {
            into.wrong(
                &asked_at,
                format!("there is no profile `{wanted}`"),
                suggest(wanted, names().collect::<Vec<_>>()),
            );
        }
        found
    }
}

impl ProfileFile {
    fn resolve(&self, name: &str, at: &At, into: &mut Findings) -> Cluster {
        let about = |what: &str, key: &str| at.about(format!("{name}: {what}")).key(key);
        let mut duration = |value: Option<&Uncertain>, at: At, default: SimDuration| {
            value.and_then(|value| value.resolve(&at, scalar::duration, into)).unwrap_or(default)
        };
        let network_latency = duration(
            self.network_latency.as_ref(),
            about("network latency", "networkLatency"),
            SimDuration::from_micros(250),
        );
        let at_resolution = about("metrics resolution", "metricsResolution");
        let metrics_resolution =
            duration(self.metrics_resolution.as_ref(), at_resolution.clone(), SimDuration::from_secs(15));
        if metrics_resolution == SimDuration::ZERO {
            into.wrong(
                &at_resolution,
                "metrics can't be scraped all the time",
                "metrics-server's default is 15s",
            );
        }
        let mut chance = |value: Option<&Chance>, at: At, default: f64| {
            value.and_then(|value| value.resolve(&at, into)).unwrap_or(Distribution::Constant(default))
        };
        let pod_start = chance(self.pod_start.as_ref(), about("pod start", "podStart"), 1.0);
        let image_pull = chance(self.image_pull.as_ref(), about("image pull", "imagePull"), 5.0);
        let at_pools = at.key("pools");
        if self.pools.0.is_empty() {
            into.wrong(&at_pools, "there are no nodes", "describe at least one pool");
        }
        let fixed = self.provisioner() == ProvisionedBy::Nobody;
        let pools = self.pools.0.iter().map(|(pool, file)| {
            let at = at_pools.key(pool).about(format!("{name}: pool {pool}"));
            file.resolve(pool, fixed, &at, into)
        });
        Cluster {
            name: name.to_owned(),
            pools: pools.collect(),
            provisioned_by: self.provisioner(),
            network_latency,
            metrics_resolution,
            pod_start,
            image_pull,
        }
    }

    fn provisioner(&self) -> ProvisionedBy {
        match self.provisioned_by {
            Some(ProvisionerName::Nobody) => ProvisionedBy::Nobody,
            Some(ProvisionerName::ClusterAutoscaler) | None => ProvisionedBy::ClusterAutoscaler,
            Some(ProvisionerName::Karpenter) => ProvisionedBy::Karpenter,
        }
    }
}

/// The most nodes that a pool may have (upstream's tested maximum).
const MOST_NODES: u32 = 5_000;

/// Labels that the kubelet gives every node; a file may say otherwise. Upstream:
/// `pkg/kubelet/kubelet_node_status.go`.
pub(super) fn kubelet_labels() -> Labels {
    let labels = [("os", "linux"), ("arch", "amd64")];
    let homes = ["kubernetes.io", "beta.kubernetes.io"];
    let one = |home| labels.map(|(key, value)| (format!("{home}/{key}"), value.to_owned()));
    homes.into_iter().flat_map(one).collect()
}

impl PoolFile {
    fn resolve(&self, name: &str, fixed: bool, at: &At, into: &mut Findings) -> NodePool {
        let own = TypeFile {
            cpu: self.cpu.clone(),
            memory: self.memory.clone(),
            reserved: self.reserved.clone(),
            max_pods: self.max_pods.clone(),
            price_per_hour: self.price_per_hour.clone(),
        };
        let own = own.resolve(name, at, into);
        let at_others = at.key("alternatives");
        let others = self.alternatives.0.iter();
        let alternatives =
            others.map(|(name, file)| file.resolve(name, &at_others.key(name), into)).collect();
        let (count, min, max) = self.size(fixed, at, into);
        let zones = if self.zones.is_empty() { vec!["zone-a".to_owned()] } else { self.zones.clone() };
        let at_provision = at.key("provision").about(format!("{}: time to provision a node", at.about));
        let provision = self.provision.as_ref().and_then(|chance| chance.resolve(&at_provision, into));
        NodePool {
            name: name.to_owned(),
            cpu: own.cpu,
            memory: own.memory,
            reserved_cpu: own.reserved_cpu,
            reserved_memory: own.reserved_memory,
            max_pods: own.max_pods,
            count,
            min,
            max,
            zones,
            labels: kubelet_labels().into_iter().chain(self.labels.clone()).collect(),
            taints: self.taints.iter().map(TaintFile::resolve).collect(),
            price_per_hour: own.price_per_hour,
            provision: provision.unwrap_or(Distribution::Constant(120.0)),
            alternatives,
        }
    }

    /// Nodes at the start, at least and at most. In a cluster of fixed size all
    /// three are `count`.
    fn size(&self, fixed: bool, at: &At, into: &mut Findings) -> (u32, u32, u32) {
        let given = |field: &Option<Scalar>, key: &str, default: u32, into: &mut Findings| {
            into.or(&at.key(key), field.as_ref(), scalar::count, default)
        };
        let min = given(&self.min, "min", 0, into);
        let count = given(&self.count, "count", min.max(1), into);
        let max = given(&self.max, "max", count, into);
        let min = if self.min.is_some() { min } else { count };
        if !(min..=max).contains(&count) {
            let wrong = if self.count.is_some() { "count" } else { "max" };
            into.wrong(
                &at.key(wrong),
                format!("{min} <= {count} <= {max} does not hold"),
                "min <= count <= max",
            );
        }
        if max > MOST_NODES {
            into.wrong(&at.key("max"), format!("{max} nodes are too many"), format!("at most {MOST_NODES}"));
        }
        if fixed && (min, max) != (count, count) {
            let help = "leave `min` and `max` out, or say `provisionedBy: cluster-autoscaler`";
            into.wrong(&at.key("max"), "nobody adds or removes nodes in this profile", help);
        }
        (count, min, max)
    }
}

impl TypeFile {
    fn resolve(&self, name: &str, at: &At, into: &mut Findings) -> NodeType {
        let cpu = into.or(&at.key("cpu"), Some(&self.cpu), scalar::cpu, MilliCpu(1_000));
        let memory = into.or(&at.key("memory"), Some(&self.memory), scalar::memory, Bytes::from_mib(1_024));
        let reserved = at.key("reserved");
        let of = self.reserved.as_ref();
        let kept_cpu = of.and_then(|of| of.cpu.as_ref());
        let kept_memory = of.and_then(|of| of.memory.as_ref());
        let reserved_cpu = into.or(&reserved.key("cpu"), kept_cpu, scalar::cpu, MilliCpu::ZERO);
        let reserved_memory = into.or(&reserved.key("memory"), kept_memory, scalar::memory, Bytes::ZERO);
        if reserved_cpu >= cpu || reserved_memory >= memory {
            into.wrong(&reserved, "nothing is left for pods", "keep back less than the node has");
        }
        let price = self.price_per_hour.as_ref();
        NodeType {
            name: name.to_owned(),
            cpu,
            memory,
            reserved_cpu,
            reserved_memory,
            max_pods: into.or(&at.key("maxPods"), self.max_pods.as_ref(), scalar::count, 110),
            price_per_hour: into.or(&at.key("pricePerHour"), price, scalar::number, 0.0),
        }
    }
}

impl TaintFile {
    fn resolve(&self) -> Taint {
        let effect = match self.effect {
            EffectName::NoSchedule => TaintEffect::NoSchedule,
            EffectName::PreferNoSchedule => TaintEffect::PreferNoSchedule,
            EffectName::NoExecute => TaintEffect::NoExecute,
        };
        Taint { key: self.key.clone(), value: self.value.clone(), effect }
    }
}
