//! Sockets that each call their own waker, for one future with many of them.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use polling::{Event, Events};

use super::{Registered, Source, Waits};

/// Who is to be called for which socket.
#[derive(Default)]
pub(super) struct Callers {
    by_key: Mutex<HashMap<usize, Arc<Caller>>>,
}

/// What is known of one socket.
pub(super) struct Caller {
    /// The socket was ready, and is not waited for any more.
    has_been_ready: AtomicBool,
    waker: Mutex<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Callers {
    /// Calls for all sockets that are ready.
    pub(super) fn call(&self, events: &Events) {
        let by_key = lock(&self.by_key);
        for caller in events.iter().filter_map(|event| by_key.get(&event.key)) {
            caller.has_been_ready.store(true, Ordering::Release);
            lock(&caller.waker).wake_by_ref();
        }
    }
}

impl<S: Source> Registered<S> {
    /// What a call gave, or that the waker is called when the socket is ready. The same waker for reading and writing.
    pub(crate) fn poll_called<T>(
        &mut self,
        cx: &Context<'_>,
        given: io::Result<T>,
        more: Waits,
    ) -> Poll<io::Result<T>> {
        match given {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.wait_called(cx, more) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            given => Poll::Ready(given),
        }
    }

    fn wait_called(&mut self, cx: &Context<'_>, more: Waits) -> io::Result<()> {
        let (reactor, key) = (&self.reactor, self.key);
        let caller = self.caller.get_or_insert_with(|| {
            let caller = Arc::new(Caller {
                has_been_ready: AtomicBool::new(false),
                waker: Mutex::new(cx.waker().clone()),
            });
            lock(&reactor.callers.by_key).insert(key, Arc::clone(&caller));
            caller
        });
        lock(&caller.waker).clone_from(cx.waker());
        // What is waited for is waited for until the socket is ready, whatever other sockets do.
        let known = match caller.has_been_ready.swap(false, Ordering::AcqRel) {
            true => Waits::default(),
            false => self.waits,
        };
        let waits = Waits {
            readable: known.readable || more.readable,
            writable: known.writable || more.writable,
        };
        if waits != known {
            let event = Event::new(key, waits.readable, waits.writable);
            reactor.poller.modify(&self.socket, event)?;
            self.waits = waits;
        }
        Ok(())
    }

    pub(super) fn forget_caller(&mut self) {
        if self.caller.take().is_some() {
            lock(&self.reactor.callers.by_key).remove(&self.key);
        }
    }
}
