//! Takes facts down while a run goes on: one method per fact.

use crate::observe::course::{Course, Since, Whose};
use crate::observe::{
    Balance, Cause, ClusterSeen, Decision, Histogram, Level, Moment, MomentKind, PoolSeen, RolloutSeen,
    Series, Traffic, Watch, WatchRow, WorkloadSeen, WorkloadSeries,
};
use crate::units::{Bytes, SimDuration, SimTime};

/// At most so many moments are kept; a chart can't show more.
const MOMENTS: usize = 400;
/// At most so many HPA decisions are kept.
const DECISIONS: usize = 100_000;

/// Takes facts down. Counts and distributions begin with [`Recorder::begin`].
#[derive(Clone, Debug)]
pub struct Recorder {
    /// End of the warm-up.
    start: SimTime,
    /// The same by the clock of requests: what was sent earlier isn't counted.
    counts_from: SimTime,
    /// How many moments the present one stands for: above 1 in a slice of time
    /// that is simulated for more than itself.
    weight: u32,
    /// What has gone wrong since the last look at it.
    trouble: Trouble,
    /// User requests since the very start.
    pub balance: Balance,
    /// By journey.
    pub journeys: Vec<Traffic>,
    /// By workload.
    pub workloads: Vec<WorkloadSeen>,
    /// By external service.
    pub externals: Vec<Traffic>,
    /// The cluster.
    pub cluster: ClusterSeen,
    /// HPA decisions.
    pub decisions: Vec<Decision>,
    /// Moments that matter.
    pub moments: Vec<Moment>,
    /// Values over time.
    pub series: Series,
    /// Second by second around drills.
    pub watch: Watch,
    /// Rollouts.
    pub rollouts: Vec<RolloutSeen>,
    /// Pools of connections.
    pub pools: Vec<PoolSeen>,
    /// Of the present step of the watch.
    watched: Watched,
    /// The series' present step.
    step: StepCounts,
    /// What each of the series' courses goes on from.
    since: Vec<Since>,
}

/// What the watch's present step began with, and its longest latency.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    before: Balance,
    slowest: SimDuration,
}

/// What has gone wrong with calls between workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Calls that were refused, cut off or found nobody.
    pub refused: u64,
    /// Calls that were given up.
    pub timeouts: u64,
    /// User requests asked.
    pub asked: u64,
}

/// What happened within the present step of the series.
#[derive(Clone, Debug, Default)]
struct StepCounts {
    arrived: u64,
    failed: u64,
    latency: Histogram,
    failed_calls: Vec<u64>,
    /// Running pods of each workload when it began.
    running: Vec<u32>,
    /// The most that a moment of it stood for.
    weight: u32,
}

/// A workload's figures at the end of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkloadRow {
    /// Wanted replicas.
    pub desired: u32,
    /// Ready replicas.
    pub ready: u32,
    /// Pods with a running container.
    pub running: u32,
    /// Mean CPU used in the step, in cores.
    pub cpu: f64,
    /// CPU requested by running pods, in cores.
    pub cpu_request: f64,
    /// CPU limit of running pods, in cores; 0 without a limit.
    pub cpu_limit: f64,
    /// Memory used, in bytes.
    pub memory: f64,
    /// Memory requested by running pods.
    pub memory_request: f64,
    /// Memory limit of running pods; 0 without a limit.
    pub memory_limit: f64,
    /// The largest memory of one pod.
    pub memory_pod_max: Bytes,
    /// The most connections to one pod.
    pub connections_max: u32,
}

/// The cluster's figures at the end of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClusterRow {
    /// Users.
    pub users: f64,
    /// The most of them at a time since the row before.
    pub most_users: f64,
    /// Ready nodes.
    pub nodes: u32,
    /// Pods that exist.
    pub pods: u32,
    /// Pods waiting for a node.
    pub pending: u32,
    /// Requested ÷ allocatable CPU.
    pub cpu_requested_share: f64,
    /// Money per hour of the ready nodes.
    pub price_per_hour: f64,
}

