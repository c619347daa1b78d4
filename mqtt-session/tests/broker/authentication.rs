//! Enhanced authentication: the broker passes its steps to the host and back, and decides nothing itself.

use bytes::Bytes;
use mqtt_session::proto::{
    Auth, AuthProperties, AuthReason, ConnAckProperties, ConnAckReason, Connect, ConnectProperties, Disconnect,
    DisconnectReason, Packet, Properties, PropertyId, SubscriptionOptions, Version,
};
use mqtt_session::{AcceptErrorKind, Ask, AuthenticateError, BrokerConfig, BrokerEvent, ConnectionId, Timer, Verdict};

use super::rig::{LASTING_SECONDS, NOTHING, Rig, config, lasting, qos, will};

fn asking() -> BrokerConfig {
    config().ask(Ask {
        connect: true,
        ..Ask::default()
    })
}

/// The CONNECT of a client that begins an authentication.
fn scram(name: &str) -> Connect<Bytes> {
    let properties = ConnectProperties::builder()
        .session_expiry(LASTING_SECONDS)
        .authentication_method("SCRAM")
        .authentication_data("first")
        .build();
    Connect {
        properties: properties.unwrap(),
        ..lasting(name, Version::V5)
    }
}

fn auth(reason: AuthReason, method: &str, data: &str) -> Packet<Bytes> {
    let properties = AuthProperties::builder()
        .authentication_method(method)
        .authentication_data(data)
        .build();
    Packet::Auth(Auth {
        reason,
        properties: properties.unwrap(),
    })
}

fn step(rig: &mut Rig, name: &str, data: &str) {
    rig.feed(name, &auth(AuthReason::ContinueAuthentication, "SCRAM", data));
}

fn again(rig: &mut Rig, name: &str) {
    rig.feed(name, &auth(AuthReason::ReAuthenticate, "SCRAM", "again"));
}

/// A client that has sent CONNECT, of which the host was asked.
fn asked(config: BrokerConfig, connect: Connect<Bytes>) -> Rig {
    let mut rig = Rig::new(config);
    let name = connect.client_id.clone();
    assert_eq!(rig.connect(connect), NOTHING);
    assert_eq!(rig.told(), [format!("connect {name}")]);
    rig
}

fn challenge(rig: &mut Rig, name: &str) {
    let id = rig.id(name);
    rig.broker.challenge(rig.now, id, Some(b"challenge")).unwrap();
    assert_eq!(rig.sent(name), ["AUTH 0x18"]);
}

/// One that the broker has asked for the next step.
fn challenged() -> Rig {
    let mut rig = asked(asking(), scram("c"));
    challenge(&mut rig, "c");
    rig
}

fn admit(rig: &mut Rig, name: &str) {
    let id = rig.id(name);
    rig.broker.admit(rig.now, id, ConnAckProperties::empty()).unwrap();
}

/// One that has proved who it is.
fn admitted() -> Rig {
    let mut rig = challenged();
    step(&mut rig, "c", "proof");
    assert_eq!(rig.told(), ["authenticate"]);
    admit(&mut rig, "c");
    assert_eq!(rig.sent("c"), ["CONNACK"]);
    rig
}

/// No answer to this connection is taken, and none changes anything.
fn is_over(rig: &mut Rig, id: ConnectionId) {
    let (none, before) = (ConnAckProperties::empty, rig.broker.figures());
    let (now, broker) = (rig.now, &mut rig.broker);
    assert_eq!(broker.challenge(now, id, None), Err(AuthenticateError::NotAsked));
    assert_eq!(broker.authenticated(now, id, None), Err(AuthenticateError::NotAsked));
    assert_eq!(broker.admit(now, id, none()), Err(AcceptErrorKind::NotAsked));
    let refused = broker.refuse(now, id, ConnAckReason::NotAuthorized, none());
    assert_eq!(refused, Err(AcceptErrorKind::NotAsked));
    assert_eq!(rig.broker.figures(), before);
    assert_eq!(rig.told(), NOTHING);
}

