//! Why an objective is missed or unsure: the chain from what users saw to the
//! setting that binds.

use super::finding::Kind;
use super::path::{self, Trail};
use super::{Finding, Judged, Outcome, measure, rule};
use crate::observe::{Cause, Observations, Pooled, Stop, Traffic};
use crate::scenario::{self, Comparison, Indicator, Objective, Scenario, Scope, Workload};
use crate::units::figures::{amount, clock, count, money, percent, plural, seconds};

/// So many findings an objective names; the rest is in the remarks.
const FINDINGS: usize = 4;

/// The reasons of one judged objective.
pub(super) fn reasons(
    scenario: &Scenario,
    objective: &Objective,
    judged: &Judged,
    pooled: &Pooled,
    shown: &Observations,
    findings: &[Finding],
) -> Vec<String> {
    let mut lines = match judged.outcome {
        Outcome::Met | Outcome::NotJudged => return Vec::new(),
        Outcome::Unsure => unsure(judged, pooled.replications),
        Outcome::Missed => Vec::new(),
    };
    let about = Case { scenario, objective, pooled, shown, findings };
    lines.extend(match objective.indicator {
        Indicator::Availability
        | Indicator::FailedRequests
        | Indicator::CarriedUsers
        | Indicator::Throughput
        | Indicator::UsersRecovered
        | Indicator::CapacityRestored
        | Indicator::AvailabilityPerYear => about.failures(),
        Indicator::Latency { quantile } => about.slowness(quantile),
        Indicator::ReplicasMax | Indicator::ReplicasMin | Indicator::PodsMax | Indicator::PodsMin => {
            about.replicas()
        }
        Indicator::NodesMax | Indicator::NodesMin | Indicator::CostPerMonth => about.nodes(),
        Indicator::PendingPodSeconds => about.found(|kind| kind == Kind::Unschedulable),
        Indicator::ScaleEventsPerHour => about.scale_events(),
        Indicator::Overload => about.overload(),
        Indicator::Restarts => about.found(|kind| matches!(kind, Kind::OutOfMemory | Kind::Restarted)),
        Indicator::Rule(index) => rule::because(scenario, index, shown),
    });
    lines
}

/// What a reviewer should know whatever the objectives say: how runs ended,
/// and what went wrong that no objective's reasons tell.
pub(super) fn remarks(
    scenario: &Scenario,
    runs: &[Observations],
    judged: &[Judged],
    findings: &[Finding],
) -> Vec<String> {
    let stops = runs.iter().filter_map(|run| Some((run, run.stopped?)));
    let mut lines: Vec<String> = stops
        .map(|(run, stop)| {
            let what = match stop {
                Stop::InFlight(limit) => format!("more than {} calls were in flight", count(limit as f64)),
                Stop::Pods(limit) => format!("there were more than {} pods", count(limit as f64)),
            };
            let replication = run.seed.replication + 1;
            format!("replication {replication} was stopped at {}: {what}", clock(run.end))
        })
        .collect();
    let told = |finding: &&Finding| judged.iter().any(|judged| judged.because.contains(&finding.text));
    lines.extend(findings.iter().filter(|finding| !told(finding)).map(|finding| finding.text.clone()));
    lines.extend(struck(scenario, &runs[0]));
    lines.extend(scenario.goals.notes.iter().cloned());
    lines.extend(idle(scenario));
    lines
}

/// What struck by the scenario's own drills: of the first replication.
fn struck(scenario: &Scenario, run: &Observations) -> Option<String> {
    /// So many are told; the rest is counted.
    const TOLD: usize = 6;
    let strikes = scenario.drills.iter().zip(&run.watch.strikes);
    let strikes: Vec<String> = strikes
        .filter_map(|(drill, strike)| {
            Some(format!("{} at {} ({})", drill.name, clock(strike.time?), strike.whom))
        })
        .collect();
    if strikes.is_empty() {
        return None;
    }
    let more = match strikes.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let told = strikes[..strikes.len().min(TOLD)].join(", ");
    Some(format!("everything here is with the drills that struck: {told}{more}"))
}

