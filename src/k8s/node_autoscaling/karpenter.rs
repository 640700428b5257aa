//! Karpenter: which machine to buy for the pods that wait.
//!
//! Upstream: `kubernetes-sigs/karpenter` `pkg/controllers/provisioning`
//! (`batcher.go`, `scheduling/scheduler.go`, `scheduling/queue.go`,
//! `scheduling/nodeclaim.go`).

use crate::k8s::node_autoscaling::what_if;
use crate::k8s::placement::{Amounts, ClusterView, KindId, NodeId, NodeShape, PodId, PodView};
use crate::units::{SimDuration, SimTime};

/// A batch closes so long after its last pod,
const IDLE: SimDuration = SimDuration::from_secs(1);
/// and so long after its first at the latest.
const LONGEST: SimDuration = SimDuration::from_secs(10);

/// Pods that came close together and are served as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    open: Option<(SimTime, SimTime)>,
}

impl Batch {
    /// Notes a pod that can't be scheduled; when the batch closes.
    pub fn pod_came(&mut self, now: SimTime) -> SimTime {
        let first = self.open.map_or(now, |(first, _)| first);
        self.open = Some((first, now));
        (now + IDLE).min(first + LONGEST)
    }

    /// Whether the batch is over; the next pod opens a new one.
    pub fn closes(&mut self, now: SimTime) -> bool {
        let over = self.open.is_some_and(|(first, last)| (last + IDLE).min(first + LONGEST) <= now);
        if over {
            self.open = None;
        }
        over
    }
}

/// A machine on sale: a shape in a zone, at a price.
#[derive(Clone, Debug, PartialEq)]
pub struct Offering {
    /// Its instance type; offerings of one type differ in zone and price.
    pub instance_type: String,
    /// What a node of it looks like: labels, taints, size.
    pub shape: NodeShape,
    /// Price of an hour.
    pub price: f64,
    /// Whether it may be taken away at short notice.
    pub spot: bool,
    /// How many were bought of it so far.
    pub bought: u32,
}

/// A machine to buy.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// The cheapest offering that holds the pods.
    pub offering: usize,
    /// All that would, the cheapest first.
    pub alternatives: Vec<usize>,
    /// The pods it is bought for.
    pub pods: Vec<PodId>,
}

/// What a batch comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provisioning {
    /// Machines to buy.
    pub purchases: Vec<Purchase>,
    /// Pods that fit a node that is there or on its way.
    pub placed: Vec<(PodId, NodeId)>,
    /// Pods that no machine on sale would hold.
    pub hopeless: Vec<PodId>,
}

/// A machine in the making: the offerings that still hold all its pods.
#[derive(Clone, Debug)]
struct Claim {
    node: NodeId,
    offerings: Vec<usize>,
    pods: Vec<PodId>,
}

/// Finds room for the pods of a batch: on nodes that are there (or on their way,
/// if `cluster` has them), then on machines bought for others of the batch, then
/// on a new one. The largest pod goes first; each machine is in the end the
/// cheapest that holds its pods.
pub fn provision(
    cluster: &ClusterView,
    pods: &[PodView],
    offerings: &[Offering],
    daemons: &[KindId],
) -> Provisioning {
    let mut what_if = cluster.clone();
    let known = what_if.node_ids().to_vec();
    let mut claims: Vec<Claim> = Vec::new();
    let mut answer = Provisioning::default();
    for pod in largest_first(cluster, pods) {
        if let Some(node) = what_if::place(&mut what_if, &pod, &known) {
            answer.placed.push((pod.id, node));
            continue;
        }
        // The emptiest claim first, as upstream has it.
        claims.sort_by_key(|claim| claim.pods.len());
        let joined = claims.iter_mut().any(|claim| claim.take(&mut what_if, &pod, offerings));
        if joined {
            continue;
        }
        let by_price = by_price(offerings, &claims);
        match Claim::open(&mut what_if, &pod, offerings, &by_price, daemons) {
            Some(claim) => claims.push(claim),
            None => answer.hopeless.push(pod.id),
        }
    }
    claims.sort_by_key(|claim| claim.node);
    answer.purchases = claims.into_iter().map(Claim::purchase).collect();
    answer
}

/// The cheapest offering first. Of an instance type in several zones at one price that
/// comes first of which there are fewest, those that are about to be bought included.
fn by_price(offerings: &[Offering], claims: &[Claim]) -> Vec<usize> {
    let number = |at: usize| {
        let claimed = claims.iter().filter(|claim| claim.offerings[0] == at).count();
        offerings[at].bought as usize + claimed
    };
    let type_of = |at: usize| {
        offerings.iter().position(|other| other.instance_type == offerings[at].instance_type).unwrap_or(at)
    };
    let mut all: Vec<usize> = (0..offerings.len()).collect();
    all.sort_by(|one, other| {
        let price = offerings[*one].price.total_cmp(&offerings[*other].price);
        price.then_with(|| (type_of(*one), number(*one)).cmp(&(type_of(*other), number(*other))))
    });
    all
}

/// More CPU first, then more memory, then the earlier id.
fn largest_first(cluster: &ClusterView, pods: &[PodView]) -> Vec<PodView> {
    let mut pods = pods.to_vec();
    pods.sort_by_key(|pod| {
        let asked = &cluster.kind(pod.kind).demand.requests;
        (std::cmp::Reverse((asked.cpu, asked.memory)), pod.id)
    });
    pods
}

