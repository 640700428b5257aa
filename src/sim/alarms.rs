//! Alarms: events of which each may be moved about, and which of them is first.
//!
//! A tree of minima with four children to a node. A change climbs from its leaf and
//! stops where it makes no difference, so an alarm that isn't first moves at the
//! cost of a few comparisons, whatever the number of alarms.

/// An alarm that isn't set.
const NEVER: u64 = u64::MAX;

/// Alarms by number; of those for one instant the one with the smaller number is
/// first.
#[derive(Clone, Debug)]
pub struct Alarms<E> {
    /// The four children of each inner element, each the smallest time below it.
    /// Element 0 is the root, and the children of `e` are 4 `e` + 1 to 4 `e` + 4.
    groups: Vec<[u64; 4]>,
    /// The smallest time of all.
    root: u64,
    /// Element of alarm 0; the others follow.
    leaves: usize,
    /// What each alarm hands out.
    events: Vec<E>,
    /// The alarm that was taken last, while it still stands in the tree: it is
    /// nearly always set anew before anybody looks, and then climbs only once.
    taken: Option<u32>,
}

impl<E> Default for Alarms<E> {
    fn default() -> Self {
        Self { groups: vec![[NEVER; 4]], root: NEVER, leaves: 1, events: Vec::new(), taken: None }
    }
}

impl<E: Copy> Alarms<E> {
    /// When the first alarm goes off, in nanoseconds; `u64::MAX` if none is set.
    #[inline]
    pub fn first(&mut self) -> u64 {
        if let Some(taken) = self.taken.take() {
            self.change(taken as usize, NEVER);
        }
        self.root
    }

    /// Sets an alarm, or forgets what it was set for (`u64::MAX`); whether it was set
    /// before.
    #[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
    #[inline(always)]
    pub fn set(&mut self, alarm: u32, time: u64, event: E) -> bool {
        if alarm as usize >= self.events.len() {
            // Most pods that follow a usage curve never have an alarm.
            if time == NEVER {
                return false;
            }
            self.grow(alarm as usize + 1, event);
        }
        self.events[alarm as usize] = event;
        let before = self.change(alarm as usize, time);
        let taken = self.taken == Some(alarm);
        if taken {
            self.taken = None;
        }
        before != NEVER && !taken
    }

    /// Takes the event of the alarm that [`Alarms::first`] spoke of; it isn't set
    /// any more.
    #[inline]
    pub fn take(&mut self) -> E {
        let mut element = 0;
        while element < self.leaves {
            // Sums instead of branches: which child it is can't be predicted.
            let group = &self.groups[element];
            let a = usize::from(group[0] != self.root);
            let b = a & usize::from(group[1] != self.root);
            let c = b & usize::from(group[2] != self.root);
            element = 4 * element + 1 + a + b + c;
        }
        let alarm = element - self.leaves;
        self.taken = Some(alarm as u32);
        self.events[alarm]
    }

    /// Gives an alarm another time; returns the one it had.
    #[inline]
    fn change(&mut self, alarm: usize, time: u64) -> u64 {
        let mut element = self.leaves + alarm - 1;
        let had = std::mem::replace(&mut self.groups[element / 4][element % 4], time);
        let mut before = had;
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
        had
    }

    /// Room for so many alarms; `like` stands where none has been set.
    #[cold]
    fn grow(&mut self, count: usize, like: E) {
        self.first();
        let times: Vec<u64> = (0..self.events.len()).map(|alarm| self.time_of(alarm)).collect();
        self.events.resize(count, like);
        while self.groups.len() * 4 - self.leaves + 1 < count {
            self.leaves = 4 * self.leaves + 1;
            self.groups = vec![[NEVER; 4]; self.leaves];
        }
        self.groups.fill([NEVER; 4]);
        self.root = NEVER;
        for (alarm, time) in times.into_iter().enumerate() {
            self.change(alarm, time);
        }
    }

    fn time_of(&self, alarm: usize) -> u64 {
        let element = self.leaves + alarm - 1;
        self.groups[element / 4][element % 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Seed;

    #[test]
    fn the_first_is_the_smallest_with_the_smallest_number() {
        for count in [1, 3, 4, 5, 17, 64, 65, 300_u64] {
            let mut stream = Seed { base: 3, replication: count as u32 }.stream("alarms");
            let (mut alarms, mut times) = (Alarms::default(), vec![NEVER; count as usize]);
            for step in 0..5_000 {
                // More come in the course of it.
                let alarm = stream.below((count * (step + 1)).div_ceil(5_000)) as usize;
                let was_set = times[alarm] != NEVER;
                if stream.below(4) == 0 {
                    times[alarm] = NEVER;
                } else {
                    // Few distinct times, so that there are ties.
                    times[alarm] = stream.below(50);
                }
                let seen = alarms.set(alarm as u32, times[alarm], alarm);
                assert_eq!(seen, was_set, "{count} alarms, step {step}");
                if stream.below(3) == 0 {
                    let first = times.iter().copied().min().unwrap_or(NEVER);
                    assert_eq!(alarms.first(), first, "{count} alarms, step {step}");
                    let place = times.iter().position(|&time| time == first && time != NEVER);
                    if let Some(place) = place {
                        assert_eq!(alarms.take(), place, "{count} alarms, step {step}");
                        times[place] = NEVER;
                    }
                }
            }
        }
    }
}
