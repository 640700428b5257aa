//! What the scheduler remembers: nodes with their sums, bound pods by kind, and
//! who matches whose selectors.
//!
//! Pods of one template are one *kind*: everything that scheduling asks of a pod
//! but its id. Selectors are matched once per pair of kinds, when a kind is
//! registered; scheduling then only adds up counts. Topology values are interned
//! per node, so no string is compared in a scheduling cycle.
//!
//! Upstream: `pkg/scheduler/backend/cache` (`cache.go`, `node_tree.go`,
//! `snapshot.go`), `pkg/scheduler/framework/types.go`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::k8s::labels::Labels;
use crate::k8s::placement::interned::{Compiled, Count, Matcher, Question, Spread, Term, Topology};
pub use crate::k8s::placement::objects::{
    BoundPod, KindId, Load, NodeId, NodeShape, PodId, PodKind, PodView, Profile,
};
use crate::k8s::placement::{PodTerm, SpreadConstraint};
use crate::units::{Bytes, SimTime};

/// The label of a node's own name.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label of a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The label of a node's region.
pub const REGION: &str = "topology.kubernetes.io/region";

/// A node with its pods.
#[derive(Clone, Debug)]
pub struct Node {
    /// The node's object.
    pub shape: Arc<NodeShape>,
    /// The sums over its pods.
    pub load: Load,
    /// Its pods.
    pub pods: BTreeSet<PodId>,
    /// Sizes of the images it holds, by interned name.
    pub(super) images: BTreeMap<u32, u64>,
    /// Pods that wait for room that a preemption makes here.
    pub(super) nominees: BTreeMap<PodId, KindId>,
    /// Its region and zone, by number.
    zone: usize,
}

/// What the scheduler knows of the cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    /// How the scheduler is set up.
    pub profile: Profile,
    namespaces: Arc<BTreeMap<String, Labels>>,
    nodes: Vec<Option<Node>>,
    scan_order: Vec<NodeId>,
    zones: BTreeMap<(String, String), usize>,
    pods: BTreeMap<PodId, BoundPod>,
    nominations: BTreeMap<PodId, NodeId>,
    kinds: Vec<Compiled>,
    /// Kinds with required anti-affinity, and kinds with any term that scores.
    repelling: Vec<KindId>,
    drawn: Vec<KindId>,
    matchers: Vec<Matcher>,
    topologies: Vec<Topology>,
    images: BTreeMap<String, u32>,
    /// How many nodes hold each image.
    image_nodes: Vec<u32>,
}

impl ClusterView {
    /// An empty cluster with these namespaces (their labels decide namespace
    /// selectors).
    pub fn new(profile: Profile, namespaces: BTreeMap<String, Labels>) -> Self {
        Self { profile, namespaces: Arc::new(namespaces), ..Self::default() }
    }

    /// The node of that id.
    ///
    /// # Panics
    /// When it was removed or never added.
    pub fn node(&self, node: NodeId) -> &Node {
        self.nodes[node].as_ref().expect("the node is there")
    }

    /// All nodes, in the order in which they are looked at: zones take turns.
    pub fn node_ids(&self) -> &[NodeId] {
        &self.scan_order
    }

    /// A bound pod, if it is there.
    pub fn pod(&self, pod: PodId) -> Option<&BoundPod> {
        self.pods.get(&pod)
    }

    /// A kind.
    pub fn kind(&self, kind: KindId) -> &PodKind {
        &self.kinds[kind].kind
    }

    /// Adds a node without pods.
    pub fn add_node(&mut self, shape: NodeShape) -> NodeId {
        let node = self.nodes.len();
        for topology in &mut self.topologies {
            topology.enter(node, &shape.labels);
        }
        let zone = self.intern_zone(&shape.labels);
        self.nodes.push(Some(Node {
            shape: Arc::new(shape),
            load: Load::default(),
            pods: BTreeSet::new(),
            images: BTreeMap::new(),
            nominees: BTreeMap::new(),
            zone,
        }));
        self.order_nodes();
        node
    }

