//! Probes: the kubelet's probe worker as a state machine.
//!
//! Upstream: `pkg/kubelet/prober/worker.go`, defaults in
//! `pkg/apis/core/v1/defaults.go`.

use crate::units::SimDuration;

/// A startup, readiness or liveness probe, after defaulting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How the container is asked.
    pub handler: Handler,
    /// Counted in whole seconds from the container's start.
    pub initial_delay: SimDuration,
    /// From one probe to the next; at least 1 s.
    pub period: SimDuration,
    /// After which an unanswered probe has failed.
    pub timeout: SimDuration,
    /// Successes in a row before the stored result turns to success.
    pub success_threshold: u32,
    /// Failures in a row before the stored result turns to failure.
    pub failure_threshold: u32,
}

/// How a probe asks; all are simulated as one small request to the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `httpGet`
    Http,
    /// `tcpSocket`: succeeds as soon as the container listens.
    Tcp,
    /// `grpc`
    Grpc,
    /// `exec`: a process of its own in the container.
    Exec,
}

impl Default for Probe {
    /// The API's defaults for an `httpGet` probe.
    fn default() -> Self {
        Self {
            handler: Handler::Http,
            initial_delay: SimDuration::ZERO,
            period: SimDuration::from_secs(10),
            timeout: SimDuration::from_secs(1),
            success_threshold: 1,
            failure_threshold: 3,
        }
    }
}
