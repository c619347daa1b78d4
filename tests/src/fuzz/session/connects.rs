//! What a server is to be, and what the clients ask that connect to it.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{Connect, ConnectProperties, Properties, Text, Version};
use mqtt_session::{Capabilities, ServerConfig, SessionConfig};

use super::draws;

/// What a server is to be.
pub(super) fn config(u: &mut Unstructured<'_>) -> Result<ServerConfig> {
    let session = SessionConfig::default()
        .hand_over(draws::hand_over(u)?)
        .is_stored(u.arbitrary()?)
        .when_full(draws::when_full(u)?)
        .limits(draws::limits(u)?);
    let mut config = ServerConfig::default().session(session);
    let choices: u8 = u.arbitrary()?;
    if choices & 1 != 0 {
        config = config.keep_alive_seconds_max(Some(u.int_in_range(0..=3)?));
    }
    if choices & 2 != 0 {
        config = config.session_expiry_seconds_max(Some(u.int_in_range(0..=3)?));
    }
    if choices & 4 != 0 {
        let mut capabilities = Capabilities::default();
        capabilities.maximum_qos = draws::qos(u)?;
        capabilities.retain = choices & 8 != 0;
        capabilities.wildcards = choices & 16 != 0;
        capabilities.shared = choices & 32 != 0;
        config = config.capabilities(capabilities);
    }
    Ok(config)
}

/// A CONNECT with small numbers.
pub(super) fn connect(u: &mut Unstructured<'_>) -> Result<Connect<Bytes>> {
    let version = *u.choose(&Version::ALL)?;
    let choices: u8 = u.arbitrary()?;
    let mut properties = ConnectProperties::builder();
    if choices & 1 != 0 {
        properties = properties.receive_maximum(u.int_in_range(1..=3)?);
    }
    if choices & 2 != 0 {
        properties = properties.maximum_packet_size(u.int_in_range(4..=200)?);
    }
    if choices & 4 != 0 {
        properties = properties.topic_alias_maximum(u.int_in_range(0..=3)?);
    }
    if choices & 8 != 0 {
        properties = properties.session_expiry(u.arbitrary()?);
    }
    if choices & 48 == 48 {
        properties = properties.authentication_method("m");
    }
    let is_plain = !version.has_properties();
    let id = if choices & 64 != 0 && version != Version::V3_1 {
        ""
    } else {
        "c"
    };
    Ok(Connect {
        client_id: name(id),
        properties: if is_plain {
            ConnectProperties::empty()
        } else {
            properties.build().expect("valid properties")
        },
        ..plain_connect(version, choices & 128 != 0 || id.is_empty(), u.int_in_range(0..=3)?)
    })
}

fn plain_connect(version: Version, clean_start: bool, keep_alive: u16) -> Connect<Bytes> {
    Connect {
        version,
        clean_start,
        keep_alive,
        client_id: name("c"),
        will: None,
        username: None,
        password: None,
        properties: Properties::empty(),
    }
}

/// One that goes on with its session, which is to last.
pub(super) fn lasting_connect(version: Version) -> Connect<Bytes> {
    let properties = ConnectProperties::builder().session_expiry(u32::MAX);
    let connect = Connect {
        properties: properties.build().expect("valid properties"),
        ..plain_connect(version, false, 0)
    };
    connect.for_version(version)
}

/// What matters of a CONNECT to its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) clean_start: bool,
    pub(super) is_nameless: bool,
    /// How long the session outlives the connection.
    pub(super) expiry_seconds: u32,
}

impl Asked {
    pub(super) fn of(connect: &Connect<Bytes>, config: &ServerConfig) -> Self {
        let expiry_seconds = match connect.version {
            Version::V5 => connect.properties.session_expiry().unwrap_or(0),
            _ if connect.clean_start => 0,
            _ => u32::MAX,
        };
        Self {
            clean_start: connect.clean_start,
            is_nameless: connect.client_id.is_empty(),
            expiry_seconds: expiry_seconds.min(config.session_expiry_seconds_max.unwrap_or(u32::MAX)),
        }
    }
}

pub(super) fn name(name: &'static str) -> Text<Bytes> {
    Text::from_bytes(Bytes::from_static(name.as_bytes())).expect("a valid text")
}
