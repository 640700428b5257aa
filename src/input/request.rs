//! What the command line asks for, and the files it names.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::change::{ObjectName, value_of};
use crate::input::assemble::{Parts, assemble};
use crate::input::document::Document;
use crate::input::documents::Documents;
use crate::input::drills;
use crate::input::embedded;
use crate::input::findings::At;
use crate::input::injected;
use crate::input::manifest::trees::Trees;
use crate::input::manifest::{self, ManifestSet};
use crate::input::model::ModelFile;
use crate::input::openslo;
use crate::input::problem::{self, Problem};
use crate::input::traffic::{Asked, TrafficFile};
use crate::input::traps::{self, Subject};
use crate::input::usage::read_usage;
use crate::input::world::{Unknown, World};
use crate::k8s::version::Version;
use crate::scenario::Scenario;
use crate::source::{Place, SourceId, Sources, closest};
use crate::units::SimDuration;

/// Which files make the scenario, and what is asked of them. What is absent is
/// taken from the default application where no manifests are given, and guessed
/// where some are.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Files, directories, or `-`; empty for the default application.
    pub manifests: Vec<PathBuf>,
    /// Manifests in memory, as names and texts, read in place of those files;
    /// everything else is as with them.
    pub texts: Option<Vec<(String, String)>>,
    /// Without manifests: the default application as its document's Docker
    /// Compose deployment, instead of its Kubernetes manifests.
    pub compose: bool,
    /// A model file.
    pub model: Option<PathBuf>,
    /// A traffic file, or the name of one that comes with the program (`steady`).
    pub traffic: Option<PathBuf>,
    /// A policy file.
    pub policy: Option<PathBuf>,
    /// A cluster file.
    pub cluster: Option<PathBuf>,
    /// The profile of the cluster file; its default where absent.
    pub profile: Option<String>,
    /// Drills that strike within the observed time, ours or Chaos Mesh's.
    pub drills: Option<PathBuf>,
    /// Users at the traffic's peak.
    pub users: Option<f64>,
    /// Observed time.
    pub duration: Option<SimDuration>,
    /// The Kubernetes release; the newest that the rules know where absent.
    pub version: Option<Version>,
    /// Where in their ranges unknowns are; in the middle where nothing is said.
    pub world: World,
}

/// A scenario, and what else came of reading it.
#[derive(Debug)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// What was read, but hardly meant so.
    pub warnings: Vec<Problem>,
    /// All texts that were read.
    pub sources: Sources,
    /// What the manifests say, with where it stands.
    pub manifests: ManifestSet,
    /// Which of the texts are manifests, in the order in which they were read.
    pub manifest_texts: Vec<SourceId>,
    /// Our own files: `model.yaml`, `traffic.yaml`, `policy.yaml`, `cluster.yaml`, and
    /// a trace as the traffic calls it.
    pub inputs: Vec<(String, SourceId)>,
    /// What is not known for sure, in the order of reading.
    pub unknowns: Vec<Unknown>,
}

/// Why there is no scenario.
#[derive(Debug)]
pub enum Failure {
    /// Something in the files is wrong; warnings are among the problems.
    Wrong {
        /// Everything that was found.
        problems: Vec<Problem>,
        /// All texts that were read.
        sources: Sources,
    },
    /// The manifests can't be read at all.
    Manifests(manifest::Failure),
}

impl Loaded {
    /// The manifests as they were read: names, and texts.
    pub fn texts(&self) -> Vec<(String, String)> {
        let text = |id: &SourceId| (self.sources.name(*id).to_owned(), self.sources.text(*id).to_owned());
        self.manifest_texts.iter().map(text).collect()
    }

    /// The objects of the manifests as they are written, Secrets left out.
    pub fn written(&self) -> Vec<(ObjectName, Value)> {
        let mut manifests = Sources::new();
        for (name, text) in self.texts() {
            manifests.add(name, text);
        }
        let objects = Trees::of(&manifests);
        let open = objects.all().iter().filter(|tree| tree.kind != "Secret");
        open.filter_map(|tree| Some((ObjectName::of(&tree.node)?, value_of(&tree.node)))).collect()
    }
}

impl Failure {
    /// Everything that was found, as rustc would show it.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Wrong { problems, sources } => problem::render(problems, sources, color),
            Self::Manifests(failure) => Problem::error(failure.to_string()).render(&Sources::new(), color),
        }
    }
}

