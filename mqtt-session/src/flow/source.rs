//! Messages whose payloads the host gives piece by piece, while they are sent.
//!
//! A packet that has begun is ended before anything else can be sent. So there is one such message at a time, and a source
//! that does not deliver ends the connection by a deadline.

use alloc::boxed::Box;

use bytes::Bytes;
use mqtt_proto::PacketId;

use super::{Flow, Tells, Traffic};
use crate::closed::Violation;
use crate::fingerprint::Fingerprint;
use crate::op::{Op, Outcome, SupplyError};
use crate::outbox::Outbox;
use crate::qos::{Ended, State};
use crate::session::SessionEvent;

/// A message whose head has been sent.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    op: Op,
    tag: u64,
    id: Option<PacketId>,
    /// It was sent on an earlier connection, at least in part.
    is_repeated: bool,
    /// A message of QoS 0, which is done with its last byte.
    plain: Option<Ended>,
    payload_bytes: u32,
    /// How much of the payload the host has given.
    given: u32,
    /// What it has given and the outbox has not.
    ready: Bytes,
    is_wanted: bool,
}

impl<E: Tells> Flow<E> {
    /// The head of a message has been written; its payload follows.
    pub(super) fn begin_source(&mut self, key: u32, payload_bytes: u32) {
        let Some(exchange) = self.session.outgoing.get(key) else {
            return;
        };
        let (op, tag, id) = (self.session.op(key, exchange.serial), exchange.tag, exchange.id());
        let is_repeated = exchange.repeated;
        let plain = self.session.outgoing.published(key);
        self.link.sending = Some(Box::new(Sending {
            op,
            tag,
            id,
            is_repeated,
            plain,
            payload_bytes,
            given: 0,
            ready: Bytes::new(),
            is_wanted: false,
        }));
    }

    /// Writes what the host has given, and asks for more. Whether another packet may begin.
    #[inline]
    pub(crate) fn transmit_source(&mut self, outbox: &mut Outbox) -> bool {
        self.link.sending.is_none() || self.go_on_with_source(outbox)
    }

    fn go_on_with_source(&mut self, outbox: &mut Outbox) -> bool {
        let chunk_bytes = self.session.manner.limits.chunk_bytes.max(1);
        let Some(sending) = &mut self.link.sending else {
            return true;
        };
        if !sending.ready.is_empty() {
            if !outbox.has_room() {
                return false;
            }
            outbox.share(core::mem::take(&mut sending.ready));
        }
        let left = sending.payload_bytes.saturating_sub(sending.given);
        if left > 0 {
            if !sending.is_wanted {
                sending.is_wanted = true;
                let wanted = Traffic::PayloadWanted {
                    op: sending.op,
                    tag: sending.tag,
                    offset: sending.given,
                    bytes: left.min(chunk_bytes),
                };
                self.tell(wanted);
            }
            return false;
        }
        self.end_source(Outcome::Sent);
        true
    }

    fn end_source(&mut self, outcome: Outcome) {
        let Some(sending) = self.link.sending.take() else {
            return;
        };
        if sending.is_wanted {
            // An offset that was asked for on this connection means nothing on the next.
            self.events.retain(|event| !event.asks_payload());
        }
        if sending.plain.is_some_and(|ended| ended.has_op()) {
            let (op, tag) = (sending.op, sending.tag);
            self.tell(SessionEvent::Completed { op, tag, outcome });
        }
    }

    /// The connection has ended in the middle of a payload. A message of QoS 1 or 2 goes again from its beginning.
    pub(super) fn interrupt(&mut self) {
        self.end_source(Outcome::Interrupted);
    }

    /// Whether the host owes a part of a payload, in the middle of a packet.
    pub(crate) fn wants_payload(&self) -> bool {
        self.link.sending.as_ref().is_some_and(|sending| sending.is_wanted)
    }

    /// The host gives the next part of a payload.
    pub(crate) fn supply(&mut self, op: Op, offset: u32, bytes: Bytes) -> Result<(), SupplyError> {
        let chunk_bytes = self.session.manner.limits.chunk_bytes.max(1);
        let sending = self.link.sending.as_mut();
        let Some(sending) = sending.filter(|sending| sending.op == op && sending.is_wanted) else {
            return Err(SupplyError::NotWanted);
        };
        // An operation outlives its connection, and an answer to what the last one asked for may come late.
        if offset != sending.given {
            return Err(SupplyError::OtherOffset { wanted: sending.given });
        }
        let wanted = sending.payload_bytes.saturating_sub(sending.given).min(chunk_bytes);
        match u32::try_from(bytes.len()) {
            Ok(0) => Err(SupplyError::Empty),
            Ok(len) if len <= wanted => {
                sending.given = sending.given.saturating_add(len);
                sending.ready = bytes;
                sending.is_wanted = false;
                Ok(())
            }
            _ => Err(SupplyError::TooMuch { wanted }),
        }
    }

    /// The host cannot give the payload: the operation ends. Whether its packet has begun, which cannot be undone.
    pub(crate) fn give_up_source(&mut self, op: Op) -> Result<bool, SupplyError> {
        let sending = self.link.sending.as_mut().filter(|sending| sending.op == op);
        let is_sending = sending.is_some();
        // The packet stays begun until the connection has ended: nothing may follow the part of it that has gone.
        if let Some((ended, tag)) = sending.and_then(|sending| Some((sending.plain.take()?, sending.tag))) {
            if ended.has_op() {
                let outcome = Outcome::SourceFailed;
                self.tell(SessionEvent::Completed { op, tag, outcome });
            }
            return Ok(true);
        }
        let exchange = self.session.outgoing.get(op.key);
        let is_source =
            exchange.is_some_and(|exchange| exchange.serial == op.serial && exchange.source_bytes.is_some());
        // What was sent in whole waits for its answer: no payload is wanted of it, and its identifier is not free.
        let is_source = is_source && (is_sending || !self.is_answer_due(op.key));
        if op.session != self.session.generation || !is_source {
            return Err(SupplyError::NotWanted);
        }
        self.give_up(op.key, Outcome::SourceFailed);
        Ok(is_sending)
    }

    pub(super) fn fingerprint_source(&self, mark: &mut Fingerprint<'_>) {
        if let Some(sending) = &self.link.sending {
            mark.number(sending.tag);
            mark.number(sending.given);
            mark.number(sending.payload_bytes);
            mark.number(sending.is_wanted);
            mark.number(sending.is_repeated);
            mark.bytes(&sending.ready);
        }
    }

    /// Whether the message has been sent on this connection, and not been answered.
    fn is_answer_due(&self, key: u32) -> bool {
        let outgoing = &self.session.outgoing;
        let state = outgoing.get(key).map(|exchange| exchange.state(outgoing.connection()));
        self.link.is_open && !matches!(state, Some(State::Queued | State::PublishDue))
    }

    /// What is still being sent cannot be answered. An answer to what went on an earlier connection counts for nothing: this
    /// time gets its own.
    pub(super) fn is_sent(&self, id: PacketId) -> Result<bool, Violation> {
        match &self.link.sending {
            Some(sending) if sending.id == Some(id) && !sending.is_complete() => {
                if sending.is_repeated {
                    Ok(false)
                } else {
                    Err(Violation::AnswerBeforeTheEnd)
                }
            }
            _ => Ok(true),
        }
    }
}

impl Sending {
    /// Whether the host has given everything.
    fn is_complete(&self) -> bool {
        self.given >= self.payload_bytes
    }
}
