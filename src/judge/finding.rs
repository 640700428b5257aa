//! What went wrong with each workload, in sentences with figures, and the
//! setting that binds.

use std::collections::BTreeSet;

use crate::observe::{Cause, MomentKind, Observations, PoolSeen, Pooled, PooledWorkload};
use crate::scenario::{Autoscaler, Link, ProvisionedBy, Scenario, Workload};
use crate::units::figures::{amount, bytes, clock, count, duration, percent, plural, seconds};
use crate::units::{MilliCpu, SimDuration, SimTime};

/// From this share of throttled quota periods on, a CPU limit is felt.
const THROTTLED: f64 = 0.25;
/// From this share of what it may use on, CPU counts as used up.
const USED_UP: f64 = 0.9;
/// From this 95th percentile on, waiting for a place in a pod is felt.
const LONG_WAIT: f64 = 0.025;
/// From this share of a container's memory on, that of requests in progress is no trifle.
const FELT: f64 = 0.1;
/// From this share of those requests on, it matters that they wait somewhere.
const PILED: f64 = 0.1;

/// Something that went wrong with a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Index of the workload.
    pub workload: usize,
    /// What it is about; also its rank, the gravest first.
    pub kind: Kind,
    /// What happened, with figures and times.
    pub text: String,
    /// The setting that binds, as it stands: `spec.maxReplicas: 10 of HPA web`.
    pub binds: Option<String>,
    /// The workloads whose shortages it follows from, what counts most first.
    pub follows: Vec<usize>,
}

impl Finding {
    /// The place of another finding among the causes of this one, if it is one.
    pub(super) fn cause(&self, other: &Self) -> Option<usize> {
        let place = self.follows.iter().position(|workload| *workload == other.workload);
        place.filter(|_| other.kind.is_shortage())
    }
}

/// What a finding is about, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Pods found no node.
    Unschedulable,
    /// Containers ran out of memory.
    OutOfMemory,
    /// The HPA wanted more than its maximum.
    HeldAtMaximum,
    /// There was no ready pod for a while.
    NoReadyPod,
    /// The HPA could not compute a metric.
    MetricFailed,
    /// Probes or crashes restarted containers.
    Restarted,
    /// Calls waited for a connection of their caller's pool, or got none.
    ShortOfConnections,
    /// Pods had all the connections that they take, and refused more.
    ConnectionsRefused,
    /// CPU was used up or throttled.
    ShortOfCpu,
    /// Requests waited for a place in a pod.
    Waited,
    /// The HPA scaled, but later than the load.
    ScaledLate,
}

impl Kind {
    /// Whether requests pile up where it is so.
    fn is_shortage(self) -> bool {
        match self {
            Self::Unschedulable
            | Self::HeldAtMaximum
            | Self::ShortOfConnections
            | Self::ShortOfCpu
            | Self::Waited
            | Self::ScaledLate => true,
            Self::OutOfMemory
            | Self::NoReadyPod
            | Self::MetricFailed
            | Self::Restarted
            | Self::ConnectionsRefused => false,
        }
    }
}

/// All findings: times from the shown run, figures from all of them.
pub(super) fn all(scenario: &Scenario, shown: &Observations, pooled: &Pooled) -> Vec<Finding> {
    let mut findings = Vec::new();
    let views = scenario.workloads.iter().enumerate().map(|(index, workload)| View {
        scenario,
        shown,
        pooled,
        index,
        workload,
        seen: &pooled.workloads[index],
    });
    for view in views.clone() {
        let index = view.index;
        findings.extend(view.unschedulable());
        findings.extend(view.held_at_maximum());
        findings.extend(view.no_ready_pod());
        findings.extend(view.metric_failed());
        findings.extend(view.restarted());
        findings.extend(view.short_of_connections());
        findings.extend(view.connections_refused());
        let held = findings.iter().any(|f| f.workload == index && f.kind == Kind::HeldAtMaximum);
        let short = if held { None } else { view.short_of_cpu() };
        let waited = view.waited();
        if !held && (short.is_some() || waited.is_some()) {
            findings.extend(view.scaled_late());
        }
        findings.extend(short);
        findings.extend(waited);
    }
    let short = findings.iter().filter(|finding| finding.kind.is_shortage());
    let short: BTreeSet<usize> = short.map(|finding| finding.workload).collect();
    findings.extend(views.filter_map(|view| view.out_of_memory(&short)));
    findings.sort_by_key(|finding| (finding.kind, finding.workload));
    findings
}

