//! Files in, one scenario out, or every problem found, each at its place.

pub mod again;
pub mod assemble;
pub mod cluster;
pub mod custom_metrics;
pub mod directory;
pub mod document;
mod documents;
mod drills;
pub mod embedded;
pub mod explain;
pub mod findings;
pub mod injected;
pub mod load;
pub mod manifest;
pub mod model;
pub mod modulation;
mod openslo;
pub mod policy;
pub mod priors;
pub mod problem;
pub mod promises;
pub mod request;
pub mod rules;
pub mod scalar;
pub mod sidecars;
pub mod sizing;
pub mod traffic;
pub mod traps;
pub mod uncertain;
pub mod upstream;
pub mod usage;
pub mod validate;
pub mod world;

pub use problem::{Problem, Severity, decode};
pub use request::{Failure, Loaded, Request, load};
