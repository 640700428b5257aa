//! What the HPA controller remembers and no object shows: earlier
//! recommendations and scale events.

use serde::Deserialize;

use crate::input::manifest::live::moment;
use crate::input::problem::{self, Problem, UnknownFields};
use crate::k8s::behavior::{Recorded, ScaleEvent};
use crate::k8s::hpa::Memory;
use crate::source::{Node, SourceId, Sources};
use crate::units::SimTime;

/// A history file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HistoryFile {
    #[serde(default)]
    recommendations: Vec<Recommended>,
    #[serde(default)]
    scale_up_events: Vec<Scaled>,
    #[serde(default)]
    scale_down_events: Vec<Scaled>,
}

/// What the metrics asked for at a moment, before windows and limits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recommended {
    time: String,
    replicas: u32,
}

/// By how many replicas the controller changed the scale.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaled {
    time: String,
    change: u32,
}

/// Reads a history file.
pub(super) fn read(sources: &Sources, id: SourceId, problems: &mut Vec<Problem>) -> Option<Memory> {
    let documents = problem::parse(sources, id, problems);
    let [node] = documents.as_slice() else {
        let message = format!("{} holds {} documents, not one", sources.name(id), documents.len());
        problems.push(Problem::error(message));
        return None;
    };
    let file: HistoryFile = problem::decode(node, UnknownFields::Refuse, problems)?;
    let mut memory = Memory::default();
    let recommended = file.recommendations.iter().enumerate().filter_map(|(index, one)| {
        let at = time(node, &format!("recommendations[{index}].time"), &one.time, problems)?;
        Some(Recorded { replicas: one.replicas, at })
    });
    memory.recommendations = Some(recommended.collect());
    let mut events = |field: &str, list: &[Scaled]| {
        let each = list.iter().enumerate().filter_map(|(index, one)| {
            let at = time(node, &format!("{field}[{index}].time"), &one.time, problems)?;
            Some(ScaleEvent { change: one.change, at, outdated: false })
        });
        each.collect()
    };
    memory.events.up = events("scaleUpEvents", &file.scale_up_events);
    memory.events.down = events("scaleDownEvents", &file.scale_down_events);
    Some(memory)
}

fn time(node: &Node, path: &str, text: &str, problems: &mut Vec<Problem>) -> Option<SimTime> {
    let found = moment(text);
    if found.is_none() {
        let problem = Problem::error(format!("{path}: `{text}` is not a moment")).at(node.nearest(path));
        problems.push(problem.help("write it as 2026-05-04T10:00:00Z"));
    }
    found
}
