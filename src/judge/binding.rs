//! What decides how long users feel a drill: a setting of a workload, or none.

use crate::k8s::probe::Probe;
use crate::k8s::rollout::Strategy;
use crate::k8s::termination::{Ending, endings};
use crate::scenario::{Container, Drill, Failure, Kind, Scenario, Workload};
use crate::units::figures::seconds;
use crate::units::{SimDuration, SimTime};

/// What binds what users feel of a failure, with what would mend it. `dropped` says whether
/// pods of a workload ended while they worked on requests.
pub(super) fn of(scenario: &Scenario, drill: &Drill, dropped: impl Fn(usize) -> bool) -> Option<String> {
    match &drill.what {
        Failure::ControlPlane => drill.lasts.map(standing_still),
        Failure::Hang { workload, .. } => hang(&scenario.workloads[*workload]),
        Failure::PodDelete { workload, force: false, .. } => leaving(scenario, *workload, dropped),
        Failure::Rollout { workload, .. } => rollout(scenario, *workload, dropped),
        _ => None,
    }
}

/// Nobody acts on what happens to pods.
fn standing_still(lasts: SimDuration) -> String {
    format!(
        "what binds: no setting of the workloads. As long as the control plane stands still ({}) no endpoint \
         leaves its Service, no pod is replaced and no HPA acts: a pod that has gone is still sent requests, \
         which are refused. Closest: retries at the callers and the ingress, which find another pod, and more \
         pods, so that one is a smaller share",
        seconds(lasts.as_secs_f64()),
    )
}

/// From a hang to the restart: by the liveness probe alone.
fn hang(workload: &Workload) -> Option<String> {
    let name = &workload.name;
    let first = workload.template.containers.first()?;
    let out = |probe: &Probe| {
        let failures = f64::from(probe.failure_threshold);
        failures * probe.period.as_secs_f64() + probe.timeout.as_secs_f64()
    };
    let Some(liveness) = &first.liveness else {
        return Some(format!(
            "what binds: {name} has no livenessProbe, so nothing but a person finds a process that hangs; \
             with periodSeconds 5, failureThreshold 3 it would be restarted within some 20 s"
        ));
    };
    if !liveness.handler.asks_the_process() {
        return Some(format!(
            "what binds: {name}'s livenessProbe is a tcpSocket, which the kernel answers for a process that \
             hangs, so nothing but a person finds it; with httpGet, grpc or exec it would be restarted within {} \
             and its grace period",
            seconds(out(liveness)),
        ));
    }
    let readiness = match &first.readiness {
        None => "without a readinessProbe it is sent requests until then".to_owned(),
        Some(probe) if !probe.handler.asks_the_process() => {
            "its readinessProbe is a tcpSocket, which the kernel answers all the while, so it is sent requests \
             until then"
                .to_owned()
        }
        Some(probe) => {
            format!("its readinessProbe takes it out of the Service within {}", seconds(out(probe)))
        }
    };
    let takes = killing(workload, first, liveness);
    Some(format!(
        "what binds: {name}'s livenessProbe (periodSeconds {}, failureThreshold {}, timeoutSeconds {}) finds a \
         hang within {}, and SIGKILL ends the process {} later, as one that hangs ignores SIGTERM: preStop and \
         grace period pass first; {readiness}. Shorter periods and thresholds are what mends it, and a \
         terminationGracePeriodSeconds of the probe's own, which holds for this kill alone",
        liveness.period.as_secs_f64(),
        liveness.failure_threshold,
        liveness.timeout.as_secs_f64(),
        seconds(out(liveness)),
        seconds(takes.as_secs_f64()),
    ))
}

/// From the decision to kill a container that hangs until it is gone.
fn killing(workload: &Workload, container: &Container, probe: &Probe) -> SimDuration {
    let pre_stop = container.pre_stop.map_or(SimDuration::ZERO, |hook| hook.takes);
    let ending = Ending { pre_stop, after_sigterm: SimDuration::MAX, sidecar: false };
    let ends = endings(SimTime::ZERO, probe.grace_in(workload.template.grace), &[ending]);
    ends[0].gone.since(SimTime::ZERO)
}

/// How a pod that is told to end parts from its requests.
fn leaving(scenario: &Scenario, workload: usize, dropped: impl Fn(usize) -> bool) -> Option<String> {
    let longest = scenario.longest_wait(workload).filter(|_| dropped(workload));
    let workload = &scenario.workloads[workload];
    let first: &Container = workload.template.containers.first()?;
    if workload.replicas < 2 {
        return Some(format!(
            "what binds: {} has one replica, so nobody answers until another is ready",
            workload.name
        ));
    }
    if let Some(hook) = first.pre_stop {
        return longest.and_then(|longest| dropping(workload, hook.takes, longest));
    }
    let drops = if workload.behaviour.drains { "" } else { " and drops the requests that it works on" };
    Some(format!(
        "what binds: {} has no preStop hook: it ends while it is still being sent requests{drops}; \
         preStop: {{sleep: {{seconds: 5}}}} lets the endpoint leave first",
        workload.name
    ))
}

