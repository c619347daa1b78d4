//! Enhanced authentication by a client.

use mqtt_session::proto::{Binary, Disconnect, DisconnectReason, Text};
use mqtt_session::{AuthenticateError, Authentication, ClientConfig, Closed, Event};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::refusal::statement;
use crate::rig::{Rig, config};
use crate::wire::{auth, disconnect, puback};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::authentication::{name}"), run);
    vec![
        trial("a challenge is answered", challenge_is_answered),
        trial(
            "nothing but AUTH goes before CONNACK",
            nothing_but_auth_goes_before_connack,
        ),
        trial("another method closes", another_method_closes),
        trial("without a method there is no AUTH", without_a_method_there_is_no_auth),
        trial("it is done again by the same method", done_again_by_the_same_method),
        trial("messages go on meanwhile", messages_go_on_meanwhile),
        trial(
            "a failure that the client sees closes",
            failure_that_the_client_sees_closes,
        ),
        trial(
            "a failure that the server sees closes",
            failure_that_the_server_sees_closes,
        ),
    ]
}

fn authenticated() -> ClientConfig {
    config().authentication(Some(Authentication {
        method: Text::from_bytes("M".into()).expect("a name"),
        data: Some(Binary::new("first".into()).expect("short data")),
    }))
}

/// A client that has authenticated in CONNECT.
fn connected() -> Rig {
    let mut rig = Rig::new(authenticated());
    rig.open();
    rig.accept(false, "15 0001 4D");
    rig.told();
    rig
}

fn is_asked(rig: &mut Rig) -> bool {
    matches!(rig.told()[..], [Event::Authenticate { .. }])
}

fn challenge_is_answered() {
    let mut rig = Rig::new(authenticated());
    let connect = rig.open();
    let connect = Outline::read(&connect, 5).expect("a CONNECT");
    assert_eq!(connect.texts("Authentication Method").next(), Some(&b"M"[..]));
    for _ in 0..3 {
        rig.feed(&auth(0x18, "M", b"prove it"));
        assert!(is_asked(&mut rig));
        rig.client.authenticate(rig.now, Some(b"proof")).expect("it was asked");
        rig.sends(&[auth(0x18, "M", b"proof")]);
    }
    rig.accept(false, "15 0001 4D");
    rig.stays();
    covers("v5:MQTT-4.12.0-3");
    covers("v5:MQTT-4.12.0-5");
}

fn nothing_but_auth_goes_before_connack() {
    let mut rig = Rig::new(authenticated());
    rig.publish(0, "x", 1);
    rig.publish(1, "x", 2);
    rig.subscribe("s", 3);
    rig.open();
    rig.sends_nothing();
    rig.feed(&auth(0x18, "M", b""));
    rig.told();
    rig.client.authenticate(rig.now, Some(b"proof")).expect("it was asked");
    rig.sends(&[auth(0x18, "M", b"proof")]);
    rig.advance(5);
    rig.sends_nothing();
    rig.accept(false, "15 0001 4D");
    assert_eq!(rig.sent().len(), 3);
    covers("v5:MQTT-3.1.2-30");
}

/// In AUTH before and after CONNACK, and in CONNACK.
fn another_method_closes() {
    let cases = [auth(0x18, "N", b""), rig_connack("15 0001 4E")];
    for bad in cases {
        let mut rig = Rig::new(authenticated());
        rig.open();
        rig.feed(&bad);
        let closed = rig.closed();
        let named = statement(closed.as_ref());
        assert_eq!(named.as_deref(), Some("v5:MQTT-4.12.0-5"), "{closed:?}");
        rig.sends_nothing();
    }
    let mut rig = connected();
    rig.client.reauthenticate(rig.now, None).expect("it is connected");
    rig.sent();
    rig.feed(&auth(0x18, "N", b""));
    let closed = rig.closed();
    let named = statement(closed.as_ref());
    assert_eq!(named.as_deref(), Some("v5:MQTT-4.12.0-5"), "{closed:?}");
    rig.sends(&[disconnect(0x82)]);
    covers("v5:MQTT-4.12.0-5");
}

