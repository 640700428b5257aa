//! Probes: the kubelet's probe worker as a state machine.
//!
//! Upstream: `pkg/kubelet/prober/worker.go`, defaults in
//! `pkg/apis/core/v1/defaults.go`.

use crate::units::{SimDuration, SimTime};

/// A startup, readiness or liveness probe, after defaulting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How the container is asked.
    pub handler: Handler,
    /// Counted in whole seconds from the container's start.
    pub initial_delay: SimDuration,
    /// From one probe to the next; at least 1 s.
    pub period: SimDuration,
    /// After which an unanswered probe has failed.
    pub timeout: SimDuration,
    /// Successes in a row before the stored result turns to success.
    pub success_threshold: u32,
    /// Failures in a row before the stored result turns to failure.
    pub failure_threshold: u32,
    /// `terminationGracePeriodSeconds` of a startup or liveness probe: what a container
    /// that failed it is given to end, instead of its pod's.
    pub grace: Option<SimDuration>,
}

impl Probe {
    /// How long a container that failed this probe has to end, in a pod with the grace
    /// period `pods`. Upstream: `setTerminationGracePeriod` in
    /// `pkg/kubelet/kuberuntime/kuberuntime_container.go`.
    pub fn grace_in(&self, pods: SimDuration) -> SimDuration {
        self.grace.unwrap_or(pods)
    }
}

/// How a probe asks; all but `tcpSocket` are simulated as one small request to the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `httpGet`
    Http,
    /// `tcpSocket`: succeeds as soon as the container listens, whatever its process does:
    /// the kernel completes the connection. Upstream: `pkg/probe/tcp/tcp.go`.
    Tcp,
    /// `grpc`
    Grpc,
    /// `exec`: a process of its own in the container.
    Exec,
}

impl Default for Probe {
    /// The API's defaults for an `httpGet` probe.
    fn default() -> Self {
        Self {
            handler: Handler::Http,
            initial_delay: SimDuration::ZERO,
            period: SimDuration::from_secs(10),
            timeout: SimDuration::from_secs(1),
            success_threshold: 1,
            failure_threshold: 3,
            grace: None,
        }
    }
}

impl Handler {
    /// Whether the container's process has to answer; a `tcpSocket` is answered by the
    /// kernel, also for one that hangs or is overloaded.
    pub fn asks_the_process(self) -> bool {
        self != Self::Tcp
    }
}

/// Which of a container's probes a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Holds the other two back until it has succeeded; its failure restarts the container.
    Startup,
    /// Decides whether the pod gets traffic.
    Readiness,
    /// Its failure restarts the container.
    Liveness,
}

/// A probe's result, or what is stored before there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is known yet (startup only).
    Unknown,
    /// The container answered well, in time.
    Success,
    /// It did not.
    Failure,
}

/// One probe of one container of a pod, over all of its restarts. Small and
/// without allocation, as a simulation runs thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    kind: Kind,
    initial_delay_secs: u64,
    success_threshold: u32,
    failure_threshold: u32,
    /// Version switch: startup success, too, puts the worker on hold (1.32 and later).
    holds_after_startup: bool,
    container: Option<u64>,
    stored: Option<Outcome>,
    last: Outcome,
    run: u32,
    on_hold: bool,
}

/// What the kubelet's status says of a worker's pod and container at one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The pod has Failed or Succeeded.
    pub pod_ended: bool,
    /// The pod is being deleted.
    pub pod_deleting: bool,
    /// The container, identified anew at each restart; `None` before its first run.
    pub container: Option<ContainerView>,
}

/// The container's part of a [`View`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerView {
    /// Different for each run of the container.
    pub id: u64,
    /// What it does.
    pub state: ContainerState,
    /// Whether its startup probe has succeeded; true at once without one.
    pub started: bool,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It waits for its (next) start.
    Waiting,
    /// It runs.
    Running {
        /// Since then.
        since: SimTime,
    },
    /// It has ended.
    Terminated {
        /// Whether the restart policy lets it start again.
        restarts: bool,
    },
}

/// What a worker does at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Asks the container; the result goes to [`Worker::answer`].
    Probe,
    /// Nothing this time.
    Skip(Skip),
    /// Nothing ever again.
    Exit,
}

/// Why a worker does not probe at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The container has not run yet.
    NoContainer,
    /// What there is to know of this run is known; the next run ends the hold.
    OnHold,
    /// The container is not running.
    NotRunning,
    /// The initial delay is not over.
    InitialDelay,
    /// The startup probe has not succeeded yet.
    NotStarted,
    /// The startup probe has nothing left to find out.
    Started,
}

/// What a probe's result changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: below the threshold, or as before.
    Nothing,
    /// The stored result is another now.
    Stored(Outcome),
    /// The container is to be killed, and restarted through its back-off.
    Restart,
}

