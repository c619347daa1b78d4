//! The store that a durable client keeps its session in.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use mqtt_session::{Batch, Client as Machine, ClientConfig, Instant, Key};
use mqtt_store::{FileStore, SessionName, SessionWriter, StoreError, Writer};

use super::restored::{Restored, Restoring};
use crate::{Cause, ClientOptions};

impl ClientOptions {
    /// Keeps the session in the store of this file, which is made if there is none: see [`store`](Self::store). The file is
    /// this client's own, by any number of restarts; clients that share one share its [`Writer`].
    ///
    /// Reads the whole file, and blocks for as long as that takes. To look at what was saved from a damaged file, or to set
    /// what a write survives, open a [`FileStore`] and start a [`Writer`] on it.
    ///
    /// # Errors
    /// If the file is in use, is no store, or cannot be opened.
    pub fn store_at(self, path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let store = FileStore::open(path)?;
        Ok(self.store(&Writer::start(store).map_err(StoreError::io)?))
    }

    /// Keeps the session in this store, under the client identifier, which has to be set. With it
    ///
    /// - a message of QoS 1 or 2 that [`Publish::accepted`](crate::Publish::accepted) has accepted survives the process, and
    ///   is sent until the server has it;
    /// - a received message of QoS 1 or 2 is acknowledged to the server when it is stored, and told again after a restart
    ///   with the same [`DeliveryId`](mqtt_session::DeliveryId) until it is acknowledged here. Messages that belong to no
    ///   subscription wait for one, see [`unclaimed`](Self::unclaimed);
    /// - the server is asked to keep the session for ever, as it does in MQTT 3, if
    ///   [`session_expiry`](Self::session_expiry) says nothing else;
    /// - a client whose store has a session goes on with it; otherwise it begins anew. In MQTT 3 a session that begins anew ends
    ///   with its connection, so what is kept begins with the second one (after a restart too), unless
    ///   [`CleanStart::Never`](mqtt_session::CleanStart) says that the server has nothing of an earlier life;
    /// - a client that ends does so when everything is stored.
    ///
    /// What a client begins with is read when it is started, which blocks for as long as that takes, and is told by
    /// [`Client::restored`](crate::Client::restored).
    ///
    /// A store that fails ends the client with [`Cause::Store`]. What was confirmed is in it: open it again, and start
    /// another client.
    #[must_use]
    pub fn store(mut self, writer: &Writer) -> Self {
        self.store = Some(writer.clone());
        self
    }
}

/// Where the session of a durable client is kept.
#[derive(Debug)]
pub(super) struct Durable {
    writer: Option<SessionWriter>,
    closing: Option<Arc<Closed>>,
}

/// A machine with what its store has, or one in memory if it has none.
pub(super) fn machine(options: &ClientOptions, config: ClientConfig, now: Instant) -> (Machine, Restoring) {
    let Some(writer) = &options.store else {
        return (Machine::new(config, now), Restoring::Memory);
    };
    match restore(writer, config.clone(), now) {
        Ok(restored) => restored,
        Err(cause) => (Machine::new(config.is_stored(false), now), Restoring::Failed(cause)),
    }
}

fn restore(writer: &Writer, config: ClientConfig, now: Instant) -> Result<(Machine, Restoring), Cause> {
    if config.client_id.is_empty() {
        return Err(Cause::Nameless);
    }
    let name = SessionName::new(config.client_id.as_bytes()).map_err(|_| Cause::Nameless)?;
    let writer = writer.claim(name).map_err(Cause::Store)?;
    let loaded = writer.load().map_err(Cause::Store)?;
    let is_inbox = |key: &Key| matches!(key, Key::Inbox(_));
    let keys = loaded.records.iter().map(mqtt_store::Stored::key);
    let incoming = keys.filter(is_inbox).count();
    let mut restore = Machine::restore(config, now);
    loaded.into_client(&mut restore);
    let (machine, report) = restore.finish();
    let damaged: Vec<Key> = report.quarantined.iter().map(|quarantined| quarantined.key).collect();
    let restored = Restored {
        outgoing: report.live.len(),
        incoming: incoming.saturating_sub(damaged.iter().filter(|key| is_inbox(key)).count()),
        damaged,
        session_ended: report.session_ended,
    };
    let live = report.live.iter().map(|live| live.op).collect();
    let durable = Durable {
        writer: Some(writer),
        closing: None,
    };
    Ok((machine, Restoring::Durable(durable, restored, live)))
}

impl Durable {
    pub(super) fn write(&mut self, batch: &Batch) {
        if let Some(writer) = &mut self.writer {
            writer.write(batch);
        }
    }

    /// The number of the last durable batch, when there is another one.
    pub(super) fn poll_stored(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, Cause>> {
        match &mut self.writer {
            Some(writer) => writer.poll_stored(cx).map_err(Cause::Store),
            None => Poll::Pending,
        }
    }

    /// Gives the store back. Ready when somebody else may have it.
    ///
    /// Whoever gives back the last handle of a store closes it, which waits for its medium: so another thread does.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(writer) = self.writer.take() {
            let closed = Arc::new(Closed::default());
            let tells = Tells(Arc::clone(&closed));
            let thread = thread::Builder::new().name("mqtt-store-end".to_owned());
            // Without a thread the writer is dropped here.
            let spawned = thread.spawn(move || {
                drop(writer);
                drop(tells);
            });
            self.closing = spawned.is_ok().then_some(closed);
        }
        match &self.closing {
            Some(closed) => closed.poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// Whether the store has been given back.
#[derive(Debug, Default)]
struct Closed {
    state: Mutex<(bool, Option<Waker>)>,
}

impl Closed {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Tells so when it is dropped, which it is whatever becomes of the thread.
struct Tells(Arc<Closed>);

impl Drop for Tells {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = true;
            state.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}