// ---- the handshake

#[test]
fn the_host_gets_every_step_and_the_client_every_answer() {
    let mut rig = asked(asking(), scram("c"));
    let id = rig.id("c");
    for data in ["second", "third", "fourth"] {
        assert_eq!(rig.broker.input_room(id), 0, "it is the host's turn");
        rig.broker.challenge(rig.now, id, Some(b"x")).unwrap();
        assert!(rig.broker.input_room(id) > 0, "it is the client's turn");
        assert_eq!(rig.sent("c"), ["AUTH 0x18"]);
        step(&mut rig, "c", data);
        let [
            BrokerEvent::Authenticate {
                connection,
                reason,
                properties,
            },
        ] = &rig.events()[..]
        else {
            panic!("the host is told of {data}");
        };
        assert_eq!((*connection, *reason), (id, AuthReason::ContinueAuthentication));
        assert_eq!(properties.authentication_method().unwrap(), "SCRAM");
        assert_eq!(properties.authentication_data().unwrap().as_bytes(), data.as_bytes());
        // Nobody is there until it has proved who it is.
        assert!(!rig.broker.has_session(b"c"));
        assert_eq!(rig.broker.client_id(id), None);
    }
    let proof = ConnAckProperties::builder()
        .authentication_data("server's proof")
        .build();
    rig.broker.admit(rig.now, id, proof.unwrap()).unwrap();
    let [Packet::ConnAck(connack)] = &rig.sent_packets("c")[..] else {
        panic!("it is let in");
    };
    assert_eq!(connack.properties.authentication_method().unwrap(), "SCRAM");
    let proof = connack.properties.authentication_data().unwrap();
    assert_eq!(proof.as_bytes(), b"server's proof");
    assert_eq!(rig.broker.client_id(id), Some(&b"c"[..]));
    is_over(&mut rig, id);
}

#[test]
fn a_client_that_fails_is_refused_and_nothing_of_it_is_left() {
    for reason in [ConnAckReason::NotAuthorized, ConnAckReason::BadAuthenticationMethod] {
        let mut rig = asked(
            asking().is_stored(true),
            Connect {
                will: will("gone", 0),
                ..scram("c")
            },
        );
        challenge(&mut rig, "c");
        step(&mut rig, "c", "wrong");
        assert_eq!(rig.told(), ["authenticate"]);
        let id = rig.id("c");
        rig.broker
            .refuse(rig.now, id, reason, ConnAckProperties::empty())
            .unwrap();
        assert_eq!(rig.sent("c"), [format!("CONNACK {:#04x}", reason.value())]);
        assert!(rig.broker.is_drained(id));
        is_over(&mut rig, id);
        let figures = rig.broker.figures();
        assert_eq!(
            (figures.connections, figures.sessions, figures.wills_published),
            (0, 0, 0)
        );
        assert!(rig.take().is_none(), "nothing is stored of it");
    }
}

#[test]
fn a_session_is_taken_over_when_the_proof_is_there_and_not_before() {
    let mut rig = admitted();
    let first = rig.id("c");
    rig.rename("c", "old");
    assert_eq!(rig.connect(scram("c")), NOTHING);
    assert_eq!(rig.told(), ["connect c"]);
    challenge(&mut rig, "c");
    step(&mut rig, "c", "proof");
    assert_eq!(rig.told(), ["authenticate"]);
    assert_eq!(rig.sent("old"), NOTHING);
    assert_eq!(rig.broker.connection_of(b"c"), Some(first));
    admit(&mut rig, "c");
    assert_eq!(rig.sent("old"), ["DISCONNECT 0x8e"]);
    assert_eq!(rig.sent("c"), ["CONNACK present"]);
    assert_eq!(rig.broker.figures().takeovers, 1);
}

