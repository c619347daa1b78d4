//! CONNECT and CONNACK: the server's side.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{
    Auth, AuthProperties, AuthReason, ConnAck, ConnAckProperties, ConnAckReason, Connect, EncodeError, PropertyId, QoS,
    Text, Version,
};

use super::{Accept, Phase, ServerConnection, ServerEvent};
use crate::closed::Fault;
use crate::flow::Peer;
use crate::time::Instant;
use crate::timers::Timer;
use crate::{AuthenticateError, Capabilities, Closed, Session, Violation};

/// Why a client was not accepted or refused. Nothing has changed.
#[derive(Debug)]
#[non_exhaustive]
pub struct AcceptError {
    /// Why.
    pub kind: AcceptErrorKind,
    /// What was handed in.
    pub accept: Box<Accept>,
}

/// Why a client was not accepted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptErrorKind {
    /// No client waits for an answer.
    NotAsked,
    /// The client asked for a session that begins anew. [MQTT-3.1.2-4]
    CleanStart,
    /// The session that was handed in has ended: leave it out. [MQTT-4.1.0-2]
    SessionEnded,
    /// The client has no name, and was given none.
    NoClientId,
    /// The client has a name, and was given another one. [MQTT-3.2.2-16]
    HasClientId,
    /// The machine sets this property itself.
    PropertyNotAllowed(PropertyId),
    /// CONNACK cannot be encoded.
    NotEncodable(EncodeError),
    /// The session of this name belongs to another owner.
    SessionOfAnother,
    /// The name of the owner is longer than 65,535 bytes.
    OwnerTooLong,
}

impl core::fmt::Display for AcceptErrorKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotAsked => f.write_str("no client waits for an answer"),
            Self::CleanStart => f.write_str("the client asked for a session that begins anew"),
            Self::SessionEnded => f.write_str("the session that was handed in has ended"),
            Self::NoClientId => f.write_str("the client has no name: assign one"),
            Self::HasClientId => f.write_str("the client has a name of its own"),
            Self::PropertyNotAllowed(id) => write!(f, "the property {id:?} is set by the machine itself"),
            Self::NotEncodable(error) => write!(f, "CONNACK cannot be sent: {error}"),
            Self::SessionOfAnother => f.write_str("the session of this name belongs to another owner"),
            Self::OwnerTooLong => f.write_str("the name of the owner is too long"),
        }
    }
}

impl core::fmt::Display for AcceptError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kind.fmt(f)
    }
}

impl core::error::Error for AcceptError {}

/// What the machine says in CONNACK itself.
const OWN: [PropertyId; 12] = [
    PropertyId::SessionExpiryInterval,
    PropertyId::ReceiveMaximum,
    PropertyId::MaximumQoS,
    PropertyId::RetainAvailable,
    PropertyId::MaximumPacketSize,
    PropertyId::AssignedClientIdentifier,
    PropertyId::TopicAliasMaximum,
    PropertyId::WildcardSubscriptionAvailable,
    PropertyId::SubscriptionIdentifierAvailable,
    PropertyId::SharedSubscriptionAvailable,
    PropertyId::ServerKeepAlive,
    PropertyId::AuthenticationMethod,
];

impl ServerConnection {
    /// The first packet of the client. [MQTT-3.1.0-1]
    pub(super) fn on_connect(&mut self, connect: &Connect<&[u8]>) -> Result<(), Fault> {
        let connect = connect.to_owned();
        self.version = connect.version;
        // MQTT 3.1 knows no client without a name.
        let may_be_nameless =
            connect.version.has_properties() || connect.version == Version::V3_1_1 && connect.clean_start;
        if connect.client_id.is_empty() && !may_be_nameless {
            return Err(Fault::Violation(Violation::ClientIdMissing));
        }
        self.rules = self.rules_of(connect.version);
        self.keep_alive_seconds = connect.keep_alive;
        self.session_expiry_seconds = asked_expiry(&connect);
        self.will = connect.will.clone().map(Box::new);
        self.method = connect
            .properties
            .authentication_method()
            .map(|method| Box::new(method.to_owned()));
        self.decide();
        self.connect = Some(Box::new(connect.clone()));
        self.flow.tell(ServerEvent::Connect(Box::new(connect)));
        Ok(())
    }

    /// The next step is the host's, which has what is left of the time until the client is accepted.
    fn decide(&mut self) {
        self.phase = Phase::Deciding;
        let until = self.admission_until();
        self.wire.timers.set(Timer::Handshake, until);
    }

