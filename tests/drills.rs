//! `plan drill` on the embedded application: every drill strikes, and what it
//! costs follows from Kubernetes' rules.

use kubeplan::input::{Loaded, Request, load};
use kubeplan::judge::Outcome;
use kubeplan::judge::drill::{summary, year};
use kubeplan::judge::estimate::over_replications;
use kubeplan::judge::promises::{self, Exercised};
use kubeplan::observe::Cause;
use kubeplan::run::{Held, Replications, Watched, drill, until_sure};
use kubeplan::scenario::catalogue::{self, busiest, exercises, usual_name};
use kubeplan::scenario::{
    Breaker, Call, Comparison, Drill, DrillRule, Failure, FailureRatio, Fidelity, Indicator, Objective,
    Retry, RetryBudget, Scenario, Scope, Share, Step, Target, Upstream,
};
use kubeplan::sim::random::Seed;
use kubeplan::units::SimDuration;
use kubeplan::world::{Run, simulate};
use support::{exponential, scenario, workload};

mod support;

fn embedded(users: f64) -> Scenario {
    let request = Request { users: Some(users), ..Request::default() };
    let Loaded { scenario, .. } = load(&request).expect("the embedded application reads");
    scenario
}

fn hold(scenario: &Scenario, names: &[&str], seed: u64, replications: u32) -> Vec<Held> {
    let target = busiest(scenario).expect("users ask somebody");
    let mut all = exercises(scenario, target);
    all.retain(|one| names.is_empty() || names.contains(&one.name.as_str()));
    assert!(names.is_empty() || all.len() == names.len(), "{names:?}");
    drill(scenario, &all, 0.999, seed, (replications, Watched::ToTheEnd), |_| ()).1
}

#[test]
fn every_drill_strikes_somebody() {
    let held = hold(&embedded(300.0), &[], 1, 1);
    assert!(held.len() >= 25, "{} drills", held.len());
    for one in &held {
        assert_eq!(one.costs.len(), 1, "{} struck", one.exercise.name);
        assert!(!one.costs[0].whom.is_empty() && !one.costs[0].whom.starts_with("no "), "{:?}", one.costs[0]);
        assert_eq!(one.exercise.name, usual_name(&one.exercise.name), "no synonym is a name");
        assert!(one.exercise.per_year > 0.0);
    }
}

#[test]
fn drills_that_share_a_warm_up_are_the_runs_they_would_be_alone() {
    // Users think in a closed loop, and requests come at a rate: what parts how differs.
    let open = scenario(vec![workload("web", 2, vec![Step::Compute(exponential(0.01))])], 40.0, 30);
    for (scenario, apart) in [(embedded(300.0), 0), (open, 3)] {
        let held = hold(&scenario, &[], 7, 2);
        let at_peak = Scenario { fidelity: Fidelity::Full, ..catalogue::at_peak(&scenario) };
        for one in &held {
            let alone = catalogue::held(&at_peak, &one.exercise);
            for (replication, run) in (0..).zip(&one.runs) {
                let alone = simulate(&alone, Seed { base: 7, replication });
                assert_eq!(alone.fingerprint, run.fingerprint, "{}", one.exercise.name);
                assert!(alone == *run, "{} differs in what is seen", one.exercise.name);
            }
        }
        // More load is foreseen by what draws arrivals at a rate.
        let parts = |one: &&Held| Run::may_part(&catalogue::held(&at_peak, &one.exercise));
        assert_eq!(held.len() - held.iter().filter(parts).count(), apart, "of {}", held.len());
    }
}

