//! One document that is no Kubernetes object, such as a cluster file, with nothing
//! but the changed bytes replaced.

use serde_json::Value;

use super::Fault;
use super::splice::Splicer;
use crate::change::{Edit, apply, value_of};
use crate::source::{Place, Sources, parse};

/// The text with these edits. It is read again and compared with what it should say.
pub fn document(name: &str, text: &str, edits: &[Edit]) -> Result<String, Fault> {
    let mut sources = Sources::new();
    let id = sources.add(name, text);
    let (documents, _) = parse(&sources, id);
    let [node] = documents.as_slice() else {
        return Err(Fault::new(format!("`{name}` is not one document")).help("keep it in a file of its own"));
    };
    let mut after = value_of(node);
    apply(&mut after, edits);
    let mut splicer = Splicer::new(text, &documents);
    splicer.change(None, node, &after).map_err(|awkward| {
        let place = Place { source: id, span: awkward.at..awkward.at };
        Fault::new(format!("`{name}` can't be changed here: {}", awkward.why)).at(sources.describe(&place))
    })?;
    let result = splicer.result();
    let mut again = Sources::new();
    let id = again.add(name, result.as_str());
    let (read, faults) = parse(&again, id);
    let read: Vec<Value> = read.iter().map(value_of).collect();
    if read == [after] && faults.iter().all(|fault| fault.harmless) {
        return Ok(result);
    }
    let help = "write what an anchor stands for where it is used";
    Err(Fault::new(format!("`{name}` can't be changed without changing something else")).help(help))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edit(path: &str, to: Option<Value>) -> Edit {
        Edit { path: path.to_owned(), to, because: String::new() }
    }

    #[test]
    fn a_document_keeps_its_comments_and_its_layout() {
        let text = "# Ours.\npools:\n  workers:\n    cpu: 4        # cores\n    count: 3\n    max: 5\n";
        let edits = [
            edit("pools[\"workers\"].cpu", Some(json!(2))),
            edit("pools[\"workers\"].max", None),
            edit("pools[\"workers\"].min", Some(json!(1))),
        ];
        let expected = "# Ours.\npools:\n  workers:\n    cpu: 2        # cores\n    count: 3\n    min: 1\n";
        assert_eq!(document("cluster.yaml", text, &edits).as_deref(), Ok(expected));
    }

    #[test]
    fn what_an_anchor_gives_elsewhere_is_not_changed_unseen() {
        let text = "a: &one {cpu: 4}\nb: *one\n";
        let fault = document("cluster.yaml", text, &[edit("a.cpu", Some(json!(2)))])
            .expect_err("b would change, too");
        assert!(fault.message.contains("cluster.yaml"), "{fault}");
    }
}