    /// Nobody stays longer without being accepted.
    fn admission_until(&self) -> Instant {
        self.since.saturating_add(self.config.session.limits.admission_timeout)
    }

    /// Serves the client. CONNACK leaves when the session is stored, if it is to be stored.
    ///
    /// # Errors
    /// If no client waits for an answer, or it cannot be given. Nothing has changed then, and what was handed in comes back.
    pub fn accept(&mut self, now: Instant, accept: Accept) -> Result<(), AcceptError> {
        self.advance(now);
        let packet = match self.check(&accept).and_then(|()| self.connack(&accept)) {
            Ok(packet) => packet,
            Err(kind) => {
                let accept = Box::new(accept);
                return Err(AcceptError { kind, accept });
            }
        };
        if let Some(session) = accept.session {
            self.flow.put_session(session);
        }
        self.wire.timers.clear(Timer::Handshake);
        // Steps of an authentication that nobody has taken yet go first.
        let mut first = core::mem::take(&mut self.wire.urgent);
        first.extend(packet);
        self.keep_alive_seconds = self.granted_keep_alive().unwrap_or(self.keep_alive_seconds);
        self.session_expiry_seconds = self.granted_expiry().unwrap_or(self.session_expiry_seconds);
        // A client that is told of a session may rely on it.
        let written = self.flow.session.write_down(self.session_expiry_seconds > 0);
        self.connack = Some(Box::new((first, written)));
        self.phase = Phase::Connected;
        if let Some(connect) = self.connect.take() {
            self.flow.open(peer(&connect));
            self.says_problems = connect.properties.request_problem_information() != Some(false);
        }
        self.arm_keep_alive();
        Ok(())
    }

    /// Refuses the client, and ends the connection. MQTT 3 is told the nearest return code, if there is one; a client that takes
    /// no packet as large is told no more than the reason, or nothing.
    ///
    /// # Errors
    /// If no client waits for an answer, or the properties cannot be encoded. Nothing has changed then.
    pub fn refuse_client(
        &mut self,
        now: Instant,
        reason: ConnAckReason,
        properties: ConnAckProperties<Bytes>,
    ) -> Result<(), AcceptErrorKind> {
        self.advance(now);
        if self.phase != Phase::Deciding || !reason.is_error() {
            return Err(AcceptErrorKind::NotAsked);
        }
        let connack = ConnAck {
            session_present: false,
            reason,
            properties,
        };
        if let Some(connack) = connack.for_version(self.version) {
            let reason = connack.reason;
            match self.write_connack(connack) {
                Ok(()) => {}
                // What makes it too large is left out, and what is too large without it is not sent. [MQTT-3.1.2-24]
                Err(EncodeError::PacketTooLarge { .. }) => self.write_refusal(reason, self.version),
                Err(error) => return Err(AcceptErrorKind::NotEncodable(error)),
            }
        }
        self.end(Closed::RefusedByHost(reason));
        Ok(())
    }

    fn write_connack(&mut self, connack: ConnAck<Bytes>) -> Result<(), EncodeError> {
        let connack = connack.fit(self.version, self.peer_packet_bytes())?;
        connack.encode_to(self.version, &mut self.wire.urgent).map(|_| ())
    }

    /// The largest packet that the client takes, before it is accepted. [MQTT-3.1.2-24]
    fn peer_packet_bytes(&self) -> u32 {
        self.connect
            .as_ref()
            .map_or(u32::MAX, |connect| peer(connect).packet_bytes)
    }

    /// What a client that cannot be accepted is answered, if its version is known: no more than the reason, and nothing if it takes no packet
    /// as large. [MQTT-3.1.4-2, MQTT-3.1.2-24, U5-4.13.1-b]
    pub(super) fn write_refusal(&mut self, reason: ConnAckReason, version: Version) {
        let connack: ConnAck<Bytes> = ConnAck {
            session_present: false,
            reason,
            properties: ConnAckProperties::empty(),
        };
        let fitting = connack
            .for_version(version)
            .and_then(|connack| connack.fit(version, self.peer_packet_bytes()).ok());
        if let Some(connack) = fitting {
            // Nothing stands in it that cannot be said.
            let _ = connack.encode_to(version, &mut self.wire.urgent);
        }
    }

