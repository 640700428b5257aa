//! One objective's value in one replication.

use super::rule;
use crate::observe::{Histogram, Observations, Pooled, Traffic};
use crate::scenario::{Indicator, Objective, Scenario, Scope, Undecided};

/// Hours of the month that clouds bill by.
const HOURS_PER_MONTH: f64 = 730.0;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measured {
    /// A number in the indicator's unit.
    Value(f64),
    /// Requests came, and not one was answered.
    NoAnswer,
    /// There is nothing to measure, and why.
    Nothing(&'static str),
}

const NEEDS_DRILL: &str = "not judged here: it is about failures injected on purpose, which only drills do";
const NOT_OF_JOURNEYS: &str = "not judged here: a journey has no such figure";
const NO_CURVE: &str = "not judged here: no recorded usage curve says what is asked for";
const ZERO_BY_ZERO: &str = "nothing to judge: the rule divides zero by zero, which is no number";
const NOBODY_ASKED: &str = "not judged here: nobody asked within the observed time";

/// The value of `objective` in one run.
pub(super) fn measure(scenario: &Scenario, objective: &Objective, run: &Observations) -> Measured {
    if objective.indicator.needs_drill() || matches!(objective.scope, Scope::Drill(_)) {
        return Measured::Nothing(NEEDS_DRILL);
    }
    let hours = run.end.since_or_zero(run.start).as_secs_f64() / 3_600.0;
    let traffic = || traffic(&objective.scope, &run.journeys, |index| &run.workloads[index].traffic);
    match objective.indicator {
        Indicator::Availability => asked(&traffic(), |traffic| Measured::Value(traffic.availability())),
        Indicator::FailedRequests => Measured::Value(traffic().failed() as f64),
        Indicator::Latency { quantile } => asked(&traffic(), |traffic| {
            traffic.latency.quantile(quantile).map_or(Measured::NoAnswer, Measured::Value)
        }),
        Indicator::Throughput => Measured::Value(rate(traffic().answered as f64, hours * 3_600.0)),
        Indicator::CarriedUsers => Measured::Value(carried_users(asked_availability(scenario), run)),
        Indicator::ReplicasMax => {
            replicas(objective, run, |index| run.workloads[index].ready.max(), f64::max)
        }
        Indicator::ReplicasMin => {
            replicas(objective, run, |index| run.workloads[index].ready.min(), f64::min)
        }
        Indicator::PodsMax => Measured::Value(run.cluster.ready_pods.max()),
        Indicator::PodsMin => Measured::Value(run.cluster.ready_pods.min()),
        Indicator::NodesMax => Measured::Value(run.cluster.nodes.max()),
        Indicator::NodesMin => Measured::Value(run.cluster.nodes.min()),
        Indicator::PendingPodSeconds => {
            per_workload(objective, run, run.cluster.pending_pod_seconds, |index| {
                run.workloads[index].pending_seconds
            })
        }
        Indicator::CostPerMonth => Measured::Value(rate(run.cluster.cost, hours) * HOURS_PER_MONTH),
        Indicator::ScaleEventsPerHour => {
            let events = |index: usize| rate(run.workloads[index].scale_events as f64, hours);
            per_workload(objective, run, (0..run.workloads.len()).map(events).sum(), events)
        }
        Indicator::Restarts => {
            let restarts = |index: usize| run.workloads[index].restarts as f64;
            per_workload(objective, run, (0..run.workloads.len()).map(restarts).sum(), restarts)
        }
        Indicator::Overload => overload(scenario, objective, run),
        Indicator::Rule(index) => {
            let held = scenario.goals.rules[index].holds(&rule::facts(scenario, run).as_object());
            held.map_or_else(|why| unheld(&why, run), |held| Measured::Value(if held { 1.0 } else { 0.0 }))
        }
        Indicator::UsersRecovered | Indicator::CapacityRestored | Indicator::AvailabilityPerYear => {
            Measured::Nothing(NEEDS_DRILL)
        }
    }
}

/// Why a rule is neither true nor false of a run. It was tried before, so it only
/// fails on what there is no figure of.
fn unheld(why: &Undecided, run: &Observations) -> Measured {
    let traffic = run.journeys.iter().chain(run.workloads.iter().map(|one| &one.traffic));
    let mut unanswered = traffic.filter(|one| one.arrived > 0 && one.answered == 0);
    match why {
        Undecided::ZeroByZero => Measured::Nothing(ZERO_BY_ZERO),
        Undecided::NoFigure(_) if unanswered.next().is_none() => Measured::Nothing(NOBODY_ASKED),
        Undecided::NoFigure(_) | Undecided::Wrong(_) => Measured::NoAnswer,
    }
}

/// For a share of requests: how many were good, of how many finished, in all
/// replications together.
pub(super) fn finished(objective: &Objective, pooled: &Pooled) -> Option<(u64, u64)> {
    let traffic = traffic(&objective.scope, &pooled.journeys, |index| &pooled.workloads[index].traffic);
    // A request of a slice stands for many, but what is known is what was simulated.
    let simulated = |number: u64| (number as f64 * pooled.simulated).ceil() as u64;
    (objective.indicator == Indicator::Availability).then(|| {
        let (good, failed) = (simulated(traffic.answered), simulated(traffic.failed()));
        (good, good + failed)
    })
}

/// For a quantile of the latency: that of all replications together, and without
/// each of them in turn.
pub(super) fn pooled_quantile(objective: &Objective, runs: &[Observations]) -> Option<(f64, Vec<f64>)> {
    let Indicator::Latency { quantile } = objective.indicator else { return None };
    let latencies: Vec<Histogram> = runs
        .iter()
        .map(|run| traffic(&objective.scope, &run.journeys, |index| &run.workloads[index].traffic).latency)
        .collect();
    let of = |left_out: Option<usize>| {
        let kept = latencies.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
        let all = kept.fold(Histogram::default(), |mut sum, (_, one)| {
            sum.merge(one);
            sum
        });
        all.quantile(quantile)
    };
    let without =
        if runs.len() < 2 { Some(Vec::new()) } else { (0..runs.len()).map(|one| of(Some(one))).collect() };
    Some((of(None)?, without?))
}

/// Money per month at a run's mean.
pub fn cost_per_month(cost: f64, seconds: f64) -> f64 {
    rate(cost, seconds / 3_600.0) * HOURS_PER_MONTH
}

/// The requests that a scope is about.
pub(super) fn traffic<'run>(
    scope: &Scope,
    journeys: &[Traffic],
    workload: impl Fn(usize) -> &'run Traffic,
) -> Traffic {
    match scope {
        Scope::All | Scope::Drill(_) => journeys.iter().fold(Traffic::default(), |mut sum, journey| {
            sum.merge(journey);
            sum
        }),
        Scope::Workload(index) => workload(*index).clone(),
        Scope::Journey(index) => journeys[*index].clone(),
    }
}

