//! What `explain` and `Explanation` say to people.

use mqtt_proto::{DecodeError, Explained, Explanation, Rules, Version, explain};
use mqtt_tests::hex;

/// One instance for every test here: the decoder is compiled anew for each closure that it tells.
fn tell(frame: &str, version: Version, each: &mut dyn FnMut(&Explained<'_>)) -> Result<(), DecodeError> {
    explain(&hex::bytes(frame), &Rules::new(version), |field| each(&field)).map(drop)
}

/// Place and meaning of every field of a frame, and the error if it is refused.
fn told(frame: &str, version: Version) -> Vec<String> {
    let mut told = Vec::new();
    let outcome = tell(frame, version, &mut |field| {
        told.push(format!("{}..{} {field}", field.range.start, field.range.end));
    });
    if let Err(error) = outcome {
        told.push(error.to_string());
    }
    told
}

/// The meaning of the field at this place of a frame.
fn meaning(frame: &str, version: Version, start: usize) -> String {
    let mut meaning = None;
    let _ = tell(frame, version, &mut |field| {
        if field.range.start == start {
            meaning = Some(field.to_string());
        }
    });
    meaning.unwrap_or_else(|| panic!("no field at {start} of {frame}"))
}

const FULL_CONNECT: &str = "10 27 0004 4D515454 05 F6 003C 09 15 0001 6D 16 0002 0102 0001 63 \
    00 0001 74 0002 6869 0001 75 0003 736563";

#[test]
fn every_field_of_a_connect_is_told_in_its_place() {
    assert_eq!(
        told(FULL_CONNECT, Version::V5),
        [
            "0..1 packet type and flags: CONNECT",
            "1..2 Remaining Length: 39",
            "2..8 protocol name: \"MQTT\"",
            "8..9 protocol level: 5",
            "9..10 Connect Flags: user name, password, will retain, will, clean start, will QoS 2",
            "10..12 Keep Alive: 60",
            "12..13 Property Length: 9",
            "13..14 property identifier: Authentication Method",
            "14..17 Authentication Method: \"m\"",
            "17..18 property identifier: Authentication Data",
            "18..22 Authentication Data: hidden (2 bytes)",
            "22..25 Client Identifier: \"c\"",
            "25..26 Will Property Length: 0",
            "26..29 Will Topic: \"t\"",
            "29..33 Will Payload: \"hi\"",
            "33..36 User Name: \"u\"",
            "36..41 Password: hidden (3 bytes)",
        ]
    );
}

#[test]
fn a_text_of_the_explanation_hides_the_bytes_of_a_password_too() {
    let bytes = hex::bytes(FULL_CONNECT);
    let text = Explanation::new(&bytes, Rules::new(Version::V5)).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 17);
    assert_eq!(
        lines[10],
        "  18  ** ** ** **                 Authentication Data: hidden (2 bytes)"
    );
    assert_eq!(
        lines[16],
        "  36  ** ** ** ** **              Password: hidden (3 bytes)"
    );
    assert_eq!(lines[2], "   2  00 04 4D 51 54 54           protocol name: \"MQTT\"");
}

#[test]
fn a_long_field_is_cut_after_eight_bytes_in_hex() {
    let text = |frame: &str| Explanation::new(&hex::bytes(frame), Rules::new(Version::V3_1_1)).to_string();
    assert!(
        text("30 0B 0001 74 3132333435363738").ends_with("   5  31 32 33 34 35 36 37 38     payload: \"12345678\"\n")
    );
    assert!(
        text("30 0C 0001 74 313233343536373839")
            .ends_with("   5  31 32 33 34 35 36 37 38 ... payload: \"123456789\"\n")
    );
}

#[test]
fn what_is_missing_or_refused_ends_the_text() {
    let text = |frame: &str| Explanation::new(&hex::bytes(frame), Rules::new(Version::V5)).to_string();
    assert_eq!(
        text("30 05 00"),
        "   0  30                          packet type and flags: PUBLISH, QoS 0\n   \
            1  05                          Remaining Length: 5\n      \
            incomplete: at least 4 bytes are missing\n"
    );
    assert_eq!(
        text("C0 01 00"),
        "   0  C0                          packet type and flags: PINGREQ\n   \
            1  01                          Remaining Length: 1\n   \
            2  refused: PINGREQ: end of the packet at byte 2 is followed by bytes that belong to nothing [MQTT-4.13.1-1]\n"
    );
}

#[test]
fn a_fault_in_the_length_leaves_the_first_byte_told_and_one_in_the_first_byte_nothing() {
    let first = "0..1 packet type and flags: PUBLISH, QoS 0";
    for (frame, version) in [("30 85 00", Version::V5), ("30 FFFFFFFF01", Version::V3_1_1)] {
        let told = told(frame, version);
        assert_eq!((told.len(), told[0].as_str()), (2, first), "{frame}");
    }
    for frame in ["00 00", "C1 00", "36 00"] {
        assert_eq!(told(frame, Version::V5).len(), 1, "{frame}");
    }
}

