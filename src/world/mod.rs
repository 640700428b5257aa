//! Everything that changes, and who answers to what.
//!
//! [`simulate`] is a function of scenario and seed: no input or output, no clock,
//! no thread, no failure. Handlers are free functions on [`State`] and
//! [`Context`] in the file of their part; `dispatch` is the only place where an
//! event meets its handler.

pub mod autoscaler;
pub mod balancer;
pub mod balancing;
pub mod breaker;
pub mod breaking;
pub mod budgets;
pub mod connections;
pub mod context;
pub mod controllers;
pub mod cores;
pub mod custom_metrics;
pub mod deployments;
pub mod drain;
pub mod drills;
pub mod endpoints;
pub mod event;
pub mod frames;
pub mod ids;
pub mod kubelet;
pub mod links;
pub mod metrics;
pub mod node_autoscaler;
pub mod node_lifecycle;
pub mod nodes;
pub mod pace;
pub mod population;
pub mod pressure;
pub mod probing;
pub mod program;
pub mod reports;
pub mod requests;
pub mod run;
pub mod scheduler;
pub mod scraped;
pub mod sharing;
pub mod sidecars;
pub mod slices;
pub mod standing;
pub mod start;
pub mod state;
pub mod tcp;
pub mod usage;
pub mod users;
pub mod volumes;
pub mod workloads;

use crate::observe::Observations;
use crate::scenario::Scenario;
use crate::sim::agenda::Engine;
use crate::sim::random::Seed;
use context::Context;
use event::Event;
pub use run::Run;
use state::State;

/// Runs a scenario once.
pub fn simulate(scenario: &Scenario, seed: Seed) -> Observations {
    Run::begin(scenario, seed, Engine::Wheel).to_its_end()
}

/// Runs a scenario once, with a choice of what keeps the pending events. The
/// choice changes how long it takes and nothing else.
pub fn simulate_with(scenario: &Scenario, seed: Seed, engine: Engine) -> Observations {
    Run::begin(scenario, seed, engine).to_its_end()
}

/// Runs a scenario once with every tick of every probe, every scrape and every look of
/// an HPA, those included that can't change anything. What is seen is the same, and
/// takes longer: for tests.
pub fn simulate_sleepless(scenario: &Scenario, seed: Seed) -> Observations {
    Run::begin(scenario, seed, Engine::Wheel).sleepless().to_its_end()
}

/// Hands an event to whoever answers to it. What requests do of themselves is nearly
/// everything, and goes straight there: it neither stirs nor needs a control plane.
#[inline]
fn answer_to(state: &mut State, cx: &mut Context, event: Event) {
    match event {
        Event::CallArrived(frame) => requests::arrived(state, cx, frame),
        Event::WorkEnded(pod) => requests::work_ended(state, cx, pod),
        Event::AnswerArrived(frame) => requests::answer_arrived(state, cx, frame),
        Event::RequestAnswered(user) => users::answered(state, cx, user),
        Event::JourneyDue => users::journey_due(state, cx),
        Event::UserThought(user) => users::thought(state, cx, user),
        other => consider(state, cx, other),
    }
}

/// Hands an event to whoever answers to it, unless that is a control plane which
/// stands still.
#[inline(never)]
fn consider(state: &mut State, cx: &mut Context, event: Event) {
    if state.pace.may_skip && event.stirs() {
        slices::stirred(state, cx, event);
    }
    if state.broken.control_plane > cx.now() && event.needs_control_plane() {
        cx.agenda.at(state.broken.control_plane, event);
    } else {
        dispatch(state, cx, event);
    }
}

