//! One thread waits: for its sockets, for a deadline, and for other threads.

#[cfg(feature = "broker")]
mod calling;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as Clocked};

use mqtt_adapter::Clock;
use mqtt_session::Instant;
use polling::{Event, Events, Poller};

/// Waits for the sockets that are registered with it, for one deadline, and for the wakers that it gives.
pub(crate) struct Reactor {
    poller: Poller,
    /// How often sockets have been ready: what they wait for is forgotten then.
    rounds: AtomicU64,
    last_key: AtomicUsize,
    deadline: Mutex<Option<Clocked>>,
    /// Whether there was a waker's call since the future was polled.
    is_woken: AtomicBool,
    /// Whether it takes a notification to be heard.
    is_waiting: AtomicBool,
    slices: Mutex<Vec<Weak<dyn Slice>>>,
    /// Those that are called when their sockets are ready, by the keys of these.
    #[cfg(feature = "broker")]
    callers: calling::Callers,
}

/// A stream that is read where a socket would be waited for.
pub(crate) trait Slice: Send + Sync {
    /// Reads for a slice, if the stream is what is waited for; or not yet, if something else is to be done and reading had its turn. Says
    /// how long to wait then for whatever else there is.
    fn take(&self, is_woken: bool) -> Option<Duration>;
}

