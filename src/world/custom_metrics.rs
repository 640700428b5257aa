//! Custom and external metrics: what Prometheus scrapes of the pods, and what an adapter
//! makes of that when an HPA asks.
//!
//! The model says what a metric counts. All pods are scraped at one moment here, which
//! Prometheus spreads over its interval; a new pod is seen at the next scrape.

use crate::k8s::prometheus::LOOKBACK;
use crate::k8s::replicas::Sample;
use crate::scenario::{Counted, CustomMetric};
use crate::units::{SimDuration, SimTime};
use crate::world::context::Context;
use crate::world::event::Event;
use crate::world::ids::PodId;
use crate::world::scraped::{Scraped, Source};
use crate::world::state::{Pod, State};

/// The first scrapes are put in, each metric's at a moment of its own within its interval.
pub fn begin(state: &mut State, cx: &mut Context) {
    for (number, metric) in state.scenario.custom_metrics().enumerate() {
        state.custom_metrics.push(Scraped::default());
        let first = SimDuration::from_nanos(cx.streams.delays.below(metric.every.as_nanos()));
        cx.agenda.after(first, Event::CustomMetricScraped(number as u32));
    }
}

/// The place of an HPA's first custom metric among those of all HPAs.
fn place(state: &State, hpa: usize) -> usize {
    state.scenario.autoscalers[..hpa].iter().map(|one| one.custom.len()).sum()
}

/// Prometheus scrapes what a custom metric counts.
pub fn scraped(state: &mut State, cx: &mut Context, number: u32) {
    let now = cx.now();
    let Some(metric) = state.scenario.custom_metrics().nth(number as usize) else { return };
    let mut scraped = std::mem::take(&mut state.custom_metrics[number as usize]);
    let workload = &state.workloads[metric.of];
    for &id in &workload.pods {
        let pod = state.pod(id).filter(|pod| pod.runs() && !state.node_is_dead(pod.node));
        if let Some(pod) = pod {
            scraped.add(Source::Pod(id), now, count_of(pod, metric.counts));
        }
    }
    if metric.counts == Counted::Requests {
        scraped.add(Source::NoEndpoint, now, workload.without_endpoint);
    }
    scraped.forget(now, metric.range.max(LOOKBACK));
    state.custom_metrics[number as usize] = scraped;
    cx.agenda.after(metric.every, Event::CustomMetricScraped(number));
}

/// What a scrape finds in a pod.
fn count_of(pod: &Pod, counts: Counted) -> u64 {
    match counts {
        Counted::Requests => pod.requests,
        Counted::InFlight => u64::from(pod.in_progress) + pod.queue.len() as u64,
        Counted::Waiting => pod.queue.len() as u64,
    }
}

/// What an adapter has of each of these pods; nothing where the model doesn't say what
/// the metric counts.
pub fn of_pods(
    state: &State,
    (hpa, metric): (usize, usize),
    now: SimTime,
    pods: &[PodId],
    into: &mut Vec<Option<Sample>>,
) {
    let Some((metric, scraped)) = find(state, hpa, metric) else {
        into.resize(pods.len(), None);
        return;
    };
    let value = |id: &PodId| scraped.of_pod(*id, metric, now);
    into.extend(pods.iter().map(|id| Some(Sample { value: value(id)?, time: now, window: metric.range })));
}

/// The sum over all series; `None` where there is none, or the model doesn't say what the
/// metric counts.
pub fn total(state: &State, (hpa, metric): (usize, usize), now: SimTime) -> Option<i64> {
    let (metric, scraped) = find(state, hpa, metric)?;
    scraped.total(metric, now)
}

fn find<'s>(state: &'s State<'_>, hpa: usize, metric: usize) -> Option<(&'s CustomMetric, &'s Scraped)> {
    let known = &state.scenario.autoscalers[hpa].custom;
    let at = known.iter().position(|one| one.metric == metric)?;
    Some((&known[at], &state.custom_metrics[place(state, hpa) + at]))
}
