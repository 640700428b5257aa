//! Texts into trees and trees into values: what is read, and what is said when
//! it can't be.

use insta::assert_snapshot;
use kubeplan::input::problem::{self, Problem, UnknownFields, decode};
use kubeplan::source::{Node, Sources, Value};
use serde::Deserialize;

/// The documents of a text and the rendered problems.
fn read(text: &str) -> (Vec<Node>, String) {
    let mut sources = Sources::new();
    let id = sources.add("file.yaml", text);
    let mut problems = Vec::new();
    let documents = problem::parse(&sources, id, &mut problems);
    (documents, problem::render(&problems, &sources, false))
}

#[test]
fn plain_scalars_mean_what_kubectl_takes_them_for() {
    let rows = [
        ("yes", Value::Bool(true)),
        ("off", Value::Bool(false)),
        ("y", Value::Bool(true)),
        ("0644", Value::Int(420)),
        ("012", Value::Int(10)),
        ("1_000", Value::Int(1000)),
        ("0x1F", Value::Int(31)),
        ("-7", Value::Int(-7)),
        (".5", Value::Float(0.5)),
        ("1e3", Value::Float(1000.0)),
        ("089", Value::Float(89.0)),
        ("500m", Value::String("500m".into())),
        ("1.2.3", Value::String("1.2.3".into())),
        ("2001-01-01", Value::String("2001-01-01".into())),
        ("\"yes\"", Value::String("yes".into())),
        ("!!str 5", Value::String("5".into())),
        ("~", Value::Null),
        ("", Value::Null),
        ("nan", Value::String("nan".into())),
        (".inf", Value::String(".inf".into())),
    ];
    for (text, expected) in rows {
        let (documents, problems) = read(&format!("a: {text}\n"));
        assert_eq!(problems, "");
        assert_eq!(documents[0].get("a").map(|node| &node.value), Some(&expected), "{text}");
    }
}

#[test]
fn places_are_exact_in_every_notation() {
    let text = "größe: 1\n---\n# nothing\n---\nbase: &b {cpu: 250m}\nspec:\n  list:\n  - name: x\t\n    <<: *b\n  - \"y\"\n";
    let mut sources = Sources::new();
    let id = sources.add("file.yaml", text);
    let (documents, faults) = kubeplan::source::parse(&sources, id);
    assert_eq!(faults, []);
    assert_eq!(documents.len(), 2);
    let rows = [
        ("spec", "spec"),
        ("spec.list", "list"),
        ("spec.list[0]", "name"),
        ("spec.list[0].name", "x"),
        ("spec.list[0].cpu", "250m"),
        ("spec.list[1]", "\"y\""),
    ];
    for (path, expected) in rows {
        let place = documents[1].locate(path).unwrap_or_else(|| panic!("{path} is there"));
        assert_eq!(sources.slice(&place), expected, "{path}");
    }
    assert_eq!(documents[1].locate("spec.none"), None);
    assert_eq!(sources.slice(&documents[1].nearest("spec.list[0].none.at.all")), "name");
    assert_eq!(sources.slice(&documents[0].locate("größe").unwrap()), "1");
}

#[test]
fn json_and_several_objects_in_one_file_are_read() {
    let (documents, problems) = read("{\"a\": \"\\u00e4\\n\\/\"}\n\t{\"a\":\t[1, 2]}\n[{}]");
    assert_eq!(problems, "");
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[0].get("a").and_then(Node::as_str), Some("ä\n/"));
    let (documents, problems) = read("{\"face\": \"\\ud83d\\ude00\"}");
    assert_eq!(problems, "");
    assert_eq!(documents[0].get("face").and_then(Node::as_str), Some("😀"));
}

#[test]
fn a_broken_document_does_not_stop_the_next() {
    let (documents, problems) = read("a: 1\n---\nb: [1, 2\nc: }\n---\nd: 1\nd: 2\n");
    assert_eq!(documents.len(), 2);
    assert_snapshot!(problems, @r#"
    error: not valid YAML: illegal placement of ':' indicator
     --> file.yaml:4:2
      |
    4 | c: }
      |  ^

    warning: key `d` is given twice in one mapping
     --> file.yaml:7:1
      |
    7 | d: 2
      | ^
      |
      = help: only the last one counts; remove one of them
    "#);
}

