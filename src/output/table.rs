//! The page a person reads in the terminal.

use super::text::{Paint, Side, columns, cut, painted, shortened, wrapped};
use super::verdict;
use crate::judge::{Estimate, Judged, Outcome, Verdict, cost_per_month};
use crate::observe::{Observations, PoolSeen, Pooled, PooledWorkload, Span};
use crate::scenario::{Assumption, Basis, Comparison, Indicator, Link, Objective, Scenario, Scope};
use crate::units::figures::{amount, count, money, percent, plural, seconds};

/// So many assumptions are named; the rest is counted.
const ASSUMPTIONS: usize = 5;
/// So many things that are not simulated are named; the rest is counted.
const NOT_SIMULATED: usize = 8;
/// From this width on the table of workloads has all its columns.
const WIDE: usize = 76;
/// Nothing is laid out narrower than this.
const NARROWEST: usize = 40;

/// What the page says besides the verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// Columns of the terminal.
    pub width: usize,
    /// Where the results are kept, if they are.
    pub folder: Option<&'a str>,
    /// The command to run next.
    pub next: Option<&'a str>,
}

/// The whole page, with ANSI colours.
pub fn page(scenario: &Scenario, runs: &[Observations], verdict: &Verdict, around: Around<'_>) -> String {
    let pooled = Pooled::of(runs);
    let width = around.width.max(NARROWEST);
    let page = Page { scenario, runs, verdict, pooled: &pooled, width };
    let mut lines = page.heading();
    lines.extend(page.objectives());
    lines.extend(page.why());
    lines.extend(page.workloads());
    lines.extend(page.cluster());
    lines.extend(page.list("ALSO SEEN", &verdict.remarks));
    lines.extend(page.assumptions());
    lines.extend(page.not_simulated());
    lines.push(String::new());
    if let Some(folder) = around.folder {
        lines.extend(wrapped("Results: ", folder, width));
    }
    if let Some(next) = around.next {
        // A command is copied, so it is not broken into lines.
        lines.push(format!("Next:    {next}"));
    }
    let mut text = lines.join("\n").trim_end().to_owned();
    text.push('\n');
    text
}

struct Page<'a> {
    scenario: &'a Scenario,
    runs: &'a [Observations],
    verdict: &'a Verdict,
    pooled: &'a Pooled,
    width: usize,
}

