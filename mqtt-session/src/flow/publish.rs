//! What the host asks of its own messages.

use mqtt_proto::{Delivery, PacketId};

use super::outline::{HEAD_BYTES, Outline};
use super::{Flow, Tells};
use crate::message::Message;
use crate::op::{Op, PublishError};

impl<E: Tells> Flow<E> {
    /// Queues a message for whichever connection comes next, or is there. All sessions of the broker together have so many
    /// bytes `left`.
    #[cfg(feature = "broker")]
    pub(crate) fn queue_for_any(&mut self, message: Message, tag: u64, left: u64) -> Result<(), PublishError> {
        let left = match self.has_frames() {
            true => self.left_beside_frames(message.size(), left),
            false => left,
        };
        self.session.queue_for_any(message, tag, left, &mut self.events)
    }

    /// Whether a message can be sent and has room, or can get it. It is to be queued then, with the bytes that this says.
    pub(crate) fn admit(
        &mut self,
        message: &Message,
        source_bytes: Option<u32>,
        left: u64,
    ) -> Result<u64, PublishError> {
        let bytes = message.size();
        if self.link.is_open {
            self.fits_link(message, bytes, source_bytes)?;
        }
        #[cfg(feature = "broker")]
        let left = self.left_beside_frames(bytes, left);
        self.session.admit(message, bytes, left, &mut self.events)?;
        #[cfg(feature = "broker")]
        self.room_beside_frames(bytes)?;
        Ok(bytes)
    }

    fn fits_link(&self, message: &Message, bytes: u64, source_bytes: Option<u32>) -> Result<(), PublishError> {
        if !self.link.version.has_properties() && !message.properties.is_empty() {
            return Err(PublishError::NotInVersion);
        }
        let source_bytes_most = u64::from(source_bytes.unwrap_or(0));
        let upper = bytes
            .saturating_add(source_bytes_most)
            .saturating_add(HEAD_BYTES as u64);
        let limit = self.link.peer_packet_bytes;
        if upper > u64::from(limit) {
            let outline = Outline {
                version: self.link.version,
                delivery: Delivery::first(message.qos, PacketId::MAX),
                message,
                with_topic: true,
                expiry: message.expiry_seconds,
                alias: None,
                source_bytes,
            };
            let bytes = outline.packet_len();
            if bytes > limit {
                return Err(PublishError::TooLarge { bytes, limit });
            }
        }
        Ok(())
    }

    pub(crate) fn cancel(&mut self, op: Op) -> bool {
        self.session.cancel(op, &mut self.events)
    }
}
