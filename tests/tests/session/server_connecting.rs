//! A server at the begin of connections and sessions.

use core::time::Duration;

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Disconnect, DisconnectReason, QoS, Version};
use mqtt_session::{
    Accept, AcceptErrorKind, Capabilities, Closed, Outcome, PublishError, ServerConfig, ServerEvent, SessionConfig,
    SessionEvent, Timer,
};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::rig::{VERSIONS, message};
use crate::server_rig::{ServerRig, write_down};
use crate::wire::{disconnect, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("server::connecting::{name}"), run);
    vec![
        trial("CONNECT is accepted with 0", connect_is_accepted_with_0),
        trial("CONNACK goes before everything", connack_goes_before_everything),
        trial("CONNACK goes once", connack_goes_once),
        trial("Clean Start begins anew", clean_start_begins_anew),
        trial("a session goes on", session_goes_on),
        trial("without a session one begins", without_a_session_one_begins),
        trial("a refusal closes", refusal_closes),
        trial(
            "a refusal says that there is no session",
            refusal_says_that_there_is_no_session,
        ),
        trial(
            "after a refusal nothing is processed",
            after_a_refusal_nothing_is_processed,
        ),
        trial(
            "a reason that 3.1.1 lacks closes in silence",
            unlisted_reason_closes_in_silence,
        ),
        trial(
            "a client of 3.1.1 without name and clean session is refused",
            nameless_client_is_refused,
        ),
        trial("no CONNECT within a time closes", no_connect_within_a_time_closes),
        trial(
            "packets right after CONNECT wait for CONNACK",
            packets_after_connect_wait,
        ),
        trial("the Maximum QoS is announced", maximum_qos_is_announced),
        trial(
            "the session expiry of the server replaces that of the client",
            session_expiry_is_replaced,
        ),
        trial("a session ends when its expiry is over", session_ends_with_its_expiry),
        trial("no DISCONNECT before CONNACK", no_disconnect_before_connack),
    ]
}

fn outline(frame: &[u8], version: Version) -> Outline<'_> {
    Outline::read(frame, version.level()).expect("a packet")
}

fn new(version: Version) -> ServerRig {
    ServerRig::new(ServerConfig::default(), version)
}

/// Session Present and code of the CONNACK that is sent alone.
fn connack(rig: &mut ServerRig) -> (u8, u8) {
    let sent = rig.sent();
    assert_eq!(sent.len(), 1, "CONNACK alone: {sent:02X?}");
    assert_eq!(sent[0][0], 0x20);
    (sent[0][2], sent[0][3])
}

fn connect_is_accepted_with_0() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.1.4-5", "v311:MQTT-3.1.4-4"]) {
        let mut rig = new(version);
        rig.connect(true, 0, "");
        rig.sends_nothing();
        rig.accept(Accept::new());
        assert_eq!(connack(&mut rig), (0, 0));
        covers(row);
    }
}

/// The host has a message before, and the store takes its time.
fn connack_goes_before_everything() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.2.0-1", "v311:MQTT-3.2.0-1"]) {
        let session = SessionConfig::default().is_stored(true);
        let mut rig = ServerRig::new(ServerConfig::default().session(session), version);
        let early = rig.server.publish(rig.now, message(0, "early"), 1);
        assert_eq!(early, Err(PublishError::Closed));
        rig.connect(false, 0, "");
        let early = rig.server.publish(rig.now, message(0, "early"), 1);
        assert_eq!(early, Err(PublishError::Closed));
        rig.sends_nothing();
        rig.accept(Accept::new());
        rig.publish(0, "later", 2);
        rig.feed(&hex::bytes("C000"));
        rig.sends_nothing();
        rig.commit();
        let sent = rig.sent();
        assert_eq!(sent[0][0], 0x20, "{sent:02X?}");
        let mut rest: Vec<u8> = sent[1..].iter().map(|frame| frame[0]).collect();
        rest.sort_unstable();
        assert_eq!(rest, [0x30, 0xD0]);
        covers(row);
    }
}

