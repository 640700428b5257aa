//! The tandem queue on `plan`'s agenda, as `plan` itself would have it: every server and the
//! arrivals have an alarm each, as a pod's CPU does.

use kubeplan::sim::agenda::{Agenda, Engine};
use kubeplan::units::SimTime;
use kubeplan_peers::{Draws, SERVERS, STATIONS, Station, measure};

#[derive(Clone, Copy)]
enum Event {
    Arrived(u32),
    Served { server: u32, customer: u32 },
}

/// The alarm of the arrivals; the servers' come before it.
const ARRIVALS: u32 = STATIONS as u32 * SERVERS;

/// The agenda, who draws, and the servers of each station that are idle.
struct Tandem {
    agenda: Agenda<Event>,
    draws: Draws,
    idle: [Vec<u32>; STATIONS],
}

impl Tandem {
    /// The next customer comes.
    fn expect(&mut self, customer: u32) {
        let due = self.agenda.active() + self.draws.gap();
        self.agenda.set_alarm(ARRIVALS, due, Event::Arrived(customer));
    }

    /// A server takes a customer.
    fn serve(&mut self, server: u32, customer: u32) {
        let due = self.agenda.active() + self.draws.service();
        self.agenda.set_alarm(server, due, Event::Served { server, customer });
    }
}

fn run(customers: u32, mean: f64) -> f64 {
    let idle = std::array::from_fn(|at| (at as u32 * SERVERS..(at as u32 + 1) * SERVERS).collect());
    let mut tandem = Tandem { agenda: Agenda::new(Engine::Wheel, &[]), draws: Draws::new(mean), idle };
    let mut stations: [Station; STATIONS] = Default::default();
    let mut born = vec![SimTime::ZERO; customers as usize];
    let mut sum = 0.0;
    tandem.expect(0);
    while let Some((now, event)) = tandem.agenda.hand_out(|_| true, |_| {}) {
        let (to, customer) = match event {
            Event::Arrived(customer) => {
                born[customer as usize] = now;
                if customer + 1 < customers {
                    tandem.expect(customer + 1);
                }
                (0, customer)
            }
            Event::Served { server, customer } => {
                let station = (server / SERVERS) as usize;
                match stations[station].next() {
                    Some(next) => tandem.serve(server, next),
                    None => tandem.idle[station].push(server),
                }
                (station + 1, customer)
            }
        };
        match stations.get_mut(to) {
            Some(station) => {
                if station.takes(customer)
                    && let Some(server) = tandem.idle[to].pop()
                {
                    tandem.serve(server, customer);
                }
            }
            None => sum += now.since(born[customer as usize]).as_secs_f64(),
        }
    }
    sum
}

fn main() {
    measure("plan's agenda", run);
}
