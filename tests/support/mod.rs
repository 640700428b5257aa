//! Small systems built in code, for tests that compare runs with theory.
#![allow(dead_code)]

pub mod curves;
pub mod hops;

use kubeplan::k8s::labels::Labels;
use kubeplan::k8s::placement::Wishes;
use kubeplan::k8s::resources::Resources;
use kubeplan::k8s::version::Version;
use kubeplan::scenario::{
    Balancing, Behaviour, Cluster, Concurrency, Container, Demand, Goals, IngressRetries, Interpolation,
    Journey, Kind, Limits, MemoryModel, NodeHold, NodePool, Operation, PodTemplate, Pool, Population,
    ProvisionedBy, Retry, Scenario, Shape, StartUp, Step, Visit, Workload,
};
use kubeplan::sim::random::Distribution;
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// A pool of so many connections, one call at a time on each, and nothing else about it.
pub fn pool(size: u32) -> Pool {
    Pool {
        size: Some(size),
        least: 0,
        streams: Some(1),
        queue: None,
        timeout: None,
        idle: None,
        max_age: None,
        max_requests: None,
    }
}

/// A distribution that is always the same.
pub const fn always(value: f64) -> Distribution {
    Distribution::Constant(value)
}

/// Exponential with this mean in seconds.
pub const fn exponential(mean: f64) -> Distribution {
    Distribution::Exponential { mean }
}

/// A workload of `replicas` bare containers that do `steps` for each request.
pub fn workload(name: &str, replicas: u32, steps: Vec<Step>) -> Workload {
    let container = Container {
        requests: Resources {
            cpu: Some(MilliCpu(1_000)),
            memory: Some(Bytes::from_mib(64)),
            ..Resources::default()
        },
        ..Container::plain(name, name)
    };
    let template = PodTemplate {
        labels: Labels::from([("app".to_owned(), name.to_owned())]),
        containers: vec![container],
        init_containers: Vec::new(),
        overhead: Resources::default(),
        wishes: Wishes::default(),
        grace: SimDuration::from_secs(30),
        single_node_volume: false,
        hold: NodeHold::default(),
        restart_always: true,
    };
    let behaviour = Behaviour {
        start_up: StartUp { wait: always(1.0), cpu: always(0.0) },
        warm_up: None,
        threads: None,
        concurrency: Concurrency { limit: None, queue: None },
        memory: MemoryModel {
            base: Bytes::from_mib(32),
            per_request: Bytes::ZERO,
            leak: Bytes::ZERO,
            per_user: Bytes::ZERO,
        },
        idle_cpu: MilliCpu::ZERO,
        sidecars: Vec::new(),
        shut_down: SimDuration::from_millis(100),
        drains: true,
        ingress: IngressRetries::USUAL,
        ingress_balancing: Balancing::Random,
        max_connections: None,
        upstreams: Vec::new(),
        operations: vec![Operation { name: "ask".to_owned(), steps }],
    };
    Workload {
        name: name.to_owned(),
        namespace: "default".to_owned(),
        kind: Kind::ReplicaSet,
        replicas,
        min_ready: SimDuration::ZERO,
        template,
        behaviour,
        usage: None,
        behind_ingress: false,
    }
}

/// One request to the first workload per journey.
pub fn journey() -> Journey {
    Journey {
        name: "ask".to_owned(),
        weight: 1.0,
        visits: vec![Visit {
            workload: 0,
            operation: 0,
            think: always(0.0),
            times: 1,
            timeout: SimDuration::from_secs(36_000),
            retry: Retry::NONE,
        }],
    }
}

/// Workloads on one node that is never the bottleneck, under Poisson arrivals.
pub fn scenario(workloads: Vec<Workload>, per_second: f64, seconds: u64) -> Scenario {
    let pool = NodePool {
        name: "big".to_owned(),
        cpu: MilliCpu(4_000_000),
        memory: Bytes::from_mib(1 << 22),
        reserved_cpu: MilliCpu::ZERO,
        reserved_memory: Bytes::ZERO,
        max_pods: 10_000,
        count: 1,
        min: 1,
        max: 1,
        zones: vec!["a".to_owned()],
        labels: Labels::new(),
        taints: Vec::new(),
        price_per_hour: 1.0,
        provision: always(60.0),
        alternatives: Vec::new(),
    };
    Scenario {
        name: "test".to_owned(),
        version: Version::default(),
        warm_up: SimDuration::from_secs(seconds / 20),
        horizon: SimDuration::from_secs(seconds),
        workloads,
        autoscalers: Vec::new(),
        budgets: Vec::new(),
        externals: Vec::new(),
        cluster: Cluster {
            name: "test".to_owned(),
            pools: vec![pool],
            provisioned_by: ProvisionedBy::Nobody,
            network_latency: SimDuration::from_micros(250),
            metrics_resolution: SimDuration::from_secs(15),
            pod_start: always(2.0),
            image_pull: always(0.0),
        },
        drills: Vec::new(),
        demand: Demand {
            population: Population::Rate {
                peak_per_second: per_second,
                shape: Shape { points: vec![(SimTime::ZERO, 1.0)], interpolation: Interpolation::Step },
                users: None,
                modulation: Vec::new(),
            },
            replay: None,
            journeys: vec![journey()],
            client_latency: SimDuration::ZERO,
            ramp_in: SimDuration::ZERO,
        },
        goals: Goals {
            notes: Vec::new(),
            rules: Vec::new(),
            drills: Vec::new(),
            name: "none".to_owned(),
            objectives: Vec::new(),
            confidence: 0.95,
            currency: "USD".to_owned(),
        },
        assumptions: Vec::new(),
        not_simulated: Vec::new(),
        fidelity: kubeplan::scenario::Fidelity::Full,
        limits: Limits::default(),
    }
}
