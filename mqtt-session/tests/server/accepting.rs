//! The host's answer to CONNECT, and what it announces.

use bytes::Bytes;
use mqtt_session::proto::{
    ConnAck, ConnAckProperties, ConnAckReason, Connect, ConnectProperties, Packet, Properties, PropertyId, QoS, Version,
};
use mqtt_session::{Accept, AcceptErrorKind, Capabilities, Limits, ServerConfig, Session, SessionConfig, Timer};

use crate::rig::{NOTHING, Rig, VERSIONS, asks, connect, encoded, incoming, limited, text};

fn accept(config: ServerConfig, connect: Connect<Bytes>, accept: Accept) -> (Rig, ConnAck<Bytes>) {
    let mut rig = Rig::asked(config, connect);
    rig.server.accept(rig.now, accept).unwrap();
    let [Packet::ConnAck(connack)] = &rig.sent_packets()[..] else {
        panic!()
    };
    let connack = connack.clone();
    (rig, connack)
}

fn plain(config: ServerConfig, connect: Connect<Bytes>) -> (Rig, ConnAck<Bytes>) {
    accept(config, connect, Accept::new())
}

fn session() -> Session {
    Session::new(&SessionConfig::default(), mqtt_session::Instant::ZERO)
}

/// What the host may not do: nothing has changed after it.
fn refused(rig: &mut Rig, answer: Accept) -> AcceptErrorKind {
    let has_session = answer.session.is_some();
    let error = rig.server.accept(rig.now, answer).unwrap_err();
    assert_eq!(error.accept.session.is_some(), has_session, "it comes back");
    assert_eq!(error.to_string(), error.kind.to_string());
    assert_eq!(rig.sent_bytes(), b"");
    assert_eq!(rig.told(), NOTHING);
    error.kind
}

#[test]
fn connack_has_the_bytes_of_its_version() {
    for version in VERSIONS {
        let mut rig = Rig::asked(ServerConfig::default(), connect(version));
        assert!(!rig.server.is_connected());
        rig.server.accept(rig.now, Accept::new()).unwrap();
        assert!(rig.server.is_connected());
        let expected: &[u8] = match version {
            // Receive Maximum 64, Maximum Packet Size 1 MiB, Topic Alias Maximum 16.
            Version::V5 => b"\x20\x0E\0\0\x0B\x21\0\x40\x27\0\x10\0\0\x22\0\x10",
            _ => b"\x20\x02\0\0",
        };
        assert_eq!(rig.sent_bytes(), expected);
        assert_eq!(rig.sent_bytes(), b"");
    }
}

#[test]
fn session_present_says_whether_a_session_was_handed_in() {
    for version in VERSIONS {
        let mut rig = Rig::asked(ServerConfig::default(), connect(version));
        rig.server.accept(rig.now, Accept::from(session())).unwrap();
        let expected = match version {
            Version::V3_1 => "CONNACK",
            _ => "CONNACK present",
        };
        assert_eq!(rig.sent(), [expected]);
    }
}

#[test]
fn a_client_that_begins_anew_cannot_be_given_a_session() {
    for version in VERSIONS {
        let mut anew = connect(version);
        anew.clean_start = true;
        let mut rig = Rig::asked(ServerConfig::default(), anew);
        assert_eq!(refused(&mut rig, Accept::from(session())), AcceptErrorKind::CleanStart);
        rig.server.accept(rig.now, Accept::new()).unwrap();
        assert_eq!(rig.sent(), ["CONNACK"]);
    }
}

#[test]
fn a_client_without_a_name_is_told_the_one_it_got() {
    let mut nameless = connect(Version::V5);
    nameless.client_id = text("");
    let mut rig = Rig::asked(ServerConfig::default(), nameless);
    assert_eq!(refused(&mut rig, Accept::new()), AcceptErrorKind::NoClientId);
    let named = Accept::new().assigned_client_id(text("auto-1"));
    rig.server.accept(rig.now, named).unwrap();
    let [Packet::ConnAck(connack)] = &rig.sent_packets()[..] else {
        panic!()
    };
    assert_eq!(connack.properties.assigned_client_id().unwrap(), "auto-1");
    // MQTT 3.1.1 is not told.
    let mut nameless = connect(Version::V3_1_1);
    nameless.client_id = text("");
    nameless.clean_start = true;
    for answer in [Accept::new(), Accept::new().assigned_client_id(text("auto-1"))] {
        let (_, connack) = accept(ServerConfig::default(), nameless.clone(), answer);
        assert!(connack.properties.is_empty());
    }
}

