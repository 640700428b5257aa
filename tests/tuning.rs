//! `plan tune`: what it writes is what it proved.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use kubeplan::change::{ChangeSet, apply};
use kubeplan::input::{self, Request};
use kubeplan::judge::Outcome;
use kubeplan::scenario::Scenario;
use kubeplan::tune::search::{final_of, on_hardest};
use kubeplan::tune::{Guard, Object, Settings, Sizing, Task, search};
use rayon::prelude::*;
use serde_json::{Value, json};

fn plan(home: &Path, arguments: &str) -> Output {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    Command::new(env!("CARGO_BIN_EXE_plan")).current_dir(home).args(words).output().unwrap()
}

/// A document that a command printed; any verdict will do.
fn json(home: &Path, arguments: &str) -> Value {
    let output = plan(home, arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{arguments}: {err}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}\n{err}"))
}

/// Few users and minutes: what is written does not depend on how many.
const SMALL: &str = "--users 50 --duration 2m --tries 4 --worlds 2";

#[test]
fn written_manifests_simulate_to_the_certified_figures() {
    let home = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/my-saas-chat").display().to_string();
    let tuned = json(home.path(), &format!("tune {SMALL} --form plain --out tuned -o json"));
    assert_eq!(tuned["kind"], "Tuning");
    let certificate = &tuned["certificate"];
    let (seed, replications) = (&certificate["seed"], &certificate["replications"]);
    // The second look at the very files, by another command.
    let again = json(
        home.path(),
        &format!(
            "simulate -m tuned --model {root}/model.yaml --policy {root}/policy.yaml --cluster {root}/cluster.yaml \
             --traffic busy-hour --users 50 --duration 2m --seed {seed} --replications {replications} --no-out -o json"
        ),
    );
    assert_eq!(again["fingerprint"], certificate["fingerprint"], "{again}");
    let kept = fs::read_to_string(home.path().join("tuned/tuning.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), tuned);
    // What a Secret holds is nowhere.
    for file in tuned["files"].as_array().unwrap() {
        let text = fs::read_to_string(home.path().join("tuned").join(file.as_str().unwrap())).unwrap();
        assert!(!text.contains("kind: Secret") && !text.contains("cmVwbGFjZS13"), "{file}");
    }
    assert!(tuned["leftOut"].to_string().contains("Secret production/app-secrets"), "{}", tuned["leftOut"]);
}

#[test]
fn every_change_has_a_reason_and_every_form_says_the_same() {
    let home = tempfile::tempdir().unwrap();
    let mut seen: Option<Value> = None;
    for form in ["patch", "kustomize", "helm", "chart"] {
        let tuned = json(home.path(), &format!("tune {SMALL} --form {form} --out {form} -o json"));
        let changes = tuned["changes"].as_array().unwrap();
        assert!(changes.len() > 5, "{form}: {} changes", changes.len());
        for change in changes {
            assert!(change["because"].as_str().is_some_and(|why| why.len() > 10), "{form}: {change}");
            assert_ne!(change["from"], change["to"], "{form}: {change}");
        }
        // The form is a matter of writing.
        let first = seen.get_or_insert_with(|| tuned.clone());
        assert!(first["changes"] == tuned["changes"], "{form} changes something else");
        // kustomize puts objects in an order of its own, and so draws other luck.
        if form != "kustomize" {
            assert_eq!(first["certificate"], tuned["certificate"], "{form}");
        }
        assert!(!tuned["files"].as_array().unwrap().is_empty(), "{form}");
    }
}

/// Exit code and page of a tuning under a policy of these objectives.
fn tuned_under(objectives: &str, arguments: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let policy = format!("apiVersion: plan/v1alpha1\nkind: Policy\nobjectives:\n{objectives}");
    fs::write(home.path().join("policy.yaml"), policy).unwrap();
    let output = plan(home.path(), &format!("tune {arguments} --policy policy.yaml --no-out"));
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn an_infeasible_policy_gets_an_explanation() {
    let objectives =
        "- {name: many, indicator: podsMax, atLeast: 40}\n- {name: few, indicator: podsMax, atMost: 5}\n";
    let (code, page) = tuned_under(objectives, SMALL);
    assert_eq!(code, Some(1), "{page}");
    assert!(page.contains("NOT ALL"), "{page}");
    assert!(page.contains("WHAT CAN'T BE KEPT") && page.contains("few is missed"), "{page}");
    assert!(page.contains("nearest: a goal of ≤"), "{page}");
}

#[test]
fn as_many_pods_stand_by_as_a_policy_wants() {
    let (code, page) = tuned_under("- {indicator: podsMin, atLeast: 27}\n", SMALL);
    assert_eq!(code, Some(0), "{page}");
}

#[test]
fn nothing_to_tune_is_said() {
    let home = tempfile::tempdir().unwrap();
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: node:20}]}\n";
    fs::write(home.path().join("pod.yaml"), pod).unwrap();
    let output = plan(home.path(), "tune -m pod.yaml --users 10");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("there is nothing to tune"), "{err}");
}