    /// Takes a node away, and its pods with it.
    pub fn remove_node(&mut self, node: NodeId) {
        for pod in self.node(node).pods.clone() {
            self.remove_pod(pod);
        }
        if let Some(gone) = self.nodes[node].take() {
            for image in gone.images.keys() {
                self.image_nodes[*image as usize] -= 1;
            }
            for pod in gone.nominees.keys() {
                self.nominations.remove(pod);
            }
        }
        self.order_nodes();
    }

    /// Changes a node's object: its taints, a cordon, labels, size.
    pub fn change_node(&mut self, node: NodeId, change: impl FnOnce(&mut NodeShape)) {
        let slot = self.nodes[node].as_mut().expect("the node is there");
        let shape = Arc::make_mut(&mut slot.shape);
        let labels_before = shape.labels.clone();
        change(shape);
        if shape.labels != labels_before {
            let labels = shape.labels.clone();
            for topology in &mut self.topologies {
                topology.enter(node, &labels);
            }
            let zone = self.intern_zone(&labels);
            if let Some(slot) = &mut self.nodes[node] {
                slot.zone = zone;
            }
            self.order_nodes();
        }
    }

    /// Notes that a node holds an image.
    pub fn add_image(&mut self, node: NodeId, name: &str, size: Bytes) {
        let image = self.intern_image(name);
        let slot = self.nodes[node].as_mut().expect("the node is there");
        if slot.images.insert(image, size.0).is_none() {
            self.image_nodes[image as usize] += 1;
        }
    }

    /// Notes that a node no longer holds an image.
    pub fn remove_image(&mut self, node: NodeId, name: &str) {
        let image = self.intern_image(name);
        let slot = self.nodes[node].as_mut().expect("the node is there");
        if slot.images.remove(&image).is_some() {
            self.image_nodes[image as usize] -= 1;
        }
    }

    /// Counts a bound pod in.
    ///
    /// # Panics
    /// When its id is taken or its node isn't there.
    pub fn add_pod(&mut self, pod: PodId, bound: BoundPod) {
        self.forget_nomination(pod);
        let Self { kinds, nodes, pods, .. } = self;
        let node = nodes[bound.node].as_mut().expect("the node is there");
        let kind = &mut kinds[bound.kind];
        node.load.add_pod(&kind.kind);
        node.pods.insert(pod);
        let count = kind.placed.entry(bound.node).or_default();
        count.all += 1;
        count.live += u32::from(!bound.terminating);
        assert!(pods.insert(pod, bound).is_none(), "pod {pod} is bound once");
    }

    /// Counts a bound pod out; nothing happens when it isn't there.
    pub fn remove_pod(&mut self, pod: PodId) {
        let Some(bound) = self.pods.remove(&pod) else { return };
        let node = self.nodes[bound.node].as_mut().expect("a pod's node is there");
        let kind = &mut self.kinds[bound.kind];
        node.load.remove_pod(&kind.kind);
        node.pods.remove(&pod);
        let count = kind.placed.get_mut(&bound.node).expect("it was counted in");
        count.all -= 1;
        count.live -= u32::from(!bound.terminating);
        if count.all == 0 {
            kind.placed.remove(&bound.node);
        }
    }

    /// Notes that a bound pod started.
    pub fn started(&mut self, pod: PodId, at: SimTime) {
        if let Some(bound) = self.pods.get_mut(&pod) {
            bound.start = at;
        }
    }

    /// Notes that a bound pod is being deleted. It keeps its room until it is
    /// removed, but is no longer counted by spread constraints.
    pub fn terminate_pod(&mut self, pod: PodId, preempted: bool) {
        let Some(bound) = self.pods.get_mut(&pod) else { return };
        bound.preempted |= preempted;
        if !bound.terminating {
            bound.terminating = true;
            if let Some(count) = self.kinds[bound.kind].placed.get_mut(&bound.node) {
                count.live -= 1;
            }
        }
    }

    /// Keeps the room on `node` for a pod until it is bound or
    /// [`ClusterView::forget_nomination`] is called.
    pub fn nominate(&mut self, pod: &PodView, node: NodeId) {
        self.forget_nomination(pod.id);
        if let Some(slot) = &mut self.nodes[node] {
            slot.nominees.insert(pod.id, pod.kind);
            self.nominations.insert(pod.id, node);
        }
    }

