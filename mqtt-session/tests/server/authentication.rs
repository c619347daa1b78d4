//! Enhanced authentication, during the handshake and later.

use bytes::Bytes;
use mqtt_session::proto::{Auth, AuthProperties, AuthReason, Connect, Disconnect, DisconnectReason, Packet, Version};
use mqtt_session::{Accept, AuthenticateError, ServerConfig, ServerEvent, Timer};

use crate::rig::{NOTHING, Rig, asks, connect};

fn scram() -> Connect<Bytes> {
    let mut connect = connect(Version::V5);
    connect.properties = asks(|client| client.authentication_method("SCRAM").authentication_data("first"));
    connect
}

fn auth(reason: AuthReason, method: &str, data: &str) -> Packet<Bytes> {
    let properties = AuthProperties::builder()
        .authentication_method(method)
        .authentication_data(data)
        .build()
        .unwrap();
    Packet::Auth(Auth { reason, properties })
}

fn step(rig: &mut Rig, data: &str) {
    rig.feed(&auth(AuthReason::ContinueAuthentication, "SCRAM", data));
}

/// A connection whose client is to send the next step of the handshake.
fn asked_on() -> Rig {
    let mut rig = Rig::asked(ServerConfig::default(), scram());
    rig.server.authenticate(rig.now, Some(b"challenge")).unwrap();
    assert_eq!(rig.sent(), ["AUTH 0x18"]);
    rig
}

fn accepted() -> Rig {
    Rig::accepted_as(ServerConfig::default(), scram())
}

#[test]
fn the_handshake_takes_as_many_steps_as_it_takes() {
    let mut rig = asked_on();
    for data in ["second", "third"] {
        step(&mut rig, data);
        let [ServerEvent::Authenticate { reason, properties }] = &rig.events()[..] else {
            panic!()
        };
        assert_eq!(*reason, AuthReason::ContinueAuthentication);
        assert_eq!(properties.authentication_data().unwrap().as_bytes(), data.as_bytes());
        assert_eq!(rig.server.input_room(), 0, "it is the host's turn");
        assert_eq!(rig.next_timer(), Some((60, Timer::Handshake)), "the time for all of it");
        if data == "second" {
            rig.server.authenticate(rig.now, Some(b"x")).unwrap();
            assert_eq!(rig.sent_bytes(), b"\xF0\x0E\x18\x0C\x15\0\x05SCRAM\x16\0\x01x");
        }
    }
    rig.server.accept(rig.now, Accept::new()).unwrap();
    let [Packet::ConnAck(connack)] = &rig.sent_packets()[..] else {
        panic!()
    };
    assert_eq!(connack.properties.authentication_method().unwrap(), "SCRAM");
    assert!(rig.server.is_connected());
}

#[test]
fn connack_goes_behind_the_steps_before_it() {
    let mut rig = Rig::asked(ServerConfig::default(), scram());
    rig.server.authenticate(rig.now, None).unwrap();
    step(&mut rig, "second");
    rig.server.accept(rig.now, Accept::new()).unwrap();
    assert_eq!(rig.sent(), ["AUTH 0x18", "CONNACK"]);
}

#[test]
fn a_client_that_does_not_answer_a_step_is_left() {
    let mut rig = asked_on();
    assert_eq!(rig.next_timer(), Some((10, Timer::Handshake)));
    rig.advance(10);
    assert_eq!(rig.told(), ["closed TimedOut(Handshake)"]);
    assert_eq!(rig.sent(), NOTHING, "DISCONNECT may not come before CONNACK");
}

#[test]
fn only_auth_and_disconnect_may_come_between_the_steps() {
    let mut rig = asked_on();
    rig.feed_bytes(&[0x30]);
    assert_eq!(rig.told(), ["closed Violation(PacketWhileAuthenticating)"]);
    assert_eq!(rig.sent_bytes(), b"\x20\x03\0\x82\0");
    let mut rig = asked_on();
    rig.ping();
    assert_eq!(rig.told(), ["closed Violation(PacketWhileAuthenticating)"]);
    let mut rig = asked_on();
    rig.feed(&Packet::Connect(scram()));
    assert_eq!(rig.told(), ["closed Violation(SecondConnect)"]);
    let mut rig = asked_on();
    rig.feed(&Packet::Disconnect(Disconnect::new(DisconnectReason::UnspecifiedError)));
    assert_eq!(rig.told(), ["closed disconnected 0x80"]);
    assert_eq!(rig.sent_bytes(), b"");
}

#[test]
fn another_method_is_refused() {
    let mut rig = asked_on();
    rig.feed(&auth(AuthReason::ContinueAuthentication, "PLAIN", "x"));
    assert_eq!(rig.told(), ["closed Violation(OtherAuthenticationMethod)"]);
    assert_eq!(rig.sent_bytes(), b"\x20\x03\0\x8C\0");
}

#[test]
fn a_step_without_a_method_breaks_the_protocol() {
    let mut rig = asked_on();
    rig.feed_bytes(b"\xF0\x00");
    let [told] = &rig.told()[..] else { panic!() };
    assert!(told.starts_with("closed "), "{told}");
    let sent = rig.sent_bytes();
    assert!(
        matches!(sent[..], [0x20, 3, 0, 0x81..=0x8C, 0]),
        "a CONNACK that refuses: {sent:02x?}"
    );
}