#[test]
fn a_drill_watched_until_recovery_is_the_beginning_of_the_whole() {
    let scenario = embedded(300.0);
    let target = busiest(&scenario).expect("users ask somebody");
    let all = exercises(&scenario, target);
    let watch = |watched| drill(&scenario, &all, 0.999, 5, (2, watched), |_| ()).1;
    let (whole, short) = (watch(Watched::ToTheEnd), watch(Watched::UntilRecovered));
    let mut shorter = Vec::new();
    for (whole, short) in whole.iter().zip(&short) {
        let name = whole.exercise.name.as_str();
        for (whole, short) in whole.runs.iter().zip(&short.runs) {
            assert_eq!(whole.watch.rows[..short.watch.rows.len()], short.watch.rows, "{name}");
        }
        if short.runs.iter().zip(&whole.runs).all(|(short, whole)| short.end < whole.end) {
            shorter.push(name);
        }
        // Half a minute without a sign of it is the end of it.
        for (whole, short) in whole.costs.iter().zip(&short.costs).filter(|_| shorter.contains(&name)) {
            assert_eq!(short.users_recovered, whole.users_recovered, "{name}");
            assert_eq!(short.capacity_restored, whole.capacity_restored, "{name}");
        }
    }
    for name in ["pod-kill", "rollout", "pod-hang", "node-drain"] {
        assert!(shorter.contains(&name), "{name} is not among {shorter:?}");
    }
    // Autoscalers follow a load that is gone for minutes.
    for name in ["load-spike", "rollout-under-spike"] {
        assert!(!shorter.contains(&name), "{name}");
    }
}

#[test]
fn recoveries_follow_from_the_rules() {
    let names = ["node-failure", "node-terminate", "pod-kill", "rollout", "metrics-outage"];
    let held = hold(&embedded(3_000.0), &names, 3, 3);
    let of = |name: &str| held.iter().find(|one| one.exercise.name == name).expect("it was held");
    for cost in &of("node-failure").costs {
        // Endpoints leave 40 to 60 s after the loss, replacements come 300 s after the taint.
        assert!(cost.users_recovered.is_none_or(|time| time > 38.0), "{cost:?}");
        assert!(cost.capacity_restored.is_none_or(|time| time > 345.0), "{cost:?}");
        assert!(cost.lost > 0.0);
    }
    for cost in &of("node-terminate").costs {
        // 40 to 60 s until it counts as silent, 5 s until the cloud is asked, 40 to 60 s until
        // the garbage collector takes its pods; then a node may have to come and they start. A
        // database's volume stays with the dead node for six minutes more.
        let time = cost.capacity_restored.expect("pods without a node are replaced");
        let in_time = |time: f64| (80.0..330.0).contains(&time);
        assert!(in_time(time) || in_time(time - 360.0), "{cost:?}");
    }
    for cost in &of("pod-kill").costs {
        // Set-up, start-up and the readiness probe's round.
        let time = cost.capacity_restored.expect("the ReplicaSet makes another");
        assert!((4.0..40.0).contains(&time), "{cost:?}");
    }
    let rollout = &of("rollout").runs[0].rollouts[0];
    assert!(rollout.completed.is_some() && rollout.timed_out.is_none(), "{rollout:?}");
    assert!(of("metrics-outage").runs[0].decisions.iter().all(|one| {
        // Blind HPAs decide nothing once the last metrics have aged away.
        let struck = of("metrics-outage").costs[0].struck;
        one.time < struck
            || one.time.since(struck).as_secs_f64() > 100.0
            || one.time.since(struck).as_secs_f64() < 16.0
    }));
}

#[test]
fn a_promise_that_no_setting_keeps_is_said_to_be_out_of_reach() {
    let scenario = embedded(3_000.0);
    let held = hold(&scenario, &["node-failure"], 1, 3);
    let summary = summary(&held[0].costs, 0.95);
    let exercised = [Exercised { exercise: &held[0].exercise, summary: &summary, run: &held[0].runs[0] }];
    let judged = promises::judge(&scenario, &exercised, None);
    let promise = judged
        .iter()
        .find(|one| scenario.goals.objectives[one.objective].indicator == Indicator::UsersRecovered)
        .expect("the seed promises it");
    assert_eq!(promise.judged.outcome, Outcome::Missed);
    let words = promise.judged.because.join(" ");
    assert!(words.contains("out of reach") && words.contains("node-monitor-grace-period 50"), "{words}");
    assert!(words.contains("has not been heard of"), "the chain of what happened: {words}");
}

