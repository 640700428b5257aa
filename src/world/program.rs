//! The scenario's operations and journeys as flat tables for the loop: ids
//! instead of names, tables instead of distributions.

use std::ops::Range;

use crate::scenario::{
    Balancing, Breaker, Call, Link, Outlier, Retry, Scenario, Step, Target, Upstream, Visit, WarmUp, Workload,
};
use crate::sim::random::{Distribution, Sampler};
use crate::units::SimDuration;

/// Everything a request needs to know about its way.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Of all workloads, in their order.
    pub operations: Vec<OperationCode>,
    /// First operation of each workload.
    pub first_operation: Vec<u32>,
    /// Steps of all operations.
    pub steps: Vec<StepLine>,
    /// Calls of all steps, then the visits of all journeys.
    pub calls: Vec<CallCode>,
    /// Journeys' visits, flat.
    pub visits: Vec<VisitCode>,
    /// First visit of each journey.
    pub first_visit: Vec<u32>,
    /// Tables to draw from.
    pub samplers: Vec<Sampler>,
    /// The distinct constant delays of requests, each a lane of the agenda:
    /// timeouts and the network's.
    pub lanes: Vec<SimDuration>,
    /// The lanes of travelling inside the cluster and from or to a user.
    pub travel: [u16; 2],
    /// Latency of each external service: its sampler.
    pub external_latency: Vec<u32>,
    /// The call that a probe of each workload makes.
    pub probe_calls: Vec<u32>,
    /// What each workload's pods keep to.
    pub serving: Vec<ServingCode>,
    /// Pools of connections, caller by caller. Empty where nobody keeps any.
    pub pools: Vec<PoolCode>,
    /// First pool of each workload, and one past the last workload's last.
    pub first_pool: Vec<u32>,
    /// By call: how its endpoint is chosen, and by which of its pod's balancers. Empty
    /// where all are chosen at random.
    pub balancing_of: Vec<(Balancing, u16)>,
    /// By workload: the balancers of its pods, with when they leave a pod out.
    pub balancers: Vec<Vec<Option<Outlier>>>,
    /// By call: which of its pod's breakers it passes, or [`NO_BREAKER`]. Empty where
    /// there are none.
    pub breaker_of: Vec<u16>,
    /// By workload: the breakers of its pods.
    pub breakers: Vec<Vec<Breaker>>,
    /// Calls meet neither pools nor breakers.
    pub is_plain: bool,
    /// Nor balancers, nor is anybody told that they are made: whom they go to follows from
    /// their key alone.
    pub is_direct: bool,
    /// Calls that pods make are counted, for what stands beside their serving container.
    pub counts_calls: bool,
    /// By call: its pool, or [`NO_POOL`]. Empty where there are no pools.
    pub pool_of: Vec<u32>,
}

/// Stands for a pool where a call has none.
pub const NO_POOL: u32 = u32::MAX;

/// Stands for a balancer where a call's endpoint is chosen at random.
pub const NO_BALANCER: u16 = u16::MAX;

/// Stands for a breaker where a call passes none.
pub const NO_BREAKER: u16 = u16::MAX;

/// What the pods of one workload keep to with their connections to another.
#[derive(Clone, Copy, Debug)]
pub struct PoolCode {
    /// Whose connections.
    pub from: u32,
    /// To whom.
    pub to: u32,
    /// At most so many in a pod; `u32::MAX` for any number.
    pub size: u32,
    /// So many are opened at the start, and kept.
    pub least: u32,
    /// Calls at a time on one; `u32::MAX` for any number.
    pub streams: u32,
    /// Calls that may wait; `u32::MAX` for any number.
    pub queue: u32,
    /// The lane of how long they wait.
    pub patience: Option<u16>,
    /// The lane of how long a call takes to the pod where it opens the connection
    /// first: there and back with a SYN, and there.
    pub opening: u16,
    /// When one that nobody uses is closed.
    pub idle: Option<SimDuration>,
    /// When one takes no further call.
    pub max_age: Option<SimDuration>,
    /// Calls after which it takes no further one; `u32::MAX` for any number.
    pub max_requests: u32,
    /// Connections that a pod there takes; `u32::MAX` for any number.
    pub taken: u32,
    /// How the pod that a connection leads to is chosen, and by which of its pod's
    /// balancers.
    pub balancing: (Balancing, u16),
}

