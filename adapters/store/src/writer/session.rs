//! What one session or one broker has of the thread.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_session::{Batch, BrokerBatch, BrokerChange, BrokerKey, Change, Key};

use super::Writer;
use super::progress::Progress;
use super::thread::Request;
use crate::store::Role;
use crate::{Loaded, SessionName, StoreError, Write};

/// Gives the batches of one session to a [`Writer`].
pub type SessionWriter = BatchWriter<Key>;

/// Gives the batches of one broker to a [`Writer`].
pub type BrokerWriter = BatchWriter<BrokerKey>;

/// Whose records have these keys: a session's [`Key`], or a broker's [`BrokerKey`]. There are no others.
pub trait RecordKey: sealed::Sealed {}

impl RecordKey for Key {}
impl RecordKey for BrokerKey {}

/// Gives the batches of one session or broker to a [`Writer`], and hears when they are durable.
///
/// [`write`](Self::write) never waits: it clones the handles of what the batch holds. What is heard is the number of the last
/// durable batch, which is what `handle_stored` takes; an error is what `handle_store_failed` is for. There are three ways to
/// hear: [`poll_stored`](Self::poll_stored) for tasks, and for event loops that make a waker of what wakes them;
/// [`wait_stored`](Self::wait_stored) for threads; and [`try_stored`](Self::try_stored) for those who look from time to time.
pub struct BatchWriter<K: RecordKey> {
    name: SessionName,
    writer: Writer,
    progress: Arc<Progress>,
    is_claimed: bool,
    keys: PhantomData<fn() -> K>,
}

impl<K: RecordKey> BatchWriter<K> {
    pub(super) const fn new(name: SessionName, writer: Writer, progress: Arc<Progress>) -> Self {
        Self {
            name,
            writer,
            progress,
            is_claimed: false,
            keys: PhantomData,
        }
    }

    /// It gives the name back when it is dropped.
    pub(super) fn claimed(mut self) -> Self {
        self.is_claimed = true;
        self
    }

    /// The name of the session or broker.
    #[must_use]
    pub const fn name(&self) -> &SessionName {
        &self.name
    }

    /// Everything that the store has of it, with all that was given to be written before. Waits for it.
    ///
    /// # Errors
    /// If the store cannot be read, or has failed.
    pub fn load(&self) -> Result<Loaded<K>, StoreError> {
        K::load(&self.writer, &self.name)
    }

    /// Gives a batch to be written. If the store has failed, that is heard the next time that somebody listens.
    pub fn write(&mut self, batch: &K::Batch) {
        let (number, changes) = K::parts(batch);
        self.write_changes(number, changes.to_vec());
    }

    /// The same, from changes that nobody else needs: this is for hosts that put batches together themselves.
    pub fn write_changes(&mut self, number: u64, changes: Vec<K::Change>) {
        self.push(K::apply(self.name.clone(), changes), Some(number));
    }

    /// Ends the session or broker: its name and its records go, those of batches that were given before among them. A batch that
    /// is given later begins it anew.
    pub fn forget(&mut self) {
        self.push(K::forget(self.name.clone()), None);
    }

    fn push(&mut self, write: Write, number: Option<u64>) {
        let request = Request::Write {
            write,
            number: number.map(|number| (self.progress.clone(), number)),
        };
        if let Err(error) = self.writer.push(request) {
            self.progress.failed(&error);
        }
    }

    /// The number of the last durable batch, if there is one that was not heard of.
    ///
    /// # Errors
    /// If the store has failed: nothing is confirmed any more.
    pub fn try_stored(&mut self) -> Result<Option<u64>, StoreError> {
        self.progress.hear()
    }

    /// The same, and otherwise wakes the task when there is something to hear. Only the last waker is woken.
    ///
    /// # Errors
    /// If the store has failed: nothing is confirmed any more.
    pub fn poll_stored(&mut self, context: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        self.progress.poll(context)
    }

    /// Waits until there is something to hear, and for so long at most.
    ///
    /// # Errors
    /// If the store has failed: nothing is confirmed any more.
    pub fn wait_stored(&mut self, timeout: Duration) -> Result<Option<u64>, StoreError> {
        self.progress.wait(timeout)
    }
}

impl<K: RecordKey> Drop for BatchWriter<K> {
    fn drop(&mut self) {
        if self.is_claimed {
            self.writer.release(K::ROLE, &self.name);
        }
    }
}

impl<K: RecordKey> fmt::Debug for BatchWriter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchWriter")
            .field("role", &K::ROLE)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

mod sealed {
    use super::{
        Batch, BrokerBatch, BrokerChange, BrokerKey, Change, Key, Loaded, Role, SessionName, StoreError, Write, Writer,
    };

    /// What is different between sessions and brokers.
    pub trait Sealed: Sized {
        type Batch;
        type Change: Clone;

        const ROLE: Role;

        fn parts(batch: &Self::Batch) -> (u64, &[Self::Change]);
        fn apply(name: SessionName, changes: Vec<Self::Change>) -> Write;
        fn forget(name: SessionName) -> Write;
        fn load(writer: &Writer, name: &SessionName) -> Result<Loaded<Self>, StoreError>;
    }

    impl Sealed for Key {
        type Batch = Batch;
        type Change = Change;

        const ROLE: Role = Role::Session;

        fn parts(batch: &Batch) -> (u64, &[Change]) {
            (batch.number(), batch.changes())
        }

        fn apply(name: SessionName, changes: Vec<Change>) -> Write {
            Write::apply(name, changes)
        }

        fn forget(name: SessionName) -> Write {
            Write::forget(name)
        }

        fn load(writer: &Writer, name: &SessionName) -> Result<Loaded, StoreError> {
            writer.load(name)
        }
    }

    impl Sealed for BrokerKey {
        type Batch = BrokerBatch;
        type Change = BrokerChange;

        const ROLE: Role = Role::Broker;

        fn parts(batch: &BrokerBatch) -> (u64, &[BrokerChange]) {
            (batch.number(), batch.changes())
        }

        fn apply(name: SessionName, changes: Vec<BrokerChange>) -> Write {
            Write::apply_broker(name, changes)
        }

        fn forget(name: SessionName) -> Write {
            Write::forget_broker(name)
        }

        fn load(writer: &Writer, name: &SessionName) -> Result<Loaded<Self>, StoreError> {
            writer.load_broker(name)
        }
    }
}
