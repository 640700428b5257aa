//! `upstreams` of a model: how a workload's pods reach the others that they call.

use serde::Deserialize;

use crate::input::directory::Directory;
use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Fault, Scalar};
use crate::input::uncertain::{Uncertain, limit, read};
use crate::scenario::{
    Balancing, Breaker, Call, FailureRatio, Operation, Outlier, Pool, Step, Target, Upstream,
};
use crate::units::SimDuration;

/// `upstreams.NAME`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamFile {
    /// How many connections, and who waits for one.
    pool: Option<PoolFile>,
    /// How long each lasts.
    connection: Option<ConnectionFile>,
    /// How a pod is chosen.
    balancing: Option<Scalar>,
    /// When calls fail at once.
    breaker: Option<BreakerFile>,
}

/// `breaker`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BreakerFile {
    max_requests: Option<Uncertain>,
    max_pending_requests: Option<Uncertain>,
    failures: Option<FailuresFile>,
    outlier_detection: Option<OutlierFile>,
}

/// `failures`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailuresFile {
    threshold: Option<Uncertain>,
    window: Option<Uncertain>,
    minimum: Option<Uncertain>,
    wait: Option<Uncertain>,
    half_open: Option<Uncertain>,
}

/// `outlierDetection`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierFile {
    #[serde(rename = "consecutive5xxErrors")]
    errors: Option<Uncertain>,
    interval: Option<Uncertain>,
    base_ejection_time: Option<Uncertain>,
    max_ejection_percent: Option<Uncertain>,
}

/// The longest window of a breaker: each pod remembers so many calls.
const MOST_CALLS: u32 = 10_000;

/// `pool`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolFile {
    size: Option<Uncertain>,
    min: Option<Uncertain>,
    timeout: Option<Uncertain>,
    queue: Option<Uncertain>,
}

/// `connection`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionFile {
    streams: Option<Uncertain>,
    idle_timeout: Option<Uncertain>,
    max_age: Option<Uncertain>,
    max_requests: Option<Uncertain>,
}

/// The most connections that a pod may open before anybody asks.
const MOST_AT_ONCE: u32 = 1_000;
/// How long a call waits for a connection where nobody says: HikariCP's
/// `connectionTimeout`.
const USUAL_TIMEOUT: SimDuration = SimDuration::from_secs(30);

impl UpstreamFile {
    /// How the pods of `name` reach the workload called `to`, which one of their
    /// operations must call.
    pub fn resolve(
        &self,
        (name, to): (&str, &str),
        operations: &[Operation],
        at: &At,
        directory: &Directory,
        into: &mut Findings,
    ) -> Option<Upstream> {
        let at = at.about(format!("{name} -> {to}"));
        let workload = into.take(&at, directory.workload(to))?;
        if !calls(operations, workload) {
            let help = "describe how it reaches what its operations call, or leave this out";
            into.wrong(&at, format!("no operation of `{name}` calls `{to}`"), help);
        }
        let kept = self.pool.is_some() || self.connection.is_some();
        let at_balancing = at.key("balancing");
        let balancing = into.or(&at_balancing, self.balancing.as_ref(), balancing, Balancing::Random);
        if kept && !matches!(balancing, Balancing::Random | Balancing::RoundRobin) {
            let help = "write `random` or `roundRobin`, or leave `pool` and `connection` out";
            let message = "it chooses a pod for each call, and a call goes where its connection leads";
            into.wrong(&at_balancing, message, help);
        }
        let mut pool = kept.then(|| self.pool(&at, into));
        let none = BreakerFile::default();
        let (breaker, at) = (self.breaker.as_ref().unwrap_or(&none), at.key("breaker"));
        breaker.pending(pool.as_mut(), &at, into);
        let outlier = breaker.outlier_detection.as_ref().map(|file| {
            let at = at.key("outlierDetection");
            if kept {
                let help = "leave `pool` and `connection` out, or this";
                into.wrong(&at, "it leaves a pod out, and a call goes where its connection leads", help);
            }
            file.resolve(&at, into)
        });
        let found = Breaker {
            max_requests: limit(breaker.max_requests.as_ref(), &at.key("maxRequests"), 1, into),
            ratio: breaker.failures.as_ref().map(|file| file.resolve(&at.key("failures"), into)),
        };
        let breaker = (found.max_requests.is_some() || found.ratio.is_some()).then_some(found);
        Some(Upstream { workload, pool, balancing, breaker, outlier })
    }