#[test]
fn replacement_after_node_loss_is_explained() {
    let objectives = "- {name: replaced, indicator: capacityRestored, atMost: 30s, scope: {drill: node-failure}}\n\
                      - {indicator: availability, atLeast: 99%}\n";
    let (code, page) = tuned_under(objectives, "--users 50 --duration 2m --tries 1 --worlds 0");
    assert_eq!(code, Some(1), "{page}");
    for words in
        ["replaced (node-failure) is missed", "out of reach: replacements are made", "tolerationSeconds: 0"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Short of the traffic's peak, and it says so.
    assert!(page.contains("not for all of them") && page.contains("--duration"), "{page}");
}

/// A public application: its files in `tests/data/manifests`, and the users it gets.
struct Application {
    files: &'static [&'static str],
    users: u32,
}

const APPLICATIONS: [Application; 3] = [
    Application { files: &["aks-store-demo/aks-store-quickstart.yaml"], users: 300 },
    Application { files: &["podinfo/rendered/helm-hpa-pdb-redis.yaml"], users: 200 },
    Application {
        files: &["sock-shop/complete-demo.yaml", "sock-shop/autoscaling/front-end-hsc.yaml"],
        users: 200,
    },
];

/// Lines that only the first and only the second text has, by a longest common
/// subsequence.
fn differences<'t>(before: &'t str, after: &'t str) -> (Vec<&'t str>, Vec<&'t str>) {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut same = vec![vec![0_u32; after.len() + 1]; before.len() + 1];
    for one in (0..before.len()).rev() {
        for other in (0..after.len()).rev() {
            same[one][other] = if before[one] == after[other] {
                same[one + 1][other + 1] + 1
            } else {
                same[one + 1][other].max(same[one][other + 1])
            };
        }
    }
    let (mut one, mut other, mut gone, mut new) = (0, 0, Vec::new(), Vec::new());
    while one < before.len() || other < after.len() {
        if one < before.len() && other < after.len() && before[one] == after[other] {
            (one, other) = (one + 1, other + 1);
        } else if other == after.len() || one < before.len() && same[one + 1][other] >= same[one][other + 1] {
            gone.push(before[one]);
            one += 1;
        } else {
            new.push(after[other]);
            other += 1;
        }
    }
    (gone, new)
}

/// Copies an application, tunes the copy in `patch` form, and checks that the diff
/// shows nothing but changed values and that the patched files simulate to the
/// certified figures.
fn tuned_in_place(application: &Application) {
    let home = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests");
    let names: Vec<&str> = application.files.iter().map(|file| file.split_once('/').unwrap().1).collect();
    let mut texts = Vec::new();
    for (file, name) in application.files.iter().zip(&names) {
        let text = fs::read_to_string(data.join(file)).unwrap();
        fs::create_dir_all(home.path().join("own").join(name).parent().unwrap()).unwrap();
        fs::write(home.path().join("own").join(name), &text).unwrap();
        texts.push(text);
    }
    let given =
        |folder: &str| names.iter().fold(String::new(), |line, name| line + " -m " + folder + "/" + name);
    let load = format!("--users {} --duration 2m", application.users);
    let arguments = format!("tune{} {load} --tries 3 --form patch --out tuned -o json", given("own"));
    let tuned = json(home.path(), &arguments);
    let changes = tuned["changes"].as_array().unwrap();
    assert!(!changes.is_empty(), "{}: nothing is changed", names[0]);
    let mut gone = 0;
    for (name, before) in names.iter().zip(&texts) {
        // One file lies in the folder itself, several as they lay beside each other.
        let written = home
            .path()
            .join("tuned")
            .join(name.rsplit_once('/').filter(|_| names.len() == 1).map_or(*name, |(_, file)| file));
        let Ok(after) = fs::read_to_string(&written) else { continue };
        fs::write(home.path().join("own").join(name), &after).unwrap();
        let (old, new) = differences(before, &after);
        let comments = |lines: &[&str]| lines.iter().filter(|line| line.trim().starts_with('#')).count();
        assert_eq!((comments(&old), comments(&new)), (0, 0), "{name}: {old:?} {new:?}");
        for line in &old {
            // A line goes only where its value is replaced or the field removed.
            let key = line.trim().trim_start_matches("- ").split(':').next().unwrap();
            let is_meant = |change: &&Value| {
                !change["from"].is_null() && change["path"].as_str().is_some_and(|path| path.ends_with(key))
            };
            assert!(changes.iter().any(|change| is_meant(&change)), "{name}: `{line}` is gone");
        }
        gone += old.len();
    }
    let replaced = changes.iter().filter(|change| !change["from"].is_null()).count();
    assert_eq!(gone, replaced, "{}: one line for each value", names[0]);
    let certificate = &tuned["certificate"];
    let (seed, replications) = (&certificate["seed"], &certificate["replications"]);
    let arguments = format!(
        "simulate{} {load} --seed {seed} --replications {replications} --no-out -o json",
        given("own")
    );
    let again = json(home.path(), &arguments);
    assert_eq!(again["fingerprint"], certificate["fingerprint"], "{}", names[0]);
}

