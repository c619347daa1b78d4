//! Who has called since the shard looked last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// What of a shard is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A connection, by its number in the table of lines.
    Line(u32),
    /// A listener, by its index.
    Listener(u32),
    /// What other threads have sent.
    Mail,
    /// The store has something to say.
    #[cfg(feature = "store")]
    Store,
}

/// The bells that have been rung. Each is there once, however often it was rung.
#[derive(Clone, Default)]
pub(super) struct Bells {
    board: Arc<Mutex<Board>>,
}

#[derive(Default)]
struct Board {
    rung: Vec<Place>,
    /// Who polls the shard.
    host: Option<Waker>,
}

/// Calls the shard to one place. Any thread may ring.
pub(super) struct Bell {
    place: Place,
    is_rung: AtomicBool,
    bells: Bells,
}

impl Bells {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bell(&self, place: Place) -> Arc<Bell> {
        Arc::new(Bell {
            place,
            is_rung: AtomicBool::new(false),
            bells: self.clone(),
        })
    }

    /// From here on this is woken.
    pub(super) fn wake(&self, host: &Waker) {
        let mut board = self.lock();
        match &mut board.host {
            Some(known) => known.clone_from(host),
            none => *none = Some(host.clone()),
        }
    }

    /// Adds the places that were called to since the last time.
    pub(super) fn take(&self, places: &mut Vec<Place>) {
        let mut board = self.lock();
        if places.is_empty() {
            std::mem::swap(&mut board.rung, places);
        } else {
            places.append(&mut board.rung);
        }
    }

    fn ring(&self, place: Place) {
        let host = {
            let mut board = self.lock();
            let is_first = board.rung.is_empty();
            board.rung.push(place);
            board.host.clone().filter(|_| is_first)
        };
        if let Some(host) = host {
            host.wake();
        }
    }
}

impl Bell {
    /// It is being looked at: from here on it may be rung again.
    pub(super) fn answer(&self) {
        self.is_rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            self.bells.ring(self.place);
        }
    }
}
