//! Packets that are valid by how they are made: encoded, decoded, converted to other versions, and made to fit.

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Auth, ConnAck, Decoded, Disconnect, EncodeError, Packet, Properties, PropertyId, PubAck, PubComp, PubRec, PubRel,
    Rules, Section, SubAck, UnsubAck, Version, decode,
};

/// Bytes from which a version, a packet that it can express, and a size limit are made.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn round_trip(data: &[u8]) {
    // A source that has run dry makes no packet.
    let _ = made_and_checked(&mut Unstructured::new(data));
}

fn made_and_checked(u: &mut Unstructured<'_>) -> Result<()> {
    let version = *u.choose(&Version::ALL)?;
    let limit = u32::from(u.arbitrary::<u8>()?) * u.int_in_range(1..=4)?;
    let packet = Packet::arbitrary_in(version, u)?;
    let bytes = encoded_in_every_way(&packet, version);
    assert_eq!(decoded(&bytes, version), packet.as_view());
    encoded_elsewhere_is_decoded(&packet);
    converts(&packet, version);
    fits(&packet, version, bytes.len(), limit);
    Ok(())
}

/// The bytes of a packet, which are the same into every kind of buffer, and as many as was said before.
pub(super) fn encoded_in_every_way(packet: &Packet<Bytes>, version: Version) -> Vec<u8> {
    let needed = packet
        .encoded_len(version)
        .expect("a packet that was made for this version can be encoded");
    let mut appended = BytesMut::from(&b"before"[..]);
    assert_eq!(packet.encode_to(version, &mut appended), Ok(needed));
    let bytes = appended
        .strip_prefix(b"before")
        .expect("what was in the buffer stays")
        .to_vec();
    assert_eq!(bytes.len(), needed);

    let mut place = vec![0xEE; needed + 1];
    assert_eq!(packet.encode(version, &mut place), Ok(needed));
    assert_eq!((&place[..needed], place[needed]), (&bytes[..], 0xEE));

    let mut short = vec![0xEE; needed - 1];
    assert_eq!(
        packet.encode(version, &mut short),
        Err(EncodeError::BufferTooSmall { needed })
    );
    assert_eq!(
        packet.encode_to(version, &mut &mut short[..]),
        Err(EncodeError::BufferTooSmall { needed })
    );
    assert!(
        short.iter().all(|byte| *byte == 0xEE),
        "a buffer that is too small was written to"
    );
    bytes
}

/// The only packet that the bytes hold.
pub(super) fn decoded(bytes: &[u8], version: Version) -> Packet<&[u8]> {
    match decode(bytes, &Rules::new(version)) {
        Ok(Decoded::Packet { packet, len }) if len == bytes.len() => packet,
        other => panic!("what was encoded is decoded as {other:?}"),
    }
}

/// What decoding refuses cannot be encoded, whatever version the packet was made for.
pub(super) fn encoded_elsewhere_is_decoded(packet: &Packet<Bytes>) {
    for version in Version::ALL {
        let mut bytes = BytesMut::new();
        match packet.encode_to(version, &mut bytes) {
            Ok(_) => assert_eq!(decoded(&bytes, version), packet.as_view()),
            Err(_) => assert!(bytes.is_empty(), "bytes were written before the error"),
        }
    }
}

fn converts(packet: &Packet<Bytes>, version: Version) {
    assert_eq!(
        packet.clone().for_version(version).as_ref(),
        Some(packet),
        "a conversion to the same version"
    );
    for other in Version::ALL {
        match packet.clone().for_version(other) {
            Some(converted) => {
                let bytes = encoded_in_every_way(&converted, other);
                assert_eq!(decoded(&bytes, other), converted.as_view());
                assert_eq!(converted.packet_type(), packet.packet_type());
                assert_eq!(
                    converted.clone().for_version(other).as_ref(),
                    Some(&converted),
                    "a second conversion"
                );
            }
            None => assert!(
                may_have_no_counterpart(packet, other),
                "{packet:?} has no counterpart in {other}"
            ),
        }
    }
}

fn may_have_no_counterpart(packet: &Packet<Bytes>, version: Version) -> bool {
    match packet {
        Packet::UnsubAck(unsuback) => version == Version::V5 && unsuback.codes.iter().len() == 0,
        Packet::ConnAck(connack) => version != Version::V5 && connack.reason.for_v3().is_none(),
        Packet::Publish(publish) => version != Version::V5 && publish.topic.is_none(),
        Packet::Disconnect(disconnect) => version != Version::V5 && disconnect.reason.value() != 0,
        Packet::Auth(_) => version != Version::V5,
        _ => false,
    }
}

/// What is made to fit never exceeds the limit, and has given up no more than the Reason String and the User Properties,
/// in this order and only if it must.
fn fits(packet: &Packet<Bytes>, version: Version, len: usize, limit: u32) {
    let without = |ids: &[PropertyId]| left_out(packet.clone(), ids);
    let without_reason = without(&[PropertyId::ReasonString]);
    let bare = without(&[PropertyId::ReasonString, PropertyId::UserProperty]);
    let fits = |packet: &Packet<Bytes>| {
        packet.encoded_len(version).expect("a packet with less can be encoded") <= limit as usize
    };
    let expected = if len <= limit as usize {
        Ok(packet)
    } else {
        [&without_reason, &bare]
            .into_iter()
            .find(|packet| fits(packet))
            .ok_or(())
    };
    match (packet.clone().fit(version, limit), expected) {
        (Ok(fitted), Ok(expected)) => {
            assert_eq!(fitted, *expected);
            let bytes = encoded_in_every_way(&fitted, version);
            assert!(
                bytes.len() <= limit as usize,
                "{} bytes, where {limit} are the limit",
                bytes.len()
            );
            assert_eq!(decoded(&bytes, version), expected.as_view());
        }
        (Err(EncodeError::PacketTooLarge { len, limit: told }), Err(())) => {
            assert_eq!((Ok(len), told), (bare.encoded_len(version), limit as usize));
        }
        (fitted, expected) => panic!("{fitted:?}, but {expected:?} was expected"),
    }
}

/// A packet without these properties, if it is one that may give them up.
fn left_out(packet: Packet<Bytes>, ids: &[PropertyId]) -> Packet<Bytes> {
    fn less<S: Section>(properties: Properties<S, Bytes>, ids: &[PropertyId]) -> Properties<S, Bytes> {
        ids.iter().fold(properties, |properties, id| properties.without(*id))
    }
    match packet {
        Packet::ConnAck(p) => Packet::ConnAck(ConnAck {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::PubAck(p) => Packet::PubAck(PubAck {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::PubRec(p) => Packet::PubRec(PubRec {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::PubRel(p) => Packet::PubRel(PubRel {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::PubComp(p) => Packet::PubComp(PubComp {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::SubAck(p) => Packet::SubAck(SubAck {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::UnsubAck(p) => Packet::UnsubAck(UnsubAck {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::Disconnect(p) => Packet::Disconnect(Disconnect {
            properties: less(p.properties, ids),
            ..p
        }),
        Packet::Auth(p) => Packet::Auth(Auth {
            properties: less(p.properties, ids),
            ..p
        }),
        other => other,
    }
}