#[test]
fn steps_that_were_not_taken_go_before_connack_also_when_that_waits_for_the_store() {
    let mut rig = asked(asking().is_stored(true), scram("c"));
    let id = rig.id("c");
    rig.broker.challenge(rig.now, id, None).unwrap();
    step(&mut rig, "c", "proof");
    assert_eq!(rig.told(), ["authenticate"]);
    admit(&mut rig, "c");
    let early = rig.sent("c");
    rig.commit();
    let late = rig.sent("c");
    assert_eq!([early, late].concat(), ["AUTH 0x18", "CONNACK"]);
}

#[test]
fn a_method_that_nobody_looks_at_is_refused() {
    let mut rig = Rig::new(config());
    assert_eq!(rig.connect(scram("c")), ["CONNACK 0x8c"]);
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.broker.figures().sessions, 0);
    rig.join(lasting("c", Version::V5));
}

#[test]
fn without_a_method_there_is_no_step() {
    let mut rig = asked(asking(), lasting("c", Version::V5));
    let id = rig.id("c");
    let none = rig.broker.challenge(rig.now, id, Some(b"x"));
    assert_eq!(none, Err(AuthenticateError::NoMethod));
    assert_eq!(rig.sent("c"), NOTHING);
    admit(&mut rig, "c");
    assert_eq!(rig.sent("c"), ["CONNACK"]);
    rig.feed("c", &auth(AuthReason::ReAuthenticate, "SCRAM", "x"));
    assert_eq!(rig.sent("c"), ["DISCONNECT 0x82"]);
    assert_eq!(rig.told(), NOTHING);
}

#[test]
fn another_method_or_none_ends_the_handshake() {
    let mut rig = challenged();
    rig.feed("c", &auth(AuthReason::ContinueAuthentication, "PLAIN", "x"));
    assert_eq!(rig.sent("c"), ["CONNACK 0x8c"]);
    let id = rig.id("c");
    is_over(&mut rig, id);
    let mut rig = challenged();
    rig.feed_bytes("c", b"\xF0\x00");
    let sent = rig.sent("c");
    assert!(matches!(&sent[..], [one] if one.starts_with("CONNACK 0x8")), "{sent:?}");
    let id = rig.id("c");
    is_over(&mut rig, id);
}

#[test]
fn nothing_but_auth_and_disconnect_may_come_between_the_steps() {
    let mut rig = challenged();
    rig.publish("c", "t", 1, "too early");
    assert_eq!(rig.sent("c"), ["CONNACK 0x82"]);
    assert_eq!(rig.broker.figures().messages_received, 0);
    let mut rig = challenged();
    rig.feed(
        "c",
        &Packet::Disconnect(Disconnect::new(DisconnectReason::UnspecifiedError)),
    );
    assert_eq!(rig.sent("c"), NOTHING);
    assert!(rig.broker.is_drained(rig.id("c")));
    assert_eq!(rig.broker.figures().connections, 0);
}

#[test]
fn mqtt_3_has_no_auth() {
    for version in [Version::V3_1_1, Version::V3_1] {
        let mut rig = asked(asking(), lasting("c", version));
        let id = rig.id("c");
        assert_eq!(
            rig.broker.challenge(rig.now, id, None),
            Err(AuthenticateError::NoMethod)
        );
        admit(&mut rig, "c");
        assert_eq!(rig.sent("c"), ["CONNACK"]);
        rig.events();
        rig.feed_bytes("c", b"\xF0\x00");
        assert_eq!(rig.sent("c"), NOTHING, "it cannot be told why");
        assert!(rig.broker.is_drained(id));
        assert_eq!(rig.told(), NOTHING, "the host is asked nothing");
        assert_eq!(rig.broker.figures().clients_connected, 0);
    }
}