fn connack_goes_once() {
    let mut rig = new(Version::V5);
    rig.connect(true, 0, "");
    rig.accept(Accept::new());
    assert_eq!(connack(&mut rig), (0, 0));
    let again = rig.server.accept(rig.now, Accept::new());
    assert_eq!(again.map_err(|error| error.kind), Err(AcceptErrorKind::NotAsked));
    let refusal = rig
        .server
        .refuse_client(rig.now, ConnAckReason::NotAuthorized, ConnAckProperties::empty());
    assert_eq!(refusal, Err(AcceptErrorKind::NotAsked));
    rig.feed(&hex::bytes("C000"));
    rig.sends(&[hex::bytes("D000")]);
    covers("v5:MQTT-3.2.0-2");
}

/// A session in which the client's QoS 2 message and one of the server are under way.
fn busy(version: Version) -> ServerRig {
    let mut rig = new(version);
    rig.connect(false, 0, if version == Version::V5 { "11 00000E10" } else { "" });
    rig.accept(Accept::new());
    rig.publish(1, "mine", 1);
    let publish = rig.wire.publish(1, 1).payload("mine").bytes();
    assert_eq!(rig.sent()[1..], [publish]);
    let given = rig.wire.publish(2, 7).payload("given").bytes();
    rig.feed(&given);
    assert_eq!(rig.messages(), ["given"]);
    rig.sends(&[pubrec(7)]);
    rig
}

/// The client asks to begin anew: an earlier session is not taken, and none of it shows.
fn clean_start_begins_anew() {
    for version in VERSIONS {
        let mut rig = busy(version);
        let session = rig.cut().expect("a session");
        rig.connect(true, 0, "");
        let error = rig.server.accept(rig.now, Accept::new().session(session));
        assert_eq!(error.map_err(|error| error.kind), Err(AcceptErrorKind::CleanStart));
        rig.sends_nothing();
        rig.accept(Accept::new());
        assert_eq!(connack(&mut rig), (0, 0));
        let given = rig.wire.publish(2, 7).payload("given anew").bytes();
        rig.feed(&given);
        assert_eq!(rig.messages(), ["given anew"]);
        rig.sends(&[pubrec(7)]);
    }
    covers("v5:MQTT-3.1.2-4");
    covers("v5:MQTT-3.1.4-4");
    covers("v5:MQTT-3.2.2-2");
    covers("v311:MQTT-3.1.2-6");
    covers("v311:MQTT-3.2.2-1");
}

/// Clean Start 0 and a session that is there.
fn session_goes_on() {
    for version in VERSIONS {
        let mut rig = busy(version);
        rig.resume("");
        let again = rig.wire.publish(1, 1).dup().payload("mine").bytes();
        rig.sends(&[again]);
        let given = rig.wire.publish(2, 7).dup().payload("given").bytes();
        rig.feed(&given);
        assert_eq!(rig.messages(), [""; 0], "it was handed over before");
        rig.sends(&[pubrec(7)]);
        rig.feed(&[pubrel(7), puback(1)].concat());
        assert!(matches!(rig.told()[..], [ServerEvent::Completed { tag: 1, .. }]));
        rig.sends(&[pubcomp(7)]);
    }
    covers("v5:MQTT-3.1.2-5");
    covers("v5:MQTT-3.2.2-3");
    covers("v311:MQTT-3.1.2-4");
    covers("v311:MQTT-3.1.4-3");
    covers("v311:MQTT-3.2.2-2");
}

