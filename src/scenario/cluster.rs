//! Where it runs: nodes, prices, and how long things take.

use crate::k8s::labels::Labels;
use crate::k8s::placement::cluster::{HOSTNAME, ZONE};
use crate::k8s::placement::{Amounts, NodeShape, Taint};
use crate::sim::random::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// Where it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its name, for reports.
    pub name: String,
    /// Groups of equal nodes.
    pub pools: Vec<NodePool>,
    /// Who adds and removes nodes.
    pub provisioned_by: ProvisionedBy,
    /// One way between two pods.
    pub network_latency: SimDuration,
    /// From one metrics-server scrape to the next.
    pub metrics_resolution: SimDuration,
    /// From bound to the first container's start, image at hand (seconds):
    /// watch, volumes, sandbox, network.
    pub pod_start: Distribution,
    /// Pulling an image that the node doesn't have yet (seconds).
    pub image_pull: Distribution,
}

/// A group of equal nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePool {
    /// Its name.
    pub name: String,
    /// CPU of one node.
    pub cpu: MilliCpu,
    /// Memory of one node.
    pub memory: Bytes,
    /// Kept back for kubelet and system; allocatable is the rest.
    pub reserved_cpu: MilliCpu,
    /// Kept back for kubelet, system and the hard eviction threshold.
    pub reserved_memory: Bytes,
    /// Pods on one node; 110 unless the cloud says otherwise.
    pub max_pods: u32,
    /// Nodes at the start.
    pub count: u32,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Nodes are spread over these in turn; at least one.
    pub zones: Vec<String>,
    /// On every node, besides hostname and zone.
    pub labels: Labels,
    /// On every node.
    pub taints: Vec<Taint>,
    /// Money per node and hour.
    pub price_per_hour: f64,
    /// From the decision to add a node until it is ready (seconds).
    pub provision: Distribution,
    /// Other instance types that it could be made of. No run heeds them.
    pub alternatives: Vec<NodeType>,
}

/// An instance type.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeType {
    /// Its name, such as `m6i.large`.
    pub name: String,
    /// CPU of one node.
    pub cpu: MilliCpu,
    /// Memory of one node.
    pub memory: Bytes,
    /// Kept back for kubelet and system.
    pub reserved_cpu: MilliCpu,
    /// Kept back for kubelet, system and the hard eviction threshold.
    pub reserved_memory: Bytes,
    /// Pods on one node.
    pub max_pods: u32,
    /// Money per node and hour.
    pub price_per_hour: f64,
}

/// Who adds and removes nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionedBy {
    /// Nobody: the counts stay.
    Nobody,
    /// cluster-autoscaler.
    ClusterAutoscaler,
    /// Karpenter.
    Karpenter,
}

impl NodePool {
    /// The same pool made of another type.
    pub fn made_of(&self, kind: &NodeType) -> Self {
        Self {
            cpu: kind.cpu,
            memory: kind.memory,
            reserved_cpu: kind.reserved_cpu,
            reserved_memory: kind.reserved_memory,
            max_pods: kind.max_pods,
            price_per_hour: kind.price_per_hour,
            ..self.clone()
        }
    }

    /// CPU that pods of one node may ask for.
    pub fn allocatable_cpu(&self) -> MilliCpu {
        self.cpu.saturating_sub(self.reserved_cpu)
    }

    /// Memory that pods of one node may ask for.
    pub fn allocatable_memory(&self) -> Bytes {
        self.memory.saturating_sub(self.reserved_memory)
    }

    /// One of its nodes as the scheduler sees it: the one of this number, which
    /// decides on the zone, as zones take turns.
    pub fn shape(&self, name: &str, number: usize) -> NodeShape {
        let mut labels = self.labels.clone();
        labels.insert(HOSTNAME.to_owned(), name.to_owned());
        let zone = &self.zones[number % self.zones.len()];
        labels.insert(ZONE.to_owned(), zone.clone());
        NodeShape {
            name: name.to_owned(),
            labels,
            taints: self.taints.clone(),
            unschedulable: false,
            allocatable: Amounts {
                cpu: self.allocatable_cpu(),
                memory: self.allocatable_memory(),
                ..Amounts::default()
            },
            pod_slots: self.max_pods,
        }
    }
}
