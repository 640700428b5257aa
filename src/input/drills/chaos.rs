//! Chaos Mesh's experiments (`chaos-mesh.org/v1alpha1`, as of version 2.7).
//!
//! What an experiment says that can't be simulated is refused. It strikes when
//! it is applied: at the start of the observed time, or at the time in its
//! annotation `plan/at`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::schedule;
use super::selector::{ModeName, SelectorFile, percent};
use crate::input::document::Document;
use crate::input::findings::{At, Findings};
use crate::input::problem::Problem;
use crate::input::scalar::{self, Scalar};
use crate::scenario::{Basis, Drill, Failure, Scenario, Share};
use crate::source::Node;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// `apiVersion` of all of them.
pub const API_VERSION: &str = "chaos-mesh.org/v1alpha1";
/// The annotation that says when an experiment is applied.
const WHEN: &str = "plan/at";
const KINDS: &str = "PodChaos, NetworkChaos, StressChaos and Schedule are";

/// `spec` of a PodChaos.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodChaos {
    action: PodAction,
    mode: ModeName,
    value: Option<Scalar>,
    selector: SelectorFile,
    duration: Option<Scalar>,
    grace_period: Option<Scalar>,
    container_names: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PodAction {
    PodKill,
    PodFailure,
    ContainerKill,
}

