//! Files in, one scenario out, or every problem found, each at its place.

pub mod manifest;
pub mod problem;

pub use problem::{Problem, Severity, decode};
