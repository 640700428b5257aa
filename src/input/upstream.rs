//! `upstreams` of a model: how a workload's pods reach the others that they call.

use serde::Deserialize;

use crate::input::directory::Directory;
use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Fault, Scalar};
use crate::input::uncertain::{Uncertain, limit, read};
use crate::scenario::{Balancing, Call, Operation, Pool, Step, Target, Upstream};
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
}

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
        Some(Upstream { workload, pool: kept.then(|| self.pool(&at, into)), balancing })
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
