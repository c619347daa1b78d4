//! A server on an open connection.

use core::time::Duration;

use mqtt_session::proto::{AckProperties, Disconnect, DisconnectReason, PubAckReason, Version};
use mqtt_session::{
    Accept, Closed, HandOver, Limits, Outcome, PublishError, ServerConfig, ServerEvent, SessionConfig, Timer,
};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::rig::{VERSIONS, message};
use crate::server_rig::ServerRig;
use crate::wire::{PINGREQ, PINGRESP, coded, disconnect, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("server::serving::{name}"), run);
    vec![
        trial("silence for one and a half keep-alives closes", silence_closes),
        trial("the keep-alive of the client counts", keep_alive_of_the_client_counts),
        trial("every PINGREQ is answered", every_pingreq_is_answered),
        trial("SUBACK has the identifier of SUBSCRIBE", suback_has_the_identifier),
        trial(
            "UNSUBACK goes even if nothing was deleted",
            unsuback_goes_even_if_nothing_was_deleted,
        ),
        trial("no packet is too large for the client", no_packet_is_too_large),
        trial(
            "no alias is above the maximum of the client",
            no_alias_is_above_the_maximum,
        ),
        trial("a client without aliases gets none", client_without_aliases_gets_none),
        trial("all aliases up to the maximum are accepted", all_aliases_are_accepted),
        trial("the window of the client is kept", window_of_the_client_is_kept),
        trial(
            "a full window holds back messages alone",
            full_window_holds_back_messages_alone,
        ),
        trial("words are kept from those who do not want them", words_are_kept_back),
        trial("nothing follows DISCONNECT", nothing_follows_disconnect),
        trial("the flows of both QoS", flows_of_both_qos),
        trial("identifiers are not used twice", identifiers_are_not_used_twice),
        trial("time takes nothing from an open session", time_takes_nothing),
        trial("another connection takes the session over", session_is_taken_over),
    ]
}

fn connected(version: Version, properties: &str) -> ServerRig {
    ServerRig::connected(ServerConfig::default(), version, properties)
}

fn with_keep_alive(config: ServerConfig, version: Version, seconds: u16) -> ServerRig {
    let mut rig = ServerRig::new(config, version);
    rig.connect(true, seconds, "");
    rig.accept(Accept::new());
    rig.sent();
    rig
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// Any packet begins the time anew; 0 turns it off.
fn silence_closes() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.1.2-22", "v311:MQTT-3.1.2-24"]) {
        let mut rig = with_keep_alive(ServerConfig::default(), version, 10);
        for packet in [PINGREQ.to_vec(), rig.wire.publish(0, 0).bytes(), puback(77)] {
            rig.advance(Duration::from_secs(15) - MILLISECOND);
            rig.stays();
            rig.feed(&packet);
        }
        rig.sent();
        rig.advance(Duration::from_secs(15) - MILLISECOND);
        rig.stays();
        rig.advance(MILLISECOND);
        assert_eq!(rig.closed(), Some(Closed::TimedOut(Timer::KeepAlive)));
        let farewell: Vec<_> = (version == Version::V5).then(|| disconnect(0x8D)).into_iter().collect();
        rig.sends(&farewell);
        assert!(rig.server.is_drained());
        let mut rig = with_keep_alive(ServerConfig::default(), version, 0);
        rig.advance(Duration::from_secs(1_000_000));
        rig.stays();
        covers(row);
    }
}

