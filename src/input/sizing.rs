//! The cluster when no file describes it: the nodes of the manifests, or as many
//! usual ones as the pods need.

use crate::input::cluster::kubelet_labels;
use crate::input::findings::Findings;
use crate::input::manifest::set::{ManifestNode, ManifestSet, ManifestWorkload};
use crate::k8s::labels::Labels;
use crate::scenario::{Basis, Cluster, Container, Kind, NodePool, ProvisionedBy};
use crate::sim::random::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// Users at the peak when nobody says how many.
pub const USUAL_USERS: f64 = 1_000.0;

/// The usual node: 4 cores and 16 GiB, what EKS keeps back of it, and its price
/// per hour (m6i.xlarge, us-east-1, on demand).
const NODE_CPU: MilliCpu = MilliCpu(4_000);
const NODE_MEMORY: Bytes = Bytes::from_mib(16 * 1_024);
const RESERVED_CPU: MilliCpu = MilliCpu(80);
const RESERVED_MEMORY: Bytes = Bytes::from_mib(993);
const NODE_PODS: u32 = 58;
const NODE_PRICE: f64 = 0.192;
/// Nodes are made larger up to so many times the usual one, so that a pod fits.
const LARGEST: u64 = 64;

/// What the pods of one workload ask for, and how many there are.
struct Asks {
    cpu: MilliCpu,
    memory: Bytes,
    least: u32,
    most: u32,
}

/// The cluster of these manifests.
pub fn cluster(set: &ManifestSet, into: &mut Findings) -> Cluster {
    let (pools, provisioned_by) = if set.nodes.is_empty() {
        (vec![usual_pool(set, into)], ProvisionedBy::ClusterAutoscaler)
    } else {
        let source = "no cluster file: the Node objects of the manifests, none added or removed";
        into.assume("cluster: nodes", set.nodes.len().to_string(), None, Basis::Assumed, source);
        (pools_of(&set.nodes), ProvisionedBy::Nobody)
    };
    let mut chance = |what: &str, mean: f64, value: &str, range: &str, basis, source| {
        into.assume(&format!("cluster: {what}"), value.to_owned(), Some(range.to_owned()), basis, source);
        Distribution::LogNormal { mean, cv: 0.5 }
    };
    let pod_start = chance("pod start", 1.0, "1s", "0.5s to 3s", Basis::Prior, "CC, K8S: created to Ready");
    let image_pull =
        chance("image pull", 5.0, "5s", "2s to 20s", Basis::Assumed, "from a registry in the region");
    Cluster {
        name: "default".to_owned(),
        pools,
        provisioned_by,
        network_latency: SimDuration::from_micros(250),
        metrics_resolution: SimDuration::from_secs(15),
        pod_start,
        image_pull,
    }
}

/// Usual nodes, so many that the pods fit and one may be lost.
fn usual_pool(set: &ManifestSet, into: &mut Findings) -> NodePool {
    let asks: Vec<Asks> = set.workloads.iter().map(|workload| asks_of(workload, set)).collect();
    let times = size_for(&asks);
    let daemons: Vec<&Asks> = set
        .workloads
        .iter()
        .zip(&asks)
        .filter(|(workload, _)| workload.kind == Kind::DaemonSet)
        .map(|(_, asks)| asks)
        .collect();
    let mut pool = NodePool {
        name: "workers".to_owned(),
        cpu: NODE_CPU * times,
        memory: NODE_MEMORY * times,
        reserved_cpu: RESERVED_CPU,
        reserved_memory: RESERVED_MEMORY,
        max_pods: NODE_PODS.max(110 * u32::from(times > 1)),
        count: 0,
        min: 0,
        max: 0,
        zones: ["zone-a", "zone-b", "zone-c"].map(str::to_owned).to_vec(),
        labels: labels(set, into),
        taints: Vec::new(),
        price_per_hour: NODE_PRICE * times as f64,
        provision: Distribution::LogNormal { mean: 240.0, cv: 0.2 },
        alternatives: Vec::new(),
    };
    // Every node has the pods of the DaemonSets; what they leave is for the rest.
    let room = NodePool {
        reserved_cpu: pool.reserved_cpu + daemons.iter().map(|asks| asks.cpu).sum(),
        reserved_memory: pool.reserved_memory + daemons.iter().map(|asks| asks.memory).sum(),
        max_pods: pool.max_pods.saturating_sub(daemons.len() as u32).max(1),
        ..pool.clone()
    };
    let others = || {
        let all = set.workloads.iter().zip(&asks);
        all.filter(|(workload, _)| workload.kind != Kind::DaemonSet).map(|(_, asks)| asks)
    };
    pool.count = nodes_for(others().map(|asks| (asks, asks.least)), &room) + 1;
    pool.min = pool.count;
    pool.max = (nodes_for(others().map(|asks| (asks, asks.most)), &room) + 1).max(pool.count);
    let source = "no cluster file: what the pods ask for at the HPAs' minimum fits with one node to spare, and \
                  at their maximum when cluster-autoscaler has added nodes";
    let value = format!("{} to {} nodes of {} CPU and {}", pool.min, pool.max, pool.cpu, pool.memory);
    into.assume("cluster: nodes", value, None, Basis::Assumed, source);
    let source = "K8S: Cluster Autoscaler, pending pod to Ready node";
    let range = Some("120s to 350s".to_owned());
    into.assume("cluster: time to provision a node", "240s".to_owned(), range, Basis::Prior, source);
    pool
}

