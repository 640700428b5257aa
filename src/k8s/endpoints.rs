//! EndpointSlices, kube-proxy and ingress: who is sent traffic, and how late.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/utils.go`,
//! `pkg/controller/endpointslice/endpointslice_controller.go`,
//! `pkg/proxy/topology.go`, `pkg/util/async/bounded_frequency_runner.go`;
//! kubernetes/ingress-nginx `internal/ingress/controller/endpointslices.go`,
//! `internal/task/queue.go`, `rootfs/etc/nginx/lua/balancer.lua`.

use crate::k8s::token_bucket::TokenBucket;
use crate::units::{SimDuration, SimTime};

/// kube-proxy's `minSyncPeriod`.
pub const PROXY_MIN_SYNC: SimDuration = SimDuration::from_secs(1);
/// After it changed a slice, the slice controller looks at that Service again
/// no sooner than this.
pub const SLICE_RESYNC: SimDuration = SimDuration::from_secs(1);
/// ingress-nginx syncs backends so often a second, one at a time.
pub const INGRESS_SYNC_RATE: f64 = 0.3;
/// Each nginx worker looks for new backends so often.
pub const INGRESS_POLL: SimDuration = SimDuration::from_secs(1);
/// ingress-nginx gives up setting up a connection that nobody answers
/// (`proxy-connect-timeout`).
pub const INGRESS_CONNECT_TIMEOUT: SimDuration = SimDuration::from_secs(5);

/// An endpoint's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Serving and not terminating (or published whatever its readiness).
    pub ready: bool,
    /// The pod's Ready condition.
    pub serving: bool,
    /// The pod is being deleted.
    pub terminating: bool,
}

/// What the slice controller reads of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its Ready condition.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it has an address, as even a Pending pod may, and has not ended
    /// for good (Failed or Succeeded).
    pub reachable: bool,
}

/// A pod's endpoint; `None` when it has none.
pub fn conditions(pod: &PodView, publish_not_ready: bool) -> Option<Conditions> {
    let ready = publish_not_ready || (pod.ready && !pod.deleting);
    pod.reachable.then_some(Conditions { ready, serving: pod.ready, terminating: pod.deleting })
}

/// Which endpoints of a Service get traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eligible {
    /// The ready ones.
    Ready,
    /// None is ready: those that are on their way out but still serve.
    ServingTerminating,
    /// None at all: connections are refused.
    None,
}

/// kube-proxy's choice, by connection; among those eligible it draws uniformly.
pub fn kube_proxy(endpoints: impl IntoIterator<Item = Conditions>) -> Eligible {
    let mut eligible = Eligible::None;
    for endpoint in endpoints {
        if endpoint.ready {
            return Eligible::Ready;
        }
        if endpoint.serving && endpoint.terminating {
            eligible = Eligible::ServingTerminating;
        }
    }
    eligible
}

/// ingress-nginx's choice: ready endpoints, else it answers 503.
pub fn ingress_nginx(endpoints: impl IntoIterator<Item = Conditions>) -> Eligible {
    if endpoints.into_iter().any(|endpoint| endpoint.ready) { Eligible::Ready } else { Eligible::None }
}

impl Eligible {
    /// Whether this endpoint is one of them.
    pub fn includes(self, endpoint: Conditions) -> bool {
        match self {
            Self::Ready => endpoint.ready,
            Self::ServingTerminating => endpoint.serving && endpoint.terminating,
            Self::None => false,
        }
    }
}

/// When the slice controller writes a pod's change at `changed`: after the batch
/// period (`--endpoint-updates-batch-period`, zero by default), whose start the
/// first of several changes sets.
pub fn slice_written_at(changed: SimTime, batch_period: SimDuration) -> SimTime {
    changed + batch_period
}

/// When a kube-proxy begins the sync that carries a change of a slice at
/// `changed`: at once after a quiet time, else as soon as the last sync, begun
/// at `last_sync`, is `min_sync` old. All changes until then go along.
pub fn proxy_syncs_at(changed: SimTime, last_sync: Option<SimTime>, min_sync: SimDuration) -> SimTime {
    last_sync.map_or(changed, |last| changed.max(last + min_sync))
}

