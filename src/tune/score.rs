//! How good settings are: what they break, then what they cost.

use crate::judge::{Verdict, cost_per_month};
use crate::observe::Observations;
use crate::scenario::{Indicator, Objective, Scenario};

/// What came of settings in one run or several.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// By objective: its value, where it was measured.
    pub values: Vec<Option<f64>>,
    /// How far objectives are missed, summed; 0 where all are kept.
    pub violation: f64,
    /// Money per month for nodes.
    pub nodes: f64,
    /// Money per month for what the pods ask for, whatever else is on the nodes.
    pub booked: f64,
}

/// A violation counts no more than this, so that one does not hide the others.
pub(super) const WORST: f64 = 8.0;
/// What is asked for counts so little beside the nodes: it decides between
/// settings that need the same nodes.
const BOOKED: f64 = 0.1;

impl Score {
    /// What the runs of a scenario come to.
    pub fn of(scenario: &Scenario, runs: &[Observations], verdict: &Verdict) -> Self {
        let objectives = &scenario.goals.objectives;
        let values: Vec<Option<f64>> =
            verdict.objectives.iter().map(|one| one.measured.map(|measured| measured.value)).collect();
        let mut violation = 0.0;
        for (objective, (value, judged)) in objectives.iter().zip(values.iter().zip(&verdict.objectives)) {
            violation += match value {
                Some(value) => distance(objective, *value),
                // Asked, and nothing was answered.
                None if judged.outcome == crate::judge::Outcome::Missed => WORST,
                None => 0.0,
            };
        }
        // A run that outgrew its limits says nothing good.
        violation += WORST * runs.iter().filter(|run| run.stopped.is_some()).count() as f64;
        let (cost, seconds) = runs.iter().fold((0.0, 0.0), |(cost, seconds), run| {
            (cost + run.cluster.cost, seconds + run.end.since_or_zero(run.start).as_secs_f64())
        });
        Self { values, violation, nodes: cost_per_month(cost, seconds), booked: booked(scenario, runs) }
    }

    /// By what candidates are ordered: less is better.
    pub fn rank(&self) -> (f64, f64) {
        (self.violation, self.nodes + BOOKED * self.booked)
    }

    /// Compares two by rank.
    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let ((a, b), (c, d)) = (self.rank(), other.rank());
        a.total_cmp(&c).then(b.total_cmp(&d))
    }

    /// Whether every objective but `left_out` is kept.
    pub fn keeps_all_but(&self, scenario: &Scenario, left_out: usize) -> bool {
        scenario.goals.objectives.iter().zip(&self.values).enumerate().all(|(index, (objective, value))| {
            index == left_out || value.is_none_or(|value| objective.comparison.holds(value, objective.goal))
        })
    }
}

/// How far a value keeps its goal (above 0) or misses it (below), on the scale of
/// `distance`.
pub fn margin(objective: &Objective, value: f64) -> f64 {
    if !objective.comparison.holds(value, objective.goal) {
        return -distance(objective, value);
    }
    let share = objective.indicator == Indicator::Availability;
    let (value, goal) = if share { (1.0 - value, 1.0 - objective.goal) } else { (value, objective.goal) };
    libm::log(value.max(1e-9) / goal.max(1e-9)).abs().min(WORST)
}

/// How far a value is from its goal, on a scale that suits shares and sizes
/// alike: the logarithm of how many times too bad it is.
pub(super) fn distance(objective: &Objective, value: f64) -> f64 {
    if objective.comparison.holds(value, objective.goal) {
        return 0.0;
    }
    let share = objective.indicator == Indicator::Availability;
    let (value, goal) = if share { (1.0 - value, 1.0 - objective.goal) } else { (value, objective.goal) };
    let (value, goal) = (value.max(1e-9), goal.max(1e-9));
    // However little, a miss is a miss.
    (libm::log(value / goal).abs() + 0.01).min(WORST)
}

/// Half a node's price is for its CPU and half for its memory, as cost tools
/// share it out; pods pay for what they ask for.
fn booked(scenario: &Scenario, runs: &[Observations]) -> f64 {
    let Some(pool) = scenario.cluster.pools.first() else { return 0.0 };
    let price = cost_per_month(pool.price_per_hour, 3_600.0);
    let (cpu, memory) = (pool.allocatable_cpu().0.max(1) as f64, pool.allocatable_memory().0.max(1) as f64);
    let mut sum = 0.0;
    for (index, workload) in scenario.workloads.iter().enumerate() {
        let ready = runs.iter().map(|run| run.workloads[index].ready.mean()).sum::<f64>();
        let pods = ready / runs.len().max(1) as f64;
        for container in &workload.template.containers {
            let asked_cpu = container.requests.cpu.map_or(0, |one| one.0) as f64 / cpu;
            let asked_memory = container.requests.memory.map_or(0, |one| one.0) as f64 / memory;
            sum += pods * price * f64::midpoint(asked_cpu, asked_memory);
        }
    }
    sum
}
