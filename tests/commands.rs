//! The commands besides simulate and explain: what they print, and their exit codes.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

fn plan(arguments: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let words: Vec<&str> = arguments.split_whitespace().collect();
    Command::new(env!("CARGO_BIN_EXE_plan")).current_dir(home.path()).args(words).output().unwrap()
}

fn json(arguments: &str, code: i32) -> Value {
    let output = plan(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}"))
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    for (arguments, words) in [
        ("drill rollot --users 10", "did you mean rollout?"),
        ("drill --target chat-servce --users 10", "did you mean chat-service?"),
        ("drill --per-year rollout", "rollout` is not DRILL=N"),
        ("drill --per-year nothing=3 --users 10", "there is no drill `nothing`"),
        ("drill --replications 1", "1 is not in 2..=1000"),
        ("compare compose kubernetes --users 10 --drill rolling", "there is no drill `rolling`"),
        ("compare compose missing.yaml", "missing.yaml"),
        ("capacity --users 0", "at least 1 user"),
    ] {
        let output = plan(arguments);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {err}");
        assert!(err.contains(words), "{arguments}: {err}");
        assert!(output.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn drills_are_listed_and_held_under_any_name() {
    let output = plan("drill --list");
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && list.lines().count() >= 25, "{list}");
    let listed = plan("drill --list -o json");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("a list is JSON, too");
    assert_eq!(listed["drills"].as_array().map(Vec::len), Some(list.lines().count()), "{listed}");
    // Litmus' name for the same.
    let document = json("drill pod-delete --users 200 --replications 2 -o json", 0);
    let drill = &document["drills"][0];
    assert_eq!((&document["kind"], &drill["name"]), (&"Drills".into(), &"pod-kill".into()));
    assert_eq!(drill["target"], serde_json::json!(["1 pod of chat-service", "1 pod of chat-service"]));
    assert!(drill["capacityRestoredSeconds"]["value"].as_f64().is_some_and(|time| time > 3.0), "{drill}");
    assert!(document["year"].is_null(), "one drill is no year");
}

#[test]
fn drills_answer_to_the_names_of_litmus_experiments() {
    // Names as in Litmus' hub of experiments.
    for (litmus, ours) in [
        ("pod-delete", "pod-kill"),
        ("container-kill", "container-kill"),
        ("pod-cpu-hog", "pod-cpu-stress"),
        ("pod-memory-hog", "memory-leak"),
        ("pod-network-latency", "network-delay"),
        ("pod-network-loss", "network-loss"),
        ("pod-network-corruption", "network-loss"),
        ("pod-network-partition", "network-partition"),
        ("node-drain", "node-drain"),
        ("node-cpu-hog", "node-cpu-stress"),
        ("node-restart", "node-failure"),
        ("kubelet-service-kill", "node-not-ready"),
        ("docker-service-kill", "node-not-ready"),
        ("ec2-terminate-by-id", "node-terminate"),
        ("aws-az-chaos", "zone-outage"),
    ] {
        let output = plan(&format!("drill {litmus} --list"));
        let list = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(list.split_whitespace().next(), Some(ours), "{litmus}: {list}");
        assert_eq!(list.lines().count(), 1, "{litmus}: {list}");
    }
}

#[test]
fn objectives_on_drills_are_checked_where_they_stand() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("policy.yaml");
    let policy = "apiVersion: plan/v1alpha1\nkind: Policy\nobjectives:\n\
        - {indicator: usersRecovered, scope: {drill: node-failrue}, atMost: 30s}\n\
        - {indicator: latency, quantile: p95, scope: {drill: rollout}, atMost: 1s}\n\
        - {name: own, indicator: failedRequests, scope: {drill: Friday's release}, atMost: 0}\n\
        - {name: other, indicator: failedRequests, scope: {drill: pod-delete}, atMost: 0}\n";
    std::fs::write(&path, policy).unwrap();
    let output = plan(&format!("drill --list --policy {}", path.display()));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{err}");
    for words in [
        "there is no drill `node-failrue`",
        "did you mean `node-failure`?",
        "policy.yaml:4:",
        "latency is not measured on a drill",
        "policy.yaml:5:",
    ] {
        assert!(err.contains(words), "{words}: {err}");
    }
    assert!(!err.contains("policy.yaml:6:") && !err.contains("policy.yaml:7:"), "{err}");
}

#[test]
fn a_missed_promise_is_the_exit_code() {
    let document = json("drill node-failure --users 300 --replications 2 -o json", 1);
    assert_eq!(document["verdict"], "missed");
    let promise = &document["objectives"][0];
    assert_eq!(
        (&promise["indicator"], &promise["drill"]),
        (&"usersRecovered".into(), &"node-failure".into())
    );
    let because = promise["because"].to_string();
    assert!(because.contains("out of reach"), "{because}");
    json("drill node-failure --users 300 --replications 2 --exit-zero -o json", 0);
}

/// One pod of half a core that is asked 40 times a second: its manifest, and the
/// options that name everything else.
fn web(home: &Path, compute: &str) -> (String, String) {
    let file = |name: &str, text: &str| {
        let path = home.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let manifest = |name: &str, replicas: u32| {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  \
             selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      \
             containers:\n      - name: web\n        image: web:1\n        \
             resources: {{requests: {{cpu: 500m}}, limits: {{cpu: 500m}}}}\n"
        );
        file(name, &text)
    };
    let manifests = manifest("web.yaml", 1);
    manifest("many.yaml", 4);
    let model = format!(
        "apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web:\n    operations:\n      ask: [{{compute: {compute}}}]\n"
    );
    let model = file("model.yaml", &model);
    let traffic = file(
        "traffic.yaml",
        "apiVersion: plan/v1alpha1\nkind: Traffic\nload: {constant-arrival-rate: {rate: 40}}\nwarmUp: 1m\nduration: 4m\n\
         journeys:\n  ask: {visits: [{call: web/ask, timeout: 2s}]}\n",
    );
    let policy = file(
        "policy.yaml",
        "apiVersion: plan/v1alpha1\nkind: Policy\nobjectives:\n- {indicator: availability, atLeast: 99%}\n",
    );
    (manifests, format!("--model {model} --traffic {traffic} --policy {policy}"))
}

#[test]
fn the_limit_that_binds_is_that_of_the_container_that_serves() {
    let home = tempfile::tempdir().unwrap();
    let (manifests, options) = web(home.path(), "20ms");
    let alone = std::fs::read_to_string(&manifests).unwrap();
    for (proxy, resources) in [("limited", "{limits: {cpu: 300m}}"), ("unlimited", "{}")] {
        let beside = format!("{alone}      - {{name: proxy, image: proxy, resources: {resources}}}\n");
        std::fs::write(&manifests, beside).unwrap();
        let result = json(&format!("simulate -m {manifests} {options} --replications 2 --no-out -o json"), 1);
        let text = result.to_string();
        assert!(text.contains("resources.limits.cpu: 500m of web"), "beside a proxy that is {proxy}: {text}");
    }
}

#[test]
fn capacity_encloses_the_border() {
    // One pod of half a core that works 10 ms a request carries fifty requests a second at most.
    let home = tempfile::tempdir().unwrap();
    let (manifests, others) = web(home.path(), "10ms");
    let document = json(&format!("capacity -m {manifests} {others} --replications 3 -o json"), 0);
    let (carries, breaks) = (document["carries"].as_f64().unwrap(), document["breaks"].as_f64().unwrap());
    assert_eq!(document["unit"], "journeysPerSecond");
    assert!((38.0..52.0).contains(&carries) && (44.0..70.0).contains(&breaks), "{carries} to {breaks}");
    assert!(document["curve"].as_array().is_some_and(|curve| curve.len() >= 3));
    let knee = document["knee"].as_f64().expect("waiting outgrows work before the border");
    assert!((10.0..=carries).contains(&knee), "the knee at {knee} of {carries}");
    // Four pods carry about four times as many, in the same search.
    let many = home.path().join("many.yaml").display().to_string();
    let out = home.path().join("capacity").display().to_string();
    let both = json(&format!("capacity {manifests} {many} {others} --replications 3 -o json --out {out}"), 0);
    let of = |index: usize| both["configurations"][index]["capacity"]["carries"].as_f64().unwrap();
    assert_eq!(both["kind"], "Capacities");
    assert!((3.0..5.0).contains(&(of(1) / of(0))), "{} and {}", of(0), of(1));
    let chart = std::fs::read_to_string(home.path().join("capacity/capacity.svg")).unwrap();
    assert!(chart.contains("Requests not answered") && chart.contains("many.yaml"));
}

#[test]
fn worlds_tell_which_unknown_decides() {
    let home = tempfile::tempdir().unwrap();
    let compute = "{low: 2ms, mid: 6ms, high: 40ms, cv: 1, basis: prior, source: a book}";
    let (manifests, others) = web(home.path(), compute);
    let many = home.path().join("many.yaml").display().to_string();
    let out = home.path().join("robust").display().to_string();
    let arguments = format!("robust {manifests} {many} {others} --worlds 12 --out {out} -o json");
    let found = json(&arguments, 3);
    // Half a core at 40 requests a second: 12.5 ms is the border, and above it requests are lost.
    let kept = &found["allKept"];
    assert!((3..=10).contains(&kept["worlds"].as_u64().unwrap()) && kept["of"] == 12, "{kept}");
    assert!(kept["low"].as_f64() < kept["share"].as_f64() && kept["share"].as_f64() < kept["high"].as_f64());
    let first = &found["unknowns"][0];
    assert_eq!((&first["name"], &first["decides"][0]), (&"web/ask: CPU".into(), &"Availability".into()));
    let (low, high) = (first["atLow"][0].as_f64().unwrap(), first["atHigh"][0].as_f64().unwrap());
    assert!(low > 0.99 && high < 0.6, "{low} to {high}");
    // Four pods lose nothing that one keeps, and keep more worlds.
    assert_eq!(found["leastRegret"].as_str(), Some(many.as_str()), "{}", found["configurations"]);
    assert_eq!(found["configurations"][1]["missedInVain"], 0);
    assert!(found["configurations"][0]["missedInVain"].as_u64() > Some(0));
    let page = std::fs::read_to_string(home.path().join("robust/robustness.txt")).unwrap();
    assert!(page.contains("Measure web/ask: CPU first"), "{page}");
    assert!(home.path().join("robust/tornado.svg").exists());
    // The same on one thread.
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let one =
        Command::new(env!("CARGO_BIN_EXE_plan")).env("RAYON_NUM_THREADS", "1").args(words).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&one.stdout).unwrap(), found);
}

