//! Alarms: events of which each may be moved about, and which of them is first.
//!
//! Nearly all go off within milliseconds. These lie in lists, one for each sixteen
//! microseconds of the next 67 milliseconds, so that an alarm is set and found at the
//! same cost whatever the number of alarms. A tree of minima holds what lies beyond; it
//! stays there even as its time comes near.

use crate::sim::minima::{Minima, NEVER};

/// log2 of the nanoseconds that a list stands for: with fifty thousand alarms a second
/// there is about one in each.
const WIDTH: u32 = 14;
/// How many lists there are, for as many stretches of time from the present one on.
const LISTS: usize = 64 * 64;
/// The end of a list.
const END: u32 = u32::MAX;
/// Stands in the place of the next in its list for an alarm in the tree.
const FAR: u32 = u32::MAX - 1;

/// Alarms by number; of those for one instant the one with the smaller number is
/// first.
#[derive(Clone, Debug)]
pub struct Alarms<E> {
    all: Vec<Alarm<E>>,
    /// The first alarm of each list.
    heads: Box<[u32; LISTS]>,
    /// The lists that aren't empty.
    used: Bits,
    /// Alarms that were set for beyond the lists.
    far: Minima,
    /// The stretch of time, counted from the start, before which no alarm is set.
    present: u64,
    /// When the first goes off, and which it is.
    first: (u64, u32),
    /// Whether `first` is so, or has to be looked for.
    is_known: bool,
}

/// An alarm.
#[derive(Clone, Copy, Debug)]
struct Alarm<E> {
    /// When it goes off; [`NEVER`] while it isn't set.
    time: u64,
    /// The next in its list.
    next: u32,
    /// What it hands out.
    event: E,
}

/// A set of numbers below 4,096: a bit for each, and a bit for each word of them that
/// isn't zero.
#[derive(Clone, Debug)]
struct Bits {
    used: [u64; 64],
    words: u64,
}

impl Bits {
    #[inline]
    fn set(&mut self, number: usize) {
        self.used[number / 64 % 64] |= 1 << (number % 64);
        self.words |= 1 << (number / 64 % 64);
    }

    #[inline]
    fn clear(&mut self, number: usize) {
        let word = &mut self.used[number / 64 % 64];
        *word &= !(1 << (number % 64));
        self.words &= !(u64::from(*word == 0) << (number / 64 % 64));
    }

    /// The first number at or after `from`, and round the circle from the smallest on.
    #[inline]
    fn first_from(&self, from: usize) -> Option<usize> {
        let mut word = from / 64 % 64;
        let mut rest = self.used[word] & (u64::MAX << (from % 64));
        if rest == 0 {
            if self.words == 0 {
                return None;
            }
            let next = word + 1;
            word = (next + self.words.rotate_right(next as u32).trailing_zeros() as usize) % 64;
            rest = self.used[word];
        }
        Some(word * 64 + rest.trailing_zeros() as usize)
    }
}

impl<E> Default for Alarms<E> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            heads: Box::new([END; LISTS]),
            used: Bits { used: [0; 64], words: 0 },
            far: Minima::default(),
            present: 0,
            first: (NEVER, END),
            is_known: true,
        }
    }
}

impl<E: Copy> Alarms<E> {
    /// When the first alarm goes off, in nanoseconds; `u64::MAX` if none is set.
    #[inline]
    pub fn first(&mut self) -> u64 {
        if !self.is_known {
            self.look_for_first();
        }
        self.first.0
    }

    /// Takes the event of the alarm that [`Alarms::first`] spoke of; it isn't set
    /// any more.
    #[inline]
    pub fn take(&mut self) -> E {
        let (time, alarm) = self.first;
        let one = &mut self.all[alarm as usize];
        let (next, event) = (one.next, one.event);
        one.time = NEVER;
        self.is_known = false;
        self.take_out(alarm, time, next);
        event
    }

    /// Says what an alarm hands out from now on. Said once and not whenever it is set, as an
    /// event that has just been put together takes longest to copy.
    pub fn name(&mut self, alarm: u32, event: E) {
        let alarm = alarm as usize;
        if self.all.len() <= alarm {
            self.all.resize(alarm + 1, Alarm { time: NEVER, next: END, event });
        }
        self.all[alarm].event = event;
    }

