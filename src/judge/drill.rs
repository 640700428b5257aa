//! What a drill cost: two recoveries, requests lost, and the worst moment.
//!
//! Every run with a drill is compared with a run under the same requests
//! without it, so that what fails anyway is nobody's fault.

use crate::judge::{Estimate, estimate};
use crate::observe::{Observations, WatchRow};
use crate::scenario::Objective;
use crate::units::{SimDuration, SimTime};

/// Users are served again when it stays so for this long.
const STAYS: SimDuration = SimDuration::from_secs(10);
/// What still fails so long after its trigger has gone keeps itself alive.
const AFTERMATH: SimDuration = SimDuration::from_secs(60);
/// It takes this share of failures to call it that.
const STILL_FAILS: f64 = 0.2;
/// Seconds of a year.
pub const YEAR: f64 = 365.25 * 86_400.0;

/// What one run with a drill shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// When it struck.
    pub struck: SimTime,
    /// Whom.
    pub whom: String,
    /// From the strike until the success ratio is back and stays for ten
    /// seconds, in seconds; 0 when users felt nothing, `None` when they were not
    /// served again within the observed time.
    pub users_recovered: Option<f64>,
    /// From the strike until every workload has its replicas again, in seconds.
    pub capacity_restored: Option<f64>,
    /// Requests that failed because of it.
    pub lost: f64,
    /// The same as seconds of the whole traffic.
    pub lost_seconds: f64,
    /// The worst share of failures within ten seconds.
    pub worst: f64,
    /// The longest wait for an answer after the strike.
    pub slowest: SimDuration,
    /// Seconds that pods waited for a node that had room for them, summed, beyond
    /// those without the drill.
    pub pending_seconds: f64,
    /// The share that still fails, from a minute after the trigger has gone to
    /// the end, where that is a fifth or more: a state that outlives what
    /// brought it about (Bronson et al. 2021, "metastable failures").
    pub metastable: Option<f64>,
}

/// A drill over its replications.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Seconds; `None` where some replication did not recover.
    pub users_recovered: Option<Estimate>,
    /// Seconds; `None` where some replication did not recover.
    pub capacity_restored: Option<Estimate>,
    /// Requests.
    pub lost: Estimate,
    /// Seconds of the whole traffic.
    pub lost_seconds: Estimate,
    /// Seconds that pods waited for a node with room, summed.
    pub pending_seconds: Estimate,
    /// The worst share of failures within ten seconds, of all replications.
    pub worst: f64,
    /// The longest wait for an answer of all replications.
    pub slowest: SimDuration,
    /// The largest share that still failed long after the trigger had gone, and
    /// in how many replications.
    pub metastable: Option<(f64, usize)>,
    /// Whom it struck, by replication.
    pub whom: Vec<String>,
}

/// Compares a run with a drill to the same run without; `goal` is the success
/// ratio that users are promised. `None` when the drill did not strike.
pub fn cost(with: &Observations, without: &Observations, goal: f64) -> Option<Cost> {
    let strike = with.watch.strikes.first()?;
    let struck = strike.time?;
    let after = |run: &Observations| run.watch.rows.iter().position(|row| row.time > struck);
    let (first, base) = (after(with)?, after(without).unwrap_or(usize::MAX));
    let rows = &with.watch.rows[first..];
    let plain = without.watch.rows.get(base..).unwrap_or_default();
    let failed = |rows: &[WatchRow]| rows.iter().map(|row| row.failed).sum::<u64>() as f64;
    let lost = failed(rows) - failed(&plain[..rows.len().min(plain.len())]);
    let rate = with.watch.rows[..first].iter().map(|row| row.arrived).sum::<u64>() as f64
        / with.watch.rows[..first].len().max(1) as f64
        / with.watch.step.as_secs_f64();
    let windows = windows(rows, plain, with.watch.step, goal);
    let bad = windows.iter().rposition(|window| window.is_bad);
    let since = |row: usize| rows[row].time.since(struck).as_secs_f64();
    let users_recovered = match bad {
        None => Some(0.0),
        Some(last) if last + 1 >= rows.len() => None,
        // The last bad window ends with the last failures in it.
        Some(last) => Some(since(last_failure(rows, last))),
    };
    Some(Cost {
        struck,
        whom: strike.whom.clone(),
        users_recovered,
        capacity_restored: capacity_restored(with, first, &since),
        lost: lost.max(0.0),
        lost_seconds: lost.max(0.0) / rate.max(1e-9),
        worst: windows.iter().map(|window| window.share).fold(0.0, f64::max),
        slowest: rows.iter().map(|row| row.slowest).max().unwrap_or(SimDuration::ZERO),
        pending_seconds: (with.cluster.pending_pod_seconds - pending_until(without, with.end)).max(0.0),
        metastable: strike.ended.and_then(|ended| still_failing(rows, plain, ended)),
    })
}