fn rig_connack(properties: &str) -> Vec<u8> {
    crate::wire::Wire(mqtt_session::proto::Version::V5).connack(false, 0, properties)
}

fn without_a_method_there_is_no_auth() {
    let mut rig = Rig::new(config());
    rig.open();
    let refused = Err(AuthenticateError::NotAsked);
    assert_eq!(rig.client.authenticate(rig.now, Some(b"x")), refused);
    rig.accept(false, "");
    assert_eq!(rig.client.authenticate(rig.now, Some(b"x")), refused);
    let refused = Err(AuthenticateError::NoMethod);
    assert_eq!(rig.client.reauthenticate(rig.now, Some(b"x")), refused);
    rig.sends_nothing();
    rig.stays();
    covers("v5:MQTT-4.12.0-7");
}

fn done_again_by_the_same_method() {
    let mut rig = connected();
    for _ in 0..2 {
        rig.client
            .reauthenticate(rig.now, Some(b"again"))
            .expect("it is connected");
        rig.sends(&[auth(0x19, "M", b"again")]);
        let busy = rig.client.reauthenticate(rig.now, Some(b"again"));
        assert_eq!(busy, Err(AuthenticateError::NotAsked));
        rig.feed(&auth(0x18, "M", b"prove it"));
        assert!(is_asked(&mut rig));
        rig.client.authenticate(rig.now, Some(b"proof")).expect("it was asked");
        rig.sends(&[auth(0x18, "M", b"proof")]);
        rig.feed(&auth(0x00, "M", b"fine"));
        assert!(is_asked(&mut rig));
    }
    rig.stays();
    let mut early = Rig::new(authenticated());
    early.open();
    let refused = Err(AuthenticateError::NotAsked);
    assert_eq!(
        early.client.reauthenticate(early.now, None),
        refused,
        "not before CONNACK"
    );
    early.sends_nothing();
    covers("v5:MQTT-4.12.1-1");
}

fn messages_go_on_meanwhile() {
    let mut rig = connected();
    rig.client
        .reauthenticate(rig.now, Some(b"again"))
        .expect("it is connected");
    rig.publish(1, "out", 1);
    let publish = rig.wire.publish(1, 1).payload("out").bytes();
    rig.sends(&[auth(0x19, "M", b"again"), publish]);
    let given = rig.wire.publish(1, 5).payload("in").bytes();
    rig.feed(&[given, puback(1)].concat());
    assert!(matches!(
        rig.told()[..],
        [Event::Message(_), Event::Completed { tag: 1, .. }]
    ));
    rig.sends(&[puback(5)]);
    rig.feed(&auth(0x00, "M", b"fine"));
    rig.stays();
    covers("u5:U5-4.12.1-a");
}

/// The last step of the server does not convince the host.
fn failure_that_the_client_sees_closes() {
    let mut rig = connected();
    rig.client.reauthenticate(rig.now, None).expect("it is connected");
    rig.sent();
    rig.feed(&auth(0x18, "M", b"forged"));
    assert!(is_asked(&mut rig));
    // Not Authorized is for servers to say.
    let farewell = Disconnect::new(DisconnectReason::UnspecifiedError);
    rig.client.disconnect_with(rig.now, farewell);
    rig.sends(&[disconnect(0x80)]);
    assert_eq!(rig.closed(), Some(Closed::ByHost(DisconnectReason::UnspecifiedError)));
    assert!(rig.client.is_drained());
    covers("v5:MQTT-4.12.1-2");
}

fn failure_that_the_server_sees_closes() {
    let mut rig = connected();
    rig.client.reauthenticate(rig.now, None).expect("it is connected");
    rig.sent();
    rig.feed(&hex::bytes("E0 01 87"));
    assert!(matches!(
        rig.closed(),
        Some(Closed::Disconnected {
            reason: DisconnectReason::NotAuthorized,
            ..
        })
    ));
    assert!(rig.client.is_drained());
    rig.sends_nothing();
    covers("v5:MQTT-4.12.1-2");
}
