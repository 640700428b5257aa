//! Kubernetes manifests in, one [`ManifestSet`] out.

pub mod set;

pub use set::ManifestSet;
