//! Enhanced authentication: AUTH in both directions, during the handshake and later.

use bytes::Bytes;
use mqtt_proto::{Auth, AuthProperties, AuthReason, Binary, ConnAck, EncodeError, Text};

use super::{Client, Event, Phase};
use crate::Violation;
use crate::closed::Fault;
use crate::time::Instant;
use crate::timers::Timer;

/// Why AUTH was not sent. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The configuration has no authentication method.
    NoMethod,
    /// The server has not asked for a step, or there is no connection to authenticate again on.
    NotAsked,
    /// The packet cannot be encoded.
    NotEncodable(EncodeError),
}

impl core::fmt::Display for AuthenticateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoMethod => f.write_str("the configuration has no authentication method"),
            Self::NotAsked => f.write_str("no step of an authentication is due"),
            Self::NotEncodable(error) => write!(f, "AUTH cannot be sent: {error}"),
        }
    }
}

impl core::error::Error for AuthenticateError {}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// No authentication is under way, or the handshake as a whole is the server's turn.
    #[default]
    Nobody,
    /// The server has asked for a step.
    Host,
    /// An authentication after the handshake waits for the server.
    Server,
}

impl Client {
    /// Sets what the next CONNECT says in the authentication method of the configuration: for methods that begin with other
    /// data each time. It is to be called before `handle_open`. Returns whether there is a method.
    pub fn set_authentication_data(&mut self, data: Option<Binary<Bytes>>) -> bool {
        let authentication = self.config.authentication.as_mut();
        authentication.map(|own| own.data = data).is_some()
    }

    /// Answers an [`Event::Authenticate`] that asks to go on. [MQTT-4.12.0-3]
    ///
    /// # Errors
    /// If no step was asked for. Nothing has changed then.
    pub fn authenticate(&mut self, now: Instant, data: Option<&[u8]>) -> Result<(), AuthenticateError> {
        self.advance(now);
        if self.turn != Turn::Host {
            return Err(AuthenticateError::NotAsked);
        }
        self.write_auth(AuthReason::ContinueAuthentication, data)?;
        self.turn = Turn::Nobody;
        if self.phase == Phase::Connecting {
            let until = self.flow.now().saturating_add(self.config.limits.handshake_timeout);
            self.wire.timers.set(Timer::Handshake, until);
        } else {
            self.turn = Turn::Server;
        }
        Ok(())
    }

    /// Authenticates again on an open connection, by the method of CONNECT. [MQTT-4.12.1-1]
    ///
    /// Messages go on meanwhile. The server's last step comes as an [`Event::Authenticate`] with `Success`; a failure closes
    /// the connection.
    ///
    /// # Errors
    /// If there is no method or no connection, or an authentication is under way. Nothing has changed then.
    pub fn reauthenticate(&mut self, now: Instant, data: Option<&[u8]>) -> Result<(), AuthenticateError> {
        self.advance(now);
        if self.phase != Phase::Connected || self.turn != Turn::Nobody {
            return Err(AuthenticateError::NotAsked);
        }
        self.write_auth(AuthReason::ReAuthenticate, data)?;
        self.turn = Turn::Server;
        Ok(())
    }

    fn write_auth(&mut self, reason: AuthReason, data: Option<&[u8]>) -> Result<(), AuthenticateError> {
        let Some(authentication) = &self.config.authentication else {
            return Err(AuthenticateError::NoMethod);
        };
        let mut properties = AuthProperties::builder().authentication_method(authentication.method.as_bytes());
        if let Some(data) = data {
            properties = properties.authentication_data(data);
        }
        let properties = properties.build().map_err(AuthenticateError::NotEncodable)?;
        // What the server takes is not known before CONNACK. [MQTT-3.2.2-15]
        let limit = match self.phase {
            Phase::Connected => self.flow.peer_packet_bytes(),
            _ => u32::MAX,
        };
        let version = self.config.version;
        let written = Auth { reason, properties }
            .fit(version, limit)
            .and_then(|auth| auth.encode_to(version, &mut self.wire.urgent));
        written.map(|_| ()).map_err(AuthenticateError::NotEncodable)
    }

    /// AUTH came. [MQTT-4.12.0-2, MQTT-4.12.0-5, MQTT-4.12.0-6]
    pub(super) fn on_auth(&mut self, auth: &Auth<&[u8]>) -> Result<(), Fault> {
        let Some(agreed) = &self.config.authentication else {
            return Err(Fault::Violation(Violation::UnexpectedAuth));
        };
        let is_due = match (self.phase, auth.reason) {
            (Phase::Connecting, AuthReason::ContinueAuthentication) => self.turn == Turn::Nobody,
            (Phase::Connected, AuthReason::ContinueAuthentication | AuthReason::Success) => self.turn == Turn::Server,
            _ => false,
        };
        if !is_due {
            return Err(Fault::Violation(Violation::UnexpectedAuth));
        }
        let told = auth.properties.authentication_method();
        if told.is_none() {
            return Err(Fault::Violation(Violation::AuthWithoutMethod));
        }
        if !is_same(told, &agreed.method) {
            return Err(Fault::Violation(Violation::OtherAuthenticationMethod));
        }
        self.turn = match auth.reason {
            AuthReason::Success => Turn::Nobody,
            _ => Turn::Host,
        };
        // The next step is the host's: the server is not waited for.
        self.wire.timers.clear(Timer::Handshake);
        self.flow.tell(Event::Authenticate {
            reason: auth.reason,
            properties: auth.properties.to_owned(),
        });
        Ok(())
    }

    /// What a CONNACK that accepts says about the method is what CONNECT said.
    pub(super) fn check_method(&self, connack: &ConnAck<&[u8]>) -> Result<(), Fault> {
        match (&self.config.authentication, connack.properties.authentication_method()) {
            (None, Some(_)) => Err(Fault::Violation(Violation::UnexpectedAuth)),
            (Some(agreed), told) if !is_same(told, &agreed.method) => {
                Err(Fault::Violation(Violation::OtherAuthenticationMethod))
            }
            _ => Ok(()),
        }
    }
}

fn is_same(told: Option<Text<&[u8]>>, agreed: &Text<Bytes>) -> bool {
    told.is_some_and(|method| method.as_bytes() == agreed.as_bytes())
}
