//! Any bytes as a stream of packets of one version.

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Choice, DecodeError, DecodeErrorKind, Decoded, DecodedHead, Packet, PacketType, Publish, Role, Rules, Version,
    decode, decode_publish, decode_publish_head, peek_connect,
};

use super::explanation;
use super::rules::draw;
use super::texts;
use crate::frame::{Frame, shortest};

/// Any bytes, read as a stream of MQTT 3.1. The first two bytes choose the rules.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn decode_v3_1(data: &[u8]) {
    decode_stream(Version::V3_1, data);
}

/// Any bytes, read as a stream of MQTT 3.1.1. The first two bytes choose the rules.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn decode_v3_1_1(data: &[u8]) {
    decode_stream(Version::V3_1_1, data);
}

/// Any bytes, read as a stream of MQTT 5.0. The first two bytes choose the rules.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn decode_v5(data: &[u8]) {
    decode_stream(Version::V5, data);
}

fn decode_stream(version: Version, data: &[u8]) {
    let Some((rules, mut stream)) = draw(version, data) else {
        return;
    };
    loop {
        let decoded = decode(stream, &rules);
        explanation::agrees(stream, &rules, &decoded);
        publish_agrees(stream, &rules, &decoded);
        publish_head_agrees(stream, &rules, &decoded);
        peek_agrees(stream, &rules, &decoded);
        match decoded {
            Ok(Decoded::Packet { packet, len }) => {
                is_a_frame(stream, len, &rules);
                let frame = &stream[..len];
                assert_eq!(
                    decode(frame, &rules),
                    decoded,
                    "bytes behind the packet make a difference"
                );
                encodes_again(&packet, frame, &rules);
                owned_forms_agree(&packet, stream, len, &rules);
                stream = &stream[len..];
            }
            Ok(Decoded::Incomplete { missing }) => return is_incomplete(stream, missing, &rules),
            Err(error) => return is_refused(&error, stream, &rules),
        }
    }
}

/// A packet takes the bytes that its Remaining Length says, within the limit.
fn is_a_frame(stream: &[u8], len: usize, rules: &Rules) {
    let frame = Frame::read(stream).expect("an accepted packet has a header");
    assert_eq!(frame.len, len);
    assert!(len <= stream.len(), "a packet of {len} bytes out of {}", stream.len());
    assert!(
        len <= rules.limit_bytes as usize,
        "a packet of {len} bytes above the limit"
    );
    let padded = frame.length_bytes > shortest(len - 1 - frame.length_bytes);
    assert!(
        !padded || rules.policy.padded_remaining_length == Choice::Accept,
        "a padded length"
    );
    assert!(
        may_come_from(rules.sender, frame.first >> 4, rules.version),
        "a packet that this end never sends"
    );
}

/// The table of packet types in section 2.1.2, and DISCONNECT, which servers send since MQTT 5.0.
fn may_come_from(sender: Option<Role>, packet_type: u8, version: Version) -> bool {
    let never_sent: &[u8] = match (sender, version) {
        (None, _) => &[],
        (Some(Role::Client), _) => &[2, 9, 11, 13],
        (Some(Role::Server), Version::V5) => &[1, 8, 10, 12],
        (Some(Role::Server), _) => &[1, 8, 10, 12, 14],
    };
    !never_sent.contains(&packet_type)
}

fn is_incomplete(stream: &[u8], missing: usize, rules: &Rules) {
    assert!(missing > 0, "incomplete, and nothing is missing");
    match Frame::read(stream) {
        Some(frame) => {
            assert_eq!(stream.len() + missing, frame.len);
            assert!(frame.len <= rules.limit_bytes as usize, "waits for more than the limit");
        }
        None => assert!(
            stream.len() < 5 && stream.len() + missing <= 5,
            "waits for a sixth byte of header"
        ),
    }
}

