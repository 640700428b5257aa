//! The drills that every application is put through when nobody says which.

use crate::scenario::Workload;
use crate::scenario::{
    Autoscaler, Drill, Failure, Kind, NodePool, Population, ProvisionedBy, Release, ReleaseFault, Scenario,
    Shape, Share, Step, Target,
};
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};

/// A drill, or several that belong together, and how often life holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exercise {
    /// Its name, in Chaos Mesh's and kubectl's vocabulary.
    pub name: String,
    /// What happens, in a few words.
    pub about: String,
    /// What strikes; the first is what recovery is counted from.
    pub drills: Vec<Drill>,
    /// Observed for so long after the strike.
    pub settle: SimDuration,
    /// How often a year; a guess unless the user says.
    pub per_year: f64,
}

/// The strike comes within this time after the warm-up, evenly drawn.
const STRIKE: (SimDuration, SimDuration) = (SimDuration::from_secs(60), SimDuration::from_secs(120));
/// What is over sooner is observed for so long.
const SHORT: SimDuration = SimDuration::from_secs(300);
/// Tolerations of 300 s and a replacement's start have passed by then.
const LONG: SimDuration = SimDuration::from_secs(540);
/// How long an outage lasts.
const OUTAGE: SimDuration = SimDuration::from_secs(120);
/// How often a year what a file describes comes, where nobody says; a guess.
const OWN_PER_YEAR: f64 = 1.0;
/// A person notices what no probe finds, and puts it right, after this; a guess.
const OPERATOR: SimDuration = SimDuration::from_secs(300);
/// Kubernetes has three minor versions a year.
const UPGRADES: f64 = 3.0;

/// Names that other tools use for the same.
const SYNONYMS: [(&str, &str); 26] = [
    ("pod-delete", "pod-kill"),
    ("container-crash", "container-kill"),
    ("pod-failure", "crash-loop"),
    ("node-loss", "node-failure"),
    ("node-poweroff", "node-failure"),
    ("node-restart", "node-failure"),
    ("kubelet-service-kill", "node-not-ready"),
    ("pod-network-latency", "network-delay"),
    ("pod-network-loss", "network-loss"),
    ("pod-network-partition", "network-partition"),
    ("pod-memory-hog", "memory-leak"),
    ("pod-cpu-hog", "pod-cpu-stress"),
    ("node-cpu-hog", "node-cpu-stress"),
    ("ec2-terminate", "node-terminate"),
    ("gcp-vm-instance-stop", "node-terminate"),
    ("pod-cpu-hog-exec", "pod-cpu-stress"),
    ("pod-memory-hog-exec", "memory-leak"),
    ("pod-network-corruption", "network-loss"),
    ("docker-service-kill", "node-not-ready"),
    ("ec2-terminate-by-id", "node-terminate"),
    ("ec2-terminate-by-tag", "node-terminate"),
    ("azure-instance-stop", "node-terminate"),
    ("vm-poweroff", "node-failure"),
    ("aws-az-chaos", "zone-outage"),
    ("k6-loadgen", "load-spike"),
    ("deploy", "rollout"),
];

/// The names of all drills but those on external services.
pub const NAMES: [&str; 32] = [
    "pod-kill",
    "pod-kill-forced",
    "container-kill",
    "oom-kill",
    "crash-loop",
    "pod-hang",
    "memory-leak",
    "pod-cpu-stress",
    "scale-down",
    "node-failure",
    "node-terminate",
    "node-cpu-stress",
    "node-not-ready",
    "node-drain",
    "node-upgrade",
    "zone-outage",
    "network-delay",
    "network-loss",
    "network-partition",
    "dependency-slow",
    "dependency-kill",
    "load-spike",
    "metrics-outage",
    "registry-outage",
    "control-plane-outage",
    "rollout",
    "rollout-under-spike",
    "rollout-image-missing",
    "rollout-crashing",
    "rollout-never-ready",
    "rollout-slow",
    "cold-start",
];

/// The catalogue's name for a drill that others call otherwise.
pub fn usual_name(name: &str) -> &str {
    SYNONYMS.iter().find(|(other, _)| *other == name).map_or(name, |(_, ours)| ours)
}

