//! What a broker is to be, and its bounds.

use core::time::Duration;

use super::peers::Shards;
use super::routes::{Overlap, RouteLimits};
use crate::ServerConfig;

/// What a broker is to be.
///
/// ```
/// use mqtt_session::{Ask, BrokerConfig, BrokerLimits};
/// let config = BrokerConfig::new(7).ask(Ask::EVERYTHING).limits(BrokerLimits::default().sessions(1000));
/// assert_eq!(config.limits.sessions, 1000);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// What it is for each client: capabilities, the bounds of a connection and of its session, the longest keep-alive and
    /// session expiry.
    ///
    /// Three of its settings are the broker's own and are not looked at: who hands messages over, whether sessions are stored,
    /// and from which size on messages come in chunks, since a broker takes them in whole.
    pub client: ServerConfig,
    /// What the host is asked before it happens. Default: nothing, everybody may do everything.
    pub ask: Ask,
    /// The bounds of all clients together.
    pub limits: BrokerLimits,
    /// Whether there is a store: sessions that outlive their connections, and retained messages, are then written to it, and
    /// acknowledgements wait for it. Default no.
    pub is_stored: bool,
    /// How many copies a client gets of a message that several of its subscriptions match. Default: one.
    pub overlap: Overlap,
    /// Which member of a group gets a message of a shared subscription. Default: each in its turn.
    pub share: Share,
    /// A will that a restart found waiting is published this much after the restart, if it would be due earlier: its client
    /// may come back before. Default 30 s. Of several machines, all should be there by then: a will that is published before
    /// another one has said what it restored does not reach the groups there; all else does.
    pub restart_grace: Duration,
    /// Which of several machines this is that are one broker together. Default: it is alone. They begin and end together, each
    /// with records of its own, and their number stays the same over restarts.
    pub shards: Shards,
    /// Whether clients may publish to topics that begin with `$`, which are the host's to use. Default no: such a message is
    /// refused with `TopicNameInvalid` and [counted](super::Figures::topics_refused), which MQTT 3 cannot be told; a client with such a will is refused with
    /// the same reason. [MQTT-4.7.2-1] The host itself publishes to any topic.
    pub dollar_topics: bool,
    /// From which names of clients and places in hash tables are made up. A fresh one at each start; the same inputs with
    /// the same seed give the same outputs.
    pub seed: u64,
}

/// What a host is asked before it happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Who may connect: [`BrokerEvent::Connect`](super::BrokerEvent). Without it, a client that names a method of enhanced
    /// authentication is refused with `BadAuthenticationMethod`: nobody is there who could look at it.
    pub connect: bool,
    /// Who may publish what, wills and retained messages too: [`BrokerEvent::MayPublish`](super::BrokerEvent).
    pub publish: bool,
    /// Who may subscribe to what: [`BrokerEvent::MaySubscribe`](super::BrokerEvent).
    pub subscribe: bool,
}

impl Ask {
    /// Each question is asked.
    pub const EVERYTHING: Self = Self {
        connect: true,
        publish: true,
        subscribe: true,
    };
}

/// Which member of a group gets a message of a shared subscription. Those that are connected go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Share {
    /// The one behind the one that had the last message.
    #[default]
    InTurn,
    /// The one that had the last message, as long as it is there.
    Same,
    /// Any.
    Random,
    /// Always the same one for a topic, as long as nobody comes or goes.
    ByTopic,
}

