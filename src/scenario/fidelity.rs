//! How much of a run's time has its requests simulated one by one.

use crate::scenario::{Journey, Population, Scenario};
use crate::units::SimDuration;

/// How much of a run's time has its requests simulated one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// All of it.
    #[default]
    Full,
    /// Slices of calm times, and everything else: `docs/fidelity.md`.
    Sliced,
    /// Slices for a long horizon without drills, else all of it.
    Auto,
}

/// Up to this horizon [`Fidelity::Auto`] is full: such a run takes seconds to a
/// few minutes, and holds too few calm hours for slices to pay.
pub const LONG: SimDuration = SimDuration::from_secs(2 * 3_600);

/// From so many users on, or journeys a second, slices hold enough requests to tell loads
/// and settings apart.
const MANY_USERS: f64 = 20_000.0;
const MANY_A_SECOND: f64 = 500.0;

/// How far sliced runs have been from full ones at most (`tests/fidelity.rs`
/// holds them to it, `docs/fidelity.md` has the figures).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorBound {
    /// Of the availability, as a share of requests.
    pub availability: f64,
    /// Of a journey's 99th percentile, relative.
    pub p99: f64,
    /// Of the mean number of ready replicas, relative.
    pub replicas: f64,
}

impl ErrorBound {
    /// What was measured.
    pub const MEASURED: Self = Self { availability: 0.0002, p99: 0.05, replicas: 0.02 };
}

impl Scenario {
    /// The same in slices where many ask and nothing moves, for a search: of few requests
    /// slices say too little of rare ones, and these take seconds anyway.
    pub fn sliced_where_many_ask(self) -> Self {
        let many = match &self.demand.population {
            Population::Users { peak, .. } => *peak >= MANY_USERS,
            Population::Rate { peak_per_second, .. } => *peak_per_second >= MANY_A_SECOND,
        };
        let fidelity = if many { Fidelity::Sliced } else { self.fidelity };
        Self { fidelity, ..self }
    }

    /// Whether parts of this run's calm time are skipped.
    pub fn is_sliced(&self) -> bool {
        // A rate that jumps at random moments has no calm time to speak of.
        let jumps =
            matches!(&self.demand.population, Population::Rate { modulation, .. } if !modulation.is_empty());
        // Nor has a record of journeys, whose moments are what is wanted of it.
        let jumps = jumps || self.demand.replay.is_some();
        // Usage curves go by the clock that is never stopped.
        let jumps = jumps || self.has_usage() || !self.has_users();
        // Whoever comes at a rate asks again by the clock that is stopped, and would lag
        // behind the load that the others have.
        let asks_again =
            |journey: &Journey| journey.visits.iter().map(|visit| u32::from(visit.times)).sum::<u32>() > 1;
        let open = matches!(self.demand.population, Population::Rate { .. });
        let jumps = jumps || (open && self.demand.journeys.iter().any(asks_again));
        // Connections grow old by the clock that is stopped with the requests.
        let jumps = jumps || self.pools().next().is_some();
        // Counters of requests stand still with them.
        let jumps = jumps || self.custom_metrics().next().is_some();
        match self.fidelity {
            Fidelity::Full => false,
            Fidelity::Sliced => !jumps,
            Fidelity::Auto => !jumps && self.drills.is_empty() && self.horizon > LONG,
        }
    }
}