/// The workload that users ask most, or, without users, the one whose usage curve
/// rises highest: what most drills strike.
pub fn busiest(scenario: &Scenario) -> Option<usize> {
    let mut asked = vec![0.0; scenario.workloads.len()];
    for journey in &scenario.demand.journeys {
        for visit in &journey.visits {
            asked[visit.workload] += journey.weight * f64::from(visit.times);
        }
    }
    if !scenario.has_users() {
        let peak = |one: &Workload| one.usage.as_ref()?.points.iter().map(|point| point.cpu.0).max();
        asked = scenario.workloads.iter().map(|one| peak(one).unwrap_or(0) as f64).collect();
    }
    let best = (0..asked.len()).max_by(|a, b| asked[*a].total_cmp(&asked[*b]).then(b.cmp(a)))?;
    (asked[best] > 0.0).then_some(best)
}

/// The workload of the cluster that others call most, and users don't.
pub fn dependency(scenario: &Scenario) -> Option<usize> {
    let mut called = vec![0_u32; scenario.workloads.len()];
    let steps =
        scenario.workloads.iter().flat_map(|one| &one.behaviour.operations).flat_map(|one| &one.steps);
    for call in steps.flat_map(Step::calls) {
        if let Target::Operation { workload, .. } = call.target {
            called[workload] += 1;
        }
    }
    let visited = |workload: usize| {
        scenario.demand.journeys.iter().flat_map(|one| &one.visits).any(|visit| visit.workload == workload)
    };
    let best =
        (0..called.len()).filter(|one| !visited(*one)).max_by_key(|one| (called[*one], usize::MAX - one))?;
    (called[best] > 0).then_some(best)
}

/// The scenario under its peak load all the time, without drills: what drills
/// are held on. A failure at the peak costs most.
pub fn at_peak(scenario: &Scenario) -> Scenario {
    let mut at_peak = scenario.clone();
    at_peak.drills.clear();
    let end = SimTime::ZERO + scenario.warm_up + scenario.horizon;
    at_peak.demand.replay = None;
    match &mut at_peak.demand.population {
        Population::Users { shape, .. } | Population::Rate { shape, .. } => {
            *shape = Shape::steady(shape.peak(SimTime::ZERO, end));
        }
    }
    if let Some(moment) = usage_peak(scenario) {
        for usage in at_peak.workloads.iter_mut().filter_map(|one| one.usage.as_mut()) {
            *usage = usage.held_at(moment);
        }
    }
    at_peak.horizon = STRIKE.1 + LONG;
    at_peak
}

/// When all usage curves together ask for most CPU, from the end of the warm-up;
/// `None` without any curve.
pub fn usage_peak(scenario: &Scenario) -> Option<SimDuration> {
    let curves = || scenario.workloads.iter().filter_map(|one| one.usage.as_ref());
    let mut moments: Vec<SimDuration> =
        curves().flat_map(|usage| usage.points.iter().map(|point| point.time)).collect();
    moments.retain(|moment| *moment <= scenario.horizon);
    moments.sort_unstable();
    moments.dedup();
    let asked =
        |moment: &SimDuration| curves().map(|usage| usage.at(usage.start + *moment).cpu.0).sum::<u64>();
    moments.into_iter().max_by_key(|moment| (asked(moment), std::cmp::Reverse(*moment)))
}

/// Every exercise that makes sense for a scenario, whatever its policy says of
/// them. `target` is the workload that is struck.
pub fn all(scenario: &Scenario, target: usize) -> Vec<Exercise> {
    let mut all = on_pods(target);
    all.extend(on_nodes(scenario));
    all.extend(on_the_way(scenario, target));
    all.extend(on_the_platform(target));
    if matches!(scenario.workloads[target].kind, Kind::Deployment { .. } | Kind::StatefulSet { .. }) {
        all.extend(rollouts(target));
    }
    all.extend(cold_start(scenario));
    all
}

/// What a scenario's own drills are as exercises: those of one name and time
/// belong together, and what strikes again and again is exercised once.
pub fn own(scenario: &Scenario) -> Vec<Exercise> {
    let mut all: Vec<(SimDuration, Exercise)> = Vec::new();
    for drill in &scenario.drills {
        let known = all.iter_mut().find(|(_, one)| one.name == drill.name);
        let moved = Drill { from: STRIKE.0, until: STRIKE.1, ..drill.clone() };
        match known {
            Some((at, one)) if *at == drill.from => one.drills.push(moved),
            Some(_) => {}
            None => {
                let settle = LONG.saturating_add(drill.lasts.unwrap_or_default());
                let about = "as the file of drills says";
                let mut exercise = exercise(&drill.name, about, OWN_PER_YEAR, settle, Vec::new());
                exercise.drills.push(moved);
                all.push((drill.from, exercise));
            }
        }
    }
    all.into_iter().map(|(_, exercise)| exercise).collect()
}

