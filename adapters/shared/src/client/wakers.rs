//! Wakers that are dealt with once the lock is gone.

use std::task::Waker;

/// Wakers that are to be woken, and such that are not needed any more. A waker belongs to an executor that is not known here:
/// waking or dropping it may run or drop a task, and with it a handle of this client. So neither is done under the lock.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    to_wake: Vec<Waker>,
    to_drop: Vec<Waker>,
}

impl Wakers {
    pub(super) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.to_wake.extend(wakers);
    }

    pub(super) fn discard(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        self.to_drop.extend(wakers);
    }

    /// Puts a waker into its place.
    pub(super) fn put(&mut self, place: &mut Option<Waker>, waker: &Waker) {
        if !place.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.discard(place.replace(waker.clone()));
        }
    }

    /// To be called without the lock.
    pub(super) fn finish(self) {
        for waker in self.to_wake {
            waker.wake();
        }
    }

    #[cfg(test)]
    pub(super) fn woken(&self) -> usize {
        self.to_wake.len()
    }
}
