//! Known faults of MQTT software on bad input: the other fields.

use mqtt_proto::{Packet, Policy, PropertyId, Rules, TopicFilter, Version, decode};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::property_type;

use super::sections::{SECTIONS, least, needed, packet_with};
use super::verdict::{V3, V5, decoded, refused, verdict};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Codec, format!("bad_input::{id}::{name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-021",
            "every text is checked, passwords and payloads are not",
            every_text_is_checked,
        ),
        trial(
            "BI-022",
            "U+0000 is refused in a Will Topic",
            nul_is_refused_in_a_will_topic,
        ),
        trial(
            "BI-024",
            "no policy lets ill-formed UTF-8 pass",
            no_policy_lets_ill_formed_utf8_pass,
        ),
        trial(
            "BI-027",
            "a topic longer than the packet is refused",
            topic_longer_than_the_packet_is_refused,
        ),
        trial(
            "BI-028",
            "a PUBLISH shorter than its head is refused",
            publish_shorter_than_its_head_is_refused,
        ),
        trial(
            "BI-030",
            "a SUBSCRIBE that is cut off is refused",
            subscribe_that_is_cut_off_is_refused,
        ),
        trial(
            "BI-033",
            "acknowledgements of 3.1.1 have two bytes",
            acknowledgements_of_v3_1_1_have_two_bytes,
        ),
        trial(
            "BI-034",
            "no byte of CONNECT is left over",
            no_byte_of_connect_is_left_over,
        ),
        trial(
            "BI-035",
            "acknowledgements of 5.0 come in every short form",
            acknowledgements_of_v5_come_in_every_short_form,
        ),
        trial(
            "BI-039",
            "each violation has one reason code",
            each_violation_has_one_reason_code,
        ),
        trial(
            "BI-040",
            "Packet Identifier 0 is refused everywhere",
            packet_identifier_0_is_refused_everywhere,
        ),
        trial(
            "BI-056",
            "a shared filter without a filter is refused",
            shared_filter_without_a_filter_is_refused,
        ),
        trial(
            "BI-057",
            "malformed shared filters are refused or ordinary",
            malformed_shared_filters_are_refused_or_ordinary,
        ),
    ]
}

/// The same frame with a body cut to `len` bytes and a Remaining Length to match.
fn cut(frame: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = vec![frame[0], u8::try_from(len).expect("short")];
    bytes.extend(&frame[2..2 + len]);
    bytes
}

/// `XX` is the one byte of a field.
const TEXT_FIELDS_V3: [&str; 6] = [
    "10 0D 0004 4D515454 04 02 003C 0001 XX",
    "10 13 0004 4D515454 04 06 003C 0001 63 0001 XX 0001 6D",
    "10 10 0004 4D515454 04 82 003C 0001 63 0001 XX",
    "30 03 0001 XX",
    "82 06 0001 0001 XX 00",
    "A2 05 0001 0001 XX",
];

const OTHER_FIELDS_V3: [&str; 3] = [
    "10 13 0004 4D515454 04 06 003C 0001 63 0001 74 0001 XX",
    "10 13 0004 4D515454 04 C2 003C 0001 63 0001 75 0001 XX",
    "30 04 0001 74 XX",
];

fn every_text_is_checked() {
    for (fields, valid) in [(&TEXT_FIELDS_V3[..], false), (&OTHER_FIELDS_V3[..], true)] {
        for frame in fields {
            for byte in ["80", "C0", "ED", "F5", "FF"] {
                let bytes = hex::bytes(&frame.replace("XX", byte));
                assert_eq!(decode(&bytes, &V3).is_ok(), valid, "{frame} with {byte}");
            }
            decoded(&hex::bytes(&frame.replace("XX", "78")), &V3);
        }
    }
    let texts = PropertyId::ALL
        .iter()
        .copied()
        .filter(|id| property_type(id.number()).starts_with("UTF-8"));
    for id in texts {
        let section = SECTIONS
            .into_iter()
            .find(|section| id.belongs_to(*section))
            .expect("it belongs somewhere");
        let mut property = [needed(section, id), least(id)].concat();
        decoded(&packet_with(section, &property), &V5);
        *property.last_mut().expect("it has a value") = 0xFF;
        assert_eq!(
            decode(&packet_with(section, &property), &V5)
                .expect_err("no text")
                .reason_code()
                .value(),
            0x81,
            "{id}"
        );
    }
}