/// A fault is there, and lies within the frame or at its end if something is missing there, whatever comes behind the frame.
fn is_refused(error: &DecodeError, stream: &[u8], rules: &Rules) {
    let text = error.to_string();
    assert!(
        text.contains(error.statement()) && text.contains(error.field().name()),
        "{text}"
    );
    let frame = Frame::read(stream);
    let end = frame.map_or(stream.len(), |frame| frame.len.min(stream.len()));
    let is_absence = match error.kind() {
        DecodeErrorKind::Missing | DecodeErrorKind::FiltersMissing | DecodeErrorKind::CodesMissing => true,
        // AUTH without a body says Success, which a client may not.
        DecodeErrorKind::UnlistedReasonCode => frame.is_some_and(|frame| frame.first == 0xF0 && frame.body.is_empty()),
        _ => false,
    };
    assert!(
        error.offset() < end || is_absence && error.offset() == end,
        "{text}, in a frame of {end} bytes"
    );
    assert_eq!(
        decode(&stream[..end], rules),
        Err(*error),
        "bytes behind the frame make a difference"
    );
    texts::fault_is_there(error, stream);
}

/// What is accepted can be encoded. The result is decoded to the same packet, and is the same frame if that was in its
/// shortest form: the encoder only ever writes the shortest form, so equal lengths tell it.
fn encodes_again(packet: &Packet<&[u8]>, frame: &[u8], rules: &Rules) {
    let version = match packet {
        Packet::Connect(connect) => connect.version,
        _ => rules.version,
    };
    let mut bytes = BytesMut::new();
    let len = packet
        .encode_to(version, &mut bytes)
        .expect("what was accepted can be encoded");
    assert_eq!((bytes.len(), packet.encoded_len(version)), (len, Ok(len)));
    assert_eq!(decode(&bytes, rules), Ok(Decoded::Packet { packet: *packet, len }));
    if len == frame.len() {
        assert_eq!(without_habits(&bytes, version), without_habits(frame, version));
    } else {
        assert!(len < frame.len(), "{len} bytes became of {}", frame.len());
        assert!(
            may_be_shortened(packet.packet_type(), frame, version),
            "not the shortest form of {packet:?}"
        );
    }
}

/// Whether a frame can have a shorter form: its length is padded, or a reason or properties may be left out.
fn may_be_shortened(packet_type: PacketType, frame: &[u8], version: Version) -> bool {
    let header = Frame::read(frame).expect("an accepted packet has a header");
    let padded = header.length_bytes > shortest(header.body.len());
    let optional = matches!(
        packet_type,
        PacketType::PubAck
            | PacketType::PubRec
            | PacketType::PubRel
            | PacketType::PubComp
            | PacketType::Disconnect
            | PacketType::Auth
    );
    padded || version == Version::V5 && optional && matches!(frame.last(), Some(0))
}

/// A frame without the bits that MQTT 3.1 lets a sender set at will and that a packet does not keep: DUP where nothing is
/// delivered again, the reserved byte of CONNACK, and a user name or password that is announced and not there.
fn without_habits(frame: &[u8], version: Version) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    if version != Version::V3_1 {
        return bytes;
    }
    let body = 1 + Frame::read(frame)
        .expect("an accepted packet has a header")
        .length_bytes;
    match frame[0] >> 4 {
        // Protocol name and level take nine bytes.
        1 => bytes[body + 9] &= !0xC0,
        2 => bytes[body] = 0,
        3 if frame[0] & 0x06 == 0 => bytes[0] &= !0x08,
        6 | 8 | 10 => bytes[0] &= !0x08,
        _ => {}
    }
    bytes
}

/// The owned forms hold what the view holds, and a payload is not copied.
fn owned_forms_agree(packet: &Packet<&[u8]>, stream: &[u8], len: usize, rules: &Rules) {
    assert_eq!(packet.to_owned().as_view(), *packet);
    assert_eq!(packet.as_view(), *packet);
    assert!(!format!("{packet:?}").is_empty());

    let mut buffer = BytesMut::from(stream);
    let taken = Packet::take(&mut buffer, rules)
        .expect("accepted as a view")
        .expect("complete as a view");
    assert_eq!((taken.as_view(), &buffer[..]), (*packet, &stream[len..]));

    let received = Bytes::copy_from_slice(stream);
    let mut rest = received.clone();
    let taken = Packet::take_from(&mut rest, rules)
        .expect("accepted as a view")
        .expect("complete as a view");
    assert_eq!((taken.as_view(), &rest[..]), (*packet, &stream[len..]));
    if let Packet::Publish(Publish { payload, .. }) = &taken {
        let lies_in = received.as_ptr_range();
        assert!(
            payload.is_empty() || lies_in.contains(&payload.as_ptr()),
            "the payload was copied"
        );
    }
}