#[test]
fn what_comes_from_standard_input_is_there_in_every_world() {
    let home = tempfile::tempdir().unwrap();
    let compute = "{low: 2ms, mid: 6ms, high: 40ms, cv: 1, basis: prior, source: a book}";
    let (manifests, others) = web(home.path(), compute);
    let from_file = json(&format!("robust -m {manifests} {others} --worlds 4 --exit-zero -o json"), 0);
    let words = format!("robust -m - {others} --worlds 4 --exit-zero -o json");
    let output = Command::new(env!("CARGO_BIN_EXE_plan"))
        .args(words.split_whitespace())
        .write_stdin(std::fs::read_to_string(&manifests).unwrap())
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(found["configurations"], from_file["configurations"]);
}

#[test]
fn each_configuration_has_its_own_unknowns_and_journeys() {
    let home = tempfile::tempdir().unwrap();
    let app = |name: &str, image: &str| {
        let paths = format!(
            "[{{path: /{name}, pathType: Prefix, backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}]"
        );
        let pod = format!(
            "{{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: web, image: {image}, \
             resources: {{requests: {{cpu: 1, memory: 512Mi}}}}}}]}}}}"
        );
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{selector: {{app: {name}}}, \
             ports: [{{port: 80}}]}}}}\n---\n{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: \
             {{name: {name}}}, spec: {{rules: [{{http: {{paths: {paths}}}}}]}}}}\n---\n{{apiVersion: apps/v1, \
             kind: Deployment, metadata: {{name: {name}}}, spec: {{replicas: 2, selector: {{matchLabels: \
             {{app: {name}}}}}, template: {pod}}}}}\n---\n"
        )
    };
    let write = |file: &str, text: String| {
        let path = home.path().join(file);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let nginx = write("nginx.yaml", app("web", "nginx:1.27"));
    let node = write("node.yaml", app("web", "node:22"));
    let more = write("more.yaml", app("web", "nginx:1.27") + &app("more", "nginx:1.27"));
    let unknowns = |sides: &str| {
        let found = json(&format!("robust {sides} --users 20 --worlds 2 --exit-zero -o json"), 0);
        found["unknowns"].as_array().unwrap().len()
    };
    let (alone, both) = (unknowns(&format!("{nginx} {nginx}")), unknowns(&format!("{nginx} {node}")));
    assert!(both > alone, "{both} of both, {alone} of the first");
    for (other, differs) in [(&node, false), (&more, true)] {
        let output =
            plan(&format!("compare {nginx} {other} --users 20 --duration 2m --replications 2 --no-drills"));
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            err.contains("not asked for the same: 1 journey and 2 journeys"),
            differs,
            "{other}: {err}"
        );
    }
}

