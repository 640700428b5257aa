//! Which moments a chart marks: few enough to be told apart.

use std::collections::BTreeMap;

use crate::observe::{Moment, MomentKind};
use crate::units::SimTime;
use crate::units::figures::clock;

/// So many marks at most.
const MOST: usize = 8;
/// Moments closer than this share of the time axis are one mark, in a chart of
/// one column.
const CLOSE: f64 = 0.02;

/// One marked moment, or a few that lie close together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// When the first of them was.
    pub(super) time: SimTime,
    /// The workloads they are about; `None` for the cluster.
    pub(super) workloads: Vec<Option<usize>>,
    /// What happened, each with its time.
    pub(super) text: String,
}

/// The moments to mark: the first of each kind and workload (of nodes: each),
/// close ones together; the gravest where there are too many.
pub(super) fn choose(moments: &[Moment], end: SimTime, columns: usize, names: &[String]) -> Vec<Mark> {
    let close = |one: SimTime, other: SimTime| {
        (one.as_secs_f64() - other.as_secs_f64()).abs() < CLOSE * columns as f64 * end.as_secs_f64()
    };
    let mut firsts: BTreeMap<(MomentKind, Option<usize>, &str), (&Moment, usize)> = BTreeMap::new();
    for moment in moments {
        firsts.entry((moment.kind, moment.workload, drill(moment))).or_insert((moment, 0)).1 += 1;
    }
    // The map is in the order of kinds, and kinds are in the order of weight.
    let mut chosen: Vec<(&Moment, usize)> = Vec::new();
    for first in firsts.into_values() {
        let near = |other: &(&Moment, usize), time| close(other.0.time, time);
        let apart = |(index, this): &(usize, &(&Moment, usize))| {
            !chosen[..*index].iter().any(|other| near(other, this.0.time))
        };
        let groups = chosen.iter().enumerate().filter(apart).count();
        if groups < MOST || chosen.iter().any(|other| near(other, first.0.time)) {
            chosen.push(first);
        }
    }
    chosen.sort_by_key(|(moment, _)| moment.time);
    let mut marks: Vec<Mark> = Vec::new();
    for (moment, times) in chosen {
        let text = told(moment, times, names);
        match marks.last_mut().filter(|mark| close(mark.time, moment.time)) {
            Some(mark) => {
                mark.workloads.push(moment.workload);
                mark.text = format!("{}; {text}", mark.text);
            }
            None => marks.push(Mark { time: moment.time, workloads: vec![moment.workload], text }),
        }
    }
    marks
}

/// The drill that a moment is about; nothing for other moments.
fn drill(moment: &Moment) -> &str {
    match moment.kind {
        MomentKind::DrillStruck | MomentKind::DrillEnded => {
            moment.text.split_once(": ").map_or(moment.text.as_str(), |(name, _)| name)
        }
        _ => "",
    }
}

fn told(moment: &Moment, times: usize, names: &[String]) -> String {
    let what = match moment.kind {
        MomentKind::AtMaximum => "HPA at its maximum",
        MomentKind::Unschedulable => "a pod finds no node",
        MomentKind::OutOfMemory => "out of memory",
        MomentKind::ProbeKilled => "killed by a probe",
        MomentKind::Unready => "a pod became unready",
        MomentKind::NodeAdded => "a node is added",
        MomentKind::NodeRemoved => "a node is removed",
        MomentKind::MetricFailed => "HPA can't compute a metric",
        MomentKind::DrillStruck => "strikes",
        MomentKind::DrillEnded => "is over",
        MomentKind::NodeSilent => "a node is not heard of",
        MomentKind::NodeTainted => "a node is tainted",
        MomentKind::Evicted => "pods leave a tainted node",
        MomentKind::NodeBack => "a node is back",
        MomentKind::DrainBlocked => "a drain is blocked",
        MomentKind::MemoryShort => "a pod is evicted for memory",
        MomentKind::VolumeHeld => "a pod waits for its volume",
        MomentKind::RolloutStarted => "a rollout begins",
        MomentKind::RolloutCompleted => "a rollout is complete",
        MomentKind::RolloutTimedOut => "a rollout is out of time",
        MomentKind::PullFailed => "an image can't be pulled",
        MomentKind::Preempted => "pods are pushed off",
    };
    let whose =
        moment.workload.and_then(|index| names.get(index)).map_or(String::new(), |name| format!("{name}: "));
    let again = if times > 1 { format!(" (the first of {times})") } else { String::new() };
    let drill = match drill(moment) {
        "" => String::new(),
        name => format!("{name} "),
    };
    format!("{} {whose}{drill}{what}{again}", clock(moment.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_moments_share_a_mark_and_repeats_are_counted() {
        let moment = |seconds, kind, workload| Moment {
            time: SimTime::from_secs(seconds),
            kind,
            workload,
            text: String::new(),
        };
        let moments = [
            moment(100, MomentKind::AtMaximum, Some(0)),
            moment(105, MomentKind::Unschedulable, Some(0)),
            moment(600, MomentKind::NodeAdded, None),
            moment(700, MomentKind::NodeAdded, None),
        ];
        let texts = |moments: &[Moment]| {
            let marks = choose(moments, SimTime::from_secs(1_000), 1, &["web".to_owned()]);
            marks.into_iter().map(|mark| mark.text).collect::<Vec<_>>()
        };
        let struck = |seconds, text: &str| Moment {
            text: text.to_owned(),
            ..moment(seconds, MomentKind::DrillStruck, None)
        };
        assert_eq!(
            texts(&[struck(100, "a: 1 pod"), struck(400, "b: 1 pod"), struck(700, "a: 2 pods")]),
            ["0:01:40 a strikes (the first of 2)", "0:06:40 b strikes"]
        );
        let texts = texts(&moments);
        assert_eq!(
            texts,
            [
                "0:01:40 web: HPA at its maximum; 0:01:45 web: a pod finds no node",
                "0:10:00 a node is added (the first of 2)"
            ]
        );
    }
}
