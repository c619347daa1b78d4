//! What the decoder makes of one frame.

use mqtt_proto::{DecodeError, Decoded, Packet, Rules, Version, decode};
use mqtt_tests::hex;

/// What a decoder of MQTT 5.0 enforces, in both directions.
pub(crate) const V5: Rules = Rules::new(Version::V5);
/// What a decoder of MQTT 3.1.1 enforces, in both directions.
pub(crate) const V3: Rules = Rules::new(Version::V3_1_1);

/// Decodes one whole frame.
pub(crate) fn decoded<'a>(bytes: &'a [u8], rules: &Rules) -> Packet<&'a [u8]> {
    match decode(bytes, rules) {
        Ok(Decoded::Packet { packet, len }) if len == bytes.len() => packet,
        other => panic!("{}: {other:?}", hex::text(bytes)),
    }
}

/// The error for a frame in hex.
pub(crate) fn refused(frame: &str, rules: &Rules) -> DecodeError {
    match decode(&hex::bytes(frame), rules) {
        Err(error) => error,
        Ok(decoded) => panic!("{frame}: {decoded:?}"),
    }
}

/// The row that a frame in hex breaks, and the reason code that answers.
pub(crate) fn verdict(frame: &str, rules: &Rules) -> (&'static str, u8) {
    let error = refused(frame, rules);
    (error.statement(), error.reason_code().value())
}
