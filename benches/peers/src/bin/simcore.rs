//! The tandem queue on SimCore, the kernel of DSLab.

use std::cell::RefCell;
use std::rc::Rc;

use kubeplan_peers::{Draws, STATIONS, Station, measure};
use serde::Serialize;
use simcore::{Event, EventHandler, Simulation, SimulationContext, cast};

#[derive(Clone, Serialize)]
struct Arrived {
    customer: u32,
}

#[derive(Clone, Serialize)]
struct Served {
    station: u32,
    customer: u32,
}

/// One component for all stations: nothing is sent further than it must.
struct Tandem {
    ctx: SimulationContext,
    draws: Draws,
    stations: [Station; STATIONS],
    born: Vec<f64>,
    sum: f64,
}

impl Tandem {
    fn come(&mut self, to: u32, customer: u32) {
        match self.stations.get_mut(to as usize) {
            Some(station) => {
                if station.takes(customer) {
                    self.serve(to, customer);
                }
            }
            None => self.sum += self.ctx.time() - self.born[customer as usize],
        }
    }

    fn serve(&mut self, station: u32, customer: u32) {
        let delay = self.draws.service().as_secs_f64();
        self.ctx.emit_self(Served { station, customer }, delay);
    }
}

impl EventHandler for Tandem {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrived { customer } => {
                self.born[customer as usize] = self.ctx.time();
                if customer as usize + 1 < self.born.len() {
                    let delay = self.draws.gap().as_secs_f64();
                    self.ctx.emit_self(Arrived { customer: customer + 1 }, delay);
                }
                self.come(0, customer);
            }
            Served { station, customer } => {
                if let Some(next) = self.stations[station as usize].next() {
                    self.serve(station, next);
                }
                self.come(station + 1, customer);
            }
        })
    }
}

fn run(customers: u32, mean: f64) -> f64 {
    let mut simulation = Simulation::new(1);
    let ctx = simulation.create_context("tandem");
    let mut draws = Draws::new(mean);
    let first = draws.gap().as_secs_f64();
    let (stations, born) = (Default::default(), vec![0.0; customers as usize]);
    let tandem = Rc::new(RefCell::new(Tandem { ctx, draws, stations, born, sum: 0.0 }));
    simulation.add_handler("tandem", tandem.clone());
    tandem.borrow().ctx.emit_self(Arrived { customer: 0 }, first);
    simulation.step_until_no_events();
    tandem.borrow().sum
}

fn main() {
    measure("SimCore", run);
}
