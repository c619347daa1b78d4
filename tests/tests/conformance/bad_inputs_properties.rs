//! Known faults of MQTT software on bad input: properties.

use mqtt_proto::{PropertyId, Role, SectionKind, decode};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::property_type;

use super::sections::{SECTIONS, least, needed, packet_with};
use super::verdict::{V5, decoded, verdict};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Codec, format!("bad_input::{id}::{name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-002",
            "lengths inside a packet end with it",
            lengths_inside_a_packet_end_with_it,
        ),
        trial(
            "BI-012",
            "properties of SUBACK and UNSUBACK end with the packet",
            properties_of_acks_end_with_the_packet,
        ),
        trial(
            "BI-013",
            "a property that is cut off is refused",
            property_that_is_cut_off_is_refused,
        ),
        trial(
            "BI-014",
            "a property comes once, except where it may repeat",
            property_comes_once,
        ),
        trial(
            "BI-015",
            "Request Response Information comes once",
            request_response_information_comes_once,
        ),
        trial(
            "BI-016",
            "flags among the properties are 0 or 1",
            flags_among_the_properties_are_0_or_1,
        ),
        trial(
            "BI-017",
            "only Will Properties stand in a will",
            only_will_properties_stand_in_a_will,
        ),
    ]
}

fn lengths_inside_a_packet_end_with_it() {
    for frame in [
        "30 07 0001 74 FF FF FF FF",
        "30 08 0001 74 80 80 80 80 00",
        "30 09 0001 74 05 0B FF FF FF FF",
    ] {
        assert_eq!(verdict(frame, &V5), ("U5-1.5.5-a", 0x81), "{frame}");
    }
    assert_eq!(
        verdict("30 04 0001 74 FF", &V5),
        ("MQTT-2.2.2-1", 0x81),
        "the packet ends inside the length"
    );
    assert_eq!(
        verdict("30 06 0001 74 02 0B 80", &V5),
        ("U5-2.2.2-a", 0x81),
        "the section ends inside the identifier"
    );
}

fn properties_of_acks_end_with_the_packet() {
    for frame in [
        "90 04 0001 02 00",
        "B0 04 0001 7F 00",
        "90 07 0001 FF FF FF 7F 00",
        "B0 03 0001 01",
    ] {
        assert_eq!(
            verdict(frame, &V5.sent_by(Role::Server)),
            ("U5-2.2.2-a", 0x81),
            "{frame}"
        );
    }
}

/// A property of every type, cut off at every byte.
fn property_that_is_cut_off_is_refused() {
    for property in [
        "01 01",
        "02 00000001",
        "0B 8001",
        "08 0001 72",
        "09 0001 64",
        "23 0001",
        "26 0001 6E 0001 76",
    ] {
        let property = hex::bytes(property);
        for len in 1..property.len() {
            let section = u8::try_from(len).expect("short");
            let bytes = [&[0x30, section + 4, 0x00, 0x01, b't', section], &property[..len]].concat();
            let error = decode(&bytes, &V5).expect_err("cut off");
            assert_eq!(
                (error.statement(), error.reason_code().value()),
                ("U5-2.2.2-a", 0x81),
                "{bytes:02X?}"
            );
        }
    }
}

fn property_comes_once() {
    for section in SECTIONS {
        for id in PropertyId::ALL.iter().copied().filter(|id| id.belongs_to(section)) {
            let once = [needed(section, id), least(id)].concat();
            let twice = [once.clone(), least(id)].concat();
            decoded(&packet_with(section, &once), &V5);
            let bytes = packet_with(section, &twice);
            let outcome = decode(&bytes, &V5);
            if id == PropertyId::UserProperty
                || (section, id) == (SectionKind::Publish, PropertyId::SubscriptionIdentifier)
            {
                assert!(outcome.is_ok(), "{id} in {section:?}");
            } else {
                let error = outcome.expect_err("it may not repeat");
                assert_eq!(error.reason_code().value(), 0x82, "{id} in {section:?}");
            }
        }
    }
}

fn request_response_information_comes_once() {
    let connect = |properties: &str| packet_with(SectionKind::Connect, &hex::bytes(properties));
    for values in ["19 00 19 00", "19 01 19 01", "19 00 19 01", "19 01 17 00 19 01"] {
        let error = decode(&connect(values), &V5).expect_err("it occurs twice");
        assert_eq!((error.statement(), error.reason_code().value()), ("U5-3.1.2-e", 0x82));
    }
    decoded(&connect("19 01 17 00"), &V5);
}

fn flags_among_the_properties_are_0_or_1() {
    for section in SECTIONS {
        for id in PropertyId::ALL
            .iter()
            .copied()
            .filter(|id| id.belongs_to(section) && property_type(id.number()) == "Byte")
        {
            for value in 0..=u8::MAX {
                let outcome = decode(&packet_with(section, &[id.number(), value]), &V5).map(drop);
                match value {
                    0 | 1 => assert_eq!(outcome, Ok(()), "{id} {value}"),
                    _ => assert_eq!(
                        outcome.map_err(|error| error.reason_code().value()),
                        Err(0x82),
                        "{id} {value}"
                    ),
                }
            }
        }
    }
}

/// In every section, and so in a will too.
fn only_will_properties_stand_in_a_will() {
    for section in SECTIONS {
        for number in 0..=u8::MAX {
            let id = PropertyId::from_number(number);
            if id.is_some_and(|id| id.belongs_to(section)) {
                continue;
            }
            let property = id.map_or_else(|| vec![number, 0, 0, 0, 0], least);
            let error = decode(&packet_with(section, &property), &V5).expect_err("it does not belong here");
            assert_eq!(
                (error.statement(), error.reason_code().value()),
                ("U5-2.2.2-a", 0x81),
                "{number:#04X} in {section:?}"
            );
        }
    }
}
