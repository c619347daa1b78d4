//! Known faults of MQTT software on bad input, as far as a server connection can have them.

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Role, Version};
use mqtt_session::{Accept, Closed, HandOver, Limits, Outcome, ServerConfig, ServerEvent, SessionConfig, Violation};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::rig::VERSIONS;
use crate::server_rig::ServerRig;
use crate::wire::{auth, coded, disconnect, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Session, format!("bad_input::{id}::server: {name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial("BI-008", "the first byte decides", first_byte_decides),
        trial(
            "BI-020",
            "a SUBSCRIBE that is wrong at its end does nothing",
            wrong_subscribe_does_nothing,
        ),
        trial("BI-032", "an empty topic closes", empty_topic_closes),
        trial("BI-037", "packets of servers close", packets_of_servers_close),
        trial(
            "BI-041",
            "limits that make no sense are refused, and so is a method that is not supported",
            senseless_limits_are_refused,
        ),
        trial(
            "BI-042",
            "a second CONNECT closes, with the will",
            second_connect_closes,
        ),
        trial("BI-045", "aliases have a bound", aliases_have_a_bound),
        trial(
            "BI-046",
            "an alias that stands for nothing closes",
            unknown_alias_closes,
        ),
        trial("BI-050", "the deepest filter is a filter", deepest_filter_is_a_filter),
        trial(
            "BI-058",
            "No Local on a shared subscription closes",
            no_local_on_shared_closes,
        ),
        trial("BI-064", "one identifier uses one place", one_identifier_uses_one_place),
        trial(
            "BI-065",
            "any number of repetitions is answered",
            repetitions_are_answered,
        ),
        trial(
            "BI-066",
            "a repetition gets PUBREC without an error",
            repetition_gets_pubrec_without_error,
        ),
        trial(
            "BI-068",
            "known identifiers survive a reconnect",
            known_identifiers_survive,
        ),
        trial(
            "BI-072",
            "PUBREC for nothing is answered",
            pubrec_for_nothing_is_answered,
        ),
        trial(
            "BI-079",
            "more open messages than announced close",
            more_open_messages_close,
        ),
        trial(
            "BI-083",
            "the size of a packet is all of it, in both directions",
            sizes_are_of_whole_packets,
        ),
    ]
}

fn new(version: Version) -> ServerRig {
    ServerRig::new(ServerConfig::default(), version)
}

fn connected(version: Version) -> ServerRig {
    ServerRig::connected(ServerConfig::default(), version, "")
}

/// Every type but CONNECT at its first byte; CONNECT by its length; and no more is held than that.
fn first_byte_decides() {
    let limits = Limits::default().connect_bytes(100);
    let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
    for first in (0x20..=0xF0).step_by(0x10) {
        let mut rig = ServerRig::new(config.clone(), Version::V5);
        assert!(rig.server.input_room() <= 105);
        rig.feed(&[first]);
        let closed = rig.closed();
        assert!(
            matches!(closed, Some(Closed::Violation(Violation::PacketBeforeConnect, _))),
            "{first:02X}: {closed:?}"
        );
        rig.sends_nothing();
        assert!(rig.server.is_drained());
    }
    let mut rig = ServerRig::new(config.clone(), Version::V5);
    rig.feed(&[0x10, 99]);
    assert!(rig.closed().is_some(), "the length is above the bound");
    let mut rig = ServerRig::new(config, Version::V5);
    rig.feed(&[0x10, 98]);
    rig.stays();
}

/// The last of three filters is wrong.
fn wrong_subscribe_does_nothing() {
    for (version, bad) in [
        (Version::V5, "82 0F 0001 00 0001 61 01 0001 62 01 0001 63 03"),
        (Version::V5, "82 10 0001 00 0001 61 01 0001 62 01 0002 2361 01"),
        (Version::V3_1_1, "82 0E 0001 0001 61 01 0001 62 01 0001 63 03"),
    ] {
        let mut rig = connected(version);
        rig.feed(&hex::bytes(bad));
        assert!(matches!(
            rig.told()[..],
            [ServerEvent::Closed {
                reason: Closed::Malformed(_),
                ..
            }]
        ));
    }
}

fn empty_topic_closes() {
    let mut rig = connected(Version::V3_1_1);
    rig.feed(&hex::bytes("30 03 0000 78"));
    assert!(rig.closed().is_some());
    rig.sends_nothing();
    let mut rig = connected(Version::V5);
    rig.feed(&hex::bytes("30 04 0000 00 78"));
    assert!(rig.closed().is_some());
    rig.sends(&[disconnect(0x82)]);
}

