//! Rules in CEL, the Common Expression Language that Kubernetes' own admission
//! policies are written in.

use std::fmt;

use cel::{Context, ExecutionError, Program, Value};

/// A rule of the policy: true or false of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The expression.
    pub text: String,
}

/// Why a rule is neither true nor false of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// It asks for a figure that isn't there, such as a quantile of no answers.
    NoFigure(String),
    /// It compares what comes of zero divided by zero. (Anything else divided by zero
    /// is infinite, as in IEEE 754, and compares like any number.)
    ZeroByZero,
    /// The expression is wrong.
    Wrong(String),
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFigure(name) => write!(f, "No such key: {name}"),
            Self::ZeroByZero => f.write_str("it divides zero by zero"),
            Self::Wrong(why) => f.write_str(why),
        }
    }
}

impl Rule {
    /// Whether it holds for these facts, an object whose fields are the
    /// expression's variables; else why it is neither true nor false.
    pub fn holds(&self, facts: &serde_json::Value) -> Result<bool, Undecided> {
        let wrong = |why: String| Undecided::Wrong(why);
        let program = Program::compile(&self.text).map_err(|all| {
            let first = all.errors.first();
            wrong(first.map_or_else(
                || all.to_string(),
                |one| format!("at its character {}: {}", one.pos.1, one.msg),
            ))
        })?;
        let mut context = Context::default();
        for (name, value) in facts.as_object().into_iter().flatten() {
            let value = cel::to_value(value).map_err(|error| wrong(error.to_string()))?;
            context.add_variable_from_value(name.as_str(), value);
        }
        match program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(wrong(format!("it is a {}, not true or false", other.type_of()))),
            Err(ExecutionError::NoSuchKey(name)) => Err(Undecided::NoFigure(name.to_string())),
            Err(error) if compares_no_number(&error) => Err(Undecided::ZeroByZero),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

/// Whether numbers were compared and one of them was none (NaN): the only reason why
/// two of them don't compare.
fn compares_no_number(error: &ExecutionError) -> bool {
    let ExecutionError::NoSuchOverload(overload) = error else { return false };
    let is_number = |name: &String| ["double", "int", "uint"].contains(&name.as_str());
    ["_<_", "_<=_", "_>_", "_>=_"].contains(&overload.function())
        && overload.argument_types().iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_or_not_or_say_what_is_wrong() {
        let facts =
            serde_json::json!({"nodes": {"max": 4.0}, "failed": 0.0, "workloads": {"a-b": {"p95": 0.2}}});
        for (text, expected) in [
            ("nodes.max <= 5.0", Ok(true)),
            ("nodes.max < 4", Ok(false)),
            ("workloads['a-b'].p95 * 2.0 < 0.5 && nodes.max == 4.0", Ok(true)),
            ("workloads.all(name, workloads[name].p95 < 0.1)", Ok(false)),
            ("has(nodes.min) || nodes.max > 1.0", Ok(true)),
            ("nodes.max", Err("it is a float, not true or false")),
            ("nodes.least > 1.0", Err("No such key: least")),
            ("failed / failed < 0.1", Err("it divides zero by zero")),
            ("failed == 0.0 || nodes.max / failed < 0.1", Ok(true)),
            ("nodes.max / failed < 0.1", Ok(false)),
            ("pods > 1", Err("Undeclared reference to 'pods'")),
            ("nodes.max <=", Err("at its character 13: ")),
        ] {
            let seen = Rule { text: text.to_owned() }.holds(&facts).map_err(|why| why.to_string());
            match (&seen, expected) {
                (Err(seen), Err(expected)) => assert!(seen.starts_with(expected), "{text}: {seen}"),
                _ => assert_eq!(seen, expected.map_err(str::to_owned), "{text}"),
            }
        }
    }
}
