//! Pending events, handed out by time and then by the order they were put in.
//!
//! A timing wheel with two levels: fine buckets of 65.5 µs for the present block
//! of 1.07 s, coarse buckets of one block each for the next 73 minutes, and an
//! ordered map for what lies beyond. A bucket is sorted when its turn comes, so
//! the order is exactly that of a heap on (time, order put in), at about a
//! quarter of its cost with 100,000 events pending.

use std::collections::BTreeMap;

use crate::units::{SimDuration, SimTime};

/// log2 of a fine bucket's width in nanoseconds.
const FINE_BITS: u32 = 16;
/// log2 of a block's width: the fine buckets cover one block.
const BLOCK_BITS: u32 = 30;
const FINE: usize = 1 << (BLOCK_BITS - FINE_BITS);
const COARSE: usize = 1 << 12;
const NONE: u32 = u32::MAX;

/// Pending events and the clock.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    now: SimTime,
    /// How many events were ever put in: the tie-break.
    put_in: u64,
    pending: usize,
    /// The bucket being handed out, latest first.
    current: Vec<Entry<E>>,
    /// The block that the fine buckets stand for.
    block: u64,
    /// The first fine bucket that hasn't become `current` yet.
    next_fine: usize,
    fine: Ring,
    coarse: Ring,
    beyond: BTreeMap<u64, u32>,
    nodes: Vec<Node<E>>,
    free: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    time: u64,
    order: u64,
    event: E,
}

/// An entry in a bucket's list, or a free place.
#[derive(Clone, Copy, Debug)]
struct Node<E> {
    entry: Entry<E>,
    next: u32,
}

/// Heads of the buckets' lists, and a bit for each that isn't empty.
#[derive(Clone, Debug)]
struct Ring {
    heads: Vec<u32>,
    used: Vec<u64>,
}

impl Ring {
    fn new(buckets: usize) -> Self {
        Self { heads: vec![NONE; buckets], used: vec![0; buckets / 64] }
    }

    /// Takes a bucket's list out.
    fn take(&mut self, bucket: usize) -> u32 {
        self.used[bucket / 64] &= !(1 << (bucket % 64));
        std::mem::replace(&mut self.heads[bucket], NONE)
    }

    /// Makes `node` the head of a bucket's list; returns the old head.
    fn push(&mut self, bucket: usize, node: u32) -> u32 {
        self.used[bucket / 64] |= 1 << (bucket % 64);
        std::mem::replace(&mut self.heads[bucket], node)
    }

    /// The first bucket at or after `from` that isn't empty.
    fn first_from(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let rest = self.used.get(word)? & (u64::MAX << (from % 64));
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        let next = (word + 1..self.used.len()).find(|&word| self.used[word] != 0)?;
        Some(next * 64 + self.used[next].trailing_zeros() as usize)
    }
}

impl<E: Copy> Default for Agenda<E> {
    fn default() -> Self {
        Self {
            now: SimTime::ZERO,
            put_in: 0,
            pending: 0,
            current: Vec::new(),
            block: 0,
            next_fine: 0,
            fine: Ring::new(FINE),
            coarse: Ring::new(COARSE),
            beyond: BTreeMap::new(),
            nodes: Vec::new(),
            free: NONE,
        }
    }
}

impl<E: Copy> Agenda<E> {
    /// The time of the event handed out last.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// How many events are pending.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Puts an event in for `time`.
    ///
    /// # Panics
    /// When `time` lies in the past.
    #[inline]
    pub fn at(&mut self, time: SimTime, event: E) {
        assert!(time >= self.now, "an event for {time} was put in at {}", self.now);
        let entry = Entry { time: time.as_nanos(), order: self.put_in, event };
        self.put_in += 1;
        self.pending += 1;
        if entry.time < self.current_end() {
            // Latest first, and among equals the newest first: it is handed out last.
            let place = self.current.partition_point(|other| other.time > entry.time);
            self.current.insert(place, entry);
        } else {
            let node = self.store(entry);
            self.file(node);
        }
    }