#[test]
fn public_applications_keep_their_layout_and_their_figures() {
    APPLICATIONS.par_iter().for_each(tuned_in_place);
}

/// A shop of one service, an autoscaler, and users who come within minutes.
const SHOP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: shop
        resources: {requests: {cpu: 900m, memory: 128Mi}}
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 2}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 4
  maxReplicas: 40
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
";
const SHOP_FILES: [(&str, &str); 4] = [
    (
        "model.yaml",
        "kind: Model\nworkloads:\n  shop:\n    threads: 1\n    operations: {buy: [{compute: {mean: 25ms, cv: 1}}]}\n",
    ),
    (
        "traffic.yaml",
        "kind: Traffic\nwarmUp: 2m\nduration: 8m\nload:\n  ramping-vus:\n    startVUs: 60\n    stages:\n    \
         - {duration: 5m, target: 200}\n    - {duration: 5m, target: 200}\njourneys:\n  buy: {visits: \
         [{call: shop/buy, think: {exponential: {mean: 2s}}, timeout: 5s}]}\n",
    ),
    (
        "policy.yaml",
        "kind: Policy\nobjectives:\n- {name: available, indicator: availability, atLeast: 99%}\n\
         - {name: fast, indicator: latency, quantile: p95, atMost: 150ms}\n",
    ),
    (
        "cluster.yaml",
        "kind: Cluster\nprofiles:\n  small:\n    pools:\n      small: {cpu: 1100m, memory: 4Gi, reserved: {cpu: 100m}, \
         count: 4, min: 1, max: 30, pricePerHour: 0.05, provision: 40s}\n",
    ),
];

/// The shop's objects, and how to read them with changes.
fn shop(home: &Path) -> (Scenario, Vec<Object>, impl Fn(&ChangeSet) -> Option<Scenario> + Sync) {
    shop_of(home, SHOP)
}

/// The same of other manifests.
fn shop_of(
    home: &Path,
    manifests: &str,
) -> (Scenario, Vec<Object>, impl Fn(&ChangeSet) -> Option<Scenario> + Sync + use<>) {
    for (name, text) in SHOP_FILES {
        fs::write(home.join(name), text).unwrap();
    }
    let file = |name: &str| Some(home.join(name));
    let request = Request {
        texts: Some(vec![("shop.yaml".to_owned(), manifests.to_owned())]),
        manifests: vec![PathBuf::from("shop.yaml")],
        model: file("model.yaml"),
        traffic: file("traffic.yaml"),
        policy: file("policy.yaml"),
        cluster: file("cluster.yaml"),
        ..Request::default()
    };
    let loaded = input::load(&request).unwrap_or_else(|failure| panic!("{}", failure.render(false)));
    let written = loaded.written().into_iter();
    let objects: Vec<Object> = written.map(|(name, value)| Object { name, value }).collect();
    let own = objects.clone();
    let assemble = move |changes: &ChangeSet| {
        let mut all: Vec<Value> = own.iter().map(|one| one.value.clone()).collect();
        for edited in &changes.edited {
            let index = own.iter().position(|one| one.name == edited.object)?;
            apply(&mut all[index], &edited.edits);
        }
        all.extend(changes.added.iter().map(|one| one.object.clone()));
        let list = json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string();
        let request = Request { texts: Some(vec![("shop.yaml".to_owned(), list)]), ..request.clone() };
        input::load(&request).ok().map(|loaded| loaded.scenario)
    };
    (loaded.scenario, objects, assemble)
}

