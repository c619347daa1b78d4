//! What a broker keeps in its store.

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{SubscriptionId, SubscriptionOptions, TopicFilter, TopicName};

use super::party::Party;
use super::peers::ShardId;
use super::sessions::SessionId;
use crate::store::{Key, MessageRecord, PayloadOf, Record};
use crate::time::Instant;

/// The name of a payload in the store. All copies of a message share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadId(pub(super) u64);

/// The name of a record in the store of a broker. A put replaces the record of the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BrokerKey {
    /// The broker itself.
    Broker,
    /// A client and its session.
    Client(SessionId),
    /// A record of a session.
    Session(SessionId, Key),
    /// A subscription of a session.
    Subscription(SessionId, TopicFilter<Bytes>),
    /// A retained message.
    Retained(TopicName<Bytes>),
    /// A payload.
    Payload(PayloadId),
    /// A message on its way to the other shards.
    Forward(ForwardId),
    /// How far the messages of another shard have been taken.
    Shard(ShardId),
}

/// A piece of what a broker keeps.
///
/// ```text
///  Broker: clock, last numbers of sessions and of messages
///
///  Client 5 "sensor-7": expiry, end, will with its payload
///    │
///    ├── Session 5: Session, Outgoing(1), Outgoing(2), Incoming(300)     the exchanges, as a client has them too
///    │                          │            │
///    ├── PayloadOf 5:      Outgoing(1)   Outgoing(2) ──────┐
///    │                          │                          ▼
///    │                          └─────────────────> Payload 9 "21.5"     one, whoever uses it
///    │                                                     ▲
///    └── Subscription 5 "home/+": options, replayed up to "home/hall"    │
///                                                          │
///  Retained "home/kitchen" ────────────────────────────────┘
/// ```
///
/// | record | put | deleted |
/// |---|---|---|
/// | [`Broker`](Self::Broker) | when numbers for sessions or messages are set aside | never |
/// | [`Client`](Self::Client) | before CONNACK, and when its connection ends | when its session ends |
/// | [`Session`](Self::Session) | as [`Record`] says | as [`Record`] says, and with its session |
/// | [`PayloadOf`](Self::PayloadOf) | with the message | with the message |
/// | [`Subscription`](Self::Subscription) | before SUBACK, and as its replay goes on | before UNSUBACK, and with its session |
/// | [`Retained`](Self::Retained) | before PUBACK or PUBREC | when it is removed, replaced or expires |
/// | [`Payload`](Self::Payload) | in the batch of its first user | in the batch of its last |
/// | [`Forward`](Self::Forward) | before PUBREC, with several shards | when all shards have it |
/// | [`Shard`](Self::Shard) | with the copies of what another shard has forwarded | never |
///
/// A message to a thousand sessions is a thousand small records and one payload, in one batch. Keys sort so that
/// all of a session stands together: see [`BrokerKey::encode`]. [`encode`](Self::encode) gives a record as bytes that say
/// their version and detect damage.
///
/// # What is damaged
///
/// | damaged | lost |
/// |---|---|
/// | [`Client`](Self::Client); in [`Session`](Self::Session) the session itself or an exchange of QoS 2 | the session: its client is told that there is none |
/// | a message of a session, [`PayloadOf`](Self::PayloadOf) | that message, or as [`SessionRestore`](crate::SessionRestore) says |
/// | [`Subscription`](Self::Subscription), [`Retained`](Self::Retained) | it alone |
/// | [`Payload`](Self::Payload) | the messages that have it |
/// | [`Broker`](Self::Broker) | nothing: the names that are in use are known from the other records, and from other shards |
/// | [`Forward`](Self::Forward) | that message, on the shards that do not have it yet |
/// | [`Shard`](Self::Shard) | how far that shard's messages were taken: one of QoS 2 that was on its way from it when both ended may come twice |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerRecord {
    /// The broker itself.
    Broker {
        /// When this was written: the clock of the machine never goes back behind it.
        saved_at: Instant,
        /// Sessions up to this number have been named.
        sessions: u64,
        /// Messages that are retained or on their way to other shards have been named up to this number.
        forwards: u64,
    },
    /// A client and its session.
    Client(ClientRecord),
    /// A record of a session; its payloads are [`PayloadOf`](Self::PayloadOf).
    Session {
        /// Whose.
        session: SessionId,
        /// The record.
        record: Record,
    },
    /// Which payload a message of a session has.
    PayloadOf {
        /// Whose.
        session: SessionId,
        /// Which message.
        of: PayloadOf,
        /// Its payload.
        payload: PayloadId,
    },
    /// A subscription of a session.
    Subscription(SubscriptionRecord),
    /// A retained message.
    Retained {
        /// The message, without its payload.
        message: MessageRecord,
        /// Its payload.
        payload: PayloadId,
        /// Who published it. `None`: the host did, or an earlier version wrote this, which kept no names.
        publisher: Option<Party>,
        /// Which message it is. The default: nobody knows, since an earlier version wrote this.
        origin: Origin,
    },
    /// A payload.
    Payload {
        /// Its name.
        id: PayloadId,
        /// The payload.
        bytes: Bytes,
    },
    /// A message of QoS 2 on its way to the other shards.
    Forward(ForwardRecord),
    /// How far the messages of another shard have been taken.
    Shard {
        /// Which shard.
        shard: ShardId,
        /// Its messages up to this one are with their sessions.
        upto: ForwardId,
    },
}

