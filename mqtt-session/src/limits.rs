//! Every bound of a machine, with its name, its default and what happens at it.

use core::time::Duration;

/// The bounds of one machine.
///
/// Each bound is checked where something would grow. What happens there stands with each; nothing is dropped without an
/// outcome, an event or a counter.
///
/// ```
/// use mqtt_session::Limits;
/// let limits = Limits::default().receive_maximum(20).packet_bytes(64 * 1024);
/// assert_eq!(limits.receive_maximum, 20);
/// ```
///
/// # What a peer can make a machine hold
///
/// At most the sum of these, whatever it sends and however little its answers are read; a test floods machines with a counting
/// allocator and holds them against it. `packet` is [`packet_bytes`](Self::packet_bytes), `pool` [`pool_bytes`](Self::pool_bytes),
/// and a table that grows takes three times what it holds for a moment.
///
/// | what | how many | bytes each |
/// |---|---|---|
/// | events, with their packets | [`events`](Self::events) + 4, of a client twice [`events`](Self::events) + 4 | 3 times the event, the larger of `packet` and `pool`, 48 |
/// | identifiers in use | [`receive_maximum`](Self::receive_maximum) + 8; in MQTT 3 65,543 | 224 |
/// | answers that wait | [`replies`](Self::replies) | 144 |
/// | answers of other kinds | 1 | 3 times [`reply_bytes`](Self::reply_bytes) and `packet` |
/// | topics under aliases | [`aliases_accepted`](Self::aliases_accepted) | 144 and `packet` |
/// | requests that wait for the host | [`requests`](Self::requests) | 144 |
/// | blocks of small packets | 2 | `pool` |
///
/// Beside it stands what the host gives: messages that it publishes, up to [`queued_bytes`](Self::queued_bytes) and
/// [`queued_messages`](Self::queued_messages), and the connection's read buffer and outbox, which are the adapter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest packet that is accepted, fixed header included; announced as Maximum Packet Size.
    /// Default 1 MiB. A larger one closes the connection with `PacketTooLarge` when its header has been read.
    pub packet_bytes: u32,
    /// The largest PUBLISH that is held in one piece. Default: as `packet_bytes`. The payload of a larger one is told in
    /// chunks as it comes; so many bytes of chunks may wait to be polled, then nothing more is read. A
    /// packet that is no PUBLISH, and what stands before a payload, is always held in one piece.
    pub whole_packet_bytes: u32,
    /// The largest CONNECT that a server accepts, from somebody it does not know yet. Default 64 KiB. A larger one closes
    /// the connection with `PacketTooLarge` when its header has been read.
    pub connect_bytes: u32,
    /// How many messages of QoS 1 and 2 the peer may have open; announced as Receive Maximum. Default 64.
    /// One more closes the connection with `ReceiveMaximumExceeded`. MQTT 3 cannot be told; there, reading pauses while
    /// so many acknowledgements are owed by the host.
    pub receive_maximum: u16,
    /// How many more than announced a peer of MQTT 5.0 may have open, for clients that do not keep to the Receive Maximum.
    /// Default 0. One more than both together closes the connection with `ReceiveMaximumExceeded`.
    pub receive_tolerance: u16,
    /// How many messages of QoS 1 and 2 are sent at most before one of them is acknowledged, if the peer allows as many.
    /// Default 1024. Further ones wait in the queue.
    pub send_maximum: u16,
    /// Packet identifiers from 1 up to this are used, and always the first. Default 65,535. When all are in use, messages wait in the queue.
    pub packet_ids: u16,
    /// How many topic aliases are accepted from the peer; announced as Topic Alias Maximum. Default 16.
    /// A higher one closes the connection with `TopicAliasInvalid`.
    pub aliases_accepted: u16,
    /// How many topic aliases are used for sending, if the peer allows as many. Default 16, at most 64.
    /// The topic that was used least recently gives way.
    pub aliases_used: u16,
    /// How many messages may wait or be in flight. Default 4096. One more is refused or displaces one: see
    /// [`WhenFull`](crate::WhenFull).
    pub queued_messages: u32,
    /// How many bytes of topics, properties and payloads these messages may take. Default 16 MiB. As above.
    pub queued_bytes: u64,
    /// How many SUBSCRIBE and UNSUBSCRIBE may be unanswered. Default 32. A client refuses one more to its caller; a server
    /// reads nothing more until its host has answered one.
    pub requests: u16,
    /// How many events wait for [`poll_event`](crate::Client::poll_event). Default 256. At the bound messages of QoS 0
    /// are dropped and counted by a client; at twice the bound nothing is read any more.
    pub events: u32,
    /// How many answers (PUBREL, PUBCOMP) may wait for a peer that does not read them. Default 1024.
    /// One more closes the connection with `QuotaExceeded`.
    pub replies: u32,
    /// How many bytes of other answers (SUBACK, UNSUBACK, PINGRESP, AUTH) may wait for a peer that does not read them.
    /// Default 64 KiB. More close the connection with `QuotaExceeded`.
    pub reply_bytes: u32,
    /// How many batches may be with the store. Default 64. At the bound nothing is read any more until one is stored.
    pub batches: u32,
    /// How many received messages an inbox holds that were not acknowledged. Default 1024. Further ones are neither told nor
    /// acknowledged to the peer until one is, and what else comes is read on: the Receive Maximum bounds them. Only a message
    /// in chunks is not read before they have been told, and nothing behind it.
    pub inbox_messages: u32,
    /// Payloads up to this are copied where they are kept or sent, larger ones are shared. Default 512.
    pub inline_bytes: u32,
    /// Small received messages are kept together in blocks of this size, so that a steady state allocates nothing. Default
    /// 4096, which is also the most; those of a quarter of it or less share one, and two are kept. 0: each has memory of its own.
    pub pool_bytes: u32,
    /// How much of a payload from a source is asked for at once. Default 64 KiB.
    pub chunk_bytes: u32,
    /// How many due timers one call of [`handle_timeout`](crate::Client::handle_timeout) fires. Default 64.
    pub timers_per_call: u32,
    /// How long the other end may take while a connection is made: a client for CONNECT, from the opened stream on, and for
    /// each step of an enhanced authentication; a server for CONNACK, and for each such step. Default 10 s. Then the
    /// connection is closed.
    pub handshake_timeout: Duration,
    /// From the stream that a server has accepted to the client that its host has, in all: with what the host takes for its
    /// answers, and with all steps of an authentication. Default 60 s. Then the connection is closed; a client that waited for
    /// the host is told `ServerUnavailable`. A client's own machine does not look at it.
    pub admission_timeout: Duration,
    /// From PINGREQ to PINGRESP. Default 10 s. Then the connection is closed.
    pub ping_timeout: Duration,
    /// How long the host may take for the next part of a payload that is being sent. Default 30 s. Then the connection is
    /// closed, and a message of QoS 1 or 2 goes again from its beginning on the next.
    pub source_timeout: Duration,
    /// How long output may wait without being taken. Default 30 s. Then the connection is closed.
    pub stall_timeout: Duration,
    /// How long the last bytes of a closed connection may take. Default 2 s. Then the stream is to be dropped.
    pub linger_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes: 1 << 20,
            whole_packet_bytes: u32::MAX,
            connect_bytes: 1 << 16,
            receive_maximum: 64,
            receive_tolerance: 0,
            send_maximum: 1024,
            packet_ids: u16::MAX,
            aliases_accepted: 16,
            aliases_used: 16,
            queued_messages: 4096,
            queued_bytes: 16 << 20,
            requests: 32,
            events: 256,
            replies: 1024,
            reply_bytes: 1 << 16,
            batches: 64,
            inbox_messages: 1024,
            inline_bytes: 512,
            pool_bytes: 4096,
            chunk_bytes: 1 << 16,
            timers_per_call: 64,
            handshake_timeout: Duration::from_secs(10),
            admission_timeout: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(10),
            source_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(2),
        }
    }
}

