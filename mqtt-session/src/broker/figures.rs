//! What a broker counts.

use mqtt_proto::DecodeErrorKind;

use crate::Closed;
use crate::timers::Timer;

/// What a broker has counted since its start, and what it holds. For a host that publishes it, under `$SYS` or elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Connections that are open, admitted or not.
    pub connections: u64,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// Connections that were not opened, at [`BrokerLimits::connections`](super::BrokerLimits).
    pub connections_refused: u64,
    /// Sessions, with and without a connection.
    pub sessions: u64,
    /// Sessions whose client is connected.
    pub clients_connected: u64,
    /// The most of these at one time.
    pub clients_maximum: u64,
    /// Seconds since the broker began, or was restored.
    pub uptime_seconds: u64,
    /// Clients that came while an earlier connection of theirs was there.
    pub takeovers: u64,
    /// Subscriptions of clients and of the host.
    pub subscriptions: u64,
    /// Retained messages.
    pub retained_messages: u64,
    /// What they take in memory.
    pub retained_bytes: u64,
    /// Packets that were read from clients, but for such as were refused as malformed or out of place.
    pub packets_received: u64,
    /// Bytes that were read from clients.
    pub bytes_received: u64,
    /// Bytes that were handed to be sent to clients.
    pub bytes_sent: u64,
    /// How often a stream was not read for a while, at [`BrokerLimits::messages_per_second`](super::BrokerLimits) or
    /// [`BrokerLimits::bytes_per_second`](super::BrokerLimits).
    pub reads_paused: u64,
    /// Messages that came from clients, whatever became of them; repetitions of QoS 2 are left out.
    pub messages_received: u64,
    /// Bytes of their payloads.
    pub payload_bytes_received: u64,
    /// Messages that clients or the host published, wills too, and that were allowed.
    pub messages_published: u64,
    /// Copies that were handed to a connection or a session.
    pub messages_delivered: u64,
    /// Bytes of their payloads.
    pub payload_bytes_delivered: u64,
    /// Copies that were dropped since a queue was full.
    pub messages_dropped: u64,
    /// Copies of shared subscriptions that went on to another member, since the session that had them ended.
    pub messages_handed_on: u64,
    /// Messages that the host did not allow.
    pub messages_refused: u64,
    /// Messages that were to be retained and had no room.
    pub retained_refused: u64,
    /// Wills that were published.
    pub wills_published: u64,
    /// Wills that were given up, at [`BrokerLimits::parked_wills`](super::BrokerLimits).
    pub wills_dropped: u64,
    /// Sessions that ended.
    pub sessions_ended: u64,
    /// Clients that were refused at [`BrokerLimits::sessions`](super::BrokerLimits).
    pub sessions_refused: u64,
    /// Subscriptions that ended since the host did not allow them any more.
    pub subscriptions_revoked: u64,
    /// Retained messages that were dropped since the host did not allow them any more.
    pub retained_revoked: u64,
    /// Clients that were refused since another shard has their sessions.
    pub clients_misdirected: u64,
    /// Filters that were refused at one of the limits of subscriptions.
    pub subscriptions_refused: u64,
    /// Connections that ended since no client was admitted in [`Limits::handshake_timeout`](crate::Limits).
    pub handshake_timeouts: u64,
    /// Connections that ended since their client sent nothing for one and a half times its keep-alive.
    pub keep_alive_timeouts: u64,
    /// Connections that ended since what was to be sent waited for [`Limits::stall_timeout`](crate::Limits).
    pub stall_timeouts: u64,
    /// Connections that ended at [`Limits::packet_bytes`](crate::Limits) or [`Limits::connect_bytes`](crate::Limits).
    pub packets_too_large: u64,
    /// Connections that ended since their client broke another rule of the protocol.
    pub protocol_errors: u64,
    /// How often a connection came to have as many packets waiting for the host as
    /// [`BrokerLimits::parked_per_connection`](super::BrokerLimits) allows, and was not read for a while.
    pub parks_full: u64,
    /// Answers of the host that were forgotten at [`BrokerLimits::remembered_topics`](super::BrokerLimits).
    pub topics_forgotten: u64,
    /// Questions about what is there that wait for answers, since the policy changed: at most
    /// [`BrokerLimits::reviews`](super::BrokerLimits).
    pub reviews_waiting: u64,
    /// Events that had no room, at [`BrokerLimits::events`](super::BrokerLimits).
    pub events_missed: u64,
}

impl Figures {
    pub(super) fn has_read_packets(&mut self, packets: u32) {
        self.packets_received = self.packets_received.saturating_add(u64::from(packets));
    }

    pub(super) fn has_delivered(&mut self, payload_bytes: usize) {
        self.messages_delivered = self.messages_delivered.saturating_add(1);
        self.payload_bytes_delivered = self.payload_bytes_delivered.saturating_add(payload_bytes as u64);
    }

    /// A connection has ended.
    pub(super) fn has_closed(&mut self, reason: &Closed) {
        let count = match reason {
            Closed::TimedOut(Timer::Handshake) => &mut self.handshake_timeouts,
            Closed::TimedOut(Timer::KeepAlive) => &mut self.keep_alive_timeouts,
            Closed::TimedOut(Timer::Stall) => &mut self.stall_timeouts,
            Closed::Malformed(error) if error.kind() == DecodeErrorKind::PacketTooLarge => &mut self.packets_too_large,
            Closed::Malformed(_) | Closed::Violation(_) => &mut self.protocol_errors,
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
            /// `messages/received` counts packets of all types. `publish/messages/sent` and `publish/bytes/sent` count copies when
            /// they are handed to a connection or a session; `uptime` is a number, without
            /// the word behind it. The rest is the host's: `version`, of its own program; `load/..`, the means over 1, 5 and 15 minutes, which
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
            /// assert_eq!(broker.figures().retained_messages, 14);
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
    "publish/bytes/received": payload_bytes_received,
    "publish/bytes/sent": payload_bytes_delivered,
    "publish/messages/dropped": messages_dropped,
    "publish/messages/received": messages_received,
    "publish/messages/sent": messages_delivered,
    "retained messages/count": retained_messages,
    "subscriptions/count": subscriptions,
    "uptime": uptime_seconds,
}
