//! Values of models on one line.

use serde_json::Value;

/// A value in flow style: `{low: 1ms, mid: 2ms}`.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let all: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", text(key), flow(value))).collect();
            format!("{{{}}}", all.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(one) => text(one),
        other => other.to_string(),
    }
}

/// A text, quoted where a reader could take it for anything else.
pub(super) fn text(one: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./% ".contains(c);
    let starts = one.starts_with(|c: char| c.is_ascii_alphanumeric());
    let number = one.parse::<f64>().is_ok() || one.starts_with("0x") || one.starts_with("0o");
    let word = matches!(
        one.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    let same = one.trim() == one && one.chars().all(plain) && starts;
    if same && !number && !word { one.to_owned() } else { Value::from(one).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let value = json!({
            "low": "1ms", "mid": 0.7, "high": "62M", "source": "a: b, \"c\"", "on": "no", "n": "12",
            "list": [1, "0.5", "x y", true, null, " z", "1e3", "99.9%"],
        });
        let text = format!("a: {}\n", flow(&value));
        let back: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(back["a"], value, "{text}");
    }
}
