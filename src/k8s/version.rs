//! Kubernetes versions, and the one table of what changed between them.
