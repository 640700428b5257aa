//! Broken input of every kind: what is wrong, where, and what to do about it, all
//! at once and with exit code 2; or a run that ends.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use insta::assert_snapshot;
use kubeplan::input::{Request, load};
use kubeplan::scenario::{Balancing, Breaker, Outlier, Upstream};
use kubeplan::units::SimDuration;

/// A Deployment with its Service; nothing is wrong with it.
const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, resources: {requests: {cpu: 100m, memory: 64Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

const HPA: &str = "\
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 5
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
";

/// Runs in a folder that holds these files, with nothing on standard input.
fn run(files: &[(&str, &[u8])], arguments: &str) -> (Option<i32>, String) {
    run_with(files, arguments, "")
}

fn run_with(files: &[(&str, &[u8])], arguments: &str, stdin: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(home.path().join(name), bytes).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_plan"));
    let arguments = format!("simulate {arguments}");
    command.current_dir(home.path()).args(arguments.split_whitespace()).write_stdin(stdin);
    let output = command.timeout(std::time::Duration::from_secs(120)).output().unwrap();
    let code = output.status.code();
    let written = Path::exists(&home.path().join("outputs"));
    assert_eq!(written, matches!(code, Some(0 | 1 | 3)), "results are written where there are some");
    (code, String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
}

/// What is said of input that is refused.
fn refused(files: &[(&str, &[u8])], arguments: &str) -> String {
    let (code, said) = run(files, arguments);
    assert_eq!(code, Some(2), "{said}");
    said
}

/// What is said of a manifest file that is refused.
fn wrong(text: &str) -> String {
    refused(&[("app.yaml", text.as_bytes())], "-m app.yaml")
}

#[test]
fn files_that_are_not_there_or_no_text() {
    assert_snapshot!(refused(&[], "-m one.yaml -m two.yaml"), @r"
    error: cannot read `one.yaml`: No such file or directory

    error: cannot read `two.yaml`: No such file or directory
    ");
    assert_snapshot!(refused(&[("notes.txt", b"x")], "-m ."), @"error: no manifests in `.`: no file there ends in .yaml, .yml or .json");
    assert_snapshot!(refused(&[], "-m -"), @"error: nothing on standard input");
    assert_snapshot!(wrong(""), @"error: there are no Kubernetes objects in what was given");
    assert_snapshot!(refused(&[("app.yaml", b"\x7fELF\0\0")], "-m app.yaml"), @"error: `app.yaml` is not a text file");
    assert_snapshot!(refused(&[("app.yaml", b"kind: x\nname: \xe9\n")], "-m app.yaml"), @r"
    error: `app.yaml` is not valid UTF-8 in line 2
     |
     = help: save the file as UTF-8
    ");
}

#[test]
fn yaml_that_does_not_read() {
    assert_snapshot!(wrong("a:\n\tb: 1\n"), @r"
    error: not valid YAML: tabs disallowed within this context (block indentation)
     --> app.yaml:2:2
      |
    2 |     b: 1
      |     ^
    ");
    let nested: Vec<String> = (0..3_000).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
    let nested = nested.join("\n");
    assert!(wrong(&nested).contains("nested more than 128 levels deep\n   --> app.yaml:129:129"));
    let flow = format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(wrong(&flow).contains("recursion limit exceeded"));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let before = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
    }
    assert!(wrong(&bomb).contains("aliases expand to more than 1,000,000 values\n --> app.yaml:"));
}

#[test]
fn all_that_is_wrong_with_manifests_is_said_at_once() {
    let text = format!("{WEB}{HPA}")
        .replace("  replicas: 2", "  replicas: many")
        .replace("minReplicas: 2", "minReplicas: 9");
    let said = wrong(&text);
    for words in ["app.yaml:6:13", "app.yaml:24:16", "minReplicas of 9 is above maxReplicas of 5"] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    assert!(!said.contains("scales nothing"), "the Deployment is there:\n{said}");
    let said = wrong(&WEB.replace("cpu: 100m", "cpu: 100mcores"));
    assert!(said.contains("app.yaml:12:") && said.contains("did you mean `100m`?"), "{said}");
    let (code, said) = run(&[("app.yaml", WEB.replace("  replicas: 2", "  replicsa: 2").as_bytes())], QUICK);
    assert!(code != Some(2) && said.contains("did you mean `replicas`?"), "{said}");
    let (_, said) =
        run(&[("app.yaml", WEB.replace("  replicas: 2", "  replicas: 2\n  replicas: 3").as_bytes())], QUICK);
    assert!(said.contains("key `replicas` is given twice in one mapping\n --> app.yaml:7:3"), "{said}");
    for (there, slip, at, words) in [
        ("kind: Deployment", "kind: Deploymnet", "app.yaml:2:7", "did you mean `Deployment`?"),
        (
            "name: web\nspec:\n  replicas",
            "name: Web_1\nspec:\n  replicas",
            "app.yaml:4:9",
            "is no name for a Deployment",
        ),
    ] {
        let said = wrong(&WEB.replace(there, slip));
        assert!(said.contains(at) && said.contains(words), "{slip}:\n{said}");
    }
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let (code, said) = run(&[("app.yaml", format!("{WEB}{namespace}{namespace}").as_bytes())], QUICK);
    assert!(code != Some(2), "every part of an application may bring its namespace along:\n{said}");
    let said = wrong(&WEB.replace("---\n", ""));
    assert!(said.contains("two objects need a line `---` between them"), "{said}");
}

#[test]
fn a_probe_that_kills_may_have_a_grace_period_of_its_own() {
    let with = |probe: &str, grace: i64| {
        let probe = format!("{probe}: {{tcpSocket: {{port: 80}}, terminationGracePeriodSeconds: {grace}}}");
        WEB.replace("image: nginx,", &format!("image: nginx, {probe},"))
    };
    for (probe, grace, words) in [
        ("readinessProbe", 5, "must not be set for readiness probes"),
        ("livenessProbe", 0, "greater than 0"),
    ] {
        let said = wrong(&with(probe, grace));
        assert!(said.contains(words) && said.contains("app.yaml:12:"), "{said}");
    }
    let (code, said) = run(&[("app.yaml", with("startupProbe", 5).as_bytes())], QUICK);
    assert!(matches!(code, Some(0 | 1 | 3)), "{said}");
}

const QUICK: &str = "-m app.yaml --users 20 --duration 1m --replications 1";

#[test]
fn autoscalers_that_cannot_work_are_named() {
    let without = format!("{}{HPA}", WEB.replace("cpu: 100m, ", ""));
    let (code, said) = run(&[("app.yaml", without.as_bytes())], QUICK);
    assert!(code != Some(2) && said.contains("this HPA can't compute CPU utilization"), "{said}");
    let elsewhere = format!("{WEB}{}", HPA.replace("name: web}\n  min", "name: wep}\n  min"));
    let (code, said) = run(&[("app.yaml", elsewhere.as_bytes())], QUICK);
    assert!(code != Some(2) && said.contains("did you mean `web`?"), "{said}");
}

#[test]
fn custom_metrics_are_checked_where_they_are_described() {
    let pods = "{type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: 20}}}";
    let cpu = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}";
    let app = format!("{WEB}{}", HPA.replace(cpu, pods));
    let two = format!("{app}---\n{}", WEB.replace("web", "db"));
    let model = |metrics: &str| {
        format!(
            "apiVersion: plan/v1alpha1\nkind: Model\nmetrics:\n{metrics}workloads: {{web: {{drains: true}}}}\n"
        )
    };
    let with = |text: &str| {
        let files: [(&str, &[u8]); 2] = [("app.yaml", two.as_bytes()), ("model.yaml", text.as_bytes())];
        run(&files, "-m app.yaml --model model.yaml --users 20 --duration 1m --replications 1")
    };
    for (metrics, words) in [
        ("  rps: {counts: cows}\n", "one of requests, inFlight, waiting"),
        ("  rps: {counts: requests, of: wep}\n", "did you mean `web`?"),
        ("  rps: {counts: requests, of: db}\n", "scales by this metric of its own pods"),
        ("  rps: {counts: requests, range: 30s}\n", "it must hold two scrapes of 30.0 s each"),
        ("  rps: {counts: requests, range: 2h}\n", "and be at most 1 h"),
        ("  rps: {counts: inFlight, range: 1m}\n", "only a rate has one"),
        ("  rps: {counts: waiting, scrapeInterval: 10ms}\n", "at least 1.0"),
        ("  rpz: {counts: requests}\n", "did you mean `rps`?"),
        ("  rpz: {counts: cows}\n", "did you mean `rps`?"),
        ("  rps: {of: web}\n", "field `counts` is missing"),
    ] {
        let (code, said) = with(&model(metrics));
        assert_eq!(code, Some(2), "{metrics}{said}");
        assert!(said.contains(words) && said.contains("model.yaml:4:"), "{metrics}{said}");
    }
    let (code, said) = with(&model("  rps: {counts: requests}\n"));
    assert!(code != Some(2) && !said.contains("metric"), "{said}");
    let (code, said) = run(&[("app.yaml", app.as_bytes())], QUICK);
    assert!(code != Some(2) && said.contains("nobody says what its metric `rps` counts"), "{said}");
    assert!(said.contains("app.yaml:23:"), "{said}");
}

#[test]
fn sidecars_are_checked_where_they_are_described() {
    let second =
        "\n      - {name: logs, image: \"acme/shipper:1\", resources: {requests: {cpu: 10m, memory: 16Mi}}}";
    let app = format!("{}{HPA}", WEB.replace("}}}\n", &format!("}}}}}}{second}\n")));
    let model = |sidecars: &str| {
        format!("apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web:\n    sidecars:\n{sidecars}")
    };
    let with = |app: &str, text: &str| {
        let files: [(&str, &[u8]); 2] = [("app.yaml", app.as_bytes()), ("model.yaml", text.as_bytes())];
        run(&files, "-m app.yaml --model model.yaml --users 20 --duration 1m --replications 1")
    };
    for (sidecars, words) in [
        ("      web: {idleCpu: 5m}\n", "`web` is the first container of web, which serves"),
        ("      logz: {idleCpu: 5m}\n", "did you mean `logs`?"),
        ("      istio-proxy: {idleCpu: 5m}\n", "one that is injected needs `requests:"),
        ("      logs: {requests: {cpu: 5m}}\n", "the manifest of web says what `logs` requests"),
        ("      logs: {cpuPerCall: 11s}\n", "at most 10s"),
        ("      logs: {cpuPerCal: 1ms}\n", "cpuPerCall"),
        ("      istio-proxy: {requests: {cpu: 5}, limits: {cpu: cow}}\n", "cow"),
    ] {
        let (code, said) = with(&app, &model(sidecars));
        assert_eq!(code, Some(2), "{sidecars}{said}");
        assert!(said.contains(words) && said.contains("model.yaml:6:"), "{sidecars}{said}");
    }
    let (code, said) = with(&app, &model("      logs: {idleCpu: 5m, memory: 20Mi}\n"));
    assert!(code != Some(2) && !said.contains("logs"), "{said}");
    // An HPA by the CPU of whole pods counts it, and so does one by its own.
    let cpu = "{type: Resource, resource: {name: cpu, ";
    for (metric, told) in [
        (cpu, true),
        ("{type: ContainerResource, containerResource: {name: cpu, container: logs, ", true),
        ("{type: ContainerResource, containerResource: {name: cpu, container: web, ", false),
    ] {
        let (code, said) = run(&[("app.yaml", app.replace(cpu, metric).as_bytes())], QUICK);
        let found = said.contains("what `logs` of Deployment/web uses isn't known");
        assert!(code != Some(2) && found == told, "{metric}: {said}");
    }
    // A mesh adds what no manifest shows.
    let meshed = app.replace("labels: {app: web}", "labels: {app: web, sidecar.istio.io/inject: \"true\"}");
    let proxy = "      istio-proxy: {requests: {cpu: 100m, memory: 128Mi}, cpuPerCall: 0.35ms}\n";
    for (sidecars, warned) in [("      logs: {idleCpu: 5m}\n", true), (proxy, false)] {
        let (code, said) = with(&meshed, &model(sidecars));
        let told = said.contains("get a container `istio-proxy` that no manifest shows");
        assert!(code != Some(2) && told == warned, "{sidecars}{said}");
    }
}

#[test]
fn our_own_files_are_checked_as_well() {
    let model =
        b"apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  wep: {operations: {a: [compute: 1ms]}}\n";
    let said =
        refused(&[("app.yaml", WEB.as_bytes()), ("model.yaml", model)], "-m app.yaml --model model.yaml");
    assert!(said.contains("model.yaml:4:3") && said.contains("did you mean `web`?"), "{said}");
    let traffic =
        b"apiVersion: plan/v1alpha1\nkind: Traffic\nload: {constant-vus: {vus: -10, duration: 1}}\n\
        journeys:\n  a: {visits: [{call: web/request, think: 1s, times: 4000000000}]}\n";
    let said = refused(&[("app.yaml", WEB.as_bytes()), ("t.yaml", traffic)], "-m app.yaml --traffic t.yaml");
    for words in ["t.yaml:3:28", "`-10` is negative", "`1` has no unit", "4000000000 times is out of range"] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let cluster = b"apiVersion: plan/v1alpha1\nkind: Cluster\nprofiles:\n  c:\n    provisionedBy: nobody\n    pools:\n      \
        a: {cpu: 4, memory: 16Gi, count: 1000000000}\n";
    let said = refused(&[("app.yaml", WEB.as_bytes()), ("c.yaml", cluster)], "-m app.yaml --cluster c.yaml");
    assert!(said.contains("1000000000 nodes are too many") && said.contains("at most 5000"), "{said}");
    let policy = b"apiVersion: plan/v1alpha1\nkind: Policy\nobjectives:\n- {indicator: speed, goal: 5}\n";
    let said = refused(&[("app.yaml", WEB.as_bytes()), ("p.yaml", policy)], "-m app.yaml --policy p.yaml");
    assert!(said.contains("p.yaml:4:"), "{said}");
}

#[test]
fn connections_are_checked_where_they_are_described() {
    let model = b"apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web:\n    maxConnections: 0\n    operations: {get: [compute: 1ms]}\n    \
        upstreams:\n      web: {pool: {size: 0, min: 2000, timeout: 0s, queue: -1}, connection: {streams: many, maxAge: 5}}\n      \
        wep: {pool: {size: 3}}\n    ingress: {balancing: best}\n";
    let said =
        refused(&[("app.yaml", WEB.as_bytes()), ("model.yaml", model)], "-m app.yaml --model model.yaml");
    for words in [
        "model.yaml:5:21",
        "`0` is too few",
        "no operation of `web` calls `web`",
        "2000 connections at rest are too many",
        "at most the pool's size, and at most 1000",
        "nothing happens within 0s",
        "`-1` is",
        "`many` is",
        "`5` has no unit",
        "there is no workload `wep`",
        "did you mean `web`?",
        "`best` is no way to balance",
        "one of random, roundRobin, leastRequest, peakEwma, ewma",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let both = b"apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web:\n    operations: {get: [call: db/ask]}\n    \
        upstreams: {db: {pool: {size: 2}, balancing: peakEwma}}\n  db: {operations: {ask: [compute: 1ms]}}\n";
    let two = format!("{WEB}---\n{}", WEB.replace("web", "db"));
    let said =
        refused(&[("app.yaml", two.as_bytes()), ("model.yaml", both)], "-m app.yaml --model model.yaml");
    assert!(
        said.contains("model.yaml:6:") && said.contains("a call goes where its connection leads"),
        "{said}"
    );
    let breaker = b"apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web:\n    operations: {get: [call: db/ask]}\n    \
        upstreams:\n      db:\n        pool: {size: 2, queue: 3}\n        breaker:\n          \
        {maxRequests: 0, maxPendingRequests: 1, failures: {threshold: 0%, window: 1000000, wait: 0s, halfOpen: 0}, \
        outlierDetection: {consecutive5xxErrors: 0, interval: 3}}\n  db: {operations: {ask: [compute: 1ms]}}\n";
    let said =
        refused(&[("app.yaml", two.as_bytes()), ("model.yaml", breaker)], "-m app.yaml --model model.yaml");
    for words in [
        "`0` is too few",
        "`pool.queue` says the same",
        "every call reaches a share of zero",
        "1000000 calls are out of range",
        "nothing happens within 0s",
        "0 calls are out of range",
        "it leaves a pod out",
        "no pod would ever be in",
        "`3` has no unit",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let unknown =
        b"apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web: {upstreams: {web: {pool: {sise: 3}}}}\n";
    let said =
        refused(&[("app.yaml", WEB.as_bytes()), ("model.yaml", unknown)], "-m app.yaml --model model.yaml");
    assert!(said.contains("model.yaml:4:") && said.contains("sise"), "{said}");
}

#[test]
fn numbers_on_the_command_line_have_bounds() {
    for (arguments, words) in [
        ("--users 0", "there must be at least 1 user"),
        ("--users -5", "not a number of users"),
        ("--users abc", "write it as 100000, 100k or 1e5"),
        ("--users 1e12", "more users than there are people"),
        ("--duration 0s", "it must be at least 1s"),
        ("--duration 0", "write it as 90s, 15m or 1h30m"),
        ("--duration 1000y", "write it as 90s, 15m or 1h30m"),
        ("--duration 9999d", "it must be at most 366d"),
    ] {
        let said = refused(&[], arguments);
        assert!(said.contains(words), "{arguments}:\n{said}");
    }
}

#[test]
fn a_crowd_of_pods_is_refused_where_it_stands() {
    assert_snapshot!(wrong(&WEB.replace("  replicas: 2", "  replicas: 100000000")), @r"
    error: web and those before ask for 100000000 pods
     --> app.yaml:4:9
      |
    4 |   name: web
      |         ^^^
      |
      = help: Kubernetes is tested up to 150000 in a cluster; plan takes no more
    ");
}

#[test]
fn what_is_large_but_sound_is_read_and_ends() {
    let mut dump = WEB.to_owned();
    while dump.len() < 10_000_000 {
        let number = dump.len();
        let data = "x".repeat(10_000);
        writeln!(
            dump,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{a: {data}}}"
        )
        .unwrap();
    }
    let (code, said) = run(&[("app.yaml", dump.as_bytes())], QUICK);
    assert!(matches!(code, Some(0 | 1 | 3)), "{said}");
    let (code, said) = run_with(&[], "-m - --users 20 --duration 1m --replications 1", WEB);
    assert!(matches!(code, Some(0 | 1 | 3)), "{said}");
    let traffic =
        b"apiVersion: plan/v1alpha1\nkind: Traffic\nload: {constant-vus: {vus: 10, duration: 10s}}\n\
        journeys:\n  a: {visits: [{call: web/request, think: 0s}]}\n";
    let arguments = "-m app.yaml --traffic t.yaml --replications 1";
    let (code, said) = run(&[("app.yaml", WEB.as_bytes()), ("t.yaml", traffic)], arguments);
    assert!(matches!(code, Some(0 | 1 | 3)), "{said}");
}

#[test]
fn an_ingress_says_how_it_balances() {
    let key = "nginx.ingress.kubernetes.io/load-balance";
    // So little CPU that requests meet in a pod.
    let slow = WEB.replace("100m, memory: 64Mi}}", "10m, memory: 64Mi}, limits: {cpu: 10m}}");
    let with = |annotations: &str| {
        format!(
            "{slow}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web{annotations}}}\n\
             spec: {{defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}\n"
        )
    };
    let by = |way: &str| with(&format!(", annotations: {{{key}: {way}}}"));
    let (code, said) = run(&[("app.yaml", by("ip_hash").as_bytes())], QUICK);
    assert!(matches!(code, Some(0 | 1 | 3)), "{said}");
    assert!(said.contains("ingress-nginx doesn't know `ip_hash`") && said.contains("app.yaml:21:"), "{said}");
    // It takes effect: another way, other requests at each pod.
    let all = [with(""), by("round_robin"), by("ewma")].map(|text| fingerprint(&text));
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
    assert_eq!(fingerprint(&by("ip_hash")), all[1], "what it doesn't know it does in turn");
}

#[test]
fn a_destination_rule_says_how_callers_reach_a_service() {
    let two = format!("{WEB}---\n{}", WEB.replace("web", "db"));
    let rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: db}\nspec:\n  host: db.default.svc.cluster.local\n  \
        trafficPolicy:\n    loadBalancer: {simple: LEAST_REQUEST}\n    connectionPool: {http: {http2MaxRequests: 7}}\n    \
        outlierDetection: {consecutiveGatewayErrors: 3, interval: 5s, maxEjectionPercent: 50}\n";
    let model = "apiVersion: plan/v1alpha1\nkind: Model\nworkloads:\n  web: {operations: {get: [call: db/ask]}}\n  \
        db: {operations: {ask: [compute: 1ms]}}\n";
    let home = tempfile::tempdir().unwrap();
    let load = |manifests: &str| {
        fs::write(home.path().join("app.yaml"), manifests).unwrap();
        fs::write(home.path().join("model.yaml"), model).unwrap();
        let (manifests, model) = (vec![home.path().join("app.yaml")], Some(home.path().join("model.yaml")));
        load(&Request { manifests, model, ..Request::default() })
            .unwrap_or_else(|why| panic!("{}", why.render(false)))
    };
    let found = load(&format!("{two}{rule}"));
    let outlier = Outlier {
        errors: 3,
        interval: SimDuration::from_secs(5),
        ejection: SimDuration::from_secs(30),
        most: 500_000,
    };
    let expected = Upstream {
        balancing: Balancing::LeastRequest,
        breaker: Some(Breaker { max_requests: Some(7), ratio: None }),
        outlier: Some(outlier),
        ..Upstream::to(1)
    };
    assert_eq!(found.scenario.workloads[0].behaviour.upstreams, [expected]);
    assert_eq!(found.scenario.workloads[1].behaviour.upstreams, [], "it calls nobody");
    assert_eq!(load(&two).scenario.workloads[0].behaviour.upstreams, []);
    let odd = load(&format!("{two}{}", rule.replace("LEAST_REQUEST", "BEST").replace("5s", "soon")));
    let said: Vec<&str> = odd.warnings.iter().map(|one| one.message.as_str()).collect();
    assert!(said.iter().any(|one| one.contains("no load balancer `BEST`")), "{said:?}");
    assert!(said.iter().any(|one| one.contains("`soon` is no time; 10s is used")), "{said:?}");
}

/// The fingerprint of a short run.
fn fingerprint(text: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("app.yaml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plan"));
    let arguments = "simulate -m app.yaml --users 3000 --duration 1m --replications 1 --no-out -o json";
    let output = command.current_dir(home.path()).args(arguments.split_whitespace()).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    document["fingerprint"].as_str().unwrap().to_owned()
}
