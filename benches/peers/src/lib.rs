//! The tandem queue that all programs here simulate: three stations of eight servers,
//! first come first served, exponential times, load 0.8. The mean time at a server is
//! the command line's second argument in seconds: a request's millisecond where it says
//! nothing.
//!
//! Both Rust programs draw from the same streams through the same tables, so that they
//! meet the same customers and differ in their kernels alone.

use std::collections::VecDeque;
use std::time::Instant;

use kubeplan::sim::random::{Distribution, Sampler, Seed, Stream};
use kubeplan::units::SimDuration;

/// Stations in a row.
pub const STATIONS: usize = 3;
/// Servers of each.
pub const SERVERS: u32 = 8;
/// An arrival, and the end of a service at each station.
pub const EVENTS: u64 = 1 + STATIONS as u64;
/// The mean time in the system in mean times at a server: three times
/// 1 + C(8, 6.4) / (8 - 6.4), Erlang C.
pub const THEORY: f64 = 3.858;

/// Who draws the times.
pub struct Draws {
    stream: Stream,
    gap: Sampler,
    service: Sampler,
}

impl Draws {
    /// Times at a server with this mean in seconds, and gaps to match.
    pub fn new(mean: f64) -> Self {
        let exponential = |of: f64| Sampler::new(&Distribution::Exponential { mean: of * mean });
        Self {
            stream: Seed { base: 1, replication: 0 }.stream("tandem"),
            gap: exponential(1.0 / (0.8 * f64::from(SERVERS))),
            service: exponential(1.0),
        }
    }

    /// Until the next arrival.
    pub fn gap(&mut self) -> SimDuration {
        self.gap.at(self.stream.bits())
    }

    /// A customer's time at a server.
    pub fn service(&mut self) -> SimDuration {
        self.service.at(self.stream.bits())
    }
}

/// A station: who is served by none yet, and how many servers are busy.
#[derive(Default)]
pub struct Station {
    busy: u32,
    queue: VecDeque<u32>,
}

impl Station {
    /// A customer comes; whether a server takes it at once.
    pub fn takes(&mut self, customer: u32) -> bool {
        let takes = self.busy < SERVERS;
        if takes {
            self.busy += 1;
        } else {
            self.queue.push_back(customer);
        }
        takes
    }

    /// A server has finished; whom it takes next.
    pub fn next(&mut self) -> Option<u32> {
        let next = self.queue.pop_front();
        self.busy -= u32::from(next.is_none());
        next
    }
}

/// Runs a program with the customers and the mean time that its command line says, and
/// prints what it took. The program returns the sum of all times in the system.
pub fn measure(name: &str, run: impl FnOnce(u32, f64) -> f64) {
    let argument = |at: usize| std::env::args().nth(at);
    let customers = argument(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let mean = argument(2).and_then(|text| text.parse().ok()).unwrap_or(0.001);
    let begun = Instant::now();
    let sum = run(customers, mean);
    let took = begun.elapsed().as_secs_f64();
    let events = EVENTS * u64::from(customers);
    println!(
        "{name}: {customers} customers, {:.1} ns an event, mean time in the system {:.3} (theory {THEORY})",
        took * 1e9 / events as f64,
        sum / f64::from(customers) / mean,
    );
}
