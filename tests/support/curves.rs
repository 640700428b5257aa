//! The systems that control loops are measured with: Deployments that follow usage
//! curves of a day, each with an HPA and probes, on nodes of 16 cores.

use kubeplan::k8s::hpa::{HpaSpec, MetricSpec, ResourceName, ResourceTarget};
use kubeplan::k8s::probe::Probe;
use kubeplan::k8s::rollout::{IntOrPercent, Strategy};
use kubeplan::scenario::{
    Autoscaler, Interpolation, Kind, NodePool, Population, Scenario, Shape, Usage, UsagePoint, Workload,
};
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};

use super::{scenario, workload};

/// A day's points of five minutes.
pub const POINTS: u64 = 288;

/// A wave of one day around 18 cores, from 7.5 to 28.5, each Deployment's a little
/// later than the one before.
fn wave(number: u32, point: u64) -> UsagePoint {
    let turn = (point as f64 / POINTS as f64 + f64::from(number) / 100.0) * std::f64::consts::TAU;
    let cores = 18.0 - 10.5 * libm::cos(turn);
    UsagePoint {
        time: SimDuration::from_secs(point * 300),
        cpu: MilliCpu((cores * 1_000.0).round() as u64),
        memory: Bytes::from_mib((cores * 600.0) as u64),
    }
}

/// A workload without requests whose ready pods use together what `points` say,
/// second by second, in thousandths of a core and MiB; from the start of the run.
pub fn following(name: &str, replicas: u32, points: &[(u64, u64, u64)]) -> Workload {
    let mut one = workload(name, replicas, Vec::new());
    one.behaviour.operations.clear();
    let points = points.iter().map(|&(second, milli, mib)| UsagePoint {
        time: SimDuration::from_secs(second),
        cpu: MilliCpu(milli),
        memory: Bytes::from_mib(mib),
    });
    let (points, interpolation) = (points.collect(), Interpolation::Step);
    one.usage = Some(Usage { points, interpolation, period: None, start: SimTime::ZERO });
    one
}

/// Nobody asks; only curves are followed.
pub fn without_users(workloads: Vec<Workload>, seconds: u64) -> Scenario {
    let mut made = scenario(workloads, 1.0, seconds);
    made.demand.population = Population::Users { peak: 0.0, shape: Shape::steady(1.0) };
    made.demand.journeys.clear();
    made
}

/// An HPA on CPU.
pub fn hpa(workload: usize, percent: i32, (min_replicas, max_replicas): (u32, u32)) -> Autoscaler {
    let metric = MetricSpec::Resource {
        resource: ResourceName::Cpu,
        container: None,
        target: ResourceTarget::Utilization(percent),
    };
    let spec = HpaSpec { min_replicas, max_replicas, metrics: vec![metric], behavior: None };
    Autoscaler { name: format!("hpa-{workload}"), workload, spec, custom: Vec::new() }
}

/// So many Deployments on so many nodes for so many hours.
pub fn deployments(count: u32, nodes: u32, hours: u64) -> Scenario {
    let workloads = (0..count).map(|number| {
        let mut one = following(&format!("web-{number}"), 30, &[(0, 0, 0)]);
        one.kind = Kind::Deployment {
            strategy: Strategy::RollingUpdate {
                max_surge: IntOrPercent::Percent(25),
                max_unavailable: IntOrPercent::Percent(25),
            },
            progress_deadline: SimDuration::from_secs(600),
        };
        if let Some(usage) = &mut one.usage {
            usage.points = (0..POINTS).map(|point| wave(number, point)).collect();
            usage.period = Some(SimDuration::from_secs(POINTS * 300));
        }
        let container = &mut one.template.containers[0];
        container.requests.cpu = Some(MilliCpu(500));
        container.requests.memory = Some(Bytes::from_mib(512));
        container.readiness = Some(Probe::default());
        container.liveness = Some(Probe::default());
        one
    });
    let mut made = without_users(workloads.collect(), hours * 3_600);
    made.warm_up = SimDuration::ZERO;
    made.autoscalers = (0..count as usize).map(|workload| hpa(workload, 60, (1, 200))).collect();
    made.cluster.pools = vec![NodePool {
        cpu: MilliCpu(16_000),
        memory: Bytes::from_mib(64 << 10),
        max_pods: 110,
        count: nodes,
        min: nodes,
        max: nodes,
        ..made.cluster.pools[0].clone()
    }];
    made
}
