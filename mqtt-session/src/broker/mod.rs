//! A whole broker as one pure state machine: any number of connections, their sessions, and the messages between them.
//!
//! ```text
//!  bytes ──> ServerConnection ──> Message, Subscribe, .. ──> the host is asked ──> routes ──> copies ──> sessions
//!             one a client          in the order in which      if it wants to                retained     │  queue,
//!                  ▲                they came                                                messages     │  window,
//!                  └──────────────────────────────────────────────────────────────────────────────────────┘  store
//! ```
//!
//! Each connection is a [`ServerConnection`], with its handshake, its keep-alive, its quotas and its session; the broker is the
//! host of all of them. Nothing is done for all connections at once: those that have output stand in a list, and all
//! deadlines in one order.

mod admission;
mod agenda;
mod bounds;
mod config;
mod connections;
mod encoding;
mod ending;
mod event;
mod figures;
mod handing_on;
mod journal;
mod kept;
mod keys;
mod names;
mod output;
mod pace;
mod parked;
mod party;
mod peers;
mod plain;
mod publishing;
mod questions;
mod queued;
mod records;
mod removing;
mod replay;
mod restore;
mod retained;
mod review;
mod routes;
mod seldom;
mod serving;
mod sessions;
mod storing;
mod subscribing;
mod time;
mod topics;
mod views;
mod wills;

pub use bounds::BrokerBound;
pub use config::{Ask, BrokerConfig, BrokerLimits, Share};
pub use event::{BrokerEvent, ConnectionId, LocalId, QuestionId, Scope, Verdict};
pub use figures::{Figure, FigureKind, Figures};
pub use party::Party;
pub use peers::{PeerMessage, PeerPublish, ShardId, Shards};
pub use records::{
    BrokerBatch, BrokerChange, BrokerKey, BrokerRecord, ClientRecord, ForwardId, ForwardRecord, Origin, PayloadId,
    ReplayRecord, SubscriptionRecord, WillRecord,
};
pub use restore::{BrokerReport, BrokerRestore};
pub use routes::Overlap;
pub use sessions::SessionId;
pub use subscribing::LocalError;
pub use views::{Cursor, MessageView, RetainedCursor, RetainedView, SessionView, SubscriptionView};

use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use mqtt_proto::Disconnect;

use crate::flow::Copies;
use crate::random::Random;
use crate::session::Manner;
use crate::shared::Shared;
use crate::time::Instant;
use crate::{HandOver, ServerConfig, ServerConnection};
use agenda::Agenda;
use connections::{Connection, Connections};
use journal::Journal;
use kept::Kept;
use pace::Pace;
use peers::Peers;
use queued::Queued;
use retained::Retained;
use review::Review;
use routes::{Matches, Routes};
use sessions::Sessions;
use wills::ParkedWills;

