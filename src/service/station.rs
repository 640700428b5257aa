//! One pod's CPU, shared evenly among the requests that want it.
//!
//! Processor sharing by virtual time: all running jobs progress at the same
//! rate, so a job that arrives with work `w` at virtual time `v` ends at `v + w`,
//! whatever comes and goes meanwhile. The pod's rate is bounded by its threads,
//! by its share of a contended node, and by the container's CPU limit as the
//! kernel enforces it: a quota of CPU time in each period of 100 ms, after which
//! the container stands still until the next period begins (behaviour.md I.1;
//! upstream `pkg/kubelet/cm/helpers_linux.go`).
//!
//! State is brought up to date only when something changes; a period boundary
//! costs no event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::units::{MilliCpu, SimDuration, SimTime};

/// The kernel's quota period.
const PERIOD: u64 = 100_000_000;
/// The smallest quota the kubelet sets.
const MIN_QUOTA: u64 = 1_000_000;
/// Virtual time counts in 256ths of a nanosecond, so that rounding a share
/// of a nanosecond away never adds up to anything.
const FRACTION: u32 = 8;
/// Thousandths of a core.
const CORE: u64 = 1_000;
/// Further than any run gets, and room to add to it: in nanoseconds or 256ths of them.
const FOR_EVER: u128 = 1 << 63;

/// What runs: a number that means something to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job(pub u32);

/// A running job: the virtual time at which it ends, its arrival's number, and which it
/// is, from the highest bits to the lowest. One number compares faster than three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Running(u128);

impl Running {
    #[inline]
    fn new(end: u64, arrival: u32, job: Job) -> Self {
        Self((u128::from(end) << 64) | (u128::from(arrival) << 32) | u128::from(job.0))
    }

    #[inline]
    fn end(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    fn job(self) -> Job {
        Job(self.0 as u32)
    }
}

/// How fast a station works until something comes, goes or is set, in thousandths of
/// a core.
#[derive(Clone, Copy, Debug, Default)]
struct Speed {
    /// What the running jobs could use.
    jobs_want: u64,
    /// The pod's rate.
    rate: u64,
    /// What the jobs get of it.
    for_jobs: u64,
    /// What as many cores as there are jobs would be.
    count: u64,
}

/// One pod's CPU.
#[derive(Clone, Debug)]
pub struct Station {
    /// All fields below are true at this moment.
    last: SimTime,
    /// Progress of every running job since the station was made.
    virtual_time: u64,
    /// Running jobs by the virtual time at which they end; ties by order of arrival.
    running: BinaryHeap<Reverse<Running>>,
    arrivals: u32,
    /// Follows from the jobs and the four fields after it.
    speed: Speed,
    /// Jobs that can use CPU at the same moment, in thousandths (`u64::MAX` for any number).
    threads: u64,
    /// What other processes in the container use if they get it, in thousandths
    /// of a core.
    stress: u64,
    /// The pod's share of its node in thousandths of a core.
    share: u64,
    /// CPU time per period; `u64::MAX` without a limit.
    quota: u64,
    /// Of which so much is left in the present period.
    quota_left: u64,
    /// When the present period ends.
    period_end: u64,
    /// CPU time used so far, in nanoseconds of one core.
    used: u64,
    /// What other processes used besides, in thousandths of a nanosecond: what they
    /// use evenly adds up to the same whenever it is looked at.
    used_rest: u64,
    /// Periods in which the quota ran out.
    throttled: u64,
    /// Periods with any use.
    periods: u64,
    /// What the present period has been counted as; idle for ever without a limit.
    period: Period,
}

/// What a quota period has been counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    /// Nothing has run in it.
    Idle,
    /// Something ran.
    Used,
    /// The quota ran out.
    Throttled,
}

