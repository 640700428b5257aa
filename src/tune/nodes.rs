//! Nodes: of which instance type, and how many, where the cluster file leaves a
//! choice and says prices.
//!
//! Only for clusters of one pool: in others, labels and taints say which pods go
//! where, and a pool of another type would not be the same pool.

use super::Task;
use super::harden;
use super::search::{self, Finalist, Found, SECOND_LOOK};
use super::window;
use crate::change::ChangeSet;
use crate::judge::{Outcome, cost_per_month};
use crate::scenario::{Comparison, Indicator, NodePool, ProvisionedBy, Scenario};
use crate::units::figures::{count, money, percent, plural};

/// Money saved below this part is not worth another kind of node.
const NOTABLE: f64 = 0.01;
/// One node alone is all or nothing.
const LEAST: u32 = 2;
/// So many kinds and sizes are simulated, the cheapest first.
const TRIED: usize = 6;
/// So many of those that cost less in the hardest minutes are held against drills.
const HELD: usize = 3;
/// Nodes beyond what the peak's pods need, for one that is lost.
const SPARE: u32 = 1;

/// Other nodes that do as well for less.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The pool as it was.
    pub before: NodePool,
    /// The pool as it is to be.
    pub after: NodePool,
    /// Which of the pool's alternatives it is; `None` where only the size changes.
    pub kind: Option<String>,
    /// Why, in one sentence without its full stop.
    pub because: String,
}

/// Tries the best settings on other nodes. What was chosen, where something does as
/// well for less.
pub fn choose<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    found: &Found,
    best: &Finalist,
    say: impl Fn(&str) + Sync,
) -> Option<Chosen> {
    let [pool] = task.scenario.cluster.pools.as_slice() else { return None };
    let scenario = task.scenario_of(&found.sites, &best.settings)?;
    let on = |pool: &NodePool| {
        let mut other = scenario.clone();
        other.cluster.pools = vec![pool.clone()];
        other
    };
    let calm = |scenario: &Scenario| {
        search::on_hardest(scenario, &found.sites, &found.needs, task.seed, 1..1 + SECOND_LOOK)
    };
    let mut tried = candidates(&scenario, pool, best);
    if tried.is_empty() || task.stopped() {
        return None;
    }
    tried.truncate(TRIED);
    let now = calm(&scenario);
    let scored = tried.into_iter().filter_map(|(kind, pool)| {
        let score = (!task.stopped()).then(|| calm(&on(&pool)))?;
        Some((score, kind, pool))
    });
    let mut better: Vec<_> = scored
        .filter(|(score, ..)| {
            score.violation <= now.violation && score.rank().1 < now.rank().1 * (1.0 - NOTABLE)
        })
        .collect();
    better.sort_by(|a, b| a.0.compare(&b.0));
    let mut kept_before = None;
    for (_, kind, after) in better.into_iter().take(HELD) {
        let name = kind.as_deref().unwrap_or("the same kind");
        match holds(task, found, best, (&scenario, &on(&after)), pool, &mut kept_before) {
            Ok(because) => {
                say(&format!("{} of {name}: {because}", plural(u64::from(after.min), "node", "nodes")));
                return Some(Chosen { before: pool.clone(), after, kind, because });
            }
            Err(why) => {
                say(&format!("not {} of {name}: {why}", plural(u64::from(after.min), "node", "nodes")));
            }
        }
        if task.stopped() {
            break;
        }
    }
    None
}

