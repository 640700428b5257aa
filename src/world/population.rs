//! Users as data: who is there and where each stands in a journey.

use crate::scenario::{Demand, Population, RateState, Visit};
use crate::sim::random::{Stream, draw, unit};
use crate::units::{SimDuration, SimTime};

/// All users.
#[derive(Clone, Debug)]
pub struct Users {
    /// Present and absent ones.
    pub all: Vec<User>,
    /// Open population: places of users that are done.
    pub free: Vec<u32>,
    /// Closed population: users with a smaller number are wanted.
    pub wanted: u32,
    /// Users that are there.
    pub count: u32,
    /// Sums of the journeys' weights.
    weights: Vec<f64>,
    /// Sums of the time that users spend in each journey.
    times: Vec<f64>,
    /// Everything random about users follows from this.
    pub key: u64,
    /// Journeys ever started by an open population.
    pub started: u64,
    /// The rate at which the arrival on the agenda is a candidate, without its
    /// modulation; 0 for none.
    pub candidate_at: f64,
    /// Open population: where its modulation stands.
    pub spell: Spell,
    /// Open population: how many recorded starts are over.
    pub replayed: usize,
    /// Open population: journeys a second that the shape last asked for.
    pub rate: f64,
    /// How many users each of them a second stands for, if anybody gave a number of users.
    per_rate: Option<f64>,
}

/// Where a modulated rate stands.
#[derive(Clone, Copy, Debug)]
pub struct Spell {
    /// The state's number; `None` before the first.
    state: Option<usize>,
    /// When the next state begins.
    pub until: SimTime,
}

impl Spell {
    /// Nobody has asked yet.
    const UNKNOWN: Self = Self { state: None, until: SimTime::ZERO };

    /// The rate's factor at `now`; moments come in order. The first state is drawn
    /// by the time that each takes, so that the process is stationary from the
    /// start (what is left of an exponential time is as long as a whole one).
    #[inline]
    pub fn factor(&mut self, states: &[RateState], now: SimTime, chance: &mut Stream) -> f64 {
        if states.is_empty() {
            self.until = SimTime::NEVER;
            return 1.0;
        }
        self.modulated(states, now, chance)
    }

    fn modulated(&mut self, states: &[RateState], now: SimTime, chance: &mut Stream) -> f64 {
        let mut state = self.state.unwrap_or_else(|| first_state(states, chance));
        while self.state.is_none() || self.until <= now {
            if self.state.is_some() {
                state = (state + 1) % states.len();
            }
            self.state = Some(state);
            let lasts = -libm::log(1.0 - chance.unit()) * states[state].mean.as_secs_f64();
            self.until += SimDuration::from_secs_f64(lasts);
        }
        states[state].times
    }
}

/// A state, drawn by the share of time that it takes.
fn first_state(states: &[RateState], chance: &mut Stream) -> usize {
    let all: f64 = states.iter().map(|state| state.mean.as_secs_f64()).sum();
    let point = chance.unit() * all;
    let mut sum = 0.0;
    let past = states.iter().take_while(|state| {
        sum += state.mean.as_secs_f64();
        sum <= point
    });
    past.count().min(states.len() - 1)
}

/// One user: half a cache line, as each of a hundred thousand is met in cold memory.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub struct User {
    /// Everything random about the user follows from this.
    pub key: u64,
    /// Requests and choices so far: a counter for draws.
    pub count: u32,
    /// The visit, by its number in the program.
    pub visit: u32,
    /// How often the visit is still to be made.
    pub left: u16,
    /// How many requests the present one stands for.
    pub weight: u32,
    /// When the present request was first sent, by the clock of requests.
    pub asked: SimTime,
    /// The end of a think time is on the agenda.
    pub thinking: bool,
    /// Whether the user is there at all.
    pub present: bool,
}

impl Users {
    /// Nobody yet.
    pub fn new(state_key: u64, Demand { population, journeys, .. }: &Demand) -> Self {
        let per_rate = match population {
            Population::Rate { users, peak_per_second, .. } => users.map(|users| users / peak_per_second),
            Population::Users { .. } => None,
        };
        let time = |journey: &crate::scenario::Journey| {
            journey.weight * journey.visits.iter().map(time_at).sum::<f64>()
        };
        Self {
            all: Vec::new(),
            free: Vec::new(),
            wanted: 0,
            count: 0,
            weights: sums(journeys.iter().map(|journey| journey.weight)),
            times: sums(journeys.iter().map(time)),
            key: state_key,
            started: 0,
            candidate_at: 0.0,
            spell: Spell::UNKNOWN,
            replayed: 0,
            rate: 0.0,
            per_rate,
        }
    }

    /// A place for the next user of an open population.
    pub fn take_place(&mut self) -> u32 {
        let fresh = newcomer(draw(self.key, self.started));
        self.started += 1;
        if let Some(place) = self.free.pop() {
            self.all[place as usize] = fresh;
            return place;
        }
        self.all.push(fresh);
        self.all.len() as u32 - 1
    }

    /// How many users are there: thinking or waiting for an answer. Of an open population
    /// that stands for users those count, too, who think before their first request.
    pub fn present(&self) -> f64 {
        self.standing_for(self.rate).unwrap_or_else(|| f64::from(self.count))
    }

    /// How many users so many journeys a second stand for, if they stand for any.
    pub fn standing_for(&self, rate: f64) -> Option<f64> {
        self.per_rate.map(|users| users * rate)
    }

    /// The journey that a random number chooses for a user who starts one.
    pub fn choose(&self, bits: u64) -> u32 {
        among(&self.weights, bits)
    }

    /// The journey that a random number chooses for a user who is in the middle of one.
    pub fn met_in(&self, bits: u64) -> u32 {
        among(&self.times, bits)
    }
}

/// How long users are at a visit of a journey, in seconds: nearly all of it is thinking.
/// A visit without it counts for a moment.
pub fn time_at(visit: &Visit) -> f64 {
    f64::from(visit.times) * visit.think.mean().max(1e-3)
}

/// Each number added to those before it.
fn sums(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    numbers
        .scan(0.0, |sum, number| {
            *sum += number;
            Some(*sum)
        })
        .collect()
}

/// The place that a random number chooses by the weights that these are the sums of.
fn among(sums: &[f64], bits: u64) -> u32 {
    let point = unit(bits) * sums.last().copied().unwrap_or(1.0);
    sums.partition_point(|sum| *sum <= point).min(sums.len() - 1) as u32
}

/// A user who isn't there yet.
pub fn newcomer(key: u64) -> User {
    User {
        key,
        count: 0,
        visit: 0,
        left: 0,
        weight: 1,
        asked: SimTime::ZERO,
        thinking: false,
        present: false,
    }
}
