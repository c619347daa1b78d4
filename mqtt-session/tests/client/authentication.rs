//! Enhanced authentication.

use bytes::{Buf, Bytes};
use mqtt_session::proto::{Auth, AuthProperties, AuthReason, Binary, Packet, Text, Version};
use mqtt_session::{AuthenticateError, Authentication, ClientConfig, Event};

use crate::rig::{Rig, config, said};

fn method(name: &'static str) -> Option<Authentication> {
    Some(Authentication {
        method: Text::from_bytes(Bytes::from_static(name.as_bytes())).unwrap(),
        data: None,
    })
}

fn scram() -> ClientConfig {
    config().authentication(method("SCRAM"))
}

fn auth(reason: AuthReason, method: &str, data: &str) -> Packet<Bytes> {
    let properties = AuthProperties::builder()
        .authentication_method(method)
        .authentication_data(data)
        .build()
        .unwrap();
    Packet::Auth(Auth { reason, properties })
}

fn asked(rig: &mut Rig) -> (AuthReason, String) {
    loop {
        match rig.client.poll_event().expect("there is an event") {
            Event::Authenticate { reason, properties } => {
                let data = properties.authentication_data().unwrap().as_bytes().to_vec();
                return (reason, String::from_utf8(data).unwrap());
            }
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The bytes that the client wants to send.
fn bytes(rig: &mut Rig) -> Vec<u8> {
    let mut outbox = mqtt_session::Outbox::default();
    rig.client.poll_transmit(&mut outbox);
    let len = outbox.len();
    outbox.copy_to_bytes(len).to_vec()
}

#[test]
fn the_steps_of_the_server_are_answered_before_connack() {
    let mut rig = Rig::new(scram());
    rig.open();
    for step in ["one", "two"] {
        rig.feed(&auth(AuthReason::ContinueAuthentication, "SCRAM", step));
        assert_eq!(asked(&mut rig), (AuthReason::ContinueAuthentication, step.to_owned()));
        assert_eq!(rig.client.poll_timeout(), None, "it is the host's turn");
        rig.client.authenticate(rig.now, Some(b"x")).unwrap();
        assert_eq!(bytes(&mut rig), b"\xF0\x0E\x18\x0C\x15\x00\x05SCRAM\x16\x00\x01x");
        assert_eq!(
            rig.client.authenticate(rig.now, None),
            Err(AuthenticateError::NotAsked),
            "one answer for each step"
        );
    }
    rig.accept_with(false, said(|server| server.authentication_method("SCRAM")));
    assert_eq!(rig.told(), ["connected"]);
}

#[test]
fn each_connect_says_the_data_that_was_set_last() {
    let mut rig = Rig::new(scram());
    for data in ["nonce-1", "nonce-2"] {
        assert!(rig.client.set_authentication_data(Binary::new(Bytes::from(data)).ok()));
        rig.client.handle_open(rig.now);
        let connect = bytes(&mut rig);
        let property = [b"\x16\x00\x07", data.as_bytes()].concat();
        assert!(
            connect.windows(property.len()).any(|part| part == property),
            "{connect:?}"
        );
        rig.client.handle_eof(rig.now);
    }
    assert!(!Rig::new(config()).client.set_authentication_data(None));
}

#[test]
fn an_open_connection_can_authenticate_again_while_messages_flow() {
    let mut rig = Rig::connected_with(scram(), said(|server| server.authentication_method("SCRAM")));
    rig.client.reauthenticate(rig.now, Some(b"again")).unwrap();
    rig.publish(0, 1);
    let sent = bytes(&mut rig);
    assert!(sent.starts_with(b"\xF0\x12\x19\x10\x15\x00\x05SCRAM\x16\x00\x05again\x30"));
    rig.told();
    rig.feed(&auth(AuthReason::ContinueAuthentication, "SCRAM", "a"));
    assert_eq!(asked(&mut rig).0, AuthReason::ContinueAuthentication);
    rig.client.authenticate(rig.now, None).unwrap();
    assert_eq!(bytes(&mut rig), b"\xF0\x0A\x18\x08\x15\x00\x05SCRAM");
    rig.feed(&auth(AuthReason::Success, "SCRAM", "b"));
    assert_eq!(asked(&mut rig).0, AuthReason::Success);
    assert!(rig.client.is_connected());
}

#[test]
fn auth_that_was_not_agreed_on_closes() {
    let mut rig = Rig::new(config());
    rig.open();
    rig.feed(&auth(AuthReason::ContinueAuthentication, "SCRAM", "a"));
    assert_eq!(closed(&mut rig), "MQTT-4.12.0-6");
    let mut rig = Rig::connected(config());
    rig.feed(&auth(AuthReason::ContinueAuthentication, "SCRAM", "a"));
    assert_eq!(closed(&mut rig), "MQTT-4.12.0-6");
    let mut rig = Rig::new(config());
    rig.open();
    rig.accept_with(false, said(|server| server.authentication_method("SCRAM")));
    assert_eq!(closed(&mut rig), "MQTT-4.12.0-6");
    // The client has not asked for another authentication.
    let mut rig = Rig::connected_with(scram(), said(|server| server.authentication_method("SCRAM")));
    rig.feed(&auth(AuthReason::ContinueAuthentication, "SCRAM", "a"));
    assert_eq!(closed(&mut rig), "MQTT-4.12.0-6");
}

#[test]
fn another_method_than_that_of_connect_closes() {
    let mut rig = Rig::new(scram());
    rig.open();
    rig.feed(&auth(AuthReason::ContinueAuthentication, "PLAIN", "a"));
    assert_eq!(closed(&mut rig), "MQTT-4.12.0-5");
    let mut rig = Rig::new(scram());
    rig.open();
    rig.accept_with(false, said(|server| server.authentication_method("PLAIN")));
    assert_eq!(closed(&mut rig), "MQTT-4.12.0-5");
}

#[test]
fn without_a_method_no_auth_is_sent() {
    let mut rig = Rig::connected(config());
    assert_eq!(
        rig.client.reauthenticate(rig.now, None),
        Err(AuthenticateError::NoMethod)
    );
    assert_eq!(rig.client.authenticate(rig.now, None), Err(AuthenticateError::NotAsked));
    assert_eq!(bytes(&mut rig), b"");
}

#[test]
fn mqtt_3_has_no_authentication_method() {
    let mut client = mqtt_session::Client::new(scram().version(Version::V3_1_1), mqtt_session::Instant::ZERO);
    assert_eq!(client.poll_event(), Some(Event::Open));
    client.handle_open(mqtt_session::Instant::ZERO);
    let closed = client.poll_event();
    assert!(
        matches!(
            &closed,
            Some(Event::Closed {
                reason: mqtt_session::Closed::NotEncodable(_),
                retry_at: None
            })
        ),
        "{closed:?}"
    );
}

/// The statement that the server broke.
fn closed(rig: &mut Rig) -> &'static str {
    loop {
        match rig.client.poll_event().expect("the connection has ended") {
            Event::Closed {
                reason: mqtt_session::Closed::Violation(_, statement),
                ..
            } => return statement.id,
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
