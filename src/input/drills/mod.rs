//! Drills from files, each at its time: `kind: Drills` of our own, and the
//! experiments of Chaos Mesh as they are applied to a cluster.

mod chaos;
mod schedule;
mod selector;

use serde::Deserialize;

use crate::input::document::{API_VERSION, Document};
use crate::input::findings::{At, Findings, suggest};
use crate::input::problem::{self, Problem};
use crate::input::scalar::{self, Scalar};
use crate::scenario::catalogue::{self, Exercise};
use crate::scenario::{Drill, Scenario};
use crate::source::{Node, SourceId, Sources};
use crate::units::SimDuration;

/// So many strikes are the most.
const MOST: usize = 1_000;

/// `kind: Drills`: drills of the catalogue, each at its time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DrillsFile {
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    drills: Vec<DrillFile>,
}

/// One drill.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DrillFile {
    drill: String,
    name: Option<String>,
    at: Option<Scalar>,
    lasts: Option<Scalar>,
    target: Option<String>,
}

/// The drills of a text for a scenario, in the order in which they strike.
/// Guesses about them are added to the scenario's.
pub fn read(sources: &Sources, id: SourceId, scenario: &mut Scenario, problems: &mut Vec<Problem>) {
    let before = problems.len();
    let documents = problem::parse(sources, id, problems);
    if documents.is_empty() && problems.len() == before {
        let message = format!("there are no drills in {}", sources.name(id));
        problems.push(Problem::error(message).help(KINDS));
    }
    let mut drills: Vec<Drill> = Vec::new();
    let mut assumed = Findings::default();
    for document in &documents {
        let found = of_document(document, scenario, &mut assumed, problems);
        for drill in found {
            if drill.from > scenario.horizon {
                let message = format!("`{}` strikes at {}, after the observed time", drill.name, drill.from);
                let help =
                    format!("{} are observed: a longer --duration, or an earlier time", scenario.horizon);
                problems.push(Problem::error(message).at(document.head()).help(help));
            } else {
                drills.push(drill);
            }
        }
        if drills.len() > MOST {
            let message = format!("there are more than {MOST} strikes within the observed time");
            problems.push(Problem::error(message).at(document.head()).help("strike less often"));
            return;
        }
    }
    drills.sort_by_key(|drill| drill.from);
    scenario.drills = drills;
    scenario.assumptions.append(&mut assumed.assumptions);
}

const KINDS: &str = "kinds are Drills (plan/v1alpha1), and PodChaos, NetworkChaos, StressChaos and Schedule \
                     (chaos-mesh.org/v1alpha1)";

/// The drills of one document.
fn of_document(
    node: &Node,
    scenario: &Scenario,
    assumed: &mut Findings,
    problems: &mut Vec<Problem>,
) -> Vec<Drill> {
    let text = |key: &str| node.get(key).and_then(Node::as_str).unwrap_or_default();
    match (text("apiVersion"), text("kind")) {
        (API_VERSION | "", "Drills") => {
            let document = Document::<DrillsFile>::of(node, problems);
            let resolved = document.and_then(|one| {
                one.resolve(assumed, problems, |file, into| Some(file.resolve(scenario, into)))
            });
            resolved.unwrap_or_default()
        }
        (chaos::API_VERSION, kind) => chaos::drills(node, kind, scenario, assumed, problems),
        (version, kind) => {
            let what = if kind.is_empty() { "this".to_owned() } else { format!("{version} {kind}") };
            problems.push(Problem::error(format!("{what} is not a drill")).at(node.head()).help(KINDS));
            Vec::new()
        }
    }
}

impl DrillsFile {
    fn resolve(&self, scenario: &Scenario, into: &mut Findings) -> Vec<Drill> {
        let mut drills = Vec::new();
        for (index, file) in self.drills.iter().enumerate() {
            let found = file.resolve(scenario, &At::root().key("drills").index(index), into);
            drills.extend(found.unwrap_or_default());
        }
        drills
    }
}

