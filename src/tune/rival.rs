//! What else would do: the user's settings made larger by hand, and those that the
//! Vertical Pod Autoscaler would make of them.

use rayon::prelude::*;

use super::probe::Need;
use super::score::Score;
use super::search;
use super::settings::Settings;
use super::site::{Site, Sizing};
use super::{Task, vpa, window};
use crate::change::ChangeSet;
use crate::judge::{Verdict, judge};
use crate::observe::Observations;
use crate::run::{self, FIRST};
use crate::scenario::{Fidelity, Scenario};
use crate::units::figures::count;

/// Usage makes a recommendation, and this makes other usage: so many rounds.
const ROUNDS: usize = 3;
/// Once, twice, and so on up to this many doublings less one: nobody would go further
/// by hand.
const DOUBLINGS: u32 = 7;
/// Halvings between the last factor that misses something and the first that doesn't.
const HALVINGS: usize = 3;

/// Settings that somebody would come to without a search, over the whole time.
#[derive(Clone, Debug)]
pub struct Rival {
    /// What was done, in words.
    pub name: String,
    /// What was set.
    pub settings: Settings,
    /// What came of it.
    pub score: Score,
    /// The verdict on the objectives that need no drill.
    pub verdict: Verdict,
}

/// The user's own settings as VPA would have them in the end; `runs` counts on.
pub fn by_vpa<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    sites: &[Site],
    needs: &[Need],
    before: &[Observations],
    runs: &mut usize,
) -> Option<Settings> {
    let first = before.first()?;
    let mut settings = vpa::recommended(&Settings::now(sites), sites, task.scenario, first);
    for _ in 1..ROUNDS {
        let scenario = task.scenario_of(sites, &settings)?;
        // It goes by what containers use from moment to moment, which slices even out.
        let cut = Scenario { fidelity: Fidelity::Full, ..window::hardest(&scenario, sites, needs) };
        let run = run::replicate(&cut, task.seed, 0..1, |_| ()).remove(0);
        *runs += 1;
        let next = vpa::recommended(&settings, sites, &scenario, &run);
        if next == settings {
            break;
        }
        settings = next;
    }
    Some(settings)
}

/// The rivals of a search, each over the whole time.
pub fn rivals<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    sites: &[Site],
    needs: &[Need],
    by_vpa: Option<Settings>,
    say: &(impl Fn(&str) + Sync),
) -> Vec<Rival> {
    let by_hand = by_hand(task, sites, needs).map(|(factor, settings)| {
        (format!("your replicas, maxima and limits times {}", count(factor)), settings)
    });
    let by_vpa = by_vpa.map(|settings| ("VPA's requests, your replicas".to_owned(), settings));
    let whole = |one: Option<(String, Settings)>| {
        let (name, settings) = one.filter(|_| !task.stopped())?;
        over_the_whole(task, sites, name, settings)
    };
    let (by_hand, by_vpa) = rayon::join(|| whole(by_hand), || whole(by_vpa));
    let all: Vec<Rival> = by_hand.into_iter().chain(by_vpa).collect();
    for one in &all {
        say(&format!("{}: {}", one.name, one.verdict.outcome.name()));
    }
    all
}

fn over_the_whole<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    sites: &[Site],
    name: String,
    settings: Settings,
) -> Option<Rival> {
    let scenario = window::whole(&task.scenario_of(sites, &settings)?);
    let runs = run::replicate(&scenario, task.seed, 0..FIRST, |_| ());
    let verdict = judge(&scenario, &runs);
    Some(Rival { name, settings, score: Score::of(&scenario, &runs, &verdict), verdict })
}

/// The least factor on everything that keeps what can be kept in the hardest
/// minutes, and the settings with it.
fn by_hand<A: Fn(&ChangeSet) -> Option<Scenario> + Sync>(
    task: &Task<'_, A>,
    sites: &[Site],
    needs: &[Need],
) -> Option<(f64, Settings)> {
    let misses = |factor: f64| {
        let scenario = task.scenario_of(sites, &times(sites, factor))?;
        Some(search::on_hardest(&scenario, sites, needs, task.seed, 0..1).violation)
    };
    // All at once: one that misses as much as the one before is no reason to stop.
    let factors: Vec<f64> = (0..DOUBLINGS).map(|doublings| f64::from(1_u32 << doublings)).collect();
    let missed: Vec<Option<f64>> = factors.par_iter().map(|factor| misses(*factor)).collect();
    let mut best = (1.0, missed[0]?);
    let mut low = 1.0;
    for (factor, missed) in factors.into_iter().zip(missed).skip(1) {
        let Some(missed) = missed.filter(|_| best.1 > 0.0) else { break };
        if missed < best.1 {
            (low, best) = (best.0, (factor, missed));
        }
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, best.0);
        if best.0 - low < 0.25 || task.stopped() {
            break;
        }
        match misses(middle) {
            Some(missed) if missed <= best.1 => best = (middle, missed),
            _ => low = middle,
        }
    }
    Some((best.0, times(sites, best.0)))
}

/// All replicas, maxima and limits this many times.
fn times(sites: &[Site], factor: f64) -> Settings {
    let more = |number: u32| (f64::from(number) * factor).ceil() as u32;
    let larger = |limit: u64| (limit as f64 * factor).ceil() as u64;
    let one = |site: &Site| {
        let now = site.now;
        let (min, max) = if site.scales { (more(now.min), more(now.max)) } else { (now.min, now.max) };
        Sizing {
            cpu_limit: now.cpu_limit.map(larger),
            memory_limit: now.memory_limit.map(larger),
            min,
            max,
            ..now
        }
    };
    Settings { sizes: sites.iter().map(one).collect(), guards: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_requests_grows() {
        let now = Sizing {
            cpu: 100,
            cpu_limit: Some(250),
            memory: 64,
            memory_limit: None,
            min: 2,
            max: 5,
            target: 70,
        };
        let site = |scales: bool| Site { scales, ..Site::plain(now) };
        let after = times(&[site(true), site(false)], 1.5).sizes;
        assert_eq!(after[0], Sizing { cpu_limit: Some(375), min: 3, max: 8, ..now });
        assert_eq!(after[1], Sizing { cpu_limit: Some(375), ..now });
    }
}
