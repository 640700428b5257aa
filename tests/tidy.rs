//! The house rules that a machine can keep: direction of imports, no circles,
//! short functions, a first line that says what a module is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground floor up. A room imports only from lower floors;
/// rooms on one line don't know each other.
const FLOORS: &[&[&str]] = &[
    &["units"],
    &["sim", "k8s", "source", "service"],
    &["scenario", "observe", "change"],
    &["world", "input", "judge", "emit"],
    &["run", "operations", "init"],
    &["capacity", "compare", "tune"],
    &["promised", "robust"],
    &["output"],
    &["cli"],
    &["main"],
];

const LONGEST_FUNCTION: usize = 70;

/// A source file of the library or the binary.
struct File {
    path: PathBuf,
    text: String,
    /// The path as a module: `world::requests`.
    module: String,
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let inside = path.strip_prefix(&root).expect("it was found there").with_extension("");
                let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                let module = parts.join("::").trim_end_matches("::mod").to_owned();
                found.push(File { path, text, module });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "only {} files were found", found.len());
    found
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Code without its unit tests, which may look anywhere.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Every `crate::a::b…` that a file names outside comments, braces resolved one
/// level deep.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: Vec<&str> = product(text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join(" ");
    for name in ["crate::", "kubeplan::"] {
        for (at, _) in code.match_indices(name) {
            let rest = &code[at + name.len()..];
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            let path = rest[..end].trim_end_matches(':');
            if rest[end..].starts_with('{') {
                let inner = rest[end + 1..].split('}').next().unwrap_or_default();
                for part in inner.split(',') {
                    let part = part.trim().split([' ', '{', ':']).next().unwrap_or_default();
                    let part = if part == "self" { "" } else { part };
                    found.insert(
                        [path, part].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join("::"),
                    );
                }
            } else {
                found.insert(path.to_owned());
            }
        }
    }
    found
}

/// The module that an imported path lies in: its longest prefix that is a file.
fn module_of(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut prefix = path;
    loop {
        if modules.contains(prefix) {
            return Some(prefix.to_owned());
        }
        prefix = prefix.rsplit_once("::")?.0;
    }
}

#[test]
fn arrows_run_down() {
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| file.module != "lib") {
        let own = room(&file.module);
        let Some(height) = floor(own) else {
            wrong.push(format!("{}: `{own}` has no floor in tests/tidy.rs", file.path.display()));
            continue;
        };
        for import in imports(&file.text) {
            let other = room(&import);
            if other != own && floor(other).is_some_and(|lower| lower >= height) {
                wrong.push(format!("{}: {own} must not use {other} ({import})", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_two_modules_need_each_other() {
    let files = files();
    let modules: BTreeSet<String> = files.iter().map(|file| file.module.clone()).collect();
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &files {
        let targets = imports(&file.text).into_iter().filter_map(|path| module_of(&path, &modules));
        // A folder's own file may re-export its parts, and they may use its words.
        let related = |other: &String| {
            other.starts_with(&format!("{}::", file.module)) || file.module.starts_with(&format!("{other}::"))
        };
        let targets = targets.filter(|other| *other != file.module && !related(other)).collect();
        needs.insert(file.module.clone(), targets);
    }
    if let Some(circle) = circle(&needs) {
        panic!("these modules need each other: {}", circle.join(" -> "));
    }
}

/// A circle in the graph, if there is one.
fn circle(needs: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    for start in needs.keys() {
        let mut way = Vec::new();
        if let Some(found) = walk(start, needs, &mut way, &mut done) {
            return Some(found);
        }
    }
    None
}

fn walk(
    at: &str,
    needs: &BTreeMap<String, BTreeSet<String>>,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(place) = way.iter().position(|one| one == at) {
        let mut found = way[place..].to_vec();
        found.push(at.to_owned());
        return Some(found);
    }
    if done.contains(at) {
        return None;
    }
    way.push(at.to_owned());
    for next in needs.get(at).into_iter().flatten() {
        if let Some(found) = walk(next, needs, way, done) {
            return Some(found);
        }
    }
    way.pop();
    done.insert(at.to_owned());
    None
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    for file in files() {
        for (line, length, name) in functions(&file.text) {
            if length > LONGEST_FUNCTION {
                wrong.push(format!("{}:{line}: `{name}` has {length} lines", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "functions beyond {LONGEST_FUNCTION} lines:\n{}", wrong.join("\n"));
}

/// How many lines of a function that does nothing but `match` are cases of one line each:
/// a list of all there is has to be as long as that.
fn listed(function: &[&str]) -> usize {
    let is_match = function.get(1).is_some_and(|line| line.trim_start().starts_with("match "));
    let is_case = |line: &&&str| {
        let line = line.trim();
        line.starts_with("| ") || (line.contains(" => ") && line.ends_with(','))
    };
    if is_match { function.iter().filter(is_case).count() } else { 0 }
}

/// Line, length and name of every function: from `fn` to the brace that closes
/// it, by indentation, which rustfmt guarantees.
fn functions(text: &str) -> Vec<(usize, usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let starts = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "const fn ", "pub const fn "];
        if !starts.iter().any(|start| code.starts_with(start)) {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let close = format!("{indent}}}");
        let name =
            code.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
        if let Some(length) = lines[at..].iter().position(|line| *line == close) {
            found.push((at + 1, length + 1 - listed(&lines[at..at + length]), name.to_owned()));
        }
    }
    found
}

#[test]
fn modules_say_what_they_are_for() {
    let missing: Vec<_> =
        files().iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path.clone()).collect();
    assert!(missing.is_empty(), "no first line of documentation: {missing:?}");
}

#[test]
fn nothing_unfinished_is_left() {
    let mut wrong = Vec::new();
    for file in files() {
        for (at, line) in file.text.lines().enumerate() {
            for word in ["TODO", "FIXME", "XXX", "dbg!(", "todo!(", "unimplemented!("] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: {word}", file.path.display(), at + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_checks_can_fail() {
    let needs = |pairs: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&needs(&[("a", "b"), ("b", "c")])), None);
    assert!(circle(&needs(&[("a", "b"), ("b", "c"), ("c", "a")])).is_some());
    let found = imports("use crate::world::{state::State, ids};\nfn f() { crate::k8s::hpa::recommend(); }");
    let expected = ["k8s::hpa::recommend", "world::ids", "world::state"];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    let long = format!("fn f() {{\n{}}}\n", "    x();\n".repeat(80));
    assert_eq!(functions(&long), [(1, 82, "f".to_owned())]);
    let list = format!("fn f() {{\n    match x {{\n{}    }}\n}}\n", "        A => a(),\n".repeat(80));
    assert_eq!(functions(&list), [(1, 4, "f".to_owned())]);
}