#[test]
fn bombs_are_refused_at_once() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let deep = "[".repeat(100_000);
    let chained = (0..200).fold(String::from("a0: &a0 x\n"), |text, level| {
        format!("{text}a{}: &a{} [[[[[[[[[*a{level}]]]]]]]]]\n", level + 1, level + 1)
    });
    for text in [bomb, deep, chained] {
        let (documents, problems) = read(&text);
        assert!(documents.is_empty());
        assert!(problems.contains("error: "), "{problems}");
    }
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Spec {
    replicas: u32,
    #[serde(default)]
    names: Vec<String>,
    shape: Option<Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
enum Shape {
    Steady,
    Ramp { from: f64, to: f64 },
}

/// Decodes the only document and renders what came of it.
fn decoded(text: &str, unknown: UnknownFields) -> (Option<Spec>, String) {
    let mut sources = Sources::new();
    let id = sources.add("file.yaml", text);
    let mut problems = Vec::new();
    let documents = problem::parse(&sources, id, &mut problems);
    let value = decode(&documents[0], unknown, &mut problems);
    (value, problem::render(&problems, &sources, false))
}

#[test]
fn every_field_that_does_not_fit_is_shown() {
    let text = "replicas: \"3\"\nnames: [a, 5, yes]\nshape:\n  ramp: {from: x, to: 2, form: 1}\nreplica: 4\n";
    let (value, problems) = decoded(text, UnknownFields::Refuse);
    assert!(value.is_none());
    assert_snapshot!(problems, @r#"
    error: replicas: expected a whole number, found the string "3"
     --> file.yaml:1:11
      |
    1 | replicas: "3"
      |           ^^^
      |
      = help: remove the quotes

    error: names[1]: expected a string, found the number `5`
     --> file.yaml:2:12
      |
    2 | names: [a, 5, yes]
      |            ^
      |
      = help: put the value in quotes

    error: names[2]: expected a string, found `true`
     --> file.yaml:2:15
      |
    2 | names: [a, 5, yes]
      |               ^^^
      |
      = help: put the value in quotes

    error: shape.ramp.from: expected a number, found the string "x"
     --> file.yaml:4:16
      |
    4 |   ramp: {from: x, to: 2, form: 1}
      |                ^

    error: unknown field `shape.ramp.form`
     --> file.yaml:4:26
      |
    4 |   ramp: {from: x, to: 2, form: 1}
      |                          ^^^^
      |
      = help: did you mean `from`?

    error: unknown field `replica`
     --> file.yaml:5:1
      |
    5 | replica: 4
      | ^^^^^^^
      |
      = help: did you mean `replicas`?
    "#);
}

#[test]
fn choices_and_missing_fields_are_named() {
    assert_snapshot!(decoded("replicas: 1\nshape: stedy\n", UnknownFields::Refuse).1, @r#"
    error: shape: `stedy` is not among the choices
     --> file.yaml:2:8
      |
    2 | shape: stedy
      |        ^^^^^
      |
      = help: did you mean `steady`?
    "#);
    assert_snapshot!(decoded("names: []\n", UnknownFields::Refuse).1, @r#"
    error: field `replicas` is missing
     --> file.yaml:1:1
      |
    1 | names: []
      | ^^^^^
    "#);
    let (value, problems) =
        decoded("replicas: 3.0\nshape: {ramp: {from: 1, to: 2}}\n", UnknownFields::Refuse);
    assert_eq!(problems, "");
    assert_eq!(value.map(|spec| spec.replicas), Some(3));
    let (value, problems) = decoded("replicas: 3\nextra: 1\nnames:\n", UnknownFields::Warn);
    assert_eq!(value.map(|spec| spec.names.len()), Some(0));
    assert_snapshot!(problems, @r#"
    warning: unknown field `extra`
     --> file.yaml:2:1
      |
    2 | extra: 1
      | ^^^^^ ignored
    "#);
}

#[test]
fn a_problem_without_a_place_is_a_line_with_help() {
    let problem = Problem::error("no manifests found").help("give a file or a directory");
    assert_snapshot!(problem.render(&Sources::new(), false), @r#"
    error: no manifests found
     |
     = help: give a file or a directory
    "#);
}
