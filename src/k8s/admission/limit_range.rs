//! LimitRange: defaults for what containers leave out, and bounds.
//!
//! Upstream: `plugin/pkg/admission/limitranger/admission.go`,
//! `pkg/apis/core/v1/defaults.go`, `pkg/apis/core/validation/validation.go`.

use std::collections::BTreeMap;
use std::fmt;

use super::{fill, given, named, set};
use crate::k8s::placement::ResourceName;
use crate::k8s::resources::Resources;

/// A container's requests and limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name, for messages.
    pub name: String,
    /// What it requests.
    pub requests: Resources,
    /// What it is limited to.
    pub limits: Resources,
    /// When it runs.
    pub role: Role,
}

/// When a container of a pod runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Beside the others.
    #[default]
    Main,
    /// An init container: before the others, until it ends.
    Init,
    /// An init container that goes on running (`restartPolicy: Always`).
    Sidecar,
}

/// What an item of a LimitRange is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// Each container.
    Container,
    /// The pod's sums.
    Pod,
}

/// One item of a LimitRange.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitItem {
    /// What it is about.
    pub scope: LimitScope,
    /// The least request and limit.
    pub min: Resources,
    /// The most.
    pub max: Resources,
    /// The limit of a container that has none.
    pub default_limit: Resources,
    /// The request of a container that has none.
    pub default_request: Resources,
    /// How many times its request a limit may be.
    pub max_ratio: BTreeMap<ResourceName, f64>,
}

/// Why a pod is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitProblem {
    /// The container; `None` for the pod's sums.
    pub container: Option<String>,
    /// Which resource.
    pub resource: ResourceName,
    /// What is wrong.
    pub why: LimitBreach,
}

/// What is wrong with a resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitBreach {
    /// A least is set and there is no request.
    NoRequest,
    /// A most is set and there is no limit.
    NoLimit,
    /// The request is below the least.
    RequestBelowMin,
    /// The limit is below the least.
    LimitBelowMin,
    /// The request is above the most.
    RequestAboveMax,
    /// The limit is above the most.
    LimitAboveMax,
    /// The limit is too many times the request, or one of them is missing.
    Ratio,
    /// The request is above the limit.
    RequestAboveLimit,
}

impl LimitItem {
    /// An item without bounds.
    pub fn of(scope: LimitScope) -> Self {
        Self {
            scope,
            min: Resources::default(),
            max: Resources::default(),
            default_limit: Resources::default(),
            default_request: Resources::default(),
            max_ratio: BTreeMap::new(),
        }
    }

    /// Fills in the item's own defaults, as the API does for containers: the
    /// default limit is the most, the default request is the default limit or,
    /// failing that, the least.
    pub fn with_defaults(mut self) -> Self {
        if self.scope == LimitScope::Container {
            fill(&mut self.default_limit, &self.max);
            fill(&mut self.default_request, &self.default_limit);
            fill(&mut self.default_request, &self.min);
        }
        self
    }
}

/// API defaulting: a container that names only a limit requests as much.
pub fn default_requests(container: &mut Container) {
    fill(&mut container.requests, &container.limits);
}

/// Applies the items (their own defaults filled in) to a pod after API
/// defaulting: fills in what its containers leave out, then checks everything.
pub fn apply_limits(containers: &mut [Container], items: &[LimitItem]) -> Result<(), Vec<LimitProblem>> {
    for item in items.iter().filter(|item| item.scope == LimitScope::Container) {
        for one in containers.iter_mut() {
            fill(&mut one.limits, &item.default_limit);
            fill(&mut one.requests, &item.default_request);
        }
    }
    let mut problems = Vec::new();
    for item in items {
        match item.scope {
            LimitScope::Container => {
                for one in containers.iter() {
                    check(item, Some(&one.name), &one.requests, &one.limits, &mut problems);
                }
            }
            LimitScope::Pod => {
                let requests = pod_sum(containers, |one| &one.requests);
                let limits = pod_sum(containers, |one| &one.limits);
                check(item, None, &requests, &limits, &mut problems);
            }
        }
    }
    for one in containers.iter() {
        for (resource, limit) in named(&one.limits) {
            if given(&one.requests, &resource).is_some_and(|request| request > limit) {
                let why = LimitBreach::RequestAboveLimit;
                problems.push(LimitProblem { container: Some(one.name.clone()), resource, why });
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The sum over the containers that run together, or the largest step of starting
/// (an init container and the sidecars before it) where that is more.
pub(super) fn pod_sum(containers: &[Container], of: impl Fn(&Container) -> &Resources) -> Resources {
    let (mut running, mut sidecars, mut steps) = Default::default();
    let sum = |to: &mut Resources, more: &Resources| {
        for (name, amount) in named(more) {
            let before = given(to, &name).unwrap_or(0);
            set(to, &name, before.saturating_add(amount));
        }
    };
    let raise = |to: &mut Resources, other: &Resources| {
        for (name, amount) in named(other) {
            let before = given(to, &name).unwrap_or(0);
            set(to, &name, before.max(amount));
        }
    };
    for one in containers {
        match one.role {
            Role::Main => sum(&mut running, of(one)),
            Role::Sidecar => {
                sum(&mut running, of(one));
                sum(&mut sidecars, of(one));
            }
            Role::Init => {
                let mut step = sidecars.clone();
                sum(&mut step, of(one));
                raise(&mut steps, &step);
            }
        }
    }
    raise(&mut running, &steps);
    running
}

fn check(
    item: &LimitItem,
    container: Option<&String>,
    requests: &Resources,
    limits: &Resources,
    problems: &mut Vec<LimitProblem>,
) {
    let mut note = |resource: &ResourceName, why: Option<LimitBreach>| {
        if let Some(why) = why {
            problems.push(LimitProblem { container: container.cloned(), resource: resource.clone(), why });
        }
    };
    for (name, least) in named(&item.min) {
        let (request, limit) = (given(requests, &name), given(limits, &name));
        note(&name, below(request, limit, least));
    }
    for (name, most) in named(&item.max) {
        let (request, limit) = (given(requests, &name), given(limits, &name));
        note(&name, above(request, limit, most));
    }
    for (name, most) in &item.max_ratio {
        let (request, limit) = (given(requests, name), given(limits, name));
        let within = match (request, limit) {
            (Some(request), Some(limit)) if request > 0 && limit > 0 => {
                limit as f64 / request as f64 <= *most
            }
            _ => false,
        };
        note(name, (!within).then_some(LimitBreach::Ratio));
    }
}

fn below(request: Option<u64>, limit: Option<u64>, least: u64) -> Option<LimitBreach> {
    match request {
        None => Some(LimitBreach::NoRequest),
        Some(request) if request < least => Some(LimitBreach::RequestBelowMin),
        Some(_) => limit.filter(|limit| *limit < least).map(|_| LimitBreach::LimitBelowMin),
    }
}

fn above(request: Option<u64>, limit: Option<u64>, most: u64) -> Option<LimitBreach> {
    match limit {
        None => Some(LimitBreach::NoLimit),
        Some(limit) if limit > most => Some(LimitBreach::LimitAboveMax),
        Some(_) => request.filter(|request| *request > most).map(|_| LimitBreach::RequestAboveMax),
    }
}

impl fmt::Display for LimitBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRequest => "a minimum is set, but no request",
            Self::NoLimit => "a maximum is set, but no limit",
            Self::RequestBelowMin => "the request is below the minimum",
            Self::LimitBelowMin => "the limit is below the minimum",
            Self::RequestAboveMax => "the request is above the maximum",
            Self::LimitAboveMax => "the limit is above the maximum",
            Self::Ratio => "the limit is too many times the request",
            Self::RequestAboveLimit => "the request is above the limit",
        })
    }
}

