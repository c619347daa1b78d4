//! Bytes from the server.

use bytes::BytesMut;
use mqtt_proto::{ConnAckProperties, ConnAckReason, Disconnect, Packet, PacketType, PropertyId, QoS, Role, Rules};

use super::{Client, Event, Phase};
use crate::closed::Fault;
use crate::flow::Flow;
use crate::framing::{self, Reads};
use crate::time::Instant;
use crate::timers::Timer;
use crate::{Closed, Violation};

/// A server that does not know MQTT 5.0 refuses it with a CONNACK of MQTT 3. [MQTT-3.1.2-2] of MQTT 3.1.1
const VERSION_REFUSED: [u8; 4] = [0x20, 2, 0, 1];

impl Client {
    /// Bytes came from the server. Whole packets are taken off the front; the rest stays, and comes again with more.
    pub fn handle_input(&mut self, now: Instant, input: &mut &[u8]) {
        self.advance(now);
        framing::read(self, input);
    }

    /// The same from a buffer that the client may keep parts of: large payloads are shared with it and not copied.
    pub fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut) {
        self.advance(now);
        framing::read(self, input);
    }

    /// Ends the connection with what the server is to be told. [U5-4.13.1-a]
    pub(super) fn fail_with(&mut self, fault: Fault) {
        let reason = match &fault {
            Fault::Malformed(error) => Some(error.disconnect_reason()),
            Fault::Violation(violation) => Some(violation.disconnect_reason()),
            Fault::Said(_) => None,
        };
        let closed = fault.closed(self.config.version, Role::Server);
        self.end(closed, reason.map(Disconnect::new));
    }

    /// The answer to CONNECT.
    fn on_first(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault> {
        match packet {
            Packet::ConnAck(connack) => self.on_connack(connack),
            Packet::Auth(_) if !self.config.request_problem_information && explains(packet) => {
                Err(Fault::Violation(Violation::ProblemInformationNotAsked))
            }
            Packet::Auth(auth) => self.on_auth(auth),
            _ => Err(Fault::Violation(Violation::PacketBeforeConnAck)),
        }
    }

    #[inline]
    fn on_next(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault> {
        if !self.config.request_problem_information && explains(packet) {
            return Err(Fault::Violation(Violation::ProblemInformationNotAsked));
        }
        let result = match packet {
            Packet::PubAck(ack) => self.flow.on_ack(PacketType::PubAck, ack.id, ack.reason.into()),
            Packet::PubRec(ack) => self.flow.on_ack(PacketType::PubRec, ack.id, ack.reason.into()),
            Packet::PubRel(ack) => self.flow.on_ack(PacketType::PubRel, ack.id, ack.reason.into()),
            Packet::PubComp(ack) => self.flow.on_ack(PacketType::PubComp, ack.id, ack.reason.into()),
            Packet::SubAck(ack) => self.on_suback(ack),
            Packet::UnsubAck(ack) => self.on_unsuback(ack),
            Packet::PingResp => {
                self.wire.timers.clear(Timer::PingResponse);
                Ok(())
            }
            Packet::Disconnect(farewell) => return Err(Fault::Said(self.farewell(farewell))),
            Packet::ConnAck(_) => Err(Violation::SecondConnAck),
            Packet::Auth(auth) => return self.on_auth(auth),
            // The decoder refuses what only clients send.
            _ => Err(Violation::PacketBeforeConnAck),
        };
        result.map_err(Fault::Violation)
    }

    fn farewell(&self, farewell: &Disconnect<&[u8]>) -> Closed {
        Closed::Disconnected {
            reason: farewell.reason,
            properties: farewell.properties.to_owned(),
        }
    }
}

/// Whether an answer holds words or User Properties. CONNACK, DISCONNECT and PUBLISH may always.
fn explains(packet: &Packet<&[u8]>) -> bool {
    let properties = match packet {
        Packet::PubAck(ack) => &ack.properties,
        Packet::PubRec(ack) => &ack.properties,
        Packet::PubRel(ack) => &ack.properties,
        Packet::PubComp(ack) => &ack.properties,
        Packet::SubAck(ack) => &ack.properties,
        Packet::UnsubAck(ack) => &ack.properties,
        Packet::Auth(auth) => {
            return auth.properties.has(PropertyId::ReasonString) || auth.properties.has(PropertyId::UserProperty);
        }
        _ => return false,
    };
    properties.has(PropertyId::ReasonString) || properties.has(PropertyId::UserProperty)
}

impl Reads for Client {
    type Event = Event;

    fn flow(&mut self) -> &mut Flow<Event> {
        &mut self.flow
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    #[inline]
    fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Connected) && !self.flow.is_blocked()
    }

    fn expect(&self, packet_type: PacketType) -> Result<(), Violation> {
        let is_first = self.phase == Phase::Connecting;
        match packet_type {
            PacketType::ConnAck | PacketType::Auth => Ok(()),
            _ if is_first => Err(Violation::PacketBeforeConnAck),
            _ => Ok(()),
        }
    }

    fn on_packet(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault> {
        match self.phase {
            Phase::Connecting => self.on_first(packet),
            _ => self.on_next(packet),
        }
    }

    /// [U5-3.3.4-c]
    #[inline]
    fn allow_publish(&self, qos: QoS, _retain: bool) -> Result<(), Violation> {
        if qos > self.config.maximum_qos {
            return Err(Violation::QoSNotSupported);
        }
        Ok(())
    }

    fn on_progress(&mut self, _packets: u32) {}

    fn fail(&mut self, fault: Fault, input: &[u8]) {
        let is_answer = self.phase == Phase::Connecting && matches!(fault, Fault::Malformed(_));
        self.fail_with(match is_answer && input.starts_with(&VERSION_REFUSED) {
            true => Fault::Said(Closed::Refused {
                reason: ConnAckReason::UnsupportedProtocolVersion,
                properties: ConnAckProperties::empty(),
            }),
            false => fault,
        });
    }
}
