//! Whose pods an experiment selects, and how many of them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::input::findings::{At, Findings, suggest};
use crate::input::scalar::{self, Fault, Scalar};
use crate::k8s::labels::{Labels, Operator, Requirement, Selector};
use crate::scenario::{Scenario, Share};

/// `spec.selector` of Chaos Mesh.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelectorFile {
    namespaces: Option<Vec<String>>,
    label_selectors: Option<BTreeMap<String, String>>,
    expression_selectors: Option<Vec<ExpressionFile>>,
    /// What runs is what is simulated: `Running` says nothing more.
    #[serde(rename = "podPhaseSelectors")]
    phases: Option<Vec<String>>,
}

/// One of `expressionSelectors`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpressionFile {
    key: String,
    operator: OperatorName,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum OperatorName {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// `mode` and `value`: how many of the selected pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeName {
    /// One, drawn.
    One,
    /// All.
    All,
    /// So many.
    Fixed,
    /// This part of them, rounded down.
    FixedPercent,
    /// A number drawn evenly up to this part of them.
    RandomMaxPercent,
}

/// A workload by `name` or `namespace/name`.
pub fn workload(scenario: &Scenario, name: &str) -> Result<usize, Fault> {
    let full = |index: usize| {
        let one = &scenario.workloads[index];
        format!("{}/{}", one.namespace, one.name)
    };
    let fits = |index: &usize| scenario.workloads[*index].name == name || full(*index) == name;
    let found: Vec<usize> = (0..scenario.workloads.len()).filter(fits).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let help = suggest(name, scenario.workloads.iter().map(|one| one.name.as_str()));
            Err(Fault::new(format!("there is no workload `{name}`"), help))
        }
        several => {
            let all: Vec<String> = several.iter().map(|one| full(*one)).collect();
            Err(Fault::new(
                format!("several workloads are called `{name}`"),
                format!("say which: {}", all.join(", ")),
            ))
        }
    }
}

impl SelectorFile {
    /// The workload whose pods are selected. `namespace` is the experiment's own,
    /// which counts where the selector names none.
    pub fn workload(
        &self,
        scenario: &Scenario,
        namespace: &str,
        at: &At,
        into: &mut Findings,
    ) -> Option<usize> {
        let own = [namespace.to_owned()];
        let namespaces = self.namespaces.as_deref().filter(|all| !all.is_empty()).unwrap_or(&own);
        let selector = Selector {
            match_labels: self.label_selectors.clone().unwrap_or_default(),
            expressions: self
                .expression_selectors
                .iter()
                .flatten()
                .map(ExpressionFile::requirement)
                .collect(),
        };
        if self.phases.iter().flatten().any(|phase| phase != "Running") {
            into.wrong(&at.key("podPhaseSelectors"), "only running pods are struck", "leave it out");
        }
        let fits = |index: &usize| {
            let one = &scenario.workloads[*index];
            namespaces.contains(&one.namespace) && selector.matches(&one.template.labels)
        };
        let found: Vec<usize> = (0..scenario.workloads.len()).filter(fits).collect();
        match found.as_slice() {
            [one] => return Some(*one),
            [] => {
                let help = labels_there_are(scenario, namespaces);
                into.wrong(at, "no workload's pods have these labels", help);
            }
            several => {
                let names: Vec<&str> =
                    several.iter().map(|one| scenario.workloads[*one].name.as_str()).collect();
                let message = format!("pods of several workloads are selected: {}", names.join(", "));
                into.wrong(at, message, "narrow the selector: an experiment is simulated on one workload");
            }
        }
        None
    }
}

/// Which labels the workloads' pods have.
fn labels_there_are(scenario: &Scenario, namespaces: &[String]) -> String {
    let pairs = |labels: &Labels| {
        labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
    };
    let there: Vec<String> = scenario
        .workloads
        .iter()
        .filter(|one| namespaces.contains(&one.namespace))
        .take(6)
        .map(|one| format!("{} has {{{}}}", one.name, pairs(&one.template.labels)))
        .collect();
    if there.is_empty() {
        let mut others: Vec<&str> = scenario.workloads.iter().map(|one| one.namespace.as_str()).collect();
        others.sort_unstable();
        others.dedup();
        let (none, others) = (namespaces.join(", "), others.join(", "));
        return format!(
            "nothing runs in namespace {none}; workloads are in {others}: add `namespaces: [NAME]`"
        );
    }
    there.join("; ")
}

impl ExpressionFile {
    fn requirement(&self) -> Requirement {
        let operator = match self.operator {
            OperatorName::In => Operator::In,
            OperatorName::NotIn => Operator::NotIn,
            OperatorName::Exists => Operator::Exists,
            OperatorName::DoesNotExist => Operator::DoesNotExist,
        };
        Requirement { key: self.key.clone(), operator, values: self.values.clone() }
    }
}

impl ModeName {
    /// How many pods; `value` is what stands beside the mode.
    pub fn share(self, value: Option<&Scalar>, at: &At, into: &mut Findings) -> Option<Share> {
        let at = at.key("value");
        let Some(value) = value else {
            return match self {
                Self::One => Some(Share::Count(1)),
                Self::All => Some(Share::Part(1.0)),
                Self::Fixed | Self::FixedPercent | Self::RandomMaxPercent => {
                    into.wrong(&at, "this mode needs its number", "add `value: \"2\"`");
                    None
                }
            };
        };
        match self {
            Self::One => Some(Share::Count(1)),
            Self::All => Some(Share::Part(1.0)),
            Self::Fixed => into.take(&at, scalar::count(value)).map(Share::Count),
            Self::FixedPercent => into.take(&at, percent(value)).map(Share::WholePart),
            Self::RandomMaxPercent => into.take(&at, percent(value)).map(Share::UpTo),
        }
    }
}

/// `50` as 0.5.
pub fn percent(value: &Scalar) -> Result<f64, Fault> {
    let number = scalar::number(value)?;
    if number > 100.0 {
        return Err(Fault::new(
            format!("`{value}` percent is more than all"),
            "percentages go from 0 to 100",
        ));
    }
    Ok(number / 100.0)
}
