//! The end of a connection: who ends it, what becomes of the will and of the session.

use core::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{
    ConnectProperties, Disconnect, DisconnectProperties, DisconnectReason, Packet, Properties, Version,
};
use mqtt_session::{
    Accept, AcceptErrorKind, Batch, HandOver, Key, Limits, Message, Outcome, PublishError, QoS, RestoreReport,
    ServerConfig, Session, SessionEvent, SupplyError, Timer,
};

use crate::rig::{NOTHING, Rig, VERSIONS, asks, connect, id, message, stored, will, write_down};

/// Something that ends a connection.
type End = fn(&mut Rig);

/// A client with a will and a session of that many seconds.
fn willing(version: Version, seconds: u32) -> Rig {
    willing_in(ServerConfig::default(), version, seconds)
}

fn willing_in(config: ServerConfig, version: Version, seconds: u32) -> Rig {
    let mut client = connect(version);
    client.will = will();
    if version == Version::V5 {
        client.properties = asks(|client| client.session_expiry(seconds));
    }
    client.clean_start = seconds == 0;
    Rig::accepted_as(config, client)
}

fn farewell(reason: DisconnectReason, seconds: Option<u32>) -> Packet<Bytes> {
    let properties = seconds.map_or_else(Properties::empty, |seconds| {
        DisconnectProperties::builder().session_expiry(seconds).build().unwrap()
    });
    Packet::Disconnect(Disconnect { reason, properties })
}

#[test]
fn a_normal_farewell_drops_the_will_and_no_other_does() {
    use DisconnectReason as R;
    for (reason, has_will) in [
        (R::NormalDisconnection, false),
        (R::DisconnectWithWill, true),
        (R::UnspecifiedError, true),
        (R::AdministrativeAction, true),
    ] {
        let mut rig = willing(Version::V5, 0);
        rig.disconnect(reason);
        let will = if has_will { ", will" } else { "" };
        assert_eq!(
            rig.told(),
            [format!("closed disconnected {:#04x}{will}", reason.value())]
        );
        assert_eq!(rig.sent(), NOTHING);
        assert!(rig.server.is_drained());
    }
    for version in [Version::V3_1_1, Version::V3_1] {
        let mut rig = willing(version, 0);
        rig.disconnect(R::NormalDisconnection);
        assert_eq!(rig.told(), ["closed disconnected 0x00"]);
    }
}

#[test]
fn every_other_end_publishes_the_will() {
    let ends: [(&str, End); 6] = [
        ("StreamEnded", |rig| rig.server.handle_eof(rig.now)),
        ("TimedOut(KeepAlive)", |rig| rig.advance(90)),
        ("malformed 0x81", |rig| assert!(rig.feed_bytes(&[0xC1, 0]) > 0)),
        ("Violation(SecondConnect)", |rig| assert!(rig.feed_bytes(&[0x10]) > 0)),
        ("by host 0x98", |rig| {
            rig.server
                .disconnect(rig.now, Disconnect::new(DisconnectReason::AdministrativeAction));
        }),
        ("StoreFailed", |rig| rig.server.handle_store_failed(rig.now)),
    ];
    for (reason, end) in ends {
        for version in VERSIONS {
            let mut rig = willing(version, 0);
            end(&mut rig);
            assert_eq!(rig.told(), [format!("closed {reason}, will")], "{version:?}");
            assert!(!rig.server.is_connected());
        }
    }
}

#[test]
fn a_client_that_was_never_accepted_has_no_will() {
    let ends: [End; 3] = [
        |rig| rig.server.handle_eof(rig.now),
        |rig| rig.refuse_client(mqtt_session::proto::ConnAckReason::NotAuthorized),
        |rig| {
            rig.server
                .disconnect(rig.now, Disconnect::new(DisconnectReason::ServerBusy));
        },
    ];
    for end in ends {
        let mut client = connect(Version::V5);
        client.will = will();
        let mut rig = Rig::asked(ServerConfig::default(), client);
        end(&mut rig);
        let told = rig.told();
        assert!(told.len() == 1 && !told[0].contains("will"), "{told:?}");
    }
}