#[test]
fn replicas_stay_with_whoever_sets_them() {
    let home = tempfile::tempdir().unwrap();
    let cpu = "resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}";
    assert!(SHOP.contains(cpu));
    let of_one = |name: &str| {
        format!("container{}", cpu.replace("resource: {", &format!("Resource: {{container: {name}, ")))
    };
    let (serving, other) = (of_one("shop"), of_one("proxy"));
    for (by, has_target) in [
        (cpu, true),
        (serving.as_str(), true),
        (other.as_str(), false),
        ("resource: {name: memory, target: {type: Utilization, averageUtilization: 50}}", false),
        ("resource: {name: cpu, target: {type: AverageValue, averageValue: 300m}}", false),
    ] {
        let kind = if by.starts_with("container") { "ContainerResource" } else { "Resource" };
        let shop = SHOP.replace(cpu, by).replace("type: Resource", &format!("type: {kind}"));
        let (scenario, objects, assemble) = shop_of(home.path(), &shop);
        let sites = kubeplan::tune::site::sites(&scenario, &objects);
        assert_eq!((sites[0].cpu_target().is_some(), sites[0].scales), (has_target, true), "{by}");
        let mut more = Settings::now(&sites);
        more.sizes[0].min += 1;
        more.sizes[0].target += 1;
        let changes = more.changes(&sites, &objects, &kubeplan::tune::Reasons::default());
        let edits = changes.edited.iter().flat_map(|one| &one.edits);
        let edits: Vec<_> = edits.map(|edit| (edit.path.as_str(), edit.to.clone())).collect();
        assert!(edits.contains(&("spec.minReplicas", Some(json!(5)))), "{by}: {edits:?}");
        assert!(edits.iter().all(|(path, to)| *path != "spec.replicas" || to.is_none()), "{by}: {edits:?}");
        let changed = assemble(&changes).unwrap_or_else(|| panic!("{by}: what was changed is refused"));
        assert_ne!(changed.autoscalers[0].spec, scenario.autoscalers[0].spec, "{by}");
        let targets = edits.iter().filter(|(path, _)| path.ends_with("averageUtilization"));
        assert_eq!(targets.count(), usize::from(has_target), "{by}: {edits:?}");
    }
    // More pods of a database do not do more work by themselves, whatever its volumes are.
    let alone = SHOP.split("---\napiVersion: autoscaling").next().unwrap();
    for (kind, scales) in [("Deployment", true), ("StatefulSet", false)] {
        let alone = alone.replace("kind: Deployment", &format!("kind: {kind}"));
        let (scenario, objects, _) = shop_of(home.path(), &alone);
        let site = kubeplan::tune::site::sites(&scenario, &objects).swap_remove(0);
        assert_eq!(site.scales, scales, "{kind}");
        // Alone or not: a web server's pod goes to another node; what keeps data is left alone.
        let single = kubeplan::tune::Site { scales: false, ..site };
        assert_eq!(kubeplan::tune::Guard::Tolerate.is_for(&single), scales, "{kind}");
    }
}

#[test]
fn several_pods_of_a_database_are_kept_apart_and_not_evicted_at_once() {
    let home = tempfile::tempdir().unwrap();
    let alone = SHOP.split("---\napiVersion: autoscaling").next().unwrap();
    for (replicas, budgets, paths) in [
        (3, 1, &["spec.template.spec.topologySpreadConstraints"][..]),
        // Alone it could neither be kept apart nor evicted under a budget.
        (1, 0, &[]),
    ] {
        let set = alone
            .replace("kind: Deployment", "kind: StatefulSet")
            .replace("replicas: 4", &format!("replicas: {replicas}"));
        let (scenario, objects, _) = shop_of(home.path(), &set);
        let sites = kubeplan::tune::site::sites(&scenario, &objects);
        let guards = Settings { guards: Guard::USUAL.to_vec(), ..Settings::now(&sites) };
        let changes = guards.changes(&sites, &objects, &kubeplan::tune::Reasons::default());
        let edits = changes.edited.iter().flat_map(|one| &one.edits);
        assert_eq!(edits.map(|edit| edit.path.as_str()).collect::<Vec<_>>(), paths, "{replicas} replicas");
        assert_eq!(changes.added.len(), budgets, "{replicas} replicas");
    }
}

