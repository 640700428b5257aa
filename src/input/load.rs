//! How many ask over time: k6's executors, a day's curve, or a recorded trace.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;

use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Scalar};
use crate::input::usage::moment;
use crate::scenario::{Interpolation, Replay, Shape};
use crate::units::{SimDuration, SimTime};

/// The load of a traffic file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum LoadFile {
    /// As many users all the time.
    #[serde(rename = "constant-vus")]
    ConstantVus(ConstantVus),
    /// Users in stages.
    #[serde(rename = "ramping-vus")]
    RampingVus(RampingVus),
    /// As many journey starts all the time.
    #[serde(rename = "constant-arrival-rate")]
    ConstantArrivalRate(ConstantRate),
    /// Journey starts in stages.
    #[serde(rename = "ramping-arrival-rate")]
    RampingArrivalRate(RampingRate),
    /// Users or journey starts by the hour of the day.
    #[serde(rename = "dayCurve")]
    DayCurve(DayCurve),
    /// Requests per second as they were recorded.
    #[serde(rename = "trace")]
    Trace(Trace),
    /// Journey starts as they were recorded, one by one.
    #[serde(rename = "replay")]
    Replay(Trace),
}

/// `constant-vus`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstantVus {
    vus: Scalar,
    duration: Option<Scalar>,
}

/// `ramping-vus`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RampingVus {
    #[serde(rename = "startVUs")]
    start: Option<Scalar>,
    stages: Vec<Stage>,
}

/// `constant-arrival-rate`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConstantRate {
    rate: Scalar,
    time_unit: Option<Scalar>,
    duration: Option<Scalar>,
}

/// `ramping-arrival-rate`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RampingRate {
    #[serde(rename = "startRate")]
    start: Option<Scalar>,
    time_unit: Option<Scalar>,
    stages: Vec<Stage>,
}

/// One stage: from the value before to `target`, in a straight line.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    duration: Scalar,
    target: Scalar,
}

/// `dayCurve`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayCurve {
    users: Option<Scalar>,
    rate: Option<Scalar>,
    hours: Vec<Scalar>,
    weekdays: Option<Vec<Scalar>>,
}

/// `trace`, `replay`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The CSV file, seen from the traffic file.
    pub file: String,
    scale: Option<Scalar>,
    from: Option<Scalar>,
}

/// What a curve counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Users at a time.
    Users,
    /// Journeys started per second.
    Journeys,
    /// Requests per second.
    Requests,
}

/// A load over time, from the observation's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it counts.
    pub counts: Counts,
    /// How many, not yet as a share.
    pub shape: Shape,
    /// How long it is by itself.
    pub length: SimDuration,
    /// A record's journeys, one by one.
    pub replay: Option<Replay>,
}

/// How long a load without a length of its own is observed.
pub const USUAL_LENGTH: SimDuration = SimDuration::from_secs(1_800);
const DAY: SimDuration = SimDuration::from_secs(86_400);

impl LoadFile {
    /// The trace that has to be read for it.
    pub fn trace_file(&self) -> Option<&str> {
        if let Self::Trace(trace) | Self::Replay(trace) = self { Some(&trace.file) } else { None }
    }

    /// Its key, and what a line of its file is.
    pub fn recorded_as(&self) -> (&'static str, &'static str) {
        if matches!(self, Self::Replay(_)) {
            ("replay", "a line is the moment at which a journey started")
        } else {
            ("trace", "a line is `t_seconds,requests_per_second`")
        }
    }

    /// What its file says. What is wrong comes with the bytes of its line.
    pub fn read(&self, text: &str) -> Result<Rows, (Range<usize>, String)> {
        if matches!(self, Self::Replay(_)) { read_starts(text) } else { read_trace(text) }
    }