/// The exercises of [`all`] that count, as often a year as the policy says.
pub fn exercises(scenario: &Scenario, target: usize) -> Vec<Exercise> {
    let mut all = all(scenario, target);
    for rule in &scenario.goals.drills {
        if !rule.counts {
            all.retain(|one| one.name != rule.name);
        }
        if let Some(per_year) = rule.per_year {
            all.iter_mut().filter(|one| one.name == rule.name).for_each(|one| one.per_year = per_year);
        }
    }
    all
}

/// The scenario of an exercise; `at_peak` is what [`at_peak`] made.
pub fn held(at_peak: &Scenario, exercise: &Exercise) -> Scenario {
    let mut held = at_peak.clone();
    held.drills.clone_from(&exercise.drills);
    held.horizon = STRIKE.1 + exercise.settle;
    held
}

/// The same scenario and time without any failure, watched as closely.
pub fn nothing(at_peak: &Scenario) -> Scenario {
    let what = Failure::Load { factor: 1.0, rise: SimDuration::ZERO };
    let exercise = exercise("nothing", "nothing happens", 0.0, LONG, vec![(None, what)]);
    held(at_peak, &exercise)
}

fn exercise(
    name: &str,
    about: &str,
    per_year: f64,
    settle: SimDuration,
    drills: Vec<(Option<SimDuration>, Failure)>,
) -> Exercise {
    let drills = drills.into_iter().map(|(lasts, what)| Drill {
        name: name.to_owned(),
        from: STRIKE.0,
        until: STRIKE.1,
        lasts,
        what,
    });
    Exercise { name: name.to_owned(), about: about.to_owned(), drills: drills.collect(), settle, per_year }
}

/// What can happen to a workload's pods.
fn on_pods(workload: usize) -> Vec<Exercise> {
    let pods = Share::Count(1);
    let one = |name: &str, about: &str, per_year: f64, lasts: Option<SimDuration>, what: Failure| {
        exercise(name, about, per_year, SHORT, vec![(lasts, what)])
    };
    vec![
        one("pod-kill", "a pod is deleted", 50.0, None, Failure::PodDelete { workload, pods, force: false }),
        one(
            "pod-kill-forced",
            "a pod is deleted by force",
            4.0,
            None,
            Failure::PodDelete { workload, pods, force: true },
        ),
        one(
            "container-kill",
            "a container ends by itself",
            50.0,
            None,
            Failure::ContainerCrash { workload, pods, out_of_memory: false },
        ),
        one(
            "oom-kill",
            "the kernel kills a container for its memory",
            12.0,
            None,
            Failure::ContainerCrash { workload, pods, out_of_memory: true },
        ),
        one(
            "crash-loop",
            "a container ends at every start for two minutes",
            4.0,
            Some(OUTAGE),
            Failure::CrashLoop { workload, pods },
        ),
        exercise(
            "pod-hang",
            "a process answers nothing until a probe or, after five minutes, a person finds it",
            6.0,
            LONG,
            vec![(Some(OPERATOR), Failure::Hang { workload, pods })],
        ),
        one(
            "memory-leak",
            "a process loses 4 MiB a second for two minutes",
            2.0,
            Some(OUTAGE),
            Failure::MemoryLeak { workload, pods, per_second: Bytes::from_mib(4) },
        ),
        one(
            "pod-cpu-stress",
            "other processes in a pod want two cores for two minutes",
            2.0,
            Some(OUTAGE),
            Failure::CpuStress { workload, pods, cpu: MilliCpu(2_000) },
        ),
        one(
            "scale-down",
            "someone scales it to one replica; undone after two minutes",
            1.0,
            Some(OUTAGE),
            Failure::Scale { workload, replicas: 1 },
        ),
    ]
}

