//! What MQTT 3.1 does differently from 3.1.1, and where one policy makes it as strict.

use mqtt_proto::{
    Choice, ConnAck, ConnAckReason, DecodeErrorKind, Decoded, EncodeError, Packet, Policy, Properties, Rules, Version,
    decode, peek_connect,
};
use mqtt_tests::hex;

fn strict() -> Rules {
    let mut policy = Policy::default();
    policy.v3_1_habits = Choice::Refuse;
    Rules::new(Version::V3_1).policy(policy)
}

fn accepts(frame: &str, rules: &Rules) -> bool {
    let bytes = hex::bytes(frame);
    match decode(&bytes, rules) {
        Ok(Decoded::Packet { len, .. }) => len == bytes.len(),
        Ok(Decoded::Incomplete { .. }) => panic!("not a whole frame: {frame}"),
        Err(_) => false,
    }
}

fn kind(frame: &str, version: Version) -> Option<DecodeErrorKind> {
    decode(&hex::bytes(frame), &Rules::new(version))
        .err()
        .map(|error| error.kind())
}

#[test]
fn the_name_and_the_level_of_3_1_belong_together() {
    let connect = |name: &str, level: &str| {
        let len = 2 + name.len() + 4 + 3;
        format!(
            "10 {len:02X} {:04X} {} {level} 02 003C 0001 63",
            name.len(),
            hex::text(name.as_bytes())
        )
    };
    let bytes = hex::bytes(&connect("MQIsdp", "03"));
    for version in Version::ALL {
        let Ok(Decoded::Packet {
            packet: Packet::Connect(connect),
            ..
        }) = decode(&bytes, &Rules::new(version))
        else {
            panic!("the CONNECT states its version itself")
        };
        assert_eq!(connect.version, Version::V3_1);
        let peek = peek_connect(&bytes, &Rules::new(version))
            .expect("valid")
            .expect("complete");
        assert_eq!((peek.version, peek.client_id.as_str()), (Version::V3_1, "c"));
    }
    for (name, level) in [
        ("MQIsdp", "04"),
        ("MQIsdp", "05"),
        ("MQTT", "03"),
        ("MQIsdp", "83"),
        ("MQTT", "84"),
    ] {
        let frame = connect(name, level);
        assert_eq!(
            kind(&frame, Version::V3_1),
            Some(DecodeErrorKind::UnsupportedProtocolLevel),
            "{frame}"
        );
    }
}

#[test]
fn requests_may_be_repeated_with_dup() {
    for frame in ["8A 06 0001 0001 61 01", "AA 05 0001 0001 61", "6A 02 0001"] {
        assert!(accepts(frame, &Rules::new(Version::V3_1)), "{frame}");
        assert!(!accepts(frame, &strict()), "{frame}");
        assert_eq!(
            kind(frame, Version::V3_1_1),
            Some(DecodeErrorKind::ReservedBitsSet),
            "{frame}"
        );
    }
    for frame in [
        "80 06 0001 0001 61 01",
        "8B 06 0001 0001 61 01",
        "60 02 0001",
        "4A 02 0001",
    ] {
        assert!(!accepts(frame, &Rules::new(Version::V3_1)), "{frame}");
    }
}

#[test]
fn dup_at_qos_0_is_not_forbidden() {
    let frame = "38 04 0001 74 68";
    assert!(accepts(frame, &Rules::new(Version::V3_1)));
    assert!(!accepts(frame, &strict()));
    assert_eq!(
        kind(frame, Version::V3_1_1),
        Some(DecodeErrorKind::DupWithoutAcknowledgement)
    );
}

/// The Remaining Length wins over the flags: what is announced at the end of CONNECT may be missing as a whole.
#[test]
fn an_announced_user_name_or_password_may_be_missing() {
    for frame in [
        "10 0F 0006 4D5149736470 03 C2 003C 0001 63",
        "10 12 0006 4D5149736470 03 C2 003C 0001 63 0001 75",
    ] {
        assert!(accepts(frame, &Rules::new(Version::V3_1)), "{frame}");
        assert!(!accepts(frame, &strict()), "{frame}");
    }
    let cut_off = "10 11 0006 4D5149736470 03 82 003C 0001 63 0001";
    assert!(
        !accepts(cut_off, &Rules::new(Version::V3_1)),
        "half a user name is no user name"
    );
}

#[test]
fn the_first_byte_of_connack_is_reserved() {
    for first in ["00", "01", "FF"] {
        let bytes = hex::bytes(&format!("20 02 {first} 00"));
        let Ok(Decoded::Packet {
            packet: Packet::ConnAck(connack),
            ..
        }) = decode(&bytes, &Rules::new(Version::V3_1))
        else {
            panic!("whatever the byte holds")
        };
        assert!(!connack.session_present);
    }
    let connack = ConnAck {
        session_present: true,
        reason: ConnAckReason::Success,
        properties: Properties::<_, &[u8]>::empty(),
    };
    assert!(matches!(
        connack.encoded_len(Version::V3_1),
        Err(EncodeError::NotInVersion { .. })
    ));
    assert_eq!(connack.encoded_len(Version::V3_1_1), Ok(4));
    let without = connack.for_version(Version::V3_1).expect("Success can be said");
    assert_eq!(without.encoded_len(Version::V3_1), Ok(4));
}

#[test]
fn suback_of_3_1_knows_no_refusal_but_servers_send_it() {
    let frame = "90 04 0001 01 80";
    assert!(accepts(frame, &Rules::new(Version::V3_1)));
    assert!(!accepts(frame, &strict()));
    assert!(!accepts("90 03 0001 03", &Rules::new(Version::V3_1)));
}

/// The client identifier is judged by the server, which has a return code for it.
#[test]
fn an_empty_client_identifier_reaches_the_server() {
    assert!(accepts(
        "10 0E 0006 4D5149736470 03 02 003C 0000",
        &Rules::new(Version::V3_1)
    ));
}
