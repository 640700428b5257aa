//! `kind: Traffic`: who asks, how often, for what. The file's types, in k6's
//! words where k6 has one, and how they become demand.

use serde::Deserialize;

use crate::input::directory::Directory;
use crate::input::embedded;
use crate::input::findings::{At, Findings};
use crate::input::load::{self, LoadFile};
use crate::input::model::RetryFile;
use crate::input::modulation::{self, RateStateFile};
use crate::input::scalar::{self, Scalar};
use crate::input::uncertain::{Chance, Named, Uncertain};
use crate::scenario::{Demand, Journey, Population, Retry, Shape, Visit};
use crate::sim::random::Distribution;
use crate::units::{SimDuration, SimTime};

/// A traffic file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficFile {
    /// `plan/v1alpha1`
    pub api_version: Option<String>,
    /// `Traffic`
    pub kind: Option<String>,
    /// For reports.
    pub name: Option<String>,
    /// Network time between user and ingress, one way; 20 ms where absent.
    pub client_latency: Option<Uncertain>,
    /// Simulated before observation starts, at the load's first value; 5 min
    /// where absent.
    pub warm_up: Option<Scalar>,
    /// Observed; as long as the load's stages or trace where absent.
    pub duration: Option<Scalar>,
    /// How many.
    pub load: LoadFile,
    /// Crowds on top of it.
    #[serde(default)]
    pub bursts: Vec<BurstFile>,
    /// Bursts that come at random, for a load of rates.
    #[serde(default)]
    pub modulation: Vec<RateStateFile>,
    /// What they do.
    pub journeys: Named<JourneyFile>,
}

/// Simulated before observation starts, where nobody says how long.
const USUAL_WARM_UP: SimDuration = SimDuration::from_secs(900);

/// A crowd that comes and goes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BurstFile {
    at: Scalar,
    times: Scalar,
    hold: Scalar,
    ramp_up: Option<Scalar>,
    ramp_down: Option<Scalar>,
}

/// A journey.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JourneyFile {
    /// How often it is chosen, relative to the others; 1 where absent.
    pub weight: Option<Scalar>,
    /// Its requests.
    pub visits: Vec<VisitFile>,
}

/// One request of a journey.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitFile {
    /// `workload/operation`
    pub call: Scalar,
    /// Thinking before each; none where absent.
    pub think: Option<Chance>,
    /// How often in a row; once where absent.
    pub times: Option<Scalar>,
    /// After which the user gives up; 30 s where absent.
    pub timeout: Option<Scalar>,
    /// Whether the user's client tries again; not where absent.
    pub retry: Option<RetryFile>,
}

/// What the command line asks of the traffic.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Users at the peak.
    pub users: Option<f64>,
    /// Observed time.
    pub duration: Option<SimDuration>,
    /// The trace that the file names, read: seconds and requests per second.
    pub trace: Option<Vec<(f64, f64)>>,
}

/// Traffic, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// For reports.
    pub name: String,
    /// Simulated before observation starts.
    pub warm_up: SimDuration,
    /// Observed.
    pub horizon: SimDuration,
    /// Who asks.
    pub demand: Demand,
}

impl Traffic {
    /// Nobody asks: all load is recorded usage. The warm-up is the usual one; a curve
    /// without a length is observed as long as a load without one.
    pub fn without_users(horizon: Option<SimDuration>) -> Self {
        let population = Population::Users { peak: 0.0, shape: Shape::steady(1.0) };
        let client_latency = SimDuration::ZERO;
        let ramp_in = SimDuration::ZERO;
        Self {
            name: "recorded usage".to_owned(),
            warm_up: USUAL_WARM_UP,
            horizon: horizon.unwrap_or(load::USUAL_LENGTH),
            demand: Demand { population, replay: None, journeys: Vec::new(), client_latency, ramp_in },
        }
    }