/// Clean Start 0 and no session: one begins, which the next connection goes on with.
fn without_a_session_one_begins() {
    for version in VERSIONS {
        let mut rig = new(version);
        rig.connect(false, 0, "");
        rig.accept(Accept::new());
        assert_eq!(connack(&mut rig), (0, 0));
        rig.publish(1, "x", 1);
        rig.sends(&[rig.wire.publish(1, 1).bytes()]);
        rig.resume("");
        rig.sends(&[rig.wire.publish(1, 1).dup().bytes()]);
    }
    covers("v5:MQTT-3.1.2-6");
    covers("v5:MQTT-3.2.2-3");
    covers("v311:MQTT-3.2.2-3");
}

fn refuse(rig: &mut ServerRig, reason: ConnAckReason) {
    rig.server
        .refuse_client(rig.now, reason, ConnAckProperties::empty())
        .expect("the client waits");
}

/// Every refusing reason: the CONNACK, the event and nothing more.
fn refusal_closes() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.2.2-7", "v311:MQTT-3.2.2-5"]) {
        for reason in [
            ConnAckReason::NotAuthorized,
            ConnAckReason::BadUserNameOrPassword,
            ConnAckReason::ServerUnavailable,
            ConnAckReason::ClientIdentifierNotValid,
        ] {
            let mut rig = new(version);
            rig.connect(true, 0, "");
            refuse(&mut rig, reason);
            assert_eq!(rig.closed(), Some(Closed::RefusedByHost(reason)));
            let (present, code) = connack(&mut rig);
            let listed = match (version, reason) {
                (Version::V5, reason) => reason.value(),
                (_, ConnAckReason::ClientIdentifierNotValid) => 2,
                (_, ConnAckReason::ServerUnavailable) => 3,
                (_, ConnAckReason::BadUserNameOrPassword) => 4,
                _ => 5,
            };
            assert_eq!((present, code), (0, listed));
            assert!(rig.server.is_drained(), "the stream is closed");
        }
        covers(row);
    }
    covers("BI-044");
}

/// Also for a client that has a session.
fn refusal_says_that_there_is_no_session() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.2.2-6", "v311:MQTT-3.2.2-4"]) {
        let mut rig = busy(version);
        let _session = rig.cut().expect("a session");
        rig.connect(false, 0, "");
        refuse(&mut rig, ConnAckReason::NotAuthorized);
        assert_eq!(connack(&mut rig).0, 0);
        covers(row);
    }
}

/// Packets that came with CONNECT, and packets that come later.
fn after_a_refusal_nothing_is_processed() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.1.4-6", "v311:MQTT-3.1.4-5"]) {
        let mut rig = new(version);
        let wire = rig.wire;
        let more = [
            wire.publish(1, 1).bytes(),
            wire.subscribe(2, "s", 1),
            hex::bytes("C000"),
        ]
        .concat();
        let left = rig.feed(&[wire.connect(true, 0, "c", ""), more.clone()].concat());
        assert_eq!(left, more.len(), "nothing is read until the host has answered");
        rig.told();
        refuse(&mut rig, ConnAckReason::NotAuthorized);
        assert!(matches!(rig.told()[..], [ServerEvent::Closed { .. }]));
        connack(&mut rig);
        assert_eq!(rig.feed(&more), more.len());
        assert_eq!(rig.told(), []);
        rig.sends_nothing();
        covers(row);
    }
}

fn unlisted_reason_closes_in_silence() {
    for reason in [
        ConnAckReason::TopicNameInvalid,
        ConnAckReason::PayloadFormatInvalid,
        ConnAckReason::RetainNotSupported,
        ConnAckReason::QoSNotSupported,
    ] {
        let mut rig = new(Version::V3_1_1);
        rig.connect(true, 0, "");
        refuse(&mut rig, reason);
        assert_eq!(rig.closed(), Some(Closed::RefusedByHost(reason)));
        rig.sends_nothing();
        assert!(rig.server.is_drained());
    }
    covers("v311:MQTT-3.2.2-6");
}