#[test]
fn an_invalid_farewell_leaves_the_will_armed() {
    let mut rig = willing(Version::V5, 0);
    rig.feed_bytes(&[0xE1, 0]);
    assert_eq!(rig.told(), ["closed malformed 0x81, will"]);
    let mut rig = willing(Version::V5, 0);
    rig.feed(&farewell(DisconnectReason::NormalDisconnection, Some(9)));
    assert_eq!(rig.told(), ["closed Violation(SessionExpiryFromZero), will"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn a_farewell_can_change_how_long_the_session_is_kept() {
    for (seconds, kept) in [(None, ", kept for 60"), (Some(0), ""), (Some(7), ", kept for 7")] {
        let mut rig = willing(Version::V5, 60);
        rig.feed(&farewell(DisconnectReason::NormalDisconnection, seconds));
        assert_eq!(rig.told(), [format!("closed disconnected 0x00{kept}")]);
    }
    let config = ServerConfig::default().session_expiry_seconds_max(Some(100));
    let mut rig = willing_in(config.clone(), Version::V5, 60);
    rig.feed(&farewell(DisconnectReason::NormalDisconnection, Some(1000)));
    assert_eq!(rig.told(), ["closed disconnected 0x00, kept for 100"]);
    // The value in force counts, not the one that was asked for.
    let mut rig = willing_in(config.session_expiry_seconds_max(Some(0)), Version::V5, 60);
    rig.feed(&farewell(DisconnectReason::NormalDisconnection, Some(5)));
    assert_eq!(rig.told(), ["closed Violation(SessionExpiryFromZero), will"]);
}

#[test]
fn the_host_says_why_to_who_can_hear_it() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        let words = DisconnectProperties::builder()
            .reason_string("bye")
            .server_reference("elsewhere")
            .build()
            .unwrap();
        let moved = Disconnect {
            reason: DisconnectReason::ServerMoved,
            properties: words,
        };
        rig.server.disconnect(rig.now, moved);
        let sent = rig.sent_packets();
        match version {
            Version::V5 => {
                let [Packet::Disconnect(farewell)] = &sent[..] else {
                    panic!()
                };
                assert_eq!(farewell.properties.server_reference().unwrap(), "elsewhere");
            }
            _ => assert_eq!(sent, []),
        }
        assert!(rig.server.is_drained());
    }
}

#[test]
fn words_that_do_not_fit_are_left_out_of_the_farewell() {
    let mut small = connect(Version::V5);
    small.properties = asks(|client| client.maximum_packet_size(20));
    let mut rig = Rig::accepted_as(ServerConfig::default(), small);
    let properties = DisconnectProperties::builder()
        .reason_string("x".repeat(20))
        // A server may not send it. [MQTT-3.14.2-2]
        .session_expiry(5)
        .build()
        .unwrap();
    let reason = DisconnectReason::ServerBusy;
    rig.server.disconnect(rig.now, Disconnect { reason, properties });
    assert_eq!(rig.sent_bytes(), b"\xE0\x01\x89");
}

#[test]
fn after_the_end_nothing_is_told_sent_or_taken() {
    let mut rig = willing(Version::V5, 60);
    let waiting = rig.publish(1, 1);
    rig.server.set_deadline(rig.now, waiting, rig.now);
    let expires = message(2, "x").expiry_seconds(5);
    rig.server.publish(rig.now, expires, 2).unwrap();
    rig.subscribe(7, &["a"]);
    rig.deliver(2, 4, "in");
    rig.server.handle_eof(rig.now);
    let told = rig.told();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2], "closed StreamEnded, will, kept for 60");
    assert!(rig.server.is_drained());
    assert_eq!(rig.feed_bytes(&[0xC0, 0]), 2, "bytes mean nothing");
    rig.deliver(0, 1, "late");
    rig.server.handle_eof(rig.now);
    rig.server.handle_store_failed(rig.now);
    rig.server
        .disconnect(rig.now, Disconnect::new(DisconnectReason::ServerBusy));
    assert_eq!(
        rig.server.publish(rig.now, message(0, "x"), 3),
        Err(PublishError::Closed)
    );
    assert_eq!(rig.server.supply(rig.now, waiting, 0, "x"), Err(SupplyError::NotWanted));
    assert!(rig.server.cancel(rig.now, waiting), "the session goes on");
    rig.advance(100);
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.sent_bytes(), b"");
    assert_eq!(rig.server.poll_timeout(), None);
    // The session has the rest to tell.
    let mut session = rig.server.take_session().unwrap();
    let told: Vec<_> = core::iter::from_fn(|| session.poll_event())
        .map(|event| crate::show::session_event(&event))
        .collect();
    assert_eq!(told, ["completed 1: Cancelled", "completed 2: Expired"]);
    assert!(rig.server.take_session().is_none());
    assert_eq!(rig.told(), NOTHING);
}

