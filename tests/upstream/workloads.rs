//! Deployments, ReplicaSets and disruption budgets.

use std::cmp::Ordering;

use kubeplan::k8s::disruption::{Budget, Matched, Standing, Unmanaged, standing};
use kubeplan::k8s::ranking::{Candidate, Gates, Phase, order};
use kubeplan::k8s::rollout::{
    self, DeploymentView, FencePosts, IntOrPercent, Noted, Progress, ProgressReason, ReplicaSetView, Set,
    Status, Strategy,
};
use kubeplan::units::SimTime;
use serde_json::Value;

use crate::rows::{NOW, given_int, given_moment, int, int_or_percent, list, same, seconds, text, truth};

pub fn deployment_math(case: &Value) -> Result<(), String> {
    match text(case, "kind")? {
        "resolve_fenceposts" => fence_posts(case),
        "max_unavailable" => {
            let deployment = deployment(&case["deployment"], "replicas")?;
            same("max_unavailable", deployment.max_unavailable(), int(&case["expect"], "max_unavailable")?)
        }
        "new_rs_replicas" => {
            let totals = list(case, "all_rs_spec_replicas").iter().filter_map(Value::as_u64);
            let deployment = deployment(case, "deployment_replicas")?;
            let size =
                rollout::new_set_size(&deployment, totals.sum::<u64>() as u32, int(case, "new_rs_replicas")?);
            same("new_rs_replicas", size, int(&case["expect"], "new_rs_replicas")?)
        }
        "reconcile_new_rs" => reconcile_new(case),
        "reconcile_old_rs" => reconcile_old(case),
        "cleanup_unhealthy" => {
            let mut sizes = [int(case, "old_rs_replicas")?];
            let cleaned =
                rollout::clean_up_unhealthy(&[old_set(case)?], &mut sizes, int(case, "max_cleanup")?);
            same("cleaned", cleaned, Ok(int(&case["expect"], "cleaned")?))
        }
        "scale_down_old_rs" => {
            let (old, deployment) = (old_set(case)?, deployment(case, "deployment_replicas")?);
            let mut sizes = [old.spec];
            let taken = rollout::scale_down_old(&deployment, 0, &[old], &mut sizes);
            scaled(case, taken > 0, "old_rs_replicas", sizes[0])
        }
        "proportional_scale" => proportional(case),
        other => Err(format!("unknown kind `{other}`")),
    }
}

/// A Deployment; numbers that are absent are zero.
fn deployment(row: &Value, replicas: &str) -> Result<DeploymentView, String> {
    let number = |name| int_or_percent(row, name).map(|value| value.unwrap_or(IntOrPercent::Int(0)));
    let strategy = match row["strategy"].as_str() {
        Some("Recreate") => Strategy::Recreate,
        _ => Strategy::RollingUpdate {
            max_surge: number("max_surge")?,
            max_unavailable: number("max_unavailable")?,
        },
    };
    let replicas = if row[replicas].is_null() { 0 } else { int(row, replicas)? };
    Ok(DeploymentView { replicas, strategy, paused: false, status_replicas: 0 })
}

fn old_set(case: &Value) -> Result<ReplicaSetView, String> {
    let available = given_int(case, "old_rs_available")?.unwrap_or(0);
    Ok(ReplicaSetView { spec: int(case, "old_rs_replicas")?, available, ..ReplicaSetView::default() })
}

fn new_set(case: &Value) -> Result<ReplicaSetView, String> {
    let available = given_int(case, "new_rs_available")?.unwrap_or(0);
    Ok(ReplicaSetView { spec: int(case, "new_rs_replicas")?, available, ..ReplicaSetView::default() })
}

fn scaled(case: &Value, scaled: bool, name: &str, size: u32) -> Result<(), String> {
    let expect = &case["expect"];
    same("scaled", scaled, truth(expect, "scaled")?)?;
    if expect[name].is_null() { Ok(()) } else { same(name, size, int(expect, name)?) }
}

fn fence_posts(case: &Value) -> Result<(), String> {
    let read = |name| int_or_percent(case, name).map(|value| value.unwrap_or(IntOrPercent::Int(0)));
    let numbers = read("max_surge").and_then(|surge| Ok((surge, read("max_unavailable")?)));
    let expect = &case["expect"];
    match numbers {
        Err(_) if expect["error"] == true => Ok(()),
        Err(problem) => Err(problem),
        Ok((surge, unavailable)) => {
            let posts = rollout::fence_posts(surge, unavailable, int(case, "replicas")?);
            let expected =
                FencePosts { surge: int(expect, "surge")?, unavailable: int(expect, "unavailable")? };
            same("fence posts", posts, expected)
        }
    }
}

