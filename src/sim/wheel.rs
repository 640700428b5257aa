//! A timing wheel: pending entries in order of time at a cost that hardly grows
//! with their number.
//!
//! Two levels: fine buckets of 65.5 µs for the present block of 1.07 s, coarse
//! buckets of one block each for the next 73 minutes, and an ordered map for what
//! lies beyond. A bucket is sorted when its turn comes, so the order is exactly
//! that of a heap on (time, order put in).

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

/// log2 of a fine bucket's width in nanoseconds.
const FINE_BITS: u32 = 16;
/// log2 of a block's width: the fine buckets cover one block.
pub const BLOCK_BITS: u32 = 30;
const FINE: usize = 1 << (BLOCK_BITS - FINE_BITS);
const COARSE: usize = 1 << 12;
const NONE: u32 = u32::MAX;
/// Above every order: where the keys of lane 0 begin at an instant. Lanes of 16
/// bits stay below the keys of alarms.
const IN_LANE: u64 = 1 << 46;
/// What stands in the place of the order in an alarm's key.
const OF_ALARM: u64 = 1 << 63;

/// When an event is handed out: its time, then the order in which it was put in,
/// as one number because that compares fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u128);

impl Key {
    /// Later than every event.
    pub const NEVER: Self = Self(u128::MAX);

    /// The key of the `order`-th event put in, for a time in nanoseconds.
    pub fn new(time: u64, order: u64) -> Self {
        Self((u128::from(time) << 64) | u128::from(order))
    }

    /// The key of the `order`-th event put in, into this lane: after everything of
    /// its instant that is in none.
    pub fn in_lane(time: u64, lane: u16, order: u64) -> Self {
        debug_assert!(order < IN_LANE, "{order} events were put in");
        Self::new(time, (u64::from(lane) + 1) * IN_LANE + order)
    }

    /// The key of an alarm: after everything else of its instant, by its number.
    pub fn of_alarm(time: u64, alarm: u32) -> Self {
        Self::new(time, OF_ALARM | u64::from(alarm))
    }

    /// The alarm that it is the key of, if it is one's.
    pub fn alarm(self) -> Option<u32> {
        let order = self.0 as u64;
        (order & OF_ALARM != 0).then_some(order as u32)
    }

    /// The same place in the order so many nanoseconds earlier.
    pub fn earlier(self, nanos: u64) -> Self {
        Self(self.0 - (u128::from(nanos) << 64))
    }