/// The workloads that no request reaches: what is said of them is said of pods
/// that stand idle.
fn idle(scenario: &Scenario) -> Option<String> {
    /// So many are named; the rest is counted.
    const NAMED: usize = 8;
    if scenario.workloads.is_empty() {
        return None;
    }
    let reached = path::reachable(scenario, &Scope::All);
    let idle = |(index, workload): &(usize, &Workload)| {
        !reached.contains(index) && workload.kind != scenario::Kind::Job
    };
    let all = scenario.workloads.iter().enumerate().filter(idle);
    let names: Vec<&str> = all.map(|(_, workload)| workload.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = names[..names.len().min(NAMED)].join(", ");
    Some(format!(
        "no request reaches {names}{more}: idle in this simulation, so nothing is known of them under load"
    ))
}

fn unsure(judged: &Judged, replications: usize) -> Vec<String> {
    match judged.measured {
        Some(estimate) if estimate.interval.is_none() => {
            vec!["one replication says nothing about chance; ask for at least 3".to_owned()]
        }
        _ if judged.because.is_empty() => {
            vec![format!(
                "the goal lies inside the interval of {replications} replications; more would narrow it"
            )]
        }
        _ => Vec::new(),
    }
}

/// One objective and what is known.
struct Case<'a> {
    scenario: &'a Scenario,
    objective: &'a Objective,
    pooled: &'a Pooled,
    shown: &'a Observations,
    findings: &'a [Finding],
}

