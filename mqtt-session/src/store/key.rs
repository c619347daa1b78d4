//! The names of records.

use mqtt_proto::PacketId;

/// The name of a record in the store of one session.
///
/// A put replaces the record of the same key. Keys sort by kind and then by number, and so do their encoded forms; messages
/// come in the order in which they were published or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Key {
    /// The session itself.
    Session,
    /// A message to the peer, by its serial number.
    Outgoing(u64),
    /// The exchange of a received QoS 2 message, by the identifier that the peer chose.
    Incoming(PacketId),
    /// A received message, by the number of its delivery.
    Inbox(u64),
    /// The payload of a message.
    Payload(PayloadOf),
}

/// The message that a payload belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PayloadOf {
    /// Of [`Key::Outgoing`].
    Outgoing(u64),
    /// Of [`Key::Inbox`].
    Inbox(u64),
}

/// The kind of a key and of its record, in the order of the keys. The numbers stand in stores.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
    Session = 1,
    Outgoing = 2,
    Incoming = 3,
    Inbox = 4,
    OutgoingPayload = 5,
    InboxPayload = 6,
}

impl Kind {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Session,
            2 => Self::Outgoing,
            3 => Self::Incoming,
            4 => Self::Inbox,
            5 => Self::OutgoingPayload,
            6 => Self::InboxPayload,
            _ => return None,
        })
    }
}

impl Key {
    /// How many bytes an encoded key has.
    pub const ENCODED_BYTES: usize = 9;

    /// The key as bytes that sort as the keys do: the kind, then the number, highest byte first.
    #[must_use]
    pub const fn encode(self) -> [u8; Self::ENCODED_BYTES] {
        let [a, b, c, d, e, f, g, h] = self.number().to_be_bytes();
        [self.kind() as u8, a, b, c, d, e, f, g, h]
    }

    /// The key of these bytes, or `None` if they are not those of a key.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, number) = bytes.split_first()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        match Kind::from_byte(kind)? {
            Kind::Session => (number == 0).then_some(Self::Session),
            Kind::Outgoing => Some(Self::Outgoing(number)),
            Kind::Incoming => PacketId::new(u16::try_from(number).ok()?).map(Self::Incoming),
            Kind::Inbox => Some(Self::Inbox(number)),
            Kind::OutgoingPayload => Some(Self::Payload(PayloadOf::Outgoing(number))),
            Kind::InboxPayload => Some(Self::Payload(PayloadOf::Inbox(number))),
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Session => Kind::Session,
            Self::Outgoing(_) => Kind::Outgoing,
            Self::Incoming(_) => Kind::Incoming,
            Self::Inbox(_) => Kind::Inbox,
            Self::Payload(PayloadOf::Outgoing(_)) => Kind::OutgoingPayload,
            Self::Payload(PayloadOf::Inbox(_)) => Kind::InboxPayload,
        }
    }

    /// What tells it from other keys of its kind.
    const fn number(self) -> u64 {
        match self {
            Self::Session => 0,
            Self::Incoming(id) => id.get() as u64,
            Self::Outgoing(number)
            | Self::Inbox(number)
            | Self::Payload(PayloadOf::Outgoing(number) | PayloadOf::Inbox(number)) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Key, PayloadOf};
    use crate::store::samples::id;

    fn keys() -> Vec<Key> {
        let mut keys = vec![Key::Session];
        for number in [0, 1, 255, 256, u64::from(u32::MAX) + 1, u64::MAX] {
            keys.extend([Key::Outgoing(number), Key::Inbox(number)]);
            keys.extend([PayloadOf::Outgoing(number), PayloadOf::Inbox(number)].map(Key::Payload));
        }
        keys.extend([1, 255, 256, 65_535].map(|number| Key::Incoming(id(number))));
        keys
    }

    #[test]
    fn keys_come_back_and_sort_as_their_bytes_do() {
        for key in keys() {
            assert_eq!(Key::decode(&key.encode()), Some(key));
            for other in keys() {
                assert_eq!(
                    key.cmp(&other),
                    key.encode().cmp(&other.encode()),
                    "{key:?} and {other:?}"
                );
            }
        }
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x01\0\0\0\0\0\0\0",
            b"\x01\0\0\0\0\0\0\0\0\0",
            b"\x01\0\0\0\0\0\0\0\x01",
            b"\0\0\0\0\0\0\0\0\0",
            b"\x07\0\0\0\0\0\0\0\0",
            b"\x03\0\0\0\0\0\0\0\0",
            b"\x03\0\0\0\0\0\x01\0\x01",
        ] {
            assert_eq!(Key::decode(bytes), None, "{bytes:?}");
        }
    }
}
