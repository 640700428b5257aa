//! What every workload needs at the peak, found by giving it more than enough.
//!
//! A queueing formula would have to guess how calls, retries and caches share
//! the work out. One short run with pods in plenty measures it.

use super::site::Site;
use crate::run;
use crate::scenario::catalogue;
use crate::scenario::{ProvisionedBy, Scenario, Step, Target};
use crate::units::{MilliCpu, SimDuration};

/// What one workload needs at the peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// CPU of all its pods, in cores.
    pub cores: f64,
    /// Memory of its largest pod, in MiB.
    pub memory: u64,
}

/// Until the users have spread over their thinking times.
const WARM_UP: SimDuration = SimDuration::from_secs(90);
/// Measured for so long.
const HORIZON: SimDuration = SimDuration::from_secs(60);
/// Pods at the first try.
const FIRST: u32 = 8;
/// Pods are doubled at most so often: to 512 times as many.
const MOST: usize = 9;
/// Pods have more than enough below this part of what they can use.
const CALM: f64 = 0.5;

/// What every site needs at the scenario's peak; nothing for those that no
/// request reaches. `runs` counts on.
pub fn needs(scenario: &Scenario, sites: &[Site], base: u64, runs: &mut usize) -> Vec<Need> {
    let mut replicas: Vec<u32> =
        sites.iter().map(|site| if site.scales { FIRST } else { site.now.min.max(1) }).collect();
    let mut needs = Vec::new();
    for _ in 0..MOST {
        let plenty = with_plenty(scenario, sites, &replicas);
        let run = run::replicate(&plenty, base, 0..1, |_| ()).remove(0);
        *runs += 1;
        needs = sites
            .iter()
            .map(|site| {
                let seen = &run.workloads[site.workload];
                Need { cores: seen.cpu_cores.mean(), memory: seen.memory_pod_max.0.div_ceil(1 << 20) }
            })
            .collect();
        let mut short = false;
        for ((site, need), replicas) in sites.iter().zip(&needs).zip(&mut replicas) {
            let usable = f64::from(site.threads.unwrap_or(4).min(4));
            if site.scales && need.cores > CALM * usable * f64::from(*replicas) {
                *replicas *= 2;
                short = true;
            }
        }
        if !short {
            break;
        }
    }
    needs
}

/// The needs where requests cost something else than where they were measured: as
/// many times as much as the work that users ask for by the calls' arithmetic. What
/// is cached, retried or refused on the way stays as it was measured.
pub fn elsewhere(needs: &[Need], sites: &[Site], measured: &Scenario, other: &Scenario) -> Vec<Need> {
    let (before, after) = (offered(measured), offered(other));
    let scaled = |(site, need): (&Site, &Need)| {
        let (before, after) = (before[site.workload], after[site.workload]);
        let factor = if before > 0.0 { after / before } else { 1.0 };
        Need { cores: need.cores * factor, ..*need }
    };
    sites.iter().zip(needs).map(scaled).collect()
}

/// For each workload the CPU that an average journey asks of it, in core-seconds,
/// if every call is made once and answered.
pub fn offered(scenario: &Scenario) -> Vec<f64> {
    let mut sum = vec![0.0; scenario.workloads.len()];
    let weights: f64 = scenario.demand.journeys.iter().map(|journey| journey.weight).sum();
    for journey in &scenario.demand.journeys {
        for visit in &journey.visits {
            let times = journey.weight / weights.max(f64::MIN_POSITIVE) * f64::from(visit.times);
            ask(scenario, visit.workload, visit.operation, times, &mut sum);
        }
    }
    sum
}

/// The CPU that one request of an operation asks of each workload, in core-seconds,
/// if every call is made once and answered.
pub fn work(scenario: &Scenario, workload: usize, operation: usize) -> Vec<f64> {
    let mut sum = vec![0.0; scenario.workloads.len()];
    ask(scenario, workload, operation, 1.0, &mut sum);
    sum
}

/// Adds what so many requests of an operation cost, calls and all. Operations don't
/// call themselves, not even by others: input sees to that.
fn ask(scenario: &Scenario, workload: usize, operation: usize, times: f64, sum: &mut [f64]) {
    for step in &scenario.workloads[workload].behaviour.operations[operation].steps {
        if let Step::Compute(work) = step {
            sum[workload] += times * work.mean();
        }
        for call in step.calls() {
            if let Target::Operation { workload, operation } = call.target {
                ask(scenario, workload, operation, times * call.probability, sum);
            }
        }
    }
}

/// The scenario at its peak with so many pods, without limits, on nodes in plenty.
fn with_plenty(scenario: &Scenario, sites: &[Site], replicas: &[u32]) -> Scenario {
    let mut plenty = catalogue::at_peak(scenario);
    plenty.warm_up = WARM_UP;
    plenty.horizon = HORIZON;
    plenty.demand.ramp_in = WARM_UP / 3;
    plenty.autoscalers.clear();
    plenty.budgets.clear();
    let mut pods = 0;
    for (site, replicas) in sites.iter().zip(replicas) {
        let workload = &mut plenty.workloads[site.workload];
        if site.asked {
            workload.replicas = *replicas;
            for container in &mut workload.template.containers {
                container.requests.cpu = Some(MilliCpu(100));
                container.limits.cpu = None;
                container.limits.memory = None;
            }
        }
        pods += workload.replicas;
    }
    plenty.cluster.provisioned_by = ProvisionedBy::Nobody;
    for pool in &mut plenty.cluster.pools {
        // A node for every pod, so that none has to share.
        pool.count = pods.max(pool.count);
        pool.min = pool.count;
        pool.max = pool.count;
        pool.max_pods = pool.max_pods.max(8);
    }
    plenty
}
