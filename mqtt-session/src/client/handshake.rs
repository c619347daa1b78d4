//! CONNECT, CONNACK and AUTH, and what the server has said about itself.

use bytes::Bytes;
use mqtt_proto::{
    ConnAck, ConnAckReason, Connect, ConnectProperties, Disconnect, DisconnectReason, EncodeError, Field, PropertyId,
    QoS, Role, Rules, Text, Version,
};

use super::{CleanStart, Client, Event, Phase};
use crate::capabilities::Capabilities;
use crate::closed::Fault;
use crate::flow::Peer;
use crate::timers::Timer;
use crate::wire::sayable;
use crate::{Closed, Violation};

/// Whether trying again cannot help. A client that was displaced by another one of its name would displace it in turn.
pub(super) const fn is_final(reason: &Closed) -> bool {
    match reason {
        Closed::ByHost(_) | Closed::StoreFailed | Closed::NotEncodable(_) => true,
        Closed::Refused { reason, .. } => !matches!(
            reason,
            ConnAckReason::ServerUnavailable
                | ConnAckReason::ServerBusy
                | ConnAckReason::QuotaExceeded
                | ConnAckReason::ConnectionRateExceeded
                | ConnAckReason::UnspecifiedError
        ),
        Closed::Disconnected { reason, .. } => matches!(
            reason,
            DisconnectReason::SessionTakenOver
                | DisconnectReason::NotAuthorized
                | DisconnectReason::ServerMoved
                | DisconnectReason::UseAnotherServer
        ),
        _ => false,
    }
}

impl Client {
    /// A stream is open: CONNECT goes first. [MQTT-3.1.0-1]
    pub(super) fn begin(&mut self) {
        self.phase = Phase::Connecting;
        self.wire.timers.clear(Timer::Reconnect);
        self.wire.timers.clear(Timer::Linger);
        self.wire.reset();
        self.leaving = None;
        self.is_passing = !self.config.version.has_properties() && self.begins_anew();
        let limits = &self.config.limits;
        self.rules = Rules::new(self.config.version)
            .sent_by(Role::Server)
            .limit(limits.packet_bytes)
            .policy(self.config.policy);
        let handshake_until = self.flow.now().saturating_add(limits.handshake_timeout);
        self.wire.timers.set(Timer::Handshake, handshake_until);
        if let Err(error) = self.write_connect() {
            self.end(Closed::NotEncodable(error), None);
        }
    }

    fn write_connect(&mut self) -> Result<(), EncodeError> {
        let config = &self.config;
        let connect = Connect {
            version: config.version,
            clean_start: self.begins_anew(),
            keep_alive: config.keep_alive_seconds,
            client_id: match &self.assigned_id {
                Some(id) => Text::from_bytes(id.clone())?,
                None => config.client_id.clone(),
            },
            will: config.will.clone(),
            username: config.username.clone(),
            password: config.password.clone(),
            properties: self.connect_properties()?,
        };
        connect.encode_to(config.version, &mut self.wire.urgent)?;
        Ok(())
    }

    fn connect_properties(&self) -> Result<ConnectProperties<Bytes>, EncodeError> {
        let config = &self.config;
        if !config.version.has_properties() {
            return match config.authentication {
                None => Ok(ConnectProperties::empty()),
                Some(_) => Err(EncodeError::NotInVersion {
                    field: Field::Property(PropertyId::AuthenticationMethod),
                    version: config.version,
                }),
            };
        }
        let limits = &config.limits;
        let mut properties = ConnectProperties::builder()
            .session_expiry(config.session_expiry_seconds)
            .receive_maximum(limits.receive_maximum.max(1))
            .maximum_packet_size(limits.packet_bytes.max(5))
            .topic_alias_maximum(limits.aliases_accepted);
        if config.request_response_information {
            properties = properties.request_response_information(true);
        }
        if !config.request_problem_information {
            properties = properties.request_problem_information(false);
        }
        if let Some(authentication) = &config.authentication {
            properties = properties.authentication_method(authentication.method.as_bytes());
            if let Some(data) = &authentication.data {
                properties = properties.authentication_data(data.as_bytes());
            }
        }
        properties.build()
    }

