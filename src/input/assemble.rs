//! Manifests, model, traffic, policy and cluster, put together into one scenario.

use std::collections::BTreeSet;

use crate::input::custom_metrics;
use crate::input::directory::{self, Directory};
use crate::input::document::Document;
use crate::input::documents::Documents;
use crate::input::findings::{At, Findings};
use crate::input::injected;
use crate::input::manifest::set::{IngressRoute, ManifestHpa, ManifestService, ManifestSet, MeshRule};
use crate::input::model::{ModelFile, WorkloadFile};
use crate::input::policy;
use crate::input::priors::{self, Guess};
use crate::input::problem::Problem;
use crate::input::sizing;
use crate::input::traffic::{Asked, Traffic, TrafficFile};
use crate::input::uncertain::Named;
use crate::input::world::{Unknown, World};
use crate::k8s::version::Version;
use crate::scenario::{
    Autoscaler, Balancing, Behaviour, Cluster, External, Fidelity, Goals, Indicator, Kind, Limits, Scenario,
    Step, Target, Upstream, Usage, Workload,
};
use crate::units::figures::{count, plural};
use crate::units::{SimDuration, SimTime};

/// What the files say, before it is put together.
pub struct Parts {
    /// The manifests.
    pub set: ManifestSet,
    /// All files that were decoded.
    pub documents: Documents,
    /// What the command line asks of the traffic.
    pub asked: Asked,
    /// The profile of the cluster file.
    pub profile: Option<String>,
    /// The Kubernetes release.
    pub version: Version,
    /// What the scenario is called.
    pub name: String,
    /// Where in their ranges unknowns are.
    pub world: World,
}

/// A scenario from its parts, and what is not known for sure of it; problems go into
/// `problems`. `None` when the parts don't make one.
pub fn assemble(parts: Parts, problems: &mut Vec<Problem>) -> Option<(Scenario, Vec<Unknown>)> {
    let Parts { set, documents, asked, profile, version, name, world } = parts;
    if set.workloads.is_empty() {
        problems.push(no_workloads());
        return None;
    }
    refuse_crowds(&set, problems);
    let mut assumed = Findings { world, ..Findings::default() };
    let known = Known::of(&set, documents.model.as_ref(), problems);
    let (behaviours, externals) = known.behaviours(documents.model.as_ref(), &mut assumed, problems);
    let cluster = match &documents.cluster {
        Some(document) => {
            document.resolve(&mut assumed, problems, |file, into| file.resolve(profile.as_deref(), into))
        }
        None => {
            problems.extend(profile.as_deref().map(no_profiles));
            Some(sizing::cluster(&set, &mut assumed))
        }
    };
    let usages = known.usages(documents.model.as_ref(), problems);
    let users = asked.users;
    let traffic = match &documents.traffic {
        None if known.follow_curves() => known.without_users(&usages, &asked, problems),
        Some(document) => document.resolve(&mut assumed, problems, |file, into| {
            Some(read(file, &known, &asked, cluster.as_ref(), into))
        }),
        None => guessed_traffic(&set, &known, asked, &mut assumed, problems),
    };
    let usages = started(usages, traffic.as_ref());
    let goals = goals(&documents, &known.directory, traffic.as_ref(), users, problems);
    let autoscalers = known.autoscalers(&set, documents.model.as_ref(), &mut assumed, problems);
    let workloads = workloads(&set, &autoscalers, behaviours.into_iter().zip(usages));
    if problems.iter().any(Problem::is_error) {
        return None;
    }
    let (traffic, cluster): (Traffic, Cluster) = (traffic?, cluster?);
    let scenario = Scenario {
        name,
        version,
        warm_up: traffic.warm_up,
        horizon: traffic.horizon,
        workloads,
        autoscalers,
        budgets: set.budgets,
        externals,
        cluster,
        drills: Vec::new(),
        demand: traffic.demand,
        goals: goals?,
        assumptions: assumed.assumptions,
        not_simulated: set.not_simulated.iter().map(|(kind, count)| format!("{count} {kind}")).collect(),
        fidelity: Fidelity::Full,
        limits: Limits::default(),
    };
    Some((scenario, assumed.unknowns))
}

/// The traffic of a file.
fn read(
    file: &TrafficFile,
    known: &Known,
    asked: &Asked,
    cluster: Option<&Cluster>,
    into: &mut Findings,
) -> Traffic {
    let traffic = file.resolve(&known.directory, asked, into);
    if let Some(cluster) = cluster {
        traffic.refuse_endless(cluster.network_latency, into);
    }
    traffic
}

