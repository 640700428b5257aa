//! Times by number, of which the least is always known.
//!
//! A tree of minima with four children to a node. A change climbs from its leaf and
//! stops where it makes no difference, so a time that isn't the least changes at the
//! cost of a few comparisons, whatever their number.

/// Stands where there is no time.
pub const NEVER: u64 = u64::MAX;

/// Times in nanoseconds by number; [`NEVER`] for a number without one.
#[derive(Clone, Debug)]
pub struct Minima {
    /// The four children of each inner element, each the smallest time below it.
    /// Element 0 is the root, and the children of `e` are 4 `e` + 1 to 4 `e` + 4.
    groups: Vec<[u64; 4]>,
    /// The smallest time of all.
    root: u64,
    /// Element of number 0; the others follow.
    leaves: usize,
}

impl Default for Minima {
    fn default() -> Self {
        Self { groups: vec![[NEVER; 4]], root: NEVER, leaves: 1 }
    }
}

impl Minima {
    /// The least time.
    #[inline]
    pub fn least(&self) -> u64 {
        self.root
    }

    /// The smallest number that has the least time.
    pub fn first(&self) -> usize {
        let mut element = 0;
        while element < self.leaves {
            let least = self.groups[element].iter().position(|&time| time == self.root);
            element = 4 * element + 1 + least.unwrap_or(0);
        }
        element - self.leaves
    }

    /// A number's time changes.
    pub fn set(&mut self, number: usize, time: u64) {
        if number >= self.room() {
            self.grow(number + 1);
        }
        let mut element = self.leaves + number - 1;
        let mut before = std::mem::replace(&mut self.groups[element / 4][element % 4], time);
        let mut after = time;
        while before != after {
            let above = element / 4;
            let group = &self.groups[above];
            after = group[0].min(group[1]).min(group[2].min(group[3]));
            if above == 0 {
                self.root = after;
                break;
            }
            element = above - 1;
            before = std::mem::replace(&mut self.groups[element / 4][element % 4], after);
        }
    }

    /// How many numbers there is room for.
    fn room(&self) -> usize {
        self.groups.len() * 4 + 1 - self.leaves
    }

    /// Room for so many numbers.
    #[cold]
    fn grow(&mut self, count: usize) {
        let times: Vec<u64> = self.groups.iter().flatten().copied().skip(self.leaves - 1).collect();
        while self.room() < count {
            self.leaves = 4 * self.leaves + 1;
            self.groups = vec![[NEVER; 4]; self.leaves];
        }
        self.root = NEVER;
        for (number, time) in times.into_iter().enumerate() {
            self.set(number, time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Seed;

    #[test]
    fn the_first_is_the_smallest_number_with_the_least_time() {
        for count in [1, 3, 4, 5, 17, 64, 65, 300_u64] {
            let mut stream = Seed { base: 3, replication: count as u32 }.stream("minima");
            let (mut minima, mut times) = (Minima::default(), vec![NEVER; count as usize]);
            for step in 0..5_000 {
                // More come in the course of it.
                let number = stream.below((count * (step + 1)).div_ceil(5_000)) as usize;
                // Few distinct times, so that there are ties.
                times[number] = if stream.below(4) == 0 { NEVER } else { stream.below(50) };
                minima.set(number, times[number]);
                let least = times.iter().copied().min().unwrap_or(NEVER);
                assert_eq!(minima.least(), least, "{count} times, step {step}");
                if least != NEVER {
                    let place = times.iter().position(|&time| time == least);
                    assert_eq!(Some(minima.first()), place, "{count} times, step {step}");
                }
            }
        }
    }
}
