//! The HPA replica calculator: one metric in, a replica count with its
//! reasoning out.
//!
//! Upstream: `pkg/controller/podautoscaler/replica_calculator.go`,
//! `pkg/controller/podautoscaler/metrics/utilization.go`. Values are whole
//! thousandths and ratios IEEE doubles, computed in upstream's order, so that
//! results agree on exact edges too.

mod groups;
mod ratio;
mod requests;

pub use groups::{
    CpuReadiness, Group, Ignored, PodPhase, PodView, ReadyCondition, Sample, Unready, group_of,
};
pub use ratio::{Tolerance, UsageRatio, UtilizationRatio, usage_ratio, utilization_ratio};
pub use requests::{ContainerRequest, InitContainerRequest, PodRequests, RequestProblem, pod_request};

/// A metric's value for each pod of the scale target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodSamples<'a> {
    /// One entry for each pod, in the order of the pods; `None` where the
    /// metrics API has nothing for it.
    pub samples: &'a [Option<Sample>],
    /// Values that the API returned for pods that the controller doesn't know.
    pub strays: &'a [i64],
}

/// A replica count that one metric asks for, with every step that led to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// The replicas asked for.
    pub replicas: u32,
    /// The metric's value, as the HPA's status shows it.
    pub value: CurrentValue,
    /// Value divided by target.
    pub ratio: f64,
    /// The pods in their groups; `None` for metrics that don't look at each pod.
    pub counts: Option<PodCounts>,
    /// What was summed for it; `None` for metrics that don't look at each pod.
    pub totals: Option<Totals>,
    /// The estimate made again with values filled in, where that was necessary.
    pub second: Option<SecondEstimate>,
    /// The rule that gave the count.
    pub rule: Rule,
}

/// A metric's value in an HPA's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentValue {
    /// Percent of the requests (truncated), and the mean in thousandths.
    Utilization {
        /// `averageUtilization`
        percent: i32,
        /// `averageValue` in thousandths.
        average_milli: i64,
    },
    /// `averageValue`: the mean over pods or replicas, in thousandths.
    Average(i64),
    /// `value`: the whole, in thousandths.
    Whole(i64),
}

/// The sums behind a ratio, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The values of the pods.
    pub usage: i128,
    /// Their requests; 0 where nothing is divided by them.
    pub request: i128,
}

/// How many pods fell into which group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// Pods whose value counted.
    pub counted: u32,
    /// Pods set aside as unready.
    pub unready: u32,
    /// Pods without a sample.
    pub missing: u32,
    /// Pods being deleted or failed.
    pub ignored: u32,
}

/// The estimate made again with cautious values for pods that had none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SecondEstimate {
    /// Value divided by target over the larger set.
    pub ratio: f64,
    /// How many values the larger set has.
    pub values: u32,
    /// What was summed over the larger set.
    pub totals: Totals,
    /// What missing pods were taken to use.
    pub missing_as: Fill,
    /// Whether unready pods were added as idle (they are on a scale-up).
    pub unready_as_idle: bool,
}

/// What a pod without a sample is taken to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Nothing is filled in: no pod was missing, or the ratio was exactly 1.
    Nothing,
    /// Nothing at all, so that a scale-up isn't too large.
    Idle,
    /// This many percent of its request, so that a scale-down isn't too large.
    PercentOfRequest(i32),
    /// The target itself in thousandths, for the same reason.
    Target(i64),
}

/// The rule that a proposal's count comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The ratio is within tolerance of 1: no change.
    WithinTolerance,
    /// The ratio times so many pods (counted or ready ones), rounded up.
    RatioTimesPods(u32),
    /// The second ratio is within tolerance of 1: no change.
    SecondWithinTolerance,
    /// The second ratio points the other way: no change.
    SecondTurnsBack,
    /// The second ratio times so many values, rounded up.
    SecondTimesValues(u32),
    /// That count would go against the ratio's direction: no change.
    CountTurnsBack {
        /// What the second ratio times the values would have given.
        rejected: u32,
    },
    /// There is no replica: the ratio alone, rounded up, whatever the tolerance.
    FromZero,
    /// The total divided by the target per replica, rounded up.
    TotalOverTarget,
}

