//! The scheduler's families.

use std::collections::BTreeMap;

use kubeplan::k8s::labels::{Labels, Operator, Requirement, Selector};
use kubeplan::k8s::placement::fit::{Ignored, shortages};
use kubeplan::k8s::placement::preemption::{candidates, cheapest};
use kubeplan::k8s::placement::scores::{Strategy, balanced, of_plugin};
use kubeplan::k8s::placement::{
    Amounts, BoundPod, ClusterView, Containers, Cycle, Filter, GuardedPods, Load, NodeId, NodeShape,
    NodeTerm, PodId, PodKind, PodTerm, PodView, Profile, Reason, ResourceName, Score, SpreadConstraint,
    Taint, TaintEffect, Toleration, Wishes, nodes_to_find,
};
use kubeplan::k8s::resources::Resources;
use kubeplan::k8s::version::{Balance, Version};
use kubeplan::units::{Bytes, MilliCpu, SimTime};
use serde_json::Value;

/// More pods than any row puts on a node.
const PLENTY: u32 = 1_000;

pub fn fit(case: &Value) -> Result<(), String> {
    let mut load = Load::default();
    for pod in array(&case["node_pods"]) {
        load.add_pod(&kind(pod)?);
    }
    let ignored = Ignored {
        resources: texts(&case["ignored_resources"]),
        groups: texts(&case["ignored_resource_groups"]),
    };
    let (allocatable, slots) = capacity(&case["allocatable"])?;
    let asked = kind(&case["pod"])?.demand.requests;
    let found = shortages(&asked, &load, &allocatable, slots, &ignored);
    let expected = &case["expect"];
    expect_equal("fits", &found.is_empty(), &expected["fits"].as_bool().unwrap_or(false))?;
    let mut words: Vec<String> = found.iter().map(Reason::to_string).collect();
    let mut expected_words = texts(&expected["reasons"]);
    words.sort();
    expected_words.sort();
    expect_equal("reasons", &words, &expected_words)?;
    for row in array(&expected["insufficient"]) {
        let shortage = Reason::Insufficient {
            resource: ResourceName::of(text(&row["resource"])),
            requested: count(&row["requested"])?,
            used: count(&row["used"])?,
            capacity: count(&row["capacity"])?,
        };
        if !found.contains(&shortage) {
            return Err(format!("no {shortage:?} in {found:?}"));
        }
    }
    Ok(())
}

pub fn num_feasible(case: &Value) -> Result<(), String> {
    let nodes = count(&case["nodes"])? as usize;
    let found = nodes_to_find(nodes, count(&case["percentage_of_nodes_to_score"])? as u32);
    expect_equal("nodes to find", &(found as u64), &count(&case["expect"]["nodes_to_find"])?)
}

pub fn resource_scores(case: &Value) -> Result<(), String> {
    let mut resources = Vec::new();
    for one in array(&case["resources"]) {
        resources.push((ResourceName::of(text(&one["name"])), int(&one["weight"])?));
    }
    let pod = kind(&case["pod"])?.demand;
    let mut scores = BTreeMap::new();
    for node in array(&case["nodes"]) {
        let (allocatable, _) = capacity(&node["allocatable"])?;
        let mut load = Load::default();
        for pod in array(&case["scheduled_pods"]).iter().filter(|pod| pod["node"] == node["name"]) {
            load.add_pod(&kind(pod)?);
        }
        let names: Vec<ResourceName> = resources.iter().map(|(name, _)| name.clone()).collect();
        let score = match text(&case["strategy"]) {
            "LeastAllocated" => Strategy::LeastAllocated(resources.clone()).score(&pod, &load, &allocatable),
            "MostAllocated" => Strategy::MostAllocated(resources.clone()).score(&pod, &load, &allocatable),
            // Of a pod that asks for nothing it says nothing.
            "BalancedAllocation"
                if case["minor"].is_number() && names.iter().all(|name| pod.requests.of(name) == 0) =>
            {
                0
            }
            "BalancedAllocation" => balanced(&names, &pod, &load, &allocatable, balance(case)?),
            other => return Err(format!("unknown strategy {other}")),
        };
        scores.insert(text(&node["name"]).to_owned(), score);
    }
    expect_equal("scores", &scores, &numbers(&case["expect"]["scores"])?)
}

