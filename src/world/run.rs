//! A run under way: its events one after the other, to the end or to where several
//! runs part.

use crate::observe::{Observations, Stop, Watch, WatchRow};
use crate::scenario::{Failure, Population, Scenario};
use crate::sim::agenda::Engine;
use crate::sim::fingerprint::Fingerprint;
use crate::sim::random::Seed;
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::state::State;
use crate::world::{answer_to, drills, reports, requests, start, users};

/// Everything has recovered when it stays so for this long.
const STAYS: SimDuration = SimDuration::from_secs(30);

/// A run under way.
///
/// Runs under the same seed that differ in their drills alone are one run until the
/// warm-up is over. [`Run::warm_up`] goes so far, and [`Run::with_drills`] from there
/// on: what comes of it is, to the bit, what the whole run would have been.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    state: State<'a>,
    cx: Context,
    fingerprint: Fingerprint,
    /// Events that were answered.
    events: u64,
    /// Events put in for drills, which the fingerprint leaves out: they are put in at
    /// the beginning or where runs part.
    apart: u64,
    /// The end of the warm-up, handed out and not answered yet.
    waits: Option<SimTime>,
    /// Why it ended early.
    stopped: Option<Stop>,
}

impl<'a> Run<'a> {
    /// A run at its first moment.
    pub fn begin(scenario: &'a Scenario, seed: Seed, engine: Engine) -> Self {
        let (state, cx, apart) = start::begin(scenario, seed, engine);
        let fingerprint = Fingerprint::default();
        Self { state, cx, fingerprint, events: 0, apart, waits: None, stopped: None }
    }

    /// The same run with every event that can't change anything.
    pub fn sleepless(mut self) -> Self {
        self.state.leaves_out = false;
        self
    }

    /// Goes on until the warm-up is over.
    pub fn warm_up(mut self) -> Self {
        debug_assert!(self.waits.is_none(), "the warm-up ends once");
        self.waits = self.go_on(Event::WarmUpEnded, |_, _| false);
        self
    }

    /// Whether a run of `scenario` is this one until the warm-up is over, however late
    /// the drills are known: another load is foreseen by what bounds the rate of an open
    /// population and by usage curves, and a drill at the very end of the warm-up comes in
    /// its own order there.
    pub fn may_part(scenario: &Scenario) -> bool {
        let closed = matches!(scenario.demand.population, Population::Users { .. });
        let follows = closed && !scenario.has_usage();
        let surges =
            |what: &Failure| matches!(what, Failure::Load { factor, .. } if (factor - 1.0).abs() > 0.0);
        scenario.drills.iter().all(|one| one.from > SimDuration::ZERO && (follows || !surges(&one.what)))
    }

    /// The run of a scenario that differs from this one in its drills, and in ending no
    /// later; `self` has no drills and has gone through the warm-up.
    pub fn with_drills(&self, scenario: &'a Scenario) -> Self {
        let own = self.state.scenario;
        debug_assert!(own.drills.is_empty() && scenario.horizon <= own.horizon && Self::may_part(scenario));
        debug_assert!(scenario.warm_up == own.warm_up && scenario.demand == own.demand);
        let mut run = self.clone();
        run.state.scenario = scenario;
        run.cx.seen.watch = Watch::over(scenario.horizon, scenario.drills.len());
        let before = run.cx.agenda.put_in();
        drills::begin(&mut run.state, &mut run.cx);
        run.cx.agenda.at(SimTime::ZERO + scenario.warm_up + scenario.horizon, Event::Ended);
        run.apart += run.cx.agenda.put_in() - before;
        run
    }

    /// Goes on to the end; what was seen.
    pub fn to_its_end(self) -> Observations {
        self.finish(|_, _| false)
    }

    /// Goes on until everything is as it was before the drills: earlier than the end only
    /// where nothing they did lasts.
    pub fn until_recovered(self) -> Observations {
        self.finish(|run, event| matches!(event, Event::WatchStepEnded) && run.has_recovered())
    }

    fn finish(mut self, enough: impl Fn(&Self, Event) -> bool) -> Observations {
        if let Some(time) = self.waits.take() {
            self.answer(time, Event::WarmUpEnded);
        }
        if self.stopped.is_none() {
            self.go_on(Event::Ended, enough);
        }
        reports::conclude(&mut self.state, self.cx, self.fingerprint, self.events, self.stopped)
    }