/// Why a metric gives no proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricProblem {
    /// The metrics API didn't answer.
    #[error("the metrics API did not answer")]
    Unavailable,
    /// It answered with no value at all.
    #[error("the metrics API returned no values")]
    NothingReturned,
    /// The scale target's selector matches no pod.
    #[error("the selector matches no pod")]
    NoPods,
    /// All values belong to pods that don't count now.
    #[error("no pod with a value is ready to be counted")]
    NoUsablePod,
    /// A pod has no request to divide by.
    #[error(transparent)]
    Request(#[from] RequestProblem),
    /// No value belongs to a pod with a request.
    #[error("no pod has both a value and a request")]
    NothingMatched,
    /// The metric's `type` is not one that the controller knows.
    #[error("the metric's type is unknown")]
    UnknownType,
}

/// What holds for a metric during one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calculator<'a> {
    /// How far a ratio may be from 1 without change.
    pub tolerance: Tolerance,
    /// The scale's `spec.replicas`.
    pub current: u32,
    /// The pods that the scale target's selector matches.
    pub pods: &'a [PodView],
}

/// Target of a metric with a value for each pod.
#[derive(Clone, Copy, Debug)]
enum PodTarget<'a> {
    /// Percent of the requests, which are in the order of the pods.
    Utilization { percent: i32, requests: &'a [i64] },
    /// The mean in thousandths.
    Average(i64),
}