/// All of a broker but its sockets, its clock, its store and its policy.
///
/// The verbs are those of [`Client`](crate::Client) and [`ServerConnection`], with the name of a connection where they are about
/// one. The contract is the same: no input panics; outputs can be polled in any order and any number of times; the same
/// inputs with the same seed give the same outputs; everything is bounded, by [`BrokerLimits`] and, for each client, by
/// [`Limits`](crate::Limits).
///
/// ```
/// use bytes::Buf;
/// use mqtt_session::{Broker, BrokerConfig, BrokerEvent, Instant, Outbox};
///
/// let now = Instant::from_secs(1);
/// let mut broker = Broker::new(BrokerConfig::new(7), now);
///
/// // A stream was accepted, and its first bytes have come: CONNECT of a client that is called "c", MQTT 3.1.1, clean.
/// let connection = broker.handle_open(now).expect("there is room");
/// let mut input: &[u8] = b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c";
/// broker.handle_input(now, connection, &mut input);
/// // It subscribes to "t" with QoS 0, and publishes to it.
/// input = b"\x82\x06\0\x01\0\x01t\0\x30\x05\0\x01thi";
/// broker.handle_input(now, connection, &mut input);
///
/// // What an adapter does again and again: write what there is to be written, to whom there is.
/// while let Some(ready) = broker.poll_ready() {
///     let mut outbox = Outbox::default();
///     broker.poll_transmit(ready, &mut outbox);
///     let written = outbox.copy_to_bytes(outbox.len());
///     assert_eq!(&written[..], b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x05\0\x01thi"); // CONNACK, SUBACK, PUBLISH
/// }
/// assert!(matches!(broker.poll_event(), Some(BrokerEvent::Connected { .. })));
/// assert!(broker.poll_timeout().is_some()); // when to call `handle_timeout`
/// ```
///
/// [`broker_guide`](crate::broker_guide) draws what happens inside.
///
/// # Questions
///
/// What a client may do is the host's to say: [`Ask`] chooses what it is asked. PUBLISH, SUBSCRIBE, UNSUBSCRIBE and the end of
/// a connection take effect in the order in which they came, whatever the order of the answers; acknowledgements pass.
///
/// # Sessions and wills
///
/// A session belongs to the name of a client, whichever version it speaks, and goes on until it has outlived its connection
/// for as long as the client asked for. A client that connects again takes its session over; the earlier connection is told
/// and not waited for. What becomes of its will:
///
/// | the connection ends by | no delay, or the session ends with it | a delay, and the session goes on |
/// |---|---|---|
/// | DISCONNECT with reason 0 | dropped | dropped |
/// | anything else | published | published after the delay, or when the session ends, unless the client comes back before |
/// | a takeover that goes on with the session | published | dropped, since the client is back |
/// | a takeover that begins anew | published | published, since the session ends |
///
/// Where the host [is asked](Ask::publish) about it, a will that is due waits in memory alone: a broker that ends before the
/// answer publishes it no more.
///
/// # Shared subscriptions
///
/// A message goes to one member of a group, by the strategy of [`Share`]. It is that member's as long as its session lives:
/// if its client is away, it waits. When the session ends, the next member in turn gets what the client has not acknowledged
/// of QoS 1, and what was never sent to it of QoS 1 and 2; a message of QoS 2 that was sent may be with the client, and
/// goes to nobody else [MQTT-4.8.2-4, MQTT-4.8.2-5]. It goes on with the QoS and the RETAIN flag that it had for the first
/// member, or less. A client that refuses a message, or unsubscribes, hands nothing on: what it refused is dropped
/// [MQTT-4.8.2-6], and what waits for it when it unsubscribes it still gets.
///
/// A message remembers its group by a hash of the group's filter, which goes into its record as
/// [`OutgoingRecord::tag`](crate::OutgoingRecord); so it is known after a restart too.
///
/// # With a store
///
/// [`BrokerConfig::is_stored`] makes sessions that outlive their connections, and retained messages, durable.
/// [`poll_store`](Self::poll_store) gives what has changed as one [`BrokerBatch`], whatever the number of sessions; a payload is
/// in it once. Before a batch is [stored](Self::handle_stored), nothing leaves that promises what is in it: no CONNACK, SUBACK,
/// UNSUBACK, PUBACK, PUBREC or PUBCOMP, and no message of QoS 1 or 2 to a session that is stored. [`restore`](Self::restore)
/// goes on with what an earlier life has stored.
///
/// Once PUBACK, PUBREC or PUBCOMP is sent, neither the end of the process nor the loss of power loses an acknowledged message
/// or makes a second one of a message of QoS 2 in a session that is stored, given a store that honours flush. Not covered are
/// copies of QoS 0, which do not wait for the store, and sessions that end with their connection.
///
/// # Looking at it
///
/// [`sessions`](Self::sessions), [`subscriptions`](Self::subscriptions) and [`retained`](Self::retained) show what is held, in pages
/// of bounded work, so that somebody who looks keeps nobody waiting. [`disconnect`](Self::disconnect),
/// [`remove_session`](Self::remove_session) and [`remove_retained`](Self::remove_retained) are for who wants it otherwise.
///
/// # Several machines
///
/// A broker may use several cores: each has a machine of its own, with its connections and its store, and
/// [`BrokerConfig::shards`] tells it which one it is. The host reads CONNECT ([`mqtt_proto::peek_connect`]), and hands the stream
/// and its bytes to the machine that [has the session](Shards::of_client). What machines have to say to each other it takes from
/// [`poll_peer`](Self::poll_peer) of the one and brings to [`handle_peer`](Self::handle_peer) of the other, in order. To a client
/// they are one broker: an acknowledgement waits for all of them.
///
/// ```
/// use mqtt_session::{Broker, BrokerConfig, Instant, Message, Shards};
///
/// let now = Instant::from_secs(1);
/// let mut brokers: Vec<Broker> = (0..2)
///     .map(|own| BrokerConfig::new(7).shards(Shards::new(own, 2).expect("one of two")))
///     .map(|config| Broker::new(config, now))
///     .collect();
/// brokers[0].publish(now, Message::new("a/b", "to all").expect("a topic"));
/// while let Some((to, message)) = brokers[0].poll_peer() {
///     let from = Shards::new(0, 2).expect("one of two").own();
///     brokers[usize::from(to.0)].handle_peer(now, from, message);
/// }
/// ```
#[derive(Debug)]
pub struct Broker {
    config: BrokerConfig,
    /// What each connection is given.
    server: Shared<ServerConfig>,
    /// What each session is given.
    manner: Shared<Manner>,
    now: Instant,
    /// When this life began.
    began: Instant,
    connections: Connections,
    sessions: Sessions,
    routes: Routes,
    matches: Matches,
    copies: Copies,
    retained: Retained<Kept>,
    retained_armed: Option<Instant>,
    wills: ParkedWills,
    review: Review,
    journal: Journal,
    agenda: Agenda,
    /// Connections that have output, or may have.
    ready: VecDeque<ConnectionId>,
    /// Connections that say something when a batch is stored.
    owing: VecDeque<(u64, ConnectionId)>,
    peers: Peers,
    queued: Queued,
    /// Sessions whose replay goes on.
    replaying: VecDeque<u32>,
    /// Sessions that ended and have subscriptions.
    leaving: VecDeque<u32>,
    /// Sessions that lost copies and were not told of.
    dropping: VecDeque<u32>,
    told: VecDeque<BrokerEvent>,
    missed: u64,
    /// How often bounds were met.
    hits: bounds::Hits,
    asked: u64,
    epoch: u64,
    has_failed: bool,
    random: Random,
    figures: Figures,
}

