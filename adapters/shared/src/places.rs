//! How many connections a listener keeps open.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Places for connections: each that is accepted takes one.
#[derive(Clone, Debug)]
pub struct Places {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    free: Mutex<Free>,
    /// Whoever takes a place takes one of these too.
    within: Option<Places>,
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
        Self::with(places, None)
    }

    /// So many out of those that several have together.
    #[must_use]
    pub fn within(places: usize, all: &Self) -> Self {
        Self::with(places, Some(all.clone()))
    }

    fn with(places: usize, within: Option<Self>) -> Self {
        let waiting = Vec::new();
        let free = Mutex::new(Free { places, waiting });
        Self {
            shared: Arc::new(Shared { free, within }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.shared.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are free, of its own.
    #[must_use]
    pub fn free(&self) -> usize {
        self.lock().places
    }

    /// Takes a place, if one is free.
    #[must_use]
    pub fn try_take(&self) -> Option<Place> {
        self.reserve().ok()?;
        Some(Place { places: self.clone() })
    }

    /// Counts one more. The error is where none is free.
    fn reserve(&self) -> Result<(), &Self> {
        let mut free = self.lock();
        let left = free.places.checked_sub(1).ok_or(self)?;
        if let Some(all) = &self.shared.within {
            all.reserve()?;
        }
        free.places = left;
        Ok(())
    }

    fn give_back(&self) {
        let waiting = {
            let mut free = self.lock();
            free.places += 1;
            std::mem::take(&mut free.waiting)
        };
        if let Some(all) = &self.shared.within {
            all.give_back();
        }
        // All of them: one that is not interested any more would keep a call to itself.
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for a place. A dropped future has taken none.
    pub async fn take(&self) -> Place {
        poll_fn(|cx| self.poll_take(cx)).await
    }

    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Place> {
        if let Err(lacking) = self.reserve() {
            lacking.lock().waiting.push(cx.waker().clone());
            // One may have become free in between.
            if self.reserve().is_err() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Place { places: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back();
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

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
    fn places_within_others_take_one_of_both() {
        let all = Places::new(2);
        let (one, other) = (Places::within(1, &all), Places::within(5, &all));
        let first = one.try_take();
        assert!(first.is_some() && one.try_take().is_none());
        let second = other.try_take();
        assert!(second.is_some() && other.try_take().is_none());
        assert_eq!((one.free(), other.free(), all.free()), (0, 4, 0));
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = pin!(other.take());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(first);
        let Poll::Ready(third) = waiting.as_mut().poll(&mut context) else {
            panic!("one of all is free");
        };
        drop((second, third));
        assert_eq!((one.free(), other.free(), all.free()), (1, 5, 2));
    }

    /// Counts how often it is called.
    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_called_when_a_place_is_given_back_and_not_by_waiting() {
        let all = Places::new(1);
        let (one, other) = (Places::within(1, &all), Places::within(1, &all));
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(Arc::clone(&calls));
        let place = one.try_take();
        for _ in 0..3 {
            assert!(other.poll_take(&Context::from_waker(&waker)).is_pending());
            assert!(one.poll_take(&Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(calls.0.load(Ordering::Relaxed), 0);
        drop(place);
        assert_eq!(calls.0.load(Ordering::Relaxed), 6, "each of them");
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
