//! Objectives against observations.

use kubeplan::judge::{Outcome, Verdict, judge, more_needed};
use kubeplan::observe::{Cause, Observations, Stop};
use kubeplan::scenario::Comparison::{AtLeast, AtMost};
use kubeplan::scenario::{Indicator, Objective, Rule, Scope};

use crate::made_up::{CHAT, mixed_objectives, objective, runs, scenario};

fn one(objective: &Objective, runs: &[Observations]) -> Verdict {
    judge(&scenario(vec![objective.clone()]), runs)
}

#[test]
fn every_indicator_is_measured_on_what_it_is_about() {
    let runs = runs(3);
    let all = Scope::All;
    let chat = || Scope::Workload(CHAT);
    let rows = [
        (objective("a", Indicator::Availability, all.clone(), AtLeast, 0.9), Outcome::Met),
        (objective("b", Indicator::Availability, all.clone(), AtLeast, 0.999), Outcome::Missed),
        (objective("c", Indicator::FailedRequests, Scope::Journey(1), AtMost, 0.0), Outcome::Missed),
        (objective("d", Indicator::Latency { quantile: 0.5 }, all.clone(), AtMost, 0.1), Outcome::Met),
        (objective("e", Indicator::Throughput, all.clone(), AtLeast, 1e6), Outcome::Missed),
        (objective("f", Indicator::ReplicasMax, chat(), AtMost, 10.0), Outcome::Met),
        (objective("g", Indicator::ReplicasMax, chat(), AtMost, 9.0), Outcome::Missed),
        (objective("h", Indicator::ReplicasMin, chat(), AtLeast, 3.0), Outcome::Met),
        (objective("i", Indicator::NodesMax, all.clone(), AtMost, 5.0), Outcome::Met),
        (objective("j", Indicator::NodesMin, all.clone(), AtLeast, 4.0), Outcome::Missed),
        (objective("j2", Indicator::PodsMin, all.clone(), AtLeast, 1.0), Outcome::Missed),
        (objective("k", Indicator::PendingPodSeconds, chat(), AtMost, 60.0), Outcome::Missed),
        (objective("l", Indicator::PendingPodSeconds, Scope::Workload(0), AtMost, 60.0), Outcome::Met),
        (objective("m", Indicator::Restarts, all.clone(), AtMost, 0.0), Outcome::Met),
        (objective("n", Indicator::ScaleEventsPerHour, chat(), AtMost, 6.0), Outcome::Met),
        (objective("o", Indicator::CostPerMonth, all.clone(), AtMost, 100.0), Outcome::Missed),
        (objective("p", Indicator::UsersRecovered, all.clone(), AtMost, 30.0), Outcome::NotJudged),
        (objective("q", Indicator::AvailabilityPerYear, all.clone(), AtLeast, 0.999), Outcome::NotJudged),
        (objective("r", Indicator::NodesMax, Scope::Journey(0), AtMost, 5.0), Outcome::Met),
        (objective("s", Indicator::ReplicasMax, Scope::Journey(0), AtMost, 5.0), Outcome::NotJudged),
    ];
    for (objective, wanted) in rows {
        let verdict = one(&objective, &runs);
        let seen = &verdict.objectives[0];
        assert_eq!(seen.outcome, wanted, "{}: {:?}", objective.name, seen.measured);
        assert_eq!(verdict.outcome, wanted, "{}", objective.name);
    }
}

#[test]
fn an_interval_that_straddles_the_goal_is_unsure_and_asks_for_more() {
    let runs = runs(4);
    let throughput = objective("t", Indicator::Throughput, Scope::All, AtLeast, 0.0);
    let estimate = one(&throughput, &runs).objectives[0].measured.unwrap();
    let (low, high) = estimate.interval.unwrap();
    assert!(low < estimate.value && estimate.value < high);
    for (goal, wanted) in
        [(low - 1e-6, Outcome::Met), (estimate.value, Outcome::Unsure), (high + 1e-6, Outcome::Missed)]
    {
        let verdict = one(&Objective { goal, ..throughput.clone() }, &runs);
        assert_eq!(verdict.outcome, wanted, "goal {goal} in {low} to {high}");
        assert_eq!(more_needed(&verdict), wanted == Outcome::Unsure);
    }
}

#[test]
fn one_replication_is_never_sure() {
    let verdict = one(&objective("n", Indicator::NodesMax, Scope::All, AtMost, 99.0), &runs(1));
    assert_eq!(verdict.outcome, Outcome::Unsure);
    assert!(verdict.objectives[0].because[0].contains("one replication"), "{verdict:?}");
}

#[test]
fn a_run_that_was_stopped_meets_nothing() {
    let mut runs = runs(3);
    runs[1].stopped = Some(Stop::InFlight(4_000_000));
    let verdict = one(&objective("n", Indicator::NodesMax, Scope::All, AtMost, 99.0), &runs);
    assert_eq!(verdict.outcome, Outcome::Unsure);
    assert!(verdict.remarks[0].contains("more than 4,000,000 calls were in flight"), "{:?}", verdict.remarks);
}

