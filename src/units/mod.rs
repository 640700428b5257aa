//! The words everything else is said in: time, resources, ratios.
//!
//! This is the ground floor: it imports nothing of ours, and every room may
//! import it.

pub mod figures;
pub mod resources;
pub mod time;

pub use resources::{Bytes, MilliCpu, Percent};
pub use time::{SimDuration, SimTime};