impl Page<'_> {
    fn heading(&self) -> Vec<String> {
        let scenario = self.scenario;
        let curves = scenario.workloads.iter().filter(|one| one.usage.is_some()).count() as u64;
        let curves = plural(curves, "workload by its recorded usage", "workloads by their recorded usage");
        let users = super::load_at_peak(scenario, self.pooled.users.max);
        let load = match (scenario.has_users(), scenario.has_usage()) {
            (true, false) => users,
            (true, true) => format!("{users} and {curves}"),
            (false, _) => curves,
        };
        let what = format!(
            "{load}, {} observed after {} of warm-up, on cluster {} (Kubernetes {})",
            seconds(scenario.horizon.as_secs_f64()),
            seconds(scenario.warm_up.as_secs_f64()),
            scenario.cluster.name,
            scenario.version,
        );
        let how = format!(
            "seed {}, {}, {} confidence, fingerprint {}",
            self.runs[0].seed.base,
            plural(self.runs.len() as u64, "replication", "replications"),
            percent(self.verdict.confidence).replace(".0 %", " %"),
            verdict::fingerprint(self.runs),
        );
        let mut lines = wrapped(&format!("{}: ", scenario.name), &what, self.width);
        lines.extend(wrapped("", &how, self.width).iter().map(|line| painted(Paint::Quiet, line)));
        lines.push(String::new());
        lines.extend(
            wrapped("", &self.outcome(), self.width).iter().map(|line| painted(Paint::Heading, line)),
        );
        lines
    }

    /// The verdict in one sentence.
    fn outcome(&self) -> String {
        let parts = [
            (Outcome::Missed, "missed"),
            (Outcome::Unsure, "unsure"),
            (Outcome::Met, "met"),
            (Outcome::NotJudged, "not judged here"),
        ];
        let parts = parts.map(|(outcome, word)| (self.verdict.count(outcome), word));
        let counts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let (mark, word) = match (self.verdict.outcome, sign(self.verdict.outcome)) {
            (Outcome::NotJudged, (mark, ..)) => (mark, "nothing judged"),
            (_, (mark, word, _)) => (mark, word),
        };
        let policy = &self.scenario.goals.name;
        if counts.is_empty() {
            return format!("{mark} {}: policy {policy} has no objectives", word.to_uppercase());
        }
        format!("{mark} {}: of policy {policy}'s objectives {}", word.to_uppercase(), counts.join(", "))
    }

    fn objectives(&self) -> Vec<String> {
        let all = self.scenario.goals.objectives.iter().zip(&self.verdict.objectives);
        let wide = self.width >= WIDE;
        let mut rows = vec![["", "OBJECTIVE", "MEASURED", "GOAL"].map(str::to_owned).to_vec()];
        let mut paints = vec![Paint::Heading];
        for (objective, judged) in all {
            let (mark, word, paint) = sign(judged.outcome);
            let name = cut(&objective.name, if wide { 26 } else { 18 });
            let measured = measured(objective, judged, &self.scenario.goals.currency, wide);
            rows.push(vec![format!("{mark} {word}"), name, measured, self.goal(objective)]);
            paints.push(paint);
        }
        if rows.len() == 1 {
            return Vec::new();
        }
        let lines = columns(&[Side::Left; 4], &rows);
        let painted = lines.iter().zip(paints).map(|(line, paint)| painted(paint, line));
        std::iter::once(String::new()).chain(painted).collect()
    }

    fn goal(&self, objective: &Objective) -> String {
        let sign = match objective.comparison {
            Comparison::AtLeast => "≥",
            Comparison::AtMost => "≤",
        };
        format!("{sign} {}", figure(objective.indicator, objective.goal, &self.scenario.goals.currency))
    }

    /// The reasons of all that is not met.
    fn why(&self) -> Vec<String> {
        let (mut lines, mut above) = (Vec::new(), Vec::<&str>::new());
        for (objective, judged) in self.scenario.goals.objectives.iter().zip(&self.verdict.objectives) {
            if judged.because.is_empty() || judged.outcome == Outcome::NotJudged {
                continue;
            }
            let (mark, word, paint) = sign(judged.outcome);
            let scope = verdict::scope(self.scenario, &objective.scope);
            lines.push(String::new());
            let heading =
                format!("{mark} {} is {word} ({}, {scope})", objective.name, asked(objective.indicator));
            lines.extend(wrapped("", &heading, self.width).iter().map(|line| painted(paint, line)));
            let (told, fresh): (Vec<&str>, Vec<&str>) =
                judged.because.iter().map(String::as_str).partition(|reason| above.contains(reason));
            lines.extend(fresh.iter().flat_map(|reason| wrapped("  - ", reason, self.width)));
            if !told.is_empty() {
                let (lead, number) = (if fresh.is_empty() { "" } else { "and " }, told.len() as u64);
                let same = format!("{lead}{} given above", plural(number, "reason", "reasons"));
                lines.extend(wrapped("  - ", &same, self.width));
            }
            above.extend(fresh);
        }
        lines
    }

    fn workloads(&self) -> Vec<String> {
        let wide = self.width >= WIDE;
        let cores = if wide { "mean/max" } else { "mean" };
        let mut lines = self.workload_table(false, header(wide), workload_row);
        if !lines.is_empty() {
            let legend = format!(
                "replicas are min/mean/max, CPU cores {cores} of all pods, latency of calls answered"
            );
            lines.extend(self.quietly(&legend));
        }
        let curves = self.workload_table(true, usage_header(wide), usage_row);
        if !curves.is_empty() {
            lines.extend(curves);
            let legend = format!(
                "replicas are min/mean/max, CPU cores {cores} of all pods: what the recorded usage asks for, and \
                 what they used; OVERLOAD is the share of time in which it asked for more than they may use"
            );
            lines.extend(self.quietly(&legend));
        }
        lines.extend(self.connections());
        lines
    }

    /// The table of the pools of connections; no line where there are none.
    fn connections(&self) -> Vec<String> {
        let wide = self.width >= WIDE;
        let names = self.scenario.workload_names();
        let mut rows = vec![connections_header(wide)];
        for (link, seen) in self.scenario.pools().zip(&self.pooled.pools) {
            let name = format!("{} → {}", names[link.from], names[link.to]);
            let mut row = connections_row(&cut(&name, if wide { 28 } else { 17 }), &link, seen);
            if wide {
                row.push(count(self.pooled.per_run(seen.opened as f64)));
                row.push(share(seen.refused, seen.opened + seen.refused));
            }
            rows.push(row);
        }
        if rows.len() == 1 {
            return Vec::new();
        }
        let mut lines = table(&rows);
        let legend = "OPEN is the most connections of one pod, of so many allowed; WAITED is for one of them; \
                      GOT NONE is the share of calls that failed for want of one; OPENED is a run; REFUSED is \
                      the share of connections that the callee had no place for";
        lines.extend(self.quietly(legend));
        lines
    }

    /// The table of the workloads that follow a usage curve, or of the others; no
    /// line where there are none.
    fn workload_table(
        &self,
        curves: bool,
        header: Vec<String>,
        row: fn(&str, &PooledWorkload, bool) -> Vec<String>,
    ) -> Vec<String> {
        let wide = self.width >= WIDE;
        let names = self.scenario.workload_names();
        let mut rows = vec![header];
        let all = self.scenario.workloads.iter().zip(names.iter().zip(&self.pooled.workloads));
        for (_, (name, seen)) in all.filter(|(one, _)| one.usage.is_some() == curves) {
            rows.push(row(&shortened(name, if wide { 22 } else { 17 }), seen, wide));
        }
        if rows.len() == 1 {
            return Vec::new();
        }
        table(&rows)
    }

    fn quietly(&self, text: &str) -> Vec<String> {
        wrapped("", text, self.width).iter().map(|line| painted(Paint::Quiet, line)).collect()
    }

    fn cluster(&self) -> Vec<String> {
        let pooled = self.pooled;
        let mut text = format!(
            "{} nodes, {} pods, {} of CPU requested, {} a month",
            spread(pooled.nodes),
            spread(pooled.pods),
            percent(pooled.cpu_requested_share.mean),
            money(cost_per_month(pooled.cost, pooled.seconds), &self.scenario.goals.currency),
        );
        let pending = pooled.per_run(pooled.pending_pod_seconds);
        if pending > 0.0 {
            text = format!("{text}; pods waited {} in all for a node", seconds(pending));
        }
        let mut lines = vec![String::new()];
        lines.extend(wrapped("Cluster (min/mean/max): ", &text, self.width));
        lines
    }

    fn assumptions(&self) -> Vec<String> {
        let mut guesses: Vec<&Assumption> = self
            .scenario
            .assumptions
            .iter()
            .filter(|assumption| assumption.basis != Basis::Measured)
            .collect();
        if guesses.is_empty() {
            return Vec::new();
        }
        let names = self.scenario.workload_names();
        guesses.sort_by(|one, other| self.weight(other, &names).total_cmp(&self.weight(one, &names)));
        guesses.dedup_by(|one, other| one.what == other.what);
        let assumed_only = guesses.iter().filter(|assumption| assumption.basis == Basis::Assumed).count();
        let heading = format!(
            "NOT MEASURED on your system: {} ({assumed_only} assumed, {} published for such software)",
            plural(guesses.len() as u64, "number", "numbers"),
            guesses.len() - assumed_only,
        );
        let mut texts: Vec<String> =
            guesses.iter().take(ASSUMPTIONS).map(|assumption| assumed(assumption)).collect();
        if let Some(rest) = guesses.len().checked_sub(ASSUMPTIONS).filter(|rest| *rest > 0) {
            texts.push(format!("and {rest} more (assumptions in -o json)"));
        }
        self.list(&heading, &texts)
    }

    /// How much hangs on a number, roughly: demand of CPU by how much CPU its
    /// workload used, then times, then the rest.
    fn weight(&self, assumption: &Assumption, names: &[String]) -> f64 {
        let what = assumption.what.as_str();
        let owner = what.split(['/', ':']).next().unwrap_or(what);
        let cores = names
            .iter()
            .position(|name| name == owner)
            .map_or(0.0, |i| self.pooled.workloads[i].cpu_cores.mean);
        let is_operation = what.starts_with(&format!("{owner}/"));
        if is_operation && what.contains("CPU") {
            return 1_000.0 + cores;
        }
        let is_time =
            ["start-up", "latency", "waiting", "provision", "think"].iter().any(|word| what.contains(word));
        if is_time { 500.0 + cores } else { 0.0 }
    }

    fn not_simulated(&self) -> Vec<String> {
        let all = &self.scenario.not_simulated;
        let mut texts: Vec<String> = all.iter().take(NOT_SIMULATED).cloned().collect();
        if let Some(rest) = all.len().checked_sub(NOT_SIMULATED).filter(|rest| *rest > 0) {
            texts.push(format!("and {rest} more (notSimulated in -o json)"));
        }
        self.list("NOT SIMULATED", &texts)
    }

    fn list(&self, heading: &str, texts: &[String]) -> Vec<String> {
        if texts.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![String::new()];
        lines.extend(wrapped("", heading, self.width).iter().map(|line| painted(Paint::Heading, line)));
        lines.extend(texts.iter().flat_map(|text| wrapped("  - ", text, self.width)));
        lines
    }
}

