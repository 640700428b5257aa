//! CPU, memory and percentages, each a type of its own.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};

use crate::units::SimDuration;

/// CPU in thousandths of a core (`500m` is half a core).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpu(pub u64);

/// Memory or storage in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A whole number of percent, as the Kubernetes API has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(pub u32);

impl MilliCpu {
    /// No CPU.
    pub const ZERO: Self = Self(0);

    /// The same in cores.
    pub fn as_cores(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The CPU time that it comes to over a length of time.
    #[inline]
    pub fn over(self, length: SimDuration) -> SimDuration {
        // Of pods that follow usage curves, each sample asks for what nothing comes to.
        match self.0 {
            0 => SimDuration::ZERO,
            milli => SimDuration::from_nanos(milli * length.as_nanos() / 1_000),
        }
    }
}

impl Bytes {
    /// No memory.
    pub const ZERO: Self = Self(0);

    /// `mebibytes` times 2^20 bytes.
    pub const fn from_mib(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }
}

macro_rules! amount {
    ($name:ident) => {
        impl $name {
            /// The difference, or zero when `other` is more.
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.checked_sub(other.0).expect("no more is given back than was taken"))
            }
        }

        impl Mul<u64> for $name {
            type Output = Self;
            fn mul(self, times: u64) -> Self {
                Self(self.0.saturating_mul(times))
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::default(), Add::add)
            }
        }
    };
}

amount!(MilliCpu);
amount!(Bytes);

impl fmt::Display for MilliCpu {
    /// As Kubernetes prints it: `250m`, or `2` for whole cores.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) { write!(f, "{}", self.0 / 1_000) } else { write!(f, "{}m", self.0) }
    }
}

impl fmt::Display for Bytes {
    /// In binary units, with at most one decimal: `512Mi`, `1.5Gi`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(1 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
        match UNITS.iter().find(|(size, _)| self.0 >= *size) {
            None => write!(f, "{}", self.0),
            Some((size, unit)) if self.0.is_multiple_of(*size) => write!(f, "{}{unit}", self.0 / size),
            Some((size, unit)) => write!(f, "{:.1}{unit}", self.0 as f64 / *size as f64),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_kubernetes_prints_them() {
        assert_eq!(MilliCpu(250).to_string(), "250m");
        assert_eq!(MilliCpu(2_000).to_string(), "2");
        assert_eq!(Bytes::from_mib(512).to_string(), "512Mi");
        assert_eq!(Bytes::from_mib(1_536).to_string(), "1.5Gi");
        assert_eq!(Percent(80).to_string(), "80%");
    }
}