/// As the first packet and later.
fn packets_of_servers_close() {
    for bad in ["20 03 00 00 00", "90 04 0001 00 00", "B0 04 0001 00 00", "D0 00"] {
        let mut rig = new(Version::V5);
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
        rig.sends_nothing();
        let mut rig = connected(Version::V5);
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
        rig.sends(&[disconnect(0x82)]);
    }
    for bad in ["20 02 00 00", "90 03 0001 00", "B0 02 0001", "D0 00"] {
        let mut rig = connected(Version::V3_1_1);
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
        rig.sends_nothing();
    }
}

fn senseless_limits_are_refused() {
    for properties in ["21 0000", "27 00000000", "16 0001 78"] {
        let mut rig = new(Version::V5);
        let connect = rig.wire.connect(true, 0, "c", properties);
        rig.feed(&connect);
        assert!(rig.closed().is_some(), "{properties}");
        rig.sends(&[rig.wire.connack(false, 0x82, "")]);
        assert!(rig.server.is_drained());
    }
    for (before, bad) in [("", true), ("11 00000000", true), ("11 00000001", false)] {
        let mut rig = new(Version::V5);
        rig.connect_with(true, 0, before);
        rig.accept(Accept::new());
        rig.sent();
        rig.feed(&hex::bytes("E0 07 00 05 11 00000009"));
        let closed = rig.closed();
        let is_refused = matches!(closed, Some(Closed::Violation(Violation::SessionExpiryFromZero, _)));
        assert_eq!(is_refused, bad, "{closed:?}");
        let farewell: Vec<_> = bad.then(|| disconnect(0x82)).into_iter().collect();
        rig.sends(&farewell);
    }
    methods_that_are_not_supported_are_refused();
}

/// One that the host does not know, and another one than that of CONNECT in the middle.
fn methods_that_are_not_supported_are_refused() {
    let refused = |rig: &mut ServerRig| {
        rig.sends(&[rig.wire.connack(false, 0x8C, "")]);
        assert!(rig.closed().is_some());
        assert!(rig.server.is_drained());
    };
    let mut rig = new(Version::V5);
    rig.connect(true, 0, "15 0001 4D");
    let (bad, properties) = (ConnAckReason::BadAuthenticationMethod, ConnAckProperties::empty());
    rig.server.refuse_client(rig.now, bad, properties).expect("it waits");
    refused(&mut rig);
    let mut rig = new(Version::V5);
    rig.connect(true, 0, "15 0001 4D");
    rig.server.authenticate(rig.now, None).expect("a method");
    rig.sent();
    rig.feed(&auth(0x18, "N", b"x"));
    refused(&mut rig);
}

/// A will `w` with payload `x`.
const WITH_WILL_5: &str = "10 15 0004 4D515454 05 06 0000 00 0001 63 00 0001 77 0001 78";
const WITH_WILL_3: &str = "10 13 0004 4D515454 04 06 0000 0001 63 0001 77 0001 78";

fn second_connect_closes() {
    for (version, connect) in [(Version::V5, WITH_WILL_5), (Version::V3_1_1, WITH_WILL_3)] {
        let connect = hex::bytes(connect);
        let mut rig = new(version);
        assert_eq!(rig.feed(&connect), 0);
        rig.told();
        rig.accept(Accept::new());
        rig.sent();
        rig.feed(&connect);
        let told = rig.told();
        let reason = Violation::SecondConnect.closed(version, Role::Client);
        assert!(
            matches!(&told[..], [ServerEvent::Closed { reason: its, will: Some(will), .. }] if *its == reason && will.topic == "w"),
            "{told:?}"
        );
        let farewell: Vec<_> = (version == Version::V5).then(|| disconnect(0x82)).into_iter().collect();
        rig.sends(&farewell);
    }
}

fn aliases_have_a_bound() {
    for maximum in [0, 1, 16] {
        let limits = Limits::default().aliases_accepted(maximum);
        let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
        for bad in [0, maximum + 1, 0xFFFF] {
            let mut rig = ServerRig::connected(config.clone(), Version::V5, "");
            let frame = rig.wire.publish(0, 0).properties(&format!("23 {bad:04X}")).bytes();
            rig.feed(&frame);
            assert!(rig.closed().is_some());
            rig.sends(&[disconnect(0x94)]);
        }
    }
}

