//! Rows made at random, nasty on purpose: values on edges and just beside them.

pub mod autoscaler;
pub mod scheduling;
pub mod workload;

/// A source of chance that gives the same for the same seed and place.
pub struct Dice(u64);

impl Dice {
    /// The dice of one row.
    pub fn new(seed: u64, place: u64) -> Self {
        let mut dice =
            Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ place.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    /// The next 64 bits (splitmix64).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A whole number from `least` to `most`, both included.
    pub fn range(&mut self, least: i64, most: i64) -> i64 {
        least + (self.next() % (most - least + 1) as u64) as i64
    }

    /// True in so many percent.
    pub fn percent(&mut self, chance: i64) -> bool {
        self.range(1, 100) <= chance
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.range(0, from.len() as i64 - 1) as usize]
    }

    /// A number of any size up to `most`: each length in bits is as likely.
    pub fn sized(&mut self, most: i64) -> i64 {
        let bits = i64::from(64 - most.leading_zeros());
        let size = self.range(0, bits);
        self.range(0, most.min(((1_u128 << size) - 1) as i64))
    }
}