fn nul_is_refused_in_a_will_topic() {
    let (will_v3, will_v5) = (
        TEXT_FIELDS_V3[1],
        "10 15 0004 4D515454 05 06 003C 00 0001 63 00 0001 XX 0001 6D",
    );
    assert_eq!(verdict(&will_v3.replace("XX", "00"), &V3), ("MQTT-4.7.3-2", 0x81));
    assert_eq!(verdict(&will_v5.replace("XX", "00"), &V5), ("MQTT-4.7.3-2", 0x81));
}

fn no_policy_lets_ill_formed_utf8_pass() {
    let mut lenient = Policy::default();
    lenient.control_characters = mqtt_proto::Choice::Accept;
    lenient.padded_remaining_length = mqtt_proto::Choice::Accept;
    lenient.v3_1_habits = mqtt_proto::Choice::Accept;
    for policy in [lenient, Policy::relay(), Policy::endpoint()] {
        let frame = TEXT_FIELDS_V3[0].replace("XX", "FF");
        assert_eq!(verdict(&frame, &V3.policy(policy)), ("MQTT-3.1.3-4", 0x81));
        let frame = "10 0F 0006 4D5149736470 03 02 003C 0001 FF";
        assert_eq!(
            verdict(frame, &Rules::new(Version::V3_1).policy(policy)),
            ("MQTT-3.1.3-4", 0x81)
        );
    }
}

fn topic_longer_than_the_packet_is_refused() {
    for length in ["0002", "0100", "FFFF"] {
        assert_eq!(verdict(&format!("30 03 {length} 74"), &V3), ("MQTT-3.3.2-1", 0x81));
        assert_eq!(verdict(&format!("30 03 {length} 74"), &V5), ("MQTT-3.3.2-1", 0x81));
    }
}

/// Cut at every byte before the payload.
fn publish_shorter_than_its_head_is_refused() {
    for (rules, frame, head) in [
        (&V3, "32 06 0001 74 0001 68", 5),
        (&V5, "32 09 0001 74 0001 02 0101 68", 8),
    ] {
        let bytes = hex::bytes(frame);
        for len in 0..head {
            let error = decode(&cut(&bytes, len), rules).expect_err("the head is cut off");
            assert_eq!(error.reason_code().value(), 0x81, "{len} bytes of {frame}");
        }
        decoded(&cut(&bytes, head), rules);
    }
}

/// Cut at every byte: only whole subscriptions make a packet.
fn subscribe_that_is_cut_off_is_refused() {
    let bytes = hex::bytes("82 0B 0001 00 0001 61 01 0001 62 02");
    for len in 0..11 {
        let cut = cut(&bytes, len);
        let outcome = decode(&cut, &V5);
        assert_eq!(outcome.is_ok(), len == 7, "{len} bytes");
    }
    decoded(&bytes, &V5);
}

fn acknowledgements_of_v3_1_1_have_two_bytes() {
    for first in ["40", "50", "62", "70", "B0"] {
        for version in [Version::V3_1, Version::V3_1_1] {
            let rules = Rules::new(version);
            decoded(&hex::bytes(&format!("{first} 02 0001")), &rules);
            for body in ["03 0001 00", "04 0001 00 00", "01 00", "00"] {
                refused(&format!("{first} {body}"), &rules);
            }
        }
        assert_eq!(verdict(&format!("{first} 03 0001 00"), &V3), ("MQTT-4.8.0-1", 0x81));
    }
}

/// A byte more at the end of every form of CONNECT.
fn no_byte_of_connect_is_left_over() {
    for (flags, payload) in [
        ("02", "0001 63"),
        ("82", "0001 63 0001 75"),
        ("C2", "0001 63 0001 75 0001 70"),
        ("06", "0001 63 0001 74 0000"),
    ] {
        let body = format!("0004 4D515454 04 {flags} 003C {payload}");
        let len = hex::bytes(&body).len();
        decoded(&hex::bytes(&format!("10 {len:02X} {body}")), &V3);
        let error = refused(&format!("10 {:02X} {body} 00", len + 1), &V3);
        assert_eq!(
            (error.reason_code().value(), error.offset()),
            (0x81, len + 2),
            "{flags}"
        );
    }
}