    /// Gives up the room kept for a pod, wherever that is.
    pub fn forget_nomination(&mut self, pod: PodId) {
        let Some(node) = self.nominations.remove(&pod) else { return };
        if let Some(slot) = &mut self.nodes[node] {
            slot.nominees.remove(&pod);
        }
    }

    /// Registers a kind of pod. Equal kinds may be registered once and shared.
    pub fn add_kind(&mut self, kind: PodKind) -> KindId {
        let id = self.kinds.len();
        let wishes = &kind.wishes;
        let namespace = &kind.namespace;
        let spread = |cluster: &mut Self, required: bool| -> Vec<Spread> {
            let wanted = wishes.spread.iter().filter(|one| one.required == required);
            wanted.map(|one| cluster.compile_spread(&kind, one)).collect()
        };
        let hard = spread(self, true);
        let soft_by_default = self.profile.default_spread && wishes.spread.is_empty();
        let soft = if soft_by_default { self.default_spread(&kind) } else { spread(self, false) };
        let required_affinity = self.compile_terms(namespace, wishes.required_affinity.iter());
        let required_anti = self.compile_terms(namespace, wishes.required_anti_affinity.iter());
        let near = wishes.preferred_affinity.iter().map(|(weight, term)| (i64::from(*weight), term));
        let far = wishes.preferred_anti_affinity.iter().map(|(weight, term)| (-i64::from(*weight), term));
        let preferred = near
            .chain(far)
            .map(|(weight, term)| (weight, self.compile_term(namespace, term)))
            .collect::<Vec<_>>();
        let images = kind.images.iter().map(|name| self.intern_image(name)).collect();
        if !required_anti.is_empty() {
            self.repelling.push(id);
        }
        if !required_affinity.is_empty() || !preferred.is_empty() {
            self.drawn.push(id);
        }
        let namespaces = Arc::clone(&self.namespaces);
        for matcher in &mut self.matchers {
            matcher.ask(id, &kind, &namespaces);
        }
        let placed = BTreeMap::new();
        self.kinds.push(Compiled {
            kind: Arc::new(kind),
            hard,
            soft,
            soft_by_default,
            required_affinity,
            required_anti,
            preferred,
            images,
            placed,
        });
        id
    }

    /// The cluster's own constraints for pods that say nothing; none when no
    /// Service or controller selects the pod. Upstream:
    /// `pkg/scheduler/framework/plugins/podtopologyspread/plugin.go`.
    fn default_spread(&mut self, kind: &PodKind) -> Vec<Spread> {
        let Some(selector) = kind.owners_select.as_ref().filter(|one| !one.is_empty()) else {
            return Vec::new();
        };
        let constraint = |max_skew, key: &str| SpreadConstraint {
            max_skew,
            topology_key: key.to_owned(),
            required: false,
            selector: Some(selector.clone()),
            min_domains: None,
            ignore_node_affinity: false,
            honor_taints: false,
        };
        // Upstream lists the host first; the sum doesn't depend on the order.
        [constraint(3, HOSTNAME), constraint(5, ZONE)].map(|one| self.compile_spread(kind, &one)).into()
    }

    fn compile_spread(&mut self, kind: &PodKind, one: &SpreadConstraint) -> Spread {
        let question = Question::Spread { namespace: kind.namespace.clone(), selector: one.selector.clone() };
        Spread {
            max_skew: i64::from(one.max_skew),
            min_domains: i64::from(one.min_domains.unwrap_or(1)),
            topology: self.intern_topology(&one.topology_key),
            hostname: one.topology_key == HOSTNAME,
            matcher: self.intern_question(question),
            counts_itself: one.selector.as_ref().is_some_and(|selector| selector.matches(&kind.labels)),
            ignore_node_affinity: one.ignore_node_affinity,
            honor_taints: one.honor_taints,
        }
    }