#[test]
fn a_session_cannot_be_taken_before_the_end() {
    let mut rig = Rig::new(ServerConfig::default());
    assert!(rig.server.take_session().is_none());
    rig.connect(connect(Version::V5));
    assert!(rig.server.take_session().is_none());
    rig.server.accept(rig.now, Accept::new()).unwrap();
    assert!(rig.server.take_session().is_none());
    rig.server.handle_eof(rig.now);
    assert!(rig.server.take_session().is_some());
}

#[test]
fn a_connack_that_nobody_has_taken_goes_before_the_farewell() {
    for version in VERSIONS {
        let mut rig = Rig::asked(ServerConfig::default(), connect(version));
        rig.server.accept(rig.now, Accept::new()).unwrap();
        rig.ping();
        rig.feed_bytes(&[0x10]);
        let mut expected = vec!["CONNACK", "PINGRESP"];
        if version == Version::V5 {
            expected.push("DISCONNECT 0x82");
        }
        assert_eq!(rig.sent(), expected);
    }
}

#[test]
fn a_connack_that_waits_for_the_store_is_never_sent_after_the_end() {
    let mut rig = Rig::asked(stored(), connect(Version::V5));
    rig.server.accept(rig.now, Accept::new()).unwrap();
    rig.ping();
    rig.feed_bytes(&[0x10]);
    assert_eq!(rig.told(), ["closed Violation(SecondConnect)"]);
    rig.commit();
    assert_eq!(rig.sent_bytes(), b"", "nothing goes before CONNACK");
    assert!(rig.server.is_drained());
}

#[test]
fn misuse_of_any_kind_changes_nothing() {
    let mut rig = Rig::new(ServerConfig::default());
    let other = {
        let mut other = Rig::accepted(ServerConfig::default(), Version::V5);
        other.publish(1, 1)
    };
    for phase in 0..3 {
        let before = (rig.server.fingerprint(), rig.server.poll_timeout());
        assert!(!rig.server.cancel(rig.now, other));
        assert!(!rig.server.set_deadline(rig.now, other, rig.now));
        assert!(rig.server.supply(rig.now, other, 0, "x").is_err());
        assert!(rig.server.fail_source(rig.now, other).is_err());
        assert!(rig.server.authenticated(rig.now, None).is_err());
        assert!(
            rig.server
                .acknowledge(rig.now, mqtt_session::DeliveryId::from_number(1))
                .is_err()
        );
        rig.server.handle_stored(rig.now, u64::MAX);
        assert_eq!((rig.server.fingerprint(), rig.server.poll_timeout()), before);
        match phase {
            0 => rig.connect(connect(Version::V5)),
            _ => {
                let _ = rig.server.accept(rig.now, Accept::new());
            }
        }
        rig.told();
    }
    assert_eq!(rig.sent(), ["CONNACK"]);
}

#[test]
fn zero_limits_are_no_panic() {
    let limits = Limits::default()
        .packet_bytes(0)
        .whole_packet_bytes(0)
        .connect_bytes(0)
        .receive_maximum(0)
        .send_maximum(0)
        .packet_ids(0)
        .queued_messages(0)
        .requests(0)
        .events(0)
        .replies(0)
        .reply_bytes(0)
        .batches(0)
        .chunk_bytes(0)
        .timers_per_call(0);
    let mut rig = Rig::new(crate::rig::limited(limits));
    rig.connect(connect(Version::V5));
    rig.advance(1000);
    rig.told();
    assert!(rig.server.is_drained() || rig.sent_bytes().len() < 10);
    let limits = limits.packet_bytes(1000).connect_bytes(1000);
    let mut rig = Rig::accepted(crate::rig::limited(limits), Version::V5);
    assert!(rig.server.publish(rig.now, message(1, "x"), 1).is_err());
    rig.deliver(1, 1, "x");
    rig.subscribe(id(2).get(), &["a"]);
    rig.told();
    rig.advance(1000);
}

