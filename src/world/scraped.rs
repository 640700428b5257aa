//! What Prometheus has scraped of a custom metric.

use std::collections::{BTreeMap, VecDeque};

use crate::k8s::prometheus::{self, LOOKBACK};
use crate::scenario::{Counted, CustomMetric};
use crate::units::{SimDuration, SimTime};
use crate::world::ids::PodId;

/// Samples of a series, oldest first.
type Samples = VecDeque<(SimTime, u64)>;

/// What is known of a custom metric.
#[derive(Clone, Debug, Default)]
pub struct Scraped {
    /// The pods', those that are gone among them as long as their samples count.
    series: BTreeMap<Source, Samples>,
}

/// Whose series it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A pod's.
    Pod(PodId),
    /// Requests that found no pod at all: an ingress counts them, too.
    NoEndpoint,
}

impl Scraped {
    /// Adds what a scrape found.
    pub fn add(&mut self, source: Source, now: SimTime, value: u64) {
        self.series.entry(source).or_default().push_back((now, value));
    }

    /// Drops samples older than so long.
    pub fn forget(&mut self, now: SimTime, after: SimDuration) {
        self.series.retain(|_, samples| {
            while samples.front().is_some_and(|(time, _)| *time + after < now) {
                samples.pop_front();
            }
            !samples.is_empty()
        });
    }

    /// A pod's value in thousandths, if it has one.
    pub fn of_pod(&self, pod: PodId, metric: &CustomMetric, now: SimTime) -> Option<i64> {
        value(metric, self.series.get(&Source::Pod(pod))?, now)
    }

    /// The sum over all series that have a value, in thousandths.
    pub fn total(&self, metric: &CustomMetric, now: SimTime) -> Option<i64> {
        let values = self.series.values().filter_map(|samples| value(metric, samples, now));
        values.reduce(i64::saturating_add)
    }
}

/// A series' value in thousandths, if it has one.
fn value(metric: &CustomMetric, samples: &Samples, now: SimTime) -> Option<i64> {
    let value = match metric.counts {
        Counted::Requests => prometheus::rate(samples, now, metric.range)?,
        Counted::InFlight | Counted::Waiting => {
            let (time, value) = samples.back()?;
            // The scrape after a target is gone marks its series stale.
            (*time + metric.every.min(LOOKBACK) >= now).then_some(*value as f64)?
        }
    };
    // Adapters write thousandths and cut off the rest.
    Some((value * 1e3) as i64)
}