/// What BalancedAllocation scores in a row's release; the tables' rows without
/// one are from before 1.36.
fn balance(case: &Value) -> Result<Balance, String> {
    match case["minor"].as_u64() {
        None => Ok(Balance::After),
        Some(minor) => {
            let version = Version::new(minor as u32).map_err(|problem| problem.to_string())?;
            Ok(version.rules().balance)
        }
    }
}

pub fn spread_filter(case: &Value) -> Result<(), String> {
    let scene = Scene::of(case)?;
    let cycle = Cycle::new(&scene.pod, &scene.cluster);
    let mut found = BTreeMap::new();
    for (name, node) in &scene.nodes {
        // The rows ask the spread filter alone, whatever the others would say.
        let status = match cycle.ask(Filter::PodTopologySpread, *node) {
            None => "Success",
            Some(refusal) if refusal.resolvable => "Unschedulable",
            Some(_) => "UnschedulableAndUnresolvable",
        };
        found.insert(name.clone(), status.to_owned());
    }
    let expected: BTreeMap<String, String> = fields(&case["expect"]["status"])
        .map(|(name, status)| (name.clone(), text(status).to_owned()))
        .collect();
    expect_equal("status", &found, &expected)
}

pub fn spread_score(case: &Value) -> Result<(), String> {
    let scene = Scene::of(case)?;
    let found = scene.scores(case, Score::PodTopologySpread);
    expect_equal("scores", &found, &numbers(&case["expect"]["normalized_scores"])?)
}

pub fn other_scores(case: &Value) -> Result<(), String> {
    let score = match text(&case["plugin"]) {
        "TaintToleration" => Score::TaintToleration,
        "ImageLocality" => Score::ImageLocality,
        "NodeAffinity" => Score::NodeAffinity,
        "InterPodAffinity" => Score::InterPodAffinity,
        other => return Err(format!("unknown plugin {other}")),
    };
    let scene = Scene::of(case)?;
    expect_equal("scores", &scene.scores(case, score), &numbers(&case["expect"]["scores"])?)
}

pub fn preemption(case: &Value) -> Result<(), String> {
    let scene = Scene::of(case)?;
    let budgets: Vec<GuardedPods> = array(&case["budgets"]).iter().map(|row| scene.budget(row)).collect();
    let nodes: Vec<NodeId> = scene.nodes.iter().map(|(_, node)| *node).collect();
    let found = candidates(&scene.pod, &scene.cluster, &nodes, &budgets, 0);
    let expected = &case["expect"];
    if expected["candidates"].is_object() {
        let mut ours = BTreeMap::new();
        for one in &found {
            let mut victims: Vec<String> = one.pods.iter().map(|pod| scene.pods[pod].clone()).collect();
            victims.sort();
            ours.insert(scene.node_name(one.node), (victims, u64::from(one.budget_violations)));
        }
        let mut theirs = BTreeMap::new();
        for (name, row) in fields(&expected["candidates"]) {
            let mut victims = texts(&row["victims"]);
            victims.sort();
            theirs.insert(name.clone(), (victims, count(&row["pdb_violations"])?));
        }
        expect_equal("candidates", &ours, &theirs)?;
    }
    if expected["chosen_any_of"].is_array() {
        let chosen = cheapest(&found, &scene.cluster).map(|one| scene.node_name(one.node));
        if !chosen.as_ref().is_some_and(|name| texts(&expected["chosen_any_of"]).contains(name)) {
            return Err(format!("chose {chosen:?}, expected {}", expected["chosen_any_of"]));
        }
    }
    Ok(())
}

/// A row's cluster and its pod.
struct Scene {
    cluster: ClusterView,
    pod: PodView,
    nodes: Vec<(String, NodeId)>,
    pods: BTreeMap<PodId, String>,
}

