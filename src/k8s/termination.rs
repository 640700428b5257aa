//! How a pod ends: preStop, grace period, SIGTERM, SIGKILL.
//!
//! Upstream: `killContainer` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`,
//! `pkg/kubelet/kuberuntime/kuberuntime_termination_order.go`.

use crate::units::{SimDuration, SimTime};

/// `terminationGracePeriodSeconds` when absent.
pub const DEFAULT_GRACE: SimDuration = SimDuration::from_secs(30);
/// A forced deletion (grace 0) still gets this much from the kubelet.
pub const FORCED_GRACE: SimDuration = SimDuration::from_secs(1);
/// However much of the grace is spent, a container has this long after SIGTERM.
pub const MIN_AFTER_SIGTERM: SimDuration = SimDuration::from_secs(2);

/// How a container behaves when its pod ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How long its preStop hook takes; zero when it has none.
    pub pre_stop: SimDuration,
    /// How long it runs on after SIGTERM; [`SimDuration::MAX`] when it ignores it.
    pub after_sigterm: SimDuration,
    /// A restartable init container: it ends after the main ones, last declared first.
    pub sidecar: bool,
}

/// When a container ends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When it gets SIGTERM.
    pub sigterm: SimTime,
    /// When it is gone.
    pub gone: SimTime,
    /// Whether it was SIGKILL that ended it (exit code 137).
    pub killed: bool,
}

/// When the containers of a pod end whose deletion the kubelet begins at `start`;
/// `containers` in the order of the spec. The pod is gone with the last of them.
pub fn endings(start: SimTime, grace: SimDuration, containers: &[Ending]) -> Vec<End> {
    let grace = if grace == SimDuration::ZERO { FORCED_GRACE } else { grace };
    let mut ends: Vec<End> = containers.iter().map(|container| end(start, grace, container, start)).collect();
    let is_main = |(_, container): &(&End, &Ending)| !container.sidecar;
    let mut turn =
        ends.iter().zip(containers).filter(is_main).map(|(end, _)| end.gone).fold(start, SimTime::max);
    for (i, sidecar) in containers.iter().enumerate().rev().filter(|(_, container)| container.sidecar) {
        ends[i] = end(start, grace, sidecar, turn);
        turn = turn.max(ends[i].gone);
    }
    ends
}

/// The end of one container whose turn to get SIGTERM comes at `turn`. Its hook
/// runs at once all the same, and both hook and waiting are paid from the grace
/// period, in whole seconds.
fn end(start: SimTime, grace: SimDuration, container: &Ending, turn: SimTime) -> End {
    let hook = container.pre_stop.min(grace);
    let left = grace.saturating_sub(SimDuration::from_secs(hook.whole_secs()));
    let hook_done = start + hook;
    let waiting = turn.since_or_zero(hook_done).min(left);
    let left = left.saturating_sub(SimDuration::from_secs(waiting.whole_secs()));
    let sigterm = hook_done + waiting;
    let allowed = left.max(MIN_AFTER_SIGTERM);
    End {
        sigterm,
        gone: sigterm + container.after_sigterm.min(allowed),
        killed: container.after_sigterm > allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> SimDuration {
        SimDuration::from_millis(millis)
    }

    fn main(pre_stop: u64, after_sigterm: u64) -> Ending {
        Ending { pre_stop: ms(pre_stop), after_sigterm: ms(after_sigterm), sidecar: false }
    }

    fn sidecar(pre_stop: u64, after_sigterm: u64) -> Ending {
        Ending { sidecar: true, ..main(pre_stop, after_sigterm) }
    }

    /// (SIGTERM, gone, killed) in milliseconds from the start.
    fn check(grace: u64, containers: &[Ending], expected: &[(u64, u64, bool)]) {
        let millis = |time: SimTime| time.as_nanos() / 1_000_000;
        let ends = endings(SimTime::ZERO, ms(grace), containers);
        let ends: Vec<_> =
            ends.iter().map(|end| (millis(end.sigterm), millis(end.gone), end.killed)).collect();
        assert_eq!(ends, expected);
    }

    #[test]
    fn hook_then_sigterm_then_sigkill() {
        check(30_000, &[main(0, 500)], &[(0, 500, false)]);
        check(30_000, &[main(5_000, 500)], &[(5_000, 5_500, false)]);
        check(30_000, &[main(5_000, 60_000)], &[(5_000, 30_000, true)]);
        // Hooks are paid in whole seconds.
        check(30_000, &[main(5_900, 60_000)], &[(5_900, 30_900, true)]);
        // A hook that eats it all leaves two seconds.
        check(30_000, &[main(60_000, 60_000)], &[(30_000, 32_000, true)]);
        check(0, &[main(0, 60_000)], &[(0, 2_000, true)]);
    }

    #[test]
    fn sidecars_follow_the_main_containers_in_reverse() {
        check(
            30_000,
            &[sidecar(0, 1_000), sidecar(0, 2_000), main(0, 10_000), main(0, 4_000)],
            &[(12_000, 13_000, false), (10_000, 12_000, false), (0, 10_000, false), (0, 4_000, false)],
        );
        // Their hooks run at once; a main container that uses up the grace leaves them two seconds.
        check(
            30_000,
            &[sidecar(3_000, 60_000), main(0, 60_000)],
            &[(30_000, 32_000, true), (0, 30_000, true)],
        );
    }
}
