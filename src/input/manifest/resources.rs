//! Requests and limits, with request := limit and the LimitRange's defaults.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, LimitRangeItem};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::Reading;
use super::object::Object;
use crate::input::problem::Problem;
use crate::input::rules;
use crate::k8s::quantity::{Quantity, QuantityError};
use crate::k8s::resources::Resources;

/// Amounts by the resource's name.
type Amounts = BTreeMap<String, Quantity>;

/// Requests and limits of a container, defaulted and checked.
pub(super) fn of_container(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    container: &Container,
    ranges: &[LimitRangeItem],
) -> (Resources, Resources) {
    let path = format!("{path}.resources");
    let empty = BTreeMap::new();
    let stated = container.resources.as_ref();
    let written =
        |field: Option<&'_ BTreeMap<String, Written>>| field.cloned().unwrap_or_else(|| empty.clone());
    let requests = written(stated.and_then(|stated| stated.requests.as_ref()));
    let limits = written(stated.and_then(|stated| stated.limits.as_ref()));
    let mut requests = amounts(reading, object, &format!("{path}.requests"), &requests);
    let mut limits = amounts(reading, object, &format!("{path}.limits"), &limits);
    for (name, limit) in &limits {
        requests.entry(name.clone()).or_insert(*limit);
    }
    for range in ranges {
        apply_range(range, &mut requests, &mut limits);
    }
    for (name, request) in &requests {
        let Some(limit) = limits.get(name).filter(|limit| request.nanos() > limit.nanos()) else { continue };
        let message = format!("request of {request} is above the limit of {limit}");
        let problem = Problem::error(message)
            .help("the API server refuses such pods")
            .rule(&rules::LIMIT_BELOW_REQUEST);
        reading.field(object, &format!("{path}.requests{}", step(name)), problem);
    }
    without_room(reading, object, &path, &mut requests);
    // The kubelet sets no limit where 0 is written.
    limits.retain(|_, limit| limit.nanos() > 0);
    (split(&requests), split(&limits))
}

/// Leaves out what the nodes of a simulation don't have: local disk, and devices
/// such as GPUs. A pod that asked for them would wait for ever.
fn without_room(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, requests: &mut Amounts) {
    let simulated = |name: &str| matches!(name, "cpu" | "memory");
    for name in requests.keys().filter(|name| !simulated(name)) {
        let field = |part: &str| format!("{path}.{part}{}", step(name));
        let written = [field("requests"), field("limits")];
        let at = written.iter().find(|path| object.node.locate(path).is_some());
        let local = name == "ephemeral-storage";
        let message = format!("{name} is not simulated: pods are placed without it");
        let problem = if local { Problem::note(message) } else { Problem::warning(message) };
        reading.field(object, at.map_or(path, String::as_str), problem);
    }
    requests.retain(|name, _| simulated(name));
}

/// What a LimitRange adds to what a container doesn't say. Upstream:
/// `plugin/pkg/admission/limitranger/admission.go`; the range's own defaulting
/// is in `pkg/apis/core/v1/defaults.go`.
fn apply_range(range: &LimitRangeItem, requests: &mut Amounts, limits: &mut Amounts) {
    let read = |field: &Option<BTreeMap<String, Written>>| -> Amounts {
        let all = field.iter().flatten();
        all.filter_map(|(name, written)| Some((name.clone(), written.0.parse().ok()?))).collect()
    };
    let mut default_limits = read(&range.default);
    for (name, most) in read(&range.max) {
        default_limits.entry(name).or_insert(most);
    }
    let mut default_requests = read(&range.default_request);
    for (name, amount) in default_limits.clone().into_iter().chain(read(&range.min)) {
        default_requests.entry(name).or_insert(amount);
    }
    for (name, amount) in default_limits {
        limits.entry(name).or_insert(amount);
    }
    for (name, amount) in default_requests {
        requests.entry(name).or_insert(amount);
    }
}