impl Recorder {
    /// A recorder for so many journeys, workloads and external services.
    pub fn new(journeys: usize, workloads: usize, externals: usize, step: SimDuration) -> Self {
        Self {
            start: SimTime::NEVER,
            counts_from: SimTime::NEVER,
            weight: 1,
            trouble: Trouble::default(),
            balance: Balance::default(),
            journeys: vec![Traffic::default(); journeys],
            workloads: vec![WorkloadSeen::default(); workloads],
            externals: vec![Traffic::default(); externals],
            cluster: ClusterSeen::default(),
            decisions: Vec::new(),
            moments: Vec::new(),
            series: Series {
                step,
                workloads: vec![WorkloadSeries::default(); workloads],
                ..Series::default()
            },
            watch: Watch::default(),
            rollouts: Vec::new(),
            pools: Vec::new(),
            watched: Watched::default(),
            step: StepCounts {
                failed_calls: vec![0; workloads],
                running: vec![0; workloads],
                weight: 1,
                ..StepCounts::default()
            },
            since: Vec::new(),
        }
    }

    /// A quantile of somebody's latency is to be followed over time.
    pub fn follow(&mut self, whose: Whose, quantile: f64) {
        let known = |one: &Course| one.whose == whose && one.quantile.total_cmp(&quantile).is_eq();
        if !self.series.courses.iter().any(known) {
            self.series.courses.push(Course { whose, quantile, values: Vec::new() });
            self.since.push(Since::default());
        }
    }

    /// The warm-up is over: observation begins. `active` is the same moment by the
    /// clock of requests.
    pub fn begin(&mut self, now: SimTime, active: SimTime) {
        (self.start, self.counts_from) = (now, active);
        for seen in &mut self.workloads {
            *seen = WorkloadSeen {
                ready: seen.ready,
                desired: seen.desired,
                demanded: seen.demanded,
                overload: seen.overload,
                ..WorkloadSeen::default()
            };
            for level in [&mut seen.ready, &mut seen.desired, &mut seen.demanded, &mut seen.overload] {
                level.restart(now);
            }
            seen.cpu_cores = Level::starting(now, 0.0);
            seen.cpu_per_pod = Level::starting(now, 0.0);
            seen.memory = Level::starting(now, 0.0);
        }
        let cluster = &mut self.cluster;
        for level in [&mut cluster.nodes, &mut cluster.pods, &mut cluster.ready_pods, &mut cluster.users] {
            level.restart(now);
        }
        cluster.cpu_requested_share.restart(now);
        (cluster.pending_pod_seconds, cluster.cost) = (0.0, 0.0);
        self.decisions.clear();
        self.pools.fill(PoolSeen::default());
        self.watched = Watched { before: self.balance, slowest: SimDuration::ZERO };
    }

    /// Whether the warm-up is over.
    pub fn observing(&self) -> bool {
        self.start != SimTime::NEVER
    }

    /// End of the warm-up.
    pub fn start(&self) -> SimTime {
        self.start
    }

    /// The same by the clock of requests.
    pub fn counts_from(&self) -> SimTime {
        self.counts_from
    }

    /// How many moments the present one stands for; so many requests is a request
    /// that is sent now.
    #[inline]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// The present moment stands for so many from now on.
    pub fn weigh(&mut self, weight: u32) {
        self.weight = weight;
        self.step.weight = self.step.weight.max(weight);
    }

    /// What has gone wrong since this was last asked.
    pub fn take_trouble(&mut self) -> Trouble {
        std::mem::take(&mut self.trouble)
    }

    /// How many failures a request of this weight is that fails now. One that was
    /// asked while time was skipped and fails after that stands for itself alone:
    /// the others, asked at other moments, did not meet what it met.
    fn failures(&self, weight: u32) -> (u64, u64) {
        let failures = weight.min(self.weight);
        (u64::from(failures), u64::from(weight - failures))
    }

    /// A user asks.
    pub fn request_arrived(&mut self, journey: usize, asked: SimTime) {
        let times = u64::from(self.weight);
        self.trouble.asked += 1;
        self.balance.arrived += times;
        self.balance.in_flight += times;
        self.step.arrived += times;
        if asked >= self.counts_from {
            self.journeys[journey].arrived += times;
        }
    }

