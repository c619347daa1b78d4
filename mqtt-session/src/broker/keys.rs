//! The names of a broker's records, as bytes that sort.

use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::{Buf, Bytes};
use mqtt_proto::{TopicFilter, TopicName, Version};

use super::peers::ShardId;
use super::records::{BrokerKey, ForwardId, PayloadId};
use super::sessions::SessionId;
use crate::store::Key;
use crate::store::codec::Head;

const BROKER: u8 = 1;
const PAYLOAD: u8 = 2;
const SESSION: u8 = 3;
const RETAINED: u8 = 4;
const FORWARD: u8 = 5;
const SHARD: u8 = 6;

/// Within a session, before all of its records, whose kinds begin with 1.
const CLIENT: u8 = 0;
/// And behind all of them.
const SUBSCRIPTION: u8 = 0x80;

impl BrokerKey {
    /// Appends the key as bytes that sort as the keys do.
    ///
    /// | key | bytes |
    /// |---|---|
    /// | [`Broker`](Self::Broker) | 1 |
    /// | [`Payload`](Self::Payload) | 2, number 8 |
    /// | [`Client`](Self::Client) | 3, session 8, 0 |
    /// | [`Session`](Self::Session) | 3, session 8, then [`Key::encode`] |
    /// | [`Subscription`](Self::Subscription) | 3, session 8, 128, filter |
    /// | [`Retained`](Self::Retained) | 4, topic |
    /// | [`Forward`](Self::Forward) | 5, number 8 |
    /// | [`Shard`](Self::Shard) | 6, number 2 |
    ///
    /// The highest byte of a number comes first. All of a session begins with its
    /// [`session_prefix`](Self::session_prefix).
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let (head, text) = self.layout();
        bytes.extend_from_slice(head.as_slice());
        bytes.extend_from_slice(text);
    }

    /// How many bytes [`encode`](Self::encode) appends: 18 at most, but for filters and topics.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let (head, text) = self.layout();
        head.as_slice().len().saturating_add(text.len())
    }

    /// What the keys of a session begin with, and no other key does.
    #[must_use]
    pub const fn session_prefix(session: SessionId) -> [u8; 9] {
        let [a, b, c, d, e, f, g, h] = session.0.to_be_bytes();
        [SESSION, a, b, c, d, e, f, g, h]
    }

    /// The key of these bytes, or `None` if they are not those of a key. It shares their memory.
    #[must_use]
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let mut rest = bytes.clone();
        match rest.try_get_u8().ok()? {
            BROKER => rest.is_empty().then_some(Self::Broker),
            PAYLOAD => {
                let id = PayloadId(rest.try_get_u64().ok()?);
                rest.is_empty().then_some(Self::Payload(id))
            }
            SESSION => {
                let session = SessionId(rest.try_get_u64().ok()?);
                Self::of_session(session, rest)
            }
            RETAINED => TopicName::from_bytes(rest).ok().map(Self::Retained),
            FORWARD => {
                let id = ForwardId(rest.try_get_u64().ok()?);
                rest.is_empty().then_some(Self::Forward(id))
            }
            SHARD => {
                let shard = ShardId(rest.try_get_u16().ok()?);
                rest.is_empty().then_some(Self::Shard(shard))
            }
            _ => None,
        }
    }

    fn of_session(session: SessionId, mut rest: Bytes) -> Option<Self> {
        match *rest.first()? {
            CLIENT => (rest.len() == 1).then_some(Self::Client(session)),
            SUBSCRIPTION => {
                rest.advance(1);
                // What a client of an earlier version subscribed to may look like a shared filter, and be none.
                let filter = TopicFilter::from_bytes_for(Version::V3_1_1, rest).ok()?;
                Some(Self::Subscription(session, filter))
            }
            _ => Key::decode(&rest).map(|key| Self::Session(session, key)),
        }
    }

    /// The session that the record is a part of, if it is a part of one.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Client(session) | Self::Session(session, _) | Self::Subscription(session, _) => Some(*session),
            Self::Broker | Self::Retained(_) | Self::Payload(_) | Self::Forward(_) | Self::Shard(_) => None,
        }
    }

    pub(super) const fn is_kind(byte: u8) -> bool {
        matches!(byte, BROKER | PAYLOAD | SESSION | RETAINED | FORWARD | SHARD)
    }

    /// What is of fixed size, and the text behind it.
    pub(super) fn layout(&self) -> (Head, &[u8]) {
        let mut head = Head::EMPTY;
        let mut text: &[u8] = &[];
        match self {
            Self::Broker => head.put([BROKER]),
            Self::Payload(id) => {
                head.put([PAYLOAD]);
                head.put(id.0.to_be_bytes());
            }
            Self::Client(session) => {
                head.put(Self::session_prefix(*session));
                head.put([CLIENT]);
            }
            Self::Session(session, key) => {
                head.put(Self::session_prefix(*session));
                head.put(key.encode());
            }
            Self::Subscription(session, filter) => {
                head.put(Self::session_prefix(*session));
                head.put([SUBSCRIPTION]);
                text = filter.as_bytes();
            }
            Self::Retained(topic) => {
                head.put([RETAINED]);
                text = topic.as_bytes();
            }
            Self::Forward(id) => {
                head.put([FORWARD]);
                head.put(id.0.to_be_bytes());
            }
            Self::Shard(shard) => {
                head.put([SHARD]);
                head.put(shard.0.to_be_bytes());
            }
        }
        (head, text)
    }
}

/// The order of the encoded forms: the broker, payloads, all of each session, retained messages, what is between shards.
impl Ord for BrokerKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((head, text), (other_head, other_text)) = (self.layout(), other.layout());
        (head.as_slice(), text).cmp(&(other_head.as_slice(), other_text))
    }
}

impl PartialOrd for BrokerKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