#[test]
fn pods_that_ask_for_nothing_get_requests_that_an_hpa_can_go_by() {
    let home = tempfile::tempdir().unwrap();
    let asks = "resources: {requests: {cpu: 900m, memory: 128Mi}}";
    assert!(SHOP.contains(asks));
    let (scenario, objects, assemble) = shop_of(home.path(), &SHOP.replace(asks, "resources: {}"));
    let stop = || false;
    let task = Task { scenario: &scenario, objects: &objects, seed: 7, tries: 8, assemble, stop: &stop };
    let best = &search(&task, |_| ()).finalists[0].settings.sizes[0];
    assert!(best.cpu > 0, "{best:?}");
}

#[test]
fn the_container_that_serves_is_tuned_whatever_others_ask_for() {
    let home = tempfile::tempdir().unwrap();
    let serving = "resources: {requests: {cpu: 900m, memory: 128Mi}}";
    let proxy = "\n      - {name: proxy, image: proxy, resources: {requests: {cpu: 2}}}\n---";
    let (before, after) = SHOP.split_once("\n---").unwrap();
    assert!(before.contains(serving));
    let (scenario, objects, _) = shop_of(home.path(), &format!("{before}{proxy}{after}"));
    let sites = kubeplan::tune::site::sites(&scenario, &objects);
    let mut other = Settings { guards: vec![Guard::Drain], ..Settings::now(&sites) };
    assert_eq!(other.sizes[0].cpu, 900);
    other.sizes[0].cpu = 500;
    let changes = other.changes(&sites, &objects, &kubeplan::tune::Reasons::default());
    let paths: Vec<&str> = changes.edited[0].edits.iter().map(|edit| edit.path.as_str()).collect();
    let container = "spec.template.spec.containers";
    let grace = "spec.template.spec.terminationGracePeriodSeconds".to_owned();
    let wanted = ["resources.requests.cpu", "lifecycle.preStop"].map(|one| format!("{container}[0].{one}"));
    assert_eq!(paths, [&wanted[..], &[grace]].concat());
}

/// Searches the shop with as many tries as `plan tune` makes by itself, and tries every
/// point of a grid. Both keep the policy, and the search's cost is within 2 % of the
/// grid's best or below it. How many runs the search took, and the grid.
fn search_beside_grid(cpu: &[u64], targets: &[u32], minima: &[u32]) -> (usize, usize) {
    let home = tempfile::tempdir().unwrap();
    let (scenario, objects, assemble) = shop(home.path());
    let stop = || false;
    let task = Task { scenario: &scenario, objects: &objects, seed: 7, tries: 40, assemble, stop: &stop };
    let found = search(&task, |text| println!("{text}"));
    let best = &found.finalists[0];
    let score = |settings: &Settings, which: std::ops::Range<u32>| {
        let scenario = task.scenario_of(&found.sites, settings).expect("it reads");
        on_hardest(&scenario, &found.sites, &found.needs, task.seed, which)
    };
    let mut grid = Vec::new();
    for cpu in cpu {
        for target in targets {
            for min in minima {
                // What the search leaves as it is stays.
                let size = Sizing { cpu: *cpu, target: *target, min: *min, ..found.sites[0].now };
                grid.push(Settings { sizes: vec![size], guards: Guard::USUAL.to_vec() });
            }
        }
    }
    let mut ranked: Vec<_> = grid.par_iter().map(|one| (score(one, 0..1), one)).collect();
    ranked.sort_by(|a, b| a.0.compare(&b.0));
    // As in the search, the whole time decides.
    let mut grid_runs = grid.len();
    let grids = ranked.iter().find_map(|(_, one)| {
        let whole = final_of(&task, &found.sites, (*one).clone(), &mut grid_runs).expect("it reads");
        (whole.verdict.outcome == Outcome::Met).then_some(whole)
    });
    let grids = grids.expect("some point of the grid keeps the policy");
    let runs = found.runs.0 + found.runs.1;
    println!("grid: {:?} in {grid_runs} runs with {:?}", grids.score.rank(), grids.settings.sizes);
    println!("search: {:?} in {runs} runs with {:?}", best.score.rank(), best.settings.sizes);
    assert_eq!(best.verdict.outcome, Outcome::Met);
    let (ours, grids) = (best.score.rank().1, grids.score.rank().1);
    assert!(ours <= 1.02 * grids, "{ours} beside the grid's {grids}");
    (runs, grid_runs)
}

