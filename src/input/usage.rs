//! `usage`: a recorded usage curve in the place of a workload's operations, written
//! in the model or exported from Prometheus as CSV.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Fault, Scalar};
use crate::scenario::{Interpolation, Usage, UsagePoint};
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// `usage`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageFile {
    /// `[time, cpu, memory]`, one after the other.
    points: Option<Vec<Vec<Scalar>>>,
    /// A CSV file, seen from the model.
    pub file: Option<String>,
    /// How long the last value holds.
    step: Option<Scalar>,
    /// `step` or `linear`.
    interpolation: Option<Scalar>,
    /// Whether the curve begins anew after its end.
    repeat: Option<bool>,
    /// Everything times this.
    scale: Option<Scalar>,
    /// What the CSV file says.
    #[serde(skip)]
    pub rows: Option<Vec<UsageRow>>,
}

/// One line of a usage file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsageRow {
    /// Seconds since the first line.
    time: f64,
    /// Cores.
    cpu: f64,
    /// Bytes.
    memory: f64,
}

/// The most points of one curve: a week of seconds is three of them.
const MOST_POINTS: usize = 200_000;
/// The most cores and bytes that a curve may ask for: more than the largest clusters.
const MOST_CORES: f64 = 1e6;
const MOST_BYTES: f64 = 1e16;
/// The most that a curve is scaled by.
const MOST_SCALE: f64 = 1_000.0;
/// The longest time between two lines, in seconds: a hundred years.
const LONGEST: f64 = 3.2e9;

impl UsageFile {
    /// The curve, from time zero on.
    pub fn resolve(&self, at: &At, into: &mut Findings) -> Option<Usage> {
        let at_scale = at.key("scale");
        let scale = into.or(&at_scale, self.scale.as_ref(), scalar::number, 1.0);
        if !(scale > 0.0 && scale <= MOST_SCALE) {
            into.wrong(
                &at_scale,
                format!("`{scale}` is no scale"),
                format!("above 0 and at most {MOST_SCALE}"),
            );
        }
        let interpolation = self.interpolation(at, into);
        let at_step = at.key("step");
        let step = self.step.as_ref().and_then(|text| into.take(&at_step, scalar::duration(text)));
        if step == Some(SimDuration::ZERO) {
            into.wrong(&at_step, "a value that holds for 0s is none", "give the query's step, such as `5m`");
        }
        let points = match (&self.points, &self.file) {
            (Some(points), None) => points_of(points, scale, &at.key("points"), into)?,
            (None, Some(_)) => of_rows(self.rows.as_ref()?, scale, &at.key("file"), into)?,
            (None, None) | (Some(_), Some(_)) => {
                let help = "give `points: [[0s, 2, 4Gi], ...]` or `file: usage.csv`";
                into.wrong(at, "a usage curve stands in one place", help);
                return None;
            }
        };
        if points.iter().all(|point| point.cpu == MilliCpu::ZERO && point.memory == Bytes::ZERO) {
            into.wrong(at, "the curve asks for nothing at any time", "check what was exported");
        }
        let end = end_of(&points, step);
        if self.repeat == Some(true) && end.is_none() {
            into.wrong(
                &at.key("repeat"),
                "one point has no length to repeat",
                "add `step`, or leave `repeat` out",
            );
        }
        let period = end.filter(|_| self.repeat == Some(true));
        Some(Usage { points, interpolation: interpolation?, period, start: SimTime::ZERO })
    }

    fn interpolation(&self, at: &At, into: &mut Findings) -> Option<Interpolation> {
        let help = "write `step` where a value holds until the next one, `linear` for lines between them";
        match self.interpolation.as_ref().map(|text| text.text.as_str()) {
            Some("step") => Some(Interpolation::Step),
            Some("linear") => Some(Interpolation::Linear),
            Some(other) => {
                into.wrong(&at.key("interpolation"), format!("`{other}` is no interpolation"), help);
                None
            }
            None => {
                into.wrong(at, "nothing says what holds between two points: `interpolation`", help);
                None
            }
        }
    }

    /// How long the curve is by itself: to the end of its last value; `None` for a
    /// single point without a step.
    pub fn length(&self, usage: &Usage) -> Option<SimDuration> {
        let step = self.step.as_ref().and_then(|text| scalar::duration(text).ok());
        end_of(&usage.points, step)
    }
}

