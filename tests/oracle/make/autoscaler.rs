//! Passes of the HorizontalPodAutoscaler controller.

use serde_json::{Value, json};

use super::Dice;

/// The cause of most rows: a load near an edge of the tolerance.
struct Scene {
    /// The scale's replicas.
    current: i64,
    /// Names of pods, which are as many as the replicas in most rows.
    pods: Vec<String>,
    /// Requests of each container in thousandths.
    request: i64,
    /// Containers of each pod.
    containers: i64,
}

/// A row of `hpa_reconcile`.
pub fn pass(dice: &mut Dice) -> Value {
    let current = match dice.range(0, 9) {
        0 => dice.pick(&[0, 1, 2]),
        1 => dice.range(0, 5_000),
        _ => dice.range(1, 12),
    };
    let count = match dice.range(0, 9) {
        0 => 0,
        1 => dice.range(0, 40),
        2 => (current + dice.range(-2, 2)).clamp(0, 40),
        _ => current.min(12),
    };
    let scene = Scene {
        current,
        pods: (0..count).map(|place| format!("pod-{place}")).collect(),
        request: if dice.percent(80) { dice.pick(&[100, 200, 250, 1_000]) } else { 1 + dice.sized(1 << 40) },
        containers: dice.pick(&[1, 1, 1, 2, 3]),
    };
    let metrics = dice.pick(&[1, 1, 1, 2, 2, 3]);
    let metrics: Vec<Value> = (0..metrics).map(|_| metric(dice, &scene)).collect();
    let (min, max) = bounds(dice, current);
    let failing = if dice.percent(4) {
        let apis = [
            "get_scale",
            "update_scale",
            "update_scale",
            "selector_missing",
            "selector_unparsable",
            "ambiguous_selector",
        ];
        vec![dice.pick(&apis)]
    } else {
        Vec::new()
    };
    let status = if dice.percent(85) { current } else { (current + dice.range(-3, 3)).max(0) };
    json!({
        "config": {
            "tolerance_down": TOLERANCE, "tolerance_up": TOLERANCE,
            "downscale_stabilization_s": dice.pick(&[300.0, 300.0, 0.0, 60.5]),
            "cpu_initialization_period_s": dice.pick(&[300.0, 300.0, 0.0]),
            "initial_readiness_delay_s": dice.pick(&[30.0, 30.0, 0.0]),
            "scale_up_limit_factor": 2.0, "scale_up_limit_minimum": 4.0,
        },
        "hpa": {
            "min_replicas": min, "max_replicas": max, "metrics": metrics,
            "behavior": if dice.percent(55) { json!({
                "scale_up": rules(dice, true), "scale_down": rules(dice, false),
            }) } else { Value::Null },
        },
        "scale": { "spec_replicas": current, "status_replicas": status },
        "pods": scene.pods.iter().map(|name| pod(dice, name, &scene)).collect::<Vec<_>>(),
        "pod_level_resources_enabled": true,
        "prior_recommendations": if dice.percent(15) { Value::Null } else { recommendations(dice, current) },
        "scale_up_events": events(dice), "scale_down_events": events(dice),
        "scaled_to_zero": dice.percent(if current == 0 { 70 } else { 10 }),
        "failing_apis": failing,
    })
}

/// Bounds that hold the replicas in most rows: outside of them no metric is asked.
fn bounds(dice: &mut Dice, current: i64) -> (i64, i64) {
    let min = match dice.range(0, 9) {
        0 => 0,
        1 => dice.range(1, 10),
        2..=4 => (current - dice.range(0, 3)).max(0),
        _ => 1,
    };
    let room = if dice.percent(80) { dice.range(0, 30) } else { dice.sized(100_000) };
    let max = if dice.percent(95) { min.max(current) + room } else { min + room };
    (min, max.max(1))
}

/// The flag's default, which nearly nobody changes.
const TOLERANCE: f64 = 0.1;

fn metric(dice: &mut Dice, scene: &Scene) -> Value {
    let unavailable = dice.percent(6);
    let mut metric = match dice.range(0, 9) {
        0..=4 => resource(dice, scene),
        5 | 6 => pods(dice, scene),
        7 => whole(dice, scene, "Object"),
        8 => whole(dice, scene, "External"),
        _ if dice.percent(10) => return json!({ "type": "CheddarCheese", "name": "brie" }),
        _ => whole(dice, scene, "External"),
    };
    if unavailable {
        metric["unavailable"] = true.into();
    }
    metric
}

