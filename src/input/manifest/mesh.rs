//! Istio's DestinationRules: how every caller reaches a Service.

use super::Reading;
use super::object::Object;
use super::set::MeshRule;
use crate::input::problem::Problem;
use crate::input::scalar::{self, Scalar};
use crate::scenario::{Balancing, Breaker, Outlier};
use crate::source::{Node, Value};
use crate::units::SimDuration;

/// What a DestinationRule says of all callers. Its subsets and ports are left alone: a
/// call doesn't say which of them it goes to.
pub(super) fn destination_rule(reading: &mut Reading<'_>, object: &Object<'_>) {
    let Some(spec) = object.node.get("spec") else { return };
    let Some(host) = spec.get("host").and_then(Node::as_str) else { return };
    // `db`, `db.shop`, `db.shop.svc.cluster.local`.
    let mut parts = host.split('.');
    let service = parts.next().unwrap_or_default().to_owned();
    let namespace = parts.next().unwrap_or(&object.namespace).to_owned();
    let Some(policy) = spec.get("trafficPolicy") else { return };
    let max_requests = policy.at("connectionPool.http.http2MaxRequests").and_then(number);
    let rule = MeshRule {
        service,
        namespace,
        balancing: balancing(reading, object, policy),
        // Zero is Istio's word for its default.
        breaker: max_requests
            .filter(|most| *most > 0)
            .map(|most| Breaker { max_requests: Some(most), ratio: None }),
        outlier: policy.get("outlierDetection").and_then(|node| outlier(reading, object, node)),
    };
    reading.set.mesh.push(rule);
}

fn balancing(reading: &mut Reading<'_>, object: &Object<'_>, policy: &Node) -> Option<Balancing> {
    let simple = policy.at("loadBalancer.simple").and_then(Node::as_str)?;
    match simple {
        "ROUND_ROBIN" => Some(Balancing::RoundRobin),
        "LEAST_REQUEST" | "LEAST_CONN" => Some(Balancing::LeastRequest),
        "RANDOM" | "PASSTHROUGH" | "UNSPECIFIED" => Some(Balancing::Random),
        other => {
            let problem = Problem::warning(format!("Istio knows no load balancer `{other}`"));
            let help = "write ROUND_ROBIN, LEAST_REQUEST, RANDOM or PASSTHROUGH";
            reading.field(object, "spec.trafficPolicy.loadBalancer.simple", problem.help(help));
            None
        }
    }
}

/// The rule for errors in a row, with Istio's defaults; `None` where it is switched off.
fn outlier(reading: &mut Reading<'_>, object: &Object<'_>, node: &Node) -> Option<Outlier> {
    let of = |key: &str| node.get(key).and_then(number);
    // Errors of a gateway are errors, too; what counts fewer of them is met first.
    let (all, gateway) =
        (of("consecutive5xxErrors").unwrap_or(5), of("consecutiveGatewayErrors").unwrap_or(0));
    let errors = [all, gateway].into_iter().filter(|errors| *errors > 0).min()?;
    let mut lasts = |key: &str, usual: u64| {
        let Some(text) = node.get(key).and_then(Node::as_str) else { return SimDuration::from_secs(usual) };
        match scalar::duration(&Scalar::from(text)) {
            Ok(found) if found > SimDuration::ZERO => found,
            _ => {
                let problem = Problem::warning(format!("`{text}` is no time; {usual}s is used"));
                let path = format!("spec.trafficPolicy.outlierDetection.{key}");
                reading.field(object, &path, problem.help("write it as `30s`"));
                SimDuration::from_secs(usual)
            }
        }
    };
    let (interval, ejection) = (lasts("interval", 10), lasts("baseEjectionTime", 30));
    let most = of("maxEjectionPercent").filter(|most| *most > 0).unwrap_or(10).min(100);
    Some(Outlier { errors, interval, ejection, most: most * 10_000 })
}

fn number(node: &Node) -> Option<u32> {
    if let Value::Int(number) = node.value { u32::try_from(number).ok() } else { None }
}