/// Amounts as they are written, each checked.
pub(super) fn amounts(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    written: &BTreeMap<String, Written>,
) -> Amounts {
    let mut amounts = Amounts::new();
    for (name, text) in written {
        let path = format!("{path}{}", step(name));
        if !name.contains('/')
            && !STANDARD.contains(&name.as_str())
            && !STANDARD_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        {
            unknown_resource(reading, object, &path, name);
        }
        let Some(amount) = amount(reading, object, &path, &text.0) else { continue };
        if amount.nanos() < 0 {
            reading.field(object, &path, Problem::error("must not be negative"));
            continue;
        }
        if name == "memory" && text.0.ends_with('m') {
            let number = text.0.trim_end_matches('m');
            let problem = Problem::warning(format!("`{}` is in thousandths of a byte", text.0));
            reading.field(object, &path, problem.help(format!("did you mean `{number}Mi`?")));
        }
        amounts.insert(name.clone(), amount);
    }
    amounts
}

/// Resources that containers and nodes may name without a domain.
const STANDARD: [&str; 5] = ["cpu", "memory", "ephemeral-storage", "storage", "pods"];

/// Those of which there are several; the second is told of old nodes only.
const STANDARD_PREFIXES: [&str; 2] = ["hugepages-", "attachable-volumes-"];

fn unknown_resource(reading: &mut Reading<'_>, object: &Object<'_>, path: &str, name: &str) {
    let meant = match name {
        "mem" | "ram" => Some("memory"),
        "cpus" | "CPU" => Some("cpu"),
        _ => crate::source::closest(name, STANDARD.into_iter()),
    };
    let problem = Problem::error(format!("there is no resource `{name}`"));
    let help = meant.map_or_else(
        || "standard ones are `cpu` and `memory`; all others have a domain, as `nvidia.com/gpu`".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    reading.field(object, path, problem.help(help));
}

/// A quantity, or an error with what was meant perhaps.
pub(super) fn amount(
    reading: &mut Reading<'_>,
    object: &Object<'_>,
    path: &str,
    text: &str,
) -> Option<Quantity> {
    // The API server cuts off what stands around it.
    match text.trim().parse() {
        Ok(quantity) => Some(quantity),
        Err(error) => {
            let problem = Problem::error(format!("\"{text}\" is not a quantity"));
            reading.field(object, path, problem.help(meant(text, path.ends_with("cpu"), error)));
            None
        }
    }
}

/// What somebody meant who wrote this, for CPU or for anything else.
fn meant(text: &str, cpu: bool, error: QuantityError) -> String {
    let tight: String = text.chars().filter(|one| !one.is_whitespace()).collect();
    let number = tight.trim_end_matches(|one: char| !one.is_ascii_digit() && one != '.');
    let unit = tight[number.len()..].to_lowercase();
    let suffix = match unit.as_str() {
        "mcpu" | "mcores" | "millicores" | "millicpu" => "m",
        "cpu" | "cpus" | "core" | "cores" => "",
        _ if cpu && unit.starts_with('m') => "m",
        "mb" | "mib" | "mi" => "Mi",
        "gb" | "gib" | "gi" => "Gi",
        "kb" | "kib" | "ki" => "Ki",
        "tb" | "tib" | "ti" => "Ti",
        "k" => "k",
        _ if tight == text => return error.to_string(),
        _ => &tight[number.len()..],
    };
    let fixed = format!("{number}{suffix}");
    if fixed.parse::<Quantity>().is_ok() { format!("did you mean `{fixed}`?") } else { error.to_string() }
}

/// Amounts by what the scheduler calls them.
pub(super) fn split(amounts: &Amounts) -> Resources {
    let extended = amounts.iter().filter(|(name, _)| name.contains('/'));
    Resources {
        cpu: amounts.get("cpu").map(|amount| amount.to_milli_cpu()),
        memory: amounts.get("memory").map(|amount| amount.to_bytes()),
        ephemeral_storage: amounts.get("ephemeral-storage").map(|amount| amount.to_bytes()),
        extended: extended.map(|(name, amount)| (name.clone(), amount.to_bytes().0)).collect(),
    }
}

/// A key as one step of a path.
pub(super) fn step(key: &str) -> String {
    if key.contains(['.', '/', '[']) { format!("[\"{key}\"]") } else { format!(".{key}") }
}
