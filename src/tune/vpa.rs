//! What the Vertical Pod Autoscaler would request, from the usage of a run.

use super::settings::Settings;
use super::site::{Site, Sizing};
use crate::k8s::vpa::{Amount, CPU_SAMPLE_WEIGHT, History, Watched};
use crate::observe::{Observations, WorkloadSeries};
use crate::scenario::Scenario;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// The recommender takes a sample of each container's CPU a minute.
const MINUTE: SimDuration = SimDuration::from_secs(60);
/// The memory of so many pods is told apart; more say nothing more of a percentile.
const PODS: usize = 100;

/// Settings with VPA's target for every site that requests reach; limits keep their
/// proportion to the requests (`controlledValues: RequestsAndLimits`, its default),
/// and replicas stay.
pub fn recommended(settings: &Settings, sites: &[Site], scenario: &Scenario, run: &Observations) -> Settings {
    let sizes = sites.iter().zip(&settings.sizes).map(|(site, size)| {
        let seen = run.series.workloads.get(site.workload);
        match seen.filter(|_| site.asked) {
            Some(series) => sized(*size, target(site, scenario, run, series)),
            None => *size,
        }
    });
    Settings { sizes: sizes.collect(), guards: settings.guards.clone() }
}

/// The recommender's target for a site's container.
fn target(site: &Site, scenario: &Scenario, run: &Observations, series: &WorkloadSeries) -> Amount {
    let mut history = History::default();
    // Pods of one workload get even parts of the work: one sample stands for all.
    let mut watched = Watched::default();
    let mut memory = vec![Watched::default(); PODS];
    let rows = run.series.times.iter().zip(&series.ready).zip(series.cpu.iter().zip(&series.memory));
    let step = run.series.step.max(SimDuration::from_secs(1));
    let per_minute = (MINUTE.as_nanos() / step.as_nanos()).max(1) as usize;
    let (mut cpu, mut taken) = (0.0, 0);
    // What a row says was used was used by those that ended in it, too.
    let before = std::iter::once(&0).chain(&series.ready);
    let rows = rows.zip(before).filter(|(((time, _), _), _)| **time > run.start);
    for (((time, ready), (used, held)), before) in rows {
        let pods = f64::from((*ready).max(*before).max(1));
        cpu += used / pods;
        taken += 1;
        if taken == per_minute {
            let usage = MilliCpu((cpu / per_minute as f64 * 1e3).round() as u64);
            history.add_cpu(&mut watched, usage, CPU_SAMPLE_WEIGHT * pods, *time);
            (cpu, taken) = (0.0, 0);
        }
        for one in memory.iter_mut().take(*ready as usize) {
            history.add_memory(one, Bytes((held / f64::from((*ready).max(1))) as u64), *time);
        }
    }
    let seen = &run.workloads[site.workload];
    history.add_memory(&mut memory[0], seen.memory_pod_max, run.end);
    if seen.oom_kills > 0 {
        history.out_of_memory(&mut memory[0], Bytes(site.now.memory << 20), run.end);
    }
    history.recommend(scenario.workloads[site.workload].template.containers.len() as u32).target
}

/// A size with this target.
fn sized(size: Sizing, target: Amount) -> Sizing {
    let cpu = target.cpu.0.max(1);
    let memory = target.memory.0.div_ceil(1 << 20).max(1);
    let in_proportion = |limit: u64, before: u64, after: u64| {
        if before == 0 { limit } else { ((limit as f64) * after as f64 / before as f64).round() as u64 }
    };
    Sizing {
        cpu,
        cpu_limit: size.cpu_limit.map(|limit| in_proportion(limit, size.cpu, cpu).max(cpu)),
        memory,
        memory_limit: size.memory_limit.map(|limit| in_proportion(limit, size.memory, memory).max(memory)),
        ..size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_keep_their_proportion() {
        let size = Sizing {
            cpu: 250,
            cpu_limit: Some(500),
            memory: 256,
            memory_limit: Some(512),
            min: 2,
            max: 10,
            target: 70,
        };
        let target = Amount { cpu: MilliCpu(300), memory: Bytes::from_mib(128) };
        let after = sized(size, target);
        assert_eq!((after.cpu, after.cpu_limit), (300, Some(600)));
        assert_eq!((after.memory, after.memory_limit), (128, Some(256)));
        assert_eq!((after.min, after.max, after.target), (2, 10, 70));
        let unasked = sized(Sizing { cpu: 0, cpu_limit: Some(200), ..size }, target);
        assert_eq!((unasked.cpu, unasked.cpu_limit), (300, Some(300)));
    }
}
