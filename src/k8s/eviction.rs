//! Node-pressure eviction and OOM order.