    pub(super) fn check(&self, accept: &Accept) -> Result<(), AcceptErrorKind> {
        let connect = match &self.connect {
            Some(connect) if self.phase == Phase::Deciding => connect,
            _ => return Err(AcceptErrorKind::NotAsked),
        };
        if connect.clean_start && accept.session.is_some() {
            return Err(AcceptErrorKind::CleanStart);
        }
        let is_over = |session: &Session| session.has_ended_by(self.flow.now());
        if accept.session.as_ref().is_some_and(is_over) {
            return Err(AcceptErrorKind::SessionEnded);
        }
        if connect.client_id.is_empty() && accept.assigned_client_id.is_none() && self.version.has_properties() {
            return Err(AcceptErrorKind::NoClientId);
        }
        if !connect.client_id.is_empty() && accept.assigned_client_id.is_some() {
            return Err(AcceptErrorKind::HasClientId);
        }
        match OWN.into_iter().find(|id| accept.properties.has(*id)) {
            Some(id) => Err(AcceptErrorKind::PropertyNotAllowed(id)),
            None => Ok(()),
        }
    }

    pub(super) fn connack(&self, accept: &Accept) -> Result<Vec<u8>, AcceptErrorKind> {
        let connack = ConnAck {
            // [MQTT-3.2.2-2, MQTT-3.2.2-3]
            session_present: accept.session.is_some() && self.version != Version::V3_1,
            reason: ConnAckReason::Success,
            properties: self.connack_properties(accept)?,
        };
        let mut packet = Vec::new();
        let written = connack
            .fit(self.version, self.peer_packet_bytes())
            .and_then(|connack| connack.encode_to(self.version, &mut packet));
        written.map_err(AcceptErrorKind::NotEncodable)?;
        Ok(packet)
    }

    fn connack_properties(&self, accept: &Accept) -> Result<ConnAckProperties<Bytes>, AcceptErrorKind> {
        if !self.version.has_properties() {
            return Ok(ConnAckProperties::empty());
        }
        let limits = &self.config.session.limits;
        let offers = &self.config.capabilities;
        let mut properties = ConnAckProperties::builder()
            .receive_maximum(limits.receive_maximum.max(1))
            .maximum_packet_size(limits.packet_bytes.max(5))
            .topic_alias_maximum(limits.aliases_accepted);
        if let Some(seconds) = self.granted_expiry() {
            properties = properties.session_expiry(seconds);
        }
        if let Some(seconds) = self.granted_keep_alive() {
            properties = properties.server_keep_alive(seconds);
        }
        if let Some(id) = &accept.assigned_client_id {
            properties = properties.assigned_client_id(id.as_bytes());
        }
        if let Some(method) = &self.method {
            properties = properties.authentication_method(method.as_bytes());
        }
        if offers.maximum_qos != QoS::ExactlyOnce {
            properties = properties.maximum_qos(offers.maximum_qos);
        }
        if !offers.retain {
            properties = properties.retain_available(false);
        }
        if !offers.wildcards {
            properties = properties.wildcard_available(false);
        }
        if !offers.subscription_ids {
            properties = properties.subscription_ids_available(false);
        }
        if !offers.shared {
            properties = properties.shared_available(false);
        }
        for property in accept.properties.iter().filter(|property| self.may_say(property.id())) {
            properties = properties.property(&property);
        }
        properties.build().map_err(AcceptErrorKind::NotEncodable)
    }

    /// Response Information is for those who ask for it. [MQTT-3.1.2-28]
    fn may_say(&self, id: PropertyId) -> bool {
        let asked = |connect: &Connect<Bytes>| connect.properties.request_response_information() == Some(true);
        id != PropertyId::ResponseInformation || self.connect.as_deref().is_some_and(asked)
    }

    /// The keep-alive that the client is told to use instead of its own. [MQTT-3.1.2-21]
    fn granted_keep_alive(&self) -> Option<u16> {
        let longest = self
            .config
            .keep_alive_seconds_max
            .filter(|_| self.version.has_properties())?;
        let asked = self.keep_alive_seconds;
        (asked == 0 || asked > longest).then_some(longest)
    }

    /// The session expiry that the client is told instead of its own.
    pub(super) fn granted_expiry(&self) -> Option<u32> {
        let longest = self.config.session_expiry_seconds_max?;
        (self.session_expiry_seconds > longest).then_some(longest)
    }

    // ---- enhanced authentication

