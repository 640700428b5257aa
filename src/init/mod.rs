//! From manifests to files to be filled in: a model, traffic, a policy and a
//! cluster, with what is known of such software, what is guessed, and how to
//! measure each number.
//!
//! The files say what a simulation without them would guess, so they change
//! nothing until somebody edits them.

mod cluster;
mod flow;
mod model;
mod traffic;

use crate::input::manifest::set::{ManifestSet, ManifestWorkload};
use crate::input::priors::{self, Guess, Role};
use crate::scenario::Kind;

/// What the files are made from.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The manifests.
    pub set: &'a ManifestSet,
    /// What the application is called.
    pub name: &'a str,
    /// Users at the peak.
    pub users: f64,
}

/// A file to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its name, such as `model.yaml`.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// What was understood of the manifests.
struct Known<'a> {
    set: &'a ManifestSet,
    guesses: Vec<Guess>,
    /// Who calls whom.
    edges: Vec<(usize, usize)>,
    /// Whom users ask.
    entries: Vec<usize>,
    /// Whether anything says that users ask those.
    sure: bool,
}

impl Known<'_> {
    fn of(set: &ManifestSet) -> Known<'_> {
        let library = priors::library();
        let guesses: Vec<Guess> =
            set.workloads.iter().map(|workload| library.recognise(workload, &set.services)).collect();
        let edges = priors::guess_calls(set, &guesses);
        let entries = priors::entry_points(set, &guesses, &edges);
        let sure = !entries.is_empty();
        let entries = if sure { entries } else { anybody(set) };
        let mut known = Known { set, guesses, edges, entries, sure };
        // Whom no file can name nobody can ask.
        known.entries =
            known.entries.iter().copied().filter(|index| known.first_operation(*index).is_some()).collect();
        known
    }

    fn workload(&self, index: usize) -> &ManifestWorkload {
        &self.set.workloads[index]
    }

    /// `namespace/name`
    fn full_name(&self, index: usize) -> String {
        let workload = self.workload(index);
        format!("{}/{}", workload.namespace, workload.name)
    }

    /// `name` where that is enough, else `namespace/name`.
    fn short_name(&self, index: usize) -> String {
        let name = &self.workload(index).name;
        let alone = self.set.workloads.iter().filter(|one| one.name == *name).count() == 1;
        if alone { name.clone() } else { self.full_name(index) }
    }

    /// Whether a model can tell it from the others.
    fn has_a_name(&self, index: usize) -> bool {
        let full = self.full_name(index);
        (0..self.set.workloads.len()).filter(|other| self.full_name(*other) == full).count() == 1
    }

    /// `workload/operation` of the first operation of a workload.
    fn first_operation(&self, index: usize) -> Option<String> {
        if !self.has_a_name(index) {
            return None;
        }
        let (operation, _) = self.guesses[index].workload.operations.0.first()?;
        Some(format!("{}/{operation}", self.short_name(index)))
    }
}

/// Whom to ask where nothing serves users: tools behind a Service, else anything
/// that stays up.
fn anybody(set: &ManifestSet) -> Vec<usize> {
    let stays = |index: &usize| set.workloads[*index].kind != Kind::Job;
    let all: Vec<usize> = (0..set.workloads.len()).filter(stays).collect();
    let behind = |index: &usize| set.services.iter().any(|service| service.leads_to(&set.workloads[*index]));
    let served: Vec<usize> = all.iter().copied().filter(behind).collect();
    if served.is_empty() { all.into_iter().take(1).collect() } else { served }
}

/// The files, in the order in which they are to be filled in. `None` where there is
/// nobody whom users could ask.
pub fn init(ask: Ask<'_>) -> Option<Vec<Started>> {
    let known = Known::of(ask.set);
    if known.entries.is_empty() {
        return None;
    }
    Some(vec![
        Started { name: "model.yaml", text: model::model(&known, ask.name) },
        Started { name: "traffic.yaml", text: traffic::traffic(&known, ask) },
        Started { name: "policy.yaml", text: traffic::policy(&known, ask) },
        Started { name: "cluster.yaml", text: cluster::cluster(ask.set) },
    ])
}

/// What a role is called in comments.
fn role(role: Role) -> &'static str {
    match role {
        Role::Service => "a service",
        Role::Database => "a database",
        Role::Cache => "a cache",
        Role::Queue => "a queue",
        Role::Tool => "a tool that users do not ask",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::manifest::read_texts;
    use crate::source::Sources;

    fn started(objects: &[(&str, &str, &str)]) -> Option<Vec<Started>> {
        let text = |(kind, namespace, name): &(&str, &str, &str)| {
            format!(
                "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: \
                 {{serviceName: x, selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, \
                 spec: {{containers: [{{name: c, image: node}}]}}}}}}\n"
            )
        };
        let all: Vec<String> = objects.iter().map(text).collect();
        let (set, _) = read_texts(vec![("a.yaml".to_owned(), all.join("---\n"))], &mut Sources::new());
        init(Ask { set: &set, name: "x", users: 10.0 })
    }

    #[test]
    fn names_are_as_long_as_they_have_to_be() {
        let model = |objects: &[(&str, &str, &str)]| started(objects).unwrap()[0].text.clone();
        assert!(model(&[("Deployment", "a", "web")]).contains("\n  web:\n"));
        let two = model(&[("Deployment", "a", "web"), ("Deployment", "b", "web")]);
        assert!(two.contains("\n  a/web:\n") && two.contains("\n  b/web:\n"), "{two}");
        let same = [("Deployment", "a", "web"), ("StatefulSet", "a", "web"), ("Deployment", "a", "api")];
        let same = model(&same);
        assert!(
            same.contains("# Not described: StatefulSet a/web: another workload has its name."),
            "{same}"
        );
        assert!(same.contains("\n  api:\n") && !same.contains("\n  web:\n"), "{same}");
    }

    #[test]
    fn where_nobody_can_be_named_nothing_is_started() {
        assert_eq!(started(&[("Deployment", "a", "web"), ("StatefulSet", "a", "web")]), None);
        assert_eq!(started(&[]), None);
    }
}
