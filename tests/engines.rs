//! Random systems go the same way whichever engine keeps their events.

use kubeplan::k8s::hpa::{HpaSpec, MetricSpec};
use kubeplan::k8s::probe::{Handler, Probe};
use kubeplan::observe::{Cause, Observations, PoolSeen};
use kubeplan::scenario::{
    Autoscaler, Balancing, Breaker, Call, Counted, CustomMetric, External, FailureRatio, Interpolation,
    Outlier, Pool, Population, Quota, Retry, RetryBudget, Scenario, Shape, Sidecar, Step, Target, Upstream,
    Visit, WarmUp, Workload,
};
use kubeplan::sim::agenda::Engine;
use kubeplan::sim::random::{Distribution, Seed, Stream};
use kubeplan::units::{Bytes, MilliCpu, SimDuration, SimTime};
use kubeplan::world::simulate_with;

mod support;

use support::curves::{deployments, following};

/// Dice for one system.
struct Dice(Stream);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn maybe<T>(&mut self, thing: T) -> Option<T> {
        (self.below(2) == 0).then_some(thing)
    }

    fn millis(&mut self, bound: usize) -> SimDuration {
        SimDuration::from_micros(1 + self.below(bound * 1_000) as u64)
    }

    /// A distribution with a mean of up to so many milliseconds. Constants of
    /// whole milliseconds are among them: they make events coincide.
    fn distribution(&mut self, millis: usize) -> Distribution {
        let mean = (1 + self.below(millis * 10)) as f64 / 10_000.0;
        match self.below(4) {
            0 => Distribution::Constant((1 + self.below(millis)) as f64 / 1_000.0),
            1 => Distribution::Exponential { mean },
            2 => Distribution::LogNormal { mean, cv: 1.5 },
            _ => Distribution::HyperExponential { mean, cv: 2.0 },
        }
    }

    fn retry(&mut self) -> Retry {
        let budget = RetryBudget { share: self.one_of(&[0, 50, 300]) };
        Retry {
            attempts: self.below(3) as u32,
            backoff: self.millis(50),
            max_backoff: self.millis(400),
            jitter: self.one_of(&[0.0, 0.5]),
            budget: self.maybe(budget),
        }
    }

    /// A call to a later workload, or to the external service.
    fn call(&mut self, from: usize, count: usize) -> Call {
        let later = from + 1 + self.below(count - from);
        let target = if later < count {
            Target::Operation { workload: later, operation: 0 }
        } else {
            Target::External(0)
        };
        let patience = self.one_of(&[20, 100, 400]);
        Call {
            target,
            probability: self.one_of(&[1.0, 0.6]),
            timeout: self.maybe(SimDuration::from_millis(patience)),
            retry: self.retry(),
            required: self.below(3) > 0,
        }
    }

    fn pool(&mut self) -> Pool {
        let (timeout, idle, age) = (self.millis(300), self.millis(2_000), self.millis(20_000));
        Pool {
            size: self.one_of(&[None, Some(1), Some(4), Some(30)]),
            least: self.one_of(&[0, 1]),
            streams: self.one_of(&[Some(1), Some(1), Some(3), None]),
            queue: self.one_of(&[None, None, Some(0), Some(10)]),
            timeout: self.maybe(timeout),
            idle: self.maybe(idle),
            max_age: self.maybe(age),
            max_requests: self.one_of(&[None, None, Some(5)]),
        }
    }

    fn breaker(&mut self) -> Breaker {
        let ratio = FailureRatio {
            threshold: self.one_of(&[200_000, 500_000]),
            window: self.one_of(&[10, 100]),
            least: 10,
            wait: self.millis(5_000),
            half_open: self.one_of(&[1, 10]),
        };
        Breaker { max_requests: self.one_of(&[None, Some(1), Some(4)]), ratio: self.maybe(ratio) }
    }

    fn outlier(&mut self) -> Outlier {
        Outlier {
            errors: self.one_of(&[1, 5]),
            interval: SimDuration::from_secs(2),
            ejection: self.millis(6_000),
            most: self.one_of(&[100_000, 500_000, 1_000_000]),
        }
    }

    fn step(&mut self, from: usize, count: usize) -> Step {
        match self.below(6) {
            0 => Step::Wait(self.distribution(10)),
            1 | 2 => Step::Call(self.call(from, count)),
            3 => Step::Parallel((0..=self.below(3)).map(|_| self.call(from, count)).collect()),
            _ => Step::Compute(self.distribution(4)),
        }
    }
}

fn probe(period: u64) -> Probe {
    Probe {
        handler: Handler::Http,
        initial_delay: SimDuration::ZERO,
        period: SimDuration::from_secs(period),
        timeout: SimDuration::from_secs(1),
        success_threshold: 1,
        failure_threshold: 3,
        grace: None,
    }
}

