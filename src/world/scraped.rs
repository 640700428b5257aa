//! What Prometheus has scraped of a custom metric.

use std::collections::VecDeque;

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
    series: Vec<(Source, Samples)>,
}

/// Whose series it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A pod's.
    Pod(PodId),
    /// Requests that found no pod at all: an ingress counts them, too.
    NoEndpoint,
}

impl Scraped {
    /// Adds what a scrape found.
    pub fn add(&mut self, source: Source, now: SimTime, value: u64) {
        match self.series.iter_mut().find(|(known, _)| *known == source) {
            Some((_, samples)) => samples.push_back((now, value)),
            None => self.series.push((source, Samples::from([(now, value)]))),
        }
    }

    /// Drops samples older than so long.
    pub fn forget(&mut self, now: SimTime, after: SimDuration) {
        for (_, samples) in &mut self.series {
            while samples.front().is_some_and(|(time, _)| *time + after < now) {
                samples.pop_front();
            }
        }
        self.series.retain(|(_, samples)| !samples.is_empty());
    }

    /// A pod's value in thousandths, if it has one.
    pub fn of_pod(&self, pod: PodId, metric: &CustomMetric, now: SimTime) -> Option<i64> {
        let (_, samples) = self.series.iter().find(|(source, _)| *source == Source::Pod(pod))?;
        value(metric, samples, now)
    }

    /// The sum over all series that have a value, in thousandths.
    pub fn total(&self, metric: &CustomMetric, now: SimTime) -> Option<i64> {
        let values = self.series.iter().filter_map(|(_, samples)| value(metric, samples, now));
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
