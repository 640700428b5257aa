//! Node heartbeats, taints and evictions.
//!
//! Upstream: `pkg/controller/nodelifecycle/node_lifecycle_controller.go`,
//! `pkg/controller/nodelifecycle/scheduler/rate_limited_queue.go`,
//! `pkg/controller/tainteviction/taint_eviction.go`,
//! `plugin/pkg/admission/defaulttolerationseconds/admission.go`.

use crate::k8s::placement::{Taint, TaintEffect, Toleration};
use crate::units::{SimDuration, SimTime};

/// Taint of a node whose Ready condition is False.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a node whose Ready condition is Unknown.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// How long a pod bears either, when it doesn't say.
pub const DEFAULT_TOLERATION_SECONDS: i64 = 300;

/// The controller's knobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// `--node-monitor-period`: time between two passes.
    pub monitor_period: SimDuration,
    /// `--node-monitor-grace-period`: silence after which a node is Unknown (40 s up to 1.31).
    pub grace_period: SimDuration,
    /// `--node-startup-grace-period`: the same for a node that has not been heard of yet.
    pub startup_grace_period: SimDuration,
    /// The controller looks into its taint queue so often.
    pub queue_period: SimDuration,
    /// `--node-eviction-rate`: nodes tainted a second and zone.
    pub eviction_rate: f64,
    /// `--secondary-node-eviction-rate`: the same in a large zone under partial disruption.
    pub secondary_eviction_rate: f64,
    /// `--large-cluster-size-threshold`: a zone of more nodes is large.
    pub large_zone: u32,
    /// `--unhealthy-zone-threshold`: unready share from which a zone is partially disrupted.
    pub unhealthy_zone_threshold: f32,
}

/// The status of a node's Ready condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The kubelet says so.
    True,
    /// The kubelet says it is not (no runtime, no network).
    False,
    /// The kubelet has not been heard of for the grace period.
    Unknown,
}

/// What the controller knows of a node's kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When the controller last saw a new heartbeat, by its own clock; the
    /// node's creation before the first.
    pub seen: SimTime,
    /// Whether there has been one.
    pub started: bool,
    /// The Ready condition as stored.
    pub ready: Ready,
}

/// What a pass does about one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The Ready condition after the pass.
    pub ready: Ready,
    /// Whether the controller sets Ready False on each of the node's pods: only
    /// when it found the node True and left it Unknown. A kubelet that reports
    /// False by itself keeps its pods in their endpoints (a known upstream issue).
    pub marks_pods_unready: bool,
    /// What happens to its NoExecute taints.
    pub taint: TaintStep,
}

/// What a pass does about a node's NoExecute taints, by the condition that it
/// found (not the one it left): a node that just went silent is tainted one
/// pass later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintStep {
    /// Its zone's queue gets it, for a not-ready taint.
    QueueNotReady,
    /// Its zone's queue gets it, for an unreachable taint.
    QueueUnreachable,
    /// It had the other taint, which is exchanged for not-ready at once.
    SwapToNotReady,
    /// It had the other taint, which is exchanged for unreachable at once.
    SwapToUnreachable,
    /// Both taints go, and it leaves the queue.
    Remove,
}

/// One monitor pass over one node that carries `tainted`, if any.
pub fn check(node: &Heartbeat, tainted: Option<Ready>, settings: &Settings, now: SimTime) -> Checked {
    let grace = if node.started { settings.grace_period } else { settings.startup_grace_period };
    let ready = if now > node.seen + grace { Ready::Unknown } else { node.ready };
    let taint = match (node.ready, tainted) {
        (Ready::True, _) => TaintStep::Remove,
        (Ready::False, Some(Ready::Unknown)) => TaintStep::SwapToNotReady,
        (Ready::Unknown, Some(Ready::False)) => TaintStep::SwapToUnreachable,
        (Ready::False, _) => TaintStep::QueueNotReady,
        (Ready::Unknown, _) => TaintStep::QueueUnreachable,
    };
    Checked { ready, marks_pods_unready: node.ready == Ready::True && ready != Ready::True, taint }
}

/// How much of a zone is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// It has just been met.
    Initial,
    /// Few nodes, or none.
    Normal,
    /// More than two nodes, and at least the threshold's share.
    PartialDisruption,
    /// All nodes.
    FullDisruption,
}

/// The nodes of a zone that count: those not labelled
/// `node.kubernetes.io/exclude-disruption`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneNodes {
    /// Ready ones.
    pub ready: u32,
    /// The others.
    pub unready: u32,
}

