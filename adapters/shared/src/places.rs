//! How many connections a listener keeps open.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Places for connections: each that is accepted takes one.
#[derive(Clone, Debug)]
pub struct Places {
    shared: Arc<Mutex<Free>>,
}

#[derive(Debug)]
struct Free {
    places: usize,
    waiting: Vec<Waker>,
}

/// A place that a connection takes. It is free again when this is dropped.
#[derive(Debug)]
#[must_use = "the place is free again at once"]
pub struct Place {
    places: Places,
}

impl Places {
    /// So many.
    #[must_use]
    pub fn new(places: usize) -> Self {
        let waiting = Vec::new();
        Self {
            shared: Arc::new(Mutex::new(Free { places, waiting })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.lock().places
    }

    /// Takes a place, if one is free.
    #[must_use]
    pub fn try_take(&self) -> Option<Place> {
        let mut free = self.lock();
        free.places = free.places.checked_sub(1)?;
        Some(Place { places: self.clone() })
    }

    /// Waits for a place. A dropped future has taken none.
    pub async fn take(&self) -> Place {
        poll_fn(|cx| self.poll_take(cx)).await
    }

    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Place> {
        if let Some(place) = self.try_take() {
            return Poll::Ready(place);
        }
        let waker = cx.waker().clone();
        self.lock().waiting.push(waker);
        // One may have become free in between.
        self.try_take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let waiting = {
            let mut free = self.places.lock();
            free.places += 1;
            std::mem::take(&mut free.waiting)
        };
        // All of them: one that is not interested any more would keep a call to itself.
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// What a listener does when a connection could not be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptFault {
    /// The listening socket is broken: nothing will be accepted any more.
    Listener,
    /// One connection ended before it was accepted: accept the next.
    Connection,
    /// This process has too little of something, as of open files. The connection still waits, so accepting again at once
    /// would fail again and again: wait this long.
    Pause(Duration),
}

impl AcceptFault {
    /// What an error of `accept` means.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected => Self::Listener,
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {
                Self::Connection
            }
            _ => Self::Pause(Duration::from_millis(100)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let places = Places::new(1);
        let first = places.try_take();
        assert!(first.is_some() && places.try_take().is_none());
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = pin!(places.take());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(first);
        assert!(waiting.as_mut().poll(&mut context).is_ready());
        assert_eq!(places.free(), 1);
    }

    #[test]
    fn too_many_open_files_make_a_listener_pause() {
        // EMFILE
        let error = io::Error::from_raw_os_error(24);
        assert!(matches!(AcceptFault::of(&error), AcceptFault::Pause(_)));
        assert_eq!(
            AcceptFault::of(&io::ErrorKind::ConnectionAborted.into()),
            AcceptFault::Connection
        );
    }
}
