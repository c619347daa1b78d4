//! CONNECT and its answers.

use bytes::Bytes;
use mqtt_session::proto::{
    Binary, ConnAckReason, PayloadFormat, Properties, QoS, Role, Text, TopicName, Version, Will, WillProperties,
};
use mqtt_session::{CleanStart, Event, Timer, Violation};

use crate::restoring::restart;
use crate::rig::{Rig, VERSIONS, config, stored};

fn connect_bytes(version: Version) -> Vec<u8> {
    let mut rig = Rig::new(config().version(version));
    rig.client.handle_open(rig.now);
    rig.sent_bytes()
}

#[test]
fn connect_has_the_bytes_of_its_version() {
    let v5 = b"\x10\x1e\0\x04MQTT\x05\x02\0\x3c\x10\x11\0\0\x0e\x10\x21\0\x40\x27\0\x10\0\0\x22\0\x10\0\x01c";
    assert_eq!(connect_bytes(Version::V5), v5);
    assert_eq!(
        connect_bytes(Version::V3_1_1),
        b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c"
    );
    assert_eq!(
        connect_bytes(Version::V3_1),
        b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01c"
    );
}

fn text(text: &'static str) -> Text<Bytes> {
    Text::from_bytes(text.into()).unwrap()
}

fn binary(bytes: &'static [u8]) -> Binary<Bytes> {
    Binary::new(Bytes::from_static(bytes)).unwrap()
}

/// A will with everything that its version can say.
fn last_words(version: Version, qos: QoS, retain: bool) -> Will<Bytes> {
    let all = || {
        let builder = WillProperties::builder()
            .will_delay(5)
            .payload_format(PayloadFormat::Utf8);
        let builder = builder.message_expiry(6).content_type("c").response_topic("r");
        let builder = builder.correlation_data(b"d").user_property("k", "v");
        builder.build().unwrap()
    };
    Will {
        qos,
        retain,
        topic: TopicName::from_bytes("w/t".into()).unwrap(),
        payload: binary(b"gone"),
        properties: if version.has_properties() {
            all()
        } else {
            Properties::empty()
        },
    }
}

/// Field by field, in the order of the specification: each field that is configured goes out, and no other.
#[test]
fn connect_has_credentials_and_will() {
    const WILL_5: &[u8] =
        b"\x1f\x18\0\0\0\x05\x01\x01\x02\0\0\0\x06\x03\0\x01c\x08\0\x01r\x09\0\x01d\x26\0\x01k\0\x01v";
    const NAME_5: &[u8] = b"\0\x3c\x10\x11\0\0\x0e\x10\x21\0\x40\x27\0\x10\0\0\x22\0\x10\0\x01c";
    const NAME_3: &[u8] = b"\0\x3c\0\x01c";
    const WILL: &[u8] = b"\0\x03w/t\0\x04gone";
    const USER: &[u8] = b"\0\x04user";
    const PASSWORD: &[u8] = b"\0\x03p\0\xff";
    for (version, head, name, will_properties) in [
        (Version::V5, &b"\0\x04MQTT\x05"[..], NAME_5, WILL_5),
        (Version::V3_1_1, b"\0\x04MQTT\x04", NAME_3, b""),
        (Version::V3_1, b"\0\x06MQIsdp\x03", NAME_3, b""),
    ] {
        let will = |qos, retain| Some(last_words(version, qos, retain));
        let (user, password) = (|| Some(text("user")), || Some(binary(b"p\0\xff")));
        let (exactly, at_least, at_most) = (QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtMostOnce);
        for (flags, config, payload) in [
            (
                0xF6,
                config().username(user()).password(password()).will(will(exactly, true)),
                [will_properties, WILL, USER, PASSWORD],
            ),
            (
                0xC2,
                config().username(user()).password(password()),
                [b"", b"", USER, PASSWORD],
            ),
            (
                0x8E,
                config().username(user()).will(will(at_least, false)),
                [will_properties, WILL, USER, b""],
            ),
            (
                0x26,
                config().will(will(at_most, true)),
                [will_properties, WILL, b"", b""],
            ),
        ] {
            let mut rig = Rig::new(config.version(version));
            rig.client.handle_open(rig.now);
            let body = [head, &[flags], name, &payload.concat()].concat();
            let expected = [&[0x10, u8::try_from(body.len()).unwrap()], &body[..]].concat();
            assert_eq!(rig.sent_bytes(), expected, "{version}, flags {flags:02X}");
        }
    }
}

#[test]
fn a_session_in_memory_begins_clean_and_resumes_from_then_on() {
    for version in VERSIONS {
        let mut rig = Rig::new(config().version(version));
        assert_eq!(rig.open(), "CONNECT clean");
        rig.accept(false);
        rig.cut();
        assert_eq!(rig.fire_next(), Timer::Reconnect);
        assert_eq!(rig.open(), "CONNECT");
    }
}