impl Claim {
    /// Starts a machine for a pod, in the first place (labels and taints) where
    /// some offering holds it, cheapest offering first.
    fn open(
        what_if: &mut ClusterView,
        pod: &PodView,
        offerings: &[Offering],
        by_price: &[usize],
        daemons: &[KindId],
    ) -> Option<Self> {
        let mut tried: Vec<usize> = Vec::new();
        for first in by_price {
            if tried.iter().any(|one| same_place(&offerings[*one], &offerings[*first])) {
                continue;
            }
            tried.push(*first);
            let like: Vec<usize> = by_price
                .iter()
                .copied()
                .filter(|one| same_place(&offerings[*one], &offerings[*first]))
                .collect();
            let mut shape = offerings[*first].shape.clone();
            (shape.allocatable, shape.pod_slots) = largest(offerings, &like);
            let node = what_if::add_node(what_if, &shape, daemons);
            let mut claim = Self { node, offerings: like, pods: Vec::new() };
            if claim.take(what_if, pod, offerings) {
                return Some(claim);
            }
            what_if.remove_node(node);
        }
        None
    }

    /// Adds the pod if one of the machine's offerings still holds everything.
    fn take(&mut self, what_if: &mut ClusterView, pod: &PodView, offerings: &[Offering]) -> bool {
        if what_if::place(what_if, pod, &[self.node]).is_none() {
            return false;
        }
        let load = &what_if.node(self.node).load;
        let holds = |one: &usize| {
            let shape = &offerings[*one].shape;
            load.pods <= shape.pod_slots && covers(&shape.allocatable, &load.requested)
        };
        let left: Vec<usize> = self.offerings.iter().copied().filter(holds).collect();
        if left.is_empty() {
            what_if.remove_pod(pod.id);
            return false;
        }
        let (allocatable, pod_slots) = largest(offerings, &left);
        what_if.change_node(self.node, |shape| {
            shape.allocatable = allocatable;
            shape.pod_slots = pod_slots;
        });
        self.offerings = left;
        self.pods.push(pod.id);
        true
    }

    fn purchase(self) -> Purchase {
        Purchase { offering: self.offerings[0], alternatives: self.offerings, pods: self.pods }
    }
}

/// Whether two offerings are alike in all that pods may ask for but size: taints
/// and labels, those that name the machine's type aside.
fn same_place(one: &Offering, other: &Offering) -> bool {
    let place = |offering: &Offering| {
        let mut labels = offering.shape.labels.clone();
        for key in [
            "node.kubernetes.io/instance-type",
            "beta.kubernetes.io/instance-type",
            crate::k8s::placement::cluster::HOSTNAME,
        ] {
            labels.remove(key);
        }
        labels
    };
    place(one) == place(other) && one.shape.taints == other.shape.taints
}

/// The largest of each amount over some offerings.
fn largest(offerings: &[Offering], some: &[usize]) -> (Amounts, u32) {
    let mut most = Amounts::default();
    for shape in some.iter().map(|one| &offerings[*one].shape) {
        most.raise_to(&shape.allocatable);
    }
    (most, some.iter().map(|one| offerings[*one].shape.pod_slots).max().unwrap_or(0))
}

fn covers(whole: &Amounts, asked: &Amounts) -> bool {
    whole.cpu >= asked.cpu
        && whole.memory >= asked.memory
        && whole.ephemeral_storage >= asked.ephemeral_storage
        && asked
            .extended
            .iter()
            .all(|(name, amount)| whole.extended.get(name).copied().unwrap_or(0) >= *amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::placement::testing::{cluster, kind, pod, shape};

    #[test]
    fn a_batch_closes_when_it_is_quiet_or_old() {
        let at = SimTime::from_secs;
        let mut batch = Batch::default();
        assert!(!batch.closes(at(0)));
        assert_eq!(batch.pod_came(at(10)), at(11));
        for second in 11..20 {
            assert!(batch.pod_came(at(second)) <= at(20));
        }
        assert!(!batch.closes(SimTime::from_nanos(19_900_000_000)));
        assert!(batch.closes(at(20)));
        assert!(!batch.closes(at(30)));
    }

    #[test]
    fn the_cheapest_machine_that_holds_them_all_is_bought() {
        let mut cluster = cluster();
        let web = cluster.add_kind(kind("web", 300, 0));
        let offering = |name: &str, cpu, price| Offering {
            instance_type: name.to_owned(),
            shape: shape(name, "x", cpu),
            price,
            spot: false,
            bought: 0,
        };
        let offerings =
            [offering("large", 2_000, 4.0), offering("small", 500, 1.0), offering("mid", 1_000, 2.0)];
        for (count, bought) in [(1, vec![1]), (2, vec![2]), (4, vec![0]), (8, vec![0, 1])] {
            let pods: Vec<PodView> = (0..count).map(|id| pod(id, web)).collect();
            let plan = provision(&cluster, &pods, &offerings, &[]);
            let found: Vec<usize> = plan.purchases.iter().map(|one| one.offering).collect();
            assert!(plan.hopeless.is_empty());
            assert_eq!(
                found.iter().filter(|one| **one == 0).count(),
                bought.iter().filter(|one| **one == 0).count()
            );
            assert_eq!(found.len(), bought.len(), "{count}: {found:?}");
            if count < 8 {
                assert_eq!(found, bought);
            }
        }
        let huge = cluster.add_kind(kind("huge", 3_000, 0));
        assert_eq!(provision(&cluster, &[pod(0, huge)], &offerings, &[]).hopeless, [0]);
    }
}