    /// The curve. `horizon` is how long it has to be, where somebody said so.
    pub fn curve(
        &self,
        at: &At,
        horizon: Option<SimDuration>,
        trace: Option<&[(f64, f64)]>,
        into: &mut Findings,
    ) -> Curve {
        match self {
            Self::ConstantVus(of) => {
                let at = at.key("constant-vus");
                let value = into.or(&at.key("vus"), Some(&of.vus), scalar::number, 1.0);
                constant(Counts::Users, value, &at, of.duration.as_ref(), into)
            }
            Self::ConstantArrivalRate(of) => {
                let at = at.key("constant-arrival-rate");
                let unit = time_unit(&at, of.time_unit.as_ref(), into);
                let value = into.or(&at.key("rate"), Some(&of.rate), scalar::number, 1.0) / unit;
                constant(Counts::Journeys, value, &at, of.duration.as_ref(), into)
            }
            Self::RampingVus(of) => {
                let at = at.key("ramping-vus");
                // k6 starts at 1 here and at 0 for rates.
                let start = into.or(&at.key("startVUs"), of.start.as_ref(), scalar::number, 1.0);
                stages(Counts::Users, start, &of.stages, 1.0, &at.key("stages"), into)
            }
            Self::RampingArrivalRate(of) => {
                let at = at.key("ramping-arrival-rate");
                let unit = time_unit(&at, of.time_unit.as_ref(), into);
                let start = into.or(&at.key("startRate"), of.start.as_ref(), scalar::number, 0.0) / unit;
                stages(Counts::Journeys, start, &of.stages, unit, &at.key("stages"), into)
            }
            Self::DayCurve(of) => of.curve(&at.key("dayCurve"), horizon, into),
            Self::Trace(of) => of.curve(&at.key("trace"), trace.unwrap_or(&[]), into),
            Self::Replay(of) => of.replay(&at.key("replay"), trace.unwrap_or(&[]), into),
        }
    }
}

/// Seconds of `timeUnit`; 1 where absent.
fn time_unit(at: &At, text: Option<&Scalar>, into: &mut Findings) -> f64 {
    let at = at.key("timeUnit");
    let unit = into.or(&at, text, scalar::duration, SimDuration::from_secs(1));
    if unit == SimDuration::ZERO {
        into.wrong(&at, "a rate per 0s has no meaning", "`1s` is the default");
        return 1.0;
    }
    unit.as_secs_f64()
}

/// The same value all the time.
fn constant(counts: Counts, value: f64, at: &At, length: Option<&Scalar>, into: &mut Findings) -> Curve {
    let length = into.or(&at.key("duration"), length, scalar::duration, USUAL_LENGTH);
    Curve { counts, shape: Shape::steady(value), length, replay: None }
}

/// Straight lines from stage to stage.
fn stages(counts: Counts, start: f64, stages: &[Stage], unit: f64, at: &At, into: &mut Findings) -> Curve {
    if stages.is_empty() {
        into.wrong(at, "there is no stage", "list `{duration, target}`");
    }
    let mut length = SimDuration::ZERO;
    let mut points = vec![(SimTime::ZERO, start)];
    for (index, stage) in stages.iter().enumerate() {
        let at = at.index(index);
        let duration = into.take(&at.key("duration"), scalar::duration(&stage.duration));
        let target = into.take(&at.key("target"), scalar::number(&stage.target));
        if let (Some(duration), Some(target)) = (duration, target) {
            length = length.saturating_add(duration);
            points.push((SimTime::ZERO + length, target / unit));
        }
    }
    Curve { counts, shape: Shape { points, interpolation: Interpolation::Linear }, length, replay: None }
}

impl DayCurve {
    fn curve(&self, at: &At, horizon: Option<SimDuration>, into: &mut Findings) -> Curve {
        let (counts, peak) = self.peak(at, into);
        let at_hours = at.key("hours");
        let hours = shares(&self.hours, 24, "24 hours", &at_hours, into);
        let weekdays = self.weekdays.as_ref().map_or_else(
            || vec![1.0; 7],
            |days| shares(days, 7, "7 days, Monday first", &at.key("weekdays"), into),
        );
        let length = horizon.unwrap_or(DAY);
        let value = |hour: usize| hours[hour % 24] * weekdays[hour / 24 % 7];
        // One hour more than is observed, so that the last line has its end.
        let last = length.whole_secs() / 3_600 + 1;
        let most = (0..=last as usize).map(value).fold(0.0, f64::max);
        let whole = (0..24 * 7).map(value).fold(0.0, f64::max);
        if whole <= 0.0 || most <= 0.0 {
            into.wrong(&at_hours, "nobody ever asks", "let one hour rise above 0");
        }
        let level = |hour: usize| if whole > 0.0 { value(hour) / whole } else { 0.0 };
        let points =
            (0..=last as usize).map(|hour| (SimTime::from_secs(hour as u64 * 3_600), peak * level(hour)));
        let shape = Shape { points: points.collect(), interpolation: Interpolation::Linear };
        Curve { counts, shape, length, replay: None }
    }