impl Calculator<'_> {
    /// Replicas that bring utilization to `target_percent` of the requests.
    /// `cpu` is given when the resource is CPU.
    pub fn utilization(
        &self,
        samples: PodSamples,
        requests: Result<&[i64], RequestProblem>,
        cpu: Option<&CpuReadiness>,
        target_percent: i32,
    ) -> Result<Proposal, MetricProblem> {
        self.require_samples(samples)?;
        let (target, problem) = match requests {
            Ok(requests) => (PodTarget::Utilization { percent: target_percent, requests }, None),
            Err(problem) => (PodTarget::Average(0), Some(problem)),
        };
        let tally = self.tally(samples, target, cpu);
        tally.require_values()?;
        match problem {
            None => self.settle(&tally, target),
            Some(problem) => Err(problem.into()),
        }
    }

    /// Replicas that bring the mean over the pods to `target_milli`. `cpu` is
    /// given when the metric is the resource CPU.
    pub fn average(
        &self,
        samples: PodSamples,
        cpu: Option<&CpuReadiness>,
        target_milli: i64,
    ) -> Result<Proposal, MetricProblem> {
        self.require_samples(samples)?;
        let target = PodTarget::Average(target_milli);
        let tally = self.tally(samples, target, cpu);
        tally.require_values()?;
        self.settle(&tally, target)
    }

    /// Replicas that bring a whole value (of an object, or summed over an
    /// external metric's series) to `target_milli`. The base is the pods that
    /// are ready, not the replicas.
    pub fn whole_value(&self, value_milli: i64, target_milli: i64) -> Result<Proposal, MetricProblem> {
        let ratio = value_milli as f64 / target_milli as f64;
        let (replicas, rule) = if self.current == 0 {
            (whole_replicas(ratio), Rule::FromZero)
        } else if self.tolerance.allows(ratio) {
            (self.current, Rule::WithinTolerance)
        } else if self.pods.is_empty() {
            return Err(MetricProblem::NoPods);
        } else {
            let ready = self.pods.iter().filter(|pod| is_running_and_ready(pod)).count() as u32;
            (whole_replicas(ratio * f64::from(ready)), Rule::RatioTimesPods(ready))
        };
        let value = CurrentValue::Whole(value_milli);
        Ok(Proposal { replicas, value, ratio, counts: None, totals: None, second: None, rule })
    }

    /// Replicas that bring a whole value, divided by the replicas there are
    /// (`status.replicas`), to `target_milli`.
    pub fn value_per_replica(&self, value_milli: i64, status_replicas: u32, target_milli: i64) -> Proposal {
        let value = value_milli as f64;
        let ratio = value / (target_milli as f64 * f64::from(status_replicas));
        let (replicas, rule) = if self.tolerance.allows(ratio) {
            (status_replicas, Rule::WithinTolerance)
        } else {
            (whole_replicas(value / target_milli as f64), Rule::TotalOverTarget)
        };
        // A sum that didn't fit is shown as it is, not divided.
        let shown = match value_milli {
            i64::MAX => i64::MAX,
            _ => (value / f64::from(status_replicas)).ceil() as i64,
        };
        let value = CurrentValue::Average(shown);
        Proposal { replicas, value, ratio, counts: None, totals: None, second: None, rule }
    }

    /// The checks before any arithmetic.
    fn require_samples(&self, samples: PodSamples) -> Result<(), MetricProblem> {
        assert_eq!(samples.samples.len(), self.pods.len(), "samples are in the order of the pods");
        if samples.strays.is_empty() && samples.samples.iter().all(Option::is_none) {
            Err(MetricProblem::NothingReturned)
        } else if self.pods.is_empty() {
            Err(MetricProblem::NoPods)
        } else {
            Ok(())
        }
    }

    /// Sorts the pods and sums each group, in one walk.
    fn tally(&self, samples: PodSamples, target: PodTarget, cpu: Option<&CpuReadiness>) -> Tally {
        let mut tally = Tally { strays: samples.strays.len() as u32, ..Tally::default() };
        tally.stray_usage = samples.strays.iter().map(|&value| i128::from(value)).sum();
        for (index, (pod, &sample)) in self.pods.iter().zip(samples.samples).enumerate() {
            let (request, fill) = match target {
                PodTarget::Utilization { percent, requests } => {
                    let request = i128::from(requests[index]);
                    (request, i128::from(requests[index].wrapping_mul(i64::from(percent.max(100))) / 100))
                }
                PodTarget::Average(milli) => (0, i128::from(milli)),
            };
            let group = match group_of(pod, sample, cpu) {
                Group::Counted => &mut tally.counted,
                Group::Unready(_) => &mut tally.unready,
                Group::Missing => &mut tally.missing,
                Group::Ignored(_) => {
                    tally.ignored += 1;
                    continue;
                }
            };
            group.pods += 1;
            group.usage += sample.map_or(0, |sample| i128::from(sample.value));
            group.request += request;
            group.fill += fill;
        }
        tally
    }

    /// From the groups to a count: the first estimate, and the second where
    /// pods are missing, or unready while the load is above target.
    fn settle(&self, tally: &Tally, target: PodTarget) -> Result<Proposal, MetricProblem> {
        let first = target.ratio(tally, Sums::of(tally))?;
        let above = first.ratio > 1.0;
        let unready_as_idle = tally.unready.pods > 0 && above;
        let settled = !unready_as_idle && tally.missing.pods == 0;
        let (replicas, rule, second) = if settled && self.tolerance.allows(first.ratio) {
            (self.current, Rule::WithinTolerance, None)
        } else if settled {
            let pods = tally.counted.pods;
            (whole_replicas(first.ratio * f64::from(pods)), Rule::RatioTimesPods(pods), None)
        } else {
            let second = second_estimate(tally, target, first.ratio)?;
            let (replicas, rule) = self.second_look(first.ratio, &second);
            (replicas, rule, Some(second))
        };
        let counts = Some(tally.counts());
        let totals = Some(Sums::of(tally).totals(tally));
        Ok(Proposal { replicas, value: first.value, ratio: first.ratio, counts, totals, second, rule })
    }

    /// What the second estimate gives, unless it contradicts the first.
    fn second_look(&self, first: f64, second: &SecondEstimate) -> (u32, Rule) {
        if self.tolerance.allows(second.ratio) {
            return (self.current, Rule::SecondWithinTolerance);
        }
        if (first < 1.0 && second.ratio > 1.0) || (first > 1.0 && second.ratio < 1.0) {
            return (self.current, Rule::SecondTurnsBack);
        }
        let replicas = whole_replicas(second.ratio * f64::from(second.values));
        let (fewer, more) = (second.ratio < 1.0, second.ratio > 1.0);
        if (fewer && replicas > self.current) || (more && replicas < self.current) {
            return (self.current, Rule::CountTurnsBack { rejected: replicas });
        }
        (replicas, Rule::SecondTimesValues(second.values))
    }
}

