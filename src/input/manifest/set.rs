//! What a set of manifests says, in the scenario's words, before a model says
//! how the pods behave.

use std::collections::BTreeMap;

use crate::k8s::hpa::HpaSpec;
use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::Taint;
use crate::k8s::quantity::Quantity;
use crate::scenario::{Balancing, Breaker, DisruptionBudget, Kind, Outlier, PodTemplate};
use crate::source::Place;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// What a set of manifests says, in file order.
#[derive(Clone, Debug, Default)]
pub struct ManifestSet {
    /// Everything that makes pods.
    pub workloads: Vec<ManifestWorkload>,
    /// The HPAs, their targets not yet resolved.
    pub autoscalers: Vec<ManifestHpa>,
    /// The disruption budgets.
    pub budgets: Vec<DisruptionBudget>,
    /// The Services.
    pub services: Vec<ManifestService>,
    /// The backends of all Ingresses.
    pub routes: Vec<IngressRoute>,
    /// Node objects, from a dump of a live cluster.
    pub nodes: Vec<ManifestNode>,
    /// The ResourceQuotas.
    pub quotas: Vec<ManifestQuota>,
    /// Istio's DestinationRules.
    pub mesh: Vec<MeshRule>,
    /// Kinds that have no effect on the simulation, with how many there were.
    pub not_simulated: Vec<(String, usize)>,
    /// Objects read, by kind, for the one line that says what was read.
    pub counts: Vec<(String, usize)>,
}

/// Something that makes pods.
#[derive(Clone, Debug)]
pub struct ManifestWorkload {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// The object's own kind, as written (`Deployment`).
    pub api_kind: String,
    /// Which controller looks after the pods.
    pub kind: Kind,
    /// `spec.replicas` after defaulting.
    pub replicas: u32,
    /// Whether the file states `spec.replicas`.
    pub replicas_stated: bool,
    /// `minReadySeconds`.
    pub min_ready: SimDuration,
    /// The pods.
    pub template: PodTemplate,
    /// Values of the containers' plain `env` entries and of those from ConfigMaps,
    /// for guessing who calls whom. Never those from Secrets.
    pub env: Vec<(String, String)>,
    /// The container that a mesh adds to the pods as they are made, if one does.
    pub injects: Option<&'static str>,
    /// Where the object stands.
    pub place: Place,
}

/// An HPA as written.
#[derive(Clone, Debug)]
pub struct ManifestHpa {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// `scaleTargetRef.kind`.
    pub target_kind: String,
    /// `scaleTargetRef.name`.
    pub target_name: String,
    /// The spec after defaulting.
    pub spec: HpaSpec,
    /// Where `scaleTargetRef` stands.
    pub place: Place,
}

/// A Service.
#[derive(Clone, Debug)]
pub struct ManifestService {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// `spec.selector`; `None` for a Service without one.
    pub selector: Option<Selector>,
    /// The ports it offers.
    pub ports: Vec<u16>,
    /// `type: ExternalName`.
    pub external_name: Option<String>,
    /// `type: LoadBalancer` or `NodePort`: users may reach it directly.
    pub reachable_from_outside: bool,
    /// Where the object stands.
    pub place: Place,
}

impl ManifestService {
    /// Whether it leads to a workload's pods.
    pub fn leads_to(&self, workload: &ManifestWorkload) -> bool {
        self.namespace == workload.namespace
            && self.selector.as_ref().is_some_and(|selector| {
                // An empty selector has endpoints for no pod of ours that it was meant for.
                let empty = selector.match_labels.is_empty() && selector.expressions.is_empty();
                !empty && selector.matches(&workload.template.labels)
            })
    }
}

/// One path of an Ingress.
#[derive(Clone, Debug)]
pub struct IngressRoute {
    /// The Ingress' name.
    pub ingress: String,
    /// The Service's namespace, which is the Ingress' own but for routes of gateways.
    pub namespace: String,
    /// The host, empty for all.
    pub host: String,
    /// The path.
    pub path: String,
    /// The Service it leads to.
    pub service: String,
    /// How ingress-nginx is told to choose a pod.
    pub balancing: Option<Balancing>,
    /// Where the backend stands.
    pub place: Place,
}

/// How every caller reaches a Service: an Istio DestinationRule.
#[derive(Clone, Debug)]
pub struct MeshRule {
    /// The Service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// How a pod is chosen.
    pub balancing: Option<Balancing>,
    /// How many calls a pod makes at a time.
    pub breaker: Option<Breaker>,
    /// When a pod is left out.
    pub outlier: Option<Outlier>,
}

/// A node of a live cluster.
#[derive(Clone, Debug)]
pub struct ManifestNode {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `status.capacity` CPU.
    pub cpu: MilliCpu,
    /// `status.capacity` memory.
    pub memory: Bytes,
    /// `status.allocatable` CPU.
    pub allocatable_cpu: MilliCpu,
    /// `status.allocatable` memory.
    pub allocatable_memory: Bytes,
    /// `status.allocatable` pods.
    pub max_pods: u32,
}

/// A ResourceQuota.
#[derive(Clone, Debug)]
pub struct ManifestQuota {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where absent.
    pub namespace: String,
    /// `spec.hard`: the most that all pods of the namespace may ask for, by the
    /// quota's own names (`requests.cpu`, `pods`).
    pub hard: BTreeMap<String, Quantity>,
    /// Where the object stands.
    pub place: Place,
}
