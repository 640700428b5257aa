//! Resource quantities (`500m`, `2Gi`, `1e3`), parsed and printed exactly.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go`
//! and `suffix.go`. Values are kept in billionths, the finest that the API knows.

use std::fmt;
use std::str::FromStr;

use crate::units::{Bytes, MilliCpu};

/// Billionths in one.
const NANO: i128 = 1_000_000_000;
/// The largest value that upstream keeps for texts of more than 18 digits and
/// for binary suffixes.
const CAP: i128 = i64::MAX as i128 * NANO;
/// Texts up to this many digits escape the cap.
const SHORT: usize = 18;

/// An exact amount, with the notation it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Billionths.
    nanos: i128,
    /// How it is printed.
    format: Format,
}

/// The notation of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `500m`, `2`, `3M`
    DecimalSi,
    /// `512Mi`
    BinarySi,
    /// `1e3`
    DecimalExponent,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing, or a space where a digit belongs.
    #[error("a quantity is a number and an optional suffix, as `500m`, `2` or `1.5Gi`")]
    Shape,
    /// A suffix that isn't one.
    #[error("unknown suffix; quantities end in m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or nothing")]
    Suffix,
}

impl Quantity {
    /// A quantity of so many billionths.
    pub fn from_nanos(nanos: i128, format: Format) -> Self {
        Self { nanos, format }
    }

    /// Billionths.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// The notation it was written in.
    pub fn format(self) -> Format {
        self.format
    }

    /// Whole units, rounded away from zero.
    pub fn value(self) -> i64 {
        self.scaled(NANO)
    }

    /// Thousandths, rounded away from zero.
    pub fn milli_value(self) -> i64 {
        self.scaled(NANO / 1_000)
    }

    /// As CPU; a negative amount is none.
    pub fn to_milli_cpu(self) -> MilliCpu {
        MilliCpu(u64::try_from(self.milli_value()).unwrap_or(0))
    }

    /// As bytes; a negative amount is none.
    pub fn to_bytes(self) -> Bytes {
        Bytes(u64::try_from(self.value()).unwrap_or(0))
    }

    fn scaled(self, unit: i128) -> i64 {
        let size = self.nanos.unsigned_abs().div_ceil(unit.unsigned_abs());
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if self.nanos < 0 { -size } else { size }
    }
}

/// A suffix: its notation, and the power of its base.
fn suffix(text: &str) -> Option<(Format, i32)> {
    use Format::{BinarySi, DecimalExponent, DecimalSi};
    let found = match text {
        "n" => (DecimalSi, -9),
        "u" => (DecimalSi, -6),
        "m" => (DecimalSi, -3),
        "" => (DecimalSi, 0),
        "k" => (DecimalSi, 3),
        "M" => (DecimalSi, 6),
        "G" => (DecimalSi, 9),
        "T" => (DecimalSi, 12),
        "P" => (DecimalSi, 15),
        "E" => (DecimalSi, 18),
        "Ki" => (BinarySi, 10),
        "Mi" => (BinarySi, 20),
        "Gi" => (BinarySi, 30),
        "Ti" => (BinarySi, 40),
        "Pi" => (BinarySi, 50),
        "Ei" => (BinarySi, 60),
        _ => (DecimalExponent, text.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(found)
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Shape);
        }
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = unsigned.split_at(digits(unsigned));
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits(rest)),
            None => ("", rest),
        };
        if rest.starts_with([' ', '.', '+', '-']) {
            return Err(QuantityError::Shape);
        }
        let (format, exponent) = suffix(rest).ok_or(QuantityError::Suffix)?;
        let (nanos, format) = nanos(whole.trim_start_matches('0'), fraction, format, exponent);
        Ok(Self { nanos: if negative { -nanos } else { nanos }, format })
    }
}

/// The size in billionths, rounded up, and the notation that can print it.
fn nanos(whole: &str, fraction: &str, format: Format, exponent: i32) -> (i128, Format) {
    let binary = format == Format::BinarySi;
    let power = if binary { 0 } else { exponent };
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    let significant = digits.len();
    // Where the point stands in the digits once they count billionths.
    let point = whole.len() as i64 + i64::from(power) + 9;
    let factor = if binary { 1_i128 << exponent } else { 1 };
    let kept = if point <= 0 { 0 } else { (point as usize).min(significant) };
    let tail = digits.split_off(kept);
    let zeros = usize::try_from(point).unwrap_or(0).saturating_sub(significant);
    let decimal = |digits: &[u8]| {
        digits.iter().try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(i128::from(*digit)))
    };
    let size = decimal(&digits)
        .and_then(
            |size| if size == 0 { Some(0) } else { size.checked_mul(10_i128.checked_pow(zeros as u32)?) },
        )
        .and_then(|size| size.checked_mul(factor))
        .and_then(|size| size.checked_add(tail_size(&tail, point, factor)));
    let long = binary || significant > SHORT;
    let size = size.map_or(CAP, |size| if long { size.min(CAP) } else { size });
    if binary && size > 0 && size < NANO { (size, Format::DecimalSi) } else { (size, format) }
}

