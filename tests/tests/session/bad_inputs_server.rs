//! Known faults of MQTT software on bad input, as far as a server connection can have them.

use mqtt_session::proto::Version;
use mqtt_session::{Accept, Closed, HandOver, Limits, ServerConfig, ServerEvent, SessionConfig, Violation};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::VERSIONS;
use crate::server_rig::ServerRig;
use crate::wire::{coded, disconnect, pubcomp, pubrec, pubrel};

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
            "limits that make no sense are refused",
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
        assert_eq!(
            rig.closed(),
            Some(Closed::Violation(Violation::PacketBeforeConnect)),
            "{first:02X}"
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
        let is_refused = closed == Some(Closed::Violation(Violation::SessionExpiryFromZero));
        assert_eq!(is_refused, bad, "{closed:?}");
        let farewell: Vec<_> = bad.then(|| disconnect(0x82)).into_iter().collect();
        rig.sends(&farewell);
    }
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
        let reason = Closed::Violation(Violation::SecondConnect);
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
    assert_eq!(rig.closed(), Some(Closed::Violation(Violation::TopicAliasUnknown)));
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
    assert_eq!(rig.closed(), Some(Closed::Violation(Violation::ReceiveMaximumExceeded)));
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
