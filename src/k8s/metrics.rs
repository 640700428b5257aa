//! The metrics pipeline: kubelet samples, scrapes, windows, missing pods.
//!
//! Upstream: metrics-server `pkg/storage/{pod,types}.go`, `pkg/scraper/scraper.go`;
//! kubelet `pkg/kubelet/cadvisor/cadvisor_linux.go`. The kubelet keeps one
//! sample for each container, the metrics server the last two scrapes of it, and
//! CPU is the mean between those two: late by up to one scrape and one sample.

use crate::k8s::replicas::Sample;
use crate::units::{Bytes, SimDuration, SimTime};

/// From one scrape to the next, as the shipped manifest sets it.
pub const RESOLUTION: SimDuration = SimDuration::from_secs(15);
/// The same where nobody sets it: the binary's own default.
pub const RESOLUTION_UNSET: SimDuration = SimDuration::from_secs(60);
/// The least that the metrics server accepts.
pub const RESOLUTION_MIN: SimDuration = SimDuration::from_secs(10);
/// A younger container's CPU isn't derived from its start: too inexact.
pub const FRESH_CONTAINER_AGE_MIN: SimDuration = SimDuration::from_secs(10);
/// How often the kubelet samples a container at least …
pub const HOUSEKEEPING_MIN: SimDuration = SimDuration::from_secs(10);
/// … and how far it stretches that while little changes.
pub const HOUSEKEEPING_MAX: SimDuration = SimDuration::from_secs(15);
/// After which a node's kubelet counts as unreachable for one scrape.
pub const KUBELET_TIMEOUT: SimDuration = SimDuration::from_secs(10);

/// Within how long the requests of one scrape are spread over the nodes.
pub fn scrape_spread(nodes: u64) -> SimDuration {
    SimDuration::from_millis(nodes.saturating_mul(8).min(4_000))
}

/// What the kubelet last measured of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerSample {
    /// When the container started; a restart changes it.
    pub started: SimTime,
    /// When the kubelet measured.
    pub time: SimTime,
    /// CPU used since the start, in nanoseconds of one core.
    pub cpu_core_nanos: u64,
    /// Memory in use that can't be given back (the working set).
    pub working_set: Bytes,
}

/// What the metrics server keeps of one container: its last sample, and an
/// earlier one of the same run to divide by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerWindow {
    last: Option<ContainerSample>,
    previous: Option<Point>,
}

/// The start of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    time: SimTime,
    cpu_core_nanos: u64,
}

/// The usage of a container, or of a pod, over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodMetrics {
    /// When the window ended.
    pub time: SimTime,
    /// How long it was: 10 to 30 s at a resolution of 15 s.
    pub window: SimDuration,
    /// Mean CPU in milli-cores, rounded up.
    pub cpu_milli: i64,
    /// Working set at its end, in bytes.
    pub memory_bytes: i64,
}

impl ContainerWindow {
    /// Takes in what a scrape found of this container; `None` when it wasn't
    /// among what the node returned, or the node returned nothing.
    pub fn scrape(&mut self, seen: Option<ContainerSample>, resolution: SimDuration) {
        self.previous = seen.and_then(|new| self.window_start(new, resolution));
        self.last = seen;
    }

    /// What a scrape makes of a container that the one before it found, too, each with
    /// another sample of the same run.
    pub fn between(before: Option<ContainerSample>, last: Option<ContainerSample>) -> Self {
        let start =
            |before: ContainerSample| Point { time: before.time, cpu_core_nanos: before.cpu_core_nanos };
        Self { last, previous: before.map(start) }
    }

    /// Where the window of a new sample begins, if it has a beginning.
    fn window_start(&self, new: ContainerSample, resolution: SimDuration) -> Option<Point> {
        let age = new.time.since_or_zero(new.started);
        // One scrape is enough for a container so young that it has no other:
        // its counter was 0 when it started.
        if age >= FRESH_CONTAINER_AGE_MIN && age < resolution {
            return Some(Point { time: new.started, cpu_core_nanos: 0 });
        }
        let last = self.last.filter(|last| new.started < last.time)?;
        if new.time > last.time {
            Some(Point { time: last.time, cpu_core_nanos: last.cpu_core_nanos })
        } else {
            // The kubelet hasn't measured since: the window stays as it was.
            self.previous.filter(|previous| previous.time < new.time)
        }
    }