    /// What is counted, and how many at the peak.
    fn peak(&self, at: &At, into: &mut Findings) -> (Counts, f64) {
        match (&self.users, &self.rate) {
            (Some(users), None) => {
                (Counts::Users, into.or(&at.key("users"), Some(users), scalar::number, 1.0))
            }
            (None, Some(rate)) => (Counts::Journeys, into.or(&at.key("rate"), Some(rate), scalar::rate, 1.0)),
            (None, None) | (Some(_), Some(_)) => {
                into.wrong(at, "a day's curve needs its peak, once", "add `users: 1000` or `rate: 50/s`");
                (Counts::Users, 1.0)
            }
        }
    }
}

/// So many shares; ones where they are not right.
fn shares(given: &[Scalar], wanted: usize, what: &str, at: &At, into: &mut Findings) -> Vec<f64> {
    if given.len() != wanted {
        into.wrong(at, format!("there are {} shares", given.len()), format!("give {wanted}: {what}"));
        return vec![1.0; wanted];
    }
    let read = given
        .iter()
        .enumerate()
        .map(|(index, text)| into.or(&at.index(index), Some(text), scalar::share, 1.0));
    read.collect()
}

impl Trace {
    fn curve(&self, at: &At, trace: &[(f64, f64)], into: &mut Findings) -> Curve {
        let scale = into.or(&at.key("scale"), self.scale.as_ref(), scalar::number, 1.0);
        let from = into.or(&at.key("from"), self.from.as_ref(), scalar::duration, SimDuration::ZERO);
        let start = from.as_secs_f64();
        let later = trace.partition_point(|(time, _)| *time <= start);
        let kept = &trace[later.saturating_sub(1)..];
        let points: Vec<(SimTime, f64)> = kept
            .iter()
            .map(|(time, rate)| {
                (SimTime::ZERO + SimDuration::from_secs_f64((time - start).max(0.0)), rate * scale)
            })
            .collect();
        if later == trace.len() && later > 1 && self.from.is_some() {
            into.wrong(&at.key("from"), "the trace ends before that", "choose an earlier start");
        }
        // The last bin is as long as the one before it.
        let bin = trace.windows(2).last().map_or(1.0, |pair| pair[1].0 - pair[0].0);
        let end = points.last().map_or(SimTime::ZERO, |(time, _)| *time);
        let length = end.since(SimTime::ZERO).saturating_add(SimDuration::from_secs_f64(bin));
        let points = if points.is_empty() { vec![(SimTime::ZERO, 1.0)] } else { points };
        Curve {
            counts: Counts::Requests,
            shape: Shape { points, interpolation: Interpolation::Step },
            length,
            replay: None,
        }
    }

    /// The journeys themselves, and as a curve what they come to a second: minute by minute,
    /// or in ten pieces where there are less than ten minutes of them.
    fn replay(&self, at: &At, trace: &[(f64, f64)], into: &mut Findings) -> Curve {
        let scale = into.or(&at.key("scale"), self.scale.as_ref(), scalar::number, 1.0);
        let from = into.or(&at.key("from"), self.from.as_ref(), scalar::duration, SimDuration::ZERO);
        let later = trace.partition_point(|(time, _)| *time < from.as_secs_f64());
        if later == trace.len() && later > 0 {
            into.wrong(&at.key("from"), "the record ends before that", "choose an earlier start");
        }
        let since = |time: f64| SimDuration::from_secs_f64(time).saturating_sub(from);
        let starts: Arc<[SimDuration]> = trace[later..].iter().map(|(time, _)| since(*time)).collect();
        let whole = starts.last().map_or(1, |last| last.whole_secs() + 1);
        let piece = whole.div_ceil(10).min(60);
        let mut rates = vec![0.0; whole.div_ceil(piece) as usize];
        for start in starts.iter() {
            rates[(start.whole_secs() / piece) as usize] += 1.0 / piece as f64;
        }
        let peak_per_second = rates.iter().copied().fold(0.0, f64::max);
        let time = |index: usize| SimTime::from_secs(index as u64 * piece);
        let points = rates.iter().enumerate().map(|(index, rate)| (time(index), rate * scale)).collect();
        Curve {
            counts: Counts::Journeys,
            shape: Shape { points, interpolation: Interpolation::Step },
            length: SimDuration::from_secs(whole),
            replay: Some(Replay { starts, peak_per_second }),
        }
    }
}

