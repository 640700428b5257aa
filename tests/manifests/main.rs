//! What is made of manifests, and what is said of wrong ones.

mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use kubeplan::input::manifest::set::ManifestSet;
use kubeplan::input::manifest::{self, Failure};
use kubeplan::input::problem::{self, Problem, Severity};
use kubeplan::k8s::rollout::IntOrPercent;
use kubeplan::scenario::{Kind, NodeHold};
use kubeplan::source::Sources;
use proptest::prelude::*;

/// Reads one text and renders what came of it.
fn read(text: &str) -> (ManifestSet, Vec<Problem>, String) {
    let mut sources = Sources::new();
    let texts = vec![("app.yaml".to_owned(), text.to_owned())];
    let (set, problems) = manifest::read_texts(texts, &mut sources);
    let shown = problem::render(&problems, &sources, false);
    (set, problems, shown)
}

/// The rendered problems of one text.
fn problems(text: &str) -> String {
    read(text).2
}

/// A Deployment that nothing is wrong with, to change pieces of.
const SOUND: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        resources:
          requests: {cpu: 250m, memory: 128Mi}
          limits: {memory: 256Mi}
        readinessProbe:
          httpGet: {path: /, port: 80}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 20
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: 60}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: web
spec:
  maxUnavailable: 10%
  selector:
    matchLabels: {app: web}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
  - port: 80
";

#[test]
fn a_sound_set_has_no_problems() {
    let (set, _, shown) = read(SOUND);
    assert_eq!(shown, "");
    assert_eq!(
        (set.workloads.len(), set.autoscalers.len(), set.budgets.len(), set.services.len()),
        (1, 1, 1, 1)
    );
    assert_eq!(set.counts.len(), 4);
    let probe = set.workloads[0].template.containers[0].readiness.as_ref().unwrap();
    assert_eq!((probe.period.whole_secs(), probe.timeout.whole_secs(), probe.failure_threshold), (10, 1, 3));
}

/// The first problem when one piece of the sound set is replaced.
fn spoiled(piece: &str, by: &str) -> String {
    assert!(SOUND.contains(piece), "{piece}");
    let shown = problems(&SOUND.replacen(piece, by, 1));
    shown.split("\n\n").next().unwrap_or_default().to_owned()
}