/// Something beside the serving container that works on every call.
fn add_proxy(one: &mut Workload) {
    let mut proxy = one.template.containers[0].clone();
    (proxy.name, proxy.readiness, proxy.liveness) = ("proxy".to_owned(), None, None);
    proxy.requests.cpu = Some(MilliCpu(20));
    one.template.containers.push(proxy);
    let (idle_cpu, cpu_per_call) = (MilliCpu(5), SimDuration::from_micros(400));
    one.behaviour.sidecars =
        vec![Sidecar { name: "proxy".to_owned(), idle_cpu, cpu_per_call, memory: Bytes::from_mib(20) }];
}

/// A system made up from a number.
fn system(number: u32) -> Scenario {
    let mut dice = Dice(Seed { base: 77, replication: number }.stream("systems"));
    let count = 1 + dice.below(4);
    let workloads = (0..count)
        .map(|at| {
            let mut steps = vec![Step::Compute(dice.distribution(4))];
            steps.extend((0..dice.below(4)).map(|_| dice.step(at, count)));
            let mut one = support::workload(&format!("w{at}"), 1 + dice.below(6) as u32, steps);
            let container = &mut one.template.containers[0];
            container.requests.cpu = Some(MilliCpu(dice.one_of(&[100, 250, 1_000])));
            container.limits.cpu = dice.maybe(MilliCpu(1_000));
            container.limits.memory = dice.maybe(Bytes::from_mib(128));
            container.readiness = dice.maybe(probe(2));
            container.liveness = dice.maybe(probe(5));
            if let Some(probe) = &mut container.liveness {
                probe.grace = number.is_multiple_of(2).then(|| SimDuration::from_secs(4));
            }
            one.behaviour.threads = dice.one_of(&[None, Some(1), Some(4)]);
            one.behaviour.concurrency.limit = dice.one_of(&[None, Some(4), Some(32)]);
            one.behaviour.concurrency.queue = dice.one_of(&[None, Some(0), Some(16)]);
            one.behaviour.memory.per_request = Bytes::from_mib(1);
            one.behaviour.warm_up = dice.maybe(WarmUp { factor: 3.0, lasts: SimDuration::from_secs(20) });
            one.behind_ingress = at == 0 && dice.below(2) == 0;
            if number % 5 == 4 {
                add_proxy(&mut one);
            }
            one
        })
        .collect();
    let mut made = support::scenario(workloads, 50.0 + dice.below(400) as f64, 120);
    for workload in 0..count {
        if dice.below(2) == 0 {
            let mut spec = HpaSpec {
                min_replicas: 1,
                max_replicas: 8,
                metrics: vec![MetricSpec::default_cpu()],
                behavior: None,
            };
            let custom = custom_metric(number, workload);
            if !custom.is_empty() {
                spec.metrics
                    .push(MetricSpec::Pods { name: "requests".to_owned(), target_average_milli: 60_000 });
            }
            made.autoscalers.push(Autoscaler { name: format!("h{workload}"), workload, spec, custom });
        }
    }
    made.externals = vec![External {
        name: "outside".to_owned(),
        latency: dice.distribution(60),
        error_rate: dice.one_of(&[0.0, 0.05]),
        quota: dice.maybe(150.0).map(|per_second| Quota { per_second, over: SimDuration::from_secs(1) }),
    }];
    demand(&mut dice, &mut made);
    connections(number, &mut made);
    made
}

/// What an HPA goes by beside CPU, in every third system.
fn custom_metric(number: u32, of: usize) -> Vec<CustomMetric> {
    let counts = [Counted::Requests, Counted::InFlight, Counted::Waiting][of % 3];
    let (range, every) = (SimDuration::from_secs(40), SimDuration::from_secs(10));
    if number % 3 == 1 { vec![CustomMetric { metric: 1, counts, of, range, every }] } else { Vec::new() }
}

/// Pools for some of those who call each other. They have dice of their own.
fn connections(number: u32, made: &mut Scenario) {
    let mut dice = Dice(Seed { base: 78, replication: number }.stream("pools"));
    for from in 0..made.workloads.len() {
        for to in from + 1..made.workloads.len() {
            let pool = dice.pool();
            let kept = dice.below(3) > 0;
            // Calls of their own may be balanced in any way, kept connections in turn.
            let ways =
                [Balancing::Random, Balancing::RoundRobin, Balancing::LeastRequest, Balancing::PeakEwma];
            let balancing = dice.one_of(if kept { &ways[..2] } else { &ways });
            let pool = kept.then_some(pool);
            let (breaker, outlier) = (dice.breaker(), dice.outlier());
            // Where breakers stop calls, few are left for pools to be short of.
            let breaker = (number % 2 == 1 && dice.below(4) > 0).then_some(breaker);
            let outlier = (!kept && dice.below(2) == 0).then_some(outlier);
            let upstream = Upstream { workload: to, pool, balancing, breaker, outlier };
            made.workloads[from].behaviour.upstreams.push(upstream);
        }
        made.workloads[from].behaviour.ingress_balancing =
            dice.one_of(&[Balancing::Random, Balancing::RoundRobin, Balancing::Ewma]);
        made.workloads[from].behaviour.max_connections = dice.one_of(&[None, None, Some(6), Some(40)]);
    }
}