#[test]
fn to_begin_anew_is_no_step_of_the_handshake() {
    let mut rig = asked_on();
    rig.feed(&auth(AuthReason::ReAuthenticate, "SCRAM", "x"));
    assert_eq!(rig.told(), ["closed Violation(UnexpectedAuth)"]);
    assert_eq!(rig.sent_bytes(), b"\x20\x03\0\x82\0");
}

#[test]
fn auth_without_a_method_in_connect_closes() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.feed(&auth(AuthReason::ReAuthenticate, "SCRAM", "x"));
    assert_eq!(rig.told(), ["closed Violation(UnexpectedAuth)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn mqtt_3_has_no_auth() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V3_1_1);
    rig.feed_bytes(b"\xF0\x00");
    let [told] = &rig.told()[..] else { panic!() };
    assert!(told.starts_with("closed malformed"), "{told}");
    assert_eq!(rig.sent_bytes(), b"");
}

#[test]
fn an_open_connection_is_authenticated_again_while_messages_flow() {
    let mut rig = accepted();
    rig.feed(&auth(AuthReason::ReAuthenticate, "SCRAM", "again"));
    assert_eq!(rig.told(), ["authenticate 0x19"]);
    rig.deliver(1, 3, "meanwhile");
    assert_eq!(rig.told(), ["message q1 s: meanwhile"]);
    rig.server.authenticate(rig.now, Some(b"y")).unwrap();
    assert_eq!(rig.sent(), ["AUTH 0x18", "PUBACK #3"]);
    step(&mut rig, "proof");
    assert_eq!(rig.told(), ["authenticate 0x18"]);
    rig.server.authenticated(rig.now, Some(b"z")).unwrap();
    assert_eq!(rig.sent_bytes(), b"\xF0\x0E\0\x0C\x15\0\x05SCRAM\x16\0\x01z");
    assert!(rig.server.is_connected());
    // And again.
    rig.feed(&auth(AuthReason::ReAuthenticate, "SCRAM", "again"));
    assert_eq!(rig.told(), ["authenticate 0x19"]);
    rig.server.authenticated(rig.now, None).unwrap();
    assert_eq!(rig.sent(), ["AUTH"]);
}

#[test]
fn a_step_out_of_turn_closes() {
    use AuthReason::{ContinueAuthentication, ReAuthenticate};
    // Nobody has asked for a step; the host's turn twice over; the client begins again in the middle.
    for (before, is_answered, wrong) in [
        (None, false, ContinueAuthentication),
        (Some(ReAuthenticate), false, ReAuthenticate),
        (Some(ReAuthenticate), false, ContinueAuthentication),
        (Some(ReAuthenticate), true, ReAuthenticate),
    ] {
        let mut rig = accepted();
        if let Some(reason) = before {
            rig.feed(&auth(reason, "SCRAM", "x"));
            rig.told();
        }
        if is_answered {
            rig.server.authenticate(rig.now, None).unwrap();
            rig.sent();
        }
        rig.feed(&auth(wrong, "SCRAM", "x"));
        assert_eq!(rig.told(), ["closed Violation(UnexpectedAuth)"], "{before:?} {wrong:?}");
        assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
    }
    let mut rig = accepted();
    rig.feed(&auth(ReAuthenticate, "PLAIN", "x"));
    assert_eq!(rig.told(), ["closed Violation(OtherAuthenticationMethod)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn a_client_that_fails_is_left_with_a_reason() {
    let mut rig = accepted();
    rig.feed(&auth(AuthReason::ReAuthenticate, "SCRAM", "again"));
    rig.told();
    rig.server
        .disconnect(rig.now, Disconnect::new(DisconnectReason::NotAuthorized));
    assert_eq!(rig.told(), ["closed by host 0x87"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x87"]);
}

#[test]
fn a_step_that_is_not_due_is_not_sent() {
    let not_asked = Err(AuthenticateError::NotAsked);
    let mut rig = Rig::new(ServerConfig::default());
    assert_eq!(rig.server.authenticate(rig.now, None), not_asked);
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    assert_eq!(rig.server.authenticate(rig.now, None), Err(AuthenticateError::NoMethod));
    assert_eq!(rig.server.authenticated(rig.now, None), not_asked, "accept says so");
    let mut rig = asked_on();
    assert_eq!(rig.server.authenticate(rig.now, None), not_asked);
    assert!(rig.server.accept(rig.now, Accept::new()).is_err());
    let mut rig = accepted();
    assert_eq!(rig.server.authenticate(rig.now, None), not_asked);
    assert_eq!(rig.server.authenticated(rig.now, None), not_asked);
    rig.feed(&auth(AuthReason::ReAuthenticate, "SCRAM", "again"));
    rig.server.authenticate(rig.now, None).unwrap();
    assert_eq!(rig.server.authenticate(rig.now, None), not_asked);
    assert_eq!(rig.server.authenticated(rig.now, None), not_asked);
    assert_eq!(rig.sent(), ["AUTH 0x18"]);
}

#[test]
fn a_step_that_the_client_cannot_take_is_not_sent() {
    let mut small = connect(Version::V5);
    small.properties = asks(|client| client.authentication_method("SCRAM").maximum_packet_size(40));
    let mut rig = Rig::asked(ServerConfig::default(), small);
    let large = rig.server.authenticate(rig.now, Some(&[7; 40]));
    assert!(matches!(large, Err(AuthenticateError::NotEncodable(_))), "{large:?}");
    rig.server.authenticate(rig.now, Some(&[7; 4])).unwrap();
    assert_eq!(rig.sent(), ["AUTH 0x18"]);
}