/// Manifests without anything that makes pods.
fn no_workloads() -> Problem {
    Problem::error("the manifests make no pods")
        .help("give Deployments, StatefulSets, DaemonSets, ReplicaSets or Pods")
}

/// A profile is asked for, and there is no cluster file that could have it.
fn no_profiles(name: &str) -> Problem {
    Problem::error(format!("there is no profile `{name}`: no cluster file is given"))
        .help("give --cluster, or leave --profile out")
}

/// What is known of the workloads by name: from the model, else guessed.
struct Known {
    directory: Directory,
    guesses: Vec<Guess>,
    edges: Vec<(usize, usize)>,
    /// For each workload its name in the model, and what the model and the priors
    /// say together.
    modelled: Vec<(Option<String>, WorkloadFile)>,
}

impl Known {
    fn of(set: &ManifestSet, model: Option<&Document<ModelFile>>, problems: &mut Vec<Problem>) -> Self {
        let library = priors::library();
        let recognise = |workload| library.recognise(workload, &set.services);
        let mut guesses: Vec<Guess> = set.workloads.iter().map(recognise).collect();
        let edges = priors::guess_calls(set, &guesses);
        let names = set.workloads.iter().map(|one| (one.namespace.clone(), one.name.clone()));
        let mut directory = Directory { workloads: names.collect(), ..Directory::default() };
        let full_names: Vec<String> =
            (0..set.workloads.len()).map(|index| directory.full_name(index)).collect();
        let mut modelled: Vec<(Option<String>, WorkloadFile)> =
            vec![(None, WorkloadFile::default()); guesses.len()];
        if let Some(document) = model {
            let mut found = Findings::default();
            let at = At::root().key("workloads");
            for (name, file) in &document.file.workloads.0 {
                let Some(index) = found.take(&at.key(name), directory.workload(name)) else { continue };
                if modelled[index].0.is_some() {
                    found.wrong(&at.key(name), format!("workload `{name}` is described twice"), "keep one");
                }
                modelled[index] = (Some(name.clone()), file.clone());
            }
            document.report(found, problems);
            directory.externals = document.file.externals.0.iter().map(|(name, _)| name.clone()).collect();
        }
        // Calls to a workload whose operations the model names otherwise can't be guessed.
        let unmodelled = |index: &usize| {
            let file = &modelled[*index].1;
            file.operations.0.is_empty() && file.usage.is_none()
        };
        let edges: Vec<(usize, usize)> =
            edges.into_iter().filter(|(from, to)| unmodelled(from) && unmodelled(to)).collect();
        priors::add_calls(set, &mut guesses, &edges, &full_names);
        for (guess, workload) in guesses.iter_mut().zip(&set.workloads) {
            guess.workload.sidecars = library.companions(workload);
        }
        for ((_, file), guess) in modelled.iter_mut().zip(&guesses) {
            *file = std::mem::take(file).or(guess.workload.clone());
            let names = file.operations.0.iter().map(|(name, _)| name.clone());
            directory.operations.push(names.collect());
        }
        Self { directory, guesses, edges, modelled }
    }

    /// What every workload does, and the external services.
    fn behaviours(
        &self,
        model: Option<&Document<ModelFile>>,
        assumed: &mut Findings,
        problems: &mut Vec<Problem>,
    ) -> (Vec<Behaviour>, Vec<External>) {
        let mut found = assumed.beside();
        let at = At::root().key("workloads");
        let mut behaviours = Vec::new();
        for (index, (key, file)) in self.modelled.iter().enumerate() {
            let (_, name) = &self.directory.workloads[index];
            if key.is_none() {
                self.note_guess(index, &mut found);
            }
            let at = at.key(key.as_deref().unwrap_or(name));
            behaviours.push(file.resolve(name, &at, &self.directory, &mut found));
        }
        let at = At::root().key("externals");
        let files = model.map(|document| document.file.externals.0.as_slice()).unwrap_or_default();
        let externals =
            files.iter().map(|(name, file)| file.resolve(name, &at.key(name), &mut found)).collect();
        self.refuse_circles(&behaviours, &mut found);
        assumed.take_over(&mut found);
        match model {
            Some(document) => document.report(found, problems),
            None => problems.extend(found.problems.into_iter().map(|one| Problem::error(one.message))),
        }
        (behaviours, externals)
    }