    /// The usage over the window; `None` while there is none.
    pub fn usage(&self) -> Option<PodMetrics> {
        let (last, previous) = (self.last?, self.previous?);
        let window = last.time.since(previous.time);
        let used = last.cpu_core_nanos.saturating_sub(previous.cpu_core_nanos);
        // Upstream truncates to nano-cores, and the reader rounds up to milli-cores.
        let nano_cores = (used as f64 / seconds(window)) as u64;
        Some(PodMetrics {
            time: last.time,
            window,
            cpu_milli: nano_cores.div_ceil(1_000_000) as i64,
            memory_bytes: i64::try_from(last.working_set.0).unwrap_or(i64::MAX),
        })
    }

    /// When the window ends, and when it began, as far as there is one.
    pub fn span(&self) -> (Option<SimTime>, Option<SimTime>) {
        (self.last.map(|last| last.time), self.previous.map(|previous| previous.time))
    }

    /// Whether the last scrape found the container.
    pub fn is_seen(&self) -> bool {
        self.last.is_some()
    }
}

/// What the API serves of a pod: the sum over the containers that the last
/// scrape found. One of them without a window, say after its restart, leaves the
/// whole pod without metrics. Time and window are those of the container that
/// was measured earliest.
pub fn pod_metrics<'a>(containers: impl IntoIterator<Item = &'a ContainerWindow>) -> Option<PodMetrics> {
    let mut sum: Option<PodMetrics> = None;
    for container in containers.into_iter().filter(|container| container.is_seen()) {
        let one = container.usage()?;
        sum = Some(match sum {
            None => one,
            Some(sum) => {
                let earliest = if one.time < sum.time { one } else { sum };
                PodMetrics {
                    cpu_milli: sum.cpu_milli + one.cpu_milli,
                    memory_bytes: sum.memory_bytes.saturating_add(one.memory_bytes),
                    ..earliest
                }
            }
        });
    }
    sum
}

impl PodMetrics {
    /// CPU as the HPA reads it, in milli-cores.
    pub fn cpu(&self) -> Sample {
        Sample { value: self.cpu_milli, time: self.time, window: self.window }
    }

    /// Memory as the HPA reads it, in thousandths of a byte.
    pub fn memory(&self) -> Sample {
        Sample { value: self.memory_bytes.saturating_mul(1_000), time: self.time, window: self.window }
    }
}

