//! mqtt-protocol-core 0.7.9.
//!
//! It has no function from bytes to a packet. Its `Connection` takes frames from its `PacketBuilder`, picks the parser by
//! the packet type and calls it through `RawPacket::parse_exact`; it drops the flags of all packets but PUBLISH. The same
//! public steps are called here, without the state of a connection.

pub(crate) mod v3;
pub(crate) mod v5;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, PacketData, RawPacket};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, SubEntry};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use crate::anatomy::frame_len;
use crate::normal;
use crate::verdict::{TheirVerdict, Verdict};

/// Takes one frame off the bytes and parses it; `None` if it is not complete.
fn take(
    bytes: &[u8],
    parse: fn(&RawPacket) -> Result<Packet, MqttError>,
) -> Result<Option<(Packet, usize)>, MqttError> {
    // The builder reserves memory for all that a length states, however little of it is there.
    if frame_len(bytes).is_some_and(|(_, len)| len > bytes.len()) {
        return Ok(None);
    }
    let mut cursor = Cursor::new(bytes);
    match PacketBuilder::new().feed(&mut cursor) {
        PacketBuildResult::Complete(raw) => {
            let len = usize::try_from(cursor.position()).expect("a position within the bytes");
            parse(&raw).map(|packet| Some((packet, len)))
        }
        PacketBuildResult::Incomplete => Ok(None),
        PacketBuildResult::Error(error) => Err(error),
    }
}

fn judged(
    taken: Result<Option<(Packet, usize)>, MqttError>,
    normal: impl FnOnce(&Packet) -> normal::Packet,
) -> TheirVerdict {
    match taken {
        Ok(Some((packet, len))) => Verdict::Accepted {
            packet: normal(&packet),
            len,
        },
        Ok(None) => Verdict::Waits,
        Err(error) => Verdict::Refused(format!("{error:?}")),
    }
}

fn encoded(taken: Result<Option<(Packet, usize)>, MqttError>) -> Option<Vec<u8>> {
    taken.ok()?.map(|(packet, _)| packet.to_continuous_buffer())
}

/// What its parser of PUBLISH takes: the body in shared memory.
fn shared(raw: &RawPacket) -> std::sync::Arc<[u8]> {
    match &raw.data {
        PacketData::Publish(data) => data.clone(),
        PacketData::Normal(data) => std::sync::Arc::from(data.as_slice()),
    }
}

fn subscriptions(entries: &[SubEntry]) -> Vec<normal::Subscription> {
    entries
        .iter()
        .map(|entry| normal::Subscription {
            filter: entry.topic_filter().as_bytes().to_vec(),
            qos: entry.sub_opts().qos() as u8,
            no_local: entry.sub_opts().nl(),
            retain_as_published: entry.sub_opts().rap(),
            retain_handling: entry.sub_opts().rh() as u8,
        })
        .collect()
}
