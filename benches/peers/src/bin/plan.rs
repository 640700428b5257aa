//! The tandem queue on `plan`'s agenda, as `plan` itself would have it: every server and the
//! arrivals have an alarm each, as a pod's CPU does.

use kubeplan::sim::agenda::{Agenda, Engine};
use kubeplan::units::SimTime;
use kubeplan_peers::{Draws, SERVERS, STATIONS, Station, measure};

#[derive(Clone, Copy)]
enum Event {
    Arrived,
    Served(u32),
}

/// The alarm of the arrivals; the servers' come before it.
const ARRIVALS: u32 = STATIONS as u32 * SERVERS;

/// The agenda, who draws, whom each server serves, and those of each station that are idle.
struct Tandem {
    agenda: Agenda<Event>,
    draws: Draws,
    serves: [u32; ARRIVALS as usize],
    idle: [Vec<u32>; STATIONS],
}

impl Tandem {
    /// The next customer comes.
    fn expect(&mut self) {
        let due = self.agenda.active() + self.draws.gap();
        self.agenda.set_alarm(ARRIVALS, due);
    }

    /// A server takes a customer.
    fn serve(&mut self, server: u32, customer: u32) {
        let due = self.agenda.active() + self.draws.service();
        self.serves[server as usize] = customer;
        self.agenda.set_alarm(server, due);
    }
}

fn run(customers: u32, mean: f64) -> f64 {
    let idle = std::array::from_fn(|at| (at as u32 * SERVERS..(at as u32 + 1) * SERVERS).collect());
    let agenda = Agenda::new(Engine::Wheel, &[]);
    let mut tandem = Tandem { agenda, draws: Draws::new(mean), serves: [0; ARRIVALS as usize], idle };
    (0..ARRIVALS).for_each(|server| tandem.agenda.name_alarm(server, Event::Served(server)));
    tandem.agenda.name_alarm(ARRIVALS, Event::Arrived);
    let mut stations: [Station; STATIONS] = Default::default();
    let mut born = vec![SimTime::ZERO; customers as usize];
    let (mut came, mut sum) = (0, 0.0);
    tandem.expect();
    while let Some((now, event)) = tandem.agenda.hand_out(|_| true, |_| {}) {
        let (to, customer) = match event {
            Event::Arrived => {
                born[came as usize] = now;
                came += 1;
                if came < customers {
                    tandem.expect();
                }
                (0, came - 1)
            }
            Event::Served(server) => {
                let (station, customer) =
                    ((server / SERVERS) as usize, tandem.serves[server as usize]);
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
