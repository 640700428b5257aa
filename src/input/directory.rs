//! Who is called what: workloads, operations and external services by name.

use crate::input::findings::suggest;
use crate::input::scalar::Fault;
use crate::scenario::{Behaviour, Step, Target, short_names};

/// The names of a scenario's workloads, their operations, and the external services.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Namespace and name, in the scenario's order.
    pub workloads: Vec<(String, String)>,
    /// The operations of each.
    pub operations: Vec<Vec<String>>,
    /// The external services.
    pub externals: Vec<String>,
}

impl Directory {
    /// The workload called `name` or `namespace/name`.
    pub fn workload(&self, name: &str) -> Result<usize, Fault> {
        let (namespace, short) =
            name.split_once('/').map_or((None, name), |(namespace, short)| (Some(namespace), short));
        let matching: Vec<usize> = (0..self.workloads.len())
            .filter(|index| {
                let (of, known) = &self.workloads[*index];
                known == short && namespace.is_none_or(|namespace| namespace == of)
            })
            .collect();
        match matching.as_slice() {
            [one] => Ok(*one),
            [] => Err(Fault::new(
                format!("there is no workload `{name}`"),
                suggest(short, self.workloads.iter().map(|(_, known)| known.as_str())),
            )),
            many => {
                let full = many.iter().map(|index| self.full_name(*index));
                Err(Fault::new(
                    format!("{} workloads are called `{name}`", many.len()),
                    format!("write {}", full.collect::<Vec<_>>().join(" or ")),
                ))
            }
        }
    }

    /// The operation called `workload/operation` or `namespace/workload/operation`.
    pub fn operation(&self, name: &str) -> Result<(usize, usize), Fault> {
        let Some((workload, operation)) = name.rsplit_once('/') else {
            return Err(Fault::new(
                format!("`{name}` names no operation"),
                "write `workload/operation`, such as `web/get`",
            ));
        };
        let index = self.workload(workload)?;
        let known = &self.operations[index];
        known.iter().position(|one| one == operation).map(|found| (index, found)).ok_or_else(|| {
            Fault::new(
                format!("`{workload}` has no operation `{operation}`"),
                suggest(operation, known.iter().map(String::as_str)),
            )
        })
    }

    /// What a call goes to: an operation, or an external service by its bare name.
    pub fn target(&self, name: &str) -> Result<Target, Fault> {
        if name.contains('/') {
            return self
                .operation(name)
                .map(|(workload, operation)| Target::Operation { workload, operation });
        }
        self.externals.iter().position(|known| known == name).map(Target::External).ok_or_else(|| {
            let is_workload = self.workload(name).is_ok();
            let help = if is_workload {
                format!("`{name}` is a workload: write `{name}/operation`")
            } else {
                suggest(name, self.externals.iter().map(String::as_str))
            };
            Fault::new(format!("there is no external service `{name}`"), help)
        })
    }

    /// What the workloads are called in results, in their order.
    pub fn names(&self) -> Vec<String> {
        let all: Vec<(&str, &str)> =
            self.workloads.iter().map(|(namespace, name)| (namespace.as_str(), name.as_str())).collect();
        short_names(&all)
    }

    /// `namespace/name` of a workload.
    pub fn full_name(&self, workload: usize) -> String {
        let (namespace, name) = &self.workloads[workload];
        format!("{namespace}/{name}")
    }
}

/// Operations that call one another in a circle, the first one again at the end;
/// one circle for each way into it.
pub fn circles(behaviours: &[&Behaviour]) -> Vec<Vec<(usize, usize)>> {
    let mut state: Vec<Vec<Mark>> =
        behaviours.iter().map(|one| vec![Mark::New; one.operations.len()]).collect();
    let mut found = Vec::new();
    for workload in 0..behaviours.len() {
        for operation in 0..behaviours[workload].operations.len() {
            // A stack of its own: a long chain of calls must not overflow ours.
            let mut path: Vec<Visit> = Vec::new();
            enter((workload, operation), behaviours, &mut state, &mut path);
            while let Some((at, rest)) = path.last_mut() {
                let Some(next) = rest.pop() else {
                    state[at.0][at.1] = Mark::Done;
                    path.pop();
                    continue;
                };
                match state[next.0][next.1] {
                    Mark::New => enter(next, behaviours, &mut state, &mut path),
                    Mark::Done => {}
                    Mark::Open => {
                        let circle = path.iter().map(|(at, _)| *at).skip_while(|at| *at != next);
                        found.push(circle.chain([next]).collect());
                    }
                }
            }
        }
    }
    found
}

/// An operation that a search is in, and those it calls that are still to be seen.
type Visit = ((usize, usize), Vec<(usize, usize)>);

/// How far a search has come with an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Goes into an operation that has not been seen.
fn enter(at: (usize, usize), behaviours: &[&Behaviour], state: &mut [Vec<Mark>], path: &mut Vec<Visit>) {
    if state[at.0][at.1] == Mark::New {
        state[at.0][at.1] = Mark::Open;
        path.push((at, callees(&behaviours[at.0].operations[at.1].steps)));
    }
}

/// The operations that these steps call.
fn callees(steps: &[Step]) -> Vec<(usize, usize)> {
    let targets = steps.iter().flat_map(Step::calls).filter_map(|call| match call.target {
        Target::Operation { workload, operation } => Some((workload, operation)),
        Target::External(_) => None,
    });
    targets.collect()
}