impl Worker {
    /// A worker that has seen nothing yet. `holds_after_startup` is the version
    /// switch of the startup probe: releases after 1.31 stop asking once it succeeded.
    pub fn new(kind: Kind, probe: &Probe, holds_after_startup: bool) -> Self {
        Self {
            kind,
            initial_delay_secs: probe.initial_delay.whole_secs(),
            success_threshold: probe.success_threshold,
            failure_threshold: probe.failure_threshold,
            holds_after_startup,
            container: None,
            stored: None,
            // Upstream's zero value; with a run of 0 it decides nothing.
            last: Outcome::Success,
            run: 0,
            on_hold: false,
        }
    }

    /// One tick: takes note of what the container did meanwhile and says whether
    /// to probe now. May change what is stored.
    pub fn step(&mut self, view: &View, now: SimTime) -> Tick {
        if view.pod_ended {
            return Tick::Exit;
        }
        let Some(container) = view.container else { return Tick::Skip(Skip::NoContainer) };
        if self.container != Some(container.id) {
            self.container = Some(container.id);
            self.stored = Some(self.kind.initial());
            self.on_hold = false;
        }
        if self.on_hold {
            return Tick::Skip(Skip::OnHold);
        }
        let since = match container.state {
            ContainerState::Running { since } => since,
            ContainerState::Waiting | ContainerState::Terminated { restarts: true } => {
                self.stored = Some(Outcome::Failure);
                return Tick::Skip(Skip::NotRunning);
            }
            ContainerState::Terminated { restarts: false } => {
                self.stored = Some(Outcome::Failure);
                return Tick::Exit;
            }
        };
        // Readiness goes on while a pod ends; the others must not kill it once more.
        if view.pod_deleting && self.kind != Kind::Readiness {
            self.stored = Some(Outcome::Success);
            return Tick::Exit;
        }
        if now.since_or_zero(since).whole_secs() < self.initial_delay_secs {
            return Tick::Skip(Skip::InitialDelay);
        }
        match (container.started, self.kind) {
            (true, Kind::Startup) => Tick::Skip(Skip::Started),
            (false, Kind::Readiness | Kind::Liveness) => Tick::Skip(Skip::NotStarted),
            (false, Kind::Startup) | (true, Kind::Readiness | Kind::Liveness) => Tick::Probe,
        }
    }

    /// The result of the probe that [`Worker::step`] asked for. An error of the
    /// prober itself is no result and is not reported here.
    pub fn answer(&mut self, success: bool) -> Change {
        let (result, threshold) = if success {
            (Outcome::Success, self.success_threshold)
        } else {
            (Outcome::Failure, self.failure_threshold)
        };
        self.run = if self.last == result { self.run.saturating_add(1) } else { 1 };
        self.last = result;
        if self.run < threshold {
            return Change::Nothing;
        }
        let before = self.stored.replace(result);
        let restart = !success && self.kind != Kind::Readiness;
        if restart || (self.kind == Kind::Startup && self.holds_after_startup) {
            self.on_hold = true;
            self.run = 0;
        }
        if restart {
            Change::Restart
        } else if before == Some(result) {
            Change::Nothing
        } else {
            Change::Stored(result)
        }
    }

    /// Takes note of so many probes that were answered well like the last one, and so
    /// could change nothing but their number.
    pub fn slept_through(&mut self, probes: u64) {
        debug_assert!(self.stored == Some(Outcome::Success) && self.last == Outcome::Success);
        if self.kind != Kind::Startup {
            self.run = self.run.saturating_add(u32::try_from(probes).unwrap_or(u32::MAX));
        }
    }

    /// The same worker in a container (`id`) that has been up and well for a while.
    pub fn settled(self, id: u64) -> Self {
        let on_hold = self.kind == Kind::Startup && self.holds_after_startup;
        Self { container: Some(id), stored: Some(Outcome::Success), last: Outcome::Success, on_hold, ..self }
    }

    /// The stored result; `None` until the container has run for the first time.
    pub fn stored(&self) -> Option<Outcome> {
        self.stored
    }

    /// Whether the stored and the last result are successes.
    pub fn is_well(&self) -> bool {
        self.stored == Some(Outcome::Success) && self.last == Outcome::Success
    }

    /// How many results in a row were like the last one.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Whether it waits for the container's next run.
    pub fn on_hold(&self) -> bool {
        self.on_hold
    }
}

