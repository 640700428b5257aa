//! What a single decision of a live cluster is made from: one HPA with its pods
//! and metrics, or one pod with the nodes it may go to.

mod history;
mod hpa;
mod scheduling;

pub use hpa::{HpaCase, HpaRequest, MetricInput, hpa};
pub use scheduling::{SchedulingCase, SchedulingRequest, scheduling};
pub(crate) use scheduling::{kind_of, owners};
