//! Who keeps the connection of a client: the thread of its own, or one that waits for it anyway.
//!
//! Where one thread waits for what another one reads, each message costs two switches between threads, which is more than all the rest. So the
//! connection is lent to a thread that waits often, briefly and alone: whoever waits moves the bytes and keeps the time meanwhile.
//!
//! ```text
//!                     one thread waits BRIEF_WAITS times in a row, no longer than a LOAN each
//!   the client's own  ───────────────────────────────────────────────────────────────────────>  whoever waits
//!   thread keeps      <───────────────────────────────────────────────────────────────────────  keeps
//!                     those who wait keep it for less than LEAST_KEPT of a LOAN, two wait at once, or a stream is to be opened
//! ```

#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant as Clocked};

use mqtt_adapter::{Dialing, Endpoint, Keeper};
use polling::Events;

use crate::blocking::{park_until, unparking};
use crate::reactor::Reactor;

/// For so long at most is left alone what nobody waits for while the connection is lent.
const LOAN: Duration = Duration::from_millis(5);
/// Who keeps it for less than that of each loan is not worth it.
const LEAST_KEPT: Duration = LOAN.checked_div(4).unwrap();
/// So many waits in a row that are no longer than a loan, and the connection is lent.
const BRIEF_WAITS: u32 = 4;

pub(crate) type AnyDialer = Box<dyn FnMut(&Endpoint) -> Dialing + Send>;

/// What all threads of a client share.
pub(crate) struct Keeping {
    reactor: Arc<Reactor>,
    state: Mutex<State>,
    /// How the client's own thread is called.
    calls: Condvar,
}

#[derive(Default)]
struct State {
    /// Here unless a thread keeps the connection.
    kept: Option<Kept>,
    has_ended: bool,
    is_lent: bool,
    /// How often one of those took it that it is lent to, and for how long in all since the client's own thread looked.
    loans: u64,
    kept_for: Duration,
    /// The client's own thread does not look by itself whether it can have it back.
    is_to_be_called: bool,
    /// How many threads wait, beside the client's own, and the latest of them.
    waiting: usize,
    waiter: Option<Thread>,
    /// So many waits were brief and alone, since one was not.
    brief_waits: u32,
}

/// What keeps a connection.
struct Kept {
    keeper: Keeper<AnyDialer>,
    events: Events,
}

/// A thread that keeps the connection, until this is dropped.
struct Turn<'a> {
    keeping: &'a Keeping,
    kept: Option<Kept>,
    is_loan: bool,
    since: Clocked,
    was_panicking: bool,
    has_ended: bool,
}

/// A thread that waits, until this is dropped.
struct Waiting<'a> {
    keeping: &'a Keeping,
    since: Clocked,
    /// What it waits for has come.
    has_come: bool,
}

impl Keeping {
    pub(crate) fn new(keeper: Keeper<AnyDialer>, reactor: Arc<Reactor>) -> Self {
        let kept = Kept {
            keeper,
            events: Events::new(),
        };
        Self {
            reactor,
            state: Mutex::new(State {
                kept: Some(kept),
                ..State::default()
            }),
            calls: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client's own thread does, until the client has ended.
    pub(crate) fn keep(&self) {
        let mut state = self.lock();
        while !state.has_ended {
            if state.is_lent {
                state = self.lend(state);
            } else if let Some(mut turn) = self.turn(&mut state, false) {
                drop(state);
                turn.keep();
                drop(turn);
                state = self.lock();
            }
        }
    }

    /// Leaves the connection to others, until there is something new to look at.
    fn lend<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let loans = state.loans;
        state.kept_for = Duration::ZERO;
        let waited = self.calls.wait_timeout(state, LOAN);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !state.is_lent || state.has_ended {
            return state;
        }
        if state.kept.is_some() {
            // Those who wait otherwise than in a call of this client are served only while somebody keeps its connection.
            if state.kept_for < LEAST_KEPT {
                state.take_back();
            }
            return state;
        }
        if state.loans == loans {
            // Somebody waits for long, and is not watched meanwhile.
            state.is_to_be_called = true;
            state = self.calls.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.is_to_be_called = false;
        }
        state
    }

    /// The connection, if nobody has it.
    fn turn(&self, state: &mut State, is_loan: bool) -> Option<Turn<'_>> {
        let kept = state.kept.take()?;
        state.loans += u64::from(is_loan);
        Some(Turn {
            keeping: self,
            kept: Some(kept),
            is_loan,
            since: Clocked::now(),
            was_panicking: thread::panicking(),
            has_ended: false,
        })
    }

