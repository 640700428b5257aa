//! Pending events, handed out by time and then by the order they were put in.
//!
//! Most events wait in a timing wheel. Two kinds need less:
//!
//! * an event that always comes the same time after it was put in (a network's
//!   travel time, a timeout) waits in a *lane* of its delay: a queue, because such
//!   events come due in the order in which they were put in;
//! * an *alarm* is one event that is moved about: what a pod's CPU finishes next
//!   changes with every request that comes or goes. Setting an alarm anew replaces
//!   it, so that nothing stale is ever handed out.
//!
//! At one instant lanes come after everything else, in the order of their numbers,
//! and alarms after the lanes. Elsewhere the order put in decides.
//!
//! There are two clocks. Most of what happens may *pause*: its clock, the active
//! one, stands still while time is skipped, and everything that waits on it waits
//! as long again. What happens all the same goes by the agenda's own clock and
//! waits in a wheel of its own. As long as nothing is skipped both
//! clocks show the same, and the order is that of one queue.
//!
//! [`Engine::Reference`] keeps everything in binary heaps instead. It is slow
//! and obviously right; a test drives whole runs with both and compares them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::sim::alarms::Alarms;
use crate::sim::wheel::{DENSE, Entry, Key, SPARSE, Wheel};
use crate::units::{SimDuration, SimTime};

/// What keeps the pending events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// A timing wheel for each clock, queues for constant delays, and lists of alarms.
    #[default]
    Wheel,
    /// A binary heap for each clock.
    Reference,
}

/// What the clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The time.
    pub now: SimTime,
    /// The time without all that was skipped.
    pub active: SimTime,
    /// How long the present pause has lasted; zero outside one.
    pub paused: SimDuration,
}

/// Pending events and the clocks.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    now: SimTime,
    active: SimTime,
    /// What all pauses that are over took.
    skipped: u64,
    paused: bool,
    /// What happens during a pause, too.
    unpaused: Unpaused<E>,
    /// The first of it, as the active clock will show it.
    unpaused_first: Key,
    /// Neither of the wheels has anything before the active clock shows this; zero in a
    /// pause.
    wheels_from: u64,
    /// How many events were ever put in: the tie-break.
    put_in: u64,
    store: Store<E>,
    /// The delay of each lane.
    delays: Vec<SimDuration>,
    /// The reference's alarms: when each goes off (`u64::MAX` while it isn't set),
    /// and what it hands out.
    alarms: Vec<(u64, E)>,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one agenda in a run, and it is the large variant")]
enum Store<E> {
    Wheel(Wheel<E, DENSE>, Lanes<E>, Alarms<E>),
    Heap(BinaryHeap<Reverse<Entry<E>>>),
}

/// What waits by the agenda's own clock.
#[derive(Clone, Debug)]
enum Unpaused<E> {
    Wheel(Box<Wheel<E, SPARSE>>),
    Heap(BinaryHeap<Reverse<Entry<E>>>),
}

impl<E: Copy> Unpaused<E> {
    fn put(&mut self, entry: Entry<E>) {
        match self {
            Self::Wheel(wheel) => wheel.put(entry),
            Self::Heap(heap) => heap.push(Reverse(entry)),
        }
    }

    /// The key of the first entry.
    fn first(&mut self) -> Option<Key> {
        match self {
            Self::Wheel(wheel) => wheel.first(u64::MAX, |_| {}),
            Self::Heap(heap) => heap.peek().map(|Reverse(entry)| entry.key),
        }
    }

    /// Takes the first entry.
    fn take(&mut self) -> Option<E> {
        match self {
            Self::Wheel(wheel) => wheel.first(u64::MAX, |_| {}).and_then(|_| wheel.take()),
            Self::Heap(heap) => heap.pop().map(|Reverse(entry)| entry.event),
        }
    }
}

/// Queues of events with the same delay.
#[derive(Clone, Debug)]
struct Lanes<E> {
    all: Vec<Lane<E>>,
    /// When the first event of all comes, and in which lane it is.
    first: (u64, usize),
    /// The same of another lane: of those that events travel in, two are busy.
    second: (u64, usize),
    /// The other lanes have nothing before this.
    others: u64,
}

/// Stands where no lane has anything.
const NO_LANE: (u64, usize) = (u64::MAX, usize::MAX);