/// Reads all files and puts the scenario together.
pub fn load(request: &Request) -> Result<Loaded, Failure> {
    let mut reading = Reading::default();
    let mut set = reading.manifests(request)?;
    let manifest_texts: Vec<SourceId> = reading.sources.ids().collect();
    let mut documents = reading.documents(request);
    let mut inputs = documents.texts();
    inputs.extend(reading.usages(documents.model.as_mut(), request.model.as_deref()));
    let trace = documents.traffic.as_ref().and_then(|traffic| {
        let file = traffic.file.load.trace_file()?;
        let trace = reading.trace(file, request.traffic.as_deref(), traffic)?;
        inputs.extend(reading.sources.ids().last().map(|id| (file.to_owned(), id)));
        Some(trace)
    });
    let drills = request.drills.as_deref().and_then(|path| reading.file(path));
    let Reading { sources, mut problems } = reading;
    injected::inject(&mut set, documents.model.as_ref(), &mut problems);
    if request.users.is_some_and(|users| !users.is_finite() || users <= 0.0) {
        problems.push(Problem::error("the number of users must be above 0"));
    }
    if problems.iter().any(Problem::is_error) {
        // Names can't be looked up in files that don't read.
        return Err(Failure::Wrong { problems, sources });
    }
    let parts = Parts {
        set: set.clone(),
        documents,
        asked: Asked { users: request.users, duration: request.duration, trace },
        profile: request.profile.clone().or_else(|| request.compose.then(|| "compose".to_owned())),
        version: request.version.unwrap_or_default(),
        name: if request.compose { "compose".to_owned() } else { name_of(&request.manifests) },
        world: request.world.clone(),
    };
    let mut assembled = assemble(parts, &mut problems);
    if let (Some((scenario, _)), Some(id)) = (assembled.as_mut(), drills) {
        drills::read(&sources, id, scenario, &mut problems);
    }
    if let Some((scenario, _)) = &assembled {
        problems.extend(refused(&set, &sources, scenario));
    }
    match assembled.filter(|_| !problems.iter().any(Problem::is_error)) {
        Some((scenario, unknowns)) => {
            let manifests = set;
            Ok(Loaded { scenario, warnings: problems, sources, manifests, manifest_texts, inputs, unknowns })
        }
        None => Err(Failure::Wrong { problems, sources }),
    }
}

/// Pods that the namespaces' LimitRanges and ResourceQuotas refuse.
fn refused(set: &ManifestSet, sources: &Sources, scenario: &Scenario) -> Vec<Problem> {
    let limits = |kind: &str| matches!(kind, "LimitRange" | "ResourceQuota");
    if !set.counts.iter().any(|(kind, _)| limits(kind)) {
        return Vec::new();
    }
    traps::refused(&Subject {
        set,
        trees: &Trees::of(sources),
        behaviours: &[],
        model: None,
        cluster: Some(&scenario.cluster),
        goals: None,
        policy: None,
        version: scenario.version,
    })
}

/// What a scenario is called: the manifests' file or folder.
pub fn name_of(manifests: &[PathBuf]) -> String {
    let Some(first) = manifests.first() else { return "my-saas-chat".to_owned() };
    let absolute = fs::canonicalize(first).unwrap_or_else(|_| first.clone());
    let stem = absolute.file_stem().filter(|_| first.as_os_str() != "-");
    stem.map_or_else(|| "manifests".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) sources: Sources,
    pub(super) problems: Vec<Problem>,
}

impl Reading {
    /// The manifests of these paths, or of the default application.
    pub(super) fn manifests(&mut self, request: &Request) -> Result<ManifestSet, Failure> {
        let paths = &request.manifests;
        let (set, found) = if let Some(texts) = &request.texts {
            manifest::read_texts(texts.clone(), &mut self.sources)
        } else if paths.is_empty() {
            let texts = if request.compose { embedded::compose() } else { embedded::manifests() };
            let texts = texts.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
            manifest::read_texts(texts.collect(), &mut self.sources)
        } else {
            manifest::read(paths, &mut self.sources).map_err(Failure::Manifests)?
        };
        self.problems.extend(found);
        Ok(set)
    }

    /// Our own files: those that are asked for, else those of the default
    /// application where its manifests are simulated.
    pub(super) fn documents(&mut self, request: &Request) -> Documents {
        let default = |file: &str| {
            let path = if file.starts_with("traffic/") {
                file.to_owned()
            } else {
                format!("{}/{file}", embedded::APPLICATION)
            };
            request.manifests.is_empty().then_some(path)
        };
        let traffic = request.traffic.as_deref();
        let policy = request.policy.as_deref().and_then(|path| self.file(path));
        let slos = policy.filter(|id| openslo::is_openslo(&self.sources, *id));
        Documents {
            model: self.document(request.model.as_deref(), default("model.yaml"), "Model"),
            traffic: self.document(traffic, default("traffic/busy-hour.yaml"), "Traffic"),
            policy: match (policy, request.policy.is_some()) {
                (Some(id), _) if slos.is_none() => {
                    Document::read(&self.sources, id, "Policy", &mut self.problems)
                }
                (Some(_), _) | (None, true) => None,
                (None, false) => self.document(None, default("policy.yaml"), "Policy"),
            },
            slos: slos.and_then(|id| openslo::read(&self.sources, id, &mut self.problems)),
            policy_is_default: request.policy.is_none(),
            cluster: self.document(request.cluster.as_deref(), default("cluster.yaml"), "Cluster"),
        }
    }

    fn document<T: DeserializeOwned>(
        &mut self,
        given: Option<&Path>,
        default: Option<String>,
        kind: &str,
    ) -> Option<Document<T>> {
        let id = match (given, default) {
            (Some(path), _) => self.file(path)?,
            (None, Some(path)) => self.embedded(&path)?,
            (None, None) => return None,
        };
        Document::read(&self.sources, id, kind, &mut self.problems)
    }