/// What a pass finds out about the zones.
#[derive(Clone, Debug, PartialEq)]
pub struct ZonePass {
    /// The state of each zone; `None` where no node counts.
    pub states: Vec<Option<ZoneState>>,
    /// The rate that each zone's queue is set to; `None` leaves it.
    pub rates: Vec<Option<f64>>,
    /// Every zone is down for the first time: all nodes lose their taints.
    pub removes_taints: bool,
    /// Some zone is back: every node counts as heard of just now.
    pub resets_heartbeats: bool,
}

/// One zone's state from its nodes.
pub fn zone_state(nodes: ZoneNodes, settings: &Settings) -> ZoneState {
    let share = nodes.unready as f32 / (nodes.unready + nodes.ready) as f32;
    if nodes.ready == 0 && nodes.unready > 0 {
        ZoneState::FullDisruption
    } else if nodes.unready > 2 && share >= settings.unhealthy_zone_threshold {
        ZoneState::PartialDisruption
    } else {
        ZoneState::Normal
    }
}

/// One pass over all zones; `before` holds their states after the last one (and
/// may be shorter where zones are new). With every zone down the controller
/// thinks that it is itself cut off, and taints nothing.
pub fn zone_pass(before: &[Option<ZoneState>], zones: &[ZoneNodes], settings: &Settings) -> ZonePass {
    let size = |nodes: &ZoneNodes| nodes.ready + nodes.unready;
    let found: Vec<Option<ZoneState>> =
        zones.iter().map(|nodes| (size(nodes) > 0).then(|| zone_state(*nodes, settings))).collect();
    let known = |i: usize| before.get(i).copied().flatten().unwrap_or(ZoneState::Initial);
    let is_down = |state: ZoneState| state == ZoneState::FullDisruption;
    let down_now = found.iter().flatten().all(|state| is_down(*state));
    let down_before = found.iter().enumerate().all(|(i, state)| state.is_none() || is_down(known(i)));
    let rate_of = |i: usize, state: ZoneState| match state {
        ZoneState::Initial | ZoneState::Normal | ZoneState::FullDisruption => settings.eviction_rate,
        ZoneState::PartialDisruption if size(&zones[i]) > settings.large_zone => {
            settings.secondary_eviction_rate
        }
        ZoneState::PartialDisruption => 0.0,
    };
    let rates = found.iter().enumerate().map(|(i, state)| {
        let state = (*state)?;
        match (down_before, down_now) {
            (true, true) => None,
            (false, true) => Some(0.0),
            (true, false) => Some(rate_of(i, state)),
            (false, false) => (state != known(i)).then(|| rate_of(i, state)),
        }
    });
    let rates = rates.collect();
    ZonePass {
        states: found,
        rates,
        removes_taints: down_now && !down_before,
        resets_heartbeats: down_before && !down_now,
    }
}

/// Pods that don't say otherwise bear either taint for five minutes: what the
/// admission plugin adds when a pod is created.
pub fn add_default_tolerations(tolerations: &mut Vec<Toleration>, seconds: i64) {
    for key in [NOT_READY, UNREACHABLE] {
        let bears = |toleration: &Toleration| {
            (toleration.key.is_empty() || toleration.key == key)
                && matches!(toleration.effect, None | Some(TaintEffect::NoExecute))
        };
        if !tolerations.iter().any(bears) {
            let effect = Some(TaintEffect::NoExecute);
            tolerations.push(Toleration {
                key: key.to_owned(),
                exists: true,
                value: String::new(),
                effect,
                seconds: Some(seconds),
            });
        }
    }
}

/// How long a pod stays on a tainted node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It bears the taints for good.
    Forever,
    /// So long from the taint on; zero when it does not bear one of them.
    For(SimDuration),
}

/// How long a pod with these tolerations bears a node's NoExecute taints.
pub fn stay(taints: &[Taint], tolerations: &[Toleration]) -> Stay {
    let mut used = Vec::new();
    for taint in taints.iter().filter(|taint| taint.effect == TaintEffect::NoExecute) {
        // The first toleration that bears a taint is the one that counts.
        match tolerations.iter().find(|toleration| tolerates(toleration, taint)) {
            None => return Stay::For(SimDuration::ZERO),
            Some(toleration) => used.push(toleration.seconds),
        }
    }
    if used.is_empty() { Stay::Forever } else { min_toleration(&used) }
}

/// The shortest of the times (in seconds, `None` for ever) of the tolerations
/// that bear a node's taints; without any there is no bearing it.
pub fn min_toleration(seconds: &[Option<i64>]) -> Stay {
    if seconds.is_empty() {
        return Stay::For(SimDuration::ZERO);
    }
    let shortest = seconds.iter().flatten().min();
    shortest.map_or(Stay::Forever, |least| Stay::For(SimDuration::from_secs((*least).max(0) as u64)))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    (toleration.key.is_empty() || toleration.key == taint.key)
        && toleration.effect.is_none_or(|effect| effect == taint.effect)
        && (toleration.exists || toleration.value == taint.value)
}