#[test]
fn a_client_with_a_name_keeps_it() {
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    let renamed = Accept::new().assigned_client_id(text("other"));
    assert_eq!(refused(&mut rig, renamed), AcceptErrorKind::HasClientId);
}

#[test]
fn a_keep_alive_that_is_too_long_is_replaced() {
    let config = ServerConfig::default().keep_alive_seconds_max(Some(100));
    for (version, asked, told, deadline) in [
        (Version::V5, 60, None, 90),
        (Version::V5, 100, None, 150),
        (Version::V5, 101, Some(100), 150),
        (Version::V5, 0, Some(100), 150),
        (Version::V3_1_1, 101, None, 151),
        (Version::V3_1, 101, None, 151),
    ] {
        let mut client = connect(version);
        client.keep_alive = asked;
        let (rig, connack) = plain(config.clone(), client);
        assert_eq!(connack.properties.server_keep_alive(), told, "{version:?} {asked}");
        assert_eq!(rig.next_timer(), Some((deadline, Timer::KeepAlive)));
    }
}

#[test]
fn a_session_expiry_that_is_too_long_is_replaced() {
    let config = ServerConfig::default().session_expiry_seconds_max(Some(100));
    for (asked, told, kept) in [
        (0, None, ""),
        (100, None, ", kept for 100"),
        (101, Some(100), ", kept for 100"),
    ] {
        let mut client = connect(Version::V5);
        client.properties = asks(|client| client.session_expiry(asked));
        let (mut rig, connack) = plain(config.clone(), client);
        assert_eq!(connack.properties.session_expiry(), told);
        rig.server.handle_eof(rig.now);
        assert_eq!(rig.told(), [format!("closed StreamEnded{kept}")]);
    }
}

#[test]
fn mqtt_3_keeps_a_session_for_ever_or_not_at_all() {
    for version in [Version::V3_1_1, Version::V3_1] {
        for (clean_start, longest, kept) in [
            (true, None, ""),
            (false, None, ", kept for ever"),
            (false, Some(9), ", kept for 9"),
        ] {
            let mut client = connect(version);
            client.clean_start = clean_start;
            let config = ServerConfig::default().session_expiry_seconds_max(longest);
            let (mut rig, _) = plain(config, client);
            rig.server.handle_eof(rig.now);
            assert_eq!(rig.told(), [format!("closed StreamEnded{kept}")]);
        }
    }
}

#[test]
fn what_is_not_supported_is_announced_to_mqtt_5() {
    let mut none = Capabilities::default();
    none.maximum_qos = QoS::AtLeastOnce;
    none.retain = false;
    none.wildcards = false;
    none.shared = false;
    none.subscription_ids = false;
    let (_, connack) = plain(ServerConfig::default().capabilities(none), connect(Version::V5));
    let said = &connack.properties;
    assert_eq!(said.maximum_qos(), Some(QoS::AtLeastOnce));
    let flags = [
        said.retain_available(),
        said.wildcard_available(),
        said.shared_available(),
        said.subscription_ids_available(),
    ];
    assert_eq!(flags, [Some(false); 4]);
    let (_, connack) = plain(ServerConfig::default().capabilities(none), connect(Version::V3_1_1));
    assert!(connack.properties.is_empty());
}

#[test]
fn the_limits_are_announced() {
    let limits = Limits::default()
        .receive_maximum(3)
        .packet_bytes(999)
        .aliases_accepted(0);
    let (_, connack) = plain(limited(limits), connect(Version::V5));
    let said = &connack.properties;
    assert_eq!(said.receive_maximum().unwrap().get(), 3);
    assert_eq!(said.maximum_packet_size().unwrap().get(), 999);
    assert_eq!(said.topic_alias_maximum(), Some(0));
}

/// A client that asks for Response Information.
fn asking() -> Connect<Bytes> {
    let mut connect = connect(Version::V5);
    connect.properties = ConnectProperties::builder()
        .request_response_information(true)
        .build()
        .unwrap();
    connect
}

#[test]
fn the_host_can_say_more_but_not_what_the_machine_says() {
    let more = ConnAckProperties::builder()
        .response_information("answers/c")
        .reason_string("welcome")
        .user_property("a", "b")
        .build()
        .unwrap();
    let (_, connack) = accept(ServerConfig::default(), asking(), Accept::new().properties(more));
    assert_eq!(connack.properties.response_information().unwrap(), "answers/c");
    assert_eq!(connack.properties.reason_string().unwrap(), "welcome");
    assert_eq!(connack.properties.user_properties().count(), 1);
    let own = ConnAckProperties::builder().receive_maximum(1).build().unwrap();
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    assert_eq!(
        refused(&mut rig, Accept::new().properties(own)),
        AcceptErrorKind::PropertyNotAllowed(PropertyId::ReceiveMaximum)
    );
}