/// Hands an event to whoever answers to it; those of [`answer_to`] among them for the
/// sake of a list without gaps.
fn dispatch(state: &mut State, cx: &mut Context, event: Event) {
    match event {
        Event::UserThought(user) => users::thought(state, cx, user),
        Event::JourneyDue => users::journey_due(state, cx),
        Event::PopulationChanged => users::population_changed(state, cx),
        Event::RequestAnswered(user) => users::answered(state, cx, user),
        Event::RequestFailed(user, cause) => users::failed(state, cx, user, cause),

        Event::CallArrived(frame) => requests::arrived(state, cx, frame),
        Event::WorkEnded(pod) => requests::work_ended(state, cx, pod),
        Event::WaitEnded(frame) => requests::wait_ended(state, cx, frame),
        Event::AnswerArrived(frame) => requests::answer_arrived(state, cx, frame),
        Event::BackoffEnded(frame) => requests::backoff_ended(state, cx, frame),
        Event::ConnectionTimedOut(frame) => requests::connection_timed_out(state, cx, frame),
        Event::CpuShared(node) => sharing::cpu_shared(state, cx, node),
        Event::DeadlineCame(frame) => requests::timed_out(state, cx, frame),
        Event::PatienceEnded(frame) => requests::patience_ended(state, cx, frame),
        Event::ConnectionFreed(pod, pool) => requests::connection_freed(state, cx, pod, pool),
        Event::ConnectionsIdled(pod, pool) => connections::idled(state, cx, pod, pool),
        Event::PodBound(pod) => kubelet::bound(state, cx, pod),
        Event::VolumeFreed(pod) => kubelet::volume_freed(state, cx, pod),
        Event::StartUpEnded(pod) => kubelet::listening(state, cx, pod),
        Event::ProbeAnswered(pod, kind, good) => kubelet::probe_answered(state, cx, pod, kind, good),
        Event::MemoryExceeded(pod) => kubelet::out_of_memory(state, cx, pod),
        Event::PodDrained(pod) => kubelet::drained(state, cx, pod),
        Event::ContainerStarted(pod) => kubelet::container_started(state, cx, pod),
        Event::StartUpWaited(pod, run) => kubelet::start_up_waited(state, cx, pod, run),
        Event::ProbeTicked(pod, kind) => kubelet::probe_ticked(state, cx, pod, kind as usize),
        Event::ProbeTimedOut(frame) => kubelet::probe_timed_out(state, cx, frame),
        Event::StatusReported(pod) => kubelet::status_reported(state, cx, pod),
        Event::Terminated(pod) => kubelet::terminated(state, cx, pod),
        Event::ShutDownEnded(pod, run) => kubelet::shut_down_ended(state, cx, pod, run),
        Event::GraceEnded(pod) => kubelet::ended(state, cx, pod),
        Event::ContainerTerminated(pod, run) => kubelet::container_terminated(state, cx, pod, run),
        Event::ContainerKilled(pod, run) => kubelet::container_killed(state, cx, pod, run),
        Event::PodRemoved(pod) => kubelet::remove(state, cx, pod),
        Event::BackoffOver(pod) => kubelet::backoff_over(state, cx, pod),
        Event::SliceWritten(workload) => endpoints::slice_written(state, cx, workload),
        Event::ProxySynced(workload, which) => endpoints::proxy_synced(state, cx, workload, which as usize),
        Event::WorkloadSynced(workload) => controllers::synced(state, cx, workload),
        Event::ReplicaSetsSynced(workload) => controllers::replica_sets_synced(state, cx, workload),
        Event::SchedulerRan => scheduler::ran(state, cx),
        Event::PodPreempted(uid) => kubelet::preempted(state, cx, uid),
        Event::NodeSampled(node) => metrics::node_sampled(state, cx, node),
        Event::MemoryRanShort(node) => pressure::memory_ran_short(state, cx, node),
        Event::MetricsScraped => metrics::scraped(state, cx),
        Event::CustomMetricScraped(number) => custom_metrics::scraped(state, cx, number),
        Event::HpaSynced(hpa) => autoscaler::synced(state, cx, hpa as usize),
        Event::NodeAutoscalerRan => node_autoscaler::ran(state, cx),
        Event::KarpenterBatched => node_autoscaler::karpenter_batched(state, cx),
        Event::ConsolidationValidated => node_autoscaler::consolidation_validated(state, cx),
        Event::NodeEmptied(node) => node_autoscaler::node_emptied(state, cx, node),
        Event::NodeReady(node) => nodes::ready(state, cx, node),
        Event::NodesMonitored => node_lifecycle::monitored(state, cx),
        Event::TaintsHandedOut(zone) => node_lifecycle::taints_handed_out(state, cx, zone as usize),
        Event::MachineMissed(node) => nodes::machine_missed(state, cx, node),
        Event::OrphansCollected(node) => nodes::leave(state, cx, node),
        Event::TolerationEnded(pod) => node_lifecycle::toleration_ended(state, cx, pod),
        Event::DrainWentOn(node) => drain::went_on(state, cx, node),
        Event::PullRetried(pod) => kubelet::pull_retried(state, cx, pod),
        Event::DrillStruck(drill) => drills::struck(state, cx, drill),
        Event::DrillEnded(drill) => drills::ended(state, cx, drill),
        Event::DrillWentOn(drill) => drills::went_on(state, cx, drill),
        Event::UsageMoved(workload) => usage::moved(state, cx, workload),
        Event::PaceLooked(stamp) => slices::looked(state, cx, stamp),
        Event::WatchStepEnded => reports::watch_step_ended(state, cx),
        Event::WarmUpEnded => reports::warm_up_ended(state, cx),
        Event::StepEnded => reports::step_ended(state, cx),
        Event::Ended => unreachable!("the loop ends here"),
    }
}