/// A server that announces none enforces what the client asked for, and no other.
fn keep_alive_of_the_client_counts() {
    for (seconds, allowed) in [(5, None), (100, Some(1000)), (1000, Some(1000))] {
        let config = ServerConfig::default().keep_alive_seconds_max(allowed);
        let mut rig = ServerRig::new(config, Version::V5);
        rig.connect(true, seconds, "");
        rig.accept(Accept::new());
        let sent = rig.sent();
        let connack = Outline::read(&sent[0], 5).expect("a CONNACK");
        assert!(!connack.has("Server Keep Alive"));
        let limit = Duration::from_millis(u64::from(seconds) * 1500);
        rig.advance(limit - MILLISECOND);
        rig.stays();
        rig.advance(MILLISECOND);
        assert_eq!(rig.closed(), Some(Closed::TimedOut(Timer::KeepAlive)));
    }
    covers("v5:MQTT-3.2.2-22");
    let mut shorter = with_keep_alive(
        ServerConfig::default().keep_alive_seconds_max(Some(10)),
        Version::V5,
        100,
    );
    shorter.advance(Duration::from_secs(15));
    assert_eq!(shorter.closed(), Some(Closed::TimedOut(Timer::KeepAlive)));
    covers("v5:MQTT-3.1.2-22");
}

fn every_pingreq_is_answered() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.12.4-1", "v311:MQTT-3.12.4-1"]) {
        let mut rig = connected(version, "");
        for count in [1, 1, 2, 100] {
            rig.feed(&PINGREQ.repeat(count));
            rig.sends(&vec![PINGRESP.to_vec(); count]);
        }
        covers(row);
    }
}

/// Answered in another order than asked.
fn suback_has_the_identifier() {
    for version in VERSIONS {
        let mut rig = connected(version, "");
        let wire = rig.wire;
        rig.feed(
            &[
                wire.subscribe(513, "a", 1),
                wire.subscribe(3, "b", 1),
                wire.unsubscribe(7, "c"),
            ]
            .concat(),
        );
        let mut told = rig.told();
        assert_eq!(told.len(), 3);
        rig.sends_nothing();
        told.reverse();
        rig.grant(told, &AckProperties::empty());
        rig.sends(&[wire.unsuback(7, &[0x11]), wire.suback(3, &[1]), wire.suback(513, &[1])]);
    }
    covers("v5:MQTT-3.8.4-2");
    covers("v5:MQTT-2.2.1-6");
    covers("v311:MQTT-3.8.4-2");
    covers("v311:MQTT-2.3.1-7");
}

fn unsuback_goes_even_if_nothing_was_deleted() {
    let mut rig = connected(Version::V5, "");
    let wire = rig.wire;
    rig.feed(&wire.unsubscribe(513, "never subscribed"));
    let told = rig.told();
    rig.grant(told, &AckProperties::empty());
    rig.sends(&[wire.unsuback(513, &[0x11])]);
    covers("v5:MQTT-3.10.4-5");
}

/// A message, an answer with words, and a farewell with words, each to the byte.
fn no_packet_is_too_large() {
    let mut rig = connected(Version::V5, "27 00000014");
    // Type and length 2, topic 3, no properties 1.
    let (fits, too_large) = ("x".repeat(14), "x".repeat(15));
    let refused = rig.server.publish(rig.now, message(0, &too_large), 1);
    assert_eq!(refused, Err(PublishError::TooLarge { bytes: 21, limit: 20 }));
    rig.publish(0, &fits, 2);
    assert_eq!(rig.sent()[0].len(), 20);
    rig.told();
    // SUBACK: 6 bytes, and 3 with the words.
    for (words, len) in [("x".repeat(11), 20), ("x".repeat(12), 6)] {
        let subscribe = rig.wire.subscribe(9, "s", 1);
        rig.feed(&subscribe);
        let told = rig.told();
        let properties = AckProperties::builder().reason_string(&words).build().expect("short");
        rig.grant(told, &properties);
        let sent = rig.sent();
        assert_eq!((sent.len(), sent[0].len()), (1, len));
    }
    let mut farewell = Disconnect::new(DisconnectReason::ServerBusy);
    farewell.properties = mqtt_session::proto::DisconnectProperties::builder()
        .reason_string("x".repeat(50))
        .build()
        .expect("short");
    rig.server.disconnect(rig.now, farewell);
    rig.sends(&[disconnect(0x89)]);
    covers("v5:MQTT-3.1.2-24");
    covers("RG-16");
}

