//! Connections between pods as they stand: whose they are, where they lead, and who
//! waits for one. What happens with them is told in `world::connections`.

use std::collections::VecDeque;

use crate::units::SimTime;
use crate::world::ids::{FrameId, PodId};

/// Stands for a connection where there is none.
pub const NONE: u32 = u32::MAX;
/// All connections that are kept.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// By a pod's place in its arena.
    pub owners: Vec<Owner>,
    /// Connections; those in `closed` are none.
    pub all: Vec<Connection>,
    /// Places to be used again.
    pub closed: Vec<u32>,
    /// By a frame's place in its arena: the connection that it goes over.
    pub held: Vec<u32>,
}

/// The pools of one pod.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    /// Which tenant of the place they belong to.
    pub generation: u32,
    /// In the order of its workload's pools; empty before the first connection.
    pub pools: Vec<Kept>,
}

/// One pod's connections to one workload.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Connections that count against the pool's size.
    pub count: u32,
    /// Those that take another call, the latest used last.
    pub free: Vec<u32>,
    /// Who waits for one, in order; also some who have given up since.
    pub waiting: VecDeque<FrameId>,
    /// How many still wait.
    pub live: u32,
    /// A look at idle ones is on the agenda.
    pub look_due: bool,
}

impl Kept {
    /// A connection takes no further call for now. It mostly is the one used last.
    pub fn no_longer_free(&mut self, at: u32) {
        if self.free.last() == Some(&at) {
            self.free.pop();
        } else {
            self.free.retain(|other| *other != at);
        }
    }
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The pod that opened it; `None` once that one has let go of it.
    pub owner: Option<PodId>,
    /// Its pool's number.
    pub pool: u32,
    /// Where it leads; nowhere once it is closed.
    pub to: Option<PodId>,
    /// Which run of the container there took it; `None` before one has.
    pub run: Option<u32>,
    /// Calls on it.
    pub in_use: u32,
    /// Calls so far.
    pub uses: u32,
    /// It takes no further call from then on.
    pub expires: SimTime,
    /// When its last call ended.
    pub idle_since: SimTime,
    /// It ends with its calls.
    pub ending: bool,
    /// It counts against the pool's size.
    pub counted: bool,
}
