//! Nodes, and a pod that looks for one.

use serde_json::{Map, Value, json};

use super::Dice;

const GIB: i64 = 1 << 30;

/// Requests of one container; some name nothing, some ask for zero.
fn requests(dice: &mut Dice, cpu: i64, memory: i64) -> Value {
    let mut found = Map::new();
    let mut put = |dice: &mut Dice, name: &str, most: i64, chance: i64| {
        if dice.percent(chance) {
            let amount = if dice.percent(8) { 0 } else { dice.range(0, most.max(1)) };
            found.insert(name.to_owned(), amount.into());
        }
    };
    put(dice, "cpu", cpu, 80);
    put(dice, "memory", memory, 80);
    put(dice, "ephemeral-storage", GIB, 10);
    put(dice, "example.com/gpu", 3, 10);
    Value::Object(found)
}

fn pod(dice: &mut Dice, cpu: i64, memory: i64) -> Value {
    let containers: Vec<Value> = (0..dice.pick(&[1, 1, 1, 2, 3]))
        .map(|_| json!({ "requests": requests(dice, cpu, memory) }))
        .collect();
    let mut row = json!({ "containers": containers, "init_containers": [] });
    if dice.percent(15) {
        row["init_containers"] = (0..dice.range(1, 3))
            .map(|_| json!({ "requests": requests(dice, cpu * 2, memory * 2), "restart_always": dice.percent(50) }))
            .collect();
    }
    row
}

fn allocatable(dice: &mut Dice) -> Value {
    let cpu = dice.pick(&[940, 1_000, 3_920, 4_000, 64_000]);
    let memory = if dice.percent(50) { dice.range(1, 64) * GIB } else { 1 + dice.sized(1 << 38) };
    let mut row = json!({ "cpu": cpu, "memory": memory, "pods": dice.pick(&[110, 110, 3, 0]) });
    if dice.percent(30) {
        row["ephemeral-storage"] = dice.range(0, 100 * GIB).into();
    }
    if dice.percent(30) {
        row["example.com/gpu"] = dice.range(0, 8).into();
    }
    if dice.percent(3) {
        row["memory"] = 0.into();
    }
    row
}

/// The size of pods so that about so many fit.
fn share(dice: &mut Dice, capacity: &Value) -> (i64, i64) {
    let pods = dice.pick(&[1, 2, 4, 10]);
    let of = |name: &str| capacity[name].as_i64().unwrap_or(0) / pods;
    (of("cpu"), of("memory"))
}

/// A row of `scheduler_fit`.
pub fn fit(dice: &mut Dice) -> Value {
    let capacity = allocatable(dice);
    let (cpu, memory) = share(dice, &capacity);
    let others: Vec<Value> = (0..dice.range(0, 4)).map(|_| pod(dice, cpu, memory)).collect();
    let mut incoming = pod(dice, cpu, memory);
    if dice.percent(40) {
        fill(dice, &capacity, &others, &mut incoming);
    }
    json!({
        "allocatable": capacity, "pod": incoming, "node_pods": others,
        "ignored_resources": if dice.percent(10) { json!(["example.com/gpu"]) } else { json!([]) },
        "ignored_resource_groups": if dice.percent(10) { json!(["example.com"]) } else { json!([]) },
    })
}

/// Makes the pod ask for exactly what is left, or one more or less.
fn fill(dice: &mut Dice, capacity: &Value, others: &[Value], incoming: &mut Value) {
    let mut left = Map::new();
    for name in ["cpu", "memory"] {
        let used: i64 = others
            .iter()
            .flat_map(|pod| pod["containers"].as_array().into_iter().flatten())
            .filter_map(|container| container["requests"][name].as_i64())
            .sum();
        let rest = capacity[name].as_i64().unwrap_or(0) - used + dice.range(-1, 1);
        left.insert(name.to_owned(), rest.max(0).into());
    }
    *incoming = json!({ "containers": [{ "requests": left }], "init_containers": [] });
}

