//! `kind: Model`: what each workload does with a request. The file's types, and
//! how they become behaviours.

use std::fmt;

use serde::Deserialize;
use serde::de::Deserializer;

use crate::input::custom_metrics::CustomMetricFile;
use crate::input::directory::Directory;
use crate::input::findings::{At, Findings};
use crate::input::scalar::{self, Scalar};
use crate::input::sidecars::{self, SidecarFile};
use crate::input::uncertain::{Chance, Named, ScalarOr, Uncertain, limit, read};
use crate::input::upstream::{UpstreamFile, balancing};
use crate::input::usage::{self, UsageFile};
use crate::scenario::{
    Balancing, Behaviour, Call, Concurrency, External, IngressRetries, MemoryModel, Operation, Quota, Retry,
    RetryBudget, StartUp, Step, Upstream, Usage, WarmUp,
};
use crate::sim::random::Distribution;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// A model file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelFile {
    /// `plan/v1alpha1`
    pub api_version: Option<String>,
    /// `Model`
    pub kind: Option<String>,
    /// For reports.
    pub name: Option<String>,
    /// By `name` or `namespace/name`.
    #[serde(default)]
    pub workloads: Named<WorkloadFile>,
    /// Services outside the cluster.
    #[serde(default)]
    pub externals: Named<ExternalFile>,
    /// What custom and external metrics of HPAs count.
    #[serde(default)]
    pub metrics: Named<CustomMetricFile>,
}

/// What one workload does. What is absent is taken from the built-in priors.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadFile {
    /// From container start to listening.
    pub start_up: Option<StartUpFile>,
    /// Slower at first.
    pub warm_up: Option<WarmUpFile>,
    /// `unlimited` or a number.
    pub threads: Option<Uncertain>,
    /// Requests in progress.
    pub concurrency: Option<ConcurrencyFile>,
    /// Memory.
    pub memory: Option<MemoryFile>,
    /// CPU without requests.
    pub idle_cpu: Option<Uncertain>,
    /// What the containers beside the serving one use.
    #[serde(default)]
    pub sidecars: Named<SidecarFile>,
    /// From SIGTERM to the end.
    pub shut_down: Option<Uncertain>,
    /// Whether requests in progress are finished after SIGTERM.
    pub drains: Option<bool>,
    /// How its ingress tries other pods.
    pub ingress: Option<IngressFile>,
    /// Connections that a pod takes.
    pub max_connections: Option<Uncertain>,
    /// How its pods reach those that they call.
    #[serde(default)]
    pub upstreams: Named<UpstreamFile>,
    /// What it can be asked.
    #[serde(default)]
    pub operations: Named<Vec<StepFile>>,
    /// What it uses instead, where that was recorded.
    pub usage: Option<UsageFile>,
}

/// `startUp`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUpFile {
    wait: Option<Chance>,
    cpu: Option<Chance>,
}

/// `warmUp`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUpFile {
    factor: Uncertain,
    duration: Uncertain,
}

/// `ingress`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressFile {
    tries: Option<Scalar>,
    budget: Option<Scalar>,
    balancing: Option<Scalar>,
}

/// `concurrency`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConcurrencyFile {
    limit: Option<Uncertain>,
    queue: Option<Uncertain>,
}

/// `memory`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemoryFile {
    base: Option<Uncertain>,
    per_request: Option<Uncertain>,
    leak: Option<Uncertain>,
    per_user: Option<Uncertain>,
}

/// One step of an operation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepFile {
    /// CPU work.
    Compute(Chance),
    /// Waiting without CPU.
    Wait(Chance),
    /// A call.
    Call(Box<CallFile>),
    /// Calls side by side.
    Parallel(Vec<CallFile>),
}

/// A call: `postgres/select`, or the same under `to` with more about it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFile {
    /// The mapping, `to` alone where a plain name stands.
    pub spec: CallSpec,
    /// Whether a plain name stands there.
    plain: bool,
}

