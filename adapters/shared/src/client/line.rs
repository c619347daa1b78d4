//! Those who wait for room, first come, first served.

use std::collections::BTreeMap;
use std::task::Waker;

use super::wakers::Wakers;

/// Those who wait for room in a queue of the machine.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl Line {
    /// Whether one with this place, or one who has just come, has nobody before it.
    pub(super) fn is_turn(&self, place: Option<u64>) -> bool {
        match (self.waiting.first_key_value(), place) {
            (None, _) => true,
            (Some((first, _)), Some(place)) => place <= *first,
            (Some(_), None) => false,
        }
    }

    /// Waits at its place, or at the end.
    pub(super) fn wait(&mut self, place: Option<u64>, waker: &Waker, wakers: &mut Wakers) -> u64 {
        let place = place.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        wakers.discard(self.waiting.insert(place, waker.clone()));
        place
    }

    /// There is room for one more.
    pub(super) fn call_next(&mut self, wakers: &mut Wakers) {
        wakers.wake(self.waiting.pop_first().map(|(_, waker)| waker));
    }

    /// One goes without having got room. If it had been called, the next is.
    pub(super) fn leave(&mut self, place: u64, wakers: &mut Wakers) {
        match self.waiting.remove(&place) {
            Some(waker) => wakers.discard([waker]),
            None => self.call_next(wakers),
        }
    }

    /// There will never be room.
    pub(super) fn call_all(&mut self, wakers: &mut Wakers) {
        wakers.wake(std::mem::take(&mut self.waiting).into_values());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_has_just_come_does_not_pass_those_who_wait() {
        let mut line = Line::default();
        assert!(line.is_turn(None));
        let first = line.wait(None, Waker::noop(), &mut Wakers::default());
        let second = line.wait(None, Waker::noop(), &mut Wakers::default());
        assert!(!line.is_turn(None) && line.is_turn(Some(first)) && !line.is_turn(Some(second)));
        // Called and refused again, it keeps its place.
        line.call_next(&mut Wakers::default());
        assert_eq!(line.wait(Some(first), Waker::noop(), &mut Wakers::default()), first);
        assert!(!line.is_turn(Some(second)));
    }

    #[test]
    fn one_who_was_called_and_leaves_calls_the_next() {
        let mut line = Line::default();
        let first = line.wait(None, Waker::noop(), &mut Wakers::default());
        let _second = line.wait(None, Waker::noop(), &mut Wakers::default());
        let mut wakers = Wakers::default();
        line.call_next(&mut wakers);
        line.leave(first, &mut wakers);
        assert_eq!(wakers.woken(), 2);
        assert!(line.waiting.is_empty());
    }
}