fn about(topic: &str) -> mqtt_session::Message {
    mqtt_session::Message::new(topic.to_owned(), "x").expect("a topic")
}

fn aliases(rig: &mut ServerRig, topics: &[&str]) -> Vec<Option<usize>> {
    for topic in topics {
        rig.server.publish(rig.now, about(topic), 0).expect("there is room");
    }
    let sent = rig.sent();
    let alias = |frame: &Vec<u8>| Outline::read(frame, 5).and_then(|packet| packet.numbers("Topic Alias").next());
    sent.iter().map(alias).collect()
}

fn no_alias_is_above_the_maximum() {
    let topics = ["home/a", "home/b", "home/c", "home/a", "home/d", "home/b"];
    for maximum in [1, 2, 3] {
        let mut rig = connected(Version::V5, &format!("22 {maximum:04X}"));
        let used = aliases(&mut rig, &topics);
        assert!(
            used.iter().flatten().all(|alias| (1..=maximum).contains(alias)),
            "{used:?}"
        );
        assert!(used.iter().flatten().any(|alias| *alias == maximum), "{used:?}");
    }
    covers("v5:MQTT-3.1.2-26");
    covers("v5:MQTT-3.3.2-11");
}

fn client_without_aliases_gets_none() {
    for properties in ["", "22 0000"] {
        let mut rig = connected(Version::V5, properties);
        assert_eq!(aliases(&mut rig, &["home/a"; 5]), [None; 5]);
    }
    let mut with_one = connected(Version::V5, "22 0001");
    assert_eq!(aliases(&mut with_one, &["home/a"; 5]), [Some(1); 5]);
    covers("v5:MQTT-3.1.2-27");
}

fn all_aliases_are_accepted() {
    for maximum in [1, 16, 300] {
        let limits = Limits::default().aliases_accepted(maximum).events(1000);
        let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
        let mut rig = ServerRig::new(config, Version::V5);
        rig.connect(true, 0, "");
        rig.accept(Accept::new());
        let sent = rig.sent();
        let announced = Outline::read(&sent[0], 5).and_then(|connack| connack.numbers("Topic Alias Maximum").next());
        assert_eq!(announced, Some(usize::from(maximum)));
        for topic in ["t", ""] {
            for alias in 1..=maximum {
                let frame = rig.wire.publish(0, 0).topic(topic);
                assert_eq!(rig.feed(&frame.properties(&format!("23 {alias:04X}")).bytes()), 0);
            }
        }
        assert_eq!(rig.messages().len(), usize::from(maximum) * 2);
    }
    covers("v5:MQTT-3.3.2-12");
}

fn messages_in(sent: &[Vec<u8>]) -> usize {
    sent.iter().filter(|frame| frame[0] >> 4 == 3).count()
}

/// Each last answer gives back one.
fn window_of_the_client_is_kept() {
    for window in [1, 2, 20] {
        let mut rig = connected(Version::V5, &format!("21 {window:04X}"));
        for tag in 0..50 {
            rig.publish(2, "x", tag);
        }
        assert_eq!(messages_in(&rig.sent()), window);
        rig.feed(&pubrec(1));
        assert_eq!(messages_in(&rig.sent()), 0, "PUBREC gives back nothing");
        rig.feed(&pubcomp(1));
        assert_eq!(messages_in(&rig.sent()), 1);
        rig.resume("21 0001");
        assert_eq!(messages_in(&rig.sent()), 1, "the next connection has its own");
    }
    covers("v5:MQTT-3.3.4-9");
    covers("u5:U5-4.9-b");
}

