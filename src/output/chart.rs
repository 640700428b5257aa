//! charts
use crate::observe::Observations;
use crate::scenario::Scenario;
/// x
pub fn all(_s: &Scenario, _r: &Observations, _n: usize) -> Vec<(&'static str, String)> { Vec::new() }
