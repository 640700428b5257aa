//! Numbers with units as people write them: `250ms`, `500m`, `2Gi`, `12/s`,
//! `99.9%`, `p95`. Text in, a value of the right type out, or what is wrong.

use std::fmt;

use jiff::SignedDuration;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::units::{Bytes, MilliCpu, SimDuration};

/// A scalar as it stands in the file, not yet taken for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, or the number as text.
    pub text: String,
}

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What helps.
    pub help: String,
}

impl Fault {
    /// A fault with its help.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

/// Takes a string or a number.
struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text with its unit")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar { text: text.trim().to_owned() })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar { text: number.to_string() })
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar { text: number.to_string() })
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar { text: number.to_string() })
    }
}

/// The longest duration that is taken: a hundred years.
const LONGEST: f64 = 100.0 * 366.0 * 86_400.0;

/// A length of time: what jiff reads (`250ms`, `1h30m`, `PT5M`), and days and
/// weeks (`1d`, `2w`) as 24 and 168 hours.
pub fn duration(from: &Scalar) -> Result<SimDuration, Fault> {
    let text = from.text.as_str();
    if text.parse::<f64>().is_ok() {
        return Err(Fault::new(
            format!("`{text}` has no unit"),
            format!("write `{text}s`, `{text}ms` or `{text}m` for seconds, milliseconds or minutes"),
        ));
    }
    if text.starts_with('-') {
        return Err(Fault::new("a duration can't be negative", "durations are 0s or longer"));
    }
    let seconds = seconds_of(text).ok_or_else(|| {
        Fault::new(
            format!("`{text}` is not a duration"),
            "write a number and a unit: `250ms`, `30s`, `5m`, `1h30m`, `1d`, `1w`",
        )
    })?;
    if seconds > LONGEST {
        return Err(Fault::new(format!("`{text}` is longer than a hundred years"), "check the unit"));
    }
    Ok(SimDuration::from_secs_f64(seconds))
}

/// Seconds in a text such as `1w2d3h`.
fn seconds_of(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut seconds = 0.0;
    for (unit, length) in [('w', 604_800.0), ('d', 86_400.0)] {
        if let Some((number, after)) = rest.split_once(unit)
            && let Ok(number) = number.trim().parse::<f64>()
            && number.is_finite()
            && (after.is_empty() || after.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        {
            seconds += number * length;
            rest = after.trim_start();
        }
    }
    if rest.is_empty() {
        return (!text.is_empty()).then_some(seconds);
    }
    let rest: SignedDuration = rest.parse().ok()?;
    (!rest.is_negative()).then(|| seconds + rest.as_secs_f64())
}

/// A share in 0..=1: `99.9%` or `0.999`.
pub fn share(from: &Scalar) -> Result<f64, Fault> {
    let text = from.text.as_str();
    let value = match text.strip_suffix('%') {
        Some(percent) => percent_of(percent.trim()),
        None => text.parse::<f64>(),
    };
    match value {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        Ok(_) => Err(Fault::new(
            format!("`{text}` is outside 0% to 100%"),
            "a share is written `99.9%` or `0.999`",
        )),
        Err(_) => {
            Err(Fault::new(format!("`{text}` is not a share"), "a share is written `99.9%` or `0.999`"))
        }
    }
}

/// Percent as a share: the number nearest to what is written, which a division of
/// the nearest number of percent need not be (99.9 / 100 is above 0.999).
fn percent_of(percent: &str) -> Result<f64, std::num::ParseFloatError> {
    match format!("{percent}e-2").parse() {
        Ok(share) => Ok(share),
        // It has an exponent already, or is no number.
        Err(_) => percent.parse::<f64>().map(|value| value / 100.0),
    }
}

/// A rate per second: `12/s`, `500/m`, `3600/h`.
pub fn rate(from: &Scalar) -> Result<f64, Fault> {
    let (number, over) = rate_over(from)?;
    Ok(number / over.as_secs_f64())
}

/// A rate as it is written: how many, over which time.
pub fn rate_over(from: &Scalar) -> Result<(f64, SimDuration), Fault> {
    let text = from.text.as_str();
    let fault = || Fault::new(format!("`{text}` is not a rate"), "write `12/s`, `500/m` or `3600/h`");
    let (number, unit) = text.split_once('/').ok_or_else(fault)?;
    let number = number.trim().parse::<f64>().map_err(|_| fault())?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(fault()),
    };
    Ok((not_negative(text, number)?, SimDuration::from_secs(seconds)))
}

/// A plain number, 0 or more.
pub fn number(from: &Scalar) -> Result<f64, Fault> {
    let text = from.text.as_str();
    match text.parse::<f64>() {
        Ok(value) => not_negative(text, value),
        Err(_) => Err(Fault::new(format!("`{text}` is not a number"), "write a plain number such as `1.5`")),
    }
}

/// A whole number, 0 or more.
pub fn count(from: &Scalar) -> Result<u32, Fault> {
    let text = from.text.as_str();
    text.parse::<u32>().map_err(|_| {
        Fault::new(format!("`{text}` is not a whole number from 0 to 4294967295"), "write digits only")
    })
}

/// CPU: `500m` or cores (`2`, `0.5`).
pub fn cpu(from: &Scalar) -> Result<MilliCpu, Fault> {
    let text = from.text.as_str();
    let (number, factor) = text.strip_suffix('m').map_or((text, 1_000.0), |number| (number, 1.0));
    let milli = number.parse::<f64>().map_err(|_| {
        Fault::new(format!("`{text}` is not an amount of CPU"), "write `500m` or `2` (cores)")
    })?;
    // Upstream rounds up to a whole milli-core, too.
    not_negative(text, milli * factor).map(|milli| MilliCpu(milli.ceil() as u64))
}

