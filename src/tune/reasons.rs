//! Why settings are what they are, in figures of their own runs.

use super::harden::Hardened;
use super::search::{Finalist, Found};
use super::settings::{Reasons, cores, memory_in_words};
use super::trial::Tested;
use crate::units::figures::{bytes, count, percent, plural};

/// The reasons for a finalist's settings.
pub fn reasons(found: &Found, best: &Finalist, tested: &[Tested], hardened: &[Hardened]) -> Reasons {
    let mut all = Reasons::default();
    let spare = |memory: bool| -> String {
        let kept = hardened.iter().filter(|one| one.kept && one.headroom.is_memory() == memory);
        let spared: Vec<String> =
            kept.map(|one| format!("; {}: {}", one.headroom.in_words(), one.because)).collect();
        spared.concat()
    };
    for (index, site) in found.sites.iter().enumerate() {
        let size = &best.settings.sizes[index];
        let seen = best.runs.iter().map(|run| &run.workloads[site.workload]);
        let peak = seen.clone().map(|one| one.cpu_cores.max()).fold(0.0, f64::max);
        let pods = seen.clone().map(|one| one.ready.max()).fold(0.0, f64::max);
        let memory = seen.map(|one| one.memory_pod_max.0).max().unwrap_or(0);
        let each = peak / pods.max(1.0);
        let now = cores(site.now.cpu);
        all.cpu.push(if site.now.target > 0 {
            format!(
                "{peak:.2} cores at the peak over {}: {} of {} requested each; was {now} at a target of {} %",
                plural(pods as u64, "pod", "pods"),
                percent(each * 1e3 / (size.cpu.max(1) as f64)),
                cores(size.cpu),
                site.now.target,
            )
        } else {
            format!("{peak:.2} cores at the peak over {}; was {now}", plural(pods as u64, "pod", "pods"))
        });
        all.memory.push(format!(
            "the largest pod held {}; was {} of {}{}",
            bytes(memory as f64),
            memory_in_words(site.now.memory),
            site.now.memory_limit.map_or("no limit".to_owned(), memory_in_words),
            spare(true),
        ));
        all.pods.push(format!(
            "up to {} pods were ready at the peak, using {peak:.2} cores; was {} to {}{}",
            count(pods),
            site.now.min,
            site.now.max,
            spare(false),
        ));
    }
    all.guards = tested.iter().map(|one| (one.guard, one.because.clone())).collect();
    all
}
