//! `kind: Promises`: what a document promises, row by row, before and after.

use serde::Deserialize;

use crate::input::embedded;

/// A table of promises.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promises {
    /// `plan/v1alpha1`
    pub api_version: String,
    /// `Promises`
    pub kind: String,
    /// Whose they are.
    pub name: String,
    /// Users that each side is said to carry.
    pub users: Users,
    /// The table's rows, in the document's order.
    pub rows: Vec<Row>,
}

/// Users that each side is said to carry.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Users {
    /// The first side.
    pub before: f64,
    /// The second side.
    pub after: f64,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// What it is about.
    pub figure: Figure,
    /// After which drill, where it is about one.
    pub drill: Option<String>,
    /// What the document says of the first side.
    pub before: Option<String>,
    /// What it promises of the second side.
    pub after: String,
    /// The same as a number, in the figure's unit.
    pub at_least: Option<f64>,
    /// The same as a number, in the figure's unit.
    pub at_most: Option<f64>,
}

/// What a row is about. Shares are in 0..=1, times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Figure {
    /// Users that are served at the availability that the policy asks for.
    UsersCarried,
    /// Ready replicas of the services that users ask.
    InstancesPerService,
    /// Share of requests answered while nothing fails.
    Availability,
    /// Share of requests answered over a year, failures and all.
    AvailabilityPerYear,
    /// Time in which users feel an update.
    DeployDowntime,
    /// Time until users are served again after a failure.
    Recovery,
    /// Whether anything scales by itself.
    Scaling,
    /// Nodes.
    Nodes,
    /// Ready pods of all workloads.
    Pods,
    /// Service objects.
    Services,
    /// Ingress objects.
    Ingresses,
    /// HorizontalPodAutoscaler objects.
    Autoscalers,
    /// PersistentVolumeClaim objects.
    Volumes,
}

/// What the document of the default application promises.
pub fn of_the_default_application() -> Promises {
    embedded::read("models/my-saas-chat/promises.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_reads_and_every_promise_can_be_judged() {
        let promises = of_the_default_application();
        assert_eq!((promises.api_version.as_str(), promises.kind.as_str()), ("plan/v1alpha1", "Promises"));
        assert!(promises.users.before < promises.users.after);
        for row in &promises.rows {
            let judged = row.at_least.is_some() || row.at_most.is_some() || row.figure == Figure::Scaling;
            assert!(judged, "{row:?}");
            let on_drill = matches!(row.figure, Figure::DeployDowntime | Figure::Recovery);
            assert_eq!(row.drill.is_some(), on_drill, "{row:?}");
        }
    }
}