    fn pool(&self, at: &At, into: &mut Findings) -> Pool {
        let (none, plain) = (PoolFile::default(), ConnectionFile::default());
        let pool = self.pool.as_ref().unwrap_or(&none);
        let connection = self.connection.as_ref().unwrap_or(&plain);
        let (at_pool, at_connection) = (at.key("pool"), at.key("connection"));
        let about = |at: &At, key: &str, what: &str| at.key(key).about(format!("{}: {what}", at.about));
        let streams = match &connection.streams {
            Some(_) => {
                let at = about(&at_connection, "streams", "calls on a connection");
                limit(connection.streams.as_ref(), &at, 1, into)
            }
            None => Some(1),
        };
        let mut many = |value: &Option<Uncertain>, at: At, least| limit(value.as_ref(), &at, least, into);
        let size = many(&pool.size, about(&at_pool, "size", "connections"), 1);
        let queue = many(&pool.queue, about(&at_pool, "queue", "calls waiting for a connection"), 0);
        let max_requests =
            many(&connection.max_requests, about(&at_connection, "maxRequests", "calls of a connection"), 1);
        let at_least = about(&at_pool, "min", "connections at rest");
        let least = read(pool.min.as_ref(), &at_least, scalar::count, 0, into);
        // Many calls share one connection where they can.
        let shared = pool.size.is_none() && streams != Some(1);
        let size = if shared { Some(1) } else { size };
        if least > size.unwrap_or(MOST_AT_ONCE).min(MOST_AT_ONCE) {
            let help = format!("at most the pool's size, and at most {MOST_AT_ONCE}");
            into.wrong(&at_least, format!("{least} connections at rest are too many"), help);
        }
        let timeout = match &pool.timeout {
            Some(value) => span(value, &about(&at_pool, "timeout", "wait for a connection"), into),
            None => Some(USUAL_TIMEOUT),
        };
        let mut lasts = |value: &Option<Uncertain>, key: &str, what: &str| {
            value.as_ref().and_then(|value| span(value, &about(&at_connection, key, what), into))
        };
        Pool {
            size,
            least,
            streams,
            queue,
            timeout,
            idle: lasts(&connection.idle_timeout, "idleTimeout", "idle time of a connection"),
            max_age: lasts(&connection.max_age, "maxAge", "age of a connection"),
            max_requests,
        }
    }
}

impl BreakerFile {
    /// Envoy's `max_pending_requests` is the length of the pool's queue.
    fn pending(&self, pool: Option<&mut Pool>, at: &At, into: &mut Findings) {
        let Some(value) = &self.max_pending_requests else { return };
        let at = at.key("maxPendingRequests").about(format!("{}: calls waiting for a connection", at.about));
        let most = limit(Some(value), &at, 0, into);
        match pool {
            Some(pool) if pool.queue.is_none() => pool.queue = most,
            Some(_) => into.wrong(&at, "`pool.queue` says the same", "keep one"),
            None => into.wrong(&at, "without a pool no call waits for a connection", "say `pool.size`, too"),
        }
    }
}

