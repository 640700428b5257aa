//! How a pod ends: preStop, grace period, SIGTERM, SIGKILL.
