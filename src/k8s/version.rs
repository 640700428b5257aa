//! Kubernetes versions, and the one table of what changed between them.

/// A minor release of Kubernetes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The 31 of 1.31.
    pub minor: u32,
}