impl FailuresFile {
    /// The rule, with resilience4j's defaults.
    fn resolve(&self, at: &At, into: &mut Findings) -> FailureRatio {
        let about = |key: &str, what: &str| at.key(key).about(format!("{}: {what}", at.about));
        let at_threshold = about("threshold", "share of failures that opens its breaker");
        let threshold = read(self.threshold.as_ref(), &at_threshold, scalar::share, 0.5, into);
        if threshold <= 0.0 {
            into.wrong(&at_threshold, "every call reaches a share of zero", "above 0%");
        }
        let mut calls = |value: &Option<Uncertain>, key: &str, what: &str, usual| {
            let at = about(key, what);
            let found = read(value.as_ref(), &at, scalar::count, usual, into);
            if !(1..=MOST_CALLS).contains(&found) {
                into.wrong(&at, format!("{found} calls are out of range"), format!("from 1 to {MOST_CALLS}"));
            }
            found.clamp(1, MOST_CALLS)
        };
        let window = calls(&self.window, "window", "calls that its breaker remembers", 100);
        let least = calls(&self.minimum, "minimum", "calls before its breaker opens", window);
        let half_open = calls(&self.half_open, "halfOpen", "calls that close its breaker", 10);
        let wait = match &self.wait {
            Some(value) => span(value, &about("wait", "time that its breaker stays open"), into),
            None => Some(SimDuration::from_secs(60)),
        };
        FailureRatio {
            threshold: millionths(threshold),
            window,
            least: least.min(window),
            wait: wait.unwrap_or(SimDuration::ZERO),
            half_open,
        }
    }
}

impl OutlierFile {
    /// The rule, with Istio's defaults.
    fn resolve(&self, at: &At, into: &mut Findings) -> Outlier {
        let about = |key: &str, what: &str| at.key(key).about(format!("{}: {what}", at.about));
        let at_errors = about("consecutive5xxErrors", "failures in a row");
        let errors = read(self.errors.as_ref(), &at_errors, scalar::count, 5, into);
        if errors == 0 {
            into.wrong(&at_errors, "no pod would ever be in", "at least 1, or leave `outlierDetection` out");
        }
        let mut lasts = |value: &Option<Uncertain>, key: &str, what: &str, usual| {
            let found = value.as_ref().map(|value| span(value, &about(key, what), into));
            found.flatten().unwrap_or(SimDuration::from_secs(usual))
        };
        let interval = lasts(&self.interval, "interval", "time between looks at pods", 10);
        let ejection = lasts(&self.base_ejection_time, "baseEjectionTime", "time that a pod is left out", 30);
        let at_most = about("maxEjectionPercent", "share of pods that are left out");
        let most = read(self.max_ejection_percent.as_ref(), &at_most, scalar::share, 0.1, into);
        Outlier { errors, interval, ejection, most: millionths(most) }
    }
}

fn millionths(share: f64) -> u32 {
    (share * 1e6).round() as u32
}

/// A way to choose one of several pods.
pub fn balancing(text: &Scalar) -> Result<Balancing, Fault> {
    let known = [
        ("random", Balancing::Random),
        ("roundRobin", Balancing::RoundRobin),
        ("leastRequest", Balancing::LeastRequest),
        ("peakEwma", Balancing::PeakEwma),
        ("ewma", Balancing::Ewma),
    ];
    known.iter().find(|(name, _)| *name == text.text).map(|(_, one)| *one).ok_or_else(|| {
        let names = known.map(|(name, _)| name).join(", ");
        Fault::new(format!("`{text}` is no way to balance"), format!("one of {names}"))
    })
}

/// Whether one of the operations calls a workload.
fn calls(operations: &[Operation], workload: usize) -> bool {
    let there = |call: &Call| matches!(call.target, Target::Operation { workload: to, .. } if to == workload);
    operations.iter().flat_map(|operation| &operation.steps).any(|step| match step {
        Step::Compute(_) | Step::Wait(_) => false,
        Step::Call(call) => there(call),
        Step::Parallel(calls) => calls.iter().any(there),
    })
}

/// A length of time above zero.
fn span(value: &Uncertain, at: &At, into: &mut Findings) -> Option<SimDuration> {
    let found = value.resolve(at, scalar::duration, into)?;
    if found == SimDuration::ZERO {
        into.wrong(at, "nothing happens within 0s", "a longer time, or leave it out");
    }
    Some(found)
}