#[test]
fn a_store_without_a_session_begins_anew_and_one_with_a_session_resumes() {
    for (version, choice) in VERSIONS
        .map(|version| (version, CleanStart::ByStore))
        .into_iter()
        .chain([(Version::V5, CleanStart::Never), (Version::V3_1_1, CleanStart::Never)])
    {
        let config = || stored().version(version).clean_start(choice);
        let anew = if choice == CleanStart::Never {
            "CONNECT"
        } else {
            "CONNECT clean"
        };
        let mut rig = Rig::new(config());
        // Written before the session: it says nothing about one.
        rig.publish(1, 7);
        rig.commit();
        let (mut rig, _) = restart(&rig, config(), &[]);
        assert_eq!(rig.open(), anew, "{version}");
        rig.accept(false);
        let (mut rig, _) = restart(&rig, config(), &[]);
        assert_eq!(rig.open(), anew, "the store has not heard of the session");
        rig.accept(false);
        rig.commit();
        let (mut rig, _) = restart(&rig, config(), &[]);
        // Before MQTT 5.0 a session that began anew has ended with its connection.
        let is_kept = version.has_properties() || choice == CleanStart::Never;
        assert_eq!(rig.open(), if is_kept { "CONNECT" } else { anew });
        // One whose connection has ended left nothing at either end, and the next life goes on with that.
        rig.accept(false);
        rig.client.handle_eof(rig.now);
        rig.commit();
        let (mut rig, _) = restart(&rig, config(), &[]);
        assert_eq!(rig.open(), "CONNECT", "{version}");
    }
}

#[test]
fn the_choice_of_clean_start_is_kept() {
    let mut rig = Rig::new(config().clean_start(CleanStart::Never));
    assert_eq!(rig.open(), "CONNECT");
    let mut rig = Rig::connected(config().clean_start(CleanStart::Always));
    rig.cut();
    rig.fire_next();
    assert_eq!(rig.open(), "CONNECT clean");
}

#[test]
fn an_attempt_that_was_not_answered_leaves_the_session_clean() {
    let mut rig = Rig::new(config());
    rig.open();
    rig.cut();
    assert_eq!(rig.told(), ["closed StreamEnded"]);
    rig.fire_next();
    assert_eq!(rig.open(), "CONNECT clean");
}

#[test]
fn a_session_that_was_not_asked_for_closes() {
    let mut rig = Rig::new(config());
    rig.open();
    rig.accept(true);
    let violation = Violation::SessionPresentWithoutSession;
    let [Event::Closed { reason, .. }] = &rig.events()[..] else {
        panic!()
    };
    assert_eq!(*reason, violation.closed(Version::V5, Role::Server));
    assert_eq!(violation.statement(Version::V5, Role::Server), "MQTT-3.2.2-4");
}

#[test]
fn a_refusal_that_stays_is_not_tried_again() {
    for version in VERSIONS {
        let mut rig = Rig::new(config().version(version));
        rig.open();
        rig.answer_connect(ConnAckReason::BadUserNameOrPassword);
        assert_eq!(rig.told(), ["closed refused 0x86, for good"]);
        assert!(rig.client.is_drained());
        rig.cut();
        assert_eq!(rig.client.poll_timeout(), None);
        assert_eq!(rig.told(), [""; 0]);
    }
}

/// A server of MQTT 3 answers in the form that it knows, which is no CONNACK of MQTT 5.0.
#[test]
fn a_server_that_speaks_mqtt_3_alone_refuses_the_version() {
    let mut rig = Rig::new(config());
    rig.open();
    rig.feed_bytes(&[0x20, 2, 0, 1]);
    assert_eq!(rig.told(), ["closed refused 0x84, for good"]);
    assert!(rig.client.is_drained());

    // Nothing else of that form is meant so.
    for other in [[0x20, 2, 0, 2], [0x20, 2, 1, 1]] {
        let mut rig = Rig::new(config());
        rig.open();
        rig.feed_bytes(&other);
        assert!(rig.told()[0].starts_with("closed malformed"), "{other:?}");
    }
}

#[test]
fn a_refusal_that_passes_is_tried_again() {
    let mut rig = Rig::new(config());
    rig.open();
    rig.answer_connect(ConnAckReason::ServerBusy);
    assert_eq!(rig.told(), ["closed refused 0x89"]);
    rig.cut();
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    assert_eq!(rig.told(), ["open"]);
    assert_eq!(rig.open(), "CONNECT clean");
}

#[test]
fn a_stream_that_could_not_be_opened_is_asked_for_again() {
    let mut rig = Rig::new(config());
    rig.client.handle_open_failed(rig.now, true);
    assert_eq!(rig.told(), ["closed NotOpened"]);
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    assert_eq!(rig.told(), ["open"]);
    rig.client.handle_open_failed(rig.now, false);
    assert_eq!(rig.told(), ["closed NotOpened, for good"]);
    assert_eq!(rig.client.poll_timeout(), None);
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let mut rig = Rig::new(config());
    rig.open();
    assert_eq!(rig.fire_next(), Timer::Handshake);
    assert_eq!(rig.told(), ["closed TimedOut(Handshake)"]);
    assert_eq!(rig.sent(), [""; 0]);
}

#[test]
fn another_packet_before_connack_closes() {
    let mut rig = Rig::new(config());
    rig.open();
    rig.deliver(0, 1, "early");
    assert_eq!(rig.told(), ["closed Violation(PacketBeforeConnAck)"]);
}

#[test]
fn a_second_connack_closes() {
    let mut rig = Rig::connected(config());
    rig.accept(false);
    assert_eq!(rig.told(), ["closed Violation(SecondConnAck)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn nothing_is_sent_or_read_before_connack() {
    let mut rig = Rig::new(config());
    rig.publish(1, 7);
    rig.open();
    assert_eq!(rig.sent(), [""; 0]);
    rig.accept(false);
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m7"]);
}