#[test]
fn nothing_unknown_and_no_peak_are_said() {
    let home = tempfile::tempdir().unwrap();
    let (manifests, others) = web(home.path(), "10ms");
    // What a model leaves open is taken from the library, with its ranges.
    let model = home.path().join("model.yaml");
    let text = std::fs::read_to_string(&model).unwrap();
    let all = "web:\n    startUp: {wait: 1s, cpu: 10ms}\n    memory: {base: 50Mi}\n    idleCpu: 1m\n    shutDown: 1s\n";
    std::fs::write(&model, text.replace("web:\n", all)).unwrap();
    let cluster = home.path().join("cluster.yaml");
    std::fs::write(&cluster, "kind: Cluster\nprofiles: {own: {provisionedBy: nobody, pools: {a: {cpu: 4, memory: 16Gi, count: 1}}}}\n")
        .unwrap();
    let output = plan(&format!("robust -m {manifests} {others} --cluster {}", cluster.display()));
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("nothing in the input has a range"), "{err}");
    // The busy hour's peak is not in its first two minutes.
    for command in [
        "robust --worlds 2 --exit-zero",
        "simulate --replications 2 --no-out --exit-zero",
        "drill pod-kill --replications 2 --exit-zero",
        "compare kubernetes compose --replications 2 --no-drills",
    ] {
        let output = plan(&format!("{command} --users 20 --duration 2m"));
        let err = String::from_utf8_lossy(&output.stderr);
        let warns = err.contains("of its peak") && err.contains("--duration 25m");
        assert!(output.status.success() && warns, "{command}: {err}");
    }
    let found = json("simulate --users 500 --duration 2m --replications 2 --no-out -o json", 1);
    let missed = found["objectives"].as_array().unwrap().iter().find(|one| one["name"] == "users carried");
    let because = missed.unwrap()["because"].as_array().unwrap();
    let says = because[0].as_str().unwrap();
    assert!(
        because.len() == 1 && says.contains("--duration 25m") && !says.contains("--users"),
        "{because:?}"
    );
}

