//! Volumes that one node mounts at a time (`ReadWriteOnce`), when that node dies.
//!
//! Upstream: `reconcile` in `pkg/controller/volume/attachdetach/reconciler/reconciler.go`,
//! `DefaultTimerConfig` in `pkg/controller/volume/attachdetach/attach_detach_controller.go`.

use crate::units::{SimDuration, SimTime};

/// `ReconcilerMaxWaitForUnmountDuration`: so long the attach-detach controller waits for a
/// node to say that it has unmounted a volume before it takes it away from one that isn't
/// healthy.
pub const FORCE_DETACH_AFTER: SimDuration = SimDuration::from_secs(6 * 60);

/// From when on a volume can be attached to another node, the one that has it being dead
/// and its pod there deleted or lost at `gone`.
pub fn attachable_at(gone: SimTime) -> SimTime {
    gone + FORCE_DETACH_AFTER
}