    /// A file of the user, or one of the embedded traffic files by its bare name.
    fn file(&mut self, path: &Path) -> Option<SourceId> {
        let bare = path.to_str().filter(|name| !name.contains(['/', '.']) && !path.exists());
        let known = bare.map(|name| format!("traffic/{name}.yaml"));
        if let Some(id) = known.and_then(|known| self.embedded(&known)) {
            return Some(id);
        }
        match fs::read_to_string(path) {
            Ok(text) => Some(self.sources.add(path.display().to_string(), text)),
            Err(error) => {
                let mut problem = Problem::error(format!("cannot read `{}`: {error}", path.display()));
                if let Some(near) = bare.and_then(|name| closest(name, embedded::traffic())) {
                    problem = problem.help(format!("the traffic that comes along is called `{near}`"));
                }
                self.problems.push(problem);
                None
            }
        }
    }

    fn embedded(&mut self, path: &str) -> Option<SourceId> {
        embedded::text(path).map(|text| self.sources.add(path, text))
    }

    /// Reads the usage files that a model names, seen from its folder; each by the
    /// name that the model gives it.
    pub(super) fn usages(
        &mut self,
        document: Option<&mut Document<ModelFile>>,
        model: Option<&Path>,
    ) -> Vec<(String, SourceId)> {
        let mut read: Vec<(String, SourceId)> = Vec::new();
        let Some(document) = document else { return read };
        let folder = model.and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let mut workloads = std::mem::take(&mut document.file.workloads);
        for (workload, file) in &mut workloads.0 {
            let Some(usage) = &mut file.usage else { continue };
            let Some(name) = &usage.file else { continue };
            let known = read.iter().find(|(known, _)| known == name).map(|(_, id)| *id);
            let path = folder.join(name);
            let id = match (known, fs::read_to_string(&path)) {
                (Some(id), _) => id,
                (None, Ok(text)) => self.sources.add(path.display().to_string(), text),
                (None, Err(error)) => {
                    let message = format!("cannot read `{}`: {error}", path.display());
                    let at = At::root().key("workloads").key(workload).key("usage").key("file");
                    let problem = Problem::error(message).at(document.place(&at.path));
                    self.problems.push(problem.help("seen from the model file's folder"));
                    continue;
                }
            };
            if known.is_none() {
                read.push((name.clone(), id));
            }
            match read_usage(self.sources.text(id)) {
                Ok(rows) => usage.rows = Some(rows),
                Err((span, message)) => {
                    let help = "a line is `time,cpu,memory`, in seconds, cores and bytes";
                    self.problems.push(Problem::error(message).at(Place { source: id, span }).help(help));
                }
            }
        }
        document.file.workloads = workloads;
        read
    }

    /// The trace that a traffic file names, seen from that file's folder.
    pub(super) fn trace(
        &mut self,
        file: &str,
        traffic: Option<&Path>,
        document: &Document<TrafficFile>,
    ) -> Option<Vec<(f64, f64)>> {
        let folder = traffic.and_then(Path::parent).unwrap_or(Path::new("traffic"));
        let path = folder.join(file);
        let (key, help) = document.file.load.recorded_as();
        let embedded = self.embedded(&format!("traffic/{file}")).filter(|_| !path.exists());
        let id = match (embedded, fs::read_to_string(&path)) {
            (Some(id), _) => id,
            (None, Ok(text)) => self.sources.add(path.display().to_string(), text),
            (None, Err(error)) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                let place = document.place(&format!("load.{key}.file"));
                self.problems
                    .push(Problem::error(message).at(place).help("seen from the traffic file's folder"));
                return None;
            }
        };
        match document.file.load.read(self.sources.text(id)) {
            Ok(rows) => Some(rows),
            Err((span, message)) => {
                let place = Place { source: id, span };
                self.problems.push(Problem::error(message).at(place).help(help));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::{Basis, Indicator, Population, ProvisionedBy, Scope, Step, Target};
    use crate::units::SimTime;

    /// Loads with these files in a folder of their own; what is wrong is shown
    /// with bare file names.
    fn with_files(files: &[(&str, &str)], mut request: Request) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            match *name {
                "model.yaml" => request.model = Some(path),
                "traffic.yaml" => request.traffic = Some(path),
                "policy.yaml" => request.policy = Some(path),
                "cluster.yaml" => request.cluster = Some(path),
                "drills.yaml" => request.drills = Some(path),
                "manifests.yaml" => request.manifests.push(path),
                _ => {}
            }
        }
        let prefix = format!("{}/", folder.path().display());
        load(&request).map_err(|failure| failure.render(false).replace(&prefix, ""))
    }

    fn wrong(files: &[(&str, &str)]) -> String {
        with_files(files, Request::default()).err().unwrap_or_else(|| "nothing is wrong".to_owned())
    }