/// The same for kube-proxies with the older runner, which may sync twice in a
/// row: a bucket of one token per `minSyncPeriod` and a burst of two.
pub fn bursting_proxy(min_sync: SimDuration) -> TokenBucket {
    TokenBucket::every(min_sync, 2)
}

/// The rate limit of an ingress-nginx controller's syncs.
pub fn ingress_limit() -> TokenBucket {
    TokenBucket::new(INGRESS_SYNC_RATE, 1)
}

/// When an nginx worker uses what its controller synced at `synced`: at its next
/// look, which come at `phase`, `phase` + `period`, …
pub fn polled_at(synced: SimTime, phase: SimTime, period: SimDuration) -> SimTime {
    let looks = synced.since_or_zero(phase).as_nanos().div_ceil(period.as_nanos().max(1));
    phase + period * looks
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Conditions = Conditions { ready: true, serving: true, terminating: false };
    const DRAINING: Conditions = Conditions { ready: false, serving: true, terminating: true };
    const UNREADY: Conditions = Conditions { ready: false, serving: false, terminating: false };

    fn ms(millis: u64) -> SimTime {
        SimTime::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn conditions_follow_the_pod() {
        let pod = PodView { ready: true, deleting: false, reachable: true };
        let of = |pod| conditions(&pod, false);
        assert_eq!(of(pod), Some(READY));
        assert_eq!(of(PodView { deleting: true, ..pod }), Some(DRAINING));
        assert_eq!(of(PodView { ready: false, ..pod }), Some(UNREADY));
        assert_eq!(of(PodView { reachable: false, ..pod }), None);
        let published = conditions(&PodView { ready: false, deleting: true, ..pod }, true);
        assert_eq!(published, Some(Conditions { ready: true, serving: false, terminating: true }));
    }

    #[test]
    fn only_kube_proxy_falls_back_to_terminating_pods() {
        let rows: [(&[Conditions], Eligible, Eligible); 4] = [
            (&[UNREADY, DRAINING, READY], Eligible::Ready, Eligible::Ready),
            (&[UNREADY, DRAINING], Eligible::ServingTerminating, Eligible::None),
            (&[UNREADY], Eligible::None, Eligible::None),
            (&[], Eligible::None, Eligible::None),
        ];
        for (endpoints, proxy, ingress) in rows {
            let all = endpoints.iter().copied();
            assert_eq!((kube_proxy(all.clone()), ingress_nginx(all)), (proxy, ingress), "{endpoints:?}");
        }
        assert!(Eligible::ServingTerminating.includes(DRAINING) && !Eligible::Ready.includes(DRAINING));
    }

    #[test]
    fn proxies_coalesce_changes_within_a_second() {
        assert_eq!(proxy_syncs_at(ms(5_000), None, PROXY_MIN_SYNC), ms(5_000));
        assert_eq!(proxy_syncs_at(ms(5_300), Some(ms(5_000)), PROXY_MIN_SYNC), ms(6_000));
        assert_eq!(proxy_syncs_at(ms(7_000), Some(ms(5_000)), PROXY_MIN_SYNC), ms(7_000));
        let mut older = bursting_proxy(PROXY_MIN_SYNC);
        let times = [5_000, 5_100, 5_200].map(|at| older.wait_and_take(ms(at)));
        assert_eq!(times, [ms(5_000), ms(5_100), ms(6_000)]);
    }

    #[test]
    fn an_ingress_is_at_most_four_and_a_half_seconds_behind() {
        let (mut limit, phase) = (ingress_limit(), ms(250));
        let first = limit.wait_and_take(ms(10_000));
        let second = limit.wait_and_take(ms(10_001));
        assert_eq!(polled_at(first, phase, INGRESS_POLL), ms(10_250));
        assert_eq!(polled_at(second, phase, INGRESS_POLL), ms(14_250));
        assert_eq!(polled_at(ms(250), phase, INGRESS_POLL), ms(250));
    }
}