#[test]
fn what_nothing_can_keep_is_proved_without_a_search() {
    let home = tempfile::tempdir().unwrap();
    let cluster = home.path().join("cluster.yaml");
    std::fs::write(&cluster, "kind: Cluster\nprofiles: {own: {provisionedBy: nobody, pools: {three: {cpu: 4, memory: 16Gi, count: 3}}}}\n")
        .unwrap();
    let arguments = format!("tune --users 1M --cluster {}", cluster.display());
    let page = plan(&arguments);
    let text = String::from_utf8_lossy(&page.stdout).into_owned();
    assert_eq!(page.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&page.stderr));
    insta::assert_snapshot!(text);
    let document = json(&format!("{arguments} -o json"), 1);
    let bound = &document["outOfReach"][0];
    assert!(bound["best"].as_f64() < bound["goal"].as_f64(), "{bound}");
    // With nodes enough there is no such bound: what is left is for the search.
    let few =
        plan(&format!("tune --users 50 --duration 2m --tries 1 --no-out --cluster {}", cluster.display()));
    assert!(!String::from_utf8_lossy(&few.stdout).contains("OUT OF REACH"));
}

#[test]
fn the_document_s_promises_are_measured_on_both_sides() {
    let table = json("compare compose kubernetes --users 500 --duration 10m --replications 3 -o json", 0);
    assert_eq!((&table["kind"], &table["users"]), (&"Promises".into(), &serde_json::json!([500, 500])));
    let row = |name: &str| {
        let rows = table["rows"].as_array().unwrap();
        rows.iter().find(|one| one["name"] == name).cloned().unwrap_or_else(|| panic!("{name}: {table}"))
    };
    for (name, before, after) in [("services", 0, 8), ("HPAs", 0, 3), ("volumes", 0, 2), ("ingresses", 0, 1)]
    {
        let row = row(name);
        assert_eq!(row["verdict"], "met", "{row}");
        assert_eq!(row["after"]["value"].as_f64(), Some(f64::from(after)), "{row}");
        assert!(row["before"]["value"].as_f64() >= Some(f64::from(before)), "{row}");
    }
    assert_eq!(
        (&row("scaling")["before"]["text"], &row("scaling")["verdict"]),
        (&"manual".into(), &"met".into())
    );
    // A small load is carried; that says nothing of a hundred thousand users.
    assert_eq!(
        (&row("users carried")["after"]["value"], &row("users carried")["verdict"]),
        (&500.into(), &"unsure".into())
    );
    let hang = row("recovery, pod-hang");
    assert!(hang["before"]["value"].as_f64() > hang["after"]["value"].as_f64(), "a probe finds it: {hang}");
    let nodes = row("nodes");
    assert_eq!((&nodes["before"]["high"], &nodes["after"]["low"]), (&1.into(), &3.into()), "{nodes}");
    let missed = table["missed"].to_string();
    assert!(missed.contains("pods at least"), "{missed}");
}

