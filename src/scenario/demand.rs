//! Who asks, how often, for what.

use std::sync::Arc;

use crate::scenario::interpolation::Interpolation;
use crate::scenario::workload::Retry;
use crate::sim::random::Distribution;
use crate::units::{SimDuration, SimTime};

/// Who asks, how often, for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// How many at which time.
    pub population: Population,
    /// Recorded starts of journeys, which an open population takes from the end of the
    /// warm-up on; its shape is then what they come to, piece by piece.
    pub replay: Option<Replay>,
    /// What one of them does. The weights' sum is above 0; empty where nobody asks,
    /// because all workloads follow recorded usage.
    pub journeys: Vec<Journey>,
    /// Network time between user and ingress, one way.
    pub client_latency: SimDuration,
    /// At the start of the warm-up users come in evenly over this time, so that
    /// autoscalers can follow as they would have in life; zero for all at once.
    pub ramp_in: SimDuration,
}

impl Demand {
    /// The shape's value at `time`, with the ramp at the start.
    pub fn level(&self, time: SimTime) -> f64 {
        let shape = match &self.population {
            Population::Users { shape, .. } | Population::Rate { shape, .. } => shape,
        };
        shape.at(time) * self.ramped(time)
    }

    /// The share of users that the ramp has let in by `time`.
    fn ramped(&self, time: SimTime) -> f64 {
        let since = time.since(SimTime::ZERO);
        if since >= self.ramp_in { 1.0 } else { since.as_secs_f64() / self.ramp_in.as_secs_f64() }
    }
}

/// How many ask, and whether they wait for answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Population {
    /// Closed loop: users with think times. A user starts a journey, goes
    /// through it and starts the next.
    Users {
        /// Users at shape 1.0.
        peak: f64,
        /// Share of `peak` that is there over time.
        shape: Shape,
    },
    /// Open loop: journeys start as a Poisson process, whoever waits.
    Rate {
        /// Journey starts per second at shape 1.0.
        peak_per_second: f64,
        /// Share of the peak over time.
        shape: Shape,
        /// What to print as the number of users at the peak, if anybody said one.
        users: Option<f64>,
        /// States that the rate goes through in turn, over and over, each for an
        /// exponential time: a Markov-modulated Poisson process. Empty for a rate
        /// that is the shape's alone.
        modulation: Vec<RateState>,
    },
}

/// Journeys that start when others did.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// When, from the end of the warm-up on, in order; several may start at one moment.
    pub starts: Arc<[SimDuration]>,
    /// The population's peak at which each of them counts once. Under another load they
    /// are repeated, or left out at random.
    pub peak_per_second: f64,
}

/// One state of a modulated rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateState {
    /// The rate while it lasts, relative to the shape's.
    pub times: f64,
    /// How long it lasts on average; above zero.
    pub mean: SimDuration,
}

/// A non-negative function of time, from points; before the first point and
/// after the last it keeps their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// In order of time, at least one.
    pub points: Vec<(SimTime, f64)>,
    /// What holds between two points.
    pub interpolation: Interpolation,
}

/// What one user does, from start to end.
#[derive(Clone, Debug, PartialEq)]
pub struct Journey {
    /// Its name.
    pub name: String,
    /// How often it is chosen, relative to the others.
    pub weight: f64,
    /// The requests, in order.
    pub visits: Vec<Visit>,
}

/// One request of a journey, perhaps several times.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// Index of the workload.
    pub workload: usize,
    /// Index of the operation.
    pub operation: usize,
    /// Thinking before each request (seconds).
    pub think: Distribution,
    /// How often in a row, at least 1.
    pub times: u16,
    /// After which the user gives up.
    pub timeout: SimDuration,
    /// Whether the user's client tries again.
    pub retry: Retry,
}

impl Shape {
    /// The same value for ever.
    pub fn steady(value: f64) -> Self {
        Self { points: vec![(SimTime::ZERO, value)], interpolation: Interpolation::Linear }
    }

    /// The value at `time`.
    #[inline]
    pub fn at(&self, time: SimTime) -> f64 {
        match self.points.as_slice() {
            [(_, always)] => *always,
            _ => self.between_points(time),
        }
    }

    fn between_points(&self, time: SimTime) -> f64 {
        let later = self.points.partition_point(|(start, _)| *start <= time);
        let Some(before) = later.checked_sub(1) else { return self.points[0].1 };
        let (start, from) = self.points[before];
        match (self.interpolation, self.points.get(later)) {
            (Interpolation::Step, _) | (_, None) => from,
            (Interpolation::Linear, Some((end, to))) => {
                let share = time.since(start).as_secs_f64() / end.since(start).as_secs_f64();
                from + (to - from) * share
            }
        }
    }

    /// The largest value at or after `from` and up to `until`.
    pub fn peak(&self, from: SimTime, until: SimTime) -> f64 {
        if let [(_, always)] = self.points.as_slice() {
            return *always;
        }
        let first = self.points.partition_point(|(time, _)| *time < from);
        let end = self.points.partition_point(|(time, _)| *time <= until);
        let inside = self.points[first..end.max(first)].iter().map(|(_, value)| *value);
        inside.fold(self.at(from).max(self.at(until)), f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_hold_between_their_points() {
        let points = vec![(SimTime::from_secs(10), 1.0), (SimTime::from_secs(20), 3.0)];
        let line = Shape { points: points.clone(), interpolation: Interpolation::Linear };
        let step = Shape { points, interpolation: Interpolation::Step };
        for (second, on_line, on_step) in
            [(0, 1.0, 1.0), (10, 1.0, 1.0), (15, 2.0, 1.0), (20, 3.0, 3.0), (99, 3.0, 3.0)]
        {
            let time = SimTime::from_secs(second);
            assert!((line.at(time) - on_line).abs() < 1e-12, "line at {time}");
            assert!((step.at(time) - on_step).abs() < 1e-12, "step at {time}");
        }
        assert!((line.peak(SimTime::ZERO, SimTime::from_secs(15)) - 2.0).abs() < 1e-12);
    }
}
