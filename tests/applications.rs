//! Published applications through the whole pipeline: files in, a run, nothing
//! lost on the way.

use std::path::{Path, PathBuf};

use kubeplan::input::{self, Loaded, Request};
use kubeplan::scenario::{Population, Scenario};
use kubeplan::sim::random::Seed;
use kubeplan::units::SimDuration;
use kubeplan::world::simulate;

/// An application: its files, and the workloads that users come to; `None` where
/// there is nothing to send requests to.
struct Application {
    files: &'static [&'static str],
    entries: Option<&'static [&'static str]>,
}

const fn app(files: &'static [&'static str], entries: &'static [&'static str]) -> Application {
    Application { files, entries: Some(entries) }
}

const fn refused(files: &'static [&'static str]) -> Application {
    Application { files, entries: None }
}

/// In `tests/data/manifests`.
const HERE: [Application; 6] = [
    app(&["aks-store-demo/aks-store-quickstart.yaml"], &["store-front"]),
    app(&["podinfo/rendered/helm-hpa-pdb-redis.yaml"], &["podinfo"]),
    app(&["k8s-examples/_archived/https-nginx/nginx-app.yaml"], &["my-nginx"]),
    app(
        &["gke-hpa-fixtures/cost-optimization/gke-shift-left-cost/api/testdata/manifests/nginx.yaml"],
        &["my-nginx"],
    ),
    refused(&["kube-prometheus/nodeExporter-daemonset.yaml"]),
    refused(&["knative-serving/config/core/deployments/activator-hpa.yaml"]),
];

/// In a collection beside the repository, where there is one.
const BESIDE: [Application; 14] = [
    app(&["aks-store-demo/aks-store-all-in-one.yaml"], &["store-front", "store-admin"]),
    app(&["bank-of-anthos/kubernetes-manifests"], &["frontend"]),
    app(&["gke-hpa-fixtures/databases/cloud-pubsub/deployment/pubsub.yaml"], &["pubsub"]),
    app(&["ingress-nginx/rendered/helm-hpa.yaml"], &["ingress-nginx-controller"]),
    app(&["istio-bookinfo/platform/kube/bookinfo.yaml", "istio-bookinfo/networking"], &["productpage-v1"]),
    app(&["k8s-examples/web/guestbook/all-in-one/guestbook-all-in-one.yaml"], &["frontend"]),
    refused(&["knative-serving/config"]),
    refused(&["kube-prometheus"]),
    app(&["online-boutique/release/kubernetes-manifests.yaml"], &["frontend"]),
    app(
        &["open-match/rendered/open-match-production.yaml"],
        &[
            "open-match-evaluator",
            "open-match-function",
            "open-match-backend",
            "open-match-frontend",
            "open-match-query",
            "open-match-synchronizer",
        ],
    ),
    app(
        &["podinfo/rendered/overlay-production.yaml"],
        &["backend", "database-replica", "frontend", "database-primary"],
    ),
    app(&["robot-shop/rendered/robot-shop.yaml"], &["web"]),
    app(&["sock-shop/complete-demo.yaml", "sock-shop/autoscaling"], &["front-end"]),
    app(&["k8s-examples/web/guestbook-go"], &["guestbook"]),
];

/// The scenario of these files for two minutes of a few users, or what is wrong.
fn load(folder: &Path, files: &[&str]) -> Result<Scenario, String> {
    let request = Request {
        manifests: files.iter().map(|file| folder.join(file)).collect(),
        users: Some(200.0),
        duration: Some(SimDuration::from_secs(120)),
        ..Request::default()
    };
    let Loaded { scenario, .. } = input::load(&request).map_err(|failure| failure.render(false))?;
    Ok(scenario)
}

fn check(folder: &Path, application: &Application) {
    let name = application.files[0];
    let scenario = match (load(folder, application.files), application.entries) {
        (Ok(scenario), Some(entries)) => {
            assert_eq!(entry_points(&scenario), entries, "{name}: where users come in");
            scenario
        }
        (Err(problems), None) => {
            assert!(problems.contains("error: "), "{name}: {problems}");
            return;
        }
        (Ok(scenario), None) => panic!("{name}: taken, with {:?}", entry_points(&scenario)),
        (Err(problems), Some(_)) => panic!("{name}: refused:\n{problems}"),
    };
    let Population::Users { shape, .. } = &scenario.demand.population else { panic!("{name}: users") };
    let end = kubeplan::units::SimTime::ZERO + scenario.warm_up + scenario.horizon;
    assert!(
        shape.points.iter().any(|(time, share)| *time < end && *share >= 1.0),
        "{name}: the peak is seen"
    );
    let seen = simulate(&scenario, Seed { base: 5, replication: 0 });
    let balance = seen.balance;
    assert_eq!(balance.arrived, balance.answered + balance.failed + balance.in_flight, "{name}: {balance:?}");
    assert!(balance.arrived > 0 && seen.stopped.is_none(), "{name}: {balance:?}, {:?}", seen.stopped);
    for (workload, seen) in scenario.workloads.iter().zip(&seen.workloads) {
        let name = format!("{name}: {}", workload.name);
        assert_eq!(seen.pending_because, None, "{name}: every pod finds a node of the assumed cluster");
        assert!(workload.replicas == 0 || seen.desired.value() >= 1.0, "{name}: no replica left");
    }
}