#[test]
fn each_slip_is_named() {
    let rows = [
        ("cpu: 250m", "cpu: 250mb", "\"250mb\" is not a quantity"),
        ("memory: 128Mi", "memory: 128MB", "did you mean `128Mi`?"),
        ("memory: 128Mi", "memory: \" 1Gi \"", "request of 1Gi is above the limit of 256Mi"),
        ("memory: 128Mi", "memory: 128m", "`128m` is in thousandths of a byte"),
        ("memory: 128Mi", "memory: 1Gi", "request of 1Gi is above the limit of 256Mi"),
        ("memory: 128Mi", "mem: 128Mi", "did you mean `memory`?"),
        ("cpu: 250m", "cpu: -1", "must not be negative"),
        ("replicas: 3", "replicas: -3", "must not be negative"),
        ("replicas: 3", "replicas: three", "expected a whole number, found the string \"three\""),
        ("replicas: 3", "replicas: \"3\"", "remove the quotes"),
        ("replicas: 3", "replicsa: 3", "did you mean `replicas`?"),
        ("  replicas: 3", "\treplicas: 3", "not valid YAML"),
        ("labels: {app: web}", "labels: {app: wbe}", "the template says `app: wbe`"),
        ("labels: {app: web}", "labels: {app: yes}", "expected a string, found `true`"),
        ("apps/v1\nkind", "app/v1\nkind", "write `apiVersion: apps/v1`"),
        ("apps/v1\nkind", "apps/v1beta1\nkind", "is not served any more; read as `apps/v1`"),
        ("kind: Deployment", "ind: Deployment", "did you mean `kind`?"),
        ("minReplicas: 2", "minReplicas: 30", "minReplicas of 30 is above maxReplicas of 20"),
        ("minReplicas: 2", "minReplicas: 0", "0 needs a metric from outside"),
        ("maxReplicas: 20", "maxReplica: 20", "did you mean `maxReplicas`?"),
        ("averageUtilization: 60", "averageUtilization: 0", "target utilization must be above 0 %"),
        ("type: Resource", "type: Resorce", "did you mean `Resource`?"),
        ("type: Resource", "type: Pods", "type is `Pods`, but there is no `pods`"),
        ("kind: Deployment, name: web", "kind: Deployment, name: wbe", "did you mean `web`?"),
        ("kind: Deployment, name: web", "kind: StatefulSet, name: web", "there is a Deployment of that name"),
        ("requests: {cpu: 250m, ", "requests: {", "this HPA can't compute CPU utilization"),
        ("maxUnavailable: 10%", "maxUnavailable: ten", "write it as `1` or `25%`"),
        ("maxUnavailable: 10%", "{maxUnavailable: 1, minAvailable: 1}", "not valid YAML"),
        ("httpGet: {path: /, port: 80}", "periodSeconds: 5", "a probe without a handler"),
        ("port: 80}", "port: 80}\n          successThreshold: -1", "must not be negative"),
        ("      containers:", "      restartPolicy: Always\n      container:", "did you mean `containers`?"),
        ("  replicas: 3", "  strategy:\n    rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}", "are both 0"),
        ("  replicas: 3", "  strategy: {type: Rolling}", "`Rolling` is not among the choices"),
        ("name: web\nspec:\n  replicas", "labels: {}\nspec:\n  replicas", "this Deployment has no name"),
        ("  replicas: 3", "  paused: true", "spec.paused: is not simulated"),
        (
            "      containers:",
            "      topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, \
             matchLabelKeys: [pod-template-hash]}]\n      containers:",
            "matchLabelKeys: is not simulated",
        ),
        ("minReplicas: 2", "behavior: {scaleUp: {tolerance: -0.1}}", "must not be negative"),
    ];
    for (piece, by, expected) in rows {
        let shown = problems(&SOUND.replacen(piece, by, 1));
        assert!(SOUND.contains(piece) && shown.contains(expected), "{by}: expected {expected}, got\n{shown}");
    }
}