    /// The usage curves of those that have one, from time zero on.
    fn usages(&self, model: Option<&Document<ModelFile>>, problems: &mut Vec<Problem>) -> Vec<Option<Usage>> {
        let mut found = Findings::default();
        let at = At::root().key("workloads");
        let usage = |(key, file): &(Option<String>, WorkloadFile)| {
            file.usage(&at.key(key.as_deref().unwrap_or_default()), &mut found)
        };
        let usages = self.modelled.iter().map(usage).collect();
        if let Some(document) = model {
            document.report(found, problems);
        }
        usages
    }

    /// The HPAs, with what the model says of their metrics.
    fn autoscalers(
        &self,
        set: &ManifestSet,
        model: Option<&Document<ModelFile>>,
        assumed: &mut Findings,
        problems: &mut Vec<Problem>,
    ) -> Vec<Autoscaler> {
        let mut all = autoscalers(set);
        if let Some(document) = model {
            let mut found = assumed.beside();
            let curves: Vec<bool> = self.modelled.iter().map(|(_, file)| file.usage.is_some()).collect();
            let of = (&self.directory, curves.as_slice());
            custom_metrics::resolve(&document.file.metrics, &mut all, of, &mut found);
            assumed.take_over(&mut found);
            document.report(found, problems);
        }
        let none = Named::default();
        let files = model.map_or(&none, |document| &document.file.metrics);
        problems.extend(custom_metrics::unknown(files, &all, &set.autoscalers));
        problems.extend(injected::unknown(&all, set, |index| &self.modelled[index].1));
        all
    }

    /// Whether every workload that the model describes follows a usage curve, and
    /// there is one.
    fn follow_curves(&self) -> bool {
        let mut described = self.modelled.iter().filter(|(key, _)| key.is_some()).peekable();
        described.peek().is_some() && described.all(|(_, file)| file.usage.is_some())
    }

    /// Traffic without users, as long as the longest curve. Workloads without a curve
    /// stand idle.
    fn without_users(
        &self,
        usages: &[Option<Usage>],
        asked: &Asked,
        problems: &mut Vec<Problem>,
    ) -> Option<Traffic> {
        if asked.users.is_some() {
            let help = "give a curve its own `scale`, or describe the traffic with --traffic";
            problems.push(Problem::error("there are no users here: all load is recorded usage").help(help));
            return None;
        }
        let idle =
            self.modelled.iter().zip(&self.directory.workloads).filter(|((_, file), _)| file.usage.is_none());
        let idle: Vec<&str> = idle.map(|(_, (_, name))| name.as_str()).collect();
        if !idle.is_empty() {
            let more = if idle.len() > 8 { format!(" and {} more", idle.len() - 8) } else { String::new() };
            let message =
                format!("{}{more}: no usage curve, and nobody asks", idle[..idle.len().min(8)].join(", "));
            problems
                .push(Problem::warning(message).help("they stand idle; give each a `usage`, or --traffic"));
        }
        let length = |(usage, (_, file)): (&Option<Usage>, &(Option<String>, WorkloadFile))| {
            file.usage.as_ref()?.length(usage.as_ref()?)
        };
        let longest = usages.iter().zip(&self.modelled).filter_map(length).max();
        Some(Traffic::without_users(asked.duration.or(longest)))
    }

    /// Notes what a workload without a model was taken for.
    fn note_guess(&self, index: usize, found: &mut Findings) {
        let guess = &self.guesses[index];
        let called = self.edges.iter().filter(|(from, _)| *from == index);
        let called: Vec<String> = called.map(|(_, to)| self.directory.workloads[*to].1.clone()).collect();
        let calls = if called.is_empty() { "nobody".to_owned() } else { called.join(", ") };
        let name = &self.directory.workloads[index].1;
        let source = format!("recognised by {}; no model describes it", guess.recognised_by);
        let value = format!("{} that calls {calls}", guess.kind);
        found.assume(
            &format!("{name}: kind of software"),
            value,
            None,
            crate::scenario::Basis::Assumed,
            &source,
        );
    }