/// What a workload's pods keep to when they serve.
#[derive(Clone, Copy, Debug)]
pub struct ServingCode {
    /// Calls with a place at the same time; `u32::MAX` for any number.
    pub places: u32,
    /// Calls that may wait for one; `u32::MAX` for any number.
    pub queue: u32,
    /// Memory that each call leaves behind, in bytes.
    pub leak: u64,
    /// How much slower a pod is at first.
    pub warm_up: Option<WarmUp>,
}

/// CPU time of answering a probe: a trivial handler in a slow language
/// (priors: a bare JSON endpoint takes 0.03 to 0.14 ms of CPU).
const PROBE_WORK: f64 = 0.000_1;

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct OperationCode {
    /// Its workload.
    pub workload: u32,
    /// Its first step.
    pub first_step: u32,
}

/// A step and its place within its operation.
#[derive(Clone, Copy, Debug)]
pub struct StepLine {
    /// What is done.
    pub code: StepCode,
    /// Steps of the operation before this one.
    pub number: u32,
}

/// A step.
#[derive(Clone, Copy, Debug)]
pub enum StepCode {
    /// CPU work drawn from a sampler.
    Compute(u32),
    /// Waiting drawn from a sampler.
    Wait(u32),
    /// Calls side by side: first and one past the last.
    Calls(u32, u32),
    /// The last step of every operation: the answer leaves this workload.
    Answer(u32),
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct CallCode {
    /// Whom.
    pub target: TargetCode,
    /// It is made when 64 random bits are below or at this.
    pub chance: u64,
    /// The lane of its timeout, if any.
    pub lane: Option<u16>,
    /// Further attempts.
    pub retry: Retry,
    /// Whether its failure fails the caller.
    pub required: bool,
}

/// Whom a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetCode {
    /// An operation by number.
    Operation(u32),
    /// An external service by number.
    External(u32),
}

/// A request of a journey.
#[derive(Clone, Copy, Debug)]
pub struct VisitCode {
    /// The call it makes.
    pub call: u32,
    /// Thinking before it: its sampler.
    pub think: u32,
    /// The journey that it belongs to, by its number in the scenario.
    pub journey: u32,
    /// How often in a row.
    pub times: u16,
    /// Whether the journey ends with it.
    pub is_last: bool,
}