    /// Refuses users who wait for nothing at all, the network (`inside` the cluster)
    /// included: requests that fail or cost nothing would follow each other at one instant
    /// without end.
    pub fn refuse_endless(&self, inside: SimDuration, into: &mut Findings) {
        let Demand { population, journeys, client_latency, .. } = &self.demand;
        let never_thinks = |journey: &&Journey| journey.visits.iter().all(|visit| visit.think.mean() <= 0.0);
        if *client_latency + inside > SimDuration::ZERO || matches!(population, Population::Rate { .. }) {
            return;
        }
        for journey in journeys.iter().filter(never_thinks) {
            let at = At::root().key("journeys").key(&journey.name);
            let message = "its users neither think nor wait for the network, and would ask without end";
            into.wrong(&at, message, "give a visit a `think`, or a `clientLatency` above 0s");
        }
    }

    /// Squeezes a load that is `usual` long into the observed time where that is
    /// shorter, so that its peak is seen.
    pub fn shorten(&mut self, usual: SimDuration) {
        if self.horizon >= usual {
            return;
        }
        let factor = self.horizon.as_secs_f64() / usual.as_secs_f64();
        let (Population::Users { shape, .. } | Population::Rate { shape, .. }) = &mut self.demand.population;
        for (time, _) in &mut shape.points {
            let within = time.since(SimTime::ZERO + self.warm_up).as_secs_f64();
            *time = SimTime::ZERO + self.warm_up + SimDuration::from_secs_f64(within * factor);
        }
    }
}

impl TrafficFile {
    /// The default application's busy hour with one journey for each of these
    /// operations, by their weights: one request in 34 s and user.
    ///
    /// # Panics
    /// When the embedded file does not read, which a test rules out.
    pub fn guessed(calls: &[(String, f64)]) -> Self {
        let file: Self = embedded::read("traffic/busy-hour.yaml");
        let journeys = calls.iter().map(|(call, weight)| {
            let visit = VisitFile {
                call: Scalar::from(call.as_str()),
                think: Some(Chance::exponential("34s")),
                times: None,
                timeout: Some(Scalar::from("10s")),
                retry: None,
            };
            let weight = Some(Scalar::from(weight.to_string().as_str()));
            (call.clone(), JourneyFile { weight, visits: vec![visit] })
        });
        Self { name: Some("guessed".to_owned()), journeys: Named(journeys.collect()), ..file }
    }

    /// The traffic, its calls looked up in `directory`.
    pub fn resolve(&self, directory: &Directory, asked: &Asked, into: &mut Findings) -> Traffic {
        let root = At::root();
        let name = self.name.clone().unwrap_or_else(|| "traffic".to_owned());
        let at_latency = root.key("clientLatency").about(format!("{name}: latency between user and ingress"));
        let client_latency = self.client_latency.as_ref();
        let client_latency = client_latency.and_then(|it| it.resolve(&at_latency, scalar::duration, into));
        let warm_up = into.or(&root.key("warmUp"), self.warm_up.as_ref(), scalar::duration, USUAL_WARM_UP);
        let stated = self.duration.as_ref();
        let stated = stated.and_then(|text| into.take(&root.key("duration"), scalar::duration(text)));
        let journeys = self.journeys(directory, into);
        let horizon = asked.duration.or(stated);
        let curve = self.load.curve(&root.key("load"), horizon, asked.trace.as_deref(), into);
        let horizon = horizon.unwrap_or(curve.length);
        if horizon == SimDuration::ZERO {
            into.wrong(&root.key("duration"), "there is nothing to observe", "give a `duration`");
        }
        let at_modulation = root.key("modulation");
        let modulation =
            modulation::resolve(&self.modulation, &self.load, curve.counts, &at_modulation, into);
        let shape = self.with_bursts(curve.shape, &root.key("bursts"), into);
        let mut population = population(curve.counts, &shape, warm_up, &journeys, asked, into);
        if let Population::Rate { modulation: states, .. } = &mut population {
            *states = modulation;
        }
        let client_latency = client_latency.unwrap_or(SimDuration::from_millis(20));
        // Two thirds of the warm-up for users to come in, one to settle.
        let ramp_in = warm_up * 2 / 3;
        let demand = Demand { population, replay: curve.replay, journeys, client_latency, ramp_in };
        Traffic { name, warm_up, horizon, demand }
    }