    /// A user was answered.
    pub fn request_answered(&mut self, journey: usize, asked: SimTime, weight: u32, latency: SimDuration) {
        let times = u64::from(weight);
        self.balance.answered += times;
        self.balance.in_flight -= times;
        self.step.latency.record_times(latency, weight);
        self.watched.slowest = self.watched.slowest.max(latency);
        if asked >= self.counts_from {
            self.journeys[journey].answered += times;
            self.journeys[journey].latency.record_times(latency, weight);
        }
    }

    /// A user's request failed for good.
    pub fn request_failed(&mut self, journey: usize, asked: SimTime, weight: u32, cause: Cause) {
        let (failed, answered) = self.failures(weight);
        self.balance.failed += failed;
        self.balance.answered += answered;
        self.balance.in_flight -= failed + answered;
        self.step.failed += failed;
        if asked >= self.counts_from {
            self.journeys[journey].failures[cause as usize] += failed;
            self.journeys[journey].answered += answered;
        }
    }

    /// A pod has served a call; `wanted` unless its caller gave up meanwhile.
    pub fn call_served(
        &mut self,
        workload: usize,
        (sent, weight): (SimTime, u32),
        latency: SimDuration,
        wait: SimDuration,
        wanted: bool,
    ) {
        if sent >= self.counts_from {
            let seen = &mut self.workloads[workload];
            let times = if wanted { u64::from(weight) } else { 0 };
            seen.traffic.arrived += times;
            seen.traffic.answered += times;
            seen.traffic.latency.record_times(latency, weight);
            seen.wait.record_times(wait, weight);
        }
    }

    /// A call to a workload failed for its caller.
    pub fn call_failed(&mut self, workload: usize, (sent, weight): (SimTime, u32), cause: Cause) {
        match cause {
            Cause::Timeout => self.trouble.timeouts += 1,
            Cause::Dependency | Cause::ExternalError | Cause::ExternalQuota => {}
            Cause::QueueFull
            | Cause::NoEndpoint
            | Cause::ConnectionRefused
            | Cause::PodEnded
            | Cause::OutOfMemory
            | Cause::PoolTimeout
            | Cause::PoolFull
            | Cause::TooManyConnections
            | Cause::BreakerOpen
            | Cause::BreakerFull => self.trouble.refused += 1,
        }
        let (failed, answered) = self.failures(weight);
        self.step.failed_calls[workload] += failed;
        if sent >= self.counts_from {
            let traffic = &mut self.workloads[workload].traffic;
            traffic.arrived += failed + answered;
            traffic.answered += answered;
            traffic.failures[cause as usize] += failed;
        }
    }

    /// A caller has given a call up whose good answer was on its way already: it counts
    /// once, as the failure that it is for its caller.
    pub fn answered_late(&mut self, workload: usize, (sent, weight): (SimTime, u32)) {
        if sent >= self.counts_from {
            let traffic = &mut self.workloads[workload].traffic;
            traffic.arrived -= u64::from(weight);
            traffic.answered -= u64::from(weight);
        }
        self.call_failed(workload, (sent, weight), Cause::Timeout);
    }

    /// A call that was sent then has waited so long for the connection that it has now,
    /// one of so many that its pod keeps.
    pub fn connection_found(&mut self, pool: usize, sent: SimTime, (wait, kept): (SimDuration, u32)) {
        if sent >= self.counts_from {
            let seen = &mut self.pools[pool];
            seen.wait.record(wait);
            seen.most = seen.most.max(kept);
        }
    }

    /// A call that was sent then gets no connection of its caller's pool.
    pub fn connection_missed(&mut self, pool: usize, sent: SimTime, cause: Cause) {
        if sent >= self.counts_from {
            let seen = &mut self.pools[pool];
            match cause {
                Cause::PoolTimeout => seen.timed_out += 1,
                _ => seen.turned_away += 1,
            }
        }
    }

    /// A connection was opened to a pod of a workload, which has so many now.
    pub fn connection_opened(&mut self, pool: usize, to: usize, count: u32) {
        if self.observing() {
            self.pools[pool].opened += 1;
            let seen = &mut self.workloads[to];
            seen.connections_max = seen.connections_max.max(count);
        }
    }