/// What pods waited for a node in a run, scaled to the time until `end`: the run
/// without a drill is longer than some with one.
fn pending_until(run: &Observations, end: SimTime) -> f64 {
    let (all, part) = (run.end.since_or_zero(run.start), end.since_or_zero(run.start));
    run.cluster.pending_pod_seconds * (part.as_secs_f64() / all.as_secs_f64().max(1e-9)).min(1.0)
}

/// The share of requests that still fails from a minute after `ended` on, beyond
/// what fails without the drill, where it is large and does not go away.
fn still_failing(rows: &[WatchRow], plain: &[WatchRow], ended: SimTime) -> Option<f64> {
    let from = rows.iter().position(|row| row.time > ended + AFTERMATH)?;
    let until = rows.len().min(plain.len());
    let share = |rows: &[WatchRow]| {
        let failed = rows.iter().map(|row| row.failed).sum::<u64>() as f64;
        let finished = rows.iter().map(|row| row.failed + row.answered).sum::<u64>() as f64;
        failed / finished.max(1.0)
    };
    let (late, last) = (rows.get(from..until)?, rows.get(until.saturating_sub(20)..until)?);
    let extra = |late: &[WatchRow], from: usize| share(late) - share(&plain[from..until]);
    let long_enough = late.len() >= 60;
    let still = extra(late, from);
    let to_the_end = extra(last, until.saturating_sub(20)) >= STILL_FAILS;
    (long_enough && to_the_end && still >= STILL_FAILS).then_some(still)
}

/// The last row up to `last` in which something failed.
fn last_failure(rows: &[WatchRow], last: usize) -> usize {
    rows[..=last].iter().rposition(|row| row.failed > 0).unwrap_or(last)
}

/// What failed within the ten seconds up to a row, beyond what failed without
/// the drill.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    /// Share of the requests that were finished.
    share: f64,
    /// More than a service that just keeps its promise would show by chance.
    is_bad: bool,
}

/// One window for each row.
fn windows(rows: &[WatchRow], plain: &[WatchRow], step: SimDuration, goal: f64) -> Vec<Window> {
    let span = (STAYS.as_nanos() / step.as_nanos().max(1)).max(1) as usize;
    let sum = |rows: &[WatchRow], of: fn(&WatchRow) -> u64| rows.iter().map(of).sum::<u64>() as f64;
    (0..rows.len())
        .map(|row| {
            let from = (row + 1).saturating_sub(span);
            let window = &rows[from..=row];
            let finished = sum(window, |row| row.answered + row.failed);
            let end = (row + 1).min(plain.len());
            let same = &plain[from.min(end)..end];
            let extra = (sum(window, |row| row.failed) - sum(same, |row| row.failed)).max(0.0);
            if finished == 0.0 {
                // Where nothing finishes although people ask, nobody is served.
                let asked = sum(window, |row| row.arrived) > 0.0;
                return Window { share: f64::from(u8::from(asked)), is_bad: asked };
            }
            // Two standard deviations of a Poisson count, and one for its grain.
            let allowed = (1.0 - goal) * finished;
            Window { share: extra / finished, is_bad: extra > allowed + 2.0 * allowed.sqrt() + 1.0 }
        })
        .collect()
}