/// Where the last value ends: after `step`, else after as long as the one before.
fn end_of(points: &[UsagePoint], step: Option<SimDuration>) -> Option<SimDuration> {
    let last = points.last()?.time;
    let before = points.len().checked_sub(2).map(|before| last.saturating_sub(points[before].time));
    Some(last.saturating_add(step.or(before)?))
}

/// The points of the model itself.
fn points_of(given: &[Vec<Scalar>], scale: f64, at: &At, into: &mut Findings) -> Option<Vec<UsagePoint>> {
    let mut points: Vec<UsagePoint> = Vec::new();
    let before = into.problems.len();
    if given.is_empty() || given.len() > MOST_POINTS {
        into.wrong(at, format!("there are {} points", given.len()), format!("from 1 to {MOST_POINTS}"));
        return None;
    }
    for (index, point) in given.iter().enumerate() {
        let at = at.index(index);
        let [time, cpu, memory] = point.as_slice() else {
            into.wrong(
                &at,
                "a point has three parts",
                "write `[time, cpu, memory]`, such as `[5m, 2500m, 4Gi]`",
            );
            continue;
        };
        let time = into.take(&at.index(0), scalar::duration(time));
        let cpu = into.take(&at.index(1), scalar::cpu(cpu));
        let memory = into.take(&at.index(2), scalar::memory(memory));
        let (Some(time), Some(cpu), Some(memory)) = (time, cpu, memory) else { continue };
        match points.last() {
            None if time > SimDuration::ZERO => {
                into.wrong(
                    &at.index(0),
                    "the first point is not at 0s",
                    "times count from the observation's start",
                );
            }
            Some(last) if last.time >= time => {
                into.wrong(&at.index(0), "the times must rise from point to point", "");
            }
            _ => {}
        }
        let (cores, bytes) = (cpu.as_cores() * scale, memory.0 as f64 * scale);
        if cores > MOST_CORES || bytes > MOST_BYTES {
            into.wrong(&at, too_much(), "check the units");
            continue;
        }
        points.push(point_of(time, cores, bytes));
    }
    (into.problems.len() == before).then_some(points)
}

/// The points of a file that was read.
fn of_rows(rows: &[UsageRow], scale: f64, at: &At, into: &mut Findings) -> Option<Vec<UsagePoint>> {
    if rows.iter().any(|row| row.cpu * scale > MOST_CORES || row.memory * scale > MOST_BYTES) {
        into.wrong(at, too_much(), "CPU is in cores and memory in bytes; check the query and `scale`");
        return None;
    }
    let point =
        |row: &UsageRow| point_of(SimDuration::from_secs_f64(row.time), row.cpu * scale, row.memory * scale);
    Some(rows.iter().map(point).collect())
}

fn too_much() -> String {
    format!("more than {MOST_CORES} cores or {MOST_BYTES} bytes")
}

fn point_of(time: SimDuration, cores: f64, bytes: f64) -> UsagePoint {
    UsagePoint { time, cpu: MilliCpu((cores * 1_000.0).round() as u64), memory: Bytes(bytes.round() as u64) }
}

/// Where the columns of a usage file stand.
#[derive(Clone, Copy)]
struct Columns {
    time: usize,
    cpu: usize,
    memory: usize,
}

impl Columns {
    /// By their headings; `None` where the line is none, because it begins with a number.
    fn of(line: &csv::StringRecord) -> Option<Result<Self, String>> {
        let names: Vec<String> =
            line.iter().map(|name| name.trim_start_matches('\u{feff}').to_lowercase()).collect();
        if names.first().is_none_or(|first| !first.starts_with(|c: char| c.is_ascii_alphabetic())) {
            return None;
        }
        let column =
            |parts: &[&str]| names.iter().position(|name| parts.iter().any(|part| name.contains(part)));
        let missing = |what: &str| format!("no column's heading holds `{what}`");
        let found = || {
            Ok(Self {
                time: column(&["time", "t_seconds"]).ok_or_else(|| missing("time"))?,
                cpu: column(&["cpu"]).ok_or_else(|| missing("cpu"))?,
                memory: column(&["mem"]).ok_or_else(|| missing("memory"))?,
            })
        };
        Some(found())
    }
}