    /// Goes through the events until `last` is handed out, which is left to the caller:
    /// when that was, unless it was enough before or the run outgrew its limits.
    fn go_on(&mut self, last: Event, enough: impl Fn(&Self, Event) -> bool) -> Option<SimTime> {
        while let Some((time, event)) = self.cx.agenda.hand_out(
            |event| requests::is_wanted(&self.state, event),
            |event| users::fetch(&self.state, event),
        ) {
            if event.ends_as(last) {
                return Some(time);
            }
            self.answer(time, event);
            if enough(self, event) {
                break;
            }
            if self.events.is_multiple_of(4_096) {
                self.stopped = self.beyond_limits();
                if self.stopped.is_some() {
                    break;
                }
            }
        }
        None
    }

    /// Whether all drills are over and for half a minute no more has failed than before,
    /// every workload has had its replicas, and nothing has been on its way.
    fn has_recovered(&self) -> bool {
        let watch = &self.cx.seen.watch;
        let rows = (STAYS.as_nanos() / watch.step.as_nanos().max(1)).max(1) as usize;
        let struck = watch.strikes.iter().map(|one| one.time).collect::<Option<Vec<SimTime>>>();
        let Some((first, last)) = struck.and_then(|all| Some((*all.iter().min()?, *all.iter().max()?)))
        else {
            return false;
        };
        let before = watch.rows.partition_point(|row| row.time <= first);
        let after = watch.rows.partition_point(|row| row.time <= last);
        if before == 0 || watch.rows.len() < after + rows || !self.lasting_is_over() {
            return false;
        }
        let (usual, now) = (&watch.rows[..before], &watch.rows[watch.rows.len() - rows..]);
        let failed = |rows: &[WatchRow]| rows.iter().map(|row| row.failed).sum::<u64>() as f64;
        let expected = failed(usual) * rows as f64 / before as f64;
        let had = &watch.rows[before - 1].ready;
        failed(now) <= expected + 2.0 * expected.sqrt() + 1.0
            && now.iter().all(|row| row.is_whole(had))
            && self
                .state
                .workloads
                .iter()
                .all(|one| one.rollout.is_none() && one.pods.len() == one.ready as usize)
    }

    /// Whether no drill has any effect that is still to end. A load that comes and goes
    /// is never over: autoscalers follow it for minutes.
    fn lasting_is_over(&self) -> bool {
        let strikes = self.state.scenario.drills.iter().zip(&self.cx.seen.watch.strikes);
        let mut lasting = strikes.filter(|(drill, strike)| drill.lasts.is_some() && strike.ended.is_none());
        lasting.all(|(drill, _)| match drill.what {
            // A container that has restarted hangs no longer, and its pods have moved.
            Failure::Hang { .. } => !self.state.pods.iter().any(|(_, _, pod)| pod.hangs),
            Failure::NodeLoss { .. } | Failure::ZoneOutage => true,
            _ => false,
        }) && !self.state.scenario.drills.iter().any(|one| matches!(one.what, Failure::Load { .. }))
    }

    #[expect(clippy::inline_always, reason = "thirteen times for a request of three hops")]
    #[inline(always)]
    fn answer(&mut self, time: SimTime, mut event: Event) {
        // The moment, and all that was put in until then: two runs that differ in
        // anything differ in these from the next event on.
        self.fingerprint.fold(time.as_nanos());
        self.fingerprint.fold(self.cx.agenda.put_in() - self.apart);
        loop {
            self.events += 1;
            answer_to(&mut self.state, &mut self.cx, event);
            match self.cx.next_raised() {
                Some(raised) => event = raised,
                None => return,
            }
        }
    }

    /// Whether the run has outgrown the scenario's limits.
    fn beyond_limits(&self) -> Option<Stop> {
        let limits = self.state.scenario.limits;
        if self.state.frames.len() > limits.in_flight {
            Some(Stop::InFlight(limits.in_flight))
        } else if self.state.pods.len() > limits.pods {
            Some(Stop::Pods(limits.pods))
        } else {
            None
        }
    }
}
