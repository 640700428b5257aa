//! The metrics pipeline: kubelet samples, scrapes, windows, missing pods.
