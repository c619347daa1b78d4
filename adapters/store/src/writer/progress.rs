//! How far the batches of one session have come.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::StoreError;

/// Told by the store's thread, heard by the session's host.
#[derive(Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the last durable batch, if the host has not heard of it.
    stored: Option<u64>,
    failure: Option<StoreError>,
    waker: Option<Waker>,
}

type Heard = Result<Option<u64>, StoreError>;

impl State {
    /// What became durable before a failure is heard before it; the failure is heard again and again.
    fn hear(&mut self) -> Heard {
        match (self.stored.take(), &self.failure) {
            (None, Some(error)) => Err(error.clone()),
            (stored, _) => Ok(stored),
        }
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stored(&self, number: u64) {
        self.tell(|state| state.stored = Some(number));
    }

    pub(super) fn failed(&self, error: &StoreError) {
        self.tell(|state| {
            state.failure.get_or_insert_with(|| error.clone());
        });
    }

    /// The waker is called without the lock: it may do anything.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.lock();
            change(&mut state);
            state.waker.take()
        };
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn hear(&self) -> Heard {
        self.lock().hear()
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        let mut state = self.lock();
        match state.hear().transpose() {
            Some(heard) => Poll::Ready(heard),
            None => {
                let is_known = state
                    .waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(context.waker()));
                if !is_known {
                    state.waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    pub(super) fn wait(&self, timeout: Duration) -> Heard {
        let is_quiet = |state: &mut State| state.stored.is_none() && state.failure.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, is_quiet);
        waited.unwrap_or_else(PoisonError::into_inner).0.hear()
    }
}