/// A table after an empty line: names to the left, numbers to the right.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let mut sides = vec![Side::Right; rows[0].len()];
    sides[0] = Side::Left;
    let mut lines = columns(&sides, rows);
    lines[0] = painted(Paint::Heading, &lines[0]);
    lines.insert(0, String::new());
    lines
}

/// Mark, word and colour of an outcome; the word alone would do.
fn sign(outcome: Outcome) -> (&'static str, &'static str, Paint) {
    match outcome {
        Outcome::Met => ("✓", "met", Paint::Good),
        Outcome::Missed => ("✗", "missed", Paint::Bad),
        Outcome::Unsure => ("?", "unsure", Paint::Doubtful),
        Outcome::NotJudged => ("-", "not here", Paint::Quiet),
    }
}

fn measured(objective: &Objective, judged: &Judged, currency: &str, wide: bool) -> String {
    let Some(Estimate { value, interval }) = judged.measured else {
        return match judged.outcome {
            Outcome::Missed => "nothing answered".to_owned(),
            _ if objective.indicator.needs_drill() || matches!(objective.scope, Scope::Drill(_)) => {
                "needs a drill".to_owned()
            }
            _ => "nothing to measure".to_owned(),
        };
    };
    let figure = |value| figure(objective.indicator, value, currency);
    match interval.filter(|_| wide) {
        Some((low, high)) if low.total_cmp(&high).is_ne() => {
            let (value, low, high) = (figure(value), figure(low), figure(high));
            // The unit once is enough: `31.1/s [31.0, 31.2]`.
            let bare = |text: &str| text.strip_suffix(unit(&value)).unwrap_or(text).trim_end().to_owned();
            let both = unit(&value) == unit(&low) && unit(&value) == unit(&high);
            if both {
                format!("{value} [{}, {}]", bare(&low), bare(&high))
            } else {
                format!("{value} [{low}, {high}]")
            }
        }
        _ => figure(value),
    }
}