    pub(super) fn begins_anew(&self) -> bool {
        // MQTT 3 cannot be told the name that the server chose. [MQTT-3.1.3-7]
        if !self.config.version.has_properties() && self.config.client_id.is_empty() {
            return true;
        }
        match self.config.clean_start {
            CleanStart::Always => true,
            CleanStart::Never => false,
            CleanStart::ByStore => !self.may_resume || self.session_expiry_seconds == 0,
        }
    }

    /// The server answered. [MQTT-3.2.2-4, MQTT-3.2.2-5]
    pub(super) fn on_connack(&mut self, connack: &ConnAck<&[u8]>) -> Result<(), Fault> {
        if connack.reason.is_error() {
            return Err(Fault::Said(Closed::Refused {
                reason: connack.reason,
                properties: connack.properties.to_owned(),
            }));
        }
        self.check_method(connack)?;
        let anew = self.begins_anew();
        if connack.session_present && anew {
            return Err(Fault::Violation(Violation::SessionPresentWithoutSession));
        }
        if self.lacks_name(connack) {
            return Err(Fault::Violation(Violation::AssignedClientIdMissing));
        }
        // MQTT 3.1 cannot say whether it has the session; what it was asked for is taken as done.
        let present = connack.session_present || self.config.version == Version::V3_1 && !anew;
        if !present {
            self.flow.lose_session();
        }
        // A restart has to know whether the server has the session.
        self.flow.session.write_down(!self.is_passing);
        if !self.is_passing {
            self.flow.session.forget_damage();
        }
        self.may_resume = true;
        self.adopt(connack);
        self.phase = Phase::Connected;
        self.wire.timers.clear(Timer::Handshake);
        self.pacing.opened(self.flow.now());
        self.arm_ping();
        self.flow.tell(Event::Connected {
            session_present: connack.session_present,
            properties: connack.properties.to_owned(),
        });
        Ok(())
    }

    /// A client without a name has to be told the one that the server calls it by.
    fn lacks_name(&self, connack: &ConnAck<&[u8]>) -> bool {
        let has_name = !self.config.client_id.is_empty()
            || self.assigned_id.is_some()
            || connack.properties.assigned_client_id().is_some();
        self.config.version.has_properties() && !has_name
    }

    /// Takes over what the server says: limits, keep-alive, what it lacks.
    fn adopt(&mut self, connack: &ConnAck<&[u8]>) {
        let properties = &connack.properties;
        self.capabilities = Capabilities {
            maximum_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
            retain: properties.retain_available().unwrap_or(true),
            wildcards: properties.wildcard_available().unwrap_or(true),
            shared: properties.shared_available().unwrap_or(true),
            subscription_ids: properties.subscription_ids_available().unwrap_or(true),
        };
        // [MQTT-3.1.2-21]
        self.keep_alive_seconds = properties.server_keep_alive().unwrap_or(self.config.keep_alive_seconds);
        // [U5-3.2.2-h]
        self.session_expiry_seconds = properties
            .session_expiry()
            .unwrap_or(self.config.session_expiry_seconds);
        if let Some(id) = properties.assigned_client_id() {
            self.assigned_id = Some(Bytes::copy_from_slice(id.as_bytes()));
        }
        self.flow.open(Peer {
            version: self.config.version,
            packet_bytes: properties
                .maximum_packet_size()
                .map_or(u32::MAX, core::num::NonZeroU32::get),
            receive_maximum: properties
                .receive_maximum()
                .map_or(u16::MAX, core::num::NonZeroU16::get),
            alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            capabilities: self.capabilities,
        });
    }

    /// DISCONNECT, without what the server does not take. [MQTT-3.2.2-15, U5-3.14.2-a]
    pub(super) fn write_farewell(&mut self, farewell: Disconnect<Bytes>) {
        let mut farewell = sayable(farewell, Role::Client);
        if self.session_expiry_seconds == 0 {
            farewell.properties = farewell.properties.without(PropertyId::SessionExpiryInterval);
        } else if let Some(seconds) = farewell.properties.session_expiry() {
            self.session_expiry_seconds = seconds;
        }
        let version = self.config.version;
        let bare: Disconnect<Bytes> = Disconnect::new(farewell.reason);
        let written = farewell
            .fit(version, self.flow.peer_packet_bytes())
            .and_then(|farewell| farewell.encode_to(version, &mut self.wire.urgent));
        if written.is_err() {
            let _ = bare.encode_to(version, &mut self.wire.urgent);
        }
    }
}