/// A client and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// The name of the session.
    pub session: SessionId,
    /// The client, and whose it is.
    pub who: Party,
    /// How long the session outlives its connection, in seconds; `u32::MAX`: for ever.
    pub session_expiry_seconds: u32,
    /// When it ends, if nobody comes. `None`: somebody was connected when this was written, or it never ends.
    pub ends_at: Option<Instant>,
    /// The will of the last connection.
    pub will: Option<WillRecord>,
}

/// A will that was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WillRecord {
    /// The message, without its payload.
    pub message: MessageRecord,
    /// Its Message Expiry Interval, which begins when it is published.
    pub expiry_seconds: Option<u32>,
    /// Its payload, which is nobody else's.
    pub payload: Bytes,
    /// How long after the end of the connection it is due, in seconds.
    pub delay_seconds: u32,
    /// When it is due. `None`: its connection was open.
    pub at: Option<Instant>,
}

/// A subscription of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// Whose.
    pub session: SessionId,
    /// To what, with the name of its group, if it is shared.
    pub filter: TopicFilter<Bytes>,
    /// How. The QoS is the one that was granted.
    pub options: SubscriptionOptions,
    /// By what identifier the client recognises its messages.
    pub identifier: Option<SubscriptionId>,
    /// How far the retained messages have been sent, if not all of them.
    pub replay: Option<ReplayRecord>,
}

/// How far the retained messages of a subscription have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRecord {
    /// The shard whose messages are being sent. Those of shards before it have been.
    pub shard: ShardId,
    /// The last one of it; `None`: none yet.
    pub after: Option<TopicName<Bytes>>,
    /// The last message of each shard, by its number, that was here when the client subscribed: later ones are not sent
    /// again. Empty: an earlier version wrote this, and those of it alone are sent.
    pub seen: Vec<ForwardId>,
}

/// Which message is retained: the shard that it was published on, and its name there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The shard.
    pub shard: ShardId,
    /// Its name among the messages of that shard.
    pub name: ForwardId,
}

impl Origin {
    /// Whether it is none of the messages up to these, by shard.
    pub(super) fn is_behind(self, seen: &[ForwardId]) -> bool {
        self.name > seen.get(usize::from(self.shard.0)).copied().unwrap_or_default()
    }
}

/// The name of a message that is to be retained, or is on its way from one shard to the others. Later ones of a shard have
/// higher numbers, over restarts too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardId(pub(super) u64);

/// A message that came to this shard and is not yet with the sessions of the others.
///
/// Its client has been told that it is taken. Whatever ends in between, the others get it again and take it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRecord {
    /// Its name.
    pub id: ForwardId,
    /// The message, without its payload.
    pub message: MessageRecord,
    /// Its payload.
    pub payload: PayloadId,
    /// Who published it, if it is to be retained and did not come from the host.
    pub publisher: Option<Party>,
    /// It is for all who are subscribed; otherwise for the groups alone.
    pub is_routed: bool,
    /// Which groups get it on which shard.
    pub groups: Vec<(ShardId, TopicFilter<Bytes>)>,
}

impl BrokerRecord {
    /// The key of the record.
    #[must_use]
    pub fn key(&self) -> BrokerKey {
        match self {
            Self::Broker { .. } => BrokerKey::Broker,
            Self::Client(client) => BrokerKey::Client(client.session),
            Self::Session { session, record } => BrokerKey::Session(*session, record.key()),
            Self::PayloadOf { session, of, .. } => BrokerKey::Session(*session, Key::Payload(*of)),
            Self::Subscription(subscription) => {
                BrokerKey::Subscription(subscription.session, subscription.filter.clone())
            }
            Self::Retained { message, .. } => BrokerKey::Retained(message.topic.clone()),
            Self::Payload { id, .. } => BrokerKey::Payload(*id),
            Self::Forward(forward) => BrokerKey::Forward(forward.id),
            Self::Shard { shard, .. } => BrokerKey::Shard(*shard),
        }
    }
}

/// One change of the store of a broker. Applying it twice has the effect of applying it once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "most changes are puts, and a box would be an allocation for each of them"
)]
pub enum BrokerChange {
    /// Writes a record, in the place of any earlier one with its key.
    Put(BrokerRecord),
    /// Removes the record with this key, if there is one.
    Delete(BrokerKey),
}

/// Changes that become durable together or not at all, in this order.
#[derive(Clone, Debug, Default)]
pub struct BrokerBatch {
    number: u64,
    changes: Vec<BrokerChange>,
}

impl BrokerChange {
    /// The key of the record that changes.
    #[must_use]
    pub fn key(&self) -> BrokerKey {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}

impl BrokerBatch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            number: 0,
            changes: Vec::new(),
        }
    }

    /// Its place in the one order of all batches of a broker, to report it by; 0 if it was never filled.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The changes, in order.
    #[must_use]
    pub fn changes(&self) -> &[BrokerChange] {
        &self.changes
    }

    pub(super) fn fill(&mut self, number: u64, changes: &mut Vec<BrokerChange>) {
        self.number = number;
        self.changes.clear();
        self.changes.append(changes);
    }
}
