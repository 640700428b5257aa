//! What every workload needs at the peak, found by giving it more than enough.
//!
//! A queueing formula would have to guess how calls, retries and caches share
//! the work out. One short run with pods in plenty measures it.

use super::site::Site;
use crate::run;
use crate::scenario::catalogue;
use crate::scenario::{ProvisionedBy, Scenario};
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
/// request reaches.
pub fn needs(scenario: &Scenario, sites: &[Site], base: u64) -> Vec<Need> {
    let mut replicas: Vec<u32> = sites.iter().map(|site| if site.scales { FIRST } else { 1 }).collect();
    let mut needs = Vec::new();
    for _ in 0..MOST {
        let plenty = with_plenty(scenario, sites, &replicas);
        let run = run::replicate(&plenty, base, 0..1, |_| ()).remove(0);
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
