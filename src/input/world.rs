//! Worlds: what nobody knows for sure, at another place of its range.
//!
//! A value with a range is an unknown. Values that rest on one figure (the same
//! kind, range and source in several places) are one unknown and move together:
//! where the figure is wrong, it is wrong in all of them.

use std::collections::BTreeMap;

use crate::input::scalar::Scalar;
use crate::scenario::Basis;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// Where in their ranges unknowns are, by key: 0 is the low end, 1 the high end,
/// and between them the share of worlds that lie below. What is not named has its
/// middle value, so the default is the world that every other command simulates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World(pub BTreeMap<String, f64>);

/// Something that is not known for sure.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// What worlds call it; made of all that tells it from others.
    pub key: String,
    /// Whose it is: `chat-service/send`, in the order of reading.
    pub owners: Vec<String>,
    /// What it is: `CPU`.
    pub kind: String,
    /// The lowest plausible value as it is written.
    pub low: String,
    /// The value that is used where nothing else is said.
    pub mid: String,
    /// The highest plausible value.
    pub high: String,
    /// What it rests on.
    pub basis: Basis,
    /// Where it comes from.
    pub source: String,
}

/// Owners that a name lists before it counts.
const NAMED: usize = 1;

impl Unknown {
    /// What is not known of `about` (`chat-service/send: CPU`).
    pub fn new(about: &str, (low, mid, high): (&Scalar, &str, &Scalar), basis: Basis, source: &str) -> Self {
        let (owner, kind) = about.rsplit_once(": ").unwrap_or((about, "value"));
        let (low, high) = (low.to_string(), high.to_string());
        let key = [kind, &low, mid, &high, source].join(" | ");
        Self {
            key,
            owners: vec![owner.to_owned()],
            kind: kind.to_owned(),
            low,
            mid: mid.to_owned(),
            high,
            basis,
            source: source.to_owned(),
        }
    }

    /// `chat-service/send and 4 more: CPU`.
    pub fn name(&self) -> String {
        let named = self.owners[..self.owners.len().min(NAMED)].join(", ");
        let more = match self.owners.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{named}{more}: {}", self.kind)
    }

    /// Adds to a list, or to the one in it that rests on the same figure.
    pub fn add_to(self, all: &mut Vec<Self>) {
        match all.iter_mut().find(|known| known.key == self.key) {
            Some(known) => {
                let new = self.owners.into_iter().filter(|owner| !known.owners.contains(owner));
                known.owners.extend(new.collect::<Vec<_>>());
            }
            None => all.push(self),
        }
    }
}

/// What has values between two others.
pub trait Graded: PartialOrd + Copy {
    /// As a number, in whatever unit.
    fn number(self) -> f64;
    /// Back from that number.
    fn of(number: f64) -> Self;
}

impl Graded for f64 {
    fn number(self) -> f64 {
        self
    }
    fn of(number: f64) -> Self {
        number
    }
}

impl Graded for u32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
    fn of(number: f64) -> Self {
        number.round() as Self
    }
}

impl Graded for SimDuration {
    fn number(self) -> f64 {
        self.as_nanos() as f64
    }
    fn of(number: f64) -> Self {
        Self::from_nanos(number.round() as u64)
    }
}

impl Graded for MilliCpu {
    fn number(self) -> f64 {
        self.0 as f64
    }
    fn of(number: f64) -> Self {
        Self(number.round() as u64)
    }
}

impl Graded for Bytes {
    fn number(self) -> f64 {
        self.0 as f64
    }
    fn of(number: f64) -> Self {
        Self(number.round() as u64)
    }
}

impl World {
    /// The world in which one unknown alone is at another place of its range.
    pub fn with(key: &str, share: f64) -> Self {
        Self(BTreeMap::from([(key.to_owned(), share)]))
    }

    /// The value that an unknown has here.
    pub fn value<T: Graded>(&self, key: &str, low: T, mid: T, high: T) -> T {
        match self.0.get(key) {
            None => mid,
            // The ends as they are written, whatever rounding would make of them.
            Some(share) if *share <= 0.0 => low,
            Some(share) if *share >= 1.0 => high,
            Some(share) => T::of(triangular(*share, low.number(), mid.number(), high.number())),
        }
    }
}

/// The quantile of a three-point estimate: a triangular distribution with its mode
/// at `mid`. On the scale of logarithms where it can be, as people are wrong by
/// factors and ranges span decades.
fn triangular(share: f64, low: f64, mid: f64, high: f64) -> f64 {
    if low > 0.0 {
        let [low, mid, high] = [low, mid, high].map(libm::log);
        return libm::exp(triangle(share, low, mid, high));
    }
    triangle(share, low, mid, high)
}

fn triangle(share: f64, low: f64, mid: f64, high: f64) -> f64 {
    let width = high - low;
    if width <= 0.0 {
        return mid;
    }
    if share * width < mid - low {
        low + (share * width * (mid - low)).sqrt()
    } else {
        high - ((1.0 - share) * width * (high - mid)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_three_points() {
        let world = |share| World::with("x", share);
        // A triangle from 0 to 4 around 1: a quarter lies below the mode.
        for (share, value) in [(0.0, 0.0), (0.25, 1.0), (1.0, 4.0), (0.0625, 0.5), (0.8125, 2.5)] {
            let seen = world(share).value("x", 0.0, 1.0, 4.0);
            assert!((seen - value).abs() < 1e-9, "{share}: {seen}");
        }
        // From 1 to 100 around 10 the scale is logarithmic.
        assert!((world(0.5).value("x", 1.0, 10.0, 100.0) - 10.0).abs() < 1e-9);
        assert_eq!(world(0.9).value("another", 1, 10, 100), 10_u32);
        let third = world(1.0).value("x", MilliCpu(1), MilliCpu(3), MilliCpu(10));
        assert_eq!(third, MilliCpu(10));
        assert_eq!(world(0.5).value("x", 2, 2, 2), 2_u32);
    }

    #[test]
    fn what_rests_on_one_figure_is_one_unknown() {
        let mut all = Vec::new();
        let (low, high) = (Scalar::from("1ms"), Scalar::from("9ms"));
        let rows = [("a/x: CPU", "3ms"), ("b/y: CPU", "3ms"), ("c/z: CPU", "4ms"), ("d: waiting", "3ms")];
        for (about, mid) in rows.into_iter().chain([("e/w: CPU", "3ms")]) {
            Unknown::new(about, (&low, mid, &high), Basis::Prior, "a book").add_to(&mut all);
        }
        let names: Vec<String> = all.iter().map(Unknown::name).collect();
        assert_eq!(names, ["a/x and 2 more: CPU", "c/z: CPU", "d: waiting"]);
    }
}