/// `spec` of a NetworkChaos.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NetworkChaos {
    action: NetworkAction,
    mode: ModeName,
    value: Option<Scalar>,
    selector: SelectorFile,
    duration: Option<Scalar>,
    direction: Option<Direction>,
    target: Option<TargetFile>,
    delay: Option<DelayFile>,
    loss: Option<LossFile>,
    corrupt: Option<CorruptFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NetworkAction {
    Delay,
    Loss,
    Corrupt,
    Partition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Direction {
    To,
    From,
    Both,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    mode: ModeName,
    selector: SelectorFile,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct DelayFile {
    latency: Scalar,
    jitter: Option<Scalar>,
    #[serde(rename = "correlation")]
    _correlation: Option<Scalar>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LossFile {
    loss: Scalar,
    correlation: Option<Scalar>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CorruptFile {
    corrupt: Scalar,
    correlation: Option<Scalar>,
}

/// `spec` of a StressChaos.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StressChaos {
    mode: ModeName,
    value: Option<Scalar>,
    selector: SelectorFile,
    duration: Option<Scalar>,
    container_names: Option<Vec<String>>,
    stressors: Stressors,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stressors {
    cpu: Option<CpuStressor>,
    memory: Option<MemoryStressor>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CpuStressor {
    workers: Scalar,
    load: Option<Scalar>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryStressor {
    #[serde(rename = "workers")]
    _workers: Option<Scalar>,
    size: Option<Scalar>,
}

/// `spec` of a Schedule; the experiment itself is read on its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schedule {
    schedule: Scalar,
    #[serde(rename = "type")]
    kind: String,
}

/// What every experiment has.
trait Experiment: DeserializeOwned {
    /// What it does.
    fn failures(&self, scenario: &Scenario, namespace: &str, into: &mut Findings) -> Option<Vec<Failure>>;
    /// `duration`: for good where absent.
    fn duration(&self) -> Option<&Scalar>;
}

/// The drills of one object.
pub fn drills(
    node: &Node,
    kind: &str,
    scenario: &Scenario,
    assumed: &mut Findings,
    problems: &mut Vec<Problem>,
) -> Vec<Drill> {
    let text = |path: &str| node.at(path).and_then(Node::as_str);
    let name = text("metadata.name").unwrap_or(kind).to_owned();
    let namespace = text("metadata.namespace").unwrap_or("default");
    let Some(spec) = node.get("spec") else {
        problems.push(Problem::error(format!("{kind} {name} has no spec")).at(node.head()));
        return Vec::new();
    };
    let mut times = vec![SimDuration::ZERO];
    let annotation =
        node.get("metadata").and_then(|one| one.get("annotations")).and_then(|one| one.get(WHEN));
    if let Some(written) = annotation {
        match scalar::duration(&Scalar::from(written.as_str().unwrap_or_default())) {
            Ok(time) => times = vec![time],
            Err(fault) => problems.push(Problem::error(fault.message).at(written.place()).help(fault.help)),
        }
    }
    let (kind, spec) = if kind == "Schedule" {
        let Some((kind, inner)) = scheduled(spec, scenario, &mut times, problems) else { return Vec::new() };
        (kind, inner)
    } else {
        (kind.to_owned(), spec)
    };
    let mut of = Of { scenario, namespace, assumed, problems };
    let found = match kind.as_str() {
        "PodChaos" => of.experiment::<PodChaos>(spec),
        "NetworkChaos" => of.experiment::<NetworkChaos>(spec),
        "StressChaos" => of.experiment::<StressChaos>(spec),
        _ => {
            let problem = Problem::error(format!("{kind} can't be simulated")).at(node.head());
            problems.push(problem.help(KINDS));
            None
        }
    };
    let Some((failures, lasts)) = found else { return Vec::new() };
    let at = |time: &SimDuration| {
        let one = |what: &Failure| Drill {
            name: name.clone(),
            from: *time,
            until: *time,
            lasts,
            what: what.clone(),
        };
        failures.iter().map(one).collect::<Vec<_>>()
    };
    times.iter().flat_map(at).collect()
}

/// A Schedule's times, and the experiment in it.
fn scheduled<'n>(
    spec: &'n Node,
    scenario: &Scenario,
    times: &mut Vec<SimDuration>,
    problems: &mut Vec<Problem>,
) -> Option<(String, &'n Node)> {
    let document = Document::<Schedule>::partly(spec, problems)?;
    match schedule::strikes(&document.file.schedule, scenario.horizon) {
        Ok(found) => *times = found,
        Err(fault) => {
            let problem = Problem::error(fault.message).at(document.place("schedule"));
            problems.push(problem.help(fault.help));
            return None;
        }
    }
    let kind = document.file.kind.clone();
    let mut letters = kind.chars();
    let key = letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str());
    let inner = key.as_deref().and_then(|key| spec.get(key));
    if inner.is_none() {
        let problem = Problem::error(format!("there is no `{}` in it", key.unwrap_or_default()));
        problems.push(problem.at(document.place("type")).help("it says what is scheduled"));
    }
    Some((kind, inner?))
}

/// Whose experiment is read.
struct Of<'a> {
    scenario: &'a Scenario,
    namespace: &'a str,
    assumed: &'a mut Findings,
    problems: &'a mut Vec<Problem>,
}

impl Of<'_> {
    fn experiment<E: Experiment>(&mut self, spec: &Node) -> Option<(Vec<Failure>, Option<SimDuration>)> {
        let document = Document::<E>::of(spec, self.problems)?;
        let before = self.problems.len();
        let resolved = document.resolve(self.assumed, self.problems, |file, into| {
            let at = At::root().key("duration");
            let lasts = file.duration().and_then(|text| into.take(&at, scalar::duration(text)));
            Some((file.failures(self.scenario, self.namespace, into)?, lasts))
        });
        resolved.filter(|_| self.problems.len() == before)
    }
}

impl Experiment for PodChaos {
    fn duration(&self) -> Option<&Scalar> {
        // A kill is over as soon as it is done.
        self.duration.as_ref().filter(|_| self.action == PodAction::PodFailure)
    }

    fn failures(&self, scenario: &Scenario, namespace: &str, into: &mut Findings) -> Option<Vec<Failure>> {
        let at = At::root();
        let workload = self.selector.workload(scenario, namespace, &at.key("selector"), into)?;
        let pods = self.mode.share(self.value.as_ref(), &at, into)?;
        main_container(self.container_names.as_deref(), scenario, workload, into);
        let at_grace = at.key("gracePeriod");
        let grace = into.or(&at_grace, self.grace_period.as_ref(), scalar::count, 0);
        let own = scenario.workloads[workload].template.grace;
        if grace > 0 && SimDuration::from_secs(u64::from(grace)) != own {
            let name = format!("{}: grace period of the kill", scenario.workloads[workload].name);
            let why = format!("the pods' own terminationGracePeriodSeconds is simulated, not {grace}");
            into.assume(&name, own.to_string(), None, Basis::Assumed, &why);
        }
        Some(vec![match self.action {
            PodAction::PodKill => Failure::PodDelete { workload, pods, force: grace == 0 },
            // The image becomes one that does nothing: nobody listens.
            PodAction::PodFailure => Failure::CrashLoop { workload, pods },
            PodAction::ContainerKill => Failure::ContainerCrash { workload, pods, out_of_memory: false },
        }])
    }
}

/// Refuses containers other than the one that serves.
fn main_container(names: Option<&[String]>, scenario: &Scenario, workload: usize, into: &mut Findings) {
    let served = scenario.workloads[workload].template.containers.first().map(|one| one.name.as_str());
    for name in names.unwrap_or_default() {
        if Some(name.as_str()) != served {
            let help = format!("requests are served by `{}`", served.unwrap_or_default());
            let at = At::root().key("containerNames");
            into.wrong(&at, format!("only a pod's first container is struck, not `{name}`"), help);
        }
    }
}

impl Experiment for NetworkChaos {
    fn duration(&self) -> Option<&Scalar> {
        self.duration.as_ref()
    }

    fn failures(&self, scenario: &Scenario, namespace: &str, into: &mut Findings) -> Option<Vec<Failure>> {
        let at = At::root();
        let workload = self.selector.workload(scenario, namespace, &at.key("selector"), into)?;
        let pods = self.mode.share(self.value.as_ref(), &at, into)?;
        let peer = match &self.target {
            Some(target) => {
                let at = at.key("target");
                if target.mode != ModeName::All {
                    into.wrong(&at.key("mode"), "the other side is struck as a whole", "write `mode: all`");
                }
                Some(target.selector.workload(scenario, namespace, &at.key("selector"), into)?)
            }
            None => None,
        };
        let (delay, loss) = self.what(&at, into)?;
        // A call and its answer meet what is done to one direction once.
        let both = self.direction == Some(Direction::Both);
        let (delay, loss) = if both { (delay * 2, 1.0 - (1.0 - loss) * (1.0 - loss)) } else { (delay, loss) };
        Some(vec![Failure::PodNetwork { workload, pods, peer, delay, loss }])
    }
}

impl NetworkChaos {
    /// By how much packets are late, and which share is lost.
    fn what(&self, at: &At, into: &mut Findings) -> Option<(SimDuration, f64)> {
        let missing = |key: &str, into: &mut Findings| {
            into.wrong(
                at,
                format!("this action needs `{key}`"),
                "see Chaos Mesh's documentation of NetworkChaos",
            );
        };
        let correlated = |correlation: Option<&Scalar>, into: &mut Findings| {
            if correlation.is_some_and(|one| one.to_string().parse::<f64>() != Ok(0.0)) {
                let why = "losses are simulated independently of each other";
                into.assume("correlation of losses", "0".to_owned(), None, Basis::Assumed, why);
            }
        };
        match self.action {
            NetworkAction::Partition => Some((SimDuration::ZERO, 1.0)),
            NetworkAction::Delay => {
                let Some(file) = &self.delay else {
                    missing("delay", into);
                    return None;
                };
                let at = at.key("delay");
                let jitter =
                    into.or(&at.key("jitter"), file.jitter.as_ref(), scalar::duration, SimDuration::ZERO);
                if jitter > SimDuration::ZERO {
                    let why = "every call is simulated as late as `latency` says";
                    into.assume("jitter of a delay", "0 s".to_owned(), None, Basis::Assumed, why);
                }
                into.take(&at.key("latency"), scalar::duration(&file.latency)).map(|late| (late, 0.0))
            }
            NetworkAction::Loss => {
                let Some(file) = &self.loss else {
                    missing("loss", into);
                    return None;
                };
                correlated(file.correlation.as_ref(), into);
                let share = into.take(&at.key("loss").key("loss"), percent(&file.loss))?;
                Some((SimDuration::ZERO, share))
            }
            // What arrives damaged is thrown away.
            NetworkAction::Corrupt => {
                let Some(file) = &self.corrupt else {
                    missing("corrupt", into);
                    return None;
                };
                correlated(file.correlation.as_ref(), into);
                let share = into.take(&at.key("corrupt").key("corrupt"), percent(&file.corrupt))?;
                Some((SimDuration::ZERO, share))
            }
        }
    }
}

impl Experiment for StressChaos {
    fn duration(&self) -> Option<&Scalar> {
        self.duration.as_ref()
    }

    fn failures(&self, scenario: &Scenario, namespace: &str, into: &mut Findings) -> Option<Vec<Failure>> {
        let at = At::root();
        let workload = self.selector.workload(scenario, namespace, &at.key("selector"), into)?;
        let pods = self.mode.share(self.value.as_ref(), &at, into)?;
        main_container(self.container_names.as_deref(), scenario, workload, into);
        let at = at.key("stressors");
        let mut failures = Vec::new();
        if let Some(file) = &self.stressors.cpu {
            let at = at.key("cpu");
            let workers = into.take(&at.key("workers"), scalar::count(&file.workers))?;
            let load = into.or(&at.key("load"), file.load.as_ref(), percent, 1.0);
            let cpu = MilliCpu((f64::from(workers) * load * 1e3).round() as u64);
            failures.push(Failure::CpuStress { workload, pods, cpu });
        }
        if let Some(file) = &self.stressors.memory {
            let at = at.key("memory").key("size");
            let size = memory_stress(file, scenario, workload, &at, into)?;
            failures.push(Failure::MemoryStress { workload, pods, size });
        }
        if failures.is_empty() {
            into.wrong(&at, "nothing is stressed", "add `cpu: {workers: 1}` or `memory: {size: 256MB}`");
        }
        same_pods(pods, failures.len(), into);
        Some(failures)
    }
}

/// A size, or a part of what the container may use.
fn memory_stress(
    file: &MemoryStressor,
    scenario: &Scenario,
    workload: usize,
    at: &At,
    into: &mut Findings,
) -> Option<Bytes> {
    let Some(size) = &file.size else {
        into.wrong(at, "how much memory isn't said", "write `size: 256MB` or `size: 50%`");
        return None;
    };
    let text = size.to_string();
    if let Some(part) = text.strip_suffix('%') {
        let part = into.take(at, percent(&Scalar::from(part)))?;
        let limit = scenario.workloads[workload].template.containers.first()?.limits.memory;
        let Some(limit) = limit else {
            into.wrong(at, "a part of no limit is unknown", "write a size, such as 256MB");
            return None;
        };
        return Some(Bytes((limit.0 as f64 * part) as u64));
    }
    // `256MB` and `1GiB`, as Chaos Mesh's parser takes them: powers of two.
    let upper = text.to_ascii_uppercase();
    let plain = upper.trim_end_matches("IB").trim_end_matches('B');
    let binary = match plain.chars().last() {
        Some('K' | 'M' | 'G' | 'T') => format!("{plain}i"),
        _ => plain.to_owned(),
    };
    into.take(at, scalar::memory(&Scalar::from(binary.as_str())))
}

/// Two stressors of one experiment are in the same pods: only where the mode
/// leaves nothing to chance, ours are.
fn same_pods(pods: Share, stressors: usize, into: &mut Findings) {
    if stressors > 1 && pods != Share::Part(1.0) {
        let why = "CPU and memory are stressed in pods drawn independently";
        into.assume("pods of the two stressors", "drawn apart".to_owned(), None, Basis::Assumed, why);
    }
}
