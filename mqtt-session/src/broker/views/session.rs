//! One session, and its subscriptions.

use bytes::Bytes;
use mqtt_proto::{SubscriptionId, SubscriptionOptions, TopicFilter, Version};

use crate::Message;
use crate::broker::connections::Connection;
use crate::broker::routes::Wanted;
use crate::broker::sessions::{Entry, Place, SessionId};
use crate::broker::{Broker, ConnectionId, Party};
use crate::session::{Holding, SessionState};
use crate::time::Instant;

/// What can be seen of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'b> {
    broker: &'b Broker,
    slot: u32,
    entry: &'b Entry,
}

impl<'b> SessionView<'b> {
    /// The session in this slot, if it is that of a client and has not ended.
    pub(super) fn new(broker: &'b Broker, slot: u32) -> Option<Self> {
        let entry = broker.sessions.get(slot)?;
        let is_client = matches!(entry.place, Place::Connected(_) | Place::Parked(_));
        is_client.then_some(Self { broker, slot, entry })
    }

    fn known(&self) -> Option<&'b Connection> {
        match self.entry.place {
            Place::Connected(slot) => self.broker.connections.get(slot),
            _ => None,
        }
    }

    fn holding(&self) -> Holding {
        match (&self.entry.place, self.known()) {
            (Place::Parked(session), _) => session.state.holding(),
            (_, Some(known)) => known.machine.holding(),
            _ => Holding::default(),
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn who(&self) -> &'b Party {
        &self.entry.who
    }

    /// The name of its client.
    #[must_use]
    pub fn client_id(&self) -> &'b [u8] {
        self.entry.who.client_id()
    }

    /// Its own name, which no other session ever has.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.entry.id
    }

    /// The connection of its client. `None`: the client is away.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.known().map(|known| known.id)
    }

    /// The version that the client speaks on its connection.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.known()?.machine.version()
    }

    /// The keep-alive on its connection, in seconds. Zero: there is none.
    #[must_use]
    pub fn keep_alive_seconds(&self) -> Option<u16> {
        self.known().map(|known| known.machine.keep_alive_seconds())
    }

    /// When the client came, or when it went if it is away. `None`: it went in an earlier life of the broker.
    #[must_use]
    pub const fn since(&self) -> Option<Instant> {
        self.entry.since
    }

    /// For how many seconds it outlives its connection. Zero: it ends with it. [`u32::MAX`]: it has no end.
    #[must_use]
    pub fn expiry_seconds(&self) -> u32 {
        // A client may change it while it is connected, down to its last packet.
        let known = self.known().map(|known| known.machine.session_expiry_seconds());
        known.unwrap_or(self.entry.session_expiry_seconds)
    }

    /// When it ends, if its client stays away. `None`: its client is connected, or it has no end.
    #[must_use]
    pub fn ends_at(&self) -> Option<Instant> {
        match &self.entry.place {
            Place::Parked(session) => session.ends_at(),
            _ => None,
        }
    }

    /// Whether it is stored.
    #[must_use]
    pub const fn is_stored(&self) -> bool {
        self.entry.is_stored
    }

    /// When its will is published. `None`: none waits for its time.
    #[must_use]
    pub fn will_at(&self) -> Option<Instant> {
        self.entry.will.as_ref().map(|will| will.at)
    }

    /// How many messages it has for its client: those that wait, and those that were sent and are not acknowledged.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.holding().messages
    }

    /// How many bytes these take, of [`Limits::queued_bytes`](crate::Limits).
    #[must_use]
    pub fn message_bytes(&self) -> u64 {
        self.holding().bytes
    }

    /// Those of these messages that are on their way to the client: sent, or about to be, and not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.holding().in_flight
    }

    /// How many messages of QoS 2 from the client it knows, since they have not been released.
    #[must_use]
    pub fn incoming(&self) -> usize {
        self.holding().incoming
    }

    /// These messages, the first ones first. Whoever takes a few of them pays for these alone. Left out are copies of QoS 0 that
    /// are encoded already: those that wait for a client that is connected and takes what comes.
    pub fn outgoing(&self) -> impl Iterator<Item = MessageView<'b>> + use<'b> {
        let state = match (&self.entry.place, self.known()) {
            (Place::Parked(session), _) => Some(&session.state),
            (_, known) => known.map(|known| known.machine.session()),
        };
        let exchanges = state.into_iter().flat_map(SessionState::outgoing);
        exchanges.map(|exchange| MessageView {
            message: exchange.message(),
            is_in_flight: exchange.id().is_some(),
            expires_at: exchange.expires_at,
        })
    }

    /// How many subscriptions it has.
    #[must_use]
    pub fn subscriptions_len(&self) -> usize {
        self.broker.routes.subscriptions_of(self.slot)
    }

    /// Its subscriptions. Whoever takes a few of them pays for these alone.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionView<'b>> + use<'b> {
        let who = self.who();
        let all = self.broker.routes.subscriptions(self.slot);
        all.map(move |(filter, wanted)| SubscriptionView::new(who, filter, wanted))
    }
}

/// What can be seen of a message for a client.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'b> {
    /// The message, as it was queued. `None`: the client has it, it is of QoS 2, and only the end of its exchange is left.
    pub message: Option<&'b Message>,
    /// Whether it was sent, or is about to be.
    pub is_in_flight: bool,
    /// When it expires. `None`: it stays.
    pub expires_at: Option<Instant>,
}

/// What can be seen of a subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionView<'b> {
    /// Whose it is.
    pub who: &'b Party,
    /// What it subscribed to: [`TopicFilter::shared`] says which group it is in.
    pub filter: TopicFilter<Bytes>,
    /// What it was granted.
    pub options: SubscriptionOptions,
    /// The identifier that its messages carry.
    pub identifier: Option<SubscriptionId>,
}

impl<'b> SubscriptionView<'b> {
    pub(super) fn new(who: &'b Party, filter: TopicFilter<Bytes>, wanted: Wanted) -> Self {
        Self {
            who,
            filter,
            options: wanted.options,
            identifier: wanted.identifier.and_then(|number| SubscriptionId::new(number.get())),
        }
    }
}
