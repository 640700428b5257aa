//! What no settings can keep: bounds by arithmetic, before anything is simulated.
//!
//! The utilisation law (Denning and Buzen 1978) says how much CPU a rate of requests
//! needs. All of it is taken at its least: users who wait as long as they ever do,
//! nothing tried twice, the cheapest requests answered first, nodes that keep nothing
//! for themselves. What misses a goal even then is missed by every candidate.

use super::probe::work;
use super::site::Site;
use crate::judge::cost_per_month;
use crate::scenario::{Comparison, Indicator, Population, Scenario, Scope, Visit};
use crate::units::SimTime;
use crate::units::figures::{amount, count, money, percent, plural};

/// An objective that nothing can keep.
#[derive(Clone, Debug, PartialEq)]
pub struct OutOfReach {
    /// Which, as an index into the policy's.
    pub objective: usize,
    /// The best that any settings can come to.
    pub best: f64,
    /// What binds, a sentence without its full stop.
    pub binding: String,
    /// What would have to be otherwise, each alone: sentences without full stops.
    pub relax: Vec<String>,
}

/// Requests of one kind: how many come each second, and what one costs.
struct Stream {
    rate: f64,
    /// Core-seconds by workload.
    work: Vec<f64>,
}

/// A limit on CPU: how much there is, for which workloads, and what sets it.
struct Limit {
    cores: f64,
    /// The one workload that it is about; `None` for all together.
    workload: Option<usize>,
    words: String,
    relax: Relax,
}

/// What could move a limit.
enum Relax {
    /// More nodes of a pool: the cores and the price per hour of one.
    Nodes { cores: f64, price: f64 },
    /// A larger node, or a workload that can have several pods.
    Pod,
}

/// The objectives that nothing can keep; empty where arithmetic forbids none.
pub fn out_of_reach(scenario: &Scenario, sites: &[Site]) -> Vec<OutOfReach> {
    let streams = streams(scenario);
    let goal = asked_availability(scenario);
    let mut found: Vec<OutOfReach> = Vec::new();
    for limit in limits(scenario, sites) {
        let share = answered(&streams, &limit, 1.0);
        for (number, objective) in scenario.goals.objectives.iter().enumerate() {
            if objective.comparison != Comparison::AtLeast || objective.scope != Scope::All {
                continue;
            }
            let best = match objective.indicator {
                Indicator::Availability => share,
                Indicator::CarriedUsers => peak_users(scenario) * largest(&streams, &limit, goal).min(1.0),
                _ => continue,
            };
            if best < objective.goal && found.iter().all(|one| one.objective != number) {
                let (binding, relax) = words(scenario, &streams, &limit, goal);
                found.push(OutOfReach { objective: number, best, binding, relax });
            }
        }
    }
    found.sort_by_key(|one| one.objective);
    found
}

/// The success ratio that the policy asks for; all where it asks for none.
fn asked_availability(scenario: &Scenario) -> f64 {
    let asks = scenario.goals.objectives.iter().find(|one| {
        one.indicator == Indicator::Availability
            && one.scope == Scope::All
            && one.comparison == Comparison::AtLeast
    });
    asks.map_or(1.0, |one| one.goal)
}

/// Users at the peak, or the journeys a second where nobody said users.
fn peak_users(scenario: &Scenario) -> f64 {
    match &scenario.demand.population {
        Population::Users { peak, .. } => *peak,
        Population::Rate { peak_per_second, users, .. } => users.unwrap_or(*peak_per_second),
    }
}

/// What users ask for at the observed peak, at least.
fn streams(scenario: &Scenario) -> Vec<Stream> {
    let demand = &scenario.demand;
    let weights: f64 = demand.journeys.iter().map(|one| one.weight).sum();
    let begin = SimTime::ZERO + scenario.warm_up;
    // A user who has given up after the timeout asks for the next.
    let longest = |visit: &Visit| f64::from(visit.times) * (visit.think.mean() + visit.timeout.as_secs_f64());
    let journeys_per_second = match &demand.population {
        Population::Users { peak, shape } => {
            let cycle: f64 = demand
                .journeys
                .iter()
                .map(|one| one.weight / weights * one.visits.iter().map(longest).sum::<f64>())
                .sum();
            peak * shape.peak(begin, begin + scenario.horizon) / cycle.max(f64::MIN_POSITIVE)
        }
        Population::Rate { peak_per_second, shape, .. } => {
            peak_per_second * shape.peak(begin, begin + scenario.horizon)
        }
    };
    let mut streams = Vec::new();
    for journey in &demand.journeys {
        for visit in &journey.visits {
            let rate = journeys_per_second * journey.weight / weights * f64::from(visit.times);
            streams.push(Stream { rate, work: work(scenario, visit.workload, visit.operation) });
        }
    }
    streams
}

fn limits(scenario: &Scenario, sites: &[Site]) -> Vec<Limit> {
    let mut limits = vec![nodes(scenario)];
    let widest = scenario.cluster.pools.iter().map(|pool| pool.cpu.as_cores()).fold(0.0, f64::max);
    for site in sites.iter().filter(|site| !site.scales && site.hpa.is_none()) {
        let workload = &scenario.workloads[site.workload];
        let usable = site.threads.map_or(widest, |threads| f64::from(threads).min(widest));
        let pods = plural(u64::from(workload.replicas), "pod", "pods");
        limits.push(Limit {
            cores: usable * f64::from(workload.replicas),
            workload: Some(site.workload),
            words: format!(
                "{} cannot be scaled out: its {pods} can use {} cores at most",
                workload.name,
                amount(usable * f64::from(workload.replicas))
            ),
            relax: Relax::Pod,
        });
    }
    limits
}