/// Labels of the usual nodes: the kubelet's, and those that pods select, unless
/// two select different values.
fn labels(set: &ManifestSet, into: &mut Findings) -> Labels {
    let mut labels = kubelet_labels();
    let selectors = || set.workloads.iter().flat_map(|workload| &workload.template.wishes.node_selector);
    let alone = |key: &str, value: &str| selectors().all(|(other, its)| other != key || its == value);
    let mut given = Labels::new();
    for (key, value) in selectors() {
        // The zone and the name are each node's own.
        let own = key == ZONE || key == HOSTNAME;
        if !own && alone(key, value) && labels.get(key) != Some(value) {
            given.insert(key.clone(), value.clone());
        }
    }
    if !given.is_empty() {
        let all: Vec<String> = given.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let source = "no cluster file: what the pods' nodeSelectors ask for";
        into.assume("cluster: labels of the nodes", all.join(", "), None, Basis::Assumed, source);
    }
    labels.append(&mut given);
    labels
}

/// How many times the usual node one must be, so that the largest pod fits.
fn size_for(asks: &[Asks]) -> u64 {
    let mut times = 1;
    let fits = |times: u64| {
        asks.iter().all(|one| {
            one.cpu <= (NODE_CPU * times).saturating_sub(RESERVED_CPU)
                && one.memory <= (NODE_MEMORY * times).saturating_sub(RESERVED_MEMORY)
        })
    };
    while times < LARGEST && !fits(times) {
        times *= 2;
    }
    times
}

/// Nodes that hold all pods, first fit with the largest first.
fn nodes_for<'a>(pods: impl Iterator<Item = (&'a Asks, u32)>, node: &NodePool) -> u32 {
    /// More is not tried: such a cluster is described in a file.
    const MOST: usize = 1_000;
    let mut pods: Vec<(&Asks, u32)> = pods.collect();
    pods.sort_by_key(|(asks, _)| std::cmp::Reverse((asks.cpu, asks.memory)));
    let (cpu, memory) = (node.allocatable_cpu(), node.allocatable_memory());
    let mut nodes: Vec<(MilliCpu, Bytes, u32)> = Vec::new();
    for (asks, count) in pods {
        for _ in 0..count {
            let room = nodes
                .iter_mut()
                .find(|(cpu, memory, pods)| asks.cpu <= *cpu && asks.memory <= *memory && *pods > 0);
            if let Some((cpu, memory, pods)) = room {
                (*cpu, *memory, *pods) = (*cpu - asks.cpu, *memory - asks.memory, *pods - 1);
            } else if nodes.len() < MOST {
                let left = (cpu.saturating_sub(asks.cpu), memory.saturating_sub(asks.memory));
                nodes.push((left.0, left.1, node.max_pods.saturating_sub(1)));
            } else {
                return MOST as u32;
            }
        }
    }
    (nodes.len() as u32).max(1)
}

/// What a workload's pods ask for, and how many there are at least and at most.
fn asks_of(workload: &ManifestWorkload, set: &ManifestSet) -> Asks {
    let template = &workload.template;
    let cpu = |one: &Container| one.requests.cpu.unwrap_or_default();
    let memory = |one: &Container| one.requests.memory.unwrap_or_default();
    let together = || {
        let sidecars = template.init_containers.iter().filter(|one| one.sidecar);
        template.containers.iter().chain(sidecars)
    };
    let first = || template.init_containers.iter().filter(|one| !one.sidecar);
    let overhead = &template.overhead;
    let hpa = set.autoscalers.iter().find(|hpa| {
        hpa.namespace == workload.namespace
            && hpa.target_kind == workload.api_kind
            && hpa.target_name == workload.name
    });
    let (least, most) = hpa.map_or((workload.replicas, workload.replicas), |hpa| {
        let least = hpa.spec.min_replicas;
        // A stated count is what the first pods are; the HPA needs its time.
        let start = if workload.replicas_stated { workload.replicas.max(least) } else { least };
        (start, hpa.spec.max_replicas.max(start))
    });
    Asks {
        cpu: together().map(cpu).sum::<MilliCpu>().max(first().map(cpu).max().unwrap_or_default())
            + overhead.cpu.unwrap_or_default(),
        memory: together().map(memory).sum::<Bytes>().max(first().map(memory).max().unwrap_or_default())
            + overhead.memory.unwrap_or_default(),
        least,
        most,
    }
}

/// The label that says in which zone a node is.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The label that every node has for itself.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Pools of equal nodes.
fn pools_of(nodes: &[ManifestNode]) -> Vec<NodePool> {
    let mut pools: Vec<NodePool> = Vec::new();
    for node in nodes {
        let mut labels = node.labels.clone();
        let zone = labels.remove(ZONE).unwrap_or_else(|| "zone-a".to_owned());
        labels.remove(HOSTNAME);
        let mut pool = NodePool {
            name: node.name.clone(),
            cpu: node.cpu,
            memory: node.memory,
            reserved_cpu: node.cpu.saturating_sub(node.allocatable_cpu),
            reserved_memory: node.memory.saturating_sub(node.allocatable_memory),
            max_pods: node.max_pods,
            count: 1,
            min: 1,
            max: 1,
            zones: vec![zone],
            labels,
            taints: node.taints.clone(),
            price_per_hour: 0.0,
            provision: Distribution::Constant(240.0),
            alternatives: Vec::new(),
        };
        let alike = pools.iter_mut().find(|known| {
            let (name, zones) = (known.name.clone(), known.zones.clone());
            let (count, min, max) = (known.count, known.min, known.max);
            **known == NodePool { name, count, min, max, zones, ..pool.clone() }
        });
        if let Some(known) = alike {
            // Zones are taken in turn, so that each node keeps its own.
            known.zones.append(&mut pool.zones);
            (known.count, known.min, known.max) = (known.count + 1, known.min + 1, known.max + 1);
        } else {
            pools.push(pool);
        }
    }
    pools
}