#[test]
fn a_session_ends_when_it_has_outlived_its_connection_for_as_long_as_it_may() {
    for (seconds, lasts) in [(0, false), (10, true)] {
        let mut connect = connect(Version::V5);
        connect.properties = ConnectProperties::builder().session_expiry(seconds).build().unwrap();
        let mut rig = Rig::asked(ServerConfig::default(), connect.clone());
        rig.server.accept(rig.now, Accept::new()).unwrap();
        let message = Message::new("t", "m").unwrap().qos(QoS::AtLeastOnce);
        rig.server.publish(rig.now, message.clone(), 7).unwrap();
        rig.sent();
        rig.server.handle_eof(rig.now);
        while rig.server.poll_event().is_some() {}
        // The time until the host takes it counts.
        rig.server.handle_timeout(rig.now + Duration::from_secs(3));
        let mut session = rig.server.take_session().unwrap();
        assert_eq!(session.has_ended(), !lasts, "{seconds}");
        assert_eq!(session.ends_at(), lasts.then_some(rig.now + Duration::from_secs(10)));
        let later = rig.now + Duration::from_secs(10);
        if lasts {
            assert_eq!(session.poll_timeout().unwrap().timer, Timer::SessionExpiry);
            session.handle_timeout(rig.now + Duration::from_secs(9));
            assert!(!session.has_ended());
            session.handle_timeout(later);
        }
        assert!(session.has_ended() && session.poll_timeout().is_none());
        let told = session.poll_event();
        assert!(
            matches!(
                &told,
                Some(SessionEvent::Completed {
                    tag: 7,
                    outcome: Outcome::SessionLost,
                    ..
                })
            ),
            "{told:?}"
        );
        assert_eq!(session.publish(later, message, 8), Err(PublishError::Closed));
        let mut rig = Rig::asked(ServerConfig::default(), connect);
        let error = rig.server.accept(rig.now, Accept::new().session(session)).unwrap_err();
        assert_eq!(error.kind, AcceptErrorKind::SessionEnded);
        rig.server.accept(rig.now, Accept::new()).unwrap();
    }
}

#[test]
fn what_stands_in_the_inbox_outlives_its_session_and_is_told_after_a_restart() {
    let mut connect = connect(Version::V5);
    connect.properties = ConnectProperties::builder().session_expiry(0).build().unwrap();
    let mut config = stored();
    config.session.hand_over = HandOver::Inbox;
    let mut rig = Rig::asked(config.clone(), connect.clone());
    rig.server.accept(rig.now, Accept::new()).unwrap();
    rig.deliver(2, 1, "kept");
    rig.publish(1, 7);
    rig.commit();
    rig.server.handle_eof(rig.now);
    while rig.server.poll_event().is_some() {}
    let mut session = rig.server.take_session().unwrap();
    assert!(session.has_ended());
    let mut batch = Batch::new();
    while session.poll_store(&mut batch) {
        write_down(&mut rig.disk, &batch);
    }
    assert!(!rig.disk.contains_key(&Key::Session), "{:?}", rig.disk);

    let mut restore = Session::restore(&config.session, rig.now);
    rig.disk.values().for_each(|record| restore.record(record.clone()));
    let (mut session, report) = restore.finish();
    assert_eq!(report, RestoreReport::default());
    assert!(session.has_ended());
    let Some(SessionEvent::Message(received)) = session.poll_event() else {
        panic!("the message is told again");
    };
    assert!(received.redelivered);
    session.acknowledge(rig.now, received.delivery.unwrap()).unwrap();
    while session.poll_store(&mut batch) {
        write_down(&mut rig.disk, &batch);
    }
    assert!(rig.disk.is_empty(), "{:?}", rig.disk);
}

#[test]
fn messages_for_a_client_that_never_came_survive_a_restart() {
    let config = stored();
    let mut rig = Rig::asked(config.clone(), connect(Version::V5));
    let mut session = Session::new(&config.session, rig.now);
    session.publish(rig.now, message(1, "early"), 1).unwrap();
    let mut batch = Batch::new();
    while session.poll_store(&mut batch) {
        write_down(&mut rig.disk, &batch);
    }
    let mut restore = Session::restore(&config.session, rig.now);
    rig.disk.values().for_each(|record| restore.record(record.clone()));
    let (session, report) = restore.finish();
    assert_eq!(report.live.len(), 1);
    assert!(!session.has_ended());
    rig.server.accept(rig.now, Accept::new().session(session)).unwrap();
    rig.commit();
    assert_eq!(rig.sent(), ["CONNACK present", "PUBLISH q1 #1 t: early"]);
}