/// Seconds and requests per second, line by line.
pub type Rows = Vec<(f64, f64)>;

/// The longest trace, in seconds: a year, as for `--duration`.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Reads a trace, `t_seconds,requests_per_second` with or without that heading. Times
/// are those of a usage file, and count from the first line. What is wrong comes with
/// the bytes of its line.
fn read_trace(text: &str) -> Result<Rows, (Range<usize>, String)> {
    let mut rows: Vec<(f64, f64)> = Vec::new();
    let mut first = None;
    for (place, line) in lines(text) {
        let row = line
            .split_once(',')
            .and_then(|(time, rate)| Some((moment(bare(time))?, bare(rate).parse::<f64>().ok()?)));
        let Some((time, rate)) = row else {
            return Err((place, "expected a time and a rate, `t_seconds,requests_per_second`".to_owned()));
        };
        if !rate.is_finite() || rate < 0.0 {
            return Err((place, "rates must be 0 or more".to_owned()));
        }
        let time = time - *first.get_or_insert(time);
        if rows.last().is_some_and(|(before, _)| *before >= time) {
            return Err((place, "the times must rise from line to line".to_owned()));
        }
        if time > LONGEST {
            return Err((place, "the trace is longer than a year".to_owned()));
        }
        rows.push((time, rate));
    }
    if rows.is_empty() { Err((0..0, "the trace is empty".to_owned())) } else { Ok(rows) }
}

/// Reads the moments at which journeys started, one in a line, in any order: a log is
/// written when requests end. Each counts once.
fn read_starts(text: &str) -> Result<Rows, (Range<usize>, String)> {
    let mut moments = Vec::new();
    for (place, line) in lines(text) {
        let Some(time) = moment(bare(line)) else {
            return Err((place, "expected a moment, such as `1735689600.250`".to_owned()));
        };
        moments.push((time, place));
    }
    let first = moments.iter().map(|(time, _)| *time).fold(f64::INFINITY, f64::min);
    if let Some((_, place)) = moments.iter().find(|(time, _)| time - first > LONGEST) {
        return Err((place.clone(), "the record is longer than a year".to_owned()));
    }
    let mut rows: Rows = moments.iter().map(|(time, _)| (time - first, 1.0)).collect();
    rows.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    if rows.is_empty() { Err((0..0, "the record is empty".to_owned())) } else { Ok(rows) }
}

/// The lines that say something, each with its bytes.
fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let place = start..start + line.trim_end().len();
        let heading = start == 0 && bare(line).starts_with(|c: char| c.is_ascii_alphabetic());
        start += line.len();
        (!heading && !line.trim().is_empty()).then_some((place, line))
    })
}

