//! `plan init`: what it writes loads as it is, and says what plan would have
//! guessed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use kubeplan::init::{Ask, init};
use kubeplan::input::{self, Request, manifest, validate::validate};
use kubeplan::scenario::{Objective, Scenario};
use kubeplan::sim::random::Seed;
use kubeplan::source::Sources;
use kubeplan::units::SimDuration;
use kubeplan::world::simulate;

/// Applications, and whether plan knows by itself whom users ask.
const HERE: [(&[&str], bool); 5] = [
    (&["aks-store-demo/aks-store-quickstart.yaml"], true),
    (&["podinfo/rendered/helm-hpa-pdb-redis.yaml"], true),
    (&["k8s-examples/_archived/https-nginx/nginx-app.yaml"], true),
    (&["gke-hpa-fixtures/cost-optimization/gke-shift-left-cost/api/testdata/manifests/nginx.yaml"], true),
    (&["kube-prometheus/nodeExporter-daemonset.yaml"], false),
];

/// In a collection beside the repository, where there is one.
const BESIDE: [(&[&str], bool); 14] = [
    (&["aks-store-demo/aks-store-all-in-one.yaml"], true),
    (&["bank-of-anthos/kubernetes-manifests"], true),
    (&["gke-hpa-fixtures/databases/cloud-pubsub/deployment/pubsub.yaml"], true),
    (&["ingress-nginx/rendered/helm-hpa.yaml"], true),
    (&["istio-bookinfo/platform/kube/bookinfo.yaml", "istio-bookinfo/networking"], true),
    (&["k8s-examples/web/guestbook/all-in-one/guestbook-all-in-one.yaml"], true),
    (&["knative-serving/config"], false),
    (&["kube-prometheus"], false),
    (&["online-boutique/release/kubernetes-manifests.yaml"], true),
    (&["open-match/rendered/open-match-production.yaml"], true),
    (&["podinfo/rendered/overlay-production.yaml"], true),
    (&["robot-shop/rendered/robot-shop.yaml"], true),
    (&["sock-shop/complete-demo.yaml", "sock-shop/autoscaling"], true),
    (&["k8s-examples/web/guestbook-go"], true),
];

const USERS: f64 = 300.0;

/// The files that init writes for these, in a folder.
fn started(paths: &[PathBuf], folder: &Path) -> Result<(), String> {
    let mut sources = Sources::new();
    let (set, problems) = manifest::read(paths, &mut sources).map_err(|failure| failure.to_string())?;
    let wrong: Vec<String> =
        problems.iter().filter(|one| one.is_error()).map(|one| one.render(&sources, false)).collect();
    if !wrong.is_empty() {
        return Err(wrong.concat());
    }
    let files = init(Ask { set: &set, name: "an app", users: USERS }).ok_or("nobody to ask")?;
    for file in files {
        fs::write(folder.join(file.name), file.text).unwrap();
    }
    Ok(())
}

fn filled_in(paths: &[PathBuf], folder: &Path) -> Request {
    let file = |name: &str| Some(folder.join(name));
    Request {
        manifests: paths.to_vec(),
        model: file("model.yaml"),
        traffic: file("traffic.yaml"),
        policy: file("policy.yaml"),
        cluster: file("cluster.yaml"),
        ..Request::default()
    }
}

fn load(request: &Request, name: &str) -> Scenario {
    let loaded = input::load(request);
    loaded.unwrap_or_else(|failure| panic!("{name}: {}", failure.render(false))).scenario
}

