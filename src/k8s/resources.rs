//! Requests and limits: what a container asks for and what holds it back.
//!
//! Upstream: `pkg/kubelet/cm/helpers_linux.go` (shares, quota),
//! `pkg/apis/core/v1/helper/qos/qos.go` (QoS class),
//! `staging/src/k8s.io/component-helpers/resource/helpers.go` (pod requests).

use std::collections::BTreeMap;

use crate::units::{Bytes, MilliCpu};

/// Amounts of the resources a container may name; `None` where it names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU.
    pub cpu: Option<MilliCpu>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Local disk.
    pub ephemeral_storage: Option<Bytes>,
    /// Extended resources such as `nvidia.com/gpu`, in whole units.
    pub extended: BTreeMap<String, u64>,
}