#[test]
fn both_sides_of_a_comparison_meet_the_same_requests() {
    let arguments =
        "compare kubernetes kubernetes --users 200 --duration 5m --replications 2 --no-drills -o json";
    let same = json(arguments, 0);
    for figure in same["figures"].as_array().unwrap() {
        assert!(figure["difference"].is_null() || figure["difference"] == 0.0, "{figure}");
    }
    let other = json(
        "compare compose kubernetes --users 200 --duration 5m --replications 3 --drill pod-hang -o json",
        0,
    );
    let figure = |name: &str| {
        let figures = other["figures"].as_array().unwrap();
        figures.iter().find(|one| one["name"] == name).cloned().unwrap()
    };
    let asked = figure("requests asked");
    // Users wait for their answers, so a slower side is asked a little less.
    let (a, b) = (asked["a"].as_f64().unwrap(), asked["b"].as_f64().unwrap());
    assert!((a - b).abs() / a < 0.01, "{asked}");
    assert_eq!((figure("nodes")["a"].as_f64(), figure("nodes")["b"].as_f64()), (Some(1.0), Some(3.0)));
    let back = |side: &str| other["drills"][0][side]["usersRecoveredSeconds"].as_f64();
    // Nothing probes the one, a liveness probe finds the other.
    assert!(
        back("a").is_none_or(|time| time > 290.0) && back("b").is_some_and(|time| time < 100.0),
        "{other}"
    );
}

#[test]
fn a_policy_says_how_often_drills_come_which_count_and_what_must_fit() {
    let home = tempfile::tempdir().unwrap();
    let policy = home.path().join("policy.yaml");
    let text = "apiVersion: plan/v1alpha1\nkind: Policy\nname: own\nobjectives:\n\
        - {name: room, indicator: pendingPodSeconds, scope: {drill: node-failure}, atMost: 0s}\n\
        drills:\n  node-loss: {perYear: 7, basis: measured, source: tickets}\n  zone-outage: {counts: false}\n";
    std::fs::write(&policy, text).unwrap();
    let out = home.path().join("out");
    let document = json(
        &format!(
            "drill node-failure --users 300 --replications 2 -o json --policy {} --out {}",
            policy.display(),
            out.display()
        ),
        0,
    );
    assert_eq!(document["drills"][0]["perYear"], 7, "{document}");
    let room = &document["objectives"][0];
    // Two nodes hold everything at this load: no pod waits for a third.
    assert_eq!(
        (&room["indicator"], &room["verdict"]),
        (&"pendingPodSeconds".into(), &"met".into()),
        "{room}"
    );
    for name in ["verdict.json", "drills.txt", "node-failure.svg", "node-failure.png", "contents.txt"] {
        assert!(out.join(name).exists(), "{name}");
    }
    let page = std::fs::read_to_string(out.join("drills.txt")).unwrap();
    assert!(page.contains("node-failure") && !page.contains('\u{1b}'), "{page}");
    let list = plan(&format!("drill --list --policy {}", policy.display()));
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("node-failure") && !list.contains("zone-outage"), "{list}");
    std::fs::write(&policy, text.replace("zone-outage", "zone-outrage")).unwrap();
    let output = plan(&format!("drill --list --policy {}", policy.display()));
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("no drill `zone-outrage`") && err.contains("policy.yaml:8:3"), "{err}");
}

