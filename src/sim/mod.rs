//! The kernel: time, order, chance. It knows nothing of Kubernetes.

pub mod agenda;
pub mod alarms;
pub mod chunks;
pub mod fingerprint;
pub mod minima;
pub mod random;
pub mod wheel;
