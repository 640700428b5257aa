//! Whole passes: the walkthrough of the documentation, versions, zero
//! replicas, failures, and bounds over random runs.

use proptest::prelude::*;

use super::*;
use crate::k8s::behavior::{GivenRules, Limit, ScalingRules, Stabilization};
use crate::k8s::replicas::{PodPhase, ReadyCondition, Sample};
use crate::k8s::version::Version;

fn cpu_spec(percent: i32, min_replicas: u32, max_replicas: u32) -> HpaSpec {
    let target = ResourceTarget::Utilization(percent);
    let cpu = MetricSpec::Resource { resource: ResourceName::Cpu, container: None, target };
    HpaSpec { min_replicas, max_replicas, metrics: vec![cpu], behavior: None }
}

fn queue_spec(min_replicas: u32) -> HpaSpec {
    let target = ValueTarget::AverageValue(10_000);
    let queue = MetricSpec::External { name: "queue".into(), target };
    HpaSpec { min_replicas, max_replicas: 10, metrics: vec![queue], behavior: None }
}

fn version(minor: u32) -> Rules {
    Version::new(minor).expect("a version we know").rules()
}

/// One pass at `seconds` over pods that each use `milli` of the 200 milli-cores
/// they request.
fn cpu_pass(spec: &HpaSpec, memory: &mut Memory, replicas: u32, milli: i64, seconds: u64) -> Recommendation {
    let now = SimTime::from_secs(seconds);
    let ready = Some(ReadyCondition { is_true: true, since: SimTime::ZERO });
    let pod = PodView { deleting: false, phase: PodPhase::Running, start_time: Some(SimTime::ZERO), ready };
    let pods = vec![pod; replicas as usize];
    let samples =
        vec![Some(Sample { value: milli, time: now, window: SimDuration::from_secs(15) }); pods.len()];
    let requests = vec![200; pods.len()];
    let samples = PodSamples { samples: &samples, strays: &[] };
    let readings = [Reading::PerPod { samples, requests: Ok(&requests) }];
    let pass = Pass {
        spec,
        scale: Some(Scale { spec_replicas: replicas, status_replicas: replicas }),
        selection: Selection::Pods(&pods),
        readings: &readings,
        now,
        settings: &ControllerSettings::default(),
        rules: &version(37),
    };
    let mut found = recommend(&pass, memory);
    found.settle(&pass, memory, true);
    found
}

/// One pass at `seconds` over a queue of so many thousandths.
fn queue_pass(
    spec: &HpaSpec,
    memory: &mut Memory,
    replicas: u32,
    queue: &[i64],
    seconds: u64,
    rules: Rules,
) -> Recommendation {
    let pass = Pass {
        spec,
        scale: Some(Scale { spec_replicas: replicas, status_replicas: replicas }),
        selection: Selection::Pods(&[]),
        readings: &[Reading::Whole(queue)],
        now: SimTime::from_secs(seconds),
        settings: &ControllerSettings::default(),
        rules: &rules,
    };
    let mut found = recommend(&pass, memory);
    found.settle(&pass, memory, true);
    found
}

#[test]
fn php_apache_of_the_walkthrough() {
    // 305 % of 200 milli-cores at one replica with a target of 50 %: seven
    // replicas are asked for, but one pass allows max(2 * 1, 4).
    let spec = cpu_spec(50, 1, 10);
    let mut memory = Memory::default();
    let first = cpu_pass(&spec, &mut memory, 1, 610, 1_000);
    let proposal = first.metrics[0].expect("the pod has a sample");
    assert_eq!(
        proposal.value,
        crate::k8s::replicas::CurrentValue::Utilization { percent: 305, average_milli: 610 }
    );
    assert_eq!(proposal.replicas, 7);
    assert_eq!((first.replicas, first.conditions.scaling_limited), (4, Some(Limit::ScaleUpLimit)));
    // 610 milli-cores over four pods are 76 %, which asks for seven of them.
    let second = cpu_pass(&spec, &mut memory, 4, 153, 1_015);
    assert_eq!((second.replicas, second.write), (7, true));
    // The load ends: seven are kept until the last call for seven is over 300 s old.
    let mut replicas = 7;
    for seconds in (1_030..=1_315).step_by(15) {
        let held = cpu_pass(&spec, &mut memory, replicas, 0, seconds);
        assert_eq!(held.conditions.able_to_scale, Some(AbleToScale::ScaleDownStabilized), "at {seconds} s");
        assert!(!held.write);
    }
    let last = cpu_pass(&spec, &mut memory, replicas, 0, 1_330);
    replicas = last.replicas;
    assert_eq!((replicas, last.conditions.scaling_limited), (1, Some(Limit::TooFewReplicas)));
}