    fn journeys(&self, directory: &Directory, into: &mut Findings) -> Vec<Journey> {
        let at = At::root().key("journeys");
        let journeys: Vec<Journey> = self
            .journeys
            .0
            .iter()
            .map(|(name, file)| file.resolve(name, &at.key(name), directory, into))
            .collect();
        if journeys.is_empty() {
            into.wrong(&at, "there is no journey", "say what users do");
        } else if journeys.iter().map(|journey| journey.weight).sum::<f64>() <= 0.0 {
            into.wrong(&at, "every journey has weight 0", "give at least one a weight");
        }
        journeys
    }

    /// `base` times every burst.
    fn with_bursts(&self, base: Shape, at: &At, into: &mut Findings) -> Shape {
        let bursts: Vec<Shape> = self
            .bursts
            .iter()
            .enumerate()
            .filter_map(|(index, burst)| burst.resolve(&at.index(index), into))
            .collect();
        if bursts.is_empty() {
            return base;
        }
        if self.load.trace_file().is_some() {
            into.wrong(at, "a trace has its own bursts", "leave `bursts` out, or use another load");
            return base;
        }
        let all = || std::iter::once(&base).chain(&bursts);
        let mut times: Vec<SimTime> =
            all().flat_map(|shape| shape.points.iter().map(|(time, _)| *time)).collect();
        times.sort_unstable();
        times.dedup();
        // A product of two slopes is a curve: points between keep the lines close to it.
        let mut points = Vec::new();
        for pair in times.windows(2) {
            let length = pair[1].since(pair[0]);
            points.extend((0..8).map(|part| pair[0] + length / 8 * part));
        }
        points.extend(times.last());
        let points =
            points.into_iter().map(|time| (time, all().map(|shape| shape.at(time)).product())).collect();
        Shape { points, ..base }
    }
}

impl BurstFile {
    /// The factor over time.
    fn resolve(&self, at: &At, into: &mut Findings) -> Option<Shape> {
        // A slope that takes no time still needs two moments.
        let instant = SimDuration::from_millis(1);
        let duration = scalar::duration;
        let start = into.take(&at.key("at"), duration(&self.at));
        let hold = into.take(&at.key("hold"), duration(&self.hold));
        let up = into.or(&at.key("rampUp"), self.ramp_up.as_ref(), duration, instant).max(instant);
        let down = into.or(&at.key("rampDown"), self.ramp_down.as_ref(), duration, instant).max(instant);
        let times = into.take(&at.key("times"), scalar::number(&self.times))?;
        let start = SimTime::ZERO + start?;
        let (top, hold) = (start + up, hold?);
        let points = vec![(start, 1.0), (top, times), (top + hold, times), (top + hold + down, 1.0)];
        Some(Shape { points, interpolation: crate::scenario::Interpolation::Linear })
    }
}

/// The most repetitions of one visit that are taken.
const MOST_TIMES: u32 = 10_000;

impl JourneyFile {
    fn resolve(&self, name: &str, at: &At, directory: &Directory, into: &mut Findings) -> Journey {
        let weight = into.or(&at.key("weight"), self.weight.as_ref(), scalar::number, 1.0);
        let at_visits = at.key("visits");
        if self.visits.is_empty() {
            into.wrong(&at_visits, format!("journey `{name}` asks for nothing"), "list at least one visit");
        }
        let visits = self.visits.iter().enumerate().filter_map(|(index, visit)| {
            let at = at_visits.index(index).about(format!("{name}: {}", visit.call));
            visit.resolve(&at, directory, into)
        });
        Journey { name: name.to_owned(), weight, visits: visits.collect() }
    }
}