#[test]
fn an_answer_that_cannot_be_given_changes_nothing() {
    let small = ConnectProperties::builder()
        .authentication_method("SCRAM")
        .maximum_packet_size(40);
    let mut rig = asked(
        asking(),
        Connect {
            properties: small.build().unwrap(),
            ..lasting("c", Version::V5)
        },
    );
    let id = rig.id("c");
    let large = rig.broker.challenge(rig.now, id, Some(&[7; 40]));
    assert!(matches!(large, Err(AuthenticateError::NotEncodable(_))), "{large:?}");
    let own = ConnAckProperties::builder()
        .authentication_method("PLAIN")
        .build()
        .unwrap();
    let refused = rig.broker.admit(rig.now, id, own);
    let method = AcceptErrorKind::PropertyNotAllowed(PropertyId::AuthenticationMethod);
    assert_eq!(refused, Err(method));
    assert_eq!(rig.sent("c"), NOTHING);
    challenge(&mut rig, "c");
    let twice = rig.broker.challenge(rig.now, id, None);
    assert_eq!(twice, Err(AuthenticateError::NotAsked), "it is the client's turn");
    assert_eq!(
        rig.broker.admit(rig.now, id, Properties::empty()),
        Err(AcceptErrorKind::NotAsked)
    );
    step(&mut rig, "c", "proof");
    admit(&mut rig, "c");
    assert_eq!(rig.sent("c"), ["CONNACK"]);
}

// ---- its deadline

#[test]
fn a_client_that_does_not_answer_a_step_in_time_is_left() {
    let mut rig = challenged();
    let id = rig.id("c");
    let due = rig.broker.poll_timeout().unwrap();
    assert_eq!(
        (due.timer, due.at.saturating_since(rig.now).as_secs()),
        (Timer::Handshake, 10)
    );
    rig.advance(9);
    step(&mut rig, "c", "second");
    assert_eq!(rig.told(), ["authenticate"]);
    challenge(&mut rig, "c");
    rig.advance(9);
    assert_eq!(rig.broker.figures().handshake_timeouts, 0, "each step has its own");
    rig.advance(1);
    assert_eq!(rig.sent("c"), NOTHING, "DISCONNECT may not come before CONNACK");
    assert!(rig.broker.is_drained(id));
    assert_eq!(rig.broker.figures().handshake_timeouts, 1);
    assert_eq!(rig.broker.figures().connections, 0);
    is_over(&mut rig, id);
}

#[test]
fn a_host_may_think_for_longer_than_a_client() {
    let mut rig = asked(asking(), scram("c"));
    rig.advance(30);
    challenge(&mut rig, "c");
    step(&mut rig, "c", "proof");
    assert_eq!(rig.told(), ["authenticate"]);
    rig.advance(29);
    admit(&mut rig, "c");
    assert_eq!(rig.sent("c"), ["CONNACK"]);
    rig.advance(1);
    assert_eq!(rig.broker.figures().handshake_timeouts, 0);
}

#[test]
fn a_host_that_says_nothing_holds_no_client() {
    // To its CONNECT, and to a step of its authentication.
    for is_begun in [false, true] {
        let mut rig = asked(asking(), scram("c"));
        let id = rig.id("c");
        rig.advance(9);
        if is_begun {
            challenge(&mut rig, "c");
            step(&mut rig, "c", "proof");
            assert_eq!(rig.told(), ["authenticate"]);
        }
        rig.advance(50);
        assert_eq!(rig.broker.figures().handshake_timeouts, 0);
        rig.advance(1);
        assert_eq!(rig.sent("c"), ["CONNACK 0x88"]);
        assert_eq!(rig.broker.figures().handshake_timeouts, 1);
        assert_eq!(rig.broker.figures().connections, 0);
        is_over(&mut rig, id);
    }
}