#[test]
fn no_answer_at_all_is_a_miss_and_nobody_asking_is_not() {
    let mut runs = runs(3);
    for run in &mut runs {
        run.journeys[0].answered = 0;
        run.journeys[0].latency.clear();
        run.journeys[1] = kubeplan::observe::Traffic::default();
    }
    let latency = Indicator::Latency { quantile: 0.99 };
    let of = |journey| {
        one(&objective("l", latency, Scope::Journey(journey), AtMost, 1.0), &runs).objectives[0].outcome
    };
    assert_eq!((of(0), of(1)), (Outcome::Missed, Outcome::NotJudged));
}

#[test]
fn a_rule_that_has_nothing_to_judge_is_not_missed() {
    let rule = |text: &str, runs: &[Observations]| {
        let mut scenario = scenario(vec![objective("r", Indicator::Rule(0), Scope::All, AtLeast, 1.0)]);
        scenario.goals.rules = vec![Rule { text: text.to_owned() }];
        judge(&scenario, runs).objectives.remove(0)
    };
    let name = scenario(Vec::new()).demand.journeys[1].name.clone();
    let share = format!("journeys['{name}'].failed / journeys['{name}'].requests < 0.5");
    let mut quiet = runs(3);
    assert_eq!(rule(&share, &quiet).outcome, Outcome::Met);
    quiet[0].journeys[1] = kubeplan::observe::Traffic::default();
    let some = rule(&share, &quiet);
    assert_eq!(some.outcome, Outcome::Unsure);
    assert!(some.because[0].contains("in 1 of 3 replications: nothing to judge"), "{:?}", some.because);
    for run in &mut quiet {
        run.journeys[1] = kubeplan::observe::Traffic::default();
    }
    let all = rule(&share, &quiet);
    assert_eq!(all.outcome, Outcome::NotJudged);
    assert!(all.because[0].contains("zero by zero"), "{:?}", all.because);
    let late = rule(&format!("journeys['{name}'].p95 < 1.0"), &quiet);
    assert_eq!(late.outcome, Outcome::NotJudged, "nobody asked: {:?}", late.because);
    for run in &mut quiet {
        run.journeys[1].arrived = 5;
    }
    let unanswered = rule(&format!("journeys['{name}'].p95 < 1.0"), &quiet);
    assert_eq!(unanswered.outcome, Outcome::Missed, "asked and not answered: {:?}", unanswered.because);
}

#[test]
fn users_are_carried_up_to_where_requests_fail() {
    let verdict = judge(&scenario(mixed_objectives()), &runs(3));
    // Failures set in above 80 % of 100,000 users; a little above, their share
    // in the band is still within 0.1 %.
    let carried = verdict.objectives[4].measured.unwrap().value;
    assert!((80_000.0..86_000.0).contains(&carried), "{carried}");
}

#[test]
fn reasons_lead_to_the_root_and_name_the_setting() {
    let verdict = judge(&scenario(mixed_objectives()), &runs(3));
    let because = verdict.objectives[0].because.join("\n");
    for words in [
        "of requests failed",
        "the failures lead through api-gateway to chat-service",
        "its HPA asked for more than its maximum of 10 replicas from 0:12:30 on (for 47 min in all)",
        "of 5 cores allowed (10 × 500m)",
        "92.8 % of 100 ms periods throttled",
        "3 Insufficient cpu",
        "what binds: ",
        "spec.maxReplicas: 10 of HPA chat-service-hpa",
    ] {
        assert!(because.contains(words), "no \"{words}\" in:\n{because}");
    }
}

#[test]
fn what_began_in_the_warm_up_is_not_said_to_begin_after_it() {
    let mut runs = runs(3);
    for run in &mut runs {
        run.workloads[CHAT].held_at_max_since = Some(run.start);
    }
    let because = judge(&scenario(mixed_objectives()), &runs).objectives[0].because.join("\n");
    assert!(because.contains("10 replicas already when observation began at 0:05:00"), "{because}");
}

#[test]
fn failures_outside_the_cluster_are_followed_there() {
    let mut scenario = scenario(vec![objective("a", Indicator::Availability, Scope::All, AtLeast, 0.999)]);
    let mut runs = runs(3);
    let steps = &mut scenario.workloads[CHAT].behaviour.operations[0].steps;
    let kubeplan::scenario::Step::Call(call) = &mut steps[0] else { panic!("the made-up steps are calls") };
    call.target = kubeplan::scenario::Target::External(0);
    for run in &mut runs {
        let failures = &mut run.workloads[CHAT].traffic.failures;
        *failures = [0; Cause::COUNT];
        failures[Cause::ExternalQuota as usize] = 500;
        run.externals[0].failures[Cause::ExternalQuota as usize] = 500;
    }
    let because = judge(&scenario, &runs).objectives[0].because.join("\n");
    assert!(because.contains("to push-gateway, outside the cluster"), "{because}");
    assert!(because.contains("its quota is 500 calls a second"), "{because}");
}

#[test]
fn judging_is_a_function_of_its_input() {
    let (scenario, runs) = (scenario(mixed_objectives()), runs(5));
    assert_eq!(judge(&scenario, &runs), judge(&scenario, &runs));
}
