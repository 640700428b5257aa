//! Where an answer turns: which values of a metric would ask for more replicas
//! or for fewer, and when windows and policies let go.
//!
//! Nothing is computed a second way: the rules themselves are asked again with
//! other values or at a later moment.

use super::{Memory, Pass, Reading, Selection, propose_one, recommend};
use crate::k8s::behavior::ScaleEvents;
use crate::k8s::replicas::{CurrentValue, PodSamples, Sample};
use crate::units::{SimDuration, SimTime};

/// No value beyond this is tried, in thousandths.
const LARGEST: i64 = 1 << 56;

/// A value at which a metric asks for another count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The value, as the status would show it.
    pub value: CurrentValue,
    /// The replicas that it asks for there.
    pub replicas: u32,
}

/// The values around the present one where a metric asks for another count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// The lowest that asks for more replicas than there are.
    pub up: Option<Turn>,
    /// The highest that asks for fewer.
    pub down: Option<Turn>,
}

/// Where the metric at `place` turns, were all its pods at the same value and
/// everything else as it is. Empty for a metric that gives no count.
pub fn turns(pass: &Pass, place: usize) -> Turns {
    let (Some(scale), Selection::Pods(_)) = (pass.scale, pass.selection) else { return Turns::default() };
    let current = scale.spec_replicas;
    let more = first(0, |value| ask(pass, place, value).is_some_and(|turn| turn.replicas > current));
    let up = more.and_then(|value| ask(pass, place, value));
    // The highest value that asks for fewer is the one below the first that doesn't.
    let enough = |value| ask(pass, place, value).is_some_and(|turn| turn.replicas >= current);
    let down = first(0, enough).filter(|value| *value > 0).and_then(|value| ask(pass, place, value - 1));
    Turns { up, down }
}

/// The smallest value from `low` on for which `holds`, which once true stays so.
fn first(low: i64, holds: impl Fn(i64) -> bool) -> Option<i64> {
    if holds(low) {
        return Some(low);
    }
    let mut step = 1;
    while !holds(low + step) {
        step *= 2;
        if step > LARGEST {
            return None;
        }
    }
    let (mut no, mut yes) = (low + step / 2, low + step);
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        if holds(middle) { yes = middle } else { no = middle }
    }
    Some(yes)
}

/// What the metric at `place` asks for when every pod with a value has this one.
fn ask(pass: &Pass, place: usize, value: i64) -> Option<Turn> {
    let (scale, Selection::Pods(pods)) = (pass.scale?, pass.selection) else { return None };
    let metric = pass.spec.metrics.get(place)?;
    let proposal = match pass.readings[place] {
        Reading::PerPod { samples, requests } => {
            let even: Vec<Option<Sample>> =
                samples.samples.iter().map(|one| one.map(|one| Sample { value, ..one })).collect();
            let reading = Reading::PerPod { samples: PodSamples { samples: &even, strays: &[] }, requests };
            propose_one(pass, scale, pods, metric, &reading)
        }
        Reading::Whole(_) => propose_one(pass, scale, pods, metric, &Reading::Whole(&[value])),
        Reading::Unavailable | Reading::AsBefore(_) => return None,
    };
    let proposal = proposal.ok()?;
    Some(Turn { value: proposal.value, replicas: proposal.replicas })
}

/// When the answer would first be another, and which, if metrics and pods stayed
/// as they are: when a recommendation leaves its window, a scale its period, or
/// a pod its initialization. `None` when none of these changes anything.
pub fn next_change(pass: &Pass, memory: &Memory) -> Option<(SimTime, u32)> {
    let now = recommend(pass, &mut memory.clone()).replicas;
    let mut moments = moments(pass, memory);
    moments.sort_unstable();
    moments.dedup();
    moments.into_iter().filter(|moment| *moment > pass.now).find_map(|moment| {
        let later = Pass { now: moment, ..*pass };
        let replicas = recommend(&later, &mut memory.clone()).replicas;
        (replicas != now).then_some((moment, replicas))
    })
}

