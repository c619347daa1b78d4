//! Bytes to the client.

use bytes::Bytes;
use mqtt_proto::{Disconnect, Role};

use super::{Phase, ServerConnection};
use crate::Violation;
use crate::flow::size;
use crate::outbox::Outbox;
use crate::timers::Timer;
use crate::wire::sayable;

impl ServerConnection {
    /// Fills the outbox with what is to be sent, as far as it has room.
    pub fn poll_transmit(&mut self, outbox: &mut Outbox) {
        if self.wire.is_stalled(outbox) && self.phase == Phase::Connected {
            self.time_out(Timer::Stall);
        }
        let may_begin = self.sends_connack(outbox) && self.flow.transmit_source(outbox) && self.wire.flush(outbox);
        if may_begin && self.phase == Phase::Connected {
            loop {
                self.flow.transmit_answers(outbox);
                if !self.flow.transmit_messages(outbox) {
                    break;
                }
            }
        }
        self.arm_source();
        let (phase, flow) = (self.phase, &self.flow);
        let timeout = self.config.session.limits.stall_timeout;
        self.wire.filled(outbox, || {
            (phase == Phase::Connected).then(|| flow.now().saturating_add(timeout))
        });
    }

    /// CONNACK goes before everything else, when the store has the session. [MQTT-3.2.0-1] Whether it has gone.
    #[inline]
    fn sends_connack(&mut self, outbox: &mut Outbox) -> bool {
        self.connack.is_none() || self.send_connack(outbox)
    }

    fn send_connack(&mut self, outbox: &mut Outbox) -> bool {
        match self.connack.take() {
            Some(connack) if self.flow.session.journal.is_stored(connack.1) => {
                outbox.buffer().extend_from_slice(&connack.0);
                outbox.count(1);
                true
            }
            Some(waiting) => {
                self.connack = Some(waiting);
                false
            }
            None => true,
        }
    }

    /// The connection ends: a CONNACK that may leave goes first. One that waits for the store is dropped with all that would
    /// follow it; the client does not learn of its session. Whether anything may be sent.
    pub(super) fn flush_connack(&mut self) -> bool {
        let Some(connack) = self.connack.take() else {
            return true;
        };
        let (mut connack, ticket) = *connack;
        if !self.flow.session.journal.is_stored(ticket) {
            self.wire.urgent.clear();
            return false;
        }
        connack.append(&mut self.wire.urgent);
        self.wire.urgent = connack;
        true
    }

    /// The host has so long for the next part of a payload.
    #[inline]
    fn arm_source(&mut self) {
        if !self.flow.wants_payload() {
            self.wire.timers.clear(Timer::Source);
        } else if self.wire.timers.get(Timer::Source).is_none() {
            let until = self
                .flow
                .now()
                .saturating_add(self.config.session.limits.source_timeout);
            self.wire.timers.set(Timer::Source, until);
        }
    }

    /// DISCONNECT, which only MQTT 5.0 takes from a server, and only after CONNACK.
    pub(super) fn write_farewell(&mut self, farewell: Disconnect<Bytes>) {
        if !self.version.has_properties() {
            return;
        }
        if !self.flush_connack() {
            return;
        }
        // What makes it too large is left out, the reason stays. [MQTT-3.14.2-3]
        let farewell = sayable(farewell, Role::Server);
        let bare: Disconnect<Bytes> = Disconnect::new(farewell.reason);
        // [MQTT-3.14.2-2]
        let farewell = farewell.fit(self.version, self.flow.peer_packet_bytes());
        let written = farewell.and_then(|farewell| farewell.encode_to(self.version, &mut self.wire.urgent));
        if written.is_err() {
            let _ = bare.encode_to(self.version, &mut self.wire.urgent);
        }
    }

    /// An answer has been put into the queue.
    pub(super) fn is_read(&self) -> Result<(), Violation> {
        if self.wire.urgent.len() > size(self.config.session.limits.reply_bytes) {
            return Err(Violation::RepliesNotRead);
        }
        Ok(())
    }
}