#[test]
fn the_verdict_does_not_turn_with_the_seed() {
    // Five drills, twenty seeds: the same verdict, or unsure.
    let scenario = embedded(1_000.0);
    let names = ["pod-kill", "node-failure", "network-delay", "rollout-image-missing", "network-partition"];
    let mut seen: Vec<Vec<Outcome>> = vec![Vec::new(); names.len()];
    for seed in 1..=20 {
        for (number, one) in hold(&scenario, &names, seed, 3).iter().enumerate() {
            let summary = summary(&one.costs, 0.95);
            let exercised = [Exercised { exercise: &one.exercise, summary: &summary, run: &one.runs[0] }];
            for promise in promises::judge(&scenario, &exercised, None) {
                let recovery =
                    scenario.goals.objectives[promise.objective].indicator == Indicator::UsersRecovered;
                if recovery && promise.judged.outcome != Outcome::Unsure {
                    seen[number].push(promise.judged.outcome);
                }
            }
        }
    }
    for outcomes in seen {
        assert!(outcomes.len() >= 10, "mostly sure: {outcomes:?}");
        assert!(outcomes.iter().all(|one| *one == outcomes[0]), "{outcomes:?}");
    }
}

#[test]
fn a_failure_mode_at_rate_zero_moves_the_year_by_its_row() {
    let mut scenario = embedded(1_000.0);
    let held = hold(&scenario, &["node-drain", "container-kill", "network-partition"], 5, 3);
    let target = busiest(&scenario).expect("users ask somebody");
    let steady = over_replications(&[1.0, 1.0], 0.95);
    let of = |scenario: &Scenario| {
        let rates = exercises(scenario, target);
        let rate = |name: &str| rates.iter().find(|one| one.name == name).map_or(0.0, |one| one.per_year);
        let mode = |one: &Held| (rate(&one.exercise.name), summary(&one.costs, 0.95).lost_seconds);
        year(steady, &held.iter().map(mode).collect::<Vec<_>>())
    };
    let all = of(&scenario);
    for (number, one) in held.iter().enumerate() {
        let name = one.exercise.name.clone();
        scenario.goals.drills = vec![DrillRule { name, per_year: Some(0.0), counts: true }];
        let moved = of(&scenario).availability.value - all.availability.value;
        assert!((moved - all.modes[number].value).abs() < 1e-12, "{}: {moved}", one.exercise.name);
        assert!(one.exercise.name != "network-partition" || moved > 0.0, "it costs requests");
    }
}

#[test]
fn a_lossy_network_is_slow_first_and_cuts_off_last() {
    let held = hold(&embedded(1_000.0), &["network-loss", "network-partition"], 2, 3);
    for (loss, partition) in held[0].costs.iter().zip(&held[1].costs) {
        // A tenth of the packets is sent again after 200 ms, a hundredth after 600 ms: users
        // who wait ten seconds hardly lose any, and see it in the latency.
        assert!(loss.lost_seconds < 1.0, "{loss:?}");
        assert!(loss.slowest > SimDuration::from_millis(600), "{loss:?}");
        assert!(partition.lost_seconds > 10.0 * loss.lost_seconds.max(0.1), "{partition:?}");
    }
}

/// How many requests fail at a server behind an ingress of which so many pods crash.
fn refusing(pods: u32, crash: u32, tries: u8, budget: Option<u32>) -> u64 {
    let mut web = workload("web", pods, vec![Step::Compute(exponential(0.001))]);
    web.behind_ingress = true;
    web.behaviour.ingress.tries = tries;
    web.behaviour.ingress.budget = budget.map(|percent| RetryBudget { share: percent * 10 });
    let mut scenario = scenario(vec![web], 50.0, 600);
    let crash = Failure::CrashLoop { workload: 0, pods: Share::Count(crash) };
    let (from, lasts) = (SimDuration::from_secs(60), Some(SimDuration::from_secs(300)));
    scenario.drills = vec![Drill { name: "crash-loop".to_owned(), from, until: from, lasts, what: crash }];
    let run = simulate(&scenario, Seed { base: 4, replication: 0 });
    run.journeys[0].failed()
}