    /// Notes operations that call themselves, however far round.
    fn refuse_circles(&self, behaviours: &[Behaviour], found: &mut Findings) {
        let all: Vec<&Behaviour> = behaviours.iter().collect();
        for circle in directory::circles(&all) {
            let names: Vec<String> = circle
                .iter()
                .map(|(workload, operation)| {
                    let name = &self.directory.workloads[*workload].1;
                    format!("{name}/{}", self.directory.operations[*workload][*operation])
                })
                .collect();
            let Some((workload, operation)) = circle.first() else { continue };
            let key = self.modelled[*workload].0.clone().unwrap_or_default();
            let operation = &self.directory.operations[*workload][*operation];
            let at = At::root().key("workloads").key(&key).key("operations").key(operation);
            let message = format!("calls go round in a circle: {}", names.join(" -> "));
            found.wrong(&at, message, "an operation must not call itself, not even by others");
        }
    }
}

/// Traffic when no file describes it: the load of the default application's busy
/// hour, spread evenly over the entry points.
fn guessed_traffic(
    set: &ManifestSet,
    known: &Known,
    asked: Asked,
    assumed: &mut Findings,
    problems: &mut Vec<Problem>,
) -> Option<Traffic> {
    let mut entries = priors::entry_points(set, &known.guesses, &known.edges);
    entries.retain(|index| known.modelled[*index].1.usage.is_none());
    if entries.is_empty() {
        problems.push(
            Problem::error("nothing here serves users: there is no service to send requests to")
                .help("describe the traffic with --traffic"),
        );
        return None;
    }
    let calls: Vec<(String, f64)> = entries
        .iter()
        .filter_map(|index| {
            let operation = known.directory.operations[*index].first()?;
            let call = format!("{}/{operation}", known.directory.full_name(*index));
            Some((call, priors::part_of_users(set, *index)))
        })
        .collect();
    let users = asked.users.unwrap_or(sizing::USUAL_USERS);
    if let Some(problem) = unreached(set, known, &entries) {
        problems.push(problem);
    }
    let basis = crate::scenario::Basis::Assumed;
    let source = "no traffic file: one hour around a day's peak, one request in 34 s and user, every entry \
                  point alike";
    let asked_of = calls.iter().map(|(call, _)| call.as_str()).collect::<Vec<_>>().join(", ");
    assumed.assume("traffic", format!("{users} users of {asked_of}"), None, basis, source);
    let file = TrafficFile::guessed(&calls);
    let mut found = assumed.beside();
    let mut traffic = file.resolve(&known.directory, &Asked { users: Some(users), ..asked }, &mut found);
    traffic.shorten(SimDuration::from_secs(3_600));
    problems.extend(found.problems.into_iter().map(|one| Problem::error(one.message)));
    Some(traffic)
}

/// The curves begin with the observation, like the traffic's load.
fn started(mut usages: Vec<Option<Usage>>, traffic: Option<&Traffic>) -> Vec<Option<Usage>> {
    let warm_up = traffic.map_or(SimDuration::ZERO, |traffic| traffic.warm_up);
    for usage in usages.iter_mut().flatten() {
        usage.start = SimTime::ZERO + warm_up;
    }
    usages
}

/// Says which workloads no request reaches. Where a model describes one, it is
/// known what calls it.
fn unreached(set: &ManifestSet, known: &Known, entries: &[usize]) -> Option<Problem> {
    let described = known.modelled.iter().any(|(key, _)| key.is_some());
    let missed = priors::unreached(set, &known.guesses, &known.edges, entries);
    if described || missed.is_empty() {
        return None;
    }
    let name = |index: &usize| known.directory.workloads[*index].1.clone();
    let shown: Vec<String> = missed.iter().take(8).map(name).collect();
    let more = if missed.len() > shown.len() {
        format!(" and {} more", missed.len() - shown.len())
    } else {
        String::new()
    };
    let message = format!(
        "no request reaches {}{more}: users come to {}, and no address in the manifests leads further",
        shown.join(", "),
        entries.iter().map(name).collect::<Vec<_>>().join(", "),
    );
    Some(Problem::warning(message).help("say who calls them with --model; until then they stand idle"))
}

/// Workloads with more pods together than a run takes. It would take hours to find
/// out that they don't fit.
fn refuse_crowds(set: &ManifestSet, problems: &mut Vec<Problem>) {
    let most = Limits::default().pods as u64;
    let mut pods = 0;
    for workload in &set.workloads {
        let before = pods;
        pods += u64::from(workload.replicas);
        if before <= most && pods > most {
            let message = format!("{} and those before ask for {pods} pods", workload.name);
            let help = format!("Kubernetes is tested up to {most} in a cluster; plan takes no more");
            problems.push(Problem::error(message).at(workload.place.clone()).help(help));
        }
    }
}