/// When every workload has as many ready replicas as before the strike (or as
/// it wants by then, if that is fewer), and keeps them.
fn capacity_restored(run: &Observations, first: usize, since: &impl Fn(usize) -> f64) -> Option<f64> {
    let rows = &run.watch.rows;
    let before = &rows[first.checked_sub(1)?].ready;
    match rows[first..].iter().rposition(|row| !row.is_whole(before)) {
        None => Some(0.0),
        Some(last) if first + last + 1 >= rows.len() => None,
        Some(last) => Some(since(last + 1)),
    }
}

/// Puts replications together; there is at least one.
pub fn summary(costs: &[Cost], confidence: f64) -> Summary {
    let over = |of: &dyn Fn(&Cost) -> Option<f64>| {
        let values: Option<Vec<f64>> = costs.iter().map(of).collect();
        values.map(|values| estimate::over_replications(&values, confidence))
    };
    let sure = |of: &dyn Fn(&Cost) -> f64| {
        let values: Vec<f64> = costs.iter().map(of).collect();
        estimate::over_replications(&values, confidence)
    };
    Summary {
        users_recovered: over(&|cost| cost.users_recovered),
        capacity_restored: over(&|cost| cost.capacity_restored),
        lost: sure(&|cost| cost.lost),
        lost_seconds: sure(&|cost| cost.lost_seconds),
        pending_seconds: sure(&|cost| cost.pending_seconds),
        worst: costs.iter().map(|cost| cost.worst).fold(0.0, f64::max),
        slowest: costs.iter().map(|cost| cost.slowest).max().unwrap_or(SimDuration::ZERO),
        metastable: {
            let shares = costs.iter().filter_map(|cost| cost.metastable);
            let count = shares.clone().count();
            (count > 0).then(|| (shares.fold(0.0, f64::max), count))
        },
        whom: costs.iter().map(|cost| cost.whom.clone()).collect(),
    }
}

/// The availability expected over a year.
#[derive(Clone, Debug, PartialEq)]
pub struct Year {
    /// The share of requests answered, with its interval.
    pub availability: Estimate,
    /// Share of requests that fail without any failure of the platform.
    pub steady: f64,
    /// Share of requests that each failure mode costs, in the order given.
    pub modes: Vec<Estimate>,
}

/// The year's availability from what each failure mode costs, as seconds of the
/// whole traffic, and how often it comes.
pub fn year(steady: Estimate, modes: &[(f64, Estimate)]) -> Year {
    let shares: Vec<Estimate> = modes
        .iter()
        .map(|(per_year, lost)| {
            let scale = per_year / YEAR;
            let interval = lost.interval.map(|(low, high)| (low * scale, high * scale));
            Estimate { value: lost.value * scale, interval }
        })
        .collect();
    let down = 1.0 - steady.value + shares.iter().map(|share| share.value).sum::<f64>();
    // Modes are independent: their half widths add up as squares.
    let half = |one: &Estimate| one.interval.map(|(low, high)| (high - low) / 2.0);
    let halves: Option<Vec<f64>> = std::iter::once(&steady).chain(&shares).map(half).collect();
    let half = halves.map(|halves| halves.iter().map(|half| half * half).sum::<f64>().sqrt());
    let value = (1.0 - down).clamp(0.0, 1.0);
    let interval = half.map(|half| ((value - half).max(0.0), (value + half).min(1.0)));
    Year { availability: Estimate { value, interval }, steady: 1.0 - steady.value, modes: shares }
}