impl Scene {
    fn of(case: &Value) -> Result<Self, String> {
        let namespaces =
            fields(&case["namespace_labels"]).map(|(name, row)| (name.clone(), labels(row))).collect();
        let mut profile = Profile::default();
        if let Some(weight) = case["hard_pod_affinity_weight"].as_i64() {
            profile.hard_pod_affinity_weight = weight;
        }
        let mut cluster = ClusterView::new(profile, namespaces);
        let mut nodes = Vec::new();
        for row in array(&case["nodes"]).iter().chain(array(&case["infeasible_nodes"])) {
            let shape = node_shape(row, &case["node_capacity"])?;
            let name = shape.name.clone();
            let node = cluster.add_node(shape);
            for image in array(&row["images"]) {
                for alias in array(&image["names"]) {
                    cluster.add_image(node, text(alias), Bytes(count(&image["size_bytes"])?));
                }
            }
            nodes.push((name, node));
        }
        let mut pods = BTreeMap::new();
        for (id, row) in array(&case["scheduled_pods"]).iter().enumerate() {
            let kind = cluster.add_kind(kind(row)?);
            let node = nodes.iter().find(|(name, _)| name == text(&row["node"]));
            let (_, node) = node.ok_or("a pod on no known node")?;
            let start = row["start_ns"].as_u64().map_or(SimTime::NEVER, SimTime::from_nanos);
            let terminating = row["terminating"] == true;
            let bound = BoundPod { kind, node: *node, start, terminating, preempted: false };
            cluster.add_pod(id, bound);
            pods.insert(id, text(&row["name"]).to_owned());
        }
        let mut incoming = kind(&case["pod"])?;
        for term in array(&case["added_preferred_terms"]) {
            incoming.wishes.preferred_nodes.push(node_term(term)?);
        }
        let id = pods.len();
        let pod = PodView { id, kind: cluster.add_kind(incoming), only_node: None, nominated: None };
        Ok(Self { cluster, pod, nodes, pods })
    }

    /// Normalised scores of one plugin over the row's feasible nodes.
    fn scores(&self, case: &Value, score: Score) -> BTreeMap<String, i64> {
        let feasible: Vec<NodeId> =
            self.nodes.iter().take(array(&case["nodes"]).len()).map(|(_, node)| *node).collect();
        let found = of_plugin(&self.cluster, self.pod.kind, &feasible, score);
        // A plugin that has nothing to say adds 0 to every node.
        let found = found.unwrap_or_else(|| vec![0; feasible.len()]);
        feasible.iter().zip(found).map(|(node, score)| (self.node_name(*node), score)).collect()
    }

    fn node_name(&self, node: NodeId) -> String {
        self.cluster.node(node).shape.name.clone()
    }

    fn budget(&self, row: &Value) -> GuardedPods {
        let known = |name: &String| self.pods.iter().find(|(_, one)| *one == name).map(|(id, _)| *id);
        GuardedPods {
            namespace: row["namespace"].as_str().unwrap_or_default().to_owned(),
            selector: Some(Selector::of(labels(&row["match_labels"]))),
            allowed: row["disruptions_allowed"].as_i64().unwrap_or(0),
            disrupted: texts(&row["disrupted_pods"]).iter().filter_map(known).collect(),
        }
    }
}

/// A node; rows about preemption name it only and give all the same capacity.
fn node_shape(row: &Value, common: &Value) -> Result<NodeShape, String> {
    let own = if row["allocatable"].is_object() { &row["allocatable"] } else { common };
    let (allocatable, pod_slots) =
        if own.is_object() { capacity(own)? } else { (Amounts::default(), PLENTY) };
    let mut taints = Vec::new();
    for taint in array(&row["taints"]) {
        taints.push(Taint {
            key: text(&taint["key"]).to_owned(),
            value: text(&taint["value"]).to_owned(),
            effect: effect(&taint["effect"])?.ok_or("a taint without effect")?,
        });
    }
    let name = row.as_str().unwrap_or_else(|| text(&row["name"])).to_owned();
    Ok(NodeShape {
        name,
        labels: labels(&row["labels"]),
        taints,
        unschedulable: false,
        allocatable,
        pod_slots,
    })
}