fn reconcile_new(case: &Value) -> Result<(), String> {
    let (new, old) = (new_set(case)?, old_set(case)?);
    let resize = rollout::resize_new(&deployment(case, "deployment_replicas")?, &new, &[old]);
    scaled(case, resize.is_some(), "new_rs_replicas", resize.map_or(new.spec, |resize| resize.to))
}

fn reconcile_old(case: &Value) -> Result<(), String> {
    let (new, old, mut resizes) = (new_set(case)?, old_set(case)?, Vec::new());
    let deployment = deployment(case, "deployment_replicas")?;
    let taken = rollout::shrink_old(&deployment, &new, &[old], &mut resizes).map_err(|e| format!("{e:?}"))?;
    scaled(case, taken > 0, "old_rs_replicas", resizes.last().map_or(old.spec, |resize| resize.to))
}

fn proportional(case: &Value) -> Result<(), String> {
    let deployment = deployment(&case["deployment"], "replicas")?;
    let before = self::deployment(&case["previous_deployment"], "replicas")?;
    let view = |row: &Value| -> Result<(String, ReplicaSetView), String> {
        let name = text(row, "name")?.to_owned();
        let noted = &case["desired_annotation_override"][&name];
        let desired = noted.as_u64().map_or(before.replicas, |desired| desired as u32);
        let available = given_int(row, "available")?.unwrap_or(0);
        let set = ReplicaSetView {
            spec: int(row, "replicas")?,
            ready: available,
            available,
            created: SimTime::from_secs(int(row, "age_rank")?),
            noted: Some(Noted { desired, max: desired + before.max_surge() }),
        };
        Ok((name, set))
    };
    let new = if case["new_rs"].is_null() { None } else { Some(view(&case["new_rs"])?) };
    let old: Vec<(String, ReplicaSetView)> =
        list(case, "old_rs").iter().map(view).collect::<Result<_, _>>()?;
    let old_views: Vec<ReplicaSetView> = old.iter().map(|(_, set)| *set).collect();
    let decision = rollout::scale(&deployment, new.as_ref().map(|(_, set)| set), &old_views);
    for (which, name, set) in new
        .iter()
        .map(|(name, set)| (Set::New, name, set))
        .chain(old.iter().enumerate().map(|(i, (name, set))| (Set::Old(i), name, set)))
    {
        let resize = decision.resizes.iter().find(|resize| resize.set == which);
        let size = resize.map_or(set.spec, |resize| resize.to);
        same(name, size, int(&case["expect"]["replicas"], name)?)?;
        if list(case, "not_updated").iter().any(|untouched| untouched == name) && resize.is_some() {
            return Err(format!("{name} is touched"));
        }
    }
    Ok(())
}

pub fn deployment_status(case: &Value) -> Result<(), String> {
    let expect = &case["expect"];
    match text(case, "kind")? {
        "complete" => {
            let complete = status(case)?.is_complete(int(case, "desired")?);
            same("complete", complete, truth(expect, "complete")?)
        }
        "progressing" => {
            let progressing =
                rollout::progressed(&status(&case["old_status"])?, &status(&case["new_status"])?);
            same("progressing", progressing, truth(expect, "progressing")?)
        }
        "timed_out" => timed_out(case),
        other => Err(format!("unknown kind `{other}`")),
    }
}

fn status(row: &Value) -> Result<Status, String> {
    Ok(Status {
        replicas: int(row, "replicas")?,
        updated: int(row, "updated")?,
        // What is complete does not depend on it.
        ready: given_int(row, "ready")?.unwrap_or(0),
        available: int(row, "available")?,
    })
}