/// What follows the number.
fn unit(text: &str) -> &str {
    let end = text.rfind(|character: char| character.is_ascii_digit()).map_or(0, |at| at + 1);
    &text[end..]
}

/// A value of an indicator with its unit.
pub(super) fn figure(indicator: Indicator, value: f64, currency: &str) -> String {
    match indicator {
        Indicator::Availability
        | Indicator::AvailabilityPerYear
        | Indicator::Overload
        | Indicator::Rule(_) => percent(value),
        Indicator::Latency { .. }
        | Indicator::PendingPodSeconds
        | Indicator::UsersRecovered
        | Indicator::CapacityRestored => seconds(value),
        Indicator::Throughput => format!("{}/s", amount(value)),
        Indicator::CostPerMonth => money(value, currency),
        Indicator::ScaleEventsPerHour => format!("{}/h", amount(value)),
        Indicator::FailedRequests
        | Indicator::CarriedUsers
        | Indicator::ReplicasMax
        | Indicator::ReplicasMin
        | Indicator::PodsMax
        | Indicator::PodsMin
        | Indicator::NodesMax
        | Indicator::NodesMin
        | Indicator::Restarts => count(value),
    }
}

/// What an indicator measures, in words.
fn asked(indicator: Indicator) -> String {
    match indicator {
        Indicator::Availability => "availability".to_owned(),
        Indicator::FailedRequests => "failed requests".to_owned(),
        Indicator::Latency { quantile } => format!("latency p{}", amount(quantile * 100.0)),
        Indicator::Throughput => "requests answered per second".to_owned(),
        Indicator::CarriedUsers => "users carried".to_owned(),
        Indicator::ReplicasMax => "most ready replicas".to_owned(),
        Indicator::ReplicasMin => "fewest ready replicas".to_owned(),
        Indicator::PodsMax => "most ready pods".to_owned(),
        Indicator::PodsMin => "fewest ready pods".to_owned(),
        Indicator::NodesMax => "most nodes".to_owned(),
        Indicator::NodesMin => "fewest nodes".to_owned(),
        Indicator::PendingPodSeconds => "pods' waiting time for a node".to_owned(),
        Indicator::CostPerMonth => "cost per month".to_owned(),
        Indicator::ScaleEventsPerHour => "replica count changes per hour".to_owned(),
        Indicator::Restarts => "container restarts".to_owned(),
        Indicator::Overload => "share of time in which usage asked for more than pods may use".to_owned(),
        Indicator::UsersRecovered => "time until users are served again".to_owned(),
        Indicator::CapacityRestored => "time until capacity is back".to_owned(),
        Indicator::AvailabilityPerYear => "availability over a year".to_owned(),
        Indicator::Rule(_) => "share of runs of which the rule is true".to_owned(),
    }
}