impl Station {
    /// A pod's CPU from `now` on. `threads` and `limit` are `None` where nothing
    /// bounds them; `node` is what the node has; `phase` places the quota
    /// periods, which start at a moment of the kernel's choice.
    pub fn new(
        now: SimTime,
        threads: Option<u32>,
        limit: Option<MilliCpu>,
        node: MilliCpu,
        phase: u64,
    ) -> Self {
        let quota = limit.map_or(u64::MAX, |limit| (limit.0 * PERIOD / CORE).max(MIN_QUOTA));
        let start = now.as_nanos();
        let into = (start + PERIOD - phase % PERIOD) % PERIOD;
        Self {
            last: now,
            virtual_time: 0,
            running: BinaryHeap::new(),
            arrivals: 0,
            speed: Speed::default(),
            threads: threads.map_or(u64::MAX, |threads| u64::from(threads) * CORE),
            stress: 0,
            share: node.0,
            quota,
            quota_left: quota,
            period_end: start + PERIOD - into,
            used: 0,
            used_rest: 0,
            throttled: 0,
            periods: 0,
            period: Period::Idle,
        }
    }

    /// How many jobs run or wait for CPU.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing wants CPU.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.stress == 0
    }

    /// CPU time used until `now`.
    pub fn used(&mut self, now: SimTime) -> SimDuration {
        self.advance(now);
        SimDuration::from_nanos(self.used)
    }

    /// Whether it uses CPU at one rate until it is told something: nothing runs but
    /// other processes, and they leave some of every period's quota.
    pub fn is_even(&self) -> bool {
        let rate = self.speed.rate;
        let leaves = || rate * PERIOD < self.quota * CORE && self.quota_left > 0 && self.covers(rate);
        self.running.is_empty() && (self.quota == u64::MAX || leaves())
    }

    /// CPU time used until `moment`, which lies before or after the last look at a
    /// station that has been even all the time between.
    pub fn used_evenly(&self, moment: SimTime) -> SimDuration {
        let (last, moment) = (self.last.as_nanos(), moment.as_nanos());
        let between = last.abs_diff(moment) * self.speed.rate;
        SimDuration::from_nanos(if moment < last {
            self.used - between.saturating_sub(self.used_rest).div_ceil(CORE)
        } else {
            self.used + (between + self.used_rest) / CORE
        })
    }

    /// Quota periods with any use until now, and how many of them were throttled.
    pub fn periods(&self) -> (u64, u64) {
        (self.periods, self.throttled)
    }

    /// Whether the quota of the present period has run out.
    pub fn is_throttled(&self, now: SimTime) -> bool {
        self.quota_left == 0 && now.as_nanos() < self.period_end
    }

    /// What the running jobs could use if the node had enough, in thousandths of
    /// a core. The limit doesn't count: it stops a pod, but doesn't slow it.
    #[inline]
    pub fn wanted(&self) -> u64 {
        self.speed.jobs_want + self.stress
    }

    /// How much the pod gets of its node.
    pub fn share(&self) -> MilliCpu {
        MilliCpu(self.share)
    }

    /// What other processes in the container want.
    pub fn stress(&self) -> MilliCpu {
        MilliCpu(self.stress)
    }

    /// The pod gets so much of its node from `now` on.
    pub fn set_share(&mut self, now: SimTime, share: MilliCpu) {
        self.advance(now);
        self.share = share.0.max(1);
        self.adjust();
    }

    /// Other processes in the container want so much CPU from `now` on, and
    /// spend its quota like the jobs do.
    pub fn set_stress(&mut self, now: SimTime, stress: MilliCpu) {
        self.advance(now);
        self.stress = stress.0;
        self.adjust();
    }

    /// The speed follows what has just changed.
    #[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
    #[inline(always)]
    fn adjust(&mut self) {
        let count = self.running.len() as u64 * CORE;
        let jobs_want = count.min(self.threads);
        let rate = (jobs_want + self.stress).min(self.share);
        // All threads of a container weigh the same.
        let for_jobs =
            if self.stress == 0 { rate } else { (rate * jobs_want / (jobs_want + self.stress)).max(1) };
        self.speed = Speed { jobs_want, rate, for_jobs, count };
    }

    /// A job with `work` of CPU time begins, at most [`SimDuration::OUTLASTING`].
    #[expect(clippy::inline_always, reason = "five times for a request of three hops")]
    #[inline(always)]
    pub fn add(&mut self, now: SimTime, job: Job, work: SimDuration) {
        self.advance(now);
        let end = self.virtual_time + (work.as_nanos() << FRACTION);
        self.running.push(Reverse(Running::new(end, self.arrivals, job)));
        self.arrivals = self.arrivals.wrapping_add(1);
        self.adjust();
    }

    /// The next job that has ended by `now`, if any.
    #[inline]
    pub fn take_ended(&mut self, now: SimTime) -> Option<Job> {
        self.advance(now);
        let Reverse(first) = *self.running.peek()?;
        if first.end() > self.virtual_time {
            return None;
        }
        self.running.pop();
        self.adjust();
        Some(first.job())
    }

    /// Stops everything: the container is gone.
    pub fn clear(&mut self, now: SimTime) {
        self.advance(now);
        self.running.clear();
        self.adjust();
    }

    /// When the next job ends if nothing changes; `None` when nothing runs.
    #[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
    #[inline(always)]
    pub fn next_end(&self) -> Option<SimTime> {
        let Reverse(first) = *self.running.peek()?;
        let progress = first.end().saturating_sub(self.virtual_time);
        let Speed { rate, for_jobs, count, .. } = self.speed;
        // Wall time at full rate, rounded up so that the job has ended by then.
        let wall = if for_jobs == count {
            progress.div_ceil(1 << FRACTION)
        } else {
            proportion(progress, count, for_jobs << FRACTION) + 1
        };
        // What happens nearly always: the period lasts that long, and its quota, too.
        let last = self.last.as_nanos();
        let rest = self.period_end.saturating_sub(last);
        if wall <= rest && self.quota != u64::MAX && rate * wall <= self.quota_left * CORE {
            return Some(SimTime::from_nanos(last + wall));
        }
        Some(SimTime::from_nanos(self.wall_end(wall, rate)))
    }

    /// When `wall` nanoseconds of running at `rate` are over, counting the
    /// periods in which the quota runs out.
    fn wall_end(&self, wall: u64, rate: u64) -> u64 {
        let last = self.last.as_nanos();
        if self.unlimited(rate) {
            return last + wall;
        }
        // A container that uses its whole quota runs `quota ÷ rate` of each period.
        let in_period = |quota: u64| quota * CORE / rate;
        let (period_end, left) = self.period_at(last);
        let now = in_period(left).min(period_end - last);
        if wall <= now {
            return last + wall;
        }
        let each = in_period(self.quota).clamp(1, PERIOD);
        let (rest, whole) = (wall - now, (wall - now - 1) / each);
        whole.saturating_mul(PERIOD).saturating_add(period_end + (rest - whole * each))
    }

    /// Whether the quota can't run out at this rate, nor has it yet.
    fn unlimited(&self, rate: u64) -> bool {
        self.quota == u64::MAX
            || (self.quota_left > 0 && rate * PERIOD <= self.quota * CORE && self.covers(rate))
    }

    /// Whether what is left of the present period's quota lasts at this rate.
    fn covers(&self, rate: u64) -> bool {
        let last = self.last.as_nanos();
        last >= self.period_end || rate * (self.period_end - last) <= self.quota_left * CORE
    }

    /// The end of the period that holds `moment`, and what is left of its quota.
    fn period_at(&self, moment: u64) -> (u64, u64) {
        if moment < self.period_end {
            return (self.period_end, self.quota_left);
        }
        (self.period_end + ((moment - self.period_end) / PERIOD + 1) * PERIOD, self.quota)
    }

    /// Brings the state up to `now`.
    #[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
    #[inline(always)]
    fn advance(&mut self, now: SimTime) {
        let (last, until) = (self.last.as_nanos(), now.as_nanos());
        if last == until {
            return;
        }
        debug_assert!(last < until, "the station is at {}, asked about {now}", self.last);
        let thousandths = (until - last).saturating_mul(self.speed.rate);
        // What happens nearly always under a limit: jobs run, their quota lasts, and the
        // period, too.
        let is_used = self.period != Period::Idle && self.speed.count > 0;
        if is_used && until <= self.period_end && thousandths <= self.quota_left * CORE {
            self.last = now;
            self.quota_left -= thousandths.div_ceil(CORE);
            self.run_jobs(until - last, thousandths);
        } else if self.is_empty() {
            self.last = now;
        } else {
            self.go_on(now);
        }
    }

    /// The same when time has passed, whatever happened meanwhile.
    #[inline(never)]
    fn go_on(&mut self, now: SimTime) {
        let until = now.as_nanos();
        let mut last = self.last.as_nanos();
        self.last = now;
        let (rate, count) = (self.speed.rate, self.speed.count);
        if self.quota == u64::MAX {
            self.run(until - last, rate);
            return;
        }
        while last < until {
            self.roll_over(last);
            if count == 0 && until - last >= PERIOD && self.quota_left == self.quota {
                last = self.whole_periods(last, until, rate);
                continue;
            }
            // What happens nearly always: the quota lasts, and the period, too.
            if until <= self.period_end && (until - last) * rate <= self.quota_left * CORE {
                self.run(until - last, rate);
                self.quota_left -= ((until - last) * rate).div_ceil(CORE).min(self.quota_left);
                self.note_used();
                return;
            }
            let lasts = self.quota_left * CORE / rate;
            let end = until.min(self.period_end);
            let ran = (end - last).min(lasts);
            if ran > 0 {
                self.run(ran, rate);
                self.quota_left -= (ran * rate).div_ceil(CORE).min(self.quota_left);
                self.note_used();
            }
            if ran < end - last {
                // What may be left is less than a nanosecond's worth.
                self.quota_left = 0;
                self.note_throttled();
            }
            last = end;
        }
    }

    /// Goes through whole periods in which only other processes run, each like the
    /// one before: where that ends. The present one begins at `last`, or less than
    /// all of it is left and it is gone through as ever.
    fn whole_periods(&mut self, last: u64, until: u64, rate: u64) -> u64 {
        let periods = if self.period_end == last + PERIOD { (until - last) / PERIOD } else { 1 };
        let lasts = (self.quota * CORE / rate).min(self.period_end - last);
        let runs_out = lasts < self.period_end - last;
        self.use_evenly(periods * lasts * rate);
        self.quota_left -= (lasts * rate).div_ceil(CORE).min(self.quota_left);
        self.note_used();
        if runs_out {
            self.quota_left = 0;
            self.note_throttled();
        }
        self.periods += periods - 1;
        self.throttled += if runs_out { periods - 1 } else { 0 };
        self.period_end += (periods - 1) * PERIOD;
        self.period_end
    }

    /// Starts the period that holds `moment`, if it isn't the present one.
    fn roll_over(&mut self, moment: u64) {
        if moment >= self.period_end {
            (self.period_end, self.quota_left) = self.period_at(moment);
            self.period = Period::Idle;
        }
    }

    /// Counts the present period as used, once.
    fn note_used(&mut self) {
        if self.period == Period::Idle {
            self.period = Period::Used;
            self.periods += 1;
        }
    }

    /// Counts the present period as throttled, once.
    fn note_throttled(&mut self) {
        self.note_used();
        if self.period == Period::Used {
            self.period = Period::Throttled;
            self.throttled += 1;
        }
    }

    /// Other processes alone use so many thousandths of a nanosecond of one core.
    #[inline]
    fn use_evenly(&mut self, thousandths: u64) {
        let all = thousandths + self.used_rest;
        self.used += all / CORE;
        self.used_rest = all % CORE;
    }

    /// All running jobs, or other processes alone, share `ran` nanoseconds at `rate`.
    #[inline]
    fn run(&mut self, ran: u64, rate: u64) {
        if self.speed.count == 0 {
            self.use_evenly(ran * rate);
        } else {
            self.run_jobs(ran, ran * rate);
        }
    }

    /// The running jobs share `ran` nanoseconds, in which the pod uses so many
    /// thousandths of a nanosecond of one core.
    #[inline]
    fn run_jobs(&mut self, ran: u64, thousandths: u64) {
        self.used += thousandths / CORE;
        let Speed { for_jobs, count, .. } = self.speed;
        self.virtual_time +=
            if for_jobs == count { ran << FRACTION } else { proportion(ran << FRACTION, for_jobs, count) };
    }
}