#[test]
fn the_first_byte_of_every_type_is_named_and_publish_says_its_flags() {
    for (frame, expected) in [
        ("10", "CONNECT"),
        ("20", "CONNACK"),
        ("40", "PUBACK"),
        ("62", "PUBREL"),
        ("82", "SUBSCRIBE"),
        ("F0", "AUTH"),
        ("30", "PUBLISH, QoS 0"),
        ("31", "PUBLISH, QoS 0, RETAIN"),
        ("32", "PUBLISH, QoS 1"),
        ("3A", "PUBLISH, QoS 1, DUP"),
        ("3D", "PUBLISH, QoS 2, DUP, RETAIN"),
        ("34", "PUBLISH, QoS 2"),
    ] {
        let frame = format!("{frame} 7F");
        assert_eq!(
            meaning(&frame, Version::V5, 0),
            format!("packet type and flags: {expected}")
        );
    }
}

#[test]
fn connect_flags_are_told_one_by_one() {
    for (flags, expected) in [
        ("00", "none"),
        ("02", "clean start"),
        ("80", "user name"),
        ("C0", "user name, password"),
        ("04", "will, will QoS 0"),
        ("0C", "will, will QoS 1"),
        ("36", "will retain, will, clean start, will QoS 2"),
    ] {
        // What follows does not matter: the flags have been told by then.
        let frame = format!("10 0D 0004 4D515454 05 {flags} 0000 00 0000");
        assert_eq!(meaning(&frame, Version::V5, 9), format!("Connect Flags: {expected}"));
    }
}

#[test]
fn a_reason_code_is_told_as_its_packet_and_version_mean_it() {
    use Version::{V3_1_1, V5};
    for (frame, version, start, expected) in [
        (
            "20 02 0000",
            V3_1_1,
            3,
            "0 Success: accepted, or this step of the exchange is complete.",
        ),
        ("20 02 0001", V3_1_1, 3, "1 Unsupported protocol version."),
        ("20 02 0006", V3_1_1, 3, "6"),
        ("20 03 0084 00", V5, 3, "0x84 Unsupported protocol version."),
        ("20 03 0006 00", V5, 3, "0x06"),
        ("90 03 0001 00", V3_1_1, 4, "0x00 granted QoS 0"),
        ("90 04 0001 00 02", V5, 5, "0x02 granted QoS 2"),
        ("90 04 0001 00 03", V5, 5, "0x03"),
        ("90 03 0001 80", V3_1_1, 4, "0x80 Unspecified error."),
        (
            "B0 04 0001 00 00",
            V5,
            5,
            "0x00 Success: accepted, or this step of the exchange is complete.",
        ),
        ("B0 04 0001 00 11", V5, 5, "0x11 There was no such subscription."),
        ("40 03 0001 10", V5, 4, "0x10 Accepted, but nobody is subscribed."),
        ("E0 01 00", V5, 2, "0x00 normal disconnection"),
        (
            "E0 01 04",
            V5,
            2,
            "0x04 Disconnection with the wish that the will is published.",
        ),
        (
            "F0 02 00 00",
            V5,
            2,
            "0x00 Success: accepted, or this step of the exchange is complete.",
        ),
    ] {
        assert_eq!(
            meaning(frame, version, start),
            format!("reason code: {expected}"),
            "{frame}"
        );
    }
}

#[test]
fn session_present_options_and_property_identifiers_are_told_in_words() {
    assert_eq!(
        meaning("20 02 0100", Version::V3_1_1, 2),
        "Connect Acknowledge Flags: session present"
    );
    assert_eq!(
        meaning("20 02 0000", Version::V3_1_1, 2),
        "Connect Acknowledge Flags: no session present"
    );
    assert_eq!(
        meaning("82 07 0001 00 0001 61 2D", Version::V5, 8),
        "Subscription Options: SubscriptionOptions { qos: AtLeastOnce, no_local: true, retain_as_published: true, \
            retain_handling: DoNotSend }"
    );
    assert_eq!(
        meaning("82 07 0001 00 0001 61 C0", Version::V5, 8),
        "Subscription Options: 0xC0"
    );
    assert_eq!(
        meaning("30 05 0001 61 01 26", Version::V5, 6),
        "property identifier: User Property"
    );
    assert_eq!(
        meaning("30 05 0001 61 01 7F", Version::V5, 6),
        "property identifier: 0x7F"
    );
    assert_eq!(
        meaning("30 06 0001 61 02 01 01", Version::V5, 7),
        "Payload Format Indicator: 1"
    );
}

#[test]
fn a_connect_is_told_in_the_version_that_it_states() {
    let mut versions = Vec::new();
    let outcome = tell("10 0D 0004 4D515454 05 02 0000 00 0000", Version::V3_1, &mut |field| {
        let text = format!("{field:?}");
        assert!(text.contains("packet_type: Some(Connect)"), "{text}");
        versions.push((text.contains("version: V5"), text.contains("version: V3_1 ")));
    });
    assert_eq!(outcome, Ok(()));
    // Type, length and name come before the level.
    assert_eq!(versions[..3], [(false, true); 3]);
    assert_eq!(versions[3..], [(true, false); 5]);
}