/// When a pod is deleted for its node's taints: `None` when never. An eviction
/// that is planned already stays, unless the pod would go sooner by now.
pub fn evicted_at(planned: Option<SimTime>, stay: Stay, tainted: SimTime) -> Option<SimTime> {
    match stay {
        Stay::Forever => None,
        Stay::For(time) => Some(planned.map_or(tainted + time, |planned| planned.min(tainted + time))),
    }
}

impl Default for Settings {
    /// Upstream's defaults since 1.32.
    fn default() -> Self {
        Self {
            monitor_period: SimDuration::from_secs(5),
            grace_period: SimDuration::from_secs(50),
            startup_grace_period: SimDuration::from_secs(60),
            queue_period: SimDuration::from_millis(100),
            eviction_rate: 0.1,
            secondary_eviction_rate: 0.01,
            large_zone: 50,
            unhealthy_zone_threshold: 0.55,
        }
    }
}

/// Pods on nodes whose object is no more.
///
/// Upstream: `pkg/controller/podgc/gc_controller.go` (`gcOrphaned`).
pub mod orphans {
    use crate::units::{SimDuration, SimTime};

    /// The pod garbage collector passes so often (`gcCheckPeriod`).
    pub const PERIOD: SimDuration = SimDuration::from_secs(20);
    /// A node that a pass misses must be missed for so long (`quarantineTime`).
    pub const QUARANTINE: SimDuration = SimDuration::from_secs(40);