fn full_window_holds_back_messages_alone() {
    let mut rig = connected(Version::V5, "21 0001");
    let wire = rig.wire;
    rig.publish(2, "x", 1);
    rig.publish(2, "held", 2);
    rig.sends(&[wire.publish(2, 1).bytes()]);
    rig.publish(0, "plain", 3);
    rig.sends(&[wire.publish(0, 0).payload("plain").bytes()]);
    rig.feed(&[PINGREQ.to_vec(), wire.subscribe(9, "s", 1), wire.unsubscribe(10, "u")].concat());
    let told = rig.told();
    rig.grant(told, &AckProperties::empty());
    rig.sends(&[PINGRESP.to_vec(), wire.suback(9, &[1]), wire.unsuback(10, &[0x11])]);
    rig.feed(&[wire.publish(1, 1).bytes(), wire.publish(2, 2).bytes()].concat());
    assert_eq!(rig.messages(), ["x", "x"]);
    rig.sends(&[puback(1), pubrec(2)]);
    rig.feed(&[pubrel(2), pubrec(1)].concat());
    let mut sent = rig.sent();
    sent.sort();
    assert_eq!(sent, [pubrel(1), pubcomp(2)]);
    let farewell = Disconnect::new(DisconnectReason::ServerBusy);
    rig.server.disconnect(rig.now, farewell);
    rig.sends(&[disconnect(0x89)]);
    covers("v5:MQTT-3.3.4-10");
    covers("v5:MQTT-4.9.0-3");
    covers("BI-077");
}

/// SUBACK and UNSUBACK with words; its neighbours want them, or say nothing.
fn words_are_kept_back() {
    let words = AckProperties::builder().reason_string("why").user_property("a", "b");
    let words = words.build().expect("short");
    for (properties, has_words) in [("17 00", false), ("17 01", true), ("", true)] {
        let mut rig = connected(Version::V5, properties);
        let wire = rig.wire;
        rig.feed(&[wire.subscribe(1, "s", 1), wire.unsubscribe(2, "u")].concat());
        let told = rig.told();
        rig.grant(told, &words);
        let sent = rig.sent();
        assert_eq!(sent.len(), 2);
        for frame in &sent {
            let answer = Outline::read(frame, 5).expect("an answer");
            assert_eq!(answer.has("Reason String"), has_words, "{properties}");
            assert_eq!(answer.has("User Property"), has_words, "{properties}");
        }
    }
    covers("v5:MQTT-3.1.2-29");
}

/// What is asked for after it, and what is under way, is not sent; the stream is closed.
fn nothing_follows_disconnect() {
    let mut rig = connected(Version::V5, "");
    rig.publish(1, "x", 1);
    let given = rig.wire.publish(1, 9).bytes();
    rig.feed(&[&given[..], PINGREQ].concat());
    rig.told();
    rig.server
        .disconnect(rig.now, Disconnect::new(DisconnectReason::AdministrativeAction));
    assert!(rig.server.publish(rig.now, message(0, "late"), 2).is_err());
    let sent = rig.sent();
    assert_eq!(sent.last(), Some(&disconnect(0x98)));
    rig.feed(PINGREQ);
    rig.advance(Duration::from_secs(100));
    rig.sends_nothing();
    covers("v5:MQTT-3.14.4-1");
    assert!(rig.server.is_drained());
    assert_eq!(
        rig.closed(),
        Some(Closed::ByHost(DisconnectReason::AdministrativeAction))
    );
    covers("v5:MQTT-3.14.4-2");
}

