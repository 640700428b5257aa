//! What the shared tables don't show: edges of doubles, and bounds.

use proptest::prelude::*;

use super::*;
use crate::k8s::version::ToleranceForm;
use crate::units::{SimDuration, SimTime};

const NOW: SimTime = SimTime::from_secs(10_000);

fn tolerance(form: ToleranceForm) -> Tolerance {
    Tolerance { down: 0.1, up: 0.1, form }
}

fn pod() -> PodView {
    let ready = Some(ReadyCondition { is_true: true, since: SimTime::from_secs(10) });
    PodView { deleting: false, phase: PodPhase::Running, start_time: Some(SimTime::ZERO), ready }
}

fn sample(value: i64) -> Sample {
    Sample { value, time: NOW, window: SimDuration::from_secs(15) }
}

fn cpu() -> CpuReadiness {
    CpuReadiness {
        initialization_period: SimDuration::from_secs(300),
        initial_readiness_delay: SimDuration::from_secs(30),
        now: NOW,
    }
}

/// What pods with these samples of milli-cores, requesting 1000 each, are told.
fn utilization(current: u32, samples: &[Option<Sample>], target: i32, form: ToleranceForm) -> Proposal {
    let pods = vec![pod(); samples.len()];
    let requests = vec![1_000; samples.len()];
    let calculator = Calculator { tolerance: tolerance(form), current, pods: &pods };
    let samples = PodSamples { samples, strays: &[] };
    calculator.utilization(samples, Ok(&requests), Some(&cpu()), target).expect("pods have values")
}

#[test]
fn the_two_forms_of_tolerance_differ_on_exact_edges() {
    // 55 % of a target of 50 % is a ratio of exactly 1.1 as doubles go, but its
    // distance from 1 is a hair above 0.1.
    let rows = [
        (559, 50, ToleranceForm::Bounds, 10),
        (559, 50, ToleranceForm::Distance, 11),
        (770, 70, ToleranceForm::Bounds, 10),
        (770, 70, ToleranceForm::Distance, 11),
        (560, 50, ToleranceForm::Bounds, 12),
        (450, 50, ToleranceForm::Bounds, 10),
        (449, 50, ToleranceForm::Bounds, 9),
    ];
    for (milli, target, form, replicas) in rows {
        let proposal = utilization(10, &[Some(sample(milli)); 10], target, form);
        assert_eq!(proposal.replicas, replicas, "{milli} m of {target} %, {form:?}: {proposal:?}");
    }
}

#[test]
fn missing_pods_are_busy_on_the_way_down_and_idle_on_the_way_up() {
    let with_missing = |milli, target| {
        let samples = [Some(sample(milli)), Some(sample(milli)), Some(sample(milli)), None];
        utilization(4, &samples, target, ToleranceForm::Bounds)
    };
    let down = with_missing(200, 60);
    // (3 * 200 + 1000) / 4000 = 40 %; 40/60 * 4 = 2.67
    assert_eq!(down.second.map(|second| second.missing_as), Some(Fill::PercentOfRequest(100)));
    assert_eq!((down.replicas, down.rule), (3, Rule::SecondTimesValues(4)));
    let down = with_missing(800, 150);
    // (3 * 800 + 1500) / 4000 = 97 %; 97/150 * 4 = 2.59
    assert_eq!(down.second.map(|second| second.missing_as), Some(Fill::PercentOfRequest(150)));
    assert_eq!((down.replicas, down.rule), (3, Rule::SecondTimesValues(4)));
    let up = with_missing(800, 60);
    assert_eq!(up.second.map(|second| second.missing_as), Some(Fill::Idle));
    assert_eq!((up.replicas, up.rule), (4, Rule::SecondWithinTolerance));
    let up = with_missing(700, 60);
    assert_eq!((up.replicas, up.rule), (4, Rule::SecondTurnsBack));
    let even = with_missing(600, 60);
    assert_eq!(even.second.map(|second| (second.missing_as, second.values)), Some((Fill::Nothing, 3)));
    assert_eq!((even.replicas, even.rule), (4, Rule::SecondWithinTolerance));
}

#[test]
fn a_count_against_the_direction_is_rejected() {
    // Two pods far above target, but the scale says six: 2.0 * 2 = 4 is fewer.
    let mut samples = vec![Some(sample(1_000)), Some(sample(1_000))];
    samples.push(None);
    let proposal = utilization(6, &samples, 30, ToleranceForm::Bounds);
    // 2000 / 3000 = 66 %, 66/30 = 2.2, times 3 = 6.6
    assert_eq!((proposal.replicas, proposal.rule), (7, Rule::SecondTimesValues(3)));
    let proposal = utilization(9, &samples, 30, ToleranceForm::Bounds);
    assert_eq!((proposal.replicas, proposal.rule), (9, Rule::CountTurnsBack { rejected: 7 }));
}

