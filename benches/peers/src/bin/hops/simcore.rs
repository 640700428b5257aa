//! Three hops on SimCore: a component for each pod and one for all users, who know each
//! other by messages alone. Deadlines travel with the calls, as gRPC's do, so that a pod
//! knows whether anybody still waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use kubeplan::observe::{Cause, Recorder};
use kubeplan::scenario::{Demand, Population, Retry, Scenario};
use kubeplan::service::{Job, Station};
use kubeplan::sim::random::{Seed, Stream, below, draw, unit};
use kubeplan::units::{SimDuration, SimTime};
use kubeplan::world::frames::ROUTE;
use kubeplan::world::ids::Arena;
use kubeplan::world::program::{OperationCode, Program, StepCode};
use kubeplan::world::requests::purpose;
use kubeplan::world::users;
use serde::Serialize;
use simcore::{Event, EventHandler, EventId, Id, Simulation, SimulationContext, cast};

/// What a caller knows an attempt by, and what the answer brings back.
#[derive(Clone, Copy, Serialize)]
struct Ticket {
    place: u32,
    tenant: u32,
    attempt: u8,
}

/// A call reached its pod. Times are in nanoseconds.
#[derive(Clone, Serialize)]
struct Called {
    ticket: Ticket,
    first_step: u32,
    key: u64,
    sent: u64,
    deadline: u64,
}

/// An answer reached the caller.
#[derive(Clone, Serialize)]
struct Answered {
    ticket: Ticket,
    #[serde(skip)]
    failed: Option<Cause>,
}

/// The caller's patience with an attempt is over, if it still waits.
#[derive(Clone, Serialize)]
struct GaveUp {
    ticket: Ticket,
}

/// The wait before another attempt is over.
#[derive(Clone, Serialize)]
struct BackedOff {
    ticket: Ticket,
}

/// Work that a pod's CPU finishes next is done.
#[derive(Clone, Serialize)]
struct WorkEnded {}

/// The next user may come.
#[derive(Clone, Serialize)]
struct UserDue {}

/// The warm-up is over.
#[derive(Clone, Serialize)]
struct WarmedUp {}

/// What all components look at.
struct Shared {
    program: Program,
    /// By workload: its pods.
    pods: Vec<Vec<Id>>,
    users: Id,
    seen: RefCell<Recorder>,
}

/// A call that its caller waits for.
#[derive(Clone, Copy)]
struct Outgoing {
    number: u32,
    attempt: u8,
    key: u64,
    sent: SimTime,
}

/// SimCore's clock counts whole nanoseconds here, so that ties are ties.
fn now(ctx: &SimulationContext) -> SimTime {
    SimTime::from_nanos(ctx.time() as u64)
}

fn delay(duration: SimDuration) -> f64 {
    duration.as_nanos() as f64
}

impl Shared {
    /// How long a message takes between pods, or between one and a user.
    fn travel(&self, outside: bool) -> f64 {
        delay(self.program.lanes[self.program.travel[usize::from(outside)] as usize])
    }

    fn operation(&self, call: u32) -> OperationCode {
        self.program.operations[self.program.operation_of(call) as usize]
    }

    /// Sends an attempt of a call.
    fn send(&self, ctx: &SimulationContext, ticket: Ticket, number: u32, key: u64) -> Outgoing {
        let (sent, attempt) = (now(ctx), ticket.attempt);
        let operation = self.operation(number);
        let lane = self.program.calls[number as usize].lane.expect("every call has a timeout");
        let patience = self.program.lanes[lane as usize];
        let outside = ctx.id() == self.users;
        // SimCore keeps one list of events that come in order. It is of most use to the
        // timeouts that stay longest; those between pods would break its order. Nobody
        // cancels one: to find it late, as here, costs less than its place in a set.
        if outside {
            ctx.emit_ordered_self(GaveUp { ticket }, delay(patience));
        } else {
            ctx.emit_self(GaveUp { ticket }, delay(patience));
        }
        let pods = &self.pods[operation.workload as usize];
        let pod = pods[below(draw(key, ROUTE), pods.len() as u64) as usize];
        let (first_step, deadline) = (operation.first_step, (sent + patience).as_nanos());
        let called = Called { ticket, first_step, key, sent: sent.as_nanos(), deadline };
        ctx.emit(called, pod, self.travel(outside));
        Outgoing { number, attempt, key, sent }
    }

    /// A caller has given an attempt up.
    fn note_timeout(&self, call: Outgoing) {
        let workload = self.operation(call.number).workload as usize;
        self.seen.borrow_mut().call_failed(workload, (call.sent, 1), Cause::Timeout);
    }

