//! Bytes from the client.

use bytes::BytesMut;
use mqtt_proto::{Disconnect, DisconnectReason, Field, Packet, PacketType, QoS, Role, Rules, Subscribe, Version};

use super::{Phase, ServerConnection, ServerEvent};
use crate::closed::Fault;
use crate::flow::Flow;
use crate::framing::{self, Reads};
use crate::time::Instant;
use crate::{Capability, Closed, Violation};

impl ServerConnection {
    /// Bytes came from the client. Whole packets are taken off the front; the rest stays, and comes again with more.
    pub fn handle_input(&mut self, now: Instant, input: &mut &[u8]) {
        self.advance(now);
        framing::read(self, input);
    }

    /// The same from a buffer that the connection may keep parts of: large payloads are shared with it and not copied.
    pub fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut) {
        self.advance(now);
        framing::read(self, input);
    }

    fn on_first(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault> {
        match packet {
            Packet::Connect(connect) => self.on_connect(connect),
            _ => Err(Fault::Violation(Violation::PacketBeforeConnect)),
        }
    }

    #[inline]
    fn on_next(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault> {
        let result = match packet {
            Packet::PubAck(ack) => self.flow.on_ack(PacketType::PubAck, ack.id, ack.reason.into()),
            Packet::PubRec(ack) => self.flow.on_ack(PacketType::PubRec, ack.id, ack.reason.into()),
            Packet::PubRel(ack) => self.flow.on_ack(PacketType::PubRel, ack.id, ack.reason.into()),
            Packet::PubComp(ack) => self.flow.on_ack(PacketType::PubComp, ack.id, ack.reason.into()),
            Packet::Subscribe(subscribe) => self.on_subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(unsubscribe),
            Packet::PingReq => self.on_ping(),
            Packet::Disconnect(farewell) => return self.on_disconnect(farewell),
            Packet::Auth(auth) => return self.on_auth(auth),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(Violation::SecondConnect),
            // The decoder refuses what only servers send.
            _ => Err(Violation::PacketBeforeConnect),
        };
        result.map_err(Fault::Violation)
    }

    /// What was announced as not supported may not be asked for. MQTT 3 was told nothing, and is answered by the host.
    pub(super) fn allow_subscribe(&self, subscribe: &Subscribe<&[u8]>) -> Result<(), Violation> {
        if !self.version.has_properties() {
            return Ok(());
        }
        let allowed = self
            .config
            .capabilities
            .allow_subscribe(&subscribe.filters, &subscribe.properties);
        allowed.map_err(not_supported)
    }

    /// The client says farewell. [MQTT-3.14.4-3]
    fn on_disconnect(&mut self, farewell: &Disconnect<&[u8]>) -> Result<(), Fault> {
        if let Some(seconds) = farewell.properties.session_expiry() {
            if self.session_expiry_seconds == 0 && seconds > 0 {
                return Err(Fault::Violation(Violation::SessionExpiryFromZero));
            }
            self.session_expiry_seconds = match self.config.session_expiry_seconds_max {
                Some(longest) => seconds.min(longest),
                None => seconds,
            };
        }
        if farewell.reason == DisconnectReason::NormalDisconnection {
            self.will = None;
        }
        self.end(Closed::Disconnected {
            reason: farewell.reason,
            properties: farewell.properties.to_owned(),
        });
        Ok(())
    }

    /// Ends the connection with what the client is to be told. [U5-4.13.1-a, MQTT-4.8.0-1]
    fn fail_with(&mut self, fault: Fault, input: &[u8]) {
        let (connack, disconnect) = match &fault {
            Fault::Malformed(error) => (error.connack_reason(), error.disconnect_reason()),
            Fault::Violation(violation) => (violation.connack_reason(), violation.disconnect_reason()),
            Fault::Said(closed) => return self.end(closed.clone()),
        };
        let answers_first = self.answers_first(&fault, input);
        let closed = fault.closed(self.version, Role::Client);
        if matches!(self.phase, Phase::Waiting | Phase::Authenticating) {
            if let Some(version) = answers_first {
                self.write_refusal(connack, version);
            }
            self.end(closed);
        } else {
            self.end_with(closed, disconnect);
        }
    }

    /// In which version somebody whose CONNECT cannot be accepted is told why, if at all. What is not MQTT gets no answer;
    /// MQTT 3 is told only that its version or its name is not accepted. [MQTT-3.1.0-1, MQTT-3.1.2-2]
    fn answers_first(&self, fault: &Fault, input: &[u8]) -> Option<Version> {
        match fault {
            Fault::Malformed(error) if self.phase == Phase::Waiting => {
                if error.packet_type() != Some(PacketType::Connect) {
                    return None;
                }
                match error.field() {
                    Field::ProtocolLevel => Some(nearest_version(*input.get(error.offset())?)),
                    Field::FixedHeader | Field::RemainingLength | Field::ProtocolName => None,
                    _ => Some(error.version()).filter(|version| version.has_properties()),
                }
            }
            Fault::Violation(Violation::PacketBeforeConnect) => None,
            _ => Some(self.version),
        }
    }
}

/// In which form a client of an unknown protocol level understands that it is unknown.
const fn nearest_version(level: u8) -> Version {
    if level < Version::V5.level() {
        Version::V3_1_1
    } else {
        Version::V5
    }
}

const fn not_supported(capability: Capability) -> Violation {
    match capability {
        Capability::QoS => Violation::QoSNotSupported,
        Capability::Retain => Violation::RetainNotSupported,
        Capability::WildcardSubscriptions => Violation::WildcardNotSupported,
        Capability::SharedSubscriptions => Violation::SharedNotSupported,
        Capability::SubscriptionIdentifiers => Violation::SubscriptionIdsNotSupported,
    }
}

impl Reads for ServerConnection {
    type Event = ServerEvent;

    fn flow(&mut self) -> &mut Flow<ServerEvent> {
        &mut self.flow
    }

    fn rules(&self) -> &Rules {
        &self.rules
    }

    #[inline]
    fn is_reading(&self) -> bool {
        if self.phase == Phase::Connected {
            return !self.owes_answers();
        }
        matches!(self.phase, Phase::Waiting | Phase::Authenticating)
    }

    fn expect(&self, packet_type: PacketType) -> Result<(), Violation> {
        match (self.phase, packet_type) {
            (Phase::Waiting, PacketType::Connect) => Ok(()),
            (Phase::Waiting, _) => Err(Violation::PacketBeforeConnect),
            (_, PacketType::Connect) => Err(Violation::SecondConnect),
            // [MQTT-3.1.2-30]
            (Phase::Authenticating, PacketType::Auth | PacketType::Disconnect) => Ok(()),
            (Phase::Authenticating, _) => Err(Violation::PacketWhileAuthenticating),
            _ => Ok(()),
        }
    }

    fn on_packet(&mut self, packet: &Packet<&[u8]>) -> Result<(), Fault> {
        match self.phase {
            Phase::Waiting => self.on_first(packet),
            _ => self.on_next(packet),
        }
    }

    /// What was announced as not supported may not be asked for. [MQTT-3.2.2-11, MQTT-3.2.2-14]
    #[inline]
    fn allow_publish(&self, qos: QoS, retain: bool) -> Result<(), Violation> {
        let allowed = self.config.capabilities.allow_publish(qos, retain);
        allowed.map_err(not_supported)
    }

    #[inline]
    fn on_progress(&mut self, packets: u32) {
        #[cfg(feature = "broker")]
        {
            self.packets = self.packets.saturating_add(packets);
        }
        if packets > 0 && self.phase == Phase::Connected {
            self.arm_keep_alive();
        }
    }

    fn fail(&mut self, fault: Fault, input: &[u8]) {
        self.fail_with(fault, input);
    }
}