/// The policy's goals, or the usual ones. What the default application's own
/// policy asks of other traffic than its own is left out, with a note.
fn goals(
    documents: &Documents,
    directory: &Directory,
    traffic: Option<&Traffic>,
    users: Option<f64>,
    problems: &mut Vec<Problem>,
) -> Option<Goals> {
    if documents.policy.is_none() && documents.slos.is_none() {
        let users = traffic.is_none_or(|traffic| !traffic.demand.journeys.is_empty());
        return Some(if users { policy::default_goals() } else { policy::default_goals_of_usage() });
    }
    // Without the traffic its journeys can't be looked up.
    let journeys = traffic?.demand.journeys.iter().map(|journey| journey.name.clone());
    let journeys: Vec<String> = journeys.collect();
    if let Some(slos) = &documents.slos {
        return Some(slos.goals(directory, &journeys, policy::default_goals(), problems));
    }
    let document = documents.policy.as_ref()?;
    document.resolve(&mut Findings::default(), problems, |file, into| {
        if !documents.policy_is_default {
            return Some(file.resolve(directory, &journeys, into));
        }
        let mut goals = file.for_journeys(&journeys).resolve(directory, &journeys, into);
        for objective in &mut goals.objectives {
            let asked = users.filter(|users| *users < objective.goal);
            if let Some(asked) = asked.filter(|_| objective.indicator == Indicator::CarriedUsers) {
                goals.notes.push(format!(
                    "objective `{}` asks for {} here, as --users says, and not for the {} of the policy",
                    objective.name,
                    count(asked),
                    count(objective.goal)
                ));
                objective.goal = asked;
            }
        }
        let dropped = file.objectives.len() - goals.objectives.len();
        if dropped > 0 && into.problems.is_empty() {
            goals.notes.push(format!(
                "{} of the policy left out here: their journeys are not in this traffic",
                plural(dropped as u64, "objective", "objectives")
            ));
        }
        Some(goals)
    })
}

/// What there is to check without a simulation.
pub struct Checked {
    /// For each workload of the set what the model says of it.
    pub behaviours: Vec<Option<Behaviour>>,
    /// The nodes: of the cluster file, else the Node objects of the manifests.
    pub cluster: Option<Cluster>,
    /// The policy's goals.
    pub goals: Option<Goals>,
}

/// Reads everything that [`assemble`] reads, and guesses at nothing: what no file
/// says stays unknown.
pub fn check(parts: &Parts, problems: &mut Vec<Problem>) -> Checked {
    let Parts { set, documents, asked, profile, .. } = parts;
    let mut assumed = Findings::default();
    let known = Known::of(set, documents.model.as_ref(), problems);
    let (behaviours, _) = known.behaviours(documents.model.as_ref(), &mut assumed, problems);
    let modelled = known.modelled.iter().map(|(key, _)| key.is_some());
    known.usages(documents.model.as_ref(), problems);
    let cluster = match &documents.cluster {
        Some(document) => {
            document.resolve(&mut assumed, problems, |file, into| file.resolve(profile.as_deref(), into))
        }
        None => (!set.nodes.is_empty()).then(|| sizing::cluster(set, &mut assumed)),
    };
    let traffic = documents.traffic.as_ref().and_then(|document| {
        document.resolve(&mut assumed, problems, |file, into| {
            Some(read(file, &known, asked, cluster.as_ref(), into))
        })
    });
    // Without traffic the policy's journeys can't be looked up.
    let slos =
        documents.slos.as_ref().zip(traffic.as_ref()).and_then(|(_, traffic)| {
            goals(documents, &known.directory, Some(traffic), asked.users, problems)
        });
    let policy = documents.policy.as_ref().and_then(|document| {
        let Some(traffic) = &traffic else {
            return document.resolve(&mut Findings::default(), problems, |file, into| {
                Some(file.for_journeys(&[]).resolve(&known.directory, &[], into))
            });
        };
        goals(documents, &known.directory, Some(traffic), asked.users, problems)
    });
    Checked {
        behaviours: behaviours.into_iter().zip(modelled).map(|(one, is)| is.then_some(one)).collect(),
        cluster,
        goals: slos.or(policy),
    }
}

