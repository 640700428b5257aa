//! The scheduler's families.

use serde_json::Value;

pub fn fit(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn num_feasible(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn other_scores(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn preemption(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn resource_scores(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn spread_filter(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn spread_score(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}