/// Whether an objective is about a drill of this name.
pub fn is_about(objective: &Objective, name: &str) -> bool {
    match &objective.scope {
        crate::scenario::Scope::Drill(wanted) => wanted == "*" || wanted == name,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Strike, Watch};
    use crate::units::SimTime;

    /// A run of 100 requests a second; `failed` and `ready` by second.
    fn watch(seconds: usize, failed: impl Fn(usize) -> u64, ready: impl Fn(usize) -> u32) -> Watch {
        let row = |second: usize| WatchRow {
            time: SimTime::from_secs(second as u64 + 1),
            arrived: 100,
            answered: 100 - failed(second),
            failed: failed(second),
            slowest: SimDuration::from_millis(20),
            ready: vec![ready(second)],
            desired: vec![4],
            nodes: 3,
        };
        let strike = Strike { time: Some(SimTime::from_secs(60)), ended: None, whom: "web-1".to_owned() };
        Watch {
            step: SimDuration::from_secs(1),
            rows: (0..seconds).map(row).collect(),
            strikes: vec![strike],
        }
    }

    fn seen(watch: Watch) -> Observations {
        let mut run = crate::observe::Observations::nothing();
        run.watch = watch;
        run
    }

    #[test]
    fn recoveries_are_counted_from_the_strike_to_the_last_bad_moment() {
        let plain = seen(watch(300, |_| 0, |_| 4));
        // Fails from second 65 up to 80, replicas are short from 60 up to 100.
        let failed = |second| if (65..80).contains(&second) { 50 } else { 0 };
        let ready = |second| if (60..100).contains(&second) { 3 } else { 4 };
        let one = cost(&seen(watch(300, failed, ready)), &plain, 0.999).expect("it struck");
        assert_eq!((one.users_recovered, one.capacity_restored), (Some(20.0), Some(41.0)));
        assert!((one.lost - 750.0).abs() < 1e-9 && (one.lost_seconds - 7.5).abs() < 1e-9, "{one:?}");
        assert!((one.worst - 0.5).abs() < 1e-9);
        // To the end: not recovered, neither way.
        let one = cost(
            &seen(watch(300, |second| u64::from(second > 70) * 9, |second| 4 - u32::from(second > 70))),
            &plain,
            0.999,
        );
        assert_eq!(one.map(|one| (one.users_recovered, one.capacity_restored)), Some((None, None)));
    }

    #[test]
    fn what_fails_anyway_and_single_failures_are_no_fault_of_the_drill() {
        let often = |second: usize| u64::from(second.is_multiple_of(3));
        let plain = seen(watch(300, often, |_| 4));
        let one = cost(&seen(watch(300, often, |_| 4)), &plain, 0.999).expect("it struck");
        assert_eq!((one.users_recovered, one.lost), (Some(0.0), 0.0));
        let once = seen(watch(300, |second| u64::from(second == 250), |_| 4));
        let calm = seen(watch(300, |_| 0, |_| 4));
        let one = cost(&once, &calm, 0.999).expect("it struck");
        assert_eq!((one.users_recovered, one.lost), (Some(0.0), 1.0));
    }

    #[test]
    fn a_year_adds_up_and_a_mode_left_out_takes_what_its_row_said() {
        let steady = Estimate { value: 0.9999, interval: Some((0.9998, 1.0)) };
        let modes = [
            (10.0, Estimate { value: 60.0, interval: Some((30.0, 90.0)) }),
            (1.0, Estimate { value: 3_600.0, interval: Some((3_600.0, 3_600.0)) }),
        ];
        let all = year(steady, &modes);
        let without = year(steady, &modes[..1]);
        let gone = without.availability.value - all.availability.value;
        assert!((gone - all.modes[1].value).abs() < 1e-12 && (gone - 3_600.0 / YEAR).abs() < 1e-12);
        assert!((all.availability.value - (0.9999 - (600.0 + 3_600.0) / YEAR)).abs() < 1e-12);
    }
}
