//! Searches for settings that keep the policy at the least cost, and proves them.
//!
//! 1. [`probe`]: one short run with pods in plenty tells what every workload
//!    needs at the peak.
//! 2. [`mod@search`]: proposals by arithmetic and by a model-based search are tried
//!    on the hardest minutes under the same requests; the best go through the
//!    whole scenario.
//! 3. [`nodes`]: other instance types and sizes are kept where they do as well for less.
//! 4. [`harden`]: pods and memory to spare are kept where they keep a promise more
//!    in drills or on a worse day.
//! 5. [`trial`]: what guards pods against updates and failures is kept where
//!    leaving it out loses requests; further settings are added where they lose less.
//! 6. [`mod@certify`]: the settings are written, read back, and simulated with seeds
//!    and loads that the search has not seen, and through every drill. Where fresh
//!    seeds miss what the search's kept, there is another round with more pods.
//!
//! Everything is a function of the input and the seed. A candidate becomes a
//! scenario by editing the user's own objects and reading them again, so that
//! what is searched is what is written.

pub mod bounds;
pub mod certify;
pub mod guard;
pub mod harden;
pub mod nodes;
pub mod probe;
pub mod propose;
pub mod reasons;
pub mod rival;
pub mod score;
pub mod search;
pub mod settings;
pub mod site;
pub mod tradeoff;
pub mod trial;
pub mod vpa;
pub mod window;

pub use certify::{Certificate, Extent, Trial, certify};
pub use guard::Guard;
pub use score::Score;
pub use search::{Finalist, Found, search};
pub use settings::{Reasons, Settings};
pub use site::{Object, Site, Sizing};

use crate::change::ChangeSet;
use crate::scenario::Scenario;

/// What is to be tuned.
pub struct Task<'a, A> {
    /// The scenario as the user has it.
    pub scenario: &'a Scenario,
    /// The user's objects as they are written.
    pub objects: &'a [Object],
    /// The seed of the search; proofs use others.
    pub seed: u64,
    /// How many candidates are tried.
    pub tries: usize,
    /// Makes a scenario of changed objects; `None` where Kubernetes or the
    /// policy's files would refuse them.
    pub assemble: A,
    /// Whether someone wants the answer now. Asked between steps; whatever is
    /// known by then is the answer.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl<A> Task<'_, A> {
    /// Whether the search is to end with what it knows.
    pub fn stopped(&self) -> bool {
        (self.stop)()
    }
}

impl<A: Fn(&ChangeSet) -> Option<Scenario> + Sync> Task<'_, A> {
    /// The scenario of settings.
    pub fn scenario_of(&self, sites: &[Site], settings: &Settings) -> Option<Scenario> {
        (self.assemble)(&settings.changes(sites, self.objects, &Reasons::default()))
    }
}
