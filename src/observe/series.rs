//! Values over time: one row per step, however long the run.

use crate::observe::Course;
use crate::units::{SimDuration, SimTime};

/// Values over time. All columns have one entry per row of `times`; a row
/// stands for the step that ends at its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// From one row to the next.
    pub step: SimDuration,
    /// End of each step.
    pub times: Vec<SimTime>,
    /// The most users that there were at a time in the step.
    pub users: Vec<f64>,
    /// User requests that arrived in the step.
    pub arrived: Vec<u64>,
    /// User requests that failed in the step.
    pub failed: Vec<u64>,
    /// Median latency of user requests answered in the step, in seconds; NaN-free:
    /// `None` where none was answered.
    pub p50: Vec<Option<f64>>,
    /// 95th percentile.
    pub p95: Vec<Option<f64>>,
    /// 99th percentile.
    pub p99: Vec<Option<f64>>,
    /// The latencies of single journeys and workloads that goals are about.
    pub courses: Vec<Course>,
    /// Ready nodes.
    pub nodes: Vec<u32>,
    /// Pods that exist.
    pub pods: Vec<u32>,
    /// Pods waiting for a node.
    pub pending: Vec<u32>,
    /// Per workload, in the scenario's order.
    pub workloads: Vec<WorkloadSeries>,
}

impl Series {
    /// The end of the last step.
    pub fn until(&self) -> SimTime {
        self.times.last().copied().unwrap_or(SimTime::ZERO)
    }
}

/// One workload over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadSeries {
    /// Wanted replicas.
    pub desired: Vec<u32>,
    /// Ready replicas.
    pub ready: Vec<u32>,
    /// Mean CPU used in the step by all pods, in cores.
    pub cpu: Vec<f64>,
    /// CPU requested by all running pods, in cores.
    pub cpu_request: Vec<f64>,
    /// CPU limit of all running pods, in cores; 0 where there is none.
    pub cpu_limit: Vec<f64>,
    /// Memory used by all pods, in bytes.
    pub memory: Vec<f64>,
    /// Memory requested by all running pods.
    pub memory_request: Vec<f64>,
    /// Memory limit of all running pods; 0 where there is none.
    pub memory_limit: Vec<f64>,
    /// Calls that failed in the step.
    pub failed: Vec<u64>,
}