impl DrillFile {
    /// `None` where whom or what isn't known.
    fn resolve(&self, scenario: &Scenario, at: &At, into: &mut Findings) -> Option<Vec<Drill>> {
        let strikes = into.or(&at.key("at"), self.at.as_ref(), scalar::duration, SimDuration::ZERO);
        let lasts = self.lasts.as_ref().and_then(|text| into.take(&at.key("lasts"), scalar::duration(text)));
        let target = match &self.target {
            Some(name) => into.take(&at.key("target"), selector::workload(scenario, name)),
            None => catalogue::busiest(scenario),
        };
        let Some(target) = target else {
            if self.target.is_none() {
                into.wrong(at, "no request reaches any workload", "say whom to strike: `target: NAME`");
            }
            return None;
        };
        let exercises = catalogue::all(scenario, target);
        let name = catalogue::usual_name(&self.drill);
        let Some(exercise) = exercises.into_iter().find(|one| one.name == name) else {
            let all = catalogue::all(scenario, target);
            let help = suggest(&self.drill, all.iter().map(|one| one.name.as_str()));
            into.wrong(&at.key("drill"), format!("there is no drill `{}` here", self.drill), help);
            return None;
        };
        Some(self.at_its_time(exercise, strikes, lasts))
    }

    fn at_its_time(&self, exercise: Exercise, at: SimDuration, lasts: Option<SimDuration>) -> Vec<Drill> {
        let name = self.name.clone().unwrap_or(exercise.name);
        let moved = |drill: Drill| Drill {
            name: name.clone(),
            from: at,
            until: at,
            lasts: lasts.or(drill.lasts),
            what: drill.what,
        };
        exercise.drills.into_iter().map(moved).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Request, load};

    /// The drills of a text for the default application, a line each, or what is wrong.
    fn told(text: &str) -> String {
        let mut scenario = load(&Request::default()).expect("the default application reads").scenario;
        let mut sources = Sources::new();
        let id = sources.add("drills.yaml", text);
        let mut problems = Vec::new();
        let known = scenario.assumptions.len();
        read(&sources, id, &mut scenario, &mut problems);
        let place = |one: &Problem| one.place.as_ref().map_or(String::new(), |place| sources.describe(place));
        let told = |one: &Problem| {
            let help = one.help.as_deref().unwrap_or("no help");
            format!("{} @ {} ({help})", one.message, place(one))
        };
        let mut lines: Vec<String> = problems.iter().map(told).collect();
        if !problems.iter().any(Problem::is_error) {
            lines.extend(scenario.drills.iter().map(|one| {
                let lasts = one.lasts.map_or("for good".to_owned(), |lasts| format!("for {lasts}"));
                format!("{} at {} {lasts}: {:?}", one.name, one.from, one.what)
            }));
            lines.extend(
                scenario.assumptions[known..].iter().map(|one| format!("{}: {}", one.what, one.value)),
            );
        }
        lines.join("\n")
    }

    /// A Chaos Mesh experiment on the chat service.
    fn chaos(kind: &str, spec: &str) -> String {
        format!(
            "apiVersion: chaos-mesh.org/v1alpha1\nkind: {kind}\nmetadata: {{name: x, namespace: production}}\n\
             spec:\n  selector: {{labelSelectors: {{app: chat-service}}}}\n{spec}"
        )
    }

