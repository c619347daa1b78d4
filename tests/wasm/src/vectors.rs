//! The vectors: what is accepted, what it decodes to, and how that is encoded again.

use bytes::Bytes;
use mqtt_proto::{Decoded, Packet, Rules, Version, decode};
use serde_json::Value;

use crate::facts::facts;
use crate::hex;

/// Checks each line, and returns how many there are.
pub(crate) fn check(lines: &str) -> usize {
    lines
        .lines()
        .map(|line| check_line(line, &serde_json::from_str(line).expect("JSON")))
        .count()
}

fn check_line(line: &str, vector: &Value) {
    let level = vector["proto"].as_u64();
    let version = Version::ALL
        .into_iter()
        .find(|version| Some(u64::from(version.level())) == level);
    let version = version.expect("a known level");
    let bytes = hex::bytes(vector["hex"].as_str().expect("hex"));
    let specification = &vector["specification"];
    let is_valid = specification.get("valid").unwrap_or(&vector["valid"]) == true;
    match decode(&bytes, &Rules::new(version)) {
        Ok(Decoded::Packet { packet, len }) => {
            assert!(is_valid && len == bytes.len(), "accepted: {line}");
            assert_eq!(facts(&packet, version, &bytes), vector["packet"], "{line}");
            check_encoding(&packet, version, vector, &bytes);
        }
        Ok(Decoded::Incomplete { .. }) => panic!("not complete: {line}"),
        Err(error) => {
            assert!(!is_valid, "refused, {error}: {line}");
            if let Some(statement) = specification["statement"].as_str() {
                assert_eq!(error.statement(), statement, "{line}");
            }
        }
    }
}

fn check_encoding(packet: &Packet<&[u8]>, version: Version, vector: &Value, bytes: &[u8]) {
    let expected = vector["encoding"].as_str().map_or_else(|| bytes.to_vec(), hex::bytes);
    let mut encoded = Vec::new();
    packet
        .encode_to(version, &mut encoded)
        .expect("what was decoded can be encoded");
    assert_eq!(hex::text(&encoded), hex::text(&expected), "{vector}");
    let mut owned = Bytes::copy_from_slice(bytes);
    let owned = Packet::take_from(&mut owned, &Rules::new(version)).expect("it was accepted");
    let mut encoded = Vec::new();
    owned
        .expect("it is complete")
        .encode_to(version, &mut encoded)
        .expect("it can be encoded");
    assert_eq!(hex::text(&encoded), hex::text(&expected), "{vector}");
}