/// A call in full.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallSpec {
    to: Scalar,
    probability: Option<Uncertain>,
    timeout: Option<Uncertain>,
    retry: Option<RetryFile>,
    required: Option<bool>,
}

/// `retry`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryFile {
    attempts: Scalar,
    backoff: Option<Scalar>,
    max_backoff: Option<Scalar>,
    jitter: Option<Scalar>,
    budget: Option<Scalar>,
}

/// A service outside the cluster.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalFile {
    latency: Chance,
    error_rate: Option<Uncertain>,
    quota: Option<Uncertain>,
}

impl From<Scalar> for CallFile {
    fn from(to: Scalar) -> Self {
        let spec = CallSpec { to, probability: None, timeout: None, retry: None, required: None };
        Self { spec, plain: true }
    }
}

impl From<CallSpec> for CallFile {
    fn from(spec: CallSpec) -> Self {
        Self { spec, plain: false }
    }
}

impl<'de> Deserialize<'de> for CallFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarOr::<Self, CallSpec>::default())
    }
}

impl WorkloadFile {
    /// What this file says, and `prior` where it says nothing.
    pub fn or(self, prior: Self) -> Self {
        if self.usage.is_some() {
            // The curve holds what the pods use; what is left is how they start and end.
            return Self {
                start_up: self.start_up.or(prior.start_up),
                shut_down: self.shut_down.or(prior.shut_down),
                drains: self.drains.or(prior.drains),
                ..self
            };
        }
        let operations = if self.operations.0.is_empty() { prior.operations } else { self.operations };
        Self {
            start_up: self.start_up.or(prior.start_up),
            warm_up: self.warm_up.or(prior.warm_up),
            threads: self.threads.or(prior.threads),
            concurrency: self.concurrency.or(prior.concurrency),
            memory: self.memory.or(prior.memory),
            idle_cpu: self.idle_cpu.or(prior.idle_cpu),
            sidecars: self.sidecars.or(prior.sidecars),
            shut_down: self.shut_down.or(prior.shut_down),
            drains: self.drains.or(prior.drains),
            ingress: self.ingress.or(prior.ingress),
            max_connections: self.max_connections.or(prior.max_connections),
            upstreams: if self.upstreams.0.is_empty() { prior.upstreams } else { self.upstreams },
            operations,
            usage: None,
        }
    }