/// The bounds of all clients of a broker together.
///
/// What one connection and its session may take stands in [`Limits`](crate::Limits). Of [several machines](Shards) that are one
/// broker, each has these bounds for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerLimits {
    /// How many connections are open at once. Default 100,000. One more is not opened.
    pub connections: u32,
    /// How many sessions there are, with and without a connection. Default 1,000,000. A client that would need one more is
    /// refused with `QuotaExceeded`.
    pub sessions: u32,
    /// How many subscriptions there are in all. Default 10,000,000. One more is refused with `QuotaExceeded`.
    pub subscriptions: u32,
    /// How many subscriptions one session has. Default 10,000. One more is refused with `QuotaExceeded`.
    pub subscriptions_per_session: u32,
    /// How many levels a filter has. Default 32. One with more is refused with `TopicFilterInvalid`. A message to a topic of
    /// n levels is looked up in at most 2^n places, as far as there are filters for them.
    pub filter_levels: u16,
    /// How many levels the topic of a client's message or will has. Default 200. One with more is refused with
    /// `TopicNameInvalid`, told and [counted](super::Figures::topics_refused).
    pub topic_levels: u16,
    /// How many retained messages there are. Default 1,000,000. One more is not retained, and counted; it is delivered.
    pub retained_messages: u32,
    /// How many bytes they take, with what they keep in memory beside them. Default 1 GiB. As above.
    pub retained_bytes: u64,
    /// How many bytes the messages take that wait in all sessions or are on their way to their clients, in the measure of
    /// [`Limits::queued_bytes`](crate::Limits): topics, properties and payloads, and a payload that copies share counts for each
    /// of them. Default 1 GiB. Beyond it each session is as if its own queue were full: the copy is dropped, or displaces
    /// others of the session by [`WhenFull`](crate::WhenFull), and is told and counted as there. What a restart finds counts,
    /// and stays if it is more.
    pub queued_bytes: u64,
    /// How many packets of one connection may wait for answers of the host. Default 16. At the bound nothing more is read
    /// from it.
    pub parked_per_connection: u16,
    /// For how many topics of a connection an answer of the host is remembered. Default 16; the oldest is forgotten first.
    pub remembered_topics: u16,
    /// How many messages a second a client may send in the long run. Default `u32::MAX`: as many as it can. One that sends more
    /// is not read until it has waited for as much as it was ahead; nothing is lost, and its keep-alive stands still. It is
    /// looked at when what has arrived is taken: so many messages as [`Limits::events`](crate::Limits) says may be ahead.
    /// Each connection begins anew.
    pub messages_per_second: u32,
    /// How many bytes a second a client may send in the long run, of all packets. Default `u32::MAX`. As above.
    pub bytes_per_second: u32,
    /// How often in a second a client may come while an earlier connection of it is there, in the long run. Default `u32::MAX`.
    /// Two clients of one name put each other out as fast as they can connect: beyond this one who comes is refused with
    /// `ConnectionRateExceeded`, the earlier connection goes on, and nothing of the session changes.
    pub takeovers_per_second: u32,
    /// So much time's worth of each may come at once, and at least one takeover. Default 1 s.
    pub burst: Duration,
    /// How many wills wait for answers of the host. Default 10,000. The oldest is given up, and counted.
    pub parked_wills: u32,
    /// How many questions about subscriptions that are there wait for answers, since the policy changed. Default 1000. At the
    /// bound the others wait for their turn, and what is to be delivered to their sessions with them.
    pub reviews: u32,
    /// How many events that only inform wait for `poll_event`. Default 10,000. Further ones are counted.
    pub events: u32,
    /// How many messages to other shards wait for `poll_peer`. Default 10,000. At the bound nothing more is read from any
    /// connection.
    pub peer_messages: u32,
    /// How many retained messages of a replay wait in the queue of a session at once. Default 16. The rest waits where it is
    /// kept, and a cursor in the session.
    pub replay_window: u16,
    /// How much one call does of what has no end of its own: looking through retained messages, dropping the subscriptions
    /// of a session that ended, asking about subscriptions again. Default 256 steps; `poll_timeout` is due at once as long as
    /// there is more.
    pub steps_per_call: u32,
    /// How many due timers one call of `handle_timeout` fires. Default 256.
    pub timers_per_call: u32,
}

impl Default for BrokerLimits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            sessions: 1_000_000,
            subscriptions: 10_000_000,
            subscriptions_per_session: 10_000,
            filter_levels: 32,
            topic_levels: 200,
            retained_messages: 1_000_000,
            retained_bytes: 1 << 30,
            queued_bytes: 1 << 30,
            parked_per_connection: 16,
            remembered_topics: 16,
            messages_per_second: u32::MAX,
            bytes_per_second: u32::MAX,
            takeovers_per_second: u32::MAX,
            burst: Duration::from_secs(1),
            parked_wills: 10_000,
            reviews: 1000,
            events: 10_000,
            peer_messages: 10_000,
            replay_window: 16,
            steps_per_call: 256,
            timers_per_call: 256,
        }
    }
}

impl BrokerLimits {
    pub(super) const fn routes(&self) -> RouteLimits {
        RouteLimits {
            filter_levels: self.filter_levels as u32,
            subscriptions_per_session: self.subscriptions_per_session,
            subscriptions: self.subscriptions,
        }
    }
}

macro_rules! setters {
    ($owner:ident: $($name:ident: $type:ty),* $(,)?) => {
        impl $owner {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, value: $type) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

impl BrokerConfig {
    /// The defaults, and a fresh seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            client: ServerConfig::default(),
            ask: Ask::default(),
            limits: BrokerLimits::default(),
            is_stored: false,
            overlap: Overlap::OneCopy,
            share: Share::InTurn,
            restart_grace: Duration::from_secs(30),
            shards: Shards::default(),
            dollar_topics: false,
            seed,
        }
    }
}

setters! { BrokerConfig:
    client: ServerConfig,
    ask: Ask,
    limits: BrokerLimits,
    is_stored: bool,
    overlap: Overlap,
    share: Share,
    restart_grace: Duration,
    shards: Shards,
    dollar_topics: bool,
}

setters! { BrokerLimits:
    connections: u32,
    sessions: u32,
    subscriptions: u32,
    subscriptions_per_session: u32,
    filter_levels: u16,
    topic_levels: u16,
    retained_messages: u32,
    retained_bytes: u64,
    queued_bytes: u64,
    parked_per_connection: u16,
    remembered_topics: u16,
    messages_per_second: u32,
    bytes_per_second: u32,
    takeovers_per_second: u32,
    burst: Duration,
    parked_wills: u32,
    reviews: u32,
    events: u32,
    peer_messages: u32,
    replay_window: u16,
    steps_per_call: u32,
    timers_per_call: u32,
}
