//! A queue that is empty nearly always, in nearly all of those who have one.

use alloc::boxed::Box;
use alloc::collections::{VecDeque, vec_deque};

/// A queue that takes no more than a pointer where there is nothing in it.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "a queue is larger than a pointer, also where it is empty"
)]
pub(super) struct Seldom<T>(Option<Box<VecDeque<T>>>);

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Seldom<T> {
    /// An empty queue, which holds no memory.
    pub(super) const fn new() -> Self {
        Self(None)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.len())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn front(&self) -> Option<&T> {
        self.0.as_ref()?.front()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.front_mut()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.0.as_ref()?.back()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|queue| queue.iter())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flat_map(|queue| queue.iter_mut())
    }

    pub(super) fn push_back(&mut self, item: T) {
        self.filled().push_back(item);
    }

    pub(super) fn push_front(&mut self, item: T) {
        self.filled().push_front(item);
    }

    /// The memory of a queue that something is put into. Most never have more than one at once.
    fn filled(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_with(|| Box::new(VecDeque::with_capacity(1)))
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_front()
    }

    pub(super) fn pop_back(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_back()
    }

    /// Takes everything out of another one, to its end.
    pub(super) fn append(&mut self, other: &mut Self) {
        for item in core::mem::take(other) {
            self.push_back(item);
        }
    }

    pub(super) fn retain(&mut self, is_wanted: impl FnMut(&T) -> bool) {
        if let Some(queue) = &mut self.0 {
            queue.retain(is_wanted);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Gives the memory back, if nothing is in it.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }
}

impl<T> IntoIterator for Seldom<T> {
    type Item = T;
    type IntoIter = vec_deque::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(|queue| *queue).unwrap_or_default().into_iter()
    }
}