/// Reads a usage file: `time,cpu,memory` with or without that heading. Times are
/// seconds or milliseconds since 1970, dates, or seconds from any beginning; a value
/// that is missing is the one before. What is wrong comes with the bytes of its line.
pub fn read_usage(text: &str) -> Result<Vec<UsageRow>, (Range<usize>, String)> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut columns = Columns { time: 0, cpu: 1, memory: 2 };
    let mut rows: Vec<UsageRow> = Vec::new();
    let mut start = None;
    let mut record = csv::StringRecord::new();
    loop {
        let begins = reader.position().byte() as usize;
        let more = reader.read_record(&mut record);
        let ends = (reader.position().byte() as usize).min(text.len());
        let place = || place_of(text, begins, ends);
        match more {
            Ok(false) => break,
            Ok(true) => {}
            Err(_) => return Err((place(), "this is no line of a CSV file".to_owned())),
        }
        if rows.is_empty()
            && start.is_none()
            && let Some(heading) = Columns::of(&record)
        {
            columns = heading.map_err(|message| (place(), message))?;
            start = Some(f64::NAN);
            continue;
        }
        let row = row_of(&record, columns, rows.last()).map_err(|message| (place(), message))?;
        let first = *start.insert(start.filter(|first| !first.is_nan()).unwrap_or(row.time));
        let row = UsageRow { time: row.time - first, ..row };
        let rises = rows.last().is_none_or(|last| last.time < row.time && row.time < LONGEST);
        if !rises {
            return Err((place(), "the times must rise from line to line".to_owned()));
        }
        if rows.len() == MOST_POINTS {
            return Err((place(), format!("more than {MOST_POINTS} lines: query with a longer step")));
        }
        rows.push(row);
    }
    if rows.is_empty() { Err((0..0, "the file holds no values".to_owned())) } else { Ok(rows) }
}

/// The bytes of a line, without what surrounds it.
fn place_of(text: &str, begins: usize, ends: usize) -> Range<usize> {
    let line = text.get(begins..ends).unwrap_or_default();
    let start = begins + (line.len() - line.trim_start().len());
    start..start + line.trim().len()
}

/// One line, its time not yet counted from the first.
fn row_of(
    record: &csv::StringRecord,
    columns: Columns,
    before: Option<&UsageRow>,
) -> Result<UsageRow, String> {
    let field = |column: usize| record.get(column).unwrap_or_default();
    let time = moment(field(columns.time))
        .ok_or_else(|| format!("`{}` is not a time: seconds, milliseconds or a date", field(columns.time)))?;
    let value = |column: usize, before: Option<f64>| {
        let text = field(column);
        if text.is_empty() || text.eq_ignore_ascii_case("nan") || text.eq_ignore_ascii_case("null") {
            return before.ok_or_else(|| "the first line has no value to go on with".to_owned());
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| format!("`{text}` is not a number of 0 or more"))
    };
    let cpu = value(columns.cpu, before.map(|row| row.cpu))?;
    let memory = value(columns.memory, before.map(|row| row.memory))?;
    Ok(UsageRow { time, cpu, memory })
}

/// Seconds of a time as it is exported.
pub fn moment(text: &str) -> Option<f64> {
    /// Larger numbers are milliseconds: as seconds they would be in the year 5138.
    const MILLISECONDS: f64 = 1e11;
    if let Ok(number) = text.parse::<f64>() {
        let valid = number.is_finite() && (0.0..1e15).contains(&number);
        return valid.then_some(if number >= MILLISECONDS { number / 1_000.0 } else { number });
    }
    let timestamp = text.parse::<Timestamp>().or_else(|_| {
        text.parse::<DateTime>().and_then(|date| date.to_zoned(TimeZone::UTC)).map(|date| date.timestamp())
    });
    Some(timestamp.ok()?.as_millisecond() as f64 / 1_000.0)
}