    /// Waits for a future of this client.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        match self.wait_until(None, future) {
            Some(value) => value,
            None => unreachable!("there is no time at which it ends"),
        }
    }

    /// The same for so long at most.
    pub(crate) fn wait_within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        // What lies too far ahead to be expressed does not come.
        self.wait_until(Clocked::now().checked_add(time), future)
    }

    fn wait_until<T>(&self, until: Option<Clocked>, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let waker = unparking();
        let mut context = Context::from_waker(&waker);
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let mut waiting = Waiting::new(self);
        loop {
            if let Some(mut turn) = waiting.turn() {
                match turn.serve(future.as_mut(), until) {
                    Served::Ready(value) => return Some(value),
                    Served::Late => return None,
                    Served::No => {}
                }
                drop(turn);
                // Whoever keeps the connection from here on has to call this thread.
                if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                    return Some(value);
                }
            }
            if !park_until(until) {
                return None;
            }
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                waiting.has_come = true;
                return Some(value);
            }
        }
    }
}

impl State {
    fn take_back(&mut self) {
        self.is_lent = false;
        self.brief_waits = 0;
    }
}

impl<'a> Waiting<'a> {
    fn new(keeping: &'a Keeping) -> Self {
        let mut state = keeping.lock();
        state.waiting += 1;
        state.waiter = Some(thread::current());
        drop(state);
        Self {
            keeping,
            since: Clocked::now(),
            has_come: false,
        }
    }

    /// The connection, if it is lent and nobody has it.
    fn turn(&self) -> Option<Turn<'a>> {
        let mut state = self.keeping.lock();
        state.is_lent.then(|| self.keeping.turn(&mut state, true))?
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let is_brief = self.has_come && self.since.elapsed() <= LOAN;
        let mut state = self.keeping.lock();
        state.waiting -= 1;
        if state.is_lent {
            return;
        }
        let is_alone = state.waiting == 0;
        state.brief_waits = if is_brief && is_alone { state.brief_waits + 1 } else { 0 };
        if state.brief_waits >= BRIEF_WAITS && !self.keeping.reactor.has_slices() {
            state.is_lent = true;
            drop(state);
            self.keeping.reactor.wake_by_ref();
        }
    }
}

/// What came of keeping the connection for a future.
enum Served<T> {
    Ready(T),
    Late,
    /// It is for the client's own thread to go on.
    No,
}

impl Turn<'_> {
    /// Until the client has ended, or its connection is lent.
    fn keep(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let reactor = &self.keeping.reactor;
        let waker = Waker::from(Arc::clone(reactor));
        let mut context = Context::from_waker(&waker);
        loop {
            reactor.begin();
            if kept.poll(reactor, |keeper| keeper.poll(&mut context)).is_ready() {
                self.has_ended = true;
                return;
            }
            if self.keeping.lends(kept) {
                return;
            }
            reactor.wait(None, &mut kept.events);
        }
    }

    /// Until a future is ready or late.
    fn serve<T>(&mut self, mut future: Pin<&mut impl Future<Output = T>>, until: Option<Clocked>) -> Served<T> {
        let Some(kept) = &mut self.kept else { return Served::No };
        let reactor = &self.keeping.reactor;
        let waker = Waker::from(Arc::clone(reactor));
        let mut context = Context::from_waker(&waker);
        loop {
            reactor.begin();
            if kept
                .poll(reactor, |keeper| keeper.poll_quickly(&mut context))
                .is_ready()
            {
                self.has_ended = true;
                return Served::No;
            }
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return Served::Ready(value);
            }
            if until.is_some_and(|until| until <= Clocked::now()) {
                return Served::Late;
            }
            if !kept.keeper.is_quick() {
                return Served::No;
            }
            reactor.wait(until, &mut kept.events);
        }
    }
}

impl Kept {
    fn poll<T>(&mut self, reactor: &Reactor, mut poll: impl FnMut(&mut Keeper<AnyDialer>) -> Poll<T>) -> Poll<T> {
        loop {
            if let Poll::Ready(done) = poll(&mut self.keeper) {
                return Poll::Ready(done);
            }
            let deadline = self.keeper.deadline();
            if reactor.poll_deadline(deadline, self.keeper.clock()).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Keeping {
    /// Whether the client's own thread is to leave the connection to whoever waits.
    fn lends(&self, kept: &Kept) -> bool {
        let mut state = self.lock();
        if state.is_lent && (state.waiting > 1 || !kept.keeper.is_quick() || self.reactor.has_slices()) {
            state.take_back();
        }
        state.is_lent
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let kept = self.kept.take();
        // What a panic in the middle of it has left behind does not go on.
        self.has_ended |= thread::panicking() && !self.was_panicking;
        let is_quick = kept.as_ref().is_some_and(|kept| kept.keeper.is_quick());
        let mut state = self.keeping.lock();
        let ended = match self.has_ended {
            true => kept,
            false => {
                state.kept = kept;
                None
            }
        };
        state.has_ended |= self.has_ended;
        if self.is_loan {
            state.kept_for += self.since.elapsed();
            if state.waiting > 1 || !is_quick {
                state.take_back();
            }
            if !state.is_lent || state.is_to_be_called {
                self.keeping.calls.notify_one();
            }
        } else if let Some(waiter) = state.waiter.as_ref().filter(|_| state.waiting > 0) {
            waiter.unpark();
        }
        drop(state);
        // Code of the application may be part of it.
        drop(ended);
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").finish_non_exhaustive()
    }
}