type Verdict<'a> = Result<Decoded<'a>, DecodeError>;

/// A PUBLISH that is read as such gives the same verdict.
fn publish_agrees(stream: &[u8], rules: &Rules, whole: &Verdict<'_>) {
    let expected = match whole {
        Ok(Decoded::Packet {
            packet: Packet::Publish(publish),
            ..
        }) => Ok(Some(*publish)),
        Ok(_) => Ok(None),
        Err(error) => Err(*error),
    };
    assert_eq!(decode_publish(stream, rules), expected);
}

/// The head of a PUBLISH alone gives the same verdict as the whole, or an earlier one.
fn publish_head_agrees(stream: &[u8], rules: &Rules, whole: &Verdict<'_>) {
    let is_publish = stream.first().is_some_and(|first| first >> 4 == 3);
    match (decode_publish_head(stream, rules), whole) {
        (
            Ok(DecodedHead::Head {
                publish,
                len,
                payload_len,
            }),
            Ok(Decoded::Packet { packet, len: whole_len }),
        ) => {
            assert_eq!(len + payload_len, *whole_len);
            let payload = &stream[len..*whole_len];
            assert_eq!(Packet::Publish(Publish { payload, ..publish }), *packet);
        }
        (
            Ok(DecodedHead::Head {
                publish,
                len,
                payload_len,
            }),
            Ok(Decoded::Incomplete { missing }),
        ) => {
            assert!(publish.payload.is_empty());
            assert_eq!(len + payload_len, stream.len() + missing);
        }
        (Ok(DecodedHead::Incomplete { missing }), Ok(Decoded::Incomplete { missing: of_whole })) => {
            assert!(
                0 < missing && missing <= *of_whole,
                "a head misses {missing}, the whole {of_whole}"
            );
        }
        (Ok(DecodedHead::NotPublish), _) => assert!(!is_publish, "a PUBLISH was not recognised"),
        (Err(of_head), Err(of_whole)) => assert_eq!(of_head, *of_whole),
        (Err(_), Ok(Decoded::Incomplete { .. })) => assert!(is_publish, "an early verdict on no PUBLISH"),
        (of_head, of_whole) => panic!("the head is {of_head:?}, the whole is {of_whole:?}"),
    }
}

/// A look at a CONNECT sees the version and the client identifier that the whole has, or a fault of it.
fn peek_agrees(stream: &[u8], rules: &Rules, whole: &Verdict<'_>) {
    match (peek_connect(stream, rules), whole) {
        (
            Ok(Some(peek)),
            Ok(Decoded::Packet {
                packet: Packet::Connect(connect),
                ..
            }),
        ) => {
            assert_eq!((peek.version, peek.client_id), (connect.version, connect.client_id));
        }
        (Ok(Some(_)), Ok(Decoded::Incomplete { .. }) | Err(_)) => assert_eq!(stream[0], 0x10),
        (Ok(None), Ok(Decoded::Incomplete { .. })) => {}
        (Err(peek), decoded) if peek.kind() == DecodeErrorKind::UnexpectedPacketType => {
            let is_connect = matches!(
                decoded,
                Ok(Decoded::Packet {
                    packet: Packet::Connect(_),
                    ..
                })
            );
            assert!(!is_connect && stream[0] >> 4 != 1, "a CONNECT was not recognised");
        }
        // The whole is checked in the same order, and in more places.
        (Err(peek), Err(decoded)) => assert!(decoded.offset() <= peek.offset(), "{decoded}, and a peek: {peek}"),
        (Err(_), Ok(Decoded::Incomplete { .. })) => assert_eq!(stream[0], 0x10),
        (peek, decoded) => panic!("a peek sees {peek:?}, the whole is {decoded:?}"),
    }
}