fn acknowledgements_of_v5_come_in_every_short_form() {
    for first in ["40", "50", "62", "70"] {
        for body in ["02 0001", "03 0001 00", "04 0001 00 00", "08 0001 00 04 1F 0001 72"] {
            decoded(&hex::bytes(&format!("{first} {body}")), &V5);
        }
        refused(&format!("{first} 01 00"), &V5);
    }
    assert!(matches!(decoded(&hex::bytes("E0 00"), &V5), Packet::Disconnect(_)));
    assert!(matches!(decoded(&hex::bytes("F0 00"), &V5), Packet::Auth(_)));
}

/// Where the specification names the code, that code and no other.
fn each_violation_has_one_reason_code() {
    for (frame, code) in [
        ("E1 00", 0x81),
        ("10 15 0004 4D515454 05 1E 003C 00 0001 63 00 0001 74 0001 6D", 0x81),
        ("10 0D 0004 4D515454 05 03 003C 00 0000", 0x81),
        ("10 0D 0004 4D515454 06 02 003C 00 0000", 0x84),
        ("36 05 0001 74 0001", 0x81),
        ("30 07 0001 74 03 23 0000", 0x94),
        ("30 03 0000 00", 0x82),
        ("82 03 0001 00", 0x82),
        ("82 07 0001 00 0001 61 40", 0x81),
        ("A2 03 0001 00", 0x82),
        ("10 10 0004 4D515454 05 02 003C 03 21 0000 0000", 0x82),
    ] {
        assert_eq!(verdict(frame, &V5).1, code, "{frame}");
    }
    assert_eq!(verdict("30 05 0001 74 00 68", &V5.limit(6)).1, 0x95);
}

/// There is no lenient mode for it: the identifier is a number that is not 0, by its type.
fn packet_identifier_0_is_refused_everywhere() {
    for frame in [
        "32 05 0001 74 0000",
        "34 05 0001 74 0000",
        "40 02 0000",
        "50 02 0000",
        "62 02 0000",
        "70 02 0000",
    ] {
        assert_eq!(
            refused(frame, &V3).kind(),
            mqtt_proto::DecodeErrorKind::ZeroPacketId,
            "{frame}"
        );
        assert_eq!(verdict(frame, &V5).1, 0x82, "{frame}");
    }
    for frame in [
        "82 07 0000 00 0001 61 00",
        "90 04 0000 00 00",
        "A2 06 0000 00 0001 61",
        "B0 04 0000 00 00",
    ] {
        assert_eq!(verdict(frame, &V5).1, 0x82, "{frame}");
    }
    assert_eq!(mqtt_proto::PacketId::new(0), None);
}

fn subscribe(filter: &str) -> String {
    let len = filter.len();
    format!(
        "82 {:02X} 0001 00 {len:04X} {} 00",
        len + 6,
        hex::text(filter.as_bytes())
    )
}

fn shared_filter_without_a_filter_is_refused() {
    for filter in ["$share/ab", "$share/ab/"] {
        assert_eq!(verdict(&subscribe(filter), &V5).0, "MQTT-4.8.2-2", "{filter}");
        assert!(TopicFilter::new(filter).is_err());
    }
    let bytes = hex::bytes(&subscribe("$share/ab/c"));
    let Packet::Subscribe(subscribe) = decoded(&bytes, &V5) else {
        panic!("a SUBSCRIBE")
    };
    let filter = subscribe.filters.iter().next().expect("one filter").filter;
    let shared = filter.shared().expect("a shared filter");
    assert_eq!((shared.name.as_str(), shared.filter.as_str()), ("ab", "c"));
}

/// Shared filters came with 5.0; before, the text is an ordinary filter.
fn malformed_shared_filters_are_refused_or_ordinary() {
    for filter in [
        "$share/",
        "$share//",
        "$share//x",
        "$share/a+/x",
        "$share/#",
        "$share/a#/x",
        "$share/g/a#",
    ] {
        refused(&subscribe(filter), &V5);
    }
    for filter in ["$share", "$SHARE/", "$shared/x", "a/$share/"] {
        decoded(&hex::bytes(&subscribe(filter)), &V5);
    }
    for filter in ["$share/", "$share//x", "$share/g", "$share/+/x"] {
        let len = filter.len();
        let bytes = hex::bytes(&format!(
            "82 {:02X} 0001 {len:04X} {} 00",
            len + 5,
            hex::text(filter.as_bytes())
        ));
        let Packet::Subscribe(subscribe) = decoded(&bytes, &V3) else {
            panic!("a SUBSCRIBE")
        };
        assert!(
            subscribe
                .filters
                .iter()
                .all(|subscription| subscription.filter.shared().is_none()),
            "{filter}"
        );
    }
}
