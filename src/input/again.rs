//! What it takes to read the same input again somewhere else: our own files under
//! usual names, and which Secrets have to be there.

use crate::change::{ObjectName, value_of};
use crate::input::manifest::trees::Trees;
use crate::input::request::Loaded;
use crate::scenario::{Comparison, Goals, Indicator, Objective, Scenario, Scope};
use crate::sim::fingerprint::Fingerprint;
use crate::source::{Node, Sources, parse};

/// A Secret by the names of its keys: namespace, name, keys.
pub type SecretNames = (String, String, Vec<String>);

/// What our own files are called; anything else is a trace.
const USUAL: [&str; 4] = ["model.yaml", "traffic.yaml", "policy.yaml", "cluster.yaml"];

impl Loaded {
    /// Model, traffic, policy, cluster and trace, as far as they were given: paths
    /// in one folder, and texts. A policy that was read otherwise than it is written
    /// is written as it was read.
    pub fn input_files(&self) -> Vec<(String, String)> {
        let inside = |name: &str| !name.starts_with('/') && !name.split('/').any(|part| part == "..");
        let texts = self.inputs.iter().filter(|(name, _)| inside(name)).map(|(name, id)| {
            let read_otherwise = name == "policy.yaml" && !self.scenario.goals.notes.is_empty();
            let text =
                if read_otherwise { policy(&self.scenario) } else { self.sources.text(*id).to_owned() };
            (name.clone(), text)
        });
        texts.collect()
    }

    /// The Secrets among the manifests by the names of their keys.
    pub fn secret_names(&self) -> Vec<SecretNames> {
        let mut manifests = Sources::new();
        for (name, text) in self.texts() {
            manifests.add(name, text);
        }
        let objects = Trees::of(&manifests);
        let of = |node: &Node| {
            let name = ObjectName::of(node)?;
            let fields = ["data", "stringData"].into_iter().filter_map(|field| node.get(field));
            let keys = fields.flat_map(|field| field.entries().iter().map(|entry| entry.key.clone()));
            Some((name.namespace, name.name, keys.collect()))
        };
        objects.all().iter().filter(|tree| tree.kind == "Secret").filter_map(|tree| of(&tree.node)).collect()
    }

    /// A hash of all that was read, Secrets left out: of what it says, whatever the
    /// comments and the layout.
    pub fn digest(&self) -> String {
        let mut hash = Fingerprint::default();
        let mut fold = |text: &str| {
            hash.fold(text.len() as u64);
            for part in text.as_bytes().chunks(8) {
                let mut bytes = [0; 8];
                bytes[..part.len()].copy_from_slice(part);
                hash.fold(u64::from_le_bytes(bytes));
            }
        };
        for (_, object) in self.written() {
            fold(&object.to_string());
        }
        for (name, text) in self.input_files() {
            let mut sources = Sources::new();
            let id = sources.add(name.clone(), text.clone());
            fold(&name);
            if USUAL.contains(&name.as_str()) {
                parse(&sources, id).0.iter().for_each(|node| fold(&value_of(node).to_string()));
            } else {
                fold(&text);
            }
        }
        format!("{:016x}", hash.value())
    }
}

/// A policy file that reads as the goals of a scenario.
pub fn policy(scenario: &Scenario) -> String {
    let Goals { name, objectives, confidence, currency, drills, rules, .. } = &scenario.goals;
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = vec![
        "apiVersion: plan/v1alpha1".to_owned(),
        "kind: Policy".to_owned(),
        format!("name: {}", text(name)),
        format!("confidence: {confidence}"),
        format!("currency: {}", text(currency)),
        "objectives:".to_owned(),
    ];
    // Rules stand below, in their own words.
    let is_rule = |one: &&Objective| matches!(one.indicator, Indicator::Rule(_));
    for objective in objectives.iter().filter(|one| !is_rule(one)) {
        let quantile = match objective.indicator {
            Indicator::Latency { quantile } => format!(", quantile: {quantile}"),
            _ => String::new(),
        };
        let scope = match &objective.scope {
            Scope::All => String::new(),
            Scope::Workload(index) => {
                let of = &scenario.workloads[*index];
                format!(", scope: {{workload: {}}}", text(&format!("{}/{}", of.namespace, of.name)))
            }
            Scope::Journey(index) => {
                format!(", scope: {{journey: {}}}", text(&scenario.demand.journeys[*index].name))
            }
            Scope::Drill(name) => format!(", scope: {{drill: {}}}", text(name)),
        };
        let comparison = match objective.comparison {
            Comparison::AtLeast => "atLeast",
            Comparison::AtMost => "atMost",
        };
        lines.push(format!(
            "- {{name: {}, indicator: {}{quantile}{scope}, {comparison}: {}}}",
            text(&objective.name),
            objective.indicator.name(),
            goal(objective)
        ));
    }
    if !rules.is_empty() {
        lines.push("rules:".to_owned());
    }
    for objective in objectives.iter().filter(is_rule) {
        let Indicator::Rule(index) = objective.indicator else { continue };
        lines.push(format!("- {{name: {}, holds: {}}}", text(&objective.name), text(&rules[index].text)));
    }
    if !drills.is_empty() {
        lines.push("drills:".to_owned());
    }
    for rule in drills {
        let per_year = rule.per_year.map_or(String::new(), |times| format!("perYear: {times}, "));
        lines.push(format!("  {}: {{{per_year}counts: {}}}", text(&rule.name), rule.counts));
    }
    lines.join("\n") + "\n"
}

/// A goal in the unit that policies want.
fn goal(objective: &Objective) -> String {
    let value = objective.goal;
    match objective.indicator {
        Indicator::Latency { .. }
        | Indicator::UsersRecovered
        | Indicator::CapacityRestored
        | Indicator::PendingPodSeconds => format!("{value}s"),
        Indicator::Throughput => format!("{value}/s"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Request, load};

    #[test]
    fn a_policy_reads_back_as_it_was() {
        let loaded = load(&Request { users: Some(5_000.0), ..Request::default() }).unwrap();
        let files = loaded.input_files();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["model.yaml", "traffic.yaml", "policy.yaml", "cluster.yaml"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, &files[2].1).unwrap();
        let request = Request { users: Some(5_000.0), policy: Some(path), ..Request::default() };
        let again = load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        let goals = Goals { notes: Vec::new(), ..loaded.scenario.goals.clone() };
        assert_eq!(again.scenario.goals, goals);
    }

    #[test]
    fn secrets_are_known_by_name_only() {
        let loaded = load(&Request::default()).unwrap();
        let keys = ["AUTH_SECRET", "DATABASE_URL", "OPENAI_API_KEY", "STRIPE_SECRET_KEY"].map(str::to_owned);
        assert_eq!(
            loaded.secret_names(),
            [("production".to_owned(), "app-secrets".to_owned(), keys.to_vec())]
        );
    }

    #[test]
    fn a_digest_follows_what_is_said() {
        let of = |users| load(&Request { users, ..Request::default() }).unwrap().digest();
        assert_eq!(of(None), of(Some(100_000.0)));
        // Fewer users than the policy asks for change its goal.
        assert_ne!(of(None), of(Some(5_000.0)));
    }
}
