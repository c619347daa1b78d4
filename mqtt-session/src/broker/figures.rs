//! What a broker counts.

use mqtt_proto::DecodeErrorKind;

use crate::Closed;
use crate::outbox::Begun;
use crate::timers::Timer;

/// Whether a figure may go down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FigureKind {
    /// It only grows.
    Counter,
    /// It says what is.
    Gauge,
}

/// One of the [`Figures`]: its name, what it is, and how to find it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Figure {
    /// The name of its field, in the form that Prometheus wants.
    pub name: &'static str,
    /// Whether it may go down.
    pub kind: FigureKind,
    /// What is counted, in words, without a full stop.
    pub help: &'static str,
    value: fn(&Figures) -> u64,
}

impl Figure {
    /// Where it stands.
    #[must_use]
    pub fn of(&self, figures: &Figures) -> u64 {
        (self.value)(figures)
    }
}

/// How a figure of several machines is put together.
macro_rules! together {
    (sum $one:expr, $other:expr) => {
        $one.saturating_add($other)
    };
    (most $one:expr, $other:expr) => {
        if $one > $other { $one } else { $other }
    };
}

/// All figures, each said once: as a field, and in the table of all.
macro_rules! figures {
    ($($(#[$meta:meta])* $kind:ident $together:ident $name:ident: $help:literal,)*) => {
        /// What a broker has counted since its start, and what it holds. For a host that publishes it, under `$SYS` or elsewhere.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Figures {
            $(
                #[doc = concat!($help, ".")]
                #[doc = ""]
                $(#[$meta])*
                pub $name: u64,
            )*
        }

        impl Figures {
            /// All of them, in their order here: for whoever shows them without knowing them.
            ///
            /// ```
            /// use mqtt_session::Figures;
            /// let figures = Figures::default();
            /// for figure in Figures::ALL {
            ///     println!("{}: {} ({})", figure.name, figure.of(&figures), figure.help);
            /// }
            /// ```
            pub const ALL: &'static [Figure] = &[$(Figure {
                name: stringify!($name),
                kind: FigureKind::$kind,
                help: $help,
                value: |figures| figures.$name,
            }),*];

            /// What two machines of one broker have counted together. Everything is added, but for `uptime_seconds`, of which the
            /// longer counts.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self {
                    $($name: together!($together self.$name, other.$name),)*
                }
            }
        }
    };
}