impl Limits {
    /// How many bytes of input the driver may have to hold.
    pub(crate) fn input_bytes(&self) -> usize {
        // The start of a packet in chunks is held like a whole one.
        let held = self.packet_bytes.min(self.whole_packet_bytes).max(5);
        usize::try_from(held).unwrap_or(usize::MAX)
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {
        impl Limits {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub const fn $name(mut self, value: $type) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

setters! {
    packet_bytes: u32,
    whole_packet_bytes: u32,
    connect_bytes: u32,
    receive_maximum: u16,
    receive_tolerance: u16,
    send_maximum: u16,
    packet_ids: u16,
    aliases_accepted: u16,
    aliases_used: u16,
    queued_messages: u32,
    queued_bytes: u64,
    requests: u16,
    events: u32,
    replies: u32,
    reply_bytes: u32,
    batches: u32,
    inbox_messages: u32,
    inline_bytes: u32,
    pool_bytes: u32,
    chunk_bytes: u32,
    timers_per_call: u32,
    handshake_timeout: Duration,
    admission_timeout: Duration,
    ping_timeout: Duration,
    source_timeout: Duration,
    stall_timeout: Duration,
    linger_timeout: Duration,
}

/// What a machine does that would have to hold more messages than its limits allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// `publish` fails with [`PublishError::QueueFull`](crate::PublishError::QueueFull).
    #[default]
    Refuse,
    /// The oldest message that was never sent ends with [`Outcome::Dropped`](crate::Outcome::Dropped). If all were sent,
    /// `publish` fails.
    DropOldest,
}
