//! Many lists that grow and empty at their own pace, in one place.
//!
//! Each list takes chunks from a common store and leaves them there. The chunk that was left
//! last is taken first: it is still in the cache, where memory of a list's own would have
//! been evicted since the list was last full.

/// How many things a chunk holds: with entries of half a cache line, a kibibyte.
const CHUNK: usize = 32;
/// No chunk.
const NONE: u32 = u32::MAX;

/// The store of chunks.
#[derive(Clone, Debug)]
pub struct Chunks<T> {
    /// The chunks' places, one chunk after the other.
    places: Vec<T>,
    /// For each chunk the one before it in its list, or the next free one.
    before: Vec<u32>,
    /// The first free chunk.
    free: u32,
}

/// One of the lists.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Its newest chunk. Those before it are full.
    last: u32,
    /// How many things are in that; as if it were full where there is none.
    filled: u32,
}

impl List {
    /// Nothing.
    pub const EMPTY: Self = Self { last: NONE, filled: CHUNK as u32 };

    /// Whether nothing is in it.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.last == NONE
    }
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { places: Vec::new(), before: Vec::new(), free: NONE }
    }
}

impl<T: Copy> Chunks<T> {
    /// Puts a thing into a list.
    #[inline]
    pub fn push(&mut self, list: &mut List, thing: T) {
        if list.filled == CHUNK as u32 {
            self.lengthen(list, thing);
        }
        self.places[list.last as usize * CHUNK + list.filled as usize] = thing;
        list.filled += 1;
    }

    /// Takes the thing out of a list that was put in last.
    #[inline]
    pub fn pop(&mut self, list: &mut List) -> Option<T> {
        if list.is_empty() {
            return None;
        }
        list.filled -= 1;
        let thing = self.places[list.last as usize * CHUNK + list.filled as usize];
        if list.filled == 0 {
            let before = std::mem::replace(&mut self.before[list.last as usize], self.free);
            self.free = list.last;
            *list = List { last: before, ..List::EMPTY };
        }
        Some(thing)
    }

    /// Gives a list another chunk. What a new one is filled with doesn't matter.
    #[inline(never)]
    fn lengthen(&mut self, list: &mut List, filling: T) {
        if self.free == NONE {
            self.free = u32::try_from(self.before.len()).expect("fewer than 4 billion chunks are in use");
            self.before.push(NONE);
            self.places.resize(self.places.len() + CHUNK, filling);
        }
        let chunk = self.free;
        self.free = std::mem::replace(&mut self.before[chunk as usize], list.last);
        *list = List { last: chunk, filled: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::Seed;

    #[test]
    fn each_list_gives_back_what_was_put_into_it() {
        let mut stream = Seed { base: 4, replication: 0 }.stream("chunks");
        let (mut chunks, mut lists) = (Chunks::default(), [List::EMPTY; 7]);
        let (mut plain, mut most): ([Vec<u64>; 7], _) = Default::default();
        for step in 0..100_000 {
            let which = stream.below(7) as usize;
            // Each grows to some hundreds and empties again, at its own pace.
            if (step / 1_000 + which as u64) % 5 < 2 {
                assert_eq!(chunks.pop(&mut lists[which]), plain[which].pop(), "step {step}");
            } else {
                chunks.push(&mut lists[which], step);
                plain[which].push(step);
            }
            assert_eq!(lists[which].is_empty(), plain[which].is_empty(), "step {step}");
            most = plain.iter().map(Vec::len).sum::<usize>().max(most);
        }
        // Chunks are used again: a list wastes less than one.
        assert!(chunks.places.len() < most + 7 * CHUNK, "{} places for {most}", chunks.places.len());
    }
}