#[test]
fn problems_read_well() {
    assert_snapshot!(spoiled("averageUtilization: 60}", "averageUtilization: 0}   # oops"), @r#"
    error: spec.metrics[0].resource.target.averageUtilization: target utilization must be above 0 %
      --> app.yaml:34:55
       |
    34 |       target: {type: Utilization, averageUtilization: 0}   # oops
       |                                                       ^
       |
       = help: the HPA divides usage by this target
    "#);
    assert_snapshot!(spoiled("cpu: 250m", "cpu: 250mb"), @r#"
    error: spec.template.spec.containers[0].resources.requests.cpu: "250mb" is not a quantity
      --> app.yaml:17:27
       |
    17 |           requests: {cpu: 250mb, memory: 128Mi}
       |                           ^^^^^
       |
       = help: did you mean `250m`?
    "#);
    assert_snapshot!(spoiled("replicas: 3", "replicsa: 3"), @r#"
    warning: unknown field `spec.replicsa`
     --> app.yaml:6:3
      |
    6 |   replicsa: 3
      |   ^^^^^^^^ ignored
      |
      = help: did you mean `replicas`?
    "#);
    assert_snapshot!(spoiled("requests: {cpu: 250m, ", "requests: {"), @r#"
    warning: this HPA can't compute CPU utilization: Deployment/web has no CPU request for `web`
      --> app.yaml:31:5
       |
    31 |   - type: Resource
       |     ^^^^
       |
       = help: give every container a request; without it the HPA does nothing
    "#);
    assert_snapshot!(spoiled("kind: Deployment, name: web", "kind: Deployment, name: wbe"), @r#"
    warning: HPA `web` scales nothing: Deployment/wbe is not in what was given
      --> app.yaml:27:3
       |
    27 |   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: wbe}
       |   ^^^^^^^^^^^^^^
       |
       = help: did you mean `web`?
    "#);
}

#[test]
fn problems_between_fields_and_objects_read_well() {
    assert_snapshot!(spoiled("minReplicas: 2", "minReplicas: 30"), @r#"
    error: spec.minReplicas: minReplicas of 30 is above maxReplicas of 20
      --> app.yaml:28:16
       |
    28 |   minReplicas: 30
       |                ^^
       |
       = help: swap the two, or raise maxReplicas
    "#);
    assert_snapshot!(spoiled("labels: {app: web}", "labels: {app: wbe}"), @r#"
    error: spec.selector.matchLabels.app: the selector doesn't match the labels of the pod template
     --> app.yaml:8:24
      |
    8 |     matchLabels: {app: web}
      |                        ^^^
      |
      = help: the template says `app: wbe`
    "#);
    let twice = format!("{SOUND}---\n{}", SOUND.split("---\n").next().unwrap());
    assert_snapshot!(problems(&twice), @r#"
    error: Deployment/web is defined twice
      --> app.yaml:57:9
       |
    57 |   name: web
       |         ^^^ defined here again
       |
       = help: the first is at app.yaml:4:9; remove one, or give only one of the files
    "#);
}

#[test]
fn all_problems_are_shown_at_once() {
    let text = SOUND
        .replace("replicas: 3", "replicas: three")
        .replace("maxReplicas: 20", "maxReplicas: \"20\"")
        .replace("maxUnavailable: 10%", "maxUnavailable: x")
        .replace("- port: 80", "- port: http");
    let (_, found, shown) = read(&text);
    assert!(found.iter().filter(|one| one.severity == Severity::Error).count() >= 4, "{shown}");
}

#[test]
fn defaults_are_the_api_servers() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db, namespace: data, creationTimestamp: null, managedFields: [{manager: x}]}
  spec:
    selector: {matchLabels: {app: db}}
    template:
      metadata: {labels: {app: db}}
      spec:
        priorityClassName: high
        containers:
        - name: db
          image: postgres
          env: [{name: PEER, value: 'http://api:80'}, {name: KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}]
          resources: {limits: {cpu: 1}}
          lifecycle: {preStop: {exec: {command: [sh, -c, sleep 5 && pg_ctl stop]}}}
    volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce]}
  status: {replicas: 1, whatever: true}
- apiVersion: v1
  kind: LimitRange
  metadata: {name: range, namespace: data}
  spec: {limits: [{type: Container, default: {memory: 512Mi}, defaultRequest: {memory: 256Mi, cpu: 100m}}]}
- apiVersion: scheduling.k8s.io/v1
  kind: PriorityClass
  metadata: {name: high}
  value: 1000
  preemptionPolicy: Never
- apiVersion: autoscaling/v2
  kind: HorizontalPodAutoscaler
  metadata: {name: db, namespace: data}
  spec: {scaleTargetRef: {kind: StatefulSet, name: db}, maxReplicas: 3, behavior: {scaleDown: {}}}
- apiVersion: v1
  kind: Secret
  metadata: {name: s}
  data: {k: c2VjcmV0}
";
    let (set, _, shown) = read(text);
    assert_eq!(shown, "");
    let [db] = set.workloads.as_slice() else { panic!("one workload") };
    let [container] = db.template.containers.as_slice() else { panic!("one container") };
    assert_eq!((db.replicas, db.replicas_stated, db.template.grace.whole_secs()), (1, false, 30));
    assert_eq!(container.requests.cpu.map(|cpu| cpu.0), Some(1_000));
    assert_eq!(container.requests.memory.map(|memory| memory.0), Some(256 << 20));
    assert_eq!(container.limits.memory.map(|memory| memory.0), Some(512 << 20));
    assert!(container.always_pull && db.template.single_node_volume);
    assert_eq!(container.pre_stop.map(|hook| hook.takes.whole_secs()), Some(5));
    assert_eq!((db.template.wishes.priority, db.template.wishes.preempts), (1_000, false));
    assert_eq!(db.env, [("PEER".to_owned(), "http://api:80".to_owned())]);
    let hpa = &set.autoscalers[0].spec;
    assert_eq!((hpa.min_replicas, golden::metric_text(&hpa.metrics[0]).as_str()), (1, "Resource:cpu:80"));
    let behavior = hpa.behavior.as_ref().unwrap();
    assert_eq!((behavior.scale_up.policies.len(), behavior.scale_down.policies.len()), (2, 1));
    assert_eq!(behavior.scale_down.stabilization_window, None);
    assert_eq!(set.not_simulated, [("Secret".to_owned(), 1)]);
}

#[test]
fn what_holds_a_node_is_read_from_volumes_and_annotations() {
    const AUTOSCALER: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
    let local = |local_storage| NodeHold { local_storage, ..NodeHold::default() };
    let rows = [
        (String::new(), "{emptyDir: {}}", local(true)),
        (String::new(), "{emptyDir: {medium: Memory}}", local(false)),
        (String::new(), "{hostPath: {path: /x}}", local(true)),
        (String::new(), "{configMap: {name: c}}", local(false)),
        (format!("{AUTOSCALER}-local-volumes: 'other, data'"), "{emptyDir: {}}", local(false)),
        (format!("{AUTOSCALER}-local-volumes: other"), "{emptyDir: {}}", local(true)),
        (
            format!("{AUTOSCALER}: 'true'"),
            "{emptyDir: {}}",
            NodeHold { safe_to_evict: Some(true), ..local(true) },
        ),
        (
            "karpenter.sh/do-not-disrupt: 'true'".to_owned(),
            "{configMap: {name: c}}",
            NodeHold { do_not_disrupt: true, ..local(false) },
        ),
    ];
    for (annotation, volume, expected) in rows {
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: p, annotations: {{{annotation}}}}}, \
             spec: {{containers: [{{name: c, image: i}}], volumes: [{{name: data, {}]}}}}",
            volume.trim_start_matches('{')
        );
        let (set, _, shown) = read(&text);
        assert_eq!(set.workloads[0].template.hold, expected, "{annotation} {volume}: {shown}");
    }
}