impl Broker {
    /// A broker without sessions.
    #[must_use]
    pub fn new(config: BrokerConfig, now: Instant) -> Self {
        let mut broker = Self::begin(config, now);
        broker.say_here();
        broker
    }

    /// One that has not told other shards that it is there.
    fn begin(config: BrokerConfig, now: Instant) -> Self {
        let mut server = config.client.clone();
        // Messages are taken in whole.
        server.session.limits.whole_packet_bytes = u32::MAX;
        server.session = server.session.hand_over(HandOver::Manual).is_stored(false);
        server.session.shares = true;
        let shards = config.shards;
        let mut broker = Self {
            manner: Shared::new(server.session.manner()),
            server: Shared::new(server),
            now,
            began: now,
            connections: Connections::default(),
            sessions: Sessions::new(config.seed),
            routes: Routes::new(config.limits.routes(), config.seed),
            matches: Matches::new(),
            copies: Copies::default(),
            retained: Retained::new(config.limits.retained()),
            retained_armed: None,
            wills: ParkedWills::default(),
            review: Review::default(),
            journal: Journal::new(config.is_stored),
            agenda: Agenda::default(),
            ready: VecDeque::new(),
            owing: VecDeque::new(),
            peers: Peers::default(),
            queued: Queued::default(),
            replaying: VecDeque::new(),
            leaving: VecDeque::new(),
            dropping: VecDeque::new(),
            told: VecDeque::new(),
            missed: 0,
            hits: bounds::Hits::default(),
            asked: 0,
            epoch: 0,
            has_failed: false,
            random: Random::new(config.seed),
            figures: Figures::default(),
            config,
        };
        broker.meet_peers(shards);
        broker
    }

    // ---- inputs

    /// A stream was accepted. `None`: there are as many connections as there may be, or the store has failed. It is to be
    /// closed then.
    pub fn handle_open(&mut self, now: Instant) -> Option<ConnectionId> {
        self.advance(now);
        if self.has_failed || self.connections.len() >= crate::flow::size(self.config.limits.connections) {
            self.figures.connections_refused = self.figures.connections_refused.saturating_add(1);
            if !self.has_failed {
                self.hit(BrokerBound::Connections, Bytes::new());
            }
            return None;
        }
        let (server, manner) = (Shared::clone(&self.server), Shared::clone(&self.manner));
        let machine = ServerConnection::with(server, manner, self.now);
        let id = self.connections.open(machine, Pace::new(&self.config.limits))?;
        self.figures.connections_opened = self.figures.connections_opened.saturating_add(1);
        self.settle(id.slot);
        Some(id)
    }

    /// Bytes came from a client. Whole packets are taken off the front; the rest stays, and comes again with more.
    pub fn handle_input(&mut self, now: Instant, connection: ConnectionId, input: &mut &[u8]) {
        self.advance(now);
        while self.peers.are_here() {
            let before = input.len();
            let known = self.connections.named_mut(connection);
            let Some(known) = known.filter(|known| !known.machine.has_ended()) else {
                *input = &[];
                return;
            };
            known.machine.handle_input(self.now, input);
            self.figures.has_read_packets(known.machine.take_packets());
            self.serve_reader(connection.slot, input.is_empty());
            self.has_read(connection, before.saturating_sub(input.len()));
            if input.is_empty() || input.len() == before {
                return;
            }
        }
    }