#[test]
fn steps_without_end_end_with_the_time_for_all_of_them() {
    let mut rig = asked(asking(), scram("c"));
    let id = rig.id("c");
    for second in 0..12 {
        assert_eq!(rig.broker.figures().handshake_timeouts, 0, "{second}");
        challenge(&mut rig, "c");
        rig.advance(5);
        if second < 11 {
            step(&mut rig, "c", "one more");
            assert_eq!(rig.told(), ["authenticate"]);
        }
    }
    assert_eq!(rig.broker.figures().handshake_timeouts, 1);
    assert_eq!(rig.sent("c"), NOTHING, "it was the client's turn");
    is_over(&mut rig, id);
}

// ---- answers that come too late

#[test]
fn an_answer_to_a_connection_that_has_ended_is_told_so() {
    // While the host was asked about CONNECT, about a step, and while the client was waited for.
    let mut rigs = [asked(asking(), scram("c")), challenged(), challenged()];
    step(&mut rigs[1], "c", "proof");
    assert_eq!(rigs[1].told(), ["authenticate"]);
    for mut rig in rigs {
        let early = rig.id("c");
        rig.cut("c");
        is_over(&mut rig, early);
        assert_eq!(rig.broker.figures().connections, 0);
        // The next connection has the same place and another name.
        assert_eq!(rig.connect(scram("c")), NOTHING);
        assert_eq!(rig.id("c").slot(), early.slot());
        assert_eq!(rig.told(), ["connect c"]);
        is_over(&mut rig, early);
        assert_eq!(rig.sent("c"), NOTHING, "the answer was for another one");
        admit(&mut rig, "c");
        assert_eq!(rig.sent("c"), ["CONNACK"]);
    }
}

#[test]
fn a_store_that_fails_ends_who_is_being_asked() {
    let mut rig = asked(asking().is_stored(true), scram("c"));
    challenge(&mut rig, "c");
    let id = rig.id("c");
    rig.broker.handle_store_failed(rig.now);
    assert_eq!(rig.told(), ["store failed"]);
    step(&mut rig, "c", "proof");
    is_over(&mut rig, id);
    assert!(!rig.broker.has_session(b"c"));
}

// ---- on an open connection

#[test]
fn an_open_connection_is_authenticated_again_while_messages_flow() {
    let mut rig = admitted();
    let id = rig.id("c");
    rig.subscribe("c", "t", 1);
    for round in 1..4 {
        again(&mut rig, "c");
        let [
            ..,
            BrokerEvent::Authenticate {
                connection,
                reason,
                properties,
            },
        ] = &rig.events()[..]
        else {
            panic!("the host is told in round {round}");
        };
        assert_eq!((*connection, *reason), (id, AuthReason::ReAuthenticate));
        assert_eq!(properties.authentication_data().unwrap().as_bytes(), b"again");
        rig.publish("c", "t", 1, "before");
        assert_eq!(rig.sent("c").len(), 2, "a PUBACK and a copy");
        challenge(&mut rig, "c");
        rig.publish("c", "t", 1, "between");
        assert_eq!(rig.sent("c").len(), 2, "a PUBACK and a copy");
        step(&mut rig, "c", "proof");
        assert_eq!(rig.told(), ["authenticate"]);
        rig.broker.authenticated(rig.now, id, Some(b"done")).unwrap();
        let [Packet::Auth(done)] = &rig.sent_packets("c")[..] else {
            panic!("it is told in round {round}");
        };
        assert_eq!(done.reason, AuthReason::Success);
        assert_eq!(done.properties.authentication_method().unwrap(), "SCRAM");
        assert_eq!(done.properties.authentication_data().unwrap().as_bytes(), b"done");
        is_over(&mut rig, id);
    }
    assert_eq!(rig.broker.figures().messages_published, 6);
    assert!(rig.broker.input_room(id) > 0);
}