fn header(wide: bool) -> Vec<String> {
    let all: &[&str] = if wide {
        &["WORKLOAD", "REPLICAS", "CPU CORES", "P95", "P99", "FAILED"]
    } else {
        &["WORKLOAD", "REPLICAS", "CORES", "P99", "FAILED"]
    };
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn workload_row(name: &str, seen: &PooledWorkload, wide: bool) -> Vec<String> {
    let finished = seen.traffic.answered + seen.traffic.failed();
    let failed = if finished == 0 { "-".to_owned() } else { percent(1.0 - seen.traffic.availability()) };
    let quantile = |quantile| seen.traffic.latency.quantile(quantile).map_or("-".to_owned(), seconds);
    let replicas = spread(seen.ready);
    let (mean, max) = (amount(seen.cpu_cores.mean), amount(seen.cpu_cores.max));
    if wide {
        vec![name.to_owned(), replicas, format!("{mean}/{max}"), quantile(0.95), quantile(0.99), failed]
    } else {
        vec![name.to_owned(), replicas, mean, quantile(0.99), failed]
    }
}

fn connections_header(wide: bool) -> Vec<String> {
    let all: &[&str] = if wide {
        &["CONNECTIONS", "OPEN", "WAITED P95", "GOT NONE", "OPENED", "REFUSED"]
    } else {
        &["CONNECTIONS", "OPEN", "P95", "GOT NONE"]
    };
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn connections_row(name: &str, link: &Link<'_>, seen: &PoolSeen) -> Vec<String> {
    let size = link.pool.size.map_or(String::new(), |size| format!("/{}", count(f64::from(size))));
    let open = format!("{}{size}", count(f64::from(seen.most)));
    let waited = seen.wait.quantile(0.95).map_or("-".to_owned(), seconds);
    vec![name.to_owned(), open, waited, share(seen.timed_out + seen.turned_away, seen.asked())]
}

fn share(part: u64, all: u64) -> String {
    if all == 0 { "-".to_owned() } else { percent(part as f64 / all as f64) }
}

fn usage_header(wide: bool) -> Vec<String> {
    let all: &[&str] = if wide {
        &["WORKLOAD", "REPLICAS", "ASKED", "USED", "OVERLOAD", "THROTTLED"]
    } else {
        &["WORKLOAD", "REPLICAS", "ASKED", "USED", "OVERLOAD"]
    };
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn usage_row(name: &str, seen: &PooledWorkload, wide: bool) -> Vec<String> {
    let cores = |span: Span| {
        if wide { format!("{}/{}", amount(span.mean), amount(span.max)) } else { amount(span.mean) }
    };
    let overload = percent(seen.overload.mean);
    let mut row =
        vec![name.to_owned(), spread(seen.ready), cores(seen.demanded), cores(seen.cpu_cores), overload];
    if wide {
        row.push(percent(seen.throttled_share()));
    }
    row
}

fn spread(span: Span) -> String {
    format!("{}/{}/{}", amount(span.min), amount(span.mean), amount(span.max))
}

fn assumed(assumption: &Assumption) -> String {
    let basis = match assumption.basis {
        Basis::Measured => "measured",
        Basis::Prior => "published",
        Basis::Assumed => "assumed",
    };
    let range = assumption.range.as_ref().map_or(String::new(), |range| format!(", may be {range}"));
    format!("{}: {}{range} ({basis}: {})", assumption.what, assumption.value, assumption.source)
}
