//! A client for applications: a handle on one machine, and a keeper that serves its connection.
//!
//! Nothing here needs a runtime: futures need wakers alone. An adapter polls the [`Keeper`] in a task or a thread of its own.

mod acceptance;
mod answers;
mod claims;
mod core;
#[cfg_attr(not(feature = "store"), path = "memory.rs")]
mod durable;
mod incoming;
mod keeper;
mod line;
mod names;
mod ops;
mod publish;
mod reauthentication;
mod requester;
mod restored;
mod spans;
mod states;
mod statistics;
mod subscribe;
mod wakers;

pub use incoming::{Acknowledged, Acknowledgement, Incoming};
pub use keeper::{AnyStream, Dial, Dialing, Keeper};
pub use publish::{Completion, Publish, PublishError, Published, TryPublishError};
pub use reauthentication::ReauthenticateError;
pub use requester::{RequestError, Requester};
pub use restored::Restored;
pub use states::{ConnectionState, States};
pub use statistics::Statistics;
pub use subscribe::{SubscribeError, Subscribing, Subscription};

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mqtt_session::{Capabilities, Instant};

use self::core::Core;
use self::durable::Durable;
use crate::{ClientOptions, Clock, Failure};

/// A client of one server. It is cheap to clone, and all clones are the same client.
///
/// Its connection is kept in the background: it is opened again when it ends, subscriptions are made again when the server
/// has lost them, and keep-alive does not depend on the application. Messages may be published at any time, connected or not;
/// they wait in a bounded queue.
///
/// A future that is dropped loses nothing: a message whose future was dropped is published or not, as if the future had been
/// awaited up to there; a message that a stream has not given is still in it.
///
/// When the last handle is dropped (subscriptions and requesters are handles too), the client goes on with what has been
/// published for [`ClientOptions::drain_timeout`] at most, and says farewell.
///
/// By default the session is in memory. With the feature `store` and `ClientOptions::store` it survives the process.
pub struct Client {
    shared: Arc<Shared>,
}

/// What all handles and the keeper share.
struct Shared {
    core: Mutex<Core>,
    clock: Clock,
    handles: AtomicUsize,
    drain_timeout: Duration,
}

impl Shared {
    /// Works with the machine. Whoever is to be woken is woken when the lock is gone: what a waker does is not known here.
    fn with<R>(&self, work: impl FnOnce(&mut Core, Instant) -> R) -> R {
        let now = self.clock.now();
        // After a panic elsewhere the machine is as it was left between two of its methods.
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut core, now);
        let wakers = mem::take(&mut core.wakers);
        drop(core);
        wakers.finish();
        result
    }
}

/// The application has left before everything was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// How many messages, SUBSCRIBE and UNSUBSCRIBE have not ended.
    pub operations: usize,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} operations had not ended when the client did", self.operations)
    }
}

impl std::error::Error for Unfinished {}

impl Client {
    fn new(options: &ClientOptions) -> (Self, Option<Durable>) {
        let clock = Clock::new();
        let (core, durable) = Core::new(options, clock.now());
        let shared = Shared {
            core: Mutex::new(core),
            clock,
            handles: AtomicUsize::new(1),
            drain_timeout: options.drain_timeout,
        };
        let shared = Arc::new(shared);
        (Self { shared }, durable)
    }

    fn with<R>(&self, work: impl FnOnce(&mut Core, Instant) -> R) -> R {
        self.shared.with(work)
    }

    /// Waits until the server has accepted the first connection.
    ///
    /// # Errors
    /// If that connection failed. The client tries again if that may help, and may be dropped if nobody wants that.
    pub async fn established(&self) -> Result<(), Arc<Failure>> {
        let listener = self.with(|core, _| core.states.listen(true));
        let client = self.clone();
        let mut states = States { client, listener };
        loop {
            match states.next().await {
                Some(ConnectionState::Connecting) => {}
                Some(ConnectionState::Connected { .. }) | None => return Ok(()),
                Some(ConnectionState::Disconnected { failure, .. } | ConnectionState::Ended { failure }) => {
                    return Err(failure);
                }
            }
        }
    }

    /// What becomes of the connection from here on, beginning with its present state.
    #[must_use]
    pub fn states(&self) -> States {
        let listener = self.with(|core, _| core.states.listen(false));
        let client = self.clone();
        States { client, listener }
    }

    /// Whether the server has accepted the present connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.with(|core, _| core.driver.machine().is_connected())
    }

    /// What the server supports, as it said when it accepted the connection.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.with(|core, _| *core.driver.machine().capabilities())
    }

    /// What the client found in its store when it began; `None` for one in memory.
    #[must_use]
    pub fn restored(&self) -> Option<Arc<Restored>> {
        self.with(|core, _| core.restored.clone())
    }

    /// What the client has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.with(|core, _| core.statistics())
    }

    /// Ends the client: it takes no further messages, goes on until all that it has taken has ended, for `within` at most,
    /// over new connections too, and says farewell. With a store, what has not ended then stays in it for the next client of
    /// the session, and everything is stored when this returns.
    ///
    /// A dropped future goes on doing so.
    ///
    /// # Errors
    /// If something had not ended by then.
    pub async fn disconnect(&self, within: Duration) -> Result<(), Unfinished> {
        let mut states = self.states();
        self.with(|core, now| core.leave(now.saturating_add(within)));
        while states.next().await.is_some() {}
        match self.with(|core, _| core.unfinished()) {
            0 => Ok(()),
            operations => Err(Unfinished { operations }),
        }
    }

    /// Ends the client at once. What has not ended will not, or in another life of the session, if it is in a store.
    pub fn abort(&self) {
        self.with(Core::leave_at_once);
    }
}

impl Clone for Client {
    fn clone(&self) -> Self {
        self.shared.handles.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.shared.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            let within = self.shared.drain_timeout;
            self.with(|core, now| core.leave(now.saturating_add(within)));
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|core, _| {
            f.debug_struct("Client")
                .field("endpoint", &core.endpoint)
                .field("state", &core.states.latest())
                .finish_non_exhaustive()
        })
    }
}

/// Handles can be sent to and shared with other threads.
const _: fn() = || {
    fn shared_freely<T: Send + Sync>() {}
    shared_freely::<Client>();
    shared_freely::<Subscription>();
    shared_freely::<States>();
    shared_freely::<Requester>();
    shared_freely::<Acknowledgement>();
    shared_freely::<Completion>();
};
