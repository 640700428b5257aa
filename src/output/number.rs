//! Numbers in data files.

use std::fmt;

use serde::{Serialize, Serializer};

/// A number of a data file: whole ones without a point, others with nine digits
/// that count, what is not finite as nothing.
///
/// Nine digits are more than any figure here is good for, and they hide the
/// last bits, in which mathematical functions may differ between machines.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Number(pub f64);

impl Number {
    fn rounded(self) -> f64 {
        format!("{:.8e}", self.0).parse().unwrap_or(self.0)
    }

    fn whole(self) -> Option<i64> {
        // Up to here every whole number has its own f64. Counts stay exact;
        // what is whole only after rounding is written without a point, too.
        let is_whole = |number: f64| number.fract() == 0.0 && number.abs() < 9e15;
        [self.0, self.rounded()].into_iter().find(|number| is_whole(*number)).map(|number| number as i64)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_i64(whole),
            None if self.0.is_finite() => serializer.serialize_f64(self.rounded()),
            None => serializer.serialize_none(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => write!(f, "{whole}"),
            None if self.0.is_finite() => write!(f, "{}", self.rounded()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact_enough() {
        let rows = [
            (3.0, "3"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333333"),
            (-2.5, "-2.5"),
            (12_345_678_901.0, "12345678901"),
            (f64::NAN, ""),
        ];
        for (number, text) in rows {
            assert_eq!(Number(number).to_string(), text);
        }
        assert_eq!(serde_json::to_string(&[Number(2.0), Number(f64::INFINITY)]).unwrap(), "[2,null]");
    }
}
