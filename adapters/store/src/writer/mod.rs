//! The thread that a store lives on.

mod progress;
mod session;
mod thread;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};

use mqtt_session::BrokerKey;

use self::progress::Progress;
pub use self::session::{BatchWriter, BrokerWriter, RecordKey, SessionWriter};
use self::thread::{Inbox, Request};
use crate::store::Role;
use crate::{Loaded, SessionName, Snapshot, Store, StoreError, StoreErrorKind};

/// Writes to a store on a thread of its own, for any number of sessions and brokers, so that nobody else waits for a flush.
///
/// Batches are taken through a queue. While one group is being flushed, everything that arrives waits, and is the next group:
/// one flush covers all that waits, and nobody waits for company. Each session hears of its own batches, by a waker or by
/// waiting: see [`BatchWriter`].
///
/// The queue needs no bound of its own: a machine has at most [`Limits::batches`](mqtt_session::Limits) batches with its store,
/// and reads nothing more until one of them is durable.
///
/// Clones are handles of the same thread. It ends when [`close`](Self::close) is called, or with the last handle, its session
/// writers among them; either writes what waits first. After an error it writes nothing more, and every session hears of it.
///
/// ```
/// use std::time::Duration;
/// use mqtt_session::{Batch, Client, ClientConfig, Instant, Message, QoS};
/// use mqtt_store::{MemoryStore, SessionName, Writer};
///
/// let writer = Writer::start(MemoryStore::new())?;
/// let mut session = writer.session(SessionName::new("sensor-7")?);
///
/// let now = Instant::from_secs(1);
/// let mut client = Client::new(ClientConfig::new("sensor-7")?.is_stored(true), now);
/// client.publish(now, Message::new("t", "21.5")?.qos(QoS::AtLeastOnce), 1)?;
/// let mut batch = Batch::new();
/// while client.poll_store(&mut batch) {
///     session.write(&batch);
/// }
/// // A thread waits like this; a task polls. Both can do something else meanwhile.
/// if let Some(number) = session.wait_stored(Duration::from_secs(10))? {
///     client.handle_stored(now, number);
/// }
/// assert_eq!(writer.load(session.name())?.records.len(), 2, "the message and its payload");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// What all handles share. The thread has the inbox alone, so that it ends when the handles are gone.
struct Shared {
    inbox: Arc<Inbox>,
    thread: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(store: impl Store + 'static) -> io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let thread = Builder::new().name("mqtt-store".to_owned()).spawn({
            let inbox = inbox.clone();
            move || thread::run(&inbox, Box::new(store))
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                inbox,
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// Writes for one session. Its batch numbers begin with any number, and grow: each is one machine's, from its start or its
    /// restore on.
    #[must_use]
    pub fn session(&self, name: SessionName) -> SessionWriter {
        let progress = Arc::new(Progress::default());
        self.shared.inbox.register(&progress);
        SessionWriter::new(name, self.clone(), progress)
    }

    /// The same for a session that nobody else writes for: until what this returns is dropped, no other claim to the name
    /// succeeds. Two machines that write for one session would overwrite each other's records.
    ///
    /// # Errors
    /// If somebody else has claimed the name: [`StoreErrorKind::SessionInUse`].
    pub fn claim(&self, name: SessionName) -> Result<SessionWriter, StoreError> {
        self.claim_for(Role::Session, &name)?;
        Ok(self.session(name).claimed())
    }

    /// Writes for one broker, and for nobody else of that name: until what this returns is dropped, no other call succeeds.
    ///
    /// # Errors
    /// If somebody else writes for a broker of that name: [`StoreErrorKind::SessionInUse`].
    pub fn broker(&self, name: SessionName) -> Result<BrokerWriter, StoreError> {
        self.claim_for(Role::Broker, &name)?;
        let progress = Arc::new(Progress::default());
        self.shared.inbox.register(&progress);
        Ok(BrokerWriter::new(name, self.clone(), progress).claimed())
    }

    fn claim_for(&self, role: Role, name: &SessionName) -> Result<(), StoreError> {
        if self.shared.inbox.claim(role, name) {
            Ok(())
        } else {
            Err(StoreError::new(StoreErrorKind::SessionInUse))
        }
    }

    /// Everything that the store has of a session, with all that was given to be written before. Waits for it.
    ///
    /// # Errors
    /// If the store cannot be read, or has failed.
    pub fn load(&self, name: &SessionName) -> Result<Loaded, StoreError> {
        self.ask(|answer| Request::Load(name.clone(), answer))
    }

    /// The names of all sessions, with all that was given to be written before. Waits for them.
    ///
    /// # Errors
    /// If the store cannot be read, or has failed.
    pub fn sessions(&self) -> Result<Vec<SessionName>, StoreError> {
        self.ask(Request::Sessions)
    }

    /// Everything that the store has of a broker, with all that was given to be written before. Waits for it.
    ///
    /// # Errors
    /// If the store cannot be read, or has failed.
    pub fn load_broker(&self, name: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        self.ask(|answer| Request::LoadBroker(name.clone(), answer))
    }

    /// The names of all brokers, with all that was given to be written before. Waits for them.
    ///
    /// # Errors
    /// If the store cannot be read, or has failed.
    pub fn brokers(&self) -> Result<Vec<SessionName>, StoreError> {
        self.ask(Request::Brokers)
    }

    /// All that the store has, with all that was given to be written before, to be copied while others go on writing. Waits for it.
    ///
    /// # Errors
    /// If the store cannot be read, has failed, or is of a kind that cannot be copied while it is used.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.ask(Request::Snapshot)
    }

    /// Writes everything that waits, closes the store and ends the thread. Handles that are left find it stopped.
    ///
    /// # Errors
    /// If the store has failed, or fails to be closed. What was confirmed is durable all the same.
    pub fn close(self) -> Result<(), StoreError> {
        self.shared.end()
    }

    fn ask<T>(
        &self,
        request: impl FnOnce(mpsc::SyncSender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shared.inbox.push(request(sender))?;
        receiver
            .recv()
            .unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Stopped)))
    }

    fn push(&self, request: Request) -> Result<(), StoreError> {
        self.shared.inbox.push(request)
    }

    fn release(&self, role: Role, name: &SessionName) {
        self.shared.inbox.release(role, name);
    }
}

impl Shared {
    fn end(&self) -> Result<(), StoreError> {
        self.inbox.end();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(StoreError::new(StoreErrorKind::Stopped)),
            None => Ok(()),
        }
    }
}

impl Drop for Shared {
    /// Who wants to know whether it went well calls `close`.
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