fn entry_points(scenario: &Scenario) -> Vec<&str> {
    let visits = scenario.demand.journeys.iter().flat_map(|journey| &journey.visits);
    visits.map(|visit| scenario.workloads[visit.workload].name.as_str()).collect()
}

#[test]
fn small_applications_run_and_nothing_is_lost() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests");
    for application in HERE {
        check(&folder, &application);
    }
}

#[test]
fn whole_applications_run_where_they_are_at_hand() {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    let Some(folder) = above.map(|one| one.join("shared/data/manifests")).find(|one| one.is_dir()) else {
        println!("0 applications: there is no shared/data/manifests above");
        return;
    };
    for application in BESIDE {
        check(&folder, &application);
    }
    println!("{} applications", BESIDE.len());
}

/// What `kubectl get -o yaml` shows besides what somebody wrote must change nothing.
#[test]
fn a_dump_of_a_cluster_is_read_as_what_was_applied() {
    let written = "tests/data/manifests/podinfo/rendered/helm-hpa-pdb-redis.yaml";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plain = load(root, &[written]).expect("it reads");
    let text = std::fs::read_to_string(root.join(written)).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dump.yaml"), dump(&text)).expect("a file");
    let dumped = load(folder.path(), &["dump.yaml"]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(dumped.workloads, plain.workloads);
    assert_eq!(dumped.autoscalers, plain.autoscalers);
    assert_eq!(dumped.budgets, plain.budgets);
    assert_eq!(dumped.demand, plain.demand);
    let pool = &dumped.cluster.pools[0];
    assert_eq!((pool.count, pool.cpu.0, pool.max_pods), (1, 8_000, 58), "the node of the dump");
}

/// A List of the same objects with what a live cluster adds: managed fields,
/// status, ReplicaSets and Pods with their owners, and a Node.
fn dump(text: &str) -> String {
    let mut list = String::from("apiVersion: v1\nkind: List\nitems:\n");
    let objects = text.split("\n---").map(|one| one.trim_start_matches("---"));
    for object in objects.filter(|object| object.contains("\nkind:")) {
        let live = "metadata:\n  uid: 0f1c\n  resourceVersion: \"71\"\n  creationTimestamp: \"2025-05-01T10:00:00Z\"\n  \
                    managedFields:\n  - {manager: kubectl, operation: Update, apiVersion: v1, fieldsType: FieldsV1, \
                    fieldsV1: {\"f:spec\": {}}}";
        let object = object.replacen("\nmetadata:", &format!("\n{live}"), 1);
        let mut first = true;
        for line in object.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            list.push_str(if first { "- " } else { "  " });
            list.push_str(line);
            list.push('\n');
            first = false;
        }
    }
    list.push_str(
        "\
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata:
    name: podinfo-5d8f
    ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: podinfo, uid: 0f1c, controller: true}]
  spec:
    replicas: 1
    selector: {matchLabels: {app: podinfo}}
    template:
      metadata: {labels: {app: podinfo}}
      spec: {containers: [{name: podinfo, image: podinfo}]}
  status: {replicas: 1, readyReplicas: 1}
- apiVersion: v1
  kind: Pod
  metadata:
    name: podinfo-5d8f-x7k2p
    labels: {app: podinfo}
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: podinfo-5d8f, uid: 0f1d, controller: true}]
  spec: {nodeName: node-1, containers: [{name: podinfo, image: podinfo}]}
  status: {phase: Running, podIP: 10.0.0.7}
- apiVersion: v1
  kind: Node
  metadata: {name: node-1, labels: {kubernetes.io/os: linux, kubernetes.io/hostname: node-1}}
  spec: {podCIDR: 10.0.0.0/24}
  status:
    capacity: {cpu: \"8\", memory: 32Gi, pods: \"58\", ephemeral-storage: 100Gi}
    allocatable: {cpu: 7910m, memory: 31Gi, pods: \"58\", ephemeral-storage: 90Gi}
",
    );
    list
}