/// A value near `target`: on it, on an edge of the tolerance, beside, or anywhere.
fn near(dice: &mut Dice, target: i64) -> i64 {
    let percent = dice.pick(&[100, 90, 110, 100, 90, 110, 50, 200, 95, 105, 0]);
    let exact = (i128::from(target) * percent / 100).min(1 << 61) as i64;
    match dice.range(0, 9) {
        0..=5 => exact + dice.pick(&[0, 0, -1, 1]),
        6 | 7 => dice.range(0, target.saturating_mul(2).clamp(1, 1 << 62)),
        // Not so much more that replicas leave 32 bits: what Go makes of those
        // depends on the processor.
        _ => dice.sized((1 << 44).min(target.saturating_mul(100_000).max(1))),
    }
}

fn resource(dice: &mut Dice, scene: &Scene) -> Value {
    let name = dice.pick(&["cpu", "cpu", "cpu", "memory"]);
    let container = dice.percent(25).then(|| format!("c{}", dice.range(0, 2)));
    let counted = if container.is_some() { 1 } else { scene.containers };
    let percent = dice.pick(&[80, 50, 60, 100, 1, 110, 200, 33]);
    let average = dice.percent(25).then(|| 1 + near(dice, scene.request).max(0));
    // What one container uses when its pod is on target.
    let goal = match average {
        Some(average) => average / counted,
        None => (i128::from(scene.request) * i128::from(percent) / 100) as i64,
    };
    let mut samples = Vec::new();
    let shared = near(dice, goal).max(0);
    let alike = dice.percent(50);
    for pod in known_and_strange(dice, scene) {
        let mut containers = serde_json::Map::new();
        let present = if dice.percent(4) { dice.range(0, 3) } else { scene.containers };
        for place in 0..present {
            let usage = if alike { shared } else { near(dice, goal).max(0) };
            containers.insert(format!("c{place}"), usage.into());
        }
        samples.push(sample(dice, json!({ "pod": pod, "containers": containers })));
    }
    let mut metric = json!({
        "type": if container.is_some() { "ContainerResource" } else { "Resource" },
        "name": name, "container": container, "samples": samples,
    });
    match average {
        Some(average) => metric["target_average_milli"] = average.into(),
        None => metric["target_utilization_pct"] = percent.into(),
    }
    metric
}

fn pods(dice: &mut Dice, scene: &Scene) -> Value {
    let target = if dice.percent(80) { dice.pick(&[1, 10, 1_000, 20_000]) } else { 1 + dice.sized(1 << 44) };
    let shared = near(dice, target);
    let alike = dice.percent(50);
    let mut samples = Vec::new();
    for pod in known_and_strange(dice, scene) {
        let value = if alike { shared } else { near(dice, target) };
        let least = if scene.current == 0 { 0 } else { i64::MIN };
        samples.push(sample(dice, json!({ "pod": pod, "value_milli": value.max(least) })));
    }
    json!({ "type": "Pods", "name": "requests", "target_average_milli": target, "samples": samples })
}

fn whole(dice: &mut Dice, scene: &Scene, kind: &str) -> Value {
    let target = if dice.percent(80) { dice.pick(&[1, 7, 1_000, 30_000]) } else { 1 + dice.sized(1 << 44) };
    let per_replica = dice.percent(50);
    let goal = if per_replica { target.saturating_mul(scene.current.max(1)) } else { target };
    let series = if kind == "Object" || dice.percent(60) { 1 } else { dice.range(0, 4) };
    // Below zero only where there are replicas: with none and another metric that
    // failed, the controller tells counts below zero from zero, and ours doesn't.
    let least = if scene.current == 0 { 0 } else { i64::MIN };
    let total = near(dice, goal).max(least);
    let values: Vec<i64> = (0..series)
        .map(|place| if place == 0 { total / series + total % series } else { total / series })
        .collect();
    let mut metric = json!({ "type": kind, "name": "queue", "values_milli": values });
    metric[if per_replica { "target_average_milli" } else { "target_milli" }] = target.into();
    metric
}

/// Most of the scene's pods, and now and then one that it doesn't have.
fn known_and_strange(dice: &mut Dice, scene: &Scene) -> Vec<String> {
    let missing = dice.pick(&[0, 0, 0, 15, 50, 100]);
    let mut names: Vec<String> = scene.pods.iter().filter(|_| !dice.percent(missing)).cloned().collect();
    if dice.percent(5) {
        names.push("stranger".to_owned());
    }
    names
}

