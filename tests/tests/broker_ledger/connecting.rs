//! CONNECT: names, refusals, takeovers, and what the broker is able to do.

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Connect, Packet, QoS, Version, WillProperties};
use mqtt_session::{Ask, BrokerConfig, Capabilities, ServerConfig};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, fleeting, lasting};
use crate::scene::{BOTH, deliver, last_words, options, pair};

crate::trials_of_module![
    every_short_name_of_letters_and_digits_is_accepted,
    a_client_without_a_name_is_told_the_one_it_is_given,
    a_name_that_is_made_up_is_nobody_elses,
    a_client_of_mqtt_3_without_a_name_is_given_one,
    a_name_that_is_refused_ends_the_connection,
    a_client_that_fails_a_check_is_refused_and_leaves_nothing,
    an_earlier_connection_of_the_client_is_ended,
    a_lower_maximum_qos_grants_less,
    a_will_above_the_maximum_qos_is_refused,
    a_retained_will_is_refused_without_retained_messages,
    what_was_announced_as_missing_ends_the_connection,
    wildcards_that_are_not_supported_are_refused_filter_by_filter,
];

fn every_short_name_of_letters_and_digits_is_accepted() {
    let letters: Vec<char> = ('0'..='9').chain('a'..='z').chain('A'..='Z').collect();
    for version in BOTH {
        let mut rig = Rig::new(config());
        let singles = letters.iter().map(char::to_string);
        let lengths = (1..=23).map(|len| letters.iter().cycle().skip(len * 5).take(len).collect());
        for name in singles.chain(lengths).collect::<Vec<String>>() {
            rig.join(fleeting(&name, version));
            let known = rig.broker.client_id(rig.id(&name)).expect("it is connected");
            assert_eq!(known, name.as_bytes());
        }
    }
    covers("v5:MQTT-3.1.3-5");
    covers("v311:MQTT-3.1.3-5");
}

/// Connects a client without a name, and returns the name in CONNACK.
fn assigned(rig: &mut Rig, connect: Connect<bytes::Bytes>) -> String {
    rig.open("", Version::V5);
    rig.feed("", &Packet::Connect(connect));
    let sent = rig.sent_packets("");
    let [Packet::ConnAck(connack)] = &sent[..] else {
        panic!("CONNACK alone: {sent:?}")
    };
    assert_eq!(connack.reason, ConnAckReason::Success);
    let name = connack.properties.assigned_client_id().expect("a name");
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}

fn a_client_without_a_name_is_told_the_one_it_is_given() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    let name = assigned(&mut rig, lasting("", Version::V5));
    rig.subscribe("", "t", 1);
    covers("v5:MQTT-3.1.3-6");
    rig.cut("");
    deliver(&mut rig, "p", "t", 1, "while away");
    assert_eq!(
        rig.connect(lasting(&name, Version::V5)),
        ["CONNACK present", "PUBLISH q1 #1 t: while away"],
        "the name is as good as one that the client chose"
    );
    covers("v5:MQTT-3.1.3-7");
}

fn a_name_that_is_made_up_is_nobody_elses() {
    let mut rig = Rig::new(config());
    let first = assigned(&mut rig, lasting("", Version::V5));
    rig.rename("", "first");
    let second = assigned(&mut rig, lasting("", Version::V5));
    assert_ne!(first, second);
    assert_eq!(rig.broker.figures().clients_connected, 2);
    // Another broker with the same seed, in which somebody has taken the first name before.
    let mut rig = Rig::new(config());
    rig.join(lasting(&first, Version::V5));
    rig.cut(&first);
    assert_ne!(assigned(&mut rig, lasting("", Version::V5)), first);
    assert!(rig.broker.has_session(first.as_bytes()));
    covers("v5:MQTT-3.2.2-16");
}