    /// A connection was refused: the pod had all that it takes.
    pub fn connection_refused(&mut self, pool: usize) {
        if self.observing() {
            self.pools[pool].refused += 1;
        }
    }

    /// An external service was called.
    pub fn external_called(&mut self, external: usize, sent: SimTime) {
        if sent >= self.counts_from {
            self.externals[external].arrived += u64::from(self.weight);
        }
    }

    /// An external service answers after `latency`.
    pub fn external_answered(&mut self, external: usize, sent: SimTime, latency: SimDuration) {
        if sent >= self.counts_from {
            self.externals[external].answered += u64::from(self.weight);
            self.externals[external].latency.record_times(latency, self.weight);
        }
    }

    /// An external service failed.
    pub fn external_failed(&mut self, external: usize, sent: SimTime, cause: Cause) {
        if sent >= self.counts_from {
            self.externals[external].failures[cause as usize] += u64::from(self.weight);
        }
    }

    /// A caller gives a call to an external service up that would have been answered, or
    /// have `failed`, later.
    pub fn external_given_up(&mut self, external: usize, whose: (SimTime, u32), failed: Option<Cause>) {
        let (sent, weight) = (whose.0, u64::from(whose.1));
        if sent >= self.counts_from {
            let traffic = &mut self.externals[external];
            match failed {
                Some(cause) => traffic.failures[cause as usize] -= weight,
                None => traffic.answered -= weight,
            }
            traffic.failures[Cause::Timeout as usize] += weight;
        }
    }

    /// A workload has so many ready and wants so many replicas.
    pub fn replicas(&mut self, now: SimTime, workload: usize, ready: u32, desired: u32) {
        self.workloads[workload].ready.set(now, f64::from(ready));
        self.workloads[workload].desired.set(now, f64::from(desired));
        // At each change: a step's end would miss what is shorter than a step.
        let all = self.workloads.iter().map(|one| one.ready.value()).sum();
        self.cluster.ready_pods.set(now, all);
    }

    /// A workload's usage curve asks for so many cores.
    pub fn demanded(&mut self, now: SimTime, workload: usize, cores: f64) {
        self.workloads[workload].demanded.set(now, cores);
    }

    /// That is more than its ready pods may use, or not.
    pub fn overloaded(&mut self, now: SimTime, workload: usize, overloaded: bool) {
        self.workloads[workload].overload.set(now, f64::from(u8::from(overloaded)));
    }

    /// An HPA changed a replica count.
    pub fn decided(&mut self, decision: Decision) {
        if self.observing() {
            self.workloads[decision.workload].scale_events += 1;
            if self.decisions.len() < DECISIONS {
                self.decisions.push(decision);
            }
        }
    }

    /// A moment that matters.
    pub fn moment(&mut self, time: SimTime, kind: MomentKind, workload: Option<usize>, text: String) {
        if self.moments.len() < MOMENTS {
            self.moments.push(Moment { time, kind, workload, text });
        }
    }

    /// A step of the watch is over.
    pub fn watch_step_ended(
        &mut self,
        time: SimTime,
        replicas: impl Iterator<Item = (u32, u32)>,
        nodes: u32,
    ) {
        let (before, now) = (self.watched.before, self.balance);
        let (ready, desired) = replicas.unzip();
        self.watch.rows.push(WatchRow {
            time,
            arrived: now.arrived - before.arrived,
            answered: now.answered - before.answered,
            failed: now.failed - before.failed,
            slowest: self.watched.slowest,
            ready,
            desired,
            nodes,
        });
        self.watched = Watched { before: now, slowest: SimDuration::ZERO };
    }