#[test]
fn words_that_do_not_fit_are_left_out() {
    let words = ConnAckProperties::builder()
        .reason_string("welcome".repeat(10))
        .user_property("a", "b")
        .build()
        .unwrap();
    let mut client = connect(Version::V5);
    client.properties = asks(|client| client.maximum_packet_size(30));
    let (_, connack) = accept(
        ServerConfig::default(),
        client.clone(),
        Accept::new().properties(words.clone()),
    );
    assert_eq!(connack.properties.reason_string(), None);
    assert_eq!(connack.properties.user_properties().count(), 1, "that fits");
    // What cannot be left out is an error of the host, who can still refuse.
    client.properties = asks(|client| client.maximum_packet_size(10));
    let mut rig = Rig::asked(ServerConfig::default(), client);
    let kind = refused(&mut rig, Accept::new().properties(words.clone()));
    assert!(matches!(kind, AcceptErrorKind::NotEncodable(_)), "{kind:?}");
    let answer = rig.server.refuse_client(rig.now, ConnAckReason::Banned, words);
    assert_eq!(answer, Ok(()));
    assert_eq!(rig.sent_bytes(), b"\x20\x03\0\x8A\0");
}

#[test]
fn mqtt_3_is_refused_with_the_nearest_return_code() {
    use ConnAckReason as R;
    for (reason, code) in [
        (R::NotAuthorized, Some(5)),
        (R::BadUserNameOrPassword, Some(4)),
        (R::ServerUnavailable, Some(3)),
        (R::ClientIdentifierNotValid, Some(2)),
        (R::UnsupportedProtocolVersion, Some(1)),
        (R::MalformedPacket, None),
    ] {
        for version in VERSIONS {
            let mut rig = Rig::asked(ServerConfig::default(), connect(version));
            rig.refuse_client(reason);
            let expected = match (version, code) {
                (Version::V5, _) => vec![0x20, 3, 0, reason.value(), 0],
                (_, Some(code)) => vec![0x20, 2, 0, code],
                (_, None) => vec![],
            };
            assert!(!rig.server.is_drained() || expected.is_empty());
            assert_eq!(rig.sent_bytes(), expected, "{version:?} {reason:?}");
            assert!(rig.server.is_drained());
            assert_eq!(rig.told(), [format!("closed refused {:#04x}", reason.value())]);
            assert!(rig.server.take_session().is_none());
        }
    }
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut rig = Rig::new(ServerConfig::default());
    assert_eq!(refused(&mut rig, Accept::from(session())), AcceptErrorKind::NotAsked);
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    assert_eq!(refused(&mut rig, Accept::from(session())), AcceptErrorKind::NotAsked);
    for reason in [ConnAckReason::Banned, ConnAckReason::Success] {
        let answer = rig.server.refuse_client(rig.now, reason, Properties::empty());
        assert_eq!(answer, Err(AcceptErrorKind::NotAsked));
    }
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    let answer = rig
        .server
        .refuse_client(rig.now, ConnAckReason::Success, Properties::empty());
    assert_eq!(answer, Err(AcceptErrorKind::NotAsked), "success refuses nobody");
    rig.server.accept(rig.now, Accept::new()).unwrap();
    assert_eq!(rig.sent(), ["CONNACK"]);
}

#[test]
fn packets_behind_connect_wait_for_the_answer() {
    for version in VERSIONS {
        let mut rig = Rig::new(ServerConfig::default());
        let mut bytes = encoded(&Packet::Connect(connect(version)), version);
        let connect_len = bytes.len();
        let message = incoming(mqtt_session::proto::Delivery::AtMostOnce, "early");
        bytes.extend(encoded(&message, version));
        rig.version = version;
        let left = rig.feed_bytes(&bytes);
        assert_eq!(left, bytes.len() - connect_len);
        assert_eq!(rig.told(), ["connect"]);
        rig.server.accept(rig.now, Accept::new()).unwrap();
        assert_eq!(rig.feed_bytes(&bytes[connect_len..]), 0);
        assert_eq!(rig.told(), ["message q0 s: early"]);
        assert_eq!(rig.sent(), ["CONNACK"]);
    }
}

#[test]
fn packets_behind_a_refused_connect_mean_nothing() {
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    rig.refuse_client(ConnAckReason::NotAuthorized);
    rig.deliver(0, 1, "early");
    assert_eq!(rig.told(), ["closed refused 0x87"]);
}
