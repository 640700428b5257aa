//! Calls in progress: one frame for each attempt.

use crate::observe::Cause;
use crate::sim::random::draw;
use crate::units::SimTime;
use crate::world::ids::{FrameId, PodId};

/// One attempt of one call.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Who waits for it.
    pub caller: Caller,
    /// The call, by its number in the program.
    pub call: u32,
    /// Attempts before this one.
    pub attempt: u8,
    /// Connections tried for this attempt by the ingress.
    pub connections: u8,
    /// Where it stands.
    pub phase: Phase,
    /// Whether the answer on its way back is a failure.
    pub failed: Option<Cause>,
    /// The pod that serves it; that of its caller while it waits for a connection.
    pub pod: PodId,
    /// The next step (absolute number in the program).
    pub step: u32,
    /// Calls of the present step that aren't answered yet.
    pub outstanding: u32,
    /// Everything random about it follows from this.
    pub key: u64,
    /// How many requests it stands for.
    pub weight: u32,
    /// When this attempt was sent, by the clock of requests like all its times.
    pub sent: SimTime,
    /// When it reached the pod.
    pub arrived: SimTime,
    /// When it got a place.
    pub begun: SimTime,
}

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody any more.
    Nobody,
    /// A user.
    User(u32),
    /// A frame of another operation.
    Frame(FrameId),
    /// The kubelet: 0 startup, 1 readiness, 2 liveness.
    Probe(u8),
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In its caller's pod, waiting for a connection.
    Connecting,
    /// On its way to the pod, or with an external service.
    Travelling,
    /// In the pod, waiting for a place.
    Queued,
    /// Using CPU.
    Computing,
    /// In a wait step.
    Waiting,
    /// Waiting for calls.
    Calling,
    /// The answer is on its way back.
    Answering,
    /// Waiting before it is sent (again).
    BackingOff,
    /// Swallowed by a dead node: no answer will ever come.
    Lost,
}

impl Phase {
    /// Whether the frame holds a place in its pod.
    pub fn holds_place(self) -> bool {
        matches!(self, Self::Computing | Self::Waiting | Self::Calling)
    }
}

/// What the draw of an endpoint is for; apart from what `world::requests` draws for.
pub const ROUTE: u64 = 1 << 40;

/// Random bits that choose the endpoint of an attempt that so many `connections` were tried
/// for.
#[inline]
pub fn route(key: u64, connections: u8) -> u64 {
    draw(key, ROUTE + u64::from(connections))
}

impl Frame {
    /// Random bits that choose its endpoint.
    #[inline]
    pub fn route(&self) -> u64 {
        route(self.key, self.connections)
    }

    /// The endpoint that has just refused this attempt, if one has.
    #[inline]
    pub fn refused_by(&self) -> PodId {
        if self.connections == 0 { NO_POD } else { self.pod }
    }
}

/// Stands for a pod where there is none yet.
pub const NO_POD: PodId = PodId { index: u32::MAX, generation: 0 };