/// Never defined, and defined on the connection before.
fn unknown_alias_closes() {
    let mut rig = connected(Version::V5);
    let define = rig.wire.publish(0, 0).properties("23 0001").bytes();
    let by_alias = rig.wire.publish(0, 0).topic("").properties("23 0001").bytes();
    rig.feed(&[define, by_alias.clone()].concat());
    assert_eq!(rig.messages(), ["x", "x"]);
    rig.resume("");
    rig.feed(&by_alias);
    assert!(matches!(
        rig.closed(),
        Some(Closed::Violation(Violation::TopicAliasUnknown, _))
    ));
    rig.sends(&[disconnect(0x82)]);
}

fn deepest_filter_is_a_filter() {
    let deepest = "/".repeat(65_535);
    for version in VERSIONS {
        let mut rig = connected(version);
        let frame = rig.wire.subscribe(1, &deepest, 1);
        rig.feed(&frame);
        assert!(matches!(rig.told()[..], [ServerEvent::Subscribe { .. }]));
        let frame = rig.wire.publish(0, 0).topic(&deepest).bytes();
        rig.feed(&frame);
        assert_eq!(rig.messages(), ["x"]);
    }
}

fn no_local_on_shared_closes() {
    let mut rig = connected(Version::V5);
    let bad = rig.wire.subscribe(1, "$share/g/t", 5);
    rig.feed(&bad);
    assert!(rig.closed().is_some());
    rig.sends(&[disconnect(0x82)]);
    for (filter, options) in [("$share/g/t", 1), ("t", 5)] {
        let mut rig = connected(Version::V5);
        let good = rig.wire.subscribe(1, filter, options);
        rig.feed(&good);
        rig.stays();
    }
}

/// Ten thousand times the same identifier, whose PUBREC is never answered: the state is that of one.
fn one_identifier_uses_one_place() {
    let limits = Limits::default().receive_maximum(2);
    let session = SessionConfig::default().limits(limits).hand_over(HandOver::Automatic);
    let mut rig = ServerRig::connected(ServerConfig::default().session(session), Version::V5, "");
    let wire = rig.wire;
    rig.feed(&wire.publish(2, 1).bytes());
    assert_eq!(rig.messages(), ["x"]);
    rig.sends(&[pubrec(1)]);
    let state = rig.server.fingerprint();
    for _ in 0..10_000 {
        rig.feed(&wire.publish(2, 1).dup().bytes());
        rig.sends(&[pubrec(1)]);
        assert_eq!(rig.server.fingerprint(), state);
    }
    assert_eq!(rig.messages(), [""; 0]);
    rig.feed(&wire.publish(2, 2).bytes());
    rig.stays();
    rig.feed(&wire.publish(2, 3).bytes());
    assert!(matches!(
        rig.closed(),
        Some(Closed::Violation(Violation::ReceiveMaximumExceeded, _))
    ));
}

fn repetitions_are_answered() {
    for version in VERSIONS {
        let mut rig = connected(version);
        let wire = rig.wire;
        rig.feed(&wire.publish(2, 1).bytes());
        assert_eq!(rig.messages(), ["x"]);
        rig.sends(&[pubrec(1)]);
        for _ in 0..10 {
            rig.feed(&wire.publish(2, 1).dup().bytes());
            rig.sends(&[pubrec(1)]);
        }
        assert_eq!(rig.messages(), [""; 0]);
        rig.feed(&pubrel(1));
        rig.sends(&[pubcomp(1)]);
        rig.stays();
    }
}

fn repetition_gets_pubrec_without_error() {
    let mut rig = connected(Version::V5);
    let wire = rig.wire;
    rig.feed(&wire.publish(2, 1).bytes());
    rig.told();
    rig.sends(&[pubrec(1)]);
    for _ in 0..3 {
        rig.resume("");
        rig.feed(&wire.publish(2, 1).dup().bytes());
        rig.sends(&[pubrec(1)]);
        assert_eq!(rig.messages(), [""; 0]);
    }
}

fn known_identifiers_survive() {
    for version in VERSIONS {
        let mut rig = connected(version);
        let wire = rig.wire;
        rig.feed(&[1, 2, 3].map(|id| wire.publish(2, id).bytes()).concat());
        assert_eq!(rig.messages().len(), 3);
        rig.sends(&[1, 2, 3].map(pubrec));
        rig.resume("");
        rig.feed(&[1, 2, 3].map(|id| wire.publish(2, id).dup().bytes()).concat());
        rig.feed(&wire.publish(2, 4).payload("new").bytes());
        assert_eq!(rig.messages(), ["new"]);
        rig.sends(&[1, 2, 3, 4].map(pubrec));
    }
}