/// Any thread may wake the one that waits.
impl Wake for Reactor {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever is about to wait says so first, and then looks whether it was woken: one of both sees the other.
        self.is_woken.store(true, Ordering::SeqCst);
        if self.is_waiting.swap(false, Ordering::SeqCst) {
            // It fails only if the system has no memory for a number; then the next event or deadline wakes.
            let _ = self.poller.notify();
        }
    }
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            poller: Poller::new()?,
            rounds: AtomicU64::new(0),
            last_key: AtomicUsize::new(0),
            deadline: Mutex::new(None),
            is_woken: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            slices: Mutex::new(Vec::new()),
            #[cfg(feature = "broker")]
            callers: calling::Callers::default(),
        }))
    }

    /// Polls a future until it is ready, and waits in between. `None`: it was not ready by then.
    pub(crate) fn block_on<T>(self: &Arc<Self>, future: impl Future<Output = T>, until: Option<Clocked>) -> Option<T> {
        let waker = Waker::from(Arc::clone(self));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut events = Events::new();
        loop {
            self.begin();
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return Some(value);
            }
            if until.is_some_and(|until| until <= Clocked::now()) {
                return None;
            }
            self.wait(until, &mut events);
        }
    }

    /// From here on wakers are heard. To be called before the future is polled.
    pub(crate) fn begin(&self) {
        self.set_deadline(None);
        // What was done before the waker was called is seen by whoever polls now: hence no mere store.
        self.is_woken.swap(false, Ordering::SeqCst);
    }

    /// Waits until a socket is ready, a deadline has come, or a waker was called since it [began](Self::begin). One thread at a time.
    pub(crate) fn wait(&self, until: Option<Clocked>, events: &mut Events) {
        let rest = self.take_slices();
        self.is_waiting.store(true, Ordering::SeqCst);
        let time = match self.is_woken.load(Ordering::SeqCst) {
            // Sockets get a look all the same.
            true => Some(Duration::ZERO),
            false => {
                let now = Clocked::now();
                let wakes = [until, self.deadline(), rest.and_then(|rest| now.checked_add(rest))];
                wakes
                    .into_iter()
                    .flatten()
                    .min()
                    .map(|at| at.saturating_duration_since(now))
            }
        };
        events.clear();
        // An interruption by a signal counts as a look around.
        let _ = self.poller.wait(events, time);
        self.is_waiting.store(false, Ordering::SeqCst);
        if !events.is_empty() {
            self.rounds.fetch_add(1, Ordering::Relaxed);
            #[cfg(feature = "broker")]
            self.callers.call(events);
        }
    }

    /// Whether reading a stream keeps the thread for a while.
    pub(crate) fn has_slices(&self) -> bool {
        self.slices().iter().any(|slice| slice.strong_count() > 0)
    }

    /// From here on this is read where the others are waited for, until it is dropped.
    pub(crate) fn add_slice(&self, slice: &Arc<dyn Slice>) {
        let mut slices = self.slices();
        slices.retain(|slice| slice.strong_count() > 0);
        slices.push(Arc::downgrade(slice));
    }

    fn slices(&self) -> MutexGuard<'_, Vec<Weak<dyn Slice>>> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is read in slices. When to look around again, if something is.
    fn take_slices(&self) -> Option<Duration> {
        // They are read without the lock, since that takes its time.
        let slices: Vec<_> = self.slices().iter().filter_map(Weak::upgrade).collect();
        let taken = slices.iter().filter_map(|slice| {
            let is_woken = self.is_woken.load(Ordering::Acquire);
            slice.take(is_woken)
        });
        taken.min()
    }

    fn deadline(&self) -> Option<Clocked> {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_deadline(&self, at: Option<Clocked>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Ready when the deadline has passed; it wakes then. One future at a time has a deadline.
    pub(crate) fn poll_deadline(&self, deadline: Option<Instant>, clock: &Clock) -> Poll<()> {
        match deadline {
            Some(at) if clock.now() >= at => Poll::Ready(()),
            Some(at) => {
                self.set_deadline(Some(clock.system(at)));
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    /// Waits in the same way, but for a time alone.
    pub(crate) async fn sleep(&self, time: Duration) {
        let until = Clocked::now() + time;
        std::future::poll_fn(|_| {
            if Clocked::now() >= until {
                return Poll::Ready(());
            }
            self.set_deadline(Some(until));
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").finish_non_exhaustive()
    }
}

/// What can be registered: owned by [`Registered`] from then on, so that it is not closed before it is taken out again.
pub(crate) trait Source: polling::AsSource {
    /// Calls return at once from here on.
    fn set_nonblocking(&self) -> io::Result<()>;
    /// Makes the socket known to a poller.
    fn add_to(&self, poller: &Poller, interest: Event) -> io::Result<()>;
}

macro_rules! sources {
    ($($(#[$attribute:meta])* $type:ty),*) => {
        $(
            $(#[$attribute])*
            impl Source for $type {
                fn set_nonblocking(&self) -> io::Result<()> {
                    Self::set_nonblocking(self, true)
                }

                #[allow(unsafe_code, reason = "the only way to register a socket")]
                fn add_to(&self, poller: &Poller, interest: Event) -> io::Result<()> {
                    // SAFETY: the poller has to forget a socket before it is closed. This is called by `Registered` alone,
                    // which owns the socket and never gives it away: its `drop` takes the socket out of the poller before
                    // it is closed, and without `drop` it stays open.
                    unsafe { poller.add(self, interest) }
                }
            }
        )*
    };
}

sources!(
    TcpStream,
    TcpListener,
    #[cfg(unix)]
    std::os::unix::net::UnixStream,
    #[cfg(all(unix, feature = "broker"))]
    std::os::unix::net::UnixListener
);

/// A socket that a reactor waits for.
pub(crate) struct Registered<S: Source> {
    socket: S,
    reactor: Arc<Reactor>,
    key: usize,
    /// What is waited for, since this round.
    waits: Waits,
    since: u64,
    #[cfg(feature = "broker")]
    caller: Option<Arc<calling::Caller>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl<S: Source> Registered<S> {
    pub(crate) fn new(socket: S, reactor: &Arc<Reactor>) -> io::Result<Self> {
        socket.set_nonblocking()?;
        let key = reactor.last_key.fetch_add(1, Ordering::Relaxed);
        socket.add_to(&reactor.poller, Event::none(key))?;
        Ok(Self {
            socket,
            reactor: Arc::clone(reactor),
            key,
            waits: Waits::default(),
            since: 0,
            #[cfg(feature = "broker")]
            caller: None,
        })
    }

    pub(crate) const fn socket(&self) -> &S {
        &self.socket
    }

    /// What a call gave, or that it is worth another try when the socket is ready.
    pub(crate) fn poll<T>(&mut self, given: io::Result<T>, waits: Waits) -> Poll<io::Result<T>> {
        match given {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.wait(waits) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            given => Poll::Ready(given),
        }
    }

    fn wait(&mut self, more: Waits) -> io::Result<()> {
        let round = self.reactor.rounds.load(Ordering::Relaxed);
        let known = if round == self.since {
            self.waits
        } else {
            Waits::default()
        };
        let waits = Waits {
            readable: known.readable || more.readable,
            writable: known.writable || more.writable,
        };
        if waits != known {
            let event = Event::new(self.key, waits.readable, waits.writable);
            self.reactor.poller.modify(&self.socket, event)?;
            self.waits = waits;
            self.since = round;
        }
        Ok(())
    }
}

impl<S: Source> Drop for Registered<S> {
    fn drop(&mut self) {
        #[cfg(feature = "broker")]
        self.forget_caller();
        let _ = self.reactor.poller.delete(&self.socket);
    }
}

impl<S: Source> fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Patient;

    impl Slice for Patient {
        fn take(&self, _: bool) -> Option<Duration> {
            Some(Duration::MAX)
        }
    }

    #[test]
    fn a_slice_without_an_end_is_waited_for_until_something_else_is_due() {
        let reactor = Reactor::new().unwrap();
        let slice: Arc<dyn Slice> = Arc::new(Patient);
        reactor.add_slice(&slice);
        let until = Clocked::now() + Duration::from_millis(20);
        assert!(reactor.block_on(std::future::pending::<()>(), Some(until)).is_none());
    }
}
