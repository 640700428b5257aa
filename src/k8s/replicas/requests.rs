//! What a pod requests, as the HPA divides by it.
//!
//! Upstream: `calculateRequests` in
//! `pkg/controller/podautoscaler/replica_calculator.go`.

/// The requests of one pod for one resource, in thousandths of its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodRequests<'a> {
    /// Its containers in order.
    pub containers: &'a [ContainerRequest<'a>],
    /// Its init containers in order.
    pub init_containers: &'a [InitContainerRequest<'a>],
    /// The pod's own `resources.requests`, where it has any.
    pub pod_level: Option<i64>,
}

/// What one container requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerRequest<'a> {
    /// The container's name.
    pub name: &'a str,
    /// Its request in thousandths; `None` where it has none.
    pub request: Option<i64>,
}

/// What one init container requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitContainerRequest<'a> {
    /// The container and its request.
    pub container: ContainerRequest<'a>,
    /// `restartPolicy: Always`: a sidecar, which runs as long as the pod.
    pub restart_always: bool,
}

/// Why a pod has no request to divide by. One such pod fails the whole metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestProblem {
    /// A container that counts has no request for the resource.
    #[error("a container has no request for the resource")]
    ContainerWithoutRequest,
    /// The container that the metric names isn't in the pod.
    #[error("the container is not in the pod")]
    NoSuchContainer,
}

/// A pod's request: that of `container` alone where one is named; else the
/// pod's own where that counts (`pod_level_resources`) and is set; else the sum
/// over its containers and sidecars.
pub fn pod_request(
    pod: &PodRequests,
    container: Option<&str>,
    pod_level_resources: bool,
) -> Result<i64, RequestProblem> {
    let sidecars = pod.init_containers.iter().filter(|init| init.restart_always).map(|init| &init.container);
    let mut running = pod.containers.iter().chain(sidecars);
    let own = pod.pod_level.filter(|_| pod_level_resources);
    match (container, own) {
        (Some(name), _) => {
            let found = running.find(|one| one.name == name).ok_or(RequestProblem::NoSuchContainer)?;
            found.request.ok_or(RequestProblem::ContainerWithoutRequest)
        }
        (None, Some(own)) => Ok(own),
        (None, None) => running.try_fold(0_i64, |sum, one| {
            let request = one.request.ok_or(RequestProblem::ContainerWithoutRequest)?;
            Ok(sum.saturating_add(request))
        }),
    }
}