/// What can happen to nodes.
fn on_nodes(scenario: &Scenario) -> Vec<Exercise> {
    let nodes: u32 = scenario.cluster.pools.iter().map(|pool| pool.count).sum();
    let count = f64::from(nodes);
    let one = |name: &str, about: &str, per_year: f64, lasts: Option<SimDuration>, what: Failure| {
        exercise(name, about, per_year, LONG, vec![(lasts, what)])
    };
    let lost = || Failure::NodeLoss { nodes: 1, gone: false };
    let mut all = vec![
        if nodes > 1 {
            one("node-failure", "a node loses its power for good", 0.3 * count, None, lost())
        } else {
            let about = "the only node loses its power until, after five minutes, a person starts it";
            one("node-failure", about, 0.3, Some(OPERATOR), lost())
        },
        one(
            "node-not-ready",
            "a kubelet reports its node not ready for two minutes",
            0.5 * count,
            Some(OUTAGE),
            Failure::NodeNotReady { nodes: 1 },
        ),
        one("node-drain", "a node is drained", 12.0 * count, None, Failure::NodeDrain { nodes: 1 }),
        one(
            "node-cpu-stress",
            "processes outside the pods want all of a node's CPU for two minutes",
            2.0 * count,
            Some(OUTAGE),
            Failure::NodeCpuStress { nodes: 1, cpu: MilliCpu(u64::from(u32::MAX)) },
        ),
    ];
    if nodes > 2 {
        let about = "two nodes are drained at once, and back after five minutes: an upgrade in groups";
        let drain = Failure::NodeDrain { nodes: 2 };
        all.push(one("node-upgrade", about, UPGRADES * count / 2.0, Some(OPERATOR), drain));
    }
    if scenario.cluster.provisioned_by != ProvisionedBy::Nobody && nodes > 1 {
        let about = "the cloud takes a node away: machine and Node object are gone";
        all.push(one("node-terminate", about, 0.5 * count, None, Failure::NodeLoss { nodes: 1, gone: true }));
    }
    let zones = |pool: &NodePool| pool.zones.len();
    if scenario.cluster.pools.iter().map(zones).max() > Some(1) {
        all.push(one("zone-outage", "all nodes of a zone lose their power", 0.2, None, Failure::ZoneOutage));
    }
    all
}

/// What can happen between workloads, and to what they depend on.
fn on_the_way(scenario: &Scenario, target: usize) -> Vec<Exercise> {
    let one = |name: &str, about: String, per_year: f64, what: Failure| {
        exercise(name, &about, per_year, SHORT, vec![(Some(OUTAGE), what)])
    };
    let mut all = Vec::new();
    let network = |delay: u64, loss: f64| Failure::Network {
        from: None,
        to: target,
        delay: SimDuration::from_millis(delay),
        loss,
    };
    let name = &scenario.workloads[target].name;
    all.push(one(
        "network-delay",
        format!("calls to {name} are 200 ms late for two minutes"),
        4.0,
        network(200, 0.0),
    ));
    all.push(one(
        "network-loss",
        format!("a tenth of the packets to {name} is lost for two minutes"),
        4.0,
        network(0, 0.1),
    ));
    if let Some(needed) = dependency(scenario) {
        let name = &scenario.workloads[needed].name;
        let partition = Failure::Network { from: None, to: needed, delay: SimDuration::ZERO, loss: 1.0 };
        all.push(one("network-partition", format!("no call reaches {name} for two minutes"), 1.0, partition));
        let slow = Failure::Slow { workload: needed, factor: 3.0 };
        all.push(one(
            "dependency-slow",
            format!("{name} takes three times the CPU for two minutes"),
            4.0,
            slow,
        ));
        let crash =
            Failure::ContainerCrash { workload: needed, pods: Share::Part(1.0), out_of_memory: false };
        let about = format!("all containers of {name} end at once");
        all.push(exercise("dependency-kill", &about, 4.0, SHORT, vec![(None, crash)]));
    }
    for (external, service) in scenario.externals.iter().enumerate() {
        let what = Failure::External { external, error_rate: 1.0, slower: 1.0 };
        let name = format!("outage-of-{}", service.name);
        all.push(one(&name, format!("{} fails for two minutes", service.name), 6.0, what));
        let what = Failure::External { external, error_rate: service.error_rate, slower: 5.0 };
        let name = format!("slowness-of-{}", service.name);
        let about = format!("{} takes five times as long for two minutes", service.name);
        all.push(one(&name, about, 6.0, what));
    }
    all
}

