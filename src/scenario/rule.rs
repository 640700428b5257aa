//! Rules in CEL, the Common Expression Language that Kubernetes' own admission
//! policies are written in.

use cel::{Context, Program, Value};

/// A rule of the policy: true or false of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The expression.
    pub text: String,
}

impl Rule {
    /// Whether it holds for these facts, an object whose fields are the
    /// expression's variables. What is wrong with the expression, in words,
    /// otherwise.
    pub fn holds(&self, facts: &serde_json::Value) -> Result<bool, String> {
        let program = Program::compile(&self.text).map_err(|wrong| {
            let first = wrong.errors.first();
            first.map_or_else(
                || wrong.to_string(),
                |one| format!("at its character {}: {}", one.pos.1, one.msg),
            )
        })?;
        let mut context = Context::default();
        for (name, value) in facts.as_object().into_iter().flatten() {
            let value = cel::to_value(value).map_err(|error| error.to_string())?;
            context.add_variable_from_value(name.as_str(), value);
        }
        match program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it is a {}, not true or false", other.type_of())),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_or_not_or_say_what_is_wrong() {
        let facts = serde_json::json!({"nodes": {"max": 4.0}, "workloads": {"a-b": {"p95": 0.2}}});
        for (text, expected) in [
            ("nodes.max <= 5.0", Ok(true)),
            ("nodes.max < 4", Ok(false)),
            ("workloads['a-b'].p95 * 2.0 < 0.5 && nodes.max == 4.0", Ok(true)),
            ("workloads.all(name, workloads[name].p95 < 0.1)", Ok(false)),
            ("has(nodes.min) || nodes.max > 1.0", Ok(true)),
            ("nodes.max", Err("it is a float, not true or false")),
            ("nodes.least > 1.0", Err("No such key: least")),
            ("pods > 1", Err("Undeclared reference to 'pods'")),
            ("nodes.max <=", Err("at its character 13: ")),
        ] {
            let seen = Rule { text: text.to_owned() }.holds(&facts);
            match (&seen, expected) {
                (Err(seen), Err(expected)) => assert!(seen.starts_with(expected), "{text}: {seen}"),
                _ => assert_eq!(seen, expected.map_err(str::to_owned), "{text}"),
            }
        }
    }
}
