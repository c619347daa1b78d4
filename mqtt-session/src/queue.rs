//! A queue of large values.

use alloc::vec::Vec;

/// Values in the order in which they came.
///
/// A value is put together where it stands: room is made before it is there, so that it moves only once, when it is taken.
/// The first value takes room for one, since most queues never hold more.
#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    /// A ring.
    places: Vec<Option<T>>,
    first: usize,
    len: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    /// An empty queue, which holds no memory.
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            first: 0,
            len: 0,
        }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends the value that this makes.
    #[inline(always)]
    pub(crate) fn push_with(&mut self, value: impl FnOnce() -> T) {
        if self.len == self.places.len() {
            self.grow();
        }
        let end = self.first.wrapping_add(self.len);
        let end = end.checked_sub(self.places.len()).unwrap_or(end);
        // There is room, and nothing in it.
        if let Some(place @ None) = self.places.get_mut(end) {
            *place = Some(value());
            self.len = self.len.wrapping_add(1);
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.places.rotate_left(self.first);
        self.first = 0;
        let more = self.places.len().max(1);
        self.places.reserve_exact(more);
        self.places.resize_with(self.len.saturating_add(more), || None);
    }

    /// The first value, where it stands.
    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.places.get(self.first)?.as_ref()
    }

    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.places.get_mut(self.first)?.as_mut()
    }

    /// Takes the first value.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let first = self.first;
        self.len = self.len.wrapping_sub(1);
        self.first = first.wrapping_add(1);
        if self.first == self.places.len() {
            self.first = 0;
        }
        self.places.get_mut(first)?.take()
    }

    /// Drops the values that are not to be kept.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        for _ in 0..self.len {
            match self.pop_front() {
                Some(value) if is_kept(&value) => self.push_with(|| value),
                _ => {}
            }
        }
    }

    /// Gives the memory back, if nothing is in it.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        if self.len == 0 {
            *self = Self::new();
        }
    }
}

impl<T> Extend<T> for Queue<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push_with(|| value));
    }
}

impl<T> IntoIterator for Queue<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

/// Takes all values of a queue.
pub(crate) struct IntoIter<T>(Queue<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::VecDeque;
    use std::vec::Vec;

    #[test]
    fn a_queue_behaves_as_one_of_the_standard_library() {
        for seed in 0..6 {
            let mut random = Random::new(seed);
            let (mut queue, mut known) = (Queue::new(), VecDeque::new());
            for step in 0..4_000_u64 {
                let filling = if step / 400 % 2 == 0 { 6 } else { 4 };
                match random.below(10) {
                    0 if step % 50 == 0 => {
                        queue.retain(|value| value % 3 != 0);
                        known.retain(|value| value % 3 != 0);
                    }
                    choice if choice < filling => {
                        queue.push_with(|| step);
                        known.push_back(step);
                    }
                    _ => assert_eq!(queue.pop_front(), known.pop_front(), "seed {seed}"),
                }
                assert_eq!(queue.front(), known.front(), "seed {seed}");
                assert_eq!(queue.front_mut(), known.front_mut(), "seed {seed}");
                assert_eq!((queue.len(), queue.is_empty()), (known.len(), known.is_empty()));
            }
            assert_eq!(
                queue.into_iter().collect::<Vec<_>>(),
                known.into_iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn the_first_value_takes_room_for_one_and_the_steady_state_allocates_nothing() {
        let mut queue = Queue::new();
        queue.push_with(|| 0);
        assert_eq!(queue.places.capacity(), 1);
        queue.extend(1..5);
        let capacity = queue.places.capacity();
        for value in 5..100 {
            assert_eq!(queue.pop_front(), Some(value - 5));
            queue.push_with(|| value);
        }
        assert_eq!(queue.places.capacity(), capacity);
    }

    #[test]
    fn values_that_are_taken_or_not_kept_are_dropped() {
        let value = std::rc::Rc::new(());
        let mut queue = Queue::new();
        queue.extend((0..9).map(|_| value.clone()));
        queue.retain(|_| false);
        assert_eq!((queue.len(), std::rc::Rc::strong_count(&value)), (0, 1));
        queue.extend([value.clone(), value.clone()]);
        drop(queue.pop_front());
        assert_eq!(std::rc::Rc::strong_count(&value), 2);
    }
}