    /// A step of the series is over.
    pub fn step_ended(&mut self, now: SimTime, cluster: &ClusterRow, rows: &[WorkloadRow]) {
        self.pay(now, cluster.price_per_hour);
        let observing = self.observing();
        let series = &mut self.series;
        series.times.push(now);
        series.users.push(cluster.most_users);
        series.arrived.push(std::mem::take(&mut self.step.arrived));
        series.failed.push(std::mem::take(&mut self.step.failed));
        series.p50.push(self.step.latency.quantile(0.5));
        series.p95.push(self.step.latency.quantile(0.95));
        series.p99.push(self.step.latency.quantile(0.99));
        self.step.latency.clear();
        let weight = std::mem::replace(&mut self.step.weight, self.weight);
        for (course, since) in series.courses.iter_mut().zip(&mut self.since) {
            let seen = match course.whose {
                Whose::Journey(journey) => &self.journeys[journey].latency,
                Whose::Workload(workload) => &self.workloads[workload].traffic.latency,
            };
            course.step(since, observing.then_some(seen), weight);
        }
        series.nodes.push(cluster.nodes);
        series.pods.push(cluster.pods);
        series.pending.push(cluster.pending);
        for (row, column) in rows.iter().zip(&mut series.workloads) {
            column.desired.push(row.desired);
            column.ready.push(row.ready);
            column.cpu.push(row.cpu);
            column.cpu_request.push(row.cpu_request);
            column.cpu_limit.push(row.cpu_limit);
            column.memory.push(row.memory);
            column.memory_request.push(row.memory_request);
            column.memory_limit.push(row.memory_limit);
        }
        for (column, failed) in series.workloads.iter_mut().zip(&mut self.step.failed_calls) {
            column.failed.push(std::mem::take(failed));
        }
        self.levels(now, cluster, rows);
    }

    /// Nodes of this price have been there since the last row, or since observation began.
    pub fn pay(&mut self, now: SimTime, price_per_hour: f64) {
        let last = self.series.until();
        let hours = now.since_or_zero(last.max(self.start)).as_secs_f64() / 3_600.0;
        self.cluster.cost += price_per_hour * hours;
    }

    /// The same figures as levels of the observed time. CPU is a mean over the
    /// step that has just ended, and counts for that step.
    fn levels(&mut self, now: SimTime, cluster: &ClusterRow, rows: &[WorkloadRow]) {
        let step = self.series.step;
        let running = rows.iter().map(|row| row.running).collect();
        let before = std::mem::replace(&mut self.step.running, running);
        self.cluster.users.set(now, cluster.most_users);
        self.cluster.users.set(now, cluster.users);
        self.cluster.pods.set(now, f64::from(cluster.pods));
        self.cluster.cpu_requested_share.set(now, cluster.cpu_requested_share);
        if !self.observing() || now.since_or_zero(self.start) < step {
            return;
        }
        for ((row, seen), before) in rows.iter().zip(&mut self.workloads).zip(before) {
            // Pods that ended in the step have used of it, too.
            let per_pod = row.cpu / f64::from(row.running.max(before).max(1));
            // The first whole step replaces the starting value, which nobody
            // measured; the warm-up may have ended in the middle of a step.
            if now.since(self.start) < step * 2 {
                seen.cpu_cores = Level::starting(self.start, row.cpu);
                seen.cpu_per_pod = Level::starting(self.start, per_pod);
                seen.memory = Level::starting(self.start, row.memory);
            }
            seen.cpu_cores.was(now, row.cpu);
            seen.cpu_per_pod.was(now, per_pod);
            seen.memory.set(now, row.memory);
            seen.memory_pod_max = seen.memory_pod_max.max(row.memory_pod_max);
            seen.connections_max = seen.connections_max.max(row.connections_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_end_in_a_step_have_used_of_it() {
        let mut seen = Recorder::new(0, 1, 0, SimDuration::from_secs(10));
        seen.begin(SimTime::ZERO, SimTime::ZERO);
        // Ten pods of half a core, five of which end in the second step's last moment.
        for (second, running) in [(10, 10), (20, 5), (30, 5)] {
            let cpu = if second == 30 { 2.5 } else { 5.0 };
            let row = WorkloadRow { running, cpu, ..WorkloadRow::default() };
            seen.step_ended(SimTime::from_secs(second), &ClusterRow::default(), &[row]);
        }
        let per_pod = seen.workloads[0].cpu_per_pod;
        assert!((per_pod.max() - 0.5).abs() < 1e-12 && (per_pod.min() - 0.5).abs() < 1e-12, "{per_pod:?}");
    }
}