/// `true` where the application could be read.
fn check(above: &Path, files: &[&str], known: bool) -> bool {
    let name = files[0];
    let paths: Vec<PathBuf> = files.iter().map(|file| above.join(file)).collect();
    let folder = tempfile::tempdir().unwrap();
    if let Err(problem) = started(&paths, folder.path()) {
        // What nobody can read is told as `plan simulate` tells it.
        let request = Request { manifests: paths, ..Request::default() };
        assert!(input::load(&request).is_err(), "{name}: {problem}");
        assert!(!known, "{name}: {problem}");
        return false;
    }
    let request = filled_in(&paths, folder.path());
    let mut own = load(&request, name);
    let checked = validate(&request).unwrap_or_else(|failure| panic!("{name}: {}", failure.render(false)));
    let placed =
        |one: &&input::Problem| one.is_error() && one.rule.is_none_or(|rule| rule.id.starts_with("input"));
    assert_eq!(checked.problems.iter().filter(placed).count(), 0, "{name}");
    if known {
        let guessed = load(&Request { manifests: paths, users: Some(USERS), ..Request::default() }, name);
        assert_eq!(own.workloads, guessed.workloads, "{name}: what the workloads do");
        assert_eq!(own.cluster.pools, guessed.cluster.pools, "{name}: the nodes");
        assert_eq!(own.cluster.provisioned_by, guessed.cluster.provisioned_by, "{name}");
        let mut demand = own.demand.clone();
        // Journeys have shorter names here; nothing else is otherwise.
        for (one, other) in demand.journeys.iter_mut().zip(&guessed.demand.journeys) {
            one.name.clone_from(&other.name);
        }
        assert_eq!(demand, guessed.demand, "{name}: who asks");
        assert_eq!((own.warm_up, own.horizon), (guessed.warm_up, guessed.horizon), "{name}");
        let goals = |scenario: &Scenario| -> Vec<String> {
            let of = |one: &Objective| format!("{} {:?} {:.9}", one.name, one.indicator, one.goal);
            scenario.goals.objectives.iter().map(of).collect()
        };
        assert_eq!(goals(&own), goals(&guessed), "{name}: what must hold");
    }
    own.horizon = SimDuration::from_secs(20);
    let seen = simulate(&own, Seed { base: 3, replication: 0 });
    assert!(seen.balance.arrived > 0, "{name}: nobody asks");
    true
}

#[test]
fn what_is_started_loads_as_it_is_and_changes_nothing() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests");
    for (files, known) in HERE {
        assert!(check(&folder, files, known), "{} reads", files[0]);
    }
    // The embedded application's manifests, as a user would have them.
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/my-saas-chat/kubernetes");
    assert!(check(&models, &["base", "ingress"], true));
}

#[test]
fn applications_beside_the_repository_are_started_too() {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    let Some(folder) = above.map(|one| one.join("shared/data/manifests")).find(|one| one.is_dir()) else {
        println!("0 applications: there is no shared/data/manifests above");
        return;
    };
    let read = BESIDE.iter().filter(|(files, known)| check(&folder, files, *known)).count();
    println!("{read} of {} applications started", BESIDE.len());
    assert!(read >= 12, "{read}");
}

#[test]
fn the_files_as_people_see_them() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests");
    let folder = tempfile::tempdir().unwrap();
    started(&[root.join("aks-store-demo/aks-store-quickstart.yaml")], folder.path()).unwrap();
    for name in ["model", "traffic", "policy", "cluster"] {
        let text = fs::read_to_string(folder.path().join(format!("{name}.yaml"))).unwrap();
        insta::assert_snapshot!(name, text);
    }
}

fn plan(home: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_plan")).current_dir(home).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_command_writes_once_and_tells_where_something_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 2\n  selector: {matchLabels: \
               {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: node}]}\n";
    fs::write(home.path().join("web.yaml"), web).unwrap();
    let (code, out, err) = plan(home.path(), &["init", "-m", "web.yaml", "--users", "2k"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(
        out.contains("Next: plan simulate -m web.yaml --model plan/model.yaml --traffic plan/traffic.yaml"),
        "{out}"
    );
    let traffic = || fs::read_to_string(home.path().join("plan/traffic.yaml")).unwrap();
    assert!(traffic().contains("startVUs: 1200\n"), "{}", traffic());
    // Its own advice, as it is typed.
    let next = out.lines().last().unwrap().trim_start_matches("Next: plan ").to_owned()
        + " --duration 20s --no-out --exit-zero";
    let (code, _, err) = plan(home.path(), &next.split(' ').collect::<Vec<_>>());
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = plan(home.path(), &["init", "-m", "web.yaml"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("plan/model.yaml") && err.contains("are not replaced without --force"), "{err}");
    assert!(traffic().contains("startVUs: 1200\n"));
    assert_eq!(plan(home.path(), &["init", "-m", "web.yaml", "--force"]).0, Some(0));
    assert!(traffic().contains("startVUs: 600\n"));
    let broken = web.replace("replicas: 2", "replicas: two");
    fs::write(home.path().join("broken.yaml"), broken).unwrap();
    let (code, _, err) = plan(home.path(), &["init", "-m", "broken.yaml", "--out", "other"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("broken.yaml:5:13"), "{err}");
    assert!(!home.path().join("other").exists());
    fs::write(home.path().join("map.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        .unwrap();
    let (code, _, err) = plan(home.path(), &["init", "-m", "map.yaml"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("make no pods"), "{err}");
}
