//! Passwords are checked on threads of their own: it is meant to take long.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::login::Login;
use super::turns::{Bounds, Turns};

/// One thread a core, and no more than this: each has the memory that a check takes.
const THREADS_MAX: usize = 16;

/// A handle of the threads. They end with the last one.
#[derive(Clone)]
pub(super) struct Checker {
    hold: Arc<Hold>,
}

/// What the threads do not have, so that they end when the handles are gone.
struct Hold {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    /// Of the same owner of addresses, one after the other.
    turns: Turns<Option<IpAddr>, Login>,
    is_over: bool,
}

impl Checker {
    /// Starts them.
    pub(super) fn start(bounds: Bounds) -> io::Result<Self> {
        let state = State {
            turns: Turns::new(bounds),
            is_over: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            arrived: Condvar::new(),
        });
        let hold = Arc::new(Hold { shared });
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for number in 0..cores.min(THREADS_MAX) {
            let shared = Arc::clone(&hold.shared);
            thread::Builder::new()
                .name(format!("mqtt-login-{number}"))
                .spawn(move || {
                    while let Some(login) = shared.next() {
                        login.check();
                    }
                })?;
        }
        Ok(Self { hold })
    }

    /// Checks it when its turn comes. Too much may wait already: then gives who has to go, this one or another.
    pub(super) fn check(&self, login: Login, is_gone: impl Fn(&Login) -> bool) -> Option<Login> {
        let owner = login.owner;
        let displaced = self.hold.shared.lock().turns.push(&owner, login, is_gone);
        self.hold.shared.arrived.notify_one();
        displaced
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.hold.shared.lock().turns.len()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one, once there is one. `None`: nothing will come any more.
    fn next(&self) -> Option<Login> {
        let is_quiet = |state: &mut State| state.turns.len() == 0 && !state.is_over;
        let waited = self.arrived.wait_while(self.lock(), is_quiet);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        // Nobody is left who could be let in.
        if state.is_over { None } else { state.turns.pop() }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.arrived.notify_all();
    }
}