/// What is wrong with a field that has no meaning beside `usage`.
pub fn refuse(key: &str, at: &At, into: &mut Findings) {
    let Fault { message, help } = Fault::new(
        format!("`{key}` means nothing beside `usage`: the curve holds all that the pods use"),
        "leave one of them out",
    );
    into.wrong(&at.key(key), message, help);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(f64, f64, f64)> {
        let rows = read_usage(text).unwrap_or_else(|(place, message)| panic!("{place:?}: {message}"));
        rows.iter().map(|row| (row.time, row.cpu, row.memory)).collect()
    }

    #[test]
    fn exported_files_are_read_whatever_their_times_are() {
        let expected = [(0.0, 1.5, 1e9), (300.0, 2.0, 2e9)];
        for text in [
            "time,cpu,memory\n1700000000,1.5,1e9\n1700000300,2,2000000000\n",
            "1700000000,1.5,1e9\n1700000300,2,2e9",
            "\"Time\",\"web CPU\",\"web Memory\"\r\n1700000000000,1.5,1e9\r\n1700000300000,2,2e9\r\n",
            "\u{feff}memory,Time,cpu\n1e9,2026-01-05 00:00:00,1.5\n2e9,2026-01-05 00:05:00,2\n",
            "timestamp,cpu,mem\n2026-01-05T00:00:00Z,1.5,1e9\n2026-01-05T01:05:00+01:00,2,2e9\n",
            "0,1.5,1e9\n\n300,2,2e9\n",
        ] {
            assert_eq!(rows(text), expected, "{text}");
        }
        // What Prometheus has no value for is as it was.
        assert_eq!(rows("0,1,5\n60,,NaN\n120,2,"), [(0.0, 1.0, 5.0), (60.0, 1.0, 5.0), (120.0, 2.0, 5.0)]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_of_its_line() {
        for (text, place, message) in [
            ("", 0..0, "the file holds no values"),
            ("time,cpu,memory\n", 0..0, "the file holds no values"),
            ("time,cpu\n0,1\n", 0..8, "no column's heading holds `memory`"),
            ("0,1,1\nsoon,1,1\n", 6..14, "`soon` is not a time: seconds, milliseconds or a date"),
            ("0,1,1\n0,1,1\n", 6..11, "the times must rise from line to line"),
            ("0,-1,1\n", 0..6, "`-1` is not a number of 0 or more"),
            ("0,1\n", 0..3, "the first line has no value to go on with"),
        ] {
            assert_eq!(read_usage(text).err(), Some((place, message.to_owned())), "{text:?}");
        }
    }

    fn resolved(yaml: &str) -> Result<Usage, Vec<String>> {
        let mut file: UsageFile = serde_yaml::from_str(yaml).unwrap();
        file.rows = file.file.as_ref().map(|_| read_usage("0,1,100\n60,3,300\n").unwrap());
        let mut found = Findings::default();
        let usage = file.resolve(&At::root().key("usage"), &mut found);
        let told = |one: crate::input::findings::Finding| format!("{}: {}", one.path, one.message);
        if found.problems.is_empty() {
            Ok(usage.unwrap())
        } else {
            Err(found.problems.into_iter().map(told).collect())
        }
    }

    #[test]
    fn curves_are_scaled_and_repeat_where_it_is_said() {
        let usage = resolved("{file: x.csv, interpolation: linear, scale: 1.5, repeat: true}").unwrap();
        let told: Vec<_> =
            usage.points.iter().map(|one| (one.time.whole_secs(), one.cpu.0, one.memory.0)).collect();
        assert_eq!(told, [(0, 1_500, 150), (60, 4_500, 450)]);
        assert_eq!(
            (usage.period, usage.interpolation),
            (Some(SimDuration::from_secs(120)), Interpolation::Linear)
        );
        let usage =
            resolved("{points: [[0s, 250m, 1Mi], [5m, 2, 2Mi]], interpolation: step, step: 10m}").unwrap();
        assert_eq!((usage.points[1].cpu.0, usage.points[1].memory.0, usage.period), (2_000, 2 << 20, None));
    }

    #[test]
    fn what_is_wrong_with_a_curve_is_said_at_once() {
        for (yaml, expected) in [
            (
                "{interpolation: spline, scale: 0}",
                &[
                    "usage.scale: `0` is no scale",
                    "usage.interpolation: `spline` is no interpolation",
                    "usage: a usage curve stands in one place",
                ][..],
            ),
            (
                "{points: [[1s, 1, 1Mi], [1s, 1, 1Mi], [2s, 1], [3s, x, 1Mi]], step: 0s}",
                &[
                    "usage: nothing says what holds between two points: `interpolation`",
                    "usage.step: a value that holds for 0s is none",
                    "usage.points[0][0]: the first point is not at 0s",
                    "usage.points[1][0]: the times must rise from point to point",
                    "usage.points[2]: a point has three parts",
                    "usage.points[3][1]: `x` is not an amount of CPU",
                ],
            ),
            (
                "{points: [[0s, 0, 0]], repeat: true, interpolation: step}",
                &[
                    "usage: the curve asks for nothing at any time",
                    "usage.repeat: one point has no length to repeat",
                ],
            ),
            (
                "{file: x, scale: 1000000, interpolation: step}",
                &[
                    "usage.scale: `1000000` is no scale",
                    "usage.file: more than 1000000 cores or 10000000000000000 bytes",
                ],
            ),
        ] {
            assert_eq!(resolved(yaml), Err(expected.iter().map(|one| (*one).to_owned()).collect()), "{yaml}");
        }
    }
}