impl Case<'_> {
    /// Which requests failed, where that started, and what was wrong there.
    fn failures(&self) -> Vec<String> {
        let traffic = measure::traffic(&self.objective.scope, &self.pooled.journeys, |i| {
            &self.pooled.workloads[i].traffic
        });
        let mut lines = Vec::new();
        let most = self.pooled.users.max.round();
        if self.objective.indicator == Indicator::CarriedUsers && most < self.objective.goal {
            let why = self.scenario.short_of_peak().map(|short| format!(": {short}"));
            let why = why.unwrap_or_else(|| "; --users asks for more".to_owned());
            lines.push(format!("there were never more than {} users{why}", count(most)));
            if traffic.failed() == 0 {
                // All who came were served: nothing that they met binds.
                return lines;
            }
        }
        if traffic.failed() > 0 {
            lines.push(self.what_failed(&traffic));
        }
        let trail = path::trail(self.scenario, &self.objective.scope, self.pooled);
        lines.extend(trail.as_ref().and_then(|trail| self.where_it_started(trail)));
        let root = trail.as_ref().and_then(|trail| trail.workloads.last().copied());
        lines.extend(self.chain(root, |_| true));
        lines
    }

    fn what_failed(&self, traffic: &Traffic) -> String {
        let (failed, finished) = (traffic.failed() as f64, (traffic.failed() + traffic.answered) as f64);
        format!(
            "{} of requests failed ({} of {} a run): {}",
            percent(failed / finished),
            count(self.pooled.per_run(failed)),
            count(self.pooled.per_run(finished)),
            causes(traffic),
        )
    }

    fn where_it_started(&self, trail: &Trail) -> Option<String> {
        let name = |index: usize| self.scenario.workloads[index].name.as_str();
        let names: Vec<&str> = trail.workloads.iter().map(|&index| name(index)).collect();
        if let Some(index) = trail.external {
            let (external, traffic) = (&self.scenario.externals[index], &self.pooled.externals[index]);
            let quota = external.quota;
            return Some(format!(
                "the failures lead through {} to {}, outside the cluster: {} of its {} calls a run failed{}",
                names.join(" → "),
                external.name,
                percent(1.0 - traffic.availability()),
                count(self.pooled.per_run(traffic.arrived as f64)),
                quota.map_or(String::new(), |quota| format!(
                    " (its quota is {} calls a second)",
                    amount(quota.per_second)
                )),
            ));
        }
        let (root, rest) = names.split_last()?;
        let traffic = &self.pooled.workloads[*trail.workloads.last()?].traffic;
        let failed = self.pooled.per_run(traffic.failed() as f64);
        if rest.is_empty() && matches!(self.objective.scope, Scope::Workload(_)) {
            return None;
        }
        let lead = if rest.is_empty() {
            format!("they failed at {root} itself")
        } else {
            format!("the failures lead through {} to {root}", rest.join(" → "))
        };
        Some(format!("{lead}: {} of its calls a run failed: {}", count(failed), causes(traffic)))
    }

    /// Where requests that were answered late lost their time.
    fn slowness(&self, quantile: f64) -> Vec<String> {
        let lines = self.chain(None, |_| true);
        if !lines.is_empty() {
            return lines;
        }
        let reachable = path::reachable(self.scenario, &self.objective.scope);
        let slowest =
            |index: &usize| self.pooled.workloads[*index].traffic.latency.quantile(quantile).unwrap_or(0.0);
        let Some(worst) = reachable.into_iter().max_by(|a, b| slowest(a).total_cmp(&slowest(b))) else {
            return Vec::new();
        };
        vec![format!(
            "no workload on the way was short of anything: the time is what the operations take by themselves; \
             the slowest is {} with {} at p{}",
            self.scenario.workloads[worst].name,
            seconds(slowest(&worst)),
            amount(quantile * 100.0),
        )]
    }

    fn replicas(&self) -> Vec<String> {
        let wanted = |workload: usize| match self.objective.scope {
            Scope::Workload(index) => index == workload,
            Scope::All | Scope::Journey(_) | Scope::Drill(_) => true,
        };
        let goes_up = self.objective.comparison == Comparison::AtMost;
        let decisions =
            self.shown.decisions.iter().filter(|d| wanted(d.workload) && (d.to > d.from) == goes_up);
        let extreme = decisions.max_by_key(|d| if goes_up { i64::from(d.to) } else { -i64::from(d.to) });
        let lines = extreme.map(|decision| {
            let name = &self.scenario.workloads[decision.workload].name;
            let (from, to, time) = (decision.from, decision.to, clock(decision.time));
            format!("{name}: its HPA went from {from} to {to} at {time}: {}", decision.because)
        });
        lines.into_iter().chain(self.chain(None, |kind| kind == Kind::Unschedulable)).collect()
    }

    fn nodes(&self) -> Vec<String> {
        let (nodes, share) = (self.pooled.nodes, self.pooled.cpu_requested_share.mean);
        let cost = measure::cost_per_month(self.pooled.cost, self.pooled.seconds);
        let mut lines = vec![format!(
            "{} nodes on average ({} at most), {} of their CPU requested; {} a month",
            amount(nodes.mean),
            amount(nodes.max),
            percent(share),
            money(cost, &self.scenario.goals.currency),
        )];
        if share < 0.5 {
            lines.push("the nodes are less than half full: fewer or smaller ones would do".to_owned());
        }
        lines
    }

    fn scale_events(&self) -> Vec<String> {
        let mut events: Vec<(u64, &str)> = self
            .pooled
            .workloads
            .iter()
            .zip(&self.scenario.workloads)
            .map(|(seen, workload)| (seen.scale_events, workload.name.as_str()))
            .filter(|(events, _)| *events > 0)
            .collect();
        events.sort_by_key(|(events, _)| std::cmp::Reverse(*events));
        let per_run = |events: u64| count(self.pooled.per_run(events as f64));
        let most = events.iter().take(3).map(|(events, name)| format!("{name} {} times", per_run(*events)));
        let most = most.collect::<Vec<_>>().join(", ");
        if most.is_empty() { Vec::new() } else { vec![format!("replica counts changed: {most} a run")] }
    }

    /// Which curves asked for more than ready pods may use, the worst first.
    fn overload(&self) -> Vec<String> {
        /// So many are told; the rest has findings of its own.
        const TOLD: usize = 3;
        let wanted = path::reachable(self.scenario, &self.objective.scope);
        let share = |index: &usize| self.pooled.workloads[*index].overload.mean;
        let mut over: Vec<usize> = wanted.into_iter().filter(|index| share(index) > 0.0).collect();
        over.sort_by(|one, other| share(other).total_cmp(&share(one)).then(one.cmp(other)));
        let line = |index: &usize| {
            let seen = &self.pooled.workloads[*index];
            format!(
                "{}: for {} of the time its usage curve asked for more than its ready pods may use; it asks for \
                 {} cores on average and {} at most, and got {} and {}",
                self.scenario.workloads[*index].name,
                percent(share(index)),
                amount(seen.demanded.mean),
                amount(seen.demanded.max),
                amount(seen.cpu_cores.mean),
                amount(seen.cpu_cores.max),
            )
        };
        let told = over.iter().take(TOLD).map(line);
        told.chain(self.chain(over.first().copied(), |_| true)).collect()
    }

    fn found(&self, of: impl Fn(Kind) -> bool) -> Vec<String> {
        self.chain(None, of)
    }

    /// The findings on the way of this objective's requests that are `of` its kinds, with
    /// what they follow from, those of the root first; and then the settings that bind.
    fn chain(&self, root: Option<usize>, of: impl Fn(Kind) -> bool) -> Vec<String> {
        let reachable = path::reachable(self.scenario, &self.objective.scope);
        let on_the_way = |finding: &&Finding| reachable.contains(&finding.workload);
        let own: Vec<&Finding> = self.findings.iter().filter(|one| of(one.kind)).filter(on_the_way).collect();
        let leads = |one: &&Finding| of(one.kind) || own.iter().any(|own| own.cause(one).is_some());
        let wanted = self.findings.iter().filter(on_the_way).filter(leads).collect();
        let mut all = causes_first(wanted, root);
        let rest = all.len().saturating_sub(FINDINGS);
        all.truncate(FINDINGS);
        let mut lines: Vec<String> = all.iter().map(|finding| finding.text.clone()).collect();
        if rest > 0 {
            lines.push(format!("and {} more on the way", plural(rest as u64, "finding", "findings")));
        }
        let mut binding: Vec<&str> = Vec::new();
        for setting in all.iter().filter_map(|finding| finding.binds.as_deref()) {
            if !binding.contains(&setting) {
                binding.push(setting);
            }
        }
        if !binding.is_empty() {
            lines.push(format!("what binds: {}", binding.join("; ")));
        }
        lines
    }
}