    /// An attempt failed: the next one with the wait before it, if there may be one.
    fn next_attempt(&self, call: Outgoing) -> Option<(Outgoing, f64)> {
        let Retry { attempts, backoff, max_backoff, jitter, .. } =
            self.program.calls[call.number as usize].retry;
        if u32::from(call.attempt) >= attempts {
            return None;
        }
        let attempt = call.attempt + 1;
        let key = draw(call.key, purpose::RETRY + u64::from(attempt));
        let wait = (backoff * (1 << u64::from(call.attempt.min(20)))).min(max_backoff);
        let wait = wait.scale(1.0 - jitter * unit(draw(call.key, purpose::JITTER)));
        Some((Outgoing { attempt, key, ..call }, delay(wait)))
    }
}

/// A request in its pod.
struct Frame {
    caller: Id,
    ticket: Ticket,
    deadline: SimTime,
    key: u64,
    step: u32,
    sent: SimTime,
    arrived: SimTime,
    begun: SimTime,
    /// Since its first call.
    call: Option<Outgoing>,
}

/// A pod: places, a queue for them, and a CPU.
struct Pod {
    ctx: SimulationContext,
    shared: Rc<Shared>,
    workload: usize,
    station: Station,
    frames: Arena<Frame>,
    in_progress: u32,
    queue: VecDeque<u32>,
    /// When the station's next work ends, and the event of it.
    next: Option<(SimTime, EventId)>,
}

impl Pod {
    fn called(&mut self, caller: Id, called: Called) {
        let (now, rules) = (now(&self.ctx), self.shared.program.serving[self.workload]);
        let frame = Frame {
            caller,
            ticket: called.ticket,
            deadline: SimTime::from_nanos(called.deadline),
            key: called.key,
            step: called.first_step,
            sent: SimTime::from_nanos(called.sent),
            arrived: now,
            begun: now,
            call: None,
        };
        if self.in_progress < rules.places {
            let (place, _) = self.frames.insert(frame);
            self.begin(place);
            self.settle();
        } else if (self.queue.len() as u32) < rules.queue {
            let (place, _) = self.frames.insert(frame);
            self.queue.push_back(place);
        } else {
            self.fail(&frame, Cause::QueueFull);
        }
    }

    /// A request gets its place.
    fn begin(&mut self, place: u32) {
        let now = now(&self.ctx);
        if let Some((_, frame)) = self.frames.at_mut(place) {
            frame.begun = now;
            self.in_progress += 1;
            self.go_on(place);
        }
    }

    /// Goes on with a request's next step.
    fn go_on(&mut self, place: u32) {
        let Some((tenant, frame)) = self.frames.at_mut(place) else { return };
        let line = self.shared.program.steps[frame.step as usize];
        let number = u64::from(line.number);
        match line.code {
            StepCode::Compute(sampler) => {
                let work = self.shared.program.drawn(sampler, draw(frame.key, purpose::STEP + number));
                self.station.add(now(&self.ctx), Job(place), work);
            }
            StepCode::Calls(call, _) => {
                let key = draw(frame.key, purpose::CHILD + (number << 16));
                let ticket = Ticket { place, tenant, attempt: 0 };
                frame.call = Some(self.shared.send(&self.ctx, ticket, call, key));
            }
            StepCode::Answer(_) => self.finish(place, tenant),
            StepCode::Wait(_) => unreachable!("nobody waits in the three hops"),
        }
    }

    /// A request is served: the answer sets out if its caller still waits.
    fn finish(&mut self, place: u32, tenant: u32) {
        let Some(frame) = self.frames.remove(place, tenant) else { return };
        let now = now(&self.ctx);
        let (latency, wait) = (now.since(frame.arrived), frame.begun.since(frame.arrived));
        let wanted = now < frame.deadline;
        self.shared.seen.borrow_mut().call_served(self.workload, (frame.sent, 1), latency, wait, wanted);
        self.in_progress -= 1;
        if wanted {
            self.answer(&frame, None);
        }
    }

    /// A request fails, for its caller if that still waits.
    fn fail(&self, frame: &Frame, cause: Cause) {
        if now(&self.ctx) < frame.deadline {
            self.shared.seen.borrow_mut().call_failed(self.workload, (frame.sent, 1), cause);
            self.answer(frame, Some(cause));
        }
    }

    fn answer(&self, frame: &Frame, failed: Option<Cause>) {
        let travel = self.shared.travel(frame.caller == self.shared.users);
        self.ctx.emit(Answered { ticket: frame.ticket, failed }, frame.caller, travel);
    }

    /// The call that an answer or a timeout is about, if it is still waited for.
    fn waits_for(&self, ticket: Ticket) -> Option<Outgoing> {
        let call = self.frames.get(ticket.place, ticket.tenant)?.call?;
        (call.attempt == ticket.attempt).then_some(call)
    }