figures! {
    Gauge sum connections: "Connections that are open, admitted or not",
    Counter sum connections_opened: "Connections that were opened",
    /// At [`BrokerLimits::connections`](super::BrokerLimits).
    Counter sum connections_refused: "Connections that were not opened for want of room",
    Gauge sum sessions: "Sessions, with and without a connection",
    Gauge sum clients_connected: "Sessions whose client is connected",
    /// Of several machines, [the sum](Figures::with) is more than that if their times were not the same.
    Gauge sum clients_maximum: "The most clients that were connected at one time",
    Gauge most uptime_seconds: "Seconds since the broker began, or was restored",
    Counter sum takeovers: "Clients that came while an earlier connection of theirs was there",
    /// At [`BrokerLimits::takeovers_per_second`](super::BrokerLimits).
    Counter sum takeovers_refused: "Clients that were refused since they came too often while an earlier connection of theirs was there",
    Gauge sum subscriptions: "Subscriptions of clients and of the host",
    Gauge sum retained_messages: "Retained messages",
    Gauge sum retained_bytes: "What retained messages take in memory, in bytes",
    /// At [`BrokerLimits::queued_bytes`](super::BrokerLimits) copies are dropped.
    Gauge sum queued_bytes: "What messages take that wait for clients or are on their way to them, in bytes; what copies share counts for each",
    Counter sum packets_received: "Packets that were read from clients, but for such as were refused as malformed or out of place",
    /// When they are put into the [outbox](crate::Outbox) of a connection, as [`bytes_sent`](Self::bytes_sent).
    Counter sum packets_sent: "Packets that were handed to be sent to clients",
    Counter sum bytes_received: "Bytes that were read from clients",
    Counter sum bytes_sent: "Bytes that were handed to be sent to clients",
    /// At [`BrokerLimits::messages_per_second`](super::BrokerLimits) or [`BrokerLimits::bytes_per_second`](super::BrokerLimits).
    Counter sum reads_paused: "How often a stream was not read for a while, at a rate",
    Counter sum messages_received: "Messages that came from clients, whatever became of them; repetitions of QoS 2 are left out",
    Counter sum payload_bytes_received: "Bytes of the payloads of messages that came from clients",
    /// As [`packets_sent`](Self::packets_sent), of which they are.
    Counter sum messages_sent: "Messages that were handed to be sent to clients, with repetitions",
    Counter sum messages_published: "Messages that clients or the host published, wills too, and that were allowed",
    Counter sum messages_delivered: "Copies that were handed to a connection or a session",
    Counter sum payload_bytes_delivered: "Bytes of the payloads of copies that were handed to a connection or a session",
    Counter sum messages_dropped: "Copies that were dropped since a queue was full, or since the client takes no packet as large",
    Counter sum messages_handed_on: "Copies of shared subscriptions that went on to another member, since the session that had them ended",
    Counter sum messages_refused: "Messages and wills that the host did not allow",
    /// Above [`BrokerLimits::topic_levels`](super::BrokerLimits), or [beginning with `$`](super::BrokerConfig::dollar_topics).
    Counter sum topics_refused: "Messages and wills to topics that no client may publish to: of too many levels, or beginning with $",
    Counter sum retained_refused: "Messages that were to be retained and had no room",
    Counter sum wills_published: "Wills that were published",
    /// At [`BrokerLimits::parked_wills`](super::BrokerLimits).
    Counter sum wills_dropped: "Wills that were given up for want of room",
    Counter sum sessions_ended: "Sessions that ended",
    /// At [`BrokerLimits::sessions`](super::BrokerLimits).
    Counter sum sessions_refused: "Clients that were refused for want of room for their sessions",
    Counter sum subscriptions_revoked: "Subscriptions that ended since the host did not allow them any more",
    Counter sum retained_revoked: "Retained messages that were dropped since the host did not allow them any more",
    Counter sum clients_misdirected: "Clients that were refused since another shard has their sessions",
    /// One of the limits of subscriptions.
    Counter sum subscriptions_refused: "Filters that were refused at a limit",
    Counter sum subscriptions_not_allowed: "Filters that the host did not allow when they were subscribed to",
    /// [`BrokerEvent::NotAdmitted`](super::BrokerEvent) tells of each, and of those that went by themselves.
    Counter sum clients_refused: "Clients that were not let in: refused, or closed for what they sent or for the time that they took",
    /// In [`Limits::handshake_timeout`](crate::Limits) its CONNECT or the next step of its authentication did not come, or in
    /// [`Limits::admission_timeout`](crate::Limits) it was not let in, be it for the host.
    Counter sum handshake_timeouts: "Connections that ended since no client was admitted in time, for want of its packets or of an answer to it",
    Counter sum keep_alive_timeouts: "Connections that ended since their client sent nothing for one and a half times its keep-alive",
    /// For [`Limits::stall_timeout`](crate::Limits).
    Counter sum stall_timeouts: "Connections that ended since what was to be sent was not taken for too long",
    /// At [`Limits::packet_bytes`](crate::Limits) or [`Limits::connect_bytes`](crate::Limits).
    Counter sum packets_too_large: "Connections that ended since their client sent a packet that was too large",
    Counter sum protocol_errors: "Connections that ended since their client broke another rule of the protocol",
    /// At [`BrokerLimits::parked_per_connection`](super::BrokerLimits).
    Counter sum parks_full: "How often a connection had so many packets waiting for the host that it was not read for a while",
    /// At [`BrokerLimits::remembered_topics`](super::BrokerLimits).
    Counter sum topics_forgotten: "Answers of the host that were forgotten for want of room",
    /// At most [`BrokerLimits::reviews`](super::BrokerLimits).
    Gauge sum reviews_waiting: "Questions about what is there that wait for answers, since the policy changed",
    /// At [`BrokerLimits::peer_messages`](super::BrokerLimits) nothing is read from any client.
    Gauge sum peer_messages_waiting: "Messages for other shards that wait to be taken",
    /// At [`Limits::batches`](crate::Limits) nothing is read from any client.
    Gauge sum batches_waiting: "Batches that were taken and are not stored yet",
    /// At [`BrokerLimits::events`](super::BrokerLimits).
    Counter sum events_missed: "Events that had no room",
}

impl Figures {
    pub(super) fn has_read_packets(&mut self, packets: u32) {
        self.packets_received = self.packets_received.saturating_add(u64::from(packets));
    }

