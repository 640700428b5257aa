//! Rollouts driven by the rules alone.

use proptest::prelude::{prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;

use super::*;

fn rolling(replicas: u32, max_surge: IntOrPercent, max_unavailable: IntOrPercent) -> DeploymentView {
    let strategy = Strategy::RollingUpdate { max_surge, max_unavailable };
    DeploymentView { replicas, strategy, paused: false, status_replicas: replicas }
}

fn set(spec: u32, available: u32, age: u64) -> ReplicaSetView {
    ReplicaSetView { spec, available, ready: available, created: SimTime::from_secs(age), noted: None }
}

/// The ReplicaSets of a Deployment, driven by the rules alone.
struct Sets {
    deployment: DeploymentView,
    new: Option<ReplicaSetView>,
    old: Vec<ReplicaSetView>,
}

impl Sets {
    fn total(&self) -> u32 {
        self.new.iter().chain(&self.old).map(|set| set.spec).sum()
    }

    fn available(&self) -> u32 {
        self.new.iter().chain(&self.old).map(|set| set.available).sum()
    }

    /// Carries one decision out; a smaller set loses its unavailable pods first.
    fn sync(&mut self) -> Because {
        let decision = sync(&self.deployment, self.new, &self.old, false);
        let note = Some(self.deployment.note());
        if let Some(spec) = decision.create {
            self.new = Some(ReplicaSetView {
                spec,
                noted: note,
                created: SimTime::from_secs(1_000),
                ..ReplicaSetView::default()
            });
        }
        for resize in decision.resizes {
            let set = match resize.set {
                Set::New => self.new.as_mut().expect("only a set that exists is resized"),
                Set::Old(i) => &mut self.old[i],
            };
            assert_eq!(set.spec, resize.from);
            (set.spec, set.noted, set.available) = (resize.to, note, set.available.min(resize.to));
        }
        decision.because
    }

    fn is_done(&self) -> bool {
        let replicas = self.deployment.replicas;
        self.old.iter().all(|set| set.spec == 0)
            && self.new.is_some_and(|new| new.spec == replicas && new.available == replicas)
    }
}

proptest! {
    /// However pods become available, a rollout keeps inside its fence posts and ends.
    #[test]
    fn a_rollout_keeps_its_bounds_and_ends(
        replicas in 0_u32..40,
        surge in prop_oneof![(0_i64..6).prop_map(IntOrPercent::Int), (0_i64..=100).prop_map(IntOrPercent::Percent)],
        unavailable in prop_oneof![(0_i64..6).prop_map(IntOrPercent::Int), (0_i64..=100).prop_map(IntOrPercent::Percent)],
        speeds in prop::collection::vec(1_u32..5, 400),
    ) {
        let deployment = rolling(replicas, surge, unavailable);
        let mut sets = Sets { deployment, new: None, old: vec![ReplicaSetView { noted: Some(deployment.note()), ..set(replicas, replicas, 1) }] };
        let (most, least) = (replicas + deployment.max_surge(), replicas - deployment.max_unavailable());
        for speed in speeds {
            while !matches!(sets.sync(), Because::NoOldPods | Because::WaitsForAvailability | Because::InPlace) {
                prop_assert!(sets.total() <= most, "{} of at most {most}", sets.total());
                prop_assert!(sets.available() >= least, "{} of at least {least}", sets.available());
            }
            if sets.is_done() {
                return Ok(());
            }
            let new = sets.new.as_mut().expect("the first sync makes it");
            new.available = new.spec.min(new.available + speed);
        }
        prop_assert!(false, "{} old pods are left", sets.total());
    }

    /// A change of size in the middle of a rollout never exceeds the new bounds,
    /// is settled in one sync, and the rollout still ends.
    #[test]
    fn scaling_mid_rollout_is_settled_at_once(before in 1_u32..40, after in 0_u32..40, syncs in 0_usize..6, surge in 0_i64..60) {
        let deployment = rolling(before, IntOrPercent::Percent(surge), IntOrPercent::Percent(25));
        let mut sets = Sets { deployment, new: None, old: vec![ReplicaSetView { noted: Some(deployment.note()), ..set(before, before, 1) }] };
        for _ in 0..syncs {
            sets.sync();
            sets.new.iter_mut().for_each(|new| new.available = new.spec);
        }
        sets.deployment.replicas = after;
        let most_before = sets.total();
        sets.sync();
        let most_after = after + sets.deployment.max_surge();
        let most = most_after.max(most_before * u32::from(after >= before));
        prop_assert!(sets.total() <= most, "{} of at most {most}", sets.total());
        if sets.sync() == Because::StuckOnNote {
            prop_assert_eq!(sets.total(), after);
            return Ok(());
        }
        let again = is_scaling_event(&sets.deployment, sets.new.as_ref(), &sets.old);
        prop_assert!(!again, "one sync settles it");
        for _ in 0..200 {
            sets.sync();
            sets.new.iter_mut().for_each(|new| new.available = new.spec);
        }
        prop_assert!(sets.is_done());
    }
}

#[test]
fn waves_are_as_large_as_the_fence_posts_allow() {
    // 10 pods at 25 %/25 %: 3 more, 2 fewer.
    let deployment = rolling(10, IntOrPercent::Percent(25), IntOrPercent::Percent(25));
    let decision = sync(&deployment, None, &[set(10, 10, 1)], false);
    assert_eq!((decision.create, decision.because), (Some(3), Because::OldScaledDown));
    assert_eq!(decision.resizes, [Resize { set: Set::Old(0), from: 10, to: 8 }]);
    // Three or fewer pods go one by one.
    assert_eq!(
        fence_posts(IntOrPercent::Percent(25), IntOrPercent::Percent(25), 3),
        FencePosts { surge: 1, unavailable: 0 }
    );
}

/// Without surge the old set shrinks from 10 to 8 while the new one waits; made
/// 8 at that moment, the Deployment looks scaled for ever.
#[test]
fn a_size_met_by_chance_stops_the_rollout() {
    let deployment = rolling(10, IntOrPercent::Int(0), IntOrPercent::Percent(25));
    let old = vec![ReplicaSetView { noted: Some(deployment.note()), ..set(10, 10, 1) }];
    let mut sets = Sets { deployment, new: None, old };
    assert_eq!((sets.sync(), sets.total()), (Because::OldScaledDown, 8));
    sets.deployment.replicas = 8;
    assert_eq!((sets.sync(), sets.sync()), (Because::StuckOnNote, Because::StuckOnNote));
    sets.deployment.replicas = 9;
    assert_eq!((sets.sync(), sets.total()), (Because::OneSetScaled, 9));
    assert_eq!(sets.sync(), Because::OldScaledDown);
}

#[test]
fn recreate_waits_until_old_pods_are_gone() {
    let deployment =
        DeploymentView { replicas: 3, strategy: Strategy::Recreate, paused: false, status_replicas: 3 };
    let because = |old: &[ReplicaSetView], pods| sync(&deployment, None, old, pods).because;
    assert_eq!(because(&[set(3, 3, 1)], true), Because::OldStopped);
    assert_eq!(because(&[set(0, 0, 1)], true), Because::WaitsForOldPods);
    assert_eq!(sync(&deployment, None, &[set(0, 0, 1)], false).create, Some(3));
}

#[test]
fn unhealthy_pods_of_the_oldest_set_go_first() {
    let mut sizes = [4, 4];
    let old = [set(4, 2, 7), set(4, 1, 3)];
    assert_eq!(clean_up_unhealthy(&old, &mut sizes, 4), Ok(4));
    assert_eq!(sizes, [3, 1]);
    assert_eq!(clean_up_unhealthy(&[set(2, 3, 1)], &mut [2], 4), Err(StatusBehind));
}

#[test]
fn the_deadline_runs_from_the_last_progress() {
    let deadline = Some(SimDuration::from_secs(600));
    let idle = Status { replicas: 4, updated: 2, ready: 3, available: 3 };
    let moved = Status { updated: 3, ..idle };
    let start = Progress { reason: ProgressReason::Started, updated: SimTime::ZERO };
    let at = |seconds| SimTime::from_secs(seconds);
    assert_eq!(start.after(&idle, &idle, 4, deadline, at(600)), start);
    assert_eq!(start.after(&idle, &idle, 4, deadline, at(601)).reason, ProgressReason::TimedOut);
    let refreshed = start.after(&idle, &moved, 4, deadline, at(500));
    assert_eq!(refreshed, Progress { reason: ProgressReason::Moved, updated: at(500) });
    assert!(!refreshed.is_timed_out(deadline, at(1_100)));
    let all = Status { replicas: 4, updated: 4, ready: 4, available: 4 };
    assert_eq!(refreshed.after(&moved, &all, 4, deadline, at(900)).reason, ProgressReason::Complete);
}

/// How often a batch of new pods has to become available until a rollout of
/// `replicas` pods is over, if all pods that start do so together.
fn waves(replicas: u32, max_surge: IntOrPercent, max_unavailable: IntOrPercent) -> u32 {
    let mut sets = Sets {
        deployment: rolling(replicas, max_surge, max_unavailable),
        new: None,
        old: vec![set(replicas, replicas, 1)],
    };
    for waves in 0..100 {
        while !matches!(sets.sync(), Because::NoOldPods | Because::WaitsForAvailability) {}
        if sets.is_done() {
            return waves;
        }
        sets.new.iter_mut().for_each(|new| new.available = new.spec);
    }
    100
}

#[test]
fn a_rollout_takes_as_many_waves_as_its_fence_posts_make() {
    let (quarter, none) = (IntOrPercent::Percent(25), IntOrPercent::Int(0));
    let rows = [
        // One by one with one pod more.
        (1, quarter, quarter, 1),
        (3, quarter, quarter, 3),
        // ceil(N / (surge + unavailable)).
        (4, quarter, quarter, 2),
        (10, quarter, quarter, 2),
        (100, quarter, quarter, 2),
        (10, IntOrPercent::Int(1), none, 10),
        (10, none, IntOrPercent::Int(1), 10),
        (10, IntOrPercent::Percent(100), none, 1),
    ];
    for (replicas, surge, unavailable, expected) in rows {
        assert_eq!(
            waves(replicas, surge, unavailable),
            expected,
            "{replicas} pods, {surge:?}, {unavailable:?}"
        );
    }
}