fn a_client_of_mqtt_3_without_a_name_is_given_one() {
    let mut rig = pair(Version::V3_1_1);
    rig.join(fleeting("", Version::V3_1_1));
    let first = rig.broker.client_id(rig.id("")).map(<[u8]>::to_vec).expect("a name");
    rig.rename("", "first");
    rig.join(fleeting("", Version::V3_1_1));
    let second = rig.broker.client_id(rig.id("")).map(<[u8]>::to_vec).expect("a name");
    assert!(!first.is_empty() && !second.is_empty() && first != second);
    rig.subscribe("first", "t", 0);
    deliver(&mut rig, "p", "t", 0, "m");
    assert_eq!(rig.sent("first"), ["PUBLISH q0 t: m"]);
    assert_eq!(rig.sent(""), NOTHING);
    covers("v311:MQTT-3.1.3-6");
}

fn refused(version: Version, reason: ConnAckReason) -> Rig {
    let mut rig = Rig::new(config().ask(Ask::EVERYTHING));
    assert_eq!(rig.connect(lasting("c", version)), NOTHING);
    assert_eq!(rig.told(), ["connect c"]);
    let id = rig.id("c");
    rig.broker
        .refuse(rig.now, id, reason, ConnAckProperties::empty())
        .expect("it was asked");
    rig
}

fn a_name_that_is_refused_ends_the_connection() {
    for version in BOTH {
        let mut rig = refused(version, ConnAckReason::ClientIdentifierNotValid);
        let sent = rig.sent_packets("c");
        let [Packet::ConnAck(connack)] = &sent[..] else {
            panic!("CONNACK alone: {sent:?}")
        };
        assert_eq!(connack.reason, ConnAckReason::ClientIdentifierNotValid);
        assert_eq!(connack.reason.return_code(), Some(2));
        assert!(rig.broker.is_drained(rig.id("c")), "it is closed");
    }
    covers("v5:MQTT-3.1.3-8");
    covers("v311:MQTT-3.1.3-9");
}

fn a_client_that_fails_a_check_is_refused_and_leaves_nothing() {
    for (reason, line) in [
        (ConnAckReason::BadUserNameOrPassword, "CONNACK 0x86"),
        (ConnAckReason::NotAuthorized, "CONNACK 0x87"),
        (ConnAckReason::Banned, "CONNACK 0x8a"),
    ] {
        let mut rig = refused(Version::V5, reason);
        assert_eq!(rig.sent("c"), [line]);
        assert!(rig.broker.is_drained(rig.id("c")), "it is closed");
        assert!(!rig.broker.has_session(b"c"));
    }
    covers("v5:MQTT-3.1.4-2");
}

fn an_earlier_connection_of_the_client_is_ended() {
    for version in BOTH {
        let mut rig = Rig::new(config());
        rig.join(lasting("c", version));
        rig.rename("c", "old");
        assert_eq!(rig.connect(lasting("c", version)), ["CONNACK present"]);
        let farewell: &[&str] = if version == Version::V5 {
            &["DISCONNECT 0x8e"]
        } else {
            &[]
        };
        assert_eq!(rig.sent("old"), farewell);
        assert!(rig.broker.is_drained(rig.id("old")), "it is closed");
        assert_eq!(rig.broker.connection_of(b"c"), Some(rig.id("c")));
        rig.feed("old", &Packet::PingReq);
        assert_eq!(rig.sent("old"), NOTHING, "nothing is said on it any more");
        rig.feed("c", &Packet::PingReq);
        assert_eq!(rig.sent("c"), ["PINGRESP"]);
    }
    covers("v5:MQTT-3.1.4-3");
    covers("v311:MQTT-3.1.4-2");
}

/// A broker that can do less.
fn lesser(change: impl FnOnce(&mut Capabilities)) -> BrokerConfig {
    let mut capabilities = Capabilities::default();
    change(&mut capabilities);
    config().client(ServerConfig::default().capabilities(capabilities))
}