#[test]
fn a_search_is_as_good_as_a_coarse_grid() {
    search_beside_grid(&[300, 600, 900], &[47, 62, 78], &[4, 8, 12]);
}

/// Takes minutes.
#[test]
#[ignore = "more than a thousand runs: cargo test --release --test tuning -- --ignored"]
fn a_search_is_as_good_as_a_fine_grid_in_a_tenth_of_its_runs() {
    let cpu: Vec<u64> = (2..=12).map(|step| 80 * step).collect();
    let targets: Vec<u32> = (6..=18).map(|step| 5 * step).collect();
    let minima: Vec<u32> = (2..=12).map(|step| 2 * step).collect();
    let (runs, grid_runs) = search_beside_grid(&cpu, &targets, &minima);
    assert!(10 * runs <= grid_runs, "{runs} runs beside the grid's {grid_runs}");
}

#[test]
fn a_search_that_is_stopped_answers_with_what_it_has() {
    let home = tempfile::tempdir().unwrap();
    let (scenario, objects, assemble) = shop(home.path());
    let asked = std::sync::atomic::AtomicUsize::new(0);
    // Someone presses Ctrl-C while the first candidates are tried.
    let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 8;
    let task = Task { scenario: &scenario, objects: &objects, seed: 7, tries: 16, assemble, stop: &stop };
    let found = search(&task, |_| ());
    assert!((1..8).contains(&found.tried), "{} candidates", found.tried);
    assert_eq!((found.finalists.len(), found.rivals.len()), (1, 0));
}

#[test]
fn cheaper_nodes_are_chosen_and_written() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("shop.yaml"), SHOP).unwrap();
    for (name, text) in SHOP_FILES {
        fs::write(home.path().join(name), text).unwrap();
    }
    let cluster = "kind: Cluster\nprofiles:\n  small:\n    pools:\n      workers:\n        cpu: 4        # cores\n        \
                   memory: 16Gi\n        count: 3\n        min: 3\n        max: 6\n        pricePerHour: 0.2\n        \
                   provision: 40s\n        alternatives:\n          half: {cpu: 2, memory: 8Gi, pricePerHour: 0.09}\n          \
                   dear: {cpu: 2, memory: 8Gi, pricePerHour: 0.5}\n";
    fs::write(home.path().join("cluster.yaml"), cluster).unwrap();
    // Fewer of the same would do, but for this.
    let three = "- {name: nodes, indicator: nodesMin, atLeast: 3}\n";
    let policy = format!("{}{three}", fs::read_to_string(home.path().join("policy.yaml")).unwrap());
    fs::write(home.path().join("policy.yaml"), policy).unwrap();
    let input = "-m shop.yaml --model model.yaml --traffic traffic.yaml --policy policy.yaml --duration 4m";
    let arguments = format!("tune {input} --cluster cluster.yaml --tries 3 --form patch --out tuned -o json");
    let tuned = json(home.path(), &arguments);
    assert_eq!(tuned["nodes"]["pool"], "workers", "{}", tuned["nodes"]);
    assert_eq!(tuned["nodes"]["alternative"], "half", "{}", tuned["nodes"]);
    let cost = &tuned["costPerMonth"];
    assert!(cost["nodes"].as_f64() < cost["nodesBefore"].as_f64(), "{cost}");
    let text = fs::read_to_string(home.path().join("tuned/plan/cluster.yaml")).unwrap();
    assert!(text.contains("        cpu: 2        # cores\n") && text.contains("dear"), "{text}");
    let certificate = &tuned["certificate"];
    let (seed, replications) = (&certificate["seed"], &certificate["replications"]);
    let manifests = input.replace("-m shop.yaml", "-m tuned/shop.yaml");
    let arguments = format!(
        "simulate {manifests} --cluster tuned/plan/cluster.yaml --seed {seed} --replications {replications} --no-out -o json"
    );
    assert_eq!(json(home.path(), &arguments)["fingerprint"], certificate["fingerprint"]);
}
