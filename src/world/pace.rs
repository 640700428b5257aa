//! Which time is simulated in full, as data: what `world::slices` goes by.

use crate::units::{SimDuration, SimTime};

/// A slice and the time that it stands for, together at most this long: an HPA
/// looks every 15 s and kubelets measure about as often, so that what they see
/// holds at least two slices.
pub const PERIOD: SimDuration = SimDuration::from_secs(5);
/// A slice is at least this long: one quota period of the kernel.
const SHORTEST: SimDuration = SimDuration::from_millis(100);
/// A slice holds about so many user requests, so that a day of slices holds
/// enough of them for its quantiles at every hour.
const REQUESTS: f64 = 250.0;
/// How fast what was measured is forgotten: the memory is of so many seconds, skipped ones
/// included. It is long, because a rare and costly request (a login) is seen once in a few
/// slices, and an HPA that takes the largest of five minutes goes by every error upwards.
const MEMORY: f64 = 5_000.0;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Everything is simulated.
    Full,
    /// Requests stand still.
    Skipping,
    /// Requests are simulated for themselves and for what was skipped before.
    Slice,
}

/// Which time is simulated in full.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Whether any time may be skipped.
    pub may_skip: bool,
    /// Where the run stands.
    pub stage: Stage,
    /// The newest look on the agenda; older ones are stale.
    pub stamp: u32,
    /// When something last moved that makes what was measured doubtful.
    pub stirred: SimTime,
    /// When drills keep the run in full.
    pub drills: Vec<(SimTime, SimTime)>,
    /// Where the present stretch (full, or a slice) began, by the clock of requests.
    pub since: SimTime,
    /// What each workload's pods had done by that moment.
    pub before: Vec<Done>,
    /// Whether all pods were steady at that moment.
    pub was_steady: bool,
    /// When the present skip began, or the one that the present slice stands for.
    pub skip_began: SimTime,
    /// Length of the present or next slice.
    pub slice: SimDuration,
    /// Skipped time that no slice stands for yet.
    pub debt: SimDuration,
    /// What a unit of load costs each workload.
    pub costs: Costs,
    /// Calls in flight at the last look.
    pub in_flight: usize,
}

/// What a workload's pods have done so far, without skipped time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// CPU time of their serving containers.
    pub used: SimDuration,
    /// Calls that they got and made.
    pub calls: u64,
    /// Memory that they have lost, in bytes.
    pub lost: u64,
}

/// What a workload's pods do under a load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU of their serving containers: cores, or core-seconds over a time.
    pub cpu: f64,
    /// Calls that they get and make, a second or over a time.
    pub calls: f64,
}

/// What a unit of load (a user, or a journey a second) costs, over the last looks.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Load × seconds.
    load: f64,
    /// User requests.
    requests: f64,
    /// By workload.
    each: Vec<Cost>,
}

impl Costs {
    /// Takes a look at `seconds` under `load` into account, each of which stands for
    /// `times` as many.
    pub fn learn(&mut self, load: f64, (seconds, times): (f64, f64), requests: u64, each: &[Cost]) {
        let kept = (1.0 - seconds * times / MEMORY).max(0.0);
        self.each.resize(each.len(), Cost::default());
        self.load = self.load * kept + load * seconds * times;
        self.requests = self.requests * kept + requests as f64 * times;
        for (sum, one) in self.each.iter_mut().zip(each) {
            sum.cpu = sum.cpu * kept + one.cpu * times;
            sum.calls = sum.calls * kept + one.calls * times;
        }
    }

    /// What a workload does a second under `load`; `None` as long as nothing is known.
    pub fn a_second(&self, workload: usize, load: f64) -> Option<Cost> {
        (self.load > 0.0).then(|| {
            let Cost { cpu, calls } = self.each[workload];
            Cost { cpu: cpu / self.load * load, calls: calls / self.load * load }
        })
    }

