//! Bytes from the server.

use bytes::{Buf, Bytes, BytesMut};
use mqtt_proto::{Decoded, Disconnect, FixedHeader, Packet, PacketType, Rules, decode};

use super::{Client, Phase};
use crate::time::Instant;
use crate::timers::Timer;
use crate::{Closed, Violation};

impl Client {
    /// Bytes came from the server. Whole packets are taken off the front; the rest stays, and comes again with more.
    pub fn handle_input(&mut self, now: Instant, input: &mut &[u8]) {
        self.flow.advance(now);
        while self.reads(input) {
            match whole_publish(input, &self.rules) {
                Some(len) => {
                    let Some((frame, rest)) = input.split_at_checked(len) else {
                        return;
                    };
                    *input = rest;
                    let frame = self.flow.copy_frame(frame);
                    self.take_publish(&frame);
                }
                None => {
                    let Some(len) = self.take_other(input) else { return };
                    *input = input.get(len..).unwrap_or_default();
                }
            }
        }
    }

    /// The same from a buffer that the client may keep parts of: large payloads are shared with it and not copied.
    pub fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut) {
        self.flow.advance(now);
        while self.reads(input) {
            match whole_publish(input, &self.rules) {
                Some(len) => {
                    let inline = usize::try_from(self.config.limits.inline_bytes).unwrap_or(usize::MAX);
                    let frame = if len > inline {
                        input.split_to(len.min(input.len())).freeze()
                    } else {
                        let frame = self.flow.copy_frame(input.get(..len).unwrap_or_default());
                        input.advance(len.min(input.len()));
                        frame
                    };
                    self.take_publish(&frame);
                }
                None => {
                    let Some(len) = self.take_other(input) else { return };
                    input.advance(len.min(input.len()));
                }
            }
        }
    }

    /// Whether there is something to read and somebody to read it. After the end bytes mean nothing.
    fn reads(&mut self, input: &[u8]) -> bool {
        !input.is_empty() && matches!(self.phase, Phase::Connecting | Phase::Connected) && !self.flow.is_blocked()
    }

    fn take_publish(&mut self, frame: &Bytes) {
        match decode(frame, &self.rules) {
            Ok(Decoded::Packet { packet, .. }) => self.take(&packet, frame),
            Ok(Decoded::Incomplete { .. }) => {}
            Err(error) => self.fail(Closed::Malformed(error)),
        }
    }

    /// Takes a packet that is no PUBLISH; returns its length, or `None` if it is not complete or wrong.
    fn take_other(&mut self, input: &[u8]) -> Option<usize> {
        match decode(input, &self.rules) {
            Ok(Decoded::Packet { packet, len }) => {
                self.take(&packet, &Bytes::new());
                Some(len)
            }
            Ok(Decoded::Incomplete { .. }) => None,
            Err(error) => {
                self.fail(Closed::Malformed(error));
                None
            }
        }
    }

    fn take(&mut self, packet: &Packet<&[u8]>, frame: &Bytes) {
        let result = match self.phase {
            Phase::Connecting => self.on_first(packet),
            _ => self.on_packet(packet, frame),
        };
        if let Err(closed) = result {
            self.fail(closed);
        }
    }

    /// Ends the connection with what the server is to be told. [U5-4.13.1-a]
    pub(super) fn fail(&mut self, closed: Closed) {
        let reason = match &closed {
            Closed::Malformed(error) => Some(error.disconnect_reason()),
            Closed::Violation(violation) => Some(violation.disconnect_reason()),
            _ => None,
        };
        self.end(closed, reason.map(Disconnect::new));
    }

    fn on_first(&mut self, packet: &Packet<&[u8]>) -> Result<(), Closed> {
        match packet {
            Packet::ConnAck(connack) => self.on_connack(connack),
            Packet::Auth(auth) => self.on_auth(auth),
            _ => Err(Closed::Violation(Violation::PacketBeforeConnAck)),
        }
    }

    #[inline]
    fn on_packet(&mut self, packet: &Packet<&[u8]>, frame: &Bytes) -> Result<(), Closed> {
        let result = match packet {
            Packet::Publish(publish) => self.flow.on_publish(publish, frame),
            Packet::PubAck(ack) => self.flow.on_puback(ack.id, ack.reason.into()),
            Packet::PubRec(ack) => self.flow.on_pubrec(ack.id, ack.reason.into()),
            Packet::PubRel(ack) => self.flow.on_pubrel(ack.id),
            Packet::PubComp(ack) => self.flow.on_pubcomp(ack.id, ack.reason.into()),
            Packet::SubAck(ack) => self.on_suback(ack),
            Packet::UnsubAck(ack) => self.on_unsuback(ack),
            Packet::PingResp => {
                self.timers.clear(Timer::PingResponse);
                Ok(())
            }
            Packet::Disconnect(farewell) => return Err(self.farewell(farewell)),
            Packet::ConnAck(_) => Err(Violation::SecondConnAck),
            Packet::Auth(auth) => return self.on_auth(auth),
            // The decoder refuses what only clients send.
            _ => Err(Violation::PacketBeforeConnAck),
        };
        result.map_err(Closed::Violation)
    }

    fn farewell(&self, farewell: &Disconnect<&[u8]>) -> Closed {
        Closed::Disconnected {
            reason: farewell.reason,
            properties: farewell.properties.to_owned(),
        }
    }
}

/// The length of the PUBLISH at the front, if it is there in whole.
fn whole_publish(input: &[u8], rules: &Rules) -> Option<usize> {
    if input.first()? >> 4 != PacketType::Publish.number() {
        return None;
    }
    let header = FixedHeader::decode(input, rules).ok()??;
    (header.packet_len() <= input.len()).then(|| header.packet_len())
}
