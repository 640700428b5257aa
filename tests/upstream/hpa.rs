//! The HPA families.

use serde_json::Value;

pub fn behavior_defaults(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn behavior_rate(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn clamp_no_behavior(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn group_pods(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn pod_requests(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn policy_limit(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn reconcile(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn replica_calculator(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn scale_event_log(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn stabilize_behavior(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn stabilize_no_behavior(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}

pub fn utilization(_case: &Value) -> Result<(), String> {
    Err("not run yet".to_owned())
}
