//! Image pulls of a node: one at a time, by default.
//!
//! Upstream: `serialImagePuller` in `pkg/kubelet/images/puller.go`; `serializeImagePulls`
//! is true in `pkg/kubelet/apis/config/v1beta1/defaults.go`.

use std::collections::BTreeMap;

use crate::units::{SimDuration, SimTime};

/// An image by its number.
pub type Image = (u32, u32);

/// What a node has pulled, and what it has begun or will begin to pull.
#[derive(Clone, Debug, Default)]
pub struct Pulls {
    /// When the pull of each image ends, or ended.
    images: BTreeMap<Image, SimTime>,
    /// When all pulls that were asked for are over.
    over: SimTime,
}

impl Pulls {
    /// Whether the node has an image at that moment.
    pub fn holds(&self, image: Image, at: SimTime) -> bool {
        self.images.get(&image).is_some_and(|end| *end <= at)
    }

    /// The node has had an image from the beginning.
    pub fn insert(&mut self, image: Image) {
        self.images.insert(image, SimTime::ZERO);
    }

    /// Asks for a pull that `takes` so long if no other pull brings the image first; when
    /// it ends. It waits for all that were asked for before.
    pub fn pull(&mut self, image: Image, asked: SimTime, takes: SimDuration) -> SimTime {
        let begins = asked.max(self.over);
        if self.holds(image, begins) {
            return begins;
        }
        self.over = begins + takes;
        self.images.insert(image, self.over);
        self.over
    }

    /// The node has lost its power: what isn't pulled by then is asked for anew.
    pub fn break_off(&mut self, now: SimTime) {
        self.images.retain(|_, end| *end <= now);
        self.over = self.over.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_wait_for_each_other() {
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        let ten = SimDuration::from_secs(10);
        let mut pulls = Pulls::default();
        pulls.insert((0, 0));
        assert!(pulls.holds((0, 0), at(0)) && !pulls.holds((1, 0), at(0)));
        assert_eq!(pulls.pull((1, 0), at(1), ten), at(11));
        assert!(!pulls.holds((1, 0), at(10)) && pulls.holds((1, 0), at(11)));
        // The same image comes with that pull, another one after it.
        assert_eq!(pulls.pull((1, 0), at(5), ten), at(11));
        assert_eq!(pulls.pull((2, 0), at(6), ten), at(21));
        // Who asks for what will be there waits in the queue all the same.
        assert_eq!(pulls.pull((1, 0), at(7), ten), at(21));
        // The queue is empty again.
        assert_eq!(pulls.pull((1, 0), at(30), ten), at(30));
        assert_eq!(pulls.pull((1, 1), at(40), ten), at(50));
        pulls.break_off(at(45));
        assert!(pulls.holds((2, 0), at(45)));
        assert_eq!(pulls.pull((1, 1), at(46), ten), at(56));
    }
}