#[test]
fn metrics_in_the_annotation_of_an_old_hpa_count() {
    let text = "\
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata:
  name: web
  annotations:
    autoscaling.alpha.kubernetes.io/metrics: '[{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"targetAverageUtilization\":60}}]'
    autoscaling.alpha.kubernetes.io/behavior: '{\"ScaleDown\":1}'
spec: {scaleTargetRef: {kind: Deployment, name: web}, maxReplicas: 5, targetCPUUtilizationPercentage: 70}
";
    let (set, _, _) = read(text);
    let metrics: Vec<String> = set.autoscalers[0].spec.metrics.iter().map(golden::metric_text).collect();
    assert_eq!(metrics, ["Resource:memory:60", "Resource:cpu:70"]);
    assert!(problems(&text.replace("'[{", "'{")).contains("doesn't hold the JSON of metrics"));
}

#[test]
fn pods_of_a_dumped_deployment_do_not_count_twice() {
    let text = format!(
        "{SOUND}---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: a, controller: true}}]
spec: {{}}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1-x
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: b, controller: true}}]
spec: {{}}
"
    );
    let (set, _, shown) = read(&text);
    assert_eq!(shown, "");
    assert_eq!(set.workloads.len(), 1);
}

/// Names of the workloads with their replicas, and what is said, of an object beside
/// the sound set.
fn beside(object: &str) -> (Vec<(String, u32)>, String) {
    let (set, _, shown) = read(&format!("{SOUND}---\n{object}"));
    (set.workloads.iter().map(|one| (one.name.clone(), one.replicas)).collect(), shown)
}

/// Metadata of an object `name` in a dump, made by `owner`.
fn owned(kind: &str, name: &str, owner: &str, labels: &str) -> String {
    let (owner_kind, owner_name) = owner.split_once('/').unwrap();
    format!(
        "kind: {kind}\nmetadata:\n  name: {name}\n  labels: {{{labels}}}\n  ownerReferences: \
         [{{apiVersion: v1, kind: {owner_kind}, name: {owner_name}, uid: b, controller: true}}]\n"
    )
}