#[test]
fn each_group_has_its_reason() {
    let young = PodView { start_time: Some(SimTime::from_secs(9_900)), ..pod() };
    let ready = |is_true, since| Some(ReadyCondition { is_true, since: SimTime::from_secs(since) });
    let old = PodView { start_time: Some(SimTime::from_secs(1_000)), ..pod() };
    let rows = [
        (PodView { deleting: true, phase: PodPhase::Failed, ..pod() }, Group::Ignored(Ignored::Deleting)),
        (PodView { phase: PodPhase::Failed, ..pod() }, Group::Ignored(Ignored::Failed)),
        (PodView { phase: PodPhase::Pending, ..pod() }, Group::Unready(Unready::Pending)),
        (PodView { ready: None, ..pod() }, Group::Unready(Unready::NotStarted)),
        (PodView { start_time: None, ..pod() }, Group::Unready(Unready::NotStarted)),
        (PodView { ready: ready(false, 9_950), ..young }, Group::Unready(Unready::YoungNotReady)),
        (PodView { ready: ready(true, 9_986), ..young }, Group::Unready(Unready::YoungSample)),
        (PodView { ready: ready(true, 9_985), ..young }, Group::Counted),
        (PodView { ready: ready(false, 1_029), ..old }, Group::Unready(Unready::NeverReady)),
        (PodView { ready: ready(false, 1_030), ..old }, Group::Counted),
        (PodView { ready: ready(true, 9_999), ..old }, Group::Counted),
    ];
    for (pod, group) in rows {
        assert_eq!(group_of(&pod, Some(sample(1)), Some(&cpu())), group, "{pod:?}");
    }
    let unready = PodView { ready: ready(false, 9_950), ..young };
    assert_eq!(group_of(&unready, Some(sample(1)), None), Group::Counted, "only CPU asks for readiness");
    assert_eq!(group_of(&unready, None, Some(&cpu())), Group::Missing, "missing comes before unready");
}

#[test]
fn problems_are_told_apart() {
    let pods = [pod(), pod()];
    let form = ToleranceForm::Bounds;
    let calculator = Calculator { tolerance: tolerance(form), current: 2, pods: &pods };
    let ask = |samples: &[Option<Sample>], strays: &[i64], requests| {
        calculator
            .utilization(PodSamples { samples, strays }, requests, Some(&cpu()), 50)
            .map(|found| found.replicas)
    };
    let none = [None, None];
    let some = [Some(sample(900)), Some(sample(900))];
    let requests = [1_000, 1_000];
    assert_eq!(ask(&none, &[], Ok(&requests)), Err(MetricProblem::NothingReturned));
    assert_eq!(ask(&none, &[5], Ok(&requests)), Err(MetricProblem::NothingMatched));
    assert_eq!(ask(&some, &[], Ok(&[0, 0])), Err(MetricProblem::NothingMatched));
    let problem = RequestProblem::ContainerWithoutRequest;
    assert_eq!(ask(&some, &[], Err(problem)), Err(MetricProblem::Request(problem)));
    let idle = [PodView { phase: PodPhase::Pending, ..pod() }; 2];
    let calculator = Calculator { pods: &idle, ..calculator };
    let found = calculator.average(PodSamples { samples: &some, strays: &[] }, None, 50);
    assert_eq!(found, Err(MetricProblem::NoUsablePod));
    let calculator = Calculator { pods: &[], ..calculator };
    let found = calculator.average(PodSamples { samples: &[], strays: &[7] }, None, 50);
    assert_eq!(found, Err(MetricProblem::NoPods));
    assert_eq!(calculator.whole_value(100, 10), Err(MetricProblem::NoPods));
}

#[test]
fn no_replica_is_no_division_by_zero() {
    let calculator = Calculator { tolerance: tolerance(ToleranceForm::Bounds), current: 0, pods: &[] };
    assert_eq!(calculator.value_per_replica(0, 0, 10).replicas, 0);
    assert_eq!(calculator.value_per_replica(25, 0, 10).replicas, 3);
    assert_eq!(
        calculator.whole_value(1, 10).map(|found| (found.replicas, found.rule)),
        Ok((1, Rule::FromZero))
    );
}

proptest! {
    #[test]
    fn more_load_never_asks_for_fewer(
        levels in prop::collection::vec(prop::option::of(0_i64..4_000), 1..30),
        more in 1_i64..3_000,
        target in 1_i32..200,
        current in 1_u32..60,
    ) {
        prop_assume!(levels.iter().any(Option::is_some));
        let with = |extra: i64| -> u32 {
            let samples: Vec<_> = levels.iter().map(|level| level.map(|milli| sample(milli + extra))).collect();
            utilization(current, &samples, target, ToleranceForm::Bounds).replicas
        };
        let (before, after) = (with(0), with(more));
        // Where the scale and the number of pods agree, the count only rises
        // with the load; else "no change" may lie above what the pods ask for.
        if current as usize == levels.len() {
            prop_assert!(after >= before, "{before} then {after}");
        }
    }

    #[test]
    fn the_mean_of_equal_pods_is_kept_below_the_target(
        pods in 1_usize..200,
        milli in 0_i64..10_000,
        target in 1_i64..10_000,
    ) {
        let views = vec![pod(); pods];
        let samples = vec![Some(sample(milli)); pods];
        let calculator = Calculator { tolerance: tolerance(ToleranceForm::Bounds), current: pods as u32, pods: &views };
        let found = calculator.average(PodSamples { samples: &samples, strays: &[] }, None, target).expect("values");
        if found.rule == Rule::WithinTolerance {
            prop_assert_eq!(found.replicas as usize, pods);
        } else {
            let total = milli as f64 * pods as f64;
            let capacity = f64::from(found.replicas) * target as f64;
            prop_assert!(capacity + 1e-6 * capacity >= total);
            prop_assert!(capacity - total <= target as f64 + 1e-6 * capacity);
        }
    }
}