#[test]
fn a_message_that_waits_for_the_host_does_not_hold_a_step_up() {
    let mut rig = asked(config().ask(Ask::EVERYTHING), scram("c"));
    admit(&mut rig, "c");
    assert_eq!(rig.sent("c"), ["CONNACK"]);
    rig.events();
    rig.subscribe_with("c", &[("t", SubscriptionOptions::new(qos(1)))], None);
    rig.publish("c", "t", 1, "m");
    again(&mut rig, "c");
    let events = rig.events();
    let questions: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            BrokerEvent::MayPublish { question, .. } | BrokerEvent::MaySubscribe { question, .. } => Some(*question),
            _ => None,
        })
        .collect();
    assert!(
        matches!(events.last(), Some(BrokerEvent::Authenticate { .. })),
        "{events:?}"
    );
    let id = rig.id("c");
    rig.broker.authenticated(rig.now, id, None).unwrap();
    assert_eq!(rig.sent("c"), ["AUTH"]);
    for question in questions {
        assert!(rig.broker.authorize(rig.now, question, Verdict::ALLOW));
    }
    assert_eq!(rig.sent("c"), ["SUBACK #9 0x01", "PUBACK #5", "PUBLISH q1 #1 t: m"]);
}

#[test]
fn a_client_that_fails_again_is_left_with_a_reason_and_its_will() {
    let mut rig = asked(
        asking(),
        Connect {
            will: will("gone", 0),
            ..scram("c")
        },
    );
    admit(&mut rig, "c");
    again(&mut rig, "c");
    assert_eq!(rig.told(), ["authenticate"]);
    let id = rig.id("c");
    let refused = rig
        .broker
        .refuse(rig.now, id, ConnAckReason::NotAuthorized, ConnAckProperties::empty());
    assert_eq!(
        refused,
        Err(AcceptErrorKind::NotAsked),
        "it is connected: it can only be disconnected"
    );
    let farewell = Disconnect::new(DisconnectReason::NotAuthorized);
    assert!(rig.broker.disconnect(rig.now, id, farewell));
    assert_eq!(rig.sent("c"), ["CONNACK", "DISCONNECT 0x87"]);
    assert_eq!(rig.broker.figures().wills_published, 1);
    is_over(&mut rig, id);
    assert!(rig.broker.has_session(b"c"));
}

#[test]
fn a_step_out_of_turn_or_by_another_method_closes() {
    use AuthReason::{ContinueAuthentication, ReAuthenticate};
    // Nobody has asked for a step; the host's turn twice over; the client begins again in the middle; another method.
    for (before, is_answered, wrong, method) in [
        (false, false, ContinueAuthentication, "SCRAM"),
        (true, false, ReAuthenticate, "SCRAM"),
        (true, true, ReAuthenticate, "SCRAM"),
        (false, false, ReAuthenticate, "PLAIN"),
        (true, true, ContinueAuthentication, "PLAIN"),
    ] {
        let mut rig = admitted();
        if before {
            again(&mut rig, "c");
            assert_eq!(rig.told(), ["authenticate"]);
        }
        if is_answered {
            challenge(&mut rig, "c");
        }
        rig.feed("c", &auth(wrong, method, "x"));
        assert_eq!(
            rig.sent("c"),
            ["DISCONNECT 0x82"],
            "{before} {is_answered} {wrong:?} {method}"
        );
        assert_eq!(rig.told(), NOTHING);
        let id = rig.id("c");
        is_over(&mut rig, id);
    }
}

#[test]
fn an_answer_to_a_connection_that_was_taken_over_is_told_so() {
    let mut rig = admitted();
    let old = rig.id("c");
    again(&mut rig, "c");
    assert_eq!(rig.told(), ["authenticate"]);
    rig.rename("c", "old");
    rig.connect(scram("c"));
    assert_eq!(rig.told(), ["connect c"]);
    admit(&mut rig, "c");
    assert_eq!(rig.sent("old"), ["DISCONNECT 0x8e"]);
    is_over(&mut rig, old);
    assert_eq!(rig.sent("c"), ["CONNACK present"]);
    // What was under way ended with the connection: the new one begins anew.
    step(&mut rig, "c", "proof");
    assert_eq!(rig.sent("c"), ["DISCONNECT 0x82"]);
}
