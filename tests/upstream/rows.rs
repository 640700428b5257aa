//! Reading the fields of a row.
//!
//! What a row lacks or has in another form than its schema says is an error of
//! the row, told with the field's name.

use std::fmt::Debug;

use kubeplan::k8s::rollout::IntOrPercent;
use kubeplan::units::{SimDuration, SimTime};
use serde_json::Value;

/// The moment that rows call 0. Late enough that their "never" (thirty years
/// earlier) is a moment too.
pub const NOW: SimTime = SimTime::from_secs(2_000_000_000);

/// A field that must be there and not `null`.
pub fn field<'a>(row: &'a Value, key: &str) -> Result<&'a Value, String> {
    given(row, key).ok_or_else(|| format!("no field `{key}`"))
}

/// A field that may be absent or `null`.
pub fn given<'a>(row: &'a Value, key: &str) -> Option<&'a Value> {
    row.get(key).filter(|value| !value.is_null())
}

/// A whole number that must be there.
pub fn int<T: TryFrom<i64>>(row: &Value, key: &str) -> Result<T, String> {
    as_int(field(row, key)?).map_err(|problem| format!("`{key}`: {problem}"))
}

/// A whole number that may be absent or `null`.
pub fn given_int<T: TryFrom<i64>>(row: &Value, key: &str) -> Result<Option<T>, String> {
    given(row, key).map(|_| int(row, key)).transpose()
}

/// A value as a whole number.
pub fn as_int<T: TryFrom<i64>>(value: &Value) -> Result<T, String> {
    let number = value.as_i64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("{value} is not such a whole number"))
}

/// A number with decimals that must be there.
pub fn float(row: &Value, key: &str) -> Result<f64, String> {
    field(row, key)?.as_f64().ok_or_else(|| format!("`{key}` is not a number"))
}

/// A text that must be there.
pub fn text<'a>(row: &'a Value, key: &str) -> Result<&'a str, String> {
    field(row, key)?.as_str().ok_or_else(|| format!("`{key}` is not a text"))
}

/// Yes or no; absent is no.
pub fn flag(row: &Value, key: &str) -> bool {
    row[key].as_bool().unwrap_or(false)
}

/// Yes or no that must be there.
pub fn truth(row: &Value, key: &str) -> Result<bool, String> {
    field(row, key)?.as_bool().ok_or_else(|| format!("`{key}` is not yes or no"))
}

/// `3` or `"28%"`; `None` where it is absent or `null`.
pub fn int_or_percent(row: &Value, key: &str) -> Result<Option<IntOrPercent>, String> {
    let read = |value: &Value| match value.as_str() {
        Some(text) => IntOrPercent::from_percent(text),
        None => value.as_i64().map(IntOrPercent::Int),
    };
    given(row, key)
        .map(|value| read(value).ok_or_else(|| format!("`{key}` is neither a number nor percent")))
        .transpose()
}

/// The entries of a list; absent and `null` are empty.
pub fn list<'a>(row: &'a Value, key: &str) -> &'a [Value] {
    row[key].as_array().map_or(&[], Vec::as_slice)
}

/// A length of time in seconds.
pub fn seconds(row: &Value, key: &str) -> Result<SimDuration, String> {
    Ok(SimDuration::from_secs_f64(float(row, key)?))
}

/// A moment in seconds from [`NOW`].
pub fn moment(row: &Value, key: &str) -> Result<SimTime, String> {
    let nanos = (float(row, key)? * 1e9).round() as i64;
    let moment = NOW.as_nanos().checked_add_signed(nanos);
    moment.map(SimTime::from_nanos).ok_or_else(|| format!("`{key}` is out of reach"))
}

/// A moment, or `None` for one that is absent, `null` or was never set.
pub fn given_moment(row: &Value, key: &str) -> Result<Option<SimTime>, String> {
    let given = given(row, key).and_then(Value::as_f64);
    given.filter(|seconds| *seconds > -1e9).map(|_| moment(row, key)).transpose()
}

/// Fails unless the two are the same.
pub fn same<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: got {got:?}, expected {expected:?}")) }
}
