//! A timing wheel: pending entries in order of time at a cost that hardly grows
//! with their number.
//!
//! Two levels: fine buckets for the present block of 16,384 of them, coarse buckets of
//! one block each for the next 4,095, and an ordered map for what lies beyond. Fine
//! buckets of 65.5 µs make blocks of 1.07 s and reach 73 minutes. A bucket is sorted
//! when its turn comes, so the order is exactly that of a heap on (time, order put in).

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use crate::sim::chunks::{Chunks, List};

/// log2 of a fine bucket's width in nanoseconds where there are a hundred thousand
/// entries in a second.
pub const DENSE: u32 = 16;
/// The same where there are tens: each entry is then filed once, not in a block first.
pub const SPARSE: u32 = 24;
/// log2 of how many fine buckets cover a block.
const BLOCK: u32 = 14;
const FINE: usize = 1 << BLOCK;
const COARSE: usize = 1 << 12;
const NONE: u32 = u32::MAX;
/// How many entries are shown at a time: as many as a core fetches from memory at once, and
/// few enough to be there still when their time comes.
const SHOWN: usize = 32;
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

    /// Its time in nanoseconds and its place in the order.
    fn parts(self) -> (u64, u64) {
        (self.time(), self.0 as u64)
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

/// Entries by time, in fine buckets of two to the power `WIDTH` nanoseconds.
#[derive(Clone, Debug)]
pub struct Wheel<E, const WIDTH: u32> {
    /// The bucket being handed out, latest first.
    current: Vec<Entry<E>>,
    /// The block that the fine buckets stand for.
    block: u64,
    /// The first fine bucket that hasn't become `current` yet.
    next_fine: usize,
    /// Entries in fine buckets before this one have been shown.
    shown: usize,
    /// Nothing outside `current` comes before this moment; `u64::MAX` when nothing is there.
    next_start: u64,
    /// The fine buckets: lists of nodes.
    heads: Vec<u32>,
    fine: Bits,
    nodes: Vec<Node<E>>,
    free: u32,
    /// The coarse buckets. Hundreds of thousands of users think in them, so their
    /// entries lie side by side: a list of nodes would meet cold memory at each.
    blocks: Vec<List>,
    chunks: Chunks<Entry<E>>,
    coarse: Bits,
    beyond: BTreeMap<u64, Vec<Entry<E>>>,
}

/// An entry in a fine bucket's list, or a free place. Half a cache line with the
/// events of `world`.
#[derive(Clone, Copy, Debug)]
struct Node<E> {
    time: u64,
    order: u64,
    event: E,
    next: u32,
}

/// A bit for each bucket that isn't empty.
#[derive(Clone, Debug)]
struct Bits {
    used: Vec<u64>,
    /// A bit for each word of `used` that isn't zero.
    words: Vec<u64>,
}

impl Bits {
    fn new(buckets: usize) -> Self {
        Self { used: vec![0; buckets / 64], words: vec![0; (buckets / 64).div_ceil(64)] }
    }

    /// A bucket is empty now.
    fn clear(&mut self, bucket: usize) {
        let word = &mut self.used[bucket / 64];
        *word &= !(1 << (bucket % 64));
        if *word == 0 {
            self.words[bucket / 4_096] &= !(1 << (bucket / 64 % 64));
        }
    }

    /// A bucket isn't empty any more.
    fn set(&mut self, bucket: usize) {
        self.used[bucket / 64] |= 1 << (bucket % 64);
        self.words[bucket / 4_096] |= 1 << (bucket / 64 % 64);
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

impl<E: Copy, const WIDTH: u32> Default for Wheel<E, WIDTH> {
    fn default() -> Self {
        Self {
            current: Vec::new(),
            block: 0,
            next_fine: 0,
            shown: 0,
            next_start: u64::MAX,
            heads: vec![NONE; FINE],
            fine: Bits::new(FINE),
            nodes: Vec::new(),
            free: NONE,
            blocks: vec![List::EMPTY; COARSE],
            chunks: Chunks::default(),
            coarse: Bits::new(COARSE),
            beyond: BTreeMap::new(),
        }
    }
}

impl<E: Copy, const WIDTH: u32> Wheel<E, WIDTH> {
    /// log2 of a block's width.
    const BLOCK_WIDTH: u32 = WIDTH + BLOCK;

    /// Puts an entry in; its time is not before that of the entry taken last.
    #[inline]
    pub fn put(&mut self, entry: Entry<E>) {
        if entry.key.time() < self.current_end() {
            // Latest first, and among equals the newest first: it is handed out last.
            let place = self.current.iter().rposition(|other| other.key.time() > entry.key.time());
            self.current.insert(place.map_or(0, |place| place + 1), entry);
        } else {
            self.next_start = self.next_start.min(entry.key.time());
            self.file(entry);
        }
    }

    /// No entry comes before this moment; `u64::MAX` when there is none.
    #[inline]
    pub fn not_before(&self) -> u64 {
        self.current.last().map_or(self.next_start, |entry| entry.key.time())
    }

    /// The key of the first entry, if there is one that comes at `limit` or before.
    /// `soon` is shown entries a little before their time.
    #[inline]
    pub fn first(&mut self, limit: u64, soon: impl Fn(&E)) -> Option<Key> {
        loop {
            if let Some(entry) = self.current.last() {
                return Some(entry.key);
            }
            if self.next_start > limit || self.next_start == u64::MAX {
                return None;
            }
            self.open_next(&soon);
        }
    }

    /// Takes the entry out whose key [`Wheel::first`] gave.
    #[inline]
    pub fn take(&mut self) -> Option<E> {
        self.current.pop().map(|entry| entry.event)
    }

    /// Events before this moment belong into the current bucket.
    fn current_end(&self) -> u64 {
        (self.block << Self::BLOCK_WIDTH) + ((self.next_fine as u64) << WIDTH)
    }

    /// Puts an entry into its bucket.
    #[inline]
    fn file(&mut self, entry: Entry<E>) {
        let time = entry.key.time();
        let block = time >> Self::BLOCK_WIDTH;
        if block == self.block {
            self.file_fine(entry);
        } else if block - self.block < COARSE as u64 {
            let bucket = block as usize % COARSE;
            let list = &mut self.blocks[bucket];
            if list.is_empty() {
                self.coarse.set(bucket);
            }
            self.chunks.push(list, entry);
        } else {
            self.beyond.entry(block).or_default().push(entry);
        }
    }

    /// Makes an entry of the open block the head of its fine bucket's list.
    fn file_fine(&mut self, entry: Entry<E>) {
        let (time, order) = entry.key.parts();
        let bucket = (time >> WIDTH) as usize % FINE;
        let next = std::mem::replace(&mut self.heads[bucket], self.free);
        let node = Node { time, order, event: entry.event, next };
        self.fine.set(bucket);
        if self.free == NONE {
            self.nodes.push(node);
            self.heads[bucket] =
                u32::try_from(self.nodes.len() - 1).expect("fewer than 4 billion events are pending");
        } else {
            let place = &mut self.nodes[self.free as usize];
            self.free = place.next;
            *place = node;
        }
    }

    /// Makes the next bucket with entries the current one, or the next block the
    /// open one.
    #[inline(never)]
    fn open_next(&mut self, soon: &impl Fn(&E)) {
        match self.fine.first_from(self.next_fine) {
            Some(bucket) => self.open_bucket(bucket),
            None => self.open_next_block(),
        }
        self.next_start = match self.fine.first_from(self.next_fine) {
            Some(bucket) => {
                if bucket >= self.shown {
                    self.show(bucket, soon);
                }
                (self.block << Self::BLOCK_WIDTH) + ((bucket as u64) << WIDTH)
            }
            None => self.next_block().map_or(u64::MAX, |block| block << Self::BLOCK_WIDTH),
        };
    }

    /// Makes a fine bucket the current one.
    fn open_bucket(&mut self, bucket: usize) {
        self.next_fine = bucket + 1;
        self.fine.clear(bucket);
        let mut at = std::mem::replace(&mut self.heads[bucket], NONE);
        while at != NONE {
            let Node { time, order, event, next } = self.nodes[at as usize];
            self.current.push(Entry { key: Key::new(time, order), event });
            self.nodes[at as usize].next = self.free;
            self.free = at;
            at = next;
        }
        if self.current.len() > 1 {
            self.current.sort_unstable_by_key(|entry| Reverse(entry.key));
        }
    }

    /// Spreads the next block with entries over the fine buckets.
    fn open_next_block(&mut self) {
        let Some(next) = self.next_block() else { return };
        self.block = next;
        (self.next_fine, self.shown) = (0, 0);
        let bucket = next as usize % COARSE;
        self.coarse.clear(bucket);
        let mut near = std::mem::replace(&mut self.blocks[bucket], List::EMPTY);
        while let Some(entry) = self.chunks.pop(&mut near) {
            self.file_fine(entry);
        }
        for entry in self.beyond.remove(&next).into_iter().flatten() {
            self.file_fine(entry);
        }
    }

    /// Shows `soon` the next entries, from a fine bucket on.
    fn show(&mut self, first: usize, soon: &impl Fn(&E)) {
        let (mut bucket, mut count) = (Some(first), 0);
        while let Some(this) = bucket.filter(|_| count < SHOWN) {
            let mut at = self.heads[this];
            while let Some(node) = self.nodes.get(at as usize) {
                soon(&node.event);
                (at, count) = (node.next, count + 1);
            }
            self.shown = this + 1;
            bucket = self.fine.first_from(this + 1);
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
