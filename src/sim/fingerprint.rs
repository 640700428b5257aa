//! A running hash of everything that happens in a run.
//!
//! Two runs with equal fingerprints went the same way, event by event: the
//! cheapest strong regression test (OMNeT++ has had it for decades).

/// A running hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0x243F_6A88_85A3_08D3)
    }
}

impl Fingerprint {
    /// Folds a fact in; order matters.
    #[inline]
    pub fn fold(&mut self, fact: u64) {
        // One multiplication by an odd constant after a rotation: every bit of
        // the past moves, and a swap of two facts shows.
        self.0 = (self.0.rotate_left(23) ^ fact).wrapping_mul(0x9FB2_1C65_1E98_DF25);
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_matters() {
        let hash = |facts: [u64; 2]| {
            let mut one = Fingerprint::default();
            for fact in facts {
                one.fold(fact);
            }
            one.value()
        };
        assert_ne!(hash([1, 2]), hash([2, 1]));
        assert_eq!(hash([1, 2]), hash([1, 2]));
    }
}