#[test]
fn an_ingress_tries_again_while_its_budget_lasts() {
    let [free, none, tenth] = [None, Some(0), Some(10)].map(|budget| refusing(4, 2, 3, budget));
    assert!(free < tenth && tenth < none, "{free}, {tenth}, {none}");
    // What one pod refuses gets its next turn at another: at the one that is left, if one is.
    let (alone, once) = (refusing(2, 1, 2, None), refusing(2, 1, 1, None));
    assert!(alone < once / 10, "{alone}, {once}");
}

#[test]
fn an_ingress_leaves_a_dead_node_s_pods_after_five_seconds() {
    // One of four nodes is without power for less time than anybody needs to notice.
    let (rate, dead, share) = (200.0, 38.0, 0.25_f64);
    // Ingress and its tries, then how many fail: all whose tries meet the node's pods while
    // it is dead, each 5 s after the one before.
    for (behind_ingress, tries, failed) in [
        (true, 1, rate * dead * share),
        (true, 2, rate * (dead - 5.0) * share.powi(2)),
        (true, 3, rate * (dead - 10.0) * share.powi(3)),
        // Within the cluster nobody gives a connection up before the caller does.
        (false, 3, 0.0),
    ] {
        let mut web = workload("web", 8, vec![Step::Compute(exponential(0.001))]);
        web.behind_ingress = behind_ingress;
        web.behaviour.ingress.tries = tries;
        let mut scenario = scenario(vec![web], rate, 120);
        let pool = &mut scenario.cluster.pools[0];
        (pool.count, pool.min, pool.max) = (4, 4, 4);
        let (from, lasts) = (SimDuration::from_secs(30), Some(SimDuration::from_secs(38)));
        let what = Failure::NodeLoss { nodes: 1, gone: false };
        scenario.drills = vec![Drill { name: "node".to_owned(), from, until: from, lasts, what }];
        let run = simulate(&scenario, Seed { base: 4, replication: 0 });
        let seen = &run.journeys[0];
        // Others are refused while containers start again.
        let given_up = seen.failures[Cause::Timeout as usize] as f64;
        let what = format!("{tries} tries, ingress {behind_ingress}: {given_up} failed, not {failed}");
        assert!((given_up - failed).abs() <= 4.0 * failed.sqrt(), "{what}");
        // Who fails has waited for each try; who was saved, for those that failed.
        let slow = 1.0 - seen.latency.share_within(SimDuration::from_millis(4_900));
        assert_eq!(slow > 0.0, behind_ingress && tries > 1, "{what}");
    }
}

#[test]
fn verdicts_of_runs_do_not_turn_with_the_seed() {
    // M/M/1 at 60 % of 100/s: sojourn times are exponential with a mean of 25 ms.
    let p95 = 0.025 * 20.0_f64.ln();
    let mut web = workload("web", 1, vec![Step::Compute(exponential(0.01))]);
    web.behaviour.threads = Some(1);
    let mut scenario = scenario(vec![web], 60.0, 600);
    scenario.warm_up = SimDuration::from_secs(30);
    let factors = [0.8, 0.95, 1.05, 1.25];
    scenario.goals.objectives = factors
        .iter()
        .map(|factor| Objective {
            name: format!("p95 within {factor}"),
            indicator: Indicator::Latency { quantile: 0.95 },
            scope: Scope::All,
            comparison: Comparison::AtMost,
            goal: p95 * factor,
        })
        .collect();
    let verdicts: Vec<_> =
        (1..=20).map(|seed| until_sure(&scenario, seed, Replications::UntilSure, |_| ()).1).collect();
    for (number, factor) in factors.iter().enumerate() {
        let of = |outcome| verdicts.iter().filter(|one| one.objectives[number].outcome == outcome).count();
        let (met, missed) = (of(Outcome::Met), of(Outcome::Missed));
        assert!(met == 0 || missed == 0, "p95 within {factor}: {met} met, {missed} missed");
        let clear = (factor - 1.0).abs() > 0.1;
        assert!(!clear || met + missed >= 15, "p95 within {factor}: {met} met, {missed} missed");
    }
}

