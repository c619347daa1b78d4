//! What a decoder makes of the bytes at the start of a buffer.

use crate::normal::Packet;

/// The verdict of a decoder. `R` is its reason to refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<R> {
    /// A packet, and how many bytes it took.
    Accepted {
        packet: Packet,
        len: usize,
    },
    /// More bytes are asked for.
    Waits,
    Refused(R),
    /// It panicked with this message.
    Panicked(String),
}

impl<R> Verdict<R> {
    pub(crate) fn packet(&self) -> Option<&Packet> {
        match self {
            Self::Accepted { packet, .. } => Some(packet),
            _ => None,
        }
    }
}

/// What a peer makes of bytes: its reason is the `Debug` form of its error.
pub(crate) type TheirVerdict = Verdict<String>;

/// What this codec makes of bytes.
pub(crate) type OurVerdict = Verdict<mqtt_proto::DecodeError>;
