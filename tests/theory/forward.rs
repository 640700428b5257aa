//! Kolmogorov's forward equations of a queue with room for so many, integrated.

/// A queue of `servers` and `room` in all, under a rate that depends on the time
/// and on a modulating state.
pub struct Queue<'a> {
    pub servers: u32,
    pub room: usize,
    /// Service rate of one server.
    pub service: f64,
    /// Arrival rate at a time, before modulation.
    pub rate: &'a dyn Fn(f64) -> f64,
    /// States that follow each other in a circle: factor of the rate, and mean time.
    pub states: &'a [(f64, f64)],
}

impl Queue<'_> {
    /// Empty, each state as likely as it takes time.
    pub fn empty(&self) -> Vec<f64> {
        let all: f64 = self.states.iter().map(|state| state.1).sum();
        let mut chances = vec![0.0; self.states.len() * (self.room + 1)];
        for (index, state) in self.states.iter().enumerate() {
            chances[index * (self.room + 1)] = state.1 / all;
        }
        chances
    }

    /// Arrivals per second and, of these, those that find no room.
    pub fn flow(&self, time: f64, chances: &[f64]) -> (f64, f64) {
        let rows = chances.chunks(self.room + 1).zip(self.states);
        rows.fold((0.0, 0.0), |(all, lost), (row, state)| {
            let rate = (self.rate)(time) * state.0;
            (all + rate * row.iter().sum::<f64>(), lost + rate * row[self.room])
        })
    }

    /// How fast the probabilities change.
    fn change(&self, time: f64, chances: &[f64]) -> Vec<f64> {
        let width = self.room + 1;
        let mut change = vec![0.0; chances.len()];
        for (index, state) in self.states.iter().enumerate() {
            let (rate, next) = ((self.rate)(time) * state.0, (index + 1) % self.states.len());
            for number in 0..width {
                let here = index * width + number;
                let mut flow = |to: usize, rate: f64| {
                    change[here] -= rate * chances[here];
                    change[to] += rate * chances[here];
                };
                if number < self.room {
                    flow(here + 1, rate);
                }
                if number > 0 {
                    flow(here - 1, self.service * f64::from(self.servers.min(number as u32)));
                }
                if next != index {
                    flow(next * width + number, 1.0 / state.1);
                }
            }
        }
        change
    }

    /// One step of the classical Runge–Kutta method.
    pub fn step(&self, time: f64, chances: &mut [f64], by: f64) {
        let moved = |change: &[f64], by: f64| -> Vec<f64> {
            chances.iter().zip(change).map(|(chance, change)| chance + change * by).collect()
        };
        let one = self.change(time, chances);
        let two = self.change(time + by / 2.0, &moved(&one, by / 2.0));
        let three = self.change(time + by / 2.0, &moved(&two, by / 2.0));
        let four = self.change(time + by, &moved(&three, by));
        for (index, chance) in chances.iter_mut().enumerate() {
            *chance += by / 6.0 * (one[index] + 2.0 * two[index] + 2.0 * three[index] + four[index]);
        }
    }
}