    /// What is shown, a line for each problem: place, message, help.
    fn in_lines(shown: &str) -> String {
        let mut lines = String::new();
        for line in shown.lines() {
            if let Some(message) = line.strip_prefix("error: ") {
                lines += &format!("\n{message}");
            } else if let Some(place) = line.trim_start().strip_prefix("--> ") {
                lines += &format!(" @ {place}");
            } else if let Some((_, help)) = line.split_once("= help: ") {
                lines += &format!(" ({help})");
            }
        }
        lines
    }

    /// An SLO on a service of the default application.
    fn slo(service: &str, metric: &str, objective: &str) -> String {
        format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {service}-slo}}\nspec:\n  service: {service}\n  \
             indicator: {{spec: {{{metric}Metric: {{metricSource: {{type: Prometheus, spec: {{}}}}}}}}}}\n  \
             timeWindow: [{{duration: 28d, isRolling: true}}]\n  budgetingMethod: Occurrences\n  objectives:\n  - {objective}\n"
        )
    }

    #[test]
    fn openslo_documents_are_a_policy() {
        let text = [
            slo("chat-service", "ratio", "{target: 0.999}"),
            slo("all", "ratio", "{targetPercent: 99.9}"),
            slo("conversation", "threshold", "{op: lte, value: 0.3, target: 0.95}"),
        ]
        .join("---\n");
        let loaded = with_files(&[("policy.yaml", &text)], Request::default()).unwrap();
        let goals = &loaded.scenario.goals;
        let told: Vec<String> = goals
            .objectives
            .iter()
            .map(|one| {
                format!("{} {:?} {:?} {} {}", one.name, one.indicator, one.scope, one.comparison, one.goal)
            })
            .collect();
        let conversation =
            loaded.scenario.demand.journeys.iter().position(|one| one.name == "conversation").unwrap();
        assert_eq!(
            told,
            [
                "chat-service-slo Availability Workload(2) >= 0.999".to_owned(),
                "all-slo Availability All >= 0.999".to_owned(),
                format!("conversation-slo Latency {{ quantile: 0.95 }} Journey({conversation}) <= 0.3"),
            ]
        );
        assert_eq!(goals.notes[0], "SLO `chat-service-slo` is over 28d; here the observed time is judged");
        // What they become as a policy of our own is the same.
        let again = crate::input::again::policy(&loaded.scenario);
        let loaded = with_files(&[("policy.yaml", &again)], Request::default()).unwrap();
        assert_eq!(loaded.scenario.goals.objectives.len(), 3);
    }

    #[test]
    fn what_an_slo_asks_that_can_t_be_judged_is_refused() {
        let text = [
            slo("shop", "ratio", "{target: 0.999}"),
            slo("all", "ratio", "{target: 99.9}"),
            slo("all", "threshold", "{op: gte, value: 0.3, target: 0.95}"),
            slo("all", "threshold", "{op: lte, target: 0.95}"),
            slo("all", "ratio", "{target: 0.9, timeSliceTarget: 0.9}").replace("Occurrences", "Timeslices"),
            "apiVersion: openslo/v1\nkind: SLO\nspec: {service: all, indicatorRef: x, objectives: [{target: 0.9}]}\n"
                .to_owned(),
        ]
        .join("---\n");
        insta::assert_snapshot!(in_lines(&wrong(&[("policy.yaml", &text)])), @r#"

service `shop` is neither a journey nor a workload @ policy.yaml:5:12 (journeys are conversation, ask-ai, return, sign-in, account, upgrade; workloads are auth-service, billing-service, chat-service, jaeger, postgres, redis, grafana, prometheus; say which by the SLO's annotation `plan/journey` or `plan/workload`, or name the service `all`)
`99.9` is outside 0% to 100% @ policy.yaml:21:14 (a share is written `99.9%` or `0.999`)
a latency is kept below something @ policy.yaml:32:10 (write `op: lte`)
a threshold needs its value @ policy.yaml:43:6 (add `value: 0.3`, in seconds)
time slices are not judged, only requests are @ policy.yaml:52:20 (`Occurrences` counts requests)
composite SLOs and time slices are not judged @ policy.yaml:54:36 (make SLOs of their own of them)
there is no SLI `x` @ policy.yaml:58:36 (an SLI of this name must stand in the same file)
"#);
    }

    #[test]
    fn rules_are_tried_before_anything_is_simulated() {
        let policy = |rules: &str| format!("objectives: []\nrules:\n{rules}");
        let good = policy(
            "- {name: few nodes, holds: cluster.nodes.max <= 5.0}\n\
             - {holds: 'workloads[\"chat-service\"].p95 < 0.2 || cluster.nodes.min > 4.0'}\n",
        );
        let loaded = with_files(&[("policy.yaml", &good)], Request::default()).unwrap();
        let names: Vec<&str> = loaded.scenario.goals.objectives.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["few nodes", "workloads[\"chat-service\"].p95 < 0.2 || cluster.nodes.min > 4.0"]);
        let bad = policy(
            "- {holds: cluster.nodes.most <= 5.0}\n- {holds: cluster.nodes.max <=}\n- {holds: cluster.nodes.max}\n\
             - {holds: 2 * cluster.nodes.max > 1.0}\n\
             - {holds: 'cluster.nodes.max > 0.0 || workloads.chat.p95 < 1.0'}\n",
        );
        insta::assert_snapshot!(in_lines(&wrong(&[("policy.yaml", &bad)])), @r#"

this can't be asked of a run: No such key: most @ policy.yaml:3:11 (there is `all`, `journeys`, `workloads`, `cluster` and `users` (models/README.md); numbers are floating-point: `2.0 * cluster.nodes.max`)
this can't be asked of a run: at its character 21: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER} @ policy.yaml:4:11 (there is `all`, `journeys`, `workloads`, `cluster` and `users` (models/README.md); numbers are floating-point: `2.0 * cluster.nodes.max`)
this can't be asked of a run: it is a float, not true or false @ policy.yaml:5:11 (there is `all`, `journeys`, `workloads`, `cluster` and `users` (models/README.md); numbers are floating-point: `2.0 * cluster.nodes.max`)
this can't be asked of a run: Unsupported binary operator 'mul': Int(2), Float(1.0) @ policy.yaml:6:11 (there is `all`, `journeys`, `workloads`, `cluster` and `users` (models/README.md); numbers are floating-point: `2.0 * cluster.nodes.max`)
"#);
    }

    #[test]
    fn the_default_application_loads() {
        let loaded = load(&Request::default()).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
        let scenario = loaded.scenario;
        let names: Vec<&str> = scenario.workloads.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "auth-service",
                "billing-service",
                "chat-service",
                "jaeger",
                "postgres",
                "redis",
                "grafana",
                "prometheus"
            ]
        );
        assert_eq!(scenario.name, "my-saas-chat");
        assert_eq!(scenario.autoscalers.len(), 3);
        assert_eq!(scenario.cluster.name, "production");
        assert_eq!(scenario.cluster.provisioned_by, ProvisionedBy::ClusterAutoscaler);
        assert_eq!(scenario.horizon, SimDuration::from_secs(3_600));
        assert_eq!(scenario.warm_up, SimDuration::from_secs(900));
        let behind: Vec<bool> = scenario.workloads.iter().map(|one| one.behind_ingress).collect();
        assert_eq!(behind, [true, true, true, false, false, false, false, false]);
        let Population::Users { peak, shape } = &scenario.demand.population else { panic!("users") };
        assert!((peak - 100_000.0).abs() < 1e-9);
        // The load starts where the observation does, after the warm-up.
        let share =
            |minutes: u64| shape.at(SimTime::ZERO + scenario.warm_up + SimDuration::from_secs(minutes * 60));
        assert!((shape.at(SimTime::ZERO) - 0.6).abs() < 1e-12 && (share(0) - 0.6).abs() < 1e-12);
        assert!((share(25) - 1.0).abs() < 1e-12 && (share(60) - 0.85).abs() < 1e-12);
        assert!(scenario.goals.objectives.iter().any(|one| one.indicator == Indicator::CarriedUsers));
        assert!(scenario.goals.objectives.iter().any(|one| one.scope == Scope::Drill("*".to_owned())));
        assert!(scenario.assumptions.iter().any(|one| one.basis == Basis::Prior));
        assert!(scenario.assumptions.iter().all(|one| !one.source.is_empty() && !one.what.is_empty()));
        let warnings = problem::render(&loaded.warnings, &loaded.sources, false);
        assert!(!warnings.contains("models/my-saas-chat/model.yaml"), "{warnings}");
    }

    #[test]
    fn a_connected_user_sends_a_request_in_about_34_seconds() {
        for name in ["busy-hour", "steady", "working-day", "flash-crowd"] {
            let request = Request { traffic: Some(name.into()), ..Request::default() };
            let demand =
                load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false))).scenario.demand;
            let (mut requests, mut thinking) = (0.0, 0.0);
            for journey in &demand.journeys {
                for visit in &journey.visits {
                    requests += journey.weight * f64::from(visit.times);
                    thinking += journey.weight * f64::from(visit.times) * visit.think.mean();
                }
            }
            let per_second = requests / thinking * 100_000.0;
            assert!((2_500.0..3_500.0).contains(&per_second), "{name}: {per_second}");
        }
    }

    #[test]
    fn every_embedded_traffic_and_profile_loads() {
        for name in embedded::traffic() {
            let request = Request { traffic: Some(name.into()), ..Request::default() };
            let loaded = load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
            let rates = matches!(loaded.scenario.demand.population, Population::Rate { users: None, .. });
            assert_eq!(rates, name.starts_with("trace-"), "{name}");
        }
        for profile in ["production", "minikube", "compose"] {
            let request = Request { profile: Some(profile.into()), ..Request::default() };
            let loaded = load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
            assert_eq!(loaded.scenario.cluster.name, profile);
        }
    }

    #[test]
    fn what_is_changed_of_the_default_policy_is_said() {
        let notes = |users, traffic: Option<&str>| {
            let request = Request { users, traffic: traffic.map(PathBuf::from), ..Request::default() };
            let loaded = load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
            loaded.scenario.goals.notes
        };
        assert_eq!(notes(None, None), [""; 0]);
        assert_eq!(notes(Some(200_000.0), None), [""; 0]);
        let lowered = "objective `users carried` asks for 1,000 here, as --users says, and not for the 100,000 \
                       of the policy";
        assert_eq!(notes(Some(1_000.0), None), [lowered]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.yaml");
        let text = "apiVersion: plan/v1alpha1\nkind: Traffic\nload:\n  constant-vus: {vus: 10}\njourneys:\n  \
                    looking:\n    visits:\n    - {call: chat-service/history, think: 5s, timeout: 10s}\n";
        fs::write(&path, text).unwrap();
        let dropped = "4 objectives of the policy left out here: their journeys are not in this traffic";
        assert_eq!(notes(None, path.to_str()), [dropped]);
    }

    #[test]
    fn users_scale_any_load_to_its_peak() {
        let traffic = "load: {constant-arrival-rate: {rate: 10}}\njourneys:\n  a: {visits: [{call: auth-service/check, think: 20s, times: 2}]}\n";
        let files = [("traffic.yaml", traffic)];
        for (users, expected) in [(None, 10.0), (Some(4_000.0), 100.0)] {
            let loaded = with_files(&files, Request { users, ..Request::default() }).unwrap();
            let Population::Rate { peak_per_second, users: said, .. } = loaded.scenario.demand.population
            else {
                panic!("a rate")
            };
            assert!((peak_per_second - expected).abs() < 1e-9, "{users:?}: {peak_per_second}");
            assert_eq!(said, users);
        }
        let loaded = load(&Request { users: Some(500.0), ..Request::default() }).unwrap();
        assert!(
            matches!(loaded.scenario.demand.population, Population::Users { peak, .. } if (peak - 500.0).abs() < 1e-9)
        );
    }

    const SHOP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: node:20
        env: [{name: CART_ADDR, value: 'redis-cart:6379'}]
        resources: {requests: {cpu: 500m, memory: 256Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      containers: [{name: redis, image: 'redis:alpine'}]
---
apiVersion: v1
kind: Service
metadata: {name: redis-cart}
spec: {selector: {app: cart}, ports: [{port: 6379}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 4
  maxReplicas: 40
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: lost}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: wbe}
  maxReplicas: 4
";

    #[test]
    fn manifests_alone_make_a_scenario() {
        let request = Request { users: Some(2_000.0), ..Request::default() };
        let loaded =
            with_files(&[("manifests.yaml", SHOP)], request).unwrap_or_else(|shown| panic!("{shown}"));
        let scenario = &loaded.scenario;
        assert_eq!(scenario.name, "manifests");
        let [web, cart] = scenario.workloads.as_slice() else { panic!("two workloads") };
        assert_eq!((web.replicas, web.behaviour.threads, cart.behaviour.threads), (4, Some(1), Some(1)));
        let called = &web.behaviour.operations[0].steps[1];
        assert!(
            matches!(called, Step::Call(call) if call.target == Target::Operation { workload: 1, operation: 0 })
        );
        assert_eq!(scenario.demand.journeys.len(), 1);
        assert_eq!(scenario.demand.journeys[0].visits[0].workload, 0);
        // Four pods of half a core fit on one node of 3.92; forty on six.
        let pool = &scenario.cluster.pools[0];
        assert_eq!((pool.count, pool.min, pool.max), (2, 2, 7));
        let about: Vec<&str> = scenario.assumptions.iter().map(|one| one.what.as_str()).collect();
        for what in ["web: kind of software", "traffic", "cluster: nodes", "web/request: CPU"] {
            assert!(about.contains(&what), "{what} in {about:?}");
        }
        let warnings: Vec<&str> = loaded.warnings.iter().map(|one| one.message.as_str()).collect();
        assert!(
            warnings.contains(&"HPA `lost` scales nothing: Deployment/wbe is not in what was given"),
            "{warnings:?}"
        );
    }

    #[test]
    fn two_hpas_on_one_workload_both_stop() {
        let second = SHOP.replace("name: wbe", "name: web");
        let loaded = with_files(&[("manifests.yaml", &second)], Request::default()).unwrap();
        assert_eq!(loaded.scenario.autoscalers, []);
        let warned = |one: &&Problem| one.message == "another HPA scales Deployment/web already";
        assert_eq!(loaded.warnings.iter().filter(warned).count(), 1);
    }

    #[test]
    fn pods_that_a_quota_refuses_are_simulated_and_told_of() {
        let quota =
            "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {pods: 3}}\n";
        let manifests = format!("{SHOP}{quota}");
        let loaded = with_files(&[("manifests.yaml", &manifests)], Request::default()).unwrap();
        let about: Vec<&str> = loaded.warnings.iter().map(|one| one.message.as_str()).collect();
        let expected = "Deployment/web gets 3 of 4 pods: ResourceQuota `few` is full; simulated without that";
        assert!(about.contains(&expected), "{about:?}");
    }

    #[test]
    fn everything_wrong_with_a_model_is_shown_at_once() {
        let model = "
kind: Model
workloads:
  auth-servce: {threads: 0}
  redis:
    threads: 0
    memory: {base: {low: 5M, mid: 3M, high: 9M}}
    operations:
      get: [{compute: 250}]
      list: [{compute: 1ms}, {call: redis/lost}]
      set: [{compute: {mean: 1ms, cv: -1}}]
  postgres:
    operations:
      select: [{call: {to: strip, probability: 120%}}]
      insert: [{call: postgres/transaction}]
      transaction: [{call: postgres/insert}]
externals:
  stripe: {latency: 1s, quota: 100}
";
        let traffic = "load: {constant-vus: {vus: 1}}\njourneys: {a: {visits: [{call: redis/get}]}}\n";
        insta::assert_snapshot!(in_lines(&wrong(&[("model.yaml", model), ("traffic.yaml", traffic)])), @r#"
        there is no workload `auth-servce` @ model.yaml:4:3 (did you mean `auth-service`?)
        `0` is too few @ model.yaml:6:14 (at least 1, or `unlimited`)
        the low end is above the middle @ model.yaml:7:26 (low <= mid <= high)
        `250` has no unit @ model.yaml:9:23 (write `250s`, `250ms` or `250m` for seconds, milliseconds or minutes)
        `redis` has no operation `lost` @ model.yaml:10:37 (did you mean `list`?)
        `-1` is negative @ model.yaml:11:39 (it must be 0 or more)
        there is no external service `strip` @ model.yaml:14:28 (did you mean `stripe`?)
        `120%` is outside 0% to 100% @ model.yaml:14:48 (a share is written `99.9%` or `0.999`)
        calls go round in a circle: postgres/insert -> postgres/transaction -> postgres/insert @ model.yaml:15:7 (an operation must not call itself, not even by others)
        `100` is not a rate @ model.yaml:18:32 (write `12/s`, `500/m` or `3600/h`)
        "#);
    }

    #[test]
    fn everything_wrong_with_traffic_is_shown_at_once() {
        let traffic = "
kind: Traffic
duration: 60
load:
  ramping-vus:
    startVUs: -5
    stages: [{duration: 5m, target: 100}, {duration: soon, target: 10}]
bursts: [{at: 1m, times: x, hold: 1m}]
journeys:
  empty: {visits: []}
  chat:
    weight: -1
    visits:
    - {call: chat-service/sned, times: 0}
    - {call: chat}
";
        insta::assert_snapshot!(in_lines(&wrong(&[("traffic.yaml", traffic)])), @r#"
        `60` has no unit @ traffic.yaml:3:11 (write `60s`, `60ms` or `60m` for seconds, milliseconds or minutes)
        `-5` is negative @ traffic.yaml:6:15 (it must be 0 or more)
        `soon` is not a duration @ traffic.yaml:7:54 (write a number and a unit: `250ms`, `30s`, `5m`, `1h30m`, `1d`, `1w`)
        `x` is not a number @ traffic.yaml:8:26 (write a plain number such as `1.5`)
        journey `empty` asks for nothing @ traffic.yaml:10:11 (list at least one visit)
        `-1` is negative @ traffic.yaml:12:13 (it must be 0 or more)
        `chat-service` has no operation `sned` @ traffic.yaml:14:14 (did you mean `send`?)
        0 times is out of range @ traffic.yaml:14:40 (from 1 to 10000)
        `chat` names no operation @ traffic.yaml:15:14 (write `workload/operation`, such as `web/get`)
        "#);
    }

    #[test]
    fn users_who_wait_for_nothing_are_refused() {
        let cluster = "profiles: {p: {networkLatency: 0s, pools: {w: {cpu: 4, memory: 16Gi}}}}";
        let load = |load: &str, think: &str| {
            let visits = format!("[{{call: redis/get}}, {{call: redis/get, think: {think}}}]");
            format!("clientLatency: 0s\nload: {load}\njourneys: {{a: {{visits: {visits}}}}}\n")
        };
        let (users, rate) = ("{constant-vus: {vus: 3}}", "{constant-arrival-rate: {rate: 3}}");
        for (load, refused) in
            [(load(users, "0s"), true), (load(users, "1ms"), false), (load(rate, "0s"), false)]
        {
            let said = wrong(&[("traffic.yaml", &load), ("cluster.yaml", cluster)]);
            assert_eq!(said.contains("would ask without end"), refused, "{load}: {said}");
        }
    }

    #[test]
    fn everything_wrong_with_a_policy_and_a_cluster_is_shown_at_once() {
        let policy = "
kind: Policy
confidence: 100%
objectives:
- {name: a, indicator: availability, atLeast: 99.9}
- {name: a, indicator: latency, atMost: 300ms}
- {name: b, indicator: latency, quantile: p95, atMost: 300, scope: {journey: conversatoin}}
- {name: c, indicator: usersRecovered, atMost: 30s}
- {name: d, indicator: nodesMax}
";
        let cluster = "
kind: Cluster
default: productoin
profiles:
  production:
    provisionedBy: nobody
    pools:
      workers: {cpu: 4, memory: 16GB, count: 3, max: 5}
";
        insta::assert_snapshot!(in_lines(&wrong(&[("policy.yaml", policy), ("cluster.yaml", cluster)])), @r#"
        there is no profile `productoin` @ cluster.yaml:3:10 (did you mean `production`?)
        `16GB` is not an amount of memory @ cluster.yaml:8:33 (write `512Mi`, `2Gi`, `500M`, or a number of bytes)
        nobody adds or removes nodes in this profile @ cluster.yaml:8:54 (leave `min` and `max` out, or say `provisionedBy: cluster-autoscaler`)
        a verdict needs a confidence from 50% to below 100% @ policy.yaml:3:13 (95% is usual)
        `99.9` is outside 0% to 100% @ policy.yaml:5:47 (a share is written `99.9%` or `0.999`)
        a latency needs its quantile @ policy.yaml:6:4 (add `quantile: p95`)
        `300` has no unit @ policy.yaml:7:56 (write `300s`, `300ms` or `300m` for seconds, milliseconds or minutes)
        there is no journey `conversatoin` @ policy.yaml:7:78 (did you mean `conversation`?)
        recovery is measured after a drill @ policy.yaml:8:4 (add `scope: {drill: "*"}` for every drill)
        nothing says what must be kept @ policy.yaml:9:4 (add `atLeast:` or `atMost:`)
        "#);
    }

    #[test]
    fn unknown_fields_and_wrong_kinds_are_refused() {
        let model = "workloads:\n  redis: {thread: 4}\n";
        let policy = "kind: Traffic\nobjectives: []\n";
        let traffic = "load: {trace: {file: lost.csv}}\njourneys: {}\n";
        let files = [("model.yaml", model), ("policy.yaml", policy), ("traffic.yaml", traffic)];
        insta::assert_snapshot!(wrong(&files), @r#"
        error: unknown field `workloads.redis.thread`
         --> model.yaml:2:11
          |
        2 |   redis: {thread: 4}
          |           ^^^^^^
          |
          = help: did you mean `threads`?

        error: expected `kind: Policy`
         --> policy.yaml:1:7
          |
        1 | kind: Traffic
          |       ^^^^^^^
          |
          = help: this file is read as a Policy

        error: cannot read `lost.csv`: No such file or directory (os error 2)
         --> traffic.yaml:1:22
          |
        1 | load: {trace: {file: lost.csv}}
          |                      ^^^^^^^^
          |
          = help: seen from the traffic file's folder
        "#);
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        let request = Request { model: Some("lost/model.yaml".into()), ..Request::default() };
        let shown = load(&request).err().map(|failure| failure.render(false)).unwrap_or_default();
        assert!(shown.starts_with("error: cannot read `lost/model.yaml`"), "{shown}");
        let request = Request { profile: Some("prod".into()), users: Some(-1.0), ..Request::default() };
        let shown = load(&request).err().map(|failure| failure.render(false)).unwrap_or_default();
        assert!(shown.contains("the number of users must be above 0"), "{shown}");
    }

    /// Our four files, one of them damaged.
    fn damaged() -> impl Strategy<Value = (usize, String)> {
        let texts = ["model.yaml", "policy.yaml", "cluster.yaml"]
            .map(|name| embedded::text(&format!("{}/{name}", embedded::APPLICATION)).unwrap());
        let traffic = embedded::text("traffic/flash-crowd.yaml").unwrap();
        let slos = slo("chat-service", "ratio", "{target: 0.999}");
        let drills = "kind: Drills\ndrills:\n- {drill: node-loss, at: 20m, lasts: 5m}\n---\n\
                      apiVersion: chaos-mesh.org/v1alpha1\nkind: Schedule\nmetadata: {namespace: production}\nspec:\n  \
                      schedule: '*/7 * * * *'\n  type: NetworkChaos\n  networkChaos:\n    action: delay\n    mode: fixed\n    \
                      value: '2'\n    selector: {labelSelectors: {app: redis}}\n    delay: {latency: 10ms}\n";
        let rules = "objectives: []\nrules:\n- {holds: \"workloads.all(n, workloads[n].p95 < 2.0) || users.max > 1.0\"}\n";
        let texts = [texts[0], texts[1], texts[2], traffic, &slos, drills, rules].map(str::to_owned);
        let junk = prop_oneof![
            "[-0-9a-z%{}:\\[\\], ]{0,6}",
            Just("-1".to_owned()),
            Just("1e999".to_owned()),
            Just("99999999999999999999".to_owned())
        ];
        (0..7_usize, any::<prop::sample::Index>(), 0..12_usize, junk).prop_map(
            move |(which, at, cut, junk)| {
                let text: Vec<char> = texts[which].chars().collect();
                let at = at.index(text.len());
                let end = (at + cut).min(text.len());
                let head: String = text[..at].iter().collect();
                let tail: String = text[end..].iter().collect();
                (which, format!("{head}{junk}{tail}"))
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_files_are_refused_or_read_but_never_panic((which, text) in damaged()) {
            let policy = "policy.yaml";
            let names = ["model.yaml", policy, "cluster.yaml", "traffic.yaml", policy, "drills.yaml", policy];
            let name = names[which];
            if let Err(shown) = with_files(&[(name, &text)], Request::default()) {
                prop_assert!(shown.contains("error"), "{}", shown);
            }
        }
    }
}
