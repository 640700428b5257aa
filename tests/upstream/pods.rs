//! The kubelet's families.

use kubeplan::k8s::probe::{ContainerState, ContainerView, Kind, Outcome, Probe, Tick, View, Worker};
use kubeplan::k8s::restart::{Backoff, Policy};
use kubeplan::units::{SimDuration, SimTime};
use serde_json::Value;

use crate::rows::{NOW, float, int, list, same, seconds, text, truth};

pub fn container_backoff(case: &Value) -> Result<(), String> {
    let policy = Policy::doubling(seconds(case, "base_s")?, seconds(case, "max_s")?);
    let mut backoff = Backoff::default();
    for (i, step) in list(case, "steps").iter().enumerate() {
        let now = SimTime::ZERO + seconds(step, "t_s")?;
        let event = if step["event_s"].is_null() { now } else { SimTime::ZERO + seconds(step, "event_s")? };
        let waits = |ours: bool| {
            truth(step, "expect").and_then(|expected| same(&format!("waiting at step {i}"), ours, expected))
        };
        match text(step, "op")? {
            "next" => backoff.record(&policy, event, now),
            "reset" => backoff.reset(),
            "delay" => same(&format!("delay at step {i}"), backoff.delay(), seconds(step, "expect")?)?,
            "in_backoff_since" => waits(backoff.is_waiting(&policy, event, now))?,
            "in_backoff_since_update" => waits(backoff.is_waiting_since_start(&policy, event))?,
            other => return Err(format!("unknown operation `{other}`")),
        }
    }
    Ok(())
}

pub fn probe_worker(case: &Value) -> Result<(), String> {
    let spec = &case["probe"];
    let kind = match text(spec, "type")? {
        "startup" => Kind::Startup,
        "readiness" => Kind::Readiness,
        "liveness" => Kind::Liveness,
        other => return Err(format!("unknown probe `{other}`")),
    };
    let probe = Probe {
        initial_delay: seconds(spec, "initial_delay_s")?,
        success_threshold: int(spec, "success_threshold")?,
        failure_threshold: int(spec, "failure_threshold")?,
        ..Probe::default()
    };
    let restarts = case["restart_policy"] != "Never";
    let mut worker = Worker::new(kind, &probe, true);
    for (i, step) in list(case, "steps").iter().enumerate() {
        let goes_on = probe_step(&mut worker, step, restarts)?;
        check_worker(&worker, goes_on, &step["expect"]).map_err(|problem| format!("step {i}: {problem}"))?;
    }
    Ok(())
}

/// One step of a worker; whether it goes on.
fn probe_step(worker: &mut Worker, step: &Value, restarts: bool) -> Result<bool, String> {
    if step["pod_status"] == "none" {
        // Nothing is known of the pod yet: upstream returns before it looks at anything.
        return Ok(true);
    }
    let running_for =
        if step["running_for_s"].is_null() { SimDuration::ZERO } else { seconds(step, "running_for_s")? };
    let since = NOW.minus_or_zero(running_for);
    let state = match step["container"].as_str().unwrap_or("running") {
        "absent" => None,
        "waiting" => Some(ContainerState::Waiting),
        "running" => Some(ContainerState::Running { since }),
        "terminated" => Some(ContainerState::Terminated { restarts }),
        other => return Err(format!("unknown container state `{other}`")),
    };
    let id = text(step, "container_id")?.bytes().fold(0, |id, byte| id * 257 + u64::from(byte));
    // As in the API, what isn't said to have started has not.
    let started = step["started"] == true;
    let view = View {
        pod_ended: matches!(step["pod_phase"].as_str(), Some("Failed" | "Succeeded")),
        pod_deleting: step["pod_deleting"] == true,
        // A container without an ID has not been created.
        container: state.filter(|_| id != 0).map(|state| ContainerView { id, state, started }),
    };
    let tick = worker.step(&view, NOW);
    if tick == Tick::Probe {
        match text(step, "probe_returns")? {
            "success" => worker.answer(true),
            "failure" => worker.answer(false),
            other => return Err(format!("unknown result `{other}`")),
        };
    }
    Ok(tick != Tick::Exit)
}

fn check_worker(worker: &Worker, goes_on: bool, expect: &Value) -> Result<(), String> {
    for (name, expected) in expect.as_object().ok_or("no `expect`")? {
        match name.as_str() {
            "continue" => same(name, &Value::from(goes_on), expected)?,
            "result" => same(name, &Value::from(result_name(worker.stored())), expected)?,
            "result_run" => same(name, f64::from(worker.run()), float(expect, name)?)?,
            "on_hold" => same(name, &Value::from(worker.on_hold()), expected)?,
            other => return Err(format!("unknown expectation `{other}`")),
        }
    }
    Ok(())
}

fn result_name(stored: Option<Outcome>) -> &'static str {
    match stored {
        None => "unset",
        Some(Outcome::Unknown) => "unknown",
        Some(Outcome::Success) => "success",
        Some(Outcome::Failure) => "failure",
    }
}
