//! The user's texts with the changed bytes replaced, row by row.

use kubeplan::change::{Added, ChangeSet};
use kubeplan::emit;
use serde_json::{Value, json};

use crate::support::{changes, edits, name, originals};

const HEAD: &str = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";

/// What becomes of an object's fields below its name.
fn patched(body: &str, wanted: &[(&str, Option<Value>)]) -> Result<String, String> {
    let head = if body.contains('\r') { HEAD.replace('\n', "\r\n") } else { HEAD.to_owned() };
    let text = format!("{head}{body}");
    let files = originals(&[("a.yaml", &text)]);
    let set = changes(vec![edits(name("v1", "A", "a"), wanted)]);
    let emission = emit::patch(&files, &set)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    match emission.files.as_slice() {
        [] => Ok(body.to_owned()),
        [one] => Ok(one.text.strip_prefix(&head).expect("the head stays").to_owned()),
        more => panic!("{more:?}"),
    }
}

#[test]
fn only_what_changes_is_touched() {
    let set = |value: Value| Some(value);
    let rows: &[(&str, &str, Option<Value>, &str)] = &[
        // Scalars keep their quotes and the comments behind them.
        ("a: 1 # one\nb: 2\n", "a", set(json!(3)), "a: 3 # one\nb: 2\n"),
        ("a: '1'   # one\n", "a", set(json!("2")), "a: '2'   # one\n"),
        ("a: \"500m\"\n", "a", set(json!("1")), "a: \"1\"\n"),
        ("a: 500m\n", "a", set(json!("1")), "a: \"1\"\n"),
        ("a: 500m\n", "a", set(json!("2Gi")), "a: 2Gi\n"),
        ("a: x\n  y\nb: 1\n", "a", set(json!("z")), "a: z\nb: 1\n"),
        ("a: 1", "a", set(json!(2)), "a: 2"),
        ("a: 1\r\nb: 2\r\n", "b", set(json!(3)), "a: 1\r\nb: 3\r\n"),
        ("a: |\n  x\n  y\n\n# c\nb: 1\n", "a", set(json!("z")), "a: z\n\n# c\nb: 1\n"),
        ("a: |\n  x\n  y\nb: 1\n", "a", set(json!("z\nw\n")), "a: |\n  z\n  w\nb: 1\n"),
        // What is nothing becomes something.
        ("a: # here\nb: 1\n", "a", set(json!(2)), "a: 2 # here\nb: 1\n"),
        ("a: # here\nb: 1\n", "a.c.d", set(json!(2)), "a: # here\n  c:\n    d: 2\nb: 1\n"),
        ("a: null # x\nb: 1\n", "a.c", set(json!(2)), "a: # x\n  c: 2\nb: 1\n"),
        ("a: {} # x\nb: 1\n", "a.c", set(json!(2)), "a: # x\n  c: 2\nb: 1\n"),
        ("a: ~\n", "a", set(json!([1, {"b": 2}])), "a:\n- 1\n- b: 2\n"),
        ("a: 1\n", "b.c", set(json!(2)), "a: 1\nb:\n  c: 2\n"),
        ("a: 1", "b", set(json!(2)), "a: 1\nb: 2"),
        (
            "a:\n    b: 1\n\n# z\nz: 1\n",
            "a.c.d",
            set(json!(2)),
            "a:\n    b: 1\n    c:\n        d: 2\n\n# z\nz: 1\n",
        ),
        ("a:\r\n  b: 1\r\nz: 1\r\n", "a.c", set(json!([2])), "a:\r\n  b: 1\r\n  c:\r\n  - 2\r\nz: 1\r\n"),
        (
            "a:\n  - 1\nb:\n  c: |+\n    x\n\nd: 1\n",
            "b.e",
            set(json!([1])),
            "a:\n  - 1\nb:\n  c: |+\n    x\n\n  e:\n    - 1\nd: 1\n",
        ),
        // Fields go with their lines.
        ("a: 1\n# b\nb: 2 # two\nc: 3\n", "b", None, "a: 1\n# b\nc: 3\n"),
        ("a:\n  b:\n    - c\n    # d\n  e: 1\n", "a.b", None, "a:\n    # d\n  e: 1\n"),
        ("a:\n  b: 1 # x\nc: 1\n", "a.b", None, "a: {}\nc: 1\n"),
        ("a: # x\n  b: 1\nc: 1\n", "a.b", None, "a: {} # x\nc: 1\n"),
        ("a:\n- b: 1\n  # about c\n  c: 2\n", "a[0].b", None, "a:\n- # about c\n  c: 2\n"),
        ("a:\n- b: 1\n", "a[0].b", None, "a:\n- {}\n"),
        ("a: 1\nb: |\n  x\n\n  y\n\nc: 3\n", "b", None, "a: 1\n\nc: 3\n"),
        ("a: 1\nb: 2", "b", None, "a: 1"),
        ("a: 1\n", "b", None, "a: 1\n"),
        // Lists of lines.
        ("a:\n- x # x\n- w\n", "a", set(json!(["x", "z"])), "a:\n- x # x\n- z\n"),
        ("a:\n- x # x\n- w\n# end\n", "a", set(json!(["x", "w", "z"])), "a:\n- x # x\n- w\n- z\n# end\n"),
        ("a:\n- x # x\n- w\n", "a", set(json!(["w"])), "a:\n- w\n"),
        ("a:\n- x # x\n- w\n", "a[1]", None, "a:\n- x # x\n"),
        ("a:\n- x\n", "a[0]", None, "a: []\n"),
        (
            "a:\n  - name: x\n    v: 1\n\n  - name: v # v\n    v: 2\n",
            "a",
            set(json!([{"name": "v", "v": 3}])),
            "a:\n\n  - name: v # v\n    v: 3\n",
        ),
        (
            "a:\n  - name: x\n",
            "a",
            set(json!([{"name": "w", "v": {"b": 1}}, {"name": "x"}])),
            "a:\n  - name: w\n    v:\n      b: 1\n  - name: x\n",
        ),
        ("a:\n-\n  b: 1\n- c\n", "a", set(json!([{"b": 2}, {"d": [1]}])), "a:\n-\n  b: 2\n- d:\n  - 1\n"),
        ("a:\n- - 1\n  - 2\n- 3\n", "a[0][1]", set(json!(4)), "a:\n- - 1\n  - 4\n- 3\n"),
        ("a:\n- 1 # one\n- 2\n", "a[0]", set(json!({"b": 1, "c": 2})), "a:\n- b: 1 # one\n  c: 2\n- 2\n"),
        // Brackets.
        ("a: {b: 1, c: 2} # x\n", "a.b", set(json!("x: y")), "a: {b: \"x: y\", c: 2} # x\n"),
        ("a: {b: 1, c: 2} # x\n", "a.d.e", set(json!([1, "m"])), "a: {b: 1, c: 2, d: {e: [1, m]}} # x\n"),
        ("a: {b: 1, c: 2}\n", "a.b", None, "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", "a.c", None, "a: {b: 1}\n"),
        ("a: {b: 1}\n", "a.b", None, "a: {}\n"),
        (
            "a: {\"b\":1,\"c\":[ 1,2 ]}\n",
            "a",
            set(json!({"b": 1, "c": [1], "d": "x"})),
            "a: {\"b\":1,\"c\":[ 1 ],\"d\":\"x\"}\n",
        ),
        ("a: [1, 2, 3]\n", "a[1]", None, "a: [1, 3]\n"),
        ("a: {b: , c}\n", "a.c", set(json!(1)), "a: {b: , c: 1}\n"),
        (
            "a: {\n  b: 1,\n  c: 2, # two\n}\n",
            "a.d",
            set(json!(3)),
            "a: {\n  b: 1,\n  c: 2,\n  d: 3, # two\n}\n",
        ),
        // Anchors: the user of one is written out, or overrides what it merges.
        (
            "a: &x\n  c: m\nb: *x # b\nd: [*x]\n",
            "a.c",
            set(json!(2)),
            "a: &x\n  c: 2\nb: {c: m} # b\nd: [{c: m}]\n",
        ),
        ("a: &x {c: 1}\nb: *x\n", "b.c", set(json!(2)), "a: &x {c: 1}\nb:\n  c: 2\n"),
        (
            "a: &x\n  c: 1\nb:\n  <<: *x\n  d: 2\n",
            "b.c",
            set(json!(3)),
            "a: &x\n  c: 1\nb:\n  <<: *x\n  d: 2\n  c: 3\n",
        ),
        ("a: &x 1\nb: *x # b\n", "b", set(json!(2)), "a: &x 1\nb: 2 # b\n"),
        // Odd forms.
        ("? a\n: b\nc: 1\n", "c", set(json!(2)), "? a\n: b\nc: 2\n"),
        ("\"a b\" : 1\n", "[\"a b\"]", set(json!(2)), "\"a b\" : 2\n"),
        ("a: 1\na: 2\n", "a", set(json!(3)), "a: 1\na: 3\n"),
        ("a: !!str 1\n", "a", set(json!("2")), "a: !!str \"2\"\n"),
    ];
    for (before, path, to, after) in rows {
        assert_eq!(patched(before, &[(path, to.clone())]).as_deref(), Ok(*after), "{path} of\n{before}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    for newline in ["\n", "\r\n"] {
        let text = |body: &str| format!("\u{feff}{HEAD}{body}").replace('\n', newline);
        let files = originals(&[("a.yaml", &text("a: 1\nb: {c: 2}\n"))]);
        let wanted = [("a", Some(json!(3))), ("b", None), ("d.e", Some(json!("x")))];
        let set = changes(vec![edits(name("v1", "A", "a"), &wanted)]);
        let emission = emit::patch(&files, &set).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(emission.files[0].text, text("a: 3\nd:\n  e: x\n"));
    }
}

#[test]
fn several_edits_of_one_object() {
    let body = "spec:\n  replicas: 2 # two\n  template:\n    spec:\n      containers:\n      - image: x\n        name: a\n      - name: b\n";
    let wanted = [
        ("spec.replicas", None),
        ("spec.template.spec.containers[0].resources.requests.cpu", Some(json!("500m"))),
        ("spec.template.spec.containers[0].resources.requests.memory", Some(json!("1Gi"))),
        ("spec.template.spec.containers[1].resources.limits", Some(json!({"memory": "1Gi"}))),
        ("spec.template.spec.terminationGracePeriodSeconds", Some(json!(45))),
    ];
    insta::assert_snapshot!(patched(body, &wanted).unwrap(), @r"
    spec:
      template:
        spec:
          containers:
          - image: x
            name: a
            resources:
              requests:
                cpu: 500m
                memory: 1Gi
          - name: b
            resources:
              limits:
                memory: 1Gi
          terminationGracePeriodSeconds: 45
    ");
}

#[test]
fn what_can_not_be_patched_is_refused_with_its_place() {
    let rows: &[(&str, &str, Option<Value>, &str)] = &[
        (
            "a: &x\n  c: 1\nb:\n  <<: *x\n",
            "a.c",
            Some(json!(2)),
            "a.yaml:7:3: a change of A default/a would also change what a.yaml:7:3 repeats of it by an alias; write the values out there instead of the alias",
        ),
        (
            "a: 1\n",
            "a.b",
            Some(json!(2)),
            "a.yaml:4:4: `a.b` of A default/a leads through something that is no mapping",
        ),
        ("a: [1]\n", "a[1]", None, "a.yaml:4:1: `a[1]` of A default/a leads beyond the end of a list"),
        ("a: 1\nb: {\n", "a", Some(json!(2)), "A default/a is in none of the files"),
    ];
    for (before, path, to, message) in rows {
        assert_eq!(patched(before, &[(path, to.clone())]), Err((*message).to_owned()), "{before}");
    }
}

#[test]
fn files_of_several_documents_lists_and_json() {
    let multi = "# first\n---\napiVersion: v1\nkind: A\nmetadata:\n  name: a\n---\napiVersion: v1\nkind: B\nmetadata:\n  name: b\nx: 1\n...\n---\nkind: Other\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: C\n  metadata: {name: c}\n  x: 1 # c\n";
    let json = "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"D\",\n  \"metadata\": {\n    \"name\": \"d\"\n  },\n  \"x\": {}\n}";
    let files = originals(&[("k/multi.yaml", multi), ("k/list.yaml", list), ("k/d.json", json)]);
    let object = |kind: &str, it: &str| name("v1", kind, it);
    let set = ChangeSet {
        edited: vec![
            edits(object("A", "a"), &[("spec.replicas", Some(json!(2)))]),
            edits(
                object("B", "b"),
                &[("x", Some(json!(2))), ("metadata.labels", Some(json!({"on": "yes"})))],
            ),
            edits(object("C", "c"), &[("x", None), ("metadata.namespace", Some(json!("n")))]),
            edits(
                object("D", "d"),
                &[("x.y", Some(json!({"z": [1, "2"]}))), ("metadata.labels.a", Some(json!("b")))],
            ),
        ],
        added: vec![Added {
            object: json!({"apiVersion": "v1", "kind": "E", "metadata": {"name": "e"}}),
            because: "there was none".to_owned(),
        }],
    };
    let emission = emit::patch(&files, &set).unwrap();
    let shown: Vec<String> =
        emission.files.iter().map(|file| format!("== {}\n{}", file.path, file.text)).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    == k/multi.yaml
    # first
    ---
    apiVersion: v1
    kind: A
    metadata:
      name: a
    spec:
      replicas: 2
    ---
    apiVersion: v1
    kind: B
    metadata:
      name: b
      labels:
        "on": "yes"
    x: 2
    ...
    ---
    kind: Other

    == k/list.yaml
    apiVersion: v1
    kind: List
    items:
    - apiVersion: v1
      kind: C
      metadata: {name: c, namespace: "n"}

    == k/d.json
    {
      "apiVersion": "v1",
      "kind": "D",
      "metadata": {
        "name": "d",
        "labels": {
          "a": "b"
        }
      },
      "x": {
        "y": {
          "z": [
            1,
            "2"
          ]
        }
      }
    }
    == k/plan-additions.yaml
    # there was none
    apiVersion: v1
    kind: E
    metadata:
      name: e
    "#);
}

#[test]
fn secrets_stay_as_they_are() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: hunter2}\n";
    let files = originals(&[("a.yaml", text)]);
    let set = changes(vec![edits(name("v1", "Secret", "a"), &[("immutable", Some(json!(true)))])]);
    let faults = emit::patch(&files, &set).unwrap_err();
    assert_eq!(faults[0].to_string(), "a.yaml:1:1: Secret default/a is a Secret, and no Secret is changed");
    let plain = emit::plain(&files, &set).unwrap();
    let overlay = emit::kustomize(&files, &set, &emit::Base::default()).unwrap();
    for emission in [plain, overlay] {
        assert_eq!(emission.left_out.len(), 1);
        assert!(!format!("{emission:?}").contains("hunter2"));
    }
}
