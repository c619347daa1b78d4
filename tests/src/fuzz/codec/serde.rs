//! Packets as JSON: what is written is read again, and what is read is held to the same rules as received bytes.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{Packet, Version};

use super::round_trip::{decoded, encoded_elsewhere_is_decoded, encoded_in_every_way};

/// Bytes that are JSON of a packet, or else bytes from which a version and a packet are made.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn serde(data: &[u8]) {
    match serde_json::from_slice::<Packet<Bytes>>(data) {
        Ok(packet) => {
            survives_json(&packet);
            encoded_elsewhere_is_decoded(&packet);
        }
        // A source that has run dry makes no packet.
        Err(_) => drop(made_and_checked(&mut Unstructured::new(data))),
    }
}

fn made_and_checked(u: &mut Unstructured<'_>) -> Result<()> {
    let version = *u.choose(&Version::ALL)?;
    let packet = Packet::arbitrary_in(version, u)?;
    survives_json(&packet);
    // A view of received bytes is written as the owned packet is.
    let bytes = encoded_in_every_way(&packet, version);
    assert_eq!(json(&decoded(&bytes, version)), json(&packet));
    Ok(())
}

fn survives_json(packet: &Packet<Bytes>) {
    let text = json(packet);
    let read: Packet<Bytes> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read, *packet, "{text}");
    assert_eq!(json(&read), text);
}

fn json<B: AsRef<[u8]>>(packet: &Packet<B>) -> String {
    serde_json::to_string(packet).expect("every packet can be written")
}
