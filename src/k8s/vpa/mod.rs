//! The VPA recommender: what a container should request, from what it used.
//!
//! Upstream: `kubernetes/autoscaler`, `vertical-pod-autoscaler/pkg/recommender`
//! (`logic/recommender.go`, `logic/estimator.go`, `model/container.go`,
//! `model/aggregations_config.go`).

mod histogram;

pub use histogram::Histogram;

use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// What each CPU sample weighs; before 1.6 it was the request in cores where
/// that is more.
pub const CPU_SAMPLE_WEIGHT: f64 = 0.1;
/// One memory peak counts per container in so long.
const MEMORY_WINDOW: SimDuration = SimDuration::from_secs(24 * 3_600);
/// After an out-of-memory kill at least so much more is needed,
const OOM_BUMP: Bytes = Bytes::from_mib(100);
/// or so many times as much.
const OOM_RATIO: f64 = 1.2;
/// Added to everything as a margin.
const MARGIN: f64 = 0.15;
/// The least that is recommended for a pod, shared by its containers.
const LEAST_CPU: MilliCpu = MilliCpu(25);
/// Memory likewise.
const LEAST_MEMORY: Bytes = Bytes::from_mib(250);
/// Amounts above this are cut, as upstream's arithmetic does.
const MOST: f64 = 1e14;

/// The history of all containers of one name in one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    cpu: Histogram,
    memory: Histogram,
    samples: u64,
    first: Option<SimTime>,
    last: SimTime,
}

/// One running container's part in its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    last_cpu: Option<SimTime>,
    last_memory: Option<SimTime>,
    window_end: Option<SimTime>,
    peak: Bytes,
    oom_peak: Bytes,
}

/// CPU and memory of a recommendation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
}

/// What the recommender says of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// What to request.
    pub target: Amount,
    /// A pod that requests less is due for replacement.
    pub lower: Amount,
    /// A pod that requests more is, too.
    pub upper: Amount,
}

/// `minAllowed` and `maxAllowed` of a container policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Least and most CPU.
    pub cpu: (Option<MilliCpu>, Option<MilliCpu>),
    /// Least and most memory.
    pub memory: (Option<Bytes>, Option<Bytes>),
}

impl Default for History {
    fn default() -> Self {
        Self {
            cpu: Histogram::for_cpu(),
            memory: Histogram::for_memory(),
            samples: 0,
            first: None,
            last: SimTime::ZERO,
        }
    }
}

impl History {
    /// Adds a minute's mean CPU of one container; samples that aren't newer than
    /// the last are dropped.
    pub fn add_cpu(&mut self, from: &mut Watched, usage: MilliCpu, weight: f64, at: SimTime) {
        if from.last_cpu.is_some_and(|last| at <= last) {
            return;
        }
        from.last_cpu = Some(at);
        self.cpu.add(usage.as_cores(), weight, at);
        self.samples += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(at);
    }

    /// Adds a sample of one container's memory. Only the peak of a window
    /// counts: it replaces the smaller one before.
    pub fn add_memory(&mut self, from: &mut Watched, usage: Bytes, at: SimTime) {
        if from.last_memory.is_some_and(|last| at < last) {
            return;
        }
        self.note_memory(from, usage, at, false);
    }

    /// Notes that a container was killed for want of memory: as if it had used a
    /// fifth or 100 MiB more than the larger of its request and its peak.
    pub fn out_of_memory(&mut self, from: &mut Watched, request: Bytes, at: SimTime) {
        if from.window_end.is_some_and(|end| at < end.minus_or_zero(MEMORY_WINDOW)) {
            return;
        }
        let used = request.max(from.peak);
        let needed = (used + OOM_BUMP).max(Bytes((used.0 as f64 * OOM_RATIO) as u64));
        self.note_memory(from, needed, at, true);
    }

    fn note_memory(&mut self, from: &mut Watched, usage: Bytes, at: SimTime, killed: bool) {
        from.last_memory = Some(at);
        let end = from.window_end.unwrap_or(at);
        let mut counts = false;
        if at < end {
            let before = from.peak.max(from.oom_peak);
            if before != Bytes::ZERO && usage > before {
                self.memory.subtract(before.0 as f64, 1.0, end);
                counts = true;
            }
            from.window_end = Some(end);
        } else {
            let windows = at.since(end).as_nanos() / MEMORY_WINDOW.as_nanos() + 1;
            from.window_end = Some(end + MEMORY_WINDOW * windows);
            (from.peak, from.oom_peak) = (Bytes::ZERO, Bytes::ZERO);
            counts = true;
        }
        if counts {
            self.memory.add(usage.0 as f64, 1.0, from.window_end.unwrap_or(at));
            if killed { from.oom_peak = usage } else { from.peak = usage }
        }
    }