/// A row of `scheduler_resource_scores`.
pub fn resources(dice: &mut Dice) -> Value {
    let nodes: Vec<Value> = (0..dice.range(1, 3))
        .map(|place| {
            let mut capacity = allocatable(dice);
            capacity["pods"] = 110.into();
            json!({ "name": format!("n{place}"), "allocatable": capacity })
        })
        .collect();
    let (cpu, memory) = share(dice, &nodes[0]["allocatable"]);
    let mut scheduled = Vec::new();
    for _ in 0..dice.range(0, 6) {
        let mut one = pod(dice, cpu, memory);
        one["node"] = format!("n{}", dice.range(0, nodes.len() as i64 - 1)).into();
        scheduled.push(one);
    }
    let strategy = dice.pick(&["LeastAllocated", "MostAllocated", "BalancedAllocation"]);
    let weight = |dice: &mut Dice| if strategy == "BalancedAllocation" { 1 } else { dice.range(1, 10) };
    let mut wanted = vec![
        json!({ "name": "cpu", "weight": weight(dice) }),
        json!({ "name": "memory", "weight": weight(dice) }),
    ];
    for name in ["ephemeral-storage", "example.com/gpu"] {
        if dice.percent(25) {
            wanted.push(json!({ "name": name, "weight": weight(dice) }));
        }
    }
    json!({
        "strategy": strategy, "resources": wanted, "pod": pod(dice, cpu, memory), "nodes": nodes,
        "scheduled_pods": scheduled, "minor": 37,
    })
}

const KEYS: [&str; 3] = ["zone", "kubernetes.io/hostname", "disk"];
const VALUES: [&str; 4] = ["a", "b", "c", "1"];

fn node(dice: &mut Dice, name: &str) -> Value {
    let mut labels = Map::new();
    if dice.percent(95) {
        labels.insert("kubernetes.io/hostname".to_owned(), name.into());
    }
    if dice.percent(90) {
        labels.insert("zone".to_owned(), dice.pick(&VALUES).into());
    }
    if dice.percent(40) {
        labels.insert("disk".to_owned(), dice.pick(&VALUES).into());
    }
    let taints: Vec<Value> = (0..dice.pick(&[0, 0, 1, 2, 3]))
        .map(|_| {
            let effect = dice.pick(&["NoSchedule", "PreferNoSchedule", "PreferNoSchedule", "NoExecute"]);
            json!({ "key": dice.pick(&KEYS), "value": dice.pick(&VALUES), "effect": effect })
        })
        .collect();
    json!({ "name": name, "labels": labels, "taints": taints })
}