/// One workload and all that is known of it.
struct View<'a> {
    scenario: &'a Scenario,
    shown: &'a Observations,
    pooled: &'a Pooled,
    index: usize,
    workload: &'a Workload,
    seen: &'a PooledWorkload,
}

impl View<'_> {
    fn unschedulable(&self) -> Option<Finding> {
        let waited = self.pooled.per_run(self.seen.pending_seconds);
        if waited < 1.0 {
            return None;
        }
        let words = self.seen.pending_because.as_deref().unwrap_or("no node fits");
        let since = self.first(MomentKind::Unschedulable);
        let text = format!(
            "{}: pods waited {} in all for a node{}; the scheduler said \"{words}\"",
            self.workload.name,
            seconds(waited),
            since.map_or(String::new(), |time| format!(", first at {}", clock(time))),
        );
        Some(self.finding(Kind::Unschedulable, text, Some(self.pools())))
    }

    /// `short` are the workloads where requests pile up.
    fn out_of_memory(&self, short: &BTreeSet<usize>) -> Option<Finding> {
        let kills = self.pooled.per_run(self.seen.oom_kills as f64);
        if self.seen.oom_kills == 0 {
            return None;
        }
        let limit = self.limit(|limits| limits.memory.map(|bytes| bytes.0));
        let mut text = format!(
            "{}: {} a run killed for running out of memory; the largest pod held {}{}",
            self.workload.name,
            if kills > 0.95 && kills < 1.05 {
                "1 container".to_owned()
            } else {
                format!("{} containers", count(kills))
            },
            bytes(self.seen.memory_pod_max.0 as f64),
            limit.map_or(String::new(), |limit| format!(" of {} allowed", bytes(limit as f64))),
        );
        let binds = limit.map(|limit| {
            format!("resources.limits.memory: {} of {}", crate::units::Bytes(limit), self.workload.name)
        });
        let piled = self.piled(short);
        if !piled.is_empty() {
            let names: Vec<String> = piled.iter().map(|(index, share)| self.named(*index, *share)).collect();
            let names = names.join(", ");
            text = format!("{text}; memory grows with the requests in progress, and these waited in {names}");
        }
        let follows = piled.into_iter().map(|(index, _)| index).collect();
        Some(Finding { follows, ..self.finding(Kind::OutOfMemory, text, binds) })
    }

    /// Where the requests that filled its containers' memory waited, of the workloads that
    /// were `short` of something: these with their shares, the largest first. None if it
    /// wasn't requests that filled it.
    fn piled(&self, short: &BTreeSet<usize>) -> Vec<(usize, f64)> {
        let filled = &self.seen.filled;
        let beyond_rest = filled.held.saturating_sub(filled.at_rest);
        if (filled.by_requests as f64) < FELT * filled.held as f64 || filled.by_requests < beyond_rest / 2 {
            return Vec::new();
        }
        let all = filled.requests() as f64;
        let share = |(index, requests): (&usize, &u64)| (*index, *requests as f64 / all);
        let mut piled: Vec<(usize, f64)> = filled.standing.iter().map(share).collect();
        piled.retain(|(index, share)| short.contains(index) && *share >= PILED);
        piled.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        piled
    }

    /// A workload and its share.
    fn named(&self, index: usize, share: f64) -> String {
        let own = if index == self.index { " itself" } else { "" };
        format!("{}{own} ({})", self.scenario.workloads[index].name, percent(share))
    }

    fn held_at_maximum(&self) -> Option<Finding> {
        let hpa = self.autoscaler()?;
        let held = self.shown.workloads[self.index].held_at_max;
        let since = self.shown.workloads[self.index].held_at_max_since?;
        if held == SimDuration::ZERO {
            return None;
        }
        // What was so at the end of the warm-up may have begun before it.
        let from = if since <= self.shown.start {
            format!("already when observation began at {}", clock(self.shown.start))
        } else {
            format!("from {} on", clock(since))
        };
        let text = format!(
            "{}: its HPA asked for more than its maximum of {} {} (for {} in all){}",
            self.workload.name,
            plural(u64::from(hpa.spec.max_replicas), "replica", "replicas"),
            from,
            duration(held),
            self.cpu_at_peak().map_or(String::new(), |cpu| format!("; {cpu}")),
        );
        let binds = format!("spec.maxReplicas: {} of HPA {}", hpa.spec.max_replicas, hpa.name);
        Some(self.finding(Kind::HeldAtMaximum, text, Some(binds)))
    }

    fn no_ready_pod(&self) -> Option<Finding> {
        let series = &self.shown.series;
        let ready = &series.workloads.get(self.index)?.ready;
        let mut gone =
            (0..series.times.len()).filter(|&row| series.times[row] > self.shown.start && ready[row] == 0);
        let first = gone.next()?;
        let rows = 1 + gone.count() as u64;
        let failed = self.pooled.per_run(self.seen.traffic.failures[Cause::NoEndpoint as usize] as f64);
        if failed == 0.0 {
            return None;
        }
        let text = format!(
            "{}: no pod was ready at {} (for {} in all); {} calls a run found nobody",
            self.workload.name,
            clock(series.times[first]),
            duration(series.step * rows),
            count(failed),
        );
        Some(self.finding(Kind::NoReadyPod, text, None))
    }

    fn metric_failed(&self) -> Option<Finding> {
        let moment = self.moments(MomentKind::MetricFailed).next()?;
        let text =
            format!("{}: {} (first at {})", self.workload.name, self.bare(&moment.text), clock(moment.time));
        Some(self.finding(Kind::MetricFailed, text, None))
    }

    fn restarted(&self) -> Option<Finding> {
        let other = self.seen.restarts.saturating_sub(self.seen.oom_kills);
        if other == 0 {
            return None;
        }
        let words = self.moments(MomentKind::ProbeKilled).next();
        let text = format!(
            "{}: containers restarted {} times a run{}",
            self.workload.name,
            count(self.pooled.per_run(other as f64)),
            words.map_or(String::new(), |moment| format!(
                ", first at {}: {}",
                clock(moment.time),
                moment.text
            )),
        );
        Some(self.finding(Kind::Restarted, text, None))
    }

    /// Pools of this workload's pods that were too small for what went through them.
    fn short_of_connections(&self) -> Vec<Finding> {
        let own = self.links().filter(|(link, _)| link.from == self.index);
        own.filter_map(|(link, seen)| self.short_of(&link, seen)).collect()
    }

    fn short_of(&self, link: &Link<'_>, seen: &PoolSeen) -> Option<Finding> {
        let size = link.pool.size?;
        let missed = seen.timed_out + seen.turned_away;
        let wait = seen.wait.quantile(0.95).unwrap_or(0.0);
        // What waits while a connection is opened anew isn't short of any.
        if seen.most < size || (missed == 0 && wait < LONG_WAIT) {
            return None;
        }
        let to = &self.scenario.workloads[link.to].name;
        let share = |number: u64| percent(number as f64 / seen.asked() as f64);
        let mut text = format!(
            "{}: calls to {to} waited {} (p95) for {} a pod, and all were open",
            self.workload.name,
            seconds(wait),
            if size == 1 {
                "the one connection of".to_owned()
            } else {
                format!("one of {size} connections of")
            },
        );
        if let Some(timeout) = link.pool.timeout.filter(|_| seen.timed_out > 0) {
            text = format!("{text}; {} of them got none within {timeout}", share(seen.timed_out));
        }
        if seen.turned_away > 0 {
            text = format!("{text}; {} found too many waiting", share(seen.turned_away));
        }
        let binds = format!("upstreams.{to}.pool.size: {size} of {} (in the model)", self.workload.name);
        Some(self.finding(Kind::ShortOfConnections, text, Some(binds)))
    }

    /// What callers wanted to keep to this workload's pods beyond what these take.
    fn connections_refused(&self) -> Option<Finding> {
        let taken = self.workload.behaviour.max_connections?;
        let to = || self.links().filter(|(link, _)| link.to == self.index);
        let refused: u64 = to().map(|(_, seen)| seen.refused).sum();
        if refused == 0 {
            return None;
        }
        let whose = to().filter(|(_, seen)| seen.refused > 0);
        let whose: Vec<String> = whose
            .map(|(link, seen)| {
                let name = &self.scenario.workloads[link.from].name;
                format!("{name} ({} a pod)", plural(u64::from(seen.most), "connection", "connections"))
            })
            .collect();
        let text = format!(
            "{}: a pod takes {} and refused {} more a run, asked for by {}",
            self.workload.name,
            plural(u64::from(taken), "connection", "connections"),
            count(self.pooled.per_run(refused as f64)),
            whose.join(", "),
        );
        let binds = format!("maxConnections: {taken} of {} (in the model)", self.workload.name);
        Some(self.finding(Kind::ConnectionsRefused, text, Some(binds)))
    }

    /// All pools with what was seen of them.
    fn links(&self) -> impl Iterator<Item = (Link<'_>, &PoolSeen)> {
        self.scenario.pools().zip(&self.pooled.pools)
    }

    fn short_of_cpu(&self) -> Option<Finding> {
        let throttled = self.seen.throttled_share();
        let one_thread = self.workload.behaviour.threads.filter(|&threads| {
            let usable = f64::from(threads);
            self.seen.cpu_per_pod.max >= USED_UP * usable
                && self.limit_cores().is_none_or(|limit| limit >= usable)
        });
        if let Some(threads) = one_thread {
            let text = format!(
                "{}: a pod used {} of the {} that its {} can use; a higher CPU limit would not help, more pods would",
                self.workload.name,
                cores(self.seen.cpu_per_pod.max),
                cores(f64::from(threads)),
                plural(u64::from(threads), "thread", "threads"),
            );
            return Some(self.finding(Kind::ShortOfCpu, text, Some(self.replicas_setting())));
        }
        let peak = self.peak()?;
        if throttled < THROTTLED && (peak.limit == 0.0 || peak.used < USED_UP * peak.limit) {
            return None;
        }
        let text = format!("{}: {}", self.workload.name, self.cpu_at_peak()?);
        let limit = self.limit(|limits| limits.cpu.map(|cpu| cpu.0));
        let binds =
            limit.map(|limit| format!("resources.limits.cpu: {} of {}", MilliCpu(limit), self.workload.name));
        Some(self.finding(Kind::ShortOfCpu, text, binds))
    }

    fn waited(&self) -> Option<Finding> {
        let wait = self.seen.wait.quantile(0.95).unwrap_or_default();
        let refused = self.pooled.per_run(self.seen.traffic.failures[Cause::QueueFull as usize] as f64);
        if wait < LONG_WAIT && refused <= 0.0 {
            return None;
        }
        let places = self.workload.behaviour.concurrency.limit;
        let place =
            places.map_or("a place in a pod".to_owned(), |places| format!("one of {places} places in a pod"));
        // Where the queue is short, those who wait don't wait long.
        let full = if refused > 0.0 {
            format!("; {} a run found the queue full", count(refused))
        } else {
            String::new()
        };
        let text = format!("{}: calls waited {} (p95) for {place}{full}", self.workload.name, seconds(wait));
        let binds = places
            .map(|places| format!("concurrency limit {places} of {} (in the model)", self.workload.name));
        Some(self.finding(Kind::Waited, text, binds.or_else(|| Some(self.replicas_setting()))))
    }

    fn scaled_late(&self) -> Option<Finding> {
        let hpa = self.autoscaler()?;
        let mut ups = self.shown.decisions.iter().filter(|d| d.workload == self.index && d.to > d.from);
        let first = ups.next()?;
        let last = ups.next_back().unwrap_or(first);
        let start = self.seen.start_time.quantile(0.95);
        let when = if first.time == last.time {
            format!("at {}", clock(first.time))
        } else {
            format!("between {} and {}", clock(first.time), clock(last.time))
        };
        let text = format!(
            "{}: its HPA went from {} to {} replicas {when}, behind the load{}",
            self.workload.name,
            first.from,
            last.to,
            start.map_or(String::new(), |time| {
                format!("; a new pod took {} (p95) from creation to ready", seconds(time))
            }),
        );
        let binds = format!("spec.minReplicas: {} of HPA {}", hpa.spec.min_replicas, hpa.name);
        Some(self.finding(Kind::ScaledLate, text, Some(binds)))
    }

    /// CPU at its peak against what was allowed, and how much was throttled.
    fn cpu_at_peak(&self) -> Option<String> {
        let peak = self.peak()?;
        let throttled = match self.seen.throttled_share() {
            0.0 => String::new(),
            share => format!(", {} of 100 ms periods throttled", percent(share)),
        };
        if peak.limit > 0.0 {
            let each = self.limit_cores().map_or(String::new(), |limit| {
                format!(" ({:.0} × {})", peak.limit / limit, MilliCpu((limit * 1e3).round() as u64))
            });
            let (used, limit) = (amount(peak.used), cores(peak.limit));
            return Some(format!(
                "CPU stood at {used} of {limit} allowed{each} at {}{throttled}",
                clock(peak.time)
            ));
        }
        let (used, request) = (amount(peak.used), cores(peak.request));
        Some(format!(
            "CPU stood at {used} where {request} were requested, at {}{throttled}",
            clock(peak.time)
        ))
    }

    /// The row of the shown run in which all pods together used most CPU.
    fn peak(&self) -> Option<Peak> {
        let series = &self.shown.series;
        let own = series.workloads.get(self.index)?;
        let rows = (0..series.times.len()).filter(|&row| series.times[row] > self.shown.start);
        let row =
            rows.max_by(|&one, &other| own.cpu[one].total_cmp(&own.cpu[other]).then(other.cmp(&one)))?;
        // What was used was used by those that ended in the step, too.
        let of_those = |column: &[f64]| column[row].max(column[row.saturating_sub(1)]);
        Some(Peak {
            time: series.times[row],
            used: own.cpu[row],
            request: of_those(&own.cpu_request),
            limit: of_those(&own.cpu_limit),
        })
    }

    fn autoscaler(&self) -> Option<&Autoscaler> {
        self.scenario.autoscalers.iter().find(|hpa| hpa.workload == self.index)
    }

    /// What says how many pods there are.
    fn replicas_setting(&self) -> String {
        match self.autoscaler() {
            Some(hpa) => format!(
                "spec.minReplicas: {} and spec.maxReplicas: {} of HPA {}",
                hpa.spec.min_replicas, hpa.spec.max_replicas, hpa.name
            ),
            None => format!(
                "spec.replicas: {} of {}, which no HPA scales",
                self.workload.replicas, self.workload.name
            ),
        }
    }

    fn pools(&self) -> String {
        let pools =
            self.scenario.cluster.pools.iter().map(|pool| match self.scenario.cluster.provisioned_by {
                ProvisionedBy::Nobody => format!("{} of {} nodes, added by nobody", pool.name, pool.count),
                ProvisionedBy::ClusterAutoscaler | ProvisionedBy::Karpenter => {
                    format!("{} of at most {} nodes", pool.name, pool.max)
                }
            });
        let name = &self.workload.name;
        format!("resources.requests of {name}, and the node pools: {}", pools.collect::<Vec<_>>().join("; "))
    }

    /// A limit of the container that serves: each is held to its own.
    fn limit(&self, of: impl Fn(&crate::k8s::resources::Resources) -> Option<u64>) -> Option<u64> {
        self.workload.template.containers.first().and_then(|container| of(&container.limits))
    }

    fn limit_cores(&self) -> Option<f64> {
        self.limit(|limits| limits.cpu.map(|cpu| cpu.0))
            .filter(|limit| *limit > 0)
            .map(|limit| limit as f64 / 1e3)
    }

    fn moments(&self, kind: MomentKind) -> impl Iterator<Item = &crate::observe::Moment> {
        self.shown
            .moments
            .iter()
            .filter(move |moment| moment.kind == kind && moment.workload == Some(self.index))
    }

    fn first(&self, kind: MomentKind) -> Option<SimTime> {
        self.moments(kind).next().map(|moment| moment.time)
    }

    /// A moment's words without the workload's name, which was said already.
    fn bare<'text>(&self, text: &'text str) -> &'text str {
        text.strip_prefix(&self.workload.name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(text)
    }

    fn finding(&self, kind: Kind, text: String, binds: Option<String>) -> Finding {
        Finding { workload: self.index, kind, text, binds, follows: Vec::new() }
    }
}

/// CPU of all pods at the moment of most use, in cores.
struct Peak {
    time: SimTime,
    used: f64,
    request: f64,
    limit: f64,
}

fn cores(number: f64) -> String {
    format!("{} {}", amount(number), if number.total_cmp(&1.0).is_eq() { "core" } else { "cores" })
}