/// `a * b / c`, rounded down, at most [`FOR_EVER`]; in 64 bits where they suffice, which
/// they nearly always do (a 128-bit division costs ten times as much).
#[inline]
fn proportion(a: u64, b: u64, c: u64) -> u64 {
    match a.checked_mul(b) {
        Some(product) => product / c,
        None => (u128::from(a) * u128::from(b) / u128::from(c)).min(FOR_EVER) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(millis: u64) -> SimTime {
        SimTime::from_nanos(millis * MS)
    }

    fn station(threads: Option<u32>, limit: Option<u64>) -> Station {
        Station::new(SimTime::ZERO, threads, limit.map(MilliCpu), MilliCpu(16_000), 0)
    }

    /// Runs jobs (arrival ms, work ms) to the end; when each ended, in µs.
    fn ends(mut station: Station, jobs: &[(u64, u64)]) -> Vec<u64> {
        let mut ended = vec![0; jobs.len()];
        let mut coming = (0..jobs.len()).peekable();
        loop {
            let arrival = coming.peek().map(|&job| at(jobs[job].0));
            let end = station.next_end();
            match (arrival, end) {
                (None, None) => return ended,
                (Some(time), end) if end.is_none_or(|end| time <= end) => {
                    let job = coming.next().unwrap_or_default();
                    station.add(time, Job(job as u32), SimDuration::from_millis(jobs[job].1));
                }
                (_, Some(time)) => {
                    while let Some(Job(job)) = station.take_ended(time) {
                        ended[job as usize] = time.as_nanos() / 1_000;
                    }
                }
                (Some(_), None) => unreachable!("the arm above takes every arrival before an end"),
            }
        }
    }

    #[test]
    fn periods_begin_at_a_moment_of_the_kernel_s_choice() {
        // Those of a run's first pods once began all together.
        for (now, phase, end) in [(0, 0, 100), (0, 30, 30), (0, 99, 99), (250, 30, 330), (250, 60, 260)] {
            let phase = SimDuration::from_millis(phase).as_nanos();
            let one = Station::new(at(now), None, Some(MilliCpu(500)), MilliCpu(16_000), phase);
            assert_eq!(SimTime::from_nanos(one.period_end), at(end), "{now} {phase}");
        }
    }

    #[test]
    fn cpu_is_shared_evenly() {
        // threads, limit, jobs (arrival, work in ms) -> ends in µs
        let rows: [(Option<u32>, Option<u64>, &[(u64, u64)], &[u64]); 7] = [
            (None, None, &[(0, 10), (0, 10)], &[10_000, 10_000]),
            (Some(1), None, &[(0, 10), (0, 10)], &[20_000, 20_000]),
            (Some(1), None, &[(0, 10), (5, 20)], &[15_000, 30_000]),
            (Some(2), None, &[(0, 10), (0, 10), (0, 10)], &[15_000, 15_000, 15_000]),
            // A limit of 600m lets one thread run 60 of every 100 ms.
            (Some(1), Some(600), &[(40, 26)], &[66_000]),
            (Some(1), Some(600), &[(0, 70)], &[110_000]),
            (Some(1), Some(500), &[(0, 160)], &[310_000]),
        ];
        for (threads, limit, jobs, expected) in rows {
            assert_eq!(
                ends(station(threads, limit), jobs),
                expected,
                "{threads:?} threads, {limit:?}, {jobs:?}"
            );
        }
    }

    #[test]
    fn a_request_that_meets_the_quota_s_edge_waits_for_the_next_period() {
        // M22: limit 600m; 34 ms are used when a request of 52 ms comes at 34 ms:
        // it runs 26 ms, stands still for 40 ms and runs the rest.
        assert_eq!(ends(station(Some(1), Some(600)), &[(0, 34), (34, 52)]), [34_000, 126_000]);
    }

    #[test]
    fn many_threads_burn_the_quota_in_no_time() {
        // M22: 10 threads with 5 ms each use the 50 ms of a 500m limit in 5 ms and
        // stall whoever comes next for 95 ms.
        let mut jobs = vec![(0, 5); 10];
        jobs.push((5, 1));
        let seen = ends(station(None, Some(500)), &jobs);
        assert_eq!(seen[..10], [5_000; 10]);
        assert_eq!(seen[10], 101_000);
    }

    #[test]
    fn use_and_throttling_are_counted() {
        let mut one = station(Some(1), Some(500));
        one.add(SimTime::ZERO, Job(0), SimDuration::from_millis(160));
        assert_eq!(one.used(at(250)), SimDuration::from_millis(150));
        assert!(one.is_throttled(at(260)));
        assert_eq!(one.take_ended(at(310)), Some(Job(0)));
        assert_eq!(one.periods(), (4, 3));
        assert_eq!(one.used(at(400)), SimDuration::from_millis(160));
    }

    #[test]
    fn looking_often_changes_nothing() {
        let jobs: Vec<(u64, u64)> = (0..40).map(|i| (i * 7, 3 + i * i % 11)).collect();
        let quiet = ends(station(Some(2), Some(700)), &jobs);
        let mut watched = station(Some(2), Some(700));
        let mut seen = vec![0; jobs.len()];
        for micros in 0..1_000_000_u64 {
            let now = SimTime::from_nanos(micros * 1_000);
            for (job, &(arrival, work)) in jobs.iter().enumerate() {
                if arrival * 1_000 == micros {
                    watched.add(now, Job(job as u32), SimDuration::from_millis(work));
                }
            }
            while let Some(Job(job)) = watched.take_ended(now) {
                seen[job as usize] = micros;
            }
        }
        // An end is seen up to 1 µs late here, which delays what comes after it:
        // at most as many microseconds as there are jobs.
        for (one, other) in quiet.iter().zip(&seen) {
            assert!(one.abs_diff(*other) <= jobs.len() as u64, "{one} against {other}");
        }
    }

    #[test]
    fn what_never_ends_doesn_t_end_early() {
        // jobs, each of more work than any run lasts; limit
        for (jobs, limit) in [(1, None), (1, Some(10)), (100_000, None), (100_000, Some(10))] {
            let mut station = station(Some(1), limit);
            for job in 0..jobs {
                station.add(at(0), Job(job), SimDuration::OUTLASTING);
            }
            for day in 0..366 {
                assert_eq!(
                    station.take_ended(at(day * 86_400_000)),
                    None,
                    "{jobs} jobs, {limit:?}, day {day}"
                );
                let end = station.next_end().expect("jobs run");
                assert!(end > at(400 * 86_400_000), "{jobs} jobs, {limit:?}, day {day}: {end}");
            }
        }
    }

    #[test]
    fn other_processes_take_their_part_and_spend_the_quota() {
        // threads, limit, node, stress, work, ends, all in ms and thousandths of a core.
        for (limit, node, stress, work, ends) in [
            // Room for both.
            (None, 4_000, 1_000, 200, 200),
            // One core between two threads of the same weight.
            (None, 1_000, 1_000, 200, 400),
            // Three of four parts of a core are the others'.
            (None, 1_000, 3_000, 200, 800),
            // Two cores used of 500m: the quota is gone after 25 of 100 ms.
            (Some(500), 4_000, 1_000, 50, 125),
        ] {
            let mut station = Station::new(at(0), Some(1), limit.map(MilliCpu), MilliCpu(node), 0);
            station.set_stress(at(0), MilliCpu(stress));
            station.add(at(0), Job(1), SimDuration::from_millis(work));
            let end = station.next_end().expect("a job runs");
            let late = end.as_nanos().abs_diff(ends * MS);
            assert!(late < 1_000, "{limit:?} {node} {stress}: {end}");
            assert_eq!(station.take_ended(end), Some(Job(1)));
        }
        // Without a job the others use what the limit lets them.
        let mut station = Station::new(at(0), Some(1), Some(MilliCpu(500)), MilliCpu(4_000), 0);
        station.set_stress(at(0), MilliCpu(2_000));
        assert_eq!(station.used(at(10_000)), SimDuration::from_secs(5));
        assert_eq!(station.periods(), (100, 100));
        station.set_stress(at(10_000), MilliCpu(0));
        assert_eq!(station.used(at(20_000)), SimDuration::from_secs(5));
    }
}