    /// Puts an event in for `delay` from now.
    #[inline]
    pub fn after(&mut self, delay: SimDuration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Hands out the next event and moves the clock to its time.
    #[inline]
    pub fn hand_out(&mut self) -> Option<(SimTime, E)> {
        loop {
            if let Some(entry) = self.current.pop() {
                self.now = SimTime::from_nanos(entry.time);
                self.pending -= 1;
                return Some((self.now, entry.event));
            }
            if self.pending == 0 {
                return None;
            }
            self.open_next_bucket();
        }
    }

    /// Puts an entry into a free place.
    fn store(&mut self, entry: Entry<E>) -> u32 {
        if self.free == NONE {
            self.nodes.push(Node { entry, next: NONE });
            return u32::try_from(self.nodes.len() - 1).expect("fewer than 4 billion events are pending");
        }
        let place = self.free;
        self.free = self.nodes[place as usize].next;
        self.nodes[place as usize] = Node { entry, next: NONE };
        place
    }

    /// Events before this moment belong into the current bucket.
    fn current_end(&self) -> u64 {
        (self.block << BLOCK_BITS) + ((self.next_fine as u64) << FINE_BITS)
    }

    /// Links a stored entry into the list of its bucket.
    fn file(&mut self, node: u32) {
        let time = self.nodes[node as usize].entry.time;
        let block = time >> BLOCK_BITS;
        let head = if block == self.block {
            self.fine.push((time >> FINE_BITS) as usize % FINE, node)
        } else if block - self.block < COARSE as u64 {
            self.coarse.push(block as usize % COARSE, node)
        } else {
            self.beyond.insert(block, node).unwrap_or(NONE)
        };
        self.nodes[node as usize].next = head;
    }

    /// Makes the next bucket with events the current one.
    fn open_next_bucket(&mut self) {
        let bucket = loop {
            match self.fine.first_from(self.next_fine) {
                Some(bucket) => break bucket,
                None => self.open_next_block(),
            }
        };
        self.next_fine = bucket + 1;
        let mut at = self.fine.take(bucket);
        while at != NONE {
            let node = self.nodes[at as usize];
            self.current.push(node.entry);
            self.nodes[at as usize].next = self.free;
            self.free = at;
            at = node.next;
        }
        self.current.sort_unstable_by_key(|entry| std::cmp::Reverse((entry.time, entry.order)));
    }

    /// Spreads the next block with events over the fine buckets.
    fn open_next_block(&mut self) {
        let near = self.next_coarse();
        let far = self.beyond.keys().next().copied();
        let next = near.into_iter().chain(far).min().expect("an event is pending");
        self.block = next;
        self.next_fine = 0;
        if near == Some(next) {
            let list = self.coarse.take(next as usize % COARSE);
            self.spread(list);
        }
        if let Some(list) = self.beyond.remove(&next) {
            self.spread(list);
        }
    }

    /// Moves a list of the open block's events into their fine buckets.
    fn spread(&mut self, mut at: u32) {
        while at != NONE {
            let next = self.nodes[at as usize].next;
            self.file(at);
            at = next;
        }
    }

    /// The next block with events among the coarse buckets.
    fn next_coarse(&self) -> Option<u64> {
        let start = (self.block as usize + 1) % COARSE;
        let bucket = self.coarse.first_from(start).or_else(|| self.coarse.first_from(0))?;
        let ahead = (bucket + COARSE - start) % COARSE;
        Some(self.block + 1 + ahead as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;
    use crate::sim::random::{Seed, below};

    /// Delays of every size the wheel treats differently, ties included.
    fn delay(bits: u64) -> u64 {
        match bits % 8 {
            0 => 0,
            1 => below(bits, 1 << 10),
            2..5 => below(bits, 1 << 20),
            5 => below(bits, 1 << 31),
            6 => below(bits, 1 << 36),
            _ => (below(bits, 10_000)) << BLOCK_BITS,
        }
    }

    #[test]
    fn the_order_is_that_of_a_heap() {
        for replication in 0..20 {
            let mut stream = Seed { base: 5, replication }.stream("agenda");
            let mut wheel = Agenda::default();
            let mut heap = BinaryHeap::new();
            let mut order = 0_u64;
            for step in 0..30_000 {
                // Fill first, then hold the number, then drain.
                let growing = step < 5_000 || (step < 20_000 && stream.bits().is_multiple_of(2));
                if growing {
                    let time = wheel.now().as_nanos() + delay(stream.bits());
                    wheel.at(SimTime::from_nanos(time), order);
                    heap.push(Reverse((time, order)));
                    order += 1;
                } else {
                    let expected =
                        heap.pop().map(|Reverse((time, order))| (SimTime::from_nanos(time), order));
                    assert_eq!(wheel.hand_out(), expected, "replication {replication}, step {step}");
                }
                assert_eq!(wheel.pending(), heap.len());
            }
        }
    }

    #[test]
    #[should_panic(expected = "was put in at")]
    fn the_past_is_closed() {
        let mut agenda = Agenda::default();
        agenda.at(SimTime::from_secs(2), ());
        agenda.hand_out();
        agenda.at(SimTime::from_secs(1), ());
    }
}
