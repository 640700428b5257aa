//! The tandem queue on `plan`'s agenda.

use kubeplan::sim::agenda::{Agenda, Engine};
use kubeplan::units::SimTime;
use kubeplan_peers::{Draws, STATIONS, Station, measure};

#[derive(Clone, Copy)]
enum Event {
    Arrived(u32),
    Served { station: u32, customer: u32 },
}

fn run(customers: u32, mean: f64) -> f64 {
    let mut agenda = Agenda::new(Engine::Wheel, &[]);
    let mut draws = Draws::new(mean);
    let mut stations: [Station; STATIONS] = Default::default();
    let mut born = vec![SimTime::ZERO; customers as usize];
    let mut sum = 0.0;
    agenda.after_active(draws.gap(), Event::Arrived(0));
    while let Some((now, event)) = agenda.hand_out(|_| true, |_| {}) {
        let (to, customer) = match event {
            Event::Arrived(customer) => {
                born[customer as usize] = now;
                if customer + 1 < customers {
                    agenda.after_active(draws.gap(), Event::Arrived(customer + 1));
                }
                (0, customer)
            }
            Event::Served { station, customer } => {
                if let Some(next) = stations[station as usize].next() {
                    agenda.after_active(draws.service(), Event::Served { station, customer: next });
                }
                (station + 1, customer)
            }
        };
        match stations.get_mut(to as usize) {
            Some(station) => {
                if station.takes(customer) {
                    agenda.after_active(draws.service(), Event::Served { station: to, customer });
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
