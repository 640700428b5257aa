//! Names for things that come and go: an index and a generation, so that a name
//! outlives its thing without ever meaning another.

/// A call in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameId {
    /// Place in the arena.
    pub index: u32,
    /// Which tenant of the place.
    pub generation: u32,
}

/// A pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId {
    /// Place in the arena.
    pub index: u32,
    /// Which tenant of the place.
    pub generation: u32,
}

/// Places for things that come and go.
#[derive(Clone, Debug)]
pub struct Arena<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
    len: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Arena<T> {
    /// Puts a thing in; its index and generation.
    #[inline]
    pub fn insert(&mut self, thing: T) -> (u32, u32) {
        self.len += 1;
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.1 = Some(thing);
            return (index, slot.0);
        }
        self.slots.push((0, Some(thing)));
        (u32::try_from(self.slots.len() - 1).expect("limits keep the arena small"), 0)
    }

    /// The thing, if it is still there.
    #[inline]
    pub fn get(&self, index: u32, generation: u32) -> Option<&T> {
        let slot = self.slots.get(index as usize)?;
        if slot.0 == generation { slot.1.as_ref() } else { None }
    }

    /// The thing, if it is still there.
    #[inline]
    pub fn get_mut(&mut self, index: u32, generation: u32) -> Option<&mut T> {
        let slot = self.slots.get_mut(index as usize)?;
        if slot.0 == generation { slot.1.as_mut() } else { None }
    }

    /// Whatever is at an index now, with its generation. For callers that know
    /// that the thing they mean is still there.
    #[inline]
    pub fn at_mut(&mut self, index: u32) -> Option<(u32, &mut T)> {
        let slot = self.slots.get_mut(index as usize)?;
        Some((slot.0, slot.1.as_mut()?))
    }

    /// Takes a thing out; its name means nothing from now on.
    #[inline]
    pub fn remove(&mut self, index: u32, generation: u32) -> Option<T> {
        let slot = self.slots.get_mut(index as usize)?;
        if slot.0 != generation {
            return None;
        }
        let thing = slot.1.take()?;
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(index);
        self.len -= 1;
        Some(thing)
    }

    /// The same without looking at the thing.
    #[inline]
    pub fn free(&mut self, index: u32, generation: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize)
            && slot.0 == generation
            && slot.1.is_some()
        {
            *slot = (generation.wrapping_add(1), None);
            self.free.push(index);
            self.len -= 1;
        }
    }

    /// How many things are there.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All things with index and generation, in order of index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, (generation, thing))| Some((index as u32, *generation, thing.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_name_never_means_a_new_thing() {
        let mut arena = Arena::default();
        let (index, generation) = arena.insert("old");
        assert_eq!(arena.remove(index, generation), Some("old"));
        let (again, newer) = arena.insert("new");
        assert_eq!((again, arena.get(index, generation)), (index, None));
        assert_eq!(arena.get(again, newer), Some(&"new"));
        assert_eq!(arena.len(), 1);
        arena.free(index, generation);
        assert_eq!(arena.len(), 1, "the old name's thing is long gone");
        arena.free(again, newer);
        assert_eq!((arena.len(), arena.get(again, newer)), (0, None));
    }
}