impl fmt::Display for LimitProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.container {
            Some(name) => write!(f, "{} of container {name}: {}", self.resource, self.why),
            None => write!(f, "{} of the pod: {}", self.resource, self.why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MilliCpu;

    fn cpu(amount: Option<u64>) -> Resources {
        Resources { cpu: amount.map(MilliCpu), ..Resources::default() }
    }

    /// CPU only: min, max, default limit, default request.
    fn item(scope: LimitScope, [min, max, limit, request]: [Option<u64>; 4]) -> LimitItem {
        LimitItem {
            min: cpu(min),
            max: cpu(max),
            default_limit: cpu(limit),
            default_request: cpu(request),
            ..LimitItem::of(scope)
        }
        .with_defaults()
    }

    #[test]
    fn defaults_come_in_upstreams_order() {
        use LimitBreach::{LimitAboveMax, RequestAboveLimit, RequestBelowMin};
        let n = None;
        // The item, the container's request and limit, and what comes of them.
        let rows = [
            ([n, n, Some(200), Some(100)], (n, n), Ok((Some(100), Some(200)))),
            // A limit alone is copied to the request before the range is asked.
            ([n, n, Some(200), Some(100)], (n, Some(400)), Ok((Some(400), Some(400)))),
            // The trap: a request above the default limit.
            ([n, n, Some(200), n], (Some(500), n), Err(RequestAboveLimit)),
            ([n, Some(300), n, n], (n, n), Ok((Some(300), Some(300)))),
            ([Some(50), n, n, n], (n, n), Ok((Some(50), n))),
            ([Some(50), n, n, n], (Some(20), n), Err(RequestBelowMin)),
            ([n, Some(300), n, n], (Some(100), Some(400)), Err(LimitAboveMax)),
        ];
        for (bounds, (request, limit), expected) in rows {
            let mut one = Container { requests: cpu(request), limits: cpu(limit), ..Container::default() };
            default_requests(&mut one);
            let mut pod = [one];
            let found = apply_limits(&mut pod, &[item(LimitScope::Container, bounds)]);
            let seen = match found {
                Ok(()) => Ok((
                    given(&pod[0].requests, &ResourceName::Cpu),
                    given(&pod[0].limits, &ResourceName::Cpu),
                )),
                Err(problems) => Err(problems[0].why),
            };
            assert_eq!(seen, expected, "{bounds:?} {request:?} {limit:?}");
        }
    }

    #[test]
    fn pods_are_checked_by_their_sums_and_ratios_by_division() {
        let container = |request, role| Container {
            requests: cpu(Some(request)),
            limits: cpu(Some(request * 3)),
            role,
            ..Container::default()
        };
        let mut pod = [container(100, Role::Main), container(200, Role::Main), container(250, Role::Init)];
        for (most, fine) in [(900, true), (899, false)] {
            let limit = item(LimitScope::Pod, [None, Some(most), None, None]);
            assert_eq!(apply_limits(&mut pod, &[limit]).is_ok(), fine, "{most}");
        }
        for (ratio, fine) in [(3.0, true), (2.9, false)] {
            let max_ratio = BTreeMap::from([(ResourceName::Cpu, ratio)]);
            let limit = LimitItem { max_ratio, ..LimitItem::of(LimitScope::Container) };
            assert_eq!(apply_limits(&mut pod, &[limit]).is_ok(), fine, "{ratio}");
        }
    }
}