    fn answered(&mut self, ticket: Ticket, failed: Option<Cause>) {
        let Some(call) = self.waits_for(ticket) else { return };
        if failed.is_some() {
            self.attempt_failed(ticket, call);
        } else if let Some(frame) = self.frames.get_mut(ticket.place, ticket.tenant) {
            frame.call = None;
            frame.step += 1;
            self.go_on(ticket.place);
        }
        self.fill();
    }

    fn gave_up(&mut self, ticket: Ticket) {
        let Some(call) = self.waits_for(ticket) else { return };
        self.shared.note_timeout(call);
        self.attempt_failed(ticket, call);
        self.fill();
    }

    fn attempt_failed(&mut self, ticket: Ticket, call: Outgoing) {
        if let Some((again, wait)) = self.shared.next_attempt(call) {
            if let Some(frame) = self.frames.get_mut(ticket.place, ticket.tenant) {
                frame.call = Some(again);
            }
            self.ctx.emit_self(BackedOff { ticket: Ticket { attempt: again.attempt, ..ticket } }, wait);
        } else if let Some(frame) = self.frames.remove(ticket.place, ticket.tenant) {
            self.in_progress -= 1;
            self.fail(&frame, Cause::Dependency);
        }
    }

    fn backed_off(&mut self, ticket: Ticket) {
        let Some(frame) = self.frames.get_mut(ticket.place, ticket.tenant) else { return };
        if let Some(call) = &mut frame.call {
            *call = self.shared.send(&self.ctx, ticket, call.number, call.key);
        }
    }

    fn work_ended(&mut self) {
        self.next = None;
        let now = now(&self.ctx);
        while let Some(Job(place)) = self.station.take_ended(now) {
            if let Some((_, frame)) = self.frames.at_mut(place) {
                frame.step += 1;
            }
            self.go_on(place);
        }
        self.fill();
    }

    /// Gives free places to the queue.
    fn fill(&mut self) {
        let places = self.shared.program.serving[self.workload].places;
        while self.in_progress < places
            && let Some(place) = self.queue.pop_front()
        {
            self.begin(place);
        }
        self.settle();
    }

    /// Sees to the event of the station's next end, if that has moved.
    fn settle(&mut self) {
        let end = self.station.next_end();
        if end == self.next.map(|(time, _)| time) {
            return;
        }
        if let Some((_, event)) = self.next {
            self.ctx.cancel_event(event);
        }
        self.next = end.map(|time| {
            let delay = delay(time.since(now(&self.ctx)));
            (time, self.ctx.emit_self(WorkEnded {}, delay))
        });
    }
}

impl EventHandler for Pod {
    fn on(&mut self, event: Event) {
        let src = event.src;
        cast!(match event.data {
            WorkEnded {} => {
                self.work_ended();
            }
            Called { ticket, first_step, key, sent, deadline } => {
                self.called(src, Called { ticket, first_step, key, sent, deadline });
            }
            Answered { ticket, failed } => {
                self.answered(ticket, failed);
            }
            GaveUp { ticket } => {
                self.gave_up(ticket);
            }
            BackedOff { ticket } => {
                self.backed_off(ticket);
            }
        })
    }
}

/// A user's request.
#[derive(Clone, Copy)]
struct Asked {
    at: SimTime,
    call: Outgoing,
}

/// Who asks: users who come at a rate, each with one request.
struct Users {
    ctx: SimulationContext,
    shared: Rc<Shared>,
    demand: Demand,
    arrivals: Stream,
    key: u64,
    started: u64,
    asked: Arena<Asked>,
}

impl Users {
    fn peak(&self) -> f64 {
        match self.demand.population {
            Population::Rate { peak_per_second, .. } => peak_per_second,
            Population::Users { .. } => unreachable!("the three hops have an open population"),
        }
    }

    fn expect(&mut self) {
        let gap = SimDuration::from_secs_f64(-libm::log(1.0 - self.arrivals.unit()) / self.peak());
        self.ctx.emit_self(UserDue {}, delay(gap));
    }

    /// Candidates come at the peak's rate; as many are kept as the rate has of it.
    fn due(&mut self) {
        let at = now(&self.ctx);
        let peak = self.peak();
        if self.arrivals.unit() * peak < peak * self.demand.level(at) {
            // As in a run of `plan`, where a user's second draw is that of the first request.
            let key = draw(draw(self.key, self.started), users::purpose::REQUEST + 2);
            self.started += 1;
            self.shared.seen.borrow_mut().request_arrived(0, at);
            let number = self.shared.program.visits[0].call;
            let call = Outgoing { number, attempt: 0, key, sent: at };
            let (place, tenant) = self.asked.insert(Asked { at, call });
            self.send(Ticket { place, tenant, attempt: 0 });
        }
        self.expect();
    }

