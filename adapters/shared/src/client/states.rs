//! What becomes of the connection, for those who want to know.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;

use super::Client;
use super::wakers::Wakers;
use crate::Failure;

/// How many states wait for one who does not look.
const KEPT: usize = 64;

/// Where the connection of a client stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It is being opened.
    Connecting,
    /// The server has accepted it.
    #[non_exhaustive]
    Connected {
        /// Whether the server goes on with the session. If not, the client subscribes again by itself.
        session_present: bool,
    },
    /// It could not be opened, or has ended. Another one follows.
    #[non_exhaustive]
    Disconnected {
        /// Why.
        failure: Arc<Failure>,
        /// When another one is opened.
        retry_in: Duration,
    },
    /// It has ended, and no other follows. This is the last state.
    #[non_exhaustive]
    Ended {
        /// Why.
        failure: Arc<Failure>,
    },
}

/// The states of one client, the last ones kept.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: VecDeque<ConnectionState>,
    /// The number of the first one that is kept.
    first: u64,
    listeners: BTreeMap<u64, Waker>,
    next_listener: u64,
}

impl Log {
    pub(super) fn push(&mut self, state: ConnectionState, wakers: &mut Wakers) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(state);
        wakers.wake(std::mem::take(&mut self.listeners).into_values());
    }

    pub(super) fn latest(&self) -> Option<&ConnectionState> {
        self.kept.back()
    }

    /// A listener that begins with the first state that is kept, or with the latest.
    pub(super) fn listen(&mut self, from_first: bool) -> Listener {
        self.next_listener += 1;
        let skipped = if from_first {
            0
        } else {
            self.kept.len().saturating_sub(1)
        };
        Listener {
            id: self.next_listener,
            next: self.first + skipped as u64,
        }
    }

    fn poll(&mut self, listener: &mut Listener, waker: &Waker, wakers: &mut Wakers) -> Poll<Option<ConnectionState>> {
        listener.next = listener.next.max(self.first);
        let index = usize::try_from(listener.next - self.first).unwrap_or(usize::MAX);
        if let Some(state) = self.kept.get(index) {
            listener.next += 1;
            return Poll::Ready(Some(state.clone()));
        }
        if matches!(self.latest(), Some(ConnectionState::Ended { .. })) {
            return Poll::Ready(None);
        }
        wakers.discard(self.listeners.insert(listener.id, waker.clone()));
        Poll::Pending
    }
}

#[derive(Debug)]
pub(super) struct Listener {
    id: u64,
    /// The number of the next state.
    next: u64,
}

/// The states of a connection, one after the other, beginning with the present one. Ends after [`ConnectionState::Ended`].
///
/// One who does not look for long misses the oldest ones.
#[derive(Debug)]
pub struct States {
    pub(super) client: Client,
    pub(super) listener: Listener,
}

impl States {
    /// Waits for the next state. A dropped future has taken none.
    pub async fn next(&mut self) -> Option<ConnectionState> {
        std::future::poll_fn(|cx| self.poll_state(cx)).await
    }

    fn poll_state(&mut self, cx: &Context<'_>) -> Poll<Option<ConnectionState>> {
        let listener = &mut self.listener;
        self.client
            .with(|core, _| core.states.poll(listener, cx.waker(), &mut core.wakers))
    }
}

impl Stream for States {
    type Item = ConnectionState;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionState>> {
        self.get_mut().poll_state(cx)
    }
}

impl Drop for States {
    fn drop(&mut self) {
        self.client
            .with(|core, _| core.wakers.discard(core.states.listeners.remove(&self.listener.id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_does_not_look_misses_the_oldest() {
        let mut log = Log::default();
        let mut listener = log.listen(true);
        for _ in 0..KEPT + 3 {
            log.push(ConnectionState::Connecting, &mut Wakers::default());
        }
        let mut seen = 0;
        while log
            .poll(&mut listener, Waker::noop(), &mut Wakers::default())
            .is_ready()
        {
            seen += 1;
        }
        assert_eq!(seen, KEPT);
        let mut late = log.listen(false);
        assert!(log.poll(&mut late, Waker::noop(), &mut Wakers::default()).is_ready());
        assert!(log.poll(&mut late, Waker::noop(), &mut Wakers::default()).is_pending());
    }
}
