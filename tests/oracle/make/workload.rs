//! Deployments, ReplicaSets and disruption budgets.

use serde_json::{Value, json};

use super::Dice;

/// A row of `replicaset_pod_ranking`: two pods that are alike in most of what
/// is compared first.
pub fn ranking(dice: &mut Dice) -> Value {
    let alike = dice.percent(70);
    let a = candidate(dice);
    let mut b = if alike { a.clone() } else { candidate(dice) };
    let other = candidate(dice);
    for key in [
        "node",
        "phase",
        "ready",
        "restarts",
        "ready_since_s",
        "created_s",
        "deletion_cost",
        "colocated_rank",
    ] {
        if alike && dice.percent(if ["ready_since_s", "created_s"].contains(&key) { 60 } else { 8 }) {
            b[key] = other[key].clone();
        }
    }
    b["uid"] = format!("u{}", dice.range(0, 5)).into();
    json!({ "pod_deletion_cost": true, "logarithmic_scale_down": true, "now_s": 0.0, "a": a, "b": b })
}

fn candidate(dice: &mut Dice) -> Value {
    let age = |dice: &mut Dice| match dice.range(0, 9) {
        0 => Value::Null,
        1..=4 => {
            // On a power of two of nanoseconds and beside it.
            let nanos = (1_i64 << dice.range(0, 54)) + dice.range(-1, 1);
            (-(nanos.max(0) as f64) / 1e9).into()
        }
        5 => (-0.0).into(),
        _ => (-(dice.sized(100_000_000) as f64)).into(),
    };
    json!({
        "node": dice.pick(&["node", "node", "other", ""]), "phase": dice.pick(&["Running", "Running", "Pending", "Unknown"]),
        "ready": dice.percent(75), "restarts": dice.pick(&[0, 0, 1, 7]), "sidecar_restarts": dice.pick(&[0, 0, 2]),
        "ready_since_s": age(dice), "created_s": age(dice),
        "deletion_cost": dice.pick(&[None, None, Some(0), Some(-5), Some(100), Some(i32::MAX)]),
        "colocated_rank": dice.range(1, 3), "uid": format!("u{}", dice.range(0, 5)),
    })
}

/// Pods or percent, in the ranges that the API lets through.
fn int_or_percent(dice: &mut Dice) -> Value {
    if dice.percent(50) { format!("{}%", dice.range(0, 100)).into() } else { dice.sized(200).into() }
}

/// A row of `deployment_math`.
pub fn deployment(dice: &mut Dice) -> Value {
    let strategy = |dice: &mut Dice, replicas: i64| {
        let (surge, mut unavailable) = (int_or_percent(dice), int_or_percent(dice));
        if (surge == 0 || surge == "0%") && (unavailable == 0 || unavailable == "0%") {
            unavailable = 1.into();
        }
        json!({ "replicas": replicas, "max_surge": surge, "max_unavailable": unavailable, "strategy": "RollingUpdate" })
    };
    let replicas = if dice.percent(70) { dice.range(0, 30) } else { dice.sized(5_000) };
    let mut row = strategy(dice, replicas);
    let size = |dice: &mut Dice| (replicas + dice.range(-20, 12)).max(0);
    match dice.range(0, 9) {
        0 | 1 => row["kind"] = "resolve_fenceposts".into(),
        2 => row = json!({ "kind": "max_unavailable", "deployment": row }),
        3 => {
            let new = dice.range(0, replicas);
            row["kind"] = "new_rs_replicas".into();
            row["deployment_replicas"] = replicas.into();
            row["new_rs_replicas"] = new.into();
            row["all_rs_spec_replicas"] = json!([new, size(dice)]);
        }
        4 | 5 => {
            let (old, new) = (size(dice), dice.range(0, replicas));
            row["kind"] = "reconcile_old_rs".into();
            row["deployment_replicas"] = replicas.into();
            row["old_rs_replicas"] = old.into();
            row["new_rs_replicas"] = new.into();
            row["old_rs_available"] = if dice.percent(60) { old } else { dice.range(0, old) }.into();
            row["new_rs_available"] = if dice.percent(60) { new } else { dice.range(0, new) }.into();
        }
        _ => row = proportional(dice, &row, replicas),
    }
    row
}

fn proportional(dice: &mut Dice, deployment: &Value, replicas: i64) -> Value {
    let mut before = deployment.clone();
    before["replicas"] = (replicas + dice.range(-15, 15)).max(0).into();
    let mut ages = dice.range(0, 1_000);
    let mut set = |dice: &mut Dice, name: String| {
        ages += 1;
        let replicas =
            if dice.percent(75) { dice.range(0, 12) } else { (replicas + dice.range(-3, 3)).max(0) };
        let available = if dice.percent(60) { replicas } else { dice.range(0, replicas) };
        json!({ "name": name, "replicas": replicas, "available": available, "age_rank": ages })
    };
    let old: Vec<Value> = (0..dice.range(0, 4)).map(|place| set(dice, format!("old-{place}"))).collect();
    let new = if dice.percent(90) { set(dice, "new".to_owned()) } else { Value::Null };
    let mut noted = serde_json::Map::new();
    for row in old.iter().chain([&new]).filter(|row| row.is_object()) {
        if dice.percent(10) {
            noted.insert(row["name"].as_str().unwrap_or_default().to_owned(), dice.range(0, 40).into());
        }
    }
    json!({
        "kind": "proportional_scale", "deployment": deployment, "previous_deployment": before,
        "new_rs": new, "old_rs": old, "desired_annotation_override": noted, "not_updated": [],
    })
}

/// A row of `pdb_math`.
pub fn budget(dice: &mut Dice) -> Value {
    let which = dice.pick(&["min_available", "max_unavailable"]);
    let unmanaged = dice.pick(&[0, 0, 20]);
    let pods: Vec<Value> = (0..dice.range(0, 14))
        .map(|_| {
            let controller = (!dice.percent(unmanaged)).then(|| dice.pick(&["a", "a", "b"]));
            json!({ "ready": dice.percent(80), "deleting": dice.percent(8), "controller": controller })
        })
        .collect();
    json!({
        "budget": { which: int_or_percent(dice) }, "pods": pods,
        "controller_scale": { "a": dice.range(0, 15), "b": dice.sized(3_000) },
        "unmanaged": "left_out",
    })
}