    /// The same from a buffer that the broker may keep parts of: large payloads are shared with it and not copied.
    pub fn handle_input_owned(&mut self, now: Instant, connection: ConnectionId, input: &mut BytesMut) {
        self.advance(now);
        while self.peers.are_here() {
            let before = input.len();
            let known = self.connections.named_mut(connection);
            let Some(known) = known.filter(|known| !known.machine.has_ended()) else {
                input.clear();
                return;
            };
            known.machine.handle_input_owned(self.now, input);
            self.figures.has_read_packets(known.machine.take_packets());
            self.serve_reader(connection.slot, input.is_empty());
            self.has_read(connection, before.saturating_sub(input.len()));
            if input.is_empty() || input.len() == before {
                return;
            }
        }
    }

    /// The stream of a connection has ended: the other end closed it, or an error did.
    pub fn handle_eof(&mut self, now: Instant, connection: ConnectionId) {
        self.act_on(now, connection, |known, now| known.machine.handle_eof(now));
    }

    // ---- commands

    /// Ends a connection. MQTT 5.0 is told why. Returns whether there was one.
    pub fn disconnect(&mut self, now: Instant, connection: ConnectionId, farewell: Disconnect<Bytes>) -> bool {
        self.act_on(now, connection, |known, now| known.machine.disconnect(now, farewell))
            .is_some()
    }

    /// Does something to a connection, if it is there, and deals with what it tells then.
    fn act_on<R>(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        act: impl FnOnce(&mut Connection, Instant) -> R,
    ) -> Option<R> {
        self.advance(now);
        let now = self.now;
        let result = act(self.connections.named_mut(connection)?, now);
        self.serve(connection.slot);
        Some(result)
    }

    // ---- questions

    /// How many bytes the driver may hold for a connection that were received and not taken. Zero: it stops reading.
    #[must_use]
    pub fn input_room(&self, connection: ConnectionId) -> usize {
        match self.connections.named(connection) {
            Some(known) if !self.owes_store() && !self.owes_peers() && self.peers.are_here() => {
                known.machine.input_room()
            }
            _ => 0,
        }
    }

    /// Whether a connection has ended and nothing is left to be taken: the driver writes what its outbox holds, and closes
    /// the stream.
    #[must_use]
    pub fn is_drained(&self, connection: ConnectionId) -> bool {
        self.connections
            .named(connection)
            .is_none_or(|known| known.machine.is_drained())
    }

    /// The name of the client of a connection, once it is admitted.
    #[must_use]
    pub fn client_id(&self, connection: ConnectionId) -> Option<&[u8]> {
        let known = self.connections.named(connection)?;
        self.sessions.get(known.session).map(|session| session.who.client_id())
    }

    /// Whose the client of a connection is, as it was [let in](Self::admit_as).
    #[must_use]
    pub fn owner(&self, connection: ConnectionId) -> Option<&[u8]> {
        let known = self.connections.named(connection)?;
        self.sessions.get(known.session).and_then(|session| session.who.owner())
    }

    /// Whether there is a session of this client, with or without a connection.
    #[must_use]
    pub fn has_session(&self, client_id: &[u8]) -> bool {
        self.sessions.of_client(client_id).is_some()
    }

    /// The connection of a client, if it is connected.
    #[must_use]
    pub fn connection_of(&self, client_id: &[u8]) -> Option<ConnectionId> {
        let connection = self.sessions.connection_of(self.sessions.of_client(client_id)?)?;
        self.connections.get(connection).map(|known| known.id)
    }

    /// What the broker has counted, and what it holds.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            connections: self.connections.len() as u64,
            sessions: self.sessions.len() as u64,
            uptime_seconds: self.now.saturating_since(self.began).as_secs(),
            subscriptions: self.routes.len().saturating_sub(self.peers.memberships(&self.routes)) as u64,
            retained_messages: self.retained.len() as u64,
            retained_bytes: self.retained.bytes(),
            queued_bytes: self.queued.bytes(),
            reviews_waiting: self.review.asked() as u64,
            peer_messages_waiting: self.peers.waiting() as u64,
            batches_waiting: self.journal.pending(),
            ..self.figures
        }
    }

    fn owes_peers(&self) -> bool {
        self.peers.waiting() >= crate::flow::size(self.config.limits.peer_messages.max(1))
    }

    fn owes_store(&self) -> bool {
        self.journal.pending() >= u64::from(self.config.client.session.limits.batches.max(1))
    }

    /// Tells what only informs, if it has room.
    fn inform(&mut self, event: impl FnOnce() -> BrokerEvent) {
        if self.told.len() < crate::flow::size(self.config.limits.events) {
            self.told.push_back(event());
        } else {
            self.missed = self.missed.saturating_add(1);
            self.figures.events_missed = self.figures.events_missed.saturating_add(1);
        }
    }
}
