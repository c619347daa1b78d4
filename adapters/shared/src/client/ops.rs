//! What was asked of the machine and has not ended, by the tags that it knows them by.

use std::task::{Poll, Waker};

use mqtt_session::Outcome;

use super::wakers::Wakers;

/// The tag of a message of which nobody waits for the outcome.
pub(super) const NOBODY: u64 = 1 << 61;
/// Set in the tags of SUBSCRIBE and UNSUBSCRIBE, which are counted apart.
pub(super) const REQUEST: u64 = 1 << 63;
/// Set in the tags of subscriptions that are made again, together with [`REQUEST`]; the rest is the claim.
pub(super) const RENEWAL: u64 = 1 << 62;
/// How often a slot is used before its tags come again: what fits beside the marks.
const GENERATIONS: u32 = 1 << 28;

/// Operations that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Ops {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    /// How often the slot has been used, so that an old tag does not find a new operation.
    generation: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting(Option<Waker>),
    /// Nobody waits any more.
    Forgotten,
    Done(Outcome),
}

impl Ops {
    /// A tag for an operation that somebody will wait for.
    pub(super) fn begin(&mut self) -> u64 {
        let state = State::Waiting(None);
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize].state = state;
                index
            }
            None => {
                self.slots.push(Slot { generation: 0, state });
                (self.slots.len() - 1) as u32
            }
        };
        u64::from(self.slots[index as usize].generation) << 32 | u64::from(index)
    }

    fn find(&mut self, tag: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::try_from(tag & u64::from(u32::MAX)).ok()?)?;
        (u64::from(slot.generation) == tag >> 32).then_some(slot)
    }

    fn release(&mut self, tag: u64) {
        if let Some(slot) = self.find(tag) {
            slot.state = State::Free;
            slot.generation = (slot.generation + 1) % GENERATIONS;
            self.free.push((tag & u64::from(u32::MAX)) as u32);
        }
    }

    /// The operation was not taken after all.
    pub(super) fn withdraw(&mut self, tag: u64) {
        self.release(tag);
    }

    /// The operation has ended. Whoever waits for it is to be woken.
    pub(super) fn complete(&mut self, tag: u64, outcome: Outcome) -> Option<Waker> {
        let slot = self.find(tag)?;
        match std::mem::replace(&mut slot.state, State::Done(outcome)) {
            State::Waiting(waker) => waker,
            _ => {
                self.release(tag);
                None
            }
        }
    }

    /// How the operation ended. Once it is told, the tag is no more.
    pub(super) fn poll(&mut self, tag: u64, waker: &Waker, wakers: &mut Wakers) -> Poll<Outcome> {
        let Some(slot) = self.find(tag) else {
            return Poll::Pending;
        };
        match &mut slot.state {
            State::Waiting(known) => {
                wakers.put(known, waker);
                return Poll::Pending;
            }
            State::Done(_) => {}
            State::Free | State::Forgotten => return Poll::Pending,
        }
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Done(outcome) => {
                self.release(tag);
                Poll::Ready(outcome)
            }
            _ => Poll::Pending,
        }
    }

    /// Nobody waits for it any more. It goes on.
    pub(super) fn forget(&mut self, tag: u64, wakers: &mut Wakers) {
        let Some(slot) = self.find(tag) else { return };
        match &mut slot.state {
            State::Waiting(waker) => {
                wakers.discard(waker.take());
                slot.state = State::Forgotten;
            }
            State::Done(_) => self.release(tag),
            State::Free | State::Forgotten => {}
        }
    }

    /// Nothing ends any more: everybody who waits is to be told.
    pub(super) fn wake_all(&mut self, wakers: &mut Wakers) {
        for slot in &mut self.slots {
            if let State::Waiting(waker) = &mut slot.state {
                wakers.wake(waker.take());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(ops: &mut Ops, tag: u64) -> Poll<Outcome> {
        ops.poll(tag, Waker::noop(), &mut Wakers::default())
    }

    #[test]
    fn an_old_tag_does_not_find_a_new_operation() {
        let mut ops = Ops::default();
        let first = ops.begin();
        ops.complete(first, Outcome::Sent);
        assert_eq!(poll(&mut ops, first), Poll::Ready(Outcome::Sent));
        let second = ops.begin();
        assert_ne!(first, second);
        assert_eq!(poll(&mut ops, first), Poll::Pending);
        ops.complete(second, Outcome::Expired);
        assert_eq!(poll(&mut ops, second), Poll::Ready(Outcome::Expired));
        assert_eq!(ops.slots.len(), 1);
    }

    #[test]
    fn forgotten_operations_leave_nothing_behind() {
        let mut ops = Ops::default();
        for forget_first in [true, false] {
            let tag = ops.begin();
            if forget_first {
                ops.forget(tag, &mut Wakers::default());
                ops.complete(tag, Outcome::Sent);
            } else {
                ops.complete(tag, Outcome::Sent);
                ops.forget(tag, &mut Wakers::default());
            }
        }
        assert_eq!((ops.slots.len(), ops.free.len()), (1, 1));
        ops.complete(NOBODY, Outcome::Sent);
        assert_eq!(ops.slots.len(), 1);
    }
}