    #[test]
    fn our_own_drills_strike_at_their_times() {
        insta::assert_snapshot!(told(
            "kind: Drills\ndrills:\n- {drill: node-loss, at: 20m, lasts: 5m, name: a node}\n\
             - {drill: pod-kill, at: 10m, target: billing-service}\n- {drill: metrics-outage, at: 30m}\n"
        ), @r#"
pod-kill at 10m for good: PodDelete { workload: 1, pods: Count(1), force: false }
a node at 20m for 5m: NodeLoss { nodes: 1, gone: false }
metrics-outage at 30m for 2m: Metrics
metrics-outage at 30m for 2m: Load { factor: 2.0, rise: SimDuration(30000000000) }
"#);
    }

    #[test]
    fn chaos_mesh_s_experiments_are_read_as_they_are() {
        let rows = [
            ("PodChaos", "  action: pod-kill\n  mode: one\n"),
            ("PodChaos", "  action: pod-kill\n  mode: fixed\n  value: '2'\n  gracePeriod: 30\n"),
            ("PodChaos", "  action: pod-failure\n  mode: all\n  duration: 30s\n"),
            (
                "PodChaos",
                "  action: container-kill\n  mode: fixed-percent\n  value: '50'\n  containerNames: [chat-service]\n",
            ),
            (
                "NetworkChaos",
                "  action: delay\n  mode: all\n  delay: {latency: 10ms, correlation: '100', jitter: 2ms}\n  duration: 1m\n",
            ),
            (
                "NetworkChaos",
                "  action: loss\n  mode: one\n  direction: both\n  loss: {loss: '50'}\n\
                 \x20 target: {mode: all, selector: {labelSelectors: {app: postgres}}}\n",
            ),
            ("NetworkChaos", "  action: partition\n  mode: all\n  duration: 1h30m\n"),
            ("StressChaos", "  mode: one\n  duration: 2m\n  stressors: {cpu: {workers: 2, load: 50}}\n"),
            (
                "StressChaos",
                "  mode: one\n  stressors: {cpu: {workers: 1}, memory: {workers: 4, size: 256MB}}\n",
            ),
        ];
        let all: Vec<String> = rows.iter().map(|(kind, spec)| told(&chaos(kind, spec))).collect();
        insta::assert_snapshot!(all.join("\n\n"), @r#"
x at 0s for good: PodDelete { workload: 2, pods: Count(1), force: true }

x at 0s for good: PodDelete { workload: 2, pods: Count(2), force: false }

x at 0s for 30s: CrashLoop { workload: 2, pods: Part(1.0) }

x at 0s for good: ContainerCrash { workload: 2, pods: WholePart(0.5), out_of_memory: false }

x at 0s for 1m: PodNetwork { workload: 2, pods: Part(1.0), peer: None, delay: SimDuration(10000000), loss: 0.0 }
jitter of a delay: 0 s

x at 0s for good: PodNetwork { workload: 2, pods: Count(1), peer: Some(4), delay: SimDuration(0), loss: 0.75 }

x at 0s for 1h30m: PodNetwork { workload: 2, pods: Part(1.0), peer: None, delay: SimDuration(0), loss: 1.0 }

x at 0s for 2m: CpuStress { workload: 2, pods: Count(1), cpu: MilliCpu(1000) }

x at 0s for good: CpuStress { workload: 2, pods: Count(1), cpu: MilliCpu(1000) }
x at 0s for good: MemoryStress { workload: 2, pods: Count(1), size: Bytes(268435456) }
pods of the two stressors: drawn apart
"#);
    }

    #[test]
    fn a_schedule_strikes_again_and_again() {
        let schedule = |cron: &str| {
            format!(
                "apiVersion: chaos-mesh.org/v1alpha1\nkind: Schedule\nmetadata: {{name: s}}\nspec:\n  schedule: '{cron}'\n  \
                 type: PodChaos\n  historyLimit: 2\n  podChaos:\n    action: pod-kill\n    mode: one\n    \
                 selector: {{namespaces: [production], labelSelectors: {{app: chat-service}}}}\n"
            )
        };
        let times = |cron: &str| {
            let told = told(&schedule(cron));
            let times = told.lines().map(|line| line.split(' ').nth(2).unwrap_or(line).to_owned());
            times.collect::<Vec<_>>().join(" ")
        };
        // An hour is observed; it begins at midnight on a Monday.
        for (cron, expected) in [
            ("@every 20m", "20m 40m 1h"),
            ("*/15 * * * *", "0s 15m 30m 45m 1h"),
            ("30 0 * * 1", "30m"),
            ("@hourly", "0s 1h"),
        ] {
            assert_eq!(times(cron), expected, "{cron}");
        }
        insta::assert_snapshot!([told(&schedule("30 0 * * 2")), told(&schedule("@every 1s")), told(&schedule("nonsense"))].join("\n"), @r#"
`30 0 * * 2` never comes within the observed time @ drills.yaml:5:13 (1h from Monday 0:00 on are observed)
there are more than 1000 strikes within the observed time @ drills.yaml:1:1 (strike less often)
`nonsense` is not a schedule: Invalid pattern: Pattern must have between 5 and 7 fields. @ drills.yaml:5:13 (such as `*/10 * * * *` or `@every 10m`)
"#);
    }

    #[test]
    fn what_can_t_be_simulated_is_refused_at_its_place() {
        let rows = [
            "kind: Drills\ndrills:\n- {drill: pod-kil}\n- {drill: pod-kill, at: 10}\n".to_owned(),
            "kind: Drills\ndrills: [{drill: pod-kill, at: 3h}]\n".to_owned(),
            "kind: Deployment\napiVersion: apps/v1\n".to_owned(),
            chaos("IOChaos", "  action: latency\n"),
            chaos("PodChaos", "  action: pod-kill\n  mode: some\n"),
            chaos("PodChaos", "  action: pod-kill\n  mode: fixed\n"),
            chaos("NetworkChaos", "  action: bandwidth\n  mode: all\n"),
            chaos("NetworkChaos", "  action: delay\n  mode: all\n"),
            chaos("StressChaos", "  mode: all\n"),
            chaos("PodChaos", "  action: pod-kill\n  mode: one\n").replace("chat-service", "chatservice"),
            chaos("PodChaos", "  action: pod-kill\n  mode: one\n").replace("app: chat-service", ""),
            String::new(),
        ];
        let all: Vec<String> = rows.iter().map(|text| told(text)).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
there is no drill `pod-kil` here @ drills.yaml:3:11 (did you mean `pod-kill`?)
`10` has no unit @ drills.yaml:4:25 (write `10s`, `10ms` or `10m` for seconds, milliseconds or minutes)
`pod-kill` strikes at 3h, after the observed time @ drills.yaml:1:1 (1h are observed: a longer --duration, or an earlier time)
apps/v1 Deployment is not a drill @ drills.yaml:1:1 (kinds are Drills (plan/v1alpha1), and PodChaos, NetworkChaos, StressChaos and Schedule (chaos-mesh.org/v1alpha1))
IOChaos can't be simulated @ drills.yaml:1:1 (PodChaos, NetworkChaos, StressChaos and Schedule are)
mode: `some` is not among the choices @ drills.yaml:7:9 (expected one of `one`, `all`, `fixed`, `fixed-percent`, `random-max-percent`)
this mode needs its number @ drills.yaml:5:3 (add `value: "2"`)
action: `bandwidth` is not among the choices @ drills.yaml:6:11 (expected one of `delay`, `loss`, `corrupt`, `partition`)
this action needs `delay` @ drills.yaml:5:3 (see Chaos Mesh's documentation of NetworkChaos)
field `stressors` is missing @ drills.yaml:5:3 (no help)
no workload's pods have these labels @ drills.yaml:5:3 (auth-service has {app: auth-service, version: v1.0}; billing-service has {app: billing-service, version: v1.0}; chat-service has {app: chat-service, version: v1.0}; jaeger has {app: jaeger}; postgres has {app: postgres}; redis has {app: redis})
pods of several workloads are selected: auth-service, billing-service, chat-service, jaeger, postgres, redis, grafana, prometheus @ drills.yaml:5:3 (narrow the selector: an experiment is simulated on one workload)
there are no drills in drills.yaml @  (kinds are Drills (plan/v1alpha1), and PodChaos, NetworkChaos, StressChaos and Schedule (chaos-mesh.org/v1alpha1))
"#);
    }
}
