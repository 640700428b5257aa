//! The alerts: what breaks an objective, and what breaks an assumption that the
//! plan rests on. Each comes with series that make it fire and series that don't.
//!
//! Burn rates, windows and their order are those of Google's SRE workbook
//! (chapter 5, "Alerting on SLOs", multiple windows and burn rates, 30 days).

use super::alert::{Alert, Burn, Kind};
use super::objectives::{Burning, share};
use super::{Plan, saturation};
use crate::units::figures::{count, percent, plural};

/// The windows that ratios are recorded over.
pub(super) const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
/// Burn rate, long window, short window.
type Window = (f64, &'static str, &'static str);
const FAST: [Window; 2] = [(14.4, "1h", "5m"), (6.0, "6h", "30m")];
const SLOW: [Window; 2] = [(3.0, "1d", "2h"), (1.0, "3d", "6h")];
/// What is recorded.
pub(super) const RATIO: &str = "plan:objective_bad:ratio_rate";

/// All alerts, objectives first.
pub(super) fn alerts(plan: &Plan<'_>) -> Vec<Alert> {
    let mut all = Vec::new();
    for (number, one) in plan.burning().iter().enumerate() {
        all.extend(burning(number, one, Kind::BurnsFast, &FAST));
        all.extend(burning(number, one, Kind::BurnsSlowly, &SLOW));
    }
    all.extend(load(plan));
    for one in plan.serving() {
        all.extend(saturation::autoscaler(&one));
        all.extend(saturation::replicas(&one));
        all.extend(saturation::throttled(&one));
        all.extend(saturation::memory(&one));
        all.push(saturation::restarts(&one, plan));
    }
    all.extend(saturation::cluster(plan));
    all
}

fn burning(number: usize, one: &Burning, kind: Kind, burns: &[Window]) -> Option<Alert> {
    let at = |window: &str| format!("{RATIO}{window}{{objective={:?}}}", one.name);
    // With a large budget a high burn rate would be more than everything.
    let possible: Vec<&Window> = burns.iter().filter(|(rate, ..)| rate * one.budget < 1.0).collect();
    let parts: Vec<String> = possible
        .iter()
        .map(|(rate, long, short)| {
            let most = threshold(rate * one.budget);
            format!("({} > {most} and {} > {most})", at(long), at(short))
        })
        .collect();
    let (rate, long, _) = possible.last()?;
    let in_budget = share(one.budget);
    let description = format!("Promised: {}; {in_budget} may fail it, over 30 days.", one.promise);
    let days = plural((30.0 / rate).ceil() as u64, "day", "days");
    // Enough for the lowest rate of these, and for the highest of the slow ones too little.
    let tried = ((rate * one.budget * 1.5).min(1.0), one.budget * 0.5);
    let of_all = |share: f64| (share * 100_000.0).round() as u64;
    let after = if *long == "3d" { 420 } else { 90 };
    Some(Alert {
        kind,
        about: Some(("objective", one.name.clone())),
        expr: parts.join(" or "),
        minutes: if kind == Kind::BurnsFast { 2 } else { 15 },
        summary: format!(
            "{}: the failures that 30 days may have are being spent in {days} or less",
            one.name
        ),
        description,
        fires: one.signal.series(of_all(tried.0), 100_000, after),
        rests: one.signal.series(of_all(tried.1), 100_000, after),
        after,
        burn: Some(Burn { objective: number, lowest: rate * one.budget, tried }),
    })
}

/// A threshold without the noise of binary fractions.
fn threshold(value: f64) -> String {
    super::objectives::bound(value)
}

fn load(plan: &Plan<'_>) -> Option<Alert> {
    let most = plan.proved_rate();
    let metric = plan.requests();
    if most <= 0.0 {
        return None;
    }
    let series = |per_second: f64| {
        vec![(plan.requests_series(), format!("0+{}x90", (per_second * 60.0).round() as u64))]
    };
    Some(Alert {
        kind: Kind::LoadBeyondProof,
        about: None,
        expr: format!("{} > {most}", metric("5m")),
        minutes: 10,
        summary: format!("more than {} requests a second come in, the most that was proved", count(most)),
        description: format!(
            "The plan was made for {}, {} requests a second at the peak, and its objectives were kept up to {} of \
             that. Beyond it nothing was proved.",
            plan.load(),
            count(plan.peak_rate()),
            percent(plan.proved_load())
        ),
        fires: series(most * 1.2 + 1.0),
        rests: series(most * 0.8),
        after: 60,
        burn: None,
    })
}

impl Plan<'_> {
    /// Users' requests per second, by the window.
    pub(super) fn requests(&self) -> impl Fn(&str) -> String {
        let selectors = self.entry_selectors();
        move |window: &str| {
            let (metric, selectors) = &selectors;
            let rates: Vec<String> =
                selectors.iter().map(|one| format!("rate({metric}{{{one}}}[{window}])")).collect();
            format!("sum({})", rates.join(" or "))
        }
    }

    /// One such series.
    fn requests_series(&self) -> String {
        let (metric, selectors) = self.entry_selectors();
        format!("{metric}{{{}}}", super::objectives::alone(&selectors[0]))
    }

    fn entry_selectors(&self) -> (String, Vec<String>) {
        if self.behind_ingress() {
            return (super::objectives::INGRESS.to_owned(), vec![self.namespace_selector()]);
        }
        let selectors = self.operations(&crate::scenario::Scope::All);
        (format!("{}_count", super::objectives::SERVER), selectors)
    }
}