fn a_lower_maximum_qos_grants_less() {
    for most in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        for version in BOTH {
            let mut rig = Rig::new(lesser(|capabilities| capabilities.maximum_qos = most));
            rig.join(fleeting("c", version));
            for asked in 0..3 {
                let sent = rig.subscribe_with("c", &[("t", options(asked))], None);
                assert_eq!(sent, [format!("SUBACK #9 {:#04x}", asked.min(most.bits()))]);
            }
        }
    }
    covers("v5:MQTT-3.2.2-10");
}

fn a_will_above_the_maximum_qos_is_refused() {
    for (bits, expected) in [(2, "CONNACK 0x9b"), (1, "CONNACK")] {
        let mut rig = Rig::new(lesser(|capabilities| capabilities.maximum_qos = QoS::AtLeastOnce));
        let connect = Connect {
            will: last_words("w", "gone", bits, false, WillProperties::empty()),
            ..fleeting("c", Version::V5)
        };
        assert_eq!(rig.connect(connect), [expected]);
        assert_eq!(rig.broker.is_drained(rig.id("c")), bits == 2);
        rig.cut("c");
        assert_eq!(rig.broker.figures().wills_published, u64::from(bits == 1));
    }
    covers("v5:MQTT-3.2.2-12");
}

fn a_retained_will_is_refused_without_retained_messages() {
    for (retain, expected) in [(true, "CONNACK 0x9a"), (false, "CONNACK")] {
        let mut rig = Rig::new(lesser(|capabilities| capabilities.retain = false));
        let connect = Connect {
            will: last_words("w", "gone", 0, retain, WillProperties::empty()),
            ..fleeting("c", Version::V5)
        };
        assert_eq!(rig.connect(connect), [expected]);
        assert_eq!(rig.broker.is_drained(rig.id("c")), retain);
    }
    covers("v5:MQTT-3.2.2-13");
}

fn what_was_announced_as_missing_ends_the_connection() {
    type Missing = (
        fn(&mut Capabilities),
        &'static str,
        Option<u32>,
        &'static str,
        &'static str,
    );
    let missing: [Missing; 3] = [
        (
            |lesser| lesser.wildcards = false,
            "t/+",
            None,
            "DISCONNECT 0xa2",
            "u5:U5-3.2.2-e",
        ),
        (
            |lesser| lesser.subscription_ids = false,
            "t",
            Some(1),
            "DISCONNECT 0xa1",
            "u5:U5-3.2.2-f",
        ),
        (
            |lesser| lesser.shared = false,
            "$share/g/t",
            None,
            "DISCONNECT 0x9e",
            "u5:U5-3.2.2-g",
        ),
    ];
    for (less, filter, identifier, farewell, row) in missing {
        let mut rig = Rig::new(lesser(less));
        rig.join(fleeting("c", Version::V5));
        assert_eq!(rig.subscribe_with("c", &[(filter, options(0))], identifier), [farewell]);
        assert!(rig.broker.is_drained(rig.id("c")), "it is closed");
        assert_eq!(rig.broker.figures().subscriptions, 0);
        let mut rig = Rig::new(config());
        rig.join(fleeting("c", Version::V5));
        assert_eq!(
            rig.subscribe_with("c", &[(filter, options(0))], identifier),
            ["SUBACK #9 0x00"],
            "a broker that can do it does it"
        );
        covers(row);
    }
}

fn wildcards_that_are_not_supported_are_refused_filter_by_filter() {
    let mut rig = Rig::new(lesser(|capabilities| capabilities.wildcards = false));
    rig.join(fleeting("c", Version::V3_1_1));
    let filters = ["t/+", "t/a", "#"].map(|filter| (filter, options(1)));
    assert_eq!(rig.subscribe_with("c", &filters, None), ["SUBACK #9 0x80 0x01 0x80"]);
    deliver(&mut rig, "c", "t/b", 0, "m");
    assert_eq!(rig.broker.figures().subscriptions, 1);
    rig.publish("c", "t/a", 0, "m");
    assert_eq!(rig.sent("c"), ["PUBLISH q0 t/a: m"]);
    covers("v311:MQTT-3.8.3-2");
}
