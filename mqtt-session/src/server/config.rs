//! What a server is to be for its clients.

use bytes::Bytes;
use mqtt_proto::{ConnAckProperties, Policy, Text};

use crate::{Capabilities, Session, SessionConfig};

/// What a server is to be for the clients that connect to it. The defaults support everything.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How sessions behave, and the bounds.
    pub session: SessionConfig,
    /// What is supported. It is announced in CONNACK; a client that asks for more is disconnected.
    pub capabilities: Capabilities,
    /// The longest keep-alive. A client of MQTT 5.0 that asks for a longer one, or for none, is told this one. One of MQTT 3
    /// cannot be told: a broker refuses it with `ClientIdentifierNotValid`, a connection by itself
    /// leaves that to its host. Default: none.
    pub keep_alive_seconds_max: Option<u16>,
    /// The longest time that a session may outlive its connection, in seconds. A client that asks for more is told.
    /// Default: none.
    pub session_expiry_seconds_max: Option<u32>,
    /// The choices that the specification leaves to a receiver.
    pub policy: Policy,
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {
        impl ServerConfig {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, value: $type) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

setters! {
    session: SessionConfig,
    capabilities: Capabilities,
    keep_alive_seconds_max: Option<u16>,
    session_expiry_seconds_max: Option<u32>,
    policy: Policy,
}

/// How a client is accepted.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Accept {
    /// The session that it goes on with. `None`: one that begins with this connection.
    pub session: Option<Session>,
    /// The name that the server gives to a client without one. MQTT 5.0 is told it.
    pub assigned_client_id: Option<Text<Bytes>>,
    /// What else CONNACK says, since MQTT 5.0: a reason in words, User Properties, Response Information, authentication
    /// data. What the machine says itself (limits, capabilities, keep-alive, session expiry) may not be among it.
    pub properties: ConnAckProperties<Bytes>,
}

impl Accept {
    /// Accepts with a session that begins with this connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on with a session, if there is one.
    #[must_use]
    pub fn session(mut self, session: impl Into<Option<Session>>) -> Self {
        self.session = session.into();
        self
    }

    /// Sets [`assigned_client_id`](Self::assigned_client_id).
    #[must_use]
    pub fn assigned_client_id(mut self, id: Text<Bytes>) -> Self {
        self.assigned_client_id = Some(id);
        self
    }

    /// Sets [`properties`](Self::properties).
    #[must_use]
    pub fn properties(mut self, properties: ConnAckProperties<Bytes>) -> Self {
        self.properties = properties;
        self
    }
}
