//! Node heartbeats, taints and evictions.