impl VisitFile {
    fn resolve(&self, at: &At, directory: &Directory, into: &mut Findings) -> Option<Visit> {
        let target = into.take(&at.key("call"), directory.operation(&self.call.text));
        let at_think = at.key("think").about(format!("{}: think time", at.about));
        let think =
            self.think.as_ref().map_or(Some(Distribution::Constant(0.0)), |it| it.resolve(&at_think, into));
        let times = into.or(&at.key("times"), self.times.as_ref(), scalar::count, 1);
        if !(1..=MOST_TIMES).contains(&times) {
            let help = format!("from 1 to {MOST_TIMES}");
            into.wrong(&at.key("times"), format!("{times} times is out of range"), help);
        }
        let at_timeout = at.key("timeout");
        let half_minute = SimDuration::from_secs(30);
        let timeout = into.or(&at_timeout, self.timeout.as_ref(), scalar::duration, half_minute);
        if timeout == SimDuration::ZERO {
            into.wrong(&at_timeout, "nothing is answered within 0s", "leave `timeout` out for 30s");
        }
        let retry = self.retry.as_ref().map_or(Retry::NONE, |retry| retry.resolve(&at.key("retry"), into));
        let ((workload, operation), think) = (target?, think?);
        Some(Visit { workload, operation, think, times: times as u16, timeout, retry })
    }
}

/// What one journey amounts to, by weight: requests, and seconds of thinking.
fn mean_journey(journeys: &[Journey]) -> (f64, f64) {
    let weights: f64 = journeys.iter().map(|journey| journey.weight).sum();
    let mean = |of: fn(&Visit) -> f64| {
        let sum: f64 =
            journeys.iter().map(|journey| journey.weight * journey.visits.iter().map(of).sum::<f64>()).sum();
        sum / weights
    };
    (mean(|visit| f64::from(visit.times)), mean(|visit| f64::from(visit.times) * visit.think.mean()))
}

/// The most users that are taken.
const MOST_USERS: f64 = 1e9;

/// Who asks: the load's shape after the warm-up, scaled to the users asked for.
///
/// For a load of rates, N users mean N times what one user does by the journeys'
/// own think times: 1 ÷ (mean thinking of a journey) journeys a second each.
fn population(
    counts: load::Counts,
    shape: &Shape,
    warm_up: SimDuration,
    journeys: &[Journey],
    asked: &Asked,
    into: &mut Findings,
) -> Population {
    let root = At::root();
    let peak = shape.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let (requests, thinking) = mean_journey(journeys);
    if peak <= 0.0 {
        into.wrong(&root.key("load"), "nobody ever asks", "let the load rise above 0");
    }
    let level = |value: f64| if peak > 0.0 { value / peak } else { 0.0 };
    let points = shape.points.iter().map(|(time, value)| (*time + warm_up, level(*value))).collect();
    let shape = Shape { points, interpolation: shape.interpolation };
    if asked.users.unwrap_or(peak) > MOST_USERS {
        into.wrong(&root.key("load"), format!("more than {MOST_USERS} users"), "that is everybody");
    }
    let per_second = match (counts, asked.users) {
        (load::Counts::Users, users) => return Population::Users { peak: users.unwrap_or(peak), shape },
        (_, Some(users)) if thinking > 0.0 => users / thinking,
        (_, Some(_)) => {
            let help = "give the visits a `think`, from which the rate of one user follows";
            into.wrong(&root.key("journeys"), "users without think times have no rate", help);
            peak
        }
        (load::Counts::Journeys, None) => peak,
        (load::Counts::Requests, None) => peak / requests.max(1.0),
    };
    Population::Rate { peak_per_second: per_second, shape, users: asked.users, modulation: Vec::new() }
}
