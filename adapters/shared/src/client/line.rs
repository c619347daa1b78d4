//! Those who wait for room, first come, first served.

use std::collections::BTreeMap;
use std::task::Waker;

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
    pub(super) fn wait(&mut self, place: Option<u64>, waker: &Waker) -> u64 {
        let place = place.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        match self.waiting.get_mut(&place) {
            Some(known) => known.clone_from(waker),
            None => {
                self.waiting.insert(place, waker.clone());
            }
        }
        place
    }

    /// There is room for one more.
    pub(super) fn call_next(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(self.waiting.pop_first().map(|(_, waker)| waker));
    }

    /// One goes without having got room. If it had been called, the next is.
    pub(super) fn leave(&mut self, place: u64, woken: &mut Vec<Waker>) {
        if self.waiting.remove(&place).is_none() {
            self.call_next(woken);
        }
    }

    /// There will never be room.
    pub(super) fn call_all(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(std::mem::take(&mut self.waiting).into_values());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_has_just_come_does_not_pass_those_who_wait() {
        let mut line = Line::default();
        assert!(line.is_turn(None));
        let first = line.wait(None, Waker::noop());
        let second = line.wait(None, Waker::noop());
        assert!(!line.is_turn(None) && line.is_turn(Some(first)) && !line.is_turn(Some(second)));
        // Called and refused again, it keeps its place.
        line.call_next(&mut Vec::new());
        assert_eq!(line.wait(Some(first), Waker::noop()), first);
        assert!(!line.is_turn(Some(second)));
    }

    #[test]
    fn one_who_was_called_and_leaves_calls_the_next() {
        let mut line = Line::default();
        let first = line.wait(None, Waker::noop());
        let _second = line.wait(None, Waker::noop());
        let mut woken = Vec::new();
        line.call_next(&mut woken);
        line.leave(first, &mut woken);
        assert_eq!(woken.len(), 2);
        assert!(line.waiting.is_empty());
    }
}