    /// What to request for this container in a pod of so many. The bounds are
    /// wide while the history is short.
    pub fn recommend(&self, containers_per_pod: u32) -> Recommendation {
        let share = 1.0 / f64::from(containers_per_pod.max(1));
        let least = Amount {
            cpu: MilliCpu(cut(LEAST_CPU.0 as f64 * share)),
            memory: Bytes(cut(LEAST_MEMORY.0 as f64 * share)),
        };
        let bound = |percentile: f64, factor: f64| {
            let cpu = with_margin(cut(self.cpu.percentile(percentile) * 1_000.0));
            let memory = with_margin(cut(self.memory.percentile(percentile)));
            Amount {
                cpu: MilliCpu(cut(cpu as f64 * factor)).max(least.cpu),
                memory: Bytes(cut(memory as f64 * factor)).max(least.memory),
            }
        };
        let days = self.confidence();
        Recommendation {
            target: bound(0.9, 1.0),
            lower: bound(0.5, libm::pow(1.0 + 0.001 / days, -2.0)),
            upper: bound(0.95, 1.0 + 1.0 / days),
        }
    }

    /// Days of history: from the first sample to the last, or as many as the
    /// samples would fill at one a minute, whichever is less.
    fn confidence(&self) -> f64 {
        let span = self.first.map_or(SimDuration::ZERO, |first| self.last.since_or_zero(first));
        (span.as_secs_f64() / 86_400.0).min(self.samples as f64 / 1_440.0)
    }
}

impl Recommendation {
    /// The recommendation within a policy's bounds.
    pub fn within(self, allowed: &Allowed) -> Self {
        let clamp = |amount: Amount| Amount {
            cpu: clamped(amount.cpu, allowed.cpu),
            memory: clamped(amount.memory, allowed.memory),
        };
        Self { target: clamp(self.target), lower: clamp(self.lower), upper: clamp(self.upper) }
    }
}

/// `amount` no less than the first bound and, above all, no more than the second.
fn clamped<T: Ord>(amount: T, (least, most): (Option<T>, Option<T>)) -> T {
    let raised = match least {
        Some(least) => amount.max(least),
        None => amount,
    };
    match most {
        Some(most) => raised.min(most),
        None => raised,
    }
}

fn with_margin(base: u64) -> u64 {
    base + cut(base as f64 * MARGIN)
}

/// To a whole amount: fractions are dropped, no number is zero, infinity a lot.
fn cut(amount: f64) -> u64 {
    if amount.is_nan() { 0 } else { amount.min(MOST) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: u64) -> SimTime {
        SimTime::from_secs(number * 60)
    }

    /// A container that used this much for so many minutes.
    fn steady(cpu: u64, memory: u64, minutes: u64) -> (History, Watched) {
        let (mut history, mut watched) = (History::default(), Watched::default());
        for at in 0..minutes {
            history.add_cpu(&mut watched, MilliCpu(cpu), CPU_SAMPLE_WEIGHT, minute(at));
            history.add_memory(&mut watched, Bytes(memory), minute(at));
        }
        (history, watched)
    }

    #[test]
    fn a_week_of_the_same_recommends_it_with_a_margin() {
        let (history, _) = steady(500, 1_000_000_000, 7 * 1_440);
        let Recommendation { target, lower, upper } = history.recommend(1);
        // Bucket ends lie up to 5 % above.
        assert!((575..=604).contains(&target.cpu.0), "{target:?}");
        assert!((1_150_000_000..=1_208_000_000).contains(&target.memory.0), "{target:?}");
        assert!(lower.cpu <= target.cpu && target.cpu < upper.cpu, "{lower:?} {upper:?}");
        assert!(upper.cpu.0 * 100 / target.cpu.0 == 114, "one in seven more");
    }

    #[test]
    fn a_short_history_forces_nothing() {
        let (history, _) = steady(500, 1_000_000_000, 1);
        let Recommendation { lower, upper, .. } = history.recommend(1);
        assert_eq!(lower, Amount { cpu: LEAST_CPU, memory: LEAST_MEMORY });
        assert_eq!(upper.cpu, MilliCpu(MOST as u64));
    }

    #[test]
    fn the_minimum_is_shared_and_the_policy_has_the_last_word() {
        let (history, _) = steady(1, 1, 1_440);
        let shared = history.recommend(2).target;
        assert_eq!(shared, Amount { cpu: MilliCpu(12), memory: Bytes(125 << 20) });
        let allowed = Allowed { cpu: (Some(MilliCpu(300)), Some(MilliCpu(200))), ..Allowed::default() };
        assert_eq!(history.recommend(2).within(&allowed).target.cpu, MilliCpu(200));
    }

    #[test]
    fn a_peak_replaces_the_one_before_in_its_window() {
        let (mut history, mut watched) = steady(100, 500_000_000, 10);
        history.add_memory(&mut watched, Bytes(900_000_000), minute(20));
        let once = history.memory.clone();
        // The smaller one before is gone: even the lowest percentile is the peak's.
        assert!(once.percentile(0.01) > 900_000_000.0);
        history.add_memory(&mut watched, Bytes(800_000_000), minute(30));
        assert_eq!(history.memory, once);
    }

    #[test]
    fn a_kill_counts_as_need() {
        for (request, needed) in [(100 << 20, 200 << 20), (1_000 << 20, 1_200 << 20)] {
            let (mut history, mut watched) = steady(100, 50_000_000, 10);
            history.out_of_memory(&mut watched, Bytes(request), minute(11));
            assert_eq!(watched.oom_peak, Bytes(needed));
            assert!(history.memory.percentile(0.5) > needed as f64);
        }
    }
}
