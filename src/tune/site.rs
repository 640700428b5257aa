//! Where a workload's settings stand in the user's objects, and what they are now.

use serde_json::Value;

use crate::change::ObjectName;
use crate::k8s::hpa::{MetricSpec, ResourceName, ResourceTarget};
use crate::scenario::{Kind, Scenario, Step, Target};
use crate::units::SimDuration;

/// An object as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Which.
    pub name: ObjectName,
    /// What it says.
    pub value: Value,
}

/// The container that answers the requests, as everywhere in a simulation. Others keep
/// what they have.
pub(super) const SERVING: &str = "spec.template.spec.containers[0]";

/// One workload that can be set.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the workload")]
pub struct Site {
    /// Index into the scenario's workloads.
    pub workload: usize,
    /// Index into the objects.
    pub object: usize,
    /// Its HPA, whatever that goes by: where there is one, the number of replicas is its.
    pub hpa: Option<HpaSite>,
    /// Whether more pods do more work: it has an HPA, or is a Deployment of several
    /// replicas, and has no volume that only one node can mount.
    pub scales: bool,
    /// Whether any node will do for its pods at any time: it is a Deployment without a volume
    /// that only one node can mount.
    pub moves: bool,
    /// Whether its pods stand in for each other: it scales, or is a StatefulSet of several.
    pub several: bool,
    /// Whether requests reach it, so that something is known of its needs.
    pub asked: bool,
    /// How much CPU one pod can use at once, in cores; `None` for any.
    pub threads: Option<u32>,
    /// The longest that anybody waits for an answer of it.
    pub longest_wait: Option<SimDuration>,
    /// Whether a disruption budget is over its pods: the eviction API refuses pods with two.
    pub guarded: bool,
    /// The settings as they are.
    pub now: Sizing,
}

impl Site {
    /// The path of its HPA's CPU target, where that can be set.
    pub fn cpu_target(&self) -> Option<&str> {
        self.hpa.as_ref()?.target.as_deref()
    }

    /// One that scales and is asked, and has nothing else.
    #[cfg(test)]
    pub(super) fn plain(now: Sizing) -> Self {
        Self {
            workload: 0,
            object: 0,
            hpa: None,
            scales: true,
            moves: true,
            several: true,
            asked: true,
            threads: None,
            longest_wait: None,
            guarded: false,
            now,
        }
    }
}

/// An HPA that a search may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HpaSite {
    /// Index into the objects.
    pub object: usize,
    /// Index into the scenario's autoscalers.
    pub autoscaler: usize,
    /// The path of the CPU target; `None` where it goes by something else, or where its
    /// target can't be set as it is written.
    pub target: Option<String>,
    /// Whether it also looks at memory.
    pub memory: bool,
}

/// How large and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// CPU request, in thousandths of a core.
    pub cpu: u64,
    /// CPU limit.
    pub cpu_limit: Option<u64>,
    /// Memory request, in MiB.
    pub memory: u64,
    /// Memory limit.
    pub memory_limit: Option<u64>,
    /// `minReplicas`, or `replicas` where nothing scales it.
    pub min: u32,
    /// `maxReplicas`; the same as `min` where nothing scales it.
    pub max: u32,
    /// The HPA's CPU target in percent of the request; 0 where none can be set.
    pub target: u32,
}

/// The workloads whose settings can be searched, in the scenario's order.
pub fn sites(scenario: &Scenario, objects: &[Object]) -> Vec<Site> {
    (0..scenario.workloads.len()).filter_map(|workload| site(scenario, objects, workload)).collect()
}