    /// Sends the attempt that a user's request has come to.
    fn send(&mut self, ticket: Ticket) {
        if let Some(asked) = self.asked.get_mut(ticket.place, ticket.tenant) {
            asked.call = self.shared.send(&self.ctx, ticket, asked.call.number, asked.call.key);
        }
    }

    /// The request that an answer or a timeout is about, if it is still waited for.
    fn waits_for(&self, ticket: Ticket) -> Option<Asked> {
        let asked = self.asked.get(ticket.place, ticket.tenant)?;
        (asked.call.attempt == ticket.attempt).then_some(*asked)
    }

    fn answered(&mut self, ticket: Ticket, failed: Option<Cause>) {
        let Some(Asked { at, .. }) = self.waits_for(ticket) else { return };
        if let Some(cause) = failed {
            self.attempt_failed(ticket, cause);
        } else {
            self.asked.free(ticket.place, ticket.tenant);
            let latency = now(&self.ctx).since(at);
            self.shared.seen.borrow_mut().request_answered(0, at, 1, latency);
        }
    }

    fn gave_up(&mut self, ticket: Ticket) {
        let Some(Asked { call, .. }) = self.waits_for(ticket) else { return };
        self.shared.note_timeout(call);
        self.attempt_failed(ticket, Cause::Timeout);
    }

    fn attempt_failed(&mut self, ticket: Ticket, cause: Cause) {
        let Some(asked) = self.asked.get_mut(ticket.place, ticket.tenant) else { return };
        if let Some((again, wait)) = self.shared.next_attempt(asked.call) {
            asked.call = again;
            self.ctx.emit_self(BackedOff { ticket: Ticket { attempt: again.attempt, ..ticket } }, wait);
        } else {
            self.shared.seen.borrow_mut().request_failed(0, asked.at, 1, cause);
            self.asked.free(ticket.place, ticket.tenant);
        }
    }
}

impl EventHandler for Users {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            UserDue {} => {
                self.due();
            }
            Answered { ticket, failed } => {
                self.answered(ticket, failed);
            }
            GaveUp { ticket } => {
                self.gave_up(ticket);
            }
            BackedOff { ticket } => {
                self.send(ticket);
            }
            WarmedUp {} => {
                let now = now(&self.ctx);
                self.shared.seen.borrow_mut().begin(now, now);
            }
        })
    }
}

/// A pod that has been running for a while, as the pods of a run are at its first moment.
fn pod(
    scenario: &Scenario,
    (workload, phase): (usize, u64),
    ctx: SimulationContext,
    shared: Rc<Shared>,
) -> Pod {
    let spec = &scenario.workloads[workload];
    let limit = spec.template.containers[0].limits.cpu;
    let node = scenario.cluster.pools[0].cpu;
    let station = Station::new(SimTime::ZERO, spec.behaviour.threads, limit, node, phase);
    let (frames, queue) = (Arena::default(), VecDeque::new());
    Pod { ctx, shared, workload, station, frames, in_progress: 0, queue, next: None }
}

/// Runs the system: what was seen, and how many events SimCore was given.
pub fn run(scenario: &Scenario, seed: Seed) -> (Recorder, u64) {
    let mut simulation = Simulation::new(seed.base);
    let ctx = simulation.create_context("users");
    let mut contexts = Vec::new();
    let mut pods = vec![Vec::new(); scenario.workloads.len()];
    for (number, workload) in scenario.workloads.iter().enumerate() {
        for ordinal in 0..workload.replicas {
            let ctx = simulation.create_context(format!("{}-{ordinal}", workload.name));
            pods[number].push(ctx.id());
            contexts.push((number, ctx));
        }
    }
    let seen = Recorder::new(1, scenario.workloads.len(), 0, SimDuration::from_secs(5));
    let program = Program::new(scenario);
    let shared = Rc::new(Shared { program, pods, users: ctx.id(), seen: RefCell::new(seen) });
    for (uid, (workload, ctx)) in contexts.into_iter().enumerate() {
        let (name, phase) = (ctx.name().to_owned(), draw(seed.key("quota periods"), uid as u64));
        let pod = pod(scenario, (workload, phase), ctx, Rc::clone(&shared));
        simulation.add_handler(name, Rc::new(RefCell::new(pod)));
    }
    ctx.emit_self(WarmedUp {}, delay(scenario.warm_up));
    let mut users = Users {
        ctx,
        shared: Rc::clone(&shared),
        demand: scenario.demand.clone(),
        arrivals: seed.stream("arrivals"),
        key: seed.key("users"),
        started: 0,
        asked: Arena::default(),
    };
    users.expect();
    simulation.add_handler("users", Rc::new(RefCell::new(users)));
    simulation.step_until_time(delay(scenario.warm_up + scenario.horizon));
    let seen = shared.seen.borrow().clone();
    (seen, simulation.event_count())
}
