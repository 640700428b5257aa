//! Node-pressure eviction and OOM order.
//!
//! Upstream: `pkg/kubelet/eviction/{helpers,eviction_manager}.go`,
//! `pkg/kubelet/qos/policy.go`.

use std::cmp::Ordering;

use crate::k8s::resources::QosClass;
use crate::units::{Bytes, SimDuration};

/// The kubelet looks for pressure so often and evicts at most one pod each time.
pub const CHECK_PERIOD: SimDuration = SimDuration::from_secs(10);
/// A pressure condition stays at least this long.
pub const PRESSURE_TRANSITION: SimDuration = SimDuration::from_secs(300);
/// `evictionHard` for `memory.available`: pressure below this.
pub const MEMORY_THRESHOLD: Bytes = Bytes::from_mib(100);

/// The taint of a node whose memory is short.
pub const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";

/// Whether a node with so much memory, of which so much is kept back for kubelet, system
/// and the eviction threshold, is under pressure when its pods use so much. The kubelet
/// holds its threshold against the whole node and against what pods may use of it.
pub fn is_short_of_memory(capacity: Bytes, reserved: Bytes, used: Bytes) -> bool {
    used.0.saturating_add(reserved.0.max(MEMORY_THRESHOLD.0)) > capacity.0
}

/// `oom_score_adj` of containers of Guaranteed and node-critical pods.
pub const OOM_GUARANTEED: i32 = -997;
/// The same of BestEffort pods.
pub const OOM_BEST_EFFORT: i32 = 1_000;

/// What the order of memory evictions looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Working set of the pod.
    pub usage: Bytes,
    /// Its memory request.
    pub request: Bytes,
    /// Its priority.
    pub priority: i32,
}

/// The rule by which one pod is evicted before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It uses more than it requests, the other doesn't.
    AboveRequest,
    /// Its priority is lower.
    Priority,
    /// It is further above its request.
    Excess,
    /// No rule tells them apart.
    None,
}

/// Which of two pods is evicted first (`Less`: `a`) when memory is short.
pub fn memory_order(a: &MemoryUse, b: &MemoryUse) -> (Ordering, Rule) {
    let above = |pod: &MemoryUse| pod.usage > pod.request;
    let excess = |pod: &MemoryUse| i128::from(pod.usage.0) - i128::from(pod.request.0);
    let rules = [
        (above(b).cmp(&above(a)), Rule::AboveRequest),
        (a.priority.cmp(&b.priority), Rule::Priority),
        (excess(b).cmp(&excess(a)), Rule::Excess),
    ];
    rules.into_iter().find(|(order, _)| order.is_ne()).unwrap_or((Ordering::Equal, Rule::None))
}

/// Whether a kubelet under memory pressure still admits a pod: all but BestEffort.
pub fn admits_under_memory_pressure(qos: QosClass, critical: bool) -> bool {
    critical || qos != QosClass::BestEffort
}

/// A container's `oom_score_adj` on a node with so much memory; the kernel adds
/// its share of memory used, in thousandths, and kills the highest.
pub fn oom_score_adj(qos: QosClass, node_critical: bool, request: Bytes, capacity: Bytes) -> i32 {
    match qos {
        _ if node_critical => OOM_GUARANTEED,
        QosClass::Guaranteed => OOM_GUARANTEED,
        QosClass::BestEffort => OOM_BEST_EFFORT,
        QosClass::Burstable => {
            let share = 1_000 * i128::from(request.0) / i128::from(capacity.0.max(1));
            // Above every Guaranteed and below every BestEffort container.
            (1_000 - share).clamp(i128::from(1_000 + OOM_GUARANTEED), i128::from(OOM_BEST_EFFORT - 1)) as i32
        }
    }
}

/// The kernel's badness of a container when the node runs out of memory.
pub fn oom_score(adj: i32, usage: Bytes, capacity: Bytes) -> i64 {
    (1_000 * i128::from(usage.0) / i128::from(capacity.0.max(1))) as i64 + i64::from(adj)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_above_their_request_go_first() {
        let pod =
            |usage, request, priority| MemoryUse { usage: Bytes(usage), request: Bytes(request), priority };
        let rows = [
            (pod(200, 100, 9), pod(900, 1_000, 0), Rule::AboveRequest),
            (pod(200, 100, 0), pod(900, 100, 5), Rule::Priority),
            (pod(900, 100, 5), pod(200, 100, 5), Rule::Excess),
            (pod(90, 100, 5), pod(10, 100, 5), Rule::Excess),
        ];
        for (first, second, rule) in rows {
            assert_eq!(memory_order(&first, &second), (Ordering::Less, rule));
            assert_eq!(memory_order(&second, &first), (Ordering::Greater, rule));
        }
        assert_eq!(memory_order(&rows[0].0, &rows[0].0).1, Rule::None);
    }

    #[test]
    fn a_hundred_mebibytes_or_the_reserve_stay_free() {
        let mib = Bytes::from_mib;
        let short = |reserved, used| is_short_of_memory(mib(4_096), mib(reserved), mib(used));
        assert_eq!((short(0, 3_996), short(0, 3_997)), (false, true));
        assert_eq!((short(600, 3_496), short(600, 3_497)), (false, true));
        assert!(short(0, 1 << 40));
    }

    #[test]
    fn oom_scores() {
        let gib = |n: u64| Bytes::from_mib(n * 1_024);
        let burstable = |request| oom_score_adj(QosClass::Burstable, false, request, gib(8));
        assert_eq!(burstable(gib(2)), 750);
        assert_eq!((burstable(Bytes(1)), burstable(gib(8))), (999, 3));
        assert_eq!(oom_score_adj(QosClass::Guaranteed, false, gib(1), gib(8)), -997);
        assert_eq!(oom_score_adj(QosClass::BestEffort, true, gib(0), gib(8)), -997);
        assert_eq!(oom_score_adj(QosClass::BestEffort, false, gib(0), gib(8)), 1_000);
        assert_eq!(oom_score(750, gib(4), gib(8)), 1_250);
    }
}
