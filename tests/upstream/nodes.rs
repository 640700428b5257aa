//! Node lifecycle.

use kubeplan::k8s::node_lifecycle::{Settings, Stay, ZoneNodes, ZoneState, min_toleration, zone_pass};
use serde_json::Value;

use crate::rows::{float, list, same, text, truth};

pub fn node_lifecycle(case: &Value) -> Result<(), String> {
    match text(case, "kind")? {
        "min_toleration" => min_toleration_row(case),
        "zone_state" => zone_state_row(case),
        other => Err(format!("unknown kind `{other}`")),
    }
}

fn min_toleration_row(case: &Value) -> Result<(), String> {
    let seconds: Vec<Option<i64>> = list(case, "toleration_seconds").iter().map(Value::as_i64).collect();
    let expected = case["expect"]["evict_after_s"].as_f64();
    let ours = match min_toleration(&seconds) {
        Stay::Forever => None,
        Stay::For(time) => Some(time.as_secs_f64()),
    };
    same("evict_after_s", ours, expected)
}

fn zone_state_row(case: &Value) -> Result<(), String> {
    // Unlimited rates, as in the upstream test.
    let settings = Settings {
        unhealthy_zone_threshold: float(case, "unhealthy_zone_threshold")? as f32,
        secondary_eviction_rate: 1e4,
        eviction_rate: 1e4,
        large_zone: 0,
        ..Settings::default()
    };
    let (first_nodes, second_nodes) = (list(case, "first_pass"), list(case, "second_pass"));
    let mut names: Vec<&str> = Vec::new();
    for node in first_nodes.iter().chain(second_nodes) {
        let name = text(node, "zone")?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let first = zone_pass(&[], &zones(&names, first_nodes)?, &settings);
    let second = zone_pass(&first.states, &zones(&names, second_nodes)?, &settings);
    check_states(&names, &first.states, &case["expect"]["states_first"])?;
    check_states(&names, &second.states, &case["expect"]["states_second"])?;
    let rates = first.rates.iter().zip(&second.rates).map(|(first, second)| second.or(*first));
    let tainting = rates.flatten().any(|rate| rate > 0.0);
    let unready = second_nodes.iter().any(|node| node["ready"] != "True");
    same("eviction_allowed", tainting && unready, truth(&case["expect"], "eviction_allowed")?)
}

fn zones(names: &[&str], nodes: &[Value]) -> Result<Vec<ZoneNodes>, String> {
    let mut zones = vec![ZoneNodes::default(); names.len()];
    for node in nodes.iter().filter(|node| node["excluded"] != true) {
        let name = text(node, "zone")?;
        let zone =
            names.iter().position(|known| *known == name).map(|i| &mut zones[i]).ok_or("unknown zone")?;
        match text(node, "ready")? {
            "True" => zone.ready += 1,
            _ => zone.unready += 1,
        }
    }
    Ok(zones)
}

fn check_states(names: &[&str], states: &[Option<ZoneState>], expected: &Value) -> Result<(), String> {
    for (zone, state) in expected.as_object().ok_or("no states")? {
        let ours = names.iter().position(|name| name == zone).and_then(|i| states[i]);
        let ours = ours.map(|state| format!("{state:?}"));
        same(zone, ours.as_deref(), state.as_str())?;
    }
    Ok(())
}