/// What can happen to the platform, with something that needs it.
fn on_the_platform(workload: usize) -> Vec<Exercise> {
    let spike = || (Some(OUTAGE), Failure::Load { factor: 2.0, rise: SimDuration::from_secs(30) });
    let crash = Failure::PodDelete { workload, pods: Share::Count(1), force: false };
    vec![
        exercise("load-spike", "twice the load for two minutes, within 30 s", 12.0, SHORT, vec![spike()]),
        exercise(
            "metrics-outage",
            "the metrics API fails while the load doubles",
            1.0,
            SHORT,
            vec![(Some(OUTAGE), Failure::Metrics), spike()],
        ),
        exercise(
            "registry-outage",
            "no image can be pulled while the load doubles",
            2.0,
            SHORT,
            vec![(Some(OUTAGE), Failure::Registry), spike()],
        ),
        exercise(
            "control-plane-outage",
            "the control plane stands still while a pod is deleted",
            1.0,
            SHORT,
            vec![(Some(OUTAGE), Failure::ControlPlane), (None, crash)],
        ),
    ]
}

/// Every HPA at its minimum when the peak is there already.
fn cold_start(scenario: &Scenario) -> Option<Exercise> {
    let to_minimum = |hpa: &Autoscaler| {
        let replicas = hpa.spec.min_replicas.max(1);
        (None, Failure::Scale { workload: hpa.workload, replicas })
    };
    let all: Vec<_> = scenario.autoscalers.iter().map(to_minimum).collect();
    let about = "the peak finds every HPA at its minimum";
    (!all.is_empty()).then(|| exercise("cold-start", about, 4.0, LONG, all))
}

/// Whether there is a drill of this name for some application.
pub fn is_a_name(name: &str) -> bool {
    name.starts_with("outage-of-") || name.starts_with("slowness-of-") || NAMES.contains(&name)
}

/// Updates, good and bad. A bad one is undone after two minutes.
fn rollouts(workload: usize) -> Vec<Exercise> {
    let one = |name: &str, about: &str, per_year: f64, fault: ReleaseFault, work: f64| {
        let broken = fault != ReleaseFault::None || work > 1.0;
        let release = Release { new_image: true, fault, work };
        let what = Failure::Rollout { workload, release, undone: broken };
        exercise(name, about, per_year, LONG, vec![(broken.then_some(OUTAGE), what)])
    };
    let good = Release { new_image: true, ..Release::default() };
    let under_spike = vec![
        (None, Failure::Rollout { workload, release: good, undone: false }),
        (Some(OUTAGE), Failure::Load { factor: 2.0, rise: SimDuration::from_secs(30) }),
    ];
    let about = "the load doubles while a new version is rolled out: the HPA acts in the middle of it";
    vec![
        one("rollout", "a new version is rolled out", 100.0, ReleaseFault::None, 1.0),
        exercise("rollout-under-spike", about, 5.0, LONG, under_spike),
        one(
            "rollout-image-missing",
            "an update whose image can't be pulled, undone",
            4.0,
            ReleaseFault::ImageMissing,
            1.0,
        ),
        one(
            "rollout-crashing",
            "an update that crashes on start, undone",
            3.0,
            ReleaseFault::CrashesOnStart,
            1.0,
        ),
        one(
            "rollout-never-ready",
            "an update that never becomes ready, undone",
            2.0,
            ReleaseFault::NeverReady,
            1.0,
        ),
        one("rollout-slow", "an update that needs twice the CPU, undone", 3.0, ReleaseFault::None, 2.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Request, load};
    use crate::scenario::DrillRule;

    #[test]
    fn names_are_those_of_the_drills_and_a_policy_has_its_way() {
        let mut scenario = load(&Request::default()).expect("the embedded application reads").scenario;
        let target = busiest(&scenario).expect("users ask somebody");
        let all = exercises(&scenario, target);
        assert!(all.iter().all(|one| is_a_name(&one.name)), "every drill can be named in a policy");
        for (other, ours) in SYNONYMS {
            assert!(is_a_name(ours) && !is_a_name(other), "{other} is another name for a drill");
        }
        for external in &scenario.externals {
            for what in ["outage-of", "slowness-of"] {
                let name = format!("{what}-{}", external.name);
                assert!(all.iter().any(|one| one.name == name), "there is a drill {name}");
            }
        }
        for name in NAMES {
            assert!(all.iter().any(|one| one.name == name), "there is a drill {name}");
            assert_eq!(usual_name(name), name, "no synonym is a name");
        }
        let rule = |name: &str, per_year, counts| DrillRule { name: name.to_owned(), per_year, counts };
        scenario.goals.drills = vec![rule("rollout", Some(7.0), true), rule("pod-kill", None, false)];
        let other = exercises(&scenario, target);
        assert_eq!(other.len() + 1, all.len());
        assert!(other.iter().any(|one| one.name == "rollout" && one.per_year.total_cmp(&7.0).is_eq()));
    }
}
