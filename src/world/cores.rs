//! A node's cores as data, and how far they go.

use crate::units::{MilliCpu, SimTime};
use crate::world::ids::PodId;

/// A node's cores.
#[derive(Clone, Copy, Debug)]
pub struct NodeCpu {
    /// What it has, in thousandths of a core.
    pub cores: u64,
    /// What its pods could use at this moment if it had enough.
    pub wanted: u64,
    /// What processes outside the pods use of it if they get it.
    pub stress: u64,
    /// When the cores were last shared out.
    pub shared: SimTime,
    /// The next time is on the agenda.
    pub due: bool,
    /// They were shared out for as long as nothing changes.
    pub held: bool,
}

impl NodeCpu {
    /// A node without pods.
    pub fn new(cores: MilliCpu) -> Self {
        Self { cores: cores.0, wanted: 0, stress: 0, shared: SimTime::ZERO, due: false, held: false }
    }
}

/// One pod that competes: what it could use, its weight, and which it is.
pub type Rival = (u64, u64, PodId);

/// What the pods that can't have all they want get for each unit of weight, as
/// a fraction; `None` when everybody can. Pods that want little come first, and
/// what they leave goes to the others by weight.
pub fn level(cores: u64, rivals: &mut [Rival]) -> Option<(u64, u64)> {
    if rivals.iter().map(|(wants, _, _)| wants).sum::<u64>() <= cores {
        return None;
    }
    rivals.sort_unstable_by_key(|&(wants, weight, id)| (wants * 1_000_000 / weight, id.index));
    let busy = rivals.iter().filter(|(wants, _, _)| *wants > 0);
    let (mut rest, mut weights) = (cores, busy.map(|(_, weight, _)| weight).sum::<u64>());
    for &(wants, weight, _) in rivals.iter().filter(|(wants, _, _)| *wants > 0) {
        if wants * weights > rest * weight {
            break;
        }
        rest -= wants;
        weights -= weight;
    }
    Some((rest, weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_leave_goes_to_the_others_by_weight() {
        // cores, (wants, weight) -> per weight of those who want more
        let rows: [(u64, &[(u64, u64)], Option<(u64, u64)>); 6] = [
            (4_000, &[(1_000, 512), (3_000, 512)], None),
            (4_000, &[(4_000, 1_024), (4_000, 3_072)], Some((4_000, 4_096))),
            (4_000, &[(0, 1_024), (4_000, 3_072)], None),
            // The first wants less than its part.
            (4_000, &[(500, 1_024), (4_000, 1_024), (4_000, 2_048)], Some((3_500, 3_072))),
            // The first two do, the second only because of the first.
            (3_000, &[(100, 1), (1_400, 1), (3_000, 1)], Some((1_500, 1))),
            // Whoever has no request gets next to nothing.
            (1_000, &[(1_000, 2), (1_000, 1_024)], Some((1_000, 1_026))),
        ];
        for (cores, pods, expected) in rows {
            let id = PodId { index: 0, generation: 0 };
            let mut rivals: Vec<Rival> = pods.iter().map(|&(wants, weight)| (wants, weight, id)).collect();
            assert_eq!(level(cores, &mut rivals), expected, "{cores}, {pods:?}");
        }
    }
}
