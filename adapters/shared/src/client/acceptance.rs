//! Messages that are accepted when the store has them.

use std::collections::BTreeMap;
use std::task::Waker;

use super::wakers::Wakers;

/// How far the batches of a client have come, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Acceptance {
    /// The number of the last batch that the store was given.
    given: u64,
    /// The number of the last one that is durable.
    stored: u64,
    waiting: BTreeMap<Place, Waker>,
    places: u64,
}

/// Who waits for which batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    batch: u64,
    number: u64,
}

impl Acceptance {
    /// A place for one who waits for what the machine has taken last: it stands in the batch that is given next.
    pub(super) fn begin(&mut self) -> Place {
        self.places += 1;
        Place {
            batch: self.given + 1,
            number: self.places,
        }
    }

    /// The store was given this batch.
    pub(super) fn given(&mut self, batch: u64) {
        self.given = batch;
    }

    /// All batches up to this one are durable.
    pub(super) fn stored(&mut self, upto: u64, wakers: &mut Wakers) {
        self.stored = self.stored.max(upto);
        while let Some(first) = self.waiting.first_entry() {
            if first.key().batch > self.stored {
                break;
            }
            wakers.wake([first.remove()]);
        }
    }

    /// Whether everything that the store was given is durable.
    pub(super) const fn is_all_stored(&self) -> bool {
        self.stored >= self.given
    }

    /// Whether what is waited for is durable. If not, the waker is woken when it is.
    pub(super) fn poll(&mut self, place: Place, waker: &Waker, wakers: &mut Wakers) -> bool {
        if place.batch <= self.stored {
            return true;
        }
        wakers.discard(self.waiting.insert(place, waker.clone()));
        false
    }

    /// Nobody waits there any more.
    pub(super) fn leave(&mut self, place: Place, wakers: &mut Wakers) {
        wakers.discard(self.waiting.remove(&place));
    }

    /// Nothing will be stored any more.
    pub(super) fn call_all(&mut self, wakers: &mut Wakers) {
        wakers.wake(std::mem::take(&mut self.waiting).into_values());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_last_waits_for_the_next_batch() {
        let (mut acceptance, mut wakers) = (Acceptance::default(), Wakers::default());
        acceptance.given(1);
        let (first, second) = (acceptance.begin(), acceptance.begin());
        acceptance.stored(1, &mut wakers);
        for place in [first, second] {
            assert!(!acceptance.poll(place, Waker::noop(), &mut wakers));
        }
        acceptance.given(2);
        let third = acceptance.begin();
        assert!(!acceptance.poll(third, Waker::noop(), &mut wakers) && !acceptance.is_all_stored());
        acceptance.stored(2, &mut wakers);
        assert_eq!(wakers.woken(), 2);
        assert!(acceptance.poll(first, Waker::noop(), &mut wakers));
        assert!(!acceptance.poll(third, Waker::noop(), &mut wakers) && acceptance.is_all_stored());
    }

    #[test]
    fn one_who_leaves_is_not_woken() {
        let (mut acceptance, mut wakers) = (Acceptance::default(), Wakers::default());
        let place = acceptance.begin();
        assert!(!acceptance.poll(place, Waker::noop(), &mut wakers));
        acceptance.leave(place, &mut wakers);
        acceptance.given(1);
        acceptance.stored(1, &mut wakers);
        assert_eq!(wakers.woken(), 0);
    }
}