/// Whether other nodes do as well over the whole time, in drills and on a worse day.
fn holds<A>(
    task: &Task<'_, A>,
    found: &Found,
    best: &Finalist,
    (scenario, changed): (&Scenario, &Scenario),
    before: &NodePool,
    kept_before: &mut Option<usize>,
) -> Result<String, String> {
    let whole = search::final_in(task.seed, changed, best.settings.clone());
    let worse = whole.verdict.outcome == Outcome::Missed && best.verdict.outcome != Outcome::Missed;
    if worse || whole.score.violation > best.score.violation {
        return Err("it breaks an objective over the whole time".to_owned());
    }
    if whole.score.nodes >= best.score.nodes * (1.0 - NOTABLE) {
        return Err(format!("it saves less than {} over the whole time", percent(NOTABLE)));
    }
    let (kept, all) = harden::bears(task, found, changed);
    let kept_before = *kept_before.get_or_insert_with(|| harden::bears(task, found, scenario).0);
    if kept < kept_before {
        return Err(format!("it keeps {kept} of {all} promises in drills, the present nodes {kept_before}"));
    }
    let currency = &scenario.goals.currency;
    let pods = best.runs.iter().map(|run| run.cluster.pods.max()).fold(0.0, f64::max);
    Ok(format!(
        "it holds the {} pods of the peak for {} a month, {} × {} came to {}; in drills {kept} of {all} promises \
         are kept, before {kept_before}",
        count(pods),
        money(whole.score.nodes, currency),
        before.min,
        money(cost_per_month(before.price_per_hour, 3_600.0), currency),
        money(best.score.nodes, currency),
    ))
}

/// Pools that may cost less than the present one, the cheapest at rest first.
fn candidates(scenario: &Scenario, pool: &NodePool, best: &Finalist) -> Vec<(Option<String>, NodePool)> {
    let (least, most) = bounds(scenario, pool);
    let kinds = std::iter::once((None, pool.clone()))
        .chain(pool.alternatives.iter().map(|kind| (Some(kind.name.clone()), pool.made_of(kind))));
    let (rest, peak) = pods(scenario, best);
    let mut all = Vec::new();
    for (kind, one) in kinds {
        let enough = |of: &Scenario| (1..=most).find(|nodes| window::hold(of, &one, *nodes));
        let (Some(rest), Some(peak)) = (enough(&rest), enough(&peak)) else { continue };
        let sizes = if scenario.cluster.provisioned_by == ProvisionedBy::Nobody {
            [peak, peak + SPARE].map(|nodes| (nodes.clamp(least, most), nodes.clamp(least, most)))
        } else {
            let top = (peak + SPARE).clamp(least, most);
            [rest, peak].map(|nodes| (nodes.clamp(least, most).min(top), top))
        };
        for (min, max) in sizes {
            let sized = NodePool { count: min, min, max, ..one.clone() };
            if sized != *pool && !all.iter().any(|(_, known)| *known == sized) {
                all.push((kind.clone(), sized));
            }
        }
    }
    let at_rest = |pool: &NodePool| f64::from(pool.min) * pool.price_per_hour;
    all.retain(|(_, one)| one.price_per_hour > 0.0 && at_rest(one) < at_rest(pool) * (1.0 - NOTABLE));
    all.sort_by(|a, b| at_rest(&a.1).total_cmp(&at_rest(&b.1)));
    all
}

/// How many nodes the policy wants and bears.
fn bounds(scenario: &Scenario, pool: &NodePool) -> (u32, u32) {
    let bound = |indicator: Indicator, comparison: Comparison| {
        let about = scenario.goals.objectives.iter();
        let mut about = about.filter(|one| one.indicator == indicator && one.comparison == comparison);
        about.next().map(|one| one.goal.clamp(0.0, 5_000.0))
    };
    let least = bound(Indicator::NodesMin, Comparison::AtLeast).map_or(1, |goal| goal.ceil() as u32);
    // Whoever has two nodes meant to bear the loss of one.
    let least = least.max(LEAST.min(pool.min)).max(1);
    let most = bound(Indicator::NodesMax, Comparison::AtMost).map_or(5_000, |goal| goal as u32);
    (least, most.max(least))
}

/// The scenario with the pods of a time of rest, and with those of the peak.
fn pods(scenario: &Scenario, best: &Finalist) -> (Scenario, Scenario) {
    let (mut rest, mut peak) = (scenario.clone(), scenario.clone());
    for autoscaler in &scenario.autoscalers {
        rest.workloads[autoscaler.workload].replicas = autoscaler.spec.min_replicas.max(1);
        let seen = best.runs.iter().filter_map(|run| run.workloads.get(autoscaler.workload));
        let most = seen.map(|one| one.desired.max()).fold(0.0, f64::max) as u32;
        peak.workloads[autoscaler.workload].replicas = most.max(autoscaler.spec.min_replicas);
    }
    (rest, peak)
}
