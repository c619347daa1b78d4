//! What a store of record batches promises.

use bytes::Bytes;
use mqtt_session::{
    BrokerChange, BrokerKey, BrokerRecord, BrokerRestore, Change, ClientRestore, Key, RecordError, SessionRestore,
};

use crate::{SessionName, Snapshot, StoreError, StoreErrorKind};

/// A store of the records of any number of sessions and brokers.
///
/// A session and a broker may have the same name: they have nothing to do with each other.
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

    /// The brokers that have been written and not forgotten, by name.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError>;

    /// Everything there is of a broker, in the order of the keys. A broker that was never written has nothing.
    ///
    /// # Errors
    /// If the store cannot be read. A damaged record is no error: see [`Stored::Damaged`].
    fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError>;

    /// All that the store has now, to be copied while it goes on.
    ///
    /// # Errors
    /// If the store cannot be read, or cannot be copied while it is used: [`StoreErrorKind::NoSnapshots`],
    /// which is what this says unless a store has something better.
    fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        Err(StoreError::new(StoreErrorKind::NoSnapshots))
    }

    /// Ends the use of the store. What was committed is durable without it; it makes the next start faster.
    ///
    /// # Errors
    /// If the medium fails.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// One step of the one order of a store.
#[derive(Clone, Debug)]
pub struct Write {
    /// Whose records change: the name of a session, or of a broker if the action is one of a broker.
    pub session: SessionName,
    /// How.
    pub action: Action,
}

/// Whom a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Session,
    Broker,
}

/// What is done to the records of a session or of a broker.
#[derive(Clone, Debug)]
pub enum Action {
    /// The changes of one batch, in order.
    Apply(Vec<Change>),
    /// The session ends: its name and all of its records go.
    Forget,
    /// The changes of one batch of a broker, in order.
    ApplyBroker(Vec<BrokerChange>),
    /// The broker ends: its name and all of its records go.
    ForgetBroker,
}

impl Action {
    pub(crate) const fn role(&self) -> Role {
        match self {
            Self::Apply(_) | Self::Forget => Role::Session,
            Self::ApplyBroker(_) | Self::ForgetBroker => Role::Broker,
        }
    }
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

    /// Applies the changes of a batch of a broker.
    #[must_use]
    pub const fn apply_broker(broker: SessionName, changes: Vec<BrokerChange>) -> Self {
        Self {
            session: broker,
            action: Action::ApplyBroker(changes),
        }
    }

    /// Ends a broker: all of its sessions and retained messages go.
    #[must_use]
    pub const fn forget_broker(broker: SessionName) -> Self {
        Self {
            session: broker,
            action: Action::ForgetBroker,
        }
    }
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<K = Key> {
    /// A record, as it was encoded. The store has checked that these are the bytes it was given for this session or broker; the
    /// machine checks that they are the record of this key.
    Record(K, Bytes),
    /// Something that cannot be read any more. The machine decides what is lost with it, and deletes it.
    Damaged(K),
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

impl Stored<BrokerKey> {
    /// The key.
    #[must_use]
    pub const fn broker_key(&self) -> &BrokerKey {
        match self {
            Self::Record(key, _) | Self::Damaged(key) => key,
        }
    }
}

/// What a store has of one session or, with [`BrokerKey`], of one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<K = Key> {
    /// In the order of the keys.
    pub records: Vec<Stored<K>>,
}

impl<K> Default for Loaded<K> {
    fn default() -> Self {
        Self { records: Vec::new() }
    }
}

impl<K> Loaded<K> {
    /// Whether there is nothing: the session or broker was never written, or was forgotten.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Loaded {
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

impl Loaded<BrokerKey> {
    /// Gives everything to a broker that is being restored.
    ///
    /// # Errors
    /// If a record has a version that this one does not know. It is not damaged, and a broker that goes on without it would
    /// remove it: nothing has been given to the restore then.
    pub fn into_broker(self, restore: &mut BrokerRestore) -> Result<(), RecordError> {
        let decoded = self.records.into_iter().map(|stored| match stored {
            Stored::Record(key, bytes) => match BrokerRecord::decode(&bytes) {
                Ok(record) if record.key() == key => Ok(Ok(record)),
                Err(error @ RecordError::Version(_)) => Err(error),
                _ => Ok(Err(key)),
            },
            Stored::Damaged(key) => Ok(Err(key)),
        });
        let decoded: Vec<_> = decoded.collect::<Result<_, _>>()?;
        for record in decoded {
            match record {
                Ok(record) => restore.record(record),
                Err(key) => restore.damaged(key),
            }
        }
        Ok(())
    }
}