/// Findings with those of the root first, the gravest first. What another one follows from
/// comes before it: memory that is full of requests that wait would be full again, however
/// much there were of it.
fn causes_first(findings: Vec<&Finding>, root: Option<usize>) -> Vec<&Finding> {
    let place = |finding: &Finding| (Some(finding.workload) != root, finding.kind, finding.workload);
    let rank = |finding: &Finding| {
        let own = (place(finding), usize::MAX);
        let before = findings.iter().filter_map(|other| Some((place(other), other.cause(finding)?)));
        before.fold(own, std::cmp::min)
    };
    let mut ranked: Vec<_> = findings.iter().map(|finding| (rank(finding), *finding)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, finding)| finding).collect()
}

/// The causes of failures, most first, with their shares.
fn causes(traffic: &Traffic) -> String {
    let mut all: Vec<(u64, Cause)> =
        Cause::ALL.into_iter().map(|cause| (traffic.failures[cause as usize], cause)).collect();
    all.retain(|(failures, _)| *failures > 0);
    all.sort_by_key(|(failures, cause)| (std::cmp::Reverse(*failures), *cause));
    if let [(_, only)] = all[..] {
        return only.in_words().to_owned();
    }
    let share = |failures: u64| percent(failures as f64 / traffic.failed() as f64);
    let top =
        all.iter().take(3).map(|(failures, cause)| format!("{} ({})", cause.in_words(), share(*failures)));
    top.collect::<Vec<_>>().join(", ")
}
