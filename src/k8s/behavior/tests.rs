//! The worked examples of KEP-853, and bounds.

use proptest::prelude::*;

use super::*;
use crate::units::SimTime;

fn policy(kind: PolicyKind, value: i32, seconds: u64) -> ScalingPolicy {
    ScalingPolicy { kind, value, period: SimDuration::from_secs(seconds) }
}

fn given(policies: Vec<ScalingPolicy>) -> GivenRules {
    GivenRules { policies: Some(policies), ..GivenRules::default() }
}

/// The replicas after each pass, `every` seconds apart, under a load that asks
/// for as many as there may be.
fn growth(behavior: &Behavior, every: u64, passes: u64) -> Vec<u32> {
    let mut events = ScaleEvents::default();
    let mut replicas = vec![1];
    for pass in 0..passes {
        let now = SimTime::from_secs(10_000 + pass * every);
        let current = replicas[replicas.len() - 1];
        let limited = limit_rate(current, 1_000_000, (1, 1_000_000), behavior, &events, now);
        if limited.replicas != current {
            events.store(Some(behavior), current, limited.replicas, now);
        }
        replicas.push(limited.replicas);
    }
    replicas
}

#[test]
fn story_1_scales_up_as_fast_as_possible() {
    let scale_up = ScalingRules::scale_up(given(vec![policy(PolicyKind::Percent, 900, 60)]));
    let behavior = Behavior { scale_up, ..Behavior::default() };
    assert_eq!(growth(&behavior, 60, 3), [1, 10, 100, 1000]);
}

#[test]
fn story_3_scales_up_one_pod_at_a_time() {
    let scale_up = ScalingRules::scale_up(given(vec![policy(PolicyKind::Pods, 1, 300)]));
    let behavior = Behavior { scale_up, ..Behavior::default() };
    assert_eq!(growth(&behavior, 300, 3), [1, 2, 3, 4]);
    // Asked every minute, the budget of five minutes is still one pod.
    assert_eq!(growth(&behavior, 60, 6), [1, 2, 2, 2, 2, 2, 3]);
}

#[test]
fn story_5_waits_out_the_window_before_it_scales_down() {
    let scale_down = ScalingRules::scale_down(given(vec![policy(PolicyKind::Pods, 5, 60)]));
    let behavior = Behavior { scale_down, ..Behavior::default() };
    let windows = (SimDuration::ZERO, SimDuration::from_secs(600));
    let (mut log, mut events, mut current) = (Vec::new(), ScaleEvents::default(), 10);
    let mut seen = Vec::new();
    for (minute, proposal) in (0_u64..).zip([10, 9, 8, 9, 9, 8, 9, 8, 9, 8, 7]) {
        let now = SimTime::from_secs(10_000 + 60 * minute);
        let stabilized = stabilize(&mut log, current, proposal, windows, now);
        let limited = limit_rate(current, stabilized.replicas, (1, 20), &behavior, &events, now);
        if limited.replicas != current {
            events.store(Some(&behavior), current, limited.replicas, now);
            current = limited.replicas;
        }
        seen.push(current);
    }
    assert_eq!((seen[9], seen[10]), (10, 9));
}

#[test]
fn percentages_round_in_favour_of_the_change() {
    let events = ScaleEvents::default();
    let now = SimTime::from_secs(10_000);
    let rows = [
        // current, percent, up to, down to
        (1, 10, 2, 0),
        (5, 10, 6, 4),
        (5, 50, 8, 2),
        (9, 10, 10, 8),
        (10, 100, 20, 0),
    ];
    for (current, percent, most, least) in rows {
        let rules = ScalingRules::scale_up(given(vec![policy(PolicyKind::Percent, percent, 60)]));
        assert_eq!(scale_up_limit(current, &events, &rules, now), most, "{percent} % up from {current}");
        assert_eq!(scale_down_limit(current, &events, &rules, now), least, "{percent} % down from {current}");
    }
}

