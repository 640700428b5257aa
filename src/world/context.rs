//! What every handler may touch besides the state: agenda, recorder, chance.

use std::collections::VecDeque;

use crate::observe::Recorder;
use crate::sim::agenda::Agenda;
use crate::sim::random::{Sampler, Seed, Stream};
use crate::units::SimTime;
use crate::world::event::Event;

/// Agenda, recorder and the streams of the control plane.
#[derive(Clone, Debug)]
pub struct Context {
    /// Pending events and the clock.
    pub agenda: Agenda<Event>,
    /// What is seen.
    pub seen: Recorder,
    /// Where all chance comes from.
    pub seed: Seed,
    /// Named streams for what isn't part of a request.
    pub streams: Streams,
    /// Tables for the cluster's own times.
    pub times: Times,
    /// What follows at once from the event being handled.
    follows: VecDeque<Event>,
}

/// Who has which of the agenda's alarms.
pub mod alarm {
    use crate::world::ids::PodId;

    /// The next arrival of an open population.
    pub const ARRIVAL: u32 = 0;

    /// The end of the work that a pod finishes next.
    #[inline]
    pub fn of_pod(id: PodId) -> u32 {
        id.index + 1
    }
}

/// One stream for each kind of thing that happens in order.
#[derive(Clone, Debug)]
pub struct Streams {
    /// Times between arrivals.
    pub arrivals: Stream,
    /// How long a modulated rate stays in its states.
    pub modulation: Stream,
    /// Set-up, pull and start-up times.
    pub starts: Stream,
    /// Small delays between controllers.
    pub delays: Stream,
    /// Ties of the scheduler.
    pub ties: Stream,
    /// UIDs that decide between pods of like age.
    pub uids: Stream,
    /// Housekeeping periods of kubelets.
    pub kubelets: Stream,
    /// Provision times of nodes.
    pub nodes: Stream,
}

/// Tables for the cluster's own times.
#[derive(Clone, Debug)]
pub struct Times {
    /// From bound to container start.
    pub pod_start: Sampler,
    /// Pulling an image.
    pub image_pull: Sampler,
    /// Provisioning a node, by pool.
    pub provision: Vec<Sampler>,
    /// Start-up waits, by workload.
    pub start_wait: Vec<Sampler>,
    /// Start-up CPU work, by workload.
    pub start_work: Vec<Sampler>,
}

impl Streams {
    /// The streams of a seed.
    pub fn new(seed: Seed) -> Self {
        Self {
            arrivals: seed.stream("arrivals"),
            modulation: seed.stream("modulation"),
            starts: seed.stream("starts"),
            delays: seed.stream("delays"),
            ties: seed.stream("ties"),
            uids: seed.stream("uids"),
            kubelets: seed.stream("kubelets"),
            nodes: seed.stream("nodes"),
        }
    }
}

impl Context {
    /// A context with an empty agenda at time zero.
    pub fn new(seed: Seed, agenda: Agenda<Event>, seen: Recorder, times: Times) -> Self {
        let follows = VecDeque::new();
        Self { agenda, seen, seed, streams: Streams::new(seed), times, follows }
    }

    /// Something follows at once, in a part that the present one doesn't know:
    /// it is handled right after the present handler, at the same instant.
    #[inline]
    pub fn raise(&mut self, event: Event) {
        self.follows.push_back(event);
    }

    /// The next thing that follows from what was handled.
    #[inline]
    pub fn next_raised(&mut self) -> Option<Event> {
        self.follows.pop_front()
    }

    /// The present moment.
    #[inline]
    pub fn now(&self) -> SimTime {
        self.agenda.now()
    }
}
