//! What a HorizontalPodAutoscaler asks for: its `spec` after defaulting.
//!
//! Upstream: `staging/src/k8s.io/api/autoscaling/v2/types.go`; defaults in
//! `pkg/apis/autoscaling/v2/defaults.go`.

use crate::k8s::behavior::Behavior;

/// What an HPA's `spec` asks for, after defaulting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaSpec {
    /// Never fewer replicas than this (0 only with an Object or External metric).
    pub min_replicas: u32,
    /// Never more replicas than this.
    pub max_replicas: u32,
    /// The metrics; the one that asks for most replicas wins.
    pub metrics: Vec<MetricSpec>,
    /// `spec.behavior` after defaulting; `None` takes the older path without policies.
    pub behavior: Option<Behavior>,
}

impl HpaSpec {
    /// Whether any metric exists without pods, so that a workload may sleep at
    /// zero replicas and be woken.
    pub fn has_object_or_external_metric(&self) -> bool {
        self.metrics.iter().any(|metric| match metric {
            MetricSpec::Object { .. } | MetricSpec::External { .. } => true,
            MetricSpec::Resource { .. } | MetricSpec::Pods { .. } | MetricSpec::Unsupported { .. } => false,
        })
    }
}

impl MetricSpec {
    /// What an object without `metrics` gets: 80 % of the CPU requested.
    pub fn default_cpu() -> Self {
        let target = ResourceTarget::Utilization(80);
        Self::Resource { resource: ResourceName::Cpu, container: None, target }
    }
}

/// One entry of `spec.metrics`. All values are in thousandths of their unit
/// (milli-cores for CPU, milli-bytes for memory), as upstream keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricSpec {
    /// CPU or memory of the pods, or of one container of each.
    Resource {
        /// Which resource.
        resource: ResourceName,
        /// The one container that counts (`type: ContainerResource`), or all.
        container: Option<String>,
        /// What to keep the mean at.
        target: ResourceTarget,
    },
    /// A custom metric of each pod.
    Pods {
        /// The metric's name.
        name: String,
        /// What to keep its mean over the pods at.
        target_average_milli: i64,
    },
    /// A metric of one other object.
    Object {
        /// The metric's name.
        name: String,
        /// The object, as `Kind/name`.
        described: String,
        /// What to keep it at.
        target: ValueTarget,
    },
    /// A metric from outside the cluster, summed over its series.
    External {
        /// The metric's name.
        name: String,
        /// What to keep it at.
        target: ValueTarget,
    },
    /// A type that this API version doesn't know: always fails.
    Unsupported {
        /// The `type` as written.
        kind: String,
    },
}

/// A resource that the metrics API serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceName {
    /// `cpu`
    Cpu,
    /// `memory`
    Memory,
    /// Anything else; the metrics API has no values for it.
    Other(String),
}

/// The target of a resource metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceTarget {
    /// Percent of the pods' requests.
    Utilization(i32),
    /// Mean per pod, in thousandths.
    AverageValue(i64),
}

/// The target of an Object or External metric, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueTarget {
    /// The whole value, compared as it is.
    Value(i64),
    /// The value divided by the replica count.
    AverageValue(i64),
}
