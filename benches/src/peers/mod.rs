//! One module per codec and version. Each offers the same three functions:
//! `decode` and `encode` make a [`Run`] over a stream, `judge` says what the
//! codec makes of one frame.

mod akasamq_v3;
mod akasamq_v5;
mod floors;
mod mqttbytes_v4;
mod mqttbytes_v5;
mod mqttrs_v4;
mod ntex_v3;
mod ntex_v5;
pub mod ours;
mod ours_encode;
mod protocol_core_v3;
mod protocol_core_v5;
mod rumqttc_v4;
mod rumqttc_v5;

use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value::Protocol;

/// What a codec makes of one frame that is complete by its Remaining Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A packet came out.
    Accepted,
    /// An error came out.
    Refused,
    /// It asks for more bytes, though the frame is whole.
    Waits,
    /// It panicked.
    Panicked,
}

/// Makes a run over a stream.
pub type Maker = fn(&Stream) -> Run;

/// Every decoder of `protocol`, ours first.
pub fn decoders(protocol: Protocol) -> Vec<(Row, Maker)> {
    let mut makers: Vec<(Row, Maker)> = vec![(Row::Ours, ours::decode), (Row::OursOwned, ours::decode_owned)];
    makers.extend(match protocol {
        Protocol::V3 => vec![
            (Row::Rumqttc, rumqttc_v4::decode as Maker),
            (Row::Mqttbytes, mqttbytes_v4::decode),
            (Row::ProtocolCore, protocol_core_v3::decode),
            (Row::Akasamq, akasamq_v3::decode),
            (Row::Mqttrs, mqttrs_v4::decode),
            (Row::Ntex, ntex_v3::decode),
        ],
        Protocol::V5 => vec![
            (Row::Rumqttc, rumqttc_v5::decode as Maker),
            (Row::Mqttbytes, mqttbytes_v5::decode),
            (Row::ProtocolCore, protocol_core_v5::decode),
            (Row::Akasamq, akasamq_v5::decode),
            (Row::Ntex, ntex_v5::decode),
        ],
    });
    makers.extend([(Row::Skip, floors::skip as Maker), (Row::Memcpy, floors::memcpy)]);
    makers
}

/// Every encoder for `stream`, ours first.
pub fn encoders(stream: &Stream) -> Vec<(Row, Maker)> {
    let mut makers: Vec<(Row, Maker)> = vec![
        (Row::Ours, ours_encode::encode),
        (Row::OursBuffer, ours_encode::encode_to_buffer),
    ];
    if stream.holds_messages() {
        makers.push((Row::OursParts, ours_encode::encode_parts));
    }
    makers.extend(match stream.protocol {
        Protocol::V3 => vec![
            (Row::Rumqttc, rumqttc_v4::encode as Maker),
            (Row::Mqttbytes, mqttbytes_v4::encode),
            (Row::ProtocolCore, protocol_core_v3::encode),
            (Row::ProtocolCoreSlices, protocol_core_v3::encode_slices),
            (Row::Akasamq, akasamq_v3::encode),
            (Row::Mqttrs, mqttrs_v4::encode),
            (Row::Ntex, ntex_v3::encode),
        ],
        Protocol::V5 => vec![
            (Row::Rumqttc, rumqttc_v5::encode as Maker),
            (Row::Mqttbytes, mqttbytes_v5::encode),
            (Row::ProtocolCore, protocol_core_v5::encode),
            (Row::ProtocolCoreSlices, protocol_core_v5::encode_slices),
            (Row::Akasamq, akasamq_v5::encode),
            (Row::Ntex, ntex_v5::encode),
        ],
    });
    makers.push((Row::Memcpy, floors::memcpy_sources));
    makers
}

/// Judges one frame.
pub type Judge = fn(&[u8]) -> Verdict;

/// Every codec that speaks `protocol`, with its judge.
pub fn judges(protocol: Protocol) -> Vec<(Row, Judge)> {
    match protocol {
        Protocol::V3 => vec![
            (Row::Ours, ours::judge_v3 as Judge),
            (Row::Rumqttc, rumqttc_v4::judge),
            (Row::Mqttbytes, mqttbytes_v4::judge),
            (Row::ProtocolCore, protocol_core_v3::judge),
            (Row::Akasamq, akasamq_v3::judge),
            (Row::Mqttrs, mqttrs_v4::judge),
            (Row::Ntex, ntex_v3::judge),
        ],
        Protocol::V5 => vec![
            (Row::Ours, ours::judge_v5 as Judge),
            (Row::Rumqttc, rumqttc_v5::judge),
            (Row::Mqttbytes, mqttbytes_v5::judge),
            (Row::ProtocolCore, protocol_core_v5::judge),
            (Row::Akasamq, akasamq_v5::judge),
            (Row::Ntex, ntex_v5::judge),
        ],
    }
}