/// The availability that the policy asks of all users' requests; 1.0 where it asks none.
fn asked_availability(scenario: &Scenario) -> f64 {
    let asks = |objective: &&Objective| {
        objective.indicator == Indicator::Availability && objective.scope == Scope::All
    };
    scenario.goals.objectives.iter().find(asks).map_or(1.0, |objective| objective.goal)
}

/// The largest number of users at which requests were answered as asked.
///
/// Steps with up to 5 % fewer users count with each number of users: a single
/// step holds too few requests to tell 99.9 % from 99.8 %.
fn carried_users(availability: f64, run: &Observations) -> f64 {
    let series = &run.series;
    let mut rows: Vec<(f64, u64, u64)> = (0..series.times.len())
        .filter(|&row| series.times[row] > run.start)
        .map(|row| (series.users[row], series.arrived[row], series.failed[row]))
        .collect();
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (mut arrived, mut failed, mut last) = (0, 0, 0);
    for (first, row) in rows.iter().enumerate() {
        while last < rows.len() && rows[last].0 >= 0.95 * row.0 {
            arrived += rows[last].1;
            failed += rows[last].2;
            last += 1;
        }
        let fresh = first == 0 || rows[first - 1].0 > row.0;
        if fresh && arrived > 0 && 1.0 - failed as f64 / arrived as f64 >= availability {
            return row.0;
        }
        arrived -= row.1;
        failed -= row.2;
    }
    0.0
}

fn asked(traffic: &Traffic, value: impl Fn(&Traffic) -> Measured) -> Measured {
    if traffic.arrived == 0 && traffic.answered == 0 {
        return Measured::Nothing(NOBODY_ASKED);
    }
    value(traffic)
}

fn replicas(
    objective: &Objective,
    run: &Observations,
    of: impl Fn(usize) -> f64,
    pick: impl Fn(f64, f64) -> f64,
) -> Measured {
    let all = (0..run.workloads.len()).map(&of).reduce(pick).unwrap_or(0.0);
    per_workload(objective, run, all, of)
}

/// The share of time in which usage curves asked for more than ready pods may use.
fn overload(scenario: &Scenario, objective: &Objective, run: &Observations) -> Measured {
    let of = |index: usize| run.workloads[index].overload.mean();
    let follows = |index: &usize| scenario.workloads[*index].usage.is_some();
    let all = (0..run.workloads.len()).filter(follows).map(of).reduce(f64::max);
    match (&objective.scope, all) {
        (Scope::Workload(index), _) if !follows(index) => Measured::Nothing(NO_CURVE),
        (_, None) => Measured::Nothing(NO_CURVE),
        (_, Some(all)) => per_workload(objective, run, all, of),
    }
}

fn per_workload(objective: &Objective, run: &Observations, all: f64, of: impl Fn(usize) -> f64) -> Measured {
    match objective.scope {
        Scope::All | Scope::Drill(_) => Measured::Value(all),
        Scope::Workload(index) => {
            debug_assert!(index < run.workloads.len(), "scopes are resolved by input");
            Measured::Value(of(index))
        }
        Scope::Journey(_) => Measured::Nothing(NOT_OF_JOURNEYS),
    }
}

fn rate(number: f64, time: f64) -> f64 {
    if time > 0.0 { number / time } else { 0.0 }
}
