//! UNSUBSCRIBE and UNSUBACK.

use mqtt_session::proto::{Packet, Properties, TopicFilters, TopicFiltersBuilder, Unsubscribe, Version};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, id, lasting};
use crate::scene::{BOTH, deliver, options, pair};

crate::trials_of_module![
    filters_are_compared_character_by_character,
    nothing_new_comes_for_a_filter_that_is_gone,
    what_has_begun_is_completed,
    every_unsubscribe_is_answered,
    several_filters_get_one_answer_in_their_order,
];

/// UNSUBSCRIBE from several filters; what comes back.
fn unsubscribe(rig: &mut Rig, number: u16, filters: &[&str]) -> Vec<String> {
    let filters = filters
        .iter()
        .fold(TopicFilters::builder(), TopicFiltersBuilder::filter);
    let packet = Unsubscribe {
        id: id(number),
        filters: filters.build().expect("filters"),
        properties: Properties::empty(),
    };
    rig.feed("s", &Packet::Unsubscribe(packet));
    rig.sent("s")
}

/// UNSUBACK with these codes, as far as the version has them.
fn unsuback(version: Version, number: u16, codes: &[u8]) -> Vec<String> {
    let codes: String = match version {
        Version::V5 => codes.iter().map(|code| format!(" {code:#04x}")).collect(),
        _ => String::new(),
    };
    vec![format!("UNSUBACK #{number}{codes}")]
}

fn filters_are_compared_character_by_character() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t/+", 0);
        for other in ["t/a", "t/#", "+/+", "#", "t", "T/+", "t/+/", "/t/+", "t/+/#"] {
            assert_eq!(
                unsubscribe(&mut rig, 3, &[other]),
                unsuback(version, 3, &[0x11]),
                "{other}"
            );
            rig.publish("p", "t/a", 0, "m");
            assert_eq!(rig.sent("s"), ["PUBLISH q0 t/a: m"], "{other}");
        }
        assert_eq!(unsubscribe(&mut rig, 3, &["t/+"]), unsuback(version, 3, &[0]));
        rig.publish("p", "t/a", 0, "m");
        assert_eq!(rig.sent("s"), NOTHING);
    }
    covers("v5:MQTT-3.10.4-1");
    covers("v311:MQTT-3.10.4-1");
}

fn nothing_new_comes_for_a_filter_that_is_gone() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 2);
        rig.subscribe("s", "t/#", 0);
        unsubscribe(&mut rig, 3, &["t"]);
        deliver(&mut rig, "p", "t", 2, "m");
        assert_eq!(rig.sent("s"), ["PUBLISH q0 t: m"], "the other one alone");
        unsubscribe(&mut rig, 3, &["t/#"]);
        for bits in 0..3 {
            deliver(&mut rig, "p", "t", bits, "m");
        }
        assert_eq!(rig.sent("s"), NOTHING);
        rig.cut("s");
        assert_eq!(rig.connect(lasting("s", version)), ["CONNACK present"]);
    }
    covers("v5:MQTT-3.10.4-2");
    covers("v311:MQTT-3.10.4-2");
}

fn what_has_begun_is_completed() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 2);
        deliver(&mut rig, "p", "t", 1, "one");
        deliver(&mut rig, "p", "t", 2, "two");
        deliver(&mut rig, "p", "t", 2, "three");
        assert_eq!(rig.sent("s").len(), 3);
        rig.pubrec("s", 2);
        assert_eq!(rig.sent("s"), ["PUBREL #2"]);
        unsubscribe(&mut rig, 9, &["t"]);
        rig.pubrec("s", 3);
        assert_eq!(rig.sent("s"), ["PUBREL #3"]);
        rig.pubcomp("s", 3);
        rig.cut("s");
        assert_eq!(
            rig.connect(lasting("s", version)),
            ["CONNACK present", "PUBREL #2", "PUBLISH q1 #1 dup t: one"]
        );
        rig.pubcomp("s", 2);
        rig.puback("s", 1);
        assert_eq!(rig.sent("s"), NOTHING);
        rig.cut("s");
        assert_eq!(rig.connect(lasting("s", version)), ["CONNACK present"]);
    }
    covers("v5:MQTT-3.10.4-3");
    covers("v311:MQTT-3.10.4-3");
}

fn every_unsubscribe_is_answered() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 0);
        for (number, code) in [(1, 0), (65_535, 0x11), (77, 0x11)] {
            assert_eq!(
                unsubscribe(&mut rig, number, &["t"]),
                unsuback(version, number, &[code])
            );
        }
    }
    covers("v5:MQTT-3.10.4-4");
    covers("v311:MQTT-3.10.4-4");
    covers("v311:MQTT-3.10.4-5");
}

fn several_filters_get_one_answer_in_their_order() {
    for version in BOTH {
        let mut rig = pair(version);
        for filter in ["a", "b", "c", "$share/g/d"] {
            rig.subscribe_with("s", &[(filter, options(0))], None);
        }
        let filters = ["c", "x", "a", "a", "$share/g/d", "d"];
        let codes = [0, 0x11, 0, 0x11, 0, 0x11];
        assert_eq!(unsubscribe(&mut rig, 6, &filters), unsuback(version, 6, &codes));
        for topic in ["a", "b", "c", "d"] {
            rig.publish("p", topic, 0, "m");
        }
        assert_eq!(rig.sent("s"), ["PUBLISH q0 b: m"]);
    }
    covers("v5:MQTT-3.10.4-6");
    covers("v5:MQTT-3.11.3-1");
    covers("v311:MQTT-3.10.4-6");
}