    /// How long a slice under `load` is, and how many times itself it stands for:
    /// `None` where slices would take as long as simulating everything.
    pub fn slice(&self, load: f64) -> Option<(SimDuration, u32)> {
        if self.load <= 0.0 || self.requests <= 0.0 || load <= 0.0 {
            return None;
        }
        let per_second = self.requests / self.load * load;
        let slice = SHORTEST.max(SimDuration::from_secs_f64((REQUESTS / per_second).min(1e6)));
        let times = PERIOD.as_nanos() / slice.as_nanos();
        (times >= 2).then_some((slice, times as u32))
    }
}

impl Pace {
    /// The pace of a run that begins.
    pub fn new(may_skip: bool) -> Self {
        Self {
            may_skip,
            stage: Stage::Full,
            stamp: 0,
            stirred: SimTime::ZERO,
            drills: Vec::new(),
            since: SimTime::ZERO,
            before: Vec::new(),
            was_steady: false,
            skip_began: SimTime::ZERO,
            slice: SHORTEST,
            debt: SimDuration::ZERO,
            costs: Costs::default(),
            in_flight: 0,
        }
    }

    /// Whether requests stand still or stand for others.
    pub fn is_sliced(&self) -> bool {
        self.stage != Stage::Full
    }

    /// Whether a drill is near or in force within `within` from `now`.
    pub fn drill_near(&self, now: SimTime, within: SimDuration) -> bool {
        self.drills.iter().any(|(from, until)| *from <= now + within && now < *until)
    }
}

/// How a slice stands for `passed`, skipped before it: how many times itself, and
/// how long it has to be for that to be exact. It is about `usual` long.
pub fn slice_for(passed: SimDuration, usual: SimDuration) -> (u32, SimDuration) {
    let others = (passed.as_nanos() + usual.as_nanos() / 2) / usual.as_nanos().max(1);
    let others = others.clamp(1, 1 << 20);
    (others as u32 + 1, SimDuration::from_nanos(passed.as_nanos() / others))
}

/// CPU of a workload while time is skipped: what its load costs by experience
/// (`expected`), and of what the last stretch differed from that so much that
/// stretch and skip together scatter as if all of it had been simulated. The
/// stretch was `share` of it, so its mean scatters 1/√share times as much, and it
/// counts itself: share + (1 - share) kept = √share.
pub fn while_skipped(expected: f64, measured: f64, share: f64) -> f64 {
    let root = share.sqrt();
    (expected + (measured - expected) * root / (1.0 + root)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_stands_for_exactly_what_was_skipped() {
        // skipped, usual slice (ms) -> times, slice (ms)
        for (passed, usual, times, slice) in [
            (4_900, 100, 50, 100.0),
            (1_000, 300, 4, 1_000.0 / 3.0),
            (40, 100, 2, 40.0),
            (7_350, 100, 75, 7_350.0 / 74.0),
        ] {
            let (seen, length) = slice_for(SimDuration::from_millis(passed), SimDuration::from_millis(usual));
            assert_eq!(seen, times, "{passed} ms");
            assert!((length.as_secs_f64() * 1_000.0 - slice).abs() < 1e-5, "{passed} ms: {length}");
        }
    }

    #[test]
    fn what_is_skipped_scatters_as_if_it_were_not() {
        for share in [0.02_f64, 0.1, 0.5] {
            let all = share * 3.0 + (1.0 - share) * while_skipped(2.0, 3.0, share);
            assert!((all - (2.0 + share.sqrt())).abs() < 1e-12, "{share}: {all}");
        }
        assert!(while_skipped(0.1, 0.0, 1.0) >= 0.0);
    }

    #[test]
    fn slices_hold_enough_requests_or_are_not_worth_it() {
        let mut costs = Costs::default();
        assert_eq!(costs.slice(10.0), None);
        costs.learn(100.0, (10.0, 1.0), 50_000, &[Cost { cpu: 20.0, calls: 70_000.0 }]);
        // 50 requests a second and unit of load.
        assert_eq!(costs.slice(100.0), Some((SimDuration::from_millis(100), 50)));
        assert_eq!(costs.slice(5.0), Some((SimDuration::from_secs(1), 5)));
        assert_eq!(costs.slice(1.0), None);
        let half = costs.a_second(0, 50.0).unwrap_or_default();
        assert!((half.cpu - 1.0).abs() < 1e-9 && (half.calls - 3_500.0).abs() < 1e-6, "{half:?}");
    }
}
