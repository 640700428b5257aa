//! Candidates of which none is better than another in every way: what they cost
//! against what they miss and how much they leave to spare.

use super::score::{Score, WORST, margin};
use super::search::Tried;
use crate::scenario::{Indicator, Scenario};

/// So many are shown.
const MOST: usize = 6;
/// Costs closer than this are no choice.
const SAME_COST: f64 = 0.01;
/// Margins closer than this (5 %) are none either.
const SAME_MARGIN: f64 = 0.05;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Tradeoff {
    /// What was tried, and what came of it in the hardest minutes.
    pub tried: Tried,
    /// Objectives that it misses there, as indices into the policy's.
    pub misses: Vec<usize>,
    /// Of what users feel (availability, latency) the objective that comes closest to
    /// its goal or misses it most.
    pub tightest: Option<usize>,
    /// How far that is kept (above 0) or missed: the logarithm of how many times.
    pub margin: f64,
}

/// The short list, the cheapest first.
pub fn tradeoffs(scenario: &Scenario, tried: &[Tried]) -> Vec<Tradeoff> {
    let mut all: Vec<Tradeoff> = tried.iter().map(|one| tradeoff(scenario, one)).collect();
    all.sort_by(|a, b| a.cost().total_cmp(&b.cost()).then(b.margin.total_cmp(&a.margin)));
    let mut front: Vec<Tradeoff> = Vec::new();
    for one in all {
        // Whoever is in the front already costs no more.
        if front.iter().all(|cheaper| one.is_worth_more_than(cheaper)) {
            front.push(one);
        }
    }
    while front.len() > MOST {
        // Of the two that are closest in cost the one that gains less goes.
        let gap = |index: &usize| front[*index].cost() / front[*index - 1].cost().max(f64::MIN_POSITIVE);
        let close = (1..front.len()).min_by(|a, b| gap(a).total_cmp(&gap(b))).unwrap_or(1);
        // The ends stay: the cheapest, and the one with most to spare.
        front.remove(if close == front.len() - 1 { close - 1 } else { close });
    }
    front
}

fn tradeoff(scenario: &Scenario, tried: &Tried) -> Tradeoff {
    let objectives = &scenario.goals.objectives;
    let of = |number: usize| tried.score.values[number].map(|value| margin(&objectives[number], value));
    let felt = |number: &usize| {
        matches!(objectives[*number].indicator, Indicator::Availability | Indicator::Latency { .. })
    };
    let felt = (0..objectives.len()).filter(felt).filter_map(|number| Some((number, of(number)?)));
    let tightest = felt.min_by(|a, b| a.1.total_cmp(&b.1));
    let misses = (0..objectives.len()).filter(|number| of(*number).is_some_and(|margin| margin < 0.0));
    Tradeoff {
        tried: tried.clone(),
        misses: misses.collect(),
        tightest: tightest.map(|(number, _)| number),
        margin: tightest.map_or(-WORST, |(_, margin)| margin),
    }
}

impl Tradeoff {
    fn score(&self) -> &Score {
        &self.tried.score
    }

    /// Money per month as candidates are ranked by it.
    fn cost(&self) -> f64 {
        self.score().rank().1
    }

    /// Whether it gives notably more for its price than a cheaper one.
    fn is_worth_more_than(&self, cheaper: &Self) -> bool {
        let same_cost = self.cost() <= cheaper.cost() * (1.0 + SAME_COST);
        let keeps_more = self.score().violation < cheaper.score().violation - SAME_MARGIN;
        // To spare counts only where nothing is missed for it.
        let spares_more =
            self.score().violation <= cheaper.score().violation && self.margin > cheaper.margin + SAME_MARGIN;
        keeps_more || (spares_more && !same_cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Request, load};
    use crate::tune::Settings;

    #[test]
    fn nothing_on_the_list_is_beaten_in_every_way() {
        let scenario = load(&Request::default()).expect("the embedded application reads").scenario;
        let goals = &scenario.goals.objectives;
        let latency = goals.iter().position(|one| matches!(one.indicator, Indicator::Latency { .. }));
        let latency = latency.expect("it promises a latency");
        let tried = |nodes: f64, times: f64| {
            let mut values = vec![None; goals.len()];
            values[latency] = Some(goals[latency].goal * times);
            let violation = if times > 1.0 { libm::log(times) } else { 0.0 };
            let settings = Settings { sizes: Vec::new(), guards: Vec::new() };
            Tried { settings, score: Score { values, violation, nodes, booked: 0.0 } }
        };
        // Cost, and the latency as so many times its goal.
        let all = [(100.0, 3.0), (200.0, 0.9), (210.0, 0.95), (300.0, 0.5), (150.0, 3.1), (201.0, 0.88)];
        let all: Vec<Tried> = all.iter().map(|(nodes, times)| tried(*nodes, *times)).collect();
        let list = tradeoffs(&scenario, &all);
        let seen: Vec<(f64, usize)> =
            list.iter().map(|one| (one.tried.score.nodes, one.misses.len())).collect();
        assert_eq!(seen, [(100.0, 1), (200.0, 0), (300.0, 0)]);
        assert!(list.iter().all(|one| one.tightest == Some(latency)));
    }
}