/// Manifests of a web server with an HPA, its recorded usage beside the model.
fn with_usage(usage: &str, csv: &str) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let manifests = file(
        "web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 2\n  \
         selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      \
         containers:\n      - name: web\n        image: web:1\n        \
         resources: {requests: {cpu: 500m, memory: 256Mi}, limits: {cpu: 500m, memory: 1Gi}}\n        \
         readinessProbe: {httpGet: {path: /, port: 80}}\n---\n\
         apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  \
         scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n  minReplicas: 2\n  maxReplicas: 12\n  \
         metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]\n",
    );
    file("web.csv", csv);
    let model = file("model.yaml", &format!("kind: Model\nworkloads:\n  web:\n    usage: {usage}\n"));
    (home, format!("-m {manifests} --model {model}"))
}

const RECORDED: &str = "time,cpu,memory\n1700000000,0.5,4e8\n1700000300,2.4,9e8\n1700000600,1.0,5e8\n";

#[test]
fn recorded_usage_needs_no_users() {
    let (_home, files) = with_usage("{file: web.csv, interpolation: step}", RECORDED);
    let document = json(&format!("simulate {files} --no-out --replications 3 --exit-zero -o json"), 0);
    let web = &document["workloads"]["web"];
    let asked = &web["usage"]["demandedCores"];
    // (0.5 + 2.4 + 1.0) / 3 over fifteen minutes.
    assert!((asked["mean"].as_f64().unwrap() - 1.3).abs() < 1e-6, "{asked}");
    assert_eq!(document["horizonSeconds"], 900.0);
    assert_eq!(web["requests"], 0.0);
    // Two pods may use a core; the third comes after half a minute or so.
    let overload = web["usage"]["overloadRatio"].as_f64().unwrap();
    assert!(overload > 0.02 && overload < 0.2, "{overload}");
    assert_eq!(document["objectives"][0]["indicator"], "overload");
    assert_eq!(document["objectives"][0]["verdict"], "missed");
    let page = plan(&format!("simulate {files} --no-out --replications 3"));
    let text = String::from_utf8_lossy(&page.stdout).into_owned();
    for words in ["1 workload by its recorded usage", "OVERLOAD", "usage curve asked for more"] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    assert!(!text.contains("P99") && !text.contains("users"), "{text}");
    // A drill that hits the pods that follow the curve.
    let drills = json(&format!("drill pod-kill {files} --replications 2 --exit-zero -o json"), 0);
    assert_eq!(drills["drills"][0]["target"][0], "1 pod of web");
}

#[test]
fn what_is_wrong_with_recorded_usage_is_shown_at_its_line() {
    for (usage, csv, words) in [
        (
            "{file: lost.csv, interpolation: step}",
            RECORDED,
            &["lost.csv", "model.yaml:4:19", "the model file's folder"][..],
        ),
        ("{file: web.csv, interpolation: step}", "0,1,1\n60,x,1\n", &["web.csv:2:1", "`x` is not a number"]),
        ("{file: web.csv}", RECORDED, &["model.yaml:4:5", "`interpolation`"]),
        (
            "{file: web.csv, interpolation: step}\n    threads: 2",
            RECORDED,
            &["model.yaml:5:14", "beside `usage`"],
        ),
        ("{points: [[0s, 1]], interpolation: step}", RECORDED, &["model.yaml:4:23", "three parts"]),
    ] {
        let (_home, files) = with_usage(usage, csv);
        for command in ["simulate --no-out", "validate"] {
            let output = plan(&format!("{command} {files}"));
            let shown = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert_ne!(output.status.code(), Some(0), "{usage}: {shown}");
            // The page of `validate` breaks lines and names the file once.
            let told = words.iter().all(|word| shown.contains(word));
            assert!(told || command == "validate", "{command} {usage}: {shown}");
        }
    }
    let (_home, files) = with_usage("{file: web.csv, interpolation: step}", RECORDED);
    for command in ["simulate --no-out --users 10", "capacity", "tune --no-out"] {
        let output = plan(&format!("{command} {files}"));
        assert_eq!(output.status.code(), Some(2), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