fn expression(dice: &mut Dice) -> Value {
    let op = dice.pick(&["In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values = match op {
        "Exists" | "DoesNotExist" => json!([]),
        "Gt" | "Lt" => json!([dice.pick(&["0", "1", "2"])]),
        _ => (0..dice.range(1, 2)).map(|_| Value::from(dice.pick(&VALUES))).collect(),
    };
    json!({ "key": dice.pick(&KEYS), "op": op, "values": values })
}

fn tolerations(dice: &mut Dice) -> Value {
    (0..dice.range(0, 3))
        .map(|_| {
            let exists = dice.percent(40);
            let key = if exists && dice.percent(15) { "" } else { dice.pick(&KEYS) };
            json!({
                "key": key, "op": if exists { "Exists" } else { dice.pick(&["Equal", ""]) },
                "value": if exists { "" } else { dice.pick(&VALUES) },
                "effect": dice.pick(&["", "PreferNoSchedule", "NoSchedule", "NoExecute"]),
            })
        })
        .collect()
}

/// A row of `scheduler_other_scores`, of TaintToleration or NodeAffinity.
pub fn others(dice: &mut Dice) -> Value {
    let plugin = dice.pick(&["TaintToleration", "NodeAffinity"]);
    let nodes: Vec<Value> = (0..dice.range(1, 6)).map(|place| node(dice, &format!("n{place}"))).collect();
    let terms: Vec<Value> = (0..dice.range(0, 3))
        .map(|_| {
            let expressions: Vec<Value> = (0..dice.range(0, 2)).map(|_| expression(dice)).collect();
            let fields = if dice.percent(10) {
                json!([{ "key": "metadata.name", "op": dice.pick(&["In", "NotIn"]), "values": ["n1"] }])
            } else {
                json!([])
            };
            json!({ "weight": dice.range(1, 100), "match_expressions": expressions, "match_fields": fields })
        })
        .collect();
    json!({
        "plugin": plugin, "nodes": nodes,
        "pod": { "tolerations": tolerations(dice), "preferred_terms": terms },
    })
}

fn selector(dice: &mut Dice) -> Value {
    match dice.range(0, 9) {
        0 => json!({}),
        1 => json!({ "match_expressions": [{ "key": "app", "op": "In", "values": ["web", "db"] }] }),
        2 => json!({ "match_expressions": [{ "key": "app", "op": "Exists", "values": [] }] }),
        3 => json!({ "match_expressions": [{ "key": "app", "op": "NotIn", "values": ["db"] }] }),
        _ => json!({ "match_labels": { "app": "web" } }),
    }
}

/// Nodes, pods on them, and a pod with spread constraints.
fn spread(dice: &mut Dice, when: &[&str]) -> Value {
    let names: Vec<String> = (0..dice.range(1, 8)).map(|place| format!("n{place}")).collect();
    let mut nodes: Vec<Value> = names.iter().map(|name| node(dice, name)).collect();
    for node in &mut nodes {
        if dice.percent(60) {
            node["taints"] = json!([]);
        }
    }
    let labels = |dice: &mut Dice| match dice.range(0, 9) {
        0 => json!({}),
        1 | 2 => json!({ "app": "db" }),
        _ => json!({ "app": "web" }),
    };
    let scheduled: Vec<Value> = (0..dice.sized(30))
        .map(|_| {
            let place = dice.range(0, names.len() as i64 - 1) as usize;
            let namespace = if dice.percent(92) { "default" } else { "other" };
            json!({
                "node": names[place], "labels": labels(dice), "namespace": namespace,
                "terminating": dice.percent(5),
            })
        })
        .collect();
    let mut keys = KEYS.to_vec();
    let mut constraints = Vec::new();
    for _ in 0..dice.range(1, 2) {
        let key = keys.remove(dice.range(0, keys.len() as i64 - 1) as usize);
        let action = dice.pick(when);
        let mut one = json!({
            "max_skew": dice.pick(&[1, 1, 2, 5]), "topology_key": key, "when_unsatisfiable": action,
            "selector": selector(dice),
        });
        if action == "DoNotSchedule" && dice.percent(20) {
            one["min_domains"] = dice.range(1, 5).into();
        }
        if dice.percent(15) {
            one["node_affinity_policy"] = dice.pick(&["Ignore", "Honor"]).into();
        }
        if dice.percent(25) {
            one["node_taints_policy"] = dice.pick(&["Ignore", "Honor"]).into();
        }
        constraints.push(one);
    }
    let mut incoming = json!({
        "labels": labels(dice), "namespace": "default", "spread": constraints, "tolerations": tolerations(dice),
    });
    if dice.percent(20) {
        incoming["node_affinity_in"] = json!({ "zone": ["a", "b"] });
    }
    json!({ "pod": incoming, "nodes": nodes, "scheduled_pods": scheduled })
}

/// A row of `scheduler_spread_filter`.
pub fn spread_filter(dice: &mut Dice) -> Value {
    spread(dice, &["DoNotSchedule"])
}

/// A row of `scheduler_spread_score`.
pub fn spread_score(dice: &mut Dice) -> Value {
    let mut row = spread(dice, &["ScheduleAnyway"]);
    let nodes = row["nodes"].as_array().cloned().unwrap_or_default();
    let feasible = dice.range(1, nodes.len() as i64) as usize;
    row["infeasible_nodes"] = nodes[feasible..].into();
    row["nodes"] = nodes[..feasible].into();
    row
}