/// A field without what exports put around it, or before the first.
fn bare(field: &str) -> &str {
    field.trim().trim_matches(['"', '\u{feff}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_read_or_refused_at_their_line() {
        let read = [
            "t_seconds,requests_per_second\n0,1\n5,2.5\n",
            "50100,1\n50105,2.5",
            "\u{feff}\"time\",\"rate\"\r\n1735689600,\"1\"\r\n1735689605,\"2.5\"\r\n",
            "1735689600000,1\n1735689605000,2.5\n",
            "2025-01-01T00:00:00Z,1\n2025-01-01T00:00:05Z,2.5\n",
        ];
        for text in read {
            assert_eq!(read_trace(text), Ok(vec![(0.0, 1.0), (5.0, 2.5)]), "{text:?}");
        }
        let rows = [
            ("", 0..0, "the trace is empty"),
            ("0,1\nx,2", 4..7, "expected a time and a rate, `t_seconds,requests_per_second`"),
            ("0,1\n0,2\n", 4..7, "the times must rise from line to line"),
            ("0,1\n1735689600,2\n", 4..16, "the trace is longer than a year"),
            ("0,-1\n", 0..4, "rates must be 0 or more"),
            ("nonsense", 0..0, "the trace is empty"),
        ];
        for (text, place, message) in rows {
            assert_eq!(read_trace(text), Err((place, message.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn starts_are_read_in_any_order_and_as_often_as_they_come() {
        for text in ["5\n0\n5.25\n5\n", "\"time\"\r\n1735689605\r\n1735689600\r\n1735689605.25\r\n1735689605"]
        {
            let wanted = [0.0, 5.0, 5.0, 5.25].map(|time| (time, 1.0));
            assert_eq!(read_starts(text), Ok(wanted.to_vec()), "{text:?}");
        }
        for (text, place, message) in [
            ("", 0..0, "the record is empty"),
            ("1\n2,3\n", 2..5, "expected a moment, such as `1735689600.250`"),
            ("1735689600\n1\n", 0..10, "the record is longer than a year"),
        ] {
            assert_eq!(read_starts(text), Err((place, message.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn loads_become_curves() {
        let rows = [
            ("constant-vus: {vus: 10, duration: 5m}", "Users 300 [(0, 10)]"),
            ("constant-arrival-rate: {rate: 120, timeUnit: 1m}", "Journeys 1800 [(0, 2)]"),
            (
                "ramping-vus: {startVUs: 5, stages: [{duration: 1m, target: 10}, {duration: 0s, target: 2}]}",
                "Users 60 [(0, 5), (60, 10), (60, 2)]",
            ),
            (
                "ramping-arrival-rate: {stages: [{duration: 1m, target: 60}], timeUnit: 1m}",
                "Journeys 60 [(0, 0), (60, 1)]",
            ),
            ("trace: {file: x, scale: 2, from: 10s}", "Requests 20 [(0, 4), (10, 6)]"),
            // Starts at 10 s and 20 s, in pieces of a tenth of the 11 s, rounded up.
            (
                "replay: {file: x, scale: 2, from: 10s}",
                "Journeys 11 [(0, 1), (2, 0), (4, 0), (6, 0), (8, 0), (10, 1)]",
            ),
        ];
        let trace = [(0.0, 1.0), (10.0, 2.0), (20.0, 3.0)];
        for (yaml, expected) in rows {
            let load: LoadFile = serde_yaml::from_str(yaml).unwrap();
            let mut found = Findings::default();
            let curve = load.curve(&At::root(), None, Some(&trace), &mut found);
            let points: Vec<_> =
                curve.shape.points.iter().map(|(time, value)| (time.as_secs_f64(), *value)).collect();
            let seen = format!("{:?} {} {points:?}", curve.counts, curve.length.as_secs_f64());
            assert_eq!(seen.replace(".0", ""), expected, "{yaml}");
            assert_eq!(found.problems, []);
        }
    }

    #[test]
    fn a_day_s_curve_repeats_and_knows_weekends() {
        let hours = vec!["50%"; 23].join(", ");
        let yaml =
            format!("dayCurve: {{users: 100, hours: [100%, {hours}], weekdays: [1, 1, 1, 1, 1, 0.5, 0.5]}}");
        let load: LoadFile = serde_yaml::from_str(&yaml).unwrap();
        let mut found = Findings::default();
        let week = load.curve(&At::root(), Some(DAY * 7), None, &mut found);
        assert_eq!(found.problems, []);
        let at = |hour: u64| week.shape.at(SimTime::from_secs(hour * 3_600));
        assert_eq!((at(0), at(12), at(24), at(5 * 24), at(5 * 24 + 12)), (100.0, 50.0, 100.0, 50.0, 25.0));
    }
}