/// Suffixes of memory, longest first, and the bytes in one.
const MEMORY: [(&str, f64); 10] = [
    ("Ki", 1_024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("m", 1e-3),
    ("", 1.0),
];

/// Memory: `2Gi`, `62M`, or bytes.
pub fn memory(from: &Scalar) -> Result<Bytes, Fault> {
    let text = from.text.as_str();
    let fault = || {
        Fault::new(
            format!("`{text}` is not an amount of memory"),
            "write `512Mi`, `2Gi`, `500M`, or a number of bytes",
        )
    };
    let (number, factor) = MEMORY
        .iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|number| (number, factor)))
        .ok_or_else(fault)?;
    let bytes = number.parse::<f64>().map_err(|_| fault())?;
    not_negative(text, bytes * factor).map(|bytes| Bytes(bytes.ceil() as u64))
}

/// A quantile in (0, 1): `p95`, `p99.9`, or `0.95`.
pub fn quantile(from: &Scalar) -> Result<f64, Fault> {
    let text = from.text.as_str();
    let value = match text.strip_prefix('p') {
        Some(percent) => percent.parse::<f64>().map(|value| value / 100.0),
        None => text.parse::<f64>(),
    };
    match value {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        Ok(_) | Err(_) => Err(Fault::new(
            format!("`{text}` is not a quantile between 0 and 1"),
            "write `p95`, `p99.9` or `0.95`",
        )),
    }
}

/// A finite number that is 0 or more.
fn not_negative(text: &str, value: f64) -> Result<f64, Fault> {
    match value {
        value if !value.is_finite() => {
            Err(Fault::new(format!("`{text}` is not a finite number"), "write a number that can be counted"))
        }
        value if value < 0.0 => Err(Fault::new(format!("`{text}` is negative"), "it must be 0 or more")),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads with `parse` and prints the value, or `!` and the message.
    fn check<T: fmt::Debug>(parse: fn(&Scalar) -> Result<T, Fault>, rows: &[(&str, &str)]) {
        for (text, expected) in rows {
            let seen = match parse(&Scalar::from(*text)) {
                Ok(value) => format!("{value:?}"),
                Err(fault) => format!("! {}", fault.message),
            };
            assert_eq!(&seen, expected, "{text:?}");
        }
    }

    #[test]
    fn durations() {
        let rows = [
            ("250ms", "0:00:00.250"),
            ("30s", "0:00:30"),
            ("1h30m", "1:30:00"),
            ("1h0m0s", "1:00:00"),
            ("1.5h", "1:30:00"),
            ("PT5M", "0:05:00"),
            ("2h 30m", "2:30:00"),
            ("1d", "24:00:00"),
            ("1w", "168:00:00"),
            ("1d12h", "36:00:00"),
            ("2w1d", "360:00:00"),
            ("0.5d", "12:00:00"),
            ("0s", "0:00:00"),
            ("5", "! `5` has no unit"),
            ("0", "! `0` has no unit"),
            ("-5s", "! a duration can't be negative"),
            ("soon", "! `soon` is not a duration"),
            ("1 day", "! `1 day` is not a duration"),
            ("", "! `` is not a duration"),
            ("1d-5s", "! `1d-5s` is not a duration"),
            ("9999999999w", "! `9999999999w` is longer than a hundred years"),
        ];
        for (text, expected) in rows {
            let seen = match duration(&Scalar::from(text)) {
                Ok(value) => (crate::units::SimTime::ZERO + value).to_string(),
                Err(fault) => format!("! {}", fault.message),
            };
            assert_eq!(seen, expected, "{text:?}");
        }
    }

    #[test]
    fn shares_rates_and_quantiles() {
        check(
            share,
            &[
                ("50%", "0.5"),
                ("0.25", "0.25"),
                ("100%", "1.0"),
                ("101%", "! `101%` is outside 0% to 100%"),
                ("-1%", "! `-1%` is outside 0% to 100%"),
                ("NaN", "! `NaN` is outside 0% to 100%"),
                ("half", "! `half` is not a share"),
            ],
        );
        check(
            rate,
            &[
                ("12/s", "12.0"),
                ("120/m", "2.0"),
                ("3600/h", "1.0"),
                ("12", "! `12` is not a rate"),
                ("12/y", "! `12/y` is not a rate"),
                ("-1/s", "! `-1/s` is negative"),
            ],
        );
        check(
            quantile,
            &[
                ("p50", "0.5"),
                ("0.9", "0.9"),
                ("p100", "! `p100` is not a quantile between 0 and 1"),
                ("95", "! `95` is not a quantile between 0 and 1"),
            ],
        );
    }

    #[test]
    fn amounts() {
        check(
            cpu,
            &[
                ("500m", "MilliCpu(500)"),
                ("2", "MilliCpu(2000)"),
                ("0.1", "MilliCpu(100)"),
                ("-1", "! `-1` is negative"),
                ("two", "! `two` is not an amount of CPU"),
            ],
        );
        check(
            memory,
            &[
                ("2Gi", "Bytes(2147483648)"),
                ("62M", "Bytes(62000000)"),
                ("1.5Ki", "Bytes(1536)"),
                ("300", "Bytes(300)"),
                ("2GB", "! `2GB` is not an amount of memory"),
                ("inf", "! `inf` is not a finite number"),
            ],
        );
        check(count, &[("3", "3"), ("-3", "! `-3` is not a whole number from 0 to 4294967295")]);
        check(number, &[("1.5", "1.5"), ("1,5", "! `1,5` is not a number"), ("-1", "! `-1` is negative")]);
    }
}