fn timed_out(case: &Value) -> Result<(), String> {
    let deadline = match case["progress_deadline_s"].as_i64() {
        None | Some(2_147_483_647) => None,
        Some(_) => Some(seconds(case, "progress_deadline_s")?),
    };
    let reason = match case["progressing_reason"].as_str().unwrap_or_default() {
        "NewReplicaSetAvailable" => ProgressReason::Complete,
        "ProgressDeadlineExceeded" => ProgressReason::TimedOut,
        "ReplicaSetUpdated" => ProgressReason::Moved,
        _ => ProgressReason::Started,
    };
    let updated = SimTime::ZERO + seconds(case, "last_update_s")?;
    let late = Progress { reason, updated }.is_timed_out(deadline, SimTime::ZERO + seconds(case, "now_s")?);
    same("timed_out", late, truth(&case["expect"], "timed_out")?)
}

pub fn pod_ranking(case: &Value) -> Result<(), String> {
    let gates = Gates {
        deletion_cost: truth(case, "pod_deletion_cost")?,
        logarithmic: truth(case, "logarithmic_scale_down")?,
    };
    let (a, b) = (candidate(&case["a"])?, candidate(&case["b"])?);
    let now = given_moment(case, "now_s")?.unwrap_or(NOW);
    let expected = match text(&case["expect"], "order")? {
        "a_deleted_first" => Ordering::Less,
        "b_deleted_first" => Ordering::Greater,
        "equal" => Ordering::Equal,
        other => return Err(format!("unknown order `{other}`")),
    };
    same("order of a and b", order(&a, &b, gates, now).0, expected)?;
    same("order of b and a", order(&b, &a, gates, now).0, expected.reverse())
}

fn candidate(row: &Value) -> Result<Candidate<&str>, String> {
    let phase = match text(row, "phase")? {
        "Pending" => Phase::Pending,
        "Unknown" => Phase::Unknown,
        "Running" => Phase::Running,
        other => return Err(format!("unknown phase `{other}`")),
    };
    Ok(Candidate {
        bound: !text(row, "node")?.is_empty(),
        phase,
        ready: truth(row, "ready")?,
        // Absent or unreadable costs are zero.
        deletion_cost: row["deletion_cost"].as_i64().and_then(|cost| cost.try_into().ok()).unwrap_or(0),
        colocated: int(row, "colocated_rank")?,
        ready_since: given_moment(row, "ready_since_s")?,
        restarts: int(row, "restarts")?,
        sidecar_restarts: row["sidecar_restarts"].as_u64().unwrap_or(0) as u32,
        created: given_moment(row, "created_s")?,
        uid: text(row, "uid")?,
    })
}

pub fn pdb_math(case: &Value) -> Result<(), String> {
    let row = &case["budget"];
    let budget = match (int_or_percent(row, "min_available")?, int_or_percent(row, "max_unavailable")?) {
        (Some(least), None) => Budget::MinAvailable(least),
        (None, Some(most)) => Budget::MaxUnavailable(most),
        (_, _) => return Err("a budget has one of the two".to_owned()),
    };
    let pods: Vec<Matched<&str>> = list(case, "pods").iter().map(matched).collect::<Result<_, _>>()?;
    let scale = |controller: &str| case["controller_scale"][controller].as_u64().map(|scale| scale as u32);
    // The table is of releases in which a pod without controller was an error.
    let unmanaged = if case["unmanaged"] == "left_out" { Unmanaged::LeftOut } else { Unmanaged::FailClosed };
    let ours = standing(budget, &pods, scale, unmanaged, NOW);
    let expect = &case["expect"];
    same("sync_error", ours.is_err(), expect["sync_error"] == true)?;
    let ours = ours.unwrap_or_default();
    check_standing(&ours, expect)
}

fn matched(row: &Value) -> Result<Matched<&str>, String> {
    let controller = row["controller"].as_str();
    Ok(Matched {
        ready: truth(row, "ready")?,
        deleting: row["deleting"] == true,
        disrupted: None,
        controller,
    })
}

fn check_standing(ours: &Standing, expect: &Value) -> Result<(), String> {
    for name in expect.as_object().ok_or("no `expect`")?.keys() {
        match name.as_str() {
            "disruptions_allowed" => same(name, ours.disruptions_allowed, int(expect, name)?)?,
            "current_healthy" => same(name, ours.current_healthy, int(expect, name)?)?,
            "desired_healthy" => same(name, ours.desired_healthy, int(expect, name)?)?,
            "expected_pods" => same(name, ours.expected_pods, int(expect, name)?)?,
            "sync_error" => {}
            other => return Err(format!("unknown expectation `{other}`")),
        }
    }
    Ok(())
}
