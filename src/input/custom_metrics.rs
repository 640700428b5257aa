//! `metrics` of a model: what custom and external metrics of HPAs count.

use serde::Deserialize;

use crate::input::directory::Directory;
use crate::input::findings::{At, Findings, suggest};
use crate::input::manifest::set::ManifestHpa;
use crate::input::problem::Problem;
use crate::input::scalar::{self, Fault, Scalar};
use crate::input::uncertain::Named;
use crate::k8s::hpa::MetricSpec;
use crate::k8s::prometheus::{RANGE, SCRAPE_INTERVAL};
use crate::scenario::{Autoscaler, Basis, Counted, CustomMetric};
use crate::units::SimDuration;
use crate::units::figures::duration;

/// `metrics.NAME`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomMetricFile {
    counts: Scalar,
    of: Option<Scalar>,
    range: Option<Scalar>,
    scrape_interval: Option<Scalar>,
}

/// A metric of the model, before an HPA asks for it.
struct Said<'a> {
    name: &'a str,
    counts: Counted,
    of: Option<usize>,
    range: SimDuration,
    every: SimDuration,
}

/// Gives the HPAs what the model says of their metrics, and notes what doesn't fit.
/// `follows_curve` tells which workloads nobody asks.
pub fn resolve(
    files: &Named<CustomMetricFile>,
    autoscalers: &mut [Autoscaler],
    (directory, follows_curve): (&Directory, &[bool]),
    into: &mut Findings,
) {
    let at = At::root().key("metrics");
    let said: Vec<Said> =
        files.0.iter().filter_map(|(name, file)| file.read(name, &at.key(name), directory, into)).collect();
    for hpa in autoscalers.iter_mut() {
        for (number, metric) in hpa.spec.metrics.iter().enumerate() {
            let Some(one) = said.iter().find(|one| Some(one.name) == name_of(metric)) else { continue };
            let (of, at) = (one.of.unwrap_or(hpa.workload), at.key(one.name));
            if matches!(metric, MetricSpec::Pods { .. }) && of != hpa.workload {
                let message = format!("HPA `{}` scales by this metric of its own pods", hpa.name);
                into.wrong(&at.key("of"), message, "leave `of` out, or take an Object or External metric");
            } else if follows_curve[of] {
                let message =
                    format!("`{}` follows a usage curve: nobody asks it", directory.workloads[of].1);
                into.wrong(&at, message, "describe its `operations` instead of its `usage`");
            } else {
                let (counts, range, every) = (one.counts, one.range, one.every);
                hpa.custom.push(CustomMetric { metric: number, counts, of, range, every });
            }
        }
    }
    let wanted: Vec<&str> =
        autoscalers.iter().flat_map(|hpa| &hpa.spec.metrics).filter_map(name_of).collect();
    for (name, _) in files.0.iter().filter(|(name, _)| !wanted.contains(&name.as_str())) {
        let help = suggest(name, wanted.iter().copied());
        into.wrong(&at.key(name), format!("no HPA scales by `{name}`"), help);
    }
}

/// Warns of metrics that have no value here, as the model doesn't name them. An HPA never
/// scales down while one fails.
pub fn unknown<'a>(
    files: &'a Named<CustomMetricFile>,
    autoscalers: &'a [Autoscaler],
    set: &'a [ManifestHpa],
) -> impl Iterator<Item = Problem> + 'a {
    autoscalers.iter().flat_map(move |hpa| {
        let unknown = hpa.spec.metrics.iter().filter_map(name_of);
        let unknown = unknown.filter(|name| files.0.iter().all(|(known, _)| known != name));
        unknown.map(move |name| {
            let message = format!("HPA `{}`: nobody says what its metric `{name}` counts", hpa.name);
            let help = format!(
                "write `metrics: {{{name}: {{counts: requests}}}}` into the model; without a value the HPA goes \
                 by its other metrics, and never scales down"
            );
            hpa_problem(set, hpa, Problem::warning(message).help(help))
        })
    })
}

/// A problem with an HPA, at the place in the manifests where it says what it scales.
pub fn hpa_problem(set: &[ManifestHpa], hpa: &Autoscaler, problem: Problem) -> Problem {
    match set.iter().find(|one| one.name == hpa.name && one.spec == hpa.spec) {
        Some(one) => problem.at(one.place.clone()),
        None => problem,
    }
}

/// The name of a metric that is no resource's.
fn name_of(metric: &MetricSpec) -> Option<&str> {
    match metric {
        MetricSpec::Pods { name, .. }
        | MetricSpec::Object { name, .. }
        | MetricSpec::External { name, .. } => Some(name),
        MetricSpec::Resource { .. } | MetricSpec::Unsupported { .. } => None,
    }
}

impl CustomMetricFile {
    fn read<'a>(
        &self,
        name: &'a str,
        at: &At,
        directory: &Directory,
        into: &mut Findings,
    ) -> Option<Said<'a>> {
        let counts = into.take(&at.key("counts"), counted(&self.counts))?;
        let of = match &self.of {
            Some(of) => Some(into.take(&at.key("of"), directory.workload(&of.text))?),
            None => None,
        };
        let mut time = |key: &str, field: Option<&Scalar>, usual: SimDuration, what: &str, source: &str| {
            if field.is_none() {
                into.assume(&format!("metric {name}: {what}"), duration(usual), None, Basis::Assumed, source);
            }
            into.or(&at.key(key), field, scalar::duration, usual)
        };
        let every = time(
            "scrapeInterval",
            self.scrape_interval.as_ref(),
            SCRAPE_INTERVAL,
            "from one scrape to the next",
            "the interval of Prometheus' operator where nothing else is set",
        );
        let range = match counts {
            Counted::Requests => time(
                "range",
                self.range.as_ref(),
                RANGE,
                "range of its rate",
                "four scrapes, as most rules have it",
            ),
            Counted::InFlight | Counted::Waiting => {
                if self.range.is_some() {
                    into.wrong(&at.key("range"), "only a rate has one", "leave it out, or count `requests`");
                }
                SimDuration::ZERO
            }
        };
        if every < SHORTEST {
            into.wrong(&at.key("scrapeInterval"), "is too short", format!("at least {}", duration(SHORTEST)));
            return None;
        }
        if counts == Counted::Requests && (range < every * 2 || range > LONGEST) {
            let message = format!("a rate over {} can't be had", duration(range));
            let help = format!(
                "it must hold two scrapes of {} each, and be at most {}",
                duration(every),
                duration(LONGEST)
            );
            into.wrong(&at.key("range"), message, help);
            return None;
        }
        Some(Said { name, counts, of, range, every })
    }
}

/// The shortest time from one scrape to the next.
const SHORTEST: SimDuration = SimDuration::from_secs(1);
/// The longest range of a rate: every pod's samples in it are kept.
const LONGEST: SimDuration = SimDuration::from_secs(3_600);

/// What a metric counts.
fn counted(text: &Scalar) -> Result<Counted, Fault> {
    let known =
        [("requests", Counted::Requests), ("inFlight", Counted::InFlight), ("waiting", Counted::Waiting)];
    known.iter().find(|(name, _)| *name == text.text).map(|(_, one)| *one).ok_or_else(|| {
        let names = known.map(|(name, _)| name).join(", ");
        Fault::new(format!("`{text}` is nothing that is counted here"), format!("one of {names}"))
    })
}
