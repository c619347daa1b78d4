//! What a store of record batches promises.

use bytes::Bytes;
use mqtt_session::{Change, ClientRestore, Key, SessionRestore};

use crate::{SessionName, StoreError};

/// A store of the records of any number of sessions.
///
/// It is used by one thread, which may block: [`Writer`](crate::Writer) is that thread for everybody else. What is written has
/// one order. Each implementation gives back the same records after the same writes; the crate's tests hold all of them
/// against each other.
pub trait Store: Send {
    /// Makes a group of writes durable, in this order, all of them or none.
    ///
    /// When this returns, the whole group is as durable as the store promises, and so is everything before it. One flush covers
    /// the group, however many writes it has.
    ///
    /// # Errors
    /// If it cannot be said that the group is durable. It may be there after a restart all the same, as a whole. From then on
    /// every call of this fails: what the medium did with a flush that failed is not known, so the store confirms nothing
    /// again until it is opened anew.
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError>;

    /// The sessions that have been written and not forgotten, by name.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError>;

    /// Everything there is of a session, in the order of the keys. A session that was never written has nothing.
    ///
    /// # Errors
    /// If the store cannot be read. A damaged record is no error: see [`Stored::Damaged`].
    fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError>;

    /// Ends the use of the store. What was committed is durable without it; it makes the next start faster.
    ///
    /// # Errors
    /// If the medium fails.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// One step of the one order of a store.
#[derive(Clone, Debug)]
pub struct Write {
    /// Whose records change.
    pub session: SessionName,
    /// How.
    pub action: Action,
}

/// What is done to the records of a session.
#[derive(Clone, Debug)]
pub enum Action {
    /// The changes of one batch, in order.
    Apply(Vec<Change>),
    /// The session ends: its name and all of its records go.
    Forget,
}

impl Write {
    /// Applies the changes of a batch.
    #[must_use]
    pub const fn apply(session: SessionName, changes: Vec<Change>) -> Self {
        Self {
            session,
            action: Action::Apply(changes),
        }
    }

    /// Ends a session.
    #[must_use]
    pub const fn forget(session: SessionName) -> Self {
        Self {
            session,
            action: Action::Forget,
        }
    }
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A record, as it was encoded. The store has checked that these are the bytes it was given for this session; the machine
    /// checks that they are the record of this key.
    Record(Key, Bytes),
    /// Something that cannot be read any more. The machine decides what is lost with it, and deletes it.
    Damaged(Key),
}

impl Stored {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> Key {
        match self {
            Self::Record(key, _) | Self::Damaged(key) => *key,
        }
    }
}

/// What a store has of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// In the order of the keys.
    pub records: Vec<Stored>,
}

impl Loaded {
    /// Whether there is nothing: the session was never written, or was forgotten.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Gives everything to a client that is being restored.
    pub fn into_client(self, restore: &mut ClientRestore) {
        for stored in self.records {
            match stored {
                Stored::Record(key, bytes) => restore.encoded(key, &bytes),
                Stored::Damaged(key) => restore.damaged(key),
            }
        }
    }

    /// Gives everything to a session of a server that is being restored.
    pub fn into_session(self, restore: &mut SessionRestore) {
        for stored in self.records {
            match stored {
                Stored::Record(key, bytes) => restore.encoded(key, &bytes),
                Stored::Damaged(key) => restore.damaged(key),
            }
        }
    }
}