    /// When the pods of a node whose object was deleted at `deleted` are deleted
    /// by force. Passes come at `phase` and every [`PERIOD`] after it: the first
    /// after the deletion puts the node into quarantine, and the one after that
    /// is over deletes.
    pub fn collected_at(deleted: SimTime, phase: SimDuration) -> SimTime {
        let (since, period) = (deleted.as_nanos().saturating_sub(phase.as_nanos()), PERIOD.as_nanos());
        let missed = phase.as_nanos() + since.div_ceil(period) * period;
        SimTime::from_nanos(missed + QUARANTINE.as_nanos().div_ceil(period) * period)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn orphans_go_at_the_pass_after_their_quarantine() {
            // Passes at 3, 23, 43 … s; deleted, collected.
            for (deleted, collected) in [(3, 43), (4, 63), (22, 63), (23, 63), (24, 83), (0, 43)] {
                let at = collected_at(SimTime::from_secs(deleted), SimDuration::from_secs(3));
                assert_eq!(at, SimTime::from_secs(collected), "deleted at {deleted} s");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::token_bucket::TokenBucket;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    /// When a node whose last heartbeat was seen at `seen` is found Unknown, and
    /// when tainted, by a controller whose passes are at `phase`, `phase` + 5 s, …
    fn silent(seen: u64, phase: u64, settings: &Settings) -> (SimTime, SimTime) {
        let mut node = Heartbeat { seen: at(seen), started: true, ready: Ready::True };
        let mut queue = TokenBucket::new(settings.eviction_rate, 1);
        let (mut unknown, mut now) = (None, at(phase));
        loop {
            let checked = check(&node, None, settings, now);
            assert_eq!(
                checked.marks_pods_unready,
                node.ready == Ready::True && checked.ready == Ready::Unknown
            );
            if checked.taint == TaintStep::QueueUnreachable && queue.try_take(now) {
                return (unknown.expect("it is Unknown before it is queued"), now);
            }
            if checked.ready == Ready::Unknown {
                unknown = unknown.or(Some(now));
            }
            node.ready = checked.ready;
            now += settings.monitor_period;
        }
    }

    #[test]
    fn a_dead_node_is_unknown_then_tainted_one_pass_later() {
        // A node dies right after its heartbeat at 10 s was seen, or just before the next at 20 s.
        for (settings, earliest, latest) in [
            (Settings::default(), 40, 60),
            (Settings { grace_period: SimDuration::from_secs(40), ..Settings::default() }, 30, 50),
        ] {
            for phase in 0..5 {
                let (unknown, tainted) = silent(10, phase, &settings);
                for death in [10, 20] {
                    let after = unknown.since(at(death)).whole_secs();
                    assert!((earliest..=latest).contains(&after), "{after} s after its death");
                }
                assert_eq!(tainted.since(unknown), settings.monitor_period);
                // Replacements: default tolerations are borne from the taint on.
                let mut tolerations = Vec::new();
                add_default_tolerations(&mut tolerations, DEFAULT_TOLERATION_SECONDS);
                let taint = Taint {
                    key: UNREACHABLE.to_owned(),
                    value: String::new(),
                    effect: TaintEffect::NoExecute,
                };
                let gone = evicted_at(None, stay(&[taint], &tolerations), tainted).expect("not for ever");
                let after = gone.since(at(20)).whole_secs();
                assert!((earliest + 305..=latest + 305).contains(&after), "{after} s after its death");
            }
        }
    }

    #[test]
    fn further_nodes_of_a_zone_wait_ten_seconds_each() {
        let mut queue = TokenBucket::new(Settings::default().eviction_rate, 1);
        let times: Vec<SimTime> = (0..3).map(|_| queue.wait_and_take(at(55))).collect();
        assert_eq!(times, [at(55), at(65), at(75)]);
    }

    #[test]
    fn a_kubelet_that_reports_false_keeps_its_pods_ready() {
        let node = Heartbeat { seen: at(0), started: true, ready: Ready::False };
        let settings = Settings::default();
        let reported = check(&node, None, &settings, at(20));
        assert_eq!((reported.marks_pods_unready, reported.taint), (false, TaintStep::QueueNotReady));
        let silent = check(&node, Some(Ready::False), &settings, at(60));
        assert_eq!((silent.ready, silent.marks_pods_unready), (Ready::Unknown, false));
        let unknown = Heartbeat { ready: Ready::Unknown, ..node };
        assert_eq!(
            check(&unknown, Some(Ready::False), &settings, at(65)).taint,
            TaintStep::SwapToUnreachable
        );
        let fresh = Heartbeat { started: false, ready: Ready::Unknown, ..node };
        assert_eq!(check(&fresh, None, &settings, at(55)).ready, Ready::Unknown);
    }

    #[test]
    fn zones() {
        let settings = Settings::default();
        let rows = [
            ((0, 1), ZoneState::FullDisruption),
            ((1, 2), ZoneState::Normal),
            ((9, 11), ZoneState::PartialDisruption),
            ((10, 12), ZoneState::Normal),
            ((0, 0), ZoneState::Normal),
            ((2, 3), ZoneState::PartialDisruption),
        ];
        for ((ready, unready), state) in rows {
            assert_eq!(
                zone_state(ZoneNodes { ready, unready }, &settings),
                state,
                "{ready} ready, {unready} unready"
            );
        }
    }

    #[test]
    fn disruption_slows_tainting_and_stops_it() {
        let settings = Settings::default();
        let zone = |ready, unready| ZoneNodes { ready, unready };
        let normal = Some(ZoneState::Normal);
        // A small zone that is partially down is left alone, a large one is slow.
        let pass = zone_pass(&[normal, normal], &[zone(4, 6), zone(40, 60)], &settings);
        assert_eq!(pass.rates, [Some(0.0), Some(0.01)]);
        // One zone of two fully down keeps the usual rate.
        let pass = zone_pass(&[normal, normal], &[zone(0, 5), zone(5, 0)], &settings);
        assert_eq!((pass.rates, pass.removes_taints), (vec![Some(0.1), None], false));
        // All down: nothing is tainted, and what was is not any more.
        let all = zone_pass(&pass.states, &[zone(0, 5), zone(0, 5)], &settings);
        assert_eq!((all.rates, all.removes_taints), (vec![Some(0.0), Some(0.0)], true));
        let back = zone_pass(&all.states, &[zone(0, 5), zone(1, 4)], &settings);
        assert_eq!((back.rates, back.resets_heartbeats), (vec![Some(0.1), Some(0.0)], true));
    }

    #[test]
    fn the_shortest_toleration_counts() {
        let taint =
            |key: &str| Taint { key: key.to_owned(), value: String::new(), effect: TaintEffect::NoExecute };
        let bear = |key: &str, seconds| Toleration {
            key: key.to_owned(),
            exists: true,
            value: String::new(),
            effect: Some(TaintEffect::NoExecute),
            seconds,
        };
        let both = [taint(NOT_READY), taint(UNREACHABLE)];
        let seconds = |n| Stay::For(SimDuration::from_secs(n));
        assert_eq!(stay(&both, &[bear(NOT_READY, Some(30))]), seconds(0));
        assert_eq!(stay(&both, &[bear(NOT_READY, Some(30)), bear(UNREACHABLE, None)]), seconds(30));
        assert_eq!(stay(&both, &[bear("", None)]), Stay::Forever);
        assert_eq!(stay(&[], &[]), Stay::Forever);
        // A wish for both leaves nothing to add.
        let mut tolerations = vec![bear("", Some(5))];
        add_default_tolerations(&mut tolerations, 300);
        assert_eq!(tolerations.len(), 1);
        assert_eq!(evicted_at(Some(at(100)), seconds(300), at(50)), Some(at(100)));
    }
}