    fn compile_terms<'a>(&mut self, namespace: &str, terms: impl Iterator<Item = &'a PodTerm>) -> Vec<Term> {
        terms.map(|term| self.compile_term(namespace, term)).collect()
    }

    fn compile_term(&mut self, namespace: &str, term: &PodTerm) -> Term {
        let question = Question::Term { namespace: namespace.to_owned(), term: term.clone() };
        Term { topology: self.intern_topology(&term.topology_key), matcher: self.intern_question(question) }
    }

    fn intern_question(&mut self, question: Question) -> usize {
        if let Some(known) = self.matchers.iter().position(|one| one.question == question) {
            return known;
        }
        let mut matcher = Matcher::of(question);
        for (id, compiled) in self.kinds.iter().enumerate() {
            matcher.ask(id, &compiled.kind, &self.namespaces);
        }
        self.matchers.push(matcher);
        self.matchers.len() - 1
    }

    fn intern_topology(&mut self, key: &str) -> usize {
        if let Some(known) = self.topologies.iter().position(|one| one.key == key) {
            return known;
        }
        let mut topology = Topology::of(key);
        let nobody = Labels::new();
        for (id, node) in self.nodes.iter().enumerate() {
            topology.enter(id, node.as_ref().map_or(&nobody, |node| &node.shape.labels));
        }
        self.topologies.push(topology);
        self.topologies.len() - 1
    }

    fn intern_image(&mut self, name: &str) -> u32 {
        let name = super::image_locality::normalized(name);
        if let Some(known) = self.images.get(&name) {
            return *known;
        }
        let next = self.image_nodes.len() as u32;
        self.images.insert(name, next);
        self.image_nodes.push(0);
        next
    }

    /// Puts the nodes in the order of upstream's node tree: zones in the order of
    /// their first node, one node of each in turn.
    fn order_nodes(&mut self) {
        let mut zones: Vec<Vec<NodeId>> = Vec::new();
        let mut places = vec![None; self.zones.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let place = *places[node.zone].get_or_insert(zones.len());
            if place == zones.len() {
                zones.push(Vec::new());
            }
            zones[place].push(id);
        }
        let longest = zones.iter().map(Vec::len).max().unwrap_or(0);
        let rounds = (0..longest).flat_map(|round| zones.iter().filter_map(move |nodes| nodes.get(round)));
        self.scan_order = rounds.copied().collect();
    }

    fn intern_zone(&mut self, labels: &Labels) -> usize {
        let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
        let next = self.zones.len();
        *self.zones.entry((label(REGION), label(ZONE))).or_insert(next)
    }
}

/// What the plugins look up.
impl ClusterView {
    pub(super) fn compiled(&self, kind: KindId) -> &Compiled {
        &self.kinds[kind]
    }

    pub(super) fn topology(&self, topology: usize) -> &Topology {
        &self.topologies[topology]
    }

    /// Whether a selector means pods of this kind.
    pub(super) fn means(&self, matcher: usize, kind: KindId) -> bool {
        self.matchers[matcher].hits[kind]
    }

    /// Every node with pods that a selector means, and how many of one kind; a
    /// node comes up once per kind.
    pub(super) fn meant(&self, matcher: usize) -> impl Iterator<Item = (NodeId, Count)> {
        let kinds = &self.matchers[matcher].kinds;
        kinds.iter().flat_map(|kind| self.kinds[*kind].placed.iter().map(|(node, count)| (*node, *count)))
    }

    /// The same for pods that several selectors mean all at once.
    pub(super) fn meant_by_all(&self, terms: &[Term]) -> impl Iterator<Item = (NodeId, Count)> {
        let first = terms.first().map_or(&[][..], |term| &self.matchers[term.matcher].kinds);
        first
            .iter()
            .filter(|kind| terms.iter().all(|term| self.means(term.matcher, **kind)))
            .flat_map(|kind| self.kinds[*kind].placed.iter().map(|(node, count)| (*node, *count)))
    }

    /// Kinds with required anti-affinity that have pods.
    pub(super) fn repelling(&self) -> impl Iterator<Item = &Compiled> {
        self.repelling.iter().map(|kind| &self.kinds[*kind]).filter(|kind| !kind.placed.is_empty())
    }

    /// Kinds with affinity terms that score, and that have pods.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &Compiled> {
        self.drawn.iter().map(|kind| &self.kinds[*kind]).filter(|kind| !kind.placed.is_empty())
    }

    /// One more than the largest node id; what a table by node needs.
    pub(super) fn node_slots(&self) -> usize {
        self.nodes.len()
    }

    /// On how many nodes an image is.
    pub(super) fn image_spread(&self, image: u32) -> u32 {
        self.image_nodes[image as usize]
    }
}