/// When a sample's window ended and how long it was.
fn sample(dice: &mut Dice, mut row: Value) -> Value {
    row["timestamp_s"] = dice.pick(&[0.0, -15.0, -29.999_999_999, -30.0, -45.0]).into();
    row["window_s"] = dice.pick(&[30.0, 30.0, 15.0, 60.0]).into();
    row
}

fn pod(dice: &mut Dice, name: &str, scene: &Scene) -> Value {
    let usual = dice.percent(75);
    let phase =
        if usual { "Running" } else { dice.pick(&["Running", "Running", "Pending", "Failed", "Succeeded"]) };
    let age = if usual && dice.percent(60) { 10_000.0 } else { dice.pick(&EDGES) };
    let since = if dice.percent(50) { age } else { dice.pick(&EDGES) };
    let request = |dice: &mut Dice| {
        if dice.percent(99) {
            Value::from(if dice.percent(97) { scene.request } else { 0 })
        } else {
            Value::Null
        }
    };
    let mut row = json!({
        "name": name, "phase": phase,
        "ready": if usual { json!(true) } else { dice.pick(&[Some(true), Some(false), None]).into() },
        "start_time_s": if usual || dice.percent(85) { json!(-age) } else { Value::Null },
        "ready_transition_s": -since, "deleting": !usual && dice.percent(15),
        "containers": (0..scene.containers)
            .map(|place| json!({ "name": format!("c{place}"), "request_milli": request(dice) }))
            .collect::<Vec<_>>(),
    });
    if dice.percent(4) {
        let always = dice.percent(60);
        row["init_containers"] =
            json!([{ "name": "side", "request_milli": request(dice), "restart_always": always }]);
    }
    if dice.percent(3) {
        row["pod_request_milli"] = (scene.request * dice.range(0, 3)).into();
    }
    row
}

/// Ages on the edges of the periods that readiness is about.
const EDGES: [f64; 12] =
    [0.0, 15.0, 29.0, 30.0, 30.000_000_001, 31.0, 45.0, 60.0, 299.999_999_999, 300.0, 300.000_000_001, 330.0];

/// Ages on the edges of windows and policies' periods.
const AGES: [f64; 14] = [
    0.0,
    14.999_999_999,
    15.0,
    15.000_000_001,
    30.0,
    59.999_999_999,
    60.0,
    60.000_000_001,
    60.5,
    299.999_999_999,
    300.0,
    300.000_000_001,
    1_800.0,
    3_600.0,
];

fn recommendations(dice: &mut Dice, current: i64) -> Value {
    let entries = dice.pick(&[0, 0, 1, 2, 3, 6]);
    let entry = |_| {
        let replicas =
            if dice.percent(80) { (current + dice.range(-4, 4)).max(0) } else { dice.sized(10_000) };
        json!({ "replicas": replicas, "t_s": -dice.pick(&AGES) })
    };
    (0..entries).map(entry).collect()
}

fn events(dice: &mut Dice) -> Value {
    let events = dice.pick(&[0, 0, 0, 1, 2, 4]);
    let event = |_| {
        let change = if dice.percent(85) { dice.range(0, 6) } else { dice.sized(10_000) };
        json!({ "change": change, "t_s": -dice.pick(&AGES), "outdated": dice.percent(15) })
    };
    (0..events).map(event).collect()
}

fn rules(dice: &mut Dice, up: bool) -> Value {
    let window = dice.pick(&[0, 0, 15, 60, 300, 3_600]);
    let policies: Vec<Value> = (0..dice.pick(&[1, 1, 2, 3]))
        .map(|_| {
            let kind = dice.pick(&["Pods", "Percent"]);
            let value = match dice.range(0, 3) {
                0 => dice.pick(&[1, 10, 50, 100, 200, 900]),
                1 => dice.range(1, 100),
                2 => dice.range(1, 5),
                _ => 1 + dice.sized(100_000),
            };
            json!({ "type": kind, "value": value, "period_s": dice.pick(&[15, 60, 300, 1_800, 1]) })
        })
        .collect();
    let mut rules = json!({
        "select_policy": dice.pick(&["Max", "Max", "Min", "Disabled"]),
        "stabilization_window_s": if !up && dice.percent(30) { Value::Null } else { window.into() },
        "policies": policies,
    });
    if dice.percent(35) {
        let tolerance = dice.pick(&[0, 50, 100, 200, 1_000, 1, 7, 150]);
        rules["tolerance_milli"] = if dice.percent(80) { tolerance } else { dice.range(0, 3_000) }.into();
    }
    rules
}