#[test]
fn what_counts_of_a_dump_is_what_nobody_simulated_makes() {
    let pod = |name: &str, owner: &str, labels: &str| {
        let spec = "spec: {containers: [{name: web, image: \"a:1\"}]}";
        format!("apiVersion: v1\n{}{spec}\n", owned("Pod", name, owner, labels))
    };
    let set = |owner: &str, replicas: u32| {
        format!(
            "apiVersion: apps/v1\n{}spec: {{replicas: {replicas}, selector: {{matchLabels: {{app: a}}}}, \
             template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: \
             \"a:1\"}}]}}}}}}\n",
            owned("ReplicaSet", "a", owner, "")
        )
    };
    let rollout = "---\napiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\n";
    let rows = [
        // The Deployment's own pods, without the ReplicaSet between them.
        (pod("web-5d-x", "ReplicaSet/web-5d", "pod-template-hash: 5d"), None),
        (pod("web-ui-x", "ReplicaSet/web-ui", ""), Some(("web-ui-x", 1))),
        (pod("cache-0", "StatefulSet/cache", ""), Some(("cache-0", 1))),
        (set("Deployment/web", 3), None),
        // Operators' work counts whether or not their resource is in the dump.
        (set("Rollout/web", 3) + rollout, Some(("a", 3))),
        (set("Rollout/web", 3), Some(("a", 3))),
        (set("Rollout/web", 0), None),
    ];
    for (object, expected) in rows {
        let mut workloads = vec![("web".to_owned(), 3)];
        workloads.extend(expected.map(|(name, replicas)| (name.to_owned(), replicas)));
        assert_eq!(beside(&object), (workloads, String::new()), "{object}");
    }
}

#[test]
fn a_job_that_has_ended_holds_nothing() {
    let job = |status: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: job}}\nspec: {{template: {{spec: \
             {{restartPolicy: Never, containers: [{{name: a, image: \"a:1\"}}]}}}}}}\nstatus: {status}\n"
        )
    };
    let rows = [
        ("{}", 1),
        ("{conditions: [{type: Complete, status: \"True\"}]}", 0),
        ("{conditions: [{type: Complete, status: \"False\"}]}", 1),
        ("{conditions: [{type: FailureTarget, status: \"True\"}, {type: Failed, status: \"True\"}]}", 0),
        ("{conditions: [{type: Suspended, status: \"True\"}]}", 1),
    ];
    for (status, replicas) in rows {
        assert_eq!(beside(&job(status)).0[1], ("job".to_owned(), replicas), "{status}");
    }
}

#[test]
fn what_changes_an_answer_and_is_not_simulated_is_said() {
    let custom = |kind: &str, spec: &str| {
        format!("apiVersion: example.org/v1\nkind: {kind}\nmetadata: {{name: it}}\nspec: {spec}\n")
    };
    let hpa = |target: &str, metric: &str| {
        format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: it}}\nspec: \
             {{scaleTargetRef: {{apiVersion: v1, {target}}}, maxReplicas: 3, metrics: [{metric}]}}\n"
        )
    };
    let service = |field: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: it}}\nspec: {{selector: {{app: web}}, {field}}}\n"
        )
    };
    let template = "{template: {spec: {containers: [{name: a}]}}}";
    let cpu = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}";
    let queue = "{type: External, external: {metric: {name: queue}, target: {type: Value, value: 5}}}";
    let rollout = custom("Rollout", template);
    let said = "Rollout/it: the pods that it makes are not simulated";
    let made = format!("apiVersion: apps/v1\n{}", owned("Pod", "x", "Rollout/it", ""));
    let rows = [
        (rollout.clone(), said),
        (custom("Rollout", "{workloadRef: {kind: Deployment, name: web}}"), said),
        (
            custom("ScaledJob", "{jobTargetRef: {template: {spec: {containers: []}}}}"),
            "ScaledJob/it: the pods",
        ),
        (custom("ScaledObject", "{scaleTargetRef: {name: web}}"), "`keda-hpa-` and its name"),
        (custom("VerticalPodAutoscaler", "{targetRef: {name: web}}"), "write those that it recommends"),
        (custom("VerticalPodAutoscaler", "{updatePolicy: {updateMode: \"Off\"}}"), ""),
        (custom("Certificate", "{secretName: it}"), ""),
        (
            format!("{rollout}---\n{}", hpa("kind: Rollout, name: it", cpu)),
            "scales nothing: Rollout/it is not simulated",
        ),
        (hpa("kind: StatefulSet, name: it", queue), "StatefulSet/it is not in what was given"),
        (service("sessionAffinity: ClientIP"), "spec.sessionAffinity: is not simulated"),
        (service("trafficDistribution: PreferClose"), "spec.trafficDistribution: is not simulated"),
        (service("sessionAffinity: None, internalTrafficPolicy: Cluster"), ""),
    ];
    for (object, expected) in rows {
        let shown = beside(&object).1;
        assert!(shown.contains(expected) && shown.is_empty() == expected.is_empty(), "{object}\n{shown}");
    }
    assert!(!beside(&format!("{rollout}---\n{made}")).1.contains(said));
}