/// Its neighbour with clean session is asked about; the host is never asked about this one.
fn nameless_client_is_refused() {
    let mut rig = new(Version::V3_1_1);
    let wire = rig.wire;
    rig.feed(&wire.connect(false, 0, "", ""));
    let closed = rig.closed();
    let named = crate::refusal::statement(closed.as_ref());
    assert_eq!(named.as_deref(), Some("v311:MQTT-3.1.3-8"), "{closed:?}");
    rig.sends(&[hex::bytes("20 02 00 02")]);
    assert!(rig.server.is_drained());
    let mut rig = new(Version::V3_1_1);
    rig.feed(&wire.connect(true, 0, "", ""));
    assert!(matches!(rig.told()[..], [ServerEvent::Connect(_)]));
    rig.accept(Accept::new());
    assert_eq!(connack(&mut rig), (0, 0));
    covers("v311:MQTT-3.1.3-8");
    covers("BI-044");
}

/// Nothing at all, and a part of CONNECT; its neighbour comes in time.
fn no_connect_within_a_time_closes() {
    let config = ServerConfig::default();
    let limit = config.session.limits.handshake_timeout;
    for part in [0, 1, 9] {
        let mut rig = new(Version::V5);
        let connect = rig.wire.connect(true, 0, "c", "");
        rig.feed(&connect[..part]);
        rig.advance(limit - Duration::from_millis(1));
        rig.stays();
        rig.advance(Duration::from_millis(1));
        assert_eq!(rig.closed(), Some(Closed::TimedOut(Timer::Handshake)));
        rig.sends_nothing();
        assert!(rig.server.is_drained());
    }
    let mut rig = new(Version::V5);
    rig.advance(limit - Duration::from_millis(1));
    rig.connect(true, 0, "");
    let in_all = ServerConfig::default().session.limits.admission_timeout;
    rig.advance(in_all - limit);
    rig.accept(Accept::new());
    rig.stays();
    covers("u5:U5-3.1.4-a");
}

fn packets_after_connect_wait() {
    for version in VERSIONS {
        let mut rig = new(version);
        let wire = rig.wire;
        let more = [
            wire.publish(1, 1).bytes(),
            wire.subscribe(2, "s", 1),
            hex::bytes("C000"),
        ]
        .concat();
        let left = rig.feed(&[wire.connect(true, 0, "c", ""), more.clone()].concat());
        assert_eq!(left, more.len());
        assert!(matches!(rig.told()[..], [ServerEvent::Connect(_)]));
        rig.accept(Accept::new());
        assert_eq!(rig.feed(&more), 0);
        let told = rig.told();
        assert!(matches!(
            told[..],
            [ServerEvent::Message(_), ServerEvent::Subscribe { .. }]
        ));
        rig.grant(told, &mqtt_session::proto::AckProperties::empty());
        let sent = rig.sent();
        assert_eq!(sent[0][0], 0x20, "{sent:02X?}");
        assert_eq!(sent.len(), 4);
    }
    covers("u5:U5-3.1.4-b");
}

fn maximum_qos_is_announced() {
    for (maximum, announced) in [
        (QoS::AtMostOnce, Some(0)),
        (QoS::AtLeastOnce, Some(1)),
        (QoS::ExactlyOnce, None),
    ] {
        let mut capabilities = Capabilities::default();
        capabilities.maximum_qos = maximum;
        let mut rig = ServerRig::new(ServerConfig::default().capabilities(capabilities), Version::V5);
        rig.connect(true, 0, "");
        rig.accept(Accept::new());
        let sent = rig.sent();
        assert_eq!(outline(&sent[0], Version::V5).numbers("Maximum QoS").next(), announced);
    }
    covers("v5:MQTT-3.2.2-9");
}

