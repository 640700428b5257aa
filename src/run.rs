//! Simulate once; replicate in parallel.
