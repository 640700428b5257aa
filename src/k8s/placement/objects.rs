//! Nodes and pods as the scheduler sees them.

use crate::k8s::labels::{Labels, Selector};
use crate::k8s::placement::amounts::{Amounts, Demand, ResourceName};
use crate::k8s::placement::{Taint, Wishes};
use crate::k8s::version::{Balance, Rules, Version};
use crate::units::{Bytes, MilliCpu, SimTime};

/// A node's place in the cluster view; never given to another node.
pub type NodeId = usize;
/// A pod's id, the caller's own.
pub type PodId = usize;
/// A kind's place in the cluster view.
pub type KindId = usize;

/// The best score of one plugin.
pub const MAX_SCORE: i64 = 100;

/// How NodeResourcesFit scores; each resource has its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Emptier nodes first: spreads.
    LeastAllocated(Vec<(ResourceName, i64)>),
    /// Fuller nodes first: packs.
    MostAllocated(Vec<(ResourceName, i64)>),
}

impl Strategy {
    /// The default: CPU and memory alike.
    pub fn least_allocated() -> Self {
        Self::LeastAllocated(vec![(ResourceName::Cpu, 1), (ResourceName::Memory, 1)])
    }

    /// Bin packing over CPU and memory alike.
    pub fn most_allocated() -> Self {
        Self::MostAllocated(vec![(ResourceName::Cpu, 1), (ResourceName::Memory, 1)])
    }
}

/// Extended resources that the filter leaves to others (plugin arguments).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// By full name.
    pub resources: Vec<String>,
    /// By the part before the slash.
    pub groups: Vec<String>,
}

/// How the scheduler is set up; the default is Kubernetes' default profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// How NodeResourcesFit scores, and over which resources.
    pub strategy: Strategy,
    /// Share of the nodes to look for, in percent; 0 lets the size decide.
    pub percentage_of_nodes_to_score: u32,
    /// What another pod's required affinity adds to a node's score.
    pub hard_pod_affinity_weight: i64,
    /// Whether pods without spread constraints get the cluster's default ones.
    pub default_spread: bool,
    /// Resources that the fit filter leaves to others.
    pub ignored: Ignored,
    /// What BalancedAllocation scores, by release.
    pub balance: Balance,
    /// Whether BalancedAllocation says nothing about pods without requests.
    pub balance_skips_requestless: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self::of(&Version::NEWEST.rules())
    }
}

impl Profile {
    /// The default profile of a release.
    pub fn of(rules: &Rules) -> Self {
        Self {
            strategy: Strategy::least_allocated(),
            percentage_of_nodes_to_score: 0,
            hard_pod_affinity_weight: 1,
            default_spread: true,
            ignored: Ignored::default(),
            balance: rules.balance,
            balance_skips_requestless: rules.balanced_allocation_skips_requestless,
        }
    }
}

/// A node as its object describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeShape {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Cordoned.
    pub unschedulable: bool,
    /// What it has for pods.
    pub allocatable: Amounts,
    /// How many pods it takes.
    pub pod_slots: u32,
}

/// Everything about a pod that scheduling asks for and that its siblings share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodKind {
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: Labels,
    /// What it says about where it wants to run.
    pub wishes: Wishes,
    /// What it asks for.
    pub demand: Demand,
    /// The images of its containers, init ones included.
    pub images: Vec<String>,
    /// What its Services and its ReplicaSet or StatefulSet select, all
    /// requirements together: whom it is spread from when it says nothing.
    pub owners_select: Option<Selector>,
}

/// A pod that waits for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its id, so that it isn't counted against itself.
    pub id: PodId,
    /// Its kind.
    pub kind: KindId,
    /// The only node it is made for (a DaemonSet's pod).
    pub only_node: Option<NodeId>,
    /// Where an earlier preemption made room for it.
    pub nominated: Option<NodeId>,
}

/// A pod that has a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundPod {
    /// Its kind.
    pub kind: KindId,
    /// Its node.
    pub node: NodeId,
    /// When it started; [`SimTime::NEVER`] when it hasn't yet.
    pub start: SimTime,
    /// Whether it is being deleted. It still holds what it asked for.
    pub terminating: bool,
    /// Whether it is being deleted to make room for a pod of higher priority.
    pub preempted: bool,
}

/// The sums over a node's pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// True requests.
    pub requested: Amounts,
    /// CPU requests with stand-ins for absent ones.
    pub scoring_cpu: MilliCpu,
    /// Memory requests with stand-ins for absent ones.
    pub scoring_memory: Bytes,
    /// How many pods.
    pub pods: u32,
    /// Host ports in use, one entry per user.
    pub ports: Vec<u16>,
}

impl Load {
    /// Counts a pod in.
    pub fn add_pod(&mut self, kind: &PodKind) {
        self.requested.add(&kind.demand.requests);
        self.scoring_cpu += kind.demand.scoring_cpu;
        self.scoring_memory += kind.demand.scoring_memory;
        self.pods += 1;
        self.ports.extend(&kind.wishes.host_ports);
    }

    /// Counts a pod out again.
    ///
    /// # Panics
    /// When it was never counted in.
    pub fn remove_pod(&mut self, kind: &PodKind) {
        self.requested.subtract(&kind.demand.requests);
        self.scoring_cpu = self.scoring_cpu - kind.demand.scoring_cpu;
        self.scoring_memory = self.scoring_memory - kind.demand.scoring_memory;
        self.pods -= 1;
        for port in &kind.wishes.host_ports {
            let at = self.ports.iter().position(|one| one == port).expect("it was counted in");
            self.ports.swap_remove(at);
        }
    }
}