    /// Asks the client for a further step of authentication. [MQTT-4.12.0-2]
    ///
    /// # Errors
    /// If the client has named no method, or no step is due. Nothing has changed then.
    pub fn authenticate(&mut self, now: Instant, data: Option<&[u8]>) -> Result<(), AuthenticateError> {
        self.advance(now);
        match self.phase {
            Phase::Deciding => {}
            Phase::Connected if self.host_authenticates => {}
            _ => return Err(AuthenticateError::NotAsked),
        }
        self.write_auth(AuthReason::ContinueAuthentication, data)?;
        if self.phase == Phase::Deciding {
            self.phase = Phase::Authenticating;
            let limit = self.config.session.limits.handshake_timeout;
            let until = self.flow.now().saturating_add(limit).min(self.admission_until());
            self.wire.timers.set(Timer::Handshake, until);
        } else {
            self.host_authenticates = false;
            self.client_authenticates = true;
        }
        Ok(())
    }

    /// Ends an authentication that the client began on the open connection: it succeeded. [MQTT-4.12.1-1]
    ///
    /// # Errors
    /// If none is under way. Nothing has changed then.
    pub fn authenticated(&mut self, now: Instant, data: Option<&[u8]>) -> Result<(), AuthenticateError> {
        self.advance(now);
        if self.phase != Phase::Connected || !self.host_authenticates {
            return Err(AuthenticateError::NotAsked);
        }
        self.write_auth(AuthReason::Success, data)?;
        self.host_authenticates = false;
        Ok(())
    }

    fn write_auth(&mut self, reason: AuthReason, data: Option<&[u8]>) -> Result<(), AuthenticateError> {
        let Some(method) = &self.method else {
            return Err(AuthenticateError::NoMethod);
        };
        let mut properties = AuthProperties::builder().authentication_method(method.as_bytes());
        if let Some(data) = data {
            properties = properties.authentication_data(data);
        }
        let properties = properties.build().map_err(AuthenticateError::NotEncodable)?;
        let limit = match self.phase {
            Phase::Connected => self.flow.peer_packet_bytes(),
            _ => self.peer_packet_bytes(),
        };
        let written = Auth { reason, properties }
            .fit(self.version, limit)
            .and_then(|auth| auth.encode_to(self.version, &mut self.wire.urgent));
        written.map(|_| ()).map_err(AuthenticateError::NotEncodable)
    }

    /// AUTH came. [MQTT-4.12.0-3, MQTT-4.12.0-5, MQTT-4.12.1-1]
    pub(super) fn on_auth(&mut self, auth: &Auth<&[u8]>) -> Result<(), Fault> {
        let Some(method) = &self.method else {
            return Err(Fault::Violation(Violation::UnexpectedAuth));
        };
        let is_due = match (self.phase, auth.reason) {
            (Phase::Authenticating, AuthReason::ContinueAuthentication) => true,
            (Phase::Connected, AuthReason::ContinueAuthentication) => self.client_authenticates,
            (Phase::Connected, AuthReason::ReAuthenticate) => !self.client_authenticates && !self.host_authenticates,
            _ => false,
        };
        if !is_due {
            return Err(Fault::Violation(Violation::UnexpectedAuth));
        }
        let told: Option<Text<&[u8]>> = auth.properties.authentication_method();
        let Some(told) = told else {
            return Err(Fault::Violation(Violation::AuthWithoutMethod));
        };
        if told.as_bytes() != method.as_bytes() {
            return Err(Fault::Violation(Violation::OtherAuthenticationMethod));
        }
        if self.phase == Phase::Authenticating {
            self.decide();
        } else {
            self.client_authenticates = false;
            self.host_authenticates = true;
        }
        self.flow.tell(ServerEvent::Authenticate {
            reason: auth.reason,
            properties: auth.properties.to_owned(),
        });
        Ok(())
    }
}

/// How long the session is to outlive the connection. MQTT 3 knows only for ever and not at all.
fn asked_expiry(connect: &Connect<Bytes>) -> u32 {
    if connect.version.has_properties() {
        connect.properties.session_expiry().unwrap_or(0)
    } else if connect.clean_start {
        0
    } else {
        u32::MAX
    }
}

/// What the client has announced.
fn peer(connect: &Connect<Bytes>) -> Peer {
    let properties = &connect.properties;
    Peer {
        version: connect.version,
        packet_bytes: properties
            .maximum_packet_size()
            .map_or(u32::MAX, core::num::NonZeroU32::get),
        receive_maximum: properties
            .receive_maximum()
            .map_or(u16::MAX, core::num::NonZeroU16::get),
        alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
        capabilities: Capabilities::default(),
    }
}

/// A session of which CONNECT was accepted.
impl From<Session> for Accept {
    fn from(session: Session) -> Self {
        Self::new().session(session)
    }
}