/// Both directions, both versions, with a repetition of each message.
fn flows_of_both_qos() {
    for version in VERSIONS {
        let mut rig = connected(version, "");
        let wire = rig.wire;
        rig.publish(1, "one", 1);
        rig.publish(2, "two", 2);
        let (one, two) = (wire.publish(1, 1).payload("one"), wire.publish(2, 2).payload("two"));
        rig.sends(&[one.clone().bytes(), two.clone().bytes()]);
        rig.resume("");
        rig.sends(&[one.dup().bytes(), two.dup().bytes()]);
        rig.feed(&[pubrec(2), puback(1)].concat());
        rig.sends(&[pubrel(2)]);
        rig.resume("");
        rig.sends(&[pubrel(2)]);
        rig.feed(&pubcomp(2));
        let done = Outcome::Acknowledged(PubAckReason::Success.into());
        assert!(matches!(&rig.told()[..], [ServerEvent::Completed { tag: 2, outcome, .. }] if *outcome == done));
        rig.feed(&wire.publish(2, 5).bytes());
        rig.feed(&wire.publish(2, 5).dup().bytes());
        assert_eq!(rig.messages(), ["x"]);
        rig.sends(&[pubrec(5)]);
        rig.feed(&pubrel(5));
        rig.sends(&[pubcomp(5)]);
        rig.feed(&wire.publish(2, 5).bytes());
        assert_eq!(rig.messages(), ["x"]);
        let unknown = if version == Version::V5 {
            coded(pubcomp(8), 0x92)
        } else {
            pubcomp(8)
        };
        rig.sent();
        rig.feed(&pubrel(8));
        rig.sends(&[unknown]);
        rig.stays();
    }
    covers("v5:MQTT-4.3.3-10");
    covers("v5:MQTT-4.3.3-11");
    covers("v311:MQTT-4.3.3-2");
    covers("v311:MQTT-4.4.0-1");
    covers("BI-071");
}

fn identifiers_are_not_used_twice() {
    let limits = Limits::default().packet_ids(3);
    let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-2.2.1-4", "v311:MQTT-2.3.1-4"]) {
        let mut rig = ServerRig::connected(config.clone(), version, "");
        for tag in 0..5 {
            rig.publish(2, "x", tag);
        }
        let wire = rig.wire;
        rig.sends(&[1, 2, 3].map(|id| wire.publish(2, id).bytes()));
        rig.feed(&pubrec(2));
        rig.sends(&[pubrel(2)]);
        rig.feed(&pubcomp(2));
        rig.sends(&[wire.publish(2, 2).bytes()]);
        covers(row);
    }
}

/// A session with an expiry of one second, over a week of open connection.
fn time_takes_nothing() {
    for version in VERSIONS {
        let properties = if version == Version::V5 { "11 00000001" } else { "" };
        let session = SessionConfig::default().hand_over(HandOver::Automatic);
        let mut rig = ServerRig::connected(ServerConfig::default().session(session), version, properties);
        let wire = rig.wire;
        rig.publish(1, "x", 1);
        rig.sent();
        rig.feed(&wire.publish(2, 5).bytes());
        assert_eq!(rig.messages(), ["x"]);
        rig.sends(&[pubrec(5)]);
        rig.advance(Duration::from_secs(7 * 24 * 3600));
        rig.stays();
        rig.feed(&wire.publish(2, 5).dup().bytes());
        assert_eq!(rig.messages(), [""; 0]);
        rig.sends(&[pubrec(5)]);
        rig.feed(&puback(1));
        assert!(matches!(rig.told()[..], [ServerEvent::Completed { tag: 1, .. }]));
    }
    covers("v5:MQTT-4.1.0-1");
    covers("v311:MQTT-4.1.0-1");
    covers("v311:MQTT-4.1.0-2");
    covers("BI-069");
}

/// The earlier connection ends without its peer, and the later one has everything.
fn session_is_taken_over() {
    let mut rig = connected(Version::V5, "");
    let wire = rig.wire;
    rig.publish(1, "x", 1);
    rig.sends(&[wire.publish(1, 1).bytes()]);
    rig.server
        .disconnect(rig.now, Disconnect::new(DisconnectReason::SessionTakenOver));
    rig.sends(&[hex::bytes("E0 01 8E")]);
    rig.told();
    let session = rig.next_stream().expect("a session");
    rig.connect(false, 0, "");
    rig.accept(Accept::new().session(session));
    let sent = rig.sent();
    assert_eq!(sent[0][..4], [0x20, sent[0][1], 1, 0]);
    assert_eq!(sent[1..], [wire.publish(1, 1).dup().bytes()]);
    covers("v5:MQTT-3.1.2-5");
}