    /// The time in nanoseconds.
    pub fn time(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

/// An event with its place in the order.
#[derive(Clone, Copy, Debug)]
pub struct Entry<E> {
    /// Its place.
    pub key: Key,
    /// What it is.
    pub event: E,
}

// Only the key counts: no two entries have the same.
impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// Entries by time.
#[derive(Clone, Debug)]
pub struct Wheel<E> {
    /// The bucket being handed out, latest first.
    current: Vec<Entry<E>>,
    /// The block that the fine buckets stand for.
    block: u64,
    /// The first fine bucket that hasn't become `current` yet.
    next_fine: usize,
    /// Nothing outside `current` comes before this moment; `u64::MAX` when nothing is there.
    next_start: u64,
    fine: Ring,
    coarse: Ring,
    beyond: BTreeMap<u64, u32>,
    nodes: Vec<Node<E>>,
    free: u32,
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
    /// A bit for each word of `used` that isn't zero.
    words: Vec<u64>,
}

impl Ring {
    fn new(buckets: usize) -> Self {
        let words = (buckets / 64).div_ceil(64);
        Self { heads: vec![NONE; buckets], used: vec![0; buckets / 64], words: vec![0; words] }
    }

    /// Takes a bucket's list out.
    fn take(&mut self, bucket: usize) -> u32 {
        let word = &mut self.used[bucket / 64];
        *word &= !(1 << (bucket % 64));
        if *word == 0 {
            self.words[bucket / 4_096] &= !(1 << (bucket / 64 % 64));
        }
        std::mem::replace(&mut self.heads[bucket], NONE)
    }

    /// Makes `node` the head of a bucket's list; returns the old head.
    fn push(&mut self, bucket: usize, node: u32) -> u32 {
        self.used[bucket / 64] |= 1 << (bucket % 64);
        self.words[bucket / 4_096] |= 1 << (bucket / 64 % 64);
        std::mem::replace(&mut self.heads[bucket], node)
    }

    /// The first bucket at or after `from` that isn't empty.
    fn first_from(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let rest = self.used.get(word)? & (u64::MAX << (from % 64));
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        let next = first_bit(&self.words, word + 1)?;
        Some(next * 64 + self.used[next].trailing_zeros() as usize)
    }
}

/// The first bit at or after `from` that is set.
fn first_bit(words: &[u64], from: usize) -> Option<usize> {
    let word = from / 64;
    let rest = words.get(word)? & (u64::MAX << (from % 64));
    if rest != 0 {
        return Some(word * 64 + rest.trailing_zeros() as usize);
    }
    let next = (word + 1..words.len()).find(|&word| words[word] != 0)?;
    Some(next * 64 + words[next].trailing_zeros() as usize)
}

impl<E: Copy> Default for Wheel<E> {
    fn default() -> Self {
        Self {
            current: Vec::new(),
            block: 0,
            next_fine: 0,
            next_start: u64::MAX,
            fine: Ring::new(FINE),
            coarse: Ring::new(COARSE),
            beyond: BTreeMap::new(),
            nodes: Vec::new(),
            free: NONE,
        }
    }
}

impl<E: Copy> Wheel<E> {
    /// Puts an entry in; its time is not before that of the entry taken last.
    #[inline]
    pub fn put(&mut self, entry: Entry<E>) {
        if entry.key.time() < self.current_end() {
            // Latest first, and among equals the newest first: it is handed out last.
            let place = self.current.iter().rposition(|other| other.key.time() > entry.key.time());
            self.current.insert(place.map_or(0, |place| place + 1), entry);
        } else {
            self.next_start = self.next_start.min(entry.key.time());
            let node = self.store(entry);
            self.file(node);
        }
    }

    /// The key of the first entry, if there is one that comes at `limit` or before.
    #[inline]
    pub fn first(&mut self, limit: u64) -> Option<Key> {
        loop {
            if let Some(entry) = self.current.last() {
                return Some(entry.key);
            }
            if self.next_start > limit || self.next_start == u64::MAX {
                return None;
            }
            self.open_next();
        }
    }

    /// Takes the entry out whose key [`Wheel::first`] gave.
    #[inline]
    pub fn take(&mut self) -> Option<E> {
        self.current.pop().map(|entry| entry.event)
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
        let time = self.nodes[node as usize].entry.key.time();
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

    /// Makes the next bucket with entries the current one, or the next block the
    /// open one.
    fn open_next(&mut self) {
        match self.fine.first_from(self.next_fine) {
            Some(bucket) => self.open_bucket(bucket),
            None => self.open_next_block(),
        }
        self.next_start = match self.fine.first_from(self.next_fine) {
            Some(bucket) => (self.block << BLOCK_BITS) + ((bucket as u64) << FINE_BITS),
            None => self.next_block().map_or(u64::MAX, |block| block << BLOCK_BITS),
        };
    }

    /// Makes a fine bucket the current one.
    fn open_bucket(&mut self, bucket: usize) {
        self.next_fine = bucket + 1;
        let mut at = self.fine.take(bucket);
        while at != NONE {
            let node = self.nodes[at as usize];
            self.current.push(node.entry);
            self.nodes[at as usize].next = self.free;
            self.free = at;
            at = node.next;
        }
        if self.current.len() > 1 {
            self.current.sort_unstable_by_key(|entry| Reverse(entry.key));
        }
    }

    /// Spreads the next block with entries over the fine buckets.
    fn open_next_block(&mut self) {
        let Some(next) = self.next_block() else { return };
        self.block = next;
        self.next_fine = 0;
        let near = self.coarse.take(next as usize % COARSE);
        self.spread(near);
        if let Some(list) = self.beyond.remove(&next) {
            self.spread(list);
        }
    }

    /// Moves a list of the open block's entries into their fine buckets.
    fn spread(&mut self, mut at: u32) {
        while at != NONE {
            let next = self.nodes[at as usize].next;
            self.file(at);
            at = next;
        }
    }

    /// The next block with entries.
    fn next_block(&self) -> Option<u64> {
        let far = self.beyond.keys().next().copied();
        self.next_coarse().into_iter().chain(far).min()
    }

    /// The next block with entries among the coarse buckets.
    fn next_coarse(&self) -> Option<u64> {
        let start = (self.block as usize + 1) % COARSE;
        let bucket = self.coarse.first_from(start).or_else(|| self.coarse.first_from(0))?;
        let ahead = (bucket + COARSE - start) % COARSE;
        Some(self.block + 1 + ahead as u64)
    }
}
