//! One pod at work: how it shares its CPU among the requests it runs.

pub mod station;

pub use station::{Job, Station};