/// Users or a rate, with a wave in it.
fn demand(dice: &mut Dice, made: &mut Scenario) {
    let points = vec![(SimTime::ZERO, 0.4), (SimTime::from_secs(50), 1.0), (SimTime::from_secs(100), 0.3)];
    let shape = Shape { points, interpolation: Interpolation::Linear };
    made.demand.population = if dice.below(2) == 0 {
        Population::Users { peak: 100.0 + dice.below(400) as f64, shape }
    } else {
        Population::Rate {
            peak_per_second: 50.0 + dice.below(300) as f64,
            shape,
            users: None,
            modulation: Vec::new(),
        }
    };
    made.demand.client_latency = SimDuration::from_millis(dice.one_of(&[0, 15]));
    made.demand.journeys[0].visits = (0..=dice.below(2))
        .map(|_| Visit {
            workload: 0,
            operation: 0,
            think: dice.distribution(1_500),
            times: 1 + dice.below(2) as u16,
            timeout: SimDuration::from_millis(dice.one_of(&[200, 1_000])),
            retry: dice.retry(),
        })
        .collect();
}

/// Only users call the first workload: as many of their calls end there as they sent, each
/// once, but for those under way.
fn once_each(scenario: &Scenario, seen: &Observations, what: &str) {
    if scenario.demand.journeys[0].visits.iter().all(|visit| visit.retry.attempts == 0) {
        let (sent, ended) = (seen.journeys[0].arrived, seen.workloads[0].traffic.arrived);
        let under_way = seen.balance.in_flight;
        assert!(ended <= sent && sent <= ended + under_way, "{what}: {sent} calls, {ended} ended");
    }
}

/// Requests and usage curves side by side, on nodes too small for both, and curves alone.
#[test]
fn curves_go_the_same_way_on_both_engines() {
    let mut mixed = system(3);
    let end = mixed.workloads.len();
    for number in 0..2 {
        let points = [(0, 900, 64), (30 + number, 2_500, 200), (70, 300, 90)];
        let mut one = following(&format!("curve-{number}"), 2, &points);
        one.template.containers[0].readiness = Some(probe(2));
        one.template.containers[0].limits.cpu = (number == 0).then_some(MilliCpu(700));
        mixed.workloads.push(one);
    }
    mixed.autoscalers.push(support::curves::hpa(end, 60, (1, 9)));
    mixed.cluster.pools[0].cpu = MilliCpu(8_000);
    for (number, scenario) in [mixed, deployments(6, 60, 5)].into_iter().enumerate() {
        let seed = Seed { base: 10, replication: 0 };
        let wheel = simulate_with(&scenario, seed, Engine::Wheel);
        let heap = simulate_with(&scenario, seed, Engine::Reference);
        assert_eq!((wheel.fingerprint, wheel.events), (heap.fingerprint, heap.events), "system {number}");
        assert!(wheel == heap, "system {number} was seen differently");
        let used: f64 = wheel.workloads[end.min(wheel.workloads.len() - 1)].cpu_cores.mean();
        assert!(used > 0.3, "system {number}: {used} cores");
        assert!(number == 0 || !wheel.decisions.is_empty(), "the HPAs follow their curves");
    }
}

#[test]
fn random_systems_go_the_same_way_on_both_engines() {
    let (mut events, mut answered, mut failed) = (0, 0, 0);
    let (mut pools, mut broken) = (PoolSeen::default(), 0);
    for number in 0..40 {
        let scenario = system(number);
        let seed = Seed { base: 9, replication: number };
        let wheel = simulate_with(&scenario, seed, Engine::Wheel);
        let heap = simulate_with(&scenario, seed, Engine::Reference);
        assert_eq!(
            (wheel.fingerprint, wheel.events),
            (heap.fingerprint, heap.events),
            "system {number} went two ways"
        );
        assert_eq!(wheel, heap, "system {number} was seen differently");
        let balance = wheel.balance;
        assert_eq!(balance.arrived, balance.answered + balance.failed + balance.in_flight);
        once_each(&scenario, &wheel, &format!("system {number}"));
        events += wheel.events;
        answered += balance.answered;
        failed += balance.failed;
        for workload in &wheel.workloads {
            let failures = &workload.traffic.failures;
            broken += failures[Cause::BreakerOpen as usize] + failures[Cause::BreakerFull as usize];
        }
        wheel.pools.iter().for_each(|pool| pools.merge(pool));
    }
    // The systems have to be worth comparing: much happens, and not all goes well.
    assert!(events > 3_000_000, "only {events} events");
    assert!(answered > 100_000 && failed > 10_000, "{answered} answered, {failed} failed");
    assert!(broken > 100, "breakers stopped {broken} calls");
    let PoolSeen { wait, opened, refused, timed_out, turned_away, most } = pools;
    assert!(wait.count() > 20_000 && opened > 1_000 && most > 3, "{} calls, {opened}, {most}", wait.count());
    assert!(refused > 10 && timed_out > 50 && turned_away > 50, "{refused}, {timed_out}, {turned_away}");
}
