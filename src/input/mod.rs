//! Files in, one scenario out, or every problem found, each at its place.

pub mod findings;
pub mod scalar;
pub mod uncertain;
