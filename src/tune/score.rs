//! How good settings are: what they break, then what they cost.

use crate::judge::{Judged, Verdict, cost_per_month};
use crate::observe::Observations;
use crate::scenario::{Comparison, Indicator, Objective, Scenario};

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

    /// The same with values at the bad ends of their intervals: what has to keep a goal
    /// for the verdict to be sure.
    pub fn at_worst(&self, objectives: &[Objective], verdict: &Verdict) -> Self {
        let judged = objectives.iter().zip(self.values.iter().zip(&verdict.objectives));
        let worst = |(objective, (value, judged)): (&Objective, (&Option<f64>, &Judged))| {
            let interval = judged.measured.and_then(|measured| measured.interval);
            let end = interval.map(
                |(low, high)| {
                    if objective.comparison == Comparison::AtMost { high } else { low }
                },
            );
            end.filter(|end| end.is_finite()).or(*value)
        };
        Self { values: judged.map(worst).collect(), ..self.clone() }
    }

    /// How many times worse than `self` another look at the same settings is, by
    /// objective: 1 where it is no worse.
    pub fn harder(&self, objectives: &[Objective], other: &Self) -> Vec<f64> {
        let objectives = objectives.iter().zip(self.values.iter().zip(&other.values));
        let times = |(objective, values): (&Objective, (&Option<f64>, &Option<f64>))| {
            let (Some(here), Some(there)) = values else { return 1.0 };
            let (here, there) = (badness(objective, *here), badness(objective, *there));
            let ratio = there.max(1e-9) / here.max(1e-9);
            if objective.comparison == Comparison::AtMost || is_share(objective) {
                ratio.max(1.0)
            } else {
                ratio.min(1.0)
            }
        };
        objectives.map(times).collect()
    }

    /// The rank under a look that is so many times harder on each objective.
    pub fn expected(&self, objectives: &[Objective], harder: &[f64]) -> (f64, f64) {
        let objectives = objectives.iter().zip(&self.values).zip(harder);
        let more = |((objective, value), times): ((&Objective, &Option<f64>), &f64)| {
            let Some(value) = *value else { return 0.0 };
            let then = match (is_share(objective), badness(objective, value) * times) {
                (true, failed) => 1.0 - failed,
                (false, then) => then,
            };
            distance(objective, then) - distance(objective, value)
        };
        let (violation, cost) = self.rank();
        (violation + objectives.map(more).sum::<f64>(), cost)
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
    let (value, goal) = (badness(objective, value), badness(objective, objective.goal));
    libm::log(value.max(1e-9) / goal.max(1e-9)).abs().min(WORST)
}

/// How far a value is from its goal, on a scale that suits shares and sizes
/// alike: the logarithm of how many times too bad it is.
pub(super) fn distance(objective: &Objective, value: f64) -> f64 {
    if objective.comparison.holds(value, objective.goal) {
        return 0.0;
    }
    let (value, goal) = (badness(objective, value), badness(objective, objective.goal));
    let (value, goal) = (value.max(1e-9), goal.max(1e-9));
    // However little, a miss is a miss.
    (libm::log(value / goal).abs() + 0.01).min(WORST)
}

/// Whether it is a share of which what is left counts: from 99 % to 99.9 % is ten times.
fn is_share(objective: &Objective) -> bool {
    objective.indicator == Indicator::Availability
}

/// A value on the scale on which times are taken.
fn badness(objective: &Objective, value: f64) -> f64 {
    if is_share(objective) { 1.0 - value } else { value }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scope;

    #[test]
    fn what_one_look_shows_of_another_is_expected_of_the_next() {
        let objective = |indicator, comparison, goal| Objective {
            name: "it".to_owned(),
            indicator,
            scope: Scope::All,
            comparison,
            goal,
        };
        let objectives = [
            objective(Indicator::Latency { quantile: 0.95 }, Comparison::AtMost, 0.15),
            objective(Indicator::Availability, Comparison::AtLeast, 0.99),
            objective(Indicator::CarriedUsers, Comparison::AtLeast, 100.0),
        ];
        let score = |values: [f64; 3]| Score {
            values: values.map(Some).to_vec(),
            violation: 0.0,
            nodes: 10.0,
            booked: 0.0,
        };
        let short = score([0.14, 0.996, 120.0]);
        // Slower by half, twice the failures, more users than before.
        let harder = short.harder(&objectives, &score([0.21, 0.992, 130.0]));
        for (times, expected) in harder.iter().zip([1.5, 2.0, 1.0]) {
            assert!((times - expected).abs() < 1e-6, "{harder:?}");
        }
        for (values, kept) in
            [([0.099, 0.9951, 101.0], true), ([0.101, 0.9951, 101.0], false), ([0.05, 0.9949, 101.0], false)]
        {
            assert_eq!(score(values).expected(&objectives, &harder).0 <= 0.0, kept, "{values:?}");
        }
        // What is missed already is missed by more.
        assert!(score([0.2, 1.0, 101.0]).expected(&objectives, &harder).0 > 0.0);
    }
}