/// What the digits beyond the billionths add, times a binary factor, rounded up.
fn tail_size(tail: &[u8], point: i64, factor: i128) -> i128 {
    if tail.iter().all(|digit| *digit == 0) {
        return 0;
    }
    // At most 2^60 times a fraction: beyond 38 places nothing but "more than
    // nothing" is left of a digit.
    let gap = usize::try_from(-point).unwrap_or(0).min(40);
    let places = std::iter::repeat_n(&0, gap).chain(tail).take(20);
    let (mut sum, mut scale) = (0_i128, 1_i128);
    let mut count = 0;
    for digit in places {
        sum = sum * 10 + i128::from(*digit);
        scale *= 10;
        count += 1;
    }
    let dropped = tail.len() + gap > count
        && tail[count.saturating_sub(gap).min(tail.len())..].iter().any(|digit| *digit > 0);
    let product = sum * factor;
    product / scale + i128::from(product % scale > 0 || dropped)
}

impl fmt::Display for Quantity {
    /// In canonical form: no fraction, the largest suffix that allows that.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        let kibi = 1_024 * NANO;
        match self.format {
            Format::BinarySi if whole && (self.nanos >= kibi || self.nanos <= -kibi) => {
                let (number, power) = shortened(self.nanos / NANO, 1_024, 6);
                write!(f, "{number}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power])
            }
            Format::BinarySi | Format::DecimalSi => {
                let (number, power) = shortened(self.nanos, 1_000, 9);
                write!(f, "{number}{}", ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][power])
            }
            Format::DecimalExponent => {
                let (number, power) = shortened(self.nanos, 1_000, usize::MAX);
                let exponent = power as i64 * 3 - 9;
                if exponent == 0 { write!(f, "{number}") } else { write!(f, "{number}e{exponent}") }
            }
        }
    }
}

/// `number` divided by `base` as often as it goes without a rest, at most
/// `most` times, and how often that was.
fn shortened(mut number: i128, base: i128, most: usize) -> (i128, usize) {
    let mut times = 0;
    while times < most && number % base == 0 {
        number /= base;
        times += 1;
    }
    (number, times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows of a CSV file without its heading.
    fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
        text.lines().skip(1).map(|line| line.split(',').collect())
    }

    #[test]
    fn upstream_s_texts_have_upstream_s_values() {
        for row in rows(include_str!("../../tests/data/quantities/quantities.csv")) {
            let parsed: Result<Quantity, _> = row[0].parse();
            let expected = (row[1] == "valid").then(|| {
                let (whole, fraction) = row[2].split_once('.').unwrap_or((row[2], ""));
                format!("{whole}{fraction:0<9}").parse::<i128>().unwrap()
            });
            assert_eq!(parsed.ok().map(Quantity::nanos), expected, "{row:?}");
            if let Ok(quantity) = parsed {
                let format = format!("{:?}", quantity.format()).replace("Si", "SI");
                assert_eq!(format, row[3], "{row:?}");
            }
        }
    }

    #[test]
    fn printing_is_upstream_s() {
        let tables = [
            include_str!("../../tests/data/quantities/canonical.csv"),
            include_str!("../../tests/data/quantities/printed.csv"),
        ];
        for row in tables.into_iter().flat_map(rows) {
            assert_eq!(row[0].parse::<Quantity>().unwrap().to_string(), row[1], "{row:?}");
        }
    }

    #[test]
    fn amounts_round_up() {
        let rows = [
            ("250m", 250, 1),
            ("0.1", 100, 1),
            (".5", 500, 1),
            ("1.0001", 1_001, 2),
            ("1n", 1, 1),
            ("-1500m", 0, 0),
            ("1Gi", 1_099_511_627_776_000 / 1_024, 1 << 30),
            ("0.05Gi", 53_687_091_200, 53_687_092),
            ("1e99", i64::MAX as u64, i64::MAX as u64),
            ("1e-99", 1, 1),
        ];
        for (text, milli, bytes) in rows {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.to_milli_cpu(), MilliCpu(milli), "{text}");
            assert_eq!(quantity.to_bytes(), Bytes(bytes), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_then_parsing_changes_nothing(nanos in -CAP..=CAP, format in 0..3, round in 0_u32..28) {
            let format = [Format::DecimalSi, Format::BinarySi, Format::DecimalExponent][format as usize];
            let unit = 10_i128.pow(round);
            let nanos = if format == Format::BinarySi { nanos / NANO * NANO } else { nanos / unit * unit };
            let text = Quantity::from_nanos(nanos, format).to_string();
            let again: Quantity = text.parse().unwrap();
            prop_assert_eq!(again.nanos(), nanos, "{}", text);
            // Beyond 18 digits the suffix that is printed depends on how the number
            // was written; the value doesn't.
            if nanos.abs() < 1_000_000_000_000_000_000 * NANO {
                prop_assert_eq!(again.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text in "[+-]?[0-9]{0,60}[.]?[0-9]{0,60}([eE]?[-+]?[0-9]{0,12}|[numkKMGTPEi]{0,3}| )") {
            let _ = text.parse::<Quantity>();
        }
    }
}