/// What ends while somebody may still wait for an answer.
fn dropping(workload: &Workload, sleeps: SimDuration, longest: SimDuration) -> Option<String> {
    let (name, grace) = (&workload.name, workload.template.grace);
    let (ends, how) =
        if workload.behaviour.drains { (grace, "is killed") } else { (sleeps.min(grace), "gets SIGTERM") };
    (ends < longest).then(|| {
        format!(
            "what binds: callers wait for up to {} for an answer of {name}, and a pod that is to go {how} after \
             {}: what it works on then is lost. A preStop sleep that is longer, within a grace period beyond it, \
             mends that{}",
            seconds(longest.as_secs_f64()),
            seconds(ends.as_secs_f64()),
            if workload.behaviour.drains { "" } else { "; so does a process that finishes its requests at SIGTERM" },
        )
    })
}

fn rollout(scenario: &Scenario, index: usize, dropped: impl Fn(usize) -> bool) -> Option<String> {
    let workload = &scenario.workloads[index];
    if let Kind::Deployment { strategy: Strategy::Recreate, .. } = workload.kind {
        return Some(format!(
            "what binds: strategy Recreate of {}: all old pods end before the first new one starts; \
             RollingUpdate with maxUnavailable 0 keeps them",
            workload.name
        ));
    }
    leaving(scenario, index, dropped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Request, load};
    use crate::k8s::probe::Handler;
    use crate::scenario::{Hook, Release, Share};

    #[test]
    fn what_binds_follows_from_the_manifests() {
        let mut scenario = load(&Request::default()).expect("the embedded application reads").scenario;
        let workload =
            scenario.workloads.iter().position(|one| one.name == "chat-service").expect("it is there");
        let hang = Failure::Hang { workload, pods: Share::Count(1) };
        let update = Failure::Rollout { workload, release: Release::default(), undone: false };
        let drill = |what: &Failure| Drill {
            name: "it".to_owned(),
            from: SimDuration::ZERO,
            until: SimDuration::ZERO,
            lasts: Some(SimDuration::from_secs(120)),
            what: what.clone(),
        };
        let words =
            |scenario: &Scenario, what: &Failure| of(scenario, &drill(what), |_| true).unwrap_or_default();
        assert!(
            words(&scenario, &hang).contains("livenessProbe (periodSeconds"),
            "{}",
            words(&scenario, &hang)
        );
        // preStop is paid from the grace period, and the probe's own holds instead of the pod's.
        for (grace, own, hook, said) in [
            (30, None, None, "30.0 s later"),
            (30, None, Some(10), "30.0 s later"),
            (30, Some(5), None, "5.00 s later"),
            (30, Some(5), Some(10), "7.00 s later"),
        ] {
            let mut scenario = scenario.clone();
            let template = &mut scenario.workloads[workload].template;
            template.grace = SimDuration::from_secs(grace);
            template.containers[0].pre_stop = hook.map(|takes| Hook { takes: SimDuration::from_secs(takes) });
            let liveness = template.containers[0].liveness.as_mut().expect("it has one");
            liveness.grace = own.map(SimDuration::from_secs);
            let words = words(&scenario, &hang);
            assert!(words.contains(said), "{said}: {words}");
        }
        let first = &scenario.workloads[workload].template.containers[0];
        let (readiness, liveness) = (first.readiness.clone(), first.liveness.clone());
        let asking =
            |probe: &Option<Probe>| probe.clone().map(|probe| Probe { handler: Handler::Tcp, ..probe });
        for (readiness, liveness, said) in [
            (asking(&readiness), liveness.clone(), "its readinessProbe is a tcpSocket"),
            (readiness.clone(), asking(&liveness), "livenessProbe is a tcpSocket"),
        ] {
            let mut scenario = scenario.clone();
            let first = &mut scenario.workloads[workload].template.containers[0];
            (first.readiness, first.liveness) = (readiness, liveness);
            assert!(words(&scenario, &hang).contains(said), "{}", words(&scenario, &hang));
        }
        assert!(words(&scenario, &update).contains("no preStop hook"), "{}", words(&scenario, &update));
        // Users wait for up to 60 s for a language model's reply.
        let sleep = |takes| Some(Hook { takes: SimDuration::from_secs(takes) });
        scenario.workloads[workload].template.grace = SimDuration::from_secs(100);
        for (takes, said) in [(10, "SIGTERM after 10.0 s"), (59, "SIGTERM after 59.0 s"), (70, "")] {
            scenario.workloads[workload].template.containers[0].pre_stop = sleep(takes);
            let words = words(&scenario, &update);
            assert!(words.contains(said) && said.is_empty() == words.is_empty(), "{takes} s: {words}");
        }
        scenario.workloads[workload].template.containers[0].pre_stop = sleep(10);
        assert_eq!(of(&scenario, &drill(&update), |_| false), None, "nothing was lost for that");
        scenario.workloads[workload].template.containers[0].liveness = None;
        assert!(words(&scenario, &hang).contains("has no livenessProbe"));
        if let Kind::Deployment { strategy, .. } = &mut scenario.workloads[workload].kind {
            *strategy = Strategy::Recreate;
        }
        assert!(words(&scenario, &update).contains("strategy Recreate"));
        assert!(words(&scenario, &Failure::ControlPlane).contains("stands still (2 min)"));
        assert_eq!(of(&scenario, &drill(&Failure::Metrics), |_| true), None);
    }
}