fn kind(row: &Value) -> Result<PodKind, String> {
    let wishes = Wishes {
        node_selector: labels(&row["node_selector"]),
        required_nodes: node_affinity(&row["node_affinity_in"]),
        preferred_nodes: each(&row["preferred_terms"], node_term)?,
        required_affinity: each(&row["required_affinity"], pod_term)?,
        preferred_affinity: each(&row["preferred_affinity"], weighted_pod_term)?,
        required_anti_affinity: each(&row["required_anti_affinity"], pod_term)?,
        preferred_anti_affinity: each(&row["preferred_anti_affinity"], weighted_pod_term)?,
        tolerations: each(&row["tolerations"], toleration)?,
        spread: each(&row["spread"], spread)?,
        priority: row["priority"].as_i64().unwrap_or(0) as i32,
        preempts: true,
        ..Wishes::default()
    };
    let mut containers = Containers::default();
    for one in array(&row["containers"]) {
        containers.main.push(resources(&one["requests"])?);
    }
    for one in array(&row["init_containers"]) {
        containers.init.push((resources(&one["requests"])?, one["restart_always"] == true));
    }
    if row["requests"].is_object() {
        containers.main.push(resources(&row["requests"])?);
    }
    Ok(PodKind {
        namespace: row["namespace"].as_str().unwrap_or_default().to_owned(),
        labels: labels(&row["labels"]),
        wishes,
        demand: containers.demand(),
        images: texts(&row["images"]),
        owners_select: None,
    })
}

fn node_affinity(row: &Value) -> Option<Vec<NodeTerm>> {
    let wanted = row.as_object()?;
    let requirement = |(key, values): (&String, &Value)| Requirement {
        key: key.clone(),
        operator: Operator::In,
        values: texts(values),
    };
    Some(vec![NodeTerm { labels: wanted.iter().map(requirement).collect(), fields: Vec::new() }])
}

fn node_term(row: &Value) -> Result<(i32, NodeTerm), String> {
    let term = NodeTerm {
        labels: each(&row["match_expressions"], requirement)?,
        fields: each(&row["match_fields"], requirement)?,
    };
    Ok((int(&row["weight"])? as i32, term))
}

fn weighted_pod_term(row: &Value) -> Result<(i32, PodTerm), String> {
    Ok((int(&row["weight"])? as i32, pod_term(row)?))
}

fn pod_term(row: &Value) -> Result<PodTerm, String> {
    Ok(PodTerm {
        selector: selector(&row["selector"])?,
        namespaces: texts(&row["namespaces"]),
        namespace_selector: selector(&row["namespace_selector"])?,
        topology_key: text(&row["topology_key"]).to_owned(),
    })
}

fn spread(row: &Value) -> Result<SpreadConstraint, String> {
    Ok(SpreadConstraint {
        max_skew: int(&row["max_skew"])? as i32,
        topology_key: text(&row["topology_key"]).to_owned(),
        required: match text(&row["when_unsatisfiable"]) {
            "DoNotSchedule" => true,
            "ScheduleAnyway" => false,
            other => return Err(format!("unknown whenUnsatisfiable {other}")),
        },
        selector: selector(&row["selector"])?,
        min_domains: row["min_domains"].as_i64().map(|domains| domains as i32),
        ignore_node_affinity: row["node_affinity_policy"] == "Ignore",
        honor_taints: row["node_taints_policy"] == "Honor",
    })
}

fn toleration(row: &Value) -> Result<Toleration, String> {
    Ok(Toleration {
        key: row["key"].as_str().unwrap_or_default().to_owned(),
        exists: row["op"] == "Exists",
        value: row["value"].as_str().unwrap_or_default().to_owned(),
        effect: effect(&row["effect"])?,
        seconds: None,
    })
}

