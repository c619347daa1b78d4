//! What was sent: the encodings of generated packets, each read back by the independent outline.

use std::sync::OnceLock;

use bytes::Bytes;
use mqtt_proto::{Packet, Role, Version};
use mqtt_tests::generate;
use mqtt_tests::outline::{Outline, Part};

/// One encoding.
pub(crate) struct Sent {
    pub(crate) version: Version,
    pub(crate) sender: Role,
    pub(crate) packet: Packet<Bytes>,
    pub(crate) outline: Outline<'static>,
}

/// How many packets each end sends in each version.
const PACKETS: u64 = 3000;

/// The encodings of all packets; made once.
pub(crate) fn everything_sent() -> &'static [Sent] {
    static SENT: OnceLock<Vec<Sent>> = OnceLock::new();
    SENT.get_or_init(|| {
        let mut sent = Vec::new();
        for version in Version::ALL {
            for sender in [Role::Client, Role::Server] {
                sent.extend(generate::corpus(version, sender, 1, PACKETS).map(|packet| send(version, sender, packet)));
            }
        }
        sent
    })
}

fn send(version: Version, sender: Role, packet: Packet<Bytes>) -> Sent {
    let mut bytes = Vec::new();
    let len = packet
        .encode_to(version, &mut bytes)
        .unwrap_or_else(|error| panic!("{error}: {packet:?}"));
    assert_eq!(len, bytes.len());
    let bytes: &'static [u8] = bytes.leak();
    let outline = Outline::read(bytes, version.level()).unwrap_or_else(|| panic!("the fields do not fill {packet:?}"));
    Sent {
        version,
        sender,
        packet,
        outline,
    }
}

impl Sent {
    /// Whether it is a packet of this type.
    pub(crate) fn is(&self, packet_type: u8) -> bool {
        self.outline.packet_type == packet_type
    }

    /// The Connect Flags of a CONNECT.
    pub(crate) fn connect_flags(&self) -> Option<usize> {
        self.outline.numbers("Connect Flags").next()
    }

    /// The properties of the packet, those of a will apart.
    pub(crate) fn properties(&self) -> &[Part<'static>] {
        self.outline.properties("Property Length")
    }

    /// The properties of the will.
    pub(crate) fn will_properties(&self) -> &[Part<'static>] {
        self.outline.properties("Will Property Length")
    }
}