#[test]
fn a_disabled_direction_stays() {
    let disabled = GivenRules { select_policy: Some(SelectPolicy::Disabled), ..GivenRules::default() };
    let behavior = Behavior {
        scale_up: ScalingRules::scale_up(disabled.clone()),
        scale_down: ScalingRules::scale_down(disabled),
    };
    let now = SimTime::from_secs(10_000);
    for (desired, limit) in [(9, Limit::ScaleUpLimit), (1, Limit::ScaleDownLimit)] {
        let limited = limit_rate(5, desired, (1, 10), &behavior, &ScaleEvents::default(), now);
        assert_eq!(limited, Limited { replicas: 5, limit });
    }
}

#[test]
fn edges_of_windows_differ_between_the_paths() {
    let now = SimTime::from_secs(1_000);
    let window = SimDuration::from_secs(300);
    let entry = |seconds| Recorded { replicas: 9, at: SimTime::from_secs(seconds) };
    // Exactly 300 s old: the older path still counts it, the newer one doesn't,
    // and neither frees its slot.
    let mut log = vec![entry(700)];
    assert_eq!(stabilize_without_behavior(&mut log, 3, window, now).replicas, 9);
    assert_eq!(log.len(), 2);
    let mut log = vec![entry(700)];
    assert_eq!(stabilize(&mut log, 9, 3, (SimDuration::ZERO, window), now).replicas, 3);
    assert_eq!(log.len(), 2);
    let mut log = vec![entry(699)];
    assert_eq!(stabilize_without_behavior(&mut log, 3, window, now).replicas, 3);
    assert_eq!(log, [Recorded { replicas: 3, at: now }]);
}

fn any_policy() -> impl Strategy<Value = ScalingPolicy> {
    (prop::bool::ANY, 1_i32..300, 1_u64..600).prop_map(|(pods, value, seconds)| {
        policy(if pods { PolicyKind::Pods } else { PolicyKind::Percent }, value, seconds)
    })
}

proptest! {
    #[test]
    fn limits_hold_whatever_happened_before(
        up in prop::collection::vec(any_policy(), 1..4),
        down in prop::collection::vec(any_policy(), 1..4),
        wishes in prop::collection::vec(0_u32..200, 1..60),
        (min, more) in (0_u32..20, 0_u32..100),
    ) {
        let max = min.max(1) + more;
        let behavior = Behavior {
            scale_up: ScalingRules::scale_up(given(up)),
            scale_down: ScalingRules::scale_down(given(down)),
        };
        let (mut events, mut current) = (ScaleEvents::default(), min);
        for (pass, wish) in (0_u64..).zip(wishes) {
            let now = SimTime::from_secs(10_000 + 15 * pass);
            let limited = limit_rate(current, wish, (min, max), &behavior, &events, now);
            let (low, high) = (current.min(wish), current.max(wish));
            prop_assert!((min..=max).contains(&limited.replicas));
            prop_assert!((low..=high).contains(&limited.replicas) || !(min..=max).contains(&wish));
            prop_assert_eq!(limited.replicas == wish, limited.limit == Limit::DesiredWithinRange);
            if limited.replicas != current {
                events.store(Some(&behavior), current, limited.replicas, now);
                current = limited.replicas;
            }
        }
        prop_assert!(events.up.len() <= 42 && events.down.len() <= 42, "600 s hold 40 passes of 15 s");
    }

    #[test]
    fn stabilizing_stays_between_current_and_proposal(
        wishes in prop::collection::vec(1_u32..200, 1..80),
        up in 0_u64..400,
        down in 0_u64..400,
    ) {
        let windows = (SimDuration::from_secs(up), SimDuration::from_secs(down));
        let (mut log, mut current) = (Vec::new(), 10);
        for (pass, wish) in (0_u64..).zip(wishes) {
            let now = SimTime::from_secs(10_000 + 15 * pass);
            let found = stabilize(&mut log, current, wish, windows, now).replicas;
            prop_assert!((current.min(wish)..=current.max(wish)).contains(&found));
            current = found;
        }
        prop_assert!(log.len() <= 28, "400 s hold 27 passes of 15 s: {}", log.len());
    }
}
