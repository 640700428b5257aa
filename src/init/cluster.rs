//! `cluster.yaml`: the nodes of the manifests, or as many usual ones as fit.

use super::flow::text;
use crate::input::findings::Findings;
use crate::input::manifest::set::ManifestSet;
use crate::input::sizing;
use crate::k8s::placement::TaintEffect;
use crate::scenario::{NodePool, ProvisionedBy};
use crate::units::{Bytes, SimDuration};

/// The file.
pub(super) fn cluster(set: &ManifestSet) -> String {
    let cluster = sizing::cluster(set, &mut Findings::default());
    let by = match cluster.provisioned_by {
        ProvisionedBy::Nobody => "nobody",
        ProvisionedBy::ClusterAutoscaler => "cluster-autoscaler",
        ProvisionedBy::Karpenter => "karpenter",
    };
    let from = if set.nodes.is_empty() {
        "The manifests name no nodes. Assumed: usual ones, so many that all pods fit and one node may be lost.\n\
         # `kubectl get nodes -o yaml` among the manifests gives yours."
    } else {
        "From the Node objects of the manifests."
    };
    let mut out = format!(
        "# Where it runs. {from}\n\
         # All keys: models/README.md.\n\
         apiVersion: plan/v1alpha1\n\
         kind: Cluster\n\
         default: default\n\
         \n\
         profiles:\n  \
         default:\n    \
         # nobody, cluster-autoscaler or karpenter.\n    \
         provisionedBy: {by}\n    \
         # One way between two pods. Measure: half of `ping` from pod to pod across zones.\n    \
         networkLatency: {{low: 100us, mid: {latency}, high: 1ms, basis: assumed, source: \"same region, zones mixed\"}}\n    \
         # `kubectl -n kube-system get deployment metrics-server -o yaml`: --metric-resolution.\n    \
         metricsResolution: {resolution}\n    \
         # From bound to the first container's start. Measure: events of a pod, Scheduled to Started, image at hand.\n    \
         podStart: {{low: 0.5s, mid: {start}s, high: 3s, cv: 0.5, basis: prior, source: \"CC, K8S: created to Ready\"}}\n    \
         # Measure: the events Pulling and Pulled of a pod on a new node.\n    \
         imagePull: {{low: 2s, mid: {pull}s, high: 20s, cv: 0.5, basis: assumed, source: \"from a registry in the region\"}}\n    \
         pools:\n",
        latency = cluster.network_latency,
        resolution = cluster.metrics_resolution,
        start = cluster.pod_start.mean(),
        pull = cluster.image_pull.mean(),
    );
    let fixed = cluster.provisioned_by == ProvisionedBy::Nobody;
    for one in &cluster.pools {
        out += &pool(one, fixed);
    }
    out
}

fn pool(pool: &NodePool, fixed: bool) -> String {
    let zones: Vec<String> = pool.zones.iter().map(|zone| text(zone)).collect();
    let mut lines = vec![
        format!("      {}:", text(&pool.name)),
        format!("        cpu: {}", pool.cpu),
        format!("        memory: {}", exact(pool.memory)),
        "        # Capacity less allocatable, of `kubectl get nodes -o yaml`.".to_owned(),
        format!("        reserved: {{cpu: {}, memory: {}}}", pool.reserved_cpu, exact(pool.reserved_memory)),
        format!("        maxPods: {}", pool.max_pods),
        format!("        count: {}", pool.count),
    ];
    if !fixed {
        lines.push(format!("        min: {}", pool.min));
        lines.push(format!("        max: {}", pool.max));
    }
    lines.push(format!("        zones: [{}]", zones.join(", ")));
    // The kubelet's own labels are there without being said.
    let own = |key: &str, value: &str| {
        key.ends_with("kubernetes.io/os") && value == "linux"
            || key.ends_with("kubernetes.io/arch") && value == "amd64"
    };
    let labels: Vec<String> = pool
        .labels
        .iter()
        .filter(|(key, value)| !own(key, value))
        .map(|(key, value)| format!("          {}: {}", text(key), text(value)))
        .collect();
    if !labels.is_empty() {
        lines.push("        labels:".to_owned());
        lines.extend(labels);
    }
    if !pool.taints.is_empty() {
        lines.push("        taints:".to_owned());
    }
    for taint in &pool.taints {
        let effect = match taint.effect {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::PreferNoSchedule => "PreferNoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        };
        let (key, value) = (text(&taint.key), text(&taint.value));
        lines.push(format!("        - {{key: {key}, value: {value}, effect: {effect}}}"));
    }
    lines.push("        # Of one node, in the policy's currency: your provider's price list.".to_owned());
    lines.push(format!("        pricePerHour: {}", pool.price_per_hour));
    if !fixed {
        let mean = SimDuration::from_secs_f64(pool.provision.mean()).as_secs_f64();
        lines.push(
            "        # From the decision to add a node until it is ready. Measure: the autoscaler's events."
                .to_owned(),
        );
        lines.push(format!(
            "        provision: {{low: 120s, mid: {mean}s, high: 350s, cv: 0.2, basis: prior, source: \"K8S: Cluster \
             Autoscaler, pending pod to Ready node\"}}"
        ));
    }
    lines.join("\n") + "\n"
}

/// Memory without rounding.
fn exact(memory: Bytes) -> String {
    const MIB: u64 = 1 << 20;
    if memory.0 > 0 && memory.0.is_multiple_of(MIB) {
        format!("{}Mi", memory.0 / MIB)
    } else {
        memory.0.to_string()
    }
}