#[derive(Clone, Debug)]
struct Lane<E> {
    delay: u64,
    /// When its first event comes, in nanoseconds; `u64::MAX` where there is none.
    head: u64,
    waiting: VecDeque<(u64, E)>,
}

impl<E: Copy> Lanes<E> {
    fn new(delays: &[SimDuration]) -> Self {
        let lane =
            |delay: &SimDuration| Lane { delay: delay.as_nanos(), head: u64::MAX, waiting: VecDeque::new() };
        Self { all: delays.iter().map(lane).collect(), first: NO_LANE, second: NO_LANE, others: u64::MAX }
    }

    /// Puts an event in at `now`.
    #[inline]
    fn put(&mut self, number: usize, now: SimTime, event: E) {
        let lane = &mut self.all[number];
        let time = now.as_nanos() + lane.delay;
        lane.waiting.push_back((time, event));
        if lane.head == u64::MAX {
            lane.head = time;
            self.begins((time, number));
        }
    }

    /// Takes the first event of all lanes, and then what nobody wants any more
    /// behind it: with timeouts that is nearly everything, so it is cheaper to
    /// drop them in one go than to wait for the time of each. Returns the event,
    /// unless nobody wants it.
    #[inline]
    fn take(&mut self, wanted: impl Fn(&E) -> bool) -> Option<E> {
        let Lane { waiting, head, .. } = &mut self.all[self.first.1];
        let event = waiting.pop_front().map(|(_, event)| event).filter(&wanted);
        *head = loop {
            match waiting.front() {
                Some((time, event)) if wanted(event) => break *time,
                Some(_) => waiting.pop_front(),
                None => break u64::MAX,
            };
        };
        self.first.0 = *head;
        if self.second < self.first {
            std::mem::swap(&mut self.first, &mut self.second);
        }
        // Seldom: what doesn't travel is timeouts, which nearly nobody waits for.
        if self.first.0 >= self.others {
            self.look_for_first();
        }
        event
    }

    /// A lane that was empty has something.
    #[inline]
    fn begins(&mut self, lane: (u64, usize)) {
        if lane >= self.second {
            self.others = self.others.min(lane.0);
            return;
        }
        self.others = self.others.min(self.second.0);
        (self.first, self.second) = if lane < self.first { (lane, self.first) } else { (self.first, lane) };
    }

    /// Looks for the first two lanes, and when the first of the others comes.
    fn look_for_first(&mut self) {
        (self.first, self.second, self.others) = (NO_LANE, NO_LANE, u64::MAX);
        for number in 0..self.all.len() {
            match self.all[number].head {
                u64::MAX => {}
                head => self.begins((head, number)),
            }
        }
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
        let (store, unpaused) = match engine {
            Engine::Wheel => (
                Store::Wheel(Wheel::default(), Lanes::new(delays), Alarms::default()),
                Unpaused::Wheel(Box::default()),
            ),
            Engine::Reference => (Store::Heap(BinaryHeap::new()), Unpaused::Heap(BinaryHeap::new())),
        };
        Self {
            now: SimTime::ZERO,
            active: SimTime::ZERO,
            skipped: 0,
            paused: false,
            unpaused,
            unpaused_first: Key::NEVER,
            wheels_from: u64::MAX,
            put_in: 0,
            store,
            delays: delays.to_vec(),
            alarms: Vec::new(),
        }
    }

    /// The time of the event handed out last.
    #[inline]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The same without all that was skipped.
    #[inline]
    pub fn active(&self) -> SimTime {
        self.active
    }

    /// Both clocks.
    pub fn clocks(&self) -> Clocks {
        let paused = self.now.since(self.active).as_nanos() - self.skipped;
        Clocks { now: self.now, active: self.active, paused: SimDuration::from_nanos(paused) }
    }

    /// Whether the active clock stands still.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The active clock stands still from now on.
    pub fn pause(&mut self) {
        self.paused = true;
        self.wheels_from = 0;
    }

    /// The active clock goes on.
    pub fn resume(&mut self) {
        self.paused = false;
        self.skipped = self.now.since(self.active).as_nanos();
        self.see_first();
        self.see_wheels();
    }

    /// How many events were ever put in, alarms aside.
    #[inline]
    pub fn put_in(&self) -> u64 {
        self.put_in
    }

