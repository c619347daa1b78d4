//! Received messages that are too large to be held: their payloads are told piece by piece.
//!
//! A message counts as received with its last byte. One that is cut short was never received: its sender repeats it.

use bytes::Bytes;
use mqtt_proto::{Delivery, PacketId, Publish};

use super::input::Kept;
use super::{Flow, Tells, Traffic};
use crate::closed::Violation;
use crate::fingerprint::Fingerprint;
use crate::message::{DeliveryId, HandOver};
use crate::qos::Arrival;

/// A message whose payload is on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiving {
    delivery: Delivery,
    /// What is missing of the payload.
    left: usize,
    /// A repetition, or dropped: its payload is not told.
    is_skipped: bool,
}

impl<E: Tells> Flow<E> {
    /// Everything of a PUBLISH but its payload came in.
    pub(crate) fn on_publish_head(
        &mut self,
        publish: &Publish<&[u8]>,
        payload_len: usize,
        head: &Bytes,
    ) -> Result<(), Violation> {
        self.link.receiving_soon = false;
        let topic = self.resolve(publish)?;
        let is_skipped = match publish.delivery {
            Delivery::AtMostOnce => self.drops_plain(),
            Delivery::AtLeastOnce { .. } => false,
            // Nothing about a repetition depends on its payload. It is answered when it has come in whole.
            Delivery::ExactlyOnce { id, .. } => self.session.incoming.is_known(id, &self.session.journal),
        };
        if !is_skipped {
            let kept = Kept::of(publish, topic, head).ok_or(Violation::TopicAliasUnknown)?;
            let message = kept.with(Bytes::new());
            let payload_bytes = u32::try_from(payload_len).unwrap_or(u32::MAX);
            if self.session.manner.hand_over != HandOver::Automatic && message.qos.bits() > 0 {
                self.session.reserve_deliveries();
            }
            self.tell(Traffic::Start { message, payload_bytes });
        }
        self.link.receiving = Some(Receiving {
            delivery: publish.delivery,
            left: payload_len,
            is_skipped,
        });
        if payload_len == 0 { self.end_chunks() } else { Ok(()) }
    }

    /// How many bytes of a payload come next; zero if a packet does.
    pub(crate) fn payload_left(&self) -> usize {
        self.link.receiving.map_or(0, |receiving| receiving.left)
    }

    /// Whether the payload that comes is of interest.
    pub(crate) fn is_payload_told(&self) -> bool {
        self.link.receiving.is_some_and(|receiving| !receiving.is_skipped)
    }

    /// A part of the payload came. One that is not told may be empty, whatever its length.
    pub(crate) fn on_payload(&mut self, len: usize, chunk: Bytes) -> Result<(), Violation> {
        let Some(receiving) = &mut self.link.receiving else {
            return Ok(());
        };
        receiving.left = receiving.left.saturating_sub(len);
        let is_whole = receiving.left == 0;
        if !receiving.is_skipped {
            self.chunk_bytes = self.chunk_bytes.saturating_add(len);
            self.tell(Traffic::Chunk(chunk));
        }
        if is_whole { self.end_chunks() } else { Ok(()) }
    }

    /// How much more of the payload may wait to be polled.
    pub(crate) fn chunk_room(&self) -> usize {
        let bound = super::size(self.session.manner.limits.whole_packet_bytes).max(1);
        bound.saturating_sub(self.chunk_bytes).max(1)
    }

    /// The message has come in whole.
    fn end_chunks(&mut self) -> Result<(), Violation> {
        let Some(receiving) = self.link.receiving else {
            return Ok(());
        };
        if receiving.is_skipped {
            self.link.receiving = None;
            return self.end_repetition(receiving.delivery);
        }
        let session = &mut self.session;
        let arrival = match receiving.delivery {
            Delivery::AtMostOnce => None,
            Delivery::AtLeastOnce { id, .. } => Some(session.incoming.at_least_once(id)),
            Delivery::ExactlyOnce { id, .. } => Some(session.incoming.exactly_once(id, &session.journal)),
        };
        let delivery = match arrival {
            None => None,
            Some(Arrival::New(number)) => Some(DeliveryId::from_number(number)),
            // Nothing that came in between can have made it known.
            Some(Arrival::Repeated | Arrival::TooMany) => return Err(Violation::ReceiveMaximumExceeded),
        };
        self.link.receiving = None;
        self.tell(Traffic::End { delivery });
        Ok(())
    }

    /// A message of which nothing was told has come in whole.
    fn end_repetition(&mut self, delivery: Delivery) -> Result<(), Violation> {
        let Delivery::ExactlyOnce { id, .. } = delivery else {
            return Ok(());
        };
        let session = &mut self.session;
        if !session.incoming.is_known(id, &session.journal) {
            // The exchange ended while its identifier was used anew.
            return Err(Violation::IdentifierInUse);
        }
        match session.incoming.exactly_once(id, &session.journal) {
            Arrival::TooMany => Err(Violation::ReceiveMaximumExceeded),
            Arrival::New(_) | Arrival::Repeated => Ok(()),
        }
    }

    /// The connection has ended: the rest of a message will not come.
    pub(super) fn abort_chunks(&mut self) {
        if let Some(receiving) = self.link.receiving.take() {
            if !receiving.is_skipped {
                self.tell(Traffic::Aborted);
            }
        }
    }

    pub(super) fn fingerprint_chunks(&self, mark: &mut Fingerprint<'_>) {
        mark.number(self.link.receiving_soon);
        if let Some(receiving) = &self.link.receiving {
            mark.number(receiving.delivery.qos().bits());
            mark.number(receiving.delivery.id().map_or(0, PacketId::get));
            mark.count(receiving.left);
            mark.number(receiving.is_skipped);
        }
    }

    /// A message in chunks is next. Whether it may be told at once, or something has to be told before it.
    pub(crate) fn may_receive(&mut self) -> bool {
        self.link.receiving_soon = true;
        !self.waits_to_receive()
    }

    /// Whether a message in chunks waits for the store, or for room in the inbox: earlier messages are told first, and its
    /// number has to be set aside before it can be used. Nothing else can be read meanwhile, since it is not held.
    pub(super) fn waits_to_receive(&self) -> bool {
        (self.link.receiving_soon || self.link.receiving.is_some()) && !self.session.is_quiet()
    }
}
