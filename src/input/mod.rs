//! Files in, one scenario out, or every problem found, each at its place.

pub mod cluster;
pub mod directory;
pub mod findings;
pub mod load;
pub mod manifest;
pub mod model;
pub mod policy;
pub mod problem;
pub mod scalar;
pub mod traffic;
pub mod uncertain;

pub use problem::{Problem, Severity, decode};