    /// Puts an event in for `time`; it comes during a pause, too.
    ///
    /// # Panics
    /// When `time` lies in the past.
    pub fn at(&mut self, time: SimTime, event: E) {
        if time < self.now {
            past(time, self.now);
        }
        let entry = self.entry(time, event);
        self.unpaused.put(entry);
        self.unpaused_first = self.unpaused_first.min(entry.key.earlier(self.skipped));
        self.wheels_from = self.wheels_from.min(self.unpaused_first.time());
    }

    /// Puts an event in for `delay` from now; it comes during a pause, too.
    pub fn after(&mut self, delay: SimDuration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Puts an event in for when the active clock shows `time`.
    ///
    /// # Panics
    /// When `time` lies in the past.
    #[inline]
    pub fn at_active(&mut self, time: SimTime, event: E) {
        if time < self.active {
            past(time, self.active);
        }
        let entry = self.entry(time, event);
        self.wheels_from = self.wheels_from.min(time.as_nanos());
        match &mut self.store {
            Store::Wheel(wheel, ..) => wheel.put(entry),
            Store::Heap(heap) => heap.push(Reverse(entry)),
        }
    }

    /// Puts an event in for `delay` from now by the active clock.
    #[inline]
    pub fn after_active(&mut self, delay: SimDuration, event: E) {
        self.at_active(self.active + delay, event);
    }

    /// Puts an event in for a lane's delay from now by the active clock.
    #[expect(clippy::inline_always, reason = "nine times for a request of three hops")]
    #[inline(always)]
    pub fn in_lane(&mut self, lane: u16, event: E) {
        self.put_in += 1;
        match &mut self.store {
            Store::Wheel(_, lanes, _) => lanes.put(lane as usize, self.active, event),
            Store::Heap(heap) => {
                let time = (self.active + self.delays[lane as usize]).as_nanos();
                heap.push(Reverse(Entry { key: Key::in_lane(time, lane, self.put_in), event }));
            }
        }
    }

    /// Says which event an alarm is from now on.
    pub fn name_alarm(&mut self, alarm: u32, event: E) {
        match &mut self.store {
            Store::Wheel(_, _, alarms) => alarms.name(alarm, event),
            Store::Heap(_) => {
                let alarm = alarm as usize;
                if self.alarms.len() <= alarm {
                    self.alarms.resize(alarm + 1, (u64::MAX, event));
                }
                self.alarms[alarm].1 = event;
            }
        }
    }

    /// Sets an alarm for when the active clock shows `time`, or for never
    /// ([`SimTime::NEVER`]); what it was set for before is forgotten.
    ///
    /// # Panics
    /// When `time` lies in the past, or neither this alarm nor one of a greater number was named.
    #[expect(clippy::inline_always, reason = "ten times for a request of three hops")]
    #[inline(always)]
    pub fn set_alarm(&mut self, alarm: u32, time: SimTime) {
        if time < self.active {
            past(time, self.active);
        }
        match &mut self.store {
            Store::Wheel(_, _, alarms) => {
                alarms.set(alarm, (self.active.as_nanos(), time.as_nanos()));
            }
            Store::Heap(_) => self.set_reference_alarm(alarm, time.as_nanos()),
        }
    }

    #[cold]
    fn set_reference_alarm(&mut self, alarm: u32, time: u64) {
        let Store::Heap(heap) = &mut self.store else { return };
        let (due, event) = &mut self.alarms[alarm as usize];
        let (before, event) = (std::mem::replace(due, time), *event);
        if before != time && time != u64::MAX {
            heap.push(Reverse(Entry { key: Key::of_alarm(time, alarm), event }));
        }
    }

    /// Notes when the first event comes that no pause holds up.
    fn see_first(&mut self) {
        let first = self.unpaused.first();
        self.unpaused_first = first.map_or(Key::NEVER, |key| key.earlier(self.skipped));
    }

    /// Notes from when on the wheels may have something.
    fn see_wheels(&mut self) {
        if let (Store::Wheel(wheel, ..), false) = (&self.store, self.paused) {
            self.wheels_from = wheel.not_before().min(self.unpaused_first.time());
        }
    }

    /// Takes the first event that no pause holds up.
    fn take_unpaused(&mut self) -> Option<E> {
        let event = self.unpaused.take()?;
        let time = self.unpaused_first.time();
        self.now = SimTime::from_nanos(time + self.skipped);
        if !self.paused {
            self.active = SimTime::from_nanos(time);
        }
        self.see_first();
        Some(event)
    }

    #[inline]
    fn entry(&mut self, time: SimTime, event: E) -> Entry<E> {
        self.put_in += 1;
        Entry { key: Key::new(time.as_nanos(), self.put_in), event }
    }

    /// Hands out the next event that is still wanted and moves the clock to its
    /// time. An event that isn't wanted must never be wanted again: it is dropped
    /// at its time or before it. Alarms are always wanted. `soon` is shown
    /// events a little before their time, many at once, so that what they need can be fetched
    /// from memory.
    #[inline]
    pub fn hand_out(&mut self, wanted: impl Fn(&E) -> bool, soon: impl Fn(&E)) -> Option<(SimTime, E)> {
        loop {
            let Store::Wheel(_, lanes, alarms) = &mut self.store else {
                let event = self.take_from_heaps()?;
                if wanted(&event) {
                    return Some((self.now, event));
                }
                continue;
            };
            let (lane, alarm) = (lanes.first.0, alarms.first());
            let soonest = lane.min(alarm);
            if self.wheels_from <= soonest {
                let first = self.take_from_wheels(soonest, &soon);
                self.see_wheels();
                match first {
                    Some(event) if wanted(&event) => return Some((self.now, event)),
                    None if self.paused || soonest == u64::MAX => return None,
                    // The wheels are known to begin later now.
                    _ => continue,
                }
            }
            if alarm < lane {
                // Whoever doesn't want one any more sets it to never.
                let event = alarms.take();
                self.go_to(soonest);
                return Some((self.now, event));
            }
            if let Some(event) = lanes.take(&wanted) {
                self.go_to(soonest);
                return Some((self.now, event));
            }
        }
    }

    /// Both clocks go on to what the active one shows then.
    #[inline]
    fn go_to(&mut self, time: u64) {
        self.active = SimTime::from_nanos(time);
        self.now = SimTime::from_nanos(time + self.skipped);
    }

    /// Takes the first event of both wheels if it comes before everything else, of
    /// which the first comes at `limit`. At one instant what no pause holds up and the
    /// wheel come by the order in which they were put in, then lanes, then alarms.
    fn take_from_wheels(&mut self, limit: u64, soon: &impl Fn(&E)) -> Option<E> {
        let unpaused = self.unpaused_first;
        match &mut self.store {
            Store::Wheel(wheel, ..) if !self.paused => match wheel.first(limit.min(unpaused.time()), soon) {
                Some(key) if key < unpaused && key.time() <= limit => {
                    let event = wheel.take();
                    self.go_to(key.time());
                    event
                }
                _ if unpaused.time() <= limit => self.take_unpaused(),
                _ => None,
            },
            _ => self.take_unpaused(),
        }
    }

    /// Takes the first event of the reference's heaps.
    fn take_from_heaps(&mut self) -> Option<E> {
        loop {
            let unpaused = self.unpaused_first;
            let Store::Heap(heap) = &mut self.store else { return None };
            let first = heap.peek().filter(|Reverse(entry)| !self.paused && entry.key < unpaused);
            let Some(&Reverse(Entry { key, mut event })) = first else { return self.take_unpaused() };
            heap.pop();
            if let Some(alarm) = key.alarm() {
                let (due, latest) = &mut self.alarms[alarm as usize];
                if *due != key.time() {
                    continue;
                }
                (*due, event) = (u64::MAX, *latest);
            }
            self.go_to(key.time());
            return Some(event);
        }
    }
}

/// Somebody wants an event to have come already.
#[cold]
fn past(time: SimTime, now: SimTime) -> ! {
    panic!("an event for {time} was put in at {now}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::random::{Seed, below};

    /// Delays of every size the wheels treat differently, ties included.
    fn delay(bits: u64) -> u64 {
        match bits % 8 {
            0 => 0,
            1 => below(bits, 1 << 10),
            2..5 => below(bits, 1 << 20),
            5 => below(bits, 1 << 31),
            6 => below(bits, 1 << 36),
            // Whole blocks of the dense wheel, and now and then of the sparse one.
            _ => below(bits, 10_000) << if (bits >> 3).is_multiple_of(16) { 38 } else { 30 },
        }
    }

    #[test]
    fn both_engines_keep_the_same_order() {
        let lanes = [0, 250_000, 250_001, 2_000_000, 2_000_000, 1_000_000_000, 7_000_000_000];
        let lanes = lanes.map(SimDuration::from_nanos);
        for replication in 0..20 {
            let mut stream = Seed { base: 5, replication }.stream("agenda");
            let mut both = [Engine::Wheel, Engine::Reference].map(|engine| Agenda::new(engine, &lanes));
            // Every seventh event is unwanted as soon as that many were put in.
            let mut order = 0_u64;
            for step in 0..30_000 {
                // Fill first, then hold the number, then drain.
                let growing = step < 5_000 || (step < 20_000 && stream.bits().is_multiple_of(2));
                let bits = stream.bits();
                for agenda in &mut both {
                    // A pause of twenty steps in every five hundred.
                    match step % 500 {
                        100 => agenda.pause(),
                        120 => agenda.resume(),
                        _ => {}
                    }
                }
                let wanted = |event: &u64| event % 7 != 3 || *event + 100 > order;
                if !growing {
                    let [wheel, heap] = both.each_mut().map(|agenda| agenda.hand_out(wanted, |_| {}));
                    assert_eq!(wheel, heap, "replication {replication}, step {step}");
                } else if bits.is_multiple_of(5) {
                    // Alarms are set, moved about and cleared.
                    let (alarm, later) = ((bits >> 20) as u32 % 9, SimDuration::from_nanos(delay(bits / 5)));
                    for agenda in &mut both {
                        agenda.name_alarm(alarm, order / 7 * 7);
                        if bits.is_multiple_of(11) {
                            agenda.set_alarm(alarm, SimTime::NEVER);
                        } else {
                            agenda.set_alarm(alarm, agenda.active() + later);
                        }
                    }
                    order += 1;
                } else if bits.is_multiple_of(3) {
                    for agenda in &mut both {
                        agenda.in_lane((bits >> 20) as u16 % 7, order);
                    }
                    order += 1;
                } else {
                    let later = SimDuration::from_nanos(delay(bits / 3));
                    for agenda in &mut both {
                        match bits % 7 {
                            0 => agenda.after(later, order),
                            _ => agenda.after_active(later, order),
                        }
                    }
                    order += 1;
                }
            }
            let [wheel, heap] = both.each_mut().map(|agenda| {
                std::iter::from_fn(|| agenda.hand_out(|_| true, |_| {}))
                    .filter(|(_, event)| event % 7 != 3)
                    .count()
            });
            assert_eq!(wheel, heap);
        }
    }

    #[test]
    fn a_pause_holds_up_what_can_wait_and_nothing_else() {
        for engine in [Engine::Wheel, Engine::Reference] {
            let mut agenda = Agenda::new(engine, &[SimDuration::from_secs(3)]);
            agenda.after_active(SimDuration::from_secs(2), 'a');
            agenda.in_lane(0, 'b');
            agenda.after(SimDuration::from_secs(1), 'c');
            agenda.after(SimDuration::from_secs(12), 'd');
            let next = |agenda: &mut Agenda<char>| {
                let (time, event) = agenda.hand_out(|_| true, |_| {}).expect("there are four events");
                (time.as_secs_f64(), agenda.active().as_secs_f64(), event)
            };
            assert_eq!(next(&mut agenda), (1.0, 1.0, 'c'));
            agenda.pause();
            assert_eq!(next(&mut agenda), (12.0, 1.0, 'd'));
            assert_eq!(agenda.clocks().paused, SimDuration::from_secs(11));
            agenda.resume();
            assert_eq!(next(&mut agenda), (13.0, 2.0, 'a'));
            assert_eq!(next(&mut agenda), (14.0, 3.0, 'b'));
        }
    }

    #[test]
    #[should_panic(expected = "was put in at")]
    fn the_past_is_closed() {
        let mut agenda = Agenda::default();
        agenda.at(SimTime::from_secs(2), ());
        agenda.hand_out(|()| true, |()| {});
        agenda.at(SimTime::from_secs(1), ());
    }
}