fn effect(row: &Value) -> Result<Option<TaintEffect>, String> {
    match row.as_str().unwrap_or_default() {
        "" => Ok(None),
        "NoSchedule" => Ok(Some(TaintEffect::NoSchedule)),
        "PreferNoSchedule" => Ok(Some(TaintEffect::PreferNoSchedule)),
        "NoExecute" => Ok(Some(TaintEffect::NoExecute)),
        other => Err(format!("unknown effect {other}")),
    }
}

/// A label selector; the shorthand keys (`exists`, `in`, …) name one condition
/// each.
fn selector(row: &Value) -> Result<Option<Selector>, String> {
    if row.is_null() {
        return Ok(None);
    }
    let mut selector = Selector::of(labels(&row["match_labels"]));
    selector.expressions = each(&row["match_expressions"], requirement)?;
    for (word, operator) in [("exists", Operator::Exists), ("does_not_exist", Operator::DoesNotExist)] {
        for key in texts(&row[word]) {
            selector.expressions.push(Requirement { key, operator, values: Vec::new() });
        }
    }
    for (word, operator) in [("in", Operator::In), ("not_in", Operator::NotIn)] {
        for (key, values) in fields(&row[word]) {
            selector.expressions.push(Requirement { key: key.clone(), operator, values: texts(values) });
        }
    }
    let known = ["match_labels", "match_expressions", "exists", "does_not_exist", "in", "not_in"];
    match fields(row).find(|(word, _)| !known.contains(&word.as_str())) {
        Some((word, _)) => Err(format!("unknown selector key {word}")),
        None => Ok(Some(selector)),
    }
}

fn requirement(row: &Value) -> Result<Requirement, String> {
    let word = row["op"].as_str().or(row["operator"].as_str()).unwrap_or_default();
    let operator = match word {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        other => return Err(format!("unknown operator {other}")),
    };
    Ok(Requirement { key: text(&row["key"]).to_owned(), operator, values: texts(&row["values"]) })
}

fn capacity(row: &Value) -> Result<(Amounts, u32), String> {
    let mut amounts = Amounts::from(&resources(row)?);
    amounts.extended.remove("pods");
    Ok((amounts, row["pods"].as_u64().unwrap_or(0) as u32))
}

fn resources(row: &Value) -> Result<Resources, String> {
    let mut resources = Resources::default();
    for (name, amount) in fields(row) {
        let amount = count(amount)?;
        match name.as_str() {
            "cpu" => resources.cpu = Some(MilliCpu(amount)),
            "memory" => resources.memory = Some(Bytes(amount)),
            "ephemeral-storage" => resources.ephemeral_storage = Some(Bytes(amount)),
            other => {
                resources.extended.insert(other.to_owned(), amount);
            }
        }
    }
    Ok(resources)
}

fn labels(row: &Value) -> Labels {
    fields(row).map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}

fn numbers(row: &Value) -> Result<BTreeMap<String, i64>, String> {
    fields(row).map(|(key, value)| Ok((key.clone(), int(value)?))).collect()
}

fn fields(row: &Value) -> impl Iterator<Item = (&String, &Value)> {
    row.as_object().into_iter().flatten()
}

fn texts(row: &Value) -> Vec<String> {
    array(row).iter().map(|one| text(one).to_owned()).collect()
}

fn each<T>(row: &Value, read: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    array(row).iter().map(read).collect()
}

fn count(row: &Value) -> Result<u64, String> {
    row.as_u64().ok_or_else(|| format!("{row} is no count"))
}

fn int(row: &Value) -> Result<i64, String> {
    row.as_i64().ok_or_else(|| format!("{row} is no whole number"))
}

/// A word; what isn't one is empty.
fn text(row: &Value) -> &str {
    row.as_str().unwrap_or_default()
}

/// The entries of a list; what isn't one is empty.
fn array(row: &Value) -> &[Value] {
    row.as_array().map_or(&[], Vec::as_slice)
}

fn expect_equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}
