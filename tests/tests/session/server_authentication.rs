//! Enhanced authentication by a server.

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Disconnect, DisconnectReason, Version};
use mqtt_session::{Accept, AuthenticateError, Closed, ServerConfig, ServerEvent};
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::server_rig::ServerRig;
use crate::wire::{PINGREQ, PINGRESP, auth, disconnect, puback};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("server::authentication::{name}"), run);
    vec![
        trial("it asks by AUTH 0x18", it_asks_by_auth),
        trial("a method that it does not support closes", unsupported_method_closes),
        trial("a rejection closes", rejection_closes),
        trial("without a method there is no AUTH", without_a_method_there_is_no_auth),
        trial("messages go on while it is done again", messages_go_on_meanwhile),
        trial("a failure when it is done again closes", failure_closes),
    ]
}

fn asked() -> ServerRig {
    let mut rig = ServerRig::new(ServerConfig::default(), Version::V5);
    rig.connect(true, 0, "15 0001 4D");
    rig
}

fn connected() -> ServerRig {
    ServerRig::connected(ServerConfig::default(), Version::V5, "15 0001 4D")
}

fn it_asks_by_auth() {
    let mut rig = asked();
    for _ in 0..3 {
        rig.server.authenticate(rig.now, Some(b"prove it")).expect("a method");
        rig.sends(&[auth(0x18, "M", b"prove it")]);
        rig.feed(&auth(0x18, "M", b"proof"));
        assert!(matches!(rig.told()[..], [ServerEvent::Authenticate { .. }]));
    }
    rig.accept(Accept::new());
    let sent = rig.sent();
    let connack = Outline::read(&sent[0], 5).expect("a CONNACK");
    assert_eq!(connack.texts("Authentication Method").next(), Some(&b"M"[..]));
    covers("v5:MQTT-4.12.0-2");
    covers("v5:MQTT-4.12.0-5");
}

fn refused(rig: &mut ServerRig, reason: ConnAckReason) {
    rig.server
        .refuse_client(rig.now, reason, ConnAckProperties::empty())
        .expect("the client waits");
    let sent = rig.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0][0], sent[0][2], sent[0][3]), (0x20, 0, reason.value()));
    assert_eq!(rig.closed(), Some(Closed::RefusedByHost(reason)));
    assert!(rig.server.is_drained());
}

fn unsupported_method_closes() {
    refused(&mut asked(), ConnAckReason::BadAuthenticationMethod);
    refused(&mut asked(), ConnAckReason::NotAuthorized);
    covers("v5:MQTT-4.12.0-1");
}

/// After the first step and after the second.
fn rejection_closes() {
    let mut rig = asked();
    rig.server.authenticate(rig.now, None).expect("a method");
    rig.sent();
    rig.feed(&auth(0x18, "M", b"wrong"));
    rig.told();
    refused(&mut rig, ConnAckReason::NotAuthorized);
    assert_eq!(rig.feed(PINGREQ), PINGREQ.len());
    covers("v5:MQTT-4.12.0-4");
}

fn without_a_method_there_is_no_auth() {
    let mut rig = ServerRig::new(ServerConfig::default(), Version::V5);
    rig.connect(true, 0, "");
    let refused = rig.server.authenticate(rig.now, Some(b"x"));
    assert_eq!(refused, Err(AuthenticateError::NoMethod));
    rig.accept(Accept::new());
    let sent = rig.sent();
    assert_eq!(sent.len(), 1);
    assert!(
        !Outline::read(&sent[0], 5)
            .expect("a CONNACK")
            .has("Authentication Method")
    );
    assert!(rig.server.authenticate(rig.now, Some(b"x")).is_err());
    assert!(rig.server.authenticated(rig.now, Some(b"x")).is_err());
    rig.sends_nothing();
    covers("v5:MQTT-4.12.0-6");
}

fn messages_go_on_meanwhile() {
    let mut rig = connected();
    let wire = rig.wire;
    rig.feed(&auth(0x19, "M", b"again"));
    assert!(matches!(rig.told()[..], [ServerEvent::Authenticate { .. }]));
    rig.publish(1, "out", 1);
    rig.sends(&[wire.publish(1, 1).payload("out").bytes()]);
    rig.server.authenticate(rig.now, Some(b"more")).expect("it was begun");
    rig.sends(&[auth(0x18, "M", b"more")]);
    rig.feed(&[wire.publish(1, 5).bytes(), puback(1), PINGREQ.to_vec()].concat());
    assert!(matches!(
        rig.told()[..],
        [ServerEvent::Message(_), ServerEvent::Completed { tag: 1, .. }]
    ));
    let mut sent = rig.sent();
    sent.sort();
    assert_eq!(sent, [puback(5), PINGRESP.to_vec()]);
    rig.feed(&auth(0x18, "M", b"proof"));
    rig.told();
    rig.server.authenticated(rig.now, Some(b"fine")).expect("it was begun");
    rig.sends(&[auth(0x00, "M", b"fine")]);
    rig.stays();
    covers("u5:U5-4.12.1-a");
}

fn failure_closes() {
    let mut rig = connected();
    rig.feed(&auth(0x19, "M", b"again"));
    rig.told();
    rig.server
        .disconnect(rig.now, Disconnect::new(DisconnectReason::NotAuthorized));
    rig.sends(&[disconnect(0x87)]);
    assert_eq!(rig.closed(), Some(Closed::ByHost(DisconnectReason::NotAuthorized)));
    assert!(rig.server.is_drained());
    covers("v5:MQTT-4.12.1-2");
}