impl Kind {
    /// What is stored of a fresh container.
    fn initial(self) -> Outcome {
        match self {
            Self::Startup => Outcome::Unknown,
            Self::Readiness => Outcome::Failure,
            Self::Liveness => Outcome::Success,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::restart::{Backoff, Policy, Restart};
    use crate::k8s::termination::{Ending, endings};

    fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    fn running(id: u64, since: u64, started: bool) -> View {
        let state = ContainerState::Running { since: at(since) };
        View { pod_ended: false, pod_deleting: false, container: Some(ContainerView { id, state, started }) }
    }

    /// Ticks every period from `from` on until the container is to be killed; its time.
    fn killed_at(worker: &mut Worker, probe: &Probe, view: &View, from: u64, healthy_until: u64) -> SimTime {
        let mut now = at(from);
        for _ in 0..100 {
            if worker.step(view, now) == Tick::Probe
                && worker.answer(now < at(healthy_until)) == Change::Restart
            {
                return now;
            }
            now += probe.period;
        }
        SimTime::NEVER
    }

    #[test]
    fn liveness_takes_period_times_threshold() {
        let probe = Probe::default();
        let mut worker = Worker::new(Kind::Liveness, &probe, true);
        // Healthy through 100 s (exclusive): failures at 100, 110, 120.
        assert_eq!(killed_at(&mut worker, &probe, &running(1, 0, true), 0, 100), at(120));
        assert_eq!((worker.on_hold(), worker.run()), (true, 0));
        // The next run starts afresh.
        assert_eq!(worker.step(&running(1, 0, true), at(130)), Tick::Skip(Skip::OnHold));
        assert_eq!(worker.step(&running(2, 131, true), at(140)), Tick::Probe);
        assert_eq!(worker.stored(), Some(Outcome::Success));
    }

    /// A container that hangs for good, from its first run on: detection takes
    /// 30 s, the kill its grace, the first restart nothing, later ones their back-off.
    #[test]
    fn a_hung_container_is_found_killed_and_restarted() {
        let (probe, grace) = (Probe::default(), SimDuration::from_secs(30));
        let mut worker = Worker::new(Kind::Liveness, &probe, true);
        let (mut backoff, mut start, mut starts) = (Backoff::default(), at(0), Vec::new());
        for run in 0..4 {
            let state = ContainerState::Running { since: start };
            let container = Some(ContainerView { id: run, state, started: true });
            let view = View { pod_ended: false, pod_deleting: false, container };
            // The worker ticks every 10 s whatever the container does; it is
            // noticed up to one period after its start.
            let tick = start.as_nanos().div_ceil(probe.period.as_nanos()) * 10;
            let found = killed_at(&mut worker, &probe, &view, tick, 0);
            assert!((20..=30).contains(&found.since(start).whole_secs()));
            let ending =
                Ending { pre_stop: SimDuration::ZERO, after_sigterm: SimDuration::MAX, sidecar: false };
            let gone = endings(found, grace, &[ending])[0].gone;
            start = match backoff.restart(&Policy::CONTAINER, gone, gone) {
                Restart::Now { .. } => gone,
                Restart::NotBefore(then) => then,
            };
            backoff.restart(&Policy::CONTAINER, gone, start);
            starts.push(start.since(gone).whole_secs());
        }
        assert_eq!(starts, [0, 10, 20, 40]);
    }

    #[test]
    fn a_startup_probe_gives_up_after_delay_and_all_its_periods() {
        let probe =
            Probe { initial_delay: SimDuration::from_secs(5), failure_threshold: 6, ..Probe::default() };
        let mut worker = Worker::new(Kind::Startup, &probe, true);
        let gone = killed_at(&mut worker, &probe, &running(1, 0, false), 5, 0);
        assert_eq!(gone, at(55));
    }

    #[test]
    fn initial_delay_counts_whole_seconds() {
        let probe = Probe { initial_delay: SimDuration::from_secs(2), ..Probe::default() };
        let mut worker = Worker::new(Kind::Readiness, &probe, true);
        let view = running(1, 10, true);
        assert_eq!(worker.step(&view, SimTime::from_nanos(11_999_999_999)), Tick::Skip(Skip::InitialDelay));
        assert_eq!(worker.step(&view, at(12)), Tick::Probe);
        assert_eq!(worker.answer(true), Change::Stored(Outcome::Success));
        assert_eq!(worker.answer(true), Change::Nothing);
    }

    #[test]
    fn older_startup_workers_do_not_hold_after_success() {
        for (holds, next) in [(true, Skip::OnHold), (false, Skip::Started)] {
            let mut worker = Worker::new(Kind::Startup, &Probe::default(), holds);
            assert_eq!(worker.step(&running(1, 0, false), at(10)), Tick::Probe);
            assert_eq!(worker.answer(true), Change::Stored(Outcome::Success));
            assert_eq!(worker.step(&running(1, 0, true), at(20)), Tick::Skip(next));
        }
    }

    #[test]
    fn readiness_goes_on_while_the_pod_ends() {
        let mut readiness = Worker::new(Kind::Readiness, &Probe::default(), true);
        let mut liveness = Worker::new(Kind::Liveness, &Probe::default(), true);
        let view = View { pod_deleting: true, ..running(1, 0, true) };
        assert_eq!((readiness.step(&view, at(9)), liveness.step(&view, at(9))), (Tick::Probe, Tick::Exit));
    }
}