#[test]
fn a_stateful_set_says_how_many_pods_an_update_takes() {
    let set = |most: &str| {
        read(&format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec: {{selector: \
             {{matchLabels: {{app: db}}}}, updateStrategy: {{rollingUpdate: {{maxUnavailable: {most}}}}}, \
             template: {{metadata: {{labels: {{app: db}}}}, spec: {{containers: [{{name: db, image: \
             \"a:1\"}}]}}}}}}\n"
        ))
    };
    for (written, expected) in
        [("null", None), ("2", Some(IntOrPercent::Int(2))), ("30%", Some(IntOrPercent::Percent(30)))]
    {
        let (set, _, shown) = set(written);
        assert_eq!(shown, "");
        let kind = set.workloads[0].kind;
        assert!(
            matches!(kind, Kind::StatefulSet { max_unavailable, .. } if max_unavailable == expected),
            "{kind:?}"
        );
    }
    assert!(set("0%").2.contains("must be above 0"));
}

#[test]
fn routes_of_gateways_lead_to_services_of_any_namespace_but_not_with_weight_0() {
    let route = |kind: &str, spec: &str| {
        let object =
            format!("apiVersion: example.org/v1\nkind: {kind}\nmetadata: {{name: it}}\nspec: {spec}\n");
        let (set, ..) = read(&object);
        assert!(set.not_simulated.is_empty(), "{kind} leads users");
        let named = set.routes.iter().map(|route| format!("{}/{}", route.namespace, route.service));
        named.collect::<Vec<_>>()
    };
    let refs = "{rules: [{backendRefs: [{name: old, weight: 0}, {name: new, weight: 9, namespace: shop}, {name: other}]}]}";
    assert_eq!(route("HTTPRoute", refs), ["shop/new", "default/other"]);
    let http = "{gateways: [gw], http: [{route: [{destination: {host: old}, weight: 0}, {destination: {host: new}, weight: 90}, {destination: {host: new.shop.svc.cluster.local}, weight: 10}]}]}";
    assert_eq!(route("VirtualService", http), ["default/new", "shop/new"]);
}

#[test]
fn the_container_that_answers_is_not_the_first() {
    let proxy =
        "      containers:\n      - {name: proxy, image: \"a:1\", resources: {requests: {cpu: 1m}}PORTS}";
    let before = |ports: &str| {
        let text = SOUND.replacen("      containers:", &proxy.replace("PORTS", ports), 1);
        problems(&text.replacen(
            "image: nginx:1.27",
            "image: nginx:1.27\n        ports: [{containerPort: 80}]",
            1,
        ))
    };
    let said = "Deployment/web: `web` answers its Service, and `proxy` is simulated as if it did";
    for (ports, expected) in
        [("", true), (", ports: [{containerPort: 9}]", true), (", ports: [{containerPort: 80}]", false)]
    {
        assert_eq!(before(ports).contains(said), expected, "{ports}");
    }
    let resource = "type: Resource\n    resource:\n      name: cpu\n";
    let of_web = "type: ContainerResource\n    containerResource:\n      name: cpu\n      container: web\n";
    assert_eq!(problems(&SOUND.replacen(resource, of_web, 1)), "");
}

#[test]
fn a_limit_of_nothing_is_none() {
    for limits in ["{cpu: 0, memory: 0}", "{cpu: null, memory: null}"] {
        let text = SOUND.replacen("requests: {cpu: 250m, memory: 128Mi}", "requests: {}", 1);
        let (set, _, shown) =
            read(&text.replacen("limits: {memory: 256Mi}", &format!("limits: {limits}"), 1));
        assert_eq!(shown, "");
        let container = &set.workloads[0].template.containers[0];
        assert_eq!((container.limits.cpu, container.limits.memory), (None, None), "{limits}");
        assert_eq!((container.requests.cpu.unwrap().0, container.requests.memory.unwrap().0), (0, 0));
    }
}

/// A fresh directory with these files.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

#[test]
fn directories_are_read_in_order_and_bad_files_do_not_stop_the_rest() {
    let directory = directory(&[
        ("b.yml", SOUND.as_bytes()),
        ("a/config.json", b"{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\"}"),
        ("a/kustomization.yaml", b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"),
        ("c.yaml", b"\x00\x01\x02"),
        ("d.yaml", b"a: \xff\xfe"),
        ("e.yaml", b""),
        ("notes.txt", b"not read"),
    ]);
    let mut sources = Sources::new();
    let (set, problems) = manifest::read(&[directory.path().to_owned()], &mut sources).unwrap();
    assert_eq!(set.workloads.len(), 1);
    assert_eq!(set.not_simulated, [("ConfigMap".to_owned(), 1), ("Kustomization".to_owned(), 1)]);
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[0].contains("is not a text file") && messages[1].contains("is not valid UTF-8 in line 1")
    );
}

#[test]
fn every_file_that_is_not_there_is_named() {
    let paths = ["no/such/file.yaml", "nor/this.yaml"].map(PathBuf::from);
    let (_, problems) = manifest::read(&paths, &mut Sources::new()).unwrap();
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "cannot read `no/such/file.yaml`: No such file or directory",
            "cannot read `nor/this.yaml`: No such file or directory"
        ]
    );
}

#[test]
fn what_cannot_be_read_at_all_is_a_failure() {
    let mut sources = Sources::new();
    let mut failure = |path: &Path| manifest::read(&[path.to_owned()], &mut sources).unwrap_err();
    let empty = directory(&[("notes.txt", b"x")]);
    assert!(matches!(failure(empty.path()), Failure::NoManifests(_)));
    let broken = directory(&[("kustomization.yaml", b"resources: [gone.yaml]\n")]);
    let failure = failure(broken.path());
    assert!(failure.is_outside_tool(), "{failure}");
    assert!(failure.to_string().contains("kustomiz"), "{failure}");
}

#[test]
fn a_dump_of_ten_megabytes_is_read() {
    let object = SOUND.split("---\n").next().unwrap();
    let pad = "x".repeat(1_100);
    let one = |index: usize| {
        let metadata = format!("name: web-{index}\n  annotations: {{pad: {pad}}}\nspec:\n  replicas");
        format!("{}---\n", object.replace("name: web\nspec:\n  replicas", &metadata))
    };
    let text: String = (0..7_000).map(one).collect();
    assert!(text.len() > 10_000_000, "{}", text.len());
    let mut sources = Sources::new();
    let (set, problems) = manifest::read_texts(vec![("dump.yaml".to_owned(), text)], &mut sources);
    assert_eq!((set.workloads.len(), problems.len()), (7_000, 0));
}

#[test]
fn nothing_in_a_file_is_said() {
    assert_eq!(problems("---\n# nothing\n---\n"), problems(""));
    assert_snapshot!(problems(""), @"error: there are no Kubernetes objects in what was given");
}

/// Every YAML and JSON file of the collection that is in the repository.
fn samples() -> Vec<String> {
    let mut texts = vec![SOUND.to_owned()];
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifests")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "INDEX.json" && name != "SOURCE.txt") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts.into_iter().filter(|text| text.len() < 20_000).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        problems(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_yaml_panics(text in "([a-z]{0,3}[:\\-\\[\\]{},&*!|>'\"#%@`~\n \t?<]{0,3}){0,60}") {
        problems(&text);
    }

    #[test]
    fn no_change_of_a_manifest_panics(
        sample in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec(
            (any::<proptest::sample::Index>(), 0_usize..12, "[ -~\n\t]{0,6}|-1|99999999999|null|\\[\\]|\\{\\}|\"\""), 1..6),
    ) {
        let samples = samples();
        let mut text: Vec<char> = sample.get(&samples).chars().collect();
        for (at, length, by) in changes {
            let start = at.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, by.chars());
        }
        problems(&text.into_iter().collect::<String>());
    }
}
