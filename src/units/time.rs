//! Simulated time as whole nanoseconds: ties and sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// A moment of a run, in nanoseconds since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A length of simulated time in nanoseconds; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

impl SimTime {
    /// The start of every run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens: "never".
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `seconds` whole seconds after the start.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start, for reports and statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// How long after `earlier` this is.
    ///
    /// # Panics
    /// When `earlier` is later: the caller believed in an order that isn't so.
    #[inline]
    pub fn since(self, earlier: Self) -> SimDuration {
        if earlier > self {
            backwards(earlier, self);
        }
        SimDuration(self.0 - earlier.0)
    }

    /// How long after `earlier` this is, or zero when it isn't after it.
    pub fn since_or_zero(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved back by `duration`, but not before the start.
    pub fn minus_or_zero(self, duration: SimDuration) -> Self {
        Self(self.0.saturating_sub(duration.0))
    }
}

/// Somebody believed in another order of two moments.
#[cold]
fn backwards(earlier: SimTime, later: SimTime) -> ! {
    panic!("{earlier} is after {later}")
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run.
    pub const MAX: Self = Self(u64::MAX);
    /// Longer than any run, too, and short enough to be added up and counted in 256ths of
    /// a nanosecond: 417 days, where a run has at most a year.
    pub const OUTLASTING: Self = Self(1 << 55);

    /// `nanos` nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// `seconds` whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// `seconds`, rounded to the nearest nanosecond. What is negative or not a
    /// number becomes zero, what is too long becomes [`SimDuration::MAX`].
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9 + 0.5) as u64)
    }

    /// Length in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Length in seconds, for reports and statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whole seconds, the rest dropped (as Go's `int(d.Seconds())`).
    pub const fn whole_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The sum, or [`SimDuration::MAX`] where it would not fit.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// So many times this length, or [`SimDuration::MAX`] where that would not fit.
    pub const fn saturating_mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    /// The difference, or zero when `other` is longer.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This length times `factor`, rounded to the nearest nanosecond.
    pub fn scale(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor + 0.5) as u64)
    }
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    fn add(self, duration: SimDuration) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, duration: SimDuration) {
        *self = *self + duration;
    }
}

impl Add for SimDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("a sum of durations fits 584 years"))
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for SimDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("a duration is never negative"))
    }
}

impl Mul<u64> for SimDuration {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.checked_mul(times).expect("a product of durations fits 584 years"))
    }
}

impl Div<u64> for SimDuration {
    type Output = Self;
    fn div(self, parts: u64) -> Self {
        Self(self.0 / parts)
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for SimTime {
    /// As `h:mm:ss` and milliseconds where there are any: `0:05:12.250`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("never");
        }
        let (seconds, millis) = (self.0 / 1_000_000_000, self.0 / 1_000_000 % 1_000);
        write!(f, "{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        if millis == 0 { Ok(()) } else { write!(f, ".{millis:03}") }
    }
}

impl fmt::Display for SimDuration {
    /// In the largest unit that keeps the number readable: `250ms`, `1m30s`, `2h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0;
        let (unit, name) = match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => return long(nanos, f),
        };
        write!(f, "{}{name}", trimmed(nanos as f64 / f64::from(unit)))
    }
}

/// A duration of a second or more, as hours, minutes and seconds.
fn long(nanos: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
    if minutes >= 60 {
        write!(f, "{}h", minutes / 60)?;
    }
    if !minutes.is_multiple_of(60) {
        write!(f, "{}m", minutes % 60)?;
    }
    if rest > 0 { write!(f, "{}s", trimmed(rest as f64 / 1e9)) } else { Ok(()) }
}

/// `number` with at most three decimals and no zeros at the end.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let rows = [
            (0, "0s"),
            (250, "250ns"),
            (1_500, "1.5us"),
            (250_000_000, "250ms"),
            (1_000_000_000, "1s"),
            (90_000_000_000, "1m30s"),
            (7_200_000_000_000, "2h"),
            (5_400_000_000_000, "1h30m"),
        ];
        for (nanos, text) in rows {
            assert_eq!(SimDuration(nanos).to_string(), text);
        }
    }

    #[test]
    fn moments_read_as_a_clock() {
        assert_eq!(SimTime::from_nanos(312_250_000_000).to_string(), "0:05:12.250");
        assert_eq!(SimTime::NEVER.to_string(), "never");
    }

    #[test]
    #[should_panic(expected = "is after")]
    fn time_does_not_run_backwards() {
        let _ = SimTime::from_secs(1).since(SimTime::from_secs(2));
    }
}
