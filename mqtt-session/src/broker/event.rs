//! What a broker tells and asks its host.

use alloc::boxed::Box;

use bytes::Bytes;
use mqtt_proto::{AuthProperties, AuthReason, Connect, QoS, TopicFilter, TopicName, Version};

use super::{BrokerBound, SessionId};
use crate::{Closed, Message};

/// The name of a connection, which is never used again. Input to one that has ended is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(super) serial: u64,
    pub(super) slot: u32,
}

impl ConnectionId {
    /// A number of its own, for logs.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.serial
    }

    /// A small number that no other open connection has, for a table of the host's. Another connection may have it later.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }
}

/// The name of a question that the host is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId {
    pub(super) number: u64,
    /// Whose packet waits; a will has none.
    pub(super) connection: Option<ConnectionId>,
}

/// A subscription of the host itself. The name is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId {
    pub(super) session: SessionId,
    pub(super) slot: u32,
}

/// What the host says to a question about a message or a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may be.
    pub is_allowed: bool,
    /// What else this answers, until [`policy_changed`](super::Broker::policy_changed).
    pub scope: Scope,
}

impl Verdict {
    /// Yes, to this one.
    pub const ALLOW: Self = Self {
        is_allowed: true,
        scope: Scope::Once,
    };
    /// No, to this one.
    pub const DENY: Self = Self {
        is_allowed: false,
        scope: Scope::Once,
    };

    /// The same for more than this one.
    #[must_use]
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// This packet.
    #[default]
    Once,
    /// Everything that this connection publishes to this topic. Of a subscription: as `Once`.
    Topic,
    /// Everything of this kind on this connection.
    Connection,
}

/// What a broker tells and asks its host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BrokerEvent {
    /// A client wants to connect: answer with `admit`, `refuse` or `challenge`.
    Connect {
        /// Its connection.
        connection: ConnectionId,
        /// What it says of itself.
        connect: Box<Connect<Bytes>>,
    },
    /// A step of an authentication came. Before the client was admitted: answer as `Connect`. Later: with `challenge`,
    /// `authenticated` or `disconnect`.
    Authenticate {
        /// Its connection.
        connection: ConnectionId,
        /// Which step.
        reason: AuthReason,
        /// Method and data.
        properties: AuthProperties<Bytes>,
    },
    /// May this client publish this, or have it retained as before? Answer with `authorize`.
    MayPublish {
        /// To be answered by this name.
        question: QuestionId,
        /// The connection. A will has none, nor has a retained message that is asked about again since [the policy
        /// changed](super::Broker::policy_changed).
        connection: Option<ConnectionId>,
        /// The client.
        client_id: Bytes,
        /// Whose it is, as it was [let in](super::Broker::admit_as).
        owner: Option<Bytes>,
        /// Its topic.
        topic: TopicName<Bytes>,
        /// Its QoS.
        qos: QoS,
        /// Whether it is to be retained.
        retain: bool,
        /// The length of its payload.
        payload_bytes: usize,
    },
    /// May this client subscribe to this, or stay subscribed since [the policy
    /// changed](super::Broker::policy_changed)? Answer with `authorize`.
    MaySubscribe {
        /// To be answered by this name.
        question: QuestionId,
        /// Whose packet it is about, or who is connected to the session of a subscription that is there. `None`: nobody is.
        connection: Option<ConnectionId>,
        /// The client.
        client_id: Bytes,
        /// Whose it is, as it was [let in](super::Broker::admit_as).
        owner: Option<Bytes>,
        /// The filter, with the name of its group, if it is shared.
        filter: TopicFilter<Bytes>,
        /// The QoS asked for.
        qos: QoS,
    },
    /// A client is connected.
    Connected {
        /// Its connection.
        connection: ConnectionId,
        /// Its name.
        client_id: Bytes,
        /// What it speaks.
        version: Version,
        /// Whether it goes on with a session.
        session_present: bool,
    },
    /// A connection ended before its client was let in: what came was no MQTT or broke a rule, it was refused, it took too long,
    /// or it went by itself.
    NotAdmitted {
        /// Which.
        connection: ConnectionId,
        /// The name that it gave in CONNECT, which it has not proved. Empty: none, or no CONNECT was read.
        client_id: Bytes,
        /// The name of the user that it gave in CONNECT, which it has not proved.
        username: Option<Bytes>,
        /// Why.
        reason: Closed,
    },
    /// The connection of a client that was let in ended.
    Disconnected {
        /// Which.
        connection: ConnectionId,
        /// The client.
        client_id: Bytes,
        /// Why.
        reason: Closed,
    },
    /// A session ended, and with it its subscriptions and what waited for its client.
    SessionEnded {
        /// The client.
        client_id: Bytes,
    },
    /// Messages to a client were dropped since the last event of this kind about it, each counted in
    /// [`Figures`](super::Figures) too.
    Dropped {
        /// The client.
        client_id: Bytes,
        /// How many.
        messages: u64,
    },
    /// A subscription ended, since the host does not allow it any more.
    Revoked {
        /// The client.
        client_id: Bytes,
        /// Its filter, with the name of its group, if it was shared.
        filter: TopicFilter<Bytes>,
    },
    /// A retained message was dropped, since the host does not allow it any more.
    RetainedRevoked {
        /// The client that published it.
        client_id: Bytes,
        /// Its topic.
        topic: TopicName<Bytes>,
    },
    /// A message for a subscription of the host.
    Delivered {
        /// Which subscription.
        local: LocalId,
        /// The message.
        message: Message,
    },
    /// A bound was met since the last event of this kind about it. What happened is counted in
    /// [`Figures`](super::Figures) too.
    LimitHit {
        /// Which.
        bound: BrokerBound,
        /// How often.
        times: u64,
        /// The client that met it at last. `None`: none, or one that has not said its name.
        client_id: Option<Bytes>,
    },
    /// Events that only inform had no room, and are missing here.
    Missed {
        /// How many.
        events: u64,
    },
    /// The store has failed: nothing is acknowledged any more, and all connections have ended.
    StoreFailed,
}
