//! Which flows are measured.

/// The version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    V3_1_1,
    V5,
}

impl Protocol {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5.0",
        }
    }
}

/// One kind of flow: a message of this QoS from `publish` at one end to the host of the other, and all acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub protocol: Protocol,
    pub qos: u8,
    /// How many messages are sent before the other end gets its turn.
    pub window: usize,
}

/// What every message is about: 27 bytes.
pub const TOPIC: &str = "home/kitchen/temperature/01";
/// What every message says: 64 bytes.
pub const PAYLOAD: [u8; 64] = [0x37; 64];

/// How many flows a pass is.
pub const FLOWS: usize = 240;

impl Scenario {
    /// Its name on the command line.
    pub fn slug(self) -> String {
        format!("qos{}-{}-window-{}", self.qos, self.protocol.name(), self.window)
    }

    /// Its name in the table.
    pub fn title(self) -> String {
        format!("QoS {}, {}, window {}", self.qos, self.protocol.name(), self.window)
    }

    /// How many bytes a flow is on the wire, both ways together.
    pub fn wire_bytes(self) -> usize {
        let id = if self.qos == 0 { 0 } else { 2 };
        let properties = match self.protocol {
            Protocol::V3_1_1 => 0,
            Protocol::V5 => 1,
        };
        let publish = 2 + 2 + TOPIC.len() + id + properties + PAYLOAD.len();
        let acknowledgements = [0, 1, 3][usize::from(self.qos)];
        publish + 4 * acknowledgements
    }
}

/// All of them, in the order of the table.
pub fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for qos in 0..=2 {
        for protocol in [Protocol::V3_1_1, Protocol::V5] {
            for window in [1, 20] {
                scenarios.push(Scenario { protocol, qos, window });
            }
        }
    }
    scenarios
}

/// The one of this name.
pub fn named(slug: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.slug() == slug)
}