fn site(scenario: &Scenario, objects: &[Object], workload: usize) -> Option<Site> {
    let it = &scenario.workloads[workload];
    let kind = match it.kind {
        Kind::Deployment { .. } => "Deployment",
        Kind::StatefulSet { .. } => "StatefulSet",
        Kind::ReplicaSet | Kind::DaemonSet | Kind::Pod | Kind::Job => return None,
    };
    let object = objects.iter().position(|one| {
        one.name.kind == kind && one.name.name == it.name && one.name.namespace == it.namespace
    })?;
    let serving = it.template.containers.first()?;
    let hpa = hpa(scenario, objects, workload);
    let (requests, limits) = (&serving.requests, &serving.limits);
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let spec = hpa.as_ref().map(|hpa| &scenario.autoscalers[hpa.autoscaler].spec);
    let now = Sizing {
        cpu: requests.cpu.map_or(0, |cpu| cpu.0),
        cpu_limit: limits.cpu.map(|cpu| cpu.0),
        memory: requests.memory.map_or(0, |memory| mib(memory.0)),
        memory_limit: limits.memory.map(|memory| mib(memory.0)),
        min: spec.map_or(it.replicas, |spec| spec.min_replicas),
        max: spec.map_or(it.replicas, |spec| spec.max_replicas),
        target: spec
            .filter(|_| hpa.as_ref().is_some_and(|hpa| hpa.target.is_some()))
            .and_then(|spec| cpu_target(&spec.metrics, &serving.name))
            .map_or(0, |(.., target)| target),
    };
    let several = it.replicas > 1;
    let scales = !it.template.single_node_volume && (hpa.is_some() || kind == "Deployment" && several);
    Some(Site {
        workload,
        object,
        hpa,
        scales,
        moves: !it.template.single_node_volume && kind == "Deployment",
        several: scales || kind == "StatefulSet" && several,
        asked: is_asked(scenario, workload),
        threads: it.behaviour.threads,
        longest_wait: scenario.longest_wait(workload),
        guarded: scenario.budgets.iter().any(|budget| budget.guards(&it.namespace, &it.template.labels)),
        now,
    })
}

/// The HPA of a workload.
fn hpa(scenario: &Scenario, objects: &[Object], workload: usize) -> Option<HpaSite> {
    let autoscaler = scenario.autoscalers.iter().position(|one| one.workload == workload)?;
    let it = &scenario.autoscalers[autoscaler];
    let namespace = &scenario.workloads[workload].namespace;
    let object = objects.iter().position(|one| {
        one.name.kind == "HorizontalPodAutoscaler"
            && one.name.name == it.name
            && one.name.namespace == *namespace
    })?;
    let listed = objects[object].value["spec"]["metrics"].is_array();
    let serving = &scenario.workloads[workload].template.containers.first()?.name;
    let target = cpu_target(&it.spec.metrics, serving).and_then(|(metric, source, _)| {
        match objects[object].name.api_version.as_str() {
            "autoscaling/v1" => Some("spec.targetCPUUtilizationPercentage".to_owned()),
            "autoscaling/v2" | "autoscaling/v2beta2" if listed => {
                Some(format!("spec.metrics[{metric}].{source}.target.averageUtilization"))
            }
            _ => None,
        }
    });
    let memory =
        it.spec.metrics.iter().any(
            |one| matches!(one, MetricSpec::Resource { resource, .. } if *resource == ResourceName::Memory),
        );
    Some(HpaSite { object, autoscaler, target, memory })
}

/// The metric that is the CPU of the pods, or of their serving container alone, in percent
/// of requests: its place, the field that it stands in, and its target.
fn cpu_target(metrics: &[MetricSpec], serving: &str) -> Option<(usize, &'static str, u32)> {
    metrics.iter().enumerate().find_map(|(index, metric)| match metric {
        MetricSpec::Resource {
            resource: ResourceName::Cpu,
            container,
            target: ResourceTarget::Utilization(target),
        } => {
            let source = match container {
                None => "resource",
                Some(container) if container == serving => "containerResource",
                Some(_) => return None,
            };
            Some((index, source, u32::try_from(*target).unwrap_or(100)))
        }
        _ => None,
    })
}

/// Whether every workload that requests reach is among the sites, and another is
/// not: then the ones may go before the other.
pub(super) fn serves_alone(scenario: &Scenario, sites: &[Site]) -> bool {
    let serves = |workload: &usize| is_asked(scenario, *workload);
    let known = |workload: usize| sites.iter().any(|site| site.workload == workload);
    let all = 0..scenario.workloads.len();
    let follows_nodes = |workload: &usize| matches!(scenario.workloads[*workload].kind, Kind::DaemonSet);
    all.clone().filter(serves).all(known) && all.filter(|one| !follows_nodes(one)).any(|one| !serves(&one))
}

/// Whether any request of a user reaches it, by whatever way.
fn is_asked(scenario: &Scenario, workload: usize) -> bool {
    let mut asked = vec![false; scenario.workloads.len()];
    let mut new: Vec<usize> = scenario
        .demand
        .journeys
        .iter()
        .flat_map(|journey| &journey.visits)
        .map(|visit| visit.workload)
        .collect();
    while let Some(next) = new.pop() {
        if std::mem::replace(&mut asked[next], true) {
            continue;
        }
        let steps = scenario.workloads[next].behaviour.operations.iter().flat_map(|one| &one.steps);
        new.extend(steps.flat_map(Step::calls).filter_map(|call| match call.target {
            Target::Operation { workload, .. } => Some(workload),
            Target::External(_) => None,
        }));
    }
    asked[workload]
}