/// Seconds as Go's `Duration.Seconds` computes them: whole ones and the rest
/// apart, then added.
fn seconds(duration: SimDuration) -> f64 {
    let rest = duration.as_nanos() % 1_000_000_000;
    duration.whole_secs() as f64 + rest as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A container started at `started` that uses `milli` milli-cores, as the
    /// kubelet sees it at `time` (both in seconds).
    fn sample(started: u64, time: u64, milli: u64) -> ContainerSample {
        let cpu_core_nanos = (time - started) * milli * 1_000_000;
        let (started, time) = (SimTime::from_secs(started), SimTime::from_secs(time));
        ContainerSample { started, time, cpu_core_nanos, working_set: Bytes(1_000) }
    }

    /// Window and milli-cores after each scrape; `None` where the API has nothing.
    fn served(resolution: SimDuration, scrapes: &[Option<ContainerSample>]) -> Vec<Option<(u64, i64)>> {
        let mut container = ContainerWindow::default();
        let serve = |&seen: &Option<ContainerSample>| {
            container.scrape(seen, resolution);
            container.usage().map(|usage| (usage.window.whole_secs(), usage.cpu_milli))
        };
        scrapes.iter().map(serve).collect()
    }

    #[test]
    fn windows_follow_the_kubelets_samples() {
        let s = |started, time, milli| Some(sample(started, time, milli));
        let rows: [(&str, u64, Vec<_>, Vec<_>); 8] = [
            (
                "two scrapes make a window",
                15,
                vec![s(0, 100, 250), s(0, 115, 250)],
                vec![None, Some((15, 250))],
            ),
            ("one is enough when fresh", 15, vec![s(100, 112, 300)], vec![Some((12, 300))]),
            ("too fresh", 15, vec![s(100, 109, 300), s(100, 124, 300)], vec![None, Some((15, 300))]),
            ("as old as the resolution isn't fresh", 15, vec![s(100, 115, 300)], vec![None]),
            (
                "the same sample again keeps its window",
                15,
                vec![s(0, 100, 10), s(0, 110, 10), s(0, 110, 10), s(0, 125, 10)],
                vec![None, Some((10, 10)), Some((10, 10)), Some((15, 10))],
            ),
            (
                "a restart needs two scrapes again",
                15,
                vec![s(0, 100, 10), s(0, 115, 10), s(120, 128, 10), s(120, 143, 10)],
                vec![None, Some((15, 10)), None, Some((15, 10))],
            ),
            (
                "a scrape without it forgets it",
                15,
                vec![s(0, 100, 10), s(0, 115, 10), None, s(0, 145, 10), s(0, 160, 10)],
                vec![None, Some((15, 10)), None, None, Some((15, 10))],
            ),
            (
                "at a minute the fresh rule holds for long",
                60,
                vec![s(100, 109, 40), s(100, 159, 40), s(100, 219, 40)],
                vec![None, Some((59, 40)), Some((60, 40))],
            ),
        ];
        for (name, resolution, scrapes, expected) in rows {
            assert_eq!(served(SimDuration::from_secs(resolution), &scrapes), expected, "{name}");
        }
    }

    #[test]
    fn a_pod_is_served_when_each_seen_container_has_a_window() {
        let windows = |scrapes: &[Option<ContainerSample>]| {
            let mut container = ContainerWindow::default();
            for &seen in scrapes {
                container.scrape(seen, RESOLUTION);
            }
            container
        };
        let old = windows(&[Some(sample(0, 100, 250)), Some(sample(0, 114, 250))]);
        let other = windows(&[Some(sample(0, 100, 50)), Some(sample(0, 112, 50))]);
        let restarted = windows(&[Some(sample(0, 100, 50)), Some(sample(110, 115, 50))]);
        let gone = windows(&[Some(sample(0, 100, 50)), None]);
        let both = pod_metrics([&old, &other]).expect("both have windows");
        assert_eq!((both.cpu_milli, both.memory_bytes), (300, 2_000));
        assert_eq!((both.time, both.window), (SimTime::from_secs(112), SimDuration::from_secs(12)));
        assert_eq!(pod_metrics([&old, &restarted]), None);
        assert_eq!(pod_metrics([&old, &gone]).map(|pod| pod.cpu_milli), Some(250));
        assert_eq!(pod_metrics([&gone]), None);
        assert_eq!(both.memory().value, 2_000_000);
    }

    #[test]
    fn milli_cores_round_up() {
        let mut container = ContainerWindow::default();
        for (time, cpu_core_nanos) in [(100, 0), (115, 15_000_001)] {
            let (started, time) = (SimTime::ZERO, SimTime::from_secs(time));
            let seen = ContainerSample { started, time, cpu_core_nanos, working_set: Bytes::ZERO };
            container.scrape(Some(seen), RESOLUTION);
        }
        // 1 000 000.07 nano-cores are truncated first, so this is one, not two.
        assert_eq!(container.usage().map(|usage| usage.cpu_milli), Some(1));
    }

    #[test]
    fn the_spread_of_scrapes_is_capped() {
        for (nodes, millis) in [(0, 0), (10, 80), (500, 4_000), (5_000, 4_000)] {
            assert_eq!(scrape_spread(nodes), SimDuration::from_millis(millis));
        }
    }

    proptest! {
        #[test]
        fn steady_use_is_read_exactly(
            gaps in prop::collection::vec(0_u64..20, 2..40),
            milli in 0_u64..64_000,
        ) {
            let mut container = ContainerWindow::default();
            let mut time = 1_000;
            for gap in gaps {
                time += gap;
                container.scrape(Some(sample(0, time, milli)), RESOLUTION);
                if let Some(usage) = container.usage() {
                    prop_assert_eq!(usage.cpu_milli, milli as i64);
                    prop_assert!(usage.window > SimDuration::ZERO);
                }
            }
        }
    }
}