fn pubrec_for_nothing_is_answered() {
    for version in VERSIONS {
        let mut rig = connected(version);
        rig.feed(&pubrec(77));
        let answer = if version == Version::V5 {
            coded(pubrel(77), 0x92)
        } else {
            pubrel(77)
        };
        rig.sends(&[answer]);
        rig.stays();
    }
}

/// At the Receive Maximum the connection goes on, and ends with one more, unless the configuration tolerates it.
fn more_open_messages_close() {
    for (maximum, tolerance) in [(1, 0), (2, 0), (20, 0), (2, 3)] {
        let limits = Limits::default().receive_maximum(maximum).receive_tolerance(tolerance);
        let session = SessionConfig::default().limits(limits).hand_over(HandOver::Manual);
        let mut rig = ServerRig::new(ServerConfig::default().session(session), Version::V5);
        rig.connect(true, 0, "");
        rig.accept(Accept::new());
        let sent = rig.sent();
        let announced = Outline::read(&sent[0], 5).and_then(|connack| connack.numbers("Receive Maximum").next());
        assert_eq!(
            announced,
            Some(usize::from(maximum)),
            "what is tolerated is not announced"
        );
        let all = maximum + tolerance;
        for id in 1..=all {
            let frame = rig.wire.publish(1 + u8::from(id % 2 == 0), id).bytes();
            rig.feed(&frame);
        }
        assert_eq!(rig.messages().len(), usize::from(all));
        rig.stays();
        let frame = rig.wire.publish(2, all + 1).bytes();
        rig.feed(&frame);
        assert!(matches!(
            rig.closed(),
            Some(Closed::Violation(Violation::ReceiveMaximumExceeded, _))
        ));
        rig.sends(&[disconnect(0x93)]);
    }
}

/// From the client: as large as announced, and one byte more. To the client: a message that was under way and is too large
/// for the next connection ends as if it had been delivered, and uses up neither its window nor an identifier.
fn sizes_are_of_whole_packets() {
    let limits = Limits::default().packet_bytes(100);
    let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
    // Type and length 2, topic 3, no properties 1.
    for (payload, fits) in [(94, true), (95, false)] {
        let mut rig = ServerRig::connected(config.clone(), Version::V5, "");
        let frame = rig.wire.publish(0, 0).payload("x".repeat(payload)).bytes();
        assert_eq!(frame.len(), payload + 6);
        rig.feed(&frame);
        if fits {
            assert_eq!(rig.messages().len(), 1);
            rig.sends_nothing();
        } else {
            assert!(rig.closed().is_some());
            rig.sends(&[disconnect(0x95)]);
        }
    }

    for qos in [1, 2] {
        let mut rig = connected(Version::V5);
        let wire = rig.wire;
        // With an identifier 8 bytes beside the payload.
        let (fits, too_large) = ("x".repeat(12), "x".repeat(13));
        rig.publish(qos, &too_large, 1);
        rig.publish(qos, &fits, 2);
        assert_eq!(rig.sent().len(), 2);
        rig.publish(qos, &too_large, 3);
        rig.resume("27 00000014 21 0001");
        let is_message = |frame: &Vec<u8>| frame[0] >> 4 == 3;
        let sent: Vec<Vec<u8>> = rig.sent().into_iter().filter(is_message).collect();
        assert_eq!(sent, [wire.publish(qos, 2).payload(fits).dup().bytes()]);
        assert_eq!(sent[0].len(), 20);
        // The identifier of what is not sent again is given back by a PUBREL that answers nothing.
        rig.watch.breaks.clear();
        let mut outcomes = rig.outcomes();
        for answer in if qos == 1 {
            vec![puback(2)]
        } else {
            vec![pubrec(2), pubcomp(2)]
        } {
            rig.feed(&answer);
            assert!(!rig.sent().iter().any(is_message));
        }
        outcomes.extend(rig.outcomes());
        assert!(
            matches!(
                outcomes[..],
                [
                    (1, Outcome::TooLarge { bytes: 21, limit: 20 }),
                    (2, Outcome::Acknowledged(_)),
                    (3, Outcome::TooLarge { bytes: 21, limit: 20 })
                ]
            ),
            "{outcomes:?}"
        );
        rig.stays();
    }
}
