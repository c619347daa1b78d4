//! How much may happen in a search.

use std::fmt;

use mqtt_proto::Version;
use mqtt_session::QoS;

use super::Sabotage;

/// QoS 1.
pub const ONE: QoS = QoS::AtLeastOnce;
/// QoS 2.
pub const TWO: QoS = QoS::ExactlyOnce;

/// How much may happen.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The version of MQTT.
    pub version: Version,
    /// The messages from the client to the server, in order.
    pub up: Vec<QoS>,
    /// The messages from the server to the client, in order.
    pub down: Vec<QoS>,
    /// How often the link may be cut, or a deadline pass that ends a connection.
    pub cuts: u8,
    /// How often the client and the server may crash.
    pub crashes: [u8; 2],
    /// Whether an application acknowledges what it was told as a step of its own.
    pub hesitates: bool,
    /// What is done wrong.
    pub sabotage: Sabotage,
}

impl Setup {
    /// Nothing happens.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            up: Vec::new(),
            down: Vec::new(),
            cuts: 0,
            crashes: [0, 0],
            hesitates: false,
            sabotage: Sabotage::Nothing,
        }
    }

    /// The messages from the client to the server.
    #[must_use]
    pub fn up(mut self, messages: &[QoS]) -> Self {
        self.up = messages.to_vec();
        self
    }

    /// The messages from the server to the client.
    #[must_use]
    pub fn down(mut self, messages: &[QoS]) -> Self {
        self.down = messages.to_vec();
        self
    }

    /// How often the link may be cut.
    #[must_use]
    pub const fn cuts(mut self, cuts: u8) -> Self {
        self.cuts = cuts;
        self
    }

    /// How often client and server may crash.
    #[must_use]
    pub const fn crashes(mut self, client: u8, server: u8) -> Self {
        self.crashes = [client, server];
        self
    }

    /// Applications acknowledge in a step of its own.
    #[must_use]
    pub const fn hesitates(mut self) -> Self {
        self.hesitates = true;
        self
    }

    /// Something is done wrong.
    #[must_use]
    pub const fn sabotage(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = sabotage;
        self
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |messages: &[QoS]| -> String { messages.iter().map(|qos| char::from(b'0' + qos.bits())).collect() };
        let [client, server] = self.crashes;
        write!(f, "{}", self.version)?;
        for (name, messages) in [("up", &self.up), ("down", &self.down)] {
            if !messages.is_empty() {
                write!(f, ", {name} {}", list(messages))?;
            }
        }
        write!(f, ", {} cuts, {client}+{server} crashes", self.cuts)?;
        if self.hesitates {
            f.write_str(", slow hosts")?;
        }
        Ok(())
    }
}
