//! Chance: one seed, named streams, and distributions that give the same
//! numbers on every machine.
//!
//! Two kinds of draws:
//!
//! * a [`Stream`] is a named generator for what happens in order (arrivals,
//!   start-up times). A draw from one stream shifts nothing in another;
//! * [`draw`] is a function of a key and a purpose, for everything that belongs
//!   to one request. Two runs with different settings give the same request the
//!   same luck, whatever the order in which they come to it.
//!
//! All functions are `libm`'s, never the platform's: results must not depend on
//! the machine.

mod distribution;
mod sampler;

pub use distribution::Distribution;
pub use sampler::Sampler;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Where all chance of a run comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// What the user gave (`--seed`).
    pub base: u64,
    /// Which replication of it this is.
    pub replication: u32,
}

impl Seed {
    /// The key of everything that is called `name` in this run.
    pub fn key(self, name: &str) -> u64 {
        // FNV-1a over the name; the finaliser in `draw` does the mixing.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        draw(draw(self.base, u64::from(self.replication)), hash)
    }

    /// The generator called `name`.
    pub fn stream(self, name: &str) -> Stream {
        Stream(Pcg64::seed_from_u64(self.key(name)))
    }
}

/// A named generator.
#[derive(Clone, Debug)]
pub struct Stream(Pcg64);

impl Stream {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// A whole number in `0..bound`; `bound` is above 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        below(self.bits(), bound)
    }
}

/// 64 random bits that belong to `key` and `purpose` and to nothing else.
///
/// The finaliser is that of SplitMix64 (Steele, Lea, Flood 2014), which passes
/// the usual statistical test batteries on counters as input.
#[inline]
pub fn draw(key: u64, purpose: u64) -> u64 {
    let mut z = key.wrapping_add(purpose.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Random bits as a number in `0.0..1.0`.
#[inline]
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Random bits as a whole number in `0..bound` (Lemire's multiplication; its
/// bias, below `bound` ÷ 2^64, is far under what a simulation can notice).
#[inline]
pub fn below(bits: u64, bound: u64) -> u64 {
    debug_assert!(bound > 0, "there must be something to choose from");
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_draws_are_pinned() {
        // Results are promised to be the same on every machine and release.
        let seed = Seed { base: 42, replication: 0 };
        let mut stream = seed.stream("arrivals");
        let seen = (seed.key("arrivals"), stream.bits(), stream.bits(), draw(1, 2));
        assert_eq!(
            seen,
            (
                14_026_288_080_605_365_176,
                819_032_880_055_287_780,
                16_672_561_286_795_479_705,
                17_911_839_290_282_890_590
            ),
            "the generator's first numbers have changed"
        );
    }

    #[test]
    fn streams_are_told_apart_by_name_and_replication() {
        let (one, two) = (Seed { base: 1, replication: 0 }, Seed { base: 1, replication: 1 });
        assert_ne!(one.key("a"), one.key("b"));
        assert_ne!(one.key("a"), two.key("a"));
    }

    #[test]
    fn choices_are_even() {
        let mut counts = [0_u32; 7];
        for number in 0..70_000 {
            counts[below(draw(9, number), 7) as usize] += 1;
        }
        // Chi-squared with 6 degrees of freedom stays below 22.5 with probability 0.999.
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 22.5, "chi-squared {chi} for {counts:?}");
    }
}