    /// The outbox of a connection has been filled.
    #[inline]
    pub(super) const fn has_sent(&mut self, bytes: usize, before: Begun, after: Begun) {
        let packets = after.packets.wrapping_sub(before.packets);
        let messages = after.messages.wrapping_sub(before.messages);
        self.bytes_sent = self.bytes_sent.saturating_add(bytes as u64);
        self.packets_sent = self.packets_sent.saturating_add(packets);
        self.messages_sent = self.messages_sent.saturating_add(messages);
    }

    /// Once for each copy, so it is to cost little: neither figure gets as far as its end.
    #[inline]
    pub(super) const fn has_delivered(&mut self, payload_bytes: usize) {
        self.messages_delivered = self.messages_delivered.wrapping_add(1);
        self.payload_bytes_delivered = self.payload_bytes_delivered.wrapping_add(payload_bytes as u64);
    }

    /// A connection has ended before its client was let in.
    pub(super) const fn has_not_admitted(&mut self, reason: &Closed) {
        // Others went by themselves, or with everybody.
        if matches!(
            reason,
            Closed::RefusedByHost(_)
                | Closed::Malformed(_)
                | Closed::Violation(..)
                | Closed::TimedOut(_)
                | Closed::NotEncodable(_)
        ) {
            self.clients_refused = self.clients_refused.saturating_add(1);
        }
    }

    /// A connection has ended.
    pub(super) fn has_closed(&mut self, reason: &Closed) {
        let count = match reason {
            Closed::TimedOut(Timer::Handshake) => &mut self.handshake_timeouts,
            Closed::TimedOut(Timer::KeepAlive) => &mut self.keep_alive_timeouts,
            Closed::TimedOut(Timer::Stall) => &mut self.stall_timeouts,
            Closed::Malformed(error) if error.kind() == DecodeErrorKind::PacketTooLarge => &mut self.packets_too_large,
            Closed::Malformed(_) | Closed::Violation(..) => &mut self.protocol_errors,
            _ => return,
        };
        *count = count.saturating_add(1);
    }
}

/// Topics below `$SYS/broker`, as mosquitto has them, and where their values are.
macro_rules! topics {
    ($($topic:literal: $name:ident,)*) => {
        impl Figures {
            /// The figures that other brokers publish below `$SYS/broker`, each with the topic that mosquitto gives it, for a
            /// host that does so: as retained messages, by [`Broker::publish`](super::Broker::publish), now and then.
            ///
            /// | topic | figure |
            /// |---|---|
            $(#[doc = concat!("| `$SYS/broker/", $topic, "` | [`", stringify!($name), "`](Self::", stringify!($name), ") |")])*
            ///
            /// `messages/received` and `messages/sent` count packets of all types. `publish/messages/sent` counts PUBLISH when it is
            /// handed to be sent, with repetitions; `publish/bytes/sent`, payloads when their copies are handed to a connection or a
            /// session, which is earlier for a client that is away; `uptime` is a number, without the word behind it. The rest is the host's: `version`, of its own program; `load/..`, the means over 1, 5 and 15 minutes, which
            /// follow from two of these figures at two times; `timestamp`, and what its system says of memory. Sessions without
            /// a connection, `clients/disconnected`, are the difference of two.
            ///
            /// ```
            /// use mqtt_session::{Broker, BrokerConfig, Instant, Message};
            /// let now = Instant::from_secs(1);
            /// let mut broker = Broker::new(BrokerConfig::new(7), now);
            /// for (topic, value) in broker.figures().topics() {
            ///     broker.publish(now, Message::new(topic, value.to_string())?.retain(true));
            /// }
            /// assert_eq!(broker.figures().retained_messages, 15);
            /// # Ok::<(), mqtt_session::proto::TextError>(())
            /// ```
            pub fn topics(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((concat!("$SYS/broker/", $topic), self.$name)),*].into_iter()
            }
        }
    };
}

topics! {
    "bytes/received": bytes_received,
    "bytes/sent": bytes_sent,
    "clients/connected": clients_connected,
    "clients/maximum": clients_maximum,
    "clients/total": sessions,
    "messages/received": packets_received,
    "messages/sent": packets_sent,
    "publish/bytes/received": payload_bytes_received,
    "publish/bytes/sent": payload_bytes_delivered,
    "publish/messages/dropped": messages_dropped,
    "publish/messages/received": messages_received,
    "publish/messages/sent": messages_sent,
    "retained messages/count": retained_messages,
    "subscriptions/count": subscriptions,
    "uptime": uptime_seconds,
}