#[test]
fn a_new_controller_holds_a_scale_down_for_one_window() {
    let spec = cpu_spec(50, 1, 10);
    let mut memory = Memory::default();
    for seconds in (1_000..=1_300).step_by(15) {
        assert_eq!(cpu_pass(&spec, &mut memory, 5, 10, seconds).replicas, 5, "at {seconds} s");
    }
    assert_eq!(cpu_pass(&spec, &mut memory, 5, 10, 1_315).replicas, 1);
    let log = memory.recommendations.expect("passes were made");
    assert_eq!(log.len(), 22, "slots are used again: 300 s hold 21 passes, and the first");
}

#[test]
fn bounds_come_before_metrics_and_count_as_scales() {
    let mut spec = cpu_spec(50, 3, 6);
    spec.behavior = Some(Behavior::default());
    let mut memory = Memory::default();
    let found = cpu_pass(&spec, &mut memory, 9, 900, 1_000);
    assert_eq!((found.replicas, found.because), (6, Because::AboveMax));
    assert_eq!(memory.events.down.len(), 1);
    assert!(found.metrics.is_empty());
    let found = cpu_pass(&spec, &mut memory, 2, 0, 1_015);
    assert_eq!((found.replicas, found.because), (3, Because::BelowMin));
    assert_eq!(found.conditions.scaling_active, None);
}

#[test]
fn own_tolerance_counts_from_1_35() {
    let mut spec = queue_spec(1);
    let own = GivenRules { tolerance_milli: Some(0), ..GivenRules::default() };
    spec.behavior = Some(Behavior { scale_up: ScalingRules::scale_up(own), ..Behavior::default() });
    for (minor, replicas) in [(34, 4), (35, 5)] {
        let found = queue_pass(&spec, &mut Memory::default(), 4, &[41_000], 1_000, version(minor));
        assert_eq!(found.replicas, replicas, "in 1.{minor}");
    }
}

#[test]
fn only_what_it_put_to_sleep_is_woken_from_1_37() {
    let spec = queue_spec(0);
    let parked = queue_pass(&spec, &mut Memory::default(), 0, &[35_000], 1_000, version(37));
    assert_eq!(parked.because, Because::Parked);
    let woken = queue_pass(&spec, &mut Memory::default(), 0, &[35_000], 1_000, version(36));
    assert_eq!(woken.replicas, 4);

    let mut memory = Memory { recommendations: Some(Vec::new()), ..Memory::default() };
    let asleep = queue_pass(&spec, &mut memory, 2, &[0], 1_000, version(37));
    assert_eq!((asleep.replicas, asleep.conditions.scaled_to_zero), (0, Some(true)));
    let still = queue_pass(&spec, &mut memory, 0, &[0], 1_015, version(37));
    assert_eq!((still.replicas, still.write), (0, false));
    // The minimum is raised while it sleeps: it wakes to that.
    let raised = queue_pass(&queue_spec(3), &mut memory.clone(), 0, &[0], 1_030, version(37));
    assert_eq!((raised.replicas, raised.conditions.scaled_to_zero), (3, Some(false)));
    let woken = queue_pass(&spec, &mut memory, 0, &[35_000], 1_030, version(37));
    assert_eq!((woken.replicas, woken.conditions.scaled_to_zero), (4, Some(false)));
    assert!(!memory.scaled_to_zero);
}

#[test]
fn a_failed_metric_forbids_a_scale_down_only() {
    let mut spec = queue_spec(1);
    spec.metrics.push(MetricSpec::Unsupported { kind: "CheddarCheese".into() });
    let pass = |queue: &[i64]| {
        let readings = [Reading::Whole(queue), Reading::Unavailable];
        let pass = Pass {
            spec: &spec,
            scale: Some(Scale { spec_replicas: 4, status_replicas: 4 }),
            selection: Selection::Pods(&[]),
            readings: &readings,
            now: SimTime::from_secs(1_000),
            settings: &ControllerSettings::default(),
            rules: &version(37),
        };
        let mut memory = Memory { recommendations: Some(Vec::new()), ..Memory::default() };
        recommend(&pass, &mut memory)
    };
    let up = pass(&[60_000]);
    assert_eq!((up.replicas, up.conditions.scaling_active), (6, Some(ScalingActive::ValidMetricFound)));
    let same = pass(&[40_000]);
    assert_eq!((same.replicas, same.write), (4, false));
    let down = pass(&[20_000]);
    assert_eq!((down.replicas, down.because), (4, Because::MetricsFailed));
    assert_eq!(down.conditions.scaling_active, Some(ScalingActive::InvalidMetricSourceType));
}