/// All nodes that there may be: by the pools, and by the policy.
fn nodes(scenario: &Scenario) -> Limit {
    let goals = &scenario.goals.objectives;
    let most = goals
        .iter()
        .filter(|one| one.indicator == Indicator::NodesMax && one.comparison == Comparison::AtMost);
    let most = most.min_by(|a, b| a.goal.total_cmp(&b.goal));
    let mut pools: Vec<_> = scenario.cluster.pools.iter().collect();
    pools.sort_by_key(|pool| std::cmp::Reverse(pool.cpu));
    let of_pools: u32 = pools.iter().map(|pool| pool.max).sum();
    let allowed = most.map_or(of_pools, |one| of_pools.min(one.goal.max(0.0) as u32));
    let (mut left, mut cores) = (allowed, 0.0);
    for pool in &pools {
        let taken = left.min(pool.max);
        cores += f64::from(taken) * pool.cpu.as_cores();
        left -= taken;
    }
    let set_by = match most.filter(|_| allowed < of_pools) {
        Some(objective) => format!("by objective `{}`", objective.name),
        None => format!("by the pools of cluster {}", scenario.cluster.name),
    };
    let nodes = plural(u64::from(allowed), "node", "nodes");
    let first = pools.first();
    Limit {
        cores,
        workload: None,
        words: format!("{set_by} there are {nodes} at most, with {} cores", amount(cores)),
        relax: Relax::Nodes {
            cores: first.map_or(1.0, |pool| pool.cpu.as_cores()),
            price: first.map_or(0.0, |pool| pool.price_per_hour),
        },
    }
}

impl Limit {
    fn cost(&self, stream: &Stream) -> f64 {
        self.workload.map_or_else(|| stream.work.iter().sum(), |workload| stream.work[workload])
    }
}

/// Cores that all requests need.
fn needed(streams: &[Stream], limit: &Limit) -> f64 {
    streams.iter().map(|stream| stream.rate * limit.cost(stream)).sum()
}

/// The largest share of requests that can be answered at so many times the load: the
/// cheapest first.
fn answered(streams: &[Stream], limit: &Limit, load: f64) -> f64 {
    let mut order: Vec<&Stream> = streams.iter().collect();
    order.sort_by(|a, b| limit.cost(a).total_cmp(&limit.cost(b)));
    let all: f64 = streams.iter().map(|stream| stream.rate * load).sum();
    let (mut left, mut good) = (limit.cores, 0.0);
    for stream in order {
        let (rate, cost) = (stream.rate * load, limit.cost(stream));
        let taken = if rate * cost <= left { rate } else { left / cost };
        good += taken;
        left -= taken * cost;
    }
    if all > 0.0 { good / all } else { 1.0 }
}

/// The largest load, relative to the scenario's, of which this share can be answered.
fn largest(streams: &[Stream], limit: &Limit, goal: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    if answered(streams, limit, high) >= goal {
        return high;
    }
    // The share falls with the load; 40 halvings are more digits than anybody reads.
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if answered(streams, limit, middle) >= goal { low = middle } else { high = middle }
    }
    low
}

/// What binds, and what would have to be otherwise.
fn words(scenario: &Scenario, streams: &[Stream], limit: &Limit, goal: f64) -> (String, Vec<String>) {
    let cores = needed(streams, limit);
    let (users, largest) = (peak_users(scenario), largest(streams, limit, goal));
    let unit = match &scenario.demand.population {
        Population::Rate { users: None, .. } => "journeys/s",
        _ => "users",
    };
    let binding = format!(
        "{}, and what {} {unit} ask for takes {} at least, however it is set up",
        limit.words,
        count(users),
        amount(cores)
    );
    let mut relax = vec![format!(
        "fewer users: no more than {} {unit} can be answered on this (plan capacity finds how many are)",
        count((users * largest).floor())
    )];
    match limit.relax {
        Relax::Nodes { cores: of_one, price } => {
            let nodes = (goal * cores / of_one).ceil();
            let price = if price > 0.0 {
                let month = cost_per_month(nodes * price, 3_600.0);
                format!(", {} a month", money(month, &scenario.goals.currency))
            } else {
                String::new()
            };
            relax.push(format!(
                "more nodes: at least {} of {} cores{price}; every node more answers {} {unit} more at most",
                count(nodes),
                amount(of_one),
                count((users * largest * of_one / limit.cores.max(f64::MIN_POSITIVE)).floor()),
            ));
        }
        Relax::Pod => relax.push(format!(
            "a pod that can use {} cores, on a node that has them, or one that can be scaled out",
            amount(goal * cores)
        )),
    }
    relax.push(format!(
        "a lower goal: {} of requests can be answered at most",
        percent(answered(streams, limit, 1.0))
    ));
    (binding, relax)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(rate: f64, cost: f64) -> Stream {
        Stream { rate, work: vec![cost] }
    }

    #[test]
    fn the_cheapest_requests_are_answered_first() {
        let streams = [stream(10.0, 1.0), stream(90.0, 0.1)];
        let limit = |cores: f64| Limit { cores, workload: None, words: String::new(), relax: Relax::Pod };
        assert!((needed(&streams, &limit(1.0)) - 19.0).abs() < 1e-9);
        for (cores, share) in [(19.0, 1.0), (14.0, 0.95), (9.0, 0.9), (4.5, 0.45)] {
            let seen = answered(&streams, &limit(cores), 1.0);
            assert!((seen - share).abs() < 1e-9, "{cores}: {seen}");
        }
        // Half the load fits half the cores.
        assert!((largest(&streams, &limit(9.5), 1.0) - 0.5).abs() < 1e-9);
        assert!((largest(&streams, &limit(30.0), 1.0) - 1.0).abs() < 1e-9);
    }
}
