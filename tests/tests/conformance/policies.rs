//! What the specification lets a receiver choose: each policy, both ways.

use mqtt_proto::{Choice, DecodeErrorKind, Decoded, Policy, Rules, Version, decode};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Codec, format!("policy::{name}"), run);
    vec![
        trial(
            "control characters are refused on request",
            control_characters_are_refused_on_request,
        ),
        trial(
            "control characters are judged in every text",
            control_characters_are_judged_in_every_text,
        ),
        trial(
            "a padded Remaining Length is accepted on request",
            padded_remaining_length_is_accepted_on_request,
        ),
    ]
}

/// PUBLISH with the topic `a`, one character, `b`.
fn publish(version: Version, character: char) -> Vec<u8> {
    let topic = format!("a{character}b");
    let length = u8::try_from(topic.len()).expect("a short topic");
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    [
        &[
            0x30,
            length + 2 + u8::try_from(properties.len()).expect("one"),
            0,
            length,
        ],
        topic.as_bytes(),
        properties,
    ]
    .concat()
}

fn control_characters_are_refused_on_request() {
    let forbidden = [
        '\u{01}',
        '\u{09}',
        '\u{1F}',
        '\u{7F}',
        '\u{80}',
        '\u{9F}',
        '\u{FDD0}',
        '\u{FDEF}',
        '\u{FFFE}',
        '\u{FFFF}',
        '\u{1FFFE}',
        '\u{8FFFF}',
        '\u{10FFFE}',
        '\u{10FFFF}',
    ];
    let neighbours = [
        '\u{20}',
        '\u{7E}',
        '\u{A0}',
        '\u{FDCF}',
        '\u{FDF0}',
        '\u{FFFD}',
        '\u{10000}',
        '\u{1FFFD}',
        '\u{20000}',
        '\u{10FFFD}',
    ];
    for version in [Version::V5, Version::V3_1_1] {
        let (accepting, refusing) = (Rules::new(version), Rules::new(version).policy(Policy::relay()));
        for character in forbidden {
            let bytes = publish(version, character);
            assert!(
                matches!(decode(&bytes, &accepting), Ok(Decoded::Packet { .. })),
                "{character:?}"
            );
            let error = decode(&bytes, &refusing).expect_err("the policy refuses it");
            assert_eq!(
                (error.statement(), error.reason_code().value()),
                ("U5-1.5.4-a", 0x81),
                "{character:?}"
            );
        }
        for character in neighbours {
            let bytes = publish(version, character);
            assert!(
                matches!(decode(&bytes, &refusing), Ok(Decoded::Packet { .. })),
                "{character:?}"
            );
        }
    }
    covers("u5:U5-1.5.4-a");
}

/// The same character in the place of `XX` of every text field.
fn control_characters_are_judged_in_every_text() {
    let frames = [
        "10 0E 0004 4D515454 05 02 003C 00 0001 XX",
        "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 XX 0001 6D",
        "10 11 0004 4D515454 05 82 003C 00 0001 63 0001 XX",
        "10 12 0004 4D515454 05 02 003C 04 15 0001 XX 0001 63",
        "30 04 0001 XX 00",
        "30 08 0001 74 04 03 0001 XX",
        "30 08 0001 74 04 08 0001 XX",
        "30 0B 0001 74 07 26 0001 XX 0001 76",
        "30 0B 0001 74 07 26 0001 6E 0001 XX",
        "82 07 0001 00 0001 XX 00",
        "A2 06 0001 00 0001 XX",
        "40 08 0001 00 04 1F 0001 XX",
    ];
    let refusing = Rules::new(Version::V5).policy(Policy::relay());
    for frame in frames {
        let bad = hex::bytes(&frame.replace("XX", "07"));
        assert_eq!(
            decode(&bad, &refusing).expect_err(frame).statement(),
            "U5-1.5.4-a",
            "{frame}"
        );
        let good = hex::bytes(&frame.replace("XX", "78"));
        assert!(
            matches!(decode(&good, &refusing), Ok(Decoded::Packet { .. })),
            "{frame}"
        );
    }
    covers("u5:U5-1.5.4-a");
}

/// Only the Remaining Length: inside a packet no policy lets padding pass.
fn padded_remaining_length_is_accepted_on_request() {
    let mut lenient = Policy::default();
    lenient.padded_remaining_length = Choice::Accept;
    for version in Version::ALL {
        let (strict, lenient) = (Rules::new(version), Rules::new(version).policy(lenient));
        let padded = hex::bytes("C0 80 80 80 00 C0 00");
        assert_eq!(
            decode(&padded, &strict).expect_err("padded").kind(),
            DecodeErrorKind::LengthPadded
        );
        assert!(
            matches!(decode(&padded, &lenient), Ok(Decoded::Packet { len: 5, .. })),
            "the length of the padded header counts"
        );
    }
    let inside = hex::bytes("30 05 0001 74 80 00");
    let lenient = Rules::new(Version::V5).policy(lenient);
    assert_eq!(
        decode(&inside, &lenient).expect_err("padded").statement(),
        "MQTT-1.5.5-1"
    );
    covers("v5:MQTT-1.5.5-1");
}
