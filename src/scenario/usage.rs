//! A recorded usage curve: what a workload's ready pods use together over time,
//! for those who have metrics and no model of requests.

use crate::scenario::interpolation::Interpolation;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// A line between two points is followed in pieces of at most this: the shortest
/// time between two looks of an HPA, and between two scrapes as they are usually set.
const PIECE: SimDuration = SimDuration::from_secs(15);

/// What a workload's ready pods use together over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// In order of time, the first at zero, at least one.
    pub points: Vec<UsagePoint>,
    /// What holds between two points.
    pub interpolation: Interpolation,
    /// After which the curve begins anew; `None` where its last value holds for ever.
    pub period: Option<SimDuration>,
    /// When it begins. Before that its first value holds.
    pub start: SimTime,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsagePoint {
    /// From the curve's beginning.
    pub time: SimDuration,
    /// What all ready pods use together.
    pub cpu: MilliCpu,
    /// The same of memory.
    pub memory: Bytes,
}

/// A curve's value that holds for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsagePiece {
    /// CPU of all ready pods.
    pub cpu: MilliCpu,
    /// Memory of all ready pods.
    pub memory: Bytes,
    /// The next piece begins then; [`SimTime::NEVER`] where none does.
    pub until: SimTime,
}

impl Usage {
    /// The piece that begins at, or holds, `now`. A piece of a line has the line's
    /// value at its middle, so that its integral is the line's.
    pub fn at(&self, now: SimTime) -> UsagePiece {
        if now < self.start {
            let UsagePoint { cpu, memory, .. } = self.points[0];
            return UsagePiece { cpu, memory, until: self.start };
        }
        let since = now.since(self.start);
        let within =
            self.period.map_or(since, |period| SimDuration::from_nanos(since.as_nanos() % period.as_nanos()));
        let later = self.points.partition_point(|point| point.time <= within);
        let from = self.points[later.saturating_sub(1)];
        let next = self.points.get(later).copied();
        let wrapped = self.period.map(|period| UsagePoint { time: period, ..self.points[0] });
        let Some(next) = next.or(wrapped) else {
            return UsagePiece { cpu: from.cpu, memory: from.memory, until: SimTime::NEVER };
        };
        let (cpu, memory, end) = match self.interpolation {
            Interpolation::Step => (from.cpu, from.memory, next.time),
            Interpolation::Linear => line(from, next, within),
        };
        UsagePiece { cpu, memory, until: now + (end.saturating_sub(within)) }
    }

    /// How long the curve is: to its last point, or to where it begins anew.
    pub fn length(&self) -> SimDuration {
        let last = self.points.last().map_or(SimDuration::ZERO, |point| point.time);
        self.period.unwrap_or(last)
    }

    /// The same curve at one value for ever: that of the moment `at` from its beginning.
    pub fn held_at(&self, at: SimDuration) -> Self {
        let UsagePiece { cpu, memory, .. } = self.at(self.start + at);
        let point = UsagePoint { time: SimDuration::ZERO, cpu, memory };
        Self { points: vec![point], interpolation: Interpolation::Step, period: None, start: self.start }
    }
}

/// Value and end of the piece of a line that holds `within`.
fn line(from: UsagePoint, to: UsagePoint, within: SimDuration) -> (MilliCpu, Bytes, SimDuration) {
    let into = within.saturating_sub(from.time);
    let number = into.as_nanos() / PIECE.as_nanos();
    let begins = from.time + PIECE * number;
    let ends = (begins + PIECE).min(to.time);
    // In halves, so that the middle of a piece is a whole number of nanoseconds' halves.
    let middle = u128::from((begins + ends).as_nanos()) - 2 * u128::from(from.time.as_nanos());
    let length = 2 * u128::from(to.time.saturating_sub(from.time).as_nanos());
    let between = |from: u64, to: u64| {
        let moved = u128::from(from.abs_diff(to)) * middle;
        let moved = ((moved + length / 2) / length.max(1)) as u64;
        if to >= from { from + moved } else { from - moved }
    };
    (MilliCpu(between(from.cpu.0, to.cpu.0)), Bytes(between(from.memory.0, to.memory.0)), ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(interpolation: Interpolation, period: Option<u64>) -> Usage {
        let point = |seconds: u64, milli: u64, bytes: u64| UsagePoint {
            time: SimDuration::from_secs(seconds),
            cpu: MilliCpu(milli),
            memory: Bytes(bytes),
        };
        Usage {
            points: vec![point(0, 1_000, 100), point(60, 3_000, 500), point(70, 2_000, 0)],
            interpolation,
            period: period.map(SimDuration::from_secs),
            start: SimTime::from_secs(100),
        }
    }

    fn at(usage: &Usage, second: u64) -> (u64, u64, u64) {
        let piece = usage.at(SimTime::from_secs(second));
        let until = if piece.until == SimTime::NEVER { 0 } else { piece.until.as_nanos() / 1_000_000_000 };
        (piece.cpu.0, piece.memory.0, until)
    }

    #[test]
    fn steps_hold_until_the_next_point_and_begin_anew_where_it_is_said() {
        let once = curve(Interpolation::Step, None);
        for (second, expected) in [
            (0, (1_000, 100, 100)),
            (100, (1_000, 100, 160)),
            (159, (1_000, 100, 160)),
            (160, (3_000, 500, 170)),
            (170, (2_000, 0, 0)),
            (9_999, (2_000, 0, 0)),
        ] {
            assert_eq!(at(&once, second), expected, "{second}");
        }
        let again = curve(Interpolation::Step, Some(80));
        assert_eq!(at(&again, 175), (2_000, 0, 180));
        assert_eq!(at(&again, 180), (1_000, 100, 240));
        assert_eq!(at(&again, 240), (3_000, 500, 250));
    }

    #[test]
    fn the_pieces_of_a_line_have_its_integral() {
        let usage = curve(Interpolation::Linear, Some(80));
        assert_eq!(at(&usage, 100), (1_250, 150, 115));
        assert_eq!(at(&usage, 130), (2_250, 350, 145));
        // From the last point back to the first.
        assert_eq!(at(&usage, 170), (1_500, 50, 180));
        let (mut now, mut sum) = (SimTime::from_secs(100), 0);
        while now < SimTime::from_secs(180) {
            let piece = usage.at(now);
            sum += piece.cpu.0 * piece.until.since(now).whole_secs();
            now = piece.until;
        }
        assert_eq!(sum, 60 * 2_000 + 10 * 2_500 + 10 * 1_500);
    }
}