fn session_expiry_is_replaced() {
    for (asked, told, kept) in [
        ("11 00000064", Some(60), 60),
        ("11 FFFFFFFF", Some(60), 60),
        ("11 0000003C", None, 60),
        ("11 0000000A", None, 10),
        ("", None, 0),
    ] {
        let config = ServerConfig::default().session_expiry_seconds_max(Some(60));
        let mut rig = ServerRig::new(config, Version::V5);
        rig.connect_with(true, 0, asked);
        rig.accept(Accept::new());
        let sent = rig.sent();
        let said = outline(&sent[0], Version::V5).numbers("Session Expiry Interval").next();
        assert_eq!(said, told, "{asked}");
        rig.server.handle_eof(rig.now);
        let ended = rig.told();
        assert!(
            matches!(ended[..], [ServerEvent::Closed { session_expiry_seconds, .. }] if session_expiry_seconds == kept),
            "{asked}: {ended:?}"
        );
    }
    covers("u5:U5-3.2.2-h");
}

/// The state of a session goes, and no later CONNACK says that it is there. Before that it does.
fn session_ends_with_its_expiry() {
    let config = || ServerConfig::default().session(SessionConfig::default().is_stored(true));
    for (expiry, waits, is_over) in [
        (0, 0, true),
        (10, 9, false),
        (10, 10, true),
        (u32::MAX, 1_000_000, false),
    ] {
        let mut rig = ServerRig::new(config(), Version::V5);
        rig.connect(false, 0, &format!("11 {expiry:08X}"));
        rig.accept(Accept::new());
        rig.publish(2, "x", 7);
        rig.commit();
        assert_eq!(rig.sent().len(), 2);
        let mut session = rig.cut().expect("a session");
        rig.now = rig.now + Duration::from_secs(waits);
        session.handle_timeout(rig.now);
        assert_eq!(session.has_ended(), is_over, "{expiry} after {waits}");
        let told: Vec<_> = core::iter::from_fn(|| session.poll_event()).collect();
        let lost = |event: &SessionEvent| {
            matches!(
                event,
                SessionEvent::Completed {
                    tag: 7,
                    outcome: Outcome::SessionLost,
                    ..
                }
            )
        };
        assert_eq!(
            (told.len(), told.iter().all(lost)),
            (usize::from(is_over), true),
            "{told:?}"
        );
        write_down(&mut rig.disk, |batch| session.poll_store(batch));
        assert_eq!(rig.disk.is_empty(), is_over, "{:?}", rig.disk);
        rig.connect(false, 0, "");
        if is_over {
            let accept = Accept::new().session(session);
            let refused = rig.server.accept(rig.now, accept).map_err(|error| error.kind);
            assert_eq!(refused, Err(AcceptErrorKind::SessionEnded));
            rig.accept(Accept::new());
            rig.commit();
            assert_eq!(connack(&mut rig), (0, 0));
        } else {
            rig.accept(Accept::new().session(session));
            rig.commit();
            let sent = rig.sent();
            assert_eq!((sent.len(), sent[0][2]), (2, 1), "{sent:02X?}");
        }
    }
    covers("v5:MQTT-4.1.0-2");
}

/// Before CONNECT, before the answer to it, and while CONNACK waits for the store; its neighbour is after CONNACK.
fn no_disconnect_before_connack() {
    let session = SessionConfig::default().is_stored(true);
    for step in 0..4 {
        let mut rig = ServerRig::new(ServerConfig::default().session(session), Version::V5);
        if step > 0 {
            rig.connect(true, 0, "");
        }
        if step > 1 {
            rig.accept(Accept::new());
            rig.sends_nothing();
        }
        if step > 2 {
            rig.commit();
            assert_eq!(connack(&mut rig), (0, 0));
        }
        let farewell = Disconnect::new(DisconnectReason::ServerShuttingDown);
        rig.server.disconnect(rig.now, farewell);
        assert_eq!(rig.closed(), Some(Closed::ByHost(DisconnectReason::ServerShuttingDown)));
        let expected: Vec<_> = (step > 2).then(|| disconnect(0x8B)).into_iter().collect();
        rig.sends(&expected);
        assert!(rig.server.is_drained());
    }
    covers("v5:MQTT-3.14.0-1");
}