impl Program {
    /// Translates a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let mut program = Self::default();
        let mut next = 0;
        for workload in &scenario.workloads {
            program.first_operation.push(next);
            next += workload.behaviour.operations.len() as u32;
        }
        let mut calls_of = Vec::new();
        for (number, workload) in scenario.workloads.iter().enumerate() {
            let first_call = program.calls.len();
            program.serving.push(ServingCode {
                places: workload.behaviour.concurrency.limit.unwrap_or(u32::MAX),
                queue: workload.behaviour.concurrency.queue.unwrap_or(u32::MAX),
                leak: workload.behaviour.memory.leak.0,
                warm_up: workload.behaviour.warm_up,
            });
            for operation in &workload.behaviour.operations {
                let codes: Vec<StepCode> = operation.steps.iter().map(|step| program.step(step)).collect();
                program.add_operation(number as u32, &codes);
            }
            calls_of.push(first_call..program.calls.len());
        }
        for external in &scenario.externals {
            let sampler = program.sampler(&external.latency);
            program.external_latency.push(sampler);
        }
        for (number, journey) in scenario.demand.journeys.iter().enumerate() {
            program.first_visit.push(program.visits.len() as u32);
            for (place, visit) in journey.visits.iter().enumerate() {
                let code = program.visit(visit, number as u32, place + 1 == journey.visits.len());
                program.visits.push(code);
            }
        }
        program.add_probes(scenario.workloads.len());
        let inside = scenario.cluster.network_latency;
        program.travel = [inside, inside + scenario.demand.client_latency].map(|delay| program.lane(delay));
        program.add_pools(scenario, &calls_of);
        program.add_balancers(scenario, &calls_of);
        program.add_breakers(scenario, &calls_of);
        program.is_plain = program.pools.is_empty() && program.breaker_of.is_empty();
        let proxied = |one: &Workload| one.behaviour.sidecars.iter().any(|it| it.cpu_per_call.as_nanos() > 0);
        program.counts_calls = scenario.workloads.iter().any(proxied);
        program.is_direct = program.is_plain && program.balancing_of.is_empty() && !program.counts_calls;
        program
    }

    /// The operation that an operation's or visit's call asks for.
    ///
    /// # Panics
    /// When the call goes to an external service: such frames never reach a pod.
    #[inline]
    pub fn operation_of(&self, call: u32) -> u32 {
        match self.calls[call as usize].target {
            TargetCode::Operation(operation) => operation,
            TargetCode::External(_) => unreachable!("calls to external services have no pod"),
        }
    }

    /// What random bits stand for with a sampler.
    #[inline]
    pub fn drawn(&self, sampler: u32, bits: u64) -> SimDuration {
        self.samplers[sampler as usize].at(bits)
    }

    /// Adds an operation of these steps and the answer.
    fn add_operation(&mut self, workload: u32, codes: &[StepCode]) {
        self.operations.push(OperationCode { workload, first_step: self.steps.len() as u32 });
        let all = codes.iter().copied().chain([StepCode::Answer(workload)]);
        self.steps.extend(all.zip(0..).map(|(code, number)| StepLine { code, number }));
    }

    /// The pools, and which calls go through them. `calls_of` are each workload's.
    fn add_pools(&mut self, scenario: &Scenario, calls_of: &[Range<usize>]) {
        for Link { from, to, pool } in scenario.pools() {
            let number = self.pools.len() as u32;
            self.first_pool.resize(from + 1, number);
            let any = |limit: Option<u32>| limit.unwrap_or(u32::MAX);
            let code = PoolCode {
                from: from as u32,
                to: to as u32,
                size: any(pool.size),
                least: pool.least,
                streams: any(pool.streams),
                queue: any(pool.queue),
                patience: pool.timeout.map(|timeout| self.lane(timeout)),
                opening: self.lane(scenario.cluster.network_latency * 3),
                idle: pool.idle,
                max_age: pool.max_age,
                max_requests: any(pool.max_requests),
                taken: any(scenario.workloads[to].behaviour.max_connections),
                balancing: (Balancing::Random, 0),
            };
            self.pools.push(code);
            self.pool_of.resize(self.calls.len(), NO_POOL);
            for call in calls_of[from].clone() {
                if self.leads_to(call, to) {
                    self.pool_of[call] = number;
                }
            }
        }
        self.first_pool.resize(scenario.workloads.len() + 1, self.pools.len() as u32);
    }

    /// How endpoints are chosen where that isn't at random. `calls_of` are each
    /// workload's.
    fn add_balancers(&mut self, scenario: &Scenario, calls_of: &[Range<usize>]) {
        self.balancers = vec![Vec::new(); scenario.workloads.len()];
        let mut any = false;
        let mut of = vec![(Balancing::Random, NO_BALANCER); self.calls.len()];
        for (from, workload) in scenario.workloads.iter().enumerate() {
            any |= workload.behind_ingress && workload.behaviour.ingress_balancing != Balancing::Random;
            let keeps = |one: &&Upstream| one.balancing != Balancing::Random || one.outlier.is_some();
            for upstream in workload.behaviour.upstreams.iter().filter(keeps) {
                let code = (upstream.balancing, self.balancers[from].len() as u16);
                self.balancers[from].push(upstream.outlier);
                any = true;
                for call in calls_of[from].clone() {
                    if self.leads_to(call, upstream.workload) {
                        of[call] = code;
                    }
                }
                let own = self.first_pool[from] as usize..self.first_pool[from + 1] as usize;
                let pools = self.pools[own].iter_mut();
                pools
                    .filter(|pool| pool.to as usize == upstream.workload)
                    .for_each(|pool| pool.balancing = code);
            }
        }
        self.balancing_of = if any { of } else { Vec::new() };
    }

    /// The breakers, and which calls pass them. `calls_of` are each workload's.
    fn add_breakers(&mut self, scenario: &Scenario, calls_of: &[Range<usize>]) {
        for (from, workload) in scenario.workloads.iter().enumerate() {
            let mut own = Vec::new();
            for (to, breaker) in
                workload.behaviour.upstreams.iter().filter_map(|one| Some((one.workload, one.breaker?)))
            {
                self.breaker_of.resize(self.calls.len(), NO_BREAKER);
                for call in calls_of[from].clone() {
                    if self.leads_to(call, to) {
                        self.breaker_of[call] = own.len() as u16;
                    }
                }
                own.push(breaker);
            }
            self.breakers.push(own);
        }
    }

    fn leads_to(&self, call: usize, workload: usize) -> bool {
        match self.calls[call].target {
            TargetCode::Operation(operation) => {
                self.operations[operation as usize].workload as usize == workload
            }
            TargetCode::External(_) => false,
        }
    }

    /// Gives each workload an operation of its own for probes.
    fn add_probes(&mut self, workloads: usize) {
        let sampler = self.sampler(&Distribution::Constant(PROBE_WORK));
        for workload in 0..workloads as u32 {
            let target = TargetCode::Operation(self.operations.len() as u32);
            self.add_operation(workload, &[StepCode::Compute(sampler)]);
            self.probe_calls.push(self.calls.len() as u32);
            self.calls.push(CallCode {
                target,
                chance: u64::MAX,
                lane: None,
                retry: Retry::NONE,
                required: true,
            });
        }
    }

    fn step(&mut self, step: &Step) -> StepCode {
        match step {
            Step::Compute(demand) => StepCode::Compute(self.sampler(demand)),
            Step::Wait(wait) => StepCode::Wait(self.sampler(wait)),
            Step::Call(call) => self.calls(std::slice::from_ref(call)),
            Step::Parallel(calls) => self.calls(calls),
        }
    }

    fn calls(&mut self, calls: &[Call]) -> StepCode {
        let first = self.calls.len() as u32;
        for call in calls {
            let code = self.call(call);
            self.calls.push(code);
        }
        StepCode::Calls(first, self.calls.len() as u32)
    }

    fn call(&mut self, call: &Call) -> CallCode {
        let target = match call.target {
            Target::Operation { workload, operation } => self.operation(workload, operation),
            Target::External(external) => TargetCode::External(external as u32),
        };
        // 2^64 times the probability; a certain call must pass for all bits.
        let chance =
            if call.probability >= 1.0 { u64::MAX } else { libm::ldexp(call.probability, 64) as u64 };
        let lane = call.timeout.map(|timeout| self.lane(timeout));
        CallCode { target, chance, lane, retry: call.retry, required: call.required }
    }

    fn visit(&mut self, visit: &Visit, journey: u32, is_last: bool) -> VisitCode {
        let target = self.operation(visit.workload, visit.operation);
        let lane = Some(self.lane(visit.timeout));
        let call = self.calls.len() as u32;
        self.calls.push(CallCode { target, chance: u64::MAX, lane, retry: visit.retry, required: true });
        VisitCode { call, think: self.sampler(&visit.think), journey, times: visit.times, is_last }
    }

    fn operation(&self, workload: usize, operation: usize) -> TargetCode {
        TargetCode::Operation(self.first_operation[workload] + operation as u32)
    }

    fn sampler(&mut self, of: &Distribution) -> u32 {
        self.samplers.push(Sampler::new(of));
        self.samplers.len() as u32 - 1
    }

    fn lane(&mut self, delay: SimDuration) -> u16 {
        let known = self.lanes.iter().position(|lane| *lane == delay);
        let lane = known.unwrap_or_else(|| {
            self.lanes.push(delay);
            self.lanes.len() - 1
        });
        u16::try_from(lane).expect("input allows fewer than 65536 different delays")
    }
}
