//! Pending events, handed out by time and then by the order they were put in.
//!
//! Most events wait in a timing wheel. An event that always comes the same time
//! after it was put in (a network's travel time, a timeout) waits in a *lane* of
//! its delay: a queue, because such events come due in the order in which they
//! were put in.
//!
//! [`Engine::Reference`] keeps everything in one binary heap instead. It is slow
//! and obviously right; a test drives whole runs with both and compares them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::sim::wheel::{Entry, Key, Wheel};
use crate::units::{SimDuration, SimTime};

/// What keeps the pending events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// A timing wheel, and queues for constant delays.
    #[default]
    Wheel,
    /// One binary heap for everything.
    Reference,
}

/// Pending events and the clock.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    now: SimTime,
    /// How many events were ever put in: the tie-break.
    put_in: u64,
    pending: usize,
    store: Store<E>,
    /// The delay of each lane.
    delays: Vec<SimDuration>,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one agenda in a run, and it is the large variant")]
enum Store<E> {
    Wheel(Wheel<E>, Lanes<E>),
    Heap(BinaryHeap<Reverse<Entry<E>>>),
}

/// Queues of events with the same delay.
#[derive(Clone, Debug)]
struct Lanes<E> {
    waiting: Vec<VecDeque<Entry<E>>>,
    /// The first key of each lane.
    heads: Vec<Key>,
    /// The lane with the first key of all, and that key.
    first: (usize, Key),
}

impl<E: Copy> Lanes<E> {
    fn new(count: usize) -> Self {
        Self { waiting: vec![VecDeque::new(); count], heads: vec![Key::NEVER; count], first: (0, Key::NEVER) }
    }

    #[inline]
    fn put(&mut self, lane: usize, entry: Entry<E>) {
        self.waiting[lane].push_back(entry);
        if self.heads[lane] == Key::NEVER {
            self.heads[lane] = entry.key;
            if entry.key < self.first.1 {
                self.first = (lane, entry.key);
            }
        }
    }

    /// Takes the first event of all lanes, and then what nobody wants any more
    /// behind it: with timeouts that is nearly everything, so it is cheaper to
    /// drop them in one go than to wait for the time of each. Returns the event,
    /// unless nobody wants it, and how many left the lane.
    #[inline]
    fn take(&mut self, wanted: impl Fn(&E) -> bool) -> (Option<E>, usize) {
        let lane = self.first.0;
        let queue = &mut self.waiting[lane];
        let before = queue.len();
        let event = queue.pop_front().map(|entry| entry.event).filter(&wanted);
        let head = loop {
            match queue.front() {
                Some(entry) if wanted(&entry.event) => break entry.key,
                Some(_) => queue.pop_front(),
                None => break Key::NEVER,
            };
        };
        let left = before - queue.len();
        self.heads[lane] = head;
        self.first = (0, Key::NEVER);
        for (lane, &key) in self.heads.iter().enumerate() {
            if key < self.first.1 {
                self.first = (lane, key);
            }
        }
        (event, left)
    }
}

impl<E: Copy> Default for Agenda<E> {
    fn default() -> Self {
        Self::new(Engine::Wheel, &[])
    }
}

impl<E: Copy> Agenda<E> {
    /// An agenda at time zero with a lane for each of `delays`.
    pub fn new(engine: Engine, delays: &[SimDuration]) -> Self {
        let store = match engine {
            Engine::Wheel => Store::Wheel(Wheel::default(), Lanes::new(delays.len())),
            Engine::Reference => Store::Heap(BinaryHeap::new()),
        };
        Self { now: SimTime::ZERO, put_in: 0, pending: 0, store, delays: delays.to_vec() }
    }

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
        let entry = self.entry(time, event);
        match &mut self.store {
            Store::Wheel(wheel, _) => wheel.put(entry),
            Store::Heap(heap) => heap.push(Reverse(entry)),
        }
    }

    /// Puts an event in for `delay` from now.
    #[inline]
    pub fn after(&mut self, delay: SimDuration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Puts an event in for a lane's delay from now.
    #[inline]
    pub fn in_lane(&mut self, lane: u16, event: E) {
        let entry = self.entry(self.now + self.delays[lane as usize], event);
        match &mut self.store {
            Store::Wheel(_, lanes) => lanes.put(lane as usize, entry),
            Store::Heap(heap) => heap.push(Reverse(entry)),
        }
    }

    #[inline]
    fn entry(&mut self, time: SimTime, event: E) -> Entry<E> {
        let order = self.put_in;
        self.put_in += 1;
        self.pending += 1;
        Entry { key: Key::new(time.as_nanos(), order), event }
    }

    /// Hands out the next event that is still wanted and moves the clock to its
    /// time. An event that isn't wanted must never be wanted again: it is dropped
    /// at its time or before it.
    #[inline]
    pub fn hand_out(&mut self, wanted: impl Fn(&E) -> bool) -> Option<(SimTime, E)> {
        loop {
            let (time, event, left) = match &mut self.store {
                Store::Wheel(wheel, lanes) => {
                    let (_, head) = lanes.first;
                    match wheel.first(head.time()) {
                        Some(key) if key < head => (key.time(), wheel.take().filter(&wanted), 1),
                        None if head == Key::NEVER => return None,
                        _ => {
                            let (event, left) = lanes.take(&wanted);
                            (head.time(), event, left)
                        }
                    }
                }
                Store::Heap(heap) => {
                    let Reverse(entry) = heap.pop()?;
                    (entry.key.time(), Some(entry.event).filter(&wanted), 1)
                }
            };
            self.pending -= left;
            if let Some(event) = event {
                self.now = SimTime::from_nanos(time);
                return Some((self.now, event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::{Seed, below};
    use crate::sim::wheel::BLOCK_BITS;

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
    fn both_engines_keep_the_same_order() {
        let lanes = [0, 250_000, 250_001, 1_000_000_000].map(SimDuration::from_nanos);
        for replication in 0..20 {
            let mut stream = Seed { base: 5, replication }.stream("agenda");
            let mut both = [Engine::Wheel, Engine::Reference].map(|engine| Agenda::new(engine, &lanes));
            // Every seventh event is unwanted as soon as that many were put in.
            let mut order = 0_u64;
            for step in 0..30_000 {
                // Fill first, then hold the number, then drain.
                let growing = step < 5_000 || (step < 20_000 && stream.bits().is_multiple_of(2));
                let bits = stream.bits();
                let wanted = |event: &u64| event % 7 != 3 || *event + 100 > order;
                if !growing {
                    let [wheel, heap] = both.each_mut().map(|agenda| agenda.hand_out(wanted));
                    assert_eq!(wheel, heap, "replication {replication}, step {step}");
                } else if bits.is_multiple_of(3) {
                    for agenda in &mut both {
                        agenda.in_lane((bits >> 20) as u16 % 4, order);
                    }
                    order += 1;
                } else {
                    let later = SimDuration::from_nanos(delay(bits / 3));
                    for agenda in &mut both {
                        agenda.after(later, order);
                    }
                    order += 1;
                }
            }
            let [wheel, heap] = both.each_mut().map(|agenda| {
                std::iter::from_fn(|| agenda.hand_out(|_| true)).filter(|(_, event)| event % 7 != 3).count()
            });
            assert_eq!((wheel, both[0].pending(), both[1].pending()), (heap, 0, 0));
        }
    }

    #[test]
    #[should_panic(expected = "was put in at")]
    fn the_past_is_closed() {
        let mut agenda = Agenda::default();
        agenda.at(SimTime::from_secs(2), ());
        agenda.hand_out(|()| true);
        agenda.at(SimTime::from_secs(1), ());
    }
}