    /// Sets an alarm that has a name, or forgets what it was set for (`u64::MAX`). No alarm
    /// is set for before `now`.
    #[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
    #[inline(always)]
    pub fn set(&mut self, alarm: u32, (now, time): (u64, u64)) {
        let one = &mut self.all[alarm as usize];
        let (before, next) = (std::mem::replace(&mut one.time, time), one.next);
        if before == time {
            return;
        }
        if before != NEVER {
            self.take_out(alarm, before, next);
        }
        if time != NEVER {
            self.present = now >> WIDTH;
            self.put_in(alarm, time);
        }
        if time <= self.first.0 && (time, alarm) < self.first {
            self.first = (time, alarm);
        } else if self.first.1 == alarm {
            self.is_known = false;
        }
    }

    /// Puts an alarm into the list of its time, or into the tree.
    #[expect(clippy::inline_always, reason = "six times for a request of three hops")]
    #[inline(always)]
    fn put_in(&mut self, alarm: u32, time: u64) {
        let (stretch, one) = (time >> WIDTH, &mut self.all[alarm as usize]);
        if stretch - self.present < LISTS as u64 {
            let list = stretch as usize % LISTS;
            one.next = std::mem::replace(&mut self.heads[list], alarm);
            self.used.set(list);
        } else {
            one.next = FAR;
            self.far.set(alarm as usize, time);
        }
    }

    /// Takes an alarm, and which is its `next`, out of its list or the tree.
    #[inline]
    fn take_out(&mut self, alarm: u32, time: u64, next: u32) {
        if next == FAR {
            self.far.set(alarm as usize, NEVER);
            return;
        }
        let list = (time >> WIDTH) as usize % LISTS;
        if self.heads[list] != alarm {
            return self.unlink(list, alarm, next);
        }
        self.heads[list] = next;
        if next == END {
            self.used.clear(list);
        }
    }

    /// Takes an alarm out of its list where another is before it.
    #[inline(never)]
    fn unlink(&mut self, list: usize, alarm: u32, next: u32) {
        let mut before = &mut self.all[self.heads[list] as usize];
        while before.next != alarm {
            let at = before.next as usize;
            before = &mut self.all[at];
        }
        before.next = next;
    }

    /// Looks for the first alarm: in the first list that isn't empty, and in the tree.
    #[inline]
    fn look_for_first(&mut self) {
        let list = self.used.first_from(self.present as usize);
        let mut first = list.map_or((NEVER, END), |list| self.first_in(self.heads[list % LISTS]));
        if self.far.least() <= first.0 {
            first = first.min((self.far.least(), self.far.first() as u32));
        }
        (self.first, self.is_known) = (first, true);
    }

    /// The first alarm of the list that begins with `head`.
    #[inline]
    fn first_in(&self, head: u32) -> (u64, u32) {
        let one = &self.all[head as usize];
        let (mut first, mut at) = ((one.time, head), one.next);
        while let Some(one) = self.all.get(at as usize) {
            first = first.min((one.time, at));
            at = one.next;
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::{Seed, below};

    #[test]
    fn the_first_is_the_smallest_with_the_smallest_number() {
        for count in [1, 3, 4, 5, 17, 64, 65, 300_u64] {
            let mut stream = Seed { base: 3, replication: count as u32 }.stream("alarms");
            let (mut alarms, mut times) = (Alarms::default(), vec![NEVER; count as usize]);
            let mut now = 0;
            for step in 0..5_000 {
                // More come in the course of it.
                let alarm = stream.below((count * (step + 1)).div_ceil(5_000)) as usize;
                // Few distinct times, so that there are ties: within a list, among lists,
                // and beyond them.
                let (few, scale) = (stream.below(50), [0, 12, 20, 30][stream.below(4) as usize]);
                let time =
                    if stream.below(4) == 0 { NEVER } else { (now >> scale << scale) + (few << scale) };
                times[alarm] = time.max(now);
                alarms.name(alarm as u32, alarm);
                alarms.set(alarm as u32, (now, times[alarm]));
                if stream.below(3) > 0 {
                    continue;
                }
                let first = times.iter().copied().min().unwrap_or(NEVER);
                assert_eq!(alarms.first(), first, "{count} alarms, step {step}");
                let place = times.iter().position(|&time| time == first && time != NEVER);
                if let Some(place) = place {
                    assert_eq!(alarms.take(), place, "{count} alarms, step {step}");
                    times[place] = NEVER;
                    // Time goes on, now and then to where nothing happens.
                    let rest = times.iter().copied().min().unwrap_or(NEVER).min(first + (1 << 31));
                    now = if stream.below(4) == 0 {
                        first + below(stream.bits(), rest - first + 1)
                    } else {
                        first
                    };
                }
            }
        }
    }
}