#[test]
fn windows_of_both_directions_hold_at_once() {
    let mut spec = queue_spec(1);
    let window = Some(SimDuration::from_secs(60));
    let given = || GivenRules { stabilization_window: window, ..GivenRules::default() };
    spec.behavior = Some(Behavior {
        scale_up: ScalingRules::scale_up(given()),
        scale_down: ScalingRules::scale_down(given()),
    });
    let mut memory = Memory::default();
    let rules = version(37);
    let first = queue_pass(&spec, &mut memory, 4, &[80_000], 1_000, rules);
    assert_eq!((first.replicas, first.conditions.able_to_scale), (4, Some(AbleToScale::ScaleUpStabilized)));
    let down = queue_pass(&spec, &mut memory, 4, &[10_000], 1_015, rules);
    assert_eq!((down.replicas, down.conditions.able_to_scale), (4, Some(AbleToScale::ScaleDownStabilized)));
    let Because::Metrics { stabilized, .. } = down.because else { panic!("metrics decide") };
    assert_eq!(stabilized, Stabilized { replicas: 4, stabilization: Stabilization::ScaleDownStabilized });
    let up = queue_pass(&spec, &mut memory, 4, &[80_000], 1_080, rules);
    assert_eq!((up.replicas, up.conditions.able_to_scale), (8, Some(AbleToScale::SucceededRescale)));
}

#[test]
fn a_write_that_fails_leaves_all_as_it_was() {
    let mut spec = queue_spec(1);
    spec.behavior = Some(Behavior::default());
    let pass = Pass {
        spec: &spec,
        scale: Some(Scale { spec_replicas: 4, status_replicas: 4 }),
        selection: Selection::Pods(&[]),
        readings: &[Reading::Whole(&[80_000])],
        now: SimTime::from_secs(1_000),
        settings: &ControllerSettings::default(),
        rules: &version(37),
    };
    let mut memory = Memory::default();
    let mut found = recommend(&pass, &mut memory);
    assert_eq!((found.replicas, found.write), (8, true));
    found.settle(&pass, &mut memory, false);
    assert_eq!((found.replicas, found.write), (4, false));
    assert_eq!(found.conditions.able_to_scale, Some(AbleToScale::FailedUpdateScale));
    assert_eq!(memory.events, ScaleEvents::default());
}

proptest! {
    #[test]
    fn replicas_stay_within_bounds(
        levels in prop::collection::vec(0_i64..3_000, 1..120),
        (min, more, start) in (1_u32..10, 0_u32..40, 1_u32..60),
        percent in 1_i32..150,
        with_behavior in prop::bool::ANY,
    ) {
        let max = min + more;
        let mut spec = cpu_spec(percent, min, max);
        spec.behavior = with_behavior.then(Behavior::default);
        let (mut memory, mut replicas) = (Memory::default(), start);
        for (pass, level) in (0_u64..).zip(levels) {
            let found = cpu_pass(&spec, &mut memory, replicas, level, 10_000 + 15 * pass);
            prop_assert!((min..=max).contains(&found.replicas));
            prop_assert_eq!(found.write, found.replicas != replicas);
            if replicas <= max && !with_behavior {
                prop_assert!(found.replicas <= (2 * replicas).max(4).max(min));
            }
            replicas = found.replicas;
        }
        let kept = memory.recommendations.map_or(0, |log| log.len());
        prop_assert!(kept <= 23, "300 s hold 21 passes of 15 s: {kept}");
    }

    #[test]
    fn more_load_never_gives_fewer_replicas(
        replicas in 1_u32..50,
        level in 0_i64..2_000,
        more in 0_i64..2_000,
        percent in 1_i32..150,
    ) {
        let spec = cpu_spec(percent, 1, 100);
        let mut memory = Memory { recommendations: Some(Vec::new()), ..Memory::default() };
        let less = cpu_pass(&spec, &mut memory.clone(), replicas, level, 10_000).replicas;
        prop_assert!(cpu_pass(&spec, &mut memory, replicas, level + more, 10_000).replicas >= less);
    }
}