/// A server of two cores at 60 % that takes whatever comes, behind clients that
/// give up after a second and a half and try again at once, and a spike.
fn storm(attempts: u32) -> Scenario {
    let mut web = workload("web", 1, vec![Step::Compute(exponential(0.02))]);
    web.behaviour.threads = Some(2);
    let mut storm = scenario(vec![web], 60.0, 600);
    storm.warm_up = SimDuration::from_secs(60);
    let visit = &mut storm.demand.journeys[0].visits[0];
    visit.timeout = SimDuration::from_millis(1_500);
    let backoff = SimDuration::from_millis(50);
    visit.retry = Retry { attempts, backoff, max_backoff: backoff, jitter: 0.5, budget: None };
    storm
}

#[test]
fn a_retry_storm_outlives_its_trigger_and_is_named() {
    // Further attempts, how many of a hundred requests may be tried again, whether it stays.
    for (attempts, budget, metastable) in [(3, None, true), (0, None, false), (3, Some(10), false)] {
        let mut scenario = storm(attempts);
        let token = RetryBudget::TOKEN;
        scenario.demand.journeys[0].visits[0].retry.budget =
            budget.map(|percent: u32| RetryBudget { share: percent * token / 100 });
        let target = busiest(&scenario).expect("users ask it");
        let mut all = exercises(&scenario, target);
        all.retain(|one| one.name == "load-spike");
        let held = drill(&scenario, &all, 0.99, 3, (3, Watched::ToTheEnd), |_| ()).1;
        let spike = summary(&held[0].costs, 0.95);
        assert_eq!(
            spike.metastable.map(|(_, times)| times),
            metastable.then_some(3),
            "{attempts} further attempts, {budget:?} of a hundred"
        );
        assert_eq!(spike.users_recovered.is_none(), metastable, "{spike:?}");
    }
}

/// The same server behind pods that call it, give up after a second and a half and try
/// again at once.
fn storm_between(breaker: Option<Breaker>) -> Scenario {
    let mut storm = storm(0);
    let backoff = SimDuration::from_millis(50);
    let call = Call {
        target: Target::Operation { workload: 1, operation: 0 },
        probability: 1.0,
        timeout: Some(SimDuration::from_millis(1_500)),
        retry: Retry { attempts: 3, backoff, max_backoff: backoff, jitter: 0.5, budget: None },
        required: true,
    };
    let mut front = workload("front", 2, vec![Step::Call(call)]);
    front.behaviour.upstreams = vec![Upstream { breaker, ..Upstream::to(1) }];
    storm.workloads.insert(0, front);
    storm.demand.journeys[0].visits[0].timeout = SimDuration::from_secs(20);
    storm
}

#[test]
fn a_circuit_breaker_lets_a_server_come_up_again() {
    let wait = SimDuration::from_secs(5);
    let ratio = FailureRatio { threshold: 500_000, window: 100, least: 100, wait, half_open: 10 };
    for (breaker, metastable) in
        [(None, true), (Some(Breaker { max_requests: None, ratio: Some(ratio) }), false)]
    {
        let scenario = storm_between(breaker);
        let target = busiest(&scenario).expect("users ask it");
        let mut all = exercises(&scenario, target);
        all.retain(|one| one.name == "load-spike");
        let held = drill(&scenario, &all, 0.99, 3, (3, Watched::ToTheEnd), |_| ()).1;
        let spike = summary(&held[0].costs, 0.95);
        assert_eq!(spike.metastable.map(|(_, times)| times), metastable.then_some(3), "{breaker:?}");
        assert_eq!(spike.users_recovered.is_none(), metastable, "{spike:?}");
    }
}