    /// The usage curve, if there is one, from time zero on.
    pub fn usage(&self, at: &At, into: &mut Findings) -> Option<Usage> {
        let file = self.usage.as_ref()?;
        let refused = [
            ("operations", !self.operations.0.is_empty()),
            ("threads", self.threads.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("idleCpu", self.idle_cpu.is_some()),
            ("sidecars", !self.sidecars.0.is_empty()),
        ];
        refused.iter().filter(|(_, there)| *there).for_each(|(key, _)| usage::refuse(key, at, into));
        if let Some(memory) = &self.memory {
            let refused = [
                ("perRequest", memory.per_request.is_some()),
                ("leak", memory.leak.is_some()),
                ("perUser", memory.per_user.is_some()),
            ];
            let at = at.key("memory");
            refused.iter().filter(|(_, there)| *there).for_each(|(key, _)| usage::refuse(key, &at, into));
        }
        file.resolve(&at.key("usage"), into)
    }

    /// The behaviour, its calls looked up in `directory`.
    pub fn resolve(&self, name: &str, at: &At, directory: &Directory, into: &mut Findings) -> Behaviour {
        let about = |what: &str| at.about(format!("{name}: {what}"));
        let operations = self.operations.0.iter().map(|(operation, steps)| {
            let at = at.key("operations").key(operation).about(format!("{name}/{operation}"));
            let steps = steps.iter().enumerate();
            let steps = steps.filter_map(|(index, step)| step.resolve(&at.index(index), directory, into));
            Operation { name: operation.clone(), steps: steps.collect() }
        });
        let operations: Vec<Operation> = operations.collect();
        let upstreams = self.upstreams(name, &at.key("upstreams"), &operations, directory, into);
        Behaviour {
            operations,
            upstreams,
            max_connections: limit(
                self.max_connections.as_ref(),
                &about("connections of a pod").key("maxConnections"),
                1,
                into,
            ),
            start_up: self.start_up(&at.key("startUp"), name, into),
            warm_up: self.warm_up(name, &at.key("warmUp"), into),
            threads: limit(self.threads.as_ref(), &about("threads").key("threads"), 1, into),
            concurrency: self.concurrency(name, &at.key("concurrency"), into),
            memory: self.memory(name, &at.key("memory"), into),
            idle_cpu: read(
                self.idle_cpu.as_ref(),
                &about("idle CPU").key("idleCpu"),
                scalar::cpu,
                MilliCpu::ZERO,
                into,
            ),
            sidecars: sidecars::resolve(&self.sidecars, name, &at.key("sidecars"), into),
            shut_down: read(
                self.shut_down.as_ref(),
                &about("shut-down time").key("shutDown"),
                scalar::duration,
                SimDuration::ZERO,
                into,
            ),
            drains: self.drains.unwrap_or(false),
            ingress: self
                .ingress
                .as_ref()
                .map_or(IngressRetries::USUAL, |file| file.resolve(&at.key("ingress"), into)),
            ingress_balancing: into.or(
                &at.key("ingress").key("balancing"),
                self.ingress.as_ref().and_then(|file| file.balancing.as_ref()),
                balancing,
                Balancing::Random,
            ),
        }
    }

    fn upstreams(
        &self,
        name: &str,
        at: &At,
        operations: &[Operation],
        directory: &Directory,
        into: &mut Findings,
    ) -> Vec<Upstream> {
        let mut all: Vec<Upstream> = Vec::new();
        if self.upstreams.0.len() > MOST_UPSTREAMS {
            let message = format!("`{name}` reaches {} workloads", self.upstreams.0.len());
            into.wrong(at, message, format!("describe at most {MOST_UPSTREAMS}"));
            return all;
        }
        for (to, file) in &self.upstreams.0 {
            let at = at.key(to);
            let Some(one) = file.resolve((name, to), operations, &at, directory, into) else { continue };
            if all.iter().any(|known| known.workload == one.workload) {
                into.wrong(&at, format!("`{to}` is described twice"), "keep one");
            } else {
                all.push(one);
            }
        }
        all
    }

    fn start_up(&self, at: &At, name: &str, into: &mut Findings) -> StartUp {
        let of = self.start_up.as_ref();
        let mut part = |chance: Option<&Chance>, key: &str, what: &str| {
            let at = at.key(key).about(format!("{name}: start-up {what}"));
            chance.and_then(|chance| chance.resolve(&at, into)).unwrap_or(Distribution::Constant(0.0))
        };
        StartUp {
            wait: part(of.and_then(|of| of.wait.as_ref()), "wait", "time"),
            cpu: part(of.and_then(|of| of.cpu.as_ref()), "cpu", "CPU"),
        }
    }

    fn warm_up(&self, name: &str, at: &At, into: &mut Findings) -> Option<WarmUp> {
        let of = self.warm_up.as_ref()?;
        let about = |key: &str, what: &str| at.key(key).about(format!("{name}: warm-up {what}"));
        let (at_factor, at_duration) = (about("factor", "factor"), about("duration", "time"));
        let factor = of.factor.resolve(&at_factor, scalar::number, into)?;
        let lasts = of.duration.resolve(&at_duration, scalar::duration, into)?;
        if !(1.0..=MOST_WARM_UP).contains(&factor) {
            let text =
                format!("a pod that needs {factor} times the CPU at first is not slower, or never answers");
            into.wrong(&at_factor, text, format!("from 1 to {MOST_WARM_UP}"));
            return None;
        }
        (factor > 1.0 && lasts > SimDuration::ZERO).then_some(WarmUp { factor, lasts })
    }

    fn concurrency(&self, name: &str, at: &At, into: &mut Findings) -> Concurrency {
        let of = self.concurrency.as_ref();
        let mut part = |number: Option<&Uncertain>, key: &str, what: &str, least: u32| {
            limit(number, &at.key(key).about(format!("{name}: {what}")), least, into)
        };
        Concurrency {
            limit: part(of.and_then(|of| of.limit.as_ref()), "limit", "requests in progress", 1),
            queue: part(of.and_then(|of| of.queue.as_ref()), "queue", "requests waiting", 0),
        }
    }

    fn memory(&self, name: &str, at: &At, into: &mut Findings) -> MemoryModel {
        let of = self.memory.as_ref();
        let mut part = |amount: Option<&Uncertain>, key: &str, what: &str| {
            let at = at.key(key).about(format!("{name}: memory {what}"));
            read(amount, &at, scalar::memory, Bytes::ZERO, into)
        };
        MemoryModel {
            base: part(of.and_then(|of| of.base.as_ref()), "base", "at rest"),
            per_request: part(of.and_then(|of| of.per_request.as_ref()), "perRequest", "per request"),
            leak: part(of.and_then(|of| of.leak.as_ref()), "leak", "leaked per request"),
            per_user: part(of.and_then(|of| of.per_user.as_ref()), "perUser", "per user"),
        }
    }
}

/// The most workloads whose connections one may describe.
const MOST_UPSTREAMS: usize = 1_000;
/// The most that a pod may be slower at first; more is a mistake.
const MOST_WARM_UP: f64 = 1_000.0;

impl StepFile {
    fn resolve(&self, at: &At, directory: &Directory, into: &mut Findings) -> Option<Step> {
        match self {
            Self::Compute(chance) => {
                let at = at.key("compute").about(format!("{}: CPU", at.about));
                chance.resolve(&at, into).map(Step::Compute)
            }
            Self::Wait(chance) => {
                let at = at.key("wait").about(format!("{}: waiting", at.about));
                chance.resolve(&at, into).map(Step::Wait)
            }
            Self::Call(call) => call.resolve(&at.key("call"), directory, into).map(Step::Call),
            Self::Parallel(calls) => {
                let at = at.key("parallel");
                if calls.is_empty() {
                    into.wrong(&at, "no call stands there", "list the calls, or leave `parallel` out");
                }
                let calls = calls.iter().enumerate();
                let calls = calls.filter_map(|(index, call)| call.resolve(&at.index(index), directory, into));
                Some(Step::Parallel(calls.collect()))
            }
        }
    }
}

impl CallFile {
    fn resolve(&self, at: &At, directory: &Directory, into: &mut Findings) -> Option<Call> {
        let spec = &self.spec;
        let to = if self.plain { at.clone() } else { at.key("to") };
        let target = into.take(&to, directory.target(&spec.to.text));
        let about = |what: &str| at.about(format!("{} -> {}: {what}", at.about, spec.to));
        let probability = spec.probability.as_ref();
        let at_timeout = about("timeout").key("timeout");
        let timeout =
            spec.timeout.as_ref().and_then(|value| value.resolve(&at_timeout, scalar::duration, into));
        if timeout == Some(SimDuration::ZERO) {
            into.wrong(&at_timeout, "nothing is answered within 0s", "leave `timeout` out for none");
        }
        let probability =
            read(probability, &about("probability").key("probability"), scalar::share, 1.0, into);
        let retry = spec.retry.as_ref().map_or(Retry::NONE, |retry| retry.resolve(&at.key("retry"), into));
        Some(Call { target: target?, probability, timeout, retry, required: spec.required.unwrap_or(true) })
    }
}

/// The most further attempts that are taken; more are a mistake.
const MOST_ATTEMPTS: u32 = 100;

impl RetryFile {
    /// The retry, with what is absent filled in: back-off 100 ms, at most 10 s,
    /// half of it by chance.
    pub fn resolve(&self, at: &At, into: &mut Findings) -> Retry {
        let attempts = into.or(&at.key("attempts"), Some(&self.attempts), scalar::count, 0);
        if attempts > MOST_ATTEMPTS {
            into.wrong(
                &at.key("attempts"),
                format!("{attempts} attempts are too many"),
                format!("at most {MOST_ATTEMPTS}"),
            );
        }
        let duration = scalar::duration;
        let backoff =
            into.or(&at.key("backoff"), self.backoff.as_ref(), duration, SimDuration::from_millis(100));
        let longest = SimDuration::from_secs(10).max(backoff);
        let max_backoff = into.or(&at.key("maxBackoff"), self.max_backoff.as_ref(), duration, longest);
        if max_backoff < backoff {
            into.wrong(&at.key("maxBackoff"), "it is shorter than `backoff`", "backoff <= maxBackoff");
        }
        let jitter = into.or(&at.key("jitter"), self.jitter.as_ref(), scalar::share, 0.5);
        let budget = budget(self.budget.as_ref(), at, into);
        Retry { attempts, backoff, max_backoff, jitter, budget }
    }
}

/// `budget`: the share of first attempts that may be tried again.
fn budget(text: Option<&Scalar>, at: &At, into: &mut Findings) -> Option<RetryBudget> {
    let share = text.and_then(|text| into.take(&at.key("budget"), scalar::share(text)))?;
    Some(RetryBudget { share: (share * f64::from(RetryBudget::TOKEN)).round() as u32 })
}

impl IngressFile {
    /// The rule, as ingress-nginx has it where nothing is said.
    fn resolve(&self, at: &At, into: &mut Findings) -> IngressRetries {
        let usual = u32::from(IngressRetries::USUAL.tries);
        let tries = into.or(&at.key("tries"), self.tries.as_ref(), scalar::count, usual);
        let taken = u8::try_from(tries).ok().filter(|tries| (1..=MOST_ATTEMPTS as u8).contains(tries));
        if taken.is_none() {
            let help = "the first one counts, so 1 is for no other";
            let message = format!("{tries} tries are not in 1..={MOST_ATTEMPTS}");
            into.wrong(&at.key("tries"), message, help);
        }
        IngressRetries { tries: taken.unwrap_or(1), budget: budget(self.budget.as_ref(), at, into) }
    }
}

impl ExternalFile {
    /// The external service.
    pub fn resolve(&self, name: &str, at: &At, into: &mut Findings) -> External {
        let about = |what: &str| at.about(format!("{name}: {what}"));
        let latency = self.latency.resolve(&about("latency").key("latency"), into);
        let error_rate =
            read(self.error_rate.as_ref(), &about("error rate").key("errorRate"), scalar::share, 0.0, into);
        let at_quota = about("quota").key("quota");
        let quota = self.quota.as_ref().and_then(|quota| {
            let per_second = quota.resolve(&at_quota, scalar::rate, into)?;
            Some(Quota { per_second, over: scalar::rate_over(quota.mid()).ok()?.1 })
        });
        if quota.is_some_and(|quota| quota.per_second <= 0.0) {
            into.wrong(&at_quota, "a quota of 0 refuses every call", "leave `quota` out for none");
        }
        External {
            name: name.to_owned(),
            latency: latency.unwrap_or(Distribution::Constant(0.0)),
            error_rate,
            quota,
        }
    }
}

impl CallSpec {
    /// A call with a timeout, made so often: what a guessed dependency is.
    pub fn guessed(to: &str, probability: f64, timeout: &str) -> Self {
        let plain = |text: &str| Some(Uncertain::Plain(Scalar::from(text)));
        let probability = if probability < 1.0 { plain(&probability.to_string()) } else { None };
        Self { to: Scalar::from(to), probability, timeout: plain(timeout), retry: None, required: None }
    }
}

impl fmt::Display for CallFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.spec.to)
    }
}