/// Fills in what pods without a usable sample are taken to use, and divides again.
fn second_estimate(tally: &Tally, target: PodTarget, first: f64) -> Result<SecondEstimate, MetricProblem> {
    let mut sums = Sums::of(tally);
    let mut missing_as = Fill::Nothing;
    if tally.missing.pods > 0 && first < 1.0 {
        missing_as = match target {
            PodTarget::Utilization { percent, .. } => Fill::PercentOfRequest(percent.max(100)),
            PodTarget::Average(milli) => Fill::Target(milli),
        };
        sums.add(&tally.missing, tally.missing.fill);
    } else if tally.missing.pods > 0 && first > 1.0 {
        missing_as = Fill::Idle;
        sums.add(&tally.missing, 0);
    }
    let unready_as_idle = tally.unready.pods > 0 && first > 1.0;
    if unready_as_idle {
        sums.add(&tally.unready, 0);
    }
    let ratio = target.ratio(tally, sums)?.ratio;
    let (values, totals) = (sums.pods + tally.strays, sums.totals(tally));
    Ok(SecondEstimate { ratio, values, totals, missing_as, unready_as_idle })
}

impl PodTarget<'_> {
    /// Value over target, for these sums. Strays have no request, so they count
    /// for a mean only.
    fn ratio(self, tally: &Tally, sums: Sums) -> Result<First, MetricProblem> {
        match self {
            PodTarget::Utilization { percent, .. } => {
                let found = utilization_ratio(sums.usage, sums.request, sums.pods, percent)
                    .ok_or(MetricProblem::NothingMatched)?;
                let UtilizationRatio { ratio, percent, average_milli } = found;
                Ok(First { ratio, value: CurrentValue::Utilization { percent, average_milli } })
            }
            PodTarget::Average(target) => {
                let values = sums.pods + tally.strays;
                let found = usage_ratio(sums.usage + tally.stray_usage, values, target)
                    .ok_or(MetricProblem::NoUsablePod)?;
                Ok(First { ratio: found.ratio, value: CurrentValue::Average(found.average_milli) })
            }
        }
    }
}

/// A ratio and the value that it comes from.
struct First {
    ratio: f64,
    value: CurrentValue,
}

/// The pods' sums, group by group.
#[derive(Default)]
struct Tally {
    counted: Part,
    unready: Part,
    missing: Part,
    ignored: u32,
    strays: u32,
    stray_usage: i128,
}

impl Tally {
    /// Fails when no value is left to count.
    fn require_values(&self) -> Result<(), MetricProblem> {
        if self.counted.pods + self.strays == 0 { Err(MetricProblem::NoUsablePod) } else { Ok(()) }
    }

    /// The sizes of the groups.
    fn counts(&self) -> PodCounts {
        PodCounts {
            counted: self.counted.pods,
            unready: self.unready.pods,
            missing: self.missing.pods,
            ignored: self.ignored,
        }
    }
}

/// The sums of one group.
#[derive(Default)]
struct Part {
    pods: u32,
    usage: i128,
    request: i128,
    /// What its pods are taken to use on a scale-down when they have no sample.
    fill: i128,
}

/// What goes into one estimate.
#[derive(Clone, Copy)]
struct Sums {
    pods: u32,
    usage: i128,
    request: i128,
}

impl Sums {
    /// The counted pods alone.
    fn of(tally: &Tally) -> Self {
        let Part { pods, usage, request, .. } = tally.counted;
        Self { pods, usage, request }
    }

    /// These sums as they are told; strays have no request and count for a mean
    /// only, which divides by none.
    fn totals(self, tally: &Tally) -> Totals {
        let strays = if self.request == 0 { tally.stray_usage } else { 0 };
        Totals { usage: self.usage + strays, request: self.request }
    }

    /// Adds a group's pods with a usage that was made up for them.
    fn add(&mut self, part: &Part, usage: i128) {
        self.pods += part.pods;
        self.usage += usage;
        self.request += part.request;
    }
}

/// Whether a pod counts as ready for whole-value metrics.
fn is_running_and_ready(pod: &PodView) -> bool {
    pod.phase == PodPhase::Running && pod.ready.is_some_and(|ready| ready.is_true)
}

/// Rounds up to a count of replicas, within what the API can hold.
fn whole_replicas(count: f64) -> u32 {
    count.ceil().clamp(0.0, f64::from(i32::MAX)) as u32
}

#[cfg(test)]
mod tests;