/// The HPAs with their workloads. One whose target is missing scales nothing, and
/// two on one workload both stop (condition `AmbiguousSelector`); the reader of
/// manifests has warned of both.
fn autoscalers(set: &ManifestSet) -> Vec<Autoscaler> {
    let target = |hpa: &ManifestHpa| {
        set.workloads.iter().position(|workload| {
            workload.namespace == hpa.namespace
                && workload.api_kind == hpa.target_kind
                && workload.name == hpa.target_name
                && can_scale(workload.kind)
        })
    };
    let found: Vec<(usize, &ManifestHpa)> =
        set.autoscalers.iter().filter_map(|hpa| Some((target(hpa)?, hpa))).collect();
    let alone = |index: usize| found.iter().filter(|(other, _)| *other == index).count() == 1;
    let one = |(workload, hpa): &(usize, &ManifestHpa)| Autoscaler {
        name: hpa.name.clone(),
        workload: *workload,
        spec: hpa.spec.clone(),
        custom: Vec::new(),
    };
    found.iter().filter(|(index, _)| alone(*index)).map(one).collect()
}

/// Whether a controller has a scale subresource.
fn can_scale(kind: Kind) -> bool {
    match kind {
        Kind::Deployment { .. } | Kind::ReplicaSet | Kind::StatefulSet { .. } => true,
        Kind::DaemonSet | Kind::Pod | Kind::Job => false,
    }
}

/// The workloads with their behaviours.
fn workloads(
    set: &ManifestSet,
    autoscalers: &[Autoscaler],
    behaviours: impl Iterator<Item = (Behaviour, Option<Usage>)>,
) -> Vec<Workload> {
    let with_behaviour = set.workloads.iter().zip(behaviours).enumerate();
    let workloads = with_behaviour.map(|(index, (from, (mut behaviour, usage)))| {
        let hpa = autoscalers.iter().find(|hpa| hpa.workload == index);
        // Without `spec.replicas` an HPA's workload keeps what it had; in its
        // stride that is at least the HPA's minimum.
        let least = hpa.filter(|_| !from.replicas_stated).map_or(0, |hpa| hpa.spec.min_replicas);
        let leads_here = |route: &&IngressRoute| {
            let of = |service: &ManifestService| {
                (&service.name, &service.namespace) == (&route.service, &route.namespace)
            };
            set.services.iter().any(|service| of(service) && service.leads_to(from))
        };
        let behind_ingress = set.routes.iter().any(|route| leads_here(&route));
        let mut stated = set.routes.iter().filter(leads_here).filter_map(|route| route.balancing);
        behaviour.ingress_balancing = stated.next().unwrap_or(behaviour.ingress_balancing);
        mesh(set, &mut behaviour);
        Workload {
            name: from.name.clone(),
            namespace: from.namespace.clone(),
            kind: from.kind,
            replicas: from.replicas.max(least),
            min_ready: from.min_ready,
            template: from.template.clone(),
            behaviour,
            usage,
            behind_ingress,
        }
    });
    workloads.collect()
}

/// What DestinationRules say of how a workload's pods reach those that they call. What
/// the model says of the same goes before.
fn mesh(set: &ManifestSet, behaviour: &mut Behaviour) {
    let steps = behaviour.operations.iter().flat_map(|operation| &operation.steps);
    let callees: BTreeSet<usize> = steps
        .flat_map(Step::calls)
        .filter_map(|call| match call.target {
            Target::Operation { workload, .. } => Some(workload),
            Target::External(_) => None,
        })
        .collect();
    for to in callees {
        let leads_there = |rule: &&MeshRule| {
            let of = |service: &ManifestService| {
                (&service.name, &service.namespace) == (&rule.service, &rule.namespace)
            };
            set.services.iter().any(|service| of(service) && service.leads_to(&set.workloads[to]))
        };
        let Some(rule) = set.mesh.iter().find(leads_there) else { continue };
        let known = behaviour.upstreams.iter().position(|one| one.workload == to);
        let at = known.unwrap_or_else(|| {
            behaviour.upstreams.push(Upstream::to(to));
            behaviour.upstreams.len() - 1
        });
        let one = &mut behaviour.upstreams[at];
        one.breaker = one.breaker.or(rule.breaker);
        // A call goes where its connection leads, if connections are kept.
        if one.pool.is_none() {
            one.outlier = one.outlier.or(rule.outlier);
            if one.balancing == Balancing::Random {
                one.balancing = rule.balancing.unwrap_or_default();
            }
        }
    }
}
