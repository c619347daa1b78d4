//! What is kept of a session, piece by piece.

use core::fmt;

use bytes::Bytes;
use mqtt_proto::{Binary, PacketId, PublishProperties, QoS, TopicName};

use super::{Key, PayloadOf};
use crate::Message;
use crate::time::Instant;

/// A piece of a session that is kept by a store.
///
/// Its `Debug` form shortens payloads.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// The session itself.
    Session(SessionRecord),
    /// A message to the peer.
    Outgoing(OutgoingRecord),
    /// A received QoS 2 message whose release is awaited.
    Incoming(IncomingRecord),
    /// A received message that is to be handed over.
    Inbox(InboxRecord),
    /// The payload of a message. Apart from the message, so that what changes about the message is written without it.
    Payload {
        /// Which message.
        of: PayloadOf,
        /// The payload.
        bytes: Bytes,
    },
}

/// The session itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Counts the sessions of this store: operations of an earlier one are not taken for operations of this one.
    pub generation: u32,
    /// Deliveries up to this number may have been told; new ones get higher numbers.
    pub delivery_floor: u64,
    /// When this was written: the clock of the machine never goes back behind it.
    pub saved_at: Instant,
    /// Whether the session outlives its connection. If not, a restart has nothing to go on with.
    pub is_kept: bool,
}

/// A message to the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// Its place among all messages to the peer.
    pub serial: u64,
    /// What the host gave to `publish`, to know the message by after a restart.
    pub tag: u64,
    /// How far it has come.
    pub state: OutgoingState,
}

/// How far a message to the peer has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingState {
    /// PUBLISH is to be sent, or sent and not answered.
    Publish {
        /// The identifier it is sent with, once it has one. Only a message of QoS 1 or 2 can have one.
        id: Option<PacketId>,
        /// The message, without its payload.
        message: MessageRecord,
    },
    /// The peer holds the QoS 2 message: PUBREL is to be sent, or sent and not answered.
    Release {
        /// The identifier of the exchange.
        id: PacketId,
        /// The message was given up, and its outcome told: the exchange goes on for the sake of the identifier alone.
        is_given_up: bool,
    },
}

/// A received QoS 2 message whose release is awaited: a PUBLISH with this identifier is a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingRecord {
    /// The identifier that the peer chose.
    pub id: PacketId,
}

/// A received message that is to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRecord {
    /// The number of the delivery.
    pub delivery: u64,
    /// The identifier of a QoS 2 exchange that has not ended; other messages have none.
    pub id: Option<PacketId>,
    /// The message, without its payload.
    pub message: MessageRecord,
}

/// A message without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// The QoS.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// The topic, in full: aliases end with their connection.
    pub topic: TopicName<Bytes>,
    /// The properties, without topic alias and message expiry.
    pub properties: PublishProperties<Bytes>,
    /// When the message expires.
    pub expires_at: Option<Instant>,
    /// The payload has this many bytes and no record: the host gives it again when it is sent.
    pub source_bytes: Option<u32>,
}

impl MessageRecord {
    /// The message, with its payload. How long it has is told where it is sent.
    pub(crate) fn into_message(self, payload: Bytes) -> Message {
        Message {
            topic: self.topic,
            payload,
            qos: self.qos,
            retain: self.retain,
            expiry_seconds: None,
            properties: self.properties,
        }
    }
}

impl Record {
    /// The key of the record.
    #[must_use]
    #[inline]
    pub const fn key(&self) -> Key {
        match self {
            Self::Session(_) => Key::Session,
            Self::Outgoing(outgoing) => Key::Outgoing(outgoing.serial),
            Self::Incoming(incoming) => Key::Incoming(incoming.id),
            Self::Inbox(inbox) => Key::Inbox(inbox.delivery),
            Self::Payload { of, .. } => Key::Payload(*of),
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => session.fmt(f),
            Self::Outgoing(outgoing) => outgoing.fmt(f),
            Self::Incoming(incoming) => incoming.fmt(f),
            Self::Inbox(inbox) => inbox.fmt(f),
            Self::Payload { of, bytes } => f
                .debug_struct("Payload")
                .field("of", of)
                .field("bytes", &Shortened(bytes))
                .finish(),
        }
    }
}

/// The first bytes of a payload, and how many there are.
struct Shortened<'a>(&'a [u8]);

impl Shortened<'_> {
    const SHOWN: usize = 32;
}

impl fmt::Debug for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..Self::SHOWN).unwrap_or(self.0);
        Binary::new(shown).unwrap_or_default().fmt(f)?;
        if shown.len() < self.0.len() {
            write!(f, "... ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use bytes::Bytes;

    use super::{PayloadOf, Record};

    #[test]
    fn the_debug_form_of_a_payload_is_short() {
        let shown = |bytes: &[u8]| {
            let of = PayloadOf::Inbox(3);
            let bytes = Bytes::copy_from_slice(bytes);
            format!("{:?}", Record::Payload { of, bytes })
        };
        let many = "a".repeat(32);
        assert_eq!(shown(b"21.5"), r#"Payload { of: Inbox(3), bytes: "21.5" }"#);
        assert_eq!(
            shown(&[b'a'; 32]),
            format!(r#"Payload {{ of: Inbox(3), bytes: "{many}" }}"#)
        );
        let long = format!(r#"Payload {{ of: Inbox(3), bytes: "{many}"... (100000 bytes) }}"#);
        assert_eq!(shown(&[b'a'; 100_000]), long);
    }
}