/// The moments at which anything but the metrics can change.
fn moments(pass: &Pass, memory: &Memory) -> Vec<SimTime> {
    // An entry exactly as old as its window still counts in one of the paths.
    let past = SimDuration::from_nanos(1);
    let mut lengths = Vec::new();
    let mut periods = Vec::new();
    match &pass.spec.behavior {
        None => lengths.push(pass.settings.downscale_stabilization + past),
        Some(behavior) => {
            let (up, down) = pass.windows(behavior);
            lengths.extend([up, down]);
            let policies = behavior.scale_up.policies.iter().chain(&behavior.scale_down.policies);
            periods.extend(policies.map(|policy| policy.period));
        }
    }
    let ScaleEvents { up, down } = &memory.events;
    let recorded = memory.recommendations.iter().flatten().map(|entry| entry.at);
    let mut moments: Vec<SimTime> =
        recorded.flat_map(|at| lengths.iter().map(move |length| at + *length)).collect();
    moments.extend(up.iter().chain(down).flat_map(|event| periods.iter().map(|period| event.at + *period)));
    if let Selection::Pods(pods) = pass.selection {
        let young = pass.settings.cpu_initialization_period;
        moments.extend(pods.iter().filter_map(|pod| Some(pod.start_time? + young)));
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::behavior::Recorded;
    use crate::k8s::hpa::{HpaSpec, MetricSpec, Scale};
    use crate::k8s::replicas::{PodPhase, PodView, ReadyCondition};
    use crate::k8s::version::{ControllerSettings, Version};

    fn pod() -> PodView {
        let ready = ReadyCondition { is_true: true, since: SimTime::from_secs(10) };
        let start_time = Some(SimTime::from_secs(1));
        PodView { deleting: false, phase: PodPhase::Running, start_time, ready: Some(ready) }
    }

    /// Runs `check` on a pass over pods that use `milli` of 200m each, at a
    /// target of 80 %.
    fn with_pass(replicas: u32, milli: i64, check: impl Fn(&Pass)) {
        let spec = HpaSpec {
            min_replicas: 1,
            max_replicas: 50,
            metrics: vec![MetricSpec::default_cpu()],
            behavior: None,
        };
        let pods = vec![pod(); replicas as usize];
        let (time, window) = (SimTime::from_secs(1_000), SimDuration::from_secs(15));
        let samples = vec![Some(Sample { value: milli, time, window }); pods.len()];
        let requests = vec![200; pods.len()];
        let readings = [Reading::PerPod {
            samples: PodSamples { samples: &samples, strays: &[] },
            requests: Ok(&requests),
        }];
        check(&Pass {
            spec: &spec,
            scale: Some(Scale { spec_replicas: replicas, status_replicas: replicas }),
            selection: Selection::Pods(&pods),
            readings: &readings,
            now: SimTime::from_secs(1_000),
            settings: &ControllerSettings::default(),
            rules: &Version::NEWEST.rules(),
        });
    }

    #[test]
    fn a_metric_turns_where_the_rules_say() {
        // 80 % of 200m is 160m. Up: above 1.1 · 80 %, so at 89 % in whole percent.
        // Down from 4: ceil(4 r) ≤ 3 at r ≤ 0.75, so at 60 %, 61 % not reached.
        let rows = [
            (4, Some((89, 178, 5)), Some((60, 121, 3))),
            (1, Some((89, 178, 2)), Some((0, 1, 0))),
            // From 20 on the tolerance is what holds a scale-down.
            (20, Some((89, 178, 23)), Some((71, 143, 18))),
        ];
        for (replicas, up, down) in rows {
            with_pass(replicas, 160, |pass| {
                let seen = |turn: Option<Turn>| {
                    turn.map(|turn| match turn.value {
                        CurrentValue::Utilization { percent, average_milli } => {
                            (percent, average_milli, turn.replicas)
                        }
                        other => panic!("a utilization: {other:?}"),
                    })
                };
                let turns = turns(pass, 0);
                assert_eq!((seen(turns.up), seen(turns.down)), (up, down), "{replicas}");
            });
        }
    }

    #[test]
    fn a_window_lets_go_when_its_entry_is_too_old() {
        with_pass(4, 20, |pass| {
            let held = Recorded { replicas: 4, at: SimTime::from_secs(900) };
            let memory = Memory { recommendations: Some(vec![held]), ..Memory::default() };
            let later = SimTime::from_secs(1_200) + SimDuration::from_nanos(1);
            assert_eq!(next_change(pass, &memory), Some((later, 1)));
            let free = Memory { recommendations: Some(Vec::new()), ..Memory::default() };
            assert_eq!(next_change(pass, &free), None);
        });
    }
}
